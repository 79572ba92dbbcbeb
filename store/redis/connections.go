package redis

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	goredis "github.com/redis/go-redis/v9"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

// PutConnection implements [store.Connections].
func (s *Store) PutConnection(ctx context.Context, c store.Connection) (store.Connection, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return store.Connection{}, err
	}
	defer end()
	if err := c.Validate(); err != nil {
		return store.Connection{}, err
	}
	sc := s.user(c.User)
	put, former, err := s.putConnection(ctx, sc, c, nil)
	for errors.Is(err, errUnclaimed) {
		// What can be refused without a claim was not.
		var made *claims
		if made, err = s.claim(ctx, sc, c.ID, upstreamField(c.Provider, c.UpstreamID)); err != nil {
			break
		}
		if err = s.adoptLeases(ctx, sc, c.ID); err != nil {
			break
		}
		if put, former, err = s.putConnection(ctx, sc, c, made); errors.Is(err, store.ErrErased) {
			err = errors.Join(err, s.withdraw(ctx, sc, made))
		}
	}
	if err != nil {
		return store.Connection{}, err
	}
	if former != nil {
		err = s.withdraw(ctx, sc, former)
	}
	s.resolver.put(c.ID, sc)
	return put, err
}

// errUnclaimed says that a fact needs a claim first.
var errUnclaimed = errors.New("redis: unclaimed")

// putConnection writes c under the guard of its claims, nil for none. It also
// returns the claim of an upstream id that is not needed any more.
func (s *Store) putConnection(ctx context.Context, sc scope, c store.Connection, made *claims) (put store.Connection, former *claims, err error) {
	var watch []string
	guard := sc.of("u", "")
	if made != nil {
		guard = made.guard
		watch = []string{guard}
	}
	var old *goredis.StringCmd
	var alive *goredis.IntCmd
	err = s.update(ctx, sc, watch, func(p goredis.Pipeliner) {
		old = p.HGet(ctx, sc.part("k"), c.ID)
		alive = p.Exists(ctx, guard)
		p.HLen(ctx, sc.part("t"))
	}, func(t *tx) error {
		if err := t.open(c.User); err != nil {
			return err
		}
		var stored store.Connection
		if old.Val() != "" {
			var err error
			if stored, err = decodeConnection(c.ID, old.Val()); err != nil {
				return err
			}
			if stored.Provider != c.Provider {
				return invalid("provider of a connection changed")
			}
		}
		if stored.Version != c.Version {
			if old.Err() != nil && made == nil {
				// Perhaps it is another user's, which is worse.
				other, err := s.elsewhere(ctx, sc, c.ID)
				if err != nil {
					return err
				}
				if other {
					return invalid("user of a connection changed")
				}
			}
			return store.ErrConflict
		}
		field := upstreamField(c.Provider, c.UpstreamID)
		registered := old.Err() == nil
		same := stored.Version > 0 && upstreamField(stored.Provider, stored.UpstreamID) == field
		if (!registered || !same && field != "") && alive.Val() == 0 {
			return errUnclaimed
		}
		former = nil
		if stored.UpstreamID != "" && !same {
			var err error
			if former, err = s.claimed(ctx, sc, c.ID, upstreamField(stored.Provider, stored.UpstreamID)); err != nil {
				return err
			}
			former.claim = "" // the connection stays
			t.note(former)
		}
		put = c
		put.Scopes = slices.Clone(c.Scopes)
		put.CreatedAt = timeOf(milli(c.CreatedAt))
		put.Coverage = nil
		put.Version++
		t.do("hset", sc.part("k"), c.ID, encodeConnection(&put))
		if made != nil {
			t.do("hdel", sc.part("t"), made.note)
		}
		return nil
	})
	return put, former, err
}

// elsewhere reports whether the connection is another user's.
func (s *Store) elsewhere(ctx context.Context, sc scope, connection string) (bool, error) {
	return s.at(ctx, connection, func(other scope) (bool, error) {
		if other == sc {
			return false, nil
		}
		return s.belongs(ctx, other, connection)
	})
}

// Connection implements [store.Connections].
func (s *Store) Connection(ctx context.Context, id string) (store.Connection, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return store.Connection{}, err
	}
	defer end()
	return s.connection(ctx, id)
}

func (s *Store) connection(ctx context.Context, id string) (store.Connection, error) {
	var c store.Connection
	_, err := s.at(ctx, id, func(sc scope) (bool, error) {
		value, found, err := s.field(ctx, sc.part("k"), id)
		if err == nil && value != "" {
			c, err = decodeConnection(id, value)
		}
		return found, err
	})
	if err == nil && c.ID == "" {
		err = store.ErrNotFound
	}
	return c, err
}

// field reads a field of a hash.
func (s *Store) field(ctx context.Context, key, field string) (value string, found bool, err error) {
	err = s.on(ctx, key, func(c *goredis.Client) error {
		var err error
		value, err = c.HGet(ctx, key, field).Result()
		if found = err == nil; errors.Is(err, goredis.Nil) {
			err = nil
		}
		return err
	})
	return value, found, err
}

