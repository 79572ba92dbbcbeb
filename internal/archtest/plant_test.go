package archtest

import (
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSound shows that the rules are silent where nothing is wrong.
func TestSound(t *testing.T) {
	tree := grow(t, sound())
	for _, r := range rules() {
		require.Empty(t, r.check(tree), r.name)
	}
}

// TestRulesBite plants one breach at a time and asks for exactly the rule that
// is there for it.
func TestRulesBite(t *testing.T) {
	imports := func(pkg string, paths ...string) string {
		return "package " + pkg + "\nimport (\n_ \"" + strings.Join(paths, "\"\n_ \"") + "\"\n)\n"
	}
	in := func(folder string) string { return module + "/" + folder }
	lib := func(body string) plant { return plant{"health/planted.go": "package health\n" + body} }

	cases := []struct {
		rule  string
		title string
		add   plant
		mod   func(*goMod)
	}{
		{rule: "walls", title: "health imports a contract", add: plant{"health/b.go": imports("health", in("store"))}},
		{rule: "walls", title: "health imports a library", add: plant{"health/b.go": imports("health", "golang.org/x/text/width")}},
		{rule: "walls", title: "providers import the store", add: plant{"providers/b.go": imports("providers", in("store"))}},
		{rule: "walls", title: "providers import an adapter", add: plant{"providers/b.go": imports("providers", in("providers/withings"))}},
		{rule: "walls", title: "the store imports providers", add: plant{"store/b.go": imports("store", in("providers"))}},
		{rule: "walls", title: "a driver imports the engine", add: plant{"store/redis/b.go": "package redis\nimport healthsync \"" + in("sync") + "\"\nvar _ = healthsync.New\n"}},
		{rule: "walls", title: "a driver imports a library it does not name", add: plant{"store/redis/b.go": imports("redis", "example.org/other")}},
		{rule: "walls", title: "the engine imports an adapter", add: plant{"sync/b.go": imports("sync", in("providers/withings"))}},
		{rule: "walls", title: "the engine imports a driver", add: plant{"sync/b.go": "package sync\nimport redisstore \"" + in("store/redis") + "\"\nvar _ = redisstore.New\n"}},
		{rule: "walls", title: "an adapter imports another", add: plant{"providers/fitbit/b.go": imports("fitbit", in("providers/withings"))}},
		{rule: "walls", title: "an adapter imports the store", add: plant{"providers/withings/b.go": imports("withings", in("store"))}},
		{rule: "walls", title: "an adapter imports the engine", add: plant{"providers/withings/b.go": "package withings\nimport healthsync \"" + in("sync") + "\"\nvar _ = healthsync.New\n"}},
		{rule: "walls", title: "an adapter imports a library it does not name", add: plant{"providers/fitbit/b.go": imports("fitbit", "github.com/dghubble/oauth1")}},
		{rule: "walls", title: "an adapter outside the pair imports its mapping", add: plant{"providers/withings/b.go": imports("withings", in("internal/fitbitmap"))}},
		{rule: "walls", title: "terra imports a direct adapter", add: plant{"terra/doc.go": "", "terra/b.go": imports("terra", in("providers/withings"))}},
		{rule: "walls", title: "a simulator imports the store", add: plant{"providers/withings/withingstest/b.go": imports("withingstest", in("store"))}},
		{rule: "walls", title: "an adapter imports failpoints", add: plant{"providers/withings/b.go": imports("withings", in("internal/failpoint"))}},
		{rule: "walls", title: "a contract imports failpoints", add: plant{"store/b.go": imports("store", in("internal/failpoint"))}},
		{rule: "walls", title: "the fault proxy imports the engine", add: plant{"internal/faultproxy/doc.go": "", "internal/faultproxy/b.go": "package faultproxy\nimport healthsync \"" + in("sync") + "\"\nvar _ = healthsync.New\n"}},
		{rule: "walls", title: "a folder nobody planned", add: plant{"extra/doc.go": ""}},

		{rule: "test-kits", title: "an adapter imports its simulator", add: plant{"providers/withings/b.go": imports("withings", in("providers/withings/withingstest"))}},
		{rule: "test-kits", title: "a driver imports the suite", add: plant{"store/redis/b.go": imports("redis", in("store/storetest"))}},
		{rule: "test-kits", title: "the engine imports a simulator", add: plant{"sync/b.go": imports("sync", in("providers/withings/withingstest"))}},

		{rule: "test-kits", title: "the engine imports a tool of its proofs", add: plant{"sync/b.go": imports("sync", in("internal/proof"))}},
		{rule: "test-kits", title: "a driver imports the harness of failpoints", add: plant{"internal/failpoint/failpointtest/doc.go": "", "store/redis/b.go": imports("redis", in("internal/failpoint/failpointtest"))}},

		{rule: "test-code", title: "a contract imports testing", add: plant{"store/b.go": imports("store", "testing")}},
		{rule: "test-code", title: "the engine imports testing/synctest", add: plant{"sync/b.go": imports("sync", "testing/synctest")}},
		{rule: "test-code", title: "a simulator imports testify", add: plant{"providers/withings/withingstest/b.go": imports("withingstest", "github.com/stretchr/testify/require")}},
		{rule: "test-code", title: "an example imports rapid", add: plant{"examples/demo/b.go": imports("main", "pgregory.net/rapid")}},
		{rule: "test-code", title: "a library that a driver names leads to testing", add: plant{
			"store/redis/doc.go": strings.ReplaceAll(strings.Replace(doc, "is here", "uses github.com/redis/go-redis/v9 and example.org/sneaky", 1), "%s", "redis"),
			"store/redis/b.go":   imports("redis", "example.org/sneaky"),
		}},

		{rule: "aliases", title: "the engine without its alias", add: plant{"examples/demo/b.go": "package main\nimport \"" + in("sync") + "\"\nvar _ = sync.New\n"}},
		{rule: "aliases", title: "a driver under another alias, in a test", add: plant{"sync/b_test.go": "package sync_test\nimport rs \"" + in("store/redis") + "\"\nvar _ = rs.New\n"}},
		{rule: "aliases", title: "sqlite without its alias", add: plant{"store/sqlite/doc.go": "", "examples/demo/b.go": "package main\nimport \"" + in("store/sqlite") + "\"\nvar _ = sqlite.New\n"}},
		{rule: "aliases", title: "the client without its alias", add: plant{"store/redis/b.go": "package redis\nimport \"github.com/redis/go-redis/v9\"\nvar _ = redis.Nil\n"}},

		{rule: "names", title: "a package called helpers", add: plant{"sync/helpers/doc.go": ""}},
		{rule: "names", title: "a folder called util", add: plant{"sync/util/doc.go": strings.ReplaceAll(doc, "%s", "odds")}},
		{rule: "names", title: "a package called models", add: plant{"sync/records/doc.go": strings.ReplaceAll(doc, "%s", "models")}},

		{rule: "init", title: "an adapter registers itself", add: lib("func init() { print() }\n")},
		{rule: "init", title: "an example with init", add: plant{"examples/demo/b.go": "package main\nfunc init() { print() }\n"}},

		{rule: "state", title: "a map that is filled later", add: lib("var seen = map[string]bool{}\nfunc f() { seen[\"a\"] = true }\n")},
		{rule: "state", title: "a map made at package level", add: lib("var seen = make(map[string]bool)\n")},
		{rule: "state", title: "a counter", add: lib("var n int\nfunc f() { n++ }\n")},
		{rule: "state", title: "a slice that grows", add: lib("var all []int\nfunc f() { all = append(all, 1) }\n")},
		{rule: "state", title: "a variable of another file", add: plant{"health/b.go": "package health\nfunc f() { delete(table, \"a\") }\n"}},
		{rule: "state", title: "a field", add: lib("var conf struct{ n int }\nfunc f() { conf.n = 1 }\n")},
		{rule: "state", title: "through a pointer", add: lib("var conf int\nfunc f() { p := &conf; *p = 1 }\n")},
		{rule: "state", title: "a mutex", add: lib("import \"sync\"\nvar mu sync.Mutex\n")},
		{rule: "state", title: "a Once by value", add: lib("import \"sync\"\nvar once = sync.Once{}\n")},
		{rule: "state", title: "an atomic", add: lib("import \"sync/atomic\"\nvar n atomic.Pointer[int]\n")},
		{rule: "state", title: "a global client", add: lib("import \"net/http\"\nvar client = &http.Client{}\n")},
		{rule: "state", title: "an exported setting", add: lib("// Debug is open to all.\nvar Debug bool\n")},
		{rule: "state", title: "a seam that tests replace", add: plant{
			"health/b.go":      "package health\nimport \"time\"\nvar now = time.Now\n",
			"health/b_test.go": "package health\nfunc replace() { now = nil }\n",
		}},
		{rule: "state", title: "a variable of another package", add: lib("import \"crypto/rand\"\nfunc f() { rand.Reader = nil }\n")},

		{rule: "process", title: "exit", add: lib("import \"os\"\nfunc f() { os.Exit(1) }\n")},
		{rule: "process", title: "exit under another name", add: lib("import sys \"os\"\nfunc f() { sys.Exit(1) }\n")},
		{rule: "process", title: "log", add: lib("import \"log\"\nfunc f() { log.Fatal() }\n")},
		{rule: "process", title: "flag", add: lib("import \"flag\"\nfunc f() { flag.Parse() }\n")},
		{rule: "process", title: "the default client", add: lib("import \"net/http\"\nfunc f() { _ = http.DefaultClient }\n")},
		{rule: "process", title: "the default client in disguise", add: lib("import \"net/http\"\nfunc f() { _, _ = http.Get(\"\") }\n")},
		{rule: "process", title: "the default mux", add: lib("import \"net/http\"\nfunc f() { _ = http.DefaultServeMux }\n")},
		{rule: "process", title: "the default logger, in a simulator", add: plant{"providers/withings/withingstest/b.go": "package withingstest\nimport \"log/slog\"\nfunc f() { slog.Info(\"\") }\n"}},

		{rule: "unfinished", title: "in code", add: lib("// f is TO" + "DO.\nfunc f() {}\n")},
		{rule: "unfinished", title: "in a test", add: plant{"health/b_test.go": "package health\n/* FIX" + "ME: later */\n"}},

		{rule: "documented", title: "a function", add: lib("func G() {}\n")},
		{rule: "documented", title: "a method", add: lib("// T is here.\ntype T struct{}\nfunc (t *T) M() {}\n")},
		{rule: "documented", title: "a method of a generic type", add: lib("// T is here.\ntype T[A, B any] struct{}\nfunc (t *T[A, B]) M() {}\n")},
		{rule: "documented", title: "a type", add: lib("type T struct{}\n")},
		{rule: "documented", title: "a type in a group", add: lib("// Types.\ntype (\n\tT struct{}\n)\n")},
		{rule: "documented", title: "a constant", add: lib("const C = 1\n")},
		{rule: "documented", title: "in a simulator", add: plant{"providers/withings/withingstest/b.go": "package withingstest\nfunc New() {}\n"}},

		{rule: "package-doc", title: "no comment", add: plant{"sync/doc.go": "package sync\n"}},
		{rule: "package-doc", title: "no comment on a program", add: plant{"examples/other/main.go": "package main\nfunc main() {}\n"}},
		{rule: "package-doc", title: "no errors", add: plant{"sync/doc.go": strings.ReplaceAll(strings.Replace(doc, "# Errors", "Errors", 1), "%s", "sync")}},
		{rule: "package-doc", title: "no concurrency", add: plant{"sync/doc.go": strings.ReplaceAll(strings.Replace(doc, "# Concurrency", "", 1), "%s", "sync")}},
		{rule: "package-doc", title: "no limits", add: plant{"sync/doc.go": strings.ReplaceAll(strings.Replace(doc, "# Limits", "", 1), "%s", "sync")}},
		{rule: "package-doc", title: "in another file than doc.go", add: plant{"sync/doc.go": "package sync\n", "sync/b.go": strings.ReplaceAll(doc, "%s", "sync")}},

		{rule: "go-mod", title: "a new dependency", mod: func(m *goMod) { m.Require = append(m.Require, require1("example.org/new")) }},
		{rule: "go-mod", title: "a dependency that is gone", mod: func(m *goMod) { m.Require = m.Require[1:] }},
		{rule: "go-mod", title: "a dependency that became indirect", mod: func(m *goMod) { m.Require[0].Indirect = true }},
		{rule: "go-mod", title: "a replacement", mod: func(m *goMod) {
			m.Replace = append(m.Replace, struct{ Old struct{ Path string } }{})
		}},
	}
	planted := map[string]bool{}
	for _, c := range cases {
		planted[c.rule] = true
		t.Run(c.rule+"/"+c.title, func(t *testing.T) {
			p := sound()
			maps.Copy(p, c.add)
			tree := grow(t, p)
			if c.mod != nil {
				c.mod(&tree.mod)
			}
			var biting []string
			for _, r := range rules() {
				if len(r.check(tree)) > 0 {
					biting = append(biting, r.name)
				}
			}
			require.Equal(t, []string{c.rule}, biting)
		})
	}
	for _, r := range rules() {
		require.True(t, planted[r.name], "no breach is planted for rule %s", r.name)
	}
}

// doc is a package comment that has everything.
const doc = `// Package %s is here.
//
// # Errors
//
// # Concurrency
//
// # Limits
package %s
`

// plant is a small tree: one file per path. The text of a doc.go may be left
// empty.
type plant map[string]string

// sound returns a tree in which no rule finds anything. It holds what could be
// taken for a breach.
func sound() plant {
	return plant{
		"health/doc.go": "",
		"health/health.go": `package health
import ("errors"; "sync"; "io")
// ErrX is a sentinel.
var ErrX = errors.New("x")
var _ io.Reader = (*reader)(nil)
var table = map[string]int{"a": 1}
var pool sync.Pool
var later = sync.OnceValue(func() int { return table["a"] })
type reader struct{}
func (*reader) Read([]byte) (int, error) { return later(), nil }
// F shadows.
func F(table []int) { table[0] = 1; { later := 1; later++ }; pool.Put(1) }
`,
		"health/health_test.go": `package health
import ("testing"; "github.com/stretchr/testify/require"; "os")
func init() { os.Exit(1) }
var changing int
func TestX(t *testing.T) { changing++; require.True(t, true) }
`,
		"providers/doc.go":              "",
		"providers/p.go":                "package providers\nimport _ \"" + module + "/health\"\n",
		"providers/providertest/doc.go": "",
		"providers/providertest/p.go":   "package providertest\nimport (\n_ \"" + module + "/health\"\n_ \"" + module + "/providers\"\n_ \"testing\"\n)\n",
		"providers/withings/doc.go": strings.ReplaceAll(doc, "%s", "withings") +
			"// It signs with github.com/dghubble/oauth1.\n",
		"providers/withings/oauth1/doc.go": strings.ReplaceAll(strings.Replace(doc, "is here", "signs with github.com/dghubble/oauth1", 1), "%s", "oauth1"),
		"providers/withings/oauth1/o.go":   "package oauth1\nimport _ \"github.com/dghubble/oauth1\"\n",
		"providers/withings/w.go": "package withings\nimport (\n_ \"" + module + "/providers\"\n_ \"" + module +
			"/providers/withings/oauth1\"\n_ \"" + module + "/internal/httpx\"\n)\n",
		"providers/withings/withingstest/doc.go": "",
		"providers/fitbit/doc.go":                "",
		"providers/fitbit/f.go":                  "package fitbit\nimport _ \"" + module + "/internal/fitbitmap\"\n",
		"internal/httpx/doc.go":                  "",
		"internal/httpx/h.go":                    "package httpx\nimport _ \"" + module + "/providers\"\n",
		"internal/fitbitmap/doc.go":              "",
		"store/doc.go":                           "",
		"store/storetest/doc.go":                 "",
		"store/sqlite/doc.go":                    "",
		"store/sqlite/s.go":                      "package sqlite\nimport (\n_ \"" + module + "/store\"\n_ \"" + module + "/internal/failpoint\"\n)\n",
		"internal/failpoint/doc.go":              "",
		"internal/proof/doc.go":                  "",
		"internal/proof/p.go":                    "package proof\nimport _ \"testing\"\n",
		"internal/sabotage/main.go":              "// Command sabotage mutates.\npackage main\nimport _ \"" + module + "/internal/proof\"\nfunc main() {}\n",
		"store/redis/doc.go":                     strings.ReplaceAll(strings.Replace(doc, "is here", "uses github.com/redis/go-redis/v9", 1), "%s", "redis"),
		"store/redis/r.go":                       "package redis\nimport goredis \"github.com/redis/go-redis/v9\"\nfunc f() { _ = goredis.Nil }\n",
		"sync/doc.go":                            "",
		"sync/s.go":                              "package sync\nimport (\n_ \"" + module + "/providers\"\n_ \"" + module + "/store\"\n_ \"" + module + "/internal/failpoint\"\n\"os\"\n)\ntype exits struct{ Exit func(int) }\nfunc f(os exits) { os.Exit(1) }\nfunc g() { _ = os.Args }\n",
		"sync/s_test.go":                         "package sync_test\nimport (\nhealthsync \"" + module + "/sync\"\n_ \"" + module + "/providers/withings/withingstest\"\n)\nvar _ = healthsync.New\n",
		"examples/demo/main.go": "// Command demo shows.\npackage main\nimport (\n\"flag\"\n\"os\"\nhealthsync \"" + module + "/sync\"\nredisstore \"" + module + "/store/redis\"\n_ \"" + module +
			"/providers/withings/withingstest\"\n)\nvar verbose bool\nfunc main() { verbose = true; flag.Parse(); _ = healthsync.New; _ = redisstore.New; os.Exit(0) }\n",
	}
}

// outside is the import graph outside of the planted tree.
func outside() map[string][]string {
	return map[string][]string{
		"github.com/dghubble/oauth1":          {"net/http"},
		"github.com/redis/go-redis/v9":        {"net"},
		"github.com/stretchr/testify/require": {"testing"},
		"example.org/sneaky":                  {"example.org/sneaky/deep"},
		"example.org/sneaky/deep":             {"testing/fstest"},
	}
}

// require1 returns a direct requirement.
func require1(path string) (r struct {
	Path     string
	Indirect bool
}) {
	r.Path = path
	return r
}

// grow makes a tree of a plant: the import graph is that of its non-test files
// and of outside.
func grow(t *testing.T, p plant) *tree {
	t.Helper()
	out := newTree()
	for _, name := range slices.Sorted(maps.Keys(p)) {
		text := p[name]
		folder := path.Dir(name)
		if text == "" {
			text = strings.ReplaceAll(doc, "%s", path.Base(folder))
		}
		require.NoError(t, out.add(name, text))
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f := out.files[len(out.files)-1]
		node := out.packages[module+"/"+folder]
		if node == nil {
			node = &pkg{ImportPath: module + "/" + folder, Name: f.ast.Name.Name}
			out.packages[node.ImportPath] = node
		}
		for _, spec := range f.ast.Imports {
			node.Imports = append(node.Imports, strings.Trim(spec.Path.Value, `"`))
		}
	}
	for importPath, imports := range outside() {
		out.packages[importPath] = &pkg{ImportPath: importPath, Imports: imports}
	}
	for dep := range coreDependencies() {
		out.mod.Require = append(out.mod.Require, require1(dep))
	}
	out.resolve()
	return out
}
