package terra

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/terra/terratest"
)

// goodDay must come through whatever is wrong beside it.
const goodDay = `{"metadata":{"start_time":"2026-07-01T00:00:00+02:00","end_time":"2026-07-02T00:00:00+02:00"},"distance_data":{"steps":7}}`

// dayWith is another day with more members.
func dayWith(members string) string {
	return `{"metadata":{"start_time":"2026-07-02T00:00:00+02:00","end_time":"2026-07-03T00:00:00+02:00"},` + members + `}`
}

// run is a workout with these members of metadata.
func workoutWith(meta string) string {
	return `{"metadata":{"type":8,"upload_type":1,` + meta + `}}`
}

const (
	workoutTime = `"start_time":"2026-07-02T09:00:00+02:00","end_time":"2026-07-02T10:00:00+02:00"`
	atNine      = `"timestamp":"2026-07-02T09:00:00+02:00"`
)

func beats(samples string) string {
	return dayWith(`"heart_rate_data":{"detailed":{"hr_samples":[` + samples + `]}}`)
}

func TestBadElements(t *testing.T) {
	deep := strings.Repeat("[", 70) + strings.Repeat("]", 70)
	for _, c := range []struct {
		name, kind, element string
		key                 string // "" if there is no record
		reasons             []string
	}{
		{"duplicate members", kindDaily, dayWith(`"scores":{"sleep":1,"sleep":2}`), "", []string{"daily/#1: " + reasonTwice}},
		{"duplicate members with the same value", kindDaily, dayWith(`"scores":null,"scores":null`), "", []string{"daily/#1: " + reasonTwice}},
		{"a duplicate contributor", kindDaily, dayWith(`"data_enrichment":{"stress_contributors":{"a":1,"a":2}}`), "", []string{"daily/#1: " + reasonTwice}},
		{"an escaped duplicate", kindDaily, dayWith(`"scores":{"sleep":1,"sle\u0065p":2}`), "", []string{"daily/#1: " + reasonTwice}},
		{"a duplicate behind samples", kindDaily, `{"heart_rate_data":{"detailed":{"hr_samples":[{` + atNine + `,"bpm":60}]}},"metadata":{},"metadata":{}}`, "", []string{"daily/#1: " + reasonTwice}},
		{"a duplicate behind odd samples", kindDaily, `{"heart_rate_data":{"detailed":{"hr_samples":[{"x":"]\"","y":[[]]}]}},"metadata":{},"metadata":{}}`, "", []string{"daily/#1: " + reasonTwice}},
		{"a duplicate in a list", kindNutrition, dayWith(`"meals":[{"name":"a","name":"b"}]`), "", []string{"nutrition/#1: " + reasonTwice}},
		{"a duplicate in a sample", kindDaily, beats(`{` + atNine + `,"bpm":60,"bpm":61}`), "daily/2026-07-02", []string{"daily/2026-07-02#heart_rate_data.detailed.hr_samples: " + reasonTwice}},
		{"a duplicate that nobody knows", kindDaily, dayWith(`"x":1,"x":2`), "daily/2026-07-02", nil},
		{"both names of one member", kindDaily, dayWith(`"active_durations_data":{"activity_levels_samples":[{"timestamp":"2026-07-02T09:00:00+02:00","activity_level":1,"level":2}]}`), "daily/2026-07-02", nil},

		{"a name in another case", kindDaily, `{"Metadata":{"start_time":"2026-07-02T00:00:00"}}`, "", []string{"daily/#1: " + reasonDay}},
		{"a look-alike name", kindDaily, `{"metadata":{"\u017ftart_time":"2026-07-02T00:00:00"}}`, "", []string{"daily/#1: " + reasonDay}},
		{"an escaped name", kindDaily, `{"metad\u0061ta":{"start_time":"2026-07-02T00:00:00"}}`, "daily/2026-07-02", nil},

		{"an id beyond float64", kindActivity, workoutWith(workoutTime + `,"summary_id":9007199254740993`), "activity/9007199254740993", nil},
		{"an id beyond int64", kindActivity, workoutWith(workoutTime + `,"summary_id":9223372036854775808`), "activity/9223372036854775808", nil},
		{"id 12", kindActivity, workoutWith(workoutTime + `,"summary_id":12`), "activity/12", nil},
		{"id as text", kindActivity, workoutWith(workoutTime + `,"summary_id":"12"`), "activity/12", nil},
		{"id 12.0", kindActivity, workoutWith(workoutTime + `,"summary_id":12.0`), "activity/12", nil},
		{"id 1.2e1", kindActivity, workoutWith(workoutTime + `,"summary_id":1.2e1`), "activity/12", nil},
		{"id null", kindActivity, workoutWith(workoutTime + `,"summary_id":null`), "activity/2026-07-02T09:00:00/2026-07-02T10:00:00", nil},
		{"id of a wrong type", kindActivity, workoutWith(workoutTime + `,"summary_id":{}`), "", []string{"activity/#1: " + reasonNoID}},
		{"id that is not UTF-8", kindActivity, workoutWith(workoutTime + `,"summary_id":"` + "a\xff" + `"`), "", []string{"activity/#1: " + reasonNoID}},
		{"id with half a surrogate", kindActivity, workoutWith(workoutTime + `,"summary_id":"a\ud800"`), "", []string{"activity/#1: " + reasonNoID}},
		{"id with NUL and a change of direction", kindActivity, workoutWith(workoutTime + `,"summary_id":"a\u0000\u202eb"`), "activity/xb1c3dc403822b68e", nil},
		{"id with slashes", kindActivity, workoutWith(workoutTime + `,"summary_id":"a/b/c"`), "activity/x" + fmt.Sprintf("%x", health.Digest([]byte("a/b/c"))), nil},
		{"no id for an observation", kindHealthObservation, `{"metadata":{` + workoutTime + `,"summary_id":null}}`, "", []string{"health_observation/#1: " + reasonNoID}},
		{"no id for a plan", kindPlannedWorkout, `{"details":{}}`, "", []string{"planned_workout/#1: " + reasonNoID}},

		{"NaN", kindDaily, dayWith(`"scores":{"sleep":NaN}`), "", []string{"daily/#1: " + reasonNotJSON}},
		{"Infinity in a sample", kindDaily, beats(`{` + atNine + `,"bpm":-Infinity}`), "", []string{"daily/#1: " + reasonNotJSON}},
		{"1e400", kindDaily, dayWith(`"scores":{"sleep":1e400,"activity":2}`), "daily/2026-07-02", []string{"daily/2026-07-02#scores.sleep: " + reasonType}},
		{"1e-400", kindDaily, dayWith(`"scores":{"sleep":1e-400}`), "daily/2026-07-02", []string{"daily/2026-07-02#scores.sleep: " + reasonType}},
		{"1e100", kindDaily, dayWith(`"scores":{"sleep":1e100}`), "daily/2026-07-02", []string{"daily/2026-07-02#sleep_score: " + reasonNumber}},
		{"1e100 to be converted", kindBody, dayWith(`"measurements_data":{"day_avg_height_cm":1e127,"day_avg_bone_mass_g":1e-128}`), "body/2026-07-02", []string{"body/2026-07-02#body_height.mean: " + reasonNumber, "body/2026-07-02#bone_mass.mean: " + reasonNumber}},
		{"minus zero is zero", kindDaily, dayWith(`"scores":{"sleep":-0}`), "daily/2026-07-02", nil},
		{"30 digits", kindDaily, dayWith(`"scores":{"sleep":123456789012345678901234567890}`), "daily/2026-07-02", []string{"daily/2026-07-02#scores.sleep: " + reasonType}},
		{"a number in quotes", kindDaily, dayWith(`"scores":{"sleep":"80"}`), "daily/2026-07-02", nil},
		{"a sample of 1e100", kindDaily, beats(`{` + atNine + `,"bpm":1e100}`), "daily/2026-07-02", []string{"daily/2026-07-02#heart_rate_data.detailed.hr_samples: " + reasonNumber}},

		{"time null", kindActivity, workoutWith(`"start_time":null,"summary_id":"a"`), "", []string{"activity/a: " + reasonTime}},
		{"time 0", kindActivity, workoutWith(`"start_time":0,"summary_id":"a"`), "", []string{"activity/a: " + reasonTime}},
		{"1970", kindActivity, workoutWith(`"start_time":"1970-01-01T00:00:00Z","summary_id":"a"`), "", []string{"activity/a: " + reasonTime}},
		{"three days ahead", kindActivity, workoutWith(`"start_time":"2026-11-24T13:00:00Z","summary_id":"a"`), "", []string{"activity/a: " + reasonTime}},
		{"a year far away", kindDaily, `{"metadata":{"start_time":"9999-01-01T00:00:00"}}`, "", []string{"daily/9999-01-01: " + reasonTime}},
		{"a day that does not exist", kindDaily, `{"metadata":{"start_time":"2026-02-30T00:00:00"}}`, "", []string{"daily/#1: " + reasonDay}},
		{"an offset of a day", kindActivity, workoutWith(`"start_time":"2026-07-02T09:00:00+24:00","summary_id":"a"`), "", []string{"activity/a: " + reasonTime}},
		{"end before start", kindActivity, workoutWith(`"start_time":"2026-07-02T09:00:00+02:00","end_time":"2026-07-02T08:00:00+02:00","summary_id":"a"`), "", []string{"activity/a: " + reasonEndFirst}},
		{"a space for T", kindActivity, workoutWith(`"start_time":"2026-07-02 09:00:00 +0200","summary_id":"a"`), "activity/a", nil},
		{"an end without offset", kindActivity, workoutWith(`"start_time":"2026-07-02T09:00:00+02:00","end_time":"2026-07-02T10:00:00","summary_id":"a"`), "activity/a", nil},
		{"one sample of 1970", kindDaily, beats(`{"timestamp":"1970-01-01T00:00:00Z","bpm":60}`), "daily/2026-07-02", []string{"daily/2026-07-02#heart_rate_data.detailed.hr_samples: " + reasonTime}},
		{"a lap of 1970", kindActivity, `{"metadata":{` + workoutTime + `,"summary_id":"a"},"lap_data":{"laps":[{"start_time":"1970-01-01T00:00:00Z","distance_meters":5}]}}`, "activity/a", []string{"activity/a#lap_data.laps.start_time: " + reasonTime}},

		{"a wrong type of an object", kindDaily, dayWith(`"scores":[1]`), "daily/2026-07-02", []string{"daily/2026-07-02#scores: " + reasonType}},
		{"a wrong type of a number", kindDaily, dayWith(`"scores":{"sleep":{"a":1},"activity":2}`), "daily/2026-07-02", []string{"daily/2026-07-02#scores.sleep: " + reasonType}},
		{"a wrong type in a list", kindNutrition, dayWith(`"meals":[{"name":"a"},7,{"name":[]}]`), "nutrition/2026-07-02", []string{"nutrition/2026-07-02#meals[1]: " + reasonType, "nutrition/2026-07-02#meals[2].name: " + reasonType}},
		{"samples that are an object", kindDaily, dayWith(`"heart_rate_data":{"detailed":{"hr_samples":{"bpm":1}}}`), "daily/2026-07-02", []string{"daily/2026-07-02#heart_rate_data.detailed.hr_samples: " + reasonType}},
		{"an unknown member", kindDaily, dayWith(`"of_tomorrow":{"a":[1,null]}`), "daily/2026-07-02", nil},
		{"unknown enums", kindDaily, `{"metadata":{"start_time":"2026-07-02T00:00:00","upload_type":77,"timestamp_localization":9},"stress_data":{"stress_rating":-1}}`, "daily/2026-07-02", nil},
		{"not an object", kindDaily, `[1,2]`, "", []string{"daily/#1: " + reasonNotObject}},
		{"null", kindDaily, `null`, "", []string{"daily/#1: " + reasonNotObject}},
		{"a text", kindDaily, `"x"`, "", []string{"daily/#1: " + reasonNotObject}},
		{"too deep", kindDaily, dayWith(`"x":` + deep), "", []string{"daily/#1: " + reasonNotJSON}},
		{"a text without end", kindActivity, workoutWith(workoutTime + `,"summary_id":"a","name":"` + strings.Repeat("x", 1<<20) + `"`), "activity/a", []string{"activity/a#title: " + reasonTooLong}},
	} {
		t.Run(c.name, func(t *testing.T) {
			good, goodKey := goodDay, c.kind+"/2026-07-01"
			switch c.kind {
			case kindActivity, kindHealthObservation:
				good, goodKey = `{"metadata":{`+workoutTime+`,"summary_id":"good"}}`, c.kind+"/good"
			case kindPlannedWorkout:
				good, goodKey = `{"planned_workout_id":"good"}`, c.kind+"/good"
			}
			records, quarantined, err := mapData(c.kind, mapUser, []byte("["+good+","+c.element+"]"), mapEnvelope)
			require.NoError(t, err)
			keys := []string{}
			for i := range records {
				require.NoError(t, records[i].Validate(mapNow))
				keys = append(keys, records[i].Key)
			}
			want := []string{goodKey}
			if c.key != "" {
				want = append(want, c.key)
			}
			require.Equal(t, want, keys, "what is good is kept")
			var reasons []string
			for _, q := range quarantined {
				reasons = append(reasons, q.Key+": "+q.Reason)
				require.NotEmpty(t, q.Raw)
			}
			require.Equal(t, c.reasons, reasons)
		})
	}
}

