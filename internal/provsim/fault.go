package provsim

import (
	"bytes"
	"compress/gzip"
	"slices"
	"strings"
	"time"
)

// What a fault does to the connection.
const (
	BreakBefore = "before" // broken before the request is worked on
	BreakAfter  = "after"  // worked on, then broken without an answer
	BreakHalf   = "half"   // broken in the middle of the answer
)

// How much of the work is done before a fault's own answer.
const (
	WorkNone   = ""       // none
	WorkPair   = "pair"   // all of it
	WorkAccess = "access" // of a refresh: a new access token, the refresh token stays
)

// Fault is what happens to requests instead of the right answer. Of several
// faults that fit, the first counts.
type Fault struct {
	// On is the kind of request: "token", "revoke", "data", "subscriptions";
	// empty for any.
	On string `json:"on,omitempty"`
	// Grant is the grant_type of the token requests meant; empty for any.
	Grant string `json:"grant,omitempty"`
	// User whose requests are meant; empty for everybody's.
	User string `json:"user,omitempty"`
	// Count is how many requests; 0 means 1.
	Count int `json:"count,omitempty"`
	// Before and After are waits, in nanoseconds, before the work and before
	// the answer. They end when the client goes away.
	Before time.Duration `json:"before,omitempty"`
	After  time.Duration `json:"after,omitempty"`
	// Break is one of BreakBefore, BreakAfter, BreakHalf; empty does not.
	Break string `json:"break,omitempty"`
	// Status with Header and Body takes the place of the answer; 0 leaves
	// it. In Body, $OLD stands for the refresh token that was shown, $ACCESS
	// and $REFRESH for the tokens that the work gave; where refresh tokens
	// stay, $REFRESH is $OLD.
	Status int               `json:"status,omitempty"`
	Header map[string]string `json:"header,omitempty"`
	Body   string            `json:"body,omitempty"`
	// Gzip compresses Body.
	Gzip bool `json:"gzip,omitempty"`
	// Work is how much of the work is done where Status is set. Work that is
	// refused is answered with the refusal.
	Work string `json:"work,omitempty"`
}

// works reports whether the request is worked on; also for no fault.
func (f *Fault) works() bool {
	return f == nil || f.Break != BreakBefore && (f.Status == 0 || f.Work != WorkNone)
}

func (f *Fault) accessOnly() bool { return f != nil && f.Work == WorkAccess }

// instead returns the answer that takes the place of out.
func (f *Fault) instead(c *call, out reply) reply {
	if f.Status == 0 || f.works() && out.status >= 300 {
		return out
	}
	body := f.Body
	for name, text := range c.texts {
		body = strings.ReplaceAll(body, "$"+name, text)
	}
	out = reply{status: f.Status, header: map[string]string{}, body: []byte(body)}
	for name, value := range f.Header {
		out.header[name] = value
	}
	if f.Gzip {
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		_, _ = w.Write(out.body)
		_ = w.Close()
		out.body, out.header["Content-Encoding"] = packed.Bytes(), "gzip"
	}
	return out
}

// Inject adds a fault.
func (s *Service) Inject(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.Count = max(f.Count, 1)
	s.faults = append(s.faults, &f)
}

// ClearFaults ends all faults.
func (s *Service) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// takeFault returns the fault of a request; nil for none.
func (s *Service) takeFault(kind string, c *call) *Fault {
	user := s.userOf(c)
	for i, f := range s.faults {
		if f.On != "" && f.On != kind || f.User != "" && f.User != user || f.Grant != "" && f.Grant != c.form.Get("grant_type") {
			continue
		}
		if f.Count--; f.Count <= 0 {
			s.faults = slices.Delete(s.faults, i, i+1)
		}
		return f
	}
	return nil
}

// TokenReply is one answer of a token endpoint that a client must survive.
type TokenReply struct {
	// ID names the row of the catalogue of bad input and, after a slash, one
	// of several texts that the row has.
	ID    string
	Fault Fault
}

