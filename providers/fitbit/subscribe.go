package fitbit

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/vitalmux/vitalmux/internal/httpx"
	"github.com/vitalmux/vitalmux/providers"
)

var _ providers.Subscriber = (*Provider)(nil)

// topics are the collections that a person is subscribed to. A subscription to
// all at once is another one: with both, each notification comes twice.
func topics() []string { return []string{"activities", "body", "foods", "sleep", revokedAccess} }

const codeCallbackURL = "callback_url"

// subscriptionID returns the id of a person's subscription to a collection. It
// is unique within the subscriber, and of at most 50 characters.
func subscriptionID(cred providers.Credential, collection string) string {
	return cred.UpstreamID + "-" + collection
}

// subscriptionPath is where a subscription is made and ended. One to all
// collections at once, as another client may have made it, is of none of them.
func subscriptionPath(s providers.Subscription) string {
	path := "1/user/-/"
	if slices.Contains(topics(), s.Topic) {
		path += s.Topic + "/"
	}
	return path + "apiSubscriptions/" + url.PathEscape(s.ID) + ".json"
}

// Subscribe has the service notify its subscriber of one collection; making the
// same subscription again changes nothing. ErrForbidden is a collection that the
// grant has no scope for. The address is that of the subscriber's settings: any
// other one is ErrInvalid.
func (p *Provider) Subscribe(ctx context.Context, cred providers.Credential, s providers.Subscription) (providers.Subscription, error) {
	const op = "subscribe"
	if p.cfg.CallbackURL != "" && s.CallbackURL != "" && s.CallbackURL != p.cfg.CallbackURL {
		return providers.Subscription{}, &providers.Error{
			Provider: Name, Op: op, Kind: providers.ErrInvalid, Code: codeCallbackURL, ClientFault: true,
			Detail: "the address is not the one registered for the subscriber",
		}
	}
	if !slices.Contains(topics(), s.Topic) {
		return providers.Subscription{}, &providers.Error{
			Provider: Name, Op: op, Kind: providers.ErrInvalid, ClientFault: true, Detail: "no such collection",
		}
	}
	s.ID = subscriptionID(cred, s.Topic)
	_, err := p.subscriptions(ctx, op, http.MethodPost, cred, subscriptionPath(s))
	if err != nil {
		return providers.Subscription{}, err
	}
	return s, nil
}

// Unsubscribe ends the notifications of one collection.
func (p *Provider) Unsubscribe(ctx context.Context, cred providers.Credential, s providers.Subscription) error {
	if s.ID == "" {
		s.ID = subscriptionID(cred, s.Topic)
	}
	_, err := p.subscriptions(ctx, "unsubscribe", http.MethodDelete, cred, subscriptionPath(s))
	if errors.Is(err, providers.ErrNotFound) {
		return nil
	}
	return err
}

// Subscriptions lists the person's subscriptions.
func (p *Provider) Subscriptions(ctx context.Context, cred providers.Credential) ([]providers.Subscription, error) {
	const op = "subscriptions"
	resp, err := p.subscriptions(ctx, op, http.MethodGet, cred, "1/user/-/apiSubscriptions.json")
	if err != nil {
		return nil, err
	}
	var answer struct {
		Subscriptions []struct {
			Collection string `json:"collectionType"`
			ID         string `json:"subscriptionId"`
		} `json:"apiSubscriptions"`
	}
	if httpx.StrictUnmarshal(resp.Body, &answer) != nil {
		return nil, p.client.Malformed(op, codeNotJSON, resp)
	}
	var list []providers.Subscription
	for _, s := range answer.Subscriptions {
		list = append(list, providers.Subscription{ID: s.ID, Topic: s.Collection, CallbackURL: p.cfg.CallbackURL})
	}
	return list, nil
}

// subscriptions makes one call about subscriptions. All of them may be repeated.
func (p *Provider) subscriptions(ctx context.Context, op, method string, cred providers.Credential, path string) (*httpx.Response, error) {
	request := httpx.Request{Op: op, Method: method, Path: path, User: cred.UpstreamID, Authorize: httpx.Bearer(cred.Access)}
	if method == http.MethodPost {
		request.Body = []byte{} // the service wants a length, of zero
		if p.cfg.SubscriberID != "" {
			request.Header = http.Header{"X-Fitbit-Subscriber-Id": {p.cfg.SubscriberID}}
		}
	}
	return httpx.Call(ctx, p.client.Idempotent(), func(ctx context.Context) (*httpx.Response, error) {
		resp, err := p.client.Send(ctx, request)
		if err != nil {
			return nil, err
		}
		return resp, p.failure(op, resp)
	})
}
