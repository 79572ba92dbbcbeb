package sync

import (
	"context"
	"errors"
	"fmt"
	"maps"
	mathrand "math/rand/v2"
	"slices"
	"strconv"
	"strings"
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

// takeOver deals with the attempt that somebody else began and did not end: it
// is left alone for as long as its owner may hold an answer, and then counts as
// one whose outcome is not known.
func (w *refresher) takeOver(ctx context.Context, c store.Credential) (store.Credential, error) {
	begun := func() bool { return c.Attempt != nil && c.Attempt.RefreshPrint == c.RefreshPrint }
	if begun() {
		// Its owner may have left the answer in the spill directory.
		err := w.importSpills(ctx)
		if err == nil {
			c, err = w.cfg.Store.Credential(ctx, w.conn.ID)
		}
		if err != nil || supersedes(c, w.grant, w.generation) {
			return c, err
		}
	}
	if !begun() {
		failpoint.Hit("after_quarantine")
		return c, nil
	}
	// Both by their clock and by ours, whichever ends first: a clock may be
	// wrong by any amount.
	if end := w.quarantined(w.conn.ID, c.Attempt); now().Before(end) {
		return c, w.later("an earlier attempt may still be under way", end)
	}
	failpoint.Hit("after_quarantine")
	next, err := w.update(ctx, c, func(c *store.Credential) {
		c.Attempt = nil
		c.Doubts++
	})
	if err != nil {
		return next, err
	}
	w.alarm(ctx, AlarmAmbiguous, next.Doubts, errors.New("takeover"))
	return next, nil
}

// seenAttempt is when this process first saw an attempt of somebody else's.
type seenAttempt struct {
	id string
	at time.Time
}

// quarantined returns the end of an attempt's quarantine.
func (e *Engine) quarantined(connection string, a *store.Attempt) time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	at, lasts := now(), e.cfg.RefreshTimeout+quarantine
	// Those of long ago are over, whoever ended them.
	maps.DeleteFunc(e.attempts, func(_ string, seen seenAttempt) bool { return at.Sub(seen.at) > lasts+day })
	seen := e.attempts[connection]
	if seen.id != a.ID {
		seen = seenAttempt{a.ID, at}
		e.attempts[connection] = seen
	}
	return minTime(a.Deadline.Add(quarantine), seen.at.Add(lasts))
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

// outcome is what is known after a refresh token was to be presented.
type outcome uint8

// The outcomes.
const (
	outcomeNone     outcome = iota // it was not tried
	outcomeGranted                 // there is a new pair
	outcomeUnsent                  // nothing reached the service
	outcomeLater                   // the service asked to come back later
	outcomeDoubt                   // the service may have used the token up
	outcomeRefused                 // the service refused the token
	outcomeClient                  // the service refused the application
	outcomeIdentity                // the answer is about another person
	outcomeRetired                 // the service has ended
	outcomeOpaque                  // refused for a reason that nobody told
)

func classify(fresh providers.Credential, err error) outcome {
	e, told := errors.AsType[*providers.Error](err)
	switch {
	case err == nil && fresh.Access.IsZero():
		return outcomeDoubt
	case err == nil:
		return outcomeGranted
	case !told:
		return outcomeDoubt
	case errors.Is(err, providers.ErrRetired):
		return outcomeRetired
	case e.ClientFault:
		return outcomeClient
	case e.Code == providers.CodeIdentity:
		return outcomeIdentity
	case e.Ambiguous:
		return outcomeDoubt
	case errors.Is(err, providers.ErrReauth):
		return outcomeRefused
	case errors.Is(err, providers.ErrRateLimited), errors.Is(err, providers.ErrUnavailable) && e.Status != 0:
		return outcomeLater
	case errors.Is(err, providers.ErrUnavailable):
		return outcomeUnsent
	default:
		return outcomeOpaque
	}
}

// conclude records an outcome: a new pair before anybody uses it.
func (w *refresher) conclude(ctx context.Context, c store.Credential, old, fresh providers.Credential, did outcome, failure error) (store.Credential, error) {
	if did == outcomeGranted {
		return w.persist(ctx, c, filledIn(old, fresh))
	}
	at := now()
	e, _ := errors.AsType[*providers.Error](failure)
	siblings := c.Siblings
	if did == outcomeDoubt && e != nil && len(e.Pairs) > 0 {
		siblings = w.withPairs(ctx, c, old, e.Pairs)
		told := *e // what is told to others holds no tokens
		told.Pairs = nil
		failure = &told
	}
	next, err := w.update(ctx, c, func(c *store.Credential) {
		if c.Attempt != nil && c.Attempt.ID == w.attempt.ID {
			c.Attempt = nil
		}
		c.Siblings = siblings
		w.account(c, did, at, failure)
	})
	if errors.Is(err, errMoved) {
		if supersedes(next, c.Grant, c.Generation) {
			return next, nil // somebody stored a successor
		}
		err = nil
	}
	switch did {
	case outcomeDoubt:
		w.alarm(ctx, AlarmAmbiguous, next.Doubts, failure)
		if e == nil || e.Status != 503 {
			w.moveState(ctx, c, store.StateDegraded, reasonDoubt)
		}
	case outcomeUnsent:
		w.moveState(ctx, c, store.StateDegraded, reasonFailing)
	case outcomeOpaque:
		if e.Code == providers.CodeRedirect {
			w.alarm(ctx, AlarmRedirect, 1, failure)
		}
		w.moveState(ctx, c, store.StateDegraded, reasonOpaque)
	case outcomeIdentity:
		w.alarm(ctx, AlarmIdentity, 1, failure)
		w.moveState(ctx, c, store.StateDegraded, reasonIdentity)
	}
	return next, errors.Join(failure, err)
}

// account counts a failure and sets when to try again.
func (w *refresher) account(c *store.Credential, did outcome, at time.Time, failure error) {
	switch did {
	case outcomeClient, outcomeRetired, outcomeRefused:
		return // nothing about this pair that a pause would mend
	case outcomeLater:
		c.NextAt = at.Add(max(retryAt(failure, at, time.Minute).Sub(at), firstBackoff))
		return
	case outcomeUnsent:
		c.NextAt = at.Add(jitter(time.Minute)) // it says nothing about the token
		return
	}
	if c.Fails++; c.Fails == 1 {
		c.FailingSince = at
	}
	pause := min(jitter(firstBackoff<<min(c.Fails-1, 10)), longestBackoff)
	if did == outcomeDoubt {
		c.Doubts++
		pause = doubtPause(w.capabilities[w.conn.Provider].Rotation, c.Doubts, w.attempt.Deadline.Sub(at))
	}
	c.NextAt = at.Add(pause)
}

// doubtPause is how long to wait before a token is presented again whose
// outcome is not known for the nth time. Where that is harmless it is done
// soon, as long as the service remembers; left is what is left of the attempt.
func doubtPause(mode providers.Rotation, n int, left time.Duration) time.Duration {
	switch mode {
	case providers.RotationSingleUse:
		steps := []time.Duration{10 * time.Second, time.Minute, 5 * time.Minute, time.Hour}
		return steps[min(n, len(steps))-1]
	case providers.RotationSingleUseRevoke:
		return max(0, left) + quarantine
	default:
		return min(firstBackoff<<min(n-1, 10), maxRetryAfter)
	}
}

// hopeless reports whether the refresh token was refused so often, for so long,
// that it counts as refused for good once the access token is refused too.
func hopeless(c store.Credential, at time.Time) bool {
	return c.Fails-c.Doubts >= opaqueRefusals && at.Sub(c.FailingSince) >= opaqueFor
}

// filledIn fills in what the answer did not tell, and mends what cannot be.
func filledIn(old, fresh providers.Credential) providers.Credential {
	if fresh.Refresh.IsZero() {
		fresh.Refresh = old.Refresh
	}
	if fresh.UpstreamID == "" {
		fresh.UpstreamID = old.UpstreamID
	}
	if fresh.Scopes == nil {
		fresh.Scopes = old.Scopes
	}
	if at := now(); !fresh.ExpiresAt.IsZero() && !fresh.ExpiresAt.After(at) {
		fresh.ExpiresAt, fresh.OddLifetime = at.Add(oddLifetime), true
	}
	return fresh
}

// withPairs returns the siblings of c with the pairs that an answer named.
func (w *refresher) withPairs(ctx context.Context, c store.Credential, old providers.Credential, pairs []providers.Credential) []store.Sibling {
	siblings := slices.Clone(c.Siblings)
	for _, pair := range pairs {
		sealed, err := w.sealInto(ctx, w.conn, c, filledIn(old, pair))
		if err != nil {
			w.cfg.Logger.WarnContext(ctx, "pair of an unclear answer not kept", "connection", w.conn.ID, "err", err)
			continue
		}
		siblings = addSibling(siblings, store.Sibling{
			Sealed: sealed.Sealed, RefreshPrint: sealed.RefreshPrint, ParentPrint: c.RefreshPrint,
		})
	}
	return siblings
}

// addSibling puts a pair behind the others; the oldest makes room.
func addSibling(siblings []store.Sibling, s store.Sibling) []store.Sibling {
	siblings = append(slices.Clone(siblings), s)
	return siblings[max(0, len(siblings)-maxSiblings):]
}

// persist stores a new pair. The pair is lost if it is not stored: every
// failure that may pass is waited out, and when everybody has left the pair is
// put into the spill directory. Of a connection that has gone the grant is
// taken back.
func (w *refresher) persist(ctx context.Context, c store.Credential, fresh providers.Credential) (store.Credential, error) {
	storing, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(w.wanted, func() { time.AfterFunc(persistFor, stop) })()
	next, pause, alarmed, sealed := c, 50*time.Millisecond, false, false
	for {
		var err error
		if !sealed {
			next, err = w.successor(storing, c, fresh)
			sealed = err == nil
		}
		if err == nil {
			failpoint.Hit("before_persist")
			var stored store.Credential
			stored, err = w.storePair(storing, c.RefreshPrint, next)
			switch {
			case err == nil:
				failpoint.Hit("after_persist")
				if stored.RefreshPrint == next.RefreshPrint {
					w.adopted(ctx, w.conn, stored, c.RefreshPrint, fresh)
				}
				return stored, nil
			case dropped(err):
				return c, errors.Join(err, w.withdrawLate(ctx, w.conn, fresh))
			}
		}
		if !alarmed {
			alarmed = true
			w.alarm(ctx, AlarmStoreUnhealthy, 1, err)
		}
		w.cfg.Logger.WarnContext(ctx, "new credential not stored yet", "connection", w.conn.ID, "err", err)
		select {
		case <-storing.Done():
		case <-time.After(pause):
			pause = min(2*pause, 2*time.Second)
		}
		if storing.Err() == nil && !errors.Is(err, store.ErrClosed) {
			continue
		}
		if sealed {
			err = errors.Join(err, w.spill(ctx, w.conn, c.RefreshPrint, next))
		}
		return c, fmt.Errorf("sync: new credential of connection %s not stored: %w", w.conn.ID, err)
	}
}

// withdrawLate queues taking back a pair whose connection went away while it
// was issued.
func (e *Engine) withdrawLate(ctx context.Context, conn store.Connection, cred providers.Credential) error {
	_, err := e.cfg.Store.Connection(ctx, conn.ID)
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	receipt, err := e.receiptID(ctx, conn.User)
	if err != nil {
		return err
	}
	if _, err = e.Receipt(ctx, receipt); errors.Is(err, store.ErrNotFound) {
		_, err = e.putWithdrawal(ctx, conn, cred, "") // nobody was erased
		return err
	}
	return errors.Join(err, e.withdrawErased(ctx, conn, cred))
}

// successor returns c with a fresh pair in it.
func (w *refresher) successor(ctx context.Context, c store.Credential, fresh providers.Credential) (store.Credential, error) {
	next, err := w.sealInto(ctx, w.conn, c, fresh)
	if err != nil {
		return c, err
	}
	next.Generation++
	next.Previous = nil
	switch w.capabilities[w.conn.Provider].Rotation {
	case providers.RotationGrace, providers.RotationReplay:
		next.Previous = c.Sealed
	}
	return inOrderAgain(next), nil
}

// inOrderAgain returns c without the marks of what went wrong before.
func inOrderAgain(c store.Credential) store.Credential {
	c.Attempt, c.Fails, c.Doubts = nil, 0, 0
	c.NextAt, c.FailingSince, c.RefusedAt = time.Time{}, time.Time{}, time.Time{}
	return c
}

// storeTimeout bounds one try to store a pair.
const storeTimeout = 10 * time.Second

// storePair stores a pair that was issued for the consumed token. If that token
// is not the stored one any more, the pair is kept as a sibling of what is
// stored, or dropped if there is a new consent. It returns what is stored.
func (e *Engine) storePair(ctx context.Context, consumed string, next store.Credential) (store.Credential, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	stays := next.RefreshPrint == consumed // then it tells nothing of who was first
	if !stays {
		err := e.cfg.Store.SwapCredential(ctx, next.Grant, consumed, next)
		if !errors.Is(err, store.ErrConflict) {
			return next, err
		}
	}
	for {
		stored, err := e.cfg.Store.Credential(ctx, next.Connection)
		known := func(s store.Sibling) bool { return s.RefreshPrint == next.RefreshPrint }
		same := stored.RefreshPrint == next.RefreshPrint
		switch {
		case err != nil:
			return stored, err
		case stored.Grant != next.Grant, same && !stays, same && stored.Generation >= next.Generation, slices.ContainsFunc(stored.Siblings, known):
			return stored, nil
		case !stored.RefusedAt.IsZero() && len(stored.Sealed) == 0:
			return stored, &providers.Error{Op: "refresh", Kind: providers.ErrReauth, Detail: "the pair comes too late"}
		case !stored.RefusedAt.IsZero(), same:
			// The successor, or the live one of all that were refused.
			late := inOrderAgain(next)
			late.Generation, late.Revision = stored.Generation+1, stored.Revision
			stored = late
		default:
			stored.Siblings = addSibling(stored.Siblings, store.Sibling{
				Sealed: next.Sealed, RefreshPrint: next.RefreshPrint, ParentPrint: consumed,
			})
		}
		if err := e.cfg.Store.UpdateCredential(ctx, stored); !errors.Is(err, store.ErrConflict) {
			return stored, err
		}
	}
}

// dropped reports whether there is nobody any more whose pair it could be.
func dropped(err error) bool {
	return errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrErased) || errors.Is(err, providers.ErrReauth)
}

