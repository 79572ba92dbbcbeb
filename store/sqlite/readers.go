package sqlite

import (
	"context"
	"sync"
)

// readers lends connections that read, each to one at a time. The one that came
// back last goes first: it has in its cache what was just read, and no more are
// opened than are used at the same time.
type readers struct {
	open  func() (*conn, error)
	lent  chan struct{} // one for each connection that is lent
	mu    sync.Mutex
	spare []*conn
}

func newReaders(most int, open func() (*conn, error)) *readers {
	return &readers{open: open, lent: make(chan struct{}, most)}
}

// take lends a connection; it waits while all are lent.
func (r *readers) take(ctx context.Context) (*conn, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r.lent <- struct{}{}:
	}
	if c := r.last(); c != nil {
		return c, nil
	}
	c, err := r.open()
	if err != nil {
		<-r.lent
	}
	return c, err
}

// fill opens a first connection.
func (r *readers) fill(ctx context.Context) error {
	c, err := r.take(ctx)
	if err == nil {
		r.give(c)
	}
	return err
}

// last returns the spare connection that came back last, nil if there is none.
func (r *readers) last() *conn {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.spare)
	if n == 0 {
		return nil
	}
	c := r.spare[n-1]
	r.spare[n-1], r.spare = nil, r.spare[:n-1]
	return c
}

// give takes a connection back; nil stands for one that is closed.
func (r *readers) give(c *conn) {
	if c != nil {
		r.mu.Lock()
		r.spare = append(r.spare, c)
		r.mu.Unlock()
	}
	<-r.lent
}

// drain waits until none is lent, and returns all connections. None can be taken
// any more.
func (r *readers) drain() []*conn {
	for range cap(r.lent) {
		r.lent <- struct{}{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.spare
}
