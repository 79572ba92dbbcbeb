package fitbittest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// entry is one row of a list.
type entry struct {
	at  string // local time, as lists compare it
	row any
}

// page cuts a page out of rows and tells where the next one is.
func (s *Server) page(c *call, name string, most int, rows []entry, f *Fault) (any, *refusal) {
	q := c.r.URL.Query()
	after, before := q.Get("afterDate"), q.Get("beforeDate")
	order := q.Get("sort")
	limit, err := strconv.Atoi(q.Get("limit"))
	offset, err2 := strconv.Atoi(q.Get("offset"))
	switch {
	case (after == "") == (before == ""):
		return nil, invalid("afterDate", "Exactly one of beforeDate and afterDate is required.")
	case after != "" && order != "asc", before != "" && order != "desc":
		return nil, invalid("sort", "afterDate goes with asc, beforeDate with desc.")
	case err != nil || limit < 1 || limit > most:
		return nil, invalid("limit", "The limit must be between 1 and "+strconv.Itoa(most)+".")
	case err2 != nil || offset < 0:
		return nil, invalid("offset", "Invalid offset.")
	case offset > 0 && q.Get("next") == "":
		// Only the service's own links have another offset than 0.
		return nil, invalid("offset", "The offset must be 0.")
	}
	bound, ok := listTime(after + before)
	if !ok {
		return nil, invalid("afterDate", "Invalid date.")
	}
	rows = slices.DeleteFunc(rows, func(e entry) bool {
		if after != "" {
			return e.at <= bound // not the given time itself
		}
		return e.at >= bound
	})
	slices.SortStableFunc(rows, func(a, b entry) int {
		switch {
		case a.at == b.at:
			return 0
		case (a.at < b.at) == (after != ""):
			return -1
		default:
			return 1
		}
	})
	if s.cfg.PageSize > 0 {
		limit = min(limit, s.cfg.PageSize)
	}
	list := []any{}
	for i := offset; i < len(rows) && i < offset+limit; i++ {
		list = append(list, rows[i].row)
	}
	next := ""
	link := func(base string, at int) string {
		v := url.Values{"offset": {strconv.Itoa(at)}, "limit": q["limit"], "sort": {order}, "next": {"1"}}
		for _, name := range []string{"afterDate", "beforeDate"} {
			if q.Has(name) {
				v[name] = q[name]
			}
		}
		return base + c.r.URL.Path + "?" + v.Encode()
	}
	if offset+limit < len(rows) {
		next = link(s.base(c.r), offset+limit)
	}
	switch f.kind() {
	case FaultRepeatPage:
		next = link(s.base(c.r), 0)
	case FaultForeignLink:
		next = link("https://api.fitbit.com.evil.example", offset+limit)
	}
	paging := object{"limit": limit, "next": next, "offset": offset, "previous": "", "sort": order}
	if after != "" {
		paging["afterDate"] = after
	} else {
		paging["beforeDate"] = before
	}
	return object{name: list, "pagination": paging}, nil
}

// base is the address that clients reach the server at.
func (s *Server) base(r *http.Request) string {
	if s.cfg.BaseURL != "" {
		return s.cfg.BaseURL
	}
	return "https://" + r.Host
}

// listTime reads the bound of a list: a date, or a date and time.
func listTime(text string) (string, bool) {
	for _, layout := range []string{"2006-1-2", "2006-1-2T15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.Format(localText), true
		}
	}
	return "", false
}

func (s *Server) workoutList(c *call, f *Fault) (any, *refusal) {
	var rows []entry
	for _, w := range c.person.workouts {
		rows = append(rows, entry{w.Start.Format(localText), c.workoutRow(s, w)})
	}
	return s.page(c, "activities", 100, rows, f)
}

func (c *call) workoutRow(s *Server, w *Workout) any {
	const stamp = "2006-01-02T15:04:05.000-07:00"
	row := object{
		"activeDuration": w.Active.Milliseconds(), "activityLevel": []any{
			object{"minutes": 2, "name": "sedentary"}, object{"minutes": 5, "name": "lightly"}, object{"minutes": 7, "name": "fairly"}, object{"minutes": 9, "name": "very"},
		},
		"activityName": w.Name, "activityTypeId": w.TypeID, "calories": w.Calories, "duration": w.Duration.Milliseconds(), "lastModified": w.Modified.UTC().Format("2006-01-02T15:04:05.000Z"),
		"logId": w.LogID, "logType": "tracker", "originalDuration": w.Duration.Milliseconds(), "originalStartTime": w.Start.Format(stamp), "startTime": w.Start.Format(stamp),
		"hasGps": w.GPS, "hasActiveZoneMinutes": len(w.Zones) > 0, "manualValuesSpecified": object{"calories": w.Manual, "distance": w.Manual, "steps": false},
		"source": object{"id": "23ABCD", "name": "Charge 5", "trackerFeatures": []any{"HEARTRATE", "GPS"}, "type": "tracker", "url": "https://www.fitbit.com/"},
	}
	if w.Manual {
		row["logType"] = "manual"
		row["source"] = object{"id": "228TQ4", "name": "Fitbit for Android", "trackerFeatures": []any{}, "type": "app", "url": "https://www.fitbit.com/android"}
	}
	if w.Distance > 0 {
		row["distance"], row["distanceUnit"] = c.units.distance(w.Distance), c.units.distanceUnit()
		row["speed"] = round(w.Distance/w.Duration.Hours(), 8)
		row["pace"] = round(w.Duration.Seconds()/w.Distance, 6)
	}
	if w.Steps > 0 {
		row["steps"], row["elevationGain"] = w.Steps, c.units.elevation(w.Elevation)
	}
	if w.SwimLength > 0 {
		row["swimLengths"], row["poolLength"], row["poolLengthUnit"] = w.SwimLength, 25, "Meter"
	}
	if w.HeartRate > 0 {
		row["averageHeartRate"], row["heartRateZones"] = w.HeartRate, zoneList(w.Zones)
		row["activeZoneMinutes"] = object{"totalMinutes": 42, "minutesInHeartRateZones": []any{
			object{"minutes": 0, "minuteMultiplier": 0, "order": 0, "type": "OUT_OF_ZONE", "zoneName": "Out of Range"},
			object{"minutes": 12, "minuteMultiplier": 1, "order": 1, "type": "FAT_BURN", "zoneName": "Fat Burn"},
			object{"minutes": 20, "minuteMultiplier": 2, "order": 2, "type": "CARDIO", "zoneName": "Cardio"},
			object{"minutes": 10, "minuteMultiplier": 2, "order": 3, "type": "PEAK", "zoneName": "Peak"},
		}}
		row["heartRateLink"] = fmt.Sprintf("%s/1/user/-/activities/heart/date/%s/1d/1sec.json", s.base(c.r), w.Start.Format(time.DateOnly))
	}
	if w.GPS {
		row["tcxLink"] = fmt.Sprintf("%s/1/user/-/activities/%d.tcx", s.base(c.r), w.LogID)
	}
	return row
}

