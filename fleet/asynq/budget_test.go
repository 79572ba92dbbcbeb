package asynq_test

import (
	"context"
	"fmt"
	"log"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	fleet "github.com/vitalmux/vitalmux/fleet/asynq"
	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
	"github.com/vitalmux/vitalmux/store/redis/redistest"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// startRedis starts a server for the test and returns its address.
func startRedis(t *testing.T) string {
	t.Helper()
	s, err := redistest.Start(redistest.Config{})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s.Addr()
}

func connect(t *testing.T, addrs ...string) goredis.UniversalClient {
	t.Helper()
	client := goredis.NewUniversalClient(&goredis.UniversalOptions{Addrs: addrs})
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return client
}

func newBudget(t *testing.T, client goredis.UniversalClient) *fleet.Budget {
	t.Helper()
	b, err := fleet.NewBudget(client, "")
	require.NoError(t, err)
	return b
}

// take books calls that must be let through.
func take(t *testing.T, b *fleet.Budget, c healthsync.Calls) (done func(int)) {
	t.Helper()
	done, wait, err := b.Take(t.Context(), c)
	require.NoError(t, err)
	require.Zero(t, wait)
	return done
}

// wait returns the pause of calls that must not be let through.
func wait(t *testing.T, b *fleet.Budget, c healthsync.Calls) time.Duration {
	t.Helper()
	done, wait, err := b.Take(t.Context(), c)
	require.NoError(t, err)
	require.Positive(t, wait)
	require.Nil(t, done)
	return wait
}

func perApp(n int, per time.Duration) []providers.RateLimit {
	return []providers.RateLimit{{Requests: n, Per: per}}
}

// TestSharedBudgetNeverExceedsAnyWindow has several processes' budgets take
// what they can. Whenever a service counts a request between its sending and its
// answer, no period sees more of them than allowed.
func TestSharedBudgetNeverExceedsAnyWindow(t *testing.T) {
	if short(t) {
		return
	}
	const limit, per = 20, 150 * time.Millisecond
	addr, seed := startRedis(t), proof.Seed(t)
	type request struct{ sent, answered time.Time }
	var (
		mu      sync.Mutex
		all     []request
		working sync.WaitGroup
	)
	end := time.Now().Add(time.Duration(proof.N(12, 400)) * per)
	for i := range 4 {
		b := newBudget(t, connect(t, addr))
		for j := range 4 {
			random := rand.New(rand.NewPCG(seed, uint64(10*i+j)))
			working.Go(func() {
				for time.Now().Before(end) {
					n := 1 + random.IntN(3)
					asked := time.Now()
					done, wait, err := b.Take(t.Context(), healthsync.Calls{
						Provider: "p", Connection: "c", Limits: perApp(limit, per), Lane: store.LaneLive, Count: n,
					})
					if err != nil {
						t.Error(err)
						return
					}
					if wait > 0 {
						time.Sleep(wait)
						continue
					}
					r := request{sent: time.Now()}
					time.Sleep(time.Duration(random.Int64N(int64(20 * time.Millisecond))))
					r.answered = time.Now()
					made := random.IntN(n + 1)
					mu.Lock()
					// A process that was stopped for longer than a booking
					// lasts has lost it.
					for range made {
						if r.answered.Sub(asked) < per {
							all = append(all, r)
						}
					}
					mu.Unlock()
					done(made)
				}
			})
		}
	}
	working.Wait()
	for _, now := range all {
		n := 0
		for _, other := range all {
			if !other.sent.After(now.sent) && other.answered.After(now.sent.Add(-per)) {
				n++
			}
		}
		require.LessOrEqual(t, n, limit)
	}
	require.Greater(t, len(all), limit, "more than one period was used")
}

func TestBackfillsLeaveRoom(t *testing.T) {
	if short(t) {
		return
	}
	b := newBudget(t, connect(t, startRedis(t)))
	of := func(provider string, per time.Duration, lane store.Lane) healthsync.Calls {
		return healthsync.Calls{Provider: provider, Connection: "c", Limits: perApp(10, per), Lane: lane, Count: 1}
	}
	// Of a long period always.
	for range 8 {
		take(t, b, of("long", time.Hour, store.LaneBackfill))(1)
	}
	wait(t, b, of("long", time.Hour, store.LaneBackfill))
	take(t, b, of("long", time.Hour, store.LaneLive))(1)
	take(t, b, of("long", time.Hour, store.LaneReconcile))(1)
	require.InDelta(t, time.Hour, wait(t, b, of("long", time.Hour, store.LaneLive)), float64(time.Minute))

	// Of a short one while there is other work.
	for range 10 {
		take(t, b, of("alone", time.Minute, store.LaneBackfill))(1)
	}
	wait(t, b, of("alone", time.Minute, store.LaneBackfill))
	wait(t, b, of("alone", time.Minute, store.LaneLive))

	take(t, b, of("shared", time.Minute, store.LaneLive))(1)
	for range 7 {
		take(t, b, of("shared", time.Minute, store.LaneBackfill))(1)
	}
	wait(t, b, of("shared", time.Minute, store.LaneBackfill))
	take(t, b, of("shared", time.Minute, store.LaneLive))(1)
}

// TestBackfillsHaveAShare: what is live does not keep a backfill waiting for ever.
func TestBackfillsHaveAShare(t *testing.T) {
	if short(t) {
		return
	}
	b := newBudget(t, connect(t, startRedis(t)))
	of := func(lane store.Lane, n int) healthsync.Calls {
		return healthsync.Calls{Provider: "p", Connection: "c", Limits: perApp(10, time.Hour), Lane: lane, Count: n}
	}
	live := take(t, b, of(store.LaneLive, 3))
	take(t, b, of(store.LaneReconcile, 5))(5)
	take(t, b, of(store.LaneBackfill, 1))(1)
	history := take(t, b, of(store.LaneBackfill, 1))
	wait(t, b, of(store.LaneBackfill, 1))

	// What a page was booked for and did not need is free again.
	live(0)
	history(0)
	take(t, b, of(store.LaneBackfill, 1))(1)

	// A backfill waits for four: live work leaves it as many.
	wait(t, b, of(store.LaneBackfill, 4))
	take(t, b, of(store.LaneLive, 1))(0)
	page := take(t, b, of(store.LaneLive, 1))
	wait(t, b, of(store.LaneLive, 1))
	page(0)
	wait(t, b, of(store.LaneLive, 2))

	// Others do not.
	other := of(store.LaneLive, 10)
	other.Provider = "q"
	take(t, b, other)(10)
}

func TestSeveralLimitsHoldAtOnce(t *testing.T) {
	if short(t) {
		return
	}
	client := connect(t, startRedis(t))
	b, other := newBudget(t, client), newBudget(t, client)
	limits := []providers.RateLimit{
		{Requests: 5, Per: time.Hour},
		{Requests: 3, Per: time.Hour, Scope: providers.LimitPerUser},
		{}, // says nothing
	}
	calls := func(connection string, n int) healthsync.Calls {
		return healthsync.Calls{Provider: "p", Connection: connection, Limits: limits, Lane: store.LaneLive, Count: n}
	}
	take(t, b, calls("a", 3))(3)
	wait(t, other, calls("a", 1))
	take(t, other, calls("b", 2))(2)
	wait(t, b, calls("c", 1))
	require.Positive(t, client.PTTL(t.Context(), "vitalmux:budget:{p}:app:5/1h0m0s").Val(), "what is not used ends")

	// What was not sent, or took fewer requests than it might, is given back.
	calls = func(connection string, n int) healthsync.Calls {
		return healthsync.Calls{Provider: "q", Connection: connection, Limits: limits, Lane: store.LaneLive, Count: n}
	}
	take(t, b, calls("a", 3))(0)
	take(t, b, calls("a", 3))(1)
	take(t, b, calls("a", 2))
	wait(t, b, calls("a", 1))

	// A page that alone needs more than a limit has to itself.
	take(t, b, healthsync.Calls{Provider: "r", Connection: "a", Limits: limits, Count: 99})(99)
	wait(t, b, healthsync.Calls{Provider: "r", Connection: "b", Limits: limits, Count: 1})
	require.NoError(t, client.ScriptFlush(t.Context()).Err())
	take(t, b, healthsync.Calls{Provider: "s", Connection: "a", Count: 1})(1)
}

// TestBookingOfADeadProcess is one that is never ended: it counts for a period
// more.
func TestBookingOfADeadProcess(t *testing.T) {
	if short(t) {
		return
	}
	b := newBudget(t, connect(t, startRedis(t)))
	c := healthsync.Calls{Provider: "p", Connection: "c", Limits: perApp(1, 200*time.Millisecond), Lane: store.LaneLive, Count: 1}
	began, waited := time.Now(), time.Duration(0)
	take(t, b, c)
	for {
		done, pause, err := b.Take(t.Context(), c)
		require.NoError(t, err)
		if pause == 0 {
			done(1)
			break
		}
		require.LessOrEqual(t, pause, 200*time.Millisecond, "its end may be told at any time")
		time.Sleep(pause)
		waited += pause
		require.Less(t, waited, 5*time.Second)
	}
	require.GreaterOrEqual(t, time.Since(began), 390*time.Millisecond)
}

// TestLongRequest has an answer come after the booking of its request has ended:
// the request counts from then on.
func TestLongRequest(t *testing.T) {
	if short(t) {
		return
	}
	client := connect(t, startRedis(t))
	b := newBudget(t, client)
	c := healthsync.Calls{Provider: "p", Connection: "c", Limits: perApp(1, time.Second), Lane: store.LaneLive, Count: 1}
	long := take(t, b, c)
	for {
		done, pause, err := b.Take(t.Context(), c)
		require.NoError(t, err)
		if pause == 0 {
			done(0) // it was not sent
			break
		}
		time.Sleep(pause)
	}
	long(1)
	require.Positive(t, wait(t, b, c))
	require.Positive(t, client.PTTL(t.Context(), "vitalmux:budget:{p}:app:1/1s").Val(), "what is not used ends")
}

func TestBlockIsShared(t *testing.T) {
	if short(t) {
		return
	}
	addr := startRedis(t)
	b, other := newBudget(t, connect(t, addr)), newBudget(t, connect(t, addr))
	of := func(provider, connection string) healthsync.Calls {
		return healthsync.Calls{Provider: provider, Connection: connection, Count: 1}
	}
	require.NoError(t, b.Block(t.Context(), "p", "c", time.Now().Add(time.Hour)))
	require.NoError(t, b.Block(t.Context(), "p", "c", time.Now().Add(time.Minute)), "does not shorten it")
	require.NoError(t, b.Block(t.Context(), "p", "d", time.Now().Add(-time.Minute)))
	require.Greater(t, wait(t, other, of("p", "c")), 59*time.Minute)
	take(t, other, of("p", "d"))
	require.NoError(t, other.Block(t.Context(), "p", "", time.Now().Add(time.Minute)))
	wait(t, b, of("p", "d"))
	take(t, b, of("q", "c"))
}

// TestClocksMayDiffer has one process whose clock is a quarter of a century
// behind.
func TestClocksMayDiffer(t *testing.T) {
	if short(t) {
		return
	}
	addr := startRedis(t)
	b := newBudget(t, connect(t, addr))
	c := healthsync.Calls{Provider: "p", Connection: "c", Limits: perApp(2, time.Hour), Lane: store.LaneLive, Count: 1}
	take(t, b, c)(1)
	synctest.Test(t, func(t *testing.T) {
		require.Equal(t, 2000, time.Now().Year())
		client := goredis.NewUniversalClient(&goredis.UniversalOptions{Addrs: []string{addr}})
		behind := newBudget(t, client)
		take(t, behind, c)(1)
		require.Greater(t, wait(t, behind, c), 59*time.Minute)
		require.NoError(t, behind.Block(t.Context(), "p", "d", time.Now().Add(2*time.Hour)))
		require.NoError(t, client.Close())
	})
	require.Greater(t, wait(t, b, c), 59*time.Minute)
	require.Less(t, wait(t, b, c), 61*time.Minute)
	c.Connection, c.Limits = "d", nil
	require.InDelta(t, 2*time.Hour, wait(t, b, c), float64(time.Minute))
}

func TestBudgetOnACluster(t *testing.T) {
	if short(t) {
		return
	}
	cluster, err := redistest.StartCluster(redistest.Config{}, 3, false)
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	b := newBudget(t, connect(t, cluster.Addrs()...))
	limits := append(perApp(2, time.Hour), providers.RateLimit{Requests: 1, Per: time.Hour, Scope: providers.LimitPerUser})
	for i := range 20 { // in all slots
		c := healthsync.Calls{Provider: fmt.Sprint("p", i), Connection: "c", Limits: limits, Count: 1}
		take(t, b, c)(1)
		wait(t, b, c)
		require.NoError(t, b.Block(t.Context(), c.Provider, "d", time.Now().Add(time.Minute)))
	}
}

func TestBudgetThatCannotBeAsked(t *testing.T) {
	if short(t) {
		return
	}
	server, err := redistest.Start(redistest.Config{})
	require.NoError(t, err)
	defer server.Close()
	client := goredis.NewClient(&goredis.Options{Addr: server.Addr(), MaxRetries: -1, DialerRetries: 1})
	defer client.Close()
	b := newBudget(t, client)
	c := healthsync.Calls{Provider: "p", Connection: "c", Limits: perApp(2, time.Hour), Count: 1}
	done := take(t, b, c)
	require.NoError(t, server.Kill())
	done(1) // no answer is needed
	_, _, err = b.Take(t.Context(), c)
	require.ErrorContains(t, err, "budget of p")
	require.ErrorContains(t, b.Block(t.Context(), "p", "c", time.Now().Add(time.Hour)), "budget of p")

	_, err = fleet.NewBudget(nil, "")
	require.Error(t, err)
	_, err = fleet.NewBudget(client, "a{b}")
	require.Error(t, err)
}

func ExampleBudget() {
	server, err := redistest.Start(redistest.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	client := goredis.NewClient(&goredis.Options{Addr: server.Addr()})
	defer client.Close()
	ctx := context.Background()
	// Each process has its own, on the same Redis.
	for process := range 3 {
		budget, err := fleet.NewBudget(client, "")
		if err != nil {
			log.Fatal(err)
		}
		done, wait, err := budget.Take(ctx, healthsync.Calls{
			Provider: "withings", Connection: "c1", Count: 60,
			Limits: []providers.RateLimit{{Requests: 120, Per: time.Minute}},
		})
		switch {
		case err != nil:
			log.Fatal(err)
		case wait > 0:
			fmt.Println("process", process, "waits")
		default:
			fmt.Println("process", process, "sends its requests")
			done(60)
		}
	}
	// Output:
	// process 0 sends its requests
	// process 1 sends its requests
	// process 2 waits
}
