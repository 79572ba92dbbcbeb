package withingstest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/providers/withings/withingstest"
)

func TestDataServicesRefuse(t *testing.T) {
	for name, tc := range map[string]struct {
		path   string
		status int
		pairs  []string
	}{
		"unknown path":                    {"/v3/measure", 2556, []string{"action", "getmeas"}},
		"no action":                       {withingstest.MeasurePath, 2554, nil},
		"action of another service":       {withingstest.MeasurePath, 2554, []string{"action", "getactivity"}},
		"legacy action name":              {withingstest.MeasureV2Path, 2554, []string{"action", "getworkout"}},
		"measures: both date forms":       {withingstest.MeasurePath, 503, []string{"action", "getmeas", "startdate", "1", "enddate", "2", "lastupdate", "3"}},
		"measures: start alone":           {withingstest.MeasurePath, 503, []string{"action", "getmeas", "startdate", "1"}},
		"measures: end alone":             {withingstest.MeasurePath, 503, []string{"action", "getmeas", "enddate", "1"}},
		"measures: end before start":      {withingstest.MeasurePath, 503, []string{"action", "getmeas", "startdate", "9", "enddate", "2"}},
		"measures: text date":             {withingstest.MeasurePath, 503, []string{"action", "getmeas", "lastupdate", "yesterday"}},
		"measures: both type forms":       {withingstest.MeasurePath, 503, []string{"action", "getmeas", "meastype", "1", "meastypes", "1,6"}},
		"measures: list as meastype":      {withingstest.MeasurePath, 503, []string{"action", "getmeas", "meastype", "1,6"}},
		"measures: text type":             {withingstest.MeasurePath, 503, []string{"action", "getmeas", "meastypes", "1,weight"}},
		"measures: category 3":            {withingstest.MeasurePath, 503, []string{"action", "getmeas", "category", "3"}},
		"measures: negative offset":       {withingstest.MeasurePath, 503, []string{"action", "getmeas", "offset", "-1"}},
		"activity: no dates":              {withingstest.MeasureV2Path, 503, []string{"action", "getactivity"}},
		"activity: both date forms":       {withingstest.MeasureV2Path, 503, []string{"action", "getactivity", "startdateymd", "2026-01-01", "enddateymd", "2026-01-02", "lastupdate", "3"}},
		"activity: end alone":             {withingstest.MeasureV2Path, 503, []string{"action", "getactivity", "enddateymd", "2026-01-01"}},
		"activity: unix dates":            {withingstest.MeasureV2Path, 503, []string{"action", "getactivity", "startdateymd", "1767225600", "enddateymd", "1767225600"}},
		"activity: impossible day":        {withingstest.MeasureV2Path, 503, []string{"action", "getactivity", "startdateymd", "2026-02-30", "enddateymd", "2026-03-01"}},
		"activity: end before start":      {withingstest.MeasureV2Path, 503, []string{"action", "getactivity", "startdateymd", "2026-02-03", "enddateymd", "2026-02-01"}},
		"workouts: no dates":              {withingstest.MeasureV2Path, 503, []string{"action", "getworkouts"}},
		"workouts: both date forms":       {withingstest.MeasureV2Path, 503, []string{"action", "getworkouts", "startdateymd", "2026-01-01", "enddateymd", "2026-01-02", "lastupdate", "3"}},
		"intraday: start alone":           {withingstest.MeasureV2Path, 503, []string{"action", "getintradayactivity", "startdate", "1"}},
		"sleep: no dates":                 {withingstest.SleepPath, 503, []string{"action", "get"}},
		"sleep: end alone":                {withingstest.SleepPath, 503, []string{"action", "get", "enddate", "1"}},
		"summary: no dates":               {withingstest.SleepPath, 503, []string{"action", "getsummary"}},
		"summary: both date forms":        {withingstest.SleepPath, 503, []string{"action", "getsummary", "startdateymd", "2026-01-01", "enddateymd", "2026-01-02", "lastupdate", "3"}},
		"heart: start alone":              {withingstest.HeartPath, 503, []string{"action", "list", "startdate", "1"}},
		"heart: no signal":                {withingstest.HeartPath, 503, []string{"action", "get"}},
		"heart: unknown signal":           {withingstest.HeartPath, 503, []string{"action", "get", "signalid", "1"}},
		"heart: the id that means none":   {withingstest.HeartPath, 503, []string{"action", "get", "signalid", "0"}},
		"notify: no callback":             {withingstest.NotifyPath, 503, []string{"action", "subscribe", "appli", "1"}},
		"notify: no appli":                {withingstest.NotifyPath, 503, []string{"action", "subscribe", "callbackurl", "https://app.example.com/x"}},
		"notify: unknown appli":           {withingstest.NotifyPath, 503, []string{"action", "subscribe", "callbackurl", "https://app.example.com/x", "appli", "3"}},
		"notify: http callback":           {withingstest.NotifyPath, 293, []string{"action", "subscribe", "callbackurl", "http://app.example.com/x", "appli", "1"}},
		"notify: IP callback":             {withingstest.NotifyPath, 293, []string{"action", "subscribe", "callbackurl", "https://192.0.2.1/x", "appli", "1"}},
		"notify: odd port":                {withingstest.NotifyPath, 293, []string{"action", "subscribe", "callbackurl", "https://app.example.com:8443/x", "appli", "1"}},
		"notify: long callback":           {withingstest.NotifyPath, 293, []string{"action", "subscribe", "callbackurl", "https://app.example.com/" + strings.Repeat("x", 240), "appli", "1"}},
		"notify: scope for bed events":    {withingstest.NotifyPath, 277, []string{"action", "subscribe", "callbackurl", "https://app.example.com/x", "appli", "50"}},
		"notify: get without one":         {withingstest.NotifyPath, 286, []string{"action", "get", "callbackurl", "https://app.example.com/x"}},
		"notify: revoke without one":      {withingstest.NotifyPath, 286, []string{"action", "revoke", "callbackurl", "https://app.example.com/x"}},
		"contract-only service":           {"/v2/rawdata", 2556, []string{"action", "activate"}},
		"contract-only action":            {withingstest.UserPath, 2554, []string{"action", "link"}},
		"the token service with GET form": {withingstest.OAuthPath, 2554, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, withingstest.Config{})
			a := w.data(t, tc.path, tc.pairs...)
			require.Equal(t, tc.status, a.Status, a.Error)
			require.NotEmpty(t, a.Error)
			require.JSONEq(t, "{}", string(a.Body))
			require.Equal(t, tc.status, w.Requests()[0].Status)
		})
	}
}

