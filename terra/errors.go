package terra

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/internal/httpx"
	"github.com/vitalmux/vitalmux/providers"
)

// The codes of errors that Terra's answers lead to. All other codes come from
// the HTTP layer.
const (
	CodeCredentials      = "credentials"               // dev-id or API key refused
	CodeDisabled         = "environment_disabled"      // the environment was switched off
	CodeUserLimit        = "user_limit"                // testing and staging hold 50 users
	CodeNoDestinations   = "no_destinations"           // to_webhook without a destination
	CodeTypeDisabled     = "data_type_disabled"        // the data type is switched off in the dashboard
	CodeTypeUnsupported  = "data_type_unsupported"     // the provider does not have the data type
	CodeEntitlement      = "entitlement_required"      // the product is not part of the contract
	CodeUserUnknown      = "user_not_found"            // no such connection
	CodeSpanTooLong      = "r1"                        // one request for more than 1825 days
	CodeDaysUsedUp       = "r2"                        // more than 6000 days of one user in an hour
	CodeProviderLimit    = "provider_rate_limit"       // the limit is the provider's, not Terra's
	CodeProviderRefused  = "provider_refused"          // the provider refused what Terra asked for
	CodeAnswerTooLarge   = "answer_too_large"          // ask for less, or through the webhook
	CodeFileTooLarge     = "file_too_large"            // the service takes shorter files
	CodePartial          = "partial"                   // some of it was done, the call can be repeated
	CodeGone             = "gone"                      // the call has been withdrawn
	CodeAuthorizationOff = "authorization_unavailable" // Terra cannot check credentials at present
	CodeRefused          = "refused"                   // an error inside a 2xx answer that says nothing we know
)

// The codes of answers that cannot be read.
const (
	codeNotJSON = "not_json" // the answer is no JSON document
	codeShape   = "shape"    // the answer is JSON of another shape than the documented ones
	codeBadJSON = "bad_json" // the answer begins as JSON and breaks its grammar
	codeFlooded = "too_much" // the answer would take more memory than makes sense
	codeLoop    = "page_loop"
)

// The texts of errors. None holds anything of an answer.
const (
	detailCredentials = "dev-id or API key refused"
	detailSpan        = "one request covers more than 1825 days"
	detailWidget      = "generateWidgetSession has been withdrawn: its successor is POST " + WidgetSessionURL + ", see Config.WidgetSessionURL"
	detailGone        = "the call has been withdrawn"
	detailTooLarge    = "ask for fewer days, or with ToWebhook"
	detailPartial     = "some deletions failed at the provider: call again"
)

// meaning is how an answer that tells of an error is classified.
type meaning struct {
	kind        error
	code        string
	clientFault bool
}

// meanings are what Terra says in an error, in the order they are looked for.
// The texts are parts of the messages it documents, in lower case.
var meanings = []struct {
	text string
	meaning
}{
	{"entitlement_required", meaning{kind: providers.ErrForbidden, code: CodeEntitlement}},
	{"environment_disabled", meaning{kind: providers.ErrInvalid, code: CodeDisabled, clientFault: true}},
	{"authorization_unavailable", meaning{kind: providers.ErrUnavailable, code: CodeAuthorizationOff}},
	{"no destinations available", meaning{kind: providers.ErrInvalid, code: CodeNoDestinations, clientFault: true}},
	{"data type is not enabled", meaning{kind: providers.ErrForbidden, code: CodeTypeDisabled}},
	{"not support requested data type", meaning{kind: providers.ErrForbidden, code: CodeTypeUnsupported}},
	{"not support the requested data type", meaning{kind: providers.ErrForbidden, code: CodeTypeUnsupported}},
	{"invalid data type", meaning{kind: providers.ErrForbidden, code: CodeTypeUnsupported}},
	{"user limit reached", meaning{kind: providers.ErrInvalid, code: CodeUserLimit, clientFault: true}},
	{"invalid dev-id", meaning{kind: providers.ErrInvalid, code: CodeCredentials, clientFault: true}},
	{"headers are missing", meaning{kind: providers.ErrInvalid, code: CodeCredentials, clientFault: true}},
	{"unauthorized", meaning{kind: providers.ErrInvalid, code: CodeCredentials, clientFault: true}},
	{"user not found", meaning{kind: providers.ErrNotFound, code: CodeUserUnknown}},
	{"invalid user id", meaning{kind: providers.ErrNotFound, code: CodeUserUnknown}},
	{"provider_rate_limit", meaning{kind: providers.ErrRateLimited, code: CodeProviderLimit}},
	{"rate limit", meaning{kind: providers.ErrRateLimited}},
	{"rate_limit", meaning{kind: providers.ErrRateLimited, code: CodeProviderLimit}},
	{"not found", meaning{kind: providers.ErrNotFound}},
	{"bad request", meaning{kind: providers.ErrInvalid}},
}

// trouble is what an answer says about an error, in either style: a problem of
// RFC 9457 or the older message and status.
type trouble struct {
	Type    string `json:"type"`
	Title   string `json:"title"`
	Detail  string `json:"detail"`
	Status  string `json:"status"`
	Message string `json:"message"`
	Reason  string `json:"reason"`
	Code    string `json:"code"`
}

