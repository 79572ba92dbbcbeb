package fitbittest_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/oauth2"

	"github.com/vitalmux/vitalmux/providers/fitbit/fitbittest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is the time of a test's world.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 10, 21, 15, 4, 5, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// world is a service with a clock and one person who is logged in.
type world struct {
	*fitbittest.Server
	clock  *clock
	person fitbittest.Person
	token  fitbittest.Token
}

func newWorld(t *testing.T, cfg fitbittest.Config) *world {
	t.Helper()
	w := &world{clock: newClock()}
	cfg.Now = w.clock.Now
	if cfg.Seed == 0 {
		cfg.Seed = 7
	}
	w.Server = fitbittest.New(cfg)
	w.person = w.AddPerson(fitbittest.PersonConfig{ID: "ABC123", Timezone: "America/New_York"})
	w.token = w.Login(w.person.ID)
	return w
}

// send makes one request.
func (w *world) send(method, path, authorization, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, r)
	return rec
}

func (w *world) get(path string, header ...string) *httptest.ResponseRecorder {
	return w.send(http.MethodGet, path, "Bearer "+w.token.AccessToken, "", header...)
}

// object decodes an answer that must be one.
func object(t *testing.T, rec *httptest.ResponseRecorder) map[string]any {
	t.Helper()
	require.Equal(t, http.StatusOK, rec.Code, rec.Body.String())
	d := json.NewDecoder(rec.Body)
	d.UseNumber()
	var v map[string]any
	require.NoError(t, d.Decode(&v))
	return v
}

// errorType decodes the error of an answer.
func errorType(t *testing.T, rec *httptest.ResponseRecorder) string {
	t.Helper()
	var v struct {
		Errors []struct {
			ErrorType string `json:"errorType"`
		} `json:"errors"`
		Success *bool `json:"success"`
	}
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &v), rec.Body.String())
	require.Len(t, v.Errors, 1)
	require.NotNil(t, v.Success)
	return v.Errors[0].ErrorType
}

func basic(padded bool) string {
	text := base64.StdEncoding.EncodeToString([]byte(fitbittest.DefaultClientID + ":" + fitbittest.DefaultClientSecret))
	if !padded {
		text = strings.TrimRight(text, "=")
	}
	return "Basic " + text
}

// A client of somebody else, golang.org/x/oauth2, connects and refreshes.
func TestInteroperatesWithOAuth2(t *testing.T) {
	w := newWorld(t, fitbittest.Config{RequirePKCE: true})
	server := httptest.NewServer(w)
	defer server.Close()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	ctx := context.WithValue(t.Context(), oauth2.HTTPClient, client)
	cfg := oauth2.Config{
		ClientID: fitbittest.DefaultClientID, ClientSecret: fitbittest.DefaultClientSecret, RedirectURL: fitbittest.DefaultRedirectURL,
		Scopes: []string{"activity", "sleep"},
		Endpoint: oauth2.Endpoint{
			AuthURL: server.URL + fitbittest.AuthorizePath, TokenURL: server.URL + fitbittest.TokenPath, AuthStyle: oauth2.AuthStyleInHeader,
		},
	}
	verifier := oauth2.GenerateVerifier()
	back, err := w.Authorize(w.person.ID, cfg.AuthCodeURL("st4te", oauth2.S256ChallengeOption(verifier)))
	require.NoError(t, err)
	require.Equal(t, "st4te", back.Query().Get("state"))
	require.Equal(t, "_=_", back.Fragment)
	token, err := cfg.Exchange(ctx, back.Query().Get("code"), oauth2.VerifierOption(verifier))
	require.NoError(t, err)
	require.Equal(t, w.person.ID, token.Extra("user_id"))
	require.Equal(t, "activity sleep", token.Extra("scope"))
	_, err = cfg.Exchange(ctx, back.Query().Get("code"), oauth2.VerifierOption(verifier))
	require.Error(t, err, "single use")
	w.clock.Add(9 * time.Hour)
	token.Expiry = time.Now().Add(-time.Minute)
	next, err := cfg.TokenSource(ctx, token).Token()
	require.NoError(t, err)
	require.NotEqual(t, token.RefreshToken, next.RefreshToken)
	_, err = cfg.TokenSource(ctx, token).Token()
	require.Error(t, err, "the old one is dead")
	ledger := w.Ledger()
	require.Equal(t, 2, ledger.Codes[0].Presented)
	require.Equal(t, 1, ledger.Codes[0].Accepted)
	for _, p := range ledger.Refresh {
		require.LessOrEqual(t, p.Accepted, 1)
	}
}

