package withingstest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/providers/withings/withingstest"
)

// subscriber is the other side of notifications: it answers as it is told and keeps what it got.
type subscriber struct {
	mu     sync.Mutex
	status func(*http.Request, int) int // of the request and how many there were before; 0 is no answer
	got    []string                     // method, and the form
	forms  []url.Values
}

func (s *subscriber) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	status := http.StatusOK
	if s.status != nil {
		status = s.status(r, len(s.got))
	}
	s.got = append(s.got, r.Method+" "+r.URL.String())
	if len(form) > 0 {
		s.forms = append(s.forms, form)
		if r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
			return nil, errors.New("not a form")
		}
	}
	if status == 0 {
		return nil, errors.New("no answer")
	}
	return &http.Response{StatusCode: status, Body: http.NoBody, Header: http.Header{}, Request: r}, nil
}

func (s *subscriber) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.forms)
}

const hook = "https://app.example.com/hook/5ecret"

func newNotifier(t *testing.T, cfg withingstest.Config) (*legacyWorld, *subscriber) {
	t.Helper()
	sub := &subscriber{}
	cfg.Callbacks, cfg.RateLimit, cfg.IdenticalCallWindow = sub, off, off
	if cfg.Days == 0 {
		cfg.Days = 10
	}
	return newLegacyWorld(t, cfg), sub
}

func (w *legacyWorld) subscribe(t *testing.T, appli int) {
	t.Helper()
	require.Zero(t, w.data(t, "/notify", "action", "subscribe", "callbackurl", hook, "appli", strconv.Itoa(appli)).Status)
}

// TestCallbackIsChecked: the service asks the address before it takes it, in both eras.
func TestCallbackIsChecked(t *testing.T) {
	for _, legacy := range []bool{false, true} {
		for i, refused := range []string{"", http.MethodHead, http.MethodGet, http.MethodPost} {
			w, sub := newNotifier(t, withingstest.Config{})
			sub.status = func(r *http.Request, _ int) int {
				if r.Method == refused {
					return []int{http.StatusFound, http.StatusNoContent, http.StatusNotFound, 0}[i]
				}
				return http.StatusOK
			}
			var a answer
			if legacy {
				a = w.ask(t, "/notify", "action", "subscribe", "callbackurl", hook, "comment", "c")
			} else {
				a = w.data(t, "/notify", "action", "subscribe", "callbackurl", hook, "appli", "1")
			}
			if refused == "" {
				require.Zero(t, a.Status, a.Error)
				require.Equal(t, []string{"HEAD " + hook, "GET " + hook, "POST " + hook}, sub.got)
				require.Len(t, w.Subscriptions(), 1)
			} else {
				require.Equal(t, 293, a.Status)
				require.Empty(t, w.Subscriptions())
			}
			require.Equal(t, a.Status, w.Requests()[len(w.Requests())-1].Status)
		}
	}
	w, sub := newNotifier(t, withingstest.Config{})
	w.subscribe(t, 1)
	sub.status = func(*http.Request, int) int { return http.StatusGone }
	require.Equal(t, 293, w.data(t, "/notify", "action", "update", "callbackurl", hook, "appli", "1", "new_callbackurl", hook+"2").Status)
	require.Zero(t, w.data(t, "/notify", "action", "update", "callbackurl", hook, "appli", "1", "comment", "new").Status)
	require.Equal(t, "new", w.Subscriptions()[0].Comment)
}

// TestLegacyNotify has the four actions of the OAuth 1.0 era.
func TestLegacyNotify(t *testing.T) {
	w := newLegacyWorld(t, quiet())
	status := func(pairs ...string) int { return w.ask(t, "/notify", pairs...).Status }
	require.Equal(t, 304, status("action", "subscribe", "callbackurl", hook))
	require.Equal(t, 293, status("action", "subscribe", "comment", "c"))
	require.NotZero(t, status("action", "subscribe", "comment", "c", "callbackurl", "https://10.0.0.1/x"))
	require.Zero(t, status("action", "subscribe", "callbackurl", "http://app.example.com/hook", "comment", "c"))
	require.Zero(t, status("action", "subscribe", "callbackurl", hook, "comment", "c", "appli", "44"))
	require.Equal(t, 246, status("action", "subscribe", "callbackurl", hook, "comment", "c", "appli", "x"))
	type profile struct {
		Appli       int
		Callbackurl string
		Comment     string
		Expires     int64
	}
	var list struct{ Profiles []profile }
	w.ask(t, "/notify", "action", "list").decode(t, &list)
	require.Equal(t, []profile{{1, "http://app.example.com/hook", "c", 2147483647}, {44, hook, "c", 2147483647}}, list.Profiles)
	w.ask(t, "/notify", "action", "list", "appli", "44").decode(t, &list)
	require.Len(t, list.Profiles, 1)
	var one profile
	w.ask(t, "/notify", "action", "get", "callbackurl", hook, "appli", "44").decode(t, &one)
	require.Equal(t, list.Profiles[0], one)
	require.Equal(t, 343, status("action", "get", "callbackurl", hook, "appli", "1"))
	require.Equal(t, 286, status("action", "revoke", "callbackurl", hook, "appli", "1"))
	require.Zero(t, status("action", "revoke", "callbackurl", hook, "appli", "44"))
	require.Len(t, w.Subscriptions(), 1)
}

