package terra_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/providertest"
	"github.com/vitalmux/vitalmux/terra"
	"github.com/vitalmux/vitalmux/terra/terratest"
)

// simulated returns a client of the simulated service, and a person who has
// connected. In a program the client is terra.New(env.Config()).
func simulated() (*terra.Client, *terratest.Server, terratest.User) {
	sim := terratest.New(terratest.Config{Seed: 1, Days: 10, Now: func() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }})
	user := sim.AddUser(terratest.UserConfig{Provider: "DUMMY", ReferenceID: "person-1"})
	client, err := terra.New(terra.Config{
		DevID: terratest.DefaultDevID, APIKey: providers.NewSecret(terratest.DefaultAPIKey), Transport: providertest.Transport(sim),
	})
	if err != nil {
		panic(err)
	}
	return client, sim, user
}

// week asks for the seven days before 21 November.
func week(userID string) terra.DataRequest {
	return terra.DataRequest{
		UserID: userID, WithSamples: true,
		Start: terra.OnDay(health.Day{Year: 2026, Month: 11, Dom: 14}), End: terra.OnDay(health.Day{Year: 2026, Month: 11, Dom: 21}),
	}
}

// From a connect flow to data, against the simulated service.
func Example() {
	ctx := context.Background()
	client, sim, _ := simulated()

	pending, err := client.AuthURL(ctx, terra.AuthURLRequest{Provider: "GARMIN", ReferenceID: "person-2"})
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := sim.Consent(pending.URL, terratest.Decision{}); err != nil { // the person consents
		fmt.Println(err)
		return
	}
	info, err := client.UserInfo(ctx, pending.UserID)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(info.User.Provider, "of", info.User.ReferenceID, "is active:", *info.User.Active)

	answer, err := client.Daily(ctx, week(pending.UserID))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("days:", len(answer.Data))
	// Output:
	// GARMIN of person-2 is active: true
	// days: 7
}

