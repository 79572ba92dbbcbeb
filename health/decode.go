package health

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
)

// reader reads the packed forms. After the first mistake it only returns
// zeroes and fails: callers check once, at the end, and in front of loops.
type reader struct {
	b      []byte
	text   string // b as a string: all strings read are cut from it
	at     int
	failed bool
}

func (r *reader) fail() { r.failed, r.at = true, len(r.b) }

func (r *reader) left() int { return len(r.b) - r.at }

func (r *reader) byte() byte {
	if r.at >= len(r.b) {
		r.fail()
		return 0
	}
	r.at++
	return r.b[r.at-1]
}

func (r *reader) uvarint() uint64 {
	if r.at < len(r.b) && r.b[r.at] < 0x80 {
		r.at++
		return uint64(r.b[r.at-1])
	}
	v, n := binary.Uvarint(r.b[r.at:])
	if n <= 0 {
		r.fail()
		return 0
	}
	r.at += n
	return v
}

func (r *reader) varint() int64 {
	return unzigzag(r.uvarint())
}

func (r *reader) uint64() uint64 {
	if r.left() < 8 {
		r.fail()
		return 0
	}
	r.at += 8
	return binary.LittleEndian.Uint64(r.b[r.at-8:])
}

// count reads how many items of at least size bytes follow; more than can
// follow is a failure, which bounds what a decoder allocates.
func (r *reader) count(size int) int {
	n := r.uvarint()
	if n > uint64(r.left()/size) {
		r.fail()
		return 0
	}
	return int(n)
}

// bytes reads n bytes.
func (r *reader) bytes(n uint64) []byte {
	if n > uint64(r.left()) {
		r.fail()
		return nil
	}
	r.at += int(n)
	return r.b[r.at-int(n) : r.at]
}

func (r *reader) rev() Rev {
	rev := Rev{Order: r.varint()}
	flags := r.uvarint()
	if flags > math.MaxUint16<<2|3 {
		r.fail()
	}
	rev.Mapping, rev.Absent, rev.Push = uint16(flags>>2), flags&2 != 0, flags&1 != 0
	rev.Fingerprint = r.uint64()
	return rev
}

// string reads what stringTable.append wrote.
func (r *reader) string(t *stringTable) string {
	n := r.uvarint()
	if n&1 != 0 {
		if n>>1 >= uint64(t.n) {
			r.fail()
			return ""
		}
		return t.strings[n>>1]
	}
	n >>= 1
	if n > uint64(r.left()) {
		r.fail()
		return ""
	}
	if n == 0 {
		return ""
	}
	s := r.text[r.at : r.at+int(n)]
	r.at += int(n)
	if len(s) >= 2 && t.n < tableSize {
		t.strings[t.n] = s
		t.n++
	}
	return s
}

func (r *reader) moment(base Moment) Moment {
	head := r.byte()
	m := Moment{form: form(head & momentFormMask)}
	if m.form == formUnset {
		if head != 0 {
			r.fail()
		}
		return m
	}
	delta := r.varint()
	if head&momentSeconds != 0 {
		if delta > math.MaxInt64/1000 || delta < math.MinInt64/1000 {
			r.fail()
		}
		delta *= 1000
	}
	m.milli = base.milli + delta
	head &^= momentFormMask | momentSeconds
	switch {
	case m.form == formZoned && head == momentSameOffset && base.form == formZoned:
		m.offset = base.offset
	case m.form == formZoned && head&^momentQuarters == 0:
		offset := r.varint()
		if offset > math.MaxInt32/900 || offset < math.MinInt32/900 {
			if head != 0 || offset != int64(int32(offset)) {
				r.fail()
			}
		}
		if head != 0 {
			offset *= 900
		}
		m.offset = int32(offset)
	case head != 0:
		r.fail()
	}
	return m
}

func (r *reader) span(names *stringTable) Span {
	var s Span
	head := r.byte()
	s.Zone = Zone(head & spanZoneMask)
	if head&spanStart != 0 {
		s.Start = r.moment(Moment{})
	}
	if head&spanEnd != 0 {
		s.End = r.moment(s.Start)
	}
	if head&spanDay != 0 {
		year := r.varint()
		if year != int64(int16(year)) {
			r.fail()
		}
		s.Day = Day{Year: int16(year), Month: r.byte(), Dom: r.byte()}
	}
	if head&spanLocation != 0 {
		s.Location = r.string(names)
	}
	if head&spanFlags != 0 {
		s.Flags = Flags(r.byte())
	}
	if head&0x80 != 0 {
		r.fail()
	}
	return s
}

func (r *reader) source(names *stringTable) Source {
	var s Source
	head := r.byte()
	switch code := int(head >> sourcePathShift); {
	case code == 0:
	case code <= len(packedPaths):
		s.Path = packedPaths[code-1]
	case code == sourcePathOther:
		s.Path = Path(r.string(names))
	default:
		r.fail()
	}
	if head&sourceProvider != 0 {
		s.Provider = r.string(names)
	}
	if head&sourceUpstream != 0 {
		s.Upstream = r.string(names)
	}
	if head&sourceDevice != 0 {
		s.Device = r.string(names)
	}
	if head&sourceApp != 0 {
		s.App = r.string(names)
	}
	return s
}

