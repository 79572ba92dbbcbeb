package terratest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/terra"
	"github.com/vitalmux/vitalmux/terra/terratest"
)

// newClient is the client of this module for a simulator that is served below a prefix.
func newClient(t *testing.T, s *terratest.Server, version string) *terra.Client {
	t.Helper()
	site := httptest.NewServer(http.StripPrefix("/terra", s))
	t.Cleanup(site.Close)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	c, err := terra.New(terra.Config{
		DevID: terratest.DefaultDevID, APIKey: providers.NewSecret(terratest.DefaultAPIKey), BaseURL: site.URL + "/terra" + version,
		Attempts: -1, Transport: transport,
	})
	require.NoError(t, err)
	return c
}

func day(t *testing.T, text string) terra.Bound {
	d, err := health.ParseDay(text)
	require.NoError(t, err)
	return terra.OnDay(d)
}

// The client walks through everything, on both versions of the API and with both error styles.
func TestTheClient(t *testing.T) {
	for _, version := range []string{terratest.APIPath, terratest.LegacyAPIPath} {
		t.Run(version, func(t *testing.T) {
			ctx := t.Context()
			s := terratest.New(terratest.Config{Seed: 7, Now: start})
			t.Cleanup(s.Close)
			hook := newReceiver(t)
			s.AddDestination(terratest.Destination{URL: hook.URL})
			c := newClient(t, s, version)

			all, err := c.Integrations(ctx, terra.IntegrationsRequest{})
			require.NoError(t, err)
			require.Contains(t, all.Providers, "GARMIN")
			require.Contains(t, all.SDKProviders, "APPLE")
			_, err = c.DetailedIntegrations(ctx, terra.IntegrationsRequest{SDK: true})
			require.NoError(t, err)

			pending, err := c.AuthURL(ctx, terra.AuthURLRequest{Provider: "DUMMY", ReferenceID: "p1", SuccessURL: "https://app.example.com/ok"})
			require.NoError(t, err)
			require.Regexp(t, `^http://127\.0\.0\.1:\d+/terra/consent/`, pending.URL, "the address is taken from the request")
			_, err = s.Consent(pending.URL, terratest.Decision{})
			require.NoError(t, err)
			session, err := c.WidgetSession(ctx, terra.SessionRequest{Providers: []string{"WAHOO"}, ReferenceID: "p1"})
			require.NoError(t, err)
			consent, err := s.ChooseProvider(session.URL, "WAHOO")
			require.NoError(t, err)
			_, err = s.Consent(consent, terratest.Decision{})
			require.NoError(t, err)
			token, err := c.MobileToken(ctx)
			require.NoError(t, err)
			_, err = s.ConnectMobile(token.Token.Reveal(), terratest.UserConfig{Provider: "APPLE", ReferenceID: "p1"})
			require.NoError(t, err)

			info, err := c.UserInfo(ctx, pending.UserID)
			require.NoError(t, err)
			require.True(t, *info.IsAuthenticated)
			users, err := c.UsersByReference(ctx, "p1")
			require.NoError(t, err)
			require.Len(t, users, 3)
			var paged []terra.User
			for u, err := range c.EachUser(ctx, 2) {
				require.NoError(t, err)
				paged = append(paged, u)
			}
			require.Len(t, paged, 3)
			bulk, err := c.BulkUserInfo(ctx, []string{pending.UserID})
			require.NoError(t, err)
			require.Len(t, bulk, 1)

			request := terra.DataRequest{UserID: pending.UserID, Start: day(t, "2026-11-01"), End: day(t, "2026-11-20"), WithSamples: true}
			check := func(n int, faults []terra.Fault, raw []byte, err error) {
				t.Helper()
				require.NoError(t, err)
				require.NotZero(t, n)
				require.Empty(t, faults)
				require.NotEmpty(t, raw)
			}
			activity, err := c.Activity(ctx, request)
			check(len(activity.Data), activity.Faults, activity.Raw, err)
			body, err := c.Body(ctx, request)
			check(len(body.Data), body.Faults, body.Raw, err)
			daily, err := c.Daily(ctx, request)
			check(len(daily.Data), daily.Faults, daily.Raw, err)
			sleep, err := c.Sleep(ctx, request)
			check(len(sleep.Data), sleep.Faults, sleep.Raw, err)
			nutrition, err := c.Nutrition(ctx, request)
			check(len(nutrition.Data), nutrition.Faults, nutrition.Raw, err)
			cycle, err := c.Menstruation(ctx, request)
			check(len(cycle.Data), cycle.Faults, cycle.Raw, err)
			athlete, err := c.Athlete(ctx, terra.AthleteRequest{UserID: pending.UserID})
			check(len(athlete.Data), athlete.Faults, athlete.Raw, err)

			request.ToWebhook = true
			accepted, err := c.Daily(ctx, request)
			require.NoError(t, err)
			require.NotEmpty(t, accepted.Reference)
			request.Start = day(t, "2026-09-01")
			large, err := c.Daily(ctx, request)
			require.NoError(t, err)
			require.NotEmpty(t, large.Reference)
			require.NoError(t, s.Settle(ctx))
			require.Contains(t, hook.types(), "large_request_sending")
			require.Empty(t, hook.bad)

			template, err := c.CreateWorkout(ctx, terra.WorkoutTemplate{Name: "Run", Sport: "running", StepBlocks: []terra.StepBlock{{}}})
			require.NoError(t, err)
			plan, err := c.PlanWorkout(ctx, template, pending.UserID, terra.PlanRequest{PlannedDate: health.DayOf(start())})
			require.NoError(t, err)
			require.NoError(t, c.MovePlannedWorkout(ctx, pending.UserID, plan.PlannedWorkoutID, health.DayOf(start()).Add(1)))
			moved, err := c.PlannedWorkout(ctx, pending.UserID, plan.PlannedWorkoutID)
			require.NoError(t, err)
			require.Contains(t, fmt.Sprint(moved.PlannedDate), "2026-11-22")
			require.NoError(t, c.DeletePlannedWorkout(ctx, pending.UserID, plan.PlannedWorkoutID))
			require.NoError(t, c.DeleteWorkout(ctx, template))
			written, err := c.WriteBody(ctx, pending.UserID, body.Data[:1])
			require.NoError(t, err)
			deleted, err := c.DeleteBody(ctx, pending.UserID, append(written.LogIDs, "none"))
			require.NoError(t, err)
			require.Len(t, deleted, 2)

			require.NoError(t, c.Deauthenticate(ctx, pending.UserID))
			_, err = c.UserInfo(ctx, pending.UserID)
			require.ErrorIs(t, err, providers.ErrNotFound)
		})
	}
}

