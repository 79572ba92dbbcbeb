package redis

import (
	"cmp"
	"slices"
	"strconv"

	goredis "github.com/redis/go-redis/v9"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

// The points of an owner are chunks in order of time, each packed. The owner's
// entry, in a hash per metric of the user's scope, says where each begins. A
// session's entry lists its owners, so that they are found when it changes.

// sampleKey is an owner on one of the two clocks.
type sampleKey struct {
	owner    store.Owner
	floating bool
}

// field returns the field of an owner.
func (k *sampleKey) field() string {
	o, e := &k.owner, encoder{}
	e.text(o.Connection)
	e.text(o.Stream)
	e.text(string(o.Metric))
	e.byte(byte(o.Stat))
	e.text(string(o.Part))
	e.text(o.Source.Provider)
	e.text(string(o.Source.Path))
	e.text(o.Source.Upstream)
	e.text(o.Source.Device)
	e.text(o.Source.App)
	e.text(string(o.Kind))
	e.text(o.Record)
	e.bool(k.floating)
	return string(e.b)
}

func parseOwner(field string) (sampleKey, error) {
	d := &decoder{b: field}
	k := sampleKey{owner: store.Owner{
		Connection: d.text(), Stream: d.text(), Metric: health.Metric(d.text()), Stat: health.Stat(d.byte()), Part: health.Part(d.text()),
		Source: health.Source{Provider: d.text(), Path: health.Path(d.text()), Upstream: d.text(), Device: d.text(), App: d.text()},
		Kind:   health.Kind(d.text()), Record: d.text(),
	}, floating: d.bool()}
	return k, d.end()
}

func compareSampleKeys(a, b *sampleKey) int {
	x, y := &a.owner, &b.owner
	clock := func(floating bool) int {
		if floating {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(x.Connection, y.Connection), cmp.Compare(x.Stream, y.Stream),
		cmp.Compare(x.Metric, y.Metric), cmp.Compare(x.Stat, y.Stat), cmp.Compare(x.Part, y.Part),
		cmp.Compare(x.Source.Provider, y.Source.Provider), cmp.Compare(x.Source.Path, y.Source.Path),
		cmp.Compare(x.Source.Upstream, y.Source.Upstream), cmp.Compare(x.Source.Device, y.Source.Device),
		cmp.Compare(x.Source.App, y.Source.App), cmp.Compare(x.Record, y.Record), cmp.Compare(x.Kind, y.Kind),
		cmp.Compare(clock(a.floating), clock(b.floating)))
}

// keyOf returns who owns the samples of series s of r.
func keyOf(r *health.Record, s *health.Series) sampleKey {
	k := sampleKey{owner: store.Owner{
		Connection: r.Connection, Stream: r.Stream(), Metric: s.Metric, Stat: s.Stat, Part: s.Part, Source: r.Source,
	}, floating: s.Floating}
	if r.Kind != health.KindSamples {
		k.owner.Kind, k.owner.Record = r.Kind, r.Key
	}
	return k
}

// sessionField names a session among those of its connection.
func sessionField(kind health.Kind, key string) string {
	e := encoder{}
	e.text(string(kind))
	return string(e.b) + key
}

// sampleOwner is an owner that a commit deals with.
type sampleOwner struct {
	key    sampleKey
	field  string
	stored string // the entry, "" for none
	list   []*sampleChunk
	gone   []int64 // numbers of chunks to remove
}

// sampleChunk is one chunk: the points from its place up to the next one's.
type sampleChunk struct {
	id     int64 // 0: new
	from   int64
	packed string // as it is stored
	points health.Series
	loaded bool
	dirty  bool
}

func decodeOwner(key sampleKey, field, value string) (*sampleOwner, error) {
	o := &sampleOwner{key: key, field: field, stored: value}
	if value == "" {
		return o, nil
	}
	d := newDecoder(value)
	id, from := int64(0), int64(0)
	for range d.count() {
		id += d.int()
		from += d.int()
		o.list = append(o.list, &sampleChunk{id: id, from: from})
	}
	return o, d.end()
}

func (o *sampleOwner) encode() []byte {
	e := newEncoder()
	e.uint(uint64(len(o.list)))
	id, from := int64(0), int64(0)
	for _, c := range o.list {
		e.int(c.id - id)
		e.int(c.from - from)
		id, from = c.id, c.from
	}
	return e.b
}

// covers returns the indexes of the chunks that may hold points of the window.
func (o *sampleOwner) covers(from, to int64) (first, end int) {
	first, found := slices.BinarySearchFunc(o.list, from, func(c *sampleChunk, from int64) int { return cmp.Compare(c.from, from) })
	if !found && first > 0 {
		first--
	}
	end = first
	for end < len(o.list) && o.list[end].from < to {
		end++
	}
	return first, end
}

// The points of a chunk: as many as new ones have, and as many as one may have
// before it is cut.
const (
	sampleAim  = 1500
	sampleMost = 3000
)

// samplePlan collects what a commit does to samples, and does it at the end.
type samplePlan struct {
	c        *commit
	steps    []sampleStep
	owners   map[string]*sampleOwner
	order    []*sampleOwner
	sessions map[string]*session
}

// sampleStep is one of: points to put, a session to leave with the series of a
// record only, or a record whose points go.
type sampleStep struct {
	series *health.Series
	owner  *sampleOwner
	shed   *session
	keep   *health.Record // of shed; nil keeps nothing
}

// session is a session whose owners change.
type session struct {
	field   string
	stored  string
	fields  []string // of its owners
	changed bool
}

// put plans to store the points of a record's series.
func (sp *samplePlan) put(r *health.Record) {
	for i := range r.Series {
		if s := &r.Series[i]; s.To > s.From && (s.Len() > 0 || s.Count == 0) {
			sp.window(keyOf(r, s), s)
		}
	}
}

// window plans to make the points of s those of its owner in its window.
func (sp *samplePlan) window(key sampleKey, s *health.Series) {
	step := sampleStep{series: s, owner: sp.owner(key)}
	if key.owner.Record != "" {
		step.shed = sp.session(key.owner.Kind, key.owner.Record)
	}
	sp.steps = append(sp.steps, step)
}

// shed plans to remove the points of the series that a stored session does not
// have any more.
func (sp *samplePlan) shed(r *health.Record) {
	if r.Kind != health.KindSamples {
		sp.steps = append(sp.steps, sampleStep{shed: sp.session(r.Kind, r.Key), keep: r})
	}
}

// remove plans to remove the points of a record that becomes a tombstone.
func (sp *samplePlan) remove(old *health.Record) {
	if old.Kind != health.KindSamples {
		sp.steps = append(sp.steps, sampleStep{shed: sp.session(old.Kind, old.Key)})
		return
	}
	for i := range old.Series {
		s := old.Series[i]
		s.Times, s.Values, s.Count, s.Digest = nil, nil, 0, 0
		if s.To > s.From {
			sp.window(keyOf(old, &s), &s)
		}
	}
}

func (sp *samplePlan) owner(key sampleKey) *sampleOwner {
	field := key.field()
	if o := sp.owners[field]; o != nil {
		return o
	}
	o := &sampleOwner{key: key, field: field}
	if sp.owners == nil {
		sp.owners = map[string]*sampleOwner{}
	}
	sp.owners[field] = o
	sp.order = append(sp.order, o)
	return o
}

func (sp *samplePlan) session(kind health.Kind, key string) *session {
	field := sessionField(kind, key)
	if s := sp.sessions[field]; s != nil {
		return s
	}
	s := &session{field: field}
	if sp.sessions == nil {
		sp.sessions = map[string]*session{}
	}
	sp.sessions[field] = s
	return s
}

// run carries out the steps and queues what is to be written.
func (sp *samplePlan) run() error {
	if len(sp.steps) == 0 {
		return nil
	}
	if err := sp.fetch(); err != nil {
		return err
	}
	for i := range sp.steps {
		step := &sp.steps[i]
		switch {
		case step.series != nil:
			if err := sp.merge(step); err != nil {
				return err
			}
		default:
			sp.drop(step)
		}
	}
	return sp.write()
}

// fetch reads the sessions, the owners and the chunks that the steps deal with.
func (sp *samplePlan) fetch() error {
	c, ctx := sp.c, sp.c.tx.ctx
	var sessions []*session
	var fields []string
	for _, s := range sp.sessions {
		sessions, fields = append(sessions, s), append(fields, s.field)
	}
	if len(sessions) > 0 {
		var values *goredis.SliceCmd
		if err := c.tx.read(func(p goredis.Pipeliner) {
			values = p.HMGet(ctx, c.sc.of("z", c.b.Connection), fields...)
		}); err != nil {
			return err
		}
		for i, s := range sessions {
			if s.stored, _ = values.Val()[i].(string); s.stored == "" {
				continue
			}
			d := newDecoder(s.stored)
			s.fields = d.texts()
			if err := d.end(); err != nil {
				return err
			}
			for _, field := range s.fields {
				key, err := parseOwner(field)
				if err != nil {
					return err
				}
				sp.owner(key)
			}
		}
	}
	values := make([]*goredis.StringCmd, len(sp.order))
	if err := c.tx.read(func(p goredis.Pipeliner) {
		for i, o := range sp.order {
			values[i] = p.HGet(ctx, c.sc.of("o", string(o.key.owner.Metric)), o.field)
		}
	}); err != nil {
		return err
	}
	for i, o := range sp.order {
		stored, err := decodeOwner(o.key, o.field, values[i].Val())
		if err != nil {
			return err
		}
		*o = *stored
	}
	var chunks []*sampleChunk
	var ids []string
	for i := range sp.steps {
		step := &sp.steps[i]
		if step.series == nil {
			continue
		}
		first, end := step.owner.covers(step.series.From, step.series.To)
		for _, x := range step.owner.list[first:end] {
			if !x.loaded {
				x.loaded = true
				chunks, ids = append(chunks, x), append(ids, strconv.FormatInt(x.id, 10))
			}
		}
	}
	if len(ids) == 0 {
		return nil
	}
	var packed *goredis.SliceCmd
	if err := c.tx.read(func(p goredis.Pipeliner) {
		packed = p.HMGet(ctx, c.sc.of("s", c.b.Connection), ids...)
	}); err != nil {
		return err
	}
	for i, x := range chunks {
		text, ok := packed.Val()[i].(string)
		if !ok {
			return errAgain
		}
		x.packed = text
		if err := c.s.points(text, &x.points); err != nil {
			return err
		}
	}
	return nil
}

// points unpacks a chunk of samples.
func (s *Store) points(packed string, to *health.Series) error {
	data, err := s.packer.open(packed)
	if err != nil {
		return err
	}
	_, err = health.DecodePoints(data, to)
	return err
}

// merge replaces the points of an owner in the window of the step.
func (sp *samplePlan) merge(step *sampleStep) error {
	o, s := step.owner, step.series
	first, end := o.covers(s.From, s.To)
	if first < end && !o.list[first].loaded {
		// It came to be in front of the window as earlier steps emptied what was
		// between, and has no points in it.
		first++
	}
	merged := *s
	merged.Count, merged.Digest = 0, 0
	if first < end {
		// The chunks together, and then what is new in its place.
		joined := o.list[first].points
		for _, x := range o.list[first+1 : end] {
			joined = health.MergePoints(joined, x.points)
		}
		merged = health.MergePoints(joined, merged)
	}
	parts := cut(&merged)
	list := slices.Clone(o.list[:first])
	for i, p := range parts {
		x := &sampleChunk{from: p.Times[0], points: p, loaded: true, dirty: true}
		if first+i < end {
			old := o.list[first+i]
			x.id, x.packed = old.id, old.packed
		}
		list = append(list, x)
	}
	for _, x := range o.list[min(end, first+len(parts)):end] {
		if x.id != 0 {
			o.gone = append(o.gone, x.id)
		}
	}
	o.list = append(list, o.list[end:]...)
	if step.shed != nil && len(parts) > 0 && !slices.Contains(step.shed.fields, o.field) {
		step.shed.fields, step.shed.changed = append(step.shed.fields, o.field), true
	}
	return nil
}

// cut cuts points into chunks.
func cut(s *health.Series) []health.Series {
	n := s.Len()
	if n == 0 {
		return nil
	}
	size := n
	if n > sampleMost {
		size = sampleAim
	}
	var parts []health.Series
	for first := 0; first < n; first += size {
		p := *s
		end := min(n, first+size)
		p.Times, p.Values = s.Times[first:end:end], s.Values[first:end:end]
		p.From, p.To = p.Times[0], p.Times[len(p.Times)-1]+1
		parts = append(parts, p)
	}
	return parts
}

// drop removes the points of a session that the record to keep does not have.
func (sp *samplePlan) drop(step *sampleStep) {
	kept := step.shed.fields[:0:0]
	for _, field := range step.shed.fields {
		o := sp.owners[field]
		if step.keep != nil && hasSeries(step.keep, &o.key) {
			kept = append(kept, field)
			continue
		}
		for _, x := range o.list {
			if x.id != 0 {
				o.gone = append(o.gone, x.id)
			}
		}
		o.list = nil
		step.shed.changed = true
	}
	step.shed.fields = kept
}

// hasSeries reports whether the record has the series of the owner. One that is
// only described has whatever points there are.
func hasSeries(r *health.Record, key *sampleKey) bool {
	return slices.ContainsFunc(r.Series, func(s health.Series) bool {
		described := s.Len() == 0 && s.Count > 0
		return s.Metric == key.owner.Metric && s.Stat == key.owner.Stat && s.Part == key.owner.Part &&
			s.Floating == key.floating && (described || r.Source == key.owner.Source)
	})
}

// write queues what changed.
func (sp *samplePlan) write() error {
	c, t := sp.c, sp.c.tx
	chunks := c.sc.of("s", c.b.Connection)
	for _, o := range sp.order {
		metric := string(o.key.owner.Metric)
		for _, x := range o.list {
			if !x.dirty {
				continue
			}
			packed := c.s.packer.tight(health.AppendPoints(nil, &x.points))
			if x.id != 0 && string(packed) == x.packed {
				continue
			}
			if x.id == 0 {
				x.id = t.newID()
			}
			t.do("hset", chunks, x.id, packed)
		}
		for _, id := range o.gone {
			if !slices.ContainsFunc(o.list, func(x *sampleChunk) bool { return x.id == id }) {
				t.do("hdel", chunks, id)
			}
		}
		switch value := string(o.encode()); {
		case len(o.list) == 0 && o.stored != "":
			t.do("hdel", c.sc.of("o", metric), o.field)
		case len(o.list) > 0 && value != o.stored:
			if o.stored == "" {
				t.do("hset", c.sc.part("m"), metric, "")
			}
			t.do("hset", c.sc.of("o", metric), o.field, value)
		}
	}
	for _, s := range sp.sessions {
		if !s.changed {
			continue
		}
		if len(s.fields) == 0 {
			t.do("hdel", c.sc.of("z", c.b.Connection), s.field)
			continue
		}
		e := newEncoder()
		e.texts(s.fields)
		t.do("hset", c.sc.of("z", c.b.Connection), s.field, e.b)
	}
	return nil
}
