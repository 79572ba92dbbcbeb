package googlehealth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
)

func answerOf(status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
		Header: http.Header{"Content-Type": {"application/json"}, "Date": {answered.Format(http.TimeFormat)}},
	}
}

// script answers requests and notes them.
type script struct {
	asked  []*http.Request
	bodies []string
	answer func(r *http.Request, body string) (int, string)
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	body := ""
	if r.Body != nil {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		body = string(b)
	}
	s.asked, s.bodies = append(s.asked, r), append(s.bodies, body)
	return answerOf(s.answer(r, body)), nil
}

func scripted(t testing.TB, cfg Config, answer func(r *http.Request, body string) (int, string)) (*Provider, *script) {
	s := &script{answer: answer}
	cfg.Transport, cfg.MaxWait = s, -1
	return testProvider(t, cfg), s
}

var cred = providers.Credential{
	UpstreamID: "1234567890", Access: providers.NewSecret("access-token"), Refresh: providers.NewSecret("refresh-token"),
}

func dayAt2026(month, dom int) health.Day {
	d, err := health.NewDay(2026, month, dom)
	if err != nil {
		panic(err)
	}
	return d
}

var november = health.Window{First: dayAt2026(11, 1), Last: dayAt2026(11, 20)}

func TestRequests(t *testing.T) {
	one := health.Window{First: dayAt2026(11, 20), Last: dayAt2026(11, 20)}
	dst := health.Window{First: dayAt2026(10, 25), Last: dayAt2026(10, 25)}
	for _, c := range []struct {
		stream   string
		cfg      Config
		window   health.Window
		zone     *time.Location
		path     string
		filter   string
		pageSize string
		body     string
	}{
		{"sleep", Config{}, november, nil, "sleep/dataPoints:reconcile", `sleep.interval.civil_end_time >= "2026-11-01" AND sleep.interval.civil_end_time < "2026-11-21"`, "25", ""},
		{"exercise", Config{BySource: true}, november, nil, "exercise/dataPoints", `exercise.interval.civil_start_time >= "2026-11-01" AND exercise.interval.civil_start_time < "2026-11-21"`, "25", ""},
		{"weight", Config{}, november, nil, "weight/dataPoints:reconcile", `weight.sample_time.civil_time >= "2026-11-01" AND weight.sample_time.civil_time < "2026-11-21"`, "10000", ""},
		{"daily_vo2_max", Config{}, november, nil, "daily-vo2-max/dataPoints:reconcile", `daily_vo2_max.date >= "2026-11-01" AND daily_vo2_max.date < "2026-11-21"`, "10000", ""},
		{"heart_rate", Config{}, one, berlin(), "heart-rate/dataPoints:reconcile", `heart_rate.sample_time.physical_time >= "2026-11-19T23:00:00Z" AND heart_rate.sample_time.physical_time < "2026-11-20T23:00:00Z"`, "10000", ""},
		{"heart_rate", Config{}, one, nil, "heart-rate/dataPoints:reconcile", `heart_rate.sample_time.physical_time >= "2026-11-20T00:00:00Z" AND heart_rate.sample_time.physical_time < "2026-11-21T00:00:00Z"`, "10000", ""},
		{"steps", Config{BySource: true}, dst, berlin(), "steps/dataPoints", `steps.interval.start_time >= "2026-10-24T22:00:00Z" AND steps.interval.start_time < "2026-10-25T23:00:00Z"`, "10000", ""},
		{"floors", Config{BySource: true, Streams: []string{"floors"}}, one, nil, "floors/dataPoints:reconcile", `floors.interval.start_time >= "2026-11-20T00:00:00Z" AND floors.interval.start_time < "2026-11-21T00:00:00Z"`, "10000", ""},
		{"electrocardiogram", Config{}, health.Window{From: answered.Add(-day), To: answered}, nil, "electrocardiogram/dataPoints", `electrocardiogram.interval.start_time >= "2026-11-20T12:00:00Z"`, "50", ""},
		{"steps_daily", Config{}, november, nil, "steps/dataPoints:dailyRollUp", "", "", `{"range":{"start":{"date":{"year":2026,"month":11,"day":1}},"end":{"date":{"year":2026,"month":11,"day":21}}},"windowSizeDays":1,"pageSize":90}`},
		{"heart_rate_daily", Config{Family: FamilyGoogleWearables}, one, nil, "heart-rate/dataPoints:dailyRollUp", "", "", `{"range":{"start":{"date":{"year":2026,"month":11,"day":20}},"end":{"date":{"year":2026,"month":11,"day":21}}},"windowSizeDays":1,"pageSize":14,"dataSourceFamily":"users/me/dataSourceFamilies/google-wearables"}`},
		{"steps_hourly", Config{Streams: []string{"steps_hourly"}}, one, time.FixedZone("", 5*3600+1800), "steps/dataPoints:rollUp", "", "", `{"range":{"startTime":"2026-11-19T18:00:00Z","endTime":"2026-11-20T18:00:00Z"},"windowSize":"3600s","pageSize":10000}`},
		{"nutrition_log_hourly", Config{Streams: []string{"nutrition_log_hourly"}}, one, time.FixedZone("", 5*3600+1800), "nutrition-log/dataPoints:rollUp", "", "", `{"range":{"startTime":"2026-11-19T18:00:00Z","endTime":"2026-11-20T18:00:00Z"},"windowSize":"3600s","pageSize":10000}`},
	} {
		t.Run(c.stream, func(t *testing.T) {
			p, s := scripted(t, c.cfg, func(*http.Request, string) (int, string) { return http.StatusOK, `{}` })
			page, err := p.Fetch(context.Background(), cred, providers.Query{Stream: c.stream, Window: c.window, Zone: c.zone})
			require.NoError(t, err)
			require.False(t, page.More)
			require.Len(t, s.asked, 1)
			r := s.asked[0]
			require.Equal(t, "https://health.googleapis.com/v4/users/me/dataTypes/"+c.path, r.URL.Scheme+"://"+r.URL.Host+r.URL.Path)
			require.Equal(t, "Bearer access-token", r.Header.Get("Authorization"))
			require.Equal(t, c.filter, r.URL.Query().Get("filter"))
			require.Equal(t, c.pageSize, r.URL.Query().Get("pageSize"))
			require.Equal(t, c.body, s.bodies[0])
		})
	}
}

