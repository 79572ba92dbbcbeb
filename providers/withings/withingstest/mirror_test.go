package withingstest_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/providers/withings/withingstest"
)

// This file reads a whole user through the wire and compares with Truth.

const (
	activityFields = "steps,distance,elevation,soft,moderate,intense,active,calories,totalcalories,hr_average,hr_min,hr_max," +
		"hr_zone_0,hr_zone_1,hr_zone_2,hr_zone_3"
	intradayFields = "steps,elevation,calories,distance,stroke,pool_lap,duration,heart_rate,spo2_auto,rmssd,sdnn1,hrv_quality," +
		"core_body_temperature,rr,chest_movement_rate"
	workoutFields = "calories,intensity,manual_intensity,manual_distance,manual_calories,hr_average,hr_min,hr_max,hr_zone_0,hr_zone_1," +
		"hr_zone_2,hr_zone_3,pause_duration,algo_pause_duration,spo2_average,core_body_temperature_avg,core_body_temperature_min," +
		"core_body_temperature_max,core_body_temperature_status,steps,distance,elevation,pool_laps,strokes,pool_length"
	segmentFields = "hr,rr,snoring,sdnn_1,rmssd,hrv_quality,mvt_score,chest_movement_rate,withings_index,breathing_sounds"
	summaryFields = "total_timeinbed,total_sleep_time,asleepduration,lightsleepduration,remsleepduration,deepsleepduration," +
		"sleep_efficiency,sleep_latency,wakeup_latency,wakeupduration,wakeupcount,waso,nb_rem_episodes,durationtosleep,durationtowakeup," +
		"out_of_bed_count,hr_average,hr_min,hr_max,rr_average,rr_min,rr_max,breathing_disturbances_intensity," +
		"breathing_quality_assessment,snoring,snoringepisodecount,sleep_score,night_events,apnea_hypopnea_index,mvt_score_avg," +
		"mvt_active_duration,rmssd_start_avg,rmssd_end_avg,chest_movement_rate_average,chest_movement_rate_min," +
		"chest_movement_rate_max,breathing_sounds,breathing_sounds_episode_count,withings_index"
)

// pages walks an action to its end and returns the rows of all pages.
func pages(t *testing.T, w *world, path, rows string, pairs ...string) []json.RawMessage {
	t.Helper()
	var out []json.RawMessage
	for offset := ""; ; {
		var body map[string]json.RawMessage
		w.data(t, path, append(slices.Clone(pairs), "offset", offset)...).decode(t, &body)
		var page []json.RawMessage
		require.NoError(t, json.Unmarshal(body[rows], &page))
		require.LessOrEqual(t, len(page), w.Config().PageSize)
		out = append(out, page...)
		if more := string(body["more"]); more != "1" && more != "true" {
			return out
		}
		require.NotEmpty(t, page)
		require.NotEqual(t, offset, string(body["offset"]))
		offset = string(body["offset"])
	}
}

// object is a decoded row.
type object map[string]any

func (o object) int(name string) int64 {
	v, _ := o[name].(json.Number)
	n, _ := v.Int64()
	return n
}

func (o object) text(name string) string {
	v, _ := o[name].(string)
	return v
}

// numbers returns the members of o that are in the list of names and numbers, others go to rest.
func (o object) fields(names string) withingstest.Fields {
	f := withingstest.Fields{}
	for _, name := range slices.Sorted(maps.Keys(o)) {
		if v, ok := o[name].(json.Number); ok && slices.Contains(splitComma(names), name) {
			f[name], _ = v.Float64()
		}
	}
	return f
}

func splitComma(s string) []string {
	var out []string
	for _, b := range bytes.Split([]byte(s), []byte(",")) {
		out = append(out, string(b))
	}
	return out
}

func parse(t *testing.T, raw json.RawMessage) object {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var o object
	require.NoError(t, dec.Decode(&o))
	return o
}

func (o object) child(name string) object {
	switch v := o[name].(type) {
	case map[string]any:
		return v
	case []any:
		if len(v) == 0 { // an empty object
			return object{}
		}
	}
	return nil
}

func mirrorMeasures(t *testing.T, w *world, pairs ...string) []withingstest.MeasureGroup {
	var out []withingstest.MeasureGroup
	for _, raw := range pages(t, w, withingstest.MeasurePath, "measuregrps", append(pairs, "action", "getmeas")...) {
		o := parse(t, raw)
		g := withingstest.MeasureGroup{
			ID: o.int("grpid"), Attrib: int(o.int("attrib")), Date: o.int("date"), Created: o.int("created"), Modified: o.int("modified"),
			Category: int(o.int("category")), DeviceID: o.text("deviceid"), Model: o.text("model"), ModelID: int(o.int("modelid")),
		}
		for _, m := range o["measures"].([]any) {
			m := object(m.(map[string]any))
			measure := withingstest.Measure{
				Value: m.int("value"), Type: int(m.int("type")), Unit: int(m.int("unit")), Algo: int(m.int("algo")), FM: int(m.int("fm")),
			}
			if _, ok := m["position"]; ok {
				p := int(m.int("position"))
				measure.Position = &p
			}
			g.Measures = append(g.Measures, measure)
		}
		out = append(out, g)
	}
	slices.SortFunc(out, func(a, b withingstest.MeasureGroup) int {
		return cmp.Or(cmp.Compare(a.Date, b.Date), cmp.Compare(a.ID, b.ID))
	})
	return out
}

