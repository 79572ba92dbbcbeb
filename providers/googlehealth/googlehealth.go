package googlehealth

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/httpx"
	"github.com/vitalmux/vitalmux/providers"
)

// Name is the name of the provider.
const Name = "googlehealth"

// Predecessor is the name of the provider whose accounts this service took over:
// see providers.Grant.Aliases.
const Predecessor = "fitbit"

// The addresses of the service.
const (
	DefaultBaseURL    = "https://health.googleapis.com"
	DefaultTokenURL   = "https://oauth2.googleapis.com"
	DefaultAccountURL = "https://accounts.google.com"
	// DefaultKeysetURL has the public keys of notifications.
	DefaultKeysetURL = "https://www.gstatic.com/googlehealthapi/webhooks/webhooks_public_keyset.json"
)

// The scopes for reading. ScopeNutrition is documented and missing in the
// service's own discovery document.
const (
	ScopeActivity     = "https://www.googleapis.com/auth/googlehealth.activity_and_fitness.readonly"
	ScopeMetrics      = "https://www.googleapis.com/auth/googlehealth.health_metrics_and_measurements.readonly"
	ScopeSleep        = "https://www.googleapis.com/auth/googlehealth.sleep.readonly"
	ScopeNutrition    = "https://www.googleapis.com/auth/googlehealth.nutrition.readonly"
	ScopeProfile      = "https://www.googleapis.com/auth/googlehealth.profile.readonly"
	ScopeSettings     = "https://www.googleapis.com/auth/googlehealth.settings.readonly"
	ScopeECG          = "https://www.googleapis.com/auth/googlehealth.ecg.readonly"
	ScopeIRN          = "https://www.googleapis.com/auth/googlehealth.irn.readonly"
	ScopeSymptoms     = "https://www.googleapis.com/auth/googlehealth.logged_symptoms.readonly"
	ScopeMindfulness  = "https://www.googleapis.com/auth/googlehealth.mindfulness.readonly"
	ScopeReproductive = "https://www.googleapis.com/auth/googlehealth.reproductive_health.readonly"
)

// Family is a choice among the sources of a person's data.
type Family string

// The families (Google Health API, "Data source families").
const (
	FamilyAll             Family = "all-sources"
	FamilyGoogleWearables Family = "google-wearables" // trackers and watches only: no manual entries
	FamilyGoogleSources   Family = "google-sources"
	FamilySelf            Family = "self-sources" // what this application wrote
)

// Config describes an OAuth client of a Google Cloud project.
type Config struct {
	// ClientID and ClientSecret of the OAuth client. Required.
	ClientID     string
	ClientSecret providers.Secret
	// RedirectURL is the registered callback address that is used when an
	// AuthRequest names none. May be empty.
	RedirectURL string
	// BaseURL is the address of the data service, TokenURL of the token service
	// and AccountURL of the consent page; empty means [DefaultBaseURL],
	// [DefaultTokenURL] and [DefaultAccountURL].
	BaseURL, TokenURL, AccountURL string
	// Streams to read, by name; nil means those that the package comment does
	// not call optional.
	Streams []string
	// Scopes asked for when an AuthRequest names none; nil means those that the
	// streams need.
	Scopes []string
	// BySource reads the points of each source for themselves (list), with the
	// device and the application they come from. False reads what the service
	// makes of all of them (reconcile): the numbers that its own application
	// shows, without a device. Types that have one of the two only are read that
	// way.
	BySource bool
	// Family narrows the sources; empty is all.
	Family Family
	// RequestsPerMinute is the budget of one person; 0 means 300, negative keeps
	// none.
	RequestsPerMinute int
	// MaxWait is the longest a call waits before another attempt; 0 means 5 s,
	// negative never waits.
	MaxWait time.Duration
	// Keyset is the public keyset of notifications in the JSON of Tink, for
	// services that cannot or should not fetch it. Empty means that it is fetched
	// from KeysetURL.
	Keyset []byte
	// KeysetURL is where the public keyset of notifications is; empty means
	// [DefaultKeysetURL] without a Keyset and none with one. With both, keys that
	// are in neither are looked for at the address.
	KeysetURL string
	// WebhookAuthorization is the complete value of the Authorization header
	// that the service was told at the registration of the endpoint
	// (endpointAuthorization.secret). Without it the service's check of the
	// endpoint fails.
	WebhookAuthorization providers.Secret
	// Transport sends the requests; nil is a transport of the adapter's own.
	Transport http.RoundTripper
	// Logger gets one debug line per request, and a warning for a consent that
	// ends by itself; nil is silent.
	Logger *slog.Logger
}

// defaultRequestsPerMinute is the service's quota for one person.
const defaultRequestsPerMinute = 300

