package sync

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	gosync "sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/faultstore"
	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

// mint is an adapter and a service in one that issues single-use pairs to many
// people and counts what it is shown.
type mint struct {
	capabilities providers.Capabilities
	// takes is how long an answer takes; nil is no time.
	takes func() time.Duration
	// refuses is the error that everybody gets; nil is none.
	refuses error
	// used is called with each access token that arrives.
	used func(upstream, access string)

	mu       gosync.Mutex
	accounts map[string]*mintAccount
	calls    []time.Time
}

type mintAccount struct {
	access, refresh string
	issued          int
	ended           bool
	shown           map[string]int
}

func newMint(rotation providers.Rotation) *mint {
	return &mint{accounts: map[string]*mintAccount{}, capabilities: providers.Capabilities{
		Rotation: rotation, Streams: []providers.Stream{{Name: "profile", Grain: providers.GrainNone}},
	}}
}

func (m *mint) Name() string                         { return "mint" }
func (m *mint) Capabilities() providers.Capabilities { return m.capabilities }

// issue makes the next pair of an account. The caller holds the mutex.
func (m *mint) issue(upstream string) providers.Credential {
	a := m.accounts[upstream]
	if a == nil {
		a = &mintAccount{shown: map[string]int{}}
		m.accounts[upstream] = a
	}
	a.issued++
	a.access, a.refresh = fmt.Sprintf("%s-access-%d", upstream, a.issued), fmt.Sprintf("%s-refresh-%d", upstream, a.issued)
	return providers.Credential{
		UpstreamID: upstream, Access: providers.NewSecret(a.access), Refresh: providers.NewSecret(a.refresh),
		ExpiresAt: time.Now().Add(time.Hour),
	}
}

