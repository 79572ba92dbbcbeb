package redis

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/vitalmux/vitalmux/store"
)

// A lease is a key that ends by itself, by the server's clock. That of a
// connection is in its user's scope, so that a commit can watch it; for another
// name, or a connection that nobody has yet, it is in a scope of its own, and
// moves when the connection gets its user.

// holds reports whether the value of a lease's key is that of l.
func holds(value string, l *store.Lease) bool {
	owner, _, ok := strings.Cut(value, ":")
	return ok && owner == l.Owner
}

// apart returns the scope of a lease that is in no user's scope.
func (s *Store) apart(connection string) scope { return s.scopeOf("lease", connection) }

// Acquire implements [store.Leases].
func (s *Store) Acquire(ctx context.Context, connection, name string, ttl time.Duration) (store.Lease, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return store.Lease{}, err
	}
	defer end()
	if connection == "" || name == "" || ttl <= 0 {
		return store.Lease{}, invalid("lease")
	}
	var random [16]byte
	rand.Read(random[:])
	l := store.Lease{Connection: connection, Name: name, Owner: hex.EncodeToString(random[:])}
	for {
		found, err := s.at(ctx, connection, func(sc scope) (bool, error) { return s.acquire(ctx, sc, &l, ttl, connection) })
		if err != nil {
			return store.Lease{}, err
		}
		if found {
			return l, nil
		}
		sc := s.apart(connection)
		if _, err := s.acquire(ctx, sc, &l, ttl, ""); err != nil {
			return store.Lease{}, err
		}
		// Meanwhile the connection may have got its user.
		known, err := s.at(ctx, connection, func(at scope) (bool, error) { return s.belongs(ctx, at, connection) })
		if err == nil && !known {
			return l, nil
		}
		if release := s.release(ctx, sc, &l); err == nil {
			err = release
		}
		if err != nil {
			return store.Lease{}, err
		}
	}
}

// acquire takes the lease in a scope. It reports false if the scope has no such
// connection, unless that is "".
func (s *Store) acquire(ctx context.Context, sc scope, l *store.Lease, ttl time.Duration, connection string) (bool, error) {
	keys := []string{sc.lease(l.Connection, l.Name), sc.of("n", l.Connection), sc.part("k")}
	reply, err := s.run(ctx, s.scripts.acquire, keys, l.Owner, milliseconds(ttl), l.Name, connection)
	if err != nil {
		return false, err
	}
	fence, now, err := twoNumbers(reply)
	switch {
	case err != nil:
		return false, err
	case fence < 0:
		return false, nil
	case fence == 0:
		return false, store.ErrLeaseHeld
	}
	l.Fence, l.Until = fence, time.UnixMilli(now+milliseconds(ttl)).UTC()
	return true, nil
}

func milliseconds(d time.Duration) int64 { return max(1, d.Milliseconds()) }

func twoNumbers(reply any) (a, b int64, err error) {
	list, ok := reply.([]any)
	if !ok || len(list) != 2 {
		return 0, 0, ErrDamaged
	}
	a, ok = list[0].(int64)
	b, both := list[1].(int64)
	if !ok || !both {
		return 0, 0, ErrDamaged
	}
	return a, b, nil
}

// Renew implements [store.Leases].
func (s *Store) Renew(ctx context.Context, l store.Lease, ttl time.Duration) (store.Lease, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return store.Lease{}, err
	}
	defer end()
	if ttl <= 0 {
		return store.Lease{}, invalid("lease")
	}
	sc, _, err := s.home(ctx, &l)
	if err != nil {
		return store.Lease{}, err
	}
	reply, err := s.run(ctx, s.scripts.renew, []string{sc.lease(l.Connection, l.Name)}, l.Owner, milliseconds(ttl))
	if err != nil {
		return store.Lease{}, err
	}
	fence, now, err := twoNumbers(reply)
	if err != nil {
		return store.Lease{}, err
	}
	if fence == 0 {
		return store.Lease{}, store.ErrLeaseLost
	}
	l.Fence, l.Until = fence, time.UnixMilli(now+milliseconds(ttl)).UTC()
	return l, nil
}

// Release implements [store.Leases].
func (s *Store) Release(ctx context.Context, l store.Lease) error {
	end, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	sc, _, err := s.home(ctx, &l)
	if err != nil {
		return err
	}
	return s.release(ctx, sc, &l)
}

func (s *Store) release(ctx context.Context, sc scope, l *store.Lease) error {
	_, err := s.run(ctx, s.scripts.release, []string{sc.lease(l.Connection, l.Name)}, l.Owner)
	return err
}

// home returns the scope of a lease, and its value there.
func (s *Store) home(ctx context.Context, l *store.Lease) (sc scope, value string, err error) {
	found, err := s.at(ctx, l.Connection, func(at scope) (bool, error) {
		sc = at
		var registered *goredis.BoolCmd
		var got *goredis.StringCmd
		err := s.view(ctx, sc.key(), func(p goredis.Pipeliner) {
			registered = p.HExists(ctx, sc.part("k"), l.Connection)
			got = p.Get(ctx, sc.lease(l.Connection, l.Name))
		})
		value = got.Val()
		return err == nil && registered.Val(), err
	})
	if err != nil || found {
		return sc, value, err
	}
	sc = s.apart(l.Connection)
	key := sc.lease(l.Connection, l.Name)
	err = s.on(ctx, key, func(c *goredis.Client) (err error) {
		if value, err = c.Get(ctx, key).Result(); errors.Is(err, goredis.Nil) {
			err = nil
		}
		return err
	})
	return sc, value, err
}

// heldElsewhere reports whether a lease is held for a connection that nobody
// has.
func (s *Store) heldElsewhere(ctx context.Context, l *store.Lease) (bool, error) {
	_, value, err := s.home(ctx, l)
	return err == nil && holds(value, l), err
}

// adoptLeases moves the leases of a connection that just got its user into the
// user's scope: from its claim on nobody takes one elsewhere.
func (s *Store) adoptLeases(ctx context.Context, sc scope, connection string) error {
	from := s.apart(connection)
	var names map[string]string
	if err := s.on(ctx, from.of("n", connection), func(c *goredis.Client) (err error) {
		names, err = c.HGetAll(ctx, from.of("n", connection)).Result()
		return err
	}); err != nil || len(names) == 0 {
		return err
	}
	for name, fence := range names {
		var value *goredis.StringCmd
		var left *goredis.DurationCmd
		old := from.lease(connection, name)
		if err := s.view(ctx, old, func(p goredis.Pipeliner) {
			value, left = p.Get(ctx, old), p.PTTL(ctx, old)
		}); err != nil {
			return err
		}
		if err := s.apply(ctx, sc.key(), func(p goredis.Pipeliner) {
			p.HSetNX(ctx, sc.of("n", connection), name, fence)
			if value.Val() != "" && left.Val() > 0 {
				p.SetNX(ctx, sc.lease(connection, name), value.Val(), left.Val())
			}
		}); err != nil {
			return err
		}
		if err := s.apply(ctx, old, func(p goredis.Pipeliner) {
			p.Del(ctx, old)
			p.HDel(ctx, from.of("n", connection), name)
		}); err != nil {
			return err
		}
	}
	return nil
}
