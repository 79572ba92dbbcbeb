package sync_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// almanac is a service whose answers have wall clocks without a zone, and that
// tells the zone by its profile only.
type almanac struct {
	*clinic
	zone *time.Location
	// away is how often the profile cannot be had.
	away int
	// dated orders the versions of a row by when it was asked for; else by when
	// it was changed.
	dated bool
	rows  map[int]almanacRow
	order []string // what was asked for
}

type almanacRow struct {
	Stream  string
	ID      int
	At      time.Time
	Steps   int64
	Changed int64
}

var almanacStreams = []providers.Stream{
	{Name: "days", Kinds: []health.Kind{health.KindDaily}, Grain: providers.GrainDay, MaxWindow: 10 * day, Lookback: 7 * day, AbsenceDeletes: true},
	{Name: "points", Kinds: []health.Kind{health.KindActivity}, Grain: providers.GrainInstant, MaxWindow: 10 * day, Lookback: 7 * day, AbsenceDeletes: true},
	{Name: "dense", Kinds: []health.Kind{health.KindSamples}, Grain: providers.GrainDay, MaxWindow: day, Lookback: 7 * day, AbsenceDeletes: true},
	{Name: "profile", Kinds: []health.Kind{health.KindAthlete}, Grain: providers.GrainNone},
}

func (a *almanac) Fetch(_ context.Context, _ providers.Credential, q providers.Query) (providers.Page, error) {
	a.order = append(a.order, q.Stream)
	page := providers.Page{Date: time.Now()}
	if q.Stream == "profile" {
		if a.away > 0 {
			a.away--
			return page, &providers.Error{Provider: "clinic", Op: "fetch profile", Kind: providers.ErrUnavailable}
		}
		page.Zone = a.zone.String()
		return page, nil
	}
	var some []almanacRow
	for _, id := range slices.Sorted(maps.Keys(a.rows)) {
		r := a.rows[id]
		today := health.DayOf(r.At.In(a.zone))
		inside := !r.At.Before(q.Window.From) && r.At.Before(q.Window.To)
		if q.Window.Days() {
			inside = today.Compare(q.Window.First) >= 0 && today.Compare(q.Window.Last) <= 0
		}
		if r.Stream == q.Stream && inside {
			some = append(some, r)
		}
	}
	zone := ""
	if q.Zone != nil {
		zone = q.Zone.String()
	}
	body, err := json.Marshal(some)
	if err != nil {
		return page, err
	}
	page.Raw = []health.RawBody{{Name: q.Stream, Body: body}}
	page.Digest = health.Digest(body)
	page.Records, err = a.read(health.RawPage{Stream: q.Stream, Date: page.Date, Zone: zone, Bodies: page.Raw})
	return page, err
}

func (a *almanac) read(raw health.RawPage) ([]health.Record, error) {
	var rows []almanacRow
	if err := json.Unmarshal(raw.Bodies[0].Body, &rows); err != nil {
		return nil, err
	}
	var zone *time.Location
	if raw.Zone != "" {
		var err error
		if zone, err = time.LoadLocation(raw.Zone); err != nil {
			return nil, err
		}
	}
	all := make([]health.Record, 0, len(rows))
	for _, row := range rows {
		all = append(all, a.record(row, raw.Date, zone))
	}
	return all, nil
}

