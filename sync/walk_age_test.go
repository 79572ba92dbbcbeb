package sync_test

import (
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

// slowly has a service answer so many pages in a row, and then none for a while.
func slowly(pages int, pause time.Duration) func(int, providers.Query, *providers.Page) error {
	left, renewed := pages, time.Time{}
	return func(int, providers.Query, *providers.Page) error {
		if left == 0 && time.Now().Before(renewed) {
			return &providers.Error{Provider: "clinic", Kind: providers.ErrRateLimited, RetryAt: renewed}
		}
		if left == 0 {
			left = pages
		}
		if left--; left == 0 {
			renewed = time.Now().Add(pause)
		}
		return nil
	}
}

// fillDays gives the clinic so many weights on each of the last days.
func (c *clinic) fillDays(days, daily int, grams int64) {
	today := time.Now().Truncate(day)
	for i := range days * daily {
		c.put(i, today.Add(-time.Duration(i/daily)*day-time.Duration(1+i%daily)*time.Hour), grams)
	}
}

// requireYoungTokens checks that no page token was older than tokens live, and
// that a walk that could be shorter was not older.
func (c *clinic) requireYoungTokens(t *testing.T, ttl, shortest time.Duration) {
	var first time.Time
	for i, q := range c.asked() {
		if q.PageToken == "" {
			first = c.calls[i]
			continue
		}
		require.LessOrEqual(t, c.calls[i].Sub(c.calls[i-1]), ttl)
		span := q.Window.To.Sub(q.Window.From)
		if q.Window.Days() {
			span = time.Duration(q.Window.Last.Number()-q.Window.First.Number()+1) * day
		}
		if span > shortest {
			require.LessOrEqual(t, c.calls[i].Sub(first), ttl, "a token of a list that may have changed")
		}
	}
}

// TestHistoryThatTakesLongerThanPageTokensLive: whatever the ratio of the life of
// page tokens to the pauses between pages, a history is read whole, and what is
// told of its progress only ever grows.
func TestHistoryThatTakesLongerThanPageTokensLive(t *testing.T) {
	days := providers.Stream{Name: "weights", Kinds: []health.Kind{health.KindBody}, Grain: providers.GrainDay, Lookback: 7 * day}
	instants, short := days, days
	instants.Grain, short.MaxWindow = providers.GrainInstant, 10*day
	for name, c := range map[string]struct {
		stream       providers.Stream
		ttl, pause   time.Duration
		pages, daily int
	}{
		"an hour, pages by the quarter of an hour":   {days, time.Hour, 15 * time.Minute, 1, 1},
		"an hour, five pages an hour":                {days, time.Hour, time.Hour, 5, 2},
		"a pause is longer than tokens live":         {days, time.Hour, 2 * time.Hour, 5, 2},
		"a day has more pages than the tokens allow": {days, time.Hour, 50 * time.Minute, 1, 10},
		"windows of instants":                        {instants, time.Hour, 50 * time.Minute, 1, 10},
		"windows that the service bounds":            {short, time.Hour, 25 * time.Minute, 1, 4},
		"tokens that live long":                      {days, 100 * time.Hour, time.Hour, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				const history = 40
				c.stream.WalkTTL = c.ttl
				w := newWard(t, newClinic(c.stream), nil)
				w.accessLife = 1000 * day
				w.fillDays(history, c.daily, 70_000)
				w.onFetch = slowly(c.pages, c.pause)
				since, told := time.Now().Add(-history*day), healthsync.Progress{}
				for range 10 * history {
					_, err := w.engine.Backfill(t.Context(), w.conn.ID, since)
					progress, failure := w.engine.Progress(t.Context(), w.conn.ID)
					require.NoError(t, failure)
					require.GreaterOrEqual(t, progress[0].Done, told.Done)
					require.Equal(t, err == nil, progress[0].Done == progress[0].Total)
					told = progress[0]
					if err == nil {
						break
					}
					require.ErrorIs(t, err, providers.ErrRateLimited)
					time.Sleep(c.pause)
				}
				require.Equal(t, told.Total, told.Done, "the backfill ends")
				require.Equal(t, w.want(), w.held(t))
				w.requireYoungTokens(t, c.ttl, day)
			})
		})
	}
}

