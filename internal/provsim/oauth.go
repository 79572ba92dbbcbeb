package provsim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/providers"
)

// grant is one consent.
type grant struct {
	id     string
	person *person
	scopes []string
	ended  string // why it ended; empty while it lives
}

// withdrawn reports whether the grant ended because somebody wanted it to.
func (g *grant) withdrawn() bool { return g.ended == endedRevoked || g.ended == endedDeauth }

// Why grants end.
const (
	endedRevoked    = "revoked"
	endedDeauth     = "deauthorized"
	endedReuse      = "refresh token reused"
	endedCodeReused = "code reused"
)

type code struct {
	text, redirect, challenge string
	person                    *person
	scopes                    []string
	expires                   time.Time
	shown                     bool
	grant                     *grant // what it was exchanged for
}

type accessToken struct {
	text            string
	grant           *grant
	parent          *refreshToken // the one that was shown for it; nil after a consent
	sibling         *refreshToken // the one that came with it; nil for none
	issued, expires time.Time
	revoked         bool
	firstUsed       time.Time
	uses            int
}

type refreshToken struct {
	text     string
	grant    *grant
	parent   *refreshToken
	issued   time.Time
	rotated  time.Time // when it was first exchanged
	child    *accessToken
	dead     bool
	shown    int
	accepted int
}

// authorize is the consent page, without the page.
func (s *Service) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	s.mu.Lock()
	defer s.mu.Unlock()
	user := q.Get("user")
	if user == "" && len(s.people) > 0 {
		user = s.people[0].id
	}
	to, err := s.consent(user, q, "http://"+r.Host)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	http.Redirect(w, r, to, http.StatusFound)
}

// Consent does what a person's browser does with an authorization address:
// it opens it, consents, and returns the address it is sent back to.
func (s *Service) Consent(user, address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", errors.New("provsim: the address is not a URL")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.consent(user, u.Query(), u.Scheme+"://"+u.Host)
}

// consent returns where the browser is sent. It is an error where the service
// cannot trust the redirect address.
func (s *Service) consent(user string, q url.Values, origin string) (string, error) {
	for _, values := range q {
		if len(values) > 1 {
			return "", errors.New("invalid_request: a parameter is repeated")
		}
	}
	redirect := q.Get("redirect_uri")
	switch {
	case q.Get("client_id") != s.cfg.ClientID:
		return "", errors.New("invalid_client: unknown client_id")
	case !slices.Contains(s.cfg.RedirectURLs, redirect):
		return "", errors.New("invalid_request: the redirect_uri is not registered")
	}
	back := url.Values{"iss": {s.cfg.Issuer}}
	if s.cfg.Issuer == "" {
		back.Set("iss", origin)
	}
	if state := q.Get("state"); state != "" {
		back.Set("state", state)
	}
	p, err := s.find(user)
	scopes := strings.Fields(q.Get("scope"))
	challenge := q.Get("code_challenge")
	switch raw, bad := base64.RawURLEncoding.DecodeString(challenge); {
	case err != nil, q.Get("state") == "", q.Get("code_challenge_method") != "S256", bad != nil, len(raw) != sha256.Size:
		back.Set("error", "invalid_request")
	case q.Get("response_type") != "code":
		back.Set("error", "unsupported_response_type")
	case len(scopes) == 0 || slices.ContainsFunc(scopes, func(name string) bool { return !isStream(name) }):
		back.Set("error", "invalid_scope")
	case q.Get("deny") != "":
		back.Set("error", "access_denied")
	default:
		c := &code{
			text: s.mint(), redirect: redirect, challenge: challenge, person: p, scopes: scopes,
			expires: time.Now().Add(s.cfg.CodeLife),
		}
		s.codes[c.text] = c
		s.note(Entry{Kind: "code issued", User: user, Token: Fingerprint(c.text)})
		back.Set("code", c.text)
	}
	separator := "?"
	if strings.Contains(redirect, "?") {
		separator = "&"
	}
	return redirect + separator + back.Encode(), nil
}