func (m *mint) Fetch(_ context.Context, cred providers.Credential, _ providers.Query) (providers.Page, error) {
	if m.used != nil {
		m.used(cred.UpstreamID, cred.Access.Reveal())
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if a := m.accounts[cred.UpstreamID]; a.ended || a.access != cred.Access.Reveal() {
		return providers.Page{}, &providers.Error{Provider: "mint", Op: "fetch", Kind: providers.ErrReauth, Status: 401, ExpiredAccess: true}
	}
	return providers.Page{Date: time.Now()}, nil
}

func (m *mint) Refresh(ctx context.Context, cred providers.Credential) (providers.Credential, error) {
	m.mu.Lock()
	m.calls = append(m.calls, time.Now())
	fresh, err := m.rotate(cred)
	m.mu.Unlock()
	if m.takes == nil {
		return fresh, err
	}
	select {
	case <-time.After(m.takes()):
		return fresh, err
	case <-ctx.Done():
		return providers.Credential{}, &providers.Error{Provider: "mint", Op: "refresh", Kind: providers.ErrUnavailable, Ambiguous: true}
	}
}

func (m *mint) rotate(cred providers.Credential) (providers.Credential, error) {
	if m.refuses != nil {
		return providers.Credential{}, m.refuses
	}
	a := m.accounts[cred.UpstreamID]
	a.shown[cred.Refresh.Reveal()]++
	if a.ended || a.refresh != cred.Refresh.Reveal() {
		a.ended = a.ended || m.capabilities.Rotation == providers.RotationSingleUseRevoke
		return providers.Credential{}, &providers.Error{Provider: "mint", Op: "refresh", Kind: providers.ErrReauth, Code: "invalid_grant"}
	}
	return m.issue(cred.UpstreamID), nil
}

// live reports whether a refresh token is the one that the service takes.
func (m *mint) live(upstream, refresh string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := m.accounts[upstream]
	return !a.ended && a.refresh == refresh
}

// mintEngine is an engine over a mint.
func mintEngine(t testing.TB, m *mint, s store.Store, change func(*Config)) *Engine {
	cfg := Config{Providers: []providers.Provider{m}, Store: s, Sealer: testKeyring(t), MaxWait: -1}
	if change != nil {
		change(&cfg)
	}
	e, err := New(cfg)
	require.NoError(t, err)
	return e
}

// enrol connects an account.
func (m *mint) enrol(t testing.TB, e *Engine, upstream string) store.Connection {
	conn, err := e.cfg.Store.PutConnection(t.Context(), store.Connection{
		ID: "connection-" + upstream, User: "user-" + upstream, Provider: "mint", UpstreamID: upstream, State: store.StateActive,
	})
	require.NoError(t, err)
	m.consent(t, e, conn, "")
	return conn
}

// consent stores the pair of a new consent.
func (m *mint) consent(t testing.TB, e *Engine, conn store.Connection, replaces string) {
	m.mu.Lock()
	if a := m.accounts[conn.UpstreamID]; a != nil {
		a.ended = false
	}
	fresh := m.issue(conn.UpstreamID)
	m.mu.Unlock()
	c, err := e.newGrant(t.Context(), conn, fresh)
	require.NoError(t, err)
	require.NoError(t, e.cfg.Store.PutGrant(t.Context(), replaces, c))
}

// heldPair returns what the store holds of a connection, opened.
func heldPair(t testing.TB, e *Engine, s store.Store, conn store.Connection) (store.Credential, providers.Credential) {
	c, err := s.Credential(context.Background(), conn.ID)
	require.NoError(t, err)
	pair, _, err := e.openCredential(context.Background(), conn, c)
	require.NoError(t, err)
	return c, pair
}

// TestPairIsDurableWhenItsAccessTokenArrives (R6).
func TestPairIsDurableWhenItsAccessTokenArrives(t *testing.T) {
	t.Parallel()
	refreshes := proof.N(5_000, 100_000)
	proof.Row(t, "R6", proof.Counts{"refreshes": refreshes})
	bubbled(t, func(t *testing.T) {
		m, s := newMint(providers.RotationSingleUseRevoke), store.NewMemory()
		e := mintEngine(t, m, s, nil)
		conns := map[string]store.Connection{}
		for i := range 10 {
			name := fmt.Sprint("a", i)
			conns[name] = m.enrol(t, e, name)
		}
		arrived := 0
		m.used = func(upstream, access string) {
			arrived++
			_, pair := heldPair(t, e, s, conns[upstream])
			require.Equal(t, access, pair.Access.Reveal())
			require.True(t, m.live(upstream, pair.Refresh.Reveal()))
		}
		for range refreshes / len(conns) {
			time.Sleep(2 * time.Hour)
			for _, conn := range conns {
				_, err := e.Sync(t.Context(), conn.ID)
				require.NoError(t, err)
			}
		}
		require.Equal(t, refreshes/len(conns)*len(conns), arrived)
		require.Len(t, m.calls, arrived)
	})
}

// TestRefusedApplicationTouchesNoUser (R8).
func TestRefusedApplicationTouchesNoUser(t *testing.T) {
	t.Parallel()
	const users = 500
	proof.Row(t, "R8", proof.Counts{"users": users})
	bubbled(t, func(t *testing.T) {
		m, s := newMint(providers.RotationSingleUse), store.NewMemory()
		m.refuses = &providers.Error{Provider: "mint", Op: "refresh", Kind: providers.ErrInvalid, Code: "invalid_client", ClientFault: true}
		m.takes = func() time.Duration { return time.Second }
		var mu gosync.Mutex
		alarms := 0
		e := mintEngine(t, m, s, func(cfg *Config) {
			cfg.Hooks.Alarm = func(_ context.Context, event AlarmEvent) {
				mu.Lock()
				defer mu.Unlock()
				alarms++
				require.Equal(t, AlarmClient, event.Kind)
			}
		})
		var conns []store.Connection
		for i := range users {
			conns = append(conns, m.enrol(t, e, fmt.Sprint("a", i)))
		}
		time.Sleep(2 * time.Hour)
		everybody := func() (failed int) {
			var working gosync.WaitGroup
			for _, conn := range conns {
				working.Go(func() {
					if _, err := e.Sync(t.Context(), conn.ID); err != nil {
						mu.Lock()
						defer mu.Unlock()
						failed++
					}
				})
			}
			working.Wait()
			return failed
		}
		for range proof.N(20, 60) {
			require.Equal(t, users, everybody())
			time.Sleep(30 * time.Second)
		}
		for i, at := range m.calls {
			n := 0
			for _, other := range m.calls[i:] {
				if other.Sub(at) < time.Minute {
					n++
				}
			}
			require.Less(t, n, 5, "calls in a minute")
		}
		require.Equal(t, 1, alarms)
		for _, conn := range conns {
			stored, err := s.Connection(t.Context(), conn.ID)
			require.NoError(t, err)
			require.Equal(t, store.StateActive, stored.State)
			c, _ := heldPair(t, e, s, conn)
			require.Zero(t, c.Fails+c.Doubts)
			require.Nil(t, c.Attempt)
		}
		m.refuses, m.takes = nil, nil
		time.Sleep(circuitLongest * 2)
		everybody() // one of them finds out
		require.Zero(t, everybody())
		require.Equal(t, 1, alarms)
	})
}

// TestCallersThatLeave (R9): a refresh does not care who still waits for it.
func TestCallersThatLeave(t *testing.T) {
	const callers, rounds = 50, 200
	proof.Row(t, "R9", proof.Counts{"callers": callers * rounds})
	random := mathrand.New(mathrand.NewPCG(proof.Seed(t), 9))
	bubbled(t, func(t *testing.T) {
		m, s := newMint(providers.RotationSingleUseRevoke), store.NewMemory()
		e := mintEngine(t, m, s, nil)
		conn := m.enrol(t, e, "a")
		refreshed := 0
		for range rounds {
			c, _ := heldPair(t, e, s, conn)
			took := time.Duration(random.Int64N(int64(e.cfg.RefreshTimeout)))
			m.takes = func() time.Duration { return took }
			var working gosync.WaitGroup
			for range callers {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(random.Int64N(int64(e.cfg.RefreshTimeout))))
				working.Go(func() {
					defer cancel()
					fresh, err := e.sharedRefresh(ctx, refreshing{conn: conn, grant: c.Grant, generation: c.Generation, refused: true})
					if err != nil {
						require.ErrorIs(t, err, context.DeadlineExceeded)
						return
					}
					require.Greater(t, fresh.Generation, c.Generation)
				})
			}
			working.Wait()
			next, pair := heldPair(t, e, s, conn)
			require.True(t, m.live("a", pair.Refresh.Reveal()))
			require.Nil(t, next.Attempt)
			refreshed += int(next.Generation - c.Generation)
			require.Empty(t, e.flights)
		}
		require.Equal(t, rounds, refreshed)
		for token, n := range m.accounts["a"].shown {
			require.Equal(t, 1, n, token)
		}
	})
}

