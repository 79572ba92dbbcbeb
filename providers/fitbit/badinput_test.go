package fitbit

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
)

func testDate() time.Time { return time.Date(2026, 10, 30, 12, 0, 0, 0, time.UTC) }

const octoberName = "/2026-10-01/2026-10-30"

// mapBodies maps bodies as one page; names are what was asked for.
func mapBodies(tb testing.TB, stream, zone string, pairs ...string) (*mapper, error) {
	tb.Helper()
	page := health.RawPage{Stream: stream, Date: testDate(), Zone: zone}
	for i := 0; i < len(pairs); i += 2 {
		page.Bodies = append(page.Bodies, health.RawBody{Name: pairs[i], Body: []byte(pairs[i+1])})
	}
	st := testProvider(tb).streams[stream]
	require.NotNil(tb, st, stream)
	m := newMapper(page)
	err := m.run(st)
	if err != nil {
		err = m.failed("test", err)
	}
	return m, err
}

func keysOf(m *mapper) []string {
	keys := []string{}
	for i := range m.records {
		keys = append(keys, m.records[i].Key)
	}
	return keys
}

func reasonsOf(m *mapper) []string {
	list := []string{}
	for _, q := range m.quarantined {
		list = append(list, q.Key+": "+q.Reason)
	}
	return list
}

// goodSleep is a log that must come through whatever is wrong beside it.
const goodSleep = `{"logId":1,"dateOfSleep":"2026-10-20","startTime":"2026-10-19T23:00:00.000","endTime":"2026-10-20T06:00:00.000","duration":25200000,"minutesAsleep":400}`

func sleepWith(members string) string {
	return `{"dateOfSleep":"2026-10-21","startTime":"2026-10-20T23:00:00.000","endTime":"2026-10-21T06:00:00.000","duration":25200000,` + members + `}`
}

func TestBadSleeps(t *testing.T) {
	for _, c := range []struct {
		name, row string
		key       string // "" if there is no record
		reasons   []string
	}{
		{"duplicate keys in one object", sleepWith(`"logId":2,"logId":2`), "", []string{"sleep/2: " + reasonTwice}},
		{"a name in another case is another name", sleepWith(`"LOGID":2`), "", []string{"sleep/#1: " + reasonNoID}},
		{"a look-alike name is another name", sleepWith(`"log\u0131d":2`), "", []string{"sleep/#1: " + reasonNoID}},
		{"an escaped name is the same name", sleepWith(`"log\u0049d":2`), "sleep/2", nil},
		{"an id beyond float64", sleepWith(`"logId":9007199254740993`), "sleep/9007199254740993", nil},
		{"an id beyond int64", sleepWith(`"logId":9223372036854775808`), "", []string{"sleep/#1: " + reasonNoID}},
		{"id as text", sleepWith(`"logId":"12"`), "sleep/12", nil},
		{"id 12.0", sleepWith(`"logId":12.0`), "sleep/12", nil},
		{"id 1.2e1", sleepWith(`"logId":1.2e1`), "sleep/12", nil},
		{"id 12.5", sleepWith(`"logId":12.5`), "", []string{"sleep/#1: " + reasonNoID}},
		{"id 0", sleepWith(`"logId":0`), "", []string{"sleep/#1: " + reasonNoID}},
		{"id null", sleepWith(`"logId":null`), "", []string{"sleep/#1: " + reasonNoID}},
		{"NaN", sleepWith(`"logId":2,"minutesAsleep":NaN`), "", []string{"sleep/2: " + reasonNotJSON}},
		{"1e400", sleepWith(`"logId":2,"minutesAsleep":1e400`), "sleep/2", []string{"sleep/2#minutesAsleep: " + reasonValue}},
		{"1e-400", sleepWith(`"logId":2,"minutesAsleep":1e-400`), "sleep/2", nil},
		{"minus zero", sleepWith(`"logId":2,"minutesAsleep":-0`), "sleep/2", nil},
		{"a number as text", sleepWith(`"logId":2,"minutesAsleep":"400"`), "sleep/2", nil},
		{"a number that is an array", sleepWith(`"logId":2,"minutesAsleep":[400]`), "sleep/2", []string{"sleep/2#minutesAsleep: " + reasonValue}},
		{"null for a number", sleepWith(`"logId":2,"minutesAsleep":null`), "sleep/2", nil},
		{"negative minutes are no data", sleepWith(`"logId":2,"minutesAsleep":-1`), "sleep/2", nil},
		{"a row that is no object", `7`, "", []string{"sleep/#1: " + reasonNotObject}},
		{"a row that is null", `null`, "", []string{"sleep/#1: " + reasonNotObject}},
		{"levels that are an array", sleepWith(`"logId":2,"levels":[]`), "sleep/2", []string{"sleep/2#levels: " + reasonType}},
		{"nested too deep", sleepWith(`"logId":2,"x":` + strings.Repeat("[", 70) + strings.Repeat("]", 70)), "", []string{"sleep/2: " + reasonNotJSON}},
		{"an unknown member", sleepWith(`"logId":2,"more":{"a":[1]}`), "sleep/2", nil},
		{"a level that overlaps", sleepWith(`"logId":2,"levels":{"data":[` + lv("23:00:00", "light", 600) + `,` + lv("23:05:00", "deep", 600) + `,` + lv("23:15:00", "rem", 60) + `]}`),
			"sleep/2", []string{"sleep/2#data: " + reasonOverlap}},
		{"levels that run backwards", sleepWith(`"logId":2,"levels":{"data":[` + lv("23:30:00", "light", 60) + `,` + lv("23:10:00", "deep", 60) + `]}`),
			"sleep/2", []string{"sleep/2#data: " + reasonOverlap}},
		{"a level of negative length", sleepWith(`"logId":2,"levels":{"data":[` + lv("23:00:00", "light", -60) + `,` + lv("23:10:00", "deep", 60) + `]}`),
			"sleep/2", []string{"sleep/2#data: " + reasonDuration}},
		{"a level without a time", sleepWith(`"logId":2,"levels":{"data":[{"level":"deep","seconds":30}]}`), "sleep/2", []string{"sleep/2#data: " + reasonTime}},
		{"a level that is not known", sleepWith(`"logId":2,"levels":{"data":[` + lv("23:00:00", "core", 60) + `]}`), "sleep/2", nil},
		{"a level that is no object", sleepWith(`"logId":2,"levels":{"data":[30]}`), "sleep/2", []string{"sleep/2#data: " + reasonNotObject}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := mapBodies(t, streamSleep, "Europe/Berlin", "sleep"+octoberName, `{"sleep":[`+goodSleep+`,`+c.row+`]}`)
			require.NoError(t, err)
			want := []string{"sleep/1"}
			if c.key != "" {
				want = append(want, c.key)
			}
			require.Equal(t, want, keysOf(m), "what is good is kept")
			require.Equal(t, append([]string{}, c.reasons...), reasonsOf(m))
			for _, q := range m.quarantined {
				require.NotEmpty(t, q.Raw)
			}
		})
	}
}

