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
// blocks delays its connection, and only that. A panic in a hook is logged and
// contained. Events hold no token, body or health value.
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
	Item                         providers.Quarantined
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
