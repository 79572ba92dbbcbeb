package httpx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/providers"
)

// The defaults of [Config].
const (
	DefaultMaxWait        = 5 * time.Second
	DefaultAttempts       = 3
	DefaultAttemptTimeout = 30 * time.Second
	DefaultMaxBody        = 16 << 20
	defaultUserAgent      = "vitalmux"
)

// Config describes a client of one service.
type Config struct {
	// Provider is the adapter's name; it is in every error. Required.
	Provider string
	// BaseURL is what all requests begin with. Required; https, or http on a
	// loopback host, without userinfo, query and fragment.
	BaseURL string
	// Transport sends the requests; nil is a transport of the client's own,
	// which dials public addresses only ([GuardDial]) unless the host of
	// BaseURL is loopback, and uses no proxy.
	Transport http.RoundTripper
	// UserAgent of the requests; empty means "vitalmux".
	UserAgent string
	// Limits are kept before each request. Those per app share one bucket in
	// the client; those per user have one bucket for each [Request].User.
	Limits []providers.RateLimit
	// Hold reads from the status and header of an answer for how long no more
	// requests may be sent, and who is meant; 0 is no hold. Nil reads nothing.
	// A hold is at most one hour.
	Hold func(status int, h http.Header) (time.Duration, providers.LimitScope)
	// MaxWait bounds the waits between the attempts of one [Call] together,
	// and each wait for the rate limit; 0 means 5 s, negative never waits.
	// What would take longer is returned with RetryAt set.
	MaxWait time.Duration
	// Attempts is how often an idempotent call is made in all; 0 means 3,
	// negative means 1.
	Attempts int
	// AttemptTimeout is the time for one attempt, body included; 0 means
	// 30 s, negative is none.
	AttemptTimeout time.Duration
	// MaxBody is the longest body in bytes after decompression; 0 means
	// 16 MiB, negative is no limit.
	MaxBody int64
	// Observe is called after each attempt, from the goroutine that made it.
	Observe func(Event)
	// Logger gets one debug line per attempt; nil is silent.
	Logger *slog.Logger
}

// Client sends requests to one service.
type Client struct {
	provider  string
	base      *url.URL
	userAgent string
	policy    Policy
	maxBody   int64
	limits    *limiter
	chain     http.RoundTripper
}

// New returns a client, or providers.ErrInvalid for a configuration that
// cannot work or is not safe.
func New(cfg Config) (*Client, error) {
	if cfg.Provider == "" {
		return nil, fmt.Errorf("httpx: no provider name: %w", providers.ErrInvalid)
	}
	base, err := baseOf(cfg.Provider, cfg.BaseURL)
	if err != nil {
		return nil, err
	}
	for _, l := range cfg.Limits {
		if l.Requests <= 0 || l.Per <= 0 || l.Scope > providers.LimitPerUser {
			return nil, fmt.Errorf("httpx: %s: a rate limit is not positive: %w", cfg.Provider, providers.ErrInvalid)
		}
	}
	c := &Client{
		provider:  cfg.Provider,
		base:      base,
		userAgent: cfg.UserAgent,
		policy: Policy{
			Attempts:       orDefault(cfg.Attempts, DefaultAttempts),
			AttemptTimeout: orDefault(cfg.AttemptTimeout, DefaultAttemptTimeout),
			MaxWait:        orDefault(cfg.MaxWait, DefaultMaxWait),
		},
		maxBody: orDefault(cfg.MaxBody, DefaultMaxBody),
		limits:  newLimiter(cfg.Limits),
	}
	if c.userAgent == "" {
		c.userAgent = defaultUserAgent
	}
	transport := cfg.Transport
	if transport == nil {
		transport = newTransport(!isLoopback(base.Hostname()))
	}
	c.chain = limitLayer{
		limits:  c.limits,
		maxWait: c.policy.MaxWait,
		hold:    cfg.Hold,
		next: observeLayer{
			provider: cfg.Provider,
			observe:  cfg.Observe,
			logger:   cfg.Logger,
			next:     authLayer{next: transport},
		},
	}
	return c, nil
}

func orDefault[T int | int64 | time.Duration](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}

// baseOf reads the base URL of a provider's service.
func baseOf(provider, raw string) (*url.URL, error) {
	base, err := parseBase(raw)
	if err != nil {
		return nil, fmt.Errorf("httpx: %s: base URL: %w: %w", provider, err, providers.ErrInvalid)
	}
	return base, nil
}

// parseBase checks a base URL. Its errors do not repeat the text, which may
// hold a password.
func parseBase(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, fmt.Errorf("not a URL")
	case u.Hostname() == "" || u.Opaque != "":
		return nil, fmt.Errorf("no host")
	case u.User != nil:
		return nil, fmt.Errorf("has userinfo")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, fmt.Errorf("has a query or a fragment")
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		return nil, fmt.Errorf("must be https, or http on a loopback host")
	case hasDotSegment(u.Path):
		return nil, fmt.Errorf("has dot segments")
	}
	return u, nil
}

// isLoopback reports whether host is "localhost" or a loopback address.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// newTransport returns the client's own transport.
func newTransport(guard bool) *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	if guard {
		dialer.Control = GuardDial
	}
	return &http.Transport{
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           64,
		MaxIdleConnsPerHost:    16,
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxResponseHeaderBytes: 2 * maxHeader,
	}
}

// Base returns a copy of the base URL.
func (c *Client) Base() *url.URL {
	u := *c.base
	return &u
}

// Idempotent returns the policy for calls that may be repeated.
func (c *Client) Idempotent() Policy { return c.policy }

// Once returns the policy for calls that must not be repeated, because the
// service may have acted on one that failed.
func (c *Client) Once() Policy {
	p := c.policy
	p.Attempts = 1
	return p
}

