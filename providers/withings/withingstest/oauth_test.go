package withingstest_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/providers/withings/withingstest"
)

func TestSignature(t *testing.T) {
	const client = "e53529069d34d6bfcbc78bcf560824a720249051a5d5b120ea3e5b768bae1012"
	const secret = "a5943bd59522a595d9285f3b2ad6e1312e3317aed45dfd5c3eeb137197e574b0"
	require.Equal(t, "db76c68af12afa044ba3fb58b25e286becd7415f629e72d9c8cee96d2e18f468", withingstest.Sign(secret, "getnonce", client, "1710000000"))
	require.Equal(t, "18650fbd645d9b9156d53a5962fc4082247bd23eef95ea37b69149796cc1406d",
		withingstest.Sign(secret, "requesttoken", client, "24dc0ec81501b6ad5feb18aef3dd6e4257dfb0f0"))
}

func TestAuthorizeRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		pairs []string
		says  string
	}{
		"no response type":       {[]string{"response_type", ""}, "unsupported_response_type"},
		"token response":         {[]string{"response_type", "token"}, "unsupported_response_type"},
		"no client":              {[]string{"client_id", ""}, "invalid_client"},
		"another client":         {[]string{"client_id", "abc"}, "invalid_client"},
		"no state":               {[]string{"state", ""}, "state"},
		"no scope":               {[]string{"scope", ""}, "invalid_scope"},
		"unknown scope":          {[]string{"scope", "user.info,user.everything"}, "invalid_scope"},
		"scopes with a space":    {[]string{"scope", "user.info user.metrics"}, "invalid_scope"},
		"unknown mode":           {[]string{"mode", "fast"}, "mode"},
		"no redirect":            {[]string{"redirect_uri", ""}, "redirect_uri_mismatch"},
		"another redirect":       {[]string{"redirect_uri", "https://evil.example.com/withings/callback"}, "redirect_uri_mismatch"},
		"longer host":            {[]string{"redirect_uri", "https://app.example.com.evil.net/withings/callback"}, "redirect_uri_mismatch"},
		"http":                   {[]string{"redirect_uri", "http://app.example.com/withings/callback"}, "redirect_uri_mismatch"},
		"registered IP":          {[]string{"redirect_uri", "https://192.0.2.7/cb"}, "redirect_uri_mismatch"},
		"registered localhost":   {[]string{"redirect_uri", "https://localhost/cb"}, "redirect_uri_mismatch"},
		"registered loopback":    {[]string{"redirect_uri", "http://127.0.0.1:8080/cb"}, "redirect_uri_mismatch"},
		"fragment in redirect":   {[]string{"redirect_uri", withingstest.DefaultRedirectURL + "#x"}, "redirect_uri_mismatch"},
		"password in redirect":   {[]string{"redirect_uri", "https://a:b@app.example.com/withings/callback"}, "redirect_uri_mismatch"},
		"redirect is no address": {[]string{"redirect_uri", "https://%zz"}, "redirect_uri_mismatch"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, withingstest.Config{RedirectURLs: []string{
				withingstest.DefaultRedirectURL, "https://app.example.com", "https://192.0.2.7/cb", "https://localhost/cb", "http://127.0.0.1",
			}, AutoApprove: 10001})
			rec := httptest.NewRecorder()
			w.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, withingstest.AuthorizePath+"?"+authorizeQuery(tc.pairs...).Encode(), nil))
			require.Equal(t, http.StatusBadRequest, rec.Code)
			require.Empty(t, rec.Header().Get("Location"))
			require.Contains(t, rec.Body.String(), tc.says)
			require.Empty(t, w.Ledger().Codes)

			_, err := w.Authorize(w.user.ID, "https://account.example/?"+authorizeQuery(tc.pairs...).Encode())
			require.ErrorContains(t, err, tc.says)
		})
	}
}

