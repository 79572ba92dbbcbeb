package sync

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	gosync "sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

// silent is a provider that is only there to be configured.
type silent struct{}

func (silent) Name() string { return "silent" }

func (silent) Capabilities() providers.Capabilities {
	return providers.Capabilities{Streams: []providers.Stream{{Name: "weights"}}}
}

func (silent) Fetch(context.Context, providers.Credential, providers.Query) (providers.Page, error) {
	return providers.Page{}, nil
}

func randomKey(id string) Key {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret)
	return Key{ID: id, Secret: secret}
}

func newRing(t testing.TB, keys ...Key) *Keyring {
	ring, err := NewKeyring(keys[0], keys[1:]...)
	require.NoError(t, err)
	return ring
}

func engineOn(t testing.TB, db store.Store, sealer Sealer, change func(*Config)) *Engine {
	cfg := Config{Providers: []providers.Provider{silent{}}, Store: db, Sealer: sealer}
	if change != nil {
		change(&cfg)
	}
	e, err := New(cfg)
	require.NoError(t, err)
	return e
}

// TestKeysMustFitTheStore: an engine whose keys cannot open what is in the
// store does not start, and changes nothing in it.
func TestKeysMustFitTheStore(t *testing.T) {
	db, first, second := store.NewMemory(), randomKey("first"), randomKey("second")
	engineOn(t, db, newRing(t, first), nil)
	check, err := db.Setting(t.Context(), "", settingKeyCheck)
	require.NoError(t, err)
	for name, ring := range map[string]*Keyring{
		"another key": newRing(t, second), "another key of the same name": newRing(t, randomKey("first")),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(Config{Providers: []providers.Provider{silent{}}, Store: db, Sealer: ring})
			require.ErrorIs(t, err, ErrKeys)
			now, err := db.Setting(t.Context(), "", settingKeyCheck)
			require.NoError(t, err)
			require.Equal(t, check, now)
		})
	}
	engineOn(t, db, newRing(t, second, first), nil)
}

// TestEnginesAgreeOnTheStore: of engines that begin at the same time on a new
// store all have the same store id.
func TestEnginesAgreeOnTheStore(t *testing.T) {
	db, ring := store.NewMemory(), newRing(t, randomKey("key"))
	ids := make([]string, 16)
	var all gosync.WaitGroup
	for i := range ids {
		all.Go(func() {
			e, err := New(Config{Providers: []providers.Provider{silent{}}, Store: db, Sealer: ring})
			if err == nil {
				ids[i] = e.storeID
			}
		})
	}
	all.Wait()
	require.NotEmpty(t, ids[0])
	for _, id := range ids {
		require.Equal(t, ids[0], id)
	}
}

// TestPlacesBind: what is sealed for one place opens in no other, whichever of
// its parts differs, and not when it was cut or changed.
func TestPlacesBind(t *testing.T) {
	proof.Row(t, "X3", proof.Counts{"stores": 2, "users": 2, "connections": 2, "grants": 2})
	ring := newRing(t, randomKey("key"))
	type place struct {
		name string
		data []byte
	}
	var places []place
	for range 2 {
		e := engineOn(t, store.NewMemory(), ring, nil)
		for _, user := range []string{"ada", "bob"} {
			for _, provider := range []string{"silent", "loud"} {
				for _, id := range []string{"one", "two"} {
					conn := store.Connection{ID: id, User: user, Provider: provider}
					name := e.storeID + "/" + user + "/" + provider + "/" + id
					for _, grant := range []string{"g1", "g2"} {
						places = append(places, place{name + "/credential/" + grant, e.credentialPlace(conn, grant)})
					}
					places = append(places,
						place{name + "/flow", e.flowPlace(store.Flow{ID: id, Provider: provider, User: user})},
						place{name + "/job", e.jobPlace(store.Job{ID: id, Provider: provider, Kind: user})},
						place{name + "/raw", e.rawPlace(user, id, provider)})
				}
			}
			places = append(places, place{e.storeID + "/" + user + "/key", e.settingPlace(user, settingRawKey)})
		}
		places = append(places, place{e.storeID + "/webhook", e.settingPlace("", settingWebhookKey)},
			place{e.storeID + "/check", e.settingPlace("", settingKeyCheck)})
	}
	text := []byte("a token")
	for _, at := range places {
		sealed, err := ring.Seal(t.Context(), at.data, text)
		require.NoError(t, err)
		for _, other := range places {
			opened, err := ring.Open(t.Context(), other.data, sealed)
			if at.name == other.name {
				require.NoError(t, err)
				require.Equal(t, text, opened)
				continue
			}
			require.ErrorIs(t, err, ErrSealed, "sealed for %s, opened for %s", at.name, other.name)
			require.NotContains(t, err.Error(), string(text))
		}
		for i := range sealed {
			changed := bytes.Clone(sealed)
			changed[i] ^= 1 << (i % 8)
			_, err := ring.Open(t.Context(), at.data, changed)
			require.ErrorIs(t, err, ErrSealed)
			_, err = ring.Open(t.Context(), at.data, sealed[:i])
			require.ErrorIs(t, err, ErrSealed)
		}
	}
}

// TestNoncesAreDistinct: a nonce never comes twice.
func TestNoncesAreDistinct(t *testing.T) {
	n := proof.N(200_000, 1_000_000)
	proof.Row(t, "X5", proof.Counts{"seals": n})
	ring := newRing(t, randomKey("key"))
	seen := make(map[[12]byte]struct{}, n)
	for range n {
		sealed, err := ring.Seal(t.Context(), nil, nil)
		require.NoError(t, err)
		seen[[12]byte(sealed[1+keyIDSize:])] = struct{}{}
	}
	require.Len(t, seen, n)
}

