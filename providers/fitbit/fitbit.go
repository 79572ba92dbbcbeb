package fitbit

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/httpx"
	"github.com/vitalmux/vitalmux/providers"
)

// Name is the name of the provider.
const Name = "fitbit"

// The addresses of the service.
const (
	DefaultBaseURL    = "https://api.fitbit.com"
	DefaultAccountURL = "https://www.fitbit.com"
)

// The steps of heart rate within a day, for [Config].
const (
	DetailSecond = "1sec" // not evenly spaced: 1 to 15 seconds
	DetailMinute = "1min"
)

// Config describes an application registered at Fitbit, of the type Server or
// Personal.
type Config struct {
	// ClientID and ClientSecret of the application. Required.
	ClientID     string
	ClientSecret providers.Secret
	// RedirectURL is the registered callback address that is used when an
	// AuthRequest names none. May be empty.
	RedirectURL string
	// BaseURL is the address of the interface; empty means [DefaultBaseURL].
	// AccountURL is the address of the consent page; empty means
	// [DefaultAccountURL].
	BaseURL, AccountURL string
	// Scopes asked for when an AuthRequest names none; nil means all that
	// the streams need.
	Scopes []string
	// RequestsPerHour is the budget of each person; 0 means 150, negative
	// keeps none. What the answers tell of the budget is kept in any case.
	RequestsPerHour int
	// HeartRateDetail is the step of heart rate within a day: [DetailSecond]
	// or [DetailMinute]; empty means DetailSecond.
	HeartRateDetail string
	// SleepList asks for sleep logs by their list, which has pages of a
	// hundred, instead of by ranges of a hundred days.
	SleepList bool
	// RoutesPerPage is for how many workouts one page of the stream routes
	// fetches recordings, at most 100; 0 means 20, negative means that there
	// is no such stream.
	RoutesPerPage int
	// SubscriberID names one of the application's subscribers; empty is its
	// default.
	SubscriberID string
	// CallbackURL is the address registered for the subscriber. The service
	// does not tell it, so it is what Subscriptions reports.
	CallbackURL string
	// VerificationCode is what the service sends to check the address of a
	// subscriber, as its settings show it. Empty: no check succeeds.
	VerificationCode providers.Secret
	// MaxWait is the longest a call waits before another attempt, also when
	// the service says how long; 0 means 5 s, negative never waits.
	MaxWait time.Duration
	// Transport sends the requests; nil is a transport of the adapter's own.
	Transport http.RoundTripper
	// Logger gets one debug line per request; nil is silent.
	Logger *slog.Logger
}

const (
	defaultRequestsPerHour = 150
	defaultRoutesPerPage   = 20
)

// Provider is the adapter. Create it with [New].
type Provider struct {
	cfg          Config
	client       *httpx.Client
	account      *url.URL
	streams      map[string]*stream
	capabilities providers.Capabilities
}

var (
	_ providers.Provider   = (*Provider)(nil)
	_ providers.Authorizer = (*Provider)(nil)
	_ providers.Refresher  = (*Provider)(nil)
	_ providers.Revoker    = (*Provider)(nil)
	_ providers.Remapper   = (*Provider)(nil)
	_ providers.Archiver   = (*Provider)(nil)
)

// New returns the adapter, or an error of class ErrInvalid for a configuration
// that cannot work.
func New(cfg Config) (*Provider, error) {
	wrong := func(detail string, err error) (*Provider, error) {
		return nil, &providers.Error{Provider: Name, Op: "configure", Kind: providers.ErrInvalid, Detail: detail, Err: err}
	}
	if cfg.ClientID == "" || cfg.ClientSecret.IsZero() {
		return wrong("client id and client secret are required", nil)
	}
	if cfg.BaseURL == "" {
		cfg.BaseURL = DefaultBaseURL
	}
	if cfg.AccountURL == "" {
		cfg.AccountURL = DefaultAccountURL
	}
	// Links are held against an address below the base: its path must not be
	// empty.
	cfg.BaseURL = strings.TrimSuffix(cfg.BaseURL, "/") + "/"
	switch cfg.HeartRateDetail {
	case "":
		cfg.HeartRateDetail = DetailSecond
	case DetailSecond, DetailMinute:
	default:
		return wrong("no such detail of heart rate", nil)
	}
	if cfg.RequestsPerHour == 0 {
		cfg.RequestsPerHour = defaultRequestsPerHour
	}
	if cfg.RoutesPerPage == 0 {
		cfg.RoutesPerPage = defaultRoutesPerPage
	}
	account, err := httpx.PageURL(Name, cfg.AccountURL)
	if err != nil {
		return wrong("account URL", err)
	}
	// The budget is renewed at the top of the hour, wherever ours would be: the
	// client keeps to what the answers tell.
	client, err := httpx.New(httpx.Config{
		Provider: Name, BaseURL: cfg.BaseURL, Transport: cfg.Transport, Hold: hold, MaxWait: cfg.MaxWait, Logger: cfg.Logger,
	})
	if err != nil {
		return wrong("", err)
	}
	p := &Provider{cfg: cfg, client: client, account: account, streams: map[string]*stream{}}
	p.capabilities = providers.Capabilities{
		Rotation:  providers.RotationSingleUse,
		Push:      true,
		Topics:    topics(),
		Successor: Successor,
	}
	if cfg.RequestsPerHour > 0 {
		p.capabilities.Limits = []providers.RateLimit{{Requests: cfg.RequestsPerHour, Per: time.Hour, Scope: providers.LimitPerUser}}
	}
	for _, s := range newStreams(cfg) {
		p.streams[s.facts.Name] = s
		p.capabilities.Streams = append(p.capabilities.Streams, s.facts)
	}
	if p.cfg.Scopes == nil {
		p.cfg.Scopes = p.capabilities.Scopes()
	}
	return p, nil
}

