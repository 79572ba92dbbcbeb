package googlehealthtest

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Lifetimes that the service documents.
const (
	codeLife    = 10 * time.Minute
	testingLife = 7 * 24 * time.Hour
	unusedLife  = 180 * 24 * time.Hour
	maxGrants   = 100 // live refresh tokens of one account and client
)

// authority is the state of the token service. It is guarded by Server.mu.
type authority struct {
	minted    uint64
	codes     []*code
	grants    []*grant
	consented map[string]bool // users who have consented before
}

type code struct {
	text, user, redirect, challenge string
	scopes                          []string
	offline, prompted               bool
	issued                          time.Time
	used                            bool
	presented                       int
}

// grant is a consent: one refresh token, which may be empty, and the access tokens made with it.
type grant struct {
	user      string
	scopes    []string
	refresh   string
	issued    time.Time
	lastUse   time.Time
	ended     bool
	presented int
	tokens    []*accessToken
}

type accessToken struct {
	text      string
	expires   time.Time
	presented int
}

func (a *authority) init() { a.consented = map[string]bool{} }

func (s *Server) mint(prefix string) string {
	s.auth.minted++
	sum := sha256.Sum256(fmt.Appendf(nil, "token %d %d", s.cfg.Seed, s.auth.minted))
	return prefix + base64.RawURLEncoding.EncodeToString(sum[:])
}

// access returns the grant of a live access token.
func (a *authority) access(text string, now time.Time) *grant {
	for _, g := range a.grants {
		for _, t := range g.tokens {
			if t.text == text {
				t.presented++
				if g.ended || !now.Before(t.expires) {
					return nil
				}
				return g
			}
		}
	}
	return nil
}

// Token is a ready-made pair.
type Token struct {
	UserID, AccessToken, RefreshToken string
	ExpiresAt                         time.Time
	Scopes                            []string
}

// Scopes returns all scopes for reading.
func Scopes() []string {
	var all []string
	for _, name := range []string{
		"activity_and_fitness", "health_metrics_and_measurements", "nutrition", "profile", "settings", "sleep", "logged_symptoms",
		"mindfulness", "reproductive_health", "ecg", "irn", "location",
	} {
		all = append(all, scopePrefix+name+".readonly")
	}
	return all
}

// known reports whether there is a scope: one for reading, one for writing what may be written, or one of those that
// tell who signs in.
func known(scope string) bool {
	if name, ok := strings.CutSuffix(scope, ".writeonly"); ok {
		readOnly := []string{"ecg", "irn", "location"}
		return slices.Contains(Scopes(), name+".readonly") && !slices.Contains(readOnly, strings.TrimPrefix(name, scopePrefix))
	}
	return slices.Contains(Scopes(), scope) || slices.Contains([]string{"openid", "email", "profile"}, scope)
}

// Login returns a new pair for a user, as after a consent to the given scopes; none are all.
func (s *Server) Login(userID string, scopes ...string) Token {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mustUser(userID)
	if len(scopes) == 0 {
		scopes = Scopes()
	}
	g := s.grant(userID, scopes, true)
	t := s.newAccess(g)
	return Token{userID, t.text, g.refresh, t.expires, slices.Clone(scopes)}
}

// Unlink ends the consents of a user, as if they were taken back on the pages of the Google account. Subscribers are
// told by notifications of DELETE.
func (s *Server) Unlink(userID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.mustUser(userID)
	for _, g := range s.auth.grants {
		if g.user == userID {
			g.ended = true
		}
	}
	s.notify(u, "steps", "DELETE", u.at(u.first, 0), u.horizon)
}

func (s *Server) grant(user string, scopes []string, offline bool) *grant {
	now := s.cfg.Now()
	g := &grant{user: user, scopes: slices.Clone(scopes), issued: now, lastUse: now}
	if offline {
		g.refresh = s.mint("1//")
	}
	s.auth.grants = append(s.auth.grants, g)
	live := 0
	for _, other := range slices.Backward(s.auth.grants) {
		if other.user == user && other.refresh != "" && !other.ended {
			if live++; live > maxGrants {
				other.refresh = "" // the oldest is dropped without a word
			}
		}
	}
	return g
}

func (s *Server) newAccess(g *grant) *accessToken {
	t := &accessToken{text: s.mint("ya29."), expires: s.cfg.Now().Add(s.cfg.AccessTokenLife)}
	g.tokens = append(g.tokens, t)
	return t
}

// alive reports whether a refresh token still works.
func (s *Server) alive(g *grant) bool {
	now := s.cfg.Now()
	return !g.ended && now.Sub(g.lastUse) < unusedLife && !(s.cfg.Testing && now.Sub(g.issued) >= testingLife)
}

