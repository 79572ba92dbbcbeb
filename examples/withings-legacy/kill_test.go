package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/failpoint/failpointtest"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/withings"
	"github.com/vitalmux/vitalmux/providers/withings/withingstest"
	"github.com/vitalmux/vitalmux/store"
	sqlitestore "github.com/vitalmux/vitalmux/store/sqlite"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

func TestMain(m *testing.M) {
	if status, child := failpointtest.Enter(map[string]func() error{"migrate": migrateInChild}); child {
		os.Exit(status)
	}
	os.Exit(m.Run())
}

// migrateInChild moves the connection of a file, with the patience of a host that
// calls again after an error.
func migrateInChild() error {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	db, engine, err := openModern(ctx, os.Getenv("LEGACY_FILE"), os.Getenv("LEGACY_UPSTREAM"))
	if err != nil {
		return err
	}
	defer db.Close()
	for {
		_, err := engine.Migrate(ctx, os.Getenv("LEGACY_CONNECTION"))
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func openModern(ctx context.Context, path, upstream string) (*sqlitestore.Store, *healthsync.Engine, error) {
	modern, err := withings.New(withings.Config{
		ClientID: withingstest.DefaultClientID, ClientSecret: providers.NewSecret(withingstest.DefaultClientSecret),
		BaseURL: upstream, AccountURL: upstream, RequestsPerMinute: -1,
	})
	if err != nil {
		return nil, nil, err
	}
	return open(ctx, path, modern)
}

func open(ctx context.Context, path string, p providers.Provider) (*sqlitestore.Store, *healthsync.Engine, error) {
	sealer, err := openKeyring(path + ".key")
	if err != nil {
		return nil, nil, err
	}
	db, err := sqlitestore.Open(ctx, path, nil)
	if err != nil {
		return nil, nil, err
	}
	engine, err := newEngine(p, db, sealer)
	return db, engine, err
}

// killed is one connection of OAuth 1.0 in a file, and its service.
type killed struct {
	*testing.T
	sim      *withingstest.Server
	upstream *httptest.Server
	path     string
	conn     store.Connection
	keys     map[string]bool
	cursor   store.Cursor
	pair     string // as the service is shown it
	// asked, if set, is called when the service has done a token request, and
	// before its answer is sent.
	asked atomic.Pointer[func()]
}

func newKilled(t *testing.T) *killed {
	k := &killed{T: t, path: filepath.Join(t.TempDir(), "legacy.db")}
	k.sim = withingstest.New(withingstest.Config{Seed: 9, IntradayDays: -1, RateLimit: -1, IdenticalCallWindow: -1})
	k.sim.AddUser(withingstest.UserConfig{ID: upstreamID, Days: 5, Timezone: "Europe/Berlin"})
	k.upstream = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k.sim.ServeHTTP(w, r)
		if f := k.asked.Load(); f != nil && r.URL.Path == "/v2/oauth2" {
			(*f)()
		}
	}))
	t.Cleanup(k.upstream.Close)
	legacy, err := withings.NewLegacy(withings.Config{
		OAuth1: withings.OAuth1{
			ConsumerKey: withingstest.DefaultConsumerKey, ConsumerSecret: providers.NewSecret(withingstest.DefaultConsumerSecret),
		},
		BaseURL: k.upstream.URL, AccountURL: k.upstream.URL + "/account", RequestsPerMinute: -1,
	})
	require.NoError(t, err)
	db, engine, err := open(t.Context(), k.path, legacy)
	require.NoError(t, err)
	address, err := engine.Connect(t.Context(), healthsync.ConnectRequest{
		User: user, Provider: withings.Name, RedirectURL: withingstest.DefaultRedirectURL,
	})
	require.NoError(t, err)
	back, err := k.sim.Authorize(upstreamID, address)
	require.NoError(t, err)
	k.conn, err = engine.Complete(t.Context(), back.Query())
	require.NoError(t, err)
	_, err = engine.Sync(t.Context(), k.conn.ID)
	require.NoError(t, err)
	k.cursor, err = db.Cursor(t.Context(), k.conn.ID, "measures", store.LaneLive)
	require.NoError(t, err)
	require.NotEmpty(t, k.cursor.HighWater)
	require.NoError(t, db.Close())
	k.keys = keys(t, k.path)
	require.NotEmpty(t, k.keys)
	tokens := k.sim.Ledger().Legacy
	require.Len(t, tokens, 1)
	k.pair = tokens[0].Token + ":"
	return k
}

