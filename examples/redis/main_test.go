package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitalmux/vitalmux/examples/internal/command"
	"github.com/vitalmux/vitalmux/examples/internal/demo"
	"github.com/vitalmux/vitalmux/store"
	redisstore "github.com/vitalmux/vitalmux/store/redis"
	"github.com/vitalmux/vitalmux/store/redis/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// short leaves out what needs real servers.
func short(t *testing.T) bool {
	if testing.Short() {
		t.Log("left out by -short: it needs redis-server")
	}
	return testing.Short()
}

func TestDemoOnAServerOfItsOwn(t *testing.T) {
	if short(t) {
		return
	}
	o := options{Options: demo.Options{Users: 2, Days: 15, Seed: 1}, prefix: "demo:"}
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), o, strings.NewReader(""), &out))
	require.Contains(t, out.String(), "100 %")
	require.Contains(t, out.String(), "sleep   █ deep")
	require.Regexp(t, `[1-9]\d* changed, +[1-9]\d* deleted`, out.String())
	require.Regexp(t, `[1-9]\d* keys begin with demo:; they go with the server`, out.String())
}

// TestInterrupted says only of a server that stays that nothing is lost.
func TestInterrupted(t *testing.T) {
	require.NotContains(t, (&options{}).interrupted(), "goes on")
	require.Equal(t, command.GoesOn(), (&options{url: "redis://127.0.0.1:6379"}).interrupted())
}

func TestDemoGoesOnWhereItWas(t *testing.T) {
	if short(t) {
		return
	}
	server, err := redistest.Start(redistest.Config{})
	require.NoError(t, err)
	defer server.Close()
	o := options{
		Options: demo.Options{State: filepath.Join(t.TempDir(), "demo"), Users: 1, Days: 10, Seed: 1},
		url:     "redis://" + server.Addr(), prefix: "demo:",
	}
	var first, second bytes.Buffer
	require.NoError(t, run(t.Context(), o, strings.NewReader(""), &first))
	before := keys(t, server)
	require.NotEmpty(t, before)
	require.NoError(t, run(t.Context(), o, strings.NewReader(""), &second))
	require.Contains(t, second.String(), "Going on with")
	require.Contains(t, second.String(), "redis-cli --scan --pattern 'demo:*'")
	for key := range before {
		require.Contains(t, keys(t, server), key)
	}
}

func TestServerThatMayLoseDataIsRefused(t *testing.T) {
	if short(t) {
		return
	}
	server, err := redistest.Start(redistest.Config{Args: []string{"--appendonly", "no"}})
	require.NoError(t, err)
	defer server.Close()
	o := options{
		Options: demo.Options{State: filepath.Join(t.TempDir(), "demo"), Users: 1, Days: 3, Seed: 1},
		url:     "redis://" + server.Addr(), prefix: "demo:",
	}
	var out bytes.Buffer
	err = run(t.Context(), o, strings.NewReader(""), &out)
	require.ErrorIs(t, err, store.ErrUnsafe)
	require.ErrorContains(t, err, "appendonly")
	o.lossy = true
	require.NoError(t, run(t.Context(), o, strings.NewReader(""), &out))
	o.url = "http://user:password@127.0.0.1"
	err = run(t.Context(), o, strings.NewReader(""), &out)
	require.ErrorContains(t, err, "-redis-url")
	require.NotContains(t, err.Error(), "password")
}

// keys returns the identities of all records on the server.
func keys(t *testing.T, server *redistest.Server) map[string]bool {
	db, err := redisstore.Open(t.Context(), redisstore.Options{
		Redis: goredis.UniversalOptions{Addrs: []string{server.Addr()}}, Prefix: "demo:",
	})
	require.NoError(t, err)
	defer db.Close()
	all := make(map[string]bool)
	for r, err := range store.AllRecords(t.Context(), db, store.RecordQuery{User: demo.Names()[0], Deleted: true}) {
		require.NoError(t, err)
		all[string(r.Kind)+" "+r.Key] = true
	}
	return all
}