func TestConsentPage(t *testing.T) {
	w := newWorld(t, fitbittest.Config{})
	q := url.Values{"response_type": {"code"}, "client_id": {fitbittest.DefaultClientID}, "redirect_uri": {fitbittest.DefaultRedirectURL}, "scope": {"sleep weight"}, "state": {"s"}}
	page := w.send(http.MethodGet, fitbittest.AuthorizePath+"?"+q.Encode(), "", "")
	require.Equal(t, http.StatusOK, page.Code)
	require.Contains(t, page.Body.String(), "ABC123")
	denied := w.send(http.MethodPost, fitbittest.AuthorizePath+"?"+q.Encode(), "", "accept=0")
	require.Contains(t, denied.Header().Get("Location"), "error=access_denied")
	granted := w.send(http.MethodPost, fitbittest.AuthorizePath+"?"+q.Encode(), "", "accept=1&person=ABC123&grant=sleep")
	to, err := url.Parse(granted.Header().Get("Location"))
	require.NoError(t, err)
	rec := w.send(http.MethodPost, fitbittest.TokenPath, basic(true), "grant_type=authorization_code&redirect_uri="+url.QueryEscape(fitbittest.DefaultRedirectURL)+"&code="+to.Query().Get("code"))
	require.Equal(t, "sleep", object(t, rec)["scope"])
	for name, value := range map[string]string{
		"response_type": "token", "client_id": "x", "redirect_uri": "https://evil.example.com", "scope": "everything", "prompt": "always", "code_challenge": "",
	} {
		bad := url.Values{}
		for k, v := range q {
			bad[k] = v
		}
		bad.Set(name, value)
		if name == "code_challenge" {
			bad.Set(name, "x")
			bad.Set("code_challenge_method", "plain")
		}
		require.Equal(t, http.StatusBadRequest, w.send(http.MethodGet, fitbittest.AuthorizePath+"?"+bad.Encode(), "", "").Code, name)
	}
}

// What clients do in the wild is taken; what the service refuses is refused.
func TestTokenRequests(t *testing.T) {
	w := newWorld(t, fitbittest.Config{})
	refresh := func(authorization, path, body string) *httptest.ResponseRecorder {
		return w.send(http.MethodPost, path, authorization, body)
	}
	use := func() string { return w.Login(w.person.ID).RefreshToken }
	for name, rec := range map[string]*httptest.ResponseRecorder{
		"without padding":          refresh(basic(false), fitbittest.TokenPath, "grant_type=refresh_token&refresh_token="+use()),
		"repeated in the body":     refresh(basic(true), fitbittest.TokenPath, "grant_type=refresh_token&client_id="+fitbittest.DefaultClientID+"&client_secret="+fitbittest.DefaultClientSecret+"&refresh_token="+use()),
		"parameters in the query":  refresh(basic(true), fitbittest.TokenPath+"?grant_type=refresh_token&refresh_token="+use(), ""),
		"expires_in as documented": refresh(basic(true), fitbittest.TokenPath, "grant_type=refresh_token&expires_in=28800&refresh_token="+use()),
	} {
		v := object(t, rec)
		require.Equal(t, json.Number("28800"), v["expires_in"], name)
		require.Equal(t, "Bearer", v["token_type"], name)
	}
	for _, c := range []struct {
		authorization, body string
		status              int
		errorType           string
	}{
		{"", "grant_type=refresh_token&refresh_token=" + use(), 401, "invalid_client"},
		{"Basic !", "grant_type=refresh_token&refresh_token=" + use(), 401, "invalid_client"},
		{"Basic " + base64.StdEncoding.EncodeToString([]byte("23ABCD:wrong")), "grant_type=refresh_token&refresh_token=" + use(), 401, "invalid_client"},
		{basic(true), "grant_type=refresh_token&refresh_token=unknown", 400, "invalid_grant"},
		{basic(true), "grant_type=password", 400, "unsupported_grant_type"},
		{basic(true), "", 400, "invalid_request"},
		{basic(true), "grant_type=authorization_code&code=x", 400, "invalid_grant"},
	} {
		rec := refresh(c.authorization, fitbittest.TokenPath, c.body)
		require.Equal(t, c.status, rec.Code, c.body)
		require.Equal(t, c.errorType, errorType(t, rec))
	}
}

