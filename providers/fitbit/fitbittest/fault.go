package fitbittest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// FaultKind is a way to misbehave.
type FaultKind string

// The kinds of faults.
const (
	FaultStatus      FaultKind = "status"       // answers Status, with ErrorType if it has one
	FaultBodyError   FaultKind = "body-error"   // answers 200 with an error in the body
	FaultReset       FaultKind = "reset"        // breaks the connection
	FaultHang        FaultKind = "hang"         // does not answer as long as the client waits
	FaultTruncate    FaultKind = "truncate"     // half of the answer
	FaultHTML        FaultKind = "html"         // 200 with a web page
	FaultRedirect    FaultKind = "redirect"     // 302 to another host
	FaultRepeatPage  FaultKind = "repeat-page"  // lists announce a page that was there before
	FaultForeignLink FaultKind = "foreign-link" // lists announce a page at another host
)

// Fault makes requests fail.
type Fault struct {
	Kind FaultKind
	// Path, if set, is what the path of a request must contain.
	Path string
	// Count is how many requests fail; 0 means 1.
	Count int
	// Status, ErrorType and RetryAfter are for FaultStatus and FaultBodyError.
	Status     int
	ErrorType  string
	RetryAfter time.Duration
	// Front gives the error the form of what is in front of the service.
	Front bool
}

// Fault arms a fault. Of several the first that matches a request is used.
func (s *Server) Fault(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.Count == 0 {
		f.Count = 1
	}
	s.faults = append(s.faults, &f)
}

// ClearFaults takes all faults back.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

func (s *Server) takeFault(path string) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if !strings.Contains(path, f.Path) {
			continue
		}
		taken := *f
		if f.Count--; f.Count <= 0 {
			s.faults = slices.Delete(s.faults, i, i+1)
		}
		return &taken
	}
	return nil
}

func (k FaultKind) beforeWork() bool {
	switch k {
	case FaultStatus, FaultBodyError, FaultReset, FaultHang, FaultHTML, FaultRedirect:
		return true
	}
	return false
}

func (f *Fault) kind() FaultKind {
	if f == nil {
		return ""
	}
	return f.Kind
}

// serve answers with the fault; body is the answer that would have been.
func (f *Fault) serve(w http.ResponseWriter, r *http.Request, body []byte) {
	refused := &refusal{status: f.Status, errorType: f.ErrorType, message: "injected", front: f.Front}
	switch f.Kind {
	case FaultStatus:
		if f.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(f.RetryAfter.Seconds())))
		}
		if f.ErrorType == "" && !f.Front {
			w.WriteHeader(f.Status)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(f.Status)
		_, _ = w.Write(refused.body())
	case FaultBodyError:
		if f.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(f.RetryAfter.Seconds())))
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(refused.body())
	case FaultReset:
		panic(http.ErrAbortHandler)
	case FaultHang:
		<-r.Context().Done()
	case FaultHTML:
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<!doctype html><title>Sign in</title>"))
	case FaultRedirect:
		http.Redirect(w, r, "https://elsewhere.example.net/", http.StatusFound)
	case FaultTruncate:
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body[:len(body)/2])
	default:
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	}
}
