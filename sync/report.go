package sync

import (
	"errors"
	"time"

	"github.com/vitalmux/vitalmux/store"
)

// Report tells what a foreground call did.
type Report struct {
	Connection string
	Streams    []StreamReport
	// Waiting is when work that could not be done now should be tried again;
	// zero if all was done.
	Waiting time.Time
}

// StreamReport tells what was done on one stream.
type StreamReport struct {
	Stream string
	Lane   store.Lane
	// Pages counts the committed pages, Windows the completed walks.
	Pages, Windows int
	// Result adds up the results of the commits.
	Result store.Result
	// Quarantined counts data that was set aside.
	Quarantined int
	// Skipped is set when the grant lacks a scope the stream needs.
	Skipped bool
	// Pending is set when the service sends the data by deliveries, and not all
	// of it has come.
	Pending bool
	Err     error
}

// Total adds up the results of all streams.
func (r Report) Total() store.Result {
	var total store.Result
	for _, s := range r.Streams {
		add(&total, s.Result)
	}
	return total
}

// Err joins the errors of the streams.
func (r Report) Err() error {
	var errs []error
	for _, s := range r.Streams {
		errs = append(errs, s.Err)
	}
	return errors.Join(errs...)
}

func add(total *store.Result, r store.Result) {
	total.Inserted += r.Inserted
	total.Revised += r.Revised
	total.Deleted += r.Deleted
	total.Unchanged += r.Unchanged
	total.Stale += r.Stale
	total.SkippedPages += r.SkippedPages
	total.Conflicts = append(total.Conflicts, r.Conflicts...)
}

// Progress tells how far a backfill of one stream is.
type Progress struct {
	Stream string
	// Done and Total count windows. Both grow where the windows become shorter
	// because a walk took too long: see [providers.Stream.WalkTTL].
	Done, Total int
	// Remaining estimates the time that is left; zero while unknown.
	Remaining time.Duration
}
