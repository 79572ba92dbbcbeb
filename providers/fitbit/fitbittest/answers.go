package fitbittest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// object is a JSON object.
type object = map[string]any

// units are those that the header Accept-Language asks for: metric by default.
type units struct{ us, uk bool }

func unitsOf(language string) units { return units{us: language == "en_US", uk: language == "en_GB"} }

func (u units) distance(km float64) float64 {
	if u.us {
		return round(km/1.609344, 6)
	}
	return km
}

func (u units) distanceUnit() string {
	if u.us {
		return "Mile"
	}
	return "Kilometer"
}

func (u units) elevation(m float64) float64 {
	if u.us {
		return round(m/0.3048, 4)
	}
	return m
}

func (u units) weight(kg float64) float64 {
	switch {
	case u.us:
		return round(kg/0.45359237, 3)
	case u.uk:
		return round(kg/6.35029318, 3) // stone; all else is as elsewhere
	}
	return kg
}

func (u units) height(cm float64) float64 {
	if u.us {
		return round(cm/2.54, 2)
	}
	return cm
}

func (u units) water(ml float64) float64 {
	if u.us {
		return round(ml/29.5735295625, 3)
	}
	return ml
}

func (u units) temperature(c float64) float64 {
	if u.us {
		return round(c*9/5+32, 2)
	}
	return c
}

