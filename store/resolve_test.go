package store_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

// counted counts the queries that resolved reads make.
type counted struct {
	store.Store
	queries int
}

func (c *counted) Records(ctx context.Context, q store.RecordQuery) (store.RecordPage, error) {
	c.queries++
	return c.Store.Records(ctx, q)
}

func (c *counted) Samples(ctx context.Context, q store.SampleQuery) (store.SamplePage, error) {
	c.queries++
	return c.Store.Samples(ctx, q)
}

func (c *counted) Coverage(ctx context.Context, connection, stream string) ([]health.Window, error) {
	c.queries++
	return c.Store.Coverage(ctx, connection, stream)
}

func (c *counted) Connections(ctx context.Context, q store.ConnectionQuery) ([]store.Connection, error) {
	c.queries++
	return c.Store.Connections(ctx, q)
}

// person is a store with several connections of one user.
func person(t require.TestingT, conns ...store.Connection) *counted {
	s := &counted{Store: store.NewMemory()}
	for i, c := range conns {
		c.User = "ada"
		if c.CreatedAt.IsZero() {
			c.CreatedAt = now.AddDate(0, -6, i)
		}
		_, err := s.PutConnection(context.Background(), c)
		require.NoError(t, err)
	}
	return s
}

func (c *counted) put(t require.TestingT, records ...health.Record) {
	byConnection := map[string][]health.Record{}
	for _, r := range records {
		byConnection[r.Connection] = append(byConnection[r.Connection], r)
	}
	for conn, list := range byConnection {
		_, err := c.Commit(context.Background(), store.Batch{
			User: "ada", Connection: conn, Unfenced: true, Now: now, Cause: store.CauseLive,
			Pages: []store.Page{{Stream: "s", Records: list}},
		})
		require.NoError(t, err)
	}
	c.queries = 0
}

var (
	direct = health.Source{Provider: "withings", Path: health.PathDirect}
	byWay  = health.Source{Provider: "terra", Path: health.PathTerra, Upstream: "WITHINGS"}
)

func reading(conn string, source health.Source, kind health.Kind, key string, start, end health.Moment, values ...health.Value) health.Record {
	r := health.Record{
		Connection: conn, Kind: kind, Key: "s/" + key, Source: source, Values: values, Rev: health.Rev{Order: 1},
		Span: health.Span{Start: start, End: end},
	}
	r.Normalize()
	return r
}

func value(metric health.Metric, n int64) health.Value {
	return health.Value{Metric: metric, Number: health.Int(n)}
}

// lines writes what was resolved, a line for each value.
func lines(all []store.Resolved) []string {
	var out []string
	for _, r := range all {
		for _, v := range r.Values {
			text := fmt.Sprintf("%s %s %s %s", r.Record.Kind, v.Metric, v.Number, v.Connection+":"+string(v.Reason))
			for _, o := range v.Others {
				text += fmt.Sprintf(" not %s %s", o.Number, o.Connection)
			}
			out = append(out, text)
		}
	}
	return out
}

