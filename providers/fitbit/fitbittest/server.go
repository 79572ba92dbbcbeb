package fitbittest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// refusal is an answer that is an error.
type refusal struct {
	status                    int
	errorType, field, message string
	retryAfter                int  // seconds; 0 is none
	front                     bool // in the form of what is in front of the service
}

func refuse(status int, errorType, message string) *refusal {
	return &refusal{status: status, errorType: errorType, message: message}
}

func invalid(field, message string) *refusal {
	return &refusal{status: http.StatusBadRequest, errorType: "validation", field: field, message: message}
}

func notFound() *refusal {
	return refuse(http.StatusNotFound, "not_found", "The API you are requesting could not be found.")
}

// body returns the text of a refusal.
func (r *refusal) body() []byte {
	if r.front {
		return []byte(`{"error":{"code":429,"message":"Resource has been exhausted (e.g. check quota).","status":"RESOURCE_EXHAUSTED"}}`)
	}
	field := r.field
	if field == "" {
		field = "n/a"
	}
	b, _ := json.Marshal(map[string]any{
		"errors":  []any{map[string]any{"errorType": r.errorType, "fieldName": field, "message": r.message}},
		"success": false,
	})
	return b
}

// call is one request to the API host while it is answered.
type call struct {
	r       *http.Request
	now     time.Time
	version string
	path    []string // behind /1/user/-
	person  *person
	token   *accessToken
	units   units
}

// raw is an answer that is not JSON.
type raw struct {
	contentType string
	body        []byte
}

// created is an answer with another status than 200.
type created struct {
	status int
	body   any
}

func (s *Server) retired() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.cfg.RetireAt.IsZero() && !s.cfg.Now().Before(s.cfg.RetireAt)
}

// ServeHTTP answers as the service does.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	now := s.cfg.Now()
	s.mu.Unlock()
	w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
	if s.retired() {
		s.log(r, "", http.StatusGone, "")
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(http.StatusGone)
		_, _ = w.Write([]byte("<!doctype html><title>Gone</title><p>The Fitbit Web API has been turned off.</p>"))
		return
	}
	if r.URL.Path == AuthorizePath {
		s.serveAuthorize(w, r)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		s.write(w, r, "", nil, invalid("n/a", "unreadable form"), nil)
		return
	}
	bearer, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	f := s.takeFault(r.URL.Path)
	if f != nil && f.Kind.beforeWork() {
		s.log(r, bearer, -1, f.Kind)
		f.serve(w, r, nil)
		return
	}
	answer, refused, id, header := s.answer(r, bearer, f)
	for name, value := range header {
		w.Header().Set(name, value)
	}
	s.write(w, r, id, answer, refused, f)
}

