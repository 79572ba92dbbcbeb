package sync

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

const (
	// leasePeople names the lease under which the people that a provider knows
	// are compared.
	leasePeople = "people"
	// peopleLook is how often it is looked whether it is time to.
	peopleLook = time.Hour
	// settingListed begins the name of the setting that says when a provider's
	// people were last compared.
	settingListed = "listed/"
	// maxListed bounds a list that does not end.
	maxListed = 100_000
)

// PeopleReport tells how the people that a provider knows compare to the
// connections.
type PeopleReport struct {
	Provider string
	// Listed counts the people that the provider knows.
	Listed int
	// Completed counts those whose connect flow was waiting and has ended with
	// this.
	Completed int
	// Unlinked counts those who have no connection: see Hooks.Unlinked.
	Unlinked int
	// Missing counts the connections whose person the provider does not know.
	// Run asks for a datum of each, and a refusal of the consent ends it.
	Missing int
}

// ReconcilePeople compares the people that a provider knows with its
// connections, and returns [errors.ErrUnsupported] for a provider that does not
// tell. Run does it every Config.PeopleEvery.
func (e *Engine) ReconcilePeople(ctx context.Context, provider string) (PeopleReport, error) {
	report := PeopleReport{Provider: provider}
	lister, ok := e.providers[provider].(providers.Lister)
	if !ok {
		return report, fmt.Errorf("sync: provider %s: %w", provider, errors.ErrUnsupported)
	}
	began := now()
	seen := make(map[[16]byte]bool)
	for token, pages := "", 0; ; pages++ {
		listing, done := context.WithTimeout(ctx, e.cfg.RefreshTimeout)
		page, err := lister.UpstreamUsers(listing, token)
		done()
		if err != nil {
			return report, err
		}
		for _, u := range page.Users {
			if key := printOf(u.ID); u.ID != "" && !seen[key] {
				seen[key] = true
				report.Listed++
				known, err := e.compare(ctx, provider, u, &report)
				if err != nil {
					return report, err
				}
				if !known {
					report.Unlinked++
					call(ctx, e, e.cfg.Hooks.Unlinked, UnlinkedEvent{Provider: provider, UpstreamID: u.ID})
				}
			}
		}
		if page.Next == "" {
			break
		}
		if page.Next == token || pages == maxListed {
			return report, &providers.Error{
				Provider: provider, Op: "list people", Kind: providers.ErrMalformed, Code: providers.CodePageLoop,
			}
		}
		token = page.Next
	}
	if report.Unlinked > 0 {
		e.alarm(ctx, AlarmEvent{Kind: AlarmUnlinked, Provider: provider}, 1)
	}
	// Only a whole list says that somebody is not in it.
	for after := ""; ; {
		list, err := e.cfg.Store.Connections(ctx, store.ConnectionQuery{Provider: provider, After: after})
		if err != nil || len(list) == 0 {
			return report, err
		}
		for _, conn := range list {
			after = conn.ID
			if !inOrder(conn) || conn.UpstreamID == "" || seen[printOf(conn.UpstreamID)] || !conn.CreatedAt.Before(began) {
				continue
			}
			report.Missing++
			if err := e.doubt(ctx, conn, began); err != nil {
				return report, err
			}
		}
	}
}

func printOf(id string) [16]byte {
	sum := sha256.Sum256([]byte(id))
	return [16]byte(sum[:16])
}

// compare reports whether a person that the provider knows has a connection, if
// only since the connect flow that the provider names was completed with this.
func (e *Engine) compare(ctx context.Context, provider string, u providers.UpstreamUser, report *PeopleReport) (known bool, err error) {
	if _, known, err = e.connectionOf(ctx, provider, u.ID); known || err != nil || u.Reference == "" {
		return known, err
	}
	switch _, err = e.completeByReference(ctx, provider, u.Reference, u.ID); {
	case err == nil:
		report.Completed++
		return true, nil
	case errors.Is(err, ErrFlow), errors.Is(err, ErrLinked), errors.Is(err, store.ErrErased):
		return false, nil
	}
	return false, err
}

// doubt has it found out whether a consent still stands, in the way of a
// delivery that says that it does not.
func (e *Engine) doubt(ctx context.Context, conn store.Connection, at time.Time) error {
	p := part{Version: deliveryVersion, Provider: conn.Provider, Signed: true, Note: providers.Notification{
		UpstreamID: conn.UpstreamID, Event: providers.EventDeauth, Detail: "not listed",
	}}
	body, err := p.encode()
	if err != nil {
		return err
	}
	meta, err := json.Marshal(deliveryMeta{Version: deliveryVersion, Part: true})
	if err != nil {
		return err
	}
	_, err = e.cfg.Store.PutDelivery(ctx, store.Delivery{
		ID: randomID(), Endpoint: conn.Provider, Received: at.UTC(), Meta: meta, Body: body, Status: store.DeliveryNew,
	})
	e.pokeInbox()
	return err
}

// lists reports whether any provider tells the people that it knows.
func (e *Engine) lists() bool {
	for _, p := range e.providers {
		if _, ok := p.(providers.Lister); ok {
			return true
		}
	}
	return false
}

// reconcilePeople compares the people of the providers whose time has come.
func (e *Engine) reconcilePeople(ctx context.Context, at time.Time) error {
	var errs []error
	for name, p := range e.providers {
		if _, ok := p.(providers.Lister); ok {
			errs = append(errs, e.reconcilePeopleOf(ctx, name, at))
		}
	}
	return errors.Join(errs...)
}

func (e *Engine) reconcilePeopleOf(ctx context.Context, provider string, at time.Time) error {
	lease, err := e.cfg.Store.Acquire(ctx, leasePeople+" "+provider, leasePeople, e.cfg.LeaseTTL)
	if errors.Is(err, store.ErrLeaseHeld) {
		return nil
	}
	if err != nil {
		return err
	}
	defer e.release(ctx, lease)
	old, err := e.cfg.Store.Setting(ctx, "", settingListed+provider)
	if errors.Is(err, store.ErrNotFound) {
		old, err = nil, nil
	}
	if err != nil {
		return err
	}
	last, err := time.Parse(time.RFC3339, string(old))
	if err == nil && at.Sub(last) < e.cfg.PeopleEvery && !last.After(at) {
		return nil
	}
	// First: a list that fails is tried again at its next time, and not by
	// every process at once.
	err = e.cfg.Store.SwapSetting(ctx, "", settingListed+provider, old, []byte(at.UTC().Format(time.RFC3339)))
	if errors.Is(err, store.ErrConflict) {
		return nil
	}
	if err != nil {
		return err
	}
	report, err := e.ReconcilePeople(ctx, provider)
	if err == nil {
		e.cfg.Logger.InfoContext(ctx, "people compared", "provider", provider, "listed", report.Listed,
			"completed", report.Completed, "unlinked", report.Unlinked, "missing", report.Missing)
	}
	return err
}
