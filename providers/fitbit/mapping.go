package fitbit

import (
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
	reasonNotJSON   = "not JSON"
	reasonNotObject = "not an object"
	reasonTwice     = "a member is there twice"
	reasonNoID      = "id is missing or not a positive integer"
	reasonTime      = "time is missing or not a time"
	reasonDay       = "date is missing or not a civil day"
	reasonDuration  = "duration is missing, negative or too long"
	reasonOutside   = "outside of the window that was asked for"
	reasonType      = "of a wrong type"
	reasonValue     = "not a number that fits"
	reasonRange     = "not a number or a range of numbers"
	reasonConflict  = "two different values of one kind"
	reasonOverlap   = "begins before the end of what comes before it"
	reasonBackwards = "times that run backwards, or twice the same"
	reasonNoSuch    = "times that the person's clock does not show on that day"
	reasonHopeless  = "more than 1000 parts of the datum are not usable"
	reasonTwin      = "a datum of the page is there twice"
	reasonRoute     = "the recording cannot be read"
	reasonNoRoute   = "the service does not give the recording out"
	reasonSignal    = "the signal cannot be read"
	reasonDevice    = "device id is missing or not valid text"
)

const dayMilli = 24 * 60 * 60 * 1000

// mapper maps the bodies of one page. It is pure: it reads no clock and no
// state but the page.
type mapper struct {
	raw  health.RawPage
	now  time.Time // bounds plausible times
	path health.Path
	// whole: also map what a stream leaves to another one, because there may
	// be nothing of the other.
	whole bool
	user  string // whose page it is; empty is not known

	records     []health.Record
	origins     [][]byte // what each record was mapped from
	quarantined providers.Quarantine

	profile    *time.Location // nil is unknown
	personZone string         // the zone's name, where the page tells it
	row        row

	// Of lists: the next page, the last time in it, and whether a row lies
	// behind the window.
	next   string
	newest int64
	beyond bool
	// workouts that have a recording, in order, and the recordings there are.
	recorded   []int64
	recordings map[int64]*recording
}

func newMapper(page health.RawPage) *mapper {
	m := &mapper{raw: page, now: page.Date, path: health.PathDirect}
	if m.now.IsZero() {
		m.now = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) // no bound
	}
	m.profile = providers.LoadZone(page.Zone)
	return m
}

// period is the civil days that a body answers for, both included. Begins is
// when the first one begins, where that is later than in the person's zone: see
// [providers.Query].
type period struct {
	first, last health.Day
	begins      time.Time
}

func (p period) holds(d health.Day) bool { return d.Compare(p.first) >= 0 && d.Compare(p.last) <= 0 }

// name returns the name of a body: what was asked for, when the first day begins
// if that is known, and the days.
func (p period) name(what string) string {
	if !p.begins.IsZero() {
		what += "/" + p.begins.UTC().Format(time.RFC3339)
	}
	return what + "/" + p.first.String() + "/" + p.last.String()
}

// body returns what the i-th body answers: the request and the days.
func (m *mapper) body(i int) (what string, p period, err error) {
	if i >= len(m.raw.Bodies) {
		return "", p, malformed(codeNoRows)
	}
	name := m.raw.Bodies[i].Name
	at := len(name) - len("/2006-01-02/2006-01-02")
	if at <= 0 || name[at] != '/' || name[at+11] != '/' {
		return "", p, malformed(codeBodyName)
	}
	first, err1 := health.ParseDay(name[at+1 : at+11])
	last, err2 := health.ParseDay(name[at+12:])
	if err1 != nil || err2 != nil || last.Compare(first) < 0 {
		return "", p, malformed(codeBodyName)
	}
	p, what = period{first: first, last: last}, name[:at]
	if cut := strings.LastIndexByte(what, '/'); cut > 0 {
		if begins, err := time.Parse(time.RFC3339, what[cut+1:]); err == nil {
			p.begins, what = begins, what[:cut]
		}
	}
	return what, p, nil
}

// object walks the members of the i-th answer; each is called in front of the
// value of each member.
func (m *mapper) object(i int, each func(*jsonscan.Scanner) error) error {
	s, err := m.scanner(i)
	if err != nil {
		return err
	}
	if s.Kind() != jsonscan.Object {
		if s.Skip(); s.End() != nil {
			return s.Err()
		}
		return malformed(codeShape)
	}
	s.Object()
	for s.NextMember() {
		if err := each(&s); err != nil {
			return err
		}
	}
	return s.End()
}

