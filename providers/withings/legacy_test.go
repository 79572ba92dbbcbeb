package withings_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/providertest"
	"github.com/vitalmux/vitalmux/providers/withings"
	"github.com/vitalmux/vitalmux/providers/withings/oauth1"
	"github.com/vitalmux/vitalmux/providers/withings/withingstest"
)

var legacyCred = providers.Credential{
	UpstreamID: "363", Access: providers.NewSecret("access-token"), TokenSecret: providers.NewSecret("token-secret"),
}

func scriptedLegacy(t *testing.T, answer func(*http.Request) string, change func(*withings.Config)) (*withings.Legacy, *[]*http.Request) {
	t.Helper()
	var asked []*http.Request
	service := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r)
		w.Header().Set("Date", "Wed, 28 Mar 2018 10:00:00 GMT")
		_, _ = io.WriteString(w, answer(r))
	})
	cfg := withings.Config{
		OAuth1:      withings.OAuth1{ConsumerKey: "key", ConsumerSecret: providers.NewSecret("consumer-secret")},
		RedirectURL: "https://app.example.com/callback", Transport: providertest.Transport(service), MaxWait: -1,
	}
	if change != nil {
		change(&cfg)
	}
	p, err := withings.NewLegacy(cfg)
	require.NoError(t, err)
	return p, &asked
}

// What the class of 2017 asks for, service by service: a GET to the host of the
// time with everything in the query, the signature at its end.
func TestLegacyWhatIsAsked(t *testing.T) {
	days := health.Window{First: day("2018-03-01"), Last: day("2018-03-20")}
	one := health.Window{First: day("2018-03-20"), Last: day("2018-03-20")}
	for _, c := range []struct {
		query            providers.Query
		path, want, body string
	}{
		{providers.Query{Stream: "measures", Window: health.Window{From: time.Unix(1487574000, 0), To: time.Unix(1490166000, 0)}}, "/measure", "action=getmeas&enddate=1490166000&startdate=1487574000&userid=363", `{"measuregrps":[]}`},
		{providers.Query{Stream: "measures", HighWater: "1490166000"}, "/measure", "action=getmeas&lastupdate=1490166000&userid=363", `{"measuregrps":[]}`},
		{providers.Query{Stream: "measures", HighWater: "1490166000", PageToken: "300.ab"}, "/measure", "action=getmeas&lastupdate=1490166000&offset=300&userid=363", `{"measuregrps":[]}`},
		{providers.Query{Stream: "activity", Window: days}, "/v2/measure", "action=getactivity&enddateymd=2018-03-20&startdateymd=2018-03-01&userid=363", `{"activities":[]}`},
		{providers.Query{Stream: "activity", Window: one}, "/v2/measure", "action=getactivity&date=2018-03-20&userid=363", `[]`},
		{providers.Query{Stream: "workouts", Window: days}, "/v2/measure", "action=getworkouts&enddateymd=2018-03-20&startdateymd=2018-03-01&userid=363", `{"series":[]}`},
		{providers.Query{Stream: "sleep_summary", Window: days}, "/v2/sleep", "action=getsummary&enddateymd=2018-03-20&startdateymd=2018-03-01&userid=363", `{"series":[],"more":false}`},
		{providers.Query{Stream: "sleep", Window: one}, "/v2/sleep", "action=get&enddate=1521547200&startdate=1521460800&userid=363", `{"series":[],"model":16}`},
	} {
		p, asked := scriptedLegacy(t, func(*http.Request) string { return `{"status":0,"body":` + c.body + `}` }, nil)
		page, err := p.Fetch(t.Context(), legacyCred, c.query)
		require.NoError(t, err, c.want)
		require.Empty(t, page.Records)
		require.Len(t, *asked, 1)
		r := (*asked)[0]
		require.Equal(t, http.MethodGet, r.Method)
		require.Equal(t, "api.health.nokia.com", r.Host)
		require.Equal(t, c.path, r.URL.Path)
		require.Empty(t, r.Header.Get("Authorization"))
		require.Regexp(t, `&oauth_signature=[^&]+$`, "&"+r.URL.RawQuery)
		query := r.URL.Query()
		for _, name := range []string{"oauth_consumer_key", "oauth_nonce", "oauth_signature", "oauth_signature_method", "oauth_timestamp", "oauth_token", "oauth_version"} {
			require.Len(t, query[name], 1, name)
			query.Del(name)
		}
		require.Equal(t, c.want, query.Encode())
		require.True(t, strings.HasPrefix(page.Raw[0].Name, "oauth1/"), "stored answers tell their era")
	}
}

