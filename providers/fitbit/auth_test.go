package fitbit_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
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

func mustURL(tb testing.TB, text string) *url.URL {
	tb.Helper()
	u, err := url.Parse(text)
	require.NoError(tb, err)
	return u
}

func TestConsent(t *testing.T) {
	w := newWorld(t, fitbittest.Config{Days: 3, RequirePKCE: true}, same)
	start, err := w.provider.Authorize(t.Context(), providers.AuthRequest{State: "st4te"})
	require.NoError(t, err)
	q := mustURL(t, start.URL).Query()
	require.Equal(t, "S256", q.Get("code_challenge_method"))
	require.Equal(t, "code", q.Get("response_type"))
	require.Contains(t, strings.Fields(q.Get("scope")), "heartrate")
	require.GreaterOrEqual(t, len(start.Secret.Reveal()), 43)
	again, err := w.provider.Authorize(t.Context(), providers.AuthRequest{State: "st4te"})
	require.NoError(t, err)
	require.NotEqual(t, start.Secret, again.Secret)

	back, err := w.Authorize(w.person.ID, start.URL, "sleep", "profile")
	require.NoError(t, err)
	grant, err := w.provider.Exchange(t.Context(), providers.Callback{Query: back.Query(), Secret: start.Secret})
	require.NoError(t, err)
	require.Equal(t, w.person.ID, grant.UpstreamID)
	require.ElementsMatch(t, []string{"sleep", "profile"}, grant.Credential.Scopes, "what was granted, not what was asked for")

	// A verifier of another flow.
	back, err = w.Authorize(w.person.ID, start.URL)
	require.NoError(t, err)
	_, err = w.provider.Exchange(t.Context(), providers.Callback{Query: back.Query(), Secret: again.Secret})
	require.ErrorIs(t, err, providers.ErrReauth)

	for _, query := range []url.Values{{"error": {"access_denied"}, "code": {"x"}}, {"error": {"access_denied"}}} {
		_, err = w.provider.Exchange(t.Context(), providers.Callback{Query: query})
		require.ErrorIs(t, err, providers.ErrForbidden)
	}
}

// The credentials of the application go in the header, once.
func TestTokenRequests(t *testing.T) {
	var header http.Header
	var form url.Values
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		header, form = r.Header, r.PostForm
		_, _ = w.Write([]byte(`{"access_token":"a2","expires_in":28800,"refresh_token":"r2","scope":"sleep","token_type":"Bearer","user_id":"U1"}`))
	}))
	defer server.Close()
	p, err := fitbit.New(fitbit.Config{ClientID: "23ABCD", ClientSecret: providers.NewSecret("s3cret"), BaseURL: server.URL})
	require.NoError(t, err)
	next, err := p.Refresh(t.Context(), providers.Credential{UpstreamID: "U1", Refresh: providers.NewSecret("r1")})
	require.NoError(t, err)
	id, secret, ok := (&http.Request{Header: header}).BasicAuth()
	require.True(t, ok)
	require.Equal(t, "23ABCD", id)
	require.Equal(t, "s3cret", secret)
	require.Equal(t, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"r1"}, "client_id": {"23ABCD"}}, form)
	require.Empty(t, header.Get("Accept-Language"), "metric units")
	require.Equal(t, "r2", next.Refresh.Reveal())
	_, err = p.Refresh(t.Context(), providers.Credential{UpstreamID: "U2", Refresh: providers.NewSecret("r1")})
	var e *providers.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, providers.CodeIdentity, e.Code)
}

func TestRefreshTokensAreSingleUse(t *testing.T) {
	w := newWorld(t, fitbittest.Config{Days: 3}, same)
	require.Equal(t, providers.RotationSingleUse, w.provider.Capabilities().Rotation)
	next, err := w.provider.Refresh(t.Context(), w.cred)
	require.NoError(t, err)
	require.NotEqual(t, w.cred.Refresh, next.Refresh)
	_, err = w.provider.Refresh(t.Context(), w.cred)
	require.ErrorIs(t, err, providers.ErrReauth)
	var e *providers.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, "invalid_grant", e.Code)
	require.False(t, e.Ambiguous)
	_, err = w.provider.Refresh(t.Context(), next)
	require.NoError(t, err, "the old one did not take the grant with it")
	for _, p := range w.Ledger().Refresh {
		require.LessOrEqual(t, p.Accepted, 1)
	}
}

