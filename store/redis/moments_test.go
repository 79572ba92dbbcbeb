package redis_test

import (
	"bytes"
	"context"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/store"
	redisstore "github.com/vitalmux/vitalmux/store/redis"
	"github.com/vitalmux/vitalmux/store/redis/redistest"
)

// before calls act before a command with the word is sent.
type before struct {
	net.Conn
	word string
	act  func()
}

func (c *before) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte("\r\n"+c.word+"\r\n")) {
		c.act()
	}
	return c.Conn.Write(b)
}

// openBefore opens a store that has act called once, before it sends the word.
func openBefore(t *testing.T, s *redistest.Server, word string, act func()) *redisstore.Store {
	t.Helper()
	o, once := at(s.Addr()), sync.OnceFunc(act)
	o.Redis.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		return &before{Conn: conn, word: word, act: once}, err
	}
	return open(t, o)
}

// end has all keys expire that have the text in their names.
func end(t *testing.T, s *redistest.Server, text string) {
	t.Helper()
	ended := 0
	for _, key := range do(t, s, "KEYS", "*").([]any) {
		if strings.Contains(key.(string), text) {
			require.Equal(t, int64(1), do(t, s, "PEXPIRE", key.(string), "0"))
			ended++
		}
	}
	require.Positive(t, ended)
}

// TestPayloadExpires pauses so long that the body of an item ends by itself, before
// the item is looked at and before it is put: it is written again.
func TestPayloadExpires(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	for _, moment := range []string{"watch", "persist"} {
		s := start(t)
		a := openBefore(t, s, moment, func() { end(t, s, "}:j:") })
		item := store.InboxItem{ID: "large", User: "u", Received: testNow, Payload: bytes.Repeat([]byte("payload"), 20_000)}
		_, err := a.PutDelivery(t.Context(), store.Delivery{ID: "d", Received: testNow, Status: store.DeliveryNew})
		require.NoError(t, err)
		require.NoError(t, a.Assign(t.Context(), "d", []store.InboxItem{item}, nil))
		list, err := a.InboxItems(t.Context(), store.InboxQuery{User: "u"})
		require.NoError(t, err)
		require.Len(t, list, 1, moment)
		require.True(t, bytes.Equal(item.Payload, list[0].Payload), moment)
	}
}

// TestBodyExpires pauses so long that the body of a delivery ends by itself before
// the delivery is put: the call fails, and nothing has changed.
func TestBodyExpires(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	s := start(t)
	direct := open(t, at(s.Addr()))
	_, err := direct.PutDelivery(t.Context(), store.Delivery{ID: "d", Received: testNow, Status: store.DeliveryNew, Body: []byte("all")})
	require.NoError(t, err)
	rest := store.Delivery{ID: "rest", Received: testNow, Status: store.DeliveryParked, Body: []byte("part")}
	for name, call := range map[string]func(a store.Store) error{
		"put": func(a store.Store) error {
			_, err := a.PutDelivery(t.Context(), rest)
			return err
		},
		"assign": func(a store.Store) error {
			whole := store.Delivery{ID: "whole", Received: testNow, Status: store.DeliveryParked}
			return a.Assign(t.Context(), "d", nil, []store.Delivery{whole, rest})
		},
	} {
		a := openBefore(t, s, "evalsha", func() {
			for _, key := range do(t, s, "KEYS", "*:body:*").([]any) {
				if do(t, s, "PTTL", key.(string)).(int64) >= 0 {
					do(t, s, "PEXPIRE", key.(string), "0")
				}
			}
		})
		require.ErrorIs(t, call(a), redisstore.ErrUnavailable, name)
		list, err := a.Deliveries(t.Context(), store.DeliveryQuery{})
		require.NoError(t, err)
		require.Len(t, list, 1, name)
		require.Equal(t, "d", list[0].ID)
		require.Equal(t, []byte("all"), list[0].Body)
	}
	require.NoError(t, direct.Assign(t.Context(), "d", nil, []store.Delivery{rest}))
	list, err := direct.Deliveries(t.Context(), store.DeliveryQuery{})
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, []byte("part"), list[0].Body)
}

// TestClaimOfTheFuture leaves a claim without a fact, of a clock that was ahead:
// it is waited for like any other, and then taken.
func TestClaimOfTheFuture(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	s := start(t)
	a := open(t, at(s.Addr()))
	ctx := t.Context()
	_, err := a.PutConnection(ctx, store.Connection{ID: "c", User: "first", Provider: "p"})
	require.NoError(t, err)
	const index = "vitalmux:{index}:connections"
	claim := do(t, s, "HGET", index, "c").(string)
	do(t, s, "DEL", "vitalmux:"+claim[17:]+":k")
	ahead := strconv.FormatInt(time.Now().Add(24*time.Hour).UnixMicro(), 10)
	do(t, s, "HSET", index, "c", ahead+claim[16:])
	second := store.Connection{ID: "c", User: "second", Provider: "p"}
	soon, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, err = a.PutConnection(soon, second)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = a.PutConnection(ctx, second)
	require.NoError(t, err)
	got, err := a.Connection(ctx, "c")
	require.NoError(t, err)
	require.Equal(t, "second", got.User)
}

// TestClaimIsCopied stops the replicas of a Cluster: a claim that only the master
// has is not taken for made.
func TestClaimIsCopied(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	cluster, err := redistest.StartCluster(redistest.Config{}, 1, true)
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	a := open(t, hasty(cluster.Addrs()...))
	c := store.Connection{ID: "c", User: "u", Provider: "p"}
	require.NoError(t, cluster.Servers[1].Stop())
	_, err = a.PutConnection(t.Context(), c)
	require.ErrorIs(t, err, redisstore.ErrUnavailable)
	require.NoError(t, cluster.Servers[1].Cont())
	require.NoError(t, cluster.Followed())
	_, err = open(t, at(cluster.Addrs()...)).PutConnection(t.Context(), c)
	require.NoError(t, err)
}

// TestWatchIsLeft has commits that write nothing leave keys watched on the only
// connection, and others change these keys: neither reads nor commits mind.
func TestWatchIsLeft(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	s := start(t)
	o := hasty(s.Addr())
	o.Redis.PoolSize, o.Redis.PipelinePoolSize = 1, -1
	a, other := open(t, o), open(t, at(s.Addr()))
	ctx := t.Context()
	same := numbered("w", 1)
	same.Cursors = nil
	for n := range 5 {
		_, err := other.Commit(ctx, numbered("w", n+1))
		require.NoError(t, err)
		r, err := a.Commit(ctx, same)
		require.NoError(t, err)
		require.Equal(t, store.Result{Unchanged: recordsEach}, r)
		_, err = other.Commit(ctx, numbered("v", n+1))
		require.NoError(t, err)
		b := numbered("w", n+2)
		b.Cursors = nil
		_, err = other.Commit(ctx, b)
		require.NoError(t, err)
		switch n % 3 {
		case 0:
			_, err = a.Cursors(ctx, "w")
		case 1:
			_, err = a.PutDelivery(ctx, store.Delivery{ID: "d", Received: testNow, Status: store.DeliveryNew, Body: []byte("b")})
		case 2:
			b.Pages[0].Records[0].Rev.Order++
			b.Pages[0].Records[0].Values[0].Number.Coefficient++
			_, err = a.Commit(ctx, b)
		}
		require.NoError(t, err)
	}
}