// A page more without an offset goes on behind the rows there were.
func TestLegacyMoreWithoutOffset(t *testing.T) {
	for name, offset := range map[string]string{"absent": "", "null": `,"offset":null`} {
		t.Run(name, func(t *testing.T) { moreWithoutOffset(t, offset) })
	}
}

func moreWithoutOffset(t *testing.T, offset string) {
	p, asked := scriptedLegacy(t, func(r *http.Request) string {
		row := func(id int) string {
			return fmt.Sprintf(`{"id":%d,"timezone":"Europe/Paris","model":16,"startdate":1521498600,"enddate":1521525900,"date":"2018-03-20","modified":1521526800,"data":{}}`, id)
		}
		switch r.URL.Query().Get("offset") {
		case "":
			return `{"status":0,"body":{"more":true` + offset + `,"series":[` + row(1) + `,` + row(2) + `]}}`
		case "2":
			return `{"status":0,"body":{"more":false,"series":[` + row(3) + `]}}`
		}
		return `{"status":246}`
	}, nil)
	q := providers.Query{Stream: "sleep_summary", Window: health.Window{First: day("2018-03-01"), Last: day("2018-03-20")}}
	var keys []string
	for r, err := range providers.Records(t.Context(), p, legacyCred, q) {
		require.NoError(t, err)
		keys = append(keys, r.Key)
	}
	require.Equal(t, []string{"sleep_summary/1", "sleep_summary/2", "sleep_summary/3"}, keys)
	require.Len(t, *asked, 2)
}

// A day of long ago tells where the person was. It is the best there is only as
// long as no zone is known.
func TestLegacyZoneOfOldDays(t *testing.T) {
	paris, err := time.LoadLocation("Europe/Paris")
	require.NoError(t, err)
	for _, c := range []struct {
		date  string // answered on 2018-03-28
		known *time.Location
		want  string
	}{
		{"2017-08-20", paris, ""},
		{"2018-03-20", paris, ""},
		{"2018-03-21", paris, "America/New_York"},
		{"2018-03-28", paris, "America/New_York"},
		{"2017-08-20", nil, "America/New_York"},
	} {
		for stream, rows := range map[string]string{
			"activity": `"activities":[{"date":"` + c.date + `","timezone":"America/New_York","steps":1}]`,
			"sleep_summary": `"series":[{"id":1,"date":"` + c.date + `","timezone":"America/New_York","model":16,` +
				`"startdate":1521498600,"enddate":1521525900,"data":{}}]`,
		} {
			p, _ := scriptedLegacy(t, func(*http.Request) string { return `{"status":0,"body":{` + rows + `}}` }, nil)
			page, err := p.Fetch(t.Context(), legacyCred, providers.Query{
				Stream: stream, Zone: c.known, Window: health.Window{First: day(c.date).Add(-9), Last: day(c.date)},
			})
			require.NoError(t, err)
			require.Len(t, page.Records, 1)
			require.Equal(t, c.want, page.Zone, "%s of %s", stream, c.date)
		}
	}
}

// Each sending has a nonce and a timestamp of its own.
func TestLegacySignsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		p, asked := scriptedLegacy(t, func(*http.Request) string {
			if n++; n < 3 {
				return `{"status":284}`
			}
			return `{"status":0,"body":{"measuregrps":[]}}`
		}, func(c *withings.Config) { c.MaxWait = time.Minute })
		_, err := p.Fetch(t.Context(), legacyCred, providers.Query{Stream: "measures", HighWater: "1"})
		require.NoError(t, err)
		require.Len(t, *asked, 3)
		nonces := map[string]bool{}
		for _, r := range *asked {
			nonces[r.URL.Query().Get("oauth_nonce")] = true
		}
		require.Len(t, nonces, 3)
	})
}

