package sync_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const day = 24 * time.Hour

// ward is an engine over a clinic, with one connected person.
type ward struct {
	*clinic
	store  *store.Memory
	engine *healthsync.Engine
	conn   store.Connection
}

func newKeyring(t testing.TB) *healthsync.Keyring {
	secret := make([]byte, 32)
	for i := range secret {
		secret[i] = byte(i)
	}
	ring, err := healthsync.NewKeyring(healthsync.Key{ID: "test", Secret: secret})
	require.NoError(t, err)
	return ring
}

func newWard(t testing.TB, c *clinic, change func(*healthsync.Config)) *ward {
	w := &ward{clinic: c, store: store.NewMemory()}
	w.engine = w.another(t, change)
	w.conn = w.connect(t, "ada", "account-1")
	return w
}

// another returns a second engine on the same store, as another process has.
func (w *ward) another(t testing.TB, change func(*healthsync.Config)) *healthsync.Engine {
	cfg := healthsync.Config{Providers: []providers.Provider{w.clinic}, Store: w.store, Sealer: newKeyring(t), MaxWait: -1}
	if change != nil {
		change(&cfg)
	}
	engine, err := healthsync.New(cfg)
	require.NoError(t, err)
	return engine
}

func (w *ward) connect(t testing.TB, user, account string) store.Connection {
	return w.connectTo(t, "clinic", user, account)
}

func (w *ward) connectTo(t testing.TB, provider, user, account string) store.Connection {
	address, err := w.engine.Connect(t.Context(), healthsync.ConnectRequest{
		User: user, Provider: provider, RedirectURL: "https://host.example.com/callback",
	})
	require.NoError(t, err)
	u, err := url.Parse(address)
	require.NoError(t, err)
	conn, err := w.engine.Complete(t.Context(), url.Values{"state": {u.Query().Get("state")}, "code": {account}})
	require.NoError(t, err)
	return conn
}

// held returns what the store holds: grams by key.
func (w *ward) held(t testing.TB) map[string]int64 {
	held := make(map[string]int64)
	for q := (store.RecordQuery{User: w.conn.User, Limit: 2}); ; {
		page, err := w.store.Records(t.Context(), q)
		require.NoError(t, err)
		for _, r := range page.Records {
			require.NotContains(t, held, r.Key, "a record twice")
			grams, ok := r.Values[0].Number.Rescale(-3)
			require.True(t, ok)
			held[r.Key] = grams
		}
		if q.After = page.Next; q.After == "" {
			return held
		}
	}
}

func (w *ward) cursor(t testing.TB, lane store.Lane) store.Cursor {
	cur, err := w.store.Cursor(t.Context(), w.conn.ID, "weights", lane)
	require.NoError(t, err)
	return cur
}

// fill gives the clinic one weight a day for the last n days.
func (c *clinic) fill(n int) {
	now := time.Now()
	for i := range n {
		c.put(i, now.Add(-time.Duration(i)*day-time.Hour), int64(70_000+i))
	}
}

// bubble runs a test on fake time.
func bubble(t *testing.T, f func(t *testing.T)) { synctest.Test(t, f) }

func TestSyncAndBackfillHoldExactlyWhatTheServiceHolds(t *testing.T) {
	for name, stream := range map[string]providers.Stream{"changes": weightChanges, "windows": weightWindows} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWard(t, newClinic(stream), nil)
				w.fill(60)
				_, err := w.engine.Backfill(t.Context(), w.conn.ID, time.Now().Add(-60*day))
				require.NoError(t, err)
				_, err = w.engine.Sync(t.Context(), w.conn.ID)
				require.NoError(t, err)
				require.Equal(t, w.want(), w.held(t))

				// New, late, changed and deleted data, and once more nothing.
				time.Sleep(day)
				w.put(100, time.Now().Add(-time.Minute), 71_000)
				w.put(101, time.Now().Add(-3*day), 72_000)
				w.put(2, time.Now().Add(-3*day-time.Hour), 99_999)
				w.remove(4)
				report, err := w.engine.Sync(t.Context(), w.conn.ID)
				require.NoError(t, err)
				require.Equal(t, w.want(), w.held(t))
				total := report.Total()
				require.Equal(t, [3]int{2, 1, 1}, [3]int{total.Inserted, total.Revised, total.Deleted})

				report, err = w.engine.Sync(t.Context(), w.conn.ID)
				require.NoError(t, err)
				total = report.Total()
				require.Zero(t, total.Inserted+total.Revised+total.Deleted)

				// What was deleted may come back as it was.
				w.put(4, time.Now().Add(-5*day-time.Hour), 70_004)
				_, err = w.engine.Sync(t.Context(), w.conn.ID)
				require.NoError(t, err)
				require.Equal(t, w.want(), w.held(t))
			})
		})
	}
}

