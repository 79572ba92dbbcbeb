package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/store"
	"github.com/vitalmux/vitalmux/store/storetest"
)

func memory() store.Store { return store.NewMemory() }

func TestCopyBetweenMemories(t *testing.T) { storetest.RunCopy(t, memory, memory) }

func TestCopyTellsWhoseStoreItIs(t *testing.T) {
	src, dst := store.NewMemory(), store.NewMemory()
	require.NoError(t, src.SwapSetting(t.Context(), "", "store_id", nil, []byte("one")))
	require.NoError(t, dst.SwapSetting(t.Context(), "", "store_id", nil, []byte("two")))
	_, err := store.Copy(t.Context(), dst, src)
	require.ErrorIs(t, err, store.ErrConflict)
}

func TestCopyNeedsStoresThatCanBeCopied(t *testing.T) {
	_, err := store.Copy(t.Context(), struct{ store.Store }{store.NewMemory()}, store.NewMemory())
	require.ErrorIs(t, err, store.ErrInvalid)
}