// TestOutageThatTakesLongerThanPageTokensLive: what came in a long outage, in
// windows or as the changes since a mark, takes longer to read as well.
func TestOutageThatTakesLongerThanPageTokensLive(t *testing.T) {
	windows := weightWindows
	windows.MaxWindow = 0
	for name, stream := range map[string]providers.Stream{"windows": windows, "changes": weightChanges} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				stream.WalkTTL, stream.Interval = time.Hour, day
				w := newWard(t, newClinic(stream), func(cfg *healthsync.Config) { cfg.History, cfg.ReconcileEvery = -1, -1 })
				w.accessLife = 1000 * day
				w.put(0, time.Now().Add(-time.Hour), 70_000)
				stop := running(t, w.engine)
				time.Sleep(time.Hour)
				stop()
				time.Sleep(60 * day)
				w.fillDays(60, 2, 70_000)
				w.onFetch = slowly(2, 45*time.Minute)
				stop = running(t, w.engine)
				time.Sleep(3 * day)
				stop()
				require.Equal(t, w.want(), w.held(t))
				require.Equal(t, stream.Changes, strings.Contains(w.cursor(t, store.LaneLive).HighWater, `"mark":"121"`))
				w.requireYoungTokens(t, time.Hour, 8*day)
			})
		})
	}
}

// TestReconciliationThatTakesLongerThanPageTokensLive: a long stretch is read
// again, of which the live lane reads only the end.
func TestReconciliationThatTakesLongerThanPageTokensLive(t *testing.T) {
	bubble(t, func(t *testing.T) {
		stream := weightWindows
		stream.MaxWindow, stream.WalkTTL, stream.Interval = 0, time.Hour, day
		w := newWard(t, newClinic(stream), func(cfg *healthsync.Config) {
			cfg.History, cfg.ReconcileEvery, cfg.ReconcileWindow = -1, 5*day, 40*day
		})
		w.accessLife = 1000 * day
		w.fillDays(30, 2, 70_000)
		w.onFetch = slowly(5, 45*time.Minute)
		stop := running(t, w.engine)
		time.Sleep(20 * day)
		stop()
		require.Equal(t, w.want(), w.held(t))
		w.requireYoungTokens(t, time.Hour, 8*day)
	})
}

// routesOnly is Fitbit without most of its streams.
type routesOnly struct{ *fitbit.Provider }

func (r routesOnly) Capabilities() providers.Capabilities {
	caps := r.Provider.Capabilities()
	var kept []providers.Stream
	for _, name := range []string{"profile", "workouts", "routes"} {
		if stream, ok := caps.StreamNamed(name); ok {
			kept = append(kept, stream)
		}
	}
	caps.Streams = kept
	return caps
}

// TestRoutesThatTakeHours: the recordings of some months take more requests than
// a person has in an hour, and a page's token lives for one.
func TestRoutesThatTakeHours(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const days = 120
		time.Sleep(36 * time.Hour)
		sim := fitbittest.New(fitbittest.Config{Seed: 3, Days: days, IntradayDays: -1})
		person := sim.AddPerson(fitbittest.PersonConfig{Timezone: "Europe/Berlin"})
		adapter, err := fitbit.New(fitbit.Config{
			ClientID: fitbittest.DefaultClientID, ClientSecret: providers.NewSecret(fitbittest.DefaultClientSecret),
			RedirectURL: fitbittest.DefaultRedirectURL, Transport: providertest.Transport(sim),
		})
		require.NoError(t, err)
		for i := range 2 * days {
			sim.AddWorkout(person.ID, fitbittest.Workout{
				LogID: int64(7_000_000 + i), TypeID: 90009, Name: "Run", GPS: true, Duration: time.Hour, Active: time.Hour,
				Start: time.Now().Truncate(12 * time.Hour).Add(-time.Duration(i) * 12 * time.Hour), Steps: 9000, Distance: 10, HeartRate: 130, Calories: 700,
			})
		}
		held := store.NewMemory()
		engine, err := healthsync.New(healthsync.Config{
			Providers: []providers.Provider{routesOnly{adapter}}, Store: held, Sealer: newKeyring(t), History: days * day,
		})
		require.NoError(t, err)
		conn := connect(t, engine, "ada", fitbit.Name, fitbittest.DefaultRedirectURL, func(address string) (*url.URL, error) {
			return sim.Authorize(person.ID, address)
		})
		stop := running(t, engine)
		time.Sleep(9 * time.Hour)
		stop()
		progress, err := engine.Progress(t.Context(), conn.ID)
		require.NoError(t, err)
		for _, p := range progress {
			require.Equal(t, p.Total, p.Done, p.Stream)
		}
		routes := 0
		for r, err := range store.AllRecords(t.Context(), held, store.RecordQuery{User: "ada", Streams: []string{"routes"}}) {
			require.NoError(t, err)
			require.Contains(t, r.Key, "routes/")
			routes++
		}
		require.GreaterOrEqual(t, routes, 2*days)
	})
}
