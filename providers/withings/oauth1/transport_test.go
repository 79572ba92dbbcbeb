package oauth1

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/httpx"
	"github.com/vitalmux/vitalmux/providers"
)

// server verifies what it gets, the way a server does: from the request line
// and the Host header.
type server struct {
	mu     sync.Mutex
	nonces map[string]int
	err    error
	bodies []string
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	secrets := benchSigner()
	err := verify(r.Method, "http://"+r.Host+r.RequestURI, secrets.ConsumerSecret, secrets.TokenSecret)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nonces[r.URL.Query().Get("oauth_nonce")]++
	s.bodies = append(s.bodies, string(body))
	switch {
	case err != nil:
		s.err = err
	case r.Header.Get("Authorization") != "":
		s.err = errors.New("an Authorization header")
	}
	if r.URL.Path == "/moved" {
		http.Redirect(w, r, "/measure?"+r.URL.RawQuery, http.StatusFound)
		return
	}
	_, _ = io.WriteString(w, `{"status":0}`)
}

func newServer(t *testing.T) (*server, string, *Transport) {
	s := &server{nonces: map[string]int{}}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	signer := benchSigner()
	signer.Nonce, signer.Now = nil, nil
	base := &http.Transport{}
	t.Cleanup(base.CloseIdleConnections)
	return s, srv.URL, &Transport{Signer: &signer, Base: base}
}

// TestTransport signs over a real connection, from several goroutines.
func TestTransport(t *testing.T) {
	s, address, transport := newServer(t)
	client := &http.Client{Transport: transport}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			target := address + "/v2/measure?action=getmeas&userid=7&comment=a+b%2Fc%20é~&x=2&x=1&empty=&i=" + fmt.Sprint(i)
			resp, err := client.Get(target)
			if err != nil {
				t.Error(err)
				return
			}
			_ = resp.Body.Close()
			if resp.Request.URL.String() != target {
				t.Errorf("the answer's request is %s", resp.Request.URL)
			}
		})
	}
	group.Wait()
	require.NoError(t, s.err)
	require.Len(t, s.nonces, 8)
	client.CloseIdleConnections()
}

