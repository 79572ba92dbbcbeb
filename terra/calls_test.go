package terra

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
)

const base = "https://access.tryterra.co/api/v2/"

func day(t testing.TB, text string) health.Day {
	d, err := health.ParseDay(text)
	require.NoError(t, err)
	return d
}

// oneCall is one call of the client, what it sends and what it makes of an answer.
type oneCall struct {
	name   string
	call   func(context.Context, *Client) (any, error)
	method string
	url    string
	body   string // as JSON
	file   string // sent in a form, with its name in front: name content-type content
	once   bool   // it must not be repeated
	keys   keys
	answer reply
	want   any
}

// keys are the credentials that a call sends.
type keys int

const (
	bothKeys keys = iota
	noKeys
	devIDOnly
)

func calls(t testing.TB) []oneCall {
	june := DataRequest{UserID: "u2", Start: OnDay(day(t, "2026-06-01")), End: OnDay(day(t, "2026-06-08")), WithSamples: true}
	seconds := DataRequest{
		UserID: "u2", Start: AtTime(time.Unix(1782900000, 5)), End: AtTime(time.Unix(1782903600, 0)), ToWebhook: true,
		Extra: url.Values{"retry_if_rate_limited": {"true"}},
	}
	span := "end_date=2026-06-08&start_date=2026-06-01&to_webhook=false&user_id=u2&with_samples=true"
	users := []User{{UserID: "u1", Provider: "GARMIN", ReferenceID: "p1", Active: new(true)}, {UserID: "u2", Provider: "FITBIT"}}
	list := `[{"user_id":"u1","provider":"GARMIN","reference_id":"p1","active":true},{"user_id":"u2","provider":"FITBIT","reference_id":null}]`
	template := WorkoutTemplate{
		Name: "Intervals", Sport: SportRunning,
		StepBlocks: []StepBlock{{CompletionCondition: CompletionCondition{Type: CompletionReps, Value: Whole(5)}, Steps: []WorkoutStep{
			{CompletionCondition: CompletionCondition{Type: CompletionTime, Value: Whole(60)}, IntensityType: IntensityActive},
		}}},
	}
	templateJSON := `{"name":"Intervals","sport":"running","step_blocks":[{"completion_condition":{"type":"reps","value":5},"steps":[{"completion_condition":{"type":"time","value":60},"intensity_type":"active"}]}]}`
	written := reply{status: http.StatusCreated, body: `{"user":{"user_id":"u2","provider":"WAHOO"},"log_ids":["l1",2],"message":"m"}`}
	wrote := Written{User: User{UserID: "u2", Provider: "WAHOO"}, LogIDs: []string{"l1", "2"}}
	processed := reply{status: http.StatusMultiStatus, body: `{"user":{"user_id":"u2"},"processed_data":[{"id":"l1","response_code":200},{"id":"l2","response_code":404.0}]}`}
	deleted := []Processed{{ID: "l1", ResponseCode: Whole(200)}, {ID: "l2", ResponseCode: NewNumber(health.Decimal{Coefficient: 4040, Exponent: -1})}}

	return []oneCall{
		{
			name: "activity", url: base + "activity?" + span, answer: ok(string(read(t, "activity.json"))), want: []string{"a1", "a2"},
			call: func(ctx context.Context, c *Client) (any, error) {
				a, err := c.Activity(ctx, june)
				var ids []string
				for _, v := range a.Data {
					ids = append(ids, v.Metadata.SummaryID)
				}
				return ids, err
			},
		},
		{
			name:   "body, seconds, to the webhook, more parameters",
			url:    base + "body?end_date=1782903600&retry_if_rate_limited=true&start_date=1782900000&to_webhook=true&user_id=u2&with_samples=false",
			answer: ok(`{"status":"success","type":"body","reference":"r1","trace_id":"r1","user":{"user_id":"u2","provider":"GARMIN","scopes":""}}`),
			want:   Answer[Body]{Outcome: OutcomeSent, Type: "body", Reference: "r1", User: User{UserID: "u2", Provider: "GARMIN"}},
			call: func(ctx context.Context, c *Client) (any, error) {
				a, err := c.Body(ctx, seconds)
				a.Raw = nil
				return a, err
			},
		},
		{
			name: "daily", url: base + "daily?" + span, answer: ok(string(read(t, "daily.json"))), want: "11894",
			call: func(ctx context.Context, c *Client) (any, error) {
				a, err := c.Daily(ctx, june)
				return firstOr(a.Data, Daily{}).DistanceData.Steps.String(), err
			},
		},
		{
			name: "sleep", url: base + "sleep?" + span, answer: ok(string(read(t, "sleep.json"))), want: "1.99",
			call: func(ctx context.Context, c *Client) (any, error) {
				a, err := c.Sleep(ctx, june)
				return firstOr(a.Data, Sleep{}).SleepDurationsData.SleepEfficiency.String(), err
			},
		},
		{
			name: "nutrition", url: base + "nutrition?" + span, answer: ok(string(read(t, "nutrition.json"))), want: "Porridge",
			call: func(ctx context.Context, c *Client) (any, error) {
				a, err := c.Nutrition(ctx, june)
				return firstOr(firstOr(a.Data, Nutrition{}).Meals, Meal{}).Name, err
			},
		},
		{
			name: "menstruation", url: base + "menstruation?" + span, answer: ok(string(read(t, "menstruation.json"))), want: Timestamp("2026-06-30"),
			call: func(ctx context.Context, c *Client) (any, error) {
				a, err := c.Menstruation(ctx, june)
				return firstOr(a.Data, Menstruation{}).MenstruationData.PeriodStartDate, err
			},
		},
		{
			name: "athlete", url: base + "athlete?to_webhook=false&user_id=u2", answer: ok(string(read(t, "athlete.json"))), want: []string{"Zoë"},
			call: func(ctx context.Context, c *Client) (any, error) {
				a, err := c.Athlete(ctx, AthleteRequest{UserID: "u2"})
				var names []string
				for _, v := range a.Data {
					names = append(names, v.FirstName)
				}
				return names, err
			},
		},
		{
			name: "user info", url: base + "userInfo?user_id=u1",
			answer: ok(`{"status":"success","is_authenticated":true,"user":{"user_id":"u1","provider":"GARMIN","last_polled_at":"2026-07-01T00:00:00Z"}}`),
			want:   UserInfo{User: User{UserID: "u1", Provider: "GARMIN", LastPolledAt: "2026-07-01T00:00:00Z"}, IsAuthenticated: new(true)},
			call:   func(ctx context.Context, c *Client) (any, error) { return c.UserInfo(ctx, "u1") },
		},
		{
			name: "users by reference, bare list", url: base + "userInfo?reference_id=p1", answer: ok(" " + list), want: users,
			call: func(ctx context.Context, c *Client) (any, error) { return c.UsersByReference(ctx, "p1") },
		},
		{
			name: "users by reference, list with a name", url: base + "userInfo?reference_id=p1", answer: ok(`{"users":` + list + `}`), want: users,
			call: func(ctx context.Context, c *Client) (any, error) { return c.UsersByReference(ctx, "p1") },
		},
		{
			name: "users by reference, one", url: base + "userInfo?reference_id=p%261", answer: ok(`{"user":{"user_id":"u1","provider":"X"},"status":"success"}`),
			want: []User{{UserID: "u1", Provider: "X"}},
			call: func(ctx context.Context, c *Client) (any, error) { return c.UsersByReference(ctx, "p&1") },
		},
		{
			name: "all users", url: base + "subscriptions", answer: ok(`{"status":"success","users":` + list + `}`), want: users,
			call: func(ctx context.Context, c *Client) (any, error) { return c.AllUsers(ctx) },
		},
		{
			name: "page of users", url: base + "subscriptions?page=0&per_page=2", answer: ok(`{"data":{"next":1,"max_page":3.0,"results":` + list + `}}`),
			want: UserPage{Users: users, Next: 1, MaxPage: 3},
			call: func(ctx context.Context, c *Client) (any, error) { return c.UserPage(ctx, 0, 2) },
		},
		{
			name: "last page of users", url: base + "subscriptions?page=3", answer: ok(`{"data":{"next":null,"max_page":3,"results":[]}}`),
			want: UserPage{Users: []User{}, Next: -1, MaxPage: 3},
			call: func(ctx context.Context, c *Client) (any, error) { return c.UserPage(ctx, 3, 0) },
		},
		{
			name: "bulk user info", method: http.MethodPost, url: base + "bulkUserInfo", body: `["u1","u2"]`, answer: ok(list), want: users,
			call: func(ctx context.Context, c *Client) (any, error) { return c.BulkUserInfo(ctx, []string{"u1", "u2"}) },
		},
		{
			name: "update user", method: http.MethodPatch, url: base + "users/u%201", body: `{"reference_id":"p2"}`, once: true,
			answer: ok(`{"user":{"user_id":"u 1","provider":"GARMIN","reference_id":"p2"},"status":"success"}`),
			want:   User{UserID: "u 1", Provider: "GARMIN", ReferenceID: "p2"},
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.UpdateUser(ctx, "u 1", UserUpdate{ReferenceID: new("p2")})
			},
		},
		{
			name: "deauthenticate", method: http.MethodDelete, url: base + "auth/deauthenticateUser?user_id=u1", answer: ok(`{"status":"success"}`),
			call: func(ctx context.Context, c *Client) (any, error) { return nil, c.Deauthenticate(ctx, "u1") },
		},
		{
			name: "auth URL", method: http.MethodPost, url: base + "auth/authenticateUser?resource=GARMIN", once: true,
			body:   `{"reference_id":"p1","language":"de","auth_success_redirect_url":"https://app.example.com/ok","auth_failure_redirect_url":"https://app.example.com/no","facility_id":7}`,
			answer: ok(`{"status":"success","user_id":"u1","auth_url":"https://provider.example/oauth"}`),
			want:   PendingUser{UserID: "u1", URL: "https://provider.example/oauth"},
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.AuthURL(ctx, AuthURLRequest{
					Provider: "GARMIN", ReferenceID: "p1", Language: "de", SuccessURL: "https://app.example.com/ok", FailureURL: "https://app.example.com/no",
					Extra: map[string]any{"facility_id": 7},
				})
			},
		},
		{
			name: "widget session", method: http.MethodPost, url: base + "auth/generateWidgetSession", once: true,
			body:   `{"providers":"GARMIN,FITBIT","reference_id":"p1","show_disconnect":true}`,
			answer: ok(`{"status":"success","session_id":"w1","url":"https://widget.tryterra.co/session/w1","expires_in":600}`), want: "w1 https://widget.tryterra.co/session/w1",
			call: func(ctx context.Context, c *Client) (any, error) {
				s, err := c.WidgetSession(ctx, SessionRequest{
					Providers: []string{"GARMIN", "FITBIT"}, ReferenceID: "p1", Extra: map[string]any{"show_disconnect": true},
				})
				return s.ID + " " + s.URL, err
			},
		},
		{
			name: "mobile token", method: http.MethodPost, url: base + "auth/generateAuthToken", once: true,
			answer: ok(`{"status":"success","token":"abc","expires_in":180}`), want: "abc",
			call: func(ctx context.Context, c *Client) (any, error) {
				token, err := c.MobileToken(ctx)
				return token.Token.Reveal(), err
			},
		},
		{
			name: "integrations", url: base + "integrations", keys: noKeys, answer: ok(`{"status":"success","providers":["GARMIN","NEW"],"sdk_providers":["APPLE"]}`),
			want: Integrations{Providers: []string{"GARMIN", "NEW"}, SDKProviders: []string{"APPLE"}},
			call: func(ctx context.Context, c *Client) (any, error) { return c.Integrations(ctx, IntegrationsRequest{}) },
		},
		{
			name: "enabled integrations, older name", url: base + "integrations", keys: devIDOnly, answer: ok(`{"providers":["GARMIN"],"sdk_resource":["APPLE"]}`),
			want: Integrations{Providers: []string{"GARMIN"}, SDKProviders: []string{"APPLE"}},
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.Integrations(ctx, IntegrationsRequest{OnlyEnabled: true})
			},
		},
		{
			name: "detailed integrations", url: base + "integrations/detailed?sdk=true", keys: noKeys,
			answer: ok(`{"status":"success","providers":[{"provider":"GARMIN","name":"Garmin","icon":"https://x","setup":"API_KEYS_MANAGED","enabled":true,"types":{"activity":true,"sleep":false}}]}`),
			want: []IntegrationDetail{{
				Provider: "GARMIN", Name: "Garmin", Icon: "https://x", Setup: "API_KEYS_MANAGED", Enabled: new(true),
				Types: IntegrationTypes{Activity: new(true), Sleep: new(false)},
			}},
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.DetailedIntegrations(ctx, IntegrationsRequest{SDK: true})
			},
		},
		{
			name: "create workout", method: http.MethodPost, url: base + "workouts", once: true, body: templateJSON,
			answer: ok(`{"status":"success","workout_id":17}`), want: "17",
			call: func(ctx context.Context, c *Client) (any, error) { return c.CreateWorkout(ctx, template) },
		},
		{
			name: "workouts", url: base + "workouts", answer: ok(`[` + templateJSON + `]`), want: []WorkoutTemplate{template},
			call: func(ctx context.Context, c *Client) (any, error) { return c.Workouts(ctx) },
		},
		{
			name: "workout", url: base + "workouts/17", answer: ok(templateJSON), want: template,
			call: func(ctx context.Context, c *Client) (any, error) { return c.Workout(ctx, "17") },
		},
		{
			name: "delete workout", method: http.MethodDelete, url: base + "workouts/17", answer: reply{status: http.StatusNoContent},
			call: func(ctx context.Context, c *Client) (any, error) { return nil, c.DeleteWorkout(ctx, "17") },
		},
		{
			name: "plan workout", method: http.MethodPost, url: base + "workouts/17/plan?user_id=u2", once: true, body: `{"planned_date":"2026-07-05","ftp":250}`,
			answer: reply{status: http.StatusCreated, body: `{"status":"success","planned_workout_id":"pw1","provider_workout_id":"g1","coercion_warnings":null}`},
			want:   Planned{PlannedWorkoutID: "pw1", ProviderWorkoutID: "g1"},
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.PlanWorkout(ctx, "17", "u2", PlanRequest{PlannedDate: day(t, "2026-07-05"), Metrics: AthleteMetrics{FTP: Whole(250)}})
			},
		},
		{
			name: "planned workouts", url: base + "plannedWorkouts?end_date=2026-07-31&start_date=2026-07-01&user_id=u2",
			answer: ok(`[` + string(read(t, "planned_workout.json")) + `]`), want: "pw1",
			call: func(ctx context.Context, c *Client) (any, error) {
				list, err := c.PlannedWorkouts(ctx, PlannedWorkoutsRequest{UserID: "u2", Start: day(t, "2026-07-01"), End: day(t, "2026-07-31")})
				return firstOr(list, PlannedWorkout{}).PlannedWorkoutID, err
			},
		},
		{
			name: "planned workout", url: base + "plannedWorkouts/pw1?user_id=u2", answer: ok(string(read(t, "planned_workout.json"))), want: "17",
			call: func(ctx context.Context, c *Client) (any, error) {
				w, err := c.PlannedWorkout(ctx, "u2", "pw1")
				return w.WorkoutID, err
			},
		},
		{
			name: "move planned workout", method: http.MethodPatch, url: base + "plannedWorkouts/pw1?user_id=u2", once: true, body: `{"planned_date":"2026-07-06"}`,
			answer: ok(`{"status":"success"}`),
			call: func(ctx context.Context, c *Client) (any, error) {
				return nil, c.MovePlannedWorkout(ctx, "u2", "pw1", day(t, "2026-07-06"))
			},
		},
		{
			name: "delete planned workout", method: http.MethodDelete, url: base + "plannedWorkouts/pw1?user_id=u2", answer: reply{status: http.StatusNoContent},
			call: func(ctx context.Context, c *Client) (any, error) {
				return nil, c.DeletePlannedWorkout(ctx, "u2", "pw1")
			},
		},
		{
			name: "write activity", method: http.MethodPost, url: base + "activity?user_id=u2", once: true, answer: written, want: wrote,
			body: `{"data":[{"metadata":{"summary_id":"a1","start_time":"2026-07-01T09:00:00+02:00","end_time":"2026-07-01T10:00:00+02:00","type":0,"upload_type":2},"distance_data":{"summary":{"distance_meters":1000.50}}}]}`,
			call: func(ctx context.Context, c *Client) (any, error) {
				a := Activity{Metadata: ActivityMetadata{
					SummaryID: "a1", StartTime: "2026-07-01T09:00:00+02:00", EndTime: "2026-07-01T10:00:00+02:00",
					Type: new(ActivityInVehicle), UploadType: new(UploadManual),
				}}
				a.DistanceData.Summary.DistanceMeters = NewNumber(health.Decimal{Coefficient: 100050, Exponent: -2})
				return c.WriteActivity(ctx, "u2", []Activity{a})
			},
		},
		{
			name: "write body", method: http.MethodPost, url: base + "body?user_id=u2", once: true, answer: written, want: wrote,
			body: `{"data":[{"metadata":{"start_time":"2026-07-01","end_time":"2026-07-02"},"measurements_data":{"measurements":[{"measurement_time":"2026-07-01T07:00:00Z","weight_kg":71}]}}]}`,
			call: func(ctx context.Context, c *Client) (any, error) {
				b := Body{Metadata: BodyMetadata{StartTime: "2026-07-01", EndTime: "2026-07-02"}}
				b.MeasurementsData.Measurements = []MeasurementDataSample{{MeasurementTime: "2026-07-01T07:00:00Z", WeightKg: Whole(71)}}
				return c.WriteBody(ctx, "u2", []Body{b})
			},
		},
		{
			name: "write nutrition", method: http.MethodPost, url: base + "nutrition?user_id=u2", once: true, answer: written, want: wrote,
			body: `{"data":[{"metadata":{"start_time":"2026-07-01","end_time":"2026-07-02"},"summary":{"water_ml":250}}]}`,
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.WriteNutrition(ctx, "u2", []Nutrition{{
					Metadata: NutritionMetadata{StartTime: "2026-07-01", EndTime: "2026-07-02"}, Summary: NutritionSummary{WaterMl: Whole(250)},
				}})
			},
		},
		{
			name: "write planned workouts", method: http.MethodPost, url: base + "plannedWorkout?user_id=u2", once: true, answer: written, want: wrote,
			body: `{"data":[{"metadata":{"name":"Swim","type":"SWIMMING_SWIMMING_POOL"},"steps":[{"equipement_type":[1],"exercice_name":"n"}]}]}`,
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.WritePlannedWorkouts(ctx, "u2", []LegacyPlannedWorkout{{
					Metadata: PlannedWorkoutDetailsMetadata{Name: "Swim", Type: Code{Text: "SWIMMING_SWIMMING_POOL"}},
					Steps:    []PlannedWorkoutDetailsStep{{EquipmentType: []PlannedEquipmentType{PlannedEquipmentFins}, ExerciseName: "n"}},
				}})
			},
		},
		{
			name: "legacy planned workouts", url: base + "plannedWorkout?end_date=2026-06-08&start_date=2026-06-01&to_webhook=false&user_id=u2",
			answer: ok(`{"user":{"user_id":"u2"},"type":"planned_workout","data":[` + string(read(t, "legacy_planned_workout.json")) + `]}`), want: "l1",
			call: func(ctx context.Context, c *Client) (any, error) {
				a, err := c.LegacyPlannedWorkouts(ctx, june)
				return firstOr(a.Data, LegacyPlannedWorkout{}).Metadata.ID, err
			},
		},
		{
			name: "delete body", method: http.MethodDelete, url: base + "body?user_id=u2", body: `{"log_ids":["l1","l2"]}`, answer: processed, want: deleted,
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.DeleteBody(ctx, "u2", []string{"l1", "l2"})
			},
		},
		{
			name: "delete nutrition", method: http.MethodDelete, url: base + "nutrition?user_id=u2", body: `{"data":["l1","l2"]}`, answer: processed, want: deleted,
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.DeleteNutrition(ctx, "u2", []string{"l1", "l2"})
			},
		},
		{
			name: "upload lab report", method: http.MethodPost, url: base + "lab-reports?reference_id=p1", once: true,
			file: `report "1".pdf application/pdf %PDF-1.7 x`, answer: reply{status: http.StatusAccepted, body: `{"upload_id":"upl_1","current_status":"processing"}`},
			want: LabUploaded{UploadID: "upl_1", CurrentStatus: "processing"},
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.UploadLabReport(ctx, LabUpload{Name: `report "1".pdf`, File: []byte("%PDF-1.7 x"), ReferenceID: "p1"})
			},
		},
		{
			name: "upload lab report, a service with one report per file", method: http.MethodPost, url: base + "lab-reports", once: true,
			file: "scan.png image/png \x89PNG\r\n\x1a\n", answer: reply{status: http.StatusAccepted, body: `{"session_id":297405620317847552,"current_status":"processing"}`},
			want: LabUploaded{SessionID: "297405620317847552", CurrentStatus: "processing"},
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.UploadLabReport(ctx, LabUpload{Name: "scan.png", File: []byte("\x89PNG\r\n\x1a\n")})
			},
		},
		{
			name:   "lab reports",
			url:    base + "lab-reports?reference_id=p1&report_date_from=2026-03-01&report_date_to=2026-03-31&report_type=lab&upload_id=upl_1&uploaded_at_from=2026-04-01&uploaded_at_to=2026-04-02",
			answer: ok(`{"sessions":[{"session_id":"1","upload_id":"upl_1","current_status":"sent","report_date":"2026-03-15","later":1},{"session_id":2}]}`),
			want:   []LabReport{{SessionID: "1", UploadID: "upl_1", CurrentStatus: "sent", ReportDate: "2026-03-15"}, {SessionID: "2"}},
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.LabReports(ctx, LabReportsRequest{
					ReferenceID: "p1", UploadID: "upl_1", ReportedFrom: day(t, "2026-03-01"), ReportedTo: day(t, "2026-03-31"),
					UploadedFrom: day(t, "2026-04-01"), UploadedTo: day(t, "2026-04-02"), Extra: url.Values{"report_type": {"lab"}},
				})
			},
		},
		{
			name: "lab report", url: base + "lab-reports/297405620317847552", answer: ok(string(read(t, "lab_report.json"))), want: "serum_ferritin 30.5 ug/L",
			call: func(ctx context.Context, c *Client) (any, error) {
				r, err := c.LabReport(ctx, "297405620317847552")
				first := firstOr(r.Results, LabResult{})
				return first.Biomarker.Key + " " + first.Measurement.Numeric.String() + " " + first.Measurement.UCUMCode, err
			},
		},
		{
			name: "delete lab report", method: http.MethodDelete, url: base + "lab-reports/1%2F2", answer: reply{status: http.StatusNoContent},
			call: func(ctx context.Context, c *Client) (any, error) { return nil, c.DeleteLabReport(ctx, "1/2") },
		},
		{
			name: "lab report deliveries", url: base + "lab-reports/1/deliveries",
			answer: ok(`{"deliveries":[{"destination_id":12,"destination_type":"s3","status":"failed","attempt_count":3.0,"last_error":"access denied"}]}`),
			want: []LabDelivery{{
				DestinationID: "12", DestinationType: "s3", Status: "failed", LastError: "access denied",
				AttemptCount: NewNumber(health.Decimal{Coefficient: 30, Exponent: -1}),
			}},
			call: func(ctx context.Context, c *Client) (any, error) { return c.LabReportDeliveries(ctx, "1") },
		},
		{
			name: "lab report files", url: base + "lab-reports/1/files",
			answer: ok(`{"files":[{"filename":"a.pdf","presigned_url":"https://files.example.com/a?sig=1"}],"thumbnail":null,"expires_at":"2026-03-28T15:22:10Z"}`),
			want: LabFiles{
				Files:     []LabFile{{Name: "a.pdf", Address: providers.NewSecret("https://files.example.com/a?sig=1")}},
				ExpiresAt: "2026-03-28T15:22:10Z",
			},
			call: func(ctx context.Context, c *Client) (any, error) { return c.LabReportFiles(ctx, "1") },
		},
		{
			name: "models", url: base + "models", answer: ok(`{"models":[{"id":"sleep_window","name":"Sleep Window","data_type":"sleep","price":1},{"model":"graph_impute"}]}`),
			want: []AnalysisModel{{ID: "sleep_window", Name: "Sleep Window", DataType: "sleep"}, {ID: "graph_impute"}},
			call: func(ctx context.Context, c *Client) (any, error) { return c.AnalysisModels(ctx) },
		},
		{
			name: "models, bare list", url: base + "models", answer: ok(`[{"id":"sleep_window"}]`), want: []AnalysisModel{{ID: "sleep_window"}},
			call: func(ctx context.Context, c *Client) (any, error) { return c.AnalysisModels(ctx) },
		},
		{
			name: "run model", once: true,
			url:    base + "models/run?end_time=2026-07-01T00%3A00%3A00Z&lang=de&model=graph_impute&start_time=2026-04-01T00%3A00%3A00Z&table=sleeps&user_id=u2",
			answer: ok(`{"data_type":"sleep","table":"sleeps","truncated":true,"results":[]}`),
			want:   Analysis{DataType: "sleep", Truncated: true, Raw: []byte(`{"data_type":"sleep","table":"sleeps","truncated":true,"results":[]}`)},
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.RunAnalysis(ctx, AnalysisRequest{
					Model: "graph_impute", UserID: "u2", Start: time.Date(2026, 4, 1, 2, 0, 0, 0, time.FixedZone("", 7200)),
					End: time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC), Table: "sleeps", Extra: url.Values{"lang": {"de"}},
				})
			},
		},
		{
			name: "run model for a device that has not what it needs", once: true,
			url:    base + "models/run?end_time=2026-07-01T00%3A00%3A00Z&model=sleep_window&start_time=2026-04-01T00%3A00%3A00Z&user_id=u2",
			answer: ok(`{"unsupported":true,"unsupported_reason":"device","no_data":false,"no_data_reason":null}`),
			want:   Analysis{Unsupported: true, UnsupportedReason: "device", Raw: []byte(`{"unsupported":true,"unsupported_reason":"device","no_data":false,"no_data_reason":null}`)},
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.RunAnalysis(ctx, AnalysisRequest{
					Model: "sleep_window", UserID: "u2", Start: time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC), End: time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC),
				})
			},
		},
		{
			name: "delete legacy planned workouts", method: http.MethodDelete, url: base + "plannedWorkout?user_id=u2", body: `{"data":["l1","l2"]}`,
			answer: processed, want: deleted,
			call: func(ctx context.Context, c *Client) (any, error) {
				return c.DeleteLegacyPlannedWorkouts(ctx, "u2", []string{"l1", "l2"})
			},
		},
	}
}