func TestCodesAndVerifiers(t *testing.T) {
	w := newWorld(t, fitbittest.Config{})
	verifier := strings.Repeat("v", 43)
	digest := sha256.Sum256([]byte(verifier))
	address := "https://x/?" + url.Values{
		"response_type": {"code"}, "client_id": {fitbittest.DefaultClientID}, "redirect_uri": {fitbittest.DefaultRedirectURL}, "scope": {"sleep"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(digest[:])}, "code_challenge_method": {"S256"},
	}.Encode()
	exchange := func(extra string, wait time.Duration) int {
		back, err := w.Authorize(w.person.ID, address)
		require.NoError(t, err)
		w.clock.Add(wait)
		return w.send(http.MethodPost, fitbittest.TokenPath, basic(true), "grant_type=authorization_code&code="+back.Query().Get("code")+extra).Code
	}
	redirect := "&redirect_uri=" + url.QueryEscape(fitbittest.DefaultRedirectURL)
	require.Equal(t, 200, exchange(redirect+"&code_verifier="+verifier, 9*time.Minute))
	require.Equal(t, 400, exchange(redirect+"&code_verifier="+verifier, 10*time.Minute), "ten minutes")
	require.Equal(t, 400, exchange(redirect, 0), "no verifier")
	require.Equal(t, 400, exchange(redirect+"&code_verifier="+strings.Repeat("w", 43), 0))
	require.Equal(t, 400, exchange("&redirect_uri=https%3A%2F%2Fevil.example.com&code_verifier="+verifier, 0))
}

// An expired token is told from one that is unknown, and does not end the grant.
func TestExpiredTokenThenRefresh(t *testing.T) {
	w := newWorld(t, fitbittest.Config{})
	require.Equal(t, 200, w.get("/1/user/-/profile.json").Code)
	w.clock.Add(8*time.Hour + time.Second)
	rec := w.get("/1/user/-/profile.json")
	require.Equal(t, 401, rec.Code)
	require.Equal(t, "expired_token", errorType(t, rec))
	again := object(t, w.send(http.MethodPost, fitbittest.TokenPath, basic(true), "grant_type=refresh_token&refresh_token="+w.token.RefreshToken))
	require.Equal(t, 200, w.send(http.MethodGet, "/1/user/-/profile.json", "Bearer "+again["access_token"].(string), "").Code)
	rec = w.send(http.MethodGet, "/1/user/-/profile.json", "Bearer x", "")
	require.Equal(t, "invalid_token", errorType(t, rec))
	require.Equal(t, 401, w.send(http.MethodGet, "/1/user/-/profile.json", "", "").Code)

	grace := newWorld(t, fitbittest.Config{RefreshGrace: 2 * time.Minute})
	first := object(t, grace.send(http.MethodPost, fitbittest.TokenPath, basic(true), "grant_type=refresh_token&refresh_token="+grace.token.RefreshToken))
	second := object(t, grace.send(http.MethodPost, fitbittest.TokenPath, basic(true), "grant_type=refresh_token&refresh_token="+grace.token.RefreshToken))
	require.Equal(t, first, second)
	grace.clock.Add(2 * time.Minute)
	require.Equal(t, 400, grace.send(http.MethodPost, fitbittest.TokenPath, basic(true), "grant_type=refresh_token&refresh_token="+grace.token.RefreshToken).Code)
}

func TestRevokeAndIntrospect(t *testing.T) {
	w := newWorld(t, fitbittest.Config{})
	v := object(t, w.send(http.MethodPost, fitbittest.IntrospectPath, "Bearer "+w.token.AccessToken, "token="+w.token.AccessToken))
	require.Equal(t, true, v["active"])
	at, err := v["exp"].(json.Number).Int64()
	require.NoError(t, err)
	require.Equal(t, w.token.ExpiresAt.UnixMilli(), at)
	require.Equal(t, 200, w.send(http.MethodPost, fitbittest.RevokePath, basic(true), "token="+w.token.RefreshToken).Code)
	require.Equal(t, 401, w.get("/1/user/-/profile.json").Code)
	require.Equal(t, 401, w.send(http.MethodPost, fitbittest.RevokePath, basic(true), "token="+w.token.RefreshToken).Code)
	require.Equal(t, 400, w.send(http.MethodPost, fitbittest.TokenPath, basic(true), "grant_type=refresh_token&refresh_token="+w.token.RefreshToken).Code)
}

