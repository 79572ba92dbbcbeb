package redis_test

import (
	"context"
	"flag"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitalmux/vitalmux/store"
	redisstore "github.com/vitalmux/vitalmux/store/redis"
	"github.com/vitalmux/vitalmux/store/redis/redistest"
)

func TestMain(m *testing.M) {
	goredis.SetLogger(silence{}) // servers fail on purpose here
	// Most of a failover is waiting, whatever the machine has.
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

// short reports whether tests with real servers are left out.
func short(t *testing.T) bool {
	if testing.Short() {
		t.Log("left out by -short: it needs redis-server")
	}
	return testing.Short()
}

// start starts a server for the test.
func start(tb testing.TB, args ...string) *redistest.Server {
	tb.Helper()
	s, err := redistest.Start(redistest.Config{Args: args})
	require.NoError(tb, err)
	tb.Cleanup(s.Close)
	return s
}

// at returns options for the servers at the addresses.
func at(addrs ...string) redisstore.Options {
	return redisstore.Options{Redis: goredis.UniversalOptions{Addrs: addrs}}
}

// open opens a store for the test.
func open(tb testing.TB, o redisstore.Options) *redisstore.Store {
	tb.Helper()
	s, err := redisstore.Open(tb.Context(), o)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, s.Close()) })
	return s
}

var testNow = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

var _ store.Store = (*redisstore.Store)(nil)
