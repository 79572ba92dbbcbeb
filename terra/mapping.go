package terra

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
	"github.com/vitalmux/vitalmux/providers"
)

// mappingVersion is the Rev.Mapping of all records. It rises when the same data
// would map to other records than before.
const mappingVersion = 1

// The kinds of data, in the words of events and getters. Each is a stream.
const (
	kindActivity          = "activity"
	kindAthlete           = "athlete"
	kindBody              = "body"
	kindDaily             = "daily"
	kindHealthObservation = "health_observation"
	kindHormone           = "hormone"
	kindMenstruation      = "menstruation"
	kindNutrition         = "nutrition"
	kindPlannedWorkout    = "planned_workout"
	kindSleep             = "sleep"
)

// The reasons for which data is set aside, besides [reasonType].
const (
	reasonNotJSON   = "not JSON"
	reasonNotObject = "not an object"
	reasonTwice     = "a member is there twice"
	reasonNoID      = "id is missing or not valid text"
	reasonTime      = "time is missing or not plausible"
	reasonDay       = "does not begin with a civil day"
	reasonEndFirst  = "end before start"
	reasonNumber    = "number is too large or too small"
	reasonConflict  = "two different values of one kind"
	reasonName      = "name is missing or not valid text"
	reasonCode      = "code is not known"
	reasonClock     = "times with and without offset are mixed"
	reasonTooMany   = "more than 100 samples are not usable"
	reasonTooLong   = "text is too long"
	reasonFlooded   = "too many elements of lists"
	reasonTwin      = "the datum is there twice"
)

// codeKind is the code of a kind of data that is not known.
const codeKind = "kind"

// envelope is what is known of an answer or a delivery besides its data.
type envelope struct {
	// Order is the ordering time in milliseconds, already clamped. It is
	// Rev.Order of all records.
	Order int64
	// Push: it came by webhook.
	Push bool
	// Now bounds which times are plausible; zero is no bound.
	Now time.Time
}

// mapData maps the elements of a data array of one kind ("activity", "daily",
// ...); for an athlete, and for others with one datum, it may be the object
// alone. It is pure: the same input gives the same result. The records are
// normalized and valid, each key is there once, and their Connection is empty.
// Data that cannot be mapped is set aside with the reason, and the rest is kept.
//
// The error, of class ErrMalformed, is for data that is not JSON or of another
// shape, and for a kind that is not known.
func mapData(kind string, user User, data []byte, at envelope) ([]health.Record, []providers.Quarantined, error) {
	s := jsonscan.New(data)
	m := newMapper(kind, at)
	m.resync = true
	err := m.all(&s)
	if err == nil && s.End() != nil {
		err = malformed(codeBadJSON)
	}
	if err != nil {
		return nil, nil, err
	}
	m.finish(user)
	return m.records, m.quarantined, nil
}

// mapper maps one array.
type mapper struct {
	kind string
	at   envelope
	now  int64 // at.Now in milliseconds
	scan *jsonscan.Scanner
	// resync is set where an element that breaks the grammar may be set aside;
	// else it fails the whole.
	resync bool

	records     []health.Record
	origins     [][]byte // what each record was mapped from
	quarantined []providers.Quarantined
}