// What is set aside is the member, not the datum.
func TestWhatIsSetAside(t *testing.T) {
	_, quarantined, err := mapData(kindNutrition, mapUser, []byte(`[`+dayWith(`"meals":[{"name":"a"}, 7 ,{"name":[ 1 ]}],"summary":{"water_ml":true}`)+`]`), mapEnvelope)
	require.NoError(t, err)
	var raws []string
	for _, q := range quarantined {
		raws = append(raws, string(q.Raw))
	}
	require.Equal(t, []string{"7", "[ 1 ]", "true"}, raws)
}

func TestUnusualNumbersAreKeptAndFlagged(t *testing.T) {
	for _, c := range []struct{ kind, element string }{
		{kindBody, dayWith(`"measurements_data":{"day_avg_weight_kg":-5}`)}, {kindBody, dayWith(`"measurements_data":{"day_avg_weight_kg":0}`)},
		{kindBody, dayWith(`"measurements_data":{"day_avg_weight_kg":1000000}`)}, {kindDaily, dayWith(`"heart_rate_data":{"summary":{"avg_hr_bpm":0}}`)},
		{kindDaily, dayWith(`"heart_rate_data":{"summary":{"avg_hr_bpm":9999}}`)}, {kindDaily, dayWith(`"distance_data":{"steps":-1}`)},
	} {
		r := mapOnly(t, c.kind, c.element)
		require.Len(t, r.Values, 1)
		require.True(t, r.Values[0].Flags.Has(health.FlagOutOfRange), c.element)
	}
	long := mapOnly(t, kindSleep, `{"metadata":{"start_time":"2026-07-02T09:00:00","end_time":"2026-07-04T01:00:00","summary_id":"a"}}`)
	require.True(t, long.Span.Flags.Has(health.FlagImplausible), "40 hours")
	none := mapOnly(t, kindActivity, workoutWith(`"start_time":"2026-07-02T09:00:00","end_time":"2026-07-02T09:00:00","summary_id":"a"`))
	require.True(t, none.Span.Flags.Has(health.FlagImplausible), "no duration")
	leap := mapOnly(t, kindActivity, workoutWith(`"start_time":"2026-06-30T23:59:60Z","summary_id":"a"`))
	require.True(t, leap.Span.Flags.Has(health.FlagNonexistent))
	require.Equal(t, "2026-06-30T23:59:59.000Z", leap.Span.Start.String())
}