func (r *reader) metric(names *stringTable) Metric {
	return Metric(r.string(names))
}

// The least bytes an encoded item takes.
const (
	minText    = 2
	minSegment = 6
	minValue   = 6
	minSeries  = 7
	minRev     = 10
)

// DecodeContent sets the content of r (everything but Connection, Kind, Key
// and Rev) from what [AppendValues] and [AppendRest] wrote, which must belong
// together. It reuses the capacity of r's slices. Series have no points, but
// Count and Digest.
//
// It returns [ErrCorrupt] or [ErrVersion], leaving the content of r undefined.
// It never panics, and what it allocates is bounded by a small multiple of the
// length of its input.
func DecodeContent(r *Record, values, rest []byte) error {
	if len(rest) < 2 || rest[0] == 0 {
		return ErrCorrupt
	}
	if rest[0] > restVersion {
		return ErrVersion
	}
	var err error
	if r.Values, err = parseValues(r.Values[:0], values); err != nil {
		return err
	}
	in := reader{b: rest, text: string(rest), at: 1}
	head := in.byte()
	r.State = StateLive
	if head&restDeleted != 0 {
		r.State = StateDeleted
	}
	r.Method = Method(head >> restMethodShift & restMethodMask)
	if r.Method >= methodCount || head>>(restMethodShift+3) != 0 {
		return ErrCorrupt
	}
	r.Origins, r.Erased = r.Origins[:0], Rev{}
	if head&restMerged != 0 {
		size := in.uvarint()
		merged := reader{b: in.bytes(size)}
		merged.merged(r)
		if merged.failed || merged.left() != 0 {
			return ErrCorrupt
		}
	}

	var names stringTable
	r.Span = in.span(&names)
	r.Source = in.source(&names)

	sticky := false
	for i, n := 0, in.count(2); n > 0; n-- {
		step := in.uvarint()
		if step >= uint64(len(r.Values)-i) {
			return ErrCorrupt
		}
		i += int(step)
		f := Flags(in.byte())
		if f == 0 || r.Values[i].Flags != 0 {
			return ErrCorrupt
		}
		r.Values[i].Flags = f
		sticky = sticky || f.Has(FlagSticky)
	}
	if sticky != (head&restSticky != 0) {
		return ErrCorrupt
	}

	r.Texts = r.Texts[:0]
	if n := in.count(minText); n > 0 {
		r.Texts = slices.Grow(r.Texts, n)[:n]
		for i := range r.Texts {
			r.Texts[i] = Text{Name: in.string(&names), Value: in.string(&names)}
		}
	}

	r.Segments = r.Segments[:0]
	if n := in.count(minSegment); n > 0 {
		r.Segments = slices.Grow(r.Segments, n)[:n]
		for i := range r.Segments {
			in.segment(&r.Segments[i], r.Span.Start, &names)
		}
	}

	r.Series = r.Series[:0]
	if n := in.count(minSeries); n > 0 {
		r.Series = slices.Grow(r.Series, n)[:n]
		for i := range r.Series {
			in.series(&r.Series[i], &names)
		}
	}
	if in.failed || in.left() != 0 {
		return ErrCorrupt
	}
	return nil
}

func (r *reader) segment(s *Segment, base Moment, names *stringTable) {
	*s = Segment{Track: r.string(names), Label: r.string(names), Code: r.string(names), Values: s.Values[:0]}
	s.Start = r.moment(base)
	s.End = r.moment(s.Start)
	n := r.count(minValue)
	if n == 0 {
		s.Values = nil
		return
	}
	s.Values = slices.Grow(s.Values, n)[:n]
	for i := range s.Values {
		v := Value{Metric: r.metric(names), Part: Part(r.string(names)), Stat: Stat(r.byte()), Flags: Flags(r.byte())}
		v.Number.Exponent = int8(r.byte())
		v.Number.Coefficient = r.varint()
		if v.Stat >= statCount {
			r.fail()
		}
		s.Values[i] = v
	}
}

func (r *reader) series(s *Series, names *stringTable) {
	*s = Series{Metric: r.metric(names), Part: Part(r.string(names))}
	stat := r.byte()
	s.Floating, s.Stat = stat&1 != 0, Stat(stat>>1)
	s.Exp = int8(r.byte())
	s.From = r.varint()
	s.To = s.From + r.varint()
	count := r.uvarint()
	if s.Stat >= statCount || count > math.MaxInt32 {
		r.fail()
		return
	}
	if s.Count = int(count); s.Count > 0 {
		s.Digest = r.uint64()
	}
}

