package redis_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/faultproxy"
	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/store"
	redisstore "github.com/vitalmux/vitalmux/store/redis"
	"github.com/vitalmux/vitalmux/store/redis/redistest"
)

// hasty returns options of a store that does not wait for better times.
func hasty(addrs ...string) redisstore.Options {
	o := at(addrs...)
	o.Patience = -1
	return o
}

func do(t *testing.T, s *redistest.Server, args ...string) any {
	t.Helper()
	reply, err := s.Do(args...)
	require.NoError(t, err, "%q", args)
	return reply
}

func TestPasswords(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	s := start(t)
	do(t, s, "CONFIG", "SET", "requirepass", "right-password")
	for _, password := range []string{"", "wrong-password"} {
		o := hasty(s.Addr())
		o.Redis.Password = password
		_, err := redisstore.Open(t.Context(), o)
		require.ErrorIs(t, err, redisstore.ErrAuth)
		require.NotContains(t, err.Error(), "password")
	}
	o := hasty(s.Addr())
	o.Redis.Password = "right-password"
	open(t, o)
}

func TestPermission(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	s := start(t)
	a := open(t, hasty(s.Addr()))
	do(t, s, "ACL", "SETUSER", "default", "-hset")
	_, err := a.Commit(t.Context(), numbered("w", 1))
	require.ErrorIs(t, err, redisstore.ErrAuth)
	do(t, s, "ACL", "SETUSER", "default", "+hset")
	_, err = a.Commit(t.Context(), numbered("w", 1))
	require.NoError(t, err)
	(&writer{name: "w", acked: 1}).check(t, a)
}

// TestPassing brings servers into states that pass. A store without patience
// says so and has written nothing; one with patience waits.
func TestPassing(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	s := start(t)
	now, later := open(t, hasty(s.Addr())), open(t, at(s.Addr()))
	n := 0
	commit := func(s store.Store) error {
		_, err := s.Commit(t.Context(), numbered("w", n+1))
		if err == nil {
			n++
		}
		return err
	}
	require.NoError(t, commit(now))
	for _, tc := range []struct {
		code       string
		begin, end func()
	}{
		{"READONLY", func() { do(t, s, "REPLICAOF", "127.0.0.1", "1") }, func() { do(t, s, "REPLICAOF", "NO", "ONE") }},
		{"NOREPLICAS", func() { do(t, s, "CONFIG", "SET", "min-replicas-to-write", "1") },
			func() { do(t, s, "CONFIG", "SET", "min-replicas-to-write", "0") }},
		{"MISCONF", func() {
			// The server cannot write its snapshot where a folder is.
			folder := filepath.Join(do(t, s, "CONFIG", "GET", "dir").([]any)[1].(string), "dump.rdb")
			require.NoError(t, os.Mkdir(folder, 0o700))
			do(t, s, "CONFIG", "SET", "save", "3600 1")
			do(t, s, "BGSAVE")
			require.Eventually(t, func() bool {
				return strings.Contains(do(t, s, "INFO", "persistence").(string), "rdb_last_bgsave_status:err")
			}, 30*time.Second, 10*time.Millisecond)
		}, func() { do(t, s, "CONFIG", "SET", "save", "") }},
		{"no answer", func() { require.NoError(t, s.Kill()) }, func() { require.NoError(t, s.Restart()) }},
	} {
		tc.begin()
		err := commit(now)
		require.ErrorIs(t, err, redisstore.ErrUnavailable)
		require.ErrorContains(t, err, tc.code)
		done := make(chan error, 1)
		go func() {
			_, err := later.Commit(t.Context(), numbered("w", n+1))
			done <- err
		}()
		tc.end()
		require.NoError(t, <-done, tc.code)
		n++
		(&writer{name: "w", acked: n}).check(t, now)
	}

	// A server that loads its data answers LOADING, if what it loads is a
	// snapshot. Each key takes it some time.
	slow := start(t, "--loading-process-events-interval-bytes", "1024", "--key-load-delay", "30000")
	full, hurried := open(t, at(slow.Addr())), open(t, hasty(slow.Addr()))
	for i := range 30 {
		_, err := full.Commit(t.Context(), numbered("w", i+1))
		require.NoError(t, err)
	}
	do(t, slow, "BGREWRITEAOF")
	require.Eventually(t, func() bool {
		info := do(t, slow, "INFO", "persistence").(string)
		return strings.Contains(info, "aof_rewrite_in_progress:0") && strings.Contains(info, "aof_rewrite_scheduled:0")
	}, 30*time.Second, 10*time.Millisecond)
	// A machine that is slow to ask may find it loaded: then once more.
	acked := 30
	var loading error
	for try := 0; loading == nil; try++ {
		require.Less(t, try, 20, "LOADING was never seen")
		require.NoError(t, slow.Kill())
		restarted, waited := make(chan error, 1), make(chan error, 1)
		go func() { restarted <- slow.Restart() }()
		acked++
		go func(n int) {
			_, err := full.Commit(t.Context(), numbered("w", n))
			waited <- err
		}(acked)
		require.Eventually(t, func() bool {
			_, err := hurried.Connections(t.Context(), store.ConnectionQuery{})
			if err != nil && strings.Contains(err.Error(), "LOADING") {
				loading = err
			}
			return err == nil
		}, 30*time.Second, time.Millisecond)
		require.NoError(t, <-waited)
		require.NoError(t, <-restarted)
	}
	require.ErrorIs(t, loading, redisstore.ErrUnavailable)
	(&writer{name: "w", acked: acked}).check(t, full)

	// A context ends the patience.
	require.NoError(t, slow.Stop())
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := full.Commit(ctx, numbered("w", acked+1))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, slow.Cont())
}

