package withingstest_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/providers/withings/withingstest"
)

// reply is what a client on a real connection gets to see.
type reply struct {
	status int
	header http.Header
	body   string
	err    error // of the request or of reading the body
}

func (r reply) answer(t *testing.T) answer {
	t.Helper()
	require.NoError(t, r.err)
	var a answer
	require.NoError(t, json.Unmarshal([]byte(r.body), &a))
	return a
}

// overTheWire runs the world behind a listener and returns a caller of its data services.
func overTheWire(t *testing.T, w *world) func(ctx context.Context, path string, pairs ...string) reply {
	t.Helper()
	server := httptest.NewServer(http.StripPrefix("/withings", w))
	t.Cleanup(server.Close)
	client := server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	client.Transport.(*http.Transport).DisableKeepAlives = true // nothing is retried on a reused connection
	return func(ctx context.Context, path string, pairs ...string) reply {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/withings"+path, strings.NewReader(params(pairs...).Encode()))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Authorization", "Bearer "+w.token.AccessToken)
		resp, err := client.Do(r)
		if err != nil {
			return reply{err: err}
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return reply{resp.StatusCode, resp.Header, string(body), err}
	}
}

func TestFaultsBeforeTheWork(t *testing.T) {
	ctx := context.Background()
	for name, tc := range map[string]struct {
		fault withingstest.Fault
		check func(t *testing.T, r reply)
	}{
		"envelope": {withingstest.Fault{Kind: withingstest.FaultStatus, Status: 601, Wait: 30 * time.Second}, func(t *testing.T, r reply) {
			a := r.answer(t)
			require.Equal(t, 601, a.Status)
			require.JSONEq(t, `{"wait_seconds":30}`, string(a.Body))
		}},
		"http 429": {withingstest.Fault{Kind: withingstest.FaultHTTP, Status: 429, Wait: 9 * time.Second}, func(t *testing.T, r reply) {
			require.Equal(t, 429, r.status)
			require.Equal(t, "9", r.header.Get("Retry-After"))
		}},
		"http 500": {withingstest.Fault{Kind: withingstest.FaultHTTP}, func(t *testing.T, r reply) { require.Equal(t, 500, r.status) }},
		"reset":    {withingstest.Fault{Kind: withingstest.FaultReset}, func(t *testing.T, r reply) { require.Error(t, r.err) }},
		"redirect": {withingstest.Fault{Kind: withingstest.FaultRedirect, Location: "https://other.example/"}, func(t *testing.T, r reply) {
			require.Equal(t, 302, r.status)
			require.Equal(t, "https://other.example/", r.header.Get("Location"))
		}},
		"html":  {withingstest.Fault{Kind: withingstest.FaultHTML}, func(t *testing.T, r reply) { require.True(t, strings.HasPrefix(r.body, "<!DOCTYPE")) }},
		"empty": {withingstest.Fault{Kind: withingstest.FaultEmpty}, func(t *testing.T, r reply) { require.Empty(t, r.body); require.Equal(t, 200, r.status) }},
		"huge": {withingstest.Fault{Kind: withingstest.FaultHuge, Size: 3 << 20}, func(t *testing.T, r reply) {
			require.Len(t, r.body, 3<<20)
			require.Zero(t, r.answer(t).Status)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, withingstest.Config{})
			call := overTheWire(t, w)
			w.Fault(tc.fault)
			tc.check(t, call(ctx, withingstest.UserPath, "action", "getdevice"))
			require.Zero(t, call(ctx, withingstest.UserPath, "action", "getdevice").answer(t).Status, "one fault, and no call was done before")
			log := w.Requests()
			require.Len(t, log, 2)
			require.Equal(t, tc.fault.Kind, log[0].Fault)
			require.Equal(t, -1, log[0].Status)
			require.Empty(t, log[1].Fault)
		})
	}
}

func TestFaultHang(t *testing.T) {
	w := newWorld(t, withingstest.Config{})
	call := overTheWire(t, w)
	w.Fault(withingstest.Fault{Kind: withingstest.FaultHang})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, call(ctx, withingstest.UserPath, "action", "getdevice").err, context.DeadlineExceeded)
}

