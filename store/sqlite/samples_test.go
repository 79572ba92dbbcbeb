package sqlite_test

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
	sqlitestore "github.com/vitalmux/vitalmux/store/sqlite"
)

// TestSamplesMerge compares what is stored, after any series of pushes, with
// health.MergePoints over the same pushes: chunks of any width, and those that
// get a smaller one, make no difference, nor does which of two stores of the
// file is used.
func TestSamplesMerge(t *testing.T) {
	dir := t.TempDir()
	var stores []store.Store
	for range 2 {
		stores = append(stores, open(t, filepath.Join(dir, "store.db"), &sqlitestore.Options{Synchronous: sqlitestore.SynchronousNormal}))
	}
	s := stores[0]
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		user := fmt.Sprintf("u%d", run)
		var want health.Series
		base := testNow.AddDate(-1, 0, 0).UnixMilli()
		pushes := rapid.IntRange(1, 6).Draw(rt, "pushes")
		for n := range pushes {
			step := rapid.SampledFrom([]int64{250, 1000, 5000, 60_000, 300_000, 3_600_000}).Draw(rt, "step")
			count := rapid.IntRange(0, 400).Draw(rt, "count")
			if rapid.IntRange(0, 9).Draw(rt, "dense") == 0 {
				step, count = 1000, 20_000
			}
			from := base + rapid.Int64Range(0, 20*24*3600).Draw(rt, "from")*1000
			next := health.Series{
				Metric: health.MetricHeartRate, Exp: int8(rapid.IntRange(-1, 0).Draw(rt, "exp")),
				From: from, To: from + max(1, int64(count))*step + rapid.Int64Range(0, 100).Draw(rt, "beyond")*step,
			}
			for i := range count {
				next.Times = append(next.Times, from+int64(i)*step)
				next.Values = append(next.Values, 500+int64((i*7+n)%100))
			}
			want = health.MergePoints(want, next)
			r := health.Record{
				Connection: user, Kind: health.KindSamples, Key: fmt.Sprintf("intraday/%d", n),
				Span: health.Span{Start: health.Instant(from)}, Rev: health.Rev{Order: int64(n + 1)}, Series: []health.Series{next},
			}
			r.Normalize()
			_, err := rapid.SampledFrom(stores).Draw(rt, "store").Commit(t.Context(), store.Batch{
				User: user, Connection: user, Unfenced: true, Now: testNow, Cause: store.CauseLive,
				Pages: []store.Page{{Stream: "intraday", Records: []health.Record{r}}},
			})
			if err != nil {
				rt.Fatal(err)
			}
		}
		got := readSamples(rt, s, store.SampleQuery{User: user, Metric: health.MetricHeartRate, Limit: rapid.IntRange(1, 3000).Draw(rt, "limit")})
		if err := sameSamples(&want, got); err != nil {
			rt.Fatal(err)
		}
		from, to := base+rapid.Int64Range(0, 20*24*3600).Draw(rt, "read from")*1000, base+rapid.Int64Range(0, 20*24*3600).Draw(rt, "read to")*1000
		part := want.Slice(from, max(from, to))
		got = readSamples(rt, s, store.SampleQuery{User: user, Metric: health.MetricHeartRate, From: from, To: max(from, to), Limit: 500})
		if err := sameSamples(&part, got); err != nil {
			rt.Fatal(err)
		}
	})
}

type point struct {
	at     int64
	number health.Decimal
}

func readSamples(t require.TestingT, s store.Store, q store.SampleQuery) []point {
	var got []point
	for {
		page, err := s.Samples(context.Background(), q)
		require.NoError(t, err)
		for i := range page.Runs {
			run := &page.Runs[i].Series
			require.Equal(t, run.Len(), len(run.Values))
			for j := range run.Times {
				got = append(got, point{run.Times[j], run.Number(j).Normalized()})
			}
		}
		if q.After = page.Next; page.Next == "" {
			return got
		}
	}
}

func sameSamples(want *health.Series, got []point) error {
	list := make([]point, want.Len())
	for i := range list {
		list[i] = point{want.Times[i], want.Number(i).Normalized()}
	}
	if !slices.Equal(list, got) {
		return fmt.Errorf("%d points, want %d", len(got), len(list))
	}
	return nil
}

// TestSamplesOfASecondForAYear makes sure that a dense series after a sparse
// one does not end in one chunk.
func TestSamplesAfterASparseStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := open(t, path, nil)
	start := testNow.AddDate(0, -1, 0)
	commit := func(n int, from time.Time, step time.Duration, count int) {
		series := health.Series{Metric: health.MetricHeartRate, From: from.UnixMilli(), To: from.Add(time.Duration(count) * step).UnixMilli()}
		for i := range count {
			series.Times = append(series.Times, from.Add(time.Duration(i)*step).UnixMilli())
			series.Values = append(series.Values, int64(60+i%7))
		}
		r := health.Record{
			Connection: "c1", Kind: health.KindSamples, Key: fmt.Sprintf("measure/s%d", n), Span: health.Span{Start: health.At(from)},
			Rev: health.Rev{Order: int64(n)}, Series: []health.Series{series},
		}
		_, err := s.Commit(t.Context(), batchOf(r))
		require.NoError(t, err)
	}
	commit(1, start, 6*time.Hour, 20)
	for day := range 3 {
		commit(2+day, start.Add(time.Duration(day)*24*time.Hour), time.Second, 86_400)
	}
	got := readSamples(t, s, store.SampleQuery{User: "u1", Metric: health.MetricHeartRate, From: math.MinInt64, To: math.MaxInt64})
	require.Len(t, got, 3*86_400+8)
	require.NoError(t, s.Close())
	require.Equal(t, [][]string{{"1"}}, query(t, path, "SELECT max(n) <= 16384 FROM chunk"))
}
