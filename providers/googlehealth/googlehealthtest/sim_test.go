package googlehealthtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

// bench is a simulator with a clock that the test moves, and a client.
type bench struct {
	*Server
	t    *testing.T
	now  time.Time
	user User
	http *http.Client
}

func newBench(t *testing.T, cfg Config) *bench {
	b := &bench{t: t, now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	cfg.Now = func() time.Time { return b.now }
	b.Server = New(cfg)
	b.user = b.AddUser(UserConfig{Timezone: "Europe/Berlin"})
	b.http = &http.Client{Transport: handed{b.Server}}
	return b
}

// handed hands requests to a handler in the same process.
type handed struct{ http.Handler }

func (h handed) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	if r.Body == nil {
		r.Body = http.NoBody
	}
	h.ServeHTTP(w, r)
	return w.Result(), nil
}

// ask makes a call with a token and returns the status and the answer.
func (b *bench) ask(token, method, path string, query url.Values, body string) (int, map[string]any) {
	r, err := http.NewRequest(method, "https://health.example.com/v4/"+path+"?"+query.Encode(), strings.NewReader(body))
	require.NoError(b.t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := b.http.Do(r)
	require.NoError(b.t, err)
	defer resp.Body.Close()
	var answer map[string]any
	require.NoError(b.t, json.NewDecoder(resp.Body).Decode(&answer))
	return resp.StatusCode, answer
}

func (b *bench) token() string { return b.Login(b.user.ID).AccessToken }

// reason returns the reason of a refusal.
func reason(answer map[string]any) string {
	details, _ := answer["error"].(map[string]any)["details"].([]any)
	if len(details) == 0 {
		return ""
	}
	return details[0].(map[string]any)["reason"].(string)
}

func TestFiltersAreStrict(t *testing.T) {
	b := newBench(t, Config{Days: 5, RateLimit: -1, EmptyFirstPages: -1})
	token := b.token()
	for _, c := range []struct{ path, filter, reason string }{
		{"steps", `steps.interval.start_time >= "2026-11-20T00:00:00Z" AND steps.interval.start_time < "2026-11-21T00:00:00Z"`, ""},
		{"steps", `steps.interval.civil_start_time >= "2026-11-20T08:00:00"`, ""},
		{"sleep", `sleep.interval.civil_end_time >= "2026-11-20" OR sleep.interval.end_time < "2026-11-19T00:00:00Z"`, ""},
		{"heart-rate", `heart_rate.sample_time.civil_time < "2026-11-19"`, ""},
		{"daily-vo2-max", `daily_vo2_max.date >= "2026-11-19"`, ""},
		{"electrocardiogram", `electrocardiogram.interval.start_time >= "2026-11-19T00:00:00Z"`, ""},
		{"heart-rate", `heart-rate.sample_time.civil_time < "2026-11-19"`, badFilter},
		{"sleep", `sleep.interval.start_time >= "2026-11-20T00:00:00Z"`, badFilter + "_DATA_TYPE_MEMBER"},
		{"exercise", `exercise.interval.start_time >= "2026-11-20T00:00:00Z"`, badFilter + "_DATA_TYPE_MEMBER"},
		{"electrocardiogram", `electrocardiogram.interval.start_time < "2026-11-19T00:00:00Z"`, badFilter + "_RESTRICTION_COMPARABLE"},
		{"steps", `distance.interval.start_time >= "2026-11-20T00:00:00Z"`, badFilter + "_DATA_TYPE_RESTRICTION"},
		{"steps", `steps.interval.start_time > "2026-11-20T00:00:00Z"`, badFilter + "_RESTRICTION_COMPARABLE"},
		{"steps", `steps.interval.start_time <= "2026-11-20T00:00:00Z"`, badFilter + "_RESTRICTION_COMPARABLE"},
		{"steps", `steps.interval.start_time >= 2026`, badFilter + "_RESTRICTION_COMPARABLE"},
		{"steps", `steps.interval.start_time >= "tomorrow"`, badFilter + "_RESTRICTION_COMPARABLE"},
		{"steps", `steps.interval.start_time >= "2026-11-20T00:00:00Z`, badFilter + "_UNEXPECTED_END_OF_INPUT"},
		{"steps", `steps.interval.start_time >=`, badFilter + "_UNEXPECTED_END_OF_INPUT"},
		{"steps", `steps.interval.start_time >= "2026-11-20T00:00:00Z" steps`, badFilter + "_MISSING_TOKEN"},
		{"steps", `steps.interval.start_time >= "2026-11-20T00:00:00Z" OR steps.interval.start_time < "2026-11-21T00:00:00Z"`, badFilter + "_EXPRESSION_STRUCTURE"},
		{"food", "", ""},
		{"food-measurement-unit", `food_measurement_unit.date >= "2026-11-19"`, badFilter + "_DATA_TYPE_MEMBER"},
		{"steps", `steps.interval.start_time (>= "x")`, badFilter + "_UNEXPECTED_TOKEN"},
		{"steps", `>= steps.interval.start_time "x"`, badFilter + "_SYNTAX"},
	} {
		status, answer := b.ask(token, http.MethodGet, "users/me/dataTypes/"+c.path+"/dataPoints", url.Values{"filter": {c.filter}}, "")
		if c.reason == "" {
			require.Equal(t, http.StatusOK, status, c.filter)
			continue
		}
		require.Equal(t, http.StatusBadRequest, status, c.filter)
		require.Equal(t, c.reason, reason(answer), c.filter)
	}
	_, failed := parseFilter(kindOf("steps"), `steps.interval.civil_start_time >= "2026\-11-20"`)
	require.Nil(t, failed, "escaped characters stand for themselves")
}

func FuzzFilter(f *testing.F) {
	f.Add(`sleep.interval.civil_end_time >= "2026-11-20" OR sleep.interval.end_time < "2026-11-19T00:00:00Z"`)
	f.Add(`sleep.interval.civil_end_time >= "\"`)
	f.Fuzz(func(t *testing.T, text string) {
		parsed, failed := parseFilter(kindOf("sleep"), text)
		if failed == nil && parsed != nil {
			for _, group := range parsed {
				require.NotEmpty(t, group)
			}
		}
	})
}

func TestPagesAreOpaqueAndBound(t *testing.T) {
	b := newBench(t, Config{Days: 40, RateLimit: -1, EmptyFirstPages: 1})
	token := b.token()
	path := "users/me/dataTypes/sleep/dataPoints"
	q := url.Values{"pageSize": {"1000"}}
	seen, pages, last := 0, 0, "9999"
	for {
		status, answer := b.ask(token, http.MethodGet, path, q, "")
		require.Equal(t, http.StatusOK, status)
		list, _ := answer["dataPoints"].([]any)
		if pages == 0 {
			require.Empty(t, list, "the first page is empty and names a next one")
		}
		require.LessOrEqual(t, len(list), 25)
		for _, item := range list {
			at := item.(map[string]any)["sleep"].(map[string]any)["interval"].(map[string]any)["startTime"].(string)
			require.LessOrEqual(t, at, last, "newest first")
			last = at
		}
		seen += len(list)
		pages++
		next, _ := answer["nextPageToken"].(string)
		if next == "" {
			break
		}
		other := url.Values{"pageSize": {"10"}, "pageToken": {next}}
		status, _ = b.ask(token, http.MethodGet, path, other, "")
		require.Equal(t, http.StatusBadRequest, status, "a token is bound to all parameters")
		q.Set("pageToken", next)
	}
	require.Len(t, b.Points(b.user.ID, "sleep", false), seen)
	status, _ := b.ask(token, http.MethodGet, path, url.Values{"pageToken": {"1"}}, "")
	require.Equal(t, http.StatusBadRequest, status)
}

func TestListsAndReconciliationDiffer(t *testing.T) {
	b := newBench(t, Config{Days: 4, RateLimit: -1, EmptyFirstPages: -1})
	token := b.token()
	sum := func(method string) (sum, zeros int, sources map[string]bool) {
		sources = map[string]bool{}
		_, answer := b.ask(token, http.MethodGet, "users/me/dataTypes/steps/dataPoints"+method, nil, "")
		for _, item := range answer["dataPoints"].([]any) {
			p := item.(map[string]any)
			value := p["steps"].(map[string]any)
			count, ok := value["count"].(string)
			if !ok {
				require.NotContains(t, value, "count")
				zeros++
			}
			n := 0
			if ok {
				_, err := fmt.Sscan(count, &n)
				require.NoError(t, err)
				require.NotZero(t, n, "zeros are left out")
			}
			sum += n
			if from, ok := p["dataSource"].(map[string]any); ok {
				sources[from["platform"].(string)] = true
			}
		}
		return sum, zeros, sources
	}
	listed, _, sources := sum("")
	merged, zeros, none := sum(":reconcile")
	require.Greater(t, listed, merged, "sources overlap")
	require.NotZero(t, zeros)
	require.Len(t, sources, 2)
	require.Empty(t, none)
	status, answer := b.ask(token, http.MethodGet, "users/me/dataTypes/floors/dataPoints", nil, "")
	require.Equal(t, http.StatusBadRequest, status)
	require.Empty(t, reason(answer))

	_, rolled := b.ask(token, http.MethodPost, "users/me/dataTypes/steps/dataPoints:dailyRollUp", nil,
		`{"range":{"start":{"date":{"year":2026,"month":11,"day":1}},"end":{"date":{"year":2026,"month":11,"day":30}}},"windowSizeDays":1}`)
	total := 0
	for _, item := range rolled["rollupDataPoints"].([]any) {
		n := 0
		_, err := fmt.Sscan(item.(map[string]any)["steps"].(map[string]any)["countSum"].(string), &n)
		require.NoError(t, err)
		total += n
	}
	require.Equal(t, merged, total)
}

func TestRangesOfRollups(t *testing.T) {
	b := newBench(t, Config{Days: 4, RateLimit: -1})
	token := b.token()
	civil := func(path, from, to string) int {
		date := func(text string) string {
			d, err := time.Parse(time.DateOnly, text)
			require.NoError(t, err)
			return fmt.Sprintf(`{"date":{"year":%d,"month":%d,"day":%d}}`, d.Year(), d.Month(), d.Day())
		}
		status, _ := b.ask(token, http.MethodPost, "users/me/dataTypes/"+path+"/dataPoints:dailyRollUp", nil,
			`{"range":{"start":`+date(from)+`,"end":`+date(to)+`}}`)
		return status
	}
	require.Equal(t, 200, civil("steps", "2026-08-01", "2026-10-30"))
	require.Equal(t, 400, civil("steps", "2026-08-01", "2026-10-31"))
	require.Equal(t, 200, civil("heart-rate", "2026-11-01", "2026-11-15"))
	require.Equal(t, 400, civil("heart-rate", "2026-11-01", "2026-11-16"))
	require.Equal(t, 400, civil("steps", "2026-11-01", "2026-11-01"))
	require.Equal(t, 400, civil("sleep", "2026-11-01", "2026-11-02"), "sleep is not rolled up")
	physical := func(path, from, to, size string) int {
		status, _ := b.ask(token, http.MethodPost, "users/me/dataTypes/"+path+"/dataPoints:rollUp", nil,
			fmt.Sprintf(`{"range":{"startTime":%q,"endTime":%q},"windowSize":%q}`, from, to, size))
		return status
	}
	require.Equal(t, 200, physical("steps", "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z", "3600s"))
	require.Equal(t, 400, physical("steps", "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z", "1h"))
	require.Equal(t, 400, physical("steps", "2026-11-20T00:00:00Z", "2026-11-20T00:00:00Z", "3600s"))
	require.Equal(t, 400, physical("total-calories", "2026-11-01T00:00:00Z", "2026-11-15T01:00:00Z", "3600s"))
	status, _ := b.ask(token, http.MethodPost, "users/me/dataTypes/steps/dataPoints:dailyRollUp", nil,
		`{"range":{"start":{"date":{"year":2026,"month":11,"day":1},"time":{"hours":1}},"end":{"date":{"year":2026,"month":11,"day":2}}}}`)
	require.Equal(t, 400, status, "windows begin at midnight")
	const november = `{"date":{"year":2026,"month":11,"day":2}}`
	for _, body := range []string{
		`{"range":{"start":{"date":{"year":2026,"month":10,"day":32}},"end":` + november + `}}`, `{"range":{"start":{"date":{}},"end":` + november + `}}`,
		`{"range":{"start":{"date":{"year":2026,"month":11,"day":1}},"end":` + november + `},"pageSize":-1}`,
		`{"range":{"start":{"date":{"year":2026,"month":11,"day":1}},"end":` + november + `},"windowSizeDays":-1}`,
		`{"range":{"start":{"date":{"year":2026,"month":11,"day":1}}}}`, `{"days":1}`, `[]`, ``,
	} {
		status, _ := b.ask(token, http.MethodPost, "users/me/dataTypes/steps/dataPoints:dailyRollUp", nil, body)
		require.Equal(t, 400, status, body)
	}
}

// TestOAuthWithAPlainClient walks through consent with golang.org/x/oauth2.
func TestOAuthWithAPlainClient(t *testing.T) {
	b := newBench(t, Config{Days: 2, Testing: true})
	ctx := context.WithValue(context.Background(), oauth2.HTTPClient, b.http)
	client := oauth2.Config{
		ClientID: DefaultClientID, ClientSecret: DefaultClientSecret, RedirectURL: DefaultRedirectURL, Scopes: Scopes()[:2],
		Endpoint: oauth2.Endpoint{
			AuthURL: "https://accounts.example.com" + AuthorizePath, TokenURL: "https://oauth2.example.com" + TokenPath, AuthStyle: oauth2.AuthStyleInParams,
		},
	}
	verifier := oauth2.GenerateVerifier()
	consent := func(options ...oauth2.AuthCodeOption) string {
		back, err := b.Authorize(b.user.ID, client.AuthCodeURL("s", append(options, oauth2.S256ChallengeOption(verifier))...))
		require.NoError(t, err)
		require.Equal(t, "s", back.Query().Get("state"))
		return back.Query().Get("code")
	}
	code := consent(oauth2.AccessTypeOffline, oauth2.SetAuthURLParam("prompt", "consent"))
	_, err := client.Exchange(ctx, code, oauth2.VerifierOption(oauth2.GenerateVerifier()))
	require.Error(t, err, "another verifier")
	first, err := client.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	require.NoError(t, err)
	require.NotEmpty(t, first.RefreshToken)
	require.InDelta(t, testingLife.Seconds(), first.Extra("refresh_token_expires_in"), 2)
	_, err = client.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	require.Error(t, err, "codes are used once")
	again, err := client.Exchange(ctx, consent(oauth2.AccessTypeOffline), oauth2.VerifierOption(verifier))
	require.NoError(t, err)
	require.Empty(t, again.RefreshToken, "only a prompt for consent gives another one")

	renew := func() (*oauth2.Token, error) {
		return client.TokenSource(ctx, &oauth2.Token{RefreshToken: first.RefreshToken}).Token()
	}
	next, err := renew()
	require.NoError(t, err)
	require.Equal(t, first.RefreshToken, next.RefreshToken, "it stays")
	status, answer := b.ask(next.AccessToken, http.MethodGet, "users/me/identity", nil, "")
	require.Equal(t, 200, status)
	require.Equal(t, b.user.LegacyID, answer["legacyUserId"])
	status, answer = b.ask(next.AccessToken, http.MethodGet, "users/me/dataTypes/sleep/dataPoints", nil, "")
	require.Equal(t, 403, status)
	require.Equal(t, "ACCESS_TOKEN_SCOPE_INSUFFICIENT", reason(answer))

	b.now = b.now.Add(2 * time.Hour)
	status, _ = b.ask(next.AccessToken, http.MethodGet, "users/me/identity", nil, "")
	require.Equal(t, 401, status)
	b.now = b.now.Add(testingLife)
	_, err = renew()
	var refused *oauth2.RetrieveError
	require.True(t, errors.As(err, &refused))
	require.Equal(t, "invalid_grant", refused.ErrorCode)
	require.Equal(t, 1, b.Ledger().Codes[1].Times)
}

func TestOldRefreshTokensAreDropped(t *testing.T) {
	b := newBench(t, Config{Days: 1})
	first := b.Login(b.user.ID)
	var last Token
	for range maxGrants {
		last = b.Login(b.user.ID)
	}
	refresh := func(token string) int {
		resp, err := b.http.PostForm("https://oauth2.example.com"+TokenPath, url.Values{
			"grant_type": {"refresh_token"}, "refresh_token": {token}, "client_id": {DefaultClientID}, "client_secret": {DefaultClientSecret},
		})
		require.NoError(t, err)
		_, _ = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode
	}
	require.Equal(t, 400, refresh(first.RefreshToken))
	require.Equal(t, 200, refresh(last.RefreshToken))
	resp, err := b.http.Post("https://oauth2.example.com"+RevokePath+"?token="+last.AccessToken, "", nil)
	require.NoError(t, err)
	require.Equal(t, 200, resp.StatusCode, "the token may be in the query")
	require.Equal(t, 400, refresh(last.RefreshToken))
}

func TestQuotaOfAPerson(t *testing.T) {
	b := newBench(t, Config{Days: 1, RateLimit: 3})
	token := b.token()
	for range 3 {
		status, _ := b.ask(token, http.MethodGet, "users/me/identity", nil, "")
		require.Equal(t, 200, status)
	}
	status, answer := b.ask(token, http.MethodGet, "users/me/identity", nil, "")
	require.Equal(t, 429, status)
	require.Equal(t, "RATE_LIMIT_EXCEEDED", reason(answer))
	b.now = b.now.Add(time.Minute)
	status, _ = b.ask(token, http.MethodGet, "users/me/identity", nil, "")
	require.Equal(t, 200, status)
}

func TestAccountsThatCannotBeRead(t *testing.T) {
	b := newBench(t, Config{Days: 1})
	other := b.AddUser(UserConfig{NotLinked: true, LegacyID: "-"})
	require.Empty(t, other.LegacyID)
	status, answer := b.ask(b.Login(other.ID).AccessToken, http.MethodGet, "users/me/identity", nil, "")
	require.Equal(t, 400, status)
	require.Equal(t, "ACCOUNT_NOT_LINKED", reason(answer))
	status, answer = b.ask("", http.MethodGet, "users/me/identity", nil, "")
	require.Equal(t, 401, status)
	require.Equal(t, "CREDENTIALS_MISSING", reason(answer))
	status, _ = b.ask(b.token(), http.MethodGet, "users/"+other.ID+"/identity", nil, "")
	require.Equal(t, 404, status, "another person's data")
}

func TestSameSeedSameWorld(t *testing.T) {
	a, b := newBench(t, Config{Seed: 7, Days: 30}), newBench(t, Config{Seed: 7, Days: 30})
	require.Equal(t, a.Truth(a.user.ID), b.Truth(b.user.ID))
	require.Equal(t, a.token(), b.token())
	require.Equal(t, a.Keyset(), b.Keyset())
	require.NotEqual(t, a.Truth(a.user.ID), newBench(t, Config{Seed: 8, Days: 30}).Truth(New(Config{Seed: 8}).AddUser(UserConfig{}).ID))
}

func TestTheWorldMovesWhenItIsTold(t *testing.T) {
	b := newBench(t, Config{Days: 10})
	before := b.Truth(b.user.ID)
	b.now = b.now.Add(3 * 24 * time.Hour)
	require.Equal(t, before, b.Truth(b.user.ID))
	b.AdvanceDay(b.user.ID)
	require.Equal(t, "2026-11-22", b.Truth(b.user.ID).User.LastDay)
	b.CatchUp(b.user.ID)
	after := b.Truth(b.user.ID)
	require.Equal(t, "2026-11-24", after.User.LastDay)
	require.Len(t, after.Days, len(before.Days)+3)

	start := b.now.Add(-5 * 24 * time.Hour)
	id := b.AddWorkout(b.user.ID, Workout{Type: "ROWING", Start: start, End: start.Add(time.Hour)})
	b.EditWorkout(b.user.ID, id, func(w *Workout) { w.Calories = 77 })
	require.Len(t, b.Truth(b.user.ID).Workouts, len(after.Workouts)+1)
	b.DeleteWorkout(b.user.ID, id)
	require.Equal(t, len(after.Workouts), len(b.Truth(b.user.ID).Workouts))
	b.DeleteSleep(b.user.ID, after.Sleeps[0].ID)
	require.Len(t, b.Truth(b.user.ID).Sleeps, len(after.Sleeps)-1)
	weights := b.Points(b.user.ID, "weight", true)
	b.DeleteReading(b.user.ID, weights[0].ID)
	require.Len(t, b.Points(b.user.ID, "weight", true), len(weights)-1)
}

// TestDeliveries registers an endpoint that fails at first: what is not answered
// with 204 comes again.
func TestDeliveries(t *testing.T) {
	var got []string
	answer := http.StatusInternalServerError
	endpoint := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		if string(body) == `{"type":"verification"}` {
			require.Equal(t, verifierAgent, r.UserAgent())
			w.WriteHeader(map[bool]int{true: http.StatusCreated, false: http.StatusForbidden}[r.Header.Get("Authorization") == "Bearer s"])
			return
		}
		require.NotEqual(t, r.Header.Get(SignatureHeader) == "", r.Header.Get(OldSignatureHeader) == "")
		got = append(got, string(body))
		w.WriteHeader(answer)
	})
	b := newBench(t, Config{Days: 3, Client: &http.Client{Transport: handed{endpoint}}})
	register := func(secret string) int {
		status, _ := b.ask(DefaultServiceToken, http.MethodPost, "projects/"+DefaultProject+"/subscribers", url.Values{"subscriberId": {"my-sub"}},
			fmt.Sprintf(`{"endpointUri":"https://host.example.com/","subscriberConfigs":[{"dataTypes":["sleep","steps"],"subscriptionCreatePolicy":"AUTOMATIC"}],"endpointAuthorization":{"secret":%q}}`, secret))
		return status
	}
	status, list := b.ask(DefaultServiceToken, http.MethodGet, "projects/"+DefaultProject+"/subscribers", nil, "")
	require.Equal(t, http.StatusOK, status)
	require.NotContains(t, list, "subscribers", "what is empty is left out, and never null")
	require.Equal(t, http.StatusBadRequest, register("Bearer wrong"))
	require.Equal(t, http.StatusOK, register("Bearer s"))
	require.Equal(t, http.StatusConflict, register("Bearer s"))
	status, list = b.ask(DefaultServiceToken, http.MethodGet, "projects/"+DefaultProject+"/subscribers", nil, "")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "ACTIVE", list["subscribers"].([]any)[0].(map[string]any)["state"])
	_, list = b.ask(DefaultServiceToken, http.MethodGet, "projects/"+DefaultProject+"/subscribers/my-sub/subscriptions", nil, "")
	require.Empty(t, list)

	night := b.Truth(b.user.ID).Sleeps[0]
	b.EditSleep(b.user.ID, night.ID, func(s *Sleep) { s.Processed = false })
	b.DeleteSleep(b.user.ID, night.ID)
	require.Len(t, b.Deliver(context.Background()), 2)
	require.Empty(t, b.Deliver(context.Background()), "not at once")
	answer = http.StatusNoContent
	b.now = b.now.Add(10 * time.Minute)
	for _, d := range b.Deliver(context.Background()) {
		require.Equal(t, http.StatusNoContent, d.Status)
	}
	require.Len(t, got, 4)
	require.Contains(t, strings.Join(got, ""), `"operation":"DELETE"`)
	b.Unlink(b.user.ID)
	require.Equal(t, "DELETE", b.Deliver(context.Background())[0].Notices[0].Operation)
}

