package httpx

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/providers"
)

// sink is a place that nothing must reach. It counts connections and bytes.
type sink struct {
	net.Listener
	conns, bytes atomic.Int64
}

func newSink(t *testing.T) *sink {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &sink{Listener: l}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.conns.Add(1)
			all.Go(func() {
				n, _ := io.Copy(io.Discard, conn)
				s.bytes.Add(n)
				_ = conn.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
		require.Zero(t, s.bytes.Load(), "bytes at the sink")
		require.Zero(t, s.conns.Load(), "connections to the sink")
	})
	return s
}

func (s *sink) port() string {
	_, port, _ := net.SplitHostPort(s.Addr().String())
	return port
}

// TestLinksReachNobodyElse follows each link of the catalogue, with secrets in
// the header and in the body. Every host but the service's own leads to the
// sink.
func TestLinksReachNobodyElse(t *testing.T) {
	const current = testBase + "user/ABC/sleep?page=1"
	rows := []struct {
		row, link string
		accepted  bool
	}{
		{"U1", "https://api.example.com.evil.io/1/user/ABC/x", false},
		{"U2", "https://api.example.com@evil.io/1/user/ABC/x", false},
		{"U3", "//evil.io/1/user/ABC/x", false},
		{"U4", "http://api.example.com/1/user/ABC/x", false},
		{"U5", "https://api.example.com:8443/1/user/ABC/x", false},
		{"U6", "https://169.254.169.254/1/user/ABC/", false},
		{"U7", "https://[::ffff:169.254.169.254]/1/user/ABC/", false},
		{"U8", `https://api.example.com\@evil.io/1/user/ABC/`, false},
		{"U9", "https://API.EXAMPLE.COM/1/user/ABC/x", true},
		{"U10", "https://api.example.com./1/user/ABC/x", false},
		{"U11", "https://api.example.com/../../oauth2/revoke", false},
		{"U11", "https://api.example.com/1/user/ABC/../../../oauth2/revoke", false},
		{"U12", "/1/user/ABC/x", true},
		{"U13", "file:///etc/passwd", false},
		{"U13", "gopher://api.example.com/1/user/ABC/x", false},
		{"U13", "data:text/plain,x", false},
		{"U14", "https://\u0430pi.example.com/1/user/ABC/x", false},
		{"U14", "https://xn--pi-7kc.example.com/1/user/ABC/x", false},
		{"U15", current, false},
		{"U17", testBase + "user/ABC/x?a=" + strings.Repeat("b", 10<<10), false},
		{"U18", testBase + "user/ABC/%2e%2e/%2e%2e/oauth2/revoke", false},
		{"U18", testBase + "user/ABC/x%00", false},
		{"U18", testBase + "user/ABC/x\r\nHost: evil.io", false},
		{"U18", testBase + "user/ABC/x?a=%0d%0aHost:%20evil.io", false},
		{"U19", testBase + "user/XYZ/x", false},
		{"U19", "/1/user/ABCD/x", false},
	}
	// U16 is below, and U20 is TestInnerAddressesAreNotDialled.
	proof.Row(t, "X6", proof.Counts{"links": len(rows) + 1})
	drain := newSink(t)
	var reached []string
	service := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { reached = append(reached, r.URL.Path) }))
	defer service.Close()
	transport := service.Client().Transport.(*http.Transport).Clone()
	defer transport.CloseIdleConnections()
	transport.TLSClientConfig.ServerName = "example.com" // the name in the certificate
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if address == "api.example.com:443" {
			return new(net.Dialer).DialContext(ctx, network, service.Listener.Addr().String())
		}
		return new(net.Dialer).DialContext(ctx, network, drain.Addr().String())
	}
	follow := func(t *testing.T, guard *LoopGuard, link string) error {
		c, err := New(Config{Provider: "acme", BaseURL: testBase, Transport: transport})
		require.NoError(t, err)
		next, err := c.NextLink("user/ABC", link)
		if err != nil {
			return err
		}
		if !guard.Visit(next.String()) {
			return errors.New("page loop")
		}
		_, err = c.Send(t.Context(), Request{
			Op: "fetch", URL: next, Form: url.Values{"refresh_token": {"rt-canary"}}, Authorize: bearer("at-canary"),
		})
		return err
	}
	for _, c := range rows {
		t.Run(c.row, func(t *testing.T) {
			reached = nil
			var guard LoopGuard
			require.True(t, guard.Visit(current))
			err := follow(t, &guard, c.link)
			if c.accepted {
				require.NoError(t, err)
				require.Equal(t, []string{"/1/user/ABC/x"}, reached)
				return
			}
			require.Error(t, err)
			require.Empty(t, reached)
			require.NotContains(t, err.Error(), "evil.io")
		})
	}
	t.Run("U16", func(t *testing.T) {
		reached = nil
		var guard LoopGuard
		require.True(t, guard.Visit(current))
		require.NoError(t, follow(t, &guard, "/1/user/ABC/x"))
		require.Error(t, follow(t, &guard, current))
		require.Len(t, reached, 1)
	})
}

