package store

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vitalmux/vitalmux/health"
)

// TestMergeWindows compares the union with sets of days and of hours.
func TestMergeWindows(t *testing.T) {
	first := health.Day{Year: 2024, Month: 2, Dom: 20}
	start := time.Date(2024, 2, 20, 0, 0, 0, 0, time.UTC)
	draw := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) health.Window {
		from, length := rapid.IntRange(0, 30).Draw(t, "from"), rapid.IntRange(0, 6).Draw(t, "length")
		if rapid.Bool().Draw(t, "days") {
			return health.Window{First: first.Add(from), Last: first.Add(from + length)}
		}
		return health.Window{From: start.Add(time.Duration(from) * time.Hour), To: start.Add(time.Duration(from+length) * time.Hour)}
	}), 0, 12)
	set := func(lists ...[]health.Window) (days, hours map[int]bool) {
		days, hours = map[int]bool{}, map[int]bool{}
		for _, w := range slices.Concat(lists...) {
			for d := w.First; w.Days() && d.Compare(w.Last) <= 0; d = d.Add(1) {
				days[d.Number()] = true
			}
			for h := w.From; h.Before(w.To); h = h.Add(time.Hour) {
				hours[int(h.Sub(start)/time.Hour)] = true
			}
		}
		return days, hours
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := draw.Draw(t, "a"), draw.Draw(t, "b")
		merged := MergeWindows(a, b)
		wantDays, wantHours := set(a, b)
		gotDays, gotHours := set(merged)
		require.Equal(t, wantDays, gotDays)
		require.Equal(t, wantHours, gotHours)
		for i := 1; i < len(merged); i++ {
			x, y := merged[i-1], merged[i]
			switch {
			case x.Days() && y.Days():
				require.Greater(t, y.First.Number(), x.Last.Number()+1)
			case !x.Days():
				require.False(t, y.Days())
				require.True(t, y.From.After(x.To))
			}
		}
		require.Equal(t, merged, MergeWindows(merged, nil))
		require.Equal(t, merged, MergeWindows(b, a))
	})
}
