package withingstest_test

import (
	"context"
	"encoding/json"
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

	"github.com/vitalmux/vitalmux/providers/withings/withingstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is the time of a test's world.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 11, 21, 15, 4, 5, 0, time.UTC)} }

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

// answer is an envelope.
type answer struct {
	Status int
	Body   json.RawMessage
	Error  string
}

func (a answer) decode(t *testing.T, into any) {
	t.Helper()
	require.Zero(t, a.Status, a.Error)
	require.NoError(t, json.Unmarshal(a.Body, into))
}

// world is a server with a clock and one user who is logged in.
type world struct {
	*withingstest.Server
	clock *clock
	user  withingstest.User
	token withingstest.Token
}

func newWorld(t *testing.T, cfg withingstest.Config) *world {
	t.Helper()
	w := &world{clock: newClock()}
	cfg.Now = w.clock.Now
	if cfg.Seed == 0 {
		cfg.Seed = 7
	}
	w.Server = withingstest.New(cfg)
	w.user = w.AddUser(withingstest.UserConfig{ID: 10001, Timezone: "America/New_York"})
	w.token = w.Login(w.user.ID)
	return w
}

// params builds a form from name, value pairs.
func params(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

func serve(t *testing.T, s http.Handler, path, bearer string, form url.Values) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	rec := httptest.NewRecorder()
	s.ServeHTTP(rec, r)
	return rec
}

func post(t *testing.T, s http.Handler, path, bearer string, pairs ...string) answer {
	t.Helper()
	rec := serve(t, s, path, bearer, params(pairs...))
	require.Equal(t, http.StatusOK, rec.Code)
	require.NotEmpty(t, rec.Header().Get("Date"))
	var a answer
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &a), rec.Body.String())
	return a
}

// data calls a data service as the world's user.
func (w *world) data(t *testing.T, path string, pairs ...string) answer {
	t.Helper()
	return post(t, w, path, w.token.AccessToken, pairs...)
}

const off = -1

// quiet is a configuration without limits on the pace of calls, and with a short history.
func quiet() withingstest.Config {
	return withingstest.Config{RateLimit: off, IdenticalCallWindow: off, Days: 40, IntradayDays: 6}
}

func authorizeQuery(pairs ...string) url.Values {
	q := params("response_type", "code", "client_id", withingstest.DefaultClientID, "state", "st4te",
		"scope", "user.info,user.metrics", "redirect_uri", withingstest.DefaultRedirectURL)
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			q.Del(pairs[i])
		} else {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return q
}

// code walks the consent of the world's user.
func (w *world) code(t *testing.T) string {
	t.Helper()
	u, err := w.Authorize(w.user.ID, "https://account.example/x?"+authorizeQuery().Encode())
	require.NoError(t, err)
	require.Equal(t, "st4te", u.Query().Get("state"))
	return u.Query().Get("code")
}

type tokenBody struct {
	UserID       any    `json:"userid"`
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	ExpiresIn    int    `json:"expires_in"`
	Scope        string `json:"scope"`
	TokenType    string `json:"token_type"`
}

func (w *world) exchange(t *testing.T, pairs ...string) answer {
	t.Helper()
	form := params("action", "requesttoken", "grant_type", "authorization_code", "client_id", withingstest.DefaultClientID,
		"client_secret", withingstest.DefaultClientSecret, "redirect_uri", withingstest.DefaultRedirectURL)
	return w.oauth(t, form, pairs...)
}

func (w *world) refresh(t *testing.T, refreshToken string, pairs ...string) answer {
	t.Helper()
	form := params("action", "requesttoken", "grant_type", "refresh_token", "client_id", withingstest.DefaultClientID,
		"client_secret", withingstest.DefaultClientSecret, "refresh_token", refreshToken)
	return w.oauth(t, form, pairs...)
}

// oauth posts a form to the token service; an empty value removes the parameter.
func (w *world) oauth(t *testing.T, form url.Values, pairs ...string) answer {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			form.Del(pairs[i])
		} else {
			form.Set(pairs[i], pairs[i+1])
		}
	}
	var a answer
	require.NoError(t, json.Unmarshal(serve(t, w, withingstest.OAuthPath, "", form).Body.Bytes(), &a))
	return a
}

