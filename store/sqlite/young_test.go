package sqlite

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

// TestYoungRows commits few records at a time until some are settled. What is
// young and what is settled is compared, read, changed, missed and removed
// alike, and no statement looks through all records for it.
func TestYoungRows(t *testing.T) {
	s, _ := groupStore(t)
	ctx := t.Context()
	young := func(is int) (n int) {
		require.NoError(t, s.read(ctx, func(c *conn) error {
			_, err := c.one(ctx, func(r row) { n = int(r.int(0)) }, "SELECT count(*) FROM record WHERE young = "+strconv.Itoa(is))
			return err
		}))
		return n
	}
	const each = manyRows - 1
	commit := func(connection string, keys ...string) store.Result {
		res, err := s.Commit(ctx, groupBatch("ann", connection, keys...))
		require.NoError(t, err)
		return res
	}
	connections := []string{"a", "b"}
	keys := map[string][]string{}
	for n := range settleFrom/each + 4 {
		connection := connections[n%2]
		var some []string
		for i := range each {
			some = append(some, fmt.Sprintf("%05d", n+100*i))
		}
		require.Equal(t, store.Result{Inserted: each}, commit(connection, some...))
		require.Equal(t, store.Result{Unchanged: each}, commit(connection, some...))
		keys[connection] = append(keys[connection], some...)
	}
	require.NotZero(t, young(0))
	require.NotZero(t, young(1))
	require.Less(t, young(1), settleFrom)
	before := young(1)
	many := make([]string, manyRows)
	for i := range many {
		many[i] = fmt.Sprintf("x%d", i)
	}
	commit("other", many...)
	require.Equal(t, before, young(1), "many rows are never young")

	for _, connection := range connections {
		list := keys[connection]
		require.Equal(t, store.Result{Unchanged: len(list)}, commit(connection, list...))
		var got []string
		for q := (store.RecordQuery{User: "ann", Connections: []string{connection}, Limit: 170}); ; {
			page, err := s.Records(ctx, q)
			require.NoError(t, err)
			for i := range page.Records {
				got = append(got, strings.TrimPrefix(page.Records[i].Key, "measure/"))
			}
			if q.After = page.Next; q.After == "" {
				break
			}
		}
		slices.Sort(list)
		require.Equal(t, list, got)
	}

	list := keys["a"]
	changed := groupBatch("ann", "a", list...)
	for i := range changed.Pages[0].Records {
		r := &changed.Pages[0].Records[i]
		r.Values[0].Number = health.Int(71)
		r.Span.Start = health.At(groupNow.Add(time.Duration(i) * time.Second))
		r.Rev.Order++
	}
	res, err := s.Commit(ctx, changed)
	require.NoError(t, err)
	require.Equal(t, store.Result{Revised: len(list)}, res)

	gone := groupBatch("ann", "a")
	gone.Pages = nil
	gone.Absent = []store.Absent{{
		Stream: "measure", Window: health.Window{From: groupNow, To: groupNow.Add(time.Hour)},
		Keys: map[health.Kind][]string{health.KindBody: {"measure/" + list[0]}}, Order: groupNow.UnixMilli() + 2,
	}}
	res, err = s.Commit(ctx, gone)
	require.NoError(t, err)
	require.Equal(t, len(list)-1, res.Deleted)

	e, err := s.Erase(ctx, "ann")
	require.NoError(t, err)
	require.Equal(t, len(keys["a"])+len(keys["b"])+len(many), e.Records)
	require.Zero(t, young(0)+young(1))
	requireIndexed(t, s)
}