func firstOr[T any](list []T, none T) T {
	if len(list) == 0 {
		return none
	}
	return list[0]
}

func TestCalls(t *testing.T) {
	for _, k := range calls(t) {
		t.Run(k.name, func(t *testing.T) {
			c, s := client(t, k.answer)
			got, err := k.call(t.Context(), c)
			require.NoError(t, err)
			require.Equal(t, k.want, got)
			require.Len(t, s.asked, 1)
			a := s.asked[0]
			if k.method == "" {
				k.method = http.MethodGet
			}
			require.Equal(t, k.method, a.method)
			require.Equal(t, k.url, a.url)
			switch {
			case k.file != "":
				require.Equal(t, k.file, sentFile(t, a))
			case k.body == "":
				require.Empty(t, a.body)
			default:
				require.JSONEq(t, k.body, a.body)
				require.Equal(t, "application/json", a.header.Get("Content-Type"))
			}
			want := map[keys][2]string{bothKeys: {testDevID, testAPIKey}, noKeys: {}, devIDOnly: {testDevID, ""}}[k.keys]
			require.Equal(t, want, [2]string{a.header.Get("dev-id"), a.header.Get("x-api-key")})
		})
	}
}

// sentFile returns the one file of a form: its name, content type and content.
func sentFile(t *testing.T, a asked) string {
	r := &http.Request{Method: a.method, Header: a.header, Body: io.NopCloser(strings.NewReader(a.body))}
	require.NoError(t, r.ParseMultipartForm(1<<20))
	require.Empty(t, r.MultipartForm.Value)
	require.Len(t, r.MultipartForm.File, 1)
	file, head, err := r.FormFile("file")
	require.NoError(t, err)
	content, err := io.ReadAll(file)
	require.NoError(t, err)
	return head.Filename + " " + head.Header.Get("Content-Type") + " " + string(content)
}