func TestOneScaleByTwoWays(t *testing.T) {
	s := person(t, store.Connection{ID: "w", Provider: "withings"}, store.Connection{ID: "t", Provider: "terra"})
	at := time.Date(2026, 11, 20, 7, 0, 0, 0, time.UTC)
	zoned := health.Zoned(at.UnixMilli(), 3600)
	s.put(t,
		reading("w", direct, health.KindBody, "1", zoned, health.Moment{}, value("body_weight", 70), value("heart_rate", 60)),
		reading("t", byWay, health.KindBody, "a", health.At(at.Add(400*time.Millisecond)), health.Moment{}, value("body_weight", 71), value("body_fat", 20)),
		reading("t", byWay, health.KindBody, "b", health.At(at.Add(time.Minute)), health.Moment{}, value("body_weight", 72)),
	)
	all := store.RecordQuery{User: "ada"}
	for _, tc := range []struct {
		name   string
		policy store.Policy
		want   []string
	}{
		{"direct first", store.Policy{Explain: true}, []string{
			"body body_fat 20 t:only", "body body_weight 70 w:path not 71 t", "body heart_rate 60 w:only", "body body_weight 72 t:only",
		}},
		{"the other way", store.Policy{Routes: []store.Route{{Path: health.PathTerra}}}, []string{
			"body body_fat 20 t:only", "body body_weight 71 t:policy", "body heart_rate 60 w:only", "body body_weight 72 t:only",
		}},
		{"for one metric", store.Policy{
			Routes:  []store.Route{{Provider: "withings"}, {Upstream: "WITHINGS"}},
			Metrics: map[health.Metric][]store.Route{"body_weight": {{Upstream: "WITHINGS"}}},
		}, []string{
			"body body_fat 20 t:only", "body body_weight 71 t:policy", "body heart_rate 60 w:only", "body body_weight 72 t:only",
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s.queries = 0
			got, err := store.ResolveRecords(t.Context(), s, all, tc.policy)
			require.NoError(t, err)
			require.Equal(t, tc.want, lines(got))
			require.Equal(t, 2, s.queries)
		})
	}
	page, err := s.Records(t.Context(), all)
	require.NoError(t, err)
	require.Len(t, page.Records, 3, "both are kept")
}

// TestReadingsInParts has one service tell in one record what another tells in
// two.
func TestReadingsInParts(t *testing.T) {
	at := health.Zoned(time.Date(2026, 11, 20, 7, 0, 0, 0, time.UTC).UnixMilli(), 3600)
	whole := func(conn string) health.Record {
		return reading(conn, direct, health.KindBody, "1", at, health.Moment{}, value("body_weight", 70), value("body_fat", 20))
	}
	part := func(conn, key string, v health.Value) health.Record {
		return reading(conn, direct, health.KindBody, key, at, health.Moment{}, v)
	}
	weight, fat, pulse := value("body_weight", 71), value("body_fat", 21), value("heart_rate", 60)
	for name, tc := range map[string]struct {
		records []health.Record
		want    []string
		data    int
	}{
		"parts first":       {[]health.Record{part("b", "1", weight), part("b", "2", fat), whole("c")}, []string{"body body_fat 20 c:connection", "body body_weight 70 c:connection"}, 1},
		"the whole first":   {[]health.Record{whole("a"), part("b", "1", weight), part("b", "2", fat)}, []string{"body body_fat 21 b:connection", "body body_weight 71 b:connection"}, 1},
		"other things":      {[]health.Record{part("a", "1", weight), part("b", "1", pulse)}, []string{"body body_weight 71 a:only", "body heart_rate 60 b:only"}, 2},
		"twice of one":      {[]health.Record{part("a", "1", weight), part("a", "2", weight), part("b", "1", weight)}, []string{"body body_weight 71 b:connection", "body body_weight 71 a:only"}, 2},
		"one connection":    {[]health.Record{part("a", "1", weight), part("a", "2", fat)}, []string{"body body_weight 71 a:only", "body body_fat 21 a:only"}, 2},
		"part and whole":    {[]health.Record{part("a", "1", weight), whole("b")}, []string{"body body_fat 20 b:only", "body body_weight 70 b:connection"}, 1},
		"a third one apart": {[]health.Record{whole("a"), part("b", "1", weight), part("c", "1", pulse)}, []string{"body body_fat 20 a:only", "body body_weight 71 b:connection", "body heart_rate 60 c:only"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			s := person(t, store.Connection{ID: "a", Provider: "x"}, store.Connection{ID: "b", Provider: "y"}, store.Connection{ID: "c", Provider: "z"})
			s.put(t, tc.records...)
			got, err := store.ResolveRecords(t.Context(), s, store.RecordQuery{User: "ada"}, store.Policy{})
			require.NoError(t, err)
			require.ElementsMatch(t, tc.want, lines(got))
			require.Len(t, got, tc.data)
		})
	}
}

