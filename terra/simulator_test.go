package terra_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/providertest"
	"github.com/vitalmux/vitalmux/terra"
	"github.com/vitalmux/vitalmux/terra/terratest"
)

func simClient(t testing.TB, sim *terratest.Server, change func(*terra.Config)) *terra.Client {
	cfg := terra.Config{
		DevID: terratest.DefaultDevID, APIKey: providers.NewSecret(terratest.DefaultAPIKey), Transport: providertest.Transport(sim), MaxWait: -1,
	}
	if change != nil {
		change(&cfg)
	}
	c, err := terra.New(cfg)
	require.NoError(t, err)
	return c
}

func simNow() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }

// holds reports the members of want, as the service sent it, that got, as the
// model writes it, does not have with the same value. Null and absent are equal,
// and so is an empty object.
func holds(path string, want, got any) (lost []string) {
	switch w := want.(type) {
	case map[string]any:
		g, _ := got.(map[string]any)
		for name, v := range w {
			if name == "day_avg_blood_glucose_mg_per_dl" { // one field with day_avg_blood_glucose_mg_per_dL
				name = "day_avg_blood_glucose_mg_per_dL"
			}
			lost = append(lost, holds(path+"."+name, v, g[name])...)
		}
	case []any:
		g, _ := got.([]any)
		if len(g) != len(w) {
			return []string{path}
		}
		for i := range w {
			lost = append(lost, holds(fmt.Sprintf("%s[%d]", path, i), w[i], g[i])...)
		}
	case string:
		if w != "" && w != got {
			return []string{path}
		}
	case nil:
	default:
		if w != got {
			return []string{path}
		}
	}
	return lost
}

// sameData asks the simulator for data and checks that the models hold all of
// it. It returns how much there was: none of a kind that the provider lacks.
func sameData[T any](t testing.TB, name string, ask func(context.Context, terra.DataRequest) (terra.Answer[T], error), userID string) int {
	a, err := ask(t.Context(), terra.DataRequest{
		UserID: userID, WithSamples: true,
		Start: terra.OnDay(health.Day{Year: 2026, Month: 11, Dom: 17}), End: terra.OnDay(health.Day{Year: 2026, Month: 11, Dom: 21}),
	})
	if errors.Is(err, providers.ErrForbidden) {
		return 0
	}
	require.NoError(t, err, name)
	require.Empty(t, a.Faults, name)
	var sent struct {
		Data []map[string]any `json:"data"`
	}
	require.NoError(t, json.Unmarshal(a.Raw, &sent))
	require.Len(t, a.Data, len(sent.Data))
	for i, v := range a.Data {
		raw, err := json.Marshal(v)
		require.NoError(t, err)
		var again map[string]any
		require.NoError(t, json.Unmarshal(raw, &again))
		require.Empty(t, holds("", sent.Data[i], again), name)
	}
	return len(a.Data)
}

// Whatever providers send is held by the models, member by member. The simulator
// has its members from the documentation on its own account.
func TestModelsHoldWhatIsSent(t *testing.T) {
	sim := terratest.New(terratest.Config{Seed: 7, Days: 6, Now: simNow, HeartRateSamples: 8})
	c := simClient(t, sim, nil)
	counts := map[string]int{}
	for _, provider := range strings.Fields("DUMMY GARMIN FITBIT OURA WHOOP WITHINGS POLAR APPLE HEALTH_CONNECT CRONOMETER CLUE DEXCOM OMRON FREESTYLELIBRE WAHOO") {
		user := sim.AddUser(terratest.UserConfig{Provider: provider}).ID
		counts["activity"] += sameData(t, provider, c.Activity, user)
		counts["body"] += sameData(t, provider, c.Body, user)
		counts["daily"] += sameData(t, provider, c.Daily, user)
		counts["sleep"] += sameData(t, provider, c.Sleep, user)
		counts["nutrition"] += sameData(t, provider, c.Nutrition, user)
		counts["menstruation"] += sameData(t, provider, c.Menstruation, user)
		answer, err := c.Athlete(t.Context(), terra.AthleteRequest{UserID: user})
		if !errors.Is(err, providers.ErrForbidden) {
			require.NoError(t, err)
			require.Empty(t, answer.Faults)
			counts["athlete"] += len(answer.Data)
		}
	}
	require.Len(t, counts, 7)
	for kind, n := range counts {
		require.Positive(t, n, kind)
	}
}

