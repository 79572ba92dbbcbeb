package fitbit_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/fitbit"
	"github.com/vitalmux/vitalmux/providers/fitbit/fitbittest"
	"github.com/vitalmux/vitalmux/providers/providertest"
)

// noon is the present of the tests' worlds.
func noon() time.Time { return time.Date(2026, 10, 30, 12, 0, 0, 0, time.UTC) }

// world is a service with one person, and the adapter for it.
type world struct {
	*simulator
	provider *fitbit.Provider
	cred     providers.Credential
	zone     *time.Location
}

func newWorld(tb testing.TB, cfg fitbittest.Config, change func(*fitbit.Config)) *world {
	tb.Helper()
	if cfg.Now == nil {
		cfg.Now = noon
	}
	if cfg.Seed == 0 {
		cfg.Seed = 11
	}
	cfg.BaseURL = providertest.BaseURL
	zone, err := time.LoadLocation(zoneName)
	require.NoError(tb, err)
	w := &world{simulator: newSimulator(cfg), zone: zone}
	h := harness(zone, change)
	w.provider = h.New(tb, providertest.BaseURL, providertest.Transport(w.Server)).(*fitbit.Provider)
	w.cred = w.Login()
	return w
}

func same(*fitbit.Config) {}

// walk fetches all pages of a window of a stream.
func (w *world) walk(tb testing.TB, stream string, window health.Window, zone *time.Location) []health.Record {
	tb.Helper()
	var all []health.Record
	for page, err := range providers.Pages(tb.Context(), w.provider, w.cred, providers.Query{Stream: stream, Window: window, Zone: zone}) {
		require.NoError(tb, err, stream)
		require.Empty(tb, page.Quarantined, stream)
		all = append(all, page.Records...)
	}
	return all
}

// everything walks the window of a stream in queries of at most its longest.
func (w *world) everything(tb testing.TB, stream string) []health.Record {
	tb.Helper()
	st, ok := w.provider.Capabilities().StreamNamed(stream)
	require.True(tb, ok)
	window := w.Window(stream)
	if st.Grain == providers.GrainNone {
		return w.walk(tb, stream, window, w.zone)
	}
	days := int(st.MaxWindow / (24 * time.Hour))
	if days == 0 {
		return w.walk(tb, stream, window, w.zone)
	}
	var all []health.Record
	for first := window.First; first.Compare(window.Last) <= 0; first = first.Add(days) {
		last := first.Add(days - 1)
		if last.Compare(window.Last) > 0 {
			last = window.Last
		}
		all = append(all, w.walk(tb, stream, health.Window{First: first, Last: last}, w.zone)...)
	}
	return all
}

// byKey returns the records by the part of their keys behind the stream.
func byKey(records []health.Record) map[string]health.Record {
	m := map[string]health.Record{}
	for _, r := range records {
		m[r.Key[len(r.Stream())+1:]] = r
	}
	return m
}

// number returns a value of a record; NaN-like absence is told by ok.
func number(r health.Record, metric health.Metric, stat health.Stat, part health.Part) (float64, bool) {
	for _, v := range r.Values {
		if v.Metric == metric && v.Stat == stat && v.Part == part {
			return v.Number.Float(), true
		}
	}
	return 0, false
}

func requireNumber(t *testing.T, want float64, r health.Record, metric health.Metric, stat health.Stat, part health.Part) {
	t.Helper()
	got, ok := number(r, metric, stat, part)
	require.True(t, ok, "%s has no %s %s %s", r.Key, metric, stat, part)
	require.InDelta(t, want, got, 1e-9, "%s %s %s %s", r.Key, metric, stat, part)
}

func textOf(r health.Record, name string) string {
	for _, t := range r.Texts {
		if t.Name == name {
			return t.Value
		}
	}
	return ""
}

