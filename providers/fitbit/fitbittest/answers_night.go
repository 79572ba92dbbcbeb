package fitbittest

import (
	"slices"
	"strings"
	"time"
)

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