func TestTheBudgetOfAnHour(t *testing.T) {
	w := newWorld(t, fitbittest.Config{RateLimit: 3, FrontRefusal: true})
	for i := range 3 {
		rec := w.get("/1/user/-/profile.json")
		require.Equal(t, 200, rec.Code)
		require.Equal(t, "3", rec.Header().Get("Fitbit-Rate-Limit-Limit"))
		require.Equal(t, strconv.Itoa(2-i), rec.Header().Get("Fitbit-Rate-Limit-Remaining"))
	}
	rec := w.get("/1/user/-/profile.json")
	require.Equal(t, 429, rec.Code)
	require.Equal(t, "system", errorType(t, rec))
	reset, err := strconv.Atoi(rec.Header().Get("Fitbit-Rate-Limit-Reset"))
	require.NoError(t, err)
	require.Equal(t, rec.Header().Get("Retry-After"), rec.Header().Get("Fitbit-Rate-Limit-Reset"))
	require.Contains(t, w.get("/1/user/-/profile.json").Body.String(), "RESOURCE_EXHAUSTED")
	w.clock.Add(time.Duration(reset) * time.Second)
	require.Equal(t, 200, w.get("/1/user/-/profile.json").Code, "the top of the hour")
}

// Every resource wants its scope and refuses a range that is too long.
func TestScopesAndRanges(t *testing.T) {
	w := newWorld(t, fitbittest.Config{RateLimit: -1, Days: 5})
	none := w.Login(w.person.ID, "social")
	for _, c := range []struct {
		version, under string
		most           int
	}{
		{"1", "activities/steps", 1095}, {"1", "activities/tracker/steps", 1095}, {"1", "activities/activityCalories", 30}, {"1", "activities/active-zone-minutes", 1095},
		{"1", "activities/heart", 366}, {"1", "hrv", 30}, {"1", "br", 30}, {"1", "temp/skin", 30}, {"1", "temp/core", 30}, {"1", "cardioscore", 30},
		{"1.2", "sleep", 100}, {"1", "sleep", 100}, {"1", "body/log/weight", 31}, {"1", "body/log/fat", 30}, {"1", "body/bmi", 1095}, {"1", "body/weight", 31},
		{"1", "body/fat", 30}, {"1", "foods/log/water", 1095}, {"1", "foods/log/caloriesIn", 1095},
	} {
		last := time.Date(2026, 10, 21, 0, 0, 0, 0, time.UTC)
		path := func(days int) string {
			return "/" + c.version + "/user/-/" + c.under + "/date/" + last.AddDate(0, 0, 1-days).Format(time.DateOnly) + "/" + last.Format(time.DateOnly) + ".json"
		}
		require.Equal(t, 200, w.get(path(c.most)).Code, c.under)
		rec := w.get(path(c.most + 1))
		require.Equal(t, 400, rec.Code, c.under)
		require.Equal(t, "validation", errorType(t, rec), c.under)
		rec = w.send(http.MethodGet, path(3), "Bearer "+none.AccessToken, "")
		require.Equal(t, 403, rec.Code, c.under)
		require.Equal(t, "insufficient_scope", errorType(t, rec), c.under)
	}
	require.Equal(t, 403, w.get("/1/user/OTHER1/profile.json").Code)
	require.Equal(t, 200, w.get("/1/user/ABC123/profile.json").Code)
	for _, path := range []string{"/", "/1/user/-/badges.json", "/1.1/user/-/friends.json", "/1/user/-/activities/date/2026-10-21", "/1/user/-/activities/steps/date/2026-10-21.json", "/1/user/-/activities/tracker/steps/date/2026-10-21.json",
		"/1/user/-/activities/heart/date/2026-10-21.json", "/1/user/-/body/bmi/date/2026-10-21.json", "/1/user/-/foods/log/caloriesIn/date/2026-10-21.json",
		"/1/user/-/activities/active-zone-minutes/date/2026-10-21.json", "/2/user/-/profile.json", "/1.2/user/-/profile.json"} {
		require.Equal(t, 404, w.get(path).Code, path)
	}
	require.Equal(t, 405, w.send(http.MethodPost, "/1/user/-/profile.json", "Bearer "+w.token.AccessToken, "").Code)
}

