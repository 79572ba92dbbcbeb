package sqlite

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/store"
)

// settledFor is how long the id of a delivery that was removed is remembered.
const settledFor = 7 * 24 * time.Hour

// maxID bounds the ids of the endpoint scope.
const maxID = 4 << 10

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
	if d.ID == "" || len(d.ID) > maxID {
		return false, invalid("delivery")
	}
	// Compressed here, in the caller's goroutine and outside of the lock.
	body := s.packer.bulk(nil, d.Body)
	put := false
	err := s.write(ctx, func(t *tx) error {
		if _, err := t.exec(background, "DELETE FROM delivered WHERE at < ?1", t.now.Add(-settledFor).UnixMilli()); err != nil {
			return err
		}
		n, err := t.exec(background, `INSERT INTO delivery(id, endpoint, received, status, reason, attempts, next, meta, body)
			SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 WHERE NOT EXISTS (SELECT 1 FROM delivered WHERE id = ?1)
			ON CONFLICT(id) DO NOTHING`,
			d.ID, d.Endpoint, d.Received, string(d.Status), d.Reason, d.Attempts, d.NextAt, d.Meta, body)
		put = n > 0
		return err
	})
	return put, err
}

// Deliveries implements [store.Inbox].
func (s *Store) Deliveries(ctx context.Context, q store.DeliveryQuery) ([]store.Delivery, error) {
	where, args := []string{"true"}, []any{limit(q.Limit, 100)}
	add := func(condition string, value any) {
		args = append(args, value)
		where = append(where, fmt.Sprintf(condition, len(args)))
	}
	if q.Endpoint != "" {
		add("endpoint = ?%d", q.Endpoint)
	}
	if q.Status != "" {
		add("status = ?%d", string(q.Status))
	}
	if !q.ReadyAt.IsZero() {
		add("(next IS NULL OR next <= ?%d)", q.ReadyAt.UnixMilli())
	}
	var list []store.Delivery
	err := s.read(ctx, func(c *conn) error {
		return c.each(ctx, func(r row) error {
			body, err := s.packer.open(nil, r.blob(8))
			if err != nil {
				return err
			}
			list = append(list, store.Delivery{
				ID: r.text(0), Endpoint: r.text(1), Received: r.time(2), Status: store.DeliveryStatus(r.text(3)),
				Reason: r.text(4), Attempts: int(r.int(5)), NextAt: r.time(6), Meta: someBytes(r.blob(7)), Body: someBytes(body),
			})
			return nil
		}, "SELECT id, endpoint, received, status, reason, attempts, next, meta, body FROM delivery WHERE "+
			strings.Join(where, " AND ")+" ORDER BY received, id LIMIT ?1", args...)
	})
	return list, err
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
func (s *Store) Assign(ctx context.Context, deliveryID string, items []store.InboxItem) error {
	for i := range items {
		if items[i].ID == "" || items[i].User == "" {
			return invalid("inbox item without id or user")
		}
	}
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec(background, "DELETE FROM delivery WHERE id = ?1", deliveryID)
		if err != nil || n == 0 {
			return err
		}
		for i := range items {
			item := &items[i]
			erased, err := t.isErased(background, item.User)
			if err != nil {
				return err
			}
			if erased {
				continue
			}
			if _, err := t.exec(background, `INSERT INTO inbox(id, user, connection, received, payload) VALUES(?1, ?2, ?3, ?4, ?5)
				ON CONFLICT(id, user) DO NOTHING`, item.ID, item.User, item.Connection, item.Received, s.packer.bulk(nil, item.Payload)); err != nil {
				return err
			}
		}
		_, err = t.exec(background, "INSERT INTO delivered(id, at) VALUES(?1, ?2) ON CONFLICT DO NOTHING", deliveryID, t.now)
		return err
	})
}

// InboxItems implements [store.Inbox].
func (s *Store) InboxItems(ctx context.Context, user string, n int) ([]store.InboxItem, error) {
	var list []store.InboxItem
	err := s.read(ctx, func(c *conn) error {
		return c.each(ctx, func(r row) error {
			payload, err := s.packer.open(nil, r.blob(3))
			if err != nil {
				return err
			}
			list = append(list, store.InboxItem{
				ID: r.text(0), User: user, Connection: r.text(1), Received: r.time(2), Payload: someBytes(payload),
			})
			return nil
		}, "SELECT id, connection, received, payload FROM inbox WHERE user = ?1 ORDER BY received, id LIMIT ?2", user, limit(n, 100))
	})
	return list, err
}
