// Command fleet shows a fleet of processes at work, and what becomes of it when
// they die.
//
//	cd examples/fleet && go run .
//
// It simulates a Withings with 2,000 people, who all consent, and starts three
// workers: processes that share the work by queues on Redis. Every few seconds it
// kills one of them by SIGKILL and starts another. In the end the store holds
// exactly what the simulator holds, which is counted.
//
// Ctrl-C ends the workers and then the program. The next run begins anew, with
// other people.
//
// Without -redis-url it starts a redis-server of its own, if one is installed,
// and throws its data away in the end. With it, -prefix must not be that of an
// earlier run.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/vitalmux/vitalmux/examples/internal/command"
	"github.com/vitalmux/vitalmux/store/redis/redistest"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

func main() {
	goredis.SetLogger(quiet{})
	if os.Getenv(workerVariable) != "" {
		os.Exit(workInChild())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait
	var o options
	flag.IntVar(&o.people, "connections", 2000, "simulated people, with one connection each")
	flag.IntVar(&o.days, "days", 3, "days of history of each")
	flag.IntVar(&o.workers, "workers", 3, "worker processes")
	flag.DurationVar(&o.killEvery, "kill-every", 4*time.Second, "how often a worker is killed; 0 is never")
	flag.StringVar(&o.redisURL, "redis-url", "", "the server, as redis://user:password@host:port/db; empty starts one")
	flag.StringVar(&o.prefix, "prefix", "vitalmux-fleet:", "what the keys of the store begin with")
	flag.Uint64Var(&o.seed, "seed", 1, "what the simulated world is made from, and which workers are killed")
	command.Parse("fleet")
	err := run(ctx, o, os.Stdout)
	switch {
	case err == nil:
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		fmt.Println("\nInterrupted. The workers have ended; another run begins anew.")
		os.Exit(130)
	default:
		fmt.Fprintln(os.Stderr, "fleet:", err)
		os.Exit(1)
	}
}

// quiet drops a line for each connection that fails: the store's errors say it.
type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

type options struct {
	people, days, workers int
	killEvery             time.Duration
	redisURL, prefix      string
	seed                  uint64
}

func run(ctx context.Context, o options, out io.Writer) (err error) {
	if o.people < 1 || o.days < 1 || o.workers < 1 {
		return errors.New("-connections, -days and -workers are at least 1")
	}
	if o.redisURL == "" {
		server, err := redistest.Start(redistest.Config{})
		if err != nil {
			return err
		}
		defer server.Close()
		o.redisURL = "redis://" + server.Addr()
	}
	world, err := newWorld(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, world.close()) }()
	j := job{RedisURL: o.redisURL, Prefix: o.prefix, Service: world.address, Key: world.key, History: time.Duration(o.days+4) * 24 * time.Hour}
	p, err := j.open(ctx)
	if errors.Is(err, healthsync.ErrKeys) {
		return fmt.Errorf("an earlier run used -prefix %s on this server: choose another", o.prefix)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()

	fmt.Fprintf(out, "%d people consent\n", o.people)
	if err := world.connect(ctx, p.engine, out); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d workers share two tasks of each person: what is new, and the days before", o.workers)
	if o.killEvery > 0 {
		fmt.Fprintf(out, "; one is killed every %v", o.killEvery)
	}
	fmt.Fprintln(out)
	began := time.Now()
	f := &force{job: j, random: rand.New(rand.NewPCG(o.seed, 0))}
	defer func() { err = errors.Join(err, f.end()) }()
	for range o.workers {
		if err := f.start(); err != nil {
			return err
		}
	}
	if err := f.watch(ctx, o, p.engine, world, out); err != nil {
		return err
	}
	took := time.Since(began)
	if err := f.end(); err != nil {
		return err
	}
	fmt.Fprintln(out, "Nothing is left; comparing the store with the simulator")
	total, err := world.compare(ctx, p.db)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%d records and %d samples of %d people in %v, with %d kills: exactly what the simulator holds\n",
		total.records, total.samples, o.people, took.Round(time.Millisecond), f.kills)
	return nil
}

// force is the workers.
type force struct {
	job     job
	random  *rand.Rand
	workers []*worker
	kills   int
}

// start adds a worker.
func (f *force) start() error {
	w, err := f.job.start()
	if err == nil {
		f.workers = append(f.workers, w)
	}
	return err
}

// kill ends one worker as a crash does, and starts another.
func (f *force) kill() error {
	i := f.random.IntN(len(f.workers))
	victim := f.workers[i]
	f.workers = slices.Delete(f.workers, i, i+1)
	if err := victim.process.Kill(); err != nil {
		return fmt.Errorf("killing a worker: %w", err)
	}
	_ = victim.wait() // it says that it was killed
	f.kills++
	return f.start()
}

// check returns an error if a worker ended by itself.
func (f *force) check() error {
	for i, w := range f.workers {
		select {
		case err := <-w.ended:
			f.workers = slices.Delete(f.workers, i, i+1)
			return fmt.Errorf("a worker ended by itself: %w", cmp.Or(err, errors.New("it reported no error")))
		default:
		}
	}
	return nil
}

// end asks all workers to end, and waits for them.
func (f *force) end() error {
	for _, w := range f.workers {
		_ = w.lifeline.Close()
	}
	var errs []error
	for _, w := range f.workers {
		if err := w.wait(); err != nil {
			errs = append(errs, fmt.Errorf("a worker: %w", err))
		}
	}
	f.workers = nil
	return errors.Join(errs...)
}

// watch prints how far the work is, every five seconds, and kills workers, until
// nothing is due.
func (f *force) watch(ctx context.Context, o options, engine *healthsync.Engine, w *world, out io.Writer) error {
	began := time.Now()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	killed, printed := began.Add(-o.killEvery/2), began // the first kill comes soon
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if err := f.check(); err != nil {
			return err
		}
		now, most := time.Now(), 1
		if now.Sub(printed) >= 5*time.Second {
			most = 2 * o.people
		}
		due, err := engine.Due(ctx, most)
		if err != nil {
			return err
		}
		if len(due) == 0 {
			return nil
		}
		if o.killEvery > 0 && now.Sub(killed) >= o.killEvery {
			killed = now
			if err := f.kill(); err != nil {
				return err
			}
		}
		if most > 1 {
			printed = now
			fmt.Fprintf(out, "  %4.0f s: %4d of %d tasks are left, %d requests, %d kills\n",
				now.Sub(began).Seconds(), len(due), 2*o.people, w.requests.Load(), f.kills)
		}
	}
}