// Both base paths serve all calls.
func TestTheOlderBaseURL(t *testing.T) {
	for _, k := range calls(t) {
		c, s := clientWith(t, Config{BaseURL: LegacyBaseURL}, k.answer)
		_, err := k.call(t.Context(), c)
		require.NoError(t, err, k.name)
		require.Equal(t, LegacyBaseURL+"/"+k.url[len(base):], s.asked[0].url, k.name)
	}
}

// What makes something is sent once, whatever happens; the rest is repeated.
func TestRepeating(t *testing.T) {
	for _, answer := range []reply{
		{status: http.StatusServiceUnavailable}, {status: http.StatusTooManyRequests, header: map[string]string{"Retry-After": "1"}},
		{status: http.StatusBadGateway, body: "<html>"}, {status: http.StatusGatewayTimeout},
	} {
		synctest.Test(t, func(t *testing.T) {
			for _, k := range calls(t) {
				c, s := client(t, answer)
				_, err := k.call(t.Context(), c)
				e := errorOf(t, err)
				require.True(t, providers.Retryable(e), "%s: %v", k.name, e)
				want := 3
				if k.once {
					want = 1
				}
				require.Len(t, s.asked, want, k.name)
				require.Equal(t, k.once && errors.Is(e, providers.ErrUnavailable), e.Ambiguous, k.name)
			}
		})
	}
}

