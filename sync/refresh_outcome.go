package sync

import (
	"context"
	"errors"
	"time"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

// outcome is what is known after a refresh token was to be presented.
type outcome uint8

// The outcomes.
const (
	outcomeNone     outcome = iota // it was not tried
	outcomeGranted                 // there is a new pair
	outcomeUnsent                  // nothing reached the service
	outcomeLater                   // the service asked to come back later
	outcomeDoubt                   // the service may have used the token up
	outcomeRefused                 // the service refused the token
	outcomeClient                  // the service refused the application
	outcomeIdentity                // the answer is about another person
	outcomeRetired                 // the service has ended
	outcomeOpaque                  // refused for a reason that nobody told
)

func classify(fresh providers.Credential, err error) outcome {
	e, told := errors.AsType[*providers.Error](err)
	switch {
	case err == nil && fresh.Access.IsZero():
		return outcomeDoubt
	case err == nil:
		return outcomeGranted
	case !told:
		return outcomeDoubt
	case errors.Is(err, providers.ErrRetired):
		return outcomeRetired
	case e.ClientFault:
		return outcomeClient
	case e.Code == providers.CodeIdentity:
		return outcomeIdentity
	case e.Ambiguous:
		return outcomeDoubt
	case errors.Is(err, providers.ErrReauth):
		return outcomeRefused
	case errors.Is(err, providers.ErrRateLimited), errors.Is(err, providers.ErrUnavailable) && e.Status != 0:
		return outcomeLater
	case errors.Is(err, providers.ErrUnavailable):
		return outcomeUnsent
	default:
		return outcomeOpaque
	}
}

// conclude records an outcome: a new pair before anybody uses it.
func (w *refresher) conclude(ctx context.Context, c store.Credential, old, fresh providers.Credential, did outcome, failure error) (store.Credential, error) {
	if did == outcomeGranted {
		return w.persist(ctx, c, filledIn(old, fresh))
	}
	at := now()
	e, _ := errors.AsType[*providers.Error](failure)
	var pairs []store.Sibling
	if did == outcomeDoubt && e != nil && len(e.Pairs) > 0 {
		pairs = w.sealPairs(ctx, c, old, e.Pairs)
		told := *e // what is told to others holds no tokens
		told.Pairs = nil
		failure = &told
	}
	next, err := w.update(ctx, c, func(c *store.Credential) {
		if c.Attempt != nil && c.Attempt.ID == w.attempt.ID {
			c.Attempt = nil
		}
		for _, pair := range pairs {
			c.Siblings = addSibling(c.Siblings, pair)
		}
		w.account(c, did, at, failure)
	})
	if errors.Is(err, errMoved) {
		if supersedes(next, c.Grant, c.Generation) {
			return next, nil // somebody stored a successor
		}
		err = nil
	}
	switch did {
	case outcomeDoubt:
		w.alarm(ctx, AlarmAmbiguous, next.Doubts, failure)
		if e == nil || e.Status != 503 {
			w.moveState(ctx, c, store.StateDegraded, reasonDoubt)
		}
	case outcomeUnsent:
		w.moveState(ctx, c, store.StateDegraded, reasonFailing)
	case outcomeOpaque:
		if e.Code == providers.CodeRedirect {
			w.alarm(ctx, AlarmRedirect, 1, failure)
		}
		w.moveState(ctx, c, store.StateDegraded, reasonOpaque)
	case outcomeIdentity:
		w.alarm(ctx, AlarmIdentity, 1, failure)
		w.moveState(ctx, c, store.StateDegraded, reasonIdentity)
	}
	return next, errors.Join(failure, err)
}

// account counts a failure and sets when to try again.
func (w *refresher) account(c *store.Credential, did outcome, at time.Time, failure error) {
	switch did {
	case outcomeClient, outcomeRetired, outcomeRefused:
		return // nothing about this pair that a pause would mend
	case outcomeLater:
		c.NextAt = at.Add(max(retryAt(failure, at, time.Minute).Sub(at), firstBackoff))
		return
	case outcomeUnsent:
		c.NextAt = at.Add(jitter(time.Minute)) // it says nothing about the token
		return
	}
	if c.Fails++; c.Fails == 1 {
		c.FailingSince = at
	}
	pause := min(jitter(firstBackoff<<min(c.Fails-1, 10)), longestBackoff)
	if did == outcomeDoubt {
		c.Doubts++
		pause = doubtPause(w.capabilities[w.conn.Provider].Rotation, c.Doubts, w.attempt.Deadline.Sub(at))
	}
	c.NextAt = at.Add(pause)
}

// doubtPause is how long to wait before a token is presented again whose
// outcome is not known for the nth time. Where that is harmless it is done
// soon, as long as the service remembers; left is what is left of the attempt.
func doubtPause(mode providers.Rotation, n int, left time.Duration) time.Duration {
	switch mode {
	case providers.RotationSingleUse:
		steps := []time.Duration{10 * time.Second, time.Minute, 5 * time.Minute, time.Hour}
		return steps[min(n, len(steps))-1]
	case providers.RotationSingleUseRevoke:
		return max(0, left) + quarantine
	default:
		return min(firstBackoff<<min(n-1, 10), maxRetryAfter)
	}
}

// hopeless reports whether the refresh token was refused so often, for so long,
// that it counts as refused for good once the access token is refused too.
func hopeless(c store.Credential, at time.Time) bool {
	return c.Fails-c.Doubts >= opaqueRefusals && at.Sub(c.FailingSince) >= opaqueFor
}
