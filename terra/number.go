package terra

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
)

// Number is a number as Terra sent it, exactly, or the absence of one: 0 is a
// measurement and null is none. The zero Number is one that was not sent.
// Numbers are comparable with ==; 12 and 12.0 are different Numbers of the same
// value.
type Number struct {
	coefficient int64
	exponent    int8
	state       numberState
}

type numberState uint8

const (
	numberAbsent numberState = iota
	numberNull
	numberSet
)

// NewNumber returns d as a Number.
func NewNumber(d health.Decimal) Number {
	return Number{coefficient: d.Coefficient, exponent: d.Exponent, state: numberSet}
}

// Whole returns n as a Number.
func Whole(n int64) Number { return NewNumber(health.Int(n)) }

// Decimal returns the exact number; false if there is none.
func (n Number) Decimal() (health.Decimal, bool) {
	return health.Decimal{Coefficient: n.coefficient, Exponent: n.exponent}, n.state == numberSet
}

// Float returns the nearest float64; false if there is no number.
func (n Number) Float() (float64, bool) {
	d, ok := n.Decimal()
	return d.Float(), ok
}

// Int returns the number rounded to the nearest integer, halves away from zero;
// false if there is none or it does not fit. Terra sends some integers as 12.0.
func (n Number) Int() (int64, bool) {
	d, ok := n.Decimal()
	if !ok || d.Exponent == 0 {
		return d.Coefficient, ok
	}
	if d.Exponent > 0 {
		return d.Rescale(0)
	}
	c, last := d.Coefficient, int64(0)
	for e := d.Exponent; e < 0 && (c != 0 || last != 0); e++ {
		c, last = c/10, c%10
	}
	switch {
	case last >= 5:
		c++
	case last <= -5:
		c--
	}
	return c, true
}

// IsSet reports whether there is a number.
func (n Number) IsSet() bool { return n.state == numberSet }

// IsNull reports whether Terra sent null.
func (n Number) IsNull() bool { return n.state == numberNull }

// IsZero reports whether nothing was sent: such a Number is left out of JSON
// with the option omitzero. It does not mean the number 0.
func (n Number) IsZero() bool { return n == Number{} }

// String returns the number in JSON notation, "null", or "" if nothing was sent.
func (n Number) String() string {
	switch n.state {
	case numberSet:
		d, _ := n.Decimal()
		return d.String()
	case numberNull:
		return "null"
	default:
		return ""
	}
}

// MarshalJSON writes the number, or null.
func (n Number) MarshalJSON() ([]byte, error) {
	d, ok := n.Decimal()
	if !ok {
		return []byte("null"), nil
	}
	return d.MarshalJSON()
}

// UnmarshalJSON reads what a model is decoded from.
func (n *Number) UnmarshalJSON(b []byte) error { return unmarshalOne(b, n) }

func (n *Number) scan(s *jsonscan.Scanner) bool {
	d, v := s.ReadDecimal() // some numbers arrive in quotes
	switch v {
	case jsonscan.OK:
		*n = NewNumber(d)
	case jsonscan.Absent:
		*n = Number{state: numberNull}
	}
	return v == jsonscan.OK || v == jsonscan.Absent
}

// Code is a value of an enum that some models send as a number and others as a
// text: one of the two is set, or none.
type Code struct {
	Number Number
	Text   string
}

// IsZero reports whether nothing was sent.
func (c Code) IsZero() bool { return c == Code{} }

// String returns the number or the text.
func (c Code) String() string {
	if c.Text != "" {
		return c.Text
	}
	return c.Number.String()
}

// MarshalJSON writes the text if there is one, else the number, else null.
func (c Code) MarshalJSON() ([]byte, error) {
	if c.Text != "" {
		return json.Marshal(c.Text)
	}
	return c.Number.MarshalJSON()
}

// UnmarshalJSON reads what a model is decoded from.
func (c *Code) UnmarshalJSON(b []byte) error { return unmarshalOne(b, c) }

// enumOf returns the value of an enum that a code stands for: its number, known
// or not, or the value whose name its text is.
func enumOf[T ~int](c Code, names []string) (T, bool) {
	if c.Text == "" {
		n, ok := c.Number.Int()
		return T(n), ok && int64(T(n)) == n
	}
	text := strings.ReplaceAll(c.Text, "_", " ")
	for i, name := range names {
		if name != "" && strings.EqualFold(text, name) {
			return T(i), true
		}
	}
	return 0, false
}

func (c *Code) scan(s *jsonscan.Scanner) bool {
	if s.Kind() != jsonscan.String {
		return c.Number.scan(s)
	}
	b, ok := s.Identifier()
	if !ok {
		return false
	}
	if n, err := strconv.ParseInt(string(b), 10, 64); err == nil {
		c.Number = Whole(n)
		return true
	}
	c.Text = string(b)
	return true
}

// Contributors are the parts of a score by name. Older models send a list of
// names and scores, newer ones an object; both are read.
type Contributors map[string]Number

// UnmarshalJSON reads what a model is decoded from.
func (c *Contributors) UnmarshalJSON(b []byte) error {
	s := jsonscan.New(b)
	if !c.read(&decoder{s: &s}) || s.End() != nil {
		return errType
	}
	return nil
}

func (c *Contributors) read(d *decoder) bool {
	s, ok := d.s, true
	add := func(name string, n Number) {
		if *c == nil {
			*c = Contributors{}
		}
		(*c)[name] = n
	}
	switch s.Kind() {
	case jsonscan.Null:
		s.Skip()
	case jsonscan.Object:
		seen := map[string]bool{}
		for s.Object(); s.NextMember(); {
			name, n := string(s.Name()), Number{}
			d.twice = d.twice || seen[name]
			seen[name] = true
			if n.scan(s) {
				add(name, n)
			} else {
				ok = false
			}
		}
	case jsonscan.Array:
		s.Array()
		for s.NextElement() {
			var (
				name  string
				score Number
			)
			if !s.Object() {
				ok = false
				continue
			}
			for s.NextMember() {
				switch string(s.Name()) {
				case "contributor_name":
					b, _ := s.Identifier()
					name = string(b)
				case "contributor_score":
					ok = score.scan(s) && ok
				default:
					s.Skip()
				}
			}
			if name == "" {
				ok = false
				continue
			}
			add(name, score)
		}
	default:
		s.Skip()
		return false
	}
	return ok
}
