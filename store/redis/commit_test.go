package redis_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
	redisstore "github.com/vitalmux/vitalmux/store/redis"
	"github.com/vitalmux/vitalmux/store/redis/redistest"
)

// turns counts how often a connection sends after it received: round trips.
type turns struct {
	net.Conn
	n    *atomic.Int64
	sent atomic.Bool
}

func (c *turns) Write(b []byte) (int, error) {
	if !c.sent.Swap(true) {
		c.n.Add(1)
	}
	return c.Conn.Write(b)
}

func (c *turns) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.sent.Store(false)
	}
	return n, err
}

// openCounted opens a store that counts its round trips.
func openCounted(t *testing.T, s *redistest.Server, n *atomic.Int64) *redisstore.Store {
	o := at(s.Addr())
	o.Redis.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		return &turns{Conn: conn, n: n}, err
	}
	return open(t, o)
}

// TestRoundTrips counts what a page of 1,000 records costs.
func TestRoundTrips(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	var n atomic.Int64
	s := openCounted(t, start(t), &n)
	batches := scaleBatches(3, false)
	commit := func(b store.Batch) store.Result {
		r, err := s.Commit(t.Context(), b)
		require.NoError(t, err)
		return r
	}
	commit(batches[0]) // also claims the connection
	trips := func(b store.Batch) (store.Result, int64) {
		before := n.Load()
		r := commit(b)
		return r, n.Load() - before
	}

	// What is there of the scope, heads and the contents that change, the
	// commit, and the list of those who told something.
	r, count := trips(batches[1])
	require.Equal(t, benchPage, r.Inserted)
	require.EqualValues(t, 4, count, "new records")

	// Keys that are not after all others have to be looked for, and so does
	// what is in the chunks they come to.
	between := store.Page{Stream: "measure", Key: "between"}
	for i := range benchPage {
		r := batches[0].Pages[0].Records[i]
		r.Key += "a"
		r.Span.Start = health.At(testNow.AddDate(-3, 0, 0).Add(time.Duration(i)*10*time.Minute + time.Second))
		between.Records = append(between.Records, r)
	}
	// The keys are longer than all that are there: these are new.
	b := batches[0]
	b.Pages = []store.Page{between}
	r, count = trips(b)
	require.Equal(t, benchPage, r.Inserted)
	require.EqualValues(t, 4, count, "new keys between old records")
	r, count = trips(batches[2])
	require.Equal(t, benchPage, r.Inserted)
	require.EqualValues(t, 6, count, "keys before the last one")

	for _, b := range batches {
		r, count = trips(b)
		require.Equal(t, benchPage, r.Unchanged)
		require.EqualValues(t, 2, count, "the same")
	}
	for i := range batches {
		batches[i].Pages[0].Digest = uint64(i + 1)
		commit(batches[i])
		r, count = trips(batches[i])
		require.Equal(t, 1, r.SkippedPages)
		require.EqualValues(t, 1, count, "by digest")
	}
}

// TestManyChunks compares with the store in memory what becomes of records whose
// keys have no order, and whose starts move between chunks.
func TestManyChunks(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	const seed = 7
	rnd := rand.New(rand.NewPCG(seed, seed))
	s, memory := open(t, at(start(t).Addr())), store.NewMemory()
	key := func() string {
		switch rnd.IntN(3) {
		case 0:
			return strconv.Itoa(rnd.IntN(3000)) // of one to four digits
		case 1:
			return fmt.Sprintf("%x", rnd.IntN(1500))
		}
		return "manual-" + strconv.Itoa(rnd.IntN(500))
	}
	var keys []string
	for round := range 30 {
		b := store.Batch{User: "u", Connection: "c", Unfenced: true, Now: testNow, Cause: store.CauseLive}
		for p := range 2 {
			page := store.Page{Stream: "measure", Key: fmt.Sprint(p)}
			for range rnd.IntN(200) + 1 {
				r := weight("c", key(), testNow.AddDate(0, 0, -rnd.IntN(900)), 60_000+rnd.Int64N(3))
				r.Rev.Order = int64(round)
				if rnd.IntN(20) == 0 {
					r.State, r.Values = health.StateDeleted, nil
				}
				page.Records = append(page.Records, r)
				keys = append(keys, r.Key)
			}
			b.Pages = append(b.Pages, page)
		}
		want, err := memory.Commit(t.Context(), b)
		require.NoError(t, err)
		got, err := s.Commit(t.Context(), b)
		require.NoError(t, err)
		require.Equal(t, want, got, "seed %d, round %d", seed, round)
	}
	q := store.RecordQuery{User: "u", Deleted: true}
	want := recordsOf(t, memory, q)
	require.Greater(t, len(want), 1000)
	require.Equal(t, want, recordsOf(t, s, q))
	slices.Sort(keys)
	keys = slices.Compact(keys)
	rnd.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	q.Connections, q.Kinds = []string{"c"}, []health.Kind{health.KindBody}
	for some := range slices.Chunk(keys, 100) {
		q.Keys = some
		require.Equal(t, recordsOf(t, memory, q), recordsOf(t, s, q))
	}
}
