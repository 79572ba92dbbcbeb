package terratest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Sign returns the v1 value of a signature: HMAC-SHA256 over t, a dot and the body, in lower-case hexadecimal.
func Sign(secret string, t int64, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%d.", t)
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// Destination is a webhook address as the dashboard has it.
type Destination struct {
	URL string
	// Secret signs; empty means [Config].SigningSecret.
	Secret string
	// Types are the event types that are sent; nil means all.
	Types []string
	// Ping sends an s3_payload event with an address in place of every event.
	Ping bool
	// Timeout is how long an answer may take, in real time; 0 means 8 seconds.
	Timeout time.Duration
	// LegacyHeaders leaves out X-Terra-Signature, X-Terra-Trace-Id and X-Terra-Ordering-Timestamp, as older deliveries had it.
	LegacyHeaders bool
}

// DestinationState is what became of a destination.
type DestinationState struct {
	Destination
	ID           string
	Disabled     bool
	FailingSince time.Time // zero unless the latest attempt failed
}

type destination struct {
	Destination
	id      string
	secrets []string // all of them sign
	failing time.Time
	off     bool
}

// AddDestination adds a webhook address and returns its id. The first one starts the delivery of events.
func (s *Server) AddDestination(d Destination) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.Secret == "" {
		d.Secret = s.cfg.SigningSecret
	}
	if d.Timeout == 0 {
		d.Timeout = 8 * time.Second
	}
	dest := &destination{Destination: d, id: fmt.Sprintf("destination-%d", len(s.destinations)+1), secrets: []string{d.Secret}}
	s.destinations = append(s.destinations, dest)
	if !s.dispatching && !s.closed {
		s.dispatching = true
		s.group.Go(s.dispatch)
	}
	return dest.id
}

func (s *Server) destination(id string) *destination {
	for _, d := range s.destinations {
		if d.id == id {
			return d
		}
	}
	panic("terratest: no destination " + id)
}

// Destinations returns all destinations.
func (s *Server) Destinations() []DestinationState {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []DestinationState
	for _, d := range s.destinations {
		list = append(list, DestinationState{d.Destination, d.id, d.off, d.failing})
	}
	return list
}

// RotateSecret adds a secret: from now on attempts are signed with the new one and with all former ones, as several v1
// values, until [Server.DropOldSecrets].
func (s *Server) RotateSecret(id, secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.destination(id)
	d.Secret = secret
	d.secrets = append([]string{secret}, d.secrets...)
}

// DropOldSecrets ends a rotation: only the newest secret signs.
func (s *Server) DropOldSecrets(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.destination(id)
	d.secrets = d.secrets[:1]
}

// EnableDestination ends the disabling of a destination. What was dropped meanwhile stays dropped.
func (s *Server) EnableDestination(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.destination(id)
	d.off, d.failing = false, time.Time{}
	s.notify()
}

// DeliveryState is what became of a delivery.
type DeliveryState string

// The states of a delivery.
const (
	DeliveryPending      DeliveryState = "pending"
	DeliveryAcknowledged DeliveryState = "acknowledged"
	DeliveryGivenUp      DeliveryState = "given up" // the retries are used up
	DeliveryDropped      DeliveryState = "dropped"  // the destination was disabled
)

// Delivery is one event on its way to one destination.
type Delivery struct {
	ID          string
	Destination string
	Type        string
	UserID      string // empty for events about no user
	Reference   string // terra-reference
	TraceID     string // X-Terra-Trace-Id
	Ordering    int64  // X-Terra-Ordering-Timestamp, unix milliseconds
	Event       []byte // the event; for destinations with Ping what the address leads to
	State       DeliveryState
	Attempts    []Attempt
	NextAttempt time.Time // while pending
}

// Attempt is one POST to a destination.
type Attempt struct {
	Time         time.Time
	Status       int // 0 when there was no answer
	Err          string
	Acknowledged bool
}

type delivery struct {
	Delivery
	dest     *destination
	body     []byte // what is posted
	signedAt int64
	inFlight bool
	headers  func(http.Header)
}

// emission is an event to be sent.
type emission struct {
	kind      string
	user      *user
	body      any // object or []byte
	reference string
	trace     string
	chunk     int // of a large request, from 1
	ordering  int64
	headers   func(http.Header)
}

// stamp returns the next ordering timestamp: the clock's milliseconds, and never the same twice.
func (s *Server) stamp() int64 {
	s.ordering = max(s.ordering+1, s.now().UnixMilli())
	return s.ordering
}

