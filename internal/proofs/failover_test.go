package proofs

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/internal/provsim"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
	redisstore "github.com/vitalmux/vitalmux/store/redis"
	"github.com/vitalmux/vitalmux/store/redis/redistest"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// What people did after the last moment that the new master knows of.
const (
	didNothing        = iota
	didRefresh        // the new pair is lost
	didRefreshTwice   // two pairs are
	didConsentAnew    // the new grant is
	didConsentAtFirst // the connection is
	ways
)

// longLease is the LeaseTTL: a slow machine is not taken for a lost answer.
const longLease = 30 * time.Second

// TestPeopleAfterFailovers has Sentinel make a replica the master that has not
// got what was acknowledged last: new pairs of tokens, new grants and new
// connections are gone. Whoever can go on does so, and everybody else is known
// to need a new consent, which works.
func TestPeopleAfterFailovers(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	failovers, each := proof.N(1, 20), proof.N(1, 4)
	counts := proof.Counts{"failovers": failovers, "modes": len(modes()), "people": each * ways * len(modes())}
	proof.Row(t, "R17", counts)
	// Sentinel takes no replica that was cut off for ten times as long.
	servers, err := redistest.StartSentinel(redistest.Config{DownAfter: 10 * time.Second}, 2, 1)
	require.NoError(t, err)
	t.Cleanup(servers.Close)
	seed := proof.Seed(t)
	var worlds []*world
	for _, m := range modes() {
		worlds = append(worlds, newReplicatedWorld(t, servers, m, each*ways, seed))
	}
	for range failovers {
		behind, resume := leaveBehind(t, servers)
		for _, w := range worlds {
			for i, user := range w.service.Users() {
				w.lose(user, i%ways)
			}
		}
		for _, s := range servers.Servers {
			if s != behind {
				require.NoError(t, s.Kill())
			}
		}
		resume()
		require.NoError(t, servers.Failover())
		for _, s := range servers.Servers {
			if s != behind {
				require.NoError(t, s.Restart())
			}
		}
		require.NoError(t, servers.Settled())
		for i, w := range worlds {
			counts["asked for consent"] += w.recover(modes()[i])
		}
	}
	require.Positive(t, counts["asked for consent"])
}

// leaveBehind cuts one replica off, and returns it and what lets it go on. The
// master has another one, so that it acknowledges.
func leaveBehind(t *testing.T, servers *redistest.Sentinel) (behind *redistest.Server, resume func()) {
	t.Helper()
	master, err := servers.Master()
	require.NoError(t, err)
	for _, s := range servers.Servers {
		if s != master {
			behind = s
		}
	}
	require.NoError(t, servers.Copied(2))
	require.NoError(t, behind.Stop())
	// What it was not sent it will not find when it goes on. The other one
	// connects again.
	_, err = master.Do("CLIENT", "KILL", "TYPE", "replica")
	require.NoError(t, err)
	require.NoError(t, servers.Copied(1))
	return behind, func() { require.NoError(t, behind.Cont()) }
}