// text writes a number as the time series do: in a string.
func text(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// scopeOf returns the scope that a resource needs.
func scopeOf(path []string) string {
	first := path[0]
	if n := strings.TrimSuffix(first, ".json"); n != first {
		first = n
	}
	switch first {
	case "activities":
		if len(path) > 1 && path[1] == "heart" {
			return "heartrate"
		}
		return "activity"
	case "hrv":
		return "heartrate"
	case "sleep":
		return "sleep"
	case "body":
		return "weight"
	case "foods":
		return "nutrition"
	case "spo2":
		return "oxygen_saturation"
	case "br":
		return "respiratory_rate"
	case "temp":
		return "temperature"
	case "cardioscore":
		return "cardio_fitness"
	case "ecg":
		return "electrocardiogram"
	case "irn":
		return "irregular_rhythm_notifications"
	case "profile":
		return "profile"
	case "devices":
		return "settings"
	}
	return ""
}

// route finds what a path asks for; the mutex is held.
func (s *Server) route(c *call, f *Fault) (any, *refusal) {
	p := slices.Clone(c.path)
	if slices.ContainsFunc(p, func(part string) bool { return strings.HasPrefix(part, "apiSubscriptions") }) {
		return s.subscriptions(c)
	}
	if c.r.Method != http.MethodGet {
		return nil, refuse(http.StatusMethodNotAllowed, "request", "method not allowed")
	}
	if scope := scopeOf(p); scope == "" {
		return nil, notFound()
	} else if !slices.Contains(c.token.scopes, scope) {
		return nil, refuse(http.StatusForbidden, "insufficient_scope", "This application does not have permission to access "+scope+" data.")
	}
	last := len(p) - 1
	if strings.HasSuffix(p[last], ".tcx") {
		return c.tcx(strings.TrimSuffix(p[last], ".tcx"))
	}
	if !strings.HasSuffix(p[last], ".json") {
		return nil, notFound()
	}
	p[last] = strings.TrimSuffix(p[last], ".json")
	if c.version == "1.2" && p[0] != "sleep" {
		return nil, notFound()
	}
	switch name := strings.Join(p, "/"); name {
	case "profile":
		return c.profile(), nil
	case "devices":
		return c.devices(), nil
	case "activities":
		return c.lifetime(), nil
	case "activities/list":
		return s.workoutList(c, f)
	case "sleep/list":
		return s.sleepList(c, f)
	case "ecg/list":
		return s.ecgList(c, f)
	case "irn/alerts/list":
		return s.alertList(c, f)
	case "irn/profile":
		return object{"onboarded": true, "enrolled": true, "lastUpdated": "2025-09-28T17:12:30.222Z"}, nil
	case "activities/goals/daily":
		return object{"goals": object{"activeMinutes": 30, "activeZoneMinutes": 22, "caloriesOut": 2400, "distance": c.units.distance(8.05), "floors": 10, "steps": 10000}}, nil
	case "activities/goals/weekly":
		return object{"goals": object{"activeZoneMinutes": 150, "distance": c.units.distance(56.33), "floors": 70, "steps": 70000}}, nil
	case "body/log/weight/goal":
		return object{"goal": object{"goalType": "LOSE", "startDate": "2024-01-07", "startWeight": c.units.weight(82.5), "weight": c.units.weight(75), "weightThreshold": 0.05}}, nil
	case "body/log/fat/goal":
		return object{"goal": object{"fat": 18}}, nil
	case "foods/log/goal":
		return object{"goals": object{"calories": 2200}, "foodPlan": object{"estimatedDate": "", "intensity": "MAINTENANCE", "personalized": true}}, nil
	case "foods/log/water/goal":
		return object{"goal": object{"goal": c.units.water(2000), "startDate": "2024-01-07"}}, nil
	case "sleep/goal":
		return object{
			"consistency": object{"awakeRestlessPercentage": 0.08, "flowId": 2, "recommendedSleepGoal": 480, "typicalDuration": 445, "typicalWakeupTime": "07:05"},
			"goal":        object{"minDuration": 480, "bedtime": "23:00", "wakeupTime": "07:00", "updatedOn": "2024-01-07T09:15:00.000Z"},
		}, nil
	}
	return s.dated(c, p)
}

// dated answers what is asked for by date: .../date/{date}[/{end or period}[/{detail}]][/time/{from}/{to}].
func (s *Server) dated(c *call, p []string) (any, *refusal) {
	at := slices.Index(p, "date")
	if at < 0 || at+1 >= len(p) {
		return nil, notFound()
	}
	what, rest := strings.Join(p[:at], "/"), p[at+1:]
	q, refused := c.question(rest)
	if refused != nil {
		return nil, refused
	}
	if !q.ranged && isSeries(what) {
		if q.detail != "" {
			return nil, invalid("date", "Invalid date or period.")
		}
		return nil, notFound() // a series is asked for by a range or a period
	}
	if refused := q.fits(what); refused != nil {
		return nil, refused
	}
	if tracker, ok := strings.CutPrefix(what, "activities/tracker/"); ok {
		return c.activitySeries("activities-tracker-"+tracker, tracker, true, q)
	}
	switch what {
	case "activities":
		if q.ranged || q.detail != "" {
			return nil, notFound()
		}
		return c.summary(q.first), nil
	case "activities/heart":
		return c.heart(q)
	case "activities/active-zone-minutes":
		return c.zoneMinutes(q)
	case "hrv", "br", "spo2", "temp/skin", "temp/core", "cardioscore":
		return c.nightly(what, q)
	case "sleep":
		return s.sleep(c, q)
	case "body/log/weight", "body/log/fat":
		return c.bodyLog(strings.TrimPrefix(what, "body/log/"), q)
	case "body/bmi", "body/weight", "body/fat":
		return c.bodySeries(strings.TrimPrefix(what, "body/"), q)
	case "foods/log":
		if q.ranged {
			return nil, notFound()
		}
		return c.foodLog(q.first), nil
	case "foods/log/water":
		if !q.ranged {
			return c.waterLog(q.first), nil
		}
		return c.foodSeries("water", q)
	case "foods/log/caloriesIn":
		return c.foodSeries("caloriesIn", q)
	}
	if res, ok := strings.CutPrefix(what, "activities/"); ok && !strings.Contains(res, "/") {
		return c.activitySeries("activities-"+res, res, false, q)
	}
	return nil, notFound()
}

// isSeries reports whether what is asked for is a time series, which has no form for a single date.
func isSeries(what string) bool {
	return strings.HasPrefix(what, "activities/") || what == "foods/log/caloriesIn" || strings.HasPrefix(what, "body/") && !strings.HasPrefix(what, "body/log/")
}

// fits refuses a period or a detail that a resource does not have.
func (q question) fits(what string) *refusal {
	short := []string{"1d", "7d", "30d", "1w", "1m"}
	switch what {
	case "activities/heart":
	case "body/log/weight", "body/log/fat":
		if q.detail != "" {
			return invalid("date", "Invalid date or period.")
		}
	case "sleep", "temp/skin", "temp/core", "cardioscore":
		if q.period != "" || q.detail != "" {
			return invalid("date", "Invalid date or period.")
		}
		return nil
	case "hrv", "br", "spo2":
		if q.period != "" || q.detail != "" && q.detail != "all" {
			return invalid("date", "Invalid date or period.")
		}
		return nil
	default:
		if q.detail == "1sec" || q.detail == "all" {
			return invalid("detail-level", "Invalid detail level.")
		}
		return nil
	}
	if q.period != "" && !slices.Contains(short, q.period) || q.detail == "all" {
		return invalid("period", "Invalid time series period.")
	}
	return nil
}

// question is what is asked for by date.
type question struct {
	first, last int // civil days
	ranged      bool
	period      string // 1d, 7d, ...; empty for a date or two
	detail      string // 1sec, 1min, 5min, 15min, or "all"
	from, to    int    // seconds of the day, if timed
	timed       bool
}

func (q question) days() int { return q.last - q.first + 1 }

func (q question) within(most int) *refusal {
	if q.days() > most {
		return invalid("end-date", "The maximum range is "+strconv.Itoa(most)+" days.")
	}
	return nil
}

// date reads a date, with or without leading zeros, or "today".
func (c *call) date(text string) (int, bool) {
	if text == "today" {
		return dayNumber(c.now.In(c.person.zone)), true
	}
	t, err := time.Parse("2006-1-2", text)
	return dayNumber(t), err == nil
}

// question reads what follows /date/.
func (c *call) question(rest []string) (q question, refused *refusal) {
	bad := func() (question, *refusal) { return q, invalid("date", "Invalid date or period.") }
	if at := slices.Index(rest, "time"); at >= 0 {
		if at+3 != len(rest) {
			return bad()
		}
		from, err1 := time.Parse("15:04", rest[at+1])
		to, err2 := time.Parse("15:04", rest[at+2])
		if err1 != nil || err2 != nil {
			return q, invalid("time", "Invalid time range.")
		}
		q.timed, q.from, q.to = true, from.Hour()*3600+from.Minute()*60, to.Hour()*3600+to.Minute()*60
		rest = rest[:at]
	}
	if len(rest) > 1 && rest[len(rest)-1] == "all" {
		q.detail, rest = "all", rest[:len(rest)-1]
	}
	var ok bool
	if q.first, ok = c.date(rest[0]); !ok {
		return bad()
	}
	q.last = q.first
	if len(rest) == 1 {
		return q, nil
	}
	q.ranged = true
	if n, ok := period(rest[1]); ok {
		q.first, q.period = q.last-n+1, rest[1]
	} else if q.last, ok = c.date(rest[1]); !ok {
		return bad()
	}
	if q.last < q.first {
		return q, invalid("end-date", "The end date must not be before the start date.")
	}
	switch {
	case len(rest) == 2:
	case len(rest) == 3 && slices.Contains([]string{"1sec", "1min", "5min", "15min"}, rest[2]):
		q.detail = rest[2]
		if q.last-q.first > 1 {
			return q, invalid("end-date", "The maximum range of intraday data is 24 hours.")
		}
	default:
		return bad()
	}
	return q, nil
}

// period returns the days of a period of the service.
func period(text string) (int, bool) {
	switch text {
	case "1d":
		return 1, true
	case "7d", "1w":
		return 7, true
	case "30d", "1m":
		return 30, true
	case "3m":
		return 90, true
	case "6m":
		return 180, true
	case "1y":
		return 365, true
	}
	return 0, false
}

// each calls yield with the days of a question that there are.
func (c *call) each(q question, yield func(*Day)) {
	for n := max(q.first, c.person.first); n <= q.last && n < c.person.next; n++ {
		yield(c.person.days[n])
	}
}

// every calls yield with all days of a question, also those without data.
func (c *call) every(q question, yield func(string, *Day)) {
	none := &Day{}
	for n := q.first; n <= q.last; n++ {
		d := c.person.days[n]
		if d == nil || n >= c.person.next {
			d = none
		}
		yield(dayText(n), d)
	}
}

func zoneList(zones []Zone) []any {
	list := []any{}
	for _, z := range zones {
		list = append(list, object{"name": z.Name, "min": z.Min, "max": z.Max, "minutes": z.Minutes, "caloriesOut": z.Calories})
	}
	return list
}

// summary is the daily activity summary.
func (c *call) summary(n int) any {
	d := c.person.days[n]
	if d == nil || n >= c.person.next {
		d = &Day{}
	}
	activities := []any{}
	for _, w := range c.person.workouts {
		if dayNumber(w.Start) == n {
			activities = append(activities, object{
				"activityId": w.TypeID, "activityParentId": w.TypeID, "activityParentName": w.Name, "calories": w.Calories, "description": "",
				"distance": c.units.distance(w.Distance), "duration": w.Duration.Milliseconds(), "hasActiveZoneMinutes": true, "hasStartTime": true,
				"isFavorite": false, "lastModified": w.Modified.UTC().Format("2006-01-02T15:04:05.000Z"), "logId": w.LogID, "name": w.Name,
				"startDate": w.Start.Format(time.DateOnly), "startTime": w.Start.Format("15:04"), "steps": w.Steps,
			})
		}
	}
	distances := []any{}
	for _, part := range []struct {
		name string
		km   float64
	}{
		{"total", d.Distance}, {"tracker", d.TrackerDistance}, {"loggedActivities", 0}, {"veryActive", round(d.Distance*0.4, 2)},
		{"moderatelyActive", round(d.Distance*0.1, 2)}, {"lightlyActive", round(d.Distance*0.5, 2)}, {"sedentaryActive", 0},
	} {
		distances = append(distances, object{"activity": part.name, "distance": c.units.distance(part.km)})
	}
	summary := object{
		"activeScore": -1, "activityCalories": d.ActivityCalories, "calorieEstimationMu": d.CaloriesBMR + 901, "caloriesBMR": d.CaloriesBMR,
		"caloriesOut": d.CaloriesOut, "caloriesOutUnestimated": d.CaloriesOut, "customHeartRateZones": []any{}, "distances": distances,
		"fairlyActiveMinutes": d.Fair, "heartRateZones": zoneList(d.Zones), "lightlyActiveMinutes": d.Light, "marginalCalories": d.MarginalCalories,
		"sedentaryMinutes": d.Sedentary, "steps": d.Steps, "useEstimation": true, "veryActiveMinutes": d.Very,
	}
	if d.Worn {
		summary["floors"], summary["elevation"], summary["restingHeartRate"] = d.Floors, c.units.elevation(d.Elevation), d.RestingHeartRate
	}
	return object{
		"activities": activities, "summary": summary,
		"goals": object{"activeMinutes": 30, "caloriesOut": 2400, "distance": c.units.distance(8.05), "floors": 10, "steps": 10000},
	}
}

// activitySeries is a time series, or a series within a day.
func (c *call) activitySeries(name, res string, tracker bool, q question) (any, *refusal) {
	var value func(*Day) float64
	most := 1095
	switch res {
	case "calories":
		value = func(d *Day) float64 { return float64(d.CaloriesOut) }
	case "caloriesBMR":
		value = func(d *Day) float64 { return float64(d.CaloriesBMR) }
	case "activityCalories":
		value, most = func(d *Day) float64 { return float64(d.ActivityCalories) }, 30
	case "steps":
		value = func(d *Day) float64 { return float64(d.Steps) }
	case "distance":
		value = func(d *Day) float64 {
			if tracker {
				return c.units.distance(d.TrackerDistance)
			}
			return c.units.distance(d.Distance)
		}
	case "floors":
		value = func(d *Day) float64 { return float64(d.Floors) }
	case "elevation":
		value = func(d *Day) float64 { return c.units.elevation(d.Elevation) }
	case "minutesSedentary":
		value = func(d *Day) float64 { return float64(d.Sedentary) }
	case "minutesLightlyActive":
		value = func(d *Day) float64 { return float64(d.Light) }
	case "minutesFairlyActive":
		value = func(d *Day) float64 { return float64(d.Fair) }
	case "minutesVeryActive":
		value = func(d *Day) float64 { return float64(d.Very) }
	case "swimming-strokes":
		value = func(d *Day) float64 { return float64(d.SwimStrokes) }
	default:
		return nil, notFound()
	}
	if tracker && (res == "caloriesBMR" || res == "swimming-strokes") {
		return nil, notFound()
	}
	if refused := q.within(most); refused != nil {
		return nil, refused
	}
	list := []any{}
	c.every(q, func(date string, d *Day) { list = append(list, object{"dateTime": date, "value": text(value(d))}) })
	answer := object{name: list}
	if q.detail == "" {
		return answer, nil
	}
	if tracker || !slices.Contains([]string{"calories", "distance", "elevation", "floors", "steps", "swimming-strokes"}, res) {
		return nil, notFound()
	}
	dataset := []any{}
	for _, m := range c.person.minutes(q.first, res) {
		if q.timed && (m.second < q.from || m.second > q.to) {
			continue
		}
		entry := object{"time": clock(m.second), "value": m.value}
		if res == "calories" {
			entry["level"], entry["mets"] = m.level, m.mets
		}
		dataset = append(dataset, entry)
	}
	interval := map[string]int{"1min": 1, "5min": 5, "15min": 15}[q.detail]
	answer[name+"-intraday"] = object{"dataset": dataset, "datasetInterval": interval, "datasetType": "minute"}
	return answer, nil
}

func clock(second int) string {
	return time.Unix(int64(second), 0).UTC().Format(time.TimeOnly)
}

// minute is one entry of a series within a day.
type minute struct {
	second, level, mets int
	value               float64
}

// minutes returns the series of a day: the minutes that the clock shows on it.
func (p *person) minutes(n int, res string) []minute {
	d := p.days[n]
	if d == nil || !d.Worn || !p.intraday(n) {
		return nil
	}
	r := p.rng(n, 40+textSeed(res)%1000)
	day := midnight(n)
	start := time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, p.zone)
	end := time.Date(day.Year(), day.Month(), day.Day()+1, 0, 0, 0, 0, p.zone)
	var list []minute
	for at := start; at.Before(end); at = at.Add(15 * time.Minute) {
		m := minute{second: at.Hour()*3600 + at.Minute()*60, level: r.IntN(4), mets: 10 + r.IntN(60)}
		switch res {
		case "calories":
			m.value = round(1+r.Float64()*8, 5)
		case "distance":
			m.value = round(r.Float64()*0.1, 6)
		case "elevation":
			m.value = round(r.Float64()*3, 3)
		default:
			m.value = float64(r.IntN(120))
		}
		list = append(list, m)
	}
	return list
}

