package fitbit

import (
	"strconv"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/fitbitmap"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
)

// workouts maps the activity log list.
func (m *mapper) workouts() error {
	_, asked, err := m.body(0)
	if err != nil {
		return err
	}
	return m.list(0, "activities", func(s *jsonscan.Scanner) (key, reason string) {
		w, reason := m.workout(s)
		if reason != "" {
			return w.key, reason
		}
		m.reach(w.start, asked)
		if !asked.holds(w.day) {
			return w.key, ""
		}
		rec := m.emit(health.KindActivity, w.key)
		w.complete(rec)
		rec.Span = m.pointSpan(w.start, w.end, w.flags)
		rec.Span.Day = w.day
		return w.key, ""
	}, m.paging)
}

// reach notes how far a list has come. It is by starts, and behind one of the day
// after the window there may be one of its last day: where a person crosses the
// date line the clock goes back by as much as a day.
func (m *mapper) reach(start health.Moment, asked period) {
	m.newest = max(m.newest, start.SortMilli())
	if dayOf(start).Compare(asked.last.Add(1)) > 0 {
		m.beyond = true
	}
}

// paging reads what a list tells of its next page.
func (m *mapper) paging(s *jsonscan.Scanner) error {
	if string(s.Name()) != "pagination" {
		s.Skip()
		return nil
	}
	if s.Kind() != jsonscan.Object {
		s.Skip()
		return nil
	}
	s.Object()
	for s.NextMember() {
		if string(s.Name()) != "next" {
			s.Skip()
			continue
		}
		b, v := s.ReadIdentifier()
		if v == jsonscan.Bad {
			if s.Err() != nil {
				return s.Err()
			}
			return malformed(codeShape)
		}
		m.next = string(b)
	}
	return s.Err()
}

// workout is what one row of the activity log list tells besides its values.
type workout struct {
	id         int64
	key        string
	start, end health.Moment
	flags      health.Flags
	day        health.Day
	order      int64
	manual     bool
	sensed     bool
	app        string
	device     string
	recorded   bool // there is a recording to fetch
}

func (w workout) complete(rec *health.Record) {
	rec.Rev.Order = w.order
	rec.Source.App, rec.Source.Device = w.app, w.device
	switch {
	case w.manual:
		rec.Method = health.MethodSelfReported
	case w.sensed:
		rec.Method = health.MethodSensed
	}
}

func (m *mapper) workout(s *jsonscan.Scanner) (w workout, reason string) {
	var (
		r         = &m.row
		okID      bool
		okStart   bool
		duration  = int64(-1)
		name      string
		code      int64
		distance  health.Decimal
		gotDist   = jsonscan.Absent
		unitName  string
		pool      health.Decimal
		gotPool   = jsonscan.Absent
		poolUnit  string
		custom    int
		startText string
	)
	for s.NextMember() {
		member := string(s.Name())
		switch member {
		case "logId":
			w.id, okID = r.id(s)
		case "startTime":
			startText, w.start, w.flags, okStart = r.moment(s)
		case "duration":
			n, v := integer(s)
			if v == jsonscan.OK {
				duration = n
			}
		case "activityName":
			name = r.word(s, health.TextTitle)
		case "activityTypeId":
			code, _ = integer(s)
		case "lastModified":
			if _, at, _, ok := r.moment(s); ok {
				w.order, _ = at.UnixMilli()
			}
		case "distance":
			distance, gotDist = number(s)
		case "distanceUnit":
			b, _ := s.ReadIdentifier()
			unitName = string(b)
		case "poolLength":
			pool, gotPool = number(s)
		case "poolLengthUnit":
			b, _ := s.ReadIdentifier()
			poolUnit = string(b)
		case "logType":
			kind := r.word(s, "fitbit_log_type")
			w.manual = kind == "manual"
			w.sensed = kind == "auto_detected" || kind == "tracker" || kind == "mobile_run"
		case "heartRateZones", "customHeartRateZones":
			r.zones(s, member, &custom)
		case "activityLevel":
			r.activityLevels(s)
		case "activeZoneMinutes":
			r.workoutZoneMinutes(s)
		case "source":
			w.app, w.device = r.workoutSource(s)
		case "tcxLink":
			b, _ := s.ReadIdentifier()
			w.recorded = len(b) > 0
		case "hasGps":
			r.word(s, "fitbit_has_gps")
		case "originalStartTime":
			b, v := s.ReadIdentifier()
			if v == jsonscan.OK && string(b) != startText {
				r.text("fitbit_original_start", string(b))
			}
		case "originalDuration":
			if n, v := integer(s); v == jsonscan.OK && n != duration {
				r.text("fitbit_original_duration", strconv.FormatInt(n, 10))
			}
		case "manualValuesSpecified":
			r.manualValues(s)
		default:
			if f, ok := workoutFields[member]; ok {
				r.number(s, member, f)
			} else {
				s.Skip()
			}
		}
	}
	if !okID {
		return w, reasonNoID
	}
	w.key = m.key(strconv.FormatInt(w.id, 10))
	const longest = 31 * dayMilli
	switch {
	case !okStart:
		return w, reasonTime
	case duration < 0 || duration > longest:
		return w, reasonDuration
	}
	w.day = dayOf(w.start)
	w.end = after(w.start, duration)
	if startText == "" {
		return w, reasonTime
	}
	r.distance(distance, gotDist, unitName)
	r.pool(pool, gotPool, poolUnit)
	sport, known := fitbitmap.SportByID(code)
	if !known {
		sport, _ = fitbitmap.Sport(name)
	}
	r.text(health.TextSport, string(sport))
	if code != 0 {
		r.text(health.TextSportCode, strconv.FormatInt(code, 10))
	}
	return w, ""
}

