package sqlite

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	checkpointEvery = 200 * time.Millisecond
	checkpointPages = 4 << 20 / pageSize // of the log, below which it may wait
	idleAfter       = time.Second
)

// checkpointer copies the log back into the database while the writer goes on,
// on a connection of its own: the second copy of every page overlaps with the
// first of others. What the writer adds meanwhile the writer copies itself, so
// that the log begins anew and its blocks are used again.
type checkpointer struct {
	mu     sync.Mutex // guards conn
	conn   *conn
	notice chan struct{}
	cancel context.CancelFunc
	ctx    context.Context
	done   chan struct{}
	// rest is set when a pass left pages that the writer is to copy.
	rest atomic.Bool
}

func newCheckpointer(c *conn) *checkpointer {
	cp := &checkpointer{conn: c, notice: make(chan struct{}, 1), done: make(chan struct{})}
	cp.ctx, cp.cancel = context.WithCancel(background)
	return cp
}

// written tells that a transaction was committed.
func (cp *checkpointer) written() {
	select {
	case cp.notice <- struct{}{}:
	default:
	}
}

func (cp *checkpointer) stop() {
	cp.cancel()
	<-cp.done
}

// run sleeps until something is written, looks at the log in intervals while
// writes go on, and empties it when they cease. A checkpoint that fails is made
// up for by the next one, or by the next process that opens the file.
func (cp *checkpointer) run() {
	defer close(cp.done)
	for {
		select {
		case <-cp.ctx.Done():
			return
		case <-cp.notice:
		}
		for quiet := time.Duration(0); quiet < idleAfter; {
			select {
			case <-cp.ctx.Done():
				return
			case <-time.After(checkpointEvery):
			}
			cp.pass()
			select {
			case <-cp.notice:
				quiet = 0
			default:
				quiet += checkpointEvery
			}
		}
		_ = cp.truncate()
	}
}

// pass copies the log if it is long.
func (cp *checkpointer) pass() {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	if log, copied, err := cp.conn.checkpoint("NOOP"); err != nil || log-copied < checkpointPages {
		return
	}
	if log, copied, err := cp.conn.checkpoint("PASSIVE"); err == nil && copied < log {
		cp.rest.Store(true)
	}
}

// finish copies what a pass left. The writer calls it between transactions.
func (cp *checkpointer) finish(writer *conn) {
	if cp.rest.Swap(false) {
		_, _, _ = writer.checkpoint("PASSIVE")
	}
}

// truncate copies all of the log and empties it, as far as no reader holds on
// to it. The passive pass before does most of the work while others write.
func (cp *checkpointer) truncate() error {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	if _, _, err := cp.conn.checkpoint("PASSIVE"); err != nil {
		return err
	}
	_, _, err := cp.conn.checkpoint("TRUNCATE")
	return err
}

// checkpoint runs a checkpoint and returns how many pages the log has and how
// many of them are copied.
func (c *conn) checkpoint(mode string) (log, copied int64, err error) {
	_, err = c.one(background, func(r row) { log, copied = r.int(1), r.int(2) }, "PRAGMA wal_checkpoint("+mode+")")
	return log, copied, err
}
