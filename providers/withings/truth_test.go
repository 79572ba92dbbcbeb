package withings_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/withings"
	"github.com/vitalmux/vitalmux/providers/withings/withingstest"
)

// TestTruth compares the numbers of all streams with those of the simulated
// world, on both sides of a change of clocks.
func TestTruth(t *testing.T) {
	zone, err := time.LoadLocation(zoneName)
	require.NoError(t, err)
	now := time.Date(2026, 10, 27, 20, 0, 0, 0, time.UTC)
	sim := newSimulator(withingstest.Config{
		Seed: 11, Days: 8, IntradayDays: 4, RateLimit: -1, IdenticalCallWindow: -1, PageSize: 7, Now: func() time.Time { return now },
	}, zone)
	p := newProvider(t, sim, func(c *withings.Config) {
		c.ClientID, c.ClientSecret = withingstest.DefaultClientID, providers.NewSecret(withingstest.DefaultClientSecret)
		c.RequestsPerMinute, c.ECGsPerPage = -1, 2
	})
	truth := sim.Truth(sim.user.ID)
	records := map[string]health.Record{}
	fetch := func(stream string, w health.Window) {
		t.Helper()
		q := providers.Query{Stream: stream, Zone: zone, Window: w}
		for page, err := range providers.Pages(t.Context(), p, sim.Login(), q) {
			require.NoError(t, err)
			require.Empty(t, page.Quarantined)
			for _, r := range page.Records {
				records[r.Key] = r
			}
		}
	}
	daily := func(stream string, w health.Window) {
		t.Helper()
		for d := w.First; d.Compare(w.Last) <= 0; d = d.Add(1) {
			fetch(stream, health.Window{First: d, Last: d})
		}
	}
	for _, stream := range []string{"measures", "activity", "workouts", "sleep_summary", "heart"} {
		fetch(stream, sim.Window(stream))
	}
	days := health.Window{First: day(sim.user.FirstDay), Last: day(sim.user.LastDay).Add(1)}
	daily("intraday", days)
	daily("sleep", days)
	fetch("devices", health.Window{})
	fetch("goals", health.Window{})

	number := func(key string, metric health.Metric, stat health.Stat, part health.Part) float64 {
		r, ok := records[key]
		require.True(t, ok, key)
		for _, v := range r.Values {
			if v.Metric == metric && v.Stat == stat && v.Part == part {
				return v.Number.Float()
			}
		}
		return -1
	}
	require.NotEmpty(t, truth.Measures)
	for _, g := range truth.Measures {
		key := fmt.Sprintf("measures/%d", g.ID)
		stat := health.StatValue
		if g.Category == 2 {
			stat = health.StatGoal
		}
		for _, m := range g.Measures {
			if m.Type == 1 {
				want := health.Decimal{Coefficient: m.Value, Exponent: int8(m.Unit)}
				require.Equal(t, want.Float(), number(key, health.MetricBodyWeight, stat, ""), key)
			}
		}
		at, ok := records[key].Span.Start.UnixMilli()
		require.True(t, ok)
		require.Equal(t, g.Date*1000, at)
	}
	for _, a := range truth.Activities {
		key := "activity/" + a.Date + "/" + activitySource(a)
		require.Equal(t, a.Data["steps"], number(key, health.MetricSteps, health.StatValue, ""), key)
		require.Equal(t, day(a.Date), records[key].Span.Day)
	}
	for _, w := range truth.Workouts {
		key := fmt.Sprintf("workouts/%d", w.ID)
		require.Equal(t, w.Data["calories"], number(key, health.MetricEnergyActive, health.StatValue, ""), key)
	}
	stages := 0
	for _, n := range truth.Nights {
		key := fmt.Sprintf("sleep_summary/%d", n.ID)
		require.Equal(t, n.Data["deepsleepduration"], number(key, health.MetricSleepDeep, health.StatValue, ""), key)
		require.InDelta(t, n.Data["sleep_efficiency"]*100, number(key, health.MetricSleepEfficiency, health.StatValue, ""), 1e-9, key)
		stages += len(n.Segments)
	}
	type total struct{ points, sum float64 }
	got, want := map[health.Metric]total{}, map[health.Metric]total{}
	for _, r := range records {
		if r.Stream() == "sleep" {
			stages -= len(r.Segments)
		}
		for i := range r.Series {
			s := &r.Series[i]
			sum := got[s.Metric]
			for j := range s.Times {
				sum.points++
				sum.sum += s.Float(j)
			}
			got[s.Metric] = sum
		}
	}
	require.Zero(t, stages, "every segment of every night is in one record")
	add := func(metric health.Metric, v float64) {
		sum := want[metric]
		sum.points++
		sum.sum += v
		want[metric] = sum
	}
	for _, pt := range truth.Intraday {
		if v, ok := pt.Data["steps"]; ok {
			add(health.MetricSteps, v)
		}
	}
	for _, h := range truth.Hearts {
		for _, v := range h.Signal {
			add(health.MetricECGVoltage, float64(v))
		}
	}
	for metric, sum := range want {
		require.Equal(t, sum, got[metric], metric)
	}
	require.Contains(t, want, health.MetricSteps)
	require.Len(t, truth.Devices, countPrefix(records, "devices/"))
	require.Equal(t, strconv.Itoa(truth.Goals.Steps), records["goals/current"].Values[len(records["goals/current"].Values)-1].Number.String())
}

func countPrefix(records map[string]health.Record, prefix string) int {
	n := 0
	for key := range records {
		if len(key) > len(prefix) && key[:len(prefix)] == prefix {
			n++
		}
	}
	return n
}
