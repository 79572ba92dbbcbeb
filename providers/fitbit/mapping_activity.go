package fitbit

import (
	"strings"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/fitbitmap"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
)

// resource is one time series of the service.
type resource struct {
	path  string // in the address
	name  string // of the member of the answer
	field field
}

// activityResources are the time series of a day's activity, manual logs
// included. They own the totals of a day.
func activityResources() []resource {
	return []resource{
		{"calories", "activities-calories", field{is: is(fitbitmap.EnergyTotal, "")}},
		{"caloriesBMR", "activities-caloriesBMR", field{is: is(fitbitmap.EnergyBasal, "")}},
		{"steps", "activities-steps", field{is: is(fitbitmap.Steps, "")}},
		{"distance", "activities-distance", field{is: is(fitbitmap.Distance, ""), unit: kilometres}},
		{"floors", "activities-floors", field{is: is(fitbitmap.Floors, "")}},
		{"elevation", "activities-elevation", field{is: is(fitbitmap.ElevationGain, "")}},
		{"minutesSedentary", "activities-minutesSedentary", field{is: is(fitbitmap.SedentaryDuration, ""), unit: minutes}},
		{"minutesLightlyActive", "activities-minutesLightlyActive", field{is: is(fitbitmap.ActiveDuration, health.PartLight), unit: minutes}},
		{"minutesFairlyActive", "activities-minutesFairlyActive", field{is: is(fitbitmap.ActiveDuration, health.PartModerate), unit: minutes}},
		{"minutesVeryActive", "activities-minutesVeryActive", field{is: is(fitbitmap.ActiveDuration, health.PartVigorous), unit: minutes}},
		{"swimming-strokes", "activities-swimming-strokes", field{is: is(fitbitmap.SwimStrokes, "")}},
	}
}

// trackerParts tells apart what the device alone counted, by intensity.
func trackerPart(whole health.Part) health.Part {
	if whole == "" {
		return health.PartTracker
	}
	return health.PartTracker + "_" + whole
}

// trackerResources are the same without what the person logged by hand.
func trackerResources() []resource {
	var list []resource
	for _, r := range activityResources() {
		if r.path == "caloriesBMR" || r.path == "swimming-strokes" {
			continue // the service has no tracker series of these
		}
		r.name = strings.Replace(r.name, "activities-", "activities-tracker-", 1)
		r.path = "tracker/" + r.path
		r.field.is.Part = trackerPart(r.field.is.Part)
		list = append(list, r)
	}
	return list
}

// activeEnergyResources are the two series of which one request holds 30 days.
func activeEnergyResources() []resource {
	f := field{is: is(fitbitmap.EnergyActive, "")}
	tracker := f
	tracker.is.Part = health.PartTracker
	return []resource{
		{"activityCalories", "activities-activityCalories", f},
		{"tracker/activityCalories", "activities-tracker-activityCalories", tracker},
	}
}

// foodResources are the time series of what was eaten and drunk.
func foodResources() []resource {
	return []resource{
		{"caloriesIn", "foods-log-caloriesIn", field{is: is(fitbitmap.EnergyIntake, "")}},
		{"water", "foods-log-water", field{is: is(fitbitmap.WaterIntake, "")}},
	}
}

// carriedForward is the value at the end of a day that the service repeats
// until there is another one: not a measurement of that day.
func carriedForward(q fitbitmap.Quantity) field {
	return field{is: health.Value{Metric: q.Metric(), Stat: health.StatEnd, Flags: health.FlagEstimated}, none: positive}
}

func bmiResources() []resource {
	return []resource{{"bmi", "body-bmi", carriedForward(fitbitmap.BMI)}}
}

func weightResources() []resource {
	return []resource{{"weight", "body-weight", carriedForward(fitbitmap.Weight)}}
}

func fatResources() []resource {
	return []resource{{"fat", "body-fat", carriedForward(fitbitmap.BodyFat)}}
}

// seriesDay is what the answers of a page tell about one day.
type seriesDay struct {
	row row
	raw []byte // of the first row of the day
}