// TestTheFirstDayAfterAJourney: what is asked for by instants begins where the
// last day ended, and the answer maps to the same records again.
func TestTheFirstDayAfterAJourney(t *testing.T) {
	at := func(dom, hour int) time.Time { return time.Date(2026, 11, dom, hour, 0, 0, 0, time.UTC) }
	two := health.Window{First: dayAt2026(11, 19), Last: dayAt2026(11, 20)}
	one := health.Window{First: two.Last, Last: two.Last}
	hour := func(from time.Time) string {
		return fmt.Sprintf(`{"startTime":%q,"endTime":%q,"steps":{"countSum":"7"}}`, from.Format(time.RFC3339), from.Add(time.Hour).Format(time.RFC3339))
	}
	point := func(from time.Time) string {
		return fmt.Sprintf(`{"steps":{"interval":{"startTime":%q,"endTime":%q},"count":"7"}}`, from.Format(time.RFC3339), from.Add(time.Minute).Format(time.RFC3339))
	}
	for _, c := range []struct {
		name   string
		stream string
		window health.Window
		begins time.Time
		asked  string
		answer string
		keys   []string // and when their series begin
	}{
		{"dense, west", "steps", one, at(19, 14), `steps.interval.start_time >= "2026-11-19T14:00:00Z" AND steps.interval.start_time < "2026-11-20T23:00:00Z"`,
			`{"dataPoints":[` + point(at(19, 14)) + `]}`, []string{"steps/2026-11-20 2026-11-19T14:00:00Z"}},
		{"dense, east", "steps", one, at(20, 8), `steps.interval.start_time >= "2026-11-20T08:00:00Z" AND steps.interval.start_time < "2026-11-20T23:00:00Z"`,
			`{"dataPoints":[` + point(at(20, 8)) + `]}`, []string{"steps/2026-11-20 2026-11-20T08:00:00Z"}},
		{"dense, over before it begins", "steps", one, at(20, 23), "", "", nil},
		{"hours, west", "steps_hourly", two, at(18, 14), `"range":{"startTime":"2026-11-18T14:00:00Z","endTime":"2026-11-20T23:00:00Z"}`,
			`{"rollupDataPoints":[` + hour(at(18, 14)) + `,` + hour(at(20, 1)) + `]}`,
			[]string{"steps_hourly/2026-11-19 2026-11-18T14:00:00Z", "steps_hourly/2026-11-20 2026-11-19T23:00:00Z"}},
		{"hours, the first day is left out", "steps_hourly", two, at(20, 1), `"range":{"startTime":"2026-11-20T01:00:00Z","endTime":"2026-11-20T23:00:00Z"}`,
			`{"rollupDataPoints":[` + hour(at(20, 1)) + `]}`, []string{"steps_hourly/2026-11-20 2026-11-20T01:00:00Z"}},
		{"hours, over before they begin", "steps_hourly", two, at(20, 23), "", "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, s := scripted(t, Config{Streams: []string{c.stream}}, func(*http.Request, string) (int, string) { return http.StatusOK, c.answer })
			page, err := p.Fetch(context.Background(), cred, providers.Query{Stream: c.stream, Window: c.window, Zone: berlin(), Begins: c.begins})
			require.NoError(t, err)
			if c.asked == "" {
				require.Empty(t, s.asked)
				require.Zero(t, page)
				return
			}
			require.Len(t, s.asked, 1)
			require.Contains(t, s.asked[0].URL.Query().Get("filter")+s.bodies[0], c.asked)
			require.Empty(t, page.Quarantined)
			var keys []string
			for _, r := range page.Records {
				keys = append(keys, r.Key+" "+time.UnixMilli(r.Series[0].From).UTC().Format(time.RFC3339))
			}
			require.Equal(t, c.keys, keys)
			again, err := p.Remap(health.RawPage{Stream: c.stream, Date: page.Date, Zone: berlin().String(), Bodies: page.Raw})
			require.NoError(t, err)
			require.Equal(t, page.Records, again)
		})
	}
}

