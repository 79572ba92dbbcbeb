package redis_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/store"
	redisstore "github.com/vitalmux/vitalmux/store/redis"
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

// TestEmptied empties the servers under an open store, as a failover to a server
// without data does. The store writes nothing any more: its names of scopes are
// not those of a store that is opened now.
func TestEmptied(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	s := start(t)
	before := open(t, at(s.Addr()))
	_, err := before.Commit(t.Context(), numbered("w", 1))
	require.NoError(t, err)
	do(t, s, "FLUSHALL")
	_, err = before.Commit(t.Context(), numbered("w", 1))
	require.ErrorIs(t, err, redisstore.ErrDamaged)
	after := open(t, at(s.Addr()))
	_, err = before.Commit(t.Context(), numbered("w", 1))
	require.ErrorIs(t, err, redisstore.ErrDamaged)
	_, err = after.Commit(t.Context(), numbered("w", 1))
	require.NoError(t, err)
	(&writer{name: "w", acked: 1}).check(t, after)
}

// TestUsersInPages lists users page by page: not every page looks at all of
// them.
func TestUsersInPages(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	s := start(t)
	a := open(t, at(s.Addr()))
	const users = 60
	for i := range users {
		require.NoError(t, a.SwapSetting(t.Context(), fmt.Sprintf("user %02d", i), "zone", nil, []byte("x")))
	}
	commands := func() (n int) {
		for line := range strings.Lines(do(t, s, "INFO", "stats").(string)) {
			if _, err := fmt.Sscanf(line, "total_commands_processed:%d", &n); err == nil {
				return n
			}
		}
		return 0
	}
	before := commands()
	var all []string
	for {
		after := ""
		if len(all) > 0 {
			after = all[len(all)-1]
		}
		page, err := a.Users(t.Context(), after, 2)
		require.NoError(t, err)
		if len(page) == 0 {
			break
		}
		all = append(all, page...)
	}
	require.Len(t, all, users)
	require.True(t, slices.IsSorted(all))
	require.Less(t, commands()-before, 10*users)
	// A listing from the beginning sees who is new.
	require.NoError(t, a.SwapSetting(t.Context(), "user 60", "zone", nil, []byte("x")))
	all, err := a.Users(t.Context(), "", 0)
	require.NoError(t, err)
	require.Len(t, all, users+1)
}
