package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
	redisstore "github.com/vitalmux/vitalmux/store/redis"
	"github.com/vitalmux/vitalmux/store/redis/redistest"
)

// syncing is what a server does before it acknowledges.
type syncing struct {
	name string
	args []string
}

var (
	never  = syncing{"appendonly no", []string{"--appendonly", "no"}}
	always = syncing{"appendfsync always", nil}
)

// redisRecords measures the store on one server against redis-benchmark. Memory
// and ranged are the ceilings of the bytes that a record takes and of the
// milliseconds that a range takes; 0 is none.
func redisRecords(ctx context.Context, b *bench, z size, memory, ranged float64) error {
	z.page = nil
	for _, mode := range []syncing{never, always} {
		if err := redisMode(ctx, b, z, mode, memory, ranged); err != nil {
			return err
		}
	}
	return nil
}

// redisMode measures both on servers of one kind.
func redisMode(ctx context.Context, b *bench, z size, mode syncing, memory, ranged float64) error {
	jsonSize, err := payloadSize(z, formJSON)
	if err != nil {
		return err
	}
	packedSize, err := payloadSize(z, formPacked)
	if err != nil {
		return err
	}
	best := lap{}
	var perRecord float64
	var trips int64
	for round := range b.rounds {
		d, err := makeDataset(z, nil, uint64(round+1))
		if err != nil {
			return err
		}
		next, err := d.changed(0.1, nil, uint64(round+100))
		if err != nil {
			return err
		}
		for range 3 {
			before, err := processorTime()
			if err != nil {
				return err
			}
			if err := best.time("encode", func() error { return d.encode(formPacked) }); err != nil {
				return err
			}
			after, err := processorTime()
			if err != nil {
				return err
			}
			best.keep("encode", after-before) // not what others had of the processor
		}
		dir := filepath.Join(b.dir, fmt.Sprint(z.topic, mode.name, round))
		if perRecord, trips, err = redisRound(ctx, dir, z, mode, jsonSize, d, next, best); err != nil {
			return err
		}
	}
	topic := z.topic + " on Redis, " + mode.name
	n := float64(z.count)
	rate := func(name string, less time.Duration) float64 {
		return n / max(best[name]-less, best[name]/20).Seconds() / 1000
	}
	row := func(name, ours string, less time.Duration, floor float64, note string) {
		b.Add(Row{Topic: topic, Name: name, Unit: "k records/s", Measured: rate(ours, less), Anchor: rate("anchor", 0), Floor: floor, Note: note})
	}
	encode := best["encode"]
	b.Add(Row{Topic: topic, Name: "encoding alone", Unit: "k records/s", Measured: rate("encode", 0),
		Note: fmt.Sprintf("AppendValues and AppendRest, %d B per record", packedSize)})
	row("insert", "insert", encode, 1.1, "without encoding")
	row("insert, with encoding", "insert", 0, 0, "")
	work := func(name, ours string) {
		each := func(name string) float64 { return float64(best["work of "+name].Nanoseconds()) / 1000 / n }
		b.Add(Row{Topic: topic, Name: name, Unit: "µs/record", Measured: each(ours), Anchor: each("anchor"),
			Note: "client and server, of all their processors, with encoding"})
	}
	work("insert, processor time", "insert")
	work("re-sync unchanged, by record, processor time", "same")
	b.Add(Row{Topic: topic, Name: "insert, against setting one key again and again", Unit: "k records/s", Measured: rate("insert", encode), Anchor: rate("one key", 0),
		Note: "without encoding; the anchor stores one value"})
	row("re-sync unchanged, by record", "same", encode, 4, "without encoding")
	row("re-sync unchanged, by record, with encoding", "same", 0, 0, "")
	row("re-sync unchanged, by page digest", "digest", 0, 20, "nothing is encoded")
	row("re-sync, 10 % changed", "changed", encode, 0, "without encoding")
	b.Add(Row{Topic: topic, Name: "memory", Unit: "B/record", Measured: perRecord, Floor: memory, Most: true,
		Note: "used_memory_dataset, changes and indexes included"})
	b.Add(Row{Topic: topic, Name: "range of 1,000 records", Unit: "ms", Measured: ms(best["range"] - best["decode"]), Floor: ranged, Most: true,
		Note: "without decoding"})
	b.Add(Row{Topic: topic, Name: "range of 1,000 records, decoded", Unit: "ms", Measured: ms(best["range"])})
	b.Add(Row{Topic: topic, Name: "range of 1,000 records", Unit: "round trips", Measured: float64(trips), Floor: 2, Most: true})
	b.Note(topic, "%s Its JSON has %d bytes, packed it has %d. %d records of %d connections of one user per round, in pages of %d; one goroutine, TCP\n"+
		"over loopback.", z.note, jsonSize, packedSize, z.count, z.connections, batchSize)
	b.Note(topic, "Anchor: `redis-benchmark -P 100 -c 1 -t set -d %d -r 1073741824` on the same server, %s: a key for each value, as records are.", jsonSize, mode.name)
	b.Note(topic, "Store: `Commit` of pages with validation, encoding, fingerprint, comparison, compression and change entries. \"Without encoding\" is its\n"+
		"time less that of \"encoding alone\" over the same records, on one core, though a commit uses several; a range without decoding is its time\n"+
		"less that of decoding alone. Processor time is what client and server use together; it depends less on what else the machine does.")
	return nil
}

