package redis_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/store"
	"github.com/vitalmux/vitalmux/store/redis/redistest"
)

// history makes batches of records whose keys are mostly in the order of their
// starts, as services number them, and sometimes not.
type history struct {
	random      *rand.Rand
	user        string
	first, last int // numbers given out so far
	begin, end  time.Time
	starts      map[int]time.Time
	order       int64
}

func newHistory(random *rand.Rand, user string) *history {
	middle := testNow.AddDate(-1, 0, 0)
	// Soon the numbers have another digit, and one more sorts as a text before others.
	return &history{random: random, user: user, first: 10_000, last: 10_000, begin: middle, end: middle, starts: map[int]time.Time{}}
}

// later numbers a record after all others. It may start before some of them, or
// when the last one does.
func (h *history) later() int {
	h.last += 1 + h.random.IntN(9)
	at := h.end.Add(time.Duration(max(0, h.random.IntN(900)-100)) * time.Second)
	if h.random.IntN(15) == 0 {
		at = h.end.Add(-time.Duration(h.random.IntN(1_000_000)) * time.Second)
	} else {
		h.end = at
	}
	h.starts[h.last] = at
	return h.last
}

// earlier numbers a record before all others.
func (h *history) earlier() int {
	h.first -= 1 + h.random.IntN(9)
	at := h.begin.Add(-time.Duration(max(0, h.random.IntN(900)-100)) * time.Second)
	if h.random.IntN(15) == 0 {
		at = h.begin.Add(time.Duration(h.random.IntN(1_000_000)) * time.Second)
	} else {
		h.begin = at
	}
	h.starts[h.first] = at
	return h.first
}

// record makes a record, or another version of one.
func (h *history) record(number int) health.Record {
	h.order++
	at, known := h.starts[number]
	if !known {
		at = h.begin.Add(time.Duration(h.random.Int64N(int64(h.end.Sub(h.begin)) + 1)))
	} else if h.random.IntN(8) == 0 {
		at = at.Add(time.Duration(h.random.IntN(2_000_000)-1_000_000) * time.Second) // it moves
	}
	h.starts[number] = at
	r := weight("c", fmt.Sprint(number), at, 60_000+h.random.Int64N(9))
	r.Rev.Order = h.order
	if h.random.IntN(20) == 0 {
		r.State, r.Values = health.StateDeleted, nil
	}
	return r
}

func (h *history) batch() store.Batch {
	page := store.Page{Stream: "measure", Key: "0"}
	n := 1 + h.random.IntN(1+h.random.IntN(400))
	way := h.random.IntN(4)
	for range n {
		switch {
		case way == 0 || way == 3 && h.random.IntN(2) == 0:
			page.Records = append(page.Records, h.record(h.later()))
		case way == 1:
			page.Records = append(page.Records, h.record(h.earlier()))
		default: // there, or between
			page.Records = append(page.Records, h.record(h.first+h.random.IntN(h.last-h.first+1)))
		}
	}
	if h.random.IntN(2) == 0 {
		h.random.Shuffle(n, func(i, j int) { page.Records[i], page.Records[j] = page.Records[j], page.Records[i] })
	}
	b := store.Batch{User: h.user, Connection: "c of " + h.user, Unfenced: true, Now: testNow, Cause: store.CauseLive, Pages: []store.Page{page}}
	if h.random.IntN(6) == 0 {
		from := h.begin.Add(time.Duration(h.random.Int64N(int64(h.end.Sub(h.begin)) + 1)))
		b.Absent = []store.Absent{{Stream: "measure", Window: health.Window{From: from, To: from.AddDate(0, 0, 1)}, Order: h.order}}
	}
	for i := range page.Records {
		page.Records[i].Connection = b.Connection
	}
	return b
}

// TestRecordsInLine compares with the store in memory what becomes of records
// whose keys are mostly in the order of their starts: each is found by its key,
// wherever it was, and wherever it is read from.
func TestRecordsInLine(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	if proof.WithoutRace(t) {
		return
	}
	seed := proof.Seed(t)
	s, memory := open(t, at(start(t).Addr())), store.NewMemory()
	for round := range proof.N(12, 400) {
		h := newHistory(rand.New(rand.NewPCG(seed, uint64(round))), fmt.Sprint("user ", round))
		q := store.RecordQuery{User: h.user, Deleted: true, Connections: []string{"c of " + h.user}, Kinds: []health.Kind{health.KindBody}}
		for step := range 25 {
			b := h.batch()
			want, err := memory.Commit(t.Context(), b)
			require.NoError(t, err)
			got, err := s.Commit(t.Context(), b)
			require.NoError(t, err)
			require.Equal(t, want, got, "round %d, step %d", round, step)
			q.Keys = []string{fmt.Sprint("measure/", h.first), fmt.Sprint("measure/", h.last)}
			require.Equal(t, recordsOf(t, memory, q), recordsOf(t, s, q), "round %d, step %d", round, step)
		}
		for some := range slices.Chunk(h.random.Perm(h.last-h.first+100), 150) {
			q.Keys = nil
			for _, n := range some {
				q.Keys = append(q.Keys, fmt.Sprint("measure/", h.first-50+n))
			}
			require.Equal(t, recordsOf(t, memory, q), recordsOf(t, s, q), "round %d", round)
		}
		q = store.RecordQuery{User: h.user, Deleted: true}
		require.Equal(t, recordsOf(t, memory, q), recordsOf(t, s, q), "round %d", round)
	}
}

