package withings

import (
	"slices"
	"strconv"
	"strings"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
	"github.com/vitalmux/vitalmux/providers"
)

// asked is which period of which day a body answers for; its name tells.
type asked struct {
	day      health.Day
	from, to int64 // milliseconds
}

// askedIn reads the name of a body: ".../<day>/<from>-<to>".
func askedIn(name string) (a asked, ok bool) {
	rest, window, _ := cutLast(name, "/")
	_, day, _ := cutLast(rest, "/")
	from, to, _ := strings.Cut(window, "-")
	d, err := health.ParseDay(day)
	if err != nil {
		return asked{}, false
	}
	start, err1 := strconv.ParseInt(from, 10, 48)
	end, err2 := strconv.ParseInt(to, 10, 48)
	return asked{d, start * 1000, end * 1000}, err1 == nil && err2 == nil && start < end
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return "", s, false
}

// window returns the period of the whole page, which may be of two answers.
func (m *mapper) window() (asked, error) {
	var whole asked
	for i := range m.raw.Bodies {
		a, ok := askedIn(m.raw.Bodies[i].Name)
		switch {
		case !ok, i > 0 && (a.day != whole.day || a.from != whole.to):
			return asked{}, malformed(codeBodyName)
		case i == 0:
			whole = a
		default:
			whole.to = a.to
		}
	}
	if whole.to == 0 {
		return asked{}, malformed(codeNoBody)
	}
	return whole, nil
}

// collected is what a day holds of one device.
type collected struct {
	dev      device
	signals  []samples // by bit of the table of fields
	segments []health.Segment
	// first and last bound what was found, in milliseconds.
	first, last int64
	found       bool
}

func (c *collected) extend(from, to int64) {
	if !c.found {
		c.first, c.last, c.found = from, to, true
		return
	}
	c.first, c.last = min(c.first, from), max(c.last, to)
}

// collection is what a day holds, by device, in the order of appearance.
type collection struct {
	window  asked
	fields  []field
	devices []*collected
}

func (c *collection) of(d device) *collected {
	for _, known := range c.devices {
		if known.dev.same(d) {
			return known
		}
	}
	n := &collected{dev: d, signals: make([]samples, len(c.fields)+1)}
	c.devices = append(c.devices, n)
	return n
}

// add adds a point, unless it belongs to another day's answer.
func (c *collection) add(to *collected, signal uint, milli int64, d health.Decimal) {
	if milli < c.window.from || milli >= c.window.to {
		return
	}
	to.signals[signal].add(milli, d)
	to.extend(milli, milli)
}

// seriesOf returns the series of a device, complete for the window.
func (m *mapper) seriesOf(c *collection, d *collected, key string) []health.Series {
	var list []health.Series
	for i := range d.signals {
		if len(d.signals[i].times) == 0 {
			continue
		}
		s := health.Series{Metric: health.MetricSedentaryDuration, From: c.window.from, To: c.window.to}
		name := "inactivity"
		if i < len(c.fields) {
			s.Metric, s.Part, name = c.fields[i].metric, c.fields[i].part, c.fields[i].name
		}
		list = append(list, d.signals[i].series(s, func() { m.quarantined.Add(key+"#"+name, reasonConflict, nil) }))
	}
	return list
}

// epoch reads the name of a member that is a time in seconds.
func (m *mapper) epoch(name []byte) (milli int64, ok bool) {
	n, err := strconv.ParseInt(string(name), 10, 64)
	if err != nil {
		return 0, false
	}
	at, _, ok := m.moment(n)
	milli, _ = at.UnixMilli()
	return milli, ok
}

