package sync

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	gosync "sync"
	"time"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

// The tasks that have due times.
const (
	taskSync      = "sync"
	taskBackfill  = "backfill"
	taskSubscribe = "subscribe"
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
	// waits are the tasks that wait for room in a shared limit.
	waits map[string]limitWait
	// forget is when nothing of this matters any more.
	forget time.Time
}

// limitWait is a task's place among those that wait for room in a limit that all
// connections of a provider share.
type limitWait struct {
	provider     string
	since, until time.Time
}

// over reports whether the task has no place any more: it did not come back, so
// that another process may have taken it up.
func (w limitWait) over(now time.Time) bool { return now.Sub(w.until) >= placeKept }

const (
	// pollEvery is how often Run looks for work that another process made due,
	// inboxEvery how often for deliveries that another process took.
	pollEvery  = 10 * time.Second
	inboxEvery = 20 * time.Second
	// dueBatch is how many due tasks Run looks at.
	dueBatch = 256
	// heldPause is how long a connection that another process works on is
	// left alone.
	heldPause = 10 * time.Second
	// foreignPause is how long a process leaves a connection alone whose provider
	// it does not have.
	foreignPause = 10 * time.Minute
	// forgetAfter is how long failures are counted on without another turn.
	forgetAfter = time.Hour
	// failedPause is how long a connection that failed is left alone, whatever
	// makes it due.
	failedPause = 2 * time.Second
	// placeKept is for how long a task that was to come back keeps its place among
	// those that wait for room in a shared limit.
	placeKept = time.Minute
	// The pauses between rounds of what is not about one connection: trimming
	// the change feed and the dead letters, looking at parked deliveries, at
	// credentials, and at what is left to do at providers.
	trimEvery       = time.Hour
	parkedEvery     = time.Minute
	credentialEvery = 10 * time.Minute
	jobEvery        = 30 * time.Second
)

