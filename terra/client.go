package terra

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/internal/httpx"
	"github.com/vitalmux/vitalmux/providers"
)

// Name is the name of the provider.
const Name = "terra"

// The addresses of the service. Both base URLs serve the same calls.
const (
	// DefaultBaseURL is the server of the specification since June 2026.
	DefaultBaseURL = "https://access.tryterra.co/api/v2"
	// LegacyBaseURL is the older one.
	LegacyBaseURL = "https://api.tryterra.co/v2"

	// WidgetSessionURL is the successor of generateWidgetSession, which ends on
	// 3 November 2026 and answers 410 to accounts made after 3 September 2026.
	// The specification spells its path as in WidgetSessionURLInSpec.
	WidgetSessionURL       = "https://access.tryterra.co/api/widget/session"
	WidgetSessionURLInSpec = "https://access.tryterra.co/widget/api/session"

	// DefaultWidgetURL is the page that people connect on.
	DefaultWidgetURL = "https://widget.tryterra.co"

	// DefaultStreamingURL gives tokens for streaming, DefaultSocketURL streams.
	DefaultStreamingURL = "https://ws.tryterra.co"
	DefaultSocketURL    = "wss://ws.tryterra.co/connect"
)

// Config describes one environment of an account at Terra.
type Config struct {
	// DevID is the developer id and APIKey the key of the environment.
	// Required.
	DevID  string
	APIKey providers.Secret
	// BaseURL is the address of the API, with its version; empty means
	// [DefaultBaseURL]. It is https, or http on a loopback host, as all
	// addresses here.
	BaseURL string
	// WidgetSessionURL is the address that makes widget sessions; empty means
	// auth/generateWidgetSession below BaseURL, for accounts that still have it. Set
	// [WidgetSessionURL], its successor, for all others.
	WidgetSessionURL string
	// WidgetURL is where people open a session whose answer has no address of
	// its own; empty means [DefaultWidgetURL].
	WidgetURL string
	// StreamingURL is the address that gives tokens for streaming, SocketURL
	// the address of the stream; empty means [DefaultStreamingURL] and
	// [DefaultSocketURL].
	StreamingURL, SocketURL string
	// MaxWait is the longest a call waits before another attempt, also when
	// the service says how long; 0 means 5 s, negative never waits.
	MaxWait time.Duration
	// Attempts is how often a call that can be repeated is made in all; 0
	// means 3, negative means 1. Calls that cannot be repeated are made once.
	Attempts int
	// AttemptTimeout is the time for one attempt; 0 means 60 s, because Terra
	// asks the provider while we wait, negative is none.
	AttemptTimeout time.Duration
	// MaxBody is the longest answer in bytes; 0 means 64 MiB, negative is no
	// limit.
	MaxBody int64
	// Transport sends the requests; nil is a transport of the client's own.
	Transport http.RoundTripper
	// Logger gets one debug line per request; nil is silent.
	Logger *slog.Logger
}

const (
	defaultAttemptTimeout = 60 * time.Second
	defaultMaxBody        = 64 << 20
)

// Client makes the calls of Terra's API. Create it with [New]. It is safe for
// concurrent use.
type Client struct {
	cfg  Config
	http *httpx.Client
	// widget is the client for the successor of the widget call, nil for the
	// older call.
	widget *httpx.Client
	tokens *httpx.Client // of the stream
	page   *url.URL      // of the widget
}

// New returns a client, or an error of class ErrInvalid for a configuration that
// cannot work.
func New(cfg Config) (*Client, error) {
	const op = "configure"
	if cfg.DevID == "" || cfg.APIKey.IsZero() {
		return nil, invalid(op, "developer id and API key are required")
	}
	for _, d := range []struct {
		field *string
		value string
	}{
		{&cfg.BaseURL, DefaultBaseURL}, {&cfg.WidgetURL, DefaultWidgetURL},
		{&cfg.StreamingURL, DefaultStreamingURL}, {&cfg.SocketURL, DefaultSocketURL},
	} {
		if *d.field == "" {
			*d.field = d.value
		}
	}
	if cfg.AttemptTimeout == 0 {
		cfg.AttemptTimeout = defaultAttemptTimeout
	}
	if cfg.MaxBody == 0 {
		cfg.MaxBody = defaultMaxBody
	}
	c := &Client{cfg: cfg}
	connect := func(base, detail string) (*httpx.Client, error) {
		h, err := httpx.New(httpx.Config{
			Provider: Name, BaseURL: base, Transport: cfg.Transport, Hold: hold, MaxWait: cfg.MaxWait, Attempts: cfg.Attempts,
			AttemptTimeout: cfg.AttemptTimeout, MaxBody: cfg.MaxBody, Logger: cfg.Logger,
		})
		if err != nil {
			return nil, &providers.Error{Provider: Name, Op: op, Kind: providers.ErrInvalid, Detail: detail, Err: err}
		}
		return h, nil
	}
	var err error
	if c.http, err = connect(cfg.BaseURL, "base URL"); err != nil {
		return nil, err
	}
	if cfg.WidgetSessionURL != "" {
		if c.widget, err = connect(cfg.WidgetSessionURL, "widget session URL"); err != nil {
			return nil, err
		}
	}
	// No request of this client goes to the page of the widget, and none but the
	// first of a stream to its socket; they obey the same rules.
	page, err := connect(cfg.WidgetURL, "widget URL")
	if err != nil {
		return nil, err
	}
	c.page = page.Base()
	if c.tokens, err = connect(cfg.StreamingURL, "streaming URL"); err != nil {
		return nil, err
	}
	socket, isSocket := strings.CutPrefix(cfg.SocketURL, "ws") // wss is https, and ws is http
	if !isSocket {
		return nil, invalid(op, "socket URL: must be wss, or ws on a loopback host")
	}
	if _, err := connect("http"+socket, "socket URL"); err != nil {
		return nil, err
	}
	return c, nil
}

