package redis_test

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/store"
)

// TestSettingStaysListedBesideACallThatFails has another process write a setting,
// delete it and write it again while a call that wanted to write it finds that it
// came too late.
func TestSettingStaysListedBesideACallThatFails(t *testing.T) {
	s := start(t)
	other := open(t, at(s.Addr()))
	swap := func(old, value []byte) func() {
		return sync.OnceFunc(func() { require.NoError(t, other.SwapSetting(t.Context(), "ann", "zone", old, value)) })
	}
	write, remove, again := swap(nil, []byte("1")), swap([]byte("1"), nil), swap(nil, []byte("2"))
	var listed atomic.Bool
	var looks atomic.Int32
	late := open(t, through(at(s.Addr()), func(c net.Conn) net.Conn {
		c = &before{Conn: c, word: "zadd", act: func() { write(); listed.Store(true) }}
		c = &before{Conn: c, word: "hget", act: func() {
			if listed.Load() && looks.Add(1) == 2 {
				remove()
			}
		}}
		return &before{Conn: c, word: "zrem", act: again}
	}))
	require.ErrorIs(t, late.SwapSetting(t.Context(), "ann", "zone", nil, []byte("late")), store.ErrConflict)
	remove()
	again()
	list, err := other.Settings(t.Context(), "zone", "", 0)
	require.NoError(t, err)
	require.Equal(t, []store.Setting{{User: "ann", Name: "zone", Value: []byte("2")}}, list)
}