// Run works on all connections that are due until ctx ends, and then returns
// nil when the work under way has stopped. It owns every goroutine it starts.
// Any number of processes may run on the same store. Run returns an error only
// when the store is closed.
func (e *Engine) Run(ctx context.Context) error {
	var working gosync.WaitGroup
	defer working.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	working.Go(func() { e.workInbox(ctx) })
	if e.pointed() {
		working.Go(func() { e.workUrgent(ctx) })
	}
	working.Go(func() { e.every(ctx, "parts of deliveries", trimEvery, nil, e.sweepParts) })
	working.Go(func() { e.every(ctx, "jobs", jobEvery, e.newJobs, e.workJobs) })
	working.Go(func() { e.every(ctx, "parked deliveries", parkedEvery, nil, e.reviewParked) })
	if e.cfg.KeepDead > 0 {
		working.Go(func() { e.every(ctx, "dead letters", trimEvery, nil, e.dropDead) })
	}
	working.Go(func() { e.every(ctx, "credentials", credentialEvery, nil, e.housekeepCredentials) })
	if e.cfg.ChangeRetention > 0 {
		working.Go(func() { e.every(ctx, "change feed", trimEvery, nil, e.trimChanges) })
	}
	if e.cfg.ConsentNotice > 0 {
		working.Go(func() { e.every(ctx, "consents", credentialEvery, nil, e.remindOfConsents) })
	}
	if e.cfg.PeopleEvery > 0 && e.lists() {
		working.Go(func() { e.every(ctx, "people", peopleLook, nil, e.reconcilePeople) })
	}
	if e.cfg.Workers < 0 {
		<-ctx.Done()
		return nil
	}
	free := make(chan struct{}, e.cfg.Workers)
	for ctx.Err() == nil {
		now := now()
		wait := pollEvery
		next, ok, err := e.cfg.Store.NextDue(ctx)
		switch {
		case err == nil && ok && next.After(now):
			wait = min(wait, next.Sub(now))
		case err == nil && ok:
			// What is due and is not started now waits for somebody: a worker
			// that ends wakes the loop, and other processes are looked after.
			// What is left alone stays due, and comes first: it hides nothing.
			var due []store.Due
			if due, err = e.due(ctx, now, dueBatch+e.leftAlone(now)); err == nil {
				wait = e.dispatch(ctx, now, due, free, &working)
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

// every does work now and then until ctx ends.
func (e *Engine) every(ctx context.Context, what string, pause time.Duration, wake <-chan struct{}, work func(context.Context, time.Time) error) {
	for ctx.Err() == nil {
		err := e.guard(ctx, what, AlarmEvent{}, func() error { return work(ctx, now()) })
		if err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrClosed) {
			e.cfg.Logger.ErrorContext(ctx, "background work failed", "work", what, "err", err)
		}
		select {
		case <-ctx.Done():
		case <-wake:
		case <-time.After(jitter(pause)):
		}
	}
}

func (e *Engine) trimChanges(ctx context.Context, at time.Time) error {
	_, err := e.cfg.Store.TrimChanges(ctx, at.Add(-e.cfg.ChangeRetention))
	return err
}

// Due returns what is due now, for hosts that distribute the work themselves:
// live work before backfill, and of each kind what has been due for longest. It
// is the work that is under way, too, because its due times are set when it
// ends, and that on connections whose provider this engine does not have, which
// stays due until an engine that has it takes it up. Limit is for each kind of
// task; 0 is 100.
func (e *Engine) Due(ctx context.Context, limit int) ([]store.Due, error) {
	return e.due(ctx, now(), limit)
}

// due returns what is due, live work before backfill.
func (e *Engine) due(ctx context.Context, now time.Time, limit int) ([]store.Due, error) {
	live, err := e.cfg.Store.Due(ctx, taskSync, now, limit)
	if err != nil {
		return nil, err
	}
	if e.subscribes() {
		subscribe, err := e.cfg.Store.Due(ctx, taskSubscribe, now, limit)
		if err != nil {
			return nil, err
		}
		live = append(live, subscribe...)
	}
	backfill, err := e.cfg.Store.Due(ctx, taskBackfill, now, limit)
	return append(live, backfill...), err
}

// dispatch starts work for as many due tasks as there are free workers, one at
// a time of each connection, in the order given. Connections whose provider this
// process does not have take no worker. It returns how long Run may wait: some
// connections are to be left alone for less than pollEvery.
func (e *Engine) dispatch(ctx context.Context, now time.Time, due []store.Due, free chan struct{}, working *gosync.WaitGroup) time.Duration {
	next := now.Add(pollEvery)
	for _, d := range due {
		select {
		case free <- struct{}{}:
		default:
			return next.Sub(now)
		}
		t := task{d.Connection, d.Task}
		if notBefore, ok := e.claim(t, now); !ok {
			<-free
			if notBefore.After(now) {
				next = minTime(next, notBefore)
			}
			continue
		}
		if _, err := e.workable(ctx, t.connection); errors.Is(err, errNoProvider) {
			e.unclaim(t, now, now.Add(foreignPause)) // many come back together
			<-free
			e.poke() // the list may go on behind it
			continue
		}
		working.Go(func() {
			_ = e.work(ctx, t)
			<-free
			e.poke()
		})
	}
	return next.Sub(now)
}

// claim marks a task's connection as worked on in this process, or returns when
// it may be.
func (e *Engine) claim(t task, now time.Time) (notBefore time.Time, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	w := e.works[t.connection]
	if w == nil {
		w = &work{fails: make(map[string]int), waits: make(map[string]limitWait)}
		e.works[t.connection] = w
	}
	if w.running || now.Before(w.notBefore) {
		return w.notBefore, false
	}
	w.running = true
	return time.Time{}, true
}

// leftAlone returns how many connections are not to be worked on yet, whatever
// makes them due.
func (e *Engine) leftAlone(now time.Time) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for _, w := range e.works {
		if now.Before(w.notBefore) {
			n++
		}
	}
	return n
}

// count returns how often in a row a task has failed, with this outcome. Over is
// set when it is not to be tried again.
func (e *Engine) count(t task, err error, over bool) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	w := e.works[t.connection]
	_, waiting := errors.AsType[*waitError](err)
	switch {
	case waiting:
	case err == nil, errors.Is(err, errYield), over:
		delete(w.fails, t.name)
	default:
		w.fails[t.name]++
	}
	return w.fails[t.name]
}

// enqueue gives a task that waits for room in a shared limit its place, behind
// those that have done so for longer, and returns when it is to come back. All are
// told of the same room, and each needs some of it: who came at once would be
// refused, or would take it from one that has waited for longer.
func (e *Engine) enqueue(t task, now time.Time, wait *waitError) time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	waits := e.works[t.connection].waits
	own := waits[t.name]
	if own.over(now) {
		own = limitWait{provider: wait.provider, since: now}
	}
	ahead := time.Duration(0)
	for _, w := range e.works {
		if other := w.waits[t.name]; other.provider == own.provider && other.since.Before(own.since) && !other.over(now) {
			ahead++
		}
	}
	own.until = wait.until.Add(ahead * wait.pace)
	waits[t.name] = own
	return own.until
}