// TestMemory fills the server: writes are refused whole.
func TestMemory(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	s := start(t)
	a := open(t, at(s.Addr()))
	_, err := a.Commit(t.Context(), numbered("w", 1))
	require.NoError(t, err)
	do(t, s, "CONFIG", "SET", "maxmemory", "1")
	_, err = a.Commit(t.Context(), numbered("w", 2))
	require.ErrorIs(t, err, redisstore.ErrMemory)
	_, err = a.Acquire(t.Context(), "w", "sync", time.Minute)
	require.ErrorIs(t, err, redisstore.ErrMemory)
	_, err = a.PutDelivery(t.Context(), store.Delivery{ID: "d", Received: testNow, Status: store.DeliveryNew, Body: []byte("b")})
	require.ErrorIs(t, err, redisstore.ErrMemory)
	(&writer{name: "w", acked: 1}).check(t, a)
	_, err = a.Erase(t.Context(), "user of another") // reads go on, as above
	require.ErrorIs(t, err, redisstore.ErrMemory)
	do(t, s, "CONFIG", "SET", "maxmemory", "0")
	_, err = a.Commit(t.Context(), numbered("w", 2))
	require.NoError(t, err)
	(&writer{name: "w", acked: 2}).check(t, a)
}

func TestClusterDown(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	cluster, err := redistest.StartCluster(redistest.Config{}, 3, false)
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	now, later := open(t, hasty(cluster.Addrs()...)), open(t, at(cluster.Addrs()...))
	writers := []string{"a", "b", "c", "d", "e", "f"}
	for _, w := range writers {
		_, err := now.Commit(t.Context(), numbered(w, 1))
		require.NoError(t, err)
	}
	require.NoError(t, cluster.Servers[2].Kill())
	require.Eventually(t, func() bool {
		info, err := cluster.Servers[0].Do("CLUSTER", "INFO")
		text, _ := info.(string)
		return err == nil && strings.Contains(text, "cluster_state:fail")
	}, 30*time.Second, 20*time.Millisecond)
	for _, w := range writers {
		_, err := now.Commit(t.Context(), numbered(w, 2))
		require.ErrorIs(t, err, redisstore.ErrUnavailable)
	}
	require.NoError(t, cluster.Servers[2].Restart())
	for _, w := range writers {
		_, err := later.Commit(t.Context(), numbered(w, 2))
		require.NoError(t, err)
		(&writer{name: w, acked: 2}).check(t, later)
	}
}

// dump returns all keys with their content.
func dump(t *testing.T, s *redistest.Server) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, key := range do(t, s, "KEYS", "*").([]any) {
		all[key.(string)] = fmt.Sprint(do(t, s, "DUMP", key.(string)))
	}
	return all
}