// write sends the answer.
func (s *Server) write(w http.ResponseWriter, r *http.Request, id string, answer any, refused *refusal, f *Fault) {
	status, contentType := http.StatusOK, "application/json;charset=UTF-8"
	var body []byte
	switch v := answer.(type) {
	case raw:
		contentType, body = v.contentType, v.body
	case json.RawMessage:
		body = v
	case created:
		status = v.status
		if v.body != nil {
			body = encode(v.body)
		}
	case nil:
	default:
		body = encode(v)
	}
	if refused != nil {
		status, body = refused.status, refused.body()
		if refused.retryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(refused.retryAfter))
		}
	}
	s.logAs(r, id, status, f.kind())
	if f != nil {
		f.serve(w, r, body)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// encode writes JSON without escaping what HTML would want escaped.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("fitbittest: " + err.Error())
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

// answer does the work of a request.
func (s *Server) answer(r *http.Request, bearer string, f *Fault) (any, *refusal, string, map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.URL.Path {
	case TokenPath:
		v, refused := s.serveToken(r)
		return v, refused, "", nil
	case RevokePath:
		v, refused := s.serveRevoke(r)
		return v, refused, "", nil
	}
	c := &call{r: r, now: s.cfg.Now(), units: unitsOf(r.Header.Get("Accept-Language"))}
	t := s.auth.access[bearer]
	switch {
	case bearer == "":
		return nil, refuse(http.StatusUnauthorized, "oauth", "No Authorization header provided in the request."), "", nil
	case t == nil || t.revoked:
		return nil, refuse(http.StatusUnauthorized, "invalid_token", "Access token invalid"), "", nil
	case !c.now.Before(t.expires):
		return nil, refuse(http.StatusUnauthorized, "expired_token", "Access token expired"), "", nil
	}
	t.uses++
	c.token, c.person = t, s.byID[t.person]
	header, refused := s.admit(c.person.id, c.now)
	if refused != nil {
		return nil, refused, c.person.id, header
	}
	if r.URL.Path == IntrospectPath {
		v, refused := s.serveIntrospect(r, t)
		return v, refused, c.person.id, header
	}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if len(parts) < 4 || parts[1] != "user" || !slices.Contains([]string{"1", "1.1", "1.2"}, parts[0]) {
		return nil, notFound(), c.person.id, header
	}
	if parts[2] != "-" && parts[2] != c.person.id {
		return nil, refuse(http.StatusForbidden, "insufficient_permissions", "This application does not have permission to access this user's data"), c.person.id, header
	}
	c.version, c.path = parts[0], parts[3:]
	v, refused := s.route(c, f)
	return v, refused, c.person.id, header
}

// hour is the use of one person's budget in one hour.
type hour struct {
	start time.Time
	used  int
}

// admit counts a request. The budget is renewed at the top of the hour.
func (s *Server) admit(id string, now time.Time) (map[string]string, *refusal) {
	if s.cfg.RateLimit < 0 {
		return nil, nil
	}
	h := s.hours[id]
	if start := now.Truncate(time.Hour); !h.start.Equal(start) {
		h = hour{start: start}
	}
	reset := int(h.start.Add(time.Hour).Sub(now).Seconds()) + 1
	header := map[string]string{
		"Fitbit-Rate-Limit-Limit": strconv.Itoa(s.cfg.RateLimit), "Fitbit-Rate-Limit-Reset": strconv.Itoa(reset),
	}
	defer func() { s.hours[id] = h }()
	if h.used >= s.cfg.RateLimit {
		header["Fitbit-Rate-Limit-Remaining"] = "0"
		s.refusals++
		refused := refuse(http.StatusTooManyRequests, "system", "Too Many Requests")
		refused.retryAfter = reset
		refused.front = s.cfg.FrontRefusal && s.refusals%2 == 0
		return header, refused
	}
	h.used++
	header["Fitbit-Rate-Limit-Remaining"] = strconv.Itoa(s.cfg.RateLimit - h.used)
	return header, nil
}

// Request is one line of the log.
type Request struct {
	Time     time.Time
	Method   string
	Path     string
	Query    url.Values // without tokens, codes and secrets
	PersonID string     // empty when the request had no valid token
	Status   int        // -1 when a fault answered before any work was done
	Fault    FaultKind
}

func secretParams() []string {
	return []string{"code", "refresh_token", "token", "code_verifier", "client_secret", "access_token"}
}

func (s *Server) log(r *http.Request, bearer string, status int, fault FaultKind) {
	s.mu.Lock()
	id := ""
	if t := s.auth.access[bearer]; t != nil {
		id = t.person
	}
	s.mu.Unlock()
	s.logAs(r, id, status, fault)
}

func (s *Server) logAs(r *http.Request, id string, status int, fault FaultKind) {
	s.mu.Lock()
	defer s.mu.Unlock()
	entry := Request{Time: s.cfg.Now(), Method: r.Method, Path: r.URL.Path, Query: r.URL.Query(), PersonID: id, Status: status, Fault: fault}
	for _, name := range secretParams() {
		entry.Query.Del(name)
	}
	if len(s.requests) == maxLogged {
		s.requests = slices.Delete(s.requests, 0, maxLogged/2)
	}
	s.requests = append(s.requests, entry)
}

// Requests returns what the service was asked, oldest first. Only the most recent ones are kept, at least 50,000.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// ResetRequests empties the log.
func (s *Server) ResetRequests() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = nil
}
