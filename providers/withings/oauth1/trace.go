package oauth1

import (
	"fmt"
	"net/url"
	"strings"

	dghubble "github.com/dghubble/oauth1"
)

// Parameter is one signed parameter, decoded.
type Parameter struct{ Name, Value string }

// Trace shows how one signature came about, step by step. The two secrets are not
// in it. The token is, and so is a signature that the service takes once: show a
// Trace to whoever debugs, and do not log it.
type Trace struct {
	// Method is the HTTP method, and BaseURI the address without its query.
	Method, BaseURI string
	// Parameters are all that is signed, in the order in which it is.
	Parameters []Parameter
	// Normalized is Parameters, encoded once, as in the URL.
	Normalized string
	// BaseString is what is signed.
	BaseString string
	// Key is the form of the key: "[redacted]&[redacted]", and "[redacted]&"
	// where there is no token secret.
	Key string
	// Signature is in base64, not percent-encoded.
	Signature string
	// URL is the signed address.
	URL string
}

// Trace signs like [Signer.SignedURL] and returns all steps. It composes them
// plainly from PercentEncode and HMACSigner of the library, and so is also a
// second way to the same result.
func (s Signer) Trace(method, endpoint string, params url.Values) (Trace, error) {
	r, err := s.request(nil, method, endpoint, params)
	if err != nil {
		return Trace{}, err
	}
	return s.trace(r), nil
}

func (s Signer) trace(r request) Trace {
	t := Trace{Method: r.method, BaseURI: r.at.scheme + "://" + r.at.host + r.at.path, Key: masked + "&"}
	if s.TokenSecret != "" {
		t.Key += masked
	}
	var pairs []string
	for _, p := range r.pairs {
		d := Parameter{decode(p.name), decode(p.value)}
		t.Parameters = append(t.Parameters, d)
		pairs = append(pairs, dghubble.PercentEncode(d.Name)+"="+dghubble.PercentEncode(d.Value))
	}
	t.Normalized = strings.Join(pairs, "&")
	t.BaseString = t.Method + "&" + dghubble.PercentEncode(t.BaseURI) + "&" + dghubble.PercentEncode(t.Normalized)
	// The library returns no error for this kind of signature.
	t.Signature, _ = (&dghubble.HMACSigner{ConsumerSecret: s.ConsumerSecret}).Sign(s.TokenSecret, t.BaseString)
	t.URL = t.BaseURI + "?" + t.Normalized + signaturePrefix + dghubble.PercentEncode(t.Signature)
	return t
}

const masked = "[redacted]"

// decode reverses encode.
func decode(s string) string {
	// What encode wrote can be read.
	text, _ := url.PathUnescape(s)
	return text
}

// String returns the steps, one to a line.
func (t Trace) String() string {
	var b strings.Builder
	line := func(name, value string) { fmt.Fprintf(&b, "%-12s %s\n", name, value) }
	line("method", t.Method)
	line("base URI", t.BaseURI)
	for i, p := range t.Parameters {
		name := ""
		if i == 0 {
			name = "parameters"
		}
		// Quoted, so that spaces show and control characters do nothing.
		line(name, fmt.Sprintf("%q = %q", p.Name, p.Value))
	}
	line("normalized", t.Normalized)
	line("base string", t.BaseString)
	line("key", t.Key)
	line("signature", t.Signature)
	line("URL", t.URL)
	return b.String()
}
