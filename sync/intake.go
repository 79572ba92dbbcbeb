package sync

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	body, status := e.readBody(w, r, point)
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
			e.dropBody(body)
		}
	}()
	// The receipt of a delivery is kept to the millisecond; it is verified
	// again as of then.
	received := now().UTC().Truncate(time.Millisecond)
	if prober, ok := point.parser.(providers.WebhookProber); ok && body.large == nil {
		if answer, ok := prober.ProbeWebhook(probe(r, point, body.bytes)); ok {
			writeProbe(w, answer)
			return
		}
	}
	req := request(r, point, body.bytes)
	if body.large != nil {
		req.Large = body.large.section()
	}
	if err := point.keys(ctx, received, req); err != nil {
		e.cfg.Logger.ErrorContext(ctx, "webhook keys not read", "provider", point.provider, "err", err)
		busy(w)
		return
	}
	notes, err := point.notifications(received, req)
	d, status := e.delivery(point, req, received, body.digest, notes, err)
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
	if err := e.putDelivery(ctx, point, d, body); err != nil {
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
func (e *Engine) delivery(point endpoint, req *providers.WebhookRequest, received time.Time, digest [sha256.Size]byte, notes []providers.Notification, err error) (store.Delivery, int) {
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
	if point.traits.Signed && !point.traits.Triggers {
		d.ID, d.Key = deliveryID(point, notes, digest), point.deliveryKey(req.Header)
	} else {
		d.ID = randomID()
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
func deliveryID(point endpoint, notes []providers.Notification, digest [sha256.Size]byte) string {
	stamps := make([]byte, 0, 16)
	for i, n := range notes {
		if !n.At.IsZero() && (i == 0 || !n.At.Equal(notes[i-1].At)) {
			stamps = strconv.AppendInt(append(stamps, ' '), n.At.UnixMilli(), 10)
		}
	}
	sum := sha256.Sum256(associated("vitalmux delivery v1", point.provider, point.name(), string(stamps), string(digest[:])))
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

// putDelivery stores a delivery within its budget, whatever the store does, and
// then gives the body back. One that is in a file may take as long again as the
// service waits for an answer. Once its body is here a delivery is stored, even
// if the service does not wait for the answer.
func (e *Engine) putDelivery(ctx context.Context, point endpoint, d store.Delivery, body *body) error {
	about, budget := AlarmEvent{Provider: point.provider}, storeBudget
	if body.large != nil {
		budget += point.traits.Deadline
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), budget)
	defer cancel()
	stored := make(chan error, 1)
	go func() {
		err := e.guard(ctx, "storing a delivery", about, func() error {
			if body.large != nil {
				return e.putLarge(ctx, d, body.large)
			}
			_, err := e.cfg.Store.PutDelivery(ctx, d)
			return err
		})
		e.dropBody(body)
		stored <- err
	}()
	select {
	case err := <-stored:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// body is the body of a delivery: in memory or, if large is set, in a file.
type body struct {
	bytes  []byte
	large  *spool
	digest [sha256.Size]byte // SHA-256
	held   room
}

// dropBody gives back what a body takes. It is called once.
func (e *Engine) dropBody(b *body) {
	e.received.release(b.held.size)
	b.held.giveBack()
	if b.large != nil {
		e.received.unspool()
		b.large.close()
	}
}

// readBody reads a body, which is to be released. A status other than 0 is the
// answer to a request whose body was not read.
func (e *Engine) readBody(w http.ResponseWriter, r *http.Request, point endpoint) (*body, int) {
	limit := point.traits.MaxBody
	if r.ContentLength > limit {
		return nil, http.StatusRequestEntityTooLarge
	}
	control := http.NewResponseController(w)
	// Network deadlines are of the machine's clock, whatever the engine plans by.
	if err := control.SetReadDeadline(time.Now().Add(point.traits.Deadline)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, http.StatusRequestTimeout
	}
	from, most := http.MaxBytesReader(w, r.Body, limit), limit
	if point.verifier != nil {
		most = inMemory - 1
	}
	b := &body{}
	status := e.readAll(b, from, most)
	switch {
	case status == 0 && int64(len(b.bytes)) <= most:
		b.digest = sha256.Sum256(b.bytes)
	case status == 0:
		status = e.spoolRest(b, from)
	}
	if status != 0 {
		e.dropBody(b)
		return nil, status
	}
	_ = control.SetReadDeadline(time.Time{})
	r.Body = http.NoBody // nothing is left
	return b, 0
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

// readAll reads into memory to the end, or one byte beyond the limit. Memory is
// taken from the budget as it fills, not as the request announces.
func (e *Engine) readAll(b *body, r io.Reader, limit int64) int {
	for {
		if int64(len(b.bytes)) > limit {
			return 0
		}
		if len(b.bytes) == cap(b.bytes) {
			size := min(max(firstRoom, roomStep*int64(cap(b.bytes))), limit+1)
			if !e.received.reserve(size-b.held.size, e.cfg.DeliveryBytes) {
				return http.StatusServiceUnavailable
			}
			more := e.received.room(size)
			b.bytes = append((*more.all)[:0:size], b.bytes...)
			b.held.giveBack()
			b.held = more
		}
		n, err := r.Read(b.bytes[len(b.bytes):cap(b.bytes)])
		b.bytes = b.bytes[:len(b.bytes)+n]
		if err == io.EOF {
			return 0
		}
		if err != nil {
			return readStatus(err)
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