// timeSeries returns the mapping of answers that are time series: one record
// per day with what each of them tells.
func timeSeries(resources []resource) func(*mapper) error {
	return func(m *mapper) error {
		var (
			all   []seriesDay
			asked period
		)
		for i := range m.raw.Bodies {
			what, p, err := m.body(i)
			if err != nil {
				return err
			}
			at := -1
			for j, r := range resources {
				if r.name == what {
					at = j
				}
			}
			if at < 0 || i > 0 && p != asked {
				return malformed(codeBodyName)
			}
			if i == 0 {
				if p.last.Number()-p.first.Number() > mostDays {
					return malformed(codeBodyName)
				}
				asked, all = p, make([]seriesDay, p.last.Number()-p.first.Number()+1)
			}
			if err := m.oneSeries(i, resources[at], asked, all); err != nil {
				return err
			}
		}
		if len(m.raw.Bodies) == 0 {
			return malformed(codeNoRows)
		}
		for i := range all {
			if all[i].row.empty() && len(all[i].row.faults) == 0 {
				continue
			}
			m.row = all[i].row
			key := m.emitDay(asked.first.Add(i))
			m.origins = m.origins[:len(m.records)]
			if n := len(m.origins); n > 0 && m.origins[n-1] == nil {
				m.origins[n-1] = all[i].raw
			}
			m.setFaultsAside(key, all[i].raw)
		}
		return nil
	}
}

// mostDays is the longest period that a stored answer may be of.
const mostDays = 20_000

// oneSeries adds the values of one series to the days.
func (m *mapper) oneSeries(i int, res resource, asked period, all []seriesDay) error {
	return m.list(i, res.name, func(s *jsonscan.Scanner) (key, reason string) {
		var (
			d       health.Day
			value   health.Decimal
			verdict = jsonscan.Absent
			seen    members
			raw     []byte
		)
		at := s.Mark()
		for s.NextMember() {
			switch string(s.Name()) {
			case "dateTime":
				seen.meet(0)
				d = m.row.day(s)
			case "value":
				seen.meet(1)
				at := s.Mark()
				value, verdict = required(s)
				raw = s.Since(at)
			default:
				s.Skip()
			}
		}
		switch {
		case s.Err() != nil:
			return "", ""
		case seen.twice:
			return "", reasonTwice
		case d.IsZero():
			return "", reasonDay
		case !asked.holds(d):
			return m.key(d.String()), reasonOutside
		}
		day := &all[d.Number()-asked.first.Number()]
		if day.raw == nil {
			day.raw = s.Since(at)
		}
		day.row.add(value, verdict, res.name, res.field, raw)
		return m.key(d.String()), ""
	}, nil)
}

// activeZoneMinutes maps the time series of active zone minutes. The total
// counts minutes in the upper zones twice.
func (m *mapper) activeZoneMinutes() error {
	return m.days(0, "activities-active-zone-minutes", func(s *jsonscan.Scanner) {
		m.row.object(s, "value", zoneMinuteFields)
	}, nil)
}

// zoneMinuteFields is never changed.
var zoneMinuteFields = fields{
	"activeZoneMinutes":        {is: is(fitbitmap.ActiveZoneMinutes, "")},
	"fatBurnActiveZoneMinutes": {is: is(fitbitmap.ActiveZoneMinutes, health.PartZone1)},
	"cardioActiveZoneMinutes":  {is: is(fitbitmap.ActiveZoneMinutes, health.PartZone2)},
	"peakActiveZoneMinutes":    {is: is(fitbitmap.ActiveZoneMinutes, health.PartZone3)},
}

// daySummary maps the summary of one day. The totals belong to the stream
// activity, resting heart rate and zones to heart, and the workouts to
// workouts, so that nothing is kept twice: here is what only the summary tells.
// Mapped whole, the totals are there too.
func (m *mapper) daySummary() error {
	_, asked, err := m.body(0)
	if err != nil {
		return err
	}
	if asked.first != asked.last {
		return malformed(codeBodyName)
	}
	m.row = row{}
	r := &m.row
	custom := 0
	err = m.subject(0, "summary", func(s *jsonscan.Scanner) error {
		if s.Kind() != jsonscan.Object {
			s.Skip()
			return malformed(codeNoRows)
		}
		r.each(s, "summary", func(s *jsonscan.Scanner) { m.summaryMember(s, &custom) })
		return nil
	}, func(s *jsonscan.Scanner) error {
		if string(s.Name()) == "goals" {
			r.object(s, "goals", dayGoalFields)
		} else {
			s.Skip()
		}
		return nil
	})
	if err != nil {
		return err
	}
	m.emitSummary(asked.first)
	return nil
}

