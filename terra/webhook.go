package terra

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"hash"
	"hash/fnv"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
	"github.com/vitalmux/vitalmux/providers"
)

const (
	// maxDelivery is the longest delivery. Terra documents no limit but that of
	// the parts of large requests, 10 MB, and tens of MB occur.
	maxDelivery = 64 << 20
	// hookDeadline is how long Terra waits for the answer.
	hookDeadline = 8 * time.Second
	// maxHead bounds what a delivery says besides its data.
	maxHead = 1 << 20
	// readAtOnce is how much of the data of a delivery in a file is mapped at
	// once, at least one datum.
	readAtOnce = 2 << 20
	// maxID is the longest id of a person.
	maxID = 256
	// maxReference is the longest name of a request.
	maxReference = 512
)

// The codes of deliveries that cannot be read, besides those of answers.
const (
	codeEmpty   = "empty"
	codeTwice   = "twice"   // a member is there twice
	codeNobody  = "nobody"  // it does not say whom it is about
	codeNoData  = "no_data" // it has no data
	codeNested  = "nested"  // what an address led to points elsewhere again
	codeTooLong = "too_long"
)

// wireEvent is any delivery. Which members there are depends on the type: Terra,
// "Event types".
type wireEvent struct {
	kind                                           string // the member "type"
	version, status, message, reason               string
	user, newUser, oldUser                         User
	referenceID, flowID, widgetSessionID           string
	reference, url, eventID, uploadID              string
	scopesAdded, scopesRemoved                     string
	startDate, endDate, retryingAt, occurredAt     Timestamp
	expectedPayloads, retryAfterSeconds, expiresIn Number
	data, athlete                                  []byte
}

// scanEvent reads a whole delivery. Members of a wrong type are as if they were
// not there; one that is there twice is an error. Unless it is nil, read reads the
// data as it is come by, instead of when all the rest is known; what it has read
// counts only if there is no error.
func scanEvent(body []byte, read func(*jsonscan.Scanner)) (w wireEvent, err error) {
	s := jsonscan.New(body)
	switch s.Kind() {
	case jsonscan.Object:
	case jsonscan.Invalid:
		return w, unreadableEvent(codeNotJSON)
	default:
		return w, unreadableEvent(codeShape)
	}
	var (
		seen uint32
		d    = decoder{s: &s}
	)
	text := func(bit int, into *string) {
		twice := seen&(1<<bit) != 0
		seen |= 1 << bit
		if b, ok := s.Identifier(); ok {
			*into = string(b)
		}
		if twice {
			err = unreadableEvent(codeTwice)
		}
	}
	other := func(bit int, read func()) {
		if seen&(1<<bit) != 0 {
			err = unreadableEvent(codeTwice)
		}
		seen |= 1 << bit
		read()
	}
	number := func(bit int, n *Number) { other(bit, func() { n.scan(&s) }) }
	for s.Object(); s.NextMember(); {
		switch string(s.Name()) {
		case "type":
			text(0, &w.kind)
		case "version":
			text(1, &w.version)
		case "status":
			text(2, &w.status)
		case "message":
			text(3, &w.message)
		case "reason":
			text(4, &w.reason)
		case "user":
			other(5, func() { d.into(&w.user) })
		case "new_user":
			other(6, func() { d.into(&w.newUser) })
		case "old_user":
			other(7, func() { d.into(&w.oldUser) })
		case "reference_id":
			text(8, &w.referenceID)
		case "flow_id":
			text(9, &w.flowID)
		case "widget_session_id":
			text(10, &w.widgetSessionID)
		case "reference":
			text(11, &w.reference)
		case "url":
			text(12, &w.url)
		case "event_id":
			text(13, &w.eventID)
		case "scopes_added":
			text(14, &w.scopesAdded)
		case "scopes_removed":
			text(15, &w.scopesRemoved)
		case "start_date":
			text(16, (*string)(&w.startDate))
		case "end_date":
			text(17, (*string)(&w.endDate))
		case "retrying_at":
			text(18, (*string)(&w.retryingAt))
		case "expected_payloads":
			number(19, &w.expectedPayloads)
		case "retry_after_seconds":
			number(20, &w.retryAfterSeconds)
		case "expires_in":
			number(21, &w.expiresIn)
		case "data":
			other(22, func() {
				if read == nil || s.Kind() == jsonscan.Null {
					w.data = s.Raw()
					return
				}
				at := s.Mark()
				read(&s)
				w.data = s.Since(at)
			})
		case "occurred_at":
			text(24, (*string)(&w.occurredAt))
		case "upload_id":
			text(25, &w.uploadID)
		case "athlete":
			other(23, func() { w.athlete = s.Raw() })
		default:
			s.Skip()
		}
	}
	if s.End() != nil {
		return wireEvent{}, unreadableEvent(codeBadJSON)
	}
	return w, err
}

