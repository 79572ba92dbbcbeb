package terratest

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Credentials of the environment that a zero [Config] simulates.
const (
	DefaultDevID         = "simulated-dev-7f3a9c"
	DefaultAPIKey        = "4f1e8c0b6a2d4c9798e35d17b0f6a2c4"
	DefaultSigningSecret = "9b7e3a51c4d8f2066e1f0a9d8c7b6a5f4e3d2c1b0a99887766554433221100ff"
)

// Paths of the simulated hosts, below the address where the Server is mounted. In reality [LegacyAPIPath] is on
// api.tryterra.co, [APIPath] and the widget successors are on access.tryterra.co, the session page is on
// widget.tryterra.co and the stream is on ws.tryterra.co.
const (
	LegacyAPIPath = "/v2"
	APIPath       = "/api/v2"
	WidgetPath    = "/api/widget/session" // the successor of generateWidgetSession; also under /widget/api/session
	SessionPath   = "/session/"           // the page of a widget session
	ConsentPath   = "/consent/"           // the simulated login and consent page of a provider
	PayloadPath   = "/payloads/"          // what an s3_payload event points to
	ConsumerPath  = "/auth/developer"     // token of a stream consumer
	ProducerPath  = "/auth/user"          // token of a stream producer
	StreamPath    = "/connect"            // the WebSocket
)

// DataVersion is the version member of events.
const DataVersion = "2022-03-16"

// Lifetimes that the service documents.
const (
	sessionLife      = 900 * time.Second
	tokenLife        = 180 * time.Second
	limitWindow      = time.Hour
	maxLoggedRequest = 100_000
	maxBody          = 32 << 20 // of a request
)

// ErrorStyle is how the API host words its refusals.
type ErrorStyle int

// The styles. The legacy one is {"status":"error","message":"..."}, the other one is RFC 9457 problem details.
const (
	ErrorsByPath  ErrorStyle = iota // problem details under [APIPath], legacy under [LegacyAPIPath]
	ErrorsProblem                   // always problem details
	ErrorsLegacy                    // always legacy
)

// UserInfoShape is how userInfo answers when it is asked by reference_id.
type UserInfoShape int

// The shapes.
const (
	UserInfoArray  UserInfoShape = iota // a bare array
	UserInfoObject                      // {"users":[...]}
)

// Product is a part of the service that an account may not have.
type Product string

// The products. The code of a refusal, entitlement_required, is that of the specification of October 2026.
const (
	ProductPlannedWorkouts Product = "planned_workouts" // planning templates for people and moving what was planned
	ProductLabReports      Product = "lab_reports"
	ProductModels          Product = "models"
)

