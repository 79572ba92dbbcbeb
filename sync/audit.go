package sync

import (
	"context"
	"errors"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

// audit tells the host of one change, with its outcome. It is called once, by
// whoever made the change, when the change is durable.
func (e *Engine) audit(ctx context.Context, event AuditEvent, err error) {
	event.At, event.Outcome = now(), outcomeOf(err)
	e.cfg.Logger.InfoContext(ctx, "audit", "action", event.Action, "actor", event.Actor,
		"connection", event.Connection, "provider", event.Provider, "outcome", event.Outcome)
	call(ctx, e, e.cfg.Hooks.Audit, event)
}

// outcomeOf returns a fixed word for an error, "ok" for none.
func outcomeOf(err error) string {
	if err == nil {
		return "ok"
	}
	for _, o := range []struct {
		err  error
		word string
	}{
		{ErrDenied, "denied"}, {ErrLinked, "linked"}, {ErrFlow, "unknown_flow"}, {ErrSealed, "sealed"},
		{ErrConnectionState, "state"}, {store.ErrErased, "erased"}, {store.ErrNotFound, "not_found"},
		{providers.ErrReauth, "refused"}, {providers.ErrRateLimited, "rate_limited"},
		{providers.ErrUnavailable, "unavailable"}, {providers.ErrForbidden, "not_permitted"},
		{providers.ErrMalformed, "malformed"}, {providers.ErrRetired, "retired"}, {providers.ErrInvalid, "invalid"},
	} {
		if errors.Is(err, o.err) {
			return o.word
		}
	}
	return "failed"
}
