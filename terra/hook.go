package terra

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/vitalmux/vitalmux/providers"
)

// Event is one delivery to a webhook. Which fields are set depends on the type:
// Terra, "Event types".
type Event struct {
	// Type is Terra's word: "daily", "auth", "deauth", ... There may be types
	// that are not known here; they are to be acknowledged.
	Type string
	// Version is that of the data model.
	Version string
	// Status is "success", "warning", "error" or "processing".
	Status          string
	Message, Reason string
	// User is whom it is about: of user_reauth the new user, and OldUser the
	// one that it replaces.
	User, OldUser User
	// ReferenceID is your own id of the person, from the event or its user.
	ReferenceID string
	// FlowID and WidgetSessionID name the connect flow of auth events.
	FlowID, WidgetSessionID string
	// Reference names the request that it answers, without the number of a
	// part; Chunk is that number, -1 if there is none.
	Reference string
	Chunk     int
	// ExpectedPayloads is how many deliveries with data there will be, of
	// large_request_sending.
	ExpectedPayloads Number
	// ScopesAdded and ScopesRemoved are joined by commas, of permission_change.
	ScopesAdded, ScopesRemoved string
	// StartDate, EndDate and RetryingAt are of rate_limit_hit, RetryAfter of
	// processing.
	StartDate, EndDate, RetryingAt Timestamp
	RetryAfter                     Number // seconds
	// PayloadURL is where the event itself is to be fetched from, and how many
	// seconds it can, of s3_payload. Whoever has it may read it: see
	// [Provider.FetchPayload].
	PayloadURL providers.Secret
	ExpiresIn  Number
	// EventID names a lab_report event, and stays the same when the event is sent
	// again, with whatever TraceID: take each one once. OccurredAt is when it
	// happened, UploadID the upload that it is of.
	EventID, UploadID string
	OccurredAt        Timestamp
	// Data is the data as it came: an array, of athlete and lab_report events an
	// object; nil if there is none. See [DecodeData].
	Data []byte

	// SignedAt is the time that was signed. OrderedAt orders the events about
	// one datum, and is not signed: it is at most 5 minutes after SignedAt.
	SignedAt, OrderedAt time.Time
	// TraceID names the delivery and stays the same when it is tried again. It
	// is not signed.
	TraceID string
}

// ParseWebhook verifies a delivery, whose body is given exactly as it came, in the
// way of [VerifySignature] and reads it. It is for people with a router and a
// queue of their own; with the engine, [Provider] does it.
//
// A delivery that is not genuine is ErrSignature: answer it with 401. One that is
// genuine and cannot be read is ErrMalformed: acknowledge it and keep it, because
// it will not get better. The event shares the memory of the body.
func ParseWebhook(secrets []string, h http.Header, body []byte, now time.Time, tolerance time.Duration) (Event, error) {
	values, ok := signatureValues(h)
	if !ok {
		values = []string{""}
	}
	if err := VerifySignature(secrets, values[0], body, now, tolerance); err != nil {
		return Event{}, err
	}
	sig, _ := parseSignature(values)
	w, err := readEvent(body)
	if err != nil {
		return Event{}, err
	}
	f := factsOf(&providers.WebhookRequest{Header: h, Body: body}, sig.at)
	e := Event{
		Type: w.kind, Version: w.version, Status: w.status, Message: w.message, Reason: w.reason, User: w.user, OldUser: w.oldUser,
		ReferenceID: cmp.Or(w.referenceID, w.user.ReferenceID, w.newUser.ReferenceID), FlowID: w.flowID, WidgetSessionID: w.widgetSessionID,
		Reference: cmp.Or(w.reference, f.reference), Chunk: -1, ExpectedPayloads: w.expectedPayloads,
		ScopesAdded: w.scopesAdded, ScopesRemoved: w.scopesRemoved, StartDate: w.startDate, EndDate: w.endDate, RetryingAt: w.retryingAt,
		RetryAfter: w.retryAfterSeconds, PayloadURL: providers.NewSecret(w.url), ExpiresIn: w.expiresIn, EventID: w.eventID, UploadID: w.uploadID, OccurredAt: w.occurredAt, Data: w.content(),
		SignedAt: sig.at, OrderedAt: time.UnixMilli(f.order).UTC(), TraceID: f.trace,
	}
	if e.User.UserID == "" {
		e.User = w.newUser
	}
	e.Reference, _, _ = cutChunk(e.Reference)
	for _, name := range []string{one(h, ReferenceHeader), f.trace} {
		if _, n, ok := cutChunk(name); ok {
			e.Chunk = n
		}
	}
	return e, nil
}