// adopted tells the connection of its new pair, which is stored as c.
func (e *Engine) adopted(ctx context.Context, conn store.Connection, c store.Credential, consumed string, fresh providers.Credential) {
	if fresh.OddLifetime {
		e.alarmFor(ctx, conn, AlarmLifetime, 1, nil)
	}
	e.audit(ctx, AuditEvent{
		Action: "refresh", Actor: "engine", User: conn.User, Connection: conn.ID, Provider: conn.Provider,
	}, nil)
	state, reason := store.StateActive, ""
	if mode := e.capabilities[conn.Provider].Rotation; mode != providers.RotationNone && c.RefreshPrint == consumed {
		state, reason = store.StateDegraded, reasonRotation
		e.alarmFor(ctx, conn, AlarmRotation, 1, nil)
	}
	e.moveState(ctx, c, state, reason)
	scopes, gone := fresh.Scopes, 0
	if scopes == nil {
		return
	}
	_, _, err := e.updateConnection(ctx, conn.ID, func(c *store.Connection) bool {
		gone = 0
		for _, scope := range c.Scopes {
			if !slices.Contains(scopes, scope) {
				gone++
			}
		}
		changed := gone > 0 || len(c.Scopes) != len(scopes)
		c.Scopes = scopes
		return changed
	})
	if err != nil {
		e.cfg.Logger.WarnContext(ctx, "scopes not stored", "connection", conn.ID, "err", err)
	}
	if gone > 0 {
		e.alarmFor(ctx, conn, AlarmScopes, gone, nil)
	}
}

