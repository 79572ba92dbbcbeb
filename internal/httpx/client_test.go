package httpx

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/providers"
)

func TestNewRefuses(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no provider":    {BaseURL: "https://api.example.com"},
		"no base":        {Provider: "acme"},
		"http":           {Provider: "acme", BaseURL: "http://api.example.com"},
		"userinfo":       {Provider: "acme", BaseURL: "https://user:hunter2@api.example.com"},
		"query":          {Provider: "acme", BaseURL: "https://api.example.com/?key=hunter2"},
		"fragment":       {Provider: "acme", BaseURL: "https://api.example.com/#hunter2"},
		"no host":        {Provider: "acme", BaseURL: "https:///x"},
		"opaque":         {Provider: "acme", BaseURL: "https:api.example.com"},
		"other scheme":   {Provider: "acme", BaseURL: "ftp://localhost/"},
		"looks loopback": {Provider: "acme", BaseURL: "http://127.0.0.1.evil.io"},
		"control":        {Provider: "acme", BaseURL: "https://api.example.com/\x00hunter2"},
		"dot segments":   {Provider: "acme", BaseURL: "https://api.example.com/a/../b"},
		"limit":          {Provider: "acme", BaseURL: "https://api.example.com", Limits: []providers.RateLimit{{Requests: 1}}},
		"limit scope":    {Provider: "acme", BaseURL: "https://api.example.com", Limits: []providers.RateLimit{{Requests: 1, Per: 1, Scope: 9}}},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := New(cfg)
			require.ErrorIs(t, err, providers.ErrInvalid)
			require.NotContains(t, err.Error(), "hunter2")
			require.Nil(t, c)
		})
	}
	for _, base := range []string{
		"https://api.example.com", "https://api.example.com/v1/", "http://localhost:8080", "http://127.0.0.1:1/x", "http://[::1]:8080",
	} {
		_, err := New(Config{Provider: "acme", BaseURL: base})
		require.NoError(t, err, base)
	}
}

func TestSendBuildsTheRequest(t *testing.T) {
	var got *http.Request
	var body string
	c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got, body = r, string(b)
		w.Header().Set("Date", "Sun, 01 Mar 2026 12:00:00 GMT")
		w.Header().Set("X-Request-Id", "req-1")
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "short and stout")
	}, nil)

	resp, err := c.Send(t.Context(), Request{
		Op: "fetch", Path: "user/a%20b/x", Query: url.Values{"q": {"1 2"}},
		Header: http.Header{"x-lang": {"en"}}, Authorize: bearer("tok-1"),
	})
	require.NoError(t, err)
	require.Equal(t, http.MethodGet, got.Method)
	require.Equal(t, "/1/user/a%20b/x?q=1+2", got.RequestURI)
	require.Equal(t, "en", got.Header.Get("X-Lang"))
	require.Equal(t, "Bearer tok-1", got.Header.Get("Authorization"))
	require.Equal(t, "vitalmux", got.Header.Get("User-Agent"))
	require.Equal(t, "gzip", got.Header.Get("Accept-Encoding"))
	require.Equal(t, http.StatusTeapot, resp.Status)
	require.Equal(t, "short and stout", string(resp.Body))
	require.Equal(t, time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), resp.Date)
	require.Equal(t, "req-1", resp.RequestID)

	_, err = c.Send(t.Context(), Request{Op: "fetch", Form: url.Values{"action": {"getmeas"}}})
	require.NoError(t, err)
	require.Equal(t, http.MethodPost, got.Method)
	require.Equal(t, "/1/", got.URL.Path)
	require.Equal(t, "application/x-www-form-urlencoded", got.Header.Get("Content-Type"))
	require.Equal(t, "action=getmeas", body)

	_, err = c.Send(t.Context(), Request{Op: "put", Method: http.MethodPut, Body: []byte("{}"), ContentType: "application/json"})
	require.NoError(t, err)
	require.Equal(t, http.MethodPut, got.Method)
	require.Equal(t, "application/json", got.Header.Get("Content-Type"))
	require.Equal(t, "{}", body)

	next, err := c.NextLink("", "/1/x?cursor=%41")
	require.NoError(t, err)
	_, err = c.Send(t.Context(), Request{Op: "fetch", URL: next})
	require.NoError(t, err)
	require.Equal(t, "/1/x?cursor=%41", got.RequestURI)
}

func TestSendRefusesRequestsThatLeaveTheService(t *testing.T) {
	c := newTestClient(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") }, nil)
	elsewhere, err := url.Parse("https://evil.io/1/x")
	require.NoError(t, err)
	for name, r := range map[string]Request{
		"path":   {Path: "../oauth2/revoke"},
		"url":    {URL: elsewhere},
		"method": {Method: "GE T"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.Send(t.Context(), r)
			e := asProviderError(t, err)
			require.ErrorIs(t, e, providers.ErrInvalid)
			require.False(t, e.Ambiguous)
		})
	}
}

