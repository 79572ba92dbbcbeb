//go:build !failpoints

package failpoint

// Enabled reports whether this build has failpoints.
const Enabled = false

// Hit marks the place with the name. In this build it does nothing.
func Hit(name string) {}
