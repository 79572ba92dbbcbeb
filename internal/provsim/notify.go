package provsim

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"
)

// SignatureHeader holds the signature of a delivery.
const SignatureHeader = "Provsim-Signature"

// The types of [Event].
const (
	TypeData   = "data"   // new or changed data
	TypeAuth   = "auth"   // a person consented
	TypeDeauth = "deauth" // a person took the consent back
	TypeReauth = "reauth" // OldUser is User from now on
	// TypePayload points to URL, TypeRequest tells how it stands with Reference.
	TypePayload = "payload"
	TypeRequest = "request"
)

// Event is one thing that a delivery tells.
type Event struct {
	Type string `json:"type"`
	User string `json:"user"`
	// OldUser is the person's id before, for TypeReauth.
	OldUser string `json:"old_user,omitempty"`
	// At is when it happened, in milliseconds. 0 is filled in by the service.
	At int64 `json:"at,omitempty"`
	// Reference is what the client gave when the flow began, for TypeAuth; the
	// name of a request that is answered by deliveries for TypeData and
	// TypeRequest.
	Reference string `json:"reference,omitempty"`
	// Part is the number of TypeData among those of Reference, from 1, and
	// Expected how many there are.
	Part     int `json:"part,omitempty"`
	Expected int `json:"expected,omitempty"`
	// URL is where to get the data from, for ExpiresIn seconds.
	URL       string `json:"url,omitempty"`
	ExpiresIn int64  `json:"expires_in,omitempty"`
	// Streams with news, for TypeData without Data; none means all.
	Streams []string `json:"streams,omitempty"`
	// From and To bound the news, in milliseconds; 0 is unknown.
	From int64 `json:"from,omitempty"`
	To   int64 `json:"to,omitempty"`
	// Data are the rows themselves, by stream; without it the event is only
	// a reason to ask.
	Data map[string][]Row `json:"data,omitempty"`
}

// envelope is the body of a delivery.
type envelope struct {
	ID      string  `json:"id"`
	Version int     `json:"version"`
	Events  []Event `json:"events"`
}

// Compose returns the body of a delivery with an id of its own.
func (s *Service) Compose(events ...Event) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.compose(events)
}

func (s *Service) compose(events []Event) []byte {
	for i := range events {
		if events[i].At == 0 {
			events[i].At = time.Now().UnixMilli()
		}
	}
	body, err := json.Marshal(envelope{ID: s.name("d"), Version: 1, Events: events})
	if err != nil {
		panic(err) // events are plain data
	}
	return body
}

// Sign returns the value of the signature header for a body that is sent at
// the given time, with one v1 for each secret.
func Sign(body []byte, at time.Time, secrets ...string) string {
	stamp := strconv.FormatInt(at.Unix(), 10)
	header := "t=" + stamp
	for _, secret := range secrets {
		header += ",v1=" + hex.EncodeToString(macOf(secret, stamp, body))
	}
	return header
}

// SignReader is [Sign] for a body that is not held, with one secret.
func SignReader(body io.Reader, at time.Time, secret string) string {
	stamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(stamp + "."))
	if _, err := io.Copy(mac, body); err != nil {
		panic(err) // readers of tests do not fail
	}
	return "t=" + stamp + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

func macOf(secret, stamp string, body []byte) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(stamp + "."))
	mac.Write(body)
	return mac.Sum(nil)
}

// SetSigningSecrets replaces the secrets that sign. During a rotation there are
// several.
func (s *Service) SetSigningSecrets(secrets ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signing = slices.Clone(secrets)
}

// Header returns the header of a delivery of body that is sent at the given
// time, signed with the secrets in force.
func (s *Service) Header(body []byte, at time.Time) http.Header {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := http.Header{"Content-Type": {"application/json"}}
	if !s.cfg.Unsigned {
		h.Set(SignatureHeader, Sign(body, at, s.signing...))
	}
	return h
}

// Delivery is what became of one delivery to one address.
type Delivery struct {
	ID   string `json:"id"`
	User string `json:"user,omitempty"`
	URL  string `json:"url"`
	Body []byte `json:"body"`
	// Stamp is when the body was signed, unless each attempt signs anew.
	Stamp time.Time `json:"stamp"`
	// Attempts are the answers' statuses in order; 0 for none.
	Attempts []int `json:"attempts"`
	// Accepted tells that an attempt was answered 2xx, GivenUp that there will
	// be no other although none was.
	Accepted bool `json:"accepted"`
	GivenUp  bool `json:"given_up"`
}

type delivery struct {
	Delivery
	next time.Time
	busy bool
}

// Notify queues a delivery of one event about a person to every address that
// wants it, and returns the ids. [Service.Run] sends it.
func (s *Service) Notify(user string, e Event) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.User = user
	return s.queue(user, e)
}

// Queue queues a delivery of any body to any address. [Service.Run] sends it.
func (s *Service) Queue(address string, body []byte) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.enqueue("", address, body)
}

// queue queues e for the addresses that want it.
func (s *Service) queue(user string, e Event) []string {
	s.prune()
	var to []string
	if s.cfg.WebhookURL != "" {
		to = append(to, s.cfg.WebhookURL)
	}
	for _, sub := range s.subs {
		wanted := sub.Topic == topicAll || e.Type != TypeData || len(e.Streams)+len(e.Data) == 0 ||
			slices.Contains(e.Streams, sub.Topic) || e.Data[sub.Topic] != nil
		if sub.person.id == user && wanted && !slices.Contains(to, sub.URL) {
			to = append(to, sub.URL)
		}
	}
	if len(to) == 0 {
		return nil
	}
	body := s.compose([]Event{e})
	ids := make([]string, len(to))
	for i, address := range to {
		ids[i] = s.enqueue(user, address, body)
	}
	return ids
}