// lv is one level of a night.
func lv(clock, name string, seconds int) string {
	return fmt.Sprintf(`{"dateTime":"2026-10-20T%s.000","level":%q,"seconds":%d}`, clock, name, seconds)
}

func TestTimesOfSleeps(t *testing.T) {
	row := func(date, start, end string, duration string) string {
		return fmt.Sprintf(`{"logId":2,"dateOfSleep":%s,"startTime":%s,"endTime":%s,"duration":%s}`, date, start, end, duration)
	}
	for _, c := range []struct {
		name, row, reason string
		flags             health.Flags
	}{
		{"end before start", row(`"2026-10-21"`, `"2026-10-21T06:00:00.000"`, `"2026-10-20T23:00:00.000"`, "1"), reasonDuration, 0},
		{"a negative duration", row(`"2026-10-21"`, `"2026-10-20T23:00:00.000"`, `"2026-10-21T06:00:00.000"`, "-25200000"), reasonDuration, 0},
		{"a duration that is text", row(`"2026-10-21"`, `"2026-10-20T23:00:00.000"`, `"2026-10-21T06:00:00.000"`, `"x"`), reasonDuration, 0},
		{"a duration that does not agree", row(`"2026-10-21"`, `"2026-10-20T23:00:00.000"`, `"2026-10-21T06:00:00.000"`, "60000"), "", health.FlagImplausible},
		{"no duration", row(`"2026-10-21"`, `"2026-10-20T23:00:00.000"`, `"2026-10-20T23:00:00.000"`, "null"), "", health.FlagImplausible},
		{"no end", row(`"2026-10-21"`, `"2026-10-20T23:00:00.000"`, `null`, "25200000"), "", 0},
		{"40 hours", row(`"2026-10-21"`, `"2026-10-19T14:00:00.000"`, `"2026-10-21T06:00:00.000"`, "144000000"), "", health.FlagImplausible},
		{"no date", row(`null`, `"2026-10-20T23:00:00.000"`, `"2026-10-21T06:00:00.000"`, "25200000"), reasonDay, 0},
		{"30 February", row(`"2026-02-30"`, `"2026-10-20T23:00:00.000"`, `"2026-10-21T06:00:00.000"`, "25200000"), reasonDay, 0},
		{"a space for the T", row(`"2026-10-21"`, `"2026-10-20 23:00:00.000"`, `"2026-10-21T06:00:00.000"`, "25200000"), reasonTime, 0},
		{"a time to come", row(`"2026-10-21"`, `"2031-10-20T23:00:00.000"`, `"2031-10-21T06:00:00.000"`, "25200000"), "span: time not plausible", 0},
		{"before our time", row(`"2026-10-21"`, `"1969-10-20T23:00:00.000"`, `"1969-10-21T06:00:00.000"`, "25200000"), "span: time not plausible", 0},
		{"no start", row(`"2026-10-21"`, `null`, `"2026-10-21T06:00:00.000"`, "25200000"), reasonTime, 0},
		{"a start that is a number", row(`"2026-10-21"`, `1792530000`, `"2026-10-21T06:00:00.000"`, "25200000"), reasonTime, 0},
		{"a leap second", row(`"2026-10-21"`, `"2026-10-20T23:00:60.000"`, `"2026-10-21T06:00:59.000"`, "25200000"), "", health.FlagNonexistent},
		{"a start that is ambiguous", row(`"2026-10-25"`, `"2026-10-25T02:30:00.000"`, `"2026-10-25T06:30:00.000"`, "14400000"), "", health.FlagAmbiguous},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := mapBodies(t, streamSleep, "Europe/Berlin", "sleep"+octoberName, `{"sleep":[`+goodSleep+`,`+c.row+`]}`)
			require.NoError(t, err)
			if c.reason != "" {
				require.Equal(t, []string{"sleep/1"}, keysOf(m))
				require.Equal(t, []string{"sleep/2: " + c.reason}, reasonsOf(m))
				return
			}
			require.Equal(t, []string{"sleep/1", "sleep/2"}, keysOf(m))
			require.Equal(t, c.flags, m.records[1].Span.Flags)
		})
	}
	// A start that no clock shows.
	m, err := mapBodies(t, streamSleep, "Europe/Berlin", "sleep/2026-03-01/2026-03-30",
		`{"sleep":[{"logId":2,"dateOfSleep":"2026-03-29","startTime":"2026-03-29T02:30:00.000","endTime":"2026-03-29T06:30:00.000","duration":14400000}]}`)
	require.NoError(t, err)
	require.Equal(t, health.FlagNonexistent, m.records[0].Span.Flags)
	end, _ := m.records[0].Span.End.Time()
	start, _ := m.records[0].Span.Start.Time()
	require.Equal(t, 4*time.Hour, end.Sub(start))
}

func TestShortAwakeningsAreLaidOver(t *testing.T) {
	m, err := mapBodies(t, streamSleep, "", "sleep"+octoberName, `{"sleep":[`+sleepWith(`"logId":2,"levels":{"data":[`+
		lv("23:00:00", "light", 600)+`,`+lv("23:10:00", "deep", 600)+`],"shortData":[`+lv("23:09:30", "wake", 60)+`,`+lv("23:15:00", "wake", 30)+`]}`)+`]}`)
	require.NoError(t, err)
	var got []string
	for _, s := range m.records[0].Segments {
		from, _ := s.Start.WallMilli()
		to, _ := s.End.WallMilli()
		got = append(got, fmt.Sprint(s.Track, " ", s.Label, " ", s.Code, " ", from/1000%3600, "-", to/1000%3600))
	}
	require.Equal(t, []string{
		"stage light light 0-570", "short_awake awake wake 570-630", "stage awake wake 570-630", "stage deep deep 630-900",
		"short_awake awake wake 900-930", "stage awake wake 900-930", "stage deep deep 930-1200",
	}, got)
}

