package redis

import (
	"context"
	"maps"
	"slices"

	goredis "github.com/redis/go-redis/v9"

	"github.com/vitalmux/vitalmux/store"
)

// Erase implements [store.Store]. The user's scope is marked first, so that
// nothing is written to it any more; then everything of the endpoint scope goes
// that the scope leads to, and last the scope itself but for the mark. After a
// crash in between the same way is gone again.
func (s *Store) Erase(ctx context.Context, user string) (store.Erasure, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return store.Erasure{}, err
	}
	defer end()
	if user == "" {
		return store.Erasure{}, invalid("user")
	}
	sc := s.user(user)
	if err := s.update(ctx, sc, nil, nil, func(t *tx) error {
		if !t.head.erased {
			t.head.erased = true
			t.do("hset", sc.key(), "erased", "1")
		}
		return nil
	}); err != nil {
		return store.Erasure{}, err
	}
	if err := s.noteErased(ctx, user); err != nil {
		return store.Erasure{}, err
	}
	// Nothing of the scope changes from here on, but by another Erase.
	var e store.Erasure
	connections, err := s.eraseEndpoint(ctx, sc, user, &e)
	if err != nil {
		return e, err
	}
	return e, s.eraseScope(ctx, sc, connections, &e)
}

// eraseEndpoint removes what the endpoint scope holds of the user, and returns
// the connections.
func (s *Store) eraseEndpoint(ctx context.Context, sc scope, user string, e *store.Erasure) ([]string, error) {
	var facts, flows, notes map[string]string
	if err := s.on(ctx, sc.key(), func(c *goredis.Client) (err error) {
		if facts, err = c.HGetAll(ctx, sc.part("k")).Result(); err != nil {
			return err
		}
		if flows, err = c.HGetAll(ctx, sc.part("g")).Result(); err != nil {
			return err
		}
		notes, err = c.HGetAll(ctx, sc.part("t")).Result()
		return err
	}); err != nil {
		return nil, err
	}
	if err := s.dropFlows(ctx, user, slices.Collect(maps.Keys(flows))); err != nil {
		return nil, err
	}
	for _, note := range notes {
		over, err := s.noted(ctx, sc, note)
		if err != nil {
			return nil, err
		}
		if _, there := facts[over.connection]; !there && over.claim != "" {
			facts[over.connection] = "" // as one of which only the data is left
		}
		over.claim = "" // it goes with the fact
		if err := s.disclaim(ctx, over); err != nil {
			return nil, err
		}
	}
	for id, value := range facts {
		upstream := ""
		if value != "" {
			c, err := decodeConnection(id, value)
			if err != nil {
				return nil, err
			}
			n, err := s.removeWaiting(ctx, &c)
			if err != nil {
				return nil, err
			}
			e.Connections++
			e.Deliveries += n
			upstream = upstreamField(c.Provider, c.UpstreamID)
		}
		if err := s.dropDue(ctx, id); err != nil {
			return nil, err
		}
		over, err := s.claimed(ctx, sc, id, upstream)
		if err != nil {
			return nil, err
		}
		if err := s.disclaim(ctx, over); err != nil {
			return nil, err
		}
		s.resolver.drop(id)
	}
	if err := s.on(ctx, s.indexKey("scopes"), func(c *goredis.Client) error {
		return c.ZRem(ctx, s.indexKey("scopes"), sc.tag(s)).Err()
	}); err != nil {
		return nil, err
	}
	if err := s.on(ctx, s.feedKey("scopes"), func(c *goredis.Client) error {
		return c.ZRem(ctx, s.feedKey("scopes"), sc.tag(s)).Err()
	}); err != nil {
		return nil, err
	}
	names := s.settingKey("names")
	return slices.Collect(maps.Keys(facts)), s.on(ctx, names, func(c *goredis.Client) error {
		list, err := c.SMembers(ctx, names).Result()
		if err != nil {
			return err
		}
		return queue(ctx, c.Pipeline(), func(p goredis.Pipeliner) {
			for _, name := range list {
				p.ZRem(ctx, s.settingKey("users:"+name), user)
			}
		})
	})
}

// eraseScope removes all keys of a user's scope, and leaves the mark.
func (s *Store) eraseScope(ctx context.Context, sc scope, connections []string, e *store.Erasure) error {
	before := *e
	return s.update(ctx, sc, nil, nil, func(t *tx) error {
		counts := before
		keys := []any{"unlink", sc.key()}
		for _, letter := range []string{"k", "d", "m", "f", "a", "i", "j", "e", "r", "g", "t"} {
			keys = append(keys, sc.part(letter))
		}
		type counted struct {
			heads       *goredis.StringSliceCmd
			chunks, raw *goredis.IntCmd
		}
		var each []counted
		var fences []*goredis.StringSliceCmd
		var metrics *goredis.StringSliceCmd
		var items *goredis.MapStringStringCmd
		var settings *goredis.IntCmd
		var feed *goredis.StringSliceCmd
		if err := t.read(func(p goredis.Pipeliner) {
			items, settings = p.HGetAll(ctx, sc.part("i")), p.HLen(ctx, sc.part("e"))
			metrics = p.HKeys(ctx, sc.part("m"))
			feed = p.ZRange(ctx, sc.part("f"), 0, -1)
			for _, id := range connections {
				each = append(each, counted{p.HVals(ctx, sc.of("h", id)), p.HLen(ctx, sc.of("s", id)), p.HLen(ctx, sc.of("w", id))})
				fences = append(fences, p.HKeys(ctx, sc.of("n", id)))
			}
		}); err != nil {
			return err
		}
		counts.InboxItems, counts.Settings = len(items.Val()), int(settings.Val())
		for id, value := range items.Val() {
			i, err := decodeItem(id, value)
			if err != nil {
				return err
			}
			if i.body != "" {
				keys = append(keys, sc.of("j", i.body))
			}
		}
		for _, value := range feed.Val() {
			b, err := decodeBlock(s.packer, value)
			if err != nil {
				return err
			}
			counts.Changes += len(b.changes)
		}
		for _, metric := range metrics.Val() {
			keys = append(keys, sc.of("o", metric))
		}
		for i, id := range connections {
			for _, value := range each[i].heads.Val() {
				counts.Records += newDecoder(value).count() // one that is damaged goes uncounted
			}
			counts.SampleChunks += int(each[i].chunks.Val())
			counts.RawPages += int(each[i].raw.Val())
			keys = append(keys, sc.of("c", id), sc.of("n", id))
			for _, key := range dataKeys(sc, id) {
				keys = append(keys, key)
			}
			for _, name := range fences[i].Val() {
				keys = append(keys, sc.lease(id, name))
			}
		}
		t.head = head{erased: true, nonces: t.head.nonces}
		t.do(keys...)
		*e = counts
		return nil
	})
}
