package redis

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/vitalmux/vitalmux/health"
)

// Records of one connection, kind and stream are a group, in order of start and
// key. A group is a list of chunks of neighbouring records. The directory says
// where each chunk begins and which days it holds; the head of a chunk has of
// each record what a comparison needs, its body the contents.
//
// A record whose start is not known, or has changed, is found by its key.
// Services mostly number what they give out, or name it by its time, so that of
// two records the later one has the greater key. Of records that are in line like
// that, the directory has the least key of each chunk. The others are strays:
// where one starts, its field in the locator says.

// groupName names a group.
type groupName struct {
	connection string
	kind       health.Kind
	stream     string
}

// field returns the field of the directory.
func (n groupName) field() string {
	e := encoder{}
	e.text(n.connection)
	e.text(string(n.kind))
	return string(e.b) + n.stream
}

func parseGroup(field string) (groupName, error) {
	d := &decoder{b: field}
	n := groupName{connection: d.text(), kind: health.Kind(d.text())}
	n.stream = d.b
	if d.bad {
		return n, ErrDamaged
	}
	return n, nil
}

// bound is a place in the order of a group.
type bound struct {
	start int64
	rid   string
}

func compareBounds(a, b bound) int {
	return cmp.Or(cmp.Compare(a.start, b.start), strings.Compare(a.rid, b.rid))
}

// group is a group as the directory has it.
type group struct {
	name   groupName
	number uint64 // in front of the fields of the locator; 0 before the first record
	// first and last are the least and the greatest key that a record ever had, in
	// the order of compareKeys: a key beyond them is new, and need not be looked
	// for.
	first, last string
	chunks      []*chunk
	stored      string   // the directory's value, "" for none
	lined       []*chunk // those with records in line; set by lines
}

// chunk is a chunk of a group.
type chunk struct {
	id       int64 // 0: not stored yet
	from     bound // no record of the chunk is before it, unless it is the first
	min, max int64 // of the days; min > max for none. Never too narrow.
	// key is the least key of the records in line, if there are any.
	key   string
	keyed bool
	// size is how many records the chunk had when it was made. It tells reads
	// how many chunks they need, so that it may be wrong.
	size uint64

	entries []entry // by bound; set by the head
	stored  int     // how many of the entries the head has; what follows was appended
	line    []int   // which of the stored entries are in line; set by lineOf
	added   []entry // what comes between the entries
	coming  int     // how many are likely to come
	packed  string  // the body as it is stored; "" if it was not read
	body    []byte  // unpacked; nil if it was not read or not yet unpacked
	loaded  bool    // entries are set
	head    bool    // the head is to be written
	content bool    // the body is to be written
}

// entry is one record of a chunk.
type entry struct {
	rid     string
	start   int64
	rev     health.Rev
	day     int64  // 0: none
	fresh   []byte // the content, if it is not that of the body
	at      int    // where the content begins in the body
	values  int    // bytes of the two halves of the content
	rest    int
	deleted bool
	plain   bool
	stray   bool // not in line: it has a field in the locator
	gone    bool // moved to another chunk
}

func (e *entry) bound() bound { return bound{e.start, e.rid} }

// size is how many bytes the content has.
func (e *entry) size() int { return e.values + e.rest }

const (
	entryDeleted = 1 << iota
	entryPlain
	entryPush
	entryAbsent
	entryDay
	entryStray
)

// What the directory says of a chunk beside its place.
const (
	chunkDays    = 1 << iota // the first and the last day follow
	chunkFromKey             // key is that of from
	chunkKey                 // key follows
)

// decodeGroup reads a group of the directory.
func decodeGroup(name groupName, value string) (*group, error) {
	g := &group{name: name, stored: value}
	if value == "" {
		return g, nil
	}
	d := newDecoder(value)
	g.number, g.first, g.last = d.uint(), d.text(), d.text()
	n := d.count()
	g.chunks = make([]*chunk, 0, n)
	list := make([]chunk, n)
	var at bound
	id := int64(0)
	for i := range list {
		c := &list[i]
		id += d.int()
		at.start += d.int()
		c.id, c.from = id, bound{at.start, d.text()}
		bits := d.byte()
		if bits&chunkDays != 0 {
			c.min = d.int()
			c.max = c.min + d.int()
		} else {
			c.noDays()
		}
		switch c.keyed = bits&(chunkFromKey|chunkKey) != 0; {
		case bits&chunkFromKey != 0:
			c.key = c.from.rid
		case c.keyed:
			c.key = d.text()
		}
		c.size = d.uint()
		g.chunks = append(g.chunks, c)
	}
	return g, d.end()
}

func (c *chunk) noDays() { c.min, c.max = math.MaxInt64, math.MinInt64 }