// The number of times awake is the same metric as that of the successor.
func TestEpisodesOfStages(t *testing.T) {
	for _, word := range []string{"wake", "awake"} {
		m, err := mapBodies(t, streamSleep, "", "sleep"+octoberName, `{"sleep":[`+sleepWith(`"logId":2,"levels":{"summary":{"`+word+`":{"count":12,"minutes":50},"rem":{"count":4}}}`)+`]}`)
		require.NoError(t, err)
		got := map[string]string{}
		for _, v := range m.records[0].Values {
			got[string(v.Metric)+" "+string(v.Part)] = v.Number.String()
		}
		require.Equal(t, map[string]string{"sleep_awake ": "3000", "sleep_awakenings ": "12", "sleep_stage_episodes rem": "4"}, got)
	}
}

func TestSleepsOfVersion1(t *testing.T) {
	m, err := mapBodies(t, streamSleep, "", "sleep"+octoberName, `{"sleep":[{"logId":2,"dateOfSleep":"2026-10-21","startTime":"2026-10-20T23:58:00.000","duration":240000,
		"minuteData":[{"dateTime":"23:58:00","value":"1"},{"dateTime":"23:59:00","value":"1"},{"dateTime":"00:00:00","value":"2"},{"dateTime":"00:01:00","value":"3"}]}]}`)
	require.NoError(t, err)
	require.Len(t, m.records[0].Segments, 3)
	labels := []string{}
	for _, s := range m.records[0].Segments {
		labels = append(labels, s.Label)
	}
	require.Equal(t, []string{"asleep", "restless", "awake"}, labels)
	last, _ := m.records[0].Segments[2].End.WallMilli()
	require.Equal(t, "2026-10-21 00:02", time.UnixMilli(last).UTC().Format("2006-01-02 15:04"))
}

func TestAnswersThatAreNone(t *testing.T) {
	for _, c := range []struct{ stream, name, body, code string }{
		{streamSleep, "sleep" + octoberName, "", codeNotJSON},
		{streamSleep, "sleep" + octoberName, "null", codeShape},
		{streamSleep, "sleep" + octoberName, "[]", codeShape},
		{streamSleep, "sleep" + octoberName, "{}", codeNoRows},
		{streamSleep, "sleep" + octoberName, `{"sleep":null}`, codeNoRows},
		{streamSleep, "sleep" + octoberName, `{"sleep":{}}`, codeNoRows},
		{streamSleep, "sleep" + octoberName, `{"sleep":[],"sleep":[]}`, codeDuplicate},
		{streamSleep, "sleep" + octoberName, `{"sleep":[]}x`, codeJSON},
		{streamSleep, "sleep" + octoberName, `{"sleep":[`, codeJSON},
		{streamSleep, "sleep" + octoberName, "\ufeff" + `{"sleep":[]}`, codeNotJSON},
		{streamSleep, "sleep" + octoberName, "<html>", codeNotJSON},
		{streamSleep, "sleep", `{"sleep":[]}`, codeBodyName},
		{streamSleep, "sleep/2026-10-02/2026-10-01", `{"sleep":[]}`, codeBodyName},
		{streamSpO2, "spo2" + octoberName, `7`, codeShape},
		{streamDevices, "devices", `{}`, codeShape},
		{streamProfile, "profile", `{"user":[]}`, codeNoRows},
		{streamHeartIntraday, "activities-heart-intraday/2026-10-01/2026-10-01", `{"activities-heart":[]}`, codeNoRows},
		{streamHeartIntraday, "activities-heart-intraday/2026-10-01/2026-10-01", `{"activities-heart-intraday":[]}`, codeNoRows},
		{streamHeartIntraday, "activities-heart-intraday/2026-10-01/2026-10-01", `{"activities-heart-intraday":{"dataset":{}}}`, codeNoRows},
		{streamDaily, "summary/2026-10-01/2026-10-01", `{"goals":{}}`, codeNoRows},
		{streamActivity, "activities-nothing" + octoberName, `{}`, codeBodyName},
		{streamWorkouts, "activities/list" + octoberName, `{"activities":[],"pagination":{"next":7}}`, codeShape},
	} {
		_, err := mapBodies(t, c.stream, "", c.name, c.body)
		var e *providers.Error
		require.ErrorAs(t, err, &e, "%s %s", c.stream, c.body)
		require.ErrorIs(t, err, providers.ErrMalformed, "%s %s", c.stream, c.body)
		require.Equal(t, c.code, e.Code, "%s %s", c.stream, c.body)
	}
}

func TestSeriesWithHolesAndOtherTypes(t *testing.T) {
	body := `{"activities-steps":[{"dateTime":"2026-10-01","value":"175"},{"dateTime":"2026-10-03","value":0},{"dateTime":"2026-10-04","value":"many"},` +
		`{"dateTime":"2026-10-05","value":null},{"dateTime":"2026-10-06"},{"dateTime":"2026-10-07","value":{"x":1}},{"dateTime":"2026-13-01","value":"1"},` +
		`{"dateTime":"2026-11-20","value":"1"},{"dateTime":"2026-10-08","value":"9","value":"10"},{"dateTime":"2026-10-09","value":"-5"},` +
		`{"dateTime":"2026-10-10","value":"1e400"},{"dateTime":"2026-10-01","value":"176"},{"dateTime":"2026-10-11","value":"11.5"}]}`
	m, err := mapBodies(t, streamActivity, "", "activities-steps"+octoberName, body)
	require.NoError(t, err)
	require.Equal(t, []string{"activity/2026-10-01", "activity/2026-10-03", "activity/2026-10-09", "activity/2026-10-11"}, keysOf(m))
	require.Equal(t, "175", m.records[0].Values[0].Number.String())
	require.Equal(t, health.FlagOutOfRange, m.records[2].Values[0].Flags)
	require.ElementsMatch(t, []string{
		"activity/#6: " + reasonDay, "activity/2026-11-20: " + reasonOutside, "activity/#8: " + reasonTwice,
		"activity/2026-10-01#steps: " + reasonConflict, "activity/2026-10-04#activities-steps: " + reasonValue,
		"activity/2026-10-05#activities-steps: " + reasonValue, "activity/2026-10-07#activities-steps: " + reasonValue,
		"activity/2026-10-10#activities-steps: " + reasonValue,
	}, reasonsOf(m))
}

