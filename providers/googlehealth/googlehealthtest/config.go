package googlehealthtest

import (
	"net/http"
	"sync"
	"time"
)

// Credentials and callback address of the application that a zero [Config] registers.
const (
	DefaultClientID     = "407408718192-f0n9s1mu1at0r.apps.googleusercontent.com"
	DefaultClientSecret = "GOCSPX-5imu1ated-5ecret-0f-a-te5t"
	DefaultRedirectURL  = "https://app.example.com/googlehealth/callback"
	// DefaultServiceToken is the access token of the project's service account.
	DefaultServiceToken = "ya29.service-account-of-the-simulator"
	// DefaultProject is the number of the Google Cloud project.
	DefaultProject = "407408718192"
)

// Paths of the simulated services, below the address where the Server is mounted.
const (
	AuthorizePath = "/o/oauth2/v2/auth"
	TokenPath     = "/token"
	RevokePath    = "/revoke"
	KeysetPath    = "/googlehealthapi/webhooks/webhooks_public_keyset.json"
)

// Config describes one simulated service. The zero value is ready to use.
type Config struct {
	// Seed decides everything that looks random: same seed, same world, same tokens.
	Seed uint64
	// ClientID and ClientSecret of the one registered application; empty means [DefaultClientID] and
	// [DefaultClientSecret].
	ClientID, ClientSecret string
	// RedirectURLs are the registered callback addresses, compared as they are; nil means [DefaultRedirectURL].
	RedirectURLs []string
	// AutoApprove is the health user id of who consents without seeing the consent page; empty shows the page.
	AutoApprove string
	// Testing is set for a project in testing: refresh tokens end after seven days.
	Testing bool
	// Now is the clock of the simulated service; nil means [time.Now].
	Now func() time.Time
	// Days of history a new user gets, ending now; 0 means 90.
	Days int
	// HeartRateEvery is the time between two heart rates; 0 means 5 minutes.
	HeartRateEvery time.Duration
	// IntervalsPerDay is how many intervals of steps, distance and the like a day has; 0 means 24.
	IntervalsPerDay int
	// RateLimit is how many requests per minute one person's token may make; 0 means 300, negative is off.
	RateLimit int
	// PageSize is the most data of one answer, whatever was asked for; 0 means 5000. Sleep and exercise have 25 at most.
	PageSize int
	// EmptyFirstPages is how often a list begins with an empty page that names a next one: one list in so many; 0 means 4,
	// negative never.
	EmptyFirstPages int
	// AccessTokenLife is how long access tokens are valid; 0 means an hour.
	AccessTokenLife time.Duration
	// Source, if set, has the days, sleeps and workouts of the users that it knows by their legacy id.
	Source Source
	// Client sends notifications and checks endpoints; nil means a client that waits five seconds for an answer.
	Client *http.Client
	// Project and ServiceToken are for the management of subscribers; empty means [DefaultProject] and
	// [DefaultServiceToken].
	Project, ServiceToken string
}

// Server is the simulated service. Create it with [New].
type Server struct {
	cfg Config

	mu       sync.Mutex
	users    []*user
	auth     authority
	rates    map[string][]time.Time
	faults   []*Fault
	requests []Request
	hooks    hooks
	keys     []signingKey // the last one signs
}

// New returns a service without users. It does not start goroutines and needs no closing.
func New(cfg Config) *Server {
	for _, text := range []struct {
		to      *string
		initial string
	}{
		{&cfg.ClientID, DefaultClientID}, {&cfg.ClientSecret, DefaultClientSecret}, {&cfg.Project, DefaultProject},
		{&cfg.ServiceToken, DefaultServiceToken},
	} {
		if *text.to == "" {
			*text.to = text.initial
		}
	}
	if cfg.RedirectURLs == nil {
		cfg.RedirectURLs = []string{DefaultRedirectURL}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Client == nil {
		cfg.Client = &http.Client{Timeout: 5 * time.Second}
	}
	cfg.Days = orDefault(cfg.Days, 90)
	cfg.HeartRateEvery = orDefault(cfg.HeartRateEvery, 5*time.Minute)
	cfg.IntervalsPerDay = orDefault(cfg.IntervalsPerDay, 24)
	cfg.RateLimit = orDefault(cfg.RateLimit, 300)
	cfg.PageSize = max(1, orDefault(cfg.PageSize, 5000))
	cfg.EmptyFirstPages = orDefault(cfg.EmptyFirstPages, 4)
	cfg.AccessTokenLife = orDefault(cfg.AccessTokenLife, time.Hour)
	s := &Server{cfg: cfg, rates: map[string][]time.Time{}}
	s.auth.init()
	s.keys = []signingKey{newSigningKey(cfg.Seed, 0)}
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
