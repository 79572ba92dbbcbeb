package withings_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/providertest"
	"github.com/vitalmux/vitalmux/providers/withings"
	"github.com/vitalmux/vitalmux/providers/withings/withingstest"
)

// script is a service that answers as told and notes what it was asked.
type script struct {
	answer func(form url.Values) string
	asked  []url.Values
	paths  []string
	header []http.Header
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	s.asked = append(s.asked, r.PostForm)
	s.paths = append(s.paths, r.URL.Path)
	s.header = append(s.header, r.Header)
	w.Header().Set("Date", "Sat, 21 Nov 2026 12:00:00 GMT")
	_, _ = io.WriteString(w, s.answer(r.PostForm))
}

func newProvider(t *testing.T, h http.Handler, change func(*withings.Config)) *withings.Provider {
	t.Helper()
	cfg := withings.Config{
		ClientID: "client", ClientSecret: providers.NewSecret("client-secret"), RedirectURL: "https://app.example.com/callback",
		Transport: providertest.Transport(h),
	}
	if change != nil {
		change(&cfg)
	}
	p, err := withings.New(cfg)
	require.NoError(t, err)
	return p
}

var cred = providers.Credential{
	UpstreamID: "363", Access: providers.NewSecret("access-token"), Refresh: providers.NewSecret("refresh-token"),
}

var (
	from = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	to   = time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
)

func TestWhatIsAsked(t *testing.T) {
	days := health.Window{First: day("2026-11-01"), Last: day("2026-11-20")}
	instants := health.Window{From: from, To: to}
	for _, c := range []struct {
		query      providers.Query
		path, want string // want without data_fields
		body       string
		fields     bool
	}{
		{providers.Query{Stream: "measures", Window: instants}, "/measure", "action=getmeas&enddate=1795219200&startdate=1793491200", `"measuregrps":[]`, false},
		{providers.Query{Stream: "measures", HighWater: "1795000000"}, "/measure", "action=getmeas&lastupdate=1795000000", `"measuregrps":[]`, false},
		{providers.Query{Stream: "measures", HighWater: "1795000000", PageToken: "300.ab"}, "/measure", "action=getmeas&lastupdate=1795000000&offset=300", `"measuregrps":[]`, false},
		{providers.Query{Stream: "activity", Window: days}, "/v2/measure", "action=getactivity&enddateymd=2026-11-20&startdateymd=2026-11-01", `"activities":[]`, true},
		{providers.Query{Stream: "activity", HighWater: "5"}, "/v2/measure", "action=getactivity&lastupdate=5", `"activities":[]`, true},
		{providers.Query{Stream: "workouts", Window: days}, "/v2/measure", "action=getworkouts&enddateymd=2026-11-20&startdateymd=2026-11-01", `"series":[]`, true},
		{providers.Query{Stream: "sleep_summary", Window: days}, "/v2/sleep", "action=getsummary&enddateymd=2026-11-20&startdateymd=2026-11-01", `"series":[]`, true},
		{providers.Query{Stream: "sleep", Window: health.Window{First: day("2026-11-20"), Last: day("2026-11-20")}}, "/v2/sleep", "action=get&enddate=1795176000&startdate=1795089600", `"series":[]`, true},
		{providers.Query{Stream: "intraday", Window: health.Window{First: day("2026-11-20"), Last: day("2026-11-20")}}, "/v2/measure", "action=getintradayactivity&enddate=1795219200&startdate=1795132800", `"series":[]`, true},
		{providers.Query{Stream: "heart", Window: instants}, "/v2/heart", "action=list&enddate=1795219200&startdate=1793491200", `"series":[]`, false},
		{providers.Query{Stream: "devices"}, "/v2/user", "action=getdevice", `"devices":[]`, false},
		{providers.Query{Stream: "goals"}, "/v2/user", "action=getgoals", `"goals":[]`, false},
	} {
		s := &script{answer: func(url.Values) string { return `{"status":0,"body":{` + c.body + `}}` }}
		page, err := newProvider(t, s, nil).Fetch(context.Background(), cred, c.query)
		require.NoError(t, err, c.query.Stream)
		require.Empty(t, page.Records)
		require.Len(t, s.asked, 1)
		require.Equal(t, c.path, s.paths[0])
		require.Equal(t, c.fields, s.asked[0].Has("data_fields"), c.query.Stream)
		s.asked[0].Del("data_fields")
		require.Equal(t, c.want, s.asked[0].Encode())
		require.Equal(t, "Bearer access-token", s.header[0].Get("Authorization"))
	}
}

