package googlehealth

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/fitbitmap"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
	"github.com/vitalmux/vitalmux/providers"
)

// Dense points are read without building anything per point: the scanner walks
// the page and each number goes into its column, as an integer with a common
// exponent. A day of heart rate has up to 86,400 of them.

// track is a column of points under way.
type track struct {
	times  []int64
	values []int64
	exp    int8
}

// add adds a point; false for a number that does not fit beside the others.
func (t *track) add(milli int64, d health.Decimal) bool {
	if len(t.times) == health.MaxPoints || d.Exponent > health.MaxExponent {
		return false
	}
	d = d.Round(finest)
	if len(t.times) == 0 {
		t.exp = d.Exponent
	}
	c := d.Coefficient
	if d.Exponent != t.exp {
		var ok bool
		if d.Exponent < t.exp && d.Coefficient != 0 && !t.lower(d) {
			return false
		}
		if c, ok = d.Rescale(t.exp); !ok {
			return false
		}
	}
	t.times, t.values = append(t.times, milli), append(t.values, c)
	return true
}

// finest is the smallest exponent of a column: the service writes some numbers
// with all 17 digits of a float64, and one of them must not keep the others out.
const finest = -12

// lower moves the column to the exponent of a finer number, without its trailing
// zeros.
func (t *track) lower(d health.Decimal) bool {
	d = d.Normalized()
	if d.Exponent >= t.exp {
		return true
	}
	factor := int64(1)
	for e := t.exp; e > d.Exponent; e-- {
		if factor > math.MaxInt64/10 {
			return false
		}
		factor *= 10
	}
	for _, v := range t.values {
		if v > math.MaxInt64/factor || v < math.MinInt64/factor {
			return false
		}
	}
	for i := range t.values {
		t.values[i] *= factor
	}
	t.exp = d.Exponent
	return true
}

// series returns the column in order of time; false if it is empty. Of two
// points of one time the first counts, and conflict is set where they differ.
func (t *track) series() (s health.Series, conflict, ok bool) {
	if len(t.times) == 0 {
		return s, false, false
	}
	t.sort()
	n := 0
	for i := range t.times {
		if i > 0 && t.times[i] == t.times[n-1] {
			conflict = conflict || t.values[i] != t.values[n-1]
			continue
		}
		t.times[n], t.values[n] = t.times[i], t.values[i]
		n++
	}
	return health.Series{Exp: t.exp, Times: t.times[:n:n], Values: t.values[:n:n]}, conflict, true
}

// sort brings the column in order: pages come newest first, so that it most
// often only has to be turned around.
func (t *track) sort() {
	rising, falling := true, true
	for i := 1; i < len(t.times); i++ {
		rising = rising && t.times[i-1] <= t.times[i]
		falling = falling && t.times[i-1] > t.times[i]
	}
	switch {
	case rising:
		return
	case falling:
		slices.Reverse(t.times)
		slices.Reverse(t.values)
		return
	}
	order := make([]int, len(t.times))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return compare(t.times[a], t.times[b]) })
	times, values := make([]int64, len(order)), make([]int64, len(order))
	for i, from := range order {
		times[i], values[i] = t.times[from], t.values[from]
	}
	t.times, t.values = times, values
}

// trackID is what a column is of.
type trackID struct {
	metric health.Metric
	stat   health.Stat
	part   health.Part
}

// labelled is a period with a word.
type labelled struct {
	word     string
	from, to health.Moment
}

// collected is what a day has of one source.
type collected struct {
	src    *datum // the source alone
	ids    []trackID
	tracks []*track
	labels []labelled
	found  bool
}

func (c *collected) track(id trackID) *track {
	for i := range c.ids {
		if c.ids[i] == id {
			return c.tracks[i]
		}
	}
	t := new(track)
	c.ids, c.tracks = append(c.ids, id), append(c.tracks, t)
	return t
}

// span is a civil day with the instants that its points are asked for.
type span struct {
	day      health.Day
	from, to int64 // milliseconds
}

// collection is what a page has, by day and source.
type collection struct {
	name    string // what the bodies are called, but for their number
	days    []span
	sources []*collected // of the one day, or one per day
	// the source of the point before, which most often is the one of the next
	last    *collected
	lastRaw []byte
	words   map[string]string
	// the civil day in UTC of the point before
	dayText  [len(time.DateOnly)]byte
	midnight int64
}