// readEvent reads a delivery, which has a type.
func readEvent(body []byte) (wireEvent, error) {
	if len(body) == 0 {
		return wireEvent{}, unreadableEvent(codeEmpty)
	}
	w, err := scanEvent(body, nil)
	if err == nil && w.kind == "" {
		err = unreadableEvent(codeShape)
	}
	return w, err
}

func unreadableEvent(code string) *providers.Error {
	return &providers.Error{Provider: Name, Op: opWebhook, Kind: providers.ErrMalformed, Code: code}
}

// hookFacts is what is known of a delivery besides its body.
type hookFacts struct {
	// at is the time that was signed.
	at time.Time
	// order is the ordering time in milliseconds.
	order int64
	// reference and part are set if the delivery may answer a request.
	reference string
	part      int
	trace     string
}

// factsOf reads the headers of a delivery that was signed at a time. None of them
// is signed: the ordering time counts as at most 5 minutes after that.
func factsOf(r *providers.WebhookRequest, signed time.Time) hookFacts {
	f := hookFacts{at: signed}
	// Without an ordering time a delivery is the newest one of its second.
	f.order = signed.UnixMilli() + 999
	if text := one(r.Header, OrderingHeader); len(text) <= 15 {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil && n > 0 {
			f.order = min(n, signed.Add(maxFuture).UnixMilli())
		}
	}
	if f.trace = one(r.Header, TraceHeader); len(f.trace) > maxReference {
		f.trace = ""
	}
	reference, n, parted := cutChunk(one(r.Header, ReferenceHeader))
	if _, m, ok := cutChunk(f.trace); ok {
		n, parted = m, true
	}
	if !isReference(reference) {
		return f
	}
	f.reference = reference
	switch {
	case parted && n < providers.MaxParts:
		f.part = 1 + n // whether the service counts from 0 or 1
	case f.trace != "":
		f.part = partOf(strings.NewReader(f.trace))
	default: // older deliveries do not tell: equal bodies are one part
		f.part = partOf(r.Open())
	}
	return f
}

// one returns the value of a header that is there once; else "".
func one(h http.Header, name string) string {
	if values := h.Values(name); len(values) == 1 {
		return strings.TrimSpace(values[0])
	}
	return ""
}

// cutChunk takes the number of a part from a name: "<name>:chunk:<number>".
func cutChunk(text string) (name string, n int, ok bool) {
	i := strings.LastIndex(text, ":chunk:")
	if i < 0 {
		return text, 0, false
	}
	n, err := strconv.Atoi(text[i+len(":chunk:"):])
	if err != nil || n < 0 {
		return text, 0, false
	}
	return text[:i], n, true
}

// partOf numbers a part that has no number of its own.
func partOf(r io.Reader) int {
	digest := fnv.New64a()
	_, _ = io.Copy(digest, r)
	return 1 + int(digest.Sum64()%providers.MaxParts)
}

func isReference(text string) bool {
	return text != "" && len(text) <= maxReference && !strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' })
}

// WebhookTraits returns the facts of Terra's deliveries.
func (p *Provider) WebhookTraits() providers.WebhookTraits {
	return providers.WebhookTraits{
		Signed: true, Deadline: hookDeadline, MaxBody: maxDelivery,
		Header: []string{SignatureHeader, DeprecatedSignatureHeader, ReferenceHeader, TraceHeader, OrderingHeader},
		// Never ReferenceHeader: all parts of a request share it.
		DuplicateHeader: TraceHeader,
	}
}

// maxPointer is the longest delivery that is looked at for an address before it
// is answered.
const maxPointer = maxURL + 4<<10

// UrgentWebhook reports whether a delivery is an s3_payload event. Those are
// short; all but them are told by their bytes, without reading them.
func (p *Provider) UrgentWebhook(r *providers.WebhookRequest) bool {
	if len(r.Body) > maxPointer || !bytes.Contains(r.Body, []byte("s3_")) {
		return false
	}
	w, err := readEvent(r.Body)
	if err != nil || isKind(w.kind) {
		return false
	}
	notes, err := w.notifications(hookFacts{})
	return err == nil && notes[0].Payload != nil
}

