package redis_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
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
	once := sync.OnceFunc(act)
	return open(t, through(at(s.Addr()), func(c net.Conn) net.Conn { return &before{Conn: c, word: word, act: once} }))
}

// through has a store send all it sends through what conn returns.
func through(o redisstore.Options, conn func(net.Conn) net.Conn) redisstore.Options {
	o.Redis.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return conn(c), nil
	}
	return o
}

// slow keeps what is sent from the first mention of the word on, as a network does
// that is slow, and lets the client run into its timeout.
type slow struct {
	net.Conn
	word string
	once *sync.Once
	kept *bytes.Buffer // nil until then
	all  *bytes.Buffer
}

func (c *slow) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte(c.word)) {
		c.once.Do(func() { c.kept = c.all })
	}
	if c.kept != nil {
		return c.kept.Write(b)
	}
	return c.Conn.Write(b)
}

func (c *slow) Read(b []byte) (int, error) {
	if c.kept != nil {
		return 0, os.ErrDeadlineExceeded
	}
	return c.Conn.Read(b)
}

// TestLateBody has a body reach the server again, of an attempt that was given up,
// after the delivery or the item was put: what is put does not end by itself.
func TestLateBody(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	body := bytes.Repeat([]byte("body"), 20_000)
	for _, word := range []string{"{inbox}:body:", "}:j:"} {
		s := start(t)
		var once sync.Once
		var late bytes.Buffer
		a := open(t, through(at(s.Addr()), func(c net.Conn) net.Conn { return &slow{Conn: c, word: word, once: &once, all: &late} }))
		for _, id := range []string{"delivery", "of an item"} {
			put, err := a.PutDelivery(t.Context(), store.Delivery{ID: id, Received: testNow, Status: store.DeliveryNew, Body: body})
			require.NoError(t, err)
			require.True(t, put)
		}
		item := store.InboxItem{ID: "item", User: "u", Received: testNow, Payload: body}
		require.NoError(t, a.Assign(t.Context(), "of an item", store.Assignment{Items: []store.InboxItem{item}}))

		require.NotZero(t, late.Len())
		conn, err := net.Dial("tcp", s.Addr())
		require.NoError(t, err)
		late.WriteString("PING\r\n")
		_, err = conn.Write(late.Bytes())
		require.NoError(t, err)
		for answers := bufio.NewScanner(conn); answers.Scan() && answers.Text() != "+PONG"; {
		}
		require.NoError(t, conn.Close())

		kept, ending := 0, 0
		for _, key := range do(t, s, "KEYS", "*").([]any) {
			if text := key.(string); strings.Contains(text, "{inbox}:body:") || strings.Contains(text, "}:j:") {
				if do(t, s, "PTTL", text) == int64(-1) {
					kept++
				} else {
					ending++
				}
			}
		}
		require.Equal(t, []int{2, 1}, []int{kept, ending}, word)
		list, err := a.Deliveries(t.Context(), store.DeliveryQuery{})
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.True(t, bytes.Equal(body, list[0].Body))
		items, err := a.InboxItems(t.Context(), store.InboxQuery{User: "u"})
		require.NoError(t, err)
		require.Len(t, items, 1)
		require.True(t, bytes.Equal(body, items[0].Payload))
	}
}

// TestTrimmedMeanwhile drops a change after a consumer was found to be behind, and
// before it gets the changes: it is told.
func TestTrimmedMeanwhile(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	s := start(t)
	direct := open(t, at(s.Addr()))
	ctx := t.Context()
	second := numbered("w", 2)
	second.Now = second.Now.Add(time.Hour)
	for _, b := range []store.Batch{numbered("w", 1), second} {
		_, err := direct.Commit(ctx, b)
		require.NoError(t, err)
	}
	dropped := 0
	a := openBefore(t, s, "zrange", func() {
		var err error
		dropped, err = direct.TrimChanges(ctx, second.Now)
		require.NoError(t, err)
	})
	_, err := a.Changes(ctx, "consumer", 0)
	require.ErrorIs(t, err, store.ErrFeedTrimmed)
	require.Equal(t, recordsEach, dropped)
}

// ending sends no command with the word from the nth on, and calls end instead: a
// process ends there.
type ending struct {
	net.Conn
	word string
	left *atomic.Int64 // how many are sent, and one more
	end  func()
}

