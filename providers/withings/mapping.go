package withings

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
	"github.com/vitalmux/vitalmux/providers"
)

// mappingVersion is the Rev.Mapping of all records. It rises when the same
// answer would map to other records than before.
const mappingVersion = 3

// legacyMappingVersion is the same for answers of the OAuth 1.0 era. It stays below
// mappingVersion: of two rows that are equally new, the one of today counts.
const legacyMappingVersion = 1

// The reasons for which data is set aside.
const (
	reasonNotJSON    = "not JSON"
	reasonNotObject  = "not an object"
	reasonTwice      = "a member is there twice"
	reasonNoID       = "id is missing or not a positive integer"
	reasonTime       = "time is missing or not plausible"
	reasonDay        = "date is missing or not a civil day"
	reasonEndFirst   = "end before start"
	reasonDevice     = "device id is not valid text"
	reasonType       = "of a wrong type"
	reasonUnit       = "unit is missing or outside -12..12"
	reasonValue      = "value or type is missing, or is not a number that fits"
	reasonConflict   = "two different values of one kind"
	reasonOutside    = "outside of the window that was asked for"
	reasonTooMany    = "too many values"
	reasonNoSignal   = "the service does not give the signal out"
	reasonBadSignal  = "the signal cannot be read"
	reasonHopeless   = "more than 1000 data of the row are not usable"
	reasonTwin       = "a row of the page is there twice"
	reasonSampleTime = "sample time is not an integer"
)

// mapper maps the bodies of one page. It is pure: it reads no clock and no
// state but the page.
type mapper struct {
	raw  health.RawPage
	user string    // whose page it is; empty is not known
	now  time.Time // bounds plausible times
	// legacy: the bodies are of the OAuth 1.0 era.
	legacy bool

	records     []health.Record
	origins     [][]byte // what each record was mapped from
	quarantined providers.Quarantine

	profile    *time.Location // the zone for rows that tell none; nil is unknown
	personZone string         // its name, where the page tells it
	toldOn     health.Day     // of the row that told it, in the OAuth 1.0 era
	digest     uint64         // of the rows
	gotRows    bool
	foreign    bool // a row said that it belongs to another person
	paged      members
	more       bool
	offset     int64
	gotOffset  bool
	count      int   // of rows
	updated    int64 // seconds; the service's mark, 0 if it told none
	newest     int64 // milliseconds; the latest modification

	signals    []int64 // ids of the recordings that the page lists
	recordings map[int64]recording

	zones  map[string]*time.Location
	in     interner
	keys   strings.Builder
	values slab[health.Value]
	texts  slab[health.Text]
	row    row
}

func newMapper(page health.RawPage) *mapper {
	m := &mapper{raw: page, now: page.Date}
	m.legacy = len(page.Bodies) > 0 && strings.HasPrefix(page.Bodies[0].Name, legacyBodies)
	if m.now.IsZero() {
		m.now = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) // no bound
	}
	m.profile = m.zone(page.Zone)
	return m
}

// zoneAge is how old a day may be that tells where the person is now: the streams
// whose days do are read that far back each time.
const zoneAge = 7 * day

// maxZones is how many zones of one page are looked up.
const maxZones = 100

// zone returns the zone of that name; nil if there is none.
func (m *mapper) zone(name string) *time.Location {
	if !providers.IsZoneName(name) {
		return nil
	}
	loc, known := m.zones[name]
	if !known && len(m.zones) < maxZones {
		loc, _ = time.LoadLocation(name)
		if m.zones == nil {
			m.zones = make(map[string]*time.Location)
		}
		m.zones[name] = loc
	}
	return loc
}

// useProfile makes name the zone of rows that tell none, if it is one.
func (m *mapper) useProfile(name string) {
	if loc := m.zone(name); loc != nil {
		m.profile, m.personZone = loc, name
	}
}

// learnZone takes the zone of the latest day for the person's: the OAuth 1.0 era
// did not tell it otherwise.
func (m *mapper) learnZone(on health.Day, name string) {
	if m.legacy && !on.IsZero() && on.Compare(m.toldOn) >= 0 && m.zone(name) != nil {
		m.toldOn, m.personZone = on, name
	}
}

// zoneIsOld reports whether the day that told the person's zone was over long
// before the answer: it tells where the person was then.
func (m *mapper) zoneIsOld() bool {
	return !m.toldOn.IsZero() && !m.raw.Date.IsZero() && m.toldOn.Compare(health.DayOf(m.raw.Date.Add(-zoneAge))) < 0
}

// The members that bodies share, as bits of mapper.paged.
const (
	bodyMore = iota
	bodyOffset
	bodyUpdateTime
	bodyTimezone
)