// A call that can be repeated succeeds at the next attempt.
func TestRepeatedCallsSucceed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, k := range calls(t) {
			if k.once {
				continue
			}
			c, s := client(t, reply{status: http.StatusInternalServerError}, k.answer)
			got, err := k.call(t.Context(), c)
			require.NoError(t, err, k.name)
			require.Equal(t, k.want, got, k.name)
			require.Len(t, s.asked, 2)
		}
	})
}

// Every call reads both styles of error, with or without a body that helps.
func TestEveryCallReadsErrors(t *testing.T) {
	for _, k := range calls(t) {
		for _, answer := range []reply{
			{status: 401, body: `{"type":"about:blank","title":"unauthorized","detail":"dev-id or x-api-key headers are missing","instance":"/x"}`},
			{status: 401, body: `{"message":"unauthorized"}`}, {status: 401},
		} {
			c, s := client(t, answer)
			_, err := k.call(t.Context(), c)
			e := errorOf(t, err)
			require.ErrorIs(t, e, providers.ErrInvalid, k.name)
			require.True(t, e.ClientFault, "no person has to consent again")
			require.False(t, e.ExpiredAccess)
			require.Equal(t, CodeCredentials, e.Code)
			require.Len(t, s.asked, 1)
		}
		for _, body := range []string{`{"status":"error","message":"user not found"}`, `{"title":"not found","detail":"user not found","type":"about:blank"}`} {
			c, _ := client(t, ok(body))
			_, err := k.call(t.Context(), c)
			require.ErrorIs(t, err, providers.ErrNotFound, "%s: an error inside 200", k.name)
			require.Equal(t, CodeUserUnknown, errorOf(t, err).Code)
		}
		for _, body := range []string{`<html>`, `{"status":"success"`, `"x"`} {
			c, s := client(t, ok(body))
			_, err := k.call(t.Context(), c)
			require.ErrorIs(t, err, providers.ErrMalformed, "%s: %s", k.name, body)
			require.Len(t, s.asked, 1, "asking again gives the same")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		c, _ := client(t, k.answer)
		_, err := k.call(ctx, c)
		require.ErrorIs(t, err, context.Canceled, k.name)
	}
}

func TestCallsThatCannotBeMade(t *testing.T) {
	june := OnDay(day(t, "2026-06-01"))
	c, s := client(t, ok("{}"))
	ctx := t.Context()
	failed := func(_ any, err error) error { return err }
	for name, err := range map[string]error{
		"no user":              failed(c.Daily(ctx, DataRequest{Start: june, End: OnDay(day(t, "2026-06-02"))})),
		"no start":             failed(c.Daily(ctx, DataRequest{UserID: "u", End: june})),
		"no end":               failed(c.Daily(ctx, DataRequest{UserID: "u", Start: june})),
		"empty span":           failed(c.Sleep(ctx, DataRequest{UserID: "u", Start: june, End: june})),
		"end before start":     failed(c.Sleep(ctx, DataRequest{UserID: "u", Start: AtTime(time.Unix(1782903600, 0)), End: AtTime(time.Unix(1782900000, 0))})),
		"before ten digits":    failed(c.Sleep(ctx, DataRequest{UserID: "u", Start: AtTime(time.Unix(999999999, 0)), End: june})),
		"before the epoch":     failed(c.Sleep(ctx, DataRequest{UserID: "u", Start: AtTime(time.Unix(-100000000, 0)), End: june})),
		"zero time":            failed(c.Sleep(ctx, DataRequest{UserID: "u", Start: AtTime(time.Time{}), End: june})),
		"known as extra":       failed(c.Body(ctx, DataRequest{UserID: "u", Start: june, End: OnDay(day(t, "2026-06-02")), Extra: url.Values{"to_webhook": {"True"}}})),
		"no athlete":           failed(c.Athlete(ctx, AthleteRequest{})),
		"no provider":          failed(c.AuthURL(ctx, AuthURLRequest{})),
		"redirect not https":   failed(c.AuthURL(ctx, AuthURLRequest{Provider: "X", SuccessURL: "http://app.example.com/"})),
		"redirect of an app":   failed(c.WidgetSession(ctx, SessionRequest{FailureURL: "myapp://back"})),
		"redirect to nowhere":  failed(c.WidgetSession(ctx, SessionRequest{SuccessURL: "https:///x"})),
		"extra that is set":    failed(c.WidgetSession(ctx, SessionRequest{ReferenceID: "p", Extra: map[string]any{"reference_id": "q"}})),
		"redirect on loopback": failed(c.WidgetSession(ctx, SessionRequest{SuccessURL: "http://localhost:8080/callback"})),
		"redirect as extra":    failed(c.WidgetSession(ctx, SessionRequest{Extra: map[string]any{"auth_failure_redirect_url": "http://app.example.com/"}})),
		"provider as extra":    failed(c.AuthURL(ctx, AuthURLRequest{Provider: "GARMIN", Extra: map[string]any{"resource": "FITBIT"}})),
		"extra that is odd":    failed(c.WidgetSession(ctx, SessionRequest{Extra: map[string]any{"x": func() {}}})),
		"no user to end":       c.Deauthenticate(ctx, ""),
		"no user to look up":   failed(c.UserInfo(ctx, "")),
		"no reference":         failed(c.UsersByReference(ctx, "")),
		"no ids":               failed(c.BulkUserInfo(ctx, nil)),
		"negative page":        failed(c.UserPage(ctx, -1, 0)),
		"negative size":        failed(c.UserPage(ctx, 0, -1)),
		"dot user":             failed(c.UpdateUser(ctx, "..", UserUpdate{})),
		"empty template":       failed(c.CreateWorkout(ctx, WorkoutTemplate{})),
		"dot workout":          failed(c.Workout(ctx, ".")),
		"no workout":           c.DeleteWorkout(ctx, ""),
		"no date":              failed(c.PlanWorkout(ctx, "1", "u", PlanRequest{})),
		"no date to move to":   c.MovePlannedWorkout(ctx, "u", "1", health.Day{}),
		"nobody's plan":        failed(c.PlannedWorkout(ctx, "", "1")),
		"no plan":              c.DeletePlannedWorkout(ctx, "u", ""),
		"plans of nobody":      failed(c.PlannedWorkouts(ctx, PlannedWorkoutsRequest{})),
		"nothing to write":     failed(c.WriteBody(ctx, "u", nil)),
		"nothing to delete":    failed(c.DeleteBody(ctx, "u", nil)),
		"no file":              failed(c.UploadLabReport(ctx, LabUpload{Name: "a.pdf"})),
		"no name":              failed(c.UploadLabReport(ctx, LabUpload{File: []byte("x")})),
		"a long file":          failed(c.UploadLabReport(ctx, LabUpload{Name: "a.pdf", File: make([]byte, MaxLabFile+1)})),
		"reports, known":       failed(c.LabReports(ctx, LabReportsRequest{UploadID: "u", Extra: url.Values{"upload_id": {"v"}}})),
		"no report":            failed(c.LabReport(ctx, "")),
		"dot report":           c.DeleteLabReport(ctx, ".."),
		"deliveries of none":   failed(c.LabReportDeliveries(ctx, "")),
		"files of none":        failed(c.LabReportFiles(ctx, ".")),
		"no model":             failed(c.RunAnalysis(ctx, AnalysisRequest{UserID: "u", Start: time.Unix(0, 0), End: time.Unix(1, 0)})),
		"a model on nobody":    failed(c.RunAnalysis(ctx, AnalysisRequest{Model: "m", Start: time.Unix(0, 0), End: time.Unix(1, 0)})),
		"a model on no time":   failed(c.RunAnalysis(ctx, AnalysisRequest{Model: "m", UserID: "u", Start: time.Unix(1, 0), End: time.Unix(1, 0)})),
		"model, known":         failed(c.RunAnalysis(ctx, AnalysisRequest{Model: "m", UserID: "u", Start: time.Unix(0, 0), End: time.Unix(1, 0), Extra: url.Values{"model": {"n"}}})),
		"nobody's producer":    failed(c.ProducerToken(ctx, "")),
	} {
		require.ErrorIs(t, err, providers.ErrInvalid, name)
		errorOf(t, err)
	}
	require.Empty(t, s.asked)
}

func TestConfig(t *testing.T) {
	key := providers.NewSecret(testAPIKey)
	for name, cfg := range map[string]Config{
		"no developer id":    {APIKey: key},
		"no key":             {DevID: "d"},
		"http":               {DevID: "d", APIKey: key, BaseURL: "http://api.tryterra.co/v2"},
		"query":              {DevID: "d", APIKey: key, BaseURL: "https://api.tryterra.co/v2?a=b"},
		"widget":             {DevID: "d", APIKey: key, WidgetSessionURL: "ftp://x"},
		"streaming":          {DevID: "d", APIKey: key, StreamingURL: "http://ws.tryterra.co"},
		"socket":             {DevID: "d", APIKey: key, SocketURL: "ws://ws.tryterra.co/connect"},
		"no socket":          {DevID: "d", APIKey: key, SocketURL: "https://ws.tryterra.co/connect"},
		"page of the widget": {DevID: "d", APIKey: key, WidgetURL: "http://widget.tryterra.co"},
	} {
		_, err := New(cfg)
		require.ErrorIs(t, err, providers.ErrInvalid, name)
		errorOf(t, err)
	}
	c, err := New(Config{DevID: "d", APIKey: key, BaseURL: "http://127.0.0.1:8080/terra/v2", SocketURL: "ws://localhost:8080/connect"})
	require.NoError(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		require.NotContains(t, fmt.Sprintf(verb, c), testAPIKey)
		require.NotContains(t, fmt.Sprintf(verb, *c), testAPIKey)
		require.NotContains(t, fmt.Sprintf(verb, c.cfg), testAPIKey)
	}
}

func TestWidgetSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		expires := func(body string) time.Duration {
			c, _ := client(t, ok(body))
			s, err := c.WidgetSession(t.Context(), SessionRequest{})
			require.NoError(t, err)
			return s.ExpiresAt.Sub(now)
		}
		require.Equal(t, 600*time.Second, expires(`{"session_id":"w","expires_in":600}`))
		require.Equal(t, 600*time.Second, expires(`{"session_id":"w","expires_in":600.0}`))
		for _, odd := range []string{`0`, `-5`, `1e12`, `null`, `"soon"`} {
			require.Equal(t, WidgetSessionLifetime, expires(`{"session_id":"w","expires_in":`+odd+`}`), odd)
		}
		c, _ := client(t, ok(`{"token":"abc"}`))
		token, err := c.MobileToken(t.Context())
		require.NoError(t, err)
		require.Equal(t, MobileTokenLifetime, token.ExpiresAt.Sub(now))
		require.NotContains(t, fmt.Sprintf("%+v", token), "abc")
	})
	c, s := clientWith(t, Config{WidgetSessionURL: WidgetSessionURL, WidgetURL: "https://connect.example.com/w"}, ok(`{"session_id":"w/1"}`))
	session, err := c.WidgetSession(t.Context(), SessionRequest{})
	require.NoError(t, err)
	require.Equal(t, "https://connect.example.com/w/session/w%2F1", session.URL, "an answer without an address")
	require.Equal(t, WidgetSessionURL, s.asked[0].url)
	require.Equal(t, testAPIKey, s.asked[0].header.Get("x-api-key"))
	require.JSONEq(t, `{}`, s.asked[0].body)
}

