package sync

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/providers"
)

func TestCircuit(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		c := newCircuit("desk")
		enter := func() error { return c.enter(t.Context(), time.Second) }
		retry := func(err error) time.Duration {
			e, ok := errors.AsType[*providers.Error](err)
			require.True(t, ok)
			require.True(t, e.ClientFault)
			return time.Until(e.RetryAt)
		}
		require.NoError(t, enter())
		require.False(t, c.leave(outcomeDoubt))
		for _, want := range []time.Duration{1, 2, 4, 8, 15, 15} {
			require.NoError(t, enter())
			if want > 1 {
				require.ErrorIs(t, enter(), providers.ErrInvalid, "one at a time")
			}
			require.Equal(t, want == 1, c.leave(outcomeClient), "it opens once")
			pause := retry(enter())
			require.GreaterOrEqual(t, pause, want*time.Minute)
			require.LessOrEqual(t, pause, want*time.Minute*5/4)
			time.Sleep(pause)
		}
		// What says nothing about the application leaves it open.
		require.NoError(t, enter())
		require.False(t, c.leave(outcomeDoubt))
		require.NoError(t, enter())
		require.ErrorIs(t, enter(), providers.ErrInvalid)
		require.False(t, c.leave(outcomeRefused), "an answer about the person closes it")
		for range refreshesAtOnce {
			require.NoError(t, enter())
		}
		began := time.Now()
		require.ErrorIs(t, enter(), providers.ErrUnavailable)
		require.Equal(t, time.Second, time.Since(began))
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, c.enter(gone, time.Minute), context.Canceled)
	})
}
