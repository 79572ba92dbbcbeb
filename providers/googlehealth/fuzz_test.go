package googlehealth

import (
	"bytes"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
)

// fuzz feeds the decoders of some streams: whatever comes, they do not panic,
// their records are valid and their errors of the one class, and they map the
// same to the same.
func fuzz(f *testing.F, names []string, seeds ...string) {
	for _, seed := range append(seeds,
		"", "null", "{}", `{"dataPoints":[]}`, `{"dataPoints":[{},[],null,{"weight":{}}],"nextPageToken":"x"}`, `{"error":{"code":503}}`,
		`{"rollupDataPoints":[{"civilStartTime":{"date":{"year":2026,"month":2,"day":30}}},{"startTime":"2026-11-20T00:00:00Z","steps":{"countSum":"1e9"}}]}`,
	) {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		for _, name := range names {
			st := streamNamed(name)
			page := health.RawPage{
				Stream: name, Date: answered, Zone: "Europe/Berlin", Bodies: []health.RawBody{{Name: bodyName(st), Body: body}},
			}
			run := func() *mapper {
				m := newMapper(st, page)
				err := m.page()
				if _, told := errors.AsType[*refusedError](err); told {
					return nil
				}
				if err != nil {
					err = failed("test", err)
					require.ErrorIs(t, err, providers.ErrMalformed)
					return nil
				}
				return m
			}
			m := run()
			require.Equal(t, before, body, "the body is not changed")
			if m == nil {
				continue
			}
			for i := range m.records {
				r := &m.records[i]
				require.NoError(t, r.Validate(answered))
				require.Equal(t, name, r.Stream())
				require.NotZero(t, r.Rev.Order)
			}
			again := run()
			require.Equal(t, m.records, again.records)
			require.Equal(t, m.quarantined, again.quarantined)
			require.Equal(t, m.pageDigest(), again.pageDigest())
		}
	})
}

func FuzzDecodeReadings(f *testing.F) {
	fuzz(f, []string{"weight", "blood_glucose", "daily_heart_rate_zones", "daily_sleep_temperature_derivations", "vo2_max"},
		`{"dataPoints":[`+good+`]}`, `{"dataPoints":[{"bloodGlucose":{`+at+`,"bloodGlucoseMilligramsPerDeciliter":90.5,"mealType":"LUNCH"}}]}`,
		`{"dataPoints":[{"dailyHeartRateZones":{"date":{"year":2026,"month":11,"day":20},"heartRateZones":[{"heartRateZoneType":"PEAK","minBeatsPerMinute":"1"}]}}]}`)
}

// FuzzDecodeHeights feeds the heights that come with weights.
func FuzzDecodeHeights(f *testing.F) {
	for _, seed := range []string{
		`{"dataPoints":[{"height":{` + at + `,"heightMillimeters":"1782"}},{"height":{` + at + `,"heightMillimeters":1}}]}`,
		`{"dataPoints":[{"dataPointName":"users/me/dataTypes/height/dataPoints/1","height":{` + at + `,"heightMillimeters":"0"}},7],"nextPageToken":"x"}`, `{}`, `null`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		m := newMapper(streamNamed("weight"), health.RawPage{
			Stream: "weight", Date: answered, Zone: "Europe/Berlin",
			Bodies: []health.RawBody{{Name: "weight:reconcile", Body: []byte(`{"dataPoints":[` + good + `]}`)}, {Name: "height:reconcile", Body: body}},
		})
		if err := m.page(); err != nil {
			if _, told := errors.AsType[*refusedError](err); !told {
				require.ErrorIs(t, failed("test", err), providers.ErrMalformed)
			}
			return
		}
		require.Len(t, m.records, 1)
		require.NoError(t, m.records[0].Validate(answered))
		require.Equal(t, "weight/1", m.records[0].Key)
	})
}

func FuzzDecodeSleep(f *testing.F) {
	fuzz(f, []string{"sleep"}, night(`"stages":[`+stageOf("LIGHT", "19T22:00:00", "19T23:00:00")+`],"summary":{"minutesAsleep":"4","stagesSummary":[{"type":"REM","count":"1"}]},"outOfBedSegments":[{}]`))
}

func FuzzDecodeExercise(f *testing.F) {
	fuzz(f, []string{"exercise"}, `{"dataPoints":[{"exercise":{"interval":{"startTime":"2026-11-20T07:00:00Z","endTime":"2026-11-20T08:00:00Z"},"exerciseType":"YOGA",`+
		`"metricsSummary":{"steps":"3","mobilityMetrics":{"avgGroundContactTimeDuration":"0.25s"}},"splits":[{"splitType":"MANUAL","startTime":"2026-11-20T07:00:00Z","endTime":"2026-11-20T07:10:00Z","metricsSummary":{"steps":"1"}}]}}]}`)
}