// VerifyWebhook verifies a delivery in a fixed amount of memory.
func (p *Provider) VerifyWebhook(now time.Time, r *providers.WebhookRequest) (time.Time, error) {
	values, named := signatureValues(r.Header)
	sig, read := parseSignature(values)
	matched, err := sig.match(p.keys, func(mac hash.Hash) error {
		_, err := io.Copy(mac, r.Open())
		return err
	})
	if !named || !read || !matched || err != nil || !sig.fresh(now, p.cfg.Tolerance) {
		return time.Time{}, forged()
	}
	return sig.at, nil
}

// ParseWebhook verifies a delivery and says what it is about. Its data comes as
// records, with the ordering time as Rev.Order. A datum that cannot be mapped is
// a reason to read its stream; where there is nothing to read it from, the
// delivery is kept.
func (p *Provider) ParseWebhook(now time.Time, r *providers.WebhookRequest) ([]providers.Notification, error) {
	at, err := p.VerifyWebhook(now, r)
	if err != nil {
		return nil, err
	}
	return readDelivery(r, factsOf(r, at))
}

// ParsePayload reads what the address of an s3_payload event led to, which is
// the event itself.
func (p *Provider) ParsePayload(_ time.Time, n providers.Notification, r *providers.WebhookRequest) ([]providers.Notification, error) {
	order := cmp.Or(n.Order, n.At.UnixMilli()+999) // the ordering time is that of the event and not of the pointer's last try
	notes, err := readDelivery(r, hookFacts{at: n.At, order: order, reference: n.Reference, part: n.Part})
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(notes, func(n providers.Notification) bool { return n.Payload != nil }) {
		return nil, unreadableEvent(codeNested)
	}
	return notes, nil
}

// readDelivery reads a delivery, in memory or in a file.
func readDelivery(r *providers.WebhookRequest, f hookFacts) ([]providers.Notification, error) {
	if r.Large != nil {
		return readLarge(r, f)
	}
	w, err := readEvent(r.Body)
	if err != nil {
		return nil, err
	}
	data := w.content()
	if !isKind(w.kind) {
		return w.notifications(f)
	}
	if data == nil {
		return nil, unreadableEvent(codeNoData)
	}
	c := collector{facts: f, event: w}
	if err := c.add(data); err != nil {
		return nil, err
	}
	return c.done()
}

// content returns the data of an event; nil if there is none.
func (w *wireEvent) content() []byte {
	raw := w.data
	if w.kind == kindAthlete && w.athlete != nil {
		raw = w.athlete
	}
	if string(raw) == "null" {
		return []byte("[]")
	}
	return raw
}

// isKind reports whether a type is one of the kinds of data.
func isKind(kind string) bool {
	_, ok := streamNamed(kind)
	return ok
}

// base is what all notifications of an event have in common.
func (w *wireEvent) base(f hookFacts) providers.Notification {
	n := providers.Notification{Event: providers.EventUnknown, At: f.at, Detail: "unknown"}
	if isWord(w.kind) {
		n.Detail = w.kind
	}
	if isID(w.user.UserID) {
		n.UpstreamID = w.user.UserID
	}
	return n
}

// isWord reports whether a type can be shown.
func isWord(text string) bool {
	return text != "" && len(text) <= 64 && strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") == ""
}

// isID reports whether an id can be a person's.
func isID(id string) bool {
	return id != "" && len(id) <= maxID && !strings.ContainsFunc(id, func(c rune) bool { return c < ' ' || c == 0x7f })
}

