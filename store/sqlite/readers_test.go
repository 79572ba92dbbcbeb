package sqlite

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/store"
)

// TestReaders has as many connections opened as read at the same time, and the
// one that came back last lent first.
func TestReaders(t *testing.T) {
	s, _ := groupStore(t)
	ctx := t.Context()
	open, opened := s.readers.open, 1 // with the store
	s.readers.open = func() (*conn, error) {
		opened++
		return open()
	}
	for range 3 * cap(s.readers.lent) {
		_, err := s.Records(ctx, store.RecordQuery{User: "ann"})
		require.NoError(t, err)
	}
	require.Equal(t, 1, opened, "one after the other needs one")

	var lent []*conn
	for range cap(s.readers.lent) {
		c, err := s.readers.take(ctx)
		require.NoError(t, err)
		require.NotContains(t, lent, c)
		lent = append(lent, c)
	}
	require.Equal(t, cap(s.readers.lent), opened)
	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, err := s.readers.take(ended)
	require.ErrorIs(t, err, context.Canceled, "all are lent")
	for _, c := range lent {
		s.readers.give(c)
	}
	c, err := s.readers.take(ctx)
	require.NoError(t, err)
	require.Same(t, lent[len(lent)-1], c)
	s.readers.give(c)
	require.Equal(t, cap(s.readers.lent), opened)

	// One that cannot be opened takes no place, nor does one that broke.
	for range cap(s.readers.lent) {
		c, err := s.readers.take(ctx)
		require.NoError(t, err)
		require.NoError(t, s.bridge.close(c))
		s.readers.give(nil)
		s.readers.open = func() (*conn, error) { return nil, store.ErrBusy }
	}
	for range 2 * cap(s.readers.lent) {
		_, err := s.Records(ctx, store.RecordQuery{User: "ann"})
		require.ErrorIs(t, err, store.ErrBusy)
	}
	s.readers.open = open
	_, err = s.Records(ctx, store.RecordQuery{User: "ann"})
	require.NoError(t, err)
}
