package googlehealthtest

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// FaultKind is a way to misbehave.
type FaultKind string

// The faults. Those of the first group strike before any work is done.
const (
	FaultStatus   FaultKind = "status"   // the error Fault.Status with Fault.Reason; Retry-After if Fault.Wait is set
	FaultHang     FaultKind = "hang"     // no answer until the client gives up
	FaultReset    FaultKind = "reset"    // connection reset
	FaultRedirect FaultKind = "redirect" // 302 to another host
	FaultHTML     FaultKind = "html"     // 200 with a web page
	FaultEmpty    FaultKind = "empty"    // 200 without a body

	FaultLost       FaultKind = "lost"        // the work is done and the answer is lost
	FaultTruncate   FaultKind = "truncate"    // half of the JSON text, cleanly ended
	FaultRewrite    FaultKind = "rewrite"     // whatever Fault.Rewrite makes of the answer
	FaultRepeatPage FaultKind = "repeat-page" // always the first page, and always another one
)

// Fault is a misbehaviour to be shown to matching requests. The consent page is not affected.
type Fault struct {
	Kind FaultKind
	// Path is a part of the path of the requests that are affected; empty is all.
	Path string
	// Count is how many requests are affected; 0 means one.
	Count int
	// Skip is how many matching requests are left alone before.
	Skip    int
	Status  int    // of FaultStatus; 0 means 500
	Reason  string // of FaultStatus
	Wait    time.Duration
	Rewrite func(answer []byte) []byte
}

// Fault has the next matching requests meet a misbehaviour. Faults are used up in the order in which they came.
func (s *Server) Fault(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.Count = max(1, f.Count)
	s.faults = append(s.faults, &f)
}

// ClearFaults forgets all faults.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

func (s *Server) takeFault(r *http.Request) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if !strings.Contains(r.URL.Path, f.Path) {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			return nil
		}
		if f.Count--; f.Count == 0 {
			s.faults = slices.Delete(s.faults, i, i+1)
		}
		c := *f
		return &c
	}
	return nil
}

// statuses are the words for HTTP statuses.
var statuses = map[int]string{
	400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED",
	500: "INTERNAL", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
}

// serve answers in the place of the service; false if the work is to be done first.
func (f *Fault) serve(w http.ResponseWriter, r *http.Request) bool {
	switch f.Kind {
	case FaultStatus:
		status := f.Status
		if status == 0 {
			status = http.StatusInternalServerError
		}
		if f.Wait > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(f.Wait/time.Second)))
		}
		write(w, status, refuse(status, statuses[status], f.Reason, "fault").body())
	case FaultHang:
		<-r.Context().Done()
	case FaultReset:
		panic(http.ErrAbortHandler)
	case FaultRedirect:
		http.Redirect(w, r, "https://elsewhere.example.net/", http.StatusFound)
	case FaultHTML:
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<!doctype html><title>Sign in</title>"))
	case FaultEmpty:
		w.WriteHeader(http.StatusOK)
	default:
		return false
	}
	return true
}

// spoil changes or loses an answer.
func (f *Fault) spoil(answer *[]byte) {
	switch f.Kind {
	case FaultLost:
		panic(http.ErrAbortHandler)
	case FaultTruncate:
		*answer = (*answer)[:len(*answer)/2]
	case FaultRewrite:
		*answer = f.Rewrite(bytes.Clone(*answer))
	}
}

// Request is one line of the log.
type Request struct {
	Time   time.Time
	Method string
	Path   string
	// Query is the query without tokens; Body is that of rollups.
	Query  url.Values
	Body   string
	Status int // 0 when a fault answered
	Fault  FaultKind
}

// maxLogged is how many requests are kept.
const maxLogged = 100_000

func (s *Server) note(r *http.Request, body []byte, status int, f *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	entry := Request{Time: s.cfg.Now(), Method: r.Method, Path: r.URL.Path, Query: r.URL.Query(), Status: status}
	entry.Query.Del("token")
	if strings.HasPrefix(r.URL.Path, "/v4/users") {
		entry.Body = string(body)
	}
	if f != nil {
		entry.Fault = f.Kind
	}
	if len(s.requests) == maxLogged {
		s.requests = slices.Delete(s.requests, 0, maxLogged/2)
	}
	s.requests = append(s.requests, entry)
}

// Requests returns what the service was asked, oldest first: the most recent ones, at least 50,000.
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

// Presented is a code or a token and how often it was presented.
type Presented struct {
	Text   string
	UserID string
	Times  int
}

// Ledger tells what was minted and how often each was presented, in the order of minting.
type Ledger struct{ Codes, Access, Refresh []Presented }

// Ledger returns what was minted so far.
func (s *Server) Ledger() Ledger {
	s.mu.Lock()
	defer s.mu.Unlock()
	var l Ledger
	for _, c := range s.auth.codes {
		l.Codes = append(l.Codes, Presented{c.text, c.user, c.presented})
	}
	for _, g := range s.auth.grants {
		l.Refresh = append(l.Refresh, Presented{g.refresh, g.user, g.presented})
		for _, t := range g.tokens {
			l.Access = append(l.Access, Presented{t.text, g.user, t.presented})
		}
	}
	return l
}
