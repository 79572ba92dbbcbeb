package sqlite

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"time"

	"github.com/vitalmux/vitalmux/store"
)

// groupWeight is about how many rows one transaction takes before it commits
// while more wait. Beyond it nothing is gained.
const groupWeight = 4096

// writer owns the connection that writes. One goroutine takes whatever waits
// into one transaction and answers after its COMMIT.
type writer struct {
	store    *Store
	conn     *conn
	check    *checkpointer
	patience time.Duration // for the lock for writing

	mu      sync.Mutex
	queue   []*job
	wanted  int // how many jobs are to wait before the writer is woken
	stopped bool
	wake    chan struct{}
	done    chan struct{}
	rooms   sync.Pool // of *[]byte, for packed deliveries
	recent  *recent

	dataVersion int64 // of the file as this connection last saw it
	nextRecord  int64 // 0: to be read
	young       int64 // how many rows are young, read with nextRecord
	lastRecord  int64 // the greatest number of a row, read with nextRecord
}

// job is one write: a planned commit, a delivery, or a function.
type job struct {
	plan *plan
	in   *incoming
	fn   func(*tx) error
	err  error
	done chan struct{}
}

// tx is a transaction under way.
type tx struct {
	*conn
	names   *names
	touched map[string]bool  // connections that were written to
	dropped bool             // names are gone: the cache is void
	words   map[int64]*words // of the links that got new ones
	shaped  bool             // there are new shapes
	added   map[int64]string // by stream, the greatest key of a new record
	owners  map[ownerKey]owned
	recent  *recent
	now     time.Time
}

// touch marks a connection as written to.
func (t *tx) touch(connection string) { t.touched[connection] = true }

func newWriter(s *Store, c *conn, check *checkpointer, patience time.Duration) *writer {
	return &writer{
		store: s, conn: c, check: check, patience: patience, recent: &recent{most: recentNames},
		wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
}

func (w *writer) start() {
	go w.run()
	go w.check.run()
}

// stop ends the goroutines after what waits is written.
func (w *writer) stop() error {
	w.mu.Lock()
	w.stopped = true
	w.mu.Unlock()
	w.signal()
	<-w.done
	w.check.stop()
	return nil
}

// close empties the log and closes the connections.
func (w *writer) close() error {
	err := w.check.truncate(w.patience)
	b := w.store.bridge
	return errors.Join(err, b.close(w.check.conn), b.close(w.conn))
}

func (w *writer) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// do hands j to the writer and waits until it is durable or refused.
func (w *writer) do(j *job) error {
	j.done = make(chan struct{})
	w.mu.Lock()
	w.queue = append(w.queue, j)
	enough := len(w.queue) >= w.wanted
	w.mu.Unlock()
	if enough {
		w.signal()
	}
	<-j.done
	return j.err
}

// write runs fn in a transaction. It runs to its end once it has begun.
func (s *Store) write(ctx context.Context, fn func(*tx) error) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	return s.writer.do(&job{fn: fn})
}

func (w *writer) run() {
	defer close(w.done)
	last, took := 0, time.Duration(0) // of the last group
	for {
		w.gather(last, took)
		jobs, stopped := w.take()
		if last = len(jobs); last > 0 {
			began := time.Now()
			w.group(jobs)
			took = time.Since(began)
			for _, j := range jobs {
				close(j.done)
			}
			w.check.written()
			w.check.finish(w.conn)
			continue
		}
		if stopped {
			return
		}
		<-w.wake
	}
}

// maxGather is how long the writer waits at most for a group to grow.
const maxGather = time.Millisecond

// gather waits until as many are there as the last group had, and half as many
// as came meanwhile, and not for longer than half as long as that group took:
// those whose commits were just answered often come back, and what a group costs
// by itself, above all its fsync, is a good part of a small one. It does not wait
// where commits come one after the other.
func (w *writer) gather(last int, took time.Duration) {
	n := w.waiting()
	if max(n, last/2) < 2 {
		return
	}
	enough := last + n/2
	for before := -1; before < n && n < enough; n = w.waiting() {
		before = n
		runtime.Gosched()
	}
	if !w.want(enough) {
		return
	}
	defer w.want(0)
	timer := time.NewTimer(min(took/2, maxGather))
	defer timer.Stop()
	for {
		select {
		case <-w.wake: // perhaps for one that came before
			if !w.want(enough) {
				return
			}
		case <-timer.C:
			return
		}
	}
}

// want has the writer woken when n jobs wait; false if they do already, or the
// writer is to stop.
func (w *writer) want(n int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) >= n || w.stopped {
		w.wanted = 0
		return false
	}
	w.wanted = n
	return true
}

func (w *writer) waiting() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.queue)
}

// take returns what waits, up to the weight of a group.
func (w *writer) take() ([]*job, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, weight := 0, 0
	for n < len(w.queue) && weight < groupWeight {
		if p := w.queue[n].plan; p != nil {
			weight += p.weight()
		} else {
			weight++
		}
		n++
	}
	jobs := w.queue[:n:n]
	w.queue = w.queue[n:]
	return jobs, w.stopped
}

