package sync

import (
	"context"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/vitalmux/vitalmux/internal/failpoint"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

// leaseRefresh names the lease that a refresh is done under.
const leaseRefresh = "refresh"

const (
	// quarantine is how long after an attempt's deadline its token is left
	// alone: its owner may still hold an answer.
	quarantine = 30 * time.Second
	// persistFor is how much longer a new pair is tried to be stored when
	// nobody waits for it any more.
	persistFor = 5 * time.Second
	// firstBackoff is the shortest pause after a failed refresh.
	firstBackoff = 10 * time.Second
	// longestBackoff is the longest. A time to try again that is further away
	// was written by a clock that was wrong.
	longestBackoff = time.Hour
	// maxSiblings is how many pairs are kept that may be the live one.
	maxSiblings = 3
	// keepRefused is how long a refused pair is kept for a late successor.
	keepRefused = 24 * time.Hour
	// opaqueRefusals that span opaqueFor, without a reason that says what is
	// wrong, are a refused grant if the access token is refused as well.
	opaqueRefusals = 3
	opaqueFor      = time.Hour
	// oddLifetime is for access tokens that ended before they were issued.
	oddLifetime = time.Minute
)

// The reasons of connection states that a refresh leads to.
const (
	reasonFailing  = "refresh failing"
	reasonDoubt    = "refresh with unknown outcome"
	reasonOpaque   = "refresh refused without a reason"
	reasonRotation = "refresh token not rotated"
	reasonIdentity = "refresh answered for another account"
	reasonRefused  = "refresh token refused"
	reasonNoToken  = "refresh not possible"
	reasonConsent  = "consent refused by the provider"
	// refreshReason begins those that a refresh found out about.
	refreshReason = "refresh "
)

// errAbandoned ends a refresh that was not begun before everybody left.
var errAbandoned = errors.New("sync: refresh abandoned")

// errMoved says that somebody stored another pair, or another grant.
var errMoved = errors.New("sync: the credential has changed")

// refreshing says which pair is to be replaced.
type refreshing struct {
	conn       store.Connection
	grant      string
	generation int64
	// refused: the service did not take the access token of the generation.
	refused bool
}

// flight is a refresh under way in this process, shared by all who wait for it.
type flight struct {
	done chan struct{}
	cred store.Credential
	err  error

	// callers counts those whose context has not ended; Engine.mu guards it.
	callers int
	// wanted ends when there are none: that is how a refresh learns of a
	// shutdown.
	wanted  context.Context
	abandon context.CancelFunc
}

// leave takes one caller away.
func (e *Engine) leave(f *flight) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if f.callers--; f.callers == 0 {
		f.abandon()
	}
}

// sharedRefresh refreshes a pair, once for all callers of this process. The
// refresh does not end with ctx. A token that was presented must not lose its
// answer, so that a caller whose ctx has ended still waits until the answer is
// stored: it would be free to close the store.
func (e *Engine) sharedRefresh(ctx context.Context, r refreshing) (store.Credential, error) {
	key := r.conn.ID + "/" + r.grant + "/" + strconv.FormatInt(r.generation, 10)
	for {
		e.mu.Lock()
		f := e.flights[key]
		if f == nil {
			f = &flight{done: make(chan struct{})}
			f.wanted, f.abandon = context.WithCancel(context.Background())
			e.flights[key] = f
			go func() {
				defer close(f.done)
				defer func() {
					e.mu.Lock()
					delete(e.flights, key)
					e.mu.Unlock()
				}()
				f.cred, f.err = e.refresh(context.WithoutCancel(ctx), f, r)
			}()
		}
		f.callers++
		e.mu.Unlock()
		if !e.await(ctx, f) {
			return store.Credential{}, context.Cause(ctx)
		}
		switch {
		case !errors.Is(f.err, errAbandoned):
			return f.cred, f.err
		case ctx.Err() != nil:
			return store.Credential{}, context.Cause(ctx)
		}
	}
}