func TestUndeletedRecordWithItsOldRevisionComesBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWard(t, newClinic(weightWindows), nil)
		w.fill(5)
		_, err := w.engine.Sync(t.Context(), w.conn.ID)
		require.NoError(t, err)
		w.mu.Lock()
		gone := w.weights[2]
		delete(w.weights, 2)
		w.mu.Unlock()
		_, err = w.engine.Sync(t.Context(), w.conn.ID)
		require.NoError(t, err)
		require.NotContains(t, w.held(t), "weights/2")
		w.mu.Lock()
		w.weights[2] = gone
		w.mu.Unlock()
		_, err = w.engine.Sync(t.Context(), w.conn.ID)
		require.NoError(t, err)
		require.Equal(t, w.want(), w.held(t))
	})
}

// TestEveryPageMayBeTheLast stops the work after each page in turn and goes on
// with a fresh engine, as after a crash.
func TestEveryPageMayBeTheLast(t *testing.T) {
	for name, stream := range map[string]providers.Stream{"changes": weightChanges, "windows": weightWindows} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				for stop := 1; ; stop++ {
					c := newClinic(stream)
					w := newWard(t, c, nil)
					c.fill(40)
					ctx, cancel := context.WithCancel(t.Context())
					pages := 0
					hooks := healthsync.Hooks{PageCommitted: func(context.Context, healthsync.PageEvent) {
						if pages++; pages == stop {
							cancel()
						}
					}}
					stopping := w.another(t, func(cfg *healthsync.Config) { cfg.Hooks = hooks })
					_, err := stopping.Backfill(ctx, w.conn.ID, time.Now().Add(-40*day))
					finished := err == nil
					cancel()
					before := w.cursor(t, store.LaneBackfill)
					for key := range w.held(t) {
						require.Contains(t, w.want(), key)
					}
					engine := w.another(t, nil)
					_, err = engine.Backfill(t.Context(), w.conn.ID, time.Now().Add(-40*day))
					require.NoError(t, err)
					require.Equal(t, w.want(), w.held(t), "stopped after page %d at %+v", stop, before)
					if finished {
						require.Greater(t, stop, 10)
						return
					}
				}
			})
		})
	}
}

func TestOnlyTheLastPageMovesTheMark(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWard(t, newClinic(weightChanges), nil)
		w.fill(7)
		marks := []string{}
		w.onFetch = func(n int, q providers.Query, page *providers.Page) error {
			if n == 2 { // a change during the walk must not be skipped by the mark
				c := w.clinic
				c.changes++
				c.weights[500] = weight{500, time.Now().Add(-time.Hour), 80_000, c.changes}
			}
			return nil
		}
		engine := w.another(t, func(cfg *healthsync.Config) {
			cfg.Hooks.PageCommitted = func(_ context.Context, e healthsync.PageEvent) {
				if e.Lane == store.LaneLive {
					cur := w.cursor(t, store.LaneLive)
					marks = append(marks, cur.HighWater)
					if cur.Walk != nil {
						require.Equal(t, "7", cur.Walk.Candidate, "the candidate is the first page's")
					}
				}
			}
		})
		_, err := engine.Sync(t.Context(), w.conn.ID)
		require.NoError(t, err)
		require.Equal(t, []string{"", ""}, marks[:2])
		require.Contains(t, marks[2], `"mark":"7"`)
		w.onFetch = nil
		_, err = engine.Sync(t.Context(), w.conn.ID)
		require.NoError(t, err)
		require.Equal(t, w.want(), w.held(t))
	})
}