// A file that is too long is told alike before and after it was sent, and a list
// of models has ids.
func TestOddLabReportsAndModels(t *testing.T) {
	c, _ := client(t, reply{status: http.StatusRequestEntityTooLarge, body: `{"type":"about:blank","title":"request entity too large"}`})
	_, err := c.UploadLabReport(t.Context(), LabUpload{Name: "a.pdf", File: []byte("x")})
	require.Equal(t, CodeFileTooLarge, errorOf(t, err).Code)
	require.ErrorIs(t, err, providers.ErrInvalid)
	_, long := c.UploadLabReport(t.Context(), LabUpload{Name: "a.pdf", File: make([]byte, MaxLabFile+1)})
	require.Equal(t, long, err)

	for _, body := range []string{`{"models":[{"name":"Sleep Window"}]}`, `{}`, `{"models":7}`} {
		c, _ = client(t, ok(body))
		_, err = c.AnalysisModels(t.Context())
		require.ErrorIs(t, err, providers.ErrMalformed, body)
	}
	c, _ = client(t, ok(`{"data":[{"id":"sleep_window"}]}`))
	models, err := c.AnalysisModels(t.Context())
	require.NoError(t, err)
	require.Len(t, models, 1)
	require.NotContains(t, fmt.Sprintf("%+v", LabFile{Name: "n", Address: providers.NewSecret("https://x/?sig=1")}), "sig")
}