func (w *world) nonce(t *testing.T) string {
	t.Helper()
	stamp := strconv.FormatInt(w.clock.Now().Unix(), 10)
	var body struct{ Nonce string }
	post(t, w, withingstest.SignaturePath, "", "action", "getnonce", "client_id", withingstest.DefaultClientID, "timestamp", stamp,
		"signature", withingstest.Sign(withingstest.DefaultClientSecret, "getnonce", withingstest.DefaultClientID, stamp)).decode(t, &body)
	require.NotEmpty(t, body.Nonce)
	return body.Nonce
}

func signed(action, nonce string) string {
	return withingstest.Sign(withingstest.DefaultClientSecret, action, withingstest.DefaultClientID, nonce)
}

// transportContext has golang.org/x/oauth2 call a handler.
func transportContext(t *testing.T, h http.Handler) context.Context {
	return context.WithValue(t.Context(), oauth2.HTTPClient, &http.Client{Transport: inProcess{h}})
}

// TestWhatClientsDo has the liberties that clients take: forms that do not say that they are forms, tokens in the query,
// GET for POST.
func TestWhatClientsDo(t *testing.T) {
	w := newWorld(t, quiet())
	for name, r := range map[string]*http.Request{
		"form without a content type": httptest.NewRequest(http.MethodPost, "/measure",
			strings.NewReader("action=getmeas&access_token="+w.token.AccessToken)),
		"token in the query": httptest.NewRequest(http.MethodPost, "/measure?access_token="+w.token.AccessToken,
			strings.NewReader("action=getmeas")),
		"GET": httptest.NewRequest(http.MethodGet, "/measure?action=getmeas&access_token="+w.token.AccessToken, nil),
	} {
		rec := httptest.NewRecorder()
		w.ServeHTTP(rec, r)
		require.Contains(t, rec.Body.String(), `"measuregrps"`, name)
	}
	r := httptest.NewRequest(http.MethodPost, "/v2/oauth2", strings.NewReader(url.Values{
		"action": {"requesttoken"}, "grant_type": {"refresh_token"}, "client_id": {withingstest.DefaultClientID},
		"client_secret": {withingstest.DefaultClientSecret}, "refresh_token": {w.token.RefreshToken},
	}.Encode()))
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, r)
	require.Contains(t, rec.Body.String(), `"refresh_token"`)
}

// TestWhatClientsInsistOn: fields that clients fail without are there in each row, be it as null, and on the last page.
func TestWhatClientsInsistOn(t *testing.T) {
	w := newWorld(t, quiet())
	all := []string{"startdateymd", w.user.FirstDay, "enddateymd", w.user.LastDay}
	for _, c := range []struct {
		path, action, rows string
		question           []string
		body, row          []string
	}{
		{"/measure", "getmeas", "measuregrps", nil, []string{"more", "offset", "timezone", "updatetime"}, []string{"created", "deviceid", "hash_deviceid", "model_id", "modelid", "model"}},
		{"/v2/measure", "getactivity", "activities", all, []string{"more", "offset"}, []string{"deviceid", "hash_deviceid", "timezone", "model_id", "modelid", "brand", "is_tracker"}},
		{"/v2/measure", "getworkouts", "series", all, []string{"more", "offset"}, []string{"deviceid", "timezone", "attrib", "modified", "data"}},
		{"/v2/sleep", "getsummary", "series", all, []string{"more", "offset"}, []string{"created", "hash_deviceid", "model_id", "model", "timezone", "data"}},
		{"/v2/heart", "list", "series", nil, []string{"more", "offset"}, []string{"deviceid", "model", "timestamp"}},
		{"/v2/user", "getdevice", "devices", nil, nil, []string{"deviceid", "hash_deviceid", "model_id", "timezone"}},
	} {
		var body map[string]json.RawMessage
		w.data(t, c.path, append([]string{"action", c.action}, c.question...)...).decode(t, &body)
		for _, name := range c.body {
			require.Contains(t, body, name, c.action)
		}
		var rows []map[string]any
		require.NoError(t, json.Unmarshal(body[c.rows], &rows))
		require.NotEmpty(t, rows)
		for _, row := range rows {
			for _, name := range c.row {
				require.Contains(t, row, name, c.action)
			}
		}
	}
}
