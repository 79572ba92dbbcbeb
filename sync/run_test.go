package sync_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	gosync "sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// running runs engines until the returned function is called.
func running(t testing.TB, engines ...*healthsync.Engine) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, len(engines))
	for _, e := range engines {
		go func() { ended <- e.Run(ctx) }()
	}
	return func() {
		cancel()
		for range engines {
			require.NoError(t, <-ended)
		}
	}
}

// connect connects a user as a browser would: authorize has the person consent at
// an address, and returns where the browser is sent.
func connect(
	t testing.TB, engine *healthsync.Engine, user, provider, redirect string, authorize func(address string) (*url.URL, error),
) store.Connection {
	address, err := engine.Connect(t.Context(), healthsync.ConnectRequest{User: user, Provider: provider, RedirectURL: redirect})
	require.NoError(t, err)
	back, err := authorize(address)
	require.NoError(t, err)
	conn, err := engine.Complete(t.Context(), back.Query())
	require.NoError(t, err)
	return conn
}

// watchedStore counts the calls by which Run looks for work, and may fail some.
type watchedStore struct {
	*store.Memory
	calls     atomic.Int64
	failDue   atomic.Bool
	failWrite atomic.Bool
}

var errDisk = errors.New("disk full")

func (s *watchedStore) Due(ctx context.Context, task string, now time.Time, limit int) ([]store.Due, error) {
	s.calls.Add(1)
	if s.failDue.Load() {
		return nil, errDisk
	}
	return s.Memory.Due(ctx, task, now, limit)
}

func (s *watchedStore) NextDue(ctx context.Context) (time.Time, bool, error) {
	s.calls.Add(1)
	return s.Memory.NextDue(ctx)
}

func (s *watchedStore) SetDue(ctx context.Context, d store.Due) error {
	s.calls.Add(1)
	if s.failWrite.Load() {
		return errDisk
	}
	return s.Memory.SetDue(ctx, d)
}

func (s *watchedStore) Acquire(ctx context.Context, connection, name string, ttl time.Duration) (store.Lease, error) {
	s.calls.Add(1)
	if s.failWrite.Load() {
		return store.Lease{}, errDisk
	}
	return s.Memory.Acquire(ctx, connection, name, ttl)
}

func (s *watchedStore) Deliveries(ctx context.Context, q store.DeliveryQuery) ([]store.Delivery, error) {
	s.calls.Add(1)
	return s.Memory.Deliveries(ctx, q)
}

func (s *watchedStore) Jobs(ctx context.Context, q store.JobQuery) ([]store.Job, error) {
	s.calls.Add(1)
	return s.Memory.Jobs(ctx, q)
}

func (s *watchedStore) Connections(ctx context.Context, q store.ConnectionQuery) ([]store.Connection, error) {
	s.calls.Add(1)
	return s.Memory.Connections(ctx, q)
}

// TestRunAsksTheStoreModestly counts the calls of two processes over a day, in
// which a slow backfill runs, then nothing, and then the store fails.
func TestRunAsksTheStoreModestly(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newClinic(weightWindows)
		w := newWard(t, c, nil)
		c.fill(90)
		watched := &watchedStore{Memory: w.store}
		engine := func() *healthsync.Engine {
			e, err := healthsync.New(healthsync.Config{
				Providers: []providers.Provider{newClinicView(c, time.Minute)}, Store: watched, Sealer: newKeyring(t),
			})
			require.NoError(t, err)
			return e
		}
		stop := running(t, engine(), engine())
		perHour := func(hours int) int64 {
			before := watched.calls.Load()
			time.Sleep(time.Duration(hours) * time.Hour)
			return (watched.calls.Load() - before) / int64(hours)
		}
		// Each process looks every ten seconds, up to three calls at a time:
		// 2,160 an hour; and for deliveries, jobs and removals besides.
		require.Less(t, perHour(1), int64(5_500), "while work is under way")
		require.Less(t, perHour(20), int64(2_500), "when there is nothing to do")
		watched.failWrite.Store(true)
		// A turn that fails asks for a lease and sets a due time, and wakes the
		// loop: five calls, at most every 27 seconds. That is 1,333 an hour more.
		require.Less(t, perHour(1), int64(6_000), "while nothing can be written")
		watched.failDue.Store(true)
		require.Less(t, perHour(1), int64(3_500), "while nothing can be read")
		watched.failWrite.Store(false)
		watched.failDue.Store(false)
		w.put(500, time.Now(), 70_000)
		time.Sleep(time.Hour)
		require.Contains(t, w.held(t), "weights/500", "the work goes on when the store does")
		stop()
	})
}

