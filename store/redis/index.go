package redis

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/vitalmux/vitalmux/store"
)

// The index leads from connections, and from upstream ids, to where the facts
// are. Its entries are claims: made before the fact, and not believed without
// it. A claim begins with 16 digits of when it was made, and a space.
//
// Who wants to write a fact makes its claim within guardTime, which a key with
// that lifetime watches over; a claim without a fact is only taken for left
// over when it is as old as staleAfter by the server's clock, or was seen
// unchanged for as long. So two processes never write facts of one claim.
//
// A scope has notes of the claims that may be there without a fact: from before
// one is made until its fact is written, and from when the fact goes until it is
// taken back. Erase thereby finds what a process left that died in between.
const (
	guardTime  = 5 * time.Second
	staleAfter = 2 * guardTime
	stampSize  = 17
)

// resolver remembers which scope a connection belongs to. What it says is
// verified where it is used.
type resolver struct {
	mu     sync.Mutex
	scopes map[string]scope
}

const resolverSize = 100_000

func (r *resolver) get(connection string) (scope, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	sc, ok := r.scopes[connection]
	return sc, ok
}

func (r *resolver) put(connection string, sc scope) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.scopes == nil || len(r.scopes) >= resolverSize {
		r.scopes = map[string]scope{}
	}
	r.scopes[connection] = sc
}

func (r *resolver) drop(connection string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.scopes, connection)
}

// resolve returns the scope of a connection; false if it has none.
func (s *Store) resolve(ctx context.Context, connection string) (sc scope, cached, ok bool, err error) {
	if sc, ok := s.resolver.get(connection); ok {
		return sc, true, true, nil
	}
	var value string
	key := s.indexKey("connections")
	err = s.on(ctx, key, func(c *goredis.Client) error {
		var err error
		if value, err = c.HGet(ctx, key, connection).Result(); errors.Is(err, goredis.Nil) {
			return nil
		}
		return err
	})
	if err != nil || len(value) < stampSize {
		return "", false, false, err
	}
	sc = s.scopeOfTag(value[stampSize:])
	s.resolver.put(connection, sc)
	return sc, false, true, nil
}

// at calls op with the scope of a connection, which reports whether the
// connection was there. If not, and the scope was only remembered, it asks the
// index and calls op again. It returns false if the connection is nowhere.
func (s *Store) at(ctx context.Context, connection string, op func(sc scope) (bool, error)) (bool, error) {
	for {
		sc, cached, ok, err := s.resolve(ctx, connection)
		if err != nil || !ok {
			return false, err
		}
		found, err := op(sc)
		if found || err != nil {
			return found, err
		}
		s.resolver.drop(connection)
		if !cached {
			return false, nil
		}
	}
}

// claimKeys are the keys of the scripts about claims.
func (s *Store) claimKeys() []string {
	return []string{s.indexKey("connections"), s.indexKey("order"), s.indexKey("upstream"), s.indexKey("scopes")}
}

// upstreamField names an account at a provider, "" for none.
func upstreamField(provider, upstream string) string {
	if upstream == "" {
		return ""
	}
	e := encoder{}
	e.text(provider)
	return string(e.b) + upstream
}

// guard makes a key of the scope that ends soon, and the note of claims that are
// about to be made.
func (s *Store) guard(ctx context.Context, sc scope, c *claims) error {
	c.guard = sc.of("u", newNonce())
	return s.apply(ctx, c.guard, func(p goredis.Pipeliner) {
		p.Set(ctx, c.guard, "1", guardTime)
		p.HSet(ctx, sc.part("t"), c.note, c.names())
	})
}

// claims are what stands in the index.
type claims struct {
	connection, claim string
	upstream, upClaim string // the field and its claim
	guard             string // a key, while facts may be written
	note              string // the field of the scope's notes
}

// names are what a note has of the claims.
func (c *claims) names() []byte {
	e := newEncoder()
	e.text(c.connection)
	e.text(c.upstream)
	return e.b
}

// noted returns the claims that a note names, as they stand in the index.
func (s *Store) noted(ctx context.Context, sc scope, note string) (*claims, error) {
	d := newDecoder(note)
	connection, upstream := d.text(), d.text()
	if err := d.end(); err != nil {
		return nil, err
	}
	return s.claimed(ctx, sc, connection, upstream)
}

