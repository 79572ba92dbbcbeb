package storetest

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

// present is the Now of all batches: a constant, because it is the caller's
// time, and records are judged by it.
var present = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// The names that most cases use.
const (
	user   = "user-1"
	conn   = "conn-1"
	stream = "stream"
)

// connect creates an active connection.
func (c *checker) connect(id, user string) store.Connection {
	got, err := c.s.PutConnection(c.ctx, store.Connection{
		ID: id, User: user, Provider: "test", State: store.StateActive, CreatedAt: present,
	})
	c.ok(err, "PutConnection(%s)", id)
	return got
}

// lease takes a lease that lasts longer than the case.
func (c *checker) lease(connection string) store.Lease { return c.leaseNamed(connection, "sync") }

func (c *checker) leaseNamed(connection, name string) store.Lease {
	l, err := c.s.Acquire(c.ctx, connection, name, time.Hour)
	c.ok(err, "Acquire(%s, %s)", connection, name)
	return l
}

// batchOf returns an unfenced live batch of the usual user and connection.
func batchOf(pages ...store.Page) store.Batch {
	return store.Batch{
		User: user, Connection: conn, Unfenced: true, Now: present, Cause: store.CauseLive, Pages: pages,
	}
}

// pageOf returns a page without a digest.
func pageOf(records ...health.Record) store.Page {
	return store.Page{Stream: stream, Records: records}
}

// commit commits b and wants success.
func (c *checker) commit(b store.Batch) store.Result {
	r, err := c.s.Commit(c.ctx, b)
	c.ok(err, "Commit")
	return r
}

// put commits records as one page.
func (c *checker) put(records ...health.Record) store.Result {
	return c.commit(batchOf(pageOf(records...)))
}

// counts wants the counts of a result, in the order of its fields.
func (c *checker) counts(what string, got store.Result, inserted, revised, deleted, unchanged, stale int) {
	want := store.Result{Inserted: inserted, Revised: revised, Deleted: deleted, Unchanged: unchanged, Stale: stale}
	got.SkippedPages, got.Conflicts = 0, nil
	if !reflect.DeepEqual(got, want) {
		c.fail("%s: got counts %+v, want %+v", what, got, want)
	}
}

// bodyRecord returns a small live record: one weight at a time on 2026-11-01
// plus n minutes.
func bodyRecord(name string, n int, order int64, grams int64) health.Record {
	at := time.Date(2026, 11, 1, 0, n, 0, 0, time.UTC)
	return health.Record{
		Connection: conn, Kind: health.KindBody, Key: stream + "/" + name,
		Span:   health.Span{Start: health.At(at), Day: health.DayOf(at), Zone: health.ZoneFromRecord},
		Source: health.Source{Provider: "test", Path: health.PathDirect},
		Rev:    health.Rev{Order: order, Mapping: 1},
		Method: health.MethodSensed,
		Values: []health.Value{{Metric: "body_weight", Number: health.Decimal{Coefficient: grams, Exponent: -3}}},
	}
}

// tombstone returns the removal of r by the provider.
func tombstone(r health.Record, order int64) health.Record {
	return health.Record{
		Connection: r.Connection, Kind: r.Kind, Key: r.Key, Span: r.Span, Source: r.Source,
		State: health.StateDeleted, Rev: health.Rev{Order: order, Mapping: r.Rev.Mapping},
	}
}

// stored returns r as reads give it back.
func stored(r health.Record) health.Record {
	r.Rev.Fingerprint = r.Fingerprint()
	r.Series = slices.Clone(r.Series)
	for i := range r.Series {
		r.Series[i] = r.Series[i].Describe()
	}
	return r
}

// records reads all records that q selects, page by page.
func (c *checker) records(q store.RecordQuery) []health.Record {
	list, err := readRecords(c, c.s, q)
	c.ok(err, "Records")
	return list
}

// pageCap bounds how many pages a reader that never ends may give.
const pageCap = 10_000

