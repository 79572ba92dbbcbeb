package withings

import (
	"bytes"
	"cmp"
	"math/bits"
	"strconv"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
)

// verdict says what became of reading one value.
type verdict uint8

const (
	valueBad    verdict = iota // of a wrong type, or it does not fit
	valueAbsent                // null
	valueOK
	valueVanished // so small that nothing but zero can stand for it
)

// number reads a number, or a string that holds one, exactly: 12, "12", 12.0
// and 1.2e1 are equal.
func number(s *jsonscan.Scanner) (health.Decimal, verdict) {
	switch s.Kind() {
	case jsonscan.Number:
		at := s.Mark()
		d, ok := s.Decimal()
		if ok {
			return d, valueOK
		}
		if f, err := strconv.ParseFloat(string(bytes.TrimSpace(s.Since(at))), 64); err == nil && f == 0 {
			return health.Decimal{}, valueVanished
		}
		return health.Decimal{}, valueBad
	case jsonscan.String:
		b, ok := s.Identifier()
		if !ok {
			return health.Decimal{}, valueBad
		}
		d, err := health.ParseDecimal(b)
		if err != nil {
			return health.Decimal{}, valueBad
		}
		return d, valueOK
	case jsonscan.Null:
		s.Skip()
		return health.Decimal{}, valueAbsent
	default:
		s.Skip()
		return health.Decimal{}, valueBad
	}
}

// integer reads an integer the way number reads numbers.
func integer(s *jsonscan.Scanner) (int64, verdict) {
	d, v := number(s)
	if v != valueOK || d.Exponent == 0 {
		return d.Coefficient, v
	}
	n, ok := d.Rescale(0)
	if !ok {
		return 0, valueBad
	}
	return n, valueOK
}

// truth reads a bool, or a number or string of 0 or 1.
func truth(s *jsonscan.Scanner) (bool, verdict) {
	if s.Kind() == jsonscan.Bool {
		b, ok := s.Bool()
		if !ok {
			return false, valueBad
		}
		return b, valueOK
	}
	n, v := integer(s)
	if v == valueOK && n != 0 && n != 1 {
		return false, valueBad
	}
	return n == 1, v
}

// identifier reads a string that is compared. The bytes are valid until the
// next call of a method of the scanner.
func identifier(s *jsonscan.Scanner) ([]byte, verdict) {
	switch s.Kind() {
	case jsonscan.String:
		b, ok := s.Identifier()
		if !ok {
			return nil, valueBad
		}
		if len(b) == 0 {
			return nil, valueAbsent
		}
		return b, valueOK
	case jsonscan.Null:
		s.Skip()
		return nil, valueAbsent
	default:
		s.Skip()
		return nil, valueBad
	}
}

// word reads a string or an integer as text, for members that are the one or
// the other.
func word(s *jsonscan.Scanner) ([]byte, verdict) {
	if s.Kind() != jsonscan.Number {
		return identifier(s)
	}
	n, v := integer(s)
	if v != valueOK {
		return nil, v
	}
	text, _ := health.Int(n).AppendText(nil)
	return text, v
}

// members keeps watch over the members of one object: which were there, which
// have a value, which could not be read, whether one was there twice. Bit i is
// the i-th member the decoder knows.
type members struct {
	seen, got, bad uint64
	twice          bool
}

// meet notes the i-th member.
func (m *members) meet(i uint) {
	m.twice = m.twice || m.seen&(1<<i) != 0
	m.seen |= 1 << i
}

// judge notes how reading the i-th member went.
func (m *members) judge(i uint, v verdict) {
	switch v {
	case valueBad:
		m.bad |= 1 << i
	case valueOK:
		m.got |= 1 << i
	}
}

// has reports whether the i-th member has a value.
func (m *members) has(i uint) bool { return m.got&(1<<i) != 0 }

func (m *members) integer(s *jsonscan.Scanner, i uint) int64 {
	m.meet(i)
	n, v := integer(s)
	m.judge(i, v)
	return n
}

func (m *members) truth(s *jsonscan.Scanner, i uint) bool {
	m.meet(i)
	b, v := truth(s)
	m.judge(i, v)
	return b
}

func (m *members) identifier(s *jsonscan.Scanner, i uint, in *interner) string {
	m.meet(i)
	b, v := identifier(s)
	m.judge(i, v)
	return in.text(b)
}

func (m *members) word(s *jsonscan.Scanner, i uint, in *interner) string {
	m.meet(i)
	b, v := word(s)
	m.judge(i, v)
	return in.text(b)
}

// modelID reads the number of a device model, which the service writes as modelid
// or as model_id, or as both. They are the i-th member and the next; known is what
// the other one said.
func (m *members) modelID(s *jsonscan.Scanner, i uint, known int64) int64 {
	if string(s.Name()) == "model_id" {
		i++
	}
	return cmp.Or(m.integer(s, i), known)
}

// firstBad returns the lowest bit that could not be read, among those of mask.
func (m *members) firstBad(mask uint64) (i int, ok bool) {
	i = bits.TrailingZeros64(m.bad & mask)
	return i, i < 64
}

// interner makes one string of equal texts, of which a page has few.
type interner struct {
	last string
	all  map[string]string
}

// maxInterned bounds how many texts of a page are remembered.
const maxInterned = 1024

func (in *interner) text(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if in.last == string(b) {
		return in.last
	}
	s, ok := in.all[string(b)]
	if !ok {
		s = string(b)
		if in.all == nil {
			in.all = make(map[string]string)
		}
		if len(in.all) < maxInterned {
			in.all[s] = s
		}
	}
	in.last = s
	return s
}

// slab hands out slices cut from larger ones, so that a page of many small
// records costs few allocations. One slice is under way at a time.
type slab[T any] struct{ free []T }

const (
	slabSize = 1024
	slabRoom = 32 // below this a slab is used up
)

// begin returns an empty slice to append to.
func (s *slab[T]) begin() []T {
	if cap(s.free) < slabRoom {
		s.free = make([]T, 0, slabSize)
	}
	return s.free[:0]
}

// take ends what begin began and returns list, so that it cannot grow into what
// comes next; nil for an empty list.
func (s *slab[T]) take(list []T) []T {
	n := len(list)
	if n == 0 {
		return nil
	}
	if n <= cap(s.free) && &list[0] == &s.free[:1][0] {
		s.free = s.free[n:n]
	}
	return list[:n:n]
}
