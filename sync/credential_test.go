package sync_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	gosync "sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// slowToken is the clinic with a token endpoint that takes its time.
type slowToken struct {
	*clinic
	took time.Duration
	fail func(n int) error
	n    int
}

func (s *slowToken) Refresh(ctx context.Context, cred providers.Credential) (providers.Credential, error) {
	s.n++
	if s.fail != nil {
		if err := s.fail(s.n); err != nil {
			return providers.Credential{}, err
		}
	}
	fresh, err := s.clinic.Refresh(ctx, cred) // the service acts first
	select {
	case <-time.After(s.took):
		return fresh, err
	case <-ctx.Done():
		return providers.Credential{}, &providers.Error{
			Provider: "clinic", Op: "refresh", Kind: providers.ErrUnavailable, Ambiguous: true, Err: ctx.Err(),
		}
	}
}

// over returns an engine over another view of the ward's clinic.
func (w *ward) over(t testing.TB, p providers.Provider, sealer healthsync.Sealer) *healthsync.Engine {
	engine, err := healthsync.New(healthsync.Config{Providers: []providers.Provider{p}, Store: w.store, Sealer: sealer, MaxWait: -1})
	require.NoError(t, err)
	return engine
}

func (w *ward) state(t testing.TB) store.State {
	conn, err := w.store.Connection(t.Context(), w.conn.ID)
	require.NoError(t, err)
	return conn.State
}

func (w *ward) credential(t testing.TB) store.Credential {
	c, err := w.store.Credential(t.Context(), w.conn.ID)
	require.NoError(t, err)
	return c
}

func TestRefreshIsStoredBeforeACallerThatLeftReturns(t *testing.T) {
	for name, leave := range map[string]func(t *testing.T, e *healthsync.Engine, id string){
		"Sync": func(t *testing.T, e *healthsync.Engine, id string) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := e.Sync(ctx, id)
			require.ErrorIs(t, err, context.DeadlineExceeded)
		},
		"Run": func(t *testing.T, e *healthsync.Engine, _ string) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			require.NoError(t, e.Run(ctx))
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWard(t, newClinic(weightWindows), nil)
				w.fill(3)
				time.Sleep(4 * time.Hour)
				began := time.Now()
				leave(t, w.over(t, &slowToken{clinic: w.clinic, took: 20 * time.Second}, newKeyring(t)), w.conn.ID)
				require.Equal(t, 20*time.Second, time.Since(began))
				require.EqualValues(t, 2, w.credential(t).Generation)
				require.Len(t, w.shown, 1)
				_, err := w.engine.Sync(t.Context(), w.conn.ID)
				require.NoError(t, err)
				require.Equal(t, w.want(), w.held(t))
			})
		})
	}
}

func TestRefreshIsNotBegunForACallerThatLeft(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWard(t, newClinic(weightWindows), nil)
		time.Sleep(4 * time.Hour)
		_, err := w.store.Acquire(t.Context(), w.conn.ID, "refresh", 80*time.Second)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		began := time.Now()
		_, err = w.engine.Sync(ctx, w.conn.ID)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.WithinDuration(t, began.Add(10*time.Second), time.Now(), time.Second)
		require.Empty(t, w.shown)
	})
}

// TestRefreshThatHadToWaitHasItsFullTime has a process die with the lease.
func TestRefreshThatHadToWaitHasItsFullTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWard(t, newClinic(weightWindows), nil)
		w.fill(3)
		time.Sleep(4 * time.Hour)
		_, err := w.store.Acquire(t.Context(), w.conn.ID, "refresh", 85*time.Second)
		require.NoError(t, err)
		engine := w.over(t, &slowToken{clinic: w.clinic, took: 20 * time.Second}, newKeyring(t))
		_, err = engine.Sync(t.Context(), w.conn.ID)
		require.NoError(t, err)
		require.EqualValues(t, 2, w.credential(t).Generation)
	})
}