func TestFaultsAfterTheWork(t *testing.T) {
	for name, tc := range map[string]struct {
		kind  withingstest.FaultKind
		check func(t *testing.T, r reply)
	}{
		"lost":     {withingstest.FaultLost, func(t *testing.T, r reply) { require.Error(t, r.err) }},
		"cut":      {withingstest.FaultCut, func(t *testing.T, r reply) { require.Error(t, r.err) }},
		"truncate": {withingstest.FaultTruncate, func(t *testing.T, r reply) { require.NoError(t, r.err); require.False(t, json.Valid([]byte(r.body))) }},
		"slow":     {withingstest.FaultSlow, func(t *testing.T, r reply) { require.Zero(t, r.answer(t).Status) }},
		"no body":  {withingstest.FaultNoBody, func(t *testing.T, r reply) { require.Equal(t, `{"status":0}`, r.body) }},
		"null":     {withingstest.FaultNullBody, func(t *testing.T, r reply) { require.Contains(t, r.body, `"body":null`) }},
		"array":    {withingstest.FaultArrayBody, func(t *testing.T, r reply) { require.Contains(t, r.body, `"body":[]`) }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, withingstest.Config{})
			call := overTheWire(t, w)
			w.Fault(withingstest.Fault{Kind: tc.kind, Path: withingstest.OAuthPath, Action: "requesttoken"})
			tc.check(t, call(t.Context(), withingstest.OAuthPath, "action", "requesttoken", "grant_type", "refresh_token",
				"client_id", withingstest.DefaultClientID, "client_secret", withingstest.DefaultClientSecret, "refresh_token", w.token.RefreshToken))
			l := w.Ledger().Refresh
			require.Len(t, l, 2, "the token was rotated although the client could not read it")
			require.Equal(t, 1, l[0].Accepted)
		})
	}
}

func TestFaultsInTheData(t *testing.T) {
	measures := []string{"action", "getmeas"}
	body := func(t *testing.T, r reply) object { return parse(t, r.answer(t).Body) }
	for name, tc := range map[string]struct {
		fault withingstest.Fault
		path  string
		pairs []string
		check func(t *testing.T, r reply)
	}{
		"offset back": {withingstest.Fault{Kind: withingstest.FaultOffsetBack}, withingstest.MeasurePath, append(measures, "offset", "5"), func(t *testing.T, r reply) {
			require.Equal(t, int64(4), body(t, r).int("offset"))
			require.Equal(t, true, body(t, r)["more"])
		}},
		"offset stuck": {withingstest.Fault{Kind: withingstest.FaultOffsetStuck}, withingstest.MeasurePath, append(measures, "offset", "5"), func(t *testing.T, r reply) {
			require.Equal(t, int64(5), body(t, r).int("offset"))
		}},
		"more int": {withingstest.Fault{Kind: withingstest.FaultMoreInt}, withingstest.SleepPath, []string{"action", "getsummary", "lastupdate", "1"}, func(t *testing.T, r reply) {
			require.Equal(t, json.Number("1"), body(t, r)["more"])
		}},
		"more bool": {withingstest.Fault{Kind: withingstest.FaultMoreBool}, withingstest.MeasurePath, measures, func(t *testing.T, r reply) {
			require.Equal(t, true, body(t, r)["more"])
		}},
		"more absent": {withingstest.Fault{Kind: withingstest.FaultMoreAbsent}, withingstest.SleepPath, []string{"action", "getsummary", "lastupdate", "1"}, func(t *testing.T, r reply) {
			require.NotContains(t, body(t, r), "more")
			require.NotContains(t, body(t, r), "offset")
		}},
		"series array": {withingstest.Fault{Kind: withingstest.FaultSeriesArray}, withingstest.MeasureV2Path, []string{"action", "getintradayactivity"}, func(t *testing.T, r reply) {
			require.Equal(t, []any{}, body(t, r)["series"])
		}},
		"strings": {withingstest.Fault{Kind: withingstest.FaultStrings}, withingstest.MeasurePath, measures, func(t *testing.T, r reply) {
			group := object(body(t, r)["measuregrps"].([]any)[0].(map[string]any))
			require.NotEmpty(t, group.text("grpid"))
			require.NotEmpty(t, object(group["measures"].([]any)[0].(map[string]any)).text("value"))
		}},
		"wrong types": {withingstest.Fault{Kind: withingstest.FaultWrongTypes}, withingstest.MeasurePath, measures, func(t *testing.T, r reply) {
			require.Equal(t, true, body(t, r)["measuregrps"].([]any)[0].(map[string]any)["grpid"])
			require.Equal(t, json.Number(strconv.FormatInt(newClock().t.Unix(), 10)), body(t, r)["updatetime"])
		}},
		"unknown field": {withingstest.Fault{Kind: withingstest.FaultUnknownField}, withingstest.MeasurePath, measures, func(t *testing.T, r reply) {
			require.Contains(t, body(t, r)["measuregrps"].([]any)[0], "added_without_notice")
		}},
		"rewrite": {withingstest.Fault{Kind: withingstest.FaultRewrite, Rewrite: func(b []byte) []byte { return append([]byte("\xef\xbb\xbf"), b...) }}, withingstest.MeasurePath, measures, func(t *testing.T, r reply) {
			require.True(t, strings.HasPrefix(r.body, "\xef\xbb\xbf{"))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, withingstest.Config{PageSize: 10, RateLimit: off, IdenticalCallWindow: off})
			call := overTheWire(t, w)
			proper := call(t.Context(), tc.path, tc.pairs...)
			w.Fault(tc.fault)
			corrupt := call(t.Context(), tc.path, tc.pairs...)
			require.NotEqual(t, proper.body, corrupt.body)
			tc.check(t, corrupt)
			require.Equal(t, proper.body, call(t.Context(), tc.path, tc.pairs...).body)
		})
	}
}