// startRedis starts a server that has its files in the folder.
func startRedis(dir string, mode syncing) (*redistest.Server, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return redistest.Start(redistest.Config{Args: append([]string{"--dir", dir}, mode.args...)})
}

// openRedis opens a store on a server. Counter, if it is there, counts how often
// something is sent.
func openRedis(ctx context.Context, addr string, counter *atomic.Int64) (*redisstore.Store, error) {
	o := redisstore.Options{AllowLossy: true, Redis: goredis.UniversalOptions{Addrs: []string{addr}}}
	if counter != nil {
		o.Redis.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
			return counted{conn, counter}, err
		}
	}
	return redisstore.Open(ctx, o)
}

// counted is a connection that counts what is sent on it. A pipeline that is not
// long is sent at once.
type counted struct {
	net.Conn
	sent *atomic.Int64
}

func (c counted) Write(b []byte) (int, error) {
	c.sent.Add(1)
	return c.Conn.Write(b)
}

func redisRound(ctx context.Context, dir string, z size, mode syncing, jsonSize int, d, next *dataset, best lap) (perRecord float64, trips int64, err error) {
	server, err := startRedis(dir, mode)
	if err != nil {
		return 0, 0, err
	}
	defer server.Close()
	for name, keys := range map[string]int{"anchor": 1 << 30, "one key": 0} {
		took, used, err := redisSet(ctx, server, z.count, jsonSize, keys)
		if err != nil {
			return 0, 0, err
		}
		best.keep(name, took)
		best.keep("work of "+name, used)
		if _, err := server.Do("FLUSHALL"); err != nil {
			return 0, 0, err
		}
	}
	var sent atomic.Int64
	s, err := openRedis(ctx, server.Addr(), &sent)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	empty, err := usedMemory(server)
	if err != nil {
		return 0, 0, err
	}
	if err := timeWork(server, best, "insert", func() error { return d.commit(ctx, s, nil, inserted) }); err != nil {
		return 0, 0, err
	}
	full, err := usedMemory(server)
	if err != nil {
		return 0, 0, err
	}
	perRecord = (full - empty) / float64(z.count)
	if err := timeWork(server, best, "same", func() error { return d.commit(ctx, s, nil, unchanged) }); err != nil {
		return 0, 0, err
	}
	if trips, err = redisRanges(ctx, s, d, &sent, best); err != nil {
		return 0, 0, err
	}
	digest := func(connection, page int, to *store.Page) { to.Digest = uint64(connection*1000 + page + 1) }
	if err := d.commit(ctx, s, digest, unchanged); err != nil {
		return 0, 0, err
	}
	if err := best.time("digest", func() error { return d.commit(ctx, s, digest, skipped) }); err != nil {
		return 0, 0, err
	}
	return perRecord, trips, best.time("changed", func() error { return next.commit(ctx, s, nil, some) })
}

// redisRanges reads ranges, and returns how often one of them sends something.
func redisRanges(ctx context.Context, s store.Store, d *dataset, sent *atomic.Int64, best lap) (trips int64, err error) {
	per := len(d.records[0])
	for i := range 100 {
		from, _ := d.records[0][(per-1000)*i/100].Span.Start.Time()
		var page store.RecordPage
		before := sent.Load()
		if err := best.time("range", func() (err error) {
			page, err = s.Records(ctx, store.RecordQuery{User: "user", Connections: []string{connectionName(0)}, From: from, Limit: 1000})
			return err
		}); err != nil {
			return 0, err
		}
		trips = max(trips, sent.Load()-before)
		if len(page.Records) != 1000 {
			return 0, fmt.Errorf("range has %d records", len(page.Records))
		}
		if err := decodeTime(page.Records, best); err != nil {
			return 0, err
		}
	}
	return trips, nil
}