// Local times that clocks skip or show twice are kept as they are, under a key
// that does not depend on the zone.
func TestChangesOfClocks(t *testing.T) {
	for _, start := range []string{"2026-03-08T02:30:00", "2026-11-01T01:30:00"} {
		r := mapOnly(t, kindSleep, `{"metadata":{"start_time":"`+start+`","end_time":"`+start[:11]+`09:00:00"}}`)
		require.Equal(t, "sleep/"+start+"/"+start[:11]+"09:00:00", r.Key)
		require.True(t, r.Span.Start.IsFloating())
		again := mapOnly(t, kindSleep, `{"metadata":{"start_time":"`+start+`-05:00","end_time":"`+start[:11]+`09:00:00-05:00"}}`)
		require.Equal(t, r.Key, again.Key)
		require.Equal(t, health.ZoneFromRecord, again.Span.Zone)
	}
}

// TestClocksOfLondon: where the clocks show the time of UTC for half of the year,
// its offset is a true one if the datum has another one, too. No sample of the
// days and of the night on which they change is lost.
func TestClocksOfLondon(t *testing.T) {
	london, err := time.LoadLocation("Europe/London")
	require.NoError(t, err)
	const layout = "2006-01-02T15:04:05.000000-07:00"
	for day, hours := range map[string]int{"2026-03-29": 23, "2025-10-26": 25, "2026-07-01": 24} {
		start, err := time.ParseInLocation(time.DateOnly, day, london)
		require.NoError(t, err)
		end := start.AddDate(0, 0, 1)
		var samples []string
		for at := start; at.Before(end); at = at.Add(10 * time.Minute) {
			samples = append(samples, `{"timestamp":"`+at.Format(layout)+`","bpm":60}`)
		}
		require.Len(t, samples, 6*hours)
		for _, localization := range []string{"", `,"timestamp_localization":1`} {
			r := mapOnly(t, kindDaily, `{"metadata":{"start_time":"`+start.Format(layout)+`","end_time":"`+end.Format(layout)+`"`+localization+
				`,"upload_type":1},"heart_rate_data":{"detailed":{"hr_samples":[`+strings.Join(samples, ",")+`]}}}`)
			require.Len(t, r.Series, 1, day)
			require.Equal(t, 6*hours, r.Series[0].Len(), day)
			require.Equal(t, end.UnixMilli()-start.UnixMilli(), r.Span.End.SortMilli()-r.Span.Start.SortMilli(), day)
		}
	}
	night := mapOnly(t, kindSleep, `{"metadata":{"start_time":"2025-10-25T23:00:00.000000+01:00","end_time":"2025-10-26T07:00:00.000000+00:00","timestamp_localization":1,"summary_id":"n"},`+
		`"heart_rate_data":{"detailed":{"hr_samples":[{"timestamp":"2025-10-25T23:00:00+01:00","bpm":50},{"timestamp":"2025-10-26T01:30:00+01:00","bpm":51},`+
		`{"timestamp":"2025-10-26T01:20:00+00:00","bpm":52},{"timestamp":"2025-10-26T05:00:00+00:00","bpm":53}]}}}`)
	require.Equal(t, int64(9*time.Hour/time.Millisecond), night.Span.End.SortMilli()-night.Span.Start.SortMilli())
	require.Len(t, night.Series, 1)
	require.Equal(t, 4, night.Series[0].Len())
}