// checkClient returns the refusal of a request without valid client
// credentials or with an unreadable form.
func (s *Service) checkClient(c *call) (reply, bool) {
	kind, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return refuse(http.StatusBadRequest, "invalid_request"), false
	}
	for _, values := range c.form {
		if len(values) > 1 {
			return refuse(http.StatusBadRequest, "invalid_request"), false
		}
	}
	id, secret := c.form.Get("client_id"), c.form.Get("client_secret")
	if user, password, ok := c.r.BasicAuth(); ok {
		if secret != "" {
			return refuse(http.StatusBadRequest, "invalid_request"), false
		}
		id, _ = url.QueryUnescape(user)
		secret, _ = url.QueryUnescape(password)
	}
	if id != s.cfg.ClientID || !hmac.Equal([]byte(secret), []byte(s.cfg.ClientSecret)) {
		out := refuse(http.StatusUnauthorized, "invalid_client")
		out.header = map[string]string{"WWW-Authenticate": `Basic realm="provsim"`}
		return out, false
	}
	return reply{}, true
}

// token is the token endpoint.
func (s *Service) token(c *call) reply {
	out, ok := s.checkClient(c)
	if ok {
		switch c.form.Get("grant_type") {
		case "authorization_code":
			out = s.exchange(c)
		case "refresh_token":
			out = s.renew(c)
		case "":
			out = refuse(http.StatusBadRequest, "invalid_request")
		default:
			out = refuse(http.StatusBadRequest, "unsupported_grant_type")
		}
	}
	if out.status == http.StatusOK {
		s.setOutcome(c, "accepted")
	} else {
		var told struct{ Error string }
		_ = json.Unmarshal(out.body, &told)
		s.setOutcome(c, told.Error)
	}
	return out
}

func (s *Service) exchange(c *call) reply {
	for _, name := range []string{"code", "redirect_uri", "code_verifier"} {
		if c.form.Get(name) == "" {
			return refuse(http.StatusBadRequest, "invalid_request")
		}
	}
	found := s.codes[c.form.Get("code")]
	if found == nil {
		return refuse(http.StatusBadRequest, "invalid_grant")
	}
	if found.shown {
		if found.grant != nil {
			s.end(found.grant, endedCodeReused)
		}
		return refuse(http.StatusBadRequest, "invalid_grant")
	}
	found.shown = true
	sum := sha256.Sum256([]byte(c.form.Get("code_verifier")))
	if !time.Now().Before(found.expires) || found.redirect != c.form.Get("redirect_uri") ||
		found.challenge != base64.RawURLEncoding.EncodeToString(sum[:]) {
		return refuse(http.StatusBadRequest, "invalid_grant")
	}
	found.grant = s.newGrant(found.person, found.scopes)
	a := s.issue(found.grant, nil, s.issueRefresh(found.grant, nil))
	return s.granted(c, a, map[string]any{"user_id": found.person.id})
}

// renew exchanges a refresh token.
func (s *Service) renew(c *call) reply {
	text := c.form.Get("refresh_token")
	if text == "" {
		return refuse(http.StatusBadRequest, "invalid_request")
	}
	t, now := s.refresh[text], time.Now()
	if t == nil {
		return refuse(http.StatusBadRequest, "invalid_grant")
	}
	if !s.alive(t, now) {
		if s.cfg.Rotation == providers.RotationSingleUseRevoke && t.grant.ended == "" {
			s.end(t.grant, endedReuse)
		}
		return refuse(http.StatusBadRequest, "invalid_grant")
	}
	t.accepted++
	if s.cfg.Rotation == providers.RotationNone || c.fault.accessOnly() {
		return s.granted(c, s.issue(t.grant, t, nil), nil)
	}
	next := t.child
	switch {
	case next != nil && s.cfg.Rotation == providers.RotationReplay:
		if next.revoked || !now.Before(next.expires) {
			next = s.issue(t.grant, t, next.sibling)
			t.child = next
		}
		return s.granted(c, next, nil)
	case next != nil: // grace: another pair takes the place of the one that nobody used
		next.revoked = true
		next.sibling.dead = true
	}
	if t.rotated.IsZero() {
		t.rotated = now
	}
	if t.parent != nil {
		t.parent.dead = true // only the immediate predecessor lives on
	}
	t.dead = s.cfg.Rotation != providers.RotationGrace && s.cfg.Rotation != providers.RotationReplay
	t.child = s.issue(t.grant, t, s.issueRefresh(t.grant, t))
	return s.granted(c, t.child, nil)
}

