package sync

import (
	"context"
	"errors"
	"time"

	"github.com/vitalmux/vitalmux/store"
)

// WebhookURL returns the address at which a connection's deliveries arrive.
func WebhookURL(e *Engine, conn store.Connection) (string, error) {
	address, ok, err := e.webhookURL(context.Background(), conn)
	if err == nil && !ok {
		err = errors.New("there is none")
	}
	return address, err
}

// ReviewKept does one round of what Run does about deliveries that are kept.
func ReviewKept(ctx context.Context, e *Engine, at time.Time) error {
	return errors.Join(e.reviewParked(ctx, at), e.dropDead(ctx, at))
}
