package httpx

import (
	"context"
	"sync"
	"time"

	"github.com/vitalmux/vitalmux/providers"
)

const (
	maxHold = time.Hour
	// sweepFrom is how many users are kept before idle ones are looked for.
	sweepFrom = 1024
)

// limiter keeps the request budgets. It remembers the times of the requests of
// each window, so that no window of the given length ever holds more than
// allowed, wherever the service lets its own windows begin. A token bucket of
// the same size and rate would let twice as many through in its first window.
type limiter struct {
	mu      sync.Mutex
	perUser []providers.RateLimit
	app     *bucket
	users   map[string]*bucket
	sweepAt int
}

func newLimiter(limits []providers.RateLimit) *limiter {
	l := &limiter{users: map[string]*bucket{}, sweepAt: sweepFrom}
	var perApp []providers.RateLimit
	for _, limit := range limits {
		if limit.Scope == providers.LimitPerUser {
			l.perUser = append(l.perUser, limit)
		} else {
			perApp = append(perApp, limit)
		}
	}
	l.app = newBucket(perApp)
	return l
}

// wait returns when a request may be sent, and counts it. A wait that would
// take longer than maxWait, or past the deadline of ctx, is refused at once.
func (l *limiter) wait(ctx context.Context, user string, maxWait time.Duration) error {
	start := time.Now()
	for {
		now := time.Now()
		at, ok := l.take(user, now)
		if ok {
			return nil
		}
		end, bounded := ctx.Deadline()
		if at.Sub(start) > maxWait || (bounded && !at.Before(end)) {
			return &providers.Error{Kind: providers.ErrRateLimited, Code: CodeLocalLimit, RetryAt: at}
		}
		if err := sleep(ctx, at.Sub(now)); err != nil {
			return err
		}
	}
}

// take counts a request at now if all budgets allow it, else it returns when
// they may.
func (l *limiter) take(user string, now time.Time) (time.Time, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	buckets := []*bucket{l.app, l.bucketOf(user, now)}
	at := now
	for _, b := range buckets {
		if t := b.next(now); t.After(at) {
			at = t
		}
	}
	if at.After(now) {
		return at, false
	}
	for _, b := range buckets {
		b.count(now)
	}
	return now, true
}

func (l *limiter) hold(user string, scope providers.LimitScope, until, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.app
	if scope == providers.LimitPerUser {
		b = l.bucketOf(user, now)
	}
	if latest := now.Add(maxHold); until.After(latest) {
		until = latest
	}
	if b != nil && until.After(b.held) {
		b.held = until
	}
}

// bucketOf returns the bucket of a user, nil for no user.
func (l *limiter) bucketOf(user string, now time.Time) *bucket {
	if user == "" {
		return nil
	}
	b := l.users[user]
	if b == nil {
		if len(l.users) >= l.sweepAt {
			for u, old := range l.users {
				if old.idle(now) {
					delete(l.users, u)
				}
			}
			l.sweepAt = max(sweepFrom, 2*len(l.users))
		}
		b = newBucket(l.perUser)
		l.users[user] = b
	}
	return b
}

// bucket is the budgets of the app or of one user. A nil bucket has none.
type bucket struct {
	windows []window
	held    time.Time
}

func newBucket(limits []providers.RateLimit) *bucket {
	b := &bucket{windows: make([]window, len(limits))}
	for i, l := range limits {
		// A little longer than told: requests do not take equally long to arrive.
		slack := min(max(l.Per/100, 50*time.Millisecond), time.Second)
		b.windows[i] = window{size: l.Requests, per: l.Per + slack}
	}
	return b
}

func (b *bucket) next(now time.Time) time.Time {
	if b == nil {
		return now
	}
	at := now
	if b.held.After(at) {
		at = b.held
	}
	for i := range b.windows {
		if t := b.windows[i].next(now); t.After(at) {
			at = t
		}
	}
	return at
}

func (b *bucket) count(now time.Time) {
	if b == nil {
		return
	}
	for i := range b.windows {
		b.windows[i].sent = append(b.windows[i].sent, now)
	}
}

func (b *bucket) idle(now time.Time) bool {
	for i := range b.windows {
		if w := &b.windows[i]; w.next(now).After(now) || len(w.sent) > 0 {
			return false
		}
	}
	return !b.held.After(now)
}

// window is one budget: at most size requests in any period of length per.
type window struct {
	size int
	per  time.Duration
	sent []time.Time // within per, oldest first
}

// next returns when the next request may be sent, forgetting old ones.
func (w *window) next(now time.Time) time.Time {
	for len(w.sent) > 0 && !w.sent[0].Add(w.per).After(now) {
		w.sent = w.sent[1:]
	}
	if len(w.sent) < w.size {
		return now
	}
	return w.sent[0].Add(w.per)
}
