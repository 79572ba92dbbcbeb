package asynq_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/withings/withingstest"
	"github.com/vitalmux/vitalmux/store"
	"github.com/vitalmux/vitalmux/store/redis/redistest"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// short leaves out what needs real servers.
func short(t *testing.T) bool {
	if testing.Short() {
		t.Log("left out by -short: it needs redis-server")
	}
	return testing.Short()
}

// world is a simulated service with its people, all connected, in a store on a
// real Redis, and the workers.
type world struct {
	t      *testing.T
	job    job
	sim    *withingstest.Server
	engine *healthsync.Engine // only for consents
	store  store.Store
	users  []string

	mu      sync.Mutex
	asked   map[string]int // requests by worker
	workers map[string]*exec.Cmd
}

func newWorld(t *testing.T, people int, sim withingstest.Config, j job) *world {
	server, err := redistest.Start(redistest.Config{})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	w := &world{t: t, job: j, asked: make(map[string]int), workers: make(map[string]*exec.Cmd)}
	// A consent takes two requests. The clock goes on by a minute for so many of
	// them that no limit is in the way before the test begins.
	var ahead atomic.Int64
	now := sim.Now
	if now == nil {
		now = time.Now
	}
	sim.Now = func() time.Time { return now().Add(time.Duration(ahead.Load())) }
	sim.Seed, sim.IdenticalCallWindow, sim.AccessTokenLife = proof.Seed(t), -1, 1000*time.Hour
	w.sim = withingstest.New(sim)
	for range people {
		w.sim.AddUser(withingstest.UserConfig{Timezone: "Europe/Berlin"})
	}
	service := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.asked[r.Header.Get(workerHeader)]++
		w.mu.Unlock()
		w.sim.ServeHTTP(rw, r)
	}))
	t.Cleanup(service.Close)
	w.job.Redis, w.job.Service, w.job.Key = server.Addr(), service.URL, make([]byte, 32)
	_, err = rand.Read(w.job.Key)
	require.NoError(t, err)
	connecting := w.job
	connecting.Limit = providers.RateLimit{}
	engine, c, end, err := connecting.engine(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, end()) })
	w.engine, w.store = engine, c.Store
	for some := range slices.Chunk(w.sim.Users(), 40) {
		var consenting errgroup.Group
		consenting.SetLimit(8)
		for _, u := range some {
			user := fmt.Sprintf("person %d", u.ID)
			w.users = append(w.users, user)
			consenting.Go(func() error { return w.consent(user, u.ID) })
		}
		require.NoError(t, consenting.Wait())
		ahead.Add(int64(time.Minute))
	}
	w.sim.ResetRequests()
	return w
}

func (w *world) consent(user string, id int64) error {
	address, err := w.engine.Connect(w.t.Context(), healthsync.ConnectRequest{
		User: user, Provider: "withings", RedirectURL: withingstest.DefaultRedirectURL,
	})
	if err != nil {
		return err
	}
	back, err := w.sim.Authorize(id, address)
	if err != nil {
		return err
	}
	_, err = w.engine.Complete(w.t.Context(), back.Query())
	return err
}

// start starts a worker process.
func (w *world) start(name string) {
	w.t.Helper()
	j := w.job
	j.Name = name
	text, err := json.Marshal(j)
	require.NoError(w.t, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), jobVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	require.NoError(w.t, cmd.Start())
	w.workers[name] = cmd
	w.t.Cleanup(func() { _ = cmd.Process.Kill() })
}

// kill ends a worker as a crash does.
func (w *world) kill(name string) {
	w.t.Helper()
	cmd := w.workers[name]
	require.NotNil(w.t, cmd)
	delete(w.workers, name)
	require.NoError(w.t, cmd.Process.Kill())
	_ = cmd.Wait()
}

// stop asks all workers to end, and waits for them.
func (w *world) stop() {
	w.t.Helper()
	for _, cmd := range w.workers {
		require.NoError(w.t, cmd.Process.Signal(syscall.SIGTERM))
	}
	for name, cmd := range w.workers {
		require.NoError(w.t, cmd.Wait(), "worker %s", name)
		delete(w.workers, name)
	}
}

func (w *world) askedBy(name string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked[name]
}

// eventually waits for something that other processes do.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, 2*time.Minute, 50*time.Millisecond, what)
}

// settled reports whether nothing is due.
func (w *world) settled() bool {
	due, err := w.engine.Due(w.t.Context(), 1)
	require.NoError(w.t, err)
	return len(due) == 0
}

// missing compares the store with the truth of the simulator, and tells of the
// first difference.
func (w *world) missing() string {
	w.t.Helper()
	for i, u := range w.sim.Users() {
		truth, got := w.sim.Truth(u.ID), make(map[string]int)
		for r, err := range store.AllRecords(w.t.Context(), w.store, store.RecordQuery{User: w.users[i], Deleted: true}) {
			require.NoError(w.t, err)
			got[r.Stream()]++
		}
		want := map[string]int{
			"measures": len(truth.Measures), "sleep_summary": len(truth.Nights), "workouts": len(truth.Workouts),
			"activity": len(truth.Activities), "heart": len(truth.Hearts), "devices": len(truth.Devices),
		}
		for stream, n := range want {
			if got[stream] != n {
				return fmt.Sprintf("%d of %d records in %s of %s", got[stream], n, stream, w.users[i])
			}
		}
	}
	return ""
}

