package fitbit

import (
	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/fitbitmap"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
)

// What the service measures at night is filed under the day on which the main
// sleep ended.

// object returns a reader of the member value as an object of numbers.
func (m *mapper) objectOf(table fields) func(*jsonscan.Scanner) {
	return func(s *jsonscan.Scanner) { m.row.object(s, "value", table) }
}

// hrv maps the summary of heart rate variability.
func (m *mapper) hrv() error {
	return m.days(0, "hrv", m.objectOf(fields{
		"dailyRmssd": {is: is(fitbitmap.NightRMSSD, ""), none: positive},
		"deepRmssd":  {is: is(fitbitmap.NightRMSSD, health.PartDeep), none: positive},
	}), nil)
}

// hrvIntraday maps heart rate variability within nights, in steps of five
// minutes.
func (m *mapper) hrvIntraday() error {
	return m.nights("hrv", func(c *column, name string) (*column, bool) {
		switch name {
		case "rmssd":
			return c.like(health.MetricHRVRMSSD), true
		case "coverage":
			c = c.like(health.MetricHRVCoverage)
			c.scale = 2 // a ratio
			return c, true
		case "hf":
			return c.like(health.MetricHRVHFPower), true
		case "lf":
			return c.like(health.MetricHRVLFPower), true
		}
		return nil, false
	})
}

// like returns an empty column for another metric.
func (c *column) like(metric health.Metric) *column {
	return &column{series: health.Series{Metric: metric, From: c.series.From, To: c.series.To, Floating: c.series.Floating}}
}

// nights maps rows that each have an array of minutes with values. A night
// may begin on the day before, and end on the day after its day where a person
// sleeps by day. The records are of days: their series are their own.
func (m *mapper) nights(name string, columnOf func(like *column, name string) (*column, bool)) error {
	_, asked, err := m.body(0)
	if err != nil {
		return err
	}
	return m.list(0, name, m.nightRow(asked, columnOf), nil)
}

// single is the name under which a value stands that is a number by itself.
const single = ""

func (m *mapper) nightRow(asked period, columnOf func(like *column, name string) (*column, bool)) func(*jsonscan.Scanner) (key, reason string) {
	return func(s *jsonscan.Scanner) (key, reason string) {
		r := &m.row
		var (
			d       health.Day
			samples []nightSample
		)
		for s.NextMember() {
			switch string(s.Name()) {
			case "dateTime":
				d = r.day(s)
			case "minutes":
				samples = r.nightSamples(s)
			default:
				s.Skip()
			}
		}
		switch {
		case s.Err() != nil:
			return "", ""
		case d.IsZero():
			return "", reasonDay
		case !asked.holds(d):
			return m.key(d.String()), reasonOutside
		}
		m.nightSeries(d, samples, columnOf)
		return m.emitDay(d), ""
	}
}

// nightSample is one value of a minute of a night.
type nightSample struct {
	wall  int64
	name  string
	value health.Decimal
}

// nightSamples reads an array of minutes: {"minute":..., "value":{...}} or
// {"minute":..., "value":95.3}, in either order.
func (r *row) nightSamples(s *jsonscan.Scanner) []nightSample {
	var samples []nightSample
	r.elements(s, "minutes", func(s *jsonscan.Scanner) {
		at, before, twice := s.Mark(), len(samples), false
		var minute health.Moment
		got := false
		if s.Kind() != jsonscan.Object {
			if s.Skip(); s.Err() == nil {
				r.fault("minutes", reasonNotObject, s.Since(at))
			}
			return
		}
		var seen members
		s.Object()
		for s.NextMember() {
			switch string(s.Name()) {
			case "minute":
				seen.meet(0)
				_, minute, _, got = r.moment(s)
			case "value":
				seen.meet(1)
				samples = r.nightValues(s, samples)
			default:
				s.Skip()
			}
		}
		twice = seen.twice
		wall, local := minute.WallMilli()
		switch {
		case s.Err() != nil:
			return
		case twice:
			r.fault("minutes", reasonTwice, s.Since(at))
		case !got || !local:
			r.fault("minutes", reasonTime, s.Since(at))
		default:
			for i := before; i < len(samples); i++ {
				samples[i].wall = wall
			}
			return
		}
		samples = samples[:before]
	})
	return samples
}

