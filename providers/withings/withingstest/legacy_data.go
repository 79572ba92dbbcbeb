package withingstest

import (
	"maps"
	"slices"
	"strconv"
)

// MetresPerFloor is how many metres the services of the OAuth 1.0 era tell as elevation for each floor that those of
// today tell.
const MetresPerFloor = 3.048

// metres rounds once: a product with 3.048 would show a rounding in its last digit.
func metres(floors float64) float64 { return floors * 3048 / 1000 }

// legacyDays is how many days the services with one row per day answer at most, and legacySleepDays the one with the
// segments of sleep.
const (
	legacyDays      = 200
	legacySleepDays = 7
)

func legacyRouteTable() map[string]map[string]func(*Server, *call) *refusal {
	type actions = map[string]func(*Server, *call) *refusal
	return map[string]actions{
		MeasurePath: {"getmeas": (*Server).legacyMeas},
		MeasureV2Path: {
			"getactivity":         (*Server).legacyActivity,
			"getintradayactivity": (*Server).legacyIntraday,
			"getworkouts":         (*Server).legacyWorkouts,
		},
		SleepPath: {
			"get":        (*Server).legacySleep,
			"getsummary": (*Server).legacySleepSummary,
		},
		NotifyPath: {
			"subscribe": (*Server).legacySubscribe,
			"list":      (*Server).listSubscriptions,
			"get":       (*Server).legacySubscription,
			"revoke":    (*Server).unsubscribe,
		},
		LegacyUserPath: {"getbyuserid": (*Server).legacyUser},
		LegacyOncePath: {"probe": func(*Server, *call) *refusal { return nil }},
	}
}

// legacyTypes are the measure types that the services knew.
var legacyTypes = [...]int{
	typeWeight, typeHeight, typeFFM, typeFat, typeFatKG, typeDia, typeSys, typePulse, typeTemp, typeOdd, typeSpO2, typeBody, typeSkin,
	typeMuscle, typeWater, typeBone, typePWV,
}

// legacyClass is the devtype of a device model: the kinds of device that the services told apart.
func legacyClass(modelID int) int64 {
	switch {
	case modelID == 0 || modelID > 1000:
		return 0 // the user
	case modelID <= 20:
		return 1 // scale
	case modelID >= 41 && modelID <= 48:
		return 4 // blood pressure monitor
	case modelID >= 60 && modelID <= 63:
		return 32 // sleep monitor
	default:
		return 16 // tracker
	}
}

func (s *Server) legacyMeas(c *call) *refusal {
	f := &groupFilter{types: map[int]bool{}}
	kind, one, refused := c.integer("meastype")
	if refused != nil {
		return refused
	}
	for _, t := range legacyTypes {
		f.types[t] = !one || int64(t) == kind
	}
	maps.DeleteFunc(f.types, func(_ int, wanted bool) bool { return !wanted })
	category, present, refused := c.integer("category")
	if refused != nil || present && category != 1 && category != 2 {
		return invalid("category")
	}
	f.category = int(category)
	if f.from, f.to, f.ranged, refused = c.instants(); refused != nil {
		return refused
	}
	if f.since, _, refused = c.integer("lastupdate"); refused != nil {
		return refused
	}
	class, classed, refused := c.integer("devtype")
	if refused != nil {
		return refused
	}
	if classed {
		f.keep = func(g *MeasureGroup) bool { return legacyClass(g.ModelID) == class }
	}
	limit, limited, refused := c.integer("limit")
	if refused != nil || limited && limit < 1 {
		return invalid("limit")
	}
	size := s.cfg.PageSize
	if limited {
		size = int(min(limit, int64(size)))
	}
	offset, refused := c.offset()
	if refused != nil {
		return refused
	}
	rows, next := c.user.groups.page(f, offset, size)
	w := &c.body
	w.open('{')
	w.key("updatetime").int(c.now.Unix())
	if next >= 0 {
		w.key("more").int(1)
	}
	w.key("measuregrps").open('[')
	for _, g := range rows {
		w.open('{')
		w.key("grpid").int(g.ID)
		w.key("attrib").int(int64(g.Attrib))
		w.key("date").int(g.Date)
		w.key("category").int(int64(g.Category))
		w.key("measures").open('[')
		for _, m := range g.Measures {
			w.open('{')
			w.key("value").int(m.Value)
			w.key("type").int(int64(m.Type))
			w.key("unit").int(int64(m.Unit))
			w.close('}')
		}
		w.close(']')
		w.close('}')
	}
	w.close(']')
	w.close('}')
	return nil
}

