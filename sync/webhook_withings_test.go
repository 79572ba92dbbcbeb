package sync_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	gosync "sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/providertest"
	"github.com/vitalmux/vitalmux/providers/withings"
	"github.com/vitalmux/vitalmux/providers/withings/withingstest"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// scale is an engine over the Withings adapter and its simulator, with two
// connected people.
type scale struct {
	*withingstest.Server
	store   *store.Memory
	engine  *healthsync.Engine
	handler http.Handler
	people  []withingstest.User
	conns   []store.Connection

	mu     gosync.Mutex
	states int
	pulls  map[string][]time.Time // completed live reads, by connection and stream
}

func newScale(t testing.TB) *scale {
	s := &scale{
		Server: withingstest.New(withingstest.Config{Seed: 14, Days: 20, IntradayDays: 3}),
		store:  store.NewMemory(), pulls: make(map[string][]time.Time),
	}
	adapter, err := withings.New(withings.Config{
		ClientID: withingstest.DefaultClientID, ClientSecret: providers.NewSecret(withingstest.DefaultClientSecret),
		Transport: providertest.Transport(s), MaxWait: -1,
	})
	require.NoError(t, err)
	s.engine, err = healthsync.New(healthsync.Config{
		Providers: []providers.Provider{adapter}, Store: s.store, Sealer: newKeyring(t), PublicURL: "https://host.example.com/mux",
		Interval: 1000 * time.Hour, ReconcileEvery: -1, History: -1,
		Hooks: healthsync.Hooks{
			StateChanged: func(context.Context, healthsync.StateEvent) {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.states++
			},
			StreamDone: func(_ context.Context, e healthsync.StreamEvent) {
				s.mu.Lock()
				defer s.mu.Unlock()
				if key := e.Connection + "/" + e.Report.Stream; e.Report.Lane == store.LaneLive && e.Report.Err == nil && e.Report.Windows > 0 {
					s.pulls[key] = append(s.pulls[key], time.Now())
				}
			},
		},
	})
	require.NoError(t, err)
	s.handler = s.engine.Handler()
	for i := range 2 {
		user := s.AddUser(withingstest.UserConfig{Timezone: "Europe/Paris"})
		conn := connect(t, s.engine, fmt.Sprint("host", i), withings.Name, withingstest.DefaultRedirectURL, func(address string) (*url.URL, error) {
			return s.Authorize(user.ID, address)
		})
		s.people, s.conns = append(s.people, user), append(s.conns, conn)
	}
	return s
}

func (s *scale) notify(path string, form url.Values) int {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w.Code
}

// own returns the path of a connection's address, which its subscriptions have.
func (s *scale) own(t testing.TB, i int) string {
	for _, sub := range s.Subscriptions() {
		if sub.UserID == s.people[i].ID {
			return strings.TrimPrefix(sub.Callback, "https://host.example.com/mux")
		}
	}
	require.Fail(t, "no subscription")
	return ""
}

// at2026 is when the tests of Withings play: the company is of 2008.
func at2026() { time.Sleep(time.Until(time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC))) }

// TestForgedNotifications has somebody who knows a connection's address send
// whatever comes to mind.
func TestForgedNotifications(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(proof.Seed(t), 14))
	counts := proof.Counts{"notifications": proof.N(1000, 10_000)}
	proof.Row(t, "W14", counts)
	bubble(t, func(t *testing.T) {
		at2026()
		s := newScale(t)
		stop := running(t, s.engine)
		time.Sleep(time.Hour)
		path := s.own(t, 0)
		s.ResetRequests()
		s.mu.Lock()
		s.states, s.pulls = 0, make(map[string][]time.Time)
		s.mu.Unlock()
		before := s.conns[0]
		before, err := s.store.Connection(t.Context(), before.ID)
		require.NoError(t, err)
		began := time.Now()
		one := func(list ...string) string { return list[random.IntN(len(list))] }
		for range counts["notifications"] {
			form := url.Values{
				"userid": {one(strconv.FormatInt(s.people[0].ID, 10), strconv.FormatInt(s.people[0].ID, 10), strconv.FormatInt(s.people[1].ID, 10), "0", "99")},
				"appli":  {one("1", "2", "4", "16", "44", "46", "46", "54", "99", "")},
				"action": {one("delete", "unlink", "update", "")},
				"startdate": {one("0", "-5", "1000000000000000000", "text", "", strconv.FormatInt(began.Unix(), 10),
					strconv.FormatInt(began.AddDate(-15, 0, 0).Unix(), 10))},
				"enddate": {one("0", "99999999999", "", strconv.FormatInt(began.Unix(), 10))},
				"date":    {one("", "0000-00-00", "9999-12-31", "2026-11-22", "2026-11-20")},
			}
			require.Contains(t, []int{200}, s.notify(path, form))
			time.Sleep(time.Duration(random.IntN(600)) * time.Millisecond)
		}
		time.Sleep(time.Hour)
		stop()
		s.mu.Lock()
		defer s.mu.Unlock()
		require.Zero(t, s.states)
		after, err := s.store.Connection(t.Context(), before.ID)
		require.NoError(t, err)
		require.Equal(t, before, after)
		require.NotEmpty(t, s.pulls)
		for key, pulls := range s.pulls {
			require.True(t, strings.HasPrefix(key, before.ID), "another person's connection was read")
			for i := 1; i < len(pulls); i++ {
				require.GreaterOrEqual(t, pulls[i].Sub(pulls[i-1]), time.Minute, key)
			}
		}
		var times []time.Time
		for _, r := range s.Requests() {
			require.NotEqual(t, s.people[1].ID, r.UserID)
			times = append(times, r.Time)
		}
		for i := range times {
			inMinute, _ := slices.BinarySearchFunc(times[i:], times[i].Add(time.Minute), time.Time.Compare)
			require.LessOrEqual(t, inMinute, 120)
		}
		require.Empty(t, must(s.store.Deliveries(t.Context(), store.DeliveryQuery{})))
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestWithingsNotificationIsFollowed has a new weight arrive by notification,
// and a consent that was taken back show in the service's answer.
func TestWithingsNotificationIsFollowed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		at2026()
		s := newScale(t)
		stop := running(t, s.engine)
		time.Sleep(time.Hour)
		require.Len(t, s.Subscriptions(), 16, "eight kinds for each of two people")
		require.NotEqual(t, s.own(t, 0), s.own(t, 1))
		path := s.own(t, 0)
		count := func() int {
			n := 0
			for q := (store.RecordQuery{User: "host0", Streams: []string{"measures"}}); ; {
				page := must(s.store.Records(t.Context(), q))
				n += len(page.Records)
				if q.After = page.Next; q.After == "" {
					return n
				}
			}
		}
		before := count()
		for count() == before {
			time.Sleep(2 * time.Hour)
			s.Evolve(s.people[0].ID)
			require.Equal(t, 200, s.notify(path, url.Values{
				"userid": {strconv.FormatInt(s.people[0].ID, 10)}, "appli": {"1"},
				"startdate": {strconv.FormatInt(time.Now().Unix(), 10)}, "enddate": {strconv.FormatInt(time.Now().Unix(), 10)},
			}))
			time.Sleep(5 * time.Minute)
		}
		require.Equal(t, 200, s.notify(path, url.Values{
			"userid": {strconv.FormatInt(s.people[0].ID, 10)}, "appli": {"46"}, "action": {"unlink"},
		}))
		time.Sleep(time.Hour)
		require.Equal(t, store.StateActive, must(s.store.Connection(t.Context(), s.conns[0].ID)).State, "it is not believed")
		stop()
	})
}