// answer walks the body of the i-th answer of the page; each is called in front
// of the value of each member, and reads or skips it.
func (m *mapper) answer(i int, each func(*jsonscan.Scanner) error) error {
	if i >= len(m.raw.Bodies) {
		return malformed(codeNoBody)
	}
	s := jsonscan.New(m.raw.Bodies[i].Body)
	switch s.Kind() {
	case jsonscan.Object:
	case jsonscan.Invalid:
		return malformed(codeNotJSON)
	default:
		return malformed(codeNoStatus)
	}
	const ( // bits of seen
		status = iota
		body
	)
	var (
		seen     members
		code     = int64(-1)
		deferred jsonscan.Mark
		waiting  bool
	)
	s.Object()
	for s.NextMember() {
		switch string(s.Name()) {
		case "status":
			code = seen.integer(&s, status)
		case "body":
			seen.meet(body)
			if code == statusOK {
				if err := m.members(&s, each); err != nil {
					return err
				}
				continue
			}
			// What the body is worth is not known yet.
			deferred, waiting = s.Mark(), true
			if s.Skip(); s.Err() != nil {
				s.Resync(deferred)
			}
		default:
			s.Skip()
		}
	}
	switch err := s.End(); {
	case err != nil:
		return err
	case seen.twice:
		return malformed(codeDuplicate)
	case !seen.has(status) || code != statusOK:
		return malformed(codeNoStatus)
	case seen.seen&(1<<body) == 0:
		return malformed(codeNoBody)
	case waiting:
		s.Return(deferred)
		return m.members(&s, each)
	}
	return nil
}

func (m *mapper) members(s *jsonscan.Scanner, each func(*jsonscan.Scanner) error) error {
	if s.Kind() != jsonscan.Object {
		if m.legacy && s.Kind() == jsonscan.Array && s.Array() && !s.NextElement() {
			return s.Err() // an empty object
		}
		if s.Skip(); s.Err() != nil {
			return s.Err()
		}
		return malformed(codeNoBody)
	}
	s.Object()
	for s.NextMember() {
		if err := each(s); err != nil {
			return err
		}
	}
	return s.Err()
}

// paging reads the members that the bodies of lists share.
func (m *mapper) paging(s *jsonscan.Scanner) error {
	switch string(s.Name()) {
	case "more":
		m.more = m.paged.truth(s, bodyMore)
	case "offset":
		m.gotOffset = s.Kind() != jsonscan.Null
		m.offset = m.paged.integer(s, bodyOffset)
	case "updatetime":
		m.updated = m.paged.integer(s, bodyUpdateTime)
	case "timezone":
		m.useProfile(m.paged.identifier(s, bodyTimezone, &m.in))
	default:
		s.Skip()
	}
	return nil
}

// list maps an answer that is a list of rows in the member of the given name.
func (m *mapper) list(name string, each func(*jsonscan.Scanner) (key, reason string)) error {
	err := m.answer(0, func(s *jsonscan.Scanner) error {
		if string(s.Name()) == name {
			return m.rows(s, each)
		}
		return m.paging(s)
	})
	if err != nil {
		return err
	}
	return m.listed()
}

// listed checks what was read of a list beside its rows, and completes the
// records.
func (m *mapper) listed() error {
	switch {
	case m.paged.twice:
		return malformed(codeDuplicate)
	case !m.gotRows:
		return malformed(codeNoRows)
	case m.foreign:
		return malformed(providers.CodeIdentity)
	case m.paged.bad&(1<<bodyMore|1<<bodyOffset) != 0, m.more && !m.gotOffset && !m.legacy, m.offset < 0, m.offset > math.MaxInt32:
		return malformed(codePaging)
	}
	if m.paged.bad&(1<<bodyUpdateTime) != 0 {
		m.updated = 0
	}
	return m.finish()
}

// rows walks an array of rows. A row that fails is set aside and the others go
// on; each must not emit anything after a failure of the scanner.
func (m *mapper) rows(s *jsonscan.Scanner, each func(*jsonscan.Scanner) (key, reason string)) error {
	if m.gotRows {
		return malformed(codeDuplicate)
	}
	m.gotRows = true
	array := s.Mark()
	if s.Kind() != jsonscan.Array {
		if s.Skip(); s.Err() != nil {
			return s.Err()
		}
		return malformed(codeNoRows)
	}
	s.Array()
	for i := 0; s.NextElement(); i++ {
		m.count++
		if err := m.each(s, i, each); err != nil {
			return err
		}
		if m.quarantined.Flooded() {
			return malformed(codeFlooded)
		}
	}
	if s.Err() != nil {
		return s.Err()
	}
	m.fold(s.Since(array))
	return nil
}