// legacyRange reads startdateymd and enddateymd; without them it is the last of the days there are.
func (c *call) legacyRange() (dayRange, *refusal) {
	from, to, ranged, refused := c.days()
	if refused != nil {
		return dayRange{}, refused
	}
	if !ranged {
		to = c.user.dayOf(c.user.horizon)
		from = to - legacyDays + 1
	}
	if to-from >= legacyDays {
		return dayRange{}, invalid("enddateymd")
	}
	return dayRange{from: dayText(from), to: dayText(to)}, nil
}

// legacyFields writes the named members of f, elevation in metres.
func (w *writer) legacyFields(f Fields, names ...string) {
	shown := Fields{}
	for _, name := range names {
		if v, ok := f[name]; ok {
			shown[name] = v
		}
	}
	if v, ok := shown["elevation"]; ok {
		shown["elevation"] = metres(v)
	}
	want := fieldSet{}
	for name := range shown {
		want[name] = true
	}
	w.fields(shown, want)
}

func (w *writer) legacyActivity(a *Activity) {
	w.key("date").str(a.Date)
	w.key("timezone").str(a.Timezone)
	w.legacyFields(a.Data, "steps", "distance", "calories", "totalcalories", "elevation", "soft", "moderate", "intense")
}

func (s *Server) legacyActivity(c *call) *refusal {
	w := &c.body
	if date := c.params.Get("date"); date != "" && !s.cfg.Legacy.ActivityList {
		if _, ok := parseDay(date); !ok {
			return invalid("date")
		}
		for _, a := range c.user.withingsActivities() {
			if a.Date == date {
				w.open('{')
				w.legacyActivity(a)
				w.close('}')
				return nil
			}
		}
		w.raw("[]")
		return nil
	}
	question, refused := c.legacyRange()
	if date := c.params.Get("date"); date != "" {
		question, refused = dayRange{from: date, to: date}, nil
	}
	if refused != nil {
		return refused
	}
	w.open('{')
	w.key("activities").open('[')
	for _, a := range c.user.withingsActivities() {
		if question.covers(a.Date, a.Modified) {
			w.open('{')
			w.legacyActivity(a)
			w.close('}')
		}
	}
	w.close(']')
	w.close('}')
	return nil
}

// withingsActivities returns the rows of Withings' own devices: the services of the era told no others.
func (u *user) withingsActivities() []*Activity {
	return slices.DeleteFunc(u.activities(), func(a *Activity) bool { return a.Brand != 1 })
}

func (s *Server) legacyIntraday(c *call) *refusal {
	from, to, present, refused := c.instants()
	if refused != nil {
		return refused
	}
	if !present || to-from > fullDay {
		return invalid("enddate")
	}
	w := &c.body
	w.open('{')
	w.key("series").open('{')
	for _, p := range c.user.intraday(from, to) {
		w.key(strconv.FormatInt(p.Time, 10)).open('{')
		w.legacyFields(p.Data, "steps", "elevation", "calories", "distance", "duration", "stroke", "pool_lap")
		w.close('}')
		w.emptyObjectAsArray()
	}
	w.close('}')
	w.emptyObjectAsArray()
	w.close('}')
	return nil
}

func (s *Server) legacyWorkouts(c *call) *refusal {
	question, refused := c.legacyRange()
	if refused != nil {
		return refused
	}
	w := &c.body
	w.open('{')
	w.key("series").open('[')
	for _, row := range c.user.workouts {
		if !question.covers(row.Date, row.Modified) {
			continue
		}
		data := cloneFields(row.Data)
		data["effduration"] = float64(row.End-row.Start) - data["pause_duration"]
		data["metcumul"] = float64((row.End - row.Start) / 60 * 5)
		w.open('{')
		w.key("id").int(row.ID)
		w.key("userid").int(c.user.id)
		w.key("category").int(int64(row.Category))
		w.key("timezone").str(row.Timezone)
		w.key("model").int(int64(row.Model))
		w.key("attrib").int(int64(row.Attrib))
		w.key("startdate").int(row.Start)
		w.key("enddate").int(row.End)
		w.key("date").str(row.Date)
		w.key("modified").int(row.Modified)
		w.key("data").open('{')
		w.legacyFields(data, "calories", "metcumul", "effduration", "steps", "distance", "elevation", "intensity",
			"hr_average", "hr_min", "hr_max", "hr_zone_0", "hr_zone_1", "hr_zone_2", "hr_zone_3")
		w.close('}')
		w.close('}')
	}
	w.close(']')
	w.close('}')
	return nil
}