func TestDatesAsClientsWriteThem(t *testing.T) {
	w := newWorld(t, fitbittest.Config{RateLimit: -1, Days: 30})
	plain := w.get("/1.2/user/-/sleep/date/2026-10-05.json").Body.String()
	require.Equal(t, plain, w.get("/1.2/user/-/sleep/date/2026-10-5.json").Body.String())
	require.Equal(t, 200, w.get("/1/user/-/activities/date/today.json").Code)
	require.Equal(t, 200, w.get("/1/user/-/activities/steps/date/today/7d.json").Code)
	require.Equal(t, 400, w.get("/1/user/-/activities/date/2026-02-30.json").Code)
	require.Equal(t, 400, w.get("/1/user/-/activities/steps/date/2026-10-05/2026-10-04.json").Code)
	require.Equal(t, 400, w.get("/1/user/-/activities/steps/date/today/9d.json").Code)
	v1 := w.get("/1/user/-/sleep/date/2026-10-05.json").Body.String()
	require.Contains(t, v1, "minuteData")
	require.NotContains(t, v1, "levels")
	day := w.get("/1/user/-/activities/heart/date/2026-10-20/1d/1sec/time/08:00/08:05.json").Body.String()
	require.Contains(t, day, `"value":"64.2"`)
	require.Contains(t, day, `"datasetType":"second"`)
	require.Equal(t, 400, w.get("/1/user/-/activities/heart/date/2026-10-01/2026-10-05/1sec.json").Code, "24 hours")
}

// Periods and details that a resource does not have are refused.
func TestFormsThatAResourceDoesNotHave(t *testing.T) {
	w := newWorld(t, fitbittest.Config{RateLimit: -1, Days: 30})
	for path, want := range map[string]int{
		"/1.2/user/-/sleep/date/2026-10-20/7d.json": 400, "/1/user/-/hrv/date/2026-10-20/7d.json": 400, "/1/user/-/br/date/2026-10-20/1d.json": 400,
		"/1/user/-/spo2/date/2026-10-20/1m.json": 400, "/1/user/-/temp/skin/date/2026-10-20/1w.json": 400, "/1/user/-/cardioscore/date/2026-10-20/1d.json": 400,
		"/1/user/-/activities/heart/date/2026-10-20/3m.json": 400, "/1/user/-/body/log/weight/date/2026-10-20/3m.json": 400,
		"/1/user/-/body/log/fat/date/2026-10-20/1y.json": 400, "/1/user/-/body/log/weight/date/2026-10-20/1d/1min.json": 400,
		"/1/user/-/hrv/date/2026-10-20/2026-10-20/1min.json": 400, "/1.2/user/-/sleep/date/2026-10-20/2026-10-20/1min.json": 400,
		"/1.2/user/-/sleep/date/2026-10-20/all.json": 400, "/1/user/-/cardioscore/date/2026-10-20/all.json": 400,
		"/1/user/-/activities/steps/date/2026-10-20/1d/1sec.json": 400, "/1/user/-/activities/active-zone-minutes/date/2026-10-20/1d/1sec.json": 400,
		"/1/user/-/activities/floors/date/2026-10-20/all.json": 400, "/1/user/-/activities/caloriesBMR/date/2026-10-20/1d/1min.json": 404,

		"/1/user/-/activities/heart/date/2026-10-20/1m.json": 200, "/1/user/-/body/log/weight/date/2026-10-20/1m.json": 200,
		"/1/user/-/activities/active-zone-minutes/date/2026-10-20/1y.json": 200, "/1/user/-/body/bmi/date/2026-10-20/1y.json": 200,
		"/1/user/-/foods/log/water/date/2026-10-20/3m.json": 200, "/1/user/-/spo2/date/2026-10-20/all.json": 200,
		"/1/user/-/hrv/date/2026-10-19/2026-10-20/all.json": 200, "/1/user/-/activities/steps/date/2026-10-20/1d/15min.json": 200,
	} {
		require.Equal(t, want, w.get(path).Code, path)
	}
	require.Contains(t, w.get("/1/user/-/activities/steps/date/2026-10-20/1d/15min.json").Body.String(), `"datasetInterval":15`)
}

func TestUnits(t *testing.T) {
	w := newWorld(t, fitbittest.Config{RateLimit: -1, Days: 30})
	for _, unit := range []struct {
		language string
		weight   float64 // of what a kilogram is
	}{{"", 1}, {"de_DE", 1}, {"en_US", 0.45359237}, {"en_GB", 6.35029318}} {
		profile := object(t, w.get("/1/user/-/profile.json", "Accept-Language", unit.language))["user"].(map[string]any)
		kilograms, _ := object(t, w.get("/1/user/-/profile.json"))["user"].(map[string]any)["weight"].(json.Number).Float64()
		got, _ := profile["weight"].(json.Number).Float64()
		require.InDelta(t, kilograms/unit.weight, got, 0.01, unit.language)
	}
	metric := object(t, w.get("/1/user/-/profile.json"))["user"].(map[string]any)
	us := object(t, w.get("/1/user/-/profile.json", "Accept-Language", "en_US"))["user"].(map[string]any)
	a, _ := metric["height"].(json.Number).Float64()
	b, _ := us["height"].(json.Number).Float64()
	require.InDelta(t, a/2.54, b, 0.01)
}