// merged reads the bookkeeping of a merge into r, whose values are known.
func (r *reader) merged(rec *Record) {
	head := r.byte()
	if head == 0 || head&^(mergedErased|mergedCarried) != 0 {
		r.fail()
	}
	if head&mergedErased != 0 {
		rec.Erased = r.rev()
		if rec.Erased == (Rev{}) {
			r.fail()
		}
	}
	if head&mergedCarried == 0 {
		return
	}
	r.uint64() // the fingerprint, which the content determines
	n := r.count(minRev)
	if n == 0 || n > math.MaxUint16 {
		r.fail()
		return
	}
	rec.Origins = slices.Grow(rec.Origins, n)[:n]
	for i := range rec.Origins {
		rec.Origins[i] = r.rev()
	}
	for i, n := 0, r.count(2); n > 0; n-- {
		step, origin := r.uvarint(), r.uvarint()
		if step >= uint64(len(rec.Values)-i) || origin == 0 || origin > uint64(len(rec.Origins)) {
			r.fail()
			return
		}
		i += int(step)
		v := &rec.Values[i]
		if v.Origin != 0 {
			r.fail()
			return
		}
		v.Origin, v.AsOf = uint16(origin), rec.Origins[origin-1].Order
	}
}

// parseValues reads what AppendValues wrote, and nothing looser.
func parseValues(vs []Value, b []byte) ([]Value, error) {
	if len(b) < 2 || b[0] != '{' || b[len(b)-1] != '}' {
		return vs, ErrCorrupt
	}
	in := b[1 : len(b)-1]
	if len(in) > 0 && cap(vs) == 0 {
		vs = make([]Value, 0, 1+bytes.Count(in, []byte{','}))
	}
	var text string // b as a string, made when a name is not in the catalogue
	cut := func(name []byte, at int) string {
		if text == "" {
			text = string(b)
		}
		return text[at : at+len(name)]
	}
	at := 1 // of in, within b
	for len(in) > 0 {
		if in[0] != '"' {
			return vs, ErrCorrupt
		}
		end := bytes.IndexByte(in[1:], '"') + 1
		if end <= 1 || end+1 >= len(in) || in[end+1] != ':' {
			return vs, ErrCorrupt
		}
		var v Value
		name := in[1:end]
		if i := bytes.IndexByte(name, '@'); i >= 0 {
			part := name[i+1:]
			if !isName(part) {
				return vs, ErrCorrupt
			}
			v.Part = Part(cut(part, at+1+i+1))
			name = name[:i]
		}
		if i := bytes.IndexByte(name, '.'); i >= 0 {
			stat, ok := parseStat(name[i+1:])
			if !ok || stat == StatValue {
				return vs, ErrCorrupt
			}
			v.Stat = stat
			name = name[:i]
		}
		var known bool
		if v.Metric, known = Intern(name); !known {
			if !isName(name) {
				return vs, ErrCorrupt
			}
			v.Metric = Metric(cut(name, at+1))
		}
		number := in[end+2:]
		next := bytes.IndexByte(number, ',')
		step := end + 2 + next + 1
		if next < 0 {
			step = len(in)
		} else {
			if number = number[:next]; step == len(in) {
				return vs, ErrCorrupt
			}
		}
		n, err := ParseDecimal(number)
		if err != nil {
			return vs, ErrCorrupt
		}
		v.Number = n
		if len(vs) > 0 && compareValues(vs[len(vs)-1], v) >= 0 {
			return vs, ErrCorrupt
		}
		vs = append(vs, v)
		in = in[step:]
		at += step
	}
	return vs, nil
}

// isName reports whether s is a legal name of a metric or a part, but for its
// length: lower-case ASCII letters, digits and underscores.
func isName[T ~[]byte | ~string](s T) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return len(s) > 0
}

// DecodeRecord reads what [AppendRecord] wrote, all of b. Errors and bounds are
// those of [DecodeContent].
func DecodeRecord(b []byte) (Record, error) {
	var r Record
	if len(b) == 0 || b[0] == 0 {
		return r, ErrCorrupt
	}
	if b[0] > recordVersion {
		return r, ErrVersion
	}
	in := reader{b: b, at: 1}
	identity := func() string { return string(in.bytes(in.uvarint())) }
	r.Connection = identity()
	r.Kind = Kind(identity())
	r.Key = identity()
	r.Rev = in.rev()
	sized := func() []byte {
		size := in.bytes(4)
		if in.failed {
			return nil
		}
		return in.bytes(uint64(binary.LittleEndian.Uint32(size)))
	}
	values := sized()
	rest := sized()
	if in.failed {
		return Record{}, ErrCorrupt
	}
	if err := DecodeContent(&r, values, rest); err != nil {
		return Record{}, err
	}
	points := b[in.at:]
	for i := range r.Series {
		s := &r.Series[i]
		described := *s
		s.Count, s.Digest = 0, 0
		var err error
		if points, err = DecodePoints(points, s); err != nil {
			return Record{}, err
		}
		if s.Len() == 0 {
			s.Count, s.Digest = described.Count, described.Digest
		} else if count, digest := s.describe(); count != described.Count || digest != described.Digest {
			return Record{}, ErrCorrupt
		}
		if s.From != described.From || s.To != described.To || s.Exp != described.Exp || s.Floating != described.Floating {
			return Record{}, ErrCorrupt
		}
	}
	if len(points) != 0 {
		return Record{}, ErrCorrupt
	}
	return r, nil
}