func TestDaysAreMappedAsTheyAre(t *testing.T) {
	w := newWorld(t, fitbittest.Config{Days: 40, RateLimit: -1}, same)
	records := map[string]map[string]health.Record{}
	for _, stream := range []string{
		"activity", "active_energy", "tracker", "heart", "active_zone_minutes", "hrv", "spo2", "breathing", "breathing_stages", "skin_temperature",
		"cardio_fitness", "food_totals",
	} {
		records[stream] = byKey(w.everything(t, stream))
	}
	v := health.StatValue
	for _, d := range w.Days(w.person.ID) {
		r := records["activity"][d.Date]
		requireNumber(t, float64(d.Steps), r, health.MetricSteps, v, "")
		requireNumber(t, d.Distance*1000, r, health.MetricDistance, v, "")
		requireNumber(t, float64(d.CaloriesOut), r, health.MetricEnergyTotal, v, "")
		requireNumber(t, float64(d.CaloriesBMR), r, health.MetricEnergyBasal, v, "")
		requireNumber(t, float64(d.Floors), r, health.MetricFloorsClimbed, v, "")
		requireNumber(t, d.Elevation, r, health.MetricElevationGain, v, "")
		requireNumber(t, float64(d.Sedentary*60), r, health.MetricSedentaryDuration, v, "")
		requireNumber(t, float64(d.Very*60), r, health.MetricActiveDuration, v, health.PartVigorous)
		requireNumber(t, float64(d.SwimStrokes), r, health.MetricSwimStrokes, v, "")
		requireNumber(t, float64(d.ActivityCalories), records["active_energy"][d.Date], health.MetricEnergyActive, v, "")
		requireNumber(t, d.TrackerDistance*1000, records["tracker"][d.Date], health.MetricDistance, v, health.PartTracker)
		requireNumber(t, float64(d.Fair*60), records["tracker"][d.Date], health.MetricActiveDuration, v, "tracker_moderate")
		requireNumber(t, float64(d.Water), records["food_totals"][d.Date], health.MetricWaterIntake, v, "")
		require.Equal(t, health.ZoneFromProfile, r.Span.Zone)
		require.Equal(t, d.Date, r.Span.Day.String())
		start, end, _ := civil(d.Date).Bounds(w.zone)
		require.Equal(t, health.At(start), r.Span.Start)
		require.Equal(t, health.At(end), r.Span.End)
		if !d.Worn {
			require.NotContains(t, records["hrv"], d.Date)
			require.NotContains(t, records["spo2"], d.Date)
			continue
		}
		h := records["heart"][d.Date]
		requireNumber(t, float64(d.RestingHeartRate), h, health.MetricHeartRateResting, v, "")
		requireNumber(t, float64(d.Zones[1].Minutes*60), h, health.MetricHeartRateZoneDuration, v, health.PartZone1)
		requireNumber(t, d.Zones[3].Calories, h, health.MetricHeartRateZoneEnergy, v, health.PartZone3)
		requireNumber(t, 132, h, health.MetricHeartRateZoneBound, health.StatMin, health.PartZone2)
		requireNumber(t, d.RMSSD, records["hrv"][d.Date], health.MetricHRVRMSSD, health.StatMean, "")
		requireNumber(t, d.DeepRMSSD, records["hrv"][d.Date], health.MetricHRVRMSSD, health.StatMean, health.PartDeep)
		requireNumber(t, d.SpO2, records["spo2"][d.Date], health.MetricSpO2, health.StatMean, "")
		requireNumber(t, d.SpO2Min, records["spo2"][d.Date], health.MetricSpO2, health.StatMin, "")
		requireNumber(t, d.BreathingRate, records["breathing"][d.Date], health.MetricRespiratoryRate, health.StatMean, "")
		requireNumber(t, d.BreathingDeep, records["breathing_stages"][d.Date], health.MetricRespiratoryRate, health.StatMean, health.PartDeep)
		_, light := number(records["breathing_stages"][d.Date], health.MetricRespiratoryRate, health.StatMean, health.PartLight)
		require.False(t, light, "below zero is no data")
		requireNumber(t, d.SkinTemperature, records["skin_temperature"][d.Date], health.MetricSkinTemperatureDeviation, v, "")
		if d.ActiveZoneMinutes() > 0 {
			requireNumber(t, float64(d.ActiveZoneMinutes()), records["active_zone_minutes"][d.Date], health.MetricActiveZoneMinutes, v, "")
			requireNumber(t, float64(d.Peak), records["active_zone_minutes"][d.Date], health.MetricActiveZoneMinutes, v, health.PartZone3)
		}
		c := records["cardio_fitness"][d.Date]
		var low, high int
		if n, _ := fmt.Sscanf(d.VO2Max, "%d-%d", &low, &high); n == 2 {
			requireNumber(t, float64(low+high)/2, c, health.MetricVO2Max, v, "")
			requireNumber(t, float64(high), c, health.MetricVO2Max, health.StatMax, "")
		} else {
			requireNumber(t, float64(low), c, health.MetricVO2Max, v, "")
		}
	}
}

