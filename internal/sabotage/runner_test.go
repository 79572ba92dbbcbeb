package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// sample is a module with a function, a test of it, and a test that starts a
// process of its own.
func sample(t *testing.T) *runner {
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":           "module example.org/sample\n\ngo 1.26\n",
		"sum/sum.go":       "package sum\n\nfunc Sum(a, b int) int { return a + b }\n",
		"sum/broken.go":    "//go:build broken\n\npackage sum\n\nconst Broken = true\n",
		"sum/sound.go":     "//go:build !broken\n\npackage sum\n\nconst Broken = false\n",
		"sum/show/main.go": "package main\n\nimport \"example.org/sample/sum\"\n\nfunc main() { println(sum.Sum(2, 2)) }\n",
		"sum/sum_test.go": `package sum

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestSum(t *testing.T) {
	if Sum(2, 2) != 4 || Broken {
		t.Fatal("wrong")
	}
}

func TestZero(t *testing.T) {
	if Sum(0, 0) != 0 {
		t.Fatal("wrong")
	}
}

func TestProcess(t *testing.T) {
	out, err := exec.Command("go", "run", "./show").CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "4" {
		t.Fatal("wrong")
	}
}

func TestEnvironment(t *testing.T) {
	if os.Getenv("SAMPLE") != "1" {
		t.Fatal("not set")
	}
	TestSum(t)
}

func TestExit(t *testing.T) {
	if Sum(2, 2) != 4 {
		os.Exit(1)
	}
}
`,
	} {
		path := filepath.Join(root, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	return &runner{root: root, dir: t.TempDir(), sound: map[string]error{}}
}

func TestTry(t *testing.T) {
	good := fault{name: "minus", file: "sum/sum.go", old: "a + b", new: "a - b", pkg: "sum", test: "^TestSum$"}
	for _, c := range []struct {
		title  string
		change func(*fault)
		want   string // what the error holds; empty is none
	}{
		{"caught", func(*fault) {}, ""},
		{"caught in a process of the test", func(f *fault) { f.test = "^TestProcess$" }, ""},
		{"caught with an environment", func(f *fault) { f.test, f.env = "^TestEnvironment$", []string{"SAMPLE=1"} }, ""},
		{"caught by a panic", func(f *fault) { f.new = "a + b + []int{}[a]" }, ""},
		{"not noticed", func(f *fault) { f.test = "^TestZero$" }, "the test passes in spite of the fault"},
		{"the code moved", func(f *fault) { f.old = "a * b" }, "the code moved: the text to replace occurs 0 times in sum/sum.go"},
		{"the text is there twice", func(f *fault) { f.old = "a" }, "the code moved: the text to replace occurs"},
		{"the file is gone", func(f *fault) { f.file = "sum/gone.go" }, "no such file"},
		{"no change", func(f *fault) { f.new = f.old }, "the fault changes nothing"},
		{"does not build", func(f *fault) { f.new = "a +" }, "with the fault: it does not build"},
		{"no such test", func(f *fault) { f.test = "^TestGone$" }, "no test matches"},
		{"no such package", func(f *fault) { f.pkg = "gone" }, "without the fault: it does not build"},
		{"fails anyway", func(f *fault) { f.test = "^TestEnvironment$" }, "the test fails without the fault"},
		{"fails anyway with tags", func(f *fault) { f.tags = "broken" }, "the test fails without the fault"},
		{"ends without a failing test", func(f *fault) { f.test = "^TestExit$" }, "fails without a failing test"},
	} {
		t.Run(c.title, func(t *testing.T) {
			r, f := sample(t), good
			c.change(&f)
			err := r.try(t.Context(), f)
			if c.want == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.want)
			}
			text, err := os.ReadFile(filepath.Join(r.root, "sum", "sum.go"))
			require.NoError(t, err)
			require.Contains(t, string(text), "return a + b", "the tree was touched")
		})
	}
}

// TestSoundTestRunsOnce: several faults for one test share its run without a
// fault.
func TestSoundTestRunsOnce(t *testing.T) {
	r := sample(t)
	var output bytes.Buffer
	r.output = &output
	f := fault{name: "minus", file: "sum/sum.go", old: "a + b", new: "a - b", pkg: "sum", test: "^TestSum$"}
	require.NoError(t, r.try(t.Context(), f))
	f.name, f.new = "times", "a * b + 1"
	require.NoError(t, r.try(t.Context(), f))
	require.Equal(t, 1, strings.Count(output.String(), "--- PASS: TestSum"))
	require.Equal(t, 2, strings.Count(output.String(), "--- FAIL: TestSum"))
}

// TestTable looks at the rows without running them: each finds its text, and
// no two have one name.
func TestTable(t *testing.T) {
	names := map[string]bool{}
	r := &runner{root: filepath.Join("..", ".."), dir: t.TempDir()}
	for _, f := range table() {
		require.False(t, names[f.name], f.name)
		names[f.name] = true
		require.NotEmpty(t, f.test, f.name)
		require.DirExists(t, filepath.Join(r.root, f.pkg), f.name)
		_, err := r.overlay(f)
		require.NoError(t, err, f.name)
	}
	require.GreaterOrEqual(t, len(names), 15)
}

func TestSelection(t *testing.T) {
	var all, some bytes.Buffer
	require.NoError(t, sabotage(t.Context(), &all, "", true, false))
	require.Equal(t, len(table()), strings.Count(all.String(), "\n"))
	require.NoError(t, sabotage(t.Context(), &some, "^secret-", true, false))
	for line := range strings.Lines(some.String()) {
		require.True(t, strings.HasPrefix(line, "secret-"), line)
	}
	require.NotEmpty(t, some.String())
	require.ErrorContains(t, sabotage(t.Context(), &some, "^no such row$", true, false), "no row matches")
	require.Error(t, sabotage(t.Context(), &some, "(", true, false))
}
