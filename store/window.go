package store

import (
	"cmp"
	"slices"
	"time"

	"github.com/vitalmux/vitalmux/health"
)

// MergeWindows returns the union of two lists of windows as the shortest list
// that says the same: windows of civil days that overlap or are neighbours
// become one, and so do windows of instants that overlap or touch. Windows of
// days come first, each sort in order of time. Instants are cut to the
// millisecond and given in UTC; windows that hold nothing are left out. The
// arguments are not changed.
func MergeWindows(a, b []health.Window) []health.Window {
	var days, instants []health.Window
	for _, list := range [][]health.Window{a, b} {
		for _, w := range list {
			switch {
			case validateWindow(w) != nil:
			case w.Days():
				days = append(days, w)
			default:
				instants = append(instants, health.Window{From: stamp(w.From), To: stamp(w.To)})
			}
		}
	}
	slices.SortFunc(days, func(x, y health.Window) int { return x.First.Compare(y.First) })
	slices.SortFunc(instants, func(x, y health.Window) int { return x.From.Compare(y.From) })
	var merged []health.Window
	for _, w := range days {
		if n := len(merged); n > 0 && w.First.Number() <= merged[n-1].Last.Number()+1 {
			if w.Last.Compare(merged[n-1].Last) > 0 {
				merged[n-1].Last = w.Last
			}
			continue
		}
		merged = append(merged, w)
	}
	first := len(merged)
	for _, w := range instants {
		if n := len(merged); n > first && !w.From.After(merged[n-1].To) {
			if w.To.After(merged[n-1].To) {
				merged[n-1].To = w.To
			}
			continue
		}
		merged = append(merged, w)
	}
	return merged
}

// Present returns the records that a asks no tombstones for: those of a.Keys and
// those of the pages of b, as kind, "/" and key.
func (b *Batch) Present(a *Absent) map[string]bool {
	present := map[string]bool{}
	for kind, keys := range a.Keys {
		for _, key := range keys {
			present[string(kind)+"/"+key] = true
		}
	}
	for i := range b.Pages {
		for j := range b.Pages[i].Records {
			r := &b.Pages[i].Records[j]
			present[string(r.Kind)+"/"+r.Key] = true
		}
	}
	return present
}

// Includes reports whether a's complete walk should have shown r: r is of the
// stream and of no newer order, and lies in the window. A record lies in a
// window of days by its Span.Day, and in a window of instants by the instant
// of its start. One whose start is a wall clock lies in a window that holds all
// instants at which a clock somewhere shows that; one without the day or any
// start lies in none, because nobody knows that it does.
func (a *Absent) Includes(r *health.Record) bool {
	if r.Stream() != a.Stream || r.Rev.Order > a.Order {
		return false
	}
	if a.Window.Days() {
		day := r.Span.Day
		return !day.IsZero() && a.Window.First.Compare(day) <= 0 && day.Compare(a.Window.Last) <= 0
	}
	first, ok := r.Span.Start.UnixMilli()
	last := first
	if r.Span.Start.IsFloating() {
		wall := r.Span.Start.SortMilli()
		first, last, ok = wall-furthest.Milliseconds(), wall+furthest.Milliseconds(), true
	}
	return ok && a.Window.From.UnixMilli() <= first && last < a.Window.To.UnixMilli()
}

// furthest is more than any clock is, or ever was, from UTC.
const furthest = 16 * time.Hour

// Tombstone returns what becomes of the live record r when a complete walk no
// longer holds it: where and when it was stays, what it said does not.
func (a *Absent) Tombstone(r *health.Record) health.Record {
	t := health.Record{
		Connection: r.Connection, Kind: r.Kind, Key: r.Key, Span: r.Span, Source: r.Source,
		State: health.StateDeleted,
		Rev:   health.Rev{Order: r.Rev.Order, Mapping: r.Rev.Mapping, Absent: true},
	}
	t.Rev.Fingerprint = t.Fingerprint()
	return t
}

// stamp cuts t to what a store keeps of a time.
func stamp(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMilli(t.UnixMilli()).UTC()
}

func compareCursors(a, b Cursor) int {
	return cmp.Or(cmp.Compare(a.Stream, b.Stream), cmp.Compare(a.Lane, b.Lane))
}
