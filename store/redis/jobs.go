package redis

import (
	"context"
	"errors"
	"slices"

	goredis "github.com/redis/go-redis/v9"

	"github.com/vitalmux/vitalmux/store"
)

// Jobs are two hashes, of what stays and of what changes, and their order.

func encodeJob(j *store.Job) []byte {
	e := newEncoder()
	e.text(j.Provider)
	e.text(j.Kind)
	e.text(j.Receipt)
	e.time(j.CreatedAt)
	return e.b
}

func encodeJobState(j *store.Job) []byte {
	e := newEncoder()
	e.bytes(j.Sealed)
	e.int(int64(j.Attempts))
	e.text(j.Reason)
	e.time(j.NextAt)
	return e.b
}

func decodeJob(id, fixed, state string) (store.Job, error) {
	d := newDecoder(fixed)
	j := store.Job{ID: id, Provider: d.text(), Kind: d.text(), Receipt: d.text(), CreatedAt: d.time()}
	if err := d.end(); err != nil {
		return j, err
	}
	d = newDecoder(state)
	j.Sealed, j.Attempts, j.Reason, j.NextAt = d.bytes(), int(d.int()), d.text(), d.time()
	return j, d.end()
}

func (s *Store) jobKeys() []string {
	return []string{s.jobKey("fixed"), s.jobKey("state"), s.jobKey("order")}
}

// PutJob implements [store.Jobs].
func (s *Store) PutJob(ctx context.Context, j store.Job) error {
	end, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if err := j.Validate(); err != nil {
		return err
	}
	_, err = s.run(ctx, s.scripts.putJob, s.jobKeys(), j.ID, encodeJob(&j), encodeJobState(&j), milli(j.NextAt))
	return err
}

// Jobs implements [store.Jobs].
func (s *Store) Jobs(ctx context.Context, q store.JobQuery) ([]store.Job, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	limit := pageLimit(q.Limit, 100)
	order := s.jobKey("order")
	var list []store.Job
	err = s.scan(ctx, order, q.ID, q.After, func(ids []string) (bool, error) {
		var fixed, state *goredis.SliceCmd
		if err := s.view(ctx, order, func(p goredis.Pipeliner) {
			fixed, state = p.HMGet(ctx, s.jobKey("fixed"), ids...), p.HMGet(ctx, s.jobKey("state"), ids...)
		}); err != nil {
			return false, err
		}
		for i, id := range ids {
			f, there := fixed.Val()[i].(string)
			m, _ := state.Val()[i].(string)
			if !there {
				continue
			}
			j, err := decodeJob(id, f, m)
			if err != nil {
				return false, err
			}
			if (q.Receipt == "" || j.Receipt == q.Receipt) && (q.ReadyAt.IsZero() || !j.NextAt.After(q.ReadyAt)) {
				if list = append(list, j); len(list) == limit {
					return false, nil
				}
			}
		}
		return true, nil
	})
	return list, err
}

// UpdateJob implements [store.Jobs].
func (s *Store) UpdateJob(ctx context.Context, j store.Job) error {
	end, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	reply, err := s.run(ctx, s.scripts.updateJob, s.jobKeys(), j.ID, encodeJobState(&j), milli(j.NextAt))
	if n, _ := reply.(int64); err == nil && n == 0 {
		err = store.ErrNotFound
	}
	return err
}

// DeleteJob implements [store.Jobs].
func (s *Store) DeleteJob(ctx context.Context, id string) error {
	end, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	keys := s.jobKeys()
	return s.apply(ctx, keys[0], func(p goredis.Pipeliner) {
		p.HDel(ctx, keys[0], id)
		p.HDel(ctx, keys[1], id)
		p.ZRem(ctx, keys[2], id)
	})
}

// scanBatch is how many members of an order are looked at at once.
const scanBatch = 200

// scan calls visit with members of a sorted set in its order, until visit
// reports false: only with one, or with those behind one. Where that is not
// there any more it begins at the beginning. It visits each member once.
func (s *Store) scan(ctx context.Context, order, only, after string, visit func(ids []string) (bool, error)) error {
	if only != "" {
		_, err := visit([]string{only})
		return err
	}
	visited := map[string]bool{}
	for from := int64(0); ; {
		if after != "" {
			err := s.on(ctx, order, func(c *goredis.Client) error {
				rank, err := c.ZRank(ctx, order, after).Result()
				switch {
				case err == nil:
					from = rank + 1
				case isNil(err):
					// What was behind it may have moved up by any number.
					from, err = 0, nil
				}
				return err
			})
			if err != nil {
				return err
			}
		}
		var ids []string
		if err := s.on(ctx, order, func(c *goredis.Client) (err error) {
			ids, err = c.ZRange(ctx, order, from, from+scanBatch-1).Result()
			return err
		}); err != nil || len(ids) == 0 {
			return err
		}
		last := len(ids) < scanBatch
		after = ids[len(ids)-1]
		ids = slices.DeleteFunc(ids, func(id string) bool { return visited[id] })
		if len(ids) > 0 {
			if more, err := visit(ids); err != nil || !more {
				return err
			}
		}
		if last {
			return nil
		}
		for _, id := range ids {
			visited[id] = true
		}
	}
}

// following returns the next members of a sorted set whose members all have one
// score: in the order of their bytes, after one.
func (s *Store) following(ctx context.Context, key, after string, n int) (members []string, err error) {
	args := goredis.ZRangeArgs{Key: key, Start: "-", Stop: "+", ByLex: true, Count: int64(n)}
	if after != "" {
		args.Start = "(" + after
	}
	err = s.on(ctx, key, func(c *goredis.Client) (err error) {
		members, err = c.ZRangeArgs(ctx, args).Result()
		return err
	})
	return members, err
}

// isNil reports whether the server answered that something is not there.
func isNil(err error) bool { return errors.Is(err, goredis.Nil) }
