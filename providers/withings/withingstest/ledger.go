package withingstest

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// authority issues and judges codes, tokens and nonces. It is guarded by Server.mu.
type authority struct {
	codes   map[string]*authCode
	access  map[string]*accessToken
	refresh map[string]*refreshToken
	nonces  map[string]time.Time // until when
	issued  uint64               // secrets so far

	codeOrder    []*authCode
	accessOrder  []*accessToken
	refreshOrder []*refreshToken
}

type authCode struct {
	text, redirect string
	userID         int64
	scopes         []string
	issued         time.Time
	presented      int
	used           bool
}

type accessToken struct {
	text            string
	userID          int64
	scopes          []string
	issued, expires time.Time
	parent          *refreshToken // the one it was exchanged for; nil after a consent
	revoked         bool
	uses            int
}

type refreshToken struct {
	text                string
	userID              int64
	scopes              []string
	issued, expires     time.Time
	parent              *refreshToken
	child               *tokenPair // the latest pair it was exchanged for
	rotated             time.Time  // when it was first exchanged
	dead                bool
	presented, accepted int
}

type tokenPair struct {
	access  *accessToken
	refresh *refreshToken
}

func (a *authority) init() {
	a.codes, a.access, a.refresh = map[string]*authCode{}, map[string]*accessToken{}, map[string]*refreshToken{}
	a.nonces = map[string]time.Time{}
}

// secret returns the next unguessed text: 40 hexadecimal digits that depend on the seed and on how many came before.
func (a *authority) secret(seed uint64) string {
	a.issued++
	return newRNG(seed, 0x5ec4e7, a.issued).hex(20)
}

func (t *accessToken) alive(now time.Time) bool { return !t.revoked && now.Before(t.expires) }

// has reports whether the token covers the scope; services without a scope are covered by any, also by none.
func (t *accessToken) has(scope string) bool {
	return scope == "" || t != nil && slices.Contains(t.scopes, scope)
}

// use notes that an access token was used, which ends the grace period of the refresh token it was exchanged for.
func (a *authority) use(t *accessToken) {
	t.uses++
	if t.parent != nil {
		t.parent.dead = true
	}
}

// issue makes a new pair; parent is nil after a consent.
func (a *authority) issue(userID int64, scopes []string, parent *refreshToken, now time.Time, cfg Config) *tokenPair {
	p := &tokenPair{
		access: &accessToken{
			text: a.secret(cfg.Seed), userID: userID, scopes: scopes, issued: now, expires: now.Add(cfg.AccessTokenLife), parent: parent,
		},
		refresh: &refreshToken{
			text: a.secret(cfg.Seed), userID: userID, scopes: scopes, issued: now, expires: now.Add(refreshLife), parent: parent,
		},
	}
	a.access[p.access.text] = p.access
	a.refresh[p.refresh.text] = p.refresh
	a.accessOrder = append(a.accessOrder, p.access)
	a.refreshOrder = append(a.refreshOrder, p.refresh)
	return p
}

func (t *refreshToken) alive(now time.Time) bool {
	return !t.dead && now.Before(t.expires) && (t.rotated.IsZero() || now.Sub(t.rotated) < refreshGrace)
}

// rotate exchanges a refresh token for a new pair; nil if the token is not accepted. The token stays acceptable for
// 8 hours or until the new access token is used; presented again in that time it yields another pair, and the first
// one, which nobody used, is dead.
func (a *authority) rotate(text string, now time.Time, cfg Config) *tokenPair {
	t := a.refresh[text]
	if t == nil {
		return nil
	}
	t.presented++
	if !t.alive(now) {
		return nil
	}
	t.accepted++
	if t.child != nil {
		t.child.access.revoked = true
		t.child.refresh.dead = true
	}
	if t.rotated.IsZero() {
		t.rotated = now
	}
	if t.parent != nil { // only the immediate predecessor has a grace period
		t.parent.dead = true
	}
	t.child = a.issue(t.userID, t.scopes, t, now, cfg)
	return t.child
}

// revoke ends everything that was issued for the user.
func (a *authority) revoke(userID int64) {
	for _, c := range a.codes {
		if c.userID == userID {
			c.used = true
		}
	}
	for _, t := range a.access {
		if t.userID == userID {
			t.revoked = true
		}
	}
	for _, t := range a.refresh {
		if t.userID == userID {
			t.dead = true
		}
	}
}

