package withingstest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Sign returns the signature the service wants for the values, given in the order of their parameter names:
// hex(HMAC-SHA256(secret, values joined with commas)). For getnonce the values are the action, the client id and the
// timestamp; elsewhere the action, the client id and the nonce.
func Sign(secret string, values ...string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(strings.Join(values, ",")))
	return hex.EncodeToString(mac.Sum(nil))
}

// authRequest is a checked request for the consent page.
type authRequest struct {
	redirect string
	state    string
	scopes   []string
}

var knownScopes = []string{ScopeInfo, ScopeMetrics, ScopeActivity, ScopeSleepEvents}

// checkAuthorize applies the rules of the consent page to its query.
func (s *Server) checkAuthorize(q url.Values) (authRequest, error) {
	var a authRequest
	switch {
	case q.Get("response_type") != "code":
		return a, errors.New("unsupported_response_type: The response type was not specified or is not code")
	case q.Get("client_id") == "":
		return a, errors.New("invalid_client: No client id supplied")
	case q.Get("client_id") != s.cfg.ClientID:
		return a, errors.New("invalid_client: The client id supplied is invalid")
	case !s.registered(q.Get("redirect_uri")):
		return a, errors.New("redirect_uri_mismatch: The redirect URI provided is missing or does not match partner callback url")
	case q.Get("state") == "":
		return a, errors.New("invalid_request: The state parameter is required")
	case q.Get("scope") == "":
		return a, errors.New("invalid_scope: The scope parameter is required")
	case q.Get("mode") != "" && q.Get("mode") != "demo":
		return a, errors.New("invalid_request: The mode parameter is invalid")
	}
	for _, scope := range strings.Split(q.Get("scope"), ",") {
		if !slices.Contains(knownScopes, scope) {
			return a, errors.New("invalid_scope: An unsupported scope was requested")
		}
		if !slices.Contains(a.scopes, scope) {
			a.scopes = append(a.scopes, scope)
		}
	}
	a.redirect, a.state = q.Get("redirect_uri"), q.Get("state")
	return a, nil
}

// registered reports whether an address may be redirected to.
func (s *Server) registered(address string) bool {
	u, ok := s.publicAddress(address)
	if !ok {
		return false
	}
	for _, r := range s.cfg.RedirectURLs {
		known, err := url.Parse(r)
		if err == nil && strings.HasPrefix(address, r) && strings.EqualFold(known.Hostname(), u.Hostname()) {
			return true
		}
	}
	return false
}

// publicAddress applies the rules for addresses of ours that the service calls or redirects to.
func (s *Server) publicAddress(address string) (*url.URL, bool) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return nil, false
	}
	host := strings.ToLower(u.Hostname())
	ip := net.ParseIP(host)
	local := host == "localhost" || strings.HasSuffix(host, ".localhost")
	if s.cfg.AllowLoopback && (local || ip != nil && ip.IsLoopback()) {
		return u, u.Scheme == "https" || u.Scheme == "http"
	}
	return u, u.Scheme == "https" && ip == nil && !local
}

// answerTo builds the address the browser is sent back to.
func (a authRequest) answerTo(params ...string) string {
	u, _ := url.Parse(a.redirect) // checked by registered
	q := u.Query()
	for i := 0; i < len(params); i += 2 {
		q.Set(params[i], params[i+1])
	}
	q.Set("state", a.state)
	u.RawQuery = q.Encode()
	return u.String()
}

