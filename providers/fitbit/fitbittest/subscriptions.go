package fitbittest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Subscription is a standing order for notifications.
type Subscription struct {
	Collection   string // empty is all
	ID, OwnerID  string
	SubscriberID string
}

// Notification is one element of a delivery.
type Notification struct {
	CollectionType string `json:"collectionType"`
	Date           string `json:"date,omitempty"`
	OwnerID        string `json:"ownerId"`
	OwnerType      string `json:"ownerType"`
	SubscriptionID string `json:"subscriptionId"`
}

// Delivery is a batch of notifications as it is posted.
type Delivery struct {
	Body      []byte
	Signature string // of the header X-Fitbit-Signature
}

// collections returns the collections and the scope that each needs.
func collections() map[string]string {
	return map[string]string{"activities": "activity", "body": "weight", "foods": "nutrition", "sleep": "sleep", "userRevokedAccess": ""}
}

// subscriptions answers calls about subscriptions; the mutex is held.
func (s *Server) subscriptions(c *call) (any, *refusal) {
	p, collection := c.path, ""
	if _, ok := collections()[p[0]]; ok {
		collection, p = p[0], p[1:]
	}
	if len(p) == 0 || strings.TrimSuffix(p[0], ".json") != "apiSubscriptions" || len(p) > 2 {
		return nil, notFound()
	}
	if scope := collections()[collection]; scope != "" && !slices.Contains(c.token.scopes, scope) {
		return nil, refuse(http.StatusForbidden, "insufficient_scope", "This application does not have permission to access "+scope+" data.")
	}
	if len(p) == 1 {
		if c.r.Method != http.MethodGet {
			return nil, refuse(http.StatusMethodNotAllowed, "request", "method not allowed")
		}
		list := []any{}
		for _, sub := range s.subs {
			if sub.OwnerID == c.person.id && (collection == "" || sub.Collection == collection) {
				list = append(list, sub.about())
			}
		}
		return object{"apiSubscriptions": list}, nil
	}
	id := strings.TrimSuffix(p[1], ".json")
	if len(id) > 50 || id == "" || id == p[1] {
		return nil, invalid("subscription-id", "Invalid subscription id.")
	}
	at := slices.IndexFunc(s.subs, func(sub Subscription) bool { return sub.ID == id })
	switch c.r.Method {
	case http.MethodPost:
		if c.r.ContentLength > 0 {
			return nil, refuse(http.StatusBadRequest, "request", "The body must be empty.")
		}
		sub := Subscription{Collection: collection, ID: id, OwnerID: c.person.id, SubscriberID: c.r.Header.Get("X-Fitbit-Subscriber-Id")}
		if sub.SubscriberID == "" {
			sub.SubscriberID = "1"
		}
		switch {
		case at < 0:
			s.subs = append(s.subs, sub)
			return created{http.StatusCreated, sub.about()}, nil
		case s.subs[at] == sub:
			return sub.about(), nil
		default:
			return nil, refuse(http.StatusConflict, "request", "This subscription id is used for another person or stream.")
		}
	case http.MethodDelete:
		if at < 0 || s.subs[at].OwnerID != c.person.id || s.subs[at].Collection != collection {
			return nil, notFound()
		}
		s.subs = slices.Delete(s.subs, at, at+1)
		return created{http.StatusNoContent, nil}, nil
	}
	return nil, refuse(http.StatusMethodNotAllowed, "request", "method not allowed")
}

func (sub Subscription) about() any {
	kind := sub.Collection
	if kind == "" {
		kind = "all"
	}
	return object{"collectionType": kind, "ownerId": sub.OwnerID, "ownerType": "user", "subscriberId": sub.SubscriberID, "subscriptionId": sub.ID}
}

// Subscriptions returns all subscriptions.
func (s *Server) Subscriptions() []Subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.subs)
}

// Sign returns the signature of a body.
func (s *Server) Sign(body []byte) string {
	mac := hmac.New(sha1.New, []byte(s.cfg.ClientSecret+"&"))
	mac.Write(body)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// Notify queues notifications of news of a day for everybody who subscribed; the Edit, Add and Delete methods and
// CatchUp do it by themselves.
func (s *Server) Notify(id, collection, date string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mustPerson(id)
	s.notify(id, collection, date)
}

func (s *Server) notify(id, collection, date string) {
	for _, sub := range s.subs {
		if sub.OwnerID != id || sub.Collection != collection && sub.Collection != "" {
			continue
		}
		n := Notification{CollectionType: collection, Date: date, OwnerID: id, OwnerType: "user", SubscriptionID: sub.ID}
		if !slices.Contains(s.pending, n) {
			s.pending = append(s.pending, n)
		}
	}
}

// Deliveries returns the notifications that wait, as signed batches of at most the given size, and forgets them.
func (s *Server) Deliveries(size int) []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Delivery
	for batch := range slices.Chunk(s.pending, max(size, 1)) {
		body, _ := json.Marshal(batch) // plain strings
		all = append(all, Delivery{Body: body, Signature: s.Sign(body)})
	}
	s.pending = nil
	return all
}

const deliveryAttempts = 3

// Deliver posts the notifications that wait to [Config].SubscriberURL, in batches of a hundred. An endpoint that does not
// answer 204 within five seconds gets each batch three times.
func (s *Server) Deliver(ctx context.Context, client *http.Client) error {
	var errs []error
	for _, d := range s.Deliveries(100) {
		var err error
		for range deliveryAttempts {
			if err = s.post(ctx, client, d); err == nil {
				break
			}
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (s *Server) post(ctx context.Context, client *http.Client, d Delivery) error {
	ctx, cancel := context.WithTimeout(ctx, deliveryLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.cfg.SubscriberURL, bytes.NewReader(d.Body))
	if err != nil {
		return fmt.Errorf("fitbittest: deliver: %w", err)
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("X-Fitbit-Signature", d.Signature)
	return expect(client, req, http.StatusNoContent)
}

// Verify checks the subscriber's address as the service does: with the right code, which must be answered with 204, and
// with a wrong one, which must be answered with 404.
func (s *Server) Verify(ctx context.Context, client *http.Client) error {
	for code, want := range map[string]int{s.cfg.VerificationCode: http.StatusNoContent, "not-" + s.cfg.VerificationCode: http.StatusNotFound} {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.cfg.SubscriberURL+"?verify="+url.QueryEscape(code), nil)
		if err != nil {
			return fmt.Errorf("fitbittest: verify: %w", err)
		}
		if err := expect(client, req, want); err != nil {
			return err
		}
	}
	return nil
}

func expect(client *http.Client, req *http.Request, want int) error {
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("fitbittest: subscriber: %w", err)
	}
	if err := resp.Body.Close(); err != nil {
		return fmt.Errorf("fitbittest: subscriber: %w", err)
	}
	if resp.StatusCode != want {
		return fmt.Errorf("fitbittest: the subscriber answered %d where %d was due", resp.StatusCode, want)
	}
	return nil
}
