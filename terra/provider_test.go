package terra_test

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/providertest"
	"github.com/vitalmux/vitalmux/terra"
	"github.com/vitalmux/vitalmux/terra/terratest"
)

func TestNewProviderRefuses(t *testing.T) {
	secrets := []providers.Secret{providers.NewSecret(terratest.DefaultSigningSecret)}
	base := terra.Config{DevID: "d", APIKey: providers.NewSecret("k")}
	good := terra.ProviderConfig{Config: base, SigningSecrets: secrets}
	_, err := terra.NewProvider(good)
	require.NoError(t, err)
	for name, change := range map[string]func(*terra.ProviderConfig){
		"no key":             func(c *terra.ProviderConfig) { c.APIKey = providers.Secret{} },
		"no signing secrets": func(c *terra.ProviderConfig) { c.SigningSecrets = nil },
		"an empty list":      func(c *terra.ProviderConfig) { c.SigningSecrets = []providers.Secret{} },
		"an empty secret":    func(c *terra.ProviderConfig) { c.SigningSecrets = append(secrets, providers.Secret{}) },
		"a short secret":     func(c *terra.ProviderConfig) { c.SigningSecrets = []providers.Secret{providers.NewSecret("changeme")} },
		"white space": func(c *terra.ProviderConfig) {
			c.SigningSecrets = []providers.Secret{providers.NewSecret("                    ")}
		},
		"negative tolerance":      func(c *terra.ProviderConfig) { c.Tolerance = -time.Hour },
		"tolerance of a second":   func(c *terra.ProviderConfig) { c.Tolerance = time.Second },
		"tolerance of ten days":   func(c *terra.ProviderConfig) { c.Tolerance = 240 * time.Hour },
		"a provider with no name": func(c *terra.ProviderConfig) { c.Providers = []string{"GARMIN", ""} },
		"six years":               func(c *terra.ProviderConfig) { c.RequestDays = 2190 },
		"an address as a host":    func(c *terra.ProviderConfig) { c.PayloadHosts = []string{"https://x.example.com/"} },
		"any host":                func(c *terra.ProviderConfig) { c.PayloadHosts = []string{"."} },
		"no TLS":                  func(c *terra.ProviderConfig) { c.BaseURL = "http://api.example.com/v2" },
	} {
		cfg := good
		change(&cfg)
		_, err := terra.NewProvider(cfg)
		require.ErrorIs(t, err, providers.ErrInvalid, name)
		require.NotContains(t, err.Error(), terratest.DefaultSigningSecret)
	}
}

// spanDays is how many days the person of spanTest has data of.
const spanDays = 20

// spanTest is a provider, a person with some days of data, and a destination.
func spanTest(t *testing.T, change func(*terra.ProviderConfig)) (*terratest.Server, *terra.Provider, func(days int, token string) (providers.Page, error)) {
	sim := terratest.New(terratest.Config{Seed: 5, Days: spanDays, Now: simNow, HeartRateSamples: -1})
	t.Cleanup(sim.Close)
	sim.Hold()
	sim.AddDestination(terratest.Destination{URL: "https://app.example.com/hook"})
	p := newProvider(t, sim, change)
	user := sim.AddUser(terratest.UserConfig{Provider: "GARMIN"}).ID
	last := health.DayOf(simNow()).Add(-1)
	return sim, p, func(days int, token string) (providers.Page, error) {
		return p.Fetch(t.Context(), providers.Credential{UpstreamID: user}, providers.Query{
			Stream: "daily", Window: health.Window{First: last.Add(1 - days), Last: last}, PageToken: token,
		})
	}
}

// pull reads all pages of some days, and returns how many there were of each.
func pull(t *testing.T, fetch func(int, string) (providers.Page, error), days int) (pages, records int) {
	for token := ""; ; {
		page, err := fetch(days, token)
		require.NoError(t, err)
		require.Nil(t, page.Pending)
		pages, records = pages+1, records+len(page.Records)
		if !page.More {
			return pages, records
		}
		token = page.PageToken
	}
}

