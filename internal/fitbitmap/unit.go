package fitbitmap

import (
	"bytes"
	"math"

	"github.com/vitalmux/vitalmux/health"
)

// Shift returns d * 10^places exactly: kilometres are metres shifted by 3,
// millimetres by -3. It is false when the exponent does not fit.
func Shift(d health.Decimal, places int) (health.Decimal, bool) {
	e := int(d.Exponent) + places
	if e < math.MinInt8 || e > math.MaxInt8 {
		return health.Decimal{}, false
	}
	d.Exponent = int8(e)
	return d, true
}

// Times returns d * n exactly: minutes are seconds times 60. It is false when
// the result does not fit.
func Times(d health.Decimal, n int64) (health.Decimal, bool) {
	c := d.Coefficient * n
	if n != 0 && (c/n != d.Coefficient || n == -1 && d.Coefficient == math.MinInt64) {
		return health.Decimal{}, false
	}
	d.Coefficient = c
	return d, true
}

// Fit returns d with as few of its last digits rounded away as it takes for
// [Times] n to fit, and whether it is still the same number: the service writes
// some numbers with all 17 digits of a float64. It is false in ok when no
// exponent is large enough.
func Fit(d health.Decimal, n int64) (fit health.Decimal, exact, ok bool) {
	fit = d
	for {
		if _, fits := Times(fit, n); fits {
			return fit, fit.Equal(d), true
		}
		if fit.Exponent == math.MaxInt8 {
			return health.Decimal{}, false, false
		}
		fit = d.Round(fit.Exponent + 1)
	}
}

// Over returns d / n with four more decimal places than d has, rounded half
// away from zero, and whether that is the exact quotient. Values that are not
// exact carry health.FlagInexact. It is false in ok when the result does not
// fit. Kilometres per hour are metres per second times 10, over 36.
func Over(d health.Decimal, n int64) (quotient health.Decimal, exact, ok bool) {
	const places = 4
	scaled, ok := Times(d, 10_000)
	if !ok || n == 0 {
		return health.Decimal{}, false, false
	}
	q, rest := scaled.Coefficient/n, scaled.Coefficient%n
	if rest != 0 {
		if away := abs(rest) >= abs(n)-abs(rest); away {
			if (rest < 0) == (n < 0) {
				q++
			} else {
				q--
			}
		}
	}
	out, fits := Shift(health.Decimal{Coefficient: q, Exponent: d.Exponent}, -places)
	return out, rest == 0, fits
}

func abs(n int64) int64 {
	if n < 0 {
		return -n
	}
	return n
}

// VO2Max reads the legacy service's text of a maximal oxygen uptake: one number,
// "45", or a range, "44-48". The values are the number, flagged as an estimate;
// for a range its ends as minimum and maximum, and its middle flagged as an
// estimate and inexact. It returns false for any other text.
func VO2Max(text []byte) ([]health.Value, bool) {
	text = bytes.TrimSpace(text)
	low, high, isRange := bytes.Cut(text, []byte("-"))
	a, err := health.ParseDecimal(bytes.TrimSpace(low))
	if err != nil {
		return nil, false
	}
	if !isRange {
		v := OxygenUptake.Value(a, "")
		v.Flags = health.FlagEstimated
		return []health.Value{v}, true
	}
	b, err := health.ParseDecimal(bytes.TrimSpace(high))
	if err != nil {
		return nil, false
	}
	return VO2MaxRange(a, b)
}

// VO2MaxRange is [VO2Max] for a range whose ends are numbers. It returns false
// when the ends are not in order or do not fit.
func VO2MaxRange(low, high health.Decimal) ([]health.Value, bool) {
	e := min(low.Exponent, high.Exponent)
	a, okA := low.Rescale(e)
	b, okB := high.Rescale(e)
	if !okA || !okB || a > b || a < 0 || b > math.MaxInt64/20 {
		return nil, false
	}
	middle, fits := Shift(health.Decimal{Coefficient: (a + b) * 5, Exponent: e}, -1)
	if !fits {
		return nil, false
	}
	mid := OxygenUptake.Value(middle.Normalized(), "")
	mid.Flags = health.FlagEstimated | health.FlagInexact
	ends := [...]health.Value{OxygenUptake.Value(low, ""), OxygenUptake.Value(high, "")}
	ends[0].Stat, ends[1].Stat = health.StatMin, health.StatMax
	return []health.Value{mid, ends[0], ends[1]}, true
}
