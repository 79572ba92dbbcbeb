package sync

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

// ConnectRequest begins a connect flow.
type ConnectRequest struct {
	User     string
	Provider string
	// RedirectURL is where the provider sends the person back to, as it is
	// registered there; empty is Config.PublicURL + "/callback/" + Provider,
	// which [Engine.Handler] serves. Each provider needs an address of its
	// own. It must be https, http on a loopback host, or of a private-use
	// scheme with a dot in it (RFC 8252, section 7.1).
	RedirectURL string
	// ReturnTo names the entry of Config.ReturnTo to send the person to when
	// [Engine.Handler] served the callback; empty is a short text.
	ReturnTo string
	// Scopes asked for; nil asks for all that the adapter reads.
	Scopes []string
	// Predecessor is the user's connection at another provider whose history the
	// new one goes on with: see [Engine.AwaitingConsent]. It is not worked on any
	// more then, and its data stays. A grant that names another account at that
	// provider as the person's does not go on with it, with [AlarmIdentity]. It
	// may be empty where the grant itself tells, as that of googlehealth does.
	Predecessor string
}

// Connect begins a connect flow and returns the address to send the person's
// browser to. The provider sends the browser back to the redirect address with
// a query that goes to [Engine.Complete], unless [Engine.Handler] serves it.
//
// A flow that is begun here can be ended in any browser that has the address:
// hand it to nobody but the person. Flows begun at /connect of
// [Engine.Handler] are bound to the browser, too.
func (e *Engine) Connect(ctx context.Context, r ConnectRequest) (string, error) {
	start, err := e.begin(ctx, r, "")
	return start.address, err
}

// flowStart is a connect flow that has begun.
type flowStart struct {
	address   string // for the browser
	state     string
	expiresAt time.Time
}

// begin begins a flow that can be ended with the browser's nonce only; empty
// is no nonce.
func (e *Engine) begin(ctx context.Context, r ConnectRequest, nonce string) (flowStart, error) {
	authorizer, err := e.authorizer(r.Provider)
	if err != nil {
		return flowStart{}, err
	}
	if r.User == "" {
		return flowStart{}, fmt.Errorf("%w: user is needed", store.ErrInvalid)
	}
	if _, ok := e.cfg.ReturnTo[r.ReturnTo]; r.ReturnTo != "" && !ok {
		return flowStart{}, fmt.Errorf("%w: ReturnTo is not a name in Config.ReturnTo", store.ErrInvalid)
	}
	if err := e.checkPredecessor(ctx, r); err != nil {
		return flowStart{}, err
	}
	if r.RedirectURL == "" {
		r.RedirectURL = e.callbackURL(r.Provider)
	}
	if err := e.claimRedirect(r.Provider, r.RedirectURL); err != nil {
		return flowStart{}, err
	}
	if e.capabilities[r.Provider].ConnectByDelivery {
		nonce = "" // the delivery does not come from the browser
	}
	state := newState(r.Provider)
	start, err := authorizer.Authorize(ctx, providers.AuthRequest{State: state, RedirectURL: r.RedirectURL, Scopes: r.Scopes})
	if err != nil {
		return flowStart{}, err
	}
	flow := store.Flow{
		ID: flowID(state, nonce), Provider: r.Provider, User: r.User, RedirectURL: r.RedirectURL,
		ExpiresAt: now().Add(e.flowTTL(r.Provider)),
	}
	if err := e.putFlow(ctx, flow, flowSecret{Secret: start.Secret.Reveal(), ReturnTo: r.ReturnTo, Predecessor: r.Predecessor}); err != nil {
		return flowStart{}, err
	}
	e.audit(ctx, AuditEvent{Action: "connect", Actor: "user", User: r.User, Provider: r.Provider}, nil)
	return flowStart{address: start.URL, state: state, expiresAt: flow.ExpiresAt}, nil
}

// callbackURL returns the address at which [Engine.Handler] takes a provider's
// callbacks; empty without Config.PublicURL.
func (e *Engine) callbackURL(provider string) string {
	if e.cfg.PublicURL == "" {
		return ""
	}
	return e.cfg.PublicURL + "/callback/" + provider
}

// maxRedirects bounds what is remembered of redirect addresses: an application
// has registered a few.
const maxRedirects = 1000

