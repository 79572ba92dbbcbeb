package redis

import (
	"context"

	goredis "github.com/redis/go-redis/v9"

	"github.com/vitalmux/vitalmux/store"
)

// credentialField is the field of a connection's credential.
const credentialField = "c"

// Credential implements [store.Credentials].
func (s *Store) Credential(ctx context.Context, connection string) (store.Credential, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return store.Credential{}, err
	}
	defer end()
	var value string
	_, err = s.at(ctx, connection, func(sc scope) (bool, error) {
		var registered *goredis.BoolCmd
		var got *goredis.StringCmd
		err := s.view(ctx, sc.key(), func(p goredis.Pipeliner) {
			registered = p.HExists(ctx, sc.part("k"), connection)
			got = p.HGet(ctx, sc.of("c", connection), credentialField)
		})
		value = got.Val()
		return err == nil && registered.Val(), err
	})
	if err != nil {
		return store.Credential{}, err
	}
	if value == "" {
		return store.Credential{}, store.ErrNotFound
	}
	return decodeCredential(connection, value)
}

// changeCredential makes one change to the credential of a connection: decide
// is given what is stored, nil for none, and whether the connection is there,
// and returns what to store.
func (s *Store) changeCredential(ctx context.Context, connection string, lease *store.Lease,
	decide func(old *store.Credential, there bool) (store.Credential, error)) error {
	found, err := s.at(ctx, connection, func(sc scope) (bool, error) {
		var fact, got, held *goredis.StringCmd
		var watch []string
		if lease != nil {
			watch = []string{sc.lease(connection, lease.Name)}
		}
		registered := false
		err := s.update(ctx, sc, watch, func(p goredis.Pipeliner) {
			fact = p.HGet(ctx, sc.part("k"), connection)
			got = p.HGet(ctx, sc.of("c", connection), credentialField)
			if lease != nil {
				held = p.Get(ctx, watch[0])
			}
		}, func(t *tx) error {
			if registered = fact.Err() == nil; !registered {
				return nil
			}
			if lease != nil && !holds(held.Val(), lease) {
				return store.ErrLeaseLost
			}
			var old *store.Credential
			revision := int64(0)
			if got.Val() != "" {
				stored, err := decodeCredential(connection, got.Val())
				if err != nil {
					return err
				}
				old, revision = &stored, stored.Revision
			}
			c, err := decide(old, fact.Val() != "")
			if err != nil {
				return err
			}
			// By the server's clock, so that it also rises from one credential
			// to the next of a connection that was deleted.
			c.Revision = max(revision+1, t.now)
			t.do("hset", sc.of("c", connection), credentialField, encodeCredential(&c))
			return nil
		})
		return registered, err
	})
	if err != nil || found {
		return err
	}
	// Nowhere: there is no connection and no credential.
	if lease != nil {
		held, err := s.heldElsewhere(ctx, lease)
		if err != nil {
			return err
		}
		if !held {
			return store.ErrLeaseLost
		}
	}
	_, err = decide(nil, false)
	return err
}

// PutGrant implements [store.Credentials].
func (s *Store) PutGrant(ctx context.Context, replaces string, c store.Credential) error {
	end, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if c.Connection == "" || c.Grant == "" {
		return invalid("credential without connection or grant")
	}
	return s.changeCredential(ctx, c.Connection, nil, func(old *store.Credential, there bool) (store.Credential, error) {
		grant := ""
		if old != nil {
			grant = old.Grant
		}
		switch {
		case !there:
			return c, store.ErrNotFound
		case grant != replaces:
			return c, store.ErrConflict
		}
		return c, nil
	})
}

// SwapCredential implements [store.Credentials].
func (s *Store) SwapCredential(ctx context.Context, grant, consumed string, c store.Credential) error {
	end, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if c.Connection == "" || grant == "" || c.Grant != grant {
		return invalid("credential of another grant")
	}
	return s.changeCredential(ctx, c.Connection, nil, func(old *store.Credential, _ bool) (store.Credential, error) {
		if old == nil || old.Grant != grant || old.RefreshPrint != consumed {
			return c, store.ErrConflict
		}
		return c, nil
	})
}

// UpdateCredential implements [store.Credentials].
func (s *Store) UpdateCredential(ctx context.Context, c store.Credential) error {
	end, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if c.Connection == "" || c.Grant == "" {
		return invalid("credential without connection or grant")
	}
	return s.changeCredential(ctx, c.Connection, nil, func(old *store.Credential, _ bool) (store.Credential, error) {
		if old == nil || old.Grant != c.Grant || old.Revision != c.Revision {
			return c, store.ErrConflict
		}
		return c, nil
	})
}

// BeginAttempt implements [store.Credentials].
func (s *Store) BeginAttempt(ctx context.Context, l store.Lease, grant string, a store.Attempt) error {
	end, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	return s.changeCredential(ctx, l.Connection, &l, func(old *store.Credential, _ bool) (store.Credential, error) {
		if old == nil || old.Grant != grant || old.RefreshPrint != a.RefreshPrint {
			return store.Credential{}, store.ErrConflict
		}
		c := *old
		c.Attempt = &a
		return c, nil
	})
}