func TestLegacyErrors(t *testing.T) {
	type outcome struct {
		kind        error
		application bool
		requests    int
	}
	for status, want := range map[int]outcome{
		100: {providers.ErrInvalid, true, 1}, 246: {providers.ErrInvalid, false, 1}, 247: {providers.ErrInvalid, false, 1},
		249: {providers.ErrReauth, false, 1}, 250: {providers.ErrReauth, false, 1}, 283: {providers.ErrReauth, false, 1},
		284: {providers.ErrUnavailable, false, 1}, 328: {providers.ErrReauth, false, 1}, 342: {providers.ErrInvalid, true, 2},
		401: {providers.ErrReauth, false, 1}, 601: {providers.ErrRateLimited, false, 1}, 2554: {providers.ErrInvalid, true, 1},
		2555: {providers.ErrUnavailable, false, 1}, 2556: {providers.ErrInvalid, true, 1}, 424242: {providers.ErrUnavailable, false, 1},
	} {
		p, asked := scriptedLegacy(t, func(*http.Request) string { return fmt.Sprintf(`{"status":%d,"error":"canary"}`, status) }, nil)
		_, err := p.Fetch(t.Context(), legacyCred, providers.Query{Stream: "measures", HighWater: "1"})
		var e *providers.Error
		require.ErrorAs(t, err, &e, status)
		require.Equal(t, want.kind, e.Kind, status)
		require.Equal(t, want.application, e.ClientFault, status)
		require.False(t, e.ExpiredAccess, status)
		require.Equal(t, fmt.Sprint(status), e.Code)
		require.Len(t, *asked, want.requests, status)
	}
}

// 401 of HTTP is not how the service speaks of its tokens: nobody is sent to
// consent again for it.
func TestLegacyHTTP401(t *testing.T) {
	service := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	p := newLegacy(t, "https://api.example.com", providertest.Transport(service), nil)
	_, err := p.Fetch(t.Context(), legacyCred, providers.Query{Stream: "measures", HighWater: "1"})
	require.ErrorIs(t, err, providers.ErrInvalid)
}

func TestLegacyRefusesWithoutARequest(t *testing.T) {
	p, asked := scriptedLegacy(t, func(*http.Request) string { return `{"status":0,"body":{}}` }, nil)
	noUser, modern := legacyCred, cred
	noUser.UpstreamID = ""
	for _, c := range []providers.Credential{noUser, modern, {}} {
		_, err := p.Fetch(t.Context(), c, providers.Query{Stream: "measures", HighWater: "1"})
		require.ErrorIs(t, err, providers.ErrInvalid)
		_, err = p.Subscriptions(t.Context(), c)
		require.ErrorIs(t, err, providers.ErrInvalid)
	}
	for _, q := range []providers.Query{
		{Stream: "heart", Window: health.Window{From: from, To: to}}, {Stream: "measures"}, {Stream: "sleep", Window: health.Window{First: day("2018-03-01"), Last: day("2018-03-02")}},
	} {
		_, err := p.Fetch(t.Context(), legacyCred, q)
		require.ErrorIs(t, err, providers.ErrInvalid)
	}
	for _, r := range []providers.AuthRequest{{}, {State: "", RedirectURL: "https://app.example.com/"}, {State: "s", RedirectURL: "::"}} {
		_, err := p.Authorize(t.Context(), r)
		require.ErrorIs(t, err, providers.ErrInvalid)
	}
	require.Empty(t, *asked)

	// And the adapter of today does not take a credential of then.
	s := &script{answer: func(url.Values) string { return `{"status":0,"body":{}}` }}
	_, err := newProvider(t, s, nil).Fetch(t.Context(), legacyCred, providers.Query{Stream: "goals"})
	require.ErrorIs(t, err, providers.ErrInvalid)
	_, err = newProvider(t, s, nil).Refresh(t.Context(), legacyCred)
	require.ErrorIs(t, err, providers.ErrInvalid)
	require.Empty(t, s.asked)
}

