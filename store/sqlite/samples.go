package sqlite

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"github.com/vitalmux/vitalmux/health"
)

// The widths of chunks. An owner gets the smallest that holds about a thousand
// points at the rhythm of its first series.
const (
	minute  = 60_000
	hour    = 60 * minute
	day     = 24 * hour
	aim     = 1000
	crowded = 16 * 1024 // points of a chunk above which the owner gets a smaller width
)

var widths = [...]int64{15 * minute, hour, 6 * hour, day, 7 * day}

// widthFor returns the width for points at the given step.
func widthFor(step int64) int64 {
	for _, w := range widths {
		if w >= aim*step {
			return w
		}
	}
	return widths[len(widths)-1]
}

// rhythm returns the usual step between points: the median of some, so that
// gaps do not count.
func rhythm(times []int64) int64 {
	var room [63]int64
	steps := room[:0]
	for i, stride := 1, max(1, len(times)/len(room)); i < len(times) && len(steps) < len(room); i += stride {
		steps = append(steps, times[i]-times[i-1])
	}
	if len(steps) == 0 {
		return 5 * minute
	}
	slices.Sort(steps)
	return steps[len(steps)/2]
}

// window returns the number of the chunk that holds t.
func window(t, width int64) int64 {
	w := t / width
	if t%width < 0 {
		w--
	}
	return w
}

const windowBias = 1 << 31

// chunkID returns the number of a chunk.
func chunkID(owner, window int64) int64 { return owner<<32 | (window + windowBias) }

// chunkWindow returns the window of a chunk by its number.
func chunkWindow(id int64) int64 { return id&(1<<32-1) - windowBias }

// seriesName identifies a series of a link.
type seriesName struct {
	stream   string
	kind     health.Kind // of the sessions, empty outside of sessions
	metric   health.Metric
	stat     health.Stat
	part     health.Part
	floating bool
	source   health.Source
}

// seriesOf returns the name of s as samples of r, which is no session.
func seriesOf(r *health.Record, s *health.Series) seriesName {
	return seriesName{stream: r.Stream(), metric: s.Metric, stat: s.Stat, part: s.Part, floating: s.Floating, source: r.Source}
}

// samplePlan is what a commit does to dense samples.
type samplePlan struct {
	owners []*ownerPlan
	byName map[ownerName]*ownerPlan
	// gone are owners to remove with all their chunks.
	gone   []int64
	chunks []chunkWrite
	// sessions says in which streams sessions have samples at all.
	sessions map[streamName]bool
}

type ownerName struct {
	seriesName
	rid string // of the session, empty outside of sessions
}

// ownerPlan is an owner that a commit writes samples of.
type ownerPlan struct {
	name   ownerName
	owned       // series and id are 0 for new ones
	resize bool // the width is not what is stored
	parts  map[int64]*chunkPart
	order  []int64
}

// chunkPart is a chunk in the making.
type chunkPart struct {
	stored []byte // packed; nil: none
	loaded bool   // points are those of the chunk, else still stored's
	points health.Series
}

// chunkWrite is a chunk to write, or to delete if it is empty.
type chunkWrite struct {
	owner       *ownerPlan
	window      int64
	n           int
	first, last int64
	data        []byte
	same        bool         // as what is stored
	helped      *helpedChunk // a helper packs it
}

func (w *chunkWrite) empty() bool { return w.n == 0 }

func (sp *samplePlan) empty() bool { return len(sp.chunks) == 0 && len(sp.gone) == 0 }

// add merges the series of r.
func (sp *samplePlan) add(ctx context.Context, c *conn, p *plan, r *health.Record) error {
	for i := range r.Series {
		s := &r.Series[i]
		if s.Len() == 0 && s.Count > 0 || s.To <= s.From {
			continue // described only: the points are where they were
		}
		o, err := sp.owner(ctx, c, p, r, s)
		if err != nil {
			return err
		}
		if err := o.merge(ctx, c, p.s, s); err != nil {
			return err
		}
	}
	return nil
}

// remove plans the removal of the samples of a stored record that becomes a
// tombstone: all of a session, else those in the windows of its series.
func (sp *samplePlan) remove(ctx context.Context, c *conn, p *plan, stored *health.Record) error {
	if stored.Kind != health.KindSamples {
		stream, rid, _ := strings.Cut(stored.Key, "/")
		return c.each(ctx, func(r row) error {
			sp.drop(r.int(0))
			return nil
		}, `SELECT o.id FROM owner AS o JOIN series AS s ON s.id = o.series
			WHERE o.rid = ?1 AND s.link = ?2 AND s.stream = ?3 AND s.kind = ?4`, rid, p.scope.link, stream, string(stored.Kind))
	}
	gone := slices.Clone(stored.Series)
	for i := range gone {
		gone[i].Count, gone[i].Digest = 0, 0
	}
	return sp.clear(ctx, c, p, stored, gone)
}

