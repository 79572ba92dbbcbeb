package withingstest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"time"

	"github.com/vitalmux/vitalmux/providers/withings/oauth1"
	"github.com/vitalmux/vitalmux/providers/withings/withingstest"
)

// A service of the OAuth 1.0 era, with a signature that is wrong.
func ExampleServer_LegacyLogin() {
	now := func() time.Time { return time.Date(2018, 2, 15, 12, 0, 0, 0, time.UTC) }
	sim := withingstest.New(withingstest.Config{Now: now})
	user := sim.AddUser(withingstest.UserConfig{})
	server := httptest.NewServer(sim)
	defer server.Close()

	token := sim.LegacyLogin(user.ID)
	signer := oauth1.Signer{
		ConsumerKey: withingstest.DefaultConsumerKey, ConsumerSecret: withingstest.DefaultConsumerSecret,
		Token: token.Token, TokenSecret: token.Secret, Now: now,
	}
	for _, secret := range []string{token.Secret, "another"} {
		signer.TokenSecret = secret
		address, err := signer.SignedURL("GET", server.URL+withingstest.MeasureV2Path, url.Values{
			"action": {"getactivity"}, "userid": {strconv.FormatInt(user.ID, 10)}, "date": {"2001-01-01"},
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		resp, err := http.Get(address)
		if err != nil {
			fmt.Println(err)
			return
		}
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		fmt.Println(string(text))
	}
	http.DefaultClient.CloseIdleConnections()
	// Output:
	// {"status":0,"body":[]}
	// {"status":342,"body":{},"error":"The signature (using Oauth) is invalid"}
}

// A weight that somebody measured, as the subscriber hears of it.
func ExampleServer_Deliver() {
	hook := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err == nil && len(r.PostForm) > 0 {
			fmt.Println("kind", r.PostForm.Get("appli"), "of", r.PostForm.Get("startdate"))
		} else {
			fmt.Println("checked by", r.Method)
		}
	})
	sim := withingstest.New(withingstest.Config{Callbacks: inProcess{hook}})
	user := sim.AddUser(withingstest.UserConfig{ID: 363})
	form := url.Values{
		"action": {"subscribe"}, "appli": {"1"}, "callbackurl": {"https://app.example.com/withings/5ecret"},
		"access_token": {sim.Login(user.ID).AccessToken},
	}
	w := httptest.NewRecorder()
	sim.ServeHTTP(w, httptest.NewRequest(http.MethodGet, withingstest.NotifyPath+"?"+form.Encode(), nil))
	fmt.Println(w.Body)

	sim.AddMeasure(user.ID, withingstest.MeasureGroup{Date: 1790000000, Measures: []withingstest.Measure{{Value: 71, Type: 1}}})
	for _, n := range sim.Deliver(context.Background()) {
		fmt.Println("delivered:", n.Delivered())
	}
	// Output:
	// checked by HEAD
	// checked by GET
	// checked by POST
	// {"status":0,"body":{}}
	// kind 1 of 1790000000
	// delivered: true
}

// inProcess carries requests to a handler.
type inProcess struct{ http.Handler }

func (h inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result(), nil
}