// userOf tells whose credential a request shows, valid or not; 0 if unknown.
func (s *Server) userOf(form url.Values, bearer string) int64 {
	pair, _, _ := strings.Cut(form.Get("refresh_token"), ":") // of the OAuth 1.0 era
	for _, token := range []string{bearer, pair} {
		if t := s.legacy.tokens[token]; t != nil {
			return t.userID
		}
	}
	return s.auth.userOf(form, bearer)
}

func (a *authority) userOf(form url.Values, bearer string) int64 {
	if t := a.access[bearer]; t != nil {
		return t.userID
	}
	if t := a.refresh[form.Get("refresh_token")]; t != nil {
		return t.userID
	}
	if c := a.codes[form.Get("code")]; c != nil {
		return c.userID
	}
	return 0
}

// Token is a pair of ready-made credentials.
type Token struct {
	UserID       int64
	AccessToken  string
	RefreshToken string
	ExpiresAt    time.Time // of the access token
	Scopes       []string
}

// Login returns credentials for the user as if the whole flow had been walked, with the given scopes or, if there are
// none, with user.info, user.metrics and user.activity.
func (s *Server) Login(userID int64, scopes ...string) Token {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mustUser(userID)
	if len(scopes) == 0 {
		scopes = []string{ScopeInfo, ScopeMetrics, ScopeActivity}
	}
	p := s.auth.issue(userID, slices.Clone(scopes), nil, s.cfg.Now(), s.cfg)
	return Token{
		UserID: userID, AccessToken: p.access.text, RefreshToken: p.refresh.text, ExpiresAt: p.access.expires,
		Scopes: slices.Clone(scopes),
	}
}

// ExpireAccess ends the life of all access tokens of the user; refresh tokens stay as they are.
func (s *Server) ExpireAccess(userID int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mustUser(userID)
	for _, t := range s.auth.access {
		if t.userID == userID {
			t.revoked = true
		}
	}
}

// CodeEntry is what became of one authorization code.
type CodeEntry struct {
	Code      string
	UserID    int64
	Issued    time.Time
	Presented int  // valid client credentials came with it
	Exchanged bool // for tokens, or ended by a revocation
}

// AccessEntry is what became of one access token.
type AccessEntry struct {
	Token           string
	UserID          int64
	Issued, Expires time.Time
	Uses            int // data calls that were admitted with it
	Revoked         bool
	Parent          string // the refresh token it was exchanged for; empty after a consent
}

// RefreshEntry is what became of one refresh token.
type RefreshEntry struct {
	Token     string
	UserID    int64
	Issued    time.Time
	Presented int // times it was presented with valid client credentials
	Accepted  int // times it was exchanged for a new pair
	// Alive tells whether it would be accepted now: it is current, or in its grace period.
	Alive  bool
	Parent string // the refresh token it was exchanged for; empty after a consent
}

// Ledger is the account of all codes and tokens, each list in order of issue. It holds secrets of the simulated world.
type Ledger struct {
	Codes   []CodeEntry
	Access  []AccessEntry
	Refresh []RefreshEntry
	Legacy  []LegacyEntry
}

// Ledger returns what was issued and presented so far.
func (s *Server) Ledger() Ledger {
	s.mu.Lock()
	defer s.mu.Unlock()
	var l Ledger
	name := func(t *refreshToken) string {
		if t == nil {
			return ""
		}
		return t.text
	}
	for _, c := range s.auth.codeOrder {
		l.Codes = append(l.Codes, CodeEntry{c.text, c.userID, c.issued, c.presented, c.used})
	}
	for _, t := range s.auth.accessOrder {
		l.Access = append(l.Access, AccessEntry{t.text, t.userID, t.issued, t.expires, t.uses, t.revoked, name(t.parent)})
	}
	now := s.cfg.Now()
	for _, t := range s.auth.refreshOrder {
		l.Refresh = append(l.Refresh, RefreshEntry{t.text, t.userID, t.issued, t.presented, t.accepted, t.alive(now), name(t.parent)})
	}
	for _, t := range s.legacy.order {
		l.Legacy = append(l.Legacy, LegacyEntry{t.text, t.userID, t.issued, t.uses, t.alive(), t.migrated != nil})
	}
	return l
}

// String keeps secrets out of messages.
func (t Token) String() string { return fmt.Sprintf("withingstest.Token{user %d}", t.UserID) }