// nightValues adds what the member value tells.
func (r *row) nightValues(s *jsonscan.Scanner, samples []nightSample) []nightSample {
	read := func(s *jsonscan.Scanner, name string) {
		at := s.Mark()
		d, v := required(s)
		switch v {
		case jsonscan.OK, jsonscan.Vanished:
			samples = append(samples, nightSample{name: name, value: d})
		case jsonscan.Bad:
			if s.Err() == nil {
				r.fault("minutes", reasonValue, s.Since(at))
			}
		}
	}
	if s.Kind() == jsonscan.Object {
		s.Object()
		for s.NextMember() {
			read(s, string(s.Name()))
		}
	} else {
		read(s, single)
	}
	return samples
}

// nightSeries makes series of the samples of a night. The clock of a night
// keeps running across a change of clocks, as that of its sleep does.
func (m *mapper) nightSeries(d health.Day, samples []nightSample, columnOf func(*column, string) (*column, bool)) {
	if len(samples) == 0 {
		return
	}
	midnight := int64(d.Number()) * dayMilli
	first, last := samples[0].wall, samples[0].wall
	for _, p := range samples {
		first, last = min(first, p.wall), max(last, p.wall)
	}
	r := &m.row
	const leeway = 36 * 60 * minuteMilli
	if first < midnight-leeway || last > midnight+dayMilli+leeway {
		r.fault("minutes", reasonOutside, nil)
		return
	}
	at, flags := m.elapsed(first)
	if flags.Has(health.FlagNonexistent) {
		r.fault("minutes", reasonNoSuch, nil) // moved as far as the clocks were
	}
	base := &column{series: health.Series{From: at(first).SortMilli(), To: at(last).SortMilli() + 1, Floating: m.profile == nil}}
	var (
		columns []*column
		byName  = map[string]*column{}
	)
	for _, p := range samples {
		c, known := byName[p.name]
		if !known {
			if c, known = columnOf(base, p.name); known {
				columns = append(columns, c)
			}
			byName[p.name] = c
		}
		if c == nil {
			continue
		}
		c.point(at(p.wall).SortMilli(), p.value)
	}
	r.finishSeries(columns...)
}

// point adds a point by the series' own clock.
func (c *column) point(t int64, d health.Decimal) {
	if c.started && t <= c.last {
		c.faults[faultBackwards]++
		return
	}
	n, ok := c.scaled(d)
	if !ok {
		c.faults[faultValue]++
		return
	}
	c.series.Times, c.series.Values = append(c.series.Times, t), append(c.series.Values, n)
	c.last, c.started = t, true
}

// shapes maps an answer that is an object for one day and an array for
// several: one row, several, or, where there is no data, an object without
// members.
func (m *mapper) shapes(each func(*jsonscan.Scanner) (key, reason string)) error {
	s, err := m.scanner(0)
	if err != nil {
		return err
	}
	switch s.Kind() {
	case jsonscan.Array:
		err = m.rows(&s, each)
	case jsonscan.Object:
		probe := s
		probe.Object()
		if !probe.NextMember() {
			s.Skip()
			break
		}
		err = m.one(&s, 0, each)
	default:
		if s.Skip(); s.End() == nil {
			return malformed(codeShape)
		}
	}
	if err != nil {
		return err
	}
	return s.End()
}

// spo2 maps the summary of oxygen saturation.
func (m *mapper) spo2() error {
	_, asked, err := m.body(0)
	if err != nil {
		return err
	}
	return m.shapes(m.dayRow(asked, m.objectOf(fields{
		"avg": {is: is(fitbitmap.NightSpO2, ""), none: positive},
		"min": {is: is(fitbitmap.NightSpO2Low, ""), none: positive},
		"max": {is: is(fitbitmap.NightSpO2High, ""), none: positive},
	}), nil))
}

// spo2Intraday maps oxygen saturation within nights.
func (m *mapper) spo2Intraday() error {
	_, asked, err := m.body(0)
	if err != nil {
		return err
	}
	return m.shapes(m.nightRow(asked, func(c *column, name string) (*column, bool) {
		if name != single {
			return nil, false
		}
		return c.like(health.MetricSpO2), true
	}))
}

// breathing maps the summary of the breathing rate.
func (m *mapper) breathing() error {
	return m.days(0, "br", m.objectOf(fields{"breathingRate": {is: is(fitbitmap.NightRespiratoryRate, ""), none: positive}}), nil)
}