// intraday maps getintradayactivity: one record per device for the day that was
// asked for.
func (m *mapper) intraday() error {
	window, err := m.window()
	if err != nil {
		return err
	}
	c := &collection{window: window, fields: intradayFields}
	for i := range m.raw.Bodies {
		m.gotRows = false
		err := m.answer(i, func(s *jsonscan.Scanner) error {
			if string(s.Name()) != "series" {
				s.Skip()
				return nil
			}
			return m.intradaySeries(s, c)
		})
		if err != nil {
			return err
		}
		if !m.gotRows {
			return malformed(codeNoRows)
		}
	}
	for _, d := range c.devices {
		if !d.found {
			continue
		}
		key := m.key(window.day.String(), d.dev.source())
		m.startRow()
		rec := m.emit(health.KindSamples, key, 0, m.row.describe(d.dev))
		rec.Span = health.Span{Start: health.Instant(window.from), End: health.Instant(window.to), Day: window.day}
		rec.Method, rec.Series = health.MethodSensed, m.seriesOf(c, d, key)
	}
	return m.finish()
}

func (m *mapper) intradaySeries(s *jsonscan.Scanner, c *collection) error {
	if m.gotRows {
		return malformed(codeDuplicate)
	}
	m.gotRows = true
	whole := s.Mark()
	m.startRow()
	entries := objectOr(s, &m.row, "series")
	if s.Err() != nil {
		return s.Err()
	}
	if len(m.row.faults) > 0 {
		return malformed(codeNoRows)
	}
	for entries && s.NextMember() {
		milli, ok := m.epoch(s.Name())
		key := m.raw.Stream + "/" + c.window.day.String() + "#" + providers.KeyPart(string(s.Name()), "")
		at := s.Mark()
		reason := reasonSampleTime
		if !ok {
			s.Skip()
		} else {
			reason = m.entry(s, c, milli)
		}
		if s.Err() != nil {
			if !s.Resync(at) {
				return s.Err()
			}
			reason = reasonNotJSON
		}
		if reason != "" {
			m.quarantined.Add(key, reason, s.Since(at))
		}
		if m.quarantined.Flooded() {
			return malformed(codeFlooded)
		}
	}
	if s.Err() != nil {
		return s.Err()
	}
	m.fold(s.Since(whole))
	return nil
}

// durationBit is the field that every entry has.
var durationBit = intradayTable["duration"].bit

// entry reads one entry of the intraday series.
func (m *mapper) entry(s *jsonscan.Scanner, c *collection, milli int64) (reason string) {
	const ( // bits of seen
		hasDevice = iota
		hasHash
		hasModel
		hasModelID
		hasModelID2
	)
	var (
		seen   members
		fields uint64
		dev    device
		points [32]health.Decimal
		got    uint64
	)
	if !s.Object() {
		return reasonNotObject
	}
	for s.NextMember() {
		name := s.Name()
		if f, ok := intradayTable[string(name)]; ok {
			seen.twice = seen.twice || fields&(1<<f.bit) != 0
			fields |= 1 << f.bit
			switch d, v := s.ReadDecimal(); {
			case v == jsonscan.Bad:
				reason = f.name + " is " + reasonType
			case v == jsonscan.OK && (!f.none || d.Coefficient != 0):
				points[f.bit] = d
				got |= 1 << f.bit
			}
			continue
		}
		switch string(name) {
		case "deviceid":
			dev.id = seen.identifier(s, hasDevice, &m.in)
		case "hash_deviceid":
			dev.hash = seen.identifier(s, hasHash, &m.in)
		case "model":
			dev.model = seen.word(s, hasModel, &m.in)
		case "model_id", "modelid":
			dev.modelID = seen.modelID(s, hasModelID, dev.modelID)
		default:
			s.Skip()
		}
	}
	switch {
	case s.Err() != nil:
		return reasonNotJSON
	case seen.twice:
		return reasonTwice
	case seen.bad&(1<<hasDevice|1<<hasHash) != 0:
		return reasonDevice
	}
	d := c.of(dev)
	for bit := range uint(len(intradayFields)) {
		if got&(1<<bit) == 0 {
			continue
		}
		signal := bit
		if bit == durationBit && fields == 1<<durationBit {
			signal = uint(len(intradayFields)) // inactivity
		}
		c.add(d, signal, milli, points[bit])
	}
	return reason
}

