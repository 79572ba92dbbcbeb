package redis

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

// version is the best version of a record in a batch, encoded.
type version struct {
	rec     *health.Record
	pages   []int // that hold a version of it
	group   int   // index into load.names
	rid     string
	start   int64
	rev     health.Rev
	content []byte
	values  int // how much of the content are the scalar values
	plain   bool
	tied    bool // versions of it in the batch tie
	stray   bool // it is new, and not in line

	// What is stored of it.
	chunk *chunk
	index int // into chunk.entries
}

func (v *version) bound() bound { return bound{v.start, v.rid} }

// stored returns what is stored of it, nil for nothing.
func (v *version) stored() *entry {
	if v.chunk == nil {
		return nil
	}
	return &v.chunk.entries[v.index]
}

func (v *version) encode(r *health.Record) {
	v.rec, v.start = r, r.Span.Start.SortMilli()
	n := len(v.content)
	v.content = health.AppendValues(v.content, r)
	v.values = len(v.content) - n
	v.content = health.AppendRest(v.content, r)[n:]
	v.rev = r.Rev
	v.rev.Fingerprint = health.Fingerprint(v.content[:v.values], v.content[v.values:])
	v.plain = health.PlainRest(v.content[v.values:])
}

// entry returns it as an entry of a chunk.
func (v *version) entry() entry {
	return entry{
		rid: v.rid, start: v.start, rev: v.rev, day: dayNumber(v.rec.Span.Day), deleted: v.rec.State == health.StateDeleted,
		plain: v.plain, stray: v.stray, values: v.values, rest: len(v.content) - v.values, fresh: v.content,
	}
}

// load is a batch made ready to be compared: its records encoded, one version
// per key, sorted by group and place. It does not depend on the database.
type load struct {
	names    []groupName
	versions []version
	order    []int // the versions in the order of the batch
}

// newLoad encodes the records of the pages that skip does not name.
func newLoad(b *store.Batch, skip []bool) (*load, error) {
	l := &load{}
	n := 0
	for i := range b.Pages {
		if !skip[i] {
			n += len(b.Pages[i].Records)
		}
	}
	l.versions = make([]version, 0, n)
	room := make([]byte, 0, 128*n)
	pages := make([]int, len(b.Pages))
	for i := range b.Pages {
		pages[i] = i
		if skip[i] {
			continue
		}
		page := &b.Pages[i]
		for j := range page.Records {
			r := &page.Records[j]
			v := version{pages: pages[i : i+1 : i+1], group: l.group(b.Connection, r.Kind, page.Stream), rid: r.Key[len(page.Stream)+1:]}
			if cap(room)-len(room) < 4096 {
				room = make([]byte, 0, max(64<<10, 128*(n-len(l.versions))))
			}
			v.content = room[len(room):]
			v.encode(r)
			if len(v.content) <= cap(room)-len(room) {
				room = room[:len(room)+len(v.content)]
			}
			v.content = v.content[:len(v.content):len(v.content)]
			l.versions = append(l.versions, v)
		}
	}
	l.unite()
	return l, nil
}

// group returns the index of a group. A page has few, mostly one.
func (l *load) group(connection string, kind health.Kind, stream string) int {
	for i := len(l.names) - 1; i >= 0; i-- {
		if l.names[i].kind == kind && l.names[i].stream == stream {
			return i
		}
	}
	l.names = append(l.names, groupName{connection, kind, stream})
	return len(l.names) - 1
}

// unite leaves the better version of each key, and sorts by group and place.
func (l *load) unite() {
	byKey := func(a, b *version) int { return cmp.Or(cmp.Compare(a.group, b.group), strings.Compare(a.rid, b.rid)) }
	rank := make([]int, len(l.versions))
	for i := range rank {
		rank[i] = i
	}
	distinct := true
	for i := 1; i < len(l.versions) && distinct; i++ {
		distinct = byKey(&l.versions[i-1], &l.versions[i]) < 0
	}
	if !distinct {
		slices.SortStableFunc(rank, func(a, b int) int { return byKey(&l.versions[a], &l.versions[b]) })
		kept := rank[:0]
		for _, at := range rank {
			if n := len(kept); n > 0 && byKey(&l.versions[kept[n-1]], &l.versions[at]) == 0 {
				l.versions[kept[n-1]].absorb(&l.versions[at])
				continue
			}
			kept = append(kept, at)
		}
		slices.Sort(kept)
		rank = kept
	}
	// The place decides where a version is looked for.
	byPlace := func(a, b int) int {
		x, y := &l.versions[a], &l.versions[b]
		return cmp.Or(cmp.Compare(x.group, y.group), compareBounds(x.bound(), y.bound()))
	}
	if len(rank) == len(l.versions) && slices.IsSortedFunc(rank, byPlace) {
		l.order = rank
		return
	}
	sorted := slices.Clone(rank)
	slices.SortFunc(sorted, byPlace)
	l.order = make([]int, len(rank))
	versions := make([]version, len(rank))
	place := make([]int, len(l.versions))
	for i, at := range sorted {
		versions[i] = l.versions[at]
		place[at] = i
	}
	for i, at := range rank {
		l.order[i] = place[at]
	}
	l.versions = versions
}

// absorb joins another version of the same key into it.
func (v *version) absorb(other *version) {
	pages := append(slices.Clone(v.pages), other.pages...)
	_, tied := health.Decide(v.rev, other.rev)
	tied = tied || v.tied || other.tied
	a, b := *v.rec, *other.rec
	a.Rev, b.Rev = v.rev, other.rev
	merged, verdict, _ := health.Merge(&a, &b)
	if verdict != health.Keep {
		group, rid := v.group, v.rid
		*v = version{group: group, rid: rid}
		v.encode(&merged)
	}
	v.pages, v.tied = pages, tied
}

// result returns how a stored version and one of the batch join.
func (v *version) result(g *group) (old, merged health.Record, verdict health.Verdict, tied bool, err error) {
	if old, err = g.record(v.chunk, v.stored()); err != nil {
		return old, merged, verdict, tied, fmt.Errorf("record of %s: %w", g.name.stream, err)
	}
	next := *v.rec
	next.Rev = v.rev
	merged, verdict, tied = health.Merge(&old, &next)
	return old, merged, verdict, tied, nil
}
