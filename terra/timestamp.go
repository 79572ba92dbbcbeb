package terra

import (
	"github.com/vitalmux/vitalmux/health"
)

// Timestamp is a time or a day in the text that Terra sent, offset included;
// empty if it sent none. It is kept as text because the offset is a fact: a
// record belongs to the day that its text begins with, and converting first
// would move it to another.
//
// The text is ISO 8601, mostly 2026-07-01T09:00:00.000000+02:00. The offset may
// be missing, which is the person's local time.
type Timestamp string

// Moment reads the time. Without an offset it is floating: see
// [health.ParseMoment], which has the forms that are read. [health.ErrTime] is
// returned for all other text, the empty one too.
func (t Timestamp) Moment() (health.Moment, health.Flags, error) {
	return health.ParseMoment(string(t))
}

// Day returns the civil day that the text begins with, before any conversion;
// [health.ErrDay] if it does not begin with one.
func (t Timestamp) Day() (health.Day, error) {
	if len(t) < len("2006-01-02") {
		return health.Day{}, health.ErrDay
	}
	return health.ParseDay(string(t[:len("2006-01-02")]))
}