func TestSleepTakesNoFamilyInLists(t *testing.T) {
	p, s := scripted(t, Config{BySource: true, Family: FamilyGoogleWearables}, func(*http.Request, string) (int, string) { return http.StatusOK, `{}` })
	for _, stream := range []string{"sleep", "exercise"} {
		_, err := p.Fetch(context.Background(), cred, providers.Query{Stream: stream, Window: november})
		require.NoError(t, err)
	}
	require.Empty(t, s.asked[0].URL.Query().Get("dataSourceFamily"))
	require.Equal(t, "users/me/dataSourceFamilies/google-wearables", s.asked[1].URL.Query().Get("dataSourceFamily"))
}

func TestQueriesThatCannotBeAsked(t *testing.T) {
	p, s := scripted(t, Config{}, func(*http.Request, string) (int, string) { return http.StatusOK, `{}` })
	instants := health.Window{From: answered.Add(-day), To: answered}
	for _, q := range []providers.Query{
		{Stream: "sleep", Window: instants}, {Stream: "sleep"}, {Stream: "sleep", Window: health.Window{First: november.Last, Last: november.First}},
		{Stream: "heart_rate", Window: november}, {Stream: "electrocardiogram", Window: november}, {Stream: "steps_daily", Window: instants},
		{Stream: "sleep", HighWater: "1"}, {Stream: "settings", PageToken: "x"}, {Stream: "sleep", Window: november, PageToken: "x"},
		{Stream: "sleep", Window: november, PageToken: "26.x"}, {Stream: "sleep", Window: november, PageToken: "0.x"},
		{Stream: "sleep", Window: november, PageToken: "+5.x"}, {Stream: "steps_daily", Window: november, PageToken: ".."},
	} {
		_, err := p.Fetch(context.Background(), cred, q)
		require.ErrorIs(t, err, providers.ErrInvalid, q.Stream)
	}
	_, err := p.Fetch(context.Background(), cred, providers.Query{Stream: "steps_hourly", Window: november})
	require.ErrorIs(t, err, errors.ErrUnsupported, "an optional stream that was not asked for")
	require.Empty(t, s.asked)
}

