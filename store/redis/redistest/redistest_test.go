package redistest_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitalmux/vitalmux/store/redis/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// short leaves out what needs real servers.
func short(t *testing.T) bool {
	if testing.Short() {
		t.Log("left out by -short")
	}
	return testing.Short()
}

func TestKillAndRestart(t *testing.T) {
	if short(t) {
		return
	}
	s, err := redistest.Start(redistest.Config{Args: []string{"--maxmemory", "100mb"}})
	require.NoError(t, err)
	defer s.Close()
	_, err = s.Do("SET", "k", "a\r\nb")
	require.NoError(t, err)
	require.Error(t, s.Restart(), "it runs")
	require.NoError(t, s.Kill())
	require.NoError(t, s.Kill())
	_, err = s.Do("PING")
	require.Error(t, err)
	require.Error(t, s.Stop())
	require.NoError(t, s.Restart())
	got, err := s.Do("GET", "k")
	require.NoError(t, err)
	require.Equal(t, "a\r\nb", got)
	require.NoError(t, s.Stop())
	require.NoError(t, s.Cont())
	_, err = s.Do("INCR", "k")
	require.Error(t, err)
	var refused redistest.Refusal
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "ERR", refused.Code())
	reply, err := s.Do("CONFIG", "GET", "maxmemory")
	require.NoError(t, err)
	require.Equal(t, []any{"maxmemory", "104857600"}, reply)
}

func TestRewriteAOF(t *testing.T) {
	if short(t) {
		return
	}
	dir := t.TempDir()
	s, err := redistest.Start(redistest.Config{Args: []string{"--dir", dir, "--rdbcompression", "no"}})
	require.NoError(t, err)
	defer s.Close()
	for _, do := range [][]string{{"SET", "k", "what was removed"}, {"SET", "k", "what is there"}} {
		_, err := s.Do(do...)
		require.NoError(t, err)
	}
	content := func() (all string) {
		require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			all += string(text)
			return err
		}))
		return all
	}
	require.Contains(t, content(), "what was removed")
	require.NoError(t, s.RewriteAOF())
	require.NotContains(t, content(), "what was removed")
	require.Contains(t, content(), "what is there")
	require.NoError(t, s.Kill())
	require.Error(t, s.RewriteAOF())
}

func TestBadSettings(t *testing.T) {
	if short(t) {
		return
	}
	_, err := redistest.Start(redistest.Config{Args: []string{"--no-such-setting", "1"}})
	require.ErrorContains(t, err, "redis-server ended")
}

func TestSentinelFailover(t *testing.T) {
	if short(t) {
		return
	}
	s, err := redistest.StartSentinel(redistest.Config{}, 1, 1)
	require.NoError(t, err)
	defer s.Close()
	require.Len(t, s.Addrs(), 1)
	first, err := s.Master()
	require.NoError(t, err)
	require.Same(t, s.Servers[0], first)
	_, err = first.Do("SET", "k", "v")
	require.NoError(t, err)
	require.Eventually(t, func() bool { // the copy is made after the answer
		have, err := s.Servers[1].Do("GET", "k")
		return err == nil && have == "v"
	}, 30*time.Second, 10*time.Millisecond)
	require.NoError(t, s.Failover())
	second, err := s.Master()
	require.NoError(t, err)
	require.NotSame(t, first, second)
	got, err := second.Do("GET", "k")
	require.NoError(t, err)
	require.Equal(t, "v", got)
	require.NoError(t, s.Settled())
}

func TestCluster(t *testing.T) {
	if short(t) {
		return
	}
	c, err := redistest.StartCluster(redistest.Config{}, 3, false)
	require.NoError(t, err)
	defer c.Close()
	require.Len(t, c.Addrs(), 3)
	moved := 0
	for _, s := range c.Servers {
		if _, err := s.Do("SET", "k", "v"); err != nil {
			require.True(t, strings.HasPrefix(err.Error(), "MOVED "), err)
			moved++
		}
	}
	require.Equal(t, 2, moved)
}
