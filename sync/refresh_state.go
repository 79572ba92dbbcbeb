package sync

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/store"
)

// giveUp records that the person has to consent again. The pair is kept a while:
// somebody may still hold its successor.
func (w *refresher) giveUp(ctx context.Context, c store.Credential, reason string, refusal error) (store.Credential, error) {
	next := c
	if c.RefusedAt.IsZero() {
		var err error
		at := now()
		next, err = w.update(ctx, c, func(c *store.Credential) {
			c.Attempt = nil
			c.RefusedAt = at.UTC()
		})
		switch {
		case errors.Is(err, errMoved) && supersedes(next, c.Grant, c.Generation):
			return next, nil
		case err != nil:
			return next, errors.Join(w.later("the refusal could not be stored", time.Time{}), err)
		}
	}
	w.moveState(ctx, next, store.StateReauthRequired, reason)
	return next, refusal
}

// update changes the bookkeeping of a credential that still is what c was, by
// compare-and-swap; errMoved with the stored one if it is not.
func (e *Engine) update(ctx context.Context, c store.Credential, change func(*store.Credential)) (store.Credential, error) {
	for try := 1; ; try++ {
		stored, err := e.cfg.Store.Credential(ctx, c.Connection)
		if err == nil {
			if stored.Grant != c.Grant || stored.Generation != c.Generation || stored.RefreshPrint != c.RefreshPrint {
				return stored, errMoved
			}
			change(&stored)
			err = e.cfg.Store.UpdateCredential(ctx, stored)
		}
		switch {
		case err == nil:
			return stored, nil
		case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrErased), errors.Is(err, store.ErrClosed), try >= 6:
			return c, err
		case !errors.Is(err, store.ErrConflict):
			time.Sleep(time.Duration(try) * 50 * time.Millisecond)
		}
	}
}

// moveState has the connection show how its credential does, and looks
// afterwards whether it still does so. Nothing happens if somebody else decided
// about the connection, or the person consented anew.
func (e *Engine) moveState(ctx context.Context, c store.Credential, state store.State, reason string) {
	for range 3 {
		var lookup error
		_, err := e.changeState(ctx, c.Connection, "engine", func(conn *store.Connection) bool {
			stored, err := e.cfg.Store.Credential(ctx, c.Connection)
			lookup = err
			refused := !stored.RefusedAt.IsZero()
			if err != nil || stored.Grant != c.Grant || refused != (state == store.StateReauthRequired) {
				return false
			}
			switch {
			case state == store.StateActive && conn.State == store.StateActive:
				return false
			case state == store.StateActive && conn.State == store.StateDegraded && !strings.HasPrefix(conn.Reason, refreshReason):
				return false
			case state != store.StateReauthRequired && conn.State == store.StateReauthRequired, inOrder(*conn):
				conn.State, conn.Reason = state, reason
				return true
			}
			return false
		})
		if err = errors.Join(err, lookup); err != nil {
			if !errors.Is(err, store.ErrNotFound) {
				e.cfg.Logger.ErrorContext(ctx, "state not stored", "connection", c.Connection, "state", string(state), "err", err)
			}
			return
		}
		if state != store.StateReauthRequired {
			return
		}
		stored, err := e.cfg.Store.Credential(ctx, c.Connection)
		if err != nil || stored.Grant != c.Grant || !stored.RefusedAt.IsZero() {
			return
		}
		state, reason = store.StateActive, "" // a late successor came in between
	}
}

// changeState changes a connection by compare-and-swap, unless change returns
// false, and tells if its state is another then.
func (e *Engine) changeState(ctx context.Context, id, actor string, change func(*store.Connection) bool) (store.Connection, error) {
	old, next, err := e.updateConnection(ctx, id, change)
	if err != nil || old.State == next.State {
		return next, err
	}
	e.cfg.Logger.InfoContext(ctx, "connection state", "connection", next.ID, "provider", next.Provider,
		"state", string(next.State), "reason", next.Reason)
	e.stateChanged(ctx, old, next)
	e.audit(ctx, AuditEvent{Action: "state", Actor: actor, User: next.User, Connection: next.ID, Provider: next.Provider}, nil)
	if inOrder(next) && !inOrder(old) {
		if err := e.begun(ctx, next); err != nil {
			e.cfg.Logger.WarnContext(ctx, "due time not set", "connection", id, "err", err)
		}
	}
	return next, nil
}

// alarm tells what a person should look at.
func (w *refresher) alarm(ctx context.Context, kind AlarmKind, count int, err error) {
	w.alarmFor(ctx, w.conn, kind, count, err)
}

func (e *Engine) alarmFor(ctx context.Context, conn store.Connection, kind AlarmKind, count int, err error) {
	e.cfg.Logger.ErrorContext(ctx, "alarm", "kind", string(kind), "connection", conn.ID, "provider", conn.Provider, "count", count, "err", err)
	call(ctx, e, e.cfg.Hooks.Alarm, AlarmEvent{Kind: kind, Provider: conn.Provider, Connection: conn.ID, Count: count, Err: err})
}

// housekeepCredentials takes in spilt credentials, erases pairs that were
// refused a day ago, and mends connections that a process left in a state that
// their credential does not have.
func (e *Engine) housekeepCredentials(ctx context.Context, at time.Time) error {
	errs := []error{e.importSpills(ctx)}
	for after := ""; ; {
		conns, err := e.cfg.Store.Connections(ctx, store.ConnectionQuery{State: store.StateReauthRequired, After: after})
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		for _, conn := range conns {
			after = conn.ID
			c, err := e.cfg.Store.Credential(ctx, conn.ID)
			switch {
			case errors.Is(err, store.ErrNotFound):
				continue
			case err == nil && c.RefusedAt.IsZero() && (strings.HasPrefix(conn.Reason, refreshReason) || conn.Reason == reasonConsent):
				e.moveState(ctx, c, store.StateActive, "")
			case err == nil && c.RefusedAt.After(at):
				// A clock was wrong: the day begins now.
				_, err = e.update(ctx, c, func(c *store.Credential) { c.RefusedAt = at.UTC() })
			case err == nil && !c.RefusedAt.IsZero() && len(c.Sealed) > 0 && at.Sub(c.RefusedAt) >= keepRefused:
				_, err = e.update(ctx, c, func(c *store.Credential) {
					c.Sealed, c.Previous, c.Siblings, c.RefreshPrint = nil, nil, nil, ""
				})
			}
			if !errors.Is(err, errMoved) {
				errs = append(errs, err)
			}
		}
		if len(conns) == 0 {
			return errors.Join(errs...)
		}
	}
}