// TestWorkoutWhileClocksAreSetBack: by a clock without an offset a workout may
// end before it began. When it began is known, when it ended is not.
func TestWorkoutWhileClocksAreSetBack(t *testing.T) {
	element := func(start, end, localization string) string {
		return `{"metadata":{"start_time":"` + start + `","end_time":"` + end + `","summary_id":"w"` + localization + `},"calories_data":{"total_burned_calories":99}}`
	}
	for name, c := range map[string]struct{ element, start string }{
		"without an offset":       {element("2025-10-26T02:50:00", "2025-10-26T02:10:00", ""), "2025-10-26T02:50:00.000"},
		"local times said so":     {element("2025-10-26T02:50:00Z", "2025-10-26T02:10:00Z", `,"timestamp_localization":1`), "2025-10-26T02:50:00.000"},
		"a flight to the west":    {element("2025-10-26T10:00:00", "2025-10-26T05:00:00", ""), "2025-10-26T10:00:00.000"},
		"an end of the year 1990": {element("2025-10-26T02:50:00", "1990-10-26T02:10:00", ""), ""},
		"instants":                {element("2025-10-26T02:50:00Z", "2025-10-26T02:10:00Z", ""), ""},
	} {
		records, aside, err := mapData(kindActivity, mapUser, []byte("["+c.element+"]"), mapEnvelope)
		require.NoError(t, err, name)
		require.Len(t, aside, 1, name)
		require.Equal(t, reasonEndFirst, aside[0].Reason, name)
		if c.start == "" {
			require.Empty(t, records, name)
			continue
		}
		require.Equal(t, "activity/w#end_time", aside[0].Key, name)
		require.Len(t, records, 1, name)
		require.Equal(t, c.start, records[0].Span.Start.String(), name)
		require.True(t, records[0].Span.End.IsZero(), name)
		require.Equal(t, health.ZoneFloating, records[0].Span.Zone, name)
		require.NotEmpty(t, records[0].Values, name)
	}
}

