package fitbittest_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/providers/fitbit/fitbittest"
)

// shapes are answers with every member that the service's documentation shows
// in its examples of the endpoint.
const shapes = `{
"/1/user/-/activities/date/{day}.json": {
	"activities":[],
	"goals":{"activeMinutes":30,"caloriesOut":2095,"distance":8.05,"floors":10,"steps":10000},
	"summary":{"activeScore":-1,"activityCalories":799,"calorieEstimationMu":2241,"caloriesBMR":1240,"caloriesOut":1892,"caloriesOutUnestimated":1892,
		"customHeartRateZones":[],"distances":[{"activity":"total","distance":8.56}],"elevation":48.77,"floors":16,"fairlyActiveMinutes":26,
		"heartRateZones":[{"caloriesOut":2.3,"max":94,"min":30,"minutes":2,"name":"Out of Range"}],"lightlyActiveMinutes":112,"marginalCalories":522,
		"restingHeartRate":64,"sedentaryMinutes":1260,"steps":12517,"useEstimation":true,"veryActiveMinutes":42}},
"/1/user/-/activities/list.json?afterDate={begin}&sort=asc&limit=100&offset=0": {
	"activities":[{"activeDuration":1,"activityLevel":[{"minutes":2,"name":"sedentary"}],"activityName":"Run","activityTypeId":90009,"calories":150,"duration":1440000,
		"lastModified":"x","logId":1,"logType":"tracker","originalDuration":1,"originalStartTime":"x","startTime":"x","hasGps":false,
		"source":{"id":"x","name":"x","trackerFeatures":[],"type":"tracker","url":"x"}}],
	"pagination":{"afterDate":"x","limit":100,"next":"","offset":0,"previous":"","sort":"asc"}},
"/1/user/-/activities/steps/date/{first}/{day}.json": {"activities-steps":[{"dateTime":"x","value":"175"}]},
"/1/user/-/activities/steps/date/{day}/1d/1min.json": {"activities-steps":[{"dateTime":"x","value":"1"}],
	"activities-steps-intraday":{"dataset":[{"time":"14:28:00","value":52}],"datasetInterval":1,"datasetType":"minute"}},
"/1/user/-/activities/calories/date/{day}/1d/1min.json": {"activities-calories":[{"dateTime":"x","value":"1"}],
	"activities-calories-intraday":{"dataset":[{"time":"14:28:00","value":1.5,"level":0,"mets":10}],"datasetInterval":1,"datasetType":"minute"}},
"/1/user/-/activities/active-zone-minutes/date/{first}/{day}.json": {"activities-active-zone-minutes":[{"dateTime":"x","value":{"activeZoneMinutes":1,
	"fatBurnActiveZoneMinutes":1,"cardioActiveZoneMinutes":1,"peakActiveZoneMinutes":1}}]},
"/1/user/-/activities/heart/date/{day}/1d/1sec.json": {"activities-heart":[{"dateTime":"x","value":{"customHeartRateZones":[],
	"heartRateZones":[{"name":"Out of Range","min":30,"max":94,"minutes":1200,"caloriesOut":1500.1}],"restingHeartRate":64}}],
	"activities-heart-intraday":{"dataset":[{"time":"00:01:00","value":64}],"datasetInterval":1,"datasetType":"second"}},
"/1/user/-/activities/heart/date/{day}/1d/1min/time/08:00/08:05.json": {"activities-heart":[{"dateTime":"x","value":"64.2","customHeartRateZones":[],
	"heartRateZones":[{"name":"x","min":30,"max":94,"minutes":1200,"caloriesOut":1.5}]}],"activities-heart-intraday":{"dataset":[{"time":"x","value":64}],"datasetInterval":1,"datasetType":"minute"}},
"/1/user/-/hrv/date/{day}.json": {"hrv":[{"dateTime":"x","value":{"dailyRmssd":34.938,"deepRmssd":31.567}}]},
"/1/user/-/hrv/date/{day}/all.json": {"hrv":[{"dateTime":"x","minutes":[{"minute":"x","value":{"rmssd":26.6,"coverage":0.95,"hf":210.1,"lf":172.7}}]}]},
"/1/user/-/spo2/date/{day}.json": {"dateTime":"x","value":{"avg":97.5,"min":94.1,"max":99.5}},
"/1/user/-/spo2/date/{day}/all.json": {"dateTime":"x","minutes":[{"value":95.3,"minute":"x"}]},
"/1/user/-/br/date/{day}.json": {"br":[{"value":{"breathingRate":17.8},"dateTime":"x"}]},
"/1/user/-/br/date/{day}/all.json": {"br":[{"value":{"deepSleepSummary":{"breathingRate":1.5},"remSleepSummary":{"breathingRate":1.5},
	"fullSleepSummary":{"breathingRate":1.5},"lightSleepSummary":{"breathingRate":1.5}},"dateTime":"x"}]},
"/1/user/-/temp/skin/date/{day}.json": {"tempSkin":[{"dateTime":"x","value":{"nightlyRelative":-0.1},"logType":"dedicated_temp_sensor"}]},
"/1/user/-/temp/core/date/{first}/{day}.json": {"tempCore":[{"dateTime":"x","value":37.5}]},
"/1/user/-/cardioscore/date/{day}.json": {"cardioScore":[{"dateTime":"x","value":{"vo2Max":"44-48"}}]},
"/1.2/user/-/sleep/date/{day}.json": {"sleep":[{"dateOfSleep":"x","duration":27720000,"efficiency":96,"endTime":"x","infoCode":0,"isMainSleep":true,
	"levels":{"data":[{"dateTime":"x","level":"wake","seconds":30}],"summary":{}},"logId":26013218219,"logType":"auto_detected","minutesAfterWakeup":0,
	"minutesAsleep":412,"minutesAwake":50,"minutesToFallAsleep":0,"startTime":"x","timeInBed":462,"type":"stages"}],
	"summary":{"stages":{"deep":104,"light":205,"rem":75,"wake":78},"totalMinutesAsleep":412,"totalSleepRecords":1,"totalTimeInBed":462}},
"/1/user/-/sleep/date/{day}.json": {"sleep":[{"awakeCount":0,"awakeDuration":0,"awakeningsCount":0,"dateOfSleep":"x","duration":1,"efficiency":96,"endTime":"x","isMainSleep":true,
	"logId":1,"minuteData":[{"dateTime":"23:22:00","value":"1"}],"minutesAfterWakeup":0,"minutesAsleep":1,"minutesAwake":1,"minutesToFallAsleep":0,
	"restlessCount":0,"restlessDuration":0,"startTime":"x","timeInBed":1}],"summary":{"totalMinutesAsleep":1,"totalSleepRecords":1,"totalTimeInBed":1}},
"/1.2/user/-/sleep/goal.json": {"consistency":{},"goal":{"minDuration":480,"bedtime":"x","wakeupTime":"x","updatedOn":"x"}},
"/1/user/-/body/log/weight/date/{first}/{day}.json": {"weight":[{"bmi":21.48,"date":"x","logId":1431541739000,"source":"Aria","time":"x","weight":56.7}]},
"/1/user/-/body/log/fat/date/{first}/{day}.json": {"fat":[{"date":"x","fat":14.5,"logId":1,"source":"Aria","time":"x"}]},
"/1/user/-/body/weight/date/{first}/{day}.json": {"body-weight":[{"dateTime":"x","value":"70.5"}]},
"/1/user/-/foods/log/date/{fed}.json": {"foods":[{"isFavorite":false,"logDate":"x","logId":1,"loggedFood":{"accessLevel":"PUBLIC","amount":1.5,"brand":"","calories":1,"foodId":1,
	"locale":"x","mealTypeId":7,"name":"x","unit":{"id":1,"name":"x","plural":"x"},"units":[1]},
	"nutritionalValues":{"calories":1,"carbs":1.5,"fat":1.5,"fiber":1.5,"protein":1.5,"sodium":1.5}}],
	"goals":{"calories":2200},"summary":{"calories":1,"carbs":1.5,"fat":1.5,"fiber":1.5,"protein":1.5,"sodium":1.5,"water":1.5}},
"/1/user/-/foods/log/water/date/{day}.json": {"summary":{"water":1.5},"water":[]},
"/1/user/-/devices.json": [{"battery":"Medium","batteryLevel":60,"deviceVersion":"x","features":[],"id":"816713257","lastSyncTime":"x","mac":"x","type":"TRACKER"}],
"/1/user/-/profile.json": {"user":{"encodedId":"x","timezone":"x","offsetFromUTCMillis":0,"distanceUnit":"x","weightUnit":"x","heightUnit":"x","swimUnit":"x","waterUnitName":"x",
	"glucoseUnit":"x","locale":"x","foodsLocale":"x","languageLocale":"x","age":1,"dateOfBirth":"x","gender":"x","height":1.5,"weight":1.5,"memberSince":"x",
	"strideLengthWalking":1.5,"strideLengthWalkingType":"x","strideLengthRunning":1.5,"strideLengthRunningType":"x","startDayOfWeek":"x","displayName":"x","fullName":"x","averageDailySteps":1}},
"/1/user/-/ecg/list.json?afterDate={begin}&sort=asc&limit=10&offset=0": {"ecgReadings":[{"startTime":"x","averageHeartRate":1,"resultClassification":"x","waveformSamples":[1],
	"samplingFrequencyHz":"250","scalingFactor":1,"numberOfWaveformSamples":1,"leadNumber":1,"featureVersion":"x","deviceName":"x","firmwareVersion":"x"}],"pagination":{"next":""}},
"/1/user/-/irn/alerts/list.json?afterDate={begin}&sort=asc&limit=10&offset=0": {"alerts":[{"alertTime":"x","detectedTime":"x","serviceVersion":"x","algoVersion":"x"}],"pagination":{"next":""}},
"/1/user/-/irn/profile.json": {"onboarded":true,"enrolled":true,"lastUpdated":"x"}
}`

