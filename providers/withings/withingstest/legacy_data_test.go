package withingstest_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/vitalmux/vitalmux/providers/withings/withingstest"
)

// ymd is a question for all days of the user.
func (w *legacyWorld) ymd(action string) []string {
	return []string{"action", action, "startdateymd", w.user.FirstDay, "enddateymd", w.user.LastDay}
}

func names(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

// TestLegacyData compares each service with the world that the services of today tell of.
func TestLegacyData(t *testing.T) {
	cfg := quiet()
	cfg.Days = 40
	w := newLegacyWorld(t, cfg)
	truth := w.Truth(w.user.ID)

	t.Run("getmeas", func(t *testing.T) {
		type group struct {
			Grpid, Date, Attrib, Category int64
			Measures                      []struct{ Value, Type, Unit int64 }
		}
		want := map[int64]withingstest.MeasureGroup{}
		for _, g := range truth.Measures {
			g.Measures = slices.DeleteFunc(g.Measures, func(m withingstest.Measure) bool { return m.Type > 91 })
			if len(g.Measures) > 0 {
				want[g.ID] = g
			}
		}
		got := map[int64]group{}
		for more, offset := int64(1), 0; more == 1; {
			var body struct {
				Updatetime  int64
				More        int64
				Measuregrps []group
			}
			a := w.ask(t, "/measure", "action", "getmeas", "limit", "40", "offset", strconv.Itoa(offset))
			a.decode(t, &body)
			require.LessOrEqual(t, len(body.Measuregrps), 40)
			require.Equal(t, w.clock.Now().Unix(), body.Updatetime)
			for _, name := range []string{"created", "deviceid", "modified", "model"} {
				require.NotContains(t, string(a.Body), `"`+name+`"`)
			}
			for _, g := range body.Measuregrps {
				got[g.Grpid] = g
			}
			more, offset = body.More, offset+len(body.Measuregrps)
		}
		require.Len(t, got, len(want))
		for id, g := range want {
			require.Equal(t, g.Date, got[id].Date)
			require.EqualValues(t, g.Attrib, got[id].Attrib)
			require.Len(t, got[id].Measures, len(g.Measures))
			for i, m := range g.Measures {
				require.EqualValues(t, [3]int64{m.Value, int64(m.Type), int64(m.Unit)},
					[3]int64{got[id].Measures[i].Value, got[id].Measures[i].Type, got[id].Measures[i].Unit})
			}
		}
		var body struct{ Measuregrps []group }
		w.ask(t, "/measure", "action", "getmeas", "meastype", "8", "devtype", "1", "category", "1").decode(t, &body)
		require.NotEmpty(t, body.Measuregrps)
		for _, g := range body.Measuregrps {
			require.Len(t, g.Measures, 1)
			require.EqualValues(t, 8, g.Measures[0].Type)
		}
		w.ask(t, "/measure", "action", "getmeas", "devtype", "4").decode(t, &body)
		for _, g := range body.Measuregrps {
			require.Equal(t, 44, want[g.Grpid].ModelID)
		}
	})

	t.Run("getactivity", func(t *testing.T) {
		keys := []string{"calories", "date", "distance", "elevation", "intense", "moderate", "soft", "steps", "timezone", "totalcalories"}
		byDate := map[string]withingstest.Activity{}
		for _, a := range truth.Activities {
			if a.Brand == 1 {
				byDate[a.Date] = a
			}
		}
		var body struct{ Activities []map[string]any }
		w.ask(t, "/v2/measure", w.ymd("getactivity")...).decode(t, &body)
		require.Len(t, body.Activities, len(byDate))
		for _, row := range body.Activities {
			require.Equal(t, keys, names(row))
			data := byDate[row["date"].(string)].Data
			require.Equal(t, data["steps"], row["steps"])
			require.InDelta(t, data["elevation"]*withingstest.MetresPerFloor, row["elevation"], 1e-9)
		}
		var flat map[string]any
		w.ask(t, "/v2/measure", "action", "getactivity", "date", w.user.LastDay).decode(t, &flat)
		require.Equal(t, keys, names(flat))
		require.Equal(t, byDate[w.user.LastDay].Data["steps"], flat["steps"])
		require.JSONEq(t, "[]", string(w.ask(t, "/v2/measure", "action", "getactivity", "date", "2001-01-01").Body))
		require.Equal(t, 246, w.ask(t, "/v2/measure", "action", "getactivity", "date", "yesterday").Status)

		listing := quiet()
		listing.Days, listing.Legacy.ActivityList = 2, true
		l := newLegacyWorld(t, listing)
		l.ask(t, "/v2/measure", "action", "getactivity", "date", l.user.LastDay).decode(t, &body)
		require.Len(t, body.Activities, 1)
	})

	t.Run("getintradayactivity", func(t *testing.T) {
		from := truth.Intraday[0].Time
		var body struct{ Series map[string]map[string]any }
		w.ask(t, "/v2/measure", "action", "getintradayactivity", "startdate", strconv.FormatInt(from, 10),
			"enddate", strconv.FormatInt(from+86400, 10)).decode(t, &body)
		require.NotEmpty(t, body.Series)
		for _, p := range truth.Intraday {
			row, ok := body.Series[strconv.FormatInt(p.Time, 10)]
			if !ok {
				require.GreaterOrEqual(t, p.Time, from+86400)
				continue
			}
			require.Equal(t, p.Data["duration"], row["duration"])
			require.NotContains(t, row, "heart_rate")
			if floors, ok := p.Data["elevation"]; ok {
				require.InDelta(t, floors*withingstest.MetresPerFloor, row["elevation"], 1e-9)
			}
		}
		a := w.ask(t, "/v2/measure", "action", "getintradayactivity", "startdate", "1", "enddate", "2")
		require.JSONEq(t, `{"series":[]}`, string(a.Body))
		require.Equal(t, 246, w.ask(t, "/v2/measure", "action", "getintradayactivity", "startdate", "1", "enddate", "90000").Status)
	})

	t.Run("getworkouts", func(t *testing.T) {
		var body struct{ Series []map[string]any }
		w.ask(t, "/v2/measure", w.ymd("getworkouts")...).decode(t, &body)
		require.Len(t, body.Series, len(truth.Workouts))
		for _, row := range body.Series {
			require.Subset(t, []string{
				"attrib", "category", "data", "date", "enddate", "id", "model", "modified", "startdate", "timezone", "userid",
			}, names(row))
			i := slices.IndexFunc(truth.Workouts, func(o withingstest.Workout) bool { return float64(o.ID) == row["id"] })
			data := row["data"].(map[string]any)
			require.Equal(t, truth.Workouts[i].Data["hr_average"], data["hr_average"])
			require.LessOrEqual(t, data["effduration"], float64(truth.Workouts[i].End-truth.Workouts[i].Start))
			require.Contains(t, data, "metcumul")
			require.NotContains(t, data, "spo2_average")
		}
	})

	t.Run("sleep", func(t *testing.T) {
		var body struct {
			More   bool
			Series []map[string]any
		}
		w.ask(t, "/v2/sleep", w.ymd("getsummary")...).decode(t, &body)
		var nights []withingstest.Night
		for _, n := range truth.Nights {
			if _, external := n.Data["asleepduration"]; !external {
				nights = append(nights, n)
			}
		}
		require.Len(t, body.Series, len(nights))
		require.False(t, body.More)
		segments := map[int64]int64{} // by night
		trackers := 0
		for _, row := range body.Series {
			require.Equal(t, []string{"data", "date", "enddate", "id", "model", "modified", "startdate", "timezone"}, names(row))
			i := slices.IndexFunc(nights, func(n withingstest.Night) bool { return float64(n.ID) == row["id"] })
			data, want := row["data"].(map[string]any), nights[i].Data
			slept := data["lightsleepduration"].(float64) + data["deepsleepduration"].(float64)
			if nights[i].Model == 16 {
				trackers++
				require.NotContains(t, data, "remsleepduration")
			} else {
				slept += data["remsleepduration"].(float64)
			}
			require.Equal(t, want["total_sleep_time"], slept)
			require.NotContains(t, data, "sleep_score")
			segments[nights[i].ID] = int64(slept)
		}
		require.NotZero(t, trackers)
		last := nights[len(nights)-1]
		var detail struct {
			Model  int
			Series []map[string]int64
		}
		w.ask(t, "/v2/sleep", "action", "get", "startdate", strconv.FormatInt(last.Start, 10),
			"enddate", strconv.FormatInt(last.End, 10)).decode(t, &detail)
		require.Contains(t, []int{16, 32}, detail.Model)
		require.NotEmpty(t, detail.Series)
		for _, row := range detail.Series {
			require.Len(t, row, 3)
		}
		w.ask(t, "/v2/sleep", "action", "get", "startdate", strconv.FormatInt(last.Start-30*86400, 10),
			"enddate", strconv.FormatInt(last.End, 10)).decode(t, &detail)
		for _, row := range detail.Series {
			require.Less(t, row["startdate"], last.Start-23*86400, "seven days at most")
		}
		require.Equal(t, 246, w.ask(t, "/v2/sleep", "action", "get").Status)
	})

	t.Run("others", func(t *testing.T) {
		var body struct{ Users []map[string]any }
		w.ask(t, "/user", "action", "getbyuserid").decode(t, &body)
		require.Equal(t, []string{"birthdate", "fatmethod", "firstname", "gender", "id", "ispublic", "lastname", "shortname"}, names(body.Users[0]))
		require.Zero(t, read(t, w.get(t, legacyHost+"/once?action=probe")).Status)
		require.Equal(t, 2554, read(t, w.get(t, legacyHost+"/once?action=other")).Status)
		require.Equal(t, 342, read(t, w.get(t, legacyHost+"/user?action=getbyuserid&userid=10001")).Status)
	})
}

// TestLegacyTokenBecomesAGrant presents an OAuth 1.0 pair as a refresh token.
func TestLegacyTokenBecomesAGrant(t *testing.T) {
	pair := func(l withingstest.LegacyToken) string { return l.Token + ":" + l.Secret }
	measures := func(t *testing.T, w *legacyWorld) int { return w.ask(t, "/measure", "action", "getmeas").Status }

	t.Run("once", func(t *testing.T) {
		w := newLegacyWorld(t, quiet())
		var token tokenBody
		w.refresh(t, pair(w.legacy)).decode(t, &token)
		require.Equal(t, "user.info,user.metrics,user.activity", token.Scope)
		require.Zero(t, measures(t, w), "nobody used what it was exchanged for")
		require.Zero(t, post(t, w, "/measure", token.AccessToken, "action", "getmeas").Status)
		require.Equal(t, 283, measures(t, w))
		require.Equal(t, 503, w.refresh(t, pair(w.legacy)).Status)
		entry := w.Ledger().Legacy[0]
		require.True(t, entry.Migrated)
		require.False(t, entry.Alive)
		w.refresh(t, token.RefreshToken).decode(t, &token)
		require.Zero(t, post(t, w, "/measure", token.AccessToken, "action", "getmeas", "category", "1").Status)
	})
	t.Run("again when the answer was lost", func(t *testing.T) {
		w := newLegacyWorld(t, quiet())
		w.Fault(withingstest.Fault{Kind: withingstest.FaultTruncate, Path: withingstest.OAuthPath})
		serve(t, w, withingstest.OAuthPath, "", url.Values{
			"action": {"requesttoken"}, "grant_type": {"refresh_token"}, "client_id": {withingstest.DefaultClientID},
			"client_secret": {withingstest.DefaultClientSecret}, "refresh_token": {pair(w.legacy)},
		})
		w.clock.Add(time.Hour)
		var second, third tokenBody
		w.refresh(t, pair(w.legacy)).decode(t, &second)
		w.refresh(t, pair(w.legacy)).decode(t, &third)
		require.Equal(t, 401, post(t, w, "/measure", second.AccessToken, "action", "getmeas").Status)
		require.Zero(t, post(t, w, "/measure", third.AccessToken, "action", "getmeas").Status)
		presented := slices.IndexFunc(w.Ledger().Refresh, func(e withingstest.RefreshEntry) bool { return e.Token == pair(w.legacy) })
		require.Equal(t, 3, w.Ledger().Refresh[presented].Presented)
	})
	t.Run("not for long", func(t *testing.T) {
		w := newLegacyWorld(t, quiet())
		require.Zero(t, w.refresh(t, pair(w.legacy)).Status)
		w.clock.Add(8 * time.Hour)
		require.Equal(t, 503, w.refresh(t, pair(w.legacy)).Status)
	})
	t.Run("refused", func(t *testing.T) {
		w := newLegacyWorld(t, quiet())
		for _, text := range []string{w.legacy.Token, w.legacy.Token + ":", w.legacy.Token + ":x", "x:" + w.legacy.Secret, ":"} {
			require.Equal(t, 503, w.refresh(t, text).Status)
		}
		require.Equal(t, 503, w.refresh(t, pair(w.legacy), "client_secret", "x").Status)
		w.Unlink(w.user.ID)
		require.Equal(t, 503, w.refresh(t, pair(w.legacy)).Status)
	})
}

// TestBareTokenService uses the token service that answers without envelope with golang.org/x/oauth2 as it is.
func TestBareTokenService(t *testing.T) {
	w := newWorld(t, quiet())
	rec := serve(t, w, withingstest.TokenPath, "", params("grant_type", "authorization_code", "client_id", withingstest.DefaultClientID,
		"client_secret", withingstest.DefaultClientSecret, "redirect_uri", withingstest.DefaultRedirectURL, "code", w.code(t)))
	require.Equal(t, http.StatusOK, rec.Code)
	var token tokenBody
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &token))
	require.NotEmpty(t, token.AccessToken)
	require.Equal(t, 10800, token.ExpiresIn)

	cfg := oauth2.Config{
		ClientID: withingstest.DefaultClientID, ClientSecret: withingstest.DefaultClientSecret,
		Endpoint: oauth2.Endpoint{TokenURL: "https://account.example" + withingstest.TokenPath, AuthStyle: oauth2.AuthStyleInParams},
	}
	ctx := transportContext(t, w)
	renewed, err := cfg.TokenSource(ctx, &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
	require.NoError(t, err)
	require.EqualValues(t, "Bearer", renewed.TokenType)
	require.Zero(t, post(t, w, "/measure", renewed.AccessToken, "action", "getmeas").Status)
	_, err = cfg.TokenSource(ctx, &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
	require.ErrorContains(t, err, "400")
	refused := serve(t, w, withingstest.TokenPath, "", params("grant_type", "password"))
	require.Equal(t, http.StatusBadRequest, refused.Code)
	require.Contains(t, refused.Body.String(), `{"errors":[{"message":`)
}