// dequeue takes away a task's place.
func (e *Engine) dequeue(t task) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.works[t.connection].waits, t.name)
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
	for _, wait := range w.waits {
		w.forget = maxTime(w.forget, wait.until.Add(placeKept))
	}
	maps.DeleteFunc(e.works, func(_ string, w *work) bool { return !w.running && !now.Before(w.forget) })
}

// poke wakes Run.
func (e *Engine) poke() { signal(e.wake) }

// signal wakes who waits for c, now or when it next waits.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Work gives one task of a connection its turn and sets when it is due again,
// as Run does with each task of [Engine.Due]. It is for hosts that distribute
// the work themselves. A turn is at most [Config.Slice] pages, and a little
// more; what is left is due at once.
//
// How the work went shows in when it is due again, in the state of the
// connection, in the log and in [Hooks]: Work returns nil also when it failed.
// It returns [store.ErrLeaseHeld] when the connection is being worked on, here
// or elsewhere, [ErrConnectionState] when this engine does not have its provider,
// and the error of ctx when that ended the turn early: the task is then due as
// before. Any other error says that the store did not take the due time.
//
// A turn of a task that is not due does no harm. [store.ErrInvalid] is a task
// that the engine does not have.
func (e *Engine) Work(ctx context.Context, connection, name string) error {
	switch name {
	case taskSync, taskBackfill, taskSubscribe:
	default:
		return fmt.Errorf("%w: task %q", store.ErrInvalid, name)
	}
	t := task{connection, name}
	if _, ok := e.claim(t, now()); !ok {
		return store.ErrLeaseHeld
	}
	return e.work(ctx, t)
}

// work gives one task its turn and sets its next due time. It returns why that
// was not done.
func (e *Engine) work(ctx context.Context, t task) error {
	grant := ""
	if t.name == taskBackfill {
		grant = e.grantOf(ctx, t.connection)
	}
	err := e.guard(ctx, t.name, AlarmEvent{Connection: t.connection}, func() error { return e.turn(ctx, t) })
	now := now()
	var notBefore time.Time
	_, waiting := errors.AsType[*waitError](err)
	failure := e.settleDue(ctx, t, grant, now, err)
	switch {
	case errors.Is(err, store.ErrLeaseHeld):
		notBefore, failure = now.Add(jitter(heldPause)), store.ErrLeaseHeld
	case errors.Is(err, errNoProvider):
		notBefore, failure = now.Add(foreignPause), err
	case failure != nil && ctx.Err() == nil:
		e.cfg.Logger.ErrorContext(ctx, "due time not set", "connection", t.connection, "task", t.name, "err", failure)
		notBefore = now.Add(jitter(30 * time.Second))
	case err != nil && !waiting && !errors.Is(err, errYield):
		notBefore = now.Add(jitter(failedPause))
	}
	if e.cfg.Workers < 0 {
		notBefore = time.Time{} // whoever distributes the work says when
	}
	e.unclaim(t, now, notBefore)
	switch {
	case failure == nil && ctx.Err() != nil:
		return context.Cause(ctx)
	case failure == nil && errors.Is(err, store.ErrClosed):
		return err
	}
	return failure
}

// grantOf returns the grant of a connection's credential; empty if it has none,
// or the store does not tell.
func (e *Engine) grantOf(ctx context.Context, connection string) string {
	c, err := e.cfg.Store.Credential(ctx, connection)
	if err != nil {
		return ""
	}
	return c.Grant
}

