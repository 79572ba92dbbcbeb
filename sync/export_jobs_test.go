package sync

import (
	"context"
	"time"

	"github.com/vitalmux/vitalmux/store"
)

// WorkJobs does one round of what Run does about jobs and interrupted removals.
func WorkJobs(ctx context.Context, e *Engine, at time.Time) error { return e.workJobs(ctx, at) }

// CompleteByReference ends a flow as a signed delivery does.
func CompleteByReference(ctx context.Context, e *Engine, provider, reference, upstreamID string) (store.Connection, error) {
	return e.completeByReference(ctx, provider, reference, upstreamID)
}

// QueueErasure does the first half of an erasure, as a process does that is
// killed before the second.
func QueueErasure(ctx context.Context, e *Engine, user string) error {
	id, err := e.receiptID(ctx, user)
	if err != nil {
		return err
	}
	if _, err := e.queueFinish(ctx, user, id); err != nil {
		return err
	}
	if err := e.cfg.Store.SwapSetting(ctx, user, settingErasing, nil, []byte{1}); err != nil {
		return err
	}
	return e.withdrawAll(ctx, user, id)
}
