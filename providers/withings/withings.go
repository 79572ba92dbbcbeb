package withings

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/httpx"
	"github.com/vitalmux/vitalmux/providers"
)

// Name is the name of the provider.
const Name = "withings"

// The addresses of the service outside of the medical clouds.
const (
	DefaultBaseURL    = "https://wbsapi.withings.net"
	DefaultAccountURL = "https://account.withings.com"
)

// The scopes.
const (
	ScopeInfo        = "user.info"        // devices and goals
	ScopeMetrics     = "user.metrics"     // measures and heart
	ScopeActivity    = "user.activity"    // activity, workouts and sleep
	ScopeSleepEvents = "user.sleepevents" // notifications of getting in and out of bed
)

// Config describes an application registered at Withings.
type Config struct {
	// ClientID and ClientSecret of the application. Required.
	ClientID     string
	ClientSecret providers.Secret
	// RedirectURL is the registered callback address that is used when an
	// AuthRequest names none. May be empty.
	RedirectURL string
	// BaseURL is the address of the data services; empty means
	// [DefaultBaseURL]. AccountURL is the address of the consent page; empty
	// means [DefaultAccountURL].
	BaseURL, AccountURL string
	// Scopes asked for when an AuthRequest names none; nil means
	// user.info, user.metrics and user.activity.
	Scopes []string
	// RequestsPerMinute is the budget of the application, shared by all of
	// its users; 0 means 120, negative keeps none.
	RequestsPerMinute int
	// ECGsPerPage is how many signals one page of the heart stream fetches;
	// 0 means 20, negative means that signals are left out.
	ECGsPerPage int
	// MaxWait is the longest a call waits before another attempt, also when
	// the service says how long; 0 means 5 s, negative never waits.
	MaxWait time.Duration
	// Transport sends the requests; nil is a transport of the adapter's own.
	Transport http.RoundTripper
	// Logger gets one debug line per request; nil is silent.
	Logger *slog.Logger
}

const (
	defaultRequestsPerMinute = 120
	defaultECGsPerPage       = 20
)

// Provider is the adapter. Create it with [New].
type Provider struct {
	cfg          Config
	client       *httpx.Client
	account      *url.URL
	capabilities providers.Capabilities
}

var (
	_ providers.Provider   = (*Provider)(nil)
	_ providers.Authorizer = (*Provider)(nil)
	_ providers.Refresher  = (*Provider)(nil)
	_ providers.Revoker    = (*Provider)(nil)
	_ providers.Remapper   = (*Provider)(nil)
)

// New returns the adapter, or an error of class ErrInvalid for a configuration
// that cannot work.
func New(cfg Config) (*Provider, error) {
	if cfg.ClientID == "" || cfg.ClientSecret.IsZero() {
		return nil, &providers.Error{
			Provider: Name, Op: "configure", Kind: providers.ErrInvalid, Detail: "client id and client secret are required",
		}
	}
	if cfg.BaseURL == "" {
		cfg.BaseURL = DefaultBaseURL
	}
	if cfg.AccountURL == "" {
		cfg.AccountURL = DefaultAccountURL
	}
	if cfg.Scopes == nil {
		cfg.Scopes = []string{ScopeInfo, ScopeMetrics, ScopeActivity}
	}
	if cfg.RequestsPerMinute == 0 {
		cfg.RequestsPerMinute = defaultRequestsPerMinute
	}
	if cfg.ECGsPerPage == 0 {
		cfg.ECGsPerPage = defaultECGsPerPage
	}
	// No request goes to the consent page; its address obeys the same rules.
	account, err := httpx.New(httpx.Config{Provider: Name, BaseURL: cfg.AccountURL})
	if err != nil {
		return nil, &providers.Error{Provider: Name, Op: "configure", Kind: providers.ErrInvalid, Detail: "account URL", Err: err}
	}
	var limits []providers.RateLimit
	if cfg.RequestsPerMinute > 0 {
		limits = []providers.RateLimit{{Requests: cfg.RequestsPerMinute, Per: time.Minute, Scope: providers.LimitPerApp}}
	}
	client, err := httpx.New(httpx.Config{
		Provider: Name, BaseURL: cfg.BaseURL, Transport: cfg.Transport, Limits: limits, MaxWait: cfg.MaxWait, Logger: cfg.Logger,
	})
	if err != nil {
		return nil, &providers.Error{Provider: Name, Op: "configure", Kind: providers.ErrInvalid, Err: err}
	}
	p := &Provider{cfg: cfg, client: client, account: account.Base()}
	p.capabilities = providers.Capabilities{
		Streams:  p.streamFacts(),
		Rotation: providers.RotationGrace,
		Push:     true,
		Topics:   topics(),
		Limits:   limits,
		// A code lives 30 seconds; the person may take longer to consent.
		AuthLifetime: 10 * time.Minute,
	}
	return p, nil
}

