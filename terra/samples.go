package terra

import (
	"bytes"
	"encoding/json"
	"iter"
	"reflect"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
)

// Samples is a dense array of samples, kept as the bytes it came as. It is read
// element by element and any number of times: [Samples.Points] is fast and
// reads one number of each sample, [Samples.All] and [Samples.Slice] read all
// members.
//
// The zero Samples is empty. Samples that were decoded share the memory of the
// document, which must not change. Reading is safe for concurrent use.
type Samples[T any] struct{ raw []byte }

// NewSamples returns samples made of the given values.
func NewSamples[T any](list []T) (Samples[T], error) {
	raw, err := json.Marshal(list)
	if err != nil || len(list) == 0 {
		return Samples[T]{}, err
	}
	return Samples[T]{raw: raw}, nil
}

// Raw returns the JSON array as it came; nil if there is none. The caller does
// not modify it.
func (a Samples[T]) Raw() []byte { return a.raw }

// IsZero reports whether no array was sent.
func (a Samples[T]) IsZero() bool { return a.raw == nil }

// All returns the samples in the order they came in, which need not be that of
// time. Elements that are not objects are left out.
func (a Samples[T]) All() iter.Seq[T] {
	return func(yield func(T) bool) {
		var v T
		p, into := planOf(reflect.TypeFor[T]()), reflect.ValueOf(&v).Elem()
		s := jsonscan.New(a.raw)
		d := decoder{s: &s}
		if len(a.raw) == 0 || !s.Array() {
			return
		}
		for s.NextElement() {
			if s.Kind() != jsonscan.Object {
				s.Skip()
				continue
			}
			into.SetZero()
			d.value(p, into)
			if s.Err() != nil || !yield(v) {
				return
			}
		}
	}
}

// Slice returns all samples.
func (a Samples[T]) Slice() []T {
	var list []T
	for v := range a.All() {
		list = append(list, v)
	}
	return list
}

// Point is one number of one sample.
type Point struct {
	// At is when; zero if the sample has no time that can be read.
	At health.Moment
	// Flags are those of reading the time.
	Flags health.Flags
	// Number is the value; not set if the sample has none.
	Number Number
}

// Points returns the member of the given name of each sample, and when it was
// measured, in the order they came in. An element that is not an object gives a
// Point without time and number, so that the count is that of the elements.
func (a Samples[T]) Points(name string) iter.Seq[Point] {
	return func(yield func(Point) bool) {
		if len(a.raw) == 0 {
			return
		}
		r := pointReader{rest: a.raw[1:], name: name}
		for r.next() {
			if !yield(r.point) {
				return
			}
		}
	}
}

// pointReader reads the points of an array that has been held to the grammar
// before.
type pointReader struct {
	rest  []byte // of the array
	name  string
	point Point
	clock clock

	// How the last sample that was read in full was written: the bytes before
	// its time, between that and its number, and after the number. Most samples
	// of an array differ in nothing but the two.
	before, between, after []byte
}

// next reads the next element; false at the end.
func (r *pointReader) next() bool {
	for len(r.rest) > 0 {
		switch r.rest[0] {
		case ' ', '\t', '\r', '\n', ',':
			r.rest = r.rest[1:]
		case ']':
			return false
		default:
			if !r.readAlike() {
				r.read()
			}
			return true
		}
	}
	return false
}

// readAlike reads an element that is written like the one before; false, with
// nothing read, if it is not.
func (r *pointReader) readAlike() bool {
	if r.between == nil || !bytes.HasPrefix(r.rest, r.before) {
		return false
	}
	rest := r.rest[len(r.before):]
	n := r.clock.length()
	if len(rest) < n {
		return false
	}
	at, ok := r.clock.alike(rest[:n])
	if !ok || !bytes.HasPrefix(rest[n:], r.between) {
		return false
	}
	rest = rest[n+len(r.between):]
	d, n := plainNumber(rest)
	if n == 0 || !bytes.HasPrefix(rest[n:], r.after) {
		return false
	}
	r.point, r.rest = Point{At: at, Number: NewNumber(d)}, rest[n+len(r.after):]
	return true
}

// plainNumber reads a number without sign and exponent and returns its length; 0
// if it is written in another way or is long.
func plainNumber(b []byte) (d health.Decimal, n int) {
	b = b[:min(len(b), 18)] // what has fewer digits fits
	digits := func() {
		for n < len(b) && b[n]-'0' <= 9 {
			d.Coefficient = d.Coefficient*10 + int64(b[n]-'0')
			n++
		}
	}
	digits()
	if n > 0 && n < len(b) && b[n] == '.' {
		n++
		whole := n
		digits()
		d.Exponent = int8(whole - n)
	}
	if n == len(b) {
		return health.Decimal{}, 0
	}
	return d, n
}

