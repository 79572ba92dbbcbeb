package sync

import (
	"context"
	"maps"
	gosync "sync"
	"time"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

// Budget keeps the requests of an engine within the limits that its providers
// declare. That of [Config.Budget] may be shared by several processes, which
// then keep the limits together. All methods may be called concurrently.
type Budget interface {
	// Take books calls, for requests that begin now, and returns a wait of 0;
	// or it books nothing and returns how long to wait before asking again.
	// Done is called once when the answers have come or the requests failed,
	// with how many were made: fewer than were booked, or none, where that is
	// known. A request counts for the limit's period from then on, and not only
	// from Take, because nobody knows when in between the service counts it.
	// Done is nil with a wait. After an error no request is made.
	Take(ctx context.Context, c Calls) (done func(made int), wait time.Duration, err error)
	// Block keeps everything off a provider, or with a connection off that one
	// at the provider, until the time. It answers a service that said when to
	// come back.
	Block(ctx context.Context, provider, connection string, until time.Time) error
}

// Calls are requests that a [Budget] is asked for.
type Calls struct {
	Provider, Connection string
	// Limits are those of the provider's Capabilities.
	Limits []providers.RateLimit
	// Lane says what the requests are for: backfills leave room for the others.
	Lane store.Lane
	// Count is how many requests, at least 1. It may be more than a limit
	// allows: then the limit must be wholly free.
	Count int
}

// budget keeps the requests of one process within the limits that providers
// declare. It counts a sliding window, so that no period of the limit's
// length, wherever it begins, sees more requests than allowed: services count
// in windows whose beginning we do not know.
type budget struct {
	mu      gosync.Mutex
	windows map[budgetKey]*slidingWindow
	// blocked holds what a service said about when to come back.
	blocked map[budgetKey]time.Time
	// swept is when what no longer counts was last forgotten.
	swept time.Time
}

type budgetKey struct {
	provider   string
	connection string // empty for limits of the application
	limit      int    // index in Capabilities.Limits; -1 for a whole block
}

func newBudget() *budget {
	return &budget{windows: make(map[budgetKey]*slidingWindow), blocked: make(map[budgetKey]time.Time)}
}

// reserveForLive is the share of each limit that backfills leave to live work:
// one part in reserveForLive.
const reserveForLive = 5

// Take implements [Budget]. Requests count from when they are booked, and all
// of them.
func (b *budget) Take(_ context.Context, c Calls) (done func(int), wait time.Duration, err error) {
	if wait := b.take(now(), c.Provider, c.Connection, c.Limits, c.Lane, c.Count); wait > 0 {
		return nil, wait, nil
	}
	return func(int) {}, 0, nil
}

// Block implements [Budget].
func (b *budget) Block(_ context.Context, provider, connection string, until time.Time) error {
	b.block(provider, connection, until)
	return nil
}

// take books calls requests at now and returns zero, or books nothing and
// returns how long to wait before asking again.
func (b *budget) take(now time.Time, provider, connection string, limits []providers.RateLimit, lane store.Lane, calls int) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sweep(now)
	wait := max(0,
		b.blocked[budgetKey{provider, "", -1}].Sub(now),
		b.blocked[budgetKey{provider, connection, -1}].Sub(now))
	touched := make([]*slidingWindow, 0, len(limits))
	for i, limit := range limits {
		if limit.Requests <= 0 || limit.Per <= 0 {
			continue
		}
		key := budgetKey{provider: provider, limit: i}
		if limit.Scope == providers.LimitPerUser {
			key.connection = connection
		}
		w := b.windows[key]
		if w == nil {
			w = &slidingWindow{per: limit.Per, at: make([]time.Time, limit.Requests)}
			b.windows[key] = w
		}
		usable := limit.Requests
		if lane == store.LaneBackfill {
			usable -= limit.Requests / reserveForLive
		}
		wait = max(wait, w.wait(now, min(calls, usable), usable))
		touched = append(touched, w)
	}
	if wait > 0 {
		return wait
	}
	for _, w := range touched {
		w.book(now, calls)
	}
	return 0
}

// sweepEvery bounds how long the budget remembers what no longer counts.
const sweepEvery = time.Minute

// sweep forgets the windows without a request that still counts, and the
// blocks that are over: connections come and go.
func (b *budget) sweep(now time.Time) {
	if now.Sub(b.swept) < sweepEvery {
		return
	}
	b.swept = now
	maps.DeleteFunc(b.windows, func(_ budgetKey, w *slidingWindow) bool { return w.idle(now) })
	maps.DeleteFunc(b.blocked, func(_ budgetKey, until time.Time) bool { return !until.After(now) })
}

// block keeps everything off a provider, or off one connection of it, until
// the time. It answers a service that said when to come back.
func (b *budget) block(provider, connection string, until time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := budgetKey{provider, connection, -1}
	if until.After(b.blocked[key]) {
		b.blocked[key] = until
	}
}

// slidingWindow is a ring of the times of the last requests.
type slidingWindow struct {
	per  time.Duration
	at   []time.Time
	next int
}

// idle reports whether no request of the last period is in the window.
func (w *slidingWindow) idle(now time.Time) bool {
	newest := w.at[(w.next-1+len(w.at))%len(w.at)]
	return now.Sub(newest) >= w.per
}

// wait returns how long until calls more requests fit, when usable requests
// are allowed in any period.
func (w *slidingWindow) wait(now time.Time, calls, usable int) time.Duration {
	// The calls fit when the request that is usable-calls back from the
	// newest has left the period.
	n := len(w.at)
	oldest := w.at[((w.next-1-(usable-calls))%n+n)%n]
	if oldest.IsZero() {
		return 0
	}
	return max(0, oldest.Add(w.per).Sub(now))
}

func (w *slidingWindow) book(now time.Time, calls int) {
	for range min(calls, len(w.at)) {
		w.at[w.next] = now
		w.next = (w.next + 1) % len(w.at)
	}
}
