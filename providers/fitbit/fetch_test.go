package fitbit_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/fitbit"
	"github.com/vitalmux/vitalmux/providers/fitbit/fitbittest"
	"github.com/vitalmux/vitalmux/providers/providertest"
)

// A year of dailies, sleeps and workouts takes as few requests as the longest
// windows allow: for each stream its calls times the windows that a year is
// divided into, and for lists the pages of a hundred.
func TestAYearTakesTheFewestRequests(t *testing.T) {
	for _, sleepList := range []bool{false, true} {
		w := newWorld(t, fitbittest.Config{Days: 365, RateLimit: -1}, func(c *fitbit.Config) { c.SleepList = sleepList })
		pages := func(n int) int { return max(1, (n+99)/100) }
		ceil := func(n, by int) int { return (n + by - 1) / by }
		want := map[string]int{
			"daily": 365, "activity": 11, "active_energy": 2 * 13, "tracker": 9, "active_zone_minutes": 1, "heart": 1, "hrv": 13, "spo2": 1,
			"breathing": 13, "skin_temperature": 13, "cardio_fitness": 13, "workouts": pages(len(w.Workouts(w.person.ID))), "sleep": 4,
		}
		if sleepList {
			want["sleep"] = pages(len(w.Sleeps(w.person.ID)))
		}
		window := health.Window{First: civil(w.person.FirstDay), Last: civil(w.person.LastDay)}
		for stream, requests := range want {
			st, ok := w.provider.Capabilities().StreamNamed(stream)
			require.True(t, ok)
			calls := max(1, st.CallsPerPage)
			if st.MaxWindow > 0 {
				minimum := ceil(365, int(st.MaxWindow/(24*time.Hour))) * calls
				require.Equal(t, minimum, requests, "%s: what its MaxWindow allows", stream)
			}
			w.ResetRequests()
			days := 365
			if st.MaxWindow > 0 {
				days = int(st.MaxWindow / (24 * time.Hour))
			}
			for first := window.First; first.Compare(window.Last) <= 0; first = first.Add(days) {
				last := first.Add(days - 1)
				if last.Compare(window.Last) > 0 {
					last = window.Last
				}
				w.walk(t, stream, health.Window{First: first, Last: last}, w.zone)
			}
			require.Len(t, w.Requests(), requests, stream)
		}
	}
}

// From the day on which the service ends every call says so, and names the
// successor; only taking a consent back is done.
func TestRetired(t *testing.T) {
	w := newWorld(t, fitbittest.Config{Days: 3}, same)
	start, err := w.provider.Authorize(t.Context(), providers.AuthRequest{State: "s", RedirectURL: w.RedirectURL()})
	require.NoError(t, err)
	back, err := w.Consent(start.URL)
	require.NoError(t, err)
	w.Retire(noon())
	window := w.Window("activity")
	retired := func(err error, op string) {
		t.Helper()
		var e *providers.Error
		require.ErrorAs(t, err, &e, op)
		require.ErrorIs(t, err, providers.ErrRetired, op)
		require.NotErrorIs(t, err, providers.ErrReauth, op)
		require.False(t, providers.Retryable(err), op)
		require.False(t, e.ExpiredAccess || e.Ambiguous, op)
		require.Equal(t, http.StatusGone, e.Status)
		require.Contains(t, e.Detail, fitbit.Successor)
	}
	for _, st := range w.provider.Capabilities().Streams {
		q := providers.Query{Stream: st.Name}
		if st.Grain != providers.GrainNone {
			q.Window = health.Window{First: window.First, Last: window.First}
		}
		w.ResetRequests()
		_, err := w.provider.Fetch(t.Context(), w.cred, q)
		retired(err, st.Name)
		require.Len(t, w.Requests(), 1, "never tried again")
	}
	_, err = w.provider.Refresh(t.Context(), w.cred)
	retired(err, "refresh")
	query := map[string][]string{}
	for name, values := range mustURL(t, back).Query() {
		query[name] = values
	}
	_, err = w.provider.Exchange(t.Context(), providers.Callback{Query: query, RedirectURL: w.RedirectURL(), Secret: start.Secret})
	retired(err, "exchange")
	_, err = w.provider.Subscriptions(t.Context(), w.cred)
	retired(err, "subscriptions")
	_, err = w.provider.Subscribe(t.Context(), w.cred, w.Subscription())
	retired(err, "subscribe")
	retired(w.provider.Unsubscribe(t.Context(), w.cred, providers.Subscription{ID: "x", Topic: "sleep"}), "unsubscribe")
	require.NoError(t, w.provider.Revoke(t.Context(), w.cred))
}

