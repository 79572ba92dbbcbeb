package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/store"
	"github.com/vitalmux/vitalmux/store/storetest"
)

func memory() store.Store { return store.NewMemory() }

func TestCopyBetweenMemories(t *testing.T) { storetest.RunCopy(t, memory, memory) }

// shortLists is a store whose lists of items end early, as where they are large.
type shortLists struct{ *store.Memory }

func (s shortLists) InboxItems(ctx context.Context, q store.InboxQuery) ([]store.InboxItem, error) {
	q.Limit = 1
	return s.Memory.InboxItems(ctx, q)
}

func TestCopyReadsListsToTheirEnd(t *testing.T) {
	short := func() store.Store { return shortLists{store.NewMemory()} }
	storetest.RunCopy(t, short, short)
}

// TestCopyTellsOfWorkDone copies an item that was worked on in the target since it
// was copied: it is not there, and not silently left out.
func TestCopyTellsOfWorkDone(t *testing.T) {
	src, dst := store.NewMemory(), store.NewMemory()
	_, err := src.PutConnection(t.Context(), store.Connection{ID: "c", User: "ann", Provider: "p"})
	require.NoError(t, err)
	_, err = src.PutDelivery(t.Context(), store.Delivery{ID: "d", Endpoint: "p", Status: store.DeliveryNew})
	require.NoError(t, err)
	require.NoError(t, src.Assign(t.Context(), "d", store.Assignment{Items: []store.InboxItem{{ID: "i", User: "ann", Connection: "c"}}}))
	_, err = store.Copy(t.Context(), dst, src)
	require.NoError(t, err)
	_, err = dst.Commit(t.Context(), store.Batch{User: "ann", Connection: "c", Unfenced: true, Now: time.Now(), Cause: store.CauseLive, Acks: []string{"i"}})
	require.NoError(t, err)
	_, err = store.Copy(t.Context(), dst, src)
	require.ErrorIs(t, err, store.ErrCopyDiffers)
}

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