// dumpLasting leaves out the rights to write a fact, which are there for a few
// seconds only.
func dumpLasting(t *testing.T, s *redistest.Server) map[string]string {
	t.Helper()
	all := dump(t, s)
	maps.DeleteFunc(all, func(key, _ string) bool { return strings.Contains(key, "}:u:") })
	return all
}

// rich is a commit that touches every kind of key of a scope.
func rich(n int) store.Batch {
	b := numbered("w", n)
	session := weight("w", fmt.Sprint("session-", n), testNow.AddDate(0, 0, -n), 1)
	session.Kind, session.Key = health.KindActivity, fmt.Sprint("activity/", n)
	session.Series = []health.Series{{Metric: "speed", From: 1e12, To: 1e12 + 10, Times: []int64{1e12}, Values: []int64{60}}}
	b.Pages[0].Key, b.Pages[0].Digest = "page", uint64(n)
	b.Pages[0].Raw = &health.RawPage{Date: testNow, Bodies: []health.RawBody{{Name: "body", Body: fmt.Append(nil, n)}}}
	b.Pages[0].Quarantined = []store.Quarantined{{Key: fmt.Sprint(n), Reason: "odd", Raw: []byte("aside")}}
	b.Pages = append(b.Pages, store.Page{Stream: "activity", Records: []health.Record{session}})
	b.Covered = []store.Covered{{Stream: "measure", Window: health.Window{First: health.DayOf(testNow), Last: health.DayOf(testNow)}}}
	return b
}

// TestForeignKeys puts something of another type in the place of each key: the
// commit is refused with a typed error, and nothing else changes.
func TestForeignKeys(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	s := start(t)
	a := open(t, at(s.Addr()))
	_, err := a.PutConnection(t.Context(), store.Connection{ID: "w", User: "user of w", Provider: "p"})
	require.NoError(t, err)
	_, err = a.Commit(t.Context(), rich(1))
	require.NoError(t, err)
	tried := 0
	for key, value := range dumpLasting(t, s) {
		if strings.Contains(key, "{index}") || strings.Contains(key, "{feed}") {
			continue // not of the user's scope
		}
		kept := do(t, s, "RENAME", key, "kept")
		require.Equal(t, "OK", kept)
		do(t, s, "SET", key, "foreign")
		before := dumpLasting(t, s)
		_, err := a.Commit(t.Context(), rich(2))
		require.ErrorIs(t, err, redisstore.ErrForeign, "%q", key)
		require.Equal(t, before, dumpLasting(t, s), key)
		do(t, s, "RENAME", "kept", key)
		require.Equal(t, value, fmt.Sprint(do(t, s, "DUMP", key)))
		tried++
	}
	require.Greater(t, tried, 12)
	_, err = a.Commit(t.Context(), rich(2))
	require.NoError(t, err)

	// Damaged values are an error, and no panic.
	for key := range dumpLasting(t, s) {
		if do(t, s, "TYPE", key) != "hash" || strings.HasSuffix(key, ":meta") {
			continue
		}
		fields := do(t, s, "HKEYS", key).([]any)
		do(t, s, "COPY", key, "kept")
		for _, field := range fields {
			do(t, s, "HSET", key, field.(string), "\xffdamaged")
		}
		for _, call := range everything(a) {
			_ = call(t.Context())
		}
		do(t, s, "DEL", key)
		do(t, s, "RENAME", "kept", key)
	}
	_, err = a.Commit(t.Context(), rich(3))
	require.NoError(t, err)
}

