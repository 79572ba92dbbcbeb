package fitbit

import (
	"bytes"
	"strconv"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/fitbitmap"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
	"github.com/vitalmux/vitalmux/providers"
)

// userProfile maps the person's profile. Its zone is that of now. The profile
// of another person than the one asked for is not read.
func (m *mapper) userProfile() error {
	m.row = row{}
	r := &m.row
	err := m.subject(0, "user", func(s *jsonscan.Scanner) error {
		if s.Kind() != jsonscan.Object {
			s.Skip()
			return malformed(codeNoRows)
		}
		r.each(s, "user", func(s *jsonscan.Scanner) { m.profileMember(s) })
		return nil
	}, nil)
	if err != nil {
		return err
	}
	for _, t := range r.texts {
		if t.Name == health.TextUpstreamUserID && m.user != "" && t.Value != m.user {
			return malformed(providers.CodeIdentity)
		}
	}
	m.emitState(health.KindAthlete, "current", 0)
	return nil
}

// profileTexts is never changed.
var profileTexts = map[string]string{
	"encodedId": health.TextUpstreamUserID, "gender": health.TextSex, "dateOfBirth": health.TextBirthDate, "memberSince": health.TextMemberSince,
	"displayName": "fitbit_display_name", "fullName": "fitbit_full_name", "firstName": health.TextFirstName, "lastName": health.TextLastName,
	"locale": health.TextLocale, "country": health.TextCountry, "state": health.TextState, "city": health.TextCity, "aboutMe": health.TextBio,
	"distanceUnit": "fitbit_distance_unit", "weightUnit": "fitbit_weight_unit", "heightUnit": "fitbit_height_unit", "swimUnit": "fitbit_swim_unit",
	"waterUnitName": "fitbit_water_unit", "waterUnit": "fitbit_water_unit", "glucoseUnit": "fitbit_glucose_unit", "temperatureUnit": "fitbit_temperature_unit",
	"foodsLocale": "fitbit_foods_locale", "languageLocale": "fitbit_language_locale", "startDayOfWeek": "fitbit_start_day_of_week",
	"strideLengthWalkingType": "fitbit_stride_length_walking_type", "strideLengthRunningType": "fitbit_stride_length_running_type",
	"clockTimeDisplayFormat": "fitbit_clock_format", "offsetFromUTCMillis": "fitbit_offset_from_utc",
}

// profileFields is never changed.
var profileFields = fields{
	"age":                 {is: health.Value{Metric: health.MetricAge}, none: positive},
	"height":              {is: is(fitbitmap.Height, ""), unit: centimetres, none: positive},
	"weight":              {is: is(fitbitmap.Weight, ""), none: positive},
	"strideLengthWalking": {is: health.Value{Metric: health.MetricStrideLength, Part: health.PartWalking}, unit: centimetres, none: positive},
	"strideLengthRunning": {is: health.Value{Metric: health.MetricStrideLength, Part: health.PartRunning}, unit: centimetres, none: positive},
	"averageDailySteps":   {is: health.Value{Metric: health.MetricSteps, Stat: health.StatMean}, none: positive},
}

func (m *mapper) profileMember(s *jsonscan.Scanner) {
	r, name := &m.row, string(s.Name())
	switch {
	case name == "timezone":
		text := r.word(s, health.TextTimezone)
		if loc := providers.LoadZone(text); loc != nil {
			m.profile, m.personZone = loc, text
		}
	case profileTexts[name] != "":
		if s.Kind() == jsonscan.Object || s.Kind() == jsonscan.Array {
			s.Skip()
			return
		}
		r.word(s, profileTexts[name])
	default:
		if f, ok := profileFields[name]; ok {
			r.number(s, name, f)
		} else {
			s.Skip()
		}
	}
}

