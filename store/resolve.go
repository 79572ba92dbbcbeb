package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/vitalmux/vitalmux/health"
)

// Policy says which route of a datum to believe where several connections of one
// person brought it: the same scale through an aggregator and directly, a ring
// and a watch on one night. It is given with each read, per person if the host
// likes, so that another policy gives another answer without a write.
//
// A route earlier in the list goes first. Routes in no list come after those
// that are; among themselves what came directly is before what was imported,
// and that before what came through an aggregator. Then a connection and its
// predecessors are asked who stood for the person at that time: from the moment
// the successor was created it does, and before that the predecessor (see
// [Connection].Predecessor), but for what came in the predecessor's last week, by
// the end of its [Reader].Coverage of the stream: its service ended before late
// data could reach it. Then the connection created last goes first, and of
// one connection the version reported last. The zero Policy is useful.
type Policy struct {
	// Routes are for all metrics.
	Routes []Route
	// Metrics replaces Routes for single metrics.
	Metrics map[health.Metric][]Route
	// Explain fills [ResolvedValue].Others.
	Explain bool
}

// Route matches sources. An empty field matches every source.
type Route struct {
	Provider string
	Path     health.Path
	Upstream string
}

// Matches reports whether s came along the route.
func (r Route) Matches(s health.Source) bool {
	return (r.Provider == "" || r.Provider == s.Provider) && (r.Path == "" || r.Path == s.Path) &&
		(r.Upstream == "" || r.Upstream == s.Upstream)
}

// Reason is a fixed word that says why a value was taken before another.
type Reason string

// The reasons, the first that decides counts.
const (
	ReasonOnly       Reason = "only"       // there is no other
	ReasonPolicy     Reason = "policy"     // its route is named earlier in the policy
	ReasonPath       Reason = "path"       // direct before import before aggregator
	ReasonSeam       Reason = "seam"       // its connection stood for the person at that time
	ReasonConnection Reason = "connection" // its connection was created later
	ReasonNewest     Reason = "newest"     // it was reported later
)

// Resolved is one datum of a person, whichever connections brought it: a civil
// day, a night, a workout, a measurement.
type Resolved struct {
	// Record is the record that goes first for all but its values: span, texts,
	// segments and the descriptions of series are its own.
	Record health.Record
	// Values has one line for each (metric, stat, part) that any of the records
	// has, in that order.
	Values []ResolvedValue
}

// ResolvedValue is a value and where it came from.
type ResolvedValue struct {
	health.Value
	Origin
	// Reason says why it was taken before the next of Others.
	Reason Reason
	// Others are the values that were not taken, best first; only when
	// [Policy].Explain is set.
	Others []Alternative
}

// Alternative is a value that was not taken.
type Alternative struct {
	health.Value
	Origin
}

// Origin names the record that a value is of.
type Origin struct {
	Connection string
	Key        string
	Source     health.Source
}