// newReplicatedWorld returns a world whose store is on the servers, under a
// prefix of its own. All are connected but those who consent later.
func newReplicatedWorld(t *testing.T, servers *redistest.Sentinel, m mode, people int, seed uint64) *world {
	t.Helper()
	w := &world{t: t, conns: make(map[string]store.Connection), scopes: []string{provsim.StreamDaily}}
	secret, signing := randomHex(16), randomHex(16)
	w.service = provsim.NewService(provsim.Config{
		Rotation: m.rotation, Users: people, Days: 1, Seed: seed, GraceFor: time.Hour, ReplayWindow: time.Hour,
		ClientSecret: secret, SigningSecrets: []string{signing}, OnFirstUse: w.firstUse,
	})
	w.server = httptest.NewServer(w.service)
	t.Cleanup(w.server.Close)
	db, err := redisstore.Open(t.Context(), redisstore.Options{
		Redis:  goredis.UniversalOptions{Addrs: servers.Addrs(), MasterName: redistest.MasterName},
		Prefix: m.name + ":", Patience: time.Minute,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	w.store = db
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	adapter, err := provsim.New(provsim.AdapterConfig{
		BaseURL: w.server.URL, Rotation: m.rotation, Transport: transport, Timeout: 30 * time.Second,
		ClientSecret: providers.NewSecret(secret), SigningSecrets: []providers.Secret{providers.NewSecret(signing)},
	})
	require.NoError(t, err)
	key := make([]byte, 32)
	_, err = rand.Read(key)
	require.NoError(t, err)
	w.ring, err = healthsync.NewKeyring(healthsync.Key{ID: "k1", Secret: key})
	require.NoError(t, err)
	w.engine, err = healthsync.New(healthsync.Config{
		Providers: []providers.Provider{adapter}, Store: db, Sealer: w.ring, LeaseTTL: longLease, RefreshTimeout: longLease / 3,
		History: -1, ReconcileEvery: -1, SpillDir: t.TempDir(),
	})
	require.NoError(t, err)
	for i, user := range w.service.Users() {
		if i%ways != didConsentAtFirst {
			w.conns[user] = w.consent(user)
			w.refresh(user)
		}
	}
	return w
}

// refresh has a person's access token end, and the engine get a new one.
func (w *world) refresh(user string) {
	w.t.Helper()
	w.service.ExpireAccess(user)
	require.NoError(w.t, w.sync(user), user)
}

// sync syncs a person's connection. A lease whose release was lost ends by
// itself.
func (w *world) sync(user string) (err error) {
	w.t.Helper()
	w.eventually(2*longLease, "the lease to end", func() bool {
		_, err = w.engine.Sync(w.t.Context(), w.conns[user].ID)
		return !errors.Is(err, store.ErrLeaseHeld)
	})
	return err
}

// lose does for a person what will be lost.
func (w *world) lose(user string, what int) {
	w.t.Helper()
	switch what {
	case didRefresh:
		w.refresh(user)
	case didRefreshTwice:
		w.refresh(user)
		w.refresh(user)
	case didConsentAnew, didConsentAtFirst:
		w.conns[user] = w.consent(user)
		w.refresh(user)
	}
}

// recover requires that everybody goes on or is known to need a new consent,
// and has these consent. It returns how many there were.
func (w *world) recover(m mode) int {
	w.t.Helper()
	var asked, held []string
	for i, user := range w.service.Users() {
		what := fmt.Sprintf("%s: %s, way %d", m.name, user, i%ways)
		for range 2 {
			w.service.ExpireAccess(user)
			err := w.sync(user)
			conn, missing := w.store.Connection(w.t.Context(), w.conns[user].ID)
			switch {
			case errors.Is(missing, store.ErrNotFound):
				require.Equal(w.t, didConsentAtFirst, i%ways, what)
				require.ErrorIs(w.t, err, store.ErrNotFound, what)
			case conn.State == store.StateReauthRequired:
				require.ErrorIs(w.t, err, providers.ErrReauth, what)
				require.NotEmpty(w.t, conn.Reason, what)
				require.NotEqual(w.t, didNothing, i%ways, what)
				_, _, text := w.stored(user)
				require.False(w.t, w.service.Accepts(text), "%s was asked for consent, and the stored token is accepted", what)
			default:
				require.NoError(w.t, missing, what)
				require.NoError(w.t, err, what)
				require.Equal(w.t, store.StateActive, conn.State, what)
				_, _, text := w.stored(user)
				held = append(held, text)
				continue
			}
			asked = append(asked, user)
			break
		}
	}
	// The service's account: those, and nobody else, cannot go on.
	require.ElementsMatch(w.t, asked, w.service.Lost(held...))
	for _, user := range asked {
		w.conns[user] = w.consent(user)
	}
	for _, user := range w.service.Users() {
		w.refresh(user)
		conn, _, text := w.stored(user)
		require.Equal(w.t, store.StateActive, conn.State, user)
		require.True(w.t, w.service.Accepts(text), user)
	}
	w.nobodyUnstored()
	return len(asked)
}
