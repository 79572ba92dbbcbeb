package terratest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/terra/terratest"
)

func allKinds() []terratest.Kind {
	return append(terratest.DayKinds(), terratest.KindAthlete)
}

// The data of every kind is complete, the same in an answer and in a webhook, and the same in two worlds of one seed.
func TestDataOfEveryKind(t *testing.T) {
	s := newServer(t, terratest.Config{Days: 25})
	to := newReceiver(t)
	s.AddDestination(terratest.Destination{URL: to.URL})
	u := s.AddUser(terratest.UserConfig{Account: "a", Timezone: "Europe/Berlin"})
	twin := newServer(t, terratest.Config{Days: 25})
	v := twin.AddUser(terratest.UserConfig{Account: "a", Timezone: "Europe/Berlin"})
	for _, kind := range allKinds() {
		t.Run(string(kind), func(t *testing.T) {
			path := fmt.Sprintf("/api/v2/%s?user_id=%s&start_date=2026-11-01&end_date=2026-11-15&with_samples=True&to_webhook=", kind, u.ID)
			pulled := ask(t, s, "GET", path+"False", "")
			require.Equal(t, 200, pulled.Code, pulled.Text)
			require.Equal(t, string(kind), pulled.Body["type"])
			before := len(to.deliveries())
			accepted := ask(t, s, "GET", path+"true", "")
			require.Equal(t, 200, accepted.Code)
			require.Equal(t, accepted.Body["reference"], accepted.Body["trace_id"])
			require.Equal(t, accepted.Body["reference"], accepted.Header.Get("terra-reference"))
			settle(t, s)
			got := to.deliveries()[before:]
			require.Len(t, got, 1)
			require.Equal(t, accepted.Body["reference"], got[0].header.Get("terra-reference"))
			require.Equal(t, terratest.DataVersion, got[0].event["version"])
			if kind == terratest.KindAthlete {
				same(t, pulled.Body["athlete"], got[0].event["athlete"])
				return
			}
			require.NotEmpty(t, pulled.Body["data"])
			same(t, pulled.Body["data"], got[0].event["data"])
			for _, element := range pulled.Body["data"].([]any) {
				day := element.(map[string]any)["metadata"].(map[string]any)["start_time"].(string)[:10]
				require.GreaterOrEqual(t, day, "2026-11-01")
				require.Less(t, day, "2026-11-15", "the end is excluded")
			}
			require.Empty(t, to.bad)
		})
	}
	other := twin.Records(v.ID)
	for i, r := range s.Records(u.ID) {
		require.Equal(t, string(other[i].Body), string(r.Body), r.Key)
		if i > 60 {
			break
		}
	}
}

// Samples do not change the rest.
func TestWithoutSamples(t *testing.T) {
	s := newServer(t, terratest.Config{HeartRateSamples: 1440})
	u := s.AddUser(terratest.UserConfig{Timezone: "Europe/London"})
	get := func(kind terratest.Kind, samples bool) map[string]any {
		a := ask(t, s, "GET", fmt.Sprintf("/v2/%s?user_id=%s&start_date=2026-11-16&end_date=2026-11-20&to_webhook=false&with_samples=%v", kind, u.ID, samples), "")
		require.Equal(t, 200, a.Code)
		return a.Body
	}
	day := get(terratest.KindDaily, true)["data"].([]any)[0].(map[string]any)
	heart := day["heart_rate_data"].(map[string]any)
	require.Len(t, heart["detailed"].(map[string]any)["hr_samples"], 1440)
	for _, kind := range terratest.DayKinds() {
		with, without := get(kind, true), get(kind, false)
		same(t, strip(with), strip(without))
		require.Less(t, len(fmt.Sprint(without)), len(fmt.Sprint(with))+1, kind)
	}
}

// strip empties arrays of objects that have a time of their own.
func strip(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, member := range v {
			v[k] = strip(member)
		}
	case []any:
		if len(v) > 0 {
			if first, ok := v[0].(map[string]any); ok && first["timestamp"] != nil && first["name"] == nil && first["tag_name"] == nil && first["drink_name"] == nil {
				return []any{}
			}
		}
		for i := range v {
			v[i] = strip(v[i])
		}
	}
	return v
}

