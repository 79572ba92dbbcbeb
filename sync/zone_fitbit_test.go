package sync_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/fitbit"
	"github.com/vitalmux/vitalmux/providers/fitbit/fitbittest"
	"github.com/vitalmux/vitalmux/providers/providertest"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// journeyTo rewrites the zone of the profile once its person has moved. The
// service's other answers stay what they are: they show wall clocks.
type journeyTo struct {
	http.RoundTripper
	from, to string
	moved    bool
}

func (j *journeyTo) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := j.RoundTripper.RoundTrip(r)
	if err != nil || !j.moved || !strings.HasSuffix(r.URL.Path, "/profile.json") {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	body = bytes.ReplaceAll(body, []byte(j.from), []byte(j.to))
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp.Header.Del("Content-Length")
	return resp, nil
}

// traveller is a person of Fitbit, connected at home, who is elsewhere while
// journey.moved is set.
type traveller struct {
	sim     *fitbittest.Server
	person  fitbittest.Person
	journey *journeyTo
	store   *store.Memory
	engine  *healthsync.Engine
	conn    store.Connection
}

func newTraveller(t *testing.T, from, to string, service fitbittest.Config, c fitbit.Config) *traveller {
	w := &traveller{sim: fitbittest.New(service), store: store.NewMemory()}
	w.person = w.sim.AddPerson(fitbittest.PersonConfig{Timezone: from})
	w.journey = &journeyTo{RoundTripper: providertest.Transport(w.sim), from: from, to: to}
	c.ClientID, c.ClientSecret = fitbittest.DefaultClientID, providers.NewSecret(fitbittest.DefaultClientSecret)
	c.RedirectURL, c.Transport, c.HeartRateDetail = fitbittest.DefaultRedirectURL, w.journey, fitbit.DetailMinute
	adapter, err := fitbit.New(c)
	require.NoError(t, err)
	w.engine, err = healthsync.New(healthsync.Config{Providers: []providers.Provider{adapter}, Store: w.store, Sealer: newKeyring(t), History: -1, ReconcileEvery: -1})
	require.NoError(t, err)
	w.conn = connect(t, w.engine, "ada", fitbit.Name, fitbittest.DefaultRedirectURL, func(address string) (*url.URL, error) {
		return w.sim.Authorize(w.person.ID, address)
	})
	return w
}

// TestDaysStayInTheirZone: where a service shows wall clocks, what was read
// before a journey is read again in the zone of then. Nothing moves, and no
// sample is there twice.
func TestDaysStayInTheirZone(t *testing.T) {
	for _, to := range []string{"Asia/Tokyo", "America/Los_Angeles"} {
		t.Run(to, func(t *testing.T) {
			bubble(t, func(t *testing.T) { daysStay(t, "Europe/Berlin", to) })
		})
	}
}

func daysStay(t *testing.T, from, to string) {
	time.Sleep(36 * time.Hour)
	w := newTraveller(t, from, to, fitbittest.Config{Seed: 3, Days: 6, IntradayDays: 6},
		fitbit.Config{Scopes: []string{fitbit.ScopeProfile, fitbit.ScopeSleep, fitbit.ScopeWeight, fitbit.ScopeHeartRate}})
	read := func(times int) {
		for range times {
			_, err := w.engine.Sync(t.Context(), w.conn.ID)
			for errors.Is(err, providers.ErrRateLimited) { // 150 requests in an hour
				time.Sleep(time.Hour)
				_, err = w.engine.Sync(t.Context(), w.conn.ID)
			}
			require.NoError(t, err)
			time.Sleep(7 * time.Hour)
		}
	}
	placed := func() map[string]health.Span {
		all := make(map[string]health.Span)
		for r, err := range store.AllRecords(t.Context(), w.store, store.RecordQuery{User: "ada", Kinds: []health.Kind{health.KindSleep, health.KindBody}}) {
			require.NoError(t, err)
			if r.Span.Zone == health.ZoneFromProfile {
				all[string(r.Kind)+" "+r.Key] = r.Span
			}
		}
		return all
	}
	points := func() (stored, told int) {
		for run, err := range store.AllSamples(t.Context(), w.store, store.SampleQuery{User: "ada", Metric: health.MetricHeartRate}) {
			require.NoError(t, err)
			stored += run.Series.Len()
		}
		for _, d := range w.sim.Days(w.person.ID) {
			told += len(w.sim.HeartRate(w.person.ID, d.Date, fitbit.DetailMinute))
		}
		return stored, told
	}
	read(2)
	before := placed()
	require.NotEmpty(t, before)
	stored, told := points()
	w.journey.moved = true
	read(3)
	got, err := w.store.Connection(t.Context(), w.conn.ID)
	require.NoError(t, err)
	require.Equal(t, to, got.Zone)
	after := placed()
	for key, span := range before {
		require.Equal(t, span, after[key], key)
	}
	moreStored, moreTold := points()
	require.LessOrEqual(t, moreStored-stored, moreTold-told, "points that the service does not have")

	// There and back: each day is in the zone that it was read in first.
	w.journey.moved = false
	read(2)
	again := placed()
	for key, span := range after {
		require.Equal(t, span, again[key], key)
	}
}