// TestStoreThatRefusesANewPair (R14): the store fails when the pair is to be
// stored, for a while or until the process has to end.
func TestStoreThatRefusesANewPair(t *testing.T) {
	runs := proof.N(500, 500)
	proof.Row(t, "R14", proof.Counts{"runs": runs})
	random := mathrand.New(mathrand.NewPCG(proof.Seed(t), 14))
	kinds := []faultstore.Kind{faultstore.Busy, faultstore.LostCall, faultstore.LostReply, faultstore.Unavailable}
	spilt := 0
	for run := range runs {
		dir := filepath.Join(t.TempDir(), "spill")
		kind, fails, ends := kinds[run%len(kinds)], 1+random.IntN(20), run%2 == 1
		bubbled(t, func(t *testing.T) {
			m, inner := newMint(providers.RotationSingleUseRevoke), store.NewMemory()
			faulty := faultstore.New(inner, faultstore.Config{})
			alarms := map[AlarmKind]int{}
			config := func(cfg *Config) {
				cfg.SpillDir = dir
				cfg.Hooks.Alarm = func(_ context.Context, event AlarmEvent) { alarms[event.Kind]++ }
			}
			e := mintEngine(t, m, faulty, config)
			conn := m.enrol(t, e, "a")
			time.Sleep(2 * time.Hour)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if !ends {
				ctx = t.Context()
				faulty.Fail("SwapCredential", fails, kind)
				_, err := e.Sync(ctx, conn.ID)
				require.NoError(t, err)
				require.Empty(t, spills(t, dir))
			} else {
				faulty.Fail("SwapCredential", 1_000_000, kind)
				_, err := e.Sync(ctx, conn.ID)
				if kind == faultstore.LostReply { // it was stored all the same
					require.NoError(t, err)
				} else {
					require.Error(t, err)
					spilt++
					checkSpill(t, dir)
					require.Equal(t, 1, alarms[AlarmSpill])
				}
			}
			if kind != faultstore.LostReply || !ends {
				require.Equal(t, 1, alarms[AlarmStoreUnhealthy])
			}
			// The next process, once the store is well.
			time.Sleep(10 * time.Second)
			for range 2 {
				next := mintEngine(t, m, inner, config)
				_, err := next.Sync(t.Context(), conn.ID)
				require.NoError(t, err)
				require.Empty(t, spills(t, dir), "taken in once")
			}
			_, pair := heldPair(t, e, inner, conn)
			require.True(t, m.live("a", pair.Refresh.Reveal()))
			for token, n := range m.accounts["a"].shown {
				require.Equal(t, 1, n, token)
			}
			stored, err := inner.Connection(t.Context(), conn.ID)
			require.NoError(t, err)
			require.Equal(t, store.StateActive, stored.State)
		})
	}
	require.NotZero(t, spilt)
}

