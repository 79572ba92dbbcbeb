package terratest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/terra/terratest"
)

func TestHeaders(t *testing.T) {
	s := newServer(t, terratest.Config{Parallel: 1})
	to, old := newReceiver(t), newReceiver(t, "its own")
	s.AddDestination(terratest.Destination{URL: to.URL})
	s.AddDestination(terratest.Destination{URL: old.URL, Secret: "its own", LegacyHeaders: true, Types: []string{"healthcheck"}})
	s.AddUser(terratest.UserConfig{Announce: true, ReferenceID: "p1"})
	s.Healthcheck()
	settle(t, s)
	require.Equal(t, []string{"auth", "healthcheck"}, to.types())
	require.Equal(t, []string{"healthcheck"}, old.types())
	h := to.deliveries()[0].header
	require.Equal(t, h.Get("Terra-Signature"), h.Get("X-Terra-Signature"))
	require.True(t, strings.HasPrefix(h.Get("Terra-Signature"), fmt.Sprintf("t=%d,v1=", start().Unix())))
	require.Equal(t, "application/json", h.Get("Content-Type"))
	for _, name := range []string{"Terra-Reference", "X-Terra-Trace-Id", "X-Terra-Ordering-Timestamp"} {
		require.NotEmpty(t, h.Get(name), name)
	}
	require.Empty(t, old.deliveries()[0].header.Get("X-Terra-Trace-Id"))
	auth := to.deliveries()[0].event
	require.Equal(t, "p1", auth["reference_id"])
	require.Equal(t, true, auth["user"].(map[string]any)["active"])
}

func TestSecretRotation(t *testing.T) {
	s := newServer(t, terratest.Config{})
	former, latter := newReceiver(t, "one"), newReceiver(t, "two")
	a := s.AddDestination(terratest.Destination{URL: former.URL, Secret: "one"})
	b := s.AddDestination(terratest.Destination{URL: latter.URL, Secret: "one"})
	s.RotateSecret(a, "two")
	s.RotateSecret(b, "two")
	s.Healthcheck()
	settle(t, s)
	require.Len(t, former.deliveries(), 1)
	require.Len(t, latter.deliveries(), 1)
	require.Equal(t, 2, strings.Count(former.deliveries()[0].header.Get("Terra-Signature"), "v1="))
	s.DropOldSecrets(a)
	s.DropOldSecrets(b)
	s.Healthcheck()
	settle(t, s)
	require.Len(t, former.deliveries(), 1, "its secret is gone")
	require.Len(t, former.bad, 1)
	require.Len(t, latter.deliveries(), 2)
}

func TestRetries(t *testing.T) {
	for _, restamp := range []bool{false, true} {
		s := newServer(t, terratest.Config{RestampRetries: restamp})
		to := newReceiver(t)
		s.AddDestination(terratest.Destination{URL: to.URL})
		to.answer(500, 302, 404)
		s.Healthcheck()
		settle(t, s)
		require.Len(t, to.deliveries(), 1)
		for i, wait := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute} {
			require.Equal(t, terratest.DeliveryPending, s.Deliveries()[0].State)
			s.Advance(wait - time.Second)
			settle(t, s)
			require.Len(t, to.deliveries(), i+1)
			s.Advance(time.Second)
			settle(t, s)
			require.Len(t, to.deliveries(), i+2)
		}
		d := s.Deliveries()[0]
		require.Equal(t, terratest.DeliveryAcknowledged, d.State)
		require.Len(t, d.Attempts, 4)
		require.Equal(t, []int{500, 302, 404, 200}, []int{d.Attempts[0].Status, d.Attempts[1].Status, d.Attempts[2].Status, d.Attempts[3].Status})
		first, last := to.deliveries()[0], to.deliveries()[3]
		for _, name := range []string{"X-Terra-Trace-Id", "X-Terra-Ordering-Timestamp", "Terra-Reference"} {
			require.Equal(t, first.header.Get(name), last.header.Get(name))
		}
		require.Equal(t, string(first.body), string(last.body))
		require.Equal(t, restamp, first.header.Get("Terra-Signature") != last.header.Get("Terra-Signature"))
		require.True(t, s.Destinations()[0].FailingSince.IsZero())
	}
}

func TestGivesUp(t *testing.T) {
	s := newServer(t, terratest.Config{RetryPlan: []time.Duration{time.Second, time.Second}})
	to := newReceiver(t, "another secret")
	s.AddDestination(terratest.Destination{URL: to.URL})
	s.Healthcheck()
	for range 4 {
		settle(t, s)
		s.Advance(time.Second)
	}
	settle(t, s)
	require.Len(t, to.bad, 3)
	require.Equal(t, 1, s.Ledger().GivenUp)
}