// settleDue sets when a task is due again after a turn with the outcome err. A
// backfill was begun under the grant.
func (e *Engine) settleDue(ctx context.Context, t task, grant string, now time.Time, err error) error {
	if ctx.Err() != nil || errors.Is(err, store.ErrLeaseHeld) || errors.Is(err, store.ErrClosed) || errors.Is(err, errNoProvider) {
		return nil // still due: another turn, or another process, takes it up
	}
	next := store.Due{Connection: t.connection, Task: t.name}
	wait, waiting := errors.AsType[*waitError](err)
	if !waiting || wait.provider == "" || errors.Is(err, errYield) {
		e.dequeue(t)
	}
	over := false
	if final(err) {
		var failure error
		if over, failure = e.giveUp(ctx, next); failure != nil {
			return failure
		}
	}
	fails := e.count(t, err, over)
	switch {
	case over && t.name == taskSync:
		return e.lookAgain(ctx, next)
	case over:
		return nil
	case errors.Is(err, errYield):
		next.At = now
	case waiting && wait.provider != "":
		next.At = e.enqueue(t, now, wait)
	case waiting:
		next.At = wait.until
	case err == nil && t.name == taskBackfill:
	case err == nil && t.name == taskSubscribe:
		next.At = now.Add(jitter(subscribeEvery))
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
	failure := e.cfg.Store.SetDue(ctx, next)
	switch {
	case failure != nil:
		return failure
	case final(err):
		return nil // its items meet the same refusal: they wait as well
	case t.name == taskSync && !waiting:
		return e.lookAgain(ctx, next)
	case next.At.IsZero() && e.grantOf(ctx, t.connection) != grant:
		// A consent during the turn may be to more. It stores its grant before it
		// makes the backfill due, so that one of the two sees the other.
		next.At = now
		return e.cfg.Store.SetDue(ctx, next)
	}
	return nil
}

// lookAgain makes a connection due as soon as there is something in its inbox
// to work on. It looks after the due time was set: whoever puts an item there
// sets the due time afterwards, so that one of the two sees the other.
func (e *Engine) lookAgain(ctx context.Context, set store.Due) error {
	conn, err := e.cfg.Store.Connection(ctx, set.Connection)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	at := now()
	_, ok := e.providers[conn.Provider]
	if conn.State == store.StateDeleting || !ok {
		return nil // nobody works on its items, or not in this process
	}
	// What is ready may be hidden behind many that wait.
	query := store.InboxQuery{User: conn.User, Connection: conn.ID, ReadyAt: at, Limit: 1}
	list, err := e.cfg.Store.InboxItems(ctx, query)
	if err == nil && len(list) == 0 {
		query.ReadyAt, query.Limit = time.Time{}, 0
		list, err = e.cfg.Store.InboxItems(ctx, query)
	}
	if err != nil || len(list) == 0 {
		return err
	}
	first := list[0].NextAt
	for _, item := range list {
		first = minTime(first, item.NextAt)
	}
	if !set.At.IsZero() && !first.Before(set.At) {
		return nil
	}
	set.At = maxTime(first, at)
	err = e.cfg.Store.SetDue(ctx, set)
	e.poke()
	return err
}

// giveUp removes a task's due time, and reports that the task is over, unless the
// connection is in order after all: only its access token was refused, or the
// person consented again during the turn. Looking afterwards makes sure that
// either side sees the other. When the store does not tell, the task goes on: a
// turn too many does no harm.
func (e *Engine) giveUp(ctx context.Context, d store.Due) (over bool, err error) {
	for removed := false; ; removed = true {
		_, err := e.workable(ctx, d.Connection)
		if errors.Is(err, errNoProvider) || !errors.Is(err, ErrConnectionState) && !errors.Is(err, store.ErrNotFound) {
			return false, nil
		}
		if removed {
			return true, nil
		}
		if err := e.cfg.Store.SetDue(ctx, d); err != nil {
			return false, err
		}
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
// turns to another connection. With queues in between, turning to another one
// takes longer.
const (
	inlineWait = time.Second
	queuedWait = 2 * time.Second
)

// turn does one task's share of work.
func (e *Engine) turn(ctx context.Context, t task) error {
	s, working, err := e.open(ctx, t.connection)
	if errors.Is(err, ErrConnectionState) && t.name == taskSync {
		if failure := e.workLifecycle(ctx, t.connection); failure != nil {
			return failure
		}
		if _, failure := e.workable(ctx, t.connection); failure == nil {
			return errYield // it is in order again
		}
	}
	if err != nil {
		return err
	}
	defer s.close()
	s.background, s.patience, s.pages = true, inlineWait, e.cfg.Slice
	if e.cfg.Workers < 0 {
		s.patience = queuedWait
	}
	err = s.settle(ctx, working, func() error {
		switch t.name {
		case taskSync:
			return s.syncAll(working)
		case taskSubscribe:
			return s.subscribe(working)
		}
		return s.backfill(working, now().Add(-max(0, e.cfg.History)))
	}())
	if err == nil && t.name == taskBackfill && !s.pendingUntil.IsZero() {
		err = &waitError{until: s.pendingUntil, err: errPending}
	}
	return err
}
