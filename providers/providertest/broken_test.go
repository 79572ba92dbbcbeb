package providertest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/httpx"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/providertest"
)

// broken is the adapter with one thing wrong.
type broken struct {
	*adapter
	rt        http.RoundTripper
	name      func() string
	caps      func(providers.Capabilities) providers.Capabilities
	fetch     func(context.Context, providers.Credential, providers.Query) (providers.Page, error)
	remap     func(health.RawPage) ([]health.Record, error)
	authorize func(context.Context, providers.AuthRequest) (providers.AuthStart, error)
	exchange  func(context.Context, providers.Callback) (providers.Grant, error)
	refresh   func(context.Context, providers.Credential) (providers.Credential, error)
	revoke    func(context.Context, providers.Credential) error
	recover   func(context.Context, providers.Credential) (providers.Credential, error)
	sub       func(context.Context, providers.Credential, providers.Subscription) (providers.Subscription, error)
	unsub     func(context.Context, providers.Credential, providers.Subscription) error
	traits    func(*providers.WebhookTraits)
	webhook   func(time.Time, *providers.WebhookRequest) ([]providers.Notification, error)
	probe     func(*providers.WebhookRequest) (providers.ProbeAnswer, bool)
	verify    func(time.Time, *providers.WebhookRequest) (time.Time, error)
	payload   func(context.Context, providers.Notification, io.Writer) error
	content   func(time.Time, providers.Notification, *providers.WebhookRequest) ([]providers.Notification, error)
	confirm   func(context.Context, string, providers.Callback) (string, error)
	people    func(context.Context, string) (providers.UpstreamPage, error)
}

func (b *broken) VerifyWebhook(now time.Time, r *providers.WebhookRequest) (time.Time, error) {
	if b.verify != nil {
		return b.verify(now, r)
	}
	return b.adapter.VerifyWebhook(now, r)
}

func (b *broken) FetchPayload(ctx context.Context, n providers.Notification, w io.Writer) error {
	if b.payload != nil {
		return b.payload(ctx, n, w)
	}
	return b.adapter.FetchPayload(ctx, n, w)
}

func (b *broken) ParsePayload(now time.Time, n providers.Notification, r *providers.WebhookRequest) ([]providers.Notification, error) {
	if b.content != nil {
		return b.content(now, n, r)
	}
	return b.adapter.ParsePayload(now, n, r)
}

func (b *broken) Confirm(ctx context.Context, reference string, cb providers.Callback) (string, error) {
	if b.confirm != nil {
		return b.confirm(ctx, reference, cb)
	}
	return b.adapter.Confirm(ctx, reference, cb)
}

func (b *broken) UpstreamUsers(ctx context.Context, token string) (providers.UpstreamPage, error) {
	if b.people != nil {
		return b.people(ctx, token)
	}
	return b.adapter.UpstreamUsers(ctx, token)
}

func (b *broken) Name() string {
	if b.name != nil {
		return b.name()
	}
	return b.adapter.Name()
}

func (b *broken) Capabilities() providers.Capabilities {
	if b.caps != nil {
		return b.caps(b.adapter.Capabilities())
	}
	return b.adapter.Capabilities()
}

func (b *broken) Fetch(ctx context.Context, cred providers.Credential, q providers.Query) (providers.Page, error) {
	if b.fetch != nil {
		return b.fetch(ctx, cred, q)
	}
	return b.adapter.Fetch(ctx, cred, q)
}

func (b *broken) Remap(p health.RawPage) ([]health.Record, error) {
	if b.remap != nil {
		return b.remap(p)
	}
	return b.adapter.Remap(p)
}

func (b *broken) Authorize(ctx context.Context, r providers.AuthRequest) (providers.AuthStart, error) {
	if b.authorize != nil {
		return b.authorize(ctx, r)
	}
	return b.adapter.Authorize(ctx, r)
}

func (b *broken) Exchange(ctx context.Context, cb providers.Callback) (providers.Grant, error) {
	if b.exchange != nil {
		return b.exchange(ctx, cb)
	}
	return b.adapter.Exchange(ctx, cb)
}

func (b *broken) Refresh(ctx context.Context, cred providers.Credential) (providers.Credential, error) {
	if b.refresh != nil {
		return b.refresh(ctx, cred)
	}
	return b.adapter.Refresh(ctx, cred)
}

func (b *broken) Revoke(ctx context.Context, cred providers.Credential) error {
	if b.revoke != nil {
		return b.revoke(ctx, cred)
	}
	return b.adapter.Revoke(ctx, cred)
}

