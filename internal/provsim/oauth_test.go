package provsim_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/vitalmux/vitalmux/internal/provsim"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/providertest"
)

// serve serves a service over HTTP and returns the adapter for it.
func serve(t *testing.T, cfg provsim.Config) (*provsim.Service, *provsim.Provider, *httptest.Server) {
	s := provsim.NewService(cfg)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	p, err := provsim.New(provsim.AdapterConfig{BaseURL: server.URL, Rotation: cfg.Rotation, MaxWait: -1, Transport: transport})
	require.NoError(t, err)
	return s, p, server
}

// inProcess returns a service and its adapter without a network, for bubbles.
func inProcess(t *testing.T, cfg provsim.Config) (*provsim.Service, *provsim.Provider) {
	s := provsim.NewService(cfg)
	p, err := provsim.New(provsim.AdapterConfig{
		BaseURL: providertest.BaseURL, Rotation: cfg.Rotation, MaxWait: -1, Transport: providertest.Transport(s),
	})
	require.NoError(t, err)
	return s, p
}

func login(t *testing.T, s *provsim.Service) providers.Credential {
	cred, err := s.Login("u1")
	require.NoError(t, err)
	return cred
}

func use(t *testing.T, p *provsim.Provider, cred providers.Credential) error {
	_, err := p.Fetch(t.Context(), cred, providers.Query{Stream: provsim.StreamEvents, HighWater: "0"})
	return err
}

// TestAnotherClientWorks walks the whole flow with golang.org/x/oauth2.
func TestAnotherClientWorks(t *testing.T) {
	for name, rotation := range rotations() {
		t.Run(name, func(t *testing.T) {
			s, _, server := serve(t, provsim.Config{Rotation: rotation})
			cfg := oauth2.Config{
				ClientID: provsim.DefaultClientID, ClientSecret: provsim.DefaultClientSecret, RedirectURL: provsim.DefaultRedirectURL,
				Scopes:   []string{provsim.StreamDaily},
				Endpoint: oauth2.Endpoint{AuthURL: server.URL + "/oauth/authorize", TokenURL: server.URL + "/oauth/token"},
			}
			browser := &http.Client{
				Transport:     &http.Transport{},
				CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			}
			defer browser.CloseIdleConnections()
			ctx := context.WithValue(t.Context(), oauth2.HTTPClient, browser)
			verifier := oauth2.GenerateVerifier()
			page, err := browser.Get(cfg.AuthCodeURL("a state", oauth2.S256ChallengeOption(verifier)))
			require.NoError(t, err)
			require.NoError(t, page.Body.Close())
			require.Equal(t, http.StatusFound, page.StatusCode)
			to, err := page.Location()
			require.NoError(t, err)
			require.Equal(t, "a state", to.Query().Get("state"))
			require.Equal(t, server.URL, to.Query().Get("iss"))

			token, err := cfg.Exchange(ctx, to.Query().Get("code"), oauth2.VerifierOption(verifier))
			require.NoError(t, err)
			require.Equal(t, "u1", token.Extra("user_id"))
			require.WithinDuration(t, time.Now().Add(time.Hour), token.Expiry, time.Minute)

			old := token.RefreshToken
			token.Expiry = time.Unix(1, 0)
			source := cfg.TokenSource(ctx, token)
			next, err := source.Token()
			require.NoError(t, err)
			require.NotEqual(t, token.AccessToken, next.AccessToken)
			require.Equal(t, rotation == providers.RotationNone, next.RefreshToken == old)
			answer, err := oauth2.NewClient(ctx, oauth2.StaticTokenSource(next)).Get(server.URL + "/v1/daily?first=2026-01-01&last=2026-01-02")
			require.NoError(t, err)
			require.NoError(t, answer.Body.Close())
			require.Equal(t, http.StatusOK, answer.StatusCode)
			require.True(t, s.Accepts(next.RefreshToken))
			require.Equal(t, rotation == providers.RotationNone || rotation == providers.RotationReplay, s.Accepts(old))
		})
	}
}

