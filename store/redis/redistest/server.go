package redistest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// ErrMissing says that the redis-server binary is not there.
var ErrMissing = errors.New("no redis-server on the PATH: install Redis 6.2 or later (apt-get install redis-server, brew install redis)")

// patience is how long a server may take to do what is waited for.
const patience = time.Minute

// Config says how a server is started. The zero Config is a server that keeps
// what it acknowledges.
type Config struct {
	// Args are further settings as on the command line of redis-server, such as
	// "--maxmemory", "2mb". They override those of the package.
	Args []string
	// DownAfter is how long a master does not answer before Sentinel takes it
	// for dead; 0 is a second. A machine under load may hold servers for long.
	DownAfter time.Duration
}

// Server is one redis-server process.
type Server struct {
	dir  string
	port int
	args []string // without port and directory

	mu      sync.Mutex
	process *exec.Cmd
	exited  chan struct{} // closed when process has ended
}

// Start starts a server and waits until it answers.
func Start(c Config) (*Server, error) {
	return start(append([]string{
		"--save", "", "--appendonly", "yes", "--appendfsync", "always", "--no-appendfsync-on-rewrite", "no",
		"--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1",
	}, c.Args...), false)
}

// start starts a server on a free port. Somebody else may take the port first,
// so it tries a few. A server of a cluster also needs the port 10,000 above.
func start(args []string, cluster bool) (*Server, error) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		return nil, ErrMissing
	}
	var failed error
	for range 5 {
		port, err := freePort(cluster)
		if err != nil {
			return nil, err
		}
		dir, err := os.MkdirTemp("", "redistest")
		if err != nil {
			return nil, err
		}
		s := &Server{dir: dir, port: port, args: args}
		if failed = s.Restart(); failed == nil {
			return s, nil
		}
		s.Close()
	}
	return nil, failed
}

// freePort returns a port that nothing listens on.
func freePort(cluster bool) (int, error) {
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, err
		}
		port := l.Addr().(*net.TCPAddr).Port
		_ = l.Close()
		if !cluster {
			return port, nil
		}
		if port+10_000 > 65_535 {
			continue
		}
		bus, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port+10_000))
		if err != nil {
			continue
		}
		_ = bus.Close()
		return port, nil
	}
}

// Addr returns the address to connect to, as host:port.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// Restart starts a server that does not run, on its port and directory, and
// waits until it answers and has loaded its data.
func (s *Server) Restart() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		return errors.New("redistest: the server runs")
	}
	conf := filepath.Join(s.dir, "redis.conf")
	args := append([]string{conf, "--port", strconv.Itoa(s.port), "--dir", s.dir, "--logfile", filepath.Join(s.dir, "log"), "--bind", "127.0.0.1"}, s.args...)
	if len(s.args) == 0 || s.args[len(s.args)-1] != "--sentinel" {
		// Only Sentinel has a file of its own, which it rewrites.
		args = args[1:]
	} else {
		args = []string{conf, "--sentinel"}
	}
	cmd := exec.Command("redis-server", args...)
	cmd.SysProcAttr = processAttributes()
	if err := cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	s.process, s.exited = cmd, exited
	deadline := time.Now().Add(patience)
	for pause := time.Millisecond; ; pause = min(2*pause, 20*time.Millisecond) {
		_, err := s.Do("PING")
		var refused Refusal
		// A server with a password, or one that lacks replicas, answers as well.
		if err == nil || errors.As(err, &refused) && refused.Code() != "LOADING" {
			return nil
		}
		select {
		case <-exited:
			s.process = nil
			return fmt.Errorf("redistest: redis-server ended: %s", s.logged())
		case <-time.After(pause):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("redistest: redis-server does not answer: %w: %s", err, s.logged())
		}
	}
}

// logged returns the end of the log.
func (s *Server) logged() string {
	text, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-3):], []byte("; ")))
}

// Kill ends the process by SIGKILL and waits for its end. A server that does
// not run stays as it is.
func (s *Server) Kill() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return nil
	}
	err := s.process.Process.Kill()
	<-s.exited
	s.process = nil
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	return err
}

// Stop holds the process by SIGSTOP: its connections stay open and nothing is
// answered.
func (s *Server) Stop() error { return s.signal(syscall.SIGSTOP) }

// Cont lets a held process go on.
func (s *Server) Cont() error { return s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig os.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return os.ErrProcessDone
	}
	return s.process.Process.Signal(sig)
}

// RewriteAOF has the server write its append-only file anew, with nothing that was
// removed or replaced, and waits until the old one is gone.
func (s *Server) RewriteAOF() error {
	if _, err := s.Do("BGREWRITEAOF"); err != nil {
		return err
	}
	var info string
	if err := wait("the append-only file to be rewritten", func() bool {
		reply, err := s.Do("INFO", "persistence")
		info, _ = reply.(string)
		return err == nil && strings.Contains(info, "aof_rewrite_in_progress:0") && strings.Contains(info, "aof_rewrite_scheduled:0")
	}); err != nil {
		return err
	}
	if !strings.Contains(info, "aof_last_bgrewrite_status:ok") {
		return fmt.Errorf("redistest: the append-only file was not rewritten: %s", s.logged())
	}
	return nil
}

// offsets returns how far a master has written, and how far each of its
// replicas has copied that. It leaves out those that are sent nothing yet: one is
// online for its master while it still loads what was there before, and the
// master sends on when it has heard from it, which is once a second.
func (s *Server) offsets() (written int64, copied []int64, err error) {
	info, err := s.Do("INFO", "replication")
	if err != nil {
		return 0, nil, err
	}
	text, _ := info.(string)
	if !strings.Contains(text, "role:master") {
		return 0, nil, errors.New("redistest: no master")
	}
	for line := range strings.Lines(text) {
		if digits, ok := strings.CutPrefix(line, "master_repl_offset:"); ok {
			if written, err = strconv.ParseInt(strings.TrimSpace(digits), 10, 64); err != nil {
				return 0, nil, err
			}
		}
		_, rest, ok := strings.Cut(line, ",state=online,offset=")
		if !ok {
			continue
		}
		digits, _, _ := strings.Cut(rest, ",")
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil {
			return 0, nil, err
		}
		if n > 0 {
			copied = append(copied, n)
		}
	}
	return written, copied, nil
}

// Close kills the server and removes its directory.
func (s *Server) Close() {
	_ = s.Kill()
	_ = os.RemoveAll(s.dir)
}

// wait calls until, with pauses, until it reports true.
func wait(what string, until func() bool) error {
	deadline := time.Now().Add(patience)
	for !until() {
		if time.Now().After(deadline) {
			return fmt.Errorf("redistest: waited too long for %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return nil
}
