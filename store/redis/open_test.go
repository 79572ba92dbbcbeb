package redis_test

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/store"
	redisstore "github.com/vitalmux/vitalmux/store/redis"
	"github.com/vitalmux/vitalmux/store/redis/redistest"
)

// TestLossyServersAreRefused opens stores on servers that may lose what they
// acknowledged. The error names the setting.
func TestLossyServersAreRefused(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	s := start(t)
	set := func(name, value string) {
		_, err := s.Do("CONFIG", "SET", name, value)
		require.NoError(t, err)
	}
	cases := []struct{ setting, lossy, safe string }{
		{"appendonly", "no", "yes"},
		{"appendfsync", "everysec", "always"},
		{"appendfsync", "no", "always"},
		{"no-appendfsync-on-rewrite", "yes", "no"},
		{"maxmemory-policy", "allkeys-lru", "noeviction"},
		{"maxmemory-policy", "allkeys-random", "noeviction"},
		{"maxmemory-policy", "volatile-lru", "noeviction"},
		{"maxmemory-policy", "volatile-ttl", "noeviction"},
	}
	counts := proof.Counts{"settings": len(cases) + 1}
	proof.Row(t, "R15", counts)
	for _, c := range cases {
		set(c.setting, c.lossy)
		_, err := redisstore.Open(t.Context(), at(s.Addr()))
		require.ErrorIs(t, err, store.ErrUnsafe, c.lossy)
		require.ErrorContains(t, err, c.setting+" is \""+c.lossy+"\"")
		o := at(s.Addr())
		o.AssumeDurable = true // is not asked where CONFIG answers
		_, err = redisstore.Open(t.Context(), o)
		require.ErrorIs(t, err, store.ErrUnsafe, c.lossy)
		o.AllowLossy = true
		require.NoError(t, open(t, o).Close())
		set(c.setting, c.safe)
		require.NoError(t, open(t, at(s.Addr())).Close())
	}

	replica := start(t, "--replicaof", "127.0.0.1 "+strings.TrimPrefix(s.Addr(), "127.0.0.1:"))
	require.Eventually(t, func() bool {
		info, err := s.Do("INFO", "replication")
		text, _ := info.(string)
		return err == nil && strings.Contains(text, "state=online")
	}, 20*time.Second, 10*time.Millisecond)
	_, err := redisstore.Open(t.Context(), at(s.Addr()))
	require.ErrorIs(t, err, store.ErrUnsafe)
	require.ErrorContains(t, err, "min-replicas-to-write")
	set("min-replicas-to-write", "1")
	require.NoError(t, open(t, at(s.Addr())).Close())

	o := at(replica.Addr())
	o.Patience = -1
	_, err = redisstore.Open(t.Context(), o)
	require.ErrorIs(t, err, redisstore.ErrUnavailable)
	require.ErrorContains(t, err, "READONLY")
}

// TestForbiddenConfig opens a store where CONFIG is not permitted, as with
// managed servers.
func TestForbiddenConfig(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	for _, s := range []*redistest.Server{
		start(t, "--rename-command", "CONFIG", ""),
		start(t, "--user", "default", "on", "nopass", "~*", "&*", "+@all", "-config"),
	} {
		_, err := redisstore.Open(t.Context(), at(s.Addr()))
		require.ErrorIs(t, err, store.ErrUnsafe)
		require.ErrorContains(t, err, "AssumeDurable")
		o := at(s.Addr())
		o.AssumeDurable = true
		require.NoError(t, open(t, o).Close())
	}
}

func TestSchema(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	s := start(t)
	meta := "vitalmux:{index}:meta"
	a := open(t, at(s.Addr()))
	_, err := a.PutConnection(t.Context(), store.Connection{ID: "c", User: "ada", Provider: "p"})
	require.NoError(t, err)
	for _, tc := range []struct {
		do   []string
		want error
	}{
		{[]string{"HSET", meta, "schema", "2"}, store.ErrSchema},
		{[]string{"HSET", meta, "schema", "0"}, redisstore.ErrForeign},
		{[]string{"HSET", meta, "schema", "x"}, redisstore.ErrForeign},
		{[]string{"HDEL", meta, "schema"}, redisstore.ErrForeign},
		{[]string{"HSET", meta, "schema", "1"}, nil},
		{[]string{"HSET", meta, "secret", "short"}, redisstore.ErrForeign},
		{[]string{"DEL", meta}, nil}, // new
		{[]string{"SET", meta, "text"}, redisstore.ErrForeign},
	} {
		_, err := s.Do(tc.do...)
		require.NoError(t, err)
		b, err := redisstore.Open(t.Context(), at(s.Addr()))
		require.ErrorIs(t, err, tc.want, "%q", tc.do)
		if err == nil {
			require.NoError(t, b.Close())
		}
	}
	o := at(s.Addr())
	o.Prefix = "other:"
	other := open(t, o)
	list, err := other.Connections(t.Context(), store.ConnectionQuery{})
	require.NoError(t, err)
	require.Empty(t, list)
	o.Prefix = "bad{"
	_, err = redisstore.Open(t.Context(), o)
	require.ErrorIs(t, err, store.ErrInvalid)
}

func TestMissingServer(t *testing.T) {
	o := at("127.0.0.1:1")
	o.Patience = -1
	_, err := redisstore.Open(t.Context(), o)
	require.ErrorIs(t, err, redisstore.ErrUnavailable)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	o.Patience = time.Hour
	_, err = redisstore.Open(ctx, o)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	if short(t) {
		return
	}
	_, err = exec.LookPath("redis-server")
	require.NoError(t, err, redistest.ErrMissing)
}

func TestParseURL(t *testing.T) {
	o, err := redisstore.ParseURL("redis://ada:secret@localhost:6380/3")
	require.NoError(t, err)
	require.Equal(t, []any{[]string{"localhost:6380"}, "ada", "secret", 3}, []any{o.Addrs, o.Username, o.Password, o.DB})
	o, err = redisstore.ParseURL("rediss://localhost:1?addr=localhost:2&addr=localhost:3")
	require.NoError(t, err)
	require.Len(t, o.Addrs, 3)
	require.True(t, o.IsClusterMode)
	require.NotNil(t, o.TLSConfig)
	for _, bad := range []string{"", "http://ada:secret@localhost", "redis://ada:secret@localhost:port", "redis://ada:secret@localhost?no=1&addr=x", "redis://h/secret"} {
		_, err := redisstore.ParseURL(bad)
		require.ErrorIs(t, err, store.ErrInvalid, bad)
		require.NotContains(t, err.Error(), "secret")
	}
}