// emitState adds a record of what is now, out of the i-th answer.
func (m *mapper) emitState(kind health.Kind, name string, i int) {
	key := m.key(name)
	if repeated(m.raw.Bodies[i].Body) {
		m.quarantined.Add(key, reasonTwice, clip(m.raw.Bodies[i].Body))
		return
	}
	if !m.row.empty() {
		m.emit(kind, key)
		m.origins[len(m.origins)-1] = clip(m.raw.Bodies[i].Body)
	}
	m.setFaultsAside(key, clip(m.raw.Bodies[i].Body))
}

// devices maps the list of paired devices.
func (m *mapper) devices() error {
	s, err := m.scanner(0)
	if err != nil {
		return err
	}
	if s.Kind() != jsonscan.Array {
		if s.Skip(); s.End() != nil {
			return s.Err()
		}
		return malformed(codeShape)
	}
	if err := m.rows(&s, m.device); err != nil {
		return err
	}
	return s.End()
}

func (m *mapper) device(s *jsonscan.Scanner) (key, reason string) {
	r := &m.row
	id := ""
	for s.NextMember() {
		switch name := string(s.Name()); name {
		case "id":
			id, _ = word(s)
		case "battery":
			if text, v := word(s); v == jsonscan.OK {
				r.text(health.TextBattery, string(bytes.ToLower([]byte(text))))
			}
		case "batteryLevel":
			r.number(s, name, field{is: health.Value{Metric: health.MetricDeviceBatteryLevel}, none: notMinus})
		case "deviceVersion":
			r.word(s, health.TextDeviceModel)
		case "type":
			if text, v := word(s); v == jsonscan.OK {
				r.text(health.TextDeviceType, string(bytes.ToLower([]byte(text))))
			}
		case "features":
			r.word(s, health.TextDeviceFeatures)
		case "lastSyncTime":
			r.word(s, health.TextDeviceLastSync)
		case "mac":
			r.word(s, "fitbit_mac")
		default:
			s.Skip()
		}
	}
	if id == "" {
		return "", reasonDevice
	}
	key = m.key(keyPart(id))
	rec := m.emit(health.KindDevice, key)
	rec.Source.Device = id
	return key, ""
}

// activityGoals maps the goals of a day and of a week.
func (m *mapper) activityGoals() error {
	return m.eachState(func(s *jsonscan.Scanner) part {
		if string(s.Name()) != "goals" {
			return unread
		}
		m.row.object(s, "goals", dayGoalFields)
		return subject
	})
}

// part says what a member of an answer was.
type part uint8

const (
	unread  part = iota // not read
	beside              // read, and not what the answer is about
	subject             // what the answer is about
)

// eachState maps answers that are objects of state, one record each, named
// after the request. Read is called in front of the value of each member; one
// must be the subject.
func (m *mapper) eachState(read func(s *jsonscan.Scanner) part) error {
	for i := range m.raw.Bodies {
		m.row = row{}
		name := m.raw.Bodies[i].Name
		if keyPart(name) != name {
			return malformed(codeBodyName)
		}
		found := false
		err := m.object(i, func(s *jsonscan.Scanner) error {
			switch read(s) {
			case unread:
				s.Skip()
			case subject:
				if found {
					return malformed(codeDuplicate)
				}
				found = true
			}
			return nil
		})
		switch {
		case err != nil:
			return err
		case !found:
			return malformed(codeNoRows)
		}
		m.emitState(health.KindAthlete, name, i)
	}
	if len(m.raw.Bodies) == 0 {
		return malformed(codeNoRows)
	}
	return nil
}

// bodyGoals maps the goals of weight and body fat.
func (m *mapper) bodyGoals() error {
	return m.eachState(func(s *jsonscan.Scanner) part {
		if string(s.Name()) != "goal" {
			return unread
		}
		m.row.each(s, "goal", func(s *jsonscan.Scanner) {
			switch name := string(s.Name()); name {
			case "weight":
				m.row.number(s, name, field{is: goalOf(fitbitmap.Weight)})
			case "fat":
				m.row.number(s, name, field{is: goalOf(fitbitmap.BodyFat)})
			case "startWeight":
				m.row.number(s, name, field{is: health.Value{Metric: health.MetricBodyWeight, Stat: health.StatStart}})
			case "goalType", "startDate", "weightThreshold":
				m.row.word(s, "fitbit_goal_"+textName(name))
			default:
				s.Skip()
			}
		})
		return subject
	})
}

