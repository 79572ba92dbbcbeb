package withingstest

import (
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxForm is how many bytes of a request body are read.
const maxForm = 1 << 20

// call is one request to the API host while it is answered.
type call struct {
	method       string
	path, action string
	params       url.Values // query and form; OAuth services see the form only
	now          time.Time
	user         *user
	token        *accessToken
	legacy       bool // of the OAuth 1.0 era, whose statuses differ
	body         writer
	form         string // the answer of a token request of that era
	// commit changes the subscriptions, once the address to check, if there is one, has passed.
	commit func()
	check  string
}

// refusal is an envelope with a status other than 0.
type refusal struct {
	status  int
	message string
	wait    int // seconds; body.wait_seconds where positive
}

func refuse(status int, format string, args ...any) *refusal {
	return &refusal{status: status, message: fmt.Sprintf(format, args...)}
}

func invalid(name string) *refusal {
	return refuse(StatusInvalidParams, "Invalid Params: invalid %s", name)
}
func missing(name string) *refusal {
	return refuse(StatusInvalidParams, "Invalid Params: Missing %s", name)
}

// endpoint is one action of one service. Scope is empty for services that need no access token.
type endpoint struct {
	scope  string
	bearer bool
	serve  func(*Server, *call) *refusal
}

func (s *Server) routeTable() map[string]map[string]endpoint {
	data := func(scope string, serve func(*Server, *call) *refusal) endpoint { return endpoint{scope, true, serve} }
	open := func(serve func(*Server, *call) *refusal) endpoint { return endpoint{serve: serve} }
	return map[string]map[string]endpoint{
		OAuthPath: {
			"requesttoken":  open((*Server).requestToken),
			"getdemoaccess": open((*Server).demoAccess),
			"revoke":        open((*Server).revoke),
		},
		SignaturePath: {"getnonce": open((*Server).getNonce)},
		TokenPath:     {"requesttoken": open((*Server).requestToken)},
		MeasurePath:   {"getmeas": data(ScopeMetrics, (*Server).getMeas)},
		MeasureV2Path: {
			"getactivity":         data(ScopeActivity, (*Server).getActivity),
			"getintradayactivity": data(ScopeActivity, (*Server).getIntraday),
			"getworkouts":         data(ScopeActivity, (*Server).getWorkouts),
		},
		SleepPath: {
			"get":        data(ScopeActivity, (*Server).getSleep),
			"getsummary": data(ScopeActivity, (*Server).getSleepSummary),
		},
		HeartPath: {
			"list": data(ScopeMetrics, (*Server).listHearts),
			"get":  data(ScopeMetrics, (*Server).getHeart),
		},
		UserPath: {
			"getdevice": data(ScopeInfo, (*Server).getDevice),
			"getgoals":  data(ScopeInfo, (*Server).getGoals),
		},
		NotifyPath: {
			"subscribe": data("", (*Server).subscribe),
			"list":      data("", (*Server).listSubscriptions),
			"get":       data("", (*Server).getSubscription),
			"update":    data("", (*Server).updateSubscription),
			"revoke":    data("", (*Server).unsubscribe),
		},
	}
}

// ServeHTTP answers as the service does.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", s.cfg.Now().UTC().Format(http.TimeFormat))
	switch r.URL.Path {
	case AuthorizePath:
		s.serveAuthorize(w, r)
		return
	case LegacyAuthorizePath:
		s.serveLegacyAuthorize(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, POST")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	formErr := parseForm(r)
	c := &call{method: r.Method, path: r.URL.Path, params: r.Form, action: r.Form.Get("action")}
	switch c.path {
	case OAuthPath, SignaturePath: // these want a POST with everything in the body
		c.params, c.action = r.PostForm, r.PostForm.Get("action")
	case TokenPath:
		c.params, c.action = r.PostForm, "requesttoken"
	}
	bearer, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if bearer == "" {
		bearer = r.Form.Get("access_token")
	}
	oauth := s.readOAuth(r)
	if oauth != nil {
		bearer = oauth.protocol["oauth_token"]
	}

	f := s.takeFault(c, bearer)
	if f != nil && f.Kind.beforeWork() {
		s.log(r, c, f, -1, bearer, oauth != nil)
		f.serve(w, r, nil)
		return
	}
	f.prepare(c)
	var refused *refusal
	switch {
	case formErr != nil:
		refused = refuse(StatusInvalidParams, "Invalid Params: unreadable form")
	case c.path == LegacyRequestTokenPath || c.path == LegacyAccessTokenPath:
		refused = s.serveLegacyToken(c, oauth)
	case oauth != nil || c.path == LegacyUserPath || c.path == LegacyOncePath:
		refused = s.answerLegacy(c, oauth)
	default:
		refused = s.answer(c, bearer)
	}
	if refused == nil && c.commit != nil {
		refused = s.checkCallback(r.Context(), c)
	}
	status := StatusOK
	if refused != nil {
		status = refused.status
	}
	s.log(r, c, f, status, bearer, oauth != nil)
	text, contentType := envelope(c, refused), "application/json"
	switch {
	case refused == nil && c.form != "":
		text, contentType = []byte(c.form), "text/plain"
	case refused == nil && c.path == TokenPath:
		text = c.body.b
	}
	switch {
	case f != nil:
		f.serve(w, r, text)
	case refused != nil && c.path == TokenPath:
		accountError(w, refused.message)
	default:
		w.Header().Set("Content-Type", contentType)
		w.Write(text)
	}
}

// parseForm reads query and body, also of the multipart bodies some clients send, and of forms that do not say what
// they are.
func parseForm(r *http.Request) error {
	if r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", formType)
		defer r.Header.Del("Content-Type")
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind == "multipart/form-data" {
		return r.ParseMultipartForm(maxForm)
	}
	return r.ParseForm()
}

func envelope(c *call, refused *refusal) []byte {
	var w writer
	w.open('{')
	if refused == nil {
		w.key("status").int(StatusOK)
		w.key("body")
		if len(c.body.b) == 0 {
			w.raw("{}")
		} else {
			w.raw(string(c.body.b))
		}
	} else {
		w.key("status").int(int64(refused.status))
		w.key("body").open('{')
		if refused.wait > 0 {
			w.key("wait_seconds").int(int64(refused.wait))
		}
		w.close('}')
		w.key("error").str(refused.message)
	}
	w.close('}')
	return w.b
}

// answer does the work of a request: find the action, check who asks, and let it write its body.
func (s *Server) answer(c *call, bearer string) *refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.now = s.cfg.Now()
	actions, ok := s.routes[c.path]
	if !ok {
		return refuse(StatusNoService, "Service is not defined")
	}
	e, ok := actions[c.action]
	if !ok {
		return refuse(StatusNotImplemented, "Not implemented")
	}
	if e.bearer {
		if c.token = s.auth.access[bearer]; c.token == nil || !c.token.alive(c.now) {
			return refuse(StatusInvalidToken, "XRequestID: Not provided invalid_token: The access token provided is invalid")
		}
		s.auth.use(c.token)
		c.user = s.byID[c.token.userID]
	}
	if refused := s.gate.admit(c.now, s.cfg.RateLimit); refused != nil {
		return refused
	}
	if !c.token.has(e.scope) {
		return refuse(StatusInsufficientScope, "Insufficient_scope: the access token has no scope %s", e.scope)
	}
	if !e.bearer {
		return e.serve(s, c)
	}
	id := c.identity()
	if refused := s.gate.repeated(id, c.now); refused != nil {
		return refused
	}
	if refused := e.serve(s, c); refused != nil {
		return refused
	}
	if c.path != NotifyPath {
		s.gate.done(id, c.now, s.cfg.IdenticalCallWindow)
	}
	return nil
}

// identity is equal for two calls of one user with the same arguments.
func (c *call) identity() string {
	p := url.Values{}
	for k, v := range c.params {
		if k != "access_token" {
			p[k] = v
		}
	}
	return fmt.Sprintf("%d %s?%s", c.user.id, c.path, p.Encode())
}

// gate holds the two limits on the pace of calls.
type gate struct {
	recent   []time.Time          // admitted within the rate window, oldest first
	answered map[string]time.Time // identity of a call: until when it may not be repeated
}

func (g *gate) admit(now time.Time, limit int) *refusal {
	if limit < 0 {
		return nil
	}
	old := 0
	for old < len(g.recent) && now.Sub(g.recent[old]) >= rateWindow {
		old++
	}
	g.recent = slices.Delete(g.recent, 0, old)
	if len(g.recent) >= limit {
		return &refusal{StatusTooManyRequests, "Too Many Request", waitSeconds(g.recent[0].Add(rateWindow).Sub(now))}
	}
	g.recent = append(g.recent, now)
	return nil
}

func (g *gate) repeated(id string, now time.Time) *refusal {
	if until, ok := g.answered[id]; ok && now.Before(until) {
		return &refusal{StatusTooManyRequests, "Same arguments in less than 10 seconds", waitSeconds(until.Sub(now))}
	}
	return nil
}

func (g *gate) done(id string, now time.Time, window time.Duration) {
	if window < 0 {
		return
	}
	if len(g.answered) >= 4096 {
		for k, until := range g.answered {
			if !now.Before(until) {
				delete(g.answered, k)
			}
		}
	}
	g.answered[id] = now.Add(window)
}

func waitSeconds(d time.Duration) int { return max(1, int((d+time.Second-1)/time.Second)) }

// Request is one line of the log of the API host.
type Request struct {
	Time   time.Time
	Method string
	Path   string
	Action string
	UserID int64 // 0 when the request had no valid user
	// Params are query and form without credentials: tokens, codes, secrets, nonces and signatures are left out.
	Params url.Values
	// Legacy is set for a request of the OAuth 1.0 era.
	Legacy bool
	Status int // of the envelope; -1 when a fault answered before any work was done
	Fault  FaultKind
}

var secretParams = []string{
	"access_token", "refresh_token", "client_secret", "code", "nonce", "signature", "signal_token",
	"oauth_consumer_key", "oauth_token", "oauth_nonce", "oauth_signature", "oauth_verifier",
}

func (s *Server) log(r *http.Request, c *call, f *Fault, status int, bearer string, legacy bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	entry := Request{
		Time: s.cfg.Now(), Method: r.Method, Path: c.path, Action: c.action, Status: status, Params: url.Values{},
		UserID: s.userOf(c.params, bearer), Legacy: legacy,
	}
	for k, v := range r.Form {
		if !slices.Contains(secretParams, k) {
			entry.Params[k] = slices.Clone(v)
		}
	}
	if f != nil {
		entry.Fault = f.Kind
	}
	if len(s.requests) == maxLoggedRequest {
		s.requests = slices.Delete(s.requests, 0, maxLoggedRequest/2)
	}
	s.requests = append(s.requests, entry)
}

// Requests returns what the API host was asked, oldest first: accepted requests have Status 0, refused ones another.
// Only the most recent ones are kept, at least 50,000.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := slices.Clone(s.requests)
	for i := range out {
		p := url.Values{}
		for k, v := range out[i].Params {
			p[k] = slices.Clone(v)
		}
		out[i].Params = p
	}
	return out
}