func (a *almanac) record(row almanacRow, date time.Time, zone *time.Location) health.Record {
	local := row.At.In(a.zone)
	today := health.DayOf(local)
	_, offset := local.Zone()
	wall := health.Floating(row.At.UnixMilli() + int64(offset)*1000)
	r := health.Record{
		Key:    fmt.Sprintf("%s/%d", row.Stream, row.ID),
		Source: health.Source{Provider: "clinic", Path: health.PathDirect},
		Rev:    health.Rev{Order: row.Changed, Mapping: 1},
	}
	if a.dated {
		r.Rev.Order = date.UnixMilli()
	}
	midnight := int64(today.Number()) * day.Milliseconds()
	switch row.Stream {
	case "days":
		r.Kind, r.Values = health.KindDaily, []health.Value{{Metric: health.MetricSteps, Number: health.Int(row.Steps)}}
		r.Span = health.Span{Start: health.Floating(midnight), End: health.Floating(midnight + day.Milliseconds()), Day: today, Zone: health.ZoneFloating}
		if zone != nil {
			start, end, _ := today.Bounds(zone)
			r.Span = health.Span{Start: health.At(start), End: health.At(end), Day: today, Zone: health.ZoneFromProfile, Location: zone.String()}
		}
	case "points":
		r.Kind, r.Values = health.KindActivity, []health.Value{{Metric: health.MetricSteps, Number: health.Int(row.Steps)}}
		r.Span = health.Span{Start: wall, End: health.Floating(wall.SortMilli() + 60_000), Zone: health.ZoneFloating}
		if zone != nil {
			r.Span = r.Span.InZone(zone, health.ZoneFromProfile)
		}
	default:
		r.Kind = health.KindSamples
		at := wall
		if zone != nil {
			at, _ = health.Resolve(wall, zone)
		}
		r.Span = health.Span{Start: at, Day: today, Zone: health.ZoneFloating}
		if zone != nil {
			r.Span.Zone, r.Span.Location = health.ZoneFromProfile, zone.String()
		}
		first := at.SortMilli()
		r.Series = []health.Series{{
			Metric: health.MetricHeartRate, From: first, To: first + 60_000, Floating: zone == nil,
			Times: []int64{first, first + 1000}, Values: []int64{60 + row.Steps%40, 61},
		}}
	}
	return r
}

// TestOrderOfStreamsDoesNotMatter: whatever a connection reads first, and
// whenever its zone is told, in the end every record is as it is of a connection
// that knew its zone from the beginning.
func TestOrderOfStreamsDoesNotMatter(t *testing.T) {
	t.Parallel()
	if proof.WithoutRace(t) {
		return
	}
	n := proof.N(20, 2000)
	for seed := range uint64(n) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			bubble(t, func(t *testing.T) { muddle(t, rand.New(rand.NewPCG(seed, 0))) })
		})
	}
}

func muddle(t *testing.T, random *rand.Rand) {
	zone, err := time.LoadLocation([]string{"Europe/Berlin", "America/New_York", "Asia/Kathmandu"}[random.IntN(3)])
	require.NoError(t, err)
	time.Sleep(time.Until(time.Date(2026, time.November, 3, 10, 0, 0, 0, time.UTC))) // clocks were set back lately
	streams := slices.Clone(almanacStreams)
	random.Shuffle(len(streams), func(i, j int) { streams[i], streams[j] = streams[j], streams[i] })
	a := &almanac{
		clinic: newClinic(streams...), zone: zone, away: random.IntN(4), dated: random.IntN(2) == 0, rows: make(map[int]almanacRow),
	}
	a.accessLife = 1000 * day
	changed := int64(0)
	put := func(id int, stream string, at time.Time) {
		changed++
		a.rows[id] = almanacRow{Stream: stream, ID: id, At: at, Steps: random.Int64N(100), Changed: changed}
	}
	for i := range 40 {
		for k, stream := range []string{"days", "points", "dense"} {
			at := time.Now().Add(-time.Duration(i)*day - time.Duration(random.IntN(9))*time.Hour)
			if k == 0 {
				start, _, _ := health.DayOf(at.In(zone)).Bounds(zone)
				at = start.Add(10 * time.Hour)
			}
			put(3*i+k, stream, at)
		}
	}
	var provider providers.Provider = zoneless{a}
	if random.IntN(2) == 0 {
		provider = keptAnswers{zoneless{a}}
	}
	w := &ward{clinic: a.clinic, store: store.NewMemory()}
	cfg := healthsync.Config{
		Providers: []providers.Provider{provider}, Store: w.store, Sealer: newKeyring(t), MaxWait: -1, SealRaw: random.IntN(2) == 0,
		History: -1, ReconcileEvery: -1,
	}
	w.engine, err = healthsync.New(cfg)
	require.NoError(t, err)
	w.conn = w.connect(t, "ada", "account-1")
	require.Empty(t, w.conn.Zone)
	steps := []func(){
		func() { _, _ = w.engine.Sync(t.Context(), w.conn.ID) },
		func() { _, _ = w.engine.Backfill(t.Context(), w.conn.ID, time.Now().Add(-50*day)) },
		func() { _, _ = w.engine.Remap(t.Context(), w.conn.ID) },
		func() {
			id := random.IntN(9)
			if old, ok := a.rows[id]; ok {
				put(id, old.Stream, old.At)
			}
		},
		func() { delete(a.rows, random.IntN(6)) },
		func() { time.Sleep(time.Duration(random.IntN(4)) * time.Hour) },
		func() { // another process
			engine, err := healthsync.New(cfg)
			require.NoError(t, err)
			stop := running(t, engine)
			time.Sleep(time.Duration(1+random.IntN(60)) * time.Minute)
			stop()
		},
	}
	for range 8 {
		steps[random.IntN(len(steps))]()
		time.Sleep(time.Minute)
	}
	a.away = 0
	time.Sleep(2 * day) // what is missing of a day is deleted when the day is over
	_, err = w.engine.Backfill(t.Context(), w.conn.ID, time.Now().Add(-50*day))
	require.NoError(t, err)
	for range 3 {
		_, err = w.engine.Sync(t.Context(), w.conn.ID)
		require.NoError(t, err)
		time.Sleep(day) // a day without a record is believed a day later
	}
	require.Equal(t, zone.String(), w.stored(t).Zone)
	if _, ok := provider.(providers.Remapper); ok {
		_, err = w.engine.Remap(t.Context(), w.conn.ID) // brings nothing back, and makes nothing float
		require.NoError(t, err)
	}

	n := 0
	for r, err := range store.AllRecords(t.Context(), w.store, store.RecordQuery{User: w.conn.User}) {
		require.NoError(t, err)
		n++
		var id int
		_, err := fmt.Sscanf(r.Key[len(r.Stream())+1:], "%d", &id)
		require.NoError(t, err)
		row, ok := a.rows[id]
		require.True(t, ok, "%s was deleted", r.Key)
		want := a.record(row, time.Time{}, zone)
		want.Connection = w.conn.ID
		want.Normalize()
		require.Equal(t, want.Span, r.Span, r.Key)
		require.Equal(t, want.Fingerprint(), r.Fingerprint(), r.Key)
	}
	require.Equal(t, len(a.rows), n)
	samples, err := w.store.Samples(t.Context(), store.SampleQuery{User: w.conn.User, Metric: health.MetricHeartRate})
	require.NoError(t, err)
	points := 0
	for _, run := range samples.Runs {
		require.False(t, run.Series.Floating, "samples float beside those in the zone")
		points += run.Series.Len()
	}
	for _, r := range a.rows {
		if r.Stream == "dense" {
			points -= 2
		}
	}
	require.Zero(t, points)
}

