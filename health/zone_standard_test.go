package health

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/proof"
)

// TestReadingsAtChangesOfClocks looks at every change of the clocks since 1990,
// in every zone: a reading in the hour that was left out is flagged, and so is
// one in the hour that came twice, those before and after are not, and the day
// lasts as much longer or shorter.
func TestReadingsAtChangesOfClocks(t *testing.T) {
	counts := proof.Counts{"zones": 0, "left out": 0, "twice": 0}
	proof.Row(t, "S6", counts)
	walked := map[string]bool{}
	for _, name := range strings.Fields(ianaZones) {
		loc := zone(t, name)
		if rules := transitions(loc); walked[rules] {
			continue
		} else {
			walked[rules] = true
		}
		counts["zones"]++
		at := time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC).In(loc)
		for at.Year() < 2038 {
			_, change := at.ZoneBounds()
			if change.IsZero() {
				break
			}
			_, before := change.Add(-time.Second).Zone()
			_, after := change.Zone()
			at = change
			shift := time.Duration(after-before) * time.Second
			_, next := change.ZoneBounds()
			if shift == 0 || !next.IsZero() && next.Sub(change) < 48*time.Hour {
				continue
			}
			if start, _ := change.Add(-time.Second).ZoneBounds(); change.Sub(start) < 48*time.Hour {
				continue
			}
			first := change.UnixMilli() + 1000*int64(min(before, after)) // the first reading that is odd
			odd := []int64{first, first + shift.Abs().Milliseconds()/2, first + shift.Abs().Milliseconds() - 1}
			want := FlagNonexistent
			if shift < 0 {
				want = FlagAmbiguous
				counts["twice"]++
			} else {
				counts["left out"]++
			}
			for _, reading := range odd {
				m, flags := Resolve(Floating(reading), loc)
				require.Equal(t, want, flags, "%s %v", name, change)
				_, ok := m.UnixMilli()
				require.True(t, ok)
			}
			for _, reading := range []int64{first - 1, first + shift.Abs().Milliseconds()} {
				_, flags := Resolve(Floating(reading), loc)
				require.Zero(t, flags, "%s %v", name, change)
			}
		}
	}
	require.Greater(t, counts["left out"], 1000)
	require.Greater(t, counts["twice"], 1000)
}
