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
// then keep the limits together. One that is a [BudgetLearner] as well is told
// what answers tell. All methods may be called concurrently.
type Budget interface {
	// Take books calls, for requests that begin now, and returns a wait of 0;
	// or it books nothing and returns how long to wait before asking again.
	// Done is called once when the answers have come or the requests failed,
	// with how many were made: fewer than were booked, or none, where that is
	// known. Nobody knows when in between the service counts a request: an
	// implementation that lets its period begin with done exceeds no limit. That
	// of one process lets it begin with Take, so that the service may see as many
	// more in a period as were under way when it began. Done is nil with a wait.
	// After an error no request is made.
	Take(ctx context.Context, c Calls) (done func(made int), wait time.Duration, err error)
	// Block keeps everything off a provider, or with a connection off that one
	// at the provider, until the time. It answers a service that said when to
	// come back.
	Block(ctx context.Context, provider, connection string, until time.Time) error
}

// BudgetLearner is a [Budget] that also keeps to what answers tell of a limit.
type BudgetLearner interface {
	Budget
	// Learn is told of an answer, after the done of its request, and when it
	// came: of the requests that are under way and those that are yet to begin,
	// the provider answers no more than left.Requests until left.ResetAt, for
	// the connection or by left.Scope for all. Answers may be told of in any
	// order. Those about one renewal tell a ResetAt within some seconds, and the
	// fewest requests of them count; those about an earlier one do not.
	// Backfills leave as much to others as of the limit.
	Learn(ctx context.Context, provider, connection string, left providers.RateLeft) error
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
	// told holds what answers told of how much is left.
	told map[budgetKey]*leftover
	// swept is when what no longer counts was last forgotten.
	swept time.Time
}

type budgetKey struct {
	provider   string
	connection string // empty for limits of the application
	limit      int    // index in Capabilities.Limits; -1 for a whole block
}

func newBudget() *budget {
	return &budget{
		windows: make(map[budgetKey]*slidingWindow), blocked: make(map[budgetKey]time.Time), told: make(map[budgetKey]*leftover),
	}
}

// reserveForLive is the share of each limit that backfills leave to live work:
// one part in reserveForLive.
const reserveForLive = 5

var _ BudgetLearner = (*budget)(nil)

// Take implements [Budget]. Of declared limits requests count from when they are
// booked, and all of them.
func (b *budget) Take(_ context.Context, c Calls) (done func(int), wait time.Duration, err error) {
	if wait := b.take(now(), c.Provider, c.Connection, c.Limits, c.Lane, c.Count); wait > 0 {
		return nil, wait, nil
	}
	return func(made int) { b.done(c.Provider, c.Connection, c.Count, made) }, 0, nil
}

// Learn implements [BudgetLearner].
func (b *budget) Learn(_ context.Context, provider, connection string, left providers.RateLeft) error {
	b.learn(now(), provider, connection, left)
	return nil
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
	shares := [...]*leftover{b.leftover(provider, ""), b.leftover(provider, connection)}
	for i, r := range shares {
		wait = max(wait, r.wait(now, calls+reserve(limits, providers.LimitScope(i), lane)))
	}
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
	for _, r := range shares {
		r.begun += calls
		r.left -= calls
	}
	return 0
}

// done ends the booking of calls requests, of which so many were made.
func (b *budget) done(provider, connection string, calls, made int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, who := range [...]string{"", connection} {
		r := b.leftover(provider, who)
		r.begun -= calls
		r.left += max(0, calls-made)
	}
}

func (b *budget) learn(now time.Time, provider, connection string, left providers.RateLeft) {
	if left.Scope == providers.LimitPerApp {
		connection = ""
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.leftover(provider, connection).learn(now, left)
}

// leftover returns what was told about a connection of a provider, or without
// one about all of them. The scopes of limits are in this order.
func (b *budget) leftover(provider, connection string) *leftover {
	key := budgetKey{provider, connection, -1}
	r := b.told[key]
	if r == nil {
		r = new(leftover)
		b.told[key] = r
	}
	return r
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
	maps.DeleteFunc(b.told, func(_ budgetKey, r *leftover) bool { return r.begun == 0 && !r.until.After(now) })
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

// leftover is what answers told of how many requests are left.
type leftover struct {
	// begun is how many requests are booked and not done.
	begun int
	// left is how many may still be booked until the time. It is less than none
	// while more are under way than were left.
	left  int
	until time.Time
}

// sameRenewal is how far apart two answers may put the same renewal of a limit:
// services tell it in seconds from then on, and answers take their time.
const sameRenewal = 10 * time.Second

// learn takes in what an answer told. It may have counted those under way, or
// not.
func (r *leftover) learn(now time.Time, told providers.RateLeft) {
	if !told.ResetAt.After(now) {
		return
	}
	left := told.Requests - r.begun
	if r.until.After(now) {
		switch later := told.ResetAt.Sub(r.until); {
		case later < -sameRenewal:
			return // it was about the renewal before
		case later <= sameRenewal:
			left = min(left, r.left)
			told.ResetAt = r.until.Add(max(0, later))
		}
	}
	r.left, r.until = left, told.ResetAt
}

// wait returns how long until so many requests may be booked.
func (r *leftover) wait(now time.Time, calls int) time.Duration {
	if r.left >= calls {
		return 0
	}
	return max(0, r.until.Sub(now))
}

// reserve returns how much of the limits of a scope the lane leaves to others.
func reserve(limits []providers.RateLimit, scope providers.LimitScope, lane store.Lane) (requests int) {
	if lane != store.LaneBackfill {
		return 0
	}
	for _, limit := range limits {
		if limit.Scope == scope {
			requests = max(requests, limit.Requests/reserveForLive)
		}
	}
	return requests
}
