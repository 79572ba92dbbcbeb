package withingstest_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/providers/withings/withingstest"
)

// index maps every row of a truth by its key.
func index(t *testing.T, truth withingstest.Truth) map[withingstest.Key]any {
	t.Helper()
	out := map[withingstest.Key]any{}
	put := func(k withingstest.Key, v any) {
		_, taken := out[k]
		require.False(t, taken, "keys are unique")
		out[k] = v
	}
	for _, v := range truth.Measures {
		put(v.Key(), v)
	}
	for _, v := range truth.Activities {
		put(v.Key(), v)
	}
	for _, v := range truth.Intraday {
		put(v.Key(), v)
	}
	for _, v := range truth.Workouts {
		put(v.Key(), v)
	}
	for _, v := range truth.Nights {
		put(v.Key(), v)
	}
	for _, v := range truth.Hearts {
		put(v.Key(), v)
	}
	for _, v := range truth.Devices {
		put(v.Key(), v)
	}
	return out
}

// requireDifference checks that a report names exactly what differs between two truths.
func requireDifference(t *testing.T, before, after map[withingstest.Key]any, ev withingstest.Evolution) {
	t.Helper()
	differs := map[withingstest.Key]string{}
	for k, v := range after {
		old, ok := before[k]
		switch {
		case !ok:
			differs[k] = "added"
		case !reflect.DeepEqual(old, v):
			differs[k] = "edited"
		}
	}
	for k := range before {
		if _, ok := after[k]; !ok {
			differs[k] = "deleted"
		}
	}
	reported := map[withingstest.Key]string{}
	report := func(how string, keys []withingstest.Key) {
		for _, k := range keys {
			require.Empty(t, reported[k], "a key stands in one list only")
			reported[k] = how
		}
	}
	report("added", ev.Added)
	report("added", ev.Late)
	report("edited", ev.Edited)
	report("deleted", ev.Deleted)
	require.Equal(t, differs, reported)
}

func TestReportsMatchTheTruth(t *testing.T) {
	changes := map[string]func(w *world, i int) withingstest.Evolution{
		"evolve":                func(w *world, _ int) withingstest.Evolution { return w.Evolve(w.user.ID) },
		"evolve as time passes": func(w *world, _ int) withingstest.Evolution { w.clock.Add(31 * time.Hour); return w.Evolve(w.user.ID) },
		"advance a day": func(w *world, _ int) withingstest.Evolution {
			w.clock.Add(24 * time.Hour)
			return w.AdvanceDay(w.user.ID)
		},
		"advance without time": func(w *world, _ int) withingstest.Evolution { return w.AdvanceDay(w.user.ID) },
		"catch up":             func(w *world, _ int) withingstest.Evolution { w.clock.Add(7 * time.Hour); return w.CatchUp(w.user.ID) },
		"late data":            func(w *world, i int) withingstest.Evolution { return w.AddLate(w.user.ID, i+1) },
	}
	for name, change := range changes {
		for _, zone := range []string{"America/New_York", "Pacific/Apia"} {
			for _, hold := range []int{0, 5} {
				t.Run(fmt.Sprint(name, zone, hold), func(t *testing.T) {
					w := newWorld(t, withingstest.Config{Days: 7, IntradayDays: 1})
					w.user = w.AddUser(withingstest.UserConfig{ID: 502, Timezone: zone, HoldBack: hold})
					before := index(t, w.Truth(w.user.ID))
					for i := range 3 {
						ev := change(w, i)
						after := index(t, w.Truth(w.user.ID))
						requireDifference(t, before, after, ev)
						require.NotEmpty(t, append(ev.Added, ev.Late...))
						before = after
					}
				})
			}
		}
	}
}

func TestEvolveDoesEverything(t *testing.T) {
	w := newWorld(t, quiet())
	for range 10 {
		w.clock.Add(time.Hour)
		w.token = w.Login(w.user.ID)
		since := fmt.Sprint(w.clock.Now().Unix())
		ev := w.Evolve(w.user.ID)
		kinds := map[string]bool{}
		for list, keys := range map[string][]withingstest.Key{"added": ev.Added, "late": ev.Late, "edited": ev.Edited, "deleted": ev.Deleted} {
			for _, k := range keys {
				kinds[list+" "+string(k.Kind)] = true
			}
		}
		for _, want := range []string{"added measure", "late measure", "edited measure", "edited activity", "deleted measure"} {
			require.True(t, kinds[want], want)
		}
		// A client that asks for what changed since finds all of it, and nothing else.
		found := map[withingstest.Key]bool{}
		for _, g := range mirrorMeasures(t, w, "lastupdate", since) {
			found[g.Key()] = true
		}
		for _, a := range mirrorActivities(t, w, "lastupdate", since) {
			found[a.Key()] = true
		}
		want := map[withingstest.Key]bool{}
		for _, keys := range [][]withingstest.Key{ev.Added, ev.Late, ev.Edited} {
			for _, k := range keys {
				if k.Kind == withingstest.KindMeasure || k.Kind == withingstest.KindActivity {
					want[k] = true
				}
			}
		}
		require.Equal(t, want, found)
	}
}

