package asynq_test

import (
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/store"
	"github.com/vitalmux/vitalmux/store/redis/redistest"
)

// again makes everybody due.
func (w *ward) again(t *testing.T) {
	t.Helper()
	for _, id := range w.connections {
		require.NoError(t, w.store.SetDue(t.Context(), store.Due{Connection: id, Task: "sync", At: time.Now()}))
	}
}

// TestQueuesOnACluster has the queues of several fleets on a Cluster: each is in
// a slot of its own.
func TestQueuesOnACluster(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	cluster, err := redistest.StartCluster(redistest.Config{}, 3, false)
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	client := connect(t, cluster.Addrs()...)
	for _, name := range []string{"a", "b", "c"} {
		w := newWardOn(t, client, 3)
		w.Name, w.Unique = name, time.Minute
		stop := w.run(t)
		eventually(t, "nothing is due", func() bool { return w.settled(t) })
		stop()
		for _, queue := range []string{name + "-live", name + "-backfill"} {
			require.Equal(t, 3, w.queue(t, queue).ProcessedTotal, queue)
		}
	}
}

// TestQueuesAfterAFailover has Sentinel make another server the master, planned
// and after the master died, while a fleet runs. What the queues lose thereby
// is still due.
func TestQueuesAfterAFailover(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	servers, err := redistest.StartSentinel(redistest.Config{}, 1, 1)
	require.NoError(t, err)
	t.Cleanup(servers.Close)
	client := goredis.NewUniversalClient(&goredis.UniversalOptions{Addrs: servers.Addrs(), MasterName: redistest.MasterName})
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	w := newWardOn(t, client, 3)
	stop := w.run(t)
	eventually(t, "nothing is due", func() bool { return w.settled(t) })

	w.again(t)
	require.NoError(t, servers.Failover())
	require.NoError(t, servers.Settled())
	eventually(t, "nothing is due after a planned failover", func() bool { return w.settled(t) })

	w.again(t)
	old, err := servers.Master()
	require.NoError(t, err)
	require.NoError(t, old.Kill())
	require.NoError(t, servers.Failover())
	require.NoError(t, old.Restart())
	require.NoError(t, servers.Settled())
	w.again(t)
	eventually(t, "nothing is due after the master died", func() bool { return w.settled(t) })
	stop()
}