func TestNewLegacyRefusesWhatCannotWork(t *testing.T) {
	secret := providers.NewSecret("s")
	full := withings.OAuth1{ConsumerKey: "k", ConsumerSecret: secret}
	for name, cfg := range map[string]withings.Config{
		"nothing":            {},
		"no key":             {OAuth1: withings.OAuth1{ConsumerSecret: secret}},
		"no secret":          {OAuth1: withings.OAuth1{ConsumerKey: "k"}},
		"of both eras":       {OAuth1: full, ClientID: "c", ClientSecret: secret},
		"half of the other":  {OAuth1: full, ClientID: "c"},
		"http":               {OAuth1: full, BaseURL: "http://api.example.com"},
		"account over http":  {OAuth1: full, AccountURL: "http://account.example.com"},
		"OAuth 2.0 alone":    {ClientID: "c", ClientSecret: secret},
		"a base with a path": {OAuth1: full, BaseURL: "/measure"},
	} {
		_, err := withings.NewLegacy(cfg)
		require.ErrorIs(t, err, providers.ErrInvalid, name)
	}
	_, err := withings.New(withings.Config{OAuth1: full})
	require.ErrorIs(t, err, providers.ErrInvalid)
	_, err = withings.New(withings.Config{OAuth1: withings.OAuth1{ConsumerKey: "k"}, ClientID: "c", ClientSecret: secret})
	require.ErrorIs(t, err, providers.ErrInvalid)
	p, err := withings.NewLegacy(withings.Config{OAuth1: full})
	require.NoError(t, err)
	require.Equal(t, []providers.RateLimit{{Requests: 60, Per: time.Minute, Scope: providers.LimitPerApp}}, p.Capabilities().Limits)
	for _, text := range []string{fmt.Sprintf("%+v", withings.Config{OAuth1: withings.OAuth1{ConsumerSecret: providers.NewSecret("canary")}})} {
		require.NotContains(t, text, "canary")
	}
}

// legacyWorld is a simulated service with one person.
func legacyWorld(t *testing.T, legacy withingstest.LegacyConfig, change func(*withings.Config)) (*simulator, *withings.Legacy) {
	t.Helper()
	zone, err := time.LoadLocation(zoneName)
	require.NoError(t, err)
	sim := newSimulator(withingstest.Config{Seed: 4, Days: 3, RateLimit: -1, Legacy: legacy}, zone)
	return sim, newLegacy(t, "https://api.example.com", providertest.Transport(sim), func(c *withings.Config) {
		c.MaxWait = -1
		if change != nil {
			change(c)
		}
	})
}

// Bad input, as the service and the adapter answer to it: the application is told,
// and no person.
func TestLegacyBadInput(t *testing.T) {
	fetch := func(t *testing.T, sim *simulator, p *withings.Legacy) error {
		_, err := p.Fetch(t.Context(), legacyCredential(sim.LegacyLogin(sim.user.ID)), providers.Query{Stream: "measures", HighWater: "1"})
		return err
	}
	authorize := func(t *testing.T, _ *simulator, p *withings.Legacy) error {
		_, err := p.Authorize(t.Context(), providers.AuthRequest{State: "s"})
		return err
	}
	for name, c := range map[string]struct {
		legacy withingstest.LegacyConfig
		change func(*withings.Config)
		do     func(*testing.T, *simulator, *withings.Legacy) error
		code   string
		kind   error
		detail string
	}{
		"wrong secret": {
			change: func(c *withings.Config) { c.OAuth1.ConsumerSecret = providers.NewSecret("wrong") }, do: fetch,
			code: "342", kind: providers.ErrInvalid, detail: "compare consumer key and secret",
		},
		"wrong secret in the first leg": {
			change: func(c *withings.Config) { c.OAuth1.ConsumerSecret = providers.NewSecret("wrong") }, do: authorize,
			code: "342", kind: providers.ErrInvalid,
		},
		"a nonce again": {
			change: func(c *withings.Config) { c.OAuth1.Nonce = func() string { return "n" } },
			do: func(t *testing.T, sim *simulator, p *withings.Legacy) error {
				cred := legacyCredential(sim.LegacyLogin(sim.user.ID))
				_, err := p.Fetch(t.Context(), cred, providers.Query{Stream: "measures", HighWater: "1"})
				require.NoError(t, err)
				_, err = p.Fetch(t.Context(), cred, providers.Query{Stream: "measures", HighWater: "2"})
				return err
			},
			code: "342", kind: providers.ErrInvalid,
		},
		"a stale timestamp": {
			change: func(c *withings.Config) {
				c.OAuth1.Now = func() time.Time { return time.Now().Add(-10 * time.Minute) }
			}, do: fetch,
			code: "342", kind: providers.ErrInvalid, detail: "clock differs",
		},
		"a stale timestamp in the first leg": {
			change: func(c *withings.Config) {
				c.OAuth1.Now = func() time.Time { return time.Now().Add(10 * time.Minute) }
			}, do: authorize,
			code: "342", kind: providers.ErrInvalid,
		},
		"the signature in the wrong place": {
			legacy: withingstest.LegacyConfig{DataTransport: withingstest.InHeader}, do: fetch, code: "342", kind: providers.ErrInvalid,
		},
		"no user id": {
			do: func(t *testing.T, sim *simulator, p *withings.Legacy) error {
				cred := legacyCredential(sim.LegacyLogin(sim.user.ID))
				cred.UpstreamID = ""
				_, err := p.Fetch(t.Context(), cred, providers.Query{Stream: "measures", HighWater: "1"})
				return err
			},
			code: "no_user", kind: providers.ErrInvalid,
		},
		"a user id that is none": {
			do: func(t *testing.T, sim *simulator, p *withings.Legacy) error {
				cred := legacyCredential(sim.LegacyLogin(sim.user.ID))
				cred.UpstreamID = "me"
				_, err := p.Fetch(t.Context(), cred, providers.Query{Stream: "measures", HighWater: "1"})
				return err
			},
			code: "247", kind: providers.ErrInvalid,
		},
		"a callback that was encoded before": {
			change: func(c *withings.Config) { c.RedirectURL = url.QueryEscape(c.RedirectURL) }, do: authorize,
			code: "293", kind: providers.ErrInvalid,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim, p := legacyWorld(t, c.legacy, c.change)
				err := c.do(t, sim, p)
				var e *providers.Error
				require.ErrorAs(t, err, &e)
				require.Equal(t, c.kind, e.Kind)
				require.Equal(t, c.code, e.Code)
				require.Contains(t, e.Detail, c.detail)
				if e.Code == "342" {
					require.True(t, e.ClientFault)
				}
			})
		})
	}
}

