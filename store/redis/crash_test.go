package redis_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/store"
	redisstore "github.com/vitalmux/vitalmux/store/redis"
	"github.com/vitalmux/vitalmux/store/redis/redistest"
)

func weight(connection, key string, at time.Time, grams int64) health.Record {
	r := health.Record{
		Connection: connection, Kind: health.KindBody, Key: "measure/" + key,
		Span:   health.Span{Start: health.At(at), Day: health.DayOf(at), Zone: health.ZoneFromRecord, Location: "Europe/Berlin"},
		Source: health.Source{Provider: "withings", Path: health.PathDirect, Device: "Body+"},
		Rev:    health.Rev{Order: at.UnixMilli(), Mapping: 1},
		Method: health.MethodSensed,
		Values: []health.Value{{Metric: health.MetricBodyWeight, Number: health.Decimal{Coefficient: grams, Exponent: -3}}},
	}
	r.Normalize()
	return r
}

const recordsEach = 5

// numbered is commit n of a writer: five records and a point, and a cursor that
// counts commits.
func numbered(writer string, n int) store.Batch {
	at := testNow.AddDate(-1, 0, 0).Add(time.Duration(n) * time.Minute)
	b := store.Batch{
		User: "user of " + writer, Connection: writer, Unfenced: true, Now: testNow, Cause: store.CauseLive,
		Pages:   []store.Page{{Stream: "measure"}},
		Cursors: []store.CursorSwap{{Old: counter(writer, n-1), New: counter(writer, n)}},
	}
	for i := range recordsEach - 1 {
		b.Pages[0].Records = append(b.Pages[0].Records,
			weight(writer, fmt.Sprintf("%d-%d", n, i), at.Add(time.Duration(i)*time.Second), int64(70_000+n)))
	}
	b.Pages[0].Records = append(b.Pages[0].Records, health.Record{
		Connection: writer, Kind: health.KindSamples, Key: fmt.Sprintf("measure/samples-%d", n),
		Span: health.Span{Start: health.At(at), Day: health.DayOf(at)}, Rev: health.Rev{Order: at.UnixMilli()},
		Series: []health.Series{{
			Metric: health.MetricHeartRate, From: at.UnixMilli(), To: at.UnixMilli() + 60_000,
			Times: []int64{at.UnixMilli()}, Values: []int64{int64(60 + n%40)},
		}},
	})
	return b
}

func counter(connection string, n int) store.Cursor {
	c := store.Cursor{Connection: connection, Stream: "measure", Lane: store.LaneLive}
	if n > 0 {
		c.HighWater = strconv.Itoa(n)
	}
	return c
}

// writer commits one number after the other, in one connection.
type writer struct {
	name    string
	acked   int // the newest commit that was acknowledged
	total   int // all that were
	rewinds int // times that the store was found behind what was acknowledged
	lost    int // commits that were acknowledged and not there any more
	all     *atomic.Int64
}

// position reads where the store stands.
func (w *writer) position(ctx context.Context, s store.Store) (int, error) {
	c, err := s.Cursor(ctx, w.name, "measure", store.LaneLive)
	if err != nil || c.HighWater == "" {
		return 0, err
	}
	return strconv.Atoi(c.HighWater)
}

// found notes that the store stands at n, which may be behind what was
// acknowledged.
func (w *writer) found(n int) {
	if n < w.acked {
		w.rewinds++
		w.lost += w.acked - n
		w.acked = n
	}
}

// run commits until the context ends, from where the store stands.
func (w *writer) run(ctx context.Context, s store.Store) error {
	for ctx.Err() == nil {
		n, err := w.position(ctx, s)
		if err != nil {
			continue // the servers are down for longer than the store's patience
		}
		w.found(n)
		for ctx.Err() == nil {
			r, err := s.Commit(ctx, numbered(w.name, n+1))
			if errors.Is(err, redisstore.ErrUnavailable) || errors.Is(err, store.ErrConflict) || ctx.Err() != nil {
				break // where does the store stand?
			}
			if err != nil {
				return err
			}
			if r.Inserted+r.Unchanged != recordsEach {
				return fmt.Errorf("commit %d: %+v", n+1, r)
			}
			n++
			w.acked, w.total = n, w.total+1
			w.all.Add(1)
		}
	}
	return nil
}

// end looks where the store stands after a failover that may have come after the
// writer's last commit.
func (w *writer) end(t *testing.T, s store.Store) {
	t.Helper()
	n, err := w.position(t.Context(), s)
	require.NoError(t, err)
	w.found(n)
}