// A producer's token comes from another host. It works once and is asked for once.
func TestProducerToken(t *testing.T) {
	c, s := client(t, ok(`{"token":"abc"}`))
	token, err := c.ProducerToken(t.Context(), "u 2")
	require.NoError(t, err)
	require.Equal(t, "abc", token.Reveal())
	require.Equal(t, []string{http.MethodPost, "https://ws.tryterra.co/auth/user?id=u+2"}, []string{s.asked[0].method, s.asked[0].url})
	require.Equal(t, testAPIKey, s.asked[0].header.Get("x-api-key"))
	for _, tc := range []struct {
		answer reply
		kind   error
		code   string
	}{
		{reply{status: 400, body: `{"message":"invalid id"}`}, providers.ErrInvalid, ""},
		{reply{status: 403}, providers.ErrInvalid, CodeCredentials},
		{reply{status: 500}, providers.ErrUnavailable, ""},
		{ok(`{}`), providers.ErrMalformed, codeShape},
	} {
		c, s := client(t, tc.answer)
		_, err := c.ProducerToken(t.Context(), "u2")
		require.ErrorIs(t, err, tc.kind)
		require.Equal(t, tc.code, errorOf(t, err).Code)
		require.Len(t, s.asked, 1)
	}
}

// An account that is too new for the older call is told where to go.
func TestTheWidgetCallThatWasWithdrawn(t *testing.T) {
	c, s := client(t, reply{status: http.StatusGone, body: `{"message":"gone","status":"error"}`})
	_, err := c.WidgetSession(t.Context(), SessionRequest{})
	e := errorOf(t, err)
	require.ErrorIs(t, e, providers.ErrRetired)
	require.Contains(t, e.Detail, WidgetSessionURL)
	require.Contains(t, err.Error(), "Config.WidgetSessionURL")
	require.Len(t, s.asked, 1)

	c, _ = clientWith(t, Config{WidgetSessionURL: WidgetSessionURLInSpec}, reply{status: http.StatusGone})
	_, err = c.WidgetSession(t.Context(), SessionRequest{})
	require.ErrorIs(t, err, providers.ErrRetired)
	require.NotContains(t, err.Error(), WidgetSessionURL, "the successor is not its own successor")
}

