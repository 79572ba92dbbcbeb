package sync

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/store"
)

// The outcomes of a connect flow, as the person's browser is told: in the query
// parameter "outcome" of the address that Config.ReturnTo names.
const (
	outcomeConnected = "connected"
	outcomeAlready   = "already_connected" // the callback page was loaded again
	outcomePending   = "pending"           // the service will report by a delivery
	outcomeDenied    = "denied"
	outcomeLinked    = "linked" // the account is another user's
	outcomeFailed    = "failed"
)

// serveConnect begins a connect flow for the user of the request: GET or POST
// /connect/{provider}, with the name of an entry of Config.ReturnTo in the
// parameter return_to, or none. It sends the browser to the provider.
//
// The flow is bound to the browser by a cookie, which one flow has for itself.
// Its name begins with "__Host-", so that no other host can set it. On a
// loopback address without TLS, where browsers refuse such cookies, it has a
// name without the prefix: nothing but development should run there.
func (e *Engine) serveConnect(w http.ResponseWriter, r *http.Request) {
	private(w)
	provider := r.PathValue("provider")
	if _, err := e.authorizer(provider); err != nil || e.cfg.Authenticate == nil {
		answer(w, http.StatusNotFound, "not found")
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, POST")
		answer(w, http.StatusMethodNotAllowed, "method not allowed")
		return
	}
	user, err := e.cfg.Authenticate(r)
	if err != nil || user == "" {
		answer(w, http.StatusUnauthorized, "unauthorized")
		return
	}
	returnTo := r.URL.Query().Get("return_to")
	if _, ok := e.cfg.ReturnTo[returnTo]; returnTo != "" && !ok {
		answer(w, http.StatusBadRequest, "bad request")
		return
	}
	nonce := randomText()
	start, err := e.begin(r.Context(), ConnectRequest{User: user, Provider: provider, ReturnTo: returnTo}, nonce)
	switch {
	case errors.Is(err, store.ErrErased):
		answer(w, http.StatusForbidden, "not permitted")
	case err != nil:
		e.cfg.Logger.WarnContext(r.Context(), "connect flow not begun", "provider", provider, "err", err)
		answer(w, http.StatusServiceUnavailable, "cannot connect now, please try again later")
	default:
		http.SetCookie(w, e.flowCookie(start.state, nonce, time.Until(start.expiresAt)))
		w.Header().Set("Location", start.address)
		w.WriteHeader(http.StatusSeeOther)
	}
}

// flowCookie returns the cookie that binds a flow to a browser.
func (e *Engine) flowCookie(state, nonce string, life time.Duration) *http.Cookie {
	return &http.Cookie{
		Name: e.flowCookieName(state), Value: nonce, Path: "/", MaxAge: max(1, int(life/time.Second)),
		Secure: e.overTLS(), HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

func (e *Engine) flowCookieName(state string) string {
	name := "vitalmux-" + flowDigest("flow cookie", state)[:16]
	if e.overTLS() {
		name = "__Host-" + name
	}
	return name
}

func (e *Engine) overTLS() bool { return strings.HasPrefix(e.cfg.PublicURL, "https:") }

// serveCallback ends a connect flow: GET /callback/{provider}. Whatever is wrong
// with the state has one answer.
func (e *Engine) serveCallback(w http.ResponseWriter, r *http.Request) {
	private(w)
	provider := r.PathValue("provider")
	if _, err := e.authorizer(provider); err != nil {
		answer(w, http.StatusNotFound, "not found")
		return
	}
	if r.Method != http.MethodGet {
		// A HEAD request of something that looks at links must not spend a code.
		w.Header().Set("Allow", "GET")
		answer(w, http.StatusMethodNotAllowed, "method not allowed")
		return
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		answer(w, http.StatusBadRequest, "bad request")
		return
	}
	if e.capabilities[provider].ConnectByDelivery {
		// What a browser brings proves nothing: the service says itself, when
		// it is asked or by a signed delivery, what came of it.
		conn, _, err := e.complete(r.Context(), provider, "", query)
		outcome := outcomePending
		switch {
		case err == nil:
			outcome = outcomeConnected
		case errors.Is(err, ErrLinked):
			outcome = outcomeLinked
		}
		conn.Provider = provider
		e.goBack(w, r, query.Get("return_to"), outcome, conn)
		return
	}
	nonce := ""
	if state, _, ok := e.readState(query); ok {
		if cookie, err := r.Cookie(e.flowCookieName(state)); err == nil {
			nonce = cookie.Value
		}
	}
	conn, returnTo, err := e.complete(r.Context(), provider, nonce, query)
	outcome := outcomeConnected
	if errors.Is(err, ErrFlow) {
		conn, returnTo, err = e.completedBefore(r.Context(), provider, nonce, query)
		outcome = outcomeAlready
	}
	switch {
	case err == nil:
	case errors.Is(err, ErrFlow):
		answer(w, http.StatusBadRequest, "bad request")
		return
	case errors.Is(err, ErrDenied):
		outcome = outcomeDenied
	case errors.Is(err, ErrLinked):
		outcome = outcomeLinked
	case conn.ID != "":
		// Connected and stored; Run finds what could not be put on its plan.
		e.cfg.Logger.WarnContext(r.Context(), "connected account not scheduled", "connection", conn.ID, "err", err)
	default:
		e.cfg.Logger.WarnContext(r.Context(), "connect flow failed", "provider", provider, "err", err)
		outcome = outcomeFailed
	}
	conn.Provider = provider
	e.goBack(w, r, returnTo, outcome, conn)
}

// completedBefore returns what a flow that was completed lately led to, so that
// a page that is loaded again is no error. ErrFlow if there is no such flow.
func (e *Engine) completedBefore(ctx context.Context, provider, nonce string, query url.Values) (store.Connection, string, error) {
	state, begun, ok := e.readState(query)
	if !ok || begun != provider {
		return store.Connection{}, "", ErrFlow
	}
	_, secret, err := e.flow(ctx, finishedID(state, nonce)) // it stays for the next reload
	if err != nil {
		return store.Connection{}, "", err
	}
	conn, err := e.cfg.Store.Connection(ctx, secret.Connection)
	if errors.Is(err, store.ErrNotFound) {
		err = ErrFlow // disconnected since
	}
	return conn, secret.ReturnTo, err
}

// goBack sends the browser to an address of Config.ReturnTo, or shows a text
// where none was named.
func (e *Engine) goBack(w http.ResponseWriter, r *http.Request, returnTo, outcome string, conn store.Connection) {
	if address, ok := e.cfg.ReturnTo[returnTo]; ok {
		if u, err := url.Parse(address); err == nil {
			query := u.Query()
			query.Set("outcome", outcome)
			query.Set("provider", conn.Provider)
			if conn.ID != "" {
				query.Set("connection", conn.ID)
			}
			u.RawQuery = query.Encode()
			w.Header().Set("Location", u.String())
			w.WriteHeader(http.StatusSeeOther)
			return
		}
	}
	switch outcome {
	case outcomeConnected:
		answer(w, http.StatusOK, "connected")
	case outcomeAlready:
		answer(w, http.StatusOK, "already connected")
	case outcomePending:
		answer(w, http.StatusOK, "the account will be connected in a moment")
	case outcomeDenied:
		answer(w, http.StatusForbidden, "not connected: no consent was given")
	case outcomeLinked:
		answer(w, http.StatusConflict, "not connected: the account is connected to another user")
	default:
		answer(w, http.StatusBadGateway, "not connected, please try again")
	}
}

// private keeps what a flow carries in its address out of caches, frames and
// the Referer header.
func private(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n")
}