// TestRotation compares the fate of an old refresh token with the mode.
func TestRotation(t *testing.T) {
	refuse := func(t *testing.T, err error) {
		t.Helper()
		require.ErrorIs(t, err, providers.ErrReauth)
	}
	run := func(name string, rotation providers.Rotation, check func(*testing.T, *provsim.Service, *provsim.Provider, providers.Credential)) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, p := inProcess(t, provsim.Config{Rotation: rotation, GraceFor: 10 * time.Minute, ReplayWindow: time.Minute, Seed: 3})
				check(t, s, p, login(t, s))
			})
		})
	}
	refresh := func(t *testing.T, p *provsim.Provider, cred providers.Credential) providers.Credential {
		t.Helper()
		next, err := p.Refresh(t.Context(), cred)
		require.NoError(t, err)
		return next
	}
	run("none", providers.RotationNone, func(t *testing.T, s *provsim.Service, p *provsim.Provider, old providers.Credential) {
		a, b := refresh(t, p, old), refresh(t, p, old)
		require.Equal(t, old.Refresh, b.Refresh)
		require.NoError(t, use(t, p, a))
		require.NoError(t, use(t, p, b))
		time.Sleep(24 * time.Hour)
		require.True(t, s.Accepts(old.Refresh.Reveal()))
	})
	run("grace until use", providers.RotationGrace, func(t *testing.T, s *provsim.Service, p *provsim.Provider, old providers.Credential) {
		a := refresh(t, p, old)
		b := refresh(t, p, old) // the reply was lost: another pair takes its place
		require.NotEqual(t, a.Refresh, b.Refresh)
		refuse(t, use(t, p, a))
		require.False(t, s.Accepts(a.Refresh.Reveal()))
		require.NoError(t, use(t, p, old), "the old access token lives on")
		require.True(t, s.Accepts(old.Refresh.Reveal()))
		require.NoError(t, use(t, p, b))
		require.False(t, s.Accepts(old.Refresh.Reveal()))
		require.True(t, s.Accepts(b.Refresh.Reveal()), "being refused ends nothing")
		_, err := p.Refresh(t.Context(), old)
		refuse(t, err)
		require.True(t, s.Accepts(b.Refresh.Reveal()))
	})
	run("grace for a time", providers.RotationGrace, func(t *testing.T, s *provsim.Service, p *provsim.Provider, old providers.Credential) {
		next := refresh(t, p, old)
		time.Sleep(10*time.Minute - time.Nanosecond)
		require.True(t, s.Accepts(old.Refresh.Reveal()))
		time.Sleep(time.Nanosecond)
		require.False(t, s.Accepts(old.Refresh.Reveal()))
		require.True(t, s.Accepts(next.Refresh.Reveal()))
	})
	run("grace is for the immediate predecessor", providers.RotationGrace, func(t *testing.T, s *provsim.Service, p *provsim.Provider, old providers.Credential) {
		next := refresh(t, p, old)
		refresh(t, p, next)
		require.False(t, s.Accepts(old.Refresh.Reveal()))
		require.True(t, s.Accepts(next.Refresh.Reveal()))
	})
	run("replay", providers.RotationReplay, func(t *testing.T, s *provsim.Service, p *provsim.Provider, old providers.Credential) {
		a := refresh(t, p, old)
		require.NoError(t, use(t, p, a))
		time.Sleep(30 * time.Second)
		b := refresh(t, p, old)
		require.Equal(t, a.Access, b.Access)
		require.Equal(t, a.Refresh, b.Refresh)
		require.Equal(t, a.ExpiresAt, b.ExpiresAt)
		s.ExpireAccess("u1")
		c := refresh(t, p, old)
		require.NotEqual(t, a.Access, c.Access, "an access token that has ended is not given again")
		require.Equal(t, a.Refresh, c.Refresh)
		time.Sleep(30 * time.Second)
		_, err := p.Refresh(t.Context(), old)
		refuse(t, err)
		require.True(t, s.Accepts(a.Refresh.Reveal()))
	})
	run("single use", providers.RotationSingleUse, func(t *testing.T, s *provsim.Service, p *provsim.Provider, old providers.Credential) {
		next := refresh(t, p, old)
		_, err := p.Refresh(t.Context(), old)
		refuse(t, err)
		require.NoError(t, use(t, p, next))
		require.True(t, s.Accepts(next.Refresh.Reveal()))
		require.Empty(t, s.Lost(next.Refresh.Reveal()))
		require.Equal(t, []string{"u1"}, s.Lost(old.Refresh.Reveal()))
	})
	run("single use, reuse revokes", providers.RotationSingleUseRevoke, func(t *testing.T, s *provsim.Service, p *provsim.Provider, old providers.Credential) {
		next := refresh(t, p, old)
		require.True(t, s.Accepts(next.Refresh.Reveal()))
		_, err := p.Refresh(t.Context(), old)
		refuse(t, err)
		refuse(t, use(t, p, next))
		require.False(t, s.Accepts(next.Refresh.Reveal()))
		require.Equal(t, []string{"u1"}, s.Lost(next.Refresh.Reveal()))
		again := login(t, s) // a new consent makes the person whole
		require.Empty(t, s.Lost(again.Refresh.Reveal()))
	})
	run("withdrawn is not lost", providers.RotationSingleUse, func(t *testing.T, s *provsim.Service, p *provsim.Provider, old providers.Credential) {
		require.Equal(t, []string{"u1"}, s.Lost())
		require.NoError(t, s.Deauthorize("u1"))
		require.Empty(t, s.Lost())
		refuse(t, use(t, p, old))
		_, err := p.Refresh(t.Context(), old)
		refuse(t, err)
	})
	run("expired access is told", providers.RotationSingleUse, func(t *testing.T, s *provsim.Service, p *provsim.Provider, old providers.Credential) {
		time.Sleep(time.Hour - time.Nanosecond)
		require.NoError(t, use(t, p, old))
		time.Sleep(time.Nanosecond)
		err := use(t, p, old)
		refuse(t, err)
		require.ErrorContains(t, err, "token_expired")
		require.True(t, s.Accepts(old.Refresh.Reveal()))
	})
}

