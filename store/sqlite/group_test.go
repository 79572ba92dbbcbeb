package sqlite

import (
	"bytes"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

var groupNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func groupStore(t *testing.T) (*Store, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "store.db")
	s, err := Open(t.Context(), path, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s, path
}

func groupBatch(user, connection string, keys ...string) store.Batch {
	b := store.Batch{
		User: user, Connection: connection, Unfenced: true, Now: groupNow, Cause: store.CauseLive,
		Pages: []store.Page{{Stream: "measure"}},
	}
	for _, key := range keys {
		r := health.Record{
			Connection: connection, Kind: health.KindBody, Key: "measure/" + key,
			Span:   health.Span{Start: health.At(groupNow), Day: health.DayOf(groupNow)},
			Source: health.Source{Provider: "withings", Path: health.PathDirect},
			Rev:    health.Rev{Order: groupNow.UnixMilli(), Mapping: 1},
			Values: []health.Value{{Metric: health.MetricBodyWeight, Number: health.Int(70)}},
		}
		r.Normalize()
		b.Pages[0].Records = append(b.Pages[0].Records, r)
	}
	return b
}

// together makes calls that the writer takes into one transaction: it is held
// up until all of them wait.
func together(t *testing.T, s *Store, calls ...func() error) []error {
	t.Helper()
	begun, end := make(chan struct{}), make(chan struct{})
	held := make(chan error, 1)
	go func() {
		held <- s.writer.do(&job{fn: func(*tx) error {
			close(begun)
			<-end
			return nil
		}})
	}()
	<-begun
	errs := make([]error, len(calls))
	done := make(chan int)
	for i, call := range calls {
		go func() {
			errs[i] = call()
			done <- i
		}()
		for s.writer.waiting() <= i {
			runtime.Gosched()
		}
	}
	close(end)
	require.NoError(t, <-held)
	for range calls {
		<-done
	}
	return errs
}

// TestRefusedInAGroup refuses a call that made names before it was refused: they
// went with it, and nothing is filed under them later.
func TestRefusedInAGroup(t *testing.T) {
	s, _ := groupStore(t)
	ctx := t.Context()
	_, err := s.PutConnection(ctx, store.Connection{ID: "first", User: "ann", Provider: "withings", UpstreamID: "same"})
	require.NoError(t, err)
	errs := together(t, s,
		func() error {
			_, err := s.PutConnection(ctx, store.Connection{ID: "second", User: "bob", Provider: "withings", UpstreamID: "same"})
			return err
		},
		func() error { return s.SetDue(ctx, store.Due{Connection: "first", Task: "poll", At: groupNow}) },
	)
	require.ErrorIs(t, errs[0], store.ErrConflict)
	require.NoError(t, errs[1])

	for _, who := range []string{"bob", "eve"} {
		_, err = s.Commit(ctx, groupBatch(who, map[string]string{"bob": "second", "eve": "third"}[who], who+"1", who+"2"))
		require.NoError(t, err)
	}
	for _, who := range []string{"bob", "eve"} {
		page, err := s.Records(ctx, store.RecordQuery{User: who})
		require.NoError(t, err)
		require.Len(t, page.Records, 2, who)
		for i := range page.Records {
			require.Contains(t, page.Records[i].Key, who)
		}
	}
}

// TestGreaterKeys commits keys behind the greatest one known, which are taken to
// be new without a look, in two stores of one file: what the other store brought
// is found nevertheless.
func TestGreaterKeys(t *testing.T) {
	one, path := groupStore(t)
	other, err := Open(t.Context(), path, nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, other.Close()) }()
	commit := func(s *Store, keys ...string) store.Result {
		res, err := s.Commit(t.Context(), groupBatch("ann", "c", keys...))
		require.NoError(t, err)
		return res
	}
	require.Equal(t, 2, commit(one, "10", "30").Inserted)
	require.Equal(t, 2, commit(one, "30", "31").Inserted+commit(one, "20", "31").Inserted, "of 30, 31, 20 and 31")
	require.Equal(t, 2, commit(other, "40", "50").Inserted)
	res := commit(one, "31", "40", "45", "50", "60")
	require.Equal(t, store.Result{Inserted: 2, Unchanged: 3}, res)
	res = commit(other, "60", "70")
	require.Equal(t, store.Result{Inserted: 1, Unchanged: 1}, res)

	errs := together(t, one,
		func() error { _, err := one.Commit(t.Context(), groupBatch("ann", "c", "80")); return err },
		func() error { _, err := one.Commit(t.Context(), groupBatch("ann", "c", "80", "90")); return err },
		func() error { _, err := one.Commit(t.Context(), groupBatch("bob", "d", "80")); return err },
	)
	require.Equal(t, []error{nil, nil, nil}, errs)
	require.Equal(t, 2, commit(one, "80", "90").Unchanged)
	page, err := one.Records(t.Context(), store.RecordQuery{User: "ann"})
	require.NoError(t, err)
	require.Len(t, page.Records, 11)
}