// The value of a day of heart rate changes its type.
func TestHeartRateOfOtherTypes(t *testing.T) {
	m, err := mapBodies(t, streamHeart, "", "activities-heart"+octoberName, `{"activities-heart":[
		{"dateTime":"2026-10-01","value":{"restingHeartRate":61,"heartRateZones":[{"name":"Peak","min":160,"max":220,"minutes":3,"caloriesOut":30.5}],"customHeartRateZones":[{"name":"Mine","min":100,"max":120,"minutes":7}]}},
		{"dateTime":"2026-10-02","value":"64.2","heartRateZones":[{"name":"Fat Burn","min":94,"max":132,"minutes":12}],"customHeartRateZones":[]},
		{"dateTime":"2026-10-03","value":64.5},
		{"dateTime":"2026-10-04","value":["x"]},
		{"dateTime":"2026-10-05","value":{"restingHeartRate":"sixty","heartRateZones":{"a":1}}},
		{"dateTime":"2026-10-06","value":null},
		{"dateTime":"2026-10-07","value":{"heartRateZones":[7,{"name":"Cardio","minutes":"x"}]}}]}`)
	require.NoError(t, err)
	require.Equal(t, []string{"heart/2026-10-01", "heart/2026-10-02", "heart/2026-10-03"}, keysOf(m))
	value := func(i int, metric health.Metric, stat health.Stat, part health.Part) string {
		for _, v := range m.records[i].Values {
			if v.Metric == metric && v.Stat == stat && v.Part == part {
				return v.Number.String()
			}
		}
		return ""
	}
	require.Equal(t, "180", value(0, health.MetricHeartRateZoneDuration, health.StatValue, health.PartZone3))
	require.Equal(t, "420", value(0, health.MetricHeartRateZoneDuration, health.StatValue, "zone_custom_1"))
	require.Equal(t, "Mine", m.records[0].Texts[0].Value)
	require.Equal(t, "64.2", value(1, health.MetricHeartRate, health.StatMean, ""))
	require.Equal(t, "720", value(1, health.MetricHeartRateZoneDuration, health.StatValue, health.PartZone1))
	require.Equal(t, "64.5", value(2, health.MetricHeartRate, health.StatMean, ""))
	require.Len(t, m.quarantined, 5)
}

// A datum is set aside that has null where its number should be, and the others
// are kept.
func TestNullForTheNumber(t *testing.T) {
	const day = "/2026-10-01/2026-10-01"
	for _, c := range []struct{ stream, name, body, key, reason string }{
		{streamWeight, "weight" + day, `{"weight":[{"logId":1,"date":"2026-10-01","time":"07:00:00","weight":null},{"logId":2,"date":"2026-10-01","time":"08:00:00","weight":70}]}`,
			"weight/2", "weight/1#weight: " + reasonValue},
		{streamFat, "fat" + day, `{"fat":[{"logId":1,"date":"2026-10-01","time":"07:00:00","fat":null},{"logId":2,"date":"2026-10-01","time":"08:00:00","fat":14.5}]}`,
			"fat/2", "fat/1#fat: " + reasonValue},
		{streamCoreTemperature, "temp/core" + day, `{"tempCore":[{"dateTime":"2026-10-01T07:00:00","value":null},{"dateTime":"2026-10-01T08:00:00","value":37.5}]}`,
			"core_temperature/2026-10-01T08:00:00", "core_temperature/2026-10-01T07:00:00#value: " + reasonValue},
		{streamWater, "water" + day, `{"water":[{"logId":1,"amount":null},{"logId":2,"amount":250}]}`, "water/2", "water/1#amount: " + reasonValue},
		{streamSpO2Intraday, "spo2/all" + day, `[{"dateTime":"2026-10-01","minutes":[{"minute":"2026-10-01T04:00:00","value":null},{"minute":"2026-10-01T04:05:00","value":95.3}]}]`,
			"spo2_intraday/2026-10-01", "spo2_intraday/2026-10-01#minutes: " + reasonValue},
		{streamHRVIntraday, "hrv/all" + day, `{"hrv":[{"dateTime":"2026-10-01","minutes":[{"minute":"2026-10-01T04:00:00","value":{"rmssd":null}},{"minute":"2026-10-01T04:05:00","value":{"rmssd":26.6}}]}]}`,
			"hrv_intraday/2026-10-01", "hrv_intraday/2026-10-01#minutes: " + reasonValue},
		{streamZoneIntraday, "activities-active-zone-minutes-intraday" + day, `{"activities-active-zone-minutes-intraday":{"dataset":[{"time":"07:00:00","value":{"activeZoneMinutes":null}},{"time":"07:01:00","value":{"activeZoneMinutes":2}}]}}`,
			"active_zone_minutes_intraday/2026-10-01", "active_zone_minutes_intraday/2026-10-01#activeZoneMinutes: " + reasonValue},
	} {
		m, err := mapBodies(t, c.stream, "Europe/Berlin", c.name, c.body)
		require.NoError(t, err, c.stream)
		require.Equal(t, []string{c.key}, keysOf(m), c.stream)
		require.Equal(t, []string{c.reason}, reasonsOf(m), c.stream)
	}
}

func intraday(points ...string) string {
	return `{"activities-heart":[],"activities-heart-intraday":{"dataset":[` + strings.Join(points, ",") + `],"datasetInterval":1,"datasetType":"second"}}`
}

func point(clock, value string) string { return fmt.Sprintf(`{"time":%q,"value":%s}`, clock, value) }

