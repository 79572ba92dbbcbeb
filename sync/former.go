package sync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

// settingFormer begins the name of the setting that says which connection had
// an upstream id before it got another. The rest of the name is a keyed digest,
// so that nobody can be told from it.
const settingFormer = "former_account/"

// settingFormerIDs is the setting of a user that says which upstream ids the
// user's connections had before, by connection: what is kept about them, and what
// is late, is the user's as well. A disconnected connection whose data was kept
// is among them.
const settingFormerIDs = "former_ids"

// maxFormerIDs is how many ids of a connection are remembered, the latest ones.
const maxFormerIDs = 100

// formerIDs are the ids that a connection had before.
type formerIDs struct {
	Provider string   `json:"provider"`
	IDs      []string `json:"ids"`
}

// noteFormer remembers for an erasure that an upstream id was a connection's. It
// is called before the id moves.
func (e *Engine) noteFormer(ctx context.Context, conn store.Connection, upstreamID string) error {
	if upstreamID == "" {
		return nil
	}
	return changeSetting(ctx, e.cfg.Store, conn.User, settingFormerIDs, func(all map[string]formerIDs) {
		ids := slices.DeleteFunc(all[conn.ID].IDs, func(id string) bool { return id == upstreamID })
		ids = append(ids, upstreamID)
		all[conn.ID] = formerIDs{conn.Provider, ids[max(0, len(ids)-maxFormerIDs):]}
	})
}

// formerIDs returns what noteFormer remembered of a user.
func (e *Engine) formerIDs(ctx context.Context, user string) (map[string]formerIDs, error) {
	text, err := e.cfg.Store.Setting(ctx, user, settingFormerIDs)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return decodeSetting[map[string]formerIDs](text)
}

// forgetFormer does for the ids that a user's connections had before what an
// erasure does for those that they have. It returns how many deliveries it
// removed.
func (e *Engine) forgetFormer(ctx context.Context, user string) (dropped int, err error) {
	all, err := e.formerIDs(ctx, user)
	for connection, had := range all {
		for _, id := range had.IDs {
			if err := e.unrememberFormer(ctx, had.Provider, id, connection); err != nil {
				return dropped, err
			}
			conn, known, err := e.connectionOf(ctx, had.Provider, id)
			if err != nil {
				return dropped, err
			}
			if known && conn.User != user {
				continue
			}
			if err := e.forgetAccount(ctx, had.Provider, id); err != nil {
				return dropped, err
			}
			n, err := e.dropKept(ctx, had.Provider, id)
			if dropped += n; err != nil {
				return dropped, err
			}
		}
	}
	return dropped, err
}

// settleKept removes what is parked or dead about a connection that is to be
// removed with its data. Where the data is kept, so are they, and an erasure
// finds them.
func (e *Engine) settleKept(ctx context.Context, conn store.Connection) error {
	if conn.Reason == reasonKeepData {
		return unlessErased(e.noteFormer(ctx, conn, conn.UpstreamID))
	}
	all, err := e.formerIDs(ctx, conn.User)
	if err != nil {
		return err
	}
	for _, id := range append(all[conn.ID].IDs, conn.UpstreamID) {
		if err := e.unrememberFormer(ctx, conn.Provider, id, conn.ID); err != nil {
			return err
		}
		other, known, err := e.connectionOf(ctx, conn.Provider, id)
		if err == nil && (!known || other.ID == conn.ID) {
			_, err = e.dropKept(ctx, conn.Provider, id)
		}
		if err != nil {
			return err
		}
	}
	return unlessErased(changeSetting(ctx, e.cfg.Store, conn.User, settingFormerIDs, func(all map[string]formerIDs) { delete(all, conn.ID) }))
}

// unlessErased returns nil for a setting of an erased user: it is gone with the
// user.
func unlessErased(err error) error {
	if errors.Is(err, store.ErrErased) {
		return nil
	}
	return err
}

// dropKept removes the parked and dead deliveries about an account, and returns
// how many.
func (e *Engine) dropKept(ctx context.Context, provider, upstreamID string) (dropped int, err error) {
	if upstreamID == "" {
		return 0, nil
	}
	for _, status := range []store.DeliveryStatus{store.DeliveryParked, store.DeliveryDead} {
		for q := (store.DeliveryQuery{Subject: upstreamID, Status: status}); ; {
			list, err := e.cfg.Store.Deliveries(ctx, q)
			if err != nil {
				return dropped, err
			}
			if len(list) == 0 {
				break
			}
			for _, d := range list {
				if providerOf(d) != provider {
					q.After = d.ID
					continue
				}
				if err := e.cfg.Store.Assign(ctx, d.ID, store.Assignment{}); err != nil {
					return dropped, err
				}
				e.dropParts(ctx, d.ID, partsOf(d))
				dropped++
			}
		}
	}
	return dropped, nil
}

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

// unrememberFormer undoes rememberFormer, unless another connection had the id
// since.
func (e *Engine) unrememberFormer(ctx context.Context, provider, upstreamID, connection string) error {
	digest, err := e.keyedDigest(ctx, "former account", provider, upstreamID)
	if err != nil {
		return err
	}
	err = e.cfg.Store.SwapSetting(ctx, "", settingFormer+digest, []byte(connection), nil)
	if errors.Is(err, store.ErrConflict) {
		return nil
	}
	return err
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
	if err := s.noteFormer(ctx, newer, s.conn.UpstreamID); err != nil {
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

// heir returns the connection that the account of a replaced one goes on under;
// false if there is none any more.
func (s *session) heir(ctx context.Context) (store.Connection, bool, error) {
	all, err := s.connectionsOf(ctx, s.conn.User)
	heir := s.conn
	for range all {
		if heir.Reason != reasonReplaced {
			return heir, heir.State != store.StateDeleting, err
		}
		for _, other := range all {
			if other.Predecessor == heir.ID {
				heir = other
				break
			}
		}
	}
	return heir, false, err
}

// passOn sends data that waited for a consent to the connection that got it.
func (s *session) passOn(ctx context.Context, item store.InboxItem, p part, heir store.Connection) error {
	p.Note.UpstreamID = heir.UpstreamID
	body, err := p.encode()
	if err != nil {
		return err
	}
	meta, err := json.Marshal(deliveryMeta{Version: deliveryVersion, Part: true})
	if err != nil {
		return &deadError{reasonUnreadable}
	}
	_, err = s.cfg.Store.PutDelivery(ctx, store.Delivery{
		ID: derivedID(item.ID, "passed on"), Endpoint: heir.Provider, Received: item.Received, Meta: meta, Body: body,
		Status: store.DeliveryNew,
	})
	if err != nil {
		return err
	}
	s.pokeInbox()
	return s.acknowledge(ctx, item)
}

// stale reports whether a delivery is about an id that the connection does not
// have any more.
func (s *session) stale(n providers.Notification) bool {
	return n.UpstreamID != "" && n.UpstreamID != s.conn.UpstreamID
}