func TestEachUser(t *testing.T) {
	page := func(next string, ids ...string) reply {
		body := `{"data":{"next":` + next + `,"max_page":2,"results":[`
		for i, id := range ids {
			if i > 0 {
				body += ","
			}
			body += `{"user_id":"` + id + `","provider":"X"}`
		}
		return ok(body + `]}}`)
	}
	walk := func(c *Client, most int) (ids []string, err error) {
		for u, e := range c.EachUser(t.Context(), 2) {
			if e != nil {
				return ids, e
			}
			if ids = append(ids, u.UserID); len(ids) == most {
				break
			}
		}
		return ids, nil
	}
	c, s := client(t, page("1", "a", "b"), page("2"), page("null", "c"))
	ids, err := walk(c, 9)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b", "c"}, ids, "an empty page is not the last")
	require.Equal(t, base+"subscriptions?page=2&per_page=2", s.asked[2].url)

	c, s = client(t, page("1", "a", "b"), page("2"))
	ids, err = walk(c, 1)
	require.NoError(t, err)
	require.Equal(t, []string{"a"}, ids)
	require.Len(t, s.asked, 1)

	c, _ = client(t, page("1", "a"), page("0", "b"))
	ids, err = walk(c, 9)
	require.ErrorIs(t, err, providers.ErrMalformed)
	require.Equal(t, []string{"a", "b"}, ids)

	c, _ = client(t, page("1", "a"), page("null", ""))
	_, err = walk(c, 9)
	require.ErrorIs(t, err, providers.ErrMalformed, "a user without an id")

	c, _ = client(t, ok(`{"users":[{"user_id":"a"}]}`))
	ids, err = walk(c, 9)
	require.NoError(t, err)
	require.Equal(t, []string{"a"}, ids, "a service without pages")
}

