package health

import "time"

// maxZoneShift is more than any zone is or was away from UTC, in seconds.
const maxZoneShift = 26 * 60 * 60

// zonePeriod is a period of constant offset of a zone, half open, in seconds
// since the Unix epoch.
type zonePeriod struct {
	start, end int64
	offset     int64 // seconds east of UTC
	last       bool  // there is no end
}

func periodAt(loc *time.Location, unix int64) zonePeriod {
	t := time.Unix(unix, 0).In(loc)
	_, offset := t.Zone()
	start, end := t.ZoneBounds()
	p := zonePeriod{start: start.Unix(), end: end.Unix(), offset: int64(offset), last: end.IsZero()}
	if start.IsZero() {
		p.start = unix
	}
	return p
}

// Bounds returns the real interval of the civil day d in loc, half open: start
// is the first instant at which clocks there show d or later, end is the start
// of the next day. So the days of a zone partition time, and a day may last 21,
// 22, 23, 24.5, 25, 26 or 27 hours, or begin at 01:00. A day that was left out
// when a zone crossed the date line does not exist: start and end are the
// moment of the jump.
//
// Where clocks were set back across midnight the day begins when midnight
// is first reached. Both times are in loc, which must not be nil.
func (d Day) Bounds(loc *time.Location) (start, end time.Time, exists bool) {
	midnight := int64(d.Number()) * 86400
	p := periodAt(loc, midnight-maxZoneShift)
	from, p := firstAt(loc, midnight, midnight-maxZoneShift, p)
	to, _ := firstAt(loc, midnight+86400, from, p)
	return time.Unix(from, 0).In(loc), time.Unix(to, 0).In(loc), from < to
}

// Span returns the period of the civil day d in loc, with how saying how loc is
// known, or, if loc is nil, by a wall clock of which nobody knows where it hangs.
// A day that does not exist in loc has FlagNonexistent, see [Day.Bounds].
func (d Day) Span(loc *time.Location, how Zone) Span {
	if loc == nil {
		const dayMilli = 24 * 60 * 60 * 1000
		midnight := int64(d.Number()) * dayMilli
		return Span{Day: d, Start: Floating(midnight), End: Floating(midnight + dayMilli), Zone: ZoneFloating}
	}
	start, end, exists := d.Bounds(loc)
	s := Span{Day: d, Start: At(start), End: At(end), Zone: how, Location: loc.String()}
	if !exists {
		s.Flags |= FlagNonexistent
	}
	return s
}

// firstAt returns the first instant from at on, which is in the period p, at
// which the wall clock of loc shows wall, in seconds since 1970-01-01T00:00 of
// that clock, or later. It also returns the period of that instant.
func firstAt(loc *time.Location, wall, at int64, p zonePeriod) (int64, zonePeriod) {
	for {
		if at+p.offset >= wall {
			return at, p // the clock was set forward across wall
		}
		if t := wall - p.offset; p.last || t < p.end {
			return t, p
		}
		at = p.end
		p = periodAt(loc, at)
	}
}

// Resolve turns a wall clock reading into a zoned Moment with the rules of loc,
// which must not be nil.
//
// A reading that happens twice, when clocks are set back, is taken as the first
// of the two and flagged [FlagAmbiguous]. One that does not happen, when clocks
// are set forward, is read with the offset in force before, which moves it
// forward by as much as the clocks were, and flagged [FlagNonexistent]: 02:30
// becomes 03:30.
//
// A Moment that has an instant keeps it: an [Instant] gets the offset of loc, a
// [Zoned] one is returned as it is.
func Resolve(wall Moment, loc *time.Location) (Moment, Flags) {
	first, _, flags := resolve(wall, loc)
	return first, flags
}

// resolve also returns the second of two readings, and else the first again.
func resolve(wall Moment, loc *time.Location) (first, second Moment, flags Flags) {
	switch wall.form {
	case formInstant:
		m := inZone(wall.milli, loc)
		return m, m, 0
	case formFloating:
	default:
		return wall, wall, 0
	}
	const shift = maxZoneShift * 1000
	var (
		hits   [2]Moment
		n      int
		before = wall.milli // the instant read with the offset before the gap
		p      = periodAt(loc, (wall.milli-shift)/1000)
	)
	for {
		t := wall.milli - p.offset*1000
		if (p.last || t < p.end*1000) && t >= p.start*1000 && n < len(hits) {
			hits[n] = Zoned(t, int(p.offset))
			n++
		}
		if p.last || p.end*1000 > wall.milli+shift {
			break
		}
		if t >= p.end*1000 {
			before = t
		}
		p = periodAt(loc, p.end)
	}
	switch n {
	case 0:
		m := inZone(before, loc)
		return m, m, FlagNonexistent
	case 1:
		return hits[0], hits[0], 0
	default:
		return hits[0], hits[1], FlagAmbiguous
	}
}

func inZone(milli int64, loc *time.Location) Moment { return At(time.UnixMilli(milli).In(loc)) }

// InZone returns s with the offsets of loc where s has none, known in the way
// of how: floating readings are resolved (see [Resolve]; their flags are added
// to s.Flags), instants get their offset. Moments that came with an offset keep
// it, and a span of only such moments is returned as it is. Day is the
// provider's own and is not touched. Loc must not be nil.
//
// An end that happens twice is taken as the second of the two where the first
// would be before the start. Should the end still be before the start, because
// the start does not happen, the length by the wall clock is kept and
// [FlagImplausible] set.
func (s Span) InZone(loc *time.Location, how Zone) Span {
	start, _, startFlags := resolve(s.Start, loc)
	end, later, endFlags := resolve(s.End, loc)
	if start == s.Start && end == s.End {
		return s
	}
	if !end.IsZero() && end.milli < start.milli {
		if later.milli >= start.milli {
			end = later
		} else if length, ok := s.milli(); ok && length >= 0 {
			end = inZone(start.milli+length, loc)
			endFlags |= FlagImplausible
		}
	}
	s.Start, s.End = start, end
	s.Flags |= startFlags | endFlags
	s.Zone = how
	if s.Location == "" {
		s.Location = loc.String()
	}
	return s
}