func TestScopesAreEnforced(t *testing.T) {
	w := newWorld(t, quiet())
	for scope, allowed := range map[string][]string{
		withingstest.ScopeMetrics:     {"/measure getmeas", "/v2/heart list"},
		withingstest.ScopeActivity:    {"/v2/measure getactivity", "/v2/measure getintradayactivity", "/v2/measure getworkouts", "/v2/sleep get", "/v2/sleep getsummary"},
		withingstest.ScopeInfo:        {"/v2/user getdevice", "/v2/user getgoals"},
		withingstest.ScopeSleepEvents: nil,
	} {
		token := w.Login(w.user.ID, scope)
		for _, call := range []string{
			"/measure getmeas", "/v2/heart list", "/v2/measure getactivity", "/v2/measure getintradayactivity", "/v2/measure getworkouts",
			"/v2/sleep get", "/v2/sleep getsummary", "/v2/user getdevice", "/v2/user getgoals",
		} {
			path, action, _ := strings.Cut(call, " ")
			pairs := []string{"action", action}
			switch action {
			case "getactivity", "getworkouts", "getsummary":
				pairs = append(pairs, "lastupdate", "1")
			case "get":
				pairs = append(pairs, "startdate", "1", "enddate", "2")
			}
			want := 277
			if slices.Contains(allowed, call) {
				want = 0
			}
			require.Equal(t, want, post(t, w, path, token.AccessToken, pairs...).Status, "%s with %s", call, scope)
		}
	}
}

