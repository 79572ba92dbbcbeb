package sync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/internal/failpoint"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

// session is the work of one goroutine on one connection, under its lease.
type session struct {
	*Engine
	// caller is the context of whoever wants the work: it does not end with
	// the lease, and so says whether a refresh is still wanted.
	caller   context.Context
	conn     store.Connection
	provider providers.Provider
	caps     providers.Capabilities
	lease    store.Lease
	report   Report
	// patience is the longest wait for a rate limit.
	patience time.Duration
	// pages is how many more pages may be read before others have a turn;
	// negative is without end.
	pages int
	// background is set when Run does the work: streams are then asked at
	// their own interval only.
	background bool
	// rawKey seals raw data; nil until it is needed.
	rawKey *rawSealer

	cred       providers.Credential
	grant      string
	generation int64
	// issuedAt is when the pair was made, refreshAt when it should be refreshed.
	issuedAt, refreshAt time.Time
	// fresh is set when the pair was just refreshed and not used yet,
	// leftovers when something is kept in case that its access token is not
	// taken.
	fresh, leftovers bool

	// pendingUntil is when the first of the lanes that wait for deliveries
	// does not wait any more; zero if none does.
	pendingUntil time.Time

	stopRenewal func()
}

// leaseSync names the lease that all reading for a connection is done under.
const leaseSync = "sync"

// errYield ends a session whose share of pages is used up.
var errYield = errors.New("sync: turn over")

// waitError says that the work has to wait: for a rate limit, or for deliveries.
type waitError struct {
	until time.Time
	err   error
	// With a wait for room in a limit that all connections of a provider share:
	// the provider, and how far apart the requests are that just use the limit up.
	provider string
	pace     time.Duration
}

func (w *waitError) Error() string { return "sync: waiting: " + w.err.Error() }
func (w *waitError) Unwrap() error { return w.err }

// open begins a session. The returned context ends when the lease is lost.
func (e *Engine) open(ctx context.Context, connection string) (*session, context.Context, error) {
	return e.openIf(ctx, connection, e.workable)
}

// openIf begins a session on a connection that is fit for it.
func (e *Engine) openIf(
	ctx context.Context, connection string, fit func(context.Context, string) (store.Connection, error),
) (*session, context.Context, error) {
	if err := e.importOnce(ctx); err != nil {
		return nil, nil, err
	}
	if _, err := fit(ctx, connection); err != nil {
		return nil, nil, err
	}
	lease, err := e.cfg.Store.Acquire(ctx, connection, leaseSync, e.cfg.LeaseTTL)
	if err != nil {
		return nil, nil, err
	}
	s := &session{Engine: e, caller: ctx, lease: lease, pages: -1, report: Report{Connection: connection}}
	// Whoever held the lease before may have changed the connection.
	if s.conn, err = fit(ctx, connection); err != nil {
		s.release()
		return nil, nil, err
	}
	s.provider, s.caps = e.providers[s.conn.Provider], e.capabilities[s.conn.Provider]
	working, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.renew(working, cancel, lease)
	}()
	s.stopRenewal = func() {
		cancel(nil)
		<-ended
	}
	return s, working, nil
}

// errNoProvider says that the work is for a process that has the provider.
var errNoProvider = errors.New("no provider")

// workable returns the connection if it may be worked on.
func (e *Engine) workable(ctx context.Context, connection string) (store.Connection, error) {
	conn, err := e.cfg.Store.Connection(ctx, connection)
	if err != nil {
		return conn, err
	}
	if _, ok := e.providers[conn.Provider]; !ok {
		return conn, fmt.Errorf("%w: %w %q", ErrConnectionState, errNoProvider, conn.Provider)
	}
	if !inOrder(conn) {
		return conn, fmt.Errorf("%w: state %s", ErrConnectionState, conn.State)
	}
	return conn, nil
}

func inOrder(conn store.Connection) bool {
	return conn.State == store.StateActive || conn.State == store.StateDegraded
}

// renew keeps the lease until ctx ends, and ends ctx when the lease is lost.
// The lease is trusted only as long as it surely lasts by our own clock: the
// store checks it again in every commit.
func (s *session) renew(ctx context.Context, cancel context.CancelCauseFunc, lease store.Lease) {
	ttl := s.cfg.LeaseTTL
	sure := now().Add(ttl)
	tick := time.NewTicker(ttl / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		began := now()
		renewing, done := context.WithTimeout(ctx, sure.Sub(began)-ttl/3)
		next, err := s.cfg.Store.Renew(renewing, lease, ttl)
		done()
		switch {
		case err == nil:
			lease, sure = next, began.Add(ttl)
		case errors.Is(err, store.ErrLeaseLost), sure.Sub(now()) <= ttl/3:
			cancel(fmt.Errorf("%w: %w", store.ErrLeaseLost, err))
			return
		}
	}
}

// close ends the session and gives the lease back.
func (s *session) close() {
	s.stopRenewal()
	s.release()
}

