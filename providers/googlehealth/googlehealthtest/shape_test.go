package googlehealthtest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

// types are examples of the values of each data type, with the members that the
// schema requires and the types that it gives them: 64-bit integers are strings.
const types = `{
"active-energy-burned":{"interval":{"startTime":"x","startUtcOffset":"x","endTime":"x","endUtcOffset":"x"},"kcal":1},
"active-minutes":{"activeMinutesByActivityLevel":[{"activeMinutes":"1","activityLevel":"LIGHT"}],"interval":{}},
"active-zone-minutes":{"activeZoneMinutes":"1","heartRateZone":"PEAK","interval":{}},
"activity-level":{"activityLevelType":"x","interval":{}},
"basal-energy-burned":{"kcal":1,"interval":{}},
"blood-glucose":{"bloodGlucoseMilligramsPerDeciliter":1,"sampleTime":{"physicalTime":"x","utcOffset":"x"}},
"body-fat":{"percentage":1,"sampleTime":{}},
"core-body-temperature":{"temperatureCelsius":1,"sampleTime":{}},
"daily-heart-rate-variability":{"averageHeartRateVariabilityMilliseconds":1,"date":{"year":1,"month":1,"day":1},"nonRemHeartRateBeatsPerMinute":"1"},
"daily-heart-rate-zones":{"date":{},"heartRateZones":[{"heartRateZoneType":"x","minBeatsPerMinute":"1","maxBeatsPerMinute":"1"}]},
"daily-oxygen-saturation":{"averagePercentage":1,"date":{},"lowerBoundPercentage":1,"upperBoundPercentage":1},
"daily-respiratory-rate":{"breathsPerMinute":1,"date":{}},
"daily-resting-heart-rate":{"beatsPerMinute":"1","date":{},"dailyRestingHeartRateMetadata":{"calculationMethod":"x"}},
"daily-sleep-temperature-derivations":{"date":{},"nightlyTemperatureCelsius":1},
"daily-vo2-max":{"date":{},"vo2Max":1},
"electrocardiogram":{"beatsPerMinuteAvg":"1","interval":{},"leadNumber":1,"millivoltsScalingFactor":1,"resultClassification":"x","samplingFrequencyHertz":1,"waveformSamples":[1]},
"exercise":{"displayName":"x","exerciseType":"x","interval":{},"activeDuration":"1s","exerciseEvents":[{"eventTime":"x","eventUtcOffset":"x","exerciseEventType":"x"}],
	"metricsSummary":{"steps":"1","averageHeartRateBeatsPerMinute":"1","distanceMillimeters":1,"caloriesKcal":1}},
"food":{"accessLevel":"x","defaultServing":{"foodMeasurementUnit":"x"},"displayName":"x"},
"food-measurement-unit":{"displayName":"x"},
"heart-rate":{"beatsPerMinute":"1","sampleTime":{}},
"heart-rate-variability":{"rootMeanSquareOfSuccessiveDifferencesMilliseconds":1,"sampleTime":{}},
"height":{"heightMillimeters":"1","sampleTime":{}},
"hydration-log":{"amountConsumed":{"milliliters":1},"interval":{}},
"irregular-rhythm-notification":{"interval":{},"alertWindows":[{"startTime":"x","heartBeats":[{"beatsPerMinute":1,"physicalTime":"x","utcOffset":"x"}]}]},
"nutrition-log":{"interval":{},"energy":{"kcal":1},"nutrients":[{"nutrient":"x","quantity":{"grams":1}}]},
"oxygen-saturation":{"percentage":1,"sampleTime":{}},
"respiratory-rate-sleep-summary":{"fullSleepStats":{"breathsPerMinute":1},"sampleTime":{}},
"run-vo2-max":{"runVo2Max":1,"sampleTime":{}},
"sedentary-period":{"interval":{}},
"sleep":{"interval":{},"type":"STAGES","metadata":{},"stages":[{"startTime":"x","startUtcOffset":"x","endTime":"x","endUtcOffset":"x","type":"x"}],
	"summary":{"minutesInSleepPeriod":"1","minutesAsleep":"1","minutesAwake":"1","minutesToFallAsleep":"1","minutesAfterWakeUp":"1","stagesSummary":[{"type":"x","minutes":"1","count":"1"}]}},
"swim-lengths-data":{"interval":{},"strokeCount":"1","swimStrokeType":"x"},
"time-in-heart-rate-zone":{"interval":{},"heartRateZoneType":"x"},
"vo2-max":{"measurementMethod":"x","sampleTime":{},"vo2Max":1},
"weight":{"sampleTime":{},"weightGrams":1}
}`