func TestFaults(t *testing.T) {
	b := newBench(t, Config{Days: 2, RateLimit: -1})
	token := b.token()
	b.Fault(Fault{Kind: FaultStatus, Status: 504, Path: "identity", Skip: 1})
	b.Fault(Fault{Kind: FaultRewrite, Path: "settings", Rewrite: func([]byte) []byte { return []byte(`{"x":1}`) }})
	for _, want := range []int{200, 504, 200} {
		status, _ := b.ask(token, http.MethodGet, "users/me/identity", nil, "")
		require.Equal(t, want, status)
	}
	_, answer := b.ask(token, http.MethodGet, "users/me/settings", nil, "")
	require.Equal(t, map[string]any{"x": 1.0}, answer)
	log := b.Requests()
	require.Len(t, log, 4)
	require.Equal(t, FaultStatus, log[1].Fault)
	for _, kind := range []FaultKind{FaultHTML, FaultEmpty, FaultTruncate, FaultRedirect} {
		b.Fault(Fault{Kind: kind})
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/v4/users/me/identity", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		b.ServeHTTP(w, r)
		require.False(t, json.Valid(w.Body.Bytes()), kind)
	}
	b.Fault(Fault{Kind: FaultLost, Path: TokenPath})
	require.PanicsWithValue(t, http.ErrAbortHandler, func() {
		b.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, TokenPath, nil))
	})
	b.ClearFaults()
}