func FuzzDecodeRecordings(f *testing.F) {
	fuzz(f, []string{"electrocardiogram", "irregular_rhythm_notification", "nutrition_log", "hydration_log"},
		`{"dataPoints":[{"electrocardiogram":{"interval":{"startTime":"2026-11-20T07:00:00Z","endTime":"2026-11-20T07:00:01Z"},"samplingFrequencyHertz":250,"millivoltsScalingFactor":7,"waveformSamples":[1,-2,3]}}]}`,
		`{"dataPoints":[{"nutritionLog":{"interval":{"startTime":"2026-11-20T07:00:00Z","endTime":"2026-11-20T07:00:01Z"},"nutrients":[{"nutrient":"PROTEIN","quantity":{"grams":1e-3}}]}}]}`)
}

func FuzzDecodeDense(f *testing.F) {
	fuzz(f, []string{"heart_rate", "heart_rate_variability", "steps", "active_zone_minutes", "active_minutes", "activity_level", "time_in_heart_rate_zone"},
		`{"dataPoints":[`+beat("07:00:05", `"64"`)+`,`+beat("07:00:04", `6.4e1`)+`]}`,
		`{"dataPoints":[{"steps":{"interval":{"startTime":"2026-11-20T07:00:00Z","endTime":"2026-11-20T07:01:00Z"}}}]}`,
		`{"dataPoints":[{"activeMinutes":{"interval":{"startTime":"2026-11-20T07:00:00Z","endTime":"2026-11-20T07:01:00Z"},"activeMinutesByActivityLevel":[{"activityLevel":"LIGHT","activeMinutes":"1"}]}}]}`)
}

func FuzzDecodeRollups(f *testing.F) {
	fuzz(f, []string{"steps_daily", "active_minutes_daily", "nutrition_log_daily", "steps_hourly", "heart_rate_hourly", "time_in_heart_rate_zone_hourly"},
		`{"rollupDataPoints":[{"civilStartTime":{"date":{"year":2026,"month":11,"day":20}},"steps":{"countSum":"5"}}]}`,
		`{"rollupDataPoints":[{"startTime":"2026-11-20T07:00:00Z","heartRate":{"beatsPerMinuteAvg":61.5}}]}`)
}

func FuzzDecodeState(f *testing.F) {
	fuzz(f, []string{"settings", "profile", "identity", "devices", "irn_profile"},
		`{"name":"users/me/irnProfile","onboardingStatus":true}`,
		`{"timeZone":"Europe/Berlin","distanceUnit":"X"}`, `{"healthUserId":"1","legacyUserId":"AB"}`, `{"age":41,"membershipStartDate":{"year":2020,"month":1,"day":1}}`,
		`{"pairedDevices":[{"name":"users/me/pairedDevices/7","batteryLevel":3,"features":["A"]}]}`)
}

func FuzzRefusal(f *testing.F) {
	f.Add([]byte(`{"error":{"code":403,"message":"couldn't mint","status":"PERMISSION_DENIED","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"X"}]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r := readRefusal(body)
		require.LessOrEqual(t, len(r.code()), maxReason)
		require.LessOrEqual(t, refreshLifetime(body), 400*24*time.Hour)
	})
}

func FuzzKeyset(f *testing.F) {
	f.Add([]byte(sheetKeyset))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := readKeyset(data)
		require.Equal(t, err == nil, len(keys) > 0)
		for _, key := range keys {
			if key == nil {
				continue // not to be used
			}
			_, err := key.ECDH()
			require.NoError(t, err, "the point is on the curve")
		}
	})
}

// FuzzNotice reads the bodies of deliveries that were verified.
func FuzzNotice(f *testing.F) {
	for _, seed := range []string{
		sheetBody, `{}`, `[]`, `{"data":{"healthUserId":"1","operation":"DELETE","dataType":"sleep","intervals":[{"civilDateTimeInterval":{}}]}}`,
		`{"data":{"healthUserId":1,"operation":"UPSERT","dataType":"weight"}}`,
	} {
		f.Add([]byte(seed))
	}
	p := testProvider(f, Config{})
	f.Fuzz(func(t *testing.T, body []byte) {
		n := p.notice(answered, body)
		require.True(t, n.Event == providers.EventUnknown || n.UpstreamID != "" && len(n.Streams) > 0)
		if w := n.Window; !w.IsZero() {
			require.True(t, w.From.Before(w.To))
		}
	})
}

// FuzzDelivery reads what anybody may send to the endpoint.
func FuzzDelivery(f *testing.F) {
	f.Add(sheetSignature, []byte(sheetBody))
	f.Add("AQ==", []byte("{}"))
	p := testProvider(f, Config{Keyset: []byte(sheetKeyset)})
	f.Fuzz(func(t *testing.T, value string, body []byte) {
		r := &providers.WebhookRequest{Method: http.MethodPost, Header: http.Header{SignatureHeader: {value}}, Body: body}
		notes, err := p.ParseWebhook(answered, r)
		if string(body) == sheetBody && err == nil {
			require.Len(t, notes, 1)
			return
		}
		require.ErrorIs(t, err, providers.ErrSignature)
		p.ProbeWebhook(r)
	})
}
