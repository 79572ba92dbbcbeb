package fitbit

import (
	"strconv"
	"strings"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/fitbitmap"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
	"github.com/vitalmux/vitalmux/providers"
)

// row is the datum under way.
type row struct {
	values   []health.Value
	texts    []health.Text
	segments []health.Segment
	series   []health.Series
	faults   []fault
	hopeless bool // it has more faults than are listed
}

// fault is a part of a row that is set aside while the row is kept.
type fault struct {
	name, reason string
	raw          []byte
}

// maxFaults is how many parts of one row are set aside before the row is.
const maxFaults = 1000

// fault sets one part of the row aside; raw nil is the whole row.
func (r *row) fault(name, reason string, raw []byte) {
	if len(r.faults) == maxFaults {
		r.hopeless = true
		return
	}
	r.faults = append(r.faults, fault{name, reason, raw})
}

// empty reports whether the row tells nothing.
func (r *row) empty() bool {
	return len(r.values) == 0 && len(r.texts) == 0 && len(r.segments) == 0 && len(r.series) == 0
}

// text adds a fact that is not a number; empty is none.
func (r *row) text(name, value string) {
	if !providers.AddText(&r.texts, name, value) {
		r.fault(name, reasonConflict, nil)
	}
}

// word reads a member that is kept as a text.
func (r *row) word(s *jsonscan.Scanner, name string) string {
	w, v := words(s)
	if v == jsonscan.Bad {
		r.fault(name, reasonType, nil)
		return ""
	}
	r.text(name, w)
	return w
}

// value adds a value. Another number for the same is set aside.
func (r *row) value(v health.Value) {
	if !providers.AddValue(&r.values, v) {
		r.fault(string(v.Metric), reasonConflict, nil)
	}
}

// unit says how the service's numbers become those of a metric.
type unit uint8

const (
	asSent         unit = iota
	kilometres          // to metres
	centimetres         // to metres
	minutes             // to seconds
	milliseconds        // to seconds
	kilometresHour      // to metres per second
	miles               // to metres
	yards               // to metres
	ratio               // to percent
)

// convert returns d in the metric's unit.
func (u unit) convert(d health.Decimal) (health.Decimal, health.Flags, bool) {
	var ok bool
	switch u {
	case kilometres:
		d, ok = fitbitmap.Shift(d, 3)
	case centimetres:
		d, ok = fitbitmap.Shift(d, -2)
	case minutes:
		d, ok = fitbitmap.Times(d, 60)
	case milliseconds:
		d, ok = fitbitmap.Shift(d, -3)
	case ratio:
		d, ok = fitbitmap.Shift(d, 2)
	case kilometresHour:
		// Times 10, and the four places more that a quotient has.
		d, whole, fits := fitbitmap.Fit(d, 10*10_000)
		if !fits {
			return d, 0, false
		}
		d, _ = fitbitmap.Times(d, 10)
		q, exact, fits := fitbitmap.Over(d, 36)
		if !exact || !whole {
			return q, health.FlagInexact, fits
		}
		return q.Normalized(), 0, fits
	case miles:
		return metres(d, 1_609_344, -3)
	case yards:
		return metres(d, 9144, -4)
	default:
		ok = true
	}
	return d, 0, ok
}

// metres returns d * n * 10^places.
func metres(d health.Decimal, n int64, places int) (health.Decimal, health.Flags, bool) {
	d, exact, ok := fitbitmap.Fit(d, n)
	if !ok {
		return d, 0, false
	}
	d, _ = fitbitmap.Times(d, n)
	d, ok = fitbitmap.Shift(d, places)
	if !exact {
		return d, health.FlagInexact, ok
	}
	return d, 0, ok
}

// presence says which numbers mean that there is no data.
type presence uint8

const (
	always   presence = iota
	notMinus          // -1 and less
	positive          // 0 and less
)

// field is what a named number means.
type field struct {
	is   health.Value // without its number
	unit unit
	none presence
}

// fields are the members of an object by name.
type fields map[string]field

func is(q fitbitmap.Quantity, part health.Part) health.Value {
	return q.Value(health.Decimal{}, part)
}

