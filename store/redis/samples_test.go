package redis_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

// TestSamplesBesideAnEmptiedChunk: one commit empties a chunk of samples and
// brings points that come after it. Those of the chunk in front stay.
func TestSamplesBesideAnEmptiedChunk(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	s := open(t, at(start(t).Addr()))
	day := func(n int, order int64, points ...int64) health.Record {
		midnight := testNow.Add(-12*time.Hour).AddDate(0, 0, n)
		v := health.Series{Metric: "heart_rate", From: midnight.UnixMilli(), To: midnight.AddDate(0, 0, 1).UnixMilli()}
		for _, hour := range points {
			v.Times, v.Values = append(v.Times, v.From+hour*3_600_000), append(v.Values, 60+hour)
		}
		return health.Record{
			Connection: "c", Kind: health.KindSamples, Key: "heart/" + midnight.Format(time.DateOnly),
			Span:   health.Span{Start: health.At(midnight), Day: health.DayOf(midnight)},
			Source: health.Source{Provider: "p", Path: health.PathDirect},
			Rev:    health.Rev{Order: order, Mapping: 1}, Series: []health.Series{v},
		}
	}
	put := func(records ...health.Record) {
		_, err := s.Commit(t.Context(), store.Batch{
			User: "u", Connection: "c", Unfenced: true, Now: testNow, Cause: store.CauseLive,
			Pages: []store.Page{{Stream: "heart", Key: "page", Records: records}},
		})
		require.NoError(t, err)
	}
	// History comes from the newest to the oldest: each day is a chunk.
	put(day(-1, 1, 0, 1, 2))
	put(day(-2, 1, 0, 1, 2))
	put(day(-1, 2), day(0, 2, 5))
	page, err := s.Samples(t.Context(), store.SampleQuery{User: "u", Metric: "heart_rate"})
	require.NoError(t, err)
	var values []int64
	for _, run := range page.Runs {
		values = append(values, run.Series.Values...)
	}
	require.Equal(t, []int64{60, 61, 62, 65}, values)
}