// intraday reports whether there are series within a day.
func (p *person) intraday(n int) bool { return n >= p.intradayFrom() && n < p.next }

func (p *person) intradayFrom() int { return p.next - p.dense }

// heart is the heart rate by days, or within a day.
func (c *call) heart(q question) (any, *refusal) {
	if refused := q.within(366); refused != nil {
		return nil, refused
	}
	list := []any{}
	c.each(q, func(d *Day) {
		if q.timed {
			// Of a part of a day the value is a text, and the zones are beside it.
			list = append(list, object{
				"dateTime": d.Date, "value": "64.2", "customHeartRateZones": []any{}, "heartRateZones": zoneList(d.Zones),
			})
			return
		}
		value := object{"customHeartRateZones": []any{}, "heartRateZones": zoneList(d.Zones)}
		if d.Worn {
			value["restingHeartRate"] = d.RestingHeartRate
		}
		list = append(list, object{"dateTime": d.Date, "value": value})
	})
	answer := object{"activities-heart": list}
	if q.detail == "" {
		return answer, nil
	}
	kind, step := "minute", 1
	switch q.detail {
	case "1sec":
		kind = "second"
	case "5min":
		step = 5
	case "15min":
		step = 15
	}
	var b []byte
	b = append(b, `{"dataset":[`...)
	first := true
	for _, p := range c.person.beats(q.first, q.detail) {
		if q.timed && (p.Second < q.from || p.Second > q.to) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(b, `{"time":"`...)
		b = append(b, clock(p.Second)...)
		b = append(b, `","value":`...)
		b = strconv.AppendInt(b, int64(p.BPM), 10)
		b = append(b, '}')
	}
	b = append(b, `],"datasetInterval":`...)
	b = strconv.AppendInt(b, int64(step), 10)
	b = append(b, `,"datasetType":"`...)
	b = append(append(b, kind...), `"}`...)
	answer["activities-heart-intraday"] = json.RawMessage(b)
	return answer, nil
}

