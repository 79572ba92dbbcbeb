package sqlite

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
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
	firstYoung  int64 // no young row has a lower number, if some are young
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
	g := &group{}
	for {
		g = g.next()
		w.await(g)
		_, stopped := w.take(g)
		if len(g.jobs) > 0 {
			began := time.Now()
			w.write(g)
			g.took = time.Since(began)
			for _, j := range g.jobs {
				close(j.done)
			}
			g.came = w.waiting()
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

// group is what one transaction writes.
type group struct {
	jobs     []*job
	weight   int
	wanted   int           // how many jobs it waits for
	wave     int           // how many are worth to go on with
	patience time.Duration // for how long yet
	took     time.Duration // to write it
	came     int           // jobs that came meanwhile
}

const (
	// maxPatience is how long a group waits at most for jobs.
	maxPatience = time.Millisecond
	// minWave is how many commits are worth to go on with, if that is no less than
	// an eighth of what a group waits for.
	minWave = 8
)

// next returns the group after g. It waits for as many jobs as that had, and for
// half as many as came while it was written, and not for longer than half as
// long as that took: those whose commits were just answered often come back, and
// what a group costs by itself, above all its fsync, is a good part of a small
// one. It does not wait where few come at a time. Commits are written while
// others are still planned; deliveries need no plan, and few statements if they
// are put at once.
func (g *group) next() *group {
	n := &group{wanted: len(g.jobs) + g.came/2}
	n.wave = max(n.wanted/8, minWave)
	if slices.ContainsFunc(g.jobs, func(j *job) bool { return j.in != nil }) {
		n.wave = n.wanted
	}
	if n.wanted > 3 {
		n.patience = min(g.took/2, maxPatience)
	}
	return n
}

// more reports whether g waits for jobs.
func (g *group) more() bool {
	return g.patience > 0 && len(g.jobs) < g.wanted && g.weight < groupWeight
}

// await waits for jobs that are worth to go on with.
func (w *writer) await(g *group) {
	enough := min(g.wanted-len(g.jobs), g.wave)
	if !g.more() || !w.want(enough) {
		return
	}
	if g.wave == g.wanted {
		// Most of those that come need no more than a turn.
		for n, before := w.waiting(), -1; before < n && n < enough; n = w.waiting() {
			before = n
			runtime.Gosched()
		}
	}
	began := time.Now()
	timer := time.NewTimer(g.patience)
	defer timer.Stop()
	for {
		select {
		case <-w.wake: // perhaps for one that came before
			if w.want(enough) {
				continue
			}
			g.patience -= time.Since(began)
		case <-timer.C:
			w.want(0)
			g.patience = 0
		}
		return
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

// take moves to g what waits, up to the weight of a group, and returns it.
func (w *writer) take(g *group) (jobs []*job, stopped bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for n < len(w.queue) && g.weight < groupWeight {
		if p := w.queue[n].plan; p != nil {
			g.weight += p.weight()
		} else {
			g.weight++
		}
		n++
	}
	jobs = w.queue[:n:n]
	g.jobs = append(g.jobs, jobs...)
	w.queue = w.queue[n:]
	return jobs, w.stopped
}

// write writes a group in one transaction. Should that fail as a whole, each job
// gets a transaction of its own, so that one cannot fail the others.
func (w *writer) write(g *group) {
	err := w.attempt(g)
	if err == nil {
		return
	}
	if len(g.jobs) == 1 || errors.Is(err, store.ErrBusy) {
		for _, j := range g.jobs {
			j.err = err
		}
		return
	}
	for i, j := range g.jobs {
		j.err = nil
		if j.plan != nil {
			j.plan.stamp = stamp{} // it holds numbers of the transaction that failed
		}
		w.write(&group{jobs: g.jobs[i : i+1 : i+1]})
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

// attempt runs one transaction, for the jobs of g and those that it still gets.
// Jobs that are refused have their err set; an error means that nothing was
// written.
func (w *writer) attempt(g *group) (err error) {
	c := w.conn
	if err := w.begin(); err != nil {
		return err
	}
	n := max(len(g.jobs), g.wanted)
	t := &tx{conn: c, names: newNames(), touched: make(map[string]bool, n), added: make(map[int64]string, n),
		owners: map[ownerKey]owned{}, words: map[int64]*words{}, recent: w.recent}
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
	for jobs := g.jobs; len(jobs) > 0; {
		if err := w.carryOut(t, jobs, len(g.jobs) > 1); err != nil {
			return err
		}
		// What a function did may be anything: no plan made before comes after it.
		function := slices.ContainsFunc(jobs, func(j *job) bool { return j.fn != nil })
		if jobs = nil; g.more() && !function {
			w.await(g)
			jobs, _ = w.take(g)
		}
	}
	return nil
}

// carryOut carries out jobs within a transaction, which has others if shared.
func (w *writer) carryOut(t *tx, jobs []*job, shared bool) error {
	t.now = time.Now()
	late, err := w.commits(t, jobs)
	if err != nil {
		return err
	}
	for _, j := range late {
		j.plan.fresh = true
		if j.err = j.plan.make(background, t.conn, t.now); j.err == nil {
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
		if err := t.run(j, shared); err != nil {
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
	taken := make(map[string]bool, len(jobs))
	for _, j := range jobs {
		if j.plan == nil {
			continue
		}
		p := j.plan
		connection := p.batch.Connection
		if taken[connection] || t.touched[connection] || p.stamp != w.store.cache.stamp(connection) {
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