// TestPatternBeginsAtMidnight: the hours of a pattern are those of the day,
// whenever what tells it begins.
func TestPatternBeginsAtMidnight(t *testing.T) {
	for start, want := range map[string]string{
		"2026-07-01T08:30:00+02:00": "2026-06-30T22:00:00Z", "2026-07-01T00:00:00-05:00": "2026-07-01T05:00:00Z",
		"2026-07-01T08:30:00": "2026-07-01T00:00:00Z", // of a clock of which nobody knows where it hangs
	} {
		r := mapOnly(t, kindBody, `{"metadata":{"start_time":"`+start+`","end_time":"2026-07-01T23:00:00`+start[19:]+`"},`+
			`"glucose_data":{"daily_patterns":[{"time_from_midnight":0,"percentile_50":90},{"time_from_midnight":23,"percentile_50":95}]}}`)
		require.Len(t, r.Series, 1)
		first, err := time.Parse(time.RFC3339, want)
		require.NoError(t, err)
		require.Equal(t, []int64{first.UnixMilli(), first.Add(23 * time.Hour).UnixMilli()}, r.Series[0].Times, start)
	}
}

// What the body did is the same in whatever order the samples came.
func TestContextsInAnyOrder(t *testing.T) {
	var samples []string
	for i, context := range []string{"1", "1", "null", "2", "2", "0", "1", "7", "1"} {
		samples = append(samples, fmt.Sprintf(`{"timestamp":"2026-07-02T09:0%d:00+02:00","bpm":6%d,"context":%s}`, i, i, context))
	}
	want := mapOnly(t, kindDaily, beats(strings.Join(samples, ",")))
	require.Len(t, want.Segments, 5)
	slices.Reverse(samples)
	require.Equal(t, want.Segments, mapOnly(t, kindDaily, beats(strings.Join(samples, ","))).Segments, "the latest first")
	seed := proof.Seed(t)
	rand.New(rand.NewPCG(seed, 0)).Shuffle(len(samples), func(i, j int) { samples[i], samples[j] = samples[j], samples[i] })
	require.Equal(t, want.Segments, mapOnly(t, kindDaily, beats(strings.Join(samples, ","))).Segments, "in disorder")
}

// Electrocardiograms of which nobody knows when in the day they were are those of
// their days, and do not replace each other.
func TestECGsOfUnknownTime(t *testing.T) {
	for _, start := range []string{`null`, `""`, `"soon"`, `"1970-01-01T00:00:00Z"`} {
		seen := map[string]bool{}
		for _, day := range []string{"2026-07-01", "2026-07-02"} {
			records, quarantined, err := mapData(kindBody, mapUser, []byte(`[{"metadata":{"start_time":"`+day+`T00:00:00+02:00","end_time":"`+day+`T23:00:00+02:00"},`+
				`"heart_data":{"ecg_signal":[{"start_timestamp":`+start+`,"avg_hr_bpm":61},{"start_timestamp":`+start+`,"avg_hr_bpm":62}]},`+
				`"measurements_data":{"measurements":[{"measurement_time":`+start+`,"weight_kg":80}]}}]`), mapEnvelope)
			require.NoError(t, err)
			require.Empty(t, quarantined)
			require.Len(t, records, 4)
			for _, r := range records {
				require.False(t, seen[r.Key], r.Key)
				seen[r.Key] = true
				require.Equal(t, day, r.Span.Day.String())
			}
		}
	}
}

// TestMealsOfUnknownTime have a time of day that only counts them, in whatever
// way it is written.
func TestMealsOfUnknownTime(t *testing.T) {
	for _, c := range []struct{ localization, timestamp string }{
		{"0", "2026-07-01T00:00:00.003000Z"}, {"0", "2026-07-01T00:00:00.003000+00:00"}, {"1", "2026-07-01T00:00:00.003000+02:00"}, {"1", "2026-07-01T00:00:00.003000"},
	} {
		records, quarantined, err := mapData(kindNutrition, mapUser, []byte(`[{"metadata":{"start_time":"2026-07-01T00:00:00Z","end_time":"2026-07-02T00:00:00Z",`+
			`"timestamp_localization":`+c.localization+`},"meals":[{"name":"x","type":1,"timestamp":"`+c.timestamp+`","quantity":{"unit":1,"amount":3}}]}]`), mapEnvelope)
		require.NoError(t, err)
		require.Empty(t, quarantined)
		require.Len(t, records, 1)
		require.Len(t, records[0].Segments, 1)
		require.True(t, records[0].Segments[0].Start.IsZero(), c.timestamp)
	}
}