// Every provider that the service lists is in the catalogue.
func TestCatalogueHasWhatIsListed(t *testing.T) {
	c := simClient(t, terratest.New(terratest.Config{Now: simNow}), nil)
	live, err := c.Integrations(t.Context(), terra.IntegrationsRequest{})
	require.NoError(t, err)
	detailed, err := c.DetailedIntegrations(t.Context(), terra.IntegrationsRequest{SDK: true})
	require.NoError(t, err)
	known := terra.NewCatalogue()
	merged := known.Merge(&live, detailed)
	require.Equal(t, known.Len(), merged.Len())
	require.Greater(t, len(merged.Filter(terra.Filter{Listed: true})), 80)
}

// Both addresses, both styles of error and all shapes of userInfo.
func TestDialects(t *testing.T) {
	for _, address := range []string{terra.DefaultBaseURL, terra.LegacyBaseURL} {
		for _, style := range []terratest.ErrorStyle{terratest.ErrorsProblem, terratest.ErrorsLegacy} {
			for _, shape := range []terratest.UserInfoShape{terratest.UserInfoArray, terratest.UserInfoObject} {
				sim := terratest.New(terratest.Config{Seed: 3, Days: 3, Now: simNow, Errors: style, UserInfo: shape})
				c := simClient(t, sim, func(cfg *terra.Config) { cfg.BaseURL = address })
				user := sim.AddUser(terratest.UserConfig{Provider: "GARMIN", ReferenceID: "p"})
				users, err := c.UsersByReference(t.Context(), "p")
				require.NoError(t, err)
				require.Len(t, users, 1)
				require.Equal(t, user.ID, users[0].UserID)
				bulk, err := c.BulkUserInfo(t.Context(), []string{user.ID})
				require.NoError(t, err)
				require.Len(t, bulk, 1)
				_, err = c.UserInfo(t.Context(), "nobody")
				require.ErrorIs(t, err, providers.ErrNotFound)

				wrong := simClient(t, sim, func(cfg *terra.Config) { cfg.BaseURL, cfg.APIKey = address, providers.NewSecret("wrong") })
				_, err = wrong.AllUsers(t.Context())
				var e *providers.Error
				require.ErrorAs(t, err, &e)
				require.True(t, e.ClientFault)
				require.NotEmpty(t, e.RequestID, "terra-reference")

				_, err = c.Daily(t.Context(), terra.DataRequest{
					UserID: user.ID, Start: terra.OnDay(health.Day{Year: 2020, Month: 1, Dom: 1}), End: terra.OnDay(health.Day{Year: 2026, Month: 1, Dom: 1}),
				})
				require.ErrorAs(t, err, &e)
				require.Equal(t, terra.CodeSpanTooLong, e.Code)
				require.ErrorIs(t, err, providers.ErrInvalid)

				r := week(user.ID)
				r.ToWebhook = true
				_, err = c.Daily(t.Context(), r)
				require.ErrorAs(t, err, &e)
				require.Equal(t, terra.CodeNoDestinations, e.Code)
			}
		}
	}
}