// await waits for a flight. It reports false if that takes longer, after ctx
// has ended, than a refresh can.
func (e *Engine) await(ctx context.Context, f *flight) bool {
	stop := context.AfterFunc(ctx, func() { e.leave(f) })
	select {
	case <-f.done:
		if stop() {
			e.leave(f)
		}
		return true
	case <-ctx.Done():
	}
	timer := time.NewTimer(e.cfg.RefreshTimeout + 2*persistFor)
	defer timer.Stop()
	select {
	case <-f.done:
		return true
	case <-timer.C:
		return false
	}
}

// refresh returns a credential that supersedes the generation of the grant: the
// one that somebody else stored in the meantime, or a new one. With an error it
// returns the credential as it is stored, as far as it is known.
func (e *Engine) refresh(ctx context.Context, f *flight, r refreshing) (store.Credential, error) {
	failpoint.Hit("after_flight")
	c, err := e.cfg.Store.Credential(ctx, r.conn.ID)
	if err != nil || supersedes(c, r.grant, r.generation) {
		return c, err
	}
	lease, c, err := e.leaseForRefresh(ctx, f, r)
	if err != nil || lease.Owner == "" {
		return c, err
	}
	work := &refresher{Engine: e, flight: f, refreshing: r, lease: lease}
	c, err = work.run(ctx, c)
	if failure := e.cfg.Store.Release(ctx, lease); failure != nil {
		e.cfg.Logger.WarnContext(ctx, "lease not released", "connection", r.conn.ID, "err", failure)
	}
	failpoint.Hit("after_release")
	return c, err
}

// leaseForRefresh takes the lease and reads the credential again. A lease
// without an owner means that the credential is superseded already. It waits
// for another holder as long as a lease lasts, and not when everybody left.
func (e *Engine) leaseForRefresh(ctx context.Context, f *flight, r refreshing) (store.Lease, store.Credential, error) {
	began := time.Now()
	for {
		lease, err := e.cfg.Store.Acquire(ctx, r.conn.ID, leaseRefresh, e.cfg.LeaseTTL)
		if err != nil && !errors.Is(err, store.ErrLeaseHeld) {
			return store.Lease{}, store.Credential{}, err
		}
		held := err == nil
		if held {
			failpoint.Hit("after_lease")
		}
		c, err := e.cfg.Store.Credential(ctx, r.conn.ID)
		if err == nil && f.wanted.Err() != nil {
			err = errAbandoned
		}
		if err != nil || supersedes(c, r.grant, r.generation) {
			if held {
				err = errors.Join(err, e.cfg.Store.Release(ctx, lease))
			}
			return store.Lease{}, c, err
		}
		if held {
			failpoint.Hit("after_reread")
			return lease, c, nil
		}
		if time.Since(began) > e.cfg.LeaseTTL {
			return store.Lease{}, c, r.later("another process did not end its refresh", time.Time{})
		}
		select {
		case <-f.wanted.Done():
		case <-time.After(50*time.Millisecond + mathrand.N(100*time.Millisecond)):
		}
	}
}

// later is the error of a refresh that was not begun.
func (r *refreshing) later(detail string, at time.Time) error {
	return &providers.Error{
		Provider: r.conn.Provider, Op: "refresh", Kind: providers.ErrUnavailable, Detail: detail, RetryAt: at,
	}
}

// refresher is one refresh under its lease.
type refresher struct {
	*Engine
	*flight
	refreshing
	lease   store.Lease
	attempt store.Attempt
}

