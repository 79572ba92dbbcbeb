package oauth1

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	dghubble "github.com/dghubble/oauth1"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/providers"
)

// anyText draws strings of any bytes, UTF-8 or not.
func anyText(least int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		if rapid.Bool().Draw(t, "bytes") {
			return string(rapid.SliceOfN(rapid.Byte(), least, 20).Draw(t, "text"))
		}
		return rapid.StringN(least, 20, -1).Draw(t, "text")
	})
}

// anyParams draws parameters, some of them repeated, none of the protocol's.
func anyParams() *rapid.Generator[url.Values] {
	return rapid.Custom(func(t *rapid.T) url.Values {
		names := rapid.OneOf(anyText(0), rapid.SampledFrom([]string{"action", "a", "a-", "a~", "aé", "userid", "oauth_callback"}))
		params := url.Values{}
		for _, name := range rapid.SliceOfN(names, 0, 30).Draw(t, "names") {
			if !strings.HasPrefix(name, "oauth_") || name == paramCallback {
				params.Add(name, anyText(0).Draw(t, "value"))
			}
		}
		return params
	})
}

func anySigner() *rapid.Generator[Signer] {
	return rapid.Custom(func(t *rapid.T) Signer {
		nonce, at := anyText(1).Draw(t, "nonce"), rapid.Int64Range(1, 1<<40).Draw(t, "timestamp")
		return Signer{
			ConsumerKey: anyText(1).Draw(t, "key"), ConsumerSecret: anyText(1).Draw(t, "secret"),
			Token: anyText(0).Draw(t, "token"), TokenSecret: anyText(0).Draw(t, "token secret"),
			Nonce: func() string { return nonce }, Now: func() time.Time { return time.Unix(at, 0) },
		}
	})
}

var endpoints = []string{
	"http://wbsapi.withings.net/measure", "https://API.health.nokia.com:443/v2/sleep", "HTTP://127.0.0.1:80", "http://[::1]:4711/a/",
	"https://h:80/a%2fb/c%20d/é/~/;x=1,2", "https://developer.health.nokia.com/account/request_token",
}

// TestAServerAcceptsEverySignedURL: whatever is signed, a server that follows
// the RFC gets the same parameters and the same signature, the library computes
// the same from its own pieces, and another secret gives another signature.
func TestAServerAcceptsEverySignedURL(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, params := anySigner().Draw(t, "signer"), anyParams().Draw(t, "params")
		method := rapid.SampledFrom([]string{"", "GET", "post", "DELETE"}).Draw(t, "method")
		endpoint := rapid.SampledFrom(endpoints).Draw(t, "endpoint")
		before := fmt.Sprint(params)
		signed, err := s.SignedURL(method, endpoint, params)
		require.NoError(t, err)
		require.Equal(t, before, fmt.Sprint(params), "the parameters are not changed")
		if method == "" {
			method = "GET"
		}
		require.NoError(t, verify(method, signed, s.ConsumerSecret, s.TokenSecret))
		require.Error(t, verify(method, signed, s.ConsumerSecret+"x", s.TokenSecret))
		require.Error(t, verify(method+"x", signed, s.ConsumerSecret, s.TokenSecret))

		trace, err := s.Trace(method, endpoint, params)
		require.NoError(t, err)
		require.Equal(t, trace.URL, signed)
		base, err := s.BaseString(method, endpoint, params)
		require.NoError(t, err)
		require.Equal(t, trace.BaseString, base)

		u, err := url.Parse(signed)
		require.NoError(t, err)
		got, err := url.ParseQuery(u.RawQuery)
		require.NoError(t, err)
		for name := range maps.Keys(params) {
			require.ElementsMatch(t, params[name], got[name])
			require.True(t, slices.IsSortedFunc(got[name], func(a, b string) int {
				return strings.Compare(dghubble.PercentEncode(a), dghubble.PercentEncode(b))
			}))
		}
		set := 6
		if s.Token != "" {
			set++
		}
		require.Len(t, got, len(params)+set)
	})
}

// TestOrderOfParametersDoesNotMatter: neither the order of values nor whether a
// parameter is in the endpoint or beside it.
func TestOrderOfParametersDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, params := anySigner().Draw(t, "signer"), anyParams().Draw(t, "params")
		want, err := s.SignedURL("GET", "https://h/p", params)
		require.NoError(t, err)
		inQuery, beside := url.Values{}, url.Values{}
		for name, values := range params {
			for _, v := range rapid.Permutation(values).Draw(t, "values") {
				if rapid.Bool().Draw(t, "in the query") {
					inQuery.Add(name, v)
				} else {
					beside.Add(name, v)
				}
			}
		}
		got, err := s.SignedURL("GET", "https://h/p?"+inQuery.Encode()+"#fragment", beside)
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}

