package fitbit

import (
	"strconv"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/fitbitmap"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
)

// restingHeartRate is left out by the service when it is not known; some
// answers have 0 instead.
func restingHeartRate() field {
	return field{is: is(fitbitmap.RestingHeartRate, ""), none: positive}
}

// hearts maps the heart rate time series: resting heart rate and zones.
func (m *mapper) hearts() error {
	custom := 0
	start := func() { custom = 0 }
	read := func(s *jsonscan.Scanner, name string) bool {
		switch name {
		case "heartRateZones", "customHeartRateZones":
			m.row.zones(s, name, &custom)
		case "restingHeartRate":
			m.row.number(s, name, restingHeartRate())
		default:
			return false
		}
		return true
	}
	return m.days(0, "activities-heart", func(s *jsonscan.Scanner) {
		start()
		if s.Kind() != jsonscan.Object {
			// Asked for a part of a day the service sends the mean of the part
			// as a text, and the zones beside it.
			m.row.number(s, "value", field{is: is(fitbitmap.MeanHeartRate, ""), none: positive})
			return
		}
		m.row.each(s, "value", func(s *jsonscan.Scanner) {
			if name := string(s.Name()); !read(s, name) {
				s.Skip()
			}
		})
	}, func(s *jsonscan.Scanner) bool { return read(s, string(s.Name())) })
}

// zones reads an array of heart rate zones. Custom counts the zones whose name
// is not one of the four.
func (r *row) zones(s *jsonscan.Scanner, member string, custom *int) {
	r.elements(s, member, func(s *jsonscan.Scanner) {
		at := s.Mark()
		var (
			name   string
			values []health.Value
			bad    bool
		)
		if !s.Object() {
			if s.Err() == nil {
				r.fault(member, reasonNotObject, s.Since(at))
			}
			return
		}
		for s.NextMember() {
			f, known := zoneFields[string(s.Name())]
			if string(s.Name()) == "name" {
				b, _ := s.ReadIdentifier()
				name = string(b)
				continue
			}
			if !known {
				s.Skip()
				continue
			}
			d, v := number(s)
			switch v {
			case jsonscan.OK, jsonscan.Vanished:
				if d, _, ok := f.unit.convert(d); ok {
					f.is.Number = d
					values = append(values, f.is)
					continue
				}
				bad = true
			case jsonscan.Bad:
				bad = true
			}
		}
		switch {
		case s.Err() != nil:
			return
		case bad:
			r.fault(member, reasonValue, s.Since(at))
		}
		part := fitbitmap.ZonePart(name)
		if part == "" {
			*custom++
			part = customZone(*custom)
			r.text("fitbit_"+string(part), name)
		}
		for _, v := range values {
			v.Part = part
			r.value(v)
		}
	})
}

// zoneFields are the members of a heart rate zone. It is never changed.
var zoneFields = fields{
	"min":         {is: is(fitbitmap.ZoneLow, "")},
	"max":         {is: is(fitbitmap.ZoneHigh, "")},
	"minutes":     {is: is(fitbitmap.ZoneDuration, ""), unit: minutes},
	"caloriesOut": {is: is(fitbitmap.ZoneEnergy, "")},
}

// heartIntraday maps the heart rate within one day.
func (m *mapper) heartIntraday() error {
	_, asked, err := m.body(0)
	if err != nil {
		return err
	}
	m.row = row{}
	c := m.newColumn(health.MetricHeartRate, "", health.StatValue, asked, 0)
	c.none = positive
	err = m.dataset(0, "activities-heart-intraday", asked.first, c, nil)
	if err != nil {
		return err
	}
	m.row.finishSeries(c)
	return m.emitSamples(asked.first)
}

// emitSamples adds the record of what was sampled within a day.
func (m *mapper) emitSamples(d health.Day) error {
	key := m.key(d.String())
	whole := []byte(nil)
	if len(m.raw.Bodies) > 0 && len(m.row.faults) > 0 {
		whole = clip(m.raw.Bodies[0].Body)
	}
	if !m.row.empty() {
		rec := m.emit(health.KindSamples, key)
		rec.Span, rec.Method = d.Span(m.profile, health.ZoneFromProfile), health.MethodSensed
	}
	m.setFaultsAside(key, whole)
	if m.quarantined.Flooded() {
		return malformed(codeFlooded)
	}
	return nil
}

// clip bounds what is kept of a body beside the reason for which a part of it
// was set aside: the whole is with the page.
func clip(body []byte) []byte {
	const most = 4 << 10
	return body[:min(len(body), most):min(len(body), most)]
}