// claimRedirect refuses a redirect address that is unfit, or in use for another
// provider: with one address for two, the answer of one service could be
// handed in as the other's (RFC 9700, section 4.4).
func (e *Engine) claimRedirect(provider, address string) error {
	if address == "" {
		return fmt.Errorf("%w: RedirectURL is needed without Config.PublicURL", store.ErrInvalid)
	}
	if err := checkAddress(address, true); err != nil {
		return fmt.Errorf("%w: RedirectURL: %w", store.ErrInvalid, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	owner, taken := e.redirects[address]
	if taken && owner != provider {
		return fmt.Errorf("%w: RedirectURL is in use for provider %s", store.ErrInvalid, owner)
	}
	if len(e.redirects) < maxRedirects {
		e.redirects[address] = provider
	}
	return nil
}

// flowSecret is what is sealed into a flow.
type flowSecret struct {
	// Secret is the adapter's: a PKCE verifier, an OAuth 1.0 request token.
	Secret   string `json:"secret,omitempty"`
	ReturnTo string `json:"return_to,omitempty"`
	// Predecessor is that of the ConnectRequest.
	Predecessor string `json:"predecessor,omitempty"`
	// Connection is set in the note about a flow that was completed.
	Connection string `json:"connection,omitempty"`
}

func (e *Engine) putFlow(ctx context.Context, f store.Flow, s flowSecret) error {
	text, err := json.Marshal(s)
	if err != nil {
		return errors.New("sync: encode connect flow")
	}
	f.Sealed, err = e.cfg.Sealer.Seal(ctx, e.flowPlace(f), text)
	if err != nil {
		return fmt.Errorf("sync: seal connect flow: %w", err)
	}
	return e.cfg.Store.PutFlow(ctx, f)
}

func (e *Engine) openFlow(ctx context.Context, f store.Flow) (flowSecret, error) {
	var s flowSecret
	text, err := e.cfg.Sealer.Open(ctx, e.flowPlace(f), f.Sealed)
	if err != nil {
		return s, fmt.Errorf("sync: open connect flow: %w", err)
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return s, fmt.Errorf("sync: connect flow: %w", ErrSealed)
	}
	return s, nil
}

func (e *Engine) flowTTL(provider string) time.Duration {
	if t := e.capabilities[provider].AuthLifetime; t > 0 {
		return t
	}
	return e.cfg.FlowTTL
}

// A state is 256 random bits and the provider's name, so that a callback for
// another provider is recognised before anything is looked up.
const stateBits = 43 // characters of base64

func newState(provider string) string {
	return randomText() + "." + provider
}

// randomText returns 256 random bits as text.
func randomText() string {
	var random [32]byte
	_, _ = rand.Read(random[:])
	return base64.RawURLEncoding.EncodeToString(random[:])
}

// readState returns the state of a callback and the provider that the flow was
// begun with; false if it cannot be one of ours.
func (e *Engine) readState(query url.Values) (state, provider string, ok bool) {
	if len(query["state"]) != 1 {
		return "", "", false
	}
	state = query["state"][0]
	if len(state) > stateBits+1+64 {
		return "", "", false
	}
	random, provider, ok := strings.Cut(state, ".")
	if !ok || len(random) != stateBits {
		return "", "", false
	}
	_, ok = e.providers[provider]
	return state, provider, ok
}

// flowID returns the name of a flow in the store. State and nonce cannot be
// told from it, and without the nonce nobody can take the flow.
func flowID(state, nonce string) string { return flowDigest("flow", state, nonce) }

// finishedID returns the name of the note that a flow was completed.
func finishedID(state, nonce string) string { return flowDigest("finished flow", state, nonce) }

func flowDigest(fields ...string) string {
	sum := sha256.Sum256(associated(fields...))
	return hex.EncodeToString(sum[:])
}

// flowPlace binds what is sealed in a flow to it.
func (e *Engine) flowPlace(f store.Flow) []byte {
	return e.place("flow", f.ID, f.Provider, f.User, f.RedirectURL)
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
// the account is another user's. A query with both an error and a code is an
// error. Flows that [Engine.Handler] began end there. For a provider whose
// redirect proves nothing it is [ErrPending], unless the provider confirms at
// once that the flow led to a grant.
//
// A host that serves several callback addresses itself calls
// [Engine.CompleteFor] instead.
func (e *Engine) Complete(ctx context.Context, query url.Values) (store.Connection, error) {
	conn, _, err := e.complete(ctx, "", "", query)
	return conn, err
}

// CompleteFor is like [Engine.Complete] for a callback that came to the address
// of the provider: a flow that was begun with another provider is ErrFlow, and
// stays as it is.
func (e *Engine) CompleteFor(ctx context.Context, provider string, query url.Values) (store.Connection, error) {
	if provider == "" {
		return store.Connection{}, ErrFlow
	}
	conn, _, err := e.complete(ctx, provider, "", query)
	return conn, err
}

// complete ends a flow. It returns the name of the address to return to as soon
// as it is known, also with an error.
func (e *Engine) complete(ctx context.Context, provider, nonce string, query url.Values) (store.Connection, string, error) {
	state, begun, ok := e.readState(query)
	if !ok || provider != "" && provider != begun || !e.wellFormed(begun, query) {
		return store.Connection{}, "", ErrFlow
	}
	if e.capabilities[begun].ConnectByDelivery {
		conn, err := e.confirm(ctx, begun, state, query)
		return conn, "", err
	}
	flow, secret, err := e.takeFlow(ctx, flowID(state, nonce))
	if err != nil {
		return store.Connection{}, "", err
	}
	// From here on the flow is spent: the caller's leaving must not lose what
	// it buys.
	working, cancel := context.WithTimeout(context.WithoutCancel(ctx), exchangeTimeout+e.cfg.RefreshTimeout)
	defer cancel()
	conn, err := e.exchange(working, flow, secret, query)
	e.audit(working, AuditEvent{
		Action: "complete", Actor: "user", User: flow.User, Connection: conn.ID, Provider: flow.Provider,
	}, err)
	if err != nil {
		return store.Connection{}, secret.ReturnTo, err
	}
	e.noteFinished(working, finishedID(state, nonce), flow, secret, conn)
	return conn, secret.ReturnTo, e.begun(working, conn)
}

// noteFinished remembers for a while what a flow led to, for a callback that
// comes again.
func (e *Engine) noteFinished(ctx context.Context, id string, flow store.Flow, secret flowSecret, conn store.Connection) {
	flow.ID, flow.ExpiresAt = id, now().Add(e.flowTTL(flow.Provider))
	err := e.putFlow(ctx, flow, flowSecret{ReturnTo: secret.ReturnTo, Connection: conn.ID})
	if err != nil && !errors.Is(err, store.ErrConflict) {
		e.cfg.Logger.WarnContext(ctx, "completed flow not noted", "connection", conn.ID, "err", err)
	}
}

// flow returns a flow and leaves it in the store.
func (e *Engine) flow(ctx context.Context, id string) (store.Flow, flowSecret, error) {
	return e.readFlow(ctx, e.cfg.Store.Flow, id)
}

// takeFlow takes a flow: of several callers one gets it, the others ErrFlow.
func (e *Engine) takeFlow(ctx context.Context, id string) (store.Flow, flowSecret, error) {
	return e.readFlow(ctx, e.cfg.Store.TakeFlow, id)
}

// readFlow gets a flow from the store and opens it; ErrFlow if there is none.
func (e *Engine) readFlow(ctx context.Context, get func(context.Context, string) (store.Flow, error), id string) (store.Flow, flowSecret, error) {
	flow, err := get(ctx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && !now().Before(flow.ExpiresAt) {
		return flow, flowSecret{}, ErrFlow
	}
	if err != nil {
		return flow, flowSecret{}, err
	}
	secret, err := e.openFlow(ctx, flow)
	return flow, secret, err
}

// maxCallback bounds a parameter of a callback.
const maxCallback = 8 << 10

// wellFormed reports whether a callback may be acted on: no parameter that
// decides something is there twice or too long, and it is from the issuer that
// the adapter names (RFC 9207).
func (e *Engine) wellFormed(provider string, query url.Values) bool {
	for _, name := range []string{"code", "error", "iss", "oauth_token", "oauth_verifier"} {
		if values := query[name]; len(values) > 1 || len(values) == 1 && len(values[0]) > maxCallback {
			return false
		}
	}
	issuer := e.capabilities[provider].Issuer
	return issuer == "" || query.Get("iss") == issuer
}

// exchange turns the callback of a flow into a connection.
func (e *Engine) exchange(ctx context.Context, flow store.Flow, secret flowSecret, query url.Values) (store.Connection, error) {
	if query.Has("error") {
		return store.Connection{}, refusal(flow.Provider, query.Get("error"))
	}
	authorizer, err := e.authorizer(flow.Provider)
	if err != nil {
		return store.Connection{}, err
	}
	exchanging, stop := context.WithTimeout(ctx, exchangeTimeout)
	grant, err := authorizer.Exchange(exchanging, providers.Callback{
		Query: query, RedirectURL: flow.RedirectURL, Secret: providers.NewSecret(secret.Secret),
	})
	stop()
	if err != nil {
		return store.Connection{}, err
	}
	return e.link(ctx, flow, grant, secret.Predecessor)
}

// refusal returns what an error in a callback means (RFC 6749, section
// 4.1.2.1). The word comes from a browser: only known ones are repeated.
func refusal(provider, code string) error {
	refused := &providers.Error{Provider: provider, Op: "authorize", Kind: providers.ErrInvalid, Code: code}
	switch code {
	case "invalid_request", "unauthorized_client", "unsupported_response_type", "invalid_scope":
		return refused
	case "server_error", "temporarily_unavailable":
		refused.Kind = providers.ErrUnavailable
		return refused
	}
	return ErrDenied
}

// link stores a grant under the connection of the account, a new one if there
// is none. The grant is lost if it is not stored: failures that may pass are
// waited out as long as ctx lasts.
func (e *Engine) link(ctx context.Context, flow store.Flow, grant providers.Grant, predecessor string) (store.Connection, error) {
	if grant.UpstreamID == "" {
		return store.Connection{}, &providers.Error{
			Provider: flow.Provider, Op: "exchange", Kind: providers.ErrMalformed, Detail: "no upstream id",
		}
	}
	if _, err := loadZone(grant.Zone); err != nil {
		grant.Zone = ""
	}
	for {
		conn, err := e.linkOnce(ctx, flow, grant, predecessor)
		if errors.Is(err, store.ErrErased) {
			// The person was erased meanwhile. Nobody else knows this grant.
			return store.Connection{}, errors.Join(err, e.withdrawErased(ctx, conn, grant.Credential))
		}
		if err == nil || !passing(err) {
			return conn, err
		}
		select {
		case <-ctx.Done():
			return conn, err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// passing reports whether linking may succeed if it is tried again: what was
// read was changed by somebody, or the store failed.
func passing(err error) bool {
	return !slices.ContainsFunc([]error{ErrLinked, ErrSealed, store.ErrErased, store.ErrInvalid, store.ErrClosed},
		func(target error) bool { return errors.Is(err, target) })
}

// linkWithin is how long after it was prepared a connection is looked after by
// Run, should the process that linked it have ended.
const linkWithin = 2 * time.Minute

func (e *Engine) linkOnce(ctx context.Context, flow store.Flow, grant providers.Grant, predecessor string) (store.Connection, error) {
	conn := store.Connection{
		ID: randomID(), User: flow.User, Provider: flow.Provider, UpstreamID: grant.UpstreamID,
		State: store.StatePending, Zone: grant.Zone, Scopes: grant.Credential.Scopes, CreatedAt: now().UTC(),
	}
	known, err := e.cfg.Store.Connections(ctx, store.ConnectionQuery{Provider: flow.Provider, UpstreamID: grant.UpstreamID})
	if err != nil {
		return conn, err
	}
	if len(known) > 0 && known[0].User != flow.User {
		// What another user's flow left without a grant does not hold the account.
		known[0], err = e.changeState(ctx, known[0].ID, "engine", func(c *store.Connection) bool {
			if c.State != store.StateReauthRequired || c.Reason != reasonNoGrant {
				return false
			}
			c.State, c.Reason = store.StateDeleting, reasonRemove
			return true
		})
		if err != nil {
			return conn, err
		}
	}
	if len(known) > 0 && known[0].State == store.StateDeleting {
		if err := e.remove(ctx, known[0], e.cfg.RefreshTimeout); err != nil {
			return conn, err
		}
		known = nil
	}
	if len(known) > 0 {
		if known[0].User != flow.User {
			return store.Connection{}, ErrLinked
		}
		conn = known[0]
	} else if created, err := e.cfg.Store.PutConnection(ctx, conn); err != nil {
		return conn, err
	} else {
		conn = created
	}
	// Whoever links it has it read at once when that is done. If the process ends
	// before, nobody else would look for a connection without a due time.
	if err := e.scheduleAt(ctx, conn, now().Add(linkWithin)); err != nil {
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
	// An erasure that does not know this grant yet has said so before it
	// looked for grants.
	if _, err := e.cfg.Store.Setting(ctx, flow.User, settingErasing); err == nil {
		return conn, store.ErrErased
	} else if !errors.Is(err, store.ErrNotFound) {
		return conn, err
	}
	if err := e.noteEnd(ctx, conn, grant.EndsAt); err != nil {
		return conn, err
	}
	if err := e.join(ctx, conn, grant.Aliases, predecessor); err != nil {
		return conn, err
	}
	if err := e.rememberAccount(ctx, conn.Provider, conn.UpstreamID); err != nil {
		return conn, err
	}
	var lookup error
	old, conn, err := e.updateConnection(ctx, conn.ID, func(c *store.Connection) bool {
		if c.State == store.StateDeleting {
			return false
		}
		c.Scopes = grant.Credential.Scopes
		if grant.Zone != "" {
			c.Zone = grant.Zone
		}
		lookup = e.putInOrder(ctx, c)
		return lookup == nil
	})
	if err = errors.Join(err, lookup); err != nil {
		return conn, err
	}
	if conn.State == store.StateDeleting {
		return conn, fmt.Errorf("%w: disconnected meanwhile", store.ErrConflict)
	}
	e.stateChanged(ctx, old, conn)
	return conn, nil
}

// putInOrder gives a connection the state that it has with a new grant.
func (e *Engine) putInOrder(ctx context.Context, c *store.Connection) error {
	c.State, c.Reason = store.StateActive, ""
	// Whoever succeeds it from now on retires it, or changed it before.
	succeeded, err := e.succeeded(ctx, *c)
	if succeeded {
		c.State, c.Reason = store.StateRetired, reasonSucceeded
	}
	return err
}

// reasonNoGrant is the reason of a connection whose flow was spent before its
// grant was stored.
const reasonNoGrant = "the consent was not stored"

var errLinking = errors.New("sync: connection is being linked")

// finishLink decides about a connection whose process ended before it was in
// order: with its grant it is, without it the person has to consent again. Its
// linker is left alone until linkWithin has passed.
func (e *Engine) finishLink(ctx context.Context, conn store.Connection) (store.Connection, error) {
	if until := conn.CreatedAt.Add(linkWithin); now().Before(until) {
		return conn, &waitError{until: until, err: errLinking}
	}
	_, err := e.cfg.Store.Credential(ctx, conn.ID)
	lost := errors.Is(err, store.ErrNotFound)
	if err != nil && !lost {
		return conn, err
	}
	if !lost {
		if err := e.rememberAccount(ctx, conn.Provider, conn.UpstreamID); err != nil {
			return conn, err
		}
	}
	var lookup error
	next, err := e.changeState(ctx, conn.ID, "engine", func(c *store.Connection) bool {
		switch {
		case c.State != store.StatePending:
			return false
		case lost:
			c.State, c.Reason = store.StateReauthRequired, reasonNoGrant
			return true
		}
		lookup = e.putInOrder(ctx, c)
		return lookup == nil
	})
	return next, errors.Join(err, lookup)
}

// stateChanged tells the host of a connection's new state.
func (e *Engine) stateChanged(ctx context.Context, old, next store.Connection) {
	if old.State == next.State {
		return
	}
	call(ctx, e, e.cfg.Hooks.StateChanged, StateEvent{
		Connection: next.ID, Provider: next.Provider, Old: old.State, New: next.State, Reason: next.Reason,
	})
}

// begun has Run work on a connection that was just linked: on what arrived
// before it, and on what is there now.
func (e *Engine) begun(ctx context.Context, conn store.Connection) error {
	return errors.Join(
		e.releaseParked(ctx, conn.Provider, conn.UpstreamID),
		e.schedule(ctx, conn),
	)
}

// schedule has Run read a connection that is in order again, with its history,
// and subscribe to its news.
func (e *Engine) schedule(ctx context.Context, conn store.Connection) error {
	if !inOrder(conn) {
		return nil // another connection goes on with its history
	}
	return e.scheduleAt(ctx, conn, now())
}

func (e *Engine) scheduleAt(ctx context.Context, conn store.Connection, at time.Time) error {
	tasks := []string{taskSync}
	if e.cfg.History > 0 {
		tasks = append(tasks, taskBackfill)
	}
	if _, ok := e.providers[conn.Provider].(providers.Subscriber); ok && e.cfg.PublicURL != "" {
		tasks = append(tasks, taskSubscribe)
	}
	var errs []error
	for _, task := range tasks {
		errs = append(errs, e.cfg.Store.SetDue(ctx, store.Due{Connection: conn.ID, Task: task, At: at}))
	}
	e.poke()
	return errors.Join(errs...)
}

// began reports whether a reference has the form of a state that this engine gave
// a flow that ends by a delivery.
func (e *Engine) began(provider, reference string) bool {
	_, begun, ok := e.readState(url.Values{"state": {reference}})
	return ok && begun == provider && e.capabilities[provider].ConnectByDelivery
}

// completeByReference ends a connect flow whose outcome the service reports by
// a signed delivery: reference is the state that the flow was begun with, and
// the service holds the grant itself, so that there are no tokens. An account
// that is connected already is returned as it is: deliveries come more than
// once.
func (e *Engine) completeByReference(ctx context.Context, provider, reference, upstreamID string) (store.Connection, error) {
	if !e.began(provider, reference) {
		return store.Connection{}, ErrFlow
	}
	// The delivery was acknowledged: until the connection is stored the flow
	// stays, for another try. Deliveries are worked on one at a time, and who links
	// an account again keeps its connection.
	flow, secret, err := e.flow(ctx, flowID(reference, ""))
	if errors.Is(err, ErrFlow) {
		known, failure := e.cfg.Store.Connections(ctx, store.ConnectionQuery{Provider: provider, UpstreamID: upstreamID})
		if failure == nil && len(known) > 0 {
			return known[0], nil
		}
		return store.Connection{}, errors.Join(err, failure)
	}
	if err != nil {
		return store.Connection{}, err
	}
	working, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.cfg.RefreshTimeout)
	defer cancel()
	conn, err := e.link(working, flow, providers.Grant{
		UpstreamID: upstreamID, Credential: providers.Credential{UpstreamID: upstreamID},
	}, secret.Predecessor)
	if err != nil && passing(err) {
		return store.Connection{}, err
	}
	if _, err := e.cfg.Store.TakeFlow(working, flow.ID); err != nil && !errors.Is(err, store.ErrNotFound) {
		e.cfg.Logger.WarnContext(working, "completed flow not removed", "connection", conn.ID, "err", err)
	}
	e.audit(working, AuditEvent{
		Action: "complete", Actor: "provider", User: flow.User, Connection: conn.ID, Provider: provider,
	}, err)
	if err != nil {
		return store.Connection{}, err
	}
	e.noteFinished(working, finishedID(reference, ""), flow, secret, conn)
	return conn, e.begun(working, conn)
}

// maxConfirming is how many connect flows providers are asked about at once: a
// callback may come from anybody.
const maxConfirming = 4

// confirm asks the provider how a flow ended whose redirect proves nothing. As
// long as it does not say, its delivery is waited for. A state that nobody was
// given, which anybody can invent, is not worth a request.
func (e *Engine) confirm(ctx context.Context, provider, state string, query url.Values) (store.Connection, error) {
	confirmer, ok := e.providers[provider].(providers.Confirmer)
	if !ok {
		return store.Connection{}, ErrPending
	}
	switch _, _, err := e.flow(ctx, flowID(state, "")); {
	case errors.Is(err, ErrFlow):
		conn, _, err := e.completedBefore(ctx, provider, "", query)
		if errors.Is(err, ErrFlow) {
			err = ErrPending // unknown, or in the hands of a delivery
		}
		return conn, err
	case err != nil:
		return store.Connection{}, err
	}
	select {
	case e.confirming <- struct{}{}:
		defer func() { <-e.confirming }()
	default:
		return store.Connection{}, ErrPending
	}
	asking, stop := context.WithTimeout(ctx, exchangeTimeout)
	upstreamID, err := confirmer.Confirm(asking, state, providers.Callback{Query: query})
	stop()
	if err != nil || upstreamID == "" {
		if !errors.Is(err, providers.ErrNotFound) {
			e.cfg.Logger.WarnContext(ctx, "connect flow not confirmed", "provider", provider, "err", err)
		}
		return store.Connection{}, ErrPending
	}
	conn, err := e.completeByReference(ctx, provider, state, upstreamID)
	if errors.Is(err, ErrFlow) {
		err = ErrPending // in the hands of a delivery
	}
	return conn, err
}

// relinkCredential has a connection's credential name the new upstream id. It
// comes before the connection gets the id: as long as that has the old one, the
// move is tried again.
func (e *Engine) relinkCredential(ctx context.Context, conn store.Connection, newID string) error {
	for {
		c, err := e.cfg.Store.Credential(ctx, conn.ID)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		cred, _, err := e.openCredential(ctx, conn, c)
		if err != nil || cred.UpstreamID == newID {
			return err
		}
		cred.UpstreamID = newID
		next, err := e.sealInto(ctx, conn, c, cred)
		if err != nil {
			return err
		}
		if err = e.cfg.Store.UpdateCredential(ctx, next); !errors.Is(err, store.ErrConflict) || ctx.Err() != nil {
			return err
		}
	}
}
