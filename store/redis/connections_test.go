package redis_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

// TestConnectionsRoundTrips counts what a person's connections cost: with
// coverage as much as without.
func TestConnectionsRoundTrips(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	var n atomic.Int64
	s := openCounted(t, start(t), &n)
	for _, id := range []string{"a", "b", "c"} {
		_, err := s.PutConnection(t.Context(), store.Connection{ID: id, User: "u", Provider: "p"})
		require.NoError(t, err)
		from := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
		_, err = s.Commit(t.Context(), store.Batch{
			User: "u", Connection: id, Unfenced: true, Now: from,
			Covered: []store.Covered{{Stream: "s", Window: health.Window{From: from, To: from.Add(time.Hour)}}},
		})
		require.NoError(t, err)
	}
	for _, coverage := range []bool{true, false, true} {
		q := store.ConnectionQuery{User: "u", Coverage: coverage}
		_, err := s.Connections(t.Context(), q) // makes the script known
		require.NoError(t, err)
		before := n.Load()
		list, err := s.Connections(t.Context(), q)
		require.NoError(t, err)
		require.Len(t, list, 3)
		require.EqualValues(t, 1, n.Load()-before)
		for _, c := range list {
			require.Equal(t, coverage, len(c.Coverage["s"]) == 1)
		}
	}
}