func spills(t testing.TB, dir string) []string {
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	return names
}

// checkSpill looks at the one file of a spill directory.
func checkSpill(t testing.TB, dir string) {
	names := spills(t, dir)
	require.Len(t, names, 1)
	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	info, err = os.Stat(names[0])
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	require.Regexp(t, `^[0-9a-f]{32}\.spill$`, filepath.Base(names[0]))
	body, err := os.ReadFile(names[0])
	require.NoError(t, err)
	for _, text := range []string{"refresh", "access", "connection", "user-a", "mint"} {
		require.False(t, bytes.Contains(body, []byte(text)), text)
	}
}

// spillOne returns a mint, its store and a spill directory with one pair in it.
func spillOne(t *testing.T, rotation providers.Rotation) (*mint, *store.Memory, store.Connection, string) {
	dir := filepath.Join(t.TempDir(), "spill")
	m, inner := newMint(rotation), store.NewMemory()
	faulty := faultstore.New(inner, faultstore.Config{})
	e := mintEngine(t, m, faulty, func(cfg *Config) { cfg.SpillDir = dir })
	conn := m.enrol(t, e, "a")
	faulty.Fail("SwapCredential", 1_000_000, faultstore.Busy)
	c, _ := heldPair(t, e, inner, conn)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := e.sharedRefresh(ctx, refreshing{conn: conn, grant: c.Grant, generation: c.Generation, refused: true})
	require.Error(t, err)
	checkSpill(t, dir)
	return m, inner, conn, dir
}