// The states of the segments of a night.
var sleepStates = map[int64]string{
	0: health.StageAwake, 1: health.StageLight, 2: health.StageDeep, 3: health.StageREM, 4: health.StageManual,
	5: health.StageUnknown, 15: health.StageOutOfBed,
}

// sleepSegments maps the segments of the nights of one day: one record per
// device.
func (m *mapper) sleepSegments() error {
	window, err := m.window()
	if err != nil {
		return err
	}
	c := &collection{window: window, fields: sleepSignals}
	for i := range m.raw.Bodies {
		m.gotRows = false
		var class string
		err := m.answer(i, func(s *jsonscan.Scanner) error {
			switch string(s.Name()) {
			case "series":
				return m.segmentRows(s, c)
			case "model":
				b, _ := s.ReadWord()
				class = m.in.text(b)
			default:
				s.Skip()
			}
			return nil
		})
		if err != nil {
			return err
		}
		if !m.gotRows {
			return malformed(codeNoRows)
		}
		c.classify(class)
	}
	for _, d := range c.devices {
		if !d.found {
			continue
		}
		m.startRow()
		key := m.key(window.day.String(), c.night(d))
		rec := m.emit(health.KindSleep, key, 0, m.row.describe(d.dev))
		rec.Span = health.Span{Start: health.Instant(d.first), End: health.Instant(d.last), Day: window.day}
		rec.Method, rec.Segments, rec.Series = health.MethodSensed, distinct(d.segments), m.seriesOf(c, d, key)
	}
	return m.finish()
}

// classify gives the class of an answer to what its rows named no model of. What
// an earlier answer had of the same device is joined with it.
func (c *collection) classify(class string) {
	known := c.devices[:0]
	for _, d := range c.devices {
		if d.dev.model == "" && d.dev.modelID == 0 {
			d.dev.model = class
		}
		i := slices.IndexFunc(known, func(k *collected) bool { return k.dev.same(d.dev) })
		if i < 0 {
			known = append(known, d)
		} else {
			known[i].join(d)
		}
	}
	c.devices = known
}

// join adds what another one holds.
func (c *collected) join(o *collected) {
	for i := range o.signals {
		c.signals[i].times = append(c.signals[i].times, o.signals[i].times...)
		c.signals[i].values = append(c.signals[i].values, o.signals[i].values...)
	}
	c.segments = append(c.segments, o.segments...)
	if o.found {
		c.extend(o.first, o.last)
	}
}

// night returns the last part of the key of a device's night: the class of the
// device, because the OAuth 1.0 era tells no more. Of several devices of one
// class the first by name has it, the others add their name.
func (c *collection) night(d *collected) string {
	class := d.dev.class()
	if class == "" {
		return d.dev.source()
	}
	for _, other := range c.devices {
		if other != d && other.found && other.dev.class() == class && other.dev.source() < d.dev.source() {
			return class + "." + d.dev.source()
		}
	}
	return class
}

// distinct drops segments that are there twice: the second answer of a day
// repeats one that reaches into it.
func distinct(list []health.Segment) []health.Segment {
	slices.SortStableFunc(list, func(a, b health.Segment) int {
		x, y := a.Start.SortMilli(), b.Start.SortMilli()
		switch {
		case x != y:
			return int(max(-1, min(1, x-y)))
		case a.End != b.End:
			return int(max(-1, min(1, a.End.SortMilli()-b.End.SortMilli())))
		}
		return strings.Compare(a.Code, b.Code)
	})
	return slices.CompactFunc(list, func(a, b health.Segment) bool {
		return a.Start == b.Start && a.End == b.End && a.Code == b.Code
	})
}

