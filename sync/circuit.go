package sync

import (
	"context"
	"errors"
	"math/rand/v2"
	gosync "sync"
	"time"

	"github.com/vitalmux/vitalmux/providers"
)

const (
	// refreshesAtOnce is how many refresh tokens of one provider a process
	// presents at the same time. Those are what a process that dies may lose,
	// and what reaches a provider that refuses the application before the
	// first refusal is known.
	refreshesAtOnce = 4
	// circuitPause is how long a provider that refuses the application is left
	// alone at first, and circuitLongest in the end.
	circuitPause   = time.Minute
	circuitLongest = 15 * time.Minute
)

// circuit keeps refreshes off a provider that refuses the application itself:
// no user is to blame, and each call would be refused the same way.
type circuit struct {
	provider string
	// places is how many calls may be under way.
	places chan struct{}

	mu    gosync.Mutex
	fails int
	// until is when one call may try again, while the circuit is open.
	until   time.Time
	probing bool
}

func newCircuit(provider string) *circuit {
	return &circuit{provider: provider, places: make(chan struct{}, refreshesAtOnce)}
}

// enter takes a place for one call, waiting for it as long as patience lasts.
// The error says when to come back.
func (c *circuit) enter(ctx context.Context, patience time.Duration) error {
	if err := c.refused(false); err != nil {
		return err
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case c.places <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return c.error(providers.ErrUnavailable, "too many refreshes are under way", now().Add(patience))
	}
	// The circuit may have opened meanwhile.
	if err := c.refused(true); err != nil {
		<-c.places
		return err
	}
	return nil
}

// refused returns the error of an open circuit. When its pause is over one
// caller is let through, if it goes on to call.
func (c *circuit) refused(calls bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := now()
	switch {
	case c.fails == 0:
		return nil
	case at.Before(c.until):
		return c.error(providers.ErrInvalid, "the provider refuses the application", c.until)
	case c.probing:
		return c.error(providers.ErrInvalid, "the provider refuses the application", at.Add(circuitPause))
	}
	c.probing = calls
	return nil
}

func (c *circuit) error(kind error, detail string, until time.Time) error {
	return &providers.Error{
		Provider: c.provider, Op: "refresh", Kind: kind, Code: "circuit_open", Detail: detail, RetryAt: until,
		ClientFault: errors.Is(kind, providers.ErrInvalid),
	}
}

// leave gives the place back. It reports whether the circuit opened just now.
func (c *circuit) leave(o outcome) (opened bool) {
	<-c.places
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case o == outcomeClient && (c.fails == 0 || c.probing):
		// Refusals of calls that were under way when it opened tell nothing new.
		opened = c.fails == 0
		pause := min(circuitPause<<min(c.fails, 10), circuitLongest)
		c.fails++
		c.until = now().Add(pause + rand.N(pause/4))
	case o == outcomeGranted || o == outcomeRefused:
		c.fails = 0 // an answer about the person is one that the application got
	}
	c.probing = false
	return opened
}