func readRecords(c *checker, s store.Reader, q store.RecordQuery) ([]health.Record, error) {
	var list []health.Record
	for range pageCap {
		page, err := s.Records(c.ctx, q)
		if err != nil {
			return nil, err
		}
		list = append(list, page.Records...)
		if q.Limit > 0 && len(page.Records) > q.Limit {
			return nil, fmt.Errorf("a page of %d records, asked for %d", len(page.Records), q.Limit)
		}
		if page.Next == "" {
			return list, nil
		}
		q.After = page.Next
	}
	return nil, fmt.Errorf("pages of records do not end")
}

// everything reads all records of the usual user, tombstones included.
func (c *checker) everything() []health.Record {
	return c.records(store.RecordQuery{User: user, Deleted: true})
}

// record reads one record of the usual connection.
func (c *checker) record(kind health.Kind, key string) health.Record {
	list := c.records(store.RecordQuery{
		User: user, Connections: []string{conn}, Kinds: []health.Kind{kind}, Keys: []string{key}, Deleted: true,
	})
	c.that(len(list) == 1, "record %q: got %d of it", key, len(list))
	return list[0]
}

// same wants the stored records to be exactly want, in the order of reads.
func (c *checker) same(what string, got []health.Record, want ...health.Record) {
	want = slices.Clone(want)
	slices.SortFunc(want, compareRecords)
	for i := range min(len(got), len(want)) {
		if d := differ(want[i], got[i]); d != "" {
			c.fail("%s: record %d of %d: %s", what, i, len(want), d)
		}
	}
	c.that(len(got) == len(want), "%s: got %d records, want %d", what, len(got), len(want))
}

func compareRecords(a, b health.Record) int {
	return cmp.Or(cmp.Compare(a.Span.Start.SortMilli(), b.Span.Start.SortMilli()),
		cmp.Compare(a.Connection, b.Connection), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Key, b.Key))
}

// differ names the fields in which two records differ, with both forms.
func differ(want, got health.Record) string {
	want, got = tidy(want), tidy(got)
	if reflect.DeepEqual(want, got) {
		return ""
	}
	text := ""
	w, g := reflect.ValueOf(want), reflect.ValueOf(got)
	for i := range w.NumField() {
		if x, y := w.Field(i).Interface(), g.Field(i).Interface(); !reflect.DeepEqual(x, y) {
			text += fmt.Sprintf(" %s: got %+v, want %+v;", w.Type().Field(i).Name, y, x)
		}
	}
	return text
}

// tidy makes nil of empty lists.
func tidy(r health.Record) health.Record {
	r.Values, r.Texts, r.Origins = none(r.Values), none(r.Texts), none(r.Origins)
	r.Segments = none(slices.Clone(r.Segments))
	for i := range r.Segments {
		r.Segments[i].Values = none(r.Segments[i].Values)
	}
	r.Series = none(slices.Clone(r.Series))
	for i := range r.Series {
		r.Series[i].Times, r.Series[i].Values = none(r.Series[i].Times), none(r.Series[i].Values)
	}
	return r
}

func none[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return list
}

// point is one sample and its owner.
type point struct {
	owner    store.Owner
	floating bool
	milli    int64
	number   health.Decimal // normalized
}

// points reads all samples that q selects, page by page, in the order in which
// they come. The runs of one owner and clock must stand together, their times
// must rise, and lie within the run's bounds.
func (c *checker) points(q store.SampleQuery) []point {
	list, err := readPoints(c, c.s, q)
	c.ok(err, "Samples")
	return list
}

