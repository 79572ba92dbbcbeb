package storetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vitalmux/vitalmux/store"
)

// credentialSabotages break the bookkeeping of credentials, and leases for
// other names than those of connections.
func credentialSabotages() []sabotage {
	return []sabotage{
		{"lets revisions fall with a new grant", func() func(store.Store) store.Store {
			var fallen atomic.Int64
			return func(s store.Store) store.Store {
				f := newFake(s)
				f.credential = func(ctx context.Context, connection string) (store.Credential, error) {
					c, err := s.Credential(ctx, connection)
					c.Revision -= fallen.Load()
					return c, err
				}
				f.updateCredential = func(ctx context.Context, c store.Credential) error {
					c.Revision += fallen.Load()
					return s.UpdateCredential(ctx, c)
				}
				f.putGrant = func(ctx context.Context, replaces string, c store.Credential) error {
					err := s.PutGrant(ctx, replaces, c)
					if err == nil && replaces != "" {
						fallen.Add(2)
					}
					return err
				}
				return f
			}
		}, "credential-revision"},

		{"updates the credential of any grant", plain(func(f *fake) {
			f.updateCredential = func(ctx context.Context, c store.Credential) error {
				if old, err := f.Store.Credential(ctx, c.Connection); err == nil && c.Grant != "" {
					c.Grant = old.Grant
				}
				return f.Store.UpdateCredential(ctx, c)
			}
		}), "credential-update"},

		{"updates over an attempt that began meanwhile", plain(func(f *fake) {
			f.updateCredential = func(ctx context.Context, c store.Credential) error {
				err := f.Store.UpdateCredential(ctx, c)
				old, missing := f.Store.Credential(ctx, c.Connection)
				if missing == nil && errors.Is(err, store.ErrConflict) && c.Attempt == nil && old.Attempt != nil && old.Doubts == 0 {
					c.Revision = old.Revision
					return f.Store.UpdateCredential(ctx, c)
				}
				return err
			}
		}), "credential-update-attempt"},

		{"swaps no token that is in doubt", plain(func(f *fake) {
			f.swapCredential = func(ctx context.Context, grant, consumed string, c store.Credential) error {
				if old, err := f.Store.Credential(ctx, c.Connection); err == nil && old.Doubts == 1 {
					return store.ErrConflict
				}
				return f.Store.SwapCredential(ctx, grant, consumed, c)
			}
		}), "credential-update-swap"},

		{"begins attempts without a credential", plain(func(f *fake) {
			f.beginAttempt = func(ctx context.Context, l store.Lease, grant string, a store.Attempt) error {
				err := f.Store.BeginAttempt(ctx, l, grant, a)
				if _, missing := f.Store.Credential(ctx, l.Connection); errors.Is(err, store.ErrConflict) && errors.Is(missing, store.ErrNotFound) {
					return nil
				}
				return err
			}
		}), "credential-gone"},

		{"ends leases for other names with any connection", func() func(store.Store) store.Store {
			var held sync.Map
			return func(s store.Store) store.Store {
				f := newFake(s)
				f.acquire = func(ctx context.Context, connection, name string, ttl time.Duration) (store.Lease, error) {
					l, err := s.Acquire(ctx, connection, name, ttl)
					if err == nil && name == "receipts" {
						held.Store(connection, l)
					}
					return l, err
				}
				f.delete = func(ctx context.Context, id string, data bool) error {
					err := s.DeleteConnection(ctx, id, data)
					held.Range(func(_, l any) bool {
						err = errors.Join(err, s.Release(ctx, l.(store.Lease)))
						return true
					})
					return err
				}
				return f
			}
		}, "lease-name"},
	}
}
