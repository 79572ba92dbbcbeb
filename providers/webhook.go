package providers

import (
	"net/http"
	"time"

	"github.com/vitalmux/vitalmux/health"
)

// WebhookRequest is a delivery as it came, body read whole.
type WebhookRequest struct {
	Method string
	Query  map[string][]string
	Header http.Header
	Body   []byte
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
	// MaxBody is the largest body, in bytes; 0 means 1 MiB.
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
	// Triggers reports whether deliveries only hint at news, so that equal
	// ones are separate events. Signed deliveries of other services are
	// taken once: the same bytes with the same timestamp are a repetition.
	Triggers bool
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

// WebhookProber answers the requests by which a service checks an endpoint:
// other methods than POST, or challenges.
type WebhookProber interface {
	// ProbeWebhook returns the answer to a check; false if r is a delivery.
	// It is pure.
	ProbeWebhook(r *WebhookRequest) (ProbeAnswer, bool)
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
	// Reference is the value that the engine gave the service when a connect
	// flow began, for services that report the outcome by a delivery.
	Reference string
	// Streams to pull; empty means all.
	Streams []string
	// Window the news is about; zero means unknown.
	Window health.Window
	// Records are set when the delivery carries the data itself.
	Records []health.Record
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
	EventUnknown Event = "unknown" // kept, not acted on
)