// TestAuthorizeIsStrict changes one parameter of a good request at a time.
func TestAuthorizeIsStrict(t *testing.T) {
	s, p := inProcess(t, provsim.Config{})
	start, err := p.Authorize(t.Context(), providers.AuthRequest{State: "st"})
	require.NoError(t, err)
	good, err := url.Parse(start.URL)
	require.NoError(t, err)
	for _, c := range []struct {
		name, parameter string
		values          []string
		page            bool   // refused on the page, not by a redirect
		code            string // told to the redirect address
	}{
		{"good", "state", []string{"st"}, false, ""},
		{"wrong client", "client_id", []string{"other"}, true, ""},
		{"no redirect", "redirect_uri", nil, true, ""},
		{"redirect below", "redirect_uri", []string{provsim.DefaultRedirectURL + "/x"}, true, ""},
		{"redirect of other case", "redirect_uri", []string{strings.ToUpper(provsim.DefaultRedirectURL)}, true, ""},
		{"redirect twice", "redirect_uri", []string{provsim.DefaultRedirectURL, provsim.DefaultRedirectURL}, true, ""},
		{"no state", "state", nil, false, "invalid_request"},
		{"no challenge", "code_challenge", nil, false, "invalid_request"},
		{"short challenge", "code_challenge", []string{"abc"}, false, "invalid_request"},
		{"plain", "code_challenge_method", []string{"plain"}, false, "invalid_request"},
		{"no method", "code_challenge_method", nil, false, "invalid_request"},
		{"implicit", "response_type", []string{"token"}, false, "unsupported_response_type"},
		{"no scope", "scope", nil, false, "invalid_scope"},
		{"unknown scope", "scope", []string{"daily weather"}, false, "invalid_scope"},
		{"denied", "deny", []string{"1"}, false, "access_denied"},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := good.Query()
			q.Del(c.parameter)
			if c.values != nil {
				q[c.parameter] = c.values
			}
			u := *good
			u.RawQuery = q.Encode()
			back, err := s.Consent("u1", u.String())
			require.Equal(t, c.page, err != nil)
			if c.page {
				return
			}
			to, err := url.Parse(back)
			require.NoError(t, err)
			require.Equal(t, c.code, to.Query().Get("error"))
			require.Equal(t, c.code == "", to.Query().Has("code"))
			require.Equal(t, q.Get("state"), to.Query().Get("state"))
			require.Equal(t, providertest.BaseURL, to.Query().Get("iss"))
		})
	}
}

