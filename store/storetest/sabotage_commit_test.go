package storetest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

// commitSabotages break what a commit does.
func commitSabotages() []sabotage {
	return []sabotage{
		{"ignores the lease of a commit", plain(func(f *fake) {
			f.commit = func(ctx context.Context, b store.Batch) (store.Result, error) {
				if b.Lease.Connection == b.Connection {
					b.Lease, b.Unfenced = store.Lease{}, true
				}
				return f.Store.Commit(ctx, b)
			}
		}), "commit-expired commit-forged commit-stale-holder connection-delete lease-held"},

		{"leaves samples on the clock they were on", func() func(store.Store) store.Store {
			return func(s store.Store) store.Store {
				f := newFake(s)
				var mu sync.Mutex
				var left []store.SampleRun
				f.commit = func(ctx context.Context, b store.Batch) (store.Result, error) {
					mu.Lock()
					defer mu.Unlock()
					for _, p := range b.Pages {
						for _, r := range p.Records {
							if len(r.Series) == 0 || r.Series[0].Floating || r.Span.Zone != health.ZoneFromProfile {
								continue
							}
							page, err := f.Store.Samples(ctx, store.SampleQuery{User: b.User, Metric: r.Series[0].Metric})
							for _, run := range page.Runs {
								if err == nil && run.Series.Floating {
									left = append(left, run)
								}
							}
						}
					}
					return f.Store.Commit(ctx, b)
				}
				f.samples = func(ctx context.Context, q store.SampleQuery) (store.SamplePage, error) {
					mu.Lock()
					defer mu.Unlock()
					page, err := f.Store.Samples(ctx, q)
					if err == nil && q.After == "" {
						page.Runs = append(slices.Clone(left), page.Runs...)
					}
					return page, err
				}
				return f
			}
		}, "commit-idempotent series-clock"},

		{"takes the version that arrives last", plain(func(f *fake) {
			f.commit = func(ctx context.Context, b store.Batch) (store.Result, error) {
				return f.Store.Commit(ctx, changeRecords(b, func(r *health.Record) {
					page, err := f.Store.Records(ctx, store.RecordQuery{
						User: b.User, Connections: []string{b.Connection}, Kinds: []health.Kind{r.Kind}, Keys: []string{r.Key}, Deleted: true,
					})
					if err == nil && len(page.Records) == 1 && page.Records[0].Rev.Order > r.Rev.Order && page.Records[0].Rev.Fingerprint != r.Fingerprint() {
						r.Rev.Order = page.Records[0].Rev.Order + 1
					}
				}))
			}
		}), "absent-brought absent-restored concurrent-versions model page-digest-forgotten page-digest-stale series-shed series-stale series-tombstone version-equal version-older version-sticky version-tombstone"},

		{"does not know a push from a pull", plain(func(f *fake) {
			f.commit = func(ctx context.Context, b store.Batch) (store.Result, error) {
				return f.Store.Commit(ctx, changeRecords(b, func(r *health.Record) { r.Rev.Push = false }))
			}
		}), "absent-restored model record-fields version-tie"},

		{"loses sticky values", plain(func(f *fake) {
			f.commit = func(ctx context.Context, b store.Batch) (store.Result, error) {
				return f.Store.Commit(ctx, changeRecords(b, func(r *health.Record) {
					r.Values = slices.Clone(r.Values)
					for i := range r.Values {
						r.Values[i].Flags &^= health.FlagSticky
					}
				}))
			}
		}), "record-fields version-sticky"},

		{"folds the case of keys", plain(func(f *fake) {
			f.commit = func(ctx context.Context, b store.Batch) (store.Result, error) {
				b = changeRecords(b, func(r *health.Record) { r.Key = strings.ToLower(r.Key) })
				b.Pages = slices.Clone(b.Pages)
				for i := range b.Pages {
					b.Pages[i].Stream = strings.ToLower(b.Pages[i].Stream)
				}
				return f.Store.Commit(ctx, b)
			}
		}), "record-fields record-identity"},

		{"commits page by page", plain(func(f *fake) {
			f.commit = func(ctx context.Context, b store.Batch) (store.Result, error) {
				var total store.Result
				for i := range b.Pages {
					one := b
					one.Pages, one.Cursors, one.Covered, one.Absent, one.Acks, one.Due = b.Pages[i:i+1], nil, nil, nil, nil, nil
					got, err := f.Store.Commit(ctx, one)
					if err != nil {
						return store.Result{}, err
					}
					total = add(total, got)
				}
				b.Pages = nil
				got, err := f.Store.Commit(ctx, b)
				return add(total, got), err
			}
		}), "absent-brought commit-atomic connection-predecessor cursor-race cursor-swap"},

		{"moves a cursor from wherever it is", plain(func(f *fake) {
			f.commit = func(ctx context.Context, b store.Batch) (store.Result, error) {
				b.Cursors = slices.Clone(b.Cursors)
				for i := range b.Cursors {
					if was := &b.Cursors[i].Old; was.Connection == b.Connection {
						if at, err := f.Store.Cursor(ctx, was.Connection, was.Stream, was.Lane); err == nil {
							*was = at
						}
					}
				}
				return f.Store.Commit(ctx, b)
			}
		}), "cursor-race cursor-swap inbox-acks"},

		{"never forgets a digest", func() func(store.Store) store.Store {
			var known sync.Map
			return func(s store.Store) store.Store {
				f := newFake(s)
				f.commit = func(ctx context.Context, b store.Batch) (store.Result, error) {
					skipped := 0
					var kept []store.Page
					for _, p := range b.Pages {
						if d, ok := known.Load(b.Connection + "/" + p.Stream + "/" + p.Key); ok && p.Digest != 0 && d == p.Digest {
							skipped++
							continue
						}
						kept = append(kept, p)
					}
					b.Pages = kept
					got, err := s.Commit(ctx, b)
					if err == nil {
						for _, p := range kept {
							if p.Digest != 0 {
								known.Store(b.Connection+"/"+p.Stream+"/"+p.Key, p.Digest)
							}
						}
					}
					got.SkippedPages += skipped
					return got, err
				}
				return f
			}
		}, "connection-delete model page-digest-absent page-digest-forgotten page-digest-stale"},

		{"forgets digests for the sake of new records", func() func(store.Store) store.Store {
			var all sync.Mutex
			salts := map[string]uint64{} // of the pages that are known
			return func(s store.Store) store.Store {
				f := newFake(s)
				f.commit = func(ctx context.Context, b store.Batch) (store.Result, error) {
					all.Lock()
					defer all.Unlock()
					here := map[string]bool{}
					b.Pages = slices.Clone(b.Pages)
					for i := range b.Pages {
						p := &b.Pages[i]
						if p.Digest != 0 && b.Connection == conn {
							page := p.Stream + "/" + p.Key
							here[page] = true
							if _, known := salts[page]; !known {
								salts[page] = 0
							}
							p.Digest += salts[page] << 32
						}
					}
					got, err := s.Commit(ctx, b)
					if got.Inserted > 0 {
						for page := range salts {
							if !here[page] && strings.HasPrefix(page, b.Pages[0].Stream+"/") {
								salts[page]++
							}
						}
					}
					return got, err
				}
				return f
			}
		}, "page-digest-kept"},

		{"looks at every page", plain(func(f *fake) {
			f.commit = func(ctx context.Context, b store.Batch) (store.Result, error) {
				b.Pages = slices.Clone(b.Pages)
				for i := range b.Pages {
					b.Pages[i].Digest = 0
				}
				return f.Store.Commit(ctx, b)
			}
		}), "model page-digest page-digest-forgotten page-digest-kept page-digest-stale"},

		{"knows the digest of a page that lost", func() func(store.Store) store.Store {
			var mu sync.Mutex
			lost := map[string]uint64{} // digests by page
			return func(s store.Store) store.Store {
				f := newFake(s)
				f.commit = func(ctx context.Context, b store.Batch) (store.Result, error) {
					if len(b.Pages) != 1 || b.Pages[0].Digest == 0 || b.Connection != conn {
						return s.Commit(ctx, b)
					}
					mu.Lock()
					defer mu.Unlock()
					p := b.Pages[0]
					if lost[p.Stream+"/"+p.Key] == p.Digest {
						return store.Result{SkippedPages: 1}, nil
					}
					got, err := s.Commit(ctx, b)
					if got.Stale > 0 {
						lost[p.Stream+"/"+p.Key] = p.Digest
					}
					return got, err
				}
				return f
			}
		}, "page-digest-forgotten page-digest-stale"},

		{"makes no tombstones for absence", plain(func(f *fake) {
			f.commit = func(ctx context.Context, b store.Batch) (store.Result, error) {
				if b.Validate() == nil {
					b.Absent = nil
				}
				return f.Store.Commit(ctx, b)
			}
		}), "absent-brought absent-instants absent-restored absent-tombstone absent-window model page-digest-absent"},

		{"takes what the batch brings for absent", plain(func(f *fake) {
			f.commit = func(ctx context.Context, b store.Batch) (store.Result, error) {
				if b.Validate() != nil || len(b.Absent) == 0 || len(b.Pages) == 0 {
					return f.Store.Commit(ctx, b)
				}
				late := b
				late.Pages, late.Cursors, late.Covered = nil, nil, nil
				b.Absent = nil
				got, err := f.Store.Commit(ctx, b)
				if err == nil {
					more, _ := f.Store.Commit(ctx, late)
					got.Deleted += more.Deleted
				}
				return got, err
			}
		}), "absent-brought"},

		{"takes absence for that of all streams", plain(func(f *fake) {
			f.commit = func(ctx context.Context, b store.Batch) (store.Result, error) {
				if len(b.Absent) == 1 && b.Absent[0].Stream == stream {
					other := b.Absent[0]
					other.Stream = "other"
					b.Absent = append(slices.Clone(b.Absent), other)
				}
				return f.Store.Commit(ctx, b)
			}
		}), "absent-window model"},

		{"lets pass what is invalid", plain(func(f *fake) {
			f.commit = func(ctx context.Context, b store.Batch) (store.Result, error) {
				got, err := f.Store.Commit(ctx, b)
				if errors.Is(err, store.ErrInvalid) {
					err = nil
				}
				return got, err
			}
		}), "commit-atomic commit-invalid commit-other-user"},

		{"takes the first of two versions in a batch", plain(func(f *fake) {
			f.commit = func(ctx context.Context, b store.Batch) (store.Result, error) {
				seen := map[string]bool{}
				b.Pages = slices.Clone(b.Pages)
				for i := range b.Pages {
					b.Pages[i].Records = slices.DeleteFunc(slices.Clone(b.Pages[i].Records), func(r health.Record) bool {
						again := seen[string(r.Kind)+r.Key]
						seen[string(r.Kind)+r.Key] = true
						return again
					})
				}
				return f.Store.Commit(ctx, b)
			}
		}), "commit-duplicate"},

		{"settles no items", plain(func(f *fake) {
			f.commit = func(ctx context.Context, b store.Batch) (store.Result, error) {
				b.Acks = nil
				return f.Store.Commit(ctx, b)
			}
		}), "inbox-acks inbox-assign inbox-item-pages inbox-rest"},

		{"forgets the page number of a walk", plain(func(f *fake) {
			f.commit = func(ctx context.Context, b store.Batch) (store.Result, error) {
				b.Cursors = slices.Clone(b.Cursors)
				for i := range b.Cursors {
					for _, c := range []*store.Cursor{&b.Cursors[i].Old, &b.Cursors[i].New} {
						if c.Walk != nil {
							walk := *c.Walk
							walk.Pages = 0
							c.Walk = &walk
						}
					}
				}
				return f.Store.Commit(ctx, b)
			}
		}), "cursor-round-trip cursor-swap"},

		{"commits for a caller who left", plain(func(f *fake) {
			f.commit = func(ctx context.Context, b store.Batch) (store.Result, error) {
				got, err := f.Store.Commit(context.WithoutCancel(ctx), b)
				return got, errors.Join(err, ctx.Err())
			}
		}), "cancelled"},
	}
}