// The three shapes of oxygen saturation, and a day without data in each.
func TestShapesOfOxygen(t *testing.T) {
	w := newWorld(t, fitbittest.Config{RateLimit: -1, Days: 60})
	for _, d := range w.Days(w.person.ID) {
		body := strings.TrimSpace(w.get("/1/user/-/spo2/date/" + d.Date + ".json").Body.String())
		require.True(t, strings.HasPrefix(body, "{"))
		require.Equal(t, d.Worn, strings.Contains(body, `"value"`))
	}
	require.Equal(t, "{}", w.get("/1/user/-/spo2/date/2020-01-01.json").Body.String())
	require.True(t, strings.HasPrefix(w.get("/1/user/-/spo2/date/"+w.person.FirstDay+"/"+w.person.LastDay+".json").Body.String(), "["))
}

func TestListsHaveRules(t *testing.T) {
	w := newWorld(t, fitbittest.Config{RateLimit: -1, Days: 90, BaseURL: "https://api.example.com/", PageSize: 4})
	const path = "/1/user/-/activities/list.json?"
	for _, q := range []string{
		"", "afterDate=2026-10-01", "afterDate=2026-10-01&beforeDate=2026-10-02&sort=asc&limit=10&offset=0", "afterDate=2026-10-01&sort=desc&limit=10&offset=0",
		"beforeDate=2026-10-01&sort=asc&limit=10&offset=0", "afterDate=2026-10-01&sort=asc&limit=101&offset=0", "afterDate=2026-10-01&sort=asc&limit=0&offset=0",
		"afterDate=2026-10-01&sort=asc&limit=10&offset=4", "afterDate=2026-10-01&sort=asc&limit=10", "afterDate=x&sort=asc&limit=10&offset=0",
	} {
		require.Equal(t, 400, w.get(path+q).Code, q)
	}
	require.Equal(t, 400, w.get("/1/user/-/ecg/list.json?afterDate=2026-10-01&sort=asc&limit=11&offset=0").Code)
	next, seen, last := path+"afterDate="+w.person.FirstDay+"&sort=asc&limit=100&offset=0", 0, ""
	for next != "" {
		v := object(t, w.get(next))
		for _, row := range v["activities"].([]any) {
			start := row.(map[string]any)["startTime"].(string)
			require.LessOrEqual(t, last, start)
			last = start
			seen++
		}
		next = v["pagination"].(map[string]any)["next"].(string)
		if next != "" {
			require.True(t, strings.HasPrefix(next, "https://api.example.com/1/user/-/activities/list.json?"))
			next = strings.TrimPrefix(next, "https://api.example.com")
		}
	}
	require.Len(t, w.Workouts(w.person.ID), seen)
	// The bound itself is not in the list.
	first := w.Workouts(w.person.ID)[0]
	v := object(t, w.get(path+"afterDate="+first.Start.Format("2006-01-02T15:04:05")+"&sort=asc&limit=1&offset=0"))
	require.NotContains(t, v["activities"].([]any)[0].(map[string]any)["startTime"], first.Start.Format("2006-01-02T15:04:05"))
}

// From the given moment every address answers 410, those of OAuth included; the data can still be told.
func TestRetires(t *testing.T) {
	at := newClock().Now().Add(24 * time.Hour)
	w := newWorld(t, fitbittest.Config{RateLimit: -1, Days: 5, RetireAt: at})
	require.Equal(t, 200, w.get("/1/user/-/profile.json").Code)
	w.clock.Add(24 * time.Hour)
	for _, path := range []string{"/1/user/-/profile.json", fitbittest.AuthorizePath, fitbittest.TokenPath, fitbittest.RevokePath, fitbittest.IntrospectPath, "/"} {
		require.Equal(t, 410, w.get(path).Code, path)
		require.Equal(t, 410, w.send(http.MethodPost, path, "", "").Code, path)
	}
	_, err := w.Authorize(w.person.ID, "https://x/")
	require.Error(t, err)
	before := len(w.Days(w.person.ID))
	require.NotEmpty(t, w.CatchUp(w.person.ID), "the person goes on")
	require.Greater(t, len(w.Days(w.person.ID)), before)
	w.Retire(time.Time{})
	w.token = w.Login(w.person.ID)
	require.Equal(t, 200, w.get("/1/user/-/profile.json").Code, "a postponement")
}

