package archtest

import (
	"fmt"
	"go/ast"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/proof"
)

// theTree is the repository, which is read once.
func theTree(t *testing.T) (*tree, string) {
	tree, err := repository()
	require.NoError(t, err)
	root, err := filepath.Abs(repositoryRoot)
	require.NoError(t, err)
	return tree, root
}

const repositoryRoot = "../.."

var repository = sync.OnceValues(func() (*tree, error) { return loadTree(repositoryRoot) })

// guests returns what linked code does to the process that it is linked into,
// beyond what checkProcess looks for.
func guests(t *tree) (found []finding) {
	forbidden := map[string][]string{
		"os":            {"Exit", "Setenv", "Unsetenv", "Clearenv", "Chdir", "Stdout", "Stderr", "Args"},
		"os/signal":     {"Notify", "NotifyContext", "Ignore", "Reset", "Stop"},
		"net/http":      {"DefaultClient", "DefaultServeMux", "DefaultTransport", "Handle", "HandleFunc", "Get", "Head", "Post", "PostForm"},
		"log/slog":      {"Default", "SetDefault", "SetLogLoggerLevel"},
		"math/rand":     {"Seed"},
		"runtime":       {"SetFinalizer", "SetMutexProfileFraction", "SetBlockProfileRate"},
		"runtime/debug": {"SetGCPercent", "SetMemoryLimit", "SetMaxStack", "SetMaxThreads", "SetPanicOnFault", "SetTraceback", "FreeOSMemory"},
		"syscall":       {"Exit", "Kill", "Setrlimit", "Umask", "Setenv", "Chdir"},
		"encoding/gob":  {"Register", "RegisterName"},
		"time":          {"Tick"},
		"mime":          {"AddExtensionType"},
		"crypto":        {"RegisterHash"},
		"net":           {"DefaultResolver"},
		"testing":       {"Init"},
	}
	for _, f := range t.files {
		if !f.linked() || f.kind != library || strings.HasPrefix(f.folder, "internal/failpoint") {
			continue
		}
		for _, spec := range f.ast.Imports {
			if path := strings.Trim(spec.Path.Value, "\"`"); slices.Contains([]string{"flag", "log", "expvar", "net/http/pprof", "plugin"}, path) {
				found = append(found, finding{t.at(spec), "imports " + path})
			}
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok { // GOMAXPROCS(0) only asks
				sel, ok := call.Fun.(*ast.SelectorExpr)
				if ok && t.imported(sel.X) == "runtime" && sel.Sel.Name == "GOMAXPROCS" && !zero(call.Args) {
					found = append(found, finding{t.at(call), "sets runtime.GOMAXPROCS"})
				}
			}
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if from := t.imported(sel.X); slices.Contains(forbidden[from], sel.Sel.Name) {
				found = append(found, finding{t.at(sel), "uses " + from + "." + sel.Sel.Name})
			}
			return true
		})
	}
	return found
}

func zero(args []ast.Expr) bool {
	if len(args) != 1 {
		return false
	}
	lit, ok := args[0].(*ast.BasicLit)
	return ok && lit.Value == "0"
}

// TestGoodGuest: the code that services link in leaves flags, logs, default
// clients and muxes, signals, seeds and settings of the runtime alone. Failpoints
// act on the process, and are linked in with their build tag only.
func TestGoodGuest(t *testing.T) {
	tree, _ := theTree(t)
	proof.Row(t, "X13", proof.Counts{"files": len(tree.files)})
	require.Empty(t, guests(tree))
	require.Empty(t, checkProcess(tree))
	for _, breach := range []string{
		`import "os"; func f() { os.Exit(1) }`, `import "log"; func f() { log.Println() }`, `import "flag"; var _ = flag.Bool`,
		`import "net/http"; var c = http.DefaultClient`, `import "net/http"; var c = http.DefaultTransport`,
		`import "math/rand"; func f() { rand.Seed(1) }`, `import "os/signal"; func f() { signal.Ignore() }`,
		`import "log/slog"; func f() { slog.SetDefault(nil) }`, `import "runtime"; func f() { runtime.GOMAXPROCS(1) }`,
	} {
		planted := newTree()
		require.NoError(t, planted.add("health/planted.go", "package health\n"+breach))
		planted.resolve()
		require.Len(t, guests(planted), 1, breach)
	}
}

