package googlehealth

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/fitbitmap"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
	"github.com/vitalmux/vitalmux/providers"
)

// mappingVersion is the Rev.Mapping of all records. It rises when the same
// answer would map to other records than before.
const mappingVersion = 1

// The reasons for which data is set aside.
const (
	reasonNotJSON    = "not JSON"
	reasonNotObject  = "not an object"
	reasonTwice      = "a member is there twice"
	reasonTooMany    = "too many members"
	reasonType       = "of a wrong type"
	reasonOther      = "not a point of the type that was asked for"
	reasonTime       = "time is missing or cannot be read"
	reasonDay        = "date is missing or not a civil day"
	reasonEndFirst   = "end before start"
	reasonOverlap    = "overlaps the one before"
	reasonNoValue    = "there is no value"
	reasonConflict   = "two different values of one kind"
	reasonOutside    = "outside of the window that was asked for"
	reasonTwin       = "a point of the page is there twice"
	reasonName       = "name is not that of a point"
	reasonSignal     = "the signal cannot be read"
	reasonLong       = "a text is too long"
	reasonUnordered  = "times are not in order"
	reasonFit        = "a number does not fit"
	reasonManyPoints = "too many points"
)

// mapper maps the bodies of one page. It is pure: it reads no clock and no
// state but the page.
type mapper struct {
	st   *stream
	raw  health.RawPage
	user string    // whose page it is; empty is not known
	now  time.Time // bounds plausible times; zero is no bound

	records     []health.Record
	origins     [][]byte // what each record was mapped from
	quarantined providers.Quarantine

	profile    *time.Location // for what tells no offset; nil is unknown
	personZone string         // where the page tells it
	digest     uint64
	next       string // the service's token of the next page
	foreign    bool   // a point said that it belongs to another person

	series  collection // of shapeDense and shapeHours
	heights []height   // of weights
}

func newMapper(st *stream, page health.RawPage) *mapper {
	m := &mapper{st: st, raw: page, now: page.Date}
	m.profile = providers.LoadZone(page.Zone)
	return m
}

// page maps all bodies.
func (m *mapper) page() error {
	if len(m.raw.Bodies) == 0 {
		return malformed(codeShape)
	}
	for i := range m.raw.Bodies {
		if err := m.body(i); err != nil {
			return err
		}
	}
	return m.finish()
}

// refusedError is an error in the body of an answer that says 200.
type refusedError struct{ status int }

func (e *refusedError) Error() string { return "refused with an answer 200" }

// body maps one body.
func (m *mapper) body(i int) error {
	m.next = ""
	body := m.raw.Bodies[i].Body
	if m.st.shape == shapeState && m.st.name != "devices" {
		return m.document(body)
	}
	list := "dataPoints"
	each := m.point
	if m.st.name == streamWeight && strings.HasPrefix(m.raw.Bodies[i].Name, "height:") {
		return m.answer(body, list, func(s *jsonscan.Scanner) error { return m.each(s, m.height) })
	}
	switch m.st.shape {
	case shapeState:
		list, each = "pairedDevices", m.single
	case shapeDays:
		list, each = "rollupDataPoints", m.civilDay
	case shapeHours:
		list, each = "rollupDataPoints", m.hour
		if err := m.series.open(m.raw.Bodies[i].Name, m.st.shape, m.profile); err != nil {
			return err
		}
	case shapeDense:
		if err := m.series.open(m.raw.Bodies[i].Name, m.st.shape, m.profile); err != nil {
			return err
		}
		return m.answer(body, list, m.denseList)
	}
	return m.answer(body, list, func(s *jsonscan.Scanner) error { return m.each(s, each) })
}