// TestTokenIsStrict changes one thing of a good exchange at a time.
func TestTokenIsStrict(t *testing.T) {
	const form = "application/x-www-form-urlencoded"
	for _, c := range []struct {
		name   string
		change func(url.Values) (contentType string)
		wait   time.Duration
		status int
		code   string
		spent  bool // the code is gone afterwards
	}{
		{"good", func(url.Values) string { return form }, 0, 200, "", true},
		{"just in time", func(url.Values) string { return form }, 30*time.Second - 1, 200, "", true},
		{"late", func(url.Values) string { return form }, 30 * time.Second, 400, "invalid_grant", true},
		{"json", func(url.Values) string { return "application/json" }, 0, 400, "invalid_request", false},
		{"no secret", func(v url.Values) string { v.Del("client_secret"); return form }, 0, 401, "invalid_client", false},
		{"wrong secret", func(v url.Values) string { v.Set("client_secret", "x"); return form }, 0, 401, "invalid_client", false},
		{"wrong client", func(v url.Values) string { v.Set("client_id", "x"); return form }, 0, 401, "invalid_client", false},
		{"no grant type", func(v url.Values) string { v.Del("grant_type"); return form }, 0, 400, "invalid_request", false},
		{"other grant type", func(v url.Values) string { v.Set("grant_type", "password"); return form }, 0, 400, "unsupported_grant_type", false},
		{"no code", func(v url.Values) string { v.Del("code"); return form }, 0, 400, "invalid_request", false},
		{"unknown code", func(v url.Values) string { v.Set("code", "x"); return form }, 0, 400, "invalid_grant", false},
		{"two codes", func(v url.Values) string { v.Add("code", "x"); return form }, 0, 400, "invalid_request", false},
		{"no redirect", func(v url.Values) string { v.Del("redirect_uri"); return form }, 0, 400, "invalid_request", false},
		{"other redirect", func(v url.Values) string { v.Set("redirect_uri", "https://app.example.com/2"); return form }, 0, 400, "invalid_grant", true},
		{"no verifier", func(v url.Values) string { v.Del("code_verifier"); return form }, 0, 400, "invalid_request", false},
		{"other verifier", func(v url.Values) string { v.Set("code_verifier", strings.Repeat("v", 43)); return form }, 0, 400, "invalid_grant", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, p := inProcess(t, provsim.Config{RedirectURLs: []string{provsim.DefaultRedirectURL, "https://app.example.com/2"}})
				start, err := p.Authorize(t.Context(), providers.AuthRequest{State: "st"})
				require.NoError(t, err)
				back, err := s.Consent("u1", start.URL)
				require.NoError(t, err)
				to, err := url.Parse(back)
				require.NoError(t, err)
				good := func() url.Values {
					return url.Values{
						"grant_type": {"authorization_code"}, "code": {to.Query().Get("code")}, "redirect_uri": {provsim.DefaultRedirectURL},
						"code_verifier": {start.Secret.Reveal()}, "client_id": {provsim.DefaultClientID}, "client_secret": {provsim.DefaultClientSecret},
					}
				}
				v := good()
				contentType := c.change(v)
				time.Sleep(c.wait)
				status, code := post(s, v, contentType)
				require.Equal(t, c.status, status)
				require.Equal(t, c.code, code)
				status, _ = post(s, good(), form)
				require.Equal(t, c.spent, status != 200)
			})
		})
	}
}

