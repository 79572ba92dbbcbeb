package storetest

import (
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

func recordCases() []testCase {
	return []testCase{
		{id: "record-fields", rule: "every field of a record of every kind is read as it was written", check: checkRecordFields},
		{id: "record-identity", rule: "a record is identified by connection, kind and key, byte by byte", check: checkRecordIdentity},
		{id: "record-copies", rule: "what goes in and out is copied: changing it later changes nothing in the store", check: checkRecordCopies},
		{id: "commit-idempotent", rule: "committing the same again changes nothing and tells nobody", check: checkCommitIdempotent},
		{id: "commit-atomic", rule: "a batch that is refused writes nothing of it", check: checkCommitAtomic},
		{id: "commit-invalid", rule: "a batch that breaks the contract is ErrInvalid", check: checkCommitInvalid},
		{id: "commit-other-user", rule: "a connection is one user's: a batch of another user is ErrInvalid", check: checkCommitOtherUser},
		{id: "commit-duplicate", rule: "of two versions of a record in one batch the better one counts", check: checkCommitDuplicate},
	}
}

func checkRecordFields(c *checker) {
	g := generator{c.rand}
	var want []health.Record
	for _, kind := range health.Kinds() {
		var page []health.Record
		for _, name := range g.names(len(oddTexts) + 20) {
			r := g.record(kind, name)
			if err := r.Validate(present); err != nil {
				c.fail("the suite's own record is not valid: %w", err)
			}
			page = append(page, r)
			want = append(want, stored(r))
		}
		c.put(page...)
	}
	c.same("all records", c.everything(), want...)

	c.s = c.open()
	c.same("all records, by a second handle", c.everything(), want...)
}

func checkRecordIdentity(c *checker) {
	c.connect("conn-2", user)
	var want []health.Record
	for _, kind := range []health.Kind{health.KindBody, health.KindDaily} {
		for _, key := range []string{"s/a", "s/A", "s/a ", "s/a/b", "S/a", "s/\u00e9", "s/e\u0301"} {
			for _, connection := range []string{conn, "conn-2", "CONN-2"} {
				r := bodyRecord("", len(want), 1, int64(len(want)))
				r.Connection, r.Kind, r.Key = connection, kind, key
				b := batchOf(store.Page{Stream: r.Stream(), Records: []health.Record{r}})
				b.Connection = connection
				c.counts("a new identity", c.commit(b), 1, 0, 0, 0, 0)
				want = append(want, stored(r))
			}
		}
	}
	c.same("all identities", c.everything(), want...)
}

func checkRecordCopies(c *checker) {
	given := bodyRecord("a", 0, 1, 70_000)
	given.Kind = health.KindActivity
	given.Texts = []health.Text{{Name: "note", Value: "x"}}
	given.Segments = []health.Segment{{Track: "lap", Start: given.Span.Start, Values: []health.Value{{Metric: "steps", Number: health.Int(5)}}}}
	given.Series = []health.Series{{Metric: "heart_rate", From: 1e12, To: 1e12 + 10, Times: []int64{1e12, 1e12 + 1}, Values: []int64{60, 61}}}
	given.Normalize()
	want := stored(given)
	want.Values = append([]health.Value(nil), want.Values...)
	want.Texts = append([]health.Text(nil), want.Texts...)
	want.Segments = append([]health.Segment(nil), want.Segments...)
	want.Segments[0].Values = append([]health.Value(nil), want.Segments[0].Values...)
	wantPoints := pointsOf(given, 0)
	raw := &health.RawPage{Stream: stream, Date: present, Bodies: []health.RawBody{{Name: "get", Body: []byte("body")}}}
	p := pageOf(given)
	p.Raw = raw
	p.Quarantined = []store.Quarantined{{Key: "q", Reason: "odd", Raw: []byte("aside")}}
	b := batchOf(p)
	b.Cursors = []store.CursorSwap{{
		Old: store.Cursor{Connection: conn, Stream: stream, Lane: store.LaneLive},
		New: store.Cursor{Connection: conn, Stream: stream, Lane: store.LaneLive, Walk: &store.Walk{Query: "q", StartedAt: present}},
	}}
	c.commit(b)

	spoil := func(r *health.Record) {
		r.Values[0].Number = health.Int(-1)
		r.Texts[0].Value = "spoilt"
		r.Segments[0].Code = "spoilt"
		r.Segments[0].Values[0].Number = health.Int(-1)
		r.Series[0].Exp = 9
	}
	spoil(&given)
	given.Series[0].Values[0] = -1
	raw.Bodies[0].Body[0] = 'X'
	p.Quarantined[0].Raw[0] = 'X'
	b.Cursors[0].New.Walk.Query = "spoilt"

	for range 2 { // the second time after what was read is spoilt
		got := c.everything()
		c.same("the record", got, want)
		spoil(&got[0])
		page, err := c.s.Samples(c.ctx, store.SampleQuery{User: user, Metric: "heart_rate"})
		c.ok(err, "Samples")
		c.samePoints("the samples", c.points(store.SampleQuery{User: user, Metric: "heart_rate"}), wantPoints)
		page.Runs[0].Series.Values[0] = -1
		pages, err := c.s.RawPages(c.ctx, store.RawQuery{Connection: conn})
		c.ok(err, "RawPages")
		c.equal("the raw body", string(pages.Pages[0].Bodies[0].Body), "body")
		pages.Pages[0].Bodies[0].Body[0] = 'X'
		aside, err := c.s.Quarantine(c.ctx, conn, 0)
		c.ok(err, "Quarantine")
		c.equal("the quarantined datum", string(aside[0].Raw), "aside")
		aside[0].Raw[0] = 'X'
		cursor, err := c.s.Cursor(c.ctx, conn, stream, store.LaneLive)
		c.ok(err, "Cursor")
		c.equal("the walk", cursor.Walk.Query, "q")
		cursor.Walk.Query = "spoilt"
	}
}

func checkCommitIdempotent(c *checker) {
	g := generator{c.rand}
	var records []health.Record
	for i, name := range g.names(30) {
		r := g.record(health.Kinds()[i%len(health.Kinds())], name)
		if r.State == health.StateLive {
			r.Series = append(r.Series, g.series("heart_rate", present.AddDate(0, 0, -i), 20))
		}
		records = append(records, r)
	}
	p := pageOf(records...)
	p.Raw = &health.RawPage{Stream: stream, Date: present, Bodies: []health.RawBody{{Name: "n", Body: []byte("b")}}}
	p.Quarantined = []store.Quarantined{{Key: "q", Reason: "odd", Raw: []byte("aside")}}
	b := batchOf(p)
	b.Covered = []store.Covered{{Stream: stream, Window: health.Window{First: health.DayOf(present), Last: health.DayOf(present)}}}
	first := c.commit(b)
	c.equal("records of the first commit", first.Inserted+first.Deleted, len(records))
	before := c.everything()
	samples := c.points(store.SampleQuery{User: user, Metric: "heart_rate"})
	c.drain("watcher")

	for range 3 {
		c.counts("the same again", c.commit(b), 0, 0, 0, len(records), 0)
	}
	c.equal("changes told of nothing", len(c.drain("watcher")), 0)
	c.same("records", c.everything(), before...)
	c.samePoints("samples", c.points(store.SampleQuery{User: user, Metric: "heart_rate"}), samples)
	raw, err := c.s.RawPages(c.ctx, store.RawQuery{Connection: conn})
	c.ok(err, "RawPages")
	c.equal("raw pages", len(raw.Pages), 1)
	aside, err := c.s.Quarantine(c.ctx, conn, 0)
	c.ok(err, "Quarantine")
	c.equal("quarantined data", len(aside), 1)
	windows, err := c.s.Coverage(c.ctx, conn, stream)
	c.ok(err, "Coverage")
	c.equal("covered windows", len(windows), 1)
}

// fullBatch writes something of every sort.
func fullBatch() store.Batch {
	r := bodyRecord("full", 0, 1, 70_000)
	r.Series = []health.Series{{Metric: "heart_rate", From: 1e12, To: 1e12 + 10, Times: []int64{1e12}, Values: []int64{60}}}
	p := pageOf(r)
	p.Key, p.Digest = "page", 1
	p.Raw = &health.RawPage{Stream: stream, Date: present, Bodies: []health.RawBody{{Name: "n", Body: []byte("b")}}}
	p.Quarantined = []store.Quarantined{{Key: "q", Reason: "odd", Raw: []byte("aside")}}
	b := batchOf(p)
	zero := store.Cursor{Connection: conn, Stream: stream, Lane: store.LaneLive}
	next := zero
	next.HighWater = "1"
	b.Cursors = []store.CursorSwap{{Old: zero, New: next}}
	b.Covered = []store.Covered{{Stream: stream, Window: health.Window{First: health.DayOf(present), Last: health.DayOf(present)}}}
	b.Due = []store.Due{{Connection: conn, Task: "sync", At: present}}
	return b
}

// checkNothing wants no trace of a refused fullBatch.
func (c *checker) nothing(what string) {
	c.empty(what)
	c.that(len(c.points(store.SampleQuery{User: user, Metric: "heart_rate"})) == 0, "%s: there are samples", what)
	due, err := c.s.Due(c.ctx, "", present, 0)
	c.ok(err, "Due")
	c.that(len(due) == 0, "%s: there are due times", what)
}

func checkCommitAtomic(c *checker) {
	spoilers := map[string]func(*store.Batch){
		"an invalid last record": func(b *store.Batch) {
			bad := bodyRecord("bad", 0, 1, 1)
			bad.Kind = "unheard_of"
			b.Pages = append(b.Pages, pageOf(bodyRecord("good", 0, 1, 1), bad))
		},
		"a series of unequal columns": func(b *store.Batch) {
			bad := bodyRecord("bad", 0, 1, 1)
			bad.Series = []health.Series{{Metric: "steps", From: 1e12, To: 1e12 + 5, Times: []int64{1e12}}}
			b.Pages = append(b.Pages, pageOf(bad))
		},
		"a window that ends before it starts": func(b *store.Batch) {
			b.Covered = append(b.Covered, store.Covered{Stream: stream, Window: health.Window{From: present, To: present.Add(-time.Hour)}})
		},
	}
	for what, spoil := range spoilers {
		b := fullBatch()
		spoil(&b)
		_, err := c.s.Commit(c.ctx, b)
		c.is(err, store.ErrInvalid, "%s", what)
		c.nothing(what)
	}
	c.counts("the batch in order", c.commit(fullBatch()), 1, 0, 0, 0, 0)
}

func checkCommitInvalid(c *checker) {
	long := string(make([]byte, 4<<10+1))
	cursor := store.Cursor{Connection: conn, Stream: stream, Lane: store.LaneLive}
	for what, spoil := range map[string]func(*store.Batch){
		"no user":                      func(b *store.Batch) { b.User = "" },
		"no connection":                func(b *store.Batch) { b.Connection = "" },
		"a connection id of 129 bytes": func(b *store.Batch) { b.Connection = long[:129] },
		"no lease":                     func(b *store.Batch) { b.Unfenced = false },
		"no stream":                    func(b *store.Batch) { b.Pages[0].Stream = "" },
		"a record of another stream":   func(b *store.Batch) { b.Pages[0].Stream = "other" },
		"a record of another connection": func(b *store.Batch) {
			b.Pages[0].Records[0].Connection = "conn-2"
		},
		"a record without connection": func(b *store.Batch) { b.Pages[0].Records[0].Connection = "" },
		"a record without key":        func(b *store.Batch) { b.Pages[0].Records[0].Key = "" },
		"a record of the far future": func(b *store.Batch) {
			b.Pages[0].Records[0].Rev.Order = present.AddDate(1, 0, 0).UnixMilli()
		},
		"a cursor of another connection": func(b *store.Batch) {
			b.Cursors[0].New.Connection = "conn-2"
		},
		"a cursor of over 4 KiB": func(b *store.Batch) { b.Cursors[0].New.HighWater = long },
		"a page token of over 4 KiB": func(b *store.Batch) {
			b.Cursors[0].New.Walk = &store.Walk{PageToken: long}
		},
		"one cursor twice": func(b *store.Batch) { b.Cursors = append(b.Cursors, b.Cursors[0]) },
		"a window of nothing": func(b *store.Batch) {
			b.Absent = []store.Absent{{Stream: stream}}
		},
		"a due time of another connection": func(b *store.Batch) { b.Due[0].Connection = "conn-2" },
		"a connection before itself":       func(b *store.Batch) { b.Predecessor = conn },
		"a lease of another connection": func(b *store.Batch) {
			b.Lease = store.Lease{Connection: "conn-2", Name: "sync", Owner: "o"}
		},
	} {
		b := fullBatch()
		b.Cursors = []store.CursorSwap{{Old: cursor, New: cursor}}
		b.Cursors[0].New.HighWater = "1"
		spoil(&b)
		_, err := c.s.Commit(c.ctx, b)
		c.is(err, store.ErrInvalid, "%s", what)
	}
	_, err := c.s.Records(c.ctx, store.RecordQuery{})
	c.is(err, store.ErrInvalid, "records of no user")
	_, err = c.s.Records(c.ctx, store.RecordQuery{User: user, Keys: []string{"k"}})
	c.is(err, store.ErrInvalid, "keys of no connection and kind")
	_, err = c.s.Samples(c.ctx, store.SampleQuery{User: user})
	c.is(err, store.ErrInvalid, "samples of no metric")
}

func checkCommitOtherUser(c *checker) {
	c.connect(conn, user)
	b := fullBatch()
	b.User = "user-2"
	_, err := c.s.Commit(c.ctx, b)
	c.is(err, store.ErrInvalid, "Commit")
	c.nothing("a batch of another user")
	list, err := readRecords(c, c.s, store.RecordQuery{User: "user-2"})
	c.ok(err, "Records")
	c.equal("records of the other user", len(list), 0)
}

func checkCommitDuplicate(c *checker) {
	better, worse := bodyRecord("a", 1, 20, 71_000), bodyRecord("a", 2, 10, 70_000)
	c.equal("records inserted", c.put(better, worse).Inserted, 1)
	c.same("the better one first", c.everything(), stored(better))

	best, between := bodyRecord("a", 3, 40, 73_000), bodyRecord("a", 4, 30, 72_000)
	c.commit(batchOf(pageOf(between), pageOf(best)))
	c.same("the better one in the second page", c.everything(), stored(best))
}