// A token that was taken back asks for the person, whatever number says so.
func TestLegacyRevoked(t *testing.T) {
	for _, status := range []int{249, 250, 283, 328, 401} {
		sim, p := legacyWorld(t, withingstest.LegacyConfig{RevokedStatus: status}, nil)
		cred := legacyCredential(sim.LegacyLogin(sim.user.ID))
		sim.Unlink(sim.user.ID)
		_, err := p.Fetch(t.Context(), cred, providers.Query{Stream: "measures", HighWater: "1"})
		var e *providers.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, providers.ErrReauth, e.Kind)
		require.Equal(t, fmt.Sprint(status), e.Code)
		require.False(t, e.ExpiredAccess)
	}
}

// One date is asked for and mapped like a range.
func TestLegacyOneDay(t *testing.T) {
	sim, p := legacyWorld(t, withingstest.LegacyConfig{}, nil)
	cred := legacyCredential(sim.LegacyLogin(sim.user.ID))
	first := day(sim.user.FirstDay)
	read := func(w health.Window) providers.Page {
		page, err := p.Fetch(t.Context(), cred, providers.Query{Stream: "activity", Window: w})
		require.NoError(t, err)
		require.Empty(t, page.Quarantined)
		return page
	}
	one, two := read(health.Window{First: first, Last: first}), read(health.Window{First: first, Last: first.Add(1)})
	require.Len(t, one.Records, 1)
	require.Len(t, two.Records, 2)
	require.Equal(t, two.Records[0].Values, one.Records[0].Values)
	require.Equal(t, two.Records[0].Key, one.Records[0].Key)
	require.Equal(t, zoneName, one.Zone)
	require.Empty(t, read(health.Window{First: first.Add(-9), Last: first.Add(-9)}).Records)
	again, err := p.Remap(health.RawPage{Stream: "activity", Date: one.Date, Bodies: one.Raw})
	require.NoError(t, err)
	require.Equal(t, one.Records, again)
	modern := newProvider(t, sim, nil)
	again, err = modern.Remap(health.RawPage{Stream: "activity", Date: one.Date, Bodies: one.Raw})
	require.NoError(t, err)
	require.Equal(t, one.Records, again, "the adapter of today maps the answers of then")
}