func mirrorActivities(t *testing.T, w *world, pairs ...string) []withingstest.Activity {
	var out []withingstest.Activity
	for _, raw := range pages(t, w, withingstest.MeasureV2Path, "activities", append(pairs, "action", "getactivity", "data_fields", activityFields)...) {
		o := parse(t, raw)
		out = append(out, withingstest.Activity{
			Date: o.text("date"), Timezone: o.text("timezone"), DeviceID: o.text("deviceid"), Brand: int(o.int("brand")),
			IsTracker: o["is_tracker"] == true, Modified: o.int("modified"), Model: o.text("model"), ModelID: int(o.int("modelid")),
			Data: o.fields(activityFields),
		})
	}
	return out
}

func mirrorWorkouts(t *testing.T, w *world, pairs ...string) []withingstest.Workout {
	var out []withingstest.Workout
	for _, raw := range pages(t, w, withingstest.MeasureV2Path, "series", append(pairs, "action", "getworkouts", "data_fields", workoutFields)...) {
		o := parse(t, raw)
		out = append(out, withingstest.Workout{
			ID: o.int("id"), Category: int(o.int("category")), Timezone: o.text("timezone"), Model: int(o.int("model")),
			Attrib: int(o.int("attrib")), Start: o.int("startdate"), End: o.int("enddate"), Date: o.text("date"),
			Modified: o.int("modified"), DeviceID: o.text("deviceid"), Data: o.child("data").fields(workoutFields),
			BodyTemperatureStatus: o.child("data").text("core_body_temperature_status"),
		})
	}
	slices.SortFunc(out, func(a, b withingstest.Workout) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.ID, b.ID))
	})
	return out
}