func TestQueriesThatCannotBeAsked(t *testing.T) {
	s := &script{answer: func(url.Values) string { return `{"status":0,"body":{}}` }}
	p := newProvider(t, s, nil)
	days := health.Window{First: day("2026-11-01"), Last: day("2026-11-20")}
	for _, q := range []providers.Query{
		{Stream: "measures"},
		{Stream: "measures", Window: health.Window{From: to, To: from}},
		{Stream: "measures", HighWater: "yesterday"},
		{Stream: "measures", HighWater: "5", PageToken: "x"},
		{Stream: "measures", HighWater: "5", PageToken: "-3.1"},
		{Stream: "intraday", Window: days},
		{Stream: "sleep", Window: health.Window{From: from, To: to}},
		{Stream: "sleep", Window: health.Window{First: day("2026-11-01"), Last: day("2026-11-01")}, PageToken: "1.1"},
		{Stream: "heart", Window: days},
		{Stream: "heart", Window: health.Window{From: from, To: to}, PageToken: "1-2.0"},
		{Stream: "goals", PageToken: "1"},
		{Stream: "steps"},
	} {
		page, err := p.Fetch(context.Background(), cred, q)
		require.ErrorIs(t, err, providers.ErrInvalid, "%+v", q)
		require.Zero(t, page)
	}
	require.Empty(t, s.asked)
}

func TestCandidates(t *testing.T) {
	const date = 1795262400 // of the script's answers
	rows := `"activities":[{"date":"2026-11-20","deviceid":"d","modified":1795250000}]`
	for _, c := range []struct {
		name, stream, high, token, body, want string
	}{
		{"the service's own mark", "measures", "", "", `"updatetime":1795262111,"measuregrps":[]`, "1795262111"},
		{"a mark that is text", "measures", "", "", `"updatetime":"1795262111","measuregrps":[]`, "1795262111"},
		{"a mark a little ahead", "measures", "", "", `"updatetime":1795262460,"measuregrps":[]`, "1795262460"},
		{"a mark far in the future", "measures", "", "", `"updatetime":4102444800,"measuregrps":[]`, strconv.Itoa(date - 3600)},
		{"a mark in milliseconds", "measures", "1795262000", "", `"updatetime":1795262400000,"measuregrps":[]`, "1795262000"},
		{"no mark", "measures", "", "", `"measuregrps":[]`, strconv.Itoa(date - 3600)},
		{"the date of the answer", "activity", "", "", rows, strconv.Itoa(date - 3600)},
		{"never back", "activity", "1795262000", "", rows, "1795262000"},
		{"only on the first page", "activity", "1795262000", "1.5", rows, ""},
	} {
		s := &script{answer: func(url.Values) string { return `{"status":0,"body":{` + c.body + `}}` }}
		q := providers.Query{Stream: c.stream, HighWater: c.high, PageToken: c.token}
		if c.high == "" {
			q.Window = health.Window{From: from, To: to}
			if c.stream == "activity" {
				q.Window = health.Window{First: day("2026-11-01"), Last: day("2026-11-20")}
			}
		}
		page, err := newProvider(t, s, nil).Fetch(context.Background(), cred, q)
		require.NoError(t, err, c.name)
		require.Equal(t, c.want, page.Candidate, c.name)
	}
}

func TestPagesThatGoRoundInCircles(t *testing.T) {
	row := func(id int) string { return fmt.Sprintf(`{"id":%d,"startdate":1795200000,"enddate":1795200600}`, id) }
	for name, answer := range map[string]func(offset int) string{
		"the offset stays": func(offset int) string {
			return fmt.Sprintf(`"series":[%s],"more":true,"offset":%d`, row(offset+1), offset)
		},
		"the offset goes back": func(offset int) string {
			return fmt.Sprintf(`"series":[%s],"more":true,"offset":%d`, row(offset+1), offset-1)
		},
		"the page repeats": func(offset int) string { return fmt.Sprintf(`"series":[%s],"more":true,"offset":%d`, row(1), offset+1) },
		"empty pages":      func(offset int) string { return fmt.Sprintf(`"series":[],"more":true,"offset":%d`, offset+1) },
	} {
		s := &script{answer: func(form url.Values) string {
			offset, _ := strconv.Atoi(form.Get("offset"))
			if offset == 0 {
				return `{"status":0,"body":{"series":[` + row(1) + `],"more":true,"offset":1}}`
			}
			return `{"status":0,"body":{` + answer(offset) + `}}`
		}}
		q := providers.Query{Stream: "workouts", HighWater: "1"}
		pages, err := 0, error(nil)
		for _, err = range providers.Pages(context.Background(), newProvider(t, s, nil), cred, q) {
			if pages++; pages > 10 || err != nil {
				break
			}
		}
		e, ok := errors.AsType[*providers.Error](err)
		require.True(t, ok, name)
		require.ErrorIs(t, err, providers.ErrMalformed, name)
		require.Equal(t, providers.CodePageLoop, e.Code, name)
	}
}

