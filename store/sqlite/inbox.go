package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/klauspost/compress/s2"

	"github.com/vitalmux/vitalmux/store"
)

// maxRoom is how much memory is kept for one delivery to be packed into.
const maxRoom = 2 << 20

// pageBytes is how much a page of deliveries or items holds before it ends.
const pageBytes = 64 << 20

// PutFlow implements [store.Flows].
func (s *Store) PutFlow(ctx context.Context, f store.Flow) error {
	if f.ID == "" {
		return invalid("flow")
	}
	return s.write(ctx, func(t *tx) error {
		if err := t.checkErased(background, f.User); err != nil {
			return err
		}
		if _, err := t.exec(background, "DELETE FROM flow WHERE expires <= ?1", t.now.UnixMilli()); err != nil {
			return err
		}
		expires := int64(0)
		if !f.ExpiresAt.IsZero() {
			expires = f.ExpiresAt.UnixMilli()
		}
		n, err := t.exec(background, `INSERT INTO flow(id, provider, user, redirect, sealed, expires) VALUES(?1, ?2, ?3, ?4, ?5, ?6)
			ON CONFLICT(id) DO NOTHING`, f.ID, f.Provider, f.User, f.RedirectURL, f.Sealed, expires)
		if err == nil && n == 0 {
			err = fmt.Errorf("sqlite: flow: %w", store.ErrConflict)
		}
		return err
	})
}

// Flow implements [store.Flows].
func (s *Store) Flow(ctx context.Context, id string) (store.Flow, error) {
	var f store.Flow
	err := s.read(ctx, func(c *conn) (err error) {
		f, err = c.flow(ctx, id, time.Now())
		return err
	})
	return f, err
}

// TakeFlow implements [store.Flows].
func (s *Store) TakeFlow(ctx context.Context, id string) (store.Flow, error) {
	var f store.Flow
	err := s.write(ctx, func(t *tx) (err error) {
		if f, err = t.flow(background, id, t.now); err != nil {
			return err
		}
		_, err = t.exec(background, "DELETE FROM flow WHERE id = ?1", id)
		return err
	})
	if err != nil {
		return store.Flow{}, err
	}
	return f, nil
}

// flow reads a flow that has not expired.
func (c *conn) flow(ctx context.Context, id string, now time.Time) (store.Flow, error) {
	var f store.Flow
	found, err := c.one(ctx, func(r row) {
		f = store.Flow{
			ID: id, Provider: r.text(0), User: r.text(1), RedirectURL: r.text(2), Sealed: bytes.Clone(r.blob(3)), ExpiresAt: r.time(4),
		}
	}, "SELECT provider, user, redirect, sealed, expires FROM flow WHERE id = ?1", id)
	if err == nil && (!found || !now.Before(f.ExpiresAt)) {
		err = store.ErrNotFound
	}
	if err != nil {
		return store.Flow{}, err
	}
	return f, nil
}

