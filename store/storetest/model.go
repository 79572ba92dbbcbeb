package storetest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

func modelCases() []testCase {
	return []testCase{
		{id: "model", rule: "random histories of commits end as a model of the rules says, after every step", check: checkModel},
	}
}

// The model knows the rules only as far as records without sticky values need
// them, in the plainest form, and shares no code with the stores.
type model struct {
	records map[modelKey]health.Record // described
	points  map[modelPoint]health.Decimal
	digests map[modelPage]uint64
	changes []string
	marks   map[string]int          // cursor by connection
	seen    map[string][]store.Page // pages of before, by connection and stream
}

type modelKey struct {
	connection string
	kind       health.Kind
	key        string
}

type modelPoint struct {
	owner    store.Owner
	floating bool
	milli    int64
}

type modelPage struct{ connection, stream, key string }

// modelUser owns two connections; what the other user has must not change.
const modelUser = "model-user"

var modelConnections = []string{"model-a", "model-b"}

func checkModel(c *checker) {
	sequences := c.h.Sequences
	if sequences <= 0 {
		sequences = 10
	}
	for range sequences {
		for _, s := range c.opened {
			c.ok(s.Close(), "Close")
		}
		c.opened = nil
		c.h.Fresh(c.tb)
		c.s = c.open()
		c.history()
	}
}

// history makes one random history of commits on empty data.
func (c *checker) history() {
	m := &model{
		records: map[modelKey]health.Record{}, points: map[modelPoint]health.Decimal{},
		digests: map[modelPage]uint64{}, marks: map[string]int{}, seen: map[string][]store.Page{},
	}
	bystander := bodyRecord("bystander", 0, 1, 1)
	c.put(bystander)
	c.drain("model")
	g := generator{c.rand}
	for i := range 40 {
		b := g.batch(m)
		want, conflicts := m.apply(b)
		got, err := c.s.Commit(c.ctx, b)
		what := fmt.Sprintf("step %d", i)
		c.ok(err, "%s", what)
		c.equal(what+": conflicts", len(got.Conflicts), conflicts)
		// Whether an older tombstone is stale or without effect is open.
		got.Unchanged, got.Stale, got.Conflicts = got.Unchanged+got.Stale, 0, nil
		c.equal(what+": counts", got, want)
		c.compare(what, m)
	}
	c.same("the other user's record", c.everything(), stored(bystander))
}

// compare wants the store to be where the model is.
func (c *checker) compare(what string, m *model) {
	got := c.records(store.RecordQuery{User: modelUser, Deleted: true, Limit: 5})
	for i := range got {
		got[i].Erased = health.Rev{} // bookkeeping that no reader needs
	}
	c.same(what, got, slices.Collect(maps.Values(m.records))...)
	var want []point
	for at, number := range m.points {
		want = append(want, point{at.owner, at.floating, at.milli, number})
	}
	c.samePoints(what, c.points(store.SampleQuery{User: modelUser, Metric: "heart_rate", Limit: 7}), want)
	changes := []string{}
	for _, change := range c.drain("model") {
		changes = append(changes, fmt.Sprint(change.Cause, change.Connection, change.Kind, change.Key, change.State))
	}
	slices.Sort(changes) // within one commit the order is open
	slices.Sort(m.changes)
	c.equal(what+": changes", changes, append([]string{}, m.changes...))
	m.changes = nil
	for _, connection := range modelConnections {
		cursor, err := c.s.Cursor(c.ctx, connection, stream, store.LaneLive)
		c.ok(err, "Cursor")
		c.equal(what+": cursor", cursor.HighWater, mark(m.marks[connection]))
	}
}