func TestReadingsOfADay(t *testing.T) {
	const name = "activities-heart-intraday"
	for _, c := range []struct {
		name, date, zone string
		points           []string
		times            []int64 // seconds from the beginning of the day
		values           []int64
		exponent         int8
		reasons          []string
	}{
		{"plain", "2026-10-01", "", []string{point("00:00:00", "60"), point("00:00:07", "61")}, []int64{0, 7}, []int64{60, 61}, 0, nil},
		{"spaces and other orders", "2026-10-01", "", []string{point("00:00:00", "60"), `{ "value" : 61 , "time" : "00:00:07" }`, point("00:00:09", "62")},
			[]int64{0, 7, 9}, []int64{60, 61, 62}, 0, nil},
		{"text numbers and decimals", "2026-10-01", "", []string{point("00:00:00", "60"), point("00:00:01", `"61"`), point("00:00:02", "61.5"), point("00:00:03", "7e1")},
			[]int64{0, 1, 2, 3}, []int64{600, 610, 615, 700}, -1, nil},
		{"zero is no reading", "2026-10-01", "", []string{point("00:00:00", "0"), point("00:00:01", "61"), point("00:00:02", "-3")}, []int64{1}, []int64{61}, 0, nil},
		{"null is no number", "2026-10-01", "", []string{point("00:00:00", "null"), point("00:00:01", "61")}, []int64{1}, []int64{61}, 0, []string{reasonValue}},
		{"backwards and twice", "2026-10-01", "", []string{point("00:00:05", "60"), point("00:00:04", "61"), point("00:00:05", "62"), point("00:00:06", "63")},
			[]int64{5, 6}, []int64{60, 63}, 0, []string{reasonBackwards}},
		{"odd points", "2026-10-01", "", []string{`7`, point("25:00:00", "60"), point("00:00:61", "60"), `{"time":"00:00:09","time":"00:00:09","value":1}`, point("00:00:10", `{}`), point("00:00:11", "65")},
			[]int64{11}, []int64{65}, 0, []string{reasonNotObject, reasonTime, reasonTime, reasonTwice, reasonValue}},
		{"all digits of a float", "2026-10-01", "", []string{point("00:00:00", "7.2142857142857144E-4"), point("00:00:01", "61.123456789012345"), point("00:00:02", "62")},
			[]int64{0, 1, 2}, []int64{721_428_571, 61_123_456_789_012, 62_000_000_000_000}, -12, nil},
		{"the same behind other readings", "2026-10-01", "", []string{point("00:00:01", "61.5"), point("00:00:02", "7.2142857142857144E-4"), point("00:00:03", "1.1102230246251565e-16")},
			[]int64{1, 2, 3}, []int64{61_500_000_000_000, 721_428_571, 0}, -12, nil},
		{"without a zone an hour that comes twice", "2026-10-25", "", []string{point("02:59:59", "60"), point("02:00:00", "61"), point("03:00:00", "62")},
			[]int64{10799, 10800}, []int64{60, 62}, 0, []string{reasonBackwards}},
		{"an hour that comes twice", "2026-10-25", "Europe/Berlin",
			[]string{point("01:59:59", "59"), point("02:00:00", "60"), point("02:59:59", "61"), point("02:00:00", "62"), point("02:30:00", "63"), point("03:00:00", "64")},
			[]int64{7199, 7200, 10799, 10800, 12600, 14400}, []int64{59, 60, 61, 62, 63, 64}, 0, nil},
		{"an hour that does not come", "2026-03-29", "Europe/Berlin", []string{point("01:59:59", "59"), point("02:30:00", "60"), point("03:00:00", "61")},
			[]int64{7199, 7200}, []int64{59, 61}, 0, []string{reasonNoSuch}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := mapBodies(t, streamHeartIntraday, c.zone, name+"/"+c.date+"/"+c.date, intraday(c.points...))
			require.NoError(t, err)
			require.Len(t, m.records, 1)
			s := m.records[0].Series[0]
			var seconds []int64
			for _, at := range s.Times {
				seconds = append(seconds, (at-s.From)/1000)
			}
			require.Equal(t, c.times, seconds)
			require.Equal(t, c.values, s.Values)
			require.Equal(t, c.exponent, s.Exp)
			reasons := []string(nil)
			for _, q := range m.quarantined {
				reasons = append(reasons, q.Reason)
			}
			require.Equal(t, c.reasons, reasons)
		})
	}
	m, err := mapBodies(t, streamHeartIntraday, "", name+"/2026-10-01/2026-10-01", intraday())
	require.NoError(t, err)
	require.Empty(t, m.records, "a day without readings has no record")
}

func TestOxygenInItsShapes(t *testing.T) {
	const value = `{"dateTime":"2026-10-01","value":{"avg":97.5,"min":94.0,"max":100.0}}`
	for body, keys := range map[string][]string{
		value: {"spo2/2026-10-01"}, `[` + value + `]`: {"spo2/2026-10-01"}, `{"dateTime":"2026-10-01"}`: {}, `[{"dateTime":"2026-10-01"},` + value + `]`: {"spo2/2026-10-01"},
		`{}`: {}, `[]`: {}, `[{"dateTime":"2026-10-01","value":null}]`: {}, `[{"dateTime":"2026-10-01","value":{}}]`: {},
	} {
		m, err := mapBodies(t, streamSpO2, "", "spo2"+octoberName, body)
		require.NoError(t, err, body)
		require.Equal(t, keys, keysOf(m), body)
		require.Empty(t, m.quarantined, body)
	}
	for body, want := range map[string]string{
		`[{"dateTime":"2026-10-01","value":"97"}]`: reasonType, `[{"dateTime":"2026-10-01","value":{"avg":"x"}}]`: reasonValue, `[7]`: reasonNotObject,
	} {
		m, err := mapBodies(t, streamSpO2, "", "spo2"+octoberName, body)
		require.NoError(t, err, body)
		require.Len(t, m.quarantined, 1, body)
		require.Equal(t, want, m.quarantined[0].Reason, body)
	}
	m, err := mapBodies(t, streamSpO2Intraday, "", "spo2/all"+octoberName, `{"dateTime":"2026-10-01","minutes":[{"value":95.3,"minute":"2026-09-30T23:40:00"},{"minute":"2026-10-01T04:45:00","value":96}]}`)
	require.NoError(t, err)
	require.Equal(t, []int64{953, 960}, m.records[0].Series[0].Values)
}

func TestCardioFitnessInItsShapes(t *testing.T) {
	for body, values := range map[string]int{
		`{"cardioScore":[{"dateTime":"2026-10-01","value":{"vo2Max":"44-48"}}]}`:                   3,
		`{"cardioscore":[{"dateTime":"2026-10-01","value":{"vo2Max":"45"}}]}`:                      1,
		`{"cardioScore":[{"dateTime":"2026-10-01","value":{"vo2Max":45}}]}`:                        1,
		`{"cardioScore":[{"dateTime":"2026-10-01","value":{"vo2MaxRange":{"low":44,"high":48}}}]}`: 3,
	} {
		m, err := mapBodies(t, streamCardioFitness, "", "cardioscore"+octoberName, body)
		require.NoError(t, err, body)
		require.Len(t, m.records[0].Values, values, body)
		require.Empty(t, m.quarantined, body)
	}
	for _, value := range []string{`{"vo2Max":"48-44"}`, `{"vo2Max":"high"}`, `{"vo2Max":[]}`, `{"vo2MaxRange":{"low":48,"high":44}}`, `{"vo2MaxRange":{"low":48}}`} {
		m, err := mapBodies(t, streamCardioFitness, "", "cardioscore"+octoberName, `{"cardioScore":[{"dateTime":"2026-10-01","value":`+value+`}]}`)
		require.NoError(t, err, value)
		require.Empty(t, m.records, value)
		require.Len(t, m.quarantined, 1, value)
	}
}

