package terra

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/providers"
)

func oneDaily(t *testing.T, c *Client) error {
	_, err := c.Daily(t.Context(), DataRequest{UserID: "u2", Start: OnDay(day(t, "2026-06-01")), End: OnDay(day(t, "2026-06-08"))})
	return err
}

// problem and older are the two styles of error.
func problem(status int, title, detail string) reply {
	return reply{status: status, header: map[string]string{"Content-Type": "application/problem+json", "terra-reference": "ref-1"},
		body: `{"type":"about:blank","title":"` + title + `","instance":"/daily","detail":"` + detail + `"}`}
}

func older(status int, message string) reply {
	return reply{status: status, header: map[string]string{"terra-reference": "ref-1"}, body: `{"status":"error","message":"` + message + `"}`}
}

func TestErrors(t *testing.T) {
	for _, tc := range []struct {
		name        string
		answer      reply
		kind        error
		code        string
		clientFault bool
	}{
		{"bad parameter", problem(400, "bad request", "invalid start_date"), providers.ErrInvalid, "", false},
		{"type switched off", problem(400, "bad request", "data type is not enabled, enable on the dashboard"), providers.ErrForbidden, CodeTypeDisabled, false},
		{"no destination", problem(400, "bad request", "no destinations available for this connection"), providers.ErrInvalid, CodeNoDestinations, true},
		{"no destination, older, inside 200", problem(200, "bad request", "no destinations available for this connection"), providers.ErrInvalid, CodeNoDestinations, true},
		{"unsupported, older", older(400, "connection does not support requested data type"), providers.ErrForbidden, CodeTypeUnsupported, false},
		{"unsupported", problem(404, "not found", "this connection does not support the requested data type"), providers.ErrForbidden, CodeTypeUnsupported, false},
		{"unsupported, short", problem(404, "not found", "invalid data type"), providers.ErrForbidden, CodeTypeUnsupported, false},
		{"unauthorized", problem(401, "unauthorized", "dev-id or x-api-key headers are missing"), providers.ErrInvalid, CodeCredentials, true},
		{"unauthorized, older", older(401, "unauthorized"), providers.ErrInvalid, CodeCredentials, true},
		{"developer id", older(404, "Invalid dev-id was provided"), providers.ErrInvalid, CodeCredentials, true},
		{"forbidden", problem(403, "forbidden", "scope"), providers.ErrForbidden, "", false},
		{"entitlement", reply{status: 403, body: `{"title":"forbidden","code":"entitlement_required"}`}, providers.ErrForbidden, CodeEntitlement, false},
		{"environment", reply{status: 403, body: `{"title":"forbidden","code":"environment_disabled"}`}, providers.ErrInvalid, CodeDisabled, true},
		{"user limit", older(403, "User Limit Reached"), providers.ErrInvalid, CodeUserLimit, true},
		{"no user", problem(404, "not found", "user not found"), providers.ErrNotFound, CodeUserUnknown, false},
		{"no user, older", older(404, "User not found"), providers.ErrNotFound, CodeUserUnknown, false},
		{"no user, inside 200", older(200, "user not found"), providers.ErrNotFound, CodeUserUnknown, false},
		{"nothing there", reply{status: 404}, providers.ErrNotFound, "", false},
		{"gone", older(410, "gone"), providers.ErrRetired, CodeGone, false},
		{"too large", older(413, "too large"), providers.ErrInvalid, CodeAnswerTooLarge, false},
		{"provider refused", problem(424, "failed dependency", "permission"), providers.ErrForbidden, CodeProviderRefused, false},
		{"unknown status", reply{status: 418}, providers.ErrInvalid, "", false},
		{"limit of the provider", older(429, "x"), providers.ErrRateLimited, "", false},
		{"limit of the provider, inside 200", reply{status: 200, body: `{"message":"m","type":"rate_limit_hit","user":{"user_id":"u2"}}`}, providers.ErrRateLimited, CodeProviderLimit, false},
		{"limit of the provider, older, inside 200", reply{status: 200, body: `{"status":"error","type":"provider_rate_limit"}`}, providers.ErrRateLimited, CodeProviderLimit, false},
		{"server", reply{status: 500, body: "oops"}, providers.ErrUnavailable, "", false},
		{"gateway", reply{status: 504, body: "<html>"}, providers.ErrUnavailable, "", false},
		{"cannot check credentials", reply{status: 503, body: `{"code":"authorization_unavailable"}`}, providers.ErrUnavailable, CodeAuthorizationOff, false},
		{"not to be mistaken", reply{status: 503, body: `{"detail":"user not found"}`}, providers.ErrUnavailable, "", false},
		{"inside 200, unknown", older(200, "something else"), providers.ErrUnavailable, CodeRefused, false},
		{"inside 200, with no data", reply{status: 200, body: `{"status":"error","data":[],"message":"user not found"}`}, providers.ErrNotFound, CodeUserUnknown, false},
		{"redirect", reply{status: 302, header: map[string]string{"Location": "https://elsewhere.example/"}}, providers.ErrMalformed, providers.CodeRedirect, false},
		{"not JSON", ok("hello"), providers.ErrMalformed, codeNotJSON, false},
		{"broken JSON", ok(`{"data":[{]`), providers.ErrMalformed, codeBadJSON, false},
		{"empty", ok(""), providers.ErrMalformed, codeNotJSON, false},
		{"list", ok("[]"), providers.ErrMalformed, codeShape, false},
		{"nothing we know", ok(`{"hello":"world"}`), providers.ErrMalformed, codeShape, false},
		{"two documents", ok(`{"data":[]}{"data":[]}`), providers.ErrMalformed, codeBadJSON, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, _ := clientWith(t, Config{MaxWait: -1}, tc.answer)
			e := errorOf(t, oneDaily(t, c))
			require.ErrorIs(t, e, tc.kind)
			require.Equal(t, tc.code, e.Code)
			require.Equal(t, tc.clientFault, e.ClientFault)
			require.False(t, e.ExpiredAccess)
			require.False(t, errors.Is(e, providers.ErrReauth), "no person is asked again")
			if tc.answer.header["terra-reference"] != "" {
				require.Equal(t, "ref-1", e.RequestID)
			}
			for _, said := range []string{"start_date", "invalid", "dashboard", "elsewhere", "something else"} {
				if said != "invalid" {
					require.NotContains(t, e.Error(), said, "what the service says stays out")
				}
			}
		})
	}
}

