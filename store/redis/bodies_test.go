package redis_test

import (
	"bytes"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/store"
)

// TestBodiesThatAreNotNeeded: a body is stored before it is known whether its
// delivery or item is taken. One that is not goes at once, so that an erasure
// leaves none behind; one that is taken stays.
func TestBodiesThatAreNotNeeded(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	server := start(t)
	s := open(t, at(server.Addr()))
	client := goredis.NewClient(&goredis.Options{Addr: server.Addr()})
	defer client.Close()
	large := bytes.Repeat([]byte("canary"), 20_000)
	bodies := func() (n int) {
		keys, err := client.Keys(t.Context(), "*").Result()
		require.NoError(t, err)
		for _, key := range keys {
			if strings.Contains(key, "}:j:") || strings.Contains(key, "}:body:") {
				n++
				left, err := client.PTTL(t.Context(), key).Result()
				require.NoError(t, err)
				require.Negative(t, left, "%s ends by itself", key)
			}
		}
		return n
	}
	put := func(id, key string, status store.DeliveryStatus, body []byte) bool {
		ok, err := s.PutDelivery(t.Context(), store.Delivery{
			ID: id, Key: key, Endpoint: "p", Subject: "account", Status: status, Received: testNow, Body: body,
		})
		require.NoError(t, err)
		return ok
	}
	assign := func(delivery, item, connection string) {
		require.NoError(t, s.Assign(t.Context(), delivery, store.Assignment{Items: []store.InboxItem{{ID: item, User: "u", Connection: connection, Payload: large, Received: testNow}}}))
	}
	_, err := s.PutConnection(t.Context(), store.Connection{ID: "c", User: "u", Provider: "p", UpstreamID: "account"})
	require.NoError(t, err)

	require.True(t, put("1", "", store.DeliveryNew, nil))
	assign("1", "i", "another")
	require.Zero(t, bodies(), "of an item for a connection that there is not")

	require.True(t, put("2", "", store.DeliveryNew, nil))
	assign("2", "i", "c")
	require.Equal(t, 1, bodies(), "of an item that is taken")
	require.True(t, put("3", "", store.DeliveryNew, nil))
	assign("3", "i", "c")
	require.Equal(t, 1, bodies(), "of one that is there")
	items, err := s.InboxItems(t.Context(), store.InboxQuery{User: "u"})
	require.NoError(t, err)
	require.Len(t, items, 1)
	require.Equal(t, large, items[0].Payload)

	require.True(t, put("4", "key", store.DeliveryDead, large))
	require.Equal(t, 2, bodies(), "of a delivery that is put")
	require.False(t, put("5", "key", store.DeliveryDead, large))
	require.Equal(t, 2, bodies(), "of one whose key is there")
	list, err := s.Deliveries(t.Context(), store.DeliveryQuery{ID: "4"})
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, large, list[0].Body)

	require.True(t, put("6", "", store.DeliveryNew, nil))
	require.NoError(t, s.Assign(t.Context(), "6", store.Assignment{Rest: []store.Delivery{
		{ID: "7", Key: "key", Endpoint: "p", Subject: "account", Status: store.DeliveryDead, Received: testNow, Body: large},
		{ID: "8", Endpoint: "p", Subject: "account", Status: store.DeliveryDead, Received: testNow, Body: large},
	}}))
	require.Equal(t, 3, bodies(), "of the rest of a delivery")

	_, err = s.Erase(t.Context(), "u")
	require.NoError(t, err)
	require.Zero(t, bodies(), "of an erased user")
	require.True(t, put("9", "", store.DeliveryNew, nil))
	assign("9", "late", "")
	require.Zero(t, bodies(), "of an item for an erased user")
}
