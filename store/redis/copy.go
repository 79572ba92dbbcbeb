package redis

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/vitalmux/vitalmux/store"
)

var _ store.Copyable = (*Store)(nil)

// eraseKeyField holds the key of the prints of erased users. It is not the
// secret that names scopes: that never changes.
const eraseKeyField = "erase_key"

func (s *Store) erasedKey() string { return s.indexKey("erased") }

// print returns the print of a user under the present key. ErrDamaged if the
// servers were emptied since the store was opened: its secret is not theirs.
func (s *Store) print(ctx context.Context, user string) ([]byte, error) {
	var values []any
	meta := s.indexKey("meta")
	if err := s.on(ctx, meta, func(c *goredis.Client) (err error) {
		values, err = c.HMGet(ctx, meta, "secret", eraseKeyField).Result()
		return err
	}); err != nil {
		return nil, err
	}
	secret, _ := values[0].(string)
	key, _ := values[1].(string)
	if secret != string(s.secret) || len(key) != sha256.Size {
		return nil, fmt.Errorf("%w: %s", ErrDamaged, meta)
	}
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(user))
	return mac.Sum(nil), nil
}

// wasErased reports whether the prints have the user.
func (s *Store) wasErased(ctx context.Context, user string) (erased bool, err error) {
	print, err := s.print(ctx, user)
	if err != nil {
		return false, err
	}
	err = s.on(ctx, s.erasedKey(), func(c *goredis.Client) (err error) {
		erased, err = c.SIsMember(ctx, s.erasedKey(), print).Result()
		return err
	})
	return erased, err
}

// noteErased adds the user to the prints.
func (s *Store) noteErased(ctx context.Context, user string) error {
	print, err := s.print(ctx, user)
	if err != nil {
		return err
	}
	return s.on(ctx, s.erasedKey(), func(c *goredis.Client) error { return c.SAdd(ctx, s.erasedKey(), print).Err() })
}

// ErasedUsers implements [store.Copyable].
func (s *Store) ErasedUsers(ctx context.Context) (store.Erased, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return store.Erased{}, err
	}
	defer end()
	var key *goredis.StringCmd
	var prints *goredis.StringSliceCmd
	if err := s.view(ctx, s.indexKey("meta"), func(p goredis.Pipeliner) {
		key, prints = p.HGet(ctx, s.indexKey("meta"), eraseKeyField), p.SMembers(ctx, s.erasedKey())
	}); err != nil {
		return store.Erased{}, err
	}
	e := store.Erased{Key: []byte(key.Val())}
	for _, print := range slices.Sorted(slices.Values(prints.Val())) {
		if len(print) != sha256.Size {
			return store.Erased{}, ErrDamaged
		}
		e.Prints = append(e.Prints, [sha256.Size]byte([]byte(print)))
	}
	return e, nil
}

// PutErasedUsers implements [store.Copyable].
func (s *Store) PutErasedUsers(ctx context.Context, e store.Erased) error {
	end, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if len(e.Key) != sha256.Size {
		return invalid("key of erased users")
	}
	keys := []string{s.indexKey("meta"), s.erasedKey()}
	reply, err := s.run(ctx, s.scripts.eraseKey, keys, eraseKeyField, e.Key)
	if err != nil {
		return err
	}
	if n, _ := reply.(int64); n == 0 {
		return store.ErrConflict
	}
	if len(e.Prints) == 0 {
		return nil
	}
	prints := make([]any, len(e.Prints))
	for i := range e.Prints {
		prints[i] = e.Prints[i][:]
	}
	return s.on(ctx, keys[1], func(c *goredis.Client) error { return c.SAdd(ctx, keys[1], prints...).Err() })
}

// SettingNames implements [store.Copyable].
func (s *Store) SettingNames(ctx context.Context, after string, limit int) ([]string, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	names, err := s.settingNames(ctx)
	if err != nil {
		return nil, err
	}
	return namesAfter(slices.Sorted(maps.Keys(names)), after, limit), nil
}

// settingNames returns the names of all settings that there are or were.
func (s *Store) settingNames(ctx context.Context) (map[string]bool, error) {
	_, own := s.settingPlace("")
	var users, store *goredis.StringSliceCmd
	if err := s.view(ctx, own, func(p goredis.Pipeliner) {
		users, store = p.SMembers(ctx, s.settingKey("names")), p.HKeys(ctx, own)
	}); err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, name := range slices.Concat(users.Val(), store.Val()) {
		names[name] = true
	}
	return names, nil
}

// listing is a list of all users, for the pages that follow one.
type listing struct {
	mu    sync.Mutex
	names []string
	at    time.Time
}

// listedFor is how long pages are taken from a list of all users.
const listedFor = time.Minute

// Users implements [store.Copyable]. Scopes are not in the order of names: all
// of them are looked at, once for the pages of a minute. Who is new meanwhile is
// in a listing that begins later.
func (s *Store) Users(ctx context.Context, after string, limit int) ([]string, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	l := &s.listing
	l.mu.Lock()
	defer l.mu.Unlock()
	if after == "" || l.names == nil || time.Since(l.at) > listedFor {
		began := time.Now()
		names, err := s.allUsers(ctx)
		if err != nil {
			return nil, err
		}
		l.names, l.at = names, began
	}
	page := namesAfter(l.names, after, limit)
	if len(page) < pageLimit(limit, 1000) {
		l.names = nil
	}
	return slices.Clone(page), nil
}

// allUsers returns the names of all users, in order.
func (s *Store) allUsers(ctx context.Context) ([]string, error) {
	users := map[string]bool{}
	if err := s.eachScope(ctx, func(scopes []scope) error { return s.usersOf(ctx, scopes, users) }); err != nil {
		return nil, err
	}
	// Some have settings and nothing else.
	names, err := s.settingNames(ctx)
	if err != nil {
		return nil, err
	}
	for name := range names {
		index := s.settingKey("users:" + name)
		var listed []string
		if err := s.on(ctx, index, func(c *goredis.Client) (err error) {
			listed, err = c.ZRange(ctx, index, 0, -1).Result()
			return err
		}); err != nil {
			return nil, err
		}
		for some := range slices.Chunk(listed, feedBatch) {
			var scopes []scope
			for _, user := range some {
				scopes = append(scopes, s.user(user))
			}
			if err := s.usersOf(ctx, scopes, users); err != nil {
				return nil, err
			}
		}
	}
	return slices.Sorted(maps.Keys(users)), nil
}

// usersOf adds the users of scopes that have connections, data or settings.
func (s *Store) usersOf(ctx context.Context, scopes []scope, users map[string]bool) error {
	names := make([]*goredis.StringCmd, len(scopes))
	connections, settings := make([]*goredis.IntCmd, len(scopes)), make([]*goredis.IntCmd, len(scopes))
	if err := s.retry(ctx, func() error {
		return queue(ctx, s.client.Pipeline(), func(p goredis.Pipeliner) {
			for i, sc := range scopes {
				names[i] = p.HGet(ctx, sc.key(), "user")
				connections[i], settings[i] = p.HLen(ctx, sc.part("k")), p.HLen(ctx, sc.part("e"))
			}
		})
	}); err != nil {
		return err
	}
	for i := range scopes {
		if names[i].Val() != "" && connections[i].Val()+settings[i].Val() > 0 {
			users[names[i].Val()] = true
		}
	}
	return nil
}

// namesAfter returns the first of the names after one; they are in order.
func namesAfter(names []string, after string, limit int) []string {
	first, found := slices.BinarySearch(names, after)
	if found {
		first++
	}
	names = names[first:]
	return names[:min(len(names), pageLimit(limit, 1000))]
}
