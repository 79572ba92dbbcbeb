package terra

import (
	"bytes"
	"cmp"
	"math"
	"slices"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
)

// maxNumbers is how many numbers of each sample are read at once.
const maxNumbers = 4

// walk reads several numbers of each sample of an array from the bytes of the
// array, which are known to be JSON. Like [Samples.Points] it compares a sample
// with the one before first.
type walk struct {
	raw   []byte
	names []string // the numbers to be read; the first is the one that changes
	pair  bool     // the first member is a list of two numbers
	read  func(health.Moment) health.Moment
	clock clock

	from, to int // the present sample
	at       health.Moment
	milli    int64 // the same as health.Moment.SortMilli of at
	numbers  [maxNumbers]Number
	bad      string // why the sample cannot be used
	odd      string // why a part of it cannot, and the rest can

	// How the last sample that was read in full was written: up to its time,
	// from there to the first number, and from there on. The other numbers are
	// in these bytes.
	before, between, after []byte
	others                 [maxNumbers]Number
}

func (w *walk) next() bool {
	p := max(w.to, 1) // behind the bracket
	for p < len(w.raw) && (w.raw[p] == ',' || w.raw[p] <= ' ') {
		p++
	}
	if p >= len(w.raw) || w.raw[p] == ']' {
		return false
	}
	w.from = p
	if !w.alike() {
		w.whole()
	}
	return true
}

// alike reads a sample that is written like the one before; false if it is not.
func (w *walk) alike() bool {
	rest := w.raw[w.from:]
	if w.between == nil || !bytes.HasPrefix(rest, w.before) {
		return false
	}
	rest = rest[len(w.before):]
	n := w.clock.length()
	if len(rest) < n {
		return false
	}
	at, ok := w.clock.alike(rest[:n])
	if !ok || !bytes.HasPrefix(rest[n:], w.between) {
		return false
	}
	rest = rest[n+len(w.between):]
	negative := bytes.HasPrefix(rest, []byte("-"))
	if negative {
		rest = rest[1:]
	}
	d, n := plainNumber(rest)
	if n == 0 || !bytes.HasPrefix(rest[n:], w.after) {
		return false
	}
	if negative {
		d.Coefficient = -d.Coefficient
	}
	w.to = len(w.raw) - len(rest) + n + len(w.after)
	w.at = w.read(at)
	w.milli = w.at.SortMilli()
	w.numbers, w.bad = w.others, ""
	w.numbers[0] = NewNumber(d)
	return true
}

// whole reads a sample member by member.
func (w *walk) whole() {
	w.numbers, w.at, w.bad, w.between = [maxNumbers]Number{}, health.Moment{}, "", nil
	s := jsonscan.New(w.raw[w.from:])
	var (
		time, number extent
		seen         uint
	)
	if !s.Object() {
		w.bad, w.milli, w.to = reasonNotObject, 0, len(w.raw)-s.Left()
		return
	}
	for s.NextMember() {
		member := s.Name()
		i := 0
		for i < len(w.names) && string(member) != w.names[i] {
			i++
		}
		isTime := i == len(w.names) && string(member) == "timestamp"
		if i == len(w.names) && !isTime {
			s.Skip()
			continue
		}
		if seen&(1<<i) != 0 {
			w.bad = reasonTwice
		}
		seen |= 1 << i
		kind, from := s.Kind(), len(w.raw)-s.Left()
		switch {
		case isTime && kind == jsonscan.Null:
			s.Skip()
		case isTime:
			text, ok := s.Text()
			m, _ := w.clock.moment(text)
			if w.at = w.read(m); !ok || m.IsZero() {
				w.bad = cmp.Or(w.bad, reasonTime)
			}
			time = extent{from: from + 1, to: len(w.raw) - s.Left() - 1}
			time.plain = time.to-time.from == w.clock.length() && bytes.Equal(w.raw[time.from:time.to], text)
		case i == 0 && w.pair:
			if !w.scanPair(&s) {
				w.bad = cmp.Or(w.bad, reasonType)
			}
		default:
			if !w.numbers[i].scan(&s) {
				w.bad = cmp.Or(w.bad, reasonType)
			}
			if i == 0 {
				number = extent{from: from, to: len(w.raw) - s.Left(), plain: kind == jsonscan.Number}
			}
		}
	}
	w.to = len(w.raw) - s.Left()
	w.milli = w.at.SortMilli()
	if w.bad == "" && w.at.IsZero() && !w.empty(maxNumbers) {
		w.bad = reasonTime
	}
	if w.bad == "" && time.plain && number.plain && time.to < number.from {
		w.before, w.between, w.after = w.raw[w.from:time.from], w.raw[time.to:number.from], w.raw[number.to:w.to]
		w.others = w.numbers
	}
}

