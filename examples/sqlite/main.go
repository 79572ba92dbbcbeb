// Command sqlite is the demonstration of vitalmux: it syncs wearable data from
// Withings into one SQLite file.
//
// Without arguments it needs no network and no account. It starts a simulator
// of the service inside the process, connects three people through OAuth 2.0 as
// a browser would, reads 90 days of their data over HTTP, lets the service
// change (new, late, edited and deleted data), syncs again, and shows what is
// in the file.
//
// With -client-id, -client-secret and -redirect-url, or the environment
// variables WITHINGS_CLIENT_ID, WITHINGS_CLIENT_SECRET and
// WITHINGS_REDIRECT_URL, it talks to the real service instead.
//
// It may be interrupted at any moment; the next run goes on where it stopped.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/withings"
	"github.com/vitalmux/vitalmux/store"
	sqlitestore "github.com/vitalmux/vitalmux/store/sqlite"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

func main() {
	var o options
	flag.StringVar(&o.path, "db", "demo.db", "the SQLite file; its key is kept beside it")
	flag.IntVar(&o.users, "users", 3, "simulated people")
	flag.IntVar(&o.days, "days", 90, "days of history to read")
	flag.Uint64Var(&o.seed, "seed", 1, "what the simulated world is made from")
	flag.StringVar(&o.simulator, "simulator", "", "address of a simulator that runs elsewhere (see examples/simulator)")
	flag.StringVar(&o.clientID, "client-id", os.Getenv("WITHINGS_CLIENT_ID"), "client id at the real service")
	flag.StringVar(&o.clientSecret, "client-secret", os.Getenv("WITHINGS_CLIENT_SECRET"), "client secret at the real service")
	flag.StringVar(&o.redirectURL, "redirect-url", os.Getenv("WITHINGS_REDIRECT_URL"), "callback address registered at the real service")
	flag.BoolVar(&o.verbose, "v", false, "log what the engine does")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, o, os.Stdin, os.Stdout)
	switch {
	case ctx.Err() != nil:
		fmt.Println("\nInterrupted. Nothing is lost: run it again and it goes on.")
		os.Exit(130)
	case err != nil:
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

type options struct {
	path                                string
	users, days                         int
	seed                                uint64
	simulator                           string
	clientID, clientSecret, redirectURL string
	verbose                             bool
}

func (o options) real() bool { return o.clientID != "" && o.simulator == "" }

func run(ctx context.Context, o options, in io.Reader, out io.Writer) (err error) {
	service, err := openService(o, in, out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, service.close()) }()

	db, err := sqlitestore.Open(ctx, o.path, nil)
	if err != nil {
		return err
	}
	// Close empties the write-ahead log into the file, so that any SQL tool
	// can open it afterwards.
	defer func() { err = errors.Join(err, db.Close()) }()

	engine, err := newEngine(o, service.config, db, out)
	if err != nil {
		return err
	}
	people, err := connect(ctx, engine, db, service)
	if err != nil {
		return err
	}
	if err := backfill(ctx, engine, people, o.days, out); err != nil {
		return err
	}
	fmt.Fprintln(out, "\nFirst sync: what is new since the backfill began")
	if err := syncAll(ctx, engine, people, out); err != nil {
		return err
	}
	if service.evolve != nil {
		changed, err := service.evolve()
		if err != nil {
			return err
		}
		fmt.Fprintln(out, "\nThe service changed:", changed)
		fmt.Fprintln(out, "Second sync: only what changed is written")
		if err := syncAll(ctx, engine, people, out); err != nil {
			return err
		}
	}
	return show(ctx, engine, db, people, o.path, out)
}

// newEngine joins the adapter and the store.
func newEngine(o options, cfg withings.Config, db store.Store, out io.Writer) (*healthsync.Engine, error) {
	provider, err := withings.New(cfg)
	if err != nil {
		return nil, err
	}
	key, err := keyFile(o.path + ".key")
	if err != nil {
		return nil, err
	}
	sealer, err := healthsync.NewKeyring(healthsync.Key{ID: "demo", Secret: key})
	if err != nil {
		return nil, err
	}
	var logger *slog.Logger
	if o.verbose {
		logger = slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	config := healthsync.Config{
		Providers: []providers.Provider{provider},
		Store:     db,
		Sealer:    sealer,
		Logger:    logger,
	}
	if !o.real() {
		// A run that is killed leaves its leases behind until they end. The
		// simulator answers fast enough for short ones.
		config.LeaseTTL, config.RefreshTimeout = 3*time.Second, time.Second
	}
	return healthsync.New(config)
}

// patiently calls work again for as long as the connection is leased to
// somebody else: to a run that was killed, whose leases end soon.
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

// keyFile returns the key in the file, a new one if there is no file. A
// service takes its key from where it keeps its secrets.
func keyFile(path string) ([]byte, error) {
	key, err := os.ReadFile(path)
	if !errors.Is(err, os.ErrNotExist) {
		return key, err
	}
	key = make([]byte, 32)
	_, _ = rand.Read(key)
	return key, writeFile(path, key)
}

// person is one connection of the demonstration.
type person struct {
	name string
	conn store.Connection
}

// connect has every person consent. Somebody who did before keeps the
// connection and everything that was read through it.
func connect(ctx context.Context, engine *healthsync.Engine, db store.Store, service *service) ([]person, error) {
	var people []person
	for i, name := range service.people {
		known, err := engine.Connections(ctx, name)
		if err != nil {
			return nil, err
		}
		if len(known) > 0 && known[0].State == store.StateActive && !service.forgets {
			people = append(people, person{name, known[0]})
			continue
		}
		address, err := engine.Connect(ctx, healthsync.ConnectRequest{
			User: name, Provider: "withings", RedirectURL: service.redirectURL,
		})
		if err != nil {
			return nil, err
		}
		answer, err := service.consent(ctx, i, address)
		if err != nil {
			return nil, err
		}
		conn, err := engine.Complete(ctx, answer)
		if err != nil {
			return nil, fmt.Errorf("connect %s: %w", name, err)
		}
		people = append(people, person{name, conn})
	}
	return people, nil
}

// syncAll brings every connection up to date and prints what changed.
func syncAll(ctx context.Context, engine *healthsync.Engine, people []person, out io.Writer) error {
	for _, p := range people {
		began := time.Now()
		report, err := patiently(ctx, func() (healthsync.Report, error) { return engine.Sync(ctx, p.conn.ID) })
		if err != nil {
			return fmt.Errorf("sync %s: %w", p.name, err)
		}
		total := report.Total()
		fmt.Fprintf(out, "  %-6s %3d new, %3d changed, %3d deleted, %3d read again without a difference  (%v)\n",
			p.name, total.Inserted, total.Revised, total.Deleted, total.Unchanged, time.Since(began).Round(time.Millisecond))
	}
	return nil
}
