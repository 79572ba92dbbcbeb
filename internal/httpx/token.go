package httpx

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/vitalmux/vitalmux/providers"
)

const (
	maxTokenBody = 64 << 10
	maxToken     = 8 << 10

	defaultLifetime    = time.Hour
	defaultMaxLifetime = 30 * 24 * time.Hour
	// unusableLifetime stands for an expires_in that is not positive: long
	// enough to use the token, and no storm of refreshes.
	unusableLifetime = time.Minute
)

// The codes of errors of [PostToken], besides the error codes of RFC 6749.
const (
	CodeTokenUnreadable = "token_unreadable" // not the JSON object it should be
	CodeTokenMissing    = "token_missing"    // no access token
	CodeTokenOdd        = "token_odd"        // a token that cannot be sent in a header, or is over 8 KiB
	CodeTokenType       = "token_type"       // not a bearer token
	CodeTokenUserID     = "token_user_id"    // a user id that is neither text nor integer
	CodeTokenRefusal    = "token_refusal"    // refused without a reason we know
)

// TokenRequest is one request to a token endpoint.
type TokenRequest struct {
	// Op names the operation: "exchange" or "refresh".
	Op string
	// Path is escaped and relative to the base URL.
	Path string
	// Form is all that is sent, client credentials included where the
	// service takes them there.
	Form   url.Values
	Header http.Header
	// Authorize sets the client credentials where the service takes them in
	// a header; nil otherwise.
	Authorize func(*http.Request) error
	Format    TokenFormat
}

// TokenFormat tells how a service's token answers differ from RFC 6749.
type TokenFormat struct {
	// Unwrap takes the token object out of the body of a 2xx answer; nil is
	// the body itself. A *providers.Error is returned by [PostToken] with its
	// Provider, Op, Status and RequestID completed; any other error means an
	// unreadable answer.
	Unwrap func(body []byte) ([]byte, error)
	// Refusal reads the body of a 4xx answer; nil, also as a result, is the
	// reading of RFC 6749.
	Refusal func(status int, body []byte) *providers.Error
	// UserIDs are the names of the member that holds the person's id, as text
	// or integer; the first that is present counts.
	UserIDs []string
	// DefaultLifetime is for answers without a readable expires_in; 0 means
	// one hour. MaxLifetime bounds expires_in; 0 means 30 days.
	DefaultLifetime, MaxLifetime time.Duration
	// AllowForm also accepts a 2xx answer that says it is form-encoded.
	AllowForm bool
}

// TokenAnswer is what a token endpoint granted.
type TokenAnswer struct {
	// Access is never empty, Refresh is if the answer had none. Both are
	// visible ASCII of at most 8 KiB.
	Access, Refresh providers.Secret
	// ExpiresIn is the lifetime of Access, and ExpiresAt its end, counted from
	// before the request was sent.
	ExpiresIn time.Duration
	ExpiresAt time.Time
	// LifetimeAdjusted is set when the answer had an expires_in that could not
	// be used as it came.
	LifetimeAdjusted bool
	// Scopes that were granted; nil if the answer does not tell.
	Scopes []string
	// UserID is the person's id; empty if the answer does not tell.
	UserID string
	// Date is the server's; zero if it sent none.
	Date time.Time
}

// Credential returns the granted pair as the successor of old: the refresh
// token, the scopes and the upstream id stay where the answer does not tell
// them. Whether the person is the same is for the caller to check.
func (a TokenAnswer) Credential(old providers.Credential) providers.Credential {
	next := old
	next.Access, next.ExpiresAt = a.Access, a.ExpiresAt
	if !a.Refresh.IsZero() {
		next.Refresh = a.Refresh
	}
	if a.Scopes != nil {
		next.Scopes = a.Scopes
	}
	if a.UserID != "" {
		next.UpstreamID = a.UserID
	}
	next.OddLifetime = a.LifetimeAdjusted
	return next
}

