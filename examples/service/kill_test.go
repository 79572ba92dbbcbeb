package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/failpoint/failpointtest"
	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/withings"
	"github.com/vitalmux/vitalmux/providers/withings/withingstest"
	"github.com/vitalmux/vitalmux/store"
	sqlitestore "github.com/vitalmux/vitalmux/store/sqlite"
)

func TestMain(m *testing.M) {
	if status, child := failpointtest.Enter(map[string]func() error{"service": serveInChild}); child {
		os.Exit(status)
	}
	os.Exit(m.Run())
}

// serveInChild is the service of this example, against a simulator.
func serveInChild() error {
	key := make([]byte, 32)
	key[0] = 1
	mux := http.NewServeMux()
	go func() {
		err := http.ListenAndServe(os.Getenv("SERVICE_ADDRESS"), mux) // ends with the process
		fmt.Println("listening:", err)
	}()
	return wearables(context.Background(), mux, os.Getenv("SERVICE_FILE"), simulated(os.Getenv("SERVICE_UPSTREAM")),
		publicURL(os.Getenv("SERVICE_ADDRESS")), key)
}

func publicURL(address string) string { return "http://" + address + "/wearables" }

func simulated(upstream string) withings.Config {
	return withings.Config{
		ClientID: withingstest.DefaultClientID, ClientSecret: providers.NewSecret(withingstest.DefaultClientSecret),
		BaseURL: upstream, AccountURL: upstream, RequestsPerMinute: -1,
	}
}

// TestServiceIsKilledAtAnyMoment kills the service while tokens end and
// notifications arrive, over and over. At the end nobody has to consent again,
// and each measurement that was notified of is there once.
func TestServiceIsKilledAtAnyMoment(t *testing.T) {
	if proof.WithoutRace(t) {
		return
	}
	kills, lanes := proof.N(60, 600), 6
	counts := proof.Counts{"kills of the example": kills, "notifications": 0}
	proof.Row(t, "W1", counts)
	seed := proof.Seed(t)
	var lane sync.WaitGroup
	var told atomic.Int64
	failures := make([]error, lanes)
	for i := range lanes {
		l := newLane(t, rand.New(rand.NewPCG(seed, uint64(i))))
		lane.Go(func() {
			failures[i] = l.run(kills / lanes)
			told.Add(l.told)
		})
	}
	lane.Wait()
	for _, err := range failures {
		require.NoError(t, err)
	}
	counts["notifications"] = int(told.Load())
}

// lane is one service, its file, and the person who uses it.
type lane struct {
	t        *testing.T
	random   *rand.Rand
	sim      *withingstest.Server
	upstream *httptest.Server
	user     int64
	file     string
	address  string
	process  *failpointtest.Process
	client   *http.Client
	told     int64
}

