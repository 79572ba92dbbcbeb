package withings_test

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/providertest"
	"github.com/vitalmux/vitalmux/providers/withings"
	"github.com/vitalmux/vitalmux/providers/withings/withingstest"
)

// From consent to data, against the simulated service.
func Example() {
	clock := func() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }
	sim := withingstest.New(withingstest.Config{Seed: 1, Now: clock, Days: 10})
	user := sim.AddUser(withingstest.UserConfig{Timezone: "Europe/Paris"})

	provider, err := withings.New(withings.Config{
		ClientID:     withingstest.DefaultClientID,
		ClientSecret: providers.NewSecret(withingstest.DefaultClientSecret),
		Transport:    providertest.Transport(sim),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()

	start, err := provider.Authorize(ctx, providers.AuthRequest{State: "xyz", RedirectURL: withingstest.DefaultRedirectURL})
	if err != nil {
		fmt.Println(err)
		return
	}
	back, err := sim.Authorize(user.ID, start.URL) // the person consents
	if err != nil {
		fmt.Println(err)
		return
	}
	grant, err := provider.Exchange(ctx, providers.Callback{Query: back.Query(), RedirectURL: withingstest.DefaultRedirectURL})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("same person:", grant.UpstreamID == fmt.Sprint(user.ID))

	week := health.Window{From: clock().AddDate(0, 0, -7), To: clock()}
	weights := 0
	for record, err := range providers.Records(ctx, provider, grant.Credential, providers.Query{Stream: "measures", Window: week}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, v := range record.Values {
			if v.Metric == health.MetricBodyWeight {
				weights++
			}
		}
	}
	fmt.Println("weighed:", weights > 0)
	// Output:
	// same person: true
	// weighed: true
}

// The address the person is sent to.
func ExampleProvider_Authorize() {
	provider, err := withings.New(withings.Config{ClientID: "my-app", ClientSecret: providers.NewSecret("keep me")})
	if err != nil {
		fmt.Println(err)
		return
	}
	start, err := provider.Authorize(context.Background(), providers.AuthRequest{
		State: "xyz", RedirectURL: "https://app.example.com/callback", Scopes: []string{withings.ScopeMetrics, withings.ScopeInfo},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	u, _ := url.Parse(start.URL)
	fmt.Println(u.Host, u.Query().Get("scope"))
	// Output: account.withings.com user.metrics,user.info
}
