package withings

import (
	"strconv"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
)

// activities maps getactivity.
func (m *mapper) activities() error { return m.list("activities", m.activity) }

// The members of a day's activity besides its fields.
const (
	activityDate = iota
	activityTimezone
	activityDevice
	activityHash
	activityBrand
	activityIsTracker
	activityModified
	activityModel
	activityModelID
)

var activityNames = []string{
	"date", "timezone", "deviceid", "hash_deviceid", "brand", "is_tracker", "modified", "model", "modelid",
}

func (m *mapper) activity(s *jsonscan.Scanner) (key, reason string) {
	var (
		r               = &m.row
		date            health.Day
		zone            string
		dev             device
		brand, modified int64
		isTracker       bool
	)
	for s.NextMember() {
		switch string(s.Name()) {
		case "date":
			date = r.day(s, activityDate)
		case "timezone":
			zone = r.identifier(s, activityTimezone, &m.in)
		case "deviceid":
			dev.id = r.identifier(s, activityDevice, &m.in)
		case "hash_deviceid":
			dev.hash = r.identifier(s, activityHash, &m.in)
		case "brand":
			brand = r.integer(s, activityBrand)
		case "is_tracker":
			isTracker = r.truth(s, activityIsTracker)
		case "modified":
			modified = r.integer(s, activityModified)
		case "model":
			dev.model = r.word(s, activityModel, &m.in)
		case "modelid", "model_id":
			dev.modelID = r.integer(s, activityModelID)
		default:
			activityTable.read(s, r)
		}
	}
	switch {
	case date.IsZero():
		return "", reasonDay
	case r.bad&(1<<activityDevice|1<<activityHash) != 0:
		return m.key(date.String()), reasonDevice
	}
	source := dev.source()
	if dev.name() == "" {
		source = "brand_" + strconv.FormatInt(brand, 10) + "." + source
	}
	key = m.key(date.String(), source)
	r.optional(activityNames)
	if r.has(activityBrand) {
		r.text("withings_brand", strconv.FormatInt(brand, 10))
	}
	method := health.MethodUnknown
	if isTracker {
		method = health.MethodSensed
	}
	span := m.daySpan(date, zone)
	rec := m.emit(health.KindDaily, key, m.order(modified), r.describe(dev))
	rec.Span, rec.Method = span, method
	return key, ""
}

// workouts maps getworkouts.
func (m *mapper) workouts() error { return m.list("series", m.workout) }

// The members of a workout besides its data.
const (
	workoutID = iota
	workoutCategory
	workoutTimezone
	workoutModel
	workoutModelID
	workoutAttrib
	workoutStart
	workoutEnd
	workoutDate
	workoutModified
	workoutDevice
	workoutHash
	workoutUser
	workoutData
)

var workoutNames = []string{
	"id", "category", "timezone", "model", "model_id", "attrib", "startdate", "enddate", "date", "modified", "deviceid",
	"hash_deviceid", "userid", "data",
}

func (m *mapper) workout(s *jsonscan.Scanner) (key, reason string) {
	var (
		r                        = &m.row
		id, category, start, end int64
		modified                 int64
		attrib                   int64
		date                     health.Day
		zone, user               string
		dev                      device
	)
	for s.NextMember() {
		switch string(s.Name()) {
		case "id":
			id = r.integer(s, workoutID)
		case "category":
			category = r.integer(s, workoutCategory)
		case "timezone":
			zone = r.identifier(s, workoutTimezone, &m.in)
		case "model":
			dev.model = r.word(s, workoutModel, &m.in)
		case "model_id", "modelid":
			dev.modelID = r.integer(s, workoutModelID)
		case "attrib":
			attrib = r.integer(s, workoutAttrib)
		case "startdate":
			start = r.integer(s, workoutStart)
		case "enddate":
			end = r.integer(s, workoutEnd)
		case "date":
			date = r.day(s, workoutDate)
		case "modified":
			modified = r.integer(s, workoutModified)
		case "deviceid":
			dev.id = r.identifier(s, workoutDevice, &m.in)
		case "hash_deviceid":
			dev.hash = r.identifier(s, workoutHash, &m.in)
		case "userid":
			user = r.word(s, workoutUser, &m.in)
		case "data":
			r.meet(workoutData)
			if objectOr(s, r, "data") {
				for s.NextMember() {
					workoutTable.read(s, r)
				}
			}
		default:
			s.Skip()
		}
	}
	if r.bad&(1<<workoutID) != 0 || id <= 0 {
		return "", reasonNoID
	}
	key = m.idKey(id)
	switch {
	case user != "" && m.user != "" && user != m.user:
		m.foreign = true
		return key, "belongs to another person"
	case r.bad&(1<<workoutDevice|1<<workoutHash) != 0:
		return key, reasonDevice
	case r.bad&(1<<workoutStart|1<<workoutEnd) != 0 || end == 0:
		return key, reasonTime
	}
	span, reason := m.span(start, end, zone)
	if reason != "" {
		return key, reason
	}
	span.Day = date
	r.optional(workoutNames)
	sport, known := sports[category]
	if !known {
		sport = health.SportOther
	}
	r.text(health.TextSport, string(sport))
	if r.has(workoutCategory) {
		r.text(health.TextSportCode, strconv.FormatInt(category, 10))
	}
	method, exact := methodOf(attrib, r.has(workoutAttrib))
	if !exact {
		r.text("withings_attrib", strconv.FormatInt(attrib, 10))
	}
	rec := m.emit(health.KindActivity, key, m.order(modified, end), r.describe(dev))
	rec.Span, rec.Method = span, method
	return key, ""
}
