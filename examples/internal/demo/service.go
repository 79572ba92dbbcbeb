package demo

import (
	"bufio"
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
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/withings"
	"github.com/vitalmux/vitalmux/providers/withings/withingstest"
)

// service is what the demonstration talks to: the real service or a simulator.
type service struct {
	provider    providers.Provider
	redirectURL string
	// people are the users to connect.
	people []string
	// forgets is set when the service does not know the tokens of an earlier
	// run.
	forgets bool
	// consent sends the person's browser to the address and returns the query
	// that the service sends it back with.
	consent func(ctx context.Context, person int, address string) (url.Values, error)
	// evolve lets the service's data change; nil if we cannot.
	evolve func() (string, error)
	close  func() error
}

func openService(o Options, in io.Reader, out io.Writer) (*service, error) {
	if o.real() {
		return realService(o, in, out)
	}
	if o.Simulator != "" {
		return simulatorElsewhere(o)
	}
	return simulatorInside(o, out)
}

// realService talks to Withings. The person pastes the address that the
// browser ends up at, because the callback must be a public https address.
func realService(o Options, in io.Reader, out io.Writer) (*service, error) {
	if _, err := os.Stat(o.worldFile()); err == nil {
		return nil, fmt.Errorf("%s is about simulated people: name another file", o.State)
	}
	adapter, err := withings.New(withings.Config{ClientID: o.ClientID, ClientSecret: providers.NewSecret(o.ClientSecret)})
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(in)
	return &service{
		provider:    adapter,
		redirectURL: o.RedirectURL,
		people:      []string{"me"},
		close:       func() error { return nil },
		consent: func(ctx context.Context, _ int, address string) (url.Values, error) {
			fmt.Fprintf(out, "Open this address in a browser and allow access:\n\n  %s\n\n", address)
			fmt.Fprintln(out, "Then paste here, within 30 seconds, the whole address the browser was sent to")
			fmt.Fprint(out, "(the code in it lives no longer; if it is too late, run this again): ")
			line, err := nextLine(ctx, lines)
			if err != nil {
				return nil, err
			}
			u, err := url.Parse(strings.TrimSpace(line))
			if err != nil || !u.Query().Has("state") {
				return nil, errors.New("that is not the address the browser was sent to: it has no state")
			}
			return u.Query(), nil
		},
	}, nil
}

// nextLine waits for a line, or for the end of ctx. What waits for the line then
// goes on until the program ends.
func nextLine(ctx context.Context, lines *bufio.Scanner) (string, error) {
	read := make(chan bool, 1)
	go func() { read <- lines.Scan() }()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case ok := <-read:
		if !ok {
			return "", errors.Join(errors.New("no address was pasted"), lines.Err())
		}
		return lines.Text(), nil
	}
}

// simulatorElsewhere talks to a simulator in another process.
func simulatorElsewhere(o Options) (*service, error) {
	adapter, err := withings.New(simulatorConfig(o.Simulator))
	if err != nil {
		return nil, err
	}
	s := &service{
		provider:    adapter,
		redirectURL: withingstest.DefaultRedirectURL,
		people:      Names()[:o.Users],
		close:       func() error { return nil },
	}
	s.consent = func(ctx context.Context, person int, address string) (url.Values, error) {
		return browse(ctx, address, person)
	}
	return s, nil
}

func simulatorConfig(address string) withings.Config {
	return withings.Config{
		ClientID: withingstest.DefaultClientID, ClientSecret: providers.NewSecret(withingstest.DefaultClientSecret),
		BaseURL: address, AccountURL: address,
		// The simulator of the demonstration is not limited.
		RequestsPerMinute: -1,
	}
}

// Names returns the simulated people, in the order in which they are connected.
func Names() []string {
	return []string{"ada", "ben", "cleo", "dina", "emil", "fay", "gus", "hana", "ivo", "june"}
}

// heldBack is how many of the last days the simulated service publishes only
// as it evolves, one each time.
const heldBack = 2

// world is what makes two runs see the same simulated service.
type world struct {
	Provider   string    `json:"provider"`
	Seed       uint64    `json:"seed"`
	Started    time.Time `json:"started"`
	Users      int       `json:"users"`
	Days       int       `json:"days"`
	Evolutions int       `json:"evolutions"`
}

// now is the time in the world, which stands still.
func (w world) now() time.Time { return w.Started }

// worldFile is where the simulated world is kept.
func (o Options) worldFile() string { return o.State + ".world" }

// simulatorInside starts a simulator on a free loopback port. Its clock stands
// still at the moment of the first run, so that a later run finds the same
// world again; what it did meanwhile is repeated from the file beside the
// database.
func simulatorInside(o Options, out io.Writer) (*service, error) {
	file := o.worldFile()
	w := world{
		Provider: o.provider(), Seed: o.Seed, Started: time.Now().UTC().Truncate(time.Second), Users: o.Users, Days: o.Days,
	}
	text, err := os.ReadFile(file)
	switch {
	case err == nil:
		if err := json.Unmarshal(text, &w); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if w.Provider != o.provider() {
			return nil, fmt.Errorf("%s is about people of %s: name another file", o.State, w.Provider)
		}
		fmt.Fprintf(out, "Going on with %s: %d people, %d days, seed %d.\n", o.State, w.Users, w.Days, w.Seed)
	case errors.Is(err, os.ErrNotExist):
		if err := w.save(file); err != nil {
			return nil, err
		}
	default:
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := "http://" + listener.Addr().String()
	sim, err := simulators[w.Provider](w, address)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	for range w.Evolutions {
		sim.evolve()
	}
	server := &http.Server{Handler: sim.handler, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	fmt.Fprintf(out, "A simulated %s runs at %s with %d people.\n", sim.name, address, w.Users)

	return &service{
		provider:    sim.provider,
		redirectURL: sim.redirectURL,
		people:      Names()[:w.Users],
		forgets:     true,
		consent: func(ctx context.Context, person int, address string) (url.Values, error) {
			return browse(ctx, address, person)
		},
		evolve: func() (string, error) {
			w.Evolutions++
			// Saved before it happens: a run that is killed in between
			// repeats the change, and finds it already stored.
			if err := w.save(file); err != nil {
				return "", err
			}
			return sim.evolve().String(), nil
		},
		close: func() error {
			err := server.Close()
			if e := <-served; !errors.Is(e, http.ErrServerClosed) {
				err = errors.Join(err, e)
			}
			return err
		},
	}, nil
}

func (w world) save(file string) error {
	text, err := json.Marshal(w)
	if err != nil {
		return err
	}
	return writeFile(file, append(text, '\n'))
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

// browse does what a browser does: it opens the consent page, presses "allow"
// for the person, and does not follow the redirect to the callback, whose
// query it returns. The callback is an https address that nobody serves here.
func browse(ctx context.Context, address string, person int) (url.Values, error) {
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	form := url.Values{"user": {personID(person)}, "person": {personID(person)}, "accept": {"1"}}
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
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 200))
		return nil, fmt.Errorf("the consent page answered %s: %s", answer.Status, strings.TrimSpace(string(text)))
	}
	to, err := answer.Location()
	if err != nil {
		return nil, err
	}
	return to.Query(), nil
}