// shakySealer fails as long as it is told.
type shakySealer struct {
	healthsync.Sealer
	failing atomic.Int64
}

func (s *shakySealer) Seal(ctx context.Context, associated, plaintext []byte) ([]byte, error) {
	if s.failing.Add(-1) >= 0 {
		return nil, errors.New("key service unreachable")
	}
	return s.Sealer.Seal(ctx, associated, plaintext)
}

func TestFreshPairSurvivesASealerThatFails(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWard(t, newClinic(weightWindows), nil)
		w.fill(3)
		time.Sleep(4 * time.Hour)
		sealer := &shakySealer{Sealer: newKeyring(t)}
		sealer.failing.Store(5)
		_, err := w.over(t, w.clinic, sealer).Sync(t.Context(), w.conn.ID)
		require.NoError(t, err)
		require.EqualValues(t, 2, w.credential(t).Generation)
		require.Equal(t, w.want(), w.held(t))
	})
}

func TestLimitBeforeAnExpiredTokenIsNoRefusedGrant(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWard(t, newClinic(weightWindows), func(cfg *healthsync.Config) { cfg.MaxWait = time.Minute })
		w.fill(3)
		w.onFetch = func(n int, _ providers.Query, _ *providers.Page) error {
			switch n {
			case 1:
				return &providers.Error{Provider: "clinic", Kind: providers.ErrRateLimited, RetryAt: time.Now().Add(time.Second)}
			case 2:
				return &providers.Error{Provider: "clinic", Kind: providers.ErrReauth, Status: 401, ExpiredAccess: true}
			}
			return nil
		}
		_, err := w.engine.Sync(t.Context(), w.conn.ID)
		require.NoError(t, err)
		require.Equal(t, store.StateActive, w.state(t))
		require.Equal(t, w.want(), w.held(t))
	})
}

// TestConsentDuringTheWorkCounts has the person consent again while a page is
// fetched with the old grant, which the service then refuses.
func TestConsentDuringTheWorkCounts(t *testing.T) {
	for _, expired := range []bool{false, true} {
		t.Run(fmt.Sprint("expired access ", expired), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWard(t, newClinic(weightWindows), nil)
				w.fill(3)
				for range 3 { // the old grant is of a later generation than a new one
					time.Sleep(4 * time.Hour)
					_, err := w.engine.Sync(t.Context(), w.conn.ID)
					require.NoError(t, err)
				}
				require.EqualValues(t, 4, w.credential(t).Generation)
				asked, shown := len(w.asked()), len(w.shown)
				w.onFetch = func(n int, _ providers.Query, _ *providers.Page) error {
					if n != asked+1 {
						return nil
					}
					w.mu.Unlock()
					defer w.mu.Lock()
					w.connect(t, "ada", "account-1")
					return &providers.Error{Provider: "clinic", Kind: providers.ErrReauth, Status: 401, ExpiredAccess: expired}
				}
				_, err := w.engine.Sync(t.Context(), w.conn.ID)
				require.NoError(t, err)
				require.Equal(t, store.StateActive, w.state(t))
				require.EqualValues(t, 1, w.credential(t).Generation)
				require.Len(t, w.shown, shown, "the new grant's token is not spent")
			})
		})
	}
}

func TestDisconnectDuringTheWorkStays(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWard(t, newClinic(weightWindows), nil)
		w.fill(3)
		setState := func(state store.State) {
			conn, err := w.store.Connection(t.Context(), w.conn.ID)
			require.NoError(t, err)
			conn.State = state
			_, err = w.store.PutConnection(t.Context(), conn)
			require.NoError(t, err)
		}
		setState(store.StateDegraded)
		w.onFetch = func(int, providers.Query, *providers.Page) error {
			setState(store.StateDeleting)
			return nil
		}
		_, err := w.engine.Sync(t.Context(), w.conn.ID)
		require.NoError(t, err)
		require.Equal(t, store.StateDeleting, w.state(t))
	})
}