// Name returns "withings".
func (p *Provider) Name() string { return Name }

// Capabilities returns the facts about the service.
func (p *Provider) Capabilities() providers.Capabilities { return p.capabilities }

// Fetch returns one page of one stream.
func (p *Provider) Fetch(ctx context.Context, cred providers.Credential, q providers.Query) (providers.Page, error) {
	op := "fetch " + q.Stream
	st, ok := streams[q.Stream]
	if !ok {
		return providers.Page{}, &providers.Error{
			Provider: Name, Op: "fetch", Kind: providers.ErrInvalid, Detail: "no such stream", Err: errors.ErrUnsupported,
		}
	}
	f := &fetch{p: p, st: st, cred: cred, q: q, op: op, raw: health.RawPage{Stream: q.Stream}}
	if q.Zone != nil && zoneName(q.Zone.String()) {
		f.raw.Zone = q.Zone.String()
	}
	return st.fetch(ctx, f)
}

// Remap maps the stored bodies of a page again. A body that is not what its
// stream answers with is ErrMalformed; data of it that cannot be mapped is left
// out.
func (p *Provider) Remap(page health.RawPage) ([]health.Record, error) {
	st, ok := streams[page.Stream]
	if !ok {
		return nil, &providers.Error{
			Provider: Name, Op: "remap", Kind: providers.ErrInvalid, Detail: "no such stream", Err: errors.ErrUnsupported,
		}
	}
	m := newMapper(page)
	if err := st.mapPage(m); err != nil {
		return nil, m.failed("remap "+page.Stream, err)
	}
	return m.records, nil
}

// fetch is one call of Fetch under way.
type fetch struct {
	p    *Provider
	st   *stream
	cred providers.Credential
	q    providers.Query
	op   string
	raw  health.RawPage
}

// call makes one data call and keeps its answer under the given name.
func (f *fetch) call(ctx context.Context, name, path string, form url.Values) error {
	resp, err := httpx.Call(ctx, f.p.client.Idempotent(), func(ctx context.Context) (*httpx.Response, error) {
		resp, err := f.p.client.Send(ctx, httpx.Request{
			Op: f.op, Path: path, Form: form, User: f.cred.UpstreamID, Authorize: bearer(f.cred.Access),
		})
		if err != nil {
			return nil, err
		}
		return resp, f.p.failure(f.op, resp)
	})
	if err != nil {
		return err
	}
	if f.raw.Date.IsZero() {
		f.raw.Date = resp.Date
	}
	f.raw.Bodies = append(f.raw.Bodies, health.RawBody{Name: name, Body: resp.Body})
	return nil
}

func bearer(token providers.Secret) func(*http.Request) error {
	return func(r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+token.Reveal())
		return nil
	}
}

// page maps what was fetched.
func (f *fetch) page() (*mapper, providers.Page, error) {
	m := newMapper(f.raw)
	m.user = f.cred.UpstreamID
	if err := f.st.mapPage(m); err != nil {
		return nil, providers.Page{}, m.failed(f.op, err)
	}
	return m, providers.Page{
		Records: m.records, Raw: f.raw.Bodies, Date: f.raw.Date, Digest: m.pageDigest(),
		Zone: m.personZone, Quarantined: m.quarantined,
	}, nil
}

// invalid is a query that cannot be asked.
func (f *fetch) invalid(code string) error {
	return &providers.Error{Provider: Name, Op: f.op, Kind: providers.ErrInvalid, Code: code}
}

// joined returns a list the way the service wants it.
func joined(list []string) string { return strings.Join(list, ",") }

func (p *Provider) streamFacts() []providers.Stream {
	facts := make([]providers.Stream, 0, len(streamOrder))
	for _, name := range streamOrder {
		s := streams[name].facts
		s.Name = name
		if name == streamHeart {
			s.CallsPerPage = 1 + max(0, p.cfg.ECGsPerPage)
		}
		facts = append(facts, s)
	}
	return slices.Clip(facts)
}
