package providers

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"

	"github.com/vitalmux/vitalmux/health"
)

// WebhookRequest is a delivery as it came, body read whole.
type WebhookRequest struct {
	Method string
	Query  map[string][]string
	Header http.Header
	// Body is the whole body; nil where Large has it.
	Body []byte
	// Large has a body of 1 MiB or more, in a file, for an adapter that is a
	// [WebhookVerifier]; nil for all others and for smaller bodies. It is
	// usable until the call that was given it returns.
	Large *io.SectionReader
}

// Open returns a reader of the body from its beginning, wherever that is. It
// may be called any number of times.
func (r *WebhookRequest) Open() io.Reader {
	if r.Large != nil {
		return io.NewSectionReader(r.Large, 0, r.Large.Size())
	}
	return bytes.NewReader(r.Body)
}

// Size returns the length of the body in bytes.
func (r *WebhookRequest) Size() int64 {
	if r.Large != nil {
		return r.Large.Size()
	}
	return int64(len(r.Body))
}

// WebhookTraits are the constant facts of a service's deliveries.
type WebhookTraits struct {
	// Signed reports whether deliveries carry a signature that ParseWebhook
	// verifies. Deliveries that do not are only ever a reason to pull: they
	// arrive at an address of their own per connection, and nothing they
	// say is believed.
	Signed bool
	// Deadline is how long the service waits for the answer; 0 means 5
	// seconds.
	Deadline time.Duration
	// MaxBody is the largest body, in bytes; 0 means 1 MiB. An adapter that
	// wants more should be a [WebhookVerifier]: else the whole body is held in
	// memory when it arrives.
	MaxBody int64
	// Accepted is the status of the answer to a delivery that was stored, and
	// Refused of one that failed verification; 0 means 200 and 401. Accepted
	// is of the class 2xx, Refused of 4xx and not 410, by which some services
	// end a subscription.
	Accepted, Refused int
	// Header names the headers that ParseWebhook reads; the engine keeps no
	// others. They are stored as they came: Authorization,
	// Proxy-Authorization and Cookie are not among them.
	Header []string
	// ProbeHeader names further headers, for ProbeWebhook alone. They are
	// never stored, so that Authorization may be among them: some services
	// check that an endpoint knows a standing secret.
	ProbeHeader []string
	// Triggers reports whether deliveries only hint at news, so that equal
	// ones are separate events. Signed deliveries of other services are
	// taken once: the same bytes with the same timestamp are a repetition.
	Triggers bool
	// DuplicateHeader names the one of Header in which the service names a
	// delivery, with the same name each time it tries to deliver it; "" if
	// there is none. A delivery is then also a repetition if its name was
	// accepted within a week, whatever was signed with it. It is not used where
	// Triggers is set.
	//
	// The name need not be signed. It is looked at after the delivery was
	// verified, and remembered only with one that is stored. So who cannot sign
	// cannot plant a name: a genuine delivery that came before is a repetition
	// by what was signed, under any name, for longer than its signature is
	// good. To have one dropped by its name he must hold another one back, and
	// put the name on it before the first comes; who stands there can drop both
	// anyway. A header with several values, or none, is as if it were not there.
	DuplicateHeader string
}

// WebhookParser reads deliveries.
type WebhookParser interface {
	// WebhookTraits returns facts that are constant for the life of the
	// value.
	WebhookTraits() WebhookTraits
	// ParseWebhook verifies the delivery and says what it is about. It is
	// pure: it makes no request and reads no clock but now. A failed
	// verification is ErrSignature; a delivery that is genuine and cannot be
	// read is ErrMalformed.
	ParseWebhook(now time.Time, r *WebhookRequest) ([]Notification, error)
}

// WebhookVerifier verifies deliveries without reading them, for adapters whose
// MaxBody is more than 1 MiB. Their deliveries are only verified when they
// arrive. [WebhookParser] reads them after they were answered, those of 1 MiB or
// more from WebhookRequest.Large, and verifies them again.
type WebhookVerifier interface {
	// VerifyWebhook verifies a delivery as ParseWebhook does, without looking
	// at what it says, and returns the time that was signed with it; zero if
	// none was. It reads the body once, by WebhookRequest.Open, in bounded
	// memory. It is pure. A failed verification is ErrSignature.
	VerifyWebhook(now time.Time, r *WebhookRequest) (signed time.Time, err error)
}

// WebhookSorter says which deliveries cannot wait, for a [WebhookVerifier] that
// is a [PayloadFetcher] too.
type WebhookSorter interface {
	// UrgentWebhook reports whether a delivery that was verified has nothing
	// but a Payload to tell. It is called before the delivery is answered and
	// looks at no more than it must: one that it does not recognise is found
	// when its turn comes. It is pure; r has its body in memory.
	UrgentWebhook(r *WebhookRequest) bool
}

