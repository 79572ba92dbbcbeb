package oauth1

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/httpx"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/providertest"
)

const (
	requestToken  = "1bc649a66eae532724844ea5f011b9f7670422d89be244fafc556761a30"
	requestSecret = "a03dcd1be9e926526fc6634376ca8c1d41a926d6bd323ffd5093237d58de"
	accessToken   = "a78e6e8c2a3ac710a472ba3edcbd3d1b0b89343ec5d785950638ff694b5"
	accessSecret  = "3d3545b4cec92cdae6e79807d4d8b35bdfeff24ccf9ccab7f1aeb2ef0f89"
	flowCallback  = "https://app.example.org/cb?state=4f 1&name=Zoë~"
)

// account is the service's side of the flow. It verifies each request.
type account struct {
	answer func(w http.ResponseWriter, r *http.Request) bool // true if it answered
	calls  []*http.Request
	errs   []error
}

func (a *account) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.calls = append(a.calls, r)
	secret := ""
	if r.URL.Query().Get(paramToken) == requestToken {
		secret = requestSecret
	}
	a.errs = append(a.errs, verify(r.Method, "https://"+r.Host+r.RequestURI, benchSigner().ConsumerSecret, secret))
	if a.answer != nil && a.answer(w, r) {
		return
	}
	switch r.URL.Path {
	case "/account/request_token":
		fmt.Fprintf(w, "oauth_token=%s&oauth_token_secret=%s", requestToken, requestSecret)
	case "/account/access_token":
		fmt.Fprintf(w, "oauth_token=%s&oauth_token_secret=%s&userid=1000231&deviceid=77\n", accessToken, accessSecret)
	default:
		http.NotFound(w, r)
	}
}

func newFlow(t *testing.T, a *account, change func(*Config)) *Flow {
	t.Helper()
	cfg := Config{
		ConsumerKey: benchSigner().ConsumerKey, ConsumerSecret: providers.NewSecret(benchSigner().ConsumerSecret),
		Transport: providertest.Transport(a),
	}
	if change != nil {
		change(&cfg)
	}
	f, err := NewFlow(cfg)
	require.NoError(t, err)
	return f
}

// the request token of the flow's tests.
func begun() Token {
	return Token{Token: providers.NewSecret(requestToken), Secret: providers.NewSecret(requestSecret)}
}

func TestFlow(t *testing.T) {
	var (
		a      account
		traces []Trace
		log    strings.Builder
	)
	f := newFlow(t, &a, func(cfg *Config) {
		cfg.Trace = func(trace Trace) { traces = append(traces, trace) }
		cfg.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	request, err := f.RequestToken(t.Context(), flowCallback)
	require.NoError(t, err)
	require.Equal(t, begun(), request)

	consent, err := f.AuthorizeURL(request, flowCallback)
	require.NoError(t, err)
	require.NoError(t, verify("GET", consent, benchSigner().ConsumerSecret, requestSecret))
	u, err := url.Parse(consent)
	require.NoError(t, err)
	require.Equal(t, "https://developer.health.nokia.com/account/authorize", u.Scheme+"://"+u.Host+u.Path)
	require.Equal(t, requestToken, u.Query().Get(paramToken))
	require.Equal(t, flowCallback, u.Query().Get(paramCallback))

	access, err := f.AccessToken(t.Context(), request, flowCallback, url.Values{
		"userid": {"1000231"}, "oauth_token": {requestToken}, "oauth_verifier": {"v3r1f13r"}, "state": {"4f 1"},
	})
	require.NoError(t, err)
	require.Equal(t, Access{
		Token:  Token{Token: providers.NewSecret(accessToken), Secret: providers.NewSecret(accessSecret)},
		UserID: "1000231", DeviceID: "77",
	}, access)

	require.Len(t, a.calls, 2)
	for i, r := range a.calls {
		require.NoError(t, a.errs[i])
		require.Equal(t, http.MethodGet, r.Method)
		require.Empty(t, r.Header.Get("Authorization"))
		require.Equal(t, flowCallback, r.URL.Query().Get(paramCallback))
	}
	require.False(t, a.calls[0].URL.Query().Has(paramToken))
	require.False(t, a.calls[0].URL.Query().Has(paramVerifier))
	require.Equal(t, "v3r1f13r", a.calls[1].URL.Query().Get(paramVerifier))

	// Encoded once in the URL, twice in the base string.
	require.Contains(t, a.calls[0].URL.RawQuery, "oauth_callback=https%3A%2F%2Fapp.example.org%2Fcb%3Fstate%3D4f%201%26name%3DZo%C3%AB~&")
	require.Len(t, traces, 3)
	require.Contains(t, traces[0].BaseString, "&oauth_callback%3Dhttps%253A%252F%252Fapp.example.org%252Fcb%253Fstate%253D4f%25201%2526name%253DZo%25C3%25AB~%26")
	require.Equal(t, "[redacted]&", traces[0].Key)
	require.Equal(t, "[redacted]&[redacted]", traces[1].Key)
	require.Equal(t, consent, traces[1].URL)
	require.Equal(t, "https://"+a.calls[1].Host+a.calls[1].RequestURI, traces[2].URL)

	texts := log.String() + fmt.Sprint(traces) + fmt.Sprintf("%v %+v %#v %s %v %#v %+v", request, request, request, access, access, f, *f)
	for _, secret := range []string{benchSigner().ConsumerSecret, requestSecret, accessToken, accessSecret} {
		require.NotContains(t, texts, secret)
	}
}

// The access token is asked for once, also where the service reads the request
// and breaks the connection, which net/http repeats a GET for if the connection
// was used before.
func TestOneRequestForAnAccessToken(t *testing.T) {
	var a account
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/account/request_token" {
			a.ServeHTTP(w, r)
			return
		}
		asked.Add(1)
		panic(http.ErrAbortHandler)
	}))
	defer server.Close()
	f := newFlow(t, &a, func(cfg *Config) { cfg.AccountURL, cfg.Transport = server.URL+"/account", nil })
	request, err := f.RequestToken(t.Context(), flowCallback)
	require.NoError(t, err)
	_, err = f.AccessToken(t.Context(), request, flowCallback, url.Values{"oauth_token": {requestToken}})
	var e *providers.Error
	require.ErrorAs(t, err, &e)
	require.ErrorIs(t, err, providers.ErrUnavailable)
	require.True(t, e.Ambiguous, "the service may have given out a token")
	require.EqualValues(t, 1, asked.Load())
}

