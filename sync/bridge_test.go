package sync_test

import (
	"context"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	gosync "sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/fitbit"
	"github.com/vitalmux/vitalmux/providers/fitbit/fitbittest"
	"github.com/vitalmux/vitalmux/providers/googlehealth"
	"github.com/vitalmux/vitalmux/providers/googlehealth/googlehealthtest"
	"github.com/vitalmux/vitalmux/providers/providertest"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// sameTracker has Google Health show what the legacy service knows of its people,
// also after that has ended. Of days before change, both ends included, it has
// one step more.
type sameTracker struct {
	*fitbittest.Server
	zone   *time.Location
	change string
	nights map[int64]googlehealthtest.Sleep // that were converted
}

func (s sameTracker) known(id string) bool {
	return slices.ContainsFunc(s.People(), func(p fitbittest.Person) bool { return p.ID == id })
}

func (s sameTracker) Days(id string) ([]googlehealthtest.Day, bool) {
	if !s.known(id) {
		return nil, false
	}
	weights := map[string]fitbittest.Weighing{}
	for _, w := range s.Weighings(id) {
		weights[w.Date] = w
	}
	var all []googlehealthtest.Day
	for _, d := range s.Server.Days(id) {
		day := googlehealthtest.Day{Date: d.Date, Worn: d.Worn}
		if d.Worn {
			day.Steps, day.Floors, day.RestingHeartRate = d.Steps, d.Floors, d.RestingHeartRate
			day.Distance = int64(math.Round(d.Distance * 1e6))
			day.HRV, day.DeepHRV, day.SpO2, day.RespiratoryRate = d.RMSSD, d.DeepRMSSD, d.SpO2, d.BreathingRate
			day.VO2Max = fitness(d.VO2Max)
			if d.Date <= s.change {
				day.Steps++
			}
		}
		if w, ok := weights[d.Date]; ok {
			day.Weight, day.WeightAt = int(math.Round(w.Weight*1000)), s.weighedAt(w)
		}
		all = append(all, day)
	}
	return all, true
}

func (s sameTracker) weighedAt(w fitbittest.Weighing) time.Time {
	return must(time.ParseInLocation(time.DateTime, w.Date+" "+w.Time, s.zone))
}

// fitness returns the number, or the middle of the range, of a cardio fitness.
func fitness(text string) float64 {
	var low, high float64
	if n, _ := fmt.Sscanf(text, "%f-%f", &low, &high); n == 2 {
		return (low + high) / 2
	}
	return low
}

func (s sameTracker) Sleeps(id string) []googlehealthtest.Sleep {
	var all []googlehealthtest.Sleep
	for _, sl := range s.Server.Sleeps(id) {
		if night, ok := s.nights[sl.LogID]; ok {
			all = append(all, night)
			continue
		}
		stages := func(levels []fitbittest.Level) []googlehealthtest.Stage {
			var list []googlehealthtest.Stage
			begin := must(time.Parse("2006-01-02T15:04:05.000", sl.Start))
			for _, l := range levels {
				from := sl.StartInstant.Add(must(time.Parse("2006-01-02T15:04:05.000", l.Start)).Sub(begin))
				word := map[string]string{
					"wake": "AWAKE", "awake": "AWAKE", "light": "LIGHT", "deep": "DEEP", "rem": "REM", "asleep": "ASLEEP", "restless": "RESTLESS",
				}[l.Level]
				list = append(list, googlehealthtest.Stage{Type: word, Start: from, End: from.Add(time.Duration(l.Seconds) * time.Second)})
			}
			return list
		}
		s.nights[sl.LogID] = googlehealthtest.Sleep{
			ID: "s" + strconv.FormatInt(sl.LogID, 10), Start: sl.StartInstant, End: sl.EndInstant, Nap: !sl.Main, Classic: sl.Classic,
			Processed: true, Stages: stages(sl.Levels), ShortAwake: stages(sl.Short), Updated: sl.EndInstant.Add(time.Hour),
		}
		all = append(all, s.nights[sl.LogID])
	}
	return all
}

func (s sameTracker) Workouts(id string) []googlehealthtest.Workout {
	var all []googlehealthtest.Workout
	for _, w := range s.Server.Workouts(id) {
		all = append(all, googlehealthtest.Workout{
			ID: "w" + strconv.FormatInt(w.LogID, 10), Type: "WORKOUT", Name: w.Name, Start: w.Start, End: w.Start.Add(w.Duration),
			Calories: float64(w.Calories), Steps: w.Steps, HeartRate: w.HeartRate, Distance: int64(math.Round(w.Distance * 1e6)), Updated: w.Modified,
		})
	}
	return all
}

// chosen is an adapter of which only some streams are read.
type chosen struct {
	*fitbit.Provider
	streams []string
}

func (c chosen) Capabilities() providers.Capabilities {
	facts := c.Provider.Capabilities()
	facts.Streams = slices.DeleteFunc(slices.Clone(facts.Streams), func(s providers.Stream) bool { return !slices.Contains(c.streams, s.Name) })
	return facts
}

// removal is a host whose people move from the legacy service to its successor.
type removal struct {
	fitbit *fitbittest.Server
	google *googlehealthtest.Server
	person fitbittest.Person
	store  store.Store
	engine *healthsync.Engine
	zone   *time.Location
	config healthsync.Config

	mu     gosync.Mutex
	audits []healthsync.AuditEvent
	alarms []healthsync.AlarmEvent
	ending []healthsync.ConsentEvent
}

func newRemoval(t testing.TB, days int, change func(*googlehealthtest.Config)) *removal {
	m := &removal{store: store.NewMemory(), zone: must(time.LoadLocation("Europe/Berlin"))}
	m.fitbit = fitbittest.New(fitbittest.Config{Seed: 3, Days: days, IntradayDays: -1, RateLimit: -1, BaseURL: providertest.BaseURL})
	m.person = m.fitbit.AddPerson(fitbittest.PersonConfig{Timezone: m.zone.String()})
	cfg := googlehealthtest.Config{Seed: 4, Days: days, RateLimit: -1, Source: sameTracker{m.fitbit, m.zone, dayBefore(300), map[int64]googlehealthtest.Sleep{}}}
	if change != nil {
		change(&cfg)
	}
	m.google = googlehealthtest.New(cfg)
	legacy, err := fitbit.New(fitbit.Config{
		ClientID: fitbittest.DefaultClientID, ClientSecret: providers.NewSecret(fitbittest.DefaultClientSecret),
		RedirectURL: fitbittest.DefaultRedirectURL, BaseURL: providertest.BaseURL, AccountURL: providertest.BaseURL,
		Transport: providertest.Transport(m.fitbit), RequestsPerHour: -1, MaxWait: -1,
	})
	require.NoError(t, err)
	successor, err := googlehealth.New(googlehealth.Config{
		ClientID: googlehealthtest.DefaultClientID, ClientSecret: providers.NewSecret(googlehealthtest.DefaultClientSecret),
		RedirectURL: googlehealthtest.DefaultRedirectURL, Transport: providertest.Transport(m.google), RequestsPerMinute: -1, MaxWait: -1,
		Streams: []string{
			"settings", "identity", "steps_daily", "distance_daily", "floors_daily", "daily_resting_heart_rate", "daily_heart_rate_variability",
			"daily_oxygen_saturation", "daily_respiratory_rate", "daily_vo2_max", "weight", "sleep", "exercise",
		},
	})
	require.NoError(t, err)
	m.config = healthsync.Config{
		Providers: []providers.Provider{
			chosen{legacy, []string{"profile", "activity", "heart", "hrv", "spo2", "breathing", "cardio_fitness", "sleep", "workouts", "weight"}},
			successor,
		},
		Store: m.store, Sealer: newKeyring(t), History: -1, ReconcileEvery: -1, Interval: 1000 * time.Hour,
		Hooks: healthsync.Hooks{
			Audit: func(_ context.Context, e healthsync.AuditEvent) {
				m.mu.Lock()
				defer m.mu.Unlock()
				m.audits = append(m.audits, e)
			},
			Alarm: func(_ context.Context, e healthsync.AlarmEvent) {
				m.mu.Lock()
				defer m.mu.Unlock()
				m.alarms = append(m.alarms, e)
			},
			ConsentEnding: func(_ context.Context, e healthsync.ConsentEvent) {
				m.mu.Lock()
				defer m.mu.Unlock()
				m.ending = append(m.ending, e)
			},
		},
	}
	m.engine, err = healthsync.New(m.config)
	require.NoError(t, err)
	return m
}

// audited counts the audit events of an action.
func (m *removal) audited(action string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, e := range m.audits {
		if e.Action == action {
			n++
		}
	}
	return n
}

func (m *removal) announced() []healthsync.ConsentEvent {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.ending)
}

