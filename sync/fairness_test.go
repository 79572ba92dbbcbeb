package sync_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// TestForegroundKeepsToTheBudget: one call of Sync needs more requests than a
// person has in an hour, the more so as a reconciliation is under way. No hour
// sees more than that, the call says when to come back, another one before then
// asks for nothing, and every stream has its turn within some hours, whoever
// calls: Run, or somebody who calls once in an hour.
func TestForegroundKeepsToTheBudget(t *testing.T) {
	const budget, each = 30, 8
	for _, background := range []bool{false, true} {
		t.Run(fmt.Sprint("Run ", background), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var streams []providers.Stream
				for i := range 12 {
					streams = append(streams, providers.Stream{
						Name: fmt.Sprintf("stream_%c", 'a'+i), Kinds: []health.Kind{health.KindBody}, Grain: providers.GrainDay,
						MaxWindow: day, Lookback: each * day,
					})
				}
				c := newClinic(streams...)
				c.capabilities.Limits = []providers.RateLimit{{Requests: budget, Per: time.Hour, Scope: providers.LimitPerUser}}
				c.accessLife = 1000 * day
				w := newWard(t, c, func(cfg *healthsync.Config) { cfg.History = -1 })
				stop := func() {}
				if background {
					stop = running(t, w.engine)
				}
				seen := map[string]bool{}
				for range 8 {
					if background {
						time.Sleep(time.Hour)
						continue
					}
					report, err := w.engine.Sync(t.Context(), w.conn.ID)
					require.ErrorIs(t, err, providers.ErrRateLimited)
					require.NotErrorIs(t, err, store.ErrLeaseLost)
					require.True(t, report.Waiting.After(time.Now()), "when to come back")
					before := len(c.asked())
					again, err := w.engine.Sync(t.Context(), w.conn.ID)
					require.ErrorIs(t, err, providers.ErrRateLimited)
					require.WithinDuration(t, report.Waiting, again.Waiting, time.Minute)
					require.Len(t, c.asked(), before, "nothing is asked before then")
					time.Sleep(time.Until(report.Waiting) + 10*time.Minute)
				}
				stop()
				for _, q := range c.asked() {
					seen[q.Stream] = true
				}
				require.Len(t, seen, len(streams), "every stream has its turn")
				for i, from := range c.calls {
					in := 0
					for _, at := range c.calls[i:] {
						if at.Sub(from) < time.Hour {
							in++
						}
					}
					require.LessOrEqual(t, in, budget)
				}
			})
		})
	}
}

// TestNotificationsLeaveRoomForOtherStreams: notifications about some streams ask
// for more than a person's limit allows. All streams have their turn, named or
// not.
func TestNotificationsLeaveRoomForOtherStreams(t *testing.T) {
	for name, hinted := range map[string][]string{
		"about the first": {"stream_a", "stream_b", "stream_c", "stream_d", "stream_e", "stream_f", "stream_g", "stream_h"},
		"about the last":  {"stream_c", "stream_d", "stream_e", "stream_f", "stream_g", "stream_h", "stream_i", "stream_j"},
		"about all":       nil,
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var streams []providers.Stream
				for i := range 10 {
					streams = append(streams, providers.Stream{
						Name: fmt.Sprintf("stream_%c", 'a'+i), Kinds: []health.Kind{health.KindBody}, Grain: providers.GrainDay,
						MaxWindow: day, Lookback: 4 * day, Interval: time.Hour,
					})
				}
				c := newClinic(streams...)
				c.capabilities.Limits = []providers.RateLimit{{Requests: 40, Per: time.Hour, Scope: providers.LimitPerUser}}
				c.accessLife = 1000 * day
				w := newWard(t, c, func(cfg *healthsync.Config) { cfg.History, cfg.ReconcileEvery = -1, -1 })
				stop := running(t, w.engine)
				time.Sleep(3 * time.Hour)
				for i := range 12 * 12 {
					w.hint(t, fmt.Sprint("news", i), true, hinted...)
					time.Sleep(5 * time.Minute)
				}
				stop()
				last := make(map[string]time.Time)
				for i, q := range c.asked() {
					if before, ok := last[q.Stream]; ok {
						require.Less(t, c.calls[i].Sub(before), 3*time.Hour, q.Stream)
					}
					last[q.Stream] = c.calls[i]
				}
				for _, stream := range streams {
					require.Less(t, time.Since(last[stream.Name]), 3*time.Hour, stream.Name)
				}
				require.Greater(t, len(c.calls), 12*35, "the limit is used")
			})
		})
	}
}
