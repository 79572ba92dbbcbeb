package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vitalmux/vitalmux/providers"
	sqlitestore "github.com/vitalmux/vitalmux/store/sqlite"
	healthsync "github.com/vitalmux/vitalmux/sync"
	"github.com/vitalmux/vitalmux/terra"
)

const (
	hookTopic  = "terra webhook"
	hookSecret = "9b7e3a51c4d8f2066e1f0a9d8c7b6a5f"
	// hookClients is how many connections deliveries come over at once.
	hookClients = 64
)

// hookDelivery is a delivery, as Terra sends it.
type hookDelivery struct {
	body             []byte
	trace, signature string
}

// sign signs a delivery, which the service does when it sends it.
func (d *hookDelivery) sign() {
	stamp := time.Now().Unix()
	mac := hmac.New(sha256.New, []byte(hookSecret))
	fmt.Fprintf(mac, "%d.", stamp)
	mac.Write(d.body)
	d.signature = fmt.Sprintf("t=%d,v1=%x", stamp, mac.Sum(nil))
}

// hookDeliveries are days of about a size in bytes, none like another.
func hookDeliveries(n, size int) []hookDelivery {
	const head = `{"type":"daily","version":"2022-03-16","user":{"user_id":"%08d-48e5-435c-a835-0df3a4dbab8a","provider":"GARMIN",` +
		`"reference_id":"p","active":true,"scopes":"ACTIVITY_EXPORT","last_webhook_update":null,"created_at":"2026-01-01T00:00:00Z"},` +
		`"data":[{"metadata":{"start_time":"2026-07-01T00:00:00.000000+01:00","end_time":"2026-07-02T00:00:00.000000+01:00","upload_type":1},` +
		`"distance_data":{"steps":11894,"distance_meters":8801.5},"heart_rate_data":{"detailed":{"hr_samples":[`
	const tail = `]}}}]}`
	list := make([]hookDelivery, n)
	for i := range list {
		var b bytes.Buffer
		fmt.Fprintf(&b, head, i)
		for k := 0; b.Len() < size-len(tail)-80; k++ {
			if k > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"timestamp":"2026-07-01T%02d:%02d:%02d.000000+01:00","bpm":%d}`, k/3600%24, k/60%60, k%60, 60+(i+k)%70)
		}
		b.WriteString(tail)
		id := sha256.Sum256(b.Bytes())
		list[i] = hookDelivery{body: b.Bytes(), trace: fmt.Sprintf("%x-%x", id[:4], id[4:16])}
		list[i].sign()
	}
	return list
}

// hookServer serves a handler over HTTP on the loopback interface.
type hookServer struct {
	*http.Server
	address string
	client  *http.Client
}

func serveHook(h http.Handler) (*hookServer, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &hookServer{
		Server: &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}, address: "http://" + listener.Addr().String(),
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: hookClients, MaxConnsPerHost: hookClients}},
	}
	go func() { _ = s.Serve(listener) }()
	return s, nil
}

// send makes one request until it is accepted; without a delivery it is a GET.
// A receiver whose disk takes too long asks for the delivery again: that costs it
// the time of both.
func (s *hookServer) send(path string, d *hookDelivery) error {
	const tries = 10
	for try := 1; ; try++ {
		status, err := s.sendOnce(path, d)
		switch {
		case err != nil:
			return err
		case status == http.StatusOK:
			return nil
		case status != http.StatusServiceUnavailable || try == tries:
			return fmt.Errorf("answer %d", status)
		}
	}
}

func (s *hookServer) sendOnce(path string, d *hookDelivery) (int, error) {
	method, body := http.MethodGet, io.Reader(nil)
	if d != nil {
		method, body = http.MethodPost, bytes.NewReader(d.body)
	}
	r, err := http.NewRequest(method, s.address+path, body)
	if err != nil {
		return 0, err
	}
	if d != nil {
		r.Header.Set(terra.SignatureHeader, d.signature)
		r.Header.Set(terra.TraceHeader, d.trace)
	}
	resp, err := s.client.Do(r)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, errors.Join(err, resp.Body.Close())
}

// sendAll sends n requests over all connections and returns how long that took.
func (s *hookServer) sendAll(path string, n int, of func(i int) *hookDelivery) (time.Duration, error) {
	var (
		next    atomic.Int64
		working sync.WaitGroup
		failed  atomic.Pointer[error]
	)
	began := time.Now()
	for range hookClients {
		working.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := s.send(path, of(i)); err != nil {
					failed.Store(&err)
					return
				}
			}
		})
	}
	working.Wait()
	took := time.Since(began)
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return took, nil
}

// hookEngine is an engine on a fresh file.
func hookEngine(ctx context.Context, path string, hooks healthsync.Hooks) (*sqlitestore.Store, *healthsync.Engine, error) {
	file, err := sqlitestore.Open(ctx, path, nil) // synchronous=FULL
	if err != nil {
		return nil, nil, err
	}
	adapter, err := terra.NewProvider(terra.ProviderConfig{
		Config:         terra.Config{DevID: "dev", APIKey: providers.NewSecret("key")},
		SigningSecrets: []providers.Secret{providers.NewSecret(hookSecret)},
	})
	if err != nil {
		return nil, nil, err
	}
	ring, err := healthsync.NewKeyring(healthsync.Key{ID: "k1", Secret: bytes.Repeat([]byte{7, 9}, 16)})
	if err != nil {
		return nil, nil, err
	}
	engine, err := healthsync.New(healthsync.Config{
		Providers: []providers.Provider{adapter}, Store: file, Sealer: ring, PeopleEvery: -1, Hooks: hooks,
	})
	return file, engine, err
}

const hookPath = "/webhooks/terra"

// webhooks measures the receiver: a delivery is read, verified, stored durably
// and answered.
func webhooks(ctx context.Context, b *bench) error {
	// A service keeps little else in memory than what it receives.
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	bare := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	read := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		stamp, want, _ := strings.Cut(r.Header.Get(terra.SignatureHeader), ",v1=")
		mac := hmac.New(sha256.New, []byte(hookSecret))
		mac.Write([]byte(strings.TrimPrefix(stamp, "t=") + "."))
		mac.Write(body)
		if err != nil || fmt.Sprintf("%x", mac.Sum(nil)) != want {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.WriteHeader(http.StatusOK)
	})
	for _, c := range []struct {
		name    string
		size, n int
		anchor  http.Handler
		get     bool
		floor   float64
	}{
		{"1 KB deliveries verified, stored (FULL) and answered, against a bare GET handler", 1000, 12_000, bare, true, 0.33},
		{"100 KB deliveries, against reading the body and its HMAC alone", 100_000, 400, read, false, 0.15},
	} {
		ours, anchor := &hookCost{}, &hookCost{}
		for round := range b.rounds {
			path := filepath.Join(b.dir, fmt.Sprintf("hook-%d-%d.db", c.size, round))
			if err := hookRound(ctx, path, c.anchor, c.get, c.size, c.n, ours, anchor); err != nil {
				return err
			}
		}
		b.Add(Row{Topic: hookTopic, Name: c.name, Unit: "1/s", Measured: 1 / ours.took.Seconds(), Anchor: 1 / anchor.took.Seconds(), Floor: c.floor})
		b.Add(Row{
			Topic: hookTopic, Name: "the same, processor time of clients and server", Unit: "µs",
			Measured: float64(ours.used.Nanoseconds()) / 1000, Anchor: float64(anchor.used.Nanoseconds()) / 1000,
		})
	}
	p50, p99, err := hookLatency(ctx, b)
	if err != nil {
		return err
	}
	b.Add(Row{Topic: hookTopic, Name: "20 kB deliveries, 200 a second, workers blocked: p99 of the answer", Unit: "ms", Measured: p99, Floor: 500, Most: true})
	b.Add(Row{Topic: hookTopic, Name: "the same, p50", Unit: "ms", Measured: p50})
	b.Note(hookTopic, "%d connections over loopback; clients and server share the machine, on both sides of each ratio, and the clients are net/http's on "+
		"both. Deliveries are all different. In each round a first slice does not count: connections are opened, and the log of the file gets "+
		"the length that it keeps. Processor time depends less on what else the machine does.", hookClients)
	return nil
}

// hookSlices is in how many turns the receiver and its anchor take a round, so
// that what else the machine does meets both.
const hookSlices = 4

// hookCost is what a request costs, in the best round.
type hookCost struct{ took, used time.Duration }

// hookRound sends n deliveries to a receiver with a fresh file and as many
// requests to the anchor, after a slice that does not count, and notes what one
// of each costs where that is the least so far.
func hookRound(ctx context.Context, path string, anchor http.Handler, get bool, size, n int, ours, anchors *hookCost) error {
	all := hookDeliveries(n+n/hookSlices, size)
	file, engine, err := hookEngine(ctx, path, healthsync.Hooks{})
	if err != nil {
		return err
	}
	costs := map[bool]*hookCost{true: {}, false: {}}
	servers := map[bool]*hookServer{}
	for isAnchor, handler := range map[bool]http.Handler{true: anchor, false: engine.Handler()} {
		if servers[isAnchor], err = serveHook(handler); err != nil {
			return err
		}
	}
	for i := range 1 + hookSlices {
		slice := all[i*n/hookSlices : (i+1)*n/hookSlices]
		for k := range slice {
			slice[k].sign()
		}
		for _, isAnchor := range []bool{true, false} {
			of := func(k int) *hookDelivery { return &slice[k] }
			if isAnchor && get {
				of = func(int) *hookDelivery { return nil }
			}
			runtime.GC()
			before, err := processorTime()
			if err != nil {
				return err
			}
			took, err := servers[isAnchor].sendAll(hookPath, len(slice), of)
			if err != nil {
				return err
			}
			after, err := processorTime()
			if err != nil {
				return err
			}
			if i > 0 {
				costs[isAnchor].took += took
				costs[isAnchor].used += after - before
			}
		}
	}
	for isAnchor, least := range map[bool]*hookCost{true: anchors, false: ours} {
		took, used := costs[isAnchor].took/time.Duration(n), costs[isAnchor].used/time.Duration(n)
		if least.took == 0 || took < least.took {
			least.took = took
		}
		if least.used == 0 || used < least.used {
			least.used = used
		}
	}
	for _, s := range servers {
		s.client.CloseIdleConnections()
		err = errors.Join(err, s.Close())
	}
	return errors.Join(err, file.Close())
}

// hookLatency sends at a fixed rate, however long answers take, while the worker
// of the inbox is blocked.
func hookLatency(ctx context.Context, b *bench) (p50, p99 float64, err error) {
	const perSecond, seconds = 200, 10
	release := make(chan struct{})
	file, engine, err := hookEngine(ctx, filepath.Join(b.dir, "hook-latency.db"), healthsync.Hooks{
		Delivered: func(context.Context, healthsync.DeliveryEvent) { <-release },
	})
	if err != nil {
		return 0, 0, err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- engine.Run(running) }()
	s, err := serveHook(engine.Handler())
	if err != nil {
		stop()
		return 0, 0, err
	}
	all := hookDeliveries(perSecond*seconds, 20_000)
	took := make([]time.Duration, len(all))
	failures := make([]error, len(all))
	var sending sync.WaitGroup
	tick := time.NewTicker(time.Second / perSecond)
	for i := range all {
		due := <-tick.C
		sending.Go(func() {
			failures[i] = s.send(hookPath, &all[i])
			took[i] = time.Since(due)
		})
	}
	sending.Wait()
	tick.Stop()
	close(release)
	stop()
	s.client.CloseIdleConnections()
	err = errors.Join(errors.Join(failures...), <-ended, s.Close(), file.Close())
	slices.Sort(took)
	milli := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return milli(took[len(took)/2]), milli(took[len(took)*99/100]), err
}