// instant is the function of that name: points come day by day.
func (c *collection) instant(b []byte) (int64, jsonscan.Verdict) {
	if len(b) > len(c.dayText) && string(b[:len(c.dayText)]) == string(c.dayText[:]) {
		if milli, ok := plainClock(b[len(c.dayText):]); ok {
			return c.midnight + milli, jsonscan.OK
		}
	}
	milli, _, v := instant(b)
	if v == jsonscan.OK && len(b) > len(c.dayText) {
		if midnight, ok := plainDay(b[:len(c.dayText)]); ok {
			c.midnight = midnight
			copy(c.dayText[:], b)
		}
	}
	return milli, v
}

// maxDays bounds the days of one page.
const maxDays = 400

// open reads the days of a page out of the name of a body.
func (c *collection) open(name string, as shape, zone *time.Location) error {
	whole, _, ok := cutLast(name)
	if !ok || c.name != "" && whole != c.name {
		return malformed(codeBodyName)
	}
	if c.name != "" {
		return nil
	}
	c.name = whole
	rest, second, _ := cutLast(whole)
	start, end, bounded := readPeriod(second)
	if bounded && as == shapeHours {
		rest, second, _ = cutLast(rest)
	}
	_, first, _ := cutLast(rest)
	from, err := health.ParseDay(first)
	if err != nil {
		return malformed(codeBodyName)
	}
	if as == shapeDense {
		if !bounded {
			return malformed(codeBodyName)
		}
		c.days = []span{{from, start, end}}
		return nil
	}
	to, err := health.ParseDay(second)
	if err != nil || to.Compare(from) < 0 || to.Number()-from.Number() >= maxDays {
		return malformed(codeBodyName)
	}
	for day := from; day.Compare(to) <= 0; day = day.Add(1) {
		begins, ends := hours(providers.Query{Window: health.Window{First: day, Last: day}, Zone: zone}.Period())
		asked := span{day, begins.UnixMilli(), ends.UnixMilli()}
		if bounded && (day == from || asked.from < start) {
			asked.from = start
		}
		if asked.from < asked.to {
			c.days = append(c.days, asked)
			c.sources = append(c.sources, &collected{})
		}
	}
	return nil
}

// cutLast divides a name at its last slash.
func cutLast(name string) (before, after string, found bool) {
	i := strings.LastIndexByte(name, '/')
	if i < 0 {
		return "", name, false
	}
	return name[:i], name[i+1:], true
}

// readPeriod is the inverse of periodText.
func readPeriod(text string) (from, to int64, ok bool) {
	// A minus in front belongs to the number.
	i := strings.IndexByte(strings.TrimPrefix(text, "-"), '-')
	if i < 0 {
		return 0, 0, false
	}
	i += len(text) - len(strings.TrimPrefix(text, "-"))
	from, err1 := strconv.ParseInt(text[:i], 10, 52)
	to, err2 := strconv.ParseInt(text[i+1:], 10, 52)
	return from, to, err1 == nil && err2 == nil && from < to
}

// hour adds the values of an hour; false if it is of none of the days.
func (c *collection) hour(milli int64, values []health.Value) bool {
	i, found := slices.BinarySearchFunc(c.days, milli, func(s span, at int64) int { return compare(s.from, at) })
	if !found {
		i--
	}
	if i < 0 || milli >= c.days[i].to {
		return false
	}
	at := c.sources[i]
	for _, v := range values {
		if at.track(trackID{v.Metric, v.Stat, v.Part}).add(milli, v.Number) {
			at.found = true
		}
	}
	return true
}

// of returns where points of a source go; raw is how the point tells it. One
// source has one record, however its points were recorded: samples belong to the
// source, and two records of them would clear each other.
func (c *collection) of(m *mapper, raw []byte) *collected {
	if c.last != nil && bytes.Equal(raw, c.lastRaw) {
		return c.last
	}
	d := &datum{m: m}
	if raw != nil {
		d.source(object{[]string{"dataSource"}, [][]byte{raw}})
	}
	c.last, c.lastRaw = nil, raw
	for _, known := range c.sources {
		if known.src.src == d.src {
			if known.src.method != d.method {
				known.src.method = health.MethodUnknown // of points of several
			}
			c.last = known
			return known
		}
	}
	if len(c.sources) == maxSources {
		return nil
	}
	c.last = &collected{src: d}
	c.sources = append(c.sources, c.last)
	return c.last
}

// maxSources bounds the sources of a day.
const maxSources = 100

// intern makes one string of equal words, of which a page has few.
func (c *collection) intern(word []byte) string {
	if known, ok := c.words[string(word)]; ok {
		return known
	}
	text := string(word)
	if c.words == nil {
		c.words = map[string]string{}
	}
	if len(c.words) < maxMembers {
		c.words[text] = text
	}
	return text
}