// DecodeData reads the data of an event as models, with what could not be read of
// each: the path of a fault begins with the place of the datum. T is the model of
// the type of the event.
func DecodeData[T Model](e Event) ([]T, []Fault, error) {
	if e.Data == nil {
		return nil, nil, nil
	}
	if !isArray(e.Data) {
		v, faults, err := Decode[T](e.Data)
		if err != nil {
			return nil, nil, err
		}
		return []T{v}, faults, nil
	}
	var list []T
	faults, err := decode(e.Data, &list)
	return list, faults, err
}

// inMemory is from where on a body is put into a file.
const inMemory = 1 << 20

// Handler returns a handler for a webhook that hands over what deliveries are
// about, for people who do not use the engine's: it reads the body, up to 64 MiB,
// from 1 MiB on through a file, verifies and reads it, and calls accept for each
// notification before it answers. Accept makes sure that the notification is not
// lost; if it fails, the answer is 503, and Terra sends the delivery again, which
// is the only protection against repetitions and disorder that there is: records
// have an order in Rev.Order. What cannot be read is accepted as a notification of
// EventUnknown with the detail "malformed".
func (p *Provider) Handler(accept func(context.Context, providers.Notification) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := func(status int) { http.Error(w, http.StatusText(status), status) }
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			answer(http.StatusMethodNotAllowed)
			return
		}
		req, done, status := receive(w, r)
		if status != 0 {
			w.Header().Set("Connection", "close")
			answer(status)
			return
		}
		defer done()
		notes, err := p.ParseWebhook(time.Now(), req)
		switch {
		case err == nil:
		case errors.Is(err, providers.ErrMalformed):
			notes = []providers.Notification{{Event: providers.EventUnknown, Detail: "malformed"}}
		default:
			answer(http.StatusUnauthorized)
			return
		}
		for _, n := range notes {
			if err := accept(r.Context(), n); err != nil {
				w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter/time.Second)))
				answer(http.StatusServiceUnavailable)
				return
			}
		}
		w.WriteHeader(http.StatusOK)
	})
}

// retryAfter is what the answer to a delivery says that was not accepted.
const retryAfter = 30 * time.Second

// receive reads the body of a delivery, a long one into a file that done removes.
// A status other than 0 is the answer to one that was not read.
func receive(w http.ResponseWriter, r *http.Request) (req *providers.WebhookRequest, done func(), status int) {
	if r.ContentLength > maxDelivery {
		return nil, nil, http.StatusRequestEntityTooLarge
	}
	control := http.NewResponseController(w)
	if err := control.SetReadDeadline(time.Now().Add(hookDeadline)); err == nil {
		defer func() { _ = control.SetReadDeadline(time.Time{}) }()
	}
	req, done = &providers.WebhookRequest{Method: r.Method, Query: r.URL.Query(), Header: r.Header}, func() {}
	body := http.MaxBytesReader(w, r.Body, maxDelivery)
	head, err := io.ReadAll(io.LimitReader(body, inMemory))
	if err != nil {
		return nil, nil, bodyStatus(err)
	}
	if len(head) < inMemory {
		req.Body = head
		return req, done, 0
	}
	file, err := os.CreateTemp("", "terra-*.body") // of mode 0600
	if err != nil {
		return nil, nil, http.StatusServiceUnavailable
	}
	done = func() {
		_ = file.Close()
		_ = os.Remove(file.Name())
	}
	sink := &sink{w: file}
	size, _ := sink.Write(head)
	more, err := io.Copy(sink, body)
	switch {
	case sink.err != nil:
		done()
		return nil, nil, http.StatusServiceUnavailable
	case err != nil:
		done()
		return nil, nil, bodyStatus(err)
	}
	req.Large = io.NewSectionReader(file, 0, int64(size)+more)
	return req, done, 0
}

// bodyStatus is the answer to a body that could not be read.
func bodyStatus(err error) int {
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return http.StatusRequestEntityTooLarge
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return http.StatusRequestTimeout
	}
	return http.StatusBadRequest
}