// ResetRequests empties the log.
func (s *Server) ResetRequests() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = nil
}

// integer reads a parameter that must be a whole number when present.
func (c *call) integer(name string) (v int64, present bool, refused *refusal) {
	text := c.params.Get(name)
	if text == "" {
		return 0, false, nil
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, false, invalid(name)
	}
	return v, true, nil
}

// pair reads two parameters of which either both or none are given.
func pair[T any](first, last string, read func(string) (T, bool, *refusal)) (a, b T, present bool, refused *refusal) {
	a, okA, refused := read(first)
	if refused != nil {
		return a, b, false, refused
	}
	b, okB, refused := read(last)
	switch {
	case refused != nil:
		return a, b, false, refused
	case okA && !okB:
		return a, b, false, missing(last)
	case okB && !okA:
		return a, b, false, missing(first)
	}
	return a, b, okA, nil
}

// instants reads startdate and enddate.
func (c *call) instants() (from, to int64, present bool, refused *refusal) {
	from, to, present, refused = pair("startdate", "enddate", c.integer)
	if refused == nil && present && (from < 0 || from > to) {
		refused = invalid("startdate")
	}
	return from, to, present, refused
}

// days reads startdateymd and enddateymd.
func (c *call) days() (from, to int, present bool, refused *refusal) {
	from, to, present, refused = pair("startdateymd", "enddateymd", func(name string) (int, bool, *refusal) {
		text := c.params.Get(name)
		if text == "" {
			return 0, false, nil
		}
		day, ok := parseDay(text)
		if !ok {
			return 0, false, invalid(name)
		}
		return day, true, nil
	})
	if refused == nil && present && from > to {
		refused = invalid("startdateymd")
	}
	return from, to, present, refused
}