// TestLegacyConnects walks the three legs, with and without a verifier.
func TestLegacyConnects(t *testing.T) {
	for name, legacy := range map[string]withingstest.LegacyConfig{
		"as the service did": {}, "by the standard": {ConfirmCallback: true, RequireVerifier: true}, "only GET": {GetOnly: true},
		"in the query only": {TokenTransport: withingstest.InQuery},
	} {
		t.Run(name, func(t *testing.T) {
			var traces []oauth1.Trace
			sim, p := legacyWorld(t, legacy, func(c *withings.Config) {
				c.OAuth1.Trace = func(t oauth1.Trace) { traces = append(traces, t) }
			})
			start, err := p.Authorize(t.Context(), providers.AuthRequest{State: "the state", RedirectURL: "https://app.example.com/withings/callback?tenant=a b"})
			require.NoError(t, err)
			back, err := sim.Authorize(sim.user.ID, start.URL)
			require.NoError(t, err)
			require.Equal(t, "the state", back.Query().Get("state"))
			require.Equal(t, "a b", back.Query().Get("tenant"))
			callback := providers.Callback{Query: back.Query(), Secret: start.Secret}
			grant, err := p.Exchange(t.Context(), callback)
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint(sim.user.ID), grant.UpstreamID)
			require.Equal(t, grant.UpstreamID, grant.Credential.UpstreamID)
			require.True(t, grant.Credential.ExpiresAt.IsZero())
			require.True(t, grant.Credential.Refresh.IsZero())
			_, err = p.Fetch(t.Context(), grant.Credential, providers.Query{Stream: "measures", HighWater: "1"})
			require.NoError(t, err)
			require.Len(t, traces, 4, "three legs and one data call")
			for _, trace := range traces {
				require.NotContains(t, trace.String(), withingstest.DefaultConsumerSecret)
				require.NotContains(t, trace.String(), grant.Credential.TokenSecret.Reveal())
			}
			require.Contains(t, traces[3].BaseString, "userid%3D"+grant.UpstreamID)

			_, err = p.Exchange(t.Context(), callback)
			require.ErrorIs(t, err, providers.ErrReauth, "a request token is good for once")
			other := back.Query()
			other.Set("oauth_token", "another")
			_, err = p.Exchange(t.Context(), providers.Callback{Query: other, Secret: start.Secret})
			require.ErrorIs(t, err, providers.ErrInvalid)
		})
	}
}

// Subscriptions of both eras: subscribe, list, get, revoke.
func TestSubscriptionsOfBothEras(t *testing.T) {
	type subscriber interface {
		providers.Provider
		providers.Subscriber
		Subscription(ctx context.Context, cred providers.Credential, sub providers.Subscription) (providers.Subscription, error)
	}
	sim, legacy := legacyWorld(t, withingstest.LegacyConfig{}, nil)
	modern := newProvider(t, sim, func(c *withings.Config) {
		c.ClientID, c.ClientSecret = withingstest.DefaultClientID, providers.NewSecret(withingstest.DefaultClientSecret)
		c.RequestsPerMinute = -1
	})
	for _, era := range []struct {
		subscriber
		cred providers.Credential
	}{{legacy, legacyCredential(sim.LegacyLogin(sim.user.ID))}, {modern, credential(sim.Server.Login(sim.user.ID))}} {
		for _, topic := range era.Capabilities().Topics {
			want := providers.Subscription{Topic: topic, CallbackURL: "https://app.example.com/hook/a b+c?x=ü&secret=" + topic}
			_, err := era.Subscription(t.Context(), era.cred, want)
			require.ErrorIs(t, err, providers.ErrNotFound)
			made, err := era.Subscribe(t.Context(), era.cred, want)
			require.NoError(t, err)
			require.Equal(t, topic, made.ID)
			got, err := era.Subscription(t.Context(), era.cred, want)
			require.NoError(t, err)
			require.Equal(t, made, got)
			list, err := era.Subscriptions(t.Context(), era.cred)
			require.NoError(t, err)
			require.Equal(t, []providers.Subscription{made}, list)
			for range 2 {
				require.NoError(t, era.Unsubscribe(t.Context(), era.cred, made))
			}
			list, err = era.Subscriptions(t.Context(), era.cred)
			require.NoError(t, err)
			require.Empty(t, list)
		}
	}
}

func TestLegacyNotifications(t *testing.T) {
	p, _ := scriptedLegacy(t, func(*http.Request) string { return "" }, nil)
	now := time.Date(2018, 3, 28, 10, 0, 0, 0, time.UTC)
	notes, err := p.ParseWebhook(now, &providers.WebhookRequest{Method: http.MethodPost, Body: []byte("userid=363&appli=4&startdate=1521525600&enddate=1521525600")})
	require.NoError(t, err)
	require.Len(t, notes, 1)
	require.Equal(t, []string{"measures"}, notes[0].Streams, "streams of the era only")
	notes, err = p.ParseWebhook(now, &providers.WebhookRequest{Method: http.MethodPost, Body: []byte("userid=363&appli=54")})
	require.NoError(t, err)
	require.Empty(t, notes)
	for _, r := range []*providers.WebhookRequest{{Method: http.MethodHead}, {Method: http.MethodGet}, {Method: http.MethodPost}} {
		answer, probe := p.ProbeWebhook(r)
		require.True(t, probe)
		require.Equal(t, http.StatusOK, answer.Status)
	}
}

