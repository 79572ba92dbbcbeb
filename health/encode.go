package health

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
)

// Errors of the decoders.
var (
	// ErrCorrupt is returned for bytes that no encoder of this package wrote.
	ErrCorrupt = errors.New("health: corrupt encoding")
	// ErrVersion is returned for an encoding that a newer release wrote.
	ErrVersion = errors.New("health: encoding of a newer version")
)

// The versions of the encodings. Decoders read all versions up to these.
const (
	restVersion   = 1
	recordVersion = 1
	pointsVersion = 1
)

// The bits of the byte after the version of the rest.
const (
	restDeleted     = 1 << 0
	restSticky      = 1 << 1 // at least one value is sticky
	restMerged      = 1 << 2 // a section of merge bookkeeping follows
	restMethodShift = 3      // three bits of Method
	restMethodMask  = 7
)

// The bits of the byte in front of the span.
const (
	spanZoneMask = 3
	spanStart    = 1 << 2
	spanEnd      = 1 << 3
	spanDay      = 1 << 4
	spanLocation = 1 << 5
	spanFlags    = 1 << 6
)

// The bits of the byte in front of the source.
const (
	sourceProvider  = 1 << 0
	sourceUpstream  = 1 << 1
	sourceDevice    = 1 << 2
	sourceApp       = 1 << 3
	sourcePathShift = 4 // index into packedPaths + 1; 0 none
	sourcePathOther = 15
)

var packedPaths = [...]Path{PathDirect, PathTerra, PathImport}

// The bits of the byte in front of a moment.
const (
	momentFormMask   = 3
	momentSeconds    = 1 << 2 // the delta counts seconds, not milliseconds
	momentSameOffset = 1 << 3 // the offset is that of the base moment
	momentQuarters   = 1 << 4 // the offset counts quarters of an hour
)

// The bits of the byte in front of the bookkeeping of a merge.
const (
	mergedErased  = 1 << 0
	mergedCarried = 1 << 1
)

// compareValues orders values canonically: by metric, statistic and part.
func compareValues(a, b Value) int { return a.compare(&b) }

func (v *Value) compare(to *Value) int {
	if c := strings.Compare(string(v.Metric), string(to.Metric)); c != 0 {
		return c
	}
	if v.Stat != to.Stat {
		return int(v.Stat) - int(to.Stat)
	}
	return strings.Compare(string(v.Part), string(to.Part))
}

// canonicalValues returns vs in canonical order: vs itself if it is sorted,
// else a sorted copy.
func canonicalValues(vs []Value) []Value {
	for i := 1; i < len(vs); i++ {
		if vs[i-1].compare(&vs[i]) > 0 {
			vs = slices.Clone(vs)
			slices.SortStableFunc(vs, compareValues)
			break
		}
	}
	return vs
}

// AppendValues appends the scalar values of r as one JSON object in canonical
// order, so that they stay readable in a database. A member is named by the
// metric, then "." and the statistic unless it is [StatValue], then "@" and the
// part if there is one: "heart_rate.mean", "fat_mass@left_arm". The number is
// the text of the [Decimal], from which the same coefficient and exponent are
// read again. Flags and origins of values are part of [AppendRest].
//
// The record must be valid: see [Record.Validate]. AppendValues does not
// allocate when the values are sorted and b has room.
func AppendValues(b []byte, r *Record) []byte {
	return appendValues(b, canonicalValues(r.Values))
}

