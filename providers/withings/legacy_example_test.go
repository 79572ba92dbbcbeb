package withings_test

import (
	"context"
	"fmt"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/providertest"
	"github.com/vitalmux/vitalmux/providers/withings"
	"github.com/vitalmux/vitalmux/providers/withings/withingstest"
)

// The OAuth 1.0 era: three legs, a signed call, and the way to OAuth 2.0.
func ExampleNewLegacy() {
	sim := withingstest.New(withingstest.Config{Seed: 1, Days: 10})
	user := sim.AddUser(withingstest.UserConfig{ID: 1002, Timezone: "Europe/Paris"})
	legacy, err := withings.NewLegacy(withings.Config{
		OAuth1: withings.OAuth1{
			ConsumerKey:    withingstest.DefaultConsumerKey,
			ConsumerSecret: providers.NewSecret(withingstest.DefaultConsumerSecret),
		},
		Transport: providertest.Transport(sim),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()

	// The first leg and the second, the person's consent, and the third.
	start, err := legacy.Authorize(ctx, providers.AuthRequest{State: "xyz", RedirectURL: "https://app.example.com/callback"})
	if err != nil {
		fmt.Println(err)
		return
	}
	back, err := sim.Authorize(user.ID, start.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	grant, err := legacy.Exchange(ctx, providers.Callback{Query: back.Query(), Secret: start.Secret})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("user", grant.UpstreamID)

	today := health.DayOf(time.Now().UTC())
	page, err := legacy.Fetch(ctx, grant.Credential, providers.Query{
		Stream: "activity", Window: health.Window{First: today.Add(-5), Last: today.Add(-3)},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(page.Records), "days of activity")

	// The engine's Migrate does this durably.
	modern, err := withings.New(withings.Config{
		ClientID:     withingstest.DefaultClientID,
		ClientSecret: providers.NewSecret(withingstest.DefaultClientSecret),
		Transport:    providertest.Transport(sim),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	pair, err := modern.Migrate(ctx, grant.Credential)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("scopes", pair.Scopes)
	// Output:
	// user 1002
	// 3 days of activity
	// scopes [user.info user.metrics user.activity]
}