func TestBackfillReadsEachWindowOnceAndTellsProgress(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var last healthsync.Progress
		w := newWard(t, newClinic(weightWindows), func(cfg *healthsync.Config) {
			cfg.Hooks.BackfillProgress = func(_ context.Context, e healthsync.BackfillEvent) { last = e.Progress }
		})
		w.pageSize = 1000
		w.fill(100)
		now := time.Now()
		_, err := w.engine.Backfill(t.Context(), w.conn.ID, now.Add(-95*day))
		require.NoError(t, err)
		require.Equal(t, 10, last.Total)
		require.Equal(t, 10, last.Done)
		require.Len(t, w.asked(), 10, "the fewest windows of 10 days that hold 96 civil days")

		_, err = w.engine.Backfill(t.Context(), w.conn.ID, now.Add(-95*day))
		require.NoError(t, err)
		require.Len(t, w.asked(), 10, "nothing is read twice")

		_, err = w.engine.Backfill(t.Context(), w.conn.ID, now.Add(-105*day))
		require.NoError(t, err)
		require.Len(t, w.asked(), 11, "only the older days are read")
		require.Equal(t, w.want(), w.held(t))

		covered, err := w.store.Coverage(t.Context(), w.conn.ID, "weights")
		require.NoError(t, err)
		require.Len(t, covered, 1)
		require.Equal(t, health.DayOf(now.Add(-105*day).UTC()), covered[0].First)
	})
}

func TestCoverageFollowsChanges(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWard(t, newClinic(weightChanges), nil)
		w.fill(3)
		for range 3 {
			_, err := w.engine.Sync(t.Context(), w.conn.ID)
			require.NoError(t, err)
			covered, err := w.store.Coverage(t.Context(), w.conn.ID, "weights")
			require.NoError(t, err)
			require.Len(t, covered, 1)
			require.WithinDuration(t, time.Now(), covered[0].To, time.Second)
			time.Sleep(20 * day) // longer than the look-back: only changes can cover it
		}
	})
}

func TestTwoEnginesDoNotWorkOnOneConnection(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWard(t, newClinic(weightWindows), nil)
		w.fill(3)
		other := w.another(t, nil)
		w.onFetch = func(n int, _ providers.Query, _ *providers.Page) error {
			if n == 1 {
				w.mu.Unlock()
				defer w.mu.Lock()
				_, err := other.Sync(t.Context(), w.conn.ID)
				require.ErrorIs(t, err, store.ErrLeaseHeld)
			}
			return nil
		}
		_, err := w.engine.Sync(t.Context(), w.conn.ID)
		require.NoError(t, err)
		_, err = other.Sync(t.Context(), w.conn.ID)
		require.NoError(t, err)
	})
}

// TestStalledEngineWritesNothing has a page wait until the lease has gone to
// another engine.
func TestStalledEngineWritesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWard(t, newClinic(weightWindows), nil)
		w.fill(3)
		stalled := newClinicView(w.clinic, 5*time.Minute)
		engine, err := healthsync.New(healthsync.Config{
			Providers: []providers.Provider{stalled}, Store: &noRenewal{w.store}, Sealer: newKeyring(t), MaxWait: -1,
		})
		require.NoError(t, err)
		done := make(chan error)
		go func() {
			_, err := engine.Sync(t.Context(), w.conn.ID)
			done <- err
		}()
		time.Sleep(2 * time.Minute)
		_, err = w.engine.Sync(t.Context(), w.conn.ID)
		require.NoError(t, err)
		before := w.cursor(t, store.LaneLive)
		require.ErrorIs(t, <-done, store.ErrLeaseLost)
		require.Equal(t, before, w.cursor(t, store.LaneLive))
		require.Equal(t, w.want(), w.held(t))
	})
}

// clinicView is the clinic seen over a slow line that does not notice when the
// caller has left.
type clinicView struct {
	*clinic
	delay time.Duration
}

func newClinicView(c *clinic, delay time.Duration) *clinicView { return &clinicView{c, delay} }