// TestNewsIsDelivered has each kind of change reach the subscribers of its kind.
func TestNewsIsDelivered(t *testing.T) {
	w, sub := newNotifier(t, withingstest.Config{Days: 30})
	for _, appli := range []int{1, 4, 16, 44, 46} {
		w.subscribe(t, appli)
	}
	id := strconv.FormatInt(w.user.ID, 10)
	news := func(appli string) []url.Values {
		for _, n := range w.Deliver(t.Context()) {
			require.True(t, n.Delivered())
			require.Equal(t, 1, n.Tries)
			require.Zero(t, n.Due)
		}
		require.Empty(t, w.Outbox())
		sub.mu.Lock()
		defer sub.mu.Unlock()
		out := slices.DeleteFunc(sub.forms, func(f url.Values) bool {
			require.Equal(t, id, f.Get("userid"))
			return f.Get("appli") != appli
		})
		sub.forms = nil
		return out
	}
	require.Empty(t, news("1"), "history is no news")
	g := w.AddMeasure(w.user.ID, withingstest.MeasureGroup{Measures: []withingstest.Measure{{Value: 70, Type: 1}, {Value: 61, Type: 11}}})
	at := strconv.FormatInt(g.Date, 10)
	require.Equal(t, []url.Values{{"userid": {id}, "appli": {"1"}, "startdate": {at}, "enddate": {at}}}, news("1"))
	require.True(t, w.EditMeasure(w.user.ID, g.ID, func(g *withingstest.MeasureGroup) { g.Measures[0].Value++ }))
	require.Len(t, news("4"), 1)
	require.True(t, w.DeleteMeasure(w.user.ID, g.ID))
	require.Equal(t, at, news("1")[0].Get("startdate"))
	w.AddMeasure(w.user.ID, withingstest.MeasureGroup{Measures: []withingstest.Measure{{Value: 37, Type: 71}}})
	require.Empty(t, w.Outbox(), "nobody subscribed to temperature")
	n := w.AddSleep(w.user.ID, w.clock.Now().Add(-9*time.Hour), w.clock.Now().Add(-time.Hour), 16)
	require.Equal(t, []url.Values{{
		"userid": {id}, "appli": {"44"}, "startdate": {strconv.FormatInt(n.Start, 10)}, "enddate": {strconv.FormatInt(n.End, 10)},
	}}, news("44"))
	require.True(t, w.EditNight(w.user.ID, n.ID, func(*withingstest.Night) {}))
	require.Len(t, news("44"), 1)
	require.True(t, w.DeleteNight(w.user.ID, n.ID))
	require.Len(t, news("44"), 1)
	require.True(t, w.EditActivity(w.user.ID, w.user.LastDay, func(a *withingstest.Activity) { a.Data["steps"] = 1 }))
	require.Equal(t, []url.Values{{"userid": {id}, "appli": {"16"}, "date": {w.user.LastDay}}}, news("16"))
	workout := w.Truth(w.user.ID).Workouts[0]
	require.True(t, w.DeleteWorkout(w.user.ID, workout.ID))
	require.Equal(t, workout.Date, news("16")[0].Get("date"))
	w.clock.Add(24 * time.Hour)
	w.AdvanceDay(w.user.ID)
	require.Len(t, news("1"), 1, "what changed together is told together")
	w.Evolve(w.user.ID)
	require.NotEmpty(t, news("16"))
	w.Announce(w.user.ID, 46, url.Values{"action": {"delete"}})
	require.Equal(t, "delete", news("46")[0].Get("action"))
	w.Unlink(w.user.ID)
	require.Equal(t, []url.Values{{"userid": {id}, "appli": {"46"}, "action": {"unlink"}}}, news("46"))
	require.Empty(t, w.Subscriptions())
}

// TestBedNews: getting in and out of bed has a time and a device.
func TestBedNews(t *testing.T) {
	w, sub := newNotifier(t, withingstest.Config{})
	w.token = w.Login(w.user.ID, withingstest.ScopeSleepEvents)
	w.subscribe(t, 50)
	w.subscribe(t, 51)
	n := w.AddSleep(w.user.ID, w.clock.Now().Add(-9*time.Hour), w.clock.Now().Add(-time.Hour), 32)
	require.Len(t, w.Deliver(t.Context()), 2)
	require.Equal(t, strconv.FormatInt(n.Start, 10), sub.forms[0].Get("date"))
	require.Equal(t, strconv.FormatInt(n.End, 10), sub.forms[1].Get("date"))
	require.Equal(t, n.DeviceID, sub.forms[1].Get("deviceid"))
}

