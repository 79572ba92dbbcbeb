package asynq

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	hibiken "github.com/hibiken/asynq"
	goredis "github.com/redis/go-redis/v9"

	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// Config configures [Run]. In every duration and count, zero means the
// documented default.
type Config struct {
	// Engine does the work. Its Config.Workers is negative: Run of this package
	// gives it its tasks. Required.
	Engine *healthsync.Engine
	// Store is the store of the engine. Required.
	Store store.Store
	// Redis holds the queues. It is not closed. Required.
	Redis goredis.UniversalClient
	// Name tells fleets on one Redis apart; default "vitalmux". The queues are
	// NAME-live and NAME-backfill.
	Name string
	// Workers is how many tasks this process works on at once; default 4.
	Workers int
	// Ahead is how many tasks NAME-backfill holds at most, those under way
	// included; NAME-live, which has two kinds, holds twice as many. Default 256.
	// The fleet works on no more at once.
	Ahead int
	// Unique is how long a task of a connection is the only one of its kind,
	// unless it ends earlier; default 2 minutes, at least 1 second. It should be
	// longer than the engine's LeaseTTL.
	Unique time.Duration
	// Poll is how often it is looked what is due, and for tasks; default 250 ms.
	Poll time.Duration
	// MaxRetry is how often a task that failed is tried again before it is
	// archived; default 5.
	MaxRetry int
	// Drain is how long Run waits for the tasks under way when its context has
	// ended; default 30 seconds. What has not ended then is taken up by others.
	Drain time.Duration
	// Logger receives the log of asynq too; nil is silent.
	Logger *slog.Logger
}

func (c Config) withDefaults() (Config, error) {
	c.Name = cmp.Or(c.Name, "vitalmux")
	c.Workers, c.Ahead, c.MaxRetry = cmp.Or(c.Workers, 4), cmp.Or(c.Ahead, 256), cmp.Or(c.MaxRetry, 5)
	c.Unique, c.Poll = cmp.Or(c.Unique, 2*time.Minute), cmp.Or(c.Poll, 250*time.Millisecond)
	c.Drain = cmp.Or(c.Drain, 30*time.Second)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	switch {
	case c.Engine == nil || c.Store == nil || c.Redis == nil:
		return c, errors.New("asynq: Config lacks Engine, Store or Redis")
	case strings.ContainsAny(c.Name, "{}: "):
		return c, errors.New("asynq: Config.Name holds a brace, a colon or a space")
	case c.Workers < 0 || c.Ahead < 0 || c.MaxRetry < 0 || c.Poll < 0 || c.Drain < 0:
		return c, errors.New("asynq: a count or a duration of Config is negative")
	case c.Unique < time.Second:
		return c, errors.New("asynq: Config.Unique is less than a second")
	}
	return c, nil
}

// backfills is what package store calls the task of the lower priority.
const backfills = "backfill"

const (
	// leaseFeed names the lease under which one process at a time fills the
	// queues.
	leaseFeed = "feed"
	feedTTL   = 5 * time.Second
	// heldPause is the pause before a task is tried whose connection was being
	// worked on. asynq keeps times in seconds.
	heldPause = 2 * time.Second
	// longestPause bounds the pauses between attempts of a task that failed.
	longestPause = 16 * time.Second
)

// fleet is one process of a fleet.
type fleet struct {
	Config
	client    *hibiken.Client
	inspector *hibiken.Inspector
	// draining ends when no more work is to be begun.
	draining context.Context
	working  sync.WaitGroup
}

// Run works on what is due, together with all other processes that run a fleet
// of that name, until ctx ends, and returns when the work under way has ended.
// It also is Run of the engine, whose error it returns.
func Run(ctx context.Context, c Config) error {
	c, err := c.withDefaults()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	f := &fleet{
		Config: c, draining: ctx,
		client: hibiken.NewClientFromRedisClient(c.Redis), inspector: hibiken.NewInspectorFromRedisClient(c.Redis),
	}
	server := hibiken.NewServerFromRedisClient(c.Redis, hibiken.Config{
		Concurrency: c.Workers,
		Queues:      map[string]int{c.Name + "-live": 2, c.Name + "-" + backfills: 1}, StrictPriority: true,
		TaskCheckInterval: c.Poll, DelayedTaskCheckInterval: time.Second,
		RetryDelayFunc: pause, IsFailure: failed,
		ShutdownTimeout: c.Drain,
		Logger:          journal{c.Logger}, LogLevel: hibiken.DebugLevel,
	})
	if err := server.Start(hibiken.HandlerFunc(f.process)); err != nil {
		return fmt.Errorf("asynq: %w", err)
	}
	var background sync.WaitGroup
	background.Go(func() { f.feed(ctx) })
	err = c.Engine.Run(ctx)
	cancel()
	server.Shutdown()
	f.working.Wait()
	background.Wait()
	return err
}

