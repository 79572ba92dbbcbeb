package sync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/vitalmux/vitalmux/internal/failpoint"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

// filledIn fills in what the answer did not tell, and mends what cannot be.
func filledIn(old, fresh providers.Credential) providers.Credential {
	if fresh.Refresh.IsZero() {
		fresh.Refresh = old.Refresh
	}
	if fresh.UpstreamID == "" {
		fresh.UpstreamID = old.UpstreamID
	}
	if fresh.Scopes == nil {
		fresh.Scopes = old.Scopes
	}
	if at := now(); !fresh.ExpiresAt.IsZero() && !fresh.ExpiresAt.After(at) {
		fresh.ExpiresAt, fresh.OddLifetime = at.Add(oddLifetime), true
	}
	return fresh
}

// sealPairs returns the pairs that an answer named as siblings.
func (w *refresher) sealPairs(ctx context.Context, c store.Credential, old providers.Credential, pairs []providers.Credential) []store.Sibling {
	siblings := make([]store.Sibling, 0, len(pairs))
	for _, pair := range pairs {
		sealed, err := w.sealInto(ctx, w.conn, c, filledIn(old, pair))
		if err != nil {
			w.cfg.Logger.WarnContext(ctx, "pair of an unclear answer not kept", "connection", w.conn.ID, "err", err)
			continue
		}
		siblings = append(siblings, store.Sibling{
			Sealed: sealed.Sealed, RefreshPrint: sealed.RefreshPrint, ParentPrint: c.RefreshPrint,
		})
	}
	return siblings
}

// addSibling puts a pair behind the others, unless it is there; the oldest makes
// room.
func addSibling(siblings []store.Sibling, s store.Sibling) []store.Sibling {
	if slices.ContainsFunc(siblings, func(o store.Sibling) bool { return o.RefreshPrint == s.RefreshPrint }) {
		return siblings
	}
	siblings = append(slices.Clone(siblings), s)
	return siblings[max(0, len(siblings)-maxSiblings):]
}

// persist stores a new pair. The pair is lost if it is not stored: every
// failure that may pass is waited out, and when everybody has left the pair is
// put into the spill directory. Of a connection that has gone the grant is
// taken back.
func (w *refresher) persist(ctx context.Context, c store.Credential, fresh providers.Credential) (store.Credential, error) {
	storing, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(w.wanted, func() { time.AfterFunc(persistFor, stop) })()
	next, pause, alarmed, sealed := c, 50*time.Millisecond, false, false
	for {
		var err error
		if !sealed {
			next, err = w.successor(storing, c, fresh)
			sealed = err == nil
		}
		if err == nil {
			failpoint.Hit("before_persist")
			var stored store.Credential
			stored, err = w.storePair(storing, c.RefreshPrint, next)
			switch {
			case err == nil:
				failpoint.Hit("after_persist")
				if stored.RefreshPrint == next.RefreshPrint {
					w.adopted(ctx, w.conn, stored, c.RefreshPrint, fresh)
				}
				return stored, nil
			case dropped(err):
				return c, errors.Join(err, w.withdrawLate(ctx, w.conn, fresh))
			}
		}
		if !alarmed {
			alarmed = true
			w.alarm(ctx, AlarmStoreUnhealthy, 1, err)
		}
		w.cfg.Logger.WarnContext(ctx, "new credential not stored yet", "connection", w.conn.ID, "err", err)
		select {
		case <-storing.Done():
		case <-time.After(pause):
			pause = min(2*pause, 2*time.Second)
		}
		if storing.Err() == nil && !errors.Is(err, store.ErrClosed) {
			continue
		}
		if sealed {
			err = errors.Join(err, w.spill(ctx, w.conn, c.RefreshPrint, next))
		}
		return c, fmt.Errorf("sync: new credential of connection %s not stored: %w", w.conn.ID, err)
	}
}

// withdrawLate queues taking back a pair whose connection went away while it
// was issued.
func (e *Engine) withdrawLate(ctx context.Context, conn store.Connection, cred providers.Credential) error {
	_, err := e.cfg.Store.Connection(ctx, conn.ID)
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	receipt, err := e.receiptID(ctx, conn.User)
	if err != nil {
		return err
	}
	if _, err = e.Receipt(ctx, receipt); errors.Is(err, store.ErrNotFound) {
		_, err = e.putWithdrawal(ctx, conn, cred, "") // nobody was erased
		return err
	}
	return errors.Join(err, e.withdrawErased(ctx, conn, cred))
}

// successor returns c with a fresh pair in it.
func (w *refresher) successor(ctx context.Context, c store.Credential, fresh providers.Credential) (store.Credential, error) {
	next, err := w.sealInto(ctx, w.conn, c, fresh)
	if err != nil {
		return c, err
	}
	next.Generation++
	next.Previous = nil
	switch w.capabilities[w.conn.Provider].Rotation {
	case providers.RotationGrace, providers.RotationReplay:
		next.Previous = c.Sealed
	}
	return inOrderAgain(next), nil
}

// inOrderAgain returns c without the marks of what went wrong before.
func inOrderAgain(c store.Credential) store.Credential {
	c.Attempt, c.Fails, c.Doubts = nil, 0, 0
	c.NextAt, c.FailingSince, c.RefusedAt = time.Time{}, time.Time{}, time.Time{}
	return c
}