func (s *session) release() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := s.cfg.Store.Release(ctx, s.lease); err != nil {
		s.cfg.Logger.WarnContext(ctx, "lease not released", "connection", s.lease.Connection, "err", err)
	}
}

// reasonAccess is the reason of a connection whose access token was refused
// although it was new.
const reasonAccess = "access refused by the provider"

// settle turns the outcome of a session into the connection's state. Working
// is the context of the session, ctx the caller's.
func (s *session) settle(ctx, working context.Context, err error) error {
	err = errors.Join(err, s.report.Err())
	if cause := context.Cause(working); cause != nil && ctx.Err() == nil {
		return errors.Join(cause, err)
	}
	if wait, ok := errors.AsType[*waitError](err); ok {
		s.report.Waiting = wait.until
	}
	ctx = context.WithoutCancel(ctx)
	switch {
	case errors.Is(err, providers.ErrRetired):
		err = errors.Join(err, s.setState(ctx, store.StateRetired, reasonRetired))
	case consentRefused(err):
		if s.generation != 0 {
			err = errors.Join(err, s.refuse(ctx))
		}
	case errors.Is(err, providers.ErrReauth):
		// The access token was refused although it is new: that says nothing
		// about the consent.
		err = errors.Join(err, s.setState(ctx, store.StateDegraded, reasonAccess))
	case err == nil:
		err = s.setState(ctx, store.StateActive, "")
	}
	return err
}

// consentRefused reports whether one of the failures in err is a refusal of the
// consent itself, and not only of an access token.
func consentRefused(err error) bool {
	switch e := any(err).(type) {
	case *providers.Error:
		if errors.Is(e.Kind, providers.ErrReauth) {
			return !e.ExpiredAccess
		}
		return consentRefused(e.Err)
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(e.Unwrap(), consentRefused)
	case interface{ Unwrap() error }:
		return consentRefused(e.Unwrap())
	default:
		return errors.Is(err, providers.ErrReauth)
	}
}

// refuse records that the service refused the grant itself.
func (s *session) refuse(ctx context.Context) error {
	c, err := s.cfg.Store.Credential(ctx, s.conn.ID)
	if err == nil && c.RefusedAt.IsZero() && !supersedes(c, s.grant, s.generation) {
		c, err = s.update(ctx, c, func(c *store.Credential) { c.RefusedAt = now().UTC() })
	}
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, errMoved):
		return nil
	case err == nil && !c.RefusedAt.IsZero():
		s.moveState(ctx, c, store.StateReauthRequired, reasonConsent)
	}
	return err
}

// setState moves the connection to a state that the session found out about.
// What others decided in the meantime stays: a disconnect, a new consent, and
// that the credential is not in order.
func (s *session) setState(ctx context.Context, state store.State, reason string) error {
	next, err := s.changeState(ctx, s.conn.ID, "engine", func(c *store.Connection) bool {
		switch {
		case !inOrder(*c), c.State == state:
			return false
		case state == store.StateActive && strings.HasPrefix(c.Reason, refreshReason):
			// A refresh that went well says so itself, unless its process died
			// in between.
			stored, err := s.cfg.Store.Credential(ctx, c.ID)
			if err != nil || c.Reason == reasonRotation || stored.Fails+stored.Doubts > 0 || !stored.NextAt.IsZero() {
				return false
			}
		}
		c.State, c.Reason = state, reason
		return true
	})
	if err == nil {
		s.conn = next
	}
	return err
}

// updateConnection changes a connection by compare-and-swap, unless change
// returns false.
func (e *Engine) updateConnection(ctx context.Context, id string, change func(*store.Connection) bool) (old, next store.Connection, err error) {
	for {
		old, err = e.cfg.Store.Connection(ctx, id)
		if err != nil {
			return old, next, err
		}
		next = old
		if !change(&next) {
			return old, old, nil
		}
		next, err = e.cfg.Store.PutConnection(ctx, next)
		if err == nil || !errors.Is(err, store.ErrConflict) || ctx.Err() != nil {
			return old, next, err
		}
	}
}

// zone returns the person's zone as far as it is known; nil is unknown.
func (s *session) zone() *time.Location {
	zone, err := loadZone(s.conn.Zone)
	if err != nil {
		return nil
	}
	return zone
}

// learnZone remembers a zone that the provider told.
func (s *session) learnZone(ctx context.Context, name string) error {
	if name == "" || name == s.conn.Zone {
		return nil
	}
	if _, err := loadZone(name); err != nil {
		return nil // a name this machine does not know is no better than none
	}
	_, next, err := s.updateConnection(ctx, s.conn.ID, func(c *store.Connection) bool {
		c.Zone = name
		return true
	})
	if err != nil {
		return err
	}
	s.conn = next
	return nil
}