// run presents the refresh token, and if that is refused the others that may be
// the live one, each in one request.
func (w *refresher) run(ctx context.Context, c store.Credential) (store.Credential, error) {
	if !c.RefusedAt.IsZero() {
		// Whoever found out did not get to say so.
		return w.giveUp(ctx, c, reasonRefused, w.refusal("the refresh token was refused"))
	}
	p, ok := w.providers[w.conn.Provider].(providers.Refresher)
	if !ok {
		return w.giveUp(ctx, c, reasonNoToken, w.refusal("the provider has no refresh"))
	}
	c, err := w.takeOver(ctx, c)
	if err != nil || supersedes(c, w.grant, w.generation) {
		return c, err
	}
	at := now()
	mode := w.capabilities[w.conn.Provider].Rotation
	doubtful := mode == providers.RotationSingleUseRevoke && c.Doubts > 1
	switch {
	case w.refused && (doubtful || hopeless(c, at)), doubtful && !c.ExpiresAt.IsZero() && !at.Before(c.ExpiresAt):
		reason := reasonOpaque
		if doubtful {
			reason = reasonDoubt
		}
		next, found, err := w.promote(ctx, c)
		if err != nil || !found {
			return w.recover(ctx, c, reason, w.refusal(reason), err)
		}
		c = next
	case doubtful:
		// Presenting the token a third time may end the grant, and its access
		// token still does.
		return c, w.later("the outcome of earlier attempts is not known", c.ExpiresAt)
	case at.Before(c.NextAt) && c.NextAt.Sub(at) <= longestBackoff+time.Minute:
		return c, w.later("waiting after a failed attempt", c.NextAt)
	}
	if mode == providers.RotationSingleUse || mode == providers.RotationSingleUseRevoke {
		// The service answered for the token at hand: what it said is tried
		// before the token that it may have used up.
		if slices.ContainsFunc(c.Siblings, func(s store.Sibling) bool { return s.ParentPrint == c.RefreshPrint }) {
			if next, found, err := w.promote(ctx, c); err != nil {
				return next, err
			} else if found {
				c = next
			}
		}
	}
	for {
		old, _, err := w.openCredential(ctx, w.conn, c)
		if err != nil {
			return c, err
		}
		if old.Refresh.IsZero() {
			return w.giveUp(ctx, c, reasonNoToken, w.refusal("there is no refresh token"))
		}
		fresh, did, err := w.present(ctx, p, c, old)
		if did == outcomeNone {
			return c, err
		}
		next, err := w.conclude(ctx, c, old, fresh, did, err)
		w.cfg.Logger.DebugContext(ctx, "refresh", "connection", w.conn.ID, "provider", w.conn.Provider, "err", err)
		call(ctx, w.Engine, w.cfg.Hooks.Refreshed, RefreshEvent{
			Connection: w.conn.ID, Provider: w.conn.Provider, Generation: next.Generation, Err: err,
		})
		if did != outcomeRefused || err == nil {
			return next, err
		}
		// Others may hold an answer to the same token.
		refusal := err
		if c, err = w.awaitOthers(ctx, next); err != nil || supersedes(c, next.Grant, next.Generation) {
			return c, err
		}
		if w.lease, err = w.cfg.Store.Renew(ctx, w.lease, w.cfg.LeaseTTL); err != nil {
			return c, errors.Join(w.later("the lease was lost", time.Time{}), err)
		}
		next, found, err := w.promote(ctx, c)
		if err != nil || !found {
			return w.recover(ctx, c, reasonRefused, refusal, err)
		}
		c = next
	}
}

func (w *refresher) refusal(detail string) error {
	return &providers.Error{Provider: w.conn.Provider, Op: "refresh", Kind: providers.ErrReauth, Detail: detail}
}

