package asynq_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/fitbit"
	"github.com/vitalmux/vitalmux/providers/fitbit/fitbittest"
	"github.com/vitalmux/vitalmux/providers/providertest"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// TestWhatIsLeftIsShared has two processes learn what answers told of a limit.
func TestWhatIsLeftIsShared(t *testing.T) {
	if short(t) {
		return
	}
	client := connect(t, startRedis(t))
	b, other := newBudget(t, client), newBudget(t, client)
	of := func(connection string, n int) healthsync.Calls {
		return healthsync.Calls{Provider: "p", Connection: connection, Lane: store.LaneLive, Count: n}
	}
	learn := func(connection string, n int, in time.Duration) {
		require.NoError(t, b.Learn(t.Context(), "p", connection, providers.RateLeft{
			Requests: n, ResetAt: time.Now().Add(in), Scope: providers.LimitPerUser,
		}))
	}
	done := take(t, other, of("a", 2))
	learn("a", 5, time.Hour)
	require.InDelta(t, time.Hour, wait(t, other, of("a", 4)), float64(time.Minute), "those under way may not have been counted")
	three := take(t, other, of("a", 3))
	wait(t, b, of("a", 1))
	take(t, b, of("b", 9))(9)

	three(1) // two were not made
	take(t, b, of("a", 2))(2)
	wait(t, other, of("a", 1))
	learn("a", 5, time.Hour+5*time.Second)
	wait(t, other, of("a", 1))
	learn("a", 100, time.Minute)
	wait(t, other, of("a", 1))
	learn("a", 100, -time.Minute)
	wait(t, other, of("a", 1))

	// The limit is renewed, or no longer told of.
	learn("a", 9, 2*time.Hour)
	wait(t, b, of("a", 8))
	done(2)
	take(t, b, of("a", 7))(7)
	wait(t, b, of("a", 1))
	learn("c", 0, 100*time.Millisecond)
	time.Sleep(wait(t, b, of("c", 1)) + time.Millisecond)
	take(t, b, of("c", 50))(50)

	// What all share.
	require.NoError(t, b.Learn(t.Context(), "p", "a", providers.RateLeft{Requests: 3, ResetAt: time.Now().Add(time.Hour)}))
	take(t, other, of("d", 2))(2)
	wait(t, b, of("e", 2))
	take(t, b, of("e", 1))(1)
	wait(t, b, of("d", 1))

	// Backfills leave a fifth of the limit.
	c := healthsync.Calls{Provider: "q", Connection: "a", Count: 1, Limits: []providers.RateLimit{
		{Requests: 10, Per: time.Hour, Scope: providers.LimitPerUser},
	}}
	require.NoError(t, b.Learn(t.Context(), "q", "a", providers.RateLeft{
		Requests: 3, ResetAt: time.Now().Add(time.Hour), Scope: providers.LimitPerUser,
	}))
	c.Lane = store.LaneBackfill
	take(t, b, c)(1)
	wait(t, other, c)
	c.Lane = store.LaneLive
	take(t, other, c)(1)
	take(t, b, c)(1)
	wait(t, b, c)
	for _, key := range client.Keys(t.Context(), "vitalmux:budget:*").Val() {
		require.Positive(t, client.PTTL(t.Context(), key).Val(), "%s ends", key)
	}
}

// wire is a connection of one process to the service.
type wire func(*http.Request) (*http.Response, error)

func (w wire) RoundTrip(r *http.Request) (*http.Response, error) { return w(r) }

// TestAnotherClientSpentTheHour: of the 150 requests that a person has in an hour
// another client has spent 120 when a process of the fleet begins. It uses what
// is left, and would die with an answer that nothing is. The next process knows
// of it: the service refuses nobody.
func TestAnotherClientSpentTheHour(t *testing.T) {
	if short(t) {
		return
	}
	// Within one hour of the service, whatever the time is.
	now := time.Now().UTC().Truncate(time.Hour).Add(10 * time.Minute)
	sim := fitbittest.New(fitbittest.Config{Seed: 3, Days: 60, IntradayDays: -1, Now: func() time.Time { return now }})
	person := sim.AddPerson(fitbittest.PersonConfig{Timezone: "Europe/Berlin"})
	token := sim.Login(person.ID).AccessToken
	service := providertest.Transport(sim)
	for range 120 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fitbit.DefaultBaseURL+"/1/user/-/profile.json", nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+token)
		answer, err := service.RoundTrip(r)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
	}

	client, db := connect(t, startRedis(t)), store.NewMemory()
	key := make([]byte, 32)
	_, err := rand.Read(key)
	require.NoError(t, err)
	sealer, err := healthsync.NewKeyring(healthsync.Key{ID: "test", Secret: key})
	require.NoError(t, err)
	process := func(w wire) *healthsync.Engine {
		p, err := fitbit.New(fitbit.Config{
			ClientID: fitbittest.DefaultClientID, ClientSecret: providers.NewSecret(fitbittest.DefaultClientSecret),
			RedirectURL: fitbittest.DefaultRedirectURL, Transport: w, MaxWait: -1,
		})
		require.NoError(t, err)
		engine, err := healthsync.New(healthsync.Config{
			Providers: []providers.Provider{p}, Store: db, Sealer: sealer, Budget: newBudget(t, client), MaxWait: -1, History: -1,
		})
		require.NoError(t, err)
		return engine
	}
	connecting := process(service.RoundTrip)
	address, err := connecting.Connect(t.Context(), healthsync.ConnectRequest{
		User: "ada", Provider: fitbit.Name, RedirectURL: fitbittest.DefaultRedirectURL,
	})
	require.NoError(t, err)
	back, err := sim.Authorize(person.ID, address)
	require.NoError(t, err)
	conn, err := connecting.Complete(t.Context(), back.Query())
	require.NoError(t, err)
	sim.ResetRequests()

	errDied := errors.New("the process died")
	ctx, die := context.WithCancelCause(t.Context())
	first := process(func(r *http.Request) (*http.Response, error) {
		answer, err := service.RoundTrip(r)
		if err == nil && answer.Header.Get("Fitbit-Rate-Limit-Remaining") == "0" {
			defer die(errDied)
		}
		return answer, err
	})
	report, err := first.Sync(ctx, conn.ID)
	require.Error(t, err)
	t.Logf("first process: %d requests, waits until %v: %v", len(sim.Requests()), report.Waiting, err)
	asked := len(sim.Requests())
	require.LessOrEqual(t, asked, 30)
	require.Greater(t, asked, 20)

	report, err = process(service.RoundTrip).Sync(t.Context(), conn.ID)
	require.ErrorIs(t, err, providers.ErrRateLimited)
	for _, r := range sim.Requests() {
		require.NotEqual(t, http.StatusTooManyRequests, r.Status, "%s", r.Path)
	}
	require.InDelta(t, 50*time.Minute, time.Until(report.Waiting), float64(time.Minute), "when the service renews the hour")
}