// process works on one task.
func (f *fleet) process(ctx context.Context, t *hibiken.Task) error {
	f.working.Add(1)
	defer f.working.Done()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(f.draining, func() { cancel(errDraining) })()
	name, ok := strings.CutPrefix(t.Type(), f.Name+":")
	if !ok {
		return fmt.Errorf("not a task of fleet %s: %w", f.Name, hibiken.SkipRetry)
	}
	err := f.Engine.Work(ctx, string(t.Payload()), name)
	if errors.Is(err, store.ErrInvalid) {
		return fmt.Errorf("%w: %w", err, hibiken.SkipRetry)
	}
	return err
}

// errDraining ends the turns of a process that is about to end.
var errDraining = errors.New("the process ends")

// failed reports whether a task failed, and not only has to wait.
func failed(err error) bool {
	return !errors.Is(err, store.ErrLeaseHeld) && !errors.Is(err, errDraining)
}

// pause is how long to wait before a task is tried again that failed n times.
func pause(n int, err error, _ *hibiken.Task) time.Duration {
	switch {
	case errors.Is(err, errDraining):
		return 0
	case errors.Is(err, store.ErrLeaseHeld):
		return heldPause/2 + rand.N(heldPause)
	}
	return min(longestPause, time.Second<<min(n, 10))
}

// turn is a task that became due at a time.
type turn struct {
	connection, task string
	at               int64
}

// feed puts what is due into the queues whenever this process is the one to do
// so.
func (f *fleet) feed(ctx context.Context) {
	var (
		lease store.Lease
		until time.Time          // when the lease is to be renewed
		fed   map[turn]time.Time // until when a turn is not put into a queue again
	)
	defer func() {
		if lease.Owner == "" {
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), feedTTL)
		defer cancel()
		if err := f.Store.Release(ctx, lease); err != nil {
			f.Logger.WarnContext(ctx, "lease not released", "lease", leaseFeed, "err", err)
		}
	}()
	for ctx.Err() == nil {
		var err error
		switch now := time.Now(); {
		case lease.Owner == "":
			fed = make(map[turn]time.Time)
			lease, err = f.Store.Acquire(ctx, f.Name, leaseFeed, feedTTL)
			until = now.Add(feedTTL / 3)
		case now.After(until):
			lease, err = f.Store.Renew(ctx, lease, feedTTL)
			until = now.Add(feedTTL / 3)
		}
		if err == nil {
			err = f.fill(ctx, fed)
		} else {
			lease = store.Lease{}
		}
		wait := f.Poll
		switch {
		case errors.Is(err, store.ErrLeaseHeld), errors.Is(err, store.ErrLeaseLost):
			wait = max(wait, feedTTL/5)
		case err != nil && ctx.Err() == nil:
			wait = max(wait, feedTTL/5)
			f.Logger.ErrorContext(ctx, "queues not filled", "fleet", f.Name, "err", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// fill puts into the queues what is due and was not put there before, as far as
// they have room, and again what is still due after the time in which a task is
// unique. In fed is until when that is.
func (f *fleet) fill(ctx context.Context, fed map[turn]time.Time) error {
	list, err := f.Engine.Due(ctx, f.Ahead)
	if err != nil {
		return err
	}
	now := time.Now()
	due, room := make(map[turn]bool, len(list)), make(map[string]int)
	for _, d := range list {
		t := turn{d.Connection, d.Task, d.At.UnixNano()}
		due[t] = true
		if now.Before(fed[t]) {
			continue
		}
		queue := f.Name + "-live"
		if d.Task == backfills {
			queue = f.Name + "-" + backfills
		}
		if _, known := room[queue]; !known {
			if room[queue], err = f.room(queue); err != nil {
				return err
			}
		}
		if room[queue] <= 0 {
			continue
		}
		_, err := f.client.EnqueueContext(ctx, hibiken.NewTask(f.Name+":"+d.Task, []byte(d.Connection)),
			hibiken.Queue(queue), hibiken.Unique(f.Unique), hibiken.MaxRetry(f.MaxRetry))
		switch {
		case err == nil:
			fed[t] = now.Add(f.Unique)
			room[queue]--
		case errors.Is(err, hibiken.ErrDuplicateTask):
			// The one that is there may be at the end of an earlier turn.
			fed[t] = now.Add(min(heldPause, f.Unique))
		default:
			return err
		}
	}
	maps.DeleteFunc(fed, func(t turn, _ time.Time) bool { return !due[t] })
	return nil
}

// room returns how many tasks a queue may still take.
func (f *fleet) room(queue string) (int, error) {
	most := f.Ahead
	if queue == f.Name+"-live" {
		most *= 2 // it has two kinds
	}
	queues, err := f.inspector.Queues()
	if err != nil || !slices.Contains(queues, queue) {
		return most, err // a queue is made with its first task
	}
	info, err := f.inspector.GetQueueInfo(queue)
	if err != nil {
		return 0, err
	}
	return most - info.Pending - info.Active - info.Scheduled - info.Retry, nil
}
