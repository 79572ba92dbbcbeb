package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/googlehealth"
)

// TestGoogleHealth connects and reads with nothing but what the simulator tells.
func TestGoogleHealth(t *testing.T) {
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	defer server.Close()
	const redirect = "http://127.0.0.1/googlehealth/callback"
	in := startGoogleHealth(options{seed: 5, users: 2, days: 10, redirectURLs: redirects{"": redirect}}, server.URL+"/googlehealth")
	mux.Handle("/googlehealth/", http.StripPrefix("/googlehealth", in.handler))
	about, ok := in.about.(googleHealthAbout)
	require.True(t, ok)
	require.Len(t, about.Users, 2)

	p, err := googlehealth.New(googlehealth.Config{
		ClientID: about.ClientID, ClientSecret: providers.NewSecret(about.ClientSecret), RedirectURL: about.RedirectURL,
		BaseURL: about.BaseURL, TokenURL: about.BaseURL, AccountURL: about.BaseURL, KeysetURL: about.KeysetURL,
		Transport: &http.Transport{DisableKeepAlives: true},
	})
	require.NoError(t, err)
	start, err := p.Authorize(context.Background(), providers.AuthRequest{State: "s"})
	require.NoError(t, err)
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.PostForm(start.URL, url.Values{"accept": {"1"}, "user": {about.Users[1].ID}})
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusFound, resp.StatusCode)
	back, err := resp.Location()
	require.NoError(t, err)
	grant, err := p.Exchange(context.Background(), providers.Callback{Query: back.Query(), Secret: start.Secret})
	require.NoError(t, err)
	require.Equal(t, about.Users[1].ID, grant.UpstreamID)
	require.Equal(t, about.Users[1].LegacyID, grant.Aliases[0].UpstreamID)

	page, err := p.Fetch(context.Background(), grant.Credential, providers.Query{Stream: "settings"})
	require.NoError(t, err)
	require.Equal(t, about.Users[1].Timezone, page.Zone)
	in.catchUp()

	ready := providers.Credential{UpstreamID: about.Users[0].ID, Access: providers.NewSecret(about.Users[0].AccessToken)}
	page, err = p.Fetch(context.Background(), ready, providers.Query{Stream: "identity"})
	require.NoError(t, err)
	require.Equal(t, health.KindAthlete, page.Records[0].Kind)
}