func TestFaultRepeatPage(t *testing.T) {
	w := newWorld(t, withingstest.Config{PageSize: 5, RateLimit: off, IdenticalCallWindow: off})
	w.Fault(withingstest.Fault{Kind: withingstest.FaultRepeatPage, Action: "getmeas", Count: -1})
	first := parse(t, w.data(t, withingstest.MeasurePath, "action", "getmeas").Body)
	for i := range 20 {
		next := parse(t, w.data(t, withingstest.MeasurePath, "action", "getmeas", "offset", strconv.Itoa(i+1)).Body)
		require.Equal(t, first["measuregrps"], next["measuregrps"])
		require.Equal(t, int64(i+2), next.int("offset"))
	}
	require.Equal(t, "20", w.Requests()[20].Params.Get("offset"), "the log has what the client asked")
	w.ClearFaults()
	require.NotEqual(t, first["measuregrps"], parse(t, w.data(t, withingstest.MeasurePath, "action", "getmeas", "offset", "5").Body)["measuregrps"])
}

func TestFaultMatching(t *testing.T) {
	w := newWorld(t, quiet())
	other := w.AddUser(withingstest.UserConfig{})
	second := w.Login(other.ID)
	status := func(token, path, action string) int { return post(t, w, path, token, "action", action).Status }
	fault := withingstest.Fault{Kind: withingstest.FaultStatus, Status: 522, Path: withingstest.UserPath, Action: "getgoals", UserID: other.ID, Skip: 1, Count: 2}
	w.Fault(fault)
	require.Zero(t, status(second.AccessToken, withingstest.UserPath, "getdevice"))
	require.Zero(t, status(second.AccessToken, withingstest.MeasurePath, "getmeas"))
	require.Zero(t, status(w.token.AccessToken, withingstest.UserPath, "getgoals"))
	require.Zero(t, status(second.AccessToken, withingstest.UserPath, "getgoals"), "skipped")
	require.Equal(t, 522, status(second.AccessToken, withingstest.UserPath, "getgoals"))
	require.Equal(t, 522, status(second.AccessToken, withingstest.UserPath, "getgoals"))
	require.Zero(t, status(second.AccessToken, withingstest.UserPath, "getgoals"), "used up")

	w.Fault(withingstest.Fault{Kind: withingstest.FaultStatus, Status: 503, Path: withingstest.OAuthPath, UserID: other.ID})
	require.Zero(t, w.refresh(t, w.token.RefreshToken).Status)
	require.Equal(t, 503, w.refresh(t, second.RefreshToken).Status)
	require.Zero(t, w.refresh(t, second.RefreshToken).Status)
}