func TestTokensOnDataCalls(t *testing.T) {
	w := newWorld(t, quiet())
	for name, bearer := range map[string]string{"none": "", "unknown": "abc", "refresh token": w.token.RefreshToken} {
		a := post(t, w, withingstest.UserPath, bearer, "action", "getdevice")
		require.Equal(t, 401, a.Status, name)
		require.Contains(t, a.Error, "invalid_token")
	}
	w.ExpireAccess(w.user.ID)
	require.Equal(t, 401, w.data(t, withingstest.UserPath, "action", "getdevice").Status)
	w.token = w.Login(w.user.ID)
	w.Unlink(w.user.ID)
	require.Equal(t, 401, w.data(t, withingstest.UserPath, "action", "getdevice").Status)
}

func TestGetWithQuery(t *testing.T) {
	w := newWorld(t, quiet())
	get := func(query, bearer string) int {
		r := httptest.NewRequest(http.MethodGet, withingstest.UserPath+"?"+query, nil)
		if bearer != "" {
			r.Header.Set("Authorization", "Bearer "+bearer)
		}
		rec := httptest.NewRecorder()
		w.ServeHTTP(rec, r)
		var a answer
		require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &a))
		return a.Status
	}
	require.Zero(t, get("action=getdevice", w.token.AccessToken))
	require.Zero(t, get("action=getdevice&access_token="+w.token.AccessToken, ""))
	require.Equal(t, 401, get("action=getdevice", ""))
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, httptest.NewRequest(http.MethodDelete, withingstest.UserPath, nil))
	require.Equal(t, http.StatusMethodNotAllowed, rec.Code)
}

func TestIdenticalCall(t *testing.T) {
	w := newWorld(t, withingstest.Config{})
	call := func(pairs ...string) answer {
		return w.data(t, withingstest.UserPath, append([]string{"action", "getdevice"}, pairs...)...)
	}
	require.Zero(t, call().Status)
	w.clock.Add(4 * time.Second)
	again := call()
	require.Equal(t, 601, again.Status)
	require.JSONEq(t, `{"wait_seconds":6}`, string(again.Body))
	require.Equal(t, "Same arguments in less than 10 seconds", again.Error)
	require.Zero(t, call("x", "1").Status, "other arguments are another call")
	w.token = w.Login(w.user.ID)
	require.Equal(t, 601, call().Status, "a fresh token does not make it another call")
	w.clock.Add(6 * time.Second)
	require.Zero(t, call().Status, "refused calls do not extend the wait")

	require.Equal(t, 503, w.data(t, withingstest.SleepPath, "action", "get").Status)
	require.Equal(t, 503, w.data(t, withingstest.SleepPath, "action", "get").Status, "only answered calls count")
	other := w.AddUser(withingstest.UserConfig{})
	require.Zero(t, post(t, w, withingstest.UserPath, w.Login(other.ID).AccessToken, "action", "getdevice").Status)
}

func TestRateLimit(t *testing.T) {
	w := newWorld(t, withingstest.Config{})
	other := w.AddUser(withingstest.UserConfig{})
	second := w.Login(other.ID)
	call := func(i int) answer {
		token := w.token
		if i%2 == 1 {
			token = second
		}
		return post(t, w, withingstest.UserPath, token.AccessToken, "action", "getgoals", "i", fmt.Sprint(i))
	}
	for i := range 60 {
		require.Zero(t, call(i).Status)
	}
	w.clock.Add(20 * time.Second)
	for i := range 60 {
		require.Zero(t, call(100+i).Status)
	}
	for i := range 5 {
		a := call(200 + i)
		require.Equal(t, 601, a.Status)
		require.JSONEq(t, `{"wait_seconds":40}`, string(a.Body))
	}
	w.clock.Add(40 * time.Second)
	for i := range 60 {
		require.Zero(t, call(300+i).Status, "refused calls do not count")
	}
	require.Equal(t, 601, call(400).Status)

	w = newWorld(t, withingstest.Config{RateLimit: 3})
	for i := range 3 {
		require.Zero(t, w.data(t, withingstest.UserPath, "action", "getgoals", "i", fmt.Sprint(i)).Status)
	}
	require.Equal(t, 601, w.refresh(t, w.token.RefreshToken).Status, "token calls are calls of the application")
}

