package redis

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	goredis "github.com/redis/go-redis/v9"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

// place is where a record stands in the order of reads, and what the token of
// a page of records holds: that of the last record of the page.
type place struct {
	Milli      int64
	Connection string
	Kind       health.Kind
	Key        string
}

func comparePlaces(a, b *place) int {
	return cmp.Or(cmp.Compare(a.Milli, b.Milli), cmp.Compare(a.Connection, b.Connection),
		cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Key, b.Key))
}

// Records implements [store.Reader]. A page is one moment of the user's scope:
// two round trips if nobody writes meanwhile, three with keys.
func (s *Store) Records(ctx context.Context, q store.RecordQuery) (store.RecordPage, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return store.RecordPage{}, err
	}
	defer end()
	if q.User == "" || len(q.Keys) > 0 && (len(q.Connections) != 1 || len(q.Kinds) != 1) {
		return store.RecordPage{}, invalid("record query")
	}
	r := recordReader{s: s, sc: s.user(q.User), q: &q, limit: pageLimit(q.Limit, 1000), from: math.MinInt64, to: math.MaxInt64}
	if q.After != "" {
		r.after = &place{}
		if err := parseToken(q.After, r.after); err != nil {
			return store.RecordPage{}, err
		}
		r.from = r.after.Milli
	}
	if !q.From.IsZero() {
		r.from = max(r.from, q.From.UnixMilli())
	}
	if !q.To.IsZero() {
		r.to = q.To.UnixMilli()
	}
	return r.page(ctx)
}

// recordReader reads one page of records.
type recordReader struct {
	s        *Store
	sc       scope
	q        *store.RecordQuery
	limit    int
	after    *place
	from, to int64 // of the starts, half open

	directory map[string]string
	locators  []string // of the keys, by group
}

// part is a chunk that a page is read from.
type part struct {
	g     *group
	chunk *chunk
}

// hit is a record on its way into a page.
type hit struct {
	part  part
	entry *entry
}

func (h *hit) key() string { return h.part.g.name.stream + "/" + h.entry.rid }

func (h *hit) place() *place {
	return &place{h.entry.start, h.part.g.name.connection, h.part.g.name.kind, h.key()}
}

func compareHits(a, b hit) int {
	if c := cmp.Compare(a.entry.start, b.entry.start); c != 0 {
		return c
	}
	if a.part.g == b.part.g {
		return strings.Compare(a.entry.rid, b.entry.rid)
	}
	return comparePlaces(a.place(), b.place())
}

func (r *recordReader) page(ctx context.Context) (store.RecordPage, error) {
	if err := r.s.on(ctx, r.sc.key(), func(c *goredis.Client) (err error) {
		r.directory, err = c.HGetAll(ctx, r.sc.part("d")).Result()
		return err
	}); err != nil {
		return store.RecordPage{}, err
	}
	for size := r.limit; ; {
		groups, err := r.groups()
		if err != nil || len(groups) == 0 {
			return store.RecordPage{}, err
		}
		if len(r.q.Keys) > 0 && r.locators == nil {
			if r.locators, err = r.locate(ctx, groups); err != nil {
				return store.RecordPage{}, err
			}
		}
		parts, err := r.parts(groups)
		if err != nil || len(parts) == 0 {
			return store.RecordPage{}, err
		}
		n := enough(parts, size)
		same, err := r.read(ctx, groups, parts[:n])
		if err != nil {
			return store.RecordPage{}, err
		}
		if !same {
			continue
		}
		hits := r.hits(parts[:n])
		if n < len(parts) {
			// Only what is before the next chunk is known to be complete.
			complete := 0
			for complete < len(hits) && hits[complete].entry.start < parts[n].chunk.from.start {
				complete++
			}
			if complete <= r.limit {
				size *= 2
				continue
			}
		}
		return r.fill(hits)
	}
}

// enough returns how many parts to read for more records than the size, by what
// the directory says. Of the first part of each group, and of the last ones, not
// all records may count.
func enough(parts []part, size int) int {
	var begun []*group
	found := uint64(0)
	for i, p := range parts {
		if found > uint64(size) {
			return min(len(parts), i+len(begun)-1)
		}
		if !slices.Contains(begun, p.g) {
			begun = append(begun, p.g)
			continue
		}
		if found += p.chunk.size; found < p.chunk.size {
			break
		}
	}
	return len(parts)
}

// groups returns the groups that the query is about, in order.
func (r *recordReader) groups() ([]*group, error) {
	q := r.q
	var list []*group
	for field, value := range r.directory {
		name, err := parseGroup(field)
		if err != nil {
			return nil, err
		}
		if len(q.Connections) > 0 && !slices.Contains(q.Connections, name.connection) ||
			len(q.Kinds) > 0 && !slices.Contains(q.Kinds, name.kind) ||
			len(q.Streams) > 0 && !slices.Contains(q.Streams, name.stream) ||
			len(q.Keys) > 0 && len(r.rids(name.stream)) == 0 {
			continue
		}
		g, err := decodeGroup(name, value)
		if err != nil {
			return nil, err
		}
		list = append(list, g)
	}
	slices.SortFunc(list, func(a, b *group) int { return strings.Compare(a.name.field(), b.name.field()) })
	return list, nil
}

// rids returns what follows the stream in the keys of the query.
func (r *recordReader) rids(stream string) []string {
	var list []string
	for _, key := range r.q.Keys {
		if rid, ok := strings.CutPrefix(key, stream+"/"); ok {
			list = append(list, rid)
		}
	}
	return list
}

