package redis_test

import (
	"testing"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/store"
)

// TestAssigningAgainWithMore: an assignment broke off behind the items of a user,
// who got a connection meanwhile. Assigning again puts the item that was not
// there, and not again the one that was worked on.
func TestAssigningAgainWithMore(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	server := start(t)
	s := open(t, at(server.Addr()))
	client := goredis.NewClient(&goredis.Options{Addr: server.Addr()})
	defer client.Close()
	_, err := s.PutConnection(t.Context(), store.Connection{ID: "c", User: "u", Provider: "p", UpstreamID: "1"})
	require.NoError(t, err)
	_, err = s.PutDelivery(t.Context(), store.Delivery{ID: "d", Endpoint: "p", Status: store.DeliveryNew, Received: testNow})
	require.NoError(t, err)
	one := store.InboxItem{ID: "d/0", User: "u", Connection: "c", Received: testNow, Payload: []byte("1")}
	two := store.InboxItem{ID: "d/1", User: "u", Connection: "c2", Received: testNow, Payload: []byte("2")}
	items := func() (ids []string) {
		list, err := s.InboxItems(t.Context(), store.InboxQuery{User: "u"})
		require.NoError(t, err)
		for _, i := range list {
			ids = append(ids, i.ID)
		}
		return ids
	}

	// What the delivery is moved with at last fails.
	require.NoError(t, client.Set(t.Context(), "vitalmux:{inbox}:settled", "broken", 0).Err())
	require.Error(t, s.Assign(t.Context(), "d", store.Assignment{Items: []store.InboxItem{one}}))
	require.NoError(t, client.Del(t.Context(), "vitalmux:{inbox}:settled").Err())
	require.Equal(t, []string{"d/0"}, items())
	_, err = s.Commit(t.Context(), store.Batch{User: "u", Connection: "c", Unfenced: true, Now: testNow, Acks: []string{"d/0"}})
	require.NoError(t, err)

	_, err = s.PutConnection(t.Context(), store.Connection{ID: "c2", User: "u", Provider: "p", UpstreamID: "2"})
	require.NoError(t, err)
	require.NoError(t, s.Assign(t.Context(), "d", store.Assignment{Items: []store.InboxItem{one, two}}))
	require.Equal(t, []string{"d/1"}, items())
}