func TestSpans(t *testing.T) {
	sim, _, fetch := spanTest(t, nil)
	for days, want := range map[int]int{1: 1, 14: 1, 15: 2, 28: 2, 30: 3, 56: 4} {
		pages, records := pull(t, fetch, days)
		require.Equal(t, []int{want, min(days, spanDays-1)}, []int{pages, records}, days)
	}
	for _, days := range []int{57, 90, 366} {
		page, err := fetch(days, "")
		require.NoError(t, err)
		require.NotNil(t, page.Pending, days)
		require.Zero(t, page.Pending.Expected, "told later")
		require.False(t, page.More)
		require.Empty(t, page.Raw)
	}
	for _, r := range sim.Requests() {
		require.NotEmpty(t, r.Query.Get("to_webhook"))
		require.Equal(t, "true", r.Query.Get("with_samples"))
	}
	for _, token := range []string{"x", "2020-01-01", "2030-01-01", "2026-11-21"} {
		_, err := fetch(30, token)
		require.ErrorIs(t, err, providers.ErrInvalid, token)
	}
	_, _, fetch = spanTest(t, func(c *terra.ProviderConfig) { c.RequestDays = -1 })
	pages, records := pull(t, fetch, 90)
	require.Equal(t, []int{7, spanDays - 1}, []int{pages, records}, "nothing comes through the webhook")
}

// What cannot be had in an answer is asked for through the webhook: from there
// to the end of the window, as a request of which it is known whether it has
// parts.
func TestTooLargeForAnAnswer(t *testing.T) {
	for name, f := range map[string]terratest.Fault{
		"too large":      {Kind: terratest.FaultHTTP, Status: http.StatusRequestEntityTooLarge},
		"takes too long": {Kind: terratest.FaultGateway, Count: 3},
		"fails":          {Kind: terratest.FaultHTTP, Status: http.StatusInternalServerError, Count: 3},
	} {
		for days, want := range map[int]struct{ expected, asked int }{10: {1, 10}, 28: {1, 28}, 30: {0, 32}, 40: {0, 40}} {
			sim, _, fetch := spanTest(t, nil)
			sim.Fault(f)
			page, err := fetch(days, "")
			for range 3 { // the caller tries again what may pass
				if page.Pending != nil || err == nil {
					break
				}
				page, err = fetch(days, "")
			}
			require.NoError(t, err, name)
			require.NotNil(t, page.Pending, name)
			require.Equal(t, want.expected, page.Pending.Expected, "%s %d", name, days)
			all := sim.Requests()
			q := all[len(all)-1].Query
			from, err := health.ParseDay(q.Get("start_date"))
			require.NoError(t, err)
			to, err := health.ParseDay(q.Get("end_date"))
			require.NoError(t, err)
			require.Equal(t, want.asked, to.Number()-from.Number())
		}
	}
	sim, _, fetch := spanTest(t, func(c *terra.ProviderConfig) { c.RequestDays = -1 })
	sim.Fault(terratest.Fault{Kind: terratest.FaultHTTP, Status: http.StatusRequestEntityTooLarge})
	_, err := fetch(5, "")
	require.ErrorIs(t, err, providers.ErrInvalid)
}

// The other answers that are no data.
func TestOtherAnswers(t *testing.T) {
	sim, p, fetch := spanTest(t, nil)
	sim.Fault(terratest.Fault{Kind: terratest.FaultNoData})
	page, err := fetch(3, "")
	require.NoError(t, err)
	require.Empty(t, page.Records)
	sim.Fault(terratest.Fault{Kind: terratest.FaultRewrite, Rewrite: func(body []byte) []byte {
		var answer map[string]any
		require.NoError(t, json.Unmarshal(body, &answer))
		answer["data"] = nil
		body, err := json.Marshal(answer)
		require.NoError(t, err)
		return body
	}})
	page, err = fetch(3, "")
	require.NoError(t, err, "an empty list may be null")
	require.Empty(t, page.Records)
	sim.Fault(terratest.Fault{Kind: terratest.FaultPending, Wait: time.Minute})
	_, err = fetch(3, "")
	require.ErrorIs(t, err, providers.ErrUnavailable)
	at, ok := providers.RetryAt(err)
	require.True(t, ok)
	require.WithinDuration(t, time.Now().Add(time.Minute), at, 30*time.Second)
	sim.Fault(terratest.Fault{Kind: terratest.FaultRewrite, Rewrite: func([]byte) []byte {
		return []byte(`{"user":{"user_id":"somebody else","provider":"GARMIN"},"data":[],"type":"daily"}`)
	}})
	_, err = fetch(3, "")
	var e *providers.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, providers.CodeIdentity, e.Code)
	_, err = p.Fetch(t.Context(), providers.Credential{UpstreamID: "u"}, providers.Query{Stream: "daily"})
	require.ErrorIs(t, err, providers.ErrInvalid)
	_, err = p.Remap(health.RawPage{Stream: "daily", Bodies: []health.RawBody{{Name: "daily", Body: []byte("{}")}}})
	require.ErrorIs(t, err, providers.ErrMalformed)
	_, err = p.Remap(health.RawPage{Stream: "moon"})
	require.ErrorIs(t, err, providers.ErrInvalid)
	_, err = p.UpstreamUsers(t.Context(), "x")
	require.ErrorIs(t, err, providers.ErrInvalid)
	_, err = p.Exchange(t.Context(), providers.Callback{})
	require.Error(t, err)
}