// answer walks an answer with a list. Members that are empty are left out by the
// service: an answer without the list is an empty list.
func (m *mapper) answer(body []byte, list string, read func(*jsonscan.Scanner) error) error {
	s := jsonscan.New(body)
	switch s.Kind() {
	case jsonscan.Object:
	case jsonscan.Invalid:
		return malformed(codeNotJSON)
	default:
		return malformed(codeShape)
	}
	gotList, gotNext := false, false
	s.Object()
	for s.NextMember() {
		switch string(s.Name()) {
		case list:
			if gotList {
				return malformed(codeDuplicate)
			}
			gotList = true
			if s.Kind() == jsonscan.Null {
				s.Skip()
				continue
			}
			if s.Kind() != jsonscan.Array {
				if s.Skip(); s.Err() != nil {
					return s.Err()
				}
				return malformed(codeShape)
			}
			whole := s.Mark()
			if err := read(&s); err != nil {
				return err
			}
			m.digest = m.digest*31 + health.Digest(s.Since(whole))
		case "nextPageToken":
			if gotNext {
				return malformed(codeDuplicate)
			}
			gotNext = true
			if s.Kind() == jsonscan.Null {
				s.Skip()
				continue
			}
			b, ok := s.Identifier()
			if s.Err() == nil && (!ok || len(b) > maxToken) {
				return malformed(codePaging)
			}
			m.next = string(b)
		case "error":
			return refusedIn(body)
		default:
			s.Skip()
		}
	}
	if err := s.End(); err != nil {
		return err
	}
	if m.foreign {
		return malformed(providers.CodeIdentity)
	}
	return nil
}

// refusedIn reads an answer that is an error.
func refusedIn(body []byte) error {
	doc, reason := readObject(body)
	inner, v := doc.object("error")
	code, _ := inner.integer("code")
	if reason != "" || v != jsonscan.OK || code < 400 || code > 599 {
		return malformed(codeShape)
	}
	return &refusedError{status: int(code)}
}

// each walks the elements of a list. One that fails is set aside and the others
// go on.
func (m *mapper) each(s *jsonscan.Scanner, read func(*datum, object) string) error {
	s.Array()
	for i := 0; s.NextElement(); i++ {
		at := s.Mark()
		raw := s.Raw()
		if s.Err() != nil {
			if !s.Resync(at) {
				return s.Err()
			}
			m.quarantined.Add(m.placeKey(i), reasonNotJSON, s.Since(at))
			continue
		}
		m.one(i, raw, read)
		if m.quarantined.Flooded() {
			return malformed(codeFlooded)
		}
	}
	return s.Err()
}

func (m *mapper) placeKey(i int) string {
	return m.raw.Stream + "/#" + strconv.Itoa(len(m.raw.Bodies)) + "." + strconv.Itoa(i)
}

// one maps one element.
func (m *mapper) one(i int, raw []byte, read func(*datum, object) string) {
	d := &datum{m: m, raw: raw}
	outer, reason := readObject(raw)
	if reason == "" {
		reason = read(d, outer)
	}
	if reason != "" {
		if d.key == "" {
			d.key = m.placeKey(i)
		}
		m.quarantined.Add(d.key, reason, raw)
		return
	}
	if d.done {
		return
	}
	m.emit(d)
}

// emit adds the record of a datum.
func (m *mapper) emit(d *datum) {
	for _, f := range d.faults {
		m.quarantined.Add(d.key+"#"+f.name, f.reason, d.raw)
	}
	src := d.src
	src.Provider, src.Path = Name, health.PathDirect
	m.records = append(m.records, health.Record{
		Kind: m.st.kind, Key: d.key, Span: d.span, Source: src, Method: d.method, Values: d.values, Texts: d.texts,
		Segments: d.segments, Series: d.series, Rev: health.Rev{Order: d.order, Mapping: mappingVersion},
	})
	m.origins = append(m.origins, d.raw)
}

// finish completes the records: the zone of the person where the datum told
// none, the order of the answer where it told none, canonical form. A record
// that is not valid is set aside.
func (m *mapper) finish() error {
	m.collected()
	m.bodyMass()
	date := int64(0)
	if !m.raw.Date.IsZero() {
		date = m.raw.Date.UnixMilli()
	}
	now := m.now
	if now.IsZero() {
		now = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) // no bound
	}
	kept := m.records[:0]
	seen := make(map[string]int, len(m.records))
	for i := range m.records {
		r := &m.records[i]
		if r.Rev.Order == 0 {
			if date == 0 {
				return malformed(codeNoDate)
			}
			r.Rev.Order = date
		}
		if m.profile != nil {
			if r.Span.Zone == health.ZoneUnknown || r.Span.Zone == health.ZoneFloating {
				r.Span = r.Span.InZone(m.profile, health.ZoneFromProfile)
			}
			for j := range r.Segments {
				seg := &r.Segments[j]
				seg.Start, _ = health.Resolve(seg.Start, m.profile)
				if !seg.End.IsZero() {
					seg.End, _ = health.Resolve(seg.End, m.profile)
				}
			}
		}
		r.Normalize()
		if err := r.Validate(now); err != nil {
			m.quarantined.Add(r.Key, providers.InvalidReason(err), m.origins[i])
			continue
		}
		if twin, ok := seen[r.Key]; ok {
			// The fresher one counts.
			m.quarantined.Add(r.Key, reasonTwin, m.origins[i])
			if r.Rev.Order > kept[twin].Rev.Order {
				kept[twin] = *r
			}
			continue
		}
		seen[r.Key] = len(kept)
		kept = append(kept, *r)
	}
	clear(m.records[len(kept):])
	m.records = kept
	if m.quarantined.Flooded() {
		return malformed(codeFlooded)
	}
	return nil
}