func TestBackfillLeavesRoomForLiveWorkOfTheSameConnection(t *testing.T) {
	bubble(t, func(t *testing.T) {
		stream := weightWindows
		stream.MaxWindow = day
		c := newClinic(stream)
		w := newWard(t, c, nil)
		c.fill(1)
		engine, err := healthsync.New(healthsync.Config{
			Providers: []providers.Provider{newClinicView(c, 2*time.Second)}, Store: w.store, Sealer: newKeyring(t),
			Interval: 5 * time.Minute, Slice: 10, History: 20 * 365 * day,
		})
		require.NoError(t, err)
		stop := running(t, engine)
		time.Sleep(time.Hour)
		for i := range 5 {
			w.put(100+i, time.Now(), 70_000)
			time.Sleep(8 * time.Minute)
			require.Contains(t, w.held(t), fmt.Sprintf("weights/%d", 100+i))
		}
		progress, err := engine.Progress(t.Context(), w.conn.ID)
		require.NoError(t, err)
		require.Less(t, progress[0].Done, progress[0].Total, "the backfill was under way")
		require.Positive(t, progress[0].Done)
		stop()
	})
}

func TestRunDoesNotInsist(t *testing.T) {
	for name, c := range map[string]struct {
		failure func() error
		most    int // calls in an hour
	}{
		"on a stream that is forbidden": {func() error {
			return &providers.Error{Provider: "clinic", Kind: providers.ErrForbidden, Status: 403}
		}, 10},
		"when the time to come back is past": {func() error {
			return &providers.Error{Provider: "clinic", Kind: providers.ErrRateLimited, RetryAt: time.Now().Add(-time.Hour)}
		}, 130},
		"when the time to come back is at once": {func() error {
			return &providers.Error{Provider: "clinic", Kind: providers.ErrUnavailable, RetryAt: time.Now()}
		}, 30},
		"when the service is down": {func() error {
			return &providers.Error{Provider: "clinic", Kind: providers.ErrUnavailable, Status: 502}
		}, 30},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWard(t, newClinic(weightWindows), nil)
				w.fill(3)
				w.onFetch = func(int, providers.Query, *providers.Page) error { return c.failure() }
				stop := running(t, w.engine)
				time.Sleep(time.Hour)
				require.LessOrEqual(t, len(w.asked()), c.most)
				require.NotEmpty(t, w.asked())
				w.mu.Lock()
				w.onFetch = nil
				w.mu.Unlock()
				time.Sleep(20 * time.Minute)
				require.Len(t, w.held(t), 3)
				stop()
			})
		})
	}
	t.Run("and does not wait for ever", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			w := newWard(t, newClinic(weightWindows), nil)
			w.fill(3)
			w.onFetch = limitedOnce(10 * 365 * day)
			stop := running(t, w.engine)
			time.Sleep(16 * time.Minute)
			require.Len(t, w.held(t), 3)
			stop()
		})
	})
}

// TestDeletionsAreFoundHoweverSmallTheShare has windows whose pages do not fit
// into what the turns before left of a share.
func TestDeletionsAreFoundHoweverSmallTheShare(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWard(t, newClinic(weightWindows), func(cfg *healthsync.Config) { cfg.Slice = 4 })
		w.fill(30)
		stop := running(t, w.engine)
		time.Sleep(day)
		want := w.want()
		require.Equal(t, want, w.held(t))
		for _, id := range []int{12, 17, 22, 26} {
			w.remove(id)
		}
		time.Sleep(27 * time.Hour)
		require.Equal(t, w.want(), w.held(t))
		stop()
	})
}

