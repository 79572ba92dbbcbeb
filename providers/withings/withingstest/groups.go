package withingstest

import (
	"cmp"
	"slices"
	"sort"
)

// groupStore holds the measure groups of one user: rows that exist one by one, and for big users a computed bulk
// below them. A bulk group that was edited or deleted is hidden; the edited one lives on as a row.
type groupStore struct {
	bulk   *bulk
	rows   []groupRow
	index  map[int64]int // by group id, into rows
	hidden map[int64]bool
}

type groupRow struct {
	MeasureGroup
	deleted bool
}

func (st *groupStore) init() {
	st.index, st.hidden = map[int64]int{}, map[int64]bool{}
}

func (st *groupStore) put(g MeasureGroup) {
	st.index[g.ID] = len(st.rows)
	st.rows = append(st.rows, groupRow{MeasureGroup: g})
}

// row returns the row of a group for changing it, taking it out of the bulk if need be; nil if there is none.
func (st *groupStore) row(id int64) *groupRow {
	if i, ok := st.index[id]; ok {
		if st.rows[i].deleted {
			return nil
		}
		return &st.rows[i]
	}
	if st.bulk == nil || st.hidden[id] || !st.bulk.has(id) {
		return nil
	}
	st.hidden[id] = true
	st.put(st.bulk.group(int(id - st.bulk.base)))
	return &st.rows[len(st.rows)-1]
}

// scan returns copies of up to n groups from a position on, and the next position, -1 at the end.
func (st *groupStore) scan(pos, n int) ([]MeasureGroup, int) {
	var out []MeasureGroup
	size := st.bulk.size()
	for ; pos < size+len(st.rows); pos++ {
		if len(out) == n {
			return out, pos
		}
		if pos < size {
			if g := st.bulk.group(pos); !st.hidden[g.ID] {
				out = append(out, g)
			}
		} else if row := st.rows[pos-size]; !row.deleted {
			out = append(out, row.clone())
		}
	}
	return out, -1
}

// groupFilter is the question of a getmeas call.
type groupFilter struct {
	types    map[int]bool             // nil: all
	category int                      // 0: all
	ranged   bool                     // from and to hold
	from, to int64                    // date, both included
	since    int64                    // modified, included; 0: all
	keep     func(*MeasureGroup) bool // nil: all
}

// apply returns the group as the answer shows it, reduced to the wanted types.
func (f *groupFilter) apply(g MeasureGroup) (MeasureGroup, bool) {
	if f.category != 0 && g.Category != f.category || f.ranged && (g.Date < f.from || g.Date > f.to) || g.Modified < f.since {
		return g, false
	}
	if f.keep != nil && !f.keep(&g) {
		return g, false
	}
	if f.types == nil {
		return g, true
	}
	var kept []Measure
	for _, m := range g.Measures {
		if f.types[m.Type] {
			kept = append(kept, m)
		}
	}
	g.Measures = kept
	return g, len(kept) > 0
}

// page returns the rows of the answer from offset on, and the offset of the row after them or -1. The order is newest
// first, disturbed by up to two days: neither ascending nor descending, as in reality.
func (st *groupStore) page(f *groupFilter, offset, size int) ([]MeasureGroup, int) {
	var single []MeasureGroup
	for i := range st.rows {
		if !st.rows[i].deleted {
			if g, ok := f.apply(st.rows[i].MeasureGroup); ok {
				single = append(single, g)
			}
		}
	}
	order := func(g MeasureGroup) int64 { return -g.Date - int64(mix(uint64(g.ID))%172_800) }
	slices.SortFunc(single, func(a, b MeasureGroup) int {
		return cmp.Or(cmp.Compare(order(a), order(b)), cmp.Compare(a.ID, b.ID))
	})
	lo, hi := st.bulk.window(f)
	var out []MeasureGroup
	for pos := offset; pos < len(single)+hi-lo; pos++ {
		var g MeasureGroup
		ok := true
		if pos < len(single) {
			g = single[pos]
		} else if g = st.bulk.group(hi - 1 - (pos - len(single))); st.hidden[g.ID] {
			continue
		} else {
			g, ok = f.apply(g)
		}
		if !ok {
			continue
		}
		if len(out) == size {
			return out, pos
		}
		out = append(out, g)
	}
	return out, -1
}

// bulk is an evenly spaced history of weigh-ins in which group i is computed from i alone. A nil bulk is empty.
type bulk struct {
	seed     uint64
	base     int64 // id of group 0
	n        int
	from, to int64 // dates
	lastDay  int
	weight   int64
	scale    Device
}

func newBulk(u *user, n int, from, to int64) *bulk {
	return &bulk{
		seed: u.seed, base: u.idBase + 100_000_000, n: n, from: from, to: to, lastDay: u.dayOf(u.horizon),
		weight: u.traits.weight, scale: u.traits.scale,
	}
}

func (b *bulk) size() int {
	if b == nil {
		return 0
	}
	return b.n
}

func (b *bulk) has(id int64) bool { return id >= b.base && id < b.base+int64(b.n) }

// date is when group i was measured, never before group i-1.
func (b *bulk) date(i int) int64 { return b.from + int64(i)*(b.to-b.from)/int64(b.n) }

// modified is when the service learned of group i, never before group i-1.
func (b *bulk) modified(i int) int64 { return min(b.date(i)+30, b.to) }

func (b *bulk) group(i int) MeasureGroup {
	h := mix(b.seed, forBulk, uint64(i))
	grams := b.weight + int64(h%4_000) - 2_000
	fat := grams * (200 + int64(h>>16%90)) / 1000
	g := MeasureGroup{
		ID: b.base + int64(i), Date: b.date(i), Created: b.modified(i), Modified: b.modified(i), Category: 1,
		DeviceID: b.scale.ID, Model: b.scale.Model, ModelID: b.scale.ModelID,
		Measures: []Measure{
			scaled(typeWeight, grams, -3), scaled(typeFat, fat*100_000/grams, -3), scaled(typeFatKG, fat, -2),
		},
	}
	if h>>32%4 == 0 {
		g.Measures = append(g.Measures, scaled(typePulse, int64(50+h>>40%40)*1000, 0))
	}
	return g
}

// window returns the index range that can match the filter.
func (b *bulk) window(f *groupFilter) (lo, hi int) {
	if b == nil || f.category == 2 {
		return 0, 0
	}
	hi = b.n
	if f.ranged {
		lo = sort.Search(b.n, func(i int) bool { return b.date(i) >= f.from })
		hi = sort.Search(b.n, func(i int) bool { return b.date(i) > f.to })
	}
	if f.since > 0 {
		lo = max(lo, sort.Search(b.n, func(i int) bool { return b.modified(i) >= f.since }))
	}
	return lo, max(lo, hi)
}
