package storetest

import (
	"slices"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

func sampleCases() []testCase {
	return []testCase{
		{id: "series-window", rule: "a series replaces the points of its owner in its window and leaves those outside", check: checkSeriesWindow},
		{id: "series-owners", rule: "owners are apart: session, source, metric, statistic, part, stream and clock", check: checkSeriesOwners},
		{id: "series-tombstone", rule: "a tombstone removes its own points and no others", check: checkSeriesTombstone},
		{id: "series-stale", rule: "the series of a version that lost changes no points", check: checkSeriesStale},
		{id: "series-described", rule: "a record is read with its series described; one written so leaves the points alone", check: checkSeriesDescribed},
		{id: "series-shed", rule: "a session that is written anew loses the points of the series that it has no more, and keeps those of the series that it describes", check: checkSeriesShed},
		{id: "series-clock", rule: "samples that are written anew on the other clock are not on the first any more", check: checkSeriesClock},
		{id: "series-kinds", rule: "sessions of different kinds with the same key have samples apart", check: checkSeriesKinds},
		{id: "series-exponents", rule: "points of different exponents stay exact", check: checkSeriesExponents},
		{id: "samples-paging", rule: "samples are read in bounds, each once, in any size of page", check: checkSamplesPaging},
		{id: "samples-filters", rule: "samples are selected by connection, stream and session", check: checkSamplesFilters},
	}
}

// sampleStart is where sample times begin: not at midnight of any zone.
const sampleStart = 1_793_491_234_000

// seriesRecord returns a record of the samples kind with one series of heart
// rates in the window [from, to) seconds after sampleStart.
func seriesRecord(name string, order int64, from, to int64, seconds []int64, value int64) health.Record {
	at := time.UnixMilli(sampleStart + from*1000).UTC()
	s := health.Series{Metric: "heart_rate", From: sampleStart + from*1000, To: sampleStart + to*1000}
	for i, second := range seconds {
		s.Times = append(s.Times, sampleStart+second*1000)
		s.Values = append(s.Values, value+int64(i))
	}
	return health.Record{
		Connection: conn, Kind: health.KindSamples, Key: stream + "/" + name,
		Span:   health.Span{Start: health.At(at), Day: health.DayOf(at)},
		Source: health.Source{Provider: "test", Path: health.PathDirect, Device: "watch"},
		Rev:    health.Rev{Order: order, Mapping: 1},
		Series: []health.Series{s},
	}
}

// every returns from, from+step, ... below to.
func every(step, from, to int64) []int64 {
	var list []int64
	for at := from; at < to; at += step {
		list = append(list, at)
	}
	return list
}

func (c *checker) heartRates() []point {
	return c.points(store.SampleQuery{User: user, Metric: "heart_rate"})
}

// within returns the points with times in [from, to) seconds, or those not.
func within(list []point, from, to int64, inside bool) []point {
	var part []point
	for _, p := range list {
		if in := p.milli >= sampleStart+from*1000 && p.milli < sampleStart+to*1000; in == inside {
			part = append(part, p)
		}
	}
	return part
}

func checkSeriesWindow(c *checker) {
	const day = 24 * 3600
	base := seriesRecord("base", 10, 0, 3*day, every(300, 0, 3*day), 60)
	c.put(base)
	want := pointsOf(base, 0)
	c.samePoints("three days", c.heartRates(), want)

	replace := func(what string, name string, from, to int64, seconds []int64) {
		r := seriesRecord(name, 10, from, to, seconds, 1000)
		c.put(r)
		want = append(within(want, from, to, false), pointsOf(r, 0)...)
		c.samePoints(what, c.heartRates(), want)
	}
	replace("a window of five minutes with other times", "five", 3600, 3900, []int64{3600, 3601, 3650, 3899})
	replace("a window over a midnight", "midnight", day-100, day+100, every(7, day-100, day+100))
	replace("a window that ends at a point", "end", 7200, 7260, []int64{7210})
	replace("an empty window", "empty", 10_000, 20_000, nil)
	replace("the empty window filled again", "filled", 12_000, 13_000, every(1, 12_000, 13_000))
	replace("a window from before the first point", "early", -day, 30, []int64{-500, -1, 0, 29})
	replace("a window after the last point", "late", 3*day, 4*day, every(600, 3*day, 4*day))
	replace("a window far away", "far", -300*day, -299*day, []int64{-300 * day, -299*day - 1})
	replace("a window over everything", "all", -400*day, 20*day, []int64{0, 1})
	replace("a window of nothing in the middle", "none", 1, 1, nil)
	replace("an empty window over everything", "gone", -400*day, 20*day, nil)
	c.equal("points left", len(want), 0)
}

func checkSeriesOwners(c *checker) {
	seconds := every(10, 0, 100)
	base := seriesRecord("base", 10, 0, 100, seconds, 60)
	variants := map[string]func(*health.Record){
		"session":   func(r *health.Record) { r.Kind = health.KindActivity },
		"source":    func(r *health.Record) { r.Source.Device = "ring" },
		"app":       func(r *health.Record) { r.Source.App = "app" },
		"path":      func(r *health.Record) { r.Source.Path = health.PathTerra },
		"upstream":  func(r *health.Record) { r.Source.Upstream = "GARMIN" },
		"statistic": func(r *health.Record) { r.Series[0].Stat = health.StatMax },
		"part":      func(r *health.Record) { r.Series[0].Part = "left" },
		"clock":     func(r *health.Record) { r.Series[0].Floating = true },
		"stream":    func(r *health.Record) { r.Key = "other/" + r.Key },
		"metric":    func(r *health.Record) { r.Series[0].Metric = "steps" },
	}
	want := pointsOf(base, 0)
	c.put(base)
	var steps []point
	for name, change := range variants {
		r := seriesRecord(name, 10, 0, 100, seconds, int64(100+len(want)))
		change(&r)
		c.commit(batchOf(store.Page{Stream: r.Stream(), Records: []health.Record{r}}))
		if name == "metric" {
			steps = pointsOf(r, 0)
			continue
		}
		want = append(want, pointsOf(r, 0)...)
	}
	c.samePoints("all owners", c.heartRates(), want)
	c.samePoints("another metric", c.points(store.SampleQuery{User: user, Metric: "steps"}), steps)

	// Two sessions have samples of their own in the same seconds.
	x, y := seriesRecord("x", 10, 0, 100, seconds, 200), seriesRecord("y", 10, 0, 100, seconds, 300)
	x.Kind, y.Kind = health.KindSleep, health.KindSleep
	c.put(x, y)
	want = append(want, pointsOf(x, 0)...)
	want = append(want, pointsOf(y, 0)...)
	c.samePoints("two sessions", c.heartRates(), want)
	c.same("all records", c.records(store.RecordQuery{User: user, Kinds: []health.Kind{health.KindSleep}}), stored(x), stored(y))
}

func checkSeriesTombstone(c *checker) {
	a, b := seriesRecord("a", 10, 0, 100, every(1, 0, 100), 60), seriesRecord("b", 10, 100, 200, every(1, 100, 200), 60)
	s, u := seriesRecord("s", 10, 0, 100, every(1, 0, 100), 70), seriesRecord("u", 10, 0, 100, every(1, 0, 100), 80)
	s.Kind, u.Kind = health.KindActivity, health.KindActivity
	c.put(a, b, s, u)
	all := slices.Concat(pointsOf(a, 0), pointsOf(b, 0), pointsOf(s, 0), pointsOf(u, 0))
	c.samePoints("before", c.heartRates(), all)

	c.put(tombstone(s, 20))
	c.samePoints("without a session", c.heartRates(), slices.Concat(pointsOf(a, 0), pointsOf(b, 0), pointsOf(u, 0)))
	gone := tombstone(a, 20)
	gone.Source = health.Source{}
	c.put(gone)
	c.samePoints("without a window", c.heartRates(), slices.Concat(pointsOf(b, 0), pointsOf(u, 0)))
	c.put(tombstone(b, 5))
	c.samePoints("after a tombstone that lost", c.heartRates(), slices.Concat(pointsOf(b, 0), pointsOf(u, 0)))

	// Records of two kinds may have one key.
	sleep, daily := seriesRecord("both", 10, 300, 400, every(1, 300, 400), 70), seriesRecord("both", 10, 300, 400, every(1, 300, 400), 70)
	sleep.Kind, daily.Kind = health.KindSleep, health.KindDaily
	daily.Series[0].Metric = "steps"
	c.put(sleep, daily)
	c.put(tombstone(sleep, 20))
	c.samePoints("without one of two kinds", c.heartRates(), slices.Concat(pointsOf(b, 0), pointsOf(u, 0)))
	c.samePoints("the other kind", c.points(store.SampleQuery{User: user, Metric: "steps"}), pointsOf(daily, 0))

	s.Rev.Order = 30
	c.put(s)
	c.samePoints("with the session back", c.heartRates(), slices.Concat(pointsOf(b, 0), pointsOf(u, 0), pointsOf(s, 0)))
}

func checkSeriesStale(c *checker) {
	r := seriesRecord("a", 10, 0, 100, every(10, 0, 100), 60)
	c.put(r)
	older := seriesRecord("a", 5, 0, 200, every(5, 0, 200), 100)
	c.counts("an older version", c.put(older), 0, 0, 0, 0, 1)
	c.samePoints("after an older version", c.heartRates(), pointsOf(r, 0))

	newer := seriesRecord("a", 20, 50, 200, every(10, 50, 200), 100)
	c.counts("a newer version", c.put(newer), 0, 1, 0, 0, 0)
	c.samePoints("after a newer version", c.heartRates(), append(within(pointsOf(r, 0), 50, 200, false), pointsOf(newer, 0)...))

	// An older version that only gives a sticky value gives no points.
	giver := seriesRecord("a", 15, 0, 300, every(3, 0, 300), 500)
	giver.Values = []health.Value{{Metric: "score", Number: health.Int(1), Flags: health.FlagSticky}}
	c.put(giver)
	c.samePoints("after a version that only gave a value", c.heartRates(), append(within(pointsOf(r, 0), 50, 200, false), pointsOf(newer, 0)...))
}

func checkSeriesDescribed(c *checker) {
	r := seriesRecord("a", 10, 0, 100, every(10, 0, 100), 60)
	c.put(r)
	got := c.record(r.Kind, r.Key)
	c.same("the record", []health.Record{got}, stored(r))
	c.that(got.Series[0].Len() == 0 && got.Series[0].Count == 10 && got.Series[0].Digest != 0, "the series is not described: got %+v", got.Series[0])
	c.counts("the record as it was read", c.put(got), 0, 0, 0, 1, 0)

	got.Rev.Order = 20
	got.Texts = []health.Text{{Name: "note", Value: "x"}}
	c.counts("a newer version of it without the points", c.put(got), 0, 1, 0, 0, 0)
	c.samePoints("the samples", c.heartRates(), pointsOf(r, 0))
}

func checkSeriesExponents(c *checker) {
	coarse := seriesRecord("a", 10, 0, 100, every(10, 0, 100), 60)
	fine := seriesRecord("b", 10, 40, 60, every(1, 40, 60), 61_234)
	fine.Series[0].Exp = -3
	coarser := seriesRecord("c", 10, 80, 90, every(1, 80, 90), 7)
	coarser.Series[0].Exp = 2
	want := pointsOf(coarse, 0)
	c.put(coarse)
	for _, r := range []health.Record{fine, coarser} {
		from, to := (r.Series[0].From-sampleStart)/1000, (r.Series[0].To-sampleStart)/1000
		c.put(r)
		want = append(within(want, from, to, false), pointsOf(r, 0)...)
		c.samePoints("mixed exponents", c.heartRates(), want)
	}
}

func checkSamplesPaging(c *checker) {
	const day = 24 * 3600
	var want []point
	put := func(r health.Record) {
		c.put(r)
		want = append(want, pointsOf(r, 0)...)
	}
	put(seriesRecord("a", 10, 0, 2*day, every(197, 0, 2*day), 60))
	ring := seriesRecord("b", 10, 0, day, every(311, 0, day), 80)
	ring.Source.Device = "ring"
	put(ring)
	session := seriesRecord("c", 10, 5000, 6000, every(7, 5000, 6000), 120)
	session.Kind = health.KindActivity
	put(session)

	whole := c.heartRates()
	c.samePoints("one page", whole, want)
	for _, limit := range []int{13, 50, 1000, len(want), len(want) + 1} {
		got := c.points(store.SampleQuery{User: user, Metric: "heart_rate", Limit: limit})
		c.equal("pages give the order of one page", got, whole)
	}
	for _, bounds := range [][2]int64{{0, day}, {197, 198}, {198, 394}, {5000, 6000}, {-day, 1}, {2 * day, 3 * day}, {-5, 500 * day}} {
		from, to := bounds[0], bounds[1]
		for _, limit := range []int{0, 100} {
			got := c.points(store.SampleQuery{
				User: user, Metric: "heart_rate", From: sampleStart + from*1000, To: sampleStart + to*1000, Limit: limit,
			})
			c.equal("points in bounds", got, within(whole, from, to, true))
		}
	}
	page, err := c.s.Samples(c.ctx, store.SampleQuery{User: user, Metric: "heart_rate", Limit: 10})
	c.ok(err, "Samples")
	c.that(page.Next != "", "a limit of 10 gives all %d points at once", len(want))
}

func checkSamplesFilters(c *checker) {
	a := seriesRecord("a", 10, 0, 100, every(10, 0, 100), 60)
	b := seriesRecord("", 10, 0, 100, every(10, 0, 100), 70)
	b.Key = "other/b"
	d := seriesRecord("d", 10, 0, 100, every(10, 0, 100), 80)
	d.Connection = "conn-2"
	e := seriesRecord("e", 10, 0, 100, every(10, 0, 100), 90)
	e.Kind = health.KindActivity
	f := seriesRecord("f", 10, 0, 100, every(10, 0, 100), 95)
	f.Connection = "conn-3"
	for _, r := range []health.Record{a, b, d, e, f} {
		batch := batchOf(store.Page{Stream: r.Stream(), Records: []health.Record{r}})
		batch.Connection = r.Connection
		if r.Connection == "conn-3" {
			batch.User = "user-2"
		}
		c.commit(batch)
	}
	for what, tc := range map[string]struct {
		q    store.SampleQuery
		want []point
	}{
		"all":                   {store.SampleQuery{User: user}, slices.Concat(pointsOf(a, 0), pointsOf(b, 0), pointsOf(d, 0), pointsOf(e, 0))},
		"another user":          {store.SampleQuery{User: "user-2"}, pointsOf(f, 0)},
		"nobody":                {store.SampleQuery{User: "user-3"}, nil},
		"another's connection":  {store.SampleQuery{User: user, Connections: []string{"conn-3"}}, nil},
		"one connection":        {store.SampleQuery{User: user, Connections: []string{"conn-2"}}, pointsOf(d, 0)},
		"two connections":       {store.SampleQuery{User: user, Connections: []string{"conn-2", conn}, Stream: stream}, slices.Concat(pointsOf(a, 0), pointsOf(d, 0), pointsOf(e, 0))},
		"one stream":            {store.SampleQuery{User: user, Stream: "other"}, pointsOf(b, 0)},
		"one session":           {store.SampleQuery{User: user, Record: e.Key}, pointsOf(e, 0)},
		"a session without any": {store.SampleQuery{User: user, Record: "stream/none"}, nil},
	} {
		tc.q.Metric = "heart_rate"
		c.samePoints(what, c.points(tc.q), tc.want)
	}
}

func checkSeriesShed(c *checker) {
	session := func(order int64, series ...health.Series) health.Record {
		r := seriesRecord("s", order, 0, 100, nil, 0)
		r.Kind, r.Series = health.KindActivity, series
		return r
	}
	series := func(part health.Part, floating bool, value int64) health.Series {
		s := seriesRecord("", 0, 0, 100, every(10, 0, 100), value).Series[0]
		s.Part, s.Floating = part, floating
		return s
	}
	plain, left, floating := series("", false, 60), series("left", false, 70), series("", true, 80)
	neighbour := seriesRecord("t", 10, 0, 100, every(10, 0, 100), 90)
	neighbour.Kind = health.KindActivity
	loose := seriesRecord("s", 10, 0, 100, every(10, 0, 100), 95)
	others := slices.Concat(pointsOf(neighbour, 0), pointsOf(loose, 0))
	c.put(session(10, plain, left, floating), neighbour, loose)
	all := session(10, plain, left, floating)
	c.samePoints("all series", c.heartRates(), slices.Concat(pointsOf(all, 0), pointsOf(all, 1), pointsOf(all, 2), others))

	c.put(session(20, plain, floating))
	c.samePoints("without one part", c.heartRates(), slices.Concat(pointsOf(all, 0), pointsOf(all, 2), others))
	c.put(session(15, left)) // too old
	c.samePoints("after a version that lost", c.heartRates(), slices.Concat(pointsOf(all, 0), pointsOf(all, 2), others))
	described := session(30, plain.Describe(), left)
	c.put(described)
	c.samePoints("with one described", c.heartRates(), slices.Concat(pointsOf(all, 0), pointsOf(all, 1), others))
	described.Rev.Order, described.Source.Device = 40, "ring"
	described.Series[1] = left.Describe()
	c.put(described)
	c.samePoints("with all described under another source", c.heartRates(), slices.Concat(pointsOf(all, 0), pointsOf(all, 1), others))
	moved := session(50, series("", false, 61), series("left", false, 71))
	moved.Source.Device = "ring"
	c.put(moved)
	c.samePoints("with points from another source", c.heartRates(), slices.Concat(pointsOf(moved, 0), pointsOf(moved, 1), others))
	c.put(session(60))
	c.samePoints("without series", c.heartRates(), others)
	c.put(session(70, left))
	c.samePoints("with a series again", c.heartRates(), append(pointsOf(session(70, left), 0), others...))
}

func checkSeriesClock(c *checker) {
	record := func(name string, order int64, zone health.Zone, from int64) health.Record {
		r := seriesRecord(name, order, from, from+100, every(10, from, from+100), 60+order)
		r.Span.Zone, r.Series[0].Floating = zone, zone == health.ZoneFloating
		return r
	}
	floating, neighbour := record("s", 10, health.ZoneFloating, 0), record("t", 10, health.ZoneFloating, 100)
	c.put(floating, neighbour)
	c.samePoints("floating", c.heartRates(), slices.Concat(pointsOf(floating, 0), pointsOf(neighbour, 0)))
	placed := record("s", 10, health.ZoneFromProfile, 3600) // it ties, and knows more
	c.put(placed)
	c.samePoints("in a zone", c.heartRates(), slices.Concat(pointsOf(placed, 0), pointsOf(neighbour, 0)))
	c.put(floating)
	c.samePoints("after a version that lost", c.heartRates(), slices.Concat(pointsOf(placed, 0), pointsOf(neighbour, 0)))
	back := record("s", 20, health.ZoneFloating, 0)
	c.put(back)
	c.samePoints("floating again", c.heartRates(), slices.Concat(pointsOf(back, 0), pointsOf(neighbour, 0)))
}

func checkSeriesKinds(c *checker) {
	sleep, activity := seriesRecord("one", 10, 0, 100, every(1, 0, 100), 50), seriesRecord("one", 10, 0, 100, every(1, 0, 100), 150)
	loose := seriesRecord("one", 10, 0, 100, every(1, 0, 100), 90)
	sleep.Kind, activity.Kind = health.KindSleep, health.KindActivity
	c.put(sleep, activity, loose)
	want := slices.Concat(pointsOf(sleep, 0), pointsOf(activity, 0), pointsOf(loose, 0))
	for _, limit := range []int{0, 1, 70, 100, 101} {
		c.samePoints("all", c.points(store.SampleQuery{User: user, Metric: "heart_rate", Limit: limit}), want)
	}
	c.samePoints("those of the key", c.points(store.SampleQuery{User: user, Metric: "heart_rate", Record: sleep.Key}), want[:200])
	sleep = seriesRecord("one", 20, 20, 30, []int64{25}, 40)
	sleep.Kind = health.KindSleep
	c.put(sleep)
	want = slices.Concat(within(want[:100], 20, 30, false), pointsOf(sleep, 0), want[100:])
	c.samePoints("after one changed", c.heartRates(), want)
}
