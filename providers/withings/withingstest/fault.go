package withingstest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strconv"
	"time"
)

// FaultKind is a way to misbehave.
type FaultKind string

// Faults that strike before the service does any work.
const (
	FaultStatus   FaultKind = "status"   // HTTP 200 with an envelope of Fault.Status (503 by default); wait_seconds if Fault.Wait is set
	FaultHTTP     FaultKind = "http"     // HTTP status Fault.Status (500 by default); Retry-After if Fault.Wait is set
	FaultHang     FaultKind = "hang"     // no answer until the client gives up
	FaultReset    FaultKind = "reset"    // connection reset
	FaultRedirect FaultKind = "redirect" // 302 to Fault.Location (https://elsewhere.example.net/ by default)
	FaultHTML     FaultKind = "html"     // HTTP 200 with a web page
	FaultEmpty    FaultKind = "empty"    // HTTP 200 without a body
	FaultHuge     FaultKind = "huge"     // HTTP 200 with a valid envelope of Fault.Size bytes (64 MiB by default)
)

// Faults that strike after the service has done its work: tokens are rotated, rows are read.
const (
	FaultLost      FaultKind = "lost"       // the answer is lost: connection reset
	FaultTruncate  FaultKind = "truncate"   // half of the JSON text, cleanly ended
	FaultCut       FaultKind = "cut"        // half of the promised bytes, then a reset
	FaultSlow      FaultKind = "slow"       // byte by byte, Fault.Wait between 16 pieces
	FaultNoBody    FaultKind = "no-body"    // status 0 without body
	FaultNullBody  FaultKind = "null-body"  // status 0 and body null
	FaultArrayBody FaultKind = "array-body" // status 0 and body []
	FaultRewrite   FaultKind = "rewrite"    // whatever Fault.Rewrite makes of the answer

	FaultOffsetBack   FaultKind = "offset-back"   // more pages, but offset goes back by one
	FaultOffsetStuck  FaultKind = "offset-stuck"  // more pages, but offset does not move
	FaultRepeatPage   FaultKind = "repeat-page"   // always the first page, always more, offset growing
	FaultMoreInt      FaultKind = "more-int"      // more as 1 or 0
	FaultMoreBool     FaultKind = "more-bool"     // more as true or false
	FaultMoreAbsent   FaultKind = "more-absent"   // no more, no offset
	FaultSeriesArray  FaultKind = "series-array"  // series, goals and data objects as []
	FaultStrings      FaultKind = "strings"       // numbers inside body as strings
	FaultWrongTypes   FaultKind = "wrong-types"   // strings as objects, numbers as booleans inside the rows
	FaultUnknownField FaultKind = "unknown-field" // an extra member in every object of body
)

func (k FaultKind) beforeWork() bool {
	switch k {
	case FaultStatus, FaultHTTP, FaultHang, FaultReset, FaultRedirect, FaultHTML, FaultEmpty, FaultHuge:
		return true
	}
	return false
}

// Fault is a misbehaviour to be shown to matching requests of the API host. The consent page is not affected.
type Fault struct {
	Kind   FaultKind
	Path   string // such as [MeasurePath]; empty matches all
	Action string // such as "getmeas"; empty matches all
	UserID int64  // whose credentials the request shows; 0 matches all
	Skip   int    // matching requests to let through first
	Count  int    // how many requests are hit; 0 means one, negative all from then on

	Status   int                 // for FaultStatus and FaultHTTP
	Wait     time.Duration       // for FaultStatus, FaultHTTP, FaultSlow
	Location string              // for FaultRedirect
	Size     int                 // for FaultHuge
	Rewrite  func([]byte) []byte // for FaultRewrite: gets the JSON text of the whole answer
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
func (s *Server) takeFault(c *call, bearer string) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		if f.Count == 0 || f.Path != "" && f.Path != c.path || f.Action != "" && f.Action != c.action ||
			f.UserID != 0 && f.UserID != s.userOf(c.params, bearer) {
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

// prepare changes the question where the fault wants that. The offset the client asked for stays in its request.
func (f *Fault) prepare(c *call) {
	if f != nil && f.Kind == FaultRepeatPage {
		c.params = maps.Clone(c.params)
		delete(c.params, "offset")
	}
}

// serve shows the fault. text is the proper answer, nil if the fault strikes before the work.
func (f *Fault) serve(w http.ResponseWriter, r *http.Request, text []byte) {
	reply := func(contentType string, body []byte) {
		w.Header().Set("Content-Type", contentType)
		w.Write(body)
	}
	switch f.Kind {
	case FaultStatus:
		c := &call{}
		reply("application/json", envelope(c, &refusal{orDefault(f.Status, StatusInvalidParams), "simulated fault", int(f.Wait / time.Second)}))
	case FaultHTTP:
		if f.Wait > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(f.Wait/time.Second)))
		}
		http.Error(w, "simulated fault", orDefault(f.Status, http.StatusInternalServerError))
	case FaultHang:
		<-r.Context().Done()
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
		reply("text/html", []byte("<!DOCTYPE html><html><body><h1>We will be right back</h1></body></html>"))
	case FaultEmpty:
		reply("application/json", nil)
	case FaultHuge:
		huge(w, orDefault(f.Size, 64<<20))
	case FaultTruncate:
		reply("application/json", text[:len(text)/2])
	case FaultCut:
		w.Header().Set("Content-Length", strconv.Itoa(len(text)))
		reply("application/json", text[:len(text)/2])
		_ = http.NewResponseController(w).Flush()
		reset(w)
	case FaultSlow:
		f.slow(w, r, text)
	default:
		reply("application/json", f.corrupt(r, text))
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

// huge writes a valid envelope of the given size without holding it in memory.
func huge(w http.ResponseWriter, size int) {
	const head, tail = `{"status":0,"body":{"padding":"`, `"}}`
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

func (f *Fault) slow(w http.ResponseWriter, r *http.Request, text []byte) {
	w.Header().Set("Content-Type", "application/json")
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
		}
	}
}