// ResolveRecords reads the records that q selects and returns each datum once,
// in order of time and kind. It makes one query for connections, with their
// coverage, and one for records, and one more for each further q.Limit records of
// the range (0 is 10,000); what the range holds is held in memory. A person with
// over 1,000 connections takes one more for each further 1,000.
//
// Records of one kind are the same datum if they are of the same civil day
// (daily, menstruation), or of different connections and cover the same time:
// at least half of the longer of two spans, or, for points in time, the same
// second with a metric in common (all other kinds); what one connection tells of
// that second in several records without such a metric is one reading. Clocks
// are compared as instants where both are known, else as wall clock readings.
// Profiles (athlete) are one datum; devices are as many as there are names of
// devices. Entries of food and water (nutrition) often have a day and no time:
// of a connection and its predecessors only the one that goes first is asked for
// those of a civil day.
//
// From and To bound the start of what is returned. ErrInvalid for a query with
// Keys, Deleted or After.
func ResolveRecords(ctx context.Context, s Store, q RecordQuery, p Policy) ([]Resolved, error) {
	if len(q.Keys) > 0 || q.Deleted || q.After != "" {
		return nil, fmt.Errorf("%w: resolved reads take no keys, tombstones or page", ErrInvalid)
	}
	if q.User == "" {
		return nil, fmt.Errorf("%w: no user", ErrInvalid)
	}
	ranks, err := newRanking(ctx, s, q.User, p)
	if err != nil {
		return nil, err
	}
	from, to := q.From, q.To
	// Two clocks of one datum are less than two days apart.
	if !from.IsZero() {
		q.From = from.Add(-clockSpread)
	}
	if !to.IsZero() {
		q.To = to.Add(clockSpread)
	}
	if q.Limit == 0 {
		q.Limit = 10_000
	}
	var g grouping
	for r, err := range AllRecords(ctx, s, q) {
		if err != nil {
			return nil, err
		}
		g.add(r)
	}
	within := func(r *health.Record) bool {
		start := r.Span.Start.SortMilli()
		return (from.IsZero() || start >= from.UnixMilli()) && (to.IsZero() || start < to.UnixMilli())
	}
	var all []Resolved
	ranks.oneFoodLog(g.data)
	for _, d := range g.data {
		if !slices.ContainsFunc(d.records, func(r health.Record) bool { return within(&r) }) {
			continue
		}
		r := ranks.resolve(d.records)
		if within(&r.Record) {
			all = append(all, r)
		}
	}
	slices.SortStableFunc(all, func(a, b Resolved) int {
		return cmp.Or(cmp.Compare(a.Record.Span.Start.SortMilli(), b.Record.Span.Start.SortMilli()),
			cmp.Compare(a.Record.Kind, b.Record.Kind), cmp.Compare(a.Record.Key, b.Record.Key),
			cmp.Compare(a.Record.Connection, b.Record.Connection))
	})
	return all, nil
}

const clockSpread = 50 * time.Hour

// datum is what several records tell of.
type datum struct {
	records []health.Record
	kind    health.Kind
	until   int64 // the sort time after which nothing can be the same
}

// grouping finds records that tell of the same.
type grouping struct {
	data []*datum
	// named are the data that have a name: a day, a device.
	named map[string]*datum
	// open are the data of spans that a later record may belong to.
	open []*datum
}

func (g *grouping) add(r health.Record) {
	name := ""
	switch {
	case r.Kind == health.KindDaily || r.Kind == health.KindMenstruation:
		if !r.Span.Day.IsZero() {
			name = r.Span.Day.String()
		}
	case r.Kind == health.KindAthlete:
		name = "profile"
	case r.Kind == health.KindDevice:
		name = cmp.Or(r.Source.Device, r.Connection+" "+r.Key)
	}
	if name != "" {
		name = string(r.Kind) + " " + name
		if d := g.named[name]; d != nil {
			d.records = append(d.records, r)
			return
		}
		if g.named == nil {
			g.named = make(map[string]*datum)
		}
		g.named[name] = g.begin(r)
		return
	}
	start := r.Span.Start.SortMilli()
	g.open = slices.DeleteFunc(g.open, func(d *datum) bool { return d.until < start || len(d.records) == 0 })
	var best *datum
	var matches []*datum
	most := 0.0
	for _, d := range g.open {
		share := d.share(&r)
		if share > 0 {
			matches = append(matches, d)
		}
		if share > most {
			best, most = d, share
		}
	}
	if best != nil {
		best.records = append(best.records, r)
		for _, d := range matches {
			if d != best && best.takes(d.records) {
				d.records = nil
			}
		}
		return
	}
	d := g.begin(r)
	d.until = max(start, r.Span.End.SortMilli()) + clockSpread.Milliseconds()
	g.open = append(g.open, d)
}

func (g *grouping) begin(r health.Record) *datum {
	d := &datum{records: []health.Record{r}, kind: r.Kind}
	g.data = append(g.data, d)
	return d
}

