package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/store"
)

// TestSynchronous asks the connections that write what a commit waits for.
func TestSynchronous(t *testing.T) {
	for _, c := range []struct {
		options *Options
		want    int64 // https://sqlite.org/pragma.html#pragma_synchronous
	}{
		{nil, 2}, {&Options{}, 2}, {&Options{Synchronous: SynchronousFull}, 2}, {&Options{Synchronous: SynchronousNormal}, 1},
	} {
		s, err := Open(t.Context(), filepath.Join(t.TempDir(), "test.db"), c.options)
		require.NoError(t, err)
		for name, conn := range map[string]*conn{"writer": s.writer.conn, "checkpoint": s.writer.check.conn} {
			var got int64
			s.writer.mu.Lock()
			s.writer.check.mu.Lock()
			_, err = conn.one(t.Context(), func(r row) { got = r.int(0) }, "PRAGMA synchronous")
			s.writer.check.mu.Unlock()
			s.writer.mu.Unlock()
			require.NoError(t, err)
			require.Equal(t, c.want, got, "%s of %+v", name, c.options)
		}
		require.NoError(t, s.Close())
	}
}

// openFiles counts the file descriptors of this process.
func openFiles(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/dev/fd")
	require.NoError(t, err)
	return len(all)
}

// TestNoFileIsLeftOpen counts the process's file descriptors before and after
// many operations of all sorts, on stores that are opened and closed, some of
// which fail.
func TestNoFileIsLeftOpen(t *testing.T) {
	operations := proof.N(2_000, 10_000)
	counts := proof.Counts{"operations": operations, "stores": 20}
	proof.Row(t, "X11", counts)
	dir, done := t.TempDir(), 0
	use := func(path string, n int) {
		s, err := Open(t.Context(), path, &Options{Synchronous: SynchronousNormal})
		require.NoError(t, err)
		at := time.Now().Add(-time.Hour)
		_, err = s.Connection(t.Context(), "c")
		if errors.Is(err, store.ErrNotFound) {
			_, err = s.PutConnection(t.Context(), store.Connection{
				ID: "c", User: "ada", Provider: "p", UpstreamID: "u", State: store.StateActive, CreatedAt: at,
			})
		}
		require.NoError(t, err)
		var workers sync.WaitGroup
		failures := make(chan error, n)
		for w := range 4 {
			workers.Go(func() {
				for i := w; i < n; i += 4 {
					failures <- operate(t, s, i, at)
				}
			})
		}
		workers.Wait()
		close(failures)
		for err := range failures {
			require.NoError(t, err)
			done++
		}
		require.NoError(t, s.Close())
	}
	use(filepath.Join(dir, "warm.db"), 100) // what the runtime opens once
	before := openFiles(t)
	for i := range 20 {
		use(filepath.Join(dir, fmt.Sprint(i%5, ".db")), operations/20)
		broken := filepath.Join(dir, fmt.Sprint("broken", i))
		require.NoError(t, os.WriteFile(broken, []byte("these are not the bytes of a database"), 0o600))
		_, err := Open(t.Context(), broken, nil)
		require.Error(t, err)
	}
	require.GreaterOrEqual(t, done, operations)
	require.Equal(t, before, openFiles(t))
}

// operate does the ith operation.
func operate(t *testing.T, s *Store, i int, at time.Time) error {
	ctx := t.Context()
	switch i % 10 {
	case 0:
		r := health.Record{
			Connection: "c", Kind: health.KindBody, Key: fmt.Sprint("weights/", i), Span: health.Span{Start: health.At(at)},
			Source: health.Source{Provider: "p", Path: health.PathDirect}, Rev: health.Rev{Order: at.UnixMilli(), Mapping: 1},
			Values: []health.Value{{Metric: health.MetricBodyWeight, Number: health.Int(int64(i%200 + 1))}},
		}
		r.Normalize()
		_, err := s.Commit(ctx, store.Batch{
			User: "ada", Connection: "c", Unfenced: true, Now: time.Now(), Cause: store.CauseLive,
			Pages: []store.Page{{Stream: "weights", Records: []health.Record{r}}},
		})
		return err
	case 1:
		lease, err := s.Acquire(ctx, "c", fmt.Sprint("lease", i), time.Minute)
		return errors.Join(err, s.Release(ctx, lease))
	case 2: // refused
		_, err := s.Commit(ctx, store.Batch{User: "ada", Connection: "c", Now: time.Now()})
		if !errors.Is(err, store.ErrInvalid) {
			return fmt.Errorf("not refused: %w", err)
		}
		return nil
	case 3:
		_, err := s.Connection(ctx, "no such")
		if !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("found: %w", err)
		}
		return nil
	case 4:
		_, err := s.Changes(ctx, "consumer", 10)
		return err
	default:
		_, err := s.Records(ctx, store.RecordQuery{User: "ada", Limit: 10})
		return err
	}
}