func TestClientFaultOfARefreshTouchesNobody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWard(t, newClinic(weightWindows), nil)
		w.fill(3)
		time.Sleep(4 * time.Hour)
		token := &slowToken{clinic: w.clinic, fail: func(n int) error {
			if n <= 1 {
				return &providers.Error{Provider: "clinic", Op: "refresh", Kind: providers.ErrInvalid, Code: "invalid_client", ClientFault: true}
			}
			return nil
		}}
		engine := w.over(t, token, newKeyring(t))
		for range 2 { // the second one is not sent
			_, err := engine.Sync(t.Context(), w.conn.ID)
			require.ErrorIs(t, err, providers.ErrInvalid)
			require.Equal(t, store.StateActive, w.state(t))
			require.Zero(t, w.credential(t).Fails)
		}
		require.Equal(t, 1, token.n)
		time.Sleep(2 * time.Minute)
		_, err := engine.Sync(t.Context(), w.conn.ID)
		require.NoError(t, err)
	})
}

func TestCredentialsWithOddLives(t *testing.T) {
	for name, life := range map[string]time.Duration{"none": 0, "over when issued": -time.Minute, "a minute": time.Minute} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				c := newClinic(weightWindows)
				c.accessLife = life
				w := newWard(t, c, nil)
				w.fill(7)
				w.mu.Lock()
				w.expires = time.Now().Add(time.Hour) // the service's own opinion
				w.mu.Unlock()
				_, err := w.engine.Sync(t.Context(), w.conn.ID)
				require.NoError(t, err)
				require.Empty(t, w.shown)
				require.Equal(t, w.want(), w.held(t))
			})
		})
	}
}

func TestRefreshPresentsEachTokenOnceAndPersistsBeforeUse(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWard(t, newClinic(weightWindows), nil)
		w.fill(3)
		var conns []store.Connection
		conns = append(conns, w.conn)
		w.onAccess = func(token string) {
			c, err := w.store.Credential(context.Background(), w.conn.ID)
			require.NoError(t, err)
			require.EqualValues(t, strings.TrimPrefix(token, "access-"), fmt.Sprint(c.Generation), "used before it was stored")
		}
		engines := []*healthsync.Engine{w.engine, w.another(t, nil), w.another(t, nil)}
		for round := range 5 {
			time.Sleep(3 * time.Hour)
			var working gosync.WaitGroup
			for range 8 {
				for _, e := range engines {
					working.Go(func() {
						_, err := e.Sync(t.Context(), conns[0].ID)
						if !errors.Is(err, store.ErrLeaseHeld) {
							require.NoError(t, err)
						}
					})
				}
			}
			working.Wait()
			require.Len(t, w.shown, round+1)
		}
		for token, n := range w.shown {
			require.Equal(t, 1, n, token)
		}
	})
}

func TestRefusedGrantStopsTheConnection(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var states []store.State
		w := newWard(t, newClinic(weightWindows), func(cfg *healthsync.Config) {
			cfg.Hooks.StateChanged = func(_ context.Context, e healthsync.StateEvent) { states = append(states, e.New) }
		})
		w.mu.Lock()
		w.refresh, w.access = "taken back", "taken back"
		w.mu.Unlock()
		_, err := w.engine.Sync(t.Context(), w.conn.ID)
		require.ErrorIs(t, err, providers.ErrReauth)
		require.Equal(t, []store.State{store.StateActive, store.StateReauthRequired}, states)
		_, err = w.engine.Sync(t.Context(), w.conn.ID)
		require.ErrorIs(t, err, healthsync.ErrConnectionState)

		again := w.connect(t, "ada", "account-1")
		require.Equal(t, w.conn.ID, again.ID, "a new consent keeps the connection")
		_, err = w.engine.Sync(t.Context(), w.conn.ID)
		require.NoError(t, err)
	})
}
