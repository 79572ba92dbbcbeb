package withingstest

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Transport is where a request of the OAuth 1.0 era carries its protocol parameters.
type Transport uint8

// The places of the protocol parameters. They can be combined.
const (
	InQuery  Transport = 1 << iota // in the query of the address
	InHeader                       // in the Authorization header
	// InBoth is the query and the header of one request, with equal values: some clients of the time sent both.
	InBoth

	inForm Transport = 1 << 7 // in the body, which the service never read
)

// oauthRequest is what a request of the OAuth 1.0 era says.
type oauthRequest struct {
	method string
	uris   []string // base string URIs that are right
	place  Transport
	// protocol are the oauth_ parameters that stand in one value. Whether they are all that is needed is not checked yet.
	protocol map[string]string
	// signed are the parameters that the signature covers, and repeated those that stand in query and header.
	signed, repeated []pairOf
	// broken is set where no signature can be right: something cannot be read, or a protocol parameter has two values.
	broken bool
}

// pairOf is a parameter, decoded.
type pairOf struct{ name, value string }

// protocolParam reports whether a parameter belongs to the signature. The callback and the verifier belong to the
// service's own question as much, and clients put them anywhere.
func protocolParam(name string) bool {
	return strings.HasPrefix(name, "oauth_") && name != "oauth_callback" && name != "oauth_verifier" && name != "oauth_token"
}

// readOAuth reads a request; nil if it shows nothing of OAuth 1.0. The form is read already.
func (s *Server) readOAuth(r *http.Request) *oauthRequest {
	o := &oauthRequest{method: r.Method, protocol: map[string]string{}}
	query, ok := splitQuery(r.URL.RawQuery)
	o.broken = !ok
	var header []pairOf
	if scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "OAuth") {
		header, ok = splitHeader(text)
		o.broken = o.broken || !ok
		o.place = InHeader
	}
	if slices.ContainsFunc(query, func(p pairOf) bool { return protocolParam(p.name) }) {
		o.place |= InQuery
	}
	if r.PostForm.Has("oauth_signature") {
		o.place = inForm
	}
	switch o.place {
	case 0:
		return nil
	case InQuery | InHeader:
		o.place = InBoth
	}
	inQuery := map[string]bool{}
	for _, p := range query {
		o.take(p)
		o.broken = o.broken || inQuery[p.name] && protocolParam(p.name)
		inQuery[p.name] = true
		if p.name != "oauth_signature" {
			o.signed = append(o.signed, p)
		}
	}
	for _, p := range header {
		o.take(p)
		switch {
		case p.name == "oauth_signature":
		case inQuery[p.name]:
			o.repeated = append(o.repeated, p)
		default:
			o.signed = append(o.signed, p)
		}
	}
	// Section 3.4.1.3.1: a form is signed too. A form that does not say so is none.
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == formType {
		for name, values := range r.PostForm {
			for _, v := range values {
				o.take(pairOf{name, v})
				o.signed = append(o.signed, pairOf{name, v})
			}
		}
	}
	o.uris = s.baseURIs(r)
	return o
}

// formType is the media type of a form.
const formType = "application/x-www-form-urlencoded"

// take notes a parameter of the protocol.
func (o *oauthRequest) take(p pairOf) {
	if !strings.HasPrefix(p.name, "oauth_") {
		return
	}
	if old, ok := o.protocol[p.name]; ok && old != p.value {
		o.broken = true
	}
	o.protocol[p.name] = p.value
}

// splitQuery takes a query apart; false if it has an escape that cannot be read.
func splitQuery(text string) (pairs []pairOf, ok bool) {
	ok = true
	for part := range strings.SplitSeq(text, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		n, err1 := url.QueryUnescape(name)
		v, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil {
			ok = false
			continue
		}
		pairs = append(pairs, pairOf{n, v})
	}
	return pairs, ok
}

// splitHeader takes the parameters of an Authorization header apart, as section 3.5.1 writes them.
func splitHeader(text string) (pairs []pairOf, ok bool) {
	for part := range strings.SplitSeq(text, ",") {
		name, value, found := strings.Cut(strings.TrimSpace(part), "=")
		if len(value) < 2 || value[0] != '"' || value[len(value)-1] != '"' || !found {
			return pairs, false
		}
		n, err1 := url.PathUnescape(name)
		v, err2 := url.PathUnescape(value[1 : len(value)-1])
		if err1 != nil || err2 != nil {
			return pairs, false
		}
		if n != "realm" {
			pairs = append(pairs, pairOf{n, v})
		}
	}
	return pairs, true
}