// A client with strict types takes no answer that lacks a member, or has one of
// another type, a decimal for an integer among them.
func TestAnswersHaveAllTheirMembers(t *testing.T) {
	w := newWorld(t, fitbittest.Config{RateLimit: -1, Days: 120})
	d := json.NewDecoder(strings.NewReader(shapes))
	d.UseNumber()
	var all map[string]any
	require.NoError(t, d.Decode(&all))
	// A day on which there was everything that there is on most.
	day, fed := "", ""
	for _, x := range w.Days(w.person.ID) {
		if x.Worn && x.Date > w.person.LastDay[:8]+"05" && x.Date < w.person.LastDay {
			day = x.Date
		}
	}
	for _, f := range w.Foods(w.person.ID) {
		fed = f.Date
	}
	last, err := time.Parse(time.DateOnly, day)
	require.NoError(t, err)
	for path, want := range all {
		asked := strings.NewReplacer("{day}", day, "{fed}", fed, "{begin}", w.person.FirstDay, "{first}", last.AddDate(0, 0, -29).Format(time.DateOnly)).Replace(path)
		rec := w.get(asked)
		require.Equal(t, 200, rec.Code, asked)
		d := json.NewDecoder(rec.Body)
		d.UseNumber()
		var got any
		require.NoError(t, d.Decode(&got), asked)
		requireShape(t, want, got, asked)
	}
}

// requireShape requires that got has the members of want, of the same types, and
// each element of a list those of its one example. Lists have elements where
// their example does.
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
		if len(want) == 0 {
			return
		}
		require.NotEmpty(t, list, at)
		for _, element := range list {
			requireShape(t, want[0], element, at+"[]")
		}
	case json.Number:
		number, ok := got.(json.Number)
		require.True(t, ok, "%s is no number", at)
		if !strings.Contains(want.String(), ".") {
			require.NotContains(t, number.String(), ".", at)
		}
	default:
		require.IsType(t, want, got, at)
	}
}