// locate reads where the records of the keys start.
func (r *recordReader) locate(ctx context.Context, groups []*group) (starts []string, err error) {
	var answers []*goredis.SliceCmd
	err = r.s.view(ctx, r.sc.key(), func(p goredis.Pipeliner) { answers = r.locatorReads(ctx, p, groups) })
	return texts(answers), err
}

// parts returns the chunks to read, in order.
func (r *recordReader) parts(groups []*group) ([]part, error) {
	var list []part
	at := 0
	for _, g := range groups {
		if len(r.q.Keys) > 0 {
			for _, rid := range r.rids(g.name.stream) {
				x, err := g.holder(rid, r.locators[at])
				at++
				if err != nil {
					return nil, err
				}
				if p := (part{g, x}); x != nil && !slices.Contains(list, p) {
					list = append(list, p)
				}
			}
			continue
		}
		first, end := g.covers(r.from, r.to)
		for _, x := range g.chunks[first:end] {
			list = append(list, part{g, x})
		}
	}
	slices.SortStableFunc(list, func(a, b part) int { return compareBounds(a.chunk.from, b.chunk.from) })
	return list, nil
}

// holder returns the chunk that has the record with the key if there is one; what
// the locator has of it may be empty.
func (g *group) holder(rid, located string) (*chunk, error) {
	if located == "" {
		return g.inLine(rid), nil
	}
	start, err := decodeStart(located)
	if err != nil {
		return nil, err
	}
	return g.chunks[g.find(bound{start, rid})], nil
}

// read reads chunks at one moment. It reports false if the directory is not
// what it was any more; then it has the present one.
func (r *recordReader) read(ctx context.Context, groups []*group, parts []part) (bool, error) {
	type answer struct {
		chunks        []*chunk
		heads, bodies *goredis.SliceCmd
	}
	byConnection := map[string]*answer{}
	for _, p := range parts {
		a := byConnection[p.g.name.connection]
		if a == nil {
			a = &answer{}
			byConnection[p.g.name.connection] = a
		}
		a.chunks = append(a.chunks, p.chunk)
	}
	var now *goredis.MapStringStringCmd
	var located []*goredis.SliceCmd
	if err := r.s.view(ctx, r.sc.key(), func(p goredis.Pipeliner) {
		now = p.HGetAll(ctx, r.sc.part("d"))
		located = r.locatorReads(ctx, p, groups)
		for connection, a := range byConnection {
			ids := make([]string, len(a.chunks))
			for i, x := range a.chunks {
				ids[i] = strconv.FormatInt(x.id, 10)
			}
			a.heads, a.bodies = p.HMGet(ctx, r.sc.of("h", connection), ids...), p.HMGet(ctx, r.sc.of("b", connection), ids...)
		}
	}); err != nil {
		return false, err
	}
	starts := texts(located)
	if !maps.Equal(now.Val(), r.directory) || !slices.Equal(starts, r.locators) {
		r.directory, r.locators = now.Val(), nil
		return false, nil
	}
	for _, a := range byConnection {
		for i, x := range a.chunks {
			head, _ := a.heads.Val()[i].(string)
			body, _ := a.bodies.Val()[i].(string)
			var err error
			if x.entries, err = decodeHead(head, 0, nil); err != nil {
				return false, err
			}
			if x.body, err = r.s.packer.open(body); err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

// locatorReads queues the reads of where the records of the keys start.
func (r *recordReader) locatorReads(ctx context.Context, p goredis.Pipeliner, groups []*group) []*goredis.SliceCmd {
	if len(r.q.Keys) == 0 {
		return nil
	}
	var list []*goredis.SliceCmd
	for _, g := range groups {
		var fields []string
		for _, rid := range r.rids(g.name.stream) {
			fields = append(fields, locatorField(g.number, rid))
		}
		list = append(list, p.HMGet(ctx, r.sc.of("x", g.name.connection), fields...))
	}
	return list
}

// texts returns the values of several answers, "" for none.
func texts(answers []*goredis.SliceCmd) []string {
	var list []string
	for _, a := range answers {
		for _, v := range a.Val() {
			text, _ := v.(string)
			list = append(list, text)
		}
	}
	return list
}

// hits returns the records of the parts that the query selects, in order.
func (r *recordReader) hits(parts []part) []hit {
	size := 0
	for _, p := range parts {
		size += len(p.chunk.entries)
	}
	list := make([]hit, 0, size)
	for _, p := range parts {
		for i := range p.chunk.entries {
			e := &p.chunk.entries[i]
			if e.deleted && !r.q.Deleted || e.start < r.from || e.start >= r.to {
				continue
			}
			h := hit{p, e}
			if r.after != nil && e.start == r.after.Milli && comparePlaces(h.place(), r.after) <= 0 ||
				len(r.q.Keys) > 0 && !slices.Contains(r.q.Keys, h.key()) {
				continue
			}
			list = append(list, h)
		}
	}
	if !slices.IsSortedFunc(list, compareHits) {
		slices.SortFunc(list, compareHits)
	}
	return list
}

// fill decodes the records of a page.
func (r *recordReader) fill(hits []hit) (page store.RecordPage, err error) {
	n := min(len(hits), r.limit)
	page.Records = make([]health.Record, n)
	for i := range page.Records {
		if page.Records[i], err = hits[i].part.g.record(hits[i].part.chunk, hits[i].entry); err != nil {
			return store.RecordPage{}, err
		}
	}
	if len(hits) > r.limit {
		page.Next, err = formatToken(hits[n-1].place())
	}
	return page, err
}