func TestEveryByte(t *testing.T) {
	s := benchSigner()
	for b := range 256 {
		text := string([]byte{byte(b)})
		require.Equal(t, dghubble.PercentEncode(text), encode(text))
		require.Equal(t, rfcEncode(text), encode(text))
		require.Equal(t, text, decode(encode(text)))
		signed, err := s.SignedURL("GET", "https://h/p", url.Values{"n" + text: {"v" + text}})
		require.NoError(t, err)
		require.NoError(t, verify("GET", signed, s.ConsumerSecret, s.TokenSecret))
		u, err := url.Parse(signed)
		require.NoError(t, err)
		require.Equal(t, "v"+text, u.Query().Get("n"+text))
	}
}

func TestParameters(t *testing.T) {
	s := benchSigner()
	for _, c := range []struct {
		name     string
		endpoint string
		params   url.Values
		want     string // what is not the protocol's
	}{
		{"none", "https://h/p", nil, ""},
		{"repeated, sorted by value", "https://h/p", url.Values{"a": {"9", "10", "9", ""}}, "a=&a=10&a=9&a=9"},
		{"a name without values", "https://h/p", url.Values{"a": {}, "b": nil}, ""},
		{"a longer name behind a shorter one", "https://h/p", url.Values{"a": {"2"}, "a-": {"1"}, "a b": {"3"}}, "a=2&a%20b=3&a-=1"},
		{"an empty value", "https://h/p", url.Values{"a": {""}}, "a="},
		{"an empty name", "https://h/p", url.Values{"": {"v"}}, "=v"},
		{"a plus and a space", "https://h/p?a=1+2%2B3", nil, "a=1%202%2B3"},
		{"no equals sign", "https://h/p?a&b", nil, "a=&b="},
		{"empty parts", "https://h/p?&&a=1&", nil, "a=1"},
		{"once in the query and once beside", "https://h/p?a=2", url.Values{"a": {"1"}}, "a=1&a=2"},
		{"unicode", "https://h/p?é=ü", url.Values{"名": {"健"}}, "%C3%A9=%C3%BC&%E5%90%8D=%E5%81%A5"},
		{"not UTF-8", "https://h/p?a=%ff", nil, "a=%FF"},
		{"escapes in lower case", "https://h/p?a=%c3%a9", nil, "a=%C3%A9"},
		{"the protocol's own, stale", "https://h/p?oauth_nonce=1&oauth_timestamp=2&oauth_signature=3", url.Values{"oauth_version": {"2", "3"}, "oauth_consumer_key": {"x"}, "oauth_token": {"y"}, "oauth_signature_method": {"PLAINTEXT"}}, ""},
		{"callback and verifier stay", "https://h/p", url.Values{"oauth_callback": {"oob"}, "oauth_verifier": {"v"}}, "oauth_callback=oob&oauth_verifier=v"},
	} {
		t.Run(c.name, func(t *testing.T) {
			trace, err := s.Trace("GET", c.endpoint, c.params)
			require.NoError(t, err)
			var rest []string
			for _, part := range strings.Split(trace.Normalized, "&") {
				name, _, _ := strings.Cut(part, "=")
				if !strings.HasPrefix(name, "oauth_") || name == "oauth_callback" || name == "oauth_verifier" {
					rest = append(rest, part)
				}
			}
			require.Equal(t, c.want, strings.Join(rest, "&"))
			signed, err := s.SignedURL("GET", c.endpoint, c.params)
			require.NoError(t, err)
			require.Equal(t, trace.URL, signed)
			require.NoError(t, verify("GET", signed, s.ConsumerSecret, s.TokenSecret))
		})
	}
}