func TestRateLimits(t *testing.T) {
	limited := func(rule, retryAfter string) reply {
		r := reply{status: 429, body: `{"detail":"rate limit exceeded"}`, header: map[string]string{}}
		if rule != "" {
			r.header[ruleHeader] = rule
		}
		if retryAfter != "" {
			r.header["Retry-After"] = retryAfter
		}
		return r
	}
	good := ok(`{"type":"daily","user":{"user_id":"u2"},"data":[]}`)
	synctest.Test(t, func(t *testing.T) {
		c, s := client(t, limited("r1", "1"), good)
		e := errorOf(t, oneDaily(t, c))
		require.ErrorIs(t, e, providers.ErrInvalid, "a span that is too long stays so")
		require.Equal(t, CodeSpanTooLong, e.Code)
		require.Zero(t, e.RetryAt)
		require.False(t, providers.Retryable(e))
		require.Len(t, s.asked, 1)
		require.NoError(t, oneDaily(t, c), "other requests go on")

		c, s = client(t, limited("r2", "3"), good)
		start := time.Now()
		require.NoError(t, oneDaily(t, c), "a short wait is waited for")
		require.GreaterOrEqual(t, time.Since(start), 3*time.Second)
		require.Len(t, s.asked, 2)

		c, s = client(t, limited("r2", "2400"), good)
		e = errorOf(t, oneDaily(t, c))
		require.ErrorIs(t, e, providers.ErrRateLimited)
		require.Equal(t, CodeDaysUsedUp, e.Code)
		require.Equal(t, 40*time.Minute, time.Until(e.RetryAt).Round(time.Second), "longer than other waits: the window is an hour")
		require.Len(t, s.asked, 1)
		e = errorOf(t, oneDaily(t, c))
		require.ErrorIs(t, e, providers.ErrRateLimited)
		require.Len(t, s.asked, 1, "the user is held back")
		_, err := c.Daily(t.Context(), DataRequest{UserID: "u3", Start: OnDay(day(t, "2026-06-01")), End: OnDay(day(t, "2026-06-08"))})
		require.NoError(t, err, "another user is not")
		time.Sleep(41 * time.Minute)
		require.NoError(t, oneDaily(t, c))
	})
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		header map[string]string
		want   time.Duration
	}{
		{map[string]string{"Retry-After": "7200"}, time.Hour},
		{map[string]string{"Retry-After": "0"}, time.Second},
		{map[string]string{resetHeader: "600"}, 10 * time.Minute},
		{map[string]string{"Retry-After": "9999999999999999999"}, 15 * time.Minute},
		{map[string]string{"Retry-After": "Sat, 21 Nov 2026 12:01:00 GMT"}, time.Minute},
	} {
		h := http.Header{}
		for name, value := range tc.header {
			h.Set(name, value)
		}
		require.Equal(t, now.Add(tc.want), daysFreeAt(h, now), tc.header)
	}
	require.Zero(t, daysFreeAt(http.Header{}, now))
}

func TestAReferenceThatIsNone(t *testing.T) {
	c, _ := client(t, reply{status: 400, header: map[string]string{"terra-reference": "a b", "X-Request-Id": "x-1"}})
	require.Equal(t, "x-1", errorOf(t, oneDaily(t, c)).RequestID)
}