// TestRedirectsReachNobodyElse has the service redirect to another host, and to
// another address of its own, with every status that may.
func TestRedirectsReachNobodyElse(t *testing.T) {
	proof.Row(t, "X6", proof.Counts{"statuses": 8, "methods": 3})
	drain := newSink(t)
	moved := 0
	for status := 301; status <= 308; status++ {
		for _, location := range []string{"http://" + drain.Addr().String() + "/1/x", "//" + drain.Addr().String() + "/1/x", "/moved"} {
			service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/moved" {
					moved++
				}
				w.Header().Set("Location", location)
				w.WriteHeader(status)
			}))
			c, err := New(Config{Provider: "acme", BaseURL: service.URL})
			require.NoError(t, err)
			for _, r := range []Request{
				{Op: "fetch", Authorize: bearer("at-canary"), Query: url.Values{"a": {"query-canary"}}},
				{Op: "refresh", Authorize: bearer("at-canary"), Form: url.Values{"refresh_token": {"rt-canary"}}},
				{Op: "subscribe", Method: http.MethodDelete, Authorize: bearer("at-canary")},
			} {
				_, err := c.Send(t.Context(), r)
				e := asProviderError(t, err)
				require.ErrorIs(t, e, providers.ErrMalformed, status)
				require.Equal(t, CodeRedirect, e.Code)
				require.NotContains(t, e.Error(), "canary")
				require.NotContains(t, e.Error(), drain.port())
			}
			closeIdle(c)
			service.Close()
		}
	}
	require.Zero(t, moved)
}

// nameServer answers every question for an address with the next of the
// answers, over and over.
func nameServer(t *testing.T, answers ...net.IP) *net.Resolver {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		query, asked := make([]byte, 1500), 0
		for {
			n, from, err := conn.ReadFrom(query)
			if err != nil {
				return
			}
			end := 12
			for end < n && query[end] != 0 {
				end += int(query[end]) + 1
			}
			end += 5 // the root, the type and the class
			ip := answers[asked%len(answers)]
			wide := query[end-3] == 28 // AAAA
			reply := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, query[12:end]...)
			if short := ip.To4(); short != nil && !wide {
				reply[7] = 1
				reply = append(append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4), short...)
				asked++
			} else if short == nil && wide {
				reply[7] = 1
				reply = append(append(reply, 0xc0, 12, 0, 28, 0, 1, 0, 0, 0, 0, 0, 16), ip...)
				asked++
			}
			_, _ = conn.WriteTo(reply, from)
		}
	}()
	t.Cleanup(func() { _ = conn.Close(); <-done })
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// TestInnerAddressesAreNotDialled (U20) has names resolve to inner addresses, to
// a different one each time they are asked for. What counts is the address that
// is dialled: there is no earlier check that a second answer could get around.
func TestInnerAddressesAreNotDialled(t *testing.T) {
	proof.Row(t, "X6", proof.Counts{"inner addresses": 9})
	drain := newSink(t)
	for _, address := range []string{
		"127.0.0.1", "10.1.2.3", "127.8.8.8", "172.16.3.4", "192.168.1.1", "169.254.169.254", "fc00::1", "fd12:3456::1", "::1",
	} {
		t.Run(address, func(t *testing.T) {
			dialer := &net.Dialer{Control: GuardDial, Resolver: nameServer(t, net.ParseIP(address), net.ParseIP("127.0.0.1"))}
			transport := &http.Transport{DialContext: dialer.DialContext}
			defer transport.CloseIdleConnections()
			c, err := New(Config{Provider: "acme", BaseURL: "https://rebind.example.com:" + drain.port(), Transport: transport})
			require.NoError(t, err)
			for range 3 {
				_, err = c.Send(t.Context(), Request{Op: "refresh", Form: url.Values{"refresh_token": {"rt-canary"}}})
				e := asProviderError(t, err)
				require.ErrorIs(t, e, providers.ErrUnavailable)
				require.Contains(t, e.Error(), "not public")
				require.False(t, e.Ambiguous)
			}
		})
	}
	// The client's own transport, unless it is for a service on this machine.
	own := newTransport(true)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost:"+drain.port(), nil)
	require.NoError(t, err)
	_, err = own.RoundTrip(req)
	require.ErrorContains(t, err, "not public")
}

