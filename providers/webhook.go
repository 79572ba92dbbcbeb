package providers

import (
	"net/http"
	"time"

	"github.com/vitalmux/vitalmux/health"
)

// WebhookRequest is a delivery as it came, body read whole.
type WebhookRequest struct {
	Method string
	// Path is what follows the adapter's mount point, without secrets.
	Path   string
	Query  map[string][]string
	Header http.Header
	Body   []byte
}

// WebhookParser reads deliveries.
type WebhookParser interface {
	// ParseWebhook verifies the delivery and says what it is about. It is
	// pure: it makes no request and reads no clock but now. A failed
	// verification is ErrSignature; a delivery that is genuine and cannot be
	// read is ErrMalformed.
	ParseWebhook(now time.Time, r *WebhookRequest) ([]Notification, error)
}

// Notification is one thing a delivery tells about one person.
type Notification struct {
	// UpstreamID is the person at the service.
	UpstreamID string
	Event      Event
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