// TestTheEveningBeforeAJourneyEastIsKept: the day after a journey east begins, by
// the wall clock of then, before the last day at home is over. It does not clear
// what was read of that evening.
func TestTheEveningBeforeAJourneyEastIsKept(t *testing.T) {
	for _, c := range []struct{ from, to string }{
		{"Europe/Berlin", "Asia/Tokyo"}, {"America/New_York", "Europe/Berlin"}, {"Pacific/Pago_Pago", "Pacific/Kiritimati"},
		{"Europe/Berlin", "America/Los_Angeles"},
	} {
		t.Run(c.from+" "+c.to, func(t *testing.T) {
			bubble(t, func(t *testing.T) { eveningStays(t, c.from, c.to) })
		})
	}
}

func eveningStays(t *testing.T, from, to string) {
	time.Sleep(36 * time.Hour)
	w := newTraveller(t, from, to, fitbittest.Config{Seed: 3, Days: 6, IntradayDays: 20, RateLimit: -1},
		fitbit.Config{RequestsPerHour: -1, Scopes: []string{fitbit.ScopeProfile, fitbit.ScopeHeartRate, fitbit.ScopeActivity}})
	read := func(times int) {
		for range times {
			w.sim.CatchUp(w.person.ID)
			_, err := w.engine.Sync(t.Context(), w.conn.ID)
			require.NoError(t, err)
			time.Sleep(7 * time.Hour)
		}
	}
	type point struct {
		stream string
		metric health.Metric
		part   health.Part
		at     int64
	}
	points := func() map[point]string {
		all := make(map[point]string)
		for _, metric := range []health.Metric{health.MetricHeartRate, health.MetricSteps, health.MetricMET, health.MetricActiveZoneMinutes} {
			for run, err := range store.AllSamples(t.Context(), w.store, store.SampleQuery{User: "ada", Metric: metric}) {
				require.NoError(t, err)
				for i, at := range run.Series.Times {
					all[point{run.Owner.Stream, metric, run.Owner.Part, at}] = run.Series.Number(i).String()
				}
			}
		}
		return all
	}
	read(1)
	zone := must(time.LoadLocation(from))
	home := health.DayOf(time.Now().Add(-7 * time.Hour).In(zone))
	_, evening, _ := home.Bounds(zone)
	before := points()
	require.NotEmpty(t, before)
	w.journey.moved = true
	read(11)
	got, err := w.store.Connection(t.Context(), w.conn.ID)
	require.NoError(t, err)
	require.Equal(t, to, got.Zone)
	after := points()
	grown := false
	for p, value := range before {
		if p.at < evening.UnixMilli() {
			require.Equal(t, value, after[p], "%s %s at %s", p.stream, p.metric, time.UnixMilli(p.at).UTC())
		}
	}
	for p := range after {
		grown = grown || p.at >= evening.UnixMilli()
	}
	require.True(t, grown, "the days after the journey are there")
}