// TestFoodIsToldByOneSide: entries of food have a day at one service and a time
// at its successor, which has the old ones, too.
func TestFoodIsToldByOneSide(t *testing.T) {
	seam := time.Date(2026, 11, 10, 12, 0, 0, 0, time.UTC)
	s := person(t,
		store.Connection{ID: "old", Provider: "x", CreatedAt: seam.AddDate(-1, 0, 0)},
		store.Connection{ID: "new", Provider: "y", CreatedAt: seam, Predecessor: "old"},
		store.Connection{ID: "app", Provider: "z", CreatedAt: seam.AddDate(0, -1, 0)})
	entry := func(conn string, dom int, key string, hour int) health.Record {
		midnight := time.Date(2026, 11, dom, 0, 0, 0, 0, time.UTC).UnixMilli()
		start := health.Floating(midnight)
		if hour > 0 {
			start = health.Zoned(midnight+int64(hour-1)*3600_000, 3600)
		}
		r := reading(conn, direct, health.KindNutrition, fmt.Sprint(dom, key), start, health.Moment{}, value("energy_intake", int64(100*dom+len(key))))
		if hour == 0 {
			r.Span.Day = health.Day{Year: 2026, Month: 11, Dom: uint8(dom)}
		}
		return r
	}
	s.put(t,
		entry("old", 8, "a", 0), entry("old", 8, "bb", 0), entry("new", 8, "a", 8), entry("new", 8, "bb", 8),
		entry("old", 12, "a", 0), entry("new", 12, "a", 9), entry("new", 12, "bb", 19),
		entry("old", 9, "a", 0),
		entry("app", 8, "ccc", 12))
	got, err := store.ResolveRecords(t.Context(), s, store.RecordQuery{User: "ada"}, store.Policy{})
	require.NoError(t, err)
	require.ElementsMatch(t, []string{
		"nutrition energy_intake 801 old:only", "nutrition energy_intake 802 old:only", "nutrition energy_intake 803 app:only",
		"nutrition energy_intake 901 old:only", "nutrition energy_intake 1201 new:only", "nutrition energy_intake 1202 new:only",
	}, lines(got))
}

func TestDaysAreResolvedByTheirName(t *testing.T) {
	s := person(t, store.Connection{ID: "a", Provider: "x"}, store.Connection{ID: "b", Provider: "y"})
	day := health.Day{Year: 2026, Month: 10, Dom: 25} // of 25 hours in Berlin
	daily := func(conn, key string, start health.Moment, order int64, values ...health.Value) health.Record {
		r := reading(conn, direct, health.KindDaily, key, start, health.Moment{}, values...)
		r.Span.Day, r.Rev.Order = day, order
		return r
	}
	midnight := time.Date(2026, 10, 25, 0, 0, 0, 0, time.UTC).UnixMilli()
	s.put(t,
		daily("a", "summary", health.Zoned(midnight-7200_000, 7200), 5, value("steps", 1000)),
		daily("a", "detail", health.Zoned(midnight-7200_000, 7200), 7, value("steps", 1001), value("hrv_rmssd", 30)),
		daily("b", "summary", health.Floating(midnight), 1, value("steps", 900), value("resting_heart_rate", 50)),
	)
	got, err := store.ResolveRecords(t.Context(), s, store.RecordQuery{User: "ada"}, store.Policy{})
	require.NoError(t, err)
	require.Equal(t, []string{"daily hrv_rmssd 30 a:only", "daily resting_heart_rate 50 b:only", "daily steps 900 b:connection"}, lines(got))
	got, err = store.ResolveRecords(t.Context(), s, store.RecordQuery{User: "ada"}, store.Policy{Routes: []store.Route{{Provider: "z"}}, Explain: true})
	require.NoError(t, err)
	require.Contains(t, lines(got), "daily steps 900 b:connection not 1001 a not 1000 a", "of one connection the newest report")
}