func TestDaysUsedUp(t *testing.T) {
	sim := terratest.New(terratest.Config{Seed: 3, Days: 3, Now: simNow, HourlyDays: 10})
	c := simClient(t, sim, nil)
	user := sim.AddUser(terratest.UserConfig{Provider: "GARMIN"})
	a, err := c.Daily(t.Context(), week(user.ID))
	require.NoError(t, err)
	require.Equal(t, terra.DaysLeft{Limit: 10, Remaining: 3, ResetAfter: a.Days.ResetAfter}, a.Days)
	_, err = c.Daily(t.Context(), week(user.ID))
	var e *providers.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, terra.CodeDaysUsedUp, e.Code)
	require.False(t, e.RetryAt.IsZero())
	require.Len(t, sim.Requests(), 2)
}

// The walk of a person, from the widget to the end of the connection.
func TestConnectFlow(t *testing.T) {
	for _, successor := range []string{"", terra.WidgetSessionURL, terra.WidgetSessionURLInSpec} {
		sim := terratest.New(terratest.Config{Seed: 5, Days: 3, Now: simNow, RetireWidget: successor != ""})
		c := simClient(t, sim, func(cfg *terra.Config) { cfg.WidgetSessionURL = successor })
		session, err := c.WidgetSession(t.Context(), terra.SessionRequest{
			ReferenceID: "p", Providers: []string{"FITBIT"}, Language: "en", SuccessURL: "https://app.example.com/ok", FailureURL: "https://app.example.com/no",
		})
		require.NoError(t, err)
		page, err := sim.ChooseProvider(session.URL, "FITBIT")
		require.NoError(t, err)
		back, err := sim.Consent(page, terratest.Decision{})
		require.NoError(t, err)
		userID := back.Query().Get("user_id")
		info, err := c.UserInfo(t.Context(), userID)
		require.NoError(t, err)
		require.Equal(t, "p", info.User.ReferenceID)
		require.NoError(t, c.Deauthenticate(t.Context(), userID))
		require.ErrorIs(t, c.Deauthenticate(t.Context(), userID), providers.ErrNotFound)
	}
}

// Planned workouts, on the surface of 2026 and on the older one.
func TestPlans(t *testing.T) {
	sim := terratest.New(terratest.Config{Seed: 5, Days: 3, Now: simNow})
	c := simClient(t, sim, nil)
	user := sim.AddUser(terratest.UserConfig{Provider: "GARMIN"})
	ctx := t.Context()
	template := terra.WorkoutTemplate{
		Name: "Intervals", Sport: terra.SportRunning, Description: "d",
		StepBlocks: []terra.StepBlock{{
			CompletionCondition: terra.CompletionCondition{Type: terra.CompletionReps, Value: terra.Whole(5)},
			Steps:               []terra.WorkoutStep{{CompletionCondition: terra.CompletionCondition{Type: terra.CompletionTime, Value: terra.Whole(60)}, IntensityType: terra.IntensityActive}},
		}},
	}
	id, err := c.CreateWorkout(ctx, template)
	require.NoError(t, err)
	list, err := c.Workouts(ctx)
	require.NoError(t, err)
	require.Len(t, list, 1)
	got, err := c.Workout(ctx, id)
	require.NoError(t, err)
	require.Equal(t, template.StepBlocks, got.StepBlocks)
	date := health.Day{Year: 2026, Month: 11, Dom: 25}
	planned, err := c.PlanWorkout(ctx, id, user.ID, terra.PlanRequest{PlannedDate: date, Metrics: terra.AthleteMetrics{FTP: terra.Whole(250)}})
	require.NoError(t, err)
	all, err := c.PlannedWorkouts(ctx, terra.PlannedWorkoutsRequest{UserID: user.ID, Start: date, End: date})
	require.NoError(t, err)
	require.Len(t, all, 1, "the end is inclusive")
	require.NoError(t, c.MovePlannedWorkout(ctx, user.ID, planned.PlannedWorkoutID, date.Add(1)))
	one, err := c.PlannedWorkout(ctx, user.ID, planned.PlannedWorkoutID)
	require.NoError(t, err)
	moved, err := one.PlannedDate.Day()
	require.NoError(t, err)
	require.Equal(t, date.Add(1), moved)
	require.NoError(t, c.DeletePlannedWorkout(ctx, user.ID, planned.PlannedWorkoutID))
	require.ErrorIs(t, c.DeletePlannedWorkout(ctx, user.ID, planned.PlannedWorkoutID), providers.ErrNotFound)
	require.NoError(t, c.DeleteWorkout(ctx, id))
	_, err = c.Workout(ctx, id)
	require.ErrorIs(t, err, providers.ErrNotFound)

	written, err := c.WritePlannedWorkouts(ctx, user.ID, []terra.LegacyPlannedWorkout{{
		Metadata: terra.PlannedWorkoutDetailsMetadata{ID: "x1", Name: "Swim", Type: terra.Code{Number: terra.Whole(82)}, PlannedDate: "2026-11-18"},
		Steps:    []terra.PlannedWorkoutDetailsStep{{Type: new(terra.PlannedStepSingle), EquipmentType: []terra.PlannedEquipmentType{terra.PlannedEquipmentFins}}},
	}})
	require.NoError(t, err)
	require.Len(t, written.LogIDs, 1)
	old, err := c.LegacyPlannedWorkouts(ctx, week(user.ID))
	require.NoError(t, err)
	require.Len(t, old.Data, 1)
	require.Equal(t, []terra.PlannedEquipmentType{terra.PlannedEquipmentFins}, old.Data[0].Steps[0].EquipmentType)
	processed, err := c.DeleteLegacyPlannedWorkouts(ctx, user.ID, []string{old.Data[0].Metadata.ID, "no-such"})
	require.NoError(t, err)
	require.Len(t, processed, 2)
}

