package sync

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

// Config configures an [Engine]. In every duration and count, zero means the
// documented default.
type Config struct {
	// Providers are the adapters, each under its own name. Required.
	Providers []providers.Provider
	// Store keeps everything. Required; the engine does not close it.
	Store store.Store
	// Sealer encrypts credentials before they reach the store. Required.
	Sealer Sealer
	// Logger receives the engine's log; nil is silent.
	Logger *slog.Logger
	// Hooks are called as things happen; the zero value calls nothing.
	Hooks Hooks

	// Workers is how many connections Run works on at once; default 4, negative
	// for none: then somebody else calls [Engine.Work] for what [Engine.Due]
	// returns, and Run does all the rest.
	Workers int
	// Budget keeps the rate limits of the providers; nil is a Budget for this
	// process alone. Processes that share an application share one Budget.
	Budget Budget
	// Interval is how often a stream that does not say so itself is asked for
	// news; default 15 minutes. A tenth of it is added or taken at random.
	// All connections together have to fit into the limits of an application: one
	// of Withings takes about 70 requests an hour at 15 minutes, so that 120 a
	// minute are enough for a hundred. More take turns, and each is read less often.
	// For those, and where notifications tell what is new, choose hours.
	Interval time.Duration
	// History is how far a newly completed connection is read back; default
	// 90 days, negative for nothing.
	History time.Duration
	// ReconcileEvery is how often Run reads ReconcileWindow again, to find
	// what changed without notice; default 24 hours, negative for never.
	ReconcileEvery time.Duration
	// ReconcileWindow is how far a reconciliation reaches back; default 30 days.
	ReconcileWindow time.Duration
	// LeaseTTL is how long a lease on a connection lasts without renewal;
	// default 90 seconds, at least 3 seconds.
	LeaseTTL time.Duration
	// RefreshTimeout bounds one refresh of a credential; default 30 seconds.
	// It must be at most a third of LeaseTTL.
	RefreshTimeout time.Duration
	// MaxWait is the longest the engine waits for a rate limit while a caller
	// of Sync or Backfill waits for it; default 60 seconds, negative for not
	// at all.
	MaxWait time.Duration
	// MaxPages ends a walk that does not come to an end; default 100,000.
	MaxPages int
	// Slice is how many pages of one connection Run reads before it lets
	// others have a turn; default 50. A walk that may find deletions and was
	// begun may take as many for itself.
	Slice int
	// FlowTTL is how long a person may take to consent; default 10 minutes.
	FlowTTL time.Duration
	// PublicURL is the address under which the world reaches what
	// [Engine.Handler] serves, without a slash at the end:
	// "https://api.example.com/vitalmux". Empty: no callback addresses and no
	// subscriptions. It must be https, except on a loopback host.
	PublicURL string
	// ReturnTo are the addresses that a person's browser may be sent to when a
	// connect flow has ended, by a name that begins the flow. Nothing else is
	// ever redirected to.
	ReturnTo map[string]string
	// Authenticate tells which of the host's users a request to begin a
	// connect flow is from; an error refuses it. Nil: [Engine.Handler] begins
	// no flows, the host calls [Engine.Connect].
	Authenticate func(*http.Request) (user string, err error)

	// SpillDir is a directory for credentials that were refreshed and could
	// not be stored before the process had to end: sealed, in files of mode
	// 0600, taken in before the first work, and by Run, of any engine with the
	// same directory, store and keys. Empty: none; such a credential is then
	// lost.
	SpillDir string
	// SealRaw seals raw answers, and the raw data of quarantine, with a key of
	// their user's, which Erase destroys: what is left of them in backups
	// cannot be read any more.
	SealRaw bool
	// ParkFor is how long a delivery about an unknown person, or about one
	// whose consent is missing, is kept, and how long one that this engine has
	// no provider for is left to others; default 7 days, negative for ever.
	ParkFor time.Duration
	// KeepDead is how long a dead letter is kept, counted from when it
	// arrived; default 90 days, negative for ever. Erase cannot find a person
	// in a delivery that could not be read: this bounds how long such a one
	// outlives the erasure.
	KeepDead time.Duration
	// DeliveryAttempts is how often work on a delivery is tried before it
	// becomes a dead letter; default 8.
	DeliveryAttempts int
	// DeliveryBytes bounds the memory of deliveries that are being received;
	// default 256 MiB.
	DeliveryBytes int64
	// SpoolDir is the directory for the files that hold deliveries of 1 MiB and
	// more while they are received or fetched and read, of mode 0600 and removed
	// at once; default [os.TempDir]. There are at most 32 that are being
	// received, and as many again as are worked on, of 64 MiB at most.
	SpoolDir string

	// ConsentNotice is how long before a consent ends by itself Run tells the
	// host, by [Hooks].ConsentEnding; default 48 hours, negative for not at all.
	ConsentNotice time.Duration

	// PeopleEvery is how often Run compares the people that a provider knows
	// with the connections, where the provider tells; default 24 hours, negative
	// for never.
	PeopleEvery time.Duration

	// ChangeRetention is how long the change feed is kept; default 30 days,
	// negative for ever.
	ChangeRetention time.Duration
}