// storeTimeout bounds one try to store a pair.
const storeTimeout = 10 * time.Second

// storePair stores a pair that was issued for the consumed token. If that token
// is not the stored one any more, the pair is kept as a sibling of what is
// stored, or dropped if there is a new consent. It returns what is stored.
func (e *Engine) storePair(ctx context.Context, consumed string, next store.Credential) (store.Credential, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	stays := next.RefreshPrint == consumed // then it tells nothing of who was first
	if !stays {
		err := e.cfg.Store.SwapCredential(ctx, next.Grant, consumed, next)
		if !errors.Is(err, store.ErrConflict) {
			return next, err
		}
	}
	for {
		stored, err := e.cfg.Store.Credential(ctx, next.Connection)
		known := func(s store.Sibling) bool { return s.RefreshPrint == next.RefreshPrint }
		same := stored.RefreshPrint == next.RefreshPrint
		switch {
		case err != nil:
			return stored, err
		case stored.Grant != next.Grant, same && !stays, same && stored.Generation >= next.Generation, slices.ContainsFunc(stored.Siblings, known):
			return stored, nil
		case !stored.RefusedAt.IsZero() && len(stored.Sealed) == 0:
			return stored, &providers.Error{Op: "refresh", Kind: providers.ErrReauth, Detail: "the pair comes too late"}
		case !stored.RefusedAt.IsZero(), same:
			// The successor, or the live one of all that were refused.
			late := inOrderAgain(next)
			late.Generation, late.Revision = stored.Generation+1, stored.Revision
			stored = late
		default:
			stored.Siblings = addSibling(stored.Siblings, store.Sibling{
				Sealed: next.Sealed, RefreshPrint: next.RefreshPrint, ParentPrint: consumed,
			})
		}
		if err := e.cfg.Store.UpdateCredential(ctx, stored); !errors.Is(err, store.ErrConflict) {
			return stored, err
		}
	}
}

// dropped reports whether there is nobody any more whose pair it could be.
func dropped(err error) bool {
	return errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrErased) || errors.Is(err, providers.ErrReauth)
}

// adopted tells the connection of its new pair, which is stored as c.
func (e *Engine) adopted(ctx context.Context, conn store.Connection, c store.Credential, consumed string, fresh providers.Credential) {
	if fresh.OddLifetime {
		e.alarmFor(ctx, conn, AlarmLifetime, 1, nil)
	}
	e.audit(ctx, AuditEvent{
		Action: "refresh", Actor: "engine", User: conn.User, Connection: conn.ID, Provider: conn.Provider,
	}, nil)
	state, reason := store.StateActive, ""
	if mode := e.capabilities[conn.Provider].Rotation; mode != providers.RotationNone && c.RefreshPrint == consumed {
		state, reason = store.StateDegraded, reasonRotation
		e.alarmFor(ctx, conn, AlarmRotation, 1, nil)
	}
	e.moveState(ctx, c, state, reason)
	scopes, gone := fresh.Scopes, 0
	if scopes == nil {
		return
	}
	_, _, err := e.updateConnection(ctx, conn.ID, func(c *store.Connection) bool {
		gone = 0
		for _, scope := range c.Scopes {
			if !slices.Contains(scopes, scope) {
				gone++
			}
		}
		changed := gone > 0 || len(c.Scopes) != len(scopes)
		c.Scopes = scopes
		return changed
	})
	if err != nil {
		e.cfg.Logger.WarnContext(ctx, "scopes not stored", "connection", conn.ID, "err", err)
	}
	if gone > 0 {
		e.alarmFor(ctx, conn, AlarmScopes, gone, nil)
	}
}

// promote puts the most likely of the other pairs in the place of the one that
// was refused: the youngest sibling, at last the pair before. It reports false
// if there is none. A pair that cannot be opened is nobody's to present.
func (w *refresher) promote(ctx context.Context, c store.Credential) (promoted store.Credential, found bool, err error) {
	next := c
	for {
		switch n := len(next.Siblings); {
		case n > 0:
			next.Sealed, next.Siblings = next.Siblings[n-1].Sealed, next.Siblings[:n-1]
		case len(next.Previous) > 0:
			next.Sealed, next.Previous = next.Previous, nil
		default:
			return c, false, nil
		}
		pair, _, err := w.openCredential(ctx, w.conn, next)
		if errors.Is(err, ErrSealed) {
			w.cfg.Logger.WarnContext(ctx, "pair that may be the live one cannot be opened", "connection", w.conn.ID, "err", err)
			continue
		}
		if err != nil {
			return c, false, err
		}
		// Only these go: others may have come since c was read.
		passed := c.Siblings[len(next.Siblings):]
		promoted, err = w.update(ctx, c, func(stored *store.Credential) {
			*stored = inOrderAgain(*stored)
			stored.Siblings = slices.DeleteFunc(slices.Clone(stored.Siblings), func(s store.Sibling) bool {
				return slices.ContainsFunc(passed, func(p store.Sibling) bool { return p.RefreshPrint == s.RefreshPrint })
			})
			stored.Sealed, stored.Previous = next.Sealed, next.Previous
			stored.RefreshPrint, stored.ExpiresAt = w.refreshPrint(stored.Grant, pair.Refresh), pair.ExpiresAt
			stored.Generation++
		})
		return promoted, err == nil, err
	}
}