func mark(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

// batch draws the next batch: pages of two streams, or an absence.
func (g generator) batch(m *model) store.Batch {
	connection := modelConnections[g.IntN(2)]
	b := store.Batch{
		User: modelUser, Connection: connection, Unfenced: true, Now: present,
		Cause: []store.Cause{store.CauseLive, store.CauseBackfill, store.CauseRemap}[g.IntN(3)],
	}
	at := store.Cursor{Connection: connection, Stream: stream, Lane: store.LaneLive, HighWater: mark(m.marks[connection])}
	next := at
	next.HighWater = mark(m.marks[connection] + 1)
	b.Cursors = []store.CursorSwap{{Old: at, New: next}}
	if g.chance(15) {
		a := absent(int64(g.IntN(8)))
		a.Keys = map[health.Kind][]string{}
		for _, kind := range modelKinds {
			for n := range 3 {
				if g.chance(50) {
					a.Keys[kind] = append(a.Keys[kind], modelName(stream, n))
				}
			}
		}
		b.Absent = []store.Absent{a}
		return b
	}
	for _, stream := range []string{stream, "other"}[:1+g.IntN(2)] {
		if seen := m.seen[connection+stream]; len(seen) > 0 && g.chance(35) {
			b.Pages = append(b.Pages, seen[len(seen)-1-g.IntN(min(3, len(seen)))]) // one of the last again
			continue
		}
		p := store.Page{Stream: stream, Key: fmt.Sprint(g.IntN(2))}
		for _, kind := range modelKinds {
			for n := range 3 {
				if g.chance(30) {
					p.Records = append(p.Records, g.version(connection, stream, kind, n))
				}
			}
		}
		if g.chance(70) {
			p.Digest = digestOf(p.Records)
		}
		b.Pages = append(b.Pages, p)
		m.seen[connection+stream] = append(m.seen[connection+stream], p)
	}
	return b
}

var modelKinds = []health.Kind{health.KindBody, health.KindActivity, health.KindSamples}

func modelName(stream string, n int) string { return fmt.Sprintf("%s/%d", stream, n) }

// digestOf digests what a page would show: records and their revisions.
func digestOf(records []health.Record) uint64 {
	var text []byte
	for _, r := range records {
		text = fmt.Appendf(text, "%s %s %d %d %t %d;", r.Kind, r.Key, r.Rev.Order, r.Rev.Mapping, r.Rev.Push, r.Fingerprint())
	}
	return health.Digest(text) | 1
}

// version draws a version of a record from so few that ties and repeats are
// common.
func (g generator) version(connection, stream string, kind health.Kind, n int) health.Record {
	content := g.IntN(3)
	r := bodyRecord("", n, int64(1+g.IntN(6)), int64(70_000+content))
	r.Connection, r.Kind, r.Key = connection, kind, modelName(stream, n)
	r.Rev.Mapping, r.Rev.Push = uint16(1+g.IntN(2)), g.chance(40)
	if g.chance(15) {
		r.State, r.Values = health.StateDeleted, nil
		return r
	}
	if kind != health.KindBody {
		from := sampleStart + int64(n*10+content*4)*1000
		s := health.Series{Metric: "heart_rate", From: from, To: from + 9000, Floating: n == 2}
		for i := range 3 * content {
			s.Times = append(s.Times, from+int64(i)*1100)
			s.Values = append(s.Values, int64(60+i+content))
		}
		if kind == health.KindActivity && content == 2 {
			s.Part = "left"
		}
		if kind == health.KindSamples || content > 0 {
			r.Series = []health.Series{s}
		}
	}
	return r
}

// apply changes the model and returns the counts to expect, without conflicts
// and with what is stale counted as unchanged.
func (m *model) apply(b store.Batch) (want store.Result, conflicts int) {
	changed := map[string]bool{}
	known := []modelPage{}
	for _, p := range b.Pages {
		page := modelPage{b.Connection, p.Stream, p.Key}
		if d, ok := m.digests[page]; ok && p.Digest != 0 && d == p.Digest {
			want.SkippedPages++
			continue
		}
		if p.Digest != 0 {
			known = append(known, page)
		}
		for _, next := range p.Records {
			next.Rev.Fingerprint = next.Fingerprint()
			old, ok := m.records[modelKey{next.Connection, next.Kind, next.Key}]
			if ok && modelTie(old.Rev, next.Rev) {
				conflicts++
			}
			switch {
			case !ok && next.State == health.StateLive:
				want.Inserted++
				m.set(nil, next, b.Cause)
				continue
			case !ok:
				want.Deleted++
				m.set(nil, next, store.CauseDeletion)
				continue
			case old.Rev.Fingerprint == next.Rev.Fingerprint:
				want.Unchanged++
				if modelOrder(old.Rev, next.Rev) < 0 {
					old.Rev = next.Rev
					m.records[modelKey{old.Connection, old.Kind, old.Key}] = old
				}
				continue
			case !modelNewer(old.Rev, next.Rev):
				want.Unchanged++
				if !modelTie(old.Rev, next.Rev) {
					known = slices.DeleteFunc(known, func(k modelPage) bool { return k == page })
				}
				continue
			case next.State == health.StateDeleted:
				want.Deleted++
				m.set(&old, next, store.CauseDeletion)
			default:
				want.Revised++
				cause := store.CauseRevision
				if b.Cause == store.CauseRemap {
					cause = store.CauseRemap
				}
				m.set(&old, next, cause)
			}
			changed[p.Stream] = true
		}
	}
	for page := range m.digests {
		if page.connection == b.Connection && changed[page.stream] {
			delete(m.digests, page)
		}
	}
	for _, p := range b.Pages {
		if page := (modelPage{b.Connection, p.Stream, p.Key}); slices.Contains(known, page) {
			m.digests[page] = p.Digest
		}
	}
	for _, a := range b.Absent {
		m.absent(b.Connection, a, &want)
	}
	m.marks[b.Connection]++
	return want, conflicts
}

func (m *model) absent(connection string, a store.Absent, want *store.Result) {
	found := false
	for key, old := range m.records {
		if key.connection != connection || old.Stream() != a.Stream || old.State == health.StateDeleted ||
			old.Rev.Order > a.Order || slices.Contains(a.Keys[key.kind], key.key) {
			continue // all records of the model are of the one day of the window
		}
		gone := tombstone(old, old.Rev.Order)
		gone.Rev.Absent = true
		gone.Rev.Fingerprint = gone.Fingerprint()
		m.set(&old, gone, store.CauseDeletion)
		want.Deleted++
		found = true
	}
	for page := range m.digests {
		if found && page.connection == connection && page.stream == a.Stream {
			delete(m.digests, page)
		}
	}
}

// set replaces old by next in the model.
func (m *model) set(old *health.Record, next health.Record, cause store.Cause) {
	owner := func(r *health.Record, s *health.Series) store.Owner {
		o := store.Owner{Connection: r.Connection, Stream: r.Stream(), Metric: s.Metric, Part: s.Part, Source: r.Source}
		if r.Kind != health.KindSamples {
			o.Kind, o.Record = r.Kind, r.Key
		}
		return o
	}
	clearWindow := func(r *health.Record, s *health.Series) {
		maps.DeleteFunc(m.points, func(p modelPoint, _ health.Decimal) bool {
			return p.owner == owner(r, s) && p.floating == s.Floating && s.From <= p.milli && p.milli < s.To
		})
	}
	switch {
	case next.State == health.StateLive:
		maps.DeleteFunc(m.points, func(p modelPoint, _ health.Decimal) bool {
			return p.owner.Connection == next.Connection && p.owner.Kind == next.Kind && p.owner.Record == next.Key &&
				next.Kind != health.KindSamples && (len(next.Series) == 0 || next.Series[0].Part != p.owner.Part)
		})
		for i := range next.Series {
			s := &next.Series[i]
			clearWindow(&next, s)
			for k, at := range s.Times {
				m.points[modelPoint{owner(&next, s), s.Floating, at}] = s.Number(k).Normalized()
			}
		}
	case old != nil && old.Kind == health.KindSamples:
		for i := range old.Series {
			clearWindow(old, &old.Series[i])
		}
	case old != nil:
		maps.DeleteFunc(m.points, func(p modelPoint, _ health.Decimal) bool {
			return p.owner.Connection == old.Connection && p.owner.Record == old.Key && p.owner.Kind == old.Kind
		})
	}
	m.records[modelKey{next.Connection, next.Kind, next.Key}] = stored(next)
	m.changes = append(m.changes, fmt.Sprint(cause, next.Connection, next.Kind, next.Key, next.State))
}

func modelTie(old, next health.Rev) bool {
	return old.Fingerprint != next.Fingerprint && old.Order == next.Order && old.Mapping == next.Mapping && !old.Absent && !next.Absent
}

func modelNewer(old, next health.Rev) bool {
	if old.Absent && !next.Push && next.Order >= old.Order {
		return true
	}
	return cmp.Or(modelOrder(old, next), cmp.Compare(old.Fingerprint, next.Fingerprint)) < 0
}

// modelOrder compares revisions but for their content.
func modelOrder(a, b health.Rev) int {
	rank := func(r health.Rev) int {
		switch {
		case r.Absent:
			return 2
		case r.Push:
			return 0
		default:
			return 1
		}
	}
	return cmp.Or(cmp.Compare(a.Order, b.Order), cmp.Compare(a.Mapping, b.Mapping), cmp.Compare(rank(a), rank(b)))
}