// emit enqueues an event for all destinations that want it and returns the deliveries. s.mu is held.
func (s *Server) emit(e emission) (ids []string) {
	text, isText := e.body.([]byte)
	if !isText {
		text = marshal(e.body)
	}
	if e.reference == "" {
		e.reference = s.uuid()
	}
	if e.trace == "" {
		e.trace = s.uuid()
	}
	if e.ordering == 0 {
		e.ordering = s.stamp()
	}
	if e.chunk > 0 {
		suffix := ":chunk:" + strconv.Itoa(e.chunk)
		e.trace += suffix
		if s.cfg.SuffixReference {
			e.reference += suffix
		}
	}
	for _, dest := range s.destinations {
		if dest.off || dest.Types != nil && !slices.Contains(dest.Types, e.kind) {
			continue
		}
		d := &delivery{dest: dest, body: text, headers: e.headers, Delivery: Delivery{
			ID: fmt.Sprintf("delivery-%d", len(s.deliveries)+1), Destination: dest.id, Type: e.kind, Reference: e.reference, TraceID: e.trace,
			Ordering: e.ordering, Event: text, State: DeliveryPending, NextAttempt: s.now(),
		}}
		if e.user != nil {
			d.UserID = e.user.id
			e.user.lastWebhook = s.now()
		}
		if dest.Ping {
			d.body = s.park(text)
		}
		s.deliveries = append(s.deliveries, d)
		s.pending = append(s.pending, d)
		ids = append(ids, d.ID)
	}
	s.notify()
	return ids
}

// dispatch starts attempts when they are due until the Server is closed.
func (s *Server) dispatch() {
	for {
		s.mu.Lock()
		d, wait := s.nextDue()
		changed := s.changed
		if d != nil {
			d.inFlight = true
			s.inFlight++
		}
		s.mu.Unlock()
		if d != nil {
			s.group.Go(func() { s.attempt(s.ctx, d) })
			if s.ctx.Err() == nil {
				continue
			}
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-changed:
		case <-s.ctx.Done():
			timer.Stop()
			return
		}
		timer.Stop()
	}
}

// nextDue returns the delivery to attempt now, or how long to wait for one.
func (s *Server) nextDue() (*delivery, time.Duration) {
	const long = time.Hour
	if s.held || s.inFlight >= s.cfg.Parallel || s.ctx.Err() != nil {
		return nil, long
	}
	var first *delivery
	for _, d := range s.pending {
		if !d.inFlight && (first == nil || d.NextAttempt.Before(first.NextAttempt)) {
			first = d
		}
	}
	if first == nil {
		return nil, long
	}
	if wait := first.NextAttempt.Sub(s.now()); wait > 0 {
		return nil, min(wait, long)
	}
	return first, 0
}

// attempt posts a delivery once and notes the outcome.
func (s *Server) attempt(ctx context.Context, d *delivery) Attempt {
	s.mu.Lock()
	a := Attempt{Time: s.now()}
	if d.signedAt == 0 || s.cfg.RestampRetries {
		d.signedAt = a.Time.Unix()
	}
	header := d.header()
	if d.headers != nil {
		d.headers(header)
	}
	address, timeout := d.dest.URL, d.dest.Timeout
	s.mu.Unlock()

	var err error
	a.Status, err = s.post(ctx, address, timeout, header, d.body)
	a.Acknowledged = err == nil && a.Status/100 == 2
	if err != nil {
		a.Err = err.Error()
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	s.inFlight--
	d.inFlight = false
	if ctx.Err() != nil && !a.Acknowledged {
		s.notify()
		return a
	}
	d.Attempts = append(d.Attempts, a)
	s.settle(d, a)
	s.notify()
	return a
}

// settle decides what follows from an attempt.
func (s *Server) settle(d *delivery, a Attempt) {
	now := s.now()
	if a.Acknowledged {
		d.dest.failing = time.Time{}
		s.finish(d, DeliveryAcknowledged)
		return
	}
	if d.dest.failing.IsZero() {
		d.dest.failing = a.Time
	}
	if s.cfg.DisableAfter > 0 && now.Sub(d.dest.failing) >= s.cfg.DisableAfter {
		d.dest.off = true
		for _, other := range slices.Clone(s.pending) {
			if other.dest == d.dest {
				s.finish(other, DeliveryDropped)
			}
		}
		return
	}
	if d.State != DeliveryPending {
		return // an extra copy of what was settled before
	}
	if n := len(d.Attempts); n <= len(s.cfg.RetryPlan) {
		d.NextAttempt = now.Add(s.cfg.RetryPlan[n-1])
		return
	}
	s.finish(d, DeliveryGivenUp)
}

func (s *Server) finish(d *delivery, state DeliveryState) {
	d.State = state
	d.NextAttempt = time.Time{}
	s.pending = slices.DeleteFunc(s.pending, func(other *delivery) bool { return other == d })
}

// header is what an attempt is sent with.
func (d *delivery) header() http.Header {
	sum := []string{"t=" + strconv.FormatInt(d.signedAt, 10)}
	for _, secret := range d.dest.secrets {
		sum = append(sum, "v1="+Sign(secret, d.signedAt, d.body))
	}
	h := http.Header{}
	h.Set("Content-Type", "application/json")
	h.Set("Terra-Signature", strings.Join(sum, ","))
	h.Set("Terra-Reference", d.Reference)
	if !d.dest.LegacyHeaders {
		h.Set("X-Terra-Signature", strings.Join(sum, ","))
		h.Set("X-Terra-Trace-Id", d.TraceID)
		h.Set("X-Terra-Ordering-Timestamp", strconv.FormatInt(d.Ordering, 10))
	}
	return h
}

func (s *Server) post(ctx context.Context, address string, timeout time.Duration, header http.Header, body []byte) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	r.Header = header
	resp, err := s.client.Do(r)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			err = errors.New("no answer in time")
		}
		return 0, err
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	return resp.StatusCode, nil
}