// The older write calls, while they last.
func TestWrites(t *testing.T) {
	sim := terratest.New(terratest.Config{Seed: 5, Days: 3, Now: simNow})
	c := simClient(t, sim, nil)
	user := sim.AddUser(terratest.UserConfig{Provider: "DUMMY"})
	ctx := t.Context()
	activity := terra.Activity{Metadata: terra.ActivityMetadata{
		SummaryID: "a1", StartTime: "2026-11-18T09:00:00.000000+01:00", EndTime: "2026-11-18T10:00:00.000000+01:00",
		Type: new(terra.ActivityBiking), UploadType: new(terra.UploadManual),
	}}
	w, err := c.WriteActivity(ctx, user.ID, []terra.Activity{activity})
	require.NoError(t, err)
	require.Len(t, w.LogIDs, 1)
	body := terra.Body{Metadata: terra.BodyMetadata{StartTime: "2026-11-18T00:00:00.000000+01:00", EndTime: "2026-11-19T00:00:00.000000+01:00"}}
	body.MeasurementsData.Measurements = []terra.MeasurementDataSample{{MeasurementTime: "2026-11-18T07:00:00.000000+01:00", WeightKg: terra.Whole(71)}}
	w, err = c.WriteBody(ctx, user.ID, []terra.Body{body})
	require.NoError(t, err)
	processed, err := c.DeleteBody(ctx, user.ID, append(w.LogIDs, "no-such"))
	require.NoError(t, err)
	require.Len(t, processed, 2)
	food := terra.Nutrition{Metadata: terra.NutritionMetadata{StartTime: "2026-11-18T00:00:00.000000+01:00", EndTime: "2026-11-19T00:00:00.000000+01:00"}}
	w, err = c.WriteNutrition(ctx, user.ID, []terra.Nutrition{food})
	require.NoError(t, err)
	processed, err = c.DeleteNutrition(ctx, user.ID, w.LogIDs)
	require.NoError(t, err)
	require.Len(t, processed, 1)

	retired := simClient(t, terratest.New(terratest.Config{RetireWrites: true, Now: simNow}), nil)
	_, err = retired.WriteBody(ctx, user.ID, []terra.Body{body})
	require.Error(t, err)
	require.False(t, providers.Retryable(err), strings.ToLower(err.Error()))
}
