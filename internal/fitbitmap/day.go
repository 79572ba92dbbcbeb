package fitbitmap

import (
	"time"

	"github.com/vitalmux/vitalmux/health"
)

// DaySpan returns the period of a civil day in the person's zone; nil is unknown,
// and gives the day by a wall clock of which nobody knows where it hangs.
func DaySpan(d health.Day, zone *time.Location) health.Span {
	s := health.Span{Day: d}
	if zone == nil {
		const dayMilli = 24 * 60 * 60 * 1000
		midnight := int64(d.Number()) * dayMilli
		s.Start, s.End, s.Zone = health.Floating(midnight), health.Floating(midnight+dayMilli), health.ZoneFloating
		return s
	}
	start, end, exists := d.Bounds(zone)
	if !exists {
		s.Flags |= health.FlagNonexistent
	}
	s.Start, s.End, s.Zone, s.Location = health.At(start), health.At(end), health.ZoneFromProfile, zone.String()
	return s
}
