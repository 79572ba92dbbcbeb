package sqlite

import (
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

// pushBatch is a record that brings the points of a window, one each step.
func pushBatch(connection string, n int, from, to, step int64) store.Batch {
	series := health.Series{Metric: health.MetricHeartRate, From: from, To: to}
	for t := from; t < to; t += step {
		series.Times = append(series.Times, t)
		series.Values = append(series.Values, int64(60+n%90))
	}
	r := health.Record{
		Connection: connection, Kind: health.KindSamples, Key: "intraday/" + strconv.Itoa(1000+n),
		Span: health.Span{Start: health.Instant(from)}, Rev: health.Rev{Order: int64(n)}, Series: []health.Series{series},
	}
	return store.Batch{
		User: "u1", Connection: connection, Unfenced: true, Now: groupNow, Cause: store.CauseLive,
		Pages: []store.Page{{Stream: "intraday", Records: []health.Record{r}}},
	}
}

// TestPushReadsNothing plans a push into the latest chunk without a connection
// to the file.
func TestPushReadsNothing(t *testing.T) {
	s, _ := groupStore(t)
	from := groupNow.UnixMilli()
	for n := range int64(4) {
		push := pushBatch("c1", int(n), from+n*5*minute, from+(n+1)*5*minute, 1000)
		p := &plan{s: s, batch: &push, stamp: s.cache.stamp("c1")}
		if n > 1 { // the second looks words and the greatest key up
			require.NoError(t, p.make(t.Context(), nil, groupNow))
			require.Len(t, p.samples.chunks, 1)
			require.Equal(t, int(n+1)*300, p.samples.chunks[0].n)
		}
		_, err := s.Commit(t.Context(), push)
		require.NoError(t, err)
	}
}

// twoStores opens a file twice, as two processes do.
func twoStores(t *testing.T) (stores [2]*Store) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "store.db")
	for i := range stores {
		s, err := Open(t.Context(), path, &Options{Synchronous: SynchronousNormal})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		stores[i] = s
	}
	return stores
}

// TestLatestChunks has two stores of a file write and remove samples, mostly
// about the end of what is there, and looks after each commit whether the one
// that wrote knows the latest chunk as it is, and whether all points are there.
func TestLatestChunks(t *testing.T) {
	stores := twoStores(t)
	run, known, split := 0, 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		connection := "c" + strconv.Itoa(run)
		var want health.Series
		end := groupNow.UnixMilli()
		var pushed []health.Record
		for n := range rapid.IntRange(2, 12).Draw(rt, "commits") {
			s := stores[0]
			if rapid.IntRange(0, 3).Draw(rt, "other store") == 0 {
				s = stores[1]
			}
			from := end + rapid.SampledFrom([]int64{0, 0, 0, -minute, -5 * minute, -2 * hour, hour}).Draw(rt, "from")
			to, step := from+rapid.SampledFrom([]int64{minute, 5 * minute, 3 * hour}).Draw(rt, "window"), int64(1000)
			if rapid.IntRange(0, 9).Draw(rt, "crowded") == 0 {
				to, step = from+30*minute, 100
			}
			b := pushBatch(connection, n+1, from, to, step)
			if len(pushed) > 0 && rapid.IntRange(0, 4).Draw(rt, "delete") == 0 {
				of := rapid.IntRange(0, len(pushed)-1).Draw(rt, "of")
				r := pushed[of]
				pushed = slices.Delete(pushed, of, of+1)
				r.State, r.Rev.Order = health.StateDeleted, int64(n+1)
				gone := r.Series[0]
				gone.Times, gone.Values = nil, nil
				want = health.MergePoints(want, gone)
				b.Pages[0].Records[0] = r
			} else {
				want = health.MergePoints(want, b.Pages[0].Records[0].Series[0])
				pushed = append(pushed, b.Pages[0].Records[0])
				end = max(end, to)
			}
			_, err := s.Commit(t.Context(), b)
			require.NoError(rt, err)

			sc, _ := s.cache.scope(connection) // not known after the other store wrote
			for k, o := range s.cache.owners {
				if k.link != sc.link || o.latest == nil {
					continue
				}
				known++
				var stored []byte
				greatest := int64(0)
				require.NoError(rt, s.read(t.Context(), func(c *conn) error {
					_, err := c.one(t.Context(), func(r row) { stored = append(stored, r.blob(0)...) },
						"SELECT data FROM chunk WHERE id = ?1", chunkID(o.id, o.last))
					if err != nil {
						return err
					}
					_, err = c.one(t.Context(), func(r row) { greatest = r.int(0) },
						"SELECT max(id) FROM chunk WHERE id BETWEEN ?1 AND ?2", chunkID(o.id, -windowBias), chunkID(o.id, windowBias-1))
					return err
				}))
				require.Equal(rt, stored, o.latest)
				require.Equal(rt, chunkID(o.id, o.last), greatest)
				if o.width == widths[0] {
					split++
				}
			}
			page, err := s.Samples(t.Context(), store.SampleQuery{User: "u1", Connections: []string{connection}, Metric: health.MetricHeartRate, Limit: 1 << 20})
			require.NoError(rt, err)
			var times, values []int64
			for _, run := range page.Runs {
				times, values = append(times, run.Series.Times...), append(values, run.Series.Values...)
			}
			require.Empty(rt, page.Next)
			require.True(rt, slices.Equal(want.Times, times), "%d points of %d", len(times), want.Len())
			require.True(rt, slices.Equal(want.Values, values))
		}
	})
	require.NotZero(t, known)
	require.NotZero(t, split)
}

