package terratest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/terra"
	"github.com/vitalmux/vitalmux/terra/terratest"
)

// A report goes from the file to its results, its events and its end.
func TestLabReports(t *testing.T) {
	for _, version := range []string{terratest.APIPath, terratest.LegacyAPIPath} {
		t.Run(version, func(t *testing.T) {
			ctx := t.Context()
			s := terratest.New(terratest.Config{Seed: 7, Now: start})
			t.Cleanup(s.Close)
			hook := newReceiver(t)
			s.AddDestination(terratest.Destination{URL: hook.URL, Types: []string{"lab_report"}})
			c := newClient(t, s, version)

			up, err := c.UploadLabReport(ctx, terra.LabUpload{Name: "report.pdf", File: []byte("%PDF-1.7 content"), ReferenceID: "p1"})
			require.NoError(t, err)
			require.Equal(t, "processing", up.CurrentStatus)
			_, err = c.UploadLabReport(ctx, terra.LabUpload{Name: "scan.png", File: []byte("\x89PNG\r\n\x1a\n")})
			require.NoError(t, err)
			list, err := c.LabReports(ctx, terra.LabReportsRequest{UploadID: up.UploadID, ReferenceID: "p1", UploadedFrom: health.DayOf(start())})
			require.NoError(t, err)
			require.Len(t, list, 1)
			session := list[0].SessionID
			require.Equal(t, up.UploadID, list[0].UploadID)
			all, err := c.LabReports(ctx, terra.LabReportsRequest{ReportedTo: health.DayOf(start())})
			require.NoError(t, err)
			require.Len(t, all, 2)
			none, err := c.LabReports(ctx, terra.LabReportsRequest{UploadedTo: health.DayOf(start()).Add(-1)})
			require.NoError(t, err)
			require.Empty(t, none)

			s.FinishLabReport(session, []byte(`[{"biomarker":{"key":"serum_ferritin"},"measurement":{"numeric":30.5,"ucum_code":"ug/L"}}]`))
			s.FailLabReport(all[1].SessionID, "file_unreadable", "no text", false)
			settle(t, s)
			require.Empty(t, hook.bad)
			require.Len(t, hook.got, 2)
			var events []terra.Event
			for _, d := range hook.got {
				e, err := terra.ParseWebhook([]string{terratest.DefaultSigningSecret}, d.header, d.body, start(), 0)
				require.NoError(t, err)
				require.NotEmpty(t, e.EventID)
				require.Equal(t, terra.Timestamp("2026-11-21T15:04:05Z"), e.OccurredAt)
				require.Zero(t, e.User)
				events = append(events, e)
			}
			if events[0].Type != "lab_report.completed" {
				events[0], events[1] = events[1], events[0]
			}
			require.NotEqual(t, events[0].EventID, events[1].EventID)
			require.Equal(t, up.UploadID, events[0].UploadID)
			told, faults, err := terra.DecodeData[terra.LabReport](events[0])
			require.NoError(t, err)
			require.Empty(t, faults)
			report, err := c.LabReport(ctx, session)
			require.NoError(t, err)
			require.Equal(t, "sent", report.CurrentStatus)
			require.Equal(t, report.Results, told[0].Results)
			require.Equal(t, "30.5", report.Results[0].Measurement.Numeric.String())
			failed, _, err := terra.DecodeData[terra.LabReport](events[1])
			require.NoError(t, err)
			require.Equal(t, "file_unreadable", failed[0].Error.Code)
			require.False(t, *failed[0].Error.Retriable)

			deliveries, err := c.LabReportDeliveries(ctx, session)
			require.NoError(t, err)
			require.Len(t, deliveries, 1)
			require.Equal(t, "delivered", deliveries[0].Status)
			files, err := c.LabReportFiles(ctx, session)
			require.NoError(t, err)
			require.Equal(t, "report.pdf", files.Files[0].Name)
			address, err := url.Parse(files.Files[0].Address.Reveal())
			require.NoError(t, err)
			got := httptest.NewRecorder()
			s.ServeHTTP(got, httptest.NewRequest(http.MethodGet, strings.TrimPrefix(address.RequestURI(), "/terra"), nil))
			content, err := io.ReadAll(got.Body)
			require.NoError(t, err)
			require.Equal(t, "%PDF-1.7 content", string(content))
			require.Equal(t, "application/pdf", got.Header().Get("Content-Type"))

			require.NoError(t, c.DeleteLabReport(ctx, session))
			_, err = c.LabReport(ctx, session)
			require.ErrorIs(t, err, providers.ErrNotFound)
			require.ErrorIs(t, c.DeleteLabReport(ctx, session), providers.ErrNotFound)
			require.Len(t, s.LabReports(), 1)
			require.Panics(t, func() { s.FinishLabReport(session, nil) })
		})
	}
}

