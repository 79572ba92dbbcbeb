package sqlite_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // the views are read as any SQL tool would

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

// query returns the rows of a query on a closed database, NULL as "-".
func query(t *testing.T, path, text string) [][]string {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	require.NoError(t, err)
	defer db.Close()
	rows, err := db.Query(text)
	require.NoError(t, err)
	defer rows.Close()
	columns, err := rows.Columns()
	require.NoError(t, err)
	var list [][]string
	for rows.Next() {
		cells := make([]sql.NullString, len(columns))
		dest := make([]any, len(columns))
		for i := range cells {
			dest[i] = &cells[i]
		}
		require.NoError(t, rows.Scan(dest...))
		var line []string
		for _, c := range cells {
			if !c.Valid {
				c.String = "-"
			}
			line = append(line, c.String)
		}
		list = append(list, line)
	}
	require.NoError(t, rows.Err())
	return list
}

func value(m health.Metric, text string, stat health.Stat, part health.Part) health.Value {
	n, err := health.ParseDecimal(text)
	if err != nil {
		panic(err)
	}
	return health.Value{Metric: m, Number: n, Stat: stat, Part: part}
}

func TestViews(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := open(t, path, nil)
	_, err := s.PutConnection(t.Context(), store.Connection{ID: "c1", User: "u1", Provider: "withings", State: store.StateActive})
	require.NoError(t, err)

	berlin := time.FixedZone("", 3600)
	day := health.Day{Year: 2026, Month: 2, Dom: 3}
	record := func(kind health.Kind, key string, order int64, span health.Span, values ...health.Value) health.Record {
		span.Day = day
		r := health.Record{
			Connection: "c1", Kind: kind, Key: key, Span: span, Method: health.MethodSensed,
			Rev: health.Rev{Order: testNow.UnixMilli() + order, Mapping: 2}, Values: values,
		}
		r.Normalize()
		return r
	}
	night := health.Span{
		Start: health.At(time.Date(2026, 2, 2, 23, 10, 0, 0, berlin)), End: health.At(time.Date(2026, 2, 3, 6, 40, 30, 0, berlin)),
		Zone: health.ZoneFromRecord,
	}
	b := store.Batch{User: "u1", Connection: "c1", Unfenced: true, Now: testNow, Cause: store.CauseLive, Pages: []store.Page{
		{Stream: "activity", Records: []health.Record{
			record(health.KindDaily, "activity/2026-02-03", 0, health.Span{},
				value("steps", "8123", 0, ""), value("distance", "6100.5", 0, ""), value("energy_total", "2400", 0, "")),
		}},
		{Stream: "hrv", Records: []health.Record{
			record(health.KindDaily, "hrv/2026-02-03", 1, health.Span{},
				value("hrv_rmssd", "41.50", 0, ""), value("steps", "8200", 0, ""), value("heart_rate", "61", health.StatMean, "")),
		}},
		{Stream: "sleep", Records: []health.Record{
			record(health.KindSleep, "sleep/1", 0, night, value("sleep_duration", "25200", 0, ""), value("sleep_deep", "4000", 0, ""),
				value("heart_rate", "52.5", health.StatMean, "")),
		}},
		{Stream: "measure", Records: []health.Record{
			record(health.KindBody, "measure/1", 0, health.Span{Start: health.Instant(1770105600123)},
				value("body_weight", "70.250", 0, ""), value("fat_mass", "3.1", 0, "left_arm")),
			record(health.KindBody, "measure/2", 0, health.Span{Start: health.Floating(1770109200000)}, value("body_weight", "70.5", 0, "")),
		}},
		{Stream: "workouts", Records: []health.Record{record(health.KindActivity, "workouts/9", 0, night, value("distance", "5000", 0, ""))}},
	}}
	_, err = s.Commit(t.Context(), b)
	require.NoError(t, err)
	gone := record(health.KindActivity, "workouts/9", 5, night)
	gone.State = health.StateDeleted
	_, err = s.Commit(t.Context(), store.Batch{
		User: "u1", Connection: "c1", Unfenced: true, Now: testNow, Cause: store.CauseLive,
		Pages: []store.Page{{Stream: "workouts", Records: []health.Record{gone}}},
	})
	require.NoError(t, err)
	require.NoError(t, s.Close())

	for _, c := range []struct {
		name, query string
		want        [][]string
	}{
		{"connections", "SELECT connection, user, provider, state FROM v_connections", [][]string{{"c1", "u1", "withings", "active"}}},
		{
			"records", `SELECT user, provider, kind, key, day, start, "end", state, method, mapping FROM v_records ORDER BY key`,
			[][]string{
				{"u1", "withings", "daily", "activity/2026-02-03", "2026-02-03", "-", "-", "live", "sensed", "2"},
				{"u1", "withings", "daily", "hrv/2026-02-03", "2026-02-03", "-", "-", "live", "sensed", "2"},
				{"u1", "withings", "body", "measure/1", "2026-02-03", "2026-02-03T08:00:00Z", "-", "live", "sensed", "2"},
				{"u1", "withings", "body", "measure/2", "2026-02-03", "2026-02-03T09:00:00", "-", "live", "sensed", "2"},
				{"u1", "withings", "sleep", "sleep/1", "2026-02-03", "2026-02-02T23:10:00+01:00", "2026-02-03T06:40:30+01:00", "live", "sensed", "2"},
				{"u1", "withings", "activity", "workouts/9", "2026-02-03", "2026-02-02T23:10:00+01:00", "2026-02-03T06:40:30+01:00", "deleted", "sensed", "2"},
			},
		},
		{
			"values", "SELECT metric, stat, part, value FROM v_values WHERE key IN ('measure/1', 'hrv/2026-02-03') ORDER BY metric",
			[][]string{
				{"body_weight", "value", "", "70.25"}, {"fat_mass", "value", "left_arm", "3.1"}, {"heart_rate", "mean", "", "61"},
				{"hrv_rmssd", "value", "", "41.5"}, {"steps", "value", "", "8200"},
			},
		},
		{
			"daily values: the newest version counts", "SELECT day, metric, value, records FROM v_daily_values WHERE metric IN ('steps', 'distance') ORDER BY metric",
			[][]string{{"2026-02-03", "distance", "6100.5", "1"}, {"2026-02-03", "steps", "8200", "2"}},
		},
		{
			"daily", "SELECT user, day, steps, distance_m, energy_total_kcal, heart_rate_mean, hrv_rmssd_ms, weight_kg, sleep_s, floors_climbed FROM v_daily",
			[][]string{{"u1", "2026-02-03", "8200", "6100.5", "2400", "61", "41.5", "70.5", "25200", "-"}},
		},
		{"sleep", "SELECT day, seconds, asleep_s, deep_s, rem_s, heart_rate_mean FROM v_sleep", [][]string{{"2026-02-03", "27030", "25200", "4000", "-", "52.5"}}},
		{"body", "SELECT key, weight_kg FROM v_body ORDER BY key", [][]string{{"measure/1", "70.25"}, {"measure/2", "70.5"}}},
		{"activity leaves out what was deleted", "SELECT count(*) FROM v_activity", [][]string{{"0"}}},
		{
			"changes", "SELECT key, cause, state, day FROM v_changes WHERE kind = 'activity'",
			[][]string{{"workouts/9", "live", "live", "2026-02-03"}, {"workouts/9", "deletion", "deleted", "2026-02-03"}},
		},
	} {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.want, query(t, path, c.query)) })
	}
}

