package googlehealth_test

import (
	"context"
	"fmt"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/googlehealth"
	"github.com/vitalmux/vitalmux/providers/googlehealth/googlehealthtest"
	"github.com/vitalmux/vitalmux/providers/providertest"
)

// From consent to data, against the simulated service.
func Example() {
	clock := func() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }
	sim := googlehealthtest.New(googlehealthtest.Config{Seed: 1, Now: clock, Days: 10})
	user := sim.AddUser(googlehealthtest.UserConfig{Timezone: "Europe/Berlin", LegacyID: "ABC123"})

	provider, err := googlehealth.New(googlehealth.Config{
		ClientID:     googlehealthtest.DefaultClientID,
		ClientSecret: providers.NewSecret(googlehealthtest.DefaultClientSecret),
		RedirectURL:  googlehealthtest.DefaultRedirectURL,
		Transport:    providertest.Transport(sim),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()

	start, err := provider.Authorize(ctx, providers.AuthRequest{State: "xyz"})
	if err != nil {
		fmt.Println(err)
		return
	}
	back, err := sim.Authorize(user.ID, start.URL) // the person consents
	if err != nil {
		fmt.Println(err)
		return
	}
	grant, err := provider.Exchange(ctx, providers.Callback{Query: back.Query(), Secret: start.Secret})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("same person:", grant.UpstreamID == user.ID)
	fmt.Println("at Fitbit:", grant.Aliases[0].UpstreamID)

	last := health.DayOf(clock())
	week := health.Window{First: last.Add(-6), Last: last}
	nights := 0
	for record, err := range providers.Records(ctx, provider, grant.Credential, providers.Query{Stream: "sleep", Window: week}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, v := range record.Values {
			if v.Metric == health.MetricSleepDuration && v.Number.Float() > 0 {
				nights++
			}
		}
	}
	fmt.Println("slept:", nights > 0)
	// Output:
	// same person: true
	// at Fitbit: ABC123
	// slept: true
}
