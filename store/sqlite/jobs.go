package sqlite

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/vitalmux/vitalmux/store"
)

// PutJob implements [store.Jobs].
func (s *Store) PutJob(ctx context.Context, j store.Job) error {
	if err := j.Validate(); err != nil {
		return err
	}
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec(background, `INSERT INTO job(id, provider, kind, sealed, receipt, created, attempts, reason, next)
			VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT(id) DO NOTHING`,
			j.ID, j.Provider, j.Kind, optional(j.Sealed), j.Receipt, j.CreatedAt, j.Attempts, j.Reason, j.NextAt)
		return err
	})
}

// Jobs implements [store.Jobs].
func (s *Store) Jobs(ctx context.Context, q store.JobQuery) ([]store.Job, error) {
	where, args := []string{"true"}, []any{limit(q.Limit, 100)}
	add := func(condition string, value any) {
		args = append(args, value)
		where = append(where, fmt.Sprintf(condition, len(args)))
	}
	if q.ID != "" {
		add("id = ?%d", q.ID)
	}
	if q.Receipt != "" {
		add("receipt = ?%d", q.Receipt)
	}
	if !q.ReadyAt.IsZero() {
		add("coalesce(next, 0) <= ?%d", q.ReadyAt.UnixMilli())
	}
	var list []store.Job
	err := s.read(ctx, func(c *conn) error {
		if q.After != "" {
			next := int64(0)
			placed, err := c.one(ctx, func(r row) { next = r.int(0) }, "SELECT coalesce(next, 0) FROM job WHERE id = ?1", q.After)
			if err != nil {
				return err
			}
			if placed {
				args = append(args, next, q.After)
				where = append(where, fmt.Sprintf("(coalesce(next, 0), id) > (?%d, ?%d)", len(args)-1, len(args)))
			}
		}
		return c.each(ctx, func(r row) error {
			list = append(list, store.Job{
				ID: r.text(0), Provider: r.text(1), Kind: r.text(2), Sealed: bytes.Clone(r.blob(3)), Receipt: r.text(4), CreatedAt: r.time(5),
				Attempts: int(r.int(6)), Reason: r.text(7), NextAt: r.time(8),
			})
			return nil
		}, "SELECT id, provider, kind, sealed, receipt, created, attempts, reason, next FROM job WHERE "+
			strings.Join(where, " AND ")+" ORDER BY coalesce(next, 0), id LIMIT ?1", args...)
	})
	return list, err
}

// UpdateJob implements [store.Jobs].
func (s *Store) UpdateJob(ctx context.Context, j store.Job) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec(background, "UPDATE job SET sealed = ?2, attempts = ?3, reason = ?4, next = ?5 WHERE id = ?1",
			j.ID, optional(j.Sealed), j.Attempts, j.Reason, j.NextAt)
		if err == nil && n == 0 {
			err = store.ErrNotFound
		}
		return err
	})
}

// DeleteJob implements [store.Jobs].
func (s *Store) DeleteJob(ctx context.Context, id string) error {
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec(background, "DELETE FROM job WHERE id = ?1", id)
		return err
	})
}

// setting returns a value, not nil if there is one.
func (c *conn) setting(ctx context.Context, user, name string) ([]byte, error) {
	var value []byte
	_, err := c.one(ctx, func(r row) { value = append([]byte{}, r.blob(0)...) },
		"SELECT value FROM setting WHERE user = ?1 AND name = ?2", user, name)
	return value, err
}

// Setting implements [store.Settings].
func (s *Store) Setting(ctx context.Context, user, name string) ([]byte, error) {
	var value []byte
	err := s.read(ctx, func(c *conn) (err error) {
		if value, err = c.setting(ctx, user, name); err == nil && value == nil {
			err = store.ErrNotFound
		}
		return err
	})
	return value, err
}

// SwapSetting implements [store.Settings].
func (s *Store) SwapSetting(ctx context.Context, user, name string, old, value []byte) error {
	if err := (&store.Setting{User: user, Name: name}).Validate(); err != nil {
		return err
	}
	return s.write(ctx, func(t *tx) error {
		if user != "" {
			if err := t.checkErased(background, user); err != nil {
				return err
			}
		}
		stored, err := t.setting(background, user, name)
		if err != nil {
			return err
		}
		if (stored == nil) != (old == nil) || !bytes.Equal(stored, old) {
			return fmt.Errorf("sqlite: setting: %w", store.ErrConflict)
		}
		if value == nil {
			_, err = t.exec(background, "DELETE FROM setting WHERE user = ?1 AND name = ?2", user, name)
			return err
		}
		_, err = t.exec(background, `INSERT INTO setting(user, name, value) VALUES(?1, ?2, ?3)
			ON CONFLICT(name, user) DO UPDATE SET value = excluded.value`, user, name, value)
		return err
	})
}

// Settings implements [store.Settings].
func (s *Store) Settings(ctx context.Context, name, after string, n int) ([]store.Setting, error) {
	var list []store.Setting
	err := s.read(ctx, func(c *conn) error {
		return c.each(ctx, func(r row) error {
			list = append(list, store.Setting{User: r.text(0), Name: name, Value: append([]byte{}, r.blob(1)...)})
			return nil
		}, "SELECT user, value FROM setting WHERE name = ?1 AND user > ?2 ORDER BY user LIMIT ?3", name, after, limit(n, 1000))
	})
	return list, err
}
