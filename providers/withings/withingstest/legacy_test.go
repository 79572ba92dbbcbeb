package withingstest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	dghubble "github.com/dghubble/oauth1"
	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/withings/oauth1"
	"github.com/vitalmux/vitalmux/providers/withings/withingstest"
)

// legacyWorld is a world whose user holds an OAuth 1.0 token.
type legacyWorld struct {
	*world
	legacy withingstest.LegacyToken
	signer oauth1.Signer
	nonces int
}

const legacyHost = "https://api.health.nokia.com"

func newLegacyWorld(t *testing.T, cfg withingstest.Config) *legacyWorld {
	t.Helper()
	w := &legacyWorld{world: newWorld(t, cfg)}
	w.legacy = w.LegacyLogin(w.user.ID)
	w.signer = oauth1.Signer{
		ConsumerKey: w.Config().Legacy.ConsumerKey, ConsumerSecret: w.Config().Legacy.ConsumerSecret,
		Token: w.legacy.Token, TokenSecret: w.legacy.Secret, Now: w.clock.Now,
		Nonce: func() string { w.nonces++; return strconv.Itoa(w.nonces) },
	}
	return w
}

// get requests an address that is signed already, as the service gets it behind a proxy.
func (w *legacyWorld) get(t *testing.T, signed string) *httptest.ResponseRecorder {
	t.Helper()
	u, err := url.Parse(signed)
	require.NoError(t, err)
	r := httptest.NewRequest(http.MethodGet, u.RequestURI(), nil)
	r.Host = u.Host
	r.Header.Set("X-Forwarded-Proto", u.Scheme)
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, r)
	return rec
}

func read(t *testing.T, rec *httptest.ResponseRecorder) answer {
	t.Helper()
	require.Equal(t, http.StatusOK, rec.Code)
	var a answer
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &a), rec.Body.String())
	return a
}

// ask signs and makes a data call of the world's user.
func (w *legacyWorld) ask(t *testing.T, path string, pairs ...string) answer {
	t.Helper()
	q := params("userid", strconv.FormatInt(w.user.ID, 10))
	for i := 0; i < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	signed, err := w.signer.SignedURL(http.MethodGet, legacyHost+path, q)
	require.NoError(t, err)
	return read(t, w.get(t, signed))
}

