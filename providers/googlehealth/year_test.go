package googlehealth_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/googlehealth"
	"github.com/vitalmux/vitalmux/providers/googlehealth/googlehealthtest"
	"github.com/vitalmux/vitalmux/providers/providertest"
)

// windows divides days into queries of at most MaxWindow, newest first, as a
// backfill does.
func windows(st providers.Stream, w health.Window) []health.Window {
	var all []health.Window
	n := int(st.MaxWindow / (24 * time.Hour))
	for last := w.Last; last.Compare(w.First) >= 0; {
		first := last.Add(1 - n)
		if first.Compare(w.First) < 0 {
			first = w.First
		}
		all = append(all, health.Window{First: first, Last: last})
		last = first.Add(-1)
	}
	return all
}

// TestAYearTakesTheFewestRequests reads a year of days, nights and workouts. The
// service gives 90 or 14 days of sums at once, and 25 nights or workouts: that
// and no more is asked for.
func TestAYearTakesTheFewestRequests(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	const days = 365
	sim := googlehealthtest.New(googlehealthtest.Config{
		Seed: 3, Days: days, Now: func() time.Time { return now }, HeartRateEvery: 6 * time.Hour, IntervalsPerDay: 2, RateLimit: -1, EmptyFirstPages: -1,
	})
	user := sim.AddUser(googlehealthtest.UserConfig{Timezone: "America/New_York"})
	p, err := googlehealth.New(googlehealth.Config{
		ClientID: "id", ClientSecret: providers.NewSecret("secret"), Transport: providertest.Transport(sim), RequestsPerMinute: -1,
	})
	require.NoError(t, err)
	zone, err := time.LoadLocation(user.Timezone)
	require.NoError(t, err)
	cred := credential(sim.Login(user.ID))
	year := health.Window{First: day(user.FirstDay), Last: day(user.LastDay)}
	require.Equal(t, days-1, year.Last.Number()-year.First.Number())

	streams := map[string]bool{"sleep": true, "exercise": true}
	for _, st := range p.Capabilities().Streams {
		if strings.HasPrefix(st.Name, "daily_") || strings.HasSuffix(st.Name, "_daily") {
			streams[st.Name] = true
		}
	}
	require.Len(t, streams, 2+7+15)
	total, least := 0, 0
	for name := range streams {
		st, _ := p.Capabilities().StreamNamed(name)
		sim.ResetRequests()
		got, fewest := map[string]bool{}, 0
		for _, w := range windows(st, year) {
			inWindow := 0
			for r, err := range providers.Records(context.Background(), p, cred, providers.Query{Stream: name, Window: w, Zone: zone}) {
				require.NoError(t, err)
				got[r.Key] = true
				inWindow++
			}
			fewest++
			if name == "sleep" || name == "exercise" {
				fewest += max(0, (inWindow-1)/25)
			}
		}
		want := wantKeys(sim, user, name, false)
		require.Len(t, got, len(want), name)
		for _, key := range want {
			require.True(t, got[key], key)
		}
		require.Len(t, sim.Requests(), fewest, name)
		total += len(sim.Requests())
		least += fewest
	}
	// 11 sums in windows of 90 days, 4 in windows of 14, 7 lists of days, and the
	// nights and workouts in pages of 25.
	sleeps, workouts := len(sim.Points(user.ID, "sleep", true)), len(sim.Points(user.ID, "exercise", true))
	require.Equal(t, 11*5+4*27+7+(sleeps+24)/25+(workouts+24)/25, total)
	require.Equal(t, least, total)
}

