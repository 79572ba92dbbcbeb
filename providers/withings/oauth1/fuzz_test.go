package oauth1

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/httpx"
	"github.com/vitalmux/vitalmux/providers"
)

// FuzzBaseString compares the base string, and what comes of it, with those of a
// server that was written from the RFC, and with the library's pieces.
func FuzzBaseString(f *testing.F) {
	for _, v := range readVectors(f, "testdata/vectors.json") {
		_, params := v.signer(f)
		f.Add(v.Method, v.Endpoint, params.Encode(), v.param(paramKey), v.ConsumerSecret, v.param(paramToken), v.TokenSecret, v.param(paramNonce), int64(1490166061))
	}
	f.Add("GET", "https://h/p?a=%ff&a&=&b=+", "a=1;2", "k", "s", "", "", "é", int64(0))
	f.Fuzz(func(t *testing.T, method, endpoint, query, key, secret, token, tokenSecret, nonce string, timestamp int64) {
		params, err := url.ParseQuery(query)
		if err != nil {
			params = url.Values{query: {query, ""}}
		}
		s := Signer{
			ConsumerKey: key, ConsumerSecret: secret, Token: token, TokenSecret: tokenSecret,
			Nonce: func() string { return nonce }, Now: func() time.Time { return time.Unix(timestamp, 0) },
		}
		signed, err := s.SignedURL(method, endpoint, params)
		base, baseErr := s.BaseString(method, endpoint, params)
		trace, traceErr := s.Trace(method, endpoint, params)
		if err != nil {
			require.Equal(t, err, baseErr)
			require.Equal(t, err, traceErr)
			e, ok := errors.AsType[*providers.Error](err)
			require.True(t, ok)
			require.ErrorIs(t, err, providers.ErrInvalid)
			require.Equal(t, "withings: sign: invalid request: code oauth1_sign: "+e.Detail, err.Error())
			return
		}
		require.NoError(t, baseErr)
		require.NoError(t, traceErr)
		if method == "" {
			method = "GET"
		}
		require.NoError(t, verify(method, signed, secret, tokenSecret))
		want, _, err := serverBase(method, signed)
		require.NoError(t, err)
		require.Equal(t, want, base)
		require.Equal(t, trace.URL, signed)
		require.Equal(t, trace.BaseString, base)
		// The address is one that arrives as it was signed, and signing it again
		// changes nothing.
		u, err := url.Parse(signed)
		require.NoError(t, err)
		require.Equal(t, signed, u.String())
		again, err := s.SignedURL(method, signed, nil)
		require.NoError(t, err)
		require.Equal(t, signed, again)
	})
}

// FuzzAnswer: whatever comes, it is a token within its bounds or an error of a
// known class that holds nothing of it.
func FuzzAnswer(f *testing.F) {
	for _, c := range answers {
		f.Add(c.status, []byte(c.body), true)
		f.Add(c.status, []byte(c.body), false)
	}
	f.Fuzz(func(t *testing.T, status int, body []byte, access bool) {
		now := time.Date(2018, 2, 15, 12, 0, 0, 0, time.UTC)
		a, e := readAnswer(&httpx.Response{Status: status, Body: body}, access, now)
		if e != nil {
			require.Zero(t, a)
			if e.Kind == nil {
				require.True(t, status >= 500 || status == 408 || status == 425 || status == 429)
				return
			}
			require.Contains(t, providers.Classes(), e.Kind)
			require.Equal(t, !e.RetryAt.IsZero(), errors.Is(e, providers.ErrRateLimited))
			require.Regexp(t, `^: [a-z ]+: code (-?[0-9]+|[a-z_]+)$`, e.Error())
			return
		}
		require.GreaterOrEqual(t, status, 200)
		require.Less(t, status, 300)
		for _, text := range []string{a.Token.Token.Reveal(), a.Secret.Reveal()} {
			require.NotEmpty(t, text)
			require.LessOrEqual(t, len(text), maxToken)
			require.Equal(t, -1, strings.IndexFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }))
		}
		require.Equal(t, access, a.UserID != "")
		require.LessOrEqual(t, max(len(a.UserID), len(a.DeviceID)), maxID)
		// The same fields in another answer are the same token.
		again := url.Values{"oauth_token": {a.Token.Token.Reveal()}, "oauth_token_secret": {a.Secret.Reveal()}}
		if access {
			again["userid"], again["deviceid"] = []string{a.UserID}, []string{a.DeviceID}
		}
		b, code := parseAnswer([]byte(again.Encode()), access)
		require.Empty(t, code)
		require.Equal(t, a, b)
	})
}
