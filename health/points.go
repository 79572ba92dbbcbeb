package health

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
	"sort"
)

// The bits of the byte after the version of packed points.
const (
	pointsFloating = 1 << 0
	pointsSeconds  = 1 << 1 // times are whole seconds apart; deltas count seconds
)

// maxVarint is the most bytes a varint takes.
const maxVarint = binary.MaxVarintLen64

// AppendPoints appends the points of s, its window, exponent and clock, packed:
// a regular rhythm costs a few bytes however long it lasts, a value costs one
// byte while neighbours differ by less than 64 units. The result compresses
// well.
//
// The columns must be those of a valid series: see [Record.Validate].
// AppendPoints does not allocate if b has room for 10 bytes per point.
func AppendPoints(b []byte, s *Series) []byte {
	head := byte(0)
	if s.Floating {
		head |= pointsFloating
	}
	n := len(s.Times)
	seconds := n > 1 && wholeSeconds(s.Times)
	if seconds {
		head |= pointsSeconds
	}
	b = append(b, pointsVersion, head, byte(s.Exp))
	b = binary.AppendVarint(b, s.From)
	b = binary.AppendVarint(b, s.To-s.From)
	b = binary.AppendUvarint(b, uint64(n))
	if n == 0 {
		return b
	}
	b = binary.AppendVarint(b, s.Times[0]-s.From)
	b = appendTimes(b, s.Times, seconds)
	return appendDeltas(b, s.Values[:n])
}

// wholeSeconds reports whether all times are whole seconds apart.
func wholeSeconds(times []int64) bool {
	known := int64(0)
	for i := 1; i < len(times); i++ {
		if d := times[i] - times[i-1]; d != known {
			if d%1000 != 0 {
				return false
			}
			known = d
		}
	}
	return true
}

// appendTimes writes the steps between times. A token is twice the step for
// one step, or twice the step plus one and then the number of equal steps.
func appendTimes(b []byte, times []int64, seconds bool) []byte {
	n := len(times)
	for i := 1; i < n; {
		b = slices.Grow(b, 2*maxVarint)
		room := b[len(b):cap(b)]
		w := 0
		for i < n && w+2*maxVarint <= len(room) {
			step := times[i] - times[i-1]
			run := i + 1
			for run < n && times[run]-times[run-1] == step {
				run++
			}
			unit := uint64(step)
			if seconds {
				unit /= 1000
			}
			if run == i+1 {
				if unit <<= 1; unit < 0x80 {
					room[w] = byte(unit)
					w++
				} else {
					w += binary.PutUvarint(room[w:], unit)
				}
			} else {
				w += binary.PutUvarint(room[w:], unit<<1|1)
				w += binary.PutUvarint(room[w:], uint64(run-i))
			}
			i = run
		}
		b = b[:len(b)+w]
	}
	return b
}

// appendDeltas writes the differences of neighbours as zigzag varints, the
// first against zero.
func appendDeltas(b []byte, values []int64) []byte {
	last := int64(0)
	for len(values) > 0 {
		block := values[:min(len(values), 1024)]
		values = values[len(block):]
		b = slices.Grow(b, len(block)*maxVarint)
		room := b[len(b) : len(b)+len(block)*maxVarint]
		w := 0
		for _, v := range block {
			d := v - last
			last = v
			u := uint64(d<<1) ^ uint64(d>>63)
			for u >= 0x80 {
				room[w] = byte(u) | 0x80
				u >>= 7
				w++
			}
			room[w] = byte(u)
			w++
		}
		b = b[:len(b)+w]
	}
	return b
}