func TestHeldBackDaysAreNewToLastUpdate(t *testing.T) {
	w := newWorld(t, quiet())
	w.user = w.AddUser(withingstest.UserConfig{HoldBack: 3})
	w.token = w.Login(w.user.ID)
	require.Equal(t, "2026-11-18", w.user.LastDay)
	since := w.clock.Now().Unix()
	for day := range 3 {
		ev := w.AdvanceDay(w.user.ID)
		require.NotEmpty(t, ev.Added)
		require.Equal(t, fmt.Sprintf("2026-11-%d", 19+day), w.Truth(w.user.ID).User.LastDay)
		nights := map[withingstest.Key]bool{}
		for _, n := range mirrorNights(t, w, "lastupdate", fmt.Sprint(since)) {
			nights[n.Key()] = true
		}
		for _, k := range ev.Added {
			if k.Kind == withingstest.KindNight {
				require.True(t, nights[k])
			}
		}
	}
	require.LessOrEqual(t, len(w.AdvanceDay(w.user.ID).Added), 1, "no day beyond the clock")
	require.Equal(t, "2026-11-21", w.Truth(w.user.ID).User.LastDay)
}

func TestTheCurrentDayGrows(t *testing.T) {
	w := newWorld(t, quiet())
	last := func() withingstest.Activity {
		a := w.Truth(w.user.ID).Activities
		return a[len(a)-1]
	}
	before := last()
	for range 4 {
		w.clock.Add(90 * time.Minute)
		w.CatchUp(w.user.ID)
		now := last()
		require.Equal(t, before.Date, now.Date)
		require.Greater(t, now.Data["steps"], before.Data["steps"])
		require.Greater(t, now.Modified, before.Modified)
		before = now
	}
	require.True(t, w.EditActivity(w.user.ID, before.Date, func(a *withingstest.Activity) { a.Data["steps"] = 1 }))
	w.clock.Add(time.Hour)
	w.CatchUp(w.user.ID)
	require.Equal(t, float64(1), last().Data["steps"], "an edited day stays as it was edited")
}

func TestSingleChanges(t *testing.T) {
	w := newWorld(t, quiet())
	id := w.user.ID
	truth := w.Truth(id)
	g, n, x := truth.Measures[9], truth.Nights[9], truth.Workouts[9]

	require.True(t, w.EditMeasure(id, g.ID, func(m *withingstest.MeasureGroup) { m.ID, m.Attrib, m.Measures[0].Value = 1, 7, 5 }))
	require.True(t, w.EditMeasure(id, g.ID, func(m *withingstest.MeasureGroup) { m.Measures[0].Value = 6 }))
	require.True(t, w.EditNight(id, n.ID, func(m *withingstest.Night) { m.Data["sleep_score"] = 100 }))
	require.True(t, w.DeleteWorkout(id, x.ID))
	end := w.clock.Now()
	slept := w.AddSleep(id, end.Add(-3*time.Hour), end, 32)
	now := w.Truth(id)
	edited := now.Measures[9]
	require.Equal(t, g.ID, edited.ID)
	require.Equal(t, 7, edited.Attrib)
	require.Equal(t, int64(6), edited.Measures[0].Value)
	require.Equal(t, w.clock.Now().Unix()+1, edited.Modified, "two edits in a second are two versions")
	require.Equal(t, float64(100), now.Nights[9].Data["sleep_score"])
	require.Equal(t, n.Segments, now.Nights[9].Segments)
	require.Contains(t, now.Nights, slept)
	require.NotEmpty(t, slept.Segments)
	require.Len(t, now.Workouts, len(truth.Workouts)-1)

	require.True(t, w.DeleteNight(id, n.ID))
	require.False(t, w.DeleteNight(id, n.ID))
	require.False(t, w.DeleteWorkout(id, x.ID))
	require.False(t, w.DeleteMeasure(id, 1))
	require.False(t, w.EditMeasure(id, 1, nil))
	require.False(t, w.EditNight(id, 1, nil))
	require.False(t, w.EditActivity(id, "2001-01-01", nil))
	require.False(t, w.EditActivity(id, "soon", nil))
	require.NotContains(t, w.Truth(id).Nights, n)
}

func TestTruthIsACopy(t *testing.T) {
	w := newWorld(t, quiet())
	want := w.Truth(w.user.ID)
	got := w.Truth(w.user.ID)
	got.Measures[0].Measures[0].Value = -1
	got.Activities[0].Data["steps"] = -1
	got.Nights[0].Data["hr_average"] = -1
	got.Nights[0].Events[1] = nil
	got.Workouts[0].Data["calories"] = -1
	got.Devices[0].Model = "x"
	require.Equal(t, want, w.Truth(w.user.ID))
}

func TestDaysOfOddLength(t *testing.T) {
	clock := &clock{t: time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)}
	s := withingstest.New(withingstest.Config{Now: clock.Now, Days: 3, IntradayDays: 3})
	u := s.AddUser(withingstest.UserConfig{Timezone: "America/New_York"})
	perDay := map[string]int{}
	zone, err := time.LoadLocation(u.Timezone)
	require.NoError(t, err)
	for _, p := range s.Truth(u.ID).Intraday {
		perDay[time.Unix(p.Time, 0).In(zone).Format(time.DateOnly)]++
	}
	require.Equal(t, 288, perDay["2026-10-31"])
	require.Equal(t, 300, perDay["2026-11-01"], "the day of 25 hours")
}

func TestMistakesPanic(t *testing.T) {
	w := newWorld(t, quiet())
	require.Panics(t, func() { w.AddUser(withingstest.UserConfig{ID: w.user.ID}) })
	require.Panics(t, func() { w.AddUser(withingstest.UserConfig{Timezone: "Atlantis/Main"}) })
	require.Panics(t, func() { w.Truth(99) })
	require.Panics(t, func() { w.Login(99) })
	require.Len(t, w.Users(), 1, "the server is usable afterwards")
}