// A destination that nobody serves is disabled after a day, and what waits for it is dropped.
func TestDeadDestination(t *testing.T) {
	s := newServer(t, terratest.Config{})
	to := newReceiver(t)
	// No listener is ever given port 1. One that was closed may be somebody's again.
	dead := s.AddDestination(terratest.Destination{URL: "http://127.0.0.1:1"})
	s.AddDestination(terratest.Destination{URL: to.URL})
	for range 25 {
		s.Healthcheck()
		settle(t, s)
		s.Advance(time.Hour)
		settle(t, s)
	}
	require.True(t, s.Destinations()[0].Disabled)
	require.False(t, s.Destinations()[1].Disabled)
	l := s.Ledger()
	require.Positive(t, l.Dropped)
	require.Zero(t, l.Pending)
	require.Equal(t, 25, l.Acknowledged)
	n := len(s.Deliveries())
	s.Healthcheck()
	require.Len(t, s.Deliveries(), n+1, "nothing more for the disabled one")
	s.EnableDestination(dead)
	s.Healthcheck()
	require.Len(t, s.Deliveries(), n+3)
}

func TestTimeout(t *testing.T) {
	s := newServer(t, terratest.Config{})
	hang := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-hang
	}))
	s.AddDestination(terratest.Destination{URL: slow.URL, Timeout: 20 * time.Millisecond})
	s.Healthcheck()
	settle(t, s)
	require.Equal(t, "no answer in time", s.Deliveries()[0].Attempts[0].Err)
	close(hang)
	slow.Close()
}

// Held deliveries go out in any order, and as often as wanted.
func TestDeliver(t *testing.T) {
	s := newServer(t, terratest.Config{})
	to := newReceiver(t)
	s.AddDestination(terratest.Destination{URL: to.URL})
	u := s.AddUser(terratest.UserConfig{})
	s.Hold()
	day := terratest.Key{Kind: terratest.KindDaily, ID: "2026-11-15"}
	older := s.PushRecord(u.ID, day)
	s.Edit(u.ID, day)
	newer := s.Pending()[1].ID
	settle(t, s)
	require.Empty(t, to.deliveries())
	attempts := s.Deliver(t.Context(), newer, older[0], newer)
	require.Len(t, attempts, 3)
	for _, a := range attempts {
		require.True(t, a.Acknowledged)
	}
	got := to.deliveries()
	require.Len(t, got, 3)
	require.Equal(t, got[0].header.Get("X-Terra-Trace-Id"), got[2].header.Get("X-Terra-Trace-Id"))
	require.Greater(t, got[0].header.Get("X-Terra-Ordering-Timestamp"), got[1].header.Get("X-Terra-Ordering-Timestamp"))
	require.Empty(t, s.Pending())
	s.Healthcheck()
	s.Release()
	settle(t, s)
	require.Len(t, to.deliveries(), 4)
}

func TestEvents(t *testing.T) {
	s := newServer(t, terratest.Config{Parallel: 1})
	to := newReceiver(t)
	s.AddDestination(terratest.Destination{URL: to.URL})
	u := s.AddUser(terratest.UserConfig{Provider: "GARMIN", ReferenceID: "p1"})
	gone := s.AddUser(terratest.UserConfig{Provider: "OURA"})
	s.ConnectionError(u.ID, "refused")
	s.ChangePermissions(u.ID, "NEW", "HEALTH_EXPORT")
	s.RateLimitHit(u.ID, "2026-11-01", "2026-11-03", start())
	s.Processing(u.ID, time.Minute)
	s.NoDatasource(u.ID)
	s.RevokeAccess(gone.ID)
	next := s.Reauthenticate(u.ID)
	require.Equal(t, 200, ask(t, s, "DELETE", "/v2/auth/deauthenticateUser?user_id="+next.ID, "").Code)
	require.Equal(t, 404, ask(t, s, "DELETE", "/v2/auth/deauthenticateUser?user_id="+next.ID, "").Code)
	require.Equal(t, 400, ask(t, s, "DELETE", "/v2/auth/deauthenticateUser", "").Code)
	s.EmitRaw(terratest.Raw{Type: "odd", Body: []byte(`{"type":"odd"}`), TraceID: "trace", Ordering: 5, Headers: func(h http.Header) { h.Set("X-More", "1") }})
	for _, kind := range []terratest.Kind{terratest.KindHormone, terratest.KindObservation, terratest.KindPlanned, terratest.KindNutrition} {
		s.SendTest("FITBIT", kind)
	}
	settle(t, s)
	require.Equal(t, []string{
		"connection_error", "permission_change", "rate_limit_hit", "processing", "google_no_datasource", "access_revoked", "user_reauth", "auth", "deauth", "odd",
		"hormone", "health_observation", "planned_workout", "nutrition",
	}, to.types())
	got := to.deliveries()
	require.Equal(t, "ACTIVITY_EXPORT,MCT_EXPORT,NEW", got[1].event["user"].(map[string]any)["scopes"])
	reauth := got[6].event
	require.Equal(t, u.ID, reauth["old_user"].(map[string]any)["user_id"])
	require.Equal(t, false, reauth["old_user"].(map[string]any)["active"])
	require.Equal(t, next.ID, reauth["new_user"].(map[string]any)["user_id"])
	require.Equal(t, "p1", got[7].event["reference_id"])
	require.Equal(t, false, got[8].event["user"].(map[string]any)["active"])
	require.Equal(t, "trace", got[9].header.Get("X-Terra-Trace-Id"))
	require.Equal(t, "5", got[9].header.Get("X-Terra-Ordering-Timestamp"))
	require.Equal(t, "1", got[9].header.Get("X-More"))
}