func TestMigrateAdapter(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		kind         error
		ambiguous    bool
	}{
		{"a pair", `{"status":0,"body":{"userid":"363","access_token":"a","refresh_token":"r","expires_in":10800,"scope":"user.info"}}`, nil, false},
		{"without a user", `{"status":0,"body":{"access_token":"a","refresh_token":"r","expires_in":10800}}`, nil, false},
		{"another person", `{"status":0,"body":{"userid":"999","access_token":"a","refresh_token":"r"}}`, providers.ErrMalformed, false},
		{"no refresh token", `{"status":0,"body":{"userid":"363","access_token":"a"}}`, providers.ErrMalformed, true},
		{"refused", `{"status":503,"error":"Invalid Params: invalid refresh_token"}`, providers.ErrReauth, false},
		{"the application is refused", `{"status":503,"error":"Invalid Params: invalid client id/secret"}`, providers.ErrInvalid, false},
		{"nothing", ``, providers.ErrMalformed, true},
	} {
		s := &script{answer: func(url.Values) string { return c.answer }}
		p := newProvider(t, s, nil)
		next, err := p.Migrate(t.Context(), legacyCred)
		require.Len(t, s.asked, 1, c.name)
		require.Equal(t, "access-token:token-secret", s.asked[0].Get("refresh_token"))
		require.Equal(t, "refresh_token", s.asked[0].Get("grant_type"))
		require.Equal(t, "requesttoken", s.asked[0].Get("action"))
		if c.kind == nil {
			require.NoError(t, err, c.name)
			require.Equal(t, "363", next.UpstreamID)
			require.True(t, next.TokenSecret.IsZero())
			require.Equal(t, "a", next.Access.Reveal())
			require.Equal(t, "r", next.Refresh.Reveal())
			continue
		}
		require.ErrorIs(t, err, c.kind, c.name)
		require.Zero(t, next)
		require.NotContains(t, err.Error(), "token-secret")
		var e *providers.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, c.ambiguous, e.Ambiguous, c.name)
		require.Equal(t, c.name == "the application is refused", e.ClientFault)
	}
	s := &script{answer: func(url.Values) string { return "" }}
	_, err := newProvider(t, s, nil).Migrate(t.Context(), cred)
	require.ErrorIs(t, err, providers.ErrInvalid)
	require.Empty(t, s.asked)
}

// Nothing of a credential, an answer or a signed address reaches errors or the log.
func TestLegacyErrorsAndLogsHoldNoSecrets(t *testing.T) {
	const canary = "canary-in-the-body"
	var log bytes.Buffer
	for _, answer := range []string{`{"status":342,"error":"` + canary + `"}`, canary, `{"status":0,"body":{"measuregrps":"` + canary + `"}}`, `oauth_token=` + canary} {
		p, _ := scriptedLegacy(t, func(*http.Request) string { return answer }, func(c *withings.Config) {
			c.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		})
		_, err := p.Fetch(t.Context(), legacyCred, providers.Query{Stream: "measures", HighWater: "1"})
		require.Error(t, err)
		_, err2 := p.Authorize(t.Context(), providers.AuthRequest{State: "s"})
		require.Error(t, err2)
		kept := url.Values{"token": {"request-token"}, "secret": {"request-secret"}, "callback": {"https://app.example.com/"}}
		_, err3 := p.Exchange(t.Context(), providers.Callback{
			Query: url.Values{"oauth_token": {"request-token"}, "oauth_verifier": {"the-verifier"}}, Secret: providers.NewSecret(kept.Encode()),
		})
		require.Error(t, err3)
		text := fmt.Sprintf("%v %+v %v %v %s", err, err, err2, err3, log.String())
		for _, secret := range []string{canary, "access-token", "token-secret", "consumer-secret", "request-token", "request-secret", "the-verifier", "oauth_signature"} {
			require.NotContains(t, text, secret)
		}
	}
	require.NotZero(t, log.Len())
}
