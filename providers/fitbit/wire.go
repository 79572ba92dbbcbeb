package fitbit

import (
	"bytes"
	"strconv"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
)

// verdict says what became of reading one value.
type verdict uint8

const (
	valueBad    verdict = iota // of a wrong type, or it does not fit
	valueAbsent                // null, or an empty text
	valueOK
	valueVanished // so small that nothing but zero can stand for it
)

// number reads a number, or a text that holds one, exactly: the service sends
// the values of its time series as texts.
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
		if len(b) == 0 {
			return health.Decimal{}, valueAbsent
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

// required reads a number without which its datum tells nothing: null is none.
func required(s *jsonscan.Scanner) (health.Decimal, verdict) {
	d, v := number(s)
	if v == valueAbsent {
		v = valueBad
	}
	return d, v
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

// truth reads a bool.
func truth(s *jsonscan.Scanner) (bool, verdict) {
	if s.Kind() == jsonscan.Null {
		s.Skip()
		return false, valueAbsent
	}
	b, ok := s.Bool()
	if !ok {
		return false, valueBad
	}
	return b, valueOK
}

// identifier reads a text that is compared. The bytes are valid until the next
// call of a method of the scanner.
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

// word reads a text, a number or a bool as text.
func word(s *jsonscan.Scanner) (string, verdict) {
	switch s.Kind() {
	case jsonscan.Number:
		d, v := number(s)
		if v != valueOK {
			return "", v
		}
		return d.String(), v
	case jsonscan.Bool:
		b, v := truth(s)
		return strconv.FormatBool(b), v
	default:
		b, v := identifier(s)
		return string(b), v
	}
}

// words reads an array of texts as one, joined by commas.
func words(s *jsonscan.Scanner) (string, verdict) {
	if s.Kind() != jsonscan.Array {
		return word(s)
	}
	var b []byte
	out := valueAbsent
	s.Array()
	for s.NextElement() {
		w, v := word(s)
		switch v {
		case valueOK:
			if len(b) > 0 {
				b = append(b, ',')
			}
			b = append(b, w...)
			if out == valueAbsent {
				out = valueOK
			}
		case valueBad, valueVanished:
			out = valueBad
		}
	}
	return string(b), out
}

// members keeps watch over the members of one object: which were there, and
// whether one was there twice. Bit i is the i-th member the decoder knows.
type members struct {
	seen  uint64
	twice bool
}

// meet notes the i-th member.
func (m *members) meet(i uint) {
	m.twice = m.twice || m.seen&(1<<i) != 0
	m.seen |= 1 << i
}

// repeated reports whether an object, or an object that is a member of it, has a
// member twice. Objects in arrays are for those that read them.
func repeated(raw []byte) bool {
	s := jsonscan.New(raw)
	return repeatedIn(&s)
}

func repeatedIn(s *jsonscan.Scanner) bool {
	if !s.Object() {
		return false
	}
	twice, names := false, make(map[string]bool)
	for s.NextMember() {
		name := string(s.Name())
		twice = twice || names[name]
		names[name] = true
		twice = repeatedIn(s) || twice
	}
	return twice
}