func TestBaseURI(t *testing.T) {
	for endpoint, want := range map[string]string{
		"http://EXAMPLE.com/r%20v/X?id=123":    "http://example.com/r%20v/X", // RFC 5849 section 3.4.1.2
		"https://www.example.net:8080/?q=1":    "https://www.example.net:8080/",
		"HTTP://h:80":                          "http://h/",
		"http://h:443/":                        "http://h:443/",
		"https://h:443/a":                      "https://h/a",
		"https://h:80/a":                       "https://h:80/a",
		"https://h:/a":                         "https://h/a",
		"http://h:8080/a#f":                    "http://h:8080/a",
		"http://[2001:DB8::1]:80/":             "http://[2001:db8::1]/",
		"http://a_b-c.d~e/a//b/../c":           "http://a_b-c.d~e/a//b/../c",
		"http://h/é~ü":                         "http://h/%C3%A9~%C3%BC",
		"http://h/a%2Fb":                       "http://h/a%2Fb",
		"http://wbsapi.withings.net/measure?a": "http://wbsapi.withings.net/measure",
	} {
		trace, err := benchSigner().Trace("", endpoint, nil)
		require.NoError(t, err, endpoint)
		require.Equal(t, want, trace.BaseURI)
		require.Equal(t, "GET", trace.Method)
		require.True(t, strings.HasPrefix(trace.URL, want+"?"))
	}
}

// requireRefused returns the error of a refusal, which tells nothing that was
// given.
func requireRefused(t testing.TB, err error, secrets ...string) *providers.Error {
	t.Helper()
	e, ok := errors.AsType[*providers.Error](err)
	require.True(t, ok, "%v", err)
	require.ErrorIs(t, err, providers.ErrInvalid)
	require.Equal(t, "withings", e.Provider)
	require.NotEmpty(t, e.Detail)
	for _, s := range append(secrets, benchSigner().ConsumerSecret, benchSigner().TokenSecret, benchSigner().Token, "secret-in-url") {
		require.NotContains(t, err.Error(), s)
	}
	return e
}

func TestSignerRefuses(t *testing.T) {
	change := func(f func(*Signer)) Signer { s := benchSigner(); f(&s); return s }
	good := "https://h/p"
	for _, c := range []struct {
		name             string
		signer           Signer
		method, endpoint string
	}{
		{"no key", change(func(s *Signer) { s.ConsumerKey = "" }), "GET", good},
		{"no secret", change(func(s *Signer) { s.ConsumerSecret = "" }), "GET", good},
		{"zero", Signer{}, "GET", good},
		{"an empty nonce", change(func(s *Signer) { s.Nonce = func() string { return "" } }), "GET", good},
		{"the zero time", change(func(s *Signer) { s.Now = func() time.Time { return time.Time{} } }), "GET", good},
		{"a method with an ampersand", benchSigner(), "GET&", good},
		{"a method with a space", benchSigner(), "GET ", good},
		{"no endpoint", benchSigner(), "GET", ""},
		{"no scheme", benchSigner(), "GET", "h/p"},
		{"no host", benchSigner(), "GET", "https:///p"},
		{"a port only", benchSigner(), "GET", "https://:8080/p"},
		{"a default port only", benchSigner(), "GET", "https://:443/p"},
		{"another scheme", benchSigner(), "GET", "ftp://h/p"},
		{"opaque", benchSigner(), "GET", "https:h/p"},
		{"a user", benchSigner(), "GET", "https://secret-in-url:x@h/p"},
		{"a host that is not ASCII", benchSigner(), "GET", "https://hé/p"},
		{"an escaped host", benchSigner(), "GET", "https://h%c3%a9/p"},
		{"a zone", benchSigner(), "GET", "http://[fe80::1%25eth0]/p"},
		{"a bad escape", benchSigner(), "GET", "https://h/p?secret-in-url=%zz"},
		{"a bad escape in the path", benchSigner(), "GET", "https://h/secret-in-url%zz"},
		{"a semicolon", benchSigner(), "GET", "https://h/p?secret-in-url;b"},
		{"a control character", benchSigner(), "GET", "https://h/secret-in-url\x00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			signed, err := c.signer.SignedURL(c.method, c.endpoint, nil)
			requireRefused(t, err)
			require.Empty(t, signed)
			base, err := c.signer.BaseString(c.method, c.endpoint, nil)
			requireRefused(t, err)
			require.Empty(t, base)
			trace, err := c.signer.Trace(c.method, c.endpoint, nil)
			requireRefused(t, err)
			require.Zero(t, trace)
		})
	}
}