func dayBefore(days int) string { return time.Now().AddDate(0, 0, -days).Format(time.DateOnly) }

// toFitbit has a user of the host connect the person's legacy account.
func (m *removal) toFitbit(t testing.TB, user, account string) store.Connection {
	conn := connect(t, m.engine, user, fitbit.Name, fitbittest.DefaultRedirectURL, func(address string) (*url.URL, error) {
		return m.fitbit.Authorize(account, address)
	})
	return conn
}

// toGoogle has a user of the host connect an account of the successor.
func (m *removal) toGoogle(t testing.TB, r healthsync.ConnectRequest, account string) store.Connection {
	r.Provider, r.RedirectURL = googlehealth.Name, googlehealthtest.DefaultRedirectURL
	address, err := m.engine.Connect(t.Context(), r)
	require.NoError(t, err)
	back, err := m.google.Authorize(account, address)
	require.NoError(t, err)
	conn, err := m.engine.Complete(t.Context(), back.Query())
	require.NoError(t, err)
	return conn
}

func (m *removal) account() googlehealthtest.User {
	return m.google.AddUser(googlehealthtest.UserConfig{LegacyID: m.person.ID, Timezone: m.zone.String()})
}

// pass lets days pass, on each of which work is done.
func (m *removal) pass(days int, work func()) {
	for range days {
		time.Sleep(day)
		for _, p := range m.fitbit.People() {
			m.fitbit.CatchUp(p.ID)
		}
		for _, u := range m.google.Users() {
			m.google.CatchUp(u.ID)
		}
		if work != nil {
			work()
		}
	}
}