// authRequest is a checked request for the consent page.
type authRequest struct {
	redirect, state, challenge string
	scopes                     []string
	offline, prompted          bool
}

func (s *Server) checkAuthorize(q url.Values) (authRequest, error) {
	var a authRequest
	switch {
	case q.Get("client_id") != s.cfg.ClientID:
		return a, errors.New("invalid_client: the OAuth client was not found")
	case !slices.Contains(s.cfg.RedirectURLs, q.Get("redirect_uri")):
		return a, errors.New("redirect_uri_mismatch: the redirect URI is not registered")
	case q.Get("response_type") != "code":
		return a, errors.New("unsupported_response_type: response_type must be code")
	case q.Get("scope") == "":
		return a, errors.New("invalid_request: Missing required parameter: scope")
	case q.Has("code_challenge") && q.Get("code_challenge_method") != "S256":
		return a, errors.New("invalid_request: code_challenge_method must be S256")
	case q.Has("access_type") && q.Get("access_type") != "offline" && q.Get("access_type") != "online":
		return a, errors.New("invalid_request: access_type")
	}
	for _, scope := range strings.Fields(q.Get("scope")) {
		if !known(scope) {
			return a, errors.New("invalid_scope: some requested scopes were invalid")
		}
		a.scopes = append(a.scopes, scope)
	}
	a.redirect, a.state, a.challenge = q.Get("redirect_uri"), q.Get("state"), q.Get("code_challenge")
	a.offline, a.prompted = q.Get("access_type") == "offline", strings.Contains(q.Get("prompt"), "consent")
	return a, nil
}

// answerTo builds the address the browser is sent back to.
func (a authRequest) answerTo(params url.Values) string {
	u, err := url.Parse(a.redirect)
	if err != nil {
		return a.redirect
	}
	q := u.Query()
	for k, v := range params {
		q[k] = v
	}
	if a.state != "" {
		q.Set("state", a.state)
	}
	u.RawQuery = q.Encode()
	return u.String()
}

