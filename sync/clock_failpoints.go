//go:build failpoints

package sync

import (
	"fmt"
	"os"
	"time"
)

// clockOffset is how wrong the clock of this process is: the environment says
// it, for proofs about processes whose clocks differ.
var clockOffset = func() time.Duration {
	text := os.Getenv("VITALMUX_CLOCK_OFFSET")
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		panic(fmt.Sprintf("VITALMUX_CLOCK_OFFSET: %v", err))
	}
	return d
}()

// now is the time that the engine plans by.
func now() time.Time { return time.Now().Add(clockOffset) }
