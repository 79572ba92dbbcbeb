package fitbitmap_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/fitbit"
	"github.com/vitalmux/vitalmux/providers/fitbit/fitbittest"
	"github.com/vitalmux/vitalmux/providers/googlehealth"
	"github.com/vitalmux/vitalmux/providers/googlehealth/googlehealthtest"
	"github.com/vitalmux/vitalmux/providers/providertest"
	"github.com/vitalmux/vitalmux/store"
)

// moved has Google Health show the days of one person of the legacy service.
type moved struct {
	*fitbittest.Server
	person fitbittest.Person
	zone   *time.Location
}

func (m moved) Days(id string) ([]googlehealthtest.Day, bool) {
	if id != m.person.ID {
		return nil, false
	}
	weights := map[string]fitbittest.Weighing{}
	for _, w := range m.Weighings(id) {
		weights[w.Date] = w
	}
	var all []googlehealthtest.Day
	for _, d := range m.Server.Days(id) {
		day := googlehealthtest.Day{
			Date: d.Date, Worn: d.Worn, Steps: d.Steps, Floors: d.Floors, Distance: int64(math.Round(d.Distance * 1e6)),
			ActiveEnergy: d.ActivityCalories, RestingHeartRate: d.RestingHeartRate, HRV: d.RMSSD, DeepHRV: d.DeepRMSSD, SpO2: d.SpO2,
			RespiratoryRate: d.BreathingRate, Water: d.Water,
		}
		if d.Worn {
			day.VO2Max, day.SkinTemperature = 45, 33
		}
		if w, ok := weights[d.Date]; ok {
			day.Weight, day.BodyFat = int(math.Round(w.Weight*1000)), w.Fat
			day.WeightAt, _ = time.ParseInLocation(time.DateTime, w.Date+" "+w.Time, m.zone)
		}
		all = append(all, day)
	}
	return all, true
}

func (m moved) Sleeps(id string) []googlehealthtest.Sleep {
	var all []googlehealthtest.Sleep
	words := map[string]string{"wake": "AWAKE", "awake": "AWAKE", "light": "LIGHT", "deep": "DEEP", "rem": "REM", "asleep": "ASLEEP", "restless": "RESTLESS"}
	for _, s := range m.Server.Sleeps(id) {
		night := googlehealthtest.Sleep{
			ID: "s" + strconv.FormatInt(s.LogID, 10), Start: s.StartInstant, End: s.EndInstant, Nap: !s.Main, Classic: s.Classic, Processed: true,
			Updated: s.EndInstant.Add(time.Hour),
		}
		at := s.StartInstant
		for _, l := range s.Levels {
			end := at.Add(time.Duration(l.Seconds) * time.Second)
			night.Stages = append(night.Stages, googlehealthtest.Stage{Type: words[l.Level], Start: at, End: end})
			at = end
		}
		all = append(all, night)
	}
	return all
}

func (m moved) Workouts(id string) []googlehealthtest.Workout {
	var all []googlehealthtest.Workout
	for _, w := range m.Server.Workouts(id) {
		all = append(all, googlehealthtest.Workout{
			ID: "w" + strconv.FormatInt(w.LogID, 10), Type: "RUNNING", Name: w.Name, Start: w.Start, End: w.Start.Add(w.Duration),
			Calories: float64(w.Calories), Steps: w.Steps, HeartRate: w.HeartRate, Distance: int64(math.Round(w.Distance * 1e6)), Updated: w.Modified,
		})
	}
	return all
}

// read fetches every stream of a provider for some days.
func read(t *testing.T, p providers.Provider, cred providers.Credential, zone *time.Location, days health.Window) []health.Record {
	var all []health.Record
	for _, st := range p.Capabilities().Streams {
		var windows []health.Window
		switch st.Grain {
		case providers.GrainNone:
			windows = []health.Window{{}}
		case providers.GrainInstant:
			from, _, _ := days.First.Bounds(zone)
			_, to, _ := days.Last.Bounds(zone)
			windows = []health.Window{{From: from, To: to}}
		default:
			step := days.Last.Number() - days.First.Number() + 1
			if st.MaxWindow > 0 {
				step = min(step, int(st.MaxWindow/(24*time.Hour)))
			}
			for d := days.First; d.Compare(days.Last) <= 0; d = d.Add(step) {
				last := d.Add(step - 1)
				if last.Compare(days.Last) > 0 {
					last = days.Last
				}
				windows = append(windows, health.Window{First: d, Last: last})
			}
		}
		for _, w := range windows {
			for q := (providers.Query{Stream: st.Name, Window: w, Zone: zone}); ; {
				page, err := p.Fetch(context.Background(), cred, q)
				require.NoError(t, err, st.Name)
				require.Empty(t, page.Quarantined, st.Name)
				all = append(all, page.Records...)
				if !page.More {
					break
				}
				q.PageToken = page.PageToken
			}
		}
	}
	return all
}

