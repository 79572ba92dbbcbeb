// Package demo is what the demonstrations have in common: a service, which is
// simulated unless told otherwise, people who connect, a backfill, two syncs,
// and a look at what is stored.
//
// # Errors
//
// Errors are those of the engine, the store and the service, with what was
// attempted.
//
// # Concurrency
//
// One [Run] at a time for each State.
//
// # Limits
//
// There are ten people to simulate.
package demo

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/withings"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// Options say what is demonstrated.
type Options struct {
	// State is what the names of the files begin with that are kept from run to
	// run beside the store: .key and, for a simulator, .world.
	State string
	// Provider is the service: "withings", which is the default, "fitbit" or
	// "googlehealth". The last two are simulated inside.
	Provider string
	// Users is how many people are simulated, Days how much history is read.
	Users, Days int
	// Seed is what the simulated world is made from.
	Seed uint64
	// Simulator is the address of a simulator that runs elsewhere.
	Simulator string
	// ClientID, ClientSecret and RedirectURL are those of an application at the
	// real service.
	ClientID, ClientSecret, RedirectURL string
	// Verbose logs what the engine does.
	Verbose bool
}

// Flags has the command line set the options, all but State. The application at
// the real service may also be in the environment.
func (o *Options) Flags() {
	flag.StringVar(&o.Provider, "provider", withings.Name, "withings, fitbit or googlehealth")
	flag.IntVar(&o.Users, "users", 3, "simulated people")
	flag.IntVar(&o.Days, "days", 90, "days of history to read")
	flag.Uint64Var(&o.Seed, "seed", 1, "what the simulated world is made from")
	flag.StringVar(&o.Simulator, "simulator", "", "address of a simulator that runs elsewhere (see examples/simulator)")
	// The environment is not what a flag has by default: -h would show it.
	flag.StringVar(&o.ClientID, "client-id", "", "client id at the real service; else $WITHINGS_CLIENT_ID")
	flag.StringVar(&o.ClientSecret, "client-secret", "", "client secret at the real service; else $WITHINGS_CLIENT_SECRET")
	flag.StringVar(&o.RedirectURL, "redirect-url", "", "callback address registered at the real service; else $WITHINGS_REDIRECT_URL")
	o.ClientID, o.ClientSecret, o.RedirectURL = os.Getenv("WITHINGS_CLIENT_ID"), os.Getenv("WITHINGS_CLIENT_SECRET"), os.Getenv("WITHINGS_REDIRECT_URL")
	flag.BoolVar(&o.Verbose, "v", false, "log what the engine does")
}

func (o Options) real() bool { return o.ClientID != "" && o.Simulator == "" && o.ofWithings() }

// check refuses what cannot be demonstrated.
func (o Options) check() error {
	switch {
	case o.Days < 1:
		return errors.New("-days must be at least 1")
	case o.Users < 1 || o.Users > len(Names()):
		return fmt.Errorf("-users must be 1 to %d", len(Names()))
	case o.ClientID == "" && o.ofWithings() && o.Simulator == "" && (o.ClientSecret != "" || o.RedirectURL != ""):
		return errors.New("-client-secret and -redirect-url need -client-id too")
	case o.real() && (o.ClientSecret == "" || o.RedirectURL == ""):
		return errors.New("-client-id needs -client-secret and -redirect-url too")
	case o.Simulator != "" && !o.ofWithings():
		return errors.New("-simulator is for -provider withings")
	}
	if simulators[o.provider()] == nil {
		return fmt.Errorf("there is no demonstration of provider %q", o.Provider)
	}
	return nil
}

func (o Options) provider() string { return cmp.Or(o.Provider, withings.Name) }

func (o Options) ofWithings() bool { return o.provider() == withings.Name }

// Run shows what there is to see, with open for the store, which it closes.
func Run(ctx context.Context, o Options, open func() (store.Store, error), in io.Reader, out io.Writer) (err error) {
	if err := o.check(); err != nil {
		return err
	}
	db, err := open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()

	service, err := openService(o, in, out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, service.close()) }()

	engine, err := newEngine(o, service.provider, db, out)
	if err != nil {
		return err
	}
	people, err := connect(ctx, engine, db, service)
	if err != nil {
		return err
	}
	if err := backfill(ctx, engine, people, o.Days, out); err != nil {
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
	return show(ctx, engine, db, people, out)
}

// newEngine joins the adapter and the store.
func newEngine(o Options, provider providers.Provider, db store.Store, out io.Writer) (*healthsync.Engine, error) {
	key, err := keyFile(o.State + ".key")
	if err != nil {
		return nil, err
	}
	sealer, err := healthsync.NewKeyring(healthsync.Key{ID: "demo", Secret: key})
	if err != nil {
		return nil, err
	}
	var logger *slog.Logger
	if o.Verbose {
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
	engine, err := healthsync.New(config)
	if errors.Is(err, healthsync.ErrKeys) {
		err = fmt.Errorf("the key in %s.key is not that of the stored tokens: %w", o.State, err)
	}
	return engine, err
}

// patiently calls work again for as long as the connection is leased to somebody
// else: to a run that was killed, whose leases end soon. On a machine that is too
// busy to renew its own in time it begins again, too; what is stored stays.
func patiently(ctx context.Context, work func() (healthsync.Report, error)) (healthsync.Report, error) {
	for {
		report, err := work()
		if !errors.Is(err, store.ErrLeaseHeld) && !errors.Is(err, store.ErrLeaseLost) {
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
		known = slices.DeleteFunc(known, func(c store.Connection) bool { return c.Provider != service.provider.Name() })
		if len(known) > 0 && known[0].State == store.StateActive && !service.forgets {
			people = append(people, person{name, known[0]})
			continue
		}
		address, err := engine.Connect(ctx, healthsync.ConnectRequest{
			User: name, Provider: service.provider.Name(), RedirectURL: service.redirectURL,
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