func TestMeasureFilters(t *testing.T) {
	w := newWorld(t, withingstest.Config{PageSize: 50, RateLimit: off, IdenticalCallWindow: off})
	truth := w.Truth(w.user.ID).Measures
	keep := func(pred func(withingstest.MeasureGroup) bool) []withingstest.MeasureGroup {
		var out []withingstest.MeasureGroup
		for _, g := range truth {
			if pred(g) {
				out = append(out, g)
			}
		}
		require.NotEmpty(t, out)
		require.Less(t, len(out), len(truth))
		return out
	}
	mid := truth[len(truth)/2]
	require.Equal(t, keep(func(g withingstest.MeasureGroup) bool { return g.Date >= mid.Date && g.Date <= mid.Date+86400 }),
		mirrorMeasures(t, w, "startdate", fmt.Sprint(mid.Date), "enddate", fmt.Sprint(mid.Date+86400)))
	require.Equal(t, keep(func(g withingstest.MeasureGroup) bool { return g.Modified >= mid.Modified }),
		mirrorMeasures(t, w, "lastupdate", fmt.Sprint(mid.Modified)))
	require.Equal(t, keep(func(g withingstest.MeasureGroup) bool { return g.Category == 2 }), mirrorMeasures(t, w, "category", "2"))
	for _, tc := range []struct {
		name, value string
		types       []int
	}{{"meastype", "1", []int{1}}, {"meastypes", "9,10", []int{9, 10}}} {
		want := map[int64][]withingstest.Measure{}
		for _, g := range truth {
			for _, m := range g.Measures {
				if slices.Contains(tc.types, m.Type) {
					want[g.ID] = append(want[g.ID], m)
				}
			}
		}
		got := map[int64][]withingstest.Measure{}
		for _, g := range mirrorMeasures(t, w, tc.name, tc.value) {
			got[g.ID] = g.Measures
		}
		require.NotEmpty(t, got)
		require.Equal(t, want, got)
	}
}

func TestDayFilters(t *testing.T) {
	w := newWorld(t, quiet())
	truth := w.Truth(w.user.ID)
	days := []string{"startdateymd", "2026-10-20", "enddateymd", "2026-11-02"}
	within := func(date string) bool { return date >= "2026-10-20" && date <= "2026-11-02" }
	activities := mirrorActivities(t, w, days...)
	dates := map[string]bool{}
	for _, a := range activities {
		dates[a.Date] = true
	}
	require.Len(t, dates, 14)
	require.Equal(t, slices.DeleteFunc(truth.Activities, func(a withingstest.Activity) bool { return !within(a.Date) }), activities)
	require.Equal(t, slices.DeleteFunc(truth.Workouts, func(x withingstest.Workout) bool { return !within(x.Date) }), mirrorWorkouts(t, w, days...))
	nights := mirrorNights(t, w, days...)
	require.NotEmpty(t, nights)
	zone, err := time.LoadLocation(w.user.Timezone)
	require.NoError(t, err)
	for _, n := range nights {
		require.True(t, within(n.Date))
		require.Equal(t, time.Unix(n.End, 0).In(zone).Format(time.DateOnly), n.Date, "the date of a night is the local day of its end")
	}
	changed := activities[3]
	require.True(t, w.EditActivity(w.user.ID, changed.Date, func(a *withingstest.Activity) { a.Data["steps"]++ }))
	got := mirrorActivities(t, w, "lastupdate", fmt.Sprint(w.clock.Now().Unix()))
	require.Len(t, got, 2, "the edited day and the current one")
	require.Equal(t, changed.Data["steps"]+1, got[0].Data["steps"])
}