func TestLargeRequest(t *testing.T) {
	for _, cfg := range []terratest.Config{{Parallel: 1}, {Parallel: 1, ShuffleChunks: true, SuffixReference: true}} {
		cfg.Days, cfg.HeartRateSamples = 60, 24
		s := newServer(t, cfg)
		to := newReceiver(t)
		s.AddDestination(terratest.Destination{URL: to.URL})
		u := s.AddUser(terratest.UserConfig{})
		query := "/daily?user_id=" + u.ID + "&with_samples=true&start_date=2026-10-01&end_date=2026-11-"
		require.Nil(t, ask(t, s, "GET", "/api/v2"+replace(query, "2026-10-01", "2026-10-14")+"11", "").Body["message"], "28 days are not large")
		settle(t, s)
		require.Equal(t, []string{"daily"}, to.types())

		accepted := ask(t, s, "GET", "/api/v2"+query+"16", "")
		require.Equal(t, "success", accepted.Body["status"])
		require.NotEmpty(t, accepted.Body["message"])
		settle(t, s)
		reference := accepted.Body["reference"].(string)
		var days []string
		traces := map[string]bool{}
		expected, chunks := 0, 0
		for i, d := range to.deliveries()[1:] {
			got, _, suffix := strings.Cut(d.header.Get("terra-reference"), ":chunk:")
			require.Equal(t, reference, got)
			require.Equal(t, i == 0, d.event["type"] == "large_request_processing")
			switch d.event["type"] {
			case "large_request_sending":
				expected = int(d.event["expected_payloads"].(float64))
			case "daily":
				require.Equal(t, cfg.SuffixReference, suffix)
				chunks++
				require.LessOrEqual(t, len(d.event["data"].([]any)), 10)
				traces[d.header.Get("X-Terra-Trace-Id")] = true
				for _, element := range d.event["data"].([]any) {
					days = append(days, element.(map[string]any)["metadata"].(map[string]any)["start_time"].(string)[:10])
				}
			}
		}
		require.Equal(t, 5, expected)
		require.Equal(t, expected, chunks)
		require.Len(t, traces, chunks)
		require.Len(t, days, 46)
		require.Equal(t, !cfg.ShuffleChunks, slices.IsSorted(days))
		slices.Sort(days)
		require.Len(t, slices.Compact(days), 46)

		legacy := ask(t, s, "GET", "/v2"+query+"16", "")
		require.Equal(t, "large_request_processing", legacy.Body["type"])
		require.Equal(t, "processing", legacy.Body["status"])
		settle(t, s)
	}
	s := newServer(t, terratest.Config{Days: 60, ChunkBytes: 8_000, HeartRateSamples: 24})
	to := newReceiver(t)
	s.AddDestination(terratest.Destination{URL: to.URL})
	u := s.AddUser(terratest.UserConfig{})
	ask(t, s, "GET", "/api/v2/daily?user_id="+u.ID+"&with_samples=true&start_date=2026-10-01&end_date=2026-11-16", "")
	settle(t, s)
	require.Len(t, to.deliveries(), 48, "each day is a chunk of its own")
}