// extras are what the elements of a dataset tell besides.
type extras struct {
	// member reads a member; false leaves it to be skipped.
	member func(s *jsonscan.Scanner, name string) bool
	// ended is called behind each element, whether it was kept or set aside.
	ended func()
}

// dataset reads the member of the given name: a dataset of clock times and
// values within the day d. Extra may be nil.
func (m *mapper) dataset(i int, name string, d health.Day, c *column, extra *extras) error {
	return m.subject(i, name, func(s *jsonscan.Scanner) error {
		if s.Kind() != jsonscan.Object {
			s.Skip()
			return malformed(codeNoRows)
		}
		s.Object()
		for s.NextMember() {
			if string(s.Name()) == "dataset" {
				if err := m.readings(s, d, c, extra); err != nil {
					return err
				}
			} else {
				s.Skip()
			}
		}
		return nil
	}, nil)
}

// readings walks the dataset.
func (m *mapper) readings(s *jsonscan.Scanner, d health.Day, c *column, extra *extras) error {
	if s.Kind() != jsonscan.Array {
		s.Skip()
		return malformed(codeNoRows)
	}
	midnight := int64(d.Number()) * dayMilli
	const shortest = len(`{"time":"00:00:00","value":0},`)
	if room := min(s.Left()/shortest, daySeconds+2*3600); cap(c.series.Times) < room {
		c.series.Times, c.series.Values = make([]int64, 0, room), make([]int64, 0, room)
	}
	s.Array()
	for s.NextElement() {
		if sec, n, ok := s.ClockReading(); ok && extra == nil {
			c.fast(m, midnight+sec*1000, n)
			continue
		} else if ok {
			c.add(m, midnight+sec*1000, health.Int(n))
		} else if m.reading(s, midnight, c, extra); s.Err() != nil {
			return s.Err()
		}
		if extra != nil {
			extra.ended()
		}
	}
	return s.Err()
}

const daySeconds = 24 * 60 * 60

// fast is add for a reading of the usual form.
func (c *column) fast(m *mapper, wall, n int64) {
	if c.started && c.series.Exp == 0 && c.scale == 0 && (n > 0 || c.none == always) {
		t := wall + c.shift // no shift as long as the zone is not known
		if t > c.last && t < c.series.To && (m.profile == nil || wall < c.until) {
			c.series.Times = append(c.series.Times, t)
			c.series.Values = append(c.series.Values, n)
			c.last = t
			return
		}
	}
	c.add(m, wall, health.Int(n))
}

// reading reads one element of a dataset member by member. One that cannot be
// read is set aside.
func (m *mapper) reading(s *jsonscan.Scanner, midnight int64, c *column, extra *extras) {
	at := s.Mark()
	if !s.Object() {
		if s.Err() == nil {
			m.row.fault(string(c.series.Metric), reasonNotObject, s.Since(at))
		}
		return
	}
	var (
		seen    members
		wall    = int64(-1)
		value   health.Decimal
		verdict = jsonscan.Absent
	)
	for s.NextMember() {
		name := string(s.Name())
		switch name {
		case "time":
			seen.meet(0)
			if b, v := s.ReadIdentifier(); v == jsonscan.OK {
				wall = clockTime(b)
			}
		case "value":
			seen.meet(1)
			value, verdict = required(s)
		default:
			if extra == nil || !extra.member(s, name) {
				s.Skip()
			}
		}
	}
	switch {
	case s.Err() != nil:
		if !s.Resync(at) {
			return
		}
		m.row.fault(string(c.series.Metric), reasonNotJSON, s.Since(at))
	case seen.twice:
		m.row.fault(string(c.series.Metric), reasonTwice, s.Since(at))
	case wall < 0:
		m.row.fault(string(c.series.Metric), reasonTime, s.Since(at))
	case verdict == jsonscan.Bad:
		m.row.fault(string(c.series.Metric), reasonValue, s.Since(at))
	case verdict == jsonscan.OK || verdict == jsonscan.Vanished:
		c.add(m, midnight+wall, value)
	}
}

// clockTime reads "15:04:05" or "15:04" as milliseconds since midnight; -1 for
// any other text.
func clockTime(b []byte) int64 {
	if len(b) == len("15:04") {
		b = append(b[:5:5], ":00"...)
	}
	if len(b) != len("15:04:05") || b[2] != ':' || b[5] != ':' {
		return -1
	}
	var n [3]int64
	for i := range n {
		v, err := strconv.ParseUint(string(b[i*3:i*3+2]), 10, 8)
		if err != nil {
			return -1
		}
		n[i] = int64(v)
	}
	if n[0] > 23 || n[1] > 59 || n[2] > 59 {
		return -1
	}
	return ((n[0]*60+n[1])*60 + n[2]) * 1000
}