// foodGoals maps the goals of energy eaten and of water drunk.
func (m *mapper) foodGoals() error {
	return m.eachState(func(s *jsonscan.Scanner) part {
		switch string(s.Name()) {
		case "goals":
			m.row.object(s, "goals", fields{"calories": {is: goalOf(fitbitmap.EnergyIntake)}})
		case "goal":
			m.row.each(s, "goal", func(s *jsonscan.Scanner) {
				switch name := string(s.Name()); name {
				case "goal":
					m.row.number(s, name, field{is: goalOf(fitbitmap.WaterIntake)})
				case "startDate":
					m.row.word(s, "fitbit_goal_startdate")
				default:
					s.Skip()
				}
			})
		default:
			return unread
		}
		return subject
	})
}

// sleepGoal maps the goal of sleep.
func (m *mapper) sleepGoal() error {
	return m.eachState(func(s *jsonscan.Scanner) part {
		switch string(s.Name()) {
		case "consistency":
			m.row.each(s, "consistency", func(s *jsonscan.Scanner) {
				switch name := string(s.Name()); s.Kind() {
				case jsonscan.Object, jsonscan.Array:
					s.Skip()
				default:
					m.row.word(s, "fitbit_consistency_"+textName(name))
				}
			})
			return beside
		case "goal":
			m.row.each(s, "goal", func(s *jsonscan.Scanner) {
				switch name := string(s.Name()); name {
				case "minDuration":
					m.row.number(s, name, field{is: goalOf(fitbitmap.TimeAsleep), unit: minutes, none: positive})
				case "bedtime", "wakeupTime", "updatedOn":
					m.row.word(s, "fitbit_goal_"+textName(name))
				default:
					s.Skip()
				}
			})
			return subject
		}
		return unread
	})
}

// lifetimeFields is never changed.
var lifetimeFields = fields{
	"activeScore": {is: health.Value{Metric: health.MetricActivityScore}, none: notMinus},
	"caloriesOut": {is: is(fitbitmap.EnergyTotal, ""), none: notMinus},
	"distance":    {is: is(fitbitmap.Distance, ""), unit: kilometres},
	"floors":      {is: is(fitbitmap.Floors, "")},
	"steps":       {is: is(fitbitmap.Steps, "")},
}

// lifetime maps the totals since the account was made, and the best days.
func (m *mapper) lifetime() error {
	parts := map[string]health.Part{"total": "", "tracker": health.PartTracker}
	return m.eachState(func(s *jsonscan.Scanner) part {
		r := &m.row
		switch string(s.Name()) {
		case "lifetime":
			r.each(s, "lifetime", func(s *jsonscan.Scanner) {
				part, ok := parts[string(s.Name())]
				if !ok {
					s.Skip()
					return
				}
				r.each(s, "lifetime", func(s *jsonscan.Scanner) {
					name := string(s.Name())
					if f, ok := lifetimeFields[name]; ok {
						f.is.Part = part
						r.number(s, name, f)
					} else {
						s.Skip()
					}
				})
			})
			return subject
		case "best":
			r.each(s, "best", func(s *jsonscan.Scanner) {
				word := string(s.Name())
				part, ok := parts[word]
				if !ok {
					s.Skip()
					return
				}
				r.each(s, "best", func(s *jsonscan.Scanner) {
					name := string(s.Name())
					f, ok := lifetimeFields[name]
					if !ok {
						s.Skip()
						return
					}
					f.is.Part, f.is.Stat = part, health.StatMax
					r.each(s, name, func(s *jsonscan.Scanner) {
						switch string(s.Name()) {
						case "value":
							r.number(s, name, f)
						case "date":
							r.word(s, "fitbit_best_"+word+"_"+name+"_date")
						default:
							s.Skip()
						}
					})
				})
			})
			return beside
		}
		return unread
	})
}