func TestLoopbackRedirectsOnlyWhenAllowed(t *testing.T) {
	w := newWorld(t, withingstest.Config{RedirectURLs: []string{"http://127.0.0.1"}, AllowLoopback: true})
	u, err := w.Authorize(w.user.ID, "?"+authorizeQuery("redirect_uri", "http://127.0.0.1:45123/cb").Encode())
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:45123", u.Host)
	_, err = w.Authorize(w.user.ID, "?"+authorizeQuery("redirect_uri", "http://192.0.2.1/cb").Encode())
	require.Error(t, err)
}

func TestConsentPage(t *testing.T) {
	w := newWorld(t, withingstest.Config{})
	other := w.AddUser(withingstest.UserConfig{})
	address := withingstest.AuthorizePath + "?" + authorizeQuery("redirect_uri", withingstest.DefaultRedirectURL+"?tenant=4").Encode()

	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, address, nil))
	require.Equal(t, http.StatusOK, rec.Code)
	require.Contains(t, rec.Body.String(), strconv.FormatInt(w.user.ID, 10))
	require.Contains(t, rec.Body.String(), strconv.FormatInt(other.ID, 10))

	decide := func(method, query, form string) *url.URL {
		r := httptest.NewRequest(method, address+query, strings.NewReader(form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		rec := httptest.NewRecorder()
		w.ServeHTTP(rec, r)
		require.Equal(t, http.StatusFound, rec.Code, rec.Body.String())
		u, err := url.Parse(rec.Header().Get("Location"))
		require.NoError(t, err)
		require.Equal(t, "st4te", u.Query().Get("state"))
		require.Equal(t, "4", u.Query().Get("tenant"))
		return u
	}
	denied := decide(http.MethodPost, "", "accept=0")
	require.Equal(t, "access_denied", denied.Query().Get("error"))
	require.False(t, denied.Query().Has("code"))
	id := strconv.FormatInt(other.ID, 10)
	require.NotEmpty(t, decide(http.MethodPost, "", "accept=1&user="+id).Query().Get("code"))
	require.NotEmpty(t, decide(http.MethodGet, "&accept=1&user="+id, "").Query().Get("code"))
	for _, c := range w.Ledger().Codes {
		require.Equal(t, other.ID, c.UserID)
	}

	rec = httptest.NewRecorder()
	w.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, address+"&accept=1&user=77", nil))
	require.Equal(t, http.StatusBadRequest, rec.Code)
}

func TestExchange(t *testing.T) {
	w := newWorld(t, withingstest.Config{})
	code := w.code(t)
	w.clock.Add(29 * time.Second)
	var body tokenBody
	w.exchange(t, "code", code).decode(t, &body)
	require.Len(t, body.AccessToken, 40)
	require.Equal(t, 10800, body.ExpiresIn)
	require.Equal(t, "user.info,user.metrics", body.Scope)
	require.Equal(t, "Bearer", body.TokenType)
	require.Contains(t, []any{float64(w.user.ID), strconv.FormatInt(w.user.ID, 10)}, body.UserID)
	require.Zero(t, post(t, w, withingstest.MeasurePath, body.AccessToken, "action", "getmeas").Status)
	require.Equal(t, withingstest.StatusInsufficientScope,
		post(t, w, withingstest.SleepPath, body.AccessToken, "action", "get", "startdate", "1", "enddate", "2").Status)

	nonce := w.nonce(t)
	w.exchange(t, "code", w.code(t), "client_secret", "", "nonce", nonce, "signature", signed("requesttoken", nonce)).decode(t, &body)
}

func TestUserIDIsIntOrString(t *testing.T) {
	w := newWorld(t, quiet())
	kinds := map[string]bool{}
	for range 20 {
		var body tokenBody
		w.exchange(t, "code", w.code(t)).decode(t, &body)
		_, text := body.UserID.(string)
		kinds[strconv.FormatBool(text)] = true
	}
	require.Len(t, kinds, 2)
}

func TestExchangeRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		status int
		pairs  []string
	}{
		"no code":             {503, []string{"code", ""}},
		"unknown code":        {503, []string{"code", "0000"}},
		"no redirect":         {503, []string{"redirect_uri", ""}},
		"another redirect":    {293, []string{"redirect_uri", withingstest.DefaultRedirectURL + "/other"}},
		"unregistered":        {293, []string{"redirect_uri", "https://evil.example.com/"}},
		"no client":           {503, []string{"client_id", ""}},
		"another client":      {503, []string{"client_id", "abc"}},
		"no secret":           {503, []string{"client_secret", ""}},
		"wrong secret":        {503, []string{"client_secret", "abc"}},
		"no grant type":       {503, []string{"grant_type", ""}},
		"password grant":      {503, []string{"grant_type", "password"}},
		"no action":           {2554, []string{"action", ""}},
		"unknown action":      {2554, []string{"action", "requesttokens"}},
		"unsigned nonce":      {503, []string{"client_secret", "", "nonce", "abc"}},
		"wrong signature":     {503, []string{"client_secret", "", "nonce", "abc", "signature", signed("requesttoken", "abd")}},
		"nonce nobody issued": {503, []string{"client_secret", "", "nonce", "abc", "signature", signed("requesttoken", "abc")}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, withingstest.Config{})
			code := w.code(t)
			refused := w.exchange(t, append([]string{"code", code}, tc.pairs...)...)
			require.Equal(t, tc.status, refused.Status, refused.Error)
			require.JSONEq(t, "{}", string(refused.Body))
			require.NotEmpty(t, refused.Error)
			if name == "another client" || name == "wrong secret" {
				require.Equal(t, "Invalid Params: invalid client id/secret", refused.Error)
			}
			require.Zero(t, w.exchange(t, "code", code).Status, "the refused attempt spent the code")
		})
	}
	t.Run("code reused", func(t *testing.T) {
		w := newWorld(t, withingstest.Config{})
		code := w.code(t)
		require.Zero(t, w.exchange(t, "code", code).Status)
		again := w.exchange(t, "code", code)
		require.Equal(t, 503, again.Status)
		require.Equal(t, "Invalid Params: invalid code", again.Error)
		require.Equal(t, 2, w.Ledger().Codes[0].Presented)
	})
	t.Run("code after 30 s", func(t *testing.T) {
		w := newWorld(t, withingstest.Config{})
		code := w.code(t)
		w.clock.Add(30 * time.Second)
		require.Equal(t, 503, w.exchange(t, "code", code).Status)
	})
	t.Run("parameters in the query", func(t *testing.T) {
		w := newWorld(t, withingstest.Config{})
		q := params("action", "requesttoken", "grant_type", "authorization_code", "client_id", withingstest.DefaultClientID,
			"client_secret", withingstest.DefaultClientSecret, "redirect_uri", withingstest.DefaultRedirectURL, "code", w.code(t))
		require.Equal(t, 2554, post(t, w, withingstest.OAuthPath+"?"+q.Encode(), "").Status)
	})
}

