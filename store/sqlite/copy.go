package sqlite

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/vitalmux/vitalmux/store"
)

var _ store.Copyable = (*Store)(nil)

// Users implements [store.Copyable].
func (s *Store) Users(ctx context.Context, after string, n int) ([]string, error) {
	return s.names(ctx, `SELECT name FROM person WHERE name > ?1
		UNION SELECT user FROM connection WHERE user > ?1
		UNION SELECT user FROM setting WHERE user > ?1 ORDER BY 1 LIMIT ?2`, after, n)
}

// SettingNames implements [store.Copyable].
func (s *Store) SettingNames(ctx context.Context, after string, n int) ([]string, error) {
	return s.names(ctx, "SELECT DISTINCT name FROM setting WHERE name > ?1 ORDER BY 1 LIMIT ?2", after, n)
}

func (s *Store) names(ctx context.Context, query, after string, n int) ([]string, error) {
	var list []string
	err := s.read(ctx, func(c *conn) error {
		return c.each(ctx, func(r row) error {
			list = append(list, r.text(0))
			return nil
		}, query, after, limit(n, 1000))
	})
	return list, err
}

// ErasedUsers implements [store.Copyable].
func (s *Store) ErasedUsers(ctx context.Context) (store.Erased, error) {
	var e store.Erased
	err := s.read(ctx, func(c *conn) error {
		if _, err := c.one(ctx, func(r row) { e.Key = bytes.Clone(r.blob(0)) }, "SELECT value FROM meta WHERE name = 'erase_key'"); err != nil {
			return err
		}
		return c.each(ctx, func(r row) error {
			e.Prints = append(e.Prints, [sha256.Size]byte(r.blob(0)))
			return nil
		}, "SELECT print FROM erased ORDER BY print")
	})
	return e, err
}

// PutErasedUsers implements [store.Copyable].
func (s *Store) PutErasedUsers(ctx context.Context, e store.Erased) error {
	if len(e.Key) != sha256.Size {
		return invalid("key of erased users")
	}
	return s.write(ctx, func(t *tx) error {
		var key []byte
		if _, err := t.one(background, func(r row) { key = bytes.Clone(r.blob(0)) }, "SELECT value FROM meta WHERE name = 'erase_key'"); err != nil {
			return err
		}
		if !bytes.Equal(key, e.Key) {
			some, err := t.one(background, func(row) {}, "SELECT 1 FROM erased LIMIT 1")
			if err != nil {
				return err
			}
			if some {
				return fmt.Errorf("sqlite: erased users: %w", store.ErrConflict)
			}
			if _, err := t.exec(background, "UPDATE meta SET value = ?1 WHERE name = 'erase_key'", e.Key); err != nil {
				return err
			}
		}
		for _, print := range e.Prints {
			if _, err := t.exec(background, "INSERT INTO erased(print, at) VALUES(?1, ?2) ON CONFLICT DO NOTHING", print[:], t.now); err != nil {
				return err
			}
		}
		return nil
	})
}
