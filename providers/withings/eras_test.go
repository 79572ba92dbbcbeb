package withings_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/providertest"
	"github.com/vitalmux/vitalmux/providers/withings"
	"github.com/vitalmux/vitalmux/providers/withings/withingstest"
)

// TestOnePersonInBothEras reads the same days of a few people through both
// interfaces. What the one of OAuth 1.0 told is the same records; the differences
// are those of the package comment, each of which must occur.
func TestOnePersonInBothEras(t *testing.T) {
	zone, err := time.LoadLocation(zoneName)
	require.NoError(t, err)
	occurred := map[string]bool{}
	for seed := range uint64(4) {
		sim := newSimulator(withingstest.Config{
			Seed: 21 + seed, Days: 20, IntradayDays: -1, RateLimit: -1, IdenticalCallWindow: -1, PageSize: 300,
		}, zone)
		modern := newProvider(t, sim, func(c *withings.Config) {
			c.ClientID, c.ClientSecret = withingstest.DefaultClientID, providers.NewSecret(withingstest.DefaultClientSecret)
			c.RequestsPerMinute = -1
		})
		legacy := newLegacy(t, "https://api.example.com", providertest.Transport(sim), nil)
		for _, stream := range []string{"measures", "activity", "workouts", "sleep_summary", "sleep"} {
			now := everything(t, sim, modern, sim.Login(), stream)
			then := everything(t, sim, legacy, legacyCredential(sim.LegacyLogin(sim.user.ID)), stream)
			require.NotEmpty(t, then, stream)
			for key, r := range now {
				if _, there := then[key]; !there {
					occurred[missingThen(t, r, now)] = true
				}
			}
			for key, old := range then {
				fresh, there := now[key]
				require.True(t, there, key)
				require.Equal(t, fresh.Kind, old.Kind, key)
				if night, found := strings.CutSuffix(key, "/sleep_monitor"); found && now[night+"/activity_tracker"].Key != "" {
					continue // two devices saw the night, and the answer does not tell their segments apart
				}
				require.Equal(t, fresh.Span.Day, old.Span.Day, key)
				require.Equal(t, fresh.Span.Start, old.Span.Start, key)
				require.Equal(t, fresh.Span.End, old.Span.End, key)
				for _, difference := range compareEras(t, old, fresh) {
					occurred[difference] = true
				}
			}
		}
	}
	require.Equal(t, map[string]bool{
		"a kind of measure that is new": true, "another application's row": true, "the second device of a night": true,
		"elevation": true, "REM of a tracker": true, "more is told": true, "a device is named": true,
		"not told any more": true,
	}, occurred)
}

// everything reads all of a stream that a person has, by key.
func everything(t *testing.T, sim *simulator, p providers.Provider, cred providers.Credential, stream string) map[string]health.Record {
	t.Helper()
	windows := []health.Window{sim.Window(stream)}
	if stream == "sleep" { // a day at a time
		days := windows[0]
		windows = nil
		for d := days.First; d.Compare(days.Last) <= 0; d = d.Add(1) {
			windows = append(windows, health.Window{First: d, Last: d})
		}
	}
	all := map[string]health.Record{}
	for _, w := range windows {
		for page, err := range providers.Pages(t.Context(), p, cred, providers.Query{Stream: stream, Zone: sim.zone, Window: w}) {
			require.NoError(t, err)
			require.Empty(t, page.Quarantined)
			for _, r := range page.Records {
				require.NotContains(t, all, r.Key)
				all[r.Key] = r
			}
		}
	}
	return all
}

// missingThen says why the era did not tell a record.
func missingThen(t *testing.T, r health.Record, now map[string]health.Record) string {
	switch r.Stream() {
	case "measures":
		for _, v := range r.Values {
			switch v.Metric {
			case health.MetricBodyWeight, health.MetricFatMass, health.MetricHeartRate, health.MetricBloodPressureSystolic, health.MetricBloodPressureDiastolic:
				require.NotEmpty(t, v.Part, "a measure that the era had: %s", r.Key)
			}
		}
		return "a kind of measure that is new"
	case "activity":
		require.NotContains(t, r.Key, "/withings")
		require.NotEmpty(t, r.Source.Upstream)
		return "another application's row"
	case "sleep_summary":
		require.NotEmpty(t, r.Source.Upstream, r.Key)
		return "another application's row"
	case "sleep":
		night, found := strings.CutSuffix(r.Key, "/activity_tracker")
		require.True(t, found, r.Key)
		require.Contains(t, now, night+"/sleep_monitor")
		return "the second device of a night"
	}
	require.Fail(t, "not told then", r.Key)
	return ""
}