// column is a number of dense points.
type column struct {
	name   string
	metric health.Metric
	shift  int
}

// denseColumns are the numbers of the dense types, by the type's key.
var denseColumns = map[string][]column{
	"heartRate":        {{"beatsPerMinute", health.MetricHeartRate, 0}},
	"oxygenSaturation": {{"percentage", health.MetricSpO2, 0}},
	"heartRateVariability": {
		{"rootMeanSquareOfSuccessiveDifferencesMilliseconds", health.MetricHRVRMSSD, 0},
		{"standardDeviationMilliseconds", health.MetricHRVSDNN, 0},
		{"highFrequencyPower", health.MetricHRVHFPower, 0},
		{"lowFrequencyPower", health.MetricHRVLFPower, 0},
	},
	"steps":              {{"count", health.MetricSteps, 0}},
	"floors":             {{"count", health.MetricFloorsClimbed, 0}},
	"distance":           {{"millimeters", health.MetricDistance, -3}},
	"altitude":           {{"gainMillimeters", health.MetricElevationGain, -3}},
	"activeEnergyBurned": {{"kcal", health.MetricEnergyActive, 0}},
	"basalEnergyBurned":  {{"kcal", health.MetricEnergyBasal, 0}},
	"swimLengthsData":    {{"strokeCount", health.MetricSwimStrokes, 0}},
	"activeZoneMinutes":  {{"activeZoneMinutes", health.MetricActiveZoneMinutes, 0}},
}

// denseLabels are the members that label the time of a point.
var denseLabels = map[string]string{
	"heartRate": "motionContext", "activityLevel": "activityLevelType", "swimLengthsData": "swimStrokeType",
	"activeZoneMinutes": "heartRateZone", "timeInHeartRateZone": "heartRateZoneType",
}

// dot is a dense point under way.
type dot struct {
	source       []byte
	from, to     int64
	east         int
	hasEast      bool
	gotFrom      bool
	gotTo        bool
	gotType      bool
	twice        bool
	badTime      bool
	label        string
	numbers      [4]health.Decimal
	got, bad     uint8
	levels       [3]health.Decimal
	gotLevels    uint8
	levelsFailed bool
}

// denseList walks a list of dense points.
func (m *mapper) denseList(s *jsonscan.Scanner) error {
	t := m.st.data
	columns, label := denseColumns[t.key], denseLabels[t.key]
	window := m.series.days[0]
	s.Array()
	for i := 0; s.NextElement(); i++ {
		at := s.Mark()
		var p dot
		reason := reasonNotObject
		if s.Object() {
			reason = m.denseElement(s, &p, columns, label)
		}
		if s.Err() != nil {
			if !s.Resync(at) {
				return s.Err()
			}
			reason = reasonNotJSON
		}
		if reason == "" && (p.from < window.from || p.from >= window.to) {
			reason = reasonOutside
		}
		if reason == "" {
			reason = m.keep(&p, columns)
		}
		if reason != "" {
			m.quarantined.Add(m.placeKey(i), reason, s.Since(at))
			if m.quarantined.Flooded() {
				return malformed(codeFlooded)
			}
		}
	}
	return s.Err()
}

// denseElement reads one point.
func (m *mapper) denseElement(s *jsonscan.Scanner, p *dot, columns []column, label string) string {
	var sources, names int
	for s.NextMember() {
		name := s.Name()
		switch {
		case string(name) == m.st.data.key:
			p.twice = p.twice || p.gotType
			p.gotType = true
			if s.Kind() != jsonscan.Object {
				s.Skip()
				p.badTime = true
				continue
			}
			m.denseValue(s, p, columns, label)
		case string(name) == "dataSource":
			sources++
			p.source = s.Raw()
		case string(name) == "name", string(name) == "dataPointName":
			names++
			s.Skip()
		default:
			s.Skip()
		}
	}
	switch {
	case s.Err() != nil:
		return reasonNotJSON
	case p.twice || sources > 1 || names > 2:
		return reasonTwice
	case !p.gotType:
		return reasonOther
	case p.badTime || !p.gotFrom:
		return reasonTime
	case p.gotTo && p.to < p.from:
		return reasonEndFirst
	}
	return ""
}

