package withingstest

import (
	"bytes"
	"context"
	"encoding/json"
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

// TestAnotherClientWorks walks the whole flow with golang.org/x/oauth2, through
// the shim that its users write for this service: it adds the action parameter
// and unwraps the envelope.
func TestAnotherClientWorks(t *testing.T) {
	now := time.Now()
	sim := New(Config{Now: func() time.Time { return now }, IdenticalCallWindow: -1})
	user := sim.AddUser(UserConfig{Days: 3})
	server := httptest.NewServer(sim)
	defer server.Close()
	cfg := oauth2.Config{
		ClientID: DefaultClientID, ClientSecret: DefaultClientSecret, RedirectURL: DefaultRedirectURL,
		Scopes: []string{strings.Join([]string{ScopeInfo, ScopeMetrics, ScopeActivity}, ",")},
		Endpoint: oauth2.Endpoint{
			AuthURL: server.URL + AuthorizePath, TokenURL: server.URL + OAuthPath, AuthStyle: oauth2.AuthStyleInParams,
		},
	}
	ctx := context.WithValue(t.Context(), oauth2.HTTPClient, &http.Client{Transport: envelopeShim{}})

	_, err := cfg.Exchange(ctx, "a code that nobody issued")
	require.ErrorContains(t, err, "withings_503")

	to, err := sim.Authorize(user.ID, cfg.AuthCodeURL("a state"))
	require.NoError(t, err)
	require.Equal(t, "a state", to.Query().Get("state"))
	token, err := cfg.Exchange(ctx, to.Query().Get("code"))
	require.NoError(t, err)
	require.EqualValues(t, user.ID, token.Extra("userid"))

	old := token.RefreshToken
	token.Expiry = time.Unix(1, 0)
	client := cfg.Client(ctx, token)
	answer, err := client.PostForm(server.URL+MeasurePath, url.Values{"action": {"getmeas"}})
	require.NoError(t, err)
	defer answer.Body.Close()
	var envelope struct {
		Status int
		Body   struct{ Measuregrps []json.RawMessage }
	}
	require.NoError(t, json.NewDecoder(answer.Body).Decode(&envelope))
	require.Zero(t, envelope.Status)
	require.NotEmpty(t, envelope.Body.Measuregrps)
	for _, r := range sim.Ledger().Refresh {
		if r.Token == old {
			require.Equal(t, 1, r.Presented)
			require.False(t, r.Alive, "using the new access token ends the old refresh token")
		}
	}
}

// envelopeShim makes the token service look like the standard's.
type envelopeShim struct{}

func (envelopeShim) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.URL.Path, OAuthPath) {
		return http.DefaultTransport.RoundTrip(r)
	}
	form, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form = append(form, "&action=requesttoken"...)
	out := r.Clone(r.Context())
	out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(form)), int64(len(form))
	answer, err := http.DefaultTransport.RoundTrip(out)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	var envelope struct {
		Status int
		Body   json.RawMessage
		Error  string
	}
	if err := json.NewDecoder(answer.Body).Decode(&envelope); err != nil {
		return nil, err
	}
	body := []byte(envelope.Body)
	if envelope.Status != 0 {
		answer.StatusCode = http.StatusBadRequest
		body = fmt.Appendf(nil, `{"error":"withings_%d","error_description":%q}`, envelope.Status, envelope.Error)
	}
	answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	answer.Header.Set("Content-Length", fmt.Sprint(len(body)))
	return answer, nil
}