func TestUserInfoOfSomebodyElse(t *testing.T) {
	for _, body := range []string{`{"user":{"user_id":"u2"}}`, `[]`, `[{"user_id":"u1"},{"user_id":"u2"}]`, `{"user":{}}`} {
		c, _ := client(t, ok(body))
		_, err := c.UserInfo(t.Context(), "u1")
		require.ErrorIs(t, err, providers.ErrMalformed, body)
	}
}

// A deletion whose answer got lost finds nothing the second time; one that finds
// nothing at once is told so.
func TestDeletingTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		missing := reply{status: http.StatusNotFound, body: `{"message":"user not found","status":"error"}`}
		for _, first := range []int{500, 502, 504} {
			c, s := client(t, reply{status: first}, missing)
			require.NoError(t, c.Deauthenticate(t.Context(), "u1"))
			require.Len(t, s.asked, 2)
		}
		c, _ := client(t, missing)
		require.ErrorIs(t, c.Deauthenticate(t.Context(), "u1"), providers.ErrNotFound)
		c, _ = client(t, reply{status: 429, header: map[string]string{"Retry-After": "1"}}, missing)
		require.ErrorIs(t, c.Deauthenticate(t.Context(), "u1"), providers.ErrNotFound, "the first was refused")
	})
}

func TestDeletingAWorkoutInPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := client(t, reply{status: http.StatusMultiStatus, body: `{"message":"m"}`}, reply{status: http.StatusNoContent})
		require.NoError(t, c.DeleteWorkout(t.Context(), "17"), "called again")
		require.Len(t, s.asked, 2)
		c, _ = client(t, reply{status: http.StatusMultiStatus})
		e := errorOf(t, c.DeleteWorkout(t.Context(), "17"))
		require.Equal(t, CodePartial, e.Code)
		require.ErrorIs(t, e, providers.ErrUnavailable)
	})
}

func TestOutcomes(t *testing.T) {
	user := `"user":{"user_id":"u2","provider":"FITBIT"}`
	for _, tc := range []struct {
		name, body string
		want       Answer[Daily]
	}{
		{"nothing yet", `{"type":"daily",` + user + `,"data":[]}`, Answer[Daily]{Type: "daily"}},
		{"sent", `{"status":"success","type":"daily","reference":"r1",` + user + `}`, Answer[Daily]{Outcome: OutcomeSent, Type: "daily", Reference: "r1"}},
		{"sent, by trace id", `{"status":"success","type":"daily","trace_id":"r1",` + user + `}`, Answer[Daily]{Outcome: OutcomeSent, Type: "daily", Reference: "r1"}},
		{"large", `{"type":"large_request_processing","status":"processing","message":"m","reference":"r1",` + user + `}`, Answer[Daily]{Outcome: OutcomeLarge, Type: "large_request_processing", Reference: "r1"}},
		{"large, older name", `{"type":"request_processing","reference":"r1",` + user + `}`, Answer[Daily]{Outcome: OutcomeLarge, Type: "request_processing", Reference: "r1"}},
		{"slow provider", `{"type":"processing","retry_after_seconds":30.0,"message":"m",` + user + `}`, Answer[Daily]{Outcome: OutcomeProcessing, Type: "processing", RetryAfter: 30 * time.Second}},
		{"no data", `{"status":"not_available","message":"m",` + user + `}`, Answer[Daily]{Outcome: OutcomeNone}},
		{"no data, older", `{"message":"m",` + user + `}`, Answer[Daily]{Outcome: OutcomeNone}},
	} {
		c, _ := client(t, ok(tc.body))
		got, err := c.Daily(t.Context(), DataRequest{UserID: "u2", Start: OnDay(day(t, "2026-06-01")), End: OnDay(day(t, "2026-06-08"))})
		require.NoError(t, err, tc.name)
		require.Equal(t, tc.body, string(got.Raw))
		require.Equal(t, "u2", got.User.UserID)
		tc.want.User, got.Raw = got.User, nil
		if got.Outcome == OutcomeData {
			require.Empty(t, got.Data)
			got.Data = nil
		}
		require.Equal(t, tc.want, got, tc.name)
	}
	require.Equal(t, "data sent large processing none unknown", fmt.Sprint(OutcomeData, " ", OutcomeSent, " ", OutcomeLarge, " ", OutcomeProcessing, " ", OutcomeNone, " ", Outcome(9)))
}

// What an answer tells besides the data.
func TestAnswerFacts(t *testing.T) {
	c, _ := client(t, reply{status: 200, body: string(read(t, "daily.json")), header: map[string]string{
		"Date": "Wed, 01 Jul 2026 10:00:00 GMT", "X-Terra-RateLimit-Limit": "6000", "X-Terra-RateLimit-Remaining": "5993", "X-Terra-RateLimit-Reset-After": "1800",
	}})
	a, err := c.Daily(t.Context(), DataRequest{UserID: "u2", Start: OnDay(day(t, "2026-06-01")), End: OnDay(day(t, "2026-06-08"))})
	require.NoError(t, err)
	require.Equal(t, DaysLeft{Limit: 6000, Remaining: 5993, ResetAfter: 30 * time.Minute}, a.Days)
	require.True(t, a.Date.Equal(time.Date(2026, 7, 1, 10, 0, 0, 0, time.UTC)))
	require.Equal(t, "GARMIN", a.User.Provider)
	require.Empty(t, a.Faults)
}