// denseValue reads the value of a point: its time, its numbers and its label.
func (m *mapper) denseValue(s *jsonscan.Scanner, p *dot, columns []column, label string) {
	s.Object()
	for s.NextMember() {
		name := s.Name()
		switch string(name) {
		case "sampleTime", "interval":
			p.twice = p.twice || p.gotFrom
			if s.Kind() != jsonscan.Object {
				s.Skip()
				p.badTime = true
				continue
			}
			m.denseTime(s, p)
		case "metadata":
			if s.Kind() != jsonscan.Object {
				s.Skip()
				continue
			}
			s.Object()
			for s.NextMember() {
				m.denseMember(s, p, columns, label)
			}
		case "activeMinutesByActivityLevel":
			denseLevels(s, p)
		default:
			m.denseMember(s, p, columns, label)
		}
	}
}

// denseMember reads a number or a label.
func (m *mapper) denseMember(s *jsonscan.Scanner, p *dot, columns []column, label string) {
	name := s.Name()
	for i := range columns {
		if string(name) != columns[i].name {
			continue
		}
		bit := uint8(1) << i
		p.twice = p.twice || (p.got|p.bad)&bit != 0
		d, v := number(s)
		switch v {
		case jsonscan.OK:
			p.numbers[i] = d
			p.got |= bit
		case jsonscan.Bad:
			p.bad |= bit
		}
		return
	}
	if label == "" || string(name) != label {
		s.Skip()
		return
	}
	p.twice = p.twice || p.label != ""
	b, ok := s.Identifier()
	if ok && len(b) > 0 && len(b) <= health.MaxCode {
		p.label = m.series.intern(b)
	}
}

// denseTime reads the time of a point.
func (m *mapper) denseTime(s *jsonscan.Scanner, p *dot) {
	s.Object()
	for s.NextMember() {
		name := s.Name()
		switch string(name) {
		case "physicalTime", "startTime":
			p.twice = p.twice || p.gotFrom
			p.from, p.gotFrom = m.denseInstant(s, p)
		case "endTime":
			p.twice = p.twice || p.gotTo
			p.to, p.gotTo = m.denseInstant(s, p)
		case "utcOffset", "startUtcOffset":
			b, ok := s.Identifier()
			if !ok {
				continue
			}
			d, v := seconds(b)
			if n, fits := d.Rescale(0); v == jsonscan.OK && fits && n >= -maxOffset && n <= maxOffset {
				p.east, p.hasEast = int(n), true
			}
		default:
			s.Skip()
		}
	}
}

func (m *mapper) denseInstant(s *jsonscan.Scanner, p *dot) (int64, bool) {
	b, ok := s.Identifier()
	if !ok {
		p.badTime = true
		return 0, false
	}
	milli, v := m.series.instant(b)
	if v != jsonscan.OK {
		p.badTime = true
	}
	return milli, v == jsonscan.OK
}

// levelParts are the parts of active minutes.
var levelParts = [...]health.Part{health.PartLight, health.PartModerate, health.PartVigorous}

// denseLevels reads minutes by activity level.
func denseLevels(s *jsonscan.Scanner, p *dot) {
	if s.Kind() != jsonscan.Array {
		s.Skip()
		p.levelsFailed = true
		return
	}
	s.Array()
	for s.NextElement() {
		row, reason := readObject(s.Raw())
		if s.Err() != nil {
			return
		}
		word, v := row.text("activityLevel")
		n, vn := row.number("activeMinutes")
		level := slices.Index(levelParts[:], fitbitmap.LevelPart(word))
		if vn == jsonscan.Absent {
			n, vn = health.Decimal{}, jsonscan.OK // zeros are left out
		}
		if reason != "" || v != jsonscan.OK || vn != jsonscan.OK || level < 0 {
			p.levelsFailed = true
			continue
		}
		p.levels[level] = n
		p.gotLevels |= 1 << level
	}
}