func TestSubscriptions(t *testing.T) {
	w := newWorld(t, fitbittest.Config{RateLimit: -1, Days: 5})
	bearer := "Bearer " + w.token.AccessToken
	post := func(path string) int { return w.send(http.MethodPost, path, bearer, "").Code }
	require.Equal(t, 201, post("/1/user/-/activities/apiSubscriptions/320-activities.json"))
	require.Equal(t, 200, post("/1/user/-/activities/apiSubscriptions/320-activities.json"))
	require.Equal(t, 409, post("/1/user/-/sleep/apiSubscriptions/320-activities.json"))
	require.Equal(t, 201, post("/1/user/-/apiSubscriptions/320-all.json"))
	require.Equal(t, 400, post("/1/user/-/sleep/apiSubscriptions/"+strings.Repeat("x", 51)+".json"))
	require.Equal(t, 404, post("/1/user/-/moods/apiSubscriptions/1.json"))
	other := w.AddPerson(fitbittest.PersonConfig{})
	foreign := "Bearer " + w.Login(other.ID).AccessToken
	require.Equal(t, 409, w.send(http.MethodPost, "/1/user/-/activities/apiSubscriptions/320-activities.json", foreign, "").Code)
	require.Equal(t, 404, w.send(http.MethodDelete, "/1/user/-/activities/apiSubscriptions/320-activities.json", foreign, "").Code)
	list := object(t, w.get("/1/user/-/apiSubscriptions.json"))["apiSubscriptions"].([]any)
	require.Len(t, list, 2)

	w.Notify(w.person.ID, "activities", "2026-10-20")
	w.Notify(w.person.ID, "activities", "2026-10-20")
	deliveries := w.Deliveries(100)
	require.Len(t, deliveries, 1)
	var notes []fitbittest.Notification
	require.NoError(t, json.Unmarshal(deliveries[0].Body, &notes))
	require.Len(t, notes, 2, "a subscription to one and a subscription to all")
	require.Equal(t, w.Sign(deliveries[0].Body), deliveries[0].Signature)
	require.Empty(t, w.Deliveries(100))

	require.Equal(t, 204, w.send(http.MethodDelete, "/1/user/-/activities/apiSubscriptions/320-activities.json", bearer, "").Code)
	require.Equal(t, 404, w.send(http.MethodDelete, "/1/user/-/activities/apiSubscriptions/320-activities.json", bearer, "").Code)
	w.RevokeAccess(w.person.ID)
	deliveries = w.Deliveries(1)
	require.Len(t, deliveries, 1)
	require.Contains(t, string(deliveries[0].Body), "userRevokedAccess")
	require.NotContains(t, string(deliveries[0].Body), "date")
}

// A subscriber is verified with two codes and gets signed batches, three times if it fails.
func TestDelivers(t *testing.T) {
	var mu sync.Mutex
	var got [][]byte
	fail := 2
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	defer server.Close()
	w := newWorld(t, fitbittest.Config{RateLimit: -1, Days: 5, SubscriberURL: server.URL + "/hook"})
	mux.HandleFunc("GET /hook", func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("verify") == fitbittest.DefaultVerificationCode {
			rw.WriteHeader(http.StatusNoContent)
			return
		}
		rw.WriteHeader(http.StatusNotFound)
	})
	mux.HandleFunc("POST /hook", func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("X-Fitbit-Signature") != w.Sign(body) {
			rw.WriteHeader(http.StatusNotFound)
			return
		}
		got = append(got, body)
		if fail--; fail >= 0 {
			rw.WriteHeader(http.StatusInternalServerError)
			return
		}
		rw.WriteHeader(http.StatusNoContent)
	})
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	require.NoError(t, w.Verify(t.Context(), client))
	require.Equal(t, 201, w.send(http.MethodPost, "/1/user/-/sleep/apiSubscriptions/s.json", "Bearer "+w.token.AccessToken, "").Code)
	w.AdvanceDay(w.person.ID)
	require.NoError(t, w.Deliver(t.Context(), client))
	require.Len(t, got, 3)
	w.AdvanceDay(w.person.ID)
	fail = 3
	require.Error(t, w.Deliver(t.Context(), client))
}