// DecodePoints sets the points, the window, the exponent and the clock of s
// from what [AppendPoints] wrote at the start of b, reusing the capacity of its
// columns, and returns the rest of b. Errors and bounds are those of
// [DecodeContent]; times that do not rise are an error.
func DecodePoints(b []byte, s *Series) ([]byte, error) {
	if len(b) == 0 || b[0] == 0 {
		return b, ErrCorrupt
	}
	if b[0] > pointsVersion {
		return b, ErrVersion
	}
	in := reader{b: b, at: 1}
	head := in.byte()
	s.Exp = int8(in.byte())
	s.From = in.varint()
	s.To = s.From + in.varint()
	n := in.count(1)
	if in.failed || head&^(pointsFloating|pointsSeconds) != 0 {
		return b, ErrCorrupt
	}
	s.Floating = head&pointsFloating != 0
	s.Times, s.Values = s.Times[:0], s.Values[:0]
	if n == 0 {
		return b[in.at:], nil
	}
	s.Times = slices.Grow(s.Times, n)[:n]
	s.Values = slices.Grow(s.Values, n)[:n]
	s.Times[0] = s.From + in.varint()
	if !in.times(s.Times, head&pointsSeconds != 0) || !in.deltas(s.Values) || in.failed {
		s.Times, s.Values = s.Times[:0], s.Values[:0]
		return b, ErrCorrupt
	}
	return b[in.at:], nil
}

// times reads all times but the first, which is set.
func (r *reader) times(times []int64, seconds bool) bool {
	unit := uint64(1)
	if seconds {
		unit = 1000
	}
	most := uint64(math.MaxInt64) / unit
	b, at, t := r.b, r.at, times[0]
	// next is uvarint with its place in registers, which spares a third of the time.
	next := func() (v uint64, ok bool) {
		if at < len(b) && b[at] < 0x80 {
			at++
			return uint64(b[at-1]), true
		}
		v, n := binary.Uvarint(b[at:])
		at += n
		return v, n > 0
	}
	for i := 1; i < len(times); {
		token, ok := next()
		step := token >> 1
		if !ok || step == 0 || step > most {
			return false
		}
		delta := int64(step * unit)
		if token&1 == 0 {
			before := t
			if t += delta; t < before {
				return false
			}
			times[i] = t
			i++
			continue
		}
		n, ok := next()
		if !ok || n < 2 || n > uint64(len(times)-i) {
			return false
		}
		// The highest time must not overflow; then none in between does.
		over, rise := bits.Mul64(n, uint64(delta))
		if over != 0 || rise > math.MaxInt64 || t > 0 && t > math.MaxInt64-int64(rise) {
			return false
		}
		run := times[i : i+int(n)]
		for j := range run {
			t += delta
			run[j] = t
		}
		i += len(run)
	}
	r.at = at
	return true
}

// deltas reads what appendDeltas wrote into values.
func (r *reader) deltas(values []int64) bool {
	const high = 0x8080808080808080
	b, at, last := r.b, r.at, int64(0)
	for i := 0; i < len(values); {
		// Eight one-byte differences at once, the usual case: a loop over them takes
		// half as long again.
		for len(values)-i >= 8 && len(b)-at >= 8 {
			w := binary.LittleEndian.Uint64(b[at:])
			if w&high != 0 {
				break
			}
			out := (*[8]int64)(values[i:])
			out[0] = last + unzigzag(w&0xff)
			out[1] = out[0] + unzigzag(w>>8&0xff)
			out[2] = out[1] + unzigzag(w>>16&0xff)
			out[3] = out[2] + unzigzag(w>>24&0xff)
			out[4] = out[3] + unzigzag(w>>32&0xff)
			out[5] = out[4] + unzigzag(w>>40&0xff)
			out[6] = out[5] + unzigzag(w>>48&0xff)
			out[7] = out[6] + unzigzag(w>>56)
			last = out[7]
			i += 8
			at += 8
		}
		if i == len(values) {
			break
		}
		if at >= len(b) {
			return false
		}
		u := uint64(b[at])
		if u < 0x80 {
			at++
		} else if at+1 < len(b) && b[at+1] < 0x80 {
			u = u&0x7f | uint64(b[at+1])<<7
			at += 2
		} else {
			v, n := binary.Uvarint(b[at:])
			if n <= 0 {
				return false
			}
			u = v
			at += n
		}
		last += unzigzag(u)
		values[i] = last
		i++
	}
	r.at = at
	return true
}

// unzigzag returns the number that zigzag encoding made u of.
func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

// describe returns the number of points and their digest, wherever they are.
func (s *Series) describe() (int, uint64) {
	if len(s.Times) == 0 {
		return s.Count, s.Digest
	}
	return len(s.Times), hashColumn(hashColumn(0, s.Times), s.Values)
}