// read reads an element whatever it looks like, and how it is written.
func (r *pointReader) read() {
	s := jsonscan.New(r.rest)
	r.point, r.between = Point{}, nil
	var time, number extent
	length := len(r.rest)
	if s.Object() {
		for s.NextMember() {
			switch member := s.Name(); {
			case string(member) == r.name:
				kind := s.Kind()
				number.from, number.times = length-s.Left(), number.times+1
				if kind == jsonscan.Null && r.point.Number.IsSet() { // as in the models
					s.Skip()
				} else {
					r.point.Number.scan(&s)
				}
				number.to, number.plain = length-s.Left(), kind == jsonscan.Number
			case string(member) == "timestamp":
				kind := s.Kind()
				time.from, time.times = length-s.Left()+1, time.times+1 // behind the quote
				if text, ok := s.Text(); ok {
					r.point.At, r.point.Flags = r.clock.moment(text)
				}
				time.to = length - s.Left() - 1
				time.plain = kind == jsonscan.String && time.to-time.from == r.clock.length()
			default:
				s.Skip()
			}
		}
	}
	end := length - s.Left()
	if time.once() && number.once() && time.to < number.from && r.point.Number.IsSet() {
		r.before, r.between, r.after = r.rest[:time.from], r.rest[time.to:number.from], r.rest[number.to:end]
	}
	r.rest = r.rest[end:]
}

// extent is where in an element a value is.
type extent struct {
	from, to, times int
	plain           bool // it is of the usual type
}

func (e extent) once() bool { return e.times == 1 && e.plain }

// clock reads times, most of which differ from the one before in nothing but
// the time of day.
type clock struct {
	day, tail []byte // what the last text had before and after the time of day
	second    int64  // its second of the day
	last      health.Moment
}

const (
	timeAt = len("2006-01-02T")
	tailAt = len("2006-01-02T15:04:05")
)

// length returns how long a text is that alike can read.
func (c *clock) length() int { return tailAt + len(c.tail) }

// alike reads a time on the day of the last one, written in the same way; false
// if the text is any other.
func (c *clock) alike(text []byte) (health.Moment, bool) {
	if len(text) < tailAt || !bytes.Equal(text[:timeAt], c.day) || !bytes.Equal(text[tailAt:], c.tail) {
		return health.Moment{}, false
	}
	second, ok := secondOfDay(text[timeAt:tailAt])
	return c.later(1000 * (second - c.second)), ok
}

// moment reads a time; it is zero if the text is none.
func (c *clock) moment(text []byte) (health.Moment, health.Flags) {
	if m, ok := c.alike(text); ok {
		return m, 0
	}
	m, flags, err := health.ParseMoment(string(text))
	if err != nil {
		return health.Moment{}, 0
	}
	if len(text) >= tailAt {
		if second, ok := secondOfDay(text[timeAt:tailAt]); ok {
			c.day, c.tail = append(c.day[:0], text[:timeAt]...), append(c.tail[:0], text[tailAt:]...)
			c.second, c.last = second, m
		}
	}
	return m, flags
}

// later returns the last time moved by some milliseconds.
func (c *clock) later(by int64) health.Moment {
	if wall, _ := c.last.WallMilli(); c.last.IsFloating() {
		return health.Floating(wall + by)
	}
	at, _ := c.last.UnixMilli()
	if offset, ok := c.last.Offset(); ok {
		return health.Zoned(at+by, offset)
	}
	return health.Instant(at + by)
}

// secondOfDay reads "15:04:05"; false if it is anything else, a leap second too.
func secondOfDay(b []byte) (int64, bool) {
	digit := func(i int, most byte) int64 {
		if d := b[i] - '0'; d <= most {
			return int64(d)
		}
		return -1000
	}
	if b[2] != ':' || b[5] != ':' {
		return 0, false
	}
	hour, minute, second := 10*digit(0, 2)+digit(1, 9), 10*digit(3, 5)+digit(4, 9), 10*digit(6, 5)+digit(7, 9)
	return 3600*hour + 60*minute + second, hour >= 0 && hour < 24 && minute >= 0 && second >= 0
}

// MarshalJSON writes the array, or null.
func (a Samples[T]) MarshalJSON() ([]byte, error) {
	if a.raw == nil {
		return []byte("null"), nil
	}
	return a.raw, nil
}

// UnmarshalJSON keeps a copy of the array.
func (a *Samples[T]) UnmarshalJSON(b []byte) error { return unmarshalOne(bytes.Clone(b), a) }

func (a *Samples[T]) scan(s *jsonscan.Scanner) bool {
	switch s.Kind() {
	case jsonscan.Null:
		s.Skip()
		return true
	case jsonscan.Array:
		a.raw = s.Raw()
		return true
	default:
		s.Skip()
		return false
	}
}

// sample returns the type of the elements.
func (a *Samples[T]) sample() reflect.Type { return reflect.TypeFor[T]() }
