// Command withings-legacy shows the Withings interface of the OAuth 1.0 era, and
// the way out of it.
//
// It needs no network and no account: a simulator of the service runs inside the
// process. A person connects by the three legs of OAuth 1.0, and each step of each
// signature is printed: parameters, base string, key without its secrets,
// signature, address. Then body measures, activity, sleep and workouts are synced
// into one SQLite file by signed requests. At last the connection is moved to
// OAuth 2.0 and synced again: nothing that was there is lost or doubled, and sleep
// stages get the heart rate and breathing that only the newer interface tells.
//
// It may be interrupted at any moment; the next run goes on with the same file.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/examples/internal/command"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/withings"
	"github.com/vitalmux/vitalmux/providers/withings/withingstest"
	"github.com/vitalmux/vitalmux/store"
	sqlitestore "github.com/vitalmux/vitalmux/store/sqlite"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

func main() {
	var o options
	flag.StringVar(&o.path, "db", "legacy.db", "the SQLite file; its key is kept beside it")
	flag.IntVar(&o.days, "days", 30, "days of history to read, at most 60")
	flag.Uint64Var(&o.seed, "seed", 1, "what the simulated world is made from")
	flag.BoolVar(&o.all, "all", false, "show the signature of each data call, and not of the first alone")
	command.Main("withings-legacy", command.GoesOn, func(ctx context.Context) error { return run(ctx, o, os.Stdout) })
}

type options struct {
	path string
	days int
	seed uint64
	all  bool
}

const user = "ada"

func run(ctx context.Context, o options, out io.Writer) (err error) {
	if o.days < 1 || o.days > 60 {
		return errors.New("-days is 1 to 60")
	}
	sim, err := startService(o, out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sim.close()) }()

	db, err := sqlitestore.Open(ctx, o.path, nil)
	if err != nil {
		return err
	}
	// Close empties the write-ahead log into the file, so that any SQL tool
	// can open it afterwards.
	defer func() { err = errors.Join(err, db.Close()) }()
	sealer, err := openKeyring(o.path + ".key")
	if err != nil {
		return err
	}

	modern, err := withings.New(withings.Config{
		ClientID: withingstest.DefaultClientID, ClientSecret: providers.NewSecret(withingstest.DefaultClientSecret),
		BaseURL: sim.address, AccountURL: sim.address, RequestsPerMinute: -1,
	})
	if err != nil {
		return err
	}
	now, err := newEngine(modern, db, sealer)
	if err != nil {
		return err
	}
	if sim.world.Migrated {
		return goOn(ctx, now, db, o.path, out)
	}

	traces := &printer{out: out, all: o.all}
	legacy, err := withings.NewLegacy(withings.Config{
		OAuth1: withings.OAuth1{
			ConsumerKey:    withingstest.DefaultConsumerKey,
			ConsumerSecret: providers.NewSecret(withingstest.DefaultConsumerSecret),
			Trace:          traces.show,
		},
		BaseURL: sim.address, AccountURL: sim.address + "/account",
		RequestsPerMinute: -1, // the simulator is not limited
	})
	if err != nil {
		return err
	}
	then, err := newEngine(legacy, db, sealer)
	if err != nil {
		return err
	}
	conn, err := connect(ctx, then, traces, out)
	if err != nil {
		return err
	}
	if err := firstSync(ctx, then, conn, o.days, traces, out); err != nil {
		return err
	}
	before, err := read(ctx, db)
	if err != nil {
		return err
	}
	before.show(out)
	if err := migrate(ctx, now, conn, out); err != nil {
		return err
	}
	if err := sim.migrated(); err != nil {
		return err
	}
	fmt.Fprintln(out, "\n4. Sync again, by OAuth 2.0")
	return syncAgain(ctx, now, db, conn, before, o.path, out)
}

// newEngine joins an adapter and the store.
func newEngine(p providers.Provider, db store.Store, sealer healthsync.Sealer) (*healthsync.Engine, error) {
	return healthsync.New(healthsync.Config{
		Providers: []providers.Provider{p}, Store: db, Sealer: sealer,
		// A run that is killed leaves its leases behind until they end. The
		// simulator answers fast enough for short ones.
		LeaseTTL: 3 * time.Second, RefreshTimeout: time.Second,
	})
}

// openKeyring returns the keys in the file, new ones if there is no file. A
// service takes its key from where it keeps its secrets.
func openKeyring(path string) (*healthsync.Keyring, error) {
	key, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		key = make([]byte, 32)
		_, _ = rand.Read(key)
		err = writeFile(path, key)
	}
	if err != nil {
		return nil, err
	}
	return healthsync.NewKeyring(healthsync.Key{ID: "example", Secret: key})
}

