package storetest

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"

	"github.com/vitalmux/vitalmux/store"
)

// endpointSabotages break deliveries, items, jobs and settings.
func endpointSabotages() []sabotage {
	return []sabotage{
		{"finds a delivery by id whatever its status", plain(func(f *fake) {
			f.deliveries = func(ctx context.Context, q store.DeliveryQuery) ([]store.Delivery, error) {
				if q.ID != "" {
					q.Status = ""
				}
				return f.Store.Deliveries(ctx, q)
			}
		}), "inbox-subject"},

		{"ends the pages at a delivery that is gone", plain(func(f *fake) {
			f.deliveries = func(ctx context.Context, q store.DeliveryQuery) ([]store.Delivery, error) {
				if q.After != "" {
					if there, err := f.Store.Deliveries(ctx, store.DeliveryQuery{ID: q.After}); err != nil || len(there) == 0 {
						return nil, err
					}
				}
				return f.Store.Deliveries(ctx, q)
			}
		}), "inbox-pages"},

		{"shows only the first page of deliveries", plain(func(f *fake) {
			f.deliveries = func(ctx context.Context, q store.DeliveryQuery) ([]store.Delivery, error) {
				list, err := f.Store.Deliveries(ctx, q)
				if q.After != "" && q.Limit == 7 {
					list = nil
				}
				return list, err
			}
		}), "inbox-pages"},

		{"does not look at the keys of deliveries", plain(func(f *fake) {
			f.putDelivery = func(ctx context.Context, d store.Delivery) (bool, error) {
				d.Key = ""
				return f.Store.PutDelivery(ctx, d)
			}
		}), "inbox-key"},

		{"remembers the key of a delivery that it did not store", plain(func(f *fake) {
			f.putDelivery = func(ctx context.Context, d store.Delivery) (bool, error) {
				put, err := f.Store.PutDelivery(ctx, d)
				if err != nil || put || d.Key == "" {
					return put, err
				}
				key := store.Delivery{ID: "of the key", Key: d.Key}
				if _, err := f.Store.PutDelivery(ctx, key); err != nil {
					return false, err
				}
				return false, f.Store.Assign(ctx, key.ID, store.Assignment{})
			}
		}), "inbox-key"},

		{"cuts large bodies", plain(func(f *fake) {
			f.putDelivery = func(ctx context.Context, d store.Delivery) (bool, error) {
				d.Body = d.Body[:min(len(d.Body), 64<<20-1)]
				return f.Store.PutDelivery(ctx, d)
			}
		}), "inbox-bodies"},

		{"forgets what is left of a delivery", plain(func(f *fake) {
			f.assign = func(ctx context.Context, id string, a store.Assignment) error {
				a.Rest = nil
				return f.Store.Assign(ctx, id, a)
			}
		}), "inbox-rest"},

		{"puts what is left of a delivery in a step of its own", plain(func(f *fake) {
			f.assign = func(ctx context.Context, id string, a store.Assignment) error {
				for _, d := range a.Rest {
					if _, err := f.Store.PutDelivery(ctx, d); err != nil {
						return err
					}
				}
				a.Rest = nil
				return f.Store.Assign(ctx, id, a)
			}
		}), "inbox-rest"},

		{"tells nobody of what was assigned", plain(func(f *fake) {
			f.assign = func(ctx context.Context, id string, a store.Assignment) error {
				a.Due = nil
				return f.Store.Assign(ctx, id, a)
			}
		}), "inbox-due"},

		{"tells of what was assigned once more", plain(func(f *fake) {
			f.assign = func(ctx context.Context, id string, a store.Assignment) error {
				for _, d := range a.Due {
					if err := f.SetDue(ctx, d); err != nil {
						return err
					}
				}
				return f.Store.Assign(ctx, id, a)
			}
		}), "inbox-due"},

		{"lists items before their time", plain(func(f *fake) {
			f.inboxItems = func(ctx context.Context, q store.InboxQuery) ([]store.InboxItem, error) {
				q.ReadyAt = present.AddDate(1, 0, 0)
				return f.Store.InboxItems(ctx, q)
			}
		}), "inbox-item-pages inbox-items"},

		{"begins each page of items at the beginning", plain(func(f *fake) {
			f.inboxItems = func(ctx context.Context, q store.InboxQuery) ([]store.InboxItem, error) {
				q.After = ""
				return f.Store.InboxItems(ctx, q)
			}
		}), "inbox-bodies inbox-item-pages"},

		{"ends the pages at an item that is gone", plain(func(f *fake) {
			f.inboxItems = func(ctx context.Context, q store.InboxQuery) ([]store.InboxItem, error) {
				all, err := f.Store.InboxItems(ctx, store.InboxQuery{User: q.User, Limit: 1000})
				if q.After != "" && !slices.ContainsFunc(all, func(i store.InboxItem) bool { return i.ID == q.After }) {
					return nil, err
				}
				return f.Store.InboxItems(ctx, q)
			}
		}), "inbox-item-pages"},

		{"forgets that an item failed", plain(func(f *fake) {
			f.updateItem = func(ctx context.Context, i store.InboxItem) error {
				i.Attempts = 0
				return f.Store.UpdateItem(ctx, i)
			}
		}), "inbox-items"},

		{"takes items for any connection", plain(func(f *fake) {
			f.assign = func(ctx context.Context, id string, a store.Assignment) error {
				a.Items = slices.Clone(a.Items)
				for i := range a.Items {
					item := &a.Items[i]
					if c, err := f.Store.Connection(ctx, item.Connection); err == nil && c.User != item.User || errors.Is(err, store.ErrNotFound) {
						item.Connection = ""
					}
				}
				return f.Store.Assign(ctx, id, a)
			}
		}), "inbox-connection"},

		{"puts a job over one that is there", plain(func(f *fake) {
			f.putJob = func(ctx context.Context, j store.Job) error {
				if err := f.Store.UpdateJob(ctx, j); !errors.Is(err, store.ErrNotFound) {
					return err
				}
				return f.Store.PutJob(ctx, j)
			}
		}), "job-once"},

		{"ends the pages at a job that is gone", plain(func(f *fake) {
			f.jobs = func(ctx context.Context, q store.JobQuery) ([]store.Job, error) {
				all, err := f.Store.Jobs(ctx, store.JobQuery{Limit: 1000})
				if q.After != "" && !slices.ContainsFunc(all, func(j store.Job) bool { return j.ID == q.After }) {
					return nil, err
				}
				return f.Store.Jobs(ctx, q)
			}
		}), "job-list"},

		{"updates all of a job's standing but the reason", plain(func(f *fake) {
			f.updateJob = func(ctx context.Context, j store.Job) error {
				j.Reason = ""
				return f.Store.UpdateJob(ctx, j)
			}
		}), "job-update"},

		{"keeps jobs that were done", plain(func(f *fake) {
			f.deleteJob = func(ctx context.Context, id string) error {
				if id == "a" {
					_, err := f.Store.Jobs(ctx, store.JobQuery{})
					return err
				}
				return f.Store.DeleteJob(ctx, id)
			}
		}), "job-update"},

		{"takes an empty setting for none", plain(func(f *fake) {
			f.setting = func(ctx context.Context, user, name string) ([]byte, error) {
				value, err := f.Store.Setting(ctx, user, name)
				if err == nil && len(value) == 0 {
					err = store.ErrNotFound
				}
				return value, err
			}
		}), "setting-swap"},

		{"swaps a setting with a stale comparison", func() func(store.Store) store.Store {
			var done atomic.Bool
			return func(s store.Store) store.Store {
				f := newFake(s)
				f.swapSetting = func(ctx context.Context, user, name string, old, value []byte) error {
					err := s.SwapSetting(ctx, user, name, old, value)
					if name != "key" || !errors.Is(err, store.ErrConflict) || done.Swap(true) {
						return err
					}
					for errors.Is(err, store.ErrConflict) {
						stored, missing := s.Setting(ctx, user, name)
						if missing != nil {
							return missing
						}
						err = s.SwapSetting(ctx, user, name, stored, value)
					}
					return err
				}
				return f
			}
		}, "setting-race"},

		{"lists settings by user, last first", plain(func(f *fake) {
			f.settings = func(ctx context.Context, name, after string, limit int) ([]store.Setting, error) {
				list, err := f.Store.Settings(ctx, name, after, limit)
				slices.Reverse(list)
				return list, err
			}
		}), "setting-list"},

		{"erases jobs", plain(func(f *fake) {
			f.erase = func(ctx context.Context, user string) (store.Erasure, error) {
				got, err := f.Store.Erase(ctx, user)
				if err != nil {
					return got, err
				}
				list, err := f.Store.Jobs(ctx, store.JobQuery{})
				for _, j := range list {
					err = errors.Join(err, f.Store.DeleteJob(ctx, j.ID))
				}
				return got, err
			}
		}), "erase-endpoint"},
	}
}
