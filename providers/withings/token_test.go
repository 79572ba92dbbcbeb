package withings_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/withings"
	"github.com/vitalmux/vitalmux/providers/withings/withingstest"
)

func TestTokenAnswers(t *testing.T) {
	body := func(members string) string { return `{"status":0,"body":{` + members + `}}` }
	const (
		access  = `"access_token":"new-access"`
		refresh = `"refresh_token":"new-refresh"`
		user    = `"userid":363`
		usual   = access + "," + refresh + "," + user + `,"scope":"user.info,user.metrics","token_type":"Bearer"`
	)
	for _, c := range []struct {
		name      string
		answer    string
		kind      error // nil: it is granted
		ambiguous bool
		refresh   string
		lifetime  time.Duration
	}{
		{"the envelope", body(usual + `,"expires_in":10800`), nil, false, "new-refresh", 3 * time.Hour},
		{"user id as text", body(access + "," + refresh + `,"userid":"363","expires_in":10800`), nil, false, "new-refresh", 3 * time.Hour},
		{"no refresh token", body(access + "," + user), nil, false, "refresh-token", 3 * time.Hour},
		{"refresh token empty", body(access + "," + user + `,"refresh_token":""`), nil, false, "refresh-token", 3 * time.Hour},
		{"refresh token null", body(access + "," + user + `,"refresh_token":null`), nil, false, "refresh-token", 3 * time.Hour},
		{"lifetime 0", body(usual + `,"expires_in":0`), nil, false, "new-refresh", time.Minute},
		{"lifetime -28800", body(usual + `,"expires_in":-28800`), nil, false, "new-refresh", time.Minute},
		{"lifetime as text", body(usual + `,"expires_in":"10800"`), nil, false, "new-refresh", 3 * time.Hour},
		{"lifetime 1.08e4", body(usual + `,"expires_in":1.08e4`), nil, false, "new-refresh", 3 * time.Hour},
		{"lifetime a word", body(usual + `,"expires_in":"soon"`), nil, false, "new-refresh", 3 * time.Hour},
		{"lifetime absurd", body(usual + `,"expires_in":9223372036854775807`), nil, false, "new-refresh", 30 * 24 * time.Hour},
		{"another case is another name", body(usual + `,"Refresh_Token":"x"`), nil, false, "new-refresh", 3 * time.Hour},

		{"an empty object", `{}`, providers.ErrMalformed, true, "", 0},
		{"status 0 without body", `{"status":0}`, providers.ErrMalformed, true, "", 0},
		{"status 0 with an array", `{"status":0,"body":[]}`, providers.ErrMalformed, true, "", 0},
		{"status 0 with null", `{"status":0,"body":null}`, providers.ErrMalformed, true, "", 0},
		{"access token empty", body(`"access_token":"",` + refresh + "," + user), providers.ErrMalformed, true, "", 0},
		{"byte order mark", "\ufeff" + body(usual), providers.ErrMalformed, true, "", 0},
		{"truncated", body(usual)[:60], providers.ErrMalformed, true, "", 0},
		{"two documents", body(usual) + body(usual), providers.ErrMalformed, true, "", 0},
		{"two refresh tokens", body(usual + `,"refresh_token":"other"`), providers.ErrMalformed, true, "", 0},
		{"a web page", "<html>", providers.ErrMalformed, true, "", 0},
		{"70 KiB", body(usual + `,"padding":"` + strings.Repeat("x", 70<<10) + `"`), providers.ErrMalformed, true, "", 0},
		{"a token with a newline", body(`"access_token":"a\nb",` + refresh + "," + user), providers.ErrMalformed, true, "", 0},
		{"a token of 64 KiB", body(`"access_token":"` + strings.Repeat("a", 60<<10) + `",` + refresh + "," + user), providers.ErrMalformed, true, "", 0},
		{"not a bearer token", body(access + "," + refresh + "," + user + `,"token_type":"mac"`), providers.ErrMalformed, true, "", 0},
		{"another person", body(access + "," + refresh + `,"userid":999`), providers.ErrMalformed, false, "", 0},
		{"status 503", `{"status":503,"body":{},"error":"Invalid Params: invalid refresh_token"}`, providers.ErrReauth, false, "", 0},
		{"status 503 for the application", `{"status":503,"body":{},"error":"Invalid Params: invalid client id/secret"}`, providers.ErrInvalid, false, "", 0},
		{"status 401", `{"status":401,"body":{}}`, providers.ErrReauth, false, "", 0},
		{"status 601", `{"status":601,"body":{"wait_seconds":8}}`, providers.ErrRateLimited, false, "", 0},
		{"status nobody knows", `{"status":98765,"body":{}}`, providers.ErrUnavailable, true, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &script{answer: func(url.Values) string { return c.answer }}
			before := time.Now()
			got, err := newProvider(t, s, nil).Refresh(context.Background(), cred)
			require.Len(t, s.asked, 1, "exactly one request")
			require.Equal(t, url.Values{
				"action": {"requesttoken"}, "grant_type": {"refresh_token"}, "client_id": {"client"},
				"client_secret": {"client-secret"}, "refresh_token": {"refresh-token"},
			}, s.asked[0])
			if c.kind != nil {
				e, ok := errors.AsType[*providers.Error](err)
				require.True(t, ok)
				require.ErrorIs(t, err, c.kind)
				require.Equal(t, c.ambiguous, e.Ambiguous)
				require.Zero(t, got)
				return
			}
			require.NoError(t, err)
			require.Equal(t, "new-access", got.Access.Reveal())
			require.Equal(t, c.refresh, got.Refresh.Reveal())
			require.Equal(t, "363", got.UpstreamID)
			require.WithinDuration(t, before.Add(c.lifetime), got.ExpiresAt, 5*time.Second)
		})
	}
}

