package sync

import (
	"context"
	"errors"
	"maps"
	mathrand "math/rand/v2"
	"time"

	"github.com/vitalmux/vitalmux/internal/failpoint"
	"github.com/vitalmux/vitalmux/store"
)

// takeOver deals with the attempt that somebody else began and did not end: it
// is left alone for as long as its owner may hold an answer, and then counts as
// one whose outcome is not known.
func (w *refresher) takeOver(ctx context.Context, c store.Credential) (store.Credential, error) {
	begun := func() bool { return c.Attempt != nil && c.Attempt.RefreshPrint == c.RefreshPrint }
	if begun() {
		// Its owner may have left the answer in the spill directory.
		err := w.importSpills(ctx)
		if err == nil {
			c, err = w.cfg.Store.Credential(ctx, w.conn.ID)
		}
		if err != nil || supersedes(c, w.grant, w.generation) {
			return c, err
		}
	}
	if !begun() {
		failpoint.Hit("after_quarantine")
		return c, nil
	}
	// Both by their clock and by ours, whichever ends first: a clock may be
	// wrong by any amount.
	if end := w.quarantined(w.conn.ID, c.Attempt); now().Before(end) {
		return c, w.later("an earlier attempt may still be under way", end)
	}
	failpoint.Hit("after_quarantine")
	next, err := w.update(ctx, c, func(c *store.Credential) {
		c.Attempt = nil
		c.Doubts++
	})
	if err != nil {
		return next, err
	}
	w.alarm(ctx, AlarmAmbiguous, next.Doubts, errors.New("takeover"))
	return next, nil
}

// seenAttempt is when this process first saw an attempt of somebody else's.
type seenAttempt struct {
	id string
	at time.Time
}

// quarantined returns the end of an attempt's quarantine. The deadline is by the
// clock of whoever made the attempt. If that clock was behind by more than the
// quarantine, what keeps others away is the lease, by the store's clock, which
// outlasts the attempt by far: see Config.LeaseTTL.
func (e *Engine) quarantined(connection string, a *store.Attempt) time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	at, lasts := now(), e.cfg.RefreshTimeout+quarantine
	// Those of long ago are over, whoever ended them.
	maps.DeleteFunc(e.attempts, func(_ string, seen seenAttempt) bool { return at.Sub(seen.at) > lasts+day })
	seen := e.attempts[connection]
	if seen.id != a.ID {
		seen = seenAttempt{a.ID, at}
		e.attempts[connection] = seen
	}
	return minTime(a.Deadline.Add(quarantine), seen.at.Add(lasts))
}

// awaitOthers waits while somebody else may hold an answer to the token that
// was refused, and returns what is stored then.
func (w *refresher) awaitOthers(ctx context.Context, c store.Credential) (store.Credential, error) {
	began := time.Now()
	for {
		stored, err := w.cfg.Store.Credential(ctx, w.conn.ID)
		if err != nil || supersedes(stored, c.Grant, c.Generation) {
			return stored, err
		}
		a := stored.Attempt
		over := a == nil || a.ID == w.attempt.ID || a.RefreshPrint != c.RefreshPrint || !now().Before(a.Deadline.Add(quarantine))
		if over || time.Since(began) > w.cfg.RefreshTimeout+quarantine {
			return stored, nil
		}
		select {
		case <-w.wanted.Done():
			return stored, w.later("another attempt may still be under way", a.Deadline.Add(quarantine))
		case <-time.After(200*time.Millisecond + mathrand.N(200*time.Millisecond)):
		}
	}
}
