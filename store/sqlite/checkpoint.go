package sqlite

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	checkpointEvery = 200 * time.Millisecond
	checkpointPages = 4 << 20 / pageSize   // of the log, below which it may wait
	checkpointTail  = 256 << 10 / pageSize // what the writer copies itself
	checkpointTries = 4
	idleAfter       = time.Second
	// restartPatience is how long the writer waits until no reader needs the
	// old log: theirs are short, those of other programs may not be.
	restartPatience = 5 * time.Millisecond
	// lockPoll is how long SQLite waits for the lock of the file each time that
	// the writer asks for it.
	lockPoll = 3 * time.Millisecond
	// truncatePatience is the same for a try to empty the log, which keeps the
	// writer out meanwhile, and truncatePause the time between two tries.
	truncatePatience = 100 * time.Millisecond
	truncatePause    = 10 * time.Millisecond
)

// checkpointer copies the log back into the database while the writer goes on,
// on a connection of its own: the second copy of every page overlaps with the
// first of others. What the writer adds at last the writer copies itself, so
// that the log begins anew and its blocks are used again: to make a file longer
// costs more than to write it.
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
		_ = cp.truncate(0)
	}
}

// pass copies the log if it is long.
func (cp *checkpointer) pass() {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	if log, _, err := cp.conn.checkpoint("NOOP"); err != nil || log < checkpointPages {
		return
	}
	for range checkpointTries {
		log, copied, err := cp.conn.checkpoint("PASSIVE")
		if err != nil {
			return
		}
		if log-copied < checkpointTail {
			break
		}
	}
	cp.rest.Store(true)
}

// finish copies what a pass left and lets the log begin anew. The writer calls
// it between transactions.
func (cp *checkpointer) finish(writer *conn) {
	if !cp.rest.Swap(false) {
		return
	}
	if writer.wait(restartPatience) == nil {
		_, _, _ = writer.checkpoint("RESTART")
	}
	_ = writer.wait(lockPoll)
}

// wait sets how long the connection waits for locks.
func (c *conn) wait(patience time.Duration) error {
	return c.script(background, "PRAGMA busy_timeout="+strconv.FormatInt(max(0, patience.Milliseconds()), 10))
}

// truncate copies all of the log and empties it. Where readers hold on to the
// log it tries again for as long as patience says, and then leaves it. The
// writer gets its turns in between.
func (cp *checkpointer) truncate(patience time.Duration) error {
	for deadline := time.Now().Add(patience); ; time.Sleep(truncatePause) {
		empty, err := cp.empty()
		if err != nil || empty || !time.Now().Before(deadline) {
			return err
		}
	}
}

// empty is one try of truncate. The passive pass before does most of the work
// while others write.
func (cp *checkpointer) empty() (bool, error) {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	if _, _, err := cp.conn.checkpoint("PASSIVE"); err != nil {
		return false, err
	}
	log, _, err := cp.conn.checkpoint("TRUNCATE")
	return log == 0, err
}

// checkpoint runs a checkpoint and returns how many pages the log has and how
// many of them are copied.
func (c *conn) checkpoint(mode string) (log, copied int64, err error) {
	_, err = c.one(background, func(r row) { log, copied = r.int(1), r.int(2) }, "PRAGMA wal_checkpoint("+mode+")")
	return log, copied, err
}