func TestRunEndsWithItsConnections(t *testing.T) {
	t.Run("deleted during the work", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			w := newWard(t, newClinic(weightWindows), nil)
			w.fill(50)
			w.onFetch = func(n int, _ providers.Query, _ *providers.Page) error {
				if n == 2 {
					require.NoError(t, w.store.DeleteConnection(t.Context(), w.conn.ID, true))
				}
				return nil
			}
			stop := running(t, w.engine)
			time.Sleep(time.Hour)
			require.Len(t, w.asked(), 2)
			require.Empty(t, w.held(t))
			_, due, err := w.store.NextDue(t.Context())
			require.NoError(t, err)
			require.False(t, due)
			stop()
		})
	})
	t.Run("erased during the work", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			w := newWard(t, newClinic(weightWindows), nil)
			w.fill(50)
			w.onFetch = func(n int, _ providers.Query, _ *providers.Page) error {
				if n == 2 {
					_, err := w.store.Erase(t.Context(), w.conn.User)
					require.NoError(t, err)
				}
				return nil
			}
			stop := running(t, w.engine)
			time.Sleep(time.Hour)
			require.Len(t, w.asked(), 2)
			require.Empty(t, w.held(t))
			stop()
		})
	})
	t.Run("store closed", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			w := newWard(t, newClinic(weightWindows), nil)
			w.fill(50)
			ended := make(chan error)
			go func() { ended <- w.engine.Run(t.Context()) }()
			time.Sleep(time.Minute)
			require.NoError(t, w.store.Close())
			require.ErrorIs(t, <-ended, store.ErrClosed)
		})
	})
}

// library is a service with many accounts, each with a number of pages that
// take a while; the access token is the account.
type library struct {
	pages map[string]int
	took  time.Duration

	mu   gosync.Mutex
	done map[string]time.Time
}

func (l *library) Name() string { return "library" }

func (l *library) Capabilities() providers.Capabilities {
	return providers.Capabilities{Streams: []providers.Stream{{
		Name: "books", Kinds: []health.Kind{health.KindBody}, Lookback: 7 * day, Changes: true,
	}}}
}

func (l *library) Fetch(ctx context.Context, cred providers.Credential, q providers.Query) (providers.Page, error) {
	select {
	case <-ctx.Done():
		return providers.Page{}, ctx.Err()
	case <-time.After(l.took):
	}
	account := cred.Access.Reveal()
	n, _ := strconv.Atoi(q.PageToken)
	page := providers.Page{Candidate: "1"}
	l.mu.Lock()
	defer l.mu.Unlock()
	if q.HighWater == "" && n+1 < l.pages[account] {
		page.More, page.PageToken = true, strconv.Itoa(n+1)
		return page, nil
	}
	if _, again := l.done[account]; !again {
		l.done[account] = time.Now()
	}
	return page, nil
}

func (l *library) Authorize(_ context.Context, r providers.AuthRequest) (providers.AuthStart, error) {
	return providers.AuthStart{URL: "https://library.example.com/?state=" + r.State}, nil
}

func (l *library) Exchange(_ context.Context, cb providers.Callback) (providers.Grant, error) {
	account := cb.Query["code"][0]
	return providers.Grant{UpstreamID: account, Credential: providers.Credential{Access: providers.NewSecret(account)}}, nil
}

