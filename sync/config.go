package sync

import (
	"errors"
	"fmt"
	"log/slog"
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

	// Workers is how many connections Run works on at once; default 4.
	Workers int
	// Interval is how often a stream that does not say so itself is asked for
	// news; default 15 minutes. A tenth of it is added or taken at random.
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
	orDuration(&c.ChangeRetention, 30*day)
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
	refuse(c.Workers < 0, "Config.Workers is negative")
	refuse(c.Interval < 0, "Config.Interval is negative")
	refuse(c.ReconcileWindow < 0, "Config.ReconcileWindow is negative")
	refuse(c.MaxPages < 0 || c.Slice < 0, "Config.MaxPages or Config.Slice is negative")
	refuse(c.LeaseTTL < 3*time.Second || c.LeaseTTL > day,
		"Config.LeaseTTL is %v, want 3s to 24h", c.LeaseTTL)
	refuse(c.RefreshTimeout <= 0 || c.RefreshTimeout*3 > c.LeaseTTL,
		"Config.RefreshTimeout (%v) must be at most a third of LeaseTTL (%v)", c.RefreshTimeout, c.LeaseTTL)
	refuse(c.FlowTTL < 0, "Config.FlowTTL is negative")
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

func validName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' && i > 0 || c == '_' && i > 0) {
			return false
		}
	}
	return len(name) > 0 && len(name) <= 64
}
