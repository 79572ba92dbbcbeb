package terratest_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/terra/terratest"
)

func TestWrites(t *testing.T) {
	s := newServer(t, terratest.Config{})
	u := s.AddUser(terratest.UserConfig{Provider: "FITBIT"})
	dummy := s.AddUser(terratest.UserConfig{})
	const element = `{"metadata":{"start_time":"2026-11-01T00:00:00+00:00","end_time":"2026-11-02T00:00:00+00:00"}}`
	for _, test := range []struct {
		path, body string
		code       int
	}{
		{"/body?user_id=" + u.ID, `{"data":[` + element + `]}`, 201},
		{"/nutrition?user_id=" + u.ID, `{"data":[` + element + `,` + element + `]}`, 201},
		{"/activity?user_id=" + dummy.ID, `{"data":[` + element + `]}`, 201},
		{"/activity?user_id=" + u.ID, `{"data":[` + element + `]}`, 400},
		{"/body", `{"data":[` + element + `]}`, 400},
		{"/body?user_id=none", `{"data":[` + element + `]}`, 404},
		{"/body?user_id=" + u.ID, `{"data":[]}`, 400},
		{"/body?user_id=" + u.ID, `{"data":[{}]}`, 400},
		{"/daily?user_id=" + u.ID, `{"data":[` + element + `]}`, 405},
	} {
		require.Equal(t, test.code, ask(t, s, "POST", "/v2"+test.path, test.body).Code, test.path)
	}
	written := s.Written()
	require.Len(t, written, 4)
	require.Equal(t, terratest.KindNutrition, written[1].Kind)
	gone := ask(t, s, "DELETE", "/v2/body?user_id="+u.ID, `{"log_ids":["`+written[0].ID+`","none"]}`)
	require.Equal(t, http.StatusMultiStatus, gone.Code)
	require.EqualValues(t, 404, gone.Body["processed_data"].([]any)[1].(map[string]any)["response_code"])
	require.Equal(t, 200, ask(t, s, "DELETE", "/v2/nutrition?user_id="+u.ID, `{"data":["`+written[1].ID+`"]}`).Code)
	require.Equal(t, 400, ask(t, s, "DELETE", "/v2/nutrition?user_id="+u.ID, `{"log_ids":["`+written[2].ID+`"]}`).Code)
	require.True(t, s.Written()[0].Deleted)

	after := newServer(t, terratest.Config{RetireWrites: true})
	v := after.AddUser(terratest.UserConfig{})
	require.Equal(t, 405, ask(t, after, "POST", "/v2/body?user_id="+v.ID, `{"data":[`+element+`]}`).Code)
}

func TestOldPlannedWorkouts(t *testing.T) {
	s := newServer(t, terratest.Config{})
	u := s.AddUser(terratest.UserConfig{Provider: "GARMIN"})
	path := "/v2/plannedWorkout?user_id=" + u.ID
	const workout = `{"metadata":{"name":"Run","type":8,"planned_date":"2026-11-25"},"steps":[{"order":0,"type":0}]}`
	made := ask(t, s, "POST", path, `{"data":[`+workout+`]}`)
	require.Equal(t, 201, made.Code)
	id := made.Body["log_ids"].([]any)[0].(string)
	get := func(days string) []any {
		a := ask(t, s, "GET", path+"&to_webhook=false&"+days, "")
		require.Equal(t, 200, a.Code)
		return a.Body["data"].([]any)
	}
	found := get("start_date=2026-11-25&end_date=2026-11-26")
	require.Len(t, found, 1)
	require.Equal(t, id, found[0].(map[string]any)["metadata"].(map[string]any)["id"])
	require.Empty(t, get("start_date=2026-11-24&end_date=2026-11-25"))
	require.Equal(t, 400, ask(t, s, "POST", path, `{"data":[{"metadata":{}}]}`).Code)
	require.Equal(t, 400, ask(t, s, "POST", path, `{"data":[]}`).Code)
	require.Equal(t, 200, ask(t, s, "DELETE", path, `{"data":["`+id+`"]}`).Code)
	require.Equal(t, 207, ask(t, s, "DELETE", path, `{"data":["`+id+`"]}`).Code)
	oura := s.AddUser(terratest.UserConfig{Provider: "OURA"})
	require.Equal(t, 400, ask(t, s, "POST", "/v2/plannedWorkout?user_id="+oura.ID, `{"data":[`+workout+`]}`).Code)
}

func TestWorkoutTemplates(t *testing.T) {
	s := newServer(t, terratest.Config{})
	u := s.AddUser(terratest.UserConfig{Provider: "GARMIN"})
	const v = "/api/v2"
	const workout = `{"name":"Run","sport":"running","step_blocks":[{"completion_condition":{"type":"open"},"steps":[]}]}`
	for _, bad := range []string{`{`, `{}`, `{"name":"x","sport":"chess","step_blocks":[{}]}`, `{"name":"x","sport":"running","step_blocks":[]}`} {
		require.Equal(t, 400, ask(t, s, "POST", v+"/workouts", bad).Code, bad)
	}
	made := ask(t, s, "POST", v+"/workouts", workout)
	require.Equal(t, 200, made.Code)
	one := v + "/workouts/" + made.Body["workout_id"].(string)
	require.Equal(t, "Run", ask(t, s, "GET", one, "").Body["name"])
	require.Equal(t, 404, ask(t, s, "GET", v+"/workouts/9", "").Code)
	require.Contains(t, ask(t, s, "GET", v+"/workouts", "").Text, `"sport":"running"`)

	require.Equal(t, 404, ask(t, s, "POST", one+"/plan?user_id=none", `{"planned_date":"2026-11-25"}`).Code)
	require.Equal(t, 400, ask(t, s, "POST", one+"/plan?user_id="+u.ID, `{"planned_date":"tomorrow"}`).Code)
	planned := ask(t, s, "POST", one+"/plan?user_id="+u.ID, `{"planned_date":"2026-11-25","ftp":250}`)
	require.Equal(t, 201, planned.Code)
	list := func(query string) string { return ask(t, s, "GET", v+"/plannedWorkouts?user_id="+u.ID+query, "").Text }
	require.Contains(t, list("&start_date=2026-11-25&end_date=2026-11-25"), `"ftp":250`, "the end is included here")
	require.Equal(t, "[]", list(""), "the last 30 days")
	plan := v + "/plannedWorkouts/" + planned.Body["planned_workout_id"].(string) + "?user_id=" + u.ID
	require.Equal(t, "2026-11-25", ask(t, s, "GET", plan, "").Body["planned_date"])
	require.Equal(t, 400, ask(t, s, "PATCH", plan, `{"planned_date":""}`).Code)
	require.Equal(t, "2026-11-26", ask(t, s, "PATCH", plan, `{"planned_date":"2026-11-26"}`).Body["planned_date"])

	next := s.AddUser(terratest.UserConfig{Provider: "GARMIN"})
	ask(t, s, "POST", one+"/plan?user_id="+next.ID, `{"planned_date":"2026-11-25"}`)
	s.RevokeAccess(next.ID)
	require.Equal(t, 207, ask(t, s, "DELETE", one, "").Code)
	require.Equal(t, 424, ask(t, s, "POST", one+"/plan?user_id="+next.ID, `{"planned_date":"2026-11-25"}`).Code)
	require.Equal(t, 204, ask(t, s, "DELETE", plan, "").Code)
	require.Equal(t, 404, ask(t, s, "DELETE", plan, "").Code)
}