// An application that is set up with a wrong id or secret ends nobody's grant:
// the refusal blames the application, and code and refresh token are good still.
func TestAWrongSecretEndsNoGrant(t *testing.T) {
	const id, secret = withingstest.DefaultClientID, withingstest.DefaultClientSecret
	for _, c := range []struct{ name, id, secret string }{
		{"a wrong id", "another", secret},
		{"a wrong secret", id, "another"},
	} {
		t.Run(c.name, func(t *testing.T) {
			sim := newSimulator(withingstest.Config{Seed: 7, Days: 2, IntradayDays: -1}, time.UTC)
			with := func(id, secret string) *withings.Provider {
				return newProvider(t, sim, func(cfg *withings.Config) {
					cfg.ClientID, cfg.ClientSecret, cfg.RedirectURL = id, providers.NewSecret(secret), withingstest.DefaultRedirectURL
				})
			}
			wrong, right := with(c.id, c.secret), with(id, secret)
			refused := func(err error) {
				t.Helper()
				var e *providers.Error
				require.ErrorAs(t, err, &e)
				require.ErrorIs(t, err, providers.ErrInvalid)
				require.NotErrorIs(t, err, providers.ErrReauth)
				require.True(t, e.ClientFault)
				require.Equal(t, "503", e.Code)
			}

			start, err := right.Authorize(t.Context(), providers.AuthRequest{State: "s"})
			require.NoError(t, err)
			back, err := sim.Authorize(sim.user.ID, start.URL)
			require.NoError(t, err)
			callback := providers.Callback{Query: back.Query(), Secret: start.Secret}
			_, err = wrong.Exchange(t.Context(), callback)
			refused(err)
			grant, err := right.Exchange(t.Context(), callback)
			require.NoError(t, err)

			_, err = wrong.Refresh(t.Context(), grant.Credential)
			refused(err)
			_, err = right.Refresh(t.Context(), grant.Credential)
			require.NoError(t, err)
		})
	}
}

func TestScopesThatWereGranted(t *testing.T) {
	s := &script{answer: func(url.Values) string {
		return `{"status":0,"body":{"userid":"363","access_token":"a","refresh_token":"r","expires_in":10800,"scope":"user.info,user.metrics"}}`
	}}
	grant, err := newProvider(t, s, nil).Exchange(context.Background(), providers.Callback{Query: url.Values{"code": {"c"}, "state": {"s"}}})
	require.NoError(t, err)
	require.Equal(t, []string{"user.info", "user.metrics"}, grant.Credential.Scopes)
	require.Equal(t, "363", grant.UpstreamID)
	require.Equal(t, "https://app.example.com/callback", s.asked[0].Get("redirect_uri"), "the configured address is the default")

	s.answer = func(url.Values) string { return `{"status":0,"body":{"access_token":"a","refresh_token":"r"}}` }
	_, err = newProvider(t, s, nil).Exchange(context.Background(), providers.Callback{Query: url.Values{"code": {"c"}}})
	require.ErrorIs(t, err, providers.ErrMalformed, "a grant must tell whose it is")
}
