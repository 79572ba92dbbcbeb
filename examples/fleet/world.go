package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers/withings/withingstest"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// world is the simulated service and its people.
type world struct {
	sim      *withingstest.Server
	address  string
	key      []byte
	requests atomic.Int64
	server   *http.Server
	served   chan error
}

func newWorld(o options) (*world, error) {
	now := time.Now().UTC().Truncate(time.Second)
	w := &world{key: make([]byte, 32), served: make(chan error, 1)}
	_, _ = rand.Read(w.key)
	// Its clock stands still, so that its data does too. Of today there may be
	// nothing yet, so there is a second day within the day.
	w.sim = withingstest.New(withingstest.Config{
		Seed: o.seed, Now: func() time.Time { return now }, Days: o.days, IntradayDays: 2, RateLimit: -1, IdenticalCallWindow: -1,
	})
	for range o.people {
		w.sim.AddUser(withingstest.UserConfig{Timezone: "Europe/Berlin"})
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w.address = "http://" + listener.Addr().String()
	counted := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.requests.Add(1)
		w.sim.ServeHTTP(rw, r)
	})
	w.server = &http.Server{Handler: counted, ReadHeaderTimeout: 10 * time.Second}
	go func() { w.served <- w.server.Serve(listener) }()
	return w, nil
}

func (w *world) close() error {
	err := w.server.Close()
	if e := <-w.served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}

func name(u withingstest.User) string { return fmt.Sprintf("person-%d", u.ID) }

// connect has everybody consent, some at once, and prints how many have.
func (w *world) connect(ctx context.Context, engine *healthsync.Engine, out io.Writer) error {
	all, connected := w.sim.Users(), 0
	for some := range slices.Chunk(all, 250) {
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(8)
		for _, u := range some {
			group.Go(func() error { return w.connectOne(ctx, engine, u) })
		}
		if err := group.Wait(); err != nil {
			return err
		}
		connected += len(some)
		fmt.Fprintf(out, "  %4d of %d are connected\n", connected, len(all))
	}
	return nil
}

func (w *world) connectOne(ctx context.Context, engine *healthsync.Engine, u withingstest.User) error {
	address, err := engine.Connect(ctx, healthsync.ConnectRequest{
		User: name(u), Provider: "withings", RedirectURL: withingstest.DefaultRedirectURL,
	})
	if err != nil {
		return err
	}
	back, err := w.sim.Authorize(u.ID, address)
	if err != nil {
		return err
	}
	if _, err = engine.Complete(ctx, back.Query()); err != nil {
		return fmt.Errorf("connect %s: %w", name(u), err)
	}
	return nil
}

// total counts what was compared.
type total struct{ records, samples int }

// compare compares the store with the simulator: what is missing, what is there
// twice, and what nobody has heard of is an error.
func (w *world) compare(ctx context.Context, db store.Store) (all total, err error) {
	for _, u := range w.sim.Users() {
		want, got := w.truth(u), make(map[string]int)
		for r, err := range store.AllRecords(ctx, db, store.RecordQuery{User: name(u), Deleted: true}) {
			if err != nil {
				return all, err
			}
			all.records++
			switch stream := r.Stream(); {
			case r.State != health.StateLive:
				got[r.Key+" deleted"]++
			case byID(stream):
				got[r.Key]++
			default:
				got[stream]++
			}
		}
		for q := (store.SampleQuery{User: name(u), Metric: health.MetricSteps}); ; {
			page, err := db.Samples(ctx, q)
			if err != nil {
				return all, err
			}
			for _, run := range page.Runs {
				all.samples += run.Series.Len()
				got["samples of steps"] += run.Series.Len()
			}
			if q.After = page.Next; q.After == "" {
				break
			}
		}
		for key, n := range want {
			if got[key] != n {
				return all, fmt.Errorf("%s: %s: the simulator has %d, the store %d", name(u), key, n, got[key])
			}
		}
		for key, n := range got {
			if _, known := want[key]; !known && !unlisted(key) {
				return all, fmt.Errorf("%s: %s: the simulator has none, the store %d", name(u), key, n)
			}
		}
	}
	return all, nil
}

// byID reports whether the keys of a stream's records hold the ids that the
// simulator knows them by.
func byID(stream string) bool {
	return stream == "measures" || stream == "sleep_summary" || stream == "workouts"
}

// unlisted reports whether the simulator keeps no list of a stream's data.
func unlisted(key string) bool {
	stream, _, _ := strings.Cut(key, "/")
	return stream == "goals" || stream == "intraday" || stream == "sleep"
}

// truth returns what the simulator holds of a person.
func (w *world) truth(u withingstest.User) map[string]int {
	truth, want := w.sim.Truth(u.ID), make(map[string]int)
	for _, g := range truth.Measures {
		want[fmt.Sprintf("measures/%d", g.ID)]++
	}
	for _, n := range truth.Nights {
		want[fmt.Sprintf("sleep_summary/%d", n.ID)]++
	}
	for _, a := range truth.Workouts {
		want[fmt.Sprintf("workouts/%d", a.ID)]++
	}
	want["activity"], want["heart"], want["devices"] = len(truth.Activities), len(truth.Hearts), len(truth.Devices)
	for _, p := range truth.Intraday {
		if _, ok := p.Data["steps"]; ok {
			want["samples of steps"]++
		}
	}
	return want
}
