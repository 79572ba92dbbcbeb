package archtest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTree holds the repository against every rule.
func TestTree(t *testing.T) {
	tree, root := theTree(t)
	require.FileExists(t, filepath.Join(root, "go.mod"))
	require.Contains(t, tree.packages, module+"/health")
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) {
			found := r.check(tree)
			slices.SortFunc(found, func(a, b finding) int { return strings.Compare(a.at, b.at) })
			for _, f := range found {
				t.Errorf("%s: %s\n\t(%s)", f.at, f.text, r.why)
			}
		})
	}
}

// TestLoadTree shows that the loader reads what is on disk: a module with a
// breach in a package, in a nested module, and none in what it leaves out.
func TestLoadTree(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":                 "module " + module + "\n\ngo 1.26.0\n\nreplace example.org/a => ./a\n",
		"health/health.go":       "package health\n\nimport _ \"testing\"\n",
		"bench/go.mod":           "module " + module + "/bench\n\ngo 1.26.0\n",
		"bench/util/util.go":     "package util\n",
		"health/testdata/x/x.go": "package helpers\n",
		".hidden/x.go":           "package helpers\n",
	} {
		path := filepath.Join(root, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	tree, err := loadTree(root)
	require.NoError(t, err)
	require.Equal(t, []finding{{"health", "leads to testing: testing"}}, checkTestCode(tree))
	require.Equal(t, []finding{{"bench/util/util.go:1", "package or folder util"}}, checkNames(tree))
	require.NotContains(t, tree.packages, module+"/bench/util")
	require.Len(t, tree.mod.Replace, 1)

	require.NoError(t, os.WriteFile(filepath.Join(root, "health", "broken.go"), []byte("package health\nfunc {"), 0o644))
	_, err = loadTree(root)
	require.Error(t, err)
}

// kinds of folder decide which rules apply.
func TestKindOf(t *testing.T) {
	got := map[string]string{}
	for _, folder := range []string{"health", "store/storetest", "providers/withings/withingstest", "terra/terratest", "fleet/asynq", "internal/proof", "internal/failpoint"} {
		got[folder] = kindOf(folder, folder[strings.LastIndex(folder, "/")+1:])
	}
	got["examples/sqlite"] = kindOf("examples/sqlite", "main")
	got["internal/metricsdoc"] = kindOf("internal/metricsdoc", "main")
	got["bench/anchor"] = kindOf("bench/anchor", "anchor")
	require.Equal(t, map[string]string{
		"health": library, "store/storetest": testKit, "providers/withings/withingstest": testKit,
		"terra/terratest": testKit, "fleet/asynq": library, "internal/proof": testKit, "internal/failpoint": library, "examples/sqlite": example,
		"internal/metricsdoc": program, "bench/anchor": program,
	}, got)
}
