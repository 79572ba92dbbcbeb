// Command service is the shortest whole service that links vitalmux in: the
// routes to connect an account and to be notified, and the engine that keeps it
// current.
//
// It reads WITHINGS_CLIENT_ID, WITHINGS_CLIENT_SECRET, VITALMUX_PUBLIC_URL (the
// https address of /wearables as the world sees it, whose /callback/withings is
// registered at Withings) and VITALMUX_KEY (32 bytes in hex) from the
// environment.
package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/withings"
	sqlitestore "github.com/vitalmux/vitalmux/store/sqlite"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

func main() {
	// The end of ctx lets a refresh of a token that is under way come to its end.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "service:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	for _, name := range []string{"WITHINGS_CLIENT_ID", "WITHINGS_CLIENT_SECRET", "VITALMUX_PUBLIC_URL", "VITALMUX_KEY"} {
		if os.Getenv(name) == "" {
			return errors.New(name + " is not set")
		}
	}
	key, err := hex.DecodeString(os.Getenv("VITALMUX_KEY"))
	if err != nil {
		return errors.New("VITALMUX_KEY is not hexadecimal")
	}
	account := withings.Config{
		ClientID: os.Getenv("WITHINGS_CLIENT_ID"), ClientSecret: providers.NewSecret(os.Getenv("WITHINGS_CLIENT_SECRET")),
	}
	mux := http.NewServeMux()
	server := &http.Server{Addr: "127.0.0.1:8080", Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return wearables(ctx, mux, "health.db", account, os.Getenv("VITALMUX_PUBLIC_URL"), key)
	})
	group.Go(func() error {
		slog.Info("serving", "address", server.Addr)
		if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		return server.Close()
	})
	return group.Wait()
}

// wearables adds wearable data to an existing service and returns when ctx ends.
func wearables(ctx context.Context, mux *http.ServeMux, file string, account withings.Config, public string, key []byte) (err error) {
	defer failed(&err)
	db := must(sqlitestore.Open(ctx, file, nil))
	defer db.Close()
	api := must(withings.New(account))                                           // client id and secret
	keys := must(healthsync.NewKeyring(healthsync.Key{ID: "2026", Secret: key})) // 32 random bytes
	engine := must(healthsync.New(healthsync.Config{
		Providers: []providers.Provider{api}, Store: db, Sealer: keys, Logger: slog.Default(),
		PublicURL: public, Authenticate: userOf, // who is signed in to your service
	}))
	// Serves /connect/withings, /callback/withings and /webhooks/.
	mux.Handle("/wearables/", http.StripPrefix("/wearables", engine.Handler()))
	return engine.Run(ctx) // keeps every connection current until ctx ends
}

// must returns v, or ends wearables with the error.
func must[T any](v T, err error) T {
	if err != nil {
		panic(setupError{err})
	}
	return v
}

type setupError struct{ error }

// failed turns the panic of must into an error.
func failed(err *error) {
	switch v := recover().(type) {
	case nil:
	case setupError:
		*err = v.error
	default:
		panic(v)
	}
}

// userOf returns the host's own id of the person: a real service takes it from
// its session.
func userOf(*http.Request) (string, error) { return "ada", nil }