// A value of a person's day is kept in one place: no two records have the same
// metric, statistic and part for one day.
func TestNoValueOfADayIsKeptTwice(t *testing.T) {
	w := newWorld(t, fitbittest.Config{Days: 6, RateLimit: -1}, same)
	seen := map[string]string{}
	for _, st := range w.provider.Capabilities().Streams {
		for _, r := range w.everything(t, st.Name) {
			if r.Kind != health.KindDaily {
				continue
			}
			for _, v := range r.Values {
				slot := fmt.Sprint(r.Span.Day, v.Metric, v.Stat, v.Part)
				require.NotContains(t, seen, slot, "%s and %s", r.Key, seen[slot])
				seen[slot] = r.Key
			}
		}
	}
	require.Greater(t, len(seen), 100)
}

// One day by itself is the same as that day within a range: notifications ask
// for single days, and so do ends of long periods.
func TestASingleDayIsThatOfTheRange(t *testing.T) {
	w := newWorld(t, fitbittest.Config{Days: 12, RateLimit: -1}, same)
	compared := 0
	for _, st := range w.provider.Capabilities().Streams {
		if st.Grain != providers.GrainDay {
			continue
		}
		all := w.everything(t, st.Name)
		day := w.Window(st.Name).Last.Add(-1)
		var want []health.Record
		for _, r := range all {
			if r.Span.Day == day {
				want = append(want, r)
			}
		}
		got := w.walk(t, st.Name, health.Window{First: day, Last: day}, w.zone)
		require.Equal(t, want, got, st.Name)
		compared += len(got)
	}
	require.Greater(t, compared, 15)
}

func TestSleepIsMappedAsItIs(t *testing.T) {
	for _, list := range []bool{false, true} {
		w := newWorld(t, fitbittest.Config{Days: 60, RateLimit: -1}, func(c *fitbit.Config) { c.SleepList = list })
		records := byKey(w.everything(t, "sleep"))
		sleeps := w.Sleeps(w.person.ID)
		require.Len(t, records, len(sleeps))
		classic, short := 0, 0
		for _, s := range sleeps {
			require.Greater(t, s.LogID, int64(1<<53))
			r := records[strconv.FormatInt(s.LogID, 10)]
			require.Equal(t, health.KindSleep, r.Kind)
			start, _ := r.Span.Start.Time()
			end, _ := r.Span.End.Time()
			require.True(t, start.Equal(s.StartInstant), "%s: %s is not %s", r.Key, start, s.StartInstant)
			require.True(t, end.Equal(s.EndInstant), "%s: %s is not %s", r.Key, end, s.EndInstant)
			require.Equal(t, s.DateOfSleep, r.Span.Day.String())
			require.Zero(t, r.Span.Flags)
			requireNumber(t, float64(s.MinutesAsleep*60), r, health.MetricSleepDuration, health.StatValue, "")
			requireNumber(t, float64(s.TimeInBed()*60), r, health.MetricSleepInBed, health.StatValue, "")
			requireNumber(t, float64(s.Efficiency), r, health.MetricSleepEfficiency, health.StatValue, "")
			require.Equal(t, map[bool]string{true: "main", false: "nap"}[s.Main], textOf(r, health.TextSleepType))
			stages, total := 0, int64(0)
			for _, seg := range r.Segments {
				require.NotEmpty(t, seg.Label)
				if seg.Track == health.TrackStage {
					stages++
					total += seg.End.SortMilli() - seg.Start.SortMilli()
				} else {
					require.Equal(t, health.TrackShortAwake, seg.Track)
					short++
				}
			}
			want := int64(0)
			for _, l := range s.Levels {
				want += int64(l.Seconds) * 1000
			}
			require.Equal(t, want, total, "the stages of %s tile the night", r.Key)
			require.GreaterOrEqual(t, stages, len(s.Levels))
			if s.Classic {
				classic++
			}
		}
		require.Positive(t, classic)
		require.Positive(t, short)
	}
}

