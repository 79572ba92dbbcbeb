package redis_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/store"
	redisstore "github.com/vitalmux/vitalmux/store/redis"
	"github.com/vitalmux/vitalmux/store/redis/redistest"
	"github.com/vitalmux/vitalmux/store/storetest"
)

// conform runs the conformance suite on some servers.
func conform(t *testing.T, o redisstore.Options, servers func() []*redistest.Server) {
	storetest.Run(t, storetest.Harness{
		TTL:       400 * time.Millisecond,
		Sequences: proof.N(2, 30),
		Fresh: func(tb testing.TB) {
			for _, s := range servers() {
				_, err := s.Do("FLUSHALL")
				require.NoError(tb, err)
			}
		},
		Open: func(tb testing.TB) store.Store {
			s, err := redisstore.Open(tb.Context(), o)
			require.NoError(tb, err)
			return s
		},
	})
}

func TestContractSingle(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	s := start(t)
	conform(t, at(s.Addr()), func() []*redistest.Server { return []*redistest.Server{s} })
}

func TestContractSentinel(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	if proof.WithoutRace(t) {
		return
	}
	s, err := redistest.StartSentinel(redistest.Config{DownAfter: time.Minute}, 1, 1)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	o := at(s.Addrs()...)
	o.Redis.MasterName = redistest.MasterName
	require.NoError(t, s.Failover()) // to whom clients do not look first
	require.NoError(t, s.Settled())
	conform(t, o, func() []*redistest.Server {
		master, err := s.Master()
		require.NoError(t, err)
		return []*redistest.Server{master}
	})
}

func TestContractCluster(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	if proof.WithoutRace(t) {
		return
	}
	c, err := redistest.StartCluster(redistest.Config{}, 3, false)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	conform(t, at(c.Addrs()...), func() []*redistest.Server { return c.Servers })
}