// check reads all that the writer's commits wrote: everything up to the cursor
// and nothing by halves.
func (w *writer) check(t *testing.T, s store.Store) {
	t.Helper()
	n, err := w.position(t.Context(), s)
	require.NoError(t, err)
	require.GreaterOrEqual(t, n, w.acked, "an acknowledged commit of %s is gone", w.name)
	user, count := "user of "+w.name, map[string]int{}
	for r, err := range store.AllRecords(t.Context(), s, store.RecordQuery{User: user}) {
		require.NoError(t, err)
		count[r.Key]++
	}
	require.Len(t, count, recordsEach*n, "records of %s", w.name)
	points := 0
	for run, err := range store.AllSamples(t.Context(), s, store.SampleQuery{User: user, Metric: health.MetricHeartRate}) {
		require.NoError(t, err)
		points += run.Series.Len()
	}
	require.Equal(t, n, points)
}

// told reads the whole feed: each record was told once.
func told(t *testing.T, s store.Store, writers []*writer) {
	t.Helper()
	seen := map[string]int{}
	for {
		list, err := s.Changes(t.Context(), "reader", 0)
		require.NoError(t, err)
		if len(list) == 0 {
			break
		}
		var last []store.Position
		for _, c := range list {
			seen[c.Connection+" "+c.Key]++
			last = append(last, c.Position)
		}
		require.NoError(t, s.Ack(t.Context(), "reader", last...))
	}
	want := 0
	for _, w := range writers {
		n, err := w.position(t.Context(), s)
		require.NoError(t, err)
		want += recordsEach * n
	}
	require.Len(t, seen, want)
	for key, n := range seen {
		require.Equal(t, 1, n, key)
	}
}

// load runs writers until the returned function is called, which waits for
// them. The test fails if one ends before.
func load(t *testing.T, s store.Store, n int) (writers []*writer, all *atomic.Int64, stop func()) {
	all = &atomic.Int64{}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for i := range n {
		w := &writer{name: fmt.Sprint("writer-", i), all: all}
		writers = append(writers, w)
		running.Go(func() {
			if err := w.run(ctx, s); err != nil {
				t.Errorf("%s ended: %v", w.name, err)
			}
		})
	}
	stop = func() {
		cancel()
		running.Wait()
	}
	t.Cleanup(stop)
	return writers, all, stop
}

// more waits until so many more commits are acknowledged.
func more(t *testing.T, all *atomic.Int64, n int64) {
	t.Helper()
	until := all.Load() + n
	require.Eventually(t, func() bool { return all.Load() >= until || t.Failed() }, time.Minute, time.Millisecond)
	require.False(t, t.Failed(), "a writer ended")
}

// TestKilled kills the server under load, at random moments: what was
// acknowledged is there, and nothing is there by halves.
func TestKilled(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	random := rand.New(rand.NewPCG(proof.Seed(t), 0))
	kills := proof.N(20, 200)
	counts := proof.Counts{"kills": kills}
	proof.Row(t, "R16", counts)
	server := start(t)
	s := open(t, at(server.Addr()))
	writers, all, stop := load(t, s, 3)
	for range kills {
		more(t, all, 1+random.Int64N(20))
		require.NoError(t, server.Kill())
		require.NoError(t, server.Restart())
	}
	more(t, all, 10)
	stop()
	for _, w := range writers {
		require.Zero(t, w.rewinds)
		w.check(t, s)
		counts["commits"] += w.total
	}
	told(t, s, writers)
}

// TestSentinelFailovers fails over under load: planned, by killing the master,
// and by stopping it, after which it goes on as if it were the master still.
// Redis replicates after it acknowledges, so commits may be lost; what is there
// is whole, nothing is missing below a cursor, and each loss is seen.
func TestSentinelFailovers(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	failovers := proof.N(6, 100)
	counts := proof.Counts{"failovers": failovers}
	proof.Row(t, "R17", counts)
	servers, err := redistest.StartSentinel(redistest.Config{}, 1, 1)
	require.NoError(t, err)
	t.Cleanup(servers.Close)
	o := at(servers.Addrs()...)
	o.Redis.MasterName = redistest.MasterName
	o.Patience = time.Minute
	s := open(t, o)
	writers, all, stop := load(t, s, 3)
	for i := range failovers {
		more(t, all, 20)
		old, err := servers.Master()
		require.NoError(t, err)
		switch i % 3 {
		case 0:
			require.NoError(t, servers.Failover())
		case 1:
			require.NoError(t, old.Kill())
		case 2:
			require.NoError(t, old.Stop())
		}
		require.Eventually(t, func() bool {
			now, err := servers.Master()
			return err == nil && now != old
		}, time.Minute, 10*time.Millisecond)
		switch i % 3 {
		case 1:
			require.NoError(t, old.Restart())
		case 2:
			require.NoError(t, old.Cont())
		}
		require.NoError(t, servers.Settled())
	}
	more(t, all, 20)
	stop()
	for _, w := range writers {
		w.end(t, s)
		w.check(t, s)
		counts["commits"] += w.total
		counts["commits lost and noticed"] += w.lost
	}
	told(t, s, writers)
}