// notifications says what an event without data is about. Those that ask for
// nothing are of EventIgnored, those that are not known, or lack what they should
// have, of EventUnknown.
func (w *wireEvent) notifications(f hookFacts) ([]providers.Notification, error) {
	n := w.base(f)
	nobody := n.UpstreamID == ""
	switch w.kind {
	case "auth":
		if nobody {
			return nil, unreadableEvent(codeNobody)
		}
		if n.Event = providers.EventIgnored; !strings.EqualFold(w.status, "error") { // else the person declined, and the user is gone
			n.Event, n.Reference = providers.EventAuth, cmp.Or(w.referenceID, w.user.ReferenceID)
		}
	case "auth_cancelled", "healthcheck", "processing", "rate_limit_hit", "google_no_datasource":
		// A connect flow that ended without a user, a sign of life, and what the
		// service does or cannot do by itself.
		n.Event = providers.EventIgnored
	case "deauth", "access_revoked":
		if nobody {
			return nil, unreadableEvent(codeNobody)
		}
		n.Event = providers.EventDeauth
	case "user_reauth":
		if !isID(w.newUser.UserID) {
			return nil, unreadableEvent(codeNobody)
		}
		// Without the old one there is nothing to move; the new one has an auth
		// event of its own.
		n.Event, n.UpstreamID = providers.EventIgnored, w.newUser.UserID
		if isID(w.oldUser.UserID) {
			n.Event, n.OldUpstreamID = providers.EventReauth, w.oldUser.UserID
		}
	case "connection_error", "connexion_error":
		// The provider refused Terra, perhaps not for good: one call tells.
		if nobody {
			return nil, unreadableEvent(codeNobody)
		}
		n.Event, n.Streams = providers.EventData, []string{kindAthlete}
	case "permission_change":
		// There may be data that was not given out before.
		if nobody {
			return nil, unreadableEvent(codeNobody)
		}
		n.Event, n.Streams = providers.EventData, pulledStreams()
	case "large_request_processing", "request_processing", "large_request_sending", "request_completed":
		if nobody {
			return nil, unreadableEvent(codeNobody)
		}
		if reference, _, _ := cutChunk(cmp.Or(w.reference, f.reference)); isReference(reference) {
			n.Event, n.Reference = providers.EventRequest, reference
			w.expected(&n)
		}
	case "lab_report.completed", "lab_report.failed":
		// About a report of the host's, of which there is no stream and no user
		// at Terra: it is kept for the host, once.
		if isID(w.eventID) {
			n.Reference = w.eventID
		}
	case "s3_payload", "s3_upload":
		if len(w.url) > maxURL || w.url == "" {
			return nil, unreadableEvent(codeShape)
		}
		n.Event, n.Reference, n.Part, n.Order = providers.EventData, f.reference, f.part, f.order
		n.Payload = &providers.Payload{Address: providers.NewSecret(w.url)}
		if seconds, ok := w.expiresIn.Int(); ok && seconds >= 0 {
			n.Payload.ExpiresAt = f.at.Add(time.Duration(min(seconds, 7*24*3600)) * time.Second)
		}
	}
	return []providers.Notification{n}, nil
}

// expected takes over how many parts a request has. One that has none is
// complete: that is one part without data.
func (w *wireEvent) expected(n *providers.Notification) {
	count, ok := w.expectedPayloads.Int()
	switch {
	case !ok || count < 0 || count > providers.MaxParts:
	case count == 0:
		n.Event, n.Part, n.Expected = providers.EventData, 1, 1
	default:
		n.Expected = int(count)
	}
}

// collector makes notifications of the data of one event.
type collector struct {
	facts hookFacts
	event wireEvent
	notes []providers.Notification
	// again is set when a datum has to be read from the service.
	again bool
}

// add maps an array of data, or the one datum of a profile.
func (c *collector) add(data []byte) error {
	records, aside, err := mapData(c.event.kind, c.event.user, data, envelope{Order: c.facts.order, Push: true, Now: c.facts.at})
	if err != nil {
		if e, ok := errors.AsType[*providers.Error](err); ok {
			return unreadableEvent(e.Code)
		}
		return unreadableEvent(codeShape)
	}
	// A member that cannot be read is set aside when its day is read from the
	// service; the rest of the datum is here.
	c.again = c.again || slices.ContainsFunc(aside, whole)
	if len(records) > 0 {
		n := c.event.base(c.facts)
		n.Event, n.Records, n.Raw = providers.EventData, records, []health.RawPage{c.event.answer(c.facts.order, data)}
		c.notes = append(c.notes, n)
	}
	return nil
}

// answer returns data as Terra answers with it to a request, for [Provider.Remap].
func (w *wireEvent) answer(order int64, data []byte) health.RawPage {
	type user struct {
		ID       string `json:"user_id"`
		Provider string `json:"provider"`
	}
	whose, _ := json.Marshal(user{w.user.UserID, w.user.Provider}) // two strings can be written
	body := slices.Concat([]byte(`{"type":"`), []byte(w.kind), []byte(`","user":`), whose, []byte(`,"data":`), data, []byte(`}`))
	return health.RawPage{
		Stream: w.kind, Date: time.UnixMilli(order).UTC(), Bodies: []health.RawBody{{Name: w.kind, Body: body}},
	}
}

// whole reports whether what was set aside is a datum and not a member of one.
func whole(q providers.Quarantined) bool {
	_, id, _ := strings.Cut(q.Key, "/")
	return strings.HasPrefix(id, "#") || !strings.Contains(id, "#")
}