func (m *removal) awaiting(t testing.TB, user string) []healthsync.Awaiting {
	var all []healthsync.Awaiting
	for a, err := range m.engine.AwaitingConsent(t.Context(), user) {
		require.NoError(t, err)
		all = append(all, a)
	}
	return all
}

// relinked returns the changes that tell of a predecessor.
func relinked(t testing.TB, s store.Store) []store.Change {
	var all []store.Change
	for {
		list, err := s.Changes(t.Context(), "bridge", 0)
		require.NoError(t, err)
		if len(list) == 0 {
			return all
		}
		for _, c := range list {
			if c.Cause == store.CauseRelinked {
				all = append(all, c)
			}
			require.NoError(t, s.Ack(t.Context(), "bridge", c.Position))
		}
	}
}

// TestTwoYearsThenTheSuccessor has somebody with two years at the legacy service
// live through its end and consent at its successor, and compares the resolved
// history with what the tracker measured, per day and metric.
func TestTwoYearsThenTheSuccessor(t *testing.T) {
	t.Parallel()
	if proof.WithoutRace(t) {
		return
	}
	bubble(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 10, 20, 12, 0, 0, 0, time.UTC)))
		const days = 730
		m := newRemoval(t, days, nil)
		before := m.toFitbit(t, "ada", m.person.ID)
		sync := func() {
			_, err := m.engine.Sync(t.Context(), before.ID)
			require.NoError(t, err)
		}
		sync()
		_, err := m.engine.Backfill(t.Context(), before.ID, time.Now().AddDate(0, 0, -days-1))
		require.NoError(t, err)
		m.pass(11, sync)
		require.Empty(t, m.awaiting(t, "ada"))

		// What the tracker held back reaches the successor only.
		m.fitbit.LateSync(m.person.ID, 4)
		m.fitbit.Retire(time.Now().Add(day))
		m.pass(2, nil)
		_, err = m.engine.Sync(t.Context(), before.ID)
		require.ErrorIs(t, err, providers.ErrRetired)
		before, err = m.store.Connection(t.Context(), before.ID)
		require.NoError(t, err)
		require.Equal(t, store.StateRetired, before.State)
		require.Equal(t, "provider retired", before.Reason)
		waiting := m.awaiting(t, "")
		require.Len(t, waiting, 1)
		require.Equal(t, healthsync.Awaiting{Connection: before, Provider: googlehealth.Name}, waiting[0])

		m.pass(3, nil)
		after := m.toGoogle(t, waiting[0].Request(), m.account().ID)
		require.Equal(t, before.ID, after.Predecessor)
		require.Equal(t, store.StateActive, after.State)
		require.Empty(t, m.awaiting(t, ""), "somebody goes on with it")
		told := relinked(t, m.store)
		require.Len(t, told, 1)
		require.Equal(t, after.ID, told[0].Connection)
		require.Equal(t, before.ID, told[0].Key)
		require.Equal(t, 1, m.audited("succeed"))
		require.Zero(t, len(m.alarms))

		sync = func() {
			_, err := m.engine.Sync(t.Context(), after.ID)
			require.NoError(t, err)
		}
		sync()
		_, err = m.engine.Backfill(t.Context(), after.ID, time.Now().AddDate(0, 0, -days-30))
		require.NoError(t, err)
		m.pass(8, sync)
		m.requireHistory(t, days, "ada", before.ID, after.ID)
	})
}

