package redis

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

// node returns the client of the server that has the key.
func (s *Store) node(ctx context.Context, key string) (*goredis.Client, error) {
	if s.cluster != nil {
		return s.cluster.MasterForKey(ctx, key)
	}
	return s.single, nil
}

// retry calls op until it succeeds, fails for good, or the patience or the
// context ends. An op is safe to repeat: what it does twice has one effect.
func (s *Store) retry(ctx context.Context, op func() error) error {
	var deadline time.Time
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 250*time.Millisecond) {
		err := op()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, goredis.TxFailedErr) {
			continue // because of what was watched on the connection before
		}
		if ours(err) && !errors.Is(err, ErrUnavailable) || !errors.Is(err, ErrUnavailable) && !passing(err) {
			return translate(err)
		}
		now := time.Now()
		if deadline.IsZero() {
			deadline = now.Add(s.patience)
		}
		if !now.Before(deadline) {
			return translate(err)
		}
		if s.cluster != nil {
			// The client keeps a dead master for as long as nobody tells it
			// to look again.
			s.cluster.ReloadState(ctx)
		}
		if err := sleep(ctx, pause/2+rand.N(pause)); err != nil {
			return err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// on calls op with the client of the server that has the key, as by retry.
func (s *Store) on(ctx context.Context, key string, op func(c *goredis.Client) error) error {
	return s.retry(ctx, func() error {
		c, err := s.node(ctx, key)
		if err != nil {
			return err
		}
		return op(c)
	})
}

// view reads keys of one slot as they are at one moment. An answer that a key
// or field is not there is no error.
func (s *Store) view(ctx context.Context, key string, reads func(p goredis.Pipeliner)) error {
	return s.on(ctx, key, func(c *goredis.Client) error {
		err := queue(ctx, c.TxPipeline(), reads)
		if !outOfMemory(err) {
			return err
		}
		// A server without memory refuses transactions that only read, too.
		// Each change of a scope changes its head.
		head := key[:strings.IndexByte(key, '}')+1]
		for {
			var before, after *goredis.StringCmd
			if err := queue(ctx, c.Pipeline(), func(p goredis.Pipeliner) {
				before = p.HGet(ctx, head, "v")
				reads(p)
				after = p.HGet(ctx, head, "v")
			}); err != nil || before.Val() == after.Val() {
				return err
			}
		}
	})
}

// apply makes changes to keys of one slot together. What is done twice must
// have one effect.
func (s *Store) apply(ctx context.Context, key string, writes func(p goredis.Pipeliner)) error {
	return s.on(ctx, key, func(c *goredis.Client) error { return queue(ctx, c.TxPipeline(), writes) })
}

// queue runs a pipeline.
func queue(ctx context.Context, p goredis.Pipeliner, commands func(p goredis.Pipeliner)) error {
	if commands(p); p.Len() == 0 {
		return nil
	}
	cmds, err := p.Exec(ctx)
	return firstError(cmds, err)
}

// firstError returns the first error of a pipeline that is one: not that
// something is not there, and rather why a transaction was discarded than that
// it was.
func firstError(cmds []goredis.Cmder, err error) error {
	if err == nil || errors.Is(err, goredis.TxFailedErr) {
		return err
	}
	for _, cmd := range cmds {
		if e := cmd.Err(); e != nil && !errors.Is(e, goredis.Nil) && !goredis.IsExecAbortError(e) {
			return e
		}
	}
	if errors.Is(err, goredis.Nil) {
		return nil
	}
	return err
}

// turn waits until no other goroutine of this process writes to the scope: two
// writers would only make each other begin again. Scopes share turns.
func (s *Store) turn(ctx context.Context, sc scope) (done func(), err error) {
	c := s.turns[health.Digest([]byte(sc))%uint64(len(s.turns))]
	select {
	case c <- struct{}{}:
		return func() { <-c }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// errAgain makes update begin again.
var errAgain = errors.New("redis: begin again")

// tx is a transaction on one scope: it watches the scope's head and further
// keys, reads, and then writes all or nothing. One that writes nothing leaves the
// keys watched, which saves a round trip: the next transaction on the connection
// ends that, or fails by it, without effect, and is sent again.
type tx struct {
	ctx   context.Context
	s     *Store
	sc    scope
	c     *goredis.Tx // nil in a glance
	head  head
	now   int64 // the server's time in microseconds
	queue [][]any
}

// do queues a command to write.
func (t *tx) do(args ...any) { t.queue = append(t.queue, args) }

// read runs a pipeline of reads, for which a glance is not enough.
func (t *tx) read(reads func(p goredis.Pipeliner)) error {
	if t.c == nil {
		return errAgain
	}
	return queue(t.ctx, t.c.Pipeline(), reads)
}

// open begins a change to what a user has: ErrErased if the user was erased.
// Users who were erased elsewhere have no head: the store looks for their print
// when it makes one.
func (t *tx) open(user string) error {
	if t.head.erased {
		return store.ErrErased
	}
	if t.head.nonces == "" {
		if erased, err := t.s.wasErased(t.ctx, user); err != nil || erased {
			if err == nil {
				err = store.ErrErased
			}
			return err
		}
	}
	t.head.user = user
	return nil
}

// newID returns a number that nothing in the scope had before.
func (t *tx) newID() int64 {
	t.head.next++
	return t.head.next
}

// update makes one atomic change to a scope. First adds reads to the first
// round trip, which also reads the head. Then fn reads more with t.read and
// queues writes with t.do, for which it may be called again; if it queues none,
// none are made. A change whose answer is lost is recognised by its nonce.
func (s *Store) update(ctx context.Context, sc scope, watch []string, first func(p goredis.Pipeliner), fn func(t *tx) error) error {
	nonce := newNonce()
	var started time.Time
	sent := false
	return s.retry(ctx, func() error {
		done, err := s.turn(ctx, sc)
		if err != nil {
			return err
		}
		defer done()
		for pause := time.Duration(0); ; pause = min(2*pause+50*time.Microsecond, 20*time.Millisecond) {
			err := s.attempt(ctx, sc, watch, nonce, &sent, first, fn)
			if !errors.Is(err, goredis.TxFailedErr) && !errors.Is(err, errAgain) {
				return err
			}
			if started.IsZero() {
				started = time.Now()
			}
			if time.Since(started) > s.patience+time.Second {
				return store.ErrBusy
			}
			if err := sleep(ctx, rand.N(pause+1)); err != nil {
				return err
			}
		}
	})
}

// glance lets fn decide by what first reads, as it is at one moment: a round trip
// less than an update that writes nothing. It reports false if fn reads or writes
// more, for which there is update.
func (s *Store) glance(ctx context.Context, sc scope, first func(p goredis.Pipeliner), fn func(t *tx) error) (bool, error) {
	var fields *goredis.SliceCmd
	if err := s.view(ctx, sc.key(), func(p goredis.Pipeliner) {
		fields = p.HMGet(ctx, sc.key(), headFields()...)
		first(p)
	}); err != nil {
		return false, err
	}
	t := &tx{ctx: ctx, s: s, sc: sc}
	if err := t.head.read(fields.Val()); err != nil {
		return false, err
	}
	err := fn(t)
	if errors.Is(err, errAgain) || len(t.queue) > 0 {
		return false, nil
	}
	return true, err
}

func (s *Store) attempt(ctx context.Context, sc scope, watch []string, nonce string, sent *bool, first func(p goredis.Pipeliner), fn func(t *tx) error) error {
	node, err := s.node(ctx, sc.key())
	if err != nil {
		return err
	}
	return node.Watch(ctx, func(c *goredis.Tx) error {
		t := &tx{ctx: ctx, s: s, sc: sc, c: c}
		var fields *goredis.SliceCmd
		var clock *goredis.TimeCmd
		err := t.read(func(p goredis.Pipeliner) {
			args := make([]any, 0, 2+len(watch))
			args = append(args, "watch", sc.key())
			for _, key := range watch {
				args = append(args, key)
			}
			p.Do(ctx, "unwatch")
			p.Do(ctx, args...)
			fields = p.HMGet(ctx, sc.key(), headFields()...)
			clock = p.Time(ctx)
			if first != nil {
				first(p)
			}
		})
		if err != nil {
			return err
		}
		t.now = clock.Val().UnixMicro()
		if err := t.head.read(fields.Val()); err != nil {
			return err
		}
		if *sent && t.head.has(nonce) {
			return nil // the answer to the last attempt was lost
		}
		if err = fn(t); err != nil && t.torn(err) {
			return errAgain
		}
		if err != nil || len(t.queue) == 0 {
			return err
		}
		t.head.sign(nonce)
		t.do(t.head.write(sc)...)
		*sent = true
		p := c.TxPipeline()
		for _, args := range t.queue {
			p.Do(ctx, args...)
		}
		cmds, err := p.Exec(ctx)
		return firstError(cmds, err)
	})
}

// torn reports whether an error may be there because the scope was changed while
// it was read in several steps: what fits together at no moment looks damaged.
func (t *tx) torn(err error) bool {
	if ours(err) && !errors.Is(err, ErrDamaged) || errors.Is(err, errAgain) || errors.Is(err, errUnclaimed) {
		return false
	}
	changed := queue(t.ctx, t.c.TxPipeline(), func(p goredis.Pipeliner) { p.Exists(t.ctx, t.sc.key()) })
	return errors.Is(changed, goredis.TxFailedErr)
}
