package sync_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	gosync "sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// TestWorkDoesWhatRunDoes distributes the tasks by hand while Run does the rest.
func TestWorkDoesWhatRunDoes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newClinic(weightWindows)
		w := newWard(t, c, func(cfg *healthsync.Config) { cfg.Workers, cfg.Slice = -1, 2 })
		c.fill(60)
		stop := running(t, w.engine)
		time.Sleep(time.Hour)
		require.Empty(t, w.asked(), "nobody gives the tasks a turn")
		due, err := w.engine.Due(t.Context(), 10)
		require.NoError(t, err)
		require.Equal(t, []string{"sync", "backfill"}, []string{due[0].Task, due[1].Task})
		work := func() {
			for turns := 0; len(due) > 0; turns++ {
				require.Less(t, turns, 100)
				require.Equal(t, w.conn.ID, due[0].Connection)
				require.NoError(t, w.engine.Work(t.Context(), due[0].Connection, due[0].Task))
				due, err = w.engine.Due(t.Context(), 10)
				require.NoError(t, err)
			}
		}
		work()
		require.Equal(t, w.want(), w.held(t))
		w.put(500, time.Now(), 70_000)
		time.Sleep(20 * time.Minute)
		due, err = w.engine.Due(t.Context(), 10)
		require.NoError(t, err)
		require.Len(t, due, 1, "the interval is over")
		work()
		require.Contains(t, w.held(t), "weights/500")
		stop()
	})
}

func TestWorkTellsWhyNothingWasSettled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newClinic(weightWindows)
		w := newWard(t, c, func(cfg *healthsync.Config) { cfg.Workers = -1 })
		c.fill(3)
		require.ErrorIs(t, w.engine.Work(t.Context(), w.conn.ID, "dishes"), store.ErrInvalid)

		lease, err := w.store.Acquire(t.Context(), w.conn.ID, "sync", time.Minute)
		require.NoError(t, err)
		require.ErrorIs(t, w.engine.Work(t.Context(), w.conn.ID, "sync"), store.ErrLeaseHeld)
		require.NoError(t, w.store.Release(t.Context(), lease))

		ctx, cancel := context.WithCancel(t.Context())
		c.onFetch = func(int, providers.Query, *providers.Page) error { cancel(); return ctx.Err() }
		require.ErrorIs(t, w.engine.Work(ctx, w.conn.ID, "sync"), context.Canceled)
		due, err := w.engine.Due(t.Context(), 0)
		require.NoError(t, err)
		require.Len(t, due, 2, "it is due as before")

		c.onFetch = func(int, providers.Query, *providers.Page) error {
			return &providers.Error{Provider: "clinic", Kind: providers.ErrUnavailable, Status: 502}
		}
		require.NoError(t, w.engine.Work(t.Context(), w.conn.ID, "sync"), "it failed, and is due later")
		due, err = w.engine.Due(t.Context(), 0)
		require.NoError(t, err)
		require.Len(t, due, 1)

		require.NoError(t, w.store.Close())
		require.ErrorIs(t, w.engine.Work(t.Context(), w.conn.ID, "sync"), store.ErrClosed)
	})
}

// ledgerBudget lets everything through and keeps account of it.
type ledgerBudget struct {
	mu      gosync.Mutex
	taken   []healthsync.Calls
	open    int // booked and not ended
	made    int
	blocked map[string]time.Time
	wait    time.Duration
	err     error
}

func (b *ledgerBudget) Take(_ context.Context, c healthsync.Calls) (func(int), time.Duration, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil || b.wait > 0 {
		return nil, b.wait, b.err
	}
	b.taken = append(b.taken, c)
	b.open += c.Count
	return func(made int) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.open -= c.Count
		b.made += made
	}, 0, nil
}

func (b *ledgerBudget) Block(_ context.Context, provider, connection string, until time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.blocked[provider+"/"+connection] = until
	return b.err
}

// TestEveryRequestIsTakenFromTheBudget counts the requests of a sync, of a
// backfill and of a refresh.
func TestEveryRequestIsTakenFromTheBudget(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newClinic(weightWindows)
		c.capabilities.Limits = []providers.RateLimit{{Requests: 100, Per: time.Minute}}
		b := &ledgerBudget{blocked: make(map[string]time.Time)}
		w := newWard(t, c, func(cfg *healthsync.Config) { cfg.Budget, cfg.MaxWait = b, time.Minute })
		c.fill(30)
		_, err := w.engine.Sync(t.Context(), w.conn.ID)
		require.NoError(t, err)
		live := len(b.taken)
		require.Len(t, w.asked(), live)
		require.Equal(t, healthsync.Calls{
			Provider: "clinic", Connection: w.conn.ID, Limits: c.capabilities.Limits, Lane: store.LaneLive, Count: 1,
		}, b.taken[0])
		_, err = w.engine.Backfill(t.Context(), w.conn.ID, time.Now().Add(-30*day))
		require.NoError(t, err)
		require.Len(t, w.asked(), len(b.taken))
		require.Equal(t, store.LaneBackfill, b.taken[len(b.taken)-1].Lane)

		time.Sleep(c.accessLife)
		before, asked := len(b.taken), len(w.asked())
		_, err = w.engine.Sync(t.Context(), w.conn.ID)
		require.NoError(t, err)
		require.Equal(t, len(b.taken)-before, len(w.asked())-asked+1, "and one for the refresh")

		// A page of this stream may take three requests; each took one.
		c.capabilities.Streams[0].CallsPerPage = 3
		several := w.another(t, func(cfg *healthsync.Config) { cfg.Budget = b })
		before, asked, b.made = len(b.taken), len(w.asked()), 0
		_, err = several.Sync(t.Context(), w.conn.ID)
		require.NoError(t, err)
		require.Equal(t, 3, b.taken[before].Count)
		require.Equal(t, len(w.asked())-asked, b.made)
		require.Equal(t, len(b.taken)-before, b.made)

		until := time.Now().Add(time.Minute)
		limited := false
		w.onFetch = func(int, providers.Query, *providers.Page) error {
			if limited {
				return nil
			}
			limited = true
			return &providers.Error{Provider: "clinic", Kind: providers.ErrRateLimited, RetryAt: until}
		}
		_, err = w.engine.Sync(t.Context(), w.conn.ID)
		require.NoError(t, err)
		require.WithinDuration(t, until, b.blocked["clinic/"+w.conn.ID], time.Second)
		require.Zero(t, b.open, "every booking was ended")

		b.wait = time.Hour
		report, err := w.engine.Sync(t.Context(), w.conn.ID)
		require.ErrorIs(t, err, providers.ErrRateLimited)
		require.WithinDuration(t, time.Now().Add(time.Hour), report.Waiting, time.Second)
		asked = len(w.asked())
		b.err = errors.New("no budget to be had")
		_, err = w.engine.Sync(t.Context(), w.conn.ID)
		require.ErrorIs(t, err, b.err)
		require.Len(t, w.asked(), asked, "no request without a booking")
	})
}

// A host with a queue of its own puts into it what is due, and works on what it
// takes out. Run does the rest, in every process.
func ExampleEngine_Work() {
	ctx := context.Background()
	engine, connection, err := connected(ctx, store.NewMemory())
	if err != nil {
		log.Fatal(err)
	}
	for {
		due, err := engine.Due(ctx, 100)
		if err != nil {
			log.Fatal(err)
		}
		if len(due) == 0 {
			break
		}
		fmt.Println(due[0].Task, due[0].Connection == connection)
		if err := engine.Work(ctx, due[0].Connection, due[0].Task); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// sync true
	// backfill true
}