// The client tells the refusals apart.
func TestTheClientsErrors(t *testing.T) {
	s := newServer(t, terratest.Config{RetireWidget: true, HourlyDays: 100})
	c := newClient(t, s, terratest.APIPath)
	u := s.AddUser(terratest.UserConfig{Provider: "OURA"})
	ctx := t.Context()
	_, err := c.WidgetSession(ctx, terra.SessionRequest{})
	require.ErrorIs(t, err, providers.ErrRetired)
	request := terra.DataRequest{UserID: u.ID, Start: day(t, "2020-01-01"), End: day(t, "2026-01-01")}
	_, err = c.Daily(ctx, request)
	require.Error(t, err)
	require.NotErrorIs(t, err, providers.ErrRateLimited, "a request that is too long cannot be repeated")
	request.Start = day(t, "2025-11-01")
	request.End = day(t, "2026-02-01")
	_, err = c.Daily(ctx, request)
	require.NoError(t, err)
	_, err = c.Daily(ctx, request)
	require.ErrorIs(t, err, providers.ErrRateLimited)
	s.Advance(time.Hour)
	for _, fault := range []terratest.Fault{
		{Kind: terratest.FaultError200}, {Kind: terratest.FaultHTTP}, {Kind: terratest.FaultTruncate}, {Kind: terratest.FaultRedirect}, {Kind: terratest.FaultReset},
		{Kind: terratest.FaultHTML}, {Kind: terratest.FaultEmpty}, {Kind: terratest.FaultGateway},
	} {
		s.Fault(fault)
		_, err = c.UserInfo(ctx, u.ID)
		var typed *providers.Error
		require.ErrorAs(t, err, &typed, fault.Kind)
	}
	_, err = c.UserInfo(ctx, u.ID)
	require.NoError(t, err)
}

// The data of every provider, every kind and every habit is of the documented types.
func TestTheClientReadsEveryHabit(t *testing.T) {
	s := newServer(t, terratest.Config{Days: 4, HeartRateSamples: 2})
	c := newClient(t, s, terratest.APIPath)
	all, err := c.Integrations(t.Context(), terra.IntegrationsRequest{})
	require.NoError(t, err)
	for _, provider := range append(all.Providers, all.SDKProviders...) {
		u := s.AddUser(terratest.UserConfig{Provider: provider})
		kinds := map[terratest.Kind]int{}
		for _, r := range s.Records(u.ID) {
			kinds[r.Key.Kind]++
			if kinds[r.Key.Kind] > 2 {
				continue
			}
			var faults []terra.Fault
			var err error
			switch r.Key.Kind {
			case terratest.KindActivity:
				_, faults, err = terra.Decode[terra.Activity](r.Body)
			case terratest.KindBody:
				_, faults, err = terra.Decode[terra.Body](r.Body)
			case terratest.KindDaily:
				_, faults, err = terra.Decode[terra.Daily](r.Body)
			case terratest.KindSleep:
				_, faults, err = terra.Decode[terra.Sleep](r.Body)
			case terratest.KindNutrition:
				_, faults, err = terra.Decode[terra.Nutrition](r.Body)
			case terratest.KindMenstruation:
				_, faults, err = terra.Decode[terra.Menstruation](r.Body)
			case terratest.KindAthlete:
				_, faults, err = terra.Decode[terra.Athlete](r.Body)
			}
			require.NoError(t, err)
			require.Empty(t, faults, "%s %s", provider, r.Key)
		}
		require.NotEmpty(t, kinds, provider)
	}
}
