package sync

import (
	"context"
	"errors"
	mathrand "math/rand/v2"
	"time"

	"github.com/vitalmux/vitalmux/store"
)

// The reasons of state "deleting": they say what is still to be done, whoever
// does it.
const (
	reasonRemove   = "disconnected"
	reasonKeepData = "disconnected, data kept"
	reasonErase    = "erased"
)

// Disconnect ends a connection: it is removed, with keepData false also
// everything that was read through it, and what is parked or dead about its
// account. To end the subscriptions and take the
// grant back at the provider is queued for [Engine.Run], durably and with the
// credential sealed, and tried for 30 days. Disconnect waits for a refresh that
// is under way, at most Config.RefreshTimeout: without its answer the grant
// could not be taken back.
//
// A disconnect that was interrupted is finished by Run. Disconnecting a
// connection that is not there is no error.
func (e *Engine) Disconnect(ctx context.Context, connection string, keepData bool) error {
	reason := reasonRemove
	if keepData {
		reason = reasonKeepData
	}
	old, conn, err := e.updateConnection(ctx, connection, func(c *store.Connection) bool {
		if c.State == store.StateDeleting && c.Reason == reasonErase {
			return false
		}
		c.State, c.Reason = store.StateDeleting, reason
		return true
	})
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrErased) {
		return nil
	}
	if err != nil {
		return err
	}
	if old.State != store.StateDeleting {
		e.stateChanged(ctx, old, conn)
		e.audit(ctx, AuditEvent{
			Action: "disconnect", Actor: "host", User: conn.User, Connection: conn.ID, Provider: conn.Provider,
		}, nil)
	}
	return e.remove(ctx, conn, e.cfg.RefreshTimeout)
}

// remove finishes a disconnect. It waits that long for a refresh.
func (e *Engine) remove(ctx context.Context, conn store.Connection, wait time.Duration) error {
	release, err := e.holdCredential(ctx, conn.ID, wait)
	if err != nil {
		return err
	}
	defer release()
	if _, err := e.withdraw(ctx, conn, ""); err != nil {
		return err
	}
	if err := e.settleKept(ctx, conn); err != nil {
		return err
	}
	if err := e.forgetNotes(ctx, conn); err != nil {
		return err
	}
	return e.cfg.Store.DeleteConnection(ctx, conn.ID, conn.Reason != reasonKeepData)
}

// holdCredential keeps everybody from refreshing a credential, so that the pair
// that is read next stays the last one. When the lease cannot be had within the
// wait, because its holder is slow or was killed, the work goes on without; with
// no wait at all it is [store.ErrLeaseHeld].
func (e *Engine) holdCredential(ctx context.Context, connection string, wait time.Duration) (release func(), err error) {
	giveUp := now().Add(wait)
	for {
		lease, err := e.cfg.Store.Acquire(ctx, connection, leaseRefresh, e.cfg.LeaseTTL)
		if err == nil {
			return func() { e.release(ctx, lease) }, nil
		}
		if !errors.Is(err, store.ErrLeaseHeld) {
			return nil, err
		}
		if wait == 0 {
			return nil, err
		}
		if !now().Before(giveUp) {
			return func() {}, nil
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(20*time.Millisecond + mathrand.N(30*time.Millisecond)):
		}
	}
}

// release gives a lease back, also when ctx has ended.
func (e *Engine) release(ctx context.Context, lease store.Lease) {
	releasing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := e.cfg.Store.Release(releasing, lease); err != nil {
		e.cfg.Logger.WarnContext(ctx, "lease not released", "lease", lease.Name, "err", err)
	}
}

// finishRemovals finishes disconnects that were interrupted. Erasures are
// finished by a job of their own.
func (e *Engine) finishRemovals(ctx context.Context) error {
	var errs []error
	for q := (store.ConnectionQuery{State: store.StateDeleting}); ; {
		list, err := e.cfg.Store.Connections(ctx, q)
		if err != nil || len(list) == 0 {
			return errors.Join(append(errs, err)...)
		}
		for _, conn := range list {
			q.After = conn.ID
			if conn.Reason == reasonErase {
				continue
			}
			if err := e.remove(ctx, conn, 0); !errors.Is(err, store.ErrLeaseHeld) {
				errs = append(errs, err)
			}
		}
	}
}
