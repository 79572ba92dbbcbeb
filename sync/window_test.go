package sync

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
)

// TestWindowsTile checks that forward and backward cut a period into windows
// that touch, do not overlap, and are never longer than the service allows.
func TestWindowsTile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := providers.Stream{Grain: rapid.SampledFrom([]providers.Grain{providers.GrainInstant, providers.GrainDay}).Draw(t, "grain")}
		s.MaxWindow = time.Duration(rapid.IntRange(0, 40).Draw(t, "days")) * day
		from := drawTime(t, "from")
		to := from.Add(time.Duration(rapid.IntRange(1, 24*400).Draw(t, "hours")) * time.Hour)
		lo, hi := timeline(s, from, to, nil)
		require.False(t, lo.After(from))
		require.False(t, hi.Before(to))

		n := 0
		for at := lo; at.Before(hi); n++ {
			w, end := forward(s, at, hi)
			checkWindow(t, s, w, at, end)
			at = end
		}
		require.Equal(t, windows(s, lo, hi), n)
		n = 0
		for at := hi; lo.Before(at); n++ {
			w, start := backward(s, lo, at)
			checkWindow(t, s, w, start, at)
			at = start
		}
		require.Equal(t, windows(s, lo, hi), n)
	})
}

func checkWindow(t *rapid.T, s providers.Stream, w health.Window, from, to time.Time) {
	require.True(t, from.Before(to))
	if s.MaxWindow > 0 {
		require.LessOrEqual(t, to.Sub(from), s.MaxWindow)
	}
	q := walkQuery{From: w.From, To: w.To, First: w.First, Last: w.Last}
	require.Equal(t, from, windowStart(q))
	require.Equal(t, to, windowEnd(q))
}

// TestTimelineHoldsEveryLocalDay checks that whatever zone a person turns out
// to live in, the days planned without knowing it hold the person's days.
func TestTimelineHoldsEveryLocalDay(t *testing.T) {
	s := providers.Stream{Grain: providers.GrainDay}
	for _, name := range []string{"Pacific/Kiritimati", "Etc/GMT+12", "Asia/Kathmandu", "America/New_York", "UTC"} {
		zone, err := time.LoadLocation(name)
		require.NoError(t, err)
		for hour := range 48 {
			now := time.Date(2026, 3, 7, hour, 30, 0, 0, time.UTC)
			lo, hi := timeline(s, now.Add(-day), now, nil)
			first, last := health.DayOf(now.Add(-day).In(zone)), health.DayOf(now.In(zone))
			require.False(t, midnight(first).Before(lo))
			require.False(t, midnight(last.Add(1)).After(hi))
			require.False(t, complete(s, now, nil).After(midnight(last)), "the day of now is still growing")
			require.Equal(t, midnight(last), complete(s, now, zone))
		}
	}
}
