package health

import (
	"errors"
	"math"
	"strconv"
)

// Decimal is an exact decimal number: Coefficient * 10^Exponent. The pair is
// kept as it came, so 56300e-3 and 563e-1 are different Decimals that are
// [Decimal.Equal] in value.
type Decimal struct {
	Coefficient int64
	Exponent    int8
}

// Int returns the Decimal of an integer.
func Int(n int64) Decimal { return Decimal{Coefficient: n} }

// ErrDecimal is returned by [ParseDecimal] for text that is not a decimal
// number or does not fit 64 bits of coefficient and an exponent of -128..127.
var ErrDecimal = errors.New("health: not a decimal that fits")

// Float returns the float64 nearest to d.
func (d Decimal) Float() float64 {
	e := int(d.Exponent)
	// Powers of ten up to 10^22 and integers up to 2^53 are exact in float64,
	// so one division or multiplication rounds correctly.
	if c := d.Coefficient; c > -1<<53 && c < 1<<53 && e >= -22 && e <= 22 {
		if e < 0 {
			return float64(c) / pow10[-e]
		}
		return float64(c) * pow10[e]
	}
	f, _ := strconv.ParseFloat(strconv.FormatInt(d.Coefficient, 10)+"e"+strconv.Itoa(e), 64)
	return f
}

var pow10 = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// plainDigits is how many fractional digits the plain notation goes to; a
// smaller exponent is written with an e.
const plainDigits = 18

// AppendText appends d in a notation from which [ParseDecimal] restores the
// same pair, and which is a JSON number: "56.300", "-7", "12e3". It never
// returns an error.
func (d Decimal) AppendText(b []byte) ([]byte, error) { return d.append(b), nil }

func (d Decimal) append(b []byte) []byte {
	switch e := int(d.Exponent); {
	case e == 0:
		return strconv.AppendInt(b, d.Coefficient, 10)
	case e > 0 || e < -plainDigits:
		b = strconv.AppendInt(b, d.Coefficient, 10)
		b = append(b, 'e')
		return strconv.AppendInt(b, int64(e), 10)
	default:
		n := uint64(d.Coefficient)
		if d.Coefficient < 0 {
			b = append(b, '-')
			n = -n
		}
		var buf [20]byte
		digits := strconv.AppendUint(buf[:0], n, 10)
		whole := len(digits) + e
		if whole <= 0 {
			b = append(b, '0', '.')
			for range -whole {
				b = append(b, '0')
			}
			return append(b, digits...)
		}
		b = append(b, digits[:whole]...)
		b = append(b, '.')
		return append(b, digits[whole:]...)
	}
}

// String returns d in the notation of [Decimal.AppendText].
func (d Decimal) String() string { return string(d.append(nil)) }

// MarshalJSON writes d as a JSON number.
func (d Decimal) MarshalJSON() ([]byte, error) { return d.append(nil), nil }

// UnmarshalJSON reads a JSON number, or a number in a JSON string.
func (d *Decimal) UnmarshalJSON(b []byte) error {
	if len(b) >= 2 && b[0] == '"' && b[len(b)-1] == '"' {
		b = b[1 : len(b)-1]
	}
	v, err := ParseDecimal(b)
	if err != nil {
		return err
	}
	*d = v
	return nil
}

// ParseDecimal reads a decimal number in JSON notation exactly; trailing zeros
// of the fraction are kept. Minus zero becomes zero. It returns [ErrDecimal]
// for anything else, NaN and infinities included, and for numbers that do not
// fit.
func ParseDecimal[T []byte | string](text T) (Decimal, error) {
	var (
		i, n     = 0, len(text)
		negative bool
		coef     uint64
		exp      int
		digits   int
	)
	if i < n && text[i] == '-' {
		negative = true
		i++
	}
	start := i
	for ; i < n && '0' <= text[i] && text[i] <= '9'; i++ {
		if coef > (math.MaxUint64-9)/10 {
			return Decimal{}, ErrDecimal
		}
		coef = coef*10 + uint64(text[i]-'0')
		digits++
	}
	if digits == 0 || (digits > 1 && text[start] == '0') {
		return Decimal{}, ErrDecimal
	}
	if i < n && text[i] == '.' {
		i++
		fraction := i
		for ; i < n && '0' <= text[i] && text[i] <= '9'; i++ {
			if coef > (math.MaxUint64-9)/10 {
				return Decimal{}, ErrDecimal
			}
			coef = coef*10 + uint64(text[i]-'0')
		}
		exp = fraction - i
		if exp == 0 {
			return Decimal{}, ErrDecimal
		}
	}
	if i < n && (text[i] == 'e' || text[i] == 'E') {
		i++
		sign := 1
		if i < n && (text[i] == '+' || text[i] == '-') {
			if text[i] == '-' {
				sign = -1
			}
			i++
		}
		from, e := i, 0
		for ; i < n && '0' <= text[i] && text[i] <= '9'; i++ {
			if e < 1000 {
				e = e*10 + int(text[i]-'0')
			}
		}
		if i == from {
			return Decimal{}, ErrDecimal
		}
		exp += sign * e
	}
	limit := uint64(math.MaxInt64)
	if negative {
		limit++
	}
	if i != n || coef > limit || exp < math.MinInt8 || exp > math.MaxInt8 {
		return Decimal{}, ErrDecimal
	}
	c := int64(coef)
	if negative {
		c = -c
	}
	return Decimal{Coefficient: c, Exponent: int8(exp)}, nil
}

// Normalized returns d without trailing decimal zeros: the representative of
// all Decimals of equal value. Zero is {0, 0}.
func (d Decimal) Normalized() Decimal {
	if d.Coefficient == 0 {
		return Decimal{}
	}
	for d.Coefficient%10 == 0 && d.Exponent < math.MaxInt8 {
		d.Coefficient /= 10
		d.Exponent++
	}
	return d
}

// Round returns d at the given exponent, rounded half to even; d itself if its
// exponent is not smaller.
func (d Decimal) Round(exponent int8) Decimal {
	if d.Exponent >= exponent {
		return d
	}
	// Last is the first of the digits that go, rest whether one behind it is not 0.
	c, last, rest := d.Coefficient, int64(0), false
	for e := d.Exponent; e < exponent && (c != 0 || last != 0); e++ {
		rest = rest || last != 0
		c, last = c/10, c%10
	}
	up := rest || c%2 != 0 // where the half is exact, to the even neighbour
	switch {
	case last > 5, last == 5 && up:
		c++
	case last < -5, last == -5 && up:
		c--
	}
	return Decimal{Coefficient: c, Exponent: exponent}
}

// Equal reports whether d and o are the same number.
func (d Decimal) Equal(o Decimal) bool { return d.Normalized() == o.Normalized() }

// Rescale returns the coefficient of d at the given exponent. It is false when
// that is not exact or does not fit.
func (d Decimal) Rescale(exponent int8) (int64, bool) {
	c := d.Coefficient
	for e := d.Exponent; e > exponent; e-- {
		if c > math.MaxInt64/10 || c < math.MinInt64/10 {
			return 0, false
		}
		c *= 10
		if c == 0 {
			return 0, true
		}
	}
	for e := d.Exponent; e < exponent; e++ {
		if c%10 != 0 {
			return 0, false
		}
		c /= 10
		if c == 0 {
			return 0, true
		}
	}
	return c, true
}
