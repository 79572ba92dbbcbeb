package health

import (
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// The limits of a valid record.
const (
	MaxKey        = 512       // bytes of a record key
	MaxConnection = 128       // bytes of a connection id
	MaxName       = 64        // bytes of a metric, part, text name, track or label
	MaxCode       = 256       // bytes of a provider code or a field of Source
	MaxText       = 64 << 10  // bytes of a text value
	MaxExponent   = 30        // magnitude of a decimal exponent
	MaxValues     = 10_000    // values of a record or a segment
	MaxSegments   = 100_000   // segments of a record
	MaxSeries     = 1_000     // series of a record
	MaxPoints     = 5_000_000 // points of a series
)

const (
	earliestMilli = 631152000000 // 1990-01-01T00:00Z
	milliPerDay   = 24 * 60 * 60 * 1000
	leewayDays    = 2            // how far in the future a datum may be
	plannedDays   = 2 * 366      // the same for what is planned or predicted
	maxOffset     = 18 * 60 * 60 // seconds, the bound of ISO 8601 profiles
	longestSleep  = 24 * 60 * 60 * 1000
	replacement   = "\uFFFD"
)

// InvalidError says which part of a record breaks which rule. It never holds
// the value that does: it may be a health value.
type InvalidError struct {
	Field  string // such as "key" or "values"
	Reason string
}

// Error implements error.
func (e *InvalidError) Error() string { return "health: invalid record: " + e.Field + ": " + e.Reason }

func invalid(field, reason string) error { return &InvalidError{Field: field, Reason: reason} }

// Normalize brings r into canonical form, in place: values and texts sorted
// and without exact duplicates, segments and series in order of time, invalid
// UTF-8 in free text replaced by U+FFFD, texts cut to [MaxText]. It sets
// [FlagOutOfRange] on values outside their metric's plausible range (removing
// it from the others that have a range), and [FlagImplausible] on sleep of more
// than 24 hours and on sleep and activities of no duration. It changes no
// number and no time. Normalizing twice is normalizing once.
func (r *Record) Normalize() {
	r.Values = normalizeValues(r.Values)
	for i := range r.Texts {
		text := &r.Texts[i]
		text.Value = truncate(validText(text.Value), MaxText)
	}
	if len(r.Texts) > 1 {
		slices.SortStableFunc(r.Texts, func(a, b Text) int {
			if c := strings.Compare(a.Name, b.Name); c != 0 {
				return c
			}
			return strings.Compare(a.Value, b.Value)
		})
		r.Texts = slices.Compact(r.Texts)
	}
	src := &r.Source
	for _, field := range [...]*string{&src.Provider, &src.Upstream, &src.Device, &src.App} {
		*field = truncate(validText(*field), MaxCode)
	}
	for i := range r.Segments {
		s := &r.Segments[i]
		s.Code = truncate(validText(s.Code), MaxCode)
		s.Values = normalizeValues(s.Values)
	}
	if len(r.Segments) > 1 {
		slices.SortStableFunc(r.Segments, func(a, b Segment) int {
			switch x, y := a.Start.SortMilli(), b.Start.SortMilli(); {
			case x < y:
				return -1
			case x > y:
				return 1
			}
			return strings.Compare(a.Track, b.Track)
		})
	}
	if len(r.Series) > 1 {
		slices.SortStableFunc(r.Series, func(a, b Series) int {
			x := Value{Metric: a.Metric, Stat: a.Stat, Part: a.Part}
			y := Value{Metric: b.Metric, Stat: b.Stat, Part: b.Part}
			if c := compareValues(x, y); c != 0 {
				return c
			}
			switch {
			case a.From < b.From:
				return -1
			case a.From > b.From:
				return 1
			}
			return 0
		})
	}
	if r.Kind == KindSleep || r.Kind == KindActivity {
		if length, ok := r.Span.milli(); ok && (length == 0 || r.Kind == KindSleep && length > longestSleep) {
			r.Span.Flags |= FlagImplausible
		}
	}
}

func normalizeValues(vs []Value) []Value {
	for i := range vs {
		vs[i].flagRange()
	}
	for i := 1; i < len(vs); i++ {
		if vs[i-1].compare(&vs[i]) >= 0 {
			slices.SortStableFunc(vs, compareValues)
			return slices.Compact(vs)
		}
	}
	return vs
}

// flagRange sets or removes FlagOutOfRange. Goals and standard deviations are
// not readings, so the range says nothing about them. A part may be smaller
// than the least whole.
func (v *Value) flagRange() {
	if v.Stat == StatGoal || v.Stat == StatStdDev {
		return
	}
	d, known := Lookup(v.Metric)
	if !known || d.Min == 0 && d.Max == 0 {
		return
	}
	least := d.Min
	if v.Part != "" {
		least = min(least, 0)
	}
	if f := v.Number.Float(); f < least || f > d.Max {
		v.Flags |= FlagOutOfRange
	} else {
		v.Flags &^= FlagOutOfRange
	}
}

func validText(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, replacement)
}

