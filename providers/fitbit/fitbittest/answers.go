package fitbittest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// object is a JSON object.
type object = map[string]any

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