// timeWork is best.time, and keeps the processor time of this process and of the
// server under "work of" the name.
func timeWork(server *redistest.Server, best lap, name string, fn func() error) error {
	used := func() (time.Duration, error) {
		own, err := processorTime()
		theirs, err2 := serverTime(server)
		return own + theirs, errors.Join(err, err2)
	}
	before, err := used()
	if err != nil {
		return err
	}
	if err := best.time(name, fn); err != nil {
		return err
	}
	after, err := used()
	best.keep("work of "+name, after-before)
	return err
}

// serverTime is what a server used of its processors so far.
func serverTime(server *redistest.Server) (time.Duration, error) {
	seconds := 0.0
	for _, field := range []string{"used_cpu_user", "used_cpu_sys"} {
		n, err := serverInfo(server, "cpu", field)
		if err != nil {
			return 0, err
		}
		seconds += n
	}
	return time.Duration(seconds * float64(time.Second)), nil
}

// redisSet has redis-benchmark set values of a size, each with one of so many keys
// at random or all with one if keys is 0. It returns how long that takes, and how
// much processor time of both.
func redisSet(ctx context.Context, server *redistest.Server, n, size, keys int) (took, used time.Duration, err error) {
	host, port, err := net.SplitHostPort(server.Addr())
	if err != nil {
		return 0, 0, err
	}
	args := []string{"-h", host, "-p", port, "-P", "100", "-c", "1", "-t", "set", "-n", strconv.Itoa(n), "-d", strconv.Itoa(size), "--csv"}
	if keys > 0 {
		args = append(args, "-r", strconv.Itoa(keys))
	}
	before, err := serverTime(server)
	if err != nil {
		return 0, 0, err
	}
	cmd := exec.CommandContext(ctx, "redis-benchmark", args...)
	out, err := cmd.Output()
	if err != nil {
		return 0, 0, fmt.Errorf("redis-benchmark, which comes with redis-server: %w", err)
	}
	after, err := serverTime(server)
	if err != nil {
		return 0, 0, err
	}
	used = after - before + cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	lines := csv.NewReader(strings.NewReader(string(out)))
	lines.FieldsPerRecord = -1
	rows, err := lines.ReadAll()
	if err != nil {
		return 0, 0, err
	}
	for _, row := range rows {
		if len(row) > 1 && row[0] == "SET" {
			perSecond, err := strconv.ParseFloat(row[1], 64)
			return time.Duration(float64(n) / perSecond * float64(time.Second)), used, err
		}
	}
	return 0, 0, errors.New("redis-benchmark told no rate")
}

// usedMemory is what the data on a server takes.
func usedMemory(server *redistest.Server) (float64, error) {
	return serverInfo(server, "memory", "used_memory_dataset")
}

// serverInfo returns a number that INFO tells.
func serverInfo(server *redistest.Server, section, field string) (float64, error) {
	info, err := server.Do("INFO", section)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(fmt.Sprint(info)) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), field+":"); ok {
			return strconv.ParseFloat(text, 64)
		}
	}
	return 0, fmt.Errorf("the server tells no %s", field)
}

// redisFencing measures what the fence and the version check of a cursor cost,
// in commits of pages and of single records.
func redisFencing(ctx context.Context, b *bench) error {
	for _, mode := range []syncing{never, always} {
		topic := "Fencing on Redis, " + mode.name
		for _, each := range []struct {
			name                     string
			perBatch, pairs, commits int
		}{{"pages of 1,000 records", 1000, 10, 5}, {"single records", 1, 1, 1000}} {
			took := map[bool][]time.Duration{}
			for round := range b.rounds {
				server, err := startRedis(filepath.Join(b.dir, fmt.Sprint("fence", mode.name, each.perBatch, round)), mode)
				if err != nil {
					return err
				}
				lists := makeMeasurements(2*each.pairs, each.perBatch*each.commits, uint64(round))
				err = redisFenced(ctx, server, lists, each.perBatch, took)
				server.Close()
				if err != nil {
					return err
				}
			}
			rate := func(fenced bool) float64 {
				slices.Sort(took[fenced])
				return 1 / took[fenced][len(took[fenced])/2].Seconds()
			}
			b.Add(Row{Topic: topic, Name: each.name, Unit: "commits/s", Measured: rate(true), Anchor: rate(false),
				Note: "with lease and cursor, against commits without"})
		}
		b.Note(topic, "The lease is watched and compared, and the cursor compared and moved, in the round trips that a commit takes anyway. Without them a\n"+
			"commit still watches the user's scope, so that the records it compared are those that it replaces. Commits of both sorts take turns, those\n"+
			"without with one half of the connections; a rate is that of the median of all.")
	}
	return nil
}