func TestRefusals(t *testing.T) {
	w := newWorld(t, fitbittest.Config{Days: 3, RateLimit: -1}, func(c *fitbit.Config) { c.MaxWait = -1 })
	for _, c := range []struct {
		status    int
		errorType string
		class     error
		expired   bool
		fault     bool
	}{
		{400, "invalid_request", providers.ErrInvalid, false, false},
		{400, "validation", providers.ErrInvalid, false, false},
		{400, "request", providers.ErrInvalid, false, false},
		{400, "invalid_client", providers.ErrInvalid, false, true},
		{401, "invalid_client", providers.ErrInvalid, false, true},
		{400, "invalid_grant", providers.ErrReauth, false, false},
		{401, "expired_token", providers.ErrReauth, true, false},
		{401, "invalid_token", providers.ErrReauth, true, false},
		{401, "oauth", providers.ErrReauth, true, false},
		{401, "", providers.ErrReauth, true, false},
		{403, "insufficient_scope", providers.ErrForbidden, false, false},
		{403, "insufficient_permissions", providers.ErrForbidden, false, false},
		{403, "", providers.ErrForbidden, false, false},
		{404, "not_found", providers.ErrNotFound, false, false},
		{409, "request", providers.ErrInvalid, false, false},
		{410, "", providers.ErrRetired, false, false},
		{410, "invalid_token", providers.ErrRetired, false, false},
		{429, "system", providers.ErrRateLimited, false, false},
		{500, "system", providers.ErrUnavailable, false, false},
		{502, "", providers.ErrUnavailable, false, false},
		{418, "made_up", providers.ErrInvalid, false, false},
	} {
		w.Server.Fault(fitbittest.Fault{Kind: fitbittest.FaultStatus, Status: c.status, ErrorType: c.errorType})
		_, err := w.provider.Fetch(t.Context(), w.cred, providers.Query{Stream: "profile"})
		var e *providers.Error
		require.ErrorAs(t, err, &e)
		require.ErrorIs(t, err, c.class, "%d %s", c.status, c.errorType)
		require.Equal(t, c.expired, e.ExpiredAccess, "%d %s", c.status, c.errorType)
		require.Equal(t, c.fault, e.ClientFault, "%d %s", c.status, c.errorType)
		require.Equal(t, c.status, e.Status)
		require.NotContains(t, err.Error(), "made_up")
	}
}

// Both forms of 429 wait until the budget is renewed, and the others of the
// hour are not sent.
func TestTheBudgetOfAnHour(t *testing.T) {
	for _, front := range []bool{false, true} {
		w := newWorld(t, fitbittest.Config{Days: 3, RateLimit: 3, FrontRefusal: front}, func(c *fitbit.Config) { c.MaxWait = -1 })
		fetch := func(cred providers.Credential) error {
			_, err := w.provider.Fetch(t.Context(), cred, providers.Query{Stream: "profile"})
			return err
		}
		for range 3 {
			require.NoError(t, fetch(w.cred))
		}
		before := len(w.Requests())
		err := fetch(w.cred)
		require.ErrorIs(t, err, providers.ErrRateLimited)
		require.Len(t, w.Requests(), before, "the last answer said that the budget is used up")
		at, told := providers.RetryAt(err)
		require.True(t, told)
		require.Less(t, time.Until(at), time.Hour+time.Minute)
		require.Greater(t, time.Until(at), 50*time.Minute, "the clock of the service shows noon")

		// Another process, which has not seen it.
		for range 2 {
			other := harness(w.zone, same).New(t, providertest.BaseURL, providertest.Transport(w.Server))
			_, err = other.Fetch(t.Context(), w.cred, providers.Query{Stream: "profile"})
			var e *providers.Error
			require.ErrorAs(t, err, &e)
			require.ErrorIs(t, err, providers.ErrRateLimited)
			require.Equal(t, http.StatusTooManyRequests, e.Status)
			require.False(t, e.RetryAt.IsZero())
		}
		// Other people have budgets of their own.
		another := w.AddPerson(fitbittest.PersonConfig{})
		require.NoError(t, fetch(credential(w.Server.Login(another.ID))))
	}
}