func TestRefusedTokenRequests(t *testing.T) {
	for body, want := range map[string]struct {
		status int
		class  error
		fault  bool
	}{
		`{"errors":[{"errorType":"invalid_client","message":"x"}],"success":false}`:  {401, providers.ErrInvalid, true},
		`{"errors":[{"errorType":"invalid_grant","message":"x"}],"success":false}`:   {400, providers.ErrReauth, false},
		`{"errors":[{"errorType":"invalid_request","message":"x"}],"success":false}`: {400, providers.ErrInvalid, false},
		`{"errors":[{"errorType":"expired_token","message":"x"}],"success":false}`:   {401, providers.ErrInvalid, true},
		`Bad Request`: {400, providers.ErrMalformed, false},
		`<html>`:      {410, providers.ErrRetired, false},
		`{"error":{"code":429,"message":"x","status":"RESOURCE_EXHAUSTED"}}`: {429, providers.ErrRateLimited, false},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(want.status)
			_, _ = w.Write([]byte(body))
		}))
		p, err := fitbit.New(fitbit.Config{ClientID: "a", ClientSecret: providers.NewSecret("b"), BaseURL: server.URL})
		require.NoError(t, err)
		_, err = p.Refresh(t.Context(), providers.Credential{Refresh: providers.NewSecret("r")})
		server.Close()
		var e *providers.Error
		require.ErrorAs(t, err, &e, body)
		require.ErrorIs(t, err, want.class, body)
		require.Equal(t, want.fault, e.ClientFault, body)
		require.False(t, e.Ambiguous, body)
	}
}

func TestRevoke(t *testing.T) {
	w := newWorld(t, fitbittest.Config{Days: 3}, same)
	require.NoError(t, w.provider.Revoke(t.Context(), w.cred))
	require.NoError(t, w.provider.Revoke(t.Context(), w.cred))
	require.ErrorIs(t, w.provider.Revoke(t.Context(), providers.Credential{}), providers.ErrInvalid)
	w.Server.Fault(fitbittest.Fault{Kind: fitbittest.FaultStatus, Status: 401, ErrorType: "invalid_client"})
	require.ErrorIs(t, w.provider.Revoke(t.Context(), w.cred), providers.ErrInvalid)
}

func TestSubscriptions(t *testing.T) {
	w := newWorld(t, fitbittest.Config{Days: 3, RateLimit: -1}, func(c *fitbit.Config) { c.SubscriberID = "320" })
	for _, topic := range w.provider.Capabilities().Topics {
		made, err := w.provider.Subscribe(t.Context(), w.cred, providers.Subscription{Topic: topic, CallbackURL: callbackURL})
		require.NoError(t, err)
		require.LessOrEqual(t, len(made.ID), 50)
		_, err = w.provider.Subscribe(t.Context(), w.cred, providers.Subscription{Topic: topic, CallbackURL: callbackURL})
		require.NoError(t, err, "the same again")
	}
	require.Len(t, w.Server.Subscriptions(), 5)
	for _, s := range w.Server.Subscriptions() {
		require.Equal(t, "320", s.SubscriberID)
	}
	_, err := w.provider.Subscribe(t.Context(), w.cred, providers.Subscription{Topic: "sleep", CallbackURL: "https://elsewhere.example.com"})
	require.ErrorIs(t, err, providers.ErrInvalid)
	poor := credential(w.Server.Login(w.person.ID, "sleep"))
	_, err = w.provider.Subscribe(t.Context(), poor, providers.Subscription{Topic: "body"})
	require.ErrorIs(t, err, providers.ErrForbidden)
}

// What an application subscribed a person to before it used this adapter is
// listed and can be ended, also the subscription to all collections at once.
func TestSubscriptionsOfAnotherClient(t *testing.T) {
	w := newWorld(t, fitbittest.Config{Days: 3, RateLimit: -1}, same)
	client := &http.Client{Transport: providertest.Transport(w.Server)}
	for _, path := range []string{"apiSubscriptions/320-all.json", "activities/apiSubscriptions/320-activities.json"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, providertest.BaseURL+"/1/user/-/"+path, nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+w.cred.Access.Reveal())
		resp, err := client.Do(r)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusCreated, resp.StatusCode)
	}
	list, err := w.provider.Subscriptions(t.Context(), w.cred)
	require.NoError(t, err)
	require.Len(t, list, 2)
	for _, s := range list {
		require.NoError(t, w.provider.Unsubscribe(t.Context(), w.cred, s))
	}
	require.Empty(t, w.Server.Subscriptions())
}

