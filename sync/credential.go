package sync

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	mathrand "math/rand/v2"
	"strconv"
	"time"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

// tokens is what is sealed into a store.Credential.
type tokens struct {
	UpstreamID  string    `json:"upstream_id,omitempty"`
	Access      string    `json:"access"`
	Refresh     string    `json:"refresh,omitempty"`
	TokenSecret string    `json:"token_secret,omitempty"`
	IssuedAt    time.Time `json:"issued_at"`
	ExpiresAt   time.Time `json:"expires_at,omitzero"`
	Scopes      []string  `json:"scopes,omitempty"`
}

// leaseRefresh names the lease that a refresh is done under.
const leaseRefresh = "refresh"

// quarantine is how long after an attempt's deadline its token is left alone:
// its owner may still hold an answer.
const quarantine = 30 * time.Second

// newGrant seals the credential of a new consent.
func (e *Engine) newGrant(ctx context.Context, conn store.Connection, cred providers.Credential) (store.Credential, error) {
	c := store.Credential{Connection: conn.ID, Grant: randomID(), Generation: 1}
	return e.sealInto(ctx, conn, c, cred)
}

// sealInto returns c with the token pair of cred.
func (e *Engine) sealInto(ctx context.Context, conn store.Connection, c store.Credential, cred providers.Credential) (store.Credential, error) {
	text, err := json.Marshal(tokens{
		UpstreamID: cred.UpstreamID, Access: cred.Access.Reveal(), Refresh: cred.Refresh.Reveal(),
		TokenSecret: cred.TokenSecret.Reveal(), IssuedAt: time.Now().UTC(), ExpiresAt: cred.ExpiresAt.UTC(), Scopes: cred.Scopes,
	})
	if err != nil {
		return c, fmt.Errorf("sync: encode credential of connection %s", conn.ID)
	}
	sealed, err := e.cfg.Sealer.Seal(ctx, credentialPlace(conn, c.Grant), text)
	if err != nil {
		return c, fmt.Errorf("sync: seal credential of connection %s: %w", conn.ID, err)
	}
	c.Sealed, c.RefreshPrint, c.ExpiresAt = sealed, refreshPrint(c.Grant, cred.Refresh), cred.ExpiresAt
	return c, nil
}

// openCredential is the inverse of sealInto. The second result is when the
// pair should be refreshed.
func (e *Engine) openCredential(ctx context.Context, conn store.Connection, c store.Credential) (providers.Credential, time.Time, error) {
	text, err := e.cfg.Sealer.Open(ctx, credentialPlace(conn, c.Grant), c.Sealed)
	if err != nil {
		return providers.Credential{}, time.Time{}, fmt.Errorf("sync: open credential of connection %s: %w", conn.ID, err)
	}
	var t tokens
	if err := json.Unmarshal(text, &t); err != nil {
		return providers.Credential{}, time.Time{}, fmt.Errorf("sync: credential of connection %s: %w", conn.ID, ErrSealed)
	}
	cred := providers.Credential{
		UpstreamID: t.UpstreamID, Access: providers.NewSecret(t.Access), Refresh: providers.NewSecret(t.Refresh),
		TokenSecret: providers.NewSecret(t.TokenSecret), ExpiresAt: t.ExpiresAt, Scopes: t.Scopes,
	}
	return cred, refreshTime(conn.ID, t), nil
}

// credentialPlace binds a sealed credential to where it belongs.
func credentialPlace(conn store.Connection, grant string) []byte {
	return associated("vitalmux credential v1", conn.Provider, conn.User, conn.ID, grant)
}

// refreshPrint identifies a refresh token without telling it. The token is
// random, so that a plain digest of it cannot be searched.
func refreshPrint(grant string, refresh providers.Secret) string {
	sum := sha256.Sum256(associated("vitalmux refresh token v1", grant, refresh.Reveal()))
	return hex.EncodeToString(sum[:16])
}

// refreshTime returns when a pair should be refreshed: five minutes or a tenth
// of its life before it ends, whichever is more but never more than half, and
// a little earlier for some connections than for others.
func refreshTime(connection string, t tokens) time.Time {
	if t.ExpiresAt.IsZero() || t.Refresh == "" {
		return time.Time{}
	}
	life := t.ExpiresAt.Sub(t.IssuedAt)
	if life <= 0 {
		return time.Time{} // no plan can be made of that: the service will tell
	}
	skew := min(max(5*time.Minute, life/10), life/2)
	h := fnv.New32a()
	_, _ = h.Write([]byte(connection))
	return t.ExpiresAt.Add(-skew - skew/4*time.Duration(h.Sum32()%100)/100)
}