// TestClusterFailovers kills masters of a Cluster under load: nothing is missing
// below a cursor, and what is there is whole.
func TestClusterFailovers(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	cluster, err := redistest.StartCluster(redistest.Config{}, 3, true)
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	o := at(cluster.Addrs()...)
	o.Patience = time.Minute
	s := open(t, o)
	writers, all, stop := load(t, s, 6)
	for i := range proof.N(4, 50) {
		more(t, all, 30)
		require.NoError(t, cluster.KillMaster(i%3))
	}
	more(t, all, 30)
	stop()
	for _, w := range writers {
		w.end(t, s)
		w.check(t, s)
	}
}

// TestReshardedInbox has the slot of the deliveries on its way to another node,
// while some of its keys are not there yet. A call is refused before it has
// written anything, and has its whole effect afterwards.
func TestReshardedInbox(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	cluster, err := redistest.StartCluster(redistest.Config{}, 2, false)
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	ctx := t.Context()
	s := open(t, hasty(cluster.Addrs()...))
	_, err = s.PutConnection(ctx, store.Connection{ID: "c", User: "u", Provider: "p", UpstreamID: "account"})
	require.NoError(t, err)
	delivery := func(id string, status store.DeliveryStatus) store.Delivery {
		return store.Delivery{ID: id, Endpoint: "p", Subject: "account", Received: testNow, Status: status, Body: []byte(id)}
	}
	for _, id := range []string{"settled", "waits", "whole", "erased"} {
		_, err := s.PutDelivery(ctx, delivery(id, store.DeliveryParked))
		require.NoError(t, err)
	}
	require.NoError(t, s.Assign(ctx, "settled", store.Assignment{})) // now there are keys of all but the orders of other states

	small := delivery("small", store.DeliveryNew)
	small.Body = nil
	calls := []func() error{
		func() error { _, err := s.PutDelivery(ctx, small); return err },
		func() error { _, err := s.PutDelivery(ctx, delivery("new", store.DeliveryUrgent)); return err },
		func() error { return s.UpdateDelivery(ctx, delivery("waits", store.DeliveryNew)) },
		func() error {
			part := small
			part.ID, part.Status = "part", store.DeliveryPart
			return s.Assign(ctx, "whole", store.Assignment{Rest: []store.Delivery{part}})
		},
		func() error { _, err := s.Erase(ctx, "u"); return err },
	}
	slot := fmt.Sprint(do(t, cluster.Servers[0], "CLUSTER", "KEYSLOT", "vitalmux:{inbox}:order"))
	from, to := cluster.Servers[0], cluster.Servers[1]
	if do(t, from, "CLUSTER", "COUNTKEYSINSLOT", slot) == int64(0) {
		from, to = to, from
	}
	inbox := func() map[string]string {
		all := dump(t, from)
		maps.DeleteFunc(all, func(key, _ string) bool { return !strings.Contains(key, "{inbox}") })
		return all
	}
	before := inbox()
	require.NotEmpty(t, before)
	do(t, to, "CLUSTER", "SETSLOT", slot, "IMPORTING", fmt.Sprint(do(t, from, "CLUSTER", "MYID")))
	do(t, from, "CLUSTER", "SETSLOT", slot, "MIGRATING", fmt.Sprint(do(t, to, "CLUSTER", "MYID")))
	for i, call := range calls {
		require.ErrorIs(t, call(), redisstore.ErrUnavailable, "call %d", i)
		require.Equal(t, before, inbox(), "call %d", i)
	}
	do(t, from, "CLUSTER", "SETSLOT", slot, "STABLE")
	do(t, to, "CLUSTER", "SETSLOT", slot, "STABLE")
	for i, call := range calls {
		require.NoError(t, call(), "call %d", i)
	}
	ids := func(status store.DeliveryStatus) (ids []string) {
		list, err := s.Deliveries(ctx, store.DeliveryQuery{Status: status})
		require.NoError(t, err)
		for _, d := range list {
			ids = append(ids, d.ID)
		}
		return ids
	}
	require.ElementsMatch(t, []string{"small", "waits"}, ids(store.DeliveryNew))
	require.ElementsMatch(t, []string{"new"}, ids(store.DeliveryUrgent))
	require.ElementsMatch(t, []string{"part"}, ids(store.DeliveryPart))
	require.Empty(t, ids(store.DeliveryParked))
}

// TestReshard moves the slot of a user to another node under load.
func TestReshard(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	cluster, err := redistest.StartCluster(redistest.Config{}, 2, false)
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	s := open(t, at(cluster.Addrs()...))
	writers, all, stop := load(t, s, 4)
	more(t, all, 40)
	keys, err := cluster.Servers[0].Do("KEYS", "*:k")
	require.NoError(t, err)
	for range proof.N(3, 100) {
		for _, key := range keys.([]any) {
			require.NoError(t, cluster.MoveKey(key.(string)))
		}
		more(t, all, 20)
	}
	stop()
	for _, w := range writers {
		require.Zero(t, w.rewinds)
		w.check(t, s)
	}
	told(t, s, writers)
}