// Reading is one heart rate within a day.
type Reading struct {
	Second int // of the clock of the day, which may show an hour twice or leave one out
	BPM    int
	At     time.Time
}

// HeartRate returns the heart rate within a day, in the detail 1sec, 1min, 5min or 15min.
func (s *Server) HeartRate(id, date, detail string) []Reading {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := time.Parse(time.DateOnly, date)
	if err != nil {
		panic("fitbittest: " + err.Error())
	}
	return s.mustPerson(id).beats(dayNumber(t), detail)
}

func (p *person) beats(n int, detail string) []Reading {
	d := p.days[n]
	if d == nil || !d.Worn || !p.intraday(n) {
		return nil
	}
	r := p.rng(n, 30)
	day := midnight(n)
	start := time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, p.zone)
	end := time.Date(day.Year(), day.Month(), day.Day()+1, 0, 0, 0, 0, p.zone)
	step := map[string]time.Duration{"1min": time.Minute, "5min": 5 * time.Minute, "15min": 15 * time.Minute}[detail]
	var list []Reading
	bpm := d.RestingHeartRate + 8
	for at := start; at.Before(end); {
		bpm = max(45, min(180, bpm+r.IntN(7)-3))
		list = append(list, Reading{Second: at.Hour()*3600 + at.Minute()*60 + at.Second(), BPM: bpm, At: at})
		if step > 0 {
			at = at.Add(step)
		} else {
			at = at.Add(time.Duration(1+r.IntN(15)) * time.Second)
		}
	}
	return list
}

