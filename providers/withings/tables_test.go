package withings

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
)

// measured maps one measure and returns what it became.
func measured(t *testing.T, typ int, position string) (values []health.Value, texts []health.Text) {
	t.Helper()
	m, err := mapBody(streamMeasures, "getmeas", `{"status":0,"body":{"measuregrps":[`+
		groupWith(`"grpid":2,`+at+`,"measures":[{"value":5000,"type":`+strconv.Itoa(typ)+`,"unit":-2`+position+`}]`)+`]}}`)
	require.NoError(t, err)
	require.Len(t, m.records, 1)
	require.Empty(t, m.quarantined)
	return m.records[0].Values, m.records[0].Texts
}

func TestEveryMeasureTypeHasAMetricOfTheRightUnit(t *testing.T) {
	for typ, unit := range map[int]string{
		1: "kg", 4: "m", 5: "kg", 6: "%", 8: "kg", 9: "mm[Hg]", 10: "mm[Hg]", 11: "/min", 12: "Cel", 54: "%", 71: "Cel", 73: "Cel",
		76: "kg", 77: "kg", 88: "kg", 91: "m/s", 119: "mg/dL", 123: "mL/min/kg", 135: "ms", 136: "ms", 137: "ms", 138: "ms",
		155: "a", 158: "{score}", 159: "{score}", 167: "{score}", 168: "kg", 169: "kg", 170: "{index}", 173: "kg", 174: "kg",
		175: "kg", 196: "uS", 197: "uS", 198: "uS", 226: "kcal/d", 227: "a", 229: "uS",
	} {
		values, texts := measured(t, typ, "")
		require.Len(t, values, 1, typ)
		require.Empty(t, texts, typ)
		def, ok := health.Lookup(values[0].Metric)
		require.True(t, ok, typ)
		require.Equal(t, unit, def.Unit, "type %d is %s", typ, values[0].Metric)
		require.Equal(t, health.Decimal{Coefficient: 5000, Exponent: -2}, values[0].Number)
	}
	for _, typ := range []int{0, 2, 18, 131, 230, 100000} {
		values, texts := measured(t, typ, "")
		require.Empty(t, values, typ)
		require.Equal(t, []health.Text{{Name: "withings_meastype_" + strconv.Itoa(typ), Value: "50.00"}}, texts)
	}
	_, texts := measured(t, -7, "")
	require.Equal(t, []health.Text{{Name: "withings_meastype_minus_7", Value: "50.00"}}, texts)
}

func TestMeasureTypesThatDifferHaveDifferentNames(t *testing.T) {
	seen := map[[2]string]int{}
	for typ, kind := range measureKinds {
		if kind.metric == "" || kind.segmental || kind.second {
			continue
		}
		key := [2]string{string(kind.metric), string(kind.part)}
		require.Zero(t, seen[key], "types %d and %d", typ, seen[key])
		seen[key] = typ
	}
}

func TestEveryPositionHasAPart(t *testing.T) {
	require.Len(t, positions, 32)
	seen := map[health.Part]bool{}
	for position, part := range positions {
		require.NotEmpty(t, part)
		require.False(t, seen[part], part)
		seen[part] = true
		values, _ := measured(t, 173, `,"position":`+strconv.Itoa(position))
		require.Equal(t, part, values[0].Part)
	}
	values, _ := measured(t, 1, `,"position":7`)
	require.Empty(t, values[0].Part, "the whole body is what a weight is of")
	values, _ = measured(t, 173, `,"position":32`)
	require.Equal(t, health.Part("position_32"), values[0].Part)
	values, _ = measured(t, 173, `,"position":null`)
	require.Empty(t, values[0].Part)
}

func TestRhythmCodesAreWords(t *testing.T) {
	known := map[string]bool{}
	for _, r := range health.Rhythms() {
		known[r] = true
	}
	require.Len(t, rhythms, 14)
	for code, want := range rhythms {
		require.True(t, known[want])
		m, err := mapBody(streamMeasures, "getmeas", `{"status":0,"body":{"measuregrps":[`+groupWith(`"grpid":2,`+at+`,"measures":[{"value":`+strconv.Itoa(code)+`,"type":130,"unit":0}]`)+`]}}`)
		require.NoError(t, err)
		require.Equal(t, []health.Text{{Name: health.TextAFibResult, Value: want}, {Name: health.TextAFibCode, Value: strconv.Itoa(code)}}, m.records[0].Texts)
	}
	_, texts := measured(t, 139, "")
	require.Equal(t, []health.Text{{Name: "afib_result_ppg_code", Value: "5000"}}, texts, "an unknown code is kept")
}

