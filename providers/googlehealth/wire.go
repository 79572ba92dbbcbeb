package googlehealth

import (
	"bytes"
	"slices"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
)

// maxMembers bounds the members of one object: the largest type of the service
// has about twenty.
const maxMembers = 256

// object is one level of a JSON object: the values are read when they are asked
// for. Sessions and single readings are read this way; dense lists are not, see
// dense.go.
type object struct {
	names  []string
	values [][]byte
}

// readObject splits an object into its members. The reason is empty for success.
func readObject(raw []byte) (object, string) {
	s := jsonscan.New(raw)
	if s.Kind() != jsonscan.Object {
		return object{}, reasonNotObject
	}
	var o object
	s.Object()
	for s.NextMember() {
		name := string(s.Name())
		value := s.Raw()
		if s.Err() != nil {
			break
		}
		if len(o.names) == maxMembers {
			return object{}, reasonTooMany
		}
		if slices.Contains(o.names, name) {
			return object{}, reasonTwice
		}
		o.names = append(o.names, name)
		o.values = append(o.values, value)
	}
	if s.End() != nil {
		return object{}, reasonNotJSON
	}
	return o, ""
}

// raw returns the value of a member, nil if it is not there or null.
func (o object) raw(name string) []byte {
	i := slices.Index(o.names, name)
	if i < 0 || string(o.values[i]) == "null" {
		return nil
	}
	return o.values[i]
}

// has reports whether the member is there with a value.
func (o object) has(name string) bool { return o.raw(name) != nil }

// object reads a member that is an object.
func (o object) object(name string) (object, jsonscan.Verdict) {
	raw := o.raw(name)
	if raw == nil {
		return object{}, jsonscan.Absent
	}
	inner, reason := readObject(raw)
	if reason != "" {
		return object{}, jsonscan.Bad
	}
	return inner, jsonscan.OK
}

// list reads a member that is an array, of at most limit elements.
func (o object) list(name string, limit int) ([][]byte, jsonscan.Verdict) {
	raw := o.raw(name)
	if raw == nil {
		return nil, jsonscan.Absent
	}
	s := jsonscan.New(raw)
	if s.Kind() != jsonscan.Array {
		return nil, jsonscan.Bad
	}
	var all [][]byte
	s.Array()
	for s.NextElement() {
		element := s.Raw()
		if len(all) == limit {
			return nil, jsonscan.Bad
		}
		all = append(all, element)
	}
	if s.End() != nil {
		return nil, jsonscan.Bad
	}
	return all, jsonscan.OK
}

// number reads a number, or a string that holds one, exactly: the service
// writes 64-bit integers as strings (protocol buffers' JSON mapping).
func (o object) number(name string) (health.Decimal, jsonscan.Verdict) {
	raw := o.raw(name)
	if raw == nil {
		return health.Decimal{}, jsonscan.Absent
	}
	s := jsonscan.New(raw)
	return number(&s)
}

// number reads a number or a string that holds one. One that is too small to be
// told from zero does not fit.
func number(s *jsonscan.Scanner) (health.Decimal, jsonscan.Verdict) {
	d, v := s.ReadDecimal()
	return d, fitting(v)
}

// fitting is the verdict on a number here.
func fitting(v jsonscan.Verdict) jsonscan.Verdict {
	if v == jsonscan.Vanished {
		return jsonscan.Bad
	}
	return v
}

// integer reads a number that is an integer.
func (o object) integer(name string) (int64, jsonscan.Verdict) {
	raw := o.raw(name)
	if raw == nil {
		return 0, jsonscan.Absent
	}
	s := jsonscan.New(raw)
	n, v := s.ReadInt()
	return n, fitting(v)
}

// text reads a string. One that is not valid UTF-8 cannot be compared and is bad.
func (o object) text(name string) (string, jsonscan.Verdict) {
	raw := o.raw(name)
	if raw == nil {
		return "", jsonscan.Absent
	}
	s := jsonscan.New(raw)
	b, v := s.ReadIdentifier()
	return string(b), v
}

// word reads a string or an integer as text: ids come as either.
func (o object) word(name string) (string, jsonscan.Verdict) {
	raw := o.raw(name)
	if raw == nil {
		return "", jsonscan.Absent
	}
	s := jsonscan.New(raw)
	b, v := s.ReadWord()
	return string(b), fitting(v)
}

// truth reads a bool.
func (o object) truth(name string) (bool, jsonscan.Verdict) {
	raw := o.raw(name)
	if raw == nil {
		return false, jsonscan.Absent
	}
	s := jsonscan.New(raw)
	return s.ReadBool()
}

// duration reads a duration such as "0.5s", in seconds.
func (o object) duration(name string) (health.Decimal, jsonscan.Verdict) {
	text, v := o.text(name)
	if v != jsonscan.OK {
		return health.Decimal{}, v
	}
	return seconds([]byte(text))
}

// seconds reads a duration as protocol buffers write them in JSON.
func seconds(text []byte) (health.Decimal, jsonscan.Verdict) {
	n := len(text)
	if n < 2 || text[n-1] != 's' {
		return health.Decimal{}, jsonscan.Bad
	}
	d, err := health.ParseDecimal(text[:n-1])
	if err != nil {
		return health.Decimal{}, jsonscan.Bad
	}
	return d, jsonscan.OK
}

// maxOffset is more than any zone's distance from UTC, in seconds.
const maxOffset = 18 * 60 * 60

