package redis

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/vitalmux/vitalmux/store"
)

// Due times are sorted sets of the endpoint scope, one per task, of connections
// by time. They are hints: a commit makes them earlier before it is applied and
// sets them exactly afterwards, so that a crash in between can only bring work
// forward.

// SetDue implements [store.Scheduler].
func (s *Store) SetDue(ctx context.Context, d store.Due) error {
	end, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if err := d.Validate(); err != nil {
		return err
	}
	return s.setDue(ctx, []store.Due{d}, false)
}

// setDue sets due times; with lower only those that become earlier.
func (s *Store) setDue(ctx context.Context, list []store.Due, lower bool) error {
	return s.apply(ctx, s.dueKey("tasks"), func(p goredis.Pipeliner) {
		p.SCard(ctx, s.dueKey("tasks"))
		for _, d := range list {
			key := s.dueKey("at:" + d.Task)
			switch {
			case !d.At.IsZero():
				p.SAdd(ctx, s.dueKey("tasks"), d.Task)
				add := goredis.ZAddArgs{LT: lower, Members: []goredis.Z{{Score: float64(d.At.UnixMilli()), Member: d.Connection}}}
				p.ZAddArgs(ctx, key, add)
			case !lower:
				p.ZRem(ctx, key, d.Connection)
			}
		}
	})
}

// dropDue removes the due times of a connection.
func (s *Store) dropDue(ctx context.Context, connection string) error {
	tasks, err := s.tasks(ctx)
	if err != nil {
		return err
	}
	var list []store.Due
	for _, task := range tasks {
		list = append(list, store.Due{Connection: connection, Task: task})
	}
	if len(list) == 0 {
		return nil
	}
	return s.setDue(ctx, list, false)
}

// tasks returns all tasks that had due times.
func (s *Store) tasks(ctx context.Context) (tasks []string, err error) {
	key := s.dueKey("tasks")
	err = s.on(ctx, key, func(c *goredis.Client) (err error) {
		tasks, err = c.SMembers(ctx, key).Result()
		return err
	})
	return tasks, err
}

// Due implements [store.Scheduler].
func (s *Store) Due(ctx context.Context, task string, now time.Time, limit int) ([]store.Due, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	limit = pageLimit(limit, 100)
	tasks := []string{task}
	if task == "" {
		if tasks, err = s.tasks(ctx); err != nil {
			return nil, err
		}
	}
	found := make([]*goredis.ZSliceCmd, len(tasks))
	until := strconv.FormatInt(now.UnixMilli(), 10)
	if err := s.view(ctx, s.dueKey("tasks"), func(p goredis.Pipeliner) {
		p.SCard(ctx, s.dueKey("tasks"))
		for i, name := range tasks {
			found[i] = p.ZRangeByScoreWithScores(ctx, s.dueKey("at:"+name),
				&goredis.ZRangeBy{Min: "-inf", Max: until, Count: int64(limit)})
		}
	}); err != nil {
		return nil, err
	}
	var list []store.Due
	for i, name := range tasks {
		for _, z := range found[i].Val() {
			id, _ := z.Member.(string)
			list = append(list, store.Due{Connection: id, Task: name, At: timeOf(int64(z.Score))})
		}
	}
	slices.SortFunc(list, func(a, b store.Due) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Connection, b.Connection), cmp.Compare(a.Task, b.Task))
	})
	return list[:min(len(list), limit)], nil
}

// NextDue implements [store.Scheduler].
func (s *Store) NextDue(ctx context.Context) (time.Time, bool, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return time.Time{}, false, err
	}
	defer end()
	tasks, err := s.tasks(ctx)
	if err != nil {
		return time.Time{}, false, err
	}
	first := make([]*goredis.ZSliceCmd, len(tasks))
	if err := s.view(ctx, s.dueKey("tasks"), func(p goredis.Pipeliner) {
		p.SCard(ctx, s.dueKey("tasks"))
		for i, name := range tasks {
			first[i] = p.ZRangeWithScores(ctx, s.dueKey("at:"+name), 0, 0)
		}
	}); err != nil {
		return time.Time{}, false, err
	}
	var next time.Time
	for _, z := range first {
		for _, one := range z.Val() {
			if at := timeOf(int64(one.Score)); next.IsZero() || at.Before(next) {
				next = at
			}
		}
	}
	return next, !next.IsZero(), nil
}