// goalOf is a target for q.
func goalOf(q fitbitmap.Quantity) health.Value {
	return health.Value{Metric: q.Metric(), Stat: health.StatGoal}
}

// number reads the value of f.
func (r *row) number(s *jsonscan.Scanner, name string, f field) {
	at := s.Mark()
	d, v := number(s)
	if s.Err() != nil {
		return
	}
	r.add(d, v, name, f, s.Since(at))
}

// required reads the value of f in a row that is of nothing else.
func (r *row) required(s *jsonscan.Scanner, name string, f field) {
	at := s.Mark()
	d, v := required(s)
	if s.Err() != nil {
		return
	}
	r.add(d, v, name, f, s.Since(at))
}

func (r *row) add(d health.Decimal, v jsonscan.Verdict, name string, f field, raw []byte) {
	switch v {
	case jsonscan.Absent:
		return
	case jsonscan.Bad:
		r.fault(name, reasonValue, raw)
		return
	case jsonscan.Vanished:
		f.is.Flags |= health.FlagInexact
	}
	switch {
	case f.none == notMinus && d.Coefficient < 0, f.none == positive && d.Coefficient <= 0:
		return
	}
	converted, flags, ok := f.unit.convert(d)
	// An exponent that a record must not have costs this number, not the record.
	if !ok || converted.Exponent < -health.MaxExponent || converted.Exponent > health.MaxExponent {
		r.fault(name, reasonValue, raw)
		return
	}
	f.is.Number = converted
	f.is.Flags |= flags
	r.value(f.is)
}

// object reads an object of numbers; other members are left out. A value of
// another type is set aside.
func (r *row) object(s *jsonscan.Scanner, name string, table fields) {
	r.each(s, name, func(s *jsonscan.Scanner) {
		if f, ok := table[string(s.Name())]; ok {
			r.number(s, string(s.Name()), f)
		} else {
			s.Skip()
		}
	})
}

// each walks an object; null is none, and a value of another type is set aside.
// Read is called in front of the value of each member.
func (r *row) each(s *jsonscan.Scanner, name string, read func(*jsonscan.Scanner)) {
	if s.Kind() != jsonscan.Object {
		r.none(s, name)
		return
	}
	s.Object()
	for s.NextMember() {
		read(s)
	}
}

// none skips a value that is not of the type it should be: null is none, and
// another one is set aside.
func (r *row) none(s *jsonscan.Scanner, name string) {
	at, null := s.Mark(), s.Kind() == jsonscan.Null
	if s.Skip(); s.Err() == nil && !null {
		r.fault(name, reasonType, s.Since(at))
	}
}

// elements walks an array; null is none, and a value of another type is set
// aside. Read is called in front of each element.
func (r *row) elements(s *jsonscan.Scanner, name string, read func(*jsonscan.Scanner)) {
	if s.Kind() != jsonscan.Array {
		r.none(s, name)
		return
	}
	s.Array()
	for s.NextElement() {
		read(s)
	}
}

// day reads a civil day; the zero day if it is none.
func (r *row) day(s *jsonscan.Scanner) health.Day {
	b, v := s.ReadIdentifier()
	if v != jsonscan.OK {
		return health.Day{}
	}
	d, err := health.ParseDay(string(b))
	if err != nil {
		return health.Day{}
	}
	return d
}

// moment reads a time, with or without an offset.
func (r *row) moment(s *jsonscan.Scanner) (text string, m health.Moment, flags health.Flags, ok bool) {
	b, v := s.ReadIdentifier()
	if v != jsonscan.OK {
		return "", m, 0, false
	}
	text = string(b)
	if strings.Contains(text, " ") { // which other services print
		return text, m, 0, false
	}
	m, flags, err := health.ParseMoment(text)
	return text, m, flags, err == nil
}

// id reads an identifying number: a positive integer, exactly.
func (r *row) id(s *jsonscan.Scanner) (int64, bool) {
	n, v := integer(s)
	return n, v == jsonscan.OK && n > 0
}

// zoneParts names custom heart rate zones, of which a person may have several.
func customZone(n int) health.Part { return health.Part("zone_custom_" + strconv.Itoa(n)) }