// measured is a value of a day in the resolved history, by what both services
// call it.
type measured struct {
	metric health.Metric
	stat   health.Stat
	part   health.Part
}

// requireHistory compares the resolved history with the truth.
func (m *removal) requireHistory(t *testing.T, held int, user, before, after string) {
	resolved, err := store.ResolveRecords(t.Context(), m.store, store.RecordQuery{User: user}, store.Policy{})
	require.NoError(t, err)
	days := map[string]map[measured]store.ResolvedValue{}
	sleeps, workouts, weights := map[int64]store.Resolved{}, map[int64]store.Resolved{}, map[int64]store.Resolved{}
	for _, r := range resolved {
		start, _ := r.Record.Span.Start.UnixMilli()
		switch r.Record.Kind {
		case health.KindDaily:
			date := r.Record.Span.Day.String()
			require.Nil(t, days[date], "%s is there twice", date)
			days[date] = map[measured]store.ResolvedValue{}
			for _, v := range r.Values {
				days[date][measured{v.Metric, v.Stat, v.Part}] = v
			}
		case health.KindSleep:
			require.Empty(t, sleeps[start].Record.Key, "twice")
			sleeps[start] = r
		case health.KindActivity:
			require.Empty(t, workouts[start].Record.Key, "twice")
			workouts[start] = r
		case health.KindBody:
			require.Empty(t, weights[start].Record.Key, "twice")
			weights[start] = r
		case health.KindAthlete, health.KindDevice:
		default:
			require.Fail(t, "another kind", r.Record.Kind)
		}
	}

	truth := m.fitbit.Days(m.person.ID)
	require.Equal(t, held+24, len(truth))
	seam := must(m.store.Connection(t.Context(), after)).CreatedAt.In(m.zone).Format(time.DateOnly)
	origins := map[string]int{}
	for _, d := range truth[:len(truth)-1] { // the successor's present day still grows
		got := days[d.Date]
		if !d.Worn {
			for _, metric := range []health.Metric{health.MetricSteps, health.MetricDistance, health.MetricFloorsClimbed} {
				require.Zero(t, got[measured{metric: metric}].Number.Float(), "%s of a day on which it was not worn", metric)
			}
			continue
		}
		require.NotEmpty(t, got, "a gap on %s", d.Date)
		for key, want := range map[measured]float64{
			{metric: health.MetricSteps}:                                  float64(d.Steps),
			{metric: health.MetricDistance}:                               d.Distance * 1000,
			{metric: health.MetricFloorsClimbed}:                          float64(d.Floors),
			{metric: health.MetricHeartRateResting}:                       float64(d.RestingHeartRate),
			{metric: health.MetricHRVRMSSD, stat: health.StatMean}:        d.RMSSD,
			{health.MetricHRVRMSSD, health.StatMean, health.PartDeep}:     d.DeepRMSSD,
			{metric: health.MetricSpO2, stat: health.StatMean}:            d.SpO2,
			{metric: health.MetricRespiratoryRate, stat: health.StatMean}: d.BreathingRate,
			{metric: health.MetricVO2Max}:                                 fitness(d.VO2Max),
		} {
			v, ok := got[key]
			if !ok && want == 0 {
				continue // the successor leaves zeros out
			}
			require.True(t, ok, "no %v on %s", key, d.Date)
			require.InDelta(t, want, v.Number.Float(), 1e-6, "%v on %s, told by %s", key, d.Date, v.Connection)
			origins[v.Connection]++
			if d.Date > seam {
				require.Equal(t, after, v.Connection, "%v on %s", key, d.Date)
			}
			if d.Date < "2026-10-20" {
				require.Equal(t, before, v.Connection, "%v on %s", key, d.Date)
			}
		}
	}
	require.Greater(t, origins[before], 7*held)
	require.Greater(t, origins[after], 100)
	for date, got := range days {
		if !slices.ContainsFunc(truth, func(d fitbittest.Day) bool { return d.Date == date }) {
			require.Zero(t, got[measured{metric: health.MetricSteps}].Number.Float(), "%s was before the tracker", date)
		}
	}

	nights := m.fitbit.Sleeps(m.person.ID)
	require.Equal(t, len(nights), len(sleeps))
	for _, s := range nights {
		r, ok := sleeps[s.StartInstant.UnixMilli()]
		require.True(t, ok, "no sleep from %s on", s.StartInstant)
		end, _ := r.Record.Span.End.UnixMilli()
		require.Equal(t, s.EndInstant.UnixMilli(), end)
		require.Equal(t, s.DateOfSleep, r.Record.Span.Day.String())
		if r.Record.Connection == before {
			require.InDelta(t, s.MinutesAsleep*60, valueOf(r, health.MetricSleepDuration), 1e-6)
			require.InDelta(t, s.MinutesAwake*60, valueOf(r, health.MetricSleepAwakeAfterOnset), 1e-6)
		}
	}
	done := m.fitbit.Workouts(m.person.ID)
	require.Equal(t, len(done), len(workouts))
	for _, w := range done {
		r, ok := workouts[w.Start.UnixMilli()]
		require.True(t, ok, "no workout from %s on", w.Start)
		end, _ := r.Record.Span.End.UnixMilli()
		require.Equal(t, w.Start.Add(w.Duration).UnixMilli(), end)
	}
	weighings := m.fitbit.Weighings(m.person.ID)
	require.Equal(t, len(weighings), len(weights))
	for _, w := range weighings {
		r, ok := weights[sameTracker{zone: m.zone}.weighedAt(w).UnixMilli()]
		require.True(t, ok, "no weight of %s %s", w.Date, w.Time)
		require.InDelta(t, w.Weight, valueOf(r, health.MetricBodyWeight), 1e-6)
	}
}