// truncate cuts s to at most n bytes, between characters.
func truncate(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// milli returns the length of the span in milliseconds; false when it has no
// end, or no two moments of one clock.
func (s *Span) milli() (int64, bool) {
	if !sameClock(s.Start, s.End) {
		return 0, false
	}
	return s.End.milli - s.Start.milli, true
}

// sameClock reports whether both moments are set and of one clock.
func sameClock(a, b Moment) bool {
	return !a.IsZero() && !b.IsZero() && a.IsFloating() == b.IsFloating()
}

// Validate returns an [*InvalidError] for the first rule r breaks, nil if it
// breaks none. Now bounds what is plausible.
//
//   - Kind is one of [Kinds]. Key is "<stream>/<rest>", at most [MaxKey] bytes
//     of UTF-8 without control and direction characters. Connection is the
//     same within [MaxConnection] and may be empty.
//   - Metrics and parts consist of a-z, 0-9 and _; there is at most one value
//     per (Metric, Stat, Part) and one text per name.
//   - A record has a Start or a Day, unless it is a tombstone, an athlete, a
//     device or a planned workout. Times lie between 1990 and now + 2 days
//     (two years for planned workouts and for predictions of a cycle), ends are
//     not before starts, offsets are within 18 hours.
//   - Rev.Order is not after now + 2 days: no later version could ever win.
//   - Columns of a series are of equal length, times rise strictly and lie in
//     the window.
//
// The Max constants bound the sizes. Unusual values are no error: see
// [Record.Normalize].
func (r *Record) Validate(now time.Time) error {
	if !slices.Contains(kinds[:], r.Kind) {
		return invalid("kind", "unknown")
	}
	stream, rest, _ := strings.Cut(r.Key, "/")
	switch {
	case stream == "" || rest == "":
		return invalid("key", "is not <stream>/<rest>")
	case len(r.Key) > MaxKey:
		return invalid("key", "too long")
	case !isIdentifier(r.Key):
		return invalid("key", "invalid UTF-8, control or direction characters")
	case len(r.Connection) > MaxConnection:
		return invalid("connection", "too long")
	case !isIdentifier(r.Connection):
		return invalid("connection", "invalid UTF-8, control or direction characters")
	case r.State > StateDeleted:
		return invalid("state", "unknown")
	case r.Method >= methodCount:
		return invalid("method", "unknown")
	}
	limit := newLimits(r.Kind, now)
	if r.Rev.Order < 0 || r.Rev.Order > now.UnixMilli()+leewayDays*milliPerDay {
		return invalid("rev.order", "not plausible")
	}
	if err := r.validateSpan(limit); err != nil {
		return err
	}
	src := &r.Source
	for _, field := range [...]string{src.Provider, string(src.Path), src.Upstream, src.Device, src.App} {
		if len(field) > MaxCode || !utf8.ValidString(field) {
			return invalid("source", "too long or invalid UTF-8")
		}
	}
	if err := validateValues("values", r.Values); err != nil {
		return err
	}
	for i := range r.Texts {
		switch text := &r.Texts[i]; {
		case len(text.Name) > MaxName || !isName(text.Name):
			return invalid("texts", "bad name")
		case len(text.Value) > MaxText || !utf8.ValidString(text.Value):
			return invalid("texts", "too long or invalid UTF-8")
		case i > 0 && r.Texts[i-1].Name == text.Name:
			return invalid("texts", "two of one name")
		case i > 0 && r.Texts[i-1].Name > text.Name:
			return invalid("texts", "not normalized")
		}
	}
	if len(r.Texts) > MaxValues {
		return invalid("texts", "too many")
	}
	if err := r.validateSegments(limit); err != nil {
		return err
	}
	if len(r.Series) > MaxSeries {
		return invalid("series", "too many")
	}
	for i := range r.Series {
		if err := r.Series[i].validate(limit); err != nil {
			return err
		}
	}
	return nil
}

// limits are the bounds of plausible times, in milliseconds.
type limits struct{ first, last int64 }

func newLimits(kind Kind, now time.Time) limits {
	days := int64(leewayDays)
	if kind == KindPlannedWorkout || kind == KindMenstruation {
		days = plannedDays
	}
	return limits{earliestMilli, now.UnixMilli() + days*milliPerDay}
}

func (l limits) contain(milli int64) bool { return l.first <= milli && milli <= l.last }

func (l limits) moment(field string, m Moment) error {
	switch {
	case m.IsZero():
		return nil
	case !l.contain(m.milli):
		return invalid(field, "time not plausible")
	case m.offset > maxOffset || m.offset < -maxOffset:
		return invalid(field, "offset not plausible")
	}
	return nil
}

// period checks a start and an end.
func (l limits) period(field string, start, end Moment) error {
	if err := l.moment(field, start); err != nil {
		return err
	}
	if err := l.moment(field, end); err != nil {
		return err
	}
	switch {
	case end.IsZero():
		return nil
	case start.IsZero():
		return invalid(field, "end without start")
	case start.IsFloating() != end.IsFloating():
		return invalid(field, "start and end of different clocks")
	case end.milli < start.milli:
		return invalid(field, "end before start")
	}
	return nil
}

func (r *Record) validateSpan(limit limits) error {
	s := &r.Span
	if err := limit.period("span", s.Start, s.End); err != nil {
		return err
	}
	if s.Zone >= zoneCount {
		return invalid("span.zone", "unknown")
	}
	if len(s.Location) > MaxName || !isIdentifier(s.Location) {
		return invalid("span.location", "not a zone name")
	}
	if !s.Day.IsZero() {
		day, err := NewDay(int(s.Day.Year), int(s.Day.Month), int(s.Day.Dom))
		if err != nil {
			return invalid("span.day", "not a civil day")
		}
		if !limit.contain(int64(day.Number()) * milliPerDay) {
			return invalid("span.day", "not plausible")
		}
		return nil
	}
	if !s.Start.IsZero() || r.State == StateDeleted {
		return nil
	}
	switch r.Kind {
	case KindAthlete, KindDevice, KindPlannedWorkout:
		return nil
	}
	return invalid("span", "neither start nor day")
}

func validateValues(field string, vs []Value) error {
	if len(vs) > MaxValues {
		return invalid(field, "too many")
	}
	for i := range vs {
		v := &vs[i]
		switch {
		case len(v.Metric) > MaxName || !isName(v.Metric):
			return invalid(field, "bad metric name")
		case v.Part != "" && (len(v.Part) > MaxName || !isName(v.Part)):
			return invalid(field, "bad part name")
		case v.Stat >= statCount:
			return invalid(field, "unknown statistic")
		case v.Number.Exponent > MaxExponent || v.Number.Exponent < -MaxExponent:
			return invalid(field, "exponent out of bounds")
		}
		if i == 0 {
			continue
		}
		switch c := vs[i-1].compare(v); {
		case c == 0:
			return invalid(field, "two of one metric, statistic and part")
		case c > 0:
			return invalid(field, "not normalized")
		}
	}
	return nil
}

func (r *Record) validateSegments(limit limits) error {
	if len(r.Segments) > MaxSegments {
		return invalid("segments", "too many")
	}
	for i := range r.Segments {
		s := &r.Segments[i]
		switch {
		case len(s.Track) > MaxName || !isName(s.Track):
			return invalid("segments", "bad track name")
		case s.Label != "" && (len(s.Label) > MaxName || !isName(s.Label)):
			return invalid("segments", "bad label")
		case len(s.Code) > MaxCode || !utf8.ValidString(s.Code):
			return invalid("segments", "code too long or invalid UTF-8")
		}
		if err := limit.period("segments", s.Start, s.End); err != nil {
			return err
		}
		if err := validateValues("segments", s.Values); err != nil {
			return err
		}
	}
	return nil
}

func (s *Series) validate(limit limits) error {
	const field = "series"
	switch {
	case len(s.Metric) > MaxName || !isName(s.Metric):
		return invalid(field, "bad metric name")
	case s.Part != "" && (len(s.Part) > MaxName || !isName(s.Part)):
		return invalid(field, "bad part name")
	case s.Stat >= statCount:
		return invalid(field, "unknown statistic")
	case s.Exp > MaxExponent || s.Exp < -MaxExponent:
		return invalid(field, "exponent out of bounds")
	case len(s.Times) != len(s.Values):
		return invalid(field, "columns of different length")
	case len(s.Times) > MaxPoints || s.Count < 0 || s.Count > math.MaxInt32:
		return invalid(field, "too many points")
	case s.To < s.From:
		return invalid(field, "window ends before it starts")
	case !limit.contain(s.From) || s.To > limit.last+milliPerDay:
		return invalid(field, "window not plausible")
	}
	last := s.From - 1
	for _, t := range s.Times {
		if t <= last {
			return invalid(field, "times do not rise, or begin before the window")
		}
		last = t
	}
	if len(s.Times) > 0 && last >= s.To {
		return invalid(field, "times after the window")
	}
	return nil
}

// isIdentifier reports whether s is valid UTF-8 without control characters and
// without characters that change the direction of the text around them.
func isIdentifier(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= utf8.RuneSelf:
			return isIdentifierBeyondASCII(s[i:])
		case c < ' ' || c == 0x7F:
			return false
		}
	}
	return true
}

func isIdentifierBeyondASCII(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, c := range s {
		switch {
		case unicode.IsControl(c):
			return false
		case c == 0x061C, c == 0x200E, c == 0x200F, 0x202A <= c && c <= 0x202E, 0x2066 <= c && c <= 0x2069:
			return false
		}
	}
	return true
}
