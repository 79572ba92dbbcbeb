package sync_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// logger is a service that has something at each hour and is asked for it by
// instants: by the days, and by the nights from noon to noon. It tells the zone
// of where its person is.
type logger struct {
	*clinic
	place string
	since time.Time
}

const every = time.Hour

var loggerStreams = []providers.Stream{
	{Name: "place", Kinds: []health.Kind{health.KindAthlete}, Grain: providers.GrainNone},
	{Name: "days", Kinds: []health.Kind{health.KindSleep}, Grain: providers.GrainDay, MaxWindow: day, Lookback: 3 * day, AbsenceDeletes: true},
	{Name: "nights", Kinds: []health.Kind{health.KindSleep}, Grain: providers.GrainDay, MaxWindow: day, Lookback: 3 * day, AbsenceDeletes: true},
}

func (l *logger) Exchange(ctx context.Context, cb providers.Callback) (providers.Grant, error) {
	grant, err := l.clinic.Exchange(ctx, cb)
	grant.Zone = l.place
	return grant, err
}

func (l *logger) Fetch(_ context.Context, _ providers.Credential, q providers.Query) (providers.Page, error) {
	page := providers.Page{Date: time.Now()}
	if q.Stream == "place" {
		page.Zone = l.place
		return page, nil
	}
	from, to := q.Period()
	if q.Stream == "nights" {
		from, to = from.Add(-day/2), to.Add(-day/2)
	}
	var segments []health.Segment
	for at := l.since; at.Before(page.Date); at = at.Add(every) {
		if !at.Before(from) && at.Before(to) {
			segments = append(segments, health.Segment{
				Track: health.TrackStage, Label: health.StageLight, Start: health.At(at), End: health.At(at.Add(every)),
			})
		}
	}
	if len(segments) > 0 {
		page.Records = []health.Record{{
			Kind: health.KindSleep, Key: q.Stream + "/" + q.Window.First.String(), Segments: segments,
			Span: health.Span{
				Start: segments[0].Start, End: segments[len(segments)-1].End, Day: q.Window.First, Zone: health.ZoneFromRecord, Location: "UTC",
			},
			Source: health.Source{Provider: "clinic", Path: health.PathDirect},
			Rev:    health.Rev{Order: page.Date.UnixMilli(), Mapping: 1},
		}}
	}
	return page, nil
}

// TestJourneysLoseNothing: where a service is asked by instants, each of them is
// in one day and in one night, wherever its person was, as soon as it is read
// and however often it is read again.
func TestJourneysLoseNothing(t *testing.T) {
	type leg struct {
		after time.Duration
		to    string
	}
	for name, c := range map[string]struct {
		home string
		legs []leg
	}{
		"nowhere":                    {"America/Los_Angeles", nil},
		"west":                       {"Europe/Berlin", []leg{{65 * time.Hour, "America/Los_Angeles"}}},
		"west, home is a day ahead":  {"Europe/Berlin", []leg{{66 * time.Hour, "America/Los_Angeles"}}},
		"west by an hour":            {"Europe/Berlin", []leg{{72 * time.Hour, "Europe/London"}}},
		"west, on a day of 25 hours": {"Europe/Berlin", []leg{{56 * time.Hour, "America/New_York"}}},
		"west, a day happens twice":  {"Pacific/Kiritimati", []leg{{65 * time.Hour, "Pacific/Pago_Pago"}}},
		"east":                       {"America/Los_Angeles", []leg{{65 * time.Hour, "Europe/Berlin"}}},
		"east by some hours":         {"Europe/Berlin", []leg{{65 * time.Hour, "Asia/Kathmandu"}}},
		"east, a day is left out":    {"Pacific/Pago_Pago", []leg{{65 * time.Hour, "Pacific/Kiritimati"}}},
		"there and back":             {"Europe/Berlin", []leg{{65 * time.Hour, "America/Los_Angeles"}, {50 * time.Hour, "Europe/Berlin"}}},
		"there and back on one day":  {"Europe/Berlin", []leg{{60 * time.Hour, "America/New_York"}, {3 * time.Hour, "Europe/Berlin"}}},
		"a zone that is put right":   {"Asia/Tokyo", []leg{{7 * time.Hour, "Europe/Berlin"}}},
		"two journeys":               {"Asia/Tokyo", []leg{{65 * time.Hour, "Europe/Berlin"}, {30 * time.Hour, "America/New_York"}}},
		"around the world":           {"Europe/Berlin", []leg{{65 * time.Hour, "Asia/Tokyo"}, {26 * time.Hour, "Pacific/Honolulu"}, {26 * time.Hour, "Europe/Berlin"}}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				time.Sleep(time.Until(time.Date(2026, time.October, 23, 7, 0, 0, 0, time.UTC)))
				l := &logger{clinic: newClinic(loggerStreams...), place: c.home, since: time.Now().Add(-2 * day)}
				w := &ward{clinic: l.clinic, store: store.NewMemory()}
				engine, err := healthsync.New(healthsync.Config{
					Providers: []providers.Provider{l}, Store: w.store, Sealer: newKeyring(t), MaxWait: -1, History: 10 * day, Interval: 6 * time.Hour,
				})
				require.NoError(t, err)
				w.engine = engine
				w.conn = w.connect(t, "ada", "account-1")
				live := func(d time.Duration) {
					for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(3 * time.Hour) {
						for range 2 { // the first may learn the zone
							_, err := engine.Sync(t.Context(), w.conn.ID)
							require.NoError(t, err)
						}
						l.holds(t, w)
					}
				}
				for _, leg := range c.legs {
					live(leg.after)
					l.place = leg.to
				}
				live(2 * day)
				_, err = engine.Backfill(t.Context(), w.conn.ID, l.since)
				require.NoError(t, err)
				stop := running(t, engine)
				time.Sleep(30 * time.Hour)
				stop()
				_, err = engine.Sync(t.Context(), w.conn.ID)
				require.NoError(t, err)
				l.holds(t, w)
				require.Empty(t, announcedDeletions(t, w.store))
			})
		})
	}
}

// holds requires that the store has all that the service has, each instant in
// one day and in one night.
func (l *logger) holds(t *testing.T, w *ward) {
	t.Helper()
	in := map[string][]string{}
	for r, err := range store.AllRecords(t.Context(), w.store, store.RecordQuery{User: w.conn.User, Kinds: []health.Kind{health.KindSleep}}) {
		require.NoError(t, err)
		for _, s := range r.Segments {
			at := fmt.Sprint(r.Stream(), s.Start.SortMilli())
			in[at] = append(in[at], r.Key)
		}
	}
	for stream, late := range map[string]time.Duration{"days": every, "nights": every + day/2} { // the night of the evening is read at midnight
		for at := l.since; at.Before(time.Now().Add(-late)); at = at.Add(every) {
			keys := in[fmt.Sprint(stream, at.UnixMilli())]
			require.Len(t, keys, 1, "%s of %s: %s", stream, at, keys)
		}
	}
}
