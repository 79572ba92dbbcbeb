package terratest

import (
	"errors"
	"fmt"
	"html"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// flow is one attempt of a person to connect one provider.
type flow struct {
	id        string
	user      *user // pending
	session   *widgetSession
	redirects redirects
	done      bool
}

type redirects struct {
	Success string `json:"auth_success_redirect_url"`
	Failure string `json:"auth_failure_redirect_url"`
}

type widgetSession struct {
	id        string
	expires   time.Time
	used      bool
	providers []string
	reference string
	redirects redirects
}

type mobileToken struct {
	text    string
	expires time.Time
	used    bool
}

// check refuses addresses that the service does not redirect to.
func (r redirects) check(s *Server) *reply {
	for _, given := range [][2]string{{"auth_success_redirect_url", r.Success}, {"auth_failure_redirect_url", r.Failure}} {
		name, address := given[0], given[1]
		if address == "" {
			continue
		}
		u, err := url.Parse(address)
		allowed := err == nil && u.Host != "" && u.User == nil && u.Scheme == "https"
		if err == nil && s.cfg.AllowLoopback && loopback(u.Hostname()) && (u.Scheme == "http" || u.Scheme == "https") {
			allowed = true
		}
		if !allowed {
			p := invalid(name)
			return &p
		}
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (s *Server) authenticateUser(c *call) reply {
	var body struct {
		redirects
		Resource    string `json:"resource"`
		Language    string `json:"language"`
		ReferenceID string `json:"reference_id"`
	}
	if refused := c.decode(&body, true); refused != nil {
		return *refused
	}
	resource := c.query.Get("resource")
	if resource == "" {
		resource = body.Resource
	}
	switch {
	case resource == "":
		return badRequest("resource is required")
	case !slices.Contains(s.providers, resource):
		return notFound("invalid resource")
	case s.full():
		return refuse(http.StatusForbidden, "User Limit Reached")
	}
	if refused := body.check(s); refused != nil {
		return *refused
	}
	f := s.newFlow(resource, body.ReferenceID, body.redirects, nil)
	return ok(object{"status": "success", "user_id": f.user.id, "auth_url": s.baseURL + ConsentPath + f.id})
}

func (s *Server) full() bool { return s.cfg.UserLimit > 0 && s.active() >= s.cfg.UserLimit }

func (s *Server) newFlow(provider, reference string, r redirects, session *widgetSession) *flow {
	f := &flow{id: s.secret(16), user: s.mint(provider, reference), session: session, redirects: r}
	s.flows[f.id] = f
	return f
}

func (s *Server) generateWidgetSession(c *call) reply {
	if s.cfg.RetireWidget {
		return refuse(http.StatusGone, "generateWidgetSession is deprecated, use POST /api/widget/session")
	}
	w, refused := s.openSession(c)
	if refused != nil {
		return *refused
	}
	return ok(object{
		"status": "success", "session_id": w.id, "url": s.baseURL + SessionPath + w.id, "expires_in": int(sessionLife / time.Second),
	})
}

// newWidgetSession is the successor of generateWidgetSession; its errors are {message, status}.
func (s *Server) newWidgetSession(c *call) reply {
	fail := func(status int, detail string) reply {
		return reply{status: status, body: object{"message": detail, "status": "error"}}
	}
	if c.r.Method != http.MethodPost {
		return fail(http.StatusMethodNotAllowed, "method not allowed")
	}
	if refused := s.admit(c.r); refused != nil {
		return fail(http.StatusForbidden, refused.detail)
	}
	w, refused := s.openSession(c)
	if refused != nil {
		return fail(refused.status, refused.detail)
	}
	return ok(object{"session_id": w.id, "url": s.baseURL + SessionPath + w.id})
}

func (s *Server) openSession(c *call) (*widgetSession, *reply) {
	var body struct {
		redirects
		Providers   string `json:"providers"`
		Language    string `json:"language"`
		ReferenceID string `json:"reference_id"`
	}
	if refused := c.decode(&body, true); refused != nil {
		return nil, refused
	}
	if refused := body.check(s); refused != nil {
		return nil, refused
	}
	w := &widgetSession{id: s.uuid(), expires: c.now.Add(sessionLife), reference: body.ReferenceID, redirects: body.redirects}
	for p := range strings.SplitSeq(body.Providers, ",") {
		p = strings.TrimSpace(p)
		switch {
		case p == "":
		case !s.known(p):
			refused := invalid("providers")
			return nil, &refused
		default:
			w.providers = append(w.providers, p)
		}
	}
	if w.providers == nil {
		w.providers = s.providers
		if s.cfg.Providers != nil {
			w.providers = slices.DeleteFunc(slices.Clone(s.providers), func(p string) bool { return !slices.Contains(s.cfg.Providers, p) })
		}
	}
	s.sessions[w.id] = w
	return w, nil
}

func (s *Server) generateAuthToken(c *call) reply {
	t := &mobileToken{text: s.secret(32), expires: c.now.Add(tokenLife)}
	s.tokens[t.text] = t
	return ok(object{"status": "success", "token": t.text, "expires_in": int(tokenLife / time.Second)})
}

// ConnectMobile plays a mobile SDK that opens a connection with a token of generateAuthToken: the token is single use and
// lives 180 seconds. The user is active at once, and the auth event is sent.
func (s *Server) ConnectMobile(token string, cfg UserConfig) (User, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tokens[token]
	switch {
	case t == nil:
		return User{}, errors.New("terratest: unknown token")
	case t.used:
		return User{}, errors.New("terratest: the token was used")
	case !s.now().Before(t.expires):
		return User{}, errors.New("terratest: the token has expired")
	case !slices.Contains(s.sdk, cfg.Provider):
		return User{}, fmt.Errorf("terratest: %s is not connected through a mobile SDK", cfg.Provider)
	case s.full():
		return User{}, errors.New("terratest: User Limit Reached")
	}
	t.used = true
	u := s.mint(cfg.Provider, cfg.ReferenceID)
	s.connect(u, nil, cfg)
	return u.public(), nil
}

// connect activates a pending user and announces it. An account that is connected already is a reauthentication: the
// former user is replaced.
func (s *Server) connect(u *user, f *flow, cfg UserConfig) {
	s.activate(u, cfg)
	for _, old := range s.users {
		if old == u || old.provider != u.provider || old.account != u.account || old.state == StatePending {
			continue
		}
		old.state = StateRevoked
		s.remove(old)
		s.emit(emission{kind: "user_reauth", user: u, body: object{
			"type": "user_reauth", "status": "warning", "message": "User has reauthenticated and old ID has been deleted",
			"version": DataVersion, "old_user": old.json(), "new_user": u.json(),
		}})
		break
	}
	s.emit(emission{kind: "auth", user: u, body: s.authEvent(u, f)})
}

func (s *Server) authEvent(u *user, f *flow) object {
	ev := object{
		"type": "auth", "status": "success", "message": "User has successfully authenticated", "version": DataVersion,
		"user": u.json(), "widget_session_id": nil,
	}
	if f != nil && f.session != nil {
		ev["widget_session_id"] = f.session.id
	}
	if !s.cfg.CancelledEvents {
		ev["reference_id"] = textOrNull(u.reference)
	} else if f != nil {
		ev["flow_id"] = f.id
	}
	return ev
}

// decide ends a flow and returns where the browser goes; empty if nowhere. s.mu is held.
func (s *Server) decide(f *flow, allow bool, account string) string {
	f.done = true
	u := f.user
	if f.session != nil {
		f.session.used = true
	}
	query := url.Values{"resource": {u.provider}}
	if u.reference != "" {
		query.Set("reference_id", u.reference)
	}
	if allow && !s.full() {
		s.connect(u, f, UserConfig{Account: account})
		query.Set("user_id", u.id)
		return withQuery(f.redirects.Success, query)
	}
	reason := "access_denied"
	if allow {
		reason = "user_limit_reached"
	}
	s.remove(u)
	if s.cfg.CancelledEvents {
		s.emit(emission{kind: "auth_cancelled", body: object{
			"type": "auth_cancelled", "status": "error", "flow_id": f.id, "reason": reason, "reference_id": textOrNull(u.reference),
		}})
	} else {
		ev := object{
			"type": "auth", "status": "error", "message": "User failed to authenticate and has been deleted", "reason": reason, "version": DataVersion,
			"user": object{"user_id": u.id, "provider": u.provider}, "reference_id": textOrNull(u.reference), "widget_session_id": nil,
		}
		if f.session != nil {
			ev["widget_session_id"] = f.session.id
		}
		s.emit(emission{kind: "auth", user: u, body: ev})
	}
	query.Set("reason", reason)
	return withQuery(f.redirects.Failure, query)
}

// withQuery adds parameters to an address that was checked before.
func withQuery(address string, add url.Values) string {
	u, err := url.Parse(address)
	if address == "" || err != nil {
		return ""
	}
	q := u.Query()
	for k, v := range add {
		q[k] = v
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// Decision is what a person does on the consent page.
type Decision struct {
	Deny bool
	// Account is the person's account at the provider; see [UserConfig].
	Account string
}

// Consent decides on the consent page whose address was the auth_url of authenticateUser or came from
// [Server.ChooseProvider]. It returns where the browser is sent, nil if no redirect address was given.
func (s *Server) Consent(authURL string, d Decision) (*url.URL, error) {
	_, id, found := strings.Cut(authURL, ConsentPath)
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.flows[id]
	if !found || f == nil || f.done {
		return nil, errors.New("terratest: no such consent page")
	}
	to := s.decide(f, !d.Deny, d.Account)
	if to == "" {
		return nil, nil
	}
	return url.Parse(to)
}

// ChooseProvider picks a provider on the page of a widget session and returns the address of the consent page.
func (s *Server) ChooseProvider(sessionURL, provider string) (string, error) {
	_, id, _ := strings.Cut(sessionURL, SessionPath)
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.sessions[id]
	if w == nil || w.used || !s.now().Before(w.expires) {
		return "", errors.New("terratest: the widget session has ended")
	}
	if !slices.Contains(w.providers, provider) {
		return "", fmt.Errorf("terratest: the widget does not offer %s", provider)
	}
	return s.baseURL + ConsentPath + s.newFlow(provider, w.reference, w.redirects, w).id, nil
}

// serveSession shows the providers of a widget session, and goes on to the consent page of the chosen one.
func (s *Server) serveSession(w http.ResponseWriter, r *http.Request) {
	id, provider, chosen := strings.Cut(strings.TrimPrefix(r.URL.Path, SessionPath), "/")
	s.mu.Lock()
	defer s.mu.Unlock()
	session := s.sessions[id]
	switch {
	case r.Method != http.MethodGet:
		page(w, http.StatusMethodNotAllowed, "Method not allowed", "")
	case session == nil:
		page(w, http.StatusNotFound, "No such session", "")
	case session.used || !s.now().Before(session.expires):
		page(w, http.StatusGone, "This session has ended", "")
	case !chosen:
		var list strings.Builder
		for _, p := range session.providers {
			fmt.Fprintf(&list, `<li><a href="%s">%s</a></li>`, html.EscapeString(s.baseURL+SessionPath+id+"/"+url.PathEscape(p)), html.EscapeString(p))
		}
		page(w, http.StatusOK, "Choose a provider", "<ul>"+list.String()+"</ul>")
	case !slices.Contains(session.providers, provider):
		page(w, http.StatusNotFound, "No such provider", "")
	default:
		f := s.newFlow(provider, session.reference, session.redirects, session)
		http.Redirect(w, r, s.baseURL+ConsentPath+f.id, http.StatusFound)
	}
}

// serveConsent shows the consent page and takes the decision.
func (s *Server) serveConsent(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.flows[strings.TrimPrefix(r.URL.Path, ConsentPath)]
	switch {
	case f == nil:
		page(w, http.StatusNotFound, "No such page", "")
		return
	case f.done:
		page(w, http.StatusGone, "This page was used", "")
		return
	case r.Method == http.MethodGet && !s.cfg.AutoApprove:
		page(w, http.StatusOK, f.user.provider+" asks for your consent",
			`<form method="post"><p><label>Account <input name="account"></label></p>`+
				`<button name="decision" value="allow">Allow</button> <button name="decision" value="deny">Deny</button></form>`)
		return
	case r.Method != http.MethodGet && r.Method != http.MethodPost:
		page(w, http.StatusMethodNotAllowed, "Method not allowed", "")
		return
	}
	allow := r.Method == http.MethodGet
	if !allow {
		r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
		switch r.PostFormValue("decision") {
		case "allow":
			allow = true
		case "deny":
		default:
			page(w, http.StatusBadRequest, "No decision", "")
			return
		}
	}
	if to := s.decide(f, allow, r.PostFormValue("account")); to != "" {
		http.Redirect(w, r, to, http.StatusSeeOther)
		return
	}
	page(w, http.StatusOK, map[bool]string{true: "You are connected", false: "You are not connected"}[allow], "")
}

func page(w http.ResponseWriter, status int, title, content string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	title = html.EscapeString(title)
	fmt.Fprintf(w, "<!DOCTYPE html><html><head><title>%s</title></head><body><h1>%s</h1>%s</body></html>", title, title, content)
}