func (c *ending) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte("\r\n"+c.word+"\r\n")) && c.left.Add(-1) <= 0 {
		c.end()
		return 0, net.ErrClosed
	}
	return c.Conn.Write(b)
}

// openEnding opens a store that ends with the nth command with the word from now
// on, and a context that ends with it.
func openEnding(t *testing.T, s *redistest.Server, word string, n int64) (*redisstore.Store, context.Context) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	var left atomic.Int64
	left.Store(math.MaxInt64)
	a := open(t, through(at(s.Addr()), func(c net.Conn) net.Conn { return &ending{c, word, &left, cancel} }))
	left.Store(n)
	return a, ctx
}

const (
	indexConnections = "vitalmux:{index}:connections"
	indexUpstream    = "vitalmux:{index}:upstream"
)

// TestClaimsOfAnErasedUser has a process end between a claim and its fact, or
// between the end of a fact and that of its claim: once the user is erased, the
// index names neither connection nor account.
func TestClaimsOfAnErasedUser(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	first := store.Connection{ID: "c", User: "user of w", Provider: "p", UpstreamID: "account-1"}
	for _, tc := range []struct {
		name  string
		word  string // with the nth of which the process ends
		n     int64
		there bool // the connection
		call  func(ctx context.Context, s store.Store, c store.Connection) error
	}{
		{"put", "exec", 2, false, func(ctx context.Context, s store.Store, _ store.Connection) error {
			_, err := s.PutConnection(ctx, first)
			return err
		}},
		{"commit", "exec", 2, false, func(ctx context.Context, s store.Store, _ store.Connection) error {
			_, err := s.Commit(ctx, numbered("w", 1))
			return err
		}},
		{"other account, before", "exec", 2, true, func(ctx context.Context, s store.Store, c store.Connection) error {
			c.UpstreamID = "account-2"
			_, err := s.PutConnection(ctx, c)
			return err
		}},
		{"other account, after", "evalsha", 2, true, func(ctx context.Context, s store.Store, c store.Connection) error {
			c.UpstreamID = "account-2"
			_, err := s.PutConnection(ctx, c)
			return err
		}},
		{"delete", "evalsha", 1, true, func(ctx context.Context, s store.Store, _ store.Connection) error {
			return s.DeleteConnection(ctx, "c", true)
		}},
	} {
		s := start(t)
		direct := open(t, at(s.Addr()))
		c := first
		if tc.there {
			var err error
			c, err = direct.PutConnection(t.Context(), first)
			require.NoError(t, err)
		}
		a, ctx := openEnding(t, s, tc.word, tc.n)
		require.ErrorIs(t, tc.call(ctx, a, c), context.Canceled, tc.name)
		require.NotEmpty(t, do(t, s, "HKEYS", indexConnections), tc.name)
		_, err := direct.Erase(t.Context(), first.User)
		require.NoError(t, err)
		for _, key := range []string{indexConnections, indexUpstream} {
			require.Empty(t, do(t, s, "HKEYS", key), "%s: %s", tc.name, key)
		}
		require.Empty(t, do(t, s, "KEYS", "*}:t"), tc.name)
	}
}

// TestClaimOfAnotherUser erases a user after whose claim no fact was written, when
// another user has the connection and the account: they stay.
func TestClaimOfAnotherUser(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	s := start(t)
	direct := open(t, at(s.Addr()))
	c := store.Connection{ID: "c", User: "first", Provider: "p", UpstreamID: "account"}
	a, ctx := openEnding(t, s, "exec", 2)
	_, err := a.PutConnection(ctx, c)
	require.ErrorIs(t, err, context.Canceled)
	for _, key := range []string{indexConnections, indexUpstream} {
		field := do(t, s, "HKEYS", key).([]any)[0].(string)
		long := do(t, s, "HGET", key, field).(string)
		do(t, s, "HSET", key, field, "1000000000000000"+long[16:]) // it was made long ago
	}
	c.User = "second"
	_, err = direct.PutConnection(t.Context(), c)
	require.NoError(t, err)
	_, err = direct.Erase(t.Context(), "first")
	require.NoError(t, err)
	list, err := direct.Connections(t.Context(), store.ConnectionQuery{Provider: "p", UpstreamID: "account"})
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, "second", list[0].User)
}

