package terratest

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"time"
)

// FaultKind is a way to misbehave.
type FaultKind string

// Faults that strike before the service does any work.
const (
	FaultHTTP     FaultKind = "http"     // HTTP status Fault.Status (500 by default) with a legacy error; Retry-After if Fault.Wait is set
	FaultError200 FaultKind = "error200" // HTTP 200 with {"status":"error","message":"..."}
	FaultHang     FaultKind = "hang"     // no answer until the client gives up
	FaultReset    FaultKind = "reset"    // connection reset
	FaultRedirect FaultKind = "redirect" // 302 to Fault.Location (https://elsewhere.example.net/ by default)
	FaultHTML     FaultKind = "html"     // HTTP 200 with a web page
	FaultEmpty    FaultKind = "empty"    // HTTP 200 without a body
	FaultHuge     FaultKind = "huge"     // HTTP 200 with valid JSON of Fault.Size bytes (64 MiB by default)
	FaultGateway  FaultKind = "gateway"  // 504 with a web page, as when a synchronous answer took too long
	FaultPending  FaultKind = "pending"  // HTTP 200 {"type":"processing","retry_after_seconds":...}: the provider is asynchronous
	FaultNoData   FaultKind = "no-data"  // HTTP 200 {"status":"not_available",...}, the older answer for nothing
)

// Faults that strike after the service has done its work.
const (
	FaultLost         FaultKind = "lost"          // the answer is lost: connection reset
	FaultTruncate     FaultKind = "truncate"      // half of the JSON text, cleanly ended
	FaultCut          FaultKind = "cut"           // half of the promised bytes, then a reset
	FaultSlow         FaultKind = "slow"          // in 16 pieces, Fault.Wait between them
	FaultUnknownField FaultKind = "unknown-field" // an extra member in every object
	FaultFloats       FaultKind = "floats"        // whole numbers as 12.0
	FaultStrings      FaultKind = "strings"       // numbers as strings
	FaultNulls        FaultKind = "nulls"         // every array null
	FaultRewrite      FaultKind = "rewrite"       // whatever Fault.Rewrite makes of the answer
)

func (k FaultKind) beforeWork() bool {
	switch k {
	case FaultHTTP, FaultError200, FaultHang, FaultReset, FaultRedirect, FaultHTML, FaultEmpty, FaultHuge, FaultGateway, FaultPending, FaultNoData:
		return true
	}
	return false
}

// Fault is a misbehaviour to be shown to matching requests of the API host, the token endpoints and payload links.
type Fault struct {
	Kind   FaultKind
	Path   string // without the version, such as "/daily", or [PayloadPath]; empty matches all
	UserID string // the parameter user_id; empty matches all
	Skip   int    // matching requests to let through first
	Count  int    // how many requests are hit; 0 means one, negative all from then on

	Status   int                 // for FaultHTTP
	Wait     time.Duration       // for FaultHTTP, FaultPending, FaultSlow
	Location string              // for FaultRedirect
	Size     int                 // for FaultHuge
	Rewrite  func([]byte) []byte // for FaultRewrite: gets the whole answer; must not call back into the Server
}

