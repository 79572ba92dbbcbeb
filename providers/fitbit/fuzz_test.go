package fitbit

import (
	"bytes"
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
)

const (
	month1 = "/2026-10-01/2026-10-30"
	day1   = "/2026-10-01/2026-10-01"
)

// fuzz feeds a decoder: whatever comes, it does not panic, its records are valid
// and its errors of the one class, and it maps the same to the same.
func fuzz(f *testing.F, stream string, names []string, seeds ...string) {
	for _, seed := range append(seeds, "", "null", "{}", "[]", `{"errors":[]}`, `[{}]`, `{"a":NaN}`) {
		f.Add([]byte(seed))
	}
	p := testProvider(f)
	st := p.streams[stream]
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, zone := range []string{"", "Europe/Berlin"} {
			page := health.RawPage{Stream: stream, Date: testDate(), Zone: zone}
			for _, name := range names {
				page.Bodies = append(page.Bodies, health.RawBody{Name: name, Body: body})
			}
			run := func() *mapper {
				m := newMapper(page)
				m.whole = true
				if err := m.run(st); err != nil {
					err = m.failed("test", err)
					if _, ok := errors.AsType[*providers.Error](err); !ok || !errors.Is(err, providers.ErrMalformed) && !errors.Is(err, providers.ErrUnavailable) {
						t.Fatalf("the error is %v", err)
					}
					return nil
				}
				return m
			}
			before := bytes.Clone(body)
			m := run()
			require.Equal(t, before, body, "the body is not changed")
			if m == nil {
				continue
			}
			seen := map[string]bool{}
			for i := range m.records {
				r := &m.records[i]
				require.NoError(t, r.Validate(testDate()))
				require.Equal(t, stream, r.Stream())
				require.NotZero(t, r.Rev.Order)
				id := string(r.Kind) + " " + r.Key
				require.False(t, seen[id], "two of %s", id)
				seen[id] = true
			}
			require.NotZero(t, m.digest())
			again := run()
			require.Equal(t, m.records, again.records)
			require.Equal(t, m.quarantined, again.quarantined)
		}
	})
}

func FuzzDecodeSleep(f *testing.F) {
	fuzz(f, streamSleep, []string{"sleep" + month1}, `{"sleep":[`+goodSleep+`,`+sleepWith(`"logId":2,"levels":{"data":[`+lv("23:00:00", "light", 600)+
		`],"shortData":[`+lv("23:05:00", "wake", 30)+`],"summary":{"light":{"count":1,"minutes":10,"thirtyDayAvgMinutes":9}}},"type":"stages","infoCode":0,"isMainSleep":true`)+
		`],"pagination":{"next":"/x"}}`, `{"meta":{"retryDuration":3000,"state":"pending"}}`, `{"sleep":[{"logId":3,"dateOfSleep":"2026-10-02","startTime":"2026-10-02T01:00","duration":60000,"minuteData":[{"dateTime":"01:00:00","value":"3"}]}]}`)
}

func FuzzDecodeWorkouts(f *testing.F) {
	fuzz(f, streamWorkouts, []string{"activities/list" + month1}, `{"activities":[{"logId":1,"startTime":"2026-10-02T07:00:00.000+02:00","duration":60000,"activityName":"Run","activityTypeId":90009,
		"distance":1.5,"distanceUnit":"Kilometer","speed":9.5,"pace":360,"source":{"id":"a","name":"b","type":"tracker","trackerFeatures":["GPS"]},"activityLevel":[{"minutes":1,"name":"very"}],
		"activeZoneMinutes":{"totalMinutes":3,"minutesInHeartRateZones":[{"minutes":2,"type":"CARDIO"}]},"heartRateZones":[{"name":"Peak","min":1,"max":2,"minutes":3,"caloriesOut":4}],
		"manualValuesSpecified":{"calories":true},"poolLength":25,"poolLengthUnit":"Yard"}],"pagination":{"next":""}}`)
}