func (s *Service) enqueue(user, address string, body []byte) string {
	now := time.Now()
	d := &delivery{
		Delivery: Delivery{ID: s.name("q"), User: user, URL: address, Body: slices.Clone(body), Stamp: now, Attempts: []int{}}, next: now,
	}
	s.deliveries = append(s.deliveries, d)
	s.outbox = append(s.outbox, d)
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return d.ID
}

// Deliveries returns all deliveries that were queued, in order.
func (s *Service) Deliveries() []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Delivery, len(s.deliveries))
	for i, d := range s.deliveries {
		all[i] = d.Delivery
		all[i].Attempts = slices.Clone(d.Attempts)
	}
	return all
}

// Pending returns how many deliveries are neither accepted nor given up.
func (s *Service) Pending() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.outbox)
}

// deliverers is how many deliveries are under way at once.
const deliverers = 16

// Run sends what is queued, with retries, until ctx ends, and returns its
// error. At most one Run may be under way.
func (s *Service) Run(ctx context.Context) error {
	var work sync.WaitGroup
	defer s.client.CloseIdleConnections()
	defer work.Wait()
	room := make(chan struct{}, deliverers)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		d, in := s.take()
		if d == nil {
			timer.Reset(in)
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-s.wake:
			case <-timer.C:
			}
			continue
		}
		select {
		case <-ctx.Done():
			s.done(d, 0, false)
			return ctx.Err()
		case room <- struct{}{}:
		}
		work.Go(func() {
			status := s.Send(ctx, d.URL, d.Body, s.stamp(d))
			s.done(d, status, true)
			<-room
		})
	}
}

// take returns a delivery that is due, or after how long to look again.
func (s *Service) take() (*delivery, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, in := time.Now(), time.Minute
	for _, d := range s.outbox {
		if d.busy {
			continue
		}
		left := d.next.Sub(now)
		if left <= 0 {
			d.busy = true
			return d, 0
		}
		in = min(in, left)
	}
	return nil, in
}

// stamp returns the time that an attempt is signed with.
func (s *Service) stamp(d *delivery) time.Time {
	if s.cfg.Restamp {
		return time.Now()
	}
	return d.Stamp
}

// done notes how an attempt ended; tried is false if there was none.
func (s *Service) done(d *delivery, status int, tried bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d.busy = false
	if !tried {
		return
	}
	d.Attempts = append(d.Attempts, status)
	d.Accepted = status >= 200 && status < 300
	d.GivenUp = !d.Accepted && len(d.Attempts) >= s.cfg.Attempts
	if d.Accepted || d.GivenUp {
		s.outbox = slices.DeleteFunc(s.outbox, func(o *delivery) bool { return o == d })
	}
	d.next = time.Now().Add(s.cfg.RetryAfter << min(len(d.Attempts)-1, 6))
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Send makes one attempt to deliver body, signed at the given time, and returns
// the status of the answer; 0 if there was none.
func (s *Service) Send(ctx context.Context, address string, body []byte, at time.Time) int {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return 0
	}
	req.Header = s.Header(body, at)
	resp, err := s.client.Do(req)
	if err != nil {
		return 0
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	return resp.StatusCode
}

// subscription is a standing order of one person.
type subscription struct {
	ID      string `json:"id"`
	Topic   string `json:"topic"`
	URL     string `json:"url"`
	Expires int64  `json:"expires_at"` // Unix seconds; 0 for never
	person  *person
}

// prune removes the subscriptions whose time is over.
func (s *Service) prune() {
	now := time.Now().Unix()
	s.subs = slices.DeleteFunc(s.subs, func(sub *subscription) bool { return sub.Expires != 0 && sub.Expires <= now })
}

func (s *Service) subscriptions(c *call) reply {
	a, out, ok := s.admit(c, "")
	if !ok {
		return out
	}
	s.prune()
	all := []*subscription{}
	for _, sub := range s.subs {
		if sub.person == a.grant.person {
			all = append(all, sub)
		}
	}
	return answer(http.StatusOK, map[string]any{"subscriptions": all})
}

func (s *Service) subscribe(c *call) reply {
	topic, address := c.form.Get("topic"), c.form.Get("url")
	scope := topic
	if topic == topicAll {
		scope = ""
	}
	a, out, ok := s.admit(c, scope)
	if !ok {
		return out
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || !isStream(topic) && topic != topicAll {
		return refuse(http.StatusBadRequest, "invalid_request")
	}
	s.prune()
	i := slices.IndexFunc(s.subs, func(o *subscription) bool {
		return o.person == a.grant.person && o.Topic == topic && o.URL == address
	})
	if i < 0 {
		i = len(s.subs)
		s.subs = append(s.subs, &subscription{ID: s.name("sub"), Topic: topic, URL: address, person: a.grant.person})
	}
	if s.cfg.SubscriptionLife > 0 {
		s.subs[i].Expires = time.Now().Add(s.cfg.SubscriptionLife).Unix()
	}
	return answer(http.StatusCreated, s.subs[i])
}

func (s *Service) unsubscribe(c *call) reply {
	a, out, ok := s.admit(c, "")
	if !ok {
		return out
	}
	before := len(s.subs)
	s.subs = slices.DeleteFunc(s.subs, func(o *subscription) bool { return o.person == a.grant.person && o.ID == c.r.PathValue("id") })
	if len(s.subs) == before {
		return refuse(http.StatusNotFound, "not_found")
	}
	return answer(http.StatusOK, struct{}{})
}