func TestAnswersThatTakeTooLongAreAskedForInSmallerPages(t *testing.T) {
	var sizes []string
	p, s := scripted(t, Config{}, func(r *http.Request, _ string) (int, string) {
		size := r.URL.Query().Get("pageSize")
		sizes = append(sizes, size+"/"+r.URL.Query().Get("pageToken"))
		if len(size) > 3 || r.URL.Query().Get("pageToken") == "slow" {
			return http.StatusGatewayTimeout, `{}`
		}
		if r.URL.Query().Get("pageToken") == "" {
			return http.StatusOK, `{"nextPageToken":"b"}`
		}
		return http.StatusOK, `{}`
	})
	pages := 0
	for page, err := range providers.Pages(context.Background(), p, cred, providers.Query{Stream: "weight", Window: november}) {
		require.NoError(t, err)
		require.Empty(t, page.Records)
		pages++
	}
	require.Equal(t, []string{"10000/", "2500/", "625/", "625/b"}, sizes)
	require.Equal(t, 4, pages)

	// A page in the middle that takes too long begins the walk anew.
	page, err := p.Fetch(context.Background(), cred, providers.Query{Stream: "weight", Window: november, PageToken: "625.slow"})
	require.NoError(t, err)
	require.True(t, page.More)
	require.Equal(t, "156.", page.PageToken)

	sizes = nil
	_, err = p.Fetch(context.Background(), cred, providers.Query{Stream: "heart_rate", Window: health.Window{First: november.Last, Last: november.Last}})
	require.NoError(t, err)
	require.Equal(t, []string{"10000/", "2500/", "625/", "625/b"}, sizes, "a day is one page")

	s.answer = func(*http.Request, string) (int, string) { return http.StatusGatewayTimeout, `` }
	_, err = p.Fetch(context.Background(), cred, providers.Query{Stream: "weight", Window: november, PageToken: "10."})
	require.ErrorIs(t, err, providers.ErrUnavailable)
	_, err = p.Fetch(context.Background(), cred, providers.Query{Stream: "steps", Window: health.Window{First: november.Last, Last: november.Last}})
	require.Error(t, err)
}

func TestPagesThatDoNotEnd(t *testing.T) {
	p, _ := scripted(t, Config{}, func(*http.Request, string) (int, string) { return http.StatusOK, `{"nextPageToken":"a"}` })
	one := health.Window{First: november.Last, Last: november.Last}
	for _, q := range []providers.Query{
		{Stream: "sleep", Window: november, PageToken: "25.a"}, {Stream: "heart_rate", Window: one}, {Stream: "steps_daily", Window: one, PageToken: "90.a"},
	} {
		_, err := p.Fetch(context.Background(), cred, q)
		e, _ := errors.AsType[*providers.Error](err)
		require.NotNil(t, e, q.Stream)
		require.Equal(t, providers.CodePageLoop, e.Code)
	}
	n := 0
	p, s := scripted(t, Config{}, func(*http.Request, string) (int, string) {
		n++
		return http.StatusOK, fmt.Sprintf(`{"nextPageToken":"%d"}`, n)
	})
	_, err := p.Fetch(context.Background(), cred, providers.Query{Stream: "heart_rate", Window: one})
	require.ErrorIs(t, err, providers.ErrMalformed)
	require.Len(t, s.asked, callsPerDay)
}

