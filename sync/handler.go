package sync

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

// Handler serves what the world outside calls, relative to where it is mounted:
//
//	/webhooks/{provider}          deliveries that carry a signature
//	/webhooks/{provider}/{token}  deliveries that do not, one address per connection
//	/connect/{provider}           begins a connect flow
//	/callback/{provider}          ends it
//
// Mount it below a prefix with [http.StripPrefix]. A delivery is verified,
// stored durably and answered; [Engine.Run], of this or another process, works
// on it afterwards. Whatever is not known is answered with one and the same
// 404, and a delivery that is not stored within 1.5 seconds with 503, so that
// the service sends it again.
//
// The deadline for reading a body is set per request and needs no settings of
// the host's server; a middleware that wraps the ResponseWriter must have an
// Unwrap method for it to work.
func (e *Engine) Handler() http.Handler { return http.HandlerFunc(e.serve) }

// serve routes a request. It does so itself, because http.ServeMux answers some
// paths with a redirect, which a service takes for success or follows.
func (e *Engine) serve(w http.ResponseWriter, r *http.Request) {
	// The server reads what is left of a body before it answers, however long
	// that takes.
	defer func() {
		if r.Body != http.NoBody {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(defaultDeadline))
		}
	}()
	defer func() {
		v := recover()
		aborted, _ := v.(error)
		switch {
		case errors.Is(aborted, http.ErrAbortHandler):
			panic(v)
		case v != nil:
			e.cfg.Logger.ErrorContext(r.Context(), "handler panicked", "panic", fmt.Sprintf("%T", v))
			e.alarm(r.Context(), AlarmEvent{Kind: AlarmPanic}, 1)
			refuseRequest(w, http.StatusInternalServerError)
		}
	}()
	kind, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	provider, token, addressed := strings.Cut(rest, "/")
	if _, ok := e.providers[provider]; !ok || addressed && kind != "webhooks" || strings.Contains(token, "/") {
		refuseRequest(w, http.StatusNotFound)
		return
	}
	switch kind {
	case "webhooks":
		e.serveWebhook(w, r, provider, token, addressed)
	case "connect":
		r.SetPathValue("provider", provider)
		e.serveConnect(w, r)
	case "callback":
		r.SetPathValue("provider", provider)
		e.serveCallback(w, r)
	default:
		refuseRequest(w, http.StatusNotFound)
	}
}

// refuseRequest answers with a status and nothing that depends on the request.
func refuseRequest(w http.ResponseWriter, status int) {
	http.Error(w, http.StatusText(status), status)
}

const (
	// storeBudget is how long a delivery may take to be stored: services wait
	// two seconds, and more, for the answer.
	storeBudget = 1500 * time.Millisecond
	// busyPause is what Retry-After says.
	busyPause = 5 * time.Second
	// defaultDeadline and defaultMaxBody are what zero means in
	// providers.WebhookTraits.
	defaultDeadline = 5 * time.Second
	defaultMaxBody  = 1 << 20
)

// endpoint is where deliveries arrive.
type endpoint struct {
	provider string
	// connection is set where every connection has an address of its own.
	connection string
	parser     providers.WebhookParser
	traits     providers.WebhookTraits
	// verifier is set where deliveries are only verified when they arrive, and
	// their bodies may be put into files.
	verifier providers.WebhookVerifier
}

// name is what is stored as a delivery's Endpoint.
func (p endpoint) name() string {
	if p.connection == "" {
		return p.provider
	}
	return p.provider + "/" + p.connection
}

// endpoint returns the endpoint of a stored name; false if this engine has no
// such provider, or one without deliveries of that sort.
func (e *Engine) endpoint(name string) (endpoint, bool) {
	p := endpoint{}
	p.provider, p.connection, _ = strings.Cut(name, "/")
	parser, ok := e.providers[p.provider].(providers.WebhookParser)
	if !ok {
		return p, false
	}
	p.parser, p.traits = parser, parser.WebhookTraits()
	if p.traits.Deadline <= 0 {
		p.traits.Deadline = defaultDeadline
	}
	if p.traits.MaxBody <= 0 {
		p.traits.MaxBody = defaultMaxBody
	}
	if p.traits.Signed && p.traits.MaxBody > inMemory {
		p.verifier, _ = parser.(providers.WebhookVerifier)
	}
	if p.traits.Accepted == 0 {
		p.traits.Accepted = http.StatusOK
	}
	if p.traits.Refused == 0 {
		p.traits.Refused = http.StatusUnauthorized
	}
	return p, p.traits.Signed == (p.connection == "")
}

// serveWebhook serves the endpoint of a provider or, addressed by a token, of a
// connection.
func (e *Engine) serveWebhook(w http.ResponseWriter, r *http.Request, provider, token string, addressed bool) {
	name := provider
	if addressed {
		connection, err := e.openToken(r.Context(), provider, token)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			e.cfg.Logger.ErrorContext(r.Context(), "webhook key not read", "err", err)
			busy(w)
			return
		}
		name += "/" + connection
		if err != nil {
			name = ""
		}
	}
	point, ok := e.endpoint(name)
	if !ok {
		refuseRequest(w, http.StatusNotFound)
		return
	}
	if r.Method != http.MethodPost {
		e.serveProbe(w, r, point)
		return
	}
	e.serveDelivery(w, r, point)
}