// TestOneLongHistoryDelaysNobody compares how long many people with short
// histories wait for their first data with and without somebody whose history
// takes an hour.
func TestOneLongHistoryDelaysNobody(t *testing.T) {
	slowest := func(t *testing.T, big int) (lag time.Duration) {
		bubble(t, func(t *testing.T) {
			l := &library{pages: map[string]int{"big": big}, took: time.Second, done: make(map[string]time.Time)}
			w := &ward{store: store.NewMemory()}
			engine, err := healthsync.New(healthsync.Config{
				Providers: []providers.Provider{l}, Store: w.store, Sealer: newKeyring(t), Slice: 10,
			})
			require.NoError(t, err)
			w.engine = engine
			w.connectTo(t, "library", "big", "big")
			stop := running(t, engine)
			time.Sleep(20 * time.Second)
			began := time.Now()
			for i := range 60 {
				account := fmt.Sprintf("user%d", i)
				l.mu.Lock()
				l.pages[account] = 3
				l.mu.Unlock()
				w.connectTo(t, "library", account, account)
			}
			time.Sleep(30 * time.Minute)
			stop()
			require.Equal(t, big < 100, !l.done["big"].IsZero(), "a short history is read by now, a long one is not")
			delete(l.done, "big")
			require.Len(t, l.done, 60)
			for _, at := range l.done {
				lag = max(lag, at.Sub(began))
			}
		})
		return lag
	}
	alone := slowest(t, 1)
	require.LessOrEqual(t, slowest(t, 4_000), 2*alone)
}

func TestTwoProcessesShareTheWork(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := &library{pages: make(map[string]int), took: 10 * time.Second, done: make(map[string]time.Time)}
		w := &ward{store: store.NewMemory()}
		var worked [2]atomic.Int64
		var engines []*healthsync.Engine
		for i := range worked {
			engine, err := healthsync.New(healthsync.Config{
				Providers: []providers.Provider{l}, Store: w.store, Sealer: newKeyring(t), Workers: 2, History: -1,
				Hooks: healthsync.Hooks{PageCommitted: func(context.Context, healthsync.PageEvent) { worked[i].Add(1) }},
			})
			require.NoError(t, err)
			engines = append(engines, engine)
		}
		w.engine = engines[0]
		for i := range 40 {
			w.connectTo(t, "library", fmt.Sprintf("user%d", i), fmt.Sprintf("user%d", i))
		}
		stop := running(t, engines...)
		time.Sleep(10 * time.Minute)
		stop()
		require.Len(t, l.done, 40)
		require.EqualValues(t, 40, worked[0].Load()+worked[1].Load(), "nothing is read twice")
		require.Greater(t, worked[0].Load(), int64(10))
		require.Greater(t, worked[1].Load(), int64(10))
	})
}

func TestRunKeepsConnectionsCurrentAndStops(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWard(t, newClinic(weightWindows), nil)
		w.fill(100)
		ctx, stop := context.WithCancel(t.Context())
		stopped := make(chan error)
		go func() { stopped <- w.engine.Run(ctx) }()
		time.Sleep(time.Minute)
		want := w.want()
		for i := 90; i < 100; i++ {
			delete(want, fmt.Sprintf("weights/%d", i)) // older than Config.History
		}
		held := w.held(t)
		for key, grams := range want {
			require.Equal(t, grams, held[key], key)
		}
		for i := range 10 {
			w.put(1000+i, time.Now(), 60_000)
			time.Sleep(17 * time.Minute)
			require.Contains(t, w.held(t), fmt.Sprintf("weights/%d", 1000+i))
		}
		w.remove(20) // beyond the look-back: found by the daily reconciliation
		time.Sleep(27 * time.Hour)
		require.NotContains(t, w.held(t), "weights/20")
		stop()
		require.NoError(t, <-stopped)
	})
}

// TestRunSharesTheTurns has one person with a long history and many with a
// short one.
func TestRunSharesTheTurns(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWard(t, newClinic(weightChanges), func(cfg *healthsync.Config) { cfg.Workers, cfg.Slice = 1, 5 })
		w.pageSize = 1
		w.fill(80)
		w.capabilities.Limits = []providers.RateLimit{{Requests: 60, Per: time.Minute}}
		engine := w.another(t, func(cfg *healthsync.Config) { cfg.Workers, cfg.Slice = 1, 5 })
		ctx, stop := context.WithCancel(t.Context())
		stopped := make(chan error)
		go func() { stopped <- engine.Run(ctx) }()
		time.Sleep(time.Hour)
		stop()
		require.NoError(t, <-stopped)
		require.Len(t, w.held(t), 80)
		for i, from := range w.calls {
			n := 0
			for _, at := range w.calls[i:] {
				if at.Sub(from) < time.Minute {
					n++
				}
			}
			require.LessOrEqual(t, n, 60)
		}
	})
}

