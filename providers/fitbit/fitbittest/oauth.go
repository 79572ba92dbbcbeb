package fitbittest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// authority issues and judges codes and tokens. It is guarded by Server.mu.
type authority struct {
	codes   map[string]*authCode
	access  map[string]*accessToken
	refresh map[string]*refreshToken
	issued  uint64

	codeOrder    []*authCode
	accessOrder  []*accessToken
	refreshOrder []*refreshToken
}

type authCode struct {
	text, redirect, challenge, person string
	scopes                            []string
	issued                            time.Time
	presented                         int
	used                              bool
}

type accessToken struct {
	text, person    string
	scopes          []string
	issued, expires time.Time
	revoked         bool
	uses            int
}

type refreshToken struct {
	text, person        string
	scopes              []string
	issued, used        time.Time
	dead                bool
	presented, accepted int
	answer              *Token // for a repetition within the grace
}

func (a *authority) init() {
	a.codes, a.access, a.refresh = map[string]*authCode{}, map[string]*accessToken{}, map[string]*refreshToken{}
}

// secret returns the next unguessed text: hexadecimal digits that depend on the seed and on how many came before.
func (a *authority) secret(seed uint64, bytes int) string {
	a.issued++
	sum := sha256.Sum256(fmt.Appendf(nil, "%d/%d", seed, a.issued))
	return hex.EncodeToString(sum[:])[:2*bytes]
}

// Token is a pair of tokens of a person.
type Token struct {
	PersonID                  string
	AccessToken, RefreshToken string
	Scopes                    []string
	ExpiresAt                 time.Time
	Lifetime                  time.Duration
}

// issue makes a new pair.
func (s *Server) issue(person string, scopes []string) *Token {
	a, now := &s.auth, s.cfg.Now()
	access := &accessToken{
		text: "eyJhbGciOiJIUzI1NiJ9." + a.secret(s.cfg.Seed, 32) + "." + a.secret(s.cfg.Seed, 16), person: person, scopes: scopes,
		issued: now, expires: now.Add(s.cfg.AccessTokenLife),
	}
	refresh := &refreshToken{text: a.secret(s.cfg.Seed, 32), person: person, scopes: scopes, issued: now}
	a.access[access.text], a.refresh[refresh.text] = access, refresh
	a.accessOrder, a.refreshOrder = append(a.accessOrder, access), append(a.refreshOrder, refresh)
	return &Token{
		PersonID: person, AccessToken: access.text, RefreshToken: refresh.text, Scopes: slices.Clone(scopes), ExpiresAt: access.expires,
		Lifetime: s.cfg.AccessTokenLife,
	}
}

// Login returns a new pair of tokens of a person with the given scopes, all of them for none, as if the person had just
// consented.
func (s *Server) Login(id string, scopes ...string) Token {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mustPerson(id)
	if len(scopes) == 0 {
		scopes = Scopes()
	}
	return *s.issue(id, scopes)
}

// RevokeAccess takes the consent of a person back, as its settings page does, and queues the notification of it for
// subscribers.
func (s *Server) RevokeAccess(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mustPerson(id)
	s.revokeAll(id)
	for _, sub := range s.subs {
		if sub.OwnerID == id && (sub.Collection == "userRevokedAccess" || sub.Collection == "") {
			s.pending = append(s.pending, Notification{CollectionType: "userRevokedAccess", OwnerID: id, OwnerType: "user", SubscriptionID: sub.ID})
		}
	}
}

func (s *Server) revokeAll(id string) {
	for _, t := range s.auth.accessOrder {
		if t.person == id {
			t.revoked = true
		}
	}
	for _, t := range s.auth.refreshOrder {
		if t.person == id {
			t.dead = true
		}
	}
}

// authRequest is a checked request for the consent page.
type authRequest struct {
	redirect, state, challenge string
	scopes                     []string
}