// PostToken sends r in exactly one request with the attempt timeout of c and
// reads the answer strictly.
//
// Errors are *providers.Error. A refused grant is ErrReauth, a refused
// application ErrInvalid with ClientFault. Ambiguous is set when the service
// may have used up a one-time code or refresh token without the result being
// known: a failure after the request was sent, a 5xx other than a 503 that asks
// to come back later, a 2xx that cannot be read. Of an answer that repeats the
// member refresh_token with other values, Pairs has what it named.
func PostToken(ctx context.Context, c *Client, r TokenRequest) (TokenAnswer, error) {
	return Call(ctx, c.Once(), func(ctx context.Context) (TokenAnswer, error) {
		sent := time.Now()
		resp, err := c.Send(ctx, Request{
			Op: r.Op, Method: http.MethodPost, Path: r.Path, Form: r.Form, Header: r.Header,
			Authorize: r.Authorize, MaxBody: maxTokenBody,
		})
		if err != nil {
			if e, ok := errors.AsType[*providers.Error](err); ok && e.Code == CodeRedirect {
				e.Ambiguous = false // a redirect did nothing
			}
			return TokenAnswer{}, err
		}
		answer, failure := readToken(resp, r.Format)
		if failure != nil {
			e := *failure
			e.Provider, e.Op = c.provider, r.Op
			if e.Status == 0 {
				e.Status = resp.Status
			}
			if e.RequestID == "" {
				e.RequestID = resp.RequestID
			}
			if e.Ambiguous && e.Code == CodeTokenUnreadable {
				e.Pairs = repeatedRefresh(resp.Body, sent.Add(orDefault(r.Format.DefaultLifetime, defaultLifetime)))
			}
			return TokenAnswer{}, &e
		}
		answer.ExpiresAt = sent.Add(answer.ExpiresIn)
		answer.Date = resp.Date
		return answer, nil
	})
}

func readToken(resp *Response, format TokenFormat) (TokenAnswer, *providers.Error) {
	if resp.Status < 200 || resp.Status >= 300 {
		return TokenAnswer{}, readRefusal(resp, format)
	}
	body := resp.Body
	if format.Unwrap != nil {
		var err error
		if body, err = format.Unwrap(body); err != nil {
			if e, ok := errors.AsType[*providers.Error](err); ok {
				return TokenAnswer{}, e
			}
			return TokenAnswer{}, unreadable(CodeTokenUnreadable)
		}
	}
	var members map[string]json.RawMessage
	if format.AllowForm && isForm(resp.Header) {
		members = formMembers(body)
	} else if err := StrictUnmarshal(body, &members); err != nil {
		members = nil
	}
	if members == nil {
		return TokenAnswer{}, unreadable(CodeTokenUnreadable)
	}
	if code := errorCode(members); code != "" {
		return TokenAnswer{}, refusal(code, resp.Status)
	}
	return readGrant(members, format)
}

// repeatedRefresh returns the pairs of an answer that is whole but names several
// refresh tokens for one access token, in the order of the answer; nil for any
// other answer.
func repeatedRefresh(body []byte, expires time.Time) []providers.Credential {
	if !utf8.Valid(body) || !json.Valid(body) {
		return nil
	}
	access, refresh := pairMembers(json.NewDecoder(bytes.NewReader(body)), 0)
	if len(access) != 1 || len(refresh) < 2 || len(refresh) > 3 {
		return nil
	}
	var pairs []providers.Credential
	for _, text := range append(access, refresh...) {
		if text == "" || len(text) > maxToken || !isVisible(text) {
			return nil
		}
	}
	for _, text := range refresh {
		pairs = append(pairs, providers.Credential{
			Access: providers.NewSecret(access[0]), Refresh: providers.NewSecret(text), ExpiresAt: expires,
		})
	}
	return pairs
}

// pairMembers reads one value of a valid document and returns the tokens of the
// first object in it, at most one level down, that has some.
func pairMembers(dec *json.Decoder, depth int) (access, refresh []string) {
	if open, err := dec.Token(); err != nil || open != json.Delim('{') || depth > 1 {
		return nil, nil
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, nil
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, nil
		}
		var text string
		isText := json.Unmarshal(raw, &text) == nil
		switch {
		case key == "access_token" && isText:
			access = append(access, text)
		case key == "refresh_token" && isText:
			refresh = append(refresh, text)
		case len(access) == 0 && len(refresh) == 0:
			if a, r := pairMembers(json.NewDecoder(bytes.NewReader(raw)), depth+1); len(a) > 0 {
				return a, r
			}
		}
	}
	return access, refresh
}

// unreadable is a 2xx answer that tells nothing of what happened.
func unreadable(code string) *providers.Error {
	return &providers.Error{Kind: providers.ErrMalformed, Code: code, Ambiguous: true}
}

func readGrant(members map[string]json.RawMessage, format TokenFormat) (TokenAnswer, *providers.Error) {
	var a TokenAnswer
	for _, token := range []struct {
		name string
		to   *providers.Secret
	}{{"access_token", &a.Access}, {"refresh_token", &a.Refresh}} {
		text, ok := textMember(members, token.name)
		if !ok || len(text) > maxToken || !isVisible(text) {
			return a, unreadable(CodeTokenOdd)
		}
		*token.to = providers.NewSecret(text)
	}
	if a.Access.IsZero() {
		return a, unreadable(CodeTokenMissing)
	}
	if kind, ok := textMember(members, "token_type"); !ok || kind != "" && !strings.EqualFold(kind, "bearer") {
		return a, unreadable(CodeTokenType)
	}
	a.ExpiresIn, a.LifetimeAdjusted = lifetime(members["expires_in"], format)
	if scope, ok := textMember(members, "scope"); ok && scope != "" {
		a.Scopes = strings.FieldsFunc(scope, func(r rune) bool { return r == ' ' || r == ',' })
	}
	for _, name := range format.UserIDs {
		id, ok := idMember(members, name)
		if !ok {
			return a, unreadable(CodeTokenUserID)
		}
		if id != "" {
			a.UserID = id
			break
		}
	}
	return a, nil
}

