package terra

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/internal/httpx"
	"github.com/vitalmux/vitalmux/providers"
)

const (
	// maxURL is the longest address of a payload. Addresses that are signed in
	// advance have a kilobyte or two.
	maxURL = 8 << 10
	// payloadDial and payloadWait bound the beginning of an answer; how long it
	// takes as a whole is for the caller's context to say.
	payloadDial, payloadWait = 10 * time.Second, 30 * time.Second
)

// defaultPayloadHosts is where Terra puts what it does not post: addresses of
// Amazon S3 that are signed in advance (Terra, "Webhooks", ping mode).
const defaultPayloadHosts = ".amazonaws.com"

// The codes of errors about payloads.
const (
	codeAddress   = "address"   // not an address that is fetched from
	codeTransport = "transport" // no answer
	codeCut       = "truncated" // the body ended early
	codeExpired   = "expired"   // the address leads nowhere any more
)

// admitHosts prepares fetching payloads.
func (p *Provider) admitHosts() error {
	hosts := p.cfg.PayloadHosts
	if hosts == nil {
		hosts = []string{defaultPayloadHosts}
	}
	inner := false
	for _, host := range hosts {
		host = strings.ToLower(host)
		if strings.Trim(host, ".") == "" || strings.ContainsAny(host, "/@?# ") {
			return invalid("configure", "payload host: want a host name")
		}
		inner = inner || loopback(host)
		p.hosts = append(p.hosts, host)
	}
	transport := p.cfg.Transport
	if transport == nil {
		dialer := &net.Dialer{Timeout: payloadDial}
		if !inner {
			dialer.Control = httpx.GuardDial
		}
		transport = &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: payloadDial, ResponseHeaderTimeout: payloadWait, ForceAttemptHTTP2: true,
			MaxResponseHeaderBytes: 64 << 10, IdleConnTimeout: time.Minute,
		}
	}
	p.payloads = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// admitted reports whether an address may be fetched from.
func (p *Provider) admitted(u *url.URL) bool {
	host := strings.ToLower(u.Hostname())
	switch {
	case u.User != nil || u.Opaque != "" || u.Fragment != "":
		return false
	case u.Scheme == "https" && (u.Port() == "" || u.Port() == "443" || loopback(host)):
	case u.Scheme == "http" && loopback(host):
	default:
		return false
	}
	return slices.ContainsFunc(p.hosts, func(allowed string) bool {
		return host == allowed || strings.HasPrefix(allowed, ".") && strings.HasSuffix(host, allowed) && len(host) > len(allowed)
	})
}

// FetchPayload fetches what an s3_payload event points to, in one request.
func (p *Provider) FetchPayload(ctx context.Context, n providers.Notification, w io.Writer) error {
	const op = "fetch payload"
	fail := func(kind error, status int, code string) *providers.Error {
		return &providers.Error{Provider: Name, Op: op, Kind: kind, Status: status, Code: code, Err: context.Cause(ctx)}
	}
	if n.Payload == nil {
		return fail(providers.ErrInvalid, 0, codeAddress)
	}
	// Errors of packages url and http hold the address.
	u, err := url.Parse(n.Payload.Address.Reveal())
	if err != nil || !p.admitted(u) {
		return fail(providers.ErrInvalid, 0, codeAddress)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return fail(providers.ErrInvalid, 0, codeAddress)
	}
	resp, err := p.payloads.Do(r)
	if err != nil {
		return fail(providers.ErrUnavailable, 0, codeTransport)
	}
	defer func() { _ = resp.Body.Close() }()
	switch status := resp.StatusCode; {
	case status == http.StatusOK:
	case status/100 == 3:
		return fail(providers.ErrMalformed, status, providers.CodeRedirect)
	case status == http.StatusTooManyRequests || status == http.StatusRequestTimeout || status >= 500:
		e := fail(providers.ErrUnavailable, status, "")
		e.RetryAt = httpx.RetryAfter(resp.Header, time.Now())
		return e
	default:
		return fail(providers.ErrNotFound, status, codeExpired)
	}
	sink := &sink{w: w}
	switch _, err := io.Copy(sink, resp.Body); {
	case sink.err != nil:
		return sink.err
	case err != nil:
		return fail(providers.ErrUnavailable, resp.StatusCode, codeCut)
	}
	return nil
}

// sink tells a failure of the writer from one of the reader.
type sink struct {
	w   io.Writer
	err error
}

func (s *sink) Write(b []byte) (int, error) {
	n, err := s.w.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		s.err = err
	}
	return n, err
}
