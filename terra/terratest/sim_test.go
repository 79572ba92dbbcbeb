package terratest_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitalmux/vitalmux/terra/terratest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start() time.Time { return time.Date(2026, 11, 21, 15, 4, 5, 0, time.UTC) }

// newServer is a simulator with a clock that stands still, closed with the test.
func newServer(t *testing.T, cfg terratest.Config) *terratest.Server {
	t.Helper()
	if cfg.Now == nil {
		cfg.Now = start
	}
	if cfg.Seed == 0 {
		cfg.Seed = 7
	}
	if cfg.BaseURL == "" {
		cfg.BaseURL = "https://terra.test"
	}
	s := terratest.New(cfg)
	t.Cleanup(s.Close)
	return s
}

// response is an answer of the simulator.
type response struct {
	Code   int
	Header http.Header
	Text   string
	Body   map[string]any // nil if the answer is no object
}

// ask sends a request with credentials. The path begins with the version.
func ask(t *testing.T, s http.Handler, method, path, body string, header ...string) response {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("dev-id", terratest.DefaultDevID)
	r.Header.Set("x-api-key", terratest.DefaultAPIKey)
	for i := 0; i < len(header); i += 2 {
		r.Header.Del(header[i])
		if header[i+1] != "" {
			r.Header.Set(header[i], header[i+1])
		}
	}
	rec := httptest.NewRecorder()
	s.ServeHTTP(rec, r)
	a := response{Code: rec.Code, Header: rec.Result().Header, Text: rec.Body.String()}
	_ = json.Unmarshal(rec.Body.Bytes(), &a.Body)
	return a
}

// delivery is a webhook as it arrived.
type delivery struct {
	header http.Header
	body   []byte
	event  map[string]any
}

// receiver is a service that receives webhooks. It verifies signatures with its own code.
type receiver struct {
	*httptest.Server
	mu      sync.Mutex
	answers []int // status codes of the next answers; 200 afterwards
	got     []delivery
	bad     []string // why a signature was refused
	secrets []string
}

