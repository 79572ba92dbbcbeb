package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

func TestAllRecords(t *testing.T) {
	s := store.NewMemory()
	fill(t, s, "ann", "a1")
	q := store.RecordQuery{User: "ann", Kinds: []health.Kind{health.KindBody}}
	for limit := range 7 {
		q.Limit = limit
		seq := store.AllRecords(t.Context(), s, q)
		for range 2 { // ranging again starts again
			n := 0
			for r, err := range seq {
				require.NoError(t, err)
				n++
				require.Equal(t, fmt.Sprintf("body/%d", n), r.Key)
			}
			require.Equal(t, 5, n)
		}
		n := 0
		for range seq {
			if n++; n == 3 {
				break
			}
		}
		require.Equal(t, 3, n)
	}
}

func TestAllConnections(t *testing.T) {
	s := store.NewMemory()
	var want []string
	for n := range 10 {
		id := fmt.Sprintf("c%d", n)
		_, err := s.PutConnection(t.Context(), store.Connection{ID: id, User: "ann", Provider: "p"})
		require.NoError(t, err)
		want = append(want, id)
	}
	for limit := range 12 {
		var got []string
		for c, err := range store.AllConnections(t.Context(), s, store.ConnectionQuery{User: "ann", Limit: limit}) {
			require.NoError(t, err)
			got = append(got, c.ID)
		}
		require.Equal(t, want, got)
	}
	for c := range store.AllConnections(t.Context(), s, store.ConnectionQuery{After: "c7"}) {
		require.Contains(t, []string{"c8", "c9"}, c.ID)
	}
}

func TestAllSamplesAndRawPages(t *testing.T) {
	s := store.NewMemory()
	fill(t, s, "ann", "a1")
	points := 0
	for run, err := range store.AllSamples(t.Context(), s, store.SampleQuery{User: "ann", Metric: "heart_rate", Limit: 17}) {
		require.NoError(t, err)
		require.LessOrEqual(t, run.Series.Len(), 17)
		points += run.Series.Len()
	}
	require.Equal(t, 1000, points)
	pages := 0
	for page, err := range store.AllRawPages(t.Context(), s, store.RawQuery{Connection: "a1"}) {
		require.NoError(t, err)
		require.Equal(t, "body", page.Stream)
		pages++
	}
	require.Equal(t, 1, pages)
}

// breaking is a Reader whose second page fails.
type breaking struct {
	store.Reader
	pages int
	err   error
}

func (b *breaking) Records(ctx context.Context, q store.RecordQuery) (store.RecordPage, error) {
	if b.pages++; b.pages == 2 {
		return store.RecordPage{Records: []health.Record{{Key: "half"}}, Next: "more"}, b.err
	}
	return b.Reader.Records(ctx, q)
}

func TestAllRecordsFails(t *testing.T) {
	s := store.NewMemory()
	fill(t, s, "ann", "a1")
	b := &breaking{Reader: s, err: errors.New("broken")}
	var seen []string
	for r, err := range store.AllRecords(t.Context(), b, store.RecordQuery{User: "ann", Limit: 2}) {
		if err != nil {
			require.ErrorIs(t, err, b.err)
			require.Empty(t, r)
			seen = append(seen, "error")
			continue
		}
		seen = append(seen, r.Key)
	}
	require.Equal(t, []string{"body/1", "body/2", "error"}, seen)
	require.Equal(t, 2, b.pages)
}

func ExampleAllRecords() {
	ctx := context.Background()
	s := store.NewMemory()
	defer s.Close()
	_, err := s.Commit(ctx, store.Batch{
		User: "ann", Connection: "scale", Unfenced: true, Now: now, Cause: store.CauseLive,
		Pages: []store.Page{{Stream: "body", Records: []health.Record{weight("scale", 2), weight("scale", 1)}}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for r, err := range store.AllRecords(ctx, s, store.RecordQuery{User: "ann"}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(r.Span.Day, r.Values[0].Number)
	}
	// Output:
	// 2026-11-01 1
	// 2026-11-02 2
}