// pageDigest is the digest of all that the records depend on.
func (m *mapper) pageDigest() uint64 {
	b := make([]byte, 0, 256)
	b = strconv.AppendUint(b, m.digest, 16)
	b = append(strconv.AppendInt(append(b, '/'), mappingVersion, 10), '/')
	b = append(b, m.raw.Stream...)
	if m.profile != nil {
		b = append(append(b, '/'), m.profile.String()...)
	}
	for i := range m.raw.Bodies {
		b = append(append(b, '/'), m.raw.Bodies[i].Name...)
	}
	return max(1, health.Digest(b))
}

// datum is the element under way.
type datum struct {
	m        *mapper
	raw      []byte
	key      string
	span     health.Span
	src      health.Source
	method   health.Method
	order    int64
	values   []health.Value
	texts    []health.Text
	segments []health.Segment
	series   []health.Series
	faults   []fault
	// done: the datum became part of something else.
	done bool
}

// fault is a part of a datum that is set aside while the datum is kept.
type fault struct{ name, reason string }

// maxFaults bounds how many parts of one datum are told.
const maxFaults = 100

func (d *datum) fault(name, reason string) {
	if len(d.faults) < maxFaults && !slices.Contains(d.faults, fault{name, reason}) {
		d.faults = append(d.faults, fault{name, reason})
	}
}

// text adds a fact that is not a number; empty is none.
func (d *datum) text(name, value string) {
	if len(value) > health.MaxText {
		d.fault(name, reasonLong)
	} else if !providers.AddText(&d.texts, name, value) {
		d.fault(name, reasonConflict)
	}
}

// told adds a member that is a text under the given name.
func (d *datum) told(o object, member, name string, as func(string) string) {
	text, v := o.text(member)
	switch v {
	case jsonscan.Bad:
		d.fault(member, reasonType)
	case jsonscan.OK:
		if as != nil {
			text = as(text)
		}
		d.text(name, text)
	}
}

// add adds a value, unless there is another number for the same.
func (d *datum) add(name string, v health.Value) {
	if !providers.AddValue(&d.values, v) {
		d.fault(name, reasonConflict)
	}
}

// numbers adds the values of the fields.
func (d *datum) numbers(o object, fields []field) {
	for i := range fields {
		f := &fields[i]
		if v, state := f.value(o); state == jsonscan.OK {
			d.add(f.path, v)
		} else if state == jsonscan.Bad {
			d.fault(f.path, reasonType)
		}
	}
}

// value reads a field.
func (f *field) value(o object) (health.Value, jsonscan.Verdict) {
	v := health.Value{Metric: f.metric, Stat: f.stat, Part: f.part}
	path := f.path
	for {
		first, rest, deeper := strings.Cut(path, ".")
		if !deeper {
			break
		}
		inner, state := o.object(first)
		if state != jsonscan.OK {
			return v, state
		}
		o, path = inner, rest
	}
	var state jsonscan.Verdict
	if f.seconds {
		v.Number, state = o.duration(path)
	} else {
		v.Number, state = o.number(path)
	}
	if state != jsonscan.OK {
		return v, state
	}
	n, ok := scaled(v.Number, f.shift, f.times)
	if !ok || n.Exponent < -health.MaxExponent || n.Exponent > health.MaxExponent {
		return v, jsonscan.Bad // one number, not the whole record
	}
	v.Number = n
	return v, jsonscan.OK
}

// scaled turns a number of the service into the metric's unit, exactly.
func scaled(n health.Decimal, shift int, times int64) (health.Decimal, bool) {
	ok := true
	if times != 0 {
		if n, ok = fitbitmap.Times(n, times); !ok {
			return n, false
		}
	}
	if shift != 0 {
		n, ok = fitbitmap.Shift(n, shift)
	}
	return n, ok
}

// code is the word of the service as it is kept where it is not translated.
func code(word string) string { return strings.ToLower(word) }
