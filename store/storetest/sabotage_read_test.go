package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

// readSabotages break what is read.
func readSabotages() []sabotage {
	return []sabotage{
		{"forgets the points outside of the last window", func() func(store.Store) store.Store {
			var windows sync.Map
			type key struct {
				owner    store.Owner
				floating bool
			}
			return func(s store.Store) store.Store {
				f := newFake(s)
				f.commit = func(ctx context.Context, b store.Batch) (store.Result, error) {
					got, err := s.Commit(ctx, b)
					if err == nil && got.Inserted+got.Revised > 0 {
						for _, p := range b.Pages {
							for _, r := range p.Records {
								for i := range r.Series {
									one := r
									one.Series = []health.Series{r.Series[i]}
									one.Series[0].Times, one.Series[0].Values = []int64{0}, []int64{0}
									at := pointsOf(one, 0)[0]
									windows.Store(key{at.owner, at.floating}, [2]int64{r.Series[i].From, r.Series[i].To})
								}
							}
						}
					}
					return got, err
				}
				f.samples = func(ctx context.Context, q store.SampleQuery) (store.SamplePage, error) {
					page, err := s.Samples(ctx, q)
					var kept []store.SampleRun
					for _, run := range page.Runs {
						if w, ok := windows.Load(key{run.Owner, run.Series.Floating}); ok {
							window := w.([2]int64)
							run.Series = run.Series.Slice(window[0], window[1])
						}
						if run.Series.Len() > 0 {
							kept = append(kept, run)
						}
					}
					page.Runs = kept
					return page, err
				}
				return f
			}
		}, "concurrent-users model series-clock series-exponents series-kinds series-stale series-tombstone series-window"},

		{"rounds samples to whole numbers", plain(func(f *fake) {
			f.samples = func(ctx context.Context, q store.SampleQuery) (store.SamplePage, error) {
				page, err := f.Store.Samples(ctx, q)
				for i := range page.Runs {
					s := &page.Runs[i].Series
					for ; s.Exp < 0; s.Exp++ {
						for k := range s.Values {
							s.Values[k] /= 10
						}
					}
				}
				return page, err
			}
		}), "series-exponents"},

		{"ends samples a millisecond late", plain(func(f *fake) {
			f.samples = func(ctx context.Context, q store.SampleQuery) (store.SamplePage, error) {
				if q.To != 0 {
					q.To++
				}
				return f.Store.Samples(ctx, q)
			}
		}), "samples-paging"},

		{"ends records a millisecond late", plain(func(f *fake) {
			f.records = func(ctx context.Context, q store.RecordQuery) (store.RecordPage, error) {
				if !q.To.IsZero() {
					q.To = q.To.Add(time.Millisecond)
				}
				return f.Store.Records(ctx, q)
			}
		}), "records-filters"},

		{"goes on behind a page at the next start", func() func(store.Store) store.Store {
			var last sync.Map
			return func(s store.Store) store.Store {
				f := newFake(s)
				f.records = func(ctx context.Context, q store.RecordQuery) (store.RecordPage, error) {
					page, err := s.Records(ctx, q)
					if n := len(page.Records); n > 0 && page.Next != "" {
						last.Store(page.Next, page.Records[n-1].Span.Start.SortMilli())
					}
					if start, ok := last.Load(q.After); ok {
						page.Records = slices.DeleteFunc(page.Records, func(r health.Record) bool { return r.Span.Start.SortMilli() == start })
					}
					return page, err
				}
				return f
			}
		}, "model records-filters records-paging"},

		{"shows tombstones to everybody", plain(func(f *fake) {
			f.records = func(ctx context.Context, q store.RecordQuery) (store.RecordPage, error) {
				q.Deleted = true
				return f.Store.Records(ctx, q)
			}
		}), "absent-brought absent-instants absent-restored absent-window records-filters records-paging version-tombstone"},

		{"gives out what it holds itself", func() func(store.Store) store.Store {
			var (
				mu    sync.Mutex
				pages = map[string]store.RecordPage{}
			)
			return func(s store.Store) store.Store {
				f := newFake(s)
				f.commit = func(ctx context.Context, b store.Batch) (store.Result, error) {
					mu.Lock()
					defer mu.Unlock()
					clear(pages)
					return s.Commit(ctx, b)
				}
				f.erase = func(ctx context.Context, user string) (store.Erasure, error) {
					clear(pages)
					return s.Erase(ctx, user)
				}
				f.delete = func(ctx context.Context, id string, data bool) error {
					clear(pages)
					return s.DeleteConnection(ctx, id, data)
				}
				f.records = func(ctx context.Context, q store.RecordQuery) (store.RecordPage, error) {
					mu.Lock()
					defer mu.Unlock()
					key := fmt.Sprintf("%+v", q)
					page, err := s.Records(ctx, q)
					if held, ok := pages[key]; ok && err == nil {
						return held, nil
					}
					pages[key] = page
					return page, err
				}
				return f
			}
		}, "record-copies"},

		{"lists covered windows as they came", func() func(store.Store) store.Store {
			var (
				mu   sync.Mutex
				seen = map[string][]health.Window{}
			)
			return func(s store.Store) store.Store {
				f := newFake(s)
				f.commit = func(ctx context.Context, b store.Batch) (store.Result, error) {
					got, err := s.Commit(ctx, b)
					mu.Lock()
					defer mu.Unlock()
					for _, c := range b.Covered {
						if key := b.Connection + "/" + c.Stream; err == nil {
							seen[key] = append(seen[key], c.Window)
						}
					}
					return got, err
				}
				f.coverage = func(ctx context.Context, connection, stream string) ([]health.Window, error) {
					merged, err := s.Coverage(ctx, connection, stream)
					mu.Lock()
					defer mu.Unlock()
					if len(merged) == 0 {
						return merged, err
					}
					return slices.Clone(seen[connection+"/"+stream]), err
				}
				return f
			}
		}, "commit-idempotent coverage"},

		{"tells of no deletions", plain(func(f *fake) {
			f.changes = func(ctx context.Context, consumer string, limit int) ([]store.Change, error) {
				list, err := f.Store.Changes(ctx, consumer, limit)
				for len(list) > 0 && list[0].State == health.StateDeleted {
					if err := f.Store.Ack(ctx, consumer, list[0].Position); err != nil {
						return nil, err
					}
					list = list[1:]
				}
				return slices.DeleteFunc(list, func(c store.Change) bool { return c.State == health.StateDeleted }), err
			}
		}), "absent-window model version-causes"},

		{"calls every change live", plain(func(f *fake) {
			f.changes = func(ctx context.Context, consumer string, limit int) ([]store.Change, error) {
				list, err := f.Store.Changes(ctx, consumer, limit)
				for i := range list {
					list[i].Cause = store.CauseLive
				}
				return list, err
			}
		}), "absent-restored absent-window concurrent-versions connection-predecessor model version-causes version-newer"},

		{"acknowledges for all users", plain(func(f *fake) {
			f.ack = func(ctx context.Context, consumer string, positions ...store.Position) error {
				if len(positions) == 0 {
					return f.Store.Ack(ctx, consumer)
				}
				if err := f.Store.Ack(ctx, consumer, positions...); err != nil {
					return err
				}
				return f.Store.ResetConsumer(ctx, consumer)
			}
		}), "feed-concurrent feed-consumers feed-order feed-trim"},

		{"goes on silently after changes were trimmed", plain(func(f *fake) {
			f.changes = func(ctx context.Context, consumer string, limit int) ([]store.Change, error) {
				list, err := f.Store.Changes(ctx, consumer, limit)
				if errors.Is(err, store.ErrFeedTrimmed) {
					return nil, f.ResetConsumer(ctx, consumer)
				}
				return list, err
			}
		}), "feed-trim"},

		{"reads raw answers backwards", plain(func(f *fake) {
			f.rawPages = func(ctx context.Context, q store.RawQuery) (store.RawPageList, error) {
				list, err := f.Store.RawPages(ctx, q)
				slices.Reverse(list.Pages)
				return list, err
			}
		}), "raw-once raw-order"},

		{"keeps raw answers of any page", func() func(store.Store) store.Store {
			var (
				mu    sync.Mutex
				extra []health.RawPage
			)
			return func(s store.Store) store.Store {
				f := newFake(s)
				f.commit = func(ctx context.Context, b store.Batch) (store.Result, error) {
					got, err := s.Commit(ctx, b)
					mu.Lock()
					defer mu.Unlock()
					if err == nil && got.Inserted+got.Revised+got.Deleted+got.SkippedPages == 0 && len(b.Pages) == 1 && b.Pages[0].Raw != nil {
						extra = append(extra, *b.Pages[0].Raw)
					}
					return got, err
				}
				f.rawPages = func(ctx context.Context, q store.RawQuery) (store.RawPageList, error) {
					list, err := s.RawPages(ctx, q)
					mu.Lock()
					defer mu.Unlock()
					for _, page := range extra {
						if err == nil && !slices.ContainsFunc(list.Pages, func(p health.RawPage) bool { return fmt.Sprint(p.Bodies) == fmt.Sprint(page.Bodies) }) {
							list.Pages = append(list.Pages, page)
						}
					}
					return list, err
				}
				return f
			}
		}, "raw-once"},

		{"lists the quarantine oldest first", plain(func(f *fake) {
			f.quarantine = func(ctx context.Context, connection string, limit int) ([]store.Quarantined, error) {
				list, err := f.Store.Quarantine(ctx, connection, limit)
				slices.Reverse(list)
				return list, err
			}
		}), "quarantine"},

		{"asks not whose connection it is that it reads", func() func(store.Store) store.Store {
			var users sync.Map
			return func(s store.Store) store.Store {
				f := newFake(s)
				f.commit = func(ctx context.Context, b store.Batch) (store.Result, error) {
					got, err := s.Commit(ctx, b)
					if err == nil {
						users.Store(b.Connection, b.User)
					}
					return got, err
				}
				f.records = func(ctx context.Context, q store.RecordQuery) (store.RecordPage, error) {
					if len(q.Connections) == 1 {
						if user, ok := users.Load(q.Connections[0]); ok {
							q.User = user.(string)
						}
					}
					return s.Records(ctx, q)
				}
				return f
			}
		}, "records-users"},

		{"gives the sessions of one key one kind", plain(func(f *fake) {
			f.samples = func(ctx context.Context, q store.SampleQuery) (store.SamplePage, error) {
				page, err := f.Store.Samples(ctx, q)
				kinds := map[string]health.Kind{}
				for i := range page.Runs {
					o := &page.Runs[i].Owner
					if _, ok := kinds[o.Record]; !ok {
						kinds[o.Record] = o.Kind
					}
					o.Kind = kinds[o.Record]
				}
				return page, err
			}
		}), "series-kinds"},

		{"loses the series that a session only describes", plain(func(f *fake) {
			f.commit = func(ctx context.Context, b store.Batch) (store.Result, error) {
				return f.Store.Commit(ctx, changeRecords(b, func(r *health.Record) {
					if r.Kind != health.KindSamples {
						r.Series = slices.DeleteFunc(slices.Clone(r.Series), func(s health.Series) bool { return s.Len() == 0 && s.Count > 0 })
					}
				}))
			}
		}), "series-shed"},

		{"reads samples of any stream", plain(func(f *fake) {
			f.samples = func(ctx context.Context, q store.SampleQuery) (store.SamplePage, error) {
				q.Stream = ""
				return f.Store.Samples(ctx, q)
			}
		}), "samples-filters"},

		{"forgets whose samples the aggregator passed on", plain(func(f *fake) {
			f.samples = func(ctx context.Context, q store.SampleQuery) (store.SamplePage, error) {
				page, err := f.Store.Samples(ctx, q)
				for i := range page.Runs {
					page.Runs[i].Owner.Source.Upstream = ""
				}
				return page, err
			}
		}), "series-owners"},

		{"does not describe series", plain(func(f *fake) {
			f.records = func(ctx context.Context, q store.RecordQuery) (store.RecordPage, error) {
				page, err := f.Store.Records(ctx, q)
				for i := range page.Records {
					for k := range page.Records[i].Series {
						page.Records[i].Series[k].Count, page.Records[i].Series[k].Digest = 0, 0
					}
				}
				return page, err
			}
		}), "absent-restored concurrent-users model record-copies series-described series-owners"},
	}
}