func TestGetterStrictness(t *testing.T) {
	s := newServer(t, terratest.Config{DisabledTypes: []string{"nutrition"}})
	u := s.AddUser(terratest.UserConfig{Provider: "OURA"})
	revoked := s.AddUser(terratest.UserConfig{Provider: "OURA"})
	s.RevokeAccess(revoked.ID)
	for _, test := range []struct {
		query  string
		code   int
		detail string
	}{
		{"/daily?start_date=2026-11-01&to_webhook=false", 400, "user_id is required"},
		{"/daily?user_id=none&start_date=2026-11-01&to_webhook=false", 404, "user not found"},
		{"/daily?user_id=U&to_webhook=false", 400, "invalid start_date"},
		{"/daily?user_id=U&start_date=01.11.2026&to_webhook=false", 400, "invalid start_date"},
		{"/daily?user_id=U&start_date=2026-11-31&to_webhook=false", 400, "invalid start_date"},
		{"/daily?user_id=U&start_date=176200000&to_webhook=false", 400, "invalid start_date"},
		{"/daily?user_id=U&start_date=1762000000000&to_webhook=false", 400, "invalid start_date"},
		{"/daily?user_id=U&start_date=2026-11-02&end_date=2026-11-02&to_webhook=false", 400, "invalid end_date"},
		{"/daily?user_id=U&start_date=2026-11-02&end_date=2026-11-01&to_webhook=false", 400, "invalid end_date"},
		{"/daily?user_id=U&start_date=2026-11-02&end_date=x&to_webhook=false", 400, "invalid end_date"},
		{"/daily?user_id=U&start_date=1795000000&end_date=1795000000&to_webhook=false", 400, "invalid end_date"},
		{"/daily?user_id=U&start_date=2026-11-02&to_webhook=maybe", 400, "invalid to_webhook"},
		{"/daily?user_id=U&start_date=2026-11-02&with_samples=2&to_webhook=false", 400, "invalid with_samples"},
		{"/daily?user_id=U&start_date=2026-11-02", 400, "no destinations available for this connection"},
		{"/athlete?user_id=U", 400, "no destinations available for this connection"},
		{"/nutrition?user_id=U&start_date=2026-11-02&to_webhook=false", 400, "data type is not enabled, enable on the dashboard"},
		{"/body?user_id=U&start_date=2026-11-02&to_webhook=false", 404, "this connection does not support the requested data type"},
		{"/daily?user_id=R&start_date=2026-11-02&to_webhook=false", 424, "request failed because of a provider permission problem"},
		{"/daily?user_id=U&start_date=2026-11-02&to_webhook=false", 200, ""},
		{"/daily?user_id=U&start_date=2026-11-02&to_webhook=False&with_samples=True", 200, ""},
		{"/daily?user_id=U&start_date=1795000000&to_webhook=0", 200, ""},
		{"/daily?user_id=U&start_date=1795000000&end_date=2026-11-20&to_webhook=0", 200, ""},
	} {
		query := test.query
		for from, to := range map[string]string{"user_id=U": "user_id=" + u.ID, "user_id=R": "user_id=" + revoked.ID} {
			query = replace(query, from, to)
		}
		a := ask(t, s, "GET", "/api/v2"+query, "")
		require.Equal(t, test.code, a.Code, test.query)
		if test.detail != "" {
			require.Equal(t, test.detail, a.Body["detail"], test.query)
		}
	}
	legacy := ask(t, s, "GET", "/v2/body?user_id="+u.ID+"&start_date=2026-11-02&to_webhook=false", "")
	require.Equal(t, 400, legacy.Code)
	require.Equal(t, "connection does not support requested data type", legacy.Body["message"])

	old := newServer(t, terratest.Config{NoDestinationsOK: true})
	v := old.AddUser(terratest.UserConfig{})
	inside := ask(t, old, "GET", "/api/v2/daily?user_id="+v.ID+"&start_date=2026-11-02", "")
	require.Equal(t, 200, inside.Code)
	require.Equal(t, "no destinations available for this connection", inside.Body["detail"])

	small := newServer(t, terratest.Config{MaxSyncBytes: 1000})
	w := small.AddUser(terratest.UserConfig{})
	require.Equal(t, 413, ask(t, small, "GET", "/v2/daily?user_id="+w.ID+"&start_date=2026-11-02&to_webhook=false", "").Code)
}

func replace(text, from, to string) string {
	for i := 0; i+len(from) <= len(text); i++ {
		if text[i:i+len(from)] == from {
			return text[:i] + to + text[i+len(from):]
		}
	}
	return text
}