func TestSpillWithoutItsKeyIsKept(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		m, inner, conn, dir := spillOne(t, providers.RotationSingleUse)
		alarms := 0
		config := func(cfg *Config) {
			cfg.SpillDir = dir
			cfg.Hooks.Alarm = func(_ context.Context, event AlarmEvent) {
				require.Equal(t, AlarmSpill, event.Kind)
				require.ErrorIs(t, event.Err, ErrSealed)
				alarms++
			}
		}
		secret := sha256.Sum256([]byte("another key"))
		other, err := NewKeyring(Key{ID: "other", Secret: secret[:]})
		require.NoError(t, err)
		elsewhere := mintEngine(t, m, store.NewMemory(), func(cfg *Config) {
			config(cfg)
			cfg.Sealer = other
		})
		require.NoError(t, elsewhere.housekeepCredentials(t.Context(), time.Now()))
		require.Equal(t, 1, alarms)
		require.Len(t, spills(t, dir), 1)

		e := mintEngine(t, m, inner, config)
		names := spills(t, dir)
		body, err := os.ReadFile(names[0])
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(names[0], body[:len(body)-1], 0o600))
		_, err = e.Sync(t.Context(), conn.ID)
		require.ErrorIs(t, err, providers.ErrUnavailable, "the attempt that led to the file is still in quarantine")
		require.Equal(t, 3, alarms, "before the first work, and before the attempt is taken over")
		require.Len(t, spills(t, dir), 1)

		require.NoError(t, os.WriteFile(names[0], body, 0o600))
		require.NoError(t, e.housekeepCredentials(t.Context(), time.Now()))
		require.Empty(t, spills(t, dir))
		_, pair := heldPair(t, e, inner, conn)
		require.True(t, m.live("a", pair.Refresh.Reveal()))
	})
}

func TestSpillOfAnErasedUserIsDropped(t *testing.T) {
	for _, how := range []string{"imported", "erased"} {
		t.Run(how, func(t *testing.T) {
			bubbled(t, func(t *testing.T) {
				m, inner, conn, dir := spillOne(t, providers.RotationSingleUse)
				e := mintEngine(t, m, inner, func(cfg *Config) { cfg.SpillDir = dir })
				_, err := inner.Erase(t.Context(), conn.User)
				require.NoError(t, err)
				if how == "erased" {
					require.NoError(t, e.eraseSpill("somebody else"))
					require.Len(t, spills(t, dir), 1)
					require.NoError(t, e.eraseSpill(conn.User))
				} else {
					require.NoError(t, e.importSpills(t.Context()))
				}
				require.Empty(t, spills(t, dir))
				_, err = inner.Credential(t.Context(), conn.ID)
				require.ErrorIs(t, err, store.ErrNotFound)
			})
		})
	}
}

func TestWithoutSpillDirectoryTheLossIsTold(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		m := newMint(providers.RotationSingleUse)
		faulty := faultstore.New(store.NewMemory(), faultstore.Config{})
		var told error
		e := mintEngine(t, m, faulty, func(cfg *Config) {
			cfg.Hooks.Alarm = func(_ context.Context, event AlarmEvent) {
				if event.Kind == AlarmSpill {
					told = event.Err
				}
			}
		})
		conn := m.enrol(t, e, "a")
		time.Sleep(2 * time.Hour)
		faulty.Fail("SwapCredential", 1_000_000, faultstore.Busy)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := e.Sync(ctx, conn.ID)
		require.Error(t, err)
		require.ErrorContains(t, told, "no spill directory")
	})
}

// TestBookkeepingThatFails leaves the intent behind, which is taken over.
func TestBookkeepingThatFails(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		m := newMint(providers.RotationSingleUse)
		inner := store.NewMemory()
		faulty := faultstore.New(inner, faultstore.Config{})
		e := mintEngine(t, m, faulty, nil)
		conn := m.enrol(t, e, "a")
		time.Sleep(2 * time.Hour)
		m.refuses = errors.New("no answer")
		faulty.Fail("UpdateCredential", 100, faultstore.Busy)
		_, err := e.Sync(t.Context(), conn.ID)
		require.Error(t, err)
		c, _ := heldPair(t, e, inner, conn)
		require.NotNil(t, c.Attempt)
		faulty.Heal()
		m.refuses = nil
		_, err = e.Sync(t.Context(), conn.ID)
		require.ErrorIs(t, err, providers.ErrUnavailable)
		require.Len(t, m.calls, 1, "not before its quarantine is over")
		time.Sleep(time.Minute)
		_, err = e.Sync(t.Context(), conn.ID)
		require.NoError(t, err)
		require.Len(t, m.calls, 2)
	})
}