func (c *call) zoneMinutes(q question) (any, *refusal) {
	if refused := q.within(1095); refused != nil {
		return nil, refused
	}
	if q.detail != "" {
		minutes := []any{}
		day := midnight(q.first)
		if d := c.person.days[q.first]; d != nil && d.Worn && c.person.intraday(q.first) {
			for i := range d.FatBurn {
				minutes = append(minutes, object{
					"minute": day.Add(9*time.Hour + time.Duration(i)*time.Minute).Format("2006-01-02T15:04:05"),
					"value":  object{"activeZoneMinutes": 1, "fatBurnActiveZoneMinutes": 1},
				})
			}
		}
		return object{"activities-active-zone-minutes-intraday": []any{object{"dateTime": dayText(q.first), "minutes": minutes}}}, nil
	}
	list := []any{}
	c.each(q, func(d *Day) {
		if d.ActiveZoneMinutes() == 0 {
			return
		}
		list = append(list, object{"dateTime": d.Date, "value": object{
			"activeZoneMinutes": d.ActiveZoneMinutes(), "fatBurnActiveZoneMinutes": d.FatBurn, "cardioActiveZoneMinutes": d.Cardio, "peakActiveZoneMinutes": d.Peak,
		}})
	})
	return object{"activities-active-zone-minutes": list}, nil
}