// Describe returns s without its points but with Count and Digest set, the form
// in which a store keeps a series with its record. The digest of points is
// stable like [Digest].
func (s *Series) Describe() Series {
	d := *s
	d.Count, d.Digest = s.describe()
	d.Times, d.Values = nil, nil
	return d
}

// Slice returns the part of s in the half-open window from..to, clipped to the
// window of s. The columns are shared with s, not copied, but appending to them
// does not overwrite points of s.
func (s *Series) Slice(from, to int64) Series {
	part := *s
	part.Count, part.Digest = 0, 0
	part.From = min(max(from, s.From), s.To)
	part.To = max(min(to, s.To), part.From)
	i := searchTime(s.Times, part.From)
	j := i + searchTime(s.Times[i:], part.To)
	part.Times, part.Values = s.Times[i:j:j], s.Values[i:j:j]
	return part
}

// searchTime returns the index of the first time that is not before t.
func searchTime(times []int64, t int64) int {
	return sort.Search(len(times), func(i int) bool { return times[i] >= t })
}

// MergePoints returns old with the points inside the window of next replaced by
// those of next, which is complete for that window. Everything but the points
// and the window is taken from next. Both must be of the same owner and clock;
// neither is changed, and the result shares no memory with them.
//
// Series of different exponents are merged at the smaller one. Only where 63
// bits cannot hold a number at it the common exponent is raised, and what the
// finer numbers lose is rounded half to even.
func MergePoints(old, next Series) Series {
	merged := next
	merged.Count, merged.Digest = 0, 0
	if next.To <= next.From {
		merged.From, merged.To = old.From, old.To
	} else if old.To > old.From {
		merged.From, merged.To = min(old.From, next.From), max(old.To, next.To)
	}
	i := searchTime(old.Times, next.From)
	j := max(i, searchTime(old.Times, next.To))
	merged.Times = slices.Concat(old.Times[:i], next.Times, old.Times[j:])
	before, inside, after := old.Values[:i], next.Values, old.Values[j:]
	if old.Exp == next.Exp || i+len(old.Times)-j == 0 {
		merged.Values = slices.Concat(before, inside, after)
		return merged
	}
	if len(next.Times) == 0 {
		merged.Exp = old.Exp
		merged.Values = slices.Concat(before, after)
		return merged
	}
	exp := min(old.Exp, next.Exp)
	for _, column := range []struct {
		values []int64
		exp    int8
	}{{before, old.Exp}, {inside, next.Exp}, {after, old.Exp}} {
		for _, v := range column.values {
			exp = max(exp, leastExponent(v, column.exp, exp))
		}
	}
	merged.Exp = exp
	merged.Values = make([]int64, 0, len(merged.Times))
	merged.Values = appendRescaled(merged.Values, before, old.Exp, exp)
	merged.Values = appendRescaled(merged.Values, inside, next.Exp, exp)
	merged.Values = appendRescaled(merged.Values, after, old.Exp, exp)
	return merged
}

// leastExponent returns the smallest exponent of at least want at which v*10^exp
// fits.
func leastExponent(v int64, exp, want int8) int8 {
	for v != 0 && exp > want && v <= math.MaxInt64/10 && v >= math.MinInt64/10 {
		v *= 10
		exp--
	}
	if v == 0 {
		return want
	}
	return max(exp, want)
}

func appendRescaled(to, values []int64, from, exp int8) []int64 {
	for _, v := range values {
		for e := from; e > exp; e-- {
			v *= 10
		}
		if e := int(exp) - int(from); e > 0 {
			v = shiftRight(v, e)
		}
		to = append(to, v)
	}
	return to
}

// shiftRight divides v by 10^digits, rounding half to even.
func shiftRight(v int64, digits int) int64 {
	switch { // 10^19 does not fit, but more than half of it does
	case digits == 19 && v > 5e18:
		return 1
	case digits == 19 && v < -5e18:
		return -1
	case digits > 18:
		return 0
	}
	unit := int64(pow10[digits])
	q, rem := v/unit, v%unit
	sign := int64(1)
	if v < 0 {
		sign, rem = -1, -rem
	}
	if half := unit / 2; rem > half || rem == half && q&1 != 0 {
		q += sign
	}
	return q
}
