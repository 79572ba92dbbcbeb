package asynq_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	fleet "github.com/vitalmux/vitalmux/fleet/asynq"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/withings"
	"github.com/vitalmux/vitalmux/providers/withings/withingstest"
	redisstore "github.com/vitalmux/vitalmux/store/redis"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// TestMain runs a worker instead of the tests in a process that is started for
// that.
func TestMain(m *testing.M) {
	if text := os.Getenv(jobVariable); text != "" {
		if err := work(text); err != nil {
			fmt.Fprintln(os.Stderr, "worker:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goredis.SetLogger(silence{}) // servers fail on purpose here
	goleak.VerifyTestMain(m)
}

const jobVariable = "VITALMUX_FLEET_JOB"

// job is what all workers of a test have in common, and their name.
type job struct {
	Name, Redis, Service string
	Key                  []byte
	// Plain is set for workers that run the engine alone.
	Plain bool
	Limit providers.RateLimit
	// History is how far back is read.
	History time.Duration
	// LeaseTTL is how long the leases of a worker last that was killed.
	LeaseTTL time.Duration
}

// limited is the adapter with limits of the test's own.
type limited struct {
	*withings.Provider
	limit providers.RateLimit
}

func (l limited) Capabilities() providers.Capabilities {
	c := l.Provider.Capabilities()
	if l.limit.Requests > 0 {
		c.Limits = []providers.RateLimit{l.limit}
	}
	return c
}

// named tells the service which worker is asking.
type named struct {
	name string
	base *http.Transport
}

const workerHeader = "Test-Worker"

func (n named) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set(workerHeader, n.name)
	return n.base.RoundTrip(r)
}

// engine returns the engine of a worker, its store and client, and what closes
// both.
func (j job) engine(ctx context.Context) (*healthsync.Engine, fleet.Config, func() error, error) {
	var c fleet.Config
	base := &http.Transport{MaxIdleConnsPerHost: 16}
	provider, err := withings.New(withings.Config{
		ClientID: withingstest.DefaultClientID, ClientSecret: providers.NewSecret(withingstest.DefaultClientSecret),
		BaseURL: j.Service, AccountURL: j.Service, RequestsPerMinute: -1, ECGsPerPage: -1,
		Transport: named{j.Name, base},
	})
	if err != nil {
		return nil, c, nil, err
	}
	sealer, err := healthsync.NewKeyring(healthsync.Key{ID: "test", Secret: j.Key})
	if err != nil {
		return nil, c, nil, err
	}
	options := goredis.UniversalOptions{Addrs: []string{j.Redis}}
	db, err := redisstore.Open(ctx, redisstore.Options{Redis: options})
	if err != nil {
		return nil, c, nil, err
	}
	client := goredis.NewUniversalClient(&options)
	end := func() error {
		base.CloseIdleConnections()
		return errors.Join(db.Close(), client.Close())
	}
	budget, err := fleet.NewBudget(client, "")
	if err != nil {
		return nil, c, end, err
	}
	cfg := healthsync.Config{
		Providers: []providers.Provider{limited{provider, j.Limit}}, Store: db, Sealer: sealer,
		LeaseTTL: j.LeaseTTL, RefreshTimeout: j.LeaseTTL / 3, History: j.History, Budget: budget, Workers: -1,
	}
	if j.Plain {
		cfg.Workers = 4
	}
	e, err := healthsync.New(cfg)
	c = fleet.Config{Engine: e, Store: db, Redis: client, Unique: 2 * j.LeaseTTL, Poll: 100 * time.Millisecond}
	return e, c, end, err
}

// work is what a worker does until it is told to end.
func work(text string) (err error) {
	goredis.SetLogger(silence{})
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	engine, c, end, err := j.engine(ctx)
	if end != nil {
		defer func() { err = errors.Join(err, end()) }()
	}
	switch {
	case err != nil:
		return err
	case j.Plain:
		return engine.Run(ctx)
	}
	return fleet.Run(ctx, c)
}

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}
