package sync_test

import (
	"context"
	"fmt"
	"testing"
	"time"
	_ "time/tzdata" // the test must not depend on the machine's zone files

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// diary is a service that files what a person does under the civil day of the
// place where the person is.
type diary struct {
	*clinic
	zone string // of the profile; empty is not told
	// floating rows have a wall clock and no zone.
	floating bool
	rows     map[health.Day]health.Record
	written  int64
}

var diaryDays = providers.Stream{
	Name: "days", Kinds: []health.Kind{health.KindDaily}, Grain: providers.GrainDay,
	MaxWindow: 10 * day, Lookback: 7 * day, AbsenceDeletes: true,
}

// write counts a step of the person, where the person is.
func (d *diary) write(t *testing.T, place string) {
	loc, err := time.LoadLocation(place)
	require.NoError(t, err)
	today := health.DayOf(time.Now().In(loc))
	steps := int64(1)
	if old, ok := d.rows[today]; ok {
		steps += old.Values[0].Number.Coefficient
	}
	d.file(t, today, loc, steps)
}

func (d *diary) file(t *testing.T, today health.Day, loc *time.Location, steps int64) {
	start, end, exists := today.Bounds(loc)
	require.True(t, exists, "%s in %s", today, loc)
	d.written++
	r := health.Record{
		Kind: health.KindDaily, Key: "days/" + today.String(),
		Span:   health.Span{Start: health.At(start), End: health.At(end), Day: today, Zone: health.ZoneFromRecord, Location: loc.String()},
		Source: health.Source{Provider: "clinic", Path: health.PathDirect},
		Rev:    health.Rev{Order: d.written, Mapping: 1},
		Values: []health.Value{{Metric: health.MetricSteps, Number: health.Int(steps)}},
	}
	if d.floating {
		wall, _, err := health.ParseMoment(today.String() + "T00:00:00")
		require.NoError(t, err)
		r.Span = health.Span{Start: wall, Day: today, Zone: health.ZoneFloating}
	}
	d.rows[today] = r
}

func (d *diary) Exchange(ctx context.Context, cb providers.Callback) (providers.Grant, error) {
	grant, err := d.clinic.Exchange(ctx, cb)
	grant.Zone = d.zone
	return grant, err
}

func (d *diary) Fetch(_ context.Context, _ providers.Credential, q providers.Query) (providers.Page, error) {
	page := providers.Page{Date: time.Now(), Zone: d.zone}
	for today, r := range d.rows {
		if today.Compare(q.Window.First) >= 0 && today.Compare(q.Window.Last) <= 0 {
			page.Records = append(page.Records, r)
		}
	}
	return page, nil
}

// move is a change of zone: somebody travels, or the clocks are changed where
// somebody is.
type move struct {
	from, to string
	on       string // the day of the place of departure
	// length is how long that day is there, if it is not a whole one.
	length time.Duration
}

func moves() []move {
	const hour = time.Hour
	stay := func(zone, on string, length time.Duration) move { return move{zone, zone, on, length} }
	return []move{
		stay("America/New_York", "2026-03-08", 23*hour), stay("America/New_York", "2026-11-01", 25*hour),
		stay("Europe/London", "2026-03-29", 23*hour), stay("Europe/London", "2026-10-25", 25*hour),
		stay("Europe/Berlin", "2026-03-29", 23*hour), stay("Europe/Berlin", "2026-10-25", 25*hour),
		stay("Australia/Sydney", "2026-10-04", 23*hour), stay("Australia/Sydney", "2026-04-05", 25*hour),
		stay("Australia/Lord_Howe", "2026-10-04", 23*hour+30*time.Minute), stay("Australia/Lord_Howe", "2026-04-05", 24*hour+30*time.Minute),
		stay("America/Sao_Paulo", "2018-11-04", 23*hour), stay("America/Sao_Paulo", "2019-02-16", 25*hour),
		stay("Antarctica/Troll", "2026-03-29", 22*hour), stay("Antarctica/Troll", "2026-10-25", 26*hour),
		stay("America/St_Johns", "2006-10-29", 25*hour), stay("America/Havana", "2026-03-08", 23*hour),
		stay("Asia/Pyongyang", "2015-08-14", 24*hour+30*time.Minute), stay("America/Caracas", "2016-05-01", 23*hour+30*time.Minute),
		stay("Antarctica/Casey", "2010-03-05", 27*hour),
		// The 30th did not happen there.
		stay("Pacific/Apia", "2011-12-29", 24*hour), stay("Pacific/Fakaofo", "2011-12-29", 24*hour),
		// Leap days.
		stay("Europe/London", "2024-02-29", 24*hour), stay("Pacific/Kiritimati", "2028-02-29", 24*hour),
		{"Asia/Tokyo", "America/Los_Angeles", "2028-02-29", 0}, {"America/Los_Angeles", "Asia/Tokyo", "2028-02-28", 0},
		// Journeys.
		{"America/New_York", "Europe/London", "2026-06-01", 0}, {"Europe/London", "America/New_York", "2026-06-01", 0},
		{"Asia/Tokyo", "America/Los_Angeles", "2026-06-01", 0}, {"America/Los_Angeles", "Asia/Tokyo", "2026-06-01", 0},
		{"Europe/Paris", "Asia/Kathmandu", "2026-06-01", 0}, {"Asia/Kolkata", "Australia/Adelaide", "2026-06-01", 0},
		{"Pacific/Auckland", "Pacific/Honolulu", "2026-06-01", 0}, {"Pacific/Honolulu", "Pacific/Auckland", "2026-06-01", 0},
		{"Pacific/Kiritimati", "Pacific/Honolulu", "2026-06-01", 0}, {"Pacific/Pago_Pago", "Pacific/Kiritimati", "2026-06-01", 0},
		{"Pacific/Chatham", "America/Adak", "2026-06-01", 0}, {"Etc/GMT+12", "Etc/GMT-14", "2026-06-01", 0},
		// On the night of a change of clocks.
		{"America/New_York", "Europe/London", "2026-03-29", 0}, {"Europe/Berlin", "America/New_York", "2026-11-01", 0},
		{"Australia/Sydney", "America/Santiago", "2026-04-05", 0},
	}
}

// TestChangesOfZone has a person walk some days through each change of zone, with a
// service that knows the zone, learns it late, or tells none: the store has one
// record for each civil day, with the service's number, whatever is read again
// and when. At the end the service corrects the zone of all days.
func TestChangesOfZone(t *testing.T) {
	t.Parallel()
	if proof.WithoutRace(t) {
		return
	}
	all := moves()
	proof.Row(t, "S6", proof.Counts{"changes of zone": len(all), "services": 4})
	require.GreaterOrEqual(t, len(all), 40)
	for _, c := range all {
		for _, service := range []string{"knows the zone", "learns it late", "tells none", "tells wall clocks only"} {
			t.Run(fmt.Sprintf("%s to %s on %s, %s", c.from, c.to, c.on, service), func(t *testing.T) {
				bubble(t, func(t *testing.T) { journey(t, c, service) })
			})
		}
	}
}

func journey(t *testing.T, c move, service string) {
	from, err := time.LoadLocation(c.from)
	require.NoError(t, err)
	to, err := time.LoadLocation(c.to)
	require.NoError(t, err)
	on, err := health.ParseDay(c.on)
	require.NoError(t, err)
	start, end, exists := on.Bounds(from)
	require.True(t, exists)
	if c.length != 0 {
		require.Equal(t, c.length, end.Sub(start))
	}
	time.Sleep(time.Until(start.Add(-2*day + time.Minute))) // at midnight sharp the day has not begun
	d := &diary{clinic: newClinic(diaryDays), rows: make(map[health.Day]health.Record), floating: service == "tells wall clocks only"}
	w := &ward{clinic: d.clinic, store: store.NewMemory()}
	w.engine, err = healthsync.New(healthsync.Config{
		Providers: []providers.Provider{d}, Store: w.store, Sealer: newKeyring(t), MaxWait: -1,
	})
	require.NoError(t, err)
	w.conn = w.connect(t, "ada", "account-1")
	tells := service == "knows the zone" || service == "learns it late"
	move := start.Add(12 * time.Hour)
	for time.Now().Before(end.Add(3 * day)) {
		place := c.from
		if !time.Now().Before(move) {
			place = c.to
		}
		d.write(t, place)
		if tells {
			d.zone = place
			if service == "learns it late" && time.Now().Before(move.Add(day)) {
				d.zone = c.from
			}
		}
		for range 2 { // the first may learn the zone, the second asks for its days
			_, err := w.engine.Sync(t.Context(), w.conn.ID)
			require.NoError(t, err)
		}
		if service != "learns it late" { // with a wrong zone today may be a day that is not asked for yet
			d.matches(t, w)
		}
		time.Sleep(5 * time.Hour)
	}
	// All days were somewhere else.
	for today, r := range d.rows {
		if _, _, exists := today.Bounds(to); exists {
			d.file(t, today, to, r.Values[0].Number.Coefficient)
		}
	}
	if tells {
		d.zone = c.to
	}
	for range 2 {
		_, err = w.engine.Sync(t.Context(), w.conn.ID)
		require.NoError(t, err)
	}
	d.matches(t, w)
	require.Empty(t, announcedDeletions(t, w.store))
}

// matches requires that the store has each row of the service once, and as it
// is there.
func (d *diary) matches(t *testing.T, w *ward) {
	t.Helper()
	n := 0
	for r, err := range store.AllRecords(t.Context(), w.store, store.RecordQuery{User: w.conn.User, Deleted: true}) {
		require.NoError(t, err)
		n++
		want, ok := d.rows[r.Span.Day]
		require.True(t, ok, r.Key)
		require.Equal(t, want.Key, r.Key)
		require.Equal(t, want.Values[0].Number, r.Values[0].Number, r.Key)
		require.Equal(t, want.Span, r.Span)
	}
	require.Equal(t, len(d.rows), n, "one record for each civil day")
}