// awaitOthers waits while somebody else may hold an answer to the token that
// was refused, and returns what is stored then.
func (w *refresher) awaitOthers(ctx context.Context, c store.Credential) (store.Credential, error) {
	began := time.Now()
	for {
		stored, err := w.cfg.Store.Credential(ctx, w.conn.ID)
		if err != nil || supersedes(stored, c.Grant, c.Generation) {
			return stored, err
		}
		a := stored.Attempt
		over := a == nil || a.ID == w.attempt.ID || a.RefreshPrint != c.RefreshPrint || !now().Before(a.Deadline.Add(quarantine))
		if over || time.Since(began) > w.cfg.RefreshTimeout+quarantine {
			return stored, nil
		}
		select {
		case <-w.wanted.Done():
			return stored, w.later("another attempt may still be under way", a.Deadline.Add(quarantine))
		case <-time.After(200*time.Millisecond + mathrand.N(200*time.Millisecond)):
		}
	}
}

// promote puts the most likely of the other pairs in the place of the one that
// was refused: the youngest sibling, at last the pair before. It reports false
// if there is none. A pair that cannot be opened is nobody's to present.
func (w *refresher) promote(ctx context.Context, c store.Credential) (promoted store.Credential, found bool, err error) {
	next := c
	for {
		switch n := len(next.Siblings); {
		case n > 0:
			next.Sealed, next.Siblings = next.Siblings[n-1].Sealed, next.Siblings[:n-1]
		case len(next.Previous) > 0:
			next.Sealed, next.Previous = next.Previous, nil
		default:
			return c, false, nil
		}
		pair, _, err := w.openCredential(ctx, w.conn, next)
		if errors.Is(err, ErrSealed) {
			w.cfg.Logger.WarnContext(ctx, "pair that may be the live one cannot be opened", "connection", w.conn.ID, "err", err)
			continue
		}
		if err != nil {
			return c, false, err
		}
		promoted, err = w.update(ctx, c, func(stored *store.Credential) {
			*stored = inOrderAgain(*stored)
			stored.Sealed, stored.Siblings, stored.Previous = next.Sealed, slices.Clone(next.Siblings), next.Previous
			stored.RefreshPrint, stored.ExpiresAt = w.refreshPrint(stored.Grant, pair.Refresh), pair.ExpiresAt
			stored.Generation++
		})
		return promoted, err == nil, err
	}
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

// giveUp records that the person has to consent again. The pair is kept a while:
// somebody may still hold its successor.
func (w *refresher) giveUp(ctx context.Context, c store.Credential, reason string, refusal error) (store.Credential, error) {
	next := c
	if c.RefusedAt.IsZero() {
		var err error
		at := now()
		next, err = w.update(ctx, c, func(c *store.Credential) {
			c.Attempt = nil
			c.RefusedAt = at.UTC()
		})
		switch {
		case errors.Is(err, errMoved) && supersedes(next, c.Grant, c.Generation):
			return next, nil
		case err != nil:
			return next, errors.Join(w.later("the refusal could not be stored", time.Time{}), err)
		}
	}
	w.moveState(ctx, next, store.StateReauthRequired, reason)
	return next, refusal
}

// update changes the bookkeeping of a credential that still is what c was, by
// compare-and-swap; errMoved with the stored one if it is not.
func (e *Engine) update(ctx context.Context, c store.Credential, change func(*store.Credential)) (store.Credential, error) {
	for try := 1; ; try++ {
		stored, err := e.cfg.Store.Credential(ctx, c.Connection)
		if err == nil {
			if stored.Grant != c.Grant || stored.Generation != c.Generation || stored.RefreshPrint != c.RefreshPrint {
				return stored, errMoved
			}
			change(&stored)
			err = e.cfg.Store.UpdateCredential(ctx, stored)
		}
		switch {
		case err == nil:
			return stored, nil
		case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrErased), errors.Is(err, store.ErrClosed), try >= 6:
			return c, err
		case !errors.Is(err, store.ErrConflict):
			time.Sleep(time.Duration(try) * 50 * time.Millisecond)
		}
	}
}