// TestFleetHoldsTheLimit has three workers on more work than the limit lets
// through, one of which is killed in the middle. No request is refused, and at
// least 95 % of the limit is used: in one stretch of windows of three, because
// a machine that does something else for a while is no fault of the fleet's.
//
// The race detector makes every request several times as expensive, and so
// decides how many there are. The other tests have it.
func TestFleetHoldsTheLimit(t *testing.T) {
	if short(t) {
		return
	}
	if proof.WithoutRace(t) {
		return
	}
	const windows = 10
	proof.Row(t, "S7", proof.Counts{"windows of a fleet": windows, "kills of a worker": 1})
	// The clock of the service is fast in CI, and its limit of 120 a minute with
	// it.
	fast := time.Duration(proof.N(30, 1))
	window := time.Minute / fast
	began := time.Now()
	w := newWorld(t, proof.N(70, 400), withingstest.Config{
		Days: 30, Now: func() time.Time { return began.Add(fast * time.Since(began)) },
	}, job{Limit: providers.RateLimit{Requests: 120, Per: window}, History: 30 * 24 * time.Hour, LeaseTTL: 15 * time.Second})
	for i := range 3 {
		w.start(fmt.Sprint(i))
	}
	eventually(t, "all workers work", func() bool {
		return w.askedBy("0") > 0 && w.askedBy("1") > 0 && w.askedBy("2") > 0
	})
	// After one window of warming up.
	wait := func(n float64) { <-time.After(time.Duration(n * float64(window))) }
	wait(1)
	best := 0.0
	for stretch := 0; stretch < 3 && best < 0.95; stretch++ {
		from := w.sim.Config().Now()
		wait(windows / 2)
		w.kill("0")
		wait(windows / 2)
		to := w.sim.Config().Now()
		require.NotEmpty(t, w.missing(), "there is still more to do than can be done")
		used := 0
		for _, r := range w.sim.Requests() {
			require.NotEqual(t, withingstest.StatusTooManyRequests, r.Status, "refused: %s %s", r.Path, r.Action)
			if !r.Time.Before(from) && r.Time.Before(to) {
				used++
			}
		}
		share := float64(used) / (120 * float64(to.Sub(from)) / float64(time.Minute))
		t.Logf("%d requests in %v of the service's time: %.1f %% of the limit", used, to.Sub(from).Round(time.Second), 100*share)
		if best = max(best, share); best < 0.95 {
			w.start("0")
		}
	}
	require.GreaterOrEqual(t, best, 0.95)
	w.stop()
	for _, r := range w.sim.Requests() {
		require.NotEqual(t, withingstest.StatusTooManyRequests, r.Status)
	}
}

// TestFleetEndsWithAllRecords kills workers of a fleet and starts others, and
// compares what is there in the end.
func TestFleetEndsWithAllRecords(t *testing.T) { testAllRecords(t, false) }

// TestEnginesShareByLeases does the same with engines that know nothing of each
// other.
func TestEnginesShareByLeases(t *testing.T) { testAllRecords(t, true) }

func testAllRecords(t *testing.T, plain bool) {
	if short(t) {
		return
	}
	t.Parallel() // most of it is waiting for leases to end
	w := newWorld(t, proof.N(12, 200), withingstest.Config{Days: 8, IntradayDays: 2, RateLimit: -1},
		job{Plain: plain, History: 12 * 24 * time.Hour, LeaseTTL: 3 * time.Second})
	for i := range 3 {
		w.start(fmt.Sprint(i))
	}
	next := 3
	for range proof.N(2, 20) {
		name := fmt.Sprint(next - 3)
		eventually(t, "worker "+name+" works", func() bool { return w.askedBy(name) > 0 || w.settled() })
		w.kill(name)
		w.start(fmt.Sprint(next))
		next++
	}
	eventually(t, "nothing is due", w.settled)
	w.stop()
	require.Empty(t, w.missing())
}

// TestFleetDrains asks a worker to end in the middle of its work: it ends at
// once, and what it was at is done by another one.
func TestFleetDrains(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	w := newWorld(t, 4, withingstest.Config{Days: 8, IntradayDays: 2, RateLimit: -1}, job{History: 12 * 24 * time.Hour, LeaseTTL: 3 * time.Second})
	w.start("first")
	eventually(t, "the worker works", func() bool { return w.askedBy("first") > 2 })
	w.stop()
	asked := w.askedBy("first")
	require.False(t, w.settled())
	w.start("second")
	eventually(t, "nothing is due", w.settled)
	w.stop()
	require.Equal(t, asked, w.askedBy("first"))
	require.Empty(t, w.missing())
}
