package fitbit

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/vitalmux/vitalmux/internal/httpx"
	"github.com/vitalmux/vitalmux/internal/jsonscan"
	"github.com/vitalmux/vitalmux/providers"
)

// The codes of errors that the adapter finds itself. All other codes are the
// service's error types, or come from the HTTP layer.
const (
	codeNotJSON   = "not_json"      // the answer is no JSON document
	codeJSON      = "bad_json"      // the answer begins as JSON and breaks its grammar
	codeXML       = "bad_xml"       // a recording is no XML document
	codeShape     = "bad_shape"     // JSON of another type than the answer should be
	codeNoRows    = "no_rows"       // an answer without the member it should have
	codeDuplicate = "duplicate_key" // a member of the answer is there twice
	codePending   = "pending"       // the night is still being worked on
	codeFlooded   = "too_many_bad"  // more data that is not usable than makes sense
	codeNoDate    = "no_date"       // neither the rows nor the answer tell when they were valid
	codeBodyName  = "bad_body_name" // a stored body does not say which request it answers
	codePageToken = "page_token"    // not a page token of this stream
	codeWindow    = "bad_window"    // a window the stream cannot be asked for
	codeRetired   = "retired"       // the service has ended
)

// Successor is the provider that has the data of the same people since the
// legacy service has ended.
const Successor = "googlehealth"

const (
	retiredDetail = "the Fitbit Web API has ended; connect the person through the provider " + Successor
	// resetMargin is added to the seconds until the budget is renewed: the
	// service's clock and ours differ.
	resetMargin = 5 * time.Second
	longestWait = time.Hour
	// pendingWait is for a night that is worked on where the answer does not
	// say how long.
	pendingWait = 3 * time.Second
)

// classOf returns what an error type of the service means, by the table of Web
// API Errors of its documentation; nil for a type that is not known.
func classOf(errorType string) error {
	switch errorType {
	case "expired_token", "invalid_token", "oauth", "authorization", "invalid_grant":
		return providers.ErrReauth
	case "insufficient_scope", "insufficient_permissions":
		return providers.ErrForbidden
	case "not_found":
		return providers.ErrNotFound
	case "validation", "request", "invalid_request", "invalid_client", "invalid_scope", "unsupported_grant_type":
		return providers.ErrInvalid
	case "system", "RESOURCE_EXHAUSTED", "UNAVAILABLE", "INTERNAL", "DEADLINE_EXCEEDED":
		return providers.ErrUnavailable
	}
	return nil
}

// envelope is the error that an answer tells, in either of the two forms:
// {"errors":[{"errorType":...}],"success":false} of the service itself, and
// {"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}} of what is in front of it.
type envelope struct {
	errorType string // empty: none that is known
	status    int64  // of the second form
}

// readEnvelope returns the error that a body tells; false for a body that is
// not an error.
func readEnvelope(body []byte) (e envelope, found bool) {
	s := jsonscan.New(body)
	if s.Kind() != jsonscan.Object {
		return e, false
	}
	s.Object()
	for s.NextMember() {
		switch string(s.Name()) {
		case "errors":
			found = true
			if !s.Array() {
				continue
			}
			for s.NextElement() {
				if t := e.member(&s, "errorType"); e.errorType == "" {
					e.errorType = t
				}
			}
		case "error":
			found = true
			if s.Kind() == jsonscan.String { // RFC 6749
				b, _ := s.Identifier()
				e.errorType = known(b)
				continue
			}
			e.errorType = e.member(&s, "status")
		default:
			if !found && string(s.Name()) != "success" {
				return e, false // an answer, which is read by whoever asked
			}
			s.Skip()
		}
	}
	return e, found
}

// member reads an object and returns the named member, if it is a known type.
func (e *envelope) member(s *jsonscan.Scanner, name string) (errorType string) {
	if !s.Object() {
		return ""
	}
	for s.NextMember() {
		switch string(s.Name()) {
		case name:
			b, _ := s.Identifier()
			errorType = known(b)
		case "code":
			e.status, _ = s.Int()
		default:
			s.Skip()
		}
	}
	return errorType
}

// known returns an error type that is known: no other text of an answer gets
// into a message.
func known(b []byte) string {
	if t := string(b); classOf(t) != nil {
		return t
	}
	return ""
}

// failure returns the error of an answer; nil if it is none.
func (p *Provider) failure(op string, resp *httpx.Response) error {
	if resp.Status >= 200 && resp.Status < 300 {
		told, found := readEnvelope(resp.Body)
		if !found {
			return nil
		}
		return p.refused(op, resp, told)
	}
	told, _ := readEnvelope(resp.Body)
	return p.refused(op, resp, told)
}

