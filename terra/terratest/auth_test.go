package terratest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/terra/terratest"
)

// A browser walks from the page of a widget session to the registered address.
func TestWidgetInABrowser(t *testing.T) {
	s := newServer(t, terratest.Config{AllowLoopback: true, Parallel: 1})
	site := httptest.NewServer(http.StripPrefix("/terra", s))
	defer site.Close()
	s.SetBaseURL(site.URL + "/terra")
	to := newReceiver(t)
	s.AddDestination(terratest.Destination{URL: to.URL})
	browser := &http.Client{CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Path == "/done" || r.URL.Path == "/failed" {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	defer browser.CloseIdleConnections()
	read := func(resp *http.Response, err error) (*http.Response, string) {
		require.NoError(t, err)
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp, string(text)
	}
	open := func() string {
		a := ask(t, s, "POST", "/v2/auth/generateWidgetSession", `{"providers":"GARMIN, OURA","reference_id":"p1","language":"en",
			"auth_success_redirect_url":"http://127.0.0.1:1/done?x=1","auth_failure_redirect_url":"http://127.0.0.1:1/failed"}`)
		require.Equal(t, 200, a.Code, a.Text)
		require.EqualValues(t, 900, a.Body["expires_in"])
		return a.Body["url"].(string)
	}
	link := regexp.MustCompile(`href="([^"]*)"`)
	session := open()
	resp, text := read(browser.Get(session))
	require.Equal(t, 200, resp.StatusCode)
	links := link.FindAllStringSubmatch(text, -1)
	require.Len(t, links, 2)
	resp, text = read(browser.Get(links[0][1]))
	require.Equal(t, 200, resp.StatusCode)
	require.Contains(t, text, "GARMIN asks for your consent")
	consent := resp.Request.URL.String()
	resp, _ = read(browser.PostForm(consent, url.Values{"decision": {"perhaps"}}))
	require.Equal(t, 400, resp.StatusCode)
	resp, _ = read(browser.PostForm(consent, url.Values{"decision": {"allow"}}))
	require.Equal(t, http.StatusSeeOther, resp.StatusCode)
	back, err := resp.Location()
	require.NoError(t, err)
	require.Equal(t, "/done", back.Path)
	require.Equal(t, "1", back.Query().Get("x"))
	require.Equal(t, "GARMIN", back.Query().Get("resource"))
	require.Equal(t, "p1", back.Query().Get("reference_id"))
	u, found := s.User(back.Query().Get("user_id"))
	require.True(t, found)
	require.Equal(t, terratest.StateActive, u.State)
	for _, address := range []string{session, consent} {
		resp, _ = read(browser.Get(address))
		require.Equal(t, http.StatusGone, resp.StatusCode, "single use")
	}

	_, text = read(browser.Get(open()))
	resp, _ = read(browser.Get(link.FindAllStringSubmatch(text, -1)[1][1]))
	resp, _ = read(browser.PostForm(resp.Request.URL.String(), url.Values{"decision": {"deny"}}))
	back, err = resp.Location()
	require.NoError(t, err)
	require.Equal(t, "/failed", back.Path)
	require.Equal(t, "access_denied", back.Query().Get("reason"))
	require.Len(t, s.Users(), 1, "the user of a refused consent is deleted")

	late := open()
	s.Advance(900 * time.Second)
	resp, _ = read(browser.Get(late))
	require.Equal(t, http.StatusGone, resp.StatusCode)
	resp, _ = read(browser.Get(late + "x"))
	require.Equal(t, http.StatusNotFound, resp.StatusCode)
	settle(t, s)
	require.Equal(t, []string{"auth", "auth"}, to.types())
	require.Equal(t, "error", to.deliveries()[1].event["status"])
	require.Equal(t, "access_denied", to.deliveries()[1].event["reason"])
}

func TestWidgetSessions(t *testing.T) {
	s := newServer(t, terratest.Config{})
	for body, code := range map[string]int{
		``: 200, `{}`: 200, `{"providers":"GARMIN,APPLE"}`: 200, `{"providers":"NOBODY"}`: 400, `{`: 400,
		`{"auth_success_redirect_url":"https://app.example.com/x"}`:          200,
		`{"auth_success_redirect_url":"http://app.example.com/x"}`:           400,
		`{"auth_failure_redirect_url":"http://127.0.0.1/x"}`:                 400,
		`{"auth_failure_redirect_url":"https://user:word@app.example.com/"}`: 400,
		`{"auth_failure_redirect_url":"/relative"}`:                          400,
	} {
		for _, path := range []string{"/v2/auth/generateWidgetSession", "/api/v2/auth/generateWidgetSession", "/api/widget/session", "/widget/api/session"} {
			require.Equal(t, code, ask(t, s, "POST", path, body).Code, path+body)
		}
	}
	retired := newServer(t, terratest.Config{RetireWidget: true})
	require.Equal(t, http.StatusGone, ask(t, retired, "POST", "/api/v2/auth/generateWidgetSession", `{}`).Code)
	next := ask(t, retired, "POST", terratest.WidgetPath, `{"providers":"OURA"}`)
	require.Equal(t, 200, next.Code)
	_, err := retired.ChooseProvider(next.Body["url"].(string), "GARMIN")
	require.ErrorContains(t, err, "does not offer")
	consent, err := retired.ChooseProvider(next.Body["url"].(string), "OURA")
	require.NoError(t, err)
	to, err := retired.Consent(consent, terratest.Decision{})
	require.NoError(t, err)
	require.Nil(t, to, "no address was registered")
	_, err = retired.ChooseProvider(next.Body["url"].(string), "OURA")
	require.ErrorContains(t, err, "ended")
	require.True(t, retired.Ledger().Sessions[0].Used)
}

func TestAuthenticateUser(t *testing.T) {
	s := newServer(t, terratest.Config{CancelledEvents: true})
	hook := newReceiver(t)
	s.AddDestination(terratest.Destination{URL: hook.URL})
	begin := func(query, body string) response { return ask(t, s, "POST", "/v2/auth/authenticateUser"+query, body) }
	require.Equal(t, 400, begin("", "").Code)
	require.Equal(t, 404, begin("?resource=NOBODY", "").Code)
	require.Equal(t, 404, begin("?resource=APPLE", "").Code, "only through the SDK")
	require.Equal(t, 400, begin("?resource=FITBIT", `{"auth_success_redirect_url":"http://a.example/"}`).Code)
	a := begin("?resource=FITBIT", `{"reference_id":"p1","auth_success_redirect_url":"https://a.example/ok"}`)
	require.Equal(t, 200, a.Code)
	id := a.Body["user_id"].(string)
	require.Equal(t, 404, ask(t, s, "GET", "/v2/daily?user_id="+id+"&start_date=2026-11-01&to_webhook=false", "").Code, "not live yet")
	require.Equal(t, false, ask(t, s, "GET", "/v2/userInfo?user_id="+id, "").Body["is_authenticated"])
	require.Equal(t, "[]", ask(t, s, "GET", "/v2/userInfo?reference_id=p1", "").Text)
	back, err := s.Consent(a.Body["auth_url"].(string), terratest.Decision{Account: "mine"})
	require.NoError(t, err)
	require.Equal(t, id, back.Query().Get("user_id"))
	require.Equal(t, 200, ask(t, s, "GET", "/v2/daily?user_id="+id+"&start_date=2026-11-01&to_webhook=false", "").Code)
	_, err = s.Consent(a.Body["auth_url"].(string), terratest.Decision{})
	require.Error(t, err)

	// The same account once more is a reauthentication; the resource may be in the body.
	again := begin("", `{"resource":"FITBIT","reference_id":"p1"}`)
	_, err = s.Consent(again.Body["auth_url"].(string), terratest.Decision{Account: "mine"})
	require.NoError(t, err)
	_, found := s.User(id)
	require.False(t, found)
	// Another account with the same reference is another user.
	other := begin("?resource=FITBIT", `{"reference_id":"p1"}`)
	_, err = s.Consent(other.Body["auth_url"].(string), terratest.Decision{Account: "hers"})
	require.NoError(t, err)
	require.Len(t, s.Users(), 2)
	denied := begin("?resource=OURA", `{"reference_id":"p2"}`)
	_, err = s.Consent(denied.Body["auth_url"].(string), terratest.Decision{Deny: true})
	require.NoError(t, err)
	settle(t, s)
	require.ElementsMatch(t, []string{"auth", "user_reauth", "auth", "auth", "auth_cancelled"}, hook.types())
	for _, d := range hook.deliveries() {
		if d.event["type"] == "auth" {
			require.NotContains(t, d.event, "reference_id")
			require.NotEmpty(t, d.event["flow_id"])
		}
	}
}

func TestUserLimit(t *testing.T) {
	s := newServer(t, terratest.Config{UserLimit: 1, AutoApprove: true})
	a := ask(t, s, "POST", "/v2/auth/authenticateUser?resource=OURA", `{"auth_success_redirect_url":"https://a.example/ok"}`)
	consent, err := url.Parse(a.Body["auth_url"].(string))
	require.NoError(t, err)
	require.Equal(t, http.StatusSeeOther, ask(t, s, "GET", consent.Path, "").Code, "nobody is asked")
	refused := ask(t, s, "POST", "/v2/auth/authenticateUser?resource=OURA", "")
	require.Equal(t, 403, refused.Code)
	require.Equal(t, "User Limit Reached", refused.Body["message"])
}
