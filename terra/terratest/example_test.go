package terratest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/vitalmux/vitalmux/terra/terratest"
)

func fixedClock() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }

// A person connects, a day arrives at the webhook, the person disconnects.
func Example() {
	sim := terratest.New(terratest.Config{Seed: 1, Now: fixedClock, Parallel: 1})
	defer sim.Close()
	events := make(chan string, 8)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var event struct{ Type string }
		_ = json.NewDecoder(r.Body).Decode(&event)
		events <- event.Type
	}))
	defer receiver.Close()
	sim.AddDestination(terratest.Destination{URL: receiver.URL})

	user := sim.AddUser(terratest.UserConfig{Provider: "GARMIN", ReferenceID: "anna", Announce: true})
	sim.Push(user.ID, terratest.KindDaily)
	sim.Deauthenticate(user.ID)
	for range 3 {
		fmt.Println(<-events)
	}
	// Output:
	// auth
	// daily
	// deauth
}

// A day is asked for and answered at once.
func ExampleServer_AddUser() {
	sim := terratest.New(terratest.Config{Seed: 1, Now: fixedClock})
	defer sim.Close()
	user := sim.AddUser(terratest.UserConfig{Provider: "OURA"})
	site := httptest.NewServer(sim)
	defer site.Close()

	r, err := http.NewRequest("GET", site.URL+terratest.APIPath+"/daily?to_webhook=false&start_date=2026-11-18&end_date=2026-11-21&user_id="+user.ID, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	r.Header.Set("dev-id", terratest.DefaultDevID)
	r.Header.Set("x-api-key", terratest.DefaultAPIKey)
	resp, err := site.Client().Do(r)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	var answer struct {
		Type string
		Data []any
	}
	text, _ := io.ReadAll(resp.Body)
	fmt.Println(json.Unmarshal(text, &answer), answer.Type, len(answer.Data))
	// Output: <nil> daily 3
}

// Evolve changes the world and says how, so that a test knows what has to arrive.
func ExampleServer_Evolve() {
	sim := terratest.New(terratest.Config{Seed: 1, Now: fixedClock})
	defer sim.Close()
	user := sim.AddUser(terratest.UserConfig{Provider: "GARMIN", HoldBack: 2})
	ev := sim.Evolve(user.ID)
	fmt.Println("late:", len(ev.Late), "edited:", len(ev.Edited), "cleared:", len(ev.Cleared), "deleted:", len(ev.Deleted), "grown:", len(ev.Grown) > 0)
	// Output: late: 1 edited: 3 cleared: 1 deleted: 1 grown: true
}

// Webhooks can be held and delivered in any order, and again.
func ExampleServer_Deliver() {
	sim := terratest.New(terratest.Config{Seed: 1, Now: fixedClock})
	defer sim.Close()
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		fmt.Println(r.Header.Get("X-Terra-Ordering-Timestamp"))
	}))
	defer receiver.Close()
	sim.AddDestination(terratest.Destination{URL: receiver.URL})
	sim.Hold()
	first := sim.Healthcheck()[0]
	second := sim.Healthcheck()[0]
	sim.Deliver(context.Background(), second, first, second)
	// Output:
	// 1795262400001
	// 1795262400000
	// 1795262400001
}