func (v *clinicView) Fetch(ctx context.Context, cred providers.Credential, q providers.Query) (providers.Page, error) {
	page, err := v.clinic.Fetch(ctx, cred, q)
	time.Sleep(v.delay)
	return page, err
}

// noRenewal is a store that this process cannot reach to renew a lease.
type noRenewal struct{ *store.Memory }

func (n *noRenewal) Renew(context.Context, store.Lease, time.Duration) (store.Lease, error) {
	return store.Lease{}, errors.New("unreachable")
}

func TestConnectFlowRules(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWard(t, newClinic(weightWindows), nil)
		start := func(user string) string {
			address, err := w.engine.Connect(t.Context(), healthsync.ConnectRequest{
				User: user, Provider: "clinic", RedirectURL: "https://host.example.com/callback",
			})
			require.NoError(t, err)
			u, err := url.Parse(address)
			require.NoError(t, err)
			return u.Query().Get("state")
		}
		complete := func(q url.Values) error {
			_, err := w.engine.Complete(t.Context(), q)
			return err
		}
		require.ErrorIs(t, complete(url.Values{"code": {"x"}}), healthsync.ErrFlow)
		require.ErrorIs(t, complete(url.Values{"state": {"a guess of some length"}, "code": {"x"}}), healthsync.ErrFlow)
		require.ErrorIs(t, complete(url.Values{"state": {start("ada")}, "error": {"access_denied"}, "code": {"x"}}), healthsync.ErrDenied)
		require.ErrorIs(t, complete(url.Values{"state": {start("ada")}, "code": {"x", "y"}}), healthsync.ErrFlow)
		require.ErrorIs(t, complete(url.Values{"state": {start("bob")}, "code": {"account-1"}}), healthsync.ErrLinked)

		late := start("ada")
		time.Sleep(11 * time.Minute)
		require.ErrorIs(t, complete(url.Values{"state": {late}, "code": {"x"}}), healthsync.ErrFlow)

		state := start("ada")
		results := make(chan error, 64)
		for range cap(results) {
			go func() { results <- complete(url.Values{"state": {state}, "code": {"account-2"}}) }()
		}
		good := 0
		for range cap(results) {
			if err := <-results; err == nil {
				good++
			} else {
				require.ErrorIs(t, err, healthsync.ErrFlow)
			}
		}
		require.Equal(t, 1, good)
	})
}

func TestRateLimitedWorkWaitsAsLongAsTold(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWard(t, newClinic(weightWindows), func(cfg *healthsync.Config) { cfg.MaxWait = time.Minute })
		w.fill(3)
		w.onFetch = func(n int, _ providers.Query, _ *providers.Page) error {
			if n == 1 {
				return &providers.Error{Provider: "clinic", Kind: providers.ErrRateLimited, RetryAt: time.Now().Add(40 * time.Second)}
			}
			return nil
		}
		began := time.Now()
		_, err := w.engine.Sync(t.Context(), w.conn.ID)
		require.NoError(t, err)
		require.Equal(t, 40*time.Second, time.Since(began))

		w.onFetch = func(int, providers.Query, *providers.Page) error {
			return &providers.Error{Provider: "clinic", Kind: providers.ErrRateLimited, RetryAt: time.Now().Add(10 * time.Minute)}
		}
		report, err := w.engine.Sync(t.Context(), w.conn.ID)
		require.ErrorIs(t, err, providers.ErrRateLimited)
		require.Equal(t, 10*time.Minute, time.Until(report.Waiting), "longer than a caller is kept waiting")
	})
}

func TestHookThatPanicsIsContained(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWard(t, newClinic(weightWindows), nil)
		w.fill(3)
		engine := w.another(t, func(cfg *healthsync.Config) {
			cfg.Hooks.PageCommitted = func(context.Context, healthsync.PageEvent) { panic("a bug of the host") }
		})
		_, err := engine.Sync(t.Context(), w.conn.ID)
		require.NoError(t, err)
	})
}

