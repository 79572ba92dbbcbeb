package proof

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// WithoutRace runs the test once more in a process of its own that was built
// without the race detector, if this one was built with it, and reports whether
// it did: then there is nothing left to do. It is for tests that take minutes
// with the detector and show it nothing that the others of the package do not.
// It is called at the beginning of a test, and not in a subtest.
func WithoutRace(t *testing.T) bool {
	t.Helper()
	if !raced {
		return false
	}
	binary := filepath.Join(t.TempDir(), "plain.test")
	output, err := exec.Command("go", "test", "-c", "-race=false", "-o", binary, ".").CombinedOutput()
	if err != nil {
		t.Fatalf("build without the race detector: %v\n%s", err, output)
	}
	args := []string{"-test.v", "-test.run=^" + regexp.QuoteMeta(t.Name()) + "$"}
	if end, ok := t.Deadline(); ok {
		// It tells where it hangs before this process would.
		args = append(args, "-test.timeout="+(time.Until(end)*9/10).String())
	}
	if testing.Short() {
		args = append(args, "-test.short")
	}
	if output, err = exec.CommandContext(t.Context(), binary, args...).CombinedOutput(); err != nil {
		t.Fatalf("without the race detector: %v\n%s", err, output)
	}
	t.Logf("without the race detector:\n%s", output)
	return true
}
