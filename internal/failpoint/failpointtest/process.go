package failpointtest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vitalmux/vitalmux/internal/failpoint"
)

// entryVariable names, in the environment, the entry that a child runs.
const entryVariable = "VITALMUX_CHILD"

// Enter runs the entry that this process was started for and returns its exit
// status: 0, or 1 with the error on standard error. It returns false in a
// process that was not started by [Start].
func Enter(entries map[string]func() error) (status int, child bool) {
	name := os.Getenv(entryVariable)
	if name == "" {
		return 0, false
	}
	entry := entries[name]
	if entry == nil {
		entry = func() error { return errors.New("no such entry") }
	}
	if err := entry(); err != nil {
		fmt.Fprintf(os.Stderr, "entry %s: %v\n", name, err)
		return 1, true
	}
	return 0, true
}

// Binary returns the path of the test binary of this package with failpoints.
// It is built once per test process, and put beside the test binary, which the
// go command removes with its folder.
func Binary(t testing.TB) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var binary = sync.OnceValues(func() (string, error) {
	self, err := os.Executable()
	if err != nil || failpoint.Enabled {
		return self, err
	}
	path := filepath.Join(filepath.Dir(self), "failpoints.test")
	build := exec.Command("go", "test", "-c", "-race=false", "-tags", "failpoints", "-o", path, ".")
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go test -c -tags failpoints: %w\n%s", err, output)
	}
	return path, nil
})

// Config says which child to start.
type Config struct {
	// Entry is one of the entries given to Enter.
	Entry string
	// Env is added to the environment, as "NAME=value".
	Env []string
	// Failpoint is the child's VITALMUX_FAILPOINT; the one of this process is
	// not passed on.
	Failpoint string
	// Timeout is how long WaitFor and Wait wait. 0 is one minute.
	Timeout time.Duration
}

// Process is a child process.
type Process struct {
	t       testing.TB
	cmd     *exec.Cmd
	entry   string
	timeout time.Duration
	lines   chan string
	stderr  strings.Builder
	done    chan struct{} // closed when the process has ended
}

// Exit says how a process ended: with an exit status, or by a signal.
type Exit struct {
	Status int            // -1 if a signal ended it
	Signal syscall.Signal // 0 if it ended by itself
	Stderr string
}

// Start starts a child. When the test ends, a child that still runs is killed.
func Start(t testing.TB, c Config) *Process {
	t.Helper()
	if c.Timeout <= 0 {
		c.Timeout = time.Minute
	}
	p := &Process{
		t: t, entry: c.Entry, timeout: c.Timeout, cmd: exec.Command(Binary(t)),
		lines: make(chan string, 1024), done: make(chan struct{}),
	}
	p.cmd.Env = append(os.Environ(), entryVariable+"="+c.Entry, "VITALMUX_FAILPOINT="+c.Failpoint)
	p.cmd.Env = append(p.cmd.Env, c.Env...)
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		t.Fatalf("child %s: %v", c.Entry, err)
	}
	abandoned := make(chan struct{})
	go p.read(out, abandoned)
	t.Cleanup(func() {
		close(abandoned)
		p.Kill()
		<-p.done
	})
	return p
}

// read passes the lines on until the process has ended. Lines of a test that
// is over are dropped.
func (p *Process) read(out io.Reader, abandoned <-chan struct{}) {
	defer close(p.done)
	defer close(p.lines)
	// The state of the process says what there is to say.
	defer func() { _ = p.cmd.Wait() }()
	for scan := bufio.NewScanner(out); scan.Scan(); {
		select {
		case p.lines <- scan.Text():
		case <-abandoned:
		}
	}
}

// Line returns the next line of standard output; false when the child has
// ended and there is none.
func (p *Process) Line() (string, bool) {
	p.t.Helper()
	select {
	case line, ok := <-p.lines:
		return line, ok
	case <-time.After(p.timeout):
		p.Kill()
		<-p.done
		p.t.Fatalf("child %s wrote nothing for %v\n%s", p.entry, p.timeout, p.stderr.String())
		return "", false
	}
}

// WaitFor reads lines up to one with the prefix and returns what follows the
// prefix. It fails the test if the child ends before.
func (p *Process) WaitFor(prefix string) string {
	p.t.Helper()
	for {
		line, ok := p.Line()
		if !ok {
			exit := p.Wait()
			p.t.Fatalf("child %s ended before the line %q: status %d, signal %d\n%s",
				p.entry, prefix, exit.Status, exit.Signal, exit.Stderr)
		}
		if rest, ok := strings.CutPrefix(line, prefix); ok {
			return strings.TrimSpace(rest)
		}
	}
}

// Kill ends the child with SIGKILL. It may have ended already.
func (p *Process) Kill() { p.Signal(syscall.SIGKILL) }

// Stop stops the child with SIGSTOP; Continue lets it go on.
func (p *Process) Stop() { p.Signal(syscall.SIGSTOP) }

// Continue sends SIGCONT, after Stop or after a failpoint with the action stop.
func (p *Process) Continue() {
	p.WaitStopped() // a SIGCONT before would be lost
	p.Signal(syscall.SIGCONT)
}

// WaitStopped waits until the child has stopped: a failpoint tells that it stops
// before it does, and other goroutines go on until then.
func (p *Process) WaitStopped() {
	for deadline := time.Now().Add(p.timeout); p.running(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Errorf("child %s does not stop", p.entry)
			return
		}
	}
}

// running reports whether the child is neither stopped nor gone, where the
// system tells: see proc_pid_stat(5).
func (p *Process) running() bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "T") && !strings.HasPrefix(state, "Z") && !strings.HasPrefix(state, "X")
}

// Signal sends any signal. It does nothing if the child has ended.
func (p *Process) Signal(s syscall.Signal) {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Errorf("child %s: signal %d: %v", p.entry, s, err)
	}
}

// Wait drops the remaining lines and returns how the child ended.
func (p *Process) Wait() Exit {
	p.t.Helper()
	for {
		if _, ok := p.Line(); !ok {
			break
		}
	}
	<-p.done
	exit := Exit{Status: p.cmd.ProcessState.ExitCode(), Stderr: p.stderr.String()}
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		exit.Signal = status.Signal()
	}
	return exit
}