// upload posts a file as a browser does.
func upload(t *testing.T, s *terratest.Server, content string) response {
	t.Helper()
	body := "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.pdf\"\r\n\r\n" + content + "\r\n--b--\r\n"
	return ask(t, s, "POST", "/api/v2/lab-reports", body, "Content-Type", "multipart/form-data; boundary=b")
}

// What is no upload is refused.
func TestLabReportRefusals(t *testing.T) {
	s := newServer(t, terratest.Config{})
	form := func(parts ...string) string {
		return strings.Join(parts, "") + "--b--\r\n"
	}
	part := func(name, file, content string) string {
		return "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"" + file + "\r\n\r\n" + content + "\r\n"
	}
	const media, named, pdf = "multipart/form-data; boundary=b", `; filename="a.pdf"`, "%PDF-1.7"
	for name, tc := range map[string]struct {
		media, body string
		code        int
	}{
		"a file":         {media, form(part("file", named, pdf)), 202},
		"JSON":           {"application/json", `{"file":"x"}`, 400},
		"no form":        {media, "x", 400},
		"no file":        {media, form(), 400},
		"another name":   {media, form(part("files", named, pdf)), 400},
		"no file name":   {media, form(part("file", "", pdf)), 400},
		"two files":      {media, form(part("file", named, pdf), part("file", named, pdf)), 400},
		"another format": {media, form(part("file", named, "hello")), 400},
	} {
		require.Equal(t, tc.code, ask(t, s, "POST", "/api/v2/lab-reports", tc.body, "Content-Type", tc.media).Code, name)
	}
	require.Equal(t, 413, upload(t, s, "%PDF-1.7"+strings.Repeat("x", 20<<20)).Code)
	require.Equal(t, 400, ask(t, s, "GET", "/api/v2/lab-reports?report_date_from=yesterday", "").Code)
	require.Equal(t, 404, ask(t, s, "GET", "/api/v2/lab-reports/1/files", "").Code)
	require.Equal(t, 401, ask(t, s, "GET", "/api/v2/lab-reports", "", "x-api-key", "").Code)
}

func TestModels(t *testing.T) {
	s := newServer(t, terratest.Config{})
	c := newClient(t, s, terratest.APIPath)
	ring, scale := s.AddUser(terratest.UserConfig{Provider: "OURA"}), s.AddUser(terratest.UserConfig{Provider: "RENPHO"})
	models, err := c.AnalysisModels(t.Context())
	require.NoError(t, err)
	require.Len(t, models, 3)
	run := func(model, user, table string) (terra.Analysis, error) {
		return c.RunAnalysis(t.Context(), terra.AnalysisRequest{
			Model: model, UserID: user, Table: table, Start: start().AddDate(0, -3, 0), End: start(),
		})
	}
	for _, m := range models {
		a, err := run(m.ID, ring.ID, "sleeps")
		require.NoError(t, err)
		require.False(t, a.Unsupported || a.NoData)
		require.NotEmpty(t, a.Raw)
	}
	a, err := run("sleep_window", scale.ID, "")
	require.NoError(t, err)
	require.True(t, a.Unsupported)
	a, err = run("cycle_phase_tracker", scale.ID, "")
	require.NoError(t, err)
	require.True(t, a.NoData)
	_, err = run("graph_impute", ring.ID, "")
	require.ErrorIs(t, err, providers.ErrInvalid)
	_, err = run("tea_leaves", ring.ID, "")
	require.ErrorIs(t, err, providers.ErrInvalid)
	_, err = run("sleep_window", "nobody", "")
	require.ErrorIs(t, err, providers.ErrNotFound)
	require.Equal(t, terra.CodeUserUnknown, codeOf(t, err))
	s.Fault(terratest.Fault{Kind: terratest.FaultLost, Path: "/models/run"})
	_, err = run("sleep_window", ring.ID, "")
	require.ErrorIs(t, err, providers.ErrUnavailable)
	require.Len(t, s.ModelRuns(), 9, "each is billed, and none was repeated")
	require.Equal(t, 400, ask(t, s, "GET", "/v2/models/run?model=sleep_window&start_time=2026-01-01&end_time=2026-02-01", "").Code)
}