var consentPage = template.Must(template.New("consent").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Sign in with Google</title></head><body>
<h1>An application wants to access your Google Account</h1>
<form method="post">
{{range $i, $u := .Users}}<p><label><input type="radio" name="user" value="{{$u.ID}}"{{if eq $i 0}} checked{{end}}> {{$u.ID}} ({{$u.Timezone}})</label></p>
{{end}}{{range .Scopes}}<p><label><input type="checkbox" name="scope" value="{{.}}" checked> {{.}}</label></p>
{{end}}<button name="accept" value="1">Continue</button> <button name="accept" value="0">Cancel</button>
</form></body></html>
`))

func (s *Server) serveAuthorize(w http.ResponseWriter, r *http.Request, body []byte) {
	a, err := s.checkAuthorize(r.URL.Query())
	if err != nil {
		http.Error(w, "Error 400: "+err.Error(), http.StatusBadRequest)
		return
	}
	form, _ := url.ParseQuery(string(body))
	accept, user := form.Get("accept"), form.Get("user")
	if accept == "" {
		accept, user = r.URL.Query().Get("accept"), r.URL.Query().Get("user")
	}
	switch {
	case accept == "0":
		http.Redirect(w, r, a.answerTo(url.Values{"error": {"access_denied"}}), http.StatusFound)
		return
	case accept == "1":
		if form.Has("scope") {
			a.scopes = slices.DeleteFunc(a.scopes, func(scope string) bool { return !slices.Contains(form["scope"], scope) })
		}
	case s.cfg.AutoApprove != "":
		user = s.cfg.AutoApprove
	default:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = consentPage.Execute(w, map[string]any{"Users": s.Users(), "Scopes": a.scopes})
		return
	}
	if !slices.ContainsFunc(s.Users(), func(u User) bool { return u.ID == user }) {
		http.Error(w, "Error 400: no such user", http.StatusBadRequest)
		return
	}
	http.Redirect(w, r, s.consent(user, a), http.StatusFound)
}

func (s *Server) consent(user string, a authRequest) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &code{
		text: s.mint("4/0A"), user: user, redirect: a.redirect, challenge: a.challenge, scopes: a.scopes, offline: a.offline,
		prompted: a.prompted || !s.auth.consented[user], issued: s.cfg.Now(),
	}
	s.auth.consented[user] = true
	s.auth.codes = append(s.auth.codes, c)
	return a.answerTo(url.Values{"code": {c.text}, "scope": {strings.Join(a.scopes, " ")}})
}

// Authorize does what a browser does with an authorization address when the user consents, to the given scopes only if
// there are any, and returns where the browser is sent. The error is what the page would say.
func (s *Server) Authorize(userID, address string, scopes ...string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("googlehealthtest: authorize: %w", err)
	}
	a, err := s.checkAuthorize(u.Query())
	if err != nil {
		return nil, fmt.Errorf("googlehealthtest: authorize: %w", err)
	}
	if len(scopes) > 0 {
		a.scopes = slices.DeleteFunc(a.scopes, func(scope string) bool { return !slices.Contains(scopes, scope) })
	}
	s.mu.Lock()
	s.mustUser(userID)
	s.mu.Unlock()
	return url.Parse(s.consent(userID, a))
}

func oauthError(status int, code, description string) (int, []byte) {
	return status, encode(object{"error": code, "error_description": description})
}

// form reads the parameters of a token request: those of the body count, then those of the query.
func form(r *http.Request, body []byte) url.Values {
	values, _ := url.ParseQuery(string(body))
	for k, v := range r.URL.Query() {
		if !values.Has(k) {
			values[k] = v
		}
	}
	if id, secret, ok := r.BasicAuth(); ok {
		values.Set("client_id", id)
		values.Set("client_secret", secret)
	}
	return values
}

func (s *Server) serveToken(r *http.Request, body []byte) (int, []byte) {
	if r.Method != http.MethodPost {
		return oauthError(http.StatusBadRequest, "invalid_request", "only POST")
	}
	f := form(r, body)
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.Get("client_id") != s.cfg.ClientID || f.Get("client_secret") != s.cfg.ClientSecret {
		return oauthError(http.StatusUnauthorized, "invalid_client", "Unauthorized")
	}
	switch f.Get("grant_type") {
	case "authorization_code":
		return s.exchange(f)
	case "refresh_token":
		for _, g := range s.auth.grants {
			if g.refresh == "" || g.refresh != f.Get("refresh_token") {
				continue
			}
			g.presented++
			if !s.alive(g) {
				break
			}
			g.lastUse = s.cfg.Now()
			return s.writeToken(g, false)
		}
		return oauthError(http.StatusBadRequest, "invalid_grant", "Token has been expired or revoked.")
	}
	return oauthError(http.StatusBadRequest, "unsupported_grant_type", "Invalid grant_type")
}

func (s *Server) exchange(f url.Values) (int, []byte) {
	for _, c := range s.auth.codes {
		if c.text != f.Get("code") {
			continue
		}
		c.presented++
		if c.used || s.cfg.Now().Sub(c.issued) >= codeLife {
			break
		}
		if f.Get("redirect_uri") != c.redirect {
			return oauthError(http.StatusBadRequest, "redirect_uri_mismatch", "Bad Request")
		}
		sum := sha256.Sum256([]byte(f.Get("code_verifier")))
		if c.challenge != "" && base64.RawURLEncoding.EncodeToString(sum[:]) != c.challenge {
			return oauthError(http.StatusBadRequest, "invalid_grant", "Invalid code verifier.")
		}
		c.used = true
		return s.writeToken(s.grant(c.user, c.scopes, c.offline && c.prompted), true)
	}
	return oauthError(http.StatusBadRequest, "invalid_grant", "Malformed auth code.")
}

// writeToken answers with a new access token; the refresh token comes with a consent only.
func (s *Server) writeToken(g *grant, consented bool) (int, []byte) {
	t := s.newAccess(g)
	o := object{
		"access_token": t.text, "expires_in": int(s.cfg.AccessTokenLife/time.Second) - 1, "scope": strings.Join(g.scopes, " "),
		"token_type": "Bearer",
	}
	if consented && g.refresh != "" {
		o["refresh_token"] = g.refresh
	}
	if s.cfg.Testing && g.refresh != "" {
		o["refresh_token_expires_in"] = int(testingLife.Seconds()-s.cfg.Now().Sub(g.issued).Seconds()) - 1
	}
	return http.StatusOK, encode(o)
}

func (s *Server) serveRevoke(r *http.Request, body []byte) (int, []byte) {
	token := form(r, body).Get("token")
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.auth.grants {
		live := s.alive(g) && (g.refresh == token && token != "" ||
			slices.ContainsFunc(g.tokens, func(t *accessToken) bool { return t.text == token }))
		if !live {
			continue
		}
		// The whole consent ends, with all its tokens.
		for _, other := range s.auth.grants {
			other.ended = other.ended || other.user == g.user
		}
		return http.StatusOK, []byte("{}")
	}
	return oauthError(http.StatusBadRequest, "invalid_token", "Token expired or revoked")
}