func TestPayloadLinks(t *testing.T) {
	s := newServer(t, terratest.Config{})
	server := httptest.NewServer(s)
	defer server.Close()
	s.SetBaseURL(server.URL)
	to := newReceiver(t)
	s.AddDestination(terratest.Destination{URL: to.URL, Ping: true})
	u := s.AddUser(terratest.UserConfig{})
	s.Push(u.ID, terratest.KindDaily)
	settle(t, s)
	ping := to.deliveries()[0].event
	require.Equal(t, "s3_payload", ping["type"])
	require.EqualValues(t, 600, ping["expires_in"])
	get := func(address string) (int, string) {
		resp, err := server.Client().Get(address)
		require.NoError(t, err)
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(text)
	}
	address := ping["url"].(string)
	code, text := get(address)
	require.Equal(t, 200, code)
	require.Equal(t, string(s.Deliveries()[0].Event), text)
	code, _ = get(address + "0")
	require.Equal(t, 403, code)
	code, _ = get(server.URL + terratest.PayloadPath + "none")
	require.Equal(t, 404, code)
	s.Fault(terratest.Fault{Kind: terratest.FaultHTTP, Path: terratest.PayloadPath, Status: 503})
	code, _ = get(address)
	require.Equal(t, 503, code)
	s.Advance(10 * time.Minute)
	code, _ = get(address)
	require.Equal(t, 400, code)
	s.Push(u.ID, terratest.KindDaily)
	settle(t, s)
	s.ExpirePayloads()
	code, _ = get(to.deliveries()[1].event["url"].(string))
	require.Equal(t, 400, code)
}

// Closing ends deliveries that hang, and nothing is lost from the account.
func TestCloseWhileDelivering(t *testing.T) {
	s := terratest.New(terratest.Config{})
	arrived := make(chan struct{}, 8)
	hang := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		arrived <- struct{}{}
		<-hang
	}))
	s.AddDestination(terratest.Destination{URL: slow.URL})
	s.Healthcheck()
	<-arrived
	s.Close()
	require.Len(t, s.Pending(), 1)
	s.Healthcheck()
	require.Len(t, s.Pending(), 2)
	require.Error(t, s.Settle(t.Context()))
	close(hang)
	slow.Close()
}

func TestAdmin(t *testing.T) {
	s := newServer(t, terratest.Config{})
	to := newReceiver(t)
	admin := s.Admin()
	post := func(path, body string) response { return ask(t, admin, "POST", path, body) }
	require.Equal(t, 200, post("/destinations", `{"url":"`+to.URL+`"}`).Code)
	user := post("/users", `{"provider":"OURA","reference_id":"p1","announce":true}`)
	id := user.Body["ID"].(string)
	require.Equal(t, 200, post("/push", `{"user_id":"`+id+`","kinds":["sleep"]}`).Code)
	require.Equal(t, 200, post("/send", `{"provider":"FITBIT","kind":"nutrition"}`).Code)
	require.Equal(t, 200, post("/advance", `{"seconds":86400}`).Code)
	require.Equal(t, 200, post("/catchup", `{}`).Code)
	require.Equal(t, 200, post("/evolve", `{"user_id":"`+id+`"}`).Code)
	require.Equal(t, 200, post("/faults", `{"fault":"http","status":503}`).Code)
	require.Equal(t, 503, ask(t, s, "GET", "/v2/subscriptions", "").Code)
	for _, ev := range []string{"connection_error", "permission_change", "healthcheck", "access_revoked", "user_reauth"} {
		a := post("/event", `{"type":"`+ev+`","user_id":"`+id+`"}`)
		require.Equal(t, 200, a.Code)
		if ev == "user_reauth" {
			id = a.Body["ID"].(string)
		}
	}
	require.Equal(t, 200, post("/event", `{"type":"deauth","user_id":"`+id+`"}`).Code)
	for range 2 {
		require.Equal(t, 202, upload(t, s, "%PDF-1.7").Code)
	}
	var labs []terratest.LabReport
	require.NoError(t, json.Unmarshal([]byte(ask(t, admin, "GET", "/labs", "").Text), &labs))
	require.Equal(t, 200, post("/labs", `{"session_id":"`+labs[0].SessionID+`","results":[{}]}`).Code)
	require.Equal(t, 200, post("/labs", `{"session_id":"`+labs[1].SessionID+`","error":"file_unreadable","message":"m"}`).Code)
	for path, body := range map[string]string{
		"/users": `{"provider":"NOBODY"}`, "/push": `{"user_id":"none"}`, "/event": `{"type":"none"}`, "/send": `{"provider":"NOBODY"}`, "/advance": `x`,
		"/labs": `{"session_id":"none"}`,
	} {
		require.Equal(t, 400, post(path, body).Code, path)
	}
	settle(t, s)
	for _, want := range []string{"auth", "sleep", "nutrition", "daily", "user_reauth", "deauth", "lab_report.completed", "lab_report.failed"} {
		require.Contains(t, to.types(), want)
	}
	var list []terratest.User
	require.NoError(t, json.Unmarshal([]byte(ask(t, admin, "GET", "/users", "").Text), &list))
	require.Len(t, list, 1)
	var sent []terratest.Delivery
	require.NoError(t, json.Unmarshal([]byte(ask(t, admin, "GET", "/deliveries", "").Text), &sent))
	require.Len(t, sent, len(to.deliveries()))
}
