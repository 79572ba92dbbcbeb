package sync

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
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

// work is what this process remembers of its work on one connection.
type work struct {
	running bool
	// notBefore keeps a connection that another process works on, or whose
	// due time could not be moved, from being tried again at once.
	notBefore time.Time
	// fails counts the failures in a row, by task.
	fails map[string]int
	// forget is when nothing of this matters any more.
	forget time.Time
}

const (
	// pollEvery is how often Run looks for work that another process made due.
	pollEvery = 5 * time.Second
	// dueBatch is how many due tasks Run looks at.
	dueBatch = 256
	// heldPause is how long a connection that another process works on is
	// left alone.
	heldPause = 5 * time.Second
	// forgetAfter is how long failures are counted on without another turn.
	forgetAfter = time.Hour
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
		next, ok, err := e.cfg.Store.NextDue(ctx)
		switch {
		case err == nil && ok && next.After(now):
			wait = min(wait, next.Sub(now))
		case err == nil && ok:
			// What is due and is not started now waits for somebody: a worker
			// that ends wakes the loop, and other processes are looked after.
			var due []store.Due
			if due, err = e.due(ctx, now); err == nil {
				e.dispatch(ctx, now, due, free, &working)
			}
		}
		switch {
		case errors.Is(err, store.ErrClosed):
			return err
		case err != nil && ctx.Err() == nil:
			e.cfg.Logger.ErrorContext(ctx, "due work not read", "err", err)
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

// due returns what is due, live work before backfill.
func (e *Engine) due(ctx context.Context, now time.Time) ([]store.Due, error) {
	live, err := e.cfg.Store.Due(ctx, taskSync, now, dueBatch)
	if err != nil {
		return nil, err
	}
	backfill, err := e.cfg.Store.Due(ctx, taskBackfill, now, dueBatch)
	return append(live, backfill...), err
}

// dispatch starts work for as many due tasks as there are free workers, one at
// a time of each connection, in the order given.
func (e *Engine) dispatch(ctx context.Context, now time.Time, due []store.Due, free chan struct{}, working *gosync.WaitGroup) {
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

// claim marks a task's connection as worked on in this process.
func (e *Engine) claim(t task, now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	w := e.works[t.connection]
	if w == nil {
		w = &work{fails: make(map[string]int)}
		e.works[t.connection] = w
	}
	if w.running || now.Before(w.notBefore) {
		return false
	}
	w.running = true
	return true
}

// count returns how often in a row a task has failed, with this outcome.
func (e *Engine) count(t task, err error) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	w := e.works[t.connection]
	_, waiting := errors.AsType[*waitError](err)
	switch {
	case waiting, errors.Is(err, store.ErrLeaseHeld):
	case err == nil, errors.Is(err, errYield), final(err):
		delete(w.fails, t.name)
	default:
		w.fails[t.name]++
	}
	return w.fails[t.name]
}

// unclaim ends what claim began, and forgets what no longer matters.
func (e *Engine) unclaim(t task, now, notBefore time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	w := e.works[t.connection]
	w.running, w.notBefore, w.forget = false, notBefore, notBefore
	if len(w.fails) > 0 {
		w.forget = now.Add(forgetAfter + e.cfg.Interval)
	}
	maps.DeleteFunc(e.works, func(_ string, w *work) bool { return !w.running && !now.Before(w.forget) })
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
	var notBefore time.Time
	switch failure := e.settleDue(ctx, t, now, err); {
	case errors.Is(err, store.ErrLeaseHeld):
		notBefore = now.Add(jitter(heldPause))
	case failure != nil && ctx.Err() == nil:
		e.cfg.Logger.ErrorContext(ctx, "due time not set", "connection", t.connection, "task", t.name, "err", failure)
		notBefore = now.Add(jitter(30 * time.Second))
	}
	e.unclaim(t, now, notBefore)
}

// settleDue sets when a task is due again after a turn with the outcome err.
func (e *Engine) settleDue(ctx context.Context, t task, now time.Time, err error) error {
	fails := e.count(t, err)
	if ctx.Err() != nil || errors.Is(err, store.ErrLeaseHeld) || errors.Is(err, store.ErrClosed) {
		return nil // still due: another turn, or another process, takes it up
	}
	next := store.Due{Connection: t.connection, Task: t.name}
	wait, waiting := errors.AsType[*waitError](err)
	switch {
	case errors.Is(err, errYield):
		next.At = now
	case waiting:
		next.At = wait.until
	case final(err):
		return e.giveUp(ctx, next)
	case err == nil && t.name == taskBackfill:
	case err == nil:
		next.At = now.Add(jitter(e.cfg.Interval))
	default:
		pause := jitter(min(e.cfg.Interval, 30*time.Second<<min(fails-1, 10)))
		next.At = now.Add(pause)
		if at := retryAt(err, now, pause); at.After(next.At) {
			next.At = at
		}
		e.cfg.Logger.WarnContext(ctx, "work failed", "connection", t.connection, "task", t.name,
			"attempt", fails, "retry_at", next.At, "err", err)
	}
	return e.cfg.Store.SetDue(ctx, next)
}

// giveUp removes a task's due time, unless the connection is in order after
// all: the person may have consented again during the turn. Looking afterwards
// makes sure that either side sees the other.
func (e *Engine) giveUp(ctx context.Context, d store.Due) error {
	if err := e.cfg.Store.SetDue(ctx, d); err != nil {
		return err
	}
	_, err := e.workable(ctx, d.Connection)
	if errors.Is(err, ErrConnectionState) || errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	d.At = time.Now().Add(jitter(e.cfg.Interval))
	return e.cfg.Store.SetDue(ctx, d)
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
		return s.backfillAll(working)
	}())
}
