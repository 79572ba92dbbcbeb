package storetest

import (
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

func absentCases() []testCase {
	return []testCase{
		{id: "absent-window", rule: "absence makes tombstones in the window and the stream only, and of no newer record", check: checkAbsentWindow},
		{id: "absent-instants", rule: "a window of instants holds records by the instant of their start", check: checkAbsentInstants},
		{id: "absent-brought", rule: "a record that the batch itself brings is not absent", check: checkAbsentBrought},
		{id: "absent-restored", rule: "a pull that finds the record again restores it, a push does not", check: checkAbsentRestored},
		{id: "absent-tombstone", rule: "a tombstone for absence keeps place, order and mapping, and loses the content", check: checkAbsentTombstone},
	}
}

// absent names what a walk over 2026-11-01 showed.
func absent(order int64, keys ...string) store.Absent {
	day := health.Day{Year: 2026, Month: 11, Dom: 1}
	return store.Absent{
		Stream: stream, Window: health.Window{First: day, Last: day},
		Keys: map[health.Kind][]string{health.KindBody: keys}, Order: order,
	}
}

func checkAbsentWindow(c *checker) {
	inside, gone := bodyRecord("inside", 0, 10, 1), bodyRecord("gone", 1, 10, 1)
	outside, before := bodyRecord("outside", 24*60, 10, 1), bodyRecord("before", -1, 10, 1)
	newer := bodyRecord("newer", 2, 101, 1)
	other := bodyRecord("", 3, 10, 1)
	other.Key = "other/gone"
	dayless := bodyRecord("dayless", 4, 10, 1)
	dayless.Span.Day = health.Day{}
	same := bodyRecord("inside", 5, 10, 1)
	same.Kind = health.KindObservation
	late := bodyRecord("late", 6, 100, 1)
	c.put(inside, gone, outside, before, newer, dayless, same, late)
	c.commit(batchOf(store.Page{Stream: "other", Records: []health.Record{other}}))
	c.drain("watcher")

	b := batchOf()
	b.Absent = []store.Absent{absent(100, inside.Key)}
	c.counts("absence", c.commit(b), 0, 0, 3, 0, 0)
	live := c.records(store.RecordQuery{User: user})
	c.same("live records", live, stored(inside), stored(outside), stored(before), stored(newer), stored(dayless), stored(other))
	got := map[string]bool{}
	for _, change := range c.drain("watcher") {
		c.that(change.Cause == store.CauseDeletion && change.State == health.StateDeleted && !change.Day.IsZero(),
			"change of an absent record: got %+v", change)
		got[string(change.Kind)+" "+change.Key] = true
	}
	c.equal("changes", got, map[string]bool{"body stream/gone": true, "observation stream/inside": true, "body stream/late": true})
	c.counts("the same absence again", c.commit(b), 0, 0, 0, 0, 0)
	c.equal("changes", len(c.drain("watcher")), 0)
}

func checkAbsentInstants(c *checker) {
	from := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	first, last := bodyRecord("first", 0, 10, 1), bodyRecord("last", 59, 10, 1)
	end, before := bodyRecord("end", 60, 10, 1), bodyRecord("before", -1, 10, 1)
	floating := bodyRecord("floating", 30, 10, 1)
	floating.Span.Start = health.Floating(floating.Span.Start.SortMilli())
	floating.Span.Zone = health.ZoneFloating
	zoned := bodyRecord("zoned", 30, 10, 1)
	zoned.Span.Start = health.Zoned(zoned.Span.Start.SortMilli(), 12*3600)
	unset := bodyRecord("unset", 0, 10, 1)
	unset.Span.Start = health.Moment{}
	c.put(first, last, end, before, floating, zoned, unset)
	b := batchOf()
	b.Absent = []store.Absent{{Stream: stream, Window: health.Window{From: from, To: from.Add(time.Hour)}, Order: 100}}
	c.counts("absence", c.commit(b), 0, 0, 3, 0, 0)
	c.same("live records", c.records(store.RecordQuery{User: user}),
		stored(end), stored(before), stored(floating), stored(unset))
	// Whatever zone it is in, it lies in here.
	b.Absent[0].Window = health.Window{From: from.AddDate(0, 0, -1), To: from.AddDate(0, 0, 1)}
	overlapping := b.Absent[0]
	overlapping.Window.To = from.AddDate(0, 0, 2)
	b.Absent = append(b.Absent, overlapping)
	c.counts("absence in longer windows that overlap", c.commit(b), 0, 0, 3, 0, 0)
	c.same("live records", c.records(store.RecordQuery{User: user}), stored(unset))
}

func checkAbsentBrought(c *checker) {
	same, older, gone := bodyRecord("same", 0, 10, 1), bodyRecord("older", 1, 10, 1), bodyRecord("gone", 2, 10, 1)
	c.put(same, older, gone)
	stale, fresh := bodyRecord("older", 1, 9, 2), bodyRecord("fresh", 3, 10, 1)
	b := batchOf(pageOf(same, stale, fresh))
	b.Absent = []store.Absent{absent(100)}
	c.counts("absence", c.commit(b), 1, 0, 1, 1, 1)
	c.same("live records", c.records(store.RecordQuery{User: user}), stored(same), stored(older), stored(fresh))
}

func checkAbsentRestored(c *checker) {
	r := bodyRecord("a", 0, 10, 70_000)
	r.Series = []health.Series{{Metric: "heart_rate", From: 1e12, To: 1e12 + 10, Times: []int64{1e12}, Values: []int64{60}}}
	c.put(r)
	remove := func() {
		b := batchOf()
		b.Absent = []store.Absent{absent(100)}
		c.counts("absence", c.commit(b), 0, 0, 1, 0, 0)
		c.equal("live records", len(c.records(store.RecordQuery{User: user})), 0)
		c.equal("samples", len(c.points(store.SampleQuery{User: user, Metric: "heart_rate"})), 0)
	}
	remove()
	push := r
	push.Rev.Push = true
	c.counts("a push of the same order", c.put(push), 0, 0, 0, 0, 1)
	older := r
	older.Rev.Order--
	c.counts("an older pull", c.put(older), 0, 0, 0, 0, 1)
	c.drain("watcher")

	c.counts("a pull of the same order", c.put(r), 0, 1, 0, 0, 0)
	c.same("the record", c.records(store.RecordQuery{User: user}), stored(r))
	c.samePoints("its samples", c.points(store.SampleQuery{User: user, Metric: "heart_rate"}), pointsOf(r, 0))
	c.equal("changes", told(c.drain("watcher")), []string{"revision stream/a"})

	remove()
	newer := push
	newer.Rev.Order++
	c.counts("a newer push", c.put(newer), 0, 1, 0, 0, 0)
	c.same("the record", c.records(store.RecordQuery{User: user}), stored(newer))
}

func checkAbsentTombstone(c *checker) {
	r := bodyRecord("a", 0, 10, 70_000)
	r.Rev.Mapping, r.Rev.Push = 7, true
	r.Texts = []health.Text{{Name: "note", Value: "x"}}
	c.put(r)
	b := batchOf()
	a := absent(100)
	b.Absent = []store.Absent{a}
	c.commit(b)
	c.same("the tombstone", c.everything(), a.Tombstone(&r))
}