func TestBadArrays(t *testing.T) {
	for data, code := range map[string]string{
		"": codeNotJSON, "null": codeShape, `"x"`: codeShape, "7": codeShape, "<html>": codeNotJSON, "\ufeff[]": codeNotJSON,
		"[" + goodDay: codeBadJSON, "[" + goodDay + goodDay + "]": codeBadJSON, "[" + goodDay + "] []": codeBadJSON, "[" + goodDay[:40]: codeBadJSON,
		"[" + goodDay + ",]": codeBadJSON, "[NaN]": codeBadJSON,
	} {
		records, quarantined, err := mapData(kindDaily, mapUser, []byte(data), mapEnvelope)
		e, ok := errors.AsType[*providers.Error](err)
		require.True(t, ok, data)
		require.ErrorIs(t, err, providers.ErrMalformed, data)
		require.Equal(t, code, e.Code, data)
		require.Empty(t, records)
		require.Empty(t, quarantined)
		require.NotContains(t, err.Error(), "steps")
	}
	_, _, err := mapData("route", mapUser, []byte(`[]`), mapEnvelope)
	require.ErrorIs(t, err, providers.ErrMalformed)
	records, quarantined, err := mapData(kindDaily, mapUser, []byte(` [ ] `), mapEnvelope)
	require.NoError(t, err)
	require.Empty(t, records)
	require.Empty(t, quarantined)
}

func TestTheSameDatumTwice(t *testing.T) {
	day := func(end, steps string) string {
		return `{"metadata":{"start_time":"2026-07-01T00:00:00+02:00","end_time":"` + end + `"},"distance_data":{"steps":` + steps + `}}`
	}
	early, late := day("2026-07-01T12:00:00+02:00", "900"), day("2026-07-01T18:00:00+02:00", "800")
	for _, list := range []string{early + "," + late, late + "," + early} {
		records, quarantined, err := mapData(kindDaily, mapUser, []byte("["+list+"]"), mapEnvelope)
		require.NoError(t, err)
		require.Len(t, records, 1)
		require.Equal(t, health.Int(800), records[0].Values[0].Number, "it reaches further")
		require.Len(t, quarantined, 1)
		require.Equal(t, reasonTwin, quarantined[0].Reason)
		require.Equal(t, early, string(quarantined[0].Raw))
	}
}

func TestManyBadSamples(t *testing.T) {
	var b strings.Builder
	for i := range 500 {
		fmt.Fprintf(&b, `{"bpm":%d},`, i)
	}
	records, quarantined, err := mapData(kindDaily, mapUser, []byte("["+beats(b.String()+`{`+atNine+`,"bpm":60}`)+"]"), mapEnvelope)
	require.NoError(t, err)
	require.Equal(t, 1, records[0].Series[0].Len())
	require.Len(t, quarantined, maxFaults+1)
	require.Equal(t, reasonTooMany, quarantined[maxFaults].Reason)
	require.Contains(t, string(quarantined[maxFaults].Raw), `{"bpm":499}`, "nothing is lost")
}

// A tombstone needs no record before it.
func TestTombstones(t *testing.T) {
	for _, c := range []struct{ kind, element, key string }{
		{kindActivity, `{"metadata":{` + workoutTime + `,"summary_id":"a","type":8,"upload_type":4},"calories_data":{"total_burned_calories":5},"cheat_detection":[]}`, "activity/a"},
		{kindDaily, `{"metadata":{"start_time":"2026-07-02T00:00:00","upload_type":4},"distance_data":{"steps":1}}`, "daily/2026-07-02"},
		{kindHealthObservation, `{"metadata":{` + workoutTime + `,"summary_id":"o"},"observation_data":{"status":3,"observation_type":"x"}}`, "health_observation/o"},
	} {
		records, quarantined, err := mapData(c.kind, mapUser, []byte("["+c.element+"]"), mapEnvelope)
		require.NoError(t, err)
		require.Empty(t, quarantined)
		require.Len(t, records, 1)
		r := records[0]
		require.Equal(t, c.key, r.Key)
		require.Equal(t, health.StateDeleted, r.State)
		require.Empty(t, r.Values)
		require.Empty(t, r.Texts)
		require.NoError(t, r.Validate(mapNow))
	}
	night := mapOnly(t, kindSleep, `{"metadata":{`+workoutTime+`,"summary_id":"s","upload_type":4}}`)
	require.Equal(t, health.StateLive, night.State, "4 is indeterminate for a night")
}

// Exact numbers of one series get one exponent; only what 63 bits cannot hold is
// rounded.
func TestExponentsOfSeries(t *testing.T) {
	for _, c := range []struct {
		numbers []string
		want    []string
	}{
		{[]string{"60", "60.5", "60.25"}, []string{"60.00", "60.50", "60.25"}},
		{[]string{"60.25", "60", "1e3"}, []string{"60.25", "60.00", "1000.00"}},
		{[]string{"0.12345678901234567", "151"}, []string{"0.1234567890123457", "151.0000000000000000"}},
		{[]string{"151", "0.12345678901234567"}, []string{"151.0000000000000000", "0.1234567890123457"}},
		{[]string{"-9223372036854775808", "0.5"}, []string{"-9223372036854775808", "0"}},
		{[]string{"0.25", "9223372036854775807"}, []string{"0", "9223372036854775807"}},
		{[]string{"0", "0.5", "0"}, []string{"0.0", "0.5", "0.0"}},
	} {
		var list []string
		for i, n := range c.numbers {
			list = append(list, fmt.Sprintf(`{"timestamp":"2026-07-02T09:%02d:00+02:00","bpm":%s}`, i, n))
		}
		r := mapOnly(t, kindDaily, beats(strings.Join(list, ",")))
		var got []string
		for i := range r.Series[0].Times {
			got = append(got, r.Series[0].Number(i).String())
		}
		require.Equal(t, c.want, got)
	}
}

