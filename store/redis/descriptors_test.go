package redis_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/store"
	redisstore "github.com/vitalmux/vitalmux/store/redis"
)

// openFiles counts the file descriptors of this process.
func openFiles(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/dev/fd")
	require.NoError(t, err)
	return len(all)
}

// TestNoConnectionIsLeftOpen counts the process's file descriptors before and
// after many operations on stores that are opened and closed, on a redis-server,
// some of which fail, and openings that fail.
func TestNoConnectionIsLeftOpen(t *testing.T) {
	if short(t) {
		return
	}
	operations, opened := proof.N(400, 10_000), 20
	proof.Row(t, "X11", proof.Counts{"operations on redis": operations, "stores on redis": opened})
	server := start(t)
	past := time.Now().Add(-time.Hour)
	use := func(n int) {
		s, err := redisstore.Open(t.Context(), at(server.Addr()))
		require.NoError(t, err)
		_, err = s.Connection(t.Context(), "c")
		if errors.Is(err, store.ErrNotFound) {
			_, err = s.PutConnection(t.Context(), store.Connection{
				ID: "c", User: "ada", Provider: "p", UpstreamID: "u", State: store.StateActive, CreatedAt: past,
			})
		}
		require.NoError(t, err)
		failures := make([]error, n)
		var workers sync.WaitGroup
		for w := range 4 {
			workers.Go(func() {
				for i := w; i < n; i += 4 {
					failures[i] = operateOn(t, s, i, past)
				}
			})
		}
		workers.Wait()
		for _, err := range failures {
			require.NoError(t, err)
		}
		require.NoError(t, s.Close())
	}
	stranger := at(server.Addr())
	stranger.Redis.Username, stranger.Redis.Password = "nobody", "wrong"
	use(40) // what the runtime opens once
	before := openFiles(t)
	for range opened {
		use(operations / opened)
		_, err := redisstore.Open(t.Context(), stranger)
		require.Error(t, err)
	}
	require.Eventually(t, func() bool { return openFiles(t) <= before }, 30*time.Second, 10*time.Millisecond, "%d before", before)

	// The server has seen them go, too: what is left is who asks.
	require.Eventually(t, func() bool {
		info, err := server.Do("INFO", "clients")
		require.NoError(t, err)
		return strings.Contains(fmt.Sprint(info), "connected_clients:1\r\n")
	}, 30*time.Second, 10*time.Millisecond)
}

// operateOn does the ith operation.
func operateOn(t *testing.T, s store.Store, i int, past time.Time) error {
	ctx := t.Context()
	switch i % 5 {
	case 0:
		r := health.Record{
			Connection: "c", Kind: health.KindBody, Key: fmt.Sprint("weights/", i), Span: health.Span{Start: health.At(past)},
			Source: health.Source{Provider: "p", Path: health.PathDirect}, Rev: health.Rev{Order: past.UnixMilli(), Mapping: 1},
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
		if err != nil {
			return err
		}
		return s.Release(ctx, lease)
	case 2:
		if _, err := s.Commit(ctx, store.Batch{User: "ada", Connection: "c", Now: time.Now()}); err == nil {
			return fmt.Errorf("operation %d: a commit without a lease was taken", i)
		}
		return nil
	case 3: // ends before the answer
		ctx, cancel := context.WithTimeout(ctx, time.Duration(i%7)*100*time.Microsecond)
		defer cancel()
		_, _ = s.Connection(ctx, "c")
		return nil
	}
	for _, err := range store.AllRecords(ctx, s, store.RecordQuery{User: "ada", Limit: 10}) {
		return err
	}
	return nil
}
