package withings

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/httpx"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/withings/oauth1"
)

// Name is the name of the provider.
const Name = "withings"

// The addresses of the service outside of the medical clouds.
const (
	DefaultBaseURL    = "https://wbsapi.withings.net"
	DefaultAccountURL = "https://account.withings.com"
	// LegacyBaseURL is where the data services were from June 2017 until
	// OAuth 1.0 ended on 30 November 2018; before, and beside it, they were at
	// [DefaultBaseURL].
	LegacyBaseURL = "https://api.health.nokia.com"
)

// The scopes.
const (
	ScopeInfo        = "user.info"        // devices and goals
	ScopeMetrics     = "user.metrics"     // measures and heart
	ScopeActivity    = "user.activity"    // activity, workouts and sleep
	ScopeSleepEvents = "user.sleepevents" // notifications of getting in and out of bed
)

// Config describes an application registered at Withings: for OAuth 2.0 and
// [New] by ClientID and ClientSecret, for OAuth 1.0 and [NewLegacy] by OAuth1.
// One of the two is set.
type Config struct {
	// ClientID and ClientSecret of an application of OAuth 2.0.
	ClientID     string
	ClientSecret providers.Secret
	// OAuth1 are the credentials of an application of OAuth 1.0.
	OAuth1 OAuth1
	// RedirectURL is the registered callback address that is used when an
	// AuthRequest names none. May be empty.
	RedirectURL string
	// BaseURL is the address of the data services; empty means
	// [DefaultBaseURL], or with OAuth1 [LegacyBaseURL]. AccountURL is the
	// address of the consent page; empty means [DefaultAccountURL], or with
	// OAuth1 [oauth1.DefaultAccountURL].
	BaseURL, AccountURL string
	// Scopes asked for when an AuthRequest names none; nil means
	// user.info, user.metrics and user.activity. OAuth 1.0 has none.
	Scopes []string
	// RequestsPerMinute is the budget of the application, shared by all of
	// its users; 0 means 120, or 60 with OAuth1, negative keeps none.
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

// OAuth1 are the credentials of an application registered for OAuth 1.0.
type OAuth1 struct {
	// ConsumerKey and ConsumerSecret of the application. Both or neither.
	ConsumerKey    string
	ConsumerSecret providers.Secret
	// Nonce and Now are those of [oauth1.Signer]; nil means random and
	// time.Now.
	Nonce func() string
	Now   func() time.Time
	// Trace, if set, gets the steps of each signature before it is used, from
	// the goroutine that signs.
	Trace func(oauth1.Trace)
}

// given reports whether there is any part of the credentials.
func (o OAuth1) given() bool { return o.ConsumerKey != "" || !o.ConsumerSecret.IsZero() }

const (
	defaultRequestsPerMinute = 120
	defaultECGsPerPage       = 20
)

// service is what the two eras of the interface share.
type service struct {
	cfg          Config
	client       *httpx.Client
	capabilities providers.Capabilities
	streams      map[string]*stream
	// legacy: the era of OAuth 1.0.
	legacy bool
}

// Provider is the adapter of the OAuth 2.0 era. Create it with [New].
type Provider struct {
	service
	account *url.URL
}

var (
	_ providers.Provider      = (*Provider)(nil)
	_ providers.Authorizer    = (*Provider)(nil)
	_ providers.Refresher     = (*Provider)(nil)
	_ providers.Migrator      = (*Provider)(nil)
	_ providers.Revoker       = (*Provider)(nil)
	_ providers.Subscriber    = (*Provider)(nil)
	_ providers.WebhookParser = (*Provider)(nil)
	_ providers.WebhookProber = (*Provider)(nil)
	_ providers.Remapper      = (*Provider)(nil)
)

// New returns the adapter for OAuth 2.0, or an error of class ErrInvalid for a
// configuration that cannot work.
func New(cfg Config) (*Provider, error) {
	switch {
	case cfg.OAuth1.given():
		return nil, misconfigured("OAuth 1.0 credentials are for NewLegacy")
	case cfg.ClientID == "" || cfg.ClientSecret.IsZero():
		return nil, misconfigured("client id and client secret are required")
	}
	cfg.BaseURL = cmp.Or(cfg.BaseURL, DefaultBaseURL)
	cfg.AccountURL = cmp.Or(cfg.AccountURL, DefaultAccountURL)
	if cfg.Scopes == nil {
		cfg.Scopes = []string{ScopeInfo, ScopeMetrics, ScopeActivity}
	}
	cfg.RequestsPerMinute = cmp.Or(cfg.RequestsPerMinute, defaultRequestsPerMinute)
	cfg.ECGsPerPage = cmp.Or(cfg.ECGsPerPage, defaultECGsPerPage)
	account, err := httpx.PageURL(Name, cfg.AccountURL)
	if err != nil {
		return nil, &providers.Error{Provider: Name, Op: "configure", Kind: providers.ErrInvalid, Detail: "account URL", Err: err}
	}
	p := &Provider{account: account}
	p.cfg, p.streams = cfg, streams
	if err := p.connect(); err != nil {
		return nil, err
	}
	p.capabilities.Streams = p.streamFacts(streamOrder[:])
	p.capabilities.Rotation = providers.RotationGrace
	p.capabilities.Topics = topics()
	return p, nil
}

func misconfigured(detail string) error {
	return &providers.Error{Provider: Name, Op: "configure", Kind: providers.ErrInvalid, Detail: detail}
}

// connect makes the client of the data services and the capabilities that both
// eras have.
func (s *service) connect() error {
	var limits []providers.RateLimit
	if s.cfg.RequestsPerMinute > 0 {
		limits = []providers.RateLimit{{Requests: s.cfg.RequestsPerMinute, Per: time.Minute, Scope: providers.LimitPerApp}}
	}
	var err error
	s.client, err = httpx.New(httpx.Config{
		Provider: Name, BaseURL: s.cfg.BaseURL, Transport: s.cfg.Transport, Limits: limits, MaxWait: s.cfg.MaxWait, Logger: s.cfg.Logger,
	})
	if err != nil {
		return &providers.Error{Provider: Name, Op: "configure", Kind: providers.ErrInvalid, Err: err}
	}
	s.capabilities = providers.Capabilities{
		Push: true, Limits: limits,
		// A code lives 30 seconds; the person may take longer to consent.
		AuthLifetime: 10 * time.Minute,
	}
	return nil
}

// Name returns "withings".
func (s *service) Name() string { return Name }

// Capabilities returns the facts about the service.
func (s *service) Capabilities() providers.Capabilities { return s.capabilities }

// Fetch returns one page of one stream.
func (s *service) Fetch(ctx context.Context, cred providers.Credential, q providers.Query) (providers.Page, error) {
	op := "fetch " + q.Stream
	st, ok := s.streams[q.Stream]
	if !ok {
		return providers.Page{}, providers.NoSuchStream(Name, "fetch")
	}
	f := &fetch{s: s, st: st, cred: cred, q: q, op: op, raw: health.RawPage{Stream: q.Stream}}
	if q.Zone != nil && providers.IsZoneName(q.Zone.String()) {
		f.raw.Zone = q.Zone.String()
	}
	page, err := st.fetch(ctx, f)
	if err == nil {
		page.Requests = f.sent
	}
	return page, err
}

// Remap maps the stored bodies of a page again, of either era. A body that is
// not what its stream answers with is ErrMalformed; data of it that cannot be
// mapped is left out.
func (s *service) Remap(page health.RawPage) ([]health.Record, error) {
	st, ok := streams[page.Stream]
	if !ok {
		return nil, providers.NoSuchStream(Name, "remap")
	}
	m := newMapper(page)
	if err := st.mapPage(m); err != nil {
		return nil, m.failed("remap "+page.Stream, err)
	}
	return m.records, nil
}

// fetch is one call of Fetch under way.
type fetch struct {
	s    *service
	st   *stream
	cred providers.Credential
	q    providers.Query
	op   string
	raw  health.RawPage
	sent int // requests
}

// call makes one data call and keeps its answer under the given name.
func (f *fetch) call(ctx context.Context, name, path string, form url.Values) error {
	f.sent++
	resp, err := f.s.call(ctx, f.op, path, form, f.cred)
	if err != nil {
		return err
	}
	if f.raw.Date.IsZero() {
		f.raw.Date = resp.Date
	}
	if f.s.legacy {
		name = legacyBodies + name
	}
	f.raw.Bodies = append(f.raw.Bodies, health.RawBody{Name: name, Body: resp.Body})
	return nil
}

// call makes one call of a data service for a person, as the era wants it.
func (s *service) call(ctx context.Context, op, path string, form url.Values, cred providers.Credential) (*httpx.Response, error) {
	r := httpx.Request{Op: op, Path: path, User: cred.UpstreamID}
	if s.legacy {
		if err := s.signedCall(&r, form, cred); err != nil {
			return nil, err
		}
	} else {
		if err := checkPair(op, cred); err != nil {
			return nil, err
		}
		r.Form, r.Authorize = form, httpx.Bearer(cred.Access)
	}
	resigned := false
	return httpx.Call(ctx, s.client.Idempotent(), func(ctx context.Context) (*httpx.Response, error) {
		for {
			resp, err := s.client.Send(ctx, r)
			if err != nil {
				return nil, err
			}
			err = s.failure(op, resp)
			if s.legacy && !resigned && refusedSignature(err) {
				resigned = true // a nonce may collide
				continue
			}
			return resp, err
		}
	})
}

// checkPair refuses a credential of OAuth 1.0, which the service of today would
// answer with a refusal that reads like one of the person's consent.
func checkPair(op string, cred providers.Credential) error {
	if cred.TokenSecret.IsZero() {
		return nil
	}
	return &providers.Error{
		Provider: Name, Op: op, Kind: providers.ErrInvalid, Code: codeEra, ClientFault: true,
		Detail: "the credential is of OAuth 1.0: migrate the connection",
	}
}

// page maps what was fetched.
func (f *fetch) page() (*mapper, providers.Page, error) {
	m := newMapper(f.raw)
	m.user = f.cred.UpstreamID
	if err := f.st.mapPage(m); err != nil {
		return nil, providers.Page{}, m.failed(f.op, err)
	}
	zone := m.personZone
	if f.q.Zone != nil && m.zoneIsOld() {
		zone = "" // what is known is newer
	}
	return m, providers.Page{
		Records: m.records, Raw: f.raw.Bodies, Date: f.raw.Date, Digest: m.pageDigest(),
		Zone: zone, Quarantined: m.quarantined,
	}, nil
}

// invalid is a query that cannot be asked.
func (f *fetch) invalid(code string) error {
	return &providers.Error{Provider: Name, Op: f.op, Kind: providers.ErrInvalid, Code: code}
}

// joined returns a list the way the service wants it.
func joined(list []string) string { return strings.Join(list, ",") }

// streamFacts returns the facts of the era's streams in the given order.
func (s *service) streamFacts(order []string) []providers.Stream {
	facts := make([]providers.Stream, 0, len(order))
	for _, name := range order {
		stream := s.streams[name].facts
		stream.Name = name
		if name == streamHeart {
			stream.CallsPerPage = 1 + max(0, s.cfg.ECGsPerPage)
		}
		facts = append(facts, stream)
	}
	return facts
}