// recordsOf reads all pages of a query.
func recordsOf(t *testing.T, from store.Reader, q store.RecordQuery) (list []health.Record) {
	for r, err := range store.AllRecords(t.Context(), from, q) {
		require.NoError(t, err)
		list = append(list, r)
	}
	return list
}

// TestLocatorHasStraysOnly: records that come in the order of their keys, or
// backwards as a backfill reads them, or at both ends, have nothing in the locator.
func TestLocatorHasStraysOnly(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	server := start(t)
	s := open(t, at(server.Addr()))
	const pages, each = 12, 300
	removed := weight("removed", "1", testNow, 60_000)
	removed.State, removed.Values, removed.Span = health.StateDeleted, nil, health.Span{}
	removed.Normalize()
	r, err := s.Commit(t.Context(), store.Batch{User: "u", Connection: "removed", Unfenced: true, Now: testNow, Cause: store.CauseLive,
		Pages: []store.Page{{Stream: "measure", Records: []health.Record{removed}}}})
	require.NoError(t, err)
	require.Equal(t, 1, r.Deleted)
	begin := testNow.AddDate(0, -1, 0)
	page := func(connection string, from int, key func(int) string) {
		p := store.Page{Stream: "measure", Key: fmt.Sprint(from)}
		for i := from; i < from+each; i++ {
			p.Records = append(p.Records, weight(connection, key(i), begin.Add(time.Duration(i)*time.Minute), 60_000))
		}
		r, err := s.Commit(t.Context(), store.Batch{User: "u", Connection: connection, Unfenced: true, Now: testNow, Cause: store.CauseLive, Pages: []store.Page{p}})
		require.NoError(t, err)
		require.Equal(t, each, r.Inserted)
	}
	number := func(i int) string { return fmt.Sprint(9000 + i) }
	for i := range pages {
		page("forwards", i*each, number)
		page("removed", i*each, number)
		page("backwards", (pages-1-i)*each, number)
		if i < pages/2 {
			page("both", (pages/2+i)*each, number)
			page("both", (pages/2-1-i)*each, number)
		}
		// Windows newest first, of two pages that are oldest first.
		page("windows", ((pages-2-i/2*2)+i%2)*each, number)
		page("none", i*each, func(i int) string { return fmt.Sprint(100_000 - i) })
	}
	page("none", pages*each, func(i int) string { return fmt.Sprint(100_000 + i) }) // and then it is in line again
	for connection, strays := range map[string]int64{"forwards": 0, "backwards": 0, "both": 0, "windows": 0, "removed": 1, "none": pages*each - 1} {
		require.Equal(t, strays, locatorOf(t, server, connection), connection)
		q := store.RecordQuery{User: "u", Connections: []string{connection}}
		records, found := pages*each, 5-1
		if connection == "none" {
			records, found = records+each, 1
		}
		require.Len(t, recordsOf(t, s, q), records)
		q.Kinds, q.Keys = []health.Kind{health.KindBody}, []string{"measure/9000", "measure/9999", "measure/10000", "measure/12599", "measure/12600", "measure/100000"}
		require.Len(t, recordsOf(t, s, q), found, connection)
	}
}

// locatorOf returns how many fields the locator of a connection has.
func locatorOf(t *testing.T, server *redistest.Server, connection string) int64 {
	for _, key := range do(t, server, "KEYS", "*").([]any) {
		if strings.HasSuffix(key.(string), ":x:"+connection) {
			return do(t, server, "HLEN", key.(string)).(int64)
		}
	}
	return 0
}

// TestSameStart: of records that start at once the keys sort as texts, not as
// numbers.
func TestSameStart(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	s := open(t, at(start(t).Addr()))
	commit := func(records ...health.Record) store.Result {
		r, err := s.Commit(t.Context(), store.Batch{User: "u", Connection: "c", Unfenced: true, Now: testNow, Cause: store.CauseLive,
			Pages: []store.Page{{Stream: "measure", Records: records}}})
		require.NoError(t, err)
		return r
	}
	q := store.RecordQuery{User: "u", Connections: []string{"c"}, Kinds: []health.Kind{health.KindBody}}
	for i, numbers := range [][]int{{12}, {13}, {11, 10}, {9, 8}, {98, 99, 100, 101}, {1000}, {7}, {999}} {
		for _, n := range numbers {
			require.Equal(t, 1, commit(weight("c", fmt.Sprint(n), testNow, 60_000)).Inserted, i)
			q.Keys = append(q.Keys, fmt.Sprint("measure/", n))
		}
		require.Len(t, recordsOf(t, s, q), len(q.Keys), i)
	}
	for i, key := range q.Keys {
		r := weight("c", strings.TrimPrefix(key, "measure/"), testNow.Add(time.Duration(i)*time.Hour), 61_000)
		r.Rev.Order = testNow.UnixMilli() + 1
		require.Equal(t, 1, commit(r).Revised, key)
	}
	require.Len(t, recordsOf(t, s, q), len(q.Keys))
}
