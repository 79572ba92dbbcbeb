package proofs

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/vitalmux/vitalmux/internal/failpoint/failpointtest"
	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/internal/provsim"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

func TestMain(m *testing.M) {
	goredis.SetLogger(silence{}) // servers fail on purpose here
	status, child := failpointtest.Enter(map[string]func() error{
		"settle": inChild((*child).settleAll),
		"patrol": inChild((*child).patrol),
		"storm":  inChild((*child).storm),
		"run":    inChild((*child).run),
		"fitbit": refreshFitbit,
	})
	if child {
		os.Exit(status)
	}
	// Most of a proof is waiting for pauses to end, whatever the machine has.
	if err := flag.Set("test.parallel", strconv.Itoa(proof.N(4, 6))); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

// The short times of most engines here: just long enough that a machine that is
// busy with all of them keeps them. The protocol's own pauses are longer.
const (
	leaseTTL       = 6 * time.Second
	refreshTimeout = leaseTTL / 3
	// quarantine is how long after its deadline an attempt of somebody else's
	// is left alone.
	quarantine = 30 * time.Second
	// clockVariable makes the clock of a child wrong.
	clockVariable = "VITALMUX_CLOCK_OFFSET"
	jobVariable   = "VITALMUX_PROOFS_JOB"
)

// job is what a child is to do.
type job struct {
	Store, BaseURL string        // Store is as for openStore
	LeaseTTL       time.Duration // 0 is leaseTTL; a third of it is the engine's RefreshTimeout
	Key            []byte
	Rotation       providers.Rotation
	Spill          string
	SealRaw        bool
	ClientSecret   string
	SigningSecret  string

	// Tasks are what "settle" and "patrol" do, Workers of them at once.
	Tasks   []task
	Workers int
	// Patience is how long "settle" waits for the leases of others, and with
	// Insist also for the time that an error names.
	Patience time.Duration
	Insist   bool
	// Rounds and Barrier are for "storm": before each round a request to the
	// barrier is answered when all children are there.
	Rounds  int
	Barrier string
	// Listen has "run" serve the engine's handler.
	Listen bool
	// History is how far back "run" reads; 0 is not at all.
	History time.Duration
	// KillFetched and KillCommitted kill the child itself after so many pages
	// were fetched or committed; 0 does not.
	KillFetched, KillCommitted int
}

// task is one connection to bring up to date, Times times; from the one with
// the number ExpireFrom on, counted from 0, its access token is taken away
// before.
type task struct {
	User, Connection  string
	Times, ExpireFrom int
	// TokenURL takes the place of the service's address for token requests.
	TokenURL string
}

func (j job) key() healthsync.Key { return healthsync.Key{ID: "k1", Secret: j.Key} }

// engine returns the store and the engine of a job.
func (j job) engine(ctx context.Context, transport http.RoundTripper, c *child) (store.Store, *healthsync.Engine, error) {
	kept, err := openStore(ctx, j.Store)
	if err != nil {
		return nil, nil, err
	}
	adapter, err := provsim.New(provsim.AdapterConfig{
		BaseURL: j.BaseURL, Rotation: j.Rotation, Transport: transport, Timeout: 30 * time.Second,
		ClientSecret: providers.NewSecret(j.ClientSecret), SigningSecrets: []providers.Secret{providers.NewSecret(j.SigningSecret)},
		MaxAge: time.Hour,
	})
	if err != nil {
		return nil, nil, errors.Join(err, kept.Close())
	}
	ring, err := healthsync.NewKeyring(j.key())
	if err != nil {
		return nil, nil, errors.Join(err, kept.Close())
	}
	if j.LeaseTTL == 0 {
		j.LeaseTTL = leaseTTL
	}
	if j.History == 0 {
		j.History = -1
	}
	cfg := healthsync.Config{
		Providers: []providers.Provider{adapter}, Store: kept, Sealer: ring,
		LeaseTTL: j.LeaseTTL, RefreshTimeout: j.LeaseTTL / 3, Interval: 400 * time.Millisecond, Workers: max(j.Workers, 1),
		History: j.History, ReconcileEvery: -1, SpillDir: j.Spill, SealRaw: j.SealRaw,
	}
	if c != nil {
		cfg.Providers = []providers.Provider{&dying{adapter, c}}
		cfg.Hooks.PageCommitted = func(context.Context, healthsync.PageEvent) { c.dieAt(&c.committed, j.KillCommitted) }
		cfg.Hooks.Alarm = func(_ context.Context, e healthsync.AlarmEvent) { fmt.Println("alarm", e.Kind) }
	}
	engine, err := healthsync.New(cfg)
	if err != nil {
		return nil, nil, errors.Join(err, kept.Close())
	}
	return kept, engine, nil
}

// child is a process at work.
type child struct {
	job
	store    store.Store
	engine   *healthsync.Engine
	control  provsim.Control
	offset   time.Duration
	tokenURL atomic.Pointer[string]

	fetched, committed atomic.Int64
}

// inChild returns an entry: it sets a child up, lets it work until it is done
// or told to end, and puts everything away.
func inChild(work func(*child, context.Context) error) func() error {
	return func() (err error) {
		c := &child{}
		if err := json.Unmarshal([]byte(os.Getenv(jobVariable)), &c.job); err != nil {
			return err
		}
		if text := os.Getenv(clockVariable); text != "" {
			if c.offset, err = time.ParseDuration(text); err != nil {
				return err
			}
		}
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		direct := &http.Transport{MaxIdleConnsPerHost: 16}
		c.control = provsim.Control{BaseURL: c.BaseURL, Client: &http.Client{Transport: direct}}
		lone := &http.Transport{DisableKeepAlives: true}
		transport := roundTripper(func(r *http.Request) (*http.Response, error) {
			address := c.tokenURL.Load()
			if address == nil || r.URL.Path != "/oauth/token" {
				return direct.RoundTrip(r)
			}
			r = r.Clone(r.Context())
			r.URL.Host = *address
			return lone.RoundTrip(r)
		})
		if c.store, c.engine, err = c.job.engine(context.Background(), transport, c); err != nil {
			return err
		}
		err = work(c, ctx)
		return errors.Join(err, c.store.Close())
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// dying is the adapter in a process that may die with a page in its hands.
type dying struct {
	*provsim.Provider
	child *child
}

func (d *dying) Fetch(ctx context.Context, cred providers.Credential, q providers.Query) (providers.Page, error) {
	page, err := d.Provider.Fetch(ctx, cred, q)
	if err == nil {
		d.child.dieAt(&d.child.fetched, d.child.KillFetched)
	}
	return page, err
}

// dieAt kills the process at the nth call.
func (c *child) dieAt(calls *atomic.Int64, n int) {
	if n > 0 && calls.Add(1) == int64(n) {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

// settleAll works on the tasks, and tells the outcome of each Sync in a line
// "outcome USER NUMBER WORD DETAIL".
func (c *child) settleAll(ctx context.Context) error {
	tasks := make(chan task)
	var working sync.WaitGroup
	failures := make(chan error, len(c.Tasks))
	for range max(c.Workers, 1) {
		working.Go(func() {
			for t := range tasks {
				failures <- c.settleTask(ctx, t)
			}
		})
	}
	for _, t := range c.Tasks {
		tasks <- t
	}
	close(tasks)
	working.Wait()
	close(failures)
	var errs []error
	for err := range failures {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (c *child) settleTask(ctx context.Context, t task) error {
	if t.TokenURL != "" {
		c.tokenURL.Store(&t.TokenURL)
		defer c.tokenURL.Store(nil)
	}
	for i := range t.Times {
		if i >= t.ExpireFrom {
			if err := c.control.Do(ctx, "expire", provsim.Command{User: t.User}, nil); err != nil {
				return err
			}
		}
		fmt.Println("outcome", t.User, i, c.settle(ctx, t.Connection))
	}
	return nil
}

// settle syncs a connection and returns the outcome: "ok", "reauth REASON",
// "later DURATION" or "error TEXT".
func (c *child) settle(ctx context.Context, connection string) string {
	patience := time.Now().Add(c.Patience)
	for {
		_, err := c.engine.Sync(ctx, connection)
		if err == nil {
			return "ok"
		}
		left := time.Until(patience)
		if errors.Is(err, store.ErrLeaseHeld) && left > 0 {
			time.Sleep(20 * time.Millisecond)
			continue
		}
		conn, failure := c.store.Connection(ctx, connection)
		switch {
		case failure != nil:
			return "error " + strconv.Quote(failure.Error())
		case conn.State == store.StateReauthRequired:
			return "reauth " + conn.Reason
		}
		at, told := providers.RetryAt(err)
		if c, failure := c.store.Credential(ctx, connection); failure == nil && !c.NextAt.IsZero() {
			at, told = c.NextAt, true
		}
		if !told {
			return "error " + strconv.Quote(err.Error())
		}
		wait := at.Sub(time.Now().Add(c.offset))
		if !c.Insist || left <= 0 {
			return "later " + wait.String()
		}
		time.Sleep(min(max(wait, 20*time.Millisecond), max(left, 0)))
	}
}

// patrol syncs the connections, over and over, until it is told to end.
func (c *child) patrol(ctx context.Context) error {
	var working sync.WaitGroup
	fmt.Println("ready")
	for w := range max(c.Workers, 1) {
		working.Go(func() {
			for i := w; ctx.Err() == nil; i++ {
				_, err := c.engine.Sync(ctx, c.Tasks[i%len(c.Tasks)].Connection)
				if err != nil {
					time.Sleep(10 * time.Millisecond)
				}
			}
		})
	}
	working.Wait()
	return nil
}

// storm has all workers sync all connections at once, in every round.
func (c *child) storm(ctx context.Context) error {
	for round := range c.Rounds {
		if err := c.wait(ctx, round); err != nil {
			return err
		}
		var working sync.WaitGroup
		for range c.Workers {
			working.Go(func() {
				for _, i := range rand.Perm(len(c.Tasks)) {
					_, err := c.engine.Sync(ctx, c.Tasks[i].Connection)
					if err != nil && !errors.Is(err, store.ErrLeaseHeld) {
						fmt.Println("failure", c.Tasks[i].User, strconv.Quote(err.Error()))
					}
				}
			})
		}
		working.Wait()
	}
	return c.wait(ctx, c.Rounds)
}

// wait waits until all children have come as far.
func (c *child) wait(ctx context.Context, round int) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Barrier+"?round="+strconv.Itoa(round), nil)
	if err != nil {
		return err
	}
	answer, err := c.control.Client.Do(request)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

// run is a service: it runs the engine until it is told to end, and serves its
// handler if wanted.
func (c *child) run(ctx context.Context) error {
	if !c.Listen {
		fmt.Println("ready")
		return c.engine.Run(ctx)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: c.engine.Handler(), ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	fmt.Println("ready", listener.Addr())
	err = c.engine.Run(ctx)
	closing, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return errors.Join(err, server.Shutdown(closing), ignore(<-served, http.ErrServerClosed))
}

func ignore(err, expected error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}