// claim claims a connection for the scope, and an upstream id for the
// connection unless the field is "". ErrInvalid if the connection is another
// user's, ErrConflict if the upstream id is another connection's. Who writes the
// fact takes out the note.
func (s *Store) claim(ctx context.Context, sc scope, connection, upstream string) (*claims, error) {
	made := &claims{connection: connection, upstream: upstream, note: newNonce()}
	stale := map[string]string{}
	var seen string // the claim that stands against it, since when
	var since time.Time
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		if err := s.guard(ctx, sc, made); err != nil {
			return nil, err
		}
		reply, err := s.runCopied(ctx, s.scripts.claim, s.claimKeys(), connection, sc.tag(s), upstream, stale["connection"], stale["upstream"])
		if err != nil {
			return nil, err
		}
		parts, ok := reply.([]any)
		if !ok || len(parts) != 3 {
			return nil, ErrDamaged
		}
		var answer [3]string
		for i := range answer {
			answer[i], _ = parts[i].(string)
		}
		what, value := answer[0], answer[1]
		if len(value) < stampSize {
			return nil, ErrDamaged
		}
		var there bool
		switch what {
		case "ok":
			made.claim, made.upClaim = value, answer[2]
			return made, nil
		case "connection":
			if there, err = s.belongs(ctx, s.scopeOfTag(value[stampSize:]), connection); there {
				return nil, errors.Join(invalid("connection of another user"), s.forget(ctx, sc, made))
			}
		default:
			if there, err = s.occupies(ctx, value[stampSize:], upstream); there {
				return nil, errors.Join(store.ErrConflict, s.forget(ctx, sc, made))
			}
		}
		if err != nil {
			return nil, err
		}
		if value != seen {
			seen, since = value, time.Now()
		}
		// By the server's clock it is in the future if that was set back.
		age, err := strconv.ParseInt(answer[2], 10, 64)
		if err != nil || age >= staleAfter.Milliseconds() || time.Since(since) >= staleAfter {
			stale[what] = value
			continue
		}
		if err := sleep(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// claimed reads the claims of a connection and of an upstream id, as far as
// they are the scope's and the connection's: where another user has the
// connection by now, its upstream id is that user's too. It is called before the
// fact goes: a claim that somebody makes for the next fact is another.
func (s *Store) claimed(ctx context.Context, sc scope, connection, upstream string) (*claims, error) {
	var claim, up *goredis.StringCmd
	if err := s.view(ctx, s.indexKey("connections"), func(p goredis.Pipeliner) {
		claim, up = p.HGet(ctx, s.indexKey("connections"), connection), p.HGet(ctx, s.indexKey("upstream"), upstream)
	}); err != nil {
		return nil, err
	}
	c := &claims{connection: connection, upstream: upstream}
	if value := claim.Val(); len(value) > stampSize {
		if value[stampSize:] != sc.tag(s) {
			return c, nil
		}
		c.claim = value
	}
	if value := up.Val(); len(value) > stampSize && value[stampSize:] == connection {
		c.upClaim = value
	}
	return c, nil
}

// disclaim takes claims back that still are what they were.
func (s *Store) disclaim(ctx context.Context, c *claims) error {
	_, err := s.run(ctx, s.scripts.disclaim, s.claimKeys()[:3], c.connection, c.claim, c.upstream, c.upClaim)
	return err
}

// note adds the note of claims that are to be taken back once the change is made.
func (t *tx) note(c *claims) {
	c.note = newNonce()
	t.do("hset", t.sc.part("t"), c.note, c.names())
}

// withdraw takes back claims of which there is a note.
func (s *Store) withdraw(ctx context.Context, sc scope, c *claims) error {
	if err := s.disclaim(ctx, c); err != nil {
		return err
	}
	return s.forget(ctx, sc, c)
}

// forget takes out the note of claims that are not there.
func (s *Store) forget(ctx context.Context, sc scope, c *claims) error {
	key := sc.part("t")
	return s.on(ctx, key, func(r *goredis.Client) error { return r.HDel(ctx, key, c.note).Err() })
}

// belongs reports whether the connection is in the scope.
func (s *Store) belongs(ctx context.Context, sc scope, connection string) (bool, error) {
	var found bool
	key := sc.part("k")
	err := s.on(ctx, key, func(c *goredis.Client) error {
		var err error
		found, err = c.HExists(ctx, key, connection).Result()
		return err
	})
	return found, err
}

// occupies reports whether the connection is there and has the upstream id.
func (s *Store) occupies(ctx context.Context, connection, upstream string) (bool, error) {
	c, err := s.connection(ctx, connection)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && upstreamField(c.Provider, c.UpstreamID) == upstream, err
}