// Fault arms a fault. Of several that match a request the one armed first is shown, and only that one is used up.
func (s *Server) Fault(f Fault) {
	if f.Count == 0 {
		f.Count = 1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// ClearFaults disarms all faults.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// takeFault returns the fault for a request, nil if there is none.
func (s *Server) takeFault(path, userID string) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		if f.Count == 0 || f.Path != "" && f.Path != path || f.UserID != "" && f.UserID != userID {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		if f.Count > 0 {
			f.Count--
		}
		hit := *f
		return &hit
	}
	return nil
}

// serve shows the fault. text is the proper answer, nil if the fault strikes before the work.
func (f *Fault) serve(s *Server, w http.ResponseWriter, r *http.Request, text []byte, contentType string) {
	send := func(status int, contentType string, body []byte) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		w.Write(body)
	}
	user := object{"user_id": r.URL.Query().Get("user_id")}
	switch f.Kind {
	case FaultHTTP:
		if f.Wait > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(f.Wait/time.Second)))
		}
		send(orDefault(f.Status, http.StatusInternalServerError), "application/json", marshal(object{"status": "error", "message": "simulated fault"}))
	case FaultError200:
		send(http.StatusOK, "application/json", marshal(object{"status": "error", "message": "simulated fault"}))
	case FaultHang:
		select {
		case <-r.Context().Done():
		case <-s.ctx.Done():
		}
		panic(http.ErrAbortHandler)
	case FaultReset, FaultLost:
		reset(w)
	case FaultRedirect:
		location := f.Location
		if location == "" {
			location = "https://elsewhere.example.net/"
		}
		http.Redirect(w, r, location, http.StatusFound)
	case FaultHTML:
		send(http.StatusOK, "text/html", []byte("<!DOCTYPE html><html><body><h1>We will be right back</h1></body></html>"))
	case FaultEmpty:
		send(http.StatusOK, "application/json", nil)
	case FaultHuge:
		huge(w, orDefault(f.Size, 64<<20))
	case FaultGateway:
		send(http.StatusGatewayTimeout, "text/html", []byte("<html><body>504 Gateway Timeout</body></html>"))
	case FaultPending:
		send(http.StatusOK, "application/json", marshal(object{
			"type": "processing", "retry_after_seconds": int(f.Wait / time.Second), "message": "Request is being processed", "user": user,
		}))
	case FaultNoData:
		send(http.StatusOK, "application/json", marshal(object{"status": "not_available", "message": "No data available", "user": user}))
	case FaultTruncate:
		send(http.StatusOK, contentType, text[:len(text)/2])
	case FaultCut:
		w.Header().Set("Content-Length", strconv.Itoa(len(text)))
		send(http.StatusOK, contentType, text[:len(text)/2])
		_ = http.NewResponseController(w).Flush()
		reset(w)
	case FaultSlow:
		w.Header().Set("Content-Type", contentType)
		f.slow(s, w, r, text)
	default:
		send(http.StatusOK, contentType, f.corrupt(text))
	}
}

// reset ends the connection without an answer; where it can, so that the client sees a reset and not an end.
func reset(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		conn.Close()
		return
	}
	panic(http.ErrAbortHandler)
}

// huge writes valid JSON of the given size without holding it in memory.
func huge(w http.ResponseWriter, size int) {
	const head, tail = `{"type":"daily","user":{},"data":[],"padding":"`, `"}`
	w.Header().Set("Content-Type", "application/json")
	w.Write([]byte(head))
	chunk := bytes.Repeat([]byte("x"), 32<<10)
	for left := size - len(head) - len(tail); left > 0; left -= len(chunk) {
		if _, err := w.Write(chunk[:min(left, len(chunk))]); err != nil {
			return
		}
	}
	w.Write([]byte(tail))
}

func (f *Fault) slow(s *Server, w http.ResponseWriter, r *http.Request, text []byte) {
	wait := time.NewTicker(max(f.Wait, time.Millisecond))
	defer wait.Stop()
	for piece := max(1, (len(text)+15)/16); len(text) > 0; {
		n := min(piece, len(text))
		w.Write(text[:n])
		text = text[n:]
		_ = http.NewResponseController(w).Flush()
		select {
		case <-wait.C:
		case <-r.Context().Done():
			panic(http.ErrAbortHandler)
		case <-s.ctx.Done():
			panic(http.ErrAbortHandler)
		}
	}
}

// corrupt rewrites an answer.
func (f *Fault) corrupt(text []byte) []byte {
	if f.Kind == FaultRewrite {
		if f.Rewrite == nil {
			return text
		}
		return f.Rewrite(text)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var doc any
	if err := dec.Decode(&doc); err != nil {
		return text
	}
	return marshal(f.change(doc))
}

func (f *Fault) change(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			v[name] = f.change(member)
		}
		if f.Kind == FaultUnknownField {
			v["added_without_notice"] = object{"nested": []any{1, "two", nil}}
		}
		return v
	case []any:
		if f.Kind == FaultNulls {
			return nil
		}
		for i := range v {
			v[i] = f.change(v[i])
		}
		return v
	case json.Number:
		_, err := v.Int64()
		switch {
		case f.Kind == FaultStrings:
			return v.String()
		case f.Kind == FaultFloats && err == nil:
			return encoded(v.String() + ".0")
		}
	}
	return v
}
