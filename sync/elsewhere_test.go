package sync_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// renamed is a clinic of another name.
type renamed struct {
	*clinic
	name string
}

func (r renamed) Name() string { return r.name }

// without returns an engine on the ward's store that has another provider only.
func (w *ward) without(t testing.TB, change func(*healthsync.Config)) *healthsync.Engine {
	return w.another(t, func(cfg *healthsync.Config) {
		cfg.Providers = []providers.Provider{renamed{newClinic(weightWindows), "other"}}
		if change != nil {
			change(cfg)
		}
	})
}

func TestConnectionOfAProviderOfAnotherProcess(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWard(t, newClinic(weightWindows), nil)
		w.fill(3)
		before, err := w.store.Due(t.Context(), "", time.Now(), 0)
		require.NoError(t, err)
		stop := running(t, w.without(t, nil))
		time.Sleep(day)
		stop()
		after, err := w.store.Due(t.Context(), "", time.Now(), 0)
		require.NoError(t, err)
		require.ElementsMatch(t, before, after, "it is as due as before")
		require.Len(t, after, 2)
		require.Empty(t, w.asked())

		stop = running(t, w.without(t, nil), w.engine)
		time.Sleep(day)
		w.put(50, time.Now(), 70_000)
		time.Sleep(20 * time.Minute)
		stop()
		require.Equal(t, w.want(), w.held(t))
	})
}

// TestConnectionsOfOtherProcessesHideNobody: more of them are due than a process
// looks at together.
func TestConnectionsOfOtherProcessesHideNobody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := &ward{clinic: newClinic(weightWindows), store: store.NewMemory()}
		for i := range 600 {
			c := store.Connection{
				ID: fmt.Sprint("foreign", i), User: fmt.Sprint("user", i), Provider: "elsewhere", UpstreamID: fmt.Sprint(i), State: store.StateActive,
			}
			_, err := w.store.PutConnection(t.Context(), c)
			require.NoError(t, err)
			require.NoError(t, w.store.SetDue(t.Context(), store.Due{Connection: c.ID, Task: "sync", At: time.Now()}))
		}
		time.Sleep(time.Hour)
		w.engine = w.another(t, nil)
		w.conn = w.connect(t, "ada", "account-1")
		w.fill(3)
		stop := running(t, w.engine)
		time.Sleep(time.Minute)
		require.Equal(t, w.want(), w.held(t))
		w.put(50, time.Now(), 70_000)
		time.Sleep(20 * time.Minute)
		stop()
		require.Contains(t, w.held(t), "weights/50")
	})
}

func TestWorkOfAProviderOfAnotherProcess(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWard(t, newClinic(weightWindows), nil)
		for _, task := range []string{"sync", "backfill"} {
			older := w.without(t, func(cfg *healthsync.Config) { cfg.Workers = -1 })
			require.ErrorIs(t, older.Work(t.Context(), w.conn.ID, task), healthsync.ErrConnectionState)
		}
		due, err := w.engine.Due(t.Context(), 0)
		require.NoError(t, err)
		require.Len(t, due, 2)
	})
}

// TestDeliveryOfAProviderOfAnotherProcess: it is left to that process, as long as
// deliveries wait for what they need.
func TestDeliveryOfAProviderOfAnotherProcess(t *testing.T) {
	for name, c := range map[string]struct {
		wait time.Duration // before the process that has it works again
		dead int
	}{
		"in a moment": {time.Minute, 0},
		"days later":  {6 * day, 0},
		"too late":    {8 * day, 1},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := newMailroom(t, nil)
				m.link(t, "u1")
				m.work(t, time.Hour)
				m.send(t, weightEvent("u1", "w1", time.Now().Add(-time.Hour), 1, 70_000))
				cfg := m.cfg
				cfg.Providers = []providers.Provider{newClinic(weightWindows)}
				older, err := healthsync.New(cfg)
				require.NoError(t, err)
				stop := running(t, older)
				time.Sleep(c.wait)
				stop()
				require.Len(t, m.kept(t, store.DeliveryDead), c.dead)
				require.Len(t, m.kept(t, store.DeliveryNew), 1-c.dead)
				m.work(t, 2*time.Hour)
				if c.dead == 0 {
					require.EqualValues(t, 70_000, m.values(t, "u1", "events")["events/w1"])
				}
			})
		})
	}
}
