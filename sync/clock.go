//go:build !failpoints

package sync

import "time"

// now is the time that the engine plans by.
func now() time.Time { return time.Now() }
