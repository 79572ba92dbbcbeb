package withings

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/vitalmux/vitalmux/internal/httpx"
	"github.com/vitalmux/vitalmux/providers"
)

const notifyPath = "notify"

// topics are the kinds of notification (appli) that a person is subscribed to.
func topics() []string { return []string{"1", "2", "4", "16", "44", profileChange, "54", "58"} }

// subscriptionComment is what the service shows next to a subscription.
const subscriptionComment = "vitalmux"

// Subscribe has the service notify an address of one kind of news; making the
// same subscription again changes nothing. The service checks the address with
// a HEAD request before it answers. ErrForbidden is a kind that the grant has no
// scope for.
func (s *service) Subscribe(ctx context.Context, cred providers.Credential, sub providers.Subscription) (providers.Subscription, error) {
	_, err := s.notify(ctx, "subscribe", cred, url.Values{
		"action": {"subscribe"}, "callbackurl": {sub.CallbackURL}, "appli": {sub.Topic}, "comment": {subscriptionComment},
	})
	if err != nil {
		return providers.Subscription{}, err
	}
	sub.ID = sub.Topic
	return sub, nil
}

// Unsubscribe ends the notifications of one kind to an address.
func (s *service) Unsubscribe(ctx context.Context, cred providers.Credential, sub providers.Subscription) error {
	_, err := s.notify(ctx, "unsubscribe", cred, url.Values{
		"action": {"revoke"}, "callbackurl": {sub.CallbackURL}, "appli": {sub.Topic},
	})
	if notThere(err) {
		return nil
	}
	return err
}

// notThere reports whether the service says that there is no such subscription.
func notThere(err error) bool {
	refused, ok := errors.AsType[*providers.Error](err)
	if !ok {
		return false
	}
	status, failure := strconv.ParseInt(refused.Code, 10, 64)
	return failure == nil && slices.Contains(noSubscription[:], status)
}

// noSubscription are the statuses that say that there is no such subscription.
var noSubscription = [...]int64{286, 294, 343}

// Subscription returns one of the person's subscriptions, by topic and callback
// address, as the service has it. ErrNotFound: there is none.
func (s *service) Subscription(ctx context.Context, cred providers.Credential, sub providers.Subscription) (providers.Subscription, error) {
	const op = "subscription"
	resp, err := s.notify(ctx, op, cred, url.Values{
		"action": {"get"}, "callbackurl": {sub.CallbackURL}, "appli": {sub.Topic},
	})
	if notThere(err) {
		e, _ := errors.AsType[*providers.Error](err)
		e.Kind = providers.ErrNotFound
		return providers.Subscription{}, e
	}
	if err != nil {
		return providers.Subscription{}, err
	}
	var answer profile
	if err := s.profiles(op, resp, &answer); err != nil {
		return providers.Subscription{}, err
	}
	return answer.subscription(), nil
}

// Subscriptions lists the person's subscriptions.
func (s *service) Subscriptions(ctx context.Context, cred providers.Credential) ([]providers.Subscription, error) {
	const op = "subscriptions"
	resp, err := s.notify(ctx, op, cred, url.Values{"action": {"list"}})
	if err != nil {
		return nil, err
	}
	var answer struct {
		Profiles []profile `json:"profiles"`
	}
	if err := s.profiles(op, resp, &answer); err != nil {
		return nil, err
	}
	var list []providers.Subscription
	for _, p := range answer.Profiles {
		list = append(list, p.subscription())
	}
	return list, nil
}

// profiles reads the body of an answer about subscriptions.
func (s *service) profiles(op string, resp *httpx.Response, answer any) error {
	_, body, err := openEnvelope(resp.Body)
	if err != nil || body == nil {
		return s.client.Malformed(op, codeNoBody, resp)
	}
	if httpx.StrictUnmarshal(body, answer) != nil {
		return s.client.Malformed(op, codeNotJSON, resp)
	}
	return nil
}

// profile is a subscription as the service writes it.
type profile struct {
	Appli    int64  `json:"appli"`
	Callback string `json:"callbackurl"`
	Expires  int64  `json:"expires"` // seconds
}

func (p profile) subscription() providers.Subscription {
	topic := strconv.FormatInt(p.Appli, 10)
	sub := providers.Subscription{ID: topic, Topic: topic, CallbackURL: p.Callback}
	if p.Expires > 0 && p.Expires < neverExpires {
		sub.ExpiresAt = time.Unix(p.Expires, 0).UTC()
	}
	return sub
}

// neverExpires is the end of a subscription that has none: the service says
// 2147483647.
const neverExpires = 1<<31 - 1

// notify makes one call of the notification service.
func (s *service) notify(ctx context.Context, op string, cred providers.Credential, form url.Values) (*httpx.Response, error) {
	return s.call(ctx, op, notifyPath, form, cred)
}
