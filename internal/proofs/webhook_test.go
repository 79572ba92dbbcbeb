package proofs

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/failpoint/failpointtest"
	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/internal/provsim"
	"github.com/vitalmux/vitalmux/store"
)

// receiver is where deliveries go: a child, whichever it is at the moment.
type receiver struct{ address atomic.Pointer[string] }

func (r *receiver) url() string {
	address := r.address.Load()
	if address == nil {
		return ""
	}
	return "http://" + *address + "/webhooks/" + provsim.Name
}

// listen starts a child that takes deliveries.
func (w *world) listen(r *receiver, failpoint string) *failpointtest.Process {
	p := w.start("run", failpoint, 0, func(j *job) { j.Listen = true })
	address := p.WaitFor("ready")
	r.address.Store(&address)
	return p
}

// TestAcknowledged kills processes that take deliveries and work on them.
// What was acknowledged takes effect, once.
func TestAcknowledged(t *testing.T) {
	t.Parallel()
	acknowledged(t, onSQLite, proof.N(20, 1000), proof.N(60, 200))
}

// TestAcknowledgedOnRedis does it over Redis.
func TestAcknowledgedOnRedis(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	acknowledged(t, onRedis, proof.N(10, 300), proof.N(40, 200))
}

func acknowledged(t *testing.T, on backend, kills, perSecond int) {
	counts := proof.Counts{"kills": kills, "deliveries a second": perSecond, "deliveries": 0}
	proof.Row(t, "W1", counts)
	seed := proof.Seed(t)
	random := rand.New(rand.NewPCG(seed, 0))
	w := newWorld(t, worldConfig{
		on:      on,
		service: provsim.Config{Users: 6, Days: -1, Seed: seed, DeliveryTimeout: 3 * time.Second},
		scopes:  []string{provsim.StreamEvents},
	})
	var to receiver
	sending, stop := context.WithCancel(t.Context())
	sent := &sender{w: w, to: &to, acked: make(map[string]bool)}
	var senders sync.WaitGroup
	defer senders.Wait()
	defer stop()
	const senderCount = 8
	for k := range senderCount {
		pause := time.Second * senderCount / time.Duration(perSecond)
		senders.Go(func() { sent.run(sending, rand.New(rand.NewPCG(seed, uint64(1+k))), k, pause) })
	}
	named := []string{
		"inbox_before_put", "inbox_after_put", "inbox_after_ack", "inbox_before_assign", "inbox_after_assign",
		"item_before_effect", "item_after_effect",
	}
	for i := range kills {
		failpoint := ""
		if i%2 == 0 {
			failpoint = fmt.Sprintf("%s=kill@%d", named[i/2%len(named)], 1+random.IntN(20))
		}
		p := w.listen(&to, failpoint)
		// If the place is not come by, any moment does.
		latest := time.Duration(1500) * time.Millisecond
		if failpoint == "" {
			latest = time.Duration(50+random.IntN(1000)) * time.Millisecond
		}
		timer := time.AfterFunc(latest, p.Kill)
		w.killed(p)
		timer.Stop()
	}
	last := w.listen(&to, "")
	stop()
	senders.Wait()
	w.eventually(time.Duration(proof.N(1, 60))*time.Minute, "the inbox is empty", func() bool { return w.drained() })
	last.Signal(syscall.SIGTERM)
	w.ended(last)

	counts["deliveries"] = len(sent.acked)
	require.NotEmpty(t, sent.acked)
	announced := w.announced()
	got := make(map[string]bool)
	for _, user := range w.service.Users() {
		for r, err := range store.AllRecords(t.Context(), w.store, store.RecordQuery{User: "person " + user}) {
			require.NoError(t, err)
			got[r.Key] = true
			require.Equal(t, 1, announced["person "+user+" "+r.Key], "changes of %s", r.Key)
			require.Contains(t, sent.acked, r.Key, "nobody sent it")
		}
	}
	lost := 0
	for key, acked := range sent.acked {
		if acked && !got[key] {
			lost++
		}
	}
	require.Zero(t, lost, "acknowledged deliveries without effect, of %d", len(sent.acked))
}

// drained reports whether nothing waits for work. A dead letter would.
func (w *world) drained() bool {
	deliveries, err := w.store.Deliveries(w.t.Context(), store.DeliveryQuery{Limit: 1})
	require.NoError(w.t, err)
	if len(deliveries) > 0 {
		return false
	}
	for _, user := range w.service.Users() {
		items, err := w.store.InboxItems(w.t.Context(), store.InboxQuery{User: "person " + user, Limit: 1})
		require.NoError(w.t, err)
		if len(items) > 0 {
			return false
		}
	}
	return true
}

// sender sends deliveries as a service does: each until it is acknowledged.
type sender struct {
	w  *world
	to *receiver

	mu sync.Mutex
	// acked tells of each record that was sent whether its delivery was
	// acknowledged.
	acked map[string]bool
}