// TestNoncesDoNotRepeat prepares what is signed, from several goroutines, with the
// nonces that a Signer has by itself.
func TestNoncesDoNotRepeat(t *testing.T) {
	total := proof.N(200_000, 1_000_000)
	proof.Row(t, "R18", proof.Counts{"nonces": total})
	s := benchSigner()
	s.Nonce, s.Now = nil, nil
	const workers = 4
	parts := make([][]string, workers)
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			nonces := make([]string, 0, total/workers)
			for range total / workers {
				r, err := s.request(nil, "GET", benchEndpoint, nil)
				if err != nil {
					t.Error(err)
					return
				}
				for _, p := range r.pairs {
					if p.name == paramNonce {
						nonces = append(nonces, p.value)
					}
				}
			}
			parts[w] = nonces
		})
	}
	group.Wait()
	seen := make(map[string]struct{}, total)
	for _, nonce := range slices.Concat(parts...) {
		if len(nonce) != 64 {
			t.Fatalf("nonce %q", nonce)
		}
		seen[nonce] = struct{}{}
	}
	if len(seen) != total { // not require.Len, which would print them all
		t.Fatalf("%d nonces in %d", len(seen), total)
	}
}

// TestSignerIsSafeForConcurrentUse has the race detector look at one Signer that
// many goroutines use, with parameters that they share.
func TestSignerIsSafeForConcurrentUse(t *testing.T) {
	s, params := benchSigner(), benchParams()
	want, err := s.SignedURL("GET", benchEndpoint, params)
	require.NoError(t, err)
	base, err := s.BaseString("GET", benchEndpoint, params)
	require.NoError(t, err)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 100 {
				got, err := s.SignedURL("GET", benchEndpoint, params)
				gotBase, errBase := s.BaseString("GET", benchEndpoint, params)
				trace, errTrace := s.Trace("GET", benchEndpoint, params)
				req := &http.Request{Method: "GET", Header: http.Header{}, URL: &url.URL{
					Scheme: "http", Host: "api.health.nokia.com", Path: "/measure", RawQuery: params.Encode(),
				}}
				errSign := s.Sign(req)
				if err = errors.Join(err, errBase, errTrace, errSign); err != nil || got != want || gotBase != base || trace.URL != want || req.URL.String() != want {
					t.Errorf("%v: %s", err, got)
					return
				}
			}
		})
	}
	group.Wait()
}

func TestTimestampIsNow(t *testing.T) {
	s := benchSigner()
	s.Now = nil
	trace, err := s.Trace("GET", benchEndpoint, nil)
	require.NoError(t, err)
	at, ok := param(trace, "oauth_timestamp")
	require.True(t, ok)
	var seconds int64
	_, err = fmt.Sscan(at, &seconds)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), time.Unix(seconds, 0), time.Minute)
}

func param(t Trace, name string) (string, bool) {
	for _, p := range t.Parameters {
		if p.Name == name {
			return p.Value, true
		}
	}
	return "", false
}

func TestSignerPrintsNothing(t *testing.T) {
	s := benchSigner()
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "signer", s, "nested", []Signer{s}, "pointer", &s)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "signer", s, "nested", struct{ S Signer }{s})
	doc, err := json.Marshal(map[string]any{"s": s, "p": &s})
	require.NoError(t, err)
	printed := []string{log.String(), string(doc)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, v := range []any{s, &s, []Signer{s}, map[string]Signer{"s": s}, &Transport{Signer: &s}, Transport{Signer: &s}, http.Client{Transport: &Transport{Signer: &s}}} {
			printed = append(printed, fmt.Sprintf(verb, v))
		}
	}
	for _, text := range printed {
		for _, secret := range []string{s.ConsumerSecret, s.TokenSecret, s.Token, s.ConsumerKey} {
			require.NotContains(t, text, secret)
			require.NotContains(t, text, fmt.Sprintf("%x", secret))
		}
	}
}

func TestTraceHidesTheSecrets(t *testing.T) {
	for _, tokenSecret := range []string{"", benchSigner().TokenSecret} {
		s := benchSigner()
		s.TokenSecret = tokenSecret
		trace, err := s.Trace("GET", benchEndpoint, benchParams())
		require.NoError(t, err)
		want := "[redacted]&"
		if tokenSecret != "" {
			want += "[redacted]"
		}
		require.Equal(t, want, trace.Key)
		for _, verb := range []string{"%v", "%+v", "%#v"} {
			text := fmt.Sprintf(verb, trace)
			require.Contains(t, text, trace.BaseString)
			require.NotContains(t, text, s.ConsumerSecret)
			require.NotContains(t, text, benchSigner().TokenSecret)
		}
	}
}