// TestNumbersAfterRelink numbers records on from the number that a relink took:
// the feed tells all of them once.
func TestNumbersAfterRelink(t *testing.T) {
	s, _ := groupStore(t)
	ctx := t.Context()
	for _, id := range []string{"old", "new"} {
		_, err := s.PutConnection(ctx, store.Connection{ID: id, User: "ann", Provider: "withings"})
		require.NoError(t, err)
	}
	// The first commit defines the shape that the others share.
	_, err := s.Commit(ctx, groupBatch("eve", "e", "0"))
	require.NoError(t, err)
	relink := groupBatch("ann", "new", "2", "3")
	relink.Predecessor = "old"
	errs := together(t, s,
		func() error { _, err := s.Commit(ctx, groupBatch("ann", "old", "1")); return err },
		func() error { _, err := s.Commit(ctx, relink); return err },
		func() error { _, err := s.Commit(ctx, groupBatch("bob", "c", "4", "5")); return err },
	)
	require.Equal(t, []error{nil, nil, nil}, errs)
	_, err = s.Commit(ctx, groupBatch("bob", "c", "6"))
	require.NoError(t, err)
	var ids []int64
	require.NoError(t, s.read(ctx, func(c *conn) error {
		return c.each(ctx, func(r row) error {
			ids = append(ids, r.int(0))
			return nil
		}, "SELECT id FROM record ORDER BY id")
	}))
	require.Equal(t, []int64{1, 2, 3, 4, 6, 7, 8}, ids)
}

// TestEraseAmongOthers erases a person whose records lie between those of others
// and were changed since: no page keeps what it once held.
func TestEraseAmongOthers(t *testing.T) {
	s, path := groupStore(t)
	ctx := t.Context()
	for round := range 30 {
		for _, who := range []string{"ann", "CANARY", "bob"} {
			var keys []string
			for i := range 7 {
				keys = append(keys, fmt.Sprintf("%s-%d-%03d", who, i*i%11, round))
			}
			b := groupBatch(who, "c-"+who, keys...)
			for i := range b.Pages[0].Records {
				b.Pages[0].Records[i].Texts = []health.Text{{Name: "notes", Value: fmt.Sprintf("%s %d %d", who, round, i)}}
			}
			_, err := s.Commit(ctx, b)
			require.NoError(t, err)
		}
	}
	_, err := s.Erase(ctx, "CANARY")
	require.NoError(t, err)
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(path + suffix)
		require.NoError(t, err)
		require.Zero(t, bytes.Count(content, []byte("CANARY")), "%q", suffix)
	}
	require.NoError(t, s.read(ctx, func(c *conn) error {
		return c.each(ctx, func(r row) error {
			require.Equal(t, "ok", r.text(0))
			return nil
		}, "PRAGMA integrity_check")
	}))
}

