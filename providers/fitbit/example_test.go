package fitbit_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/fitbit"
	"github.com/vitalmux/vitalmux/providers/fitbit/fitbittest"
	"github.com/vitalmux/vitalmux/providers/providertest"
)

// From consent to data against the simulated service, to the day on which it
// ends.
func Example() {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	sim := fitbittest.New(fitbittest.Config{
		Seed: 1, Now: func() time.Time { return now }, Days: 10, RetireAt: time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC),
	})
	person := sim.AddPerson(fitbittest.PersonConfig{ID: "ABC123", Timezone: "Europe/Berlin"})

	provider, err := fitbit.New(fitbit.Config{
		ClientID:     fitbittest.DefaultClientID,
		ClientSecret: providers.NewSecret(fitbittest.DefaultClientSecret),
		RedirectURL:  fitbittest.DefaultRedirectURL,
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
	back, err := sim.Authorize(person.ID, start.URL) // the person consents
	if err != nil {
		fmt.Println(err)
		return
	}
	grant, err := provider.Exchange(ctx, providers.Callback{Query: back.Query(), Secret: start.Secret})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("connected:", grant.UpstreamID)

	days := health.Window{First: health.DayOf(now).Add(-6), Last: health.DayOf(now)}
	week := providers.Query{Stream: "activity", Window: days}
	records := 0
	for _, err := range providers.Records(ctx, provider, grant.Credential, week) {
		if err != nil {
			fmt.Println(err)
			return
		}
		records++
	}
	fmt.Println("days:", records)

	now = now.AddDate(0, 0, 1)
	_, err = provider.Fetch(ctx, grant.Credential, week)
	fmt.Println("retired:", errors.Is(err, providers.ErrRetired))
	// Output:
	// connected: ABC123
	// days: 7
	// retired: true
}