func TestDisconnect(t *testing.T) {
	for _, keep := range []bool{true, false} {
		bubble(t, func(t *testing.T) {
			w := newWard(t, newClinic(weightWindows), nil)
			w.fill(3)
			_, err := w.engine.Sync(t.Context(), w.conn.ID)
			require.NoError(t, err)
			require.NoError(t, w.engine.Disconnect(t.Context(), w.conn.ID, keep))
			require.NoError(t, w.engine.Disconnect(t.Context(), w.conn.ID, keep))
			_, err = w.store.Connection(t.Context(), w.conn.ID)
			require.ErrorIs(t, err, store.ErrNotFound)
			require.Equal(t, keep, len(w.held(t)) == 3)
		})
	}
}

func TestConfigRefusals(t *testing.T) {
	good := healthsync.Config{Providers: []providers.Provider{newClinic(weightWindows)}, Store: store.NewMemory(), Sealer: newKeyring(t)}
	for name, spoil := range map[string]func(*healthsync.Config){
		"no provider":         func(c *healthsync.Config) { c.Providers = nil },
		"no store":            func(c *healthsync.Config) { c.Store = nil },
		"no key":              func(c *healthsync.Config) { c.Sealer = nil },
		"same provider twice": func(c *healthsync.Config) { c.Providers = append(c.Providers, c.Providers[0]) },
		"lease below call":    func(c *healthsync.Config) { c.LeaseTTL = 30 * time.Second },
		"lease of a year":     func(c *healthsync.Config) { c.LeaseTTL = 365 * day },
		"two streams one name": func(c *healthsync.Config) {
			c.Providers = []providers.Provider{newClinic(weightWindows, weightWindows)}
		},
		"bad stream name": func(c *healthsync.Config) {
			c.Providers = []providers.Provider{newClinic(providers.Stream{Name: "../x"})}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := good
			spoil(&c)
			_, err := healthsync.New(c)
			require.Error(t, err)
		})
	}
	_, err := healthsync.New(good)
	require.NoError(t, err)
}

func TestRemapChangesOnlyWhatTheNewMappingChanges(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWard(t, newClinic(weightWindows), nil)
		w.fill(5)
		_, err := w.engine.Sync(t.Context(), w.conn.ID)
		require.NoError(t, err)
		_, err = w.engine.Remap(t.Context(), w.conn.ID)
		require.ErrorIs(t, err, errors.ErrUnsupported)

		mapper := &remappingClinic{clinic: w.clinic}
		engine, err := healthsync.New(healthsync.Config{
			Providers: []providers.Provider{mapper}, Store: w.store, Sealer: newKeyring(t), MaxWait: -1,
		})
		require.NoError(t, err)
		require.NoError(t, w.store.ResetConsumer(t.Context(), "host"))
		report, err := engine.Remap(t.Context(), w.conn.ID)
		require.NoError(t, err)
		require.Equal(t, 1, report.Total().Revised)
		require.Equal(t, 4, report.Total().Unchanged)
		changes, err := w.store.Changes(t.Context(), "host", 10)
		require.NoError(t, err)
		require.Len(t, changes, 1)
		require.Equal(t, store.CauseRemap, changes[0].Cause)
		require.Equal(t, "weights/3", changes[0].Key)
	})
}

// remappingClinic maps with newer code that reads one weight differently.
type remappingClinic struct{ *clinic }

func (c *remappingClinic) Remap(raw health.RawPage) ([]health.Record, error) {
	var stream string
	var offset, changes int
	if _, err := fmt.Sscan(string(raw.Bodies[0].Body), &stream, &offset, &changes); err != nil {
		return nil, err
	}
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	q := providers.Query{Stream: stream, Window: health.Window{First: health.DayOf(now.AddDate(0, 0, -9)), Last: health.DayOf(now.AddDate(0, 0, 1))}}
	if offset > 0 {
		q.PageToken = fmt.Sprint(offset)
	}
	page, err := c.page(q)
	for i := range page.Records {
		page.Records[i].Rev.Mapping = 2
		if page.Records[i].Key == "weights/3" {
			page.Records[i].Values[0].Number.Coefficient++
		}
	}
	return page.Records, err
}