// irnProfile maps whether the person takes part in rhythm notifications.
func (m *mapper) irnProfile() error {
	m.row = row{}
	r := &m.row
	found := false
	err := m.object(0, func(s *jsonscan.Scanner) error {
		switch name := string(s.Name()); name {
		case "onboarded", "enrolled", "lastUpdated":
			found = true
			r.word(s, "fitbit_irn_"+textName(name))
		default:
			s.Skip()
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case !found:
		return malformed(codeNoRows)
	}
	m.emitState(health.KindAthlete, "current", 0)
	return nil
}

// ecgs maps the list of electrocardiograms. They have no id.
func (m *mapper) ecgs() error {
	_, asked, err := m.body(0)
	if err != nil {
		return err
	}
	return m.list(0, "ecgReadings", func(s *jsonscan.Scanner) (key, reason string) { return m.ecg(s, asked) }, m.paging)
}

func (m *mapper) ecg(s *jsonscan.Scanner, asked period) (key, reason string) {
	r := &m.row
	var (
		text       string
		start      health.Moment
		flags      health.Flags
		ok         bool
		samples    []int64
		badSamples bool
		frequency  int64
		factor     int64
		device     string
	)
	for s.NextMember() {
		switch name := string(s.Name()); name {
		case "startTime":
			text, start, flags, ok = r.moment(s)
		case "averageHeartRate":
			r.number(s, name, field{is: is(fitbitmap.MeanHeartRate, ""), none: positive})
		case "resultClassification":
			code := r.word(s, health.TextAFibCode)
			r.text(health.TextAFibResult, fitbitmap.Rhythm(code))
		case "waveformSamples":
			r.elements(s, name, func(s *jsonscan.Scanner) {
				n, v := integer(s)
				badSamples = badSamples || v != jsonscan.OK || n > 1<<40 || n < -1<<40
				samples = append(samples, n)
			})
		case "samplingFrequencyHz":
			f := field{is: health.Value{Metric: health.MetricECGSamplingFrequency}}
			at := s.Mark()
			if d, v := number(s); v == jsonscan.OK { // the service sends "250" as a text or a number
				frequency, _ = d.Rescale(0)
				r.add(d, v, name, f, s.Since(at))
			}
		case "scalingFactor":
			factor, _ = integer(s)
		case "leadNumber":
			r.number(s, name, field{is: health.Value{Metric: health.MetricECGLead}, none: positive})
		case "deviceName":
			device = r.word(s, health.TextDeviceModel)
		case "firmwareVersion":
			r.word(s, health.TextDeviceSoftware)
		case "featureVersion":
			r.word(s, "fitbit_feature_version")
		default:
			s.Skip()
		}
	}
	if !ok {
		return "", reasonTime
	}
	key = m.key(keyPart(text))
	d := dayOf(start)
	m.reach(start, asked)
	if !asked.holds(d) {
		return key, ""
	}
	if factor != 0 {
		r.text("fitbit_scaling_factor", strconv.FormatInt(factor, 10))
	}
	span := m.pointSpan(start, health.Moment{}, flags)
	switch {
	case len(samples) == 0:
	case badSamples || frequency <= 0 || frequency > 1000 || factor <= 0 || len(samples) > health.MaxPoints:
		r.fault("waveformSamples", reasonSignal, nil)
	default:
		series := signal(samples, frequency, factor, span.Start)
		r.series = append(r.series, series)
		span.End = after(span.Start, series.To-series.From)
	}
	rec := m.emit(health.KindECG, key)
	rec.Span, rec.Method, rec.Source.Device = span, health.MethodSensed, device
	rec.Span.Day = d
	return key, ""
}

// signal returns the samples of an electrocardiogram in microvolts. The service
// tells how many of its units are a millivolt; three decimal places are finer
// than its units, so that they can be computed back.
func signal(samples []int64, frequency, factor int64, start health.Moment) health.Series {
	s := health.Series{
		Metric: health.MetricECGVoltage, Exp: -3, Floating: start.IsFloating(), From: start.SortMilli(),
		Times: make([]int64, len(samples)), Values: make([]int64, len(samples)),
	}
	for i, n := range samples {
		s.Times[i] = s.From + int64(i)*1000/frequency
		scaled := n * 1_000_000
		half := factor / 2
		if n < 0 {
			half = -half
		}
		s.Values[i] = (scaled + half) / factor
	}
	s.To = s.From + (int64(len(samples))*1000+frequency-1)/frequency
	return s
}

// rhythmAlerts maps the list of irregular rhythm notifications. They have no
// id, and their time is that of the alert.
func (m *mapper) rhythmAlerts() error {
	_, asked, err := m.body(0)
	if err != nil {
		return err
	}
	return m.list(0, "alerts", func(s *jsonscan.Scanner) (key, reason string) { return m.rhythmAlert(s, asked) }, m.paging)
}

func (m *mapper) rhythmAlert(s *jsonscan.Scanner, asked period) (key, reason string) {
	r := &m.row
	var (
		text           string
		alert          health.Moment
		flags          health.Flags
		ok             bool
		device         string
		beats          []nightSample
		badBeats       bool
		windows, alarm int64
	)
	for s.NextMember() {
		switch name := string(s.Name()); name {
		case "alertTime":
			text, alert, flags, ok = r.moment(s)
		case "detectedTime", "serviceVersion", "algoVersion":
			r.word(s, "fitbit_"+textName(name))
		case "deviceType", "deviceName":
			device = r.word(s, health.TextDeviceModel)
		case "windows":
			r.elements(s, name, func(s *jsonscan.Scanner) {
				windows++
				r.each(s, name, func(s *jsonscan.Scanner) {
					switch string(s.Name()) {
					case "positive":
						if b, _ := s.ReadBool(); b {
							alarm++
						}
					case "bpmData":
						beats, badBeats = r.beats(s, beats, badBeats)
					default:
						s.Skip()
					}
				})
			})
		case "bpmData":
			beats, badBeats = r.beats(s, beats, badBeats)
		default:
			s.Skip()
		}
	}
	if !ok {
		return "", reasonTime
	}
	key = m.key(keyPart(text))
	d := dayOf(alert)
	m.reach(alert, asked)
	if !asked.holds(d) {
		return key, ""
	}
	r.text(health.TextObservationType, "irregular_rhythm_notification")
	if windows > 0 {
		r.text("fitbit_windows", strconv.FormatInt(windows, 10))
		r.text("fitbit_windows_positive", strconv.FormatInt(alarm, 10))
	}
	if badBeats {
		r.fault("bpmData", reasonSignal, nil)
	}
	if len(beats) > 0 {
		m.nightSeries(d, beats, func(c *column, _ string) (*column, bool) { return c.like(health.MetricHeartRate), true })
	}
	rec := m.emit(health.KindObservation, key)
	rec.Span, rec.Method, rec.Source.Device = m.pointSpan(alert, health.Moment{}, flags), health.MethodSensed, device
	rec.Span.Day = d
	return key, ""
}

// beats reads the heart rates behind a notification.
func (r *row) beats(s *jsonscan.Scanner, beats []nightSample, bad bool) ([]nightSample, bool) {
	r.elements(s, "bpmData", func(s *jsonscan.Scanner) {
		var (
			at    health.Moment
			ok    bool
			rate  health.Decimal
			state = jsonscan.Absent
		)
		r.each(s, "bpmData", func(s *jsonscan.Scanner) {
			switch string(s.Name()) {
			case "dateTime", "time":
				_, at, _, ok = r.moment(s)
			case "bpm", "value":
				rate, state = number(s)
			default:
				s.Skip()
			}
		})
		wall, local := at.WallMilli()
		if s.Err() == nil && (!ok || !local || state != jsonscan.OK) {
			bad = true
			return
		}
		beats = append(beats, nightSample{wall: wall, name: single, value: rate})
	})
	return beats, bad
}