// keep adds a point to its columns. The reason is empty for success.
func (m *mapper) keep(p *dot, columns []column) string {
	c := m.series.of(m, p.source)
	if c == nil {
		return reasonTooMany
	}
	t := m.st.data
	kept, failed := false, p.levelsFailed
	add := func(metric health.Metric, part health.Part, n health.Decimal) {
		if c.track(trackID{metric: metric, part: part}).add(p.from, n) {
			kept = true
		} else {
			failed = true
		}
	}
	length := health.Decimal{Coefficient: p.to - p.from, Exponent: -3}
	switch t.key {
	case "activityLevel":
	case "sedentaryPeriod":
		if !p.gotTo {
			return reasonTime
		}
		add(health.MetricSedentaryDuration, "", length)
	case "timeInHeartRateZone":
		part := fitbitmap.ZonePart(p.label)
		if !p.gotTo {
			return reasonTime
		}
		if part == "" {
			return reasonOther
		}
		add(health.MetricHeartRateZoneDuration, part, length)
	case "activeMinutes":
		for i, part := range levelParts {
			if p.gotLevels&(1<<i) == 0 {
				continue
			}
			if n, ok := fitbitmap.Times(p.levels[i], 60); ok {
				add(health.MetricActiveDuration, part, n)
			} else {
				failed = true
			}
		}
	default:
		part := health.Part("")
		if t.key == "activeZoneMinutes" {
			if part = fitbitmap.ZonePart(p.label); part == "" {
				return reasonOther
			}
		}
		for i := range columns {
			n := p.numbers[i]
			switch bit := uint8(1) << i; {
			case p.bad&bit != 0:
				failed = true
				continue
			case p.got&bit == 0:
				// A value of zero is left out, and a point without one is not.
				if !t.can(zeros) {
					continue
				}
			case columns[i].shift != 0:
				var ok bool
				if n, ok = fitbitmap.Shift(n, columns[i].shift); !ok {
					failed = true
					continue
				}
			}
			add(columns[i].metric, part, n)
		}
	}
	if p.label != "" && denseTracks[t.key] != "" {
		c.label(p)
		kept = true
	}
	c.found = c.found || kept
	switch {
	case failed:
		return reasonFit
	case !kept:
		return reasonNoValue
	}
	return ""
}

// denseTracks are the tracks of the labels of points; those of others are parts.
var denseTracks = map[string]string{
	"heartRate": health.TrackContext, "activityLevel": health.TrackLevel, "swimLengthsData": health.TrackSwimLength,
}

// label adds the label of a point.
func (c *collected) label(p *dot) {
	at := func(milli int64) health.Moment {
		if p.hasEast {
			return health.Zoned(milli, p.east)
		}
		return health.Instant(milli)
	}
	l := labelled{word: p.label, from: at(p.from), to: at(p.from)}
	if p.gotTo {
		l.to = at(p.to)
	}
	c.labels = append(c.labels, l)
}

// segments returns the labels as segments, and whether they were all that fit.
// Neighbouring samples of one label are one segment.
func (c *collected) segments(key string) (list []health.Segment, whole bool) {
	slices.SortStableFunc(c.labels, func(a, b labelled) int { return compare(a.from.SortMilli(), b.from.SortMilli()) })
	whole = true
	for _, l := range c.labels {
		if n := len(list); n > 0 && key == "heartRate" && list[n-1].Code == l.word {
			list[n-1].End = l.to
			continue
		}
		if len(list) == health.MaxSegments {
			whole = false
			break
		}
		seg := health.Segment{Track: denseTracks[key], Code: l.word, Start: l.from, End: l.to}
		switch key {
		case "swimLengthsData":
			seg.Label = fitbitmap.Stroke(l.word)
		case "heartRate":
			seg.Label = contexts[l.word]
		default:
			seg.Label = fitbitmap.Level(l.word)
		}
		list = append(list, seg)
	}
	for i := range list {
		if list[i].End == list[i].Start {
			list[i].End = health.Moment{}
		}
	}
	return list, whole
}

// contexts are the labels of what the body did while a heart rate was taken.
var contexts = map[string]string{"ACTIVE": health.LevelActive, "SEDENTARY": health.LevelSedentary}

// collected makes the records of what was collected: one per day and source.
func (m *mapper) collected() {
	c := &m.series
	for i, source := range c.sources {
		if !source.found {
			continue
		}
		window := c.days[0]
		d := &datum{m: m, method: health.MethodDerived}
		if m.st.shape == shapeHours {
			window = c.days[i]
		} else {
			d.src, d.texts, d.method = source.src.src, source.src.texts, source.src.method
			var whole bool
			if d.segments, whole = source.segments(m.st.data.key); !whole {
				d.fault(denseLabels[m.st.data.key], reasonManyPoints)
			}
		}
		d.keyed(window.day.String())
		d.span = health.Span{Start: health.Instant(window.from), End: health.Instant(window.to), Day: window.day}
		if m.st.shape == shapeHours {
			d.key = m.raw.Stream + "/" + window.day.String()
		}
		for j, t := range source.tracks {
			s, conflict, ok := t.series()
			if !ok {
				continue
			}
			if conflict {
				d.fault(string(source.ids[j].metric), reasonConflict)
			}
			id := source.ids[j]
			s.Metric, s.Stat, s.Part, s.From, s.To = id.metric, id.stat, id.part, window.from, window.to
			d.series = append(d.series, s)
		}
		m.emit(d)
	}
	c.sources = nil
}
