// Command terra-webhook is a small service that connects people through Terra,
// receives Terra's webhooks into one SQLite file, and shows on a web page what
// arrived.
//
// Without arguments it needs no network and no account. It starts a simulator of
// Terra inside the process. A simulated person opens the widget, allows access,
// gets data of all seven kinds, and disconnects. The page shows it as it happens,
// and stays until Ctrl-C.
//
// With -env it talks to the real service, with the credentials that
// terra.LoadEnv reads for the environment; -dev-id, -api-key and -signing-secret
// give them directly. Terra has to reach the service: forward a public https
// address to the address of -hooks, name it with -public-url, and enter
// <public-url>/webhooks/terra as a destination in Terra's dashboard.
//
// The page has no login. It is served at an address of its own, on loopback;
// only the other one is for the world.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/vitalmux/vitalmux/examples/internal/command"
	"github.com/vitalmux/vitalmux/providers"
	sqlitestore "github.com/vitalmux/vitalmux/store/sqlite"
	healthsync "github.com/vitalmux/vitalmux/sync"
	"github.com/vitalmux/vitalmux/terra"
)

func main() {
	var o options
	flag.StringVar(&o.path, "db", "terra-webhook.db", "the SQLite `file`; its key is kept beside it")
	flag.StringVar(&o.page, "page", "127.0.0.1:0", "`host:port` of the page; port 0 picks a free one")
	flag.StringVar(&o.hooks, "hooks", "127.0.0.1:0", "`host:port` where the webhooks arrive; port 0 picks a free one")
	flag.StringVar(&o.publicURL, "public-url", "", "https `address` that the world reaches -hooks by; for the real service")
	flag.StringVar(&o.env, "env", "", "`environment` at the real service: testing, staging or production")
	flag.StringVar(&o.devID, "dev-id", "", "developer `id` at the real service, in place of -env")
	flag.StringVar(&o.apiKey, "api-key", "", "API `key` at the real service, in place of -env")
	flag.StringVar(&o.signingSecret, "signing-secret", "", "signing `secret` at the real service, in place of -env")
	flag.StringVar(&o.provider, "provider", "", "send people straight to one `provider` (GARMIN, ...), not to the widget")
	flag.BoolVar(&o.once, "once", false, "end after the simulated person has disconnected")
	flag.BoolVar(&o.verbose, "v", false, "log what the engine does")
	command.Parse("terra-webhook")

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o, os.Stdout); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "terra-webhook:", err)
		os.Exit(1)
	}
}

type options struct {
	path, page, hooks, publicURL      string
	env, devID, apiKey, signingSecret string
	provider                          string
	once, verbose                     bool
}

func (o options) real() bool {
	return o.env != "" || o.devID != "" || o.apiKey != "" || o.signingSecret != ""
}

// user is who uses this service. A real one takes it from its session.
const user = "ada"

// service is this program at work.
type service struct {
	db      *sqlitestore.Store
	engine  *healthsync.Engine
	journal *journal
	// redirectURL is where Terra sends the person back to; empty is the
	// engine's own callback.
	redirectURL string
}

// run serves until ctx ends, or with o.once until the walk is over.
func run(ctx context.Context, o options, out io.Writer) (err error) {
	hooks, err := net.Listen("tcp", o.hooks)
	if err != nil {
		return err
	}
	defer func() { _ = hooks.Close() }() // serving closes it before
	pages, err := net.Listen("tcp", o.page)
	if err != nil {
		return err
	}
	defer func() { _ = pages.Close() }()

	account, sim, err := openTerra(o, "http://"+hooks.Addr().String(), out)
	if err != nil {
		return err
	}
	s := &service{}
	if sim != nil {
		defer func() { err = errors.Join(err, sim.close()) }()
		s.redirectURL = simulatedCallback
	}
	db, err := sqlitestore.Open(ctx, o.path, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	s.db = db
	if s.journal, err = openJournal(ctx, o.path); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.journal.close()) }()
	if s.engine, err = newEngine(o, account, db, out); err != nil {
		return err
	}

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.engine.Run(ctx) })
	group.Go(func() error { return serve(ctx, hooks, s.journal.record(s.engine.Handler())) })
	group.Go(func() error { return serve(ctx, pages, s.pages()) })
	address := "http://" + pages.Addr().String()
	fmt.Fprintf(out, "Open %s in a browser: the page shows what arrives.\n", address)
	if sim != nil {
		group.Go(func() error {
			if err := sim.walk(ctx, s, address, out); err != nil {
				return err
			}
			if o.once {
				stop()
			} else {
				fmt.Fprintln(out, "The page stays until Ctrl-C.")
			}
			fmt.Fprintf(out, "Afterwards look for yourself:\n  sqlite3 %s 'select * from arrived'\n", o.path)
			return nil
		})
	}
	return group.Wait()
}

// newEngine joins the adapter and the store.
func newEngine(o options, account terra.ProviderConfig, db *sqlitestore.Store, out io.Writer) (*healthsync.Engine, error) {
	if o.provider != "" {
		account.Providers = []string{o.provider}
	}
	adapter, err := terra.NewProvider(account)
	if err != nil {
		return nil, err
	}
	key, err := keyFile(o.path + ".key")
	if err != nil {
		return nil, err
	}
	keys, err := healthsync.NewKeyring(healthsync.Key{ID: "demo", Secret: key})
	if err != nil {
		return nil, err
	}
	config := healthsync.Config{Providers: []providers.Provider{adapter}, Store: db, Sealer: keys, PublicURL: o.publicURL}
	if o.verbose {
		config.Logger = slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	if !o.real() {
		// A run that is killed leaves its leases behind until they end. The
		// simulator answers fast enough for short ones.
		config.LeaseTTL, config.RefreshTimeout = 3*time.Second, time.Second
		config.History = simulatedDays * 24 * time.Hour
	}
	return healthsync.New(config)
}

// serve answers until ctx ends, then gives requests under way a moment to
// finish.
func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	err := server.Shutdown(grace)
	if err != nil {
		err = server.Close()
	}
	if e := <-ended; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
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
	return key, os.WriteFile(path, key, 0o600)
}