// Config describes one simulated environment. The zero value is ready to use.
type Config struct {
	// Seed decides everything that looks random: same seed, same calls, same identifiers and data.
	Seed uint64
	// DevID and APIKey are the credentials; empty means [DefaultDevID] and [DefaultAPIKey].
	DevID, APIKey string
	// SigningSecret signs deliveries to destinations that bring no secret; empty means [DefaultSigningSecret].
	SigningSecret string
	// BaseURL is where clients reach the Server, without a trailing slash. Empty means that it is taken from the most
	// recent request. It is part of widget, consent and payload addresses.
	BaseURL string
	// AllowLoopback permits redirect addresses on loopback hosts, over http and on any port. The real service asks for https.
	AllowLoopback bool
	// AutoApprove consents without showing the consent page.
	AutoApprove bool
	// Errors is how refusals are worded.
	Errors ErrorStyle
	// UserInfo is how userInfo answers by reference_id.
	UserInfo UserInfoShape
	// NoDestinationsOK answers a request for webhook delivery without destinations with HTTP 200 and a problem body,
	// as the service did before June 2026, and not with 400.
	NoDestinationsOK bool
	// RetireWidget answers generateWidgetSession with 410, as accounts opened after 3 September 2026 see it.
	RetireWidget bool
	// RetireWrites removes the write endpoints of activity, body and nutrition, which the specification of 2026 no longer has.
	RetireWrites bool
	// CancelledEvents announces a refused consent as auth_cancelled, and leaves the top-level reference_id out of auth
	// events, as the newer specification has it. Otherwise it is an auth event with status error.
	CancelledEvents bool
	// SuffixReference writes the chunk number of a large request into terra-reference too, as one page of the documentation has it.
	SuffixReference bool
	// ShuffleChunks enqueues large_request_sending and the chunks of a large request in an order taken from the seed.
	ShuffleChunks bool
	// Providers are the enabled ones, which GET /integrations lists when a dev-id is sent; nil means all.
	Providers []string
	// DisabledTypes are data types that were switched off on the dashboard.
	DisabledTypes []string
	// DisabledProducts are products that the environment does not have: their calls answer 403.
	DisabledProducts []Product
	// UserLimit is how many active users there may be (the service has 50 for testing and staging); 0 means no limit.
	UserLimit int
	// LargeDays is how many days a request may cover before it is a large one; 0 means 28.
	LargeDays int
	// ChunkElements is how many elements one chunk of a large request holds; 0 means 10.
	ChunkElements int
	// ChunkBytes bounds the size of a chunk; 0 means 10 MB. An element that is larger is a chunk of its own.
	ChunkBytes int
	// MaxSyncBytes is the size from which a synchronous answer is refused with 413; 0 means 32 MiB, negative is off.
	MaxSyncBytes int
	// RequestDays is the limit r1: days in one request; 0 means 1825, negative is off.
	RequestDays int
	// HourlyDays is the limit r2: requested days per user in a rolling hour; 0 means 6000, negative is off.
	HourlyDays int
	// RetryPlan are the waits between the attempts of a delivery; nil means 30 s doubling up to 8 h, ten retries.
	RetryPlan []time.Duration
	// DisableAfter is for how long a destination may fail without pause before it is disabled; 0 means 24 h, negative never.
	DisableAfter time.Duration
	// RestampRetries signs each attempt with its own time. Otherwise a retry repeats the time of the first attempt.
	RestampRetries bool
	// Parallel is how many deliveries are under way at once; 0 means 4. With 1 they keep their order.
	Parallel int
	// PayloadLife is how long the address in an s3_payload event works; 0 means 10 minutes.
	PayloadLife time.Duration
	// Heartbeat is the interval that the stream asks of its clients; 0 means 40 s.
	Heartbeat time.Duration
	// IdentifyWithin is how long a stream client has to identify itself; 0 means 15 s.
	IdentifyWithin time.Duration
	// MaxConsumers is how many stream consumers there may be at once; 0 means 5.
	MaxConsumers int
	// StreamHistory is how many dispatches are kept for a replay; 0 means 10,000.
	StreamHistory int
	// Days of history a new user gets, ending now; 0 means 90.
	Days int
	// HeartRateSamples is how many heart-rate samples a full day has; 0 means 144, 1440 is one a minute, negative none.
	HeartRateSamples int
	// Now is the clock of the simulated service; nil means [time.Now]. [Server.Advance] adds to it. It is called with
	// the lock of the Server held.
	Now func() time.Time
}

// Server is the simulated service. Create it with [New], end it with [Server.Close].
type Server struct {
	cfg       Config
	schema    map[string][]string
	providers []string
	sdk       []string
	client    *http.Client
	transport *http.Transport

	ctx   context.Context
	stop  context.CancelFunc
	group sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	changed  chan struct{} // closed and replaced whenever something happened to a delivery
	offset   time.Duration
	baseURL  string
	issued   uint64 // identifiers so far
	ordering int64  // the latest ordering timestamp

	users    []*user
	byID     map[string]*user
	worlds   map[string]*world // by provider and account
	flows    map[string]*flow
	sessions map[string]*widgetSession
	tokens   map[string]*mobileToken
	limits   map[string][]spent
	written  []Written
	faults   []*Fault
	requests []Request

	destinations []*destination
	deliveries   []*delivery
	pending      []*delivery
	inFlight     int
	held         bool
	dispatching  bool
	payloads     map[string]*payload

	templates []*template
	planned   []*plannedWorkout

	labs []*labReport
	runs []ModelRun

	stream stream
}