// Seconds choose activities and nights by their start.
func TestUnixSeconds(t *testing.T) {
	s := newServer(t, terratest.Config{Days: 20, HeartRateSamples: -1})
	u := s.AddUser(terratest.UserConfig{Timezone: "America/Los_Angeles"})
	for _, kind := range []terratest.Kind{terratest.KindActivity, terratest.KindSleep} {
		for _, r := range s.Records(u.ID, kind)[:10] {
			at := r.Start.Unix()
			query := func(from, to int64) int {
				a := ask(t, s, "GET", fmt.Sprintf("/v2/%s?user_id=%s&start_date=%d&end_date=%d&to_webhook=false", kind, u.ID, from, to), "")
				require.Equal(t, 200, a.Code)
				return len(a.Body["data"].([]any))
			}
			require.Equal(t, 1, query(at, at+1))
			require.Zero(t, query(at-60, at))
			require.Zero(t, query(at+1, at+60))
		}
	}
}

func TestLimits(t *testing.T) {
	s := newServer(t, terratest.Config{Days: 2})
	u, v := s.AddUser(terratest.UserConfig{}), s.AddUser(terratest.UserConfig{})
	get := func(user terratest.User, days int) response {
		end := start().AddDate(0, 0, 1)
		return ask(t, s, "GET", fmt.Sprintf("/v2/daily?user_id=%s&start_date=%s&end_date=%s&to_webhook=false",
			user.ID, end.AddDate(0, 0, -days).Format(time.DateOnly), end.Format(time.DateOnly)), "")
	}
	refused := get(u, 1826)
	require.Equal(t, http.StatusTooManyRequests, refused.Code)
	require.Equal(t, `{"detail":"rate limit exceeded"}`, refused.Text)
	require.Equal(t, "r1", refused.Header.Get("X-Terra-RateLimit-Rule"))
	require.Empty(t, refused.Header.Get("Retry-After"))

	first := get(u, 1825)
	require.Equal(t, "6000", first.Header.Get("X-Terra-RateLimit-Limit"))
	require.Equal(t, "4175", first.Header.Get("X-Terra-RateLimit-Remaining"))
	require.Equal(t, "3600", first.Header.Get("X-Terra-RateLimit-Reset-After"))
	s.Advance(time.Minute)
	require.Equal(t, 200, get(u, 1825).Code)
	require.Equal(t, 200, get(u, 1825).Code)
	require.Equal(t, 200, get(u, 524).Code)
	require.Equal(t, "0", ask(t, s, "GET", "/v2/athlete?to_webhook=false&user_id="+u.ID, "").Header.Get("X-Terra-RateLimit-Remaining"), "the profile is one day")
	refused = get(u, 1)
	require.Equal(t, http.StatusTooManyRequests, refused.Code)
	require.Equal(t, "r2", refused.Header.Get("X-Terra-RateLimit-Rule"))
	require.Equal(t, "3540", refused.Header.Get("Retry-After"))
	require.Equal(t, 200, get(v, 1).Code, "the limit is per user")
	s.Advance(59 * time.Minute)
	require.Equal(t, 200, get(u, 1825).Code)
	require.Equal(t, http.StatusTooManyRequests, get(u, 1).Code)
}

