package demo

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/fitbit"
	"github.com/vitalmux/vitalmux/providers/fitbit/fitbittest"
	"github.com/vitalmux/vitalmux/providers/googlehealth"
	"github.com/vitalmux/vitalmux/providers/googlehealth/googlehealthtest"
	"github.com/vitalmux/vitalmux/providers/withings"
	"github.com/vitalmux/vitalmux/providers/withings/withingstest"
)

// simulated is the simulator of one service, and its adapter.
type simulated struct {
	name        string
	handler     http.Handler
	provider    providers.Provider
	redirectURL string
	// evolve lets everybody's data change.
	evolve func() changed
}

// changed counts what was added, came late, was edited and deleted.
type changed struct{ added, late, edited, deleted int }

func (c changed) String() string {
	return fmt.Sprintf("%d new rows, %d late, %d edited, %d deleted.", c.added, c.late, c.edited, c.deleted)
}

// personID and zoneOf tell about a simulated person.
func personID(i int) string { return strconv.Itoa(1001 + i) }

func zoneOf(i int) string {
	return []string{"Europe/Berlin", "America/New_York", "Asia/Kathmandu"}[i%3]
}

// simulators make the simulator of a provider at an address. Its clock stands
// still, which would never let a limit pass, so that there are none.
var simulators = map[string]func(w world, address string) (simulated, error){
	withings.Name: simulateWithings, fitbit.Name: simulateFitbit, googlehealth.Name: simulateGoogleHealth,
}

func simulateWithings(w world, address string) (simulated, error) {
	sim := withingstest.New(withingstest.Config{Seed: w.Seed, Now: w.now, RateLimit: -1, IdenticalCallWindow: -1})
	for i := range w.Users {
		sim.AddUser(withingstest.UserConfig{ID: int64(1001 + i), Days: w.Days, HoldBack: heldBack, Timezone: zoneOf(i)})
	}
	adapter, err := withings.New(simulatorConfig(address))
	return simulated{
		name: "Withings", handler: sim, provider: adapter, redirectURL: withingstest.DefaultRedirectURL,
		evolve: func() (c changed) {
			for _, u := range sim.Users() {
				e := sim.Evolve(u.ID)
				c.added, c.late = c.added+len(e.Added), c.late+len(e.Late)
				c.edited, c.deleted = c.edited+len(e.Edited), c.deleted+len(e.Deleted)
			}
			return c
		},
	}, err
}

// simulateFitbit shows the legacy service as it was before it ended.
func simulateFitbit(w world, address string) (simulated, error) {
	sim := fitbittest.New(fitbittest.Config{Seed: w.Seed, Now: w.now, RateLimit: -1, IntradayDays: 2, BaseURL: address})
	for i := range w.Users {
		sim.AddPerson(fitbittest.PersonConfig{ID: personID(i), Days: w.Days, HoldBack: heldBack, Timezone: zoneOf(i)})
	}
	adapter, err := fitbit.New(fitbit.Config{
		ClientID: fitbittest.DefaultClientID, ClientSecret: providers.NewSecret(fitbittest.DefaultClientSecret),
		BaseURL: address, AccountURL: address, RequestsPerHour: -1, RoutesPerPage: -1,
	})
	return simulated{
		name: "Fitbit", handler: sim, provider: adapter, redirectURL: fitbittest.DefaultRedirectURL,
		evolve: func() (c changed) {
			for _, p := range sim.People() {
				told := sim.Sleeps(p.ID)
				sim.AdvanceDay(p.ID)
				c.added++
				c.late += len(sim.LateSync(p.ID, 3))
				if list := sim.Workouts(p.ID); len(list) > 0 {
					sim.EditWorkout(p.ID, list[len(list)-1].LogID, func(w *fitbittest.Workout) { w.Calories += 10 })
					c.edited++
				}
				if n := len(told); n > 2 {
					sim.DeleteSleep(p.ID, told[n-2].LogID)
					c.deleted++
				}
			}
			return c
		},
	}, err
}

func simulateGoogleHealth(w world, address string) (simulated, error) {
	sim := googlehealthtest.New(googlehealthtest.Config{Seed: w.Seed, Now: w.now, RateLimit: -1})
	for i := range w.Users {
		sim.AddUser(googlehealthtest.UserConfig{ID: personID(i), Days: w.Days, HoldBack: heldBack, Timezone: zoneOf(i)})
	}
	adapter, err := googlehealth.New(googlehealth.Config{
		ClientID: googlehealthtest.DefaultClientID, ClientSecret: providers.NewSecret(googlehealthtest.DefaultClientSecret),
		BaseURL: address, TokenURL: address, AccountURL: address, RequestsPerMinute: -1,
	})
	return simulated{
		name: "Google Health", handler: sim, provider: adapter, redirectURL: googlehealthtest.DefaultRedirectURL,
		evolve: func() (c changed) {
			for _, u := range sim.Users() {
				told := sim.Truth(u.ID).Sleeps
				sim.AdvanceDay(u.ID)
				c.added++
				truth := sim.Truth(u.ID)
				days := slices.DeleteFunc(truth.Days, func(d googlehealthtest.Day) bool { return !d.Worn })
				if len(days) > 3 {
					sim.EditDay(u.ID, days[len(days)-3].Date, func(d *googlehealthtest.Day) { d.RestingHeartRate++ })
					c.edited++
				}
				if n := len(told); n > 2 {
					sim.DeleteSleep(u.ID, told[n-2].ID)
					late := told[n-2].Start.Add(-3 * time.Hour)
					sim.AddWorkout(u.ID, googlehealthtest.Workout{
						Type: "WALKING", Name: "Walk", Start: late, End: late.Add(time.Hour), Calories: 200, Steps: 5000,
					})
					c.late, c.deleted = c.late+1, c.deleted+1
				}
			}
			return c
		},
	}, err
}