// moveState has the connection show how its credential does, and looks
// afterwards whether it still does so. Nothing happens if somebody else decided
// about the connection, or the person consented anew.
func (e *Engine) moveState(ctx context.Context, c store.Credential, state store.State, reason string) {
	for range 3 {
		var lookup error
		_, err := e.changeState(ctx, c.Connection, "engine", func(conn *store.Connection) bool {
			stored, err := e.cfg.Store.Credential(ctx, c.Connection)
			lookup = err
			refused := !stored.RefusedAt.IsZero()
			if err != nil || stored.Grant != c.Grant || refused != (state == store.StateReauthRequired) {
				return false
			}
			switch {
			case state == store.StateActive && conn.State == store.StateActive:
				return false
			case state == store.StateActive && conn.State == store.StateDegraded && !strings.HasPrefix(conn.Reason, refreshReason):
				return false
			case state != store.StateReauthRequired && conn.State == store.StateReauthRequired, inOrder(*conn):
				conn.State, conn.Reason = state, reason
				return true
			}
			return false
		})
		if err = errors.Join(err, lookup); err != nil {
			if !errors.Is(err, store.ErrNotFound) {
				e.cfg.Logger.ErrorContext(ctx, "state not stored", "connection", c.Connection, "state", string(state), "err", err)
			}
			return
		}
		if state != store.StateReauthRequired {
			return
		}
		stored, err := e.cfg.Store.Credential(ctx, c.Connection)
		if err != nil || stored.Grant != c.Grant || !stored.RefusedAt.IsZero() {
			return
		}
		state, reason = store.StateActive, "" // a late successor came in between
	}
}

