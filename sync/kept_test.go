package sync_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/internal/provsim"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// TestDataBeforeThePersonIsKnown sends data of many people, then connects them.
func TestDataBeforeThePersonIsKnown(t *testing.T) {
	t.Parallel()
	counts := proof.Counts{"people": proof.N(100, 500)}
	proof.Row(t, "W13", counts)
	bubble(t, func(t *testing.T) {
		n := counts["people"]
		m := newMailroom(t, func(c *mailConfig) { c.service.Users, c.service.Days = n+1, -1 })
		random := rand.New(rand.NewPCG(proof.Seed(t), 13))
		var events []provsim.Event
		for i := range n {
			for k := range 3 {
				events = append(events, weightEvent(fmt.Sprint("u", i+1), fmt.Sprint("w", k), time.Now().Add(-time.Hour), int64(k+1), int64(k+1)))
			}
		}
		random.Shuffle(len(events), func(a, b int) { events[a], events[b] = events[b], events[a] })
		stop := running(t, m.engine)
		for i, e := range events {
			m.send(t, e)
			if i%2 == 0 && i/2 < n {
				m.link(t, fmt.Sprint("u", i/2+1)) // before, among and after its data
			}
			time.Sleep(time.Second)
		}
		for i := (len(events) + 1) / 2; i < n; i++ {
			m.link(t, fmt.Sprint("u", i+1))
		}
		time.Sleep(time.Hour)
		for i := range n {
			require.Equal(t, map[string]int64{"events/w0": 1, "events/w1": 2, "events/w2": 3},
				m.values(t, fmt.Sprint("u", i+1), provsim.StreamEvents))
		}
		m.nothingLeft(t)

		// Somebody who never appears.
		never := fmt.Sprint("u", n+1)
		m.send(t, weightEvent(never, "w", time.Now(), 1, 1))
		time.Sleep(7*day - time.Minute)
		require.Len(t, m.kept(t, store.DeliveryParked), 1)
		require.Zero(t, m.audited("drop"))
		time.Sleep(3 * time.Minute)
		stop()
		m.nothingLeft(t)
		require.Equal(t, 1, m.audited("drop"))
		require.Equal(t, 1, m.count(healthsync.AlarmParkedTooLong))
	})
}

// TestReleaseThatWasLost: whoever connects a person may be killed before
// releasing what waits; the worker looks again.
func TestReleaseThatWasLost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newMailroom(t, nil)
		m.send(t, weightEvent("u1", "w1", time.Now().Add(-time.Hour), 1, 70_000))
		m.work(t, time.Minute)
		require.Len(t, m.kept(t, store.DeliveryParked), 1)
		// The connection, without anything else that Complete does.
		_, err := m.store.PutConnection(t.Context(), store.Connection{
			ID: "c1", User: "u1", Provider: "provsim", UpstreamID: "u1", State: store.StatePending,
		})
		require.NoError(t, err)
		m.work(t, 5*time.Minute)
		require.Empty(t, m.kept(t, store.DeliveryParked))
		items, err := m.store.InboxItems(t.Context(), store.InboxQuery{User: "u1"})
		require.NoError(t, err)
		require.Len(t, items, 1, "it waits for the consent")
	})
}
