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
// Without -redis-url it starts a redis-server of its own, if one is installed,
// and throws its data away in the end. With it, -prefix must not be that of an
// earlier run.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/vitalmux/vitalmux/store/redis/redistest"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if os.Getenv(workerVariable) != "" {
		if err := work(ctx, os.Stdin); err != nil {
			fmt.Fprintln(os.Stderr, "worker:", err)
			os.Exit(1)
		}
		return
	}
	var o options
	flag.IntVar(&o.people, "connections", 2000, "simulated people, with one connection each")
	flag.IntVar(&o.days, "days", 3, "days of history of each")
	flag.IntVar(&o.workers, "workers", 3, "worker processes")
	flag.DurationVar(&o.killEvery, "kill-every", 4*time.Second, "how often a worker is killed; 0 is never")
	flag.StringVar(&o.redisURL, "redis-url", "", "the server, as redis://user:password@host:port/db; empty starts one")
	flag.StringVar(&o.prefix, "prefix", "vitalmux-fleet:", "what the keys of the store begin with")
	flag.Uint64Var(&o.seed, "seed", 1, "what the simulated world is made from, and which workers are killed")
	flag.Parse()
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "fleet:", err)
		os.Exit(1)
	}
}

type options struct {
	people, days, workers int
	killEvery             time.Duration
	redisURL, prefix      string
	seed                  uint64
}

func run(ctx context.Context, o options, out io.Writer) (err error) {
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
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()

	fmt.Fprintf(out, "Connecting %d people\n", o.people)
	if err := world.connect(ctx, p.engine); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d workers; one is killed every %v\n", o.workers, o.killEvery)
	began := time.Now()
	f := &force{job: j, random: rand.New(rand.NewPCG(o.seed, 0))}
	defer f.end()
	for range o.workers {
		if err := f.start(); err != nil {
			return err
		}
	}
	if err := f.watch(ctx, o, p.engine, world, out); err != nil {
		return err
	}
	took := time.Since(began)
	f.end()
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
	workers []*exec.Cmd
	kills   int
}

// start adds a worker.
func (f *force) start() error {
	cmd, err := f.job.start()
	if err == nil {
		f.workers = append(f.workers, cmd)
	}
	return err
}

// kill ends one worker as a crash does, and starts another.
func (f *force) kill() error {
	i := f.random.IntN(len(f.workers))
	victim := f.workers[i]
	f.workers = append(f.workers[:i], f.workers[i+1:]...)
	if err := victim.Process.Kill(); err != nil {
		return fmt.Errorf("a worker ended by itself: %w", err)
	}
	_ = victim.Wait() // it says that it was killed
	f.kills++
	return f.start()
}

// end asks all workers to end, and waits for them.
func (f *force) end() {
	for _, w := range f.workers {
		_ = w.Process.Signal(syscall.SIGTERM)
	}
	for _, w := range f.workers {
		_ = w.Wait()
	}
	f.workers = nil
}

// watch prints how far the work is, and kills workers, until nothing is due.
func (f *force) watch(ctx context.Context, o options, engine *healthsync.Engine, w *world, out io.Writer) error {
	began := time.Now()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	killed, printed := began, began
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		now, most := time.Now(), 1
		if now.Sub(printed) >= time.Second {
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