// TestAnswersAreBounded has a service answer without end, in every way: the call
// ends with an error by its deadline, and takes little memory.
func TestAnswersAreBounded(t *testing.T) {
	// A body of the default limit, 16 MiB, is read into buffers that double up to
	// it: 32 MiB in all, and what else there is.
	const spare = 5 * time.Second
	memory := uint64(64 << 20)
	bomb := new(bytes.Buffer)
	zip := gzip.NewWriter(bomb)
	zeros := make([]byte, 1<<20)
	for range 64 {
		_, err := zip.Write(zeros)
		require.NoError(t, err)
	}
	require.NoError(t, zip.Close())
	block := bytes.Repeat([]byte("a"), 64<<10)
	chunk := append([]byte(fmt.Sprintf("%x\r\n", len(block))), append(block, "\r\n"...)...)
	headers := []byte("HTTP/1.1 200 OK\r\n" + strings.Repeat("X-A: b\r\n", 100_000) + "Content-Length: 2\r\n\r\n{}")
	bigHeader := []byte("HTTP/1.1 200 OK\r\nX-A: " + strings.Repeat("a", 1<<20) + "\r\nContent-Length: 2\r\n\r\n{}")
	endless := func(first string, again []byte) func(net.Conn) {
		return func(c net.Conn) {
			_, err := io.WriteString(c, first)
			for err == nil {
				_, err = c.Write(again)
			}
		}
	}
	slow := func(first string) func(net.Conn) {
		return func(c net.Conn) {
			_, err := io.WriteString(c, first)
			for err == nil {
				time.Sleep(20 * time.Millisecond) // the pace of the service
				_, err = c.Write([]byte("1"))
			}
		}
	}
	for name, c := range map[string]struct {
		answer func(net.Conn)
		kind   error
		codes  []string
	}{
		"64 MiB in 64 KiB of gzip": {func(c net.Conn) {
			_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n", bomb.Len())
			_, _ = c.Write(bomb.Bytes())
		}, providers.ErrMalformed, []string{CodeBodyTooLarge, CodeBodyRatio}},
		"chunks without end":           {endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", chunk), providers.ErrMalformed, []string{CodeBodyTooLarge}},
		"a body without end or length": {endless("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", block), providers.ErrMalformed, []string{CodeBodyTooLarge}},
		"a byte now and then":          {slow("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"), providers.ErrUnavailable, []string{CodeTimeout}},
		"a header a byte at a time":    {slow("HTTP/1.1 200 OK\r\nX-A: "), providers.ErrUnavailable, []string{CodeTimeout}},
		"nothing at all":               {func(c net.Conn) { _, _ = c.Read(make([]byte, 1)) }, providers.ErrUnavailable, []string{CodeTimeout}},
		"a header of a megabyte":       {func(c net.Conn) { _, _ = c.Write(bigHeader) }, nil, []string{CodeTransport, CodeHeaderTooLarge}},
		"a hundred thousand headers":   {func(c net.Conn) { _, _ = c.Write(headers) }, nil, []string{CodeTransport, CodeHeaderTooLarge}},
		"headers without end":          {endless("HTTP/1.1 200 OK\r\n", []byte("X-A: b\r\n")), nil, []string{CodeTransport, CodeHeaderTooLarge}},
		"answers that are none, without end": {
			endless("", []byte("HTTP/1.1 103 Early Hints\r\nX-A: b\r\n\r\n")), nil, []string{CodeTransport, CodeTimeout, CodeHeaderTooLarge},
		},
		"chunks with long names": {
			endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", []byte("1;"+strings.Repeat("x", 1<<10)+"\r\na\r\n")),
			nil, []string{CodeTransport, CodeTruncated, CodeTimeout, CodeBodyTooLarge},
		},
		"trailers without end": {
			endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n", []byte("X-A: b\r\n")),
			nil, []string{CodeTransport, CodeTruncated, CodeTimeout, CodeHeaderTooLarge},
		},
	} {
		t.Run(name, func(t *testing.T) {
			deadline := 10 * time.Second // not what ends the call
			if slices.Equal(c.codes, []string{CodeTimeout}) {
				deadline = 500 * time.Millisecond
			}
			client, err := New(Config{Provider: "acme", BaseURL: rawServer(t, c.answer), AttemptTimeout: deadline})
			require.NoError(t, err)
			defer closeIdle(client)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			began := time.Now()
			_, err = Call(t.Context(), client.Once(), func(ctx context.Context) (*Response, error) {
				return client.Send(ctx, Request{Op: "fetch"})
			})
			took := time.Since(began)
			runtime.ReadMemStats(&after)
			e := asProviderError(t, err)
			if c.kind != nil {
				require.ErrorIs(t, e, c.kind)
			}
			require.Contains(t, c.codes, e.Code)
			require.Less(t, took, deadline+spare)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, memory, "all that was allocated, freed or not")
		})
	}
	proof.Row(t, "X7", proof.Counts{"ways not to end": 12})
}