// randomID returns 128 random bits as text.
func randomID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// ensureCredential has the session hold a credential that is good for now.
func (s *session) ensureCredential(ctx context.Context) error {
	if s.generation == 0 {
		c, err := s.cfg.Store.Credential(ctx, s.conn.ID)
		if err != nil {
			return err
		}
		if err := s.adopt(ctx, c); err != nil {
			return err
		}
	}
	if s.refreshAt.IsZero() || time.Now().Before(s.refreshAt) {
		return nil
	}
	return s.refreshCredential(ctx)
}

// replaceCredential has the session hold another credential than the one that
// was refused with the failure, which is returned if there is none: the one
// that somebody stored in the meantime, or a new one if only the access token
// has ended.
func (s *session) replaceCredential(ctx context.Context, failure error) error {
	if refused, ok := errors.AsType[*providers.Error](failure); ok && refused.ExpiredAccess {
		return s.refreshCredential(ctx)
	}
	c, err := s.cfg.Store.Credential(ctx, s.conn.ID)
	if err != nil || !supersedes(c, s.grant, s.generation) {
		return errors.Join(failure, err)
	}
	return s.adopt(ctx, c)
}

// supersedes reports whether c is of a new consent or a later generation.
func supersedes(c store.Credential, grant string, generation int64) bool {
	return c.Grant != grant || c.Generation > generation
}

func (s *session) adopt(ctx context.Context, c store.Credential) error {
	cred, at, err := s.openCredential(ctx, s.conn, c)
	if err != nil {
		return err
	}
	s.cred, s.grant, s.generation, s.refreshAt = cred, c.Grant, c.Generation, at
	return nil
}

// refreshCredential has the session hold a newer credential. A token that was
// presented must not lose its answer, so that this does not return before the
// answer is stored, whether or not ctx has ended: a caller that left would be
// free to close the store.
func (s *session) refreshCredential(ctx context.Context) error {
	conn, provider, grant, generation := s.conn, s.provider, s.grant, s.generation
	flight := conn.ID + "/" + grant + "/" + strconv.FormatInt(generation, 10)
	fresh, err, _ := s.refreshes.Do(flight, func() (any, error) {
		return s.refresh(ctx, conn, provider, grant, generation)
	})
	if err != nil {
		return err
	}
	return s.adopt(ctx, fresh.(store.Credential))
}

// refresh returns a credential that supersedes the generation of the grant: the
// one that somebody else stored in the meantime, or a new one. At most one
// request presents the token.
func (e *Engine) refresh(ctx context.Context, conn store.Connection, p providers.Provider, grant string, generation int64) (store.Credential, error) {
	refresher, ok := p.(providers.Refresher)
	if !ok {
		return store.Credential{}, &providers.Error{
			Provider: conn.Provider, Op: "refresh", Kind: providers.ErrReauth, Detail: "the provider has no refresh",
		}
	}
	lease, c, err := e.leaseForRefresh(ctx, conn, grant, generation)
	if err != nil || lease.Owner == "" {
		return c, err
	}
	// From here on the lease says how long there is, not the caller.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.cfg.LeaseTTL)
	defer cancel()
	defer func() {
		if err := e.cfg.Store.Release(context.WithoutCancel(ctx), lease); err != nil {
			e.cfg.Logger.WarnContext(ctx, "lease not released", "connection", conn.ID, "err", err)
		}
	}()
	now := time.Now()
	if a := c.Attempt; a != nil && a.RefreshPrint == c.RefreshPrint && now.Before(a.Deadline.Add(quarantine)) {
		return c, &providers.Error{
			Provider: conn.Provider, Op: "refresh", Kind: providers.ErrUnavailable,
			Detail: "an earlier attempt may still be under way", RetryAt: a.Deadline.Add(quarantine),
		}
	}
	if now.Before(c.NextAt) {
		return c, &providers.Error{
			Provider: conn.Provider, Op: "refresh", Kind: providers.ErrUnavailable,
			Detail: "waiting after a failed attempt", RetryAt: c.NextAt,
		}
	}
	old, _, err := e.openCredential(ctx, conn, c)
	if err != nil {
		return c, err
	}
	attempt := store.Attempt{
		ID: randomID(), Owner: lease.Owner, RefreshPrint: c.RefreshPrint,
		StartedAt: now, Deadline: now.Add(e.cfg.RefreshTimeout),
	}
	if err := e.cfg.Store.BeginAttempt(ctx, lease, c.Grant, attempt); err != nil {
		return c, err
	}
	calling, answered := context.WithDeadline(ctx, attempt.Deadline)
	fresh, failure := refresher.Refresh(calling, old)
	answered()
	next, err := e.settleRefresh(ctx, conn, c, old, fresh, failure)
	e.cfg.Logger.DebugContext(ctx, "refresh", "connection", conn.ID, "provider", conn.Provider, "err", err)
	call(ctx, e, e.cfg.Hooks.Refreshed, RefreshEvent{
		Connection: conn.ID, Provider: conn.Provider, Generation: next.Generation, Err: err,
	})
	return next, err
}

