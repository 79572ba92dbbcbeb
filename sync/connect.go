package sync

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

// ConnectRequest begins a connect flow.
type ConnectRequest struct {
	User     string
	Provider string
	// RedirectURL is where the provider sends the person back to, as it is
	// registered there.
	RedirectURL string
	// Scopes asked for; nil asks for all that the adapter reads.
	Scopes []string
}

// Connect begins a connect flow and returns the address to send the person's
// browser to. The provider sends the browser back to the redirect address with
// a query that goes to [Engine.Complete].
func (e *Engine) Connect(ctx context.Context, r ConnectRequest) (string, error) {
	authorizer, err := e.authorizer(r.Provider)
	if err != nil {
		return "", err
	}
	if r.User == "" || r.RedirectURL == "" {
		return "", fmt.Errorf("%w: user and redirect address are needed", store.ErrInvalid)
	}
	var random [32]byte
	_, _ = rand.Read(random[:])
	state := base64.RawURLEncoding.EncodeToString(random[:])
	start, err := authorizer.Authorize(ctx, providers.AuthRequest{State: state, RedirectURL: r.RedirectURL, Scopes: r.Scopes})
	if err != nil {
		return "", err
	}
	flow := store.Flow{
		ID: flowID(state), Provider: r.Provider, User: r.User, RedirectURL: r.RedirectURL,
		ExpiresAt: time.Now().Add(e.flowTTL(r.Provider)),
	}
	flow.Sealed, err = e.cfg.Sealer.Seal(ctx, flowPlace(flow), []byte(start.Secret.Reveal()))
	if err != nil {
		return "", fmt.Errorf("sync: seal connect flow: %w", err)
	}
	if err := e.cfg.Store.PutFlow(ctx, flow); err != nil {
		return "", err
	}
	return start.URL, nil
}

func (e *Engine) flowTTL(provider string) time.Duration {
	if t := e.capabilities[provider].AuthLifetime; t > 0 {
		return t
	}
	return e.cfg.FlowTTL
}

func flowID(state string) string {
	sum := sha256.Sum256([]byte(state))
	return hex.EncodeToString(sum[:])
}

func flowPlace(f store.Flow) []byte {
	return associated("vitalmux flow v1", f.ID, f.Provider, f.User)
}

func (e *Engine) authorizer(provider string) (providers.Authorizer, error) {
	p, ok := e.providers[provider]
	if !ok {
		return nil, fmt.Errorf("%w: no provider %q", store.ErrInvalid, provider)
	}
	authorizer, ok := p.(providers.Authorizer)
	if !ok {
		return nil, fmt.Errorf("sync: provider %s: %w", provider, errors.ErrUnsupported)
	}
	return authorizer, nil
}

// exchangeTimeout bounds the exchange of the one-time code: some codes live
// for 30 seconds.
const exchangeTimeout = 10 * time.Second

// Complete ends a connect flow with the query of the provider's redirect. A
// person who consents again to an account keeps the connection with all its
// data. The new credential is stored before anything uses it; reading begins
// with the next turn of [Engine.Run], or with [Engine.Sync].
//
// It returns [ErrFlow] for a flow that is unknown, expired or was completed
// before, [ErrDenied] when the person did not consent, and [ErrLinked] when
// the account is another user's.
func (e *Engine) Complete(ctx context.Context, query url.Values) (store.Connection, error) {
	state := query["state"]
	if len(state) != 1 || len(state[0]) < 16 || len(state[0]) > 512 {
		return store.Connection{}, ErrFlow
	}
	flow, err := e.cfg.Store.TakeFlow(ctx, flowID(state[0]))
	if errors.Is(err, store.ErrNotFound) || err == nil && !time.Now().Before(flow.ExpiresAt) {
		return store.Connection{}, ErrFlow
	}
	if err != nil {
		return store.Connection{}, err
	}
	if query.Has("error") {
		return store.Connection{}, ErrDenied
	}
	if len(query["code"]) > 1 {
		return store.Connection{}, fmt.Errorf("%w: repeated code", ErrFlow)
	}
	authorizer, err := e.authorizer(flow.Provider)
	if err != nil {
		return store.Connection{}, err
	}
	secret, err := e.cfg.Sealer.Open(ctx, flowPlace(flow), flow.Sealed)
	if err != nil {
		return store.Connection{}, err
	}
	// From here on the code is spent: the caller's leaving must not lose what
	// it buys.
	working, cancel := context.WithTimeout(context.WithoutCancel(ctx), exchangeTimeout+e.cfg.RefreshTimeout)
	defer cancel()
	exchanging, stop := context.WithTimeout(working, exchangeTimeout)
	grant, err := authorizer.Exchange(exchanging, providers.Callback{
		Query: query, RedirectURL: flow.RedirectURL, Secret: providers.NewSecret(string(secret)),
	})
	stop()
	if err != nil {
		return store.Connection{}, err
	}
	conn, err := e.link(working, flow, grant)
	if err != nil {
		return conn, err
	}
	return conn, e.schedule(working, conn)
}

