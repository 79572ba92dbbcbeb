package sqlite

import (
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

// dayBatch is a record of a day of heart rate with the given times, or one
// each four seconds.
func dayBatch(key string, from time.Time, times ...int64) store.Batch {
	series := health.Series{Metric: health.MetricHeartRate, From: from.UnixMilli(), To: from.UnixMilli() + day}
	if series.Times = times; times == nil {
		for t := series.From; t < series.To; t += 4000 {
			series.Times = append(series.Times, t)
		}
	}
	for i := range series.Times {
		series.Values = append(series.Values, int64(60+i%7))
	}
	r := health.Record{
		Connection: "c1", Kind: health.KindSamples, Key: "intraday/" + key,
		Span: health.Span{Start: health.At(from)}, Rev: health.Rev{Order: from.UnixMilli()}, Series: []health.Series{series},
	}
	return store.Batch{
		User: "u1", Connection: "c1", Unfenced: true, Now: groupNow, Cause: store.CauseLive,
		Pages: []store.Page{{Stream: "intraday", Records: []health.Record{r}}},
	}
}

// twoProcessors lets the test use two at least: there are no helpers on one.
func twoProcessors(t *testing.T) {
	if before := runtime.GOMAXPROCS(0); before < 2 {
		runtime.GOMAXPROCS(2)
		t.Cleanup(func() { runtime.GOMAXPROCS(before) })
	}
}

// begin plans b up to where the helpers are done.
func begin(t *testing.T, s *Store, b *store.Batch) (*plan, *helpers) {
	t.Helper()
	p := &plan{s: s, batch: b, stamp: s.cache.stamp(b.Connection)}
	p.begin()
	if p.helpers != nil {
		p.helpers.group.Wait()
	}
	return p, p.helpers
}

// TestHelpers has helpers pack all chunks before the plan is made, which takes
// those that it comes to itself.
func TestHelpers(t *testing.T) {
	twoProcessors(t)
	s, _ := groupStore(t)
	first := groupNow.Truncate(24 * time.Hour)
	write := dayBatch("1", first)
	_, h := begin(t, s, &write)
	require.True(t, h == nil, "the width is not known")
	_, err := s.Commit(t.Context(), write)
	require.NoError(t, err)

	_, err = s.Commit(t.Context(), write)
	require.NoError(t, err)
	_, h = begin(t, s, &write)
	require.True(t, h == nil, "the key is there")
	few := dayBatch("2", first.AddDate(0, 0, 1), first.AddDate(0, 0, 1).UnixMilli())
	_, h = begin(t, s, &few)
	require.True(t, h == nil, "few points")

	made := func(b store.Batch) (data [][]byte, packed, taken int) {
		p, h := begin(t, s, &b)
		require.True(t, h != nil)
		require.NoError(t, s.view(t.Context(), func(c *conn) error { return p.make(t.Context(), c, groupNow) }))
		for i := range p.samples.chunks {
			w := &p.samples.chunks[i]
			data = append(data, w.data)
			if w.helped != nil {
				taken++
			}
		}
		return data, len(h.chunks), taken
	}
	next := dayBatch("2", first.AddDate(0, 0, 1))
	data, packed, taken := made(next)
	require.Equal(t, 4, packed)
	require.Equal(t, packed, taken)
	shifted := dayBatch("2", first.Add(25*time.Hour))
	_, packed, taken = made(shifted)
	require.Equal(t, 3, packed, "the first and the last are filled in part")
	require.Equal(t, packed, taken)

	// Points of the same record under another exponent are other points.
	p, h := begin(t, s, &next)
	next.Pages[0].Records[0].Series[0].Exp = -1
	require.NoError(t, s.view(t.Context(), func(c *conn) error { return p.make(t.Context(), c, groupNow) }))
	require.Len(t, p.samples.chunks, len(h.chunks))
	for i := range p.samples.chunks {
		var points health.Series
		_, err := s.packer.unpackPoints(nil, p.samples.chunks[i].data, &points)
		require.NoError(t, err)
		require.Equal(t, int8(-1), points.Exp)
	}
	next.Pages[0].Records[0].Series[0].Exp = 0

	_, err = s.Commit(t.Context(), next)
	require.NoError(t, err)
	var stored [][]byte
	require.NoError(t, s.read(t.Context(), func(c *conn) error {
		return c.each(t.Context(), func(r row) error {
			stored = append(stored, append([]byte{}, r.blob(0)...))
			return nil
		}, "SELECT data FROM chunk WHERE first >= ?1 ORDER BY id", first.AddDate(0, 0, 1).UnixMilli())
	}))
	require.Equal(t, data, stored)
}

// TestHelpersOfSharedColumns commits series that have their columns in common, of
// which each is to be stored, as a new record and as one that changes.
func TestHelpersOfSharedColumns(t *testing.T) {
	twoProcessors(t)
	s, _ := groupStore(t)
	first := groupNow.Truncate(24*time.Hour).AddDate(0, 0, -20)
	for n := range 20 {
		b := dayBatch(strconv.Itoa(n/2), first.AddDate(0, 0, n/2))
		r := &b.Pages[0].Records[0]
		r.Rev.Order += int64(n)
		mean := r.Series[0]
		for i := range mean.Values {
			mean.Values[i] += int64(n)
		}
		other := mean
		other.Stat = health.StatMax
		switch n / 2 % 3 {
		case 0: // the same points
		case 1: // only the same times
			other.Values = slices.Clone(mean.Values)
			for i := range other.Values {
				other.Values[i] -= 10
			}
		case 2: // only the same values
			other.Times = slices.Clone(mean.Times)
			for i := range other.Times {
				other.Times[i] += 1000
			}
		}
		r.Series = []health.Series{mean, other}
		_, err := s.Commit(t.Context(), b)
		require.NoError(t, err)

		page, err := s.Samples(t.Context(), store.SampleQuery{
			User: "u1", Metric: mean.Metric, From: mean.From, To: mean.To, Limit: 1_000_000,
		})
		require.NoError(t, err)
		got := map[health.Stat]health.Series{}
		for _, run := range page.Runs {
			got[run.Owner.Stat] = run.Series
		}
		for _, want := range r.Series {
			stored := got[want.Stat]
			require.True(t, slices.Equal(want.Times, stored.Times), "commit %d, stat %v", n, want.Stat)
			require.True(t, slices.Equal(want.Values, stored.Values), "commit %d, stat %v", n, want.Stat)
		}
	}
}

// TestHelpersOfBadSeries has helpers look at what nobody has validated yet.
func TestHelpersOfBadSeries(t *testing.T) {
	twoProcessors(t)
	s, _ := groupStore(t)
	first := groupNow.Truncate(24 * time.Hour)
	for range 2 { // so that the greatest key is known
		_, err := s.Commit(t.Context(), dayBatch("1", first))
		require.NoError(t, err)
	}
	swap := func(list []int64, i, j int) { list[i], list[j] = list[j], list[i] }
	for _, c := range []struct {
		name   string
		packed bool // helpers pack some of it
		spoil  func(*health.Series)
	}{
		{"two times swapped", true, func(s *health.Series) { swap(s.Times, 10, 11) }},
		{"two times twice", true, func(s *health.Series) { s.Times[11] = s.Times[10] }},
		{"a time far before", true, func(s *health.Series) { s.Times[len(s.Times)/2] = -1 << 63 }},
		{"a time far behind", true, func(s *health.Series) { s.Times[len(s.Times)/2] = 1<<63 - 1 }},
		{"a window of ages", true, func(s *health.Series) { s.From, s.To, s.Times[0] = -1<<63, 1<<63-1, -1<<63 }},
		{"falling times", false, func(s *health.Series) { slices.Reverse(s.Times) }},
		{"times all the same", false, func(s *health.Series) { clear(s.Times) }},
		{"fewer values", false, func(s *health.Series) { s.Values = s.Values[:1] }},
		{"more values", false, func(s *health.Series) { s.Values = append(s.Values, 1) }},
		{"an inverted window", false, func(s *health.Series) { s.From, s.To = s.To, s.From }},
	} {
		b := dayBatch("2", first.AddDate(0, 0, 1))
		c.spoil(&b.Pages[0].Records[0].Series[0])
		_, h := begin(t, s, &b)
		require.Equal(t, c.packed, h != nil, c.name)
		_, err := s.Commit(t.Context(), b)
		require.ErrorIs(t, err, store.ErrInvalid, c.name)
	}
}

// TestSamplesThatAreDamaged reads a page that several goroutines unpack, of
// which one chunk is damaged or holds another number of points than it says.
func TestSamplesThatAreDamaged(t *testing.T) {
	twoProcessors(t)
	s, _ := groupStore(t)
	from := groupNow.Truncate(24 * time.Hour)
	_, err := s.Commit(t.Context(), dayBatch("1", from))
	require.NoError(t, err)
	q := store.SampleQuery{User: "u1", Metric: health.MetricHeartRate}
	whole, err := s.Samples(t.Context(), q)
	require.NoError(t, err)
	require.Len(t, whole.Runs, 1)
	require.GreaterOrEqual(t, whole.Runs[0].Series.Len(), parallelPoints)

	var ids []int64
	require.NoError(t, s.read(t.Context(), func(c *conn) error {
		return c.each(t.Context(), func(r row) error {
			ids = append(ids, r.int(0))
			return nil
		}, "SELECT id FROM chunk ORDER BY id")
	}))
	require.Greater(t, len(ids), 2)
	change := func(query string, id int64) {
		require.NoError(t, s.write(t.Context(), func(tx *tx) error {
			tx.dropped = true
			_, err := tx.exec(t.Context(), query, id)
			return err
		}))
	}
	for _, id := range ids {
		for _, damage := range [][2]string{
			{"UPDATE chunk SET data = CAST(x'7f' || data AS BLOB) WHERE id = ?1", "UPDATE chunk SET data = substr(data, 2) WHERE id = ?1"},
			{"UPDATE chunk SET n = n - 1 WHERE id = ?1", "UPDATE chunk SET n = n + 1 WHERE id = ?1"},
			{"UPDATE chunk SET n = n + 1 WHERE id = ?1", "UPDATE chunk SET n = n - 1 WHERE id = ?1"},
			{"UPDATE chunk SET n = -n WHERE id = ?1", "UPDATE chunk SET n = -n WHERE id = ?1"},
			{"UPDATE chunk SET n = n + (1 << 60) WHERE id = ?1", "UPDATE chunk SET n = n - (1 << 60) WHERE id = ?1"},
		} {
			change(damage[0], id)
			page, err := s.Samples(t.Context(), q)
			require.ErrorIs(t, err, errPacked, damage[0])
			require.Empty(t, page.Runs)
			change(damage[1], id)
		}
	}
	again, err := s.Samples(t.Context(), q)
	require.NoError(t, err)
	require.Equal(t, whole, again)
}