// meaning looks for a text that is known. The texts themselves go nowhere.
func (t trouble) meaning() (meaning, bool) {
	said := strings.ToLower(strings.Join([]string{t.Code, t.Detail, t.Message, t.Title, t.Reason, t.Type}, "\n"))
	for _, m := range meanings {
		if strings.Contains(said, m.text) {
			return m.meaning, true
		}
	}
	return meaning{}, false
}

// told reports whether a 2xx answer without data tells of an error. Some do:
// the older style with its status, and until June 2026 a problem for a missing
// destination.
func (t trouble) told() bool {
	return strings.EqualFold(t.Status, "error") || t.Title != "" || t.Detail != "" || t.limited()
}

// limited reports whether the type of an answer says that the provider's limit
// was hit.
func (t trouble) limited() bool { return strings.Contains(strings.ToLower(t.Type), "rate_limit") }

// failure classifies an answer whose status is not 2xx; nil for 2xx.
func (c *Client) failure(op string, r *httpx.Response) *providers.Error {
	e := c.http.StatusError(op, r)
	if e == nil {
		return nil
	}
	e.RequestID = requestID(r)
	var said trouble
	_, _ = decode(r.Body, &said) // an error need not have a body
	known, ok := said.meaning()
	switch r.Status {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound:
		if ok {
			e.Kind, e.Code, e.ClientFault = known.kind, known.code, known.clientFault
		}
	case http.StatusServiceUnavailable:
		if known.code == CodeAuthorizationOff {
			e.Code = known.code
		}
	case http.StatusUnauthorized:
		// The person has nothing to do with it: no call has a user's token.
		e.Kind, e.Code, e.ClientFault, e.ExpiredAccess = providers.ErrInvalid, CodeCredentials, true, false
		e.Detail = detailCredentials
	case http.StatusGone:
		e.Kind, e.Code, e.Detail = providers.ErrRetired, CodeGone, detailGone
	case http.StatusRequestEntityTooLarge:
		e.Kind, e.Code, e.Detail = providers.ErrInvalid, CodeAnswerTooLarge, detailTooLarge
	case http.StatusFailedDependency:
		e.Kind, e.Code = providers.ErrForbidden, CodeProviderRefused
	case http.StatusTooManyRequests:
		rateLimited(e, r.Header)
	}
	return e
}

// ruleHeader names the limit that a request broke.
const ruleHeader = "X-Terra-RateLimit-Rule"

// rateLimited completes the error of an answer 429. A span that is too long
// stays so: waiting does not help.
func rateLimited(e *providers.Error, h http.Header) {
	switch h.Get(ruleHeader) {
	case "r1":
		e.Kind, e.Code, e.Detail, e.RetryAt = providers.ErrInvalid, CodeSpanTooLong, detailSpan, time.Time{}
	case "r2":
		e.Code, e.RetryAt = CodeDaysUsedUp, daysFreeAt(h, time.Now())
	}
}

// longestWait is the window of the rule r2.
const longestWait = time.Hour

// daysFreeAt returns when an answer by the rule r2 says to try again; zero if it
// does not. The wait may be as long as the window, an hour.
func daysFreeAt(h http.Header, now time.Time) time.Time {
	for _, name := range []string{"Retry-After", resetHeader} {
		if n, err := strconv.ParseInt(strings.TrimSpace(h.Get(name)), 10, 64); err == nil && n >= 0 {
			return now.Add(max(time.Second, min(time.Duration(min(n, 1<<20))*time.Second, longestWait)))
		}
	}
	return httpx.RetryAfter(h, now)
}

// hold keeps the other requests of a user back while its days are used up.
func hold(status int, h http.Header) (time.Duration, providers.LimitScope) {
	if status != http.StatusTooManyRequests || h.Get(ruleHeader) != "r2" {
		return 0, providers.LimitPerUser
	}
	now := time.Now()
	if at := daysFreeAt(h, now); !at.IsZero() {
		return at.Sub(now), providers.LimitPerUser
	}
	return 0, providers.LimitPerUser
}

// errorInside returns the error that a 2xx answer without data tells of; nil if
// it tells of none.
func (c *Client) errorInside(op string, r *httpx.Response, said trouble) *providers.Error {
	if !said.told() {
		return nil
	}
	e := &providers.Error{Provider: Name, Op: op, Kind: providers.ErrUnavailable, Code: CodeRefused, Status: r.Status, RequestID: requestID(r)}
	if known, ok := said.meaning(); ok {
		e.Kind, e.Code, e.ClientFault = known.kind, known.code, known.clientFault
	}
	return e
}

// unreadable completes an error of decoding an answer.
func (c *Client) unreadable(op, code string, r *httpx.Response) *providers.Error {
	e := c.http.Malformed(op, code, r)
	e.RequestID = requestID(r)
	return e
}

// malformed is a document that cannot be used; the code says why.
func malformed(code string) *providers.Error {
	return &providers.Error{Provider: Name, Op: "decode", Kind: providers.ErrMalformed, Code: code}
}

// invalid is a call that cannot be made. The detail is a fixed text.
func invalid(op, detail string) *providers.Error {
	return &providers.Error{Provider: Name, Op: op, Kind: providers.ErrInvalid, Detail: detail}
}

// requestID returns Terra's name for a request, if it looks like one.
func requestID(r *httpx.Response) string {
	id := r.Header.Get("Terra-Reference")
	if len(id) > 128 || strings.ContainsFunc(id, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return r.RequestID
	}
	if id == "" {
		return r.RequestID
	}
	return id
}
