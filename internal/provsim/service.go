package provsim

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vitalmux/vitalmux/providers"
)

// The defaults of [Config] that both sides of a test need.
const (
	DefaultClientID      = "provsim-app"
	DefaultClientSecret  = "provsim-client-secret"
	DefaultSigningSecret = "provsim-signing-secret-1"
	DefaultRedirectURL   = "https://app.example.com/callback/provsim"
)

// Config describes a [Service]. In durations and counts 0 is the default and
// negative is off.
type Config struct {
	// Rotation is what a refresh does to the refresh token.
	Rotation providers.Rotation
	// AccessLife is how long an access token lives; default 1 hour.
	AccessLife time.Duration
	// GraceFor is how long a rotated refresh token is still accepted under
	// RotationGrace, if the new access token is not used; default 8 hours.
	GraceFor time.Duration
	// ReplayWindow is how long a rotated refresh token gets the same answer
	// under RotationReplay; default 1 minute.
	ReplayWindow time.Duration
	// CodeLife is how long a code lives; default 30 seconds.
	CodeLife time.Duration
	// SubscriptionLife is how long a subscription lives; default 30 days,
	// negative for ever.
	SubscriptionLife time.Duration
	// ClientID and ClientSecret of the one application; default
	// DefaultClientID and DefaultClientSecret.
	ClientID, ClientSecret string
	// RedirectURLs are the registered callback addresses; nil means
	// DefaultRedirectURL.
	RedirectURLs []string
	// Issuer is what iss says; empty means the address that was asked.
	Issuer string
	// SigningSecrets sign deliveries, all of them each one; nil means
	// DefaultSigningSecret.
	SigningSecrets []string
	// Unsigned sends deliveries without a signature.
	Unsigned bool
	// Restamp gives each attempt of a delivery a new timestamp; else all
	// attempts are the same bytes.
	Restamp bool
	// WebhookURL receives the deliveries of all people, besides the addresses
	// of subscriptions; empty for none.
	WebhookURL string
	// RetryAfter is the pause before the second attempt of a delivery, doubled
	// up to 64 times for later ones; default 1 second.
	RetryAfter time.Duration
	// Attempts is how often a delivery is tried; default 20, negative once.
	Attempts int
	// DeliveryTimeout is how long one attempt waits for the answer; default 5
	// seconds.
	DeliveryTimeout time.Duration
	// Seed decides about data, ids and tokens.
	Seed uint64
	// PageSize is how many rows a list has; default 100.
	PageSize int
	// Users is how many people there are at the start, named u1, u2, ...;
	// default 1, negative none.
	Users int
	// Days is how much history each of them has, today included; default 5,
	// negative none.
	Days int
	// LinkLife is how long an address that a delivery points to lives; default
	// 10 minutes.
	LinkLife time.Duration
	// LargeAfter is the longest window whose rows are in the answer: those of a
	// longer one come by deliveries, ChunkRows (default 10) in each. 0 is no
	// such window. With Disorder the deliveries are shuffled, and some are sent
	// twice.
	LargeAfter time.Duration
	ChunkRows  int
	Disorder   bool
	// OnFirstUse is called when an access token that a refresh or an exchange
	// gave arrives for the first time, before the answer, from several
	// goroutines. It is how a test looks whether the pair was stored before.
	OnFirstUse func(FirstUse)
}

// FirstUse is an access token that arrived for the first time, with the
// refresh token that came with it or, where there came none, that was shown
// for it.
type FirstUse struct{ User, Access, Refresh string }