// dayOf returns the civil day of a moment by its own clock.
func dayOf(m health.Moment) health.Day {
	wall, ok := m.WallMilli()
	if !ok {
		wall = m.SortMilli()
	}
	days := wall / dayMilli
	if wall < 0 && wall%dayMilli != 0 {
		days--
	}
	return health.Day{Year: 1970, Month: 1, Dom: 1}.Add(int(days))
}

// after returns the moment that many milliseconds later, by the same clock.
func after(m health.Moment, milli int64) health.Moment {
	if m.IsFloating() {
		wall, _ := m.WallMilli()
		return health.Floating(wall + milli)
	}
	at, _ := m.UnixMilli()
	if offset, ok := m.Offset(); ok {
		return health.Zoned(at+milli, offset)
	}
	return health.Instant(at + milli)
}

// workoutFields is never changed.
var workoutFields = fields{
	"activeDuration":   {is: health.Value{Metric: health.MetricExerciseDuration}, unit: milliseconds},
	"calories":         {is: is(fitbitmap.EnergyTotal, "")},
	"steps":            {is: is(fitbitmap.Steps, "")},
	"elevationGain":    {is: is(fitbitmap.ElevationGain, "")},
	"speed":            {is: health.Value{Metric: health.MetricSpeed, Stat: health.StatMean}, unit: kilometresHour, none: positive},
	"pace":             {is: health.Value{Metric: health.MetricPace, Stat: health.StatMean}, none: positive},
	"averageHeartRate": {is: is(fitbitmap.MeanHeartRate, ""), none: positive},
	"swimLengths":      {is: health.Value{Metric: health.MetricSwimLaps}},
}

// distance adds the distance of a workout. This adapter asks for metric units,
// but an archive may hold what another client asked for. Lengths are the only
// numbers that tell their unit: all others are taken as metric.
func (r *row) distance(d health.Decimal, v jsonscan.Verdict, unitName string) {
	f := field{is: is(fitbitmap.Distance, ""), unit: kilometres}
	switch unitName {
	case "", "Kilometer":
	case "Meter":
		f.unit = asSent
	case "Mile":
		f.unit = miles
	default:
		r.text("fitbit_distance_unit", unitName)
		if v == jsonscan.OK {
			r.text("fitbit_distance", d.String())
		}
		return
	}
	r.add(d, v, "distance", f, nil)
}

