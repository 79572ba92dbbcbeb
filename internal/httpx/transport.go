package httpx

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/vitalmux/vitalmux/providers"
)

// flight is what the layers know about one sending; it travels in the context.
type flight struct {
	op        string
	user      string
	attempt   int
	authorize func(*http.Request) error

	// What became of it: handed to the transport, the transport is one that
	// traces, and the header was written.
	handed, traced, written atomic.Bool
}

type flightKey struct{}

// attach returns ctx with f in it.
func (f *flight) attach(ctx context.Context) context.Context {
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:      func(string) { f.traced.Store(true) },
		WroteHeaders: func() { f.written.Store(true) },
	})
	return context.WithValue(ctx, flightKey{}, f)
}

func flightOf(ctx context.Context) *flight {
	if f, ok := ctx.Value(flightKey{}).(*flight); ok {
		return f
	}
	return &flight{}
}

// mayHaveArrived reports whether the service may have got the request. A
// transport that does not trace gives no proof that it has not.
func (f *flight) mayHaveArrived() bool {
	return f.handed.Load() && (f.written.Load() || !f.traced.Load())
}

// Event is one attempt as it can be observed without seeing what was sent.
type Event struct {
	Provider string
	Op       string
	Method   string
	// Attempt counts the attempts of one [Call] from 1.
	Attempt int
	// Status is the HTTP status; 0 if there was no answer.
	Status int
	// Duration is the time from sending to the header of the answer, without
	// the wait for the rate limit.
	Duration time.Duration
	// Err is set when there was no answer.
	Err error
}

// limitLayer waits for the rate limit before each request.
type limitLayer struct {
	limits  *limiter
	maxWait time.Duration
	hold    func(int, http.Header) (time.Duration, providers.LimitScope)
	next    http.RoundTripper
}

func (l limitLayer) RoundTrip(req *http.Request) (*http.Response, error) {
	user := flightOf(req.Context()).user
	if err := l.limits.wait(req.Context(), user, l.maxWait); err != nil {
		closeBody(req)
		return nil, err
	}
	resp, err := l.next.RoundTrip(req)
	if err == nil && l.hold != nil {
		if d, scope := l.hold(resp.StatusCode, resp.Header); d > 0 {
			now := time.Now()
			l.limits.hold(user, scope, now.Add(d), now)
		}
	}
	return resp, err
}

// observeLayer reports each request.
type observeLayer struct {
	provider string
	observe  func(Event)
	logger   *slog.Logger
	next     http.RoundTripper
}

func (l observeLayer) RoundTrip(req *http.Request) (*http.Response, error) {
	if l.observe == nil && l.logger == nil {
		return l.next.RoundTrip(req)
	}
	start := time.Now()
	resp, err := l.next.RoundTrip(req)
	f := flightOf(req.Context())
	e := Event{
		Provider: l.provider, Op: f.op, Method: req.Method, Attempt: f.attempt,
		Duration: time.Since(start), Err: err,
	}
	if err == nil {
		e.Status = resp.StatusCode
	}
	if l.observe != nil {
		l.observe(e)
	}
	if l.logger != nil {
		attrs := []slog.Attr{
			slog.String("provider", e.Provider), slog.String("op", e.Op), slog.String("method", e.Method),
			slog.Int("attempt", e.Attempt), slog.Int("status", e.Status), slog.Duration("duration", e.Duration),
		}
		if err != nil {
			attrs = append(attrs, slog.String("error", err.Error()))
		}
		l.logger.LogAttrs(req.Context(), slog.LevelDebug, "request", attrs...)
	}
	return resp, err
}

// authLayer adds the secrets and hands the request to the transport. Errors
// that leave it have a text that is safe to log.
type authLayer struct{ next http.RoundTripper }

func (l authLayer) RoundTrip(req *http.Request) (*http.Response, error) {
	f := flightOf(req.Context())
	if f.authorize != nil {
		signed := req.Clone(req.Context())
		if err := f.authorize(signed); err != nil {
			closeBody(req)
			if e, ok := errors.AsType[*providers.Error](err); ok {
				return nil, e
			}
			return nil, &providers.Error{
				Kind: providers.ErrInvalid, Code: CodeAuthorize, Err: quietError{"authorizing failed", err},
			}
		}
		req = signed
	}
	f.handed.Store(true)
	resp, err := l.next.RoundTrip(req)
	if err == nil && resp == nil {
		err = errors.New("no answer and no error")
	}
	if err != nil {
		return nil, quiet(err)
	}
	return resp, nil
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}
