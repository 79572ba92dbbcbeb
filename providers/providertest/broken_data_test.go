package providertest_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
)

// brokenData are adapters that each break one rule about data.
func brokenData() map[string]map[string]func(*broken) {
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
			"not told when the day begins": pages(func(q providers.Query, p *providers.Page) {
				for i := range p.Records {
					if !q.Begins.IsZero() {
						p.Records[i].Span.Start = health.At(q.Begins)
					}
				}
			}),
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

func mapped(f func(*health.Record)) func(*broken) { return func(b *broken) { b.adapter.mapped = f } }
