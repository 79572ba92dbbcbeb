package sync

import (
	"context"
	"maps"
	"slices"
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
	// Lane says what the requests are for: backfills leave room for the others,
	// and these for backfills that wait.
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

// shareOf returns how many requests of a limit backfills leave to other work, and
// other work to backfills that wait: neither comes to a stop because of the
// other, however much there is to do.
func shareOf(limit providers.RateLimit) int { return limit.Requests / 5 }

var _ BudgetLearner = (*budget)(nil)

// Take implements [Budget]. Of declared limits requests count from when they are
// booked.
func (b *budget) Take(_ context.Context, c Calls) (done func(int), wait time.Duration, err error) {
	began := now()
	if wait := b.take(began, c); wait > 0 {
		return nil, wait, nil
	}
	return func(made int) { b.done(began, c, made) }, 0, nil
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

// take books requests at now and returns zero, or books nothing and returns how
// long to wait before asking again.
func (b *budget) take(now time.Time, c Calls) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sweep(now)
	a := asked{
		now: now, limits: c.Limits, windows: b.windowsOf(c), backfill: c.Lane == store.LaneBackfill, calls: c.Count,
		left: [...]*leftover{b.leftover(c.Provider, ""), b.leftover(c.Provider, c.Connection)},
	}
	wait := max(0, a.wait(),
		b.blocked[budgetKey{c.Provider, "", -1}].Sub(now),
		b.blocked[budgetKey{c.Provider, c.Connection, -1}].Sub(now))
	for _, w := range a.windows {
		switch {
		case w == nil:
		case wait == 0:
			w.book(now, c.Count, a.backfill)
		case a.backfill:
			w.refused, w.refusedCalls = now, c.Count
		}
	}
	if wait > 0 {
		return wait
	}
	for _, r := range a.left {
		r.begun += c.Count
		r.left -= c.Count
	}
	return 0
}

// windowsOf returns the windows of the limits of some calls; nil for one that is
// none.
func (b *budget) windowsOf(c Calls) []*slidingWindow {
	windows := make([]*slidingWindow, len(c.Limits))
	for i, limit := range c.Limits {
		if limit.Requests <= 0 || limit.Per <= 0 {
			continue
		}
		key := budgetKey{provider: c.Provider, limit: i}
		if limit.Scope == providers.LimitPerUser {
			key.connection = c.Connection
		}
		w := b.windows[key]
		if w == nil {
			w = &slidingWindow{per: limit.Per, last: make([]booking, limit.Requests)}
			b.windows[key] = w
		}
		windows[i] = w
	}
	return windows
}

// done ends a booking of began, of which so many requests were made, and gives
// back the others.
func (b *budget) done(began time.Time, c Calls, made int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, who := range [...]string{"", c.Connection} {
		r := b.leftover(c.Provider, who)
		r.begun -= c.Count
		r.left += max(0, c.Count-made)
	}
	if made >= c.Count {
		return
	}
	for _, w := range b.windowsOf(c) {
		if w != nil {
			w.giveBack(booking{began, c.Lane == store.LaneBackfill}, min(c.Count, len(w.last))-min(made, len(w.last)))
		}
	}
}

// asked is what a budget is asked for.
type asked struct {
	now      time.Time
	limits   []providers.RateLimit
	windows  []*slidingWindow // of the limits; nil for one that is none
	left     [2]*leftover     // of all, and of the connection
	backfill bool
	calls    int
}

// wait returns how long until the requests fit.
func (a *asked) wait() time.Duration {
	if !a.backfill {
		return a.waitWith(false)
	}
	return min(a.waitWith(true), a.waitWith(false))
}

// waitWith returns how long until the requests fit, which leave others their
// share or, if they are of a backfill and leave none, are part of the backfills'
// own. Of what answers told that is left, backfills always leave the share: others
// spend that too, and it is renewed all at once.
func (a *asked) waitWith(leave bool) time.Duration {
	var wait time.Duration
	var reserve [2]int // by scope
	for i, w := range a.windows {
		if w == nil {
			continue
		}
		limit := a.limits[i]
		share := shareOf(limit)
		usable := limit.Requests
		if a.backfill {
			reserve[limit.Scope] = max(reserve[limit.Scope], share)
		}
		switch {
		case leave:
			usable -= share
		case a.backfill:
			if share == 0 {
				return a.waitWith(true) // it has none
			}
			wait = max(wait, w.waitOf(a.now, a.calls, share, true))
		case w.backfillWaits(a.now):
			// One page of it may need more than the share.
			share = max(share, min(w.refusedCalls, usable/2))
			wait = max(wait, w.waitOf(a.now, a.calls, usable-share, false))
		}
		wait = max(wait, w.wait(a.now, a.calls, usable))
	}
	for scope, r := range a.left {
		wait = max(wait, r.wait(a.now, a.calls+reserve[scope]))
	}
	return wait
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

// slidingWindow is a ring of the last bookings, as many as the limit allows.
type slidingWindow struct {
	per  time.Duration
	last []booking
	next int
	// refused is when a backfill was refused last, if none was let through since,
	// and refusedCalls how many requests it asked for.
	refused      time.Time
	refusedCalls int
}

// booking is one request; the zero booking is none.
type booking struct {
	at       time.Time
	backfill bool
}

// back returns the booking that is n back from the newest.
func (w *slidingWindow) back(n int) booking {
	all := len(w.last)
	return w.last[((w.next-1-n)%all+all)%all]
}

// idle reports whether nothing of the last period is in the window, and no
// backfill waits.
func (w *slidingWindow) idle(now time.Time) bool {
	return now.Sub(w.back(0).at) >= w.per && !w.backfillWaits(now)
}

// backfillWaits reports whether a backfill is likely to wait: it is told to wait
// for a period at most, and has then still to come to its turn.
func (w *slidingWindow) backfillWaits(now time.Time) bool { return now.Sub(w.refused) < 2*w.per }

// wait returns how long until calls more requests fit, when usable requests
// are allowed in any period. If calls are more than that, all must be free.
func (w *slidingWindow) wait(now time.Time, calls, usable int) time.Duration {
	// The calls fit when the request that is usable-calls back from the
	// newest has left the period.
	return w.leaves(now, w.back(usable-min(calls, usable)))
}

// waitOf is wait where only the bookings of backfills count, or only the others.
func (w *slidingWindow) waitOf(now time.Time, calls, usable int, backfill bool) time.Duration {
	spare := usable - min(calls, usable)
	for n := range w.last {
		r := w.back(n)
		if r.backfill != backfill || r.at.IsZero() {
			continue
		}
		if spare == 0 {
			return w.leaves(now, r)
		}
		spare--
	}
	return 0
}

// leaves returns how long until a booking has left the period.
func (w *slidingWindow) leaves(now time.Time, r booking) time.Duration {
	if r.at.IsZero() {
		return 0
	}
	return max(0, r.at.Add(w.per).Sub(now))
}

func (w *slidingWindow) book(now time.Time, calls int, backfill bool) {
	for range min(calls, len(w.last)) {
		w.last[w.next] = booking{now, backfill}
		w.next = (w.next + 1) % len(w.last)
	}
	if backfill {
		w.refused = time.Time{}
	}
}

// giveBack takes out the n newest bookings that are like b.
func (w *slidingWindow) giveBack(b booking, n int) {
	kept := make([]booking, 0, len(w.last))
	for i := range w.last {
		if next := w.back(i); n > 0 && next == b {
			n--
		} else {
			kept = append(kept, next)
		}
	}
	slices.Reverse(kept)
	clear(w.last)
	w.next = copy(w.last, kept) % len(w.last)
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
