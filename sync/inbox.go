package sync

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/internal/failpoint"
	"github.com/vitalmux/vitalmux/providers"
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
	if err := e.payDue(ctx); err != nil {
		return err
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
		if errors.Is(err, errUrgent) {
			if err := e.hurry(ctx, d); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			if err := e.failDelivery(ctx, d, err); err != nil {
				return err
			}
			continue
		}
		done = append(done, d)
	}
	if len(done) == 0 {
		return nil
	}
	if err := a.finish(done[0]); err != nil {
		return e.failDelivery(ctx, done[0], err)
	}
	failpoint.Hit("inbox_before_assign")
	if err := a.makeDueBefore(ctx); err != nil {
		return err
	}
	err := e.cfg.Store.Assign(ctx, done[0].ID, a.items, a.rest)
	if errors.Is(err, store.ErrInvalid) {
		return e.failDelivery(ctx, done[0], err) // the others go on
	}
	if err != nil {
		return err
	}
	failpoint.Hit("inbox_after_assign")
	for _, d := range done[1:] {
		if err := e.cfg.Store.Assign(ctx, d.ID, nil, nil); err != nil {
			return err
		}
	}
	for _, d := range done {
		e.dropParts(ctx, d.ID, partsOf(d))
	}
	// Afterwards: a connection whose due time is set by somebody else in the
	// meantime is looked at by them.
	if err := e.payDue(ctx, a.touched...); err != nil {
		return err
	}
	for _, d := range done {
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
		case d.Reason == reasonUnreadable:
			e.alarm(ctx, AlarmEvent{Kind: AlarmDeadLetter, Provider: providerOf(d)}, 1)
		}
	}
	return nil
}