// scanner returns the i-th answer from its beginning.
func (m *mapper) scanner(i int) (jsonscan.Scanner, error) {
	if i >= len(m.raw.Bodies) {
		return jsonscan.Scanner{}, malformed(codeNoRows)
	}
	s := jsonscan.New(m.raw.Bodies[i].Body)
	if s.Kind() == jsonscan.Invalid {
		return s, malformed(codeNotJSON)
	}
	return s, nil
}

// list maps an answer that has its rows in the member of the given name; other
// reads the members besides, nil leaves them out.
func (m *mapper) list(i int, name string, each func(*jsonscan.Scanner) (key, reason string), other func(*jsonscan.Scanner) error) error {
	return m.subject(i, name, func(s *jsonscan.Scanner) error { return m.rows(s, each) }, other)
}

// subject walks the members of the i-th answer. The one with the given name is
// what the answer is about: it must be there, once. Other reads the members
// besides; nil leaves them out.
func (m *mapper) subject(i int, name string, read, other func(*jsonscan.Scanner) error) error {
	found := false
	err := m.object(i, func(s *jsonscan.Scanner) error {
		switch {
		case string(s.Name()) == name:
			if found {
				return malformed(codeDuplicate)
			}
			found = true
			return read(s)
		case other != nil:
			return other(s)
		default:
			s.Skip()
			return nil
		}
	})
	if err == nil && !found {
		err = malformed(codeNoRows)
	}
	return err
}

// rows walks an array of rows. A row that fails is set aside and the others go
// on; each must not emit anything after a failure of the scanner.
func (m *mapper) rows(s *jsonscan.Scanner, each func(*jsonscan.Scanner) (key, reason string)) error {
	if s.Kind() != jsonscan.Array {
		if s.Skip(); s.Err() != nil {
			return s.Err()
		}
		return malformed(codeNoRows)
	}
	s.Array()
	for i := 0; s.NextElement(); i++ {
		if err := m.one(s, i, each); err != nil {
			return err
		}
	}
	return s.Err()
}

// one reads one row.
func (m *mapper) one(s *jsonscan.Scanner, i int, read func(*jsonscan.Scanner) (key, reason string)) error {
	at := s.Mark()
	m.row = row{}
	r := &m.row
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
	} else if repeated(s.Since(at)) {
		reason = reasonTwice
	} else if r.hopeless {
		reason = reasonHopeless
	}
	raw := s.Since(at)
	if reason != "" {
		clear(m.records[before:])
		m.records, m.origins = m.records[:before], m.origins[:before]
		if key == "" {
			key = m.raw.Stream + "/#" + strconv.Itoa(i)
		}
		m.quarantined.Add(key, reason, raw)
	} else {
		for j := before; j < len(m.origins); j++ {
			m.origins[j] = raw
		}
		if key == "" {
			key = m.raw.Stream + "/#" + strconv.Itoa(i)
		}
		m.setFaultsAside(key, raw)
	}
	if m.quarantined.Flooded() {
		return malformed(codeFlooded)
	}
	return nil
}

// setFaultsAside reports the parts of the row that were set aside.
func (m *mapper) setFaultsAside(key string, raw []byte) {
	for _, f := range m.row.faults {
		if f.raw == nil {
			f.raw = raw
		}
		m.quarantined.Add(key+"#"+f.name, f.reason, f.raw)
	}
	m.row.faults = nil
}

// key returns a record's key.
func (m *mapper) key(parts ...string) string {
	return m.raw.Stream + "/" + strings.Join(parts, "/")
}

// emit adds the record of the row and returns it, to be completed.
func (m *mapper) emit(kind health.Kind, key string) *health.Record {
	r := &m.row
	m.records = append(m.records, health.Record{
		Kind: kind, Key: key, Source: health.Source{Provider: Name, Path: m.path}, Rev: health.Rev{Mapping: mappingVersion},
		Values: r.values, Texts: r.texts, Segments: r.segments, Series: r.series,
	})
	m.origins = append(m.origins, nil)
	return &m.records[len(m.records)-1]
}

// emitDay adds the record of a civil day; a row that tells nothing has none.
func (m *mapper) emitDay(d health.Day) (key string) {
	key = m.key(d.String())
	if m.row.empty() {
		return key
	}
	rec := m.emit(health.KindDaily, key)
	rec.Span = d.Span(m.profile, health.ZoneFromProfile)
	return key
}

// pointSpan returns the period of a datum at one time, or from one time to
// another: in the person's zone where it came without one.
func (m *mapper) pointSpan(start, end health.Moment, flags health.Flags) health.Span {
	s := health.Span{Start: start, End: end, Flags: flags}
	switch {
	case !start.IsFloating():
		if _, known := start.Offset(); known {
			s.Zone = health.ZoneFromRecord
		} else if m.profile != nil {
			s = s.InZone(m.profile, health.ZoneFromProfile)
		}
	case m.profile != nil:
		s = s.InZone(m.profile, health.ZoneFromProfile)
	default:
		s.Zone = health.ZoneFloating
	}
	return s
}