func TestMethods(t *testing.T) {
	for attrib, want := range map[int64]health.Method{
		0: health.MethodSensed, 1: health.MethodAmbiguous, 2: health.MethodSelfReported, 3: health.MethodSensed, 4: health.MethodSelfReported,
		5: health.MethodSensed, 7: health.MethodSensed, 8: health.MethodSensed, 15: health.MethodSensed, 17: health.MethodSensed,
		6: health.MethodUnknown, 99: health.MethodUnknown, -1: health.MethodUnknown,
	} {
		method, _ := methodOf(attrib, true)
		require.Equal(t, want, method, attrib)
	}
	method, exact := methodOf(0, false)
	require.Equal(t, health.MethodUnknown, method)
	require.True(t, exact)
}

func TestSportsAreWords(t *testing.T) {
	known := map[health.Sport]bool{}
	for _, s := range health.Sports() {
		known[s] = true
	}
	for code, sport := range sports {
		require.True(t, known[sport], code)
	}
	// The categories of the service: four runs of numbers and single ones.
	single := []int64{128, 186, 187, 188, 191, 192, 193, 194, 195, 196, 272, 306, 307, 308, 455, 456, 457}
	count := len(single)
	for _, code := range single {
		require.Contains(t, sports, code)
	}
	for _, run := range [][2]int64{{1, 36}, {490, 532}, {534, 568}} {
		for code := run[0]; code <= run[1]; code++ {
			require.Contains(t, sports, code)
			count++
		}
	}
	require.Len(t, sports, count)
}

func TestModels(t *testing.T) {
	for id := int64(1051); id <= 1062; id++ {
		if id == 1061 { // a glucose meter, not an echo
			require.NotContains(t, echoes, id)
			continue
		}
		require.NotEmpty(t, echoes[id].upstream, id)
		require.NotEmpty(t, echoes[id].app, id)
	}
	require.Equal(t, "Body Scan", models[10])
}

func TestFieldsAreOfTheCatalogue(t *testing.T) {
	for name, fields := range map[string][]field{
		"activity": activityFields, "workouts": workoutFields, "sleep_summary": summaryFields, "intraday": intradayFields, "sleep": sleepSignals,
	} {
		require.LessOrEqual(t, len(fields), 64, name)
		names := map[string]bool{}
		for _, f := range fields {
			require.False(t, names[f.name], f.name)
			names[f.name] = true
			if f.text != "" || f.name == "night_events" {
				continue
			}
			_, ok := health.Lookup(f.metric)
			require.True(t, ok, f.name)
		}
	}
	require.LessOrEqual(t, len(intradayFields), 32, "an entry has room for so many")
	for _, name := range []string{
		"total_timeinbed", "total_sleep_time", "asleepduration", "lightsleepduration", "remsleepduration", "deepsleepduration",
		"sleep_efficiency", "sleep_latency", "wakeup_latency", "wakeupduration", "wakeupcount", "waso", "nb_rem_episodes",
		"durationtosleep", "durationtowakeup", "out_of_bed_count", "hr_average", "hr_min", "hr_max", "rr_average", "rr_min", "rr_max",
		"breathing_disturbances_intensity", "breathing_quality_assessment", "snoring", "snoringepisodecount", "sleep_score",
		"night_events", "apnea_hypopnea_index", "mvt_score_avg", "mvt_active_duration", "rmssd_start_avg", "rmssd_end_avg",
		"chest_movement_rate_average", "chest_movement_rate_min", "chest_movement_rate_max", "chest_movement_rate_wellness_average",
		"chest_movement_rate_wellness_min", "chest_movement_rate_wellness_max", "breathing_sounds", "breathing_sounds_episode_count",
		"withings_index", "core_body_temperature_min", "core_body_temperature_max", "core_body_temperature_avg",
		"core_body_temperature_status",
	} {
		require.Contains(t, summaryTable, name)
	}
}