// A vector of the signature, made independently of this code.
func TestSignatureVector(t *testing.T) {
	const secret, body, signature = "123ab4567c890d123e4567f8abcdef9a",
		`[{"collectionType":"activities","date":"2026-03-08","ownerId":"ABC123","ownerType":"user","subscriptionId":"sub-1"}]`,
		"h0EnpWchegPbzZwVLEy2NR4Rpso="
	p, err := fitbit.New(fitbit.Config{ClientID: "a", ClientSecret: providers.NewSecret(secret)})
	require.NoError(t, err)
	deliver := func(body string, header http.Header) ([]providers.Notification, error) {
		return p.ParseWebhook(noon(), &providers.WebhookRequest{Method: http.MethodPost, Body: []byte(body), Header: header})
	}
	notes, err := deliver(body, http.Header{"X-Fitbit-Signature": {signature}})
	require.NoError(t, err)
	require.Len(t, notes, 1)
	require.Equal(t, "ABC123", notes[0].UpstreamID)
	require.Equal(t, health.Window{First: civil("2026-03-08"), Last: civil("2026-03-08")}, notes[0].Window)
	require.Contains(t, notes[0].Streams, "activity")
	require.Contains(t, notes[0].Streams, "heart_intraday")
	for _, header := range []http.Header{
		nil, {"X-Fitbit-Signature": {signature, signature}}, {"X-Fitbit-Signature": {""}}, {"X-Fitbit-Signature": {signature + "="}},
		{"X-Fitbit-Signature": {strings.TrimRight(signature, "=")}},
	} {
		_, err = deliver(body, header)
		require.ErrorIs(t, err, providers.ErrSignature)
	}
	_, err = deliver(body+" ", http.Header{"X-Fitbit-Signature": {signature}})
	require.ErrorIs(t, err, providers.ErrSignature)
}

func TestNotifications(t *testing.T) {
	w := newWorld(t, fitbittest.Config{Days: 3}, same)
	parse := func(body string) []providers.Notification {
		t.Helper()
		r, _ := w.Sign([]byte(body), noon())
		notes, err := w.provider.ParseWebhook(noon(), r)
		require.NoError(t, err)
		return notes
	}
	element := func(collection, date, owner, kind string) string {
		return `{"collectionType":"` + collection + `","date":"` + date + `","ownerId":"` + owner + `","ownerType":"` + kind + `","subscriptionId":"s"}`
	}
	// One bad element of many does not take the others with it.
	notes := parse(`[` + strings.Join([]string{
		element("activities", "2026-10-29", "AAAAAA", "user"), `7`, `null`, element("sleep", "2026-10-29", "BBBBBB", "user"),
		element("body", "2026-10-29", "", "user"), element("body", "2026-10-29", "CCC/../CC", "user"), element("body", "2026-10-29", "DDDDDD", "group"),
		element("moods", "2026-10-29", "EEEEEE", "user"), `{"collectionType":"userRevokedAccess","ownerId":"FFFFFF","ownerType":"user","subscriptionId":"s"}`,
		`{"collectionType":"foods","collectionType":"body","ownerId":"GGGGGG","ownerType":"user"}`,
	}, ",") + `]`)
	var got []string
	for _, n := range notes {
		got = append(got, string(n.Event)+" "+n.UpstreamID)
	}
	require.Equal(t, []string{
		"data AAAAAA", "unknown ", "unknown ", "data BBBBBB", "unknown ", "unknown ", "unknown ", "unknown EEEEEE", "deauth FFFFFF", "unknown ",
	}, got)
	require.Equal(t, civil("2026-10-30"), notes[3].Window.Last, "a night may be filed under the next day")
	for _, date := range []string{"0000-00-00", "9999-12-31", "2026-11-05", "1999-01-01", "", "2026-02-30", "yesterday"} {
		note := parse(`[` + element("foods", date, "AAAAAA", "user") + `]`)[0]
		require.Equal(t, providers.EventData, note.Event, date)
		require.Zero(t, note.Window, date)
	}
	many := strings.Repeat(element("foods", "2026-10-29", "AAAAAA", "user")+",", 4999) + element("foods", "2026-10-29", "BBBBBB", "user")
	require.Len(t, parse(`[`+many+`]`), 5000)
	traits := w.provider.WebhookTraits()
	require.Equal(t, []any{204, 404, 5 * time.Second, true, true}, []any{traits.Accepted, traits.Refused, traits.Deadline, traits.Signed, traits.Triggers})
}

func TestVerificationOfAnAddress(t *testing.T) {
	w := newWorld(t, fitbittest.Config{Days: 3}, same)
	probe := func(p *fitbit.Provider, method string, query url.Values) (int, bool) {
		answer, ok := p.ProbeWebhook(&providers.WebhookRequest{Method: method, Query: query})
		return answer.Status, ok
	}
	code := fitbittest.DefaultVerificationCode
	for _, c := range []struct {
		query url.Values
		want  int
	}{{url.Values{"verify": {code}}, 204}, {url.Values{"verify": {"x"}}, 404}, {url.Values{"verify": {code, code}}, 404}, {nil, 404}, {url.Values{"verify": {""}}, 404}} {
		status, taken := probe(w.provider, http.MethodGet, c.query)
		require.True(t, taken)
		require.Equal(t, c.want, status)
	}
	_, taken := probe(w.provider, http.MethodPost, url.Values{"verify": {code}})
	require.False(t, taken)
	none, err := fitbit.New(fitbit.Config{ClientID: "a", ClientSecret: providers.NewSecret("b")})
	require.NoError(t, err)
	status, _ := probe(none, http.MethodGet, url.Values{"verify": {""}})
	require.Equal(t, 404, status, "no code is no match for no code")
}