// TestEraseAfterATrim: what the feed keeps of the records of a connection that was
// deleted is what its changes name, so that it goes with them.
func TestEraseAfterATrim(t *testing.T) {
	s, path := groupStore(t)
	ctx := t.Context()
	at := func(hour int) time.Time { return groupNow.Add(time.Duration(hour) * time.Hour) }
	commit := func(user, key string, hour int) {
		b := groupBatch(user, "c-"+user, key)
		b.Now = at(hour)
		b.Pages[0].Records[0].Rev.Order += int64(hour)
		b.Pages[0].Records[0].Values[0].Number.Coefficient += int64(hour)
		_, err := s.Commit(ctx, b)
		require.NoError(t, err)
	}
	commit("CANARY", "one", 0)
	commit("bob", "one", 1)
	commit("CANARY", "two", 2)
	commit("CANARY", "one", 10)
	commit("bob", "one", 11)
	dropped, err := s.TrimChanges(ctx, at(5))
	require.NoError(t, err)
	require.Equal(t, 3, dropped)
	require.NoError(t, s.DeleteConnection(ctx, "c-CANARY", true))
	require.NoError(t, s.ResetConsumer(ctx, "app"))
	ghosts := func() (keys []string) {
		require.NoError(t, s.read(ctx, func(c *conn) error {
			return c.each(ctx, func(r row) error { keys = append(keys, r.text(0)); return nil }, "SELECT key FROM ghost")
		}))
		return keys
	}
	require.Equal(t, []string{"measure/one"}, ghosts())
	_, err = s.Erase(ctx, "CANARY")
	require.NoError(t, err)
	require.Empty(t, ghosts())
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(path + suffix)
		require.NoError(t, err)
		require.Zero(t, bytes.Count(content, []byte("CANARY")), "%q", suffix)
	}
}

// TestAbsenceForgetsDigests: a page that is committed with a tombstone for
// absence is looked at again.
func TestAbsenceForgetsDigests(t *testing.T) {
	s, _ := groupStore(t)
	ctx := t.Context()
	b := groupBatch("ann", "c", "1", "2")
	_, err := s.Commit(ctx, b)
	require.NoError(t, err)
	b = groupBatch("ann", "c", "1")
	b.Pages[0].Key, b.Pages[0].Digest = "all", 7
	b.Absent = []store.Absent{{
		Stream: "measure", Window: health.Window{From: groupNow.Add(-time.Hour), To: groupNow.Add(time.Hour)},
		Keys: map[health.Kind][]string{health.KindBody: {"measure/1"}}, Order: groupNow.UnixMilli() + 1,
	}}
	res, err := s.Commit(ctx, b)
	require.NoError(t, err)
	require.Equal(t, 1, res.Deleted)
	b.Absent = nil
	res, err = s.Commit(ctx, b)
	require.NoError(t, err)
	require.Zero(t, res.SkippedPages)
}

// TestReaderThatStays has another program read for long: to empty the log is
// given up, and the writer is not kept waiting for it.
func TestReaderThatStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s, err := Open(t.Context(), path, &Options{BusyTimeout: time.Minute})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	_, err = s.Commit(t.Context(), groupBatch("ann", "c", "1"))
	require.NoError(t, err)
	reader, err := s.bridge.open(s.dsn)
	require.NoError(t, err)
	require.NoError(t, reader.script(t.Context(), "BEGIN; SELECT count(*) FROM record"))
	_, err = s.Commit(t.Context(), groupBatch("ann", "c", "2"))
	require.NoError(t, err)

	began := time.Now()
	require.NoError(t, s.writer.check.truncate(0))
	_, err = s.Commit(t.Context(), groupBatch("ann", "c", "3"))
	require.NoError(t, err)
	require.Less(t, time.Since(began), 30*time.Second)
	info, err := os.Stat(path + "-wal")
	require.NoError(t, err)
	require.NotZero(t, info.Size(), "the reader still needs it")

	require.NoError(t, reader.script(t.Context(), "COMMIT"))
	require.NoError(t, s.bridge.close(reader))
	require.NoError(t, s.writer.check.truncate(time.Minute))
	info, err = os.Stat(path + "-wal")
	require.NoError(t, err)
	require.Zero(t, info.Size())
}

// tombstone is a batch that deletes the record with the key.
func tombstone(user, connection, key string) store.Batch {
	b := groupBatch(user, connection, key)
	r := &b.Pages[0].Records[0]
	r.Values, r.State = nil, health.StateDeleted
	r.Rev.Order++
	r.Normalize()
	return b
}