func readPoints(c *checker, s store.Reader, q store.SampleQuery) ([]point, error) {
	type owner struct {
		store.Owner
		floating bool
	}
	var list []point
	seen := map[owner]bool{}
	for range pageCap {
		page, err := s.Samples(c.ctx, q)
		if err != nil {
			return nil, err
		}
		for _, run := range page.Runs {
			col := run.Series
			if col.Len() == 0 || len(col.Times) != len(col.Values) {
				return nil, fmt.Errorf("a run of %d times and %d values", len(col.Times), len(col.Values))
			}
			o := owner{run.Owner, col.Floating}
			if col.Metric != run.Owner.Metric || col.Part != run.Owner.Part || col.Stat != run.Owner.Stat {
				return nil, fmt.Errorf("the series of a run is not of its owner")
			}
			for i, at := range col.Times {
				p := point{run.Owner, col.Floating, at, col.Number(i).Normalized()}
				if n := len(list); n > 0 && (owner{list[n-1].owner, list[n-1].floating}) == o {
					if list[n-1].milli >= at {
						return nil, fmt.Errorf("times of one owner do not rise")
					}
				} else if seen[o] {
					return nil, fmt.Errorf("the runs of one owner do not stand together")
				}
				if at < col.From || at >= col.To {
					return nil, fmt.Errorf("a point outside of the bounds of its run")
				}
				seen[o] = true
				list = append(list, p)
			}
		}
		if page.Next == "" {
			return list, nil
		}
		q.After = page.Next
	}
	return nil, fmt.Errorf("pages of samples do not end")
}

// pointsOf returns the points that series i of r brings.
func pointsOf(r health.Record, i int) []point {
	s := &r.Series[i]
	o := store.Owner{
		Connection: r.Connection, Stream: r.Stream(), Metric: s.Metric, Stat: s.Stat, Part: s.Part, Source: r.Source,
	}
	if r.Kind != health.KindSamples {
		o.Kind, o.Record = r.Kind, r.Key
	}
	var list []point
	for k, at := range s.Times {
		list = append(list, point{o, s.Floating, at, s.Number(k).Normalized()})
	}
	return list
}

// samePoints wants exactly the points of want, whatever the order of owners.
func (c *checker) samePoints(what string, got, want []point) {
	left := make(map[point]bool, len(want))
	for _, p := range want {
		left[p] = true
	}
	for _, p := range got {
		c.that(left[p], "%s: got %+v, which is none of the %d points wanted or comes twice", what, p, len(want))
		delete(left, p)
	}
	for p := range left {
		c.fail("%s: %d points are missing, %+v is one", what, len(left), p)
	}
}

// changes reads what the consumer has not acknowledged, without acknowledging.
func (c *checker) changes(consumer string) []store.Change {
	list, err := c.s.Changes(c.ctx, consumer, 0)
	c.ok(err, "Changes")
	return list
}

// drain reads and acknowledges changes until there are none.
func (c *checker) drain(consumer string) []store.Change {
	var all []store.Change
	for range pageCap {
		list := c.changes(consumer)
		if len(list) == 0 {
			return all
		}
		all = append(all, list...)
		var positions []store.Position
		for _, change := range list {
			positions = append(positions, change.Position)
		}
		c.ok(c.s.Ack(c.ctx, consumer, positions...), "Ack")
	}
	c.fail("changes do not end although they are acknowledged")
	return nil
}

// told describes changes in short: "cause key".
func told(list []store.Change) []string {
	var words []string
	for _, change := range list {
		words = append(words, string(change.Cause)+" "+change.Key)
	}
	return words
}

// equal wants two values to be deeply equal.
func (c *checker) equal(what string, got, want any) {
	if !reflect.DeepEqual(got, want) {
		c.fail("%s: got %+v, want %+v", what, got, want)
	}
}

// empty wants nothing at all of the usual user and connection.
func (c *checker) empty(what string) {
	c.that(len(c.everything()) == 0, "%s: there are records", what)
	c.that(len(c.changes("empty")) == 0, "%s: there are changes", what)
	cursors, err := c.s.Cursors(c.ctx, conn)
	c.ok(err, "Cursors")
	c.that(len(cursors) == 0, "%s: there are cursors", what)
	raw, err := c.s.RawPages(c.ctx, store.RawQuery{Connection: conn})
	c.ok(err, "RawPages")
	c.that(len(raw.Pages) == 0, "%s: there are raw pages", what)
	aside, err := c.s.Quarantine(c.ctx, conn, 0)
	c.ok(err, "Quarantine")
	c.that(len(aside) == 0, "%s: something is in quarantine", what)
	windows, err := c.s.Coverage(c.ctx, conn, stream)
	c.ok(err, "Coverage")
	c.that(len(windows) == 0, "%s: there is coverage", what)
}