func valueOf(r store.Resolved, metric health.Metric) float64 {
	for _, v := range r.Values {
		if v.Metric == metric && v.Stat == health.StatValue && v.Part == "" {
			return v.Number.Float()
		}
	}
	return math.NaN()
}

// TestPredecessorIsFoundWhenItComes has the accounts of one person come in any
// order, more than once, and at the same time.
func TestPredecessorIsFoundWhenItComes(t *testing.T) {
	ada := healthsync.ConnectRequest{User: "ada"}
	linked := func(t *testing.T, m *removal, before, after store.Connection) {
		before = must(m.store.Connection(t.Context(), before.ID))
		after = must(m.store.Connection(t.Context(), after.ID))
		require.Equal(t, before.ID, after.Predecessor)
		require.Equal(t, store.StateActive, after.State)
		require.Equal(t, store.StateRetired, before.State)
		require.Equal(t, "succeeded by another connection", before.Reason)
		require.Len(t, relinked(t, m.store), 1)
		require.Equal(t, 1, m.audited("succeed"))
		_, err := m.engine.Sync(t.Context(), before.ID)
		require.ErrorIs(t, err, healthsync.ErrConnectionState)
		require.Empty(t, m.awaiting(t, "ada"))
	}
	for name, run := range map[string]func(*testing.T, *removal) (before, after store.Connection){
		"first": func(t *testing.T, m *removal) (store.Connection, store.Connection) {
			before := m.toFitbit(t, "ada", m.person.ID)
			return before, m.toGoogle(t, ada, m.account().ID)
		},
		"last": func(t *testing.T, m *removal) (store.Connection, store.Connection) {
			after := m.toGoogle(t, ada, m.account().ID)
			require.Empty(t, after.Predecessor)
			return m.toFitbit(t, "ada", m.person.ID), after
		},
		"again": func(t *testing.T, m *removal) (store.Connection, store.Connection) {
			before, account := m.toFitbit(t, "ada", m.person.ID), m.account().ID
			after := m.toGoogle(t, ada, account)
			require.Equal(t, after.ID, m.toGoogle(t, ada, account).ID)
			require.Equal(t, before.ID, m.toFitbit(t, "ada", m.person.ID).ID)
			return before, after
		},
		"at once": func(t *testing.T, m *removal) (before, after store.Connection) {
			account := m.account().ID
			var both gosync.WaitGroup
			both.Go(func() { before = m.toFitbit(t, "ada", m.person.ID) })
			both.Go(func() { after = m.toGoogle(t, ada, account) })
			both.Wait()
			return before, after
		},
		"imported": func(t *testing.T, m *removal) (before, after store.Connection) {
			after = m.toGoogle(t, ada, m.account().ID)
			_, err := m.engine.Import(t.Context(), healthsync.ImportRequest{
				User: "ada", Provider: fitbit.Name, UpstreamID: m.person.ID,
			}, func(func(health.RawPage, error) bool) {})
			require.NoError(t, err)
			all := must(m.engine.Connections(t.Context(), "ada"))
			before = all[slices.IndexFunc(all, func(c store.Connection) bool { return c.Provider == fitbit.Name })]
			require.Equal(t, store.StateArchive, before.State)
			// A live connection to the account is the same one.
			require.Equal(t, before.ID, m.toFitbit(t, "ada", m.person.ID).ID)
			return before, after
		},
	} {
		t.Run(name, func(t *testing.T) {
			for range 10 {
				m := newRemoval(t, 2, nil)
				before, after := run(t, m)
				linked(t, m, before, after)
				if name != "at once" {
					break
				}
			}
		})
	}
}