func TestRetryAfterCountsWhereTheBudgetIsNotTold(t *testing.T) {
	w := newWorld(t, fitbittest.Config{Days: 3, RateLimit: -1}, func(c *fitbit.Config) { c.MaxWait = -1 })
	for _, front := range []bool{false, true} {
		w.Server.Fault(fitbittest.Fault{Kind: fitbittest.FaultStatus, Status: 429, ErrorType: "system", Front: front, RetryAfter: 90 * time.Second})
		_, err := w.provider.Fetch(t.Context(), w.cred, providers.Query{Stream: "profile"})
		require.ErrorIs(t, err, providers.ErrRateLimited)
		at, told := providers.RetryAt(err)
		require.True(t, told)
		require.InDelta(t, 90, time.Until(at).Seconds(), 5)
	}
}

// A missing scope takes its streams and no others.
func TestFewerScopesThanAskedFor(t *testing.T) {
	w := newWorld(t, fitbittest.Config{Days: 3, RateLimit: -1}, same)
	cred := credential(w.Server.Login(w.person.ID, "sleep", "profile"))
	require.Equal(t, []string{"sleep", "profile"}, cred.Scopes)
	for stream, want := range map[string]error{"sleep": nil, "profile": nil, "activity": providers.ErrForbidden, "weight": providers.ErrForbidden} {
		q := providers.Query{Stream: stream, Window: w.Window(stream)}
		_, err := w.provider.Fetch(t.Context(), cred, q)
		if want == nil {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, want)
		}
	}
}

func TestSleepThatIsStillWorkedOn(t *testing.T) {
	w := newWorld(t, fitbittest.Config{Days: 3, RateLimit: -1, SleepPending: true}, func(c *fitbit.Config) { c.MaxWait = -1 })
	q := providers.Query{Stream: "sleep", Window: w.Window("sleep"), Zone: w.zone}
	_, err := w.provider.Fetch(t.Context(), w.cred, q)
	require.ErrorIs(t, err, providers.ErrUnavailable)
	at, told := providers.RetryAt(err)
	require.True(t, told)
	require.Equal(t, 3*time.Second, at.Sub(noon()))
	page, err := w.provider.Fetch(t.Context(), w.cred, q)
	require.NoError(t, err)
	require.NotEmpty(t, page.Records)
}

// Links that leave the service, or this endpoint, or this person, are refused.
func TestLinksThatLeave(t *testing.T) {
	for link, ok := range map[string]bool{
		"https://service.example.com/1/user/-/activities/list.json?x=1":      true,
		"https://SERVICE.EXAMPLE.COM/1/user/-/activities/list.json?x=1":      true,
		"https://service.example.com:443/1/user/-/activities/list.json?x=1":  true,
		"/1/user/-/activities/list.json?x=1":                                 true,
		"https://service.example.com/1/user/ME1234/activities/list.json?x=1": true,
		"https://service.example.com/1/user/OTHER1/activities/list.json?x=1": false,
		"https://service.example.com/1/user/-/sleep/list.json?x=1":           false,
		"https://service.example.com.evil.io/1/user/-/activities/list.json":  false,
		"https://service.example.com@evil.io/1/user/-/activities/list.json":  false,
		"//evil.io/1/user/-/activities/list.json":                            false,
		"http://service.example.com/1/user/-/activities/list.json":           false,
		"https://service.example.com:8443/1/user/-/activities/list.json":     false,
		"https://169.254.169.254/1/user/-/activities/list.json":              false,
		"https://[::ffff:169.254.169.254]/1/user/-/activities/list.json":     false,
		`https://service.example.com\@evil.io/`:                              false,
		"https://service.example.com./1/user/-/activities/list.json":         false,
		"https://service.example.com/../../oauth2/revoke":                    false,
		"https://service.example.com/1/user/-/activities/list.json/../../x":  false,
		"file:///etc/passwd": false,
		"gopher://service.example.com/1/user/-/activities/list.json":           false,
		"https://sеrvice.example.com/1/user/-/activities/list.json":            false, // a Cyrillic letter
		"https://service.example.com/1/user/-/activities/list.json?" + long():  false,
		"https://service.example.com/1/user/-/activities/%2e%2e/list.json":     false,
		"https://service.example.com/1/user/-/activities/list.json?x=%00":      false,
		"https://service.example.com/1/user/-/activities/list.json?x=%0d%0ay:": false,
	} {
		body := fmt.Sprintf(`{"activities":[],"pagination":{"next":%q}}`, link)
		p := answering(t, body)
		page, err := p.Fetch(t.Context(), providers.Credential{UpstreamID: "ME1234"}, providers.Query{Stream: "workouts", Window: week()})
		if !ok {
			require.ErrorIs(t, err, providers.ErrMalformed, link)
			require.NotContains(t, err.Error(), "evil")
			require.Empty(t, page)
			continue
		}
		require.NoError(t, err, link)
		require.True(t, page.More, link)
	}
}