// emitSummary adds the record of a day out of an answer that is an object about
// it.
func (m *mapper) emitSummary(d health.Day) {
	body := m.raw.Bodies[0].Body
	if repeated(body) {
		m.quarantined.Add(m.key(d.String()), reasonTwice, clip(body))
		return
	}
	m.setFaultsAside(m.emitDay(d), clip(body))
}

func (m *mapper) summaryMember(s *jsonscan.Scanner, custom *int) {
	r, name := &m.row, string(s.Name())
	if f, ok := summaryFields[name]; ok {
		r.number(s, name, f)
		return
	}
	switch name {
	case "distances":
		r.distances(s, m.whole)
		return
	case "activeScore":
		r.number(s, name, field{is: health.Value{Metric: health.MetricActivityScore}, none: notMinus})
		return
	}
	if m.whole {
		if f, ok := summaryTotals[name]; ok {
			r.number(s, name, f)
			return
		}
		switch name {
		case "heartRateZones", "customHeartRateZones":
			r.zones(s, name, custom)
			return
		case "restingHeartRate":
			r.number(s, name, restingHeartRate())
			return
		}
	}
	s.Skip()
}

// summaryFields are what only the summary tells. It is never changed.
var summaryFields = fields{
	"marginalCalories":       {is: health.Value{Metric: health.MetricEnergyMarginal}},
	"caloriesOutUnestimated": {is: health.Value{Metric: health.MetricEnergyTotalUnestimated}},
	"calorieEstimationMu":    {is: health.Value{Metric: health.MetricEnergyEstimationMean}},
}

// summaryTotals are what the time series tell, too. It is never changed.
var summaryTotals = fields{
	"caloriesOut":          {is: is(fitbitmap.EnergyTotal, "")},
	"caloriesBMR":          {is: is(fitbitmap.EnergyBasal, "")},
	"activityCalories":     {is: is(fitbitmap.EnergyActive, "")},
	"steps":                {is: is(fitbitmap.Steps, "")},
	"floors":               {is: is(fitbitmap.Floors, "")},
	"elevation":            {is: is(fitbitmap.ElevationGain, "")},
	"sedentaryMinutes":     {is: is(fitbitmap.SedentaryDuration, ""), unit: minutes},
	"lightlyActiveMinutes": {is: is(fitbitmap.ActiveDuration, health.PartLight), unit: minutes},
	"fairlyActiveMinutes":  {is: is(fitbitmap.ActiveDuration, health.PartModerate), unit: minutes},
	"veryActiveMinutes":    {is: is(fitbitmap.ActiveDuration, health.PartVigorous), unit: minutes},
}

// dayGoalFields are the goals that held on a day, and the goals of a day or a
// week. It is never changed.
var dayGoalFields = fields{
	"activeMinutes":     {is: goalOf(fitbitmap.ActiveDuration), unit: minutes},
	"activeZoneMinutes": {is: goalOf(fitbitmap.ActiveZoneMinutes)},
	"caloriesOut":       {is: goalOf(fitbitmap.EnergyTotal)},
	"distance":          {is: goalOf(fitbitmap.Distance), unit: kilometres},
	"floors":            {is: goalOf(fitbitmap.Floors)},
	"steps":             {is: goalOf(fitbitmap.Steps)},
}

// distances reads the distances of a day by what they are of: totals, parts of
// the total by intensity, and named activities, all in one list.
func (r *row) distances(s *jsonscan.Scanner, whole bool) {
	r.elements(s, "distances", func(s *jsonscan.Scanner) {
		at := s.Mark()
		if !s.Object() {
			if s.Err() == nil {
				r.fault("distances", reasonNotObject, s.Since(at))
			}
			return
		}
		var (
			what    string
			value   health.Decimal
			verdict = jsonscan.Absent
		)
		for s.NextMember() {
			switch string(s.Name()) {
			case "activity":
				b, _ := s.ReadIdentifier()
				what = string(b)
			case "distance":
				value, verdict = number(s)
			default:
				s.Skip()
			}
		}
		if s.Err() != nil {
			return
		}
		f := field{is: is(fitbitmap.Distance, ""), unit: kilometres}
		switch what {
		case "total":
			if !whole {
				return // of the stream activity
			}
		case "tracker":
			if !whole {
				return // of the stream tracker
			}
			f.is.Part = health.PartTracker
		case "loggedActivities":
			f.is.Part = health.PartLogged
		case "veryActive":
			f.is.Part = health.PartVigorous
		case "moderatelyActive":
			f.is.Part = health.PartModerate
		case "lightlyActive":
			f.is.Part = health.PartLight
		case "sedentaryActive":
			f.is.Part = health.PartSedentary
		case "":
			r.fault("distances", reasonType, s.Since(at))
			return
		default: // a named activity, perhaps in the person's language
			if verdict == jsonscan.OK {
				r.text("fitbit_distance_"+textName(what), value.String())
			}
			return
		}
		r.add(value, verdict, "distances", f, s.Since(at))
	})
}