// TestForeignTypes puts something of another type in the place of each key there
// is, those of indexes, queues and leases included. No call says anything but
// what it says otherwise, or that it found a foreign key, and a connection is
// there for all reads or for none.
func TestForeignTypes(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	s := start(t)
	a := open(t, at(s.Addr()))
	n := 0
	calls := append(everything(a),
		func(ctx context.Context) error {
			_, err := a.PutConnection(ctx, store.Connection{ID: fmt.Sprint("c", n), User: fmt.Sprint("u", n), Provider: "p", UpstreamID: fmt.Sprint(n)})
			return err
		},
		func(ctx context.Context) error {
			_, err := a.PutDelivery(ctx, store.Delivery{ID: fmt.Sprint("d", n), Received: testNow, Status: store.DeliveryNew, Body: []byte("b")})
			return err
		},
		func(ctx context.Context) error {
			return a.SetDue(ctx, store.Due{Connection: "w", Task: "sync", At: testNow})
		},
		func(ctx context.Context) error { _, err := a.Due(ctx, "sync", testNow, 10); return err },
		func(ctx context.Context) error { _, err := a.Deliveries(ctx, store.DeliveryQuery{}); return err },
		func(ctx context.Context) error { _, err := a.Acquire(ctx, "x", "sync", time.Minute); return err },
	)
	_, err := a.PutConnection(t.Context(), store.Connection{ID: "w", User: "user of w", Provider: "p"})
	require.NoError(t, err)
	for _, call := range calls {
		require.NoError(t, call(t.Context()))
	}
	foreign := 0
	for key := range dumpLasting(t, s) {
		n++
		do(t, s, "RENAME", key, "kept")
		if do(t, s, "TYPE", "kept") == "string" {
			do(t, s, "HSET", key, "foreign", "")
		} else {
			do(t, s, "SET", key, "foreign")
		}
		for i, call := range calls {
			err := call(t.Context())
			if errors.Is(err, redisstore.ErrForeign) {
				foreign++
			} else if err != nil && !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrLeaseHeld) {
				require.NoError(t, err, "call %d, %q", i, key)
			}
		}
		do(t, s, "DEL", key)
		do(t, s, "RENAME", "kept", key)
		_, err := a.Connection(t.Context(), fmt.Sprint("c", n))
		list, listing := a.Connections(t.Context(), store.ConnectionQuery{User: fmt.Sprint("u", n)})
		require.NoError(t, listing)
		if err != nil {
			require.ErrorIs(t, err, store.ErrNotFound, "%q", key)
			require.Empty(t, list, "%q", key)
		} else {
			require.Len(t, list, 1, "%q", key)
		}
	}
	require.Greater(t, foreign, 40)
}

// everything returns calls that read what a commit wrote.
func everything(s store.Store) []func(ctx context.Context) error {
	return []func(ctx context.Context) error{
		func(ctx context.Context) error { _, err := s.Commit(ctx, rich(1)); return err },
		func(ctx context.Context) error { _, err := s.Connection(ctx, "w"); return err },
		func(ctx context.Context) error { _, err := s.Connections(ctx, store.ConnectionQuery{}); return err },
		func(ctx context.Context) error { _, err := s.Cursors(ctx, "w"); return err },
		func(ctx context.Context) error { _, err := s.Coverage(ctx, "w", "measure"); return err },
		func(ctx context.Context) error {
			_, err := s.Records(ctx, store.RecordQuery{User: "user of w"})
			return err
		},
		func(ctx context.Context) error {
			_, err := s.Samples(ctx, store.SampleQuery{User: "user of w", Metric: health.MetricHeartRate})
			return err
		},
		func(ctx context.Context) error {
			_, err := s.RawPages(ctx, store.RawQuery{Connection: "w"})
			return err
		},
		func(ctx context.Context) error { _, err := s.Quarantine(ctx, "w", 0); return err },
		func(ctx context.Context) error { _, err := s.Changes(ctx, "reader", 0); return err },
		func(ctx context.Context) error {
			_, err := s.InboxItems(ctx, store.InboxQuery{User: "user of w"})
			return err
		},
	}
}