func TestLegacyThreeLegs(t *testing.T) {
	w := newLegacyWorld(t, quiet())
	server := httptest.NewServer(w)
	defer server.Close()
	flow, err := oauth1.NewFlow(oauth1.Config{
		ConsumerKey: withingstest.DefaultConsumerKey, ConsumerSecret: providers.NewSecret(withingstest.DefaultConsumerSecret),
		AccountURL: server.URL + "/account", Now: w.clock.Now,
	})
	require.NoError(t, err)
	for _, callback := range []string{"https://app.example.com/cb", "http://app.example.com/~me/cb?state=a%20b&c"} {
		request, err := flow.RequestToken(t.Context(), callback)
		require.NoError(t, err)
		_, err = flow.AccessToken(t.Context(), request, callback, url.Values{"oauth_token": {request.Token.Reveal()}})
		require.ErrorIs(t, err, providers.ErrReauth, "nobody consented yet")
		consent, err := flow.AuthorizeURL(request, callback)
		require.NoError(t, err)
		back, err := w.Authorize(w.user.ID, consent)
		require.NoError(t, err)
		separator := "?"
		if strings.Contains(callback, "?") {
			separator = "&"
		}
		require.True(t, strings.HasPrefix(back.String(), fmt.Sprintf("%s%suserid=%d&oauth_token=", callback, separator, w.user.ID)), back)
		access, err := flow.AccessToken(t.Context(), request, callback, back.Query())
		require.NoError(t, err)
		require.Equal(t, strconv.FormatInt(w.user.ID, 10), access.UserID)
		require.NotEmpty(t, access.DeviceID)
		_, err = flow.AccessToken(t.Context(), request, callback, back.Query())
		require.ErrorIs(t, err, providers.ErrReauth, "a request token is good for one access token")

		client := http.Client{Transport: &oauth1.Transport{
			Signer: &oauth1.Signer{
				ConsumerKey: withingstest.DefaultConsumerKey, ConsumerSecret: withingstest.DefaultConsumerSecret,
				Token: access.Token.Token.Reveal(), TokenSecret: access.Secret.Reveal(), Now: w.clock.Now,
			},
			Base: http.DefaultTransport,
		}}
		resp, err := client.Get(server.URL + "/measure?action=getmeas&userid=" + access.UserID)
		require.NoError(t, err)
		var a answer
		require.NoError(t, json.NewDecoder(resp.Body).Decode(&a))
		require.NoError(t, resp.Body.Close())
		require.Zero(t, a.Status, a.Error)
		client.CloseIdleConnections()
	}
	entries := w.Ledger().Legacy
	require.Len(t, entries, 3)
	require.Equal(t, 1, entries[2].Uses)
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

// TestLegacyConsentPage walks the second leg as a browser does.
func TestLegacyConsentPage(t *testing.T) {
	w := newLegacyWorld(t, quiet())
	first := w.signer
	first.Token, first.TokenSecret = "", ""
	ask := func(pairs ...string) (token, secret string) {
		signed, err := first.SignedURL(http.MethodGet, legacyHost+withingstest.LegacyRequestTokenPath, params(pairs...))
		require.NoError(t, err)
		answer := w.get(t, signed).Body.String()
		form, err := url.ParseQuery(answer)
		require.NoError(t, err)
		require.Len(t, form, 2, "%s", answer)
		return form.Get("oauth_token"), form.Get("oauth_token_secret")
	}
	page := func(method, address string, form url.Values) *httptest.ResponseRecorder {
		u, err := url.Parse(address)
		require.NoError(t, err)
		r := httptest.NewRequest(method, u.RequestURI(), strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Host = u.Host
		r.Header.Set("X-Forwarded-Proto", u.Scheme)
		rec := httptest.NewRecorder()
		w.ServeHTTP(rec, r)
		return rec
	}
	const callback = "https://app.example.com/cb"
	allow := params("accept", "1", "user", strconv.FormatInt(w.user.ID, 10))
	for _, style := range []string{"signed", "signed without the token's secret", "unsigned"} {
		t.Run(style, func(t *testing.T) {
			token, secret := ask("oauth_callback", callback)
			address := legacyHost + withingstest.LegacyAuthorizePath
			second := w.signer
			second.Token, second.TokenSecret = token, secret
			switch style {
			case "unsigned":
				address += "?oauth_token=" + token
			case "signed without the token's secret":
				second.TokenSecret = ""
				fallthrough
			default:
				var err error
				address, err = second.SignedURL(http.MethodGet, address, nil)
				require.NoError(t, err)
			}
			for range 2 { // a page can be loaded again
				rec := page(http.MethodGet, address, nil)
				require.Equal(t, http.StatusOK, rec.Code, rec.Body)
				require.Contains(t, rec.Body.String(), strconv.FormatInt(w.user.ID, 10))
			}
			denied := page(http.MethodPost, address, params("accept", "0"))
			require.Equal(t, callback, denied.Header().Get("Location"))
			require.Equal(t, http.StatusBadRequest, page(http.MethodPost, address, params("accept", "1", "user", "99")).Code)
			allowed := page(http.MethodPost, address, allow)
			require.Equal(t, http.StatusFound, allowed.Code)
			require.Contains(t, allowed.Header().Get("Location"), callback+"?userid=10001&oauth_token="+token+"&oauth_verifier=")
		})
	}
	for name, address := range map[string]string{
		"no token":    legacyHost + withingstest.LegacyAuthorizePath,
		"other token": legacyHost + withingstest.LegacyAuthorizePath + "?oauth_token=x",
		"wrong signature": func() string {
			other := w.signer
			other.Token, _ = ask("oauth_callback", callback)
			other.TokenSecret = "x"
			signed, err := other.SignedURL(http.MethodGet, legacyHost+withingstest.LegacyAuthorizePath, nil)
			require.NoError(t, err)
			return signed
		}(),
		"other callback": func() string {
			token, _ := ask("oauth_callback", callback)
			return legacyHost + withingstest.LegacyAuthorizePath + "?oauth_token=" + token + "&oauth_callback=https://evil.example"
		}(),
	} {
		require.Equal(t, http.StatusBadRequest, page(http.MethodGet, address, nil).Code, name)
		require.Equal(t, http.StatusBadRequest, page(http.MethodPost, address, allow).Code, name)
		_, err := w.Authorize(w.user.ID, address)
		require.Error(t, err, name)
	}
	require.Equal(t, http.StatusMethodNotAllowed, page(http.MethodPut, legacyHost+withingstest.LegacyAuthorizePath, nil).Code)
}

// TestLegacyRefusals has each kind of bad request, and the status that the service gives it.
func TestLegacyRefusals(t *testing.T) {
	user := func(w *legacyWorld) url.Values {
		return params("action", "getmeas", "userid", strconv.FormatInt(w.user.ID, 10))
	}
	signed := func(w *legacyWorld, change func(*oauth1.Signer)) string {
		s := w.signer
		change(&s)
		address, err := s.SignedURL(http.MethodGet, legacyHost+withingstest.MeasurePath, user(w))
		require.NoError(t, err)
		return address
	}
	requestToken := func(w *legacyWorld, callback string) string {
		s := w.signer
		s.Token, s.TokenSecret = "", ""
		address, err := s.SignedURL(http.MethodGet, legacyHost+withingstest.LegacyRequestTokenPath, params("oauth_callback", callback))
		require.NoError(t, err)
		return address
	}
	none := func(*oauth1.Signer) {}
	for _, c := range []struct {
		name string
		want int
		ask  func(*legacyWorld) string
	}{
		{"right", 0, func(w *legacyWorld) string { return signed(w, none) }},
		{"wrong consumer secret", 342, func(w *legacyWorld) string { return signed(w, func(s *oauth1.Signer) { s.ConsumerSecret = "x" }) }},
		{"wrong token secret", 342, func(w *legacyWorld) string { return signed(w, func(s *oauth1.Signer) { s.TokenSecret = "x" }) }},
		{"no token secret", 342, func(w *legacyWorld) string { return signed(w, func(s *oauth1.Signer) { s.TokenSecret = "" }) }},
		{"unknown consumer key", 342, func(w *legacyWorld) string { return signed(w, func(s *oauth1.Signer) { s.ConsumerKey = "x" }) }},
		{"unknown token", 283, func(w *legacyWorld) string { return signed(w, func(s *oauth1.Signer) { s.Token = "x" }) }},
		{"no token", 283, func(w *legacyWorld) string { return signed(w, func(s *oauth1.Signer) { s.Token = "" }) }},
		{"revoked token", 283, func(w *legacyWorld) string { w.Unlink(w.user.ID); return signed(w, none) }},
		{"reused nonce", 342, func(w *legacyWorld) string { a := signed(w, none); w.get(t, a); return a }},
		{"reused nonce, later", 342, func(w *legacyWorld) string {
			once := func(s *oauth1.Signer) { s.Nonce = func() string { return "once" } }
			w.get(t, signed(w, once))
			w.clock.Add(time.Minute)
			return signed(w, once)
		}},
		{"a nonce after a refusal", 0, func(w *legacyWorld) string {
			w.get(t, signed(w, func(s *oauth1.Signer) { s.TokenSecret, s.Nonce = "x", func() string { return "once" } }))
			return signed(w, func(s *oauth1.Signer) { s.Nonce = func() string { return "once" } })
		}},
		{"stale timestamp", 342, func(w *legacyWorld) string { a := signed(w, none); w.clock.Add(301 * time.Second); return a }},
		{"old timestamp", 0, func(w *legacyWorld) string { a := signed(w, none); w.clock.Add(300 * time.Second); return a }},
		{"timestamp in the future", 342, func(w *legacyWorld) string { a := signed(w, none); w.clock.Add(-301 * time.Second); return a }},
		{"other scheme", 342, func(w *legacyWorld) string { return strings.Replace(signed(w, none), "https://", "http://", 1) }},
		{"other host", 342, func(w *legacyWorld) string { return strings.Replace(signed(w, none), "nokia", "withings", 1) }},
		{"a parameter that is not signed", 342, func(w *legacyWorld) string { return signed(w, none) + "&limit=1" }},
		{"a parameter less", 342, func(w *legacyWorld) string { return strings.Replace(signed(w, none), "&oauth_version=1.0", "", 1) }},
		{"a plus in the signature", 342, func(w *legacyWorld) string {
			for {
				if a := signed(w, none); strings.Contains(a, "%2B") {
					return strings.ReplaceAll(a, "%2B", "+")
				}
			}
		}},
		{"no signature", 342, func(w *legacyWorld) string { a, _, _ := strings.Cut(signed(w, none), "&oauth_signature="); return a }},
		{"a nonce twice", 342, func(w *legacyWorld) string { return signed(w, none) + "&oauth_nonce=1" }},
		{"other version", 342, func(w *legacyWorld) string { return strings.Replace(signed(w, none), "version=1.0", "version=2.0", 1) }},
		{"other method", 342, func(w *legacyWorld) string { return strings.Replace(signed(w, none), "HMAC-SHA1", "HMAC-SHA256", 1) }},
		{"no userid", 247, func(w *legacyWorld) string {
			a, err := w.signer.SignedURL("GET", legacyHost+withingstest.MeasurePath, params("action", "getmeas"))
			require.NoError(t, err)
			return a
		}},
		{"other userid", 250, func(w *legacyWorld) string {
			a, err := w.signer.SignedURL("GET", legacyHost+withingstest.MeasurePath, params("action", "getmeas", "userid", "5"))
			require.NoError(t, err)
			return a
		}},
		{"wrong action", 2554, func(w *legacyWorld) string {
			a, err := w.signer.SignedURL("GET", legacyHost+withingstest.MeasurePath, params("action", "getworkout", "userid", "10001"))
			require.NoError(t, err)
			return a
		}},
		{"wrong service", 2556, func(w *legacyWorld) string {
			a, err := w.signer.SignedURL("GET", legacyHost+"/v2/heart", params("action", "list", "userid", "10001"))
			require.NoError(t, err)
			return a
		}},
		{"malformed parameter", 246, func(w *legacyWorld) string {
			a, err := w.signer.SignedURL("GET", legacyHost+withingstest.MeasurePath, params("action", "getmeas", "userid", "10001", "startdate", "2017-03-01"))
			require.NoError(t, err)
			return a
		}},
		{"too many days", 246, func(w *legacyWorld) string {
			a, err := w.signer.SignedURL("GET", legacyHost+withingstest.MeasureV2Path, params("action", "getactivity", "userid", "10001",
				"startdateymd", "2026-01-01", "enddateymd", "2026-11-21"))
			require.NoError(t, err)
			return a
		}},
		{"double-encoded callback", 293, func(w *legacyWorld) string { return requestToken(w, url.QueryEscape("https://app.example.com/cb")) }},
		{"callback encoded twice in the URL alone", 342, func(w *legacyWorld) string {
			return strings.Replace(requestToken(w, "https://app.example.com/cb"), "https%3A%2F%2Fapp", "https%253A%252F%252Fapp", 1)
		}},
		{"no callback", 293, func(w *legacyWorld) string { return requestToken(w, "") }},
		{"a request token without a signature", 342, func(*legacyWorld) string {
			return legacyHost + withingstest.LegacyRequestTokenPath + "?oauth_callback=https://app.example.com/cb"
		}},
		{"an access token without a signature", 342, func(*legacyWorld) string { return legacyHost + withingstest.LegacyAccessTokenPath }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newLegacyWorld(t, withingstest.Config{Days: 2, RateLimit: off})
			a := read(t, w.get(t, c.ask(w)))
			require.Equal(t, c.want, a.Status, a.Error)
			last := w.Requests()[len(w.Requests())-1]
			require.Equal(t, c.want, last.Status)
			for name := range last.Params {
				require.NotContains(t, []string{"oauth_token", "oauth_nonce", "oauth_signature", "oauth_consumer_key"}, name)
			}
		})
	}
}

// TestLegacyTransports has the OAuth parameters in every place, with every switch.
func TestLegacyTransports(t *testing.T) {
	header := func(address string) (string, string) {
		u, err := url.Parse(address)
		require.NoError(t, err)
		var parts []string
		rest := url.Values{}
		for name, values := range u.Query() {
			if strings.HasPrefix(name, "oauth_") {
				parts = append(parts, dghubble.PercentEncode(name)+`="`+dghubble.PercentEncode(values[0])+`"`)
			} else {
				rest[name] = values
			}
		}
		u.RawQuery = rest.Encode()
		return u.String(), `OAuth realm="", ` + strings.Join(parts, ", ")
	}
	for _, c := range []struct {
		name        string
		token, data withingstest.Transport
		inToken     [3]int // status with the parameters in the query, the header, both
		inData      [3]int
	}{
		{name: "by default", inToken: [3]int{0, 0, 0}, inData: [3]int{0, 342, 342}},
		{name: "query alone", token: withingstest.InQuery, data: withingstest.InQuery, inToken: [3]int{0, 342, 342}, inData: [3]int{0, 342, 342}},
		{name: "header alone", token: withingstest.InHeader, data: withingstest.InHeader, inToken: [3]int{342, 0, 342}, inData: [3]int{342, 0, 342}},
		{name: "both alone", token: withingstest.InBoth, data: withingstest.InBoth, inToken: [3]int{342, 342, 0}, inData: [3]int{342, 342, 0}},
		{
			name: "anywhere", data: withingstest.InQuery | withingstest.InHeader | withingstest.InBoth,
			inToken: [3]int{0, 0, 0}, inData: [3]int{0, 0, 0},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := quiet()
			cfg.Days = 2
			cfg.Legacy.TokenTransport, cfg.Legacy.DataTransport = c.token, c.data
			w := newLegacyWorld(t, cfg)
			send := func(method, address string, place int) int {
				signed, authorization := address, ""
				switch place {
				case 1:
					signed, authorization = header(address)
				case 2:
					_, authorization = header(address)
				}
				u, err := url.Parse(signed)
				require.NoError(t, err)
				r := httptest.NewRequest(method, u.RequestURI(), nil)
				r.Host = u.Host
				r.Header.Set("X-Forwarded-Proto", "https")
				if authorization != "" {
					r.Header.Set("Authorization", authorization)
				}
				rec := httptest.NewRecorder()
				w.ServeHTTP(rec, r)
				if strings.HasPrefix(rec.Body.String(), "oauth_token=") {
					return 0
				}
				return read(t, rec).Status
			}
			first := w.signer
			first.Token, first.TokenSecret = "", ""
			for place := range 3 {
				for _, method := range []string{http.MethodGet, http.MethodPost} {
					address, err := first.SignedURL(method, legacyHost+withingstest.LegacyRequestTokenPath, params("oauth_callback", "https://a.example/cb"))
					require.NoError(t, err)
					require.Equal(t, c.inToken[place], send(method, address, place), "%s %d", method, place)
				}
				address, err := w.signer.SignedURL(http.MethodGet, legacyHost+withingstest.MeasurePath, params("action", "getmeas", "userid", "10001"))
				require.NoError(t, err)
				require.Equal(t, c.inData[place], send(http.MethodGet, address, place), "%d", place)
			}
			// Two signatures with nonces of their own are two requests in one.
			one, err := first.SignedURL(http.MethodPost, legacyHost+withingstest.LegacyRequestTokenPath, params("oauth_callback", "https://a.example/cb"))
			require.NoError(t, err)
			two, err := first.SignedURL(http.MethodPost, legacyHost+withingstest.LegacyRequestTokenPath, params("oauth_callback", "https://a.example/cb"))
			require.NoError(t, err)
			_, authorization := header(two)
			u, err := url.Parse(one)
			require.NoError(t, err)
			r := httptest.NewRequest(http.MethodPost, u.RequestURI(), nil)
			r.Host = u.Host
			r.Header.Set("X-Forwarded-Proto", "https")
			r.Header.Set("Authorization", authorization)
			rec := httptest.NewRecorder()
			w.ServeHTTP(rec, r)
			require.Equal(t, 342, read(t, rec).Status)
			// A POST to a data service, and a signature in a form, are wrong everywhere.
			address, err := w.signer.SignedURL(http.MethodPost, legacyHost+withingstest.MeasurePath, params("action", "getmeas", "userid", "10001"))
			require.NoError(t, err)
			require.Equal(t, 342, send(http.MethodPost, address, 0))
			_, query, _ := strings.Cut(address, "?")
			r = httptest.NewRequest(http.MethodPost, withingstest.MeasurePath, strings.NewReader(query))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			rec = httptest.NewRecorder()
			w.ServeHTTP(rec, r)
			require.Equal(t, 342, read(t, rec).Status)
		})
	}
}

