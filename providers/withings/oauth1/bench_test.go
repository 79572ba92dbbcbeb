package oauth1

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	dghubble "github.com/dghubble/oauth1"
	"github.com/stretchr/testify/require"
)

// benchSigner has fixed credentials, nonce and time.
func benchSigner() Signer {
	return Signer{
		ConsumerKey:    "248e1d0295ce8272073d18d80f7faf9b95da99c565db4396a728a59e0f8",
		ConsumerSecret: "604e8533ab03d15974d47bf8d7201481a0e631948853066f792d7e59c0ed",
		Token:          "a78e6e8c2a3ac710a472ba3edcbd3d1b0b89343ec5d785950638ff694b5",
		TokenSecret:    "3d3545b4cec92cdae6e79807d4d8b35bdfeff24ccf9ccab7f1aeb2ef0f89",
		Nonce:          func() string { return "575084818" },
		Now:            func() time.Time { return time.Unix(1490166549, 0) },
	}
}

const benchEndpoint = "http://api.health.nokia.com/measure"

// benchParams are 10 parameters with the six of the protocol.
func benchParams() url.Values {
	return url.Values{
		"action": {"getmeas"}, "userid": {"1000231"}, "startdate": {"1487574000"}, "enddate": {"1490166000"},
	}
}

// composeByLibrary composes the same address from the library's pieces.
func composeByLibrary(s Signer, method, endpoint string, params url.Values) string {
	all := url.Values{
		paramKey: {s.ConsumerKey}, paramNonce: {s.Nonce()}, paramMethod: {"HMAC-SHA1"}, paramTimestamp: {"1490166549"},
		paramToken: {s.Token}, paramVersion: {"1.0"},
	}
	for name, values := range params {
		all[name] = values
	}
	var pairs []string
	for name, values := range all {
		for _, v := range values {
			pairs = append(pairs, dghubble.PercentEncode(name)+"="+dghubble.PercentEncode(v))
		}
	}
	slices.Sort(pairs)
	query := strings.Join(pairs, "&")
	base := method + "&" + dghubble.PercentEncode(endpoint) + "&" + dghubble.PercentEncode(query)
	signature, _ := (&dghubble.HMACSigner{ConsumerSecret: s.ConsumerSecret}).Sign(s.TokenSecret, base)
	return endpoint + "?" + query + "&oauth_signature=" + dghubble.PercentEncode(signature)
}

func TestSigningAllocatesLittle(t *testing.T) {
	s, params := benchSigner(), benchParams()
	got, err := s.SignedURL("GET", benchEndpoint, params)
	require.NoError(t, err)
	require.Equal(t, composeByLibrary(s, "GET", benchEndpoint, params), got)
	require.LessOrEqual(t, testing.AllocsPerRun(200, func() {
		if _, err := s.SignedURL("GET", benchEndpoint, params); err != nil {
			t.Error(err)
		}
	}), 12.0)
}

// TestLibrarySignerAllocates is why Signer does not use the library's: alone it is
// past the bound that a whole signed address has.
func TestLibrarySignerAllocates(t *testing.T) {
	s := benchSigner()
	base, err := s.BaseString("GET", benchEndpoint, benchParams())
	require.NoError(t, err)
	signer := &dghubble.HMACSigner{ConsumerSecret: s.ConsumerSecret}
	require.Greater(t, testing.AllocsPerRun(200, func() {
		if _, err := signer.Sign(s.TokenSecret, base); err != nil {
			t.Error(err)
		}
	}), 12.0)
}

func BenchmarkSignedURL(b *testing.B) {
	s, params := benchSigner(), benchParams()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.SignedURL("GET", benchEndpoint, params); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSignedURLByLibrary(b *testing.B) {
	s, params := benchSigner(), benchParams()
	b.ReportAllocs()
	for b.Loop() {
		composeByLibrary(s, "GET", benchEndpoint, params)
	}
}
