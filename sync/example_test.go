package sync_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log"
	"net/url"
	"time"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// connected returns an engine over a small service that holds a weight for each
// of the last 30 days, and the connection of a person who has consented.
func connected(ctx context.Context, db store.Store) (*healthsync.Engine, string, error) {
	service := newClinic(weightWindows)
	service.pageSize = 100
	service.fill(30)
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return nil, "", err
	}
	keys, err := healthsync.NewKeyring(healthsync.Key{ID: "2026-11", Secret: secret})
	if err != nil {
		return nil, "", err
	}
	engine, err := healthsync.New(healthsync.Config{
		Providers: []providers.Provider{service}, Store: db, Sealer: keys,
	})
	if err != nil {
		return nil, "", err
	}
	address, err := engine.Connect(ctx, healthsync.ConnectRequest{
		User: "ada", Provider: "clinic", RedirectURL: "https://host.example.com/callback",
	})
	if err != nil {
		return nil, "", err
	}
	// The browser goes to the address and comes back to the redirect address
	// with a query.
	consent, err := url.Parse(address)
	if err != nil {
		return nil, "", err
	}
	conn, err := engine.Complete(ctx, url.Values{"state": {consent.Query().Get("state")}, "code": {"account-1"}})
	return engine, conn.ID, err
}

func ExampleEngine_Sync() {
	ctx := context.Background()
	engine, connection, err := connected(ctx, store.NewMemory())
	if err != nil {
		log.Fatal(err)
	}
	for range 2 {
		report, err := engine.Sync(ctx, connection)
		if err != nil {
			log.Fatal(err)
		}
		total := report.Total()
		fmt.Println(total.Inserted > 0, total.Revised, total.Deleted)
	}
	// Output:
	// true 0 0
	// false 0 0
}

func ExampleEngine_Backfill() {
	ctx := context.Background()
	engine, connection, err := connected(ctx, store.NewMemory())
	if err != nil {
		log.Fatal(err)
	}
	report, err := engine.Backfill(ctx, connection, time.Now().Add(-40*24*time.Hour))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report.Total().Inserted, "records")
	progress, err := engine.Progress(ctx, connection)
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range progress {
		fmt.Printf("%s: %d of %d windows\n", p.Stream, p.Done, p.Total)
	}
	// Output:
	// 30 records
	// weights: 5 of 5 windows
}

// A host consumes what changed from the store: it acknowledges what it has
// worked on, and is given the rest again.
func Example_changes() {
	ctx := context.Background()
	db := store.NewMemory()
	engine, connection, err := connected(ctx, db)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := engine.Backfill(ctx, connection, time.Now().Add(-40*24*time.Hour)); err != nil {
		log.Fatal(err)
	}
	for {
		changes, err := db.Changes(ctx, "billing", 20)
		if err != nil {
			log.Fatal(err)
		}
		if len(changes) == 0 {
			break
		}
		fmt.Println(len(changes), changes[0].User, changes[0].Cause)
		if err := db.Ack(ctx, "billing", changes[len(changes)-1].Position); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// 20 ada backfill
	// 10 ada backfill
}