// post asks the token endpoint and returns the status and the error code.
func post(s *provsim.Service, form url.Values, contentType string) (int, string) {
	r := httptest.NewRequest(http.MethodPost, "/oauth/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	var told struct{ Error string }
	_ = json.Unmarshal(w.Body.Bytes(), &told)
	return w.Code, told.Error
}

// TestClientTwice sends the client credentials in both places.
func TestClientTwice(t *testing.T) {
	s, _ := inProcess(t, provsim.Config{})
	for _, secret := range []string{"", provsim.DefaultClientSecret} {
		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {login(t, s).Refresh.Reveal()}, "client_secret": {secret}}
		r := httptest.NewRequest(http.MethodPost, "/oauth/token", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetBasicAuth(provsim.DefaultClientID, provsim.DefaultClientSecret)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		require.Equal(t, secret == "", w.Code == http.StatusOK)
	}
}

// TestCodeReuseEndsTheGrant shows a code twice.
func TestCodeReuseEndsTheGrant(t *testing.T) {
	s, p := inProcess(t, provsim.Config{})
	start, err := p.Authorize(t.Context(), providers.AuthRequest{State: "st"})
	require.NoError(t, err)
	back, err := s.Consent("u1", start.URL)
	require.NoError(t, err)
	to, err := url.Parse(back)
	require.NoError(t, err)
	cb := providers.Callback{Query: to.Query(), Secret: start.Secret}
	grant, err := p.Exchange(t.Context(), cb)
	require.NoError(t, err)
	require.NoError(t, use(t, p, grant.Credential))
	_, err = p.Exchange(t.Context(), cb)
	require.ErrorIs(t, err, providers.ErrReauth)
	require.ErrorIs(t, use(t, p, grant.Credential), providers.ErrReauth)
	require.False(t, s.Accepts(grant.Credential.Refresh.Reveal()))
}

// TestExchangeChecksTheIssuer is the defence against mix-up of RFC 9207.
func TestExchangeChecksTheIssuer(t *testing.T) {
	s, p := inProcess(t, provsim.Config{})
	for _, iss := range [][]string{nil, {""}, {"https://elsewhere.example.net"}, {providertest.BaseURL, providertest.BaseURL}} {
		query := url.Values{"code": {"c"}, "state": {"st"}}
		if iss != nil {
			query["iss"] = iss
		}
		_, err := p.Exchange(t.Context(), providers.Callback{Query: query})
		require.ErrorIs(t, err, providers.ErrInvalid)
	}
	require.Empty(t, s.Ledger().Entries, "nothing was asked")
}

// TestLedger compares the ledger with what was done, and looks for secrets.
func TestLedger(t *testing.T) {
	var mu sync.Mutex
	var firsts []provsim.FirstUse
	s, p, server := serve(t, provsim.Config{Rotation: providers.RotationSingleUse, OnFirstUse: func(f provsim.FirstUse) {
		mu.Lock()
		defer mu.Unlock()
		firsts = append(firsts, f)
	}})
	old := login(t, s)
	next, err := p.Refresh(t.Context(), old)
	require.NoError(t, err)
	require.NoError(t, use(t, p, next))
	require.NoError(t, use(t, p, next))
	_, err = p.Refresh(t.Context(), old)
	require.Error(t, err)
	require.Equal(t, []provsim.FirstUse{{User: "u1", Access: next.Access.Reveal(), Refresh: next.Refresh.Reveal()}}, firsts)

	l := s.Ledger()
	print := func(secret providers.Secret) string { return provsim.Fingerprint(secret.Reveal()) }
	require.Len(t, l.Refresh, 2)
	require.Equal(t, print(old.Refresh), l.Refresh[0].Token)
	require.Equal(t, 2, l.Refresh[0].Shown)
	require.Equal(t, 1, l.Refresh[0].Accepted)
	require.False(t, l.Refresh[0].Alive)
	require.Equal(t, print(old.Refresh), l.Refresh[1].Parent)
	require.True(t, l.Refresh[1].Alive)
	require.Len(t, l.Access, 2)
	require.Zero(t, l.Access[0].Uses)
	require.True(t, l.Access[0].FirstUsed.IsZero())
	require.Equal(t, 2, l.Access[1].Uses)
	require.Equal(t, print(next.Refresh), l.Access[1].Refresh)
	require.Equal(t, print(old.Refresh), l.Access[1].Parent)
	var told []string
	for i, e := range l.Entries {
		require.Equal(t, i+1, e.Seq)
		told = append(told, strings.TrimSpace(e.Kind+" "+e.Outcome))
	}
	require.Equal(t, []string{
		"refresh issued", "access issued", "refresh shown accepted", "refresh issued", "access issued", "access first used",
		"refresh shown invalid_grant",
	}, told)

	// The same over HTTP, from what could be another process.
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	control := provsim.Control{BaseURL: server.URL, Client: client}
	var raw json.RawMessage
	require.NoError(t, control.Do(t.Context(), "ledger", provsim.Command{}, &raw))
	for _, secret := range s.MintedSecrets() {
		require.NotContains(t, string(raw), secret)
	}
	var remote provsim.Ledger
	require.NoError(t, json.Unmarshal(raw, &remote))
	require.Len(t, remote.Entries, len(l.Entries))
	require.Equal(t, l.Refresh[1].Token, remote.Refresh[1].Token)
	var yes bool
	require.NoError(t, control.Do(t.Context(), "accepts", provsim.Command{Refresh: next.Refresh.Reveal()}, &yes))
	require.True(t, yes)
	var lost []string
	require.NoError(t, control.Do(t.Context(), "lost", provsim.Command{Held: []string{old.Refresh.Reveal()}}, &lost))
	require.Equal(t, []string{"u1"}, lost)
	require.Error(t, control.Do(t.Context(), "no such command", provsim.Command{}, nil))
	require.Error(t, control.Do(t.Context(), "truth", provsim.Command{User: "nobody"}, nil))
}

// TestOneWinner presents one refresh token from many goroutines at once.
func TestOneWinner(t *testing.T) {
	s, p, _ := serve(t, provsim.Config{Rotation: providers.RotationSingleUse})
	cred := login(t, s)
	const callers = 16
	var won atomic.Int32
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			if _, err := p.Refresh(t.Context(), cred); err == nil {
				won.Add(1)
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 1, won.Load())
	require.Equal(t, callers, s.Ledger().Refresh[0].Shown)
	require.Equal(t, 1, s.Ledger().Refresh[0].Accepted)
}

// TestSeed makes two services of one seed, which must be alike.
func TestSeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		truths := map[uint64][]any{}
		for _, seed := range []uint64{1, 1, 2} {
			s := provsim.NewService(provsim.Config{Seed: seed, Users: 2})
			truth, err := s.Truth("u2")
			require.NoError(t, err)
			truths[seed] = append(truths[seed], truth, login(t, s))
		}
		require.Equal(t, truths[1][:2], truths[1][2:])
		require.NotEqual(t, truths[1][0], truths[2][0])
		require.NotEqual(t, truths[1][1], truths[2][1])
	})
}

