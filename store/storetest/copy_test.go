package storetest_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/store"
	"github.com/vitalmux/vitalmux/store/storetest"
)

// lossy is a store that loses a part of what is copied into it.
type lossy struct {
	*store.Memory
	lose func(b *store.Batch)
}

func (l lossy) Commit(ctx context.Context, b store.Batch) (store.Result, error) {
	l.lose(&b)
	return l.Memory.Commit(ctx, b)
}

// forgetful is a store that loses an item of two that are assigned, or that
// keeps an erased user.
type forgetful struct {
	*store.Memory
	items, erasures bool
}

func (f forgetful) Assign(ctx context.Context, id string, a store.Assignment) error {
	if f.items && len(a.Items) > 1 {
		a.Items = a.Items[1:]
	}
	return f.Memory.Assign(ctx, id, a)
}

func (f forgetful) Erase(ctx context.Context, user string) (store.Erasure, error) {
	if f.erasures {
		return store.Erasure{}, nil
	}
	return f.Memory.Erase(ctx, user)
}

// TestCopyNotices proves that a copy which lacks something is not taken for one.
func TestCopyNotices(t *testing.T) {
	for name, lose := range map[string]func(b *store.Batch){
		"samples":    func(b *store.Batch) { change(b, func(c *store.Copied) { c.Samples = nil }) },
		"raw":        func(b *store.Batch) { change(b, func(c *store.Copied) { c.Raw = nil }) },
		"quarantine": func(b *store.Batch) { change(b, func(c *store.Copied) { c.Quarantined = nil }) },
		"coverage":   func(b *store.Batch) { b.Covered = nil },
		"cursors":    func(b *store.Batch) { b.Cursors = nil },
	} {
		t.Run(name, func(t *testing.T) {
			err := storetest.CheckCopy(t.Context(), func() store.Store { return store.NewMemory() },
				func() store.Store { return lossy{store.NewMemory(), lose} })
			require.Error(t, err)
		})
	}
	for name, f := range map[string]forgetful{"items": {items: true}, "erasures": {erasures: true}} {
		t.Run(name, func(t *testing.T) {
			err := storetest.CheckCopy(t.Context(), func() store.Store { return store.NewMemory() }, func() store.Store {
				f.Memory = store.NewMemory()
				return f
			})
			require.Error(t, err)
		})
	}
}

func change(b *store.Batch, how func(c *store.Copied)) {
	if b.Copied != nil {
		c := *b.Copied
		how(&c)
		b.Copied = &c
	}
}