func (g *group) encode() []byte {
	e := newEncoder()
	e.uint(g.number)
	e.text(g.first)
	e.text(g.last)
	e.uint(uint64(len(g.chunks)))
	var at bound
	id := int64(0)
	for _, c := range g.chunks {
		e.int(c.id - id)
		e.int(c.from.start - at.start)
		e.text(c.from.rid)
		bits := byte(0)
		if c.min <= c.max {
			bits |= chunkDays
		}
		switch {
		case c.keyed && c.key == c.from.rid:
			bits |= chunkFromKey
		case c.keyed:
			bits |= chunkKey
		}
		e.byte(bits)
		if bits&chunkDays != 0 {
			e.int(c.min)
			e.int(c.max - c.min)
		}
		if bits&chunkKey != 0 {
			e.text(c.key)
		}
		e.uint(c.size)
		id, at = c.id, c.from
	}
	return e.b
}

// find returns the index of the chunk that a place belongs to.
func (g *group) find(at bound) int {
	i, found := slices.BinarySearchFunc(g.chunks, at, func(c *chunk, at bound) int { return compareBounds(c.from, at) })
	if !found {
		i--
	}
	return max(i, 0)
}

// findAfter is find for a place that is not before one that is in chunk i.
func (g *group) findAfter(i int, at bound) int {
	if i+1 == len(g.chunks) || compareBounds(at, g.chunks[i+1].from) < 0 {
		return i
	}
	return g.find(at)
}

// compareKeys orders shorter keys before longer ones, so that numbers are in
// order.
func compareKeys(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) }

// isNew reports whether the key is none that a record of the group has.
func (g *group) isNew(rid string) bool {
	return g.number == 0 || compareKeys(rid, g.first) < 0 || compareKeys(rid, g.last) > 0
}

// lines returns the stored chunks with records in line.
func (g *group) lines() []*chunk {
	if g.lined == nil {
		g.lined = slices.DeleteFunc(slices.Clone(g.chunks), func(c *chunk) bool { return !c.keyed })
	}
	return g.lined
}

// inLine returns the chunk that has the record with a key, if there is one with
// that key and it is in line; nil if there is none.
func (g *group) inLine(rid string) *chunk {
	if g.isNew(rid) {
		return nil
	}
	i, found := slices.BinarySearchFunc(g.lines(), rid, func(c *chunk, rid string) int { return compareKeys(c.key, rid) })
	if !found {
		i--
	}
	if i < 0 {
		return nil
	}
	return g.lined[i]
}

// lineOf returns which of the stored entries are in line.
func (c *chunk) lineOf() []int {
	if c.line == nil {
		c.line = make([]int, 0, len(c.entries))
		for i := range c.entries {
			if !c.entries[i].stray {
				c.line = append(c.line, i)
			}
		}
	}
	return c.line
}

// findInLine returns the index of the stored entry with the key, if it is in line.
func (c *chunk) findInLine(rid string) (index int, found bool) {
	i, found := slices.BinarySearchFunc(c.lineOf(), rid, func(i int, rid string) int { return compareKeys(c.entries[i].rid, rid) })
	if !found {
		return 0, false
	}
	return c.line[i], true
}

// line walks along the records of groups that are in line, those that join it
// included. The heads of the chunks that it enters are loaded.
type line struct {
	group  *group
	chunk  *chunk // nil in a group that has none
	passed int    // how many of the chunk's stored entries in line it has passed
	next   int    // the first one of the group's lines after the chunk
	before string // the key of the last record that it has passed, "" for none
	known  bool   // that is the last one there is
}

// enter goes to the beginning of a chunk, which is not before the last one of the
// same group.
func (l *line) enter(g *group, c *chunk) {
	if l.group != g {
		l.before = ""
	}
	l.group, l.chunk, l.passed, l.next, l.known = g, c, 0, 0, true
	if c == nil {
		return
	}
	i, found := slices.BinarySearchFunc(g.lines(), c.from, func(x *chunk, at bound) int { return compareBounds(x.from, at) })
	l.known = i == 0
	if l.next = i; found {
		l.next++
	}
}

// join goes to a place that is not before the last one and belongs to the chunk.
// A record that is new there joins the line if its key is between those of its
// neighbours. What is before the chunk is not known: only a key that is after all
// that there ever were is after those.
func (l *line) join(g *group, c *chunk, at bound, after bool) bool {
	if l.group != g || l.chunk != c {
		l.enter(g, c)
	}
	limit, limited := "", false
	if c != nil {
		for _, i := range c.lineOf()[l.passed:] {
			x := &c.entries[i]
			if compareBounds(x.bound(), at) > 0 {
				limit, limited = x.rid, true
				break
			}
			l.passed++
			l.before, l.known = x.rid, true
		}
	}
	if !limited && l.next < len(g.lined) {
		limit, limited = g.lined[l.next].key, true
	}
	if !l.known && !after || compareKeys(at.rid, l.before) <= 0 || limited && compareKeys(at.rid, limit) >= 0 {
		return false
	}
	l.before, l.known = at.rid, true
	return true
}