// empty reports whether none of the first n numbers is there.
func (w *walk) empty(n int) bool {
	for i := range w.numbers[:n] {
		if w.numbers[i].IsSet() {
			return false
		}
	}
	return true
}

// scanPair reads a list of two numbers, each of which may be null.
func (w *walk) scanPair(s *jsonscan.Scanner) bool {
	if s.Kind() == jsonscan.Null {
		s.Skip()
		return true
	}
	if !s.Array() {
		return false
	}
	n, ok := 0, true
	for s.NextElement() {
		if n < 2 {
			ok = w.numbers[n].scan(s) && ok
		} else {
			s.Skip()
		}
		n++
	}
	return ok && (n == 0 || n == 2)
}

// column is what a number of each sample is, and the series that is made of it.
type column struct {
	metric health.Metric
	part   health.Part
	stat   health.Stat
	// total: the number counts up from the start of the datum. The series has
	// the differences, which add up to the last total even where it falls.
	total bool

	times, values []int64
	exp           int8
	unordered     bool
}

// add adds a point; false if its number is too large or too small. All have one
// exponent. Only where 63 bits cannot hold a number at it, that is raised, and
// what the finer numbers lose is rounded half to even, as in
// [health.MergePoints].
func (c *column) add(milli int64, d health.Decimal, room int) bool {
	d, ok := within(d)
	if !ok {
		return false
	}
	n := len(c.times)
	switch {
	case n == 0:
		c.exp = d.Exponent
		c.times, c.values = make([]int64, 0, room), make([]int64, 0, room)
	case d.Exponent != c.exp && d.Coefficient == 0:
	case d.Exponent < c.exp:
		c.refine(d.Exponent)
		d.Coefficient = rounded(d.Coefficient, int(c.exp)-int(d.Exponent))
	case d.Exponent > c.exp:
		for d.Exponent > c.exp && d.Coefficient <= math.MaxInt64/10 && d.Coefficient >= math.MinInt64/10 {
			d.Coefficient *= 10
			d.Exponent--
		}
		for i, v := range c.values[:n] {
			if d.Exponent == c.exp {
				break
			}
			c.values[i] = rounded(v, int(d.Exponent)-int(c.exp))
		}
		c.exp = d.Exponent
	}
	if n > 0 && milli <= c.times[n-1] {
		c.unordered = true
	}
	c.times, c.values = append(c.times, milli), append(c.values, d.Coefficient)
	return true
}

// refine lowers the common exponent, as far as the numbers fit.
func (c *column) refine(exp int8) {
	least, most := slices.Min(c.values), slices.Max(c.values)
	factor := int64(1)
	for c.exp > exp && least >= math.MinInt64/10 && most <= math.MaxInt64/10 && factor <= math.MaxInt64/10 {
		least, most, factor = least*10, most*10, factor*10
		c.exp--
	}
	for i := range c.values {
		c.values[i] *= factor
	}
}

// rounded divides v by a power of ten, rounding half to even.
func rounded(v int64, digits int) int64 {
	unit := int64(1)
	for ; digits > 0; digits-- {
		if unit > math.MaxInt64/10 {
			return 0
		}
		unit *= 10
	}
	q, rem := v/unit, v%unit
	twice := 2 * float64(rem) / float64(unit)
	switch {
	case twice > 1 || twice == 1 && q&1 != 0:
		q++
	case twice < -1 || twice == -1 && q&1 != 0:
		q--
	}
	return q
}

// settle brings the points in order of time; lost is how many were at the time
// of another with another number, or too far from it.
func (c *column) settle() (lost int) {
	if c.unordered {
		order := make([]int, len(c.times))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(c.times[a], c.times[b]) })
		times, values := make([]int64, 0, len(order)), make([]int64, 0, len(order))
		for _, i := range order {
			if n := len(times); n > 0 && times[n-1] == c.times[i] {
				if values[n-1] != c.values[i] {
					lost++
				}
				continue
			}
			times, values = append(times, c.times[i]), append(values, c.values[i])
		}
		c.times, c.values = times, values
	}
	if c.total {
		last := int64(0)
		for i, v := range c.values {
			c.values[i] = v - last
			if (v < last) != (c.values[i] < 0) { // it does not fit
				c.values[i] = 0
				lost++
			}
			last = v
		}
	}
	return lost
}

// series reads an array of samples into series, one for each column: column i
// has the number of name i, unless adjust moves them. Adjust returns why a
// sample cannot be used.
func (d *draft) series(path string, raw []byte, names []string, adjust func(*walk) string, columns ...column) {
	w := walk{raw: raw, names: names, read: d.clock}
	d.walk(path, &w, adjust, columns)
}

