package httpx

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/vitalmux/vitalmux/providers"
)

// Policy says how often and how long a call is tried. The zero Policy makes
// one attempt without a deadline of its own.
type Policy struct {
	// Attempts is how many attempts are made in all; less than 1 means 1.
	Attempts int
	// AttemptTimeout is the deadline of each attempt; 0 or less is none.
	AttemptTimeout time.Duration
	// MaxWait bounds all waits between attempts together; 0 or less does not
	// wait, and so does not try again.
	MaxWait time.Duration
}

// Backoff between attempts: doubling from backoffFirst, the upper half random.
const (
	backoffFirst = 500 * time.Millisecond
	backoffMax   = 8 * time.Second
)

// Call runs attempt, which sends a request and decodes the answer, until it
// succeeds, fails for good, or p is exhausted. Whether to try again is decided
// by providers.Retryable; a RetryAt is honoured if the waits fit in p.MaxWait,
// otherwise the error is returned at once.
//
// The context of each attempt ends with its own deadline; whether the caller
// gave up is asked of ctx alone. If it did, the error wraps ctx.Err().
//
// Attempt is run again only if it is harmless to repeat: use [Client.Once] for
// all else. Where repeating is allowed, Ambiguous means nothing and is cleared.
func Call[T any](ctx context.Context, p Policy, attempt func(context.Context) (T, error)) (T, error) {
	var (
		zero   T
		waited time.Duration
	)
	for n := 1; ; n++ {
		v, err := runAttempt(ctx, p.AttemptTimeout, n, attempt)
		if err == nil {
			return v, nil
		}
		if p.Attempts > 1 {
			err = unambiguous(err)
		}
		if cause := ctx.Err(); cause != nil {
			return zero, interrupted(cause, err)
		}
		if n >= p.Attempts || !providers.Retryable(err) {
			return zero, err
		}
		wait := backoff(n)
		if at, ok := providers.RetryAt(err); ok {
			wait = max(wait, time.Until(at))
		}
		waited += wait
		if waited > p.MaxWait {
			return zero, err
		}
		if end, ok := ctx.Deadline(); ok && time.Until(end) <= wait {
			return zero, err
		}
		if cause := sleep(ctx, wait); cause != nil {
			return zero, interrupted(cause, err)
		}
	}
}

func runAttempt[T any](ctx context.Context, timeout time.Duration, n int, attempt func(context.Context) (T, error)) (T, error) {
	ctx = context.WithValue(ctx, attemptKey{}, n)
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	return attempt(ctx)
}

type attemptKey struct{}

func attemptOf(ctx context.Context) int {
	if n, ok := ctx.Value(attemptKey{}).(int); ok {
		return n
	}
	return 1
}

// unambiguous clears Ambiguous of an error of a call that may be repeated.
func unambiguous(err error) error {
	if e, ok := errors.AsType[*providers.Error](err); ok && e.Ambiguous {
		c := *e
		c.Ambiguous = false
		return &c
	}
	return err
}

// interrupted makes sure that an error tells that the caller gave up.
func interrupted(cause, err error) error {
	if errors.Is(err, cause) {
		return err
	}
	return fmt.Errorf("%w after: %w", cause, err)
}

func backoff(n int) time.Duration {
	d := min(backoffFirst<<min(n-1, 16), backoffMax)
	return d/2 + rand.N(d/2)
}

// sleep waits for d and returns ctx.Err() if ctx ends before.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