// start starts a process that migrates. What another one was killed at is long
// ago by the clock of a process with an offset.
func (k *killed) start(failpoint string, offset time.Duration) *failpointtest.Process {
	return failpointtest.Start(k.T, failpointtest.Config{
		Entry: "migrate", Failpoint: failpoint, Env: []string{
			"LEGACY_FILE=" + k.path, "LEGACY_UPSTREAM=" + k.upstream.URL, "LEGACY_CONNECTION=" + k.conn.ID,
			"VITALMUX_CLOCK_OFFSET=" + offset.String(),
		},
	})
}

// presented counts how often the pair of OAuth 1.0 was shown to the service.
func (k *killed) presented() int {
	n := 0
	for _, r := range k.sim.Ledger().Refresh {
		if strings.HasPrefix(r.Token, k.pair) {
			n += r.Presented
		}
	}
	return n
}

// finish has another process migrate, and requires that nothing was lost.
func (k *killed) finish() {
	end := k.start("", 10*time.Minute).Wait()
	require.Zero(k, end.Status, end.Stderr)
	require.Equal(k, k.keys, keys(k.T, k.path))
	db, engine, err := openModern(k.Context(), k.path, k.upstream.URL)
	require.NoError(k, err)
	defer db.Close()
	conns, err := db.Connections(k.Context(), store.ConnectionQuery{User: user})
	require.NoError(k, err)
	require.Len(k, conns, 1)
	require.Equal(k, k.conn.ID, conns[0].ID)
	require.Equal(k, store.StateActive, conns[0].State, conns[0].Reason)
	require.NotEmpty(k, conns[0].Scopes)
	cursor, err := db.Cursor(k.Context(), k.conn.ID, "measures", store.LaneLive)
	require.NoError(k, err)
	require.Equal(k, k.cursor, cursor)
	report, err := engine.Sync(k.Context(), k.conn.ID)
	require.NoError(k, err, "the stored pair works")
	require.NoError(k, report.Err())
	before := k.presented()
	_, err = engine.Migrate(k.Context(), k.conn.ID)
	require.NoError(k, err)
	require.Equal(k, before, k.presented(), "migrated already")
}

// TestMigrationIsKilled kills the process that migrates at each step of it, with
// the connection in a SQLite file. The next process finishes what it began.
func TestMigrationIsKilled(t *testing.T) {
	for point, presented := range map[string]int{
		"after_lease": 1, "after_reread": 1, "after_intent": 1, "before_send": 1, // nothing was sent
		"after_send": 2, "after_classify": 2, "before_persist": 2, // the pair died with the process
		"after_persist": 1, "after_release": 1, // it is in the file
	} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			k := newKilled(t)
			first := k.start(point+"=kill", 0)
			first.WaitFor("failpoint " + point + " kill")
			require.Equal(t, syscall.SIGKILL, first.Wait().Signal)
			k.finish()
			require.Equal(t, presented, k.presented())
		})
	}
	t.Run("while the service answers", func(t *testing.T) {
		t.Parallel()
		k := newKilled(t)
		asked, gone := make(chan struct{}), make(chan struct{})
		wait := func() {
			close(asked)
			<-gone
		}
		k.asked.Store(&wait)
		first := k.start("", 0)
		<-asked
		k.asked.Store(nil)
		first.Kill()
		end := first.Wait()
		close(gone)
		require.Equal(t, syscall.SIGKILL, end.Signal, fmt.Sprint(end))
		k.finish()
		require.Equal(t, 2, k.presented())
	})
}
