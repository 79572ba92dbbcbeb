package redis

import (
	"encoding/binary"
	"errors"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

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
	if c.ahead != nil {
		if err := c.ahead(); err != nil {
			return err
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
		c.load.versions[i].chunk, c.load.versions[i].stray = nil, false
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
	c.lineUp(groups)
	if err := c.fetchBodies(); err != nil {
		return err
	}
	fresh, strays := 0, 0
	for i := range c.load.versions {
		if v := &c.load.versions[i]; v.chunk == nil {
			fresh++
			if v.stray {
				strays++
			}
		}
	}
	c.told, c.locate = slices.Grow(c.told, fresh), slices.Grow(c.locate, strays)
	for _, i := range c.load.order {
		v := &c.load.versions[i]
		if err := c.apply(groups[v.group], v, c.near[i]); err != nil {
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
func (c *commit) loadHeads(chunks []*chunk) error { return c.loadChunks(chunks, nil, nil) }

// loadBodies reads and unpacks the bodies of chunks.
func (c *commit) loadBodies(chunks []*chunk) error {
	if err := c.loadChunks(nil, chunks, nil); err != nil {
		return err
	}
	for _, x := range chunks {
		if x.body != nil || x.id == 0 {
			continue
		}
		body, err := c.s.packer.open(x.packed)
		if err != nil {
			return err
		}
		if x.body = body; body == nil {
			x.body = []byte{}
		}
	}
	return nil
}

// loadChunks reads the heads of some chunks and the bodies of some, in one round
// trip with other reads, nil for none; or in none if all were read.
func (c *commit) loadChunks(heads, bodies []*chunk, others func(goredis.Pipeliner)) error {
	heads = distinct(heads, func(x *chunk) bool { return !x.loaded && x.id != 0 })
	bodies = distinct(bodies, func(x *chunk) bool { return x.body == nil && x.packed == "" && x.id != 0 })
	var headValues, bodyValues *goredis.SliceCmd
	if len(heads)+len(bodies) > 0 || others != nil {
		if err := c.tx.read(func(p goredis.Pipeliner) {
			if others != nil {
				others(p)
			}
			if len(heads) > 0 {
				headValues = p.HMGet(c.tx.ctx, c.sc.of("h", c.b.Connection), chunkFields(heads)...)
			}
			if len(bodies) > 0 {
				bodyValues = p.HMGet(c.tx.ctx, c.sc.of("b", c.b.Connection), chunkFields(bodies)...)
			}
		}); err != nil {
			return err
		}
	}
	for i, x := range heads {
		text, ok := headValues.Val()[i].(string)
		if !ok {
			return c.missing()
		}
		var err error
		if x.entries, err = decodeHead(text, x.coming, c.s.packer.entries()); err != nil {
			return err
		}
		c.taken = append(c.taken, x.entries)
		x.loaded, x.stored = true, len(x.entries)
	}
	for i, x := range bodies {
		text, ok := bodyValues.Val()[i].(string)
		if !ok {
			return c.missing()
		}
		x.packed = text
	}
	return nil
}

// distinct returns the chunks of which keep is true, each once.
func distinct(chunks []*chunk, keep func(*chunk) bool) []*chunk {
	var list []*chunk
	for i, x := range chunks {
		if x != nil && (i == 0 || x != chunks[i-1]) && keep(x) && !slices.Contains(list, x) {
			list = append(list, x)
		}
	}
	return list
}

func chunkFields(chunks []*chunk) []string {
	fields := make([]string, len(chunks))
	for i, x := range chunks {
		fields[i] = strconv.FormatInt(x.id, 10)
	}
	return fields
}

// missing says that something is not there that should be: because somebody
// else changed the scope meanwhile, which is seen in the end.
func (c *commit) missing() error { return errAgain }

// match finds what is stored of each version: mostly where its start says, else
// where its key or the locator says. The contents of a chunk that gets a new key
// are read together with its head.
func (c *commit) match(groups []*group) error {
	versions := c.load.versions
	c.near = make([]*chunk, len(versions))
	var near, getting []*chunk
	index := 0
	for i := range versions {
		v := &versions[i]
		g := groups[v.group]
		if i == 0 || v.group != versions[i-1].group {
			index = 0
		}
		if len(g.chunks) == 0 {
			continue
		}
		index = g.findAfter(index, v.bound())
		x := g.chunks[index]
		c.near[i] = x
		if len(near) == 0 || near[len(near)-1] != x {
			near = append(near, x)
		}
		if g.isNew(v.rid) {
			if x.coming++; len(getting) == 0 || getting[len(getting)-1] != x {
				getting = append(getting, x)
			}
		}
	}
	if err := c.loadChunks(near, getting, nil); err != nil {
		return err
	}
	var lost []*version
	var fields []string
	var lines []*chunk // where each of the lost is if it is in line; nil for nowhere
	for i := range versions {
		v, x := &versions[i], c.near[i]
		if i == 0 || x != c.near[i-1] {
			index = 0
		}
		if x == nil {
			continue
		}
		found := false
		if index, found = x.seek(index, v.bound()); found {
			v.chunk, v.index = x, index
			continue
		}
		if g := groups[v.group]; !g.isNew(v.rid) {
			x.coming++
			lost = append(lost, v)
			fields = append(fields, locatorField(g.number, v.rid))
			lines = append(lines, g.inLine(v.rid))
		}
	}
	if len(lost) == 0 {
		return nil
	}
	var starts *goredis.SliceCmd
	if err := c.loadChunks(lines, nil, func(p goredis.Pipeliner) {
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
			if x := lines[i]; x != nil {
				if index, found := x.findInLine(v.rid); found {
					v.chunk, v.index = x, index
				}
			}
			continue
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

// lineUp finds out which of the new records are strays. A tombstone without a
// start always is one: it would stand at the beginning of the line.
func (c *commit) lineUp(groups []*group) {
	var l line
	for i := range c.load.versions {
		v := &c.load.versions[i]
		if v.chunk != nil {
			continue
		}
		g := groups[v.group]
		if g.number == 0 {
			g.number = uint64(c.tx.newID())
			g.first = v.rid
		}
		after := compareKeys(v.rid, g.last) > 0
		if after {
			g.last = v.rid
		} else if compareKeys(v.rid, g.first) < 0 {
			g.first = v.rid
		}
		unplaced := v.rec.State == health.StateDeleted && v.rec.Span.Start.IsZero()
		v.stray = unplaced || !l.join(g, c.near[i], v.bound(), after)
	}
}

// foundIn notes where a version is stored, if it is in the chunk at the place.
func (v *version) foundIn(x *chunk, at bound) bool {
	index, found := x.seek(0, at)
	if found {
		v.chunk, v.index = x, index
	}
	return found
}

func locatorField(group uint64, rid string) string {
	return string(append(binary.AppendUvarint(nil, group), rid...))
}

// located is a record and its place.
type located struct {
	group uint64
	at    bound
}

// encodeLocated returns fields and values for the locator.
func encodeLocated(list []located) []string {
	size := 0
	for i := range list {
		size += 16 + len(list[i].at.rid)
	}
	b := make([]byte, 0, binary.MaxVarintLen64)
	var all strings.Builder
	all.Grow(size)
	ends := make([]int32, 0, 2*len(list))
	for i := range list {
		x := &list[i]
		b = binary.AppendUvarint(b[:0], x.group)
		all.Write(b)
		all.WriteString(x.at.rid)
		ends = append(ends, int32(all.Len()))
		b = binary.AppendVarint(b[:0], x.at.start)
		all.Write(b)
		ends = append(ends, int32(all.Len()))
	}
	texts, text, from := make([]string, len(ends)), all.String(), int32(0)
	for i, end := range ends {
		texts[i] = text[from:end]
		from = end
	}
	return texts
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
	merged := !v.plain && v.rec.Merged() // has what other versions left, of the batch or of another store
	if old.rev == v.rev && !merged {
		return health.Keep, false, true // as of most records of a page that is read again
	}
	verdict, tied = health.Decide(old.rev, v.rev)
	same := old.rev.Fingerprint == v.rev.Fingerprint
	moves := verdict == health.Replace && store.MovesClock(v.rec.Kind, old.rev, v.rev)
	return verdict, tied, same && verdict == health.Keep && !merged || v.plain && old.plain && !moves
}

// fetchBodies reads the bodies of the chunks whose content is needed.
func (c *commit) fetchBodies() error {
	var list []*chunk
	add := func(x *chunk) {
		if x.id != 0 && x.body == nil && (len(list) == 0 || list[len(list)-1] != x) {
			list = append(list, x)
		}
	}
	for i := range c.load.versions {
		v := &c.load.versions[i]
		if v.chunk == nil {
			if c.near[i] != nil {
				add(c.near[i])
			}
			continue
		}
		if verdict, _, decided := v.verdict(); !decided || verdict == health.Replace {
			add(v.chunk)
			add(c.near[i])
		}
	}
	return c.loadBodies(list)
}

// apply merges a version into what is stored. Near is the chunk that its place
// is in.
func (c *commit) apply(g *group, v *version, near *chunk) error {
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
		c.insert(g, near, v.entry())
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
		if !tied {
			c.lose(v)
		}
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
	if !won && !tied && old.Rev.Fingerprint != v.rev.Fingerprint {
		c.lose(v)
	}
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

// lose marks the pages of a version that is older than what is stored, and has
// other content.
func (c *commit) lose(v *version) {
	for _, page := range v.pages {
		c.lost[page] = true
	}
}

func (c *commit) conflict(v *version) {
	c.result.Conflicts = append(c.result.Conflicts,
		store.Conflict{Kind: v.rec.Kind, Key: v.rec.Key, Day: v.rec.Span.Day, Start: v.rec.Span.Start})
}

// insert adds an entry for a record of which nothing is stored to the chunk that
// its place is in; nil leaves that to be found.
func (c *commit) insert(g *group, to *chunk, x entry) {
	if len(g.chunks) == 0 {
		n := len(c.load.versions)
		g.chunks = append(g.chunks, &chunk{from: x.bound(), loaded: true, body: []byte{}, coming: n, entries: make([]entry, 0, n)})
	}
	if to == nil {
		to = g.chunks[g.find(x.bound())]
	}
	if n := len(to.entries); n == 0 || compareBounds(to.entries[n-1].bound(), x.bound()) < 0 {
		to.entries = append(to.entries, x)
	} else {
		to.added = append(slices.Grow(to.added, max(1, to.coming-len(to.added))), x)
	}
	to.head, to.content = true, true
	if x.stray {
		c.locate = append(c.locate, located{g.number, x.bound()})
	}
}

// replace puts an entry in place of a stored one, which has another place if
// its start changed, and then is not in line any more.
func (c *commit) replace(g *group, from *chunk, index int, x entry) {
	old := &from.entries[index]
	from.head, from.content = true, true
	if old.bound() == x.bound() {
		x.stray = old.stray
		*old = x
		return
	}
	old.gone, x.stray = true, true
	c.insert(g, nil, x)
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
			for i := range x.entries[:x.stored] {
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
			x := next.entry()
			x.stray = at.entry.stray
			*at.entry = x // a tombstone is where the record was
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

// writeGroups writes the directory and the chunks that changed.
func (c *commit) writeGroups() error {
	t := c.tx
	var changed []*chunk
	for _, g := range c.list {
		if !slices.ContainsFunc(g.chunks, func(x *chunk) bool { return x.head || x.content }) {
			continue
		}
		first := len(changed)
		for _, x := range g.chunks {
			if x.content {
				changed = append(changed, x)
			}
		}
		if err := c.loadHeads(changed[first:]); err != nil {
			return err
		}
		if err := c.loadBodies(changed[first:]); err != nil {
			return err
		}
		for _, id := range g.arrange(t.newID) {
			t.do("hdel", c.sc.of("h", c.b.Connection), id)
			t.do("hdel", c.sc.of("b", c.b.Connection), id)
		}
		changed = changed[:first]
		for _, x := range g.chunks {
			if x.head || x.content {
				changed = append(changed, x)
			}
		}
		if value := g.encode(); string(value) != g.stored && len(g.chunks) > 0 {
			t.do("hset", c.sc.part("d"), g.name.field(), value)
		}
	}
	return c.writeChunks(changed)
}

// writeChunks packs what is long, on several processors if it is much, and
// writes it: the chunks, the locator and the block of the feed.
func (c *commit) writeChunks(changed []*chunk) error {
	if len(changed)+len(c.told) == 0 {
		return nil
	}
	heads, bodies := make([][]byte, len(changed)), make([][]byte, len(changed))
	var located []string
	var block []byte
	jobs := []func() error{
		func() error { block = c.packTold(); return nil },
		func() error { located = encodeLocated(c.locate); return nil },
	}
	for i, x := range changed {
		jobs = append(jobs, func() (err error) {
			heads[i] = encodeHead(x.entries)
			if x.content {
				bodies[i], err = x.encodeBody(c.s.packer)
			}
			return err
		})
	}
	workers := 1
	if len(c.load.versions) >= manyRecords {
		workers = min(runtime.GOMAXPROCS(0), len(jobs))
	}
	if err := share(jobs, workers); err != nil {
		return err
	}
	setHeads, setBodies := []any{"hset", c.sc.of("h", c.b.Connection)}, []any{"hset", c.sc.of("b", c.b.Connection)}
	for i, x := range changed {
		id := strconv.FormatInt(x.id, 10)
		if x.content {
			setBodies = append(setBodies, id, bodies[i])
		}
		if x.head {
			setHeads = append(setHeads, id, heads[i])
		}
	}
	setLocated := make([]any, 2, 2+len(located))
	setLocated[0], setLocated[1] = "hset", c.sc.of("x", c.b.Connection)
	for i := range located {
		setLocated = append(setLocated, &located[i])
	}
	for _, args := range [][]any{setHeads, setBodies, setLocated} {
		if len(args) > 2 {
			c.tx.do(args...)
		}
	}
	if block != nil {
		c.tx.do("zadd", c.sc.part("f"), c.tx.head.last, block)
	}
	return nil
}

// share does all jobs, by so many goroutines.
func share(jobs []func() error, workers int) error {
	var next atomic.Int64
	errs := make([]error, workers)
	work := func(w int) {
		for errs[w] == nil {
			i := int(next.Add(1)) - 1
			if i >= len(jobs) {
				return
			}
			errs[w] = jobs[i]()
		}
	}
	var others sync.WaitGroup
	for w := 1; w < workers; w++ {
		others.Go(func() { work(w) })
	}
	work(0)
	others.Wait()
	return errors.Join(errs...)
}