// TestSleepOfADayIsOfOneConnection: who is connected by two ways did not sleep
// twice, while a night and a nap of one connection are both sleep.
func TestSleepOfADayIsOfOneConnection(t *testing.T) {
	sleep := func(connection, key, seconds string) health.Record {
		return health.Record{
			Connection: connection, Kind: health.KindSleep, Key: key, Span: health.Span{Day: health.Day{Year: 2026, Month: 2, Dom: 3}},
			Values: []health.Value{value(health.MetricSleepDuration, seconds, 0, "")},
		}
	}
	path := commitViews(t, sleep("direct", "sleep/1", "25200"), sleep("direct", "sleep/2", "1800"), sleep("aggregator", "sleep/1", "25260"))
	require.Equal(t, [][]string{{"2026-02-03", "27000"}}, query(t, path, "SELECT day, sleep_s FROM v_daily"))
}

// TestChangesOfTheViewAreThoseOfTheFeed, also those about records that went with
// their connection, and those about a connection itself.
func TestChangesOfTheViewAreThoseOfTheFeed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := open(t, path, nil)
	for _, connection := range []string{"gone", "old", "new"} {
		_, err := s.PutConnection(t.Context(), store.Connection{ID: connection, User: "u1", Provider: connection, State: store.StateActive})
		require.NoError(t, err)
		r := health.Record{
			Connection: connection, Kind: health.KindDaily, Key: "activity/2026-02-03", Span: health.Span{Day: health.Day{Year: 2026, Month: 2, Dom: 3}},
			Rev: health.Rev{Order: testNow.UnixMilli()}, Values: []health.Value{value(health.MetricSteps, "1", 0, "")},
		}
		r.Normalize()
		_, err = s.Commit(t.Context(), store.Batch{
			User: "u1", Connection: connection, Unfenced: true, Now: testNow, Cause: store.CauseLive,
			Pages: []store.Page{{Stream: "activity", Records: []health.Record{r}}},
		})
		require.NoError(t, err)
	}
	_, err := s.Commit(t.Context(), store.Batch{
		User: "u1", Connection: "new", Predecessor: "old", Unfenced: true, Now: testNow, Cause: store.CauseLive,
	})
	require.NoError(t, err)
	require.NoError(t, s.DeleteConnection(t.Context(), "gone", true))
	feed, err := s.Changes(t.Context(), "host", 0)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	var want [][]string
	for _, c := range feed {
		day, state := "-", "live"
		if !c.Day.IsZero() {
			day = c.Day.String()
		}
		if c.State == health.StateDeleted {
			state = "deleted"
		}
		want = append(want, []string{c.User, c.Connection, string(c.Kind), c.Key, day, string(c.Cause), state})
	}
	require.Len(t, want, 4)
	require.Equal(t, want, query(t, path, "SELECT user, connection, kind, key, day, cause, state FROM v_changes"))
}

