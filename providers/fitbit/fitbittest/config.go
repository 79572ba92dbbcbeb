package fitbittest

import (
	"strings"
	"sync"
	"time"
)

// Credentials and addresses of the application that a zero [Config] registers.
const (
	DefaultClientID         = "23ABCD"
	DefaultClientSecret     = "123ab4567c890d123e4567f8abcdef9a"
	DefaultRedirectURL      = "https://app.example.com/fitbit/callback"
	DefaultVerificationCode = "4c9f1d27a1b0e8d36f5577aa29c1e0b44f9d2f6b8a0c3e5d7190ab2c4d6e8f01"
)

// Paths below the address where the Server is mounted.
const (
	AuthorizePath  = "/oauth2/authorize"
	TokenPath      = "/oauth2/token"
	RevokePath     = "/oauth2/revoke"
	IntrospectPath = "/1.1/oauth2/introspect"
)

// Scopes returns all scopes of the service.
func Scopes() []string {
	return []string{
		"activity", "cardio_fitness", "electrocardiogram", "heartrate", "irregular_rhythm_notifications", "location", "nutrition",
		"oxygen_saturation", "profile", "respiratory_rate", "settings", "sleep", "social", "temperature", "weight",
	}
}

const (
	codeLife      = 10 * time.Minute
	maxLogged     = 100_000
	maxForm       = 1 << 20
	deliveryLimit = 5 * time.Second
)

// Config describes one simulated service. The zero value is ready to use.
type Config struct {
	// Seed decides everything that looks random: same seed, same world, same tokens.
	Seed uint64
	// ClientID and ClientSecret of the one registered application; empty means [DefaultClientID] and
	// [DefaultClientSecret].
	ClientID, ClientSecret string
	// RedirectURLs are the registered callback addresses; nil means [DefaultRedirectURL]. They match as a whole.
	RedirectURLs []string
	// BaseURL is the address at which clients reach the Server, for the links in lists; empty means that of each request,
	// with https.
	BaseURL string
	// AutoApprove is the person who consents without seeing the consent page; empty shows the page.
	AutoApprove string
	// RequirePKCE refuses authorizations without a challenge.
	RequirePKCE bool
	// Now is the clock of the simulated service; nil means [time.Now].
	Now func() time.Time
	// Days of history a new person gets, ending today; 0 means 90.
	Days int
	// IntradayDays is for how many of the last days series within the day exist; 0 means 30, negative none.
	IntradayDays int
	// RateLimit is how many requests an hour each person has; 0 means 150, negative is off.
	RateLimit int
	// FrontRefusal makes every second refusal for too many requests that of what was in front of the service since 2025.
	FrontRefusal bool
	// PageSize is the most rows of a page of a list, whatever limit a client asks for; 0 means the limit it asks for.
	PageSize int
	// AccessTokenLife is how long access tokens are valid; 0 means 8 hours.
	AccessTokenLife time.Duration
	// RefreshGrace is how long a refresh token that was used gets the same answer again; 0 means never.
	RefreshGrace time.Duration
	// SleepPending makes the first answer about the sleep of the newest day say that it is still worked on.
	SleepPending bool
	// RetireAt is when the service ends; zero is never.
	RetireAt time.Time
	// SubscriberURL receives the notifications of [Server.Deliver]; VerificationCode is what its settings show, empty
	// means [DefaultVerificationCode].
	SubscriberURL, VerificationCode string
}

// Server is the simulated service. Create it with [New].
type Server struct {
	cfg Config

	mu       sync.Mutex
	people   []*person
	byID     map[string]*person
	auth     authority
	hours    map[string]hour // budgets by person
	refusals int
	faults   []*Fault
	requests []Request
	subs     []Subscription
	pending  []Notification
}

// New returns a service without people. It does not start goroutines and needs no closing.
func New(cfg Config) *Server {
	def := func(to *string, value string) {
		if *to == "" {
			*to = value
		}
	}
	def(&cfg.ClientID, DefaultClientID)
	def(&cfg.ClientSecret, DefaultClientSecret)
	def(&cfg.VerificationCode, DefaultVerificationCode)
	cfg.BaseURL = strings.TrimSuffix(cfg.BaseURL, "/")
	if cfg.RedirectURLs == nil {
		cfg.RedirectURLs = []string{DefaultRedirectURL}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Days == 0 {
		cfg.Days = 90
	}
	if cfg.IntradayDays == 0 {
		cfg.IntradayDays = 30
	}
	if cfg.RateLimit == 0 {
		cfg.RateLimit = 150
	}
	if cfg.AccessTokenLife == 0 {
		cfg.AccessTokenLife = 8 * time.Hour
	}
	s := &Server{cfg: cfg, byID: map[string]*person{}, hours: map[string]hour{}}
	s.auth.init()
	return s
}

// Config returns the configuration with its defaults filled in.
func (s *Server) Config() Config { return s.cfg }

// Retire ends the service at a time; zero is never.
func (s *Server) Retire(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cfg.RetireAt = at
}