// The body mass index is of the weight and the height of then, which a page of
// weights asks for besides; without a height there is none.
func TestBodyMassIndex(t *testing.T) {
	weights := `{"dataPoints":[` +
		`{"weight":{"sampleTime":{"physicalTime":"2026-11-20T06:00:00Z","utcOffset":"3600s"},"weightGrams":72000}},` +
		`{"weight":{"sampleTime":{"physicalTime":"2026-11-02T06:00:00Z","utcOffset":"3600s"},"weightGrams":68038.8555}}]}` // 150 lb
	tall := func(day, mm string) string {
		return `{"height":{"sampleTime":{"physicalTime":"2026-` + day + `T06:00:00Z","utcOffset":"3600s"},"heightMillimeters":` + mm + `}}`
	}
	window := health.Window{First: dayAt2026(11, 1), Last: dayAt2026(11, 20)}
	for name, c := range map[string]struct {
		heights []string // answers, one after the other
		want    []float64
		aside   int
	}{
		"one height":            {[]string{`{"dataPoints":[` + tall("01-01", `"1800"`) + `]}`}, []float64{22.2222, 20.9996}, 0},
		"another one since":     {[]string{`{"dataPoints":[` + tall("11-10", `"1820"`) + `,` + tall("01-01", `"1800"`) + `]}`}, []float64{21.7365, 20.9996}, 0},
		"a first one after":     {[]string{`{"dataPoints":[` + tall("11-10", `1820`) + `]}`}, []float64{21.7365, 20.5406}, 0},
		"an empty page first":   {[]string{`{"nextPageToken":"2"}`, `{"dataPoints":[` + tall("01-01", `"1800"`) + `]}`}, []float64{22.2222, 20.9996}, 0},
		"pages that stay empty": {[]string{`{"nextPageToken":"2"}`, `{"nextPageToken":"3"}`, `{"nextPageToken":"4"}`}, nil, 0},
		"no height":             {[]string{`{}`}, nil, 0},
		"heights that are none": {[]string{`{"dataPoints":[` + tall("01-01", `"0"`) + `,` + tall("01-02", `"tall"`) + `,` + tall("01-03", `"9000"`) + `,7]}`}, nil, 4},
	} {
		n := 0
		p, s := scripted(t, Config{}, func(r *http.Request, _ string) (int, string) {
			if !strings.Contains(r.URL.Path, "/height/") {
				return http.StatusOK, weights
			}
			require.Equal(t, `height.sample_time.civil_time < "2026-11-21"`, r.URL.Query().Get("filter"))
			n++
			return http.StatusOK, c.heights[n-1]
		})
		page, err := p.Fetch(context.Background(), cred, providers.Query{Stream: "weight", Window: window})
		require.NoError(t, err, name)
		require.Len(t, s.asked, 1+len(c.heights), name)
		require.Len(t, page.Quarantined, c.aside, name)
		require.Len(t, page.Records, 2, name)
		var got []float64
		for _, r := range page.Records {
			for _, v := range r.Values {
				if v.Metric == health.MetricBMI {
					require.Equal(t, health.FlagInexact, v.Flags)
					got = append(got, v.Number.Float())
				}
			}
		}
		require.InDeltaSlice(t, c.want, got, 1e-4, name)
		again, err := p.Remap(health.RawPage{Stream: "weight", Date: page.Date, Bodies: page.Raw})
		require.NoError(t, err, name)
		require.Equal(t, page.Records, again, name)
	}
	p, s := scripted(t, Config{}, func(*http.Request, string) (int, string) { return http.StatusOK, `{}` })
	_, err := p.Fetch(context.Background(), cred, providers.Query{Stream: "weight", Window: window})
	require.NoError(t, err)
	require.Len(t, s.asked, 1, "without weights nothing else is asked for")
}

// A day by the second, 90,000 points where clocks go back, also fits when the
// service cannot answer with large pages.
func TestADayBySecondsInSmallPages(t *testing.T) {
	const points = 25 * 3600
	one := health.Window{First: november.Last, Last: november.Last}
	p, s := scripted(t, Config{}, func(r *http.Request, _ string) (int, string) {
		size, _ := strconv.Atoi(r.URL.Query().Get("pageSize"))
		if size > 2500 {
			return http.StatusGatewayTimeout, `{}`
		}
		read, _ := strconv.Atoi(r.URL.Query().Get("pageToken"))
		if read += size; read < points {
			return http.StatusOK, fmt.Sprintf(`{"nextPageToken":"%d"}`, read)
		}
		return http.StatusOK, `{}`
	})
	page, err := p.Fetch(context.Background(), cred, providers.Query{Stream: "heart_rate", Window: one})
	require.NoError(t, err)
	require.Len(t, s.asked, 1+points/2500)
	require.Equal(t, len(s.asked), page.Requests, "the one that took too long counts")
}

