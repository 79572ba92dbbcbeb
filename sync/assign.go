package sync

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

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
	switch {
	case !ok && (a.cfg.ParkFor < 0 || now().Before(d.Received.Add(a.cfg.ParkFor))):
		return errNoProvider
	case !ok:
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
		if p.Note.Event == providers.EventUnknown { // it was tried again
			if gone, err := a.gone(ctx, point.provider, p.Note.UpstreamID); gone || err != nil {
				return err
			}
			return &deadError{reasonUnknown}
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
	left := remainder{people: peopleOf(notes), unreadable: err != nil}
	for i, note := range notes {
		if len(meta.Only) > 0 && !slices.Contains(meta.Only, i) {
			continue
		}
		if note.Event == providers.EventIgnored {
			continue
		}
		id := d.ID + "/" + strconv.Itoa(i)
		p := part{Version: deliveryVersion, Provider: point.provider, Signed: point.traits.Signed, Note: note}
		if note.Event == providers.EventUnknown && point.traits.Signed {
			if note.UpstreamID != "" && len(left.people) > 1 {
				// Without the body, which tells of the others.
				if err := a.aside(ctx, d, derivedID(id, "unknown"), p, store.DeliveryDead, reasonUnknown); err != nil {
					return err
				}
				continue
			}
			left.only = append(left.only, i)
			left.unreadable = left.unreadable || (note.UpstreamID == "" && note.Reference == "")
			if note.Reference != "" && len(notes) == 1 {
				left.name = string(associated(d.Endpoint, note.Detail, note.Reference))
			}
			continue
		}
		if note.Payload != nil && point.traits.Signed {
			if err := a.fetch(ctx, d, id, point, note); err != nil {
				return err
			}
			continue
		}
		if err := a.assign(ctx, d, id, point, p); err != nil {
			return err
		}
	}
	return a.keep(ctx, d, meta, left)
}

// remainder is what of a delivery cannot be worked on.
type remainder struct {
	// people are all whom the delivery names.
	people     []string
	only       []int
	unreadable bool
	name       string // of the one event that there is, where the service gave it one
}

// peopleOf returns the upstream ids that notifications name, each once.
func peopleOf(notes []providers.Notification) []string {
	var ids []string
	for _, n := range notes {
		ids = append(ids, n.UpstreamID, n.OldUpstreamID)
	}
	slices.Sort(ids)
	return slices.DeleteFunc(slices.Compact(ids), func(id string) bool { return id == "" })
}

// keep puts aside what of a delivery cannot be worked on, with the whole body.
// Where that names one person it is this person's.
func (a *assignment) keep(ctx context.Context, d store.Delivery, meta deliveryMeta, left remainder) error {
	if len(left.only) == 0 && !left.unreadable {
		return nil
	}
	person := ""
	if len(left.people) == 1 {
		person = left.people[0]
		if gone, err := a.gone(ctx, providerOf(d), person); gone || err != nil {
			return err
		}
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
		ID: derivedID(d.ID, "rest"), Endpoint: d.Endpoint, Subject: person, Received: d.Received, Meta: text, Body: body,
		Status: store.DeliveryDead, Reason: reasonUnknown,
	}
	if left.unreadable {
		dead.Reason = reasonUnreadable
	}
	if left.name != "" {
		dead.ID = derivedID(left.name, "event")
	}
	if dead.ID == d.ID {
		return &deadError{dead.Reason} // it was tried again
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
		case !errors.Is(err, ErrFlow):
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
	return a.aside(ctx, d, derivedID(id, "parked"), p, store.DeliveryParked, reasonNobody)
}

// aside puts aside a part of a delivery, unless nothing is kept of its person.
func (a *assignment) aside(ctx context.Context, d store.Delivery, id string, p part, status store.DeliveryStatus, reason string) error {
	if gone, err := a.gone(ctx, p.Provider, subject(p.Note)); gone || err != nil {
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
	rest := store.Delivery{
		ID: id, Endpoint: p.Provider, Subject: subject(p.Note), Received: d.Received, Meta: meta, Body: body,
		Status: status, Reason: reason,
	}
	if status == store.DeliveryParked {
		rest.NextAt = minTime(now().Add(parkedLook), d.Received.Add(a.cfg.ParkFor))
	}
	a.rest = append(a.rest, rest)
	return nil
}

// gone reports whether nothing is kept of a person: the connection is being
// removed, or the user was erased.
func (a *assignment) gone(ctx context.Context, provider, upstreamID string) (bool, error) {
	conn, ok, err := a.resolve(ctx, provider, upstreamID)
	if ok || err != nil {
		return conn.State == store.StateDeleting, err
	}
	return a.forgotten(ctx, provider, upstreamID)
}

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

// finish makes one item of the unsigned notifications. Its id names all of the
// deliveries: the item of some of them may be there already, from an assignment
// that broke off, and is another one.
func (a *assignment) finish(done []store.Delivery) error {
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
	id := done[0].ID
	for _, d := range done[1:] {
		id = derivedID(id+" "+d.ID, "group")
	}
	return a.item(a.conn, id, done[0].Received, part{
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
