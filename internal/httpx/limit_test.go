package httpx

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vitalmux/vitalmux/providers"
)

func TestRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var arrivals []time.Time
		c := newTestClient(t, func(http.ResponseWriter, *http.Request) { arrivals = append(arrivals, time.Now()) }, func(cfg *Config) {
			cfg.Limits = []providers.RateLimit{
				{Requests: 6, Per: time.Minute, Scope: providers.LimitPerApp},
				{Requests: 2, Per: 3 * time.Second, Scope: providers.LimitPerUser},
			}
		})
		send := func(user string) error {
			_, err := c.Send(t.Context(), Request{Op: "fetch", User: user})
			return err
		}
		start := time.Now()
		for range 3 {
			require.NoError(t, send("ann"))
		}
		require.Equal(t, 3*time.Second+50*time.Millisecond, time.Since(start), "the third of a user waits")
		for range 2 {
			require.NoError(t, send("bob"))
		}
		require.NoError(t, send(""))
		require.Equal(t, 3*time.Second+50*time.Millisecond, time.Since(start), "others do not")

		err := send("eve")
		e := asProviderError(t, err)
		require.ErrorIs(t, e, providers.ErrRateLimited)
		require.Equal(t, CodeLocalLimit, e.Code)
		require.False(t, e.Ambiguous)
		require.Equal(t, start.Add(time.Minute+600*time.Millisecond), e.RetryAt)
		require.Len(t, arrivals, 6)
		time.Sleep(time.Until(e.RetryAt))
		require.NoError(t, send("eve"))
	})
}

func TestHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told time.Duration
		scope := providers.LimitPerUser
		c := newTestClient(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Reset", told.String()) }, func(cfg *Config) {
			cfg.Hold = func(status int, h http.Header) (time.Duration, providers.LimitScope) {
				require.Equal(t, 200, status)
				d, err := time.ParseDuration(h.Get("X-Reset"))
				require.NoError(t, err)
				return d, scope
			}
		})
		send := func(user string) (time.Duration, error) {
			start := time.Now()
			_, err := c.Send(t.Context(), Request{Op: "fetch", User: user})
			return time.Since(start), err
		}
		took := func(want time.Duration, user string) {
			t.Helper()
			got, err := send(user)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
		refused := func(want time.Duration, user string) {
			t.Helper()
			got, err := send(user)
			require.Zero(t, got)
			require.Equal(t, time.Now().Add(want), asProviderError(t, err).RetryAt)
		}
		told = 2 * time.Second
		took(0, "ann")
		told = 0
		took(0, "bob")
		took(2*time.Second, "ann")

		told, scope = 4*time.Second, providers.LimitPerApp
		took(0, "ann")
		told = 0
		took(4*time.Second, "bob")

		c.Hold("ann", providers.LimitPerUser, time.Now().Add(time.Minute))
		c.Hold("ann", providers.LimitPerUser, time.Now().Add(time.Second)) // does not shorten
		refused(time.Minute, "ann")
		took(0, "bob")
		c.Hold("", providers.LimitPerApp, time.Now().Add(1000*time.Hour))
		refused(time.Hour, "bob")
	})
}

func TestRateLimitWaitEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestClient(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") }, nil)
		c.Hold("", providers.LimitPerApp, time.Now().Add(4*time.Second))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err := c.Send(ctx, Request{Op: "fetch"})
		e := asProviderError(t, err)
		require.ErrorIs(t, e, context.Canceled)
		require.False(t, e.Ambiguous)

		ctx, cancel = context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, err = c.Send(ctx, Request{Op: "fetch"})
		require.ErrorIs(t, err, providers.ErrRateLimited)
		require.NoError(t, ctx.Err(), "it did not wait for what cannot be")
	})
}

// TestRateLimitUnderLoad has many callers share a budget: no window of its
// length holds more, and all of it is used.
func TestRateLimitUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var arrivals []time.Time
		c := newTestClient(t, func(http.ResponseWriter, *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			arrivals = append(arrivals, time.Now())
		}, func(cfg *Config) {
			cfg.Limits = []providers.RateLimit{{Requests: 10, Per: 10 * time.Second}}
			cfg.MaxWait = time.Hour
		})
		start := time.Now()
		var all sync.WaitGroup
		for i := range 55 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * 100 * time.Millisecond)
				if _, err := c.Send(t.Context(), Request{Op: "fetch", User: fmt.Sprint(i % 3)}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		require.Len(t, arrivals, 55)
		for i := 10; i < len(arrivals); i++ {
			require.Greater(t, arrivals[i].Sub(arrivals[i-10]), 10*time.Second)
		}
		require.Less(t, time.Since(start), 52*time.Second)
	})
}

func TestLimiterNeverExceeds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits := []providers.RateLimit{
			{Requests: rapid.IntRange(1, 5).Draw(t, "n1"), Per: time.Duration(rapid.IntRange(1, 10).Draw(t, "per1")) * time.Second},
			{Requests: rapid.IntRange(1, 9).Draw(t, "n2"), Per: time.Duration(rapid.IntRange(1, 60).Draw(t, "per2")) * time.Second},
		}
		l := newLimiter(limits)
		now := time.Unix(0, 0)
		var sent []time.Time
		for _, pause := range rapid.SliceOfN(rapid.IntRange(0, 4000), 1, 200).Draw(t, "pauses") {
			now = now.Add(time.Duration(pause) * time.Millisecond)
			at, ok := l.take("", now)
			if ok {
				sent = append(sent, now)
				continue
			}
			if _, early := l.take("", at.Add(-1)); early {
				t.Fatalf("allowed before %v", at)
			}
			if _, ok := l.take("", at); !ok {
				t.Fatalf("not allowed at %v as told", at)
			}
			now = at
			sent = append(sent, now)
		}
		for _, limit := range limits {
			for i := limit.Requests; i < len(sent); i++ {
				if sent[i].Sub(sent[i-limit.Requests]) < limit.Per {
					t.Fatalf("%d requests within %v", limit.Requests+1, limit.Per)
				}
			}
		}
	})
}

func TestIdleUsersAreForgotten(t *testing.T) {
	l := newLimiter([]providers.RateLimit{{Requests: 1, Per: time.Minute, Scope: providers.LimitPerUser}})
	now := time.Unix(0, 0)
	for i := range 10 * sweepFrom {
		now = now.Add(time.Second)
		_, ok := l.take(fmt.Sprint(i), now)
		require.True(t, ok)
	}
	require.LessOrEqual(t, len(l.users), sweepFrom)
	_, ok := l.take(fmt.Sprint(10*sweepFrom-1), now)
	require.False(t, ok, "a busy one is kept")
}