// clear plans the removal of the points in the windows of some series of a
// stored record.
func (sp *samplePlan) clear(ctx context.Context, c *conn, p *plan, stored *health.Record, series []health.Series) error {
	for _, s := range series {
		o, err := sp.owner(ctx, c, p, stored, &s)
		if err != nil {
			return err
		}
		if err := o.merge(ctx, c, p.s, &s); err != nil {
			return err
		}
	}
	return nil
}

// drop plans the removal of an owner with all its points.
func (sp *samplePlan) drop(id int64) {
	sp.gone = append(sp.gone, id)
	for _, o := range sp.owners {
		if o.id == id {
			o.forget()
		}
	}
}

// shed plans the removal of the points of the series that a stored session does
// not have any more, now that it is r.
func (sp *samplePlan) shed(ctx context.Context, c *conn, p *plan, r *health.Record) error {
	if r.Kind == health.KindSamples {
		return nil
	}
	stream, rid, _ := strings.Cut(r.Key, "/")
	name := streamName{r.Kind, stream}
	some, asked := sp.sessions[name]
	if !asked {
		var err error
		if some, err = c.one(ctx, func(row) {}, "SELECT 1 FROM series WHERE link = ?1 AND stream = ?2 AND kind = ?3 LIMIT 1",
			p.scope.link, stream, string(r.Kind)); err != nil {
			return err
		}
		if sp.sessions == nil {
			sp.sessions = map[streamName]bool{}
		}
		sp.sessions[name] = some
	}
	if !some {
		return nil
	}
	return c.each(ctx, func(x row) error {
		metric, stat, part, floating := health.Metric(x.text(1)), health.Stat(x.int(2)), health.Part(x.text(3)), x.int(4) != 0
		source := health.Source{
			Provider: x.text(5), Path: health.Path(x.text(6)), Upstream: x.text(7), Device: x.text(8), App: x.text(9),
		}
		if !slices.ContainsFunc(r.Series, func(s health.Series) bool {
			described := s.Len() == 0 && s.Count > 0
			return s.Metric == metric && s.Stat == stat && s.Part == part && s.Floating == floating && (described || r.Source == source)
		}) {
			sp.drop(x.int(0))
		}
		return nil
	}, `SELECT o.id, s.metric, s.stat, s.part, s.floating, s.provider, s.path, s.upstream, s.device, s.app
		FROM owner AS o JOIN series AS s ON s.id = o.series
		WHERE o.rid = ?1 AND s.link = ?2 AND s.stream = ?3 AND s.kind = ?4`, rid, p.scope.link, stream, string(r.Kind))
}

// owner finds the owner of s.
func (sp *samplePlan) owner(ctx context.Context, c *conn, p *plan, r *health.Record, s *health.Series) (*ownerPlan, error) {
	name := ownerName{seriesName: seriesOf(r, s)}
	if r.Kind != health.KindSamples {
		_, name.rid, _ = strings.Cut(r.Key, "/")
		name.kind = r.Kind
	}
	if o := sp.byName[name]; o != nil {
		return o, nil
	}
	o := &ownerPlan{name: name, parts: map[int64]*chunkPart{}}
	if p.known && !p.fresh && name.rid == "" {
		o.owned = p.s.cache.owner(ownerKey{p.scope.link, name.seriesName})
	}
	if p.known && o.id == 0 {
		if _, err := c.one(ctx, func(r row) { o.series = r.int(0) }, findSeries, name.args(p.scope.link)...); err != nil {
			return nil, err
		}
	}
	if o.series != 0 && o.id == 0 {
		if _, err := c.one(ctx, func(r row) { o.id, o.width, o.last = r.int(0), r.int(1), chunkWindow(r.int(2)) },
			`SELECT id, width, (SELECT max(id) FROM chunk WHERE id BETWEEN owner.id << 32 AND (owner.id << 32) + 4294967295)
				FROM owner WHERE series = ?1 AND rid = ?2`, o.series, name.rid); err != nil {
			return nil, err
		}
		if slices.Contains(sp.gone, o.id) {
			o.id = 0
		}
	}
	if o.id == 0 {
		o.width, o.last = widthFor(rhythm(s.Times)), -windowBias
	}
	if sp.byName == nil {
		sp.byName = map[ownerName]*ownerPlan{}
	}
	sp.byName[name] = o
	sp.owners = append(sp.owners, o)
	return o, nil
}

