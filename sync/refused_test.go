package sync_test

import (
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// hint puts into the connection's inbox that there is news: of the streams, or
// without any of all.
func (w *ward) hint(t testing.TB, id string, signed bool, streams ...string) {
	payload, err := json.Marshal(map[string]any{
		"v": 1, "provider": "clinic", "signed": signed,
		"note": providers.Notification{UpstreamID: "account-1", Event: providers.EventData, Streams: streams},
	})
	require.NoError(t, err)
	d := store.Delivery{ID: id, Endpoint: "clinic", Received: time.Now(), Status: store.DeliveryParked, Body: []byte("{}")}
	_, err = w.store.PutDelivery(t.Context(), d)
	require.NoError(t, err)
	require.NoError(t, w.store.Assign(t.Context(), id, store.Assignment{
		Items: []store.InboxItem{{ID: id + "/0", User: w.conn.User, Connection: w.conn.ID, Received: time.Now(), Payload: payload}},
		Due:   []store.Due{{Connection: w.conn.ID, Task: "sync", At: time.Now()}},
	}))
}

// refusing is a ward that was read, and whose service then refuses every access
// token for as long as it is told to: new ones, too.
func refusing(t testing.TB, change func(*healthsync.Config)) (w *ward, on *atomic.Bool) {
	on = new(atomic.Bool)
	w = newWard(t, newClinic(weightWindows), func(cfg *healthsync.Config) {
		cfg.History = -1
		if change != nil {
			change(cfg)
		}
	})
	w.fill(3)
	_, err := w.engine.Sync(t.Context(), w.conn.ID)
	require.NoError(t, err)
	requests := 0
	w.onFetch = func(int, providers.Query, *providers.Page) error {
		if requests++; !on.Load() || requests > 10_000 { // without a pause no time passes
			return nil
		}
		return &providers.Error{Provider: "clinic", Op: "fetch", Kind: providers.ErrReauth, Status: 401, ExpiredAccess: true}
	}
	return w, on
}

// TestRefusedAccessSpendsFewRefreshTokens: whatever notifications come, a
// connection whose access is refused is tried as seldom as any that fails, and
// asks for a new pair some times in an hour.
func TestRefusedAccessSpendsFewRefreshTokens(t *testing.T) {
	for name, c := range map[string]struct {
		every  time.Duration // between notifications; 0 is none
		signed bool
		most   int // requests in an hour
	}{
		"without news":       {0, true, 20},
		"with one":           {2 * time.Hour, true, 20},
		"with one unsigned":  {2 * time.Hour, false, 20},
		"with many":          {time.Minute, true, 100},
		"with many unsigned": {time.Minute, false, 100},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w, on := refusing(t, nil)
				stop := running(t, w.engine)
				time.Sleep(20 * time.Minute)
				on.Store(true)
				asked, began := len(w.asked()), time.Now()
				w.mu.Lock()
				issued := w.issued
				w.mu.Unlock()
				for i := 0; time.Since(began) < time.Hour; i++ {
					if c.every == 0 {
						time.Sleep(time.Hour)
						break
					}
					w.hint(t, fmt.Sprint("news", i), c.signed)
					time.Sleep(min(c.every, time.Hour))
				}
				w.mu.Lock()
				issued = w.issued - issued
				w.mu.Unlock()
				require.NotZero(t, issued)
				require.LessOrEqual(t, issued, 6, "refresh tokens")
				require.LessOrEqual(t, len(w.asked())-asked, c.most, "requests")
				stored, err := w.store.Connection(t.Context(), w.conn.ID)
				require.NoError(t, err)
				require.Equal(t, store.StateDegraded, stored.State)

				// It goes on by itself.
				on.Store(false)
				w.put(50, time.Now(), 70_000)
				time.Sleep(20 * time.Minute)
				stop()
				stored, err = w.store.Connection(t.Context(), w.conn.ID)
				require.NoError(t, err)
				require.Equal(t, store.StateActive, stored.State)
				require.Contains(t, w.held(t), "weights/50")
				items, err := w.store.InboxItems(t.Context(), store.InboxQuery{User: w.conn.User})
				require.NoError(t, err)
				require.Empty(t, items)
			})
		})
	}
}

// TestRefusedAccessIsNotDueAtOnce: hosts that distribute the work see the pause
// in the due time.
func TestRefusedAccessIsNotDueAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, on := refusing(t, func(cfg *healthsync.Config) { cfg.Workers = -1 })
		on.Store(true)
		w.hint(t, "news", true)
		for pause := 20 * time.Second; pause < 5*time.Minute; pause *= 2 {
			require.NoError(t, w.engine.Work(t.Context(), w.conn.ID, "sync"))
			due, err := w.store.Due(t.Context(), "sync", time.Now().Add(day), 0)
			require.NoError(t, err)
			require.Len(t, due, 1)
			require.Greater(t, time.Until(due[0].At), pause)
		}
	})
}