func TestBadWorkouts(t *testing.T) {
	row := func(members string) string {
		return `{"logId":2,"activityName":"Run","activityTypeId":90009,` + members + `}`
	}
	const at = `"startTime":"2026-10-02T07:00:00.000+02:00","duration":60000`
	for _, c := range []struct {
		name, row, key string
		reasons        []string
	}{
		{"a negative duration", row(`"startTime":"2026-10-02T07:00:00.000+02:00","duration":-1`), "", []string{"workouts/2: " + reasonDuration}},
		{"no duration", row(`"startTime":"2026-10-02T07:00:00.000+02:00"`), "", []string{"workouts/2: " + reasonDuration}},
		{"an offset of a day", row(`"startTime":"2026-10-02T07:00:00.000+24:00","duration":1`), "", []string{"workouts/2: " + reasonTime}},
		{"no offset", row(`"startTime":"2026-10-02T07:00:00.000","duration":1`), "workouts/2", nil},
		{"a duration of nothing", row(`"startTime":"2026-10-02T07:00:00.000+02:00","duration":0`), "workouts/2", nil},
		{"steps below zero", row(at + `,"steps":-1`), "workouts/2", nil},
		{"miles", row(at + `,"distance":1,"distanceUnit":"Mile"`), "workouts/2", nil},
		{"a unit that is not known", row(at + `,"distance":1,"distanceUnit":"Furlong"`), "workouts/2", nil},
		{"a custom activity", `{"logId":2,"activityName":"Seilhüpfen","activityTypeId":17151,` + at + `}`, "workouts/2", nil},
		{"a name of a wrong type", row(at + `,"logType":{}`), "workouts/2", []string{"workouts/2#fitbit_log_type: " + reasonType}},
		{"zones of a wrong type", row(at + `,"heartRateZones":7`), "workouts/2", []string{"workouts/2#heartRateZones: " + reasonType}},
		{"the same id twice", row(at) + `,` + row(at+`,"calories":9`), "workouts/2", []string{"workouts/2: " + reasonTwin}},
		{"a text of a megabyte", row(at + `,"logType":"` + strings.Repeat("x", 1<<20) + `"`), "workouts/2", nil},
		{"characters that change direction", row(at + `,"logType":"a` + "\u202e" + `b\u0000"`), "workouts/2", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := mapBodies(t, streamWorkouts, "Europe/Berlin", "activities/list"+octoberName,
				`{"activities":[{"logId":1,"startTime":"2026-10-01T07:00:00.000+02:00","duration":60000},`+c.row+`],"pagination":{"next":""}}`)
			require.NoError(t, err)
			want := []string{"workouts/1"}
			if c.key != "" {
				want = append(want, c.key)
			}
			require.Equal(t, want, keysOf(m))
			require.Equal(t, append([]string{}, c.reasons...), reasonsOf(m))
		})
	}
}

// The service writes some numbers with all digits of a float64. What does not fit
// the unit of a metric is rounded and told to be inexact, and a number that no
// record may hold costs nothing else.
func TestNumbersOfWorkouts(t *testing.T) {
	for _, c := range []struct {
		name, members string
		metric        health.Metric
		want          string // "" if there is no value
		flags         health.Flags
	}{
		{"kilometres", `"distance":5.0000000000000001,"distanceUnit":"Kilometer"`, health.MetricDistance, "5000.0000000000001", 0},
		{"miles", `"distance":2,"distanceUnit":"Mile"`, health.MetricDistance, "3218.688", 0},
		{"miles of a float", `"distance":3.106855961186984,"distanceUnit":"Mile"`, health.MetricDistance, "5000.000000000531328", health.FlagInexact},
		{"miles beyond all", `"distance":9223372036854775807e127,"distanceUnit":"Mile"`, health.MetricDistance, "", 0},
		{"yards", `"poolLength":25,"poolLengthUnit":"Yard"`, health.MetricPoolLength, "22.86", 0},
		{"yards of a float", `"poolLength":25.000000000000004,"poolLengthUnit":"Yard"`, health.MetricPoolLength, "22.8600000000000", health.FlagInexact},
		{"kilometres an hour", `"speed":9`, health.MetricSpeed, "2.5", 0},
		{"kilometres an hour of a float", `"speed":9.656064000000001`, health.MetricSpeed, "2.68224", health.FlagInexact},
		{"what float arithmetic leaves over", `"elevationGain":5.551115123125783e-17`, health.MetricElevationGain, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := mapBodies(t, streamWorkouts, "", "activities/list"+octoberName,
				`{"activities":[{"logId":2,"startTime":"2026-10-02T07:00:00.000+02:00","duration":60000,"calories":1,`+c.members+`}]}`)
			require.NoError(t, err)
			require.Equal(t, []string{"workouts/2"}, keysOf(m))
			values := m.records[0].Values
			if c.want == "" {
				require.Len(t, m.quarantined, 1)
				require.Len(t, values, 1, "the calories stay")
				return
			}
			require.Empty(t, m.quarantined)
			i := slices.IndexFunc(values, func(v health.Value) bool { return v.Metric == c.metric })
			require.GreaterOrEqual(t, i, 0)
			want, err := health.ParseDecimal(c.want)
			require.NoError(t, err)
			require.True(t, values[i].Number.Equal(want), "%s", values[i].Number)
			require.Equal(t, c.flags, values[i].Flags)
		})
	}
}

