package redis

import (
	"context"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/vitalmux/vitalmux/store"
)

// A flow is a key that ends by itself, by the server's clock, in a scope of its
// own. The user's scope has its id, so that erasing the user finds it.

func (s *Store) flowKey(id string) string { return s.scopeOf("flow", id).key() }

// takenKey is where a flow that was taken is for a minute.
func takenKey(flow string) string { return flow + ":taken" }

// PutFlow implements [store.Flows].
func (s *Store) PutFlow(ctx context.Context, f store.Flow) error {
	end, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if f.ID == "" {
		return invalid("flow")
	}
	sc := s.user(f.User)
	if f.User != "" {
		if err := s.noteFlow(ctx, sc, &f); err != nil {
			return err
		}
	}
	e := newEncoder()
	e.text(newNonce())
	e.text(f.Provider)
	e.text(f.User)
	e.text(f.RedirectURL)
	e.bytes(f.Sealed)
	e.time(f.ExpiresAt)
	key := s.flowKey(f.ID)
	reply, err := s.run(ctx, s.scripts.putFlow, []string{key}, e.b, max(1, milli(f.ExpiresAt)))
	if err != nil {
		return err
	}
	if put, _ := reply.(int64); put == 0 {
		return store.ErrConflict
	}
	if f.User == "" {
		return nil
	}
	// Whoever erased the user meanwhile may have looked before the flow was
	// there.
	var erased bool
	if err := s.on(ctx, sc.key(), func(c *goredis.Client) (err error) {
		erased, err = c.HExists(ctx, sc.key(), "erased").Result()
		return err
	}); err != nil || !erased {
		return err
	}
	if err := s.dropFlows(ctx, f.User, []string{f.ID}); err != nil {
		return err
	}
	return store.ErrErased
}

// noteFlow writes the id of a flow into the user's scope, and forgets those
// that ended.
func (s *Store) noteFlow(ctx context.Context, sc scope, f *store.Flow) error {
	var notes *goredis.MapStringStringCmd
	return s.update(ctx, sc, nil, func(p goredis.Pipeliner) {
		notes = p.HGetAll(ctx, sc.part("g"))
	}, func(t *tx) error {
		if err := t.open(f.User); err != nil {
			return err
		}
		for id, value := range notes.Val() {
			d := newDecoder(value)
			if until := d.int(); d.end() != nil || until < t.now/1000 {
				t.do("hdel", sc.part("g"), id)
			}
		}
		e := newEncoder()
		e.time(f.ExpiresAt)
		t.do("hset", sc.part("g"), f.ID, e.b)
		return nil
	})
}

// dropFlows removes the flows that are the user's. A note may be of one that was
// refused because another user has its id.
func (s *Store) dropFlows(ctx context.Context, user string, ids []string) error {
	for _, id := range ids {
		key := s.flowKey(id)
		taken := takenKey(key)
		if err := s.on(ctx, key, func(c *goredis.Client) error {
			// In this order: one that is taken meanwhile is found there.
			if value, err := c.Get(ctx, key).Result(); err == nil && ownerOf(value) == user {
				if err := c.Del(ctx, key).Err(); err != nil {
					return err
				}
			} else if err != nil && !isNil(err) {
				return err
			}
			value, err := c.HGet(ctx, taken, "flow").Result()
			if err == nil && ownerOf(value) == user {
				err = c.Del(ctx, taken).Err()
			}
			if isNil(err) {
				return nil
			}
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// ownerOf returns the user of a stored flow, "" for none.
func ownerOf(flow string) string {
	d := newDecoder(flow)
	d.text()
	d.text()
	return d.text()
}

// Flow implements [store.Flows].
func (s *Store) Flow(ctx context.Context, id string) (store.Flow, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return store.Flow{}, err
	}
	defer end()
	key := s.flowKey(id)
	value, found := "", false
	err = s.on(ctx, key, func(c *goredis.Client) (err error) {
		if value, err = c.Get(ctx, key).Result(); isNil(err) {
			return nil
		}
		found = err == nil
		return err
	})
	if err == nil && !found {
		err = store.ErrNotFound
	}
	if err != nil {
		return store.Flow{}, err
	}
	return flowOf(id, value)
}

// flowOf decodes a stored flow.
func flowOf(id, value string) (store.Flow, error) {
	d := newDecoder(value)
	d.text() // the nonce of the put
	f := store.Flow{ID: id, Provider: d.text(), User: d.text(), RedirectURL: d.text(), Sealed: d.bytes(), ExpiresAt: d.time()}
	if err := d.end(); err != nil {
		return store.Flow{}, err
	}
	if f.ExpiresAt.IsZero() || f.ExpiresAt.Before(time.UnixMilli(0)) {
		return store.Flow{}, store.ErrNotFound
	}
	return f, nil
}

// TakeFlow implements [store.Flows].
func (s *Store) TakeFlow(ctx context.Context, id string) (store.Flow, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return store.Flow{}, err
	}
	defer end()
	key := s.flowKey(id)
	reply, err := s.run(ctx, s.scripts.takeFlow, []string{key, takenKey(key)}, newNonce())
	if err != nil {
		return store.Flow{}, err
	}
	value, ok := reply.(string)
	if !ok {
		return store.Flow{}, store.ErrNotFound
	}
	f, err := flowOf(id, value)
	if err != nil {
		return store.Flow{}, err
	}
	// The answer is here: nobody asks for it again. The copy goes before the
	// note, which leads an erasure to it.
	failed := s.on(ctx, key, func(c *goredis.Client) error { return c.Del(ctx, takenKey(key)).Err() })
	if f.User != "" && failed == nil {
		// The flow is taken, whatever becomes of its note: the next flow
		// removes what ended.
		notes := s.user(f.User).part("g")
		_ = s.on(ctx, notes, func(c *goredis.Client) error { return c.HDel(ctx, notes, id).Err() })
	}
	return f, nil
}