// TokenReplies returns the catalogue of answers to a refresh, T1 to T38. Not
// among them are T39, which is any fault with After, and T40, which takes a TLS
// server. T13 differs from T14 in what the client has stored meanwhile. T21 to
// T23 are answers of a service that wraps its own.
func TokenReplies() []TokenReply {
	const rest = `,"token_type":"Bearer","expires_in":3600}`
	const pair = `{"access_token":"$ACCESS","refresh_token":"$REFRESH"`
	const expiring = pair + `,"token_type":"Bearer","expires_in":`
	html := map[string]string{"Content-Type": "text/html"}
	header := func(name, value string) map[string]string { return map[string]string{name: value} }
	all := []TokenReply{
		{"T1", Fault{Status: 200, Body: `{}`}},
		{"T2", Fault{Status: 200, Work: WorkAccess, Body: `{"access_token":"$ACCESS"` + rest}},
		{"T3", Fault{Status: 200, Work: WorkAccess, Body: `{"access_token":"$ACCESS","refresh_token":"$OLD"` + rest}},
		{"T4/empty", Fault{Status: 200, Work: WorkAccess, Body: `{"access_token":"$ACCESS","refresh_token":""` + rest}},
		{"T4/null", Fault{Status: 200, Work: WorkAccess, Body: `{"access_token":"$ACCESS","refresh_token":null` + rest}},
		{"T5", Fault{Status: 200, Body: `{"access_token":"","refresh_token":"$OLD"` + rest}},
		{"T6", Fault{Status: 200, Work: WorkPair, Body: expiring + `0}`}},
		{"T7/small", Fault{Status: 200, Work: WorkPair, Body: expiring + `-1}`}},
		{"T7/large", Fault{Status: 200, Work: WorkPair, Body: expiring + `-28800}`}},
		{"T8/float", Fault{Status: 200, Work: WorkPair, Body: expiring + `1e12}`}},
		{"T8/int", Fault{Status: 200, Work: WorkPair, Body: expiring + `9223372036854775807}`}},
		{"T9", Fault{Status: 200, Work: WorkPair, Body: expiring + `"28800"}`}},
		{"T10/point", Fault{Status: 200, Work: WorkPair, Body: expiring + `28800.0}`}},
		{"T10/exponent", Fault{Status: 200, Work: WorkPair, Body: expiring + `2.88e4}`}},
		{"T11/null", Fault{Status: 200, Work: WorkPair, Body: expiring + `null}`}},
		{"T11/absent", Fault{Status: 200, Work: WorkPair, Body: pair + `,"token_type":"Bearer"}`}},
		{"T11/text", Fault{Status: 200, Work: WorkPair, Body: expiring + `"soon"}`}},
		{"T12", Fault{Status: 200, Body: `{"error":"invalid_grant"}`}},
		{"T13", Fault{Status: 400, Body: `{"error":"invalid_grant"}`}},
		{"T14", Fault{Status: 400, Body: `{"error":"invalid_grant"}`}},
		{"T15", Fault{Status: 401, Body: `{"error":"invalid_client"}`}},
		{"T16", Fault{Status: 400, Body: `Bad Request`, Header: header("Content-Type", "text/plain")}},
		{"T17", Fault{Status: 400, Body: `<!doctype html><title>Error</title>`, Header: html}},
		{"T18/500", Fault{Status: 500, Body: `{}`}},
		{"T18/502", Fault{Status: 502, Body: `<html>Bad gateway</html>`, Header: html}},
		{"T18/504", Fault{Status: 504}},
		{"T19", Fault{Status: 503, Header: header("Retry-After", "999999999")}},
		{"T20", Fault{Status: 429, Header: header("Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT")}},
		{"T21", Fault{Status: 200, Work: WorkPair, Body: `{"status":0,"body":` + expiring + `3600}}`}},
		{"T22/401", Fault{Status: 200, Body: `{"status":401,"error":"x"}`}},
		{"T22/503", Fault{Status: 200, Body: `{"status":503,"error":"x"}`}},
		{"T22/601", Fault{Status: 200, Body: `{"status":601,"error":"x"}`}},
		{"T22/unknown", Fault{Status: 200, Body: `{"status":987654,"error":"x"}`}},
		{"T23/missing", Fault{Status: 200, Body: `{"status":0}`}},
		{"T23/array", Fault{Status: 200, Body: `{"status":0,"body":[]}`}},
		{"T24", Fault{
			Status: 200, Work: WorkPair, Body: `access_token=$ACCESS&refresh_token=$REFRESH&token_type=Bearer&expires_in=3600`,
			Header: header("Content-Type", "application/x-www-form-urlencoded"),
		}},
		{"T25", Fault{Status: 200, Work: WorkPair, Body: "\uFEFF" + pair + rest}},
		{"T26/truncated", Fault{Status: 200, Work: WorkPair, Body: `{"access_token":"$ACCESS","refresh_token":"$REF`}},
		{"T26/reset", Fault{Break: BreakHalf}},
		{"T27", Fault{Status: 200, Work: WorkPair, Body: pair + rest + pair + rest}},
		{"T28", Fault{Status: 200, Work: WorkPair, Body: `{"access_token":"$ACCESS","refresh_token":"not-the-refresh-token","refresh_token":"$REFRESH"` + rest}},
		{"T29", Fault{Status: 200, Work: WorkPair, Body: `{"access_token":"$ACCESS","Refresh_Token":"not-the-refresh-token","refresh_token":"$REFRESH"` + rest}},
		{"T30", Fault{Status: 200, Work: WorkPair, Body: pair + `,"pad":"` + strings.Repeat("x", 70<<10) + `"` + rest}},
		{"T31", Fault{Status: 200, Work: WorkPair, Gzip: true, Body: pair + `,"pad":"` + strings.Repeat("x", 4<<20) + `"` + rest}},
		{"T32/307", Fault{Status: 307, Header: header("Location", "https://elsewhere.example.net/oauth/token")}},
		{"T32/308", Fault{Status: 308, Header: header("Location", "https://elsewhere.example.net/oauth/token")}},
		{"T33/301", Fault{Status: 301, Header: header("Location", "/oauth/token")}},
		{"T33/302", Fault{Status: 302, Header: header("Location", "/oauth/token")}},
		{"T34/newline", Fault{Status: 200, Work: WorkPair, Body: `{"access_token":"$ACCESS\nX-Evil: 1","refresh_token":"$REFRESH"` + rest}},
		{"T34/nul", Fault{Status: 200, Work: WorkPair, Body: `{"access_token":"$ACCESS\u0000","refresh_token":"$REFRESH"` + rest}},
		{"T34/unicode", Fault{Status: 200, Work: WorkPair, Body: `{"access_token":"$ACCESSé","refresh_token":"$REFRESH"` + rest}},
		{"T35", Fault{Status: 200, Work: WorkPair, Body: `{"access_token":"` + strings.Repeat("a", 64<<10) + `","refresh_token":"$REFRESH"` + rest}},
		{"T35/9KiB", Fault{Status: 200, Work: WorkPair, Body: `{"access_token":"` + strings.Repeat("a", 9<<10) + `","refresh_token":"$REFRESH"` + rest}},
		{"T36", Fault{Status: 200, Work: WorkPair, Body: pair + `,"token_type":"mac","expires_in":3600}`}},
		{"T37", Fault{Status: 200, Work: WorkPair, Body: pair + `,"scope":"daily"` + rest}},
		{"T38", Fault{Status: 200, Work: WorkPair, Body: pair + `,"user_id":"somebody-else"` + rest}},
	}
	for i := range all {
		all[i].Fault.On, all[i].Fault.Grant = "token", "refresh_token"
	}
	return all
}