// faultyConn does once what SQLite does where the disk fails under a statement:
// it rolls the transaction back, and goes on without one.
// https://sqlite.org/lang_transaction.html#response_to_errors_within_a_transaction
type faultyConn struct {
	rawConn
	query string
	armed bool
}

type faultyStmt struct {
	rawStmt
	conn *faultyConn
}

func (c *faultyConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	s, err := c.rawConn.PrepareContext(ctx, query)
	if err != nil || query != c.query {
		return s, err
	}
	return &faultyStmt{s.(rawStmt), c}, nil
}

func (s *faultyStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if err := s.fail(ctx); err != nil {
		return nil, err
	}
	return s.rawStmt.QueryContext(ctx, args)
}

func (s *faultyStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	if err := s.fail(ctx); err != nil {
		return nil, err
	}
	return s.rawStmt.ExecContext(ctx, args)
}

func (s *faultyStmt) fail(ctx context.Context) error {
	if !s.conn.armed {
		return nil
	}
	s.conn.armed = false
	if _, err := s.conn.ExecContext(ctx, "ROLLBACK", nil); err != nil {
		return err
	}
	return errors.New("disk I/O error")
}

// TestTransactionLostInAGroup has SQLite roll back in the middle of a group: the
// calls of the group are still written whole or not at all, and each is told
// which.
func TestTransactionLostInAGroup(t *testing.T) {
	s, _ := groupStore(t)
	ctx := t.Context()
	_, err := s.PutConnection(ctx, store.Connection{ID: "x", User: "bob", Provider: "withings"})
	require.NoError(t, err)
	require.NoError(t, s.PutGrant(ctx, "", store.Credential{Connection: "x", Grant: "g", RefreshPrint: "one", Sealed: []byte("1")}))
	// The shapes are there: no commit of the group defines one in a call before.
	for _, b := range []store.Batch{groupBatch("eve", "e", "1"), tombstone("eve", "e", "1")} {
		_, err = s.Commit(ctx, b)
		require.NoError(t, err)
	}
	const query = "SELECT shape, vals, rest FROM record WHERE id = ?1"
	faulty := &faultyConn{query: query, armed: true}
	require.NoError(t, s.write(ctx, func(x *tx) error {
		faulty.rawConn, x.raw = x.raw, faulty
		if prepared := x.stmts[query]; prepared != nil {
			delete(x.stmts, query)
			return prepared.Close()
		}
		return nil
	}))
	fresh := false
	errs := together(t, s,
		func() error { _, err := s.Commit(ctx, groupBatch("ann", "c", "1")); return err },
		func() error { _, err := s.Commit(ctx, tombstone("ann", "c", "1")); return err },
		func() (err error) {
			fresh, err = s.PutDelivery(ctx, store.Delivery{ID: "d", Endpoint: "withings", Status: store.DeliveryNew})
			return err
		},
		func() error {
			return s.SwapCredential(ctx, "g", "one", store.Credential{Connection: "x", Grant: "g", RefreshPrint: "two", Sealed: []byte("2")})
		},
		func() error { _, err := s.Acquire(ctx, "x", "sync", time.Minute); return err },
	)
	require.False(t, faulty.armed)
	require.Equal(t, make([]error, 5), errs)
	require.True(t, fresh)
	credential, err := s.Credential(ctx, "x")
	require.NoError(t, err)
	require.Equal(t, "two", credential.RefreshPrint)
	page, err := s.Records(ctx, store.RecordQuery{User: "ann", Deleted: true})
	require.NoError(t, err)
	require.Len(t, page.Records, 1)
	require.Equal(t, health.StateDeleted, page.Records[0].State)
}

// planned is a commit up to where the writer gets it.
func planned(t *testing.T, s *Store, b store.Batch) *job {
	t.Helper()
	p := &plan{s: s, batch: &b, stamp: s.cache.stamp(b.Connection)}
	require.NoError(t, p.prepare(make([]bool, len(b.Pages))))
	require.NoError(t, s.view(t.Context(), p.look))
	require.NoError(t, p.pack(false))
	return &job{plan: p, done: make(chan struct{})}
}