func TestSpansOfOneNight(t *testing.T) {
	s := person(t, store.Connection{ID: "a", Provider: "x"}, store.Connection{ID: "b", Provider: "y"})
	at := func(hour, minute int) health.Moment {
		return health.Zoned(time.Date(2026, 11, 19, hour, minute, 0, 0, time.UTC).UnixMilli(), 0)
	}
	wall := func(hour, minute int) health.Moment {
		return health.Floating(time.Date(2026, 11, 19, hour, minute, 0, 0, time.UTC).UnixMilli())
	}
	s.put(t,
		reading("a", direct, health.KindSleep, "night", at(0, 10), at(7, 0), value("sleep_duration", 1)),
		reading("b", direct, health.KindSleep, "night", wall(0, 0), wall(6, 30), value("sleep_duration", 2)),
		reading("b", direct, health.KindSleep, "nap", wall(6, 40), wall(7, 10), value("sleep_duration", 3)),
		reading("a", direct, health.KindActivity, "run", at(0, 10), at(7, 0), value("distance", 4)),
		reading("a", direct, health.KindActivity, "other run", at(0, 10), at(7, 0), value("distance", 5)),
	)
	got, err := store.ResolveRecords(t.Context(), s, store.RecordQuery{User: "ada"}, store.Policy{Explain: true})
	require.NoError(t, err)
	require.Equal(t, []string{
		"sleep sleep_duration 2 b:connection not 1 a", "activity distance 5 a:only", "activity distance 4 a:only", "sleep sleep_duration 3 b:only",
	}, lines(got))
}

func TestSeam(t *testing.T) {
	seam := time.Date(2026, 11, 10, 12, 0, 0, 0, time.UTC)
	s := person(t,
		store.Connection{ID: "google", Provider: "googlehealth", Predecessor: "fitbit", CreatedAt: seam},
		store.Connection{ID: "fitbit", Provider: "fitbit", CreatedAt: seam.AddDate(-2, 0, 0)},
	)
	for n := 8; n <= 13; n++ {
		at := time.Date(2026, 11, n, 0, 0, 0, 0, time.UTC)
		for _, conn := range []string{"fitbit", "google"} {
			if conn == "fitbit" && n == 13 || conn == "google" && n == 8 {
				continue
			}
			r := reading(conn, health.Source{Provider: conn, Path: health.PathDirect}, health.KindDaily, at.Format(time.DateOnly),
				health.Zoned(at.UnixMilli(), 0), health.Moment{}, value("steps", int64(n)))
			r.Span.Day = health.DayOf(at)
			s.put(t, r)
		}
	}
	got, err := store.ResolveRecords(t.Context(), s, store.RecordQuery{
		User: "ada", From: time.Date(2026, 11, 8, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 11, 14, 0, 0, 0, 0, time.UTC),
	}, store.Policy{})
	require.NoError(t, err)
	require.Equal(t, []string{
		"daily steps 8 fitbit:only", "daily steps 9 fitbit:seam", "daily steps 10 fitbit:seam", "daily steps 11 google:seam",
		"daily steps 12 google:seam", "daily steps 13 google:only",
	}, lines(got))
	got, err = store.ResolveRecords(t.Context(), s, store.RecordQuery{
		User: "ada", From: time.Date(2026, 11, 9, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 11, 10, 0, 0, 0, 0, time.UTC),
	}, store.Policy{})
	require.NoError(t, err)
	require.Equal(t, []string{"daily steps 9 fitbit:seam"}, lines(got), "half open")
}