func long() string { return "x=" + strings.Repeat("y", 10<<10) }

func week() health.Window {
	return health.Window{First: civil("2026-10-01"), Last: civil("2026-10-07")}
}

// answering is an adapter for a service that answers everything with one body,
// or with one after the other.
func answering(tb testing.TB, bodies ...string) *fitbit.Provider {
	tb.Helper()
	n := 0
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		body := bodies[min(n, len(bodies)-1)]
		n++
		w.Header().Set("Date", noon().Format(http.TimeFormat))
		_, _ = w.Write([]byte(body))
	})
	return harness(nil, same).New(tb, providertest.BaseURL, providertest.Transport(handler)).(*fitbit.Provider)
}

const listURL = `https://service.example.com/1/user/-/activities/list.json?page=`

func listPage(id int, start, next string) string {
	return fmt.Sprintf(`{"activities":[{"logId":%d,"startTime":%q,"duration":60000,"activityName":"Run","activityTypeId":90009}],"pagination":{"next":%q}}`, id, start, next)
}

// A list that comes back to a page ends with an error, whether the link or the
// page is the one that was there before.
func TestListsThatGoRoundInCircles(t *testing.T) {
	a := func(next string) string { return listPage(1, "2026-10-02T07:00:00.000+02:00", next) }
	b := func(next string) string { return listPage(2, "2026-10-03T07:00:00.000+02:00", next) }
	for name, bodies := range map[string][]string{
		"the same link":               {a(listURL + "2"), b(listURL + "2")},
		"the same page, another link": {a(listURL + "2"), a(listURL + "3"), a(listURL + "4")},
		"A, B, A":                     {a(listURL + "2"), b(listURL + "3"), a(listURL + "4"), b(listURL + "5")},
	} {
		p := answering(t, bodies...)
		n := 0
		var last error
		for _, err := range providers.Pages(t.Context(), p, providers.Credential{}, providers.Query{Stream: "workouts", Window: week()}) {
			n++
			last = err
		}
		require.ErrorIs(t, last, providers.ErrMalformed, name)
		var e *providers.Error
		require.ErrorAs(t, last, &e)
		require.Equal(t, providers.CodePageLoop, e.Code, name)
		require.LessOrEqual(t, n, 4, name)
	}
}

// A page of which nothing can be used, or that is empty, does not end the list.
func TestListsGoOnBehindABadPage(t *testing.T) {
	for name, body := range map[string]string{
		"nothing that can be used": listPage(2, "yesterday", listURL+"3"),
		"empty":                    `{"activities":[],"pagination":{"next":"` + listURL + `3"}}`,
	} {
		p := answering(t, listPage(1, "2026-10-02T07:00:00.000+02:00", listURL+"2"), body, listPage(3, "2026-10-03T07:00:00.000+02:00", ""))
		var keys []string
		for page, err := range providers.Pages(t.Context(), p, providers.Credential{}, providers.Query{Stream: "workouts", Window: week()}) {
			require.NoError(t, err, name)
			for _, r := range page.Records {
				keys = append(keys, r.Key)
			}
		}
		require.Equal(t, []string{"workouts/1", "workouts/3"}, keys, name)
	}
}

// Who flies to the east of the date line and back has workouts of a day behind
// those of the next. A workout is of the day that was shown where it was begun,
// whatever the day is where the person lives now.
func TestListsOfPeopleWhoTravel(t *testing.T) {
	bodies := []string{
		listPage(1, "2026-10-08T00:10:00.000+09:00", listURL+"2"), // Tokyo
		listPage(2, "2026-10-07T18:00:00.000-10:00", ""),          // Honolulu, a day later
	}
	var asked []string
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Query().Get("afterDate"))
		w.Header().Set("Date", noon().Format(http.TimeFormat))
		_, _ = w.Write([]byte(bodies[min(len(asked), len(bodies))-1]))
	})
	p := harness(nil, same).New(t, providertest.BaseURL, providertest.Transport(handler))
	for _, stream := range []string{"workouts", "routes"} {
		asked = nil
		for page, err := range providers.Pages(t.Context(), p, providers.Credential{}, providers.Query{Stream: stream, Window: week()}) {
			require.NoError(t, err)
			for _, r := range page.Records {
				require.Equal(t, "workouts/2", r.Key)
			}
		}
		require.Equal(t, []string{"2026-09-29T23:59:59", ""}, asked, "%s: a day early, for the day may be another one where the list is made", stream)
	}
}

