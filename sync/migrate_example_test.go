package sync_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/providertest"
	"github.com/vitalmux/vitalmux/providers/withings"
	"github.com/vitalmux/vitalmux/providers/withings/withingstest"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// A connection of OAuth 1.0 is moved to OAuth 2.0: another adapter over the same
// store, and the same connection.
func ExampleEngine_Migrate() {
	ctx, db := context.Background(), store.NewMemory()
	sim := withingstest.New(withingstest.Config{Seed: 1, Days: 10, RateLimit: -1})
	person := sim.AddUser(withingstest.UserConfig{Timezone: "Europe/Paris"})
	secret := make([]byte, 32)
	_, _ = rand.Read(secret)
	keys, err := healthsync.NewKeyring(healthsync.Key{ID: "2026-11", Secret: secret})
	if err != nil {
		log.Fatal(err)
	}
	legacy, err := withings.NewLegacy(withings.Config{
		OAuth1: withings.OAuth1{
			ConsumerKey:    withingstest.DefaultConsumerKey,
			ConsumerSecret: providers.NewSecret(withingstest.DefaultConsumerSecret),
		},
		Transport: providertest.Transport(sim),
	})
	if err != nil {
		log.Fatal(err)
	}
	then, err := healthsync.New(healthsync.Config{Providers: []providers.Provider{legacy}, Store: db, Sealer: keys})
	if err != nil {
		log.Fatal(err)
	}
	address, err := then.Connect(ctx, healthsync.ConnectRequest{
		User: "ada", Provider: "withings", RedirectURL: withingstest.DefaultRedirectURL,
	})
	if err != nil {
		log.Fatal(err)
	}
	back, err := sim.Authorize(person.ID, address) // the person consents
	if err != nil {
		log.Fatal(err)
	}
	conn, err := then.Complete(ctx, back.Query())
	if err != nil {
		log.Fatal(err)
	}

	modern, err := withings.New(withings.Config{
		ClientID:     withingstest.DefaultClientID,
		ClientSecret: providers.NewSecret(withingstest.DefaultClientSecret),
		Transport:    providertest.Transport(sim),
	})
	if err != nil {
		log.Fatal(err)
	}
	now, err := healthsync.New(healthsync.Config{Providers: []providers.Provider{modern}, Store: db, Sealer: keys})
	if err != nil {
		log.Fatal(err)
	}
	moved, err := now.Migrate(ctx, conn.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the same connection:", moved.ID == conn.ID)
	fmt.Println(moved.State, moved.Scopes)
	// Output:
	// the same connection: true
	// active [user.info user.metrics user.activity]
}