// run sends one delivery after the other. When ctx ends, the one under way may
// or may not have arrived.
func (s *sender) run(ctx context.Context, random *rand.Rand, number int, pause time.Duration) {
	users := s.w.service.Users()
	client := &http.Client{Transport: &http.Transport{}, Timeout: 3 * time.Second}
	defer client.CloseIdleConnections()
	base := time.Now().Add(-time.Hour).Truncate(time.Second)
	for i := 0; ctx.Err() == nil; i++ {
		user := users[random.IntN(len(users))]
		at := base.Add(time.Duration(i) * time.Second)
		row := provsim.Row{
			ID: fmt.Sprintf("w%d-%d", number, i), At: at.UnixMilli(), Modified: at.UnixMilli(), Version: 1, Value: 60_000 + int64(i%1000),
		}
		body := s.w.service.Compose(provsim.Event{
			Type: provsim.TypeData, User: user, Data: map[string][]provsim.Row{provsim.StreamEvents: {row}},
		})
		key := provsim.StreamEvents + "/" + row.ID
		s.note(key, false)
		stamp := time.Now()
		for ctx.Err() == nil {
			if status := post(ctx, client, s.to.url(), body, s.w.service.Header(body, stamp)); status >= 200 && status < 300 {
				s.note(key, true)
				break
			}
			wait(ctx, 20*time.Millisecond)
		}
		wait(ctx, pause)
	}
}

func (s *sender) note(key string, acked bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acked[key] = acked
}

// wait waits, but not longer than ctx.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// post returns the status of the answer, 0 for none.
func post(ctx context.Context, client *http.Client, address string, body []byte, header http.Header) int {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(string(body)))
	if err != nil {
		return 0
	}
	request.Header = header
	answer, err := client.Do(request)
	if err != nil {
		return 0
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}

// TestAcknowledgedInTime measures how long deliveries wait for their answer
// while all workers are busy: none waits for a worker. How long the answer
// takes, and how many are refused because it would take too long, is a fact
// about the machine as much as about the engine, so the bars hold at full
// counts, where nothing else runs; elsewhere fewer deliveries come and the
// figures are only recorded.
func TestAcknowledgedInTime(t *testing.T) { acknowledgedInTime(t, onSQLite, proof.N(5, 60)) }

// TestAcknowledgedInTimeOnRedis does it over Redis.
func TestAcknowledgedInTimeOnRedis(t *testing.T) {
	if short(t) {
		return
	}
	acknowledgedInTime(t, onRedis, proof.N(1, 60))
}

func acknowledgedInTime(t *testing.T, on backend, seconds int) {
	const size = 20 << 10
	perSecond := proof.N(40, 200)
	counts := proof.Counts{"seconds": seconds, "deliveries a second": perSecond, "bytes": size}
	proof.Row(t, "W3", counts)
	w := newWorld(t, worldConfig{
		on:      on,
		service: provsim.Config{Users: 4, Days: 1, Seed: proof.Seed(t)}, scopes: []string{provsim.StreamEvents},
	})
	// Whoever reads data waits for longer than the test takes, and so does
	// every worker after a moment.
	blocked := 0
	w.service.Inject(provsim.Fault{On: "data", Count: 1 << 30, Before: 10 * time.Minute})
	var to receiver
	p := w.listen(&to, "")
	w.eventually(2*time.Minute, "all workers are busy", func() bool {
		blocked = 0
		for _, conn := range w.conns {
			lease, err := w.store.Acquire(t.Context(), conn.ID, "sync", time.Second)
			if err == nil {
				require.NoError(t, w.store.Release(t.Context(), lease))
			} else {
				require.ErrorIs(t, err, store.ErrLeaseHeld)
				blocked++
			}
		}
		return blocked == len(w.conns)
	})

	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}, Timeout: time.Minute}
	defer client.CloseIdleConnections()
	total := seconds * perSecond
	took, status := make([]time.Duration, total), make([]int, total)
	var sending sync.WaitGroup
	ticks := time.NewTicker(time.Second / time.Duration(perSecond))
	defer ticks.Stop()
	for i := range total {
		user := fmt.Sprintf("u%d", 1+i%len(w.conns))
		body := delivery(w, user, i, size)
		header := w.service.Header(body, time.Now())
		<-ticks.C
		sending.Go(func() {
			began := time.Now()
			status[i] = post(t.Context(), client, to.url(), body, header)
			took[i] = time.Since(began)
		})
	}
	sending.Wait()
	var accepted []time.Duration
	busy := 0
	for i, code := range status {
		require.Contains(t, []int{http.StatusOK, http.StatusServiceUnavailable}, code, "delivery %d after %v", i, took[i])
		if code == http.StatusOK {
			accepted = append(accepted, took[i])
		} else {
			busy++
		}
	}
	slices.Sort(accepted)
	require.NotEmpty(t, accepted)
	p50, p99, most := accepted[len(accepted)/2], accepted[len(accepted)*99/100], accepted[len(accepted)-1]
	t.Logf("%d acknowledged, %d refused with 503; p50 %v, p99 %v, longest %v", len(accepted), busy, p50, p99, most)
	counts["p99 in ms"], counts["longest in ms"], counts["refused with 503"] = int(p99.Milliseconds()), int(most.Milliseconds()), busy
	if proof.Full() {
		require.Less(t, busy, total/2, "refused")
		require.LessOrEqual(t, p99, 500*time.Millisecond)
		require.LessOrEqual(t, most, 1500*time.Millisecond)
	}
	p.Kill()
	w.killed(p)
	w.service.ClearFaults()
	w.server.CloseClientConnections()
}

// delivery is a delivery of about the size.
func delivery(w *world, user string, number, size int) []byte {
	at := time.Now().Add(-time.Hour).Truncate(time.Second)
	rows := make([]provsim.Row, size/100)
	for i := range rows {
		rows[i] = provsim.Row{
			ID: fmt.Sprintf("event-number-%08d-of-delivery-%08d", i, number), At: at.UnixMilli(), Modified: at.UnixMilli() + int64(i), Version: 1, Value: 60_000,
		}
	}
	return w.service.Compose(provsim.Event{Type: provsim.TypeData, User: user, Data: map[string][]provsim.Row{provsim.StreamEvents: rows}})
}
