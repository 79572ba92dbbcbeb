package redis_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/store"
	sqlitestore "github.com/vitalmux/vitalmux/store/sqlite"
	"github.com/vitalmux/vitalmux/store/storetest"
)

// TestCopy copies from SQLite to Redis and back, and the other way round.
func TestCopy(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	s := start(t)
	n := 0
	redis := func() store.Store {
		n++
		o := at(s.Addr())
		o.Prefix = fmt.Sprint("copy", n, ":")
		return open(t, o)
	}
	sqlite := func() store.Store {
		n++
		s, err := sqlitestore.Open(t.Context(), filepath.Join(t.TempDir(), fmt.Sprint(n, ".db")), nil)
		require.NoError(t, err)
		return s
	}
	storetest.RunCopy(t, sqlite, redis)
	storetest.RunCopy(t, redis, sqlite)
}

// TestErasedUsersOfTwoKeys refuses prints under another key than those that are
// there.
func TestErasedUsersOfTwoKeys(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	s := start(t)
	var stores []store.Copyable
	for i := range 2 {
		o := at(s.Addr())
		o.Prefix = fmt.Sprint("store", i, ":")
		a := open(t, o)
		_, err := a.Erase(t.Context(), fmt.Sprint("user", i))
		require.NoError(t, err)
		stores = append(stores, a)
	}
	e, err := stores[0].ErasedUsers(t.Context())
	require.NoError(t, err)
	require.Len(t, e.Prints, 1)
	require.ErrorIs(t, stores[1].PutErasedUsers(t.Context(), e), store.ErrConflict)
	require.NoError(t, stores[0].PutErasedUsers(t.Context(), e))
	e.Key = e.Key[1:]
	require.ErrorIs(t, stores[0].PutErasedUsers(t.Context(), e), store.ErrInvalid)
}