// A long sleep may begin before a nap and end a day behind it.
func TestAListOfSleepsEndsByTheirStarts(t *testing.T) {
	sleep := func(id int, from, to, of, next string) string {
		return fmt.Sprintf(`{"sleep":[{"logId":%d,"dateOfSleep":%q,"startTime":%q,"endTime":%q}],"pagination":{"next":%q}}`, id, of, from, to, next)
	}
	const next = `https://service.example.com/1.2/user/-/sleep/list.json?page=2`
	handlerBodies := []string{
		sleep(1, "2026-10-07T20:00:00.000", "2026-10-09T02:00:00.000", "2026-10-09", next),
		sleep(2, "2026-10-07T22:00:00.000", "2026-10-07T23:00:00.000", "2026-10-07", ""),
	}
	n := 0
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", noon().Format(http.TimeFormat))
		_, _ = w.Write([]byte(handlerBodies[n]))
		n++
	})
	p := harness(nil, func(c *fitbit.Config) { c.SleepList = true }).New(t, providertest.BaseURL, providertest.Transport(handler))
	var keys []string
	for page, err := range providers.Pages(t.Context(), p, providers.Credential{}, providers.Query{Stream: "sleep", Window: week()}) {
		require.NoError(t, err)
		for _, r := range page.Records {
			keys = append(keys, r.Key)
		}
	}
	require.Equal(t, []string{"sleep/2"}, keys)
}

// What lies behind the window, by more than a person can travel, ends the walk
// and is no part of it.
func TestListsEndWithTheWindow(t *testing.T) {
	p := answering(t, listPage(1, "2026-10-07T23:59:59.000+02:00", listURL+"2"), listPage(2, "2026-10-09T00:00:00.000+02:00", listURL+"3"))
	var keys []string
	n := 0
	for page, err := range providers.Pages(t.Context(), p, providers.Credential{}, providers.Query{Stream: "workouts", Window: week()}) {
		require.NoError(t, err)
		n++
		for _, r := range page.Records {
			keys = append(keys, r.Key)
		}
	}
	require.Equal(t, 2, n)
	require.Equal(t, []string{"workouts/1"}, keys)
}

func TestQueriesThatCannotBeAsked(t *testing.T) {
	p := answering(t, "{}")
	for _, q := range []providers.Query{
		{Stream: "sleep", Window: health.Window{First: civil("2026-01-01"), Last: civil("2026-04-11")}}, // 101 days
		{Stream: "sleep"},
		{Stream: "sleep", Window: health.Window{First: civil("2026-01-02"), Last: civil("2026-01-01")}},
		{Stream: "daily", Window: week()},
		{Stream: "sleep", Window: week(), PageToken: "x"},
		{Stream: "workouts", Window: week(), PageToken: "x"},
		{Stream: "workouts", Window: week(), PageToken: "1.2.https://evil.io/"},
		{Stream: "workouts", Window: week(), PageToken: "1.2./1/user/-/sleep/list.json?x"},
	} {
		_, err := p.Fetch(t.Context(), providers.Credential{}, q)
		require.ErrorIs(t, err, providers.ErrInvalid, q.PageToken)
	}
}