func bearer(token string) func(*http.Request) error {
	return func(r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+token)
		return nil
	}
}

// TestRedirectsAreRefused sends secrets in the body and in the header to a
// service that redirects to another one, over real connections.
func TestRedirectsAreRefused(t *testing.T) { // T32, T33
	var reached atomic.Int64
	sink := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer sink.Close()
	for _, status := range []int{300, 301, 302, 303, 304, 305, 307, 308} {
		service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/moved" {
				reached.Add(1)
			}
			w.Header().Set("Location", sink.URL)
			if r.URL.Query().Has("same") {
				w.Header().Set("Location", "/moved")
			}
			w.WriteHeader(status)
		}))
		for _, transport := range []http.RoundTripper{nil, http.DefaultTransport} {
			c, err := New(Config{Provider: "acme", BaseURL: service.URL, Transport: transport})
			require.NoError(t, err)
			for _, query := range []url.Values{nil, {"same": {"1"}}} {
				_, err = c.Send(t.Context(), Request{
					Op: "refresh", Form: url.Values{"refresh_token": {"rt-canary"}}, Query: query, Authorize: bearer("at-canary"),
				})
				e := asProviderError(t, err)
				require.ErrorIs(t, e, providers.ErrMalformed)
				require.Equal(t, CodeRedirect, e.Code)
				require.Equal(t, status, e.Status)
				require.NotContains(t, e.Error(), "canary")
			}
			closeIdle(c)
		}
		service.Close()
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	require.Zero(t, reached.Load())
}

// closeIdle closes the connections of a client's own transport.
func closeIdle(c *Client) {
	own := c.chain.(limitLayer).next.(observeLayer).next.(authLayer).next
	if t, ok := own.(*http.Transport); ok {
		t.CloseIdleConnections()
	}
}

// rawServer answers each connection with what answer writes after the request
// was read, and returns its base URL.
func rawServer(t *testing.T, answer func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			req, err := http.ReadRequest(bufio.NewReader(conn))
			if err == nil {
				_, _ = io.Copy(io.Discard, req.Body)
				answer(conn)
			}
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return "http://" + l.Addr().String()
}

