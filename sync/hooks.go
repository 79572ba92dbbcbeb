package sync

import (
	"context"
	"fmt"
	"time"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

// Hooks are optional functions that the engine calls as things happen. They
// are called from the engine's goroutines, in line with the work: a hook that
// blocks delays that work. For most it is the work on one connection. Delivered,
// and those that tell of a flow which a delivery ended, delay the deliveries of
// everybody; what Run does besides, as the comparison of people or the reminders
// of consents, delays what it does next. No answer to a delivery waits for a
// hook. A panic in a hook is logged and contained. Events hold no token, body or
// health value.
type Hooks struct {
	// PageCommitted is called after each committed page.
	PageCommitted func(context.Context, PageEvent)
	// StreamDone is called when the work on a stream ended, with its error.
	StreamDone func(context.Context, StreamEvent)
	// BackfillProgress is called after each window of a backfill.
	BackfillProgress func(context.Context, BackfillEvent)
	// StateChanged is called when a connection has a new state.
	StateChanged func(context.Context, StateEvent)
	// Quarantined is called when a datum was set aside.
	Quarantined func(context.Context, QuarantineEvent)
	// Refreshed is called after each attempt to refresh a credential.
	Refreshed func(context.Context, RefreshEvent)
	// RateLimited is called when work waits for a rate limit.
	RateLimited func(context.Context, RateLimitEvent)
	// Delivered is called when work on a delivery, or on one person's part of
	// it, ended.
	Delivered func(context.Context, DeliveryEvent)
	// Unlinked is called for each person that a provider knows and that has no
	// connection, when the two are compared: see [Engine.ReconcilePeople].
	Unlinked func(context.Context, UnlinkedEvent)
	// ConsentEnding is called when a consent is about to end by itself, once
	// Config.ConsentNotice before; again when a process died meanwhile.
	ConsentEnding func(context.Context, ConsentEvent)
	// Alarm is called for what a person should look at.
	Alarm func(context.Context, AlarmEvent)
	// Audit is called once for each change of a person's connection,
	// credential or data that the engine makes on somebody's behalf.
	Audit func(context.Context, AuditEvent)
}

// PageEvent tells of a committed page.
type PageEvent struct {
	Connection, Provider, Stream string
	Lane                         store.Lane
	Result                       store.Result
	// Took is the time of fetch and commit together.
	Took time.Duration
}

// StreamEvent tells that the work on a stream ended.
type StreamEvent struct {
	Connection, Provider string
	Report               StreamReport
}

// BackfillEvent tells how far a backfill is.
type BackfillEvent struct {
	Connection, Provider string
	Progress             Progress
}

// StateEvent tells of a connection's new state.
type StateEvent struct {
	Connection, Provider string
	Old, New             store.State
	Reason               string
}

// QuarantineEvent tells of a datum that was set aside.
type QuarantineEvent struct {
	Connection, Provider, Stream string
	// Item is without its raw data, which [Engine.Quarantine] returns.
	Item providers.Quarantined
}

// RefreshEvent tells of an attempt to refresh a credential.
type RefreshEvent struct {
	Connection, Provider string
	Generation           int64
	Err                  error
}

// RateLimitEvent tells that work waits.
type RateLimitEvent struct {
	Connection, Provider, Stream string
	Wait                         time.Duration
}

// DeliveryEvent tells how work on a delivery ended.
type DeliveryEvent struct {
	Provider string
	// Delivery is the id of the delivery or of the part of it.
	Delivery   string
	Connection string // empty for a whole delivery
	// Status is what became of it; empty when it was settled.
	Status   store.DeliveryStatus
	Attempts int
	Err      error
}

// UnlinkedEvent tells of a person that only the provider knows.
type UnlinkedEvent struct {
	Provider, UpstreamID string
}

// AlarmKind says what an alarm is about.
type AlarmKind string

// The alarms.
const (
	AlarmSignatures     AlarmKind = "signatures"      // many deliveries in a row failed verification
	AlarmClient         AlarmKind = "client"          // the provider refuses the application
	AlarmRotation       AlarmKind = "rotation"        // a refresh did not rotate the token as it should
	AlarmLifetime       AlarmKind = "lifetime"        // a token lifetime that cannot be right
	AlarmAmbiguous      AlarmKind = "ambiguous"       // a refresh whose outcome is not known
	AlarmSpill          AlarmKind = "spill"           // a credential had to be written to the spill directory
	AlarmScopes         AlarmKind = "scopes"          // fewer scopes than before
	AlarmIdentity       AlarmKind = "identity"        // an answer about another person
	AlarmDeadLetter     AlarmKind = "dead_letter"     // a delivery could not be worked on
	AlarmJob            AlarmKind = "job"             // work at a provider was given up
	AlarmRedirect       AlarmKind = "redirect"        // a provider tried to redirect a call
	AlarmParkedTooLong  AlarmKind = "parked_too_long" // a delivery was dropped that waited for a person, or for a repair
	AlarmBudget         AlarmKind = "delivery_budget" // deliveries were refused for want of memory
	AlarmPanic          AlarmKind = "panic"           // an adapter panicked; the work was put off
	AlarmPayload        AlarmKind = "payload"         // what a delivery pointed to was lost and is read from the provider
	AlarmUnlinked       AlarmKind = "unlinked"        // a provider knows people that the store does not
	AlarmStoreUnhealthy AlarmKind = "store_unhealthy" // the store did not take a credential
)

// AlarmEvent is an alarm.
type AlarmEvent struct {
	Kind                 AlarmKind
	Provider, Connection string
	// Count is how many events are behind the alarm.
	Count int
	Err   error
}

// AuditEvent says who did what to whose data, without any value.
type AuditEvent struct {
	At time.Time
	// Action is a fixed word: "connect", "complete", "refresh", "state",
	// "relink", "succeed", "consent_ending", "import", "disconnect", "erase",
	// "export", "redrive", "reseal", "drop".
	Action string
	// Actor is "user", "host", "engine" or "provider".
	Actor                      string
	User, Connection, Provider string
	// Outcome is "ok" or a fixed word that says what failed.
	Outcome string
}

// call runs a hook if it is set.
func call[E any](ctx context.Context, e *Engine, hook func(context.Context, E), event E) {
	if hook == nil {
		return
	}
	defer func() {
		if v := recover(); v != nil {
			e.cfg.Logger.ErrorContext(ctx, "hook panicked", "hook", fmt.Sprintf("%T", event), "panic", fmt.Sprintf("%T", v))
		}
	}()
	hook(ctx, event)
}