// elapsed returns a function that turns readings of a wall clock that keeps
// running into moments. Within one sleep the service's clock does: across a
// change of clocks all stamps have the offset of the start.
func (m *mapper) elapsed(start int64) (func(wall int64) health.Moment, health.Flags) {
	if m.profile == nil {
		return health.Floating, 0
	}
	first, flags := health.Resolve(health.Floating(start), m.profile)
	instant, _ := first.UnixMilli()
	return func(wall int64) health.Moment {
		at, _ := health.Resolve(health.Instant(instant+wall-start), m.profile)
		return at
	}, flags
}

// finish completes the records: the order of the answer where the row told
// none, canonical form. A record that is not valid is set aside.
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
		r.Normalize()
		if err := r.Validate(m.now); err != nil {
			m.quarantined.Add(r.Key, providers.InvalidReason(err), m.origins[i])
			continue
		}
		// A record per kind and key: a day's totals and a food of it may
		// share a stream.
		id := string(r.Kind) + " " + r.Key
		if twin, ok := seen[id]; ok {
			// The same datum twice, as when rows move between pages: the
			// fresher one counts.
			m.quarantined.Add(r.Key, reasonTwin, m.origins[i])
			if r.Rev.Order > kept[twin].Rev.Order {
				kept[twin] = *r
			}
			continue
		}
		seen[id] = len(kept)
		kept = append(kept, *r)
	}
	clear(m.records[len(kept):])
	m.records = kept
	if len(kept) == 0 {
		m.records = nil
	}
	if m.quarantined.Flooded() {
		return malformed(codeFlooded)
	}
	return nil
}

// digest is the digest of all that the records depend on.
func (m *mapper) digest() uint64 {
	b := make([]byte, 0, 256)
	b = strconv.AppendInt(b, mappingVersion, 10)
	b = append(append(b, '/'), m.raw.Stream...)
	if m.profile != nil {
		b = append(append(b, '/'), m.profile.String()...)
	}
	for i := range m.raw.Bodies {
		b = append(append(b, '/'), m.raw.Bodies[i].Name...)
		b = append(b, ' ')
		b = strconv.AppendUint(b, health.Digest(m.raw.Bodies[i].Body), 16)
	}
	return max(1, health.Digest(b))
}

// days maps an array of rows that each have a civil day in dateTime: value reads
// the member value, other any member besides, false leaving it out.
func (m *mapper) days(i int, name string, value func(*jsonscan.Scanner), other func(*jsonscan.Scanner) bool) error {
	_, asked, err := m.body(i)
	if err != nil {
		return err
	}
	return m.list(i, name, m.dayRow(asked, value, other), nil)
}

// dayRow reads one row of days.
func (m *mapper) dayRow(asked period, value func(*jsonscan.Scanner), other func(*jsonscan.Scanner) bool) func(*jsonscan.Scanner) (key, reason string) {
	return func(s *jsonscan.Scanner) (key, reason string) {
		r := &m.row
		var d health.Day
		for s.NextMember() {
			switch string(s.Name()) {
			case "dateTime":
				d = r.day(s)
			case "value":
				value(s)
			default:
				if other == nil || !other(s) {
					s.Skip()
				}
			}
		}
		switch {
		case d.IsZero():
			return "", reasonDay
		case !asked.holds(d):
			return m.key(d.String()), reasonOutside
		}
		return m.emitDay(d), ""
	}
}

// keyPart returns text as part of a key. Times are parts as they are.
func keyPart(text string) string { return providers.KeyPart(text, " +") }

// column collects the points of one series of wall clock readings, and turns
// them into instants once the zone is known.
type column struct {
	series  health.Series
	scale   int8  // of the numbers as sent, to the metric's unit
	last    int64 // the last time that was kept
	shift   int64 // milliseconds from the wall clock to the instant
	until   int64 // wall clock reading up to which shift holds
	none    presence
	faults  [3]int // times that are refused: backwards, nonexistent; values
	started bool
}

// The places in column.faults.
const (
	faultBackwards = iota
	faultNonexistent
	faultValue
)