func TestWorkoutsAreMappedAsTheyAre(t *testing.T) {
	w := newWorld(t, fitbittest.Config{Days: 60, RateLimit: -1}, same)
	records, routes := byKey(w.everything(t, "workouts")), byKey(w.everything(t, "routes"))
	workouts := w.Workouts(w.person.ID)
	require.Len(t, records, len(workouts))
	sports := map[string]string{"Run": "running", "Walk": "walking", "Bike": "cycling", "Swim": "swimming", "Weights": "strength_training", "Sport": "other"}
	gps := 0
	for _, x := range workouts {
		r := records[strconv.FormatInt(x.LogID, 10)]
		start, _ := r.Span.Start.Time()
		end, _ := r.Span.End.Time()
		require.True(t, start.Equal(x.Start))
		require.Equal(t, x.Duration, end.Sub(start))
		require.Equal(t, health.ZoneFromRecord, r.Span.Zone)
		require.Equal(t, x.Modified.UnixMilli(), r.Rev.Order)
		require.Equal(t, sports[x.Name], textOf(r, health.TextSport))
		requireNumber(t, x.Active.Seconds(), r, health.MetricExerciseDuration, health.StatValue, "")
		requireNumber(t, float64(x.Calories), r, health.MetricEnergyTotal, health.StatValue, "")
		if x.Distance > 0 {
			requireNumber(t, x.Distance*1000, r, health.MetricDistance, health.StatValue, "")
		}
		if x.HeartRate > 0 {
			requireNumber(t, float64(x.HeartRate), r, health.MetricHeartRate, health.StatMean, "")
			requireNumber(t, 20, r, health.MetricActiveZoneMinutes, health.StatValue, health.PartZone2)
		}
		require.Equal(t, map[bool]health.Method{true: health.MethodSelfReported, false: health.MethodSensed}[x.Manual], r.Method)
		route, ok := routes[strconv.FormatInt(x.LogID, 10)]
		require.Equal(t, x.GPS, ok)
		if !ok {
			continue
		}
		gps++
		require.Equal(t, health.KindObservation, route.Kind, "it is no second workout")
		require.Len(t, route.Series, 5)
		for _, s := range route.Series {
			require.Equal(t, 120, s.Len())
			require.Equal(t, x.Start.UnixMilli(), s.Times[0])
			require.False(t, s.Floating)
		}
		run := 0.0
		for _, s := range route.Series {
			for i := 0; s.Metric == health.MetricDistance && i < s.Len(); i++ {
				run += s.Number(i).Float()
			}
		}
		require.InDelta(t, 595*2.7, run, 1e-6, "2.7 m/s from the first point to the last")
		require.Len(t, route.Segments, 1)
		require.Equal(t, health.TrackLap, route.Segments[0].Track)
	}
	require.Positive(t, gps)
}

func TestHeartRateWithinADayIsMappedAsItIs(t *testing.T) {
	w := newWorld(t, fitbittest.Config{Days: 5, RateLimit: -1}, same)
	days := w.Days(w.person.ID)
	for _, zone := range []*time.Location{w.zone, nil} {
		checked := 0
		for _, d := range days {
			window := health.Window{First: civil(d.Date), Last: civil(d.Date)}
			records := w.walk(t, "heart_intraday", window, zone)
			beats := w.HeartRate(w.person.ID, d.Date, fitbit.DetailSecond)
			if len(beats) == 0 {
				require.Empty(t, records)
				continue
			}
			require.Len(t, records, 1)
			require.Len(t, records[0].Series, 1)
			s := records[0].Series[0]
			require.Equal(t, zone == nil, s.Floating)
			require.Equal(t, len(beats), s.Len())
			for i, b := range beats {
				want := b.At.UnixMilli()
				if zone == nil {
					_, offset := b.At.Zone()
					want += int64(offset) * 1000
				}
				require.Equal(t, want, s.Times[i])
				require.EqualValues(t, b.BPM, s.Values[i])
			}
			checked++
		}
		require.Positive(t, checked)
	}
}

// Clocks change: the last Sunday of March and of October in Berlin.
func TestDaysOnWhichClocksChange(t *testing.T) {
	for _, date := range []string{"2026-03-29", "2026-10-25"} {
		now := func() time.Time { return civilNoon(date).Add(48 * time.Hour) }
		w := newWorld(t, fitbittest.Config{Days: 5, RateLimit: -1, Now: now}, same)
		for _, d := range w.Days(w.person.ID) {
			if d.Date != date {
				continue
			}
			require.True(t, d.Worn, "another seed is needed")
		}
		day := health.Window{First: civil(date), Last: civil(date)}
		s := w.walk(t, "heart_intraday", day, w.zone)[0].Series[0]
		beats := w.HeartRate(w.person.ID, date, fitbit.DetailSecond)
		require.Equal(t, len(beats), s.Len())
		for i, b := range beats {
			require.Equal(t, b.At.UnixMilli(), s.Times[i], "%s point %d", date, i)
		}
		start, end, _ := civil(date).Bounds(w.zone)
		require.Equal(t, start.UnixMilli(), s.From)
		require.Equal(t, end.UnixMilli(), s.To)
		// The night over the change: the clock of its log kept running.
		for _, sl := range w.Sleeps(w.person.ID) {
			if sl.DateOfSleep != date || !sl.Main {
				continue
			}
			r := byKey(w.walk(t, "sleep", day, w.zone))[strconv.FormatInt(sl.LogID, 10)]
			end, _ := r.Span.End.Time()
			require.True(t, end.Equal(sl.EndInstant))
			last := r.Segments[len(r.Segments)-1]
			to, _ := last.End.Time()
			require.True(t, to.Equal(sl.EndInstant))
		}
	}
}