func TestDataFields(t *testing.T) {
	w := newWorld(t, quiet())
	row := func(path, action, list string, pairs ...string) object {
		o := parse(t, w.data(t, path, append([]string{"action", action, "lastupdate", "1"}, pairs...)...).Body)
		return object(o[list].([]any)[0].(map[string]any))
	}
	activity := row(withingstest.MeasureV2Path, "getactivity", "activities", "data_fields", "steps, no_such_field")
	require.Contains(t, activity, "steps")
	require.NotContains(t, activity, "distance")
	require.NotContains(t, activity, "no_such_field")
	require.NotContains(t, row(withingstest.MeasureV2Path, "getactivity", "activities"), "hr_average")
	require.Equal(t, []any{}, row(withingstest.MeasureV2Path, "getworkouts", "series")["data"])
	night := row(withingstest.SleepPath, "getsummary", "series").child("data")
	require.Contains(t, night, "deepsleepduration")
	require.NotContains(t, night, "sleep_score")

	o := parse(t, w.data(t, withingstest.MeasureV2Path, "action", "getintradayactivity", "startdate", "1000", "enddate", "2000").Body)
	require.Equal(t, []any{}, o["series"], "an empty map is an array")
	latest := parse(t, w.data(t, withingstest.MeasureV2Path, "action", "getintradayactivity", "data_fields", "duration").Body).child("series")
	require.NotEmpty(t, latest)
	for _, v := range latest {
		require.Len(t, v, 4, "duration and the device")
	}
	day := parse(t, w.data(t, withingstest.MeasureV2Path, "action", "getintradayactivity", "data_fields", intradayFields,
		"startdate", fmt.Sprint(w.clock.Now().Unix()-3*86400), "enddate", fmt.Sprint(w.clock.Now().Unix())).Body).child("series")
	require.Len(t, day, 288, "not more than the first 24 hours")
}

func TestRealism(t *testing.T) {
	s := withingstest.New(withingstest.Config{Seed: 3, Now: newClock().Now})
	seen := map[string]bool{}
	for range 6 {
		u := s.AddUser(withingstest.UserConfig{})
		truth := s.Truth(u.ID)
		require.GreaterOrEqual(t, len(truth.Devices), 2)
		dates := map[int64]int{}
		seen["no goals"] = seen["no goals"] || truth.Goals == nil
		for _, g := range truth.Measures {
			dates[g.Date]++
			seen[fmt.Sprintf("attrib %d", g.Attrib)] = true
			seen["no device"] = seen["no device"] || g.DeviceID == ""
			require.LessOrEqual(t, g.Modified, newClock().Now().Unix())
			for _, m := range g.Measures {
				seen[fmt.Sprintf("type %d", m.Type)] = true
				if m.Type == 1 {
					seen[fmt.Sprintf("unit %d", m.Unit)] = true
				}
				seen["position"] = seen["position"] || m.Position != nil
				seen["zero fat"] = seen["zero fat"] || m.Type == 8 && m.Value == 0
			}
		}
		for _, n := range dates {
			seen["shared date"] = seen["shared date"] || n > 1
		}
		perDay := map[string]int{}
		for _, a := range truth.Activities {
			perDay[a.Date]++
			seen["two sources"] = seen["two sources"] || perDay[a.Date] == 2
			seen["row without device"] = seen["row without device"] || a.DeviceID == "" && a.Brand == 1
		}
		require.Len(t, perDay, 90)
		perNight := map[string]int{}
		for _, n := range truth.Nights {
			perNight[n.Date]++
			seen[fmt.Sprintf("model %d", n.Model)] = true
			seen["two nights"] = seen["two nights"] || perNight[n.Date] > 1
			require.LessOrEqual(t, n.Data["total_sleep_time"], n.Data["total_timeinbed"])
			end := n.Start
			for _, x := range n.Segments {
				require.Equal(t, end, x.Start, "segments neither overlap nor leave gaps")
				require.LessOrEqual(t, x.End-x.Start, int64(600))
				require.GreaterOrEqual(t, x.End-x.Start, int64(60))
				end = x.End
			}
			if len(n.Segments) > 0 {
				require.Equal(t, n.End, end)
			}
		}
		for _, h := range truth.Hearts {
			if h.SignalID != 0 {
				seen[fmt.Sprintf("%d samples at %d Hz", len(h.Signal), h.Frequency)] = true
			}
			seen["heart without ECG"] = seen["heart without ECG"] || h.SignalID == 0
		}
		for _, x := range truth.Workouts {
			seen[fmt.Sprintf("category %d", x.Category)] = true
			seen["manual workout"] = seen["manual workout"] || x.Attrib == 2
		}
	}
	for _, want := range []string{
		"type 1", "type 4", "type 5", "type 6", "type 8", "type 9", "type 10", "type 11", "type 12", "type 18", "type 54", "type 71",
		"type 73", "type 76", "type 77", "type 88", "type 91", "type 123", "type 130", "type 135", "type 138", "type 155", "type 170",
		"type 173", "type 226", "unit -4", "unit -3", "unit -2", "unit -1", "attrib 0", "attrib 1", "attrib 2", "attrib 4", "attrib 5",
		"attrib 7", "position", "zero fat", "shared date", "two sources", "row without device", "no device", "no goals", "model 16",
		"model 32", "two nights", "heart without ECG", "9000 samples at 300 Hz", "10000 samples at 500 Hz", "category 9001", "category 7",
		"manual workout",
	} {
		require.True(t, seen[want], want)
	}
}