// TestSeamQueries counts what reads across a seam cost, whoever tells of a day,
// before the successor was there and after; and a day is resolved alike by itself
// and with others.
func TestSeamQueries(t *testing.T) {
	seam := time.Date(2026, 11, 10, 12, 0, 0, 0, time.UTC)
	s := person(t,
		store.Connection{ID: "google", Provider: "googlehealth", Predecessor: "fitbit", CreatedAt: seam},
		store.Connection{ID: "fitbit", Provider: "fitbit", CreatedAt: seam.AddDate(-2, 0, 0)},
		store.Connection{ID: "terra", Provider: "terra", CreatedAt: seam.AddDate(-1, 0, 0)},
	)
	for n, conns := range map[int][]string{
		1: {"fitbit"}, 4: {"fitbit", "terra"}, 7: {"google"}, 10: {"google", "fitbit"}, 17: {"google", "fitbit", "terra"}, 20: {"google"},
	} {
		at := time.Date(2026, 11, n, 0, 0, 0, 0, time.UTC)
		for _, conn := range conns {
			r := reading(conn, health.Source{Provider: conn, Path: health.PathDirect}, health.KindDaily, at.Format(time.DateOnly),
				health.At(at), health.At(at.AddDate(0, 0, 1)), value("steps", int64(n)))
			r.Span.Day = health.DayOf(at)
			milli := at.UnixMilli()
			r.Series = []health.Series{{
				Metric: health.MetricHeartRate, From: milli, To: milli + 86_400_000, Times: []int64{milli + 1000}, Values: []int64{60}, Count: 1,
			}}
			r.Normalize()
			s.put(t, r)
		}
	}
	_, err := s.Commit(t.Context(), store.Batch{
		User: "ada", Connection: "fitbit", Unfenced: true, Now: now,
		Covered: []store.Covered{{Stream: "s", Window: health.Window{From: seam.AddDate(-1, 0, 0), To: time.Date(2026, 11, 10, 0, 0, 0, 0, time.UTC)}}},
	})
	require.NoError(t, err)
	const terra = "terra" // created later, and of no line
	all := []string{"fitbit", terra, "google", "google", "google", "google"}
	days := []int{1, 4, 7, 10, 17, 20}
	whole, err := store.ResolveRecords(t.Context(), s, store.RecordQuery{User: "ada"}, store.Policy{})
	require.NoError(t, err)
	samples, err := store.ResolveSamples(t.Context(), s, store.SampleQuery{User: "ada", Metric: health.MetricHeartRate}, store.Policy{})
	require.NoError(t, err)
	require.Len(t, whole, len(days))
	for i, day := range days {
		from := time.Date(2026, 11, day, 0, 0, 0, 0, time.UTC)
		s.queries = 0
		list, err := store.ResolveRecords(t.Context(), s, store.RecordQuery{User: "ada", From: from, To: from.AddDate(0, 0, 1)}, store.Policy{})
		require.NoError(t, err)
		require.Equal(t, whole[i:i+1], list)
		require.Equal(t, all[i], list[0].Record.Connection, "day %d", day)
		require.Equal(t, 2, s.queries, "records of day %d", day)
		s.queries = 0
		runs, err := store.ResolveSamples(t.Context(), s, store.SampleQuery{
			User: "ada", Metric: health.MetricHeartRate, From: from.UnixMilli(), To: from.AddDate(0, 0, 1).UnixMilli(),
		}, store.Policy{})
		require.NoError(t, err)
		require.Len(t, runs, 1)
		require.Equal(t, all[i], runs[0].Owner.Connection)
		require.True(t, slices.ContainsFunc(samples, func(r store.ResolvedSamples) bool {
			return r.Owner == runs[0].Owner && slices.Contains(r.Series.Times, runs[0].Series.Times[0])
		}), "samples of day %d", day)
		require.Equal(t, 2, s.queries, "samples of day %d", day)
	}
}