// Connections implements [store.Connections].
func (s *Store) Connections(ctx context.Context, q store.ConnectionQuery) ([]store.Connection, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	limit := pageLimit(q.Limit, 1000)
	switch {
	case q.Coverage && q.User == "":
		return nil, invalid("coverage of the connections of everybody")
	case q.User != "":
		return s.connectionsOf(ctx, &q, limit)
	case q.Provider != "" && q.UpstreamID != "":
		return s.connectionOf(ctx, &q)
	}
	var list []store.Connection
	for after := q.After; ; {
		ids, err := s.following(ctx, s.indexKey("order"), after, scanBatch)
		if err != nil || len(ids) == 0 {
			return list, err
		}
		found, err := s.connectionFacts(ctx, ids)
		if err != nil {
			return nil, err
		}
		for i := range found {
			if selects(&q, &found[i]) {
				if list = append(list, found[i]); len(list) == limit {
					return list, nil
				}
			}
		}
		after = ids[len(ids)-1]
	}
}

func selects(q *store.ConnectionQuery, c *store.Connection) bool {
	return (q.User == "" || c.User == q.User) && (q.Provider == "" || c.Provider == q.Provider) &&
		(q.UpstreamID == "" || c.UpstreamID == q.UpstreamID) && (q.State == "" || c.State == q.State) && c.ID > q.After
}

// connectionsOf lists the connections of one user.
func (s *Store) connectionsOf(ctx context.Context, q *store.ConnectionQuery, limit int) ([]store.Connection, error) {
	sc := s.user(q.User)
	fields, windows, err := s.facts(ctx, sc, q.Coverage)
	if err != nil {
		return nil, err
	}
	var list []store.Connection
	for id, value := range fields {
		if value == "" {
			continue
		}
		c, err := decodeConnection(id, value)
		if err != nil {
			return nil, err
		}
		if !selects(q, &c) {
			continue
		}
		if c.Coverage, err = decodeCoverage(windows[id]); err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b store.Connection) int { return cmp.Compare(a.ID, b.ID) })
	return list[:min(len(list), limit)], nil
}

// facts reads the facts of a user's connections and, if they are asked for in
// the same round trip, pairs of a stream and its windows of each.
func (s *Store) facts(ctx context.Context, sc scope, coverage bool) (facts map[string]string, windows map[string][]any, err error) {
	key := sc.part("k")
	if !coverage {
		err = s.on(ctx, key, func(c *goredis.Client) (err error) {
			facts, err = c.HGetAll(ctx, key).Result()
			return err
		})
		return facts, nil, err
	}
	reply, err := s.run(ctx, s.scripts.connections, []string{key}, sc.of("v", ""))
	if err != nil {
		return nil, nil, err
	}
	list, ok := reply.([]any)
	if !ok || len(list)%3 != 0 {
		return nil, nil, ErrDamaged
	}
	facts, windows = make(map[string]string), make(map[string][]any)
	for ; len(list) > 0; list = list[3:] {
		id, named := list[0].(string)
		fact, there := list[1].(string)
		pairs, read := list[2].([]any)
		if !named || !there || !read {
			return nil, nil, ErrDamaged
		}
		facts[id], windows[id] = fact, pairs
	}
	return facts, windows, nil
}

// decodeCoverage reads pairs of a stream and its windows.
func decodeCoverage(pairs []any) (map[string][]health.Window, error) {
	if len(pairs) == 0 {
		return nil, nil
	}
	coverage := make(map[string][]health.Window, len(pairs)/2)
	for ; len(pairs) > 1; pairs = pairs[2:] {
		stream, named := pairs[0].(string)
		value, there := pairs[1].(string)
		if !named || !there {
			return nil, ErrDamaged
		}
		var err error
		if coverage[stream], err = decodeWindows(value); err != nil {
			return nil, err
		}
	}
	return coverage, nil
}

// connectionOf finds the connection of an account.
func (s *Store) connectionOf(ctx context.Context, q *store.ConnectionQuery) ([]store.Connection, error) {
	value, _, err := s.field(ctx, s.indexKey("upstream"), upstreamField(q.Provider, q.UpstreamID))
	if err != nil || len(value) < stampSize {
		return nil, err
	}
	c, err := s.connection(ctx, value[stampSize:])
	if errors.Is(err, store.ErrNotFound) || err == nil && !selects(q, &c) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return []store.Connection{c}, nil
}

