package health

import (
	"errors"
	"fmt"
	"time"
)

// Day is a civil day without a zone. The zero Day is unset. Days are
// comparable with == and usable as map keys.
type Day struct {
	Year  int16
	Month uint8 // 1..12
	Dom   uint8 // day of the month, 1..31
}

// ErrDay is returned for text or numbers that are not a day of the years
// 1..9999 in the Gregorian calendar.
var ErrDay = errors.New("health: not a civil day")

// NewDay returns the given day, or [ErrDay] if the calendar has no such day.
func NewDay(year, month, dom int) (Day, error) {
	if year < 1 || year > 9999 || month < 1 || month > 12 || dom < 1 || dom > 31 {
		return Day{}, ErrDay
	}
	d := Day{Year: int16(year), Month: uint8(month), Dom: uint8(dom)}
	if dom > 28 && d.midnight().Day() != dom {
		return Day{}, ErrDay
	}
	return d, nil
}

// ParseDay reads "2006-01-02" strictly.
func ParseDay(text string) (Day, error) {
	if len(text) != 10 || text[4] != '-' || text[7] != '-' {
		return Day{}, ErrDay
	}
	number := func(s string) int {
		n := 0
		for i := range len(s) {
			if s[i] < '0' || s[i] > '9' {
				return -1
			}
			n = n*10 + int(s[i]-'0')
		}
		return n
	}
	return NewDay(number(text[:4]), number(text[5:7]), number(text[8:]))
}

// DayOf returns the civil day of t in t's own location.
func DayOf(t time.Time) Day {
	y, m, d := t.Date()
	return Day{Year: int16(y), Month: uint8(m), Dom: uint8(d)}
}

// IsZero reports whether d is unset.
func (d Day) IsZero() bool { return d == Day{} }

// String returns "2006-01-02", and "" for the zero Day.
func (d Day) String() string {
	if d.IsZero() {
		return ""
	}
	return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Dom)
}

// MarshalText writes the form of [Day.String].
func (d Day) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads the form of [Day.String].
func (d *Day) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*d = Day{}
		return nil
	}
	v, err := ParseDay(string(text))
	if err != nil {
		return err
	}
	*d = v
	return nil
}

func (d Day) midnight() time.Time {
	return time.Date(int(d.Year), time.Month(d.Month), int(d.Dom), 0, 0, 0, 0, time.UTC)
}

// Number returns the days from 1970-01-01 to d; it orders days and measures
// between them.
func (d Day) Number() int {
	// Years are counted from March, so that the leap day is their last, in
	// cycles of 400 years, which have 146097 days.
	y, m := int(d.Year), int(d.Month)-3
	if m < 0 {
		y, m = y-1, m+12
	}
	cycle := y / 400
	y -= cycle * 400
	return cycle*146097 + y*365 + y/4 - y/100 + (153*m+2)/5 + int(d.Dom) - 1 - 719468
}

// Add returns the day n days after d, before it for a negative n. The result
// must be in the years 1..9999.
func (d Day) Add(n int) Day {
	if dom := int(d.Dom) + n; dom >= 1 && dom <= 28 {
		d.Dom = uint8(dom)
		return d
	}
	return DayOf(d.midnight().AddDate(0, 0, n))
}

// Compare returns -1, 0 or +1 as d is before, the same as or after o.
func (d Day) Compare(o Day) int {
	switch a, b := d.order(), o.order(); {
	case a < b:
		return -1
	case a > b:
		return 1
	default:
		return 0
	}
}

func (d Day) order() int { return int(d.Year)<<16 | int(d.Month)<<8 | int(d.Dom) }
