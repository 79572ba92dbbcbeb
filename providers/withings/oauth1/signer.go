package oauth1

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	dghubble "github.com/dghubble/oauth1"

	"github.com/vitalmux/vitalmux/providers"
)

// provider is the adapter that this package is a part of.
const provider = "withings"

// The parameters of the protocol, RFC 5849 section 3.1, as far as the signer
// sets them.
const (
	paramKey       = "oauth_consumer_key"
	paramNonce     = "oauth_nonce"
	paramSignature = "oauth_signature"
	paramMethod    = "oauth_signature_method"
	paramTimestamp = "oauth_timestamp"
	paramToken     = "oauth_token"
	paramVersion   = "oauth_version"

	signatureMethod = "HMAC-SHA1"
	version         = "1.0"
)

// Signer signs requests by HMAC-SHA1 as in RFC 5849, with all parameters in the
// query. It is a value without state. It prints redacted. In a struct keep a
// *Signer: package fmt prints fields past their methods when they are not exported
// or the verb does not fit, but does not follow pointers there.
type Signer struct {
	// ConsumerKey and ConsumerSecret are the application's. Required.
	ConsumerKey, ConsumerSecret string
	// Token and TokenSecret are those of the request token or the access
	// token; empty as long as there is none.
	Token, TokenSecret string
	// Nonce returns a value that is never repeated; nil means 32 random bytes
	// in hexadecimal. It is called once per signature.
	Nonce func() string
	// Now tells the time of the timestamp; nil means time.Now.
	Now func() time.Time
}

const redacted = "oauth1.Signer[redacted]"

// Format writes no field for any verb.
func (s Signer) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue shows no field.
func (s Signer) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText shows no field; JSON and other text encodings use it.
func (s Signer) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// BaseString returns the signature base string of RFC 5849 section 3.4.1.
//
// The parameters are those of params and of the endpoint's query, decoded, and
// the protocol's own: consumer key, nonce, signature method, timestamp, version,
// and the token if there is one. What params or the query hold under these names
// is replaced, and a signature that is there is left out. Method "" is GET. Each
// call takes a new nonce; set Nonce and Now for a base string that can be
// compared.
func (s Signer) BaseString(method, endpoint string, params url.Values) (string, error) {
	var space [pairsOnStack]pair
	r, err := s.request(space[:0], method, endpoint, params)
	if err != nil {
		return "", err
	}
	c := r.compose()
	return string(c.base()), nil
}

// SignedURL returns the address to request: the base string URI, the parameters
// as they were signed, and oauth_signature as the last of them. The parameters are
// those of [Signer.BaseString].
func (s Signer) SignedURL(method, endpoint string, params url.Values) (string, error) {
	return s.signedURL(method, endpoint, params, nil)
}

func (s Signer) signedURL(method, endpoint string, params url.Values, trace func(Trace)) (string, error) {
	var space [pairsOnStack]pair
	r, err := s.request(space[:0], method, endpoint, params)
	if err != nil {
		return "", err
	}
	if trace != nil {
		trace(s.trace(r))
	}
	c := r.compose()
	var signature [signatureSpace]byte
	return string(c.address()) + signaturePrefix + string(s.signature(signature[:0], &c)), nil
}

const (
	signaturePrefix = "&" + paramSignature + "="
	// signatureSpace takes in any signature: 28 bytes, each encoded.
	signatureSpace = 3 * 28
	// pairsOnStack is how many parameters take no allocation.
	pairsOnStack = 24
)

// Sign adds the protocol's parameters and the signature to the query of req,
// anew for each call: an older nonce, timestamp or signature there is replaced.
// It changes req.URL and nothing else. On failure req is unchanged.
//
// It refuses what it cannot sign so that the service accepts it: another scheme
// than http and https, a URL with a user, a query that is not well-formed, a
// form in the body, an Authorization header, a request that follows a redirect,
// and a data call, which is one with an action, without a userid.
func (s Signer) Sign(req *http.Request) error { return s.sign(req, nil) }