// connectionFacts reads those of the connections that are there, in order.
func (s *Store) connectionFacts(ctx context.Context, ids []string) ([]store.Connection, error) {
	key := s.indexKey("connections")
	var claims []any
	if err := s.on(ctx, key, func(c *goredis.Client) (err error) {
		claims, err = c.HMGet(ctx, key, ids...).Result()
		return err
	}); err != nil {
		return nil, err
	}
	values := make([]*goredis.StringCmd, len(ids))
	if err := s.retry(ctx, func() error {
		return queue(ctx, s.client.Pipeline(), func(p goredis.Pipeliner) {
			for i, claim := range claims {
				if text, _ := claim.(string); len(text) > stampSize {
					values[i] = p.HGet(ctx, s.scopeOfTag(text[stampSize:]).part("k"), ids[i])
				}
			}
		})
	}); err != nil {
		return nil, err
	}
	var list []store.Connection
	for i, v := range values {
		if v == nil || v.Val() == "" {
			continue
		}
		c, err := decodeConnection(ids[i], v.Val())
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}

// DeleteConnection implements [store.Connections].
func (s *Store) DeleteConnection(ctx context.Context, id string, data bool) error {
	end, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	_, err = s.at(ctx, id, func(sc scope) (bool, error) { return s.deleteConnection(ctx, sc, id, data) })
	if err == nil {
		err = s.dropDue(ctx, id)
	}
	return err
}

// deleteConnection removes the connection from the scope. It reports false if
// it was not there.
func (s *Store) deleteConnection(ctx context.Context, sc scope, id string, data bool) (bool, error) {
	var fact *goredis.StringCmd
	var fences, items, metrics *goredis.StringSliceCmd
	var heads *goredis.MapStringStringCmd
	var kept *goredis.IntCmd
	var there bool
	var over *claims
	err := s.update(ctx, sc, nil, func(p goredis.Pipeliner) {
		fact = p.HGet(ctx, sc.part("k"), id)
		fences = p.HKeys(ctx, sc.of("n", id))
		heads = p.HGetAll(ctx, sc.part("i"))
		items = p.HKeys(ctx, sc.part("d"))
		metrics = p.HKeys(ctx, sc.part("m"))
		kept = p.Exists(ctx, dataKeys(sc, id)...)
		p.HLen(ctx, sc.part("t"))
	}, func(t *tx) error {
		if there = fact.Err() == nil; !there {
			return nil
		}
		upstream := ""
		if fact.Val() != "" {
			c, err := decodeConnection(id, fact.Val())
			if err != nil {
				return err
			}
			upstream = upstreamField(c.Provider, c.UpstreamID)
		}
		var err error
		if over, err = s.claimed(ctx, sc, id, upstream); err != nil {
			return err
		}
		if err := t.removeWork(id, fences.Val(), heads.Val()); err != nil {
			return err
		}
		if data || kept.Val() == 0 {
			t.do("hdel", sc.part("k"), id)
		} else {
			t.do("hset", sc.part("k"), id, "")
			over.claim = "" // it leads to the data
		}
		t.note(over)
		if !data {
			return nil
		}
		return t.removeData(id, items.Val(), metrics.Val())
	})
	if err != nil || !there {
		return there, err
	}
	s.resolver.drop(id)
	return true, s.withdraw(ctx, sc, over)
}

// removeWork removes how a connection was synced, and its items.
func (t *tx) removeWork(id string, fences []string, items map[string]string) error {
	keys := []any{"unlink", t.sc.of("c", id), t.sc.of("n", id)}
	for _, name := range fences {
		keys = append(keys, t.sc.lease(id, name))
	}
	t.do(keys...)
	for item, value := range items {
		head, err := decodeItem(item, value)
		if err != nil {
			return err
		}
		if head.Connection == id {
			t.removeItem(&head)
		}
	}
	return nil
}

// dataKeys are the keys that hold the data of a connection.
func dataKeys(sc scope, id string) []string {
	var keys []string
	for _, letter := range strings.Split("v h b x p s z w y q", " ") {
		keys = append(keys, sc.of(letter, id))
	}
	return keys
}

// removeData removes the data of a connection.
func (t *tx) removeData(id string, groups, metrics []string) error {
	args := []any{"unlink"}
	for _, key := range dataKeys(t.sc, id) {
		args = append(args, key)
	}
	t.do(args...)
	for _, field := range groups {
		name, err := parseGroup(field)
		if err != nil {
			return err
		}
		if name.connection == id {
			t.do("hdel", t.sc.part("d"), field)
		}
	}
	owners := make([]*goredis.StringSliceCmd, len(metrics))
	if err := t.read(func(p goredis.Pipeliner) {
		for i, metric := range metrics {
			owners[i] = p.HKeys(t.ctx, t.sc.of("o", metric))
		}
	}); err != nil {
		return err
	}
	for i, metric := range metrics {
		for _, field := range owners[i].Val() {
			o, err := parseOwner(field)
			if err != nil {
				return err
			}
			if o.owner.Connection == id {
				t.do("hdel", t.sc.of("o", metric), field)
			}
		}
	}
	return nil
}

// pageLimit returns limit, or def for a limit that is not set.
func pageLimit(limit, def int) int {
	if limit <= 0 {
		return def
	}
	return limit
}
