package sync

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

// TestBudgetKeepsToWhatIsLeft has a service that renews its limit by the hour, of
// which others use up a part at its beginning. It counts a request at any time
// between its sending and its answer, and answers arrive in any order. What is
// sent after the first answer of an hour was heard of is not refused in it.
func TestBudgetKeepsToWhatIsLeft(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const limit = 20
		type request struct {
			calls   int
			began   time.Time
			sure    int // the hour of which something was known when it was booked
			counted bool
			told    providers.RateLeft
		}
		var (
			now    = time.Unix(1_790_000_000, 0).Truncate(time.Hour)
			b      = newBudget()
			limits = []providers.RateLimit{{Requests: limit, Per: time.Hour, Scope: providers.LimitPerUser}}
			used   = map[int]int{}
			known  = -1
			flying []*request
		)
		start := now
		hour := func() int { return int(now.Sub(start) / time.Hour) }
		count := func(r *request) {
			h := hour()
			if _, begun := used[h]; !begun {
				used[h] = rapid.IntRange(0, limit).Draw(t, "others")
			}
			for range r.calls {
				if used[h] == limit {
					require.NotEqual(t, h, r.sure, "refused, although it was told that nothing is left")
				} else {
					used[h]++
				}
			}
			r.counted = true
			late := time.Duration(rapid.IntRange(0, 9).Draw(t, "late")) * time.Second
			r.told = providers.RateLeft{
				Requests: limit - used[h], ResetAt: start.Add(time.Duration(h+1) * time.Hour).Add(late), Scope: providers.LimitPerUser,
			}
		}
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"send", "send", "count", "answer", "answer", "wait"}).Draw(t, "step") {
			case "send":
				r := &request{calls: rapid.IntRange(1, 3).Draw(t, "calls"), began: now, sure: known}
				if b.take(now, callsOf("c", limits, store.LaneLive, r.calls)) == 0 {
					flying = append(flying, r)
				}
			case "count":
				for _, r := range flying {
					if !r.counted {
						count(r)
						break
					}
				}
			case "answer":
				if len(flying) == 0 {
					continue
				}
				i := rapid.IntRange(0, len(flying)-1).Draw(t, "which")
				r := flying[i]
				flying = append(flying[:i:i], flying[i+1:]...)
				if !r.counted {
					count(r)
				}
				b.done(r.began, callsOf("c", limits, store.LaneLive, r.calls), r.calls)
				b.learn(now, "p", "c", r.told)
				if r.told.ResetAt.Sub(start) >= time.Duration(hour()+1)*time.Hour {
					known = hour()
				}
			case "wait":
				now = now.Add(time.Duration(rapid.IntRange(1, 1200).Draw(t, "seconds")) * time.Second)
			}
		}
	})
}

func TestBudgetLearnsWhatIsLeft(t *testing.T) {
	now := time.Unix(1_790_000_000, 0)
	left := func(n int, in time.Duration) providers.RateLeft {
		return providers.RateLeft{Requests: n, ResetAt: now.Add(in), Scope: providers.LimitPerUser}
	}
	take := func(b *budget, connection string, calls int) time.Duration {
		return b.take(now, callsOf(connection, nil, store.LaneLive, calls))
	}
	b := newBudget()
	require.Zero(t, take(b, "a", 2), "under way")
	b.learn(now, "p", "a", left(5, time.Minute))
	require.Equal(t, time.Minute, take(b, "a", 4), "those under way may not have been counted")
	require.Zero(t, take(b, "a", 3))
	require.Equal(t, time.Minute, take(b, "a", 1))
	require.Zero(t, take(b, "b", 9), "others have limits of their own")

	b.done(now, callsOf("a", nil, store.LaneLive, 3), 1) // two were not made
	require.Zero(t, take(b, "a", 2))
	require.Equal(t, time.Minute, take(b, "a", 1))
	b.learn(now, "p", "a", left(5, time.Minute+5*time.Second))
	require.Equal(t, time.Minute+5*time.Second, take(b, "a", 1), "an earlier answer to come in late")
	b.learn(now, "p", "a", left(3, 0))
	b.learn(now, "p", "a", left(100, 30*time.Second))
	require.Equal(t, time.Minute+5*time.Second, take(b, "a", 1), "about a renewal that was")

	now = now.Add(time.Minute)
	b.done(now, callsOf("a", nil, store.LaneLive, 2), 2)
	b.done(now, callsOf("a", nil, store.LaneLive, 2), 2)
	b.learn(now, "p", "a", left(7, time.Hour))
	require.Zero(t, take(b, "a", 7), "the limit was renewed")
	require.Equal(t, time.Hour, take(b, "a", 1))
	now = now.Add(time.Hour)
	require.Zero(t, take(b, "a", 100), "nothing is known any more")

	// What all share.
	b.learn(now, "p", "a", providers.RateLeft{Requests: 127, ResetAt: now.Add(time.Minute)})
	require.Zero(t, take(b, "b", 10))
	require.Equal(t, time.Minute, take(b, "c", 2), "7, 100, 9 and 10 are under way")
	require.Zero(t, take(b, "c", 1))

	// Backfills leave a fifth of the limit.
	limits := []providers.RateLimit{{Requests: 10, Per: time.Hour, Scope: providers.LimitPerUser}}
	b.learn(now, "q", "d", left(3, time.Minute))
	of := func(lane store.Lane, n int) Calls {
		return Calls{Provider: "q", Connection: "d", Limits: limits, Lane: lane, Count: n}
	}
	require.Equal(t, time.Minute, b.take(now, of(store.LaneBackfill, 2)))
	require.Zero(t, b.take(now, of(store.LaneBackfill, 1)))
	require.Zero(t, b.take(now, of(store.LaneReconcile, 2)))
	require.Equal(t, time.Minute, b.take(now, of(store.LaneLive, 1)))
}

func TestBudgetForgetsWhatWasLeft(t *testing.T) {
	b, now := newBudget(), time.Unix(1_790_000_000, 0)
	for i := range 2_000 {
		connection := strconv.Itoa(i)
		require.Zero(t, b.take(now, callsOf(connection, nil, store.LaneLive, 1)))
		b.done(now, callsOf(connection, nil, store.LaneLive, 1), 1)
		b.learn(now, "p", connection, providers.RateLeft{ResetAt: now.Add(time.Minute), Scope: providers.LimitPerUser})
		now = now.Add(10 * time.Second)
	}
	require.LessOrEqual(t, len(b.told), 20)
}
