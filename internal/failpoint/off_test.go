package failpoint_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestWithoutTagNothingIsLookedUp: a service links a package that imports
// nothing, so that it cannot read the environment.
func TestWithoutTagNothingIsLookedUp(t *testing.T) {
	imports := func(tags string) string {
		out, err := exec.Command("go", "list", "-tags", tags, "-f", "{{.Imports}}", ".").CombinedOutput()
		require.NoError(t, err, "%s", out)
		return strings.TrimSpace(string(out))
	}
	require.Equal(t, "[]", imports(""))
	require.Contains(t, imports("failpoints"), "os")
}