// TestRevoke ends a grant by either token; wrong client credentials do not.
func TestRevoke(t *testing.T) {
	s, p := inProcess(t, provsim.Config{Rotation: providers.RotationSingleUse})
	wrong, err := provsim.New(provsim.AdapterConfig{
		BaseURL: providertest.BaseURL, ClientSecret: providers.NewSecret("another"), Transport: providertest.Transport(s),
	})
	require.NoError(t, err)
	cred := login(t, s)
	err = wrong.Revoke(t.Context(), cred)
	require.ErrorIs(t, err, providers.ErrInvalid)
	require.True(t, s.Accepts(cred.Refresh.Reveal()))
	_, err = wrong.Refresh(t.Context(), cred)
	require.ErrorIs(t, err, providers.ErrInvalid)
	require.True(t, s.Accepts(cred.Refresh.Reveal()), "who is not the client cannot spend a token")

	byAccess := login(t, s)
	byAccess.Refresh = providers.Secret{}
	require.NoError(t, p.Revoke(t.Context(), cred))
	require.NoError(t, use(t, p, byAccess), "the other grant lives")
	require.NoError(t, p.Revoke(t.Context(), byAccess))
	require.ErrorIs(t, use(t, p, byAccess), providers.ErrReauth)
	require.Empty(t, s.Lost())
}