func TestRefusals(t *testing.T) {
	body := func(status, reason, message string) string {
		return fmt.Sprintf(`{"error":{"code":400,"message":%q,"status":%q,"details":[{"@type":"type.googleapis.com/google.rpc.Help"},`+
			`{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":%q,"domain":"health.googleapis.com"}]}}`, message, status, reason)
	}
	for _, c := range []struct {
		status  int
		body    string
		kind    error
		code    string
		expired bool
		client  bool
	}{
		{400, body("INVALID_ARGUMENT", "INVALID_DATA_POINT_FILTER_DATA_TYPE_MEMBER", ""), providers.ErrInvalid, "INVALID_DATA_POINT_FILTER_DATA_TYPE_MEMBER", false, false},
		{400, body("INVALID_ARGUMENT", "INVALID_TIME_RANGE", ""), providers.ErrInvalid, "INVALID_TIME_RANGE", false, false},
		{400, body("FAILED_PRECONDITION", "ACCOUNT_NOT_LINKED", ""), providers.ErrReauth, CodeNotLinked, false, false},
		{400, `{"error":{"status":"FAILED_PRECONDITION"}}`, providers.ErrInvalid, "FAILED_PRECONDITION", false, false},
		{401, body("UNAUTHENTICATED", "CREDENTIALS_MISSING", ""), providers.ErrReauth, "CREDENTIALS_MISSING", true, false},
		{401, ``, providers.ErrReauth, "", true, false},
		{403, body("PERMISSION_DENIED", "ACCESS_TOKEN_SCOPE_INSUFFICIENT", ""), providers.ErrForbidden, "ACCESS_TOKEN_SCOPE_INSUFFICIENT", false, false},
		{403, body("PERMISSION_DENIED", "", "Couldn't mint GaiaMint for the account"), providers.ErrReauth, CodeLegacyAccount, false, false},
		{403, body("PERMISSION_DENIED", "SERVICE_DISABLED", ""), providers.ErrInvalid, "SERVICE_DISABLED", false, true},
		{403, body("PERMISSION_DENIED", "", "Google Health API has not been used in project 4 before or it is disabled."), providers.ErrInvalid, "PERMISSION_DENIED", false, true},
		{403, `<html>`, providers.ErrForbidden, "", false, false},
		{404, body("NOT_FOUND", "", ""), providers.ErrNotFound, "NOT_FOUND", false, false},
		{429, body("RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED", ""), providers.ErrRateLimited, "RATE_LIMIT_EXCEEDED", false, false},
		{500, ``, providers.ErrUnavailable, "", false, false},
		{503, body("UNAVAILABLE", "", ""), providers.ErrUnavailable, "UNAVAILABLE", false, false},
		{400, `{"error":{"status":"secret-canary in lower case"}}`, providers.ErrInvalid, "", false, false},
	} {
		p, _ := scripted(t, Config{}, func(*http.Request, string) (int, string) { return c.status, c.body })
		_, err := p.Fetch(context.Background(), cred, providers.Query{Stream: "sleep", Window: november})
		e, ok := errors.AsType[*providers.Error](err)
		require.True(t, ok)
		require.ErrorIs(t, err, c.kind, c.body)
		require.Equal(t, c.code, e.Code)
		require.Equal(t, c.expired, e.ExpiredAccess)
		require.Equal(t, c.client, e.ClientFault)
		require.NotContains(t, err.Error(), "canary")
	}
	p, s := scripted(t, Config{}, func(*http.Request, string) (int, string) { return 503, `` })
	s.answer = func(*http.Request, string) (int, string) { return 200, body("X", "RATE_LIMIT_EXCEEDED", "") }
	_, err := p.Fetch(context.Background(), cred, providers.Query{Stream: "sleep", Window: november})
	require.ErrorIs(t, err, providers.ErrRateLimited, "an answer 200 that is an error")
}

func TestTokenAnswers(t *testing.T) {
	const usual = `"access_token":"new-access","token_type":"Bearer","expires_in":3599,"scope":"` + ScopeSleep + `"`
	for _, c := range []struct {
		name, body string
		status     int
		kind       error
		ambiguous  bool
		lifetime   time.Duration
	}{
		{"the refresh token stays", `{` + usual + `}`, 200, nil, false, 3599 * time.Second},
		{"a new refresh token is taken", `{` + usual + `,"refresh_token":"another"}`, 200, nil, false, 3599 * time.Second},
		{"lifetime as text", `{"access_token":"new-access","expires_in":"3599"}`, 200, nil, false, 3599 * time.Second},
		{"no lifetime", `{"access_token":"new-access"}`, 200, nil, false, time.Hour},
		{"lifetime 0", `{"access_token":"new-access","expires_in":0}`, 200, nil, false, time.Minute},
		{"dead", `{"error":"invalid_grant","error_description":"Token has been expired or revoked."}`, 400, providers.ErrReauth, false, 0},
		{"application", `{"error":"invalid_client"}`, 401, providers.ErrInvalid, false, 0},
		{"an empty object", `{}`, 200, providers.ErrMalformed, true, 0},
		{"two tokens", `{` + usual + `,"access_token":"b"}`, 200, providers.ErrMalformed, true, 0},
		{"a web page", `<html>`, 200, providers.ErrMalformed, true, 0},
		{"not a bearer token", `{"access_token":"a","token_type":"mac"}`, 200, providers.ErrMalformed, true, 0},
		{"500", ``, 500, providers.ErrUnavailable, true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, s := scripted(t, Config{}, func(*http.Request, string) (int, string) { return c.status, c.body })
			before := time.Now()
			got, err := p.Refresh(context.Background(), cred)
			require.Len(t, s.asked, 1, "exactly one request")
			require.Equal(t, "https://oauth2.googleapis.com/token", s.asked[0].URL.String())
			sent, _ := url.ParseQuery(s.bodies[0])
			require.Equal(t, url.Values{
				"grant_type": {"refresh_token"}, "client_id": {"client"}, "client_secret": {"client-secret"}, "refresh_token": {"refresh-token"},
			}, sent)
			if c.kind != nil {
				e, _ := errors.AsType[*providers.Error](err)
				require.ErrorIs(t, err, c.kind)
				require.Equal(t, c.ambiguous, e.Ambiguous)
				return
			}
			require.NoError(t, err)
			require.Equal(t, "new-access", got.Access.Reveal())
			require.False(t, got.Refresh.IsZero())
			require.Equal(t, cred.UpstreamID, got.UpstreamID)
			require.WithinDuration(t, before.Add(c.lifetime), got.ExpiresAt, 5*time.Second)
		})
	}
}

