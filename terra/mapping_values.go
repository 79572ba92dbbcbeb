package terra

import (
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
)

// values are the values of a record or a segment, at most one of a kind.
type values []health.Value

// add adds a number, if there is one; false if it cannot be added. Reason says
// why.
func (vs *values) add(n Number, v health.Value) (reason string) {
	number, ok := n.Decimal()
	if !ok {
		return ""
	}
	if v.Number, ok = within(number); !ok {
		return reasonNumber
	}
	return vs.put(v)
}

func (vs *values) put(v health.Value) (reason string) {
	for i := range *vs {
		if o := &(*vs)[i]; o.Metric == v.Metric && o.Part == v.Part && o.Stat == v.Stat {
			if o.Number.Equal(v.Number) {
				return ""
			}
			return reasonConflict
		}
	}
	*vs = append(*vs, v)
	return ""
}

// note sets a value aside if it could not be added.
func (d *draft) note(v health.Value, number, reason string) {
	if reason == "" {
		return
	}
	name := string(v.Metric)
	if v.Stat != health.StatValue {
		name += "." + v.Stat.String()
	}
	if v.Part != "" {
		name += "@" + string(v.Part)
	}
	d.fault(name, reason, []byte(number))
}

// put adds a value to some of the record.
func (d *draft) put(vs *values, n Number, m health.Metric, stat health.Stat, part health.Part) {
	v := health.Value{Metric: m, Stat: stat, Part: part}
	d.note(v, n.String(), vs.add(n, v))
}

// value adds a value to the record.
func (d *draft) value(n Number, m health.Metric, stat health.Stat, part health.Part) {
	d.put((*values)(&d.Values), n, m, stat, part)
}

// scaled is value of a number in another unit, digits powers of ten away.
func (d *draft) scaled(n Number, digits int, m health.Metric, stat health.Stat) {
	number, ok := n.Decimal()
	if !ok {
		return
	}
	v := health.Value{Metric: m, Stat: stat}
	if number, ok = shifted(number, digits); !ok {
		d.note(v, n.String(), reasonNumber)
		return
	}
	d.value(NewNumber(number), m, stat, "")
}

// times is value of a number in another unit.
func (d *draft) times(n Number, factor health.Decimal, m health.Metric, stat health.Stat, part health.Part) {
	d.putTimes((*values)(&d.Values), n, factor, m, stat, part)
}

func (d *draft) putTimes(vs *values, n Number, factor health.Decimal, m health.Metric, stat health.Stat, part health.Part) {
	number, ok := n.Decimal()
	if !ok {
		return
	}
	v := health.Value{Metric: m, Stat: stat, Part: part}
	product, exact, ok := multiply(number, factor)
	if !ok {
		d.note(v, n.String(), reasonNumber)
		return
	}
	if v.Number = product; !exact {
		v.Flags |= health.FlagInexact
	}
	d.note(v, n.String(), vs.put(v))
}

// multiply returns a product, exact if 63 bits can hold its digits, else
// rounded half to even; ok is false if its exponent cannot be held.
func multiply(a, b health.Decimal) (product health.Decimal, exact, ok bool) {
	n := new(big.Int).Mul(big.NewInt(a.Coefficient), big.NewInt(b.Coefficient))
	exp := int(a.Exponent) + int(b.Exponent)
	ten, rem, lost := big.NewInt(10), new(big.Int), false
	for !n.IsInt64() {
		var half int
		n.QuoRem(n, ten, rem)
		last := rem.Int64()
		switch { // what is behind the last digit decides between two halves
		case last > 5 || last == 5 && (lost || n.Bit(0) == 1):
			half = 1
		case last < -5 || last == -5 && (lost || n.Bit(0) == 1):
			half = -1
		}
		lost = lost || last != 0
		if n.IsInt64() {
			n.Add(n, big.NewInt(int64(half)))
		}
		exp++
	}
	if exp < math.MinInt8 || exp > math.MaxInt8 {
		return health.Decimal{}, false, false
	}
	product, ok = within(health.Decimal{Coefficient: n.Int64(), Exponent: int8(exp)})
	return product, !lost, ok
}