// TestTheOldGrantIsTakenBack has people move to the successor while the legacy
// service lives, has ended, is known to have ended, and fails.
func TestTheOldGrantIsTakenBack(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(*testing.T, *removal, store.Connection)
		revokes int  // requests
		kept    bool // the credential
	}{
		"lives": {func(*testing.T, *removal, store.Connection) {}, 1, false},
		"ended": {func(_ *testing.T, m *removal, _ store.Connection) { m.fitbit.Retire(time.Now()) }, 1, false},
		"known to have ended": {func(t *testing.T, m *removal, before store.Connection) {
			m.fitbit.Retire(time.Now())
			_, err := m.engine.Sync(t.Context(), before.ID)
			require.ErrorIs(t, err, providers.ErrRetired)
			m.fitbit.Fault(fitbittest.Fault{Kind: fitbittest.FaultReset, Path: "revoke", Count: 100})
		}, 1, false},
		"fails": {func(_ *testing.T, m *removal, _ store.Connection) {
			m.fitbit.Fault(fitbittest.Fault{Kind: fitbittest.FaultStatus, Path: "revoke", Status: 503, Count: 100})
		}, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			m := newRemoval(t, 2, nil)
			before := m.toFitbit(t, "ada", m.person.ID)
			c.prepare(t, m, before)
			m.fitbit.ResetRequests()
			after := m.toGoogle(t, healthsync.ConnectRequest{User: "ada"}, m.account().ID)
			require.Equal(t, before.ID, after.Predecessor)
			require.Equal(t, c.revokes, m.revokes())
			old := must(m.store.Credential(t.Context(), before.ID))
			require.Equal(t, c.kept, len(old.Sealed) > 0)
			require.Empty(t, m.awaiting(t, ""))
			_, err := m.engine.Sync(t.Context(), after.ID)
			require.NoError(t, err, "the new grant is another one")
			require.NotEmpty(t, must(m.store.Credential(t.Context(), after.ID)).Sealed)

			// What was kept is taken back with the connection.
			m.fitbit.ClearFaults()
			require.NoError(t, m.engine.Disconnect(t.Context(), before.ID, true))
			require.Len(t, must(m.store.Jobs(t.Context(), store.JobQuery{})), map[bool]int{true: 1}[c.kept])
		})
	}

	// A service that is not the predecessor of the other keeps its grant: there
	// the host alone says that a history goes on.
	m := newRemoval(t, 2, nil)
	account := m.account()
	google := m.toGoogle(t, healthsync.ConnectRequest{User: "ben"}, account.ID)
	address, err := m.engine.Connect(t.Context(), healthsync.ConnectRequest{
		User: "ben", Provider: fitbit.Name, RedirectURL: fitbittest.DefaultRedirectURL, Predecessor: google.ID,
	})
	require.NoError(t, err)
	other := m.fitbit.AddPerson(fitbittest.PersonConfig{Timezone: m.zone.String()})
	legacy, err := m.engine.Complete(t.Context(), must(m.fitbit.Authorize(other.ID, address)).Query())
	require.NoError(t, err)
	require.Equal(t, google.ID, legacy.Predecessor)
	require.NotEmpty(t, must(m.store.Credential(t.Context(), google.ID)).Sealed)
}

