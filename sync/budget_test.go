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
		type sent struct {
			at   time.Time
			conn string
		}
		var booked []sent
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			conn := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "connection")
			lane := rapid.SampledFrom([]store.Lane{store.LaneLive, store.LaneBackfill}).Draw(t, "lane")
			calls := rapid.IntRange(1, 4).Draw(t, "calls")
			c := callsOf(conn, limits, lane, calls)
			send := func() {
				made := rapid.IntRange(0, calls).Draw(t, "made")
				for range made {
					booked = append(booked, sent{now, conn})
				}
				b.done(now, c, made)
			}
			if wait := b.take(now, c); wait == 0 {
				send()
			} else {
				require.Positive(t, wait)
				if rapid.Bool().Draw(t, "patient") {
					now = now.Add(wait)
					require.Zero(t, b.take(now, c), "the promised wait is enough")
					send()
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
	for b.take(now, callsOf("c", limits, store.LaneBackfill, 1)) == 0 {
		n++
	}
	require.Equal(t, 80, n)
	for b.take(now, callsOf("c", limits, store.LaneLive, 1)) == 0 {
		n++
	}
	require.Equal(t, 100, n)
}

// TestBudgetIsShared: live work and backfills that both want more than there is
// get a share each, in every period.
func TestBudgetIsShared(t *testing.T) {
	for _, count := range []int{1, 7} {
		b, start := newBudget(), time.Unix(1_790_000_000, 0)
		limits := []providers.RateLimit{{Requests: 150, Per: time.Hour, Scope: providers.LimitPerUser}}
		got := map[store.Lane]map[int]int{store.LaneLive: {}, store.LaneBackfill: {}}
		for second := range 10 * 3600 {
			now := start.Add(time.Duration(second) * time.Second)
			for _, lane := range []store.Lane{store.LaneLive, store.LaneBackfill} {
				if b.take(now, callsOf("c", limits, lane, count)) == 0 {
					got[lane][second/3600] += count
				}
			}
		}
		for hour := range 10 {
			live, backfill := got[store.LaneLive][hour], got[store.LaneBackfill][hour]
			require.LessOrEqual(t, live+backfill, 150, "hour %d", hour)
			require.Greater(t, live+backfill, 150-2*count, "hour %d", hour)
			require.Greater(t, backfill, 30-count, "hour %d", hour)
			require.Greater(t, live, 30-count, "hour %d", hour)
		}
		// Without a backfill that waits, live work has it all.
		now := start.Add(20 * time.Hour)
		n := 0
		for b.take(now, callsOf("c", limits, store.LaneLive, 1)) == 0 {
			n++
		}
		require.Equal(t, 150, n)
	}
}

func TestBudgetGivesBackWhatWasNotMade(t *testing.T) {
	b, now := newBudget(), time.Unix(1_790_000_000, 0)
	limits := []providers.RateLimit{{Requests: 10, Per: time.Minute}}
	page := callsOf("c", limits, store.LaneLive, 6)
	require.Zero(t, b.take(now, page))
	require.Zero(t, b.take(now.Add(time.Second), callsOf("c", limits, store.LaneLive, 4)))
	b.done(now, page, 2)
	now = now.Add(2 * time.Second)
	require.Equal(t, 58*time.Second, b.take(now, callsOf("c", limits, store.LaneLive, 5)))
	require.Zero(t, b.take(now, callsOf("c", limits, store.LaneLive, 4)))
	require.Equal(t, 58*time.Second, b.take(now, callsOf("c", limits, store.LaneLive, 2)))
	require.Equal(t, 59*time.Second, b.take(now, callsOf("c", limits, store.LaneLive, 3)))

	large := callsOf("d", limits, store.LaneBackfill, 30)
	now = now.Add(time.Minute)
	require.Zero(t, b.take(now, large), "it is wholly free")
	b.done(now, large, 1)
	require.Zero(t, b.take(now, callsOf("d", limits, store.LaneLive, 9)))
	require.Equal(t, time.Minute, b.take(now, callsOf("d", limits, store.LaneLive, 1)))
}

func callsOf(connection string, limits []providers.RateLimit, lane store.Lane, n int) Calls {
	return Calls{Provider: "p", Connection: connection, Limits: limits, Lane: lane, Count: n}
}

func TestBudgetBlock(t *testing.T) {
	b, now := newBudget(), time.Unix(1_790_000_000, 0)
	b.block("p", "c", now.Add(5*time.Second))
	require.Equal(t, 5*time.Second, b.take(now, callsOf("c", nil, store.LaneLive, 1)))
	require.Zero(t, b.take(now, callsOf("other", nil, store.LaneLive, 1)))
	require.Zero(t, b.take(now.Add(5*time.Second), callsOf("c", nil, store.LaneLive, 1)))
}

func TestBudgetForgetsConnections(t *testing.T) {
	b, now := newBudget(), time.Unix(1_790_000_000, 0)
	limits := []providers.RateLimit{{Requests: 10, Per: time.Minute}, {Requests: 5, Per: time.Hour, Scope: providers.LimitPerUser}}
	for i := range 5_000 {
		connection := strconv.Itoa(i)
		require.Zero(t, b.take(now, callsOf(connection, limits, store.LaneLive, 1)))
		b.block("p", connection, now.Add(time.Second))
		now = now.Add(10 * time.Second)
	}
	require.LessOrEqual(t, len(b.windows), 400, "an hour's connections")
	require.LessOrEqual(t, len(b.blocked), 10)
}

func TestPageThatNeedsMoreThanTheBudget(t *testing.T) {
	b, now := newBudget(), time.Unix(1_790_000_000, 0)
	limits := []providers.RateLimit{{Requests: 5, Per: time.Minute}}
	require.Zero(t, b.take(now, callsOf("c", limits, store.LaneBackfill, 12)))
	require.Equal(t, time.Minute, b.take(now, callsOf("c", limits, store.LaneBackfill, 12)))
	require.Zero(t, b.take(now.Add(time.Minute), callsOf("c", limits, store.LaneBackfill, 12)))
}