func newMapper(kind string, at envelope) mapper {
	if at.Now.IsZero() {
		at.Now = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return mapper{kind: kind, at: at, now: at.Now.UnixMilli()}
}

// all maps the data that the scanner stands in front of.
func (m *mapper) all(s *jsonscan.Scanner) error {
	m.scan = s
	switch m.kind {
	case kindActivity:
		return mapEach(m, (*draft).activity)
	case kindAthlete:
		return mapEach(m, (*draft).athlete)
	case kindBody:
		return mapEach(m, (*draft).body)
	case kindDaily:
		return mapEach(m, (*draft).daily)
	case kindHealthObservation:
		return mapEach(m, (*draft).observation)
	case kindHormone:
		return mapEach(m, (*draft).hormone)
	case kindMenstruation:
		return mapEach(m, (*draft).menstruation)
	case kindNutrition:
		return mapEach(m, (*draft).nutrition)
	case kindPlannedWorkout:
		return mapEach(m, (*draft).plannedWorkout)
	case kindSleep:
		return mapEach(m, (*draft).sleep)
	default:
		return malformed(codeKind)
	}
}

// mapEach maps all elements. What each returns is why the element cannot be
// mapped, empty if it can.
func mapEach[T any](m *mapper, each func(*draft, *T) string) error {
	s := m.scan
	switch s.Kind() {
	case jsonscan.Object:
		return mapOne(m, 0, each)
	case jsonscan.Array:
		s.Array()
		for i := 0; s.NextElement(); i++ {
			if err := mapOne(m, i, each); err != nil {
				return err
			}
		}
		return nil
	case jsonscan.Invalid:
		return malformed(codeNotJSON)
	default:
		s.Skip()
		return malformed(codeShape)
	}
}

func mapOne[T any](m *mapper, i int, each func(*draft, *T) string) error {
	s := m.scan
	at, object := s.Mark(), s.Kind() == jsonscan.Object
	var v T
	in := decoder{s: s}
	in.into(&v)
	raw, unknown := s.Since(at), m.kind+"/#"+strconv.Itoa(i)
	if s.Err() != nil {
		if !m.resync || !s.Resync(at) {
			return malformed(codeBadJSON)
		}
		m.setAside(unknown, reasonNotJSON, s.Since(at))
		return nil
	}
	d := draft{m: m, raw: raw}
	reason := reasonNotObject
	switch {
	case !object:
	case in.lists > maxLists:
		reason = reasonFlooded
	case in.twice:
		reason = reasonTwice
	default:
		d.faults = in.faults
		reason = each(&d, &v)
	}
	if reason != "" {
		m.setAside(cmp.Or(d.key, unknown), reason, raw)
		return nil
	}
	d.emit()
	for _, f := range d.faults {
		m.setAside(d.key+"#"+f.Path, f.Reason, locate(raw, f.Path))
	}
	m.quarantined = append(m.quarantined, d.quarantined...)
	return nil
}

func (m *mapper) setAside(key, reason string, raw []byte) {
	m.quarantined = append(m.quarantined, providers.Quarantined{Key: key, Reason: reason, Raw: raw})
}

// finish brings the records into canonical form and sets those aside that are
// not valid, or are there twice: of those, the one that reaches furthest and
// holds most is kept, whatever the order they came in. The user is whose they are.
func (m *mapper) finish(user User) {
	upstream := strings.TrimSpace(user.Provider)
	kept := m.records[:0]
	seen := make(map[string]int, len(m.records))
	origins := m.origins[:0]
	for i := range m.records {
		r, origin := m.records[i], m.origins[i]
		r.Source.Upstream = upstream
		r.Normalize()
		if err := r.Validate(m.at.Now); err != nil {
			m.setAside(r.Key, providers.InvalidReason(err), origin)
			continue
		}
		twin, ok := seen[string(r.Kind)+" "+r.Key]
		if !ok {
			seen[string(r.Kind)+" "+r.Key] = len(kept)
			kept, origins = append(kept, r), append(origins, origin)
			continue
		}
		if compareTwins(&r, &kept[twin]) > 0 {
			r, kept[twin] = kept[twin], r
			origin, origins[twin] = origins[twin], origin
		}
		m.setAside(r.Key, reasonTwin, origin)
	}
	clear(m.records[len(kept):])
	m.records = kept
}

func compareTwins(a, b *health.Record) int {
	size := func(r *health.Record) int {
		n := len(r.Values) + len(r.Texts) + len(r.Segments)
		for i := range r.Series {
			n += r.Series[i].Len()
		}
		return n
	}
	if c := cmp.Compare(a.State, b.State); c != 0 {
		return c
	}
	if c := cmp.Compare(a.Span.End.SortMilli(), b.Span.End.SortMilli()); c != 0 {
		return c
	}
	if c := cmp.Compare(size(a), size(b)); c != 0 {
		return c
	}
	return cmp.Compare(a.Fingerprint(), b.Fingerprint())
}

// draft is the datum under way: one element of the array. It gives one record,
// and for a body more.
type draft struct {
	health.Record
	m           *mapper
	raw         []byte
	key         string // of the first record
	faults      []Fault
	quarantined []providers.Quarantined
	about       health.Day // which day the datum is about, if it is about one
	// utc and local are what the datum says of its times. offsets: it begins or ends
	// at an offset that is not zero, so that zero is one too: on the day, or in the
	// night, when the clocks of London change.
	utc, local, offsets bool
}

// begin starts the first record.
func (d *draft) begin(kind health.Kind, parts ...string) {
	d.Kind = kind
	d.Key = d.m.kind + "/" + strings.Join(parts, "/")
	d.Source = health.Source{Provider: Name, Path: health.PathTerra}
	d.Rev = health.Rev{Order: d.m.at.Order, Mapping: mappingVersion, Push: d.m.at.Push}
	d.key = d.Key
}

// emit adds the record to those of the array.
func (d *draft) emit() {
	d.m.records = append(d.m.records, d.Record)
	d.m.origins = append(d.m.origins, d.raw)
}

// next adds the record and starts another one from the same datum. The rest of
// its key follows that of the first record, or the kind's name alone.
func (d *draft) next(kind health.Kind, key string) {
	d.emit()
	d.Record = health.Record{Kind: kind, Key: key, Source: d.Source, Rev: d.Rev}
}

// erase turns the record into a tombstone.
func (d *draft) erase() {
	d.State = health.StateDeleted
	d.Values, d.Texts, d.Segments, d.Series, d.Method = nil, nil, nil, nil, health.MethodUnknown
	d.faults, d.quarantined = nil, nil
}

// fault sets a part of the datum aside.
func (d *draft) fault(name, reason string, raw []byte) {
	d.quarantined = append(d.quarantined, providers.Quarantined{Key: d.Key + "#" + name, Reason: reason, Raw: raw})
}

// failed reports whether a member could not be read.
func (d *draft) failed(path string) bool {
	return slices.ContainsFunc(d.faults, func(f Fault) bool { return f.Path == path })
}

// localized takes over what the datum, from start to end, says of its times.
func (d *draft) localized(l *TimestampLocalization, start, end Timestamp) {
	for _, t := range [...]Timestamp{start, end} {
		m, _, err := t.Moment()
		d.offsets = d.offsets || err == nil && !zeroOffset(m)
	}
	d.utc, d.local = l != nil && *l == LocalizationUTC, l != nil && *l == LocalizationLocal
	if l != nil && !d.utc && !d.local {
		d.text("terra_timestamp_localization", strconv.Itoa(int(*l)))
	}
}

// clock reads a time the way the datum says: local times that claim the offset
// of UTC tell no offset, unless the datum has others too, and times in UTC tell the instant alone. An offset that
// is not zero is believed in any case.
func (d *draft) clock(m health.Moment) health.Moment {
	offset, zoned := m.Offset()
	switch {
	case m.IsZero(), zoned && offset != 0:
		return m
	case d.local && !d.offsets:
		return health.Floating(m.SortMilli())
	case d.utc:
		return health.Instant(m.SortMilli())
	}
	return m
}

// moment reads a time of the datum; false if it is none or not plausible.
func (d *draft) moment(t Timestamp) (health.Moment, health.Flags, bool) {
	m, flags, err := t.Moment()
	if err != nil || !d.plausible(m.SortMilli()) {
		return health.Moment{}, 0, false
	}
	return d.clock(m), flags, true
}

const (
	milliPerDay = 24 * 60 * 60 * 1000
	// earliest is 1990-01-01T00:00Z.
	earliest = 631152000000
)

// plausible reports whether a time may be in the record: see
// [health.Record.Validate].
func (d *draft) plausible(milli int64) bool {
	days := int64(2)
	if d.Kind == health.KindMenstruation || d.Kind == health.KindPlannedWorkout {
		days = 2 * 366
	}
	return milli >= earliest && milli <= d.m.now+days*milliPerDay
}

// period sets the span of the record. An end by a clock of which nobody knows
// where it hangs may be before the start: it is then set aside alone.
func (d *draft) period(start, end Timestamp) string {
	from, flags, ok := d.moment(start)
	if !ok {
		return reasonTime
	}
	d.Span.Start, d.Span.Flags = from, flags
	if end != "" {
		to, flags, ok := d.moment(end)
		switch {
		case !ok:
			return reasonTime
		case to.IsFloating() != from.IsFloating():
			d.text("terra_end_time", string(end))
		case from.IsFloating() && to.SortMilli() < from.SortMilli() && to.SortMilli() > from.SortMilli()-milliPerDay:
			// Clocks were set back, or left behind by a journey.
			d.fault("end_time", reasonEndFirst, []byte(end))
		case to.SortMilli() < from.SortMilli():
			return reasonEndFirst
		default:
			d.Span.End = to
			d.Span.Flags |= flags
		}
	}
	d.Span.Zone = zoneOf(from)
	return ""
}

func zoneOf(m health.Moment) health.Zone {
	if _, zoned := m.Offset(); zoned {
		return health.ZoneFromRecord
	}
	if m.IsFloating() {
		return health.ZoneFloating
	}
	return health.ZoneUnknown
}

// ofDay starts the record of a datum that is about a civil day. The day is cut
// from the text before any conversion. A day that begins at midnight of UTC is a
// civil day that somebody stamped with UTC: nobody knows when it began.
func (d *draft) ofDay(kind health.Kind, l *TimestampLocalization, start, end Timestamp) string {
	day, err := start.Day()
	if err != nil {
		return reasonDay
	}
	d.begin(kind, day.String())
	d.localized(l, start, end)
	if len(start) == len("2006-01-02") {
		d.Span.Start, d.Span.Zone = health.Floating(int64(day.Number())*milliPerDay), health.ZoneFloating
	} else if reason := d.period(start, end); reason != "" {
		return reason
	}
	s := &d.Span
	s.Day, d.about = day, day
	if from := s.Start.SortMilli(); from%milliPerDay == 0 && zeroOffset(s.Start) && !d.offsets {
		s.Start, s.Zone = health.Floating(from), health.ZoneFloating
		if !s.End.IsZero() {
			s.End = health.Floating(s.End.SortMilli())
		} else {
			s.End = health.Floating(from + milliPerDay)
		}
	}
	return ""
}

// zeroOffset reports whether a time told no offset but that of UTC.
func zeroOffset(m health.Moment) bool {
	offset, _ := m.Offset()
	return offset == 0
}

// ofSession starts the record of a night or a workout: known by its id, else by
// its start and end as they are printed, without the offset.
func (d *draft) ofSession(kind health.Kind, id string, l *TimestampLocalization, start, end Timestamp) string {
	if d.failed("metadata.summary_id") {
		return reasonNoID
	}
	if id != "" {
		d.begin(kind, keyPart(id))
	} else {
		d.begin(kind, clockText(start), clockText(end))
	}
	d.localized(l, start, end)
	return d.period(start, end)
}

// clockText is the clock reading of a time as it was printed, as part of a key.
func clockText(t Timestamp) string {
	m, _, err := t.Moment()
	if err != nil {
		return "none"
	}
	wall, ok := m.WallMilli()
	if !ok {
		wall = m.SortMilli()
	}
	return time.UnixMilli(wall).UTC().Format("2006-01-02T15:04:05")
}

// keyPart returns an id if it can be part of a key as it is, else a digest of
// it. An id that is a whole number has one form: 12.0 is 12.
func keyPart(id string) string {
	if strings.ContainsAny(id, ".eE") {
		if d, err := health.ParseDecimal(id); err == nil {
			if n, ok := d.Rescale(0); ok {
				return strconv.FormatInt(n, 10)
			}
		}
	}
	return providers.KeyPart(id, "+=")
}

// locate returns the value that the path of a [Fault] leads to; the whole
// document if it is not there.
func locate(raw []byte, path string) []byte {
	s := jsonscan.New(raw)
	for path != "" {
		var step string
		if index, ok := strings.CutPrefix(path, "["); ok {
			step, path, _ = strings.Cut(index, "]")
			n, err := strconv.Atoi(step)
			if err != nil || !s.Array() {
				return raw
			}
			for i := 0; ; i++ {
				if !s.NextElement() {
					return raw
				}
				if i == n {
					break
				}
				s.Skip()
			}
		} else {
			if end := strings.IndexAny(path, ".["); end >= 0 {
				step, path = path[:end], path[end:]
			} else {
				step, path = path, ""
			}
			if !s.Object() {
				return raw
			}
			for {
				if !s.NextMember() {
					return raw
				}
				if string(s.Name()) == step {
					break
				}
				s.Skip()
			}
		}
		path = strings.TrimPrefix(path, ".")
	}
	return s.Raw()
}

// within reports whether a number may be in a record, and returns it in a form
// that may.
func within(d health.Decimal) (health.Decimal, bool) {
	if d.Exponent >= -health.MaxExponent && d.Exponent <= health.MaxExponent {
		return d, true
	}
	d = d.Normalized()
	return d, d.Exponent >= -health.MaxExponent && d.Exponent <= health.MaxExponent
}

// shifted returns d times a power of ten.
func shifted(d health.Decimal, digits int) (health.Decimal, bool) {
	if e := int(d.Exponent) + digits; e >= math.MinInt8 && e <= math.MaxInt8 {
		d.Exponent = int8(e)
		return within(d)
	}
	return d, false
}