// starters returns the folders of linked code that starts goroutines, and those
// whose tests look for goroutines that are left behind.
func starters(t *tree) (starts, looks map[string]bool) {
	starts, looks = map[string]bool{}, map[string]bool{}
	for _, f := range t.files {
		if f.test {
			for _, d := range f.ast.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok || fn.Name.Name != "TestMain" {
					continue
				}
				ast.Inspect(fn, func(n ast.Node) bool {
					if sel, ok := n.(*ast.SelectorExpr); ok && t.imported(sel.X) == "go.uber.org/goleak" {
						looks[f.folder] = true
					}
					return true
				})
			}
			continue
		}
		if !f.linked() {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				starts[f.folder] = true
			case *ast.CallExpr: // of a WaitGroup or an errgroup
				if sel, ok := n.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Go" && len(n.Args) == 1 {
					starts[f.folder] = true
				}
				if sel, ok := n.Fun.(*ast.SelectorExpr); ok && t.imported(sel.X)+"."+sel.Sel.Name == "time.AfterFunc" {
					starts[f.folder] = true
				}
			}
			return true
		})
	}
	return starts, looks
}

// TestGoroutinesAreLookedFor: every package that starts a goroutine has goleak
// in its tests.
func TestGoroutinesAreLookedFor(t *testing.T) {
	tree, _ := theTree(t)
	starts, looks := starters(tree)
	proof.Row(t, "X11", proof.Counts{"packages that start goroutines": len(starts), "packages with goleak": len(looks)})
	for _, folder := range []string{"sync", "store/sqlite"} {
		require.True(t, starts[folder], folder)
	}
	for folder := range starts {
		require.True(t, looks[folder], "%s starts goroutines, and its TestMain does not call goleak", folder)
	}
	planted := newTree()
	require.NoError(t, planted.add("health/planted.go", "package health\nfunc f() { go f() }"))
	require.NoError(t, planted.add("store/planted.go", "package store\nimport \"sync\"\nfunc f() { var g sync.WaitGroup; g.Go(f) }"))
	require.NoError(t, planted.add("store/planted_test.go", "package store\nimport (\"testing\"; \"go.uber.org/goleak\")\nfunc TestMain(m *testing.M) { goleak.VerifyTestMain(m) }"))
	planted.resolve()
	starts, looks = starters(planted)
	require.Equal(t, map[string]bool{"health": true, "store": true}, starts)
	require.Equal(t, map[string]bool{"store": true}, looks)
}

// fuzzTargets returns the fuzz targets, as "folder name", and whether each has
// seeds: it adds some, or calls a function of its package that does.
func fuzzTargets(t *tree) map[string]bool {
	adds := map[string]bool{} // functions, by folder and name
	type caller struct{ folder, name string }
	calls := map[caller][]string{}
	for _, f := range t.files {
		if !f.test {
			continue
		}
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Body == nil || fn.Recv != nil {
				continue
			}
			c := caller{f.folder, fn.Name.Name}
			ast.Inspect(fn.Body, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				switch fun := call.Fun.(type) {
				case *ast.SelectorExpr:
					if x, ok := fun.X.(*ast.Ident); ok && x.Name == "f" && fun.Sel.Name == "Add" {
						adds[c.folder+" "+c.name] = true
					}
				case *ast.Ident:
					calls[c] = append(calls[c], fun.Name)
				}
				return true
			})
			if _, ok := calls[c]; !ok {
				calls[c] = nil
			}
		}
	}
	targets := map[string]bool{}
	for c, called := range calls {
		if !strings.HasPrefix(c.name, "Fuzz") {
			continue
		}
		key := c.folder + " " + c.name
		targets[key] = adds[key]
		for _, name := range called {
			targets[key] = targets[key] || adds[c.folder+" "+name]
		}
	}
	return targets
}