// refused is the error of an answer that refuses, by its status and what its
// body tells.
func (p *Provider) refused(op string, resp *httpx.Response, told envelope) *providers.Error {
	status := resp.Status
	if status >= 200 && status < 300 && told.status >= 400 && told.status < 600 {
		status = int(told.status) // an error that came as a success
	}
	e := p.client.StatusError(op, &httpx.Response{Status: status, Header: resp.Header, RequestID: resp.RequestID})
	if e == nil {
		e = &providers.Error{Provider: Name, Op: op, Status: status, RequestID: resp.RequestID, Kind: providers.ErrUnavailable}
		if class := classOf(told.errorType); class != nil {
			e.Kind = class
		}
	}
	e.Code, e.Left = told.errorType, left(resp.Header, time.Now())
	switch {
	case status == http.StatusGone:
		return retired(op, resp)
	case status == http.StatusTooManyRequests || told.errorType == "RESOURCE_EXHAUSTED":
		e.Kind = providers.ErrRateLimited
		if at := retryAt(resp.Header, time.Now()); !at.IsZero() {
			e.RetryAt = at
		}
	case status == http.StatusBadRequest || status == http.StatusUnauthorized || status == http.StatusForbidden:
		if class := classOf(told.errorType); class != nil && !errors.Is(class, providers.ErrUnavailable) {
			e.Kind = class
		}
	}
	e.ClientFault = told.errorType == "invalid_client"
	// A refresh tells whether only the access token is no good: its types do
	// not tell an old token from a consent that was taken back.
	e.ExpiredAccess = errors.Is(e.Kind, providers.ErrReauth) && told.errorType != "invalid_grant"
	return e
}

// retired is the error of a service that has ended. It is never a revoked
// consent.
func retired(op string, resp *httpx.Response) *providers.Error {
	return &providers.Error{
		Provider: Name, Op: op, Kind: providers.ErrRetired, Status: resp.Status, Code: codeRetired, RequestID: resp.RequestID,
		Detail: retiredDetail,
	}
}

// tokenRefusal reads the body of a refused token request. The service's errors
// are not those of RFC 6749 in form.
func tokenRefusal(status int, body []byte) *providers.Error {
	if status == http.StatusGone {
		return &providers.Error{Kind: providers.ErrRetired, Status: status, Code: codeRetired, Detail: retiredDetail}
	}
	told, found := readEnvelope(body)
	class := classOf(told.errorType)
	if !found || class == nil || errors.Is(class, providers.ErrUnavailable) {
		return nil
	}
	e := &providers.Error{Kind: class, Code: told.errorType}
	if errors.Is(class, providers.ErrReauth) && told.errorType != "invalid_grant" || errors.Is(class, providers.ErrForbidden) {
		// Of a token request these are about the application's credentials.
		e.Kind = providers.ErrInvalid
	}
	e.ClientFault = errors.Is(e.Kind, providers.ErrInvalid) && told.errorType != "invalid_request"
	return e
}

// The headers of the budget of one person and one application.
const (
	headerRemaining = "Fitbit-Rate-Limit-Remaining"
	headerReset     = "Fitbit-Rate-Limit-Reset"
)

// retryAt returns when a throttled call makes sense again: when the budget is
// renewed, else what Retry-After says, which the service is not always right
// about. Zero if the answer does not tell.
func retryAt(h http.Header, now time.Time) time.Time {
	if wait := untilReset(h); wait > 0 {
		return now.Add(wait)
	}
	return httpx.RetryAfter(h, now)
}

// untilReset returns how long it is until the budget is renewed; 0 is not told.
func untilReset(h http.Header) time.Duration {
	seconds, err := strconv.ParseInt(h.Get(headerReset), 10, 64)
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(min(seconds, 1<<20))*time.Second+resetMargin, longestWait)
}

// left reads from the header of an answer how much of the person's budget is
// left; nil if it does not tell.
func left(h http.Header, now time.Time) *providers.RateLeft {
	n, err := strconv.Atoi(h.Get(headerRemaining))
	wait := untilReset(h)
	if err != nil || n < 0 || wait == 0 {
		return nil
	}
	return &providers.RateLeft{Requests: n, ResetAt: now.Add(wait), Scope: providers.LimitPerUser}
}

// hold reads from the header of an answer whether the person's budget is used
// up, by us or by another process.
func hold(status int, h http.Header) (time.Duration, providers.LimitScope) {
	if status == http.StatusTooManyRequests || h.Get(headerRemaining) == "0" {
		return untilReset(h), providers.LimitPerUser
	}
	return 0, providers.LimitPerUser
}

// malformed is an answer that cannot be used; the code says why.
func malformed(code string) error { return &providers.Error{Kind: providers.ErrMalformed, Code: code} }

// failed completes an error of the mapper.
func (m *mapper) failed(op string, err error) error {
	return providers.Unmapped(Name, op, codeJSON, err)
}
