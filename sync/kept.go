package sync

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/vitalmux/vitalmux/store"
)

// parkedLook is how long after it was parked a delivery is looked at again,
// doubled each time: whoever makes a person known releases what waits, and may
// be killed before.
const parkedLook = time.Minute

// releaseIfKnown releases what was just parked if the person became known at
// the same time.
func (e *Engine) releaseIfKnown(ctx context.Context, d store.Delivery) error {
	_, ok, err := e.connectionOf(ctx, providerOf(d), d.Subject)
	if err != nil {
		return err
	}
	if ok {
		return e.releaseParked(ctx, providerOf(d), d.Subject)
	}
	_, err = e.dropForgotten(ctx, d)
	return err
}

// dropForgotten removes what was just kept of a person who was erased at the
// same time. An erasure marks its accounts before it looks for what is kept, so
// that one of the two finds it. A mark says nothing about who has the account
// since.
func (e *Engine) dropForgotten(ctx context.Context, d store.Delivery) (bool, error) {
	if d.Subject == "" {
		return false, nil
	}
	gone, err := e.forgotten(ctx, providerOf(d), d.Subject)
	if err != nil || !gone {
		return false, err
	}
	conn, known, err := e.connectionOf(ctx, providerOf(d), d.Subject)
	if err != nil || known && conn.State != store.StateDeleting {
		return false, err
	}
	return true, e.cfg.Store.Assign(ctx, d.ID, store.Assignment{})
}

// releaseParked has the worker look again at what waits for a person who became
// known. It is called after the connection was stored.
func (e *Engine) releaseParked(ctx context.Context, provider, upstreamID string) error {
	if upstreamID == "" {
		return nil
	}
	released := false
	for {
		list, err := e.cfg.Store.Deliveries(ctx, store.DeliveryQuery{
			Endpoint: provider, Subject: upstreamID, Status: store.DeliveryParked,
		})
		if err != nil {
			return err
		}
		for _, d := range list {
			d.Status, d.Reason, d.Attempts, d.NextAt = store.DeliveryNew, "", 0, time.Time{}
			if err := e.cfg.Store.UpdateDelivery(ctx, d); err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			released = true
		}
		if len(list) == 0 {
			break
		}
	}
	if released {
		e.pokeInbox()
	}
	return nil
}

// reviewParked looks at parked deliveries whose time has come: it releases
// those whose person is known after all, and drops those that waited too long.
func (e *Engine) reviewParked(ctx context.Context, at time.Time) error {
	ready := func() ([]store.Delivery, error) {
		return e.cfg.Store.Deliveries(ctx, store.DeliveryQuery{Status: store.DeliveryParked, ReadyAt: at})
	}
	return e.review(ctx, ready, func(ctx context.Context, d store.Delivery) error { return e.reviewOne(ctx, d, at) })
}

// dropDead drops dead letters that were kept for too long.
func (e *Engine) dropDead(ctx context.Context, at time.Time) error {
	old := func() ([]store.Delivery, error) {
		list, err := e.cfg.Store.Deliveries(ctx, store.DeliveryQuery{Status: store.DeliveryDead, Limit: 1}) // the oldest
		return slices.DeleteFunc(list, func(d store.Delivery) bool { return at.Before(d.Received.Add(e.cfg.KeepDead)) }), err
	}
	return e.review(ctx, old, e.drop)
}

// review works off what ready lists. One process at a time does it, so that one
// tells what was dropped.
func (e *Engine) review(ctx context.Context, ready func() ([]store.Delivery, error), one func(context.Context, store.Delivery) error) error {
	list, err := ready()
	if err != nil || len(list) == 0 {
		return err
	}
	lease, err := e.cfg.Store.Acquire(ctx, leaseInbox, leaseReview, e.cfg.LeaseTTL)
	if errors.Is(err, store.ErrLeaseHeld) {
		return nil
	}
	if err != nil {
		return err
	}
	defer e.release(ctx, lease)
	ctx, cancel := context.WithTimeout(ctx, e.cfg.LeaseTTL*9/10)
	defer cancel()
	for {
		if list, err = ready(); err != nil || len(list) == 0 {
			return err
		}
		for _, d := range list {
			if err := one(ctx, d); err != nil {
				return err
			}
		}
	}
}

