package providertest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/providertest"
)

// brokenAggregators are adapters that each break one rule about services that
// bring the data of other services.
func brokenAggregators() map[string]map[string]func(*broken) {
	return map[string]map[string]func(*broken){
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
	}
}

func deferred(change func(*providers.Notification)) func(*broken) { return changed(change, true) }

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