// connect walks the three legs. Somebody who did before keeps the connection and
// everything that was read through it.
func connect(ctx context.Context, engine *healthsync.Engine, traces *printer, out io.Writer) (store.Connection, error) {
	fmt.Fprintln(out, "\n1. Connect: the three legs of OAuth 1.0")
	fmt.Fprintln(out, "  Long values go on in the next line, without anything in between.")
	traces.expect(
		"Leg 1: ask for a request token. There is no token secret yet, so the key ends with \"&\".",
		"Leg 2: the signed address of the consent page. The secret of the request token is in the key now.",
	)
	address, err := engine.Connect(ctx, healthsync.ConnectRequest{
		User: user, Provider: "withings", RedirectURL: withingstest.DefaultRedirectURL,
	})
	if err != nil {
		return store.Connection{}, err
	}
	answer, err := consent(ctx, address)
	if err != nil {
		return store.Connection{}, err
	}
	fmt.Fprintln(out, "\n  Ada allows access. Her browser comes back to the callback address with")
	for _, name := range []string{"state", "userid", "oauth_token", "oauth_verifier"} {
		fmt.Fprintf(out, "    %-14s %s\n", name, answer.Get(name))
	}
	traces.expect("Leg 3: ask for the access token. The verifier is passed on; the callback is repeated.")
	conn, err := engine.Complete(ctx, answer)
	if err != nil {
		return store.Connection{}, err
	}
	fmt.Fprintf(out, "\n  Connected: user %s at Withings is connection %s.\n", conn.UpstreamID, conn.ID)
	fmt.Fprintln(out, "  Token and token secret are in the file, sealed. They do not end.")
	return conn, nil
}

// firstSync reads by signed requests.
func firstSync(ctx context.Context, engine *healthsync.Engine, conn store.Connection, days int, traces *printer, out io.Writer) error {
	fmt.Fprintf(out, "\n2. Sync %d days by signed requests\n", days)
	traces.expect("The first data call. It names the user, or the service refuses it.")
	since := time.Now().AddDate(0, 0, -days)
	total := store.Result{}
	for _, work := range []func() (healthsync.Report, error){
		func() (healthsync.Report, error) { return engine.Sync(ctx, conn.ID) },
		func() (healthsync.Report, error) { return engine.Backfill(ctx, conn.ID, since) },
	} {
		report, err := patiently(ctx, work)
		if err != nil {
			return err
		}
		r := report.Total()
		total.Inserted, total.Revised = total.Inserted+r.Inserted, total.Revised+r.Revised
		total.Unchanged += r.Unchanged + r.Stale
	}
	fmt.Fprintf(out, "\n  %d calls in all, each with a nonce and a timestamp of its own.\n", traces.calls())
	fmt.Fprintf(out, "  %d records are new, %d changed, %d were read again without a difference.\n", total.Inserted, total.Revised, total.Unchanged)
	return nil
}

// patiently calls work again for as long as the connection is leased to somebody
// else: to a run that was killed, whose leases end soon.
func patiently(ctx context.Context, work func() (healthsync.Report, error)) (healthsync.Report, error) {
	for {
		report, err := work()
		if !errors.Is(err, store.ErrLeaseHeld) {
			return report, err
		}
		select {
		case <-ctx.Done():
			return report, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// migrate moves the connection to OAuth 2.0, twice, because that is safe.
func migrate(ctx context.Context, engine *healthsync.Engine, conn store.Connection, out io.Writer) error {
	fmt.Fprintln(out, "\n3. Move the connection to OAuth 2.0")
	fmt.Fprintln(out, "  POST /v2/oauth2 action=requesttoken grant_type=refresh_token refresh_token=[token]:[token secret]")
	moved, err := engine.Migrate(ctx, conn.ID)
	if err != nil {
		return err
	}
	again, err := engine.Migrate(ctx, conn.ID)
	if err != nil {
		return err
	}
	if moved.ID != conn.ID || again.ID != conn.ID {
		return errors.New("the connection is another one")
	}
	fmt.Fprintf(out, "  Still connection %s, now with the scopes\n  %s.\n", moved.ID, strings.Join(moved.Scopes, ", "))
	fmt.Fprintln(out, "  Migrated once more: nothing to do, and no request.")
	return nil
}

// goOn is a run after the connection was moved. The simulator knows no tokens of
// earlier runs, so the person consents again, by OAuth 2.0 now.
func goOn(ctx context.Context, engine *healthsync.Engine, db store.Store, path string, out io.Writer) error {
	fmt.Fprintln(out, "\nThe run before moved the connection to OAuth 2.0.")
	fmt.Fprintf(out, "To see the way there again, remove %s*.\n", path)
	before, err := read(ctx, db)
	if err != nil {
		return err
	}
	address, err := engine.Connect(ctx, healthsync.ConnectRequest{
		User: user, Provider: "withings", RedirectURL: withingstest.DefaultRedirectURL,
	})
	if err != nil {
		return err
	}
	answer, err := consent(ctx, address)
	if err != nil {
		return err
	}
	conn, err := engine.Complete(ctx, answer)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "This simulator knows no tokens of it, so Ada consented again.")
	fmt.Fprintf(out, "Still connection %s.\n", conn.ID)
	before.show(out)
	fmt.Fprintln(out, "\nSync again, by OAuth 2.0")
	return syncAgain(ctx, engine, db, conn, before, path, out)
}

// syncAgain reads by OAuth 2.0 what was read before, and compares.
func syncAgain(ctx context.Context, engine *healthsync.Engine, db store.Store, conn store.Connection, before *summary, path string, out io.Writer) error {
	report, err := patiently(ctx, func() (healthsync.Report, error) { return engine.Sync(ctx, conn.ID) })
	if err != nil {
		return err
	}
	after, err := read(ctx, db)
	if err != nil {
		return err
	}
	if err := compare(before, after, report, out); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nLook for yourself:\n  sqlite3 %s 'select * from v_daily limit 5'\n", path)
	return nil
}