// textName returns a word as the name of a text.
func textName(word string) string {
	b := make([]byte, 0, len(word))
	for i := range len(word) {
		c := word[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			c = '_'
		}
		b = append(b, c)
	}
	const most = 40
	return string(b[:min(len(b), most)])
}

// intradayResources are the series within a day.
func intradayResources() []resource {
	return []resource{
		{"calories", "activities-calories", field{is: is(fitbitmap.EnergyTotal, "")}},
		{"distance", "activities-distance", field{is: is(fitbitmap.Distance, ""), unit: kilometres}},
		{"elevation", "activities-elevation", field{is: is(fitbitmap.ElevationGain, "")}},
		{"floors", "activities-floors", field{is: is(fitbitmap.Floors, "")}},
		{"steps", "activities-steps", field{is: is(fitbitmap.Steps, "")}},
		{"swimming-strokes", "activities-swimming-strokes", field{is: is(fitbitmap.SwimStrokes, "")}},
	}
}

// activityIntraday maps the series within one day. Those of calories also tell
// the metabolic equivalent, times ten, and the level of activity of each minute.
func (m *mapper) activityIntraday() error {
	resources := intradayResources()
	var d health.Day
	m.row = row{}
	for i := range m.raw.Bodies {
		what, asked, err := m.body(i)
		if err != nil {
			return err
		}
		if i > 0 && asked.first != d || asked.first != asked.last {
			return malformed(codeBodyName)
		}
		d = asked.first
		at := -1
		for j, r := range resources {
			if r.name+"-intraday" == what {
				at = j
			}
		}
		if at < 0 {
			return malformed(codeBodyName)
		}
		if err := m.intradayOf(i, resources[at], asked); err != nil {
			return err
		}
	}
	if len(m.raw.Bodies) == 0 {
		return malformed(codeNoRows)
	}
	return m.emitSamples(d)
}

func (m *mapper) intradayOf(i int, res resource, asked period) error {
	d := asked.first
	c := m.newColumn(res.field.is.Metric, "", health.StatValue, asked, 0)
	if res.field.unit == kilometres {
		c.scale = 3
	}
	if res.path != "calories" {
		if err := m.dataset(i, res.name+"-intraday", d, c, nil); err != nil {
			return err
		}
		m.row.finishSeries(c)
		return nil
	}
	// The level and the equivalent belong to the time of their element, which
	// may come behind them: they are kept until its end.
	mets := m.newColumn(health.MetricMET, "", health.StatValue, asked, 0)
	mets.scale, mets.none = -1, positive
	level, met, got := int64(-1), health.Decimal{}, false
	var levels []levelRun
	before := 0
	ended := func() {
		if n := len(c.series.Times); n > before {
			wall := c.series.Times[n-1] // of the series' clock already
			if got {
				if v, ok := mets.scaled(met); ok && met.Coefficient > 0 {
					mets.series.Times = append(mets.series.Times, wall)
					mets.series.Values = append(mets.series.Values, v)
				}
			}
			if level >= 0 {
				levels = appendLevel(levels, level, wall)
			}
			before = n
		}
		level, got = -1, false
	}
	member := func(s *jsonscan.Scanner, name string) bool {
		switch name {
		case "level":
			if n, v := integer(s); v == jsonscan.OK {
				level = n
			}
		case "mets":
			if n, v := number(s); v == jsonscan.OK {
				met, got = n, true
			}
		default:
			return false
		}
		return true
	}
	if err := m.dataset(i, res.name+"-intraday", d, c, &extras{member, ended}); err != nil {
		return err
	}
	m.row.segments = append(m.row.segments, m.levelSegments(levels)...)
	m.row.finishSeries(c, mets)
	return nil
}

// levelRun is a run of minutes of one level.
type levelRun struct {
	level, from, to int64
}

const minuteMilli = 60 * 1000

func appendLevel(runs []levelRun, level, at int64) []levelRun {
	if n := len(runs); n > 0 && runs[n-1].level == level && runs[n-1].to == at {
		runs[n-1].to = at + minuteMilli
		return runs
	}
	return append(runs, levelRun{level, at, at + minuteMilli})
}