// TestLatestChunksAreBounded learns of more than is kept.
func TestLatestChunksAreBounded(t *testing.T) {
	c := newCache()
	learn := func(link int64, size int) {
		c.learn(&tx{names: newNames(), owners: map[ownerKey]owned{{link: link}: {id: link, latest: make([]byte, size)}}})
	}
	learn(1, maxLatest/2)
	learn(1, maxLatest/2)
	learn(2, maxLatest/2)
	require.Equal(t, maxLatest, c.latest)
	require.NotNil(t, c.owner(ownerKey{link: 1}).latest)
	learn(3, 1)
	kept := 0
	for link := range int64(3) {
		o := c.owner(ownerKey{link: link + 1})
		require.Equal(t, link+1, o.id)
		kept += len(o.latest)
	}
	require.Equal(t, kept, c.latest)
	require.LessOrEqual(t, kept, maxLatest/2)
	require.NotZero(t, kept)
}

// TestCopiedOverWhatAnotherStoreWrote copies samples that are what this store
// wrote last, but not what the file holds.
func TestCopiedOverWhatAnotherStoreWrote(t *testing.T) {
	stores := twoStores(t)
	from := groupNow.UnixMilli()
	for i, first := range []int64{60, 90, 60} {
		series := health.Series{
			Metric: health.MetricHeartRate, From: from, To: from + 10_000,
			Times: []int64{from, from + 1000}, Values: []int64{first, first + 1},
		}
		_, err := stores[i%2].Commit(t.Context(), store.Batch{
			User: "u1", Connection: "c1", Unfenced: true, Now: groupNow, Cause: store.CauseLive,
			Copied: &store.Copied{Samples: []store.SampleRun{{
				Owner: store.Owner{Connection: "c1", Stream: "intraday", Metric: health.MetricHeartRate}, Series: series,
			}}},
		})
		require.NoError(t, err)
		page, err := stores[0].Samples(t.Context(), store.SampleQuery{User: "u1", Metric: health.MetricHeartRate})
		require.NoError(t, err)
		require.Len(t, page.Runs, 1)
		require.Equal(t, series.Values, page.Runs[0].Series.Values)
	}
}