func (s Signer) sign(req *http.Request, trace func(Trace)) error {
	if err := signable(req); err != nil {
		return err
	}
	at, err := targetOf(req.URL, cmp.Or(req.Host, req.URL.Host))
	if err != nil {
		return err
	}
	if at.query.Has("action") && at.query.Get("userid") == "" {
		return unsignable("a data call without a userid")
	}
	var space [pairsOnStack]pair
	r, err := s.requestTo(space[:0], req.Method, at, nil)
	if err != nil {
		return err
	}
	if trace != nil {
		trace(s.trace(r))
	}
	c := r.compose()
	var signature [signatureSpace]byte
	u := *req.URL
	u.RawQuery = string(c.parameters()) + signaturePrefix + string(s.signature(signature[:0], &c))
	req.URL = &u
	return nil
}

// signable returns why a request cannot be signed, as far as that is not a
// matter of its URL.
func signable(req *http.Request) error {
	kind, _, _ := strings.Cut(req.Header.Get("Content-Type"), ";")
	hasBody := req.Body != nil && req.Body != http.NoBody
	switch {
	case req.URL == nil:
		return unsignable("a request without a URL")
	case req.Response != nil:
		return unsignable("a request that follows a redirect")
	case req.Header.Get("Authorization") != "":
		return unsignable("a request with an Authorization header")
	case hasBody && strings.EqualFold(strings.TrimSpace(kind), "application/x-www-form-urlencoded"):
		return unsignable("a form in the body")
	}
	return nil
}

func unsignable(why string) error {
	return &providers.Error{Provider: provider, Op: "sign", Kind: providers.ErrInvalid, Code: "oauth1_sign", Detail: why}
}

// pair is a parameter, name and value percent-encoded.
type pair struct{ name, value string }

// request is what a signature is about: the base string URI in parts, and the
// parameters in the order of section 3.4.1.3.2.
type request struct {
	method string
	at     target
	pairs  []pair
}

// target is where a request goes. The query is decoded.
type target struct {
	scheme, host, path string
	query              url.Values
}

func (s Signer) request(space []pair, method, endpoint string, params url.Values) (request, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return request{}, unsignable("the endpoint is not a URL")
	}
	at, err := targetOf(u, u.Host)
	if err != nil {
		return request{}, err
	}
	return s.requestTo(space, method, at, params)
}

// requestTo collects the parameters; space is memory for them.
func (s Signer) requestTo(space []pair, method string, at target, params url.Values) (request, error) {
	if s.ConsumerKey == "" || s.ConsumerSecret == "" {
		return request{}, unsignable("no consumer key or no consumer secret")
	}
	method = strings.ToUpper(cmp.Or(method, http.MethodGet))
	for i := range len(method) {
		if !unreserved(method[i]) {
			return request{}, unsignable("not an HTTP method")
		}
	}
	nonce, now := dghubble.HexNoncer{}.Nonce, time.Now
	if s.Nonce != nil {
		nonce = s.Nonce
	}
	if s.Now != nil {
		now = s.Now
	}
	once, timestamp := nonce(), now().Unix()
	if once == "" || timestamp <= 0 {
		return request{}, unsignable("no nonce, or a time before 1970")
	}
	pairs := append(space,
		pair{paramKey, encode(s.ConsumerKey)},
		pair{paramNonce, encode(once)},
		pair{paramMethod, signatureMethod},
		pair{paramTimestamp, strconv.FormatInt(timestamp, 10)},
		pair{paramVersion, version},
	)
	if s.Token != "" {
		pairs = append(pairs, pair{paramToken, encode(s.Token)})
	}
	pairs = s.appendValues(pairs, at.query)
	pairs = s.appendValues(pairs, params)
	slices.SortFunc(pairs, comparePairs)
	return request{method: method, at: at, pairs: pairs}, nil
}

// comparePairs is the order of section 3.4.1.3.2.
func comparePairs(a, b pair) int {
	if c := strings.Compare(a.name, b.name); c != 0 {
		return c
	}
	return strings.Compare(a.value, b.value)
}

// appendValues appends what the signer does not set itself.
func (s Signer) appendValues(pairs []pair, values url.Values) []pair {
	for name, all := range values {
		switch name {
		case paramKey, paramNonce, paramSignature, paramMethod, paramTimestamp, paramVersion:
			continue
		case paramToken:
			if s.Token != "" {
				continue
			}
		}
		encoded := encode(name)
		for _, v := range all {
			pairs = append(pairs, pair{encoded, encode(v)})
		}
	}
	return pairs
}

