package providertest_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/vitalmux/vitalmux/internal/httpx"
	"github.com/vitalmux/vitalmux/providers"
)

// brokenWebhooks are adapters that each break one rule about deliveries.
func brokenWebhooks() map[string]map[string]func(*broken) {
	return map[string]map[string]func(*broken){
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