// each reads one row.
func (m *mapper) each(s *jsonscan.Scanner, i int, read func(*jsonscan.Scanner) (key, reason string)) error {
	at := s.Mark()
	r := &m.row
	m.startRow()
	key, reason := "", reasonNotObject
	before := len(m.records)
	if s.Object() {
		key, reason = read(s)
	}
	if s.Err() != nil {
		if !s.Resync(at) {
			return s.Err()
		}
		reason = reasonNotJSON
	} else if r.twice {
		reason = reasonTwice
	} else if r.hopeless {
		reason = reasonHopeless
	}
	raw := s.Since(at)
	if i == 0 {
		m.expect(s.Left() / (len(raw) + 1))
	}
	if reason != "" {
		clear(m.records[before:])
		m.records, m.origins = m.records[:before], m.origins[:before]
		if key == "" {
			key = m.raw.Stream + "/#" + strconv.Itoa(i)
		}
		m.quarantined.Add(key, reason, raw)
		return nil
	}
	for j := before; j < len(m.origins); j++ {
		m.origins[j] = raw
	}
	for _, f := range r.faults {
		if f.raw == nil {
			f.raw = raw
		}
		m.quarantined.Add(key+"#"+f.name, f.reason, f.raw)
	}
	return nil
}

// maxExpected bounds how many rows memory is set aside for before they are seen.
const maxExpected = 4096

// expect makes room for n more records.
func (m *mapper) expect(n int) {
	n = min(n, maxExpected)
	m.records = slices.Grow(m.records, n)
	m.origins = slices.Grow(m.origins, n)
}

// version is the mapping version of the page's records.
func (m *mapper) version() uint16 {
	if m.legacy {
		return legacyMappingVersion
	}
	return mappingVersion
}

// fold adds what records were mapped from to the digest of the page.
func (m *mapper) fold(data []byte) {
	m.digest = m.digest*31 + health.Digest(data)
}

// pageDigest is the digest of all that the records depend on.
func (m *mapper) pageDigest() uint64 {
	b := make([]byte, 0, 256)
	b = strconv.AppendUint(b, m.digest, 16)
	b = append(b, '/')
	b = strconv.AppendInt(b, int64(m.version()), 10)
	b = append(append(b, '/'), m.raw.Stream...)
	if m.profile != nil {
		b = append(append(b, '/'), m.profile.String()...)
	}
	for i := range m.raw.Bodies {
		b = append(append(b, '/'), m.raw.Bodies[i].Name...)
	}
	return max(1, health.Digest(b))
}

// emit adds the record of the row and returns it, to be completed: the source's
// provider, mapping version, values and texts are in it.
//
// Rows of the OAuth 1.0 era are as new as the answer, whatever they tell: then a
// row of today that was modified before is the same datum, and takes nothing's
// place, and one that was modified since does.
func (m *mapper) emit(kind health.Kind, key string, order int64, src health.Source) *health.Record {
	row := &m.row
	for _, l := range row.later {
		if !row.value(l.value) {
			row.text(l.name, l.value.Number.String())
		}
	}
	m.newest = max(m.newest, order)
	m.records = append(m.records, health.Record{})
	m.origins = append(m.origins, nil)
	r := &m.records[len(m.records)-1]
	r.Kind, r.Key = kind, key
	r.Source = src
	r.Source.Provider, r.Source.Path = Name, health.PathDirect
	r.Rev.Order, r.Rev.Mapping = order, m.version()
	if m.legacy && !m.raw.Date.IsZero() {
		r.Rev.Order = m.raw.Date.UnixMilli()
	}
	r.Values = m.values.take(row.values)
	r.Texts = m.texts.take(row.texts)
	return r
}

// finish completes the records: the zone of the person where the row told
// none, the order of the answer where the row told none, canonical form. A
// record that is not valid is set aside.
func (m *mapper) finish() error {
	date := int64(0)
	if !m.raw.Date.IsZero() {
		date = m.raw.Date.UnixMilli()
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
		if r.Span.Zone == health.ZoneUnknown && m.profile != nil {
			r.Span = r.Span.InZone(m.profile, health.ZoneFromProfile)
			for j := range r.Segments {
				seg := &r.Segments[j]
				seg.Start, _ = health.Resolve(seg.Start, m.profile)
				seg.End, _ = health.Resolve(seg.End, m.profile)
			}
		}
		r.Normalize()
		if err := r.Validate(m.now); err != nil {
			m.quarantined.Add(r.Key, providers.InvalidReason(err), m.origins[i])
			continue
		}
		if twin, ok := seen[r.Key]; ok {
			// The same row twice, as when rows move between pages, or two
			// devices of one day. The one that would win in two pages does.
			other := m.origins[i]
			if olderThan(&kept[twin], r) {
				kept[twin], m.origins[twin], other = *r, other, m.origins[twin]
			}
			m.quarantined.Add(r.Key, reasonTwin, other)
			continue
		}
		seen[r.Key] = len(kept)
		m.origins[len(kept)] = m.origins[i]
		if i == len(kept) {
			kept = kept[:i+1]
		} else {
			kept = append(kept, *r)
		}
	}
	clear(m.records[len(kept):])
	m.records = kept
	if m.quarantined.Flooded() {
		return malformed(codeFlooded)
	}
	return nil
}

