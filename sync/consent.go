package sync

import (
	"context"
	"errors"
	"time"

	"github.com/vitalmux/vitalmux/store"
)

// settingConsentEnds is the setting of a user that says which consents end by
// themselves, by connection.
const settingConsentEnds = "consent_ends"

// leaseConsents names the lease under which hosts are reminded of consents that
// end.
const leaseConsents = "consents"

// consentEnd is when a consent ends.
type consentEnd struct {
	At time.Time `json:"at"`
	// Reminded is set when the host was told.
	Reminded bool `json:"reminded,omitempty"`
}

// ConsentEvent tells that a consent is about to end by itself.
type ConsentEvent struct {
	User, Connection, Provider string
	EndsAt                     time.Time
}

// ConsentEnds returns when the consent to a connection ends by itself, whatever
// is done with the credential; the zero time if the provider told no end. The
// person has to consent again before: see [Engine.Connect].
func (e *Engine) ConsentEnds(ctx context.Context, connection string) (time.Time, error) {
	conn, err := e.cfg.Store.Connection(ctx, connection)
	if err != nil {
		return time.Time{}, err
	}
	text, err := e.cfg.Store.Setting(ctx, conn.User, settingConsentEnds)
	if errors.Is(err, store.ErrNotFound) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	ends, err := decodeSetting[map[string]consentEnd](text)
	return ends[connection].At, err
}

func (e *Engine) changeEnds(ctx context.Context, user string, change func(map[string]consentEnd)) error {
	return changeSetting(ctx, e.cfg.Store, user, settingConsentEnds, change)
}

// noteEnd remembers when a new consent ends.
func (e *Engine) noteEnd(ctx context.Context, conn store.Connection, at time.Time) error {
	return e.changeEnds(ctx, conn.User, func(all map[string]consentEnd) {
		delete(all, conn.ID)
		if !at.IsZero() {
			all[conn.ID] = consentEnd{At: at.UTC()}
		}
	})
}

// remindOfConsents tells the host of consents that end within
// Config.ConsentNotice. It is done at least once for each.
func (e *Engine) remindOfConsents(ctx context.Context, at time.Time) error {
	lease, err := e.cfg.Store.Acquire(ctx, leaseConsents, leaseConsents, e.cfg.LeaseTTL)
	if errors.Is(err, store.ErrLeaseHeld) {
		return nil
	}
	if err != nil {
		return err
	}
	defer e.release(ctx, lease)
	var errs []error
	for after := ""; ; {
		list, err := e.cfg.Store.Settings(ctx, settingConsentEnds, after, 0)
		if err != nil || len(list) == 0 {
			return errors.Join(append(errs, err)...)
		}
		for _, s := range list {
			errs = append(errs, e.remind(ctx, s, at))
			after = s.User
		}
	}
}

func (e *Engine) remind(ctx context.Context, s store.Setting, at time.Time) error {
	ends, err := decodeSetting[map[string]consentEnd](s.Value)
	if err != nil {
		return err
	}
	for id, end := range ends {
		if end.Reminded || at.Before(end.At.Add(-e.cfg.ConsentNotice)) {
			continue
		}
		conn, err := e.cfg.Store.Connection(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if inOrder(conn) { // else the person is asked already
			call(ctx, e, e.cfg.Hooks.ConsentEnding, ConsentEvent{
				User: conn.User, Connection: id, Provider: conn.Provider, EndsAt: end.At,
			})
			e.audit(ctx, AuditEvent{Action: "consent_ending", Actor: "engine", User: conn.User, Connection: id, Provider: conn.Provider}, nil)
		}
		err = e.changeEnds(ctx, conn.User, func(all map[string]consentEnd) {
			if now, ok := all[id]; ok && now.At.Equal(end.At) {
				now.Reminded = true
				all[id] = now
			}
		})
		if err != nil && !errors.Is(err, store.ErrErased) {
			return err
		}
	}
	return nil
}