func (s *Server) checkAuthorize(q url.Values) (authRequest, error) {
	a := authRequest{redirect: q.Get("redirect_uri"), state: q.Get("state"), challenge: q.Get("code_challenge")}
	switch {
	case q.Get("response_type") != "code":
		return a, errors.New("unsupported_response_type")
	case q.Get("client_id") != s.cfg.ClientID:
		return a, errors.New("unauthorized_client - Invalid client_id")
	case a.redirect == "" && len(s.cfg.RedirectURLs) == 1:
		a.redirect = s.cfg.RedirectURLs[0]
	case !slices.Contains(s.cfg.RedirectURLs, a.redirect):
		return a, errors.New("invalid_request - Invalid redirect_uri parameter value")
	}
	switch {
	case a.challenge != "" && q.Get("code_challenge_method") != "S256" && q.Get("code_challenge_method") != "":
		return a, errors.New("invalid_request - Invalid code_challenge_method")
	case a.challenge == "" && s.cfg.RequirePKCE:
		return a, errors.New("invalid_request - Missing code_challenge")
	case q.Get("scope") == "":
		return a, errors.New("invalid_scope")
	}
	if prompt := q.Get("prompt"); prompt != "" && !slices.Contains([]string{"none", "consent", "login", "login consent", "consent login"}, prompt) {
		return a, errors.New("invalid_request - Invalid prompt")
	}
	for _, scope := range strings.Fields(q.Get("scope")) {
		if !slices.Contains(Scopes(), scope) {
			return a, errors.New("invalid_scope - Invalid scope: " + scope)
		}
		if !slices.Contains(a.scopes, scope) {
			a.scopes = append(a.scopes, scope)
		}
	}
	return a, nil
}

// answerTo builds the address the browser is sent back to. The service appends a fragment to it.
func (a authRequest) answerTo(params ...string) string {
	u, _ := url.Parse(a.redirect) // registered
	q := u.Query()
	for i := 0; i < len(params); i += 2 {
		q.Set(params[i], params[i+1])
	}
	if a.state != "" {
		q.Set("state", a.state)
	}
	u.RawQuery = q.Encode()
	u.Fragment = "_=_"
	return u.String()
}