// TestEachAttemptIsSignedAnew sends one request three times.
func TestEachAttemptIsSignedAnew(t *testing.T) {
	s, address, transport := newServer(t)
	at := int64(1490166549)
	transport.Signer.Now = func() time.Time { at++; return time.Unix(at, 0) }
	var traces []Trace
	transport.Trace = func(trace Trace) { traces = append(traces, trace) }
	// What an earlier attempt left in the query is replaced.
	req, err := http.NewRequest(http.MethodGet, address+"/measure?action=getmeas&userid=7&oauth_nonce=old&oauth_timestamp=1&oauth_signature=x", nil)
	require.NoError(t, err)
	before, header := req.URL.String(), req.Header.Clone()
	for range 3 {
		resp, err := transport.RoundTrip(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Same(t, req, resp.Request)
		require.Equal(t, before, req.URL.String())
		require.Equal(t, header, req.Header)
	}
	require.NoError(t, s.err)
	require.Len(t, s.nonces, 3)
	require.Len(t, traces, 3)
	for i, trace := range traces {
		nonce, _ := param(trace, paramNonce)
		require.Equal(t, 1, s.nonces[nonce], "the trace is the one of what was sent")
		timestamp, _ := param(trace, paramTimestamp)
		require.Equal(t, fmt.Sprint(1490166550+i), timestamp)
	}
}

// TestSignFitsHTTPX signs in the place that package httpx has for it.
func TestSignFitsHTTPX(t *testing.T) {
	s, address, transport := newServer(t)
	client, err := httpx.New(httpx.Config{Provider: "withings", BaseURL: address, Transport: transport.Base})
	require.NoError(t, err)
	for range 2 {
		_, err = client.Send(t.Context(), httpx.Request{
			Op: "fetch", Path: "measure", Query: url.Values{"action": {"getmeas"}, "userid": {"7"}}, Authorize: transport.Signer.Sign,
		})
		require.NoError(t, err)
	}
	require.NoError(t, s.err)
	require.Len(t, s.nonces, 2)

	_, err = client.Send(t.Context(), httpx.Request{
		Op: "fetch", Path: "measure", Query: url.Values{"action": {"getmeas"}}, Authorize: transport.Signer.Sign,
	})
	requireRefused(t, err)
	require.Len(t, s.nonces, 2, "what is refused is not sent")
}

// body counts how often it was closed.
type body struct {
	io.Reader
	closed int
}

func (b *body) Close() error { b.closed++; return nil }

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// requests that cannot be signed.
var unsignableRequests = []struct {
	name   string
	change func(*http.Request)
}{
	{"no URL", func(r *http.Request) { r.URL = nil }},
	{"no host", func(r *http.Request) { r.URL.Host, r.Host = "", "" }},
	{"another scheme", func(r *http.Request) { r.URL.Scheme = "ws" }},
	{"a user", func(r *http.Request) { r.URL.User = url.UserPassword("secret-in-url", "x") }},
	{"opaque", func(r *http.Request) { r.URL.Opaque = "//h/p" }},
	{"a relative path", func(r *http.Request) { r.URL.Path = "p" }},
	{"a Host header that is not ASCII", func(r *http.Request) { r.Host = "hé" }},
	{"a query with a bad escape", func(r *http.Request) { r.URL.RawQuery = "secret-in-url=%" }},
	{"a query with a semicolon", func(r *http.Request) { r.URL.RawQuery = "a;secret-in-url" }},
	{"a data call without a userid", func(r *http.Request) { r.URL.RawQuery = "action=getmeas" }},
	{"a data call with an empty userid", func(r *http.Request) { r.URL.RawQuery = "action=getmeas&userid=" }},
	{"an Authorization header", func(r *http.Request) { r.Header.Set("Authorization", "Bearer secret-in-url") }},
	{"a form", func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") }},
	{"a form with a charset", func(r *http.Request) {
		r.Header.Set("Content-Type", "Application/X-WWW-form-urlencoded ;charset=UTF-8")
	}},
	{"after a redirect", func(r *http.Request) { r.Response = &http.Response{} }},
	{"a bad method", func(r *http.Request) { r.Method = "G&T" }},
}

func TestTransportRefuses(t *testing.T) {
	signer := benchSigner()
	transport := &Transport{Signer: &signer, Base: roundTripper(func(*http.Request) (*http.Response, error) {
		t.Error("sent")
		return nil, errors.New("sent")
	})}
	for _, c := range unsignableRequests {
		t.Run(c.name, func(t *testing.T) {
			b := &body{Reader: strings.NewReader("x=1")}
			req, err := http.NewRequest(http.MethodPost, "http://h/measure?userid=7", b)
			require.NoError(t, err)
			req.Header.Set("Content-Type", "application/json")
			c.change(req)
			resp, err := transport.RoundTrip(req)
			require.Nil(t, resp)
			requireRefused(t, err)
			require.Equal(t, 1, b.closed)
		})
	}
	for name, incomplete := range map[string]*Transport{
		"no base": {Signer: &signer}, "no signer": {Base: http.NewFileTransport(http.Dir("."))}, "a zero signer": {Signer: &Signer{}, Base: http.NewFileTransport(http.Dir("."))},
	} {
		t.Run(name, func(t *testing.T) {
			b := &body{Reader: strings.NewReader("")}
			req, err := http.NewRequest(http.MethodPost, "http://h/", b)
			require.NoError(t, err)
			_, err = incomplete.RoundTrip(req)
			requireRefused(t, err)
			require.Equal(t, 1, b.closed)
			incomplete.CloseIdleConnections()
		})
	}
}

// TestTransportAndTheBody: a body that is no form is sent as it is and closed
// once, whatever the base does.
func TestTransportAndTheBody(t *testing.T) {
	s, address, transport := newServer(t)
	connected := transport.Base
	for name, base := range map[string]http.RoundTripper{
		"answered": connected,
		"failed": roundTripper(func(r *http.Request) (*http.Response, error) {
			require.NoError(t, r.Body.Close())
			return nil, &url.Error{Op: "Get", URL: r.URL.String(), Err: context.DeadlineExceeded}
		}),
	} {
		t.Run(name, func(t *testing.T) {
			transport.Base = base
			b := &body{Reader: strings.NewReader(`{"a":1}`)}
			req, err := http.NewRequest(http.MethodPost, address+"/measure?a=1", b)
			require.NoError(t, err)
			req.Header.Set("Content-Type", "application/json")
			resp, err := transport.RoundTrip(req)
			if name == "failed" {
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.NotContains(t, err.Error(), "oauth_")
				require.Nil(t, resp)
			} else {
				require.NoError(t, err)
				require.NoError(t, resp.Body.Close())
				require.Equal(t, []string{`{"a":1}`}, s.bodies)
				require.NoError(t, s.err)
			}
			require.Equal(t, 1, b.closed)
		})
	}
}

// TestTransportUsesTheHostHeader: the server computes its side from it.
func TestTransportUsesTheHostHeader(t *testing.T) {
	s, address, transport := newServer(t)
	req, err := http.NewRequest(http.MethodGet, address+"/measure", nil)
	require.NoError(t, err)
	req.Host = "wbsapi.withings.net"
	resp, err := transport.RoundTrip(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.NoError(t, s.err)
}

// TestTransportIsNotRedirected: the first answer names another address, with
// the signed query in it.
func TestTransportIsNotRedirected(t *testing.T) {
	s, address, transport := newServer(t)
	_, err := (&http.Client{Transport: transport}).Get(address + "/moved?a=1")
	require.ErrorIs(t, err, providers.ErrInvalid)
	require.NoError(t, s.err)
	require.Len(t, s.nonces, 1)
}