func TestNonceRules(t *testing.T) {
	w := newWorld(t, quiet())
	stamp := "1710000000"
	sign := func(v ...string) string { return withingstest.Sign(withingstest.DefaultClientSecret, v...) }
	good := sign("getnonce", withingstest.DefaultClientID, stamp)
	for name, pairs := range map[string][]string{
		"no client":       {"timestamp", stamp, "signature", good},
		"another client":  {"client_id", "abc", "timestamp", stamp, "signature", sign("getnonce", "abc", stamp)},
		"no timestamp":    {"client_id", withingstest.DefaultClientID, "signature", good},
		"text timestamp":  {"client_id", withingstest.DefaultClientID, "timestamp", "now", "signature", sign("getnonce", withingstest.DefaultClientID, "now")},
		"zero timestamp":  {"client_id", withingstest.DefaultClientID, "timestamp", "0", "signature", sign("getnonce", withingstest.DefaultClientID, "0")},
		"no signature":    {"client_id", withingstest.DefaultClientID, "timestamp", stamp},
		"other timestamp": {"client_id", withingstest.DefaultClientID, "timestamp", "1710000001", "signature", good},
		"upper case":      {"client_id", withingstest.DefaultClientID, "timestamp", stamp, "signature", strings.ToUpper(good)},
	} {
		require.Equal(t, 503, post(t, w, withingstest.SignaturePath, "", append([]string{"action", "getnonce"}, pairs...)...).Status, name)
	}

	demo := func(nonce string) answer {
		return post(t, w, withingstest.OAuthPath, "", "action", "getdemoaccess", "client_id", withingstest.DefaultClientID,
			"scope_oauth2", "user.metrics", "nonce", nonce, "signature", signed("getdemoaccess", nonce))
	}
	nonce := w.nonce(t)
	var body tokenBody
	demo(nonce).decode(t, &body)
	require.Zero(t, post(t, w, withingstest.MeasurePath, body.AccessToken, "action", "getmeas").Status)
	require.Equal(t, "Invalid Params: invalid nonce", demo(nonce).Error, "a nonce is single use")

	late := w.nonce(t)
	w.clock.Add(30 * time.Minute)
	require.Equal(t, 503, demo(late).Status)

	kept := w.nonce(t)
	require.Equal(t, 503, post(t, w, withingstest.OAuthPath, "", "action", "getdemoaccess", "client_id", withingstest.DefaultClientID,
		"scope_oauth2", "user.metrics", "client_secret", withingstest.DefaultClientSecret).Status, "only signed calls get demo access")
	w.clock.Add(29 * time.Minute)
	require.Zero(t, demo(kept).Status)
}

func TestRefreshRotation(t *testing.T) {
	refresh := func(t *testing.T, w *world, token string) tokenBody {
		t.Helper()
		var body tokenBody
		w.refresh(t, token).decode(t, &body)
		require.NotEqual(t, token, body.RefreshToken)
		require.NotEmpty(t, body.UserID)
		return body
	}
	use := func(t *testing.T, w *world, access string) int {
		return post(t, w, withingstest.UserPath, access, "action", "getdevice").Status
	}

	t.Run("the old token dies when the new access token is used", func(t *testing.T) {
		w := newWorld(t, quiet())
		second := refresh(t, w, w.token.RefreshToken)
		require.Zero(t, use(t, w, second.AccessToken))
		refused := w.refresh(t, w.token.RefreshToken)
		require.Equal(t, 503, refused.Status)
		require.Equal(t, "Invalid Params: invalid refresh_token", refused.Error)
		refresh(t, w, second.RefreshToken)
	})
	t.Run("the old token dies after 8 hours", func(t *testing.T) {
		w := newWorld(t, quiet())
		refresh(t, w, w.token.RefreshToken)
		w.clock.Add(8*time.Hour - time.Second)
		refresh(t, w, w.token.RefreshToken)
		w.clock.Add(time.Second)
		require.Equal(t, 503, w.refresh(t, w.token.RefreshToken).Status)
	})
	t.Run("presented twice it replaces the unused pair", func(t *testing.T) {
		w := newWorld(t, quiet())
		second := refresh(t, w, w.token.RefreshToken)
		third := refresh(t, w, w.token.RefreshToken)
		require.Equal(t, 503, w.refresh(t, second.RefreshToken).Status)
		require.Equal(t, 401, use(t, w, second.AccessToken))
		require.Zero(t, use(t, w, third.AccessToken))
	})
	t.Run("only the immediate predecessor has grace", func(t *testing.T) {
		w := newWorld(t, quiet())
		second := refresh(t, w, w.token.RefreshToken)
		refresh(t, w, second.RefreshToken)
		require.Equal(t, 503, w.refresh(t, w.token.RefreshToken).Status)
	})
	t.Run("a refresh token lives a year", func(t *testing.T) {
		w := newWorld(t, quiet())
		w.clock.Add(365*24*time.Hour - time.Second)
		refresh(t, w, w.token.RefreshToken)
		w = newWorld(t, quiet())
		w.clock.Add(365 * 24 * time.Hour)
		require.Equal(t, 503, w.refresh(t, w.token.RefreshToken).Status)
	})
	t.Run("an access token lives three hours", func(t *testing.T) {
		w := newWorld(t, quiet())
		w.clock.Add(3*time.Hour - time.Second)
		require.Zero(t, use(t, w, w.token.AccessToken))
		w.clock.Add(time.Second)
		require.Equal(t, 401, use(t, w, w.token.AccessToken))
	})
	t.Run("the ledger tells", func(t *testing.T) {
		w := newWorld(t, quiet())
		second := refresh(t, w, w.token.RefreshToken)
		require.Zero(t, use(t, w, second.AccessToken))
		w.refresh(t, w.token.RefreshToken)
		l := w.Ledger().Refresh
		require.Len(t, l, 2)
		require.Equal(t, withingstest.RefreshEntry{
			Token: w.token.RefreshToken, UserID: w.user.ID, Issued: w.clock.Now(), Presented: 2, Accepted: 1,
		}, l[0])
		require.Equal(t, withingstest.RefreshEntry{
			Token: second.RefreshToken, UserID: w.user.ID, Issued: w.clock.Now(), Alive: true, Parent: w.token.RefreshToken,
		}, l[1])
	})
	t.Run("signed", func(t *testing.T) {
		w := newWorld(t, quiet())
		nonce := w.nonce(t)
		require.Zero(t, w.refresh(t, w.token.RefreshToken, "client_secret", "", "nonce", nonce, "signature", signed("requesttoken", nonce)).Status)
		for _, wrong := range [][]string{{"client_secret", "wrong"}, {"client_id", "wrong"}} {
			refused := w.refresh(t, w.token.RefreshToken, wrong...)
			require.Equal(t, 503, refused.Status)
			require.Equal(t, "Invalid Params: invalid client id/secret", refused.Error)
		}
		require.Equal(t, 2, len(w.Ledger().Refresh))
	})
}