func civilNoon(date string) time.Time {
	t, err := time.Parse(time.DateOnly, date)
	if err != nil {
		panic(err)
	}
	return t.Add(12 * time.Hour)
}

func TestElectrocardiogramsCanBeComputedBack(t *testing.T) {
	w := newWorld(t, fitbittest.Config{Days: 60, RateLimit: -1}, same)
	records := byKey(w.everything(t, "ecg"))
	all := w.Electrocardiograms(w.person.ID)
	require.NotEmpty(t, all)
	for _, e := range all {
		r := records[e.Start]
		require.Len(t, r.Series, 1)
		s := r.Series[0]
		require.Len(t, s.Values, len(e.Samples))
		for i, n := range e.Samples {
			back := (float64(s.Values[i]) * float64(e.ScalingFactor)) / 1e6
			require.InDelta(t, float64(n), back, 0.1)
		}
		require.Equal(t, strconv.Itoa(e.ScalingFactor), textOf(r, "fitbit_scaling_factor"))
		require.Equal(t, e.Result, textOf(r, health.TextAFibCode))
		require.NotEmpty(t, textOf(r, health.TextAFibResult))
	}
}

func TestBodyFoodAndWater(t *testing.T) {
	w := newWorld(t, fitbittest.Config{Days: 20, RateLimit: -1}, same)
	weights, fats := byKey(w.everything(t, "weight")), byKey(w.everything(t, "fat"))
	for _, x := range w.Weighings(w.person.ID) {
		r := weights[strconv.FormatInt(x.WeightID, 10)]
		requireNumber(t, x.Weight, r, health.MetricBodyWeight, health.StatValue, "")
		requireNumber(t, x.BMI, r, health.MetricBMI, health.StatValue, "")
		_, fat := number(r, health.MetricBodyFatPercentage, health.StatValue, "")
		require.False(t, fat, "of the fat log")
		local, _ := r.Span.Start.Time()
		require.Equal(t, x.Date+" "+x.Time, local.Format(time.DateTime))
		if x.Fat > 0 {
			requireNumber(t, x.Fat, fats[strconv.FormatInt(x.FatID, 10)], health.MetricBodyFatPercentage, health.StatValue, "")
		}
	}
	foods, drinks := byKey(w.everything(t, "food")), byKey(w.everything(t, "water"))
	window, checked := w.Window("food"), 0
	for _, x := range w.Foods(w.person.ID) {
		if civil(x.Date).Compare(window.First) < 0 {
			continue
		}
		r := foods[strconv.FormatInt(x.LogID, 10)]
		requireNumber(t, float64(x.Calories), r, health.MetricEnergyIntake, health.StatValue, "")
		requireNumber(t, x.Carbs, r, health.MetricNutrientCarbohydrates, health.StatValue, "")
		requireNumber(t, x.Sodium, r, health.MetricNutrientSodium, health.StatValue, "")
		require.NotEmpty(t, textOf(r, health.TextMealType))
		require.Equal(t, x.Name, textOf(r, health.TextTitle))
		checked++
	}
	for _, x := range w.Drinks(w.person.ID) {
		if civil(x.Date).Compare(window.First) >= 0 {
			requireNumber(t, float64(x.Amount), drinks[strconv.FormatInt(x.LogID, 10)], health.MetricWaterIntake, health.StatValue, "")
			checked++
		}
	}
	require.Positive(t, checked)
}

func TestProfileTellsTheZone(t *testing.T) {
	w := newWorld(t, fitbittest.Config{Days: 3, RateLimit: -1}, same)
	page, err := w.provider.Fetch(t.Context(), w.cred, providers.Query{Stream: "profile"})
	require.NoError(t, err)
	require.Equal(t, zoneName, page.Zone)
	require.Equal(t, w.person.ID, textOf(page.Records[0], health.TextUpstreamUserID))
	// Before that, times float.
	r := w.walk(t, "sleep", w.Window("sleep"), nil)[0]
	require.Equal(t, health.ZoneFloating, r.Span.Zone)
	require.True(t, r.Span.Start.IsFloating())
	require.True(t, r.Segments[0].Start.IsFloating())
}
