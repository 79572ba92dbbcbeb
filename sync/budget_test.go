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

// TestBudgetNeverExceedsAnyWindow drives random work through the budget and
// counts, for every booked request, the requests of the period that begins
// with it.
func TestBudgetNeverExceedsAnyWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits := []providers.RateLimit{
			{Requests: rapid.IntRange(1, 12).Draw(t, "app"), Per: time.Minute},
			{Requests: rapid.IntRange(1, 6).Draw(t, "user"), Per: time.Hour, Scope: providers.LimitPerUser},
		}
		b, now := newBudget(), time.Unix(1_790_000_000, 0)
		type booking struct {
			at   time.Time
			conn string
		}
		var booked []booking
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			conn := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "connection")
			lane := rapid.SampledFrom([]store.Lane{store.LaneLive, store.LaneBackfill}).Draw(t, "lane")
			calls := rapid.IntRange(1, 4).Draw(t, "calls")
			wait := b.take(now, "p", conn, limits, lane, calls)
			if wait == 0 {
				for range calls {
					booked = append(booked, booking{now, conn})
				}
			} else {
				require.Positive(t, wait)
				if rapid.Bool().Draw(t, "patient") {
					now = now.Add(wait)
					require.Zero(t, b.take(now, "p", conn, limits, lane, calls), "the promised wait is enough")
					for range calls {
						booked = append(booked, booking{now, conn})
					}
				}
			}
			now = now.Add(time.Duration(rapid.IntRange(0, 30).Draw(t, "pause")) * time.Second)
		}
		for _, from := range booked {
			app, user := 0, 0
			for _, x := range booked {
				if d := x.at.Sub(from.at); d >= 0 && d < limits[0].Per {
					app++
				}
				if d := x.at.Sub(from.at); x.conn == from.conn && d >= 0 && d < limits[1].Per {
					user++
				}
			}
			// A page that alone needs more than a limit is let through once
			// the limit is wholly free; it is the only way to exceed it.
			require.LessOrEqual(t, app, max(limits[0].Requests, 4))
			require.LessOrEqual(t, user, max(limits[1].Requests, 4))
		}
	})
}

func TestBudgetLeavesRoomForLiveWork(t *testing.T) {
	b, now := newBudget(), time.Unix(1_790_000_000, 0)
	limits := []providers.RateLimit{{Requests: 100, Per: time.Minute}}
	n := 0
	for b.take(now, "p", "c", limits, store.LaneBackfill, 1) == 0 {
		n++
	}
	require.Equal(t, 80, n)
	for b.take(now, "p", "c", limits, store.LaneLive, 1) == 0 {
		n++
	}
	require.Equal(t, 100, n)
}

func TestBudgetBlock(t *testing.T) {
	b, now := newBudget(), time.Unix(1_790_000_000, 0)
	b.block("p", "c", now.Add(5*time.Second))
	require.Equal(t, 5*time.Second, b.take(now, "p", "c", nil, store.LaneLive, 1))
	require.Zero(t, b.take(now, "p", "other", nil, store.LaneLive, 1))
	require.Zero(t, b.take(now.Add(5*time.Second), "p", "c", nil, store.LaneLive, 1))
}

func TestBudgetForgetsConnections(t *testing.T) {
	b, now := newBudget(), time.Unix(1_790_000_000, 0)
	limits := []providers.RateLimit{{Requests: 10, Per: time.Minute}, {Requests: 5, Per: time.Hour, Scope: providers.LimitPerUser}}
	for i := range 5_000 {
		connection := strconv.Itoa(i)
		require.Zero(t, b.take(now, "p", connection, limits, store.LaneLive, 1))
		b.block("p", connection, now.Add(time.Second))
		now = now.Add(10 * time.Second)
	}
	require.LessOrEqual(t, len(b.windows), 400, "an hour's connections")
	require.LessOrEqual(t, len(b.blocked), 10)
}

func TestPageThatNeedsMoreThanTheBudget(t *testing.T) {
	b, now := newBudget(), time.Unix(1_790_000_000, 0)
	limits := []providers.RateLimit{{Requests: 5, Per: time.Minute}}
	require.Zero(t, b.take(now, "p", "c", limits, store.LaneBackfill, 12))
	require.Equal(t, time.Minute, b.take(now, "p", "c", limits, store.LaneBackfill, 12))
	require.Zero(t, b.take(now.Add(time.Minute), "p", "c", limits, store.LaneBackfill, 12))
}
