package sync_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	gosync "sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/withings"
	"github.com/vitalmux/vitalmux/providers/withings/withingstest"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// TestWithingsNotificationsOverHTTP has the service check the address that the
// engine subscribes, and send its notifications to it, over the network in both
// directions, in both eras.
func TestWithingsNotificationsOverHTTP(t *testing.T) {
	t.Run("today", func(t *testing.T) { notificationsOverHTTP(t, false) })
	t.Run("OAuth 1.0", func(t *testing.T) { notificationsOverHTTP(t, true) })
}

func notificationsOverHTTP(t *testing.T, legacy bool) {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	sim := withingstest.New(withingstest.Config{
		Seed: 4, Days: 3, IntradayDays: -1, RateLimit: -1, IdenticalCallWindow: -1, AllowLoopback: true, Callbacks: transport,
	})
	service := httptest.NewServer(sim)
	t.Cleanup(service.Close)
	var host http.Handler // of the engine, which needs the address first
	public := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { host.ServeHTTP(w, r) }))
	t.Cleanup(public.Close)
	var adapter providers.Provider
	var err error
	kinds := 8
	if legacy {
		kinds = 4
		adapter, err = withings.NewLegacy(withings.Config{
			OAuth1: withings.OAuth1{
				ConsumerKey: withingstest.DefaultConsumerKey, ConsumerSecret: providers.NewSecret(withingstest.DefaultConsumerSecret),
			},
			BaseURL: service.URL, AccountURL: service.URL + "/account", Transport: transport, RequestsPerMinute: -1,
		})
	} else {
		adapter, err = withings.New(withings.Config{
			ClientID: withingstest.DefaultClientID, ClientSecret: providers.NewSecret(withingstest.DefaultClientSecret),
			BaseURL: service.URL, AccountURL: service.URL, Transport: transport, RequestsPerMinute: -1,
		})
	}
	require.NoError(t, err)
	memory := store.NewMemory()
	var read gosync.Map // what was read for the first time, by connection and stream
	engine, err := healthsync.New(healthsync.Config{
		Providers: []providers.Provider{adapter}, Store: memory, Sealer: newKeyring(t), PublicURL: public.URL + "/mux",
		Interval: 1000 * time.Hour, ReconcileEvery: -1, History: -1,
		Hooks: healthsync.Hooks{StreamDone: func(_ context.Context, e healthsync.StreamEvent) {
			if e.Report.Lane == store.LaneLive && e.Report.Err == nil {
				read.Store(e.Connection+"/"+e.Report.Stream, true)
			}
		}},
	})
	require.NoError(t, err)
	host = http.StripPrefix("/mux", engine.Handler())

	// Three people, because the engine follows one hint per minute and stream.
	var users []withingstest.User
	var conns []store.Connection
	for i := range 3 {
		user := sim.AddUser(withingstest.UserConfig{Timezone: "Europe/Paris"})
		conn := connect(t, engine, fmt.Sprint("host", i), withings.Name, withingstest.DefaultRedirectURL, func(address string) (*url.URL, error) {
			return sim.Authorize(user.ID, address)
		})
		users, conns = append(users, user), append(conns, conn)
	}
	stop := running(t, engine)
	t.Cleanup(stop)

	eventually := func(what string, done func() bool) {
		t.Helper()
		for patience := time.After(time.Minute); !done(); {
			select {
			case <-patience:
				require.Fail(t, "did not come to pass", what)
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
	records := func() []string {
		page, err := memory.Records(t.Context(), store.RecordQuery{User: "host0", Streams: []string{"measures"}, Limit: 1000})
		require.NoError(t, err)
		var keys []string
		for _, r := range page.Records {
			keys = append(keys, r.Key)
		}
		return keys
	}
	eventually("subscriptions", func() bool { return len(sim.Subscriptions()) == 3*kinds })
	eventually("the first reading", func() bool {
		n := 0
		read.Range(func(any, any) bool { n++; return true })
		return n == 3*len(adapter.Capabilities().Streams)
	})
	callback := sim.Subscriptions()[0].Callback
	secret := callback[strings.LastIndex(callback, "/")+1:]
	require.True(t, strings.HasPrefix(callback, public.URL+"/mux/webhooks/withings/"))
	require.GreaterOrEqual(t, len(secret)*6, 128, "the address is its only protection")
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	ask := func(method, address, body string) int {
		r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
		require.NoError(t, err)
		if body != "" {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		resp, err := client.Do(r)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode
	}
	for path, want := range map[string]int{callback: 200, callback + "x": 404, strings.TrimSuffix(callback, secret): 404} {
		for _, method := range []string{http.MethodHead, http.MethodGet, http.MethodPost} {
			require.Equal(t, want, ask(method, path, ""), method)
		}
	}
	// own returns the address that a person's subscriptions have.
	own := func(i int) string {
		for _, sub := range sim.Subscriptions() {
			if sub.UserID == users[i].ID {
				return sub.Callback
			}
		}
		require.Fail(t, "no subscription")
		return ""
	}
	addresses := []string{own(0), own(1), own(2)}
	// tell sends what the service would: it does so itself where there is a
	// subscription to that kind of news.
	tell := func(i, appli int, form url.Values) {
		if sim.Announce(users[i].ID, appli, form); len(sim.Outbox()) > 0 {
			for _, sent := range sim.Deliver(t.Context()) {
				require.Equal(t, http.StatusOK, sent.Status, "taken within two seconds")
			}
			return
		}
		form.Set("userid", strconv.FormatInt(users[i].ID, 10))
		form.Set("appli", strconv.Itoa(appli))
		require.Equal(t, http.StatusOK, ask(http.MethodPost, addresses[i], form.Encode()))
	}

	// Somebody says that a consent was taken back.
	sim.ResetRequests()
	tell(1, 46, url.Values{"action": {"delete"}})
	eventually("a look with the token of that person", func() bool { return len(sim.Requests()) > 0 })
	for _, r := range sim.Requests() {
		require.Equal(t, users[1].ID, r.UserID)
		require.Zero(t, r.Status)
	}

	// A new weight, and news of a period that cannot be.
	group := sim.AddMeasure(users[0].ID, withingstest.MeasureGroup{Measures: []withingstest.Measure{{Value: 71_300, Type: 1, Unit: -3}}})
	sim.Announce(users[0].ID, 1, url.Values{"startdate": {"1"}, "enddate": {"99999999999"}})
	sent := sim.Deliver(t.Context())
	require.Len(t, sent, 2)
	for _, n := range sent {
		require.Equal(t, http.StatusOK, n.Status, "taken within two seconds")
	}
	eventually("the weight", func() bool { return strings.Contains(fmt.Sprint(records()), strconv.FormatInt(group.ID, 10)) })
	for _, r := range sim.Requests() {
		for _, name := range []string{"startdate", "enddate"} {
			if text := r.Params.Get(name); text != "" {
				at, err := strconv.ParseInt(text, 10, 64)
				require.NoError(t, err)
				require.True(t, at > 1e9 && at < time.Now().AddDate(0, 0, 3).Unix(), "%s %s", r.Action, text)
			}
		}
	}

	// A consent is taken back.
	state := func(i int) store.State {
		c, err := memory.Connection(t.Context(), conns[i].ID)
		require.NoError(t, err)
		return c.State
	}
	sim.Unlink(users[2].ID)
	tell(2, 46, url.Values{"action": {"unlink"}})
	eventually("the end of the consent", func() bool { return state(2) == store.StateReauthRequired })
	require.Equal(t, store.StateActive, state(0))
	require.Equal(t, store.StateActive, state(1), "it is not believed")
}