// Of a datum that is there twice the one that changed last counts.
func TestTheFresherOfTwoCounts(t *testing.T) {
	row := func(modified string, calories int) string {
		return fmt.Sprintf(`{"logId":2,"startTime":"2026-10-02T07:00:00.000+02:00","duration":60000,"lastModified":%q,"calories":%d}`, modified, calories)
	}
	old, fresh := row("2026-10-02T08:00:00.000Z", 1), row("2026-10-03T08:00:00.000Z", 2)
	for _, rows := range []string{old + "," + fresh, fresh + "," + old} {
		m, err := mapBodies(t, streamWorkouts, "", "activities/list"+octoberName, `{"activities":[`+rows+`],"pagination":{"next":""}}`)
		require.NoError(t, err)
		require.Len(t, m.records, 1)
		require.Equal(t, health.Int(2), m.records[0].Values[0].Number)
		require.Equal(t, []string{"workouts/2: " + reasonTwin}, reasonsOf(m))
	}
}

func TestDevicesWithoutAUsableID(t *testing.T) {
	for _, id := range []string{`"\ud800"`, "\"\xff\"", `null`, `{}`, `""`} {
		m, err := mapBodies(t, streamDevices, "", "devices", `[{"id":"1","deviceVersion":"Charge 5"},{"id":`+id+`,"deviceVersion":"Charge 6"}]`)
		require.NoError(t, err, id)
		require.Equal(t, []string{"devices/1"}, keysOf(m), id)
		require.Equal(t, []string{"devices/#1: " + reasonDevice}, reasonsOf(m), id)
	}
}

func TestRecordingsThatAreNone(t *testing.T) {
	for _, body := range []string{
		"", "<", "{}", "<html></html>", `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><TrainingCenterDatabase>&a;</TrainingCenterDatabase>`,
		"<TrainingCenterDatabase>", strings.Repeat("<a>", 100), `<?xml version="1.0" encoding="UTF-16"?><TrainingCenterDatabase/>`,
	} {
		_, err := readRecording([]byte(body))
		require.Error(t, err, body)
	}
	rec, err := readRecording([]byte(`<TrainingCenterDatabase><Activities><Activity Sport="Running"><Lap StartTime="x"><TotalTimeSeconds>-5</TotalTimeSeconds><Track>
		<Trackpoint><Time>2026-10-02T07:00:05.000+02:00</Time><DistanceMeters>1</DistanceMeters></Trackpoint>
		<Trackpoint><Time>2026-10-02T07:00:04.000+02:00</Time><DistanceMeters>2</DistanceMeters></Trackpoint>
		<Trackpoint><DistanceMeters>3</DistanceMeters></Trackpoint>
		<Trackpoint><Time>2026-10-02T07:00:06.000+02:00</Time><DistanceMeters>NaN</DistanceMeters><HeartRateBpm><Value>0</Value></HeartRateBpm></Trackpoint>
		</Track></Lap></Activity></Activities></TrainingCenterDatabase>`))
	require.NoError(t, err)
	m := newMapper(health.RawPage{Stream: streamRoutes, Date: testDate()})
	rec.add(m)
	require.Len(t, m.row.series, 1)
	require.Equal(t, []int64{1}, m.row.series[0].Values)
	require.Len(t, m.row.faults, 2)
}

// A workout that cannot be read may be one whose route is stored: were nothing
// set aside, the route would count as gone.
func TestRoutesOfABadWorkout(t *testing.T) {
	m, err := mapBodies(t, streamRoutes, "", "activities/list"+octoberName,
		`{"activities":[{"logId":1,"startTime":"yesterday","duration":60000,"tcxLink":"x"},{"logId":null}]}`)
	require.NoError(t, err)
	require.Empty(t, m.records)
	require.Equal(t, []string{"routes/1: " + reasonTime, "routes/#1: " + reasonNoID}, reasonsOf(m))
}

// A recording counts the distance from its start. The metric is additive, so that
// the points of its series add up to what was run.
func TestDistanceOfARecording(t *testing.T) {
	for _, c := range []struct {
		name   string
		totals []string // "" is a point without a distance
		values []int64
		exp    int8
		faults int
	}{
		{"each step", []string{"10", "20", "30.5", "30.5", "40"}, []int64{100, 100, 105, 0, 95}, -1, 0},
		{"it does not begin at nothing", []string{"7", "9"}, []int64{7, 2}, 0, 0},
		{"a point without", []string{"10", "", "30"}, []int64{10, 20}, 0, 0},
		{"all digits of a float", []string{"0.10000000000000001", "0.30000000000000004"}, []int64{100_000_000_000, 200_000_000_000}, -12, 0},
		{"it begins again", []string{"10", "20", "3", "8"}, []int64{10, 10, 5}, 0, 1},
		{"it does not fit", []string{"10", "9e18", "9e18"}, []int64{10, 8_999_999_999_999_999_990, 0}, 0, 0},
		{"it is below nothing", []string{"-10", "20"}, []int64{30}, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			track := ""
			for i, total := range c.totals {
				track += fmt.Sprintf(`<Trackpoint><Time>2026-10-02T07:00:%02d.000+02:00</Time><AltitudeMeters>5</AltitudeMeters>`, i)
				if total != "" {
					track += "<DistanceMeters>" + total + "</DistanceMeters>"
				}
				track += "</Trackpoint>"
			}
			rec, err := readRecording([]byte(`<TrainingCenterDatabase><Activities><Activity Sport="Running"><Lap StartTime="2026-10-02T07:00:00.000+02:00"><Track>` +
				track + `</Track></Lap></Activity></Activities></TrainingCenterDatabase>`))
			require.NoError(t, err)
			m := newMapper(health.RawPage{Stream: streamRoutes, Date: testDate()})
			rec.add(m)
			require.Len(t, m.row.series, 2)
			s := m.row.series[1]
			require.Equal(t, health.MetricDistance, s.Metric)
			require.Equal(t, c.values, s.Values)
			require.Equal(t, c.exp, s.Exp)
			require.Len(t, m.row.faults, c.faults)
		})
	}
}