// serveProbe answers a service that looks whether the endpoint is there.
func (e *Engine) serveProbe(w http.ResponseWriter, r *http.Request, point endpoint) {
	prober, probes := point.parser.(providers.WebhookProber)
	if probes {
		if answer, ok := prober.ProbeWebhook(probe(r, point, nil)); ok {
			writeProbe(w, answer)
			return
		}
	}
	if !point.traits.Signed && r.Method == http.MethodHead {
		w.WriteHeader(http.StatusOK)
		return
	}
	allow := "POST"
	if probes {
		allow = "GET, HEAD, POST"
	} else if !point.traits.Signed {
		allow = "HEAD, POST"
	}
	w.Header().Set("Allow", allow)
	refuseRequest(w, http.StatusMethodNotAllowed)
}

func writeProbe(w http.ResponseWriter, answer providers.ProbeAnswer) {
	if answer.ContentType != "" {
		w.Header().Set("Content-Type", answer.ContentType)
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(answer.Status)
	_, _ = w.Write(answer.Body)
}

// request is what the adapter sees of a request: the headers that it names, and
// no path, which may hold a secret.
func request(r *http.Request, point endpoint, body []byte) *providers.WebhookRequest {
	req := &providers.WebhookRequest{Method: r.Method, Header: named(r.Header, point.traits.Header), Body: body}
	if r.URL.RawQuery != "" {
		req.Query = r.URL.Query()
	}
	return req
}

// probe is what the adapter sees of a request that may be a check of the
// endpoint. Nothing of it is stored.
func probe(r *http.Request, point endpoint, body []byte) *providers.WebhookRequest {
	req := request(r, point, body)
	maps.Copy(req.Header, named(r.Header, point.traits.ProbeHeader))
	return req
}

// named returns the headers of the given names.
func named(all http.Header, names []string) http.Header {
	kept := make(http.Header)
	for _, name := range names {
		name = http.CanonicalHeaderKey(name)
		if values, ok := all[name]; ok {
			kept[name] = values
		}
	}
	return kept
}

// busy asks the service to come back.
func busy(w http.ResponseWriter) {
	w.Header().Set("Retry-After", strconv.Itoa(int(busyPause/time.Second)))
	refuseRequest(w, http.StatusServiceUnavailable)
}

// settingWebhookKey names the sealed key that the tokens of addresses are made
// with.
const settingWebhookKey = "webhook_key"

// webhookURL returns the address at which a connection's deliveries arrive;
// false if there is none.
func (e *Engine) webhookURL(ctx context.Context, conn store.Connection) (string, bool, error) {
	parser, ok := e.providers[conn.Provider].(providers.WebhookParser)
	if !ok || e.cfg.PublicURL == "" {
		return "", false, nil
	}
	address := e.cfg.PublicURL + "/webhooks/" + conn.Provider
	if parser.WebhookTraits().Signed {
		return address, true, nil
	}
	mac, err := e.tokenMAC(ctx, conn.Provider, conn.ID)
	if err != nil {
		return "", false, err
	}
	return address + "/" + conn.ID + "." + hex.EncodeToString(mac), true, nil
}

// openToken returns the connection of a token, or ErrNotFound for a token that
// the engine did not make. It asks the store for nothing but the key, so that
// guessing tells nothing.
func (e *Engine) openToken(ctx context.Context, provider, token string) (string, error) {
	connection, text, ok := strings.Cut(token, ".")
	given, err := hex.DecodeString(text)
	if !ok || err != nil || len(token) > 256 || connection == "" {
		return "", store.ErrNotFound
	}
	mac, err := e.tokenMAC(ctx, provider, connection)
	if err != nil {
		return "", err
	}
	if !hmac.Equal(mac, given) {
		return "", store.ErrNotFound
	}
	return connection, nil
}

// tokenMAC authenticates the address of a connection.
func (e *Engine) tokenMAC(ctx context.Context, provider, connection string) ([]byte, error) {
	key, err := e.webhookKey(ctx)
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(associated("vitalmux webhook address v1", provider, connection))
	return mac.Sum(nil)[:20], nil
}

// webhookKey returns the key of the addresses, made when it is first needed.
func (e *Engine) webhookKey(ctx context.Context) ([]byte, error) {
	e.received.mu.Lock()
	key := e.received.key
	e.received.mu.Unlock()
	if key != nil {
		return key, nil
	}
	place := e.place("webhook key")
	sealed, err := e.setting(ctx, "", settingWebhookKey, func() ([]byte, error) {
		fresh := make([]byte, 32)
		_, _ = rand.Read(fresh)
		return e.cfg.Sealer.Seal(ctx, place, fresh)
	})
	if err != nil {
		return nil, fmt.Errorf("sync: webhook key: %w", err)
	}
	if key, err = e.cfg.Sealer.Open(ctx, place, sealed); err != nil {
		return nil, fmt.Errorf("sync: open webhook key: %w", err)
	}
	e.received.mu.Lock()
	e.received.key = key
	e.received.mu.Unlock()
	return key, nil
}
