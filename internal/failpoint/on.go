//go:build failpoints

package failpoint

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Enabled reports whether this build has failpoints.
const Enabled = true

// Hit marks the place with the name, and does there what VITALMUX_FAILPOINT
// says.
func Hit(name string) {
	if p := plan[name]; p != nil {
		p.hit(name)
	}
}

// plan is what the environment says about this process.
var plan = func() map[string]*point {
	points, err := parse(os.Getenv("VITALMUX_FAILPOINT"))
	if err != nil {
		panic(err)
	}
	return points
}()

// point is one name with what happens there.
type point struct {
	hits atomic.Int64
	at   map[int64]action
}

type action struct {
	text string
	wait time.Duration // of a sleep
}

func parse(text string) (map[string]*point, error) {
	points := make(map[string]*point)
	for entry := range strings.SplitSeq(text, ";") {
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		name, rest, ok := strings.Cut(entry, "=")
		word, count, counted := strings.Cut(rest, "@")
		n, err := int64(1), error(nil)
		if counted {
			n, err = strconv.ParseInt(count, 10, 64)
		}
		if !ok || name == "" || err != nil || n < 1 {
			return nil, fmt.Errorf("VITALMUX_FAILPOINT: %q is not name=action[@n]", entry)
		}
		a := action{text: word}
		switch verb, argument, _ := strings.Cut(word, ":"); {
		case verb == "sleep":
			if a.wait, err = time.ParseDuration(argument); err != nil {
				return nil, fmt.Errorf("VITALMUX_FAILPOINT: %q: %w", entry, err)
			}
		case word != "kill" && word != "stop" && word != "panic":
			return nil, fmt.Errorf("VITALMUX_FAILPOINT: %q: no such action", entry)
		}
		if points[name] == nil {
			points[name] = &point{at: make(map[int64]action)}
		}
		if _, twice := points[name].at[n]; twice {
			return nil, fmt.Errorf("VITALMUX_FAILPOINT: hit %d of %s is there twice", n, name)
		}
		points[name].at[n] = a
	}
	return points, nil
}

func (p *point) hit(name string) {
	a, ok := p.at[p.hits.Add(1)]
	if !ok {
		return
	}
	// One write, so that the line is whole even if others write too.
	if _, err := os.Stdout.WriteString("failpoint " + name + " " + a.text + "\n"); err != nil {
		panic(err)
	}
	switch a.text {
	case "kill":
		signal(syscall.SIGKILL)
		select {}
	case "stop":
		signal(syscall.SIGSTOP)
		// The signal reaches the whole process, but this thread may be the last
		// to notice. It must not run on meanwhile.
		time.Sleep(10 * time.Millisecond)
	case "panic":
		panic("failpoint " + name)
	default:
		time.Sleep(a.wait)
	}
}

func signal(s syscall.Signal) {
	if err := syscall.Kill(os.Getpid(), s); err != nil {
		panic(err)
	}
}