func (c Config) withDefaults() Config {
	c.AccessLife = cmp.Or(c.AccessLife, time.Hour)
	c.GraceFor = cmp.Or(c.GraceFor, 8*time.Hour)
	c.ReplayWindow = cmp.Or(c.ReplayWindow, time.Minute)
	c.CodeLife = cmp.Or(c.CodeLife, 30*time.Second)
	c.SubscriptionLife = cmp.Or(c.SubscriptionLife, 30*24*time.Hour)
	c.ClientID = cmp.Or(c.ClientID, DefaultClientID)
	c.ClientSecret = cmp.Or(c.ClientSecret, DefaultClientSecret)
	if c.RedirectURLs == nil {
		c.RedirectURLs = []string{DefaultRedirectURL}
	}
	if c.SigningSecrets == nil {
		c.SigningSecrets = []string{DefaultSigningSecret}
	}
	c.RetryAfter = cmp.Or(c.RetryAfter, time.Second)
	c.Attempts = cmp.Or(c.Attempts, 20)
	c.DeliveryTimeout = cmp.Or(c.DeliveryTimeout, 5*time.Second)
	c.PageSize = max(cmp.Or(c.PageSize, 100), 1)
	c.LinkLife = cmp.Or(c.LinkLife, 10*time.Minute)
	c.ChunkRows = max(cmp.Or(c.ChunkRows, 10), 1)
	c.Users, c.Days = cmp.Or(c.Users, 1), cmp.Or(c.Days, 5)
	return c
}

// Service is the simulated service. Make one with [NewService].
type Service struct {
	cfg    Config
	mux    *http.ServeMux
	client *http.Client
	wake   chan struct{} // tells Run that there is something to send

	mu         sync.Mutex
	minted     []string // secrets, in the order they were made
	people     []*person
	grants     []*grant
	codes      map[string]*code
	access     map[string]*accessToken
	refresh    map[string]*refreshToken
	accesses   []*accessToken // in order of issue
	refreshes  []*refreshToken
	entries    []Entry
	subs       []*subscription
	faults     []*Fault
	deliveries []*delivery
	outbox     []*delivery // those that are neither accepted nor given up
	signing    []string
	nextID     int
	links      map[string]*link // by the secret in the address
	fetches    []Fetch
	lose       int
	requests   []string
}

// person is someone with an account.
type person struct {
	id   string
	rows map[string][]*Row // by stream, in order of At and ID
	last int64             // the latest Row.Modified
	// reference is what Known told.
	reference string
}

// NewService returns a service with its people. It starts nothing.
func NewService(cfg Config) *Service {
	cfg = cfg.withDefaults()
	s := &Service{
		cfg: cfg, mux: http.NewServeMux(), wake: make(chan struct{}, 1),
		codes: map[string]*code{}, access: map[string]*accessToken{}, refresh: map[string]*refreshToken{},
		signing: slices.Clone(cfg.SigningSecrets), links: map[string]*link{},
		client: &http.Client{
			Transport:     &http.Transport{MaxIdleConnsPerHost: deliverers},
			Timeout:       cfg.DeliveryTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	for i := range cfg.Users {
		s.addUser(fmt.Sprintf("u%d", i+1))
	}
	s.mux.HandleFunc("GET /oauth/authorize", s.authorize)
	s.mux.HandleFunc("POST /oauth/token", s.serve("token", s.token))
	s.mux.HandleFunc("POST /oauth/revoke", s.serve("revoke", s.revoke))
	s.mux.HandleFunc("GET /v1/{stream}", s.serve("data", s.list))
	s.mux.HandleFunc("GET /v1/subscriptions", s.serve("subscriptions", s.subscriptions))
	s.mux.HandleFunc("POST /v1/subscriptions", s.serve("subscriptions", s.subscribe))
	s.mux.HandleFunc("DELETE /v1/subscriptions/{id}", s.serve("subscriptions", s.unsubscribe))
	s.mux.HandleFunc("GET /payload/{link}", s.serve("payload", s.payload))
	s.mux.HandleFunc("POST /v1/users", s.serve("users", s.users))
	s.mux.HandleFunc("POST /control/{command}", s.control)
	return s
}

// ServeHTTP answers a request.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// call is one request at work.
type call struct {
	r     *http.Request
	form  url.Values // of the body
	entry int        // the index of its entry in the ledger; -1 for none
	fault *Fault
	// texts are what the placeholders of a fault's body stand for.
	texts map[string]string
	// first is set when the request brought an access token for the first time.
	first *FirstUse
}

// reply is an answer, or what takes its place.
type reply struct {
	status int
	header map[string]string
	body   []byte
}

func answer(status int, v any) reply {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // all that is answered is made here
	}
	return reply{status: status, body: body}
}

// refuse is a refusal with an error code, in the form of RFC 6749, 5.2.
func refuse(status int, code string) reply {
	return answer(status, map[string]string{"error": code})
}

const maxForm = 64 << 10

// serve returns the handler of one kind of request: it reads the form, notes
// what was shown, applies faults and lets work, which runs under the mutex,
// answer.
func (s *Service) serve(kind string, work func(*call) reply) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c := &call{r: r, entry: -1, texts: map[string]string{}}
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			s.write(w, c, refuse(http.StatusBadRequest, "invalid_request"))
			return
		}
		c.form = r.PostForm
		s.mu.Lock()
		s.arrived(kind, c)
		c.fault = s.takeFault(kind, c)
		s.mu.Unlock()
		if f := c.fault; f != nil {
			wait(r, f.Before)
			if !f.works() {
				s.outcome(c, "fault")
			}
			if f.Break == BreakBefore {
				panic(http.ErrAbortHandler)
			}
		}
		var out reply
		if c.fault.works() {
			s.mu.Lock()
			out = work(c)
			s.mu.Unlock()
		}
		if c.first != nil && s.cfg.OnFirstUse != nil {
			s.cfg.OnFirstUse(*c.first)
		}
		s.write(w, c, out)
	}
}

