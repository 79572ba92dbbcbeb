package sqlite

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"time"

	"github.com/vitalmux/vitalmux/store"
)

// cut returns t as a store keeps it.
func cut(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMilli(t.UnixMilli()).UTC()
}

// holds returns until when l is held, or ErrLeaseLost.
func (c *conn) holds(ctx context.Context, l store.Lease, now time.Time) (time.Time, error) {
	owner, until := "", time.Time{}
	if _, err := c.one(ctx, func(r row) { owner, until = r.text(0), r.time(1) },
		"SELECT owner, until FROM lease WHERE connection = ?1 AND name = ?2", l.Connection, l.Name); err != nil {
		return time.Time{}, err
	}
	if owner == "" || owner != l.Owner || !now.Before(until) {
		return time.Time{}, store.ErrLeaseLost
	}
	return until, nil
}

// Acquire implements [store.Leases].
func (s *Store) Acquire(ctx context.Context, connection, name string, ttl time.Duration) (store.Lease, error) {
	if connection == "" || name == "" || ttl <= 0 {
		return store.Lease{}, invalid("lease")
	}
	var random [16]byte
	if _, err := rand.Read(random[:]); err != nil {
		return store.Lease{}, err
	}
	l := store.Lease{Connection: connection, Name: name, Owner: hex.EncodeToString(random[:])}
	err := s.write(ctx, func(t *tx) error {
		var until time.Time
		if _, err := t.one(background, func(r row) { until = r.time(0) },
			"SELECT until FROM lease WHERE connection = ?1 AND name = ?2", connection, name); err != nil {
			return err
		}
		if t.now.Before(until) {
			return store.ErrLeaseHeld
		}
		t.touch(connection)
		if _, err := t.one(background, func(r row) { l.Fence = r.int(0) }, `INSERT INTO meta(name, value) VALUES('fence', 1)
			ON CONFLICT(name) DO UPDATE SET value = value + 1 RETURNING value`); err != nil {
			return err
		}
		l.Until = cut(t.now.Add(ttl))
		_, err := t.exec(background, `INSERT INTO lease(connection, name, owner, fence, until) VALUES(?1, ?2, ?3, ?4, ?5)
			ON CONFLICT(connection, name) DO UPDATE SET owner = excluded.owner, fence = excluded.fence, until = excluded.until`,
			connection, name, l.Owner, l.Fence, l.Until)
		return err
	})
	if err != nil {
		return store.Lease{}, err
	}
	return l, nil
}

// Renew implements [store.Leases].
func (s *Store) Renew(ctx context.Context, l store.Lease, ttl time.Duration) (store.Lease, error) {
	if ttl <= 0 {
		return store.Lease{}, invalid("lease")
	}
	err := s.write(ctx, func(t *tx) error {
		if _, err := t.holds(background, l, t.now); err != nil {
			return err
		}
		t.touch(l.Connection)
		l.Until = cut(t.now.Add(ttl))
		_, err := t.one(background, func(r row) { l.Fence = r.int(0) },
			"UPDATE lease SET until = ?3 WHERE connection = ?1 AND name = ?2 RETURNING fence", l.Connection, l.Name, l.Until)
		return err
	})
	if err != nil {
		return store.Lease{}, err
	}
	return l, nil
}

// Release implements [store.Leases].
func (s *Store) Release(ctx context.Context, l store.Lease) error {
	return s.write(ctx, func(t *tx) error {
		t.touch(l.Connection)
		_, err := t.exec(background, "DELETE FROM lease WHERE connection = ?1 AND name = ?2 AND owner = ?3",
			l.Connection, l.Name, l.Owner)
		return err
	})
}

// SetDue implements [store.Scheduler].
func (s *Store) SetDue(ctx context.Context, d store.Due) error {
	if err := d.Validate(); err != nil {
		return err
	}
	return s.write(ctx, func(t *tx) error {
		t.touch(d.Connection)
		return t.setDue(d)
	})
}

// Due implements [store.Scheduler].
func (s *Store) Due(ctx context.Context, task string, now time.Time, n int) ([]store.Due, error) {
	var list []store.Due
	err := s.read(ctx, func(c *conn) error {
		return c.each(ctx, func(r row) error {
			list = append(list, store.Due{Connection: r.text(0), Task: r.text(1), At: r.time(2)})
			return nil
		}, "SELECT connection, task, at FROM due WHERE at <= ?1 AND (?3 = '' OR task = ?3) ORDER BY at, connection, task LIMIT ?2",
			now.UnixMilli(), limit(n, 100), task)
	})
	return list, err
}

// NextDue implements [store.Scheduler].
func (s *Store) NextDue(ctx context.Context) (time.Time, bool, error) {
	var at time.Time
	found := false
	err := s.read(ctx, func(c *conn) (err error) {
		found, err = c.one(ctx, func(r row) { at = r.time(0) }, "SELECT at FROM due ORDER BY at LIMIT 1")
		return err
	})
	return at, found, err
}