// sum adds numbers; false if one of them is not there or the sum does not fit.
func sum(numbers ...Number) (health.Decimal, bool) {
	total := health.Decimal{}
	for _, n := range numbers {
		d, ok := n.Decimal()
		if !ok {
			return health.Decimal{}, false
		}
		exp := min(total.Exponent, d.Exponent)
		a, ok1 := total.Rescale(exp)
		b, ok2 := d.Rescale(exp)
		if !ok1 || !ok2 || a > math.MaxInt64/2 || b > math.MaxInt64/2 || a < math.MinInt64/2 || b < math.MinInt64/2 {
			return health.Decimal{}, false
		}
		total = health.Decimal{Coefficient: a + b, Exponent: exp}
	}
	return within(total)
}

// sticky adds a score that Terra computes, and its contributors. A later
// delivery may lack them, which does not take them back.
func (d *draft) sticky(score Number, parts Contributors, m health.Metric) {
	vs := (*values)(&d.Values)
	v := health.Value{Metric: m, Flags: health.FlagSticky}
	d.note(v, score.String(), vs.add(score, v))
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		n := parts[name]
		if !n.IsSet() {
			continue
		}
		v := health.Value{Metric: m, Part: health.Part(slug(name)), Flags: health.FlagSticky}
		if v.Part == "" {
			d.note(v, n.String(), reasonName)
			continue
		}
		d.note(v, n.String(), vs.add(n, v))
	}
}

// text adds a fact that is not a number; empty is none.
func (d *draft) text(name, value string) {
	if len(value) > health.MaxText {
		d.fault(name, reasonTooLong, []byte(value))
	} else if !providers.AddText(&d.Texts, name, value) {
		d.fault(name, reasonConflict, []byte(value))
	}
}

// truth adds a fact that is true or false.
func (d *draft) truth(name string, v *bool) {
	if v != nil {
		d.text(name, strconv.FormatBool(*v))
	}
}

// day adds a civil day; a text that is none is kept as it came.
func (d *draft) day(name string, t Timestamp) {
	if day, err := t.Day(); err == nil {
		d.text(name, day.String())
		return
	}
	d.text(name, string(t))
}

// word is the name of an enum's number in lower-case words; the number where it
// is not known, and empty if there is none.
func word[T ~int](names []string, v *T) string {
	switch {
	case v == nil:
		return ""
	case *v >= 0 && int(*v) < len(names) && names[*v] != "":
		return slug(names[*v])
	default:
		return strconv.Itoa(int(*v))
	}
}

// number is an enum's number as text; empty if there is none.
func number[T ~int](v *T) string {
	if v == nil {
		return ""
	}
	return strconv.Itoa(int(*v))
}

// slug turns a name into lower-case words as parts and labels need them; empty
// if nothing is left of it.
func slug(name string) string {
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		switch {
		case 'A' <= c && c <= 'Z':
			c |= 0x20
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "_"):
			c = '_'
		default:
			continue
		}
		if b.Len() == health.MaxName {
			break
		}
		b.WriteByte(c)
	}
	return strings.TrimRight(b.String(), "_")
}

// segment adds a labelled part of the record. An end of another clock, or before
// the start, is no end.
func (d *draft) segment(s health.Segment) {
	if !s.End.IsZero() && (s.Start.IsZero() || s.End.IsFloating() != s.Start.IsFloating() || s.End.SortMilli() < s.Start.SortMilli()) {
		s.End = health.Moment{}
	}
	if len(s.Code) > health.MaxCode {
		d.fault(s.Track, reasonTooLong, []byte(s.Code))
	}
	d.Segments = append(d.Segments, s)
}

// stamped reads the time of a part of the datum. One that cannot be read is set
// aside, and the part has no time.
func (d *draft) stamped(name string, t Timestamp) health.Moment {
	if t == "" {
		return health.Moment{}
	}
	m, _, ok := d.moment(t)
	if !ok {
		if day, err := t.Day(); err == nil && len(t) == len("2006-01-02") {
			if wall := int64(day.Number()) * milliPerDay; d.plausible(wall) {
				return health.Floating(wall)
			}
		}
		d.fault(name, reasonTime, []byte(t))
	}
	return m
}
