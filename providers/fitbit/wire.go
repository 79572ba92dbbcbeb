package fitbit

import (
	"strconv"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
)

// number reads a number, or a text that holds one, exactly: the service sends
// the values of its time series as texts.
func number(s *jsonscan.Scanner) (health.Decimal, jsonscan.Verdict) {
	at := s.Mark()
	d, v := s.ReadDecimal()
	return d, orBlank(s, at, v)
}

// integer reads an integer the way number reads numbers.
func integer(s *jsonscan.Scanner) (int64, jsonscan.Verdict) {
	at := s.Mark()
	n, v := s.ReadInt()
	return n, orBlank(s, at, v)
}

// orBlank returns the verdict on the number at a place: the service writes an
// empty text where there is none.
func orBlank(s *jsonscan.Scanner, at jsonscan.Mark, v jsonscan.Verdict) jsonscan.Verdict {
	if v == jsonscan.Bad && string(s.Since(at)) == `""` {
		return jsonscan.Absent
	}
	return v
}

// required reads a number without which its datum tells nothing: null is none.
func required(s *jsonscan.Scanner) (health.Decimal, jsonscan.Verdict) {
	d, v := number(s)
	if v == jsonscan.Absent {
		v = jsonscan.Bad
	}
	return d, v
}

// word reads a text, a number or a bool as text.
func word(s *jsonscan.Scanner) (string, jsonscan.Verdict) {
	switch s.Kind() {
	case jsonscan.Number:
		d, v := number(s)
		if v != jsonscan.OK {
			return "", v
		}
		return d.String(), v
	case jsonscan.Bool:
		b, v := s.ReadBool()
		return strconv.FormatBool(b), v
	default:
		b, v := s.ReadIdentifier()
		return string(b), v
	}
}

// words reads an array of texts as one, joined by commas.
func words(s *jsonscan.Scanner) (string, jsonscan.Verdict) {
	if s.Kind() != jsonscan.Array {
		return word(s)
	}
	var b []byte
	out := jsonscan.Absent
	s.Array()
	for s.NextElement() {
		w, v := word(s)
		switch v {
		case jsonscan.OK:
			if len(b) > 0 {
				b = append(b, ',')
			}
			b = append(b, w...)
			if out == jsonscan.Absent {
				out = jsonscan.OK
			}
		case jsonscan.Bad, jsonscan.Vanished:
			out = jsonscan.Bad
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