// baseURIs returns the address of a request as its sender signs it: the configured public one, or what the Host header,
// X-Forwarded-Proto and the connection tell.
func (s *Server) baseURIs(r *http.Request) []string {
	scheme, host, path := "http", r.Host, r.URL.EscapedPath()
	forwarded, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",")
	switch {
	case s.publicURL != nil:
		scheme, host, path = s.publicURL.Scheme, s.publicURL.Host, strings.TrimSuffix(s.publicURL.EscapedPath(), "/")+path
	case forwarded != "":
		scheme = strings.ToLower(strings.TrimSpace(forwarded))
	case r.TLS != nil:
		scheme = "https"
	case r.URL.Scheme != "": // a request that no network carried
		scheme = strings.ToLower(r.URL.Scheme)
	}
	if u, err := url.ParseRequestURI(r.RequestURI); s.publicURL == nil && err == nil {
		path = u.EscapedPath() // with the prefix that http.StripPrefix took off
	}
	uris := []string{baseURI(scheme, host, path)}
	if s.cfg.Legacy.AnyScheme {
		uris = append(uris, baseURI(map[string]string{"http": "https", "https": "http"}[scheme], host, path))
	}
	return uris
}

func baseURI(scheme, host, path string) string {
	host = strings.ToLower(host)
	switch scheme {
	case "http":
		host = strings.TrimSuffix(host, ":80")
	case "https":
		host = strings.TrimSuffix(host, ":443")
	}
	if path == "" {
		path = "/"
	}
	return scheme + "://" + host + path
}

// percentEncode is section 3.6.
func percentEncode(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_', c == '~':
			b.WriteByte(c)
		default:
			const digits = "0123456789ABCDEF"
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return b.String()
}

// signedBy reports whether the signature was made with the secrets.
func (o *oauthRequest) signedBy(consumerSecret, tokenSecret string) bool {
	key := percentEncode(consumerSecret) + "&" + percentEncode(tokenSecret)
	given := []byte(o.protocol["oauth_signature"])
	if o.protocol["oauth_signature_method"] == "PLAINTEXT" {
		return hmac.Equal(given, []byte(key))
	}
	for _, uri := range o.uris {
		if hmac.Equal(given, o.signature(uri, key, o.signed)) {
			return true
		}
		// What stands in two places counts once for most, and twice to the letter.
		if o.repeated != nil && hmac.Equal(given, o.signature(uri, key, slices.Concat(o.signed, o.repeated))) {
			return true
		}
	}
	return false
}

func (o *oauthRequest) signature(uri, key string, params []pairOf) []byte {
	pairs := make([]pairOf, 0, len(params))
	for _, p := range params {
		pairs = append(pairs, pairOf{percentEncode(p.name), percentEncode(p.value)})
	}
	slices.SortFunc(pairs, func(a, b pairOf) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return strings.Compare(a.value, b.value)
	})
	parts := make([]string, 0, len(pairs))
	for _, p := range pairs {
		parts = append(parts, p.name+"="+p.value)
	}
	mac := hmac.New(sha1.New, []byte(key))
	mac.Write([]byte(o.method + "&" + percentEncode(uri) + "&" + percentEncode(strings.Join(parts, "&"))))
	return base64.StdEncoding.AppendEncode(nil, mac.Sum(nil))
}

// usedNonce is a nonce with whom it was used by.
type usedNonce struct{ key, token, nonce string }

// checkOAuth applies the rules for signatures. The secrets are tried in turn.
func (s *Server) checkOAuth(o *oauthRequest, allowed Transport, now time.Time, tokenSecrets ...string) *refusal {
	refused := refuse(StatusSignature, "The signature (using Oauth) is invalid")
	if o == nil || o.broken || o.place&allowed == 0 || o.protocol["oauth_consumer_key"] != s.cfg.Legacy.ConsumerKey {
		return refused
	}
	if v, ok := o.protocol["oauth_version"]; ok && v != "1.0" {
		return refused
	}
	switch o.protocol["oauth_signature_method"] {
	case "HMAC-SHA1", "PLAINTEXT":
	default:
		return refused
	}
	at, err := strconv.ParseInt(o.protocol["oauth_timestamp"], 10, 64)
	if err != nil || at <= 0 || o.protocol["oauth_nonce"] == "" {
		return refused
	}
	if window := s.cfg.Legacy.TimestampWindow; window >= 0 && now.Sub(time.Unix(at, 0)).Abs() > window {
		return refused
	}
	if !slices.ContainsFunc(tokenSecrets, func(secret string) bool {
		return o.signedBy(s.cfg.Legacy.ConsumerSecret, secret)
	}) {
		return refused
	}
	return nil
}

// spendNonce notes the nonce of a request that is signed well; it refuses one that was there before.
func (s *Server) spendNonce(o *oauthRequest, now time.Time) *refusal {
	if s.cfg.Legacy.ReuseNonces {
		return nil
	}
	n := usedNonce{o.protocol["oauth_consumer_key"], o.protocol["oauth_token"], o.protocol["oauth_nonce"]}
	if until, ok := s.legacy.nonces[n]; ok && now.Before(until) {
		return refuse(StatusSignature, "The signature (using Oauth) is invalid")
	}
	if len(s.legacy.nonces) >= 4096 {
		for k, until := range s.legacy.nonces {
			if !now.Before(until) {
				delete(s.legacy.nonces, k)
			}
		}
	}
	keep := 2 * s.cfg.Legacy.TimestampWindow
	if keep < 0 {
		keep = 24 * time.Hour
	}
	s.legacy.nonces[n] = now.Add(keep + time.Second)
	return nil
}