func consentPage() *template.Template {
	return template.Must(template.New("consent").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Authorize</title></head><body>
<h1>Allow this application to use your Fitbit data</h1>
<form method="post">
{{range .Scopes}}<p><label><input type="checkbox" name="grant" value="{{.}}" checked> {{.}}</label></p>
{{end}}{{range $i, $p := .People}}<p><label><input type="radio" name="person" value="{{$p.ID}}"{{if eq $i 0}} checked{{end}}> {{$p.ID}} ({{$p.Timezone}})</label></p>
{{end}}<button name="accept" value="1">Allow</button> <button name="accept" value="0">Deny</button>
</form></body></html>
`))
}

func (s *Server) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "unreadable form", http.StatusBadRequest)
		return
	}
	a, err := s.checkAuthorize(r.URL.Query())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	people, who := s.People(), r.Form.Get("person")
	granted := a.scopes
	switch {
	case r.Form.Get("accept") == "1":
		if r.Form.Has("grant") {
			granted = slices.DeleteFunc(slices.Clone(a.scopes), func(scope string) bool { return !slices.Contains(r.Form["grant"], scope) })
		}
	case r.Form.Has("accept"):
		http.Redirect(w, r, a.answerTo("error", "access_denied", "error_description", "The user denied the request"), http.StatusFound)
		return
	case s.cfg.AutoApprove != "":
		who = s.cfg.AutoApprove
	default:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = consentPage().Execute(w, map[string]any{"Scopes": a.scopes, "People": people})
		return
	}
	if !slices.ContainsFunc(people, func(p Person) bool { return p.ID == who }) {
		http.Error(w, "no such person", http.StatusBadRequest)
		return
	}
	http.Redirect(w, r, a.answerTo("code", s.newCode(who, a, granted)), http.StatusFound)
}

// Authorize does what a browser does with an authorization address when the person consents, to the given scopes or to
// all that are asked for: it checks the address and returns where the browser is sent. The error is what the page would
// say.
func (s *Server) Authorize(id, address string, grant ...string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("fitbittest: authorize: %w", err)
	}
	if s.retired() {
		return nil, errors.New("fitbittest: authorize: 410 Gone")
	}
	a, err := s.checkAuthorize(u.Query())
	if err != nil {
		return nil, fmt.Errorf("fitbittest: authorize: %w", err)
	}
	granted := a.scopes
	if len(grant) > 0 {
		granted = slices.DeleteFunc(slices.Clone(a.scopes), func(scope string) bool { return !slices.Contains(grant, scope) })
	}
	return url.Parse(a.answerTo("code", s.newCode(id, a, granted)))
}

func (s *Server) newCode(id string, a authRequest, scopes []string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mustPerson(id)
	c := &authCode{
		text: s.auth.secret(s.cfg.Seed, 20), person: id, redirect: a.redirect, challenge: a.challenge, scopes: scopes, issued: s.cfg.Now(),
	}
	s.auth.codes[c.text] = c
	s.auth.codeOrder = append(s.auth.codeOrder, c)
	return c.text
}

// application checks the credentials of the application. Clients in the wild send them in the header with or without
// padding, and once more in the body.
func (s *Server) application(r *http.Request) *refusal {
	text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Basic ")
	if !ok {
		return refuse(http.StatusUnauthorized, "invalid_client", "Invalid authorization header format. The header was not provided")
	}
	raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.TrimSpace(text), "="))
	if err != nil {
		return refuse(http.StatusUnauthorized, "invalid_client", "Invalid authorization header format")
	}
	id, secret, _ := strings.Cut(string(raw), ":")
	repeated := r.Form.Get("client_id")
	if id != s.cfg.ClientID || repeated != "" && repeated != id || !hmac.Equal([]byte(secret), []byte(s.cfg.ClientSecret)) {
		return refuse(http.StatusUnauthorized, "invalid_client", "Invalid client_id or secret")
	}
	return nil
}

// serveToken answers a request for tokens; the mutex must be held.
func (s *Server) serveToken(r *http.Request) (any, *refusal) {
	if r.Method != http.MethodPost {
		return nil, refuse(http.StatusMethodNotAllowed, "invalid_request", "POST only")
	}
	if refused := s.application(r); refused != nil {
		return nil, refused
	}
	var t *Token
	var refused *refusal
	switch grant := r.Form.Get("grant_type"); grant { // in the body, or, as some clients have it, in the query
	case "authorization_code":
		t, refused = s.exchange(r.Form)
	case "refresh_token":
		t, refused = s.rotate(r.Form.Get("refresh_token"))
	case "":
		return nil, refuse(http.StatusBadRequest, "invalid_request", "Missing 'grant_type' parameter value.")
	default:
		return nil, refuse(http.StatusBadRequest, "unsupported_grant_type", "Unsupported grant type")
	}
	if refused != nil {
		return nil, refused
	}
	return map[string]any{
		"access_token": t.AccessToken, "expires_in": int(t.Lifetime / time.Second), "refresh_token": t.RefreshToken,
		"scope": strings.Join(t.Scopes, " "), "token_type": "Bearer", "user_id": t.PersonID,
	}, nil
}

func (s *Server) exchange(form url.Values) (*Token, *refusal) {
	c := s.auth.codes[form.Get("code")]
	if c == nil {
		return nil, refuse(http.StatusBadRequest, "invalid_grant", "Authorization code invalid")
	}
	c.presented++
	verifier := form.Get("code_verifier")
	digest := sha256.Sum256([]byte(verifier))
	redirect := form.Get("redirect_uri")
	switch {
	case c.used || s.cfg.Now().Sub(c.issued) >= codeLife:
		return nil, refuse(http.StatusBadRequest, "invalid_grant", "Authorization code expired")
	case redirect != c.redirect && (redirect != "" || len(s.cfg.RedirectURLs) > 1):
		return nil, refuse(http.StatusBadRequest, "invalid_grant", "Redirect_uri mismatch")
	case c.challenge != "" && (len(verifier) < 43 || len(verifier) > 128 || base64.RawURLEncoding.EncodeToString(digest[:]) != strings.TrimRight(c.challenge, "=")):
		return nil, refuse(http.StatusBadRequest, "invalid_grant", "Invalid code_verifier")
	case c.challenge == "" && verifier != "":
		return nil, refuse(http.StatusBadRequest, "invalid_request", "code_verifier without a challenge")
	}
	c.used = true
	return s.issue(c.person, c.scopes), nil
}

// rotate exchanges a refresh token, once.
func (s *Server) rotate(text string) (*Token, *refusal) {
	t := s.auth.refresh[text]
	if t == nil {
		return nil, refuse(http.StatusBadRequest, "invalid_grant", "Refresh token invalid: unknown. Visit https://dev.fitbit.com/docs/oauth2 for more information")
	}
	t.presented++
	now := s.cfg.Now()
	switch {
	case !t.dead:
	case t.answer != nil && now.Sub(t.used) < s.cfg.RefreshGrace:
		t.accepted++
		return t.answer, nil
	default:
		return nil, refuse(http.StatusBadRequest, "invalid_grant", "Refresh token invalid: used. Visit https://dev.fitbit.com/docs/oauth2 for more information")
	}
	t.accepted++
	t.dead, t.used = true, now
	t.answer = s.issue(t.person, t.scopes)
	return t.answer, nil
}

// serveRevoke takes a consent back; the mutex must be held.
func (s *Server) serveRevoke(r *http.Request) (any, *refusal) {
	if r.Method != http.MethodPost {
		return nil, refuse(http.StatusMethodNotAllowed, "invalid_request", "POST only")
	}
	if refused := s.application(r); refused != nil {
		return nil, refused
	}
	text := r.Form.Get("token")
	if t := s.auth.access[text]; t != nil && !t.revoked {
		s.revokeAll(t.person)
		return nil, nil
	}
	if t := s.auth.refresh[text]; t != nil && !t.dead {
		s.revokeAll(t.person)
		return nil, nil
	}
	return nil, refuse(http.StatusUnauthorized, "invalid_token", "Access token invalid")
}

// serveIntrospect tells about a token; the mutex must be held. Times are milliseconds.
func (s *Server) serveIntrospect(r *http.Request, bearer *accessToken) (any, *refusal) {
	t := s.auth.access[r.Form.Get("token")]
	if t == nil || t.revoked || !s.cfg.Now().Before(t.expires) || t.person != bearer.person {
		return map[string]any{"active": false}, nil
	}
	return map[string]any{
		"active": true, "scope": "{" + strings.ToUpper(strings.Join(t.scopes, "=READ, ")) + "=READ}", "client_id": s.cfg.ClientID, "user_id": t.person,
		"token_type": "access_token", "exp": t.expires.UnixMilli(), "iat": t.issued.UnixMilli(),
	}, nil
}

// Presented tells how often a code or token was presented.
type Presented struct {
	Text, PersonID      string
	Presented, Accepted int
	IssuedAt            time.Time
	Dead                bool // used, revoked or expired
}

// Ledger is the history of codes and tokens, oldest first. For access tokens Presented counts the calls.
type Ledger struct{ Codes, Access, Refresh []Presented }

// Ledger returns how often each code and token was presented.
func (s *Server) Ledger() Ledger {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.cfg.Now()
	var l Ledger
	for _, c := range s.auth.codeOrder {
		entry := Presented{Text: c.text, PersonID: c.person, Presented: c.presented, IssuedAt: c.issued, Dead: c.used || now.Sub(c.issued) >= codeLife}
		if c.used {
			entry.Accepted = 1
		}
		l.Codes = append(l.Codes, entry)
	}
	for _, t := range s.auth.accessOrder {
		l.Access = append(l.Access, Presented{Text: t.text, PersonID: t.person, Presented: t.uses, Accepted: t.uses, IssuedAt: t.issued, Dead: t.revoked || !now.Before(t.expires)})
	}
	for _, t := range s.auth.refreshOrder {
		l.Refresh = append(l.Refresh, Presented{Text: t.text, PersonID: t.person, Presented: t.presented, Accepted: t.accepted, IssuedAt: t.issued, Dead: t.dead})
	}
	return l
}
