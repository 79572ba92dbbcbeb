package oauth1_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/providertest"
	"github.com/vitalmux/vitalmux/providers/withings/oauth1"
)

// vendorSigner has the values of the example that the service's documentation
// page showed in May 2015.
func vendorSigner() oauth1.Signer {
	return oauth1.Signer{
		ConsumerKey:    "123456789",
		ConsumerSecret: "123456789",
		Token:          "9eeb4e2c976ec4d47b925392149c8bbceb5efcfd9b14441429e761052e52f",
		TokenSecret:    "29d7b29209c9222169d103b766fb5783f296788500df68e8f30f0cb4d60c",
		Nonce:          func() string { return "dc6102cd25f7392b234a7f2f58be6260" },
		Now:            func() time.Time { return time.Unix(1431287241, 0) },
	}
}

// The service's own example of 2015.
func ExampleSigner_SignedURL() {
	params := url.Values{"action": {"getmeas"}, "userid": {""}}
	signed, err := vendorSigner().SignedURL("GET", "http://wbsapi.withings.net/measure", params)
	if err != nil {
		fmt.Println(err)
		return
	}
	u, err := url.Parse(signed)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(u.Query().Get("oauth_signature"))
	// Output: S0Ug4SPbQzNimIcJbiXs24PVniI=
}

// All steps of one signature, to compare with those of another implementation.
func ExampleSigner_Trace() {
	signer := vendorSigner()
	signer.Nonce = func() string { return "n1" }
	signer.Token, signer.TokenSecret = "", "" // as for a request token
	trace, err := signer.Trace("GET", "https://API.health.nokia.com:443/request", url.Values{"oauth_callback": {"https://a.example/cb"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(trace)
	// Output:
	// method       GET
	// base URI     https://api.health.nokia.com/request
	// parameters   "oauth_callback" = "https://a.example/cb"
	//              "oauth_consumer_key" = "123456789"
	//              "oauth_nonce" = "n1"
	//              "oauth_signature_method" = "HMAC-SHA1"
	//              "oauth_timestamp" = "1431287241"
	//              "oauth_version" = "1.0"
	// normalized   oauth_callback=https%3A%2F%2Fa.example%2Fcb&oauth_consumer_key=123456789&oauth_nonce=n1&oauth_signature_method=HMAC-SHA1&oauth_timestamp=1431287241&oauth_version=1.0
	// base string  GET&https%3A%2F%2Fapi.health.nokia.com%2Frequest&oauth_callback%3Dhttps%253A%252F%252Fa.example%252Fcb%26oauth_consumer_key%3D123456789%26oauth_nonce%3Dn1%26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D1431287241%26oauth_version%3D1.0
	// key          [redacted]&
	// signature    8QCKPj6vZDr3Pz5bYt512BTzwZM=
	// URL          https://api.health.nokia.com/request?oauth_callback=https%3A%2F%2Fa.example%2Fcb&oauth_consumer_key=123456789&oauth_nonce=n1&oauth_signature_method=HMAC-SHA1&oauth_timestamp=1431287241&oauth_version=1.0&oauth_signature=8QCKPj6vZDr3Pz5bYt512BTzwZM%3D
}

// The three legs, against a stand-in for the service.
func ExampleFlow() {
	service := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/account/request_token":
			_, _ = io.WriteString(w, "oauth_token=rt&oauth_token_secret=rs")
		case "/account/access_token":
			_, _ = io.WriteString(w, "oauth_token=at&oauth_token_secret=as&userid=1000231&deviceid=0")
		}
	})
	flow, err := oauth1.NewFlow(oauth1.Config{
		ConsumerKey: "key", ConsumerSecret: providers.NewSecret("secret"), Transport: providertest.Transport(service),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, callback := context.Background(), "https://app.example.com/callback?state=xyz"

	request, err := flow.RequestToken(ctx, callback)
	if err != nil {
		fmt.Println(err)
		return
	}
	consent, err := flow.AuthorizeURL(request, callback)
	if err != nil {
		fmt.Println(err)
		return
	}
	u, _ := url.Parse(consent)
	fmt.Println("send the person to", u.Host+u.Path)

	// The person consents and comes back to the callback.
	back := url.Values{"state": {"xyz"}, "userid": {"1000231"}, "oauth_token": {request.Token.Reveal()}}
	access, err := flow.AccessToken(ctx, request, callback, back)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("user", access.UserID, "token", access.Token)
	// Output:
	// send the person to developer.health.nokia.com/account/authorize
	// user 1000231 token {[redacted] [redacted]}
}