func TestNetworkFailures(t *testing.T) {
	write := func(text string) func(net.Conn) {
		return func(c net.Conn) { _, _ = io.WriteString(c, text) }
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	for _, c := range []struct {
		name      string
		base      string
		kind      error
		code      string
		ambiguous bool
	}{
		{"nobody listens", "http://" + closed.Addr().String(), providers.ErrUnavailable, CodeTransport, false},
		{"no answer", rawServer(t, write("")), providers.ErrUnavailable, CodeTransport, true},
		{"not HTTP", rawServer(t, write("canary\r\n\r\n")), providers.ErrUnavailable, CodeTransport, true},
		{"odd header", rawServer(t, write("HTTP/1.1 200 OK\r\ncanary\r\n\r\n")), providers.ErrUnavailable, CodeTransport, true},
		{"half a header", rawServer(t, write("HTTP/1.1 200 OK\r\nX-")), providers.ErrUnavailable, CodeTransport, true},
		{"short body", rawServer(t, write("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\ncanary")), providers.ErrUnavailable, CodeTruncated, true},
		{"short chunk", rawServer(t, write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\ncanary")), providers.ErrUnavailable, CodeTruncated, true},
		{"header over the limit", rawServer(t, write("HTTP/1.1 200 OK\r\nX-A: "+strings.Repeat("a", 70<<10)+"\r\n\r\n")), providers.ErrMalformed, CodeHeaderTooLarge, true},
		{"header far over the limit", rawServer(t, write("HTTP/1.1 200 OK\r\nX-A: "+strings.Repeat("a", 1<<20)+"\r\n\r\n")), providers.ErrUnavailable, CodeTransport, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, err := New(Config{Provider: "acme", BaseURL: c.base})
			require.NoError(t, err)
			defer closeIdle(client)
			_, err = client.Send(t.Context(), Request{Op: "fetch", Query: url.Values{"key": {"canary"}}, Authorize: bearer("canary")})
			e := asProviderError(t, err)
			require.ErrorIs(t, e, c.kind)
			require.Equal(t, c.code, e.Code)
			require.Equal(t, c.ambiguous, e.Ambiguous)
			require.NotContains(t, e.Error(), "canary")
		})
	}
}

func TestCertificatesAreChecked(t *testing.T) { // T40
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	server.StartTLS()
	defer server.Close()
	client, err := New(Config{Provider: "acme", BaseURL: server.URL})
	require.NoError(t, err)
	defer closeIdle(client)
	_, err = client.Send(t.Context(), Request{Op: "refresh", Form: url.Values{"refresh_token": {"canary"}}})
	e := asProviderError(t, err)
	require.ErrorIs(t, e, providers.ErrUnavailable)
	require.False(t, e.Ambiguous)
	require.Contains(t, e.Error(), "certificate refused")
}

func TestOwnTransportDialsPublicAddressesOnly(t *testing.T) {
	transport := newTransport(true)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	require.NoError(t, err)
	_, err = transport.RoundTrip(req)
	require.ErrorContains(t, err, "not public")

	c, err := New(Config{Provider: "acme", BaseURL: "https://192.168.1.7"})
	require.NoError(t, err)
	_, err = c.Send(t.Context(), Request{Op: "fetch"})
	e := asProviderError(t, err)
	require.ErrorIs(t, e, providers.ErrUnavailable)
	require.False(t, e.Ambiguous)
	require.Contains(t, e.Error(), "not public")
}

func TestNothingSecretIsObserved(t *testing.T) {
	var log bytes.Buffer
	var events []Event
	answers := []func(w http.ResponseWriter){
		func(w http.ResponseWriter) { _, _ = io.WriteString(w, "canary") },
		nil,
		func(w http.ResponseWriter) {
			w.Header().Set("Location", "https://canary.io/canary")
			w.WriteHeader(307)
		},
	}
	n := 0
	c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) { answers[n-1](w) }, func(cfg *Config) {
		served := cfg.Transport
		cfg.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
			if n++; answers[n-1] == nil {
				return nil, errors.New("malformed answer: canary")
			}
			return served.RoundTrip(r)
		})
		cfg.Logger = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		cfg.Observe = func(e Event) { events = append(events, e) }
	})
	for range answers {
		_, err := c.Send(t.Context(), Request{
			Op: "fetch", Path: "canary", Query: url.Values{"key": {"canary"}}, Form: url.Values{"secret": {"canary"}}, Authorize: bearer("canary"),
		})
		if err != nil {
			require.NotContains(t, err.Error(), "canary")
		}
	}
	require.Len(t, events, 3)
	require.Equal(t, 200, events[0].Status)
	require.NoError(t, events[0].Err)
	require.Error(t, events[1].Err)
	require.NotContains(t, events[1].Err.Error(), "canary")
	require.Equal(t, Event{Provider: "acme", Op: "fetch", Method: "POST", Attempt: 1, Status: 307, Duration: events[2].Duration}, events[2])
	require.Equal(t, 3, strings.Count(log.String(), `"msg":"request"`))
	require.NotContains(t, log.String(), "canary")
}