func TestSameSeedSameBytes(t *testing.T) {
	run := func(seed uint64) []byte {
		var out bytes.Buffer
		w := newWorld(t, withingstest.Config{Seed: seed, Days: 40})
		u := w.AddUser(withingstest.UserConfig{})
		for range 3 {
			w.clock.Add(26 * time.Hour)
			fmt.Fprint(&out, w.Evolve(w.user.ID), w.Evolve(u.ID))
		}
		fmt.Fprint(&out, w.Truth(u.ID).Nights[5].Data)
		for _, token := range []string{w.Login(w.user.ID).AccessToken, w.Login(u.ID).AccessToken} {
			for _, call := range []string{
				"/measure action=getmeas", "/v2/measure action=getactivity&lastupdate=1", "/v2/measure action=getintradayactivity",
				"/v2/measure action=getworkouts&lastupdate=1", "/v2/sleep action=getsummary&lastupdate=1", "/v2/heart action=list",
				"/v2/user action=getdevice", "/v2/user action=getgoals", "/v2/sleep action=get&startdate=1763500000&enddate=1763586400",
			} {
				path, query, _ := strings.Cut(call, " ")
				rec := serve(t, w, path+"?"+query, token, nil)
				require.Contains(t, rec.Body.String(), `"status":0`)
				out.Write(rec.Body.Bytes())
			}
		}
		out.WriteString(w.code(t))
		return out.Bytes()
	}
	require.Equal(t, string(run(1)), string(run(1)))
	require.NotEqual(t, string(run(1)), string(run(2)))
}

func TestHistoryDependsOnSeedAndIDOnly(t *testing.T) {
	a := newWorld(t, withingstest.Config{Days: 30, IntradayDays: 3})
	b := withingstest.New(withingstest.Config{Seed: 7, Now: a.clock.Now, Days: 30, IntradayDays: 3})
	b.AddUser(withingstest.UserConfig{ID: 4})
	b.AddUser(withingstest.UserConfig{ID: a.user.ID, Timezone: a.user.Timezone})
	require.Equal(t, a.Truth(a.user.ID), b.Truth(a.user.ID))
}

func TestManyMeasures(t *testing.T) {
	const n = 40_000
	w := newWorld(t, withingstest.Config{PageSize: 2000, RateLimit: off, IdenticalCallWindow: off})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	w.user = w.AddUser(withingstest.UserConfig{Measures: n, Days: 365})
	w.token = w.Login(w.user.ID)
	runtime.GC()
	runtime.ReadMemStats(&after)
	require.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(8<<20), "groups are not stored")

	ids := map[int64]bool{}
	for _, raw := range pages(t, w, withingstest.MeasurePath, "measuregrps", "action", "getmeas", "meastype", "1") {
		var g struct{ Grpid int64 }
		require.NoError(t, json.Unmarshal(raw, &g))
		require.False(t, ids[g.Grpid])
		ids[g.Grpid] = true
	}
	require.Len(t, ids, n)

	some := slices.Collect(func(yield func(int64) bool) {
		i := 0
		for g := range w.MeasureGroups(w.user.ID) {
			if i++; i%10_000 == 0 && !yield(g.ID) {
				return
			}
		}
	})
	require.Len(t, some, 4)
	w.clock.Add(time.Hour)
	require.True(t, w.DeleteMeasure(w.user.ID, some[0]))
	require.False(t, w.DeleteMeasure(w.user.ID, some[0]))
	require.True(t, w.EditMeasure(w.user.ID, some[1], func(g *withingstest.MeasureGroup) { g.Measures[0].Value = 42 }))
	added := w.AddMeasure(w.user.ID, withingstest.MeasureGroup{Measures: []withingstest.Measure{{Type: 1, Value: 7}}})
	changed := mirrorMeasures(t, w, "lastupdate", fmt.Sprint(w.clock.Now().Unix()))
	require.Len(t, changed, 2)
	require.Equal(t, int64(42), changed[0].Measures[0].Value)
	require.Equal(t, added, changed[1])
	count := 0
	for range w.MeasureGroups(w.user.ID) {
		count++
	}
	require.Equal(t, n, count)
	span := mirrorMeasures(t, w, "startdate", fmt.Sprint(changed[0].Date-36_000), "enddate", fmt.Sprint(changed[0].Date+36_000))
	require.Greater(t, len(span), 20)
	for _, g := range span {
		require.InDelta(t, changed[0].Date, g.Date, 36_000)
	}
}