// The world is the same for the same seed, and each change shows.
func TestTheWorld(t *testing.T) {
	a, b := newWorld(t, fitbittest.Config{RateLimit: -1, Days: 30}), newWorld(t, fitbittest.Config{RateLimit: -1, Days: 30})
	require.Equal(t, a.Days(a.person.ID), b.Days(b.person.ID))
	require.Equal(t, a.Sleeps(a.person.ID), b.Sleeps(b.person.ID))
	require.Equal(t, a.Workouts(a.person.ID), b.Workouts(b.person.ID))
	require.Equal(t, a.token, b.token)
	c := newWorld(t, fitbittest.Config{RateLimit: -1, Days: 30, Seed: 8})
	require.NotEqual(t, a.Days(a.person.ID), c.Days(c.person.ID))
	require.Len(t, a.People(), 1)

	before := a.Days(a.person.ID)
	dates := a.LateSync(a.person.ID, 3)
	require.Len(t, dates, 3)
	after := a.Days(a.person.ID)
	require.Equal(t, before[:27], after[:27])
	require.Equal(t, before[29].Steps+137, after[29].Steps)
	sleeps := len(a.Sleeps(a.person.ID))
	a.DeleteSleep(a.person.ID, a.Sleeps(a.person.ID)[0].LogID)
	require.Len(t, a.Sleeps(a.person.ID), sleeps-1)
	workouts := len(a.Workouts(a.person.ID))
	id := a.AddWorkout(a.person.ID, fitbittest.Workout{Name: "Run", TypeID: 90009, Start: a.clock.Now(), Duration: time.Hour, Active: time.Hour})
	a.EditWorkout(a.person.ID, id, func(w *fitbittest.Workout) { w.Calories = 7 })
	require.Len(t, a.Workouts(a.person.ID), workouts+1)
	a.DeleteWorkout(a.person.ID, id)
	require.Len(t, a.Workouts(a.person.ID), workouts)
	a.AddWeighing(a.person.ID, fitbittest.Weighing{WeightID: 5, FatID: 6, Date: "2026-10-01", Time: "08:00:00", Weight: 70, BMI: 22})
	require.Contains(t, a.get("/1/user/-/body/log/weight/date/2026-10-01.json").Body.String(), `"logId":5`)
	for _, s := range a.Sleeps(a.person.ID) {
		require.Equal(t, int(s.EndInstant.Sub(s.StartInstant)/time.Minute), s.TimeInBed())
		require.Greater(t, s.LogID, int64(1<<53))
	}
	require.Panics(t, func() { a.Days("nobody") })
	require.Panics(t, func() { a.AddPerson(fitbittest.PersonConfig{Timezone: "Mars/Phobos"}) })

	held := a.AddPerson(fitbittest.PersonConfig{Days: 10, HoldBack: 5})
	require.NotEmpty(t, a.AdvanceDay(held.ID))
	require.Len(t, a.CatchUp(held.ID), 4)
}

func TestPendingSleep(t *testing.T) {
	w := newWorld(t, fitbittest.Config{RateLimit: -1, Days: 5, SleepPending: true})
	path := "/1.2/user/-/sleep/date/" + w.person.LastDay + ".json"
	require.Contains(t, w.get(path).Body.String(), `"state":"pending"`)
	require.Contains(t, w.get(path).Body.String(), `"sleep":[`)
}

func TestFaults(t *testing.T) {
	w := newWorld(t, fitbittest.Config{RateLimit: -1, Days: 5})
	w.Fault(fitbittest.Fault{Kind: fitbittest.FaultStatus, Status: 503, Path: "profile"})
	require.Equal(t, 200, w.get("/1/user/-/devices.json").Code)
	require.Equal(t, 503, w.get("/1/user/-/profile.json").Code)
	require.Equal(t, 200, w.get("/1/user/-/profile.json").Code)
	w.Fault(fitbittest.Fault{Kind: fitbittest.FaultTruncate})
	require.Error(t, json.Unmarshal(w.get("/1/user/-/profile.json").Body.Bytes(), new(any)))
	w.Fault(fitbittest.Fault{Kind: fitbittest.FaultHTML, Count: 9})
	w.ClearFaults()
	require.Equal(t, 200, w.get("/1/user/-/profile.json").Code)
	requests := w.Requests()
	require.Equal(t, fitbittest.FaultStatus, requests[1].Fault)
	require.Equal(t, -1, requests[1].Status)
	require.Equal(t, w.person.ID, requests[0].PersonID)
}
