// Command simulator serves the simulated provider APIs on one port, for trying out a service without accounts,
// devices or a network.
//
//	go run ./examples/simulator -addr 127.0.0.1:8080
//
// Every provider has its own path: /fitbit, /googlehealth, /terra, /withings. The first line of standard output is one JSON object with the base
// addresses and ready-made credentials; credentials are printed because all of them are made up. Interrupt it to stop.
// Users' data grows with the clock while it runs.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "simulator:", err)
		os.Exit(1)
	}
}

// options are the command line.
type options struct {
	addr          string
	seed          uint64
	users, days   int
	grow          time.Duration
	allowLoopback bool
	redirectURLs  redirects
}

// redirects are the registered redirect addresses by provider; that of the empty
// name is for all that have none of their own.
type redirects map[string]string

// String is for package flag.
func (r redirects) String() string { return "" }

// Set takes ADDRESS or PROVIDER=ADDRESS.
func (r redirects) Set(text string) error {
	name, address, own := strings.Cut(text, "=")
	if _, known := services()[name]; !own || !known {
		name, address = "", text
	}
	if u, err := url.Parse(address); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return fmt.Errorf("%q is not an address", address)
	}
	r[name] = address
	return nil
}

// of returns the addresses to register for a provider: none for its default.
func (r redirects) of(provider string) []string {
	for _, name := range []string{provider, ""} {
		if address := r[name]; address != "" {
			return []string{address}
		}
	}
	return nil
}

func parse(args []string, stderr io.Writer) (options, error) {
	o := options{redirectURLs: redirects{}}
	fs := flag.NewFlagSet("simulator", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&o.addr, "addr", "127.0.0.1:0", "`host:port` to listen on; port 0 picks a free one")
	fs.Uint64Var(&o.seed, "seed", 1, "same `seed`, same users and data")
	fs.IntVar(&o.users, "users", 3, "how many users each provider has")
	fs.IntVar(&o.days, "days", 90, "days of history of each user")
	fs.DurationVar(&o.grow, "grow", time.Minute, "how often new data appears; 0 is never")
	fs.BoolVar(&o.allowLoopback, "allow-loopback", false, "accept registered redirect addresses on loopback hosts")
	fs.Var(o.redirectURLs, "redirect-url", "registered redirect `address`; provider=address for one provider; may be repeated")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	switch {
	case fs.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	case o.users < 1:
		return o, errors.New("-users must be at least 1")
	case o.days < 1:
		return o, errors.New("-days must be at least 1")
	case o.grow < 0:
		return o, errors.New("-grow must not be negative")
	}
	return o, nil
}

// instance is one simulated provider that is being served.
type instance struct {
	handler http.Handler
	about   any    // its member of the JSON object
	catchUp func() // lets the data grow up to now
	close   func() // ends what it does on its own; nil if nothing
}

// services maps the path of a provider to what starts it; base is the address its clients use.
func services() map[string]func(o options, base string) instance {
	return map[string]func(options, string) instance{
		"fitbit":       startFitbit,
		"googlehealth": startGoogleHealth,
		"terra":        startTerra,
		"withings":     startWithings,
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", o.addr)
	if err != nil {
		return err
	}
	address := "http://" + reachable(listener.Addr())
	mux := http.NewServeMux()
	about := map[string]any{"address": address}
	var running []instance
	for name, start := range services() {
		in := start(o, address+"/"+name)
		mux.Handle("/"+name+"/", http.StripPrefix("/"+name, in.handler))
		about[name] = in.about
		running = append(running, in)
		if in.close != nil {
			defer in.close()
		}
	}
	if err := json.NewEncoder(stdout).Encode(about); err != nil {
		return errors.Join(err, listener.Close())
	}
	return serve(ctx, listener, mux, running, o.grow)
}

// reachable is the listener's address as a client on this machine writes it.
func reachable(a net.Addr) string {
	if tcp, ok := a.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port))
	}
	return a.String()
}

// serve answers until ctx ends, then gives requests under way a moment to finish.
func serve(ctx context.Context, listener net.Listener, handler http.Handler, running []instance, grow time.Duration) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()

	var tick <-chan time.Time
	if grow > 0 {
		ticker := time.NewTicker(grow)
		defer ticker.Stop()
		tick = ticker.C
	}
	for {
		select {
		case <-tick:
			for _, in := range running {
				in.catchUp()
			}
		case err := <-done:
			return err
		case <-ctx.Done():
			grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
			defer cancel()
			err := server.Shutdown(grace)
			if err != nil {
				err = server.Close()
			}
			if ended := <-done; !errors.Is(ended, http.ErrServerClosed) {
				err = errors.Join(err, ended)
			}
			return err
		}
	}
}