func FuzzDecodeRecording(f *testing.F) {
	f.Add([]byte(`<TrainingCenterDatabase><Activities><Activity Sport="Running"><Lap StartTime="2026-10-02T07:00:00Z"><TotalTimeSeconds>60.5</TotalTimeSeconds><DistanceMeters>1</DistanceMeters><Calories>3</Calories><TriggerMethod>Manual</TriggerMethod><Track><Trackpoint><Time>2026-10-02T07:00:05Z</Time><Position><LatitudeDegrees>48.1</LatitudeDegrees><LongitudeDegrees>11.5</LongitudeDegrees></Position><AltitudeMeters>5</AltitudeMeters><DistanceMeters>1</DistanceMeters><HeartRateBpm><Value>99</Value></HeartRateBpm></Trackpoint></Track></Lap></Activity></Activities></TrainingCenterDatabase>`))
	f.Add([]byte(`<TrainingCenterDatabase/>`))
	f.Add([]byte(`<!DOCTYPE x>`))
	p := testProvider(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, zone := range []string{"", "Europe/Berlin"} {
			m := newMapper(health.RawPage{Stream: streamRoutes, Date: testDate(), Zone: zone, Bodies: []health.RawBody{
				{Name: "activities/list" + month1, Body: []byte(`{"activities":[{"logId":1,"startTime":"2026-10-02T07:00:00.000+02:00","duration":60000,"tcxLink":"x"}]}`)},
				{Name: "tcx/1", Body: body},
			}})
			require.NoError(t, m.run(p.streams[streamRoutes]))
			for i := range m.records {
				require.NoError(t, m.records[i].Validate(testDate()))
			}
		}
	})
}

func FuzzDecodeHeartRate(f *testing.F) {
	fuzz(f, streamHeart, []string{"activities-heart" + month1}, `{"activities-heart":[{"dateTime":"2026-10-01","value":{"restingHeartRate":61,"heartRateZones":[{"name":"Peak","min":160,"max":220,"minutes":3,"caloriesOut":30.5}],"customHeartRateZones":[{"name":"Mine"}]}},{"dateTime":"2026-10-02","value":"64.2","heartRateZones":[]}]}`)
}

func FuzzDecodeHeartRateIntraday(f *testing.F) {
	fuzz(f, streamHeartIntraday, []string{"activities-heart-intraday" + day1}, intraday(point("00:00:00", "60"), point("00:00:07", "61.5"), `{ "value":"7", "time":"00:01" }`))
}

func FuzzDecodeDaySummary(f *testing.F) {
	fuzz(f, streamDaily, []string{"summary" + day1}, `{"activities":[],"goals":{"steps":1,"distance":8.05},"summary":{"activeScore":-1,"steps":5,"distances":[{"activity":"total","distance":8.56},{"activity":"Laufen","distance":1}],"heartRateZones":[{"name":"Peak","minutes":1}],"restingHeartRate":60,"marginalCalories":3}}`)
}

func FuzzDecodeTimeSeries(f *testing.F) {
	fuzz(f, streamActivity, []string{"activities-steps" + month1}, `{"activities-steps":[{"dateTime":"2026-10-01","value":"175"},{"dateTime":"2026-10-02","value":3}]}`)
}

func FuzzDecodeActivityIntraday(f *testing.F) {
	fuzz(f, streamActivityIntraday, []string{"activities-calories-intraday" + day1}, `{"activities-calories":[],"activities-calories-intraday":{"dataset":[{"level":0,"mets":10,"time":"00:00:00","value":1.25},{"level":3,"mets":55,"time":"00:01:00","value":2}],"datasetInterval":1,"datasetType":"minute"}}`)
}

func FuzzDecodeZoneMinutes(f *testing.F) {
	fuzz(f, streamZoneMinutes, []string{"active-zone-minutes" + month1}, `{"activities-active-zone-minutes":[{"dateTime":"2026-10-01","value":{"activeZoneMinutes":30,"fatBurnActiveZoneMinutes":10,"cardioActiveZoneMinutes":20}}]}`)
}

func FuzzDecodeZoneMinutesIntraday(f *testing.F) {
	fuzz(f, streamZoneIntraday, []string{"active-zone-minutes-intraday" + day1},
		`{"activities-active-zone-minutes-intraday":[{"dateTime":"2026-10-01","minutes":[{"minute":"2026-10-01T09:00:00","value":{"activeZoneMinutes":2,"peakActiveZoneMinutes":2}}]}]}`,
		`{"activities-active-zone-minutes-intraday":{"dataset":[{"time":"09:00:00","value":{"activeZoneMinutes":1}}],"datasetInterval":1}}`)
}

func FuzzDecodeHRV(f *testing.F) {
	fuzz(f, streamHRV, []string{"hrv" + month1}, `{"hrv":[{"dateTime":"2026-10-01","value":{"dailyRmssd":34.938,"deepRmssd":31.567}}]}`)
}

func FuzzDecodeHRVIntraday(f *testing.F) {
	fuzz(f, streamHRVIntraday, []string{"hrv/all" + month1}, `{"hrv":[{"dateTime":"2026-10-25","minutes":[{"minute":"2026-10-25T02:10:00.000","value":{"rmssd":26.6,"coverage":0.95,"hf":210.1,"lf":172.7}},{"value":{"rmssd":1},"minute":"2026-10-25T02:15:00.000"}]}]}`)
}

