package terra_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
	sqlitestore "github.com/vitalmux/vitalmux/store/sqlite"
	healthsync "github.com/vitalmux/vitalmux/sync"
	"github.com/vitalmux/vitalmux/terra"
	"github.com/vitalmux/vitalmux/terra/terratest"
)

// jobVariable has, in a process that a test starts, what it is to do.
const jobVariable = "VITALMUX_TERRA_JOB"

func TestMain(m *testing.M) {
	if text := os.Getenv(jobVariable); text != "" {
		if err := serve(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// job is a service with an engine that reads a year of history.
type job struct {
	Store, API, Listen, Spool string
	History                   time.Duration
}

// serve runs the engine, and serves its handler, until the process is killed.
func serve(text string) error {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return err
	}
	ctx := context.Background()
	file, err := sqlitestore.Open(ctx, j.Store, nil)
	if err != nil {
		return err
	}
	engine, err := j.engine(file)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", j.Listen)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: engine.Handler(), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }()
	return engine.Run(ctx)
}

func (j job) engine(file *sqlitestore.Store) (*healthsync.Engine, error) {
	adapter, err := terra.NewProvider(terra.ProviderConfig{
		Config: terra.Config{
			DevID: terratest.DefaultDevID, APIKey: providers.NewSecret(terratest.DefaultAPIKey), BaseURL: j.API + terratest.APIPath,
			WidgetSessionURL: j.API + terratest.WidgetPath,
		},
		SigningSecrets: []providers.Secret{providers.NewSecret(terratest.DefaultSigningSecret)},
	})
	if err != nil {
		return nil, err
	}
	ring, err := healthsync.NewKeyring(healthsync.Key{ID: "k1", Secret: bytes.Repeat([]byte{7, 9}, 16)})
	if err != nil {
		return nil, err
	}
	return healthsync.New(healthsync.Config{
		Providers: []providers.Provider{adapter}, Store: file, Sealer: ring, History: j.History, ReconcileEvery: -1, PeopleEvery: -1,
		LeaseTTL: 3 * time.Second, RefreshTimeout: time.Second, SpoolDir: j.Spool,
	})
}

// TestYearAsOneRequest asks for a year of days in one request, which comes in
// parts and in disorder, and kills the process that receives and works on them,
// with no warning.
func TestYearAsOneRequest(t *testing.T) {
	t.Parallel()
	if proof.WithoutRace(t) {
		return
	}
	kills := proof.N(1, 10)
	random := rand.New(rand.NewPCG(proof.Seed(t), 0))
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := free.Addr().String()
	require.NoError(t, free.Close())
	var plan []time.Duration
	for range 10_000 {
		plan = append(plan, 20*time.Millisecond)
	}
	sim := terratest.New(terratest.Config{
		Seed: 11, Days: 400, HeartRateSamples: -1, ChunkElements: 6, ShuffleChunks: true, RetryPlan: plan, Parallel: 2,
		DisabledTypes: allButDaily(),
	})
	api := httptest.NewServer(sim)
	t.Cleanup(func() {
		sim.Close()
		api.Close()
	})
	j := job{Store: filepath.Join(t.TempDir(), "store.db"), API: api.URL, Listen: address, Spool: t.TempDir(), History: 360 * 24 * time.Hour}
	file, err := sqlitestore.Open(t.Context(), j.Store, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, file.Close()) })
	h := &host{Server: sim, t: t, api: api, store: file}
	h.engine, err = j.engine(file)
	require.NoError(t, err)
	sim.AddDestination(terratest.Destination{URL: "http://" + address + "/webhooks/terra"})
	h.consent("u1", "DUMMY", "a")

	text, err := json.Marshal(j)
	require.NoError(t, err)
	start := func() (kill func()) {
		self, err := os.Executable()
		require.NoError(t, err)
		p := exec.Command(self)
		p.Env = append(os.Environ(), jobVariable+"="+string(text))
		var said bytes.Buffer
		p.Stderr = &said
		require.NoError(t, p.Start())
		once := false
		kill = func() {
			if !once {
				once = true
				_ = p.Process.Kill()
				err := p.Wait()
				exit, ok := errors.AsType[*exec.ExitError](err)
				require.True(t, ok && exit.ExitCode() == -1, "it ended by itself: %v %s", err, said.String())
			}
		}
		t.Cleanup(kill)
		return kill
	}
	days := func() int {
		page, err := file.Records(t.Context(), store.RecordQuery{User: "u1", Streams: []string{"daily"}, Limit: 1000})
		require.NoError(t, err)
		return len(page.Records)
	}
	for i := range kills {
		kill := start()
		target := 20 + (i+1)*300/(kills+1) + random.IntN(20)
		h.eventually("some days", func() bool { return days() >= target })
		kill()
	}
	last := start()
	first := health.DayOf(time.Now()).Add(-358)
	conn := h.connections("u1")[0]
	h.eventually("complete", func() bool {
		windows, err := file.Coverage(t.Context(), conn.ID, "daily")
		require.NoError(t, err)
		for _, w := range windows {
			if w.First.Compare(first) <= 0 && w.Last.Compare(health.DayOf(time.Now()).Add(-10)) >= 0 {
				return true
			}
		}
		return false
	})
	h.eventually("settled", func() bool {
		items, err := file.InboxItems(t.Context(), store.InboxQuery{User: "u1", Connection: conn.ID})
		require.NoError(t, err)
		return len(items) == 0 && len(h.kept(store.DeliveryNew)) == 0
	})
	last()
	stored, compared := h.records("u1", "daily"), 0
	for _, r := range sim.Records(conn.UpstreamID, terratest.KindDaily) {
		if r.Day < first.String() || r.Day > yesterday() {
			continue
		}
		require.Contains(t, stored, "daily/"+r.Day)
		list, _, err := terra.DecodeData[terra.Daily](terra.Event{Data: r.Body})
		require.NoError(t, err)
		want, _ := list[0].DistanceData.Steps.Int()
		for _, v := range stored["daily/"+r.Day].Values {
			if v.Metric == health.MetricSteps {
				got, _ := v.Number.Rescale(0)
				require.Equal(t, want, got, r.Day)
				compared++
			}
		}
	}
	require.Greater(t, compared, 350)
	asked := 0
	for _, r := range sim.Requests() {
		if r.Path == "/daily" && r.Query.Get("to_webhook") == "true" {
			asked++
		}
	}
	require.Equal(t, 1, asked, "large requests")
	require.Empty(t, h.kept(store.DeliveryDead))
}