func TestRevoke(t *testing.T) {
	w := newWorld(t, withingstest.Config{})
	require.Zero(t, w.data(t, withingstest.NotifyPath, "action", "subscribe", "appli", "1", "callbackurl", "https://app.example.com/hook").Status)
	id := strconv.FormatInt(w.user.ID, 10)
	revoke := func(pairs ...string) answer {
		return post(t, w, withingstest.OAuthPath, "", append([]string{"action", "revoke", "client_id", withingstest.DefaultClientID}, pairs...)...)
	}
	require.Equal(t, 503, revoke("userid", id, "client_secret", withingstest.DefaultClientSecret).Status)
	nonce := w.nonce(t)
	require.Equal(t, 503, revoke("nonce", nonce, "signature", signed("revoke", nonce)).Status)
	require.Equal(t, 503, revoke("userid", id, "nonce", nonce, "signature", signed("requesttoken", nonce)).Status)
	require.Zero(t, w.data(t, withingstest.UserPath, "action", "getdevice").Status)
	done := revoke("userid", id, "nonce", nonce, "signature", signed("revoke", nonce))
	require.Zero(t, done.Status)
	require.JSONEq(t, "{}", string(done.Body))
	require.Equal(t, 401, w.data(t, withingstest.UserPath, "action", "getgoals").Status)
	require.Equal(t, 503, w.refresh(t, w.token.RefreshToken).Status)
	require.Empty(t, w.Subscriptions())
}

func TestTokenNeverPrints(t *testing.T) {
	w := newWorld(t, withingstest.Config{})
	require.NotContains(t, w.token.String(), w.token.AccessToken)
	w.refresh(t, w.token.RefreshToken)
	log, err := json.Marshal(w.Requests())
	require.NoError(t, err)
	for _, secret := range []string{w.token.RefreshToken, withingstest.DefaultClientSecret} {
		require.NotContains(t, string(log), secret)
	}
	require.Contains(t, string(log), `"refresh_token"`, "the grant type is no secret")
}