// changeState changes a connection by compare-and-swap, unless change returns
// false, and tells if its state is another then.
func (e *Engine) changeState(ctx context.Context, id, actor string, change func(*store.Connection) bool) (store.Connection, error) {
	old, next, err := e.updateConnection(ctx, id, change)
	if err != nil || old.State == next.State {
		return next, err
	}
	e.cfg.Logger.InfoContext(ctx, "connection state", "connection", next.ID, "provider", next.Provider,
		"state", string(next.State), "reason", next.Reason)
	e.stateChanged(ctx, old, next)
	e.audit(ctx, AuditEvent{Action: "state", Actor: actor, User: next.User, Connection: next.ID, Provider: next.Provider}, nil)
	if inOrder(next) && !inOrder(old) {
		if err := e.begun(ctx, next); err != nil {
			e.cfg.Logger.WarnContext(ctx, "due time not set", "connection", id, "err", err)
		}
	}
	return next, nil
}

// alarm tells what a person should look at.
func (w *refresher) alarm(ctx context.Context, kind AlarmKind, count int, err error) {
	w.alarmFor(ctx, w.conn, kind, count, err)
}

func (e *Engine) alarmFor(ctx context.Context, conn store.Connection, kind AlarmKind, count int, err error) {
	e.cfg.Logger.ErrorContext(ctx, "alarm", "kind", string(kind), "connection", conn.ID, "provider", conn.Provider, "count", count, "err", err)
	call(ctx, e, e.cfg.Hooks.Alarm, AlarmEvent{Kind: kind, Provider: conn.Provider, Connection: conn.ID, Count: count, Err: err})
}