// offset reads an offset from UTC, in seconds.
func (o object) offset(name string) (int, jsonscan.Verdict) {
	d, v := o.duration(name)
	if v != jsonscan.OK {
		return 0, v
	}
	n, ok := d.Rescale(0)
	if !ok || n < -maxOffset || n > maxOffset {
		return 0, jsonscan.Bad
	}
	return int(n), jsonscan.OK
}

// instant reads a time in UTC or with an offset, in milliseconds. The bounds of
// what is plausible are for Record.Validate.
func (o object) instant(name string) (int64, health.Flags, jsonscan.Verdict) {
	text, v := o.text(name)
	if v != jsonscan.OK {
		return 0, 0, v
	}
	return instant([]byte(text))
}

// instant reads a time as protocol buffers write them in JSON. A time without
// zone is none.
func instant(text []byte) (int64, health.Flags, jsonscan.Verdict) {
	if milli, ok := plainInstant(text); ok {
		return milli, 0, jsonscan.OK
	}
	if bytes.IndexByte(text, ' ') >= 0 { // which other services print
		return 0, 0, jsonscan.Bad
	}
	m, flags, err := health.ParseMoment(string(text))
	if err != nil {
		return 0, 0, jsonscan.Bad
	}
	milli, ok := m.UnixMilli()
	if !ok {
		return 0, 0, jsonscan.Bad
	}
	return milli, flags, jsonscan.OK
}

// plainInstant reads the usual form, "2006-01-02T15:04:05Z" with up to nine
// decimals, of which three count. It is false for all other text.
func plainInstant(b []byte) (int64, bool) {
	if len(b) <= len(time.DateOnly) {
		return 0, false
	}
	midnight, ok1 := plainDay(b[:len(time.DateOnly)])
	milli, ok2 := plainClock(b[len(time.DateOnly):])
	return midnight + milli, ok1 && ok2
}

// plainDay reads "2006-01-02", in milliseconds.
func plainDay(b []byte) (int64, bool) {
	if len(b) != len(time.DateOnly) || b[4] != '-' || b[7] != '-' {
		return 0, false
	}
	year, ok0 := digits(b[0:4])
	month, ok1 := digits(b[5:7])
	dom, ok2 := digits(b[8:10])
	if !ok0 || !ok1 || !ok2 {
		return 0, false
	}
	d, err := health.NewDay(year, month, dom)
	if err != nil {
		return 0, false
	}
	return int64(d.Number()) * 86400_000, true
}

// plainClock reads "T15:04:05Z" with decimals, in milliseconds.
func plainClock(b []byte) (int64, bool) {
	const layout = "T15:04:05"
	if len(b) <= len(layout) || b[0] != 'T' || b[3] != ':' || b[6] != ':' || b[len(b)-1] != 'Z' {
		return 0, false
	}
	hour, ok3 := digits(b[1:3])
	minute, ok4 := digits(b[4:6])
	second, ok5 := digits(b[7:9])
	if !ok3 || !ok4 || !ok5 || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	milli := int64(0)
	if fraction := b[len(layout) : len(b)-1]; len(fraction) > 0 {
		if fraction[0] != '.' || len(fraction) < 2 || len(fraction) > 10 {
			return 0, false
		}
		scale := int64(100)
		for _, c := range fraction[1:] {
			if c-'0' > 9 {
				return 0, false
			}
			milli += int64(c-'0') * scale
			scale /= 10
		}
	}
	return int64(hour*3600+minute*60+second)*1000 + milli, true
}

func digits(b []byte) (int, bool) {
	n := 0
	for _, c := range b {
		if c-'0' > 9 {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

// civilDay reads a civil day: an object of year, month and day.
func (o object) civilDay(name string) (health.Day, jsonscan.Verdict) {
	inner, v := o.object(name)
	if v != jsonscan.OK {
		return health.Day{}, v
	}
	year, _ := inner.integer("year")
	month, _ := inner.integer("month")
	dom, _ := inner.integer("day")
	const most = 9999
	if year < 1 || year > most || month < 1 || month > 12 || dom < 1 || dom > 31 {
		return health.Day{}, jsonscan.Bad
	}
	d, err := health.NewDay(int(year), int(month), int(dom))
	if err != nil {
		return health.Day{}, jsonscan.Bad
	}
	return d, jsonscan.OK
}

// civil reads a civil time: a day and, unless it is midnight, the time of day.
// Members that are zero are left out by the service.
func (o object) civil(name string) (d health.Day, wallMilli int64, v jsonscan.Verdict) {
	inner, v := o.object(name)
	if v != jsonscan.OK {
		return d, 0, v
	}
	d, v = inner.civilDay("date")
	if v != jsonscan.OK {
		return d, 0, jsonscan.Bad
	}
	wallMilli = int64(d.Number()) * 86400_000
	clock, v := inner.object("time")
	switch v {
	case jsonscan.Absent:
		return d, wallMilli, jsonscan.OK
	case jsonscan.Bad:
		return d, 0, jsonscan.Bad
	}
	for _, part := range [...]struct {
		name        string
		most, milli int64
	}{{"hours", 24, 3600_000}, {"minutes", 59, 60_000}, {"seconds", 60, 1000}} {
		n, v := clock.integer(part.name)
		if v == jsonscan.Bad || n < 0 || n > part.most {
			return d, 0, jsonscan.Bad
		}
		wallMilli += n * part.milli
	}
	nanos, v := clock.integer("nanos")
	if v == jsonscan.Bad || nanos < 0 || nanos >= int64(time.Second) {
		return d, 0, jsonscan.Bad
	}
	return d, wallMilli + nanos/int64(time.Millisecond), jsonscan.OK
}
