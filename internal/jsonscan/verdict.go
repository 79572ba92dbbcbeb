package jsonscan

import (
	"strconv"

	"github.com/vitalmux/vitalmux/health"
)

// Verdict says what became of reading one value.
type Verdict uint8

// The verdicts.
const (
	Bad      Verdict = iota // of another type, or it does not fit; after a failure of the walk, too
	Absent                  // null, or an empty identifier
	OK                      // the value is there
	Vanished                // a number so small that nothing but zero can stand for it
)

// ReadDecimal consumes a number, or a string that holds one, exactly: 12, "12",
// 12.0 and 1.2e1 are equal. Services write long integers as strings.
func (s *Scanner) ReadDecimal() (health.Decimal, Verdict) {
	switch s.Kind() {
	case Number:
		start := s.pos
		d, ok := s.Decimal()
		if ok {
			return d, OK
		}
		return health.Decimal{}, s.misfit(start)
	case String:
		b, ok := s.Identifier()
		if !ok {
			return health.Decimal{}, Bad
		}
		d, err := health.ParseDecimal(b)
		if err != nil {
			return health.Decimal{}, Bad
		}
		return d, OK
	case Null:
		s.Skip()
		return health.Decimal{}, Absent
	default:
		s.Skip()
		return health.Decimal{}, Bad
	}
}

// misfit returns the verdict on the number from start, which does not fit a
// [health.Decimal]: it is too large, too long or too small.
func (s *Scanner) misfit(start int) Verdict {
	if s.err != nil {
		return Bad
	}
	if f, err := strconv.ParseFloat(string(s.data[start:s.pos]), 64); err == nil && f == 0 {
		return Vanished
	}
	return Bad
}

// ReadInt consumes an integer the way [Scanner.ReadDecimal] consumes numbers.
func (s *Scanner) ReadInt() (int64, Verdict) {
	d, v := s.ReadDecimal()
	if v != OK || d.Exponent == 0 {
		return d.Coefficient, v
	}
	n, ok := d.Rescale(0)
	if !ok {
		return 0, Bad
	}
	return n, OK
}

// ReadBool consumes a bool.
func (s *Scanner) ReadBool() (bool, Verdict) {
	if s.Kind() == Null {
		s.Skip()
		return false, Absent
	}
	b, ok := s.Bool()
	if !ok {
		return false, Bad
	}
	return b, OK
}

// ReadIdentifier consumes a string that is compared, see [Scanner.Identifier].
// The bytes are valid until the next call of a method.
func (s *Scanner) ReadIdentifier() ([]byte, Verdict) {
	switch s.Kind() {
	case String:
		b, ok := s.Identifier()
		if !ok {
			return nil, Bad
		}
		if len(b) == 0 {
			return nil, Absent
		}
		return b, OK
	case Null:
		s.Skip()
		return nil, Absent
	default:
		s.Skip()
		return nil, Bad
	}
}

// ReadWord consumes a string or an integer as text, for ids and other members
// that are the one or the other. The bytes are valid until the next call of a
// method.
func (s *Scanner) ReadWord() ([]byte, Verdict) {
	if s.Kind() != Number {
		return s.ReadIdentifier()
	}
	n, v := s.ReadInt()
	if v != OK {
		return nil, v
	}
	s.text = strconv.AppendInt(s.text[:0], n, 10)
	return s.text, OK
}
