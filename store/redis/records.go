package redis

import (
	"slices"
	"strconv"

	goredis "github.com/redis/go-redis/v9"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

// planRecords compares the records of the batch with what is stored.
func (c *commit) planRecords() error {
	pages := c.b.Pages
	skip := make([]bool, len(pages))
	for i := range pages {
		digest, known, _, err := c.digestOf(i)
		if err != nil {
			return err
		}
		if skip[i] = known && pages[i].Digest != 0 && digest == pages[i].Digest; skip[i] {
			c.result.SkippedPages++
		}
	}
	if c.load == nil || !slices.Equal(skip, c.skip) {
		var err error
		if c.load, err = newLoad(c.b, skip); err != nil {
			return err
		}
		c.skip = skip
	}
	for i := range c.load.versions {
		c.load.versions[i].chunk = nil
	}
	groups := make([]*group, len(c.load.names))
	for i, name := range c.load.names {
		var err error
		if groups[i], err = c.group(name); err != nil {
			return err
		}
	}
	if err := c.match(groups); err != nil {
		return err
	}
	if err := c.fetchBodies(groups); err != nil {
		return err
	}
	for _, i := range c.load.order {
		v := &c.load.versions[i]
		if err := c.apply(groups[v.group], v); err != nil {
			return err
		}
	}
	return nil
}

// group returns a group of the batch as it is stored.
func (c *commit) group(name groupName) (*group, error) {
	field := name.field()
	if g := c.state[field]; g != nil {
		return g, nil
	}
	i := slices.Index(c.names, name)
	value, _ := c.groups.Val()[i].(string)
	g, err := decodeGroup(name, value)
	if err != nil {
		return nil, err
	}
	c.state[field] = g
	c.list = append(c.list, g)
	return g, nil
}

// loadHeads reads the heads of chunks.
func (c *commit) loadHeads(chunks []*chunk) error {
	var list []*chunk
	var ids []string
	for _, x := range chunks {
		if !x.loaded && x.id != 0 && !slices.Contains(list, x) {
			list = append(list, x)
			ids = append(ids, strconv.FormatInt(x.id, 10))
		}
	}
	if len(ids) == 0 {
		return nil
	}
	var heads *goredis.SliceCmd
	if err := c.tx.read(func(p goredis.Pipeliner) {
		heads = p.HMGet(c.tx.ctx, c.sc.of("h", c.b.Connection), ids...)
	}); err != nil {
		return err
	}
	for i, x := range list {
		text, ok := heads.Val()[i].(string)
		if !ok {
			return c.missing()
		}
		var err error
		if x.entries, err = decodeHead(text); err != nil {
			return err
		}
		x.loaded = true
	}
	return nil
}

// missing says that something is not there that should be: because somebody
// else changed the scope meanwhile, which is seen in the end.
func (c *commit) missing() error { return errAgain }

// loadBodies reads the bodies of chunks.
func (c *commit) loadBodies(chunks []*chunk) error {
	var list []*chunk
	var ids []string
	for _, x := range chunks {
		if x.body == nil && x.id != 0 && !slices.Contains(list, x) {
			list = append(list, x)
			ids = append(ids, strconv.FormatInt(x.id, 10))
		}
	}
	if len(ids) == 0 {
		return nil
	}
	var bodies *goredis.SliceCmd
	if err := c.tx.read(func(p goredis.Pipeliner) {
		bodies = p.HMGet(c.tx.ctx, c.sc.of("b", c.b.Connection), ids...)
	}); err != nil {
		return err
	}
	for i, x := range list {
		text, ok := bodies.Val()[i].(string)
		if !ok {
			return c.missing()
		}
		body, err := c.s.packer.open(text)
		if err != nil {
			return err
		}
		if x.body = body; body == nil {
			x.body = []byte{}
		}
	}
	return nil
}

// match finds what is stored of each version: mostly where its start says, else
// where the locator says.
func (c *commit) match(groups []*group) error {
	versions := c.load.versions
	var near []*chunk
	for i := range versions {
		g := groups[versions[i].group]
		if len(g.chunks) == 0 {
			continue
		}
		if x := g.chunks[g.find(versions[i].bound())]; len(near) == 0 || near[len(near)-1] != x {
			near = append(near, x)
		}
	}
	if err := c.loadHeads(near); err != nil {
		return err
	}
	var lost []*version
	var fields []string
	for i := range versions {
		v := &versions[i]
		g := groups[v.group]
		if len(g.chunks) == 0 {
			continue
		}
		if x := g.chunks[g.find(v.bound())]; !v.foundIn(x, v.bound()) {
			lost = append(lost, v)
			fields = append(fields, locatorField(g, v.rid))
		}
	}
	if len(lost) == 0 {
		return nil
	}
	var starts *goredis.SliceCmd
	if err := c.tx.read(func(p goredis.Pipeliner) {
		starts = p.HMGet(c.tx.ctx, c.sc.of("x", c.b.Connection), fields...)
	}); err != nil {
		return err
	}
	type place struct {
		v  *version
		x  *chunk
		at bound
	}
	var moved []place
	var far []*chunk
	for i, v := range lost {
		text, ok := starts.Val()[i].(string)
		if !ok {
			continue // nothing is stored of it
		}
		start, err := decodeStart(text)
		if err != nil {
			return err
		}
		g, at := groups[v.group], bound{start, v.rid}
		moved = append(moved, place{v, g.chunks[g.find(at)], at})
		far = append(far, moved[len(moved)-1].x)
	}
	if err := c.loadHeads(far); err != nil {
		return err
	}
	for _, m := range moved {
		if !m.v.foundIn(m.x, m.at) {
			return c.missing()
		}
	}
	return nil
}

// foundIn notes where a version is stored, if it is in the chunk at the place.
func (v *version) foundIn(x *chunk, at bound) bool {
	index, found := slices.BinarySearchFunc(x.entries, at, func(e entry, at bound) int { return compareBounds(e.bound(), at) })
	if found {
		v.chunk, v.index = x, index
	}
	return found
}

func locatorField(g *group, rid string) string {
	e := encoder{}
	e.uint(g.number)
	return string(e.b) + rid
}

func encodeStart(start int64) []byte {
	e := encoder{}
	e.int(start)
	return e.b
}

func decodeStart(text string) (int64, error) {
	d := &decoder{b: text}
	start := d.int()
	return start, d.end()
}

// verdict says what becomes of a version that is compared by its revision
// alone; false if it has to be merged with the content of what is stored.
func (v *version) verdict() (verdict health.Verdict, tied, decided bool) {
	old := v.stored()
	verdict, tied = health.Decide(old.rev, v.rev)
	same := old.rev.Fingerprint == v.rev.Fingerprint
	moves := verdict == health.Replace && store.MovesClock(v.rec.Kind, old.rev, v.rev)
	return verdict, tied, same && verdict == health.Keep || v.plain && old.plain && !moves
}

// fetchBodies reads the bodies of the chunks whose content is needed.
func (c *commit) fetchBodies(groups []*group) error {
	var list []*chunk
	add := func(x *chunk) {
		if x.id != 0 && x.body == nil && (len(list) == 0 || list[len(list)-1] != x) {
			list = append(list, x)
		}
	}
	for i := range c.load.versions {
		v := &c.load.versions[i]
		g := groups[v.group]
		if v.chunk == nil {
			if len(g.chunks) > 0 {
				add(g.chunks[g.find(v.bound())])
			}
			continue
		}
		if verdict, _, decided := v.verdict(); !decided || verdict == health.Replace {
			add(v.chunk)
			add(g.chunks[g.find(v.bound())])
		}
	}
	return c.loadBodies(list)
}

// apply merges a version into what is stored.
func (c *commit) apply(g *group, v *version) error {
	old := v.stored()
	if old == nil {
		if v.tied {
			c.conflict(v)
		}
		if v.rec.State == health.StateDeleted {
			c.result.Deleted++
		} else {
			c.result.Inserted++
		}
		c.tell(v.rec, nil)
		c.insert(g, v.entry())
		c.wrote(v)
		if v.rec.State == health.StateLive {
			c.samples.put(v.rec)
		}
		return nil
	}
	verdict, tied, decided := v.verdict()
	if !decided {
		return c.merge(g, v)
	}
	if tied || v.tied {
		c.conflict(v)
	}
	same := old.rev.Fingerprint == v.rev.Fingerprint
	switch {
	case verdict == health.Replace:
		c.result.Revised++
		c.changed[g.name.stream] = true
		c.tell(v.rec, &health.Record{}) // both are live: the day is the new one's
		c.replace(g, v.chunk, v.index, v.entry())
		c.wrote(v)
		c.samples.shed(v.rec)
		c.samples.put(v.rec)
	case verdict == health.Touch:
		c.result.Unchanged++
		old.rev = v.rev
		v.chunk.head = true
		c.wrote(v)
	case same:
		c.result.Unchanged++
	default:
		c.result.Stale++
	}
	return nil
}

// merge joins a version with the content of what is stored: one of them is a
// tombstone, has sticky values, or has its samples on the other clock.
func (c *commit) merge(g *group, v *version) error {
	old, merged, verdict, tied, err := v.result(g)
	if err != nil {
		return err
	}
	if tied || v.tied {
		c.conflict(v)
	}
	won := merged.Rev == v.rev && merged.Rev != old.Rev
	switch {
	case verdict == health.Replace && merged.State == health.StateDeleted:
		c.result.Deleted++
	case verdict == health.Replace:
		c.result.Revised++
	case won || old.Rev.Fingerprint == v.rev.Fingerprint:
		c.result.Unchanged++
	default:
		c.result.Stale++
	}
	if verdict == health.Keep {
		return nil
	}
	c.wrote(v)
	if verdict == health.Replace {
		c.changed[g.name.stream] = true
		c.tell(&merged, &old)
		switch {
		case merged.State == health.StateDeleted:
			c.samples.remove(&old)
		case won:
			c.samples.shed(v.rec)
			for _, s := range store.LeftBehind(&old, v.rec) {
				c.samples.window(keyOf(&old, &s), &s)
			}
			c.samples.put(v.rec)
		}
	}
	next := version{rid: v.rid}
	next.encode(&merged)
	next.rev = merged.Rev
	c.replace(g, v.chunk, v.index, next.entry())
	return nil
}

// wrote marks the pages of a version that is written.
func (c *commit) wrote(v *version) {
	for _, page := range v.pages {
		c.written[page] = true
	}
}

func (c *commit) conflict(v *version) {
	c.result.Conflicts = append(c.result.Conflicts,
		store.Conflict{Kind: v.rec.Kind, Key: v.rec.Key, Day: v.rec.Span.Day, Start: v.rec.Span.Start})
}

// insert adds an entry for a record of which nothing is stored.
func (c *commit) insert(g *group, x entry) {
	if len(g.chunks) == 0 {
		g.chunks = append(g.chunks, &chunk{from: x.bound(), loaded: true, body: []byte{}})
	}
	if g.number == 0 {
		g.number = uint64(c.tx.newID())
	}
	to := g.chunks[g.find(x.bound())]
	to.added = append(to.added, x)
	to.head, to.content = true, true
	c.locate = append(c.locate, locatorField(g, x.rid), encodeStart(x.start))
}

// replace puts an entry in place of a stored one, which has another place if
// its start changed.
func (c *commit) replace(g *group, from *chunk, index int, x entry) {
	old := &from.entries[index]
	from.head, from.content = true, true
	if old.bound() == x.bound() {
		*old = x
		return
	}
	old.gone = true
	c.insert(g, x)
}

// tell adds to the feed that a record became r; old is nil if nothing was stored.
func (c *commit) tell(r, old *health.Record) {
	day := r.Span.Day
	if day.IsZero() && old != nil && r.State == health.StateDeleted {
		day = old.Span.Day
	}
	cause := c.b.Cause
	switch {
	case r.State == health.StateDeleted:
		cause = store.CauseDeletion
	case old != nil && (cause == store.CauseLive || cause == store.CauseBackfill):
		cause = store.CauseRevision
	}
	c.told = append(c.told, told{kind: r.Kind, key: r.Key, day: day, cause: cause, deleted: r.State == health.StateDeleted})
}

// planAbsent makes tombstones of the records that a complete walk no longer
// held.
func (c *commit) planAbsent() error {
	for i := range c.b.Absent {
		if err := c.planAbsence(&c.b.Absent[i]); err != nil {
			return err
		}
	}
	return nil
}

func (c *commit) planAbsence(a *store.Absent) error {
	present := c.b.Present(a)
	for _, kind := range health.Kinds() {
		g, err := c.group(groupName{c.b.Connection, kind, a.Stream})
		if err != nil {
			return err
		}
		near := g.near(a)
		if err := c.loadHeads(near); err != nil {
			return err
		}
		type place struct {
			chunk *chunk
			entry *entry
		}
		var suspects []place
		var bodies []*chunk
		for _, x := range near {
			for i := range x.entries {
				e := &x.entries[i]
				if !e.gone && !e.deleted && e.rev.Order <= a.Order && maybeIn(a, e) && !present[string(kind)+"/"+a.Stream+"/"+e.rid] {
					suspects = append(suspects, place{x, e})
					bodies = append(bodies, x)
				}
			}
		}
		if err := c.loadBodies(bodies); err != nil {
			return err
		}
		for _, at := range suspects {
			old, err := g.record(at.chunk, at.entry)
			if err != nil {
				return err
			}
			if !a.Includes(&old) {
				continue
			}
			gone := a.Tombstone(&old)
			next := version{rid: at.entry.rid}
			next.encode(&gone)
			*at.entry = next.entry() // a tombstone is where the record was
			at.chunk.head, at.chunk.content = true, true
			c.result.Deleted++
			c.changed[a.Stream], c.absent[a.Stream] = true, true
			c.tell(&gone, &old)
			c.samples.remove(&old)
		}
	}
	return nil
}

// near returns the chunks that may hold records of the window.
func (g *group) near(a *store.Absent) []*chunk {
	if !a.Window.Days() {
		first, end := g.covers(a.Window.From.UnixMilli(), a.Window.To.UnixMilli())
		return g.chunks[first:end]
	}
	first, last := dayNumber(a.Window.First), dayNumber(a.Window.Last)
	var list []*chunk
	for _, x := range g.chunks {
		if x.min <= last && x.max >= first {
			list = append(list, x)
		}
	}
	return list
}

// maybeIn reports whether the entry may be one of the window.
func maybeIn(a *store.Absent, e *entry) bool {
	if a.Window.Days() {
		return dayNumber(a.Window.First) <= e.day && e.day <= dayNumber(a.Window.Last)
	}
	return a.Window.From.UnixMilli() <= e.start && e.start < a.Window.To.UnixMilli()
}

// writeGroups writes the chunks that changed, and the directory.
func (c *commit) writeGroups() error {
	t := c.tx
	heads, bodies := []any{"hset", c.sc.of("h", c.b.Connection)}, []any{"hset", c.sc.of("b", c.b.Connection)}
	for _, g := range c.list {
		var changed []*chunk
		for _, x := range g.chunks {
			if x.content {
				changed = append(changed, x)
			}
		}
		if err := c.loadHeads(changed); err != nil {
			return err
		}
		if err := c.loadBodies(changed); err != nil {
			return err
		}
		for _, id := range g.arrange(t.newID) {
			t.do("hdel", c.sc.of("h", c.b.Connection), id)
			t.do("hdel", c.sc.of("b", c.b.Connection), id)
		}
		for _, x := range g.chunks {
			id := strconv.FormatInt(x.id, 10)
			if x.content {
				body, err := x.encodeBody(c.s.packer)
				if err != nil {
					return err
				}
				bodies = append(bodies, id, body)
			}
			if x.head {
				heads = append(heads, id, encodeHead(x.entries))
			}
		}
		if value := g.encode(); string(value) != g.stored && len(g.chunks) > 0 {
			t.do("hset", c.sc.part("d"), g.name.field(), value)
		}
	}
	if len(heads) > 2 {
		t.do(heads...)
	}
	if len(bodies) > 2 {
		t.do(bodies...)
	}
	if len(c.locate) > 0 {
		t.do(append([]any{"hset", c.sc.of("x", c.b.Connection)}, c.locate...)...)
	}
	return nil
}
