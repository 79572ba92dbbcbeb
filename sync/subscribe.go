package sync

import (
	"context"
	"errors"
	"time"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

const (
	// subscribeEvery is how often the subscriptions of a connection are looked
	// after: services end them when an endpoint does not answer, without
	// saying so.
	subscribeEvery = day
	// renewBefore is how long before their end subscriptions are renewed: two
	// looks may fail.
	renewBefore = 3 * day
)

// subscribes reports whether any connection can have subscriptions.
func (e *Engine) subscribes() bool {
	if e.cfg.PublicURL == "" {
		return false
	}
	for _, p := range e.providers {
		if _, ok := p.(providers.Subscriber); ok {
			return true
		}
	}
	return false
}

// subscribe makes the subscriptions that a connection lacks and renews those
// that end soon. Subscriptions to other addresses are left alone.
func (s *session) subscribe(ctx context.Context) error {
	subscriber, ok := s.provider.(providers.Subscriber)
	if !ok {
		return nil
	}
	address, ok, err := s.webhookURL(ctx, s.conn)
	if err != nil || !ok {
		return err
	}
	var have []providers.Subscription
	err = s.withCredential(ctx, "subscriptions", func(cred providers.Credential) error {
		have, err = subscriber.Subscriptions(ctx, cred)
		return err
	})
	if err != nil {
		return err
	}
	var errs []error
	for _, topic := range s.caps.Topics {
		if subscribed(have, topic, address, now()) {
			continue
		}
		err := s.withCredential(ctx, "subscribe", func(cred providers.Credential) error {
			_, err := subscriber.Subscribe(ctx, cred, providers.Subscription{Topic: topic, CallbackURL: address})
			return err
		})
		if errors.Is(err, providers.ErrForbidden) {
			continue // the grant lacks the scope
		}
		errs = append(errs, err)
		if _, waiting := errors.AsType[*waitError](err); waiting || final(err) || errors.Is(err, store.ErrLeaseLost) {
			break
		}
	}
	return errors.Join(errs...)
}

// subscribed reports whether a subscription exists that does not end soon.
func subscribed(have []providers.Subscription, topic, address string, now time.Time) bool {
	for _, sub := range have {
		if sub.Topic == topic && sub.CallbackURL == address &&
			(sub.ExpiresAt.IsZero() || sub.ExpiresAt.Sub(now) > renewBefore) {
			return true
		}
	}
	return false
}

// withCredential makes one call outside of the streams: within the budget, with
// a credential that is good for now, and once more with another one when this
// one was refused.
func (s *session) withCredential(ctx context.Context, what string, do func(providers.Credential) error) error {
	for renewed := false; ; renewed = true {
		done, err := s.spend(ctx, providers.Stream{Name: what}, store.LaneReconcile)
		if err != nil {
			return err
		}
		if err := s.ensureCredential(ctx); err != nil {
			done(0)
			return err
		}
		err = do(s.cred)
		done(1)
		if !errors.Is(err, providers.ErrReauth) || renewed {
			if errors.Is(err, providers.ErrRateLimited) {
				return &waitError{until: retryAt(err, now(), time.Minute), err: err}
			}
			return err
		}
		if err := s.replaceCredential(ctx, err); err != nil {
			return err
		}
	}
}