// present writes the intent down and presents the token in one request. The
// outcome is outcomeNone if it did not come to that.
func (w *refresher) present(ctx context.Context, p providers.Refresher, c store.Credential, old providers.Credential) (providers.Credential, outcome, error) {
	circuit := w.circuits[w.conn.Provider]
	if err := circuit.enter(ctx, w.cfg.RefreshTimeout); err != nil {
		return providers.Credential{}, outcomeNone, err
	}
	did := outcomeNone
	var failure error
	defer func() {
		if circuit.leave(did) {
			w.alarm(ctx, AlarmClient, 1, failure)
		}
	}()
	if w.wanted.Err() != nil {
		return providers.Credential{}, did, errAbandoned
	}
	at := now()
	w.attempt = store.Attempt{
		ID: randomID(), Owner: w.lease.Owner, RefreshPrint: c.RefreshPrint,
		StartedAt: at, Deadline: at.Add(w.cfg.RefreshTimeout),
	}
	calling, answered := context.WithTimeout(ctx, w.cfg.RefreshTimeout)
	defer answered()
	if err := w.cfg.Store.BeginAttempt(calling, w.lease, c.Grant, w.attempt); err != nil {
		return providers.Credential{}, did, err
	}
	failpoint.Hit("after_intent")
	failpoint.Hit("before_send")
	var fresh providers.Credential
	for try := 1; ; try++ {
		if end, _ := calling.Deadline(); !time.Now().Before(end) {
			// After a stall: by now somebody else may present it.
			did, failure = outcomeUnsent, w.later("the time of the attempt was over", time.Time{})
			break
		}
		fresh, failure = w.ask(calling, "refresh", p.Refresh, old)
		did = classify(fresh, failure)
		if did != outcomeUnsent || try == 3 {
			break
		}
		select { // nothing was sent: the same attempt goes on
		case <-calling.Done():
		case <-time.After(time.Duration(try) * 200 * time.Millisecond):
			continue
		}
		break
	}
	failpoint.Hit("after_send")
	if failure == nil && did != outcomeGranted {
		failure = &providers.Error{
			Provider: w.conn.Provider, Op: "refresh", Kind: providers.ErrMalformed, Ambiguous: true, Detail: "no access token",
		}
	}
	if upstream := fresh.UpstreamID; failure == nil && upstream != "" && w.conn.UpstreamID != "" && upstream != w.conn.UpstreamID {
		did, failure = outcomeIdentity, &providers.Error{
			Provider: w.conn.Provider, Op: "refresh", Kind: providers.ErrMalformed, Code: providers.CodeIdentity,
		}
	}
	failpoint.Hit("after_classify")
	return fresh, did, failure
}

// ask calls the adapter. One that panics may have sent the request.
func (w *refresher) ask(ctx context.Context, op string, call func(context.Context, providers.Credential) (providers.Credential, error), old providers.Credential) (fresh providers.Credential, err error) {
	defer func() {
		if v := recover(); v != nil {
			fresh, err = providers.Credential{}, &providers.Error{
				Provider: w.conn.Provider, Op: op, Kind: providers.ErrUnavailable, Ambiguous: true,
				Detail: fmt.Sprintf("the adapter panicked (%T)", v),
			}
		}
	}()
	return call(ctx, old)
}

// recover asks the service for a pair, where it has a way, after all that are
// known were refused, and gives the grant up otherwise.
func (w *refresher) recover(ctx context.Context, c store.Credential, reason string, refusal, err error) (store.Credential, error) {
	if err != nil {
		return c, err
	}
	recoverer, ok := w.providers[w.conn.Provider].(providers.Recoverer)
	if !ok {
		return w.giveUp(ctx, c, reason, refusal)
	}
	old, _, err := w.openCredential(ctx, w.conn, c)
	if err != nil {
		return c, err
	}
	calling, answered := context.WithTimeout(ctx, w.cfg.RefreshTimeout)
	fresh, err := w.ask(calling, "recover", recoverer.Recover, old)
	answered()
	upstream := fresh.UpstreamID
	switch {
	case err == nil && !fresh.Access.IsZero() && (upstream == "" || w.conn.UpstreamID == "" || upstream == w.conn.UpstreamID):
		return w.persist(ctx, c, filledIn(old, fresh))
	case errors.Is(err, providers.ErrReauth), errors.Is(err, errors.ErrUnsupported):
		return w.giveUp(ctx, c, reason, refusal)
	}
	failure := err
	if failure == nil {
		failure = w.later("the service recovered no pair", time.Time{})
	}
	at := now()
	next, err := w.update(ctx, c, func(c *store.Credential) {
		c.Attempt = nil
		c.NextAt = at.Add(max(retryAt(failure, at, time.Minute).Sub(at), firstBackoff))
	})
	w.moveState(ctx, c, store.StateDegraded, reasonFailing)
	return next, errors.Join(w.later("the refresh token was refused, and the service recovered no pair yet", next.NextAt), err)
}