// withDefaults returns the config with zero fields filled in, or what is wrong
// with it.
func (c Config) withDefaults() (Config, error) {
	orDuration := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
	}
	orInt := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	orInt(&c.Workers, 4)
	orDuration(&c.Interval, 15*time.Minute)
	orDuration(&c.History, 90*day)
	orDuration(&c.ReconcileEvery, day)
	orDuration(&c.ReconcileWindow, 30*day)
	orDuration(&c.LeaseTTL, 90*time.Second)
	orDuration(&c.RefreshTimeout, 30*time.Second)
	orDuration(&c.MaxWait, time.Minute)
	orInt(&c.MaxPages, 100_000)
	orInt(&c.Slice, 50)
	orDuration(&c.FlowTTL, 10*time.Minute)
	orDuration(&c.ParkFor, 7*day)
	orDuration(&c.KeepDead, 90*day)
	orDuration(&c.PeopleEvery, day)
	orDuration(&c.ConsentNotice, 2*day)
	orInt(&c.DeliveryAttempts, 8)
	if c.DeliveryBytes == 0 {
		c.DeliveryBytes = 256 << 20
	}
	orDuration(&c.ChangeRetention, 30*day)
	if c.Budget == nil {
		c.Budget = newBudget()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}

	var errs []error
	refuse := func(when bool, format string, args ...any) {
		if when {
			errs = append(errs, fmt.Errorf("sync: "+format, args...))
		}
	}
	refuse(len(c.Providers) == 0, "Config.Providers is empty")
	refuse(c.Store == nil, "Config.Store is missing")
	refuse(c.Sealer == nil, "Config.Sealer is missing: credentials are never stored in the clear")
	refuse(c.Interval < 0, "Config.Interval is negative")
	refuse(c.ReconcileWindow < 0, "Config.ReconcileWindow is negative")
	refuse(c.MaxPages < 0 || c.Slice < 0, "Config.MaxPages or Config.Slice is negative")
	refuse(c.LeaseTTL < 3*time.Second || c.LeaseTTL > day,
		"Config.LeaseTTL is %v, want 3s to 24h", c.LeaseTTL)
	refuse(c.RefreshTimeout <= 0 || c.RefreshTimeout*3 > c.LeaseTTL,
		"Config.RefreshTimeout (%v) must be at most a third of LeaseTTL (%v)", c.RefreshTimeout, c.LeaseTTL)
	refuse(c.FlowTTL < 0 || c.FlowTTL > day, "Config.FlowTTL is %v, want at most 24h", c.FlowTTL)
	refuse(c.DeliveryAttempts < 0, "Config.DeliveryAttempts is negative")
	refuse(c.DeliveryBytes < 0, "Config.DeliveryBytes is negative")
	if c.PublicURL != "" {
		err := checkAddress(c.PublicURL, false)
		refuse(err != nil, "Config.PublicURL: %w", err)
		refuse(strings.HasSuffix(c.PublicURL, "/") || strings.Contains(c.PublicURL, "?"),
			"Config.PublicURL must end without a slash and without a query")
	}
	refuse(c.PublicURL == "" && c.Authenticate != nil, "Config.Authenticate needs Config.PublicURL")
	for name, address := range c.ReturnTo {
		refuse(!validID(name), "Config.ReturnTo: name %q: want 1 to 64 letters, digits, '_' and '-'", name)
		err := checkAddress(address, true)
		refuse(err != nil, "Config.ReturnTo: %q: %w", name, err)
	}
	seen := make(map[string]bool)
	for _, p := range c.Providers {
		if p == nil {
			refuse(true, "Config.Providers holds nil")
			continue
		}
		name := p.Name()
		refuse(!validName(name), "provider name %q: want lower-case letters, digits and underscores", name)
		refuse(seen[name], "two providers have the name %q", name)
		seen[name] = true
		if parser, ok := p.(providers.WebhookParser); ok {
			traits := parser.WebhookTraits()
			refuse(traits.MaxBody < 0 || traits.MaxBody > maxDelivery,
				"provider %q: deliveries of up to %d bytes, want at most %d", name, traits.MaxBody, maxDelivery)
			refuse(traits.Deadline < 0, "provider %q: the deadline of deliveries is negative", name)
			refuse(traits.Accepted != 0 && traits.Accepted/100 != 2,
				"provider %q: deliveries are accepted with %d, want 2xx", name, traits.Accepted)
			refuse(traits.Refused != 0 && (traits.Refused/100 != 4 || traits.Refused == http.StatusGone),
				"provider %q: deliveries are refused with %d, want 4xx but 410", name, traits.Refused)
			for _, header := range traits.Header {
				header = http.CanonicalHeaderKey(header)
				refuse(slices.Contains([]string{"Authorization", "Proxy-Authorization", "Cookie"}, header),
					"provider %q: header %s of deliveries would be stored", name, header)
			}
		}
		streams := make(map[string]bool)
		for _, s := range p.Capabilities().Streams {
			refuse(!validName(s.Name), "provider %q: stream name %q", name, s.Name)
			refuse(streams[s.Name], "provider %q: two streams have the name %q", name, s.Name)
			refuse(s.MaxWindow < 0 || s.Grain == providers.GrainDay && s.MaxWindow%day != 0,
				"provider %q: stream %q: MaxWindow %v", name, s.Name, s.MaxWindow)
			streams[s.Name] = true
		}
	}
	return c, errors.Join(errs...)
}