// TestFlowWithoutExtras is the shortest form the service took.
func TestFlowWithoutExtras(t *testing.T) {
	var a account
	f := newFlow(t, &a, func(cfg *Config) { cfg.AccountURL = "https://OAuth.Withings.com:443/account" })
	consent, err := f.AuthorizeURL(begun(), "")
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(consent, "https://oauth.withings.com/account/authorize?oauth_consumer_key="))
	require.NoError(t, verify("GET", consent, benchSigner().ConsumerSecret, requestSecret))
	_, err = f.AccessToken(t.Context(), begun(), "", url.Values{"oauth_token": {requestToken}})
	require.NoError(t, err)
	query := a.calls[0].URL.Query()
	require.False(t, query.Has(paramVerifier))
	require.False(t, query.Has(paramCallback))
}

func TestFlowRefusesBeforeSending(t *testing.T) {
	var a account
	f := newFlow(t, &a, nil)
	_, err := f.RequestToken(t.Context(), "")
	require.ErrorIs(t, err, providers.ErrInvalid)
	_, err = f.AuthorizeURL(Token{}, flowCallback)
	require.ErrorIs(t, err, providers.ErrInvalid)
	for name, query := range map[string]url.Values{
		"no token":      {"userid": {"1"}},
		"another token": {"oauth_token": {accessToken}},
		"two tokens":    {"oauth_token": {requestToken, requestToken}},
		"an empty one":  {"oauth_token": {""}},
		"two verifiers": {"oauth_token": {requestToken}, "oauth_verifier": {"1", "2"}},
		"two users":     {"oauth_token": {requestToken}, "userid": {"1", "2"}},
	} {
		_, err = f.AccessToken(t.Context(), begun(), flowCallback, query)
		require.ErrorIs(t, err, providers.ErrInvalid, name)
		require.NotContains(t, err.Error(), requestToken)
	}
	_, err = f.AccessToken(t.Context(), Token{}, flowCallback, url.Values{"oauth_token": {""}})
	require.ErrorIs(t, err, providers.ErrInvalid)
	require.Empty(t, a.calls)
}

func TestNewFlowRefuses(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no key":    {ConsumerSecret: providers.NewSecret("s")},
		"no secret": {ConsumerKey: "k"},
		"plain":     {ConsumerKey: "k", ConsumerSecret: providers.NewSecret("s"), AccountURL: "http://oauth.withings.com/account"},
		"no URL":    {ConsumerKey: "k", ConsumerSecret: providers.NewSecret("s"), AccountURL: ":"},
	} {
		_, err := NewFlow(cfg)
		require.ErrorIs(t, err, providers.ErrInvalid, name)
	}
}