// redisFenced commits records, in turns without and with lease and cursor: of the
// first half of the connections, and of the other.
func redisFenced(ctx context.Context, server *redistest.Server, lists [][]health.Record, perBatch int, took map[bool][]time.Duration) (err error) {
	s, err := openRedis(ctx, server.Addr(), nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	free, fenced := lists[:len(lists)/2], lists[len(lists)/2:]
	for i := range fenced {
		lease, err := s.Acquire(ctx, fenced[i][0].Connection, "sync", time.Hour)
		if err != nil {
			return err
		}
		cursor := store.Cursor{Connection: lease.Connection, Stream: fenced[i][0].Stream(), Lane: store.LaneLive}
		for from := 0; from < len(fenced[i]); from += perBatch {
			with, without := plainBatch(fenced[i][from:from+perBatch]), plainBatch(free[i][from:from+perBatch])
			moved := cursor
			moved.HighWater = fenced[i][from].Key
			with.Unfenced, with.Lease, with.Cursors = false, lease, []store.CursorSwap{{Old: cursor, New: moved}}
			cursor = moved
			for _, batch := range []store.Batch{without, with} {
				start := time.Now()
				r, err := s.Commit(ctx, batch)
				if err == nil {
					err = inserted(r, perBatch)
				}
				if err != nil {
					return err
				}
				took[!batch.Unfenced] = append(took[!batch.Unfenced], time.Since(start))
			}
		}
	}
	return nil
}

// plainBatch is a page of the records of one connection, without lease and cursor.
func plainBatch(page []health.Record) store.Batch {
	return store.Batch{
		User: "user of " + page[0].Connection, Connection: page[0].Connection, Unfenced: true, Now: benchNow, Cause: store.CauseLive,
		Pages: []store.Page{{Stream: page[0].Stream(), Records: page}},
	}
}

// makeMeasurements makes the records of some connections.
func makeMeasurements(connections, each int, seed uint64) [][]health.Record {
	lists := make([][]health.Record, connections)
	for i := range lists {
		g := newGenerator(seed*1000 + uint64(i))
		for k := range each {
			lists[i] = append(lists[i], g.measurement(connectionName(i), k))
		}
	}
	return lists
}

// redisCluster measures a Cluster of three masters against a single node, by
// what a client gets done in a second of its processor time, and how long the
// Cluster needs after the end of a master.
func redisCluster(ctx context.Context, b *bench) error {
	goredis.SetLogger(quiet{}) // about the master that ends
	for _, mode := range []syncing{never, always} {
		best := lap{}
		const people, each = 12, 5000
		for round := range b.rounds {
			if err := clusterRound(ctx, mode, best, people, each, uint64(round)); err != nil {
				return err
			}
		}
		rate := func(name string) float64 { return people * each / best[name].Seconds() / 1000 }
		topic := "Redis Cluster, " + mode.name
		b.Add(Row{Topic: topic, Name: "insert, per core of the client", Unit: "k records/s", Measured: rate("cluster"), Anchor: rate("single"), Floor: 0.75,
			Note: "the anchor is a single node"})
		b.Note(topic, "%d users of %d records, in pages of %d, four at a time. Three masters without replicas. A second is one of the client's processor time.",
			people, each, batchSize)
	}
	recovered := time.Hour
	for range b.rounds {
		took, err := failover(ctx)
		if err != nil {
			return err
		}
		recovered = min(recovered, took)
	}
	const topic = "Redis Cluster, the end of a master"
	b.Add(Row{Topic: topic, Name: "until all users are at full rate again", Unit: "s", Measured: recovered.Seconds(),
		Floor: nodeTimeout.Seconds() + 2, Most: true, Note: "kill -9"})
	b.Note(topic, "Three masters, each with a replica; cluster-node-timeout is %v. Twelve users are written to, a record at a time, each by a goroutine. Full rate\n"+
		"is 80 %% of the commits that a user had in half a second before, and is reached when the slowest user is there.", nodeTimeout)
	return nil
}

// nodeTimeout is when a node of a Cluster of package redistest is taken for dead.
const nodeTimeout = time.Second

type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

func clusterRound(ctx context.Context, mode syncing, best lap, people, each int, seed uint64) error {
	lists := makeMeasurements(people, each, seed)
	run := func(name string, addrs []string) (err error) {
		s, err := redisstore.Open(ctx, redisstore.Options{AllowLossy: true, Redis: goredis.UniversalOptions{Addrs: addrs}})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.Close()) }()
		before, err := processorTime()
		if err != nil {
			return err
		}
		for some := range slices.Chunk(lists, 4) {
			if err := atOnce(some, func(list []health.Record) error { return commitPages(ctx, s, list) }); err != nil {
				return err
			}
		}
		after, err := processorTime()
		best.keep(name, after-before)
		return err
	}
	single, err := redistest.Start(redistest.Config{Args: mode.args})
	if err != nil {
		return err
	}
	defer single.Close()
	if err := run("single", []string{single.Addr()}); err != nil {
		return err
	}
	cluster, err := redistest.StartCluster(redistest.Config{Args: mode.args}, 3, false)
	if err != nil {
		return err
	}
	defer cluster.Close()
	return run("cluster", cluster.Addrs())
}