// A recording that the service does not give out, or that cannot be read, does
// not take the others with it.
func TestRecordingsThatFail(t *testing.T) {
	w := newWorld(t, fitbittest.Config{Days: 60, RateLimit: -1}, same)
	window := w.Window("routes")
	window.First = window.Last.Add(-29) // as much as one query takes
	fetch := func() providers.Page {
		page, err := w.provider.Fetch(t.Context(), w.cred, providers.Query{Stream: "routes", Window: window, Zone: w.zone})
		require.NoError(t, err)
		return page
	}
	whole := len(fetch().Records)
	require.Greater(t, whole, 1)
	w.Server.Fault(fitbittest.Fault{Kind: fitbittest.FaultStatus, Path: ".tcx", Status: 404, ErrorType: "not_found"})
	w.Server.ResetRequests()
	page := fetch()
	require.Len(t, w.Server.Requests(), page.Requests)
	require.Len(t, page.Raw, page.Requests-1, "the one that was refused counts")
	require.Len(t, page.Records, whole-1)
	require.Len(t, page.Quarantined, 1)
	w.Server.Fault(fitbittest.Fault{Kind: fitbittest.FaultHTML, Path: ".tcx"})
	page = fetch()
	require.Len(t, page.Records, whole-1)
	require.Len(t, page.Quarantined, 1)
	w.Server.Fault(fitbittest.Fault{Kind: fitbittest.FaultStatus, Path: ".tcx", Status: 401, ErrorType: "expired_token"})
	_, err := w.provider.Fetch(t.Context(), w.cred, providers.Query{Stream: "routes", Window: window})
	require.ErrorIs(t, err, providers.ErrReauth, "the page is not complete")
}

// Archived bodies map like fetched ones, but as an import, and whole.
func TestArchives(t *testing.T) {
	w := newWorld(t, fitbittest.Config{Days: 5, RateLimit: -1}, same)
	last := w.Window("daily").Last
	page, err := w.provider.Fetch(t.Context(), w.cred, providers.Query{Stream: "daily", Window: health.Window{First: last, Last: last}, Zone: w.zone})
	require.NoError(t, err)
	archived, err := w.provider.MapArchive(health.RawPage{Stream: "daily", Date: page.Date, Zone: zoneName, Bodies: page.Raw})
	require.NoError(t, err)
	require.Len(t, archived.Records, 1)
	require.Equal(t, health.PathImport, archived.Records[0].Source.Path)
	require.Equal(t, page.Records[0].Key, archived.Records[0].Key)
	_, fetched := number(page.Records[0], health.MetricSteps, health.StatValue, "")
	require.False(t, fetched, "of the time series")
	_, imported := number(archived.Records[0], health.MetricSteps, health.StatValue, "")
	require.True(t, imported)
	_, err = w.provider.MapArchive(health.RawPage{Stream: "no_such_stream"})
	require.ErrorIs(t, err, errors.ErrUnsupported)
	_, err = w.provider.MapArchive(health.RawPage{Stream: "sleep", Date: noon(), Bodies: []health.RawBody{{Name: "sleep", Body: []byte(`{"sleep":[]}`)}}})
	require.ErrorIs(t, err, providers.ErrMalformed, "the name does not tell the days")
}

func TestConfigurationsThatCannotWork(t *testing.T) {
	good := fitbit.Config{ClientID: "a", ClientSecret: providers.NewSecret("b")}
	_, err := fitbit.New(good)
	require.NoError(t, err)
	for name, change := range map[string]func(*fitbit.Config){
		"no id": func(c *fitbit.Config) { c.ClientID = "" }, "no secret": func(c *fitbit.Config) { c.ClientSecret = providers.Secret{} },
		"plain http": func(c *fitbit.Config) { c.BaseURL = "http://api.fitbit.com" }, "userinfo": func(c *fitbit.Config) { c.AccountURL = "https://a@b" },
		"detail": func(c *fitbit.Config) { c.HeartRateDetail = "2sec" },
	} {
		c := good
		change(&c)
		_, err := fitbit.New(c)
		require.ErrorIs(t, err, providers.ErrInvalid, name)
	}
	p, err := fitbit.New(fitbit.Config{ClientID: "a", ClientSecret: providers.NewSecret("b"), RoutesPerPage: -1})
	require.NoError(t, err)
	_, ok := p.Capabilities().StreamNamed("routes")
	require.False(t, ok)
	_, err = p.Fetch(context.Background(), providers.Credential{}, providers.Query{Stream: "routes"})
	require.ErrorIs(t, err, errors.ErrUnsupported)
}

// The profile of somebody else is not taken for the person's.
func TestTheProfileOfSomebodyElse(t *testing.T) {
	p := answering(t, `{"user":{"encodedId":"OTHER1","timezone":"Europe/Berlin"}}`)
	_, err := p.Fetch(t.Context(), providers.Credential{UpstreamID: "ME1234"}, providers.Query{Stream: "profile"})
	require.ErrorIs(t, err, providers.ErrMalformed)
	var e *providers.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, providers.CodeIdentity, e.Code)
	_, err = p.Fetch(t.Context(), providers.Credential{UpstreamID: "OTHER1"}, providers.Query{Stream: "profile"})
	require.NoError(t, err)
}
