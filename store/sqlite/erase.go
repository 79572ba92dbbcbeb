package sqlite

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"slices"

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
	return e, s.writer.check.truncate(s.writer.patience)
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
	if e.InboxItems, err = t.exec(background, "DELETE FROM inbox WHERE user = ?1", user); err != nil {
		return e, err
	}
	var deliveries []int64
	if err := t.each(background, func(r row) error {
		deliveries = append(deliveries, r.int(0))
		return nil
	}, `SELECT DISTINCT d.num FROM connection AS c CROSS JOIN delivery AS d ON d.subject = c.upstream
		WHERE c.user = ?1 AND d.subject <> '' AND d.status IN (?2, ?3)
			AND (d.endpoint = c.provider OR substr(d.endpoint, 1, length(c.provider) + 1) = c.provider || '/')`,
		user, string(store.DeliveryParked), string(store.DeliveryDead)); err != nil {
		return e, err
	}
	e.Deliveries = len(deliveries)
	for _, number := range deliveries {
		if err := t.removeDelivery(number); err != nil {
			return e, err
		}
	}
	if len(deliveries) > 0 {
		// Other processes may keep their ids as recent ones.
		if err := t.settleDeliveries(); err != nil {
			return e, err
		}
	}
	if e.Settings, err = t.exec(background, "DELETE FROM setting WHERE user = ?1", user); err != nil {
		return e, err
	}
	// Left by processes that died, perhaps for a connection that was gone.
	if _, err := t.exec(background, "DELETE FROM lease WHERE until <= ?1", t.now); err != nil {
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
	if _, err := t.exec(background, forgetGhostsOf, person); err != nil {
		return e, err
	}
	if err := t.dropChanges("person = ?1", person); err != nil {
		return e, err
	}
	for _, table := range []string{"progress", "link"} {
		if _, err := t.exec(background, "DELETE FROM "+table+" WHERE person = ?1", person); err != nil {
			return e, err
		}
	}
	if _, err := t.exec(background, "DELETE FROM person WHERE id = ?1", person); err != nil {
		return e, err
	}
	if _, err = t.exec(background, "DELETE FROM flow WHERE user = ?1", user); err != nil {
		return e, err
	}
	return e, t.scrub()
}

// scrub overwrites what SQLite leaves behind when it moves rows to other pages:
// secure_delete covers rows that are deleted, not the places that they were at
// before. All pages are read; those that hold something are written.
func (t *tx) scrub() error {
	var pages []int64
	if err := t.each(background, func(r row) error {
		if gap := unallocated(r.int(0), r.blob(1)); slices.ContainsFunc(gap, func(b byte) bool { return b != 0 }) {
			pages = append(pages, r.int(0))
		}
		return nil
	}, `SELECT s.pageno, p.data FROM dbstat AS s CROSS JOIN sqlite_dbpage AS p ON p.pgno = s.pageno
		WHERE s.pagetype IN ('leaf', 'internal')`); err != nil {
		return err
	}
	for _, number := range pages {
		var page []byte
		if _, err := t.one(background, func(r row) { page = slices.Clone(r.blob(0)) },
			"SELECT data FROM sqlite_dbpage WHERE pgno = ?1", number); err != nil {
			return err
		}
		clear(unallocated(number, page))
		if _, err := t.exec(background, "UPDATE sqlite_dbpage SET data = ?2 WHERE pgno = ?1", number, page); err != nil {
			return err
		}
	}
	return nil
}

// unallocated returns the part of a page of a tree between the array of its
// cells and their content (https://sqlite.org/fileformat2.html#b_tree_pages).
func unallocated(number int64, page []byte) []byte {
	header := page
	if number == 1 {
		header = page[100:]
	}
	from, to := 8+2*int(binary.BigEndian.Uint16(header[3:])), int(binary.BigEndian.Uint16(header[5:]))
	if kind := header[0]; kind == 2 || kind == 5 { // an interior page: the header is longer
		from += 4
	}
	from += len(page) - len(header)
	return page[min(from, to, len(page)):min(to, len(page))]
}
