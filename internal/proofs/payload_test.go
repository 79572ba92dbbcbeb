package proofs

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/failpoint/failpointtest"
	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/internal/provsim"
	"github.com/vitalmux/vitalmux/store"
)

// pointer is a delivery that points to its content.
type pointer struct {
	user, link string
	// key is the record that the provider has, or the delivery points to.
	key     string
	expired bool
	at      time.Time
}

// enqueue stores a delivery as an engine does that takes it and works on none.
func (w *world) enqueue(body []byte) {
	for {
		r := httptest.NewRequest(http.MethodPost, "/webhooks/"+provsim.Name, bytes.NewReader(body))
		r.Header = w.service.Header(body, time.Now())
		answer := httptest.NewRecorder()
		w.engine.Handler().ServeHTTP(answer, r)
		if answer.Code != http.StatusServiceUnavailable { // then a service sends it again
			require.Equal(w.t, http.StatusOK, answer.Code)
			return
		}
	}
}

// TestPayloadLinks has a long inbox and deliveries that only point to their
// content, some of them to where it is no more, and kills the process that
// works on them. How soon they are fetched is a fact about the machine as much
// as about the engine, so the bar holds at full counts, where nothing else runs.
func TestPayloadLinks(t *testing.T) {
	t.Parallel()
	payloadLinks(t, onSQLite, proof.N(300, 10_000), proof.N(40, 1000))
}

// TestPayloadLinksOnRedis does it over Redis.
func TestPayloadLinksOnRedis(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	payloadLinks(t, onRedis, proof.N(100, 10_000), proof.N(20, 1000))
}

func payloadLinks(t *testing.T, on backend, backlog, payloads int) {
	counts := proof.Counts{"backlog": backlog, "payloads": payloads, "expired": 0, "kills": 1}
	proof.Row(t, "W12", counts)
	seed := proof.Seed(t)
	random := rand.New(rand.NewPCG(seed, 0))
	w := newWorld(t, worldConfig{
		on:      on,
		service: provsim.Config{Users: 4, Days: -1, Seed: seed, LinkLife: 600 * time.Second},
		scopes:  []string{provsim.StreamEvents},
	})
	users := w.service.Users()
	now := time.Now().Truncate(time.Second)
	weight := func(id string, at time.Time, grams int64) provsim.Row {
		return provsim.Row{ID: id, At: at.UnixMilli(), Modified: at.UnixMilli(), Version: 1, Value: grams}
	}
	event := func(user string, row provsim.Row) provsim.Event {
		return provsim.Event{Type: provsim.TypeData, User: user, Data: map[string][]provsim.Row{provsim.StreamEvents: {row}}}
	}
	// What an expired address led to is long ago: nothing but a reading of its
	// window brings it.
	var pointers []*pointer
	for i := range payloads {
		p := &pointer{user: users[random.IntN(len(users))], expired: random.IntN(4) == 0}
		at := now.Add(-time.Duration(100+i) * 24 * time.Hour)
		if p.expired {
			counts["expired"]++
			row, err := w.service.Put(p.user, provsim.StreamEvents, provsim.Row{At: at.UnixMilli(), Value: 60_000 + int64(i)})
			require.NoError(t, err)
			p.key = provsim.StreamEvents + "/" + row.ID
		} else {
			p.key = fmt.Sprintf("%s/p%d", provsim.StreamEvents, i)
		}
		pointers = append(pointers, p)
	}
	for _, got := range w.outcomes(w.start("settle", "", 0, nil)) {
		require.Equal(t, "ok", got[0].word)
	}
	var putting sync.WaitGroup
	for k := range 8 {
		putting.Go(func() {
			for i := k; i < backlog; i += 8 {
				at := now.Add(-time.Duration(i) * time.Second)
				w.enqueue(w.service.Compose(event(users[i%len(users)], weight(fmt.Sprintf("b%d", i), at, 50_000))))
			}
		})
	}
	putting.Wait()
	point := func(i int) {
		p := pointers[i]
		at, life := now.Add(-time.Duration(100+i)*24*time.Hour), time.Duration(0)
		row := weight(fmt.Sprintf("p%d", i), at, 60_000+int64(i))
		if p.expired {
			life = -time.Second
		}
		var e provsim.Event
		e, p.link = w.service.Point(w.server.URL, p.user, life, event(p.user, row))
		e.Streams = []string{provsim.StreamEvents}
		e.From, e.To = at.Add(-time.Hour).UnixMilli(), at.Add(time.Hour).UnixMilli()
		p.at = time.Now()
		w.enqueue(w.service.Compose(e))
	}
	for i := range payloads / 2 {
		point(i)
	}
	first := w.start("run", "", 0, nil)
	first.WaitFor("ready")
	began := time.Now()
	w.eventually(time.Minute, "some are fetched", func() bool { return len(w.service.Fetches()) > payloads/8 })
	first.Kill()
	w.killed(first)
	for i := payloads / 2; i < payloads; i++ {
		point(i)
	}
	last := w.start("run", "", 0, nil)
	last.WaitFor("ready")
	w.eventually(time.Duration(proof.N(2, 20))*time.Minute, "the inbox is empty", func() bool { return w.drained() })
	last.Signal(syscall.SIGTERM)
	w.ended(last)

	fetched := make(map[string]time.Time)
	for _, f := range w.service.Fetches() {
		if _, ok := fetched[f.ID]; !ok {
			fetched[f.ID] = f.At
		}
	}
	var took []time.Duration
	announced := w.announced()
	for _, p := range pointers {
		require.Contains(t, fetched, p.link)
		if p.at.Before(began) {
			p.at = began // nobody was there before
		}
		took = append(took, fetched[p.link].Sub(p.at))
		require.Equal(t, 1, announced["person "+p.user+" "+p.key], "%s (expired: %v)", p.key, p.expired)
	}
	for i := range backlog {
		key := fmt.Sprintf("person %s %s/b%d", users[i%len(users)], provsim.StreamEvents, i)
		require.Equal(t, 1, announced[key], key)
	}
	slices.Sort(took)
	p99 := took[len(took)*99/100]
	t.Logf("fetched after p50 %v, p99 %v, longest %v", took[len(took)/2], p99, took[len(took)-1])
	counts["p99 in ms"] = int(p99.Milliseconds())
	if proof.Full() {
		require.LessOrEqual(t, p99, 30*time.Second)
	}
}

