package withingstest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"time"

	"github.com/vitalmux/vitalmux/providers/withings/withingstest"
)

func fixedClock() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }

// A client walks the whole flow: consent, code, token, data.
func Example() {
	sim := withingstest.New(withingstest.Config{Seed: 1, Now: fixedClock})
	user := sim.AddUser(withingstest.UserConfig{Timezone: "Europe/Paris"})
	server := httptest.NewServer(sim)
	defer server.Close()

	consent := server.URL + withingstest.AuthorizePath + "?" + url.Values{
		"response_type": {"code"}, "client_id": {withingstest.DefaultClientID}, "state": {"xyz"},
		"scope": {"user.metrics"}, "redirect_uri": {withingstest.DefaultRedirectURL},
	}.Encode()
	callback, err := sim.Authorize(user.ID, consent) // what the browser would do
	if err != nil {
		fmt.Println(err)
		return
	}

	var token struct {
		Status int
		Body   struct {
			AccessToken string `json:"access_token"`
			ExpiresIn   int    `json:"expires_in"`
		}
	}
	ask(server.URL+withingstest.OAuthPath, url.Values{
		"action": {"requesttoken"}, "grant_type": {"authorization_code"}, "client_id": {withingstest.DefaultClientID},
		"client_secret": {withingstest.DefaultClientSecret}, "code": {callback.Query().Get("code")},
		"redirect_uri": {withingstest.DefaultRedirectURL},
	}, &token)
	fmt.Println("token:", token.Status, token.Body.ExpiresIn)

	var measures struct {
		Status int
		Body   struct{ Measuregrps []any }
	}
	ask(server.URL+withingstest.MeasurePath, url.Values{
		"action": {"getmeas"}, "access_token": {token.Body.AccessToken}, "category": {"2"},
	}, &measures)
	fmt.Println("goals:", measures.Status, len(measures.Body.Measuregrps))
	// Output:
	// token: 0 10800
	// goals: 0 1
}

func ask(address string, form url.Values, into any) {
	resp, err := http.PostForm(address, form)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		fmt.Println(err)
	}
}

// Evolve changes the world and says how, so that a test knows what its next synchronisation has to find.
func ExampleServer_Evolve() {
	sim := withingstest.New(withingstest.Config{Seed: 1, Now: fixedClock})
	user := sim.AddUser(withingstest.UserConfig{})
	before := len(sim.Truth(user.ID).Measures)
	ev := sim.Evolve(user.ID)
	after := len(sim.Truth(user.ID).Measures)
	fmt.Println("new:", len(ev.Added), "late:", len(ev.Late), "deleted:", len(ev.Deleted))
	fmt.Println("difference:", after-before)
	// Output:
	// new: 1 late: 1 deleted: 1
	// difference: 1
}

// Faults are armed for the requests they should hit.
func ExampleServer_Fault() {
	sim := withingstest.New(withingstest.Config{Now: fixedClock})
	user := sim.AddUser(withingstest.UserConfig{})
	server := httptest.NewServer(sim)
	defer server.Close()

	sim.Fault(withingstest.Fault{Kind: withingstest.FaultStatus, Status: 601, Wait: 7 * time.Second, Action: "getdevice"})
	for range 2 {
		var answer struct {
			Status int
			Body   struct {
				Wait int `json:"wait_seconds"`
			}
		}
		ask(server.URL+withingstest.UserPath, url.Values{
			"action": {"getdevice"}, "access_token": {sim.Login(user.ID).AccessToken},
		}, &answer)
		fmt.Println(answer.Status, answer.Body.Wait)
	}
	// Output:
	// 601 7
	// 0 0
}