// drop removes a delivery that was kept for too long.
func (e *Engine) drop(ctx context.Context, d store.Delivery) error {
	if err := e.cfg.Store.Assign(ctx, d.ID, store.Assignment{}); err != nil {
		return err
	}
	e.dropParts(ctx, d.ID, partsOf(d))
	e.audit(ctx, AuditEvent{Action: "drop", Actor: "engine", Provider: providerOf(d)}, nil)
	e.alarm(ctx, AlarmEvent{Kind: AlarmParkedTooLong, Provider: providerOf(d)}, 1)
	return nil
}

func (e *Engine) reviewOne(ctx context.Context, d store.Delivery, at time.Time) error {
	_, known, err := e.connectionOf(ctx, providerOf(d), d.Subject)
	if err != nil {
		return err
	}
	ends := d.Received.Add(e.cfg.ParkFor)
	switch {
	case known:
		return e.releaseParked(ctx, providerOf(d), d.Subject)
	case e.cfg.ParkFor >= 0 && !at.Before(ends):
		return e.drop(ctx, d)
	}
	d.Attempts++
	d.NextAt = at.Add(min(day, parkedLook<<min(d.Attempts, 16)))
	if e.cfg.ParkFor >= 0 {
		d.NextAt = minTime(d.NextAt, ends)
	}
	err = e.cfg.Store.UpdateDelivery(ctx, d)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// DeadLetter is a delivery, or one person's part of one, that could not be
// worked on and is kept.
type DeadLetter struct {
	ID       string
	Provider string
	// UpstreamID is the person it is about, where it is about one.
	UpstreamID string
	Received   time.Time
	// Reason is a fixed word.
	Reason   string
	Attempts int
	// Body is the delivery as it came, or the part in the engine's own form.
	// It may hold health data.
	Body []byte
}

// DeadLetters lists dead letters, oldest first: at most limit (0 is 100), after
// the one with the given ID, which is empty at the beginning. A dead letter is
// kept until [Engine.Redrive] sends it back, for Config.KeepDead at most. Erase
// removes those that name a person of the user's; in one that could not be read
// it cannot know whom it is about, and one that could be read in part, and names
// several people, it leaves.
func (e *Engine) DeadLetters(ctx context.Context, after string, limit int) ([]DeadLetter, error) {
	list, err := e.cfg.Store.Deliveries(ctx, store.DeliveryQuery{Status: store.DeliveryDead, After: after, Limit: limit})
	if err != nil {
		return nil, err
	}
	letters := make([]DeadLetter, 0, len(list))
	size := 0
	for _, d := range list {
		body, err := e.whole(ctx, d)
		if err != nil {
			return nil, err
		}
		if size += len(body); size > maxPayload && len(letters) > 0 {
			break
		}
		letters = append(letters, DeadLetter{
			ID: d.ID, Provider: providerOf(d), UpstreamID: d.Subject, Received: d.Received,
			Reason: d.Reason, Attempts: d.Attempts, Body: body,
		})
	}
	return letters, nil
}

// Redrive sends a dead letter back to be worked on by [Engine.Run], as if it
// had just been stored; signatures are checked as of when it arrived. It
// returns [store.ErrNotFound] if there is no dead letter with the ID.
func (e *Engine) Redrive(ctx context.Context, id string) error {
	if id == "" {
		return store.ErrNotFound
	}
	list, err := e.cfg.Store.Deliveries(ctx, store.DeliveryQuery{ID: id, Status: store.DeliveryDead})
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return store.ErrNotFound
	}
	d := list[0]
	d.Status, d.Reason, d.Attempts, d.NextAt = store.DeliveryNew, "", 0, time.Time{}
	if err := e.cfg.Store.UpdateDelivery(ctx, d); err != nil {
		return err
	}
	e.audit(ctx, AuditEvent{Action: "redrive", Actor: "host", Provider: providerOf(d)}, nil)
	e.pokeInbox()
	return nil
}

// deadItem turns an item that cannot be worked on into a dead letter.
func deadItem(i store.InboxItem, provider, upstreamID, reason string) (store.Delivery, error) {
	meta, err := json.Marshal(deliveryMeta{Version: deliveryVersion, Part: true})
	return store.Delivery{
		ID: derivedID(i.ID, "dead"), Endpoint: provider, Subject: upstreamID, Received: i.Received,
		Meta: meta, Body: i.Payload, Status: store.DeliveryDead, Reason: cmp.Or(reason, reasonFailed), Attempts: i.Attempts,
	}, err
}