// olderThan reports whether the second of two records of one key takes the place
// of the first.
func olderThan(a, b *health.Record) bool {
	x, y := a.Rev, b.Rev
	x.Fingerprint, y.Fingerprint = a.Fingerprint(), b.Fingerprint()
	return x.Compare(y) < 0
}

// candidate returns the mark for the next walk: the service's own, else the
// time of the answer less what clocks and late rows may need. It never goes
// back behind the mark this walk began at. One that is later than the answer is
// none of the service's: no change would be told any more until then.
func (m *mapper) candidate(q providers.Query) string {
	mark := m.updated
	if mark <= 0 || !m.raw.Date.IsZero() && mark > m.raw.Date.Add(overlap).Unix() {
		switch {
		case !m.raw.Date.IsZero():
			mark = m.raw.Date.Add(-overlap).Unix()
		case m.newest > 0:
			mark = m.newest/1000 - int64(overlap/time.Second)
		default:
			return q.HighWater
		}
	}
	if old, err := strconv.ParseInt(q.HighWater, 10, 64); err == nil && old > mark {
		return q.HighWater
	}
	return strconv.FormatInt(mark, 10)
}

// key returns a record's key out of parts that hold no slashes of their own.
func (m *mapper) key(parts ...string) string {
	size := len(m.raw.Stream)
	for _, p := range parts {
		size += 1 + len(p)
	}
	at := m.startKey(size)
	for _, p := range parts {
		m.keys.WriteByte('/')
		m.keys.WriteString(p)
	}
	return m.keys.String()[at:]
}

// idKey returns the key of a row that has an id.
func (m *mapper) idKey(id int64) string {
	var buf [20]byte
	digits := strconv.AppendInt(buf[:0], id, 10)
	at := m.startKey(len(m.raw.Stream) + 1 + len(digits))
	m.keys.WriteByte('/')
	m.keys.Write(digits)
	return m.keys.String()[at:]
}

// startKey makes room for a key in the text that all keys of the page share,
// and writes its first part.
func (m *mapper) startKey(size int) (at int) {
	if m.keys.Cap()-m.keys.Len() < size {
		room := min(max(512, 4*m.keys.Cap()), 64<<10)
		m.keys = strings.Builder{}
		m.keys.Grow(max(room, size))
	}
	at = m.keys.Len()
	m.keys.WriteString(m.raw.Stream)
	return at
}

// moment reads a time of the wire: seconds, or, flagged, milliseconds.
func (m *mapper) moment(seconds int64) (health.Moment, health.Flags, bool) {
	t, flags, err := health.UnixSeconds(seconds, m.now)
	return t, flags, err == nil
}

// order returns the first of the times that is plausible, in milliseconds; 0 if
// none is.
func (m *mapper) order(times ...int64) int64 {
	for _, t := range times {
		if at, _, ok := m.moment(t); ok {
			milli, _ := at.UnixMilli()
			return milli
		}
	}
	return 0
}

// span returns the period of a row in the row's zone, if that is one.
func (m *mapper) span(start, end int64, zone string) (health.Span, string) {
	var s health.Span
	from, flags, ok := m.moment(start)
	if !ok {
		return s, reasonTime
	}
	s.Start, s.Flags = from, flags
	if end != 0 {
		to, flags, ok := m.moment(end)
		if !ok {
			return s, reasonTime
		}
		if to.SortMilli() < from.SortMilli() {
			return s, reasonEndFirst
		}
		s.End = to
		s.Flags |= flags
	}
	if loc := m.zone(zone); loc != nil {
		s = s.InZone(loc, health.ZoneFromRecord)
	} else if zone != "" {
		m.row.text("withings_timezone", zone)
	}
	return s, ""
}

// daySpan returns the period of a civil day in the row's zone, else in the
// person's, else by an unknown wall clock.
func (m *mapper) daySpan(d health.Day, zone string) health.Span {
	if loc := m.zone(zone); loc != nil {
		return d.Span(loc, health.ZoneFromRecord)
	}
	if zone != "" {
		m.row.text("withings_timezone", zone)
	}
	return d.Span(m.profile, health.ZoneFromProfile)
}