// alive reports whether a refresh token is accepted.
func (s *Service) alive(t *refreshToken, now time.Time) bool {
	if t.dead || t.grant.ended != "" {
		return false
	}
	if t.rotated.IsZero() {
		return true
	}
	left := s.cfg.GraceFor
	if s.cfg.Rotation == providers.RotationReplay {
		left = s.cfg.ReplayWindow
	}
	return now.Sub(t.rotated) < left
}

func (s *Service) newGrant(p *person, scopes []string) *grant {
	g := &grant{id: s.name("g"), person: p, scopes: scopes}
	s.grants = append(s.grants, g)
	return g
}

func (s *Service) issueRefresh(g *grant, parent *refreshToken) *refreshToken {
	t := &refreshToken{text: s.mint(), grant: g, parent: parent, issued: time.Now()}
	s.refresh[t.text] = t
	s.refreshes = append(s.refreshes, t)
	s.note(Entry{Kind: "refresh issued", User: g.person.id, Grant: g.id, Token: Fingerprint(t.text)})
	return t
}

func (s *Service) issue(g *grant, parent, sibling *refreshToken) *accessToken {
	now := time.Now()
	a := &accessToken{text: s.mint(), grant: g, parent: parent, sibling: sibling, issued: now, expires: now.Add(s.cfg.AccessLife)}
	s.access[a.text] = a
	s.accesses = append(s.accesses, a)
	s.note(Entry{Kind: "access issued", User: g.person.id, Grant: g.id, Token: Fingerprint(a.text)})
	return a
}

// granted is the answer that hands out an access token and its sibling.
func (s *Service) granted(c *call, a *accessToken, members map[string]any) reply {
	left := time.Until(a.expires).Round(time.Millisecond)
	if left > time.Second { // clients read whole seconds; what lives for less is for tests
		left = left.Truncate(time.Second)
	}
	out := map[string]any{
		"access_token": a.text, "token_type": "Bearer", "scope": strings.Join(a.grant.scopes, " "),
		"expires_in": json.Number(strconv.FormatFloat(left.Seconds(), 'f', -1, 64)),
	}
	c.texts["ACCESS"] = a.text
	if a.sibling != nil {
		out["refresh_token"] = a.sibling.text
		c.texts["REFRESH"] = a.sibling.text
	} else {
		c.texts["REFRESH"] = a.parent.text
	}
	for name, v := range members {
		out[name] = v
	}
	return answer(http.StatusOK, out)
}

// end ends a grant with all its tokens, and with the last grant of a person the
// subscriptions.
func (s *Service) end(g *grant, why string) {
	if g.ended != "" {
		return
	}
	g.ended = why
	s.note(Entry{Kind: "grant ended", User: g.person.id, Grant: g.id, Outcome: why})
	if !slices.ContainsFunc(s.grants, func(o *grant) bool { return o.person == g.person && o.ended == "" }) {
		s.subs = slices.DeleteFunc(s.subs, func(sub *subscription) bool { return sub.person == g.person })
	}
}