func TestConcurrentUse(t *testing.T) {
	w := newWorld(t, quiet())
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 5 {
				switch i % 4 {
				case 0:
					w.Evolve(w.user.ID)
				case 1:
					w.Truth(w.user.ID)
				case 2:
					w.Requests()
					w.Ledger()
				}
				rec := serve(t, w, withingstest.MeasurePath, w.token.AccessToken, params("action", "getmeas", "i", fmt.Sprint(i, j)))
				if rec.Code != http.StatusOK || !bytes.HasPrefix(rec.Body.Bytes(), []byte(`{"status":0`)) {
					t.Error(rec.Body.String())
				}
			}
		})
	}
	wg.Wait()
	require.Len(t, w.Requests(), 40)
}

func TestNotify(t *testing.T) {
	w := newWorld(t, quiet())
	notify := func(pairs ...string) answer { return w.data(t, withingstest.NotifyPath, pairs...) }
	const hook = "https://app.example.com/hook?k=1"
	require.Zero(t, notify("action", "subscribe", "appli", "1", "callbackurl", hook, "comment", "a").Status)
	require.Zero(t, notify("action", "subscribe", "appli", "1", "callbackurl", hook, "comment", "b").Status)
	require.Zero(t, notify("action", "subscribe", "appli", "44", "callbackurl", hook).Status)
	require.Len(t, w.Subscriptions(), 2)
	var list struct {
		Profiles []struct {
			Appli       int
			CallbackURL string
			Comment     string
			Expires     int64
		}
	}
	notify("action", "list").decode(t, &list)
	require.Len(t, list.Profiles, 2)
	require.Equal(t, "b", list.Profiles[0].Comment)
	require.Equal(t, int64(2147483647), list.Profiles[0].Expires)
	notify("action", "list", "appli", "44").decode(t, &list)
	require.Len(t, list.Profiles, 1)
	require.Zero(t, notify("action", "get", "callbackurl", hook).Status)
	require.Equal(t, 503, notify("action", "update", "callbackurl", hook, "appli", "1").Status)
	require.Equal(t, 503, notify("action", "update", "callbackurl", hook, "appli", "1", "comment", "c", "new_appli", "4").Status)
	require.Zero(t, notify("action", "update", "callbackurl", hook, "appli", "1", "new_appli", "4").Status)
	require.Zero(t, notify("action", "update", "callbackurl", hook, "appli", "4", "new_callbackurl", hook+"2").Status)
	require.Equal(t, []withingstest.Subscription{
		{UserID: w.user.ID, Appli: 4, Callback: hook + "2", Comment: "b"}, {UserID: w.user.ID, Appli: 44, Callback: hook},
	}, w.Subscriptions())
	require.Equal(t, 286, notify("action", "revoke", "callbackurl", hook, "appli", "4").Status)
	require.Zero(t, notify("action", "revoke", "callbackurl", hook+"2", "appli", "4").Status)
	require.Zero(t, notify("action", "revoke", "callbackurl", hook).Status)
	require.Empty(t, w.Subscriptions())
}