// TestNewsIsSentAgain follows one notification through all of its tries.
func TestNewsIsSentAgain(t *testing.T) {
	w, sub := newNotifier(t, withingstest.Config{})
	w.subscribe(t, 1)
	probes := len(sub.got)
	sub.status = func(*http.Request, int) int { return http.StatusServiceUnavailable }
	w.AddMeasure(w.user.ID, withingstest.MeasureGroup{Measures: []withingstest.Measure{{Value: 70, Type: 1}}})
	began := w.clock.Now()
	var waits []time.Duration
	for tries := 1; ; tries++ {
		n := w.Deliver(t.Context())
		require.Len(t, n, 1)
		require.Equal(t, tries, n[0].Tries)
		require.False(t, n[0].Delivered())
		require.Empty(t, w.Deliver(t.Context()), "not due yet")
		if n[0].Due.IsZero() {
			break
		}
		wait := n[0].Due.Sub(w.clock.Now())
		waits = append(waits, wait)
		w.clock.Add(wait)
	}
	want := slices.Concat([]time.Duration{10 * time.Second}, slices.Repeat([]time.Duration{time.Minute}, 8),
		slices.Repeat([]time.Duration{time.Hour}, 10), slices.Repeat([]time.Duration{4 * time.Hour}, 10))
	require.Equal(t, want, waits)
	require.Equal(t, probes+60, len(sub.got), "two requests in each of 30 tries")
	require.Empty(t, w.Outbox())
	require.Len(t, w.Subscriptions(), 1)
	require.Equal(t, 50*time.Hour+8*time.Minute+10*time.Second, w.clock.Now().Sub(began))

	// One request of a try is enough; so is an answer that redirects.
	first := len(sub.got)
	sub.status = func(_ *http.Request, before int) int {
		if before == first {
			return 0
		}
		return http.StatusFound
	}
	w.AddMeasure(w.user.ID, withingstest.MeasureGroup{Measures: []withingstest.Measure{{Value: 71, Type: 1}}})
	n := w.Deliver(t.Context())
	require.True(t, n[0].Delivered())
	require.Equal(t, first+2, len(sub.got))
}

func TestSubscriptionIsDropped(t *testing.T) {
	w, sub := newNotifier(t, withingstest.Config{DropAfter: 4})
	w.subscribe(t, 1)
	w.subscribe(t, 44)
	sub.status = func(*http.Request, int) int { return 0 }
	for range 3 {
		w.AddMeasure(w.user.ID, withingstest.MeasureGroup{Measures: []withingstest.Measure{{Value: 70, Type: 1}}})
		w.Deliver(t.Context())
	}
	require.Len(t, w.Subscriptions(), 2)
	w.clock.Add(10 * time.Second)
	w.Deliver(t.Context())
	require.Len(t, w.Subscriptions(), 1)
	require.Empty(t, w.Outbox())
}

// TestNewsInterrupted: what a call was about to send when its context ended is sent by the next.
func TestNewsInterrupted(t *testing.T) {
	w, sub := newNotifier(t, withingstest.Config{})
	w.subscribe(t, 1)
	w.AddMeasure(w.user.ID, withingstest.MeasureGroup{Measures: []withingstest.Measure{{Value: 70, Type: 1}}})
	ctx, cancel := context.WithCancel(t.Context())
	sub.status = func(*http.Request, int) int { cancel(); return 0 }
	n := w.Deliver(ctx)
	require.Len(t, n, 1)
	require.Zero(t, n[0].Tries)
	require.Len(t, w.Outbox(), 1)
	require.Empty(t, w.Deliver(ctx))
	sub.status = nil
	require.Len(t, w.Deliver(t.Context()), 1)
	w.AddMeasure(w.user.ID, withingstest.MeasureGroup{Measures: []withingstest.Measure{{Value: 70, Type: 1}}})
	require.Zero(t, w.data(t, "/notify", "action", "revoke", "callbackurl", hook, "appli", "1").Status)
	require.Empty(t, w.Outbox(), "nobody wants it any more")
}

// TestRunDelivers has notifications sent as they come up, and again when that is due.
func TestRunDelivers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sub := &subscriber{}
		sim := withingstest.New(withingstest.Config{Days: 2, Callbacks: sub})
		user := sim.AddUser(withingstest.UserConfig{ID: 10001})
		token := sim.Login(user.ID)
		require.Zero(t, post(t, sim, "/notify", token.AccessToken, "action", "subscribe", "callbackurl", hook, "appli", "1").Status)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			sim.Run(ctx)
		}()
		add := func() {
			sim.AddMeasure(user.ID, withingstest.MeasureGroup{Measures: []withingstest.Measure{{Value: 70, Type: 1}}})
			synctest.Wait()
		}
		add()
		require.Equal(t, 1, sub.count())
		sub.mu.Lock()
		sub.status = func(*http.Request, int) int { return http.StatusInternalServerError }
		sub.mu.Unlock()
		add()
		require.Equal(t, 3, sub.count())
		require.Len(t, sim.Outbox(), 1)
		sub.mu.Lock()
		sub.status = nil
		sub.mu.Unlock()
		time.Sleep(11 * time.Second)
		require.Equal(t, 4, sub.count())
		require.Empty(t, sim.Outbox())
		time.Sleep(24 * time.Hour)
		add()
		require.Equal(t, 5, sub.count())
		cancel()
		<-done
	})
}