var consentPage = template.Must(template.New("consent").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Authorize</title></head><body>
<h1>Allow this app</h1>
<p>The application {{.ClientID}} asks for: {{range .Scopes}}<code>{{.}}</code> {{end}}</p>
<form method="post">
{{range $i, $u := .Users}}<p><label><input type="radio" name="user" value="{{$u.ID}}"{{if eq $i 0}} checked{{end}}> {{$u.ID}} ({{$u.Timezone}})</label></p>
{{end}}<button name="accept" value="1">Allow this app</button> <button name="accept" value="0">Deny</button>
</form></body></html>
`))

func (s *Server) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, POST")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		accountError(w, "invalid_request: unreadable form")
		return
	}
	a, err := s.checkAuthorize(r.URL.Query())
	if err != nil {
		accountError(w, err.Error())
		return
	}
	users := s.Users()
	user := r.Form.Get("user")
	switch {
	case r.Form.Get("accept") == "1":
	case r.Form.Has("accept"):
		http.Redirect(w, r, a.answerTo("error", "access_denied"), http.StatusFound)
		return
	case s.cfg.AutoApprove != 0:
		user = fmt.Sprint(s.cfg.AutoApprove)
	default:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = consentPage.Execute(w, map[string]any{"ClientID": s.cfg.ClientID, "Scopes": a.scopes, "Users": users})
		return
	}
	i := slices.IndexFunc(users, func(u User) bool { return fmt.Sprint(u.ID) == user })
	if i < 0 {
		accountError(w, "invalid_request: no such user")
		return
	}
	http.Redirect(w, r, a.answerTo("code", s.newCode(users[i].ID, a)), http.StatusFound)
}

func accountError(w http.ResponseWriter, message string) {
	var body writer
	body.open('{')
	body.key("errors").open('[')
	body.open('{')
	body.key("message").str(message)
	body.close('}')
	body.close(']')
	body.close('}')
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	w.Write(body.b)
}

// Authorize does what a browser does with an authorization address when the user consents: it checks the address and
// returns where the browser is sent, with code and state in its query, or userid, oauth_token and oauth_verifier for an
// address of the OAuth 1.0 era. The error is what the page would say.
func (s *Server) Authorize(userID int64, address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("withingstest: authorize: %w", err)
	}
	if strings.HasSuffix(u.Path, LegacyAuthorizePath) {
		return s.authorizeLegacy(userID, u)
	}
	a, err := s.checkAuthorize(u.Query())
	if err != nil {
		return nil, fmt.Errorf("withingstest: authorize: %w", err)
	}
	return url.Parse(a.answerTo("code", s.newCode(userID, a)))
}

func (s *Server) newCode(userID int64, a authRequest) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mustUser(userID)
	c := &authCode{
		text: s.auth.secret(s.cfg.Seed), userID: userID, redirect: a.redirect, scopes: a.scopes,
		issued: s.cfg.Now(),
	}
	s.auth.codes[c.text] = c
	s.auth.codeOrder = append(s.auth.codeOrder, c)
	return c.text
}

// client checks who calls an OAuth service: by secret where that is allowed, else by nonce and signature.
func (s *Server) client(c *call, secretAllowed bool) *refusal {
	switch id := c.params.Get("client_id"); id {
	case "":
		return missing("client_id")
	case s.cfg.ClientID:
	default:
		return wrongClient()
	}
	if c.params.Has("signature") || c.params.Has("nonce") {
		return s.signature(c)
	}
	if !secretAllowed {
		return missing("nonce")
	}
	switch secret := c.params.Get("client_secret"); {
	case secret == "":
		return missing("client_secret")
	case !hmac.Equal([]byte(secret), []byte(s.cfg.ClientSecret)):
		return wrongClient()
	}
	return nil
}

// wrongClient does not tell which of the two is wrong.
func wrongClient() *refusal { return invalid("client id/secret") }

// signature checks and spends the nonce of a signed call.
func (s *Server) signature(c *call) *refusal {
	nonce, sig := c.params.Get("nonce"), c.params.Get("signature")
	switch {
	case nonce == "":
		return missing("nonce")
	case sig == "":
		return missing("signature")
	case !hmac.Equal([]byte(sig), []byte(Sign(s.cfg.ClientSecret, c.action, s.cfg.ClientID, nonce))):
		return invalid("signature")
	}
	expires, ok := s.auth.nonces[nonce]
	if !ok || !c.now.Before(expires) {
		return invalid("nonce")
	}
	delete(s.auth.nonces, nonce)
	return nil
}

func (s *Server) getNonce(c *call) *refusal {
	switch id := c.params.Get("client_id"); id {
	case "":
		return missing("client_id")
	case s.cfg.ClientID:
	default:
		return wrongClient()
	}
	at, present, refused := c.integer("timestamp")
	sig := c.params.Get("signature")
	switch {
	case refused != nil:
		return refused
	case !present:
		return missing("timestamp")
	case at <= 0:
		return invalid("timestamp")
	case sig == "":
		return missing("signature")
	case !hmac.Equal([]byte(sig), []byte(Sign(s.cfg.ClientSecret, c.action, s.cfg.ClientID, c.params.Get("timestamp")))):
		return invalid("signature")
	}
	for n, expires := range s.auth.nonces {
		if !c.now.Before(expires) {
			delete(s.auth.nonces, n)
		}
	}
	nonce := s.auth.secret(s.cfg.Seed)
	s.auth.nonces[nonce] = c.now.Add(nonceLife)
	c.body.open('{')
	c.body.key("nonce").str(nonce)
	c.body.close('}')
	return nil
}

func (s *Server) requestToken(c *call) *refusal {
	grant := c.params.Get("grant_type")
	if grant != "authorization_code" && grant != "refresh_token" {
		return invalid("grant_type")
	}
	// What is missing is told before the nonce is spent.
	names := []string{"code", "redirect_uri"}
	if grant == "refresh_token" {
		names = []string{"refresh_token"}
	}
	for _, name := range names {
		if c.params.Get(name) == "" {
			return missing(name)
		}
	}
	if refused := s.client(c, true); refused != nil {
		return refused
	}
	if grant == "refresh_token" {
		s.migrate(c.params.Get("refresh_token"), c.now)
		p := s.auth.rotate(c.params.Get("refresh_token"), c.now, s.cfg)
		if p == nil {
			return invalid("refresh_token")
		}
		s.writeToken(c, p)
		return nil
	}
	code := s.auth.codes[c.params.Get("code")]
	if code == nil {
		return invalid("code")
	}
	code.presented++
	switch redirect := c.params.Get("redirect_uri"); {
	case code.used || c.now.Sub(code.issued) >= codeLife:
		return invalid("code")
	case redirect != code.redirect || !s.registered(redirect):
		return refuse(StatusBadCallback, "Wrong redirect_uri - it is not the one the code was issued for")
	}
	code.used = true
	s.writeToken(c, s.auth.issue(code.userID, code.scopes, nil, c.now, s.cfg))
	return nil
}

// writeToken writes the answer of the token service. The userid is an int or a string, as in reality.
func (s *Server) writeToken(c *call, p *tokenPair) {
	w := &c.body
	w.open('{')
	if mix(s.cfg.Seed, s.auth.issued)%2 == 0 {
		w.key("userid").int(p.access.userID)
	} else {
		w.key("userid").str(fmt.Sprint(p.access.userID))
	}
	w.key("access_token").str(p.access.text)
	w.key("refresh_token").str(p.refresh.text)
	w.key("expires_in").int(int64(p.access.expires.Sub(c.now) / time.Second))
	w.key("scope").str(strings.Join(p.access.scopes, ","))
	w.key("csrf_token").str(s.auth.secret(s.cfg.Seed))
	w.key("token_type").str("Bearer")
	w.close('}')
}

func (s *Server) demoAccess(c *call) *refusal {
	list := c.params.Get("scope_oauth2")
	if list == "" {
		return missing("scope_oauth2")
	}
	scopes := strings.Split(list, ",")
	for _, scope := range scopes {
		if !slices.Contains(knownScopes, scope) {
			return invalid("scope_oauth2")
		}
	}
	if refused := s.client(c, false); refused != nil {
		return refused
	}
	if len(s.users) == 0 {
		return refuse(StatusInvalidParams, "Invalid Params: there is no demo user")
	}
	p := s.auth.issue(s.users[0].id, scopes, nil, c.now, s.cfg)
	c.body.open('{')
	c.body.key("access_token").str(p.access.text)
	c.body.key("refresh_token").str(p.refresh.text)
	c.body.key("expires_in").int(int64(p.access.expires.Sub(c.now) / time.Second))
	c.body.close('}')
	return nil
}

func (s *Server) revoke(c *call) *refusal {
	userID, present, refused := c.integer("userid")
	if refused != nil {
		return refused
	}
	if !present {
		return missing("userid")
	}
	if refused := s.client(c, false); refused != nil {
		return refused
	}
	if s.byID[userID] == nil {
		return invalid("userid")
	}
	s.forget(userID)
	return nil
}

// forget ends the user's consent: tokens and subscriptions are gone.
func (s *Server) forget(userID int64) {
	s.auth.revoke(userID)
	for _, t := range s.legacy.order {
		t.revoked = t.revoked || t.userID == userID
	}
	s.subs = slices.DeleteFunc(s.subs, func(sub Subscription) bool { return sub.UserID == userID })
}

// Unlink ends the user's consent as if the user had withdrawn it on the service's own pages. Those who subscribed to news
// of the account hear of it.
func (s *Server) Unlink(userID int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mustUser(userID)
	s.enqueue(userID, appliProfile, url.Values{"action": {"unlink"}})
	s.forget(userID)
}