// levelSegments returns runs of levels of activity as segments.
func (m *mapper) levelSegments(runs []levelRun) []health.Segment {
	labels := [...]string{health.LevelSedentary, health.LevelLight, health.LevelModerate, health.LevelVigorous}
	var list []health.Segment
	for _, run := range runs {
		seg := health.Segment{Track: health.TrackLevel, Code: health.Int(run.level).String(), Start: m.clock(run.from), End: m.clock(run.to)}
		if run.level < int64(len(labels)) {
			seg.Label = labels[run.level]
		}
		list = append(list, seg)
	}
	return list
}

// clock returns a time in the clock of the page's series as a moment.
func (m *mapper) clock(milli int64) health.Moment {
	if m.profile == nil {
		return health.Floating(milli)
	}
	at, _ := health.Resolve(health.Instant(milli), m.profile)
	return at
}

// zoneMinutesIntraday maps active zone minutes within one day: an array of days
// with their minutes, or a dataset like that of the other series.
func (m *mapper) zoneMinutesIntraday() error {
	_, asked, err := m.body(0)
	if err != nil {
		return err
	}
	m.row = row{}
	const member = "activities-active-zone-minutes-intraday"
	columns := map[string]*column{}
	for name, f := range zoneMinuteFields {
		columns[name] = m.newColumn(f.is.Metric, f.is.Part, health.StatValue, asked, 0)
	}
	midnight := int64(asked.first.Number()) * dayMilli
	err = m.subject(0, member, func(s *jsonscan.Scanner) error {
		switch s.Kind() {
		case jsonscan.Object:
			s.Object()
			for s.NextMember() {
				if string(s.Name()) == "dataset" {
					m.zoneMinutes(s, "time", midnight, columns)
				} else {
					s.Skip()
				}
			}
		case jsonscan.Array:
			s.Array()
			for s.NextElement() {
				m.row.each(s, member, func(s *jsonscan.Scanner) {
					if string(s.Name()) == "minutes" {
						m.zoneMinutes(s, "minute", midnight, columns)
					} else {
						s.Skip()
					}
				})
			}
		default:
			s.Skip()
			return malformed(codeNoRows)
		}
		return nil
	}, nil)
	if err != nil {
		return err
	}
	m.row.finishSeries(columns["activeZoneMinutes"], columns["fatBurnActiveZoneMinutes"], columns["cardioActiveZoneMinutes"], columns["peakActiveZoneMinutes"])
	return m.emitSamples(asked.first)
}

// zoneMinutes reads minutes with an object of values.
func (m *mapper) zoneMinutes(s *jsonscan.Scanner, clock string, midnight int64, columns map[string]*column) {
	r := &m.row
	r.elements(s, "minutes", func(s *jsonscan.Scanner) {
		at := s.Mark()
		wall := int64(-1)
		values := map[string]health.Decimal{}
		r.each(s, "minutes", func(s *jsonscan.Scanner) {
			switch string(s.Name()) {
			case clock:
				wall = m.minute(s, midnight)
			case "value":
				r.each(s, "value", func(s *jsonscan.Scanner) {
					name := string(s.Name())
					if _, ok := zoneMinuteFields[name]; !ok {
						s.Skip()
						return
					}
					at := s.Mark()
					d, v := required(s)
					switch v {
					case jsonscan.OK, jsonscan.Vanished:
						values[name] = d
					case jsonscan.Bad:
						r.fault(name, reasonValue, s.Since(at))
					}
				})
			default:
				s.Skip()
			}
		})
		switch {
		case s.Err() != nil:
		case wall < 0:
			r.fault("minutes", reasonTime, s.Since(at))
		default:
			for name, d := range values {
				columns[name].add(m, wall, d)
			}
		}
	})
}

// minute reads a clock time or a whole local time as milliseconds of the wall
// clock; -1 for what is neither.
func (m *mapper) minute(s *jsonscan.Scanner, midnight int64) int64 {
	b, v := s.ReadIdentifier()
	if v != jsonscan.OK {
		return -1
	}
	if at := clockTime(b); at >= 0 {
		return midnight + at
	}
	t, _, err := health.ParseMoment(string(b))
	if err != nil || !t.IsFloating() {
		return -1
	}
	wall, _ := t.WallMilli()
	return wall
}