func TestConsent(t *testing.T) {
	var log bytes.Buffer
	who := `{"name":"users/me/identity","healthUserId":"1234567890","legacyUserId":"ABC123"}`
	p, s := scripted(t, Config{RedirectURL: "https://app.example.com/cb", Logger: slog.New(slog.NewTextHandler(&log, nil))}, func(r *http.Request, _ string) (int, string) {
		if r.URL.Path == "/token" {
			return 200, `{"access_token":"access","refresh_token":"refresh","expires_in":3599,"refresh_token_expires_in":604799,"scope":"` + ScopeSleep + " " + ScopeECG + `"}`
		}
		return 200, who
	})
	start, err := p.Authorize(context.Background(), providers.AuthRequest{State: "xyz"})
	require.NoError(t, err)
	u, err := url.Parse(start.URL)
	require.NoError(t, err)
	q := u.Query()
	require.Equal(t, "https://accounts.google.com/o/oauth2/v2/auth", u.Scheme+"://"+u.Host+u.Path)
	require.Equal(t, "offline", q.Get("access_type"))
	require.Equal(t, "consent", q.Get("prompt"))
	require.Equal(t, "true", q.Get("include_granted_scopes"))
	require.Contains(t, q.Get("scope"), ScopeNutrition)
	require.NotContains(t, q.Get("scope"), ScopeReproductive, "no stream that is read by default needs it")
	require.NotContains(t, start.URL, start.Secret.Reveal())

	grant, err := p.Exchange(context.Background(), providers.Callback{Query: url.Values{"code": {"c"}}, Secret: start.Secret})
	require.NoError(t, err)
	require.Equal(t, "1234567890", grant.UpstreamID)
	require.Equal(t, []providers.Alias{{Provider: "fitbit", UpstreamID: "ABC123"}}, grant.Aliases)
	require.Equal(t, []string{ScopeSleep, ScopeECG}, grant.Credential.Scopes, "fewer than asked for")
	require.WithinDuration(t, time.Now().Add(7*day), grant.EndsAt, time.Minute)
	require.Contains(t, log.String(), "level=WARN")
	require.NotContains(t, log.String(), "refresh_token")
	require.Len(t, s.asked, 2)
	sent, _ := url.ParseQuery(s.bodies[0])
	require.Equal(t, start.Secret.Reveal(), sent.Get("code_verifier"))

	who = `{"healthUserId":"1234567890"}`
	grant, err = p.Exchange(context.Background(), providers.Callback{Query: url.Values{"code": {"c"}}})
	require.NoError(t, err)
	require.Empty(t, grant.Aliases)
	for _, who = range []string{`{}`, `[]`, `{"healthUserId":""}`, `{"healthUserId":"a/b"}`, `{"healthUserId":"1","legacyUserId":{}}`, `{"healthUserId":"1","healthUserId":"2"}`} {
		_, err = p.Exchange(context.Background(), providers.Callback{Query: url.Values{"code": {"c"}}})
		require.ErrorIs(t, err, providers.ErrMalformed, who)
	}
}

