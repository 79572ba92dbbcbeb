package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vitalmux/vitalmux/store"
)

// workSabotages break connections, credentials, leases, schedule and inbox.
func workSabotages() []sabotage {
	return []sabotage{
		{"sets a predecessor without telling", plain(func(f *fake) {
			f.commit = func(ctx context.Context, b store.Batch) (store.Result, error) {
				c, err := f.Connection(ctx, b.Connection)
				if err == nil && b.Predecessor != "" && c.Predecessor == "" {
					c.Predecessor = b.Predecessor
					_, err = f.Store.PutConnection(ctx, c)
					return store.Result{Relinked: true}, err
				}
				return f.Store.Commit(ctx, b)
			}
		}), "connection-predecessor"},

		{"lets a lease that nobody took over live on", func() func(store.Store) store.Store {
			var last sync.Map
			return func(s store.Store) store.Store {
				f := newFake(s)
				f.acquire = func(ctx context.Context, connection, name string, ttl time.Duration) (store.Lease, error) {
					l, err := s.Acquire(ctx, connection, name, ttl)
					if err == nil {
						last.Store(connection+"/"+name, l.Owner)
					}
					return l, err
				}
				f.release = func(ctx context.Context, l store.Lease) error {
					last.CompareAndDelete(l.Connection+"/"+l.Name, l.Owner)
					return s.Release(ctx, l)
				}
				f.delete = func(ctx context.Context, id string, data bool) error {
					last.Clear()
					return s.DeleteConnection(ctx, id, data)
				}
				f.commit = func(ctx context.Context, b store.Batch) (store.Result, error) {
					got, err := s.Commit(ctx, b)
					if owner, ok := last.Load(b.Lease.Connection + "/" + b.Lease.Name); ok && owner == b.Lease.Owner && errors.Is(err, store.ErrLeaseLost) {
						b.Lease, b.Unfenced = store.Lease{}, true
						return s.Commit(ctx, b)
					}
					return got, err
				}
				return f
			}
		}, "commit-expired"},

		{"gives a held lease to whoever asks", func() func(store.Store) store.Store {
			var last sync.Map
			return func(s store.Store) store.Store {
				f := newFake(s)
				f.acquire = func(ctx context.Context, connection, name string, ttl time.Duration) (store.Lease, error) {
					if l, ok := last.Load(connection + "/" + name); ok && connection == conn {
						if err := s.Release(ctx, l.(store.Lease)); err != nil {
							return store.Lease{}, err
						}
					}
					l, err := s.Acquire(ctx, connection, name, ttl)
					if err == nil {
						last.Store(connection+"/"+name, l)
					}
					return l, err
				}
				return f
			}
		}, "lease-expiry lease-held lease-race lease-renew"},

		{"releases whoever holds the lease", func() func(store.Store) store.Store {
			var last sync.Map
			return func(s store.Store) store.Store {
				f := newFake(s)
				f.acquire = func(ctx context.Context, connection, name string, ttl time.Duration) (store.Lease, error) {
					l, err := s.Acquire(ctx, connection, name, ttl)
					if err == nil {
						last.Store(connection+"/"+name, l)
					}
					return l, err
				}
				f.release = func(ctx context.Context, l store.Lease) error {
					if held, ok := last.Load(l.Connection + "/" + l.Name); ok {
						l = held.(store.Lease)
					}
					return s.Release(ctx, l)
				}
				return f
			}
		}, "lease-expiry lease-held"},

		{"renews without extending", plain(func(f *fake) {
			f.renew = func(ctx context.Context, l store.Lease, ttl time.Duration) (store.Lease, error) {
				return f.Store.Renew(ctx, l, max(time.Until(l.Until), time.Millisecond))
			}
		}), "lease-renew"},

		{"replaces a connection of any version", plain(func(f *fake) {
			f.putConnection = func(ctx context.Context, c store.Connection) (store.Connection, error) {
				if old, err := f.Store.Connection(ctx, c.ID); err == nil && old.User == c.User && old.Provider == c.Provider {
					c.Version = old.Version
				}
				return f.Store.PutConnection(ctx, c)
			}
		}), "connection-swap"},

		{"lists connections of any state", plain(func(f *fake) {
			f.connections = func(ctx context.Context, q store.ConnectionQuery) ([]store.Connection, error) {
				q.State = ""
				return f.Store.Connections(ctx, q)
			}
		}), "connection-list"},

		{"lists connections without their coverage", plain(func(f *fake) {
			f.connections = func(ctx context.Context, q store.ConnectionQuery) ([]store.Connection, error) {
				list, err := f.Store.Connections(ctx, q)
				for i := range list {
					list[i].Coverage = nil
				}
				return list, err
			}
		}), "connection-coverage"},

		{"deletes the data of a connection in any case", plain(func(f *fake) {
			f.delete = func(ctx context.Context, id string, _ bool) error { return f.Store.DeleteConnection(ctx, id, true) }
		}), "connection-delete erase"},

		{"keeps the data of a connection in any case", plain(func(f *fake) {
			f.delete = func(ctx context.Context, id string, _ bool) error { return f.Store.DeleteConnection(ctx, id, false) }
		}), "connection-delete"},

		{"replaces any grant", plain(func(f *fake) {
			f.putGrant = func(ctx context.Context, _ string, c store.Credential) error {
				old, err := f.Store.Credential(ctx, c.Connection)
				if err != nil && !errors.Is(err, store.ErrNotFound) {
					return err
				}
				return f.Store.PutGrant(ctx, old.Grant, c)
			}
		}), "credential-grant"},

		{"swaps whatever token was consumed", plain(func(f *fake) {
			f.swapCredential = func(ctx context.Context, grant, _ string, c store.Credential) error {
				old, err := f.Store.Credential(ctx, c.Connection)
				if err != nil && !errors.Is(err, store.ErrNotFound) {
					return err
				}
				return f.Store.SwapCredential(ctx, grant, old.RefreshPrint, c)
			}
		}), "credential-race credential-swap"},

		{"swaps with a stale comparison", plain(func(f *fake) {
			var once sync.Map
			f.swapCredential = func(ctx context.Context, grant, consumed string, c store.Credential) error {
				err := f.Store.SwapCredential(ctx, grant, consumed, c)
				if _, again := once.LoadOrStore(consumed, true); !again || !errors.Is(err, store.ErrConflict) || !strings.HasPrefix(string(c.Sealed), "of ") {
					return err
				}
				return f.Store.SwapCredential(ctx, grant, c.RefreshPrint, c)
			}
		}), "credential-race"},

		{"records an attempt under any lease", plain(func(f *fake) {
			f.beginAttempt = func(ctx context.Context, l store.Lease, grant string, a store.Attempt) error {
				free, err := f.Store.Acquire(ctx, l.Connection, "free-"+a.ID+fmt.Sprint(time.Now().UnixNano()), time.Hour)
				if err != nil {
					return err
				}
				defer f.Store.Release(ctx, free)
				return f.Store.BeginAttempt(ctx, free, grant, a)
			}
		}), "credential-attempt credential-attempt-stale"},

		{"lists what is due latest first", plain(func(f *fake) {
			f.due = func(ctx context.Context, task string, now time.Time, limit int) ([]store.Due, error) {
				list, err := f.Store.Due(ctx, task, now, limit)
				slices.Reverse(list)
				return list, err
			}
		}), "due-moves due-order inbox-due"},

		{"lists what is due of every task", plain(func(f *fake) {
			f.due = func(ctx context.Context, _ string, now time.Time, limit int) ([]store.Due, error) {
				return f.Store.Due(ctx, "", now, limit)
			}
		}), "due-moves"},

		{"keeps a due time for ever", plain(func(f *fake) {
			f.setDue = func(ctx context.Context, d store.Due) error {
				if d.At.IsZero() {
					return ctx.Err()
				}
				return f.Store.SetDue(ctx, d)
			}
		}), "due-moves"},

		{"takes a flow that is read", plain(func(f *fake) {
			f.flow = func(ctx context.Context, id string) (store.Flow, error) { return f.Store.TakeFlow(ctx, id) }
		}), "flow-expiry flow-once"},

		{"leaves a flow that was taken", plain(func(f *fake) {
			f.takeFlow = func(ctx context.Context, id string) (store.Flow, error) {
				v, err := f.Store.TakeFlow(ctx, id)
				if err == nil {
					err = f.PutFlow(ctx, v)
				}
				return v, err
			}
		}), "flow-once"},

		{"takes every delivery for a new one", plain(func(f *fake) {
			f.putDelivery = func(ctx context.Context, d store.Delivery) (bool, error) {
				_, err := f.Store.PutDelivery(ctx, d)
				return true, err
			}
		}), "inbox-assign inbox-delivery inbox-key reopen"},

		{"assigns what was assigned before", plain(func(f *fake) {
			f.assign = func(ctx context.Context, id string, a store.Assignment) error {
				if err := f.Store.Assign(ctx, id, a); err != nil || len(a.Items) == 0 {
					return err
				}
				again := fmt.Sprintf("%s-%d", id, time.Now().UnixNano())
				if _, err := f.Store.PutDelivery(ctx, store.Delivery{ID: again}); err != nil {
					return err
				}
				return f.Store.Assign(ctx, again, a)
			}
		}), "inbox-assign inbox-due inbox-rest"},

		{"updates all of a delivery's standing but the reason", plain(func(f *fake) {
			f.updateDelivery = func(ctx context.Context, d store.Delivery) error {
				d.Reason = ""
				return f.Store.UpdateDelivery(ctx, d)
			}
		}), "inbox-update"},

		{"erases connection by connection", plain(func(f *fake) {
			f.erase = func(ctx context.Context, user string) (store.Erasure, error) {
				list, err := f.Store.Connections(ctx, store.ConnectionQuery{User: user})
				for _, c := range list {
					err = errors.Join(err, f.Store.DeleteConnection(ctx, c.ID, true))
				}
				return store.Erasure{Connections: len(list)}, err
			}
		}), "erase erase-endpoint erase-forever"},

		{"trims the reason of a connection", plain(func(f *fake) {
			f.putConnection = func(ctx context.Context, c store.Connection) (store.Connection, error) {
				c.Reason = strings.TrimSpace(c.Reason)
				return f.Store.PutConnection(ctx, c)
			}
		}), "connection-round-trip"},

		{"gives an upstream id to several connections", plain(func(f *fake) {
			f.putConnection = func(ctx context.Context, c store.Connection) (store.Connection, error) {
				got, err := f.Store.PutConnection(ctx, c)
				if errors.Is(err, store.ErrConflict) && c.UpstreamID != "" {
					c.UpstreamID = ""
					return f.Store.PutConnection(ctx, c)
				}
				return got, err
			}
		}), "connection-upstream"},

		{"loses siblings of a credential", plain(func(f *fake) {
			f.putGrant = func(ctx context.Context, replaces string, c store.Credential) error {
				c.Siblings = nil
				return f.Store.PutGrant(ctx, replaces, c)
			}
		}), "credential-grant credential-round-trip"},

		{"gives every lease the same fence", plain(func(f *fake) {
			f.acquire = func(ctx context.Context, connection, name string, ttl time.Duration) (store.Lease, error) {
				l, err := f.Store.Acquire(ctx, connection, name, ttl)
				l.Fence = 1
				return l, err
			}
		}), "lease-expiry lease-owner"},

		{"finds flows that expired", plain(func(f *fake) {
			f.putFlow = func(ctx context.Context, v store.Flow) error {
				v.ExpiresAt = v.ExpiresAt.Add(24 * time.Hour)
				return f.Store.PutFlow(ctx, v)
			}
			f.takeFlow = func(ctx context.Context, id string) (store.Flow, error) {
				v, err := f.Store.TakeFlow(ctx, id)
				v.ExpiresAt = v.ExpiresAt.Add(-24 * time.Hour)
				return v, err
			}
			f.flow = func(ctx context.Context, id string) (store.Flow, error) {
				v, err := f.Store.Flow(ctx, id)
				v.ExpiresAt = v.ExpiresAt.Add(-24 * time.Hour)
				return v, err
			}
		}), "flow-expiry"},

		{"stays open", plain(func(f *fake) {
			f.close = func() error { return nil }
		}), "closed"},
	}
}
