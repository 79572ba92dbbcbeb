// Command googlehealth connects a person's Google Health account and prints what is known of their last days.
//
// It needs no network and no account: a simulator of the service runs inside the process. The person consents, as a
// browser would have them do, the history is read through the sync engine, and a table of days is printed, put together
// from the records of several data types.
//
//	go run ./examples/googlehealth -days 14
package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/vitalmux/vitalmux/examples/internal/command"
	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/googlehealth"
	"github.com/vitalmux/vitalmux/providers/googlehealth/googlehealthtest"
	"github.com/vitalmux/vitalmux/providers/providertest"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

func main() {
	days := flag.Int("days", 14, "days of history to read")
	seed := flag.Uint64("seed", 1, "what the simulated world is made from")
	nothing := func() string { return "Nothing was kept: it was all in memory." }
	command.Main("googlehealth", nothing, func(ctx context.Context) error { return run(ctx, os.Stdout, *days, *seed) })
}

func run(ctx context.Context, out io.Writer, days int, seed uint64) error {
	if days < 1 {
		return errors.New("-days must be at least 1")
	}
	sim := googlehealthtest.New(googlehealthtest.Config{Seed: seed, Days: days, Testing: true})
	person := sim.AddUser(googlehealthtest.UserConfig{Timezone: "Europe/Berlin"})
	adapter, err := googlehealth.New(googlehealth.Config{
		ClientID: googlehealthtest.DefaultClientID, ClientSecret: providers.NewSecret(googlehealthtest.DefaultClientSecret),
		Transport: providertest.Transport(sim), // the simulator instead of the network
		Streams:   []string{"settings", "identity", "steps_daily", "distance_daily", "daily_resting_heart_rate", "sleep", "exercise"},
	})
	if err != nil {
		return err
	}
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return err
	}
	keys, err := healthsync.NewKeyring(healthsync.Key{ID: "example", Secret: secret})
	if err != nil {
		return err
	}
	records := store.NewMemory()
	engine, err := healthsync.New(healthsync.Config{Providers: []providers.Provider{adapter}, Store: records, Sealer: keys})
	if err != nil {
		return err
	}

	const user = "you"
	address, err := engine.Connect(ctx, healthsync.ConnectRequest{
		User: user, Provider: googlehealth.Name, RedirectURL: googlehealthtest.DefaultRedirectURL,
	})
	if err != nil {
		return err
	}
	back, err := sim.Authorize(person.ID, address) // the person consents
	if err != nil {
		return err
	}
	conn, err := engine.Complete(ctx, back.Query())
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Connected Google Health user %s, who is %s at Fitbit.\n", conn.UpstreamID, person.LegacyID)

	if _, err := engine.Sync(ctx, conn.ID); err != nil {
		return err
	}
	report, err := engine.Backfill(ctx, conn.ID, time.Now().AddDate(0, 0, -days))
	if err != nil {
		return err
	}
	pages := 0
	for _, s := range report.Streams {
		pages += s.Pages
	}
	fmt.Fprintf(out, "Read the history with %d pages, %d requests in all.\n\n", pages, len(sim.Requests()))
	return table(ctx, out, records, user)
}

// line is what is known of one civil day.
type line struct {
	steps, restingRate string
	kilometres, asleep float64
	workouts           int
}

func table(ctx context.Context, out io.Writer, records store.Store, user string) error {
	lines := map[health.Day]*line{}
	for q := (store.RecordQuery{User: user}); ; {
		page, err := records.Records(ctx, q)
		if err != nil {
			return err
		}
		for i := range page.Records {
			add(lines, &page.Records[i])
		}
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "day\tsteps\tkm\tresting 1/min\tasleep h\tworkouts\t")
	for _, day := range slices.SortedFunc(maps.Keys(lines), health.Day.Compare) {
		l := lines[day]
		fmt.Fprintf(w, "%s\t%s\t%.1f\t%s\t%.1f\t%d\t\n",
			day, cmp.Or(l.steps, "-"), l.kilometres, cmp.Or(l.restingRate, "-"), l.asleep, l.workouts)
	}
	return w.Flush()
}

// add files a record under its civil day.
func add(lines map[health.Day]*line, r *health.Record) {
	day := r.Span.Day
	if day.IsZero() {
		return
	}
	l := lines[day]
	if l == nil {
		l = &line{}
		lines[day] = l
	}
	if r.Kind == health.KindActivity {
		l.workouts++
		return
	}
	for _, v := range r.Values {
		switch v.Metric {
		case health.MetricSteps:
			l.steps = v.Number.String()
		case health.MetricDistance:
			l.kilometres = v.Number.Float() / 1000
		case health.MetricHeartRateResting:
			l.restingRate = v.Number.String()
		case health.MetricSleepDuration:
			l.asleep += v.Number.Float() / 3600
		}
	}
}
