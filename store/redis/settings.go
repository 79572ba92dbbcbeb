package redis

import (
	"context"
	"errors"

	goredis "github.com/redis/go-redis/v9"

	"github.com/vitalmux/vitalmux/store"
)

// A user's settings are a hash of the user's scope, the store's own one of the
// endpoint scope. An index lists the users by the name of the setting; it is
// verified when it is read.

// settingPlace returns the scope and the key of a user's settings.
func (s *Store) settingPlace(user string) (scope, string) {
	if user == "" {
		sc := scope(s.prefix + "{settings}")
		return sc, sc.part("e")
	}
	sc := s.user(user)
	return sc, sc.part("e")
}

// Setting implements [store.Settings].
func (s *Store) Setting(ctx context.Context, user, name string) ([]byte, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	_, key := s.settingPlace(user)
	value, found, err := s.field(ctx, key, name)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, store.ErrNotFound
	}
	return []byte(value), nil
}

// SwapSetting implements [store.Settings].
func (s *Store) SwapSetting(ctx context.Context, user, name string, old, value []byte) error {
	end, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if err := (&store.Setting{User: user, Name: name}).Validate(); err != nil {
		return err
	}
	index := s.settingKey("users:" + name)
	listed := user == ""
	for {
		err := s.swapSetting(ctx, user, name, old, value, listed)
		if !errors.Is(err, errUnclaimed) {
			if errors.Is(err, store.ErrErased) && listed && user != "" {
				// The index may now name a user who was erased meanwhile, of whom
				// nobody writes a setting any more. That of another user stays: a
				// process may just be writing the setting.
				err = errors.Join(err, s.unlistSetting(ctx, user, name))
			}
			return err
		}
		if err := s.apply(ctx, index, func(p goredis.Pipeliner) {
			p.SAdd(ctx, s.settingKey("names"), name)
			p.ZAdd(ctx, index, goredis.Z{Member: user})
		}); err != nil {
			return err
		}
		listed = true
	}
}

// unlistSetting takes a user without the setting from the index.
func (s *Store) unlistSetting(ctx context.Context, user, name string) error {
	_, key := s.settingPlace(user)
	if _, found, err := s.field(ctx, key, name); err != nil || found {
		return err
	}
	index := s.settingKey("users:" + name)
	return s.on(ctx, index, func(c *goredis.Client) error { return c.ZRem(ctx, index, user).Err() })
}

func (s *Store) swapSetting(ctx context.Context, user, name string, old, value []byte, listed bool) error {
	sc, key := s.settingPlace(user)
	var got *goredis.StringCmd
	return s.update(ctx, sc, nil, func(p goredis.Pipeliner) {
		got = p.HGet(ctx, key, name)
	}, func(t *tx) error {
		if user != "" {
			if err := t.open(user); err != nil {
				return err
			}
		}
		there := got.Err() == nil
		switch {
		case there != (old != nil) || got.Val() != string(old):
			return store.ErrConflict
		case value != nil && !there && !listed:
			return errUnclaimed
		case value == nil && !there:
			return nil
		case value == nil:
			t.do("hdel", key, name)
		default:
			t.do("hset", key, name, value)
		}
		return nil
	})
}

// Settings implements [store.Settings].
func (s *Store) Settings(ctx context.Context, name, after string, limit int) ([]store.Setting, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	limit = pageLimit(limit, 1000)
	index := s.settingKey("users:" + name)
	var list []store.Setting
	for {
		users, err := s.following(ctx, index, after, scanBatch)
		if err != nil || len(users) == 0 {
			return list, err
		}
		values := make([]*goredis.StringCmd, len(users))
		if err := s.retry(ctx, func() error {
			return queue(ctx, s.client.Pipeline(), func(p goredis.Pipeliner) {
				for i, user := range users {
					_, key := s.settingPlace(user)
					values[i] = p.HGet(ctx, key, name)
				}
			})
		}); err != nil {
			return nil, err
		}
		for i, user := range users {
			if values[i].Err() != nil {
				continue
			}
			if list = append(list, store.Setting{User: user, Name: name, Value: []byte(values[i].Val())}); len(list) == limit {
				return list, nil
			}
		}
		after = users[len(users)-1]
	}
}