// New returns a service without users and destinations. It starts no goroutine before there is a destination.
func New(cfg Config) *Server {
	text := func(v *string, def string) {
		if *v == "" {
			*v = def
		}
	}
	text(&cfg.DevID, DefaultDevID)
	text(&cfg.APIKey, DefaultAPIKey)
	text(&cfg.SigningSecret, DefaultSigningSecret)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.LargeDays = orDefault(cfg.LargeDays, 28)
	cfg.ChunkElements = orDefault(cfg.ChunkElements, 10)
	cfg.ChunkBytes = orDefault(cfg.ChunkBytes, 10_000_000)
	cfg.MaxSyncBytes = orDefault(cfg.MaxSyncBytes, 32<<20)
	cfg.RequestDays = orDefault(cfg.RequestDays, 1825)
	cfg.HourlyDays = orDefault(cfg.HourlyDays, 6000)
	if cfg.RetryPlan == nil {
		for wait := 30 * time.Second; len(cfg.RetryPlan) < 10; wait *= 2 {
			cfg.RetryPlan = append(cfg.RetryPlan, min(wait, 8*time.Hour))
		}
	}
	cfg.DisableAfter = orDefault(cfg.DisableAfter, 24*time.Hour)
	cfg.Parallel = max(1, orDefault(cfg.Parallel, 4))
	cfg.PayloadLife = orDefault(cfg.PayloadLife, 10*time.Minute)
	cfg.Heartbeat = orDefault(cfg.Heartbeat, 40*time.Second)
	cfg.IdentifyWithin = orDefault(cfg.IdentifyWithin, 15*time.Second)
	cfg.MaxConsumers = orDefault(cfg.MaxConsumers, 5)
	cfg.StreamHistory = orDefault(cfg.StreamHistory, 10_000)
	cfg.Days = orDefault(cfg.Days, 90)
	cfg.HeartRateSamples = orDefault(cfg.HeartRateSamples, 144)

	// A destination gets each delivery directly: no proxy, no redirect.
	transport := &http.Transport{MaxIdleConnsPerHost: cfg.Parallel}
	s := &Server{
		cfg: cfg, baseURL: cfg.BaseURL, schema: parseSchema(), providers: webProviders(), sdk: sdkProviders(),
		transport: transport, changed: make(chan struct{}),
		client: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		byID:   map[string]*user{}, worlds: map[string]*world{}, flows: map[string]*flow{}, sessions: map[string]*widgetSession{},
		tokens: map[string]*mobileToken{}, limits: map[string][]spent{}, payloads: map[string]*payload{},
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.stream.init()
	return s
}

// Config returns the configuration in force, defaults filled in.
func (s *Server) Config() Config {
	cfg := s.cfg
	cfg.RetryPlan = slices.Clone(cfg.RetryPlan)
	return cfg
}

// Close ends deliveries, streams and hanging answers, and returns when all goroutines of the Server have ended. What was
// not delivered stays pending. A closed Server still answers requests, but delivers nothing.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop()
	s.group.Wait()
	s.transport.CloseIdleConnections()
}

// SetBaseURL sets the address where clients reach the Server, which is often known only once it listens.
func (s *Server) SetBaseURL(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.baseURL = address
}

// Now is the time at the simulated service.
func (s *Server) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now()
}

func (s *Server) now() time.Time { return s.cfg.Now().Add(s.offset) }

// Advance lets the clock of the service jump ahead: sessions, tokens and payload links end, retries become due, windows
// of limits pass. The published data stands still until [Server.CatchUp].
func (s *Server) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offset += d
	s.notify()
}

// notify wakes whoever waits for a change. s.mu is held.
func (s *Server) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func orDefault[T int | time.Duration](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
