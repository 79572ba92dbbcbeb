package provsim

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/internal/httpx"
	"github.com/vitalmux/vitalmux/providers"
)

// link is where a delivery points to.
type link struct {
	id      string
	body    []byte
	expires time.Time
}

// Fetch is a request for what a delivery points to.
type Fetch struct {
	// ID is what [Service.Point] returned; empty for an unknown one.
	ID     string    `json:"id"`
	At     time.Time `json:"at"`
	Status int       `json:"status"`
}

// Point returns an event that points to the given ones, and an id for
// [Service.Fetches]. Base is the address of the service. The event names the
// user if it is not empty. With a life of 0 the address ends after
// Config.LinkLife; with a negative one it has ended.
func (s *Service) Point(base, user string, life time.Duration, events ...Event) (Event, string) {
	body := s.Compose(events...)
	s.mu.Lock()
	defer s.mu.Unlock()
	if life == 0 {
		life = s.cfg.LinkLife
	}
	l := &link{id: s.name("l"), body: body, expires: time.Now().Add(life)}
	secret := s.mint()
	s.links[secret] = l
	return Event{
		Type: TypePayload, User: user, URL: strings.TrimSuffix(base, "/") + "/payload/" + secret, ExpiresIn: max(1, int64(life/time.Second)),
	}, l.id
}

// Fetches returns all requests for what deliveries point to, in order.
func (s *Service) Fetches() []Fetch {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Fetch{}, s.fetches...)
}

// payload answers with what a delivery points to.
func (s *Service) payload(c *call) reply {
	l := s.links[c.r.PathValue("link")]
	f := Fetch{At: time.Now(), Status: http.StatusOK}
	out := reply{status: http.StatusOK}
	switch {
	case c.r.Header.Get("Authorization") != "":
		out = refuse(http.StatusBadRequest, "only_one_auth_mechanism")
	case l == nil:
		out = refuse(http.StatusForbidden, "not_found")
	case !f.At.Before(l.expires):
		out = refuse(http.StatusBadRequest, "expired")
	default:
		out.body = l.body
	}
	if f.Status = out.status; l != nil {
		f.ID = l.id
	}
	s.fetches = append(s.fetches, f)
	return out
}

// maxPayload is the longest body that a delivery may point to.
const maxPayload = 64 << 20

// FetchPayload gets what a delivery points to, from the service alone.
func (p *Provider) FetchPayload(ctx context.Context, n providers.Notification, w io.Writer) error {
	const op = "fetch payload"
	if n.Payload == nil {
		return p.fail(op, providers.ErrInvalid, "the delivery points to nothing")
	}
	u, err := p.client.NextLink("", n.Payload.Address.Reveal())
	if err != nil || !strings.HasPrefix(u.Path, "/payload/") {
		return p.fail(op, providers.ErrInvalid, "the address is not the service's")
	}
	resp, err := httpx.Call(ctx, p.client.Once(), func(ctx context.Context) (*httpx.Response, error) {
		return p.client.Send(ctx, httpx.Request{Op: op, URL: u, MaxBody: maxPayload})
	})
	if err != nil {
		return err
	}
	if e := p.client.StatusError(op, resp); e != nil {
		return e
	}
	_, err = w.Write(resp.Body)
	return err
}

// ParsePayload reads what a delivery pointed to.
func (p *Provider) ParsePayload(now time.Time, _ providers.Notification, r *providers.WebhookRequest) ([]providers.Notification, error) {
	return p.read(now, r)
}

// UpstreamUsers lists the people who have consented.
func (p *Provider) UpstreamUsers(ctx context.Context, token string) (providers.UpstreamPage, error) {
	const op = "list people"
	var got struct {
		Users []struct {
			ID        string `json:"id"`
			Reference string `json:"reference"`
		} `json:"users"`
		Next string `json:"next"`
	}
	_, err := p.send(ctx, providers.Credential{}, p.client.Idempotent(), httpx.Request{
		Op: op, Path: "v1/users", Form: url.Values{
			"client_id": {p.cfg.ClientID}, "client_secret": {p.cfg.ClientSecret.Reveal()}, "after": {token},
		},
	}, &got)
	if err != nil {
		// A 401 is about the application.
		if e, ok := errors.AsType[*providers.Error](err); ok && e.Status == http.StatusUnauthorized {
			e.Kind, e.ExpiredAccess, e.ClientFault = providers.ErrInvalid, false, true
		}
		return providers.UpstreamPage{}, err
	}
	page := providers.UpstreamPage{Next: got.Next}
	for _, u := range got.Users {
		page.Users = append(page.Users, providers.UpstreamUser{ID: u.ID, Reference: u.Reference})
	}
	return page, nil
}

// users answers with the people who have a grant that lives, or who are told
// to be known, in pages.
func (s *Service) users(c *call) reply {
	if out, ok := s.checkClient(c); !ok {
		return out
	}
	type user struct {
		ID        string `json:"id"`
		Reference string `json:"reference,omitempty"`
	}
	all, after, next := []user{}, c.form.Get("after"), ""
	seen := after == ""
	for _, p := range s.people {
		if !seen {
			seen = p.id == after
			continue
		}
		if p.reference == "" && !s.consented(p) {
			continue
		}
		if len(all) == s.cfg.PageSize {
			next = all[len(all)-1].ID
			break
		}
		all = append(all, user{p.id, p.reference})
	}
	return answer(http.StatusOK, map[string]any{"users": all, "next": next})
}

func (s *Service) consented(p *person) bool {
	for _, g := range s.grants {
		if g.person == p && g.ended == "" {
			return true
		}
	}
	return false
}

// Known has the service list a person with the reference that a connect flow
// was begun with, whether they consented here or not.
func (s *Service) Known(user, reference string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.find(user)
	if err == nil {
		p.reference = reference
	}
	return err
}