// TestNotesOfClaims are not left where nothing breaks.
func TestNotesOfClaims(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	s := start(t)
	a := open(t, at(s.Addr()))
	ctx := t.Context()
	c, err := a.PutConnection(ctx, store.Connection{ID: "c", User: "u", Provider: "p", UpstreamID: "account-1"})
	require.NoError(t, err)
	_, err = a.PutConnection(ctx, store.Connection{ID: "d", User: "v", Provider: "p", UpstreamID: "account-1"})
	require.ErrorIs(t, err, store.ErrConflict)
	_, err = a.Commit(ctx, numbered("c", 1)) // of another user
	require.ErrorIs(t, err, store.ErrInvalid)
	_, err = a.Commit(ctx, numbered("w", 1))
	require.NoError(t, err)
	c.UpstreamID = "account-2"
	_, err = a.PutConnection(ctx, c)
	require.NoError(t, err)
	for _, data := range []bool{false, true} {
		require.NoError(t, a.DeleteConnection(ctx, "c", data))
	}
	require.Empty(t, do(t, s, "KEYS", "*}:t"))
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
		require.NoError(t, a.Assign(t.Context(), "d", store.Assignment{Items: []store.InboxItem{item}}))
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
			return a.Assign(t.Context(), "d", store.Assignment{Rest: []store.Delivery{whole, rest}})
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
	require.NoError(t, direct.Assign(t.Context(), "d", store.Assignment{Rest: []store.Delivery{rest}}))
	list, err := direct.Deliveries(t.Context(), store.DeliveryQuery{})
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, []byte("part"), list[0].Body)
}

// TestDeliveryGoesLast looks at the moment before a delivery is removed: its items
// are there and somebody was told of them, so that a process that ends at any
// moment before that leaves the delivery, and after it nothing that nobody knows.
func TestDeliveryGoesLast(t *testing.T) {
	t.Parallel()
	s := start(t)
	direct := open(t, at(s.Addr()))
	_, err := direct.PutDelivery(t.Context(), store.Delivery{ID: "d", Received: testNow, Status: store.DeliveryNew})
	require.NoError(t, err)
	looked := false
	a := openBefore(t, s, "vitalmux:{inbox}:settled", func() {
		looked = true
		items, err := direct.InboxItems(t.Context(), store.InboxQuery{User: "u"})
		require.NoError(t, err)
		require.Len(t, items, 1)
		due, err := direct.Due(t.Context(), "sync", testNow, 0)
		require.NoError(t, err)
		require.Equal(t, []store.Due{{Connection: "c", Task: "sync", At: testNow}}, due)
		left, err := direct.Deliveries(t.Context(), store.DeliveryQuery{})
		require.NoError(t, err)
		require.Len(t, left, 1)
	})
	require.NoError(t, a.Assign(t.Context(), "d", store.Assignment{
		Items: []store.InboxItem{{ID: "i", User: "u", Received: testNow}},
		Due:   []store.Due{{Connection: "c", Task: "sync", At: testNow}},
	}))
	require.True(t, looked)
	left, err := direct.Deliveries(t.Context(), store.DeliveryQuery{})
	require.NoError(t, err)
	require.Empty(t, left)
}

// TestListWhileItsPlaceGoes has a list lose the members between two of its looks
// that it was to go on behind: what it lists is there once, and nothing is missing.
func TestListWhileItsPlaceGoes(t *testing.T) {
	t.Parallel()
	const n = 500
	for _, gone := range []struct{ from, to int }{{199, 200}, {0, 200}, {0, 450}} {
		s := start(t)
		direct := open(t, at(s.Addr()))
		var want []string
		for i := range n {
			id := fmt.Sprintf("%03d", i)
			require.NoError(t, direct.PutJob(t.Context(), store.Job{ID: id, NextAt: testNow}))
			want = append(want, id)
		}
		a := openBefore(t, s, "zrank", func() {
			for _, id := range want[gone.from:gone.to] {
				require.NoError(t, direct.DeleteJob(t.Context(), id))
			}
		})
		list, err := a.Jobs(t.Context(), store.JobQuery{Limit: 2 * n})
		require.NoError(t, err)
		var got []string
		for _, j := range list {
			got = append(got, j.ID)
		}
		require.Equal(t, slices.Concat(want[:200], want[max(200, gone.to):]), got, gone)
	}
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
