package terratest

import (
	"bytes"
	"crypto/subtle"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// object is a JSON object.
type object = map[string]any

// call is one request to the API host while it is answered.
type call struct {
	r      *http.Request
	path   string // without the version
	vars   []string
	query  url.Values
	body   []byte
	legacy bool // errors and answers in the older wording
	now    time.Time
}

// reply is an answer of the API host.
type reply struct {
	status int
	header map[string]string
	body   any // nil is no body
	problem
}

// problem is a refusal before it is worded.
type problem struct {
	title, detail string
	code          string // of problem details, if there is one
	plain         bool   // problem details under the media type application/json
}

func ok(body any) reply { return reply{status: http.StatusOK, body: body} }

func refuse(status int, detail string) reply {
	title := strings.ToLower(http.StatusText(status))
	return reply{status: status, problem: problem{title: title, detail: detail}}
}

func badRequest(detail string) reply { return refuse(http.StatusBadRequest, detail) }
func invalid(name string) reply      { return badRequest("invalid " + name) }
func notFound(detail string) reply   { return refuse(http.StatusNotFound, detail) }

// text is the reply as it is sent, with its media type.
func (p reply) text(c *call) (body []byte, contentType string) {
	v := p.body
	contentType = "application/json"
	switch {
	case p.title == "" && v == nil:
		return nil, ""
	case p.title == "":
	case p.status == http.StatusTooManyRequests:
		v = object{"detail": p.detail}
	case !c.legacy:
		if !p.plain {
			contentType = "application/problem+json"
		}
		told := object{"type": "about:blank", "title": p.title, "instance": c.path, "detail": p.detail}
		if p.code != "" {
			told["code"] = p.code
		}
		v = told
	case p.status == http.StatusUnauthorized && p.detail == "unauthorized":
		v = object{"message": p.detail}
	default:
		v = object{"status": "error", "message": p.detail}
	}
	if made, ok := v.(encoded); ok {
		return made, contentType
	}
	return marshal(v), contentType
}

// marshal writes JSON as the service does: no HTML escapes, no final newline.
func marshal(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("terratest: " + err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// endpoint is one operation of the API host. A star in the path is one variable element.
type endpoint struct {
	method, path string
	open         bool // needs no credentials
	product      Product
	serve        func(*Server, *call) reply
}

func endpoints() []endpoint {
	list := []endpoint{
		{method: "GET", path: "/integrations", open: true, serve: (*Server).getIntegrations},
		{method: "GET", path: "/integrations/detailed", open: true, serve: (*Server).getIntegrationsDetailed},
		{method: "POST", path: "/auth/authenticateUser", serve: (*Server).authenticateUser},
		{method: "POST", path: "/auth/generateWidgetSession", serve: (*Server).generateWidgetSession},
		{method: "DELETE", path: "/auth/deauthenticateUser", serve: (*Server).deauthenticateUser},
		{method: "POST", path: "/auth/generateAuthToken", serve: (*Server).generateAuthToken},
		{method: "GET", path: "/userInfo", serve: (*Server).userInfo},
		{method: "GET", path: "/subscriptions", serve: (*Server).subscriptions},
		{method: "POST", path: "/bulkUserInfo", serve: (*Server).bulkUserInfo},
		{method: "PATCH", path: "/users/*", serve: (*Server).patchUser},
		{method: "GET", path: "/athlete", serve: (*Server).getAthlete},
		{method: "POST", path: "/plannedWorkout", serve: (*Server).postPlannedWorkout},
		{method: "GET", path: "/plannedWorkout", serve: (*Server).getPlannedWorkout},
		{method: "DELETE", path: "/plannedWorkout", serve: (*Server).deletePlannedWorkout},
		{method: "POST", path: "/workouts", serve: (*Server).postTemplate},
		{method: "GET", path: "/workouts", serve: (*Server).listTemplates},
		{method: "GET", path: "/workouts/*", serve: (*Server).getTemplate},
		{method: "DELETE", path: "/workouts/*", serve: (*Server).deleteTemplate},
		{method: "POST", path: "/workouts/*/plan", product: ProductPlannedWorkouts, serve: (*Server).planTemplate},
		{method: "GET", path: "/plannedWorkouts", serve: (*Server).listPlanned},
		{method: "GET", path: "/plannedWorkouts/*", serve: (*Server).getPlanned},
		{method: "PATCH", path: "/plannedWorkouts/*", product: ProductPlannedWorkouts, serve: (*Server).patchPlanned},
		{method: "DELETE", path: "/plannedWorkouts/*", serve: (*Server).deletePlanned},
		{method: "POST", path: "/lab-reports", product: ProductLabReports, serve: (*Server).postLabReport},
		{method: "GET", path: "/lab-reports", product: ProductLabReports, serve: (*Server).listLabReports},
		{method: "GET", path: "/lab-reports/*", product: ProductLabReports, serve: (*Server).getLabReport},
		{method: "DELETE", path: "/lab-reports/*", product: ProductLabReports, serve: (*Server).deleteLabReport},
		{method: "GET", path: "/lab-reports/*/deliveries", product: ProductLabReports, serve: (*Server).getLabDeliveries},
		{method: "GET", path: "/lab-reports/*/files", product: ProductLabReports, serve: (*Server).getLabFiles},
		{method: "GET", path: "/models", product: ProductModels, serve: (*Server).listModels},
		{method: "GET", path: "/models/run", product: ProductModels, serve: (*Server).runModel},
		{method: "POST", path: "/activity", serve: (*Server).postData},
		{method: "POST", path: "/body", serve: (*Server).postData},
		{method: "POST", path: "/nutrition", serve: (*Server).postData},
		{method: "DELETE", path: "/body", serve: (*Server).deleteData},
		{method: "DELETE", path: "/nutrition", serve: (*Server).deleteData},
	}
	for _, kind := range DayKinds() {
		list = append(list, endpoint{method: "GET", path: "/" + string(kind), serve: (*Server).getData})
	}
	return list
}

// match returns the endpoint of a request; found tells whether the path exists with another method.
func match(method, path string) (e endpoint, vars []string, found bool) {
	elements := strings.Split(path, "/")
	for _, e := range endpoints() {
		pattern := strings.Split(e.path, "/")
		if len(pattern) != len(elements) {
			continue
		}
		var vars []string
		fits := true
		for i, p := range pattern {
			switch {
			case p == "*" && elements[i] != "":
				vars = append(vars, elements[i])
			case p != elements[i]:
				fits = false
			}
		}
		if fits {
			found = true
			if e.method == method {
				return e, vars, true
			}
		}
	}
	return endpoint{}, nil, found
}

// ServeHTTP answers as the hosts of the service do.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.learn(r)
	path := r.URL.Path
	switch {
	case path == WidgetPath || path == "/widget/api/session":
		s.serveAPI(w, r, path, (*Server).newWidgetSession)
	case path == ConsumerPath || path == ProducerPath:
		s.serveAPI(w, r, path, (*Server).streamToken)
	case path == StreamPath:
		s.serveStream(w, r)
	case strings.HasPrefix(path, SessionPath):
		s.serveSession(w, r)
	case strings.HasPrefix(path, ConsentPath):
		s.serveConsent(w, r)
	case strings.HasPrefix(path, PayloadPath):
		s.servePayload(w, r)
	default:
		s.serveAPI(w, r, path, nil)
	}
}

// learn takes the base address from a request if none was configured.
func (s *Server) learn(r *http.Request) {
	if s.cfg.BaseURL != "" || r.Host == "" {
		return
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	full, _, _ := strings.Cut(r.RequestURI, "?")
	prefix, cut := strings.CutSuffix(full, r.URL.Path) // what http.StripPrefix took away
	if !cut || strings.Contains(prefix, "://") {
		prefix = ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.baseURL = scheme + "://" + r.Host + prefix
}

// serveAPI answers a request of the API host, or one of another host by the given function.
func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request, path string, serve func(*Server, *call) reply) {
	c := &call{r: r, path: path, query: r.URL.Query()}
	versioned := false
	for _, version := range []string{APIPath, LegacyAPIPath} {
		if rest, cut := strings.CutPrefix(path, version+"/"); cut && serve == nil {
			c.path, versioned, c.legacy = "/"+rest, true, version == LegacyAPIPath
			break
		}
	}
	if s.cfg.Errors != ErrorsByPath {
		c.legacy = s.cfg.Errors == ErrorsLegacy
	}
	var readErr error
	c.body, readErr = io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))

	f := s.takeFault(c.path, c.query.Get("user_id"))
	if f != nil && f.Kind.beforeWork() {
		s.log(c, f, -1, nil)
		f.serve(s, w, r, nil, "")
		return
	}
	var p reply
	var reference string
	s.mu.Lock()
	c.now = s.now()
	reference = s.uuid()
	switch {
	case readErr != nil:
		p = badRequest("unreadable body")
	case serve != nil:
		p = serve(s, c)
	case !versioned:
		p = notFound("not found")
	default:
		p = s.answer(c)
	}
	s.mu.Unlock()

	w.Header().Set("Date", c.now.UTC().Format(http.TimeFormat))
	if w.Header().Get("terra-reference") == "" {
		w.Header().Set("terra-reference", reference)
	}
	for k, v := range p.header {
		w.Header().Set(k, v)
	}
	text, contentType := p.text(c)
	s.log(c, f, p.status, text)
	if f != nil {
		f.serve(s, w, r, text, contentType)
		return
	}
	if contentType != "" {
		w.Header().Set("Content-Type", contentType)
	}
	w.WriteHeader(p.status)
	w.Write(text)
}

// answer finds the endpoint, checks who asks, and lets it work. s.mu is held.
func (s *Server) answer(c *call) reply {
	e, vars, found := match(c.r.Method, c.path)
	switch {
	case !found:
		return notFound("not found")
	case e.serve == nil:
		return refuse(http.StatusMethodNotAllowed, "method not allowed")
	}
	c.vars = vars
	if !e.open {
		if refused := s.admit(c.r); refused != nil {
			if devID := c.r.Header.Get("dev-id"); c.legacy && e.path == "/auth/generateAuthToken" && devID != "" && !same(devID, s.cfg.DevID) {
				return notFound("Invalid dev-id was provided") // this one call says so
			}
			return *refused
		}
	}
	if e.product != "" && slices.Contains(s.cfg.DisabledProducts, e.product) {
		p := refuse(http.StatusForbidden, "the product is not enabled for this environment")
		p.code, p.plain = "entitlement_required", e.product == ProductLabReports
		return p
	}
	return e.serve(s, c)
}

// admit checks the credentials of a request.
func (s *Server) admit(r *http.Request) *reply {
	devID, key := r.Header.Get("dev-id"), r.Header.Get("x-api-key")
	var p reply
	switch {
	case devID == "" || key == "":
		p = refuse(http.StatusUnauthorized, "dev-id or x-api-key headers are missing")
	case !same(devID, s.cfg.DevID) || !same(key, s.cfg.APIKey):
		p = refuse(http.StatusUnauthorized, "unauthorized")
	default:
		return nil
	}
	return &p
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// flag reads a boolean parameter. Clients write true, True and 1.
func (c *call) flag(name string, byDefault bool) (bool, *reply) {
	switch strings.ToLower(c.query.Get(name)) {
	case "":
		return byDefault, nil
	case "true", "1":
		return true, nil
	case "false", "0":
		return false, nil
	}
	p := invalid(name)
	return false, &p
}

// whole reads a parameter that must be a whole number of at least low when present.
func (c *call) whole(name string, byDefault, low int) (int, *reply) {
	text := c.query.Get(name)
	if text == "" {
		return byDefault, nil
	}
	v, err := strconv.Atoi(text)
	if err != nil || v < low {
		p := invalid(name)
		return 0, &p
	}
	return v, nil
}

// decode reads a JSON body; an empty one is allowed where optional is set.
func (c *call) decode(into any, optional bool) *reply {
	if len(bytes.TrimSpace(c.body)) == 0 && optional {
		return nil
	}
	if err := json.Unmarshal(c.body, into); err != nil {
		p := badRequest("invalid request body")
		return &p
	}
	return nil
}

// Request is one line of the log of the API host, of the token endpoints and of payload links.
type Request struct {
	Time   time.Time
	Method string
	Path   string // without the version, such as /daily
	UserID string // the parameter user_id
	Query  url.Values
	Body   []byte // of the request
	Status int    // -1 when a fault answered before any work was done
	Fault  FaultKind
	Answer int // length of the proper answer, in bytes
}

func (s *Server) log(c *call, f *Fault, status int, answer []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	entry := Request{
		Time: s.now(), Method: c.r.Method, Path: c.path, UserID: c.query.Get("user_id"), Query: c.query, Body: c.body, Status: status, Answer: len(answer),
	}
	if f != nil {
		entry.Fault = f.Kind
	}
	if len(s.requests) == maxLoggedRequest {
		s.requests = slices.Delete(s.requests, 0, maxLoggedRequest/2)
	}
	s.requests = append(s.requests, entry)
}

// Requests returns what was asked, oldest first. Only the most recent ones are kept, at least 50,000. Credentials are
// in headers and therefore not part of it.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// ResetRequests empties the log of requests.
func (s *Server) ResetRequests() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = nil
}