// PutDelivery implements [store.Inbox].
func (s *Store) PutDelivery(ctx context.Context, d store.Delivery) (bool, error) {
	if err := d.Validate(); err != nil {
		return false, err
	}
	leave, err := s.enter(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	// Packed here, in the caller's goroutine and outside of the lock.
	room, ok := s.writer.rooms.Get().(*[]byte)
	if !ok {
		room = new([]byte)
	}
	body := s.packer.quick((*room)[:0], d.Body)
	in := newIncoming(&d, body)
	err = s.writer.do(&job{in: in})
	if *room = body; cap(body) <= maxRoom {
		s.writer.rooms.Put(room)
	}
	return in.put, err
}

// quick packs what does not stay for long: faster than bulk, and larger. The
// room is used if it suffices.
func (p *packer) quick(room, src []byte) []byte {
	most := 1 + s2.MaxEncodedLen(len(src))
	if cap(room) < most {
		room = make([]byte, most)
	}
	room = room[:most]
	room[0] = codecS2
	return stored(room[:1+len(s2.Encode(room[1:], src))], 0, src)
}

// Deliveries implements [store.Inbox].
func (s *Store) Deliveries(ctx context.Context, q store.DeliveryQuery) ([]store.Delivery, error) {
	var list []store.Delivery
	err := s.read(ctx, func(c *conn) error {
		// The bodies stay out of the sorting, and are read one by one.
		numbers, err := c.deliveryNumbers(ctx, &q, s.writer.recent)
		if err != nil {
			return err
		}
		size := 0
		for _, number := range numbers {
			err := c.each(ctx, func(r row) error {
				body, err := s.packer.open(nil, r.blob(9))
				if err != nil {
					return err
				}
				if size += len(body); size > pageBytes && len(list) > 0 {
					return errPageFull
				}
				list = append(list, store.Delivery{
					ID: r.text(0), Endpoint: r.text(1), Subject: r.text(2), Received: r.time(3), Status: store.DeliveryStatus(r.text(4)),
					Reason: r.text(5), Attempts: int(r.int(6)), NextAt: r.time(7), Meta: bytes.Clone(someBytes(r.blob(8))), Body: someBytes(body),
				})
				return nil
			}, "SELECT id, endpoint, subject, received, status, reason, attempts, next, meta, body FROM delivery WHERE num = ?1", number)
			if errors.Is(err, errPageFull) {
				return nil
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return list, err
}

// errPageFull ends the reading of a page.
var errPageFull = errors.New("page full")

// deliveryNumbers returns the numbers of what q asks for, in order.
func (c *conn) deliveryNumbers(ctx context.Context, q *store.DeliveryQuery, recent *recent) ([]int64, error) {
	where, args := []string{"true"}, []any{limit(q.Limit, 100)}
	add := func(condition string, value any) {
		args = append(args, value)
		where = append(where, fmt.Sprintf(condition, len(args)))
	}
	from := "delivery"
	switch {
	case q.ID != "":
	case q.Subject != "":
		from += " INDEXED BY delivery_subject"
	case q.Status == store.DeliveryNew:
		from += " INDEXED BY delivery_status" // most are ready: read them in order
	case q.Status != "" && !q.ReadyAt.IsZero():
		from += " INDEXED BY delivery_next" // few are ready: most wait for days
		where = append(where, "status <> 'new'")
	}
	if q.ID != "" {
		number, err := c.deliveryNumber(ctx, q.ID, recent)
		if err != nil || number == 0 {
			return nil, err
		}
		add("num = ?%d", number)
	}
	if q.Endpoint != "" {
		add("endpoint = ?%d", q.Endpoint)
	}
	if q.Subject != "" {
		add("subject = ?%d AND subject <> ''", q.Subject)
	}
	if q.Status != "" {
		add("status = ?%d", string(q.Status))
	}
	if !q.ReadyAt.IsZero() {
		add("coalesce(next, 0) <= ?%d", q.ReadyAt.UnixMilli())
	}
	if q.After != "" {
		number, err := c.deliveryNumber(ctx, q.After, recent)
		if err != nil {
			return nil, err
		}
		var received any
		placed, err := c.one(ctx, func(r row) { received = r[0] }, "SELECT received FROM delivery WHERE num = ?1", number)
		switch {
		case err != nil:
			return nil, err
		case placed && received == nil:
			add("(received IS NOT NULL OR id > ?%d)", q.After)
		case placed:
			args = append(args, received, q.After)
			where = append(where, fmt.Sprintf("(received, id) > (?%d, ?%d)", len(args)-1, len(args)))
		}
	}
	var numbers []int64
	err := c.each(ctx, func(r row) error {
		numbers = append(numbers, r.int(0))
		return nil
	}, "SELECT num FROM "+from+" WHERE "+strings.Join(where, " AND ")+" ORDER BY received, id LIMIT ?1", args...)
	return numbers, err
}

// someBytes is nil for an empty slice.
func someBytes(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

// UpdateDelivery implements [store.Inbox].
func (s *Store) UpdateDelivery(ctx context.Context, d store.Delivery) error {
	return s.write(ctx, func(t *tx) error {
		number, err := t.deliveryNumber(d.ID)
		if err == nil && number == 0 {
			err = store.ErrNotFound
		}
		if err != nil {
			return err
		}
		_, err = t.exec(background, "UPDATE delivery SET status = ?2, reason = ?3, attempts = ?4, next = ?5 WHERE num = ?1",
			number, string(d.Status), d.Reason, d.Attempts, d.NextAt)
		return err
	})
}

// Assign implements [store.Inbox].
func (s *Store) Assign(ctx context.Context, deliveryID string, a store.Assignment) error {
	if err := a.Validate(); err != nil {
		return err
	}
	payloads, left := make([][]byte, len(a.Items)), make(incomings, len(a.Rest))
	for i := range a.Items {
		payloads[i] = s.packer.bulk(nil, a.Items[i].Payload)
	}
	for i := range a.Rest {
		left[i] = newIncoming(&a.Rest[i], s.packer.bulk(nil, a.Rest[i].Body))
	}
	return s.write(ctx, func(t *tx) error {
		number, err := t.deliveryNumber(deliveryID)
		if err != nil || number == 0 {
			return err
		}
		for i := range a.Items {
			if err := t.putItem(&a.Items[i], payloads[i]); err != nil {
				return err
			}
		}
		for _, d := range a.Due {
			t.touch(d.Connection)
			if err := t.setDue(d); err != nil {
				return err
			}
		}
		if err := t.putDeliveries(left); err != nil {
			return err
		}
		if err := t.removeDelivery(number); err != nil {
			return err
		}
		return t.remember(nameOf(deliveryID))
	})
}

// putItem puts an item with its packed payload into the inbox of its user,
// unless the user was erased or its connection is not the user's.
func (t *tx) putItem(item *store.InboxItem, payload []byte) error {
	erased, err := t.isErased(background, item.User)
	if err != nil || erased {
		return err
	}
	_, err = t.exec(background, `INSERT INTO inbox(id, user, connection, received, attempts, next, payload)
		SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE ?3 = '' OR EXISTS (SELECT 1 FROM connection WHERE id = ?3 AND user = ?2)
		ON CONFLICT(id, user) DO NOTHING`,
		item.ID, item.User, item.Connection, item.Received, item.Attempts, item.NextAt, payload)
	return err
}

// InboxItems implements [store.Inbox].
func (s *Store) InboxItems(ctx context.Context, q store.InboxQuery) ([]store.InboxItem, error) {
	if q.User == "" {
		return nil, invalid("inbox query without user")
	}
	var list []store.InboxItem
	size := 0
	err := s.read(ctx, func(c *conn) error {
		where, args, err := c.selectItems(ctx, &q)
		if err != nil {
			return err
		}
		err = c.each(ctx, func(r row) error {
			payload, err := s.packer.open(nil, r.blob(5))
			if err != nil {
				return err
			}
			if size += len(payload); size > pageBytes && len(list) > 0 {
				return errPageFull
			}
			list = append(list, store.InboxItem{
				ID: r.text(0), User: q.User, Connection: r.text(1), Received: r.time(2), Attempts: int(r.int(3)), NextAt: r.time(4),
				Payload: someBytes(payload),
			})
			return nil
		}, "SELECT id, connection, received, attempts, next, payload FROM inbox INDEXED BY inbox_user WHERE "+where+
			" ORDER BY received, id LIMIT ?2", args...)
		if errors.Is(err, errPageFull) {
			return nil
		}
		return err
	})
	return list, err
}

// selectItems returns the condition for what q asks for, and its arguments, of
// which the second is how many.
func (c *conn) selectItems(ctx context.Context, q *store.InboxQuery) (where string, args []any, err error) {
	var ready any
	if !q.ReadyAt.IsZero() {
		ready = q.ReadyAt.UnixMilli()
	}
	where = "user = ?1 AND (?3 = '' OR connection = ?3) AND (?4 IS NULL OR coalesce(next, 0) <= ?4)"
	args = []any{q.User, limit(q.Limit, 100), q.Connection, ready}
	if q.After == "" {
		return where, args, nil
	}
	var received any
	placed, err := c.one(ctx, func(r row) { received = r[0] }, "SELECT received FROM inbox WHERE user = ?1 AND id = ?2", q.User, q.After)
	switch {
	case err != nil || !placed:
	case received == nil:
		where, args = where+" AND (received IS NOT NULL OR id > ?5)", append(args, q.After)
	default:
		where, args = where+" AND (received, id) > (?5, ?6)", append(args, received, q.After)
	}
	return where, args, err
}

// UpdateItem implements [store.Inbox].
func (s *Store) UpdateItem(ctx context.Context, i store.InboxItem) error {
	if err := i.Validate(); err != nil {
		return err
	}
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec(background, "UPDATE inbox SET attempts = ?3, next = ?4 WHERE id = ?1 AND user = ?2", i.ID, i.User, i.Attempts, i.NextAt)
		return err
	})
}