// dayRange is the question of the services that take a range of days or lastupdate.
type dayRange struct {
	from, to string // YYYY-MM-DD, both included; empty: all
	since    int64  // modified, included
}

func (d dayRange) covers(date string, modified int64) bool {
	return (d.from == "" || d.from <= date && date <= d.to) && modified >= d.since
}

func (c *call) daysOrLastUpdate() (dayRange, *refusal) {
	from, to, ranged, refused := c.days()
	if refused != nil {
		return dayRange{}, refused
	}
	since, updated, refused := c.integer("lastupdate")
	switch {
	case refused != nil:
		return dayRange{}, refused
	case ranged && updated:
		return dayRange{}, refuse(StatusInvalidParams, "Invalid Params: lastupdate excludes startdateymd and enddateymd")
	case ranged:
		return dayRange{from: dayText(from), to: dayText(to)}, nil
	case updated:
		return dayRange{since: since}, nil
	}
	return dayRange{}, missing("startdateymd")
}

func (c *call) offset() (int, *refusal) {
	v, _, refused := c.integer("offset")
	if refused == nil && (v < 0 || v > 1<<31) {
		refused = invalid("offset")
	}
	return int(v), refused
}

// fieldSet is the parameter data_fields, or the default of a service.
type fieldSet map[string]bool

func (f fieldSet) has(name string) bool { return f[name] }

// wanted reads data_fields. Unknown names are ignored.
func (c *call) wanted(byDefault ...string) fieldSet {
	names := byDefault
	if text := c.params.Get("data_fields"); text != "" {
		names = strings.Split(text, ",")
	}
	set := fieldSet{}
	for _, n := range names {
		set[strings.TrimSpace(n)] = true
	}
	return set
}

// rows cuts a page out of n rows: its bounds and whether more follow.
func (s *Server) rows(n, offset int) (lo, hi int, more bool) {
	lo = min(offset, n)
	hi = min(lo+s.cfg.PageSize, n)
	return lo, hi, hi < n
}