// fetch reads one page: it waits for the budget, keeps the credential fresh,
// and tries once more with another credential when this one was refused.
func (s *session) fetch(ctx context.Context, stream providers.Stream, lane store.Lane, q providers.Query) (providers.Page, error) {
	for limited, renewed := 0, false; ; {
		done, err := s.spend(ctx, stream, lane)
		if err != nil {
			return providers.Page{}, err
		}
		if err := s.ensureCredential(ctx); err != nil {
			done(0)
			return providers.Page{}, err
		}
		fresh := s.fresh
		if s.fresh = false; fresh {
			failpoint.Hit("before_use")
		}
		page, err := s.provider.Fetch(ctx, s.cred, q)
		done(made(stream, page, err))
		s.learn(ctx, page, err)
		switch {
		case err == nil:
			if fresh {
				failpoint.Hit("after_use")
			}
			s.proved(ctx)
			return page, nil
		case errors.Is(err, providers.ErrReauth) && !renewed:
			renewed = true
			if err := s.replaceCredential(ctx, err); err != nil {
				return providers.Page{}, err
			}
		case errors.Is(err, providers.ErrRateLimited):
			until := retryAt(err, now(), time.Minute)
			if err := s.budget.Block(ctx, s.conn.Provider, s.conn.ID, until); err != nil {
				return providers.Page{}, err
			}
			if limited++; limited > 3 {
				return providers.Page{}, &waitError{until: until, err: err}
			}
		default:
			return providers.Page{}, err
		}
	}
}

// maxRetryAfter is the longest that a service is believed when it says when to
// come back.
const maxRetryAfter = 15 * time.Minute

// retryAt returns when to try again after a failure: when the service said,
// within reason, and else after the pause.
func retryAt(err error, now time.Time, pause time.Duration) time.Time {
	at, ok := providers.RetryAt(err)
	if !ok || !at.After(now) {
		return now.Add(pause)
	}
	return now.Add(min(max(at.Sub(now), time.Second), maxRetryAfter))
}

// longestReset is the furthest that a service is believed to renew a limit.
const longestReset = 24 * time.Hour

// learn tells the budget what an answer told of a limit.
func (s *session) learn(ctx context.Context, page providers.Page, err error) {
	budget, ok := s.budget.(BudgetLearner)
	if !ok {
		return
	}
	told := page.Left
	if e, ok := errors.AsType[*providers.Error](err); ok {
		told = e.Left
	}
	if told == nil {
		return
	}
	left := *told
	left.Requests = max(0, left.Requests)
	if latest := now().Add(longestReset); left.ResetAt.After(latest) {
		left.ResetAt = latest
	}
	// It is no reason to lose a page: a budget that cannot be reached lets no
	// more requests through anyway.
	if err := budget.Learn(ctx, s.conn.Provider, s.conn.ID, left); err != nil {
		s.cfg.Logger.WarnContext(ctx, "limit not told to the budget", "connection", s.conn.ID, "err", err)
	}
}

// made returns how many requests a page took: all that it may take, where that is
// not told.
func made(stream providers.Stream, page providers.Page, err error) int {
	most := max(1, stream.CallsPerPage)
	if err != nil || page.Requests <= 0 {
		return most
	}
	return min(most, page.Requests)
}

// spend books the requests of one page, waiting as long as the session has
// patience. Done is to be called as [Budget] says.
func (s *session) spend(ctx context.Context, stream providers.Stream, lane store.Lane) (done func(made int), err error) {
	for {
		done, wait, err := s.budget.Take(ctx, Calls{
			Provider: s.conn.Provider, Connection: s.conn.ID, Limits: s.caps.Limits,
			Lane: lane, Count: max(1, stream.CallsPerPage),
		})
		if err != nil || wait <= 0 {
			return done, err
		}
		call(ctx, s.Engine, s.cfg.Hooks.RateLimited, RateLimitEvent{
			Connection: s.conn.ID, Provider: s.conn.Provider, Stream: stream.Name, Wait: wait,
		})
		if wait > s.patience {
			e := &waitError{until: now().Add(wait), err: providers.ErrRateLimited}
			if l := sharedLimit(s.caps.Limits); wait <= l.Per { // else another one is used up
				e.provider, e.pace = s.conn.Provider, l.Per/time.Duration(l.Requests)
			}
			return nil, e
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(wait):
		}
	}
}

// sharedLimit returns the limit of the whole application that lets in the fewest
// requests; the zero limit if there is none.
func sharedLimit(limits []providers.RateLimit) (least providers.RateLimit) {
	for _, l := range limits {
		if l.Scope != providers.LimitPerApp || l.Requests <= 0 || l.Per <= 0 {
			continue
		}
		if least.Per == 0 || l.Per/time.Duration(l.Requests) > least.Per/time.Duration(least.Requests) {
			least = l
		}
	}
	return least
}

// permitted reports whether the grant has the scopes a stream needs, as far as
// the grant's scopes are known.
func (s *session) permitted(stream providers.Stream) bool {
	if len(s.conn.Scopes) == 0 {
		return true
	}
	return !slices.ContainsFunc(stream.Scopes, func(need string) bool { return !slices.Contains(s.conn.Scopes, need) })
}
