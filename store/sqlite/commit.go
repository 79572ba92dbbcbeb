package sqlite

import (
	"context"
	"errors"
	"time"

	"github.com/vitalmux/vitalmux/store"
)

// Commit implements [store.Store].
//
// What the batch would change is found out on a snapshot, in the caller's
// goroutine; a batch that changes nothing takes no write lock. The rest waits
// for the writer, which carries the plan out if the connection is as the
// snapshot had it, and otherwise plans again under the write lock.
func (s *Store) Commit(ctx context.Context, b store.Batch) (store.Result, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return store.Result{}, err
	}
	defer leave()
	if err := validate(&b); err != nil {
		return store.Result{}, err
	}
	p := &plan{s: s, batch: &b}
	defer func() {
		p.dismiss()
		if p.load != nil {
			s.arenas.Put(p.load.release())
		}
		for _, a := range p.arenas {
			s.arenas.Put(a)
		}
	}()
	if err := s.plan(ctx, p); err != nil {
		return store.Result{}, err
	}
	if p.empty() {
		return p.result, nil
	}
	if err := s.writer.do(&job{plan: p}); err != nil {
		return store.Result{}, err
	}
	return p.result, nil
}

// plan makes p ready for the writer, unless there is nothing to write.
func (s *Store) plan(ctx context.Context, p *plan) error {
	s.planning.Add(1)
	defer s.planning.Add(-1)
	p.begin()
	if !hasDigests(p.batch) {
		// Without digests to look up, the encoding begins before the snapshot.
		if err := p.prepare(make([]bool, len(p.batch.Pages))); err != nil {
			return err
		}
	}
	p.stamp = s.cache.stamp(p.batch.Connection)
	if err := s.view(ctx, p.look); err != nil || p.empty() {
		return err
	}
	for tries := 0; ; tries++ {
		err := p.pack(tries == definePatience)
		if err == nil {
			err = ctx.Err()
		}
		if !errors.Is(err, errUndefined) {
			return err
		}
		if err := s.define(p); err != nil {
			return err
		}
	}
}

// look plans the batch on a reader's snapshot. What the cache says of the
// connection may be of before another process removed it, or wrote to it. The
// writer finds that out; an error, or that nothing is to do, is looked into
// here. Whether a record is to be written is read from the file; of copied
// samples only the cache may know.
func (p *plan) look(c *conn) error {
	err := p.make(background, c, time.Now())
	if !p.cached || err == nil && !p.empty() {
		return err
	}
	there, check := c.one(background, func(row) {}, "SELECT 1 FROM link WHERE id = ?1", p.scope.link)
	if check != nil || there && p.batch.Copied == nil {
		return errors.Join(err, check)
	}
	p.fresh = true
	defer func() { p.fresh = false }()
	return p.make(background, c, time.Now())
}

// validate checks a batch but for its records, which are checked as they are
// looked at: those of a page that is skipped are not.
func validate(b *store.Batch) error {
	bare := *b
	bare.Pages = make([]store.Page, len(b.Pages))
	for i := range b.Pages {
		bare.Pages[i] = store.Page{Stream: b.Pages[i].Stream, Key: b.Pages[i].Key}
	}
	return bare.Validate()
}

func hasDigests(b *store.Batch) bool {
	for i := range b.Pages {
		if b.Pages[i].Digest != 0 {
			return true
		}
	}
	return false
}