// forget starts the owner anew: what is stored of it goes.
func (o *ownerPlan) forget() {
	o.id, o.latest, o.resize, o.parts, o.order = 0, nil, false, map[int64]*chunkPart{}, nil
}

const findSeries = `SELECT id FROM series WHERE link = ?1 AND metric = ?2 AND stream = ?3 AND stat = ?4 AND part = ?5
	AND floating = ?6 AND provider = ?7 AND path = ?8 AND upstream = ?9 AND device = ?10 AND app = ?11 AND kind = ?12`

func (n *seriesName) args(link int64) []any {
	return []any{link, string(n.metric), n.stream, int(n.stat), string(n.part), n.floating,
		n.source.Provider, string(n.source.Path), n.source.Upstream, n.source.Device, n.source.App, string(n.kind)}
}

// merge replaces the points of the owner in the window of s by those of s.
func (o *ownerPlan) merge(ctx context.Context, c *conn, st *Store, s *health.Series) error {
	first, last := window(s.From, o.width), window(s.To-1, o.width)
	switch {
	case o.id == 0 || first > o.last:
	case first == o.last && o.latest != nil:
		o.stored(first, o.latest)
	default:
		if err := o.fetch(ctx, c, first, last); err != nil {
			return err
		}
	}
	// Chunks that are there but get no points lose those in the window.
	for w, part := range o.parts {
		if first <= w && w <= last {
			if err := o.replace(st, part, w, s); err != nil {
				return err
			}
		}
	}
	return o.place(st, s)
}

// fetch gets the stored chunks of some windows, as far as it has none.
func (o *ownerPlan) fetch(ctx context.Context, c *conn, first, last int64) error {
	return c.each(ctx, func(r row) error {
		o.stored(chunkWindow(r.int(0)), bytes.Clone(r.blob(1)))
		return nil
	}, "SELECT id, data FROM chunk WHERE id BETWEEN ?1 AND ?2", chunkID(o.id, first), chunkID(o.id, last))
}

// stored takes a stored chunk, unless it has that window already.
func (o *ownerPlan) stored(w int64, packed []byte) {
	if o.parts[w] == nil {
		o.parts[w] = &chunkPart{stored: packed}
		o.order = append(o.order, w)
	}
}

// place puts points of s into windows that have no chunk.
func (o *ownerPlan) place(st *Store, s *health.Series) error {
	for i := 0; i < s.Len(); {
		w := window(s.Times[i], o.width)
		if o.parts[w] == nil {
			part := &chunkPart{loaded: true, points: o.blank(w, s)}
			o.parts[w] = part
			o.order = append(o.order, w)
			if err := o.replace(st, part, w, s); err != nil {
				return err
			}
		}
		n, _ := slices.BinarySearch(s.Times[i:], (w+1)*o.width)
		i += n
	}
	return nil
}

func (o *ownerPlan) blank(w int64, s *health.Series) health.Series {
	b := *s
	b.Count, b.Digest, b.Times, b.Values = 0, 0, nil, nil
	b.From, b.To = w*o.width, (w+1)*o.width
	return b
}

// replace puts the points of s that fall into window w into part.
func (o *ownerPlan) replace(st *Store, part *chunkPart, w int64, s *health.Series) error {
	from, to := w*o.width, (w+1)*o.width
	piece := s.Slice(from, to)
	if piece.From <= from && piece.To >= to {
		part.points, part.loaded = piece, true
		return nil
	}
	old := part.points
	if !part.loaded {
		part.loaded = true
		room := st.rooms.Get().(*pointsRoom)
		defer st.rooms.Put(room)
		var err error
		if room.data, err = st.packer.unpackPoints(room.data, part.stored, &room.points); err != nil {
			return err
		}
		old = room.points
	}
	part.points = health.MergePoints(old, piece)
	part.points.From, part.points.To = from, to
	return nil
}

// pointsRoom is memory to unpack chunks in, one after the other.
type pointsRoom struct {
	data   []byte
	points health.Series
}

// load unpacks the stored points of part.
func (o *ownerPlan) load(st *Store, part *chunkPart) error {
	if part.loaded {
		return nil
	}
	part.loaded = true
	_, err := st.packer.unpackPoints(nil, part.stored, &part.points)
	return err
}