// TestDecodersAreFuzzed: whatever reads bytes that somebody else wrote has a fuzz
// target with seeds, which every test run reads, and `make fuzz` runs all
// targets. With full counts those that decode what anybody may send run here, for
// longer.
func TestDecodersAreFuzzed(t *testing.T) {
	tree, root := theTree(t)
	targets := fuzzTargets(tree)
	counts := proof.Counts{"targets": len(targets)}
	proof.Row(t, "X12", counts)
	decoders := []string{
		"health FuzzDecodeRecord", "health FuzzDecodeContent", "health FuzzDecodePoints", "health FuzzParseDecimal", "health FuzzParseMoment",
		"internal/httpx FuzzStrictUnmarshal", "internal/httpx FuzzToken", "internal/httpx FuzzNextLink", "internal/httpx FuzzRetryAfter",
		"internal/jsonscan FuzzAgainstEncodingJSON", "providers/withings FuzzDecodeMeasures", "providers/withings FuzzNotification",
		"store/sqlite FuzzUnpack", "store/redis FuzzDecode", "sync FuzzDecodeCursor", "sync FuzzOpenSealed",
		"internal/jsonscan FuzzClockReading", "providers/fitbit FuzzDecodeHeartRateIntraday", "providers/fitbit FuzzDecodeSleep",
		"providers/fitbit FuzzNotification", "providers/googlehealth FuzzDecodeDense", "providers/googlehealth FuzzKeyset", "terra FuzzMapData", "terra FuzzSignatureHeader", "terra FuzzWebhook",
	}
	for _, decoder := range decoders {
		require.Contains(t, targets, decoder)
	}
	for target, seeded := range targets {
		require.True(t, seeded, "%s has no seeds", target)
	}
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	require.NoError(t, err)
	for _, part := range []string{"FUZZTIME ?= 200000x", "$(GO) test -list '^Fuzz' ./...", "-fuzz \"^$$name\\$$\" -fuzztime $(FUZZTIME)"} {
		require.Contains(t, string(makefile), part)
	}
	if !proof.Full() {
		return
	}
	// Most for what strangers send, and for what everything else is read with.
	const most, others, raced = 5_000_000, 200_000, 30 * time.Second
	exposed := []string{
		"terra FuzzWebhook", "terra FuzzSignatureHeader", "providers/withings FuzzNotification", "providers/fitbit FuzzNotification",
		"sync FuzzOpenSealed", "internal/httpx FuzzToken", "internal/jsonscan FuzzAgainstEncodingJSON", "health FuzzDecodeRecord",
	}
	require.Subset(t, decoders, exposed)
	counts["executions of each exposed decoder"], counts["exposed decoders"] = most, len(exposed)
	counts["seconds with the race detector of each"] = int(raced.Seconds())
	counts["executions of each other decoder"], counts["other decoders"] = others, len(decoders)-len(exposed)
	for _, target := range decoders {
		folder, name, _ := strings.Cut(target, " ")
		executions := others
		if slices.Contains(exposed, target) {
			executions = most
		}
		fuzz := func(args ...string) {
			args = append([]string{"test", "-run", "^$", "-fuzz", "^" + name + "$", "-fuzzminimizetime", "50x", "-timeout", "2h"}, args...)
			cmd := exec.CommandContext(t.Context(), "go", args...)
			cmd.Dir = filepath.Join(root, filepath.FromSlash(folder))
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%s %v: %v\n%s", folder, args, err, out[max(0, len(out)-4000):])
			}
			t.Log(target, args[len(args)-1], lastProgress(out))
		}
		fuzz("-fuzztime", fmt.Sprintf("%dx", executions))
		if executions == most {
			fuzz("-race", "-fuzztime", raced.String())
		}
	}
}

// lastProgress returns the last line in which the fuzzing engine says how far it
// has come.
func lastProgress(out []byte) string {
	lines := slices.DeleteFunc(strings.Split(string(out), "\n"), func(l string) bool { return !strings.Contains(l, "execs:") })
	if len(lines) == 0 {
		return ""
	}
	return lines[len(lines)-1]
}