// targetOf takes a URL apart; host is that of the Host header. It follows RFC
// 5849 section 3.4.1.2: scheme and host in lower case, no default port.
func targetOf(u *url.URL, host string) (target, error) {
	at := target{scheme: strings.ToLower(u.Scheme), host: strings.ToLower(host), path: u.EscapedPath()}
	at.host = strings.TrimSuffix(at.host, ":")
	switch at.scheme {
	case "http":
		at.host = strings.TrimSuffix(at.host, ":80")
	case "https":
		at.host = strings.TrimSuffix(at.host, ":443")
	default:
		return target{}, unsignable("a URL that is not http or https")
	}
	if !plainHost(at.host) || u.Opaque != "" || u.User != nil {
		return target{}, unsignable("a URL with a user or without a plain host")
	}
	if at.path == "" {
		at.path = "/"
	}
	if at.path[0] != '/' {
		return target{}, unsignable("a relative path")
	}
	if u.RawQuery != "" {
		var err error
		if at.query, err = url.ParseQuery(u.RawQuery); err != nil {
			return target{}, unsignable("a query that is not well-formed")
		}
	}
	return at, nil
}

// plainHost reports whether a host in lower case reaches the server as it is
// written here: net/http rewrites names that are not ASCII, and zones.
func plainHost(host string) bool {
	for i := range len(host) {
		if c := host[i]; !unreserved(c) && c != ':' && c != '[' && c != ']' {
			return false
		}
	}
	return host != "" && host[0] != ':'
}

// composed holds, one after the other, the address without its signature and
// the base string.
type composed struct {
	buf                   []byte
	query, base0, baseEnd int // where the parameters begin, and the base string begins and ends
}

func (c *composed) address() []byte    { return c.buf[:c.base0] }
func (c *composed) parameters() []byte { return c.buf[c.query:c.base0] }
func (c *composed) base() []byte       { return c.buf[c.base0:c.baseEnd] }

func (r request) compose() (c composed) {
	uri := len(r.at.scheme) + len("://") + len(r.at.host) + len(r.at.path)
	query := 0
	for _, p := range r.pairs {
		query += len(p.name) + len(p.value) + len("=&")
	}
	// Enough also for the key behind it. The encoding of what is mostly
	// unreserved adds two bytes for each delimiter and each percent sign.
	c.buf = make([]byte, 0, 2*(uri+query)+6*len(r.pairs)+256)
	c.buf = append(c.buf, r.at.scheme...)
	c.buf = append(c.buf, "://"...)
	c.buf = append(c.buf, r.at.host...)
	c.buf = append(c.buf, r.at.path...)
	uri = len(c.buf)
	separator := byte('?')
	for _, p := range r.pairs {
		c.buf = append(c.buf, separator)
		separator = '&'
		c.buf = append(c.buf, p.name...)
		c.buf = append(c.buf, '=')
		c.buf = append(c.buf, p.value...)
	}
	c.query, c.base0 = uri+1, len(c.buf)
	c.buf = append(c.buf, r.method...)
	c.buf = append(c.buf, '&')
	c.buf = appendEncoded(c.buf, c.buf[:uri])
	c.buf = append(c.buf, '&')
	c.buf = appendEncoded(c.buf, c.buf[c.query:c.base0])
	c.baseEnd = len(c.buf)
	return c
}

// signature appends the signature as it stands in the URL: base64,
// percent-encoded. The library's HMACSigner gives the same.
func (s Signer) signature(dst []byte, c *composed) []byte {
	key := appendKey(c.buf, s.ConsumerSecret, s.TokenSecret)[c.baseEnd:]
	mac := hmac.New(sha1.New, key)
	_, _ = mac.Write(c.base())
	var text [28]byte
	// The sum takes the place of the key, which is not needed any more.
	base64.StdEncoding.Encode(text[:], mac.Sum(c.buf[c.baseEnd:c.baseEnd]))
	return appendEncoded(dst, text[:])
}

// appendKey appends the key of RFC 5849 section 3.4.2.
func appendKey(dst []byte, consumerSecret, tokenSecret string) []byte {
	return appendEncoded(append(appendEncoded(dst, consumerSecret), '&'), tokenSecret)
}