// TestCutConnections lets connections break at random places, in the middle of
// commands and of answers: each commit has one effect, and says which.
func TestCutConnections(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	seed := proof.Seed(t)
	s := start(t)
	direct := open(t, at(s.Addr()))
	proxy, err := faultproxy.New(faultproxy.Config{
		Target: s.Addr(), Seed: seed,
		Plan: func(n int, _ *rand.Rand) faultproxy.Fault {
			random := rand.New(rand.NewPCG(seed, uint64(n)))
			f := faultproxy.Fault{At: faultproxy.InReply, How: faultproxy.How(random.IntN(2)), Bytes: 200 + random.Int64N(40_000)}
			if random.IntN(2) == 0 {
				f.At, f.Bytes = faultproxy.InRequest, 500+random.Int64N(60_000)
			}
			return f
		},
	})
	require.NoError(t, err)
	t.Cleanup(proxy.Close)
	o := at(proxy.Addr())
	o.AllowLossy = true // fewer commands before the first cut
	a := open(t, o)
	commits := proof.N(100, 3000)
	for i := range commits {
		r, err := a.Commit(t.Context(), numbered("w", i+1))
		require.NoError(t, err)
		require.Equal(t, store.Result{Inserted: recordsEach}, r)
		l, err := a.Acquire(t.Context(), "w", "sync", time.Minute)
		require.NoError(t, err)
		_, err = a.Renew(t.Context(), l, time.Minute)
		require.NoError(t, err)
		require.NoError(t, a.Release(t.Context(), l))
		id := fmt.Sprint("d", i)
		put, err := a.PutDelivery(t.Context(), store.Delivery{ID: id, Received: testNow, Status: store.DeliveryNew, Body: []byte("body")})
		require.NoError(t, err)
		require.True(t, put)
		require.NoError(t, a.PutFlow(t.Context(), store.Flow{ID: id, User: "user of w", ExpiresAt: time.Now().Add(time.Hour)}))
		_, err = a.TakeFlow(t.Context(), id)
		require.NoError(t, err)
	}
	broken := 0
	for _, c := range proxy.Ledger() {
		if c.Broken {
			broken++
		}
	}
	require.Greater(t, broken, commits/20)
	w := &writer{name: "w", acked: commits}
	w.check(t, direct)
	told(t, direct, []*writer{w})
	list, err := direct.Deliveries(t.Context(), store.DeliveryQuery{Limit: commits + 1})
	require.NoError(t, err)
	require.Len(t, list, commits)
}

// TestScriptsAreSentAgain flushes the server's scripts under a store.
func TestScriptsAreSentAgain(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	s := start(t)
	a := open(t, at(s.Addr()))
	for range 3 {
		l, err := a.Acquire(t.Context(), "c", "sync", time.Minute)
		require.NoError(t, err)
		do(t, s, "SCRIPT", "FLUSH")
		require.NoError(t, a.Release(t.Context(), l))
	}
}

// TestClockBehind lets the server's clock be behind what it was: what rises by
// it rises all the same.
func TestClockBehind(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	s := start(t)
	a := open(t, at(s.Addr()))
	_, err := a.Commit(t.Context(), numbered("w", 1))
	require.NoError(t, err)
	l, err := a.Acquire(t.Context(), "w", "sync", time.Minute)
	require.NoError(t, err)
	require.NoError(t, a.Release(t.Context(), l))
	future := fmt.Sprint(time.Now().AddDate(1, 0, 0).UnixMicro())
	keys := do(t, s, "KEYS", "*").([]any)
	i := slices.IndexFunc(keys, func(k any) bool { return strings.Contains(k.(string), ":n:") })
	require.GreaterOrEqual(t, i, 0)
	do(t, s, "HSET", keys[i].(string), "sync", future)
	next, err := a.Acquire(t.Context(), "w", "sync", time.Minute)
	require.NoError(t, err)
	require.Greater(t, fmt.Sprint(next.Fence), future)
	for _, key := range keys {
		if strings.HasSuffix(key.(string), "}") {
			do(t, s, "HSET", key.(string), "last", future)
		}
	}
	for n := range 3 {
		_, err := a.Commit(t.Context(), numbered("w", n+2))
		require.NoError(t, err)
	}
	changes, err := a.Changes(t.Context(), "reader", 0)
	require.NoError(t, err)
	require.Len(t, changes, 4*recordsEach)
	require.NoError(t, a.Ack(t.Context(), "reader", changes[len(changes)-1].Position))
	changes, err = a.Changes(t.Context(), "reader", 0)
	require.NoError(t, err)
	require.Empty(t, changes)
}