// write sends the answer, or what the call's fault makes of it.
func (s *Service) write(w http.ResponseWriter, c *call, out reply) {
	if f := c.fault; f != nil {
		wait(c.r, f.After)
		out = f.instead(c, out)
		if f.Break == BreakAfter {
			panic(http.ErrAbortHandler)
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	for name, value := range out.header {
		w.Header().Set(name, value)
	}
	body := out.body
	if c.fault != nil && c.fault.Break == BreakHalf {
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		body = body[:len(body)/2]
	}
	w.WriteHeader(out.status)
	_, _ = w.Write(body)
	if c.fault != nil && c.fault.Break == BreakHalf {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// wait waits, but not longer than the client.
func wait(r *http.Request, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	}
}

// mint returns the next secret: 40 hexadecimal digits that depend on the seed
// and on how many came before.
func (s *Service) mint() string {
	text := digits(s.cfg.Seed, "secret", uint64(len(s.minted)))
	s.minted = append(s.minted, text)
	return text
}

// digits returns 40 hexadecimal digits that depend on what is given.
func digits(seed uint64, purpose string, n uint64) string {
	b := binary.BigEndian.AppendUint64(nil, seed)
	b = binary.BigEndian.AppendUint64(b, n)
	sum := sha256.Sum256(append(b, purpose...))
	return hex.EncodeToString(sum[:20])
}

// name returns the next id with a prefix.
func (s *Service) name(prefix string) string {
	s.nextID++
	return fmt.Sprintf("%s%d", prefix, s.nextID)
}

var errUser = errors.New("provsim: no such user")

// find returns a person by id.
func (s *Service) find(id string) (*person, error) {
	for _, p := range s.people {
		if p.id == id {
			return p, nil
		}
	}
	return nil, errUser
}

// MintedSecrets returns all codes and tokens so far, and the client secret.
func (s *Service) MintedSecrets() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append(slices.Clone(s.minted), s.cfg.ClientSecret)
}

// Users returns the ids of all people.
func (s *Service) Users() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := make([]string, len(s.people))
	for i, p := range s.people {
		ids[i] = p.id
	}
	return ids
}

// AddUser adds a person with history, under an id that is not in use.
func (s *Service) AddUser(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.find(id); err == nil || id == "" || strings.ContainsAny(id, " \n") {
		return errors.New("provsim: the id is in use or not one")
	}
	s.addUser(id)
	return nil
}
