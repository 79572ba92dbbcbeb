package sync

import (
	"context"
	"errors"
	"fmt"
	gosync "sync"
	"time"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

// Engine keeps connections complete and current. Make one with [New].
type Engine struct {
	cfg       Config
	storeID   string
	prints    []byte // key of the fingerprints of refresh tokens
	providers map[string]providers.Provider
	// capabilities are asked for once: they are constant.
	capabilities map[string]providers.Capabilities
	budget       Budget
	// circuits are by provider.
	circuits map[string]*circuit
	// wake tells Run that there may be something to do.
	wake chan struct{}
	// newJobs tells Run that there is a job.
	newJobs chan struct{}
	// received is what this process knows about deliveries.
	received *receiver
	// confirming has a place for each flow that providers are being asked about.
	confirming chan struct{}

	mu gosync.Mutex
	// works is what this process knows about its work, by connection; it is
	// a hint.
	works map[string]*work
	// flights are the refreshes under way, by connection, grant and generation.
	flights map[string]*flight
	// attempts are the refreshes of others that this process saw, by
	// connection.
	attempts map[string]seenAttempt
	// imported is set when the spill directory was looked into.
	imported bool
	// redirects are the redirect addresses in use, with their provider.
	redirects map[string]string
	// removalsAt is when interrupted removals were last looked for.
	removalsAt time.Time
}

// The errors of the engine itself.
var (
	// ErrConnectionState: the connection's state does not allow the work.
	ErrConnectionState = errors.New("sync: the connection cannot be worked on")
	// ErrLinked: the account at the provider is linked to another user.
	ErrLinked = errors.New("sync: the account is linked to another user")
	// ErrFlow: the connect flow is unknown, expired or was completed before.
	ErrFlow = errors.New("sync: unknown or expired connect flow")
	// ErrPending: the provider will tell by a delivery how the connect flow
	// ended; until then there is no connection.
	ErrPending = errors.New("sync: the provider has not told yet how the connect flow ended")
	// ErrDenied: the person did not consent.
	ErrDenied = errors.New("sync: consent denied")
)

// New returns an Engine, or all that is wrong with the config. It starts
// nothing. It asks the store which store it is, for at most 10 seconds, and
// returns [ErrKeys] when the Sealer cannot open what is in it.
func New(cfg Config) (*Engine, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	e := &Engine{
		cfg:          cfg,
		providers:    make(map[string]providers.Provider),
		capabilities: make(map[string]providers.Capabilities),
		budget:       cfg.Budget,
		wake:         make(chan struct{}, 1),
		newJobs:      make(chan struct{}, 1),
		received:     newReceiver(),
		confirming:   make(chan struct{}, maxConfirming),
		works:        make(map[string]*work),
		circuits:     make(map[string]*circuit),
		flights:      make(map[string]*flight),
		attempts:     make(map[string]seenAttempt),
		redirects:    make(map[string]string),
	}
	for _, p := range cfg.Providers {
		e.providers[p.Name()] = p
		e.capabilities[p.Name()] = cfg.bounded(p.Name(), p.Capabilities())
		e.circuits[p.Name()] = newCircuit(p.Name())
		if address := e.callbackURL(p.Name()); address != "" {
			e.redirects[address] = p.Name()
		}
	}
	if err := e.identify(context.Background()); err != nil {
		return nil, err
	}
	return e, nil
}

// Connections returns the connections of a user.
func (e *Engine) Connections(ctx context.Context, user string) ([]store.Connection, error) {
	if user == "" {
		return nil, fmt.Errorf("%w: empty user", store.ErrInvalid)
	}
	return e.cfg.Store.Connections(ctx, store.ConnectionQuery{User: user})
}

// ListConnections returns the connections of all users that the query selects,
// ordered by ID: those that need a new consent, for example.
func (e *Engine) ListConnections(ctx context.Context, q store.ConnectionQuery) ([]store.Connection, error) {
	return e.cfg.Store.Connections(ctx, q)
}

// Sync brings every stream of a connection up to date while the caller waits:
// one try, and the error is returned. A stream that fails does not keep the
// others from being read; the error is then theirs joined.
//
// Each call reads every stream, those first that were not read for the longest
// time. Where the limit of a service stops it, the error is
// [providers.ErrRateLimited] and Report.Waiting says until when; the next call
// goes on with the streams that this one did not come to, and then reads the
// others again. So nothing stays behind, but where all streams together take more
// requests than one period of the limit has, every call ends with that error: do
// not repeat Sync until there is none. Run spreads the reading.
//
// Sync returns [store.ErrLeaseHeld] when the connection is being worked on
// elsewhere. When ctx ends while a credential is being refreshed, Sync first waits
// for the answer, at most Config.RefreshTimeout, and ten seconds more for it to be
// stored: it would be lost otherwise. After ctx has ended no refresh begins.
func (e *Engine) Sync(ctx context.Context, connection string) (Report, error) {
	return e.foreground(ctx, connection, func(ctx context.Context, s *session) error {
		return s.syncAll(ctx)
	})
}

// Backfill reads the history of a connection since the given time while the
// caller waits. It continues a backfill that was interrupted, and reads no
// window twice that it completed before. See [Engine.Progress].
func (e *Engine) Backfill(ctx context.Context, connection string, since time.Time) (Report, error) {
	return e.foreground(ctx, connection, func(ctx context.Context, s *session) error {
		return s.backfill(ctx, since)
	})
}

// Remap maps the stored raw answers of a connection again with the adapters'
// code of today. Records that come out different change with cause "remap".
func (e *Engine) Remap(ctx context.Context, connection string) (Report, error) {
	return e.foreground(ctx, connection, func(ctx context.Context, s *session) error {
		return s.remap(ctx)
	})
}

func (e *Engine) foreground(ctx context.Context, connection string, work func(context.Context, *session) error) (Report, error) {
	s, working, err := e.open(ctx, connection)
	if err != nil {
		return Report{Connection: connection}, err
	}
	defer s.close()
	s.patience = max(0, e.cfg.MaxWait)
	about := AlarmEvent{Provider: s.conn.Provider, Connection: connection}
	err = s.settle(ctx, working, e.guard(ctx, "foreground", about, func() error { return work(working, s) }))
	return s.report, err
}

// Progress tells how far the backfill of each stream of a connection is.
// Streams without a backfill are left out.
func (e *Engine) Progress(ctx context.Context, connection string) ([]Progress, error) {
	c, err := e.cfg.Store.Connection(ctx, connection)
	if err != nil {
		return nil, err
	}
	var all []Progress
	for _, s := range e.capabilities[c.Provider].Streams {
		cur, err := e.cfg.Store.Cursor(ctx, connection, s.Name, store.LaneBackfill)
		if err != nil {
			return nil, err
		}
		pos, err := decodePosition(cur.HighWater)
		if err != nil || pos.Plan == nil {
			continue
		}
		all = append(all, progress(s, pos, now()))
	}
	return all, nil
}
