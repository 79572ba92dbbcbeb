package provsim

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"
)

// Fingerprint returns what the ledger calls a code or token: 16 hexadecimal
// digits of its SHA-256.
func Fingerprint(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}

// Entry is one thing that happened, in order.
type Entry struct {
	Seq   int       `json:"seq"` // from 1
	At    time.Time `json:"at"`
	Kind  string    `json:"kind"` // "refresh issued", "refresh shown", "grant ended", ...
	User  string    `json:"user,omitempty"`
	Grant string    `json:"grant,omitempty"`
	Token string    `json:"token,omitempty"` // its Fingerprint
	// Outcome of something shown: "accepted", an error code, "pending" before
	// the service has decided, "fault" when it never did. Of a grant that
	// ended: why.
	Outcome string `json:"outcome,omitempty"`
}

// AccessEntry is what became of one access token.
type AccessEntry struct {
	Token   string    `json:"token"`
	User    string    `json:"user"`
	Grant   string    `json:"grant"`
	Parent  string    `json:"parent,omitempty"`  // the refresh token that was shown for it
	Refresh string    `json:"refresh,omitempty"` // the refresh token that came with it
	Issued  time.Time `json:"issued"`
	Expires time.Time `json:"expires"`
	// FirstUsed is zero while nobody used it.
	FirstUsed time.Time `json:"first_used,omitzero"`
	Uses      int       `json:"uses"`
}

// RefreshEntry is what became of one refresh token.
type RefreshEntry struct {
	Token  string    `json:"token"`
	User   string    `json:"user"`
	Grant  string    `json:"grant"`
	Parent string    `json:"parent,omitempty"` // the one it was exchanged for
	Issued time.Time `json:"issued"`
	// Shown counts the requests that presented it and reached the service,
	// also those that a fault kept from being worked on.
	Shown int `json:"shown"`
	// Accepted counts those that got tokens.
	Accepted int `json:"accepted"`
	// Alive tells whether the service accepts it now.
	Alive bool `json:"alive"`
}

// GrantEntry is what became of one consent.
type GrantEntry struct {
	ID    string `json:"id"`
	User  string `json:"user"`
	Ended string `json:"ended,omitempty"` // why; empty while it lives
}

// Ledger is the account of all that was issued and shown. It holds no secret.
type Ledger struct {
	Entries []Entry        `json:"entries"`
	Grants  []GrantEntry   `json:"grants"`
	Access  []AccessEntry  `json:"access"`
	Refresh []RefreshEntry `json:"refresh"`
}

// note adds an entry and returns its index.
func (s *Service) note(e Entry) int {
	e.Seq, e.At = len(s.entries)+1, time.Now()
	s.entries = append(s.entries, e)
	return len(s.entries) - 1
}

// arrived notes what a request shows.
func (s *Service) arrived(kind string, c *call) {
	if kind != "token" {
		return
	}
	e := Entry{Kind: "code shown", Outcome: "pending"}
	text := c.form.Get("code")
	if found := s.codes[text]; found != nil {
		e.User = found.person.id
	}
	if c.form.Has("refresh_token") {
		e.Kind, text = "refresh shown", c.form.Get("refresh_token")
		c.texts["OLD"] = text
		if t := s.refresh[text]; t != nil {
			t.shown++
			e.User, e.Grant = t.grant.person.id, t.grant.id
		}
	}
	e.Token = Fingerprint(text)
	c.entry = s.note(e)
}

// outcome says how a request that showed something ended.
func (s *Service) outcome(c *call, how string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setOutcome(c, how)
}

// setOutcome is outcome for those who hold the mutex.
func (s *Service) setOutcome(c *call, how string) {
	if c.entry >= 0 {
		s.entries[c.entry].Outcome = how
	}
}

// userOf returns whose code or token a request shows; "" if unknown.
func (s *Service) userOf(c *call) string {
	if a := s.bearer(c); a != nil {
		return a.grant.person.id
	}
	for _, name := range []string{"refresh_token", "token"} {
		if t := s.refresh[c.form.Get(name)]; t != nil {
			return t.grant.person.id
		}
	}
	if found := s.codes[c.form.Get("code")]; found != nil {
		return found.person.id
	}
	return ""
}

// Ledger returns the account so far.
func (s *Service) Ledger() Ledger {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := Ledger{Entries: slices.Clone(s.entries)}
	for _, g := range s.grants {
		l.Grants = append(l.Grants, GrantEntry{ID: g.id, User: g.person.id, Ended: g.ended})
	}
	name := func(t *refreshToken) string {
		if t == nil {
			return ""
		}
		return Fingerprint(t.text)
	}
	for _, a := range s.accesses {
		l.Access = append(l.Access, AccessEntry{
			Token: Fingerprint(a.text), User: a.grant.person.id, Grant: a.grant.id, Parent: name(a.parent), Refresh: name(a.sibling),
			Issued: a.issued, Expires: a.expires, FirstUsed: a.firstUsed, Uses: a.uses,
		})
	}
	now := time.Now()
	for _, t := range s.refreshes {
		l.Refresh = append(l.Refresh, RefreshEntry{
			Token: name(t), User: t.grant.person.id, Grant: t.grant.id, Parent: name(t.parent),
			Issued: t.issued, Shown: t.shown, Accepted: t.accepted, Alive: s.alive(t, now),
		})
	}
	return l
}

// Accepts reports whether the service would accept a refresh token now.
// Nothing is noted.
func (s *Service) Accepts(refresh string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.refresh[refresh]
	return t != nil && s.alive(t, time.Now())
}

// Lost returns the people who consented, did not take it back, and of whom no
// refresh token that the service accepts is among those held by the caller.
func (s *Service) Lost(held ...string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, kept, consented := time.Now(), map[*person]bool{}, map[*person]bool{}
	for _, text := range held {
		if t := s.refresh[text]; t != nil && s.alive(t, now) {
			kept[t.grant.person] = true
		}
	}
	for _, g := range s.grants { // in order: the latest consent counts
		consented[g.person] = !g.withdrawn()
	}
	lost := []string{}
	for _, p := range s.people {
		if consented[p] && !kept[p] {
			lost = append(lost, p.id)
		}
	}
	return lost
}
