package sync

import (
	"context"
	"errors"
	"fmt"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

// settingFormer begins the name of the setting that says which connection had
// an upstream id before it got another. The rest of the name is a keyed digest,
// so that nobody can be told from it.
const settingFormer = "former_account/"

// rememberFormer has deliveries about an upstream id go to a connection after
// it has another. It is called before the id moves.
func (e *Engine) rememberFormer(ctx context.Context, provider, upstreamID, connection string) error {
	digest, err := e.keyedDigest(ctx, "former account", provider, upstreamID)
	if err != nil {
		return err
	}
	for {
		old, err := e.cfg.Store.Setting(ctx, "", settingFormer+digest)
		if errors.Is(err, store.ErrNotFound) {
			old, err = nil, nil
		}
		if err != nil || string(old) == connection {
			return err
		}
		err = e.cfg.Store.SwapSetting(ctx, "", settingFormer+digest, old, []byte(connection))
		if err == nil || !errors.Is(err, store.ErrConflict) || ctx.Err() != nil {
			return err
		}
	}
}

// formerOf returns the connection that had an upstream id before; false if
// there is none.
func (e *Engine) formerOf(ctx context.Context, provider, upstreamID string) (store.Connection, bool, error) {
	digest, err := e.keyedDigest(ctx, "former account", provider, upstreamID)
	if err != nil {
		return store.Connection{}, false, err
	}
	id, err := e.cfg.Store.Setting(ctx, "", settingFormer+digest)
	if errors.Is(err, store.ErrNotFound) {
		return store.Connection{}, false, nil
	}
	if err != nil {
		return store.Connection{}, false, err
	}
	conn, err := e.cfg.Store.Connection(ctx, string(id))
	if errors.Is(err, store.ErrNotFound) {
		return store.Connection{}, false, nil // disconnected since
	}
	return conn, err == nil && conn.Provider == provider, err
}

const reasonReplaced = "replaced by a newer connection"

// replaced ends a connection whose account goes on under another one: the
// person consented anew before the service said that the account has a new id.
// What still comes for the old id goes to the newer one.
func (s *session) replaced(ctx context.Context, item store.InboxItem, p part, newer store.Connection) error {
	if !p.Signed || s.conn.UpstreamID != p.Note.OldUpstreamID || newer.User != s.conn.User || newer.State == store.StateDeleting {
		return s.acknowledge(ctx, item)
	}
	if err := s.rememberFormer(ctx, s.conn.Provider, s.conn.UpstreamID, newer.ID); err != nil {
		return err
	}
	_, err := s.cfg.Store.Commit(ctx, store.Batch{
		User: newer.User, Connection: newer.ID, Unfenced: true, Now: now(), Predecessor: s.conn.ID,
	})
	if err != nil && !errors.Is(err, store.ErrConflict) {
		return err
	}
	next, err := s.changeState(ctx, s.conn.ID, "provider", func(c *store.Connection) bool {
		if c.State == store.StateDeleting || c.UpstreamID != p.Note.OldUpstreamID {
			return false
		}
		c.UpstreamID, c.State, c.Reason = "", store.StateRevoked, reasonReplaced
		return true
	})
	if err != nil {
		return err
	}
	s.conn = next
	if err := s.acknowledge(ctx, item); err != nil {
		return err
	}
	return fmt.Errorf("%w: state %s", ErrConnectionState, next.State)
}

// stale reports whether a delivery is about an id that the connection does not
// have any more.
func (s *session) stale(n providers.Notification) bool {
	return n.UpstreamID != "" && n.UpstreamID != s.conn.UpstreamID
}
