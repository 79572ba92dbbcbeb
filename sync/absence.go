package sync

import (
	"slices"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

// A record that a complete read of a closed window does not show was deleted,
// where the stream says so. A read that shows no record at all is no such word:
// some services answer with an empty list, or with {} for one, when they cannot
// say. It is believed when the same period is still empty a day later. So the
// deletion of somebody's only record is seen a day late, and one odd answer
// deletes nothing.

const (
	// emptyFor is how long a period has to be empty before that means that its
	// records were deleted.
	emptyFor = day
	// maxEmpty bounds how many periods are remembered as empty. One that is
	// forgotten costs another day.
	maxEmpty = 24
	// keepEmpty is how long a period is remembered that is not read any more.
	keepEmpty = 35 * day
	// joinEmpty is how far apart reads may be that count as one: the windows
	// of one run.
	joinEmpty = 10 * time.Minute
)

// emptyRead is a period on a stream's timeline of which a complete read showed
// no record: its bounds, and the service's Date of the first such read, in Unix
// seconds.
type emptyRead [3]int64

func (e emptyRead) from() int64 { return e[0] }
func (e emptyRead) to() int64   { return e[1] }
func (e emptyRead) at() int64   { return e[2] }

// within returns the part of a period from one bound up to another.
func (e emptyRead) within(from, to int64) (part emptyRead, ok bool) {
	part = emptyRead{max(e.from(), from), min(e.to(), to), e.at()}
	return part, part.from() < part.to()
}

// withoutPeriod returns what is left of the periods outside the bounds.
func withoutPeriod(list []emptyRead, from, to int64) []emptyRead {
	var rest []emptyRead
	for _, e := range list {
		if before, ok := e.within(e.from(), from); ok {
			rest = append(rest, before)
		}
		if after, ok := e.within(to, e.to()); ok {
			rest = append(rest, after)
		}
	}
	return rest
}

// readEmpty takes in that a period was read at a time and is empty. It returns
// the periods that are to be remembered, and those parts of the period that were
// empty a day before already.
func readEmpty(list []emptyRead, from, to, at int64) (next, confirmed []emptyRead) {
	waiting := false
	for _, e := range list {
		part, overlaps := e.within(from, to)
		switch {
		case !overlaps:
		case at-e.at() >= int64(emptyFor/time.Second):
			confirmed = append(confirmed, part)
		default:
			waiting = true
		}
	}
	if waiting && len(confirmed) == 0 {
		return list, nil // what is new in the period begins with the next confirmation
	}
	fresh := []emptyRead{{from, to, at}}
	for _, e := range list {
		if part, overlaps := e.within(from, to); overlaps && at-e.at() < int64(emptyFor/time.Second) {
			fresh = append(withoutPeriod(fresh, e.from(), e.to()), part)
		}
	}
	return tidy(append(withoutPeriod(list, from, to), fresh...), at), confirmed
}

// tidy joins neighbours that were read together, and forgets what there is too
// much of.
func tidy(list []emptyRead, at int64) []emptyRead {
	list = slices.DeleteFunc(list, func(e emptyRead) bool { return at-e.at() > int64(keepEmpty/time.Second) })
	slices.SortFunc(list, func(a, b emptyRead) int { return int(a.from() - b.from()) })
	var joined []emptyRead
	for _, e := range list {
		last := len(joined) - 1
		if last >= 0 && joined[last].to() == e.from() && max(joined[last].at(), e.at())-min(joined[last].at(), e.at()) <= int64(joinEmpty/time.Second) {
			joined[last] = emptyRead{joined[last].from(), e.to(), max(joined[last].at(), e.at())}
			continue
		}
		joined = append(joined, e)
	}
	for len(joined) > maxEmpty {
		oldest := 0
		for i, e := range joined {
			if e.at() < joined[oldest].at() {
				oldest = i
			}
		}
		joined = slices.Delete(joined, oldest, oldest+1)
	}
	return joined
}

// absent returns what a complete read of a closed window says about records
// that it did not show, and what is to be remembered of it.
func (w *walker) absent(empty []emptyRead, window health.Window) ([]store.Absent, []emptyRead) {
	q := walkQuery{From: window.From, To: window.To, First: window.First, Last: window.Last}
	from, to, at := windowStart(q).Add(time.Second-1).Unix(), windowEnd(q).Unix(), w.query.Date/1000
	if len(w.keys) > 0 {
		return []store.Absent{{Stream: w.stream.Name, Window: window, Keys: w.keys, Order: w.query.Date}}, withoutPeriod(empty, from, to)
	}
	if from >= to {
		return nil, empty // less than a second
	}
	next, confirmed := readEmpty(empty, from, to, at)
	var gone []store.Absent
	for _, e := range confirmed {
		// What is newer than the first of the two reads was not missing in it.
		gone = append(gone, store.Absent{
			Stream: w.stream.Name, Order: e.at() * 1000,
			Window: windowOf(w.stream, time.Unix(e.from(), 0).UTC(), time.Unix(e.to(), 0).UTC()),
		})
	}
	return gone, next
}