// zoneless is an almanac whose consent does not tell the zone.
type zoneless struct{ *almanac }

func (z zoneless) Exchange(ctx context.Context, cb providers.Callback) (providers.Grant, error) {
	grant, err := z.almanac.Exchange(ctx, cb)
	grant.Zone = ""
	return grant, err
}

// keptAnswers can map its answers again.
type keptAnswers struct{ zoneless }

func (z keptAnswers) Remap(raw health.RawPage) ([]health.Record, error) { return z.read(raw) }

func (w *ward) stored(t testing.TB) store.Connection {
	conn, err := w.store.Connection(t.Context(), w.conn.ID)
	require.NoError(t, err)
	return conn
}

// TestZoneIsReadFirst: also where a backfill is the first thing a connection
// does, and at the cost of one request.
func TestZoneIsReadFirst(t *testing.T) {
	for name, work := range map[string]func(*testing.T, *ward) error{
		"sync": func(t *testing.T, w *ward) error { _, err := w.engine.Sync(t.Context(), w.conn.ID); return err },
		"backfill, twice": func(t *testing.T, w *ward) error {
			_, err := w.engine.Backfill(t.Context(), w.conn.ID, time.Now().Add(-20*day))
			if err == nil {
				_, err = w.engine.Backfill(t.Context(), w.conn.ID, time.Now().Add(-40*day))
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				a := &almanac{clinic: newClinic(almanacStreams...), zone: time.UTC, rows: map[int]almanacRow{}}
				w := &ward{clinic: a.clinic, store: store.NewMemory()}
				engine, err := healthsync.New(healthsync.Config{
					Providers: []providers.Provider{zoneless{a}}, Store: w.store, Sealer: newKeyring(t), MaxWait: -1,
				})
				require.NoError(t, err)
				w.engine = engine
				w.conn = w.connect(t, "ada", "account-1")
				require.NoError(t, work(t, w))
				require.Equal(t, "profile", a.order[0])
				require.NotContains(t, a.order[1:], "profile")
			})
		})
	}
}