// answers is what the pages may answer, and what becomes of it: as the answer
// to the request token, and to the access token.
var answers = []struct {
	name            string
	status          int
	body            string
	request, access error
	ambiguous       bool // of the access token
}{
	{"confirmed", 200, "oauth_token=t&oauth_token_secret=s&userid=1&oauth_callback_confirmed=true", nil, nil, false},
	{"no device", 200, "oauth_token=t&oauth_token_secret=s&userid=1", nil, nil, false},
	{"any order, more fields, white space", 200, "\r\n x=1&userid=1&oauth_token_secret=s&oauth_token=t&x=2 \n", nil, nil, false},
	{"created", 201, "oauth_token=t&oauth_token_secret=s&userid=1", nil, nil, false},
	{"no user", 200, "oauth_token=t&oauth_token_secret=s", nil, providers.ErrMalformed, true},
	{"an empty user", 200, "oauth_token=t&oauth_token_secret=s&userid=", nil, providers.ErrMalformed, true},
	{"not confirmed", 200, "oauth_token=t&oauth_token_secret=s&userid=1&oauth_callback_confirmed=false", providers.ErrMalformed, providers.ErrMalformed, true},
	{"no token", 200, "oauth_token_secret=s&userid=1", providers.ErrMalformed, providers.ErrMalformed, true},
	{"no secret", 200, "oauth_token=t&userid=1", providers.ErrMalformed, providers.ErrMalformed, true},
	{"nothing", 200, "", providers.ErrMalformed, providers.ErrMalformed, true},
	{"a page", 200, "<html><body>Log in</body></html>", providers.ErrMalformed, providers.ErrMalformed, true},
	{"a token twice", 200, "oauth_token=t&oauth_token=u&oauth_token_secret=s&userid=1", providers.ErrMalformed, providers.ErrMalformed, true},
	{"a token with a line", 200, "oauth_token=t%0a&oauth_token_secret=s&userid=1", providers.ErrMalformed, providers.ErrMalformed, true},
	{"a token that is not ASCII", 200, "oauth_token=%C3%A9&oauth_token_secret=s&userid=1", providers.ErrMalformed, providers.ErrMalformed, true},
	{"a long token", 200, "oauth_token=" + strings.Repeat("t", maxToken+1) + "&oauth_token_secret=s&userid=1", providers.ErrMalformed, providers.ErrMalformed, true},
	{"a long user", 200, "oauth_token=t&oauth_token_secret=s&userid=" + strings.Repeat("1", maxID+1), nil, providers.ErrMalformed, true},
	{"a bad escape", 200, "oauth_token=%zz&oauth_token_secret=s&userid=1", providers.ErrMalformed, providers.ErrMalformed, true},
	{"a long body", 200, strings.Repeat(" ", maxAnswer) + "oauth_token=t&oauth_token_secret=s&userid=1", providers.ErrMalformed, providers.ErrMalformed, true},
	{"status 0", 200, `{"status":0}`, providers.ErrMalformed, providers.ErrMalformed, true},
	{"another object", 200, `{"error":"x"}`, providers.ErrMalformed, providers.ErrMalformed, true},
	{"signature invalid", 200, `{"status":342,"error":"The signature (using Oauth) is invalid"}`, providers.ErrInvalid, providers.ErrInvalid, false},
	{"credentials invalid", 200, `{"status":249}`, providers.ErrInvalid, providers.ErrReauth, false},
	{"token unknown", 200, `{"status":401}`, providers.ErrInvalid, providers.ErrReauth, false},
	{"too many", 200, `{"status":601,"body":{"wait_seconds":188},"error":"Too many"}`, providers.ErrRateLimited, providers.ErrRateLimited, false},
	{"too many, no wait", 200, `{"status":601,"body":[]}`, providers.ErrRateLimited, providers.ErrRateLimited, false},
	{"temporary", 200, `{"status":284}`, providers.ErrUnavailable, providers.ErrUnavailable, true},
	{"a status nobody knows", 200, `{"status":98765}`, providers.ErrUnavailable, providers.ErrUnavailable, true},
	{"342 with HTTP 401", 401, `{"status":342}`, providers.ErrInvalid, providers.ErrInvalid, false},
	{"HTTP 400", 400, "bad", providers.ErrInvalid, providers.ErrInvalid, false},
	{"HTTP 401", 401, "oauth_problem=token_rejected", providers.ErrInvalid, providers.ErrReauth, false},
	{"HTTP 404", 404, "", providers.ErrInvalid, providers.ErrInvalid, false},
	{"HTTP 429", 429, "", providers.ErrRateLimited, providers.ErrRateLimited, false},
	{"HTTP 500", 500, "oauth_token=t&oauth_token_secret=s&userid=1", providers.ErrUnavailable, providers.ErrUnavailable, true},
	{"a redirect", 302, "", providers.ErrMalformed, providers.ErrMalformed, true},
}

