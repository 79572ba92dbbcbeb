package withings

import (
	"cmp"
	"strconv"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
)

// activities maps getactivity.
func (m *mapper) activities() error {
	if m.legacy {
		return m.legacyActivities()
	}
	return m.list("activities", m.activity)
}

// legacyActivities maps getactivity of the OAuth 1.0 era: the days of a range
// are a list, and those of a single date lie in the body itself, which is empty
// if there is nothing.
func (m *mapper) legacyActivities() error {
	var day activityRow
	flat := false
	m.startRow()
	err := m.answer(0, func(s *jsonscan.Scanner) error {
		switch string(s.Name()) {
		case "activities":
			return m.rows(s, m.activity)
		case "more", "offset", "updatetime":
			return m.paging(s)
		}
		if m.gotRows {
			s.Skip()
			return nil
		}
		flat = true
		m.activityMember(s, &day)
		return nil
	})
	if err != nil {
		return err
	}
	if flat && !m.gotRows {
		raw := m.raw.Bodies[0].Body
		key, reason := m.activityRecord(&day)
		switch {
		case m.row.twice:
			reason = reasonTwice
		case m.row.hopeless:
			reason = reasonHopeless
		}
		if reason != "" {
			clear(m.records)
			m.records, m.origins = m.records[:0], m.origins[:0]
			m.quarantined.Add(cmp.Or(key, m.raw.Stream+"/#0"), reason, raw)
		} else {
			m.origins[0] = raw
			for _, f := range m.row.faults {
				if f.raw == nil {
					f.raw = raw
				}
				m.quarantined.Add(key+"#"+f.name, f.reason, f.raw)
			}
		}
		m.fold(raw)
	}
	m.gotRows = true
	return m.listed()
}

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
	activityModelID2
)

var activityNames = []string{
	"date", "timezone", "deviceid", "hash_deviceid", "brand", "is_tracker", "modified", "model", "modelid", "model_id",
}

// activityRow is what is read of a day besides its fields.
type activityRow struct {
	date            health.Day
	zone            string
	dev             device
	brand, modified int64
	isTracker       bool
}

func (m *mapper) activity(s *jsonscan.Scanner) (key, reason string) {
	var a activityRow
	for s.NextMember() {
		m.activityMember(s, &a)
	}
	return m.activityRecord(&a)
}

// activityMember reads one member of a day.
func (m *mapper) activityMember(s *jsonscan.Scanner, a *activityRow) {
	r := &m.row
	switch string(s.Name()) {
	case "date":
		a.date = r.day(s, activityDate)
	case "timezone":
		a.zone = r.identifier(s, activityTimezone, &m.in)
	case "deviceid":
		a.dev.id = r.identifier(s, activityDevice, &m.in)
	case "hash_deviceid":
		a.dev.hash = r.identifier(s, activityHash, &m.in)
	case "brand":
		a.brand = r.integer(s, activityBrand)
	case "is_tracker":
		a.isTracker = r.truth(s, activityIsTracker)
	case "modified":
		a.modified = r.integer(s, activityModified)
	case "model":
		a.dev.model = r.word(s, activityModel, &m.in)
	case "modelid", "model_id":
		a.dev.modelID = r.modelID(s, activityModelID, a.dev.modelID)
	default:
		if m.legacy {
			legacyActivityTable.read(s, r)
		} else {
			activityTable.read(s, r)
		}
	}
}

// brandWithings is the brand of the days that Withings made up from its own
// devices, and of those that its application counted with the telephone.
const brandWithings = 1

// activityRecord emits the day that was read.
func (m *mapper) activityRecord(a *activityRow) (key, reason string) {
	r := &m.row
	switch {
	case a.date.IsZero():
		return "", reasonDay
	case r.bad&(1<<activityDevice|1<<activityHash) != 0:
		return m.key(a.date.String()), reasonDevice
	}
	source := a.dev.source()
	switch {
	case a.brand == brandWithings && r.has(activityIsTracker) && !a.isTracker:
		source = "withings_app"
	case m.legacy || a.brand == brandWithings:
		// Not the device: the OAuth 1.0 era does not tell it, and it is one day
		// of one person before and after.
		source = "withings"
	case a.dev.name() == "":
		source = "brand_" + strconv.FormatInt(a.brand, 10) + "." + source
	}
	key = m.key(a.date.String(), source)
	r.optional(activityNames)
	if r.has(activityBrand) {
		r.text("withings_brand", strconv.FormatInt(a.brand, 10))
	}
	method := health.MethodUnknown
	if a.isTracker {
		method = health.MethodSensed
	}
	m.learnZone(a.date, a.zone)
	span := m.daySpan(a.date, a.zone)
	rec := m.emit(health.KindDaily, key, m.order(a.modified), r.describe(a.dev))
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
	workoutModelID2
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
	"id", "category", "timezone", "model", "modelid", "model_id", "attrib", "startdate", "enddate", "date", "modified", "deviceid",
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
			dev.modelID = r.modelID(s, workoutModelID, dev.modelID)
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
				fields := workoutTable
				if m.legacy {
					fields = legacyWorkoutTable
				}
				for s.NextMember() {
					fields.read(s, r)
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