// codeOf returns the code of an error of the client.
func codeOf(t *testing.T, err error) string {
	t.Helper()
	var e *providers.Error
	require.ErrorAs(t, err, &e)
	return e.Code
}

// A product that the account does not have is refused, in both styles, and no
// call without it is.
func TestProductsThatAreOff(t *testing.T) {
	s := newServer(t, terratest.Config{DisabledProducts: []terratest.Product{
		terratest.ProductPlannedWorkouts, terratest.ProductLabReports, terratest.ProductModels,
	}})
	u := s.AddUser(terratest.UserConfig{Provider: "GARMIN"})
	for version, code := range map[string]string{terratest.APIPath: terra.CodeEntitlement, terratest.LegacyAPIPath: ""} {
		c := newClient(t, s, version)
		ctx := t.Context()
		template, err := c.CreateWorkout(ctx, terra.WorkoutTemplate{Name: "Run", Sport: "running", StepBlocks: []terra.StepBlock{{}}})
		require.NoError(t, err, "templates need no add-on")
		_, plan := c.PlanWorkout(ctx, template, u.ID, terra.PlanRequest{PlannedDate: health.DayOf(start())})
		_, upload := c.UploadLabReport(ctx, terra.LabUpload{Name: "a.pdf", File: []byte("%PDF-1.7")})
		_, reports := c.LabReports(ctx, terra.LabReportsRequest{})
		_, models := c.AnalysisModels(ctx)
		_, run := c.RunAnalysis(ctx, terra.AnalysisRequest{Model: "sleep_window", UserID: u.ID, Start: start().Add(-time.Hour), End: start()})
		for name, err := range map[string]error{
			"plan": plan, "move": c.MovePlannedWorkout(ctx, u.ID, "1", health.DayOf(start())), "upload": upload, "reports": reports, "models": models, "run": run,
		} {
			require.ErrorIs(t, err, providers.ErrForbidden, name)
			require.False(t, providers.Retryable(err))
			require.Equal(t, code, codeOf(t, err), name)
		}
		_, err = c.PlannedWorkouts(ctx, terra.PlannedWorkoutsRequest{UserID: u.ID})
		require.NoError(t, err, "nor does the calendar")
	}
	require.Empty(t, s.ModelRuns())
	require.Equal(t, "application/json", ask(t, s, "GET", "/api/v2/lab-reports", "").Header.Get("Content-Type"))
	require.Equal(t, "application/problem+json", ask(t, s, "GET", "/api/v2/models", "").Header.Get("Content-Type"))
}

// A developer id that there is not is 404 of one older call, and 401 of all
// others: in both cases nobody has to consent again.
func TestAnUnknownDeveloper(t *testing.T) {
	s := newServer(t, terratest.Config{})
	site := httptest.NewServer(s)
	t.Cleanup(site.Close)
	for _, version := range []string{terratest.LegacyAPIPath, terratest.APIPath} {
		transport := &http.Transport{}
		t.Cleanup(transport.CloseIdleConnections)
		c, err := terra.New(terra.Config{
			DevID: "nobody", APIKey: providers.NewSecret(terratest.DefaultAPIKey), BaseURL: site.URL + version, Transport: transport,
		})
		require.NoError(t, err)
		_, token := c.MobileToken(t.Context())
		_, users := c.AllUsers(t.Context())
		for _, err := range []error{token, users} {
			var e *providers.Error
			require.ErrorAs(t, err, &e)
			require.ErrorIs(t, e, providers.ErrInvalid)
			require.Equal(t, terra.CodeCredentials, e.Code)
			require.True(t, e.ClientFault)
		}
		var e *providers.Error
		require.ErrorAs(t, token, &e)
		want := map[string]int{terratest.LegacyAPIPath: http.StatusNotFound, terratest.APIPath: http.StatusUnauthorized}[version]
		require.Equal(t, want, e.Status)
	}
	require.Equal(t, `{"message":"Invalid dev-id was provided","status":"error"}`, ask(t, s, "POST", "/v2/auth/generateAuthToken", "", "dev-id", "nobody").Text)
	require.Equal(t, 401, ask(t, s, "POST", "/v2/auth/generateAuthToken", "", "dev-id", "").Code)
	require.Equal(t, 401, ask(t, s, "POST", "/v2/auth/generateAuthToken", "", "x-api-key", "wrong").Code)
	require.Len(t, s.Requests(), 7)
}