// sides are what both services tell of one person's days.
type sides struct {
	legacy, successor []health.Record
	days              health.Window
	zone              *time.Location
}

func bothSides(t *testing.T) sides {
	now := time.Date(2026, 10, 30, 23, 30, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	zone, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	fitbitSim := fitbittest.New(fitbittest.Config{Seed: 5, Days: 40, IntradayDays: 3, RateLimit: -1, BaseURL: providertest.BaseURL, Now: clock})
	person := fitbitSim.AddPerson(fitbittest.PersonConfig{Timezone: zone.String()})
	googleSim := googlehealthtest.New(googlehealthtest.Config{
		Seed: 6, Days: 40, RateLimit: -1, Now: clock, HeartRateEvery: time.Hour, IntervalsPerDay: 6, Source: moved{fitbitSim, person, zone},
	})
	user := googleSim.AddUser(googlehealthtest.UserConfig{LegacyID: person.ID, Timezone: zone.String()})
	legacy, err := fitbit.New(fitbit.Config{
		ClientID: fitbittest.DefaultClientID, ClientSecret: providers.NewSecret(fitbittest.DefaultClientSecret), RoutesPerPage: -1,
		RedirectURL: fitbittest.DefaultRedirectURL, BaseURL: providertest.BaseURL, AccountURL: providertest.BaseURL,
		Transport: providertest.Transport(fitbitSim), RequestsPerHour: -1, MaxWait: -1,
	})
	require.NoError(t, err)
	successor, err := googlehealth.New(googlehealth.Config{
		ClientID: googlehealthtest.DefaultClientID, ClientSecret: providers.NewSecret(googlehealthtest.DefaultClientSecret),
		RedirectURL: googlehealthtest.DefaultRedirectURL, Transport: providertest.Transport(googleSim), RequestsPerMinute: -1, MaxWait: -1,
	})
	require.NoError(t, err)
	last, err := health.ParseDay("2026-10-29")
	require.NoError(t, err)
	s := sides{zone: zone, days: health.Window{First: last.Add(-35), Last: last}}
	a := fitbitSim.Login(person.ID)
	s.legacy = read(t, legacy, providers.Credential{UpstreamID: a.PersonID, Access: providers.NewSecret(a.AccessToken), Scopes: a.Scopes}, zone, s.days)
	b := googleSim.Login(user.ID)
	s.successor = read(t, successor, providers.Credential{UpstreamID: user.ID, Access: providers.NewSecret(b.AccessToken), Scopes: b.Scopes}, zone, s.days)
	return s
}

// line is what a value is of, by which resolved reads tell values apart.
type line struct {
	metric health.Metric
	stat   health.Stat
	part   health.Part
}

func linesOf(records []health.Record) map[line]map[health.Kind]bool {
	all := map[line]map[health.Kind]bool{}
	for _, r := range records {
		for _, v := range r.Values {
			at := line{v.Metric, v.Stat, v.Part}
			if all[at] == nil {
				all[at] = map[health.Kind]bool{}
			}
			all[at][r.Kind] = true
		}
	}
	return all
}

// TestOnePersonAtBothServices reads one person's days from both services.
func TestOnePersonAtBothServices(t *testing.T) {
	s := bothSides(t)
	t.Run("the same", func(t *testing.T) { tellTheSame(t, s) })
	t.Run("one history", func(t *testing.T) { areOneHistory(t, s) })
}

// tellTheSame compares what each service tells: a value that both have must have
// the same metric, statistic and part in a record of the same kind and civil day,
// and the same number where both tell what one tracker measured. What differs
// would be there twice in a history that changes from one service to the other.
func tellTheSame(t *testing.T, s sides) {
	legacy, successor := linesOf(s.legacy), linesOf(s.successor)
	shared := 0
	for at, kinds := range legacy {
		if successor[at] == nil || at.metric == health.MetricBodyHeight { // a fact of the profile there, a reading here
			continue
		}
		shared++
		common := false
		for kind := range kinds {
			common = common || successor[at][kind]
		}
		require.True(t, common, "%v is of kinds %v and of kinds %v", at, kinds, successor[at])
	}
	require.Greater(t, shared, 60)

	for _, c := range []struct {
		line
		kind health.Kind
		same bool // the number is of one measurement
	}{
		{line{metric: health.MetricSteps}, health.KindDaily, true},
		{line{metric: health.MetricDistance}, health.KindDaily, true},
		{line{metric: health.MetricFloorsClimbed}, health.KindDaily, true},
		{line{metric: health.MetricElevationGain}, health.KindDaily, false},
		{line{metric: health.MetricEnergyTotal}, health.KindDaily, false},
		{line{metric: health.MetricEnergyActive}, health.KindDaily, true},
		{line{metric: health.MetricSwimStrokes}, health.KindDaily, false},
		{line{metric: health.MetricActiveDuration, part: health.PartLight}, health.KindDaily, false},
		{line{metric: health.MetricActiveDuration, part: health.PartVigorous}, health.KindDaily, false},
		{line{metric: health.MetricSedentaryDuration}, health.KindDaily, false},
		{line{metric: health.MetricActiveZoneMinutes}, health.KindDaily, false},
		{line{metric: health.MetricActiveZoneMinutes, part: health.PartZone1}, health.KindDaily, false},
		{line{metric: health.MetricHeartRateResting}, health.KindDaily, true},
		{line{metric: health.MetricHeartRateZoneDuration, part: health.PartZone0}, health.KindDaily, false},
		{line{metric: health.MetricHeartRateZoneEnergy, part: health.PartZone0}, health.KindDaily, false},
		{line{health.MetricHeartRateZoneBound, health.StatMin, health.PartZone2}, health.KindDaily, false},
		{line{metric: health.MetricHRVRMSSD, stat: health.StatMean}, health.KindDaily, true},
		{line{health.MetricHRVRMSSD, health.StatMean, health.PartDeep}, health.KindDaily, true},
		{line{metric: health.MetricSpO2, stat: health.StatMean}, health.KindDaily, true},
		{line{metric: health.MetricRespiratoryRate, stat: health.StatMean}, health.KindDaily, true},
		{line{health.MetricRespiratoryRate, health.StatMean, health.PartAsleep}, health.KindDaily, true},
		{line{health.MetricRespiratoryRate, health.StatMean, health.PartDeep}, health.KindDaily, true},
		{line{health.MetricRespiratoryRate, health.StatMean, health.PartREM}, health.KindDaily, true},
		{line{metric: health.MetricSkinTemperatureDeviation}, health.KindDaily, false},
		{line{metric: health.MetricVO2Max}, health.KindDaily, false},
		{line{metric: health.MetricWaterIntake}, health.KindDaily, true},
		{line{metric: health.MetricEnergyIntake}, health.KindDaily, false},
		{line{metric: health.MetricNutrientProtein}, health.KindDaily, false},
		{line{metric: health.MetricNutrientFat}, health.KindDaily, false},
		{line{metric: health.MetricNutrientCarbohydrates}, health.KindDaily, false},
		{line{metric: health.MetricNutrientSodium}, health.KindDaily, false},
		{line{metric: health.MetricEnergyIntake}, health.KindNutrition, false},
		{line{metric: health.MetricWaterIntake}, health.KindNutrition, false},
		{line{metric: health.MetricBodyWeight}, health.KindBody, true},
		{line{metric: health.MetricBodyFatPercentage}, health.KindBody, true},
		{line{metric: health.MetricBMI}, health.KindBody, false},
		{line{metric: health.MetricBodyTemperature}, health.KindBody, false},
		{line{metric: health.MetricSleepDuration}, health.KindSleep, false},
		{line{metric: health.MetricSleepDeep}, health.KindSleep, true},
		{line{metric: health.MetricSleepREM}, health.KindSleep, true},
		{line{metric: health.MetricSteps}, health.KindActivity, false},
		{line{metric: health.MetricDistance}, health.KindActivity, false},
		{line{metric: health.MetricEnergyTotal}, health.KindActivity, true},
		{line{metric: health.MetricHeartRate, stat: health.StatMean}, health.KindActivity, true},
		{line{metric: health.MetricExerciseDuration}, health.KindActivity, false},
		{line{metric: health.MetricHeartRate, stat: health.StatMean}, health.KindECG, false},
	} {
		a, b := numbers(s.legacy, c.kind, c.line), numbers(s.successor, c.kind, c.line)
		require.NotEmpty(t, a, "%s: %v", c.kind, c.line)
		require.NotEmpty(t, b, "%s: %v", c.kind, c.line)
		met := 0
		for day, want := range a {
			got, ok := b[day]
			if !ok {
				continue
			}
			met++
			if c.same {
				require.InDelta(t, want, got, 0.051, "%s: %v on %s", c.kind, c.line, day)
			}
		}
		if c.same {
			require.Positive(t, met, "%s: %v: no civil day in common", c.kind, c.line)
		}
	}

	// Samples are resolved by metric, statistic and part, whatever records they
	// came with.
	a, b := seriesOf(s.legacy), seriesOf(s.successor)
	for _, metric := range []health.Metric{
		health.MetricHeartRate, health.MetricSteps, health.MetricHRVRMSSD, health.MetricHRVHFPower, health.MetricHRVLFPower, health.MetricSpO2,
		health.MetricECGVoltage,
	} {
		require.True(t, a[line{metric: metric}], metric)
		require.True(t, b[line{metric: metric}], metric)
	}
	require.True(t, a[line{metric: health.MetricActiveZoneMinutes, part: health.PartZone1}])
	require.True(t, b[line{metric: health.MetricActiveZoneMinutes, part: health.PartZone1}])
}

// numbers returns the sums of a line in records of a kind by their civil day.
func numbers(records []health.Record, kind health.Kind, of line) map[string]float64 {
	all := map[string]float64{}
	for _, r := range records {
		for _, v := range r.Values {
			if r.Kind == kind && of == (line{v.Metric, v.Stat, v.Part}) {
				all[r.Span.Day.String()] += v.Number.Float()
			}
		}
	}
	return all
}

func seriesOf(records []health.Record) map[line]bool {
	all := map[line]bool{}
	for _, r := range records {
		for _, x := range r.Series {
			all[line{x.Metric, x.Stat, x.Part}] = all[line{x.Metric, x.Stat, x.Part}] || !x.Floating
		}
	}
	return all
}

// areOneHistory stores what both services tell of the same days
// and reads it as one history: each value of a day, each night, workout and
// measurement is there once, from the service that the person was with.
func areOneHistory(t *testing.T, s sides) {
	file := store.NewMemory()
	seam := s.days.First.Add(18)
	began, _, _ := seam.Bounds(s.zone)
	for _, c := range []store.Connection{
		{ID: "before", User: "ada", Provider: fitbit.Name, CreatedAt: began.AddDate(-1, 0, 0)},
		{ID: "after", User: "ada", Provider: googlehealth.Name, CreatedAt: began, Predecessor: "before"},
	} {
		_, err := file.PutConnection(t.Context(), c)
		require.NoError(t, err)
	}
	for conn, records := range map[string][]health.Record{"before": s.legacy, "after": s.successor} {
		byStream := map[string][]health.Record{}
		for _, r := range records {
			r.Connection = conn
			byStream[r.Stream()] = append(byStream[r.Stream()], r)
		}
		for stream, list := range byStream {
			_, err := file.Commit(t.Context(), store.Batch{
				User: "ada", Connection: conn, Unfenced: true, Now: began.AddDate(0, 3, 0), Cause: store.CauseBackfill,
				Pages: []store.Page{{Stream: stream, Records: list}},
			})
			require.NoError(t, err)
		}
	}
	resolved, err := store.ResolveRecords(t.Context(), file, store.RecordQuery{User: "ada"}, store.Policy{Explain: true})
	require.NoError(t, err)

	days, merged := map[string]bool{}, map[line]int{}
	once := map[string]string{}
	for _, r := range resolved {
		switch r.Record.Kind {
		case health.KindDaily:
			day := r.Record.Span.Day
			require.False(t, days[day.String()], "%s is there twice", day)
			days[day.String()] = true
			for _, v := range r.Values {
				if !slices.ContainsFunc(v.Others, func(o store.Alternative) bool { return o.Connection != v.Connection }) {
					continue
				}
				want := "before"
				if day.Compare(seam) >= 0 {
					want = "after"
				}
				require.Equal(t, want, v.Connection, "%s on %s", v.Metric, day)
				merged[line{v.Metric, v.Stat, v.Part}]++
			}
		case health.KindSleep, health.KindActivity, health.KindBody:
			for _, v := range r.Values {
				if v.Metric != health.MetricSleepDuration && v.Metric != health.MetricExerciseDuration && v.Metric != health.MetricBodyWeight && v.Metric != health.MetricBodyFatPercentage {
					continue
				}
				at := fmt.Sprint(v.Metric, r.Record.Span.Start.SortMilli())
				require.Empty(t, once[at], "%s of %s and of %s", v.Metric, v.Key, once[at])
				once[at] = v.Key
			}
		}
	}
	for _, at := range []line{
		{metric: health.MetricSteps}, {metric: health.MetricWaterIntake}, {metric: health.MetricEnergyIntake}, {metric: health.MetricNutrientProtein},
		{metric: health.MetricRespiratoryRate, stat: health.StatMean}, {health.MetricRespiratoryRate, health.StatMean, health.PartAsleep},
		{health.MetricRespiratoryRate, health.StatMean, health.PartDeep},
	} {
		require.Greater(t, merged[at], 3, "%v", at)
	}
	require.Greater(t, len(merged), 25)
	require.Greater(t, len(once), 40)
}