// revokes counts the requests that took back a grant of the legacy service.
func (m *removal) revokes() int {
	n := 0
	for _, r := range m.fitbit.Requests() {
		if strings.Contains(r.Path, "oauth2/revoke") {
			n++
		}
	}
	return n
}

// doubtful applies a commit that sets a predecessor, and says that it failed.
type doubtful struct {
	store.Store
	failures int
}

func (d *doubtful) Commit(ctx context.Context, b store.Batch) (store.Result, error) {
	result, err := d.Store.Commit(ctx, b)
	if b.Predecessor != "" && d.failures > 0 {
		d.failures--
		return store.Result{}, context.DeadlineExceeded
	}
	return result, err
}

// TestPredecessorIsToldOnceThoughTheCommitIsInDoubt has the step fail after it
// was done.
func TestPredecessorIsToldOnceThoughTheCommitIsInDoubt(t *testing.T) {
	m := newRemoval(t, 2, nil)
	m.config.Store = &doubtful{m.store, 2}
	engine, err := healthsync.New(m.config)
	require.NoError(t, err)
	m.engine = engine
	before := m.toFitbit(t, "ada", m.person.ID)
	after := m.toGoogle(t, healthsync.ConnectRequest{User: "ada"}, m.account().ID)
	require.Equal(t, before.ID, after.Predecessor)
	require.Len(t, relinked(t, m.store), 1)
	require.Equal(t, store.StateRetired, must(m.store.Connection(t.Context(), before.ID)).State)
}

// TestHistoriesOfTwoPeopleStayTwo has another user, and another account, stand
// where the predecessor would.
func TestHistoriesOfTwoPeopleStayTwo(t *testing.T) {
	m := newRemoval(t, 2, nil)
	bens := m.toFitbit(t, "ben", m.person.ID)
	_, err := m.engine.Connect(t.Context(), healthsync.ConnectRequest{
		User: "ada", Provider: googlehealth.Name, RedirectURL: googlehealthtest.DefaultRedirectURL, Predecessor: bens.ID,
	})
	require.ErrorIs(t, err, store.ErrInvalid)
	account := m.account().ID
	after := m.toGoogle(t, healthsync.ConnectRequest{User: "ada"}, account)
	require.Empty(t, after.Predecessor, "an account of another user of the host")

	// Ada's own legacy account is not the one that the grant names.
	other := m.fitbit.AddPerson(fitbittest.PersonConfig{Timezone: m.zone.String()})
	adas := m.toFitbit(t, "ada", other.ID)
	require.Equal(t, store.StateActive, adas.State)
	after = m.toGoogle(t, healthsync.ConnectRequest{User: "ada", Predecessor: adas.ID}, account)
	require.Empty(t, after.Predecessor)
	require.Len(t, m.alarms, 1)
	require.Equal(t, healthsync.AlarmIdentity, m.alarms[0].Kind)
	for _, id := range []string{bens.ID, adas.ID} {
		require.Equal(t, store.StateActive, must(m.store.Connection(t.Context(), id)).State)
	}
	require.Empty(t, relinked(t, m.store))

	// A person who came from nowhere may go on with what the host says.
	fresh := m.google.AddUser(googlehealthtest.UserConfig{LegacyID: "-", Timezone: m.zone.String()})
	after = m.toGoogle(t, healthsync.ConnectRequest{User: "ada", Predecessor: adas.ID}, fresh.ID)
	require.Equal(t, adas.ID, after.Predecessor)
	require.Len(t, relinked(t, m.store), 1)
}

