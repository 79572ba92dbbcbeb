package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	goredis "github.com/redis/go-redis/v9"

	fleet "github.com/vitalmux/vitalmux/fleet/asynq"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/withings"
	"github.com/vitalmux/vitalmux/providers/withings/withingstest"
	redisstore "github.com/vitalmux/vitalmux/store/redis"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// workerVariable is set in the environment of workers.
const workerVariable = "VITALMUX_FLEET_WORKER"

// job is what a worker is told, on its standard input. A real one takes the key
// from where its service keeps secrets.
type job struct {
	RedisURL, Prefix, Service string
	Key                       []byte
	History                   time.Duration
}

// worker is a process that works.
type worker struct {
	process *os.Process
	// lifeline is its standard input: it works until that ends, also if it ends
	// because whoever started it is gone.
	lifeline io.Closer
	ended    chan error // gets how it ended
}

// start starts this program once more, as a worker.
func (j job) start() (*worker, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), workerVariable+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	w := &worker{process: cmd.Process, lifeline: in, ended: make(chan error, 1)}
	go func() { w.ended <- cmd.Wait() }()
	// What it lacks if it ends before this, it tells by how it ends.
	_ = json.NewEncoder(in).Encode(j)
	return w, nil
}

// wait returns how it ended, once.
func (w *worker) wait() error { return <-w.ended }

// workInChild is a worker's main, and returns its exit status. Ctrl-C reaches all
// processes of a terminal; the one that started the workers ends them.
func workInChild() int {
	signal.Ignore(os.Interrupt, syscall.SIGTERM)
	if err := work(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		return 1
	}
	return 0
}

// work is what a worker does until in ends.
func work(in io.Reader) (err error) {
	var j job
	if err := json.NewDecoder(in).Decode(&j); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, in)
		cancel()
	}()
	p, err := j.open(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil
	case err != nil:
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	// Queues of another prefix hold tasks of another store.
	name := strings.NewReplacer("{", "-", "}", "-", ":", "-", " ", "-").Replace(j.Prefix)
	// A worker that is killed leaves its leases behind: they end soon, and soon
	// after its tasks are put into the queues again.
	return fleet.Run(ctx, fleet.Config{
		Engine: p.engine, Store: p.db, Redis: p.client, Name: name, Unique: leaseTTL + time.Second, Poll: 100 * time.Millisecond,
	})
}

const leaseTTL = 4 * time.Second

// process is the engine of one process, and what it stands on.
type process struct {
	engine *healthsync.Engine
	db     *redisstore.Store
	client *goredis.Client
	http   *http.Transport
}

func (j job) open(ctx context.Context) (_ *process, err error) {
	o, err := goredis.ParseURL(j.RedisURL)
	if err != nil {
		return nil, errors.New("-redis-url is not the address of a Redis")
	}
	p := &process{http: &http.Transport{MaxIdleConnsPerHost: 16}}
	provider, err := withings.New(withings.Config{
		ClientID: withingstest.DefaultClientID, ClientSecret: providers.NewSecret(withingstest.DefaultClientSecret),
		BaseURL: j.Service, AccountURL: j.Service, Transport: p.http,
		// The simulator of this example is not limited.
		RequestsPerMinute: -1,
	})
	if err != nil {
		return nil, err
	}
	sealer, err := healthsync.NewKeyring(healthsync.Key{ID: "fleet", Secret: j.Key})
	if err != nil {
		return nil, err
	}
	p.db, err = redisstore.Open(ctx, redisstore.Options{Prefix: j.Prefix, Redis: goredis.UniversalOptions{
		Addrs: []string{o.Addr}, DB: o.DB, Username: o.Username, Password: o.Password, TLSConfig: o.TLSConfig,
	}})
	if err != nil {
		return nil, err
	}
	p.client = goredis.NewClient(o)
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	budget, err := fleet.NewBudget(p.client, j.Prefix)
	if err != nil {
		return nil, err
	}
	p.engine, err = healthsync.New(healthsync.Config{
		Providers: []providers.Provider{provider}, Store: p.db, Sealer: sealer, Workers: -1, Budget: budget,
		LeaseTTL: leaseTTL, RefreshTimeout: leaseTTL / 3, History: j.History, Interval: 24 * time.Hour,
	})
	return p, err
}

func (p *process) close() error {
	p.http.CloseIdleConnections()
	if err := errors.Join(p.db.Close(), p.client.Close()); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	return nil
}