// trackerState is what a tracker of the era made of a state of sleep: it did not tell REM from light sleep.
func trackerState(state, model int) int {
	if model == 16 && state == stateREM {
		return stateLight
	}
	return state
}

func (s *Server) legacySleep(c *call) *refusal {
	from, to, present, refused := c.instants()
	if refused != nil {
		return refused
	}
	if !present {
		return missing("startdate")
	}
	model := 16
	w := &c.body
	w.open('{')
	w.key("series").open('[')
	for _, row := range c.user.segmentsIn(from, min(to, from+legacySleepDays*fullDay)) {
		model = max(model, row.night.Model)
		w.open('{')
		w.key("startdate").int(row.Start)
		w.key("enddate").int(row.End)
		w.key("state").int(int64(trackerState(row.State, row.night.Model)))
		w.close('}')
	}
	w.close(']')
	w.key("model").int(int64(model))
	w.close('}')
	return nil
}

func (s *Server) legacySleepSummary(c *call) *refusal {
	question, refused := c.legacyRange()
	if refused != nil {
		return refused
	}
	offset, refused := c.offset()
	if refused != nil {
		return refused
	}
	rows := slices.DeleteFunc(slices.Clone(c.user.nights), func(n *nightRow) bool {
		return n.external || !question.covers(n.Date, n.Modified)
	})
	lo, hi, more := s.rows(len(rows), offset)
	w := &c.body
	w.open('{')
	w.key("series").open('[')
	for _, n := range rows[lo:hi] {
		w.open('{')
		w.key("id").int(n.ID)
		w.key("timezone").str(n.Timezone)
		w.key("model").int(int64(n.Model))
		w.key("startdate").int(n.Start)
		w.key("enddate").int(n.End)
		w.key("date").str(n.Date)
		w.key("modified").int(n.Modified)
		data := cloneFields(n.Data)
		if rem, ok := data["remsleepduration"]; ok && trackerState(stateREM, n.Model) == stateLight {
			data["lightsleepduration"] += rem
			delete(data, "remsleepduration")
		}
		w.key("data").open('{')
		w.legacyFields(data, "wakeupduration", "lightsleepduration", "deepsleepduration", "remsleepduration", "wakeupcount",
			"durationtosleep", "durationtowakeup")
		w.close('}')
		w.close('}')
	}
	w.close(']')
	w.key("more").bool(more)
	w.close('}')
	return nil
}

func (s *Server) legacyUser(c *call) *refusal {
	r := newRNG(c.user.seed, forProfile)
	first := []string{"Alex", "Camille", "Noa", "Robin", "Sam"}[r.in(0, 4)]
	w := &c.body
	w.open('{')
	w.key("users").open('[')
	w.open('{')
	w.key("id").int(c.user.id)
	w.key("firstname").str(first)
	w.key("lastname").str("Simulated")
	w.key("shortname").str(first[:3])
	w.key("gender").int(int64(r.in(0, 1)))
	w.key("fatmethod").int(131)
	w.key("birthdate").int(int64(r.in(-631_152_000, 946_684_800)))
	w.key("ispublic").int(0)
	w.close('}')
	w.close(']')
	w.close('}')
	return nil
}

func (s *Server) legacySubscribe(c *call) *refusal {
	if c.params.Get("comment") == "" {
		return refuse(StatusBadComment, "The comment is either absent or incorrect")
	}
	return s.subscribe(c)
}

func (s *Server) legacySubscription(c *call) *refusal {
	refused := s.getSubscription(c)
	if refused != nil && refused.status == StatusNoSubscription {
		refused.status = StatusNoNotification
	}
	return refused
}