// TestHoursTileTheDays reads hours in a zone that is half an hour off, over a
// change of clocks: the series touch, and add up to what the service says.
func TestHoursTileTheDays(t *testing.T) {
	now := time.Date(2026, 4, 10, 12, 0, 0, 0, time.UTC)
	sim := googlehealthtest.New(googlehealthtest.Config{Seed: 8, Days: 12, Now: func() time.Time { return now }, RateLimit: -1, EmptyFirstPages: -1})
	user := sim.AddUser(googlehealthtest.UserConfig{Timezone: "Australia/Lord_Howe"})
	p, err := googlehealth.New(googlehealth.Config{
		ClientID: "id", ClientSecret: providers.NewSecret("secret"), Transport: providertest.Transport(sim),
		Streams: []string{"steps_hourly", "steps_daily"},
	})
	require.NoError(t, err)
	zone, err := time.LoadLocation(user.Timezone)
	require.NoError(t, err)
	cred := credential(sim.Login(user.ID))
	w := health.Window{First: day(user.FirstDay), Last: day(user.LastDay)}
	read := func(stream string) []health.Record {
		var all []health.Record
		for r, err := range providers.Records(context.Background(), p, cred, providers.Query{Stream: stream, Window: w, Zone: zone}) {
			require.NoError(t, err)
			all = append(all, r)
		}
		return all
	}
	hours, sums := read("steps_hourly"), read("steps_daily")
	require.NotEmpty(t, hours)
	total, told := int64(0), int64(0)
	for i, r := range hours {
		s := r.Series[0]
		require.Zero(t, s.From%3_600_000)
		for j, at := range s.Times {
			require.Zero(t, at%3_600_000)
			total += s.Values[j]
		}
		if i > 0 && hours[i-1].Span.Day.Add(1) == r.Span.Day {
			require.Equal(t, hours[i-1].Series[0].To, s.From)
		}
	}
	for _, r := range sums {
		told += r.Values[0].Number.Coefficient
	}
	require.Equal(t, told, total)
	require.Len(t, sim.Requests(), 2)
}

// TestAPersonWhoTravels reads a week with two days in another zone: times have
// the offset of then and there, days are those that were lived, and the dense
// days of the zone at home still hold each point once.
func TestAPersonWhoTravels(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	sim := googlehealthtest.New(googlehealthtest.Config{
		Seed: 8, Days: 10, Now: func() time.Time { return now }, RateLimit: -1, EmptyFirstPages: -1, HeartRateEvery: time.Hour,
	})
	away := googlehealthtest.Trip{
		From: time.Date(2026, 11, 16, 13, 0, 0, 0, time.UTC), Until: time.Date(2026, 11, 19, 9, 0, 0, 0, time.UTC), Timezone: "Asia/Tokyo",
	}
	user := sim.AddUser(googlehealthtest.UserConfig{Timezone: zoneName, Trips: []googlehealthtest.Trip{away}})
	p, err := googlehealth.New(googlehealth.Config{
		ClientID: "id", ClientSecret: providers.NewSecret("secret"), Transport: providertest.Transport(sim),
	})
	require.NoError(t, err)
	home, err := time.LoadLocation(zoneName)
	require.NoError(t, err)
	cred := credential(sim.Login(user.ID))
	first, last := day(user.FirstDay), day(user.LastDay)
	read := func(stream string, w health.Window) []health.Record {
		var all []health.Record
		for page, err := range providers.Pages(context.Background(), p, cred, providers.Query{Stream: stream, Window: w, Zone: home}) {
			require.NoError(t, err)
			require.Empty(t, page.Quarantined)
			all = append(all, page.Records...)
		}
		return all
	}

	abroad := 0
	for _, stream := range []string{"weight", "sleep", "respiratory_rate_sleep_summary"} {
		for _, r := range read(stream, health.Window{First: first, Last: last}) {
			filed := r.Span.Start
			if stream == "sleep" {
				filed = r.Span.End
			}
			at, _ := filed.Time()
			want := 3600
			if !at.Before(away.From) && at.Before(away.Until) {
				want = 9 * 3600
				abroad++
			}
			offset, known := filed.Offset()
			require.True(t, known, r.Key)
			require.Equal(t, want, offset, r.Key)
			require.Equal(t, at.UTC().Add(time.Duration(want)*time.Second).Format(time.DateOnly), r.Span.Day.String(), r.Key)
		}
	}
	require.Positive(t, abroad)

	seen := map[int64]bool{}
	for d := first.Add(-1); d.Compare(last.Add(1)) <= 0; d = d.Add(1) {
		for _, r := range read("heart_rate", health.Window{First: d, Last: d}) {
			for _, at := range r.Series[0].Times {
				require.False(t, seen[at])
				seen[at] = true
			}
		}
	}
	points := sim.Points(user.ID, "heart-rate", true)
	require.NotEmpty(t, points)
	require.Len(t, seen, len(points))
	for _, point := range points {
		require.True(t, seen[point.Start.UnixMilli()])
	}
}

