package health

import "time"

// Moment is a point in time as a provider told it. It holds an instant, a wall
// clock reading, or both, and never claims more than was told: a floating wall
// clock reading has no instant and cannot be turned into one without a zone.
// The resolution is one millisecond. The zero Moment is unset.
//
// Moments are comparable with ==.
type Moment struct {
	// milli counts milliseconds since 1970-01-01T00:00, of UTC for forms with
	// an instant and of the wall clock for a floating one.
	milli  int64
	offset int32 // seconds east of UTC, when form is formZoned
	form   form
}

type form uint8

const (
	formUnset    form = iota
	formInstant       // instant known, offset unknown
	formZoned         // instant and offset known
	formFloating      // wall clock only
)

// Instant returns a Moment whose instant is known and whose local time is not.
func Instant(unixMilli int64) Moment { return Moment{milli: unixMilli, form: formInstant} }

// Zoned returns a Moment whose instant is known together with the offset, in
// seconds east of UTC, that was observed there and then.
func Zoned(unixMilli int64, offset int) Moment {
	return Moment{milli: unixMilli, offset: int32(offset), form: formZoned}
}

// At returns the Moment of t with the offset t has in its location.
func At(t time.Time) Moment {
	_, offset := t.Zone()
	return Zoned(t.UnixMilli(), offset)
}

// Floating returns a wall clock reading of which nobody told the offset:
// wallMilli are the milliseconds from 1970-01-01T00:00 to the reading on a
// clock that never changes.
func Floating(wallMilli int64) Moment { return Moment{milli: wallMilli, form: formFloating} }

// IsZero reports whether m is unset.
func (m Moment) IsZero() bool { return m.form == formUnset }

// IsFloating reports whether m is a wall clock reading without an instant.
func (m Moment) IsFloating() bool { return m.form == formFloating }

// UnixMilli returns the instant in milliseconds since the Unix epoch; false
// for an unset or floating Moment.
func (m Moment) UnixMilli() (int64, bool) {
	return m.milli, m.form == formInstant || m.form == formZoned
}

// Offset returns the observed offset in seconds east of UTC; false when it is
// not known.
func (m Moment) Offset() (int, bool) { return int(m.offset), m.form == formZoned }

// WallMilli returns the wall clock reading in milliseconds since
// 1970-01-01T00:00 of the wall clock; false when only the instant is known.
func (m Moment) WallMilli() (int64, bool) {
	switch m.form {
	case formZoned:
		return m.milli + int64(m.offset)*1000, true
	case formFloating:
		return m.milli, true
	default:
		return 0, false
	}
}

// SortMilli returns a number to order moments by when some float: the instant
// where there is one, else the wall clock reading as if it were UTC. It is for
// ordering and for range indexes only, never for arithmetic.
func (m Moment) SortMilli() int64 { return m.milli }

// Time returns the instant as a time.Time in the observed offset, in UTC when
// the offset is not known; false for an unset or floating Moment.
func (m Moment) Time() (time.Time, bool) {
	switch m.form {
	case formInstant:
		return time.UnixMilli(m.milli).UTC(), true
	case formZoned:
		return time.UnixMilli(m.milli).In(time.FixedZone("", int(m.offset))), true
	default:
		return time.Time{}, false
	}
}

// Zone says how the zone of a span is known.
type Zone uint8

// The zone states, from best to worst.
const (
	ZoneUnknown     Zone = iota // nobody told; instants may be known, local times are not
	ZoneFloating                // local times are known, instants are not
	ZoneFromProfile             // the person's profile zone of today was assumed
	ZoneFromRecord              // the record itself told
	zoneCount
)

var zoneNames = [zoneCount]string{"unknown", "floating", "profile", "record"}

// String returns "unknown", "floating", "profile" or "record".
func (z Zone) String() string {
	if z < zoneCount {
		return zoneNames[z]
	}
	return "unknown"
}

// Span is the time a record stands for.
type Span struct {
	// Start and End bound the half-open period. End is unset for a point in
	// time.
	Start Moment `json:"start,omitzero"`
	End   Moment `json:"end,omitzero"`
	// Day is the civil day the provider files the record under, as the
	// provider printed it. Zero when it has none.
	Day Day `json:"day,omitzero"`
	// Zone says how the zone is known.
	Zone Zone `json:"zone"`
	// Location is the IANA name of the zone, where told.
	Location string `json:"location,omitempty"`
	// Flags may hold FlagAmbiguous, FlagNonexistent, FlagScaled and
	// FlagImplausible.
	Flags Flags `json:"flags,omitzero"`
}

// Window is the period a fetch asks for: either instants, half open, or civil
// days, both inclusive. Exactly one of the two pairs is set.
type Window struct {
	From, To    time.Time
	First, Last Day
}

// IsZero reports whether w is unset.
func (w Window) IsZero() bool { return w == Window{} }

// Days reports whether w is a window of civil days.
func (w Window) Days() bool { return w.First != Day{} }

// RawBody is one answer of a provider as it came, after decompression.
type RawBody struct {
	// Name says which request it answers, without secrets: "getmeas",
	// "heart/get/42".
	Name string
	Body []byte
}

// RawPage is the set of bodies that one page of records was mapped from. A
// store keeps it once under the digest of its content, so that records can be
// mapped again by newer code.
type RawPage struct {
	Stream string
	// Date is the server's Date of the answer.
	Date time.Time
	// Zone is the IANA name of the zone the mapping assumed, empty if unknown.
	Zone   string
	Bodies []RawBody
}
