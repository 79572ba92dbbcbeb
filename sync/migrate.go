package sync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/vitalmux/vitalmux/internal/failpoint"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

// Migrate moves a connection of OAuth 1.0 to OAuth 2.0: the provider's
// [providers.Migrator] presents the stored token and its secret, and the pair
// that the service gives takes their place under the same grant. The connection
// keeps its id, everything that was read, and the cursors, so that the next sync
// goes on where the last one ended. A connection that is migrated already is
// returned as it is, without a request.
//
// It follows the protocol of a refresh: one of all processes works on the
// connection, the intent is stored before the token leaves, the token is
// presented in one request, and the pair is stored before anyone uses it. A
// call that finds the intent of one that was killed waits until that one can
// no longer hold an answer, with an error of class [providers.ErrUnavailable]
// that has RetryAt set. After an outcome that is not known the call is simply
// made again. A token that the service refuses moves the connection to state
// reauth_required, in which Migrate may be called again as long as the token is
// kept, which is a day.
//
// It returns an error that wraps [errors.ErrUnsupported] for a provider without
// a Migrator, and [ErrConnectionState] for a connection that is being removed,
// or whose provider has ended. After ctx has ended no request begins; one that
// was sent is waited for.
func (e *Engine) Migrate(ctx context.Context, connection string) (store.Connection, error) {
	conn, migrator, err := e.migratable(ctx, connection)
	if err != nil {
		return conn, err
	}
	if err := e.importOnce(ctx); err != nil {
		return conn, err
	}
	c, cred, err := e.migratingCredential(ctx, conn)
	if err != nil {
		return conn, err
	}
	if cred.TokenSecret.IsZero() {
		return e.migrated(ctx, conn, cred)
	}
	f := &flight{done: make(chan struct{}), callers: 1}
	f.wanted, f.abandon = context.WithCancel(context.Background())
	defer f.abandon()
	defer context.AfterFunc(ctx, f.abandon)()
	working := context.WithoutCancel(ctx)
	changed, err := e.migrate(working, f, refreshing{conn: conn, grant: c.Grant, generation: c.Generation}, migrator)
	if errors.Is(err, errAbandoned) {
		return conn, context.Cause(ctx)
	}
	if changed || err != nil {
		e.audit(working, AuditEvent{
			Action: "migrate", Actor: "host", User: conn.User, Connection: conn.ID, Provider: conn.Provider,
		}, err)
	}
	if err != nil {
		return conn, err
	}
	if conn, err = e.cfg.Store.Connection(working, connection); err != nil {
		return conn, err
	}
	if _, cred, err = e.migratingCredential(working, conn); err != nil {
		return conn, err
	}
	if conn, err = e.migrated(working, conn, cred); err != nil || !changed {
		return conn, err
	}
	return conn, e.schedule(working, conn)
}

// migratable returns a connection that may be migrated, and who does it.
func (e *Engine) migratable(ctx context.Context, connection string) (store.Connection, providers.Migrator, error) {
	conn, err := e.cfg.Store.Connection(ctx, connection)
	if err != nil {
		return conn, nil, err
	}
	p, ok := e.providers[conn.Provider]
	if !ok {
		return conn, nil, fmt.Errorf("%w: no provider %q", ErrConnectionState, conn.Provider)
	}
	migrator, ok := p.(providers.Migrator)
	if !ok {
		return conn, nil, fmt.Errorf("sync: provider %s: %w", conn.Provider, errors.ErrUnsupported)
	}
	if !inOrder(conn) && conn.State != store.StateReauthRequired {
		return conn, nil, fmt.Errorf("%w: state %s", ErrConnectionState, conn.State)
	}
	return conn, migrator, nil
}