func mirrorNights(t *testing.T, w *world, pairs ...string) []withingstest.Night {
	var out []withingstest.Night
	for _, raw := range pages(t, w, withingstest.SleepPath, "series", append(pairs, "action", "getsummary", "data_fields", summaryFields)...) {
		o := parse(t, raw)
		n := withingstest.Night{
			ID: o.int("id"), Timezone: o.text("timezone"), Model: int(o.int("model")), ModelID: int(o.int("model_id")),
			DeviceID: o.text("hash_deviceid"), Start: o.int("startdate"), End: o.int("enddate"), Date: o.text("date"),
			Created: o.int("created"), Modified: o.int("modified"), Data: o.child("data").fields(summaryFields), Events: map[int][]int64{},
		}
		for kind, list := range o.child("data").child("night_events") {
			k, err := strconv.Atoi(kind)
			require.NoError(t, err)
			for _, sec := range list.([]any) {
				v, _ := sec.(json.Number).Int64()
				n.Events[k] = append(n.Events[k], v)
			}
		}
		out = append(out, n)
	}
	slices.SortFunc(out, func(a, b withingstest.Night) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// daily calls an action with a 24 h cap once for each stretch of 24 hours of the history.
func (w *world) daily(t *testing.T, days int, path, action, fields string, each func(body object)) {
	t.Helper()
	end := w.clock.Now().Unix() + 1
	for i := days; i >= 0; i-- {
		from := end - int64(i+1)*86400
		a := w.data(t, path, "action", action, "data_fields", fields, "startdate", fmt.Sprint(from), "enddate", fmt.Sprint(from+86400))
		require.Zero(t, a.Status, a.Error)
		each(parse(t, a.Body))
	}
}

func mirror(t *testing.T, w *world) withingstest.Truth {
	t.Helper()
	m := withingstest.Truth{
		User:       w.Truth(w.user.ID).User,
		Measures:   mirrorMeasures(t, w),
		Activities: mirrorActivities(t, w, "lastupdate", "1"),
		Workouts:   mirrorWorkouts(t, w, "lastupdate", "1"),
		Nights:     mirrorNights(t, w, "lastupdate", "1"),
	}
	w.daily(t, 8, withingstest.MeasureV2Path, "getintradayactivity", intradayFields, func(body object) {
		for stamp, v := range body.child("series") {
			o := object(v.(map[string]any))
			at, err := strconv.ParseInt(stamp, 10, 64)
			require.NoError(t, err)
			m.Intraday = append(m.Intraday, withingstest.IntradayPoint{
				Time: at, DeviceID: o.text("deviceid"), Model: o.text("model"), ModelID: int(o.int("model_id")), Data: o.fields(intradayFields),
			})
		}
	})
	slices.SortFunc(m.Intraday, func(a, b withingstest.IntradayPoint) int { return cmp.Compare(a.Time, b.Time) })

	sorted := true
	w.daily(t, 35, withingstest.SleepPath, "get", segmentFields, func(body object) {
		last := int64(0)
		for _, v := range body["series"].([]any) {
			o := object(v.(map[string]any))
			s := withingstest.SleepSegment{
				Start: o.int("startdate"), End: o.int("enddate"), State: int(o.int("state")), Series: map[string][]withingstest.Sample{},
			}
			sorted = sorted && s.Start >= last
			last = s.Start
			for _, name := range splitComma(segmentFields) {
				for stamp, v := range o.child(name) {
					at, _ := strconv.ParseInt(stamp, 10, 64)
					value, _ := v.(json.Number).Float64()
					s.Series[name] = append(s.Series[name], withingstest.Sample{Time: at, Value: value})
				}
				slices.SortFunc(s.Series[name], func(a, b withingstest.Sample) int { return cmp.Compare(a.Time, b.Time) })
				if s.Series[name] == nil {
					delete(s.Series, name)
				}
			}
			// Naps and second devices aside, the night is the one of the same device that spans the segment.
			i := slices.IndexFunc(m.Nights, func(n withingstest.Night) bool {
				return n.DeviceID == o.text("hash_deviceid") && n.Start <= s.Start && s.End <= n.End
			})
			require.GreaterOrEqual(t, i, 0, "segment outside every night")
			m.Nights[i].Segments = append(m.Nights[i].Segments, s)
		}
	})
	require.False(t, sorted, "segments are not in order of time")
	for _, n := range m.Nights {
		slices.SortFunc(n.Segments, func(a, b withingstest.SleepSegment) int { return cmp.Compare(a.Start, b.Start) })
	}

	for _, raw := range pages(t, w, withingstest.HeartPath, "series", "action", "list") {
		o := parse(t, raw)
		h := withingstest.Heart{
			Timestamp: o.int("timestamp"), Modified: o.int("modified"), DeviceID: o.text("deviceid"), Model: int(o.int("model")),
			HeartRate: int(o.int("heart_rate")), Systole: int(o.child("bloodpressure").int("systole")),
			Diastole: int(o.child("bloodpressure").int("diastole")), SignalID: o.child("ecg").int("signalid"), AFib: int(o.child("ecg").int("afib")),
		}
		if h.SignalID != 0 {
			var body struct {
				Signal    []int
				Frequency int `json:"sampling_frequency"`
				Wear      int `json:"wearposition"`
				HeartRate int `json:"heart_rate"`
			}
			w.data(t, withingstest.HeartPath, "action", "get", "signalid", fmt.Sprint(h.SignalID)).decode(t, &body)
			require.Equal(t, h.HeartRate, body.HeartRate)
			h.Signal, h.Frequency, h.Wear = body.Signal, body.Frequency, body.Wear
		}
		m.Hearts = append(m.Hearts, h)
	}
	slices.SortFunc(m.Hearts, func(a, b withingstest.Heart) int { return cmp.Compare(a.Timestamp, b.Timestamp) })

	var devices struct{ Devices []json.RawMessage }
	w.data(t, withingstest.UserPath, "action", "getdevice").decode(t, &devices)
	for _, raw := range devices.Devices {
		o := parse(t, raw)
		m.Devices = append(m.Devices, withingstest.Device{
			ID: o.text("deviceid"), Type: o.text("type"), Model: o.text("model"), ModelID: int(o.int("model_id")), Battery: o.text("battery"),
			Timezone: o.text("timezone"), FirstSession: o.int("first_session_date"), LastSession: o.int("last_session_date"),
		})
	}
	a := w.data(t, withingstest.UserPath, "action", "getgoals")
	if goals := parse(t, a.Body).child("goals"); len(goals) > 0 {
		m.Goals = &withingstest.Goals{
			Steps: int(goals.int("steps")), Sleep: int(goals.int("sleep")),
			Weight: withingstest.Measure{Value: goals.child("weight").int("value"), Unit: int(goals.child("weight").int("unit"))},
		}
	}
	return m
}

func TestTheWireTellsTheTruth(t *testing.T) {
	for i, size := range []int{1, 7, 300} {
		users := map[int]int64{1: 1, 7: 2, 300: 4}[size]
		for id := range users {
			t.Run(fmt.Sprintf("page %d user %d", size, id), func(t *testing.T) {
				w := newWorld(t, withingstest.Config{PageSize: size, RateLimit: off, IdenticalCallWindow: off, Seed: uint64(11 + i), Days: 14, IntradayDays: 2})
				zone := []string{"America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Europe/Paris"}[id]
				w.user = w.AddUser(withingstest.UserConfig{ID: 500 + id, Timezone: zone})
				for range 3 {
					w.clock.Add(20 * time.Hour)
					w.Evolve(w.user.ID)
				}
				w.CatchUp(w.user.ID)
				w.token = w.Login(w.user.ID)
				truth, got := w.Truth(w.user.ID), mirror(t, w)
				require.NotEmpty(t, truth.Hearts)
				require.NotEmpty(t, truth.Workouts)
				require.Equal(t, truth, got)
			})
		}
	}
}
