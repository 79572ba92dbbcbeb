package sync

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	gosync "sync"
	"time"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

// The tasks that have due times.
const (
	taskSync     = "sync"
	taskBackfill = "backfill"
)

// task is one kind of work on one connection.
type task struct{ connection, name string }

// taskState is what this process remembers of a task.
type taskState struct {
	running bool
	// notBefore keeps a task that another process works on from being tried
	// again at once.
	notBefore time.Time
	fails     int
}

const (
	// pollEvery is how often Run looks for work that another process made due.
	pollEvery = 5 * time.Second
	// dueBatch is how many due tasks Run looks at.
	dueBatch = 256
	// trimEvery is how often Run trims the change feed.
	trimEvery = time.Hour
)

// Run works on all connections that are due until ctx ends, and then returns
// nil when the work under way has stopped. It owns every goroutine it starts.
// Any number of processes may run on the same store. Run returns an error only
// when the store is closed.
func (e *Engine) Run(ctx context.Context) error {
	var working gosync.WaitGroup
	defer working.Wait()
	free := make(chan struct{}, e.cfg.Workers)
	var trimmed time.Time
	for ctx.Err() == nil {
		now := time.Now()
		if e.cfg.ChangeRetention > 0 && now.Sub(trimmed) >= trimEvery {
			trimmed = now
			if _, err := e.cfg.Store.TrimChanges(ctx, now.Add(-e.cfg.ChangeRetention)); err != nil {
				e.cfg.Logger.WarnContext(ctx, "change feed not trimmed", "err", err)
			}
		}
		wait := pollEvery
		due, err := e.cfg.Store.Due(ctx, now, dueBatch)
		switch {
		case errors.Is(err, store.ErrClosed):
			return err
		case err != nil && ctx.Err() == nil:
			e.cfg.Logger.ErrorContext(ctx, "due work not read", "err", err)
		case err == nil:
			e.dispatch(ctx, now, due, free, &working)
			if at, ok, err := e.cfg.Store.NextDue(ctx); err == nil && ok {
				wait = min(wait, max(at.Sub(now), 50*time.Millisecond))
			}
		}
		if len(free) == cap(free) {
			wait = pollEvery // a worker that ends wakes the loop
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-e.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
	return nil
}

// dispatch starts work for as many due tasks as there are free workers: live
// work before backfill.
func (e *Engine) dispatch(ctx context.Context, now time.Time, due []store.Due, free chan struct{}, working *gosync.WaitGroup) {
	slices.SortStableFunc(due, func(a, b store.Due) int {
		return cmp.Compare(priority(a.Task), priority(b.Task))
	})
	for _, d := range due {
		select {
		case free <- struct{}{}:
		default:
			return
		}
		t := task{d.Connection, d.Task}
		if !e.claim(t, now) {
			<-free
			continue
		}
		working.Go(func() {
			e.work(ctx, t)
			<-free
			e.poke()
		})
	}
}

func priority(name string) int {
	if name == taskSync {
		return 0
	}
	return 1
}

// claim marks a task as running in this process.
func (e *Engine) claim(t task, now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	state := e.tasks[t]
	if state == nil {
		state = &taskState{}
		e.tasks[t] = state
	}
	if state.running || now.Before(state.notBefore) {
		return false
	}
	state.running = true
	return true
}

// poke wakes Run.
func (e *Engine) poke() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// work gives one task its turn and sets its next due time.
func (e *Engine) work(ctx context.Context, t task) {
	err := e.turn(ctx, t)
	now := time.Now()
	e.mu.Lock()
	state := e.tasks[t]
	state.running = false
	fails := state.fails
	switch {
	case err == nil, errors.Is(err, errYield):
		fails = 0
	case errors.Is(err, store.ErrLeaseHeld):
		state.notBefore = now.Add(jitter(5 * time.Second))
	default:
		fails++
	}
	state.fails = fails
	if fails == 0 && !now.Before(state.notBefore) {
		delete(e.tasks, t)
	}
	e.mu.Unlock()

	if ctx.Err() != nil || errors.Is(err, store.ErrLeaseHeld) || errors.Is(err, store.ErrClosed) {
		return // still due: another turn, or another process, takes it up
	}
	next := store.Due{Connection: t.connection, Task: t.name}
	wait, waiting := errors.AsType[*waitError](err)
	switch {
	case errors.Is(err, errYield):
		next.At = now
	case waiting:
		next.At = wait.until
	case err == nil && t.name == taskBackfill, final(err):
	case err == nil:
		next.At = now.Add(jitter(e.cfg.Interval))
	default:
		next.At = now.Add(jitter(min(e.cfg.Interval, 30*time.Second<<min(fails-1, 10))))
		e.cfg.Logger.WarnContext(ctx, "work failed", "connection", t.connection, "task", t.name,
			"attempt", fails, "retry_at", next.At, "err", err)
	}
	if err := e.cfg.Store.SetDue(ctx, next); err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrNotFound) {
		e.cfg.Logger.ErrorContext(ctx, "due time not set", "connection", t.connection, "task", t.name, "err", err)
	}
}

// final reports whether waiting does not help: somebody has to act, and acting
// makes the connection due again.
func final(err error) bool {
	for _, target := range []error{
		ErrConnectionState, providers.ErrReauth, providers.ErrRetired, store.ErrNotFound, store.ErrErased,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// jitter returns d, a tenth more or less.
func jitter(d time.Duration) time.Duration {
	return d - d/10 + rand.N(d/5+1)
}

// inlineWait is the longest that a worker waits for a rate limit before it
// turns to another connection.
const inlineWait = time.Second

// turn does one task's share of work.
func (e *Engine) turn(ctx context.Context, t task) error {
	s, working, err := e.open(ctx, t.connection)
	if err != nil {
		return err
	}
	defer s.close()
	s.background, s.patience, s.pages = true, inlineWait, e.cfg.Slice
	return s.settle(ctx, working, func() error {
		if t.name == taskSync {
			return s.syncAll(working)
		}
		if err := s.planBackfill(working, time.Now().Add(-max(0, e.cfg.History))); err != nil {
			return err
		}
		if err := s.backfillAll(working); err != nil {
			return err
		}
		if done, err := s.backfillDone(working); err != nil || done || s.report.Err() != nil {
			return err
		}
		return errYield
	}())
}