func TestProducts(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		a := health.Decimal{Coefficient: rapid.Int64().Draw(rt, "a"), Exponent: int8(rapid.IntRange(-9, 3).Draw(rt, "exponent"))}
		factor := rapid.SampledFrom([]health.Decimal{sixty, hundred, foodUnits[NutritionUnitCup].factor, foodUnits[NutritionUnitOunce].factor}).Draw(rt, "factor")
		got, exact, ok := multiply(a, factor)
		require.True(rt, ok)
		want := a.Float() * factor.Float()
		require.InDelta(rt, want, got.Float(), math.Abs(want)*1e-15)
		small := a.Coefficient > -1<<20 && a.Coefficient < 1<<20
		require.True(rt, exact || !small)
	})
	for _, c := range []struct {
		a, b  health.Decimal
		want  string
		exact bool
	}{
		{health.Int(math.MaxInt64), health.Int(10), "9223372036854775807e1", true},
		{health.Int(math.MaxInt64), health.Int(11), "1014570924054025339e2", false}, // ...338 77
		{health.Int(math.MinInt64), health.Int(11), "-1014570924054025339e2", false},
		{health.Int(0), sixty, "0", true},
	} {
		got, exact, ok := multiply(c.a, c.b)
		require.True(t, ok)
		require.Equal(t, c.want, got.String())
		require.Equal(t, c.exact, exact)
	}
}

// Whatever the samples are, the walk that compares them reads what a walk
// member by member does.
func TestTheWalkComparesWell(t *testing.T) {
	times := rapid.SampledFrom([]string{
		`"2026-07-01T09:00:00.000000+02:00"`, `"2026-07-01T09:00:01.000000+02:00"`, `"2026-07-02T09:00:01.000000+02:00"`, `"2026-07-01T09:00:00"`, `"2026-07-01T09:00:60Z"`,
		`"2026-07-01T25:00:00.000000+02:00"`, `null`, `5`, `"2026-07-01T09:00:00\u005a"`, `""`,
	})
	values := rapid.SampledFrom([]string{"1", "-2", "60.50", "-0.25", "null", `"7"`, "true", "-3e2", "3E2", "123456789012345678", "1234567890123456789", "[1]"})
	rapid.Check(t, func(rt *rapid.T) {
		var b bytes.Buffer
		for i := range rapid.IntRange(0, 8).Draw(rt, "samples") {
			if i > 0 {
				b.WriteString(rapid.SampledFrom([]string{",", " , "}).Draw(rt, "comma"))
			}
			switch rapid.IntRange(0, 9).Draw(rt, "shape") {
			case 0:
				b.WriteString(rapid.SampledFrom([]string{"null", "7", `"]"`, "[1]", "{}", `{"bpm":1}`}).Draw(rt, "odd"))
			case 1:
				fmt.Fprintf(&b, `{"bpm":%s,"context":1,"timestamp":%s}`, values.Draw(rt, "value"), times.Draw(rt, "time"))
			case 2:
				fmt.Fprintf(&b, `{"timestamp":%s,"bpm":%s,"context":%s}`, times.Draw(rt, "time"), values.Draw(rt, "value"), values.Draw(rt, "context"))
			default:
				fmt.Fprintf(&b, `{"timestamp":%s,"bpm":%s}`, times.Draw(rt, "time"), values.Draw(rt, "value"))
			}
		}
		raw := []byte("[" + b.String() + "]")
		require.True(rt, json.Valid(raw))
		type seen struct {
			raw, bad string
			at       health.Moment
			numbers  [maxNumbers]Number
		}
		read := func(compare bool) (list []seen) {
			w := walk{raw: raw, names: []string{"bpm", "context"}, read: func(m health.Moment) health.Moment { return m }}
			for w.next() {
				list = append(list, seen{string(w.raw[w.from:w.to]), w.bad, w.at, w.numbers})
				if !compare {
					w.between = nil
				}
			}
			return list
		}
		want := read(false)
		require.Equal(rt, want, read(true))
		var elements []json.RawMessage
		require.NoError(rt, json.Unmarshal(raw, &elements))
		require.Len(rt, want, len(elements))
		for i := range elements {
			require.Equal(rt, string(elements[i]), want[i].raw)
		}
	})
}

// All that the simulated service sends is mapped, and nothing is set aside.
func TestSimulatedData(t *testing.T) {
	for _, provider := range []string{"DUMMY", "GARMIN", "APPLE", "OURA", "WHOOP", "POLAR", "CRONOMETER", "CLUE", "WITHINGS", "FITBIT"} {
		sim := terratest.New(terratest.Config{Seed: 7, Now: func() time.Time { return mapNow }})
		u := sim.AddUser(terratest.UserConfig{Provider: provider, Days: 5})
		user := User{UserID: u.ID, Provider: u.Provider}
		total := 0
		for _, r := range sim.Records(u.ID) {
			records, quarantined, err := mapData(string(r.Key.Kind), user, r.Body, mapEnvelope)
			require.NoError(t, err)
			require.Empty(t, quarantined, "%s %s", provider, r.Key)
			require.NotEmpty(t, records)
			for i := range records {
				require.Equal(t, provider, records[i].Source.Upstream)
			}
			total += len(records)
		}
		require.NotZero(t, total, provider)
		sim.Close()
	}
}