// commitPages commits the records of a user with one connection in pages.
func commitPages(ctx context.Context, s store.Store, list []health.Record) error {
	for page := range slices.Chunk(list, batchSize) {
		r, err := s.Commit(ctx, plainBatch(page))
		if err == nil {
			err = inserted(r, len(page))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// processorTime is what this process used so far.
func processorTime() (time.Duration, error) {
	var used syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()), err
}

// failover kills a master of a Cluster that is written to, and returns how long
// it takes until all users have the rate that they had.
func failover(ctx context.Context) (took time.Duration, err error) {
	// The replica that takes over has none of its own.
	cluster, err := redistest.StartCluster(redistest.Config{Args: []string{"--min-replicas-to-write", "0"}}, 3, true)
	if err != nil {
		return 0, err
	}
	defer cluster.Close()
	s, err := redisstore.Open(ctx, redisstore.Options{
		Redis: goredis.UniversalOptions{Addrs: cluster.Addrs()}, Patience: time.Minute, AllowLossy: true,
	})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	const people, before, after, window = 12, 3 * time.Second, 10 * time.Second, 500 * time.Millisecond
	writing, stop := context.WithCancel(ctx)
	defer stop()
	moments, errs := make([][]time.Time, people), make([]error, people)
	var all sync.WaitGroup
	for i := range people {
		all.Go(func() { moments[i], errs[i] = writeSingles(writing, s, connectionName(i)) })
	}
	pause(ctx, before)
	killed := time.Now()
	err = cluster.Servers[0].Kill()
	pause(ctx, after)
	stop()
	all.Wait()
	if err = errors.Join(append(errs, err, ctx.Err())...); err != nil {
		return 0, err
	}
	for i := range moments {
		back, err := fullRate(moments[i], killed, window)
		if err != nil {
			return 0, err
		}
		took = max(took, back)
	}
	return took, nil
}

// writeSingles commits single records of a user until the context ends, and
// returns when it was done with each.
func writeSingles(ctx context.Context, s store.Store, user string) (moments []time.Time, err error) {
	done := func(store.Result, int) error {
		moments = append(moments, time.Now())
		return nil
	}
	for n := 0; err == nil; n++ {
		connection := fmt.Sprint(user, "-", n)
		err = commitEach(ctx, s, user, makeSingles(connection, 2000, uint64(n)), done)
	}
	if ctx.Err() != nil {
		err = nil
	}
	return moments, err
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// fullRate returns how long after the moment the first window begins in which
// there is 80 % of what windows before the moment had.
func fullRate(list []time.Time, moment time.Time, window time.Duration) (time.Duration, error) {
	first, _ := slices.BinarySearchFunc(list, moment, time.Time.Compare)
	warm, _ := slices.BinarySearchFunc(list, moment.Add(-2*time.Second), time.Time.Compare)
	want := 0.8 * float64(first-warm) * window.Seconds() / 2
	for i := first; i < len(list); i++ {
		end, _ := slices.BinarySearchFunc(list, list[i].Add(window), time.Time.Compare)
		if float64(end-i) >= want {
			return list[i].Sub(moment), nil
		}
	}
	return 0, fmt.Errorf("%d commits before, and never so many again", first-warm)
}