// textMember returns a member that is a string; absent and null are "", any
// other type is false.
func textMember(members map[string]json.RawMessage, name string) (string, bool) {
	raw, present := members[name]
	if !present {
		return "", true
	}
	var text string
	err := json.Unmarshal(raw, &text)
	return text, err == nil
}

// idMember returns a member that is a string or an integer, as text.
func idMember(members map[string]json.RawMessage, name string) (string, bool) {
	text, ok := textMember(members, name)
	if !ok {
		text = string(members[name])
		if strings.Trim(text, "0123456789") != "" {
			return "", false
		}
	}
	return text, len(text) <= 256 && isVisible(text)
}

// lifetime reads expires_in: any JSON number, or one in a string.
func lifetime(raw json.RawMessage, format TokenFormat) (time.Duration, bool) {
	if raw == nil || string(raw) == "null" {
		return orDefault(format.DefaultLifetime, defaultLifetime), false
	}
	text := strings.TrimSpace(strings.Trim(string(raw), `"`))
	seconds, err := strconv.ParseFloat(text, 64)
	if strings.Trim(text, "+-.0123456789eE") != "" || (err != nil && !errors.Is(err, strconv.ErrRange)) {
		return orDefault(format.DefaultLifetime, defaultLifetime), true
	}
	longest := orDefault(format.MaxLifetime, defaultMaxLifetime)
	switch {
	case seconds <= 0:
		return unusableLifetime, true
	case seconds > longest.Seconds():
		return longest, true
	default:
		return time.Duration(seconds * float64(time.Second)), false
	}
}

func isForm(h http.Header) bool {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && kind == "application/x-www-form-urlencoded"
}

// formMembers reads a form as the members of an object of strings; nil if it
// is not a form or repeats a key.
func formMembers(body []byte) map[string]json.RawMessage {
	form, err := url.ParseQuery(string(body))
	if err != nil || len(form) == 0 {
		return nil
	}
	members := map[string]json.RawMessage{}
	for name, values := range form {
		text, err := json.Marshal(values[0])
		if len(values) != 1 || err != nil {
			return nil
		}
		members[name] = text
	}
	return members
}

// errorCode returns the error code of an answer: "" for none, and
// CodeTokenRefusal for one that RFC 6749 does not know.
func errorCode(members map[string]json.RawMessage) string {
	code, ok := textMember(members, "error")
	switch {
	case !ok:
		return CodeTokenRefusal
	case code == "" || classes(code) != nil:
		return code
	default:
		return CodeTokenRefusal
	}
}

// classes returns the error class of a code of RFC 6749, nil for another code.
func classes(code string) error {
	switch code {
	case "invalid_grant":
		return providers.ErrReauth
	case "invalid_client", "unauthorized_client", "invalid_request", "unsupported_grant_type", "invalid_scope":
		return providers.ErrInvalid
	case "server_error", "temporarily_unavailable":
		return providers.ErrUnavailable
	default:
		return nil
	}
}

func refusal(code string, status int) *providers.Error {
	e := &providers.Error{Kind: classes(code), Code: code}
	switch {
	case e.Kind == nil && status < 300:
		return unreadable(code)
	case e.Kind == nil:
		e.Kind = providers.ErrMalformed
	}
	e.ClientFault = code == "invalid_client" || code == "unauthorized_client"
	e.Ambiguous = code == "server_error"
	return e
}

// readRefusal reads an answer that is not 2xx.
func readRefusal(resp *Response, format TokenFormat) *providers.Error {
	status := resp.Status
	switch {
	case status == http.StatusTooManyRequests:
		return &providers.Error{Kind: providers.ErrRateLimited, RetryAt: RetryAfter(resp.Header, time.Now())}
	case status == http.StatusRequestTimeout || status == http.StatusTooEarly || status >= 500:
		at := RetryAfter(resp.Header, time.Now())
		later := status == http.StatusServiceUnavailable && !at.IsZero()
		return &providers.Error{Kind: providers.ErrUnavailable, RetryAt: at, Ambiguous: status >= 500 && !later}
	}
	if format.Refusal != nil {
		if e := format.Refusal(status, resp.Body); e != nil {
			return e
		}
	}
	code := CodeTokenRefusal
	var members map[string]json.RawMessage
	if err := StrictUnmarshal(resp.Body, &members); err == nil {
		if told := errorCode(members); told != "" {
			code = told
		}
	}
	return refusal(code, status)
}
