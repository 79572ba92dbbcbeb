package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/store"
)

// settledFor is how long the id of a delivery that was removed is remembered.
const settledFor = 7 * 24 * time.Hour

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

// TakeFlow implements [store.Flows].
func (s *Store) TakeFlow(ctx context.Context, id string) (store.Flow, error) {
	var f store.Flow
	err := s.write(ctx, func(t *tx) error {
		found, err := t.one(background, func(r row) {
			f = store.Flow{ID: id, Provider: r.text(0), User: r.text(1), RedirectURL: r.text(2), Sealed: r.blob(3), ExpiresAt: r.time(4)}
		}, "SELECT provider, user, redirect, sealed, expires FROM flow WHERE id = ?1", id)
		if err != nil {
			return err
		}
		if !found || !t.now.Before(f.ExpiresAt) {
			return store.ErrNotFound
		}
		_, err = t.exec(background, "DELETE FROM flow WHERE id = ?1", id)
		return err
	})
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
	// Compressed here, in the caller's goroutine and outside of the lock.
	body := s.packer.bulk(nil, d.Body)
	put := false
	err := s.write(ctx, func(t *tx) (err error) {
		put, err = t.putDelivery(&d, body)
		return err
	})
	return put, err
}

// putDelivery stores d with its packed body, unless it is or lately was there.
func (t *tx) putDelivery(d *store.Delivery, body []byte) (bool, error) {
	if _, err := t.exec(background, "DELETE FROM delivered WHERE at < ?1", t.now.Add(-settledFor).UnixMilli()); err != nil {
		return false, err
	}
	n, err := t.exec(background, `INSERT INTO delivery(id, endpoint, subject, received, status, reason, attempts, next, meta, body)
		SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10 WHERE NOT EXISTS (SELECT 1 FROM delivered WHERE id = ?1)
		ON CONFLICT(id) DO NOTHING`,
		d.ID, d.Endpoint, d.Subject, d.Received, string(d.Status), d.Reason, d.Attempts, d.NextAt, d.Meta, body)
	return n > 0, err
}

// Deliveries implements [store.Inbox].
func (s *Store) Deliveries(ctx context.Context, q store.DeliveryQuery) ([]store.Delivery, error) {
	var list []store.Delivery
	err := s.read(ctx, func(c *conn) error {
		// The bodies stay out of the sorting, and are read one by one.
		ids, err := c.deliveryIDs(ctx, &q)
		if err != nil {
			return err
		}
		size := 0
		for _, id := range ids {
			err := c.each(ctx, func(r row) error {
				body, err := s.packer.open(nil, r.blob(8))
				if err != nil {
					return err
				}
				if size += len(body); size > pageBytes && len(list) > 0 {
					return errPageFull
				}
				list = append(list, store.Delivery{
					ID: id, Endpoint: r.text(0), Subject: r.text(1), Received: r.time(2), Status: store.DeliveryStatus(r.text(3)),
					Reason: r.text(4), Attempts: int(r.int(5)), NextAt: r.time(6), Meta: bytes.Clone(someBytes(r.blob(7))), Body: someBytes(body),
				})
				return nil
			}, "SELECT endpoint, subject, received, status, reason, attempts, next, meta, body FROM delivery WHERE id = ?1", id)
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

// deliveryIDs returns the ids of what q asks for, in order.
func (c *conn) deliveryIDs(ctx context.Context, q *store.DeliveryQuery) ([]string, error) {
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
	}
	if q.ID != "" {
		add("id = ?%d", q.ID)
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
		var received any
		placed, err := c.one(ctx, func(r row) { received = r[0] }, "SELECT received FROM delivery WHERE id = ?1", q.After)
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
	var ids []string
	err := c.each(ctx, func(r row) error {
		ids = append(ids, r.text(0))
		return nil
	}, "SELECT id FROM "+from+" WHERE "+strings.Join(where, " AND ")+" ORDER BY received, id LIMIT ?1", args...)
	return ids, err
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
		n, err := t.exec(background, "UPDATE delivery SET status = ?2, reason = ?3, attempts = ?4, next = ?5 WHERE id = ?1",
			d.ID, string(d.Status), d.Reason, d.Attempts, d.NextAt)
		if err == nil && n == 0 {
			err = store.ErrNotFound
		}
		return err
	})
}

// Assign implements [store.Inbox].
func (s *Store) Assign(ctx context.Context, deliveryID string, items []store.InboxItem, rest []store.Delivery) error {
	payloads, bodies := make([][]byte, len(items)), make([][]byte, len(rest))
	for i := range items {
		if err := items[i].Validate(); err != nil {
			return err
		}
		payloads[i] = s.packer.bulk(nil, items[i].Payload)
	}
	for i := range rest {
		if err := rest[i].Validate(); err != nil {
			return err
		}
		bodies[i] = s.packer.bulk(nil, rest[i].Body)
	}
	return s.write(ctx, func(t *tx) error {
		if found, err := t.one(background, func(row) {}, "SELECT 1 FROM delivery WHERE id = ?1", deliveryID); err != nil || !found {
			return err
		}
		for i := range items {
			if err := t.putItem(&items[i], payloads[i]); err != nil {
				return err
			}
		}
		for i := range rest {
			if _, err := t.putDelivery(&rest[i], bodies[i]); err != nil {
				return err
			}
		}
		if _, err := t.exec(background, "DELETE FROM delivery WHERE id = ?1", deliveryID); err != nil {
			return err
		}
		_, err := t.exec(background, "INSERT INTO delivered(id, at) VALUES(?1, ?2) ON CONFLICT DO NOTHING", deliveryID, t.now)
		return err
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
	var ready any
	if !q.ReadyAt.IsZero() {
		ready = q.ReadyAt.UnixMilli()
	}
	var list []store.InboxItem
	size := 0
	err := s.read(ctx, func(c *conn) error {
		err := c.each(ctx, func(r row) error {
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
		}, `SELECT id, connection, received, attempts, next, payload FROM inbox INDEXED BY inbox_user
			WHERE user = ?1 AND (?3 = '' OR connection = ?3) AND (?4 IS NULL OR coalesce(next, 0) <= ?4)
			ORDER BY received, id LIMIT ?2`, q.User, limit(q.Limit, 100), q.Connection, ready)
		if errors.Is(err, errPageFull) {
			return nil
		}
		return err
	})
	return list, err
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