// seek returns the index of the entry at a place, which is not before that of
// entry i; if there is none, the index of the first one after it.
func (c *chunk) seek(i int, at bound) (index int, found bool) {
	for end := min(i+2, len(c.entries)); i < end; i++ {
		switch x := &c.entries[i]; {
		case x.start == at.start && x.rid == at.rid:
			return i, true
		case compareBounds(x.bound(), at) > 0:
			return i, false
		}
	}
	n, found := slices.BinarySearchFunc(c.entries[i:], at, func(x entry, at bound) int { return compareBounds(x.bound(), at) })
	return i + n, found
}

// covers returns the indexes of the chunks that may hold records with a start
// in from..to, both inclusive.
func (g *group) covers(from, to int64) (first, end int) {
	if len(g.chunks) == 0 {
		return 0, 0
	}
	first = g.find(bound{start: from})
	end = first
	for end < len(g.chunks) && (end == first || g.chunks[end].from.start <= to) {
		end++
	}
	return first, end
}

// encodeHead packs what a comparison needs. Numbers are differences to the
// record before; fingerprints, which do not compress, come last.
func encodeHead(entries []entry) []byte {
	e := newEncoder()
	e.b = slices.Grow(e.b, 32*len(entries))
	e.uint(uint64(len(entries)))
	var before entry
	for i := range entries {
		x := &entries[i]
		n := commonPrefix(before.rid, x.rid)
		e.uint(uint64(n))
		e.text(x.rid[n:])
		e.int(x.start - before.start)
		e.int(x.rev.Order - before.rev.Order)
		bits := byte(0)
		if x.deleted {
			bits |= entryDeleted
		}
		if x.plain {
			bits |= entryPlain
		}
		if x.rev.Push {
			bits |= entryPush
		}
		if x.rev.Absent {
			bits |= entryAbsent
		}
		if x.day != 0 {
			bits |= entryDay
		}
		if x.stray {
			bits |= entryStray
		}
		e.byte(bits)
		e.int(int64(x.rev.Mapping) - int64(before.rev.Mapping))
		if x.day != 0 {
			e.int(x.day - before.day)
		}
		e.uint(uint64(x.values))
		e.uint(uint64(x.rest))
		day := before.day
		before = *x
		if x.day == 0 {
			before.day = day
		}
	}
	for i := range entries {
		e.fixed(entries[i].rev.Fingerprint)
	}
	return e.b
}

// decodeHead reads what encodeHead packed, with room for more entries; into
// zero entries behind those of the slice, if there are enough of them.
func decodeHead(value string, room int, into []entry) ([]entry, error) {
	d := newDecoder(value)
	n := d.count()
	if into == nil || cap(into) < n+room {
		into = make([]entry, 0, n+room)
	}
	entries := into[:n]
	// One text holds all keys.
	keys, ends := make([]byte, 0, 2*len(value)), make([]int, n)
	var before entry
	at, first := uint64(0), 0
	for i := range entries {
		x := &entries[i]
		k := d.uint()
		tail := d.text()
		if k > uint64(len(keys)-first) || len(tail) > health.MaxKey || k > health.MaxKey {
			d.fail()
			break
		}
		next := len(keys)
		keys = append(append(keys, keys[first:first+int(k)]...), tail...)
		first, ends[i] = next, len(keys)
		x.start = before.start + d.int()
		x.rev.Order = before.rev.Order + d.int()
		bits := d.byte()
		x.deleted, x.plain, x.stray = bits&entryDeleted != 0, bits&entryPlain != 0, bits&entryStray != 0
		x.rev.Push, x.rev.Absent = bits&entryPush != 0, bits&entryAbsent != 0
		x.rev.Mapping = uint16(int64(before.rev.Mapping) + d.int())
		day := before.day
		if bits&entryDay != 0 {
			day += d.int()
			x.day = day
		}
		values, rest := d.uint(), d.uint()
		if values > maxUnpacked || rest > maxUnpacked || at+values+rest > maxUnpacked {
			d.fail()
			break
		}
		x.at, x.values, x.rest = int(at), int(values), int(rest)
		at += values + rest
		before = *x
		before.day = day
	}
	text, from := string(keys), 0
	for i := range entries {
		entries[i].rev.Fingerprint = d.fixed()
		if d.bad {
			break
		}
		entries[i].rid = text[from:ends[i]]
		from = ends[i]
	}
	return entries, d.end()
}

