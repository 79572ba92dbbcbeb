package sync

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	gosync "sync"
	"time"

	"github.com/vitalmux/vitalmux/internal/failpoint"
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
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if len(parts) < 2 || len(parts) > 3 || parts[0] != "webhooks" && len(parts) != 2 {
		refuseRequest(w, http.StatusNotFound)
		return
	}
	if _, ok := e.providers[parts[1]]; !ok {
		refuseRequest(w, http.StatusNotFound)
		return
	}
	r.SetPathValue("provider", parts[1])
	switch parts[0] {
	case "webhooks":
		e.serveWebhook(w, r, parts[1], parts[2:])
	case "connect":
		e.serveConnect(w, r)
	case "callback":
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

func (e *Engine) serveWebhook(w http.ResponseWriter, r *http.Request, provider string, token []string) {
	name := provider
	if len(token) > 0 {
		connection, err := e.openToken(r.Context(), provider, token[0])
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
	return &providers.WebhookRequest{
		Method: r.Method, Query: r.URL.Query(), Header: point.headers(r.Header), Body: body,
	}
}

// probe is what the adapter sees of a request that may be a check of the
// endpoint. Nothing of it is stored.
func probe(r *http.Request, point endpoint, body []byte) *providers.WebhookRequest {
	req := request(r, point, body)
	maps.Copy(req.Header, named(r.Header, point.traits.ProbeHeader))
	return req
}

func (p endpoint) headers(all http.Header) http.Header { return named(all, p.traits.Header) }

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

// keysBudget is how long an adapter may take to fetch the keys of a delivery.
const keysBudget = 2 * time.Second

// keys has the adapter fetch what it needs to verify a delivery, if it lacks
// that.
func (p endpoint) keys(ctx context.Context, received time.Time, req *providers.WebhookRequest) error {
	keyer, ok := p.parser.(providers.WebhookKeyer)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, keysBudget)
	defer cancel()
	return keyer.WebhookKeys(ctx, received, req)
}

// busy asks the service to come back.
func busy(w http.ResponseWriter) {
	w.Header().Set("Retry-After", strconv.Itoa(int(busyPause/time.Second)))
	refuseRequest(w, http.StatusServiceUnavailable)
}

// deliveryMeta is what is kept of a delivery besides its body.
type deliveryMeta struct {
	Version int                 `json:"v"`
	Method  string              `json:"method,omitempty"`
	Query   map[string][]string `json:"query,omitempty"`
	Header  http.Header         `json:"header,omitempty"`
	// Only is set for what is left of a delivery: the notifications, by place,
	// that were not settled.
	Only []int `json:"only,omitempty"`
	// Part is set when the body is a part of a delivery, about one person, in
	// the engine's own form.
	Part bool `json:"part,omitempty"`
	// Parts is set when the body is stored in parts.
	Parts *parts `json:"parts,omitempty"`
	// Pointer is set when the body was fetched: it is what pointed to it.
	Pointer *providers.Notification `json:"pointer,omitempty"`
}

const deliveryVersion = 1

// The reasons of dead letters and parked deliveries.
const (
	reasonEmpty      = "empty"
	reasonUnreadable = "unreadable"
	reasonUnknown    = "unknown event"
	reasonUnverified = "not verified any more"
	reasonNobody     = "unknown person"
	reasonPanic      = "panic"
	reasonFailed     = "failed too often"
	reasonNoProvider = "no such provider"
)

// serveDelivery takes a delivery: read, verify, store, answer, in this order.
func (e *Engine) serveDelivery(w http.ResponseWriter, r *http.Request, point endpoint) {
	ctx := r.Context()
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") &&
		!slices.ContainsFunc(point.traits.Header, func(h string) bool { return strings.EqualFold(h, "Content-Encoding") }) {
		// The adapter verifies the bytes as they came and could not read them.
		refuseRequest(w, http.StatusUnsupportedMediaType)
		return
	}
	body, large, release, digest, status := e.readBody(w, r, point)
	if status != 0 {
		switch status {
		case http.StatusServiceUnavailable:
			e.alarm(ctx, AlarmEvent{Kind: AlarmBudget, Provider: point.provider}, 1)
			busy(w)
		default:
			w.Header().Set("Connection", "close")
			refuseRequest(w, status)
		}
		return
	}
	handed := false
	defer func() {
		if !handed {
			release()
		}
	}()
	// The receipt of a delivery is kept to the millisecond; it is verified
	// again as of then.
	received := now().UTC().Truncate(time.Millisecond)
	if prober, ok := point.parser.(providers.WebhookProber); ok && large == nil {
		if answer, ok := prober.ProbeWebhook(probe(r, point, body)); ok {
			writeProbe(w, answer)
			return
		}
	}
	req := request(r, point, body)
	if large != nil {
		req.Large = large.section()
	}
	if err := point.keys(ctx, received, req); err != nil {
		e.cfg.Logger.ErrorContext(ctx, "webhook keys not read", "provider", point.provider, "err", err)
		busy(w)
		return
	}
	notes, err := point.notifications(received, req)
	d, status := e.delivery(point, req, received, digest, notes, err)
	switch {
	case status == point.traits.Refused:
		e.alarm(ctx, AlarmEvent{Kind: AlarmSignatures, Provider: point.provider, Err: providers.ErrSignature}, signatureBurst)
		fallthrough
	case status != point.traits.Accepted:
		refuseRequest(w, status)
		return
	case d.ID == "":
		w.WriteHeader(status)
		return
	}
	failpoint.Hit("inbox_before_put")
	handed = true
	if err := e.putDelivery(ctx, point, d, large, release); err != nil {
		e.cfg.Logger.ErrorContext(ctx, "delivery not stored", "provider", point.provider, "err", err)
		busy(w)
		return
	}
	failpoint.Hit("inbox_after_put")
	w.WriteHeader(status)
	if failpoint.Enabled || d.Status == store.DeliveryDead {
		_ = http.NewResponseController(w).Flush() // the answer does not wait for hooks
	}
	failpoint.Hit("inbox_after_ack")
	if d.Status == store.DeliveryDead {
		e.alarm(ctx, AlarmEvent{Kind: AlarmDeadLetter, Provider: point.provider}, 1)
		call(ctx, e, e.cfg.Hooks.Delivered, DeliveryEvent{Provider: point.provider, Delivery: d.ID, Status: d.Status})
		return
	}
	e.pokeInbox()
}

// notifications returns what a delivery tells. Where there is a verifier, that
// is only that it is genuine, and when it was signed: what it says is read by
// the worker.
func (p endpoint) notifications(received time.Time, req *providers.WebhookRequest) ([]providers.Notification, error) {
	if p.verifier == nil {
		return p.parser.ParseWebhook(received, req)
	}
	signed, err := p.verifier.VerifyWebhook(received, req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", providers.ErrSignature, err)
	}
	return []providers.Notification{{At: signed}}, nil
}

// urgent reports whether all that a delivery tells is where its content is.
func (p endpoint) urgent(req *providers.WebhookRequest, notes []providers.Notification) bool {
	if p.verifier == nil {
		return p.points(notes)
	}
	sorter, ok := p.parser.(providers.WebhookSorter)
	return ok && req.Large == nil && sorter.UrgentWebhook(req)
}

// delivery returns what is to be stored, with no ID if there is nothing, and
// the status of the answer.
func (e *Engine) delivery(point endpoint, req *providers.WebhookRequest, received time.Time, digest []byte, notes []providers.Notification, err error) (store.Delivery, int) {
	d := store.Delivery{Endpoint: point.name(), Received: received, Body: req.Body, Status: store.DeliveryNew}
	switch {
	case err != nil && !errors.Is(err, providers.ErrMalformed):
		// A failed verification; for any other error nobody has vouched
		// either.
		return d, point.traits.Refused
	case !point.traits.Signed && err != nil:
		return d, http.StatusBadRequest
	case !point.traits.Signed && len(notes) == 0:
		return d, point.traits.Accepted
	case len(notes) == 0:
		d.Status, d.Reason = store.DeliveryDead, reasonUnreadable
		if len(req.Body) == 0 || err == nil {
			d.Reason = reasonEmpty
		}
	case point.urgent(req, notes):
		d.Status = store.DeliveryUrgent
	}
	d.ID = randomID()
	if point.traits.Signed && !point.traits.Triggers {
		d.ID, d.Key = deliveryID(point, notes, digest), point.deliveryKey(req.Header)
	}
	kept := deliveryMeta{Version: deliveryVersion, Method: req.Method, Query: req.Query, Header: req.Header}
	if req.Large != nil {
		kept.Parts = newParts(req.Large.Size())
	}
	meta, err := json.Marshal(kept)
	if err != nil {
		return d, http.StatusInternalServerError // strings always encode
	}
	d.Meta = meta
	return d, point.traits.Accepted
}

// deliveryID identifies a signed delivery by its endpoint, the time that the
// service signed and the digest of its body. The same body at another time is
// another delivery: data may change and change back. It begins with the time, so
// that a store that orders ids writes new ones next to each other.
func deliveryID(point endpoint, notes []providers.Notification, digest []byte) string {
	stamps := make([]byte, 0, 16)
	for i, n := range notes {
		if !n.At.IsZero() && (i == 0 || !n.At.Equal(notes[i-1].At)) {
			stamps = strconv.AppendInt(append(stamps, ' '), n.At.UnixMilli(), 10)
		}
	}
	sum := sha256.Sum256(associated("vitalmux delivery v1", point.provider, point.name(), string(stamps), string(digest)))
	id := make([]byte, 0, 64)
	if len(notes) > 0 && !notes[0].At.IsZero() {
		id = append(strconv.AppendInt(id, notes[0].At.Unix(), 36), '.')
	}
	return string(base64.RawURLEncoding.AppendEncode(id, sum[:16]))
}

// deliveryKey identifies a delivery by its endpoint and the name that the
// service gave it; "" if it has none. See [providers.WebhookTraits].
func (p endpoint) deliveryKey(header http.Header) string {
	if p.traits.DuplicateHeader == "" {
		return ""
	}
	values := header.Values(p.traits.DuplicateHeader)
	if len(values) != 1 || strings.TrimSpace(values[0]) == "" {
		return ""
	}
	sum := sha256.Sum256(associated("vitalmux delivery name v1", p.provider, p.name(), strings.TrimSpace(values[0])))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// putDelivery stores a delivery within its budget, whatever the store does.
// One that is in a file may take as long again as the service waits for an
// answer. Release is called when the body is not needed any more.
func (e *Engine) putDelivery(ctx context.Context, point endpoint, d store.Delivery, large *spool, release func()) error {
	budget := storeBudget
	if large != nil {
		budget += point.traits.Deadline
	}
	ctx, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	stored := make(chan error, 1)
	go func() {
		err := e.guard(ctx, "storing a delivery", AlarmEvent{Provider: providerOf(d)}, func() error {
			if large == nil {
				_, err := e.cfg.Store.PutDelivery(ctx, d)
				return err
			}
			return e.putLarge(ctx, d, large)
		})
		release()
		stored <- err
	}()
	select {
	case err := <-stored:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// readBody reads a body while hashing it, and returns what gives its memory
// back. A status other than 0 is the answer to a request whose body was not
// read.
func (e *Engine) readBody(w http.ResponseWriter, r *http.Request, point endpoint) (body []byte, large *spool, release func(), digest []byte, status int) {
	limit := point.traits.MaxBody
	if r.ContentLength > limit {
		return nil, nil, nil, nil, http.StatusRequestEntityTooLarge
	}
	control := http.NewResponseController(w)
	// Network deadlines are of the machine's clock, whatever the engine plans by.
	if err := control.SetReadDeadline(time.Now().Add(point.traits.Deadline)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, nil, nil, nil, http.StatusRequestTimeout
	}
	var held room
	release = gosync.OnceFunc(func() {
		e.received.release(held.size)
		held.giveBack()
		if large != nil {
			e.received.unspool()
			large.close()
		}
	})
	digester := sha256.New()
	from, most := http.MaxBytesReader(w, r.Body, limit), limit
	if point.verifier != nil {
		most = inMemory - 1
	}
	if body, status = e.readAll(from, digester, most, &held); status == 0 && int64(len(body)) > most {
		large, status = e.spoolRest(body, from, digester)
		body = nil
	}
	if status != 0 {
		release()
		return nil, nil, nil, nil, status
	}
	_ = control.SetReadDeadline(time.Time{})
	r.Body = http.NoBody // nothing is left
	return body, large, release, digester.Sum(nil), 0
}

// room is the memory that a body takes, of a pool where there is one for its
// size.
type room struct {
	size int64
	of   *gosync.Pool
	all  *[]byte
}

func (r *room) giveBack() {
	if r.of != nil {
		r.of.Put(r.all)
	}
	r.of, r.all = nil, nil
}

const (
	// firstRoom is how much memory the beginning of a body gets. Each further
	// step has roomStep times as much as the one before.
	firstRoom = 4 << 10
	roomStep  = 4
	// roomSteps is how many there are up to inMemory; a larger room is of no
	// pool.
	roomSteps = 5
)

// room returns room for a number of bytes.
func (r *receiver) room(size int64) room {
	whole := int64(firstRoom)
	for i := range r.rooms {
		if size <= whole {
			all, ok := r.rooms[i].Get().(*[]byte)
			if !ok {
				fresh := make([]byte, whole)
				all = &fresh
			}
			return room{size, &r.rooms[i], all}
		}
		whole *= roomStep
	}
	fresh := make([]byte, size)
	return room{size, nil, &fresh}
}

// readAll reads to the end, or one byte beyond the limit. Memory is taken from
// the budget as it fills, not as the request announces.
func (e *Engine) readAll(r io.Reader, digester hash.Hash, limit int64, held *room) ([]byte, int) {
	var body []byte
	for {
		if int64(len(body)) > limit {
			return body, 0
		}
		if len(body) == cap(body) {
			size := min(max(firstRoom, roomStep*int64(cap(body))), limit+1)
			if !e.received.reserve(size-held.size, e.cfg.DeliveryBytes) {
				return nil, http.StatusServiceUnavailable
			}
			more := e.received.room(size)
			body = append((*more.all)[:0:size], body...)
			held.giveBack()
			*held = more
		}
		n, err := r.Read(body[len(body):cap(body)])
		digester.Write(body[len(body) : len(body)+n])
		body = body[:len(body)+n]
		if err == io.EOF {
			return body, 0
		}
		if err != nil {
			return nil, readStatus(err)
		}
	}
}

// readStatus is the answer to a body that could not be read.
func readStatus(err error) int {
	timeout, timed := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	_, large := errors.AsType[*http.MaxBytesError](err)
	switch {
	case large:
		return http.StatusRequestEntityTooLarge
	case timed && timeout.Timeout():
		return http.StatusRequestTimeout
	default:
		return http.StatusBadRequest
	}
}

// receiver is what a process keeps in memory about deliveries.
type receiver struct {
	// wake tells the worker that there is a delivery.
	wake chan struct{}

	// urgent tells the worker that there is one that points to its content.
	urgent chan struct{}

	// rooms are for bodies of firstRoom bytes, and of roomStep times as many
	// from one to the next.
	rooms [roomSteps]gosync.Pool

	mu    gosync.Mutex
	bytes int64
	// spools counts the bodies in files.
	spools int
	// bursts counts what is worth an alarm when there is much of it.
	bursts map[burstKey]*burst
	// key makes the tokens of addresses; nil until it was read.
	key []byte
	// owed are connections that are to be made due.
	owed []string
}

type burstKey struct {
	kind     AlarmKind
	provider string
}

type burst struct {
	since   time.Time
	count   int
	alarmed time.Time
}

const (
	// signatureBurst is how many deliveries must fail verification within
	// burstWindow to be worth an alarm.
	signatureBurst = 10
	burstWindow    = time.Minute
	// alarmEvery is how often an alarm about the same is repeated at most.
	alarmEvery = 10 * time.Minute
)

func newReceiver() *receiver {
	return &receiver{wake: make(chan struct{}, 1), urgent: make(chan struct{}, 1), bursts: make(map[burstKey]*burst)}
}

// reserve takes n bytes of the budget; a negative budget is without end.
func (r *receiver) reserve(n, budget int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if budget > 0 && r.bytes+n > budget {
		return false
	}
	r.bytes += n
	return true
}

func (r *receiver) release(n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bytes -= n
}

// spool takes one of the places for bodies in files.
func (r *receiver) spool(limit int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.spools >= limit {
		return false
	}
	r.spools++
	return true
}

func (r *receiver) unspool() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spools--
}

// count counts an event and returns how many there were, if it is time for an
// alarm: at least the threshold within burstWindow.
func (r *receiver) count(key burstKey, now time.Time, threshold int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.bursts[key]
	if b == nil {
		b = &burst{since: now}
		r.bursts[key] = b
	}
	if now.Sub(b.since) > burstWindow {
		b.since, b.count = now, 0
	}
	b.count++
	if b.count < threshold || !b.alarmed.IsZero() && now.Sub(b.alarmed) < alarmEvery {
		return 0
	}
	b.alarmed = now
	return b.count
}

// alarm raises an alarm when threshold events of its kind came within a
// minute, and not more often than every ten.
func (e *Engine) alarm(ctx context.Context, event AlarmEvent, threshold int) {
	event.Count = e.received.count(burstKey{event.Kind, event.Provider}, now(), threshold)
	if event.Count == 0 {
		return
	}
	e.cfg.Logger.WarnContext(ctx, "alarm", "kind", string(event.Kind), "provider", event.Provider, "count", event.Count)
	call(ctx, e, e.cfg.Hooks.Alarm, event)
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
