package sync

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	gosync "sync"
	"time"

	"github.com/vitalmux/vitalmux/internal/failpoint"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

const (
	// leaseUrgent names the lease under which one process at a time fetches
	// what deliveries point to. Should two do it, the second finds the delivery
	// gone.
	leaseUrgent = "urgent"
	// urgentEvery is how often urgent deliveries that another process took are
	// looked for.
	urgentEvery = 5 * time.Second
	// payloadWorkers is how many payloads are fetched at once.
	payloadWorkers = 8
	// payloadTimeout bounds the fetching of one.
	payloadTimeout = time.Minute
	// maxPayload is the longest that is taken.
	maxPayload = 64 << 20
	// payloadReach is how long an address of which the end is not told is tried.
	payloadReach = time.Hour
	// lostEvery is within which time everybody is read again twice at most
	// because addresses led nowhere that did not say whom they were about.
	lostEvery = time.Hour
)

// The reasons of dead letters about payloads.
const reasonForeign = "about another person"

// points reports whether all that a delivery tells is where its content is.
func (p endpoint) points(notes []providers.Notification) bool {
	if _, ok := p.parser.(providers.PayloadFetcher); !ok || !p.traits.Signed {
		return false
	}
	for _, n := range notes {
		if n.Payload == nil {
			return false
		}
	}
	return len(notes) > 0
}

