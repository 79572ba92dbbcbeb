package sqlite_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
	sqlitestore "github.com/vitalmux/vitalmux/store/sqlite"
)

// TestUnchangedTakesNoLock commits while another connection has the write lock.
func TestUnchangedTakesNoLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := open(t, path, &sqlitestore.Options{BusyTimeout: 10 * time.Millisecond})
	same := batchOf(weight("1", testNow, 70_000), weight("2", testNow, 71_000))
	_, err := s.Commit(t.Context(), same)
	require.NoError(t, err)

	db, err := sql.Open("sqlite", "file:"+path)
	require.NoError(t, err)
	defer db.Close()
	c, err := db.Conn(t.Context())
	require.NoError(t, err)
	defer c.Close()
	_, err = c.ExecContext(t.Context(), "BEGIN IMMEDIATE")
	require.NoError(t, err)
	res, err := s.Commit(t.Context(), same)
	require.NoError(t, err)
	require.Equal(t, store.Result{Unchanged: 2}, res)
	_, err = s.Commit(t.Context(), batchOf(weight("3", testNow, 70_000)))
	require.ErrorIs(t, err, store.ErrBusy)
	_, err = c.ExecContext(t.Context(), "ROLLBACK")
	require.NoError(t, err)
}

// TestSparsePages commits pages whose keys lie far apart in the stream, with
// many stored keys between, in an order that is not that of the keys.
func TestSparsePages(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "store.db"), nil)
	at := testNow.AddDate(-1, 0, 0)
	var all []health.Record
	for i := range 5000 {
		all = append(all, weight(fmt.Sprintf("%05d", i), at.Add(time.Duration(i)*time.Minute), 70_000))
	}
	_, err := s.Commit(t.Context(), batchOf(all...))
	require.NoError(t, err)
	var some []health.Record
	for i := 4990; i >= 0; i -= 499 {
		some = append(some, all[i])
	}
	changed := all[2500]
	changed.Values = []health.Value{{Metric: health.MetricBodyWeight, Number: health.Int(80)}}
	changed.Rev.Order++
	some = append(some, changed, weight("02500-new", at, 70_000))
	res, err := s.Commit(t.Context(), batchOf(some...))
	require.NoError(t, err)
	require.Equal(t, store.Result{Inserted: 1, Revised: 1, Unchanged: len(some) - 2}, res)
	page, err := s.Records(t.Context(), store.RecordQuery{
		User: "u1", Connections: []string{"c1"}, Kinds: []health.Kind{health.KindBody}, Keys: []string{"measure/02500", "measure/none", "other/02500"},
	})
	require.NoError(t, err)
	require.Len(t, page.Records, 1)
	require.Equal(t, changed.Values, page.Records[0].Values)
}

// TestOneStart reads pages of records that all start at the same time, in many
// streams.
func TestOneStart(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "store.db"), nil)
	want := 0
	for stream := range 110 {
		b := store.Batch{User: "u1", Connection: "c1", Unfenced: true, Now: testNow, Cause: store.CauseLive}
		name := fmt.Sprintf("s%03d", stream)
		p := store.Page{Stream: name}
		for i := range 4 {
			r := weight("x", testNow.Add(time.Duration(i/3)*time.Second), 70_000)
			r.Key = fmt.Sprintf("%s/%d", name, 3-i)
			p.Records = append(p.Records, r)
			want++
		}
		b.Pages = []store.Page{p}
		_, err := s.Commit(t.Context(), b)
		require.NoError(t, err)
	}
	for _, limit := range []int{1, 150, 1000} {
		var got []string
		q := store.RecordQuery{User: "u1", Limit: limit}
		for {
			page, err := s.Records(t.Context(), q)
			require.NoError(t, err)
			require.LessOrEqual(t, len(page.Records), limit)
			for i := range page.Records {
				got = append(got, fmt.Sprint(page.Records[i].Span.Start.SortMilli(), page.Records[i].Key))
			}
			if q.After = page.Next; page.Next == "" {
				break
			}
			if limit == 1 && len(got) > 5 {
				break
			}
		}
		require.IsIncreasing(t, got)
		if limit > 1 {
			require.Len(t, got, want)
		}
	}
}

// TestReadersAndWriters reads pages while commits go on.
func TestReadersAndWriters(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "store.db"), nil)
	done := make(chan error, 1)
	go func() {
		for n := range 100 {
			b := childBatch("c", n)
			if _, err := s.Commit(t.Context(), b); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for running := true; running; {
		select {
		case err := <-done:
			require.NoError(t, err)
			running = false
		default:
		}
		page, err := s.Records(t.Context(), store.RecordQuery{User: "u-c", Limit: 10_000})
		require.NoError(t, err)
		require.Zero(t, len(page.Records)%6, "a commit is seen by halves")
	}
	checkChild(t, s, "c", 100)
}

func TestMergeKeepsStickyValues(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "store.db"), nil)
	first := weight("1", testNow, 70_000)
	first.Values = append(first.Values, health.Value{Metric: "terra_sleep_score", Number: health.Int(80), Flags: health.FlagSticky})
	first.Normalize()
	second := weight("1", testNow, 71_000)
	second.Rev.Order++
	for _, r := range []health.Record{first, second} {
		_, err := s.Commit(t.Context(), batchOf(r))
		require.NoError(t, err)
	}
	page, err := s.Records(t.Context(), store.RecordQuery{User: "u1"})
	require.NoError(t, err)
	want, _, _ := health.Merge(&first, &second)
	want.Texts, want.Segments, want.Series = page.Records[0].Texts, page.Records[0].Segments, page.Records[0].Series
	require.Equal(t, want, page.Records[0])
	res, err := s.Commit(t.Context(), batchOf(first))
	require.NoError(t, err)
	require.Equal(t, store.Result{Stale: 1}, res)
}
