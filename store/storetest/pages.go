package storetest

import (
	"slices"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

func pageCases() []testCase {
	return []testCase{
		{id: "page-digest", rule: "a page of known digest is skipped, a page of another or of none is not", check: checkPageDigest},
		{id: "page-digest-forgotten", rule: "a change of a stored record forgets the digests of the stream's other pages", check: checkPageDigestForgotten},
		{id: "page-digest-kept", rule: "records that are new leave the digests of the stream's other pages", check: checkPageDigestKept},
		{id: "page-digest-absent", rule: "a tombstone for absence forgets the digests of the stream", check: checkPageDigestAbsent},
		{id: "page-digest-stale", rule: "a page of which a record lost against a newer version of other content is not skipped", check: checkPageDigestStale},
		{id: "raw-once", rule: "raw answers are kept once per content, under the latest date, and only if a record was written", check: checkRawOnce},
		{id: "raw-order", rule: "raw answers are read in the order in which they were first stored, in pages", check: checkRawOrder},
		{id: "quarantine", rule: "what is set aside is kept once, and listed newest first", check: checkQuarantine},
		{id: "coverage", rule: "covered windows merge: neighbouring days and touching instants become one", check: checkCoverage},
	}
}

// digestPage returns a page with a key and a digest.
func digestPage(key string, digest uint64, records ...health.Record) store.Page {
	p := pageOf(records...)
	p.Key, p.Digest = key, digest
	return p
}

// skips commits the page alone and returns whether it was skipped.
func (c *checker) skips(p store.Page) bool {
	got := c.commit(batchOf(p))
	if got.SkippedPages == 1 {
		c.counts("a page that is skipped", got, 0, 0, 0, 0, 0)
	}
	return got.SkippedPages == 1
}

func checkPageDigest(c *checker) {
	a := bodyRecord("a", 0, 10, 70_000)
	c.that(!c.skips(digestPage("1", 7, a)), "a new page is skipped")
	c.that(c.skips(digestPage("1", 7, a)), "a known page is not skipped")
	c.that(!c.skips(digestPage("2", 7, a)), "a page of another key is skipped")
	c.that(!c.skips(digestPage("1", 8, a)), "a page of another digest is skipped")
	c.that(!c.skips(digestPage("1", 7, a)), "a digest is known after another took its place")
	c.that(c.skips(digestPage("1", 7, a)), "a page of unchanged records is not remembered")
	for range 2 {
		c.that(!c.skips(digestPage("0", 0, a)), "a page without digest is skipped")
	}
	other := bodyRecord("a", 0, 10, 70_000)
	other.Key = "other/a"
	p := digestPage("1", 7, other)
	p.Stream = "other"
	c.that(!c.skips(p), "a page of another stream is skipped")
	c.that(c.skips(digestPage("1", 7, a)), "a change in another stream forgot the digest")
}

func checkPageDigestForgotten(c *checker) {
	a, b := bodyRecord("a", 0, 10, 70_000), bodyRecord("b", 1, 10, 70_000)
	c.commit(batchOf(digestPage("1", 1, a), digestPage("2", 2, b)))
	c.that(!c.skips(digestPage("1", 3, a)), "a page of another digest is skipped")
	c.that(!c.skips(digestPage("1", 1, a)), "a page of another digest is skipped")
	c.that(c.skips(digestPage("1", 1, a)), "the digest of a page whose records were unchanged is not known")
	c.that(c.skips(digestPage("2", 2, b)), "a page that changed nothing forgot the digest of another")

	changed := bodyRecord("b", 1, 20, 71_000)
	c.put(bodyRecord("new", 2, 10, 70_000), changed)
	c.that(!c.skips(digestPage("1", 1, a)), "a revision left the digest of another page")
	c.that(!c.skips(digestPage("2", 2, b)), "a revision by another page left the digest")
	c.same("records", c.everything(), stored(a), stored(changed), stored(bodyRecord("new", 2, 10, 70_000)))

	c.put(tombstone(a, 20))
	c.that(!c.skips(digestPage("2", 2, b)), "a tombstone left the digest of another page")
}

func checkPageDigestKept(c *checker) {
	a, b := bodyRecord("a", 0, 10, 70_000), bodyRecord("b", 1, 10, 70_000)
	c.skips(digestPage("1", 1, a))
	c.skips(digestPage("2", 2, b))
	c.that(c.skips(digestPage("1", 1, a)), "a new record forgot the digest of another page")
	c.put(bodyRecord("c", 2, 10, 70_000))
	c.put(tombstone(bodyRecord("d", 3, 10, 70_000), 10))
	c.that(c.skips(digestPage("1", 1, a)), "new records forgot the digest of a page")
	c.that(c.skips(digestPage("2", 2, b)), "new records forgot the digest of another page")
}

func checkPageDigestAbsent(c *checker) {
	a, b := bodyRecord("a", 0, 10, 70_000), bodyRecord("b", 1, 10, 70_000)
	page := digestPage("1", 1, a, b)
	c.skips(page)
	batch := batchOf()
	batch.Absent = []store.Absent{absent(100, b.Key)}
	c.equal("tombstones", c.commit(batch).Deleted, 1)
	c.that(!c.skips(page), "the digest of the page survived the tombstone")
	c.same("the record is back", c.records(store.RecordQuery{User: user}), stored(a), stored(b))
}

func checkPageDigestStale(c *checker) {
	// The service says again what it said before the stored version: the page is
	// the same, and of a later order, by which it is the newest.
	c.put(bodyRecord("a", 0, 20, 71_000))
	c.that(!c.skips(digestPage("1", 1, bodyRecord("a", 0, 10, 70_000), bodyRecord("b", 1, 10, 70_000))), "a new page is skipped")
	c.that(!c.skips(digestPage("1", 1, bodyRecord("a", 0, 30, 70_000), bodyRecord("b", 1, 30, 70_000))), "a page whose record was stale is skipped")
	c.same("the page as it was told last", c.everything(), stored(bodyRecord("a", 0, 30, 70_000)), stored(bodyRecord("b", 1, 30, 70_000)))
	c.that(c.skips(digestPage("1", 1, bodyRecord("a", 0, 30, 70_000), bodyRecord("b", 1, 30, 70_000))), "the digest of a page that was taken is not known")

	// A tombstone is such a version too.
	c.put(tombstone(bodyRecord("a", 0, 0, 0), 50))
	c.that(!c.skips(digestPage("1", 1, bodyRecord("a", 0, 40, 70_000))), "a page from before a tombstone is skipped")
	c.that(!c.skips(digestPage("1", 1, bodyRecord("a", 0, 60, 70_000))), "a page whose record was deleted is skipped")

	// What is stored may take sticky values from a version that lost.
	sticky := func(order, weight int64) health.Record {
		r := bodyRecord("s", 2, order, weight)
		r.Values = append(r.Values, health.Value{Metric: "body_height", Flags: health.FlagSticky, Number: health.Int(2)})
		r.Normalize()
		return r
	}
	c.put(bodyRecord("s", 2, 20, 71_000))
	c.that(!c.skips(digestPage("2", 2, sticky(10, 70_000))), "a new page is skipped")
	c.that(!c.skips(digestPage("2", 2, sticky(30, 70_000))), "a page that only left its sticky values is skipped")

	// A tie is told of, once.
	less, more := bodyRecord("t", 4, 10, 70_000), bodyRecord("t", 4, 10, 71_000)
	if less.Fingerprint() > more.Fingerprint() {
		less, more = more, less
	}
	c.put(more)
	c.equal("conflicts", len(c.commit(batchOf(digestPage("4", 4, less))).Conflicts), 1)
	c.that(c.skips(digestPage("4", 4, less)), "the digest of a page that tied is not known")

	// A digest that is known stays so: nothing changed of what it stands for.
	kept := digestPage("3", 3, bodyRecord("k", 3, 20, 70_000))
	c.skips(kept)
	c.that(!c.skips(digestPage("3", 4, bodyRecord("k", 3, 10, 71_000))), "a page of another digest is skipped")
	c.that(c.skips(kept), "a stale page forgot the digest of what is stored")
}

func rawPage(body string, date time.Time) *health.RawPage {
	return &health.RawPage{Stream: stream, Date: date, Zone: "Europe/Paris", Bodies: []health.RawBody{
		{Name: "list", Body: []byte(body)}, {Name: "detail/\u00e9", Body: []byte{0, 0xff, '\n'}}, {Name: "empty"},
	}}
}

func (c *checker) raw(q store.RawQuery) []health.RawPage {
	var all []health.RawPage
	for range pageCap {
		list, err := c.s.RawPages(c.ctx, q)
		c.ok(err, "RawPages")
		c.that(q.Limit == 0 || len(list.Pages) <= q.Limit, "more raw pages than asked for")
		all = append(all, list.Pages...)
		if list.Next == "" {
			return all
		}
		q.After = list.Next
	}
	c.fail("raw pages do not end")
	return nil
}

func (c *checker) sameRaw(what string, got []health.RawPage, want ...*health.RawPage) {
	c.equal(what+": number of raw pages", len(got), len(want))
	for i, w := range want {
		g := got[i]
		c.that(g.Stream == w.Stream && g.Zone == w.Zone && g.Date.Equal(w.Date), "%s: raw page %d: got %s %s %s, want %s %s %s",
			what, i, g.Stream, g.Zone, g.Date, w.Stream, w.Zone, w.Date)
		c.that(slices.EqualFunc(g.Bodies, w.Bodies, func(x, y health.RawBody) bool {
			return x.Name == y.Name && string(x.Body) == string(y.Body)
		}), "%s: raw page %d: got bodies %q, want %q", what, i, g.Bodies, w.Bodies)
	}
}

func checkRawOnce(c *checker) {
	put := func(raw *health.RawPage, records ...health.Record) {
		p := pageOf(records...)
		p.Raw = raw
		c.commit(batchOf(p))
	}
	at := func(days int) time.Time { return present.AddDate(0, 0, days-10).Truncate(time.Second) }
	read := func() []health.RawPage { return c.raw(store.RawQuery{Connection: conn}) }

	put(rawPage("one", at(1)), bodyRecord("a", 0, 10, 70_000))
	c.sameRaw("a page with a new record", read(), rawPage("one", at(1)))
	put(rawPage("two", at(2)), bodyRecord("a", 0, 10, 70_000))
	c.sameRaw("a page without news", read(), rawPage("one", at(1)))
	put(rawPage("two", at(2)))
	c.sameRaw("a page without records", read(), rawPage("one", at(1)))
	put(nil, bodyRecord("b", 0, 10, 70_000))
	c.sameRaw("a page without raw answer", read(), rawPage("one", at(1)))
	put(rawPage("two", at(3)), bodyRecord("a", 0, 20, 71_000))
	c.sameRaw("a revision", read(), rawPage("one", at(1)), rawPage("two", at(3)))
	put(rawPage("one", at(4)), bodyRecord("a", 0, 30, 70_000))
	c.sameRaw("the first content again", read(), rawPage("one", at(4)), rawPage("two", at(3)))
	put(rawPage("two", at(0)), bodyRecord("c", 0, 30, 70_000))
	c.sameRaw("known content of an earlier date", read(), rawPage("one", at(4)), rawPage("two", at(3)))
}

func checkRawOrder(c *checker) {
	var all, even []*health.RawPage
	for i := range 25 {
		r := bodyRecord("a", i, int64(10+i), int64(i))
		p := pageOf(r)
		p.Raw = rawPage(string(rune('a'+25-i)), present.AddDate(0, 0, -i))
		if i%2 == 0 {
			r.Key, p.Stream, p.Raw.Stream = "even/a", "even", "even"
			p.Records = []health.Record{r}
			even = append(even, p.Raw)
		}
		all = append(all, p.Raw)
		c.commit(batchOf(p))
	}
	for _, limit := range []int{0, 1, 7, 25, 26} {
		c.sameRaw("all", c.raw(store.RawQuery{Connection: conn, Limit: limit}), all...)
		c.sameRaw("one stream", c.raw(store.RawQuery{Connection: conn, Stream: "even", Limit: limit}), even...)
	}
	c.sameRaw("another connection", c.raw(store.RawQuery{Connection: "conn-2"}))
}

func checkQuarantine(c *checker) {
	put := func(minute int, key, reason string, raw []byte) {
		p := pageOf()
		p.Quarantined = []store.Quarantined{{Key: key, Reason: reason, Raw: raw}}
		b := batchOf(p)
		b.Now = present.Add(time.Duration(minute) * time.Minute)
		c.commit(b)
	}
	put(1, "k1", "bad number", []byte{0, 0xff})
	put(2, "", "truncated", []byte(`{"a":`))
	put(3, "k3", "bad number", nil)
	put(4, "k1", "bad number", []byte{0, 0xff})
	list, err := c.s.Quarantine(c.ctx, conn, 0)
	c.ok(err, "Quarantine")
	c.equal("number of quarantined data", len(list), 3)
	for i, want := range []store.Quarantined{
		{Key: "k1", Reason: "bad number", Raw: []byte{0, 0xff}, At: present.Add(4 * time.Minute)},
		{Key: "k3", Reason: "bad number", At: present.Add(3 * time.Minute)},
		{Key: "", Reason: "truncated", Raw: []byte(`{"a":`), At: present.Add(2 * time.Minute)},
	} {
		got := list[i]
		c.that(got.Connection == conn && got.Stream == stream && got.Key == want.Key && got.Reason == want.Reason &&
			string(got.Raw) == string(want.Raw) && got.At.Equal(want.At), "datum %d: got %+v, want %+v", i, got, want)
	}
	list, err = c.s.Quarantine(c.ctx, conn, 1)
	c.ok(err, "Quarantine")
	c.that(len(list) == 1 && list[0].Key == "k1", "a limit of 1 does not give the newest")
	list, err = c.s.Quarantine(c.ctx, "conn-2", 0)
	c.ok(err, "Quarantine")
	c.equal("quarantined data of another connection", len(list), 0)
}

func checkCoverage(c *checker) {
	day := func(n int) health.Day { return health.DayOf(present).Add(n) }
	at := func(n int) time.Time { return present.Add(time.Duration(n) * time.Hour) }
	days := func(first, last int) health.Window { return health.Window{First: day(first), Last: day(last)} }
	span := func(from, to int) health.Window { return health.Window{From: at(from), To: at(to)} }
	cover := func(stream string, windows ...health.Window) {
		b := batchOf()
		for _, w := range windows {
			b.Covered = append(b.Covered, store.Covered{Stream: stream, Window: w})
		}
		c.commit(b)
	}
	want := func(what, stream string, windows ...health.Window) {
		got, err := c.s.Coverage(c.ctx, conn, stream)
		c.ok(err, "Coverage")
		c.that(slices.EqualFunc(got, windows, func(x, y health.Window) bool {
			return x.First == y.First && x.Last == y.Last && x.From.Equal(y.From) && x.To.Equal(y.To)
		}), "%s: got %v, want %v", what, got, windows)
	}
	want("nothing", "d")
	cover("d", days(10, 12))
	cover("d", days(1, 3), days(20, 20))
	want("apart", "d", days(1, 3), days(10, 12), days(20, 20))
	cover("d", days(4, 5))
	want("neighbours", "d", days(1, 5), days(10, 12), days(20, 20))
	cover("d", days(7, 8))
	want("a day apart", "d", days(1, 5), days(7, 8), days(10, 12), days(20, 20))
	cover("d", days(2, 19))
	want("all in one", "d", days(1, 20))
	cover("d", days(3, 4))
	want("inside", "d", days(1, 20))

	cover("i", span(10, 12), span(0, 2))
	want("apart", "i", span(0, 2), span(10, 12))
	cover("i", span(2, 4))
	want("touching", "i", span(0, 4), span(10, 12))
	cover("i", health.Window{From: at(4).Add(time.Millisecond), To: at(5)})
	want("a millisecond apart", "i", span(0, 4), health.Window{From: at(4).Add(time.Millisecond), To: at(5)}, span(10, 12))
	cover("i", span(3, 11))
	want("all in one", "i", span(0, 12))
	want("the other stream", "d", days(1, 20))
	got, err := c.s.Coverage(c.ctx, "conn-2", "d")
	c.ok(err, "Coverage")
	c.equal("windows of another connection", len(got), 0)
}
