package sync_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/provsim"
	"github.com/vitalmux/vitalmux/store"
)

// TestUnsignedNotificationsAssignedAgainWithMore: an assignment of unsigned
// notifications broke off when its item was put. With one that came since they
// are assigned again, and what it tells is in an item too.
func TestUnsignedNotificationsAssignedAgainWithMore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, s := newTampered(t, func(c *mailConfig) { c.adapter.Unsigned = true })
		conn := m.link(t, "u1")
		path := m.ownPath(t, conn)
		post := func(stream string) {
			body := m.Compose(provsim.Event{Type: provsim.TypeData, User: "u1", Data: map[string][]provsim.Row{stream: {{ID: stream, At: time.Now().UnixMilli(), Version: 1}}}})
			require.Equal(t, 200, m.post(path, nil, body).Code)
		}
		told := func() (streams []string) {
			items, err := s.InboxItems(t.Context(), store.InboxQuery{User: conn.User})
			require.NoError(t, err)
			for _, item := range items {
				var p struct{ Note struct{ Streams []string } }
				require.NoError(t, json.Unmarshal(item.Payload, &p))
				streams = append(streams, p.Note.Streams...)
			}
			return streams
		}
		calls := 0
		s.assign = func(ctx context.Context, id string, a store.Assignment) error {
			switch calls++; calls {
			case 1:
				_, err := s.Memory.PutDelivery(ctx, store.Delivery{ID: "its items", Endpoint: "provsim", Status: store.DeliveryParked, Received: time.Now()})
				require.NoError(t, err)
				require.NoError(t, s.Memory.Assign(ctx, "its items", store.Assignment{Items: a.Items}))
				time.Sleep(time.Second)
				post(provsim.StreamSamples)
				return store.ErrBusy
			case 2:
				require.NoError(t, s.Memory.Assign(ctx, id, a))
				require.Contains(t, told(), provsim.StreamEvents)
				require.Contains(t, told(), provsim.StreamSamples)
				return nil
			}
			return s.Memory.Assign(ctx, id, a)
		}
		post(provsim.StreamEvents)
		m.work(t, time.Hour)
		require.GreaterOrEqual(t, calls, 2)
	})
}