// Hold sends no more requests until the given time: of the user for
// providers.LimitPerUser, of all users for providers.LimitPerApp. It is for
// answers that ask for a pause in their body. A hold is at most one hour.
func (c *Client) Hold(user string, scope providers.LimitScope, until time.Time) {
	c.limits.hold(user, scope, until, time.Now())
}

// Request is one request. It may be sent several times.
type Request struct {
	// Op names the operation in errors and observations: "fetch measures".
	Op string
	// Method is the HTTP method; empty means GET, or POST with a Form or Body.
	Method string
	// Path is escaped and relative to the base URL: "v2/measure".
	Path string
	// Query is the query of the request.
	Query url.Values
	// URL, if set, takes the place of Path and Query: a result of
	// [Client.NextLink].
	URL *url.URL
	// Form is sent as application/x-www-form-urlencoded.
	Form url.Values
	// Body with its ContentType takes the place of Form.
	Body        []byte
	ContentType string
	// Header holds no secrets: they belong to Authorize.
	Header http.Header
	// Authorize adds what proves who is asking. It gets a copy of the request
	// and is called once per sending, below observation. Nil adds nothing.
	Authorize func(*http.Request) error
	// User is the key of the budget per user: an id, never a token. Empty
	// counts against the app alone.
	User string
	// MaxBody is the longest body of the answer after decompression; 0 means
	// the client's.
	MaxBody int64
}

// Response is an answer, read whole.
type Response struct {
	Status int
	Header http.Header
	// Body is decompressed.
	Body []byte
	// Date is the server's Date; zero if it sent none.
	Date time.Time
	// RequestID is the X-Request-Id of the answer, empty if it is absent or odd.
	RequestID string
}

// Send sends r once, after waiting for the rate limit, and reads the answer.
// Every status is an answer, except that 3xx is an error: redirects are
// refused. Send has no deadline but the one of ctx, which [Call] sets.
func (c *Client) Send(ctx context.Context, r Request) (*Response, error) {
	flight := &flight{op: r.Op, user: r.User, attempt: attemptOf(ctx), authorize: r.Authorize}
	req, err := c.newRequest(flight.attach(ctx), r)
	if err != nil {
		return nil, c.failure(r.Op, flight, &providers.Error{Kind: providers.ErrInvalid, Code: CodeRequest, Err: err})
	}
	resp, err := c.chain.RoundTrip(req)
	if err != nil {
		return nil, c.failure(r.Op, flight, asError(ctx, CodeTransport, err))
	}
	defer func() { _ = resp.Body.Close() }()
	out := &Response{Status: resp.StatusCode, Header: resp.Header, RequestID: requestID(resp.Header)}
	if t, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		out.Date = t
	}
	refuse := func(code string) error {
		return c.failure(r.Op, flight, &providers.Error{
			Kind: providers.ErrMalformed, Code: code, Status: out.Status, RequestID: out.RequestID,
		})
	}
	if headerSize(resp.Header) > maxHeader {
		return nil, refuse(CodeHeaderTooLarge)
	}
	if out.Status >= 300 && out.Status < 400 {
		return nil, refuse(CodeRedirect)
	}
	out.Body, err = readBody(resp, orDefault(r.MaxBody, c.maxBody))
	if err != nil {
		if broken, ok := errors.AsType[bodyError](err); ok {
			return nil, refuse(broken.code)
		}
		e := asError(ctx, CodeTruncated, err)
		e.Status, e.RequestID = out.Status, out.RequestID
		return nil, c.failure(r.Op, flight, e)
	}
	return out, nil
}

func (c *Client) newRequest(ctx context.Context, r Request) (*http.Request, error) {
	target := r.URL
	if target == nil {
		if hasDotSegment(r.Path) {
			return nil, fmt.Errorf("path has dot segments")
		}
		target = c.base
		if r.Path != "" {
			target = c.base.JoinPath(r.Path)
		}
		if len(r.Query) > 0 {
			u := *target
			u.RawQuery = r.Query.Encode()
			target = &u
		}
	} else if err := sameService(c.base, target); err != nil {
		return nil, err
	}
	body, contentType := r.Body, r.ContentType
	if body == nil && r.Form != nil {
		body, contentType = []byte(r.Form.Encode()), "application/x-www-form-urlencoded"
	}
	method := r.Method
	if method == "" {
		method = http.MethodGet
		if body != nil {
			method = http.MethodPost
		}
	}
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, target.String(), reader)
	if err != nil {
		return nil, fmt.Errorf("not a valid request")
	}
	for name, values := range r.Header {
		req.Header[http.CanonicalHeaderKey(name)] = append([]string(nil), values...)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if req.Header.Get("Accept") == "" {
		req.Header.Set("Accept", "application/json")
	}
	req.Header.Set("User-Agent", c.userAgent)
	// Asked for by name, so that net/http leaves the decompression to us and
	// the ratio can be bounded.
	req.Header.Set("Accept-Encoding", "gzip")
	return req, nil
}

// failure completes e.
func (c *Client) failure(op string, f *flight, e *providers.Error) *providers.Error {
	e.Provider, e.Op = c.provider, op
	e.Ambiguous = f.mayHaveArrived()
	return e
}

func headerSize(h http.Header) int {
	n := 0
	for name, values := range h {
		for _, v := range values {
			n += len(name) + len(v) + len(": \r\n")
		}
	}
	return n
}

// requestID returns the service's id of the request if it looks like one.
func requestID(h http.Header) string {
	id := h.Get("X-Request-Id")
	if len(id) > 128 || !isVisible(id) {
		return ""
	}
	return id
}

// isVisible reports whether s is visible ASCII without spaces.
func isVisible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