// nightly is what is measured at night.
func (c *call) nightly(what string, q question) (any, *refusal) {
	most := 30
	if what == "spo2" && q.detail == "" {
		most = 100_000
	}
	if refused := q.within(most); refused != nil {
		return nil, refused
	}
	list := []any{}
	add := func(d *Day, value any) { list = append(list, object{"dateTime": d.Date, "value": value}) }
	c.each(q, func(d *Day) {
		if what == "spo2" && !d.Worn && q.detail == "" {
			list = append(list, object{"dateTime": d.Date}) // a day without data has no value
			return
		}
		if !d.Worn {
			return
		}
		if q.detail == "all" {
			if v := c.nightDetail(what, d); v != nil {
				list = append(list, v)
			}
			return
		}
		switch what {
		case "hrv":
			add(d, object{"dailyRmssd": d.RMSSD, "deepRmssd": d.DeepRMSSD})
		case "br":
			add(d, object{"breathingRate": d.BreathingRate})
		case "spo2":
			add(d, object{"avg": d.SpO2, "min": d.SpO2Min, "max": d.SpO2Max})
		case "temp/skin":
			list = append(list, object{"dateTime": d.Date, "value": object{"nightlyRelative": d.SkinTemperature}, "logType": "dedicated_temp_sensor"})
		case "temp/core":
			if d.CoreTemperature > 0 {
				list = append(list, object{"dateTime": d.Date + "T14:17:00", "value": c.units.temperature(d.CoreTemperature)})
			}
		case "cardioscore":
			add(d, object{"vo2Max": d.VO2Max})
		}
	})
	if what == "spo2" {
		switch {
		case q.ranged:
			return list, nil
		case len(list) == 0:
			return object{}, nil
		default:
			return list[0], nil
		}
	}
	if q.detail == "all" && what != "hrv" && what != "br" {
		return nil, notFound()
	}
	name := map[string]string{"hrv": "hrv", "br": "br", "temp/skin": "tempSkin", "temp/core": "tempCore", "cardioscore": "cardioScore"}[what]
	return object{name: list}, nil
}

// nightDetail is a night in steps of five minutes; nil if there is none.
func (c *call) nightDetail(what string, d *Day) any {
	if what == "br" {
		rate := func(v float64) object { return object{"breathingRate": v} }
		return object{"dateTime": d.Date, "value": object{
			"deepSleepSummary": rate(d.BreathingDeep), "remSleepSummary": rate(d.BreathingREM), "fullSleepSummary": rate(d.BreathingRate), "lightSleepSummary": rate(-1),
		}}
	}
	for _, s := range c.person.sleeps {
		if !s.Main || s.DateOfSleep != d.Date {
			continue
		}
		minutes := []any{}
		r := c.person.rng(dayNumber(s.EndInstant.In(c.person.zone)), 50)
		for at := s.StartInstant.Truncate(5 * time.Minute).Add(5 * time.Minute); at.Before(s.EndInstant); at = at.Add(5 * time.Minute) {
			stamp := running(s.StartInstant, at)
			if what == "hrv" {
				minutes = append(minutes, object{"minute": stamp, "value": object{
					"rmssd": round(d.RMSSD+r.Float64()*10, 3), "coverage": round(0.8+r.Float64()*0.2, 3), "hf": round(r.Float64()*900, 3), "lf": round(r.Float64()*900, 3),
				}})
			} else {
				minutes = append(minutes, object{"minute": strings.TrimSuffix(stamp, ".000"), "value": round(d.SpO2+r.Float64()-0.5, 1)})
			}
		}
		return object{"dateTime": d.Date, "minutes": minutes}
	}
	return nil
}

// sleep answers by date of sleep.
func (s *Server) sleep(c *call, q question) (any, *refusal) {
	if refused := q.within(100); refused != nil {
		return nil, refused
	}
	if s.cfg.SleepPending {
		if newest := c.person.next - 1; q.first <= newest && newest <= q.last && !c.person.pendingOnce[dayText(newest)] {
			c.person.pendingOnce[dayText(newest)] = true
			return object{"meta": object{"retryDuration": 3000, "state": "pending"}}, nil
		}
	}
	rows, asleep, inBed := []any{}, 0, 0
	stages := map[string]int{}
	for _, sl := range c.sorted(q) {
		rows = append(rows, c.sleepRow(sl))
		asleep, inBed = asleep+sl.MinutesAsleep, inBed+sl.TimeInBed()
		for _, l := range sl.Levels {
			stages[l.Level] += l.Seconds
		}
	}
	summary := object{"totalMinutesAsleep": asleep, "totalSleepRecords": len(rows), "totalTimeInBed": inBed}
	if c.version != "1" && !q.ranged {
		summary["stages"] = object{"deep": stages["deep"] / 60, "light": stages["light"] / 60, "rem": stages["rem"] / 60, "wake": stages["wake"] / 60}
	}
	return object{"sleep": rows, "summary": summary}, nil
}

// sorted returns the sleeps of a question, newest first as the service does.
func (c *call) sorted(q question) []*Sleep {
	var list []*Sleep
	for _, s := range c.person.sleeps {
		if s.DateOfSleep >= dayText(q.first) && s.DateOfSleep <= dayText(q.last) {
			list = append(list, s)
		}
	}
	slices.SortStableFunc(list, func(a, b *Sleep) int { return b.StartInstant.Compare(a.StartInstant) })
	return list
}