// workUrgent fetches what deliveries point to until ctx ends. It waits for
// nothing that is in the inbox besides.
func (e *Engine) workUrgent(ctx context.Context) {
	u := &urgent{Engine: e, free: make(chan struct{}, payloadWorkers), flying: make(map[string]bool)}
	defer u.giveBack(ctx)
	defer u.working.Wait()
	for ctx.Err() == nil {
		wait := urgentEvery
		switch err := e.guard(ctx, "urgent deliveries", AlarmEvent{}, func() error { return u.dispatch(ctx) }); {
		case errors.Is(err, store.ErrLeaseHeld), u.held && err == nil:
			wait = time.Second
		case err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrClosed):
			e.cfg.Logger.ErrorContext(ctx, "urgent deliveries not worked on", "err", err)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-e.received.urgent:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// urgent is the work on urgent deliveries in this process.
type urgent struct {
	*Engine
	working gosync.WaitGroup
	free    chan struct{}
	held    bool
	lease   store.Lease
	renewed time.Time

	mu     gosync.Mutex
	flying map[string]bool
}

func (u *urgent) giveBack(ctx context.Context) {
	if u.held {
		u.release(ctx, u.lease)
	}
	u.held = false
}

// dispatch starts the work on what is ready, and keeps the lease as long as
// there is any.
func (u *urgent) dispatch(ctx context.Context) error {
	list, err := u.cfg.Store.Deliveries(ctx, store.DeliveryQuery{Status: store.DeliveryUrgent, ReadyAt: now(), Limit: inboxBatch})
	if err != nil {
		return err
	}
	if len(list) == 0 {
		u.mu.Lock()
		idle := len(u.flying) == 0
		u.mu.Unlock()
		if idle {
			u.giveBack(ctx)
			return nil
		}
	}
	if err := u.keepLease(ctx); err != nil {
		return err
	}
	for _, d := range list {
		u.mu.Lock()
		known := u.flying[d.ID]
		u.flying[d.ID] = true
		u.mu.Unlock()
		if known {
			continue
		}
		// Waiting for a place must not outlast the lease.
		if err := u.waitPlace(ctx); err != nil {
			u.landed(d.ID)
			return err
		}
		u.working.Go(func() {
			defer func() {
				u.landed(d.ID)
				<-u.free
				signal(u.received.urgent)
			}()
			if err := u.assignGroup(ctx, []store.Delivery{d}); err != nil && ctx.Err() == nil {
				u.cfg.Logger.ErrorContext(ctx, "urgent delivery not worked on", "err", err)
			}
		})
	}
	return nil
}

func (u *urgent) landed(id string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.flying, id)
}

// waitPlace waits until one more payload may be fetched, and keeps the lease.
func (u *urgent) waitPlace(ctx context.Context) error {
	tick := time.NewTicker(inboxTTL / 4)
	defer tick.Stop()
	for {
		select {
		case u.free <- struct{}{}:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
			if err := u.keepLease(ctx); err != nil {
				return err
			}
		}
	}
}

func (u *urgent) keepLease(ctx context.Context) (err error) {
	switch {
	case !u.held:
		u.lease, err = u.cfg.Store.Acquire(ctx, leaseInbox, leaseUrgent, inboxTTL)
	case time.Since(u.renewed) > inboxTTL/5:
		u.lease, err = u.cfg.Store.Renew(ctx, u.lease, inboxTTL)
	default:
		return nil
	}
	u.held, u.renewed = err == nil, time.Now()
	return err
}

// errUrgent says that a delivery is to be worked on by workUrgent: fetching what
// it points to would keep all others waiting.
var errUrgent = errors.New("sync: delivery points to its content")

// hurry hands a delivery over to workUrgent.
func (e *Engine) hurry(ctx context.Context, d store.Delivery) error {
	d.Status, d.NextAt = store.DeliveryUrgent, time.Time{}
	err := e.cfg.Store.UpdateDelivery(ctx, d)
	signal(e.received.urgent)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// fetch gets what a notification points to, and has it kept as a delivery of
// its own in the place of the one that points. What cannot be had any more is
// read from the provider.
func (a *assignment) fetch(ctx context.Context, d store.Delivery, id string, point endpoint, note providers.Notification) error {
	fetcher, ok := point.parser.(providers.PayloadFetcher)
	if !ok {
		return a.lost(ctx, d, id, point, note, errors.ErrUnsupported)
	}
	if d.Status != store.DeliveryUrgent {
		return errUrgent
	}
	s, err := a.newSpool()
	if err != nil {
		return err
	}
	defer s.close()
	failpoint.Hit("payload_before_fetch")
	limited := &capped{w: s, left: maxPayload}
	fetching, done := context.WithTimeout(ctx, payloadTimeout)
	err = fetcher.FetchPayload(fetching, note, limited)
	done()
	failpoint.Hit("payload_after_fetch")
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case limited.failed != nil:
		return limited.failed
	case err != nil && !limited.over && a.again(d, note, err):
		return err
	case err != nil || limited.over:
		return a.lost(ctx, d, id, point, note, err)
	}
	note.Payload = nil
	if note.Part == 0 {
		note.Reference = "" // of a connect flow; that of a request says which part this is
	}
	meta := deliveryMeta{Version: deliveryVersion, Pointer: &note}
	fetched := store.Delivery{
		ID: derivedID(id, "payload"), Endpoint: d.Endpoint, Received: d.Received, Status: store.DeliveryNew,
	}
	if s.size >= inMemory {
		meta.Parts = newParts(s.size)
	} else if fetched.Body, err = io.ReadAll(s.section()); err != nil {
		return err
	}
	if fetched.Meta, err = json.Marshal(meta); err != nil {
		return &deadError{reasonUnreadable}
	}
	if meta.Parts != nil {
		if err := a.putParts(ctx, fetched, meta.Parts, s.section()); err != nil {
			return err
		}
	}
	a.rest = append(a.rest, fetched)
	return nil
}

// again reports whether it makes sense to try an address again.
func (a *assignment) again(d store.Delivery, note providers.Notification, failure error) bool {
	_, ofProvider := errors.AsType[*providers.Error](failure)
	if ofProvider && !providers.Retryable(failure) || d.Attempts+1 >= a.cfg.DeliveryAttempts {
		return false
	}
	ends := note.Payload.ExpiresAt
	if ends.IsZero() {
		ends = d.Received.Add(payloadReach)
	}
	return now().Add(firstRetry).Before(ends)
}

// lost has what an address led to read from the provider: of the person that
// the delivery names, else of everybody.
func (a *assignment) lost(ctx context.Context, d store.Delivery, id string, point endpoint, note providers.Notification, failure error) error {
	a.cfg.Logger.WarnContext(ctx, "payload lost", "provider", point.provider, "err", failure)
	a.alarm(ctx, AlarmEvent{Kind: AlarmPayload, Provider: point.provider, Err: failure}, 1)
	p := part{Version: deliveryVersion, Provider: point.provider, Signed: true, Again: true, Note: providers.Notification{
		UpstreamID: note.UpstreamID, Event: providers.EventData, At: note.At, Streams: note.Streams, Window: note.Window,
	}}
	if note.UpstreamID != "" {
		return a.assign(ctx, d, id, point, p)
	}
	// One reading at once and one when the hour is over are for all that is lost
	// in it. The first cannot have what is lost after it.
	asked, err := json.Marshal([]any{note.Streams, note.Window})
	if err != nil {
		return &deadError{reasonUnreadable}
	}
	ends := now().Truncate(lostEvery).Add(lostEvery)
	name := strconv.FormatInt(ends.Unix(), 10) + " " + string(asked)
	for after := ""; ; {
		list, err := a.cfg.Store.Connections(ctx, store.ConnectionQuery{Provider: point.provider, After: after})
		if err != nil || len(list) == 0 {
			return err
		}
		for _, conn := range list {
			if after = conn.ID; conn.State == store.StateDeleting {
				continue
			}
			one := p
			one.Note.UpstreamID = conn.UpstreamID
			for _, what := range []string{"lost", "lost until then"} {
				if err := a.item(conn, derivedID(conn.ID+" "+name, what), d.Received, one); err != nil {
					return err
				}
			}
			a.items[len(a.items)-1].NextAt = ends
			if a.known == nil {
				a.known = make(map[string]store.Connection)
			}
			a.known[conn.UpstreamID] = conn
		}
	}
}

// fetched reads a body that was fetched. What it says about somebody else than
// the delivery that pointed to it is not believed.
func (p endpoint) fetched(received time.Time, pointer providers.Notification, req *providers.WebhookRequest) ([]providers.Notification, error) {
	fetcher, ok := p.parser.(providers.PayloadFetcher)
	if !ok {
		return nil, &deadError{reasonNoProvider}
	}
	notes, err := fetcher.ParsePayload(received, pointer, req)
	for _, n := range notes {
		if pointer.UpstreamID != "" && n.UpstreamID != "" && n.UpstreamID != pointer.UpstreamID || n.Payload != nil {
			return nil, &deadError{reasonForeign}
		}
	}
	return notes, err
}

// period is what a reading again is about: the window that is named, or the
// look-back before the delivery came.
func (h hint) period(stream providers.Stream, at time.Time) (from, to time.Time) {
	w := h.part.Note.Window
	switch {
	case w.Days():
		from, to = midnight(w.First).Add(-day), midnight(w.Last.Add(1)).Add(day)
	case !w.IsZero():
		from, to = w.From, w.To
	default:
		from, to = h.item.Received.Add(-max(stream.Lookback, day)), at
	}
	return maxTime(from, earliest), minTime(to, at)
}

// readAgain has a period of a stream read again by its reconciliation,
// whatever becomes of this process.
func (s *session) readAgain(ctx context.Context, stream providers.Stream, from, to time.Time) error {
	if stream.Grain == providers.GrainNone || !from.Before(to) {
		return nil
	}
	cur, err := s.cfg.Store.Cursor(ctx, s.conn.ID, stream.Name, store.LaneReconcile)
	if err != nil {
		return err
	}
	pos, err := decodePosition(cur.HighWater)
	if err != nil {
		pos = position{Version: positionVersion}
	}
	if !pos.AgainTo.IsZero() && !from.Before(pos.AgainFrom) && !to.After(pos.AgainTo) {
		return nil
	}
	pos.disagree(from, to)
	return s.setPosition(ctx, cur, pos)
}

// errPayloadSize ends the writing of a payload that is too long.
var errPayloadSize = errors.New("sync: payload is too long")

// capped is a writer that ends.
type capped struct {
	w    io.Writer
	left int64
	over bool
	// failed is why the writer itself failed.
	failed error
}

func (c *capped) Write(p []byte) (int, error) {
	if int64(len(p)) > c.left {
		c.over = true
		return 0, errPayloadSize
	}
	c.left -= int64(len(p))
	n, err := c.w.Write(p)
	if err != nil {
		c.failed = err
	}
	return n, err
}

// pointed reports whether any provider's deliveries may point to their content.
func (e *Engine) pointed() bool {
	for _, p := range e.providers {
		if _, ok := p.(providers.PayloadFetcher); ok {
			return true
		}
	}
	return false
}
