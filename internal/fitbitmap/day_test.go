package fitbitmap_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/fitbitmap"
)

func TestDaySpan(t *testing.T) {
	zone := func(name string) *time.Location {
		loc, err := time.LoadLocation(name)
		require.NoError(t, err)
		return loc
	}
	for _, c := range []struct {
		name string
		day  health.Day
		zone *time.Location
		want [2]string // in UTC
		long time.Duration
	}{
		{"a day", health.Day{Year: 2026, Month: 10, Dom: 20}, zone("Europe/Berlin"), [2]string{"2026-10-19T22:00:00Z", "2026-10-20T22:00:00Z"}, 24 * time.Hour},
		{"clocks go forward", health.Day{Year: 2026, Month: 3, Dom: 29}, zone("Europe/Berlin"), [2]string{"2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"}, 23 * time.Hour},
		{"clocks go back", health.Day{Year: 2026, Month: 10, Dom: 25}, zone("Europe/Berlin"), [2]string{"2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"}, 25 * time.Hour},
	} {
		s := fitbitmap.DaySpan(c.day, c.zone)
		start, ok1 := s.Start.Time()
		end, ok2 := s.End.Time()
		require.True(t, ok1 && ok2, c.name)
		require.Equal(t, c.want, [2]string{start.UTC().Format(time.RFC3339), end.UTC().Format(time.RFC3339)}, c.name)
		require.Equal(t, c.long, end.Sub(start), c.name)
		require.Equal(t, [...]any{c.day, health.ZoneFromProfile, c.zone.String(), health.Flags(0)}, [...]any{s.Day, s.Zone, s.Location, s.Flags}, c.name)
	}
	unknown := fitbitmap.DaySpan(health.Day{Year: 1970, Month: 1, Dom: 2}, nil)
	require.Equal(t, health.Span{
		Day: health.Day{Year: 1970, Month: 1, Dom: 2}, Start: health.Floating(86_400_000), End: health.Floating(2 * 86_400_000), Zone: health.ZoneFloating,
	}, unknown)
	skipped := fitbitmap.DaySpan(health.Day{Year: 2011, Month: 12, Dom: 30}, zone("Pacific/Apia")) // the date line moved
	require.True(t, skipped.Flags.Has(health.FlagNonexistent))
}
