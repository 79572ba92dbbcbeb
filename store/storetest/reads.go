package storetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

func readCases() []testCase {
	return []testCase{
		{id: "records-paging", rule: "records are read in order of start, connection, kind and key, each once, in any size of page", check: checkRecordsPaging},
		{id: "records-filters", rule: "records are selected by connection, kind, stream, key and time", check: checkRecordsFilters},
		{id: "records-users", rule: "nobody reads another user's records", check: checkRecordsUsers},
	}
}

// spread commits records with many ties in start, over connections, kinds and
// streams, and returns them as they are stored.
func (c *checker) spread() []health.Record {
	var all []health.Record
	for _, connection := range []string{"conn-a", "conn-b"} {
		for _, name := range []string{"one", "two"} {
			var page []health.Record
			for _, kind := range []health.Kind{health.KindBody, health.KindDaily, health.KindObservation} {
				for i := range 10 {
					r := bodyRecord("", i/3, int64(10+i), int64(i))
					r.Connection, r.Kind, r.Key = connection, kind, fmt.Sprintf("%s/%02d", name, 9-i)
					switch i {
					case 7:
						r.Span.Start = health.Floating(r.Span.Start.SortMilli())
					case 8:
						r.Span.Start = health.Moment{}
					case 9:
						r = tombstone(r, 99)
					}
					page = append(page, r)
					all = append(all, stored(r))
				}
			}
			c.rand.Shuffle(len(page), func(i, j int) { page[i], page[j] = page[j], page[i] })
			b := batchOf(store.Page{Stream: name, Records: page})
			b.Connection = connection
			c.commit(b)
		}
	}
	slices.SortFunc(all, compareRecords)
	return all
}

func checkRecordsPaging(c *checker) {
	all := c.spread()
	live := slices.DeleteFunc(slices.Clone(all), func(r health.Record) bool { return r.State == health.StateDeleted })
	for _, limit := range []int{0, 1, 7, 50, len(live), len(all), len(all) + 1} {
		what := fmt.Sprintf("pages of %d", limit)
		c.same(what, c.records(store.RecordQuery{User: user, Limit: limit}), live...)
		c.same(what+" with tombstones", c.records(store.RecordQuery{User: user, Limit: limit, Deleted: true}), all...)
	}
	page, err := c.s.Records(c.ctx, store.RecordQuery{User: user, Limit: len(live) - 1})
	c.ok(err, "Records")
	c.that(len(page.Records) == len(live)-1 && page.Next != "", "a page that is not the last has no next")

	// A record that is written behind the page is read, one in front of it
	// does not make another appear twice.
	page, err = c.s.Records(c.ctx, store.RecordQuery{User: user, Limit: 20})
	c.ok(err, "Records")
	early, late := bodyRecord("early", -60, 1, 1), bodyRecord("late", 60, 1, 1)
	c.put(early, late)
	rest := c.records(store.RecordQuery{User: user, Limit: 20, After: page.Next})
	c.same("reading on after a commit", append(page.Records, rest...), append(live, stored(late))...)
}

func checkRecordsFilters(c *checker) {
	all := c.spread()
	at := func(minutes int) time.Time { return time.Date(2026, 11, 1, 0, minutes, 0, 0, time.UTC) }
	in := func(r health.Record, from, to time.Time) bool {
		milli := r.Span.Start.SortMilli()
		return (from.IsZero() || milli >= from.UnixMilli()) && (to.IsZero() || milli < to.UnixMilli())
	}
	for what, tc := range map[string]struct {
		q    store.RecordQuery
		want func(health.Record) bool
	}{
		"a connection":       {store.RecordQuery{Connections: []string{"conn-b"}}, func(r health.Record) bool { return r.Connection == "conn-b" }},
		"both connections":   {store.RecordQuery{Connections: []string{"conn-b", "conn-a"}}, func(health.Record) bool { return true }},
		"a connection of no": {store.RecordQuery{Connections: []string{"conn-z"}}, func(health.Record) bool { return false }},
		"a kind":             {store.RecordQuery{Kinds: []health.Kind{health.KindDaily}}, func(r health.Record) bool { return r.Kind == health.KindDaily }},
		"two kinds": {store.RecordQuery{Kinds: []health.Kind{health.KindObservation, health.KindDaily}},
			func(r health.Record) bool { return r.Kind != health.KindBody }},
		"a stream":  {store.RecordQuery{Streams: []string{"two"}}, func(r health.Record) bool { return r.Stream() == "two" }},
		"no stream": {store.RecordQuery{Streams: []string{"tw", "two/"}}, func(health.Record) bool { return false }},
		"keys": {store.RecordQuery{Connections: []string{"conn-a"}, Kinds: []health.Kind{health.KindBody}, Keys: []string{"one/03", "two/05", "one/nothing"}},
			func(r health.Record) bool {
				return r.Connection == "conn-a" && r.Kind == health.KindBody && (r.Key == "one/03" || r.Key == "two/05")
			}},
		"from": {store.RecordQuery{From: at(2)}, func(r health.Record) bool { return in(r, at(2), time.Time{}) }},
		"to":   {store.RecordQuery{To: at(2)}, func(r health.Record) bool { return in(r, time.Time{}, at(2)) }},
		"from and to in another zone": {store.RecordQuery{From: at(1).In(time.FixedZone("", 7200)), To: at(3).In(time.FixedZone("", -7200))},
			func(r health.Record) bool { return in(r, at(1), at(3)) }},
		"a moment": {store.RecordQuery{From: at(1), To: at(1)}, func(health.Record) bool { return false }},
		"all at once": {store.RecordQuery{Connections: []string{"conn-a"}, Kinds: []health.Kind{health.KindBody, health.KindDaily}, Streams: []string{"one"}, From: at(1), To: at(3)},
			func(r health.Record) bool {
				return r.Connection == "conn-a" && r.Kind != health.KindObservation && r.Stream() == "one" && in(r, at(1), at(3))
			}},
	} {
		for _, deleted := range []bool{false, true} {
			q := tc.q
			q.User, q.Deleted = user, deleted
			if !deleted {
				q.Limit = 3
			}
			want := slices.DeleteFunc(slices.Clone(all), func(r health.Record) bool {
				return !tc.want(r) || r.State == health.StateDeleted && !deleted
			})
			c.same(fmt.Sprintf("%s, deleted %t, limit %d", what, deleted, q.Limit), c.records(q), want...)
		}
	}
}

func checkRecordsUsers(c *checker) {
	mine := bodyRecord("a", 0, 10, 70_000)
	c.put(mine)
	theirs := mine
	theirs.Connection = "conn-2"
	b := batchOf(pageOf(theirs))
	b.User, b.Connection = "user-2", "conn-2"
	c.commit(b)
	c.same("mine", c.everything(), stored(mine))
	c.same("theirs", c.records(store.RecordQuery{User: "user-2"}), stored(theirs))
	c.same("nobody's", c.records(store.RecordQuery{User: "user"}))
	c.same("theirs asked for as mine", c.records(store.RecordQuery{User: user, Connections: []string{"conn-2"}}))
	c.same("their key asked for as mine", c.records(store.RecordQuery{
		User: user, Connections: []string{"conn-2"}, Kinds: []health.Kind{health.KindBody}, Keys: []string{theirs.Key},
	}))
}