func appendValues(b []byte, values []Value) []byte {
	b = append(b, '{')
	for i := range values {
		v := &values[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = append(b, v.Metric...)
		if v.Stat != StatValue {
			b = append(b, '.')
			b = append(b, v.Stat.String()...)
		}
		if v.Part != "" {
			b = append(b, '@')
			b = append(b, v.Part...)
		}
		b = append(b, '"', ':')
		b = v.Number.append(b)
	}
	return append(b, '}')
}

// AppendRest appends the content of r that [AppendValues] leaves out, packed:
// state, method, span, source, flags and origins of the values, texts,
// segments, and the descriptors of the series with a digest of their points
// instead of the points. Identity and Rev are not in it.
//
// The record must be valid: see [Record.Validate]. AppendRest does not
// allocate when the values are sorted, none is carried and b has room.
func AppendRest(b []byte, r *Record) []byte {
	values := canonicalValues(r.Values)
	head := r.head(values)
	if r.Erased != (Rev{}) || len(r.Origins) > 0 {
		b = append(b, restVersion, head|restMerged)
		b = appendMerged(b, r, values)
	} else {
		b = append(b, restVersion, head)
	}
	return appendBody(b, r, values)
}

// head returns the byte after the version of the rest, but for restMerged.
func (r *Record) head(values []Value) byte {
	head := byte(r.Method&restMethodMask) << restMethodShift
	if r.State == StateDeleted {
		head |= restDeleted
	}
	for i := range values {
		if values[i].Flags.Has(FlagSticky) {
			return head | restSticky
		}
	}
	return head
}

func appendBody(b []byte, r *Record, values []Value) []byte {
	var names stringTable
	b = appendSpan(b, &r.Span, &names)
	b = appendSource(b, &r.Source, &names)

	flagged := 0
	for i := range values {
		if values[i].Flags != 0 {
			flagged++
		}
	}
	b = binary.AppendUvarint(b, uint64(flagged))
	for i, last := 0, 0; flagged > 0; i++ {
		if f := values[i].Flags; f != 0 {
			b = binary.AppendUvarint(b, uint64(i-last))
			b = append(b, byte(f))
			last = i
			flagged--
		}
	}

	b = binary.AppendUvarint(b, uint64(len(r.Texts)))
	for i := range r.Texts {
		b = names.append(b, r.Texts[i].Name)
		b = names.append(b, r.Texts[i].Value)
	}

	b = binary.AppendUvarint(b, uint64(len(r.Segments)))
	for i := range r.Segments {
		s := &r.Segments[i]
		b = names.append(b, s.Track)
		b = names.append(b, s.Label)
		b = names.append(b, s.Code)
		b = appendMoment(b, s.Start, r.Span.Start)
		b = appendMoment(b, s.End, s.Start)
		b = binary.AppendUvarint(b, uint64(len(s.Values)))
		for j := range s.Values {
			v := &s.Values[j]
			b = names.append(b, string(v.Metric))
			b = names.append(b, string(v.Part))
			b = append(b, byte(v.Stat), byte(v.Flags), byte(v.Number.Exponent))
			b = binary.AppendVarint(b, v.Number.Coefficient)
		}
	}

	b = binary.AppendUvarint(b, uint64(len(r.Series)))
	for i := range r.Series {
		s := &r.Series[i]
		count, digest := s.describe()
		b = names.append(b, string(s.Metric))
		b = names.append(b, string(s.Part))
		stat := byte(s.Stat) << 1
		if s.Floating {
			stat |= 1
		}
		b = append(b, stat, byte(s.Exp))
		b = binary.AppendVarint(b, s.From)
		b = binary.AppendVarint(b, s.To-s.From)
		b = binary.AppendUvarint(b, uint64(count))
		if count > 0 {
			b = binary.LittleEndian.AppendUint64(b, digest)
		}
	}
	return b
}

// appendMerged writes the bookkeeping of a merge behind its length, so that
// Fingerprint can step over it.
func appendMerged(b []byte, r *Record, values []Value) []byte {
	var room [128]byte
	m := append(room[:0], 0)
	if r.Erased != (Rev{}) {
		m[0] |= mergedErased
		m = appendRev(m, r.Erased)
	}
	if len(r.Origins) > 0 {
		m[0] |= mergedCarried
		m = binary.LittleEndian.AppendUint64(m, r.Fingerprint())
		m = binary.AppendUvarint(m, uint64(len(r.Origins)))
		for _, rev := range r.Origins {
			m = appendRev(m, rev)
		}
		carried := 0
		for i := range values {
			if values[i].Origin != 0 {
				carried++
			}
		}
		m = binary.AppendUvarint(m, uint64(carried))
		for i, last := 0, 0; i < len(values); i++ {
			if o := values[i].Origin; o != 0 {
				m = binary.AppendUvarint(m, uint64(i-last))
				m = binary.AppendUvarint(m, uint64(o))
				last = i
			}
		}
	}
	b = binary.AppendUvarint(b, uint64(len(m)))
	return append(b, m...)
}

func appendRev(b []byte, rev Rev) []byte {
	b = binary.AppendVarint(b, rev.Order)
	flags := uint64(rev.Mapping) << 2
	if rev.Push {
		flags |= 1
	}
	if rev.Absent {
		flags |= 2
	}
	b = binary.AppendUvarint(b, flags)
	return binary.LittleEndian.AppendUint64(b, rev.Fingerprint)
}

func appendSpan(b []byte, s *Span, names *stringTable) []byte {
	head := byte(s.Zone) & spanZoneMask
	if !s.Start.IsZero() {
		head |= spanStart
	}
	if !s.End.IsZero() {
		head |= spanEnd
	}
	if !s.Day.IsZero() {
		head |= spanDay
	}
	if s.Location != "" {
		head |= spanLocation
	}
	if s.Flags != 0 {
		head |= spanFlags
	}
	b = append(b, head)
	if head&spanStart != 0 {
		b = appendMoment(b, s.Start, Moment{})
	}
	if head&spanEnd != 0 {
		b = appendMoment(b, s.End, s.Start)
	}
	if head&spanDay != 0 {
		b = binary.AppendVarint(b, int64(s.Day.Year))
		b = append(b, s.Day.Month, s.Day.Dom)
	}
	if head&spanLocation != 0 {
		b = names.append(b, s.Location)
	}
	if head&spanFlags != 0 {
		b = append(b, byte(s.Flags))
	}
	return b
}

func appendSource(b []byte, s *Source, names *stringTable) []byte {
	at := len(b)
	b = append(b, 0)
	head := byte(0)
	if s.Path != "" {
		code := slices.Index(packedPaths[:], s.Path) + 1
		if code == 0 {
			code = sourcePathOther
			b = names.append(b, string(s.Path))
		}
		head |= byte(code) << sourcePathShift
	}
	if s.Provider != "" {
		head |= sourceProvider
		b = names.append(b, s.Provider)
	}
	if s.Upstream != "" {
		head |= sourceUpstream
		b = names.append(b, s.Upstream)
	}
	if s.Device != "" {
		head |= sourceDevice
		b = names.append(b, s.Device)
	}
	if s.App != "" {
		head |= sourceApp
		b = names.append(b, s.App)
	}
	b[at] = head
	return b
}

// appendMoment writes m relative to base.
func appendMoment(b []byte, m, base Moment) []byte {
	head := byte(m.form)
	if m.form == formUnset {
		return append(b, head)
	}
	delta := m.milli - base.milli
	if delta%1000 == 0 {
		head |= momentSeconds
		delta /= 1000
	}
	offset := int64(m.offset)
	if m.form == formZoned {
		switch {
		case base.form == formZoned && base.offset == m.offset:
			head |= momentSameOffset
		case offset%900 == 0:
			head |= momentQuarters
			offset /= 900
		}
	}
	b = append(b, head)
	b = binary.AppendVarint(b, delta)
	if m.form == formZoned && head&momentSameOffset == 0 {
		b = binary.AppendVarint(b, offset)
	}
	return b
}

// stringTable writes a string once and refers to it afterwards. The first
// tableSize strings of at least two bytes are remembered. A string is a uvarint
// of twice its length followed by its bytes, or of twice its index plus one.
type stringTable struct {
	strings [tableSize]string
	n       int
	next    int // a guess at what follows: the one after the last that was remembered or found
}

const tableSize = 32

func (t *stringTable) append(b []byte, s string) []byte {
	if len(s) >= 2 {
		// Laps have the same metrics, one after the other.
		if i := t.next; i < t.n && t.strings[i] == s {
			t.next++
			return append(b, byte(i<<1|1))
		}
		for i, known := range t.strings[:t.n] {
			if known == s {
				t.next = i + 1
				return append(b, byte(i<<1|1))
			}
		}
		if t.n < tableSize {
			t.strings[t.n] = s
			t.n++
			t.next = t.n
		}
	}
	b = binary.AppendUvarint(b, uint64(len(s))<<1)
	return append(b, s...)
}

// Fingerprint returns the digest of the content that [AppendValues] and
// [AppendRest] encoded: what the version the record is at said, without what
// [Merge] carried over. Equal content of equal encoding version has an equal
// fingerprint in every process.
//
// Its two highest bits are the [Zone] of the span. So, of two versions that
// differ in nothing but what is known of the zone, the one that knows more is
// the newer by [Rev.Compare], whichever arrives first.
func Fingerprint(values, rest []byte) uint64 {
	if len(rest) < 2 {
		return hashBytes(Digest(values), rest)
	}
	head, body := rest[1], rest[2:]
	if head&restMerged != 0 {
		size, n := binary.Uvarint(body)
		if n <= 0 || size == 0 || size > uint64(len(body)-n) {
			return hashBytes(Digest(values), rest)
		}
		merged := reader{b: body[n : n+int(size)]}
		if bits := merged.byte(); bits&mergedCarried != 0 {
			if bits&mergedErased != 0 {
				merged.rev()
			}
			return merged.uint64()
		}
		head &^= restMerged
		body = body[n+int(size):]
	}
	return fingerprint(values, head, body)
}

// Fingerprint returns the digest of the content of r as the version it is at
// said it: values carried over by [Merge], identity and Rev are not in it. It
// equals the package function of the same name over r's encoding, and does not
// allocate for records of usual size. The order of r.Values does not matter.
func (r *Record) Fingerprint() uint64 {
	values := canonicalValues(r.Values)
	for i := range values {
		if values[i].Origin != 0 {
			values = ownValues(values)
			break
		}
	}
	var room [2048]byte
	text := appendValues(room[:0:1024], values)
	body := appendBody(room[1024:1024], r, values)
	return fingerprint(text, r.head(values), body)
}

func fingerprint(values []byte, head byte, body []byte) uint64 {
	sum := hashBytes(Digest(values)+uint64(head)*prime1, body) >> 2
	if len(body) > 0 { // it begins with the span, and that with the zone
		sum |= uint64(body[0]&spanZoneMask) << 62
	}
	return sum
}

// ownValues returns the values that are not carried.
func ownValues(values []Value) []Value {
	own := make([]Value, 0, len(values))
	for _, v := range values {
		if v.Origin == 0 {
			own = append(own, v)
		}
	}
	return own
}

// AppendRecord appends the whole of r: identity, Rev, content, and the points
// of its series. The record must be valid: see [Record.Validate].
func AppendRecord(b []byte, r *Record) []byte {
	b = append(b, recordVersion)
	for _, s := range [...]string{r.Connection, string(r.Kind), r.Key} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	b = appendRev(b, r.Rev)
	b = appendSized(b, r, AppendValues)
	b = appendSized(b, r, AppendRest)
	for i := range r.Series {
		b = AppendPoints(b, &r.Series[i])
	}
	return b
}

// appendSized writes what encode appends behind its length in four bytes.
func appendSized(b []byte, r *Record, encode func([]byte, *Record) []byte) []byte {
	at := len(b)
	b = append(b, 0, 0, 0, 0)
	b = encode(b, r)
	binary.LittleEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	return b
}