// TestLargeBodyTakesLittleMemory has 64 MiB of days arrive over HTTP, verified,
// stored in a file and answered.
func TestLargeBodyTakesLittleMemory(t *testing.T) {
	h := newHost(t, terratest.Config{}, nil)
	const limit = 64 << 20
	head := []byte(`{"type":"daily","version":"2022-03-16","user":{"user_id":"nobody","provider":"GARMIN"},"data":[`)
	tail := []byte(`]}`)
	day := largeDay(health.DayOf(time.Now()).Add(-3))
	count := (limit - len(head) - len(tail)) / (len(day) + 1)
	// The body is never held as a whole by the test either.
	body := func() io.Reader {
		parts := []io.Reader{bytes.NewReader(head)}
		for i := range count {
			if i > 0 {
				parts = append(parts, bytes.NewReader([]byte(",")))
			}
			parts = append(parts, bytes.NewReader(day))
		}
		return io.MultiReader(append(parts, bytes.NewReader(tail))...)
	}
	stamp := strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, []byte(terratest.DefaultSigningSecret))
	_, _ = io.WriteString(mac, stamp+".")
	size, err := io.Copy(mac, body())
	require.NoError(t, err)
	require.Greater(t, size, int64(limit-len(day)-1024))

	defer debug.SetGCPercent(debug.SetGCPercent(10))
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	stop, most := make(chan struct{}), make(chan uint64)
	go func() {
		var peak uint64
		var now runtime.MemStats
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				most <- peak
				return
			case <-tick.C:
				runtime.ReadMemStats(&now)
				peak = max(peak, now.HeapAlloc)
			}
		}
	}()
	r, err := http.NewRequest(http.MethodPost, h.address, body())
	require.NoError(t, err)
	r.ContentLength = size
	r.Header.Set(terra.SignatureHeader, fmt.Sprintf("t=%s,v1=%x", stamp, mac.Sum(nil)))
	client := h.hook.Client()
	resp, err := client.Do(r)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	close(stop)
	peak := <-most
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Less(t, int64(peak)-int64(before.HeapAlloc), int64(32<<20))
	t.Logf("extra heap %d KiB", (int64(peak)-int64(before.HeapAlloc))>>10)
	client.CloseIdleConnections()
}

// largeDay is a day with a heart rate each minute, of about 100 kB.
func largeDay(day health.Day) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"metadata":{"start_time":"%sT00:00:00.000000+01:00","end_time":"%sT00:00:00.000000+01:00","upload_type":0},`, day, day.Add(1))
	b.WriteString(`"heart_rate_data":{"detailed":{"hr_samples":[`)
	for i := range 1440 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"timestamp":"%sT%02d:%02d:00.000000+01:00","bpm":%d,"timer_duration_seconds":%d}`, day, i/60, i%60, 60+i%40, 60*i)
	}
	b.WriteString(`]}}}`)
	return b.Bytes()
}