func newLane(t *testing.T, random *rand.Rand) *lane {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	l := &lane{t: t, random: random, address: address, file: filepath.Join(t.TempDir(), "health.db")}
	l.sim = withingstest.New(withingstest.Config{
		Seed: random.Uint64(), RateLimit: -1, IdenticalCallWindow: -1, AllowLoopback: true,
		RedirectURLs: []string{publicURL(address) + "/callback/withings"},
	})
	l.user = l.sim.AddUser(withingstest.UserConfig{Days: 3}).ID
	l.upstream = httptest.NewServer(l.sim)
	t.Cleanup(l.upstream.Close)
	l.client = &http.Client{
		Timeout:       5 * time.Second,
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	l.begin()
	return l
}

func (l *lane) begin() {
	l.process = failpointtest.Start(l.t, failpointtest.Config{
		Entry: "service", Timeout: time.Duration(proof.N(10, 120)) * time.Minute,
		Env: []string{"SERVICE_ADDRESS=" + l.address, "SERVICE_FILE=" + l.file, "SERVICE_UPSTREAM=" + l.upstream.URL},
	})
}

func (l *lane) kill() error {
	l.process.Kill()
	if end := l.process.Wait(); end.Signal != syscall.SIGKILL {
		return fmt.Errorf("the service ended by itself: %+v", end)
	}
	return nil
}

func (l *lane) run(kills int) error {
	if err := l.connect(); err != nil {
		return err
	}
	for range kills {
		if err := l.round(); err != nil {
			return err
		}
	}
	db, err := sqlitestore.Open(l.t.Context(), l.file, nil)
	if err != nil {
		return err
	}
	defer db.Close()
	// What was killed may have left leases: they end after a minute and a half.
	complete := func() (bool, error) { return l.complete(db) }
	if err := until(time.Second, "everything that was notified of is stored", complete); err != nil {
		return err
	}
	return l.kill()
}

// round lets the service refresh and work, and kills it meanwhile.
func (l *lane) round() error {
	l.sim.ExpireAccess(l.user)
	l.sim.AddMeasure(l.user, withingstest.MeasureGroup{})
	killed := make(chan error, 1)
	go func() {
		time.Sleep(time.Duration(l.random.Int64N(int64(150 * time.Millisecond))))
		killed <- l.kill()
	}()
	first := l.notify()
	if err := <-killed; err != nil {
		return err
	}
	l.begin()
	if first == nil {
		return nil
	}
	// Withings repeats what was not acknowledged.
	return until(50*time.Millisecond, "the notification is acknowledged", func() (bool, error) { return l.notify() == nil, nil })
}

// notify posts what Withings posts, to every address it was given.
func (l *lane) notify() error {
	subscriptions := l.sim.Subscriptions()
	if len(subscriptions) == 0 {
		return errors.New("nothing is subscribed to")
	}
	for _, s := range subscriptions {
		if s.Appli != 1 {
			continue
		}
		now := time.Now().Unix()
		form := url.Values{
			"userid": {strconv.FormatInt(s.UserID, 10)}, "appli": {"1"},
			"startdate": {strconv.FormatInt(now-3600, 10)}, "enddate": {strconv.FormatInt(now+60, 10)},
		}
		answer, err := l.client.PostForm(s.Callback, form)
		if err != nil {
			return err
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("notified: %s", answer.Status)
		}
		l.told++
	}
	return nil
}

// connect does what the person's browser does.
func (l *lane) connect() error {
	var to *http.Response
	err := until(50*time.Millisecond, "the service leads to Withings", func() (bool, error) {
		answer, err := l.client.Get(publicURL(l.address) + "/connect/withings")
		if err != nil {
			return false, nil
		}
		_ = answer.Body.Close()
		to = answer
		return answer.StatusCode == http.StatusSeeOther, nil
	})
	if err != nil {
		return err
	}
	back, err := l.sim.Authorize(l.user, to.Header.Get("Location"))
	if err != nil {
		return err
	}
	request, err := http.NewRequest(http.MethodGet, back.String(), nil)
	if err != nil {
		return err
	}
	for _, c := range to.Cookies() {
		request.AddCookie(c)
	}
	answer, err := l.client.Do(request)
	if err != nil {
		return err
	}
	page, err := io.ReadAll(answer.Body)
	_ = answer.Body.Close()
	if err != nil || !strings.Contains(string(page), "connected") {
		return fmt.Errorf("the callback: %s: %w", answer.Status, err)
	}
	return until(50*time.Millisecond, "the service subscribes", func() (bool, error) { return len(l.sim.Subscriptions()) > 0, nil })
}

// complete compares the store with the simulator: what is missing may still come.
func (l *lane) complete(db store.Store) (bool, error) {
	conns, err := db.Connections(l.t.Context(), store.ConnectionQuery{User: "ada"})
	if err != nil {
		return false, err
	}
	if len(conns) != 1 || conns[0].State != store.StateActive && conns[0].State != store.StateDegraded {
		return false, fmt.Errorf("connections: %+v", conns)
	}
	missing := make(map[string]bool)
	for _, g := range l.sim.Truth(l.user).Measures {
		missing[fmt.Sprintf("measures/%d", g.ID)] = true
	}
	for r, err := range store.AllRecords(l.t.Context(), db, store.RecordQuery{User: "ada", Kinds: []health.Kind{health.KindBody}}) {
		if err != nil {
			return false, err
		}
		if !strings.HasPrefix(r.Key, "measures/") {
			continue
		}
		if !missing[r.Key] {
			return false, fmt.Errorf("%s is there twice, or not at Withings", r.Key)
		}
		delete(missing, r.Key)
	}
	return len(missing) == 0 && conns[0].State == store.StateActive, nil
}

// patience is for a machine that has other things to do.
const patience = 4 * time.Minute

// until asks in intervals until there is a yes or an error.
func until(interval time.Duration, what string, ask func() (bool, error)) error {
	for deadline := time.Now().Add(patience); ; time.Sleep(interval) {
		yes, err := ask()
		if yes || err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return errors.New("did not come true: " + what)
		}
	}
}