// TestViewFunctions keeps the views readable for SQLite 3.38.
func TestViewFunctions(t *testing.T) {
	text, err := os.ReadFile("schema/0002_views.sql")
	require.NoError(t, err)
	known := map[string]bool{}
	for _, name := range strings.Fields(`abs coalesce count date instr json_each json_extract json_group_object julianday max printf strftime substr sum`) {
		known[name] = true
	}
	code := regexp.MustCompile(`(?m)--.*$`).ReplaceAllString(string(text), "")
	for _, m := range regexp.MustCompile(`([a-z_0-9]+)\(`).FindAllStringSubmatch(code, -1) {
		require.True(t, known[m[1]], "function %s", m[1])
	}
	require.NotContains(t, code, "->", "an operator of SQLite 3.38 that a tool may lack")
}

// commitViews stores records of one person and returns the path of the closed
// file.
func commitViews(t *testing.T, records ...health.Record) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "store.db")
	s := open(t, path, nil)
	for _, r := range records {
		r.Rev.Order = testNow.UnixMilli()
		r.Normalize()
		_, err := s.Commit(t.Context(), store.Batch{
			User: "u1", Connection: r.Connection, Unfenced: true, Now: testNow, Cause: store.CauseLive,
			Pages: []store.Page{{Stream: r.Stream(), Records: []health.Record{r}}},
		})
		require.NoError(t, err)
	}
	require.NoError(t, s.Close())
	return path
}

// TestDailyViewTakesTheLastWeightOfADayOfTravel weighs somebody in Tokyo and, on
// the same civil day and later, in Los Angeles.
func TestDailyViewTakesTheLastWeightOfADayOfTravel(t *testing.T) {
	body := func(key string, start time.Time, kilograms string) health.Record {
		return health.Record{
			Connection: "c1", Kind: health.KindBody, Key: key, Span: health.Span{Start: health.At(start), Zone: health.ZoneFromRecord},
			Values: []health.Value{value("body_weight", kilograms, 0, "")},
		}
	}
	path := commitViews(t,
		body("measure/1", time.Date(2026, 2, 3, 8, 0, 0, 0, time.FixedZone("", 9*3600)), "70.5"),
		body("measure/2", time.Date(2026, 2, 3, 7, 0, 0, 0, time.FixedZone("", -8*3600)), "71.5"))
	require.Equal(t, [][]string{{"2026-02-03", "71.5"}}, query(t, path, "SELECT day, weight_kg FROM v_daily"))
}
