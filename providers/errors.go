package providers

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// The closed set of error classes. What the engine does with each:
var (
	// ErrReauth: the service refused the grant; the person has to consent
	// again. Never retried.
	ErrReauth = errors.New("consent needed again")
	// ErrRateLimited: too many requests; wait until RetryAt.
	ErrRateLimited = errors.New("rate limited")
	// ErrUnavailable: the service or the network failed; retried with backoff.
	ErrUnavailable = errors.New("unavailable")
	// ErrForbidden: the grant lacks a scope; the stream is skipped and reported.
	ErrForbidden = errors.New("not permitted")
	// ErrNotFound: the service does not know what was asked for.
	ErrNotFound = errors.New("not found")
	// ErrInvalid: the request or the configuration is wrong; ours to fix.
	ErrInvalid = errors.New("invalid request")
	// ErrMalformed: the answer cannot be read or breaks a rule; no cursor moves.
	ErrMalformed = errors.New("malformed answer")
	// ErrSignature: a delivery failed verification.
	ErrSignature = errors.New("bad signature")
	// ErrRetired: the service has ended for good. Work for the provider stops;
	// Detail names the successor. It is never read as a revoked consent.
	ErrRetired = errors.New("service retired")
)

// Classes returns all error classes.
func Classes() []error {
	return []error{
		ErrReauth, ErrRateLimited, ErrUnavailable, ErrForbidden, ErrNotFound,
		ErrInvalid, ErrMalformed, ErrSignature, ErrRetired,
	}
}

// The codes of an [Error] by which the engine knows what happened.
const (
	// CodeRedirect: the service answered with a redirect, which was refused.
	CodeRedirect = "redirect_refused"
	// CodeIdentity: the answer is about another person than the credential.
	CodeIdentity = "user_mismatch"
)

// Error is a failure of a provider. It unwraps to its class and to its cause:
//
//	if errors.Is(err, providers.ErrRateLimited) { ... }
//	if e, ok := errors.AsType[*providers.Error](err); ok { wait(e.RetryAt) }
type Error struct {
	Provider string // the adapter's name
	Op       string // what was attempted: "fetch measures", "refresh"
	Kind     error  // one of the classes of this package
	Status   int    // HTTP status; 0 if there was no answer
	Code     string // the service's own error code
	// RetryAt is when trying again makes sense; zero if the service did not say.
	RetryAt time.Time
	// Left is what the answer tells of a limit; nil if it tells nothing.
	Left *RateLeft
	// RequestID is the service's name for the request, for its support.
	RequestID string
	// Detail is a fixed text of the adapter: never a token, a body or a value.
	Detail string
	// ExpiredAccess is set with ErrReauth when only the access token was
	// refused, so that a refresh may help.
	ExpiredAccess bool
	// ClientFault is set with ErrInvalid when the service refused the
	// application rather than the person: no user changes state.
	ClientFault bool
	// Ambiguous is set when the service may have acted although the call failed.
	Ambiguous bool
	// Pairs may be set with Ambiguous: the answer to a refresh named several
	// pairs, of which one counts. The last is the most likely.
	Pairs []Credential
	// Err is the cause; it may be nil.
	Err error
}

// Error returns the message. It holds no tokens, bodies or health values.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Provider)
	if e.Op != "" {
		b.WriteString(": " + e.Op)
	}
	if e.Kind != nil {
		b.WriteString(": " + e.Kind.Error())
	}
	if e.Status != 0 {
		b.WriteString(": http " + strconv.Itoa(e.Status))
	}
	if e.Code != "" {
		b.WriteString(": code " + e.Code)
	}
	if e.Detail != "" {
		b.WriteString(": " + e.Detail)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the class and the cause.
func (e *Error) Unwrap() []error {
	errs := make([]error, 0, 2)
	if e.Kind != nil {
		errs = append(errs, e.Kind)
	}
	if e.Err != nil {
		errs = append(errs, e.Err)
	}
	return errs
}

// NoSuchStream is the error of an operation on a stream that the adapter does not
// have.
func NoSuchStream(provider, op string) *Error {
	return &Error{Provider: provider, Op: op, Kind: ErrInvalid, Detail: "no such stream", Err: errors.ErrUnsupported}
}

// Unmapped returns an error of mapping an answer as an error of an operation of a
// provider, in a copy. An error that is not an *Error is about the grammar of the
// answer: ErrMalformed with the given code.
func Unmapped(provider, op, code string, err error) *Error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		e = &Error{Kind: ErrMalformed, Code: code, Err: err}
	}
	c := *e
	c.Provider, c.Op = provider, op
	return &c
}

// Retryable reports whether err is of a class that may pass by waiting. It
// says nothing about the caller's context.
func Retryable(err error) bool {
	return errors.Is(err, ErrRateLimited) || errors.Is(err, ErrUnavailable)
}

// RetryAt returns when the service said to try again; false if it did not.
func RetryAt(err error) (time.Time, bool) {
	if e, ok := errors.AsType[*Error](err); ok && !e.RetryAt.IsZero() {
		return e.RetryAt, true
	}
	return time.Time{}, false
}