// done returns the notifications. The last one with data is the part of the
// request that the event may answer: all others are filed together with it.
func (c *collector) done() ([]providers.Notification, error) {
	base := c.event.base(c.facts)
	if base.UpstreamID == "" {
		return nil, unreadableEvent(codeNobody)
	}
	if c.facts.part != 0 {
		if len(c.notes) == 0 { // no data: that is an answer too
			empty := base
			empty.Event = providers.EventData
			c.notes = append(c.notes, empty)
		}
		last := &c.notes[len(c.notes)-1]
		last.Reference, last.Part = c.facts.reference, c.facts.part
	}
	st, _ := streamNamed(c.event.kind)
	switch {
	case c.again && st.pulled:
		base.Event, base.Streams = providers.EventData, []string{st.name}
		c.notes = append(c.notes, base)
	case c.again:
		c.notes = append(c.notes, base) // nothing but the delivery has it
	case len(c.notes) == 0:
		base.Event, base.Streams = providers.EventData, []string{st.name}
		c.notes = append(c.notes, base)
	}
	return c.notes, nil
}

// readLarge reads a delivery that is in a file, in a bounded part of its memory:
// what it says besides its data, then its data, some at once.
func readLarge(r *providers.WebhookRequest, f hookFacts) ([]providers.Notification, error) {
	head := []byte{'{'}
	err := eachMember(r.Open(), func(name string, d *json.Decoder) error {
		if name == "data" {
			return skipData(d)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		quoted, err := json.Marshal(name)
		switch {
		case err != nil:
			return err
		case len(head)+len(quoted)+len(value) > maxHead:
			return unreadableEvent(codeTooLong)
		case len(head) > 1:
			head = append(head, ',')
		}
		head = append(append(append(head, quoted...), ':'), value...)
		return nil
	})
	if err != nil {
		return nil, unreadableLarge(err)
	}
	w, err := readEvent(append(head, '}'))
	if err != nil {
		return nil, err
	}
	if !isKind(w.kind) {
		return w.notifications(f)
	}
	c := collector{facts: f, event: w}
	if w.kind == kindAthlete && w.athlete != nil {
		if err := c.add(w.athlete); err != nil {
			return nil, err
		}
		return c.done()
	}
	some, seen := []byte{'['}, false
	flush := func() error {
		defer func() { some = some[:1] }()
		return c.add(append(some, ']'))
	}
	err = eachMember(r.Open(), func(name string, d *json.Decoder) error {
		if name != "data" {
			var value json.RawMessage
			return d.Decode(&value)
		}
		if seen {
			return unreadableEvent(codeTwice)
		}
		seen = true
		return eachElement(d, func(element []byte) error {
			if len(some) > 1 && len(some)+len(element) > readAtOnce {
				if err := flush(); err != nil {
					return err
				}
			}
			if len(some) > 1 {
				some = append(some, ',')
			}
			some = append(some, element...)
			return nil
		})
	})
	switch {
	case err != nil:
		return nil, unreadableLarge(err)
	case !seen:
		return nil, unreadableEvent(codeNoData)
	}
	if err := flush(); err != nil {
		return nil, err
	}
	return c.done()
}

// unreadableLarge is the failure of reading a document from a file.
func unreadableLarge(err error) error {
	if e, ok := errors.AsType[*providers.Error](err); ok {
		return e
	}
	return unreadableEvent(codeNotJSON)
}

// eachMember calls read for each member of the object that r holds; read
// consumes its value.
func eachMember(r io.Reader, read func(name string, d *json.Decoder) error) error {
	d := json.NewDecoder(r)
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return unreadableEvent(codeShape)
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := t.(string)
		if err := read(name, d); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil { // the closing brace
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return unreadableEvent(codeNotJSON)
	}
	return nil
}

// eachElement calls use with each element of the array that comes next. The
// element is valid during the call. A null is an empty array.
func eachElement(d *json.Decoder, use func([]byte) error) error {
	t, err := d.Token()
	switch {
	case err != nil:
		return err
	case t == nil:
		return nil
	case t != json.Delim('['):
		return unreadableEvent(codeShape)
	}
	var element json.RawMessage
	for d.More() {
		if err := d.Decode(&element); err != nil {
			return err
		}
		if err := use(element); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}

// skipData reads over the data of an event, which need not be an array: some have
// an object, and nobody knows what those have that are not known.
func skipData(d *json.Decoder) error {
	t, err := d.Token()
	for depth := 1; err == nil; t, err = d.Token() {
		switch t {
		case json.Delim('{'):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		case json.Delim('['):
			depth++
			var element json.RawMessage
			for err == nil && depth == 2 && d.More() {
				err = d.Decode(&element)
			}
		}
		if err != nil || depth == 1 {
			return err
		}
	}
	return err
}