// contentOf returns the two halves of a record's content.
func (c *chunk) contentOf(x *entry) (values, rest []byte, err error) {
	b := x.fresh
	if b == nil {
		if x.at+x.size() > len(c.body) {
			return nil, nil, ErrDamaged
		}
		b = c.body[x.at:][:x.size()]
	}
	return b[:x.values], b[x.values:], nil
}

// record decodes a record.
func (g *group) record(c *chunk, x *entry) (health.Record, error) {
	r := health.Record{Connection: g.name.connection, Kind: g.name.kind, Key: g.name.stream + "/" + x.rid, Rev: x.rev}
	values, rest, err := c.contentOf(x)
	if err == nil {
		err = health.DecodeContent(&r, values, rest)
	}
	return r, err
}

// The size of chunks. One that is read often and changed seldom is better
// large, one to which records come one by one is better small.
const (
	chunkRecords = 128      // in a new chunk
	chunkMost    = 256      // before it is split
	chunkBytes   = 24 << 10 // of contents in a new chunk
	chunkFull    = 2 * chunkBytes
)

// arrange makes the entries of changed chunks final: those that moved away are
// gone, those that came are in their place, and what is too large is split. It
// returns the numbers of chunks that are not there any more. The bodies of
// chunks whose content changed must be there.
func (g *group) arrange(newID func() int64) (removed []int64) {
	var list []*chunk
	for _, c := range g.chunks {
		if !c.content {
			list = append(list, c)
			continue
		}
		if slices.ContainsFunc(c.entries, func(x entry) bool { return x.gone }) {
			c.entries = slices.DeleteFunc(c.entries, func(x entry) bool { return x.gone })
		}
		if len(c.added) > 0 {
			c.entries = append(c.entries, c.added...)
			if c.added = nil; !sorted(c.entries) {
				slices.SortFunc(c.entries, compareEntries)
			}
		}
		if len(c.entries) == 0 {
			if c.id != 0 {
				removed = append(removed, c.id)
			}
			continue
		}
		parts := c.split()
		for _, p := range parts {
			if p.id == 0 {
				p.id = newID()
			}
		}
		list = append(list, parts...)
	}
	g.chunks = list
	return removed
}

// sorted is slices.IsSortedFunc without copies.
func sorted(list []entry) bool {
	for i := 1; i < len(list); i++ {
		if a, b := &list[i-1], &list[i]; a.start > b.start || a.start == b.start && a.rid > b.rid {
			return false
		}
	}
	return true
}

func compareEntries(a, b entry) int { return compareBounds(a.bound(), b.bound()) }

// split cuts a chunk that is too large. The first part keeps its number. Parts
// at the end are full: what comes next is mostly later.
func (c *chunk) split() []*chunk {
	size := 0
	for i := range c.entries {
		size += c.entries[i].size()
	}
	if len(c.entries) <= chunkMost && size <= chunkFull || len(c.entries) == 1 {
		c.settle(c.id)
		return []*chunk{c}
	}
	var parts []*chunk
	id := c.id
	for first := 0; first < len(c.entries); {
		end, bytes := first, 0
		for end < len(c.entries) && end-first < chunkRecords && (bytes < chunkBytes || end == first) {
			bytes += c.entries[end].size()
			end++
		}
		p := &chunk{entries: c.entries[first:end:end], body: c.body, loaded: true, head: true, content: true}
		p.settle(id)
		parts = append(parts, p)
		id, first = 0, end
	}
	if parts[0].from = parts[0].entries[0].bound(); c.id != 0 && compareBounds(c.from, parts[0].from) < 0 {
		parts[0].from = c.from
	}
	return parts
}

// settle sets what the directory says of a chunk.
func (c *chunk) settle(id int64) {
	if first := c.entries[0].bound(); c.id == 0 || compareBounds(first, c.from) < 0 {
		c.from = first
	}
	c.id = id
	if c.size == 0 {
		c.size = uint64(len(c.entries))
	}
	if c.min == 0 && c.max == 0 {
		c.noDays()
	}
	c.key, c.keyed = "", false
	for i := range c.entries {
		x := &c.entries[i]
		if x.day != 0 {
			c.min, c.max = min(c.min, x.day), max(c.max, x.day)
		}
		if !x.stray && !c.keyed {
			c.key, c.keyed = x.rid, true
		}
	}
}

// encodeBody packs the contents, and sets where each is.
func (c *chunk) encodeBody(p *packer) ([]byte, error) {
	scratch := p.scratch()
	defer p.done(scratch)
	body := scratch.body[:0]
	for i := range c.entries {
		x := &c.entries[i]
		values, rest, err := c.contentOf(x)
		if err != nil {
			return nil, err
		}
		body = append(append(body, values...), rest...)
	}
	scratch.body = body
	return p.quick(body), nil
}