func (c *call) sleepRow(s *Sleep) any {
	duration := s.EndInstant.Sub(s.StartInstant)
	row := object{
		"dateOfSleep": s.DateOfSleep, "duration": duration.Milliseconds(), "efficiency": s.Efficiency, "endTime": s.End, "isMainSleep": s.Main,
		"logId": s.LogID, "minutesAfterWakeup": s.AfterWake, "minutesAsleep": s.MinutesAsleep, "minutesAwake": s.MinutesAwake,
		"minutesToFallAsleep": s.ToFallAsleep, "startTime": s.Start, "timeInBed": s.TimeInBed(),
	}
	if c.version == "1" {
		row["minuteData"] = minuteData(s)
		counts, minutes := map[string]int{}, map[string]int{}
		for _, l := range s.Levels {
			word := map[string]string{"restless": "restless", "awake": "awake", "wake": "awake"}[l.Level]
			counts[word]++
			minutes[word] += l.Seconds / 60
		}
		for _, word := range []string{"restless", "awake"} {
			row[word+"Count"], row[word+"Duration"] = counts[word], minutes[word]
		}
		row["awakeningsCount"] = counts["restless"] + counts["awake"]
		return row
	}
	summary := object{}
	for _, l := range append(slices.Clone(s.Levels), s.Short...) {
		entry, ok := summary[l.Level].(object)
		if !ok {
			entry = object{"count": 0, "minutes": 0}
			if !s.Classic {
				entry["thirtyDayAvgMinutes"] = 70
			}
			summary[l.Level] = entry
		}
		entry["count"] = entry["count"].(int) + 1
		entry["minutes"] = entry["minutes"].(int) + l.Seconds/60
	}
	levels := object{"data": levelRows(s.Levels), "summary": summary}
	kind := "stages"
	if s.Classic {
		kind = "classic"
	} else {
		levels["shortData"] = levelRows(s.Short)
	}
	row["levels"], row["type"], row["infoCode"] = levels, kind, s.InfoCode
	row["logType"] = map[bool]string{true: "manual", false: "auto_detected"}[s.Manual]
	return row
}

func levelRows(levels []Level) []any {
	list := []any{}
	for _, l := range levels {
		list = append(list, object{"dateTime": l.Start, "level": l.Level, "seconds": l.Seconds})
	}
	return list
}

// minuteData is a night as version 1 tells it.
func minuteData(s *Sleep) []any {
	list := []any{}
	for _, l := range s.Levels {
		start, _ := time.Parse(localText, l.Start)
		value := map[string]string{"asleep": "1", "light": "1", "deep": "1", "rem": "1", "restless": "2", "awake": "3", "wake": "3"}[l.Level]
		for i := range l.Seconds / 60 {
			list = append(list, object{"dateTime": start.Add(time.Duration(i) * time.Minute).Format(time.TimeOnly), "value": value})
		}
	}
	return list
}

func (c *call) bodyLog(kind string, q question) (any, *refusal) {
	if refused := q.within(map[string]int{"weight": 31, "fat": 30}[kind]); refused != nil {
		return nil, refused
	}
	list := []any{}
	for _, w := range c.person.weighings {
		if w.Date < dayText(q.first) || w.Date > dayText(q.last) {
			continue
		}
		switch {
		case kind == "weight":
			row := object{"bmi": w.BMI, "date": w.Date, "logId": w.WeightID, "source": w.Source, "time": w.Time, "weight": c.units.weight(w.Weight)}
			if w.Fat > 0 {
				row["fat"] = w.Fat
			}
			list = append(list, row)
		case w.Fat > 0:
			list = append(list, object{"date": w.Date, "fat": w.Fat, "logId": w.FatID, "source": w.Source, "time": w.Time})
		}
	}
	return object{kind: list}, nil
}

// bodySeries carries the last value forward.
func (c *call) bodySeries(kind string, q question) (any, *refusal) {
	if refused := q.within(map[string]int{"bmi": 1095, "weight": 31, "fat": 30}[kind]); refused != nil {
		return nil, refused
	}
	list := []any{}
	c.every(q, func(date string, _ *Day) {
		value := 0.0
		for _, w := range c.person.weighings {
			if w.Date > date {
				break
			}
			switch {
			case kind == "bmi":
				value = w.BMI
			case kind == "weight":
				value = c.units.weight(w.Weight)
			case w.Fat > 0:
				value = w.Fat
			}
		}
		list = append(list, object{"dateTime": date, "value": text(value)})
	})
	return object{"body-" + kind: list}, nil
}

