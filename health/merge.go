package health

import (
	"bytes"
	"cmp"
	"slices"
)

// Verdict says what to do with a stored record when another version of it
// arrives.
type Verdict uint8

// The verdicts.
const (
	// Keep: nothing is written, nobody is told.
	Keep Verdict = iota
	// Touch: the record is written, but no reader could see a difference, so
	// nobody is told. When the verdict is Decide's own, only Rev changes.
	Touch
	// Replace: the record is written and its change is told.
	Replace
)

// String returns "keep", "touch" or "replace".
func (v Verdict) String() string {
	switch v {
	case Keep:
		return "keep"
	case Touch:
		return "touch"
	default:
		return "replace"
	}
}

// Compare orders the versions of one record: by Order, then by Mapping, then an
// absence is newer than a version, a pull newer than a push, and last by
// Fingerprint, by which the one that knows its zone better comes later. It returns -1 when r is the older one, +1 when it is the newer
// one, and 0 when they are equal.
func (r Rev) Compare(o Rev) int {
	if c := r.compareTime(o); c != 0 {
		return c
	}
	return cmp.Compare(r.Fingerprint, o.Fingerprint)
}

func (r Rev) compareTime(o Rev) int {
	if c := cmp.Compare(r.Order, o.Order); c != 0 {
		return c
	}
	if c := cmp.Compare(r.Mapping, o.Mapping); c != 0 {
		return c
	}
	if r.Absent != o.Absent {
		return order(o.Absent, r.Absent)
	}
	return order(r.Push, o.Push)
}

// order returns -1 if only a is set, +1 if only b is.
func order(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	default:
		return 1
	}
}

// restoredBy reports whether r is a tombstone for absence and next a pull that
// found what it took for removed.
func (r Rev) restoredBy(next Rev) bool {
	return r.Absent && !next.Absent && !next.Push && next.Order >= r.Order
}

// Decide says what becomes of the stored version old when next arrives, from
// their revisions alone. Fingerprints must be set.
//
// A version of equal fingerprint is never news, but if it is newer the stored
// Rev moves to it ([Touch]): else a late version that is older than it, and
// newer than the stored one, would win. Conflict is set when the two tie in
// Order and Mapping with different content: one of them won by a rule that
// knows nothing about the truth, and the datum should be pulled again.
//
// A tombstone with Rev.Absent ties with nothing. It beats the version it
// removed, and a pull of an Order not lower that arrives after it restores the
// record; this is the one place where the order of arrival counts.
//
// Decide is all it takes when its verdict is Keep because the fingerprints are
// equal and next is not merged, and when both records are plain: see
// [Record.Merged] and [Record.Plain]. In all other cases [Merge] decides.
func Decide(old, next Rev) (verdict Verdict, conflict bool) {
	if old.Fingerprint == next.Fingerprint {
		if old.compareTime(next) < 0 {
			return Touch, false
		}
		return Keep, false
	}
	if old.restoredBy(next) {
		return Replace, false
	}
	conflict = old.Order == next.Order && old.Mapping == next.Mapping && !old.Absent && !next.Absent
	if old.Compare(next) < 0 {
		return Replace, conflict
	}
	return Keep, conflict
}

// Plain reports whether r takes no part in the carrying of sticky values: it
// is live, has no value with [FlagSticky], and has outlived no tombstone. Of
// two plain versions the newer one wins and the older one leaves nothing.
func (r *Record) Plain() bool {
	if r.State == StateDeleted || r.Merged() {
		return false
	}
	for i := range r.Values {
		if r.Values[i].Flags.Has(FlagSticky) {
			return false
		}
	}
	return true
}

// Merged reports whether r has what other versions of it left: sticky values of
// theirs, or the tombstone that it has outlived. The fingerprint does not tell.
func (r *Record) Merged() bool { return r.Erased != (Rev{}) || len(r.Origins) > 0 }

// PlainRest is [Record.Plain] of a record encoded by [AppendRest], without
// decoding it.
func PlainRest(rest []byte) bool {
	return len(rest) >= 2 && rest[1]&(restDeleted|restSticky|restMerged) == 0
}