// leaseForRefresh takes the lease and reads the credential again. A lease
// without an owner means that the credential is superseded already. It waits
// for another holder as long as a lease lasts, and not when ctx has ended.
func (e *Engine) leaseForRefresh(ctx context.Context, conn store.Connection, grant string, generation int64) (store.Lease, store.Credential, error) {
	giveUp := time.Now().Add(e.cfg.LeaseTTL)
	for {
		lease, err := e.cfg.Store.Acquire(ctx, conn.ID, leaseRefresh, e.cfg.LeaseTTL)
		if err != nil && !errors.Is(err, store.ErrLeaseHeld) {
			return store.Lease{}, store.Credential{}, err
		}
		held := err == nil
		c, err := e.cfg.Store.Credential(ctx, conn.ID)
		if err == nil && held {
			err = ctx.Err()
		}
		if err != nil || supersedes(c, grant, generation) {
			if held {
				err = errors.Join(err, e.cfg.Store.Release(context.WithoutCancel(ctx), lease))
			}
			return store.Lease{}, c, err
		}
		if held {
			return lease, c, nil
		}
		if time.Now().After(giveUp) {
			return store.Lease{}, c, &providers.Error{
				Provider: conn.Provider, Op: "refresh", Kind: providers.ErrUnavailable,
				Detail: "another process did not end its refresh",
			}
		}
		select {
		case <-ctx.Done():
			return store.Lease{}, c, context.Cause(ctx)
		case <-time.After(50*time.Millisecond + mathrand.N(100*time.Millisecond)):
		}
	}
}

// settleRefresh persists the outcome of a refresh before anyone uses it.
func (e *Engine) settleRefresh(ctx context.Context, conn store.Connection, c store.Credential, old, fresh providers.Credential, failure error) (store.Credential, error) {
	if failure == nil && fresh.Access.IsZero() {
		failure = &providers.Error{
			Provider: conn.Provider, Op: "refresh", Kind: providers.ErrMalformed, Ambiguous: true, Detail: "no access token",
		}
	}
	if failure != nil {
		return e.failRefresh(ctx, conn, c, failure)
	}
	if fresh.Refresh.IsZero() {
		fresh.Refresh = old.Refresh
	}
	if fresh.UpstreamID == "" {
		fresh.UpstreamID = old.UpstreamID
	}
	// The pair is lost if it is not stored: every failure that may pass is
	// waited out.
	for {
		next, err := e.storePair(ctx, conn, c, fresh)
		switch {
		case err == nil:
			return next, nil
		case errors.Is(err, store.ErrConflict):
			// Somebody stored another pair for the same token, or the person
			// consented anew: theirs is the one that counts.
			return e.cfg.Store.Credential(ctx, conn.ID)
		case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrErased), errors.Is(err, store.ErrClosed), ctx.Err() != nil:
			return c, err
		}
		e.cfg.Logger.WarnContext(ctx, "new credential not stored yet", "connection", conn.ID, "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// storePair replaces the pair of c by a fresh one.
func (e *Engine) storePair(ctx context.Context, conn store.Connection, c store.Credential, fresh providers.Credential) (store.Credential, error) {
	next, err := e.sealInto(ctx, conn, c, fresh)
	if err != nil {
		return c, err
	}
	next.Generation++
	next.Previous, next.Attempt, next.Fails, next.NextAt = c.Sealed, nil, 0, time.Time{}
	return next, e.cfg.Store.SwapCredential(ctx, c.Grant, c.RefreshPrint, next)
}

// failRefresh records a refresh that failed.
func (e *Engine) failRefresh(ctx context.Context, conn store.Connection, c store.Credential, failure error) (store.Credential, error) {
	if errors.Is(failure, providers.ErrReauth) {
		now, err := e.cfg.Store.Credential(ctx, conn.ID)
		if err == nil && supersedes(now, c.Grant, c.Generation) {
			return now, nil // the token had been used by somebody who stored its successor
		}
	}
	next := c
	next.Attempt = nil
	if refused, ok := errors.AsType[*providers.Error](failure); !ok || !refused.ClientFault {
		next.Fails++
		now := time.Now()
		next.NextAt = retryAt(failure, now, min(time.Hour, 10*time.Second<<min(next.Fails-1, 10)))
	}
	if err := e.cfg.Store.SwapCredential(ctx, c.Grant, c.RefreshPrint, next); err != nil {
		failure = errors.Join(failure, err)
	}
	return next, failure
}