// compareEras requires that two records tell the same, but for what the era told
// otherwise or not at all, and says what that is.
func compareEras(t *testing.T, old, fresh health.Record) (differences []string) {
	t.Helper()
	number := func(r health.Record, name string) (health.Decimal, bool) {
		for _, v := range r.Values {
			if valueName(v) == name {
				return v.Number, true
			}
		}
		return health.Decimal{}, false
	}
	sum := func(r health.Record, metrics ...health.Metric) float64 {
		total := 0.0
		for _, m := range metrics {
			n, _ := number(r, fmt.Sprint(m, health.StatValue, ""))
			total += n.Float()
		}
		return total
	}
	_, oldREM := number(old, fmt.Sprint(health.MetricSleepREM, health.StatValue, ""))
	_, freshREM := number(fresh, fmt.Sprint(health.MetricSleepREM, health.StatValue, ""))
	tracker := !oldREM && freshREM
	if tracker {
		differences = append(differences, "REM of a tracker")
		require.Equal(t, sum(fresh, health.MetricSleepLight, health.MetricSleepREM), sum(old, health.MetricSleepLight), old.Key)
	}
	for _, v := range old.Values {
		if tracker && v.Metric == health.MetricSleepLight {
			continue
		}
		if v.Metric == health.MetricElevationGain {
			differences = append(differences, "elevation")
			require.InDelta(t, sum(fresh, health.MetricFloorsClimbed)*withingstest.MetresPerFloor, v.Number.Float(), 1e-6, old.Key)
			continue
		}
		if old.Stream() == "workouts" && (v.Metric == health.MetricExerciseDuration || v.Metric == health.MetricMETCumulative) {
			differences = append(differences, "not told any more")
			continue
		}
		n, there := number(fresh, valueName(v))
		require.True(t, there, "%s %s", old.Key, v.Metric)
		require.Equal(t, n, v.Number, "%s %s", old.Key, v.Metric)
	}
	for _, v := range fresh.Values {
		if _, there := number(old, valueName(v)); !there && v.Metric != health.MetricFloorsClimbed && v.Metric != health.MetricSleepREM {
			differences = append(differences, "more is told")
		}
	}
	if old.Stream() == "sleep_summary" && len(fresh.Segments) > 0 { // when the person got in and out of bed
		differences = append(differences, "more is told")
		fresh.Segments = nil
	}
	require.Len(t, old.Segments, len(fresh.Segments), old.Key)
	for i, s := range old.Segments {
		if s.Label == health.StageLight && fresh.Segments[i].Label == health.StageREM {
			require.True(t, strings.HasSuffix(old.Key, "/activity_tracker"), old.Key)
			differences = append(differences, "REM of a tracker")
			s.Label, s.Code = fresh.Segments[i].Label, fresh.Segments[i].Code
		}
		require.Equal(t, fresh.Segments[i], s, old.Key)
	}
	require.Empty(t, old.Series)
	if fresh.Source.Device != old.Source.Device {
		require.Empty(t, old.Source.Device, old.Key)
		differences = append(differences, "a device is named")
	}
	if old.Method != fresh.Method {
		require.Equal(t, "activity", old.Stream(), old.Key)
		require.Equal(t, health.MethodUnknown, old.Method)
	}
	for _, name := range []string{health.TextSport, health.TextSportCode} {
		require.Equal(t, texts(fresh, name), texts(old, name), old.Key)
	}
	return differences
}

func valueName(v health.Value) string { return fmt.Sprint(v.Metric, v.Stat, v.Part) }

func texts(r health.Record, name string) (list []string) {
	for _, t := range r.Texts {
		if t.Name == name {
			list = append(list, t.Value)
		}
	}
	slices.Sort(list)
	return list
}
