package sqlite

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"

	"github.com/vitalmux/vitalmux/store"
)

// isErased reports whether the user was erased. What remains of an erased user
// is a digest under a key that only this file has.
func (c *conn) isErased(ctx context.Context, user string) (bool, error) {
	print, err := c.erasePrint(ctx, user)
	if err != nil {
		return false, err
	}
	return c.one(ctx, func(row) {}, "SELECT 1 FROM erased WHERE print = ?1", print)
}

func (c *conn) checkErased(ctx context.Context, user string) error {
	erased, err := c.isErased(ctx, user)
	if err == nil && erased {
		err = store.ErrErased
	}
	return err
}

func (c *conn) erasePrint(ctx context.Context, user string) ([]byte, error) {
	var key []byte
	if _, err := c.one(ctx, func(r row) { key = r.blob(0) }, "SELECT value FROM meta WHERE name = 'erase_key'"); err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(user))
	return mac.Sum(nil), nil
}

// Erase implements [store.Store]. Freed space is overwritten, and the log is
// emptied before it returns, as far as no reader holds on to it.
func (s *Store) Erase(ctx context.Context, user string) (store.Erasure, error) {
	if user == "" {
		return store.Erasure{}, invalid("user")
	}
	var e store.Erasure
	err := s.write(ctx, func(t *tx) (err error) {
		e, err = t.erase(user)
		return err
	})
	if err != nil {
		return store.Erasure{}, err
	}
	return e, s.writer.check.truncate()
}

func (t *tx) erase(user string) (store.Erasure, error) {
	var e store.Erasure
	t.dropped = true
	print, err := t.erasePrint(background, user)
	if err != nil {
		return e, err
	}
	if _, err := t.exec(background, "INSERT INTO erased(print, at) VALUES(?1, ?2) ON CONFLICT DO NOTHING", print, t.now); err != nil {
		return e, err
	}
	var connections []string
	if err := t.each(background, func(r row) error {
		connections = append(connections, r.text(0))
		return nil
	}, "SELECT id FROM connection WHERE user = ?1", user); err != nil {
		return e, err
	}
	e.Connections = len(connections)
	links := map[string]scope{}
	person := int64(0)
	if _, err := t.one(background, func(r row) { person = r.int(0) }, "SELECT id FROM person WHERE name = ?1", user); err != nil {
		return e, err
	}
	if err := t.each(background, func(r row) error {
		links[r.text(1)] = scope{user, person, r.int(0)}
		return nil
	}, "SELECT id, name FROM link WHERE person = ?1", person); err != nil {
		return e, err
	}
	for _, id := range connections {
		if err := t.removeConnection(id); err != nil {
			return e, err
		}
	}
	for connection, sc := range links {
		if err := t.removeConnection(connection); err != nil {
			return e, err
		}
		if err := t.removeData(connection, sc, &e, false); err != nil {
			return e, err
		}
	}
	if _, err := t.one(background, func(r row) { e.Changes = int(r.int(0)) },
		"SELECT coalesce(sum(last - first + 1), 0) FROM change WHERE person = ?1", person); err != nil {
		return e, err
	}
	if _, err := t.exec(background,
		"DELETE FROM ghost WHERE record IN (SELECT g.record FROM change AS c JOIN ghost AS g ON g.record BETWEEN c.first AND c.last WHERE c.person = ?1)",
		person); err != nil {
		return e, err
	}
	for _, table := range []string{"change", "progress", "link"} {
		if _, err := t.exec(background, "DELETE FROM "+table+" WHERE person = ?1", person); err != nil {
			return e, err
		}
	}
	if _, err := t.exec(background, "DELETE FROM person WHERE id = ?1", person); err != nil {
		return e, err
	}
	if e.InboxItems, err = t.exec(background, "DELETE FROM inbox WHERE user = ?1", user); err != nil {
		return e, err
	}
	_, err = t.exec(background, "DELETE FROM flow WHERE user = ?1", user)
	return e, err
}
