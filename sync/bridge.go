package sync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

// settingAliases is the setting of a user that says which accounts at other
// providers the user's accounts were before, by connection. It outlives the
// connect flow: the other account may be connected, or imported, later.
const settingAliases = "aliases"

// alias is an account at another provider.
type alias struct {
	Provider   string `json:"provider"`
	UpstreamID string `json:"upstream_id"`
}

// The reasons of [store.StateRetired].
const (
	reasonRetired   = "provider retired"
	reasonSucceeded = "succeeded by another connection"
)

// bridge makes the connections of a user that a grant says are of one person at
// a service and at its successor one history. It is called with whatever could
// complete a pair, by whoever wrote that down before: of two grants at once one
// sees the other. All that it does may be done again.
func (e *Engine) bridge(ctx context.Context, user string) error {
	text, err := e.cfg.Store.Setting(ctx, user, settingAliases)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	known, err := decodeSetting[map[string][]alias](text)
	if err != nil {
		return err
	}
	all, err := e.connectionsOf(ctx, user)
	if err != nil {
		return err
	}
	for id, aliases := range known {
		for _, a := range aliases {
			for _, before := range all {
				if before.Provider != a.Provider || before.UpstreamID != a.UpstreamID {
					continue
				}
				if err := e.succeed(ctx, all, id, before.ID); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// connectionsOf returns all connections of a user, by ID.
func (e *Engine) connectionsOf(ctx context.Context, user string) (map[string]store.Connection, error) {
	all := make(map[string]store.Connection)
	for conn, err := range store.AllConnections(ctx, e.cfg.Store, store.ConnectionQuery{User: user}) {
		if err != nil {
			return nil, err
		}
		all[conn.ID] = conn
	}
	return all, nil
}

// succeed makes one connection go on with the history of another one of the same
// user, which is not worked on any more. What it has as a predecessor already
// stays.
func (e *Engine) succeed(ctx context.Context, all map[string]store.Connection, id, predecessor string) error {
	conn, ok := all[id]
	before, there := all[predecessor]
	switch {
	case !ok || !there || conn.User != before.User || conn.Provider == before.Provider:
		return nil
	case conn.State == store.StateDeleting || before.State == store.StateDeleting:
		return nil
	case conn.Predecessor != "" && conn.Predecessor != predecessor:
		return nil
	case descends(all, before, id):
		return nil
	}
	if conn.Predecessor == "" {
		result, err := e.cfg.Store.Commit(ctx, store.Batch{
			User: conn.User, Connection: id, Unfenced: true, Now: now(), Predecessor: predecessor,
		})
		switch {
		case errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrNotFound):
			return nil // somebody gave it another one, or removed it
		case err != nil:
			return err
		case result.Relinked:
			e.audit(ctx, AuditEvent{Action: "succeed", Actor: "engine", User: conn.User, Connection: id, Provider: conn.Provider}, nil)
		}
	}
	before, err := e.changeState(ctx, predecessor, "engine", func(c *store.Connection) bool {
		if !inOrder(*c) && c.State != store.StatePending && c.State != store.StateReauthRequired {
			return false
		}
		c.State, c.Reason = store.StateRetired, reasonSucceeded
		return true
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil || e.capabilities[before.Provider].Successor != conn.Provider {
		return err
	}
	if err := e.takeBack(ctx, before); err != nil {
		e.cfg.Logger.WarnContext(ctx, "grant not taken back", "connection", before.ID, "provider", before.Provider, "err", err)
	}
	return nil
}

// takeBackTimeout bounds taking back the grant of a predecessor: its person
// waits for the answer to the callback.
const takeBackTimeout = 5 * time.Second

// takeBack takes the grant of a connection back whose service is succeeded by
// the one that goes on with it, and erases it here. It tries that once: a grant
// that stays is taken back when the connection is removed. Of a service that is
// known to have ended none stays.
func (e *Engine) takeBack(ctx context.Context, conn store.Connection) error {
	release, err := e.holdCredential(ctx, conn.ID, 0)
	if err != nil {
		return err
	}
	defer release()
	c, err := e.cfg.Store.Credential(ctx, conn.ID)
	if errors.Is(err, store.ErrNotFound) || err == nil && len(c.Sealed) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	revoker, ok := e.providers[conn.Provider].(providers.Revoker)
	if ok {
		cred, _, err := e.openCredential(ctx, conn, c)
		if err != nil {
			return err
		}
		calling, done := context.WithTimeout(ctx, min(takeBackTimeout, e.cfg.RefreshTimeout))
		err = revoker.Revoke(calling, cred)
		done()
		if err != nil && !ended(err) && conn.Reason != reasonRetired {
			return err
		}
	}
	_, err = e.update(ctx, c, func(c *store.Credential) {
		c.Sealed, c.Previous, c.Siblings, c.Attempt, c.RefreshPrint = nil, nil, nil, nil, ""
		c.RefusedAt = now().UTC()
	})
	if errors.Is(err, errMoved) || errors.Is(err, store.ErrNotFound) {
		return nil // somebody consented anew, or removed it
	}
	return err
}

// descends reports whether a connection is, or goes on with, the one with the
// id.
func descends(all map[string]store.Connection, conn store.Connection, id string) bool {
	for range len(all) + 1 {
		if conn.ID == id {
			return true
		}
		next, ok := all[conn.Predecessor]
		if !ok {
			return false
		}
		conn = next
	}
	return true
}

// succeeded reports whether another connection of the user goes on with the
// history of this one.
func (e *Engine) succeeded(ctx context.Context, conn store.Connection) (bool, error) {
	all, err := e.connectionsOf(ctx, conn.User)
	if err != nil {
		return false, err
	}
	for _, other := range all {
		if other.Predecessor == conn.ID && other.State != store.StateDeleting {
			return true, nil
		}
	}
	return false, nil
}

// join connects a connection that has just got a grant with what else is known
// of its person: with the aliases of the grant, and with the predecessor that
// the flow was begun for.
func (e *Engine) join(ctx context.Context, conn store.Connection, aliases []providers.Alias, predecessor string) error {
	if len(aliases) > 0 {
		list := make([]alias, len(aliases))
		for i, a := range aliases {
			list[i] = alias{a.Provider, a.UpstreamID}
		}
		if err := e.changeAliases(ctx, conn.User, func(all map[string][]alias) { all[conn.ID] = list }); err != nil {
			return err
		}
	}
	if predecessor != "" {
		all, err := e.connectionsOf(ctx, conn.User)
		if err != nil {
			return err
		}
		before := all[predecessor]
		if !vouched(before, aliases) {
			// Another person's account: two histories must not become one.
			e.alarmFor(ctx, conn, AlarmIdentity, 1, nil)
		} else if err := e.succeed(ctx, all, conn.ID, predecessor); err != nil {
			return err
		}
	}
	return e.bridge(ctx, conn.User)
}

// vouched reports whether the aliases of a grant allow that it succeeds a
// connection: where they name an account at its provider it is that one.
func vouched(before store.Connection, aliases []providers.Alias) bool {
	named := false
	for _, a := range aliases {
		if a.Provider == before.Provider {
			if a.UpstreamID == before.UpstreamID {
				return true
			}
			named = true
		}
	}
	return !named || before.UpstreamID == ""
}

// changeAliases changes what is known of a user's accounts at other providers.
func (e *Engine) changeAliases(ctx context.Context, user string, change func(map[string][]alias)) error {
	return changeSetting(ctx, e.cfg.Store, user, settingAliases, change)
}

// changeSetting changes a setting of a user that is a map, by compare-and-swap.
// An empty map is no setting.
func changeSetting[V any](ctx context.Context, s store.Settings, user, name string, change func(map[string]V)) error {
	for {
		old, err := s.Setting(ctx, user, name)
		if errors.Is(err, store.ErrNotFound) {
			old, err = nil, nil
		}
		if err != nil {
			return err
		}
		all := make(map[string]V)
		if old != nil {
			if all, err = decodeSetting[map[string]V](old); err != nil {
				return err
			}
		}
		change(all)
		var next []byte
		if len(all) > 0 {
			if next, err = json.Marshal(all); err != nil {
				return fmt.Errorf("sync: encode setting %s", name)
			}
		}
		if string(next) == string(old) {
			return nil
		}
		err = s.SwapSetting(ctx, user, name, old, next)
		if err == nil || !errors.Is(err, store.ErrConflict) || ctx.Err() != nil {
			return err
		}
	}
}

func decodeSetting[T any](text []byte) (T, error) {
	var v T
	if err := json.Unmarshal(text, &v); err != nil {
		return v, errors.New("sync: unreadable setting")
	}
	return v, nil
}

// forgetNotes removes what is known of a connection besides the connection.
func (e *Engine) forgetNotes(ctx context.Context, conn store.Connection) error {
	err := e.changeAliases(ctx, conn.User, func(all map[string][]alias) { delete(all, conn.ID) })
	if err == nil {
		err = e.changeEnds(ctx, conn.User, func(all map[string]consentEnd) { delete(all, conn.ID) })
	}
	return unlessErased(err)
}

// Awaiting is a connection that goes on only when its person consents again.
type Awaiting struct {
	Connection store.Connection
	// Provider is where to consent: the connection's own provider, or the
	// successor of one that has ended. It is empty if the provider has ended and
	// this engine has no successor of it.
	Provider string
}

// Request returns the connect flow that brings the connection, or its history,
// back.
func (a Awaiting) Request() ConnectRequest {
	r := ConnectRequest{User: a.Connection.User, Provider: a.Provider}
	if a.Provider != a.Connection.Provider {
		r.Predecessor = a.Connection.ID
	}
	return r
}

// AwaitingConsent iterates over the connections of a user, or of everybody for
// an empty user, that wait for a new consent: those whose grant was refused, and
// those of a provider that has ended as long as no other connection goes on with
// their history. It makes one query per page of connections, and one for each
// connection of a provider that has ended.
func (e *Engine) AwaitingConsent(ctx context.Context, user string) iter.Seq2[Awaiting, error] {
	return func(yield func(Awaiting, error) bool) {
		for _, state := range []store.State{store.StateReauthRequired, store.StateRetired} {
			for conn, err := range store.AllConnections(ctx, e.cfg.Store, store.ConnectionQuery{User: user, State: state}) {
				done := false
				if err == nil && state == store.StateRetired {
					done, err = e.succeeded(ctx, conn)
				}
				switch {
				case err != nil:
					yield(Awaiting{}, err)
					return
				case done:
				case !yield(Awaiting{Connection: conn, Provider: e.consentAt(conn)}, nil):
					return
				}
			}
		}
	}
}

// consentAt returns the provider at which a person consents again.
func (e *Engine) consentAt(conn store.Connection) string {
	successor := e.capabilities[conn.Provider].Successor
	if _, ok := e.providers[successor]; ok {
		return successor
	}
	if _, ok := e.providers[conn.Provider]; !ok || conn.State == store.StateRetired {
		return ""
	}
	return conn.Provider
}

// checkPredecessor refuses a connect flow for a history that it cannot go on
// with.
func (e *Engine) checkPredecessor(ctx context.Context, r ConnectRequest) error {
	if r.Predecessor == "" {
		return nil
	}
	before, err := e.cfg.Store.Connection(ctx, r.Predecessor)
	if err != nil {
		return err
	}
	if before.User != r.User || before.Provider == r.Provider {
		return fmt.Errorf("%w: Predecessor is a connection of the user at another provider", store.ErrInvalid)
	}
	return nil
}
