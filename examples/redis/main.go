// Command redis is the demonstration of vitalmux on Redis: the twin of
// examples/sqlite.
//
//	go run ./examples/redis -redis-url redis://127.0.0.1:6379/0
//
// Without -redis-url it starts a redis-server of its own, if one is installed,
// and throws its data away in the end. Otherwise all is as in examples/sqlite: a
// simulated Withings inside, unless there are credentials for the real one.
//
// A server that may lose what it acknowledged is refused, with the name of the
// setting. That of a Redis as it comes is such a one; -allow-lossy takes it all
// the same.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	goredis "github.com/redis/go-redis/v9"

	"github.com/vitalmux/vitalmux/examples/internal/command"
	"github.com/vitalmux/vitalmux/examples/internal/demo"
	"github.com/vitalmux/vitalmux/store"
	redisstore "github.com/vitalmux/vitalmux/store/redis"
	"github.com/vitalmux/vitalmux/store/redis/redistest"
)

func main() {
	var o options
	flag.StringVar(&o.url, "redis-url", "", "the server, as redis://user:password@host:port/db; empty starts one")
	flag.StringVar(&o.prefix, "prefix", "vitalmux-demo:", "what the keys begin with")
	flag.BoolVar(&o.lossy, "allow-lossy", false, "take a server that may lose what it acknowledged")
	flag.StringVar(&o.State, "state", "demo-redis.db", "with -redis-url: what the names of the files with the key and the simulated world begin with")
	o.Flags()
	goredis.SetLogger(quiet{})
	command.Main("demo", o.interrupted, func(ctx context.Context) error { return run(ctx, o, os.Stdin, os.Stdout) })
}

// quiet drops a line for each connection that fails: the store's error says it.
type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

type options struct {
	demo.Options
	url, prefix string
	lossy       bool
}

// interrupted is what it means to end the program in the middle.
func (o *options) interrupted() string {
	if o.url == "" {
		return "The data went with the server. -redis-url keeps them."
	}
	return command.GoesOn()
}

func run(ctx context.Context, o options, in io.Reader, out io.Writer) (err error) {
	own := o.url == ""
	if own {
		server, err := redistest.Start(redistest.Config{})
		if err != nil {
			return err
		}
		defer server.Close()
		dir, err := os.MkdirTemp("", "demo-redis")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		o.url, o.State = "redis://"+server.Addr(), filepath.Join(dir, "demo")
		fmt.Fprintf(out, "A Redis runs at %s.\n", server.Addr())
	}
	parsed, err := goredis.ParseURL(o.url)
	if err != nil {
		return errors.New("-redis-url is not the address of a Redis")
	}
	where := goredis.UniversalOptions{
		Addrs: []string{parsed.Addr}, DB: parsed.DB,
		Username: parsed.Username, Password: parsed.Password, TLSConfig: parsed.TLSConfig,
	}
	open := func() (store.Store, error) {
		db, err := redisstore.Open(ctx, redisstore.Options{Redis: where, Prefix: o.prefix, AllowLossy: o.lossy})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", parsed.Addr, err)
		}
		return db, nil
	}
	if err := demo.Run(ctx, o.Options, open, in, out); err != nil {
		return err
	}
	client := goredis.NewUniversalClient(&where)
	defer func() { err = errors.Join(err, client.Close()) }()
	keys := 0
	for all := client.Scan(ctx, 0, o.prefix+"*", 1000).Iterator(); all.Next(ctx); {
		keys++
	}
	fmt.Fprintf(out, "\n%d keys begin with %s", keys, o.prefix)
	if own {
		fmt.Fprintln(out, "; they go with the server. -redis-url keeps them.")
		return nil
	}
	_, err = fmt.Fprintf(out, ". Look for yourself:\n  redis-cli --scan --pattern '%s*'\n", o.prefix)
	return err
}