// TestLastWeekOfThePredecessor has a service end before late data could reach it:
// of the week before the end of what was read, the successor knows more.
func TestLastWeekOfThePredecessor(t *testing.T) {
	seam := time.Date(2026, 11, 5, 12, 0, 0, 0, time.UTC)
	conns := []store.Connection{
		{ID: "fitbit", Provider: "fitbit"},
		{ID: "google", Provider: "googlehealth", Predecessor: "fitbit", CreatedAt: seam},
	}
	day := func(n int) health.Day { return health.DayOf(seam).Add(n) }
	steps := func(conn string, n int, count int64) health.Record {
		at := time.Date(2026, 11, 5+n, 0, 0, 0, 0, time.UTC)
		r := reading(conn, health.Source{Provider: conn, Path: health.PathDirect}, health.KindDaily, fmt.Sprint("day/", n),
			health.At(at), health.At(at.AddDate(0, 0, 1)), health.Value{Metric: health.MetricSteps, Number: health.Decimal{Coefficient: count}})
		r.Span.Day = day(n)
		return r
	}
	points := func(conn string, n int) health.Record {
		at := time.Date(2026, 11, 5+n, 0, 0, 0, 0, time.UTC).UnixMilli()
		r := reading(conn, health.Source{Provider: conn, Path: health.PathDirect}, health.KindSamples, fmt.Sprint("points/", n),
			health.Instant(at), health.Instant(at+86_400_000))
		r.Series = []health.Series{{
			Metric: health.MetricHeartRate, From: at, To: at + 86_400_000, Times: []int64{at + 1000}, Values: []int64{60}, Count: 1,
		}}
		r.Normalize()
		return r
	}
	for name, covered := range map[string][]health.Window{
		"days":     {{First: day(-40), Last: day(-4)}},
		"instants": {{From: seam.AddDate(0, 0, -40), To: time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)}},
		"imported": nil,
	} {
		t.Run(name, func(t *testing.T) {
			s := person(t, conns...)
			for n := -30; n <= 0; n++ {
				s.put(t, steps("google", n, 2), points("google", n))
				if n <= -3 {
					s.put(t, steps("fitbit", n, 1), points("fitbit", n))
				}
			}
			for _, w := range covered {
				_, err := s.Commit(t.Context(), store.Batch{
					User: "ada", Connection: "fitbit", Unfenced: true, Now: now, Covered: []store.Covered{{Stream: "s", Window: w}},
				})
				require.NoError(t, err)
			}
			list, err := store.ResolveRecords(t.Context(), s, store.RecordQuery{User: "ada", Kinds: []health.Kind{health.KindDaily}}, store.Policy{})
			require.NoError(t, err)
			require.Len(t, list, 31)
			runs, err := store.ResolveSamples(t.Context(), s, store.SampleQuery{User: "ada", Metric: health.MetricHeartRate}, store.Policy{})
			require.NoError(t, err)
			require.Len(t, runs, 2, "neighbours are one run")
			require.Equal(t, []string{"fitbit", "google"}, []string{runs[0].Owner.Connection, runs[1].Owner.Connection})
			for i, n := 0, -30; n <= 0; i, n = i+1, n+1 {
				// Everything up to the fourth day before is read: -4, and a week
				// before its end begins with -10.
				want := "fitbit"
				if n >= -10 && covered != nil || n > -3 {
					want = "google"
				}
				require.Equal(t, want, list[i].Values[0].Connection, "day %d", n)
				at := runs[0].Series.Times
				require.Equal(t, want == "fitbit", i < len(at), "points of day %d", n)
			}
		})
	}
}

func TestResolvedReadsRefuse(t *testing.T) {
	s := person(t)
	for _, q := range []store.RecordQuery{{User: "ada", Keys: []string{"k"}}, {User: "ada", Deleted: true}, {User: "ada", After: "x"}, {}} {
		_, err := store.ResolveRecords(t.Context(), s, q, store.Policy{})
		require.ErrorIs(t, err, store.ErrInvalid, "%+v", q)
	}
	for _, q := range []store.SampleQuery{{User: "ada", Metric: "steps", Record: "k"}, {User: "ada", Metric: "steps", After: "x"}, {User: "ada"}} {
		_, err := store.ResolveSamples(t.Context(), s, q, store.Policy{})
		require.ErrorIs(t, err, store.ErrInvalid, "%+v", q)
	}
}