// tcx is the recording of a workout, one point a second for its first ten minutes.
func (c *call) tcx(id string) (any, *refusal) {
	if !slices.Contains(c.token.scopes, "location") {
		return nil, refuse(http.StatusForbidden, "insufficient_scope", "This application does not have permission to access location data.")
	}
	for _, w := range c.person.workouts {
		if strconv.FormatInt(w.LogID, 10) != id {
			continue
		}
		var b []byte
		b = append(b, `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<TrainingCenterDatabase xmlns="http://www.garmin.com/xmlschemas/TrainingCenterDatabase/v2"><Activities>`...)
		b = fmt.Appendf(b, `<Activity Sport="%s"><Id>%s</Id><Lap StartTime="%s"><TotalTimeSeconds>%s</TotalTimeSeconds><DistanceMeters>%s</DistanceMeters><Calories>%d</Calories><Intensity>Active</Intensity><TriggerMethod>Manual</TriggerMethod><Track>`,
			map[bool]string{true: "Running", false: "Other"}[w.Name == "Run"], tcxTime(w.Start), tcxTime(w.Start), text(w.Duration.Seconds()), text(round(w.Distance*1000, 3)), w.Calories)
		if w.GPS {
			for i := 0; i < 600; i += 5 {
				b = fmt.Appendf(b, `<Trackpoint><Time>%s</Time><Position><LatitudeDegrees>%s</LatitudeDegrees><LongitudeDegrees>%s</LongitudeDegrees></Position><AltitudeMeters>%s</AltitudeMeters><DistanceMeters>%s</DistanceMeters><HeartRateBpm><Value>%d</Value></HeartRateBpm></Trackpoint>`,
					tcxTime(w.Start.Add(time.Duration(i)*time.Second)), text(round(48.1+float64(i)*1e-5, 7)), text(round(-11.5-float64(i)*1e-5, 7)), text(round(500+float64(i)/50, 2)), text(round(float64(i)*2.7, 3)), 110+i%50)
			}
		}
		b = append(b, `</Track></Lap><Creator><Name>Fitbit</Name></Creator></Activity></Activities></TrainingCenterDatabase>`...)
		return raw{"application/vnd.garmin.tcx+xml", b}, nil
	}
	return nil, notFound()
}

func tcxTime(t time.Time) string { return t.Format("2006-01-02T15:04:05.000-07:00") }

func (s *Server) sleepList(c *call, f *Fault) (any, *refusal) {
	var rows []entry
	for _, sl := range c.person.sleeps {
		rows = append(rows, entry{sl.Start, c.sleepRow(sl)})
	}
	return s.page(c, "sleep", 100, rows, f)
}

func (s *Server) ecgList(c *call, f *Fault) (any, *refusal) {
	var rows []entry
	for _, e := range c.person.ecgs {
		rows = append(rows, entry{e.Start, object{
			"startTime": e.Start, "averageHeartRate": e.HeartRate, "resultClassification": e.Result, "waveformSamples": e.Samples,
			"samplingFrequencyHz": strconv.Itoa(e.Frequency), "scalingFactor": e.ScalingFactor, "numberOfWaveformSamples": len(e.Samples), "leadNumber": 1,
			"featureVersion": "1.2.3-2.11-2.14", "deviceName": "Sense", "firmwareVersion": "1.2.3",
		}})
	}
	return s.page(c, "ecgReadings", 10, rows, f)
}

func (s *Server) alertList(c *call, f *Fault) (any, *refusal) {
	var rows []entry
	for _, a := range c.person.alerts {
		beats := []any{}
		for _, b := range a.Beats {
			beats = append(beats, object{"dateTime": b.Time, "bpm": b.BPM})
		}
		rows = append(rows, entry{a.Alert, object{
			"alertTime": a.Alert, "detectedTime": a.Detected, "serviceVersion": "2.1", "algoVersion": "1.0", "deviceType": "Sense",
			"windows": []any{object{"positive": true, "bpmData": beats}},
		}})
	}
	return s.page(c, "alerts", 10, rows, f)
}