func FuzzDecodeSpO2(f *testing.F) {
	fuzz(f, streamSpO2, []string{"spo2" + month1}, `{"dateTime":"2026-10-01","value":{"avg":97.5,"min":94.0,"max":100.0}}`, `[{"dateTime":"2026-10-01"}]`)
}

func FuzzDecodeSpO2Intraday(f *testing.F) {
	fuzz(f, streamSpO2Intraday, []string{"spo2/all" + month1}, `[{"dateTime":"2026-10-01","minutes":[{"value":95.3,"minute":"2026-10-01T04:40:00"}]}]`)
}

func FuzzDecodeBreathing(f *testing.F) {
	fuzz(f, streamBreathing, []string{"br" + month1}, `{"br":[{"value":{"breathingRate":17.8},"dateTime":"2026-10-01"}]}`)
}

func FuzzDecodeBreathingStages(f *testing.F) {
	fuzz(f, streamBreathingStages, []string{"br/all" + month1}, `{"br":[{"dateTime":"2026-10-01","value":{"deepSleepSummary":{"breathingRate":16.8},"lightSleepSummary":{"breathingRate":-1}}}]}`)
}

func FuzzDecodeTemperatures(f *testing.F) {
	fuzz(f, streamCoreTemperature, []string{"temp/core" + month1}, `{"tempCore":[{"dateTime":"2026-10-08T14:17:00","value":37.5},{"dateTime":"2026-10-09","value":37}]}`)
}

func FuzzDecodeSkinTemperature(f *testing.F) {
	fuzz(f, streamSkinTemperature, []string{"temp/skin" + month1}, `{"tempSkin":[{"dateTime":"2026-10-08","value":{"nightlyRelative":-0.1},"logType":"dedicated_temp_sensor"}]}`)
}

func FuzzDecodeCardioFitness(f *testing.F) {
	fuzz(f, streamCardioFitness, []string{"cardioscore" + month1}, `{"cardioScore":[{"dateTime":"2026-10-08","value":{"vo2Max":"44-48"}}]}`, `{"cardioscore":[{"dateTime":"2026-10-08","value":{"vo2MaxRange":{"low":4.1e1,"high":44}}}]}`)
}

func FuzzDecodeWeight(f *testing.F) {
	fuzz(f, streamWeight, []string{"body/log/weight" + month1}, `{"weight":[{"bmi":21.48,"date":"2026-10-13","fat":14.5,"logId":1431541739000,"source":"Aria","time":"18:28:59","weight":56.7}]}`)
}

func FuzzDecodeFat(f *testing.F) {
	fuzz(f, streamFat, []string{"body/log/fat" + month1}, `{"fat":[{"date":"2026-10-13","fat":14.5,"logId":1431541739000,"source":"API","time":"18:28:59"}]}`)
}

func FuzzDecodeFood(f *testing.F) {
	fuzz(f, streamFood, []string{"foods" + day1}, `{"foods":[{"isFavorite":false,"logDate":"2026-10-01","logId":7,"loggedFood":{"amount":2,"brand":"x","calories":100,"foodId":82294,"mealTypeId":7,"name":"Soup","unit":{"id":304,"name":"serving"}},"nutritionalValues":{"calories":100,"carbs":1.5,"sodium":3}}],"goals":{"calories":2000},"summary":{"calories":100,"carbs":1.5,"water":500}}`)
}

func FuzzDecodeWater(f *testing.F) {
	fuzz(f, streamWater, []string{"water" + day1}, `{"summary":{"water":800},"water":[{"amount":500,"logId":950},{"amount":300,"logId":951}]}`)
}

func FuzzDecodeDevices(f *testing.F) {
	fuzz(f, streamDevices, []string{"devices"}, `[{"battery":"Medium","batteryLevel":60,"deviceVersion":"Charge 5","features":[],"id":"816713257","lastSyncTime":"2026-10-08T08:19:09.000","mac":"AA","type":"TRACKER"}]`)
}

func FuzzDecodeProfile(f *testing.F) {
	fuzz(f, streamProfile, []string{"profile"}, `{"user":{"encodedId":"ABC123","timezone":"Europe/Berlin","height":180.5,"weight":70,"age":40,"gender":"NA"}}`)
}

func FuzzDecodeActivityGoals(f *testing.F) {
	fuzz(f, streamActivityGoals, []string{"daily", "weekly"}, `{"goals":{"activeMinutes":30,"caloriesOut":2095,"distance":8.05,"floors":10,"steps":10000}}`)
}

func FuzzDecodeBodyGoals(f *testing.F) {
	fuzz(f, streamBodyGoals, []string{"weight", "fat"}, `{"goal":{"goalType":"LOSE","startDate":"2026-01-01","startWeight":80,"weight":75,"weightThreshold":0.05}}`, `{"goal":{"fat":18}}`)
}

