package main

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

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/withings/oauth1"
	"github.com/vitalmux/vitalmux/providers/withings/withingstest"
)

// serveWithings serves the simulated Withings as the command does.
func serveWithings(t *testing.T) (*withingstest.Server, withingsAbout) {
	var in instance
	server := httptest.NewServer(http.StripPrefix("/withings", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in.handler.ServeHTTP(w, r)
	})))
	in = startWithings(options{seed: 5, users: 2, days: 5, allowLoopback: true}, server.URL+"/withings")
	t.Cleanup(func() { server.Close(); in.close() })
	return in.handler.(*withingstest.Server), in.about.(withingsAbout)
}

// TestLegacyCredentials uses what the first line says of OAuth 1.0.
func TestLegacyCredentials(t *testing.T) {
	_, about := serveWithings(t)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	for _, u := range about.Users {
		signed, err := oauth1.Signer{
			ConsumerKey: about.OAuth1.ConsumerKey, ConsumerSecret: about.OAuth1.ConsumerSecret,
			Token: u.OAuth1Token, TokenSecret: u.OAuth1Secret,
		}.SignedURL(http.MethodGet, about.BaseURL+"/measure", url.Values{"action": {"getmeas"}, "userid": {fmt.Sprint(u.ID)}})
		require.NoError(t, err)
		resp, err := client.Get(signed)
		require.NoError(t, err)
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Contains(t, string(text), `{"status":0,"body":{"updatetime":`)
	}
	flow, err := oauth1.NewFlow(oauth1.Config{
		ConsumerKey: about.OAuth1.ConsumerKey, ConsumerSecret: providers.NewSecret(about.OAuth1.ConsumerSecret),
		AccountURL: strings.TrimSuffix(about.OAuth1.RequestTokenURL, "/request_token"), Transport: transport,
	})
	require.NoError(t, err)
	request, err := flow.RequestToken(t.Context(), "http://127.0.0.1/cb")
	require.NoError(t, err)
	consent, err := flow.AuthorizeURL(request, "")
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(consent, about.OAuth1.AuthorizeURL+"?"))
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.PostForm(consent, url.Values{"accept": {"1"}, "user": {fmt.Sprint(about.Users[1].ID)}})
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	back, err := resp.Location()
	require.NoError(t, err)
	access, err := flow.AccessToken(t.Context(), request, "", back.Query())
	require.NoError(t, err)
	require.Equal(t, fmt.Sprint(about.Users[1].ID), access.UserID)
	require.NotEmpty(t, about.OAuth1.AccessTokenURL)
}

// TestNotifiesServicesOnThisMachine: a change reaches the address that a service subscribed.
func TestNotifiesServicesOnThisMachine(t *testing.T) {
	sim, about := serveWithings(t)
	got := make(chan url.Values, 16)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err == nil && len(r.PostForm) > 0 {
			got <- r.PostForm
		}
	}))
	defer hook.Close()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	u := about.Users[0]
	resp, err := (&http.Client{Transport: transport}).PostForm(about.BaseURL+"/notify", url.Values{
		"action": {"subscribe"}, "appli": {"1"}, "callbackurl": {hook.URL + "/x"}, "access_token": {u.AccessToken},
	})
	require.NoError(t, err)
	var answer struct{ Status int }
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&answer))
	require.NoError(t, resp.Body.Close())
	require.Zero(t, answer.Status)
	sim.AdvanceDay(u.ID)
	select {
	case form := <-got:
		require.Equal(t, strconv.FormatInt(u.ID, 10), form.Get("userid"))
		require.Equal(t, "1", form.Get("appli"))
	case <-time.After(time.Minute):
		require.Fail(t, "no notification")
	}
}