// fitbitLike has what another simulator would hold of a person.
type fitbitLike struct{ days []googlehealthtest.Day }

func (f fitbitLike) Days(id string) ([]googlehealthtest.Day, bool) { return f.days, id == "ABC123" }

func (f fitbitLike) Sleeps(string) []googlehealthtest.Sleep {
	start := time.Date(2026, 11, 18, 22, 0, 0, 0, time.UTC)
	return []googlehealthtest.Sleep{{
		ID: "26013218219", Start: start, End: start.Add(8 * time.Hour), Processed: true, Updated: start.Add(9 * time.Hour),
		Stages: []googlehealthtest.Stage{{Type: "LIGHT", Start: start, End: start.Add(8 * time.Hour)}},
	}}
}

func (f fitbitLike) Workouts(string) []googlehealthtest.Workout { return nil }

// TestAPersonMovesHere serves the history of another simulator's person, who is
// known by the old id.
func TestAPersonMovesHere(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	sim := googlehealthtest.New(googlehealthtest.Config{
		Now: func() time.Time { return now }, EmptyFirstPages: -1, Testing: true,
		Source: fitbitLike{days: []googlehealthtest.Day{{Date: "2026-11-19", Worn: true, Steps: 8123, RestingHeartRate: 57}}},
	})
	user := sim.AddUser(googlehealthtest.UserConfig{LegacyID: "ABC123", Timezone: "Europe/Berlin"})
	p, err := googlehealth.New(googlehealth.Config{
		ClientID: googlehealthtest.DefaultClientID, ClientSecret: providers.NewSecret(googlehealthtest.DefaultClientSecret),
		RedirectURL: googlehealthtest.DefaultRedirectURL, Transport: providertest.Transport(sim),
	})
	require.NoError(t, err)
	start, err := p.Authorize(context.Background(), providers.AuthRequest{State: "s"})
	require.NoError(t, err)
	back, err := sim.Authorize(user.ID, start.URL)
	require.NoError(t, err)
	grant, err := p.Exchange(context.Background(), providers.Callback{Query: back.Query(), Secret: start.Secret})
	require.NoError(t, err)
	require.Equal(t, []providers.Alias{{Provider: googlehealth.Predecessor, UpstreamID: "ABC123"}}, grant.Aliases)
	require.WithinDuration(t, time.Now().Add(7*24*time.Hour), grant.EndsAt, time.Minute)

	window := health.Window{First: day("2026-11-15"), Last: day("2026-11-20")}
	for stream, want := range map[string]string{
		"steps_daily": "steps_daily/2026-11-19", "daily_resting_heart_rate": "daily_resting_heart_rate/2026-11-19", "sleep": "sleep/26013218219",
	} {
		page, err := p.Fetch(context.Background(), grant.Credential, providers.Query{Stream: stream, Window: window})
		require.NoError(t, err)
		require.Len(t, page.Records, 1, stream)
		require.Equal(t, want, page.Records[0].Key)
		if stream == "steps_daily" {
			require.Equal(t, "8123", page.Records[0].Values[0].Number.String())
		}
	}
	now = now.Add(8 * 24 * time.Hour)
	_, err = p.Refresh(context.Background(), grant.Credential)
	require.ErrorIs(t, err, providers.ErrReauth, "consents to projects in testing end")
}
