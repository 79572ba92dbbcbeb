// Command fitbit-archive imports an archive of answers of the legacy Fitbit Web API, which has ended, and prints what is
// in it.
//
// It needs no network and no account. Without -dir it makes an archive first, with the answers of a simulator of the
// service, as a host may have kept them while the service was there: one file per answer, in the layout of
// fitbit.ArchivePath. With -dir it reads that folder, and fills it first if it is empty or missing. The import runs
// twice, to show that the second changes nothing.
//
//	go run ./examples/fitbit-archive -days 30
//	go run ./examples/fitbit-archive -dir ./my-archive
package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/vitalmux/vitalmux/examples/internal/command"
	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/fitbit"
	"github.com/vitalmux/vitalmux/providers/fitbit/fitbittest"
	"github.com/vitalmux/vitalmux/providers/providertest"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

func main() {
	dir := flag.String("dir", "", "folder of the archive; empty makes one that is removed in the end")
	days := flag.Int("days", 30, "days of history of a new archive")
	seed := flag.Uint64("seed", 1, "what the simulated world is made from")
	interrupted := func() string {
		if *dir == "" {
			return "The archive was removed."
		}
		return "An archive that is not whole is made anew the next time."
	}
	command.Main("fitbit-archive", interrupted, func(ctx context.Context) error { return run(ctx, os.Stdout, *dir, *days, *seed) })
}

func run(ctx context.Context, out io.Writer, dir string, days int, seed uint64) (err error) {
	if days < 1 {
		return errors.New("-days must be at least 1")
	}
	if dir == "" {
		if dir, err = os.MkdirTemp("", "fitbit-archive-*"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir), os.RemoveAll(dir+".part")) }()
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	sim := fitbittest.New(fitbittest.Config{Seed: seed, Days: days, IntradayDays: 2, RateLimit: -1, BaseURL: fitbit.DefaultBaseURL})
	adapter, err := fitbit.New(fitbit.Config{
		ClientID: fitbittest.DefaultClientID, ClientSecret: providers.NewSecret(fitbittest.DefaultClientSecret),
		Transport: providertest.Transport(sim), RequestsPerHour: -1, RoutesPerPage: -1,
	})
	if err != nil {
		return err
	}
	if len(entries) == 0 {
		files, err := keepWhole(ctx, adapter, sim, dir, days)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "Kept %d answers of the service in %s.\n", files, dir)
	}
	sim.Retire(time.Now()) // from here on there is the archive only

	records := store.NewMemory()
	engine, err := newEngine(adapter, records)
	if err != nil {
		return err
	}
	const user = "you"
	for _, what := range []string{"Imported", "Imported again"} {
		report, err := engine.Import(ctx, healthsync.ImportRequest{User: user, Provider: fitbit.Name}, fitbit.Archive(os.DirFS(dir)))
		if err != nil {
			return err
		}
		total, quarantined := report.Total(), 0
		for _, s := range report.Streams {
			quarantined += s.Quarantined
		}
		fmt.Fprintf(out, "%s: %d new records, %d changed, %d set aside.\n", what, total.Inserted, total.Revised, quarantined)
	}
	fmt.Fprintln(out)
	return table(ctx, out, records, user)
}

func newEngine(adapter *fitbit.Provider, records store.Store) (*healthsync.Engine, error) {
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return nil, err
	}
	keys, err := healthsync.NewKeyring(healthsync.Key{ID: "example", Secret: secret})
	if err != nil {
		return nil, err
	}
	return healthsync.New(healthsync.Config{Providers: []providers.Provider{adapter}, Store: records, Sealer: keys})
}

// keepWhole fills a folder that is empty or missing. It has that name once all
// answers are in it: half an archive looks like a whole one.
func keepWhole(ctx context.Context, adapter *fitbit.Provider, sim *fitbittest.Server, dir string, days int) (int, error) {
	part := filepath.Clean(dir) + ".part"
	if err := os.RemoveAll(part); err != nil { // of a run that did not come to its end
		return 0, err
	}
	files, err := keep(ctx, adapter, sim, part, days)
	if err != nil {
		return 0, err
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	return files, os.Rename(part, dir)
}

// keep writes the answers about the last days into a folder and returns how many there are.
func keep(ctx context.Context, adapter *fitbit.Provider, sim *fitbittest.Server, dir string, days int) (int, error) {
	person := sim.AddPerson(fitbittest.PersonConfig{Timezone: "Europe/Berlin"})
	zone, err := time.LoadLocation(person.Timezone)
	if err != nil {
		return 0, err
	}
	token := sim.Login(person.ID)
	cred := providers.Credential{UpstreamID: person.ID, Access: providers.NewSecret(token.AccessToken)}
	last := health.DayOf(time.Now().In(zone))
	files := 0
	for _, s := range adapter.Capabilities().Streams {
		for _, window := range windows(s, last.Add(1-days), last) {
			number := 0
			for page, err := range providers.Pages(ctx, adapter, cred, providers.Query{Stream: s.Name, Window: window, Zone: zone}) {
				if err != nil {
					return files, err
				}
				for _, body := range page.Raw {
					path := filepath.Join(dir, filepath.FromSlash(fitbit.ArchivePath(s.Name, body.Name, number)))
					if err := write(path, body.Body, page.Date); err != nil {
						return files, err
					}
					files++
				}
				number++
			}
		}
	}
	return files, nil
}

// windows divides a period into the longest ones that a stream takes.
func windows(s providers.Stream, first, last health.Day) []health.Window {
	if s.Grain == providers.GrainNone {
		return []health.Window{{}}
	}
	days := int(cmp.Or(s.MaxWindow, 1000*24*time.Hour) / (24 * time.Hour))
	var all []health.Window
	for ; first.Compare(last) <= 0; first = first.Add(days) {
		end := first.Add(days - 1)
		if last.Compare(end) < 0 {
			end = last
		}
		all = append(all, health.Window{First: first, Last: end})
	}
	return all
}

// write writes a file whose time is that of the answer in it.
func write(path string, body []byte, at time.Time) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(path, body, 0o600); err != nil {
		return err
	}
	return os.Chtimes(path, at, at)
}

// line is what is there of one stream.
type line struct {
	records     int
	first, last string
}

func table(ctx context.Context, out io.Writer, records store.Store, user string) error {
	lines := map[string]*line{}
	for r, err := range store.AllRecords(ctx, records, store.RecordQuery{User: user}) {
		if err != nil {
			return err
		}
		l := lines[r.Stream()]
		if l == nil {
			l = &line{}
			lines[r.Stream()] = l
		}
		l.records++
		if wall, ok := r.Span.Start.WallMilli(); ok {
			day := time.UnixMilli(wall).UTC().Format(time.DateOnly)
			l.first, l.last = min(cmp.Or(l.first, day), day), max(l.last, day)
		}
	}
	if len(lines) == 0 {
		return errors.New("there are no answers of the Fitbit Web API in the folder")
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "stream\trecords\tfirst day\tlast day\t")
	for _, name := range slices.Sorted(maps.Keys(lines)) {
		l := lines[name]
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t\n", name, l.records, l.first, l.last)
	}
	return w.Flush()
}
