package withings

import (
	"errors"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/httpx"
	"github.com/vitalmux/vitalmux/providers"
)

func TestStatuses(t *testing.T) {
	for i := 1; i < len(statuses); i++ {
		require.Greater(t, statuses[i].first, statuses[i-1].last, "ranges rise")
	}
	for status, want := range map[int64]error{
		100: providers.ErrReauth, 101: providers.ErrReauth, 102: providers.ErrReauth, 200: providers.ErrReauth, 401: providers.ErrReauth,
		201: providers.ErrInvalid, 213: providers.ErrInvalid, 214: providers.ErrForbidden, 215: providers.ErrUnavailable,
		239: providers.ErrUnavailable, 247: providers.ErrInvalid, 277: providers.ErrForbidden, 286: providers.ErrInvalid,
		293: providers.ErrInvalid, 304: providers.ErrInvalid, 305: providers.ErrUnavailable, 342: providers.ErrInvalid,
		343: providers.ErrInvalid, 354: providers.ErrUnavailable, 503: providers.ErrInvalid, 511: providers.ErrInvalid,
		522: providers.ErrUnavailable, 523: providers.ErrInvalid, 524: providers.ErrUnavailable, 601: providers.ErrRateLimited,
		602: providers.ErrUnavailable, 2553: providers.ErrForbidden, 2554: providers.ErrInvalid, 2555: providers.ErrForbidden,
		2556: providers.ErrInvalid, 3017: providers.ErrInvalid, 3020: providers.ErrUnavailable, 10000: providers.ErrUnavailable,
		424242: providers.ErrUnavailable, -1: providers.ErrUnavailable,
	} {
		require.Equal(t, want, classOf(status).kind, status)
		require.Equal(t, want == providers.ErrReauth, classOf(status).expired, status)
	}
}

func TestFailure(t *testing.T) {
	const secret = "the message of the service"
	p := testProvider(t)
	answer := func(status int, body string) *providers.Error {
		err := p.failure("fetch measures", &httpx.Response{Status: status, Header: http.Header{}, Body: []byte(body), RequestID: "r1"})
		if err == nil {
			return nil
		}
		require.NotContains(t, err.Error(), secret)
		e, ok := errors.AsType[*providers.Error](err)
		require.True(t, ok)
		require.Equal(t, Name, e.Provider)
		return e
	}
	require.Nil(t, answer(200, `{"status":0,"body":{}}`))
	require.Nil(t, answer(200, `{"status":"0"`), "whoever maps the body reads the rest")

	e := answer(200, `{"status":401,"body":{},"error":"`+secret+`"}`)
	require.ErrorIs(t, e, providers.ErrReauth)
	require.True(t, e.ExpiredAccess)
	require.Equal(t, "401", e.Code)
	require.Equal(t, "r1", e.RequestID)

	e = answer(200, `{"error":"Same arguments in less than 10 seconds","body":{"wait_seconds":188},"status":601}`)
	require.ErrorIs(t, e, providers.ErrRateLimited)
	require.WithinDuration(t, time.Now().Add(188*time.Second), e.RetryAt, 5*time.Second)
	e = answer(200, `{"status":601,"body":{"wait_seconds":99999999999999}}`)
	require.WithinDuration(t, time.Now().Add(longestRetryWait), e.RetryAt, 5*time.Second)
	for _, body := range []string{`{"status":601}`, `{"status":601,"body":[]}`, `{"status":601,"body":{"wait_seconds":-1}}`, `{"status":601,"body":{"wait_seconds":"soon"}}`} {
		require.WithinDuration(t, time.Now().Add(defaultRetryWait), answer(200, body).RetryAt, 5*time.Second, body)
	}

	require.ErrorIs(t, answer(500, secret), providers.ErrUnavailable)
	require.ErrorIs(t, answer(429, secret), providers.ErrRateLimited)
	require.ErrorIs(t, answer(401, secret), providers.ErrReauth)
	require.NotErrorIs(t, answer(410, secret), providers.ErrRetired, "nothing of this service has been retired")
	for body, code := range map[string]string{
		"<html>" + secret: codeNotJSON, "": codeNotJSON, "null": codeNoStatus, "[]": codeNoStatus, "{}": codeNoStatus,
		`{"body":{}`: codeJSON, `{"status":null}`: codeNoStatus, `{"status":12.5}`: codeNoStatus, `{"status":7`: codeJSON,
	} {
		e := answer(200, body)
		require.ErrorIs(t, e, providers.ErrMalformed, body)
		require.Equal(t, code, e.Code, body)
	}
}

func TestTokenErrors(t *testing.T) {
	for _, c := range []struct {
		status      int64
		text        string
		refresh     bool
		kind        error
		application bool
		ambiguous   bool
	}{
		{503, "Invalid Params: invalid refresh_token", true, providers.ErrReauth, false, false},
		{503, "Invalid Params: invalid code", false, providers.ErrReauth, false, false},
		{503, "Invalid Params: invalid client id/secret", true, providers.ErrInvalid, true, false},
		{503, "Invalid Params: invalid client id/secret", false, providers.ErrInvalid, true, false},
		{503, "Invalid Params: invalid client_id", true, providers.ErrInvalid, true, false},
		{503, "Invalid Params: invalid client_secret", false, providers.ErrInvalid, true, false},
		{503, "Wrong Client Secret", true, providers.ErrInvalid, true, false},
		{503, "invalid_client", true, providers.ErrInvalid, true, false},
		{503, "Invalid client", true, providers.ErrInvalid, true, false},
		{503, "The refresh token does not belong to this client", true, providers.ErrReauth, false, false},
		{503, "Invalid Params: Missing code", false, providers.ErrInvalid, true, false},
		{293, "Wrong redirect_uri", false, providers.ErrInvalid, true, false},
		{293, "", true, providers.ErrReauth, false, false},
		{293, "invalid client id/secret", true, providers.ErrInvalid, true, false},
		{401, "", true, providers.ErrReauth, false, false},
		{401, "XRequestID: Not provided invalid_token: The refresh token provided is invalid", true, providers.ErrReauth, false, false},
		{401, "Invalid Params: invalid client id/secret", true, providers.ErrInvalid, true, false},
		{342, "", true, providers.ErrInvalid, true, false},
		{2555, "", true, providers.ErrInvalid, true, false},
		{601, "Too Many Request", true, providers.ErrRateLimited, false, false},
		{522, "", true, providers.ErrUnavailable, false, true},
		{777777, "", true, providers.ErrUnavailable, false, true},
	} {
		e := tokenError(envelope{status: c.status, text: []byte(c.text)}, c.refresh)
		require.Equal(t, c.kind, e.Kind, "%d %s", c.status, c.text)
		require.Equal(t, c.application, e.ClientFault, "%d %s", c.status, c.text)
		require.Equal(t, c.ambiguous, e.Ambiguous, "%d %s", c.status, c.text)
		require.Equal(t, strconv.FormatInt(c.status, 10), e.Code)
	}
	require.Nil(t, tokenError(envelope{}, true))
}