func FuzzDecodeFoodGoals(f *testing.F) {
	fuzz(f, streamFoodGoals, []string{"food", "water"}, `{"goals":{"calories":2000}}`, `{"goal":{"goal":1893,"startDate":"2026-01-01"}}`)
}

func FuzzDecodeSleepGoal(f *testing.F) {
	fuzz(f, streamSleepGoal, []string{"sleep"}, `{"consistency":{"flowId":2,"x":{}},"goal":{"minDuration":480,"bedtime":"23:00","wakeupTime":"07:00","updatedOn":"2026-01-01T00:00:00.000Z"}}`)
}

func FuzzDecodeLifetime(f *testing.F) {
	fuzz(f, streamLifetime, []string{"lifetime"}, `{"best":{"total":{"steps":{"date":"2026-01-01","value":30000}}},"lifetime":{"total":{"activeScore":-1,"steps":1000000},"tracker":{"distance":900.5}}}`)
}

func FuzzDecodeECG(f *testing.F) {
	fuzz(f, streamECG, []string{"ecg" + month1}, `{"ecgReadings":[{"startTime":"2026-10-02T19:00:00.000","averageHeartRate":70,"resultClassification":"Atrial Fibrillation","waveformSamples":[130,-176,9000],"samplingFrequencyHz":"250","scalingFactor":10922,"leadNumber":1}],"pagination":{"next":""}}`)
}

func FuzzDecodeRhythmAlerts(f *testing.F) {
	fuzz(f, streamRhythmAlerts, []string{"irn" + month1}, `{"alerts":[{"alertTime":"2026-10-02T17:12:30.000","detectedTime":"2026-10-02T16:45:00.000","serviceVersion":"2.1","deviceType":"Sense","windows":[{"positive":true,"bpmData":[{"dateTime":"2026-10-02T16:00:00.000","bpm":70}]}]}]}`)
}

func FuzzDecodeRhythmProfile(f *testing.F) {
	fuzz(f, streamRhythmProfile, []string{"irn"}, `{"onboarded":true,"enrolled":true,"lastUpdated":"2026-01-01T00:00:00.000Z"}`)
}

// FuzzNotification reads what anybody may send to an address and has been
// signed: it gives an error of the one class, or notes about people and streams.
func FuzzNotification(f *testing.F) {
	for _, body := range []string{
		`[{"collectionType":"activities","date":"2026-03-08","ownerId":"ABC123","ownerType":"user","subscriptionId":"sub-1"}]`, `[{}]`, `[7,null]`,
		`[{"collectionType":"userRevokedAccess","ownerId":"ABC123","ownerType":"user"}]`, "", "null", "{}", "[", `[{"ownerId":"a","ownerId":"b"}]`,
	} {
		f.Add([]byte(body))
	}
	p := testProvider(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		notes, err := p.ParseWebhook(testDate(), &providers.WebhookRequest{
			Method: http.MethodPost, Header: http.Header{signatureHeader: {string(p.signature(body))}}, Body: body,
		})
		if err != nil {
			require.ErrorIs(t, err, providers.ErrMalformed)
			return
		}
		for _, n := range notes {
			require.LessOrEqual(t, len(n.UpstreamID), maxUserID)
			require.True(t, n.UpstreamID != "" || n.Event == providers.EventUnknown)
			for _, s := range n.Streams {
				require.Contains(t, p.streams, s)
			}
		}
	})
}

// FuzzEnvelope reads the errors of answers: only words that are known get out.
func FuzzEnvelope(f *testing.F) {
	for _, body := range []string{
		`{"errors":[{"errorType":"expired_token","fieldName":"n/a","message":"x"}],"success":false}`, `{"success":false,"errors":[{"errorType":"made up"}]}`,
		`{"error":{"code":429,"message":"x","status":"RESOURCE_EXHAUSTED"}}`, `{"error":"invalid_grant"}`, `{"errors":7}`, `{"errors":[7]}`, "", "[]",
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		told, _ := readEnvelope(body)
		require.True(t, told.errorType == "" || classOf(told.errorType) != nil)
		if e := tokenRefusal(http.StatusBadRequest, body); e != nil {
			require.Contains(t, providers.Classes(), e.Kind)
		}
	})
}

func FuzzPageTokens(f *testing.F) {
	f.Add("k3.9f3a./1/user/-/activities/list.json?offset=20")
	f.Add("1.2.")
	f.Fuzz(func(t *testing.T, token string) {
		if at, err := parsePlace(token); err == nil && token != "" {
			again, err := parsePlace(at.token())
			require.NoError(t, err)
			require.Equal(t, at, again)
		}
	})
}