// share returns how much of the same time r covers as the records of d: 0 if it
// is something else, at most 1.
func (d *datum) share(r *health.Record) float64 {
	if d.kind != r.Kind {
		return 0
	}
	least, told := 1.0, false
	for i := range d.records {
		other := &d.records[i]
		points := other.Span.End.IsZero() && r.Span.End.IsZero()
		alike := !points || tellTheSame(other, r)
		if other.Connection == r.Connection && alike {
			return 0
		}
		told = told || alike
		least = min(least, common(other.Span, r.Span))
	}
	if !told {
		return 0
	}
	return least
}

// takes adds the records of another datum if all of them belong to d.
func (d *datum) takes(records []health.Record) bool {
	before := d.records
	for i := range records {
		if d.share(&records[i]) == 0 {
			d.records = before
			return false
		}
		d.records = append(d.records, records[i])
	}
	return true
}

// tellTheSame reports whether two records have a metric in common, or one of
// them has no values at all.
func tellTheSame(a, b *health.Record) bool {
	if len(a.Values) == 0 || len(b.Values) == 0 {
		return true
	}
	return slices.ContainsFunc(a.Values, func(v health.Value) bool {
		return slices.ContainsFunc(b.Values, func(w health.Value) bool { return v.Metric == w.Metric })
	})
}

// common returns which part of the longer of two spans both cover, 0 if it is
// less than half.
func common(a, b health.Span) float64 {
	from, to, ok := bounds(a, b, health.Moment.UnixMilli)
	if !ok {
		if from, to, ok = bounds(a, b, health.Moment.WallMilli); !ok {
			return 0
		}
	}
	longer := max(to[0]-from[0], to[1]-from[1])
	if longer == 0 {
		if apart := from[0] - from[1]; apart > -1000 && apart < 1000 {
			return 1
		}
		return 0
	}
	share := float64(min(to[0], to[1])-max(from[0], from[1])) / float64(longer)
	if share < 0.5 {
		return 0
	}
	return share
}

// bounds returns the starts and ends of two spans on one clock.
func bounds(a, b health.Span, clock func(health.Moment) (int64, bool)) (from, to [2]int64, ok bool) {
	for i, s := range []health.Span{a, b} {
		if from[i], ok = clock(s.Start); !ok {
			return from, to, false
		}
		to[i] = from[i]
		if !s.End.IsZero() {
			if to[i], ok = clock(s.End); !ok {
				return from, to, false
			}
		}
	}
	return from, to, true
}

// ranking orders what a person's connections tell.
type ranking struct {
	policy Policy
	conns  map[string]*Connection
	next   map[string]string // successor by predecessor
	// unsure is from when on a stream of a predecessor may lack data, in
	// milliseconds. What was imported, and has no coverage, lacks none.
	unsure map[streamOf]int64
}

type streamOf struct{ connection, stream string }

// lateData is how long before the end of what was read data may still be
// missing: trackers keep about a week until they are synced.
const lateData = 7 * 24 * time.Hour

func newRanking(ctx context.Context, s Store, user string, p Policy) (*ranking, error) {
	k := &ranking{policy: p, conns: make(map[string]*Connection), next: make(map[string]string), unsure: make(map[streamOf]int64)}
	for q := (ConnectionQuery{User: user, Limit: 1000, Coverage: true}); ; {
		list, err := s.Connections(ctx, q)
		if err != nil {
			return nil, err
		}
		for i := range list {
			c := &list[i]
			k.conns[c.ID] = c
			if c.Predecessor != "" {
				k.next[c.Predecessor] = c.ID
			}
		}
		if len(list) < q.Limit {
			break
		}
		q.After = list[len(list)-1].ID
	}
	for id := range k.next {
		if c := k.conns[id]; c != nil {
			for stream, windows := range c.Coverage {
				k.unsure[streamOf{id, stream}] = endOf(windows).Add(-lateData).UnixMilli()
			}
		}
	}
	return k, nil
}

