package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vitalmux/vitalmux/providers/withings/oauth1"
	"github.com/vitalmux/vitalmux/providers/withings/withingstest"
)

// upstreamID is the person at the simulated service: somebody with a scale, a
// blood pressure monitor and a watch.
const upstreamID = 1002

// service is the simulator inside of the process.
type service struct {
	address string
	server  *http.Server
	served  chan error
	file    string
	world   world
}

// world is what makes two runs see the same simulated service.
type world struct {
	Seed    uint64    `json:"seed"`
	Started time.Time `json:"started"`
	Days    int       `json:"days"`
	// Migrated is set when a run got as far as that.
	Migrated bool `json:"migrated"`
}

// startService starts a simulator on a free loopback port. Its world is that of
// the moment of the first run, so that a later run finds the same data; tokens of
// an earlier run it does not know.
func startService(o options, out io.Writer) (*service, error) {
	// A minute ago: what the world did last is not of the same second as what is
	// asked first.
	s := &service{
		file: o.path + ".world", served: make(chan error, 1),
		world: world{Seed: o.seed, Started: time.Now().UTC().Add(-time.Minute).Truncate(time.Second), Days: o.days},
	}
	text, err := os.ReadFile(s.file)
	switch {
	case err == nil:
		if err := json.Unmarshal(text, &s.world); err != nil {
			return nil, fmt.Errorf("%s: %w", s.file, err)
		}
		fmt.Fprintf(out, "Going on with %s.\n", o.path)
	case !errors.Is(err, os.ErrNotExist):
		return nil, err
	default:
		if err := s.save(); err != nil {
			return nil, err
		}
	}
	var made atomic.Bool
	sim := withingstest.New(withingstest.Config{
		Seed: s.world.Seed, RateLimit: -1, IdenticalCallWindow: -1,
		Now: func() time.Time {
			if made.Load() {
				return time.Now()
			}
			return s.world.Started
		},
	})
	sim.AddUser(withingstest.UserConfig{ID: upstreamID, Days: s.world.Days, Timezone: "Europe/Berlin"})
	made.Store(true)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.server = &http.Server{Handler: sim, ReadHeaderTimeout: 10 * time.Second}
	go func() { s.served <- s.server.Serve(listener) }()
	s.address = "http://" + listener.Addr().String()
	fmt.Fprintf(out, "A simulated Withings of 2018 runs at %s.\n", s.address)
	return s, nil
}

// migrated notes that the connection was moved.
func (s *service) migrated() error {
	s.world.Migrated = true
	return s.save()
}

func (s *service) save() error {
	text, err := json.Marshal(s.world)
	if err != nil {
		return err
	}
	return writeFile(s.file, append(text, '\n'))
}

func (s *service) close() error {
	err := s.server.Close()
	if e := <-s.served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}

// writeFile replaces a file in one step, so that a kill leaves the old or the
// new one.
func writeFile(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// consent does what a browser does: it opens the consent page, presses "allow"
// for the person, and does not follow the redirect to the callback, whose query
// it returns. The callback is an https address that nobody serves here.
func consent(ctx context.Context, address string) (url.Values, error) {
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	form := url.Values{"user": {strconv.Itoa(upstreamID)}, "accept": {"1"}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := browser.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusFound {
		return nil, fmt.Errorf("the consent page answered %s", answer.Status)
	}
	to, err := answer.Location()
	if err != nil {
		return nil, err
	}
	return to.Query(), nil
}

// printer shows signatures as they are made. The engine makes them one at a time.
type printer struct {
	out    io.Writer
	all    bool
	titles []string
	data   int
}

// expect names the next signatures.
func (p *printer) expect(titles ...string) { p.titles = titles }

// calls returns how many data calls were signed.
func (p *printer) calls() int { return p.data }

// show prints the steps of one signature. They hold the token and a signature
// that is good for once: this is for a screen, and not for a log.
func (p *printer) show(t oauth1.Trace) {
	title := ""
	if len(p.titles) > 0 {
		title, p.titles = p.titles[0], p.titles[1:]
	}
	for _, parameter := range t.Parameters {
		if parameter.Name == "action" {
			p.data++
			if title == "" && p.all {
				title = fmt.Sprintf("Data call %d: %s", p.data, parameter.Value)
			}
		}
	}
	if title == "" {
		return
	}
	fmt.Fprintf(p.out, "\n  %s\n", title)
	for line := range strings.Lines(t.String()) {
		for _, part := range broken(strings.TrimSuffix(line, "\n")) {
			fmt.Fprintf(p.out, "   %s\n", part)
		}
	}
}

const (
	// lineWidth is how wide a line of a trace may be: with the margin in front
	// of it, 100 columns.
	lineWidth = 97
	// nameWidth is the column of names in front of each line of a trace.
	nameWidth = 13
)

// broken breaks a line of a trace, in front of a parameter where it can. The
// parts behind the first stand in the column of values.
func broken(line string) []string {
	var parts []string
	for len(line) > lineWidth {
		cut := lineWidth
		if at := max(strings.LastIndex(line[:cut+1], "&"), strings.LastIndex(line[:min(cut+3, len(line))], "%26")); at > lineWidth/2 {
			cut = at
		} else if at := strings.LastIndexByte(line[:cut], '%'); at > cut-3 {
			cut = at // an escape stays in one piece
		}
		parts = append(parts, line[:cut])
		line = strings.Repeat(" ", nameWidth) + line[cut:]
	}
	return append(parts, line)
}