func TestAnswers(t *testing.T) {
	for _, c := range answers {
		t.Run(c.name, func(t *testing.T) {
			a := account{answer: func(w http.ResponseWriter, _ *http.Request) bool {
				w.Header().Set("X-Request-Id", "r-1")
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
				return true
			}}
			f := newFlow(t, &a, func(cfg *Config) { cfg.MaxWait = -1 })
			judge := func(op string, want, err error, ambiguous bool) {
				if want == nil {
					require.NoError(t, err)
					return
				}
				require.ErrorIs(t, err, want)
				e, ok := errors.AsType[*providers.Error](err)
				require.True(t, ok)
				require.Equal(t, "withings", e.Provider)
				require.Equal(t, op, e.Op)
				require.Equal(t, "r-1", e.RequestID)
				require.Equal(t, c.status, e.Status)
				require.Equal(t, ambiguous, e.Ambiguous, "ambiguous")
				require.Equal(t, errors.Is(want, providers.ErrInvalid), e.ClientFault)
				require.False(t, e.ExpiredAccess)
				if len(c.body) > 3 {
					require.NotContains(t, err.Error(), c.body)
				}
			}
			request, err := f.RequestToken(t.Context(), flowCallback)
			judge("request token", c.request, err, false)
			if err == nil {
				require.Equal(t, "t", request.Token.Reveal())
				require.Equal(t, "s", request.Secret.Reveal())
			} else {
				require.Zero(t, request)
			}
			a.calls = nil
			access, err := f.AccessToken(t.Context(), begun(), flowCallback, url.Values{"oauth_token": {requestToken}})
			judge("access token", c.access, err, c.ambiguous)
			require.Len(t, a.calls, 1)
			if err == nil {
				require.Equal(t, "1", access.UserID)
			} else {
				require.Zero(t, access)
			}
			for _, err := range a.errs {
				require.NoError(t, err)
			}
		})
	}
}

// TestAnotherPerson: the address named one member of the family and the token
// is another's.
func TestAnotherPerson(t *testing.T) {
	var a account
	_, err := newFlow(t, &a, nil).AccessToken(t.Context(), begun(), flowCallback, url.Values{"oauth_token": {requestToken}, "userid": {"1000232"}})
	require.ErrorIs(t, err, providers.ErrMalformed)
	e, _ := errors.AsType[*providers.Error](err)
	require.Equal(t, providers.CodeIdentity, e.Code)
	require.True(t, e.Ambiguous)
}

func TestRetryAt(t *testing.T) {
	now := time.Date(2018, 2, 15, 12, 0, 0, 0, time.UTC)
	for body, want := range map[string]time.Duration{
		`{"status":601,"body":{"wait_seconds":188}}`:    188 * time.Second,
		`{"status":601,"body":{"wait_seconds":1e9}}`:    10 * time.Second, // no integer
		`{"status":601,"body":{"wait_seconds":999999}}`: 15 * time.Minute,
		`{"status":601,"body":{"wait_seconds":-1}}`:     10 * time.Second,
		`{"status":601}`: 10 * time.Second,
	} {
		_, e := readAnswer(&httpx.Response{Status: 200, Body: []byte(body)}, true, now)
		require.NotNil(t, e, body)
		require.Equal(t, now.Add(want), e.RetryAt, body)
	}
}

// TestRequestTokenIsTriedAgain with a nonce and a timestamp for each attempt, and
// the access token is not.
func TestRequestTokenIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failing := 2
		a := account{answer: func(w http.ResponseWriter, _ *http.Request) bool {
			failing--
			if failing >= 0 {
				w.WriteHeader(http.StatusBadGateway)
			}
			return failing >= 0
		}}
		now := int64(1490166061)
		f := newFlow(t, &a, func(cfg *Config) {
			cfg.Now = func() time.Time { now++; return time.Unix(now, 0) }
		})
		_, err := f.RequestToken(t.Context(), flowCallback)
		require.NoError(t, err)
		nonces, timestamps := map[string]bool{}, map[string]bool{}
		for i, r := range a.calls {
			require.NoError(t, a.errs[i])
			nonces[r.URL.Query().Get(paramNonce)] = true
			timestamps[r.URL.Query().Get(paramTimestamp)] = true
		}
		require.Len(t, nonces, 3)
		require.Len(t, timestamps, 3)

		failing, a.calls = 1, nil
		_, err = f.AccessToken(t.Context(), begun(), flowCallback, url.Values{"oauth_token": {requestToken}})
		require.ErrorIs(t, err, providers.ErrUnavailable)
		require.Len(t, a.calls, 1)
	})
}

func TestFlowIsInterrupted(t *testing.T) {
	var a account
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := newFlow(t, &a, nil).RequestToken(ctx, flowCallback)
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, a.calls)
}