// TestLegacySwitches has each of the other switches change one answer.
func TestLegacySwitches(t *testing.T) {
	requestToken := func(t *testing.T, w *legacyWorld, method string) string {
		first := w.signer
		first.Token, first.TokenSecret = "", ""
		address, err := first.SignedURL(method, legacyHost+withingstest.LegacyRequestTokenPath, params("oauth_callback", "https://a.example/cb"))
		require.NoError(t, err)
		u, err := url.Parse(address)
		require.NoError(t, err)
		r := httptest.NewRequest(method, u.RequestURI(), nil)
		r.Host = u.Host
		r.Header.Set("X-Forwarded-Proto", "https")
		rec := httptest.NewRecorder()
		w.ServeHTTP(rec, r)
		return rec.Body.String()
	}
	measures := func(t *testing.T, w *legacyWorld, host string) string {
		address, err := w.signer.SignedURL("GET", host+withingstest.MeasurePath, params("action", "getmeas", "userid", "10001"))
		require.NoError(t, err)
		return address
	}
	status := func(t *testing.T, w *legacyWorld, address string) int { return read(t, w.get(t, address)).Status }
	access := func(t *testing.T, w *legacyWorld, verifier string) string {
		form, err := url.ParseQuery(requestToken(t, w, "GET"))
		require.NoError(t, err)
		s := w.signer
		s.Token, s.TokenSecret = form.Get("oauth_token"), form.Get("oauth_token_secret")
		back, err := w.Authorize(w.user.ID, legacyHost+withingstest.LegacyAuthorizePath+"?oauth_token="+s.Token)
		require.NoError(t, err)
		if verifier == "the right one" {
			verifier = back.Query().Get("oauth_verifier")
		}
		extra := url.Values{}
		if verifier != "" {
			extra.Set("oauth_verifier", verifier)
		}
		address, err := s.SignedURL("GET", legacyHost+withingstest.LegacyAccessTokenPath, extra)
		require.NoError(t, err)
		return w.get(t, address).Body.String()
	}
	for _, c := range []struct {
		name   string
		on     withingstest.LegacyConfig
		differ func(*testing.T, *legacyWorld) any
		off    any
		want   any
	}{
		{
			"AnyScheme", withingstest.LegacyConfig{AnyScheme: true},
			func(t *testing.T, w *legacyWorld) any {
				return status(t, w, strings.Replace(measures(t, w, legacyHost), "https://", "http://", 1))
			}, 342, 0,
		},
		{
			"ReuseNonces", withingstest.LegacyConfig{ReuseNonces: true},
			func(t *testing.T, w *legacyWorld) any {
				a := measures(t, w, legacyHost)
				require.Zero(t, status(t, w, a))
				return status(t, w, a)
			}, 342, 0,
		},
		{
			"TimestampWindow", withingstest.LegacyConfig{TimestampWindow: off},
			func(t *testing.T, w *legacyWorld) any {
				a := measures(t, w, legacyHost)
				w.clock.Add(24 * time.Hour)
				return status(t, w, a)
			}, 342, 0,
		},
		{
			"PublicURL", withingstest.LegacyConfig{PublicURL: "https://public.example:443/sim/"},
			func(t *testing.T, w *legacyWorld) any {
				u, err := url.Parse(measures(t, w, "https://public.example/sim"))
				require.NoError(t, err)
				return status(t, w, "http://10.0.0.7:8080"+strings.TrimPrefix(u.RequestURI(), "/sim"))
			}, 342, 0,
		},
		{
			"GetOnly", withingstest.LegacyConfig{GetOnly: true},
			func(t *testing.T, w *legacyWorld) any { return strings.Contains(requestToken(t, w, "POST"), "342") }, false, true,
		},
		{
			"ConfirmCallback", withingstest.LegacyConfig{ConfirmCallback: true},
			func(t *testing.T, w *legacyWorld) any {
				return strings.HasSuffix(requestToken(t, w, "GET"), "&oauth_callback_confirmed=true")
			}, false, true,
		},
		{
			"RequireVerifier", withingstest.LegacyConfig{RequireVerifier: true},
			func(t *testing.T, w *legacyWorld) any {
				require.Contains(t, access(t, w, "the right one"), "userid=10001&deviceid=")
				require.Contains(t, access(t, w, "another"), "283")
				return strings.Contains(access(t, w, ""), "283")
			}, false, true,
		},
		{
			"RevokedStatus", withingstest.LegacyConfig{RevokedStatus: 401},
			func(t *testing.T, w *legacyWorld) any {
				w.Unlink(w.user.ID)
				return status(t, w, measures(t, w, legacyHost))
			}, 283, 401,
		},
		{
			"RateLimit", withingstest.LegacyConfig{RateLimit: 2},
			func(t *testing.T, w *legacyWorld) any {
				status(t, w, measures(t, w, legacyHost))
				status(t, w, measures(t, w, legacyHost))
				return status(t, w, measures(t, w, legacyHost))
			}, 0, 601,
		},
		{
			"credentials", withingstest.LegacyConfig{ConsumerKey: "k", ConsumerSecret: "s&c/r=t %"},
			func(t *testing.T, w *legacyWorld) any {
				return w.signer.ConsumerKey + " " + fmt.Sprint(status(t, w, measures(t, w, legacyHost)))
			},
			withingstest.DefaultConsumerKey + " 0", "k 0",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.off, c.differ(t, newLegacyWorld(t, withingstest.Config{Days: 2})))
			require.Equal(t, c.want, c.differ(t, newLegacyWorld(t, withingstest.Config{Days: 2, Legacy: c.on})))
		})
	}
	require.Panics(t, func() {
		withingstest.New(withingstest.Config{Legacy: withingstest.LegacyConfig{PublicURL: "not an address"}})
	})
}

