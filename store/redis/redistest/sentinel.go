package redistest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// MasterName is the name under which Sentinel knows the master.
const MasterName = "redistest"

// Sentinel is a master with replicas that Sentinels watch.
type Sentinel struct {
	// Servers are the master, which is the first in the beginning, and its
	// replicas.
	Servers []*Server
	// Sentinels watch them. A majority decides.
	Sentinels []*Server
}

// StartSentinel starts a master, some replicas and some Sentinels, and waits
// until all know each other. The servers refuse writes while no replica
// follows (min-replicas-to-write 1); Config.Args may say otherwise.
func StartSentinel(c Config, replicas, sentinels int) (_ *Sentinel, err error) {
	s := &Sentinel{}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	c.Args = append([]string{"--min-replicas-to-write", "1", "--min-replicas-max-lag", "10"}, c.Args...)
	for i := range 1 + replicas {
		own := Config{Args: slices.Clone(c.Args)}
		if i > 0 {
			own.Args = append(own.Args, "--replicaof", "127.0.0.1 "+fmt.Sprint(s.Servers[0].port))
		}
		server, err := Start(own)
		if err != nil {
			return nil, err
		}
		s.Servers = append(s.Servers, server)
	}
	for range sentinels {
		server, err := startSentinel(s.Servers[0].port, sentinels/2+1, c.DownAfter)
		if err != nil {
			return nil, err
		}
		s.Sentinels = append(s.Sentinels, server)
	}
	return s, s.Settled()
}

func startSentinel(master, quorum int, downAfter time.Duration) (*Server, error) {
	if downAfter <= 0 {
		downAfter = time.Second
	}
	port, err := freePort(false)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "redistest")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, port: port, args: []string{"--sentinel"}}
	conf := fmt.Sprintf(`port %d
bind 127.0.0.1
dir %s
logfile %s
sentinel monitor %s 127.0.0.1 %d %d
sentinel down-after-milliseconds %s %d
sentinel failover-timeout %s 3000
`, port, dir, filepath.Join(dir, "log"), MasterName, master, quorum, MasterName, downAfter.Milliseconds(), MasterName)
	err = os.WriteFile(filepath.Join(dir, "redis.conf"), []byte(conf), 0o600)
	if err == nil {
		err = s.Restart()
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	// A Sentinel asks each server every 10 seconds what it is, and knows of no
	// replica before. It has an old master follow the new one after four times
	// the pause between its greetings, which is 2 seconds. If it was held up
	// itself it does nothing for 30 seconds. Redis 6.2 cannot be told to be
	// quicker; it is only slower.
	_, err = s.Do("SENTINEL", "DEBUG", "info-period", "200", "publish-period", "200", "tilt-period", "1000")
	var refused Refusal
	if err != nil && !errors.As(err, &refused) {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Addrs returns the addresses of the Sentinels.
func (s *Sentinel) Addrs() []string {
	var list []string
	for _, server := range s.Sentinels {
		list = append(list, server.Addr())
	}
	return list
}

// Master returns the server that the first Sentinel names as the master.
func (s *Sentinel) Master() (*Server, error) {
	reply, err := s.Sentinels[0].Do("SENTINEL", "get-master-addr-by-name", MasterName)
	if err != nil {
		return nil, err
	}
	if pair, ok := reply.([]any); ok && len(pair) == 2 {
		for _, server := range s.Servers {
			if fmt.Sprint(pair[1]) == fmt.Sprint(server.port) {
				return server, nil
			}
		}
	}
	return nil, errors.New("redistest: Sentinel names no master of ours")
}

// Failover asks for a planned failover, again if Sentinel gives one up, and waits
// until another server is the master.
func (s *Sentinel) Failover() error {
	old, err := s.Master()
	if err != nil {
		return err
	}
	if err := wait("a failover", func() bool {
		now, err := s.Master()
		if err != nil || now != old {
			return err == nil
		}
		// It refuses while one is under way, or while it knows of no replica.
		_, _ = s.Sentinels[0].Do("SENTINEL", "failover", MasterName)
		return false
	}); err != nil {
		return fmt.Errorf("%w: %s", err, s.Sentinels[0].logged())
	}
	return nil
}

// Settled waits until there is a master that all other running servers get what
// it writes from, and the Sentinels know them.
func (s *Sentinel) Settled() error {
	return wait("the replicas to follow", func() bool {
		master, err := s.Master()
		if err != nil {
			return false
		}
		running := 0
		for _, server := range s.Servers {
			server.mu.Lock()
			if server.process != nil {
				running++
			}
			server.mu.Unlock()
		}
		if _, copied, err := master.offsets(); err != nil || len(copied) != running-1 {
			return false
		}
		for _, sentinel := range s.Sentinels {
			reply, err := sentinel.Do("SENTINEL", "replicas", MasterName)
			list, _ := reply.([]any)
			if err != nil || len(list) < running-1 {
				return false
			}
		}
		return true
	})
}

// Copied waits until so many replicas have what the master has written until
// now.
func (s *Sentinel) Copied(replicas int) error {
	master, err := s.Master()
	if err != nil {
		return err
	}
	written, _, err := master.offsets()
	if err != nil {
		return err
	}
	return wait("the replicas to follow", func() bool {
		_, copied, err := master.offsets()
		have := slices.DeleteFunc(copied, func(offset int64) bool { return offset < written })
		return err == nil && len(have) == replicas
	})
}

// Close ends all servers.
func (s *Sentinel) Close() {
	for _, server := range slices.Concat(s.Sentinels, s.Servers) {
		server.Close()
	}
}
