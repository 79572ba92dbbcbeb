package store

import (
	"context"
	"time"

	"github.com/vitalmux/vitalmux/health"
)

// Feed is the change feed: what a host service consumes.
//
// There is one feed per user, in order, written in the commit that it
// describes. Across users there is no order. No committed change is skipped;
// repeats are possible.
type Feed interface {
	// Changes returns changes that the consumer has not acknowledged, at most
	// limit (0 is 1000), in order per user. A consumer is known by its name
	// and begins with the oldest change. ErrFeedTrimmed means that changes
	// of some user were dropped before the consumer acknowledged them; the
	// consumer reads its state anew and calls ResetConsumer.
	Changes(ctx context.Context, consumer string, limit int) ([]Change, error)
	// Ack acknowledges, for each position, its change and all earlier ones of
	// the same user. A position of an erased user is ignored, one that no
	// store gave out is ErrInvalid.
	Ack(ctx context.Context, consumer string, positions ...Position) error
	// ResetConsumer moves the consumer to the present end of all feeds.
	ResetConsumer(ctx context.Context, consumer string) error
	// TrimChanges drops changes from before the time and returns how many.
	TrimChanges(ctx context.Context, before time.Time) (int, error)
}

// Position is an opaque place in a user's feed.
type Position string

// Change says that a record changed, or with CauseRelinked that the connection
// got a predecessor: Kind is then empty, and Key is the predecessor's id. What
// resolved reads return may then be other than before.
type Change struct {
	Position   Position
	User       string
	Connection string
	Kind       health.Kind
	Key        string
	// Day is the civil day of the record, of a tombstone without one the day
	// of what it removed.
	Day   health.Day
	Cause Cause
	State health.State
	// At is the Now of the commit.
	At time.Time
}