// TestLegacyBelowAPrefix: what is signed is the address that the client used.
func TestLegacyBelowAPrefix(t *testing.T) {
	w := newLegacyWorld(t, quiet())
	server := httptest.NewServer(http.StripPrefix("/withings", w))
	defer server.Close()
	address, err := w.signer.SignedURL("GET", strings.ToUpper(server.URL[:4])+server.URL[4:]+"/withings/measure", params("action", "getmeas", "userid", "10001"))
	require.NoError(t, err)
	resp, err := server.Client().Get(address)
	require.NoError(t, err)
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Contains(t, string(text), `{"status":0,"body":{"updatetime":`)
}

// TestAnotherLegacyClientWorks walks the legs with github.com/dghubble/oauth1 as it is: by POST and header.
func TestAnotherLegacyClientWorks(t *testing.T) {
	now := time.Now()
	client := func(t *testing.T, sim *withingstest.Server) (*dghubble.Config, *httptest.Server) {
		server := httptest.NewServer(sim)
		t.Cleanup(server.Close)
		return &dghubble.Config{
			ConsumerKey: withingstest.DefaultConsumerKey, ConsumerSecret: withingstest.DefaultConsumerSecret,
			CallbackURL: "https://app.example.com/cb",
			Endpoint: dghubble.Endpoint{
				RequestTokenURL: server.URL + withingstest.LegacyRequestTokenPath, AuthorizeURL: server.URL + withingstest.LegacyAuthorizePath,
				AccessTokenURL: server.URL + withingstest.LegacyAccessTokenPath,
			},
			HTTPClient: server.Client(),
		}, server
	}
	t.Run("as the service was", func(t *testing.T) {
		cfg, _ := client(t, withingstest.New(withingstest.Config{Now: func() time.Time { return now }}))
		_, _, err := cfg.RequestToken()
		require.ErrorContains(t, err, "oauth_callback_confirmed", "what it insists on is not there")
	})
	sim := withingstest.New(withingstest.Config{Days: 2, Legacy: withingstest.LegacyConfig{
		ConfirmCallback: true, DataTransport: withingstest.InQuery | withingstest.InHeader,
	}})
	user := sim.AddUser(withingstest.UserConfig{})
	cfg, server := client(t, sim)
	token, secret, err := cfg.RequestToken()
	require.NoError(t, err)
	consent, err := cfg.AuthorizationURL(token)
	require.NoError(t, err)
	back, err := sim.Authorize(user.ID, consent.String())
	require.NoError(t, err)
	token, secret, err = cfg.AccessToken(token, secret, back.Query().Get("oauth_verifier"))
	require.NoError(t, err)
	resp, err := cfg.Client(dghubble.NoContext, dghubble.NewToken(token, secret)).Get(
		server.URL + "/v2/measure?action=getactivity&userid=" + back.Query().Get("userid") + "&date=" + user.LastDay)
	require.NoError(t, err)
	var a answer
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&a))
	require.NoError(t, resp.Body.Close())
	require.Zero(t, a.Status, a.Error)
	require.Contains(t, string(a.Body), `"date":"`+user.LastDay+`"`)
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}