// A member that is there twice may be read either way: the datum is set aside,
// whichever member it is.
func TestMembersThatAreThereTwice(t *testing.T) {
	for name, c := range map[string]struct{ stream, body, text, want string }{
		"a number of a sleep":    {streamSleep, "sleep", `{"sleep":[` + goodSleep + `,` + sleepWith(`"logId":2,"minutesAsleep":1,"minutesAsleep":2`) + `]}`, "sleep/2"},
		"within an object":       {streamSleep, "sleep", `{"sleep":[` + goodSleep + `,` + sleepWith(`"logId":2,"levels":{"summary":{"rem":{"count":1,"count":1}}}`) + `]}`, "sleep/2"},
		"a name that is escaped": {streamSleep, "sleep", `{"sleep":[` + goodSleep + `,` + sleepWith(`"logId":2,"type":"a","t\u0079pe":"a"`) + `]}`, "sleep/2"},
		"an id":                  {streamSleep, "sleep", `{"sleep":[` + goodSleep + `,` + sleepWith(`"logId":2,"logId":2`) + `]}`, "sleep/2"},
		"a day of a series":      {streamActivity, "activities-steps", `{"activities-steps":[{"dateTime":"2026-10-02","value":"1","value":"2"}]}`, "activity/#0"},
		"a profile":              {streamProfile, "", `{"user":{"age":30,"age":31}}`, "profile/current"},
		"a goal":                 {streamSleepGoal, "", `{"goal":{"minDuration":1,"minDuration":2}}`, "sleep_goal/sleep"},
		"a summary":              {streamDaily, "", `{"summary":{"marginalCalories":1,"marginalCalories":2}}`, "daily/2026-10-30"},
		"a day of food":          {streamFood, "", `{"foods":[],"summary":{"carbs":1,"carbs":2}}`, "food/2026-10-30"},
	} {
		t.Run(name, func(t *testing.T) {
			body := c.body + octoberName
			switch c.stream {
			case streamProfile:
				body = "profile"
			case streamSleepGoal:
				body = "sleep"
			case streamDaily:
				body = "summary/2026-10-30/2026-10-30"
			case streamFood:
				body = "foods/2026-10-30/2026-10-30"
			}
			m, err := mapBodies(t, c.stream, "", body, c.text)
			require.NoError(t, err)
			require.Equal(t, []string{c.want + ": " + reasonTwice}, reasonsOf(m))
			require.NotContains(t, keysOf(m), c.want)
		})
	}
}

// A page on which nothing is right is not a page.
func TestTooMuchThatIsBad(t *testing.T) {
	body := `{"sleep":[` + strings.Repeat("7,", providers.MaxQuarantined+1) + `7]}`
	_, err := mapBodies(t, streamSleep, "", "sleep"+octoberName, body)
	var e *providers.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, codeFlooded, e.Code)
	require.ErrorIs(t, err, providers.ErrMalformed)
	levels := strings.Repeat(`7,`, maxFaults+1) + `7`
	m, err := mapBodies(t, streamSleep, "", "sleep"+octoberName, `{"sleep":[`+goodSleep+`,`+sleepWith(`"logId":2,"levels":{"data":[`+levels+`]}`)+`]}`)
	require.NoError(t, err)
	require.Equal(t, []string{"sleep/1"}, keysOf(m))
	require.Equal(t, []string{"sleep/2: " + reasonHopeless}, reasonsOf(m))
	require.False(t, errors.Is(err, providers.ErrMalformed))
}

// Names of zones that are none, or that are files, count as not told.
func TestZonesThatAreNone(t *testing.T) {
	for _, name := range []string{"", "Local", "Mars/Phobos", "GMT+25", "../../etc/passwd", "/etc/localtime", strings.Repeat("x", 100), "Europe/Ber\x00lin"} {
		text, err := json.Marshal(name)
		require.NoError(t, err)
		m, err := mapBodies(t, streamProfile, "", "profile", `{"user":{"encodedId":"A","timezone":`+string(text)+`}}`)
		require.NoError(t, err)
		require.Empty(t, m.personZone, name)
	}
	m, err := mapBodies(t, streamProfile, "", "profile", `{"user":{"encodedId":"A","timezone":"Asia/Calcutta"}}`)
	require.NoError(t, err)
	require.Equal(t, "Asia/Calcutta", m.personZone)
}

// The level and the equivalent of a minute stay with it, whatever its neighbours
// lack and wherever in the element they are.
func TestLevelsStayWithTheirMinute(t *testing.T) {
	for name, c := range map[string]struct {
		dataset      string
		mets, levels string
	}{
		"a minute without": {
			`{"level":1,"mets":12,"time":"07:00:00","value":1},{"time":"07:01:00","value":2},{"level":2,"mets":30,"time":"07:02:00","value":3}`,
			"07:00=12 07:02=30", "07:00-07:01=1 07:02-07:03=2",
		},
		"at the end of the element": {
			`{"time":"07:00:00","value":1,"level":1,"mets":12},{"value":2,"time":"07:01:00"},{"time":"07:02:00","value":3,"level":2,"mets":30}`,
			"07:00=12 07:02=30", "07:00-07:01=1 07:02-07:03=2",
		},
		"the last minute without": {
			`{"level":1,"mets":12,"time":"07:00:00","value":1},{"time":"07:01:00","value":2}`,
			"07:00=12", "07:00-07:01=1",
		},
		"one of the two": {
			`{"level":1,"time":"07:00:00","value":1},{"mets":30,"time":"07:01:00","value":2},{"level":1,"time":"07:02:00","value":3}`,
			"07:01=30", "07:00-07:01=1 07:02-07:03=1",
		},
		"a minute that is set aside": {
			`{"level":1,"mets":12,"time":"07:00:00","value":1},{"level":3,"mets":60,"time":"07:01:00","value":"x"},{"time":"07:02:00","value":3}`,
			"07:00=12", "07:00-07:01=1",
		},
	} {
		m, err := mapBodies(t, streamActivityIntraday, "", "activities-calories-intraday/2026-10-20/2026-10-20",
			`{"activities-calories-intraday":{"dataset":[`+c.dataset+`],"datasetInterval":1,"datasetType":"minute"}}`)
		require.NoError(t, err, name)
		require.Len(t, m.records, 1, name)
		clock := func(milli int64) string { return time.UnixMilli(milli).UTC().Format("15:04") }
		var mets, levels []string
		for _, series := range m.records[0].Series {
			if series.Metric != health.MetricMET {
				continue
			}
			for i, at := range series.Times {
				mets = append(mets, clock(at)+"="+strconv.FormatInt(series.Values[i], 10))
			}
		}
		for _, seg := range m.records[0].Segments {
			levels = append(levels, clock(seg.Start.SortMilli())+"-"+clock(seg.End.SortMilli())+"="+seg.Code)
		}
		require.Equal(t, c.mets, strings.Join(mets, " "), name)
		require.Equal(t, c.levels, strings.Join(levels, " "), name)
	}
}