// Provider is the adapter. Create it with [New].
type Provider struct {
	cfg          Config
	client       *httpx.Client // of the data
	tokens       *httpx.Client
	account      *url.URL
	keys         *keyring
	selected     map[string]*stream
	capabilities providers.Capabilities
}

var (
	_ providers.Provider      = (*Provider)(nil)
	_ providers.Authorizer    = (*Provider)(nil)
	_ providers.Refresher     = (*Provider)(nil)
	_ providers.Revoker       = (*Provider)(nil)
	_ providers.Remapper      = (*Provider)(nil)
	_ providers.WebhookParser = (*Provider)(nil)
	_ providers.WebhookProber = (*Provider)(nil)
	_ providers.WebhookKeyer  = (*Provider)(nil)
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
	for _, address := range []struct {
		to      *string
		initial string
	}{{&cfg.BaseURL, DefaultBaseURL}, {&cfg.TokenURL, DefaultTokenURL}, {&cfg.AccountURL, DefaultAccountURL}} {
		if *address.to == "" {
			*address.to = address.initial
		}
	}
	if cfg.RequestsPerMinute == 0 {
		cfg.RequestsPerMinute = defaultRequestsPerMinute
	}
	families := []Family{"", FamilyAll, FamilyGoogleWearables, FamilyGoogleSources, FamilySelf}
	if !slices.Contains(families, cfg.Family) {
		return wrong("no such data source family", nil)
	}
	p := &Provider{cfg: cfg, selected: make(map[string]*stream)}
	if cfg.RequestsPerMinute > 0 {
		p.capabilities.Limits = []providers.RateLimit{
			{Requests: cfg.RequestsPerMinute, Per: time.Minute, Scope: providers.LimitPerUser},
		}
	}
	for _, name := range cfg.Streams {
		if streamNamed(name) == nil {
			return wrong("no such stream", nil)
		}
	}
	for i := range streams {
		s := &streams[i]
		if cfg.Streams == nil && s.optional || cfg.Streams != nil && !slices.Contains(cfg.Streams, s.name) {
			continue
		}
		p.selected[s.name] = s
		p.capabilities.Streams = append(p.capabilities.Streams, s.facts())
	}
	if len(p.selected) == 0 {
		return wrong("no streams", nil)
	}
	p.capabilities.Rotation, p.capabilities.Push = providers.RotationNone, true
	if cfg.Scopes == nil {
		p.cfg.Scopes = p.capabilities.Scopes()
	}
	var err error
	base := httpx.Config{
		Provider: Name, BaseURL: cfg.BaseURL, Transport: cfg.Transport, Limits: p.capabilities.Limits, MaxWait: cfg.MaxWait,
		Logger: cfg.Logger, MaxBody: maxBody,
	}
	if p.client, err = httpx.New(base); err != nil {
		return wrong("base URL", err)
	}
	base.BaseURL, base.Limits, base.MaxBody = cfg.TokenURL, nil, 0
	if p.tokens, err = httpx.New(base); err != nil {
		return wrong("token URL", err)
	}
	if p.account, err = httpx.PageURL(Name, cfg.AccountURL); err != nil {
		return wrong("account URL", err)
	}
	if p.keys, err = newKeyring(cfg, base); err != nil {
		return wrong("keyset", err)
	}
	return p, nil
}

// maxBody is the longest answer: 10,000 points with all that may be told of each.
const maxBody = 24 << 20

// Name returns "googlehealth".
func (p *Provider) Name() string { return Name }

// Capabilities returns the facts about the service.
func (p *Provider) Capabilities() providers.Capabilities { return p.capabilities }

// Fetch returns one page of one stream.
func (p *Provider) Fetch(ctx context.Context, cred providers.Credential, q providers.Query) (providers.Page, error) {
	st := p.selected[q.Stream]
	if st == nil {
		return providers.Page{}, providers.NoSuchStream(Name, "fetch")
	}
	f := &fetch{p: p, st: st, cred: cred, q: q, op: "fetch " + q.Stream, raw: health.RawPage{Stream: q.Stream}}
	if q.Zone != nil && providers.IsZoneName(q.Zone.String()) {
		f.raw.Zone = q.Zone.String()
	}
	if q.HighWater != "" {
		return providers.Page{}, f.invalid(codeHighWater)
	}
	page, err := f.read(ctx)
	if err == nil {
		page.Requests = f.sent
	}
	return page, err
}

// Remap maps the stored bodies of a page again. A body that is not what its
// stream answers with is ErrMalformed; data of it that cannot be mapped is left
// out.
func (p *Provider) Remap(page health.RawPage) ([]health.Record, error) {
	st := streamNamed(page.Stream)
	if st == nil {
		return nil, providers.NoSuchStream(Name, "remap")
	}
	m := newMapper(st, page)
	if err := m.page(); err != nil {
		return nil, failed("remap "+page.Stream, err)
	}
	return m.records, nil
}