// TestGroupThatGrows has jobs come while a transaction is under way. A plan that
// it has overtaken is made again, and after a function the group ends.
func TestGroupThatGrows(t *testing.T) {
	s, _ := groupStore(t)
	ctx, w := t.Context(), s.writer
	version := func(order int64, keys ...string) store.Batch {
		b := groupBatch("ann", "c", keys...)
		for i := range b.Pages[0].Records {
			r := &b.Pages[0].Records[i]
			r.Rev.Order += order
			r.Values[0].Number = health.Int(70 + order)
		}
		return b
	}
	_, err := s.Commit(ctx, version(0, "1"))
	require.NoError(t, err)
	_, err = s.Commit(ctx, groupBatch("bob", "d", "1"))
	require.NoError(t, err)
	many := make([]string, manyRows)
	for i := range many {
		many[i] = fmt.Sprintf("2%02d", i)
	}

	// The writer pauses: this goroutine writes.
	w.mu.Lock()
	w.stopped = true
	w.mu.Unlock()
	w.signal()
	<-w.done
	w.mu.Lock()
	w.stopped, w.done = false, make(chan struct{})
	w.mu.Unlock()
	goOn := sync.OnceFunc(func() { go w.run() })
	t.Cleanup(goOn)

	first := planned(t, s, version(2, "1", many[0]))
	older := planned(t, s, version(1, "1"))
	again := planned(t, s, version(0, many...))
	other := planned(t, s, groupBatch("bob", "d", "2"))
	delivery := &job{in: newIncoming(&store.Delivery{ID: "x", Endpoint: "e", Status: store.DeliveryNew}, nil)}
	last := planned(t, s, groupBatch("bob", "d", "3"))
	function := &job{fn: func(tx *tx) error {
		w.queue = append(w.queue, last)
		return nil
	}}
	w.queue = []*job{older, again, other, delivery, function}
	g := &group{jobs: []*job{first}, wanted: 6, wave: 6, patience: 10 * time.Second}
	w.write(g)
	require.Equal(t, []*job{first, older, again, other, delivery, function}, g.jobs)
	for i, j := range g.jobs {
		require.NoError(t, j.err, i)
	}
	require.Equal(t, []*job{last}, w.queue)
	require.Equal(t, store.Result{Inserted: 1, Revised: 1}, first.plan.result)
	require.Equal(t, store.Result{Stale: 1}, older.plan.result)
	require.Equal(t, store.Result{Inserted: manyRows - 1, Stale: 1}, again.plan.result)
	require.False(t, other.plan.fresh, "its connection was left alone")
	require.True(t, delivery.in.put)

	goOn()
	w.signal()
	<-last.done
	require.NoError(t, last.err)
	for user, n := range map[string]int{"ann": 1 + manyRows, "bob": 3} {
		page, err := s.Records(ctx, store.RecordQuery{User: user})
		require.NoError(t, err)
		require.Len(t, page.Records, n)
	}
	page, err := s.Records(ctx, store.RecordQuery{User: "ann", Connections: []string{"c"}, Kinds: []health.Kind{health.KindBody}, Keys: []string{"measure/1"}})
	require.NoError(t, err)
	require.Equal(t, health.Int(72), page.Records[0].Values[0].Number)
}

// TestPutConnectionWhoseCallerGoes ends the context of a call that the writer is
// at: it is stored, and says so.
func TestPutConnectionWhoseCallerGoes(t *testing.T) {
	s, _ := groupStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	var put store.Connection
	errs := together(t, s,
		func() (err error) {
			put, err = s.PutConnection(ctx, store.Connection{ID: "c", User: "ann", Provider: "withings", UpstreamID: "u"})
			return err
		},
		func() error { return s.writer.do(&job{fn: func(*tx) error { cancel(); return nil }}) },
	)
	require.Equal(t, []error{nil, nil}, errs)
	there, err := s.Connection(t.Context(), "c")
	require.NoError(t, err)
	require.Equal(t, there, put)
}