// rollingSealer is the sealer of processes that are given another ring. Each
// operation has one ring from its beginning to its end.
type rollingSealer struct {
	ring atomic.Pointer[Keyring]
	ops  gosync.RWMutex
}

func (s *rollingSealer) roll(ring *Keyring) {
	s.ops.Lock()
	defer s.ops.Unlock()
	s.ring.Store(ring)
}

func (s *rollingSealer) Seal(ctx context.Context, place, text []byte) ([]byte, error) {
	return s.ring.Load().Seal(ctx, place, text)
}

func (s *rollingSealer) Open(ctx context.Context, place, sealed []byte) ([]byte, error) {
	return s.ring.Load().Open(ctx, place, sealed)
}

func (s *rollingSealer) Current(sealed []byte) bool { return s.ring.Load().Current(sealed) }

// TestKeyRotation: keys are changed five times under the hands of 64 workers
// that read and replace credentials, with sweeps that are stopped in the
// middle; no operation fails, and at the end nothing needs an old key.
func TestKeyRotation(t *testing.T) {
	const workers, rotations, stops, people = 64, 5, 20, 32
	ops := proof.N(10_000, 100_000)
	proof.Row(t, "X4", proof.Counts{"workers": workers, "operations": ops, "rotations": rotations, "stopped sweeps": stops})
	seed := proof.Seed(t)
	db, key := store.NewMemory(), randomKey("key0")
	sealer := &rollingSealer{}
	sealer.ring.Store(newRing(t, key))
	e := engineOn(t, db, sealer, nil)
	conns := make([]store.Connection, people)
	for i := range conns {
		conn, err := db.PutConnection(t.Context(), store.Connection{
			ID: fmt.Sprintf("conn-%02d", i), User: fmt.Sprintf("user-%02d", i), Provider: "silent", State: store.StateActive,
		})
		require.NoError(t, err)
		conns[i] = conn
		c, err := e.newGrant(t.Context(), conn, testCredential(i, 0))
		require.NoError(t, err)
		require.NoError(t, db.PutGrant(t.Context(), "", c))
		_, err = e.rawSealer(t.Context(), conn.User)
		require.NoError(t, err)
	}
	_, err := e.webhookKey(t.Context())
	require.NoError(t, err)

	var left atomic.Int64
	left.Store(int64(ops))
	var work gosync.WaitGroup
	failures := make(chan error, workers)
	for n := range workers {
		rnd := mathrand.New(mathrand.NewPCG(seed, uint64(n)))
		work.Go(func() {
			for left.Add(-1) >= 0 {
				i := rnd.IntN(people)
				sealer.ops.RLock()
				err := useCredential(e, conns[i], rnd.IntN(4) == 0)
				sealer.ops.RUnlock()
				if err != nil {
					failures <- err
					return
				}
			}
		})
	}
	rnd := mathrand.New(mathrand.NewPCG(seed, workers))
	for r := range rotations {
		next := randomKey(fmt.Sprintf("key%d", r+1))
		sealer.roll(newRing(t, key, next)) // every process can open it
		sealer.roll(newRing(t, next, key)) // every process seals with it
		for range stops / rotations {
			ctx, stop := context.WithCancel(t.Context())
			sweeper := engineOn(t, &countdown{Store: db, calls: 1 + rnd.IntN(people), stop: stop}, sealer, nil)
			_, err := sweeper.Reseal(ctx)
			stop()
			if err != nil {
				require.ErrorIs(t, err, context.Canceled)
			}
		}
		for {
			done, err := e.Reseal(t.Context())
			require.NoError(t, err)
			require.Zero(t, done.Old)
			if done.Sealed == 0 {
				break
			}
		}
		key = next
		sealer.roll(newRing(t, key)) // the old key is gone
	}
	work.Wait()
	close(failures)
	require.NoError(t, <-failures)
	fresh := engineOn(t, db, newRing(t, key), nil)
	for _, conn := range conns {
		c, err := db.Credential(t.Context(), conn.ID)
		require.NoError(t, err)
		_, _, err = fresh.openCredential(t.Context(), conn, c)
		require.NoError(t, err)
		_, err = fresh.rawSealer(t.Context(), conn.User)
		require.NoError(t, err)
	}
	_, err = fresh.webhookKey(t.Context())
	require.NoError(t, err)
}

// useCredential opens a credential as a worker does, and replaces it.
func useCredential(e *Engine, conn store.Connection, replace bool) error {
	ctx := context.Background()
	c, err := e.cfg.Store.Credential(ctx, conn.ID)
	if err != nil {
		return err
	}
	cred, _, err := e.openCredential(ctx, conn, c)
	if err != nil || !replace {
		return err
	}
	next, err := e.sealInto(ctx, conn, c, cred)
	if err != nil {
		return err
	}
	err = e.cfg.Store.SwapCredential(ctx, c.Grant, c.RefreshPrint, next)
	if errors.Is(err, store.ErrConflict) {
		return nil
	}
	return err
}

// countdown stops its caller at a call.
type countdown struct {
	store.Store
	calls int
	stop  func()
}

func (c *countdown) UpdateCredential(ctx context.Context, v store.Credential) error {
	if c.calls--; c.calls <= 0 {
		c.stop()
		return context.Canceled
	}
	return c.Store.UpdateCredential(ctx, v)
}

func testCredential(i, generation int) providers.Credential {
	return providers.Credential{
		Access: providers.NewSecret(fmt.Sprintf("access-%d-%d", i, generation)), ExpiresAt: time.Now().Add(time.Hour),
		Refresh: providers.NewSecret(fmt.Sprintf("refresh-%d-%d", i, generation)),
	}
}