// pool adds the length of the pool.
func (r *row) pool(d health.Decimal, v jsonscan.Verdict, unitName string) {
	f := field{is: health.Value{Metric: health.MetricPoolLength}, none: positive}
	switch unitName {
	case "", "Meter", "METER", "m":
	case "Yard", "YARD", "yd":
		f.unit = yards
	default:
		r.text("fitbit_pool_length_unit", unitName)
		if v == jsonscan.OK {
			r.text("fitbit_pool_length", d.String())
		}
		return
	}
	r.add(d, v, "poolLength", f, nil)
}

// activityLevels reads the minutes of a workout by level of activity.
func (r *row) activityLevels(s *jsonscan.Scanner) {
	const member = "activityLevel"
	r.elements(s, member, func(s *jsonscan.Scanner) {
		at := s.Mark()
		name, value, verdict := r.labelled(s, member, "name")
		if s.Err() != nil {
			return
		}
		f := field{unit: minutes}
		switch part := fitbitmap.LevelPart(name); part {
		case "":
			if verdict == jsonscan.OK && name != "" {
				r.text("fitbit_level_"+textName(name), value.String())
			} else {
				r.fault(member, reasonType, s.Since(at))
			}
			return
		case health.PartSedentary:
			f.is = is(fitbitmap.SedentaryDuration, "")
		default:
			f.is = is(fitbitmap.ActiveDuration, part)
		}
		r.add(value, verdict, member, f, s.Since(at))
	})
}

// labelled reads an element of a list of minutes, each with a word for what they
// are of in the member of the given name.
func (r *row) labelled(s *jsonscan.Scanner, list, name string) (label string, value health.Decimal, v jsonscan.Verdict) {
	v = jsonscan.Absent
	r.each(s, list, func(s *jsonscan.Scanner) {
		switch string(s.Name()) {
		case name:
			b, _ := s.ReadIdentifier()
			label = string(b)
		case "minutes":
			value, v = number(s)
		default:
			s.Skip()
		}
	})
	return label, value, v
}

// workoutZoneMinutes reads the active zone minutes of a workout: the total
// counts the upper zones twice.
func (r *row) workoutZoneMinutes(s *jsonscan.Scanner) {
	r.each(s, "activeZoneMinutes", func(s *jsonscan.Scanner) {
		switch string(s.Name()) {
		case "totalMinutes":
			r.number(s, "totalMinutes", field{is: is(fitbitmap.ActiveZoneMinutes, "")})
		case "minutesInHeartRateZones":
			r.elements(s, "minutesInHeartRateZones", func(s *jsonscan.Scanner) {
				at := s.Mark()
				kind, value, verdict := r.labelled(s, "minutesInHeartRateZones", "type")
				if s.Err() != nil {
					return
				}
				part := fitbitmap.ZonePart(kind)
				switch {
				case part != "":
					r.add(value, verdict, "minutesInHeartRateZones", field{is: is(fitbitmap.ActiveZoneMinutes, part)}, s.Since(at))
				case kind != "" && verdict == jsonscan.OK:
					r.text("fitbit_zone_minutes_"+textName(kind), value.String())
				default:
					r.fault("minutesInHeartRateZones", reasonType, s.Since(at))
				}
			})
		default:
			s.Skip()
		}
	})
}

// workoutSource reads where a workout was recorded.
func (r *row) workoutSource(s *jsonscan.Scanner) (app, device string) {
	var name, kind, id string
	r.each(s, "source", func(s *jsonscan.Scanner) {
		switch string(s.Name()) {
		case "name":
			name, _ = word(s)
		case "type":
			kind, _ = word(s)
		case "id":
			id, _ = word(s)
		case "trackerFeatures":
			r.word(s, health.TextDeviceFeatures)
		default:
			s.Skip()
		}
	})
	r.text("fitbit_source_type", kind)
	r.text("fitbit_source_id", id)
	if kind == "tracker" {
		r.text(health.TextDeviceModel, name)
		return "", name
	}
	return name, ""
}

// manualValues keeps which numbers the person typed in.
func (r *row) manualValues(s *jsonscan.Scanner) {
	var list string
	r.each(s, "manualValuesSpecified", func(s *jsonscan.Scanner) {
		name := string(s.Name())
		if b, _ := s.ReadBool(); b {
			if list != "" {
				list += ","
			}
			list += name
		}
	})
	r.text("fitbit_manual_values", list)
}