// A session on the widget lives 15 minutes.
func ExampleClient_WidgetSession() {
	client, _, _ := simulated()
	asked := time.Now()
	session, err := client.WidgetSession(context.Background(), terra.SessionRequest{
		ReferenceID: "person-1", Providers: []string{"GARMIN", "FITBIT"},
		SuccessURL: "https://app.example.com/connected", FailureURL: "https://app.example.com/not-connected",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("to be opened in a browser:", session.URL != "", "for", session.ExpiresAt.Sub(asked).Round(time.Minute))
	// Output: to be opened in a browser: true for 15m0s
}

// Accounts that are too new for the older widget call are told its successor.
func ExampleConfig_widgetSessionURL() {
	sim := terratest.New(terratest.Config{RetireWidget: true})
	cfg := terra.Config{
		DevID: terratest.DefaultDevID, APIKey: providers.NewSecret(terratest.DefaultAPIKey), Transport: providertest.Transport(sim),
	}
	for _, address := range []string{"", terra.WidgetSessionURL} {
		cfg.WidgetSessionURL = address
		client, err := terra.New(cfg)
		if err != nil {
			fmt.Println(err)
			return
		}
		_, err = client.WidgetSession(context.Background(), terra.SessionRequest{ReferenceID: "person-1"})
		fmt.Println("retired:", errors.Is(err, providers.ErrRetired))
	}
	// Output:
	// retired: true
	// retired: false
}

// The login page of one provider, without the widget.
func ExampleClient_AuthURL() {
	client, _, _ := simulated()
	pending, err := client.AuthURL(context.Background(), terra.AuthURLRequest{
		Provider: "OURA", ReferenceID: "person-1", SuccessURL: "https://app.example.com/connected",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("reserved:", pending.UserID != "", "page:", pending.URL != "")
	// Output: reserved: true page: true
}

// A token for the mobile SDK lives 3 minutes and works once.
func ExampleClient_MobileToken() {
	client, _, _ := simulated()
	asked := time.Now()
	token, err := client.MobileToken(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(token.Token, len(token.Token.Reveal()), token.ExpiresAt.Sub(asked).Round(time.Minute))
	// Output: [redacted] 64 3m0s
}

func ExampleClient_UserInfo() {
	client, _, user := simulated()
	info, err := client.UserInfo(context.Background(), user.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(info.User.Provider, info.User.ReferenceID, *info.User.Active)
	_, err = client.UserInfo(context.Background(), "somebody-else")
	fmt.Println(errors.Is(err, providers.ErrNotFound))
	// Output:
	// DUMMY person-1 true
	// true
}

// One person may have several connections under one reference id.
func ExampleClient_UsersByReference() {
	client, sim, _ := simulated()
	sim.AddUser(terratest.UserConfig{Provider: "FITBIT", ReferenceID: "person-1"})
	users, err := client.UsersByReference(context.Background(), "person-1")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, u := range users {
		fmt.Println(u.Provider)
	}
	// Output:
	// DUMMY
	// FITBIT
}

func ExampleClient_AllUsers() {
	client, _, _ := simulated()
	users, err := client.AllUsers(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(users), users[0].Provider)
	// Output: 1 DUMMY
}

// All connections of an environment with many.
func ExampleClient_EachUser() {
	client, sim, _ := simulated()
	for range 4 {
		sim.AddUser(terratest.UserConfig{Provider: "GARMIN"})
	}
	n := 0
	for _, err := range client.EachUser(context.Background(), 2) {
		if err != nil {
			fmt.Println(err)
			return
		}
		n++
	}
	fmt.Println(n)
	// Output: 5
}

func ExampleClient_Deauthenticate() {
	client, _, user := simulated()
	if err := client.Deauthenticate(context.Background(), user.ID); err != nil {
		fmt.Println(err)
		return
	}
	_, err := client.UserInfo(context.Background(), user.ID)
	fmt.Println("gone:", errors.Is(err, providers.ErrNotFound))
	// Output: gone: true
}

// The live list, merged into what is known of each provider.
func ExampleClient_Integrations() {
	client, _, _ := simulated()
	live, err := client.Integrations(context.Background(), terra.IntegrationsRequest{})
	if err != nil {
		fmt.Println(err)
		return
	}
	catalogue := terra.NewCatalogue().Merge(&live, nil)
	whoop, _ := catalogue.Lookup("WHOOP")
	fmt.Println("listed:", whoop.Live.Listed, "- keys of your own needed:", whoop.NeedsOwnKeys())
	// Output: listed: true - keys of your own needed: true
}

func ExampleClient_DetailedIntegrations() {
	client, _, _ := simulated()
	list, err := client.DetailedIntegrations(context.Background(), terra.IntegrationsRequest{SDK: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, d := range list {
		if d.Provider == "WITHINGS" {
			fmt.Println(d.Setup, "body:", *d.Types.Body)
		}
	}
	// Output: API_KEYS_MANAGED body: true
}

func ExampleClient_Daily() {
	client, _, user := simulated()
	answer, err := client.Daily(context.Background(), week(user.ID))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, d := range answer.Data {
		day, _ := d.Metadata.StartTime.Day()
		steps, ok := d.DistanceData.Steps.Int()
		points := 0
		for p := range d.HeartRateData.Detailed.HRSamples.Points("bpm") {
			if p.Number.IsSet() {
				points++
			}
		}
		if day.Dom == 20 {
			fmt.Println(day, "steps:", ok && steps > 0, "heart rates:", points)
		}
	}
	// Output: 2026-11-20 steps: true heart rates: 144
}

func ExampleClient_Activity() {
	client, _, user := simulated()
	answer, err := client.Activity(context.Background(), week(user.ID))
	if err != nil {
		fmt.Println(err)
		return
	}
	a := answer.Data[0]
	start, _, err := a.Metadata.StartTime.Moment()
	fmt.Println(a.Metadata.Type != nil, a.Metadata.SummaryID != "", !start.IsZero(), err)
	// Output: true true true <nil>
}

func ExampleClient_Sleep() {
	client, _, user := simulated()
	answer, err := client.Sleep(context.Background(), week(user.ID))
	if err != nil {
		fmt.Println(err)
		return
	}
	stages := map[terra.SleepLevel]bool{}
	for _, s := range answer.Data {
		for sample := range s.SleepDurationsData.HypnogramSamples.All() {
			stages[*sample.Level] = true
		}
	}
	fmt.Println(terra.SleepLevelDeepSleep, stages[terra.SleepLevelDeepSleep], terra.SleepLevelREMSleep, stages[terra.SleepLevelREMSleep])
	// Output: Deep sleep true REM sleep true
}

func ExampleClient_Body() {
	client, _, user := simulated()
	answer, err := client.Body(context.Background(), week(user.ID))
	if err != nil {
		fmt.Println(err)
		return
	}
	weighed := 0
	for _, b := range answer.Data {
		for _, m := range b.MeasurementsData.Measurements {
			if m.WeightKg.IsSet() {
				weighed++
			}
		}
	}
	fmt.Println("weighed:", weighed > 0)
	// Output: weighed: true
}

func ExampleClient_Athlete() {
	client, _, user := simulated()
	answer, err := client.Athlete(context.Background(), terra.AthleteRequest{UserID: user.ID})
	if err != nil {
		fmt.Println(err)
		return
	}
	born, err := answer.Data[0].DateOfBirth.Day()
	fmt.Println(len(answer.Data), !born.IsZero(), err)
	// Output: 1 true <nil>
}

func ExampleClient_Menstruation() {
	client, _, user := simulated()
	answer, err := client.Menstruation(context.Background(), week(user.ID))
	if err != nil {
		fmt.Println(err)
		return
	}
	day, ok := answer.Data[0].MenstruationData.DayInCycle.Int()
	fmt.Println(ok, day > 0)
	// Output: true true
}

func ExampleClient_Nutrition() {
	client, _, user := simulated()
	answer, err := client.Nutrition(context.Background(), week(user.ID))
	if err != nil {
		fmt.Println(err)
		return
	}
	kcal, ok := answer.Data[0].Summary.Macros.Calories.Decimal()
	fmt.Println(len(answer.Data[0].Meals) > 0, ok, kcal.Coefficient > 0)
	// Output: true true true
}

// A file of a laboratory becomes a report, of which the webhook tells.
func ExampleClient_UploadLabReport() {
	ctx := context.Background()
	client, sim, _ := simulated()
	up, err := client.UploadLabReport(ctx, terra.LabUpload{Name: "report.pdf", File: []byte("%PDF-1.7 ..."), ReferenceID: "person-1"})
	if err != nil {
		fmt.Println(err)
		return
	}
	sim.FinishLabReport(sim.LabReports()[0].SessionID, []byte(`[{"biomarker":{"key":"serum_ferritin"},"measurement":{"numeric":30.5,"ucum_code":"ug/L"}}]`))

	list, err := client.LabReports(ctx, terra.LabReportsRequest{UploadID: up.UploadID})
	if err != nil {
		fmt.Println(err)
		return
	}
	report, err := client.LabReport(ctx, list[0].SessionID)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range report.Results {
		fmt.Println(report.ReferenceID, r.Biomarker.Key, r.Measurement.Numeric, r.Measurement.UCUMCode)
	}
	// Output: person-1 serum_ferritin 30.5 ug/L
}

// Each run of a model is billed. What it says is in Raw, in the shape of the model.
func ExampleClient_RunAnalysis() {
	client, sim, user := simulated()
	now := sim.Now()
	run, err := client.RunAnalysis(context.Background(), terra.AnalysisRequest{
		Model: "sleep_window", UserID: user.ID, Start: now.AddDate(0, -3, 0), End: now,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	var insight struct {
		Window struct {
			Bed  string `json:"recommended_bed"`
			Wake string `json:"recommended_wake"`
		} `json:"window"`
	}
	if err := json.Unmarshal(run.Raw, &insight); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(run.Unsupported, insight.Window.Bed, insight.Window.Wake)
	// Output: false 23:00 07:00
}

// The data can be sent to the webhook instead.
func ExampleDataRequest_toWebhook() {
	client, sim, user := simulated()
	sim.AddDestination(terratest.Destination{URL: "https://app.example.com/hook"})
	defer sim.Close()
	sim.Hold()
	request := week(user.ID)
	request.ToWebhook = true
	answer, err := client.Sleep(context.Background(), request)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(answer.Outcome, answer.Reference != "")
	// Output: sent true
}

func ExampleLoadEnv() {
	dir, err := os.MkdirTemp("", "env")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	before, _ := os.Getwd()
	if err := os.Chdir(dir); err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.Chdir(before) }()

	_ = os.WriteFile(filepath.Join(dir, ".env.terra.testing"), []byte("TERRA_DEV_ID=my-dev-id\nTERRA_API_KEY=keep-me\n"), 0o600)
	env, err := terra.LoadEnv("testing")
	fmt.Println(env.DevID, env.APIKey, err)
	// Output: my-dev-id [redacted] <nil>
}

func ExampleCatalogue() {
	catalogue := terra.NewCatalogue()
	libre, _ := catalogue.Lookup("FREESTYLELIBRE")
	fmt.Println(libre.Name, "may change without notice:", libre.MayChange)
	for _, i := range catalogue.Filter(terra.Filter{ClosedProgramme: true}) {
		fmt.Println("no new partners:", i.Name)
	}
	// Output:
	// FreeStyle Libre may change without notice: true
	// no new partners: Suunto
	// no new partners: TrainingPeaks
	// no new partners: Google Fit (web)
}

// Numbers that were not measured are told from 0.
func ExampleDecode() {
	daily, faults, err := terra.Decode[terra.Daily]([]byte(`{
		"metadata": {"start_time": "2026-07-01T00:00:00.000000+02:00"},
		"distance_data": {"steps": 11894.0, "floors_climbed": 0, "distance_meters": null}
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	day, _ := daily.Metadata.StartTime.Day()
	steps, _ := daily.DistanceData.Steps.Int()
	fmt.Println(day, steps, daily.DistanceData.FloorsClimbed.IsSet(), daily.DistanceData.DistanceMeters.IsSet(), len(faults))
	// Output: 2026-07-01 11894 true false 0
}