// With one provider the person goes straight to its page; the widget call that
// has been withdrawn says what succeeds it.
func TestAuthorize(t *testing.T) {
	sim := terratest.New(terratest.Config{Now: simNow, RetireWidget: true, BaseURL: providertest.BaseURL})
	request := providers.AuthRequest{State: "state", RedirectURL: "https://app.example.com/back?x=1"}
	direct := newProvider(t, sim, func(c *terra.ProviderConfig) { c.Providers, c.Language = []string{"FITBIT"}, "de" })
	start, err := direct.Authorize(t.Context(), request)
	require.NoError(t, err)
	back, err := sim.Consent(start.URL, terratest.Decision{})
	require.NoError(t, err)
	require.Equal(t, []string{"state", "1", "state", "FITBIT"}, []string{
		back.Query().Get("state"), back.Query().Get("x"), back.Query().Get("reference_id"), back.Query().Get("resource"),
	})
	confirmed, err := direct.Confirm(t.Context(), "state", providers.Callback{})
	require.NoError(t, err)
	require.Equal(t, back.Query().Get("user_id"), confirmed)
	sim.RevokeAccess(confirmed)
	_, err = direct.Confirm(t.Context(), "state", providers.Callback{})
	require.ErrorIs(t, err, providers.ErrNotFound)

	_, err = newProvider(t, sim, nil).Authorize(t.Context(), request)
	require.ErrorIs(t, err, providers.ErrRetired)
	require.Contains(t, err.Error(), terra.WidgetSessionURL)
	successor := newProvider(t, sim, func(c *terra.ProviderConfig) { c.WidgetSessionURL = terra.WidgetSessionURL })
	start, err = successor.Authorize(t.Context(), request)
	require.NoError(t, err)
	require.Contains(t, start.URL, terratest.SessionPath)
	for _, r := range []providers.AuthRequest{{State: "s"}, {RedirectURL: "https://a.example.com"}, {State: "s", RedirectURL: "http://a.example.com"}} {
		_, err := successor.Authorize(t.Context(), r)
		require.ErrorIs(t, err, providers.ErrInvalid)
	}
}

// Nobody who is listed without a word about being in order ends a connect flow.
func TestListedUserMayBeReserved(t *testing.T) {
	for active, reference := range map[string]string{"true": "state", "null": ""} {
		p := newProvider(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"data":{"next":null,"max_page":0,"results":[{"user_id":"u1","provider":"GARMIN","reference_id":"state","active":`+active+`}]}}`)
		}), nil)
		page, err := p.UpstreamUsers(t.Context(), "")
		require.NoError(t, err)
		require.Equal(t, []providers.UpstreamUser{{ID: "u1", Reference: reference}}, page.Users)
	}
}

// A user is there before the person consents, and not every answer says whether
// it is in order: that is asked for.
func TestConfirmAsksWhetherAUserIsInOrder(t *testing.T) {
	for name, tc := range map[string]struct {
		listed, info string // of the user, besides its id
		good         bool
		asked        int
	}{
		"listed as active":        {`"active":true`, ``, true, 1},
		"listed as not active":    {`"active":false`, ``, false, 1},
		"not told, authenticated": {`"active":null`, `,"is_authenticated":true`, true, 2},
		"not told, not so":        {`"active":null`, `,"is_authenticated":false`, false, 2},
		"not told at all":         {`"active":null`, ``, false, 2},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			p := newProvider(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked++
				user := `{"user_id":"u1","provider":"GARMIN","reference_id":"state",` + tc.listed + `}`
				if r.URL.Query().Has("user_id") {
					_, _ = io.WriteString(w, `{"user":`+user+`,"status":"success"`+tc.info+`}`)
					return
				}
				_, _ = io.WriteString(w, `[`+user+`]`)
			}), nil)
			id, err := p.Confirm(t.Context(), "state", providers.Callback{})
			require.Equal(t, tc.asked, asked)
			if tc.good {
				require.NoError(t, err)
				require.Equal(t, "u1", id)
				return
			}
			require.ErrorIs(t, err, providers.ErrNotFound)
		})
	}
}