// Providers differ in how they write the same things.
func TestHabits(t *testing.T) {
	s := newServer(t, terratest.Config{Days: 5, HeartRateSamples: -1})
	stamps := map[string]string{
		"GARMIN": `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d\d:\d\d$`, "WHOOP": `^[^.]*Z$`, "POLAR": `\.\d{6}[+-]\d{4}$`, "FATSECRET": `\.\d{6}$`, "CLUE": `\.\d{6}\+00:00$`,
	}
	for provider, pattern := range stamps {
		u := s.AddUser(terratest.UserConfig{Provider: provider, Timezone: "Asia/Kolkata"})
		for _, r := range s.Records(u.ID) {
			if r.Key.Kind == terratest.KindAthlete {
				continue
			}
			var body struct {
				Metadata struct {
					Start string `json:"start_time"`
				}
			}
			require.NoError(t, json.Unmarshal(r.Body, &body))
			require.Regexp(t, pattern, body.Metadata.Start)
			require.Equal(t, r.Day, body.Metadata.Start[:10])
		}
	}
	garmin := s.AddUser(terratest.UserConfig{Provider: "GARMIN"})
	require.Regexp(t, `"steps":\d+\.0`, string(s.Records(garmin.ID, terratest.KindDaily)[0].Body), "whole numbers as floats")
	whoop := s.AddUser(terratest.UserConfig{Provider: "WHOOP"})
	require.Contains(t, string(s.Records(whoop.ID, terratest.KindDaily)[0].Body), `"steps":null`)
	apple := s.AddUser(terratest.UserConfig{Provider: "APPLE"})
	require.Contains(t, string(s.Records(apple.ID, terratest.KindSleep)[0].Body), `"summary_id":null`)
	oura := s.AddUser(terratest.UserConfig{Provider: "OURA"})
	require.Contains(t, string(s.Records(oura.ID, terratest.KindSleep)[0].Body), `"duration_asleep_state_seconds":null`)
	clue := s.AddUser(terratest.UserConfig{Provider: "CLUE"})
	require.Regexp(t, `"current_phase":"[a-z]+"`, string(s.Records(clue.ID, terratest.KindMenstruation)[0].Body))
}

// A day grows until it is over; a night of a provider with two passes is tentative first.
func TestGrowth(t *testing.T) {
	now := start()
	s := newServer(t, terratest.Config{Now: func() time.Time { return now }, Days: 8, HeartRateSamples: -1})
	u := s.AddUser(terratest.UserConfig{Provider: "GARMIN", Timezone: "Europe/London", HoldBack: 3, Account: "grows"})
	steps := func(day string) float64 {
		a := ask(t, s, "GET", "/v2/daily?user_id="+u.ID+"&start_date="+day+"&to_webhook=false", "")
		data := a.Body["data"].([]any)
		if len(data) == 0 {
			return -1
		}
		return data[0].(map[string]any)["distance_data"].(map[string]any)["steps"].(float64)
	}
	require.Equal(t, -1.0, steps("2026-11-19"))
	part := steps("2026-11-18")
	require.Positive(t, part)
	keys := s.AdvanceDay(u.ID)
	require.Contains(t, keys, terratest.Key{Kind: terratest.KindDaily, ID: "2026-11-18"})
	require.Contains(t, keys, terratest.Key{Kind: terratest.KindDaily, ID: "2026-11-19"})
	require.NotContains(t, keys, terratest.Key{Kind: terratest.KindDaily, ID: "2026-11-17"})
	whole := steps("2026-11-18")
	require.Greater(t, whole, part)
	s.CatchUp(u.ID)
	require.Equal(t, whole, steps("2026-11-18"))
	require.Empty(t, s.CatchUp(u.ID), "the data has reached the present")
	require.Empty(t, s.AdvanceDay(u.ID))

	night := func() (string, string) {
		list := s.Records(u.ID, terratest.KindSleep)
		for _, r := range list {
			if r.Start.After(now.Add(-20 * time.Hour)) {
				var body struct {
					Metadata struct {
						End    string `json:"end_time"`
						Upload int    `json:"upload_type"`
					}
				}
				require.NoError(t, json.Unmarshal(r.Body, &body))
				return body.Metadata.End, strconv.Itoa(body.Metadata.Upload)
			}
		}
		return "", ""
	}
	_, upload := night()
	require.Equal(t, "2", upload)
	now = time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	seen := map[string]bool{}
	for range 40 {
		now = now.Add(15 * time.Minute)
		s.CatchUp(u.ID)
		if _, upload := night(); upload != "" {
			seen[upload] = true
		}
	}
	require.Equal(t, map[string]bool{"2": true, "3": true}, seen, "tentative, then automatic")
}