// newColumn starts a series that is complete for the day that was asked for. What
// of it is over before it begins is of the day before, which was read in the zone
// of then and has the readings of those hours.
func (m *mapper) newColumn(metric health.Metric, part health.Part, stat health.Stat, asked period, room int) *column {
	c := &column{series: health.Series{Metric: metric, Part: part, Stat: stat}}
	if room > 0 {
		c.series.Times, c.series.Values = make([]int64, 0, room), make([]int64, 0, room)
	}
	midnight := int64(asked.first.Number()) * dayMilli
	c.series.From, c.series.To, c.series.Floating = midnight, midnight+dayMilli, true
	if m.profile != nil {
		start, end, _ := asked.first.Bounds(m.profile)
		c.series.From, c.series.To, c.series.Floating = start.UnixMilli(), end.UnixMilli(), false
		if asked.begins.After(start) {
			c.series.From = min(asked.begins.UnixMilli(), c.series.To)
		}
	}
	return c
}

// at returns the time of a wall clock reading in milliseconds in the series'
// clock. Readings come in order: one that goes back within the hours that the
// clock shows twice is of the second time.
func (c *column) at(m *mapper, wall int64) (int64, bool) {
	if m.profile == nil {
		return wall, true
	}
	if c.started && wall < c.until && wall+c.shift > c.last {
		return wall + c.shift, true
	}
	first, flags := health.Resolve(health.Floating(wall), m.profile)
	if flags.Has(health.FlagNonexistent) {
		return 0, false
	}
	t, _ := first.UnixMilli()
	if flags.Has(health.FlagAmbiguous) && c.started && t <= c.last {
		t = second(m.profile, t, wall)
	}
	c.shift = t - wall
	// The offset holds for the rest of this hour at least: clocks change on
	// whole quarters of an hour.
	const quarter = 15 * 60 * 1000
	c.until = wall - wall%quarter + quarter
	return t, true
}

// second returns the second instant at which the clock shows a reading that it
// shows at first, too.
func second(loc *time.Location, first, wall int64) int64 {
	at := time.UnixMilli(first).In(loc)
	_, change := at.ZoneBounds()
	if change.IsZero() {
		return first
	}
	_, offset := change.Zone()
	return wall - int64(offset)*1000
}

// add adds a point by the wall clock.
func (c *column) add(m *mapper, wall int64, d health.Decimal) {
	if c.none == positive && d.Coefficient <= 0 || c.none == notMinus && d.Coefficient < 0 {
		return
	}
	t, ok := c.at(m, wall)
	switch {
	case !ok:
		c.faults[faultNonexistent]++
		return
	case t < c.series.From || t >= c.series.To, c.started && t <= c.last:
		c.faults[faultBackwards]++
		return
	}
	n, ok := c.scaled(d)
	if !ok {
		c.faults[faultValue]++
		return
	}
	c.series.Times = append(c.series.Times, t)
	c.series.Values = append(c.series.Values, n)
	c.last, c.started = t, true
}

// finest is the smallest exponent of a series: the service writes some numbers
// with all 17 digits of a float64, and one of them must not keep the others out.
const finest = -12

// scaled returns the coefficient of d at the exponent of the series, which is
// lowered if d has more decimal places.
func (c *column) scaled(d health.Decimal) (int64, bool) {
	d, ok := fitbitmap.Shift(d, int(c.scale))
	if !ok || d.Exponent > health.MaxExponent {
		return 0, false
	}
	d = d.Round(finest)
	if d.Exponent == c.series.Exp {
		return d.Coefficient, true
	}
	if len(c.series.Values) == 0 {
		c.series.Exp = d.Exponent
		return d.Coefficient, true
	}
	if n, ok := d.Rescale(c.series.Exp); ok {
		return n, true
	}
	d = d.Normalized()
	if d.Exponent >= c.series.Exp {
		return 0, false
	}
	lowered := make([]int64, len(c.series.Values), cap(c.series.Values))
	for i, n := range c.series.Values {
		v, ok := (health.Decimal{Coefficient: n, Exponent: c.series.Exp}).Rescale(d.Exponent)
		if !ok {
			return 0, false
		}
		lowered[i] = v
	}
	c.series.Values, c.series.Exp = lowered, d.Exponent
	return d.Coefficient, true
}

// report sets aside what the column refused, once for each reason.
func (r *row) report(name string, c *column) {
	for i, reason := range [...]string{reasonBackwards, reasonNoSuch, reasonValue} {
		if c.faults[i] > 0 {
			r.fault(name, reason, nil)
		}
	}
}

// finishSeries adds the columns that have points, and reports what was refused.
func (r *row) finishSeries(columns ...*column) {
	for _, c := range columns {
		r.report(string(c.series.Metric), c)
		if c.series.Len() > 0 {
			r.series = append(r.series, c.series)
		}
	}
}