// TestNothingOfAnErasedUserIsLeft looks at every key and value after an erase.
func TestNothingOfAnErasedUserIsLeft(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	s := start(t)
	a := open(t, at(s.Addr()))
	ctx := t.Context()
	empty := dump(t, s)
	const user = "user of w"
	_, err := a.PutConnection(ctx, store.Connection{ID: "w", User: user, Provider: "p", UpstreamID: "upstream-of-w"})
	require.NoError(t, err)
	require.NoError(t, a.PutGrant(ctx, "", store.Credential{Connection: "w", Grant: "g", Sealed: []byte("sealed")}))
	_, err = a.Acquire(ctx, "w", "sync", time.Hour)
	require.NoError(t, err)
	for n := range 3 {
		_, err = a.Commit(ctx, rich(n+1))
		require.NoError(t, err)
	}
	require.NoError(t, a.SetDue(ctx, store.Due{Connection: "w", Task: "sync", At: testNow}))
	require.NoError(t, a.SwapSetting(ctx, user, "name", nil, []byte("v")))
	require.NoError(t, a.PutFlow(ctx, store.Flow{ID: "f", User: user, ExpiresAt: time.Now().Add(time.Hour)}))
	_, err = a.PutDelivery(ctx, store.Delivery{ID: "d", Received: testNow, Status: store.DeliveryNew, Body: []byte("b")})
	require.NoError(t, err)
	require.NoError(t, a.Assign(ctx, "d", store.Assignment{Items: []store.InboxItem{
		{ID: "small", User: user, Connection: "w", Received: testNow, Payload: []byte("x")},
		{ID: "large", User: user, Connection: "w", Received: testNow, Payload: make([]byte, 3<<20)},
	}}))
	_, err = a.PutDelivery(ctx, store.Delivery{
		ID: "parked", Endpoint: "p", Subject: "upstream-of-w", Received: testNow, Status: store.DeliveryParked, Body: []byte("b"),
	})
	require.NoError(t, err)
	_, err = a.Changes(ctx, "reader", 0)
	require.NoError(t, err)
	got, err := a.Erase(ctx, user)
	require.NoError(t, err)
	require.Equal(t, store.Erasure{
		Connections: 1, Records: 3*recordsEach + 3, SampleChunks: 4, RawPages: 3, Changes: 3*recordsEach + 3, InboxItems: 2, Deliveries: 1, Settings: 1,
	}, got)
	left := dump(t, s)
	for key := range empty {
		delete(left, key)
	}
	marks := 0
	for key := range left {
		text := fmt.Sprint(key, reveal(t, s, key))
		for _, word := range []string{"user of", "upstream-of", "sealed", "measure"} {
			require.NotContains(t, text, word, key)
		}
		switch {
		case strings.Contains(key, "}:u:"): // there for a moment only; it ends in random bytes
		case strings.HasSuffix(key, "}"):
			marks++
		default:
			require.Contains(t, []string{
				"vitalmux:{index}:erased", "vitalmux:{due}:tasks", "vitalmux:{settings}:names", "vitalmux:{inbox}:settled", "vitalmux:{feed}:count", "vitalmux:{feed}:sweeps",
			}, key)
		}
	}
	require.Equal(t, 1, marks)
}

// reveal returns the content of a key in clear.
func reveal(t *testing.T, s *redistest.Server, key string) string {
	t.Helper()
	switch do(t, s, "TYPE", key) {
	case "hash":
		return fmt.Sprint(do(t, s, "HGETALL", key))
	case "zset":
		return fmt.Sprint(do(t, s, "ZRANGE", key, "0", "-1"))
	case "set":
		return fmt.Sprint(do(t, s, "SMEMBERS", key))
	}
	return fmt.Sprint(do(t, s, "GET", key))
}

// TestTwoUsersOfOneConnection lets two users claim one connection, and two
// connections one account, at once: one of each gets it.
func TestTwoUsersOfOneConnection(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	s := start(t)
	stores := []*redisstore.Store{open(t, at(s.Addr())), open(t, at(s.Addr()))}
	for round := range 10 {
		errs := make(chan error, 8)
		for i := range cap(errs) {
			go func() {
				_, err := stores[i%2].PutConnection(t.Context(), store.Connection{
					ID: fmt.Sprintf("c%d-%d", round, i%4), User: fmt.Sprint("user", i), Provider: "p", UpstreamID: fmt.Sprint(round),
				})
				errs <- err
			}()
		}
		won := 0
		for range cap(errs) {
			switch err := <-errs; {
			case err == nil:
				won++
			case errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrInvalid):
			default:
				require.NoError(t, err)
			}
		}
		require.Equal(t, 1, won)
		list, err := stores[0].Connections(t.Context(), store.ConnectionQuery{Provider: "p", UpstreamID: fmt.Sprint(round)})
		require.NoError(t, err)
		require.Len(t, list, 1)
	}
}
