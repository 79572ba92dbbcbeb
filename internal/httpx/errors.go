package httpx

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/vitalmux/vitalmux/providers"
)

// The codes of errors that this package makes itself.
const (
	CodeRequest        = "bad_request"      // the adapter built a request that cannot be sent
	CodeAuthorize      = "authorize"        // Request.Authorize failed
	CodeTimeout        = "timeout"          // no complete answer in time
	CodeCanceled       = "canceled"         // the context was canceled
	CodeTransport      = "transport"        // no answer
	CodeTruncated      = "truncated"        // the body ended early
	CodeRedirect       = "redirect_refused" // the service answered with a redirect
	CodeBodyTooLarge   = "body_too_large"   // the body is over the limit
	CodeBodyRatio      = "body_ratio"       // the body decompresses suspiciously well
	CodeBadEncoding    = "bad_encoding"     // the body is not compressed the way its header says
	CodeHeaderTooLarge = "header_too_large" // the header is over 64 KiB
	CodeLocalLimit     = "local_limit"      // our own rate limit
	CodeLink           = "link_refused"     // a next-page link leaves the service
)

// StatusError reads the status of r the plain way: 401 is ErrReauth with
// ExpiredAccess, 403 ErrForbidden, 404 ErrNotFound, 429 ErrRateLimited, 408,
// 425 and 5xx ErrUnavailable, any other ErrInvalid. It is nil for 2xx. Adapters
// override what their service means differently, such as 410.
func (c *Client) StatusError(op string, r *Response) *providers.Error {
	e := &providers.Error{Provider: c.provider, Op: op, Status: r.Status, RequestID: r.RequestID}
	switch s := r.Status; {
	case s >= 200 && s < 300:
		return nil
	case s == http.StatusUnauthorized:
		e.Kind, e.ExpiredAccess = providers.ErrReauth, true
	case s == http.StatusForbidden:
		e.Kind = providers.ErrForbidden
	case s == http.StatusNotFound:
		e.Kind = providers.ErrNotFound
	case s == http.StatusTooManyRequests:
		e.Kind, e.RetryAt = providers.ErrRateLimited, RetryAfter(r.Header, time.Now())
	case s == http.StatusRequestTimeout || s == http.StatusTooEarly || s >= 500:
		e.Kind, e.RetryAt = providers.ErrUnavailable, RetryAfter(r.Header, time.Now())
	default:
		e.Kind = providers.ErrInvalid
	}
	return e
}

// Malformed returns the error for an answer that cannot be used. The code is a
// fixed word of the adapter.
func (c *Client) Malformed(op, code string, r *Response) *providers.Error {
	return &providers.Error{
		Provider: c.provider, Op: op, Kind: providers.ErrMalformed, Code: code, Status: r.Status, RequestID: r.RequestID,
	}
}

// asError turns an error of the layers or of reading a body into a
// *providers.Error. The code is for failures that are not a matter of time.
func asError(ctx context.Context, code string, err error) *providers.Error {
	if e, ok := errors.AsType[*providers.Error](err); ok {
		c := *e
		return &c
	}
	timeout, isTimeout := errors.AsType[net.Error](err)
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		code, err = CodeCanceled, ctx.Err()
	case ctx.Err() != nil:
		code, err = CodeTimeout, ctx.Err()
	case isTimeout && timeout.Timeout():
		code = CodeTimeout
	}
	return &providers.Error{Kind: providers.ErrUnavailable, Code: code, Err: quiet(err)}
}

// quietError stands for a cause whose own text may hold what was sent or
// received.
type quietError struct {
	text  string
	cause error
}

func (e quietError) Error() string { return e.text }
func (e quietError) Unwrap() error { return e.cause }

// quiet returns err if its text is known to be harmless, else a stand-in.
func quiet(err error) error {
	if e, ok := errors.AsType[*providers.Error](err); ok {
		return e
	}
	if e, ok := errors.AsType[quietError](err); ok {
		return e
	}
	for _, harmless := range []error{
		context.Canceled, context.DeadlineExceeded, io.ErrUnexpectedEOF, io.EOF, net.ErrClosed,
	} {
		if errors.Is(err, harmless) {
			return quietError{harmless.Error(), err}
		}
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return quietError{e.Error(), err}
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return quietError{"certificate refused", err}
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return quietError{"certificate refused", err}
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return quietError{e.Error(), err}
	}
	return quietError{"transport failed", err}
}
