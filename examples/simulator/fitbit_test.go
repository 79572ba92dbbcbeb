package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/fitbit"
)

// TestFitbit connects and reads with nothing but what the simulator tells, links to next pages included.
func TestFitbit(t *testing.T) {
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	defer server.Close()
	in := startFitbit(options{seed: 5, users: 2, days: 60, redirectURLs: redirects{"": "http://127.0.0.1/fitbit/callback"}}, server.URL+"/fitbit")
	mux.Handle("/fitbit/", http.StripPrefix("/fitbit", in.handler))
	about, ok := in.about.(fitbitAbout)
	require.True(t, ok)
	require.Len(t, about.Users, 2)

	p, err := fitbit.New(fitbit.Config{
		ClientID: about.ClientID, ClientSecret: providers.NewSecret(about.ClientSecret), RedirectURL: about.RedirectURL,
		BaseURL: about.BaseURL, AccountURL: about.BaseURL, RoutesPerPage: 2, Transport: &http.Transport{DisableKeepAlives: true},
	})
	require.NoError(t, err)
	start, err := p.Authorize(t.Context(), providers.AuthRequest{State: "s"})
	require.NoError(t, err)
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.PostForm(start.URL, url.Values{"accept": {"1"}, "person": {about.Users[1].ID}})
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusFound, resp.StatusCode)
	back, err := resp.Location()
	require.NoError(t, err)
	grant, err := p.Exchange(t.Context(), providers.Callback{Query: back.Query(), Secret: start.Secret})
	require.NoError(t, err)
	require.Equal(t, about.Users[1].ID, grant.UpstreamID)

	page, err := p.Fetch(t.Context(), grant.Credential, providers.Query{Stream: "profile"})
	require.NoError(t, err)
	require.Equal(t, about.Users[1].Timezone, page.Zone)
	in.catchUp()

	ready := providers.Credential{UpstreamID: about.Users[0].ID, Access: providers.NewSecret(about.Users[0].AccessToken)}
	today := health.DayOf(page.Date)
	pages, windows := 0, 0
	for last := today.Add(1); last.Compare(today.Add(-90)) > 0; last = last.Add(-30) { // as much as one query takes
		windows++
		for _, err := range providers.Pages(t.Context(), p, ready, providers.Query{
			Stream: "routes", Window: health.Window{First: last.Add(-29), Last: last},
		}) {
			require.NoError(t, err)
			pages++
		}
	}
	require.Greater(t, pages, windows)
}
