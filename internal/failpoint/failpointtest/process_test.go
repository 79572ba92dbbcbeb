package failpointtest_test

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitalmux/vitalmux/internal/failpoint"
	"github.com/vitalmux/vitalmux/internal/failpoint/failpointtest"
)

func TestMain(m *testing.M) {
	entries := map[string]func() error{
		"three": func() error {
			for i := range 3 {
				fmt.Println("before", i)
				failpoint.Hit("middle")
				fmt.Println("after", i)
			}
			return nil
		},
		"fails": func() error { return errors.New("no luck with " + os.Getenv("WHAT")) },
		"waits": func() error {
			fmt.Println("ready")
			select {}
		},
	}
	if status, child := failpointtest.Enter(entries); child {
		os.Exit(status)
	}
	goleak.VerifyTestMain(m)
}

// lines runs the entry three to its end.
func lines(t *testing.T, failpoints string) ([]string, failpointtest.Exit) {
	p := failpointtest.Start(t, failpointtest.Config{Entry: "three", Failpoint: failpoints})
	var all []string
	for {
		line, ok := p.Line()
		if !ok {
			return all, p.Wait()
		}
		all = append(all, line)
	}
}

func TestFailpoints(t *testing.T) {
	whole := []string{"before 0", "after 0", "before 1", "after 1", "before 2", "after 2"}
	with := func(n int, line string) []string {
		all := append([]string{}, whole[:n]...)
		return append(append(all, line), whole[n:]...)
	}
	for _, c := range []struct {
		failpoints string
		lines      []string
		status     int
		signal     syscall.Signal
		stderr     string
	}{
		{failpoints: "", lines: whole},
		{failpoints: "elsewhere=kill", lines: whole},
		{failpoints: "middle=kill@4", lines: whole},
		{failpoints: "middle=kill", lines: with(1, "failpoint middle kill")[:2], status: -1, signal: syscall.SIGKILL},
		{failpoints: "middle=kill@3", lines: with(5, "failpoint middle kill")[:6], status: -1, signal: syscall.SIGKILL},
		{failpoints: "elsewhere=kill; middle=panic@2;", lines: with(3, "failpoint middle panic")[:4], status: 2, stderr: "panic: failpoint middle"},
		{failpoints: "middle=sleep:1ms@2", lines: with(3, "failpoint middle sleep:1ms")},
		{failpoints: "middle=sleep:1ms;middle=kill@2", lines: []string{
			"before 0", "failpoint middle sleep:1ms", "after 0", "before 1", "failpoint middle kill",
		}, status: -1, signal: syscall.SIGKILL},
		{failpoints: "middle", status: 2, stderr: `"middle" is not name=action[@n]`},
		{failpoints: "middle=kill@0", status: 2, stderr: "is not name=action[@n]"},
		{failpoints: "middle=die", status: 2, stderr: "no such action"},
		{failpoints: "middle=sleep:long", status: 2, stderr: "invalid duration"},
		{failpoints: "middle=kill;middle=stop", status: 2, stderr: "hit 1 of middle is there twice"},
	} {
		t.Run(c.failpoints, func(t *testing.T) {
			all, exit := lines(t, c.failpoints)
			require.Equal(t, c.lines, all)
			require.Equal(t, c.status, exit.Status)
			require.Equal(t, c.signal, exit.Signal)
			require.Contains(t, exit.Stderr, c.stderr)
		})
	}
}

func TestStopsAtFailpointUntilContinued(t *testing.T) {
	p := failpointtest.Start(t, failpointtest.Config{Entry: "three", Failpoint: "middle=stop@2"})
	p.WaitFor("failpoint middle stop")
	nothing := make(chan string, 1)
	go func() {
		line, _ := p.Line()
		nothing <- line
	}()
	select {
	case line := <-nothing:
		require.Fail(t, "the stopped child went on", line)
	case <-time.After(200 * time.Millisecond):
	}
	p.Continue()
	require.Equal(t, "after 1", <-nothing)
	require.Zero(t, p.Wait().Status)
}

func TestSignalsAtAnyMoment(t *testing.T) {
	p := failpointtest.Start(t, failpointtest.Config{Entry: "waits"})
	require.Empty(t, p.WaitFor("ready"))
	p.Stop()
	p.Continue()
	p.Kill()
	require.Equal(t, failpointtest.Exit{Status: -1, Signal: syscall.SIGKILL}, p.Wait())
	p.Kill() // nothing left to kill
}

func TestEntryThatFails(t *testing.T) {
	p := failpointtest.Start(t, failpointtest.Config{Entry: "fails", Env: []string{"WHAT=this"}})
	require.Equal(t, failpointtest.Exit{Status: 1, Stderr: "entry fails: no luck with this\n"}, p.Wait())

	p = failpointtest.Start(t, failpointtest.Config{Entry: "unknown"})
	require.Equal(t, failpointtest.Exit{Status: 1, Stderr: "entry unknown: no such entry\n"}, p.Wait())
}

// TestRunningChildIsEndedWithItsTest: goleak finds the reader otherwise.
func TestRunningChildIsEndedWithItsTest(t *testing.T) {
	var p *failpointtest.Process
	t.Run("inner", func(t *testing.T) {
		p = failpointtest.Start(t, failpointtest.Config{Entry: "waits"})
		p.WaitFor("ready")
	})
	require.Equal(t, syscall.SIGKILL, p.Wait().Signal)
}
