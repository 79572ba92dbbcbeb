package sync

import (
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
)

const day = 24 * time.Hour

// A stream is planned on its own timeline: instants for GrainInstant, and for
// GrainDay civil days, each written as its midnight in UTC. Planning days as
// instants of some zone would need the zone to be right; civil days do not.

// timeline moves the period [from, to) of instants onto the stream's timeline.
// For a stream of days it holds every civil day that any part of the period
// may fall on: without a zone that is one day more at both ends, because
// offsets reach from -12 to +14 hours.
func timeline(s providers.Stream, from, to time.Time, zone *time.Location) (time.Time, time.Time) {
	if s.Grain != providers.GrainDay {
		// Whole seconds, because most services take no less: what lies within
		// the second of a bound must not depend on how they round.
		return from.UTC().Truncate(time.Second), to.Add(time.Second - 1).UTC().Truncate(time.Second)
	}
	slack := 0
	if zone == nil {
		zone, slack = time.UTC, 1
	}
	first := health.DayOf(from.In(zone)).Add(-slack)
	last := health.DayOf(to.Add(-time.Nanosecond).In(zone)).Add(slack)
	return midnight(first), midnight(last.Add(1))
}

// complete returns up to where on the stream's timeline everything may be read
// at the instant now: for a stream of days, the day of now is still growing.
func complete(s providers.Stream, now time.Time, zone *time.Location) time.Time {
	if s.Grain != providers.GrainDay {
		return now.UTC()
	}
	slack := 0
	if zone == nil {
		zone, slack = time.UTC, 1
	}
	return midnight(health.DayOf(now.In(zone)).Add(-slack))
}

// forward returns the window that begins at from and reaches towards to as far
// as one query may, and where it ends.
func forward(s providers.Stream, from, to time.Time) (health.Window, time.Time) {
	if reach := s.MaxWindow; reach > 0 && to.Sub(from) > reach {
		to = from.Add(reach)
	}
	return windowOf(s, from, to), to
}

// backward returns the window that ends at to and reaches back towards from as
// far as one query may, and where it begins.
func backward(s providers.Stream, from, to time.Time) (health.Window, time.Time) {
	if reach := s.MaxWindow; reach > 0 && to.Sub(from) > reach {
		from = to.Add(-reach)
	}
	return windowOf(s, from, to), from
}

// narrowed returns the stream with windows that are no longer than reach; 0 is no
// bound.
func narrowed(s providers.Stream, reach time.Duration) providers.Stream {
	if reach > 0 && (s.MaxWindow <= 0 || reach < s.MaxWindow) {
		s.MaxWindow = reach
	}
	return s
}

func windowOf(s providers.Stream, from, to time.Time) health.Window {
	switch s.Grain {
	case providers.GrainNone:
		return health.Window{}
	case providers.GrainDay:
		return health.Window{First: health.DayOf(from), Last: health.DayOf(to.Add(-time.Nanosecond))}
	default:
		return health.Window{From: from, To: to}
	}
}

// windows counts the walks that reading [from, to) takes.
func windows(s providers.Stream, from, to time.Time) int {
	if !to.After(from) {
		return 0
	}
	if s.MaxWindow <= 0 {
		return 1
	}
	return int((to.Sub(from) + s.MaxWindow - 1) / s.MaxWindow)
}

func midnight(d health.Day) time.Time {
	return time.Unix(int64(d.Number())*86400, 0).UTC()
}

func zoneName(zone *time.Location) string {
	if zone == nil {
		return ""
	}
	return zone.String()
}