// migratingCredential returns the stored credential, sealed and open.
func (e *Engine) migratingCredential(ctx context.Context, conn store.Connection) (store.Credential, providers.Credential, error) {
	c, err := e.cfg.Store.Credential(ctx, conn.ID)
	if err != nil {
		return c, providers.Credential{}, err
	}
	if len(c.Sealed) == 0 { // refused long ago
		return c, providers.Credential{}, &providers.Error{
			Provider: conn.Provider, Op: "migrate", Kind: providers.ErrReauth, Detail: "the token was refused",
		}
	}
	cred, _, err := e.openCredential(ctx, conn, c)
	return c, cred, err
}

// migrated returns a connection whose pair is stored. What stored it may have
// failed, or been killed, before it told the connection its scopes.
func (e *Engine) migrated(ctx context.Context, conn store.Connection, cred providers.Credential) (store.Connection, error) {
	if cred.Scopes == nil || slices.Equal(conn.Scopes, cred.Scopes) {
		return conn, nil
	}
	_, next, err := e.updateConnection(ctx, conn.ID, func(c *store.Connection) bool {
		changed := !slices.Equal(c.Scopes, cred.Scopes)
		c.Scopes = cred.Scopes
		return changed
	})
	return next, err
}

// migrate does it under the lease that refreshes are done under. It reports
// whether the credential is another one now; somebody else may have done it.
func (e *Engine) migrate(ctx context.Context, f *flight, r refreshing, migrator providers.Migrator) (changed bool, err error) {
	lease, c, err := e.leaseForRefresh(ctx, f, r)
	if err != nil || lease.Owner == "" {
		return false, err
	}
	work := &refresher{Engine: e, flight: f, refreshing: r, lease: lease}
	next, err := work.migrate(ctx, c, migrator)
	e.release(ctx, lease)
	failpoint.Hit("after_release")
	return err == nil && supersedes(next, r.grant, r.generation), err
}

// migration presents an OAuth 1.0 token where a refresh presents its token.
type migration struct{ migrator providers.Migrator }

func (m migration) Refresh(ctx context.Context, old providers.Credential) (providers.Credential, error) {
	fresh, err := m.migrator.Migrate(ctx, old)
	if err == nil && (!fresh.TokenSecret.IsZero() || fresh.Refresh.IsZero()) {
		// It would be taken for what it was.
		return providers.Credential{}, &providers.Error{
			Op: "migrate", Kind: providers.ErrMalformed, Ambiguous: true, Detail: "no pair of OAuth 2.0",
		}
	}
	return fresh, err
}

// migrate presents the token, and whether or not that was tried before: it is
// the only one there is.
func (w *refresher) migrate(ctx context.Context, c store.Credential, migrator providers.Migrator) (store.Credential, error) {
	c, err := w.takeOver(ctx, c)
	if err != nil || supersedes(c, w.grant, w.generation) {
		return c, err
	}
	if at := now(); at.Before(c.NextAt) && c.NextAt.Sub(at) <= longestBackoff+time.Minute {
		return c, w.later("waiting after a failed attempt", c.NextAt)
	}
	old, _, err := w.openCredential(ctx, w.conn, c)
	if err != nil {
		return c, err
	}
	// There may be streams, and subscriptions, that it could not have before.
	// They are due also if this process is killed before it says so at the end.
	if err := w.scheduleAt(ctx, w.conn, now().Add(w.cfg.RefreshTimeout+quarantine)); err != nil {
		return c, err
	}
	fresh, did, err := w.present(ctx, migration{migrator}, c, old)
	if did == outcomeNone {
		return c, err
	}
	next, err := w.conclude(ctx, c, old, fresh, did, err)
	if did != outcomeRefused || err == nil {
		return next, err
	}
	// Others may hold an answer to the same token.
	refusal := err
	if c, err = w.awaitOthers(ctx, next); err != nil || supersedes(c, w.grant, w.generation) {
		return c, err
	}
	// Pairs of an unclear answer are tried by a refresh, which goes by them.
	if slices.ContainsFunc(c.Siblings, func(s store.Sibling) bool { return s.ParentPrint == c.RefreshPrint }) {
		promoted, found, err := w.promote(ctx, c)
		if err != nil || found {
			return promoted, err
		}
	}
	return w.giveUp(ctx, c, reasonConsent, refusal)
}