// corrupt rewrites an answer.
func (f *Fault) corrupt(r *http.Request, text []byte) []byte {
	switch f.Kind {
	case FaultRewrite:
		if f.Rewrite == nil {
			return text
		}
		return f.Rewrite(text)
	case FaultNoBody:
		return []byte(`{"status":0}`)
	case FaultNullBody:
		return []byte(`{"status":0,"body":null}`)
	case FaultArrayBody:
		return []byte(`{"status":0,"body":[]}`)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var doc map[string]any
	if err := dec.Decode(&doc); err != nil {
		return text
	}
	body, ok := doc["body"].(map[string]any)
	if !ok {
		return text
	}
	asked, _ := strconv.Atoi(r.Form.Get("offset"))
	switch f.Kind {
	case FaultOffsetBack:
		body["more"], body["offset"] = true, max(0, asked-1)
	case FaultOffsetStuck:
		body["more"], body["offset"] = true, asked
	case FaultRepeatPage:
		body["more"], body["offset"] = true, asked+1
	case FaultMoreInt, FaultMoreBool:
		more := body["more"] == true || body["more"] == json.Number("1")
		body["more"] = more
		if f.Kind == FaultMoreInt {
			body["more"] = b2i(more)
		}
	case FaultMoreAbsent:
		delete(body, "more")
		delete(body, "offset")
	case FaultSeriesArray:
		doc["body"] = arrayForObject(body)
	case FaultStrings:
		doc["body"] = rewriteLeaves(body, func(v any) any {
			if n, ok := v.(json.Number); ok {
				return n.String()
			}
			return v
		})
	case FaultWrongTypes:
		for name, rows := range body {
			if list, ok := rows.([]any); ok {
				body[name] = rewriteLeaves(list, func(v any) any {
					switch v.(type) {
					case json.Number:
						return true
					case string:
						return map[string]any{}
					}
					return v
				})
			}
		}
	case FaultUnknownField:
		addField(body)
	default:
		panic(fmt.Sprintf("withingstest: unknown fault %q", f.Kind))
	}
	out, err := json.Marshal(doc)
	if err != nil {
		return text
	}
	return out
}

// arrayForObject replaces the objects that the service is known to send as [] by empty arrays.
func arrayForObject(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			if _, object := member.(map[string]any); object && (name == "series" || name == "goals" || name == "data") {
				v[name] = []any{}
			} else {
				v[name] = arrayForObject(member)
			}
		}
	case []any:
		for i := range v {
			v[i] = arrayForObject(v[i])
		}
	}
	return v
}

// rewriteLeaves applies f to everything that is neither object nor array.
func rewriteLeaves(v any, f func(any) any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			v[name] = rewriteLeaves(member, f)
		}
		return v
	case []any:
		for i := range v {
			v[i] = rewriteLeaves(v[i], f)
		}
		return v
	}
	return f(v)
}

func addField(v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, member := range v {
			addField(member)
		}
		v["added_without_notice"] = map[string]any{"nested": []any{1, "two", nil}}
	case []any:
		for _, member := range v {
			addField(member)
		}
	}
}