func TestRevocation(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		kind   error
	}{
		{200, `{}`, nil}, {400, `{"error":"invalid_token"}`, nil}, {400, `{"error":"invalid_request"}`, providers.ErrInvalid}, {503, ``, providers.ErrUnavailable},
	} {
		p, s := scripted(t, Config{}, func(*http.Request, string) (int, string) { return c.status, c.body })
		err := p.Revoke(context.Background(), cred)
		require.ErrorIs(t, err, c.kind)
		require.Equal(t, "https://oauth2.googleapis.com/revoke", s.asked[0].URL.String(), "no token in an address")
		require.Equal(t, "token=refresh-token", s.bodies[0])
	}
}

func TestConfigurations(t *testing.T) {
	good := Config{ClientID: "c", ClientSecret: providers.NewSecret("s")}
	for name, change := range map[string]func(*Config){
		"no client": func(c *Config) { c.ClientID = "" }, "no secret": func(c *Config) { c.ClientSecret = providers.Secret{} },
		"http": func(c *Config) { c.BaseURL = "http://health.example.com" }, "token address": func(c *Config) { c.TokenURL = "ftp://x" },
		"account address": func(c *Config) { c.AccountURL = "://" }, "keyset address": func(c *Config) { c.KeysetURL = "http://keys.example.com/k" },
		"stream": func(c *Config) { c.Streams = []string{"no_such"} }, "no streams": func(c *Config) { c.Streams = []string{} },
		"family": func(c *Config) { c.Family = "cousins" },
	} {
		c := good
		change(&c)
		_, err := New(c)
		require.ErrorIs(t, err, providers.ErrInvalid, name)
	}
}

func TestFilterLiteralsAreEscaped(t *testing.T) {
	for text, want := range map[string]string{
		`2026-11-20`: `"2026-11-20"`, `a"b`: `"a\"b"`, `a\`: `"a\\"`, `" OR "`: `"\" OR \""`,
	} {
		require.Equal(t, want, quote(text))
	}
	require.Equal(t, `sleep.interval.civil_end_time >= "x\" AND y" AND sleep.interval.civil_end_time < "z"`,
		between(member{typeOf("sleep"), memberCivilEnd}, `x" AND y`, `z`).String())
}

func TestPlainInstantIsParseMoment(t *testing.T) {
	for _, text := range []string{
		"2026-11-20T07:00:05Z", "2026-11-20T07:00:05.1Z", "2026-11-20T07:00:05.123456789Z", "2024-02-29T23:59:59.999Z", "1999-12-31T00:00:00Z",
	} {
		milli, ok := plainInstant([]byte(text))
		require.True(t, ok, text)
		m, _, err := health.ParseMoment(text)
		require.NoError(t, err)
		want, _ := m.UnixMilli()
		require.Equal(t, want, milli)
	}
	for _, text := range []string{
		"2026-02-29T07:00:05Z", "2026-11-20T24:00:05Z", "2026-11-20T07:00:05", "2026-11-20T07:00:05+01:00", "2026-11-20 07:00:05Z",
		"2026-11-20T07:00:05.Z", "2026-11-20T07:00:05.1234567891Z", "2026-11-20T07:00:60Z", "x026-11-20T07:00:05Z",
	} {
		_, ok := plainInstant([]byte(text))
		require.False(t, ok, text)
	}
}

// Instants of a list are read as each for itself, whatever came before.
func TestInstantsOfAListAreThoseOfEach(t *testing.T) {
	days := []string{"2026-11-20", "2026-11-19", "2026-02-29", "2024-02-29", "x026-11-20", "2026-11-2", ""}
	clocks := []string{"T07:00:05Z", "T23:59:59.999Z", "T07:00:05+01:00", "T24:00:00Z", "T07:00:60Z", "T07:00:05", " 07:00:05Z", "T07:00:05.Z", "Z", ""}
	rapid.Check(t, func(t *rapid.T) {
		var c collection
		for range 20 {
			text := []byte(rapid.SampledFrom(days).Draw(t, "day") + rapid.SampledFrom(clocks).Draw(t, "clock"))
			want, _, verdict := instant(text)
			got, told := c.instant(text)
			require.Equal(t, verdict, told, "%s", text)
			require.Equal(t, want, got, "%s", text)
		}
	})
}
