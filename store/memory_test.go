package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
	"github.com/vitalmux/vitalmux/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemory(t *testing.T) {
	var data *store.Memory
	storetest.Run(t, storetest.Harness{
		Fresh:  func(testing.TB) { data = store.NewMemory() },
		Open:   func(testing.TB) store.Store { return data.Reopen() },
		Bubble: true,
	})
}

func TestMemoryTokens(t *testing.T) {
	s := store.NewMemory()
	fill(t, s, "ann", "a1")
	for _, token := range []string{"x", "????", "e30x"} {
		_, err := s.Records(t.Context(), store.RecordQuery{User: "ann", After: token})
		require.ErrorIs(t, err, store.ErrInvalid)
		_, err = s.Samples(t.Context(), store.SampleQuery{User: "ann", Metric: "heart_rate", After: token})
		require.ErrorIs(t, err, store.ErrInvalid)
		_, err = s.RawPages(t.Context(), store.RawQuery{Connection: "a1", After: token})
		require.ErrorIs(t, err, store.ErrInvalid)
		require.ErrorIs(t, s.Ack(t.Context(), "reader", store.Position(token)), store.ErrInvalid)
	}
}

// ExampleNewMemory commits a record under a lease, and reads what changed.
func ExampleNewMemory() {
	ctx := context.Background()
	s := store.NewMemory()
	defer s.Close()

	lease, err := s.Acquire(ctx, "scale", "sync", time.Minute)
	if err != nil {
		fmt.Println(err)
		return
	}
	batch := store.Batch{
		User: "ann", Connection: "scale", Lease: lease, Now: now, Cause: store.CauseLive,
		Pages: []store.Page{{Stream: "body", Records: []health.Record{weight("scale", 1)}}},
	}
	for range 2 {
		result, err := s.Commit(ctx, batch)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(result.Inserted, "inserted,", result.Unchanged, "unchanged")
	}
	changes, err := s.Changes(ctx, "example", 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range changes {
		fmt.Println(c.Cause, c.Kind, c.Key, c.Day)
	}

	if err := s.Release(ctx, lease); err != nil {
		fmt.Println(err)
		return
	}
	_, err = s.Commit(ctx, batch)
	fmt.Println(errors.Is(err, store.ErrLeaseLost))
	// Output:
	// 1 inserted, 0 unchanged
	// 0 inserted, 1 unchanged
	// live body body/1 2026-11-01
	// true
}