func FuzzMapData(f *testing.F) {
	for _, fixture := range fixtures {
		_, data := dataIn(f, read(f, fixture.file))
		f.Add(fixture.kind, data)
	}
	for _, seed := range []string{
		"", "null", "[]", "{}", "[{}]", `[{"metadata":{}}]`, "[" + goodDay + "," + goodDay + "]", `[{"metadata":{"start_time":"2026-07-01T00:00:00Z","timestamp_localization":0}}]`,
		"[" + beats(`{`+atNine+`,"bpm":1e30},{`+atNine+`,"bpm":0.1},{"timestamp":"2026-07-02T09:00:01","bpm":-1}`) + "]",
		`[{"metadata":{"start_time":"2026-07-01T00:00:00+02:00"},"distance_data":{"detailed":{"step_samples":[{"timestamp":"2026-07-01T01:00:00+02:00","steps":-9223372036854775808},{"timestamp":"2026-07-01T02:00:00+02:00","steps":9223372036854775807}]}}}]`,
	} {
		for _, kind := range []string{kindDaily, kindSleep, kindBody, "other"} {
			f.Add(kind, []byte(seed))
		}
	}
	f.Fuzz(func(t *testing.T, kind string, data []byte) {
		before := bytes.Clone(data)
		records, quarantined, err := mapData(kind, mapUser, data, mapEnvelope)
		require.Equal(t, before, data)
		if err != nil {
			_, ok := errors.AsType[*providers.Error](err)
			require.True(t, ok && errors.Is(err, providers.ErrMalformed))
			return
		}
		seen := map[string]bool{}
		for i := range records {
			r := &records[i]
			require.NoError(t, r.Validate(mapNow))
			require.Equal(t, kind, r.Stream())
			require.False(t, seen[string(r.Kind)+r.Key])
			seen[string(r.Kind)+r.Key] = true
		}
		for _, q := range quarantined {
			require.NotEmpty(t, q.Key)
			require.NotEmpty(t, q.Reason)
			require.NotEmpty(t, q.Raw)
		}
		again, asideAgain, err := mapData(kind, mapUser, data, mapEnvelope)
		require.NoError(t, err)
		require.Equal(t, records, again)
		require.Equal(t, quarantined, asideAgain)
	})
}

// TestGlucoseWithUnknownCodes: a reading is kept whatever else is said of it; what
// is not understood is set aside.
func TestGlucoseWithUnknownCodes(t *testing.T) {
	for codes, want := range map[string][]health.Metric{
		`"trend_arrow":9`:                          {health.MetricBloodGlucose},
		`"glucose_level_flag":3`:                   {health.MetricBloodGlucose},
		`"trend_arrow":5,"glucose_level_flag":3`:   {health.MetricBloodGlucose, health.MetricBloodGlucoseTrend},
		`"trend_arrow":-1,"glucose_level_flag":2`:  {health.MetricBloodGlucose, health.MetricBloodGlucoseLevel},
		`"trend_arrow":99,"glucose_level_flag":99`: {health.MetricBloodGlucose},
	} {
		sample := `{` + atNine + `,"blood_glucose_mg_per_dL":98,` + codes + `}`
		next := `{"timestamp":"2026-07-02T09:05:00+02:00","blood_glucose_mg_per_dL":99}`
		records, quarantined, err := mapData(kindBody, mapUser, []byte("["+dayWith(`"glucose_data":{"blood_glucose_samples":[`+sample+`,`+next+`]}`)+"]"), mapEnvelope)
		require.NoError(t, err)
		require.Len(t, records, 1)
		var metrics []health.Metric
		for _, s := range records[0].Series {
			metrics = append(metrics, s.Metric)
			if s.Metric == health.MetricBloodGlucose {
				require.Equal(t, []int64{98, 99}, s.Values, codes)
			}
		}
		require.ElementsMatch(t, want, metrics, codes)
		require.Len(t, quarantined, 1, "once, and not the reading after it")
		require.Equal(t, reasonCode, quarantined[0].Reason)
		require.JSONEq(t, sample, string(quarantined[0].Raw))
	}
}

// TestComponentsOfAnyLength: however long the name of a component is, whatever it
// has is kept, and the observation too.
func TestComponentsOfAnyLength(t *testing.T) {
	for n := 1; n <= 2*health.MaxName; n++ {
		r := mapOnly(t, kindHealthObservation, `{"metadata":{`+workoutTime+`,"summary_id":"o"},"observation_data":{"observation_type":"x","components":[{"code":"`+strings.Repeat("c", n)+
			`","value":{"value_type":9,"quantity":5,"unit":"u","boolean":true,"text":"t","code":"k"}}]}}`)
		require.Equal(t, health.Int(5), r.Values[0].Number)
		var texts []string
		for _, text := range r.Texts {
			texts = append(texts, text.Value)
		}
		require.Subset(t, texts, []string{"x", "u", "true", "t", "k", "9"}, n)
	}
}
