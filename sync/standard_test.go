package sync_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

var errKilled = errors.New("killed")

// mortalStore kills its process at the nth commit: before the commit, or after
// it was applied and before the process heard of it. Nothing works afterwards.
type mortalStore struct {
	*store.Memory
	commits, dieAt int
	applied        bool
	dead           bool
}

func (s *mortalStore) Commit(ctx context.Context, b store.Batch) (store.Result, error) {
	if s.dead {
		return store.Result{}, errKilled
	}
	if s.commits++; s.commits != s.dieAt {
		return s.Memory.Commit(ctx, b)
	}
	s.dead = true
	if s.applied {
		if _, err := s.Memory.Commit(ctx, b); err != nil {
			return store.Result{}, err
		}
	}
	return store.Result{}, errKilled
}

func (s *mortalStore) Release(ctx context.Context, l store.Lease) error {
	if s.dead {
		return errKilled
	}
	return s.Memory.Release(ctx, l)
}

// TestKilledAtEveryCommit checks that records and cursor are one: after a kill
// on either side of each commit the next process ends with exactly the
// service's records, and the mark has moved past nothing that is missing.
func TestKilledAtEveryCommit(t *testing.T) {
	for name, stream := range map[string]providers.Stream{"changes": weightChanges, "windows": weightWindows} {
		for _, applied := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/applied %v", name, applied), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					for n := 1; ; n++ {
						c := newClinic(stream)
						w := newWard(t, c, nil)
						c.fill(25)
						mortal := &mortalStore{Memory: w.store, dieAt: n, applied: applied}
						engine, err := healthsync.New(healthsync.Config{
							Providers: []providers.Provider{c}, Store: mortal, Sealer: newKeyring(t), MaxWait: -1,
						})
						require.NoError(t, err)
						since := time.Now().Add(-25 * day)
						_, err = engine.Backfill(t.Context(), w.conn.ID, since)
						if err == nil {
							_, err = engine.Sync(t.Context(), w.conn.ID)
						}
						if err == nil {
							require.Greater(t, n, 10)
							return
						}
						require.ErrorIs(t, err, errKilled)
						time.Sleep(2 * time.Minute) // the dead process's lease
						c.put(3, time.Now().Add(-3*day-time.Hour), 55_000)
						_, err = w.engine.Backfill(t.Context(), w.conn.ID, since)
						require.NoError(t, err)
						_, err = w.engine.Sync(t.Context(), w.conn.ID)
						require.NoError(t, err)
						require.Equal(t, w.want(), w.held(t), "killed at commit %d", n)
					}
				})
			})
		}
	}
}

// step is what happens at the service, and how long nothing happens then.
type step struct {
	op, id     int
	ago, pause time.Duration
}

// TestWhateverThePersonDoesTheStoreFollows has data arrive, arrive late, change,
// go and come back while pages fail and are refused, and looks after the night's
// reconciliation. The case's number replays it.
func TestWhateverThePersonDoesTheStoreFollows(t *testing.T) {
	t.Parallel()
	if proof.WithoutRace(t) {
		return
	}
	steps := rapid.SliceOfN(rapid.Custom(func(r *rapid.T) step {
		return step{
			op: rapid.IntRange(0, 2).Draw(r, "op"), id: rapid.IntRange(1, 28).Draw(r, "id"),
			ago:   time.Duration(rapid.IntRange(0, 25*24).Draw(r, "hours ago")) * time.Hour,
			pause: time.Duration(rapid.IntRange(0, 300).Draw(r, "pause")) * time.Minute,
		}
	}), 5, 25)
	faults := rapid.SliceOfN(rapid.SampledFrom([]error{
		nil, nil, nil, providers.ErrUnavailable, providers.ErrInvalid, providers.ErrRateLimited, providers.ErrMalformed,
	}), 1, 20)
	for name, stream := range map[string]providers.Stream{"changes": weightChanges, "windows": weightWindows} {
		for i := range 8 {
			t.Run(fmt.Sprint(name, i), func(t *testing.T) {
				bubble(t, func(t *testing.T) { follow(t, stream, steps.Example(i), faults.Example(i)) })
			})
		}
	}
}

func follow(t *testing.T, stream providers.Stream, steps []step, faults []error) {
	c := newClinic(stream)
	c.pageSize = 10
	w := newWard(t, c, func(cfg *healthsync.Config) { cfg.Slice = 4 })
	c.fill(20)
	c.onFetch = func(n int, _ providers.Query, _ *providers.Page) error {
		if kind := faults[n%len(faults)]; kind != nil {
			return &providers.Error{Provider: "clinic", Kind: kind}
		}
		return nil
	}
	stop := running(t, w.engine)
	gone := make(map[int]weight)
	for _, s := range steps {
		c.mu.Lock()
		known, ok := c.weights[s.id]
		c.mu.Unlock()
		old, was := gone[s.id]
		switch {
		case s.op == 0 && ok, s.op == 1 && ok:
			c.put(s.id, known.at, known.grams+1)
		case s.op == 2 && ok:
			gone[s.id] = known
			c.remove(s.id)
		case was:
			c.put(s.id, old.at, old.grams)
		default:
			c.put(s.id, time.Now().Add(-s.ago-time.Minute), 70_000)
		}
		time.Sleep(s.pause)
	}
	c.mu.Lock()
	c.onFetch = nil
	c.mu.Unlock()
	time.Sleep(27 * time.Hour)
	stop()
	require.Equal(t, w.want(), w.held(t))
}