// makeDueBefore has Run look after the connections that are not in order, before
// their items are there: they have no due time of their own, and if the process
// ended after the assignment nobody would look.
func (a *assignment) makeDueBefore(ctx context.Context) error {
	for _, conn := range a.known {
		if conn.ID != "" && !inOrder(conn) && slices.Contains(a.touched, conn.ID) {
			if err := a.makeDue(ctx, conn.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// payDue makes connections due. What the store does not take is owed: the
// delivery is gone by then, and nobody would come back to it.
func (e *Engine) payDue(ctx context.Context, connections ...string) error {
	e.received.mu.Lock()
	connections = append(e.received.owed, connections...)
	e.received.owed = nil
	e.received.mu.Unlock()
	for i, connection := range connections {
		if err := e.makeDue(ctx, connection); err != nil {
			e.received.mu.Lock()
			e.received.owed = append(e.received.owed, connections[i:]...)
			e.received.mu.Unlock()
			return err
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

// part is what one notification becomes: the payload of an inbox item, and the
// body of a delivery that waits for its person.
type part struct {
	Version  int    `json:"v"`
	Provider string `json:"provider"`
	// Signed is set when the service vouched for it.
	Signed bool `json:"signed"`
	// Again is set when what the note is about was lost on its way and is to be
	// read again, however old it is.
	Again bool                   `json:"again,omitempty"`
	Note  providers.Notification `json:"note"`
}

func (p part) encode() ([]byte, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return nil, &deadError{reasonUnreadable}
	}
	return text, nil
}

// strip removes what must not be kept: addresses, and what began a connect
// flow.
func (p *part) strip() {
	p.Note.Payload = nil
	if p.Note.Event != providers.EventData && p.Note.Event != providers.EventRequest {
		p.Note.Reference = ""
	}
}

func decodePart(text []byte) (part, error) {
	var p part
	if json.Unmarshal(text, &p) != nil || p.Version != deliveryVersion {
		return p, &deadError{reasonUnreadable}
	}
	return p, nil
}

// subject is the upstream id that a notification is filed under.
func subject(n providers.Notification) string {
	if n.Event == providers.EventReauth {
		return n.OldUpstreamID
	}
	return n.UpstreamID
}

// assignment is what becomes of a delivery, or of several unsigned ones.
type assignment struct {
	*Engine
	items   []store.InboxItem
	rest    []store.Delivery
	touched []string
	known   map[string]store.Connection
	// conn and news collect the unsigned notifications of one connection.
	conn store.Connection
	news []providers.Notification
}

// read finds out what a delivery says about whom. It changes nothing in the
// store but through a connect flow that the delivery completes.
func (a *assignment) read(ctx context.Context, d store.Delivery) error {
	point, ok := a.endpoint(d.Endpoint)
	if !ok {
		return &deadError{reasonNoProvider}
	}
	var meta deliveryMeta
	if json.Unmarshal(d.Meta, &meta) != nil || meta.Version != deliveryVersion {
		return &deadError{reasonUnreadable}
	}
	if meta.Part {
		p, err := decodePart(d.Body)
		if err != nil {
			return err
		}
		return a.assign(ctx, d, d.ID, point, p)
	}
	req, done, err := a.opened(ctx, d, meta)
	if err != nil {
		return err
	}
	defer done()
	var notes []providers.Notification
	if meta.Pointer != nil {
		notes, err = point.fetched(d.Received, *meta.Pointer, req)
	} else if err = point.keys(ctx, now(), req); err != nil {
		return fmt.Errorf("webhook keys of %s: %w", point.provider, err)
	} else {
		notes, err = point.parser.ParseWebhook(d.Received, req)
	}
	if _, foreign := errors.AsType[*deadError](err); foreign {
		return err
	}
	switch {
	case errors.Is(err, providers.ErrSignature):
		// It was genuine when it was taken: the secret is not configured any
		// more.
		return &deadError{reasonUnverified}
	case len(notes) == 0 && (err == nil || req.Size() == 0):
		return &deadError{reasonEmpty}
	case len(notes) == 0:
		return &deadError{reasonUnreadable}
	}
	left := remainder{unreadable: err != nil}
	for i, note := range notes {
		if len(meta.Only) > 0 && !slices.Contains(meta.Only, i) {
			continue
		}
		if note.Event == providers.EventIgnored {
			continue
		}
		if note.Event == providers.EventUnknown && point.traits.Signed {
			left.only = append(left.only, i)
			left.unreadable = left.unreadable || note.UpstreamID == ""
			continue
		}
		id := d.ID + "/" + strconv.Itoa(i)
		if note.Payload != nil && point.traits.Signed {
			if err := a.fetch(ctx, d, id, point, note); err != nil {
				return err
			}
			continue
		}
		p := part{Version: deliveryVersion, Provider: point.provider, Signed: point.traits.Signed, Note: note}
		if err := a.assign(ctx, d, id, point, p); err != nil {
			return err
		}
	}
	return a.keep(ctx, d, meta, left)
}

// remainder is what of a delivery cannot be worked on.
type remainder struct {
	only       []int
	unreadable bool
}

// keep puts aside what of a delivery cannot be worked on, with the whole body.
func (a *assignment) keep(ctx context.Context, d store.Delivery, meta deliveryMeta, left remainder) error {
	if len(left.only) == 0 && !left.unreadable {
		return nil
	}
	body, err := a.whole(ctx, d)
	if err != nil {
		return err
	}
	meta.Only, meta.Parts = left.only, nil
	text, err := json.Marshal(meta)
	if err != nil {
		return &deadError{reasonUnreadable}
	}
	dead := store.Delivery{
		ID: derivedID(d.ID, "rest"), Endpoint: d.Endpoint, Received: d.Received, Meta: text, Body: body,
		Status: store.DeliveryDead, Reason: reasonUnknown,
	}
	if left.unreadable {
		dead.Reason = reasonUnreadable
	}
	a.rest = append(a.rest, dead)
	return nil
}

// derivedID returns the id of what a delivery or an item turns into.
func derivedID(id, what string) string {
	sum := sha256.Sum256(associated("vitalmux derived delivery v1", what, id))
	return hex.EncodeToString(sum[:])
}

// assign files one notification.
func (a *assignment) assign(ctx context.Context, d store.Delivery, id string, point endpoint, p part) error {
	if !point.traits.Signed {
		return a.collect(ctx, point, p.Note)
	}
	note := p.Note
	if note.Event == providers.EventReauth && (note.OldUpstreamID == note.UpstreamID || note.OldUpstreamID == "") {
		return nil
	}
	conn, ok, err := a.resolve(ctx, point.provider, subject(note))
	if err != nil {
		return err
	}
	if !ok && note.Event == providers.EventReauth {
		// Nothing is left to do if the new id is known.
		if _, done, err := a.resolve(ctx, point.provider, note.UpstreamID); done || err != nil {
			return err
		}
	}
	if note.Event == providers.EventAuth && note.Reference != "" {
		linked, err := a.completeByReference(ctx, point.provider, note.Reference, note.UpstreamID)
		switch {
		case err == nil:
			conn, ok = linked, true
		case errors.Is(err, ErrLinked), errors.Is(err, store.ErrErased):
			return nil // audited there; nothing that waiting would change
		case !errors.Is(err, ErrFlow), d.Attempts < flowAttempts && a.began(point.provider, note.Reference):
			// A flow is out of the store for a moment while it is confirmed.
			return err
		}
	}
	switch {
	case ok && conn.State == store.StateDeleting:
		return nil
	case ok && note.Event == providers.EventAuth:
		a.touch(conn.ID)
		return a.releaseParked(ctx, conn.Provider, conn.UpstreamID)
	case note.Event == providers.EventAuth || subject(note) == "":
		return nil
	case ok:
		return a.item(conn, id, d.Received, p)
	}
	if gone, err := a.forgotten(ctx, point.provider, subject(note)); gone || err != nil {
		return err
	}
	p.strip()
	body, err := p.encode()
	if err != nil {
		return err
	}
	meta, err := json.Marshal(deliveryMeta{Version: deliveryVersion, Part: true})
	if err != nil {
		return &deadError{reasonUnreadable}
	}
	a.rest = append(a.rest, store.Delivery{
		ID: derivedID(id, "parked"), Endpoint: point.provider, Subject: subject(note), Received: d.Received, Meta: meta, Body: body,
		Status: store.DeliveryParked, Reason: reasonNobody, NextAt: minTime(now().Add(parkedLook), d.Received.Add(a.cfg.ParkFor)),
	})
	return nil
}

// flowAttempts is how often a delivery looks for the connect flow that it ends.
const flowAttempts = 2

func (a *assignment) touch(connection string) {
	if !slices.Contains(a.touched, connection) {
		a.touched = append(a.touched, connection)
	}
}

func (a *assignment) item(conn store.Connection, id string, received time.Time, p part) error {
	p.strip()
	payload, err := p.encode()
	if err != nil {
		return err
	}
	a.items = append(a.items, store.InboxItem{
		ID: id, User: conn.User, Connection: conn.ID, Received: received, Payload: payload,
	})
	a.touch(conn.ID)
	return nil
}

// collect takes an unsigned notification for what it is, a hint that there may
// be news of the connection whose address it came to. About anybody else it
// says nothing.
func (a *assignment) collect(ctx context.Context, point endpoint, note providers.Notification) error {
	if a.conn.ID == "" {
		conn, err := a.cfg.Store.Connection(ctx, point.connection)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		a.conn = conn
	}
	if note.UpstreamID != a.conn.UpstreamID || note.Event == providers.EventUnknown || note.Event == providers.EventAuth {
		return nil
	}
	a.news = append(a.news, providers.Notification{Event: note.Event, Streams: note.Streams, Window: note.Window})
	return nil
}

// finish makes one item of the unsigned notifications.
func (a *assignment) finish(first store.Delivery) error {
	if len(a.news) == 0 {
		return nil
	}
	merged := providers.Notification{UpstreamID: a.conn.UpstreamID, Event: providers.EventData}
	streams := a.capabilities[a.conn.Provider].Streams
	all := false
	for _, n := range a.news {
		switch {
		case n.Event == providers.EventData && len(n.Streams) == 0:
			all = true
		case n.Event == providers.EventData:
			merged.Streams = append(merged.Streams, n.Streams...)
		case len(streams) > 0:
			// The service's answer to any call says whether the consent
			// still stands.
			merged.Streams = append(merged.Streams, streams[0].Name)
		}
		merged.Window = widest(merged.Window, clampNotified(n.Window, now()))
	}
	slices.Sort(merged.Streams)
	if merged.Streams = slices.Compact(merged.Streams); all {
		merged.Streams = nil
	}
	return a.item(a.conn, first.ID, first.Received, part{
		Version: deliveryVersion, Provider: a.conn.Provider, Note: merged,
	})
}

// resolve returns the connection of an upstream id.
func (a *assignment) resolve(ctx context.Context, provider, upstreamID string) (store.Connection, bool, error) {
	if conn, ok := a.known[upstreamID]; ok {
		return conn, conn.ID != "", nil
	}
	conn, ok, err := a.connectionOf(ctx, provider, upstreamID)
	if err == nil {
		if a.known == nil {
			a.known = make(map[string]store.Connection)
		}
		a.known[upstreamID] = conn
	}
	return conn, ok, err
}

// connectionOf returns the connection of an account at a provider, also by an
// id that it does not have any more.
func (e *Engine) connectionOf(ctx context.Context, provider, upstreamID string) (store.Connection, bool, error) {
	if upstreamID == "" {
		return store.Connection{}, false, nil
	}
	list, err := e.cfg.Store.Connections(ctx, store.ConnectionQuery{Provider: provider, UpstreamID: upstreamID, Limit: 1})
	if err != nil {
		return store.Connection{}, false, err
	}
	if len(list) == 0 {
		return e.formerOf(ctx, provider, upstreamID)
	}
	return list[0], true, nil
}

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
// that one of the two finds it.
func (e *Engine) dropForgotten(ctx context.Context, d store.Delivery) (bool, error) {
	gone, err := e.forgotten(ctx, providerOf(d), d.Subject)
	if err != nil || !gone {
		return false, err
	}
	return true, e.cfg.Store.Assign(ctx, d.ID, nil, nil)
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
	if err := e.cfg.Store.Assign(ctx, d.ID, nil, nil); err != nil {
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
// it cannot know whom it is about.
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
