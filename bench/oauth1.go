package main

import (
	"context"
	"fmt"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"time"

	dghubble "github.com/dghubble/oauth1"

	"github.com/vitalmux/vitalmux/providers/withings/oauth1"
)

const (
	signEndpoint  = "http://api.health.nokia.com/measure"
	signTimestamp = 1490166549
	signNonce     = "7a1f0c9d7e3a48629f1c0d4e6a8b2c5f"
)

// composed is the address that a team composes of the library's pieces. The
// parameters are those of the request and of the protocol, each there once.
func composed(consumerKey, consumerSecret, token, tokenSecret string, params url.Values) (string, error) {
	all := url.Values{
		"oauth_consumer_key": {consumerKey}, "oauth_nonce": {signNonce}, "oauth_signature_method": {"HMAC-SHA1"},
		"oauth_timestamp": {fmt.Sprint(signTimestamp)}, "oauth_token": {token}, "oauth_version": {"1.0"},
	}
	for name, values := range params {
		all[name] = values
	}
	pairs := make([]string, 0, len(all))
	for name, values := range all {
		for _, v := range values {
			pairs = append(pairs, dghubble.PercentEncode(name)+"="+dghubble.PercentEncode(v))
		}
	}
	slices.Sort(pairs)
	query := strings.Join(pairs, "&")
	base := "GET&" + dghubble.PercentEncode(signEndpoint) + "&" + dghubble.PercentEncode(query)
	signature, err := (&dghubble.HMACSigner{ConsumerSecret: consumerSecret}).Sign(tokenSecret, base)
	return signEndpoint + "?" + query + "&oauth_signature=" + dghubble.PercentEncode(signature), err
}

// signing measures the address of an OAuth 1.0 request with 10 parameters, with
// a token at hand, a fixed nonce and a fixed time, on one core.
func signing(_ context.Context, b *bench) error {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	signer := oauth1.Signer{
		ConsumerKey:    "248e1d0295ce8272073d18d80f7faf9b95da99c565db4396a728a59e0f8",
		ConsumerSecret: "604e8533ab03d15974d47bf8d7201481a0e631948853066f792d7e59c0ed",
		Token:          "a78e6e8c2a3ac710a472ba3edcbd3d1b0b89343ec5d785950638ff694b5",
		TokenSecret:    "3d3545b4cec92cdae6e79807d4d8b35bdfeff24ccf9ccab7f1aeb2ef0f89",
		Nonce:          func() string { return signNonce },
		Now:            func() time.Time { return time.Unix(signTimestamp, 0) },
	}
	params := url.Values{"action": {"getmeas"}, "userid": {"1000231"}, "startdate": {"1487574000"}, "enddate": {"1490166000"}}
	ours := func() (string, error) { return signer.SignedURL("GET", signEndpoint, params) }
	anchor := func() (string, error) {
		return composed(signer.ConsumerKey, signer.ConsumerSecret, signer.Token, signer.TokenSecret, params)
	}
	const repeat = 20_000
	best := map[bool]time.Duration{}
	for range b.rounds {
		for _, library := range []bool{false, true} {
			sign := ours
			if library {
				sign = anchor
			}
			began := time.Now()
			for range repeat {
				if _, err := sign(); err != nil {
					return err
				}
			}
			if took := time.Since(began) / repeat; best[library] == 0 || took < best[library] {
				best[library] = took
			}
		}
	}
	mine, err := ours()
	if err != nil {
		return err
	}
	if theirs, err := anchor(); err != nil || mine != theirs {
		return fmt.Errorf("the addresses differ: %w", err)
	}
	const topic = "oauth1 signature"
	b.Add(Row{
		Topic: topic, Name: "an address of 10 parameters, against PercentEncode and HMACSigner.Sign", Unit: "us",
		Measured: float64(best[false].Nanoseconds()) / 1000, Anchor: float64(best[true].Nanoseconds()) / 1000, Floor: 0.6, Most: true,
	})
	b.Add(Row{Topic: topic, Name: "its allocations", Measured: allocations(ours), Floor: 12, Most: true})
	b.Add(Row{Topic: topic, Name: "allocations of the anchor", Measured: allocations(anchor)})
	b.Note(topic, "One core, token at hand, fixed nonce and time. The anchor is composed of the pieces of github.com/dghubble/oauth1; both give the same address.")
	return nil
}

// allocations is how often one call allocates.
func allocations(sign func() (string, error)) float64 {
	const calls = 1000
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range calls {
		_, _ = sign()
	}
	runtime.ReadMemStats(&after)
	return float64((after.Mallocs - before.Mallocs) / calls)
}