// revoke is the revocation endpoint; it says 200 also to what it does not know.
func (s *Service) revoke(c *call) reply {
	if out, ok := s.checkClient(c); !ok {
		return out
	}
	text := c.form.Get("token")
	if text == "" {
		return refuse(http.StatusBadRequest, "invalid_request")
	}
	if t := s.refresh[text]; t != nil {
		s.end(t.grant, endedRevoked)
	} else if a := s.access[text]; a != nil {
		s.end(a.grant, endedRevoked)
	}
	return answer(http.StatusOK, struct{}{})
}

// bearer returns the access token that a request shows.
func (s *Service) bearer(c *call) *accessToken {
	scheme, text, _ := strings.Cut(c.r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return nil
	}
	return s.access[text]
}

// admit checks the access token of a request and notes its use; an empty scope
// is covered by any token.
func (s *Service) admit(c *call, scope string) (*accessToken, reply, bool) {
	a, now := s.bearer(c), time.Now()
	deny := func(status int, code string) (*accessToken, reply, bool) {
		out := refuse(status, code)
		out.header = map[string]string{"WWW-Authenticate": `Bearer error="` + code + `"`}
		return nil, out, false
	}
	switch {
	case a == nil || a.revoked || a.grant.ended != "":
		return deny(http.StatusUnauthorized, "invalid_token")
	case !now.Before(a.expires):
		return deny(http.StatusUnauthorized, "token_expired")
	case scope != "" && !slices.Contains(a.grant.scopes, scope):
		return deny(http.StatusForbidden, "insufficient_scope")
	}
	a.uses++
	if a.firstUsed.IsZero() {
		a.firstUsed = now
		s.note(Entry{Kind: "access first used", User: a.grant.person.id, Grant: a.grant.id, Token: Fingerprint(a.text)})
		c.first = &FirstUse{User: a.grant.person.id, Access: a.text}
		if t := a.sibling; t != nil {
			c.first.Refresh = t.text
		} else if a.parent != nil {
			c.first.Refresh = a.parent.text
		}
	}
	if a.parent != nil && s.cfg.Rotation == providers.RotationGrace && a.sibling != nil {
		a.parent.dead = true
	}
	return a, reply{}, true
}

// Login returns credentials for a person as if the whole flow had been walked,
// each time of a new grant.
func (s *Service) Login(user string) (providers.Credential, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.find(user)
	if err != nil {
		return providers.Credential{}, err
	}
	g := s.newGrant(p, streamNames())
	a := s.issue(g, nil, s.issueRefresh(g, nil))
	return providers.Credential{
		UpstreamID: p.id, Access: providers.NewSecret(a.text), Refresh: providers.NewSecret(a.sibling.text),
		ExpiresAt: a.expires, Scopes: slices.Clone(g.scopes),
	}, nil
}

// ExpireAccess ends the life of all access tokens of a person, or of everybody
// for "". Refresh tokens stay as they are.
func (s *Service) ExpireAccess(user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for _, a := range s.accesses {
		if (user == "" || a.grant.person.id == user) && now.Before(a.expires) {
			a.expires = now
		}
	}
}

// Deauthorize takes a person's consents back as if it was done on the service's
// own pages, and queues the delivery that tells.
func (s *Service) Deauthorize(user string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.find(user); err != nil {
		return err
	}
	s.queue(user, Event{Type: TypeDeauth, User: user})
	for _, g := range s.grants {
		if g.person.id == user {
			s.end(g, endedDeauth)
		}
	}
	return nil
}

// Reauthorize gives a person another id and queues the delivery that tells.
// Grants live on; consents from now on tell the new id.
func (s *Service) Reauthorize(user, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.find(user)
	if err != nil {
		return err
	}
	if _, err := s.find(id); err == nil || id == "" {
		return errors.New("provsim: the id is in use or not one")
	}
	p.id = id
	s.queue(id, Event{Type: TypeReauth, User: id, OldUser: user})
	return nil
}