// A day is asked for as the 23, 24 or 25 hours it has, in pieces of 24 at most.
func TestDaysOfOddLength(t *testing.T) {
	paris, err := time.LoadLocation("Europe/Paris")
	require.NoError(t, err)
	for _, c := range []struct {
		stream, day string
		calls       int
		from, to    time.Time
	}{
		{"intraday", "2026-03-29", 1, time.Date(2026, 3, 28, 23, 0, 0, 0, time.UTC), time.Date(2026, 3, 29, 22, 0, 0, 0, time.UTC)},
		{"intraday", "2026-10-25", 2, time.Date(2026, 10, 24, 22, 0, 0, 0, time.UTC), time.Date(2026, 10, 25, 23, 0, 0, 0, time.UTC)},
		{"intraday", "2026-10-26", 1, time.Date(2026, 10, 25, 23, 0, 0, 0, time.UTC), time.Date(2026, 10, 26, 23, 0, 0, 0, time.UTC)},
		{"sleep", "2026-10-25", 2, time.Date(2026, 10, 24, 10, 0, 0, 0, time.UTC), time.Date(2026, 10, 25, 11, 0, 0, 0, time.UTC)},
		{"sleep", "2026-03-29", 1, time.Date(2026, 3, 28, 11, 0, 0, 0, time.UTC), time.Date(2026, 3, 29, 10, 0, 0, 0, time.UTC)},
	} {
		s := &script{answer: func(form url.Values) string {
			start := form.Get("startdate")
			if c.stream == "intraday" {
				return `{"status":0,"body":{"series":{"` + start + `":{"steps":1,"deviceid":"d"}}}}`
			}
			n, _ := strconv.ParseInt(start, 10, 64)
			return fmt.Sprintf(`{"status":0,"body":{"model":32,"series":[{"startdate":%d,"enddate":%d,"state":1,"hash_deviceid":"d","hr":{"%d":50}}]}}`, n, n+60, n)
		}}
		q := providers.Query{Stream: c.stream, Zone: paris, Window: health.Window{First: day(c.day), Last: day(c.day)}}
		page, err := newProvider(t, s, nil).Fetch(context.Background(), cred, q)
		require.NoError(t, err)
		require.Len(t, s.asked, c.calls, "%s %s", c.stream, c.day)
		require.Equal(t, strconv.FormatInt(c.from.Unix(), 10), s.asked[0].Get("startdate"))
		require.Equal(t, strconv.FormatInt(c.to.Unix(), 10), s.asked[c.calls-1].Get("enddate"))
		for i := 1; i < c.calls; i++ {
			require.Equal(t, s.asked[i-1].Get("enddate"), s.asked[i].Get("startdate"), "without a gap")
		}
		require.Len(t, page.Records, 1, "one record, however many calls")
		r := page.Records[0]
		source := map[string]string{"intraday": "d", "sleep": "sleep_monitor"}[c.stream]
		require.Equal(t, c.stream+"/"+c.day+"/"+source, r.Key)
		require.Equal(t, c.from.UnixMilli(), r.Series[0].From)
		require.Equal(t, c.to.UnixMilli(), r.Series[0].To)
		require.Equal(t, c.calls, r.Series[0].Len())
		require.Equal(t, day(c.day), r.Span.Day)

		again, err := newProvider(t, s, nil).Remap(health.RawPage{Stream: c.stream, Date: page.Date, Zone: paris.String(), Bodies: page.Raw})
		require.NoError(t, err)
		require.Equal(t, page.Records, again)
	}
}

