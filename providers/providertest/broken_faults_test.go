package providertest_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/vitalmux/vitalmux/internal/httpx"
	"github.com/vitalmux/vitalmux/providers"
)

// brokenFaults are adapters that each break one rule about failures.
func brokenFaults() map[string]map[string]func(*broken) {
	day := 24 * time.Hour
	return map[string]map[string]func(*broken){
		"status-429": {"seconds not read": answered(func(h http.Header) {
			if h.Get("Retry-After") == "120" {
				h.Del("Retry-After")
			}
		})},
		"status-429-date": {"date not read": answered(func(h http.Header) {
			if _, err := http.ParseTime(h.Get("Retry-After")); err == nil {
				h.Del("Retry-After")
			}
		})},
		"status-429-absurd": {"years": failures(status(429), func(e *providers.Error) {
			if time.Until(e.RetryAt) > 10*time.Minute {
				e.RetryAt = time.Now().Add(1000 * day)
			}
		})},
		"redirect": {"followed": func(b *broken) {
			b.through(func(next http.RoundTripper, req *http.Request) (*http.Response, error) {
				resp, err := next.RoundTrip(req)
				if err != nil || req.Method != http.MethodGet || resp.Header.Get("Location") == "" {
					return resp, err
				}
				to, err := url.Parse(resp.Header.Get("Location"))
				if err != nil {
					return nil, err
				}
				again := req.Clone(req.Context())
				again.URL, again.Host = to, to.Host
				return next.RoundTrip(again)
			})
		}},
		"status-500":      {"class": failures(status(500), kind(providers.ErrInvalid))},
		"status-503":      {"class": failures(status(503), kind(providers.ErrRateLimited))},
		"reset":           {"class": failures(code(httpx.CodeTransport), kind(providers.ErrMalformed))},
		"truncated":       {"class": failures(code(httpx.CodeTruncated), kind(providers.ErrMalformed))},
		"hang":            {"stubborn": failures(code(httpx.CodeTimeout), func(*providers.Error) { time.Sleep(time.Hour) })},
		"huge":            {"class": failures(code(httpx.CodeBodyTooLarge), kind(providers.ErrUnavailable))},
		"fault-body":      {"class": failures(code("busy"), kind(providers.ErrMalformed))},
		"fault-body-rate": {"class": failures(code("slow_down"), kind(providers.ErrUnavailable))},
		"fault-forbidden": {"class": failures(class(providers.ErrForbidden), kind(providers.ErrReauth))},
		"fault-expired": {
			"flag": failures(class(providers.ErrReauth), func(e *providers.Error) { e.ExpiredAccess = false }),
			"hidden refresh": func(b *broken) {
				b.fetch = func(ctx context.Context, cred providers.Credential, q providers.Query) (providers.Page, error) {
					p, err := b.adapter.Fetch(ctx, cred, q)
					if errors.Is(err, providers.ErrReauth) {
						_, _ = b.adapter.Refresh(ctx, cred)
					}
					return p, err
				}
			},
		},
		"html":     {"empty page": reads(func(body string) bool { return len(body) > 0 && body[0] == '<' })},
		"empty":    {"empty page": reads(func(body string) bool { return body == "" })},
		"null":     {"empty page": reads(func(body string) bool { return body == "null" })},
		"cut-json": {"empty page": reads(func(body string) bool { return len(body) > 1 && body[0] == '{' })},
		"loop": {"fresh tokens": func(b *broken) {
			var n atomic.Int64
			b.fetch = func(ctx context.Context, cred providers.Credential, q providers.Query) (providers.Page, error) {
				p, err := b.adapter.Fetch(ctx, cred, q)
				if errors.Is(err, providers.ErrMalformed) && err.(*providers.Error).Code == providers.CodePageLoop {
					return providers.Page{More: true, PageToken: strconv.FormatInt(n.Add(1), 10)}, nil
				}
				return p, err
			}
		}},
		"recovery": {"gives up": func(b *broken) {
			var failed atomic.Bool
			b.fetch = func(ctx context.Context, cred providers.Credential, q providers.Query) (providers.Page, error) {
				p, err := b.adapter.Fetch(ctx, cred, q)
				if err == nil && failed.Load() {
					return providers.Page{}, b.fail("fetch", providers.ErrInvalid, "gave_up")
				}
				failed.CompareAndSwap(false, errors.Is(err, providers.ErrUnavailable) && ctx.Err() == nil)
				return p, err
			}
		}},
		"canceled": {"deaf": func(b *broken) {
			b.fetch = func(ctx context.Context, cred providers.Credential, q providers.Query) (providers.Page, error) {
				return b.adapter.Fetch(context.WithoutCancel(ctx), cred, q)
			}
		}},
		"secrets": {
			"access token": func(b *broken) {
				b.fetch = func(ctx context.Context, cred providers.Credential, q providers.Query) (providers.Page, error) {
					p, err := b.adapter.Fetch(ctx, cred, q)
					if e, ok := errors.AsType[*providers.Error](err); ok {
						e.Detail = "with " + cred.Access.Reveal()
					}
					return p, err
				}
			},
			"code": func(b *broken) {
				b.exchange = func(ctx context.Context, cb providers.Callback) (providers.Grant, error) {
					g, err := b.adapter.Exchange(ctx, cb)
					if e, ok := errors.AsType[*providers.Error](err); ok {
						e.Detail = url.Values(cb.Query).Encode()
					}
					return g, err
				}
			},
		},
	}
}

// answered breaks the header of the answers.
func answered(change func(http.Header)) func(*broken) {
	return func(b *broken) {
		b.through(func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(r)
			if err == nil {
				change(resp.Header)
			}
			return resp, err
		})
	}
}

// failures breaks the errors of Fetch that match.
func failures(match func(*providers.Error) bool, change func(*providers.Error)) func(*broken) {
	return func(b *broken) {
		b.fetch = func(ctx context.Context, cred providers.Credential, q providers.Query) (providers.Page, error) {
			p, err := b.adapter.Fetch(ctx, cred, q)
			if e, ok := errors.AsType[*providers.Error](err); ok && match(e) {
				change(e)
			}
			return p, err
		}
	}
}

// reads has Fetch read what cannot be read as an empty page.
func reads(match func(body string) bool) func(*broken) {
	return func(b *broken) {
		b.fetch = func(ctx context.Context, cred providers.Credential, q providers.Query) (providers.Page, error) {
			p, err := b.adapter.Fetch(ctx, cred, q)
			if e, ok := errors.AsType[*providers.Error](err); ok && e.Kind == providers.ErrMalformed && e.Status == 200 {
				resp, sendErr := b.client.Send(ctx, httpx.Request{Op: "fetch", Path: "data", Authorize: bearer(cred)})
				if sendErr == nil && match(string(resp.Body)) {
					return providers.Page{}, nil
				}
			}
			return p, err
		}
	}
}

func kind(k error) func(*providers.Error) { return func(e *providers.Error) { e.Kind = k } }

func status(s int) func(*providers.Error) bool {
	return func(e *providers.Error) bool { return e.Status == s }
}

func code(c string) func(*providers.Error) bool {
	return func(e *providers.Error) bool { return e.Code == c }
}

func class(k error) func(*providers.Error) bool {
	return func(e *providers.Error) bool { return e.Kind == k }
}