// TestAwaitingConsent follows a connection whose service ends while its token is
// refreshed, and whose successor is disconnected again.
func TestAwaitingConsent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		at2026()
		m := newRemoval(t, 2, nil)
		before := m.toFitbit(t, "ada", m.person.ID)
		bens := m.toFitbit(t, "ben", m.fitbit.AddPerson(fitbittest.PersonConfig{Timezone: m.zone.String()}).ID)
		time.Sleep(9 * time.Hour) // access tokens live eight
		m.fitbit.Retire(time.Now())
		_, err := m.engine.Sync(t.Context(), before.ID)
		require.ErrorIs(t, err, providers.ErrRetired)
		before = must(m.store.Connection(t.Context(), before.ID))
		require.Equal(t, store.StateRetired, before.State)
		require.Len(t, m.awaiting(t, ""), 1, "nobody has noticed for ben yet")
		require.Empty(t, m.awaiting(t, "ben"))

		account := m.account().ID
		after := m.toGoogle(t, m.awaiting(t, "ada")[0].Request(), account)
		require.Empty(t, m.awaiting(t, ""))
		require.NoError(t, m.engine.Disconnect(t.Context(), after.ID, true))
		require.Equal(t, before.ID, m.awaiting(t, "")[0].Connection.ID)
		_, err = m.store.Setting(t.Context(), "ada", "aliases")
		require.ErrorIs(t, err, store.ErrNotFound, "what was known of the connection went with it")
		after = m.toGoogle(t, m.awaiting(t, "ada")[0].Request(), account)
		require.Equal(t, before.ID, after.Predecessor)

		// The host that does not have the successor cannot offer it.
		m.config.Providers = m.config.Providers[:1]
		m.engine = must(healthsync.New(m.config))
		_, err = m.engine.Sync(t.Context(), bens.ID)
		require.ErrorIs(t, err, providers.ErrRetired)
		waiting := m.awaiting(t, "ben")
		require.Len(t, waiting, 1)
		require.Empty(t, waiting[0].Provider)
	})
}

// TestConsentThatEndsIsAnnounced runs an engine through the seven days of a
// consent to a project in testing.
func TestConsentThatEndsIsAnnounced(t *testing.T) {
	bubble(t, func(t *testing.T) {
		at2026()
		m := newRemoval(t, 2, func(c *googlehealthtest.Config) { c.Testing = true })
		m.config.Interval = 6 * time.Hour
		m.engine = must(healthsync.New(m.config))
		began := time.Now()
		conn := m.toGoogle(t, healthsync.ConnectRequest{User: "ada"}, m.account().ID)
		ends := must(m.engine.ConsentEnds(t.Context(), conn.ID))
		require.WithinDuration(t, began.Add(7*day), ends, time.Minute)
		stop := running(t, m.engine)
		defer stop()
		time.Sleep(5*day - time.Hour)
		require.Empty(t, m.announced())
		time.Sleep(2 * time.Hour)
		require.Equal(t, []healthsync.ConsentEvent{{User: "ada", Connection: conn.ID, Provider: googlehealth.Name, EndsAt: ends}}, m.announced())
		time.Sleep(day)
		require.Len(t, m.announced(), 1)
		require.Equal(t, 1, m.audited("consent_ending"))
		time.Sleep(2 * day)
		waiting := m.awaiting(t, "")
		require.Len(t, waiting, 1, "it ended")
		require.Equal(t, healthsync.ConnectRequest{User: "ada", Provider: googlehealth.Name}, waiting[0].Request())

		// A new consent has an end of its own.
		account := m.google.Users()[0].ID
		require.Equal(t, conn.ID, m.toGoogle(t, waiting[0].Request(), account).ID)
		require.True(t, must(m.engine.ConsentEnds(t.Context(), conn.ID)).After(ends.Add(5*day)))
		time.Sleep(6 * day)
		require.Len(t, m.announced(), 2)
	})
}