// TestTheFirstDayAfterAJourney: it begins where the last one ended, and a night
// half a day earlier, in pieces of 24 hours at most.
func TestTheFirstDayAfterAJourney(t *testing.T) {
	angeles, err := time.LoadLocation("America/Los_Angeles")
	require.NoError(t, err)
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	at := func(dom, hour int) time.Time { return time.Date(2026, 11, dom, hour, 0, 0, 0, time.UTC) }
	for _, c := range []struct {
		stream   string
		zone     *time.Location
		begins   time.Time
		calls    int
		from, to time.Time
	}{
		{"intraday", angeles, at(19, 23), 2, at(19, 23), at(21, 8)},
		{"sleep", angeles, at(19, 23), 2, at(19, 11), at(20, 20)},
		{"intraday", angeles, at(18, 22), 3, at(18, 22), at(21, 8)},
		{"intraday", berlin, at(20, 8), 1, at(20, 8), at(20, 23)},
		{"sleep", berlin, at(20, 8), 1, at(19, 20), at(20, 11)},
		{"intraday", berlin, at(20, 23), 0, at(20, 23), at(20, 23)},
		{"sleep", berlin, at(21, 1), 0, at(20, 23), at(20, 23)},
	} {
		s := &script{answer: func(form url.Values) string {
			start := form.Get("startdate")
			n, _ := strconv.ParseInt(start, 10, 64)
			if c.stream == "intraday" {
				return fmt.Sprintf(`{"status":0,"body":{"series":{"%d":{"steps":1,"deviceid":"d"},"%d":{"steps":1,"deviceid":"d"}}}}`, n-60, n)
			}
			return fmt.Sprintf(`{"status":0,"body":{"model":32,"series":[{"startdate":%d,"enddate":%d,"state":1,"hash_deviceid":"d","hr":{"%d":50}}]}}`, n, n+60, n)
		}}
		p := newProvider(t, s, nil)
		facts, _ := p.Capabilities().StreamNamed(c.stream)
		require.LessOrEqual(t, c.calls, facts.CallsPerPage)
		q := providers.Query{Stream: c.stream, Zone: c.zone, Begins: c.begins, Window: health.Window{First: day("2026-11-20"), Last: day("2026-11-20")}}
		page, err := p.Fetch(context.Background(), cred, q)
		require.NoError(t, err)
		require.Len(t, s.asked, c.calls, "%s from %s", c.stream, c.begins)
		if c.calls == 0 {
			require.Zero(t, page, "a day that is over before it begins")
			continue
		}
		require.Equal(t, strconv.FormatInt(c.from.Unix(), 10), s.asked[0].Get("startdate"))
		require.Equal(t, strconv.FormatInt(c.to.Unix(), 10), s.asked[c.calls-1].Get("enddate"))
		require.Len(t, page.Records, 1)
		r := page.Records[0]
		require.Equal(t, day("2026-11-20"), r.Span.Day)
		require.Equal(t, c.from.UnixMilli(), r.Series[0].From)
		require.Equal(t, c.to.UnixMilli(), r.Series[0].To)
		require.Equal(t, c.from.UnixMilli(), r.Series[0].Times[0], "what was before is of the day before")

		again, err := p.Remap(health.RawPage{Stream: c.stream, Date: page.Date, Zone: c.zone.String(), Bodies: page.Raw})
		require.NoError(t, err)
		require.Equal(t, page.Records, again)
	}
}

// Asked again under another zone, a day keeps its key, and its points replace
// themselves because they are owned by their source.
func TestACorrectedZoneMakesNoSecondRecord(t *testing.T) {
	s := &script{answer: func(url.Values) string {
		return `{"status":0,"body":{"series":{"1795190000":{"steps":1,"deviceid":"d"}}}}`
	}}
	p := newProvider(t, s, nil)
	keys := map[string]bool{}
	for _, name := range []string{"", "UTC", "Europe/Paris", "America/New_York"} {
		q := providers.Query{Stream: "intraday", Window: health.Window{First: day("2026-11-20"), Last: day("2026-11-20")}}
		if name != "" {
			q.Zone, _ = time.LoadLocation(name)
		}
		page, err := p.Fetch(context.Background(), cred, q)
		require.NoError(t, err)
		require.Len(t, page.Records, 1)
		keys[page.Records[0].Key] = true
		require.Equal(t, int64(1795190000000), page.Records[0].Series[0].Times[0])
	}
	require.Equal(t, map[string]bool{"intraday/2026-11-20/d": true}, keys)
}