// housekeepCredentials takes in spilt credentials, erases pairs that were
// refused a day ago, and mends connections that a process left in a state that
// their credential does not have.
func (e *Engine) housekeepCredentials(ctx context.Context, at time.Time) error {
	errs := []error{e.importSpills(ctx)}
	for after := ""; ; {
		conns, err := e.cfg.Store.Connections(ctx, store.ConnectionQuery{State: store.StateReauthRequired, After: after})
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		for _, conn := range conns {
			after = conn.ID
			c, err := e.cfg.Store.Credential(ctx, conn.ID)
			switch {
			case errors.Is(err, store.ErrNotFound):
				continue
			case err == nil && c.RefusedAt.IsZero() && (strings.HasPrefix(conn.Reason, refreshReason) || conn.Reason == reasonConsent):
				e.moveState(ctx, c, store.StateActive, "")
			case err == nil && c.RefusedAt.After(at):
				// A clock was wrong: the day begins now.
				_, err = e.update(ctx, c, func(c *store.Credential) { c.RefusedAt = at.UTC() })
			case err == nil && !c.RefusedAt.IsZero() && len(c.Sealed) > 0 && at.Sub(c.RefusedAt) >= keepRefused:
				_, err = e.update(ctx, c, func(c *store.Credential) {
					c.Sealed, c.Previous, c.Siblings, c.RefreshPrint = nil, nil, nil, ""
				})
			}
			if !errors.Is(err, errMoved) {
				errs = append(errs, err)
			}
		}
		if len(conns) == 0 {
			return errors.Join(errs...)
		}
	}
}