// A client with strict types takes no point that lacks a required member, or has
// one of another type. Of steps, distance, floors and altitude a value may be left
// out: it is a zero.
func TestPointsHaveAllTheirMembers(t *testing.T) {
	b := newBench(t, Config{Days: 60, RateLimit: -1, EmptyFirstPages: -1})
	token := b.token()
	var all map[string]map[string]any
	require.NoError(t, json.Unmarshal([]byte(types), &all))
	for path, want := range all {
		status, answer := b.ask(token, http.MethodGet, "users/me/dataTypes/"+path+"/dataPoints", nil, "")
		require.Equal(t, http.StatusOK, status, path)
		points, _ := answer["dataPoints"].([]any)
		require.NotEmpty(t, points, path)
		for _, p := range points {
			value, ok := p.(map[string]any)[kindOf(path).key]
			require.True(t, ok, path)
			requireShape(t, want, value, path)
		}
	}
	for path, member := range map[string]string{"steps": "count", "distance": "millimeters", "altitude": "gainMillimeters"} {
		_, answer := b.ask(token, http.MethodGet, "users/me/dataTypes/"+path+"/dataPoints", nil, "")
		told := 0
		for _, p := range answer["dataPoints"].([]any) {
			if n, ok := p.(map[string]any)[kindOf(path).key].(map[string]any)[member]; ok {
				require.IsType(t, "", n, path)
				told++
			}
		}
		require.Positive(t, told, path)
	}
}

// requireShape requires that got has the members of want, of the same types, and
// each element of a list those of its one example.
func requireShape(t *testing.T, want, got any, at string) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		require.True(t, ok, "%s is no object", at)
		for name, inner := range want {
			member, ok := object[name]
			require.True(t, ok, "%s has no %s", at, name)
			requireShape(t, inner, member, at+" "+name)
		}
	case []any:
		list, ok := got.([]any)
		require.True(t, ok, "%s is no list", at)
		for _, element := range list {
			requireShape(t, want[0], element, at+"[]")
		}
	default:
		require.IsType(t, want, got, at)
	}
}

// Scopes that there are can be asked for, those for writing and for location
// among them; those that were replaced in May 2026 cannot.
func TestScopesThatThereAre(t *testing.T) {
	b := newBench(t, Config{})
	consentAddress := func(scopes string) string {
		return "https://accounts.example.com" + AuthorizePath + "?" + url.Values{
			"response_type": {"code"}, "client_id": {DefaultClientID}, "redirect_uri": {DefaultRedirectURL}, "scope": {scopes},
		}.Encode()
	}
	for scope, known := range map[string]bool{
		"sleep.readonly": true, "sleep.writeonly": true, "nutrition.writeonly": true, "location.readonly": true, "ecg.readonly": true,
		"sleep": false, "ecg.writeonly": false, "location.writeonly": false, "moods.readonly": false,
	} {
		_, err := b.Authorize(b.user.ID, consentAddress(scopePrefix+scope))
		require.Equal(t, known, err == nil, "%s: %v", scope, err)
	}
	_, err := b.Authorize(b.user.ID, consentAddress("openid email "+scopePrefix+"sleep.readonly"))
	require.NoError(t, err)
}
