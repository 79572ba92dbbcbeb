package providertest_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync/atomic"

	"github.com/vitalmux/vitalmux/internal/httpx"
	"github.com/vitalmux/vitalmux/providers"
)

// brokenAbilities are adapters that each break one rule about what adapters may
// be able to do besides.
func brokenAbilities() map[string]map[string]func(*broken) {
	return map[string]map[string]func(*broken){
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
	}
}
