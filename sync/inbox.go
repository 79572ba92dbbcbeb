package sync

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/internal/failpoint"
	"github.com/vitalmux/vitalmux/store"
)

const (
	// leaseInbox names the lease under which one process at a time assigns
	// deliveries. It is short: a crash delays them by no more.
	leaseInbox = "inbox"
	// leaseReview names the lease under which kept deliveries are looked at.
	leaseReview = "review"
	inboxTTL    = 10 * time.Second
	// inboxBatch is how many deliveries are looked at at once.
	inboxBatch = 256
	// firstRetry is the pause after the first failure of a delivery or an
	// item, doubled after each further one, up to lastRetry.
	firstRetry = 10 * time.Second
	lastRetry  = time.Hour
)

// retryPause is how long to wait after failing for the nth time.
func retryPause(attempts int) time.Duration {
	return jitter(min(lastRetry, firstRetry<<min(max(attempts-1, 0), 16)))
}

func (e *Engine) pokeInbox() {
	signal(e.received.wake)
	signal(e.received.urgent)
}

// workInbox assigns deliveries to the people they are about until ctx ends.
func (e *Engine) workInbox(ctx context.Context) {
	for ctx.Err() == nil {
		wait := inboxEvery
		switch err := e.guard(ctx, "inbox", AlarmEvent{}, func() error { return e.assignAll(ctx) }); {
		case err == nil:
		case errors.Is(err, store.ErrLeaseHeld):
			wait = time.Second
		case ctx.Err() == nil && !errors.Is(err, store.ErrClosed):
			e.cfg.Logger.ErrorContext(ctx, "deliveries not assigned", "err", err)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-e.received.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// panicError is what becomes of a panic of an adapter.
type panicError struct{ what string }

func (p *panicError) Error() string { return "sync: panic in " + p.what }

// guard runs work and turns a panic into an error. The value of the panic is
// not shown: it may hold anything.
func (e *Engine) guard(ctx context.Context, what string, about AlarmEvent, work func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			e.cfg.Logger.ErrorContext(ctx, "panic", "work", what, "panic", fmt.Sprintf("%T", v))
			err = &panicError{what}
			about.Kind, about.Err = AlarmPanic, err
			e.alarm(ctx, about, 1)
		}
	}()
	return work()
}

// assignAll works off the deliveries that are ready. It takes the lease only if
// there are any.
func (e *Engine) assignAll(ctx context.Context) error {
	ready := func() ([]store.Delivery, error) {
		return e.cfg.Store.Deliveries(ctx, store.DeliveryQuery{Status: store.DeliveryNew, ReadyAt: now(), Limit: inboxBatch})
	}
	list, err := ready()
	if err != nil || len(list) == 0 {
		return err
	}
	lease, err := e.cfg.Store.Acquire(ctx, leaseInbox, leaseInbox, inboxTTL)
	if err != nil {
		return err
	}
	defer func() { e.release(ctx, lease) }()
	renewed := time.Now()
	for len(list) > 0 {
		for _, group := range grouped(list) {
			if time.Since(renewed) > inboxTTL/3 {
				if lease, err = e.cfg.Store.Renew(ctx, lease, inboxTTL); err != nil {
					return err
				}
				renewed = time.Now()
			}
			if err := e.assignGroup(ctx, group); err != nil {
				return err
			}
		}
		if list, err = ready(); err != nil {
			return err
		}
	}
	return nil
}

// grouped puts the deliveries of each address of its own together, because
// they say no more than that there may be news. Others stand alone.
func grouped(list []store.Delivery) [][]store.Delivery {
	var groups [][]store.Delivery
	places := make(map[string]int)
	for _, d := range list {
		i, ok := places[d.Endpoint]
		if ok && strings.Contains(d.Endpoint, "/") {
			groups[i] = append(groups[i], d)
			continue
		}
		places[d.Endpoint] = len(groups)
		groups = append(groups, []store.Delivery{d})
	}
	return groups
}

// assignGroup assigns a delivery, or the unsigned ones of one address. It
// returns an error only when the store fails: everything else is settled here.
func (e *Engine) assignGroup(ctx context.Context, group []store.Delivery) error {
	a := &assignment{Engine: e}
	var done []store.Delivery
	for _, d := range group {
		err := e.guard(ctx, "delivery", AlarmEvent{Provider: providerOf(d)}, func() error { return a.read(ctx, d) })
		switch {
		case err == nil:
			done = append(done, d)
			continue
		case errors.Is(err, errUrgent):
			err = e.hurry(ctx, d)
		case errors.Is(err, errNoProvider):
			err = e.leaveDelivery(ctx, d)
		default:
			err = e.failDelivery(ctx, d, err)
		}
		if err != nil {
			return err
		}
	}
	if len(done) == 0 {
		return nil
	}
	if err := a.finish(done); err != nil {
		return e.failDelivery(ctx, done[0], err)
	}
	failpoint.Hit("inbox_before_assign")
	moved := store.Assignment{Items: a.items, Rest: a.rest}
	for _, connection := range a.touched {
		moved.Due = append(moved.Due, store.Due{Connection: connection, Task: taskSync, At: now()})
	}
	err := e.cfg.Store.Assign(ctx, done[0].ID, moved)
	if errors.Is(err, store.ErrInvalid) {
		return e.failDelivery(ctx, done[0], err) // the others go on
	}
	if err != nil {
		return err
	}
	failpoint.Hit("inbox_after_assign")
	e.poke()
	for _, d := range done[1:] {
		if err := e.cfg.Store.Assign(ctx, d.ID, store.Assignment{}); err != nil {
			return err
		}
	}
	for _, d := range done {
		e.dropParts(ctx, d.ID, partsOf(d))
		call(ctx, e, e.cfg.Hooks.Delivered, DeliveryEvent{Provider: providerOf(d), Delivery: d.ID, Attempts: d.Attempts})
	}
	for _, d := range a.rest {
		switch {
		case d.Status == store.DeliveryNew:
			signal(e.received.wake)
		case d.Status == store.DeliveryParked:
			if err := e.releaseIfKnown(ctx, d); err != nil {
				return err
			}
		case d.Status == store.DeliveryDead:
			gone, err := e.dropForgotten(ctx, d)
			if err != nil {
				return err
			}
			if !gone && d.Reason == reasonUnreadable {
				e.alarm(ctx, AlarmEvent{Kind: AlarmDeadLetter, Provider: providerOf(d)}, 1)
			}
		}
	}
	return nil
}

// makeDue has Run look after a connection.
func (e *Engine) makeDue(ctx context.Context, connection string) error {
	err := e.cfg.Store.SetDue(ctx, store.Due{Connection: connection, Task: taskSync, At: now()})
	e.poke()
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// leaveDelivery puts a delivery off that is for a process that has its provider:
// for as long again as it has waited, so that one that nobody has costs little.
func (e *Engine) leaveDelivery(ctx context.Context, d store.Delivery) error {
	at := now()
	d.NextAt = at.Add(jitter(min(lastRetry, max(firstRetry, at.Sub(d.Received)))))
	err := e.cfg.Store.UpdateDelivery(ctx, d)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// failDelivery puts a delivery off, or aside after too many failures.
func (e *Engine) failDelivery(ctx context.Context, d store.Delivery, failure error) error {
	if ctx.Err() != nil || errors.Is(failure, store.ErrClosed) {
		return failure
	}
	d.Attempts++
	d.NextAt = now().Add(retryPause(d.Attempts))
	final, ok := errors.AsType[*deadError](failure)
	_, panicked := errors.AsType[*panicError](failure)
	switch {
	case ok:
		d.Status, d.Reason = store.DeliveryDead, final.reason
	case d.Attempts >= e.cfg.DeliveryAttempts:
		d.Status, d.Reason = store.DeliveryDead, reasonFailed
		if panicked {
			d.Reason = reasonPanic
		}
	}
	if d.Status == store.DeliveryDead {
		d.NextAt = time.Time{}
	}
	if err := e.cfg.Store.UpdateDelivery(ctx, d); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	e.cfg.Logger.WarnContext(ctx, "delivery failed", "provider", providerOf(d), "attempt", d.Attempts, "err", failure)
	if d.Status == store.DeliveryDead {
		e.alarm(ctx, AlarmEvent{Kind: AlarmDeadLetter, Provider: providerOf(d), Err: failure}, 1)
	}
	call(ctx, e, e.cfg.Hooks.Delivered, DeliveryEvent{
		Provider: providerOf(d), Delivery: d.ID, Status: d.Status, Attempts: d.Attempts, Err: failure,
	})
	return nil
}

func providerOf(d store.Delivery) string {
	provider, _, _ := strings.Cut(d.Endpoint, "/")
	return provider
}

// deadError says that trying again does not help.
type deadError struct{ reason string }

func (d *deadError) Error() string { return "sync: delivery: " + d.reason }