// group writes jobs in one transaction. Should that fail as a whole, each gets
// a transaction of its own, so that one cannot fail the others.
func (w *writer) group(jobs []*job) {
	for _, j := range jobs {
		j.err = nil
	}
	err := w.attempt(jobs)
	if err == nil {
		return
	}
	if len(jobs) == 1 || errors.Is(err, store.ErrBusy) {
		for _, j := range jobs {
			j.err = err
		}
		return
	}
	for i := range jobs {
		if p := jobs[i].plan; p != nil {
			p.stamp = stamp{} // it holds numbers of the transaction that failed
		}
		w.group(jobs[i : i+1])
	}
}

// begin takes the lock of the file. Other processes may write too, and SQLite
// has no queue for them: who waits asks again, ever more rarely, up to ten times
// a second, and a process that always has the next transaction ready takes the
// lock each time before. So the writer asks every few milliseconds instead.
func (w *writer) begin() error {
	for deadline := time.Now().Add(w.patience); ; {
		_, err := w.conn.exec(background, "BEGIN IMMEDIATE")
		if err == nil || !errors.Is(err, store.ErrBusy) || !time.Now().Before(deadline) {
			return err
		}
		time.Sleep(rand.N(2 * lockPoll))
	}
}

// attempt runs one transaction. Jobs that are refused have their err set; an
// error means that nothing was written.
func (w *writer) attempt(jobs []*job) (err error) {
	c := w.conn
	if err := w.begin(); err != nil {
		return err
	}
	t := &tx{conn: c, names: newNames(), touched: map[string]bool{}, added: map[int64]string{},
		owners: map[ownerKey]owned{}, words: map[int64]*words{}, recent: w.recent, now: time.Now()}
	changes := w.recent.changes
	defer func() {
		if err == nil {
			_, err = c.exec(background, "COMMIT")
		}
		if err != nil {
			w.nextRecord = 0
			if w.recent.changes != changes {
				w.recent.lose()
			}
			if _, undo := c.exec(background, "ROLLBACK"); undo != nil && !errors.Is(err, store.ErrBusy) {
				err = errors.Join(err, undo)
			}
			return
		}
		if t.shaped {
			// What cannot be read now is asked for again when it is missed.
			_ = w.store.vocabulary.loadShapes(background, c)
		}
		if t.dropped {
			w.nextRecord = 0
			w.store.cache.drop()
		} else {
			w.store.cache.learn(t)
		}
	}()
	if err := w.observe(); err != nil {
		return err
	}
	late, err := w.commits(t, jobs)
	if err != nil {
		return err
	}
	for _, j := range late {
		j.plan.fresh = true
		if j.err = j.plan.make(background, c, t.now); j.err == nil {
			j.err = j.plan.pack(true)
		}
		if refused(j.err) {
			continue
		}
		if j.err != nil {
			return j.err
		}
		if err := w.apply(t, []*plan{j.plan}); err != nil {
			return err
		}
	}
	var came incomings
	for _, j := range jobs {
		if j.in != nil {
			came = append(came, j.in)
		}
	}
	if err := t.putDeliveries(came); err != nil {
		return err
	}
	for _, j := range jobs {
		if j.fn == nil {
			continue
		}
		if err := t.run(j, len(jobs) > 1); err != nil {
			return err
		}
	}
	return nil
}

// refused reports whether err is a refusal of the contract, with the transaction
// as it was. After another error there may be none any more: SQLite undoes it
// where the disk or the memory fails, also under a statement that only reads.
func refused(err error) bool {
	for _, refusal := range []error{store.ErrLeaseLost, store.ErrConflict, store.ErrErased, store.ErrInvalid, store.ErrNotFound} {
		if errors.Is(err, refusal) {
			return true
		}
	}
	return false
}

// commits applies the plans that still hold, and returns the others.
func (w *writer) commits(t *tx, jobs []*job) (late []*job, err error) {
	var ready []*plan
	taken := map[string]bool{}
	for _, j := range jobs {
		if j.plan == nil {
			continue
		}
		p := j.plan
		connection := p.batch.Connection
		if taken[connection] || p.stamp != w.store.cache.stamp(connection) {
			late = append(late, j)
			continue
		}
		taken[connection] = true
		if p.leased && !t.now.Before(p.until) {
			j.err = store.ErrLeaseLost
			continue
		}
		ready = append(ready, p)
	}
	return late, w.apply(t, ready)
}

// run calls a function; what it did before an error is undone, and the names it
// made are forgotten.
func (t *tx) run(j *job, shared bool) error {
	if !shared {
		return j.fn(t)
	}
	if _, err := t.exec(background, "SAVEPOINT job"); err != nil {
		return err
	}
	changes := t.recent.changes
	if j.err = j.fn(t); j.err != nil {
		t.names = newNames()
		if t.recent.changes != changes {
			t.recent.lose()
		}
		if _, err := t.exec(background, "ROLLBACK TO job"); err != nil {
			return err
		}
	}
	_, err := t.exec(background, "RELEASE job")
	return err
}

// observe drops the cache if another process wrote since the last transaction.
func (w *writer) observe() error {
	version := int64(0)
	if _, err := w.conn.one(background, func(r row) { version = r.int(0) }, "PRAGMA data_version"); err != nil {
		return err
	}
	if version != w.dataVersion {
		w.dataVersion, w.nextRecord = version, 0
		w.store.cache.drop()
		w.recent.behind()
	}
	return nil
}