// TestResolvedSamples draws the samples of several owners: each quarter of an
// hour that anybody has points of is there once, whole, of one owner.
func TestResolvedSamples(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := person(t, store.Connection{ID: "a", Provider: "x"}, store.Connection{ID: "b", Provider: "y"}, store.Connection{ID: "c", Provider: "z"})
		const grain = 15 * 60 * 1000
		base := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
		points := map[string]map[int64][]int64{} // by owner and quarter
		var records []health.Record
		for _, conn := range []string{"a", "b", "c"} {
			points[conn] = map[int64][]int64{}
			times := rapid.SliceOfNDistinct(rapid.Int64Range(0, 20*grain), 0, 40, rapid.ID[int64]).Draw(t, conn)
			if len(times) == 0 {
				continue
			}
			slices.Sort(times)
			r := reading(conn, health.Source{Provider: conn, Path: health.PathDirect}, health.KindSamples, "day", health.Instant(base), health.Moment{})
			series := health.Series{Metric: "heart_rate", From: base, To: base + 21*grain}
			for _, at := range times {
				series.Times, series.Values = append(series.Times, base+at), append(series.Values, at)
				points[conn][at/grain] = append(points[conn][at/grain], base+at)
			}
			r.Series = []health.Series{series}
			records = append(records, r)
		}
		s.put(t, records...)
		got, err := store.ResolveSamples(t.Context(), s, store.SampleQuery{User: "ada", Metric: "heart_rate"},
			store.Policy{Routes: []store.Route{{Provider: "b"}}})
		require.NoError(t, err)
		require.Equal(t, 2, s.queries)
		have := map[int64][]int64{}
		owner := map[int64]string{}
		for _, run := range got {
			for i, at := range run.Series.Times {
				number := (at - base) / grain
				have[number] = append(have[number], at)
				require.Contains(t, []string{"", run.Owner.Connection}, owner[number])
				owner[number] = run.Owner.Connection
				require.Equal(t, at-base, run.Series.Values[i])
			}
		}
		for number := range int64(21) {
			want := ""
			for _, conn := range []string{"b", "c", "a"} { // the policy's, then the connection that was created last
				if len(points[conn][number]) > 0 {
					want = conn
					break
				}
			}
			require.Equal(t, want, owner[number], "quarter %d", number)
			if want != "" {
				require.Equal(t, points[want][number], have[number], "quarter %d", number)
			}
		}
	})
}

func ExampleResolveRecords() {
	ctx := context.Background()
	s := store.NewMemory()
	at := health.At(time.Date(2026, 11, 20, 7, 0, 0, 0, time.UTC))
	for _, conn := range []store.Connection{{ID: "scale", Provider: "withings"}, {ID: "aggregator", Provider: "terra"}} {
		conn.User, conn.CreatedAt = "ada", now
		if _, err := s.PutConnection(ctx, conn); err != nil {
			fmt.Println(err)
		}
		r := health.Record{
			Kind: health.KindBody, Key: "measures/1", Connection: conn.ID, Span: health.Span{Start: at},
			Source: health.Source{Provider: conn.Provider, Path: health.PathDirect}, Rev: health.Rev{Order: 1},
			Values: []health.Value{{Metric: health.MetricBodyWeight, Number: health.Int(70)}},
		}
		if conn.Provider == "terra" {
			r.Source.Path, r.Source.Upstream = health.PathTerra, "WITHINGS"
		}
		_, err := s.Commit(ctx, store.Batch{
			User: "ada", Connection: conn.ID, Unfenced: true, Now: now, Cause: store.CauseLive,
			Pages: []store.Page{{Stream: "measures", Records: []health.Record{r}}},
		})
		if err != nil {
			fmt.Println(err)
		}
	}
	for _, policy := range []store.Policy{{}, {Routes: []store.Route{{Path: health.PathTerra}}}} {
		data, err := store.ResolveRecords(ctx, s, store.RecordQuery{User: "ada"}, policy)
		if err != nil {
			fmt.Println(err)
		}
		for _, d := range data {
			for _, v := range d.Values {
				fmt.Println(v.Metric, v.Number, "of", v.Connection, "because of the", v.Reason)
			}
		}
	}
	// Output:
	// body_weight 70 of scale because of the path
	// body_weight 70 of aggregator because of the policy
}
