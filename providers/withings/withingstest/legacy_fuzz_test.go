package withingstest_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/providers/withings/oauth1"
	"github.com/vitalmux/vitalmux/providers/withings/withingstest"
)

// FuzzLegacyRequest: whatever is asked, the service of the OAuth 1.0 era answers in its own way, and gives nothing away
// without a signature.
func FuzzLegacyRequest(f *testing.F) {
	now := time.Date(2018, 2, 15, 12, 0, 0, 0, time.UTC)
	sim := withingstest.New(withingstest.Config{Days: 2, RateLimit: off, Now: func() time.Time { return now }, Legacy: withingstest.LegacyConfig{
		DataTransport: withingstest.InQuery | withingstest.InHeader | withingstest.InBoth, ReuseNonces: true, AnyScheme: true,
	}})
	user := sim.AddUser(withingstest.UserConfig{ID: 10001})
	token := sim.LegacyLogin(user.ID)
	signer := oauth1.Signer{
		ConsumerKey: withingstest.DefaultConsumerKey, ConsumerSecret: "a guess", Token: token.Token, TokenSecret: token.Secret,
		Nonce: func() string { return "n" }, Now: func() time.Time { return now },
	}
	for _, path := range []string{
		withingstest.LegacyRequestTokenPath, withingstest.LegacyAccessTokenPath, withingstest.LegacyAuthorizePath, withingstest.LegacyUserPath,
		withingstest.MeasurePath, withingstest.NotifyPath,
	} {
		signed, err := signer.SignedURL("GET", "http://example.com"+path, params("action", "getmeas", "userid", "10001"))
		require.NoError(f, err)
		_, query, _ := strings.Cut(signed, "?")
		f.Add("GET", path, query, "", "")
		f.Add("POST", path, "", `OAuth realm="x", oauth_consumer_key="k",oauth_nonce="%zz"`, query)
		f.Add("POST", path, query+"&&=&a;b=%", `oauth a="b", c`, "")
	}
	f.Fuzz(func(t *testing.T, method, path, query, authorization, body string) {
		r := httptest.NewRequest(http.MethodGet, "http://example.com/", strings.NewReader(body))
		r.Method, r.URL = method, &url.URL{Path: path, RawQuery: query}
		r.Header.Set("Authorization", authorization)
		rec := httptest.NewRecorder()
		sim.ServeHTTP(rec, r)
		switch {
		case rec.Code == http.StatusMethodNotAllowed, rec.Code == http.StatusBadRequest:
			return
		}
		require.Equal(t, http.StatusOK, rec.Code)
		var a answer
		require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &a))
		require.True(t, a.Status != 0 || path == withingstest.LegacyOncePath, "%s", rec.Body)
	})
}

// TestOneUseOfANonce: of equal requests that come at once one is answered.
func TestOneUseOfANonce(t *testing.T) {
	w := newLegacyWorld(t, quiet())
	address, err := w.signer.SignedURL("GET", legacyHost+withingstest.LegacyUserPath, params("action", "getbyuserid", "userid", "10001"))
	require.NoError(t, err)
	u, err := url.Parse(address)
	require.NoError(t, err)
	var accepted, refused atomic.Int64
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			r := httptest.NewRequest(http.MethodGet, u.RequestURI(), nil)
			r.Host = u.Host
			r.Header.Set("X-Forwarded-Proto", u.Scheme)
			rec := httptest.NewRecorder()
			w.ServeHTTP(rec, r)
			switch {
			case strings.HasPrefix(rec.Body.String(), `{"status":0,`):
				accepted.Add(1)
			case strings.HasPrefix(rec.Body.String(), `{"status":342,`):
				refused.Add(1)
			}
		})
	}
	group.Wait()
	require.EqualValues(t, 1, accepted.Load())
	require.EqualValues(t, 15, refused.Load())
}