// TestSettle has rows settle that lie next to each other, that lie far apart, and
// that another store of the file wrote.
func TestSettle(t *testing.T) {
	for _, c := range []struct {
		name  string
		query string
		apart func(t *testing.T, s *Store, path string) *Store
	}{
		{"next to each other", settleRun, func(_ *testing.T, s *Store, _ string) *Store { return s }},
		{"far apart", settleRows, func(t *testing.T, s *Store, _ string) *Store {
			many := make([]string, 2*settleFrom)
			for i := range many {
				many[i] = fmt.Sprintf("m%04d", i)
			}
			_, err := s.Commit(t.Context(), groupBatch("ann", "other", many...))
			require.NoError(t, err)
			return s
		}},
		{"of another store", settleRun, func(t *testing.T, _ *Store, path string) *Store {
			other, err := Open(t.Context(), path, nil)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, other.Close()) })
			return other
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, path := groupStore(t)
			_, err := s.Commit(t.Context(), groupBatch("ann", "first", numbered(manyRows)...))
			require.NoError(t, err)
			keys := numbered(settleFrom + manyRows)
			commit := func(s *Store, keys []string) {
				for some := range slices.Chunk(keys, manyRows-1) {
					_, err := s.Commit(t.Context(), groupBatch("ann", "c", some...))
					require.NoError(t, err)
				}
			}
			commit(s, keys[:settleFrom/2])
			last := c.apart(t, s, path)
			commit(last, keys[settleFrom/2:])
			require.Contains(t, settling(t, last), c.query)
			young, first, known := 0, int64(0), int64(0)
			require.NoError(t, last.write(t.Context(), func(x *tx) error {
				known = last.writer.firstYoung
				_, err := x.one(t.Context(), func(r row) { young, first = int(r.int(0)), r.int(1) },
					"SELECT count(*), min(id) FROM record WHERE young = 1")
				return err
			}))
			require.NotZero(t, young)
			require.Less(t, young, 2*manyRows)
			require.Equal(t, first, known)
			res, err := s.Commit(t.Context(), groupBatch("ann", "c", keys...))
			require.NoError(t, err)
			require.Equal(t, store.Result{Unchanged: len(keys)}, res)
		})
	}
}

// TestSettleAfterAFailure has the transaction fail with which rows would settle
// that lie far apart: the next, without new rows, does not look for them.
func TestSettleAfterAFailure(t *testing.T) {
	s, _ := groupStore(t)
	ctx := t.Context()
	commit := func(keys ...string) error {
		_, err := s.Commit(ctx, groupBatch("ann", "c", keys...))
		return err
	}
	require.NoError(t, commit("first"))
	_, err := s.Commit(ctx, groupBatch("ann", "other", numbered(3*settleFrom)...))
	require.NoError(t, err)
	for some := range slices.Chunk(numbered(settleFrom-2), manyRows-1) {
		require.NoError(t, commit(some...))
	}
	require.EqualValues(t, settleFrom-1, s.writer.young)
	require.NoError(t, s.write(ctx, func(x *tx) error {
		prepared := x.stmts[tellChanges]
		x.raw = &faultyConn{rawConn: x.raw, query: tellChanges, armed: true}
		delete(x.stmts, tellChanges)
		return prepared.Close()
	}))
	require.ErrorContains(t, commit("last"), "disk I/O error")

	update := groupBatch("ann", "c", "first")
	r := &update.Pages[0].Records[0]
	r.Rev.Order++
	r.Values[0].Number = health.Int(71)
	res, err := s.Commit(ctx, update)
	require.NoError(t, err)
	require.Equal(t, store.Result{Revised: 1}, res)
	require.Empty(t, settling(t, s))
	require.NoError(t, commit("last"))
	require.Equal(t, []string{settleRows}, settling(t, s))
}

// settling returns the statements with which rows were settled.
func settling(t *testing.T, s *Store) (queries []string) {
	t.Helper()
	require.NoError(t, s.write(t.Context(), func(x *tx) error {
		for _, query := range []string{settleRows, settleRun} {
			if x.stmts[query] != nil {
				queries = append(queries, query)
			}
		}
		return nil
	}))
	return queries
}

func numbered(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("%05d", i)
	}
	return keys
}

// requireIndexed has SQLite explain all statements that the store prepared so
// far. One by stream that leaves out young would look through all records.
func requireIndexed(t *testing.T, s *Store) {
	t.Helper()
	var steps []string
	explain := func(c *conn) error {
		for _, query := range slices.Collect(maps.Keys(c.stmts)) {
			if !strings.Contains(query, "record") {
				continue
			}
			args := make([]any, strings.Count(query, "?"))
			if err := c.each(t.Context(), func(r row) error {
				steps = append(steps, r.text(3))
				return nil
			}, "EXPLAIN QUERY PLAN "+query, args...); err != nil {
				return err
			}
		}
		return nil
	}
	for range cap(s.readers.lent) {
		c, err := s.readers.take(t.Context())
		require.NoError(t, err)
		defer s.readers.give(c)
		require.NoError(t, explain(c))
	}
	require.NoError(t, s.write(t.Context(), func(x *tx) error { return explain(x.conn) }))
	require.NotEmpty(t, steps)
	for _, step := range steps {
		require.NotRegexp(t, `^SCAN (record|r)$|^SEARCH (record|r) USING AUTOMATIC`, step)
	}
}