func (d *draft) walk(path string, w *walk, adjust func(*walk) string, columns []column) {
	var (
		count, skipped int
		floating, set  bool
	)
	for w.next() {
		w.odd = ""
		if count++; w.bad == "" && adjust != nil {
			w.bad = adjust(w)
		}
		if w.bad == "" && w.odd == "" && (w.at.IsZero() || w.empty(len(columns))) {
			continue // a missing measurement
		}
		if w.bad == "" && !d.plausible(w.milli) {
			w.bad = reasonTime
		}
		if w.bad == "" && set && w.at.IsFloating() != floating {
			w.bad = reasonClock
		}
		for i := 0; i < len(columns) && w.bad == ""; i++ {
			n, ok := w.numbers[i].Decimal()
			if !ok {
				continue
			}
			if !columns[i].add(w.milli, n, 1+(len(w.raw)-w.from)/(w.to-w.from+1)) {
				w.bad = reasonNumber
			}
			floating, set = w.at.IsFloating(), true
		}
		reason := cmp.Or(w.bad, w.odd)
		if reason == "" {
			continue
		}
		switch skipped++; {
		case skipped <= maxFaults:
			d.fault(path, reason, w.raw[w.from:w.to])
		case skipped == maxFaults+1:
			d.fault(path, reasonTooMany, w.raw)
		}
	}
	for i := range columns {
		d.column(path, w.raw, &columns[i], floating)
	}
}

// column adds the series of a column. It is complete for the span of the record,
// and for what it has outside of it.
func (d *draft) column(path string, raw []byte, c *column, floating bool) {
	if len(c.times) == 0 {
		return
	}
	if c.settle() > 0 {
		d.fault(path, reasonConflict, raw)
	}
	s := health.Series{
		Metric: c.metric, Part: c.part, Stat: c.stat, Exp: c.exp, Floating: floating, Times: c.times, Values: c.values,
		From: c.times[0], To: c.times[len(c.times)-1] + 1,
	}
	span := &d.Span
	if !span.Start.IsZero() && span.Start.IsFloating() == floating {
		s.From = min(s.From, span.Start.SortMilli())
		if !span.End.IsZero() && span.End.IsFloating() == floating {
			s.To = max(s.To, span.End.SortMilli())
		}
	}
	d.Series = append(d.Series, s)
}

// labels are how the codes of an enum are called, by code.
type labels []string

// run is a stretch of time with one code.
type run struct {
	at    health.Moment
	code  int64
	known bool // else a sample said nothing, which ends what was before
}

// runs reads an array of samples, each of which says what holds from its time
// on, into segments of a track. Codes that are not known have no label.
func (d *draft) runs(path string, raw []byte, names []string, track string, known labels) {
	var list []run
	d.codes(path, raw, names, func(w *walk, code int64, told bool) { list = append(list, run{w.at, code, told}) })
	slices.SortStableFunc(list, func(a, b run) int { return cmp.Compare(a.at.SortMilli(), b.at.SortMilli()) })
	for i := 0; i < len(list); {
		r, next := list[i], i+1
		for next < len(list) && list[next].code == r.code && list[next].known == r.known {
			next++
		}
		end := d.Span.End
		if next < len(list) {
			end = list[next].at
		}
		if r.known {
			d.segment(health.Segment{Track: track, Label: known.label(r.code), Code: Whole(r.code).String(), Start: r.at, End: end})
		}
		i = next
	}
}

// marks reads an array of samples with a code each into segments without an end.
func (d *draft) marks(path string, raw []byte, names []string, track string, known labels) {
	d.codes(path, raw, names, func(w *walk, code int64, told bool) {
		if told {
			d.segment(health.Segment{Track: track, Label: known.label(code), Code: Whole(code).String(), Start: w.at})
		}
	})
}

// codes reads an array of samples with a code each. One that was sent as null
// has no code.
func (d *draft) codes(path string, raw []byte, names []string, each func(w *walk, code int64, told bool)) {
	w := walk{raw: raw, names: names, read: d.clock}
	d.walk(path, &w, func(w *walk) string {
		code, told := int64(0), false
		for _, n := range w.numbers[:len(names)] {
			if n.IsSet() && !told {
				if code, told = n.Int(); !told || code > math.MaxInt32 || code < math.MinInt32 {
					return reasonCode
				}
			}
		}
		switch {
		case w.at.IsZero() && !told:
		case w.at.IsZero() || !d.plausible(w.milli):
			return reasonTime
		default:
			each(w, code, told)
		}
		return ""
	}, nil)
}

func (l labels) label(code int64) string {
	if code >= 0 && code < int64(len(l)) {
		return l[code]
	}
	return ""
}