func TestAuthorizeFails(t *testing.T) {
	body := &closeRecorder{Reader: strings.NewReader("x")}
	c := newTestClient(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") }, nil)
	_, err := c.Send(t.Context(), Request{Op: "fetch", Authorize: func(*http.Request) error { return errors.New("key is canary") }})
	e := asProviderError(t, err)
	require.ErrorIs(t, e, providers.ErrInvalid)
	require.Equal(t, CodeAuthorize, e.Code)
	require.False(t, e.Ambiguous)
	require.NotContains(t, e.Error(), "canary")

	_, err = c.Send(t.Context(), Request{Op: "fetch", Authorize: func(*http.Request) error {
		return &providers.Error{Kind: providers.ErrReauth}
	}})
	require.ErrorIs(t, asProviderError(t, err), providers.ErrReauth)

	// The manners of a RoundTripper: the body is closed, the request untouched.
	f := &flight{authorize: func(r *http.Request) error { r.Header.Set("X", "1"); return errors.New("no") }}
	req, err := http.NewRequestWithContext(f.attach(t.Context()), http.MethodPost, testBase, body)
	require.NoError(t, err)
	_, err = c.chain.RoundTrip(req)
	require.Error(t, err)
	require.True(t, body.closed)
	require.Empty(t, req.Header)
}

type closeRecorder struct {
	io.Reader
	closed bool
}

func (c *closeRecorder) Close() error { c.closed = true; return nil }

func TestLayersCloseBodiesAndLeaveTheRequest(t *testing.T) {
	body := &closeRecorder{Reader: strings.NewReader("x")}
	c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.Header.Get("X") != "1" {
			t.Error("not authorized")
		}
	}, nil)
	f := &flight{authorize: func(r *http.Request) error { r.Header.Set("X", "1"); return nil }}
	req, err := http.NewRequestWithContext(f.attach(t.Context()), http.MethodPost, testBase, body)
	require.NoError(t, err)
	resp, err := c.chain.RoundTrip(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.True(t, body.closed)
	require.Empty(t, req.Header)

	// Refused by the rate limit.
	body.closed = false
	c.Hold("", providers.LimitPerApp, time.Now().Add(time.Minute))
	req, err = http.NewRequestWithContext(f.attach(t.Context()), http.MethodPost, testBase, body)
	require.NoError(t, err)
	_, err = c.chain.RoundTrip(req)
	require.ErrorIs(t, err, providers.ErrRateLimited)
	require.True(t, body.closed)
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestAnswerBodiesAreClosed(t *testing.T) {
	for name, change := range map[string]func(*http.Response){
		"whole":         func(*http.Response) {},
		"redirect":      func(r *http.Response) { r.StatusCode = 302 },
		"large header":  func(r *http.Response) { r.Header.Set("X", strings.Repeat("x", 65<<10)) },
		"odd encoding":  func(r *http.Response) { r.Header.Set("Content-Encoding", "br") },
		"told too long": func(r *http.Response) { r.ContentLength = 1 << 40 },
	} {
		t.Run(name, func(t *testing.T) {
			body := &closeRecorder{Reader: strings.NewReader("{}")}
			c, err := New(Config{Provider: "acme", BaseURL: testBase, Transport: roundTripper(func(*http.Request) (*http.Response, error) {
				r := &http.Response{StatusCode: 200, Header: http.Header{}, Body: body, ContentLength: -1}
				change(r)
				return r, nil
			})})
			require.NoError(t, err)
			_, err = c.Send(t.Context(), Request{Op: "fetch"})
			require.Equal(t, name == "whole", err == nil, "%v", err)
			require.True(t, body.closed)
		})
	}
}

func TestTransportWithoutAnswer(t *testing.T) {
	c, err := New(Config{Provider: "acme", BaseURL: testBase, Transport: roundTripper(func(*http.Request) (*http.Response, error) {
		return nil, nil
	})})
	require.NoError(t, err)
	_, err = c.Send(t.Context(), Request{Op: "fetch"})
	e := asProviderError(t, err)
	require.ErrorIs(t, e, providers.ErrUnavailable)
	require.True(t, e.Ambiguous)
}

func TestStatusError(t *testing.T) {
	c := newTestClient(t, nil, nil)
	for status, kind := range map[int]error{
		400: providers.ErrInvalid, 401: providers.ErrReauth, 403: providers.ErrForbidden, 404: providers.ErrNotFound,
		408: providers.ErrUnavailable, 410: providers.ErrInvalid, 425: providers.ErrUnavailable, 429: providers.ErrRateLimited,
		500: providers.ErrUnavailable, 502: providers.ErrUnavailable, 503: providers.ErrUnavailable, 599: providers.ErrUnavailable,
	} {
		e := c.StatusError("fetch", &Response{Status: status, Header: http.Header{"Retry-After": {"60"}}, RequestID: "r"})
		require.ErrorIs(t, e, kind, status)
		require.Equal(t, status, e.Status)
		require.Equal(t, "r", e.RequestID)
		require.Equal(t, status == 401, e.ExpiredAccess)
		require.Equal(t, providers.Retryable(e), !e.RetryAt.IsZero())
	}
	require.Nil(t, c.StatusError("fetch", &Response{Status: 204}))
	e := c.Malformed("fetch", "no_body", &Response{Status: 200})
	require.Equal(t, "acme: fetch: malformed answer: http 200: code no_body", e.Error())
}

func TestCanceledByTheCaller(t *testing.T) {
	c := newTestClient(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.Send(ctx, Request{Op: "fetch"})
	e := asProviderError(t, err)
	require.Equal(t, CodeCanceled, e.Code)
	require.ErrorIs(t, err, context.Canceled)

	// A transport that has words of its own for it.
	c, err = New(Config{Provider: "acme", BaseURL: testBase, Transport: roundTripper(func(*http.Request) (*http.Response, error) {
		return nil, errors.New("request canceled")
	})})
	require.NoError(t, err)
	_, err = c.Send(ctx, Request{Op: "fetch"})
	require.Equal(t, CodeCanceled, asProviderError(t, err).Code)
	require.ErrorIs(t, err, context.Canceled)
}

// TestSlowBody has a service that begins an answer and never ends it.
func TestSlowBody(t *testing.T) { // X7
	base := rawServer(t, func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")
		_, _ = c.Read(make([]byte, 1)) // until the client hangs up
	})
	client, err := New(Config{Provider: "acme", BaseURL: base, AttemptTimeout: 50 * time.Millisecond})
	require.NoError(t, err)
	_, err = Call(t.Context(), client.Once(), func(ctx context.Context) (*Response, error) {
		return client.Send(ctx, Request{Op: "fetch"})
	})
	e := asProviderError(t, err)
	require.ErrorIs(t, e, providers.ErrUnavailable)
	require.Equal(t, CodeTimeout, e.Code)
	require.Equal(t, 200, e.Status)
	require.True(t, e.Ambiguous)
}
