package withingstest

import (
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Credentials and callback address of the application that a zero [Config] registers.
const (
	DefaultClientID     = "5f0c1a9b7d3e48627b9f1c0d4e6a8b2c5f0c1a9b7d3e48627b9f1c0d4e6a8b2c"
	DefaultClientSecret = "9d2e4f6a8b0c1d3e5f7a9b1c3d5e7f90a1b2c3d4e5f60718293a4b5c6d7e8f90"
	DefaultRedirectURL  = "https://app.example.com/withings/callback"
)

// Paths of the simulated services, below the address where the Server is mounted. In reality [AuthorizePath] is on
// account.withings.com and the others are on wbsapi.withings.net.
const (
	AuthorizePath = "/oauth2_user/authorize2"
	OAuthPath     = "/v2/oauth2"
	SignaturePath = "/v2/signature"
	MeasurePath   = "/measure"
	MeasureV2Path = "/v2/measure"
	SleepPath     = "/v2/sleep"
	HeartPath     = "/v2/heart"
	UserPath      = "/v2/user"
	NotifyPath    = "/notify"
)

// The scopes an application can ask for; on the wire they are joined with commas.
const (
	ScopeInfo        = "user.info"
	ScopeMetrics     = "user.metrics"
	ScopeActivity    = "user.activity"
	ScopeSleepEvents = "user.sleepevents"
)

// Status codes of the envelope that the simulator uses.
const (
	StatusOK                = 0
	StatusInsufficientScope = 277  // the token lacks the scope of the service
	StatusNoSubscription    = 286  // no notification for this callback and kind
	StatusBadCallback       = 293  // callback or redirect address refused
	StatusInvalidToken      = 401  // access token missing, unknown, expired or revoked
	StatusInvalidParams     = 503  // a parameter is missing, malformed, or excluded by another one
	StatusTimeout           = 522  // only by fault
	StatusTooManyRequests   = 601  // rate window full, or the same call again too soon
	StatusNotImplemented    = 2554 // unknown action
	StatusNoService         = 2556 // unknown path
)

// Lifetimes that the service documents.
const (
	codeLife         = 30 * time.Second
	nonceLife        = 30 * time.Minute
	refreshLife      = 365 * 24 * time.Hour
	refreshGrace     = 8 * time.Hour
	rateWindow       = time.Minute
	maxLoggedRequest = 100_000
)

// Config describes one simulated service. The zero value is ready to use.
type Config struct {
	// Seed decides everything that looks random: same seed, same world, same tokens.
	Seed uint64
	// ClientID and ClientSecret of the one registered application; empty means [DefaultClientID] and
	// [DefaultClientSecret].
	ClientID, ClientSecret string
	// RedirectURLs are the registered callback addresses; nil means [DefaultRedirectURL]. A redirect_uri must start
	// with one of them, have its host, use https and name neither an IP address nor localhost.
	RedirectURLs []string
	// AllowLoopback additionally permits registered redirect and callback addresses on loopback hosts, also over http
	// and on any port. The real service never does; it is for demonstrations without TLS.
	AllowLoopback bool
	// AutoApprove is the user who consents without seeing the consent page; 0 shows the page.
	AutoApprove int64
	// Now is the clock of the simulated service; nil means [time.Now]. All simulated time comes from it.
	Now func() time.Time
	// Days of history a new user gets, ending now; 0 means 90.
	Days int
	// IntradayDays is for how many of the last days of that history intraday points exist; 0 means 14, negative none.
	IntradayDays int
	// RateLimit is how many requests per minute the application may make; 0 means 120, negative is off.
	RateLimit int
	// PageSize is how many rows an answer holds where the service pages; 0 means 300.
	PageSize int
	// AccessTokenLife is how long access tokens are valid; 0 means 3 hours.
	AccessTokenLife time.Duration
	// IdenticalCallWindow is for how long a data call that was answered is refused when repeated with the same
	// arguments for the same user; 0 means 10 seconds, negative is off.
	IdenticalCallWindow time.Duration
	// Callbacks carries the requests that the service makes itself: the check of an address before notifications are
	// subscribed to it, and the notifications. Nil makes none: every address passes the check, nothing is sent.
	Callbacks http.RoundTripper
	// DropAfter is after how many failed tries in a row a subscription ends; 0 means never. An older text of the
	// service says four, and those of today say nothing of it.
	DropAfter int
	// Legacy is the OAuth 1.0 side of the service, which the real one closed in November 2018.
	Legacy LegacyConfig
}

// Server is the simulated service. Create it with [New].
type Server struct {
	cfg          Config
	routes       map[string]map[string]endpoint
	legacyRoutes map[string]map[string]func(*Server, *call) *refusal
	publicURL    *url.URL // of Config.Legacy; nil if it is empty

	mu       sync.Mutex
	users    []*user
	byID     map[int64]*user
	auth     authority
	legacy   legacyAuthority
	gate     gate
	faults   []*Fault
	requests []Request
	subs     []Subscription
	failed   map[Subscription]int // tries in a row, by subscription without its comment
	outbox   []*Notification      // in order of their making
	wake     chan struct{}        // has a value when the outbox has news
}

// New returns a service without users. It does not start goroutines and needs no closing. It panics if
// Legacy.PublicURL is not an address.
func New(cfg Config) *Server {
	if cfg.ClientID == "" {
		cfg.ClientID = DefaultClientID
	}
	if cfg.ClientSecret == "" {
		cfg.ClientSecret = DefaultClientSecret
	}
	if cfg.RedirectURLs == nil {
		cfg.RedirectURLs = []string{DefaultRedirectURL}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Days = orDefault(cfg.Days, 90)
	cfg.IntradayDays = orDefault(cfg.IntradayDays, 14)
	cfg.RateLimit = orDefault(cfg.RateLimit, 120)
	cfg.PageSize = max(1, orDefault(cfg.PageSize, 300))
	cfg.AccessTokenLife = orDefault(cfg.AccessTokenLife, 3*time.Hour)
	cfg.IdenticalCallWindow = orDefault(cfg.IdenticalCallWindow, 10*time.Second)
	cfg.Legacy = cfg.Legacy.withDefaults(cfg.RateLimit)
	s := &Server{
		cfg: cfg, byID: map[int64]*user{}, legacyRoutes: legacyRouteTable(),
		failed: map[Subscription]int{}, wake: make(chan struct{}, 1),
	}
	if cfg.Legacy.PublicURL != "" {
		u, err := url.Parse(cfg.Legacy.PublicURL)
		if err != nil || u.Host == "" {
			panic("withingstest: Legacy.PublicURL is not an address")
		}
		s.publicURL = u
	}
	s.auth.init()
	s.legacy.init()
	s.gate.answered = map[string]time.Time{}
	s.routes = s.routeTable()
	return s
}

// Config returns the configuration in force, defaults filled in.
func (s *Server) Config() Config { return s.cfg }

func orDefault[T int | time.Duration](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}