// link stores a grant under the connection of the account, a new one if there
// is none.
func (e *Engine) link(ctx context.Context, flow store.Flow, grant providers.Grant) (store.Connection, error) {
	if grant.UpstreamID == "" {
		return store.Connection{}, &providers.Error{
			Provider: flow.Provider, Op: "exchange", Kind: providers.ErrMalformed, Detail: "no upstream id",
		}
	}
	if _, err := loadZone(grant.Zone); err != nil {
		grant.Zone = ""
	}
	known, err := e.cfg.Store.Connections(ctx, store.ConnectionQuery{Provider: flow.Provider, UpstreamID: grant.UpstreamID})
	if err != nil {
		return store.Connection{}, err
	}
	conn := store.Connection{
		ID: randomID(), User: flow.User, Provider: flow.Provider, UpstreamID: grant.UpstreamID,
		State: store.StatePending, Zone: grant.Zone, Scopes: grant.Credential.Scopes, CreatedAt: time.Now().UTC(),
	}
	if len(known) > 0 {
		if known[0].User != flow.User {
			return store.Connection{}, ErrLinked
		}
		conn = known[0]
	} else if conn, err = e.cfg.Store.PutConnection(ctx, conn); err != nil {
		return conn, err
	}
	replaces := ""
	switch old, err := e.cfg.Store.Credential(ctx, conn.ID); {
	case err == nil:
		replaces = old.Grant
	case !errors.Is(err, store.ErrNotFound):
		return conn, err
	}
	sealed, err := e.newGrant(ctx, conn, grant.Credential)
	if err != nil {
		return conn, err
	}
	if err := e.cfg.Store.PutGrant(ctx, replaces, sealed); err != nil {
		return conn, err
	}
	old, conn, err := e.updateConnection(ctx, conn.ID, func(c *store.Connection) bool {
		c.State, c.Reason, c.Scopes = store.StateActive, "", grant.Credential.Scopes
		if grant.Zone != "" {
			c.Zone = grant.Zone
		}
		return true
	})
	if err == nil && old.State != conn.State {
		call(ctx, e, e.cfg.Hooks.StateChanged, StateEvent{
			Connection: conn.ID, Provider: conn.Provider, Old: old.State, New: conn.State,
		})
	}
	return conn, err
}

// schedule has Run read a connection that was just linked.
func (e *Engine) schedule(ctx context.Context, conn store.Connection) error {
	now := time.Now()
	err := e.cfg.Store.SetDue(ctx, store.Due{Connection: conn.ID, Task: taskSync, At: now})
	if e.cfg.History > 0 {
		err = errors.Join(err, e.cfg.Store.SetDue(ctx, store.Due{Connection: conn.ID, Task: taskBackfill, At: now}))
	}
	e.poke()
	return err
}

// Disconnect ends a connection: the grant is revoked at the provider where it
// can be, and the connection is removed, with keepData false also everything
// that was read through it. The connection stays in state "deleting" when the
// provider could not be reached; calling again finishes the work.
func (e *Engine) Disconnect(ctx context.Context, connection string, keepData bool) error {
	_, conn, err := e.updateConnection(ctx, connection, func(c *store.Connection) bool {
		c.State = store.StateDeleting
		return true
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if revoker, ok := e.providers[conn.Provider].(providers.Revoker); ok {
		c, err := e.cfg.Store.Credential(ctx, connection)
		switch {
		case err == nil:
			if err := e.revoke(ctx, revoker, conn, c); err != nil {
				return err
			}
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
	}
	return e.cfg.Store.DeleteConnection(ctx, connection, !keepData)
}

// revoke takes a grant back. A grant that the provider does not accept any more
// is as good as revoked, and one that cannot be opened nobody can revoke.
func (e *Engine) revoke(ctx context.Context, p providers.Revoker, conn store.Connection, c store.Credential) error {
	cred, _, err := e.openCredential(ctx, conn, c)
	if errors.Is(err, ErrSealed) {
		e.cfg.Logger.WarnContext(ctx, "grant not revoked", "connection", conn.ID, "err", err)
		return nil
	}
	if err != nil {
		return err
	}
	err = p.Revoke(ctx, cred)
	refused, _ := errors.AsType[*providers.Error](err)
	gone := errors.Is(err, providers.ErrReauth) && refused != nil && !refused.ExpiredAccess
	if gone || errors.Is(err, providers.ErrRetired) {
		return nil
	}
	return err
}