// Name returns "fitbit".
func (p *Provider) Name() string { return Name }

// Capabilities returns the facts about the service.
func (p *Provider) Capabilities() providers.Capabilities { return p.capabilities }

// Fetch returns one page of one stream.
func (p *Provider) Fetch(ctx context.Context, cred providers.Credential, q providers.Query) (providers.Page, error) {
	st, ok := p.streams[q.Stream]
	if !ok {
		return providers.Page{}, providers.NoSuchStream(Name, "fetch")
	}
	f := &fetch{p: p, st: st, cred: cred, q: q, op: "fetch " + q.Stream, raw: health.RawPage{Stream: q.Stream}}
	if q.Zone != nil && providers.LoadZone(q.Zone.String()) != nil {
		f.raw.Zone = q.Zone.String()
	}
	page, err := st.fetch(ctx, f)
	if err == nil {
		page.Requests = f.sent
	}
	return page, err
}

// Remap maps the stored bodies of a page again. A body that is not what its
// stream answers with is ErrMalformed; data of it that cannot be mapped is left
// out.
func (p *Provider) Remap(page health.RawPage) ([]health.Record, error) {
	m, err := p.remap("remap", page, newMapper(page))
	if err != nil {
		return nil, err
	}
	return m.records, nil
}

// MapArchive maps bodies that were kept from the time of the service, without a
// request. Page.Date is when the bodies are from, and the name of each tells
// what it answers, as in [providers.Page].Raw: what was asked for and, behind
// slashes, the first and the last day, such as "sleep/2025-01-01/2025-04-10".
//
// The records are those of Remap, except that they come from an import, and that
// a day's summary is mapped whole: an archive may not hold the time series that
// its totals are of otherwise. The result also tells what was set aside.
func (p *Provider) MapArchive(page health.RawPage) (providers.Page, error) {
	m := newMapper(page)
	m.path, m.whole = health.PathImport, true
	m, err := p.remap("import", page, m)
	if err != nil {
		return providers.Page{}, err
	}
	return m.result(), nil
}

func (p *Provider) remap(op string, page health.RawPage, m *mapper) (*mapper, error) {
	st, ok := p.streams[page.Stream]
	if !ok {
		return nil, providers.NoSuchStream(Name, op)
	}
	if err := m.run(st); err != nil {
		return nil, m.failed(op+" "+page.Stream, err)
	}
	return m, nil
}

// run maps the page.
func (m *mapper) run(st *stream) error {
	if err := st.mapPage(m); err != nil {
		return err
	}
	return m.finish()
}

// result returns what was mapped.
func (m *mapper) result() providers.Page {
	return providers.Page{
		Records: m.records, Raw: m.raw.Bodies, Date: m.raw.Date, Digest: m.digest(), Zone: m.personZone, Quarantined: m.quarantined,
	}
}

// fetch is one call of Fetch under way.
type fetch struct {
	p    *Provider
	st   *stream
	cred providers.Credential
	q    providers.Query
	op   string
	raw  health.RawPage
	left *providers.RateLeft // as the last answer told
	sent int                 // requests
}

// get makes one call and keeps its answer under the given name.
func (f *fetch) get(ctx context.Context, name string, request httpx.Request) error {
	f.sent++
	request.Op, request.User, request.Authorize = f.op, f.cred.UpstreamID, httpx.Bearer(f.cred.Access)
	resp, err := httpx.Call(ctx, f.p.client.Idempotent(), func(ctx context.Context) (*httpx.Response, error) {
		resp, err := f.p.client.Send(ctx, request)
		if err != nil {
			return nil, err
		}
		f.left = left(resp.Header, time.Now())
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

// page maps what was fetched.
func (f *fetch) page() (*mapper, providers.Page, error) {
	m := newMapper(f.raw)
	m.user = f.cred.UpstreamID
	if err := m.run(f.st); err != nil {
		return nil, providers.Page{}, m.failed(f.op, err)
	}
	page := m.result()
	page.Left = f.left
	return m, page, nil
}

// invalid is a query that cannot be asked.
func (f *fetch) invalid(code string) error {
	return &providers.Error{Provider: Name, Op: f.op, Kind: providers.ErrInvalid, Code: code}
}