// authorize adds the credentials of the environment.
func (c *Client) authorize(r *http.Request) error {
	r.Header.Set("Dev-Id", c.cfg.DevID)
	r.Header.Set("X-Api-Key", c.cfg.APIKey.Reveal())
	return nil
}

// identify adds the developer id alone, for calls without credentials.
func (c *Client) identify(r *http.Request) error {
	r.Header.Set("Dev-Id", c.cfg.DevID)
	return nil
}

// call is one request and how its answer is read.
type call struct {
	op, method, path string
	query            url.Values
	body             any    // sent as JSON unless nil
	form             []byte // sent as it is, with its type, in the place of body
	formType         string
	user             string // whose budget it counts against
	once             bool   // it must not be repeated: the service may have acted
	removes          bool   // it deletes: when it is repeated there may be nothing left
	authorize        func(*http.Request) error
	via              *httpx.Client // nil is the API
}

// do makes a call and returns the answer, which read has accepted. read gets
// answers of status 2xx; it may run several times.
func (c *Client) do(ctx context.Context, k call, read func(*httpx.Response) error) (*httpx.Response, error) {
	via := k.via
	if via == nil {
		via = c.http
	}
	if k.authorize == nil {
		k.authorize = c.authorize
	}
	request := httpx.Request{
		Op: k.op, Method: k.method, Path: k.path, Query: k.query, User: k.user, Authorize: k.authorize,
	}
	if k.body != nil {
		b, err := json.Marshal(k.body)
		if err != nil {
			return nil, invalid(k.op, "the request cannot be written as JSON")
		}
		request.Body, request.ContentType = b, "application/json"
	}
	if k.form != nil {
		request.Body, request.ContentType = k.form, k.formType
	}
	policy := via.Idempotent()
	if k.once {
		policy = via.Once()
	}
	mayHaveActed := false
	return httpx.Call(ctx, policy, func(ctx context.Context) (*httpx.Response, error) {
		r, err := via.Send(ctx, request)
		if err != nil {
			mayHaveActed = true
			return nil, err
		}
		if k.removes && mayHaveActed && r.Status == http.StatusNotFound {
			return r, nil
		}
		if e := c.failure(k.op, r); e != nil {
			if errors.Is(e, providers.ErrUnavailable) {
				mayHaveActed, e.Ambiguous = true, k.once
			}
			return nil, e
		}
		return r, read(r)
	})
}

// decodeAnswer reads an answer into v, which has the members of trouble where
// the answer can be an error.
func (c *Client) decodeAnswer(op string, r *httpx.Response, v any) ([]Fault, error) {
	faults, err := decode(r.Body, v)
	if err != nil {
		code := codeShape
		if e, ok := errors.AsType[*providers.Error](err); ok {
			code = e.Code
		}
		return nil, c.unreadable(op, code, r)
	}
	return faults, nil
}

// noBody reads an answer whose body says at most that all is well.
func (c *Client) noBody(op string) func(*httpx.Response) error {
	return func(r *httpx.Response) error {
		if len(r.Body) == 0 {
			return nil
		}
		var said trouble
		if _, err := c.decodeAnswer(op, r, &said); err != nil {
			return err
		}
		if e := c.errorInside(op, r, said); e != nil {
			return e
		}
		return nil
	}
}

// addExtra adds parameters that the client does not know; one that it does know
// is refused.
func addExtra(op string, query, extra url.Values) error {
	for name, values := range extra {
		if query.Has(name) {
			return invalid(op, "an extra parameter has the name of one that is set already")
		}
		query[name] = append([]string(nil), values...)
	}
	return nil
}