// TestLargeRequest asks for a year, which the service sends by deliveries, in
// disorder and some twice, to processes that are killed. It ends complete, and
// nothing is there twice.
func TestLargeRequest(t *testing.T) {
	t.Parallel()
	largeRequest(t, onSQLite, proof.N(6, 200), proof.N(180, 3650))
}

// TestLargeRequestOnRedis does it over Redis.
func TestLargeRequestOnRedis(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	largeRequest(t, onRedis, proof.N(4, 200), proof.N(120, 3650))
}

func largeRequest(t *testing.T, on backend, kills, rows int) {
	counts := proof.Counts{"kills of a large request": kills, "rows": rows}
	proof.Row(t, "W1", counts)
	seed := proof.Seed(t)
	random := rand.New(rand.NewPCG(seed, 0))
	var to receiver
	client := &http.Client{Transport: &http.Transport{}, Timeout: 3 * time.Second}
	t.Cleanup(client.CloseIdleConnections)
	// Deliveries go to where a child is at the moment.
	front := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		header := http.Header{provsim.SignatureHeader: r.Header[provsim.SignatureHeader]}
		status := post(r.Context(), client, to.url(), body, header)
		if status == 0 {
			status = http.StatusBadGateway
		}
		answer.WriteHeader(status)
	}))
	t.Cleanup(front.Close)
	w := newWorld(t, worldConfig{
		on: on,
		service: provsim.Config{
			Users: 1, Days: -1, Seed: seed, LargeAfter: 28 * 24 * time.Hour, ChunkRows: 5, Disorder: true,
			WebhookURL: front.URL, RetryAfter: 20 * time.Millisecond, Attempts: 1 << 20, DeliveryTimeout: 5 * time.Second,
		},
		scopes: []string{provsim.StreamEvents},
	})
	now, year := time.Now().Truncate(time.Second), 365*24*time.Hour
	for i := range rows {
		// The newest are behind the look-back: only the backfill brings them.
		at := now.Add(-5*24*time.Hour - time.Duration(i)*((year-6*24*time.Hour)/time.Duration(rows)))
		_, err := w.service.Put("u1", provsim.StreamEvents, provsim.Row{At: at.UnixMilli(), Value: 60_000 + int64(i)})
		require.NoError(t, err)
	}
	conn := w.conns["u1"]
	require.NoError(t, w.store.SetDue(t.Context(), store.Due{Connection: conn.ID, Task: "backfill", At: now}))
	sending, stop := context.WithCancel(t.Context())
	var service sync.WaitGroup
	defer service.Wait()
	defer stop()
	service.Go(func() { _ = w.service.Run(sending) })

	start := func(failpoint string) *failpointtest.Process {
		p := w.start("run", failpoint, 0, func(j *job) { j.Listen, j.History = true, year })
		address := p.WaitFor("ready")
		to.address.Store(&address)
		return p
	}
	complete := func() bool {
		cur, err := w.store.Cursor(t.Context(), conn.ID, provsim.StreamEvents, store.LaneBackfill)
		require.NoError(t, err)
		if cur.Walk != nil || cur.HighWater == "" {
			return false
		}
		windows, err := w.store.Coverage(t.Context(), conn.ID, provsim.StreamEvents)
		require.NoError(t, err)
		at := now.AddDate(0, -6, 0)
		return slices.ContainsFunc(windows, func(c health.Window) bool { return !at.Before(c.From) && at.Before(c.To) })
	}
	named := []string{"page_fetched", "page_committed", "inbox_after_put", "inbox_after_ack", "inbox_after_assign", "item_before_effect", "item_after_effect"}
	early := 0
	for i := range kills {
		point := fmt.Sprintf("%s=kill@%d", named[i%len(named)], 1+random.IntN(4))
		if i == 0 {
			point = "page_committed=kill@1" // whatever the machine does, before the end
		}
		p := start(point)
		timer := time.AfterFunc(3*time.Second, p.Kill)
		w.killed(p)
		timer.Stop()
		if !complete() {
			early++
		}
	}
	last := start("")
	w.eventually(time.Duration(proof.N(2, 10))*time.Minute, "the year is complete", func() bool {
		return complete() && w.service.Pending() == 0 && w.drained()
	})
	stop()
	last.Signal(syscall.SIGTERM)
	w.ended(last)
	require.Positive(t, early, "no kill came before the end")
	requests := len(w.service.Requests())
	counts["requests"] = requests
	require.LessOrEqual(t, requests, 1+kills, "asked again only by a process that could not know of the answer")
	w.compare("u1")
}
