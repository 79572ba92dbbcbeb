package terra_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
	"github.com/vitalmux/vitalmux/terra"
	"github.com/vitalmux/vitalmux/terra/terratest"
)

func ExampleVerifySignature() {
	secrets := []string{"test_signing_secret"}
	body := []byte(`{"type":"deauth","status":"success"}`)
	header := "t=1700000000,v1=101280d63f0d60723210112db4fb90cb90d231443775b3748b62aa3538ccca87"
	now := time.Unix(1700000060, 0)
	fmt.Println(terra.VerifySignature(secrets, header, body, now, terra.DefaultTolerance))
	fmt.Println(terra.VerifySignature(secrets, header, append(body, ' '), now, terra.DefaultTolerance))
	// Output:
	// <nil>
	// terra: webhook: bad signature
}

func ExampleParseWebhook() {
	body := []byte(`{"type":"daily","version":"2022-03-16","user":{"user_id":"u1","provider":"GARMIN"},` +
		`"data":[{"metadata":{"start_time":"2026-07-01T00:00:00.000000+01:00","end_time":"2026-07-02T00:00:00.000000+01:00","upload_type":1},` +
		`"distance_data":{"steps":11894}}]}`)
	now := time.Unix(1700000000, 0)
	header := http.Header{}
	header.Set(terra.SignatureHeader, fmt.Sprintf("t=%d,v1=%s", now.Unix(), terratest.Sign("test_signing_secret", now.Unix(), body)))

	event, err := terra.ParseWebhook([]string{"test_signing_secret"}, header, body, now, terra.DefaultTolerance)
	if err != nil {
		log.Fatal(err)
	}
	days, _, err := terra.DecodeData[terra.Daily](event)
	if err != nil {
		log.Fatal(err)
	}
	day, _ := days[0].Metadata.StartTime.Day()
	fmt.Println(event.Type, event.User.Provider, day, days[0].DistanceData.Steps)
	// Output: daily GARMIN 2026-07-01 11894
}

func ExampleProvider_Handler() {
	provider, err := terra.NewProvider(terra.ProviderConfig{
		Config:         terra.Config{DevID: "dev", APIKey: providers.NewSecret("key")},
		SigningSecrets: []providers.Secret{providers.NewSecret(terratest.DefaultSigningSecret)},
	})
	if err != nil {
		log.Fatal(err)
	}
	handler := provider.Handler(func(_ context.Context, n providers.Notification) error {
		fmt.Println(n.Event, n.UpstreamID)
		return nil // it is safe somewhere
	})
	body := []byte(`{"type":"access_revoked","status":"warning","message":"m","user":{"user_id":"u1","provider":"GARMIN"}}`)
	r := httptest.NewRequest(http.MethodPost, "/webhook", bytes.NewReader(body))
	now := time.Now().Unix()
	r.Header.Set(terra.SignatureHeader, fmt.Sprintf("t=%d,v1=%s", now, terratest.Sign(terratest.DefaultSigningSecret, now, body)))
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	fmt.Println(w.Code)
	// Output:
	// deauth u1
	// 200
}

// A person connects a Garmin account through Terra, and what Terra knows of it
// is read into the store.
func ExampleNewProvider() {
	ctx := context.Background()
	sim := terratest.New(terratest.Config{Seed: 1, Days: 3})
	service := httptest.NewServer(sim)
	defer service.Close()

	provider, err := terra.NewProvider(terra.ProviderConfig{
		Config: terra.Config{
			DevID: terratest.DefaultDevID, APIKey: providers.NewSecret(terratest.DefaultAPIKey), BaseURL: service.URL + terratest.APIPath,
		},
		SigningSecrets: []providers.Secret{providers.NewSecret(terratest.DefaultSigningSecret)},
		Providers:      []string{"GARMIN"},
	})
	if err != nil {
		log.Fatal(err)
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	keys, err := healthsync.NewKeyring(healthsync.Key{ID: "2026-11", Secret: key})
	if err != nil {
		log.Fatal(err)
	}
	db := store.NewMemory()
	engine, err := healthsync.New(healthsync.Config{Providers: []providers.Provider{provider}, Store: db, Sealer: keys})
	if err != nil {
		log.Fatal(err)
	}
	// Mount engine.Handler(): Terra's destination is /webhooks/terra below it.

	address, err := engine.Connect(ctx, healthsync.ConnectRequest{
		User: "ada", Provider: terra.Name, RedirectURL: "https://app.example.com/callback/terra",
	})
	if err != nil {
		log.Fatal(err)
	}
	back, err := sim.Consent(address, terratest.Decision{}) // the person, in a browser
	if err != nil {
		log.Fatal(err)
	}
	// The signed auth event makes the connection. Until it comes, asking does.
	conn, err := engine.Complete(ctx, back.Query())
	if err != nil {
		log.Fatal(err)
	}
	if _, err := engine.Sync(ctx, conn.ID); err != nil {
		log.Fatal(err)
	}
	page, err := db.Records(ctx, store.RecordQuery{User: "ada", Kinds: []health.Kind{health.KindDaily}})
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range page.Records {
		fmt.Println(r.Kind, r.Source.Path, r.Source.Upstream)
	}
	// Output:
	// daily terra GARMIN
	// daily terra GARMIN
	// daily terra GARMIN
}

// Samples are handed over as devices measure them.
func ExampleClient_Stream() {
	sim := terratest.New(terratest.Config{})
	service := httptest.NewServer(sim)
	defer service.Close()
	defer sim.Close()
	client, err := terra.New(terra.Config{
		DevID: terratest.DefaultDevID, APIKey: providers.NewSecret(terratest.DefaultAPIKey), StreamingURL: service.URL,
		SocketURL: "ws" + service.URL[len("http"):] + terratest.StreamPath,
	})
	if err != nil {
		log.Fatal(err)
	}
	user := sim.AddUser(terratest.UserConfig{ID: "u1"}).ID
	ctx, cancel := context.WithCancel(context.Background())
	measuring := make(chan struct{})
	go func() { // a device that is being worn
		defer close(measuring)
		every := time.NewTicker(10 * time.Millisecond)
		defer every.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-every.C:
				sim.Stream(user, "HEART_RATE", []byte(`{"ts":"2026-11-21T09:00:01+01:00","val":62}`))
			}
		}
	}()
	err = client.Stream(ctx, terra.StreamConfig{Handle: func(_ context.Context, s terra.StreamSample) error {
		if ctx.Err() == nil {
			fmt.Println(s.UserID, s.Type, s.At, s.Values[0], s.Record.Kind)
		}
		cancel()
		return nil
	}})
	<-measuring
	fmt.Println(err)
	// Output:
	// u1 HEART_RATE 2026-11-21T09:00:01+01:00 62 samples
	// context canceled
}