func TestChanges(t *testing.T) {
	s := newServer(t, terratest.Config{Parallel: 1})
	to := newReceiver(t)
	s.AddDestination(terratest.Destination{URL: to.URL})
	u := s.AddUser(terratest.UserConfig{Timezone: "Europe/Berlin"})
	day := terratest.Key{Kind: terratest.KindDaily, ID: "2026-11-15"}
	last := func() map[string]any {
		settle(t, s)
		got := to.deliveries()
		return got[len(got)-1].event["data"].([]any)[0].(map[string]any)
	}
	s.PushRecord(u.ID, day)
	before := last()
	s.Edit(u.ID, day)
	after := last()
	steps := func(v map[string]any) float64 { return v["distance_data"].(map[string]any)["steps"].(float64) }
	require.Greater(t, steps(after), steps(before))
	require.NotNil(t, after["data_enrichment"].(map[string]any)["total_stress_score"])
	s.ClearEnrichment(u.ID, day)
	for name, score := range last()["data_enrichment"].(map[string]any) {
		require.Nil(t, score, name)
	}

	activity := s.Records(u.ID, terratest.KindActivity)[3]
	s.DeleteActivity(u.ID, activity.Key.ID)
	require.EqualValues(t, 4, last()["metadata"].(map[string]any)["upload_type"])
	for _, r := range s.Records(u.ID, terratest.KindActivity) {
		require.NotEqual(t, activity.Key, r.Key)
	}
	n := len(s.Records(u.ID, terratest.KindActivity))
	key := s.AddLate(u.ID)
	require.Equal(t, key.ID, last()["metadata"].(map[string]any)["summary_id"])
	require.Len(t, s.Records(u.ID, terratest.KindActivity), n+1)

	sent := len(to.deliveries())
	ev := s.Evolve(u.ID)
	settle(t, s)
	require.Empty(t, ev.Grown)
	require.Len(t, ev.Edited, 3)
	require.Len(t, to.deliveries(), sent+len(ev.Edited)+len(ev.Cleared)+len(ev.Deleted)+len(ev.Late))
	ordering := int64(0)
	for _, d := range to.deliveries() {
		v, err := strconv.ParseInt(d.header.Get("X-Terra-Ordering-Timestamp"), 10, 64)
		require.NoError(t, err)
		require.Greater(t, v, ordering)
		ordering = v
	}
}

// Members of the model are all there, also when they have no value, and samples are named as the model names them.
func TestModelIsComplete(t *testing.T) {
	s := newServer(t, terratest.Config{Days: 9, HeartRateSamples: 24})
	u := s.AddUser(terratest.UserConfig{})
	seen := map[string]bool{}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, member := range v {
				if member != nil {
					seen[k] = true
				}
				walk(member)
			}
		case []any:
			for _, member := range v {
				walk(member)
			}
		}
	}
	members := map[terratest.Kind]int{
		terratest.KindActivity: 19, terratest.KindDaily: 13, terratest.KindSleep: 9, terratest.KindBody: 10, terratest.KindNutrition: 4, terratest.KindMenstruation: 2, terratest.KindAthlete: 13,
	}
	for _, r := range s.Records(u.ID) {
		var body map[string]any
		require.NoError(t, json.Unmarshal(r.Body, &body))
		require.Len(t, body, members[r.Key.Kind], r.Key)
		walk(body)
	}
	for _, member := range []string{
		"hr_samples", "hrv_rmssd", "hrv_sdnn", "coords_lat_lng_deg", "body_battery_samples", "hypnogram_samples", "raw_signal", "rr_interval_ms", "ketone_mg_per_dL",
		"detailed_blood_glucose_samples", "percentile_95", "vitamin_B12_mg", "drink_unit", "menstruation_flow", "fertility_window_start", "TSS_samples", "stroke_type",
		"strain_traffic_light", "immune_contributors", "stress_contributors", "num_laps", "lean_mass_g", "afib_classification", "snoring_data", "delta", "date_of_birth",
	} {
		require.True(t, seen[member], member)
	}
}

// Everything may happen at the same time.
func TestConcurrentUse(t *testing.T) {
	s := newServer(t, terratest.Config{Days: 3, HeartRateSamples: -1, Providers: []string{"DUMMY"}})
	to := newReceiver(t)
	s.AddDestination(terratest.Destination{URL: to.URL})
	u := s.AddUser(terratest.UserConfig{HoldBack: 1})
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 5 {
				ask(t, s, "GET", "/v2/daily?user_id="+u.ID+"&start_date=2026-11-19", "")
				s.Push(u.ID, terratest.KindSleep)
				s.Evolve(u.ID)
				s.Advance(time.Second)
				s.Records(u.ID, terratest.KindActivity)
				s.Ledger()
			}
		})
	}
	group.Wait()
	settle(t, s)
	l := s.Ledger()
	require.Len(t, to.deliveries(), l.Acknowledged)
	require.Equal(t, len(l.Deliveries), l.Acknowledged)
	require.Empty(t, to.bad)
}
