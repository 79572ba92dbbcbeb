package storetest

import (
	"slices"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

func versionCases() []testCase {
	return []testCase{
		{id: "version-newer", rule: "a newer version replaces the stored one", check: checkVersionNewer},
		{id: "version-older", rule: "an older version never replaces a newer one", check: checkVersionOlder},
		{id: "version-equal", rule: "equal content is no change, but a newer revision of it counts", check: checkVersionEqual},
		{id: "version-tie", rule: "a tie is a conflict that a pull wins against a push, and else the larger fingerprint", check: checkVersionTie},
		{id: "version-sticky", rule: "sticky values survive versions that lack them, in whichever order they come", check: checkVersionSticky},
		{id: "version-tombstone", rule: "a tombstone is a version: it removes, and a newer version brings back", check: checkVersionTombstone},
		{id: "version-causes", rule: "changes carry the cause: new, revision, deletion or remap", check: checkVersionCauses},
	}
}

func checkVersionNewer(c *checker) {
	old := bodyRecord("a", 0, 10, 70_000)
	c.counts("the first version", c.put(old), 1, 0, 0, 0, 0)
	for i, change := range []func(*health.Record){
		func(r *health.Record) { r.Rev.Order++; r.Values[0].Number = health.Int(71) },
		func(r *health.Record) { r.Rev.Mapping++; r.Values[0].Number = health.Int(72) },
		func(r *health.Record) { r.Rev.Order++; r.Rev.Mapping = 0; r.Span.Start = health.Floating(1.7e12) },
		func(r *health.Record) {
			r.Rev.Order++
			r.Source.Device = "scale"
			r.Texts = []health.Text{{Name: "note", Value: "x"}}
		},
		func(r *health.Record) { r.Rev.Order++; r.Values = nil },
	} {
		old.Values = slices.Clone(old.Values)
		change(&old)
		c.counts("a newer version", c.put(old), 0, 1, 0, 0, 0)
		c.same("the record", c.everything(), stored(old))
		c.that(i > 0 || len(c.drain("watcher")) == 2, "a newer version is not told")
	}
	c.equal("changes", told(c.drain("watcher")), slices.Repeat([]string{"revision stream/a"}, 4))
}

func checkVersionOlder(c *checker) {
	newest := bodyRecord("a", 0, 100, 70_000)
	newest.Rev.Mapping = 5
	c.put(newest)
	c.drain("watcher")
	for _, change := range []func(*health.Record){
		func(r *health.Record) { r.Rev.Order-- },
		func(r *health.Record) { r.Rev.Order--; r.Rev.Mapping = 9 },
		func(r *health.Record) { r.Rev.Mapping-- },
	} {
		older := bodyRecord("a", 5, 100, 60_000)
		older.Rev.Mapping = 5
		change(&older)
		c.counts("an older version", c.put(older), 0, 0, 0, 0, 1)
		c.same("the record", c.everything(), stored(newest))
	}
	c.put(tombstone(newest, 50))
	got := c.everything()[0]
	got.Erased = health.Rev{} // that there was a tombstone may be remembered
	c.same("the record after an older tombstone", []health.Record{got}, stored(newest))
	c.equal("changes", len(c.drain("watcher")), 0)
}

func checkVersionEqual(c *checker) {
	r := bodyRecord("a", 0, 10, 70_000)
	c.put(r)
	c.drain("watcher")
	c.counts("the same", c.put(r), 0, 0, 0, 1, 0)

	older := r
	older.Rev.Order = 5
	c.counts("the same content of an older revision", c.put(older), 0, 0, 0, 1, 0)
	c.same("the record", c.everything(), stored(r))

	newer := r
	newer.Rev.Order, newer.Rev.Mapping = 20, 3
	c.counts("the same content of a newer revision", c.put(newer), 0, 0, 0, 1, 0)
	c.same("the record moved to the revision", c.everything(), stored(newer))
	c.equal("changes", len(c.drain("watcher")), 0)

	between := bodyRecord("a", 1, 15, 60_000)
	c.counts("a late version from between the two", c.put(between), 0, 0, 0, 0, 1)
	c.same("the record", c.everything(), stored(newer))
}

func checkVersionTie(c *checker) {
	push, pull := bodyRecord("a", 0, 10, 70_000), bodyRecord("a", 1, 10, 71_000)
	push.Rev.Push = true
	conflicts := func(what string, got store.Result, r health.Record) {
		c.equal(what+": conflicts", got.Conflicts, []store.Conflict{{
			Kind: r.Kind, Key: r.Key, Day: r.Span.Day, Start: r.Span.Start,
		}})
	}
	c.that(c.put(push).Conflicts == nil, "a first version conflicts")
	got := c.put(pull)
	c.counts("a pull ties with a push", got, 0, 1, 0, 0, 0)
	conflicts("a pull ties with a push", got, pull)
	c.same("the record", c.everything(), stored(pull))
	got = c.put(push)
	c.counts("a push ties with a pull", got, 0, 0, 0, 0, 1)
	conflicts("a push ties with a pull", got, push)
	c.same("the record", c.everything(), stored(pull))

	x, y := stored(bodyRecord("b", 2, 10, 70_000)), stored(bodyRecord("b", 2, 10, 70_001))
	smaller, larger := x, y
	if x.Rev.Fingerprint > y.Rev.Fingerprint {
		smaller, larger = y, x
	}
	c.put(smaller)
	c.equal("conflicts of two pulls", len(c.put(larger).Conflicts), 1)
	c.same("the larger fingerprint after the smaller", []health.Record{c.record(health.KindBody, larger.Key)}, larger)
	c.equal("conflicts of two pulls", len(c.put(smaller).Conflicts), 1)
	c.same("the larger fingerprint before the smaller", []health.Record{c.record(health.KindBody, larger.Key)}, larger)
}

func checkVersionSticky(c *checker) {
	score := health.Value{Metric: "sleep_score", Number: health.Int(80), Flags: health.FlagSticky}
	versions := func(name string) (with, without health.Record) {
		with, without = bodyRecord(name, 0, 10, 70_000), bodyRecord(name, 0, 20, 71_000)
		with.Values = append(with.Values, score)
		with.Normalize()
		return with, without
	}
	with, without := versions("a")
	c.put(with)
	c.counts("a version without the sticky value", c.put(without), 0, 1, 0, 0, 0)
	x := c.record(health.KindBody, with.Key)
	with, without = versions("b")
	c.put(without)
	c.counts("a late version with the sticky value", c.put(with), 0, 1, 0, 0, 0)
	y := c.record(health.KindBody, with.Key)
	with, without = versions("c")
	c.put(without)
	c.counts("a late version with the sticky value, and the stored one with it", c.put(with, without), 0, 1, 0, 0, 0)
	z := c.record(health.KindBody, with.Key)
	for _, r := range []health.Record{x, y, z} {
		c.equal("number of values", len(r.Values), 2)
		carried := r.Values[1]
		c.equal("the carried value", []any{carried.Metric, carried.Number, carried.AsOf, carried.Origin},
			[]any{score.Metric, score.Number, int64(10), uint16(1)})
		c.equal("the revision of the newer version", r.Rev, stored(without).Rev)
		c.equal("the number of the newer version", r.Values[0].Number.Coefficient, int64(71_000))
		c.equal("origins", r.Origins, []health.Rev{stored(with).Rev})
	}
	y.Key, z.Key = x.Key, x.Key
	c.same("both orders", []health.Record{y}, x)
	c.same("late, and together", []health.Record{z}, x)
	c.counts("the newer version again", c.put(without), 0, 0, 0, 1, 0)

	with, without = versions("d")
	c.put(without)
	c.put(tombstone(with, 15), without)
	c.put(with)
	c.equal("values that a tombstone ended", len(c.record(health.KindBody, with.Key).Values), 1)

	gone := tombstone(bodyRecord("a", 0, 0, 0), 30)
	c.put(gone)
	back := bodyRecord("a", 0, 40, 72_000)
	c.put(back)
	c.equal("values after a tombstone", len(c.record(health.KindBody, back.Key).Values), 1)
}

func checkVersionTombstone(c *checker) {
	live := bodyRecord("a", 0, 10, 70_000)
	c.put(live)
	gone := tombstone(live, 20)
	c.counts("a tombstone", c.put(gone), 0, 0, 1, 0, 0)
	c.same("live records", c.records(store.RecordQuery{User: user}))
	c.same("with tombstones", c.everything(), stored(gone))
	c.counts("the tombstone again", c.put(gone), 0, 0, 0, 1, 0)
	c.counts("a version from before it", c.put(live), 0, 0, 0, 0, 1)
	c.same("live records", c.records(store.RecordQuery{User: user}))

	back := bodyRecord("a", 0, 30, 71_000)
	c.counts("a version from after it", c.put(back), 0, 1, 0, 0, 0)
	got := c.records(store.RecordQuery{User: user})
	c.that(len(got) == 1 && got[0].State == health.StateLive && got[0].Rev.Order == 30, "the record is not back")

	unseen := tombstone(bodyRecord("b", 1, 0, 0), 50)
	c.counts("a tombstone of nothing", c.put(unseen), 0, 0, 1, 0, 0)
	c.counts("a late version from before it", c.put(bodyRecord("b", 1, 40, 70_000)), 0, 0, 0, 0, 1)
	c.equal("live records", len(c.records(store.RecordQuery{User: user})), 1)
}

func checkVersionCauses(c *checker) {
	with := func(cause store.Cause, r health.Record) {
		b := batchOf(pageOf(r))
		b.Cause = cause
		c.commit(b)
	}
	record := func(order int64) health.Record { return bodyRecord("a", 0, order, 70_000+order) }
	with(store.CauseBackfill, record(10))
	with(store.CauseBackfill, record(20))
	with(store.CauseLive, record(30))
	with(store.CauseRemap, record(40))
	with(store.CauseLive, tombstone(record(0), 50))
	with(store.CauseLive, record(60))
	with(store.CauseLive, bodyRecord("b", 0, 10, 1))
	got := c.drain("watcher")
	c.equal("causes", told(got), []string{
		"backfill stream/a", "revision stream/a", "revision stream/a", "remap stream/a", "deletion stream/a",
		"revision stream/a", "live stream/b",
	})
	want := record(0)
	for i, change := range got {
		c.that(change.Position != "", "change %d has no position", i)
		state := health.StateLive
		if change.Cause == store.CauseDeletion {
			state = health.StateDeleted
		}
		c.that(change.User == user && change.Connection == conn && change.Kind == health.KindBody &&
			change.Day == want.Span.Day && change.State == state && change.At.Equal(present),
			"change %d: got %+v", i, change)
	}
	gone := tombstone(record(0), 70)
	gone.Span = health.Span{}
	c.put(gone)
	if list := c.drain("watcher"); len(list) != 1 || list[0].Day != want.Span.Day {
		c.fail("a tombstone without a day does not tell the day of what it removed: got %+v", list)
	}
}