// endOf returns the end of the last of windows.
func endOf(windows []health.Window) time.Time {
	var last time.Time
	for _, w := range windows {
		end := w.To
		if w.Days() {
			end = time.Unix(int64(w.Last.Number()+1)*86400, 0)
		}
		if end.After(last) {
			last = end
		}
	}
	return last
}

// oneFoodLog removes from the data the entries of food and water of all but one
// connection of a line and civil day.
func (k *ranking) oneFoodLog(data []*datum) {
	type logDay struct {
		line string
		day  health.Day
	}
	told := make(map[logDay][]health.Record) // one of each connection
	at := func(r *health.Record) logDay {
		day := r.Span.Day
		if day.IsZero() {
			clock, known := r.Span.Start.WallMilli()
			if !known {
				clock = r.Span.Start.SortMilli()
			}
			day = health.DayOf(time.UnixMilli(clock).UTC())
		}
		return logDay{k.line(r.Connection), day}
	}
	for _, d := range data {
		for i := range d.records {
			r := &d.records[i]
			if r.Kind != health.KindNutrition {
				continue
			}
			if on := at(r); !slices.ContainsFunc(told[on], func(other health.Record) bool { return other.Connection == r.Connection }) {
				told[on] = append(told[on], *r)
			}
		}
	}
	first := make(map[logDay]string)
	for on, records := range told {
		if len(records) == 1 {
			continue
		}
		told := connectionsOf(records)
		first[on] = slices.MinFunc(records, func(a, b health.Record) int {
			c, _ := k.rankOf("", &a, told).compare(k.rankOf("", &b, told))
			return cmp.Or(c, cmp.Compare(a.Connection, b.Connection))
		}).Connection
	}
	for _, d := range data {
		d.records = slices.DeleteFunc(d.records, func(r health.Record) bool {
			best := ""
			if r.Kind == health.KindNutrition {
				best = first[at(&r)]
			}
			return best != "" && best != r.Connection
		})
	}
}

// line returns the first connection of the line that one belongs to.
func (k *ranking) line(connection string) string {
	for range k.conns {
		c := k.conns[connection]
		if c == nil || k.conns[c.Predecessor] == nil {
			break
		}
		connection = c.Predecessor
	}
	return connection
}

// overtaken reports whether what a predecessor says of a time goes behind its
// successors, although none of them was there yet: it is of the time of which
// data may be missing, and a successor is one of those that tell of it.
func (k *ranking) overtaken(from streamOf, at int64, told []string) bool {
	if since, known := k.unsure[from]; !known || at < since {
		return false
	}
	id := k.next[from.connection]
	if c := k.conns[id]; c == nil || at >= c.CreatedAt.UnixMilli() {
		return false
	}
	for range k.conns {
		if id == "" || slices.Contains(told, id) {
			break
		}
		id = k.next[id]
	}
	return id != "" && slices.Contains(told, id)
}

// connectionsOf returns the connections that records are of.
func connectionsOf(records []health.Record) []string {
	list := make([]string, len(records))
	for i := range records {
		list[i] = records[i].Connection
	}
	return list
}

// rank is what decides, the least first. Its parts are in the order of the
// reasons.
type rank struct {
	route, path, seam, age, order int64
}

func (a rank) compare(b rank) (int, Reason) {
	for _, part := range []struct {
		a, b   int64
		reason Reason
	}{
		{a.route, b.route, ReasonPolicy}, {a.path, b.path, ReasonPath}, {a.seam, b.seam, ReasonSeam},
		{a.age, b.age, ReasonConnection}, {a.order, b.order, ReasonNewest},
	} {
		if c := cmp.Compare(part.a, part.b); c != 0 {
			return c, part.reason
		}
	}
	return 0, ReasonNewest
}