// PayloadFetcher fetches what deliveries only point to: the notifications with
// a Payload. Only signed deliveries may point anywhere.
type PayloadFetcher interface {
	// FetchPayload writes to w what the address in n leads to, decompressed
	// and else as it came, as it arrives. It makes one request, without
	// credentials, and follows no redirect; an address that is not https or
	// whose host is not on the adapter's own list is refused without one. A
	// failure of w is returned as it is: w ends at 64 MiB. After a failure what
	// was written is dropped.
	//
	// Errors are *Error and never hold the address. Those that are [Retryable]
	// are tried again while the address is good; any other means that it leads
	// nowhere (any more), and what it pointed to is read by Fetch.
	FetchPayload(ctx context.Context, n Notification, w io.Writer) error
	// ParsePayload reads what FetchPayload wrote, in the way of ParseWebhook
	// and under its rules, but for the signature: r has nothing but the body,
	// and n is as it was without the Payload. A body that is none is
	// ErrMalformed. What it says about another person than n names is refused
	// by the engine.
	ParsePayload(now time.Time, n Notification, r *WebhookRequest) ([]Notification, error)
}

// Payload is where the content of a delivery is to be fetched from.
type Payload struct {
	// Address is for the adapter alone. Whoever has it may read what it leads
	// to.
	Address Secret
	// ExpiresAt is when the address ends; zero if that is not told.
	ExpiresAt time.Time
}

// WebhookProber answers the requests by which a service checks an endpoint:
// other methods than POST, or challenges.
type WebhookProber interface {
	// ProbeWebhook returns the answer to a check; false if r is a delivery.
	// It is pure.
	ProbeWebhook(r *WebhookRequest) (ProbeAnswer, bool)
}

// WebhookKeyer fetches what verifies deliveries, for services that publish
// their keys and replace them.
type WebhookKeyer interface {
	// WebhookKeys is called before each ParseWebhook with the delivery that is
	// going to be parsed. It makes a request only when it has no keys, when they
	// are old, or when the delivery names one that it does not have, and the
	// last not often, because anybody can name a key. What it says of the
	// delivery is not believed yet. An error means that ParseWebhook could not
	// tell a genuine delivery from a forged one: the service is then asked to
	// send it again.
	WebhookKeys(ctx context.Context, now time.Time, r *WebhookRequest) error
}

// ProbeAnswer is the answer to a check of an endpoint.
type ProbeAnswer struct {
	Status      int
	ContentType string
	Body        []byte
}

// Notification is one thing a delivery tells about one person.
type Notification struct {
	// UpstreamID is the person at the service.
	UpstreamID string
	// OldUpstreamID is what EventReauth replaces by UpstreamID.
	OldUpstreamID string
	Event         Event
	// At is when the event happened by the service's clock; zero if not told.
	// Where the service signs a time with each delivery, it is that time: the
	// same body at another time is another delivery.
	At time.Time
	// Reference is, with EventAuth, the value that the engine gave the service
	// when a connect flow began, for services that report the outcome by a
	// delivery. With EventData and EventRequest it is the service's name for a
	// request that it answers by deliveries: see [Pending]. With EventUnknown it
	// is the service's name for the event, which is kept once, however often and
	// in whatever words it is told; empty if it has none.
	Reference string
	// Part tells the parts of that request apart: with EventData and a
	// Reference it is from 1 to [MaxParts], else 0. A part that is sent again
	// has the same number.
	Part int
	// Expected is how many parts the request has; 0 if that is not told.
	Expected int
	// Streams to pull; empty means all.
	Streams []string
	// Window the news is about; zero means unknown.
	Window health.Window
	// Records are set when the delivery carries the data itself.
	Records []health.Record
	// Raw is what Records were mapped from, a page for each stream of theirs, in
	// a form that the adapter's Remap reads, and with nothing about anybody
	// else. It is kept as Page.Raw is; none keeps nothing. A page without a Date
	// has At.
	Raw []health.RawPage
	// Payload is set when the delivery only points to its content. Event is
	// then EventData, UpstreamID may be empty if the delivery does not say
	// whom it is about, and Streams and Window say what to read if it cannot be
	// fetched: with no Window, the look-back of the streams.
	Payload *Payload
	// Order is, with a Payload, the Rev.Order of the records that it leads to, for
	// ParsePayload; 0 if the delivery does not tell it.
	Order int64
	// Detail is the service's own word for the event.
	Detail string
}

// Event is what a notification is about.
type Event string

// The events.
const (
	EventData    Event = "data"    // there is new or changed data
	EventAuth    Event = "auth"    // a person connected
	EventDeauth  Event = "deauth"  // a person took the consent back
	EventReauth  Event = "reauth"  // the upstream id changed
	EventRequest Event = "request" // how it stands with the request that Reference names
	EventIgnored Event = "ignored" // known, and nothing is to be done about it
	EventUnknown Event = "unknown" // kept, not acted on
)

// MaxParts is the most parts that a request answered by deliveries may have.
const MaxParts = 16_000