// A window with more recordings than one page may fetch is halved until it has
// not, in whatever order the service lists.
func TestManyRecordings(t *testing.T) {
	const count = 50
	var stamps []int64
	for i := range int64(count) {
		stamps = append(stamps, from.Unix()+(i*7919)%(20*86400)) // in no order
	}
	s := &script{answer: func(form url.Values) string {
		if form.Get("action") == "get" {
			return `{"status":0,"body":{"signal":[1,2,3],"sampling_frequency":300,"wearposition":0}}`
		}
		start, _ := strconv.ParseInt(form.Get("startdate"), 10, 64)
		end, _ := strconv.ParseInt(form.Get("enddate"), 10, 64)
		var rows []string
		for i, at := range stamps {
			if at >= start && at <= end {
				rows = append(rows, fmt.Sprintf(`{"timestamp":%d,"modified":%d,"deviceid":"d","ecg":{"signalid":%d,"afib":0}}`, at, at, i+1))
			}
		}
		return `{"status":0,"body":{"series":[` + strings.Join(rows, ",") + `],"more":false}}`
	}}
	p := newProvider(t, s, func(c *withings.Config) { c.ECGsPerPage, c.RequestsPerMinute = 8, -1 })
	facts, _ := p.Capabilities().StreamNamed("heart")
	require.Equal(t, 9, facts.CallsPerPage)
	found := map[string]bool{}
	for page, err := range providers.Pages(context.Background(), p, cred, providers.Query{Stream: "heart", Window: health.Window{From: from, To: to}}) {
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.Raw), 9)
		for _, r := range page.Records {
			found[r.Key] = true
			require.Equal(t, []int64{1, 2, 3}, r.Series[0].Values)
		}
	}
	require.Len(t, found, count)
}

func TestASignalTheServiceKeeps(t *testing.T) {
	s := &script{answer: func(form url.Values) string {
		if form.Get("action") == "get" {
			return `{"status":503,"body":{},"error":"Invalid Params: invalid signalid"}`
		}
		return `{"status":0,"body":{"series":[{"timestamp":1795200000,"ecg":{"signalid":7,"afib":1},"heart_rate":60}]}}`
	}}
	page, err := newProvider(t, s, nil).Fetch(context.Background(), cred, providers.Query{Stream: "heart", Window: health.Window{From: from, To: to}})
	require.NoError(t, err)
	require.Len(t, page.Records, 1)
	require.Equal(t, health.KindECG, page.Records[0].Kind)
	require.Len(t, page.Quarantined, 1)
	require.Equal(t, "heart/7#signal", page.Quarantined[0].Key)
	require.Len(t, page.Raw, 1)
	require.Equal(t, 2, page.Requests, "the one that was refused counts")
}

func simulated(cfg withingstest.Config) (*withingstest.Server, providers.Credential) {
	cfg.Seed, cfg.Days, cfg.IntradayDays = 3, 3, -1
	sim := withingstest.New(cfg)
	user := sim.AddUser(withingstest.UserConfig{Timezone: "Europe/Paris"})
	return sim, credential(sim.Login(user.ID))
}

func simulatedProvider(t *testing.T, sim http.Handler, maxWait time.Duration) *withings.Provider {
	return newProvider(t, sim, func(c *withings.Config) {
		c.ClientID, c.ClientSecret = withingstest.DefaultClientID, providers.NewSecret(withingstest.DefaultClientSecret)
		c.MaxWait = maxWait
	})
}

// The service refuses an identical call within ten seconds and says how long.
func TestAnIdenticalCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, cred := simulated(withingstest.Config{})
		q := providers.Query{Stream: "goals"}
		p := simulatedProvider(t, sim, 0)
		_, err := p.Fetch(t.Context(), cred, q)
		require.NoError(t, err)
		start := time.Now()
		_, err = p.Fetch(t.Context(), cred, q)
		require.ErrorIs(t, err, providers.ErrRateLimited)
		until, ok := providers.RetryAt(err)
		require.True(t, ok)
		require.WithinDuration(t, start.Add(10*time.Second), until, 2*time.Second)
		require.Less(t, time.Since(start), time.Second, "a long wait is the caller's")
		_, err = p.Fetch(t.Context(), cred, providers.Query{Stream: "devices"})
		require.NoError(t, err, "other calls go on")

		p = simulatedProvider(t, sim, 15*time.Second)
		start = time.Now()
		_, err = p.Fetch(t.Context(), cred, q)
		require.NoError(t, err, "a short wait is the adapter's")
		require.Greater(t, time.Since(start), 5*time.Second)
	})
}