// Merge joins two versions of one record, in whichever order they arrived: old
// is the stored one, next the other. Neither is changed; the result shares
// memory with both. Rev.Fingerprint of the arguments is not relied upon, that of
// the result is set.
//
// The newer version by [Rev.Compare] wins and gives the result its content and
// its Rev. Then values with [FlagSticky] that it lacks are carried over from
// the newest older version that reported them, unless that is older than a
// tombstone: a tombstone carries nothing, and erases sticky values of versions
// before it, unless it is one for absence. A metric that is sticky in one
// version must be so in all that report it. However many versions are merged,
// and in whichever order and grouping, the result is the same to the byte, but
// for tombstones for absence: see [Decide].
//
// The verdict compares the result with old; conflict is that of [Decide].
func Merge(old, next *Record) (result Record, verdict Verdict, conflict bool) {
	oldRev, nextRev := old.Rev, next.Rev
	oldRev.Fingerprint, nextRev.Fingerprint = old.Fingerprint(), next.Fingerprint()
	verdict, conflict = Decide(oldRev, nextRev)

	newer, older, rev, loser := old, next, oldRev, nextRev
	if oldRev.restoredBy(nextRev) || oldRev.Compare(nextRev) < 0 {
		newer, older, rev, loser = next, old, nextRev, oldRev
	}
	result = *newer
	result.Rev = rev
	if old.Plain() && next.Plain() {
		result.Values = canonicalValues(newer.Values)
		return result, verdict, conflict
	}
	result.carry(newer, older, loser)

	switch visible, hidden := sameContent(&result, old); {
	case !visible:
		verdict = Replace
	case !hidden || rev != oldRev:
		verdict = Touch
	default:
		verdict = Keep
	}
	return result, verdict, conflict
}

// carry sets the values and the bookkeeping of r, which is at the version of
// newer, from both sides of a merge. Loser is the Rev of older.
func (r *Record) carry(newer, older *Record, loser Rev) {
	r.Origins, r.Erased = nil, Rev{}
	r.Values = slices.Clone(ownValues(newer.Values))
	if len(r.Values) == 0 {
		r.Values = nil
	}
	slices.SortStableFunc(r.Values, compareValues)
	if r.State == StateDeleted {
		return
	}
	tombstones := []Rev{newer.Erased, older.Erased}
	if older.State == StateDeleted && !loser.Absent {
		tombstones = append(tombstones, loser)
	}
	r.Erased = slices.MaxFunc(tombstones, compareTombstones)

	// The sticky values on offer, newest first.
	var offers []offer
	offers = older.appendOffers(offers, loser)
	for _, o := range newer.appendOffers(nil, r.Rev) {
		if o.value.Origin != 0 {
			offers = append(offers, o)
		}
	}
	slices.SortStableFunc(offers, func(a, b offer) int { return b.rev.Compare(a.rev) })
	for _, o := range offers {
		if o.rev.Compare(r.Erased) <= 0 && r.Erased != (Rev{}) {
			break
		}
		at, taken := slices.BinarySearchFunc(r.Values, o.value, compareValues)
		if taken {
			continue
		}
		if n := len(r.Origins); n == 0 || r.Origins[n-1] != o.rev {
			r.Origins = append(r.Origins, o.rev)
		}
		o.value.Origin, o.value.AsOf = uint16(len(r.Origins)), o.rev.Order
		r.Values = slices.Insert(r.Values, at, o.value)
	}
}

func compareTombstones(a, b Rev) int {
	switch none := (Rev{}); {
	case a == b:
		return 0
	case a == none:
		return -1
	case b == none:
		return 1
	}
	return a.Compare(b)
}

// offer is a sticky value and the version that reported it.
type offer struct {
	value Value
	rev   Rev
}

// appendOffers appends the sticky values of r, which is at rev.
func (r *Record) appendOffers(offers []offer, rev Rev) []offer {
	if r.State == StateDeleted {
		return offers
	}
	for _, v := range r.Values {
		if !v.Flags.Has(FlagSticky) {
			continue
		}
		from := rev
		if v.Origin != 0 {
			if int(v.Origin) > len(r.Origins) {
				continue
			}
			from = r.Origins[v.Origin-1]
		}
		offers = append(offers, offer{v, from})
	}
	return offers
}

// sameContent compares two records: what readers see, and the bookkeeping of
// merges.
func sameContent(a, b *Record) (visible, hidden bool) {
	x, y := *a, *b
	x.Origins, x.Erased, y.Origins, y.Erased = nil, Rev{}, nil, Rev{}
	visible = bytes.Equal(AppendValues(nil, &x), AppendValues(nil, &y)) &&
		bytes.Equal(AppendRest(nil, &x), AppendRest(nil, &y))
	hidden = a.Erased == b.Erased && slices.Equal(a.Origins, b.Origins) &&
		slices.EqualFunc(canonicalValues(a.Values), canonicalValues(b.Values), func(v, w Value) bool {
			return v.Origin == w.Origin
		})
	return visible, hidden
}