func (b *broken) Recover(ctx context.Context, cred providers.Credential) (providers.Credential, error) {
	if b.recover != nil {
		return b.recover(ctx, cred)
	}
	return b.adapter.Recover(ctx, cred)
}

func (b *broken) Subscribe(ctx context.Context, cred providers.Credential, s providers.Subscription) (providers.Subscription, error) {
	if b.sub != nil {
		return b.sub(ctx, cred, s)
	}
	return b.adapter.Subscribe(ctx, cred, s)
}

func (b *broken) Unsubscribe(ctx context.Context, cred providers.Credential, s providers.Subscription) error {
	if b.unsub != nil {
		return b.unsub(ctx, cred, s)
	}
	return b.adapter.Unsubscribe(ctx, cred, s)
}

func (b *broken) ParseWebhook(now time.Time, r *providers.WebhookRequest) ([]providers.Notification, error) {
	if b.webhook != nil {
		return b.webhook(now, r)
	}
	return b.adapter.ParseWebhook(now, r)
}

func (b *broken) WebhookTraits() providers.WebhookTraits {
	traits := b.adapter.WebhookTraits()
	if b.traits != nil {
		b.traits(&traits)
	}
	return traits
}

func (b *broken) ProbeWebhook(r *providers.WebhookRequest) (providers.ProbeAnswer, bool) {
	if b.probe != nil {
		return b.probe(r)
	}
	return b.adapter.ProbeWebhook(r)
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// through puts something between the adapter and the wire.
func (b *broken) through(between func(http.RoundTripper, *http.Request) (*http.Response, error)) {
	a, err := newAdapter(providertest.BaseURL, roundTripper(func(r *http.Request) (*http.Response, error) { return between(b.rt, r) }))
	if err != nil {
		panic(err)
	}
	b.adapter = a
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

// pages breaks the pages that come.
func pages(change func(q providers.Query, p *providers.Page)) func(*broken) {
	return func(b *broken) {
		b.fetch = func(ctx context.Context, cred providers.Credential, q providers.Query) (providers.Page, error) {
			p, err := b.adapter.Fetch(ctx, cred, q)
			if err == nil {
				change(q, &p)
			}
			return p, err
		}
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
func mapped(f func(*health.Record)) func(*broken) { return func(b *broken) { b.adapter.mapped = f } }

// variants are adapters that each break one rule, by the case that must tell.
func variants() map[string]map[string]func(*broken) {
	day := 24 * time.Hour
	return map[string]map[string]func(*broken){
		"name": {"differs per value": func() func(*broken) {
			n := 0
			return func(b *broken) {
				n++
				name := "fake"
				if n == 2 {
					name = "fake2"
				}
				b.name = func() string { return name }
			}
		}()},
		"capabilities": {
			"negative": func(b *broken) {
				b.caps = func(c providers.Capabilities) providers.Capabilities { c.Streams[0].Lookback = -1; return c }
			},
			"days that are not whole": func(b *broken) {
				b.caps = func(c providers.Capabilities) providers.Capabilities { c.Streams[1].MaxWindow += time.Hour; return c }
			},
			"topic twice": func(b *broken) {
				b.caps = func(c providers.Capabilities) providers.Capabilities {
					c.Topics = append(c.Topics, c.Topics[0])
					return c
				}
			},
			"connects by a delivery that is not signed": func(b *broken) {
				b.unsigned = true
				b.caps = func(c providers.Capabilities) providers.Capabilities { c.ConnectByDelivery = true; return c }
			},
			"twice": func(b *broken) {
				b.caps = func(c providers.Capabilities) providers.Capabilities {
					c.Streams = append(c.Streams, c.Streams[0])
					return c
				}
			},
		},
		"paging": {
			"twice": pages(func(_ providers.Query, p *providers.Page) {
				if len(p.Records) == 1 && p.More {
					p.Records = append(p.Records, p.Records[0])
				}
			}),
			"lost": pages(func(_ providers.Query, p *providers.Page) {
				if len(p.Records) == 1 && p.More {
					p.Records = nil
				}
			}),
		},
		"cursor": {"tokens of one value": func(b *broken) {
			var mu sync.Mutex
			issued := map[string]bool{"": true}
			b.fetch = func(ctx context.Context, cred providers.Credential, q providers.Query) (providers.Page, error) {
				mu.Lock()
				defer mu.Unlock()
				if !issued[q.PageToken] {
					return providers.Page{}, b.fail("fetch", providers.ErrInvalid, "token")
				}
				p, err := b.adapter.Fetch(ctx, cred, q)
				issued[p.PageToken] = true
				return p, err
			}
		}},
		"windows": {
			"open at the beginning": pages(func(q providers.Query, p *providers.Page) {
				p.Records = slices.DeleteFunc(p.Records, func(r health.Record) bool {
					at, ok := r.Span.Start.Time()
					return ok && at.Equal(q.Window.From)
				})
			}),
			"a single day is empty": pages(func(q providers.Query, p *providers.Page) {
				if q.Window.Days() && q.Window.First == q.Window.Last && q.Window.Last != health.DayOf(time.Now().UTC()) {
					p.Records = nil
				}
			}),
		},
		"records": {
			"connection":  mapped(func(r *health.Record) { r.Connection = "c" }),
			"no mapping":  mapped(func(r *health.Record) { r.Rev.Mapping = 0 }),
			"no source":   mapped(func(r *health.Record) { r.Source = health.Source{} }),
			"kind":        mapped(func(r *health.Record) { r.Kind = health.KindECG }),
			"invalid":     mapped(func(r *health.Record) { r.Values = append(r.Values, health.Value{Metric: "No Metric"}) }),
			"from future": mapped(func(r *health.Record) { r.Rev.Order += int64(1000 * day / time.Millisecond) }),
		},
		"stable": {"own clock": mapped(func(r *health.Record) {
			r.Texts = append(r.Texts, health.Text{Name: "read_at", Value: time.Now().String()})
		})},
		"raw": {
			"none": pages(func(_ providers.Query, p *providers.Page) { p.Raw = nil }),
			"remap differs": func(b *broken) {
				b.remap = func(p health.RawPage) ([]health.Record, error) {
					all, err := b.adapter.Remap(p)
					for i := range all {
						all[i].Rev.Order++
					}
					return all, err
				}
			},
			"remap fails": func(b *broken) {
				b.remap = func(health.RawPage) ([]health.Record, error) { return nil, errors.New("no") }
			},
		},
		"digest": {
			"volatile": pages(func(_ providers.Query, p *providers.Page) { p.Digest = uint64(time.Now().Unix()) }),
			"constant": pages(func(_ providers.Query, p *providers.Page) { p.Digest = 7 }),
		},
		"changes": {
			"no mark": pages(func(_ providers.Query, p *providers.Page) { p.Candidate = "" }),
			"mark late": pages(func(_ providers.Query, p *providers.Page) {
				p.Candidate = strconv.FormatInt(time.Now().Add(30*time.Minute).UnixMilli(), 10)
			}),
			"strictly after": pages(func(q providers.Query, p *providers.Page) {
				if q.HighWater != "" && len(p.Records) > 0 {
					p.Records = p.Records[1:]
				}
			}),
		},
		"unsupported": {"other error": failures(class(providers.ErrInvalid), func(e *providers.Error) { e.Err = nil })},
		"concurrent": {"one cancels all": func(b *broken) {
			var spoiled atomic.Bool
			b.fetch = func(ctx context.Context, cred providers.Credential, q providers.Query) (providers.Page, error) {
				if spoiled.Load() {
					return providers.Page{}, b.fail("fetch", providers.ErrInvalid, "spoiled")
				}
				p, err := b.adapter.Fetch(ctx, cred, q)
				spoiled.CompareAndSwap(false, ctx.Err() != nil)
				return p, err
			}
		}},
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
		"authorize": {"state": func(b *broken) {
			b.authorize = func(ctx context.Context, r providers.AuthRequest) (providers.AuthStart, error) {
				r.State = "fixed"
				return b.adapter.Authorize(ctx, r)
			}
		}, "secret": func(b *broken) {
			b.authorize = func(ctx context.Context, r providers.AuthRequest) (providers.AuthStart, error) {
				start, err := b.adapter.Authorize(ctx, r)
				start.URL += "&client_secret=" + clientSecret
				return start, err
			}
		}},
		"exchange": {"again on failure": func(b *broken) {
			b.exchange = func(ctx context.Context, cb providers.Callback) (providers.Grant, error) {
				g, err := b.adapter.Exchange(ctx, cb)
				if errors.Is(err, providers.ErrUnavailable) {
					g, err = b.adapter.Exchange(ctx, cb)
				}
				return g, err
			}
		}},
		"exchange-refused": {"error overlooked": func(b *broken) {
			b.exchange = func(ctx context.Context, cb providers.Callback) (providers.Grant, error) {
				return b.adapter.Exchange(ctx, providers.Callback{Query: url.Values{"code": cb.Query["code"]}})
			}
		}},
		"refresh": {
			"used unasked": func(b *broken) {
				var newest atomic.Pointer[providers.Credential]
				b.refresh = func(ctx context.Context, cred providers.Credential) (providers.Credential, error) {
					next, err := b.adapter.Refresh(ctx, cred)
					if err == nil {
						newest.Store(&next)
					}
					return next, err
				}
				b.fetch = func(ctx context.Context, cred providers.Credential, q providers.Query) (providers.Page, error) {
					if c := newest.Load(); c != nil {
						cred = *c
					}
					return b.adapter.Fetch(ctx, cred, q)
				}
			},
			"refresh token lost": func(b *broken) {
				b.refresh = func(ctx context.Context, cred providers.Credential) (providers.Credential, error) {
					next, err := b.adapter.Refresh(ctx, cred)
					next.Refresh = providers.Secret{}
					return next, err
				}
			},
		},
		"refresh-once": {
			"again on failure": func(b *broken) {
				b.refresh = func(ctx context.Context, cred providers.Credential) (providers.Credential, error) {
					next, err := b.adapter.Refresh(ctx, cred)
					if errors.Is(err, providers.ErrUnavailable) {
						next, err = b.adapter.Refresh(ctx, cred)
					}
					return next, err
				}
			},
			"not told": func(b *broken) {
				b.refresh = func(ctx context.Context, cred providers.Credential) (providers.Credential, error) {
					next, err := b.adapter.Refresh(ctx, cred)
					if e, ok := errors.AsType[*providers.Error](err); ok {
						e.Ambiguous = false
					}
					return next, err
				}
			},
		},
		"refresh-refused": {"class": func(b *broken) {
			b.refresh = func(ctx context.Context, cred providers.Credential) (providers.Credential, error) {
				next, err := b.adapter.Refresh(ctx, cred)
				if e, ok := errors.AsType[*providers.Error](err); ok && e.Kind == providers.ErrReauth {
					e.Kind = providers.ErrForbidden
				}
				return next, err
			}
		}},
		"revoke": {
			"nothing": func(b *broken) { b.revoke = func(context.Context, providers.Credential) error { return nil } },
			"twice": func(b *broken) {
				b.revoke = func(ctx context.Context, cred providers.Credential) error {
					_, err := b.call(ctx, b.client.Once(), httpx.Request{Method: http.MethodPost, Path: "revoke", Authorize: bearer(cred)}, &struct{}{})
					return err
				}
			},
		},
		"recover": {
			"nothing new": func(b *broken) {
				b.recover = func(_ context.Context, cred providers.Credential) (providers.Credential, error) { return cred, nil }
			},
			"the refused refresh token": func(b *broken) {
				b.recover = func(ctx context.Context, cred providers.Credential) (providers.Credential, error) {
					next, err := b.adapter.Recover(ctx, cred)
					if err == nil {
						next.Refresh = cred.Refresh
					}
					return next, err
				}
			},
			"class": func(b *broken) {
				b.recover = func(ctx context.Context, cred providers.Credential) (providers.Credential, error) {
					next, err := b.adapter.Recover(ctx, cred)
					if e, ok := errors.AsType[*providers.Error](err); ok && e.Kind == providers.ErrReauth {
						e.Kind = providers.ErrInvalid
					}
					return next, err
				}
			},
		},
		"subscribe": {
			"never ends": func(b *broken) {
				b.unsub = func(context.Context, providers.Credential, providers.Subscription) error { return nil }
			},
			"ends once": func(b *broken) {
				b.unsub = func(ctx context.Context, cred providers.Credential, s providers.Subscription) error {
					_, _, err := b.subscriptions(ctx, cred, http.MethodDelete, url.Values{"id": {s.ID}})
					return err
				}
			},
			"no id": func(b *broken) {
				b.sub = func(ctx context.Context, cred providers.Credential, s providers.Subscription) (providers.Subscription, error) {
					_, err := b.adapter.Subscribe(ctx, cred, s)
					return s, err
				}
			},
			"a topic that is none": func(b *broken) {
				b.caps = func(c providers.Capabilities) providers.Capabilities { c.Topics = append(c.Topics, "moods"); return c }
			},
		},
		"webhook-traits": {
			"change": func(b *broken) {
				var n atomic.Int64
				b.traits = func(t *providers.WebhookTraits) { t.Deadline = time.Duration(n.Add(1)) * time.Second }
			},
			"accepted by a redirect":     traits(func(t *providers.WebhookTraits) { t.Accepted = http.StatusFound }),
			"refused by success":         traits(func(t *providers.WebhookTraits) { t.Refused = http.StatusOK }),
			"refused for good":           traits(func(t *providers.WebhookTraits) { t.Refused = http.StatusGone }),
			"deadline":                   traits(func(t *providers.WebhookTraits) { t.Deadline = -time.Second }),
			"body":                       traits(func(t *providers.WebhookTraits) { t.MaxBody = -1 }),
			"lower case":                 traits(func(t *providers.WebhookTraits) { t.Header = []string{"x-signature"} }),
			"header twice":               traits(func(t *providers.WebhookTraits) { t.Header = append(t.Header, t.Header[0]) }),
			"authorization":              traits(func(t *providers.WebhookTraits) { t.Header = append(t.Header, "Authorization") }),
			"cookie":                     traits(func(t *providers.WebhookTraits) { t.Header = append(t.Header, "Cookie") }),
			"name in no header":          traits(func(t *providers.WebhookTraits) { t.DuplicateHeader = "X-Name" }),
			"probe header in lower case": traits(func(t *providers.WebhookTraits) { t.ProbeHeader = []string{"authorization"} }),
			"probe header twice":         traits(func(t *providers.WebhookTraits) { t.ProbeHeader = []string{"Authorization", "Authorization"} }),
		},
		"webhook": {
			"own clock": func(b *broken) {
				b.webhook = func(_ time.Time, r *providers.WebhookRequest) ([]providers.Notification, error) {
					return b.adapter.ParseWebhook(time.Now(), r)
				}
			},
			"state": func(b *broken) {
				var n atomic.Int64
				b.webhook = news(b, func(_ *providers.WebhookRequest, note *providers.Notification) {
					note.Detail += strconv.FormatInt(n.Add(1), 10)
				})
			},
			"a header the engine does not keep": func(b *broken) {
				b.webhook = news(b, func(r *providers.WebhookRequest, note *providers.Notification) {
					note.Detail += r.Header.Get("User-Agent")
				})
			},
			"changes the header": func(b *broken) {
				b.webhook = func(now time.Time, r *providers.WebhookRequest) ([]providers.Notification, error) {
					if r.Header != nil {
						defer r.Header.Set("X-Seen", "1")
					}
					return b.adapter.ParseWebhook(now, r)
				}
			},
			"changes the body": func(b *broken) {
				b.webhook = func(now time.Time, r *providers.WebhookRequest) ([]providers.Notification, error) {
					defer clear(r.Body)
					return b.adapter.ParseWebhook(now, &providers.WebhookRequest{Header: r.Header, Body: slices.Clone(r.Body), Large: r.Large})
				}
			},
			"asks the service": func(b *broken) {
				b.webhook = func(now time.Time, r *providers.WebhookRequest) ([]providers.Notification, error) {
					_, _ = b.client.Send(context.Background(), httpx.Request{Op: "webhook", Path: "data"})
					return b.adapter.ParseWebhook(now, r)
				}
			},
		},
		"webhook-news": {
			"nothing ends the connect flow": func(b *broken) {
				b.caps = func(c providers.Capabilities) providers.Capabilities { c.ConnectByDelivery = true; return c }
				b.webhook = news(b, func(_ *providers.WebhookRequest, n *providers.Notification) {
					if n.Event == providers.EventAuth {
						n.Reference = ""
					}
				})
			},
			"nobody": noted(func(n *providers.Notification) {
				if n.UpstreamID = ""; n.Payload != nil {
					n.UpstreamID = "u7"
				}
			}),
			"a part of nothing": noted(func(n *providers.Notification) {
				if n.Event == providers.EventData && n.Part == 0 {
					n.Part = 1
				}
			}),
			"a request of no name": noted(func(n *providers.Notification) {
				if n.Event == providers.EventRequest && n.Expected == 2 {
					n.Reference = ""
				}
			}),
			"own event":     noted(func(n *providers.Notification) { n.Event = "party" }),
			"no event":      noted(func(n *providers.Notification) { n.Event = "" }),
			"no old id":     noted(func(n *providers.Notification) { n.OldUpstreamID = "" }),
			"stream":        noted(func(n *providers.Notification) { n.Streams = []string{"moods"} }),
			"window":        noted(func(n *providers.Notification) { n.Window.From, n.Window.To = time.Unix(2, 0), time.Unix(1, 0) }),
			"other records": noted(func(n *providers.Notification) { n.Event = providers.EventDeauth }),
			"records": noted(func(n *providers.Notification) {
				for i := range n.Records {
					n.Records[i].Rev.Mapping = 0
				}
			}),
		},
		"webhook-large": {
			"verifies nothing": func(b *broken) {
				b.verify = func(_ time.Time, r *providers.WebhookRequest) (time.Time, error) {
					at, _ := signedAt(r)
					return at, nil
				}
			},
			"only in memory": func(b *broken) {
				b.verify = func(now time.Time, r *providers.WebhookRequest) (time.Time, error) {
					small := *r
					small.Large = nil
					return b.adapter.VerifyWebhook(now, &small)
				}
			},
			"another time": func(b *broken) {
				b.verify = func(now time.Time, r *providers.WebhookRequest) (time.Time, error) {
					_, err := b.adapter.VerifyWebhook(now, r)
					return time.Unix(0, 0), err
				}
			},
			"reads nothing of it": func(b *broken) {
				b.webhook = func(now time.Time, r *providers.WebhookRequest) ([]providers.Notification, error) {
					news, err := b.adapter.ParseWebhook(now, r)
					if r.Large != nil {
						return nil, err
					}
					return news, err
				}
			},
		},
		"payload": {
			"another host": func(b *broken) {
				b.payload = func(ctx context.Context, n providers.Notification, w io.Writer) error {
					address := n.Payload.Address.Reveal()
					if u, err := url.Parse(address); err == nil && "https://"+u.Host != providertest.BaseURL {
						r, err := http.NewRequestWithContext(ctx, http.MethodGet, providertest.BaseURL+"/payload?key=ended", nil)
						if err != nil {
							return err
						}
						if resp, err := b.rt.RoundTrip(r); err == nil {
							_ = resp.Body.Close()
						}
						return b.fail("payload", providers.ErrInvalid, "link")
					}
					return b.adapter.FetchPayload(ctx, n, w)
				}
			},
			"twice": func(b *broken) {
				b.payload = func(ctx context.Context, n providers.Notification, w io.Writer) error {
					_ = b.adapter.FetchPayload(ctx, n, io.Discard)
					return b.adapter.FetchPayload(ctx, n, w)
				}
			},
			"no failure": func(b *broken) {
				b.payload = func(ctx context.Context, n providers.Notification, w io.Writer) error {
					_ = b.adapter.FetchPayload(ctx, n, w)
					return nil
				}
			},
			"an address that ended may come back": func(b *broken) {
				b.payload = func(ctx context.Context, n providers.Notification, w io.Writer) error {
					err := b.adapter.FetchPayload(ctx, n, w)
					if e, ok := errors.AsType[*providers.Error](err); ok {
						e.Kind = providers.ErrUnavailable
					}
					return err
				}
			},
			"tells the address": func(b *broken) {
				b.payload = func(ctx context.Context, n providers.Notification, w io.Writer) error {
					err := b.adapter.FetchPayload(ctx, n, w)
					if e, ok := errors.AsType[*providers.Error](err); ok {
						e.Detail = n.Payload.Address.Reveal()
					}
					return err
				}
			},
			"HTML": func(b *broken) {
				b.content = func(now time.Time, n providers.Notification, r *providers.WebhookRequest) ([]providers.Notification, error) {
					news, err := b.adapter.ParsePayload(now, n, r)
					if errors.Is(err, providers.ErrMalformed) {
						return nil, nil
					}
					return news, err
				}
			},
		},
		"pending": {
			"goes on": func(b *broken) {
				b.fetch = pendingPage(b, func(p *providers.Page) { p.More, p.PageToken = true, "1" })
			},
			"no name": func(b *broken) { b.fetch = pendingPage(b, func(p *providers.Page) { p.Pending.Reference = "" }) },
			"an empty page": func(b *broken) {
				b.fetch = pendingPage(b, func(p *providers.Page) { p.Pending = nil })
			},
			"one number": deferred(func(n *providers.Notification) { n.Part = min(n.Part, 1) }),
			"never told": deferred(func(n *providers.Notification) { n.Expected = 0 }),
		},
		"confirm": {
			"believes the browser": func(b *broken) {
				b.confirm = func(_ context.Context, _ string, cb providers.Callback) (string, error) {
					return cb.Query["user"][0], nil
				}
			},
			"anybody": func(b *broken) {
				b.confirm = func(ctx context.Context, _ string, cb providers.Callback) (string, error) {
					return b.adapter.Confirm(ctx, "r1", cb)
				}
			},
			"nobody is somebody": func(b *broken) {
				b.confirm = func(ctx context.Context, reference string, cb providers.Callback) (string, error) {
					id, err := b.adapter.Confirm(ctx, reference, cb)
					if errors.Is(err, providers.ErrNotFound) {
						err = nil
					}
					return id, err
				}
			},
		},
		"people": {
			"one page": func(b *broken) {
				b.people = func(ctx context.Context, token string) (providers.UpstreamPage, error) {
					page, err := b.adapter.UpstreamUsers(ctx, token)
					page.Next = ""
					return page, err
				}
			},
			"in a circle": func(b *broken) {
				b.people = func(ctx context.Context, token string) (providers.UpstreamPage, error) {
					return b.adapter.UpstreamUsers(ctx, "")
				}
			},
		},
		"webhook-unsigned": {"points elsewhere": func(b *broken) {
			b.unsigned = true
			b.webhook = news(b, func(_ *providers.WebhookRequest, n *providers.Notification) {
				if n.Event == providers.EventData {
					n.Payload = &providers.Payload{Address: providers.NewSecret("https://service.example.com/payload?key=good")}
				}
			})
		}, "believed": func(b *broken) {
			b.unsigned = true
			now := time.Now().UnixMilli()
			b.webhook = news(b, func(_ *providers.WebhookRequest, n *providers.Notification) {
				if n.Event == providers.EventData {
					n.Records = b.records("weights", []row{{ID: "w1", At: now, Modified: now, Value: 70_000}})
				}
			})
		}},
		"webhook-forged": {
			"space around the body": func(b *broken) {
				b.webhook = func(now time.Time, r *providers.WebhookRequest) ([]providers.Notification, error) {
					trimmed := *r
					trimmed.Body = bytes.TrimSpace(r.Body)
					return b.adapter.ParseWebhook(now, &trimmed)
				}
			},
			"any of two": func(b *broken) {
				b.webhook = func(now time.Time, r *providers.WebhookRequest) (news []providers.Notification, err error) {
					for i := range max(1, len(r.Header["X-Signature"])) {
						one := *r
						if i < len(r.Header["X-Signature"]) {
							one.Header = http.Header{"X-Signature": r.Header["X-Signature"][i : i+1]}
						}
						if news, err = b.adapter.ParseWebhook(now, &one); err == nil {
							return news, nil
						}
					}
					return nil, err
				}
			},
			"half a signature": func(b *broken) {
				b.webhook = func(now time.Time, r *providers.WebhookRequest) ([]providers.Notification, error) {
					at, ok := signedAt(r)
					if !ok {
						return b.adapter.ParseWebhook(now, r)
					}
					given, whole := r.Header["X-Signature"][0], sign(r.Body, at)
					if len(given) == len(whole) && given[:40] == whole[:40] {
						given = whole
					}
					return b.adapter.ParseWebhook(now, &providers.WebhookRequest{
						Header: http.Header{"X-Signature": {given}}, Body: r.Body, Large: r.Large,
					})
				}
			},
			"unsigned where there is no signature": func(b *broken) {
				b.webhook = func(now time.Time, r *providers.WebhookRequest) ([]providers.Notification, error) {
					if _, told := r.Header["X-Signature"]; told || len(r.Body) == 0 {
						return b.adapter.ParseWebhook(now, r)
					}
					return (&adapter{client: b.client, unsigned: true}).ParseWebhook(now, r)
				}
			},
			"tells the signature": func(b *broken) {
				b.webhook = func(now time.Time, r *providers.WebhookRequest) ([]providers.Notification, error) {
					news, err := b.adapter.ParseWebhook(now, r)
					if e, ok := errors.AsType[*providers.Error](err); ok && len(r.Header["X-Signature"]) == 2 {
						e.Detail = "with " + r.Header["X-Signature"][0]
					}
					return news, err
				}
			},
		},
		"webhook-time": {
			"of any age": func(b *broken) {
				b.webhook = func(now time.Time, r *providers.WebhookRequest) ([]providers.Notification, error) {
					if at, ok := signedAt(r); ok && at.Before(now) {
						now = at
					}
					return b.adapter.ParseWebhook(now, r)
				}
			},
			"of the future": func(b *broken) {
				b.webhook = func(now time.Time, r *providers.WebhookRequest) ([]providers.Notification, error) {
					if at, ok := signedAt(r); ok && at.After(now) {
						now = at
					}
					return b.adapter.ParseWebhook(now, r)
				}
			},
		},
		"webhook-unreadable": {
			"panics": unread(func(r *providers.WebhookRequest, _ *providers.Error) error {
				_ = r.Body[0]
				return nil
			}),
			"nothing in it": unread(func(_ *providers.WebhookRequest, e *providers.Error) error { return nil }),
			"class": unread(func(_ *providers.WebhookRequest, e *providers.Error) error {
				e.Kind = providers.ErrSignature
				return e
			}),
			"tells the body": unread(func(r *providers.WebhookRequest, e *providers.Error) error {
				e.Detail = string(r.Body)
				return e
			}),
		},
		"webhook-probe": {
			"takes deliveries": func(b *broken) {
				b.probe = func(*providers.WebhookRequest) (providers.ProbeAnswer, bool) {
					return providers.ProbeAnswer{Status: http.StatusOK}, true
				}
			},
			"changes the request": func(b *broken) {
				b.probe = func(r *providers.WebhookRequest) (providers.ProbeAnswer, bool) {
					delete(r.Query, "challenge")
					return b.adapter.ProbeWebhook(r)
				}
			},
			"state": func(b *broken) {
				var n atomic.Int64
				b.probe = probed(b, func(a *providers.ProbeAnswer) { a.Body = strconv.AppendInt(nil, n.Add(1), 10) })
			},
			"no status":       func(b *broken) { b.probe = probed(b, func(a *providers.ProbeAnswer) { a.Status = 0 }) },
			"a redirect":      func(b *broken) { b.probe = probed(b, func(a *providers.ProbeAnswer) { a.Status = http.StatusFound }) },
			"no content type": func(b *broken) { b.probe = probed(b, func(a *providers.ProbeAnswer) { a.ContentType = "" }) },
			"asks the service": func(b *broken) {
				b.probe = func(r *providers.WebhookRequest) (providers.ProbeAnswer, bool) {
					_, _ = b.client.Send(context.Background(), httpx.Request{Op: "probe", Path: "data"})
					return b.adapter.ProbeWebhook(r)
				}
			},
		},
	}
}

func traits(change func(*providers.WebhookTraits)) func(*broken) {
	return func(b *broken) { b.traits = change }
}

// news breaks what deliveries tell.
func news(b *broken, change func(*providers.WebhookRequest, *providers.Notification)) func(time.Time, *providers.WebhookRequest) ([]providers.Notification, error) {
	return func(now time.Time, r *providers.WebhookRequest) ([]providers.Notification, error) {
		all, err := b.adapter.ParseWebhook(now, r)
		for i := range all {
			change(r, &all[i])
		}
		return all, err
	}
}

// noted breaks what deliveries tell, but for those that answer a request, and
// deferred those only.
func noted(change func(*providers.Notification)) func(*broken) { return changed(change, false) }

func deferred(change func(*providers.Notification)) func(*broken) { return changed(change, true) }

func changed(change func(*providers.Notification), answers bool) func(*broken) {
	return func(b *broken) {
		b.webhook = news(b, func(_ *providers.WebhookRequest, n *providers.Notification) {
			if (n.Reference == "request-1") == answers {
				change(n)
			}
		})
	}
}

// unread breaks the errors of deliveries that cannot be read.
func unread(change func(*providers.WebhookRequest, *providers.Error) error) func(*broken) {
	return func(b *broken) {
		b.webhook = func(now time.Time, r *providers.WebhookRequest) ([]providers.Notification, error) {
			all, err := b.adapter.ParseWebhook(now, r)
			if e, ok := errors.AsType[*providers.Error](err); ok && e.Kind == providers.ErrMalformed {
				return nil, change(r, e)
			}
			return all, err
		}
	}
}

// pendingPage breaks the pages of requests that are answered by deliveries.
func pendingPage(b *broken, change func(*providers.Page)) func(context.Context, providers.Credential, providers.Query) (providers.Page, error) {
	return func(ctx context.Context, cred providers.Credential, q providers.Query) (providers.Page, error) {
		page, err := b.adapter.Fetch(ctx, cred, q)
		if page.Pending != nil {
			change(&page)
		}
		return page, err
	}
}

// probed breaks the answers to checks.
func probed(b *broken, change func(*providers.ProbeAnswer)) func(*providers.WebhookRequest) (providers.ProbeAnswer, bool) {
	return func(r *providers.WebhookRequest) (providers.ProbeAnswer, bool) {
		answer, taken := b.adapter.ProbeWebhook(r)
		if taken {
			change(&answer)
		}
		return answer, taken
	}
}

// TestBrokenAdapters runs the suite on adapters that each break one rule:
// exactly the case of that rule must tell.
func TestBrokenAdapters(t *testing.T) {
	all := variants()
	for _, id := range providertest.CaseIDs() {
		require.NotEmpty(t, all[id], "no adapter breaks the rule %q", id)
	}
	for id, ways := range all {
		for way, wrong := range ways {
			t.Run(id+"/"+way, func(t *testing.T) {
				h := harness(nil)
				h.New = func(tb testing.TB, base string, rt http.RoundTripper) providers.Provider {
					a, err := newAdapter(base, rt)
					require.NoError(tb, err)
					b := &broken{adapter: a, rt: rt}
					wrong(b)
					return b
				}
				var told []string
				err := providertest.Check(t, h)
				if joined, ok := err.(interface{ Unwrap() []error }); ok {
					for _, err := range joined.Unwrap() {
						var f *providertest.Failure
						require.ErrorAs(t, err, &f)
						told = append(told, f.ID)
					}
				}
				require.Equal(t, []string{id}, told, "%v", err)
			})
		}
	}
}