// When the service says that the budget of the application is used up nobody
// asks again until it is not.
func TestTheBudgetOfTheApplication(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, cred := simulated(withingstest.Config{IdenticalCallWindow: -1})
		sim.Fault(withingstest.Fault{Kind: withingstest.FaultRewrite, Rewrite: func([]byte) []byte {
			return []byte(`{"status":601,"body":{"wait_seconds":40},"error":"Too Many Request"}`)
		}})
		p := simulatedProvider(t, sim, 0)
		_, err := p.Fetch(t.Context(), cred, providers.Query{Stream: "goals"})
		require.ErrorIs(t, err, providers.ErrRateLimited)
		before := len(sim.Requests())
		_, err = p.Fetch(t.Context(), cred, providers.Query{Stream: "devices"})
		require.ErrorIs(t, err, providers.ErrRateLimited)
		require.Len(t, sim.Requests(), before, "no request was made")
		time.Sleep(41 * time.Second)
		_, err = p.Fetch(t.Context(), cred, providers.Query{Stream: "devices"})
		require.NoError(t, err)
	})
}

func TestOurOwnBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, cred := simulated(withingstest.Config{IdenticalCallWindow: -1})
		p := simulatedProvider(t, sim, -1)
		require.Equal(t, []providers.RateLimit{{Requests: 120, Per: time.Minute, Scope: providers.LimitPerApp}}, p.Capabilities().Limits)
		var err error
		for range 500 {
			if _, err = p.Fetch(t.Context(), cred, providers.Query{Stream: "goals"}); err != nil {
				break
			}
		}
		require.ErrorIs(t, err, providers.ErrRateLimited)
		require.LessOrEqual(t, len(sim.Requests()), 121)
	})
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	secret := providers.NewSecret("s")
	for name, cfg := range map[string]withings.Config{
		"no client":         {ClientSecret: secret},
		"no secret":         {ClientID: "c"},
		"http":              {ClientID: "c", ClientSecret: secret, BaseURL: "http://wbsapi.example.com"},
		"userinfo":          {ClientID: "c", ClientSecret: secret, BaseURL: "https://u:p@wbsapi.example.com"},
		"account http":      {ClientID: "c", ClientSecret: secret, AccountURL: "http://account.example.com"},
		"account of a path": {ClientID: "c", ClientSecret: secret, AccountURL: "/oauth"},
	} {
		_, err := withings.New(cfg)
		require.ErrorIs(t, err, providers.ErrInvalid, name)
	}
	_, err := withings.New(withings.Config{ClientID: "c", ClientSecret: secret, BaseURL: "http://127.0.0.1:1", AccountURL: "http://localhost:1"})
	require.NoError(t, err, "loopback is for tests")
}

// Nothing of a token or of an answer reaches errors or the log.
func TestErrorsAndLogsHoldNoSecrets(t *testing.T) {
	const canary = "canary-in-the-body"
	var log bytes.Buffer
	for _, answer := range []string{
		`{"status":401,"body":{},"error":"` + canary + `"}`, `{"status":0,"body":{"measuregrps":"` + canary + `"}}`, canary,
		`{"status":0,"body":{"measuregrps":[{"grpid":"` + canary + `"`,
	} {
		s := &script{answer: func(url.Values) string { return answer }}
		p := newProvider(t, s, func(c *withings.Config) {
			c.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		})
		_, err := p.Fetch(context.Background(), cred, providers.Query{Stream: "measures", HighWater: "1"})
		require.Error(t, err)
		_, err2 := p.Refresh(context.Background(), cred)
		require.Error(t, err2)
		_, err3 := p.Exchange(context.Background(), providers.Callback{Query: url.Values{"code": {"one-time-code"}}})
		require.Error(t, err3)
		err4 := p.Revoke(context.Background(), cred)
		text := fmt.Sprintf("%v %+v %v %v %v %s", err, err, err2, err3, err4, log.String())
		for _, secret := range []string{canary, "access-token", "refresh-token", "client-secret", "one-time-code"} {
			require.NotContains(t, text, secret)
		}
	}
	require.NotZero(t, log.Len())
}

func TestTheProviderServesOverHTTP(t *testing.T) {
	sim, cred := simulated(withingstest.Config{})
	server := httptest.NewServer(sim)
	defer server.Close()
	p, err := withings.New(withings.Config{
		ClientID: withingstest.DefaultClientID, ClientSecret: providers.NewSecret(withingstest.DefaultClientSecret), BaseURL: server.URL,
	})
	require.NoError(t, err)
	page, err := p.Fetch(context.Background(), cred, providers.Query{Stream: "devices"})
	require.NoError(t, err)
	require.NotEmpty(t, page.Records)
	require.Equal(t, "Europe/Paris", page.Zone)
}