// Hold stops automatic delivery: events collect until [Server.Release], or are sent by [Server.Deliver].
func (s *Server) Hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = true
}

// Release resumes automatic delivery.
func (s *Server) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = false
	s.notify()
}

// Deliver posts deliveries now, one after the other in the given order, also those that are not due or were
// acknowledged before: a repetition is what a receiver sees when its acknowledgement was lost. Call it while deliveries are
// held.
func (s *Server) Deliver(ctx context.Context, ids ...string) []Attempt {
	var outcomes []Attempt
	for _, id := range ids {
		s.mu.Lock()
		i := slices.IndexFunc(s.deliveries, func(d *delivery) bool { return d.ID == id })
		if i < 0 {
			s.mu.Unlock()
			panic("terratest: no delivery " + id)
		}
		d := s.deliveries[i]
		s.inFlight++
		d.inFlight = true
		s.mu.Unlock()
		outcomes = append(outcomes, s.attempt(ctx, d))
	}
	return outcomes
}

// Settle waits until no delivery is under way and none is due: each one was acknowledged, given up, or waits for a retry.
// While deliveries are held it waits only for those under way.
func (s *Server) Settle(ctx context.Context) error {
	for {
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			return errors.New("terratest: the simulator was closed")
		}
		d, _ := s.nextDue()
		busy := d != nil || s.inFlight > 0
		changed := s.changed
		s.mu.Unlock()
		if !busy {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.ctx.Done():
			return errors.New("terratest: the simulator was closed")
		}
	}
}

// Deliveries returns all deliveries in the order in which the events happened.
func (s *Server) Deliveries() []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return copies(s.deliveries)
}

// Pending returns the deliveries that are not settled, in the order in which the events happened.
func (s *Server) Pending() []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return copies(s.pending)
}

func copies(of []*delivery) []Delivery {
	var list []Delivery
	for _, d := range of {
		v := d.Delivery
		v.Attempts = slices.Clone(v.Attempts)
		list = append(list, v)
	}
	return list
}

// payload is what an s3_payload event points to.
type payload struct {
	body    []byte
	media   string
	expires time.Time
	signed  string
}

// park keeps an event behind an address and returns the s3_payload event. s.mu is held.
func (s *Server) park(event []byte) []byte {
	name := s.uuid() + ".json"
	p := &payload{body: event, media: "application/json", expires: s.now().Add(s.cfg.PayloadLife), signed: s.secret(16)}
	s.payloads[name] = p
	return marshal(object{
		"type": "s3_payload", "status": "success", "expires_in": int(s.cfg.PayloadLife / time.Second),
		"url": fmt.Sprintf("%s%s%s?X-Amz-Expires=%d&X-Amz-Signature=%s", s.baseURL, PayloadPath, name, int(s.cfg.PayloadLife/time.Second), p.signed),
	})
}

// ExpirePayloads ends the life of all payload addresses that were handed out.
func (s *Server) ExpirePayloads() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.payloads {
		p.expires = time.Time{}
	}
}

// servePayload answers as an object store does: an expired address is 400, a wrong signature 403.
func (s *Server) servePayload(w http.ResponseWriter, r *http.Request) {
	c := &call{r: r, path: PayloadPath, query: r.URL.Query()}
	f := s.takeFault(PayloadPath, "")
	if f != nil && f.Kind.beforeWork() {
		s.log(c, f, -1, nil)
		f.serve(s, w, r, nil, "")
		return
	}
	s.mu.Lock()
	p := s.payloads[strings.TrimPrefix(r.URL.Path, PayloadPath)]
	now := s.now()
	s.mu.Unlock()
	status, body, contentType := http.StatusOK, []byte(nil), "application/xml"
	fail := func(code int, name string) {
		status, body = code, fmt.Appendf(nil, "<Error><Code>%s</Code></Error>", name)
	}
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		fail(http.StatusMethodNotAllowed, "MethodNotAllowed")
	case p == nil:
		fail(http.StatusNotFound, "NoSuchKey")
	case !same(c.query.Get("X-Amz-Signature"), p.signed):
		fail(http.StatusForbidden, "SignatureDoesNotMatch")
	case !now.Before(p.expires):
		fail(http.StatusBadRequest, "ExpiredToken")
	default:
		body, contentType = p.body, p.media
	}
	s.log(c, f, status, body)
	if f != nil {
		f.serve(s, w, r, body, contentType)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	w.Write(body)
}