// segmentRows reads the rows of sleep get: an array, or the single object that
// the service's documentation draws.
func (m *mapper) segmentRows(s *jsonscan.Scanner, c *collection) error {
	read := func(s *jsonscan.Scanner) (key, reason string) { return m.segment(s, c) }
	if s.Kind() != jsonscan.Object {
		return m.rows(s, read)
	}
	if m.gotRows {
		return malformed(codeDuplicate)
	}
	m.gotRows = true
	whole := s.Mark()
	if err := m.each(s, 0, read); err != nil {
		return err
	}
	m.fold(s.Since(whole))
	return nil
}

// The members of a segment besides its signals.
const (
	segmentStart = iota
	segmentEnd
	segmentState
	segmentModel
	segmentModelID
	segmentModelID2
	segmentDevice
	segmentHash
)

var segmentNames = []string{"startdate", "enddate", "state", "model", "modelid", "model_id", "deviceid", "hash_deviceid"}

// point is one sample of a signal of a segment.
type point struct {
	signal uint
	milli  int64
	number health.Decimal
}

func (m *mapper) segment(s *jsonscan.Scanner, c *collection) (key, reason string) {
	var (
		r                 = &m.row
		start, end, state int64
		dev               device
		points            []point
	)
	for s.NextMember() {
		name := s.Name()
		if f, ok := signalTable[string(name)]; ok {
			r.twice = r.twice || r.fields&(1<<f.bit) != 0
			r.fields |= 1 << f.bit
			points = m.signal(s, f, points)
			continue
		}
		switch string(name) {
		case "startdate":
			start = r.integer(s, segmentStart)
		case "enddate":
			end = r.integer(s, segmentEnd)
		case "state":
			state = r.integer(s, segmentState)
		case "model":
			dev.model = r.word(s, segmentModel, &m.in)
		case "model_id", "modelid":
			dev.modelID = r.modelID(s, segmentModelID, dev.modelID)
		case "deviceid":
			dev.id = r.identifier(s, segmentDevice, &m.in)
		case "hash_deviceid":
			dev.hash = r.identifier(s, segmentHash, &m.in)
		default:
			s.Skip()
		}
	}
	if s.Err() != nil || r.twice {
		return "", "" // the caller says so
	}
	key = m.raw.Stream + "/" + c.window.day.String() + "#" + strconv.FormatInt(start, 10)
	from, _, ok1 := m.moment(start)
	to, _, ok2 := m.moment(end)
	switch {
	case r.bad&(1<<segmentDevice|1<<segmentHash) != 0:
		return key, reasonDevice
	case !ok1 || !ok2:
		return key, reasonTime
	case to.SortMilli() < from.SortMilli():
		return key, reasonEndFirst
	case !r.has(segmentState):
		return key, "state is missing or " + reasonType
	}
	r.optional(segmentNames)
	d := c.of(dev)
	for _, p := range points {
		c.add(d, p.signal, p.milli, p.number)
	}
	// A segment belongs to the day in which it begins.
	if milli := from.SortMilli(); milli >= c.window.from && milli < c.window.to {
		d.segments = append(d.segments, health.Segment{
			Track: health.TrackStage, Label: sleepStates[state], Code: strconv.FormatInt(state, 10), Start: from, End: to,
		})
		d.extend(milli, to.SortMilli())
	}
	return key, ""
}

// signal reads a map from seconds to numbers.
func (m *mapper) signal(s *jsonscan.Scanner, f indexed, points []point) []point {
	r := &m.row
	if !objectOr(s, r, f.name) {
		return points
	}
	for s.NextMember() {
		milli, ok := m.epoch(s.Name())
		at := s.Mark()
		d, v := s.ReadDecimal()
		switch {
		case s.Err() != nil:
			return points
		case !ok:
			r.fault(f.name, reasonSampleTime, s.Since(at))
		case v == jsonscan.Bad:
			r.fault(f.name, reasonType, s.Since(at))
		case v == jsonscan.OK && (!f.none || d.Coefficient != 0):
			points = append(points, point{f.bit, milli, d})
		}
	}
	return points
}