func newReceiver(t *testing.T, secrets ...string) *receiver {
	if secrets == nil {
		secrets = []string{terratest.DefaultSigningSecret}
	}
	r := &receiver{secrets: secrets}
	r.Server = httptest.NewServer(http.HandlerFunc(r.receive))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) receive(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(q.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.genuine(q.Header.Get("Terra-Signature"), body) {
		r.bad = append(r.bad, q.Header.Get("Terra-Signature"))
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	d := delivery{header: q.Header, body: body}
	_ = json.Unmarshal(body, &d.event)
	r.got = append(r.got, d)
	if len(r.answers) > 0 {
		status := r.answers[0]
		r.answers = r.answers[1:]
		if status/100 == 3 {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(status)
	}
}

// genuine is written from the documentation of the signature, not with terratest.Sign.
func (r *receiver) genuine(header string, body []byte) bool {
	var stamp string
	var sums []string
	for _, part := range strings.Split(header, ",") {
		k, v, _ := strings.Cut(part, "=")
		switch k {
		case "t":
			stamp = v
		case "v1":
			sums = append(sums, v)
		}
	}
	if _, err := strconv.ParseInt(stamp, 10, 64); err != nil {
		return false
	}
	for _, secret := range r.secrets {
		mac := hmac.New(sha256.New, []byte(secret))
		io.WriteString(mac, stamp+".")
		mac.Write(body)
		if slices.Contains(sums, hex.EncodeToString(mac.Sum(nil))) {
			return true
		}
	}
	return false
}

func (r *receiver) deliveries() []delivery {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

func (r *receiver) types() (list []string) {
	for _, d := range r.deliveries() {
		list = append(list, d.event["type"].(string))
	}
	return list
}

func (r *receiver) answer(codes ...int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers = codes
}

func settle(t *testing.T, s *terratest.Server) {
	t.Helper()
	require.NoError(t, s.Settle(t.Context()))
}

func TestSignatureVector(t *testing.T) {
	require.Equal(t, "101280d63f0d60723210112db4fb90cb90d231443775b3748b62aa3538ccca87",
		terratest.Sign("test_signing_secret", 1700000000, []byte(`{"type":"deauth","status":"success"}`)))
}

func TestCredentials(t *testing.T) {
	s := newServer(t, terratest.Config{})
	for _, test := range []struct {
		name, method, path string
		header             []string
		code               int
		text               string
	}{
		{"no dev-id", "GET", "/api/v2/subscriptions", []string{"dev-id", ""}, 401, `{"detail":"dev-id or x-api-key headers are missing","instance":"/subscriptions","title":"unauthorized","type":"about:blank"}`},
		{"no key", "GET", "/v2/subscriptions", []string{"x-api-key", ""}, 401, `{"message":"dev-id or x-api-key headers are missing","status":"error"}`},
		{"wrong key", "GET", "/v2/subscriptions", []string{"x-api-key", "x"}, 401, `{"message":"unauthorized"}`},
		{"wrong dev-id", "GET", "/api/v2/subscriptions", []string{"dev-id", "x"}, 401, `{"detail":"unauthorized","instance":"/subscriptions","title":"unauthorized","type":"about:blank"}`},
		{"right", "GET", "/v2/subscriptions", nil, 200, `{"status":"success","users":[]}`},
		{"no version", "GET", "/subscriptions", nil, 404, ""},
		{"other version", "GET", "/v3/subscriptions", nil, 404, ""},
		{"unknown path", "GET", "/v2/nothing", nil, 404, `{"message":"not found","status":"error"}`},
		{"wrong method", "POST", "/v2/subscriptions", nil, 405, `{"message":"method not allowed","status":"error"}`},
		{"widget successor", "POST", "/api/widget/session", []string{"x-api-key", "x"}, 403, `{"message":"unauthorized","status":"error"}`},
		{"stream token", "POST", "/auth/developer", []string{"x-api-key", "x"}, 403, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := ask(t, s, test.method, test.path, "", test.header...)
			require.Equal(t, test.code, a.Code)
			if test.text != "" {
				require.Equal(t, test.text, a.Text)
			}
			require.NotEmpty(t, a.Header.Get("terra-reference"))
			if strings.Contains(a.Text, "about:blank") {
				require.Equal(t, "application/problem+json", a.Header.Get("Content-Type"))
			}
		})
	}
	always := newServer(t, terratest.Config{Errors: terratest.ErrorsProblem})
	require.Contains(t, ask(t, always, "GET", "/v2/nothing", "").Text, "about:blank")
	never := newServer(t, terratest.Config{Errors: terratest.ErrorsLegacy})
	require.NotContains(t, ask(t, never, "GET", "/api/v2/nothing", "").Text, "about:blank")
}

func TestIntegrations(t *testing.T) {
	s := newServer(t, terratest.Config{Providers: []string{"GARMIN", "APPLE"}})
	all := ask(t, s, "GET", "/v2/integrations", "", "dev-id", "", "x-api-key", "")
	require.Equal(t, 200, all.Code)
	require.Greater(t, len(all.Body["providers"].([]any)), 70)
	require.Contains(t, all.Body["providers"], "Intervals.icu")
	mine := ask(t, s, "GET", "/v2/integrations", "", "x-api-key", "")
	require.Equal(t, []any{"GARMIN"}, mine.Body["providers"])
	require.Equal(t, []any{"APPLE"}, mine.Body["sdk_providers"])
	require.Equal(t, 401, ask(t, s, "GET", "/v2/integrations", "", "dev-id", "other").Code)

	detailed := ask(t, s, "GET", "/api/v2/integrations/detailed?sdk=True", "", "x-api-key", "")
	list := detailed.Body["providers"].([]any)
	require.Len(t, list, 2)
	garmin := list[0].(map[string]any)
	require.Equal(t, true, garmin["types"].(map[string]any)["sleep"])
	require.Equal(t, false, garmin["types"].(map[string]any)["nutrition"])
	require.Equal(t, 400, ask(t, s, "GET", "/v2/integrations/detailed?sdk=perhaps", "").Code)
}

func TestUserInfo(t *testing.T) {
	s := newServer(t, terratest.Config{})
	a := s.AddUser(terratest.UserConfig{Provider: "GARMIN", ReferenceID: "p1"})
	b := s.AddUser(terratest.UserConfig{Provider: "OURA", ReferenceID: "p1"})
	s.RevokeAccess(b.ID)
	one := ask(t, s, "GET", "/v2/userInfo?user_id="+a.ID, "")
	require.Equal(t, true, one.Body["is_authenticated"])
	require.Equal(t, "p1", one.Body["user"].(map[string]any)["reference_id"])
	require.Equal(t, false, ask(t, s, "GET", "/v2/userInfo?user_id="+b.ID, "").Body["is_authenticated"])
	var list []map[string]any
	require.NoError(t, json.Unmarshal([]byte(ask(t, s, "GET", "/v2/userInfo?reference_id=p1", "").Text), &list))
	require.Len(t, list, 2)
	require.Equal(t, false, list[1]["active"])
	require.Equal(t, "[]", ask(t, s, "GET", "/v2/userInfo?reference_id=p2", "").Text)
	require.Equal(t, 404, ask(t, s, "GET", "/v2/userInfo?user_id=none", "").Code)
	require.Equal(t, 400, ask(t, s, "GET", "/v2/userInfo", "").Code)
	require.Equal(t, 400, ask(t, s, "GET", "/v2/userInfo?user_id=a&reference_id=b", "").Code)

	other := newServer(t, terratest.Config{UserInfo: terratest.UserInfoObject})
	other.AddUser(terratest.UserConfig{ReferenceID: "p1"})
	require.Len(t, ask(t, other, "GET", "/v2/userInfo?reference_id=p1", "").Body["users"], 1)

	bulk := ask(t, s, "POST", "/v2/bulkUserInfo", `["`+a.ID+`","none"]`)
	require.NoError(t, json.Unmarshal([]byte(bulk.Text), &list))
	require.Len(t, list, 1)
	require.Equal(t, 404, ask(t, s, "POST", "/v2/bulkUserInfo", `["none"]`).Code)
	require.Equal(t, 400, ask(t, s, "POST", "/v2/bulkUserInfo", `[]`).Code)
	require.Equal(t, 400, ask(t, s, "POST", "/v2/bulkUserInfo", `{"ids":[]}`).Code)

	changed := ask(t, s, "PATCH", "/v2/users/"+a.ID, `{"reference_id":"p9","active":false}`)
	require.Equal(t, "p9", changed.Body["user"].(map[string]any)["reference_id"])
	require.Equal(t, 400, ask(t, s, "PATCH", "/v2/users/none", `{}`).Code)
}

func TestSubscriptions(t *testing.T) {
	s := newServer(t, terratest.Config{Days: 1})
	for range 5 {
		s.AddUser(terratest.UserConfig{})
	}
	require.Len(t, ask(t, s, "GET", "/api/v2/subscriptions", "").Body["users"], 5)
	page := func(query string) (map[string]any, int) {
		a := ask(t, s, "GET", "/v2/subscriptions?"+query, "")
		require.Equal(t, 200, a.Code)
		data := a.Body["data"].(map[string]any)
		return data, len(data["results"].([]any))
	}
	data, n := page("page=0&per_page=2")
	require.Equal(t, 2, n)
	require.EqualValues(t, 1, data["next"])
	require.EqualValues(t, 2, data["max_page"])
	data, n = page("page=2&per_page=2")
	require.Equal(t, 1, n)
	require.Nil(t, data["next"])
	data, n = page("page=9")
	require.Zero(t, n)
	require.Nil(t, data["next"])
	for _, query := range []string{"page=-1", "page=x", "page=0&per_page=0"} {
		require.Equal(t, 400, ask(t, s, "GET", "/v2/subscriptions?"+query, "").Code, query)
	}
}

func TestMobileToken(t *testing.T) {
	s := newServer(t, terratest.Config{})
	token := func() string {
		a := ask(t, s, "POST", "/v2/auth/generateAuthToken", "")
		require.EqualValues(t, 180, a.Body["expires_in"])
		require.Len(t, a.Body["token"], 64)
		return a.Body["token"].(string)
	}
	first := token()
	u, err := s.ConnectMobile(first, terratest.UserConfig{Provider: "APPLE", ReferenceID: "p1"})
	require.NoError(t, err)
	require.Equal(t, terratest.StateActive, u.State)
	_, err = s.ConnectMobile(first, terratest.UserConfig{Provider: "APPLE"})
	require.ErrorContains(t, err, "used")
	late := token()
	_, err = s.ConnectMobile(late, terratest.UserConfig{Provider: "GARMIN"})
	require.ErrorContains(t, err, "mobile SDK")
	s.Advance(180 * time.Second)
	_, err = s.ConnectMobile(late, terratest.UserConfig{Provider: "APPLE"})
	require.ErrorContains(t, err, "expired")
	require.Len(t, s.Ledger().Tokens, 2)
}

// same compares JSON texts by value.
func same(t *testing.T, want, got any) {
	t.Helper()
	text := func(v any) string {
		b, err := json.Marshal(v)
		require.NoError(t, err)
		var plain any
		require.NoError(t, json.Unmarshal(b, &plain))
		b, err = json.Marshal(plain)
		require.NoError(t, err)
		return string(bytes.TrimSpace(b))
	}
	require.Equal(t, text(want), text(got))
}
