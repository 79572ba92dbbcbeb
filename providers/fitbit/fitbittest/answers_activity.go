package fitbittest

import (
	"slices"
	"time"
)

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