// breathingStages maps the breathing rate by stages of sleep.
func (m *mapper) breathingStages() error {
	parts := map[string]health.Part{
		"deepSleepSummary": health.PartDeep, "remSleepSummary": health.PartREM, "lightSleepSummary": health.PartLight,
		"fullSleepSummary": health.PartAsleep,
	}
	return m.days(0, "br", func(s *jsonscan.Scanner) {
		m.row.each(s, "value", func(s *jsonscan.Scanner) {
			name := string(s.Name())
			part, known := parts[name]
			if !known {
				s.Skip()
				return
			}
			// A stage without data is missing or has a number below zero.
			m.row.object(s, name, fields{"breathingRate": {is: is(fitbitmap.NightRespiratoryRate, part), none: positive}})
		})
	}, nil)
}

// skinTemperature maps the deviation of skin temperature at night.
func (m *mapper) skinTemperature() error {
	return m.days(0, "tempSkin", m.objectOf(fields{"nightlyRelative": {is: is(fitbitmap.SkinTemperature, "")}}),
		func(s *jsonscan.Scanner) bool {
			if string(s.Name()) != "logType" {
				return false
			}
			m.row.word(s, health.TextMeasurementSource)
			return true
		})
}

// coreTemperature maps temperatures that the person typed in, several a day.
func (m *mapper) coreTemperature() error {
	_, asked, err := m.body(0)
	if err != nil {
		return err
	}
	return m.list(0, "tempCore", func(s *jsonscan.Scanner) (key, reason string) {
		r := &m.row
		var (
			text  string
			at    health.Moment
			flags health.Flags
			ok    bool
		)
		for s.NextMember() {
			switch string(s.Name()) {
			case "dateTime":
				text, at, flags, ok = r.moment(s)
				if d, err := health.ParseDay(text); err == nil { // a day without a time
					at, ok = health.Floating(int64(d.Number())*dayMilli), true
				}
			case "value":
				r.required(s, "value", field{is: is(fitbitmap.BodyTemperature, "")})
			default:
				s.Skip()
			}
		}
		if !ok {
			return "", reasonTime
		}
		key = m.key(keyPart(text))
		switch d := dayOf(at); {
		case !asked.holds(d):
			return key, reasonOutside
		case r.empty():
			return key, ""
		default:
			rec := m.emit(health.KindBody, key)
			rec.Span, rec.Method = m.pointSpan(at, health.Moment{}, flags), health.MethodSelfReported
			rec.Span.Day = d
			return key, ""
		}
	}, nil)
}

// cardioFitness maps the cardio fitness score: an oxygen uptake as a text, one
// number or a range.
func (m *mapper) cardioFitness() error {
	what, asked, err := m.body(0)
	if err != nil || what == "" {
		return err
	}
	each := m.dayRow(asked, func(s *jsonscan.Scanner) {
		m.row.each(s, "value", func(s *jsonscan.Scanner) {
			switch string(s.Name()) {
			case "vo2Max":
				m.row.oxygenUptake(s)
			case "vo2MaxRange":
				m.row.oxygenUptakeRange(s)
			default:
				s.Skip()
			}
		})
	}, nil)
	found := false
	err = m.object(0, func(s *jsonscan.Scanner) error {
		switch string(s.Name()) {
		case "cardioScore", "cardioscore": // the documentation spells it both ways
			if found {
				return malformed(codeDuplicate)
			}
			found = true
			return m.rows(s, each)
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

func (r *row) oxygenUptake(s *jsonscan.Scanner) {
	at := s.Mark()
	text, v := word(s)
	if v == jsonscan.Absent || s.Err() != nil {
		return
	}
	values, ok := fitbitmap.VO2Max([]byte(text))
	if !ok {
		r.fault("vo2Max", reasonRange, s.Since(at))
		return
	}
	for _, v := range values {
		r.value(v)
	}
}

func (r *row) oxygenUptakeRange(s *jsonscan.Scanner) {
	at := s.Mark()
	var low, high health.Decimal
	gotLow, gotHigh := jsonscan.Absent, jsonscan.Absent
	r.each(s, "vo2MaxRange", func(s *jsonscan.Scanner) {
		switch string(s.Name()) {
		case "low":
			low, gotLow = number(s)
		case "high":
			high, gotHigh = number(s)
		default:
			s.Skip()
		}
	})
	if s.Err() != nil || gotLow == jsonscan.Absent && gotHigh == jsonscan.Absent {
		return
	}
	values, ok := fitbitmap.VO2MaxRange(low, high)
	if gotLow != jsonscan.OK || gotHigh != jsonscan.OK || !ok {
		r.fault("vo2MaxRange", reasonRange, s.Since(at))
		return
	}
	for _, v := range values {
		r.value(v)
	}
}