// rank returns the place of what a source says of a metric at a time, among the
// connections that tell of it. The zero metric is the record as a whole.
func (k *ranking) rank(metric health.Metric, from streamOf, source health.Source, at, order int64, told []string) rank {
	routes, ok := k.policy.Metrics[metric]
	if !ok {
		routes = k.policy.Routes
	}
	place := slices.IndexFunc(routes, func(r Route) bool { return r.Matches(source) })
	if place < 0 {
		place = len(routes)
	}
	r := rank{route: int64(place), path: 2, seam: k.distance(from.connection, at), order: -order}
	if k.overtaken(from, at, told) {
		r.seam += 2 // behind the successor, which was not there yet
	}
	switch source.Path {
	case health.PathDirect:
		r.path = 0
	case health.PathImport:
		r.path = 1
	}
	if c := k.conns[from.connection]; c != nil {
		r.age = -c.CreatedAt.UnixMilli()
	}
	return r
}

// rankOf returns the place of what a record says of a metric.
func (k *ranking) rankOf(metric health.Metric, r *health.Record, told []string) rank {
	return k.rank(metric, streamOf{r.Connection, r.Stream()}, r.Source, r.Span.Start.SortMilli(), r.Rev.Order, told)
}

// distance returns how many connections of its line a connection is away from
// the one that stood for the person at the time.
func (k *ranking) distance(connection string, at int64) int64 {
	away := int64(0)
	// Later ones that were there already.
	for id := k.next[connection]; id != "" && away <= int64(len(k.conns)); id = k.next[id] {
		if c := k.conns[id]; c == nil || c.CreatedAt.UnixMilli() > at {
			break
		}
		away++
	}
	if away > 0 {
		return away
	}
	// Not there yet, if another one was before it.
	for c := k.conns[connection]; c != nil && c.CreatedAt.UnixMilli() > at && away <= int64(len(k.conns)); {
		before := k.conns[c.Predecessor]
		if before == nil {
			break
		}
		away++
		c = before
	}
	return away
}

// resolve makes one datum of records.
func (k *ranking) resolve(records []health.Record) Resolved {
	type candidate struct {
		Alternative
		rank rank
	}
	sortBy := func(a, b Origin) int {
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Connection, b.Connection))
	}
	origin := func(r *health.Record) Origin { return Origin{r.Connection, r.Key, r.Source} }
	told := connectionsOf(records)
	first := slices.MinFunc(records, func(a, b health.Record) int {
		c, _ := k.rankOf("", &a, told).compare(k.rankOf("", &b, told))
		return cmp.Or(c, sortBy(origin(&a), origin(&b)))
	})
	type line struct {
		metric health.Metric
		part   health.Part
		stat   health.Stat
	}
	lines := make(map[line][]candidate)
	for i := range records {
		r := &records[i]
		for _, v := range r.Values {
			at := line{v.Metric, v.Part, v.Stat}
			lines[at] = append(lines[at], candidate{Alternative{v, origin(r)}, k.rankOf(v.Metric, r, told)})
		}
	}
	resolved := Resolved{Record: first}
	for _, candidates := range lines {
		slices.SortFunc(candidates, func(a, b candidate) int {
			c, _ := a.rank.compare(b.rank)
			return cmp.Or(c, sortBy(a.Origin, b.Origin))
		})
		v := ResolvedValue{Value: candidates[0].Value, Origin: candidates[0].Origin, Reason: ReasonOnly}
		if len(candidates) > 1 {
			_, v.Reason = candidates[0].rank.compare(candidates[1].rank)
		}
		if k.policy.Explain {
			for _, other := range candidates[1:] {
				v.Others = append(v.Others, other.Alternative)
			}
		}
		resolved.Values = append(resolved.Values, v)
	}
	slices.SortFunc(resolved.Values, func(a, b ResolvedValue) int {
		return cmp.Or(cmp.Compare(a.Metric, b.Metric), cmp.Compare(a.Stat, b.Stat), cmp.Compare(a.Part, b.Part))
	})
	return resolved
}
