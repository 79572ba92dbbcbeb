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

var _ providers.Subscriber = (*Provider)(nil)

const notifyPath = "notify"

// topics are the kinds of notification (appli) that a person is subscribed to.
func topics() []string { return []string{"1", "2", "4", "16", "44", profileChange, "54", "58"} }

// subscriptionComment is what the service shows next to a subscription.
const subscriptionComment = "vitalmux"

// Subscribe has the service notify an address of one kind of news; making the
// same subscription again changes nothing. The service checks the address with
// a HEAD request before it answers. ErrForbidden is a kind that the grant has no
// scope for.
func (p *Provider) Subscribe(ctx context.Context, cred providers.Credential, s providers.Subscription) (providers.Subscription, error) {
	_, err := p.notify(ctx, "subscribe", cred, url.Values{
		"action": {"subscribe"}, "callbackurl": {s.CallbackURL}, "appli": {s.Topic}, "comment": {subscriptionComment},
	})
	if err != nil {
		return providers.Subscription{}, err
	}
	s.ID = s.Topic
	return s, nil
}

// Unsubscribe ends the notifications of one kind to an address.
func (p *Provider) Unsubscribe(ctx context.Context, cred providers.Credential, s providers.Subscription) error {
	_, err := p.notify(ctx, "unsubscribe", cred, url.Values{
		"action": {"revoke"}, "callbackurl": {s.CallbackURL}, "appli": {s.Topic},
	})
	if refused, ok := errors.AsType[*providers.Error](err); ok {
		status, failure := strconv.ParseInt(refused.Code, 10, 64)
		if failure == nil && slices.Contains(noSubscription[:], status) {
			return nil
		}
	}
	return err
}

// noSubscription are the statuses that say that there is no such subscription.
var noSubscription = [...]int64{286, 294, 343}

// Subscriptions lists the person's subscriptions.
func (p *Provider) Subscriptions(ctx context.Context, cred providers.Credential) ([]providers.Subscription, error) {
	const op = "subscriptions"
	resp, err := p.notify(ctx, op, cred, url.Values{"action": {"list"}})
	if err != nil {
		return nil, err
	}
	_, body, err := openEnvelope(resp.Body)
	if err != nil || body == nil {
		return nil, p.client.Malformed(op, codeNoBody, resp)
	}
	var answer struct {
		Profiles []struct {
			Appli    int64  `json:"appli"`
			Callback string `json:"callbackurl"`
			Expires  int64  `json:"expires"`
		} `json:"profiles"`
	}
	if httpx.StrictUnmarshal(body, &answer) != nil {
		return nil, p.client.Malformed(op, codeNotJSON, resp)
	}
	var list []providers.Subscription
	for _, profile := range answer.Profiles {
		topic := strconv.FormatInt(profile.Appli, 10)
		sub := providers.Subscription{ID: topic, Topic: topic, CallbackURL: profile.Callback}
		if profile.Expires > 0 && profile.Expires < neverExpires {
			sub.ExpiresAt = time.Unix(profile.Expires, 0).UTC()
		}
		list = append(list, sub)
	}
	return list, nil
}

// neverExpires is the end of a subscription that has none: the service says
// 2147483647.
const neverExpires = 1<<31 - 1

// notify makes one call of the notification service.
func (p *Provider) notify(ctx context.Context, op string, cred providers.Credential, form url.Values) (*httpx.Response, error) {
	return httpx.Call(ctx, p.client.Idempotent(), func(ctx context.Context) (*httpx.Response, error) {
		resp, err := p.client.Send(ctx, httpx.Request{
			Op: op, Path: notifyPath, Form: form, User: cred.UpstreamID, Authorize: bearer(cred.Access),
		})
		if err != nil {
			return nil, err
		}
		return resp, p.failure(op, resp)
	})
}