// maxDelivery bounds what an adapter may ask to be read of one delivery.
const maxDelivery = 1 << 30

// maxLookback bounds how much is read again with each turn.
const maxLookback = 366 * day

// bounded returns the capabilities with look-backs of at most maxLookback, and
// with what may tell a person's zone before other streams. That a look-back is at
// least a day is seen to where windows are planned.
func (c Config) bounded(provider string, facts providers.Capabilities) providers.Capabilities {
	facts.Streams = slices.Clone(facts.Streams)
	zoneFirst(facts.Streams)
	for i, s := range facts.Streams {
		if s.Lookback > maxLookback {
			c.Logger.Warn("look-back is cut", "provider", provider, "stream", s.Name, "lookback", s.Lookback, "used", maxLookback)
			facts.Streams[i].Lookback = maxLookback
		}
	}
	return facts
}

// checkAddress reports what makes an address unfit to send a browser to: it must
// be https with a host, or http on a loopback host, without user, fragment or
// wildcard. With apps it may also be of a private-use scheme, which has a dot
// (RFC 8252, section 7.1). The error does not hold the address.
func checkAddress(address string, apps bool) error {
	if len(address) > 2048 || strings.ContainsAny(address, "*\\ \t\r\n") {
		return errors.New("too long, or with a wildcard, a backslash or a space")
	}
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return errors.New("not an address")
	case u.User != nil || u.Fragment != "" || strings.Contains(address, "#"):
		return errors.New("with a user or a fragment")
	case apps && strings.Contains(u.Scheme, ".") && u.Opaque == "":
		return nil
	case u.Hostname() == "" || u.Opaque != "":
		return errors.New("without a host")
	case u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	}
	return errors.New("not https")
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func validID(id string) bool {
	for i := range len(id) {
		c := id[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-') {
			return false
		}
	}
	return len(id) > 0 && len(id) <= 64
}

func validName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' && i > 0 || c == '_' && i > 0) {
			return false
		}
	}
	return len(name) > 0 && len(name) <= 64
}