// finish encodes what changed, with helpers if it is much.
func (sp *samplePlan) finish(ctx context.Context, c *conn, p *plan) error {
	var parts []chunkWrite
	alone := 0 // how many points are not among those of the helpers
	for _, o := range sp.owners {
		if err := o.split(ctx, c, p.s); err != nil {
			return err
		}
		slices.Sort(o.order)
		for _, w := range o.order {
			if part := o.parts[w]; part.loaded {
				parts = append(parts, chunkWrite{owner: o, window: w, n: part.points.Len()})
				if p.helpers.chunk(&part.points) == nil {
					alone += part.points.Len()
				}
			}
		}
	}
	if len(parts) == 0 {
		return nil
	}
	if alone >= parallelPoints {
		p.dismiss()
		var list []health.Series
		for i := range parts {
			if w := &parts[i]; !w.empty() {
				list = append(list, w.owner.parts[w.window].points)
			}
		}
		p.help(list)
	}
	p.packChunks(parts)
	for i := range parts {
		// An empty one is to be deleted, which it is if it was never there.
		if w := &parts[i]; w.same || w.empty() && w.owner.parts[w.window].stored == nil {
			continue
		}
		sp.chunks = append(sp.chunks, parts[i])
	}
	return nil
}

// parallelPoints is from how many points on several goroutines pack or unpack.
const parallelPoints = 8192

// packChunks packs the points of chunks, or has them of the helpers.
func (p *plan) packChunks(chunks []chunkWrite) {
	memory := p.newArena()
	var room []byte
	for i := range chunks {
		w := &chunks[i]
		if w.empty() {
			continue
		}
		points := &w.owner.parts[w.window].points
		w.first, w.last = points.Times[0], points.Times[w.n-1]
		c := p.helpers.chunk(points)
		if c != nil && !c.taken.CompareAndSwap(false, true) {
			w.helped = c
			continue
		}
		w.data = p.s.packer.packPoints(points, memory, &room)
		if c != nil {
			c.data = w.data // for another series with the same points
		}
	}
	p.dismiss()
	for i := range chunks {
		w := &chunks[i]
		if w.helped != nil {
			w.data = w.helped.data
		}
		w.same = !w.empty() && bytes.Equal(w.data, w.owner.parts[w.window].stored)
	}
}

// unpackPoints sets the points of s from a packed chunk. Room is memory for them
// before they are decoded, which it returns for the next chunk.
func (p *packer) unpackPoints(room, packed []byte, s *health.Series) ([]byte, error) {
	room, err := p.open(room[:0], packed)
	if err == nil {
		_, err = health.DecodePoints(room, s)
	}
	return room, err
}

// packPoints packs the points of a chunk in memory of a. Room is for the points
// before they are compressed, of one chunk after the other.
func (p *packer) packPoints(s *health.Series, a *arena, room *[]byte) []byte {
	if need := pointsHead + s.Len()*pointRoom; cap(*room) < need {
		*room = a.keep(a.next(need)[:need])
	}
	*room = health.AppendPoints((*room)[:0], s)
	return a.keep(p.bulk(a.next(len(*room) + 64)[:0], *room))
}

// The room for points that AppendPoints does not add to, unless their times are
// very irregular.
const (
	pointsHead = 64
	pointRoom  = 12
)

// split gives an owner with a crowded chunk a smaller width.
func (o *ownerPlan) split(ctx context.Context, c *conn, st *Store) error {
	width := o.width
	for _, part := range o.parts {
		if part.loaded && part.points.Len() > crowded {
			width = min(width, widthFor(rhythm(part.points.Times)))
		}
	}
	if width >= o.width {
		return nil
	}
	if o.id != 0 {
		if err := o.fetch(ctx, c, -windowBias, windowBias-1); err != nil {
			return err
		}
	}
	old := o.parts
	o.parts, o.order, o.resize, o.width = map[int64]*chunkPart{}, nil, o.id != 0, width
	for _, part := range old {
		if err := o.load(st, part); err != nil {
			return err
		}
		s := part.points
		if s.Len() == 0 {
			continue
		}
		s.From, s.To = s.Times[0], s.Times[s.Len()-1]+1
		// Chunks of the old width may share one of the new.
		for w, there := range o.parts {
			if window(s.From, width) <= w && w <= window(s.To-1, width) {
				if err := o.replace(st, there, w, &s); err != nil {
					return err
				}
			}
		}
		if err := o.place(st, &s); err != nil {
			return err
		}
	}
	return nil
}
