package sync_test

import (
	"context"
	"fmt"
	"testing/fstest"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/fitbit"
	"github.com/vitalmux/vitalmux/providers/fitbit/fitbittest"
	"github.com/vitalmux/vitalmux/providers/googlehealth"
	"github.com/vitalmux/vitalmux/providers/googlehealth/googlehealthtest"
	"github.com/vitalmux/vitalmux/providers/providertest"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// Answers of a service that has ended are imported without a consent, and as
// often as wanted.
func ExampleEngine_Import() {
	ctx := context.Background()
	archive := fstest.MapFS{
		"profile/profile.json": {
			Data: []byte(`{"user":{"encodedId":"ABC123","timezone":"Europe/Berlin"}}`), ModTime: time.Date(2026, 10, 1, 8, 0, 0, 0, time.UTC),
		},
		"weight/body/log/weight/2026-09-01/2026-09-30.json": {
			Data:    []byte(`{"weight":[{"bmi":22.1,"date":"2026-09-12","logId":1789194539000,"source":"Aria","time":"06:28:59","weight":70.4}]}`),
			ModTime: time.Date(2026, 10, 1, 8, 0, 0, 0, time.UTC),
		},
	}
	adapter := must(fitbit.New(fitbit.Config{ClientID: "23ABCD", ClientSecret: providers.NewSecret("secret")}))
	db := store.NewMemory()
	engine := must(healthsync.New(healthsync.Config{Providers: []providers.Provider{adapter}, Store: db, Sealer: exampleKeys()}))
	for range 2 {
		report := must(engine.Import(ctx, healthsync.ImportRequest{User: "ada", Provider: fitbit.Name}, fitbit.Archive(archive)))
		fmt.Println(report.Total().Inserted, "new records")
	}
	page := must(db.Records(ctx, store.RecordQuery{User: "ada", Kinds: []health.Kind{health.KindBody}}))
	r := page.Records[0]
	at, _ := r.Span.Start.Time()
	fmt.Println(r.Key, at.Format(time.RFC3339), r.Source.Path)
	// Output:
	// 2 new records
	// 0 new records
	// weight/1789194539000 2026-09-12T06:28:59+02:00 import
}

// Somebody's service has ended: the host learns of it, sends the person to the
// successor, and the history goes on there.
func ExampleEngine_AwaitingConsent() {
	ctx := context.Background()
	legacy := fitbittest.New(fitbittest.Config{Days: 2})
	person := legacy.AddPerson(fitbittest.PersonConfig{})
	successor := googlehealthtest.New(googlehealthtest.Config{Days: 2})
	account := successor.AddUser(googlehealthtest.UserConfig{LegacyID: person.ID})
	engine := must(healthsync.New(healthsync.Config{
		Providers: []providers.Provider{
			must(fitbit.New(fitbit.Config{
				ClientID: fitbittest.DefaultClientID, ClientSecret: providers.NewSecret(fitbittest.DefaultClientSecret),
				Transport: providertest.Transport(legacy),
			})),
			must(googlehealth.New(googlehealth.Config{
				ClientID: googlehealthtest.DefaultClientID, ClientSecret: providers.NewSecret(googlehealthtest.DefaultClientSecret),
				Transport: providertest.Transport(successor),
			})),
		},
		Store: store.NewMemory(), Sealer: exampleKeys(),
	}))
	address := must(engine.Connect(ctx, healthsync.ConnectRequest{
		User: "ada", Provider: fitbit.Name, RedirectURL: fitbittest.DefaultRedirectURL,
	}))
	before := must(engine.Complete(ctx, must(legacy.Authorize(person.ID, address)).Query()))

	legacy.Retire(time.Now())
	_, err := engine.Sync(ctx, before.ID)
	fmt.Println(err != nil)
	for waiting, err := range engine.AwaitingConsent(ctx, "") {
		if err != nil {
			panic(err)
		}
		fmt.Println(waiting.Connection.User, "is", waiting.Connection.State, "at", waiting.Connection.Provider, "and may go on at", waiting.Provider)
		request := waiting.Request()
		request.RedirectURL = googlehealthtest.DefaultRedirectURL
		address = must(engine.Connect(ctx, request))
	}
	after := must(engine.Complete(ctx, must(successor.Authorize(account.ID, address)).Query()))
	fmt.Println(after.Predecessor == before.ID)
	// Output:
	// true
	// ada is retired at fitbit and may go on at googlehealth
	// true
}

func exampleKeys() *healthsync.Keyring {
	secret := make([]byte, 32)
	secret[0] = 1
	return must(healthsync.NewKeyring(healthsync.Key{ID: "2026", Secret: secret}))
}