func (c *call) foodLog(n int) any {
	date, foods := dayText(n), []any{}
	var sum Food
	for _, f := range c.person.foods {
		if f.Date != date {
			continue
		}
		values := object{"calories": f.Calories, "carbs": f.Carbs, "fat": f.Fat, "fiber": f.Fiber, "protein": f.Protein, "sodium": f.Sodium}
		unit := object{"id": 304, "name": f.Unit, "plural": f.Unit + "s"}
		foods = append(foods, object{
			"isFavorite": false, "logDate": date, "logId": f.LogID, "nutritionalValues": values,
			"loggedFood": object{
				"accessLevel": "PUBLIC", "amount": f.Amount, "brand": f.Brand, "calories": f.Calories, "foodId": 82294, "locale": "en_US", "mealTypeId": f.Meal,
				"name": f.Name, "unit": unit, "units": []any{304},
			},
		})
		sum.Calories += f.Calories
		sum.Carbs, sum.Fat, sum.Fiber = sum.Carbs+f.Carbs, sum.Fat+f.Fat, sum.Fiber+f.Fiber
		sum.Protein, sum.Sodium = sum.Protein+f.Protein, sum.Sodium+f.Sodium
	}
	water := 0
	if d := c.person.days[n]; d != nil && n < c.person.next {
		water = d.Water
	}
	return object{"foods": foods, "goals": object{"calories": 2200}, "summary": object{
		"calories": sum.Calories, "carbs": round(sum.Carbs, 2), "fat": round(sum.Fat, 2), "fiber": round(sum.Fiber, 2), "protein": round(sum.Protein, 2),
		"sodium": round(sum.Sodium, 2), "water": c.units.water(float64(water)),
	}}
}

func (c *call) waterLog(n int) any {
	date, list, total := dayText(n), []any{}, 0
	for _, d := range c.person.drinks {
		if d.Date == date {
			list = append(list, object{"amount": c.units.water(float64(d.Amount)), "logId": d.LogID})
			total += d.Amount
		}
	}
	return object{"summary": object{"water": c.units.water(float64(total))}, "water": list}
}

func (c *call) foodSeries(kind string, q question) (any, *refusal) {
	if refused := q.within(1095); refused != nil {
		return nil, refused
	}
	list := []any{}
	c.every(q, func(date string, d *Day) {
		value := c.units.water(float64(d.Water))
		if kind == "caloriesIn" {
			value = 0
			for _, f := range c.person.foods {
				if f.Date == date {
					value += float64(f.Calories)
				}
			}
		}
		list = append(list, object{"dateTime": date, "value": text(value)})
	})
	return object{"foods-log-" + kind: list}, nil
}

func (c *call) profile() any {
	p := c.person
	_, offset := c.now.In(p.zone).Zone()
	return object{"user": object{
		"age": 30 + int(p.seed%40), "averageDailySteps": 8123, "clockTimeDisplayFormat": "24hour", "dateOfBirth": "1985-04-12", "displayName": "Person " + p.id,
		"distanceUnit": "METRIC", "encodedId": p.id, "foodsLocale": "en_GB", "fullName": "Person " + p.id, "gender": [...]string{"FEMALE", "MALE", "NA"}[p.seed%3],
		"glucoseUnit": "METRIC", "height": c.units.height(p.height), "heightUnit": "METRIC", "languageLocale": "en_GB", "locale": "en_GB",
		"memberSince": "2019-02-11", "offsetFromUTCMillis": offset * 1000, "startDayOfWeek": "MONDAY", "strideLengthRunning": c.units.height(101.4),
		"strideLengthRunningType": "default", "strideLengthWalking": c.units.height(70.9), "strideLengthWalkingType": "default", "swimUnit": "METRIC",
		"timezone": p.tz, "waterUnitName": "ml", "weight": c.units.weight(72.4), "weightUnit": "METRIC", "topBadges": []any{}, "features": object{"exerciseGoal": true},
	}}
}

func (c *call) devices() any {
	last := midnight(c.person.next - 1).Add(8*time.Hour + 19*time.Minute)
	tracker, scale := c.person.devices()
	return []any{
		object{
			"battery": "Medium", "batteryLevel": 60, "deviceVersion": "Charge 5", "features": []any{}, "id": tracker,
			"lastSyncTime": last.Format(localText), "mac": "AABBCCDDEEFF", "type": "TRACKER",
		},
		object{
			"battery": "High", "batteryLevel": 95, "deviceVersion": "Aria Air", "features": []any{}, "id": scale,
			"lastSyncTime": last.Add(-2 * time.Hour).Format(localText), "mac": "AABBCCDDEE00", "type": "SCALE",
		},
	}
}

func (c *call) lifetime() any {
	steps, floors, km := 0, 0, 0.0
	best := &Day{}
	for _, d := range c.person.days {
		steps, floors, km = steps+d.Steps, floors+d.Floors, km+d.Distance
		if d.Steps > best.Steps || d.Steps == best.Steps && d.Date < best.Date {
			best = d
		}
	}
	totals := object{"activeScore": -1, "caloriesOut": -1, "distance": c.units.distance(round(km, 2)), "floors": floors, "steps": steps}
	bests := object{
		"distance": object{"date": best.Date, "value": c.units.distance(best.Distance)}, "floors": object{"date": best.Date, "value": best.Floors},
		"steps": object{"date": best.Date, "value": best.Steps},
	}
	return object{"best": object{"total": bests, "tracker": bests}, "lifetime": object{"total": totals, "tracker": totals}}
}