// scoped is a clinic whose consents are to scopes.
type scoped struct {
	*clinic
	scopes atomic.Pointer[[]string]
}

func (s *scoped) Exchange(ctx context.Context, cb providers.Callback) (providers.Grant, error) {
	g, err := s.clinic.Exchange(ctx, cb)
	g.Credential.Scopes = *s.scopes.Load()
	return g, err
}

// TestConsentDuringTheLastTurnOfABackfill: the person allows one more stream
// while the backfill of the others ends. Its history is read, too.
func TestConsentDuringTheLastTurnOfABackfill(t *testing.T) {
	t.Parallel()
	if proof.WithoutRace(t) {
		return
	}
	bubble(t, func(t *testing.T) {
		extra := weightWindows
		extra.Name, extra.Scopes = "zextra", []string{"more"}
		c := newClinic(weightWindows, extra)
		c.fill(80)
		s := &scoped{clinic: c}
		s.scopes.Store(&[]string{"base"})
		w := &ward{clinic: c, store: store.NewMemory()}
		var again gosync.Once
		w.engine = w.another(t, func(cfg *healthsync.Config) {
			cfg.Providers = []providers.Provider{s}
			cfg.Hooks.BackfillProgress = func(_ context.Context, e healthsync.BackfillEvent) {
				if e.Progress.Done == e.Progress.Total {
					again.Do(func() {
						s.scopes.Store(&[]string{"base", "more"})
						w.connect(t, "ada", "account-1")
					})
				}
			}
		})
		w.conn = w.connect(t, "ada", "account-1")
		stop := running(t, w.engine)
		time.Sleep(20 * day)
		stop()
		oldest := map[string]health.Day{}
		for _, q := range w.asked() {
			if d, ok := oldest[q.Stream]; !ok || q.Window.First.Compare(d) < 0 {
				oldest[q.Stream] = q.Window.First
			}
		}
		require.Contains(t, oldest, "zextra")
		require.Equal(t, oldest["weights"], oldest["zextra"])
	})
}

// forgetful is a store that fails to tell of a connection, once after each
// removal of a due time.
type forgetful struct {
	*store.Memory
	on, next atomic.Bool
}

func (s *forgetful) SetDue(ctx context.Context, d store.Due) error {
	if d.At.IsZero() {
		s.next.Store(s.on.Load())
	}
	return s.Memory.SetDue(ctx, d)
}

func (s *forgetful) Connection(ctx context.Context, id string) (store.Connection, error) {
	if s.next.Swap(false) {
		return store.Connection{}, store.ErrBusy
	}
	return s.Memory.Connection(ctx, id)
}

// TestConnectionInOrderStaysDue: a turn that ended for good takes the due time
// of a connection only if that is out of order, whatever the store fails to tell.
func TestConnectionInOrderStaysDue(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := newClinic(weightWindows)
		c.fill(3)
		s := &forgetful{Memory: store.NewMemory()}
		w := &ward{clinic: c, store: s.Memory}
		w.engine = w.another(t, func(cfg *healthsync.Config) { cfg.Store, cfg.History = s, -1 })
		w.conn = w.connect(t, "ada", "account-1")
		var refusing atomic.Bool
		c.onFetch = func(int, providers.Query, *providers.Page) error {
			if refusing.Load() { // new access tokens, too
				return &providers.Error{Provider: "clinic", Op: "fetch", Kind: providers.ErrReauth, Status: 401, ExpiredAccess: true}
			}
			return nil
		}
		stop := running(t, w.engine)
		time.Sleep(time.Hour)
		refusing.Store(true)
		s.on.Store(true)
		time.Sleep(time.Hour)
		refusing.Store(false)
		s.on.Store(false)
		asked := len(w.asked())
		time.Sleep(2 * day)
		stop()
		stored, err := w.store.Connection(t.Context(), w.conn.ID)
		require.NoError(t, err)
		require.Equal(t, store.StateActive, stored.State)
		require.Greater(t, len(w.asked()), asked)
	})
}
