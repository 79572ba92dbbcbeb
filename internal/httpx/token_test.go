package httpx

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/providers"
)

// answerWith serves one fixed answer.
func answerWith(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func postRefresh(ctx context.Context, t *testing.T, format TokenFormat, h http.HandlerFunc) (TokenAnswer, int, error) {
	t.Helper()
	calls := 0
	c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) { calls++; h(w, r) }, nil)
	answer, err := PostToken(ctx, c, TokenRequest{
		Op: "refresh", Path: "oauth2/token", Format: format,
		Form: url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"rt-canary"}},
	})
	return answer, calls, err
}

func TestTokenGranted(t *testing.T) {
	body := func(members string) string { return `{"access_token":"at","refresh_token":"rt",` + members + `"x":1}` }
	type want struct {
		lifetime time.Duration
		adjusted bool
	}
	for _, c := range []struct {
		name, expires string
		want          want
	}{
		{"plain", `28800`, want{8 * time.Hour, false}},
		{"T6 zero", `0`, want{time.Minute, true}},
		{"T7 minus one", `-1`, want{time.Minute, true}},
		{"T7 minus a lot", `-28800`, want{time.Minute, true}},
		{"T8 a lot", `1e12`, want{24 * time.Hour, true}},
		{"T8 int64", `9223372036854775807`, want{24 * time.Hour, true}},
		{"T8 beyond float64", `1e400`, want{24 * time.Hour, true}},
		{"T9 string", `"28800"`, want{8 * time.Hour, false}},
		{"string with spaces", `" 28800 "`, want{8 * time.Hour, false}},
		{"T10 fraction", `28800.0`, want{8 * time.Hour, false}},
		{"T10 exponent", `2.88e4`, want{8 * time.Hour, false}},
		{"T11 null", `null`, want{2 * time.Hour, false}},
		{"T11 soon", `"soon"`, want{2 * time.Hour, true}},
		{"T11 empty", `""`, want{2 * time.Hour, true}},
		{"text infinity", `"inf"`, want{2 * time.Hour, true}},
		{"text nan", `"NaN"`, want{2 * time.Hour, true}},
		{"hexadecimal", `"0x10p4"`, want{2 * time.Hour, true}},
		{"bool", `true`, want{2 * time.Hour, true}},
		{"array", `[28800]`, want{2 * time.Hour, true}},
		{"object", `{}`, want{2 * time.Hour, true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				format := TokenFormat{DefaultLifetime: 2 * time.Hour, MaxLifetime: 24 * time.Hour}
				a, calls, err := postRefresh(t.Context(), t, format, answerWith(200, body(`"expires_in":`+c.expires+`,`)))
				require.NoError(t, err)
				require.Equal(t, 1, calls)
				require.Equal(t, "at", a.Access.Reveal())
				require.Equal(t, "rt", a.Refresh.Reveal())
				require.Equal(t, c.want, want{a.ExpiresIn, a.LifetimeAdjusted})
				require.Equal(t, time.Now().Add(a.ExpiresIn), a.ExpiresAt)
			})
		})
	}
}

func TestTokenDefaults(t *testing.T) { // T2, T4, T11
	for _, body := range []string{
		`{"access_token":"at"}`, `{"access_token":"at","refresh_token":""}`, `{"access_token":"at","refresh_token":null}`,
		`{"access_token":"at","token_type":"bearer","error":null}`, `{"access_token":"at","error":"","Refresh_Token":"x"}`,
		`{"access_token":"at","token_type":"BEARER","scope":"","userid":null}`,
	} {
		a, _, err := postRefresh(t.Context(), t, TokenFormat{UserIDs: []string{"userid"}}, answerWith(200, body, "Date", "Sun, 01 Mar 2026 12:00:00 GMT"))
		require.NoError(t, err, body)
		require.True(t, a.Refresh.IsZero())
		require.Equal(t, time.Hour, a.ExpiresIn)
		require.False(t, a.LifetimeAdjusted)
		require.Nil(t, a.Scopes)
		require.Empty(t, a.UserID)
		require.Equal(t, time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), a.Date)
	}
}

func TestTokenDetails(t *testing.T) {
	both := TokenFormat{UserIDs: []string{"user_id", "userid"}}
	for _, c := range []struct {
		name, members string
		user          string
		scopes        []string
	}{
		{"integer id", `"userid":363`, "363", nil},
		{"large integer id", `"userid":9007199254740993`, "9007199254740993", nil},
		{"text id", `"userid":"363"`, "363", nil},
		{"first name that is present", `"userid":2,"user_id":"1"`, "1", nil},
		{"scopes by space", `"scope":"a b  c"`, "", []string{"a", "b", "c"}},
		{"scopes by comma", `"scope":"user.info,user.metrics"`, "", []string{"user.info", "user.metrics"}},
		{"scope is a list", `"scope":["a"]`, "", nil},
		{"T29 exact case only", `"Refresh_Token":"other","USERID":5`, "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, _, err := postRefresh(t.Context(), t, both, answerWith(200, `{"access_token":"at","refresh_token":"rt",`+c.members+`}`))
			require.NoError(t, err)
			require.Equal(t, "rt", a.Refresh.Reveal())
			require.Equal(t, c.user, a.UserID)
			require.Equal(t, c.scopes, a.Scopes)
		})
	}
}

func TestTokenRefused(t *testing.T) {
	long := strings.Repeat("a", 64<<10)
	bomb := string(zipped(t, bytes.Repeat([]byte(" "), 8<<20)))
	pair := func(access, refresh string) string {
		b, err := json.Marshal(map[string]string{"access_token": access, "refresh_token": refresh})
		require.NoError(t, err)
		return string(b)
	}
	unreadable := providers.Error{Kind: providers.ErrMalformed, Code: CodeTokenUnreadable, Status: 200, Ambiguous: true}
	with := func(e providers.Error, code string) providers.Error { e.Code = code; return e }
	refused := func(status int, kind error, code string) providers.Error {
		return providers.Error{Kind: kind, Code: code, Status: status}
	}
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		want   providers.Error
	}{
		{"T1 empty object", answerWith(200, `{}`), with(unreadable, CodeTokenMissing)},
		{"T5 empty access token", answerWith(200, `{"access_token":"","refresh_token":"rt"}`), with(unreadable, CodeTokenMissing)},
		{"null access token", answerWith(200, `{"access_token":null,"refresh_token":"rt"}`), with(unreadable, CodeTokenMissing)},
		{"access token is a number", answerWith(200, `{"access_token":7}`), with(unreadable, CodeTokenOdd)},
		{"refresh token is a list", answerWith(200, `{"access_token":"at","refresh_token":["rt"]}`), with(unreadable, CodeTokenOdd)},
		{"T12 error in 200", answerWith(200, `{"error":"invalid_grant"}`), refused(200, providers.ErrReauth, "invalid_grant")},
		{"error beside tokens", answerWith(200, `{"error":"invalid_grant","access_token":"at"}`), refused(200, providers.ErrReauth, "invalid_grant")},
		{"unknown error in 200", answerWith(200, `{"error":"canary"}`), with(unreadable, CodeTokenRefusal)},
		{"error object in 200", answerWith(200, `{"error":{"canary":1}}`), with(unreadable, CodeTokenRefusal)},
		{"T13 T14 invalid grant", answerWith(400, `{"error":"invalid_grant","error_description":"canary"}`), refused(400, providers.ErrReauth, "invalid_grant")},
		{"invalid grant in 401", answerWith(401, `{"error":"invalid_grant"}`), refused(401, providers.ErrReauth, "invalid_grant")},
		{"T15 invalid client", answerWith(401, `{"error":"invalid_client"}`), providers.Error{Kind: providers.ErrInvalid, Code: "invalid_client", Status: 401, ClientFault: true}},
		{"unauthorized client", answerWith(400, `{"error":"unauthorized_client"}`), providers.Error{Kind: providers.ErrInvalid, Code: "unauthorized_client", Status: 400, ClientFault: true}},
		{"invalid request", answerWith(400, `{"error":"invalid_request"}`), refused(400, providers.ErrInvalid, "invalid_request")},
		{"invalid scope", answerWith(400, `{"error":"invalid_scope"}`), refused(400, providers.ErrInvalid, "invalid_scope")},
		{"temporarily unavailable in 400", answerWith(400, `{"error":"temporarily_unavailable"}`), refused(400, providers.ErrUnavailable, "temporarily_unavailable")},
		{"server error in 400", answerWith(400, `{"error":"server_error"}`), providers.Error{Kind: providers.ErrUnavailable, Code: "server_error", Status: 400, Ambiguous: true}},
		{"unknown code", answerWith(400, `{"error":"canary"}`), refused(400, providers.ErrMalformed, CodeTokenRefusal)},
		{"T16 text", answerWith(400, `Bad Request`), refused(400, providers.ErrMalformed, CodeTokenRefusal)},
		{"T17 HTML", answerWith(400, `<html>canary</html>`, "Content-Type", "text/html"), refused(400, providers.ErrMalformed, CodeTokenRefusal)},
		{"empty 401", answerWith(401, ``), refused(401, providers.ErrMalformed, CodeTokenRefusal)},
		{"T18 500", answerWith(500, `{"error":"invalid_grant"}`), providers.Error{Kind: providers.ErrUnavailable, Status: 500, Ambiguous: true}},
		{"T18 502", answerWith(502, ``), providers.Error{Kind: providers.ErrUnavailable, Status: 502, Ambiguous: true}},
		{"T18 504", answerWith(504, ``), providers.Error{Kind: providers.ErrUnavailable, Status: 504, Ambiguous: true}},
		{"503", answerWith(503, ``), providers.Error{Kind: providers.ErrUnavailable, Status: 503, Ambiguous: true}},
		{"T19 503 later", answerWith(503, ``, "Retry-After", "999999999"), providers.Error{Kind: providers.ErrUnavailable, Status: 503, RetryAt: inBubble(15 * time.Minute)}},
		{"T20 429 in the past", answerWith(429, ``, "Retry-After", "Wed, 21 Oct 1998 07:28:00 GMT"), providers.Error{Kind: providers.ErrRateLimited, Status: 429, RetryAt: inBubble(time.Second)}},
		{"408", answerWith(408, ``), refused(408, providers.ErrUnavailable, "")},
		{"T24 form-encoded", answerWith(200, `access_token=canary&refresh_token=rt`, "Content-Type", "application/x-www-form-urlencoded"), unreadable},
		{"T25 byte order mark", answerWith(200, "\ufeff"+pair("at", "rt")), unreadable},
		{"T26 truncated", answerWith(200, `{"access_token":"canary`), unreadable},
		{"T26 reset", answerWith(200, pair("at", "rt"), "Content-Length", "4000"), providers.Error{Kind: providers.ErrUnavailable, Code: CodeTruncated, Status: 200, Ambiguous: true}},
		{"T27 two documents", answerWith(200, pair("at", "rt")+pair("at", "rt")), unreadable},
		{"T28 two refresh tokens", answerWith(200, `{"access_token":"at","refresh_token":"canary1","refresh_token":"canary2"}`), unreadable},
		{"T30 70 KiB", answerWith(200, `{"access_token":"at","x":"`+long+long[:6<<10]+`"}`), providers.Error{Kind: providers.ErrMalformed, Code: CodeBodyTooLarge, Status: 200, Ambiguous: true}},
		{"T31 gzip bomb", answerWith(200, bomb, "Content-Encoding", "gzip"), providers.Error{Kind: providers.ErrMalformed, Code: CodeBodyTooLarge, Status: 200, Ambiguous: true}},
		{"T32 redirect", answerWith(308, ``, "Location", "https://evil.io/canary"), refused(308, providers.ErrMalformed, CodeRedirect)},
		{"T34 line break", answerWith(200, pair("canary\n", "rt")), with(unreadable, CodeTokenOdd)},
		{"T34 NUL", answerWith(200, pair("canary\x00", "rt")), with(unreadable, CodeTokenOdd)},
		{"T34 not ASCII", answerWith(200, pair("at", "cänary")), with(unreadable, CodeTokenOdd)},
		{"space", answerWith(200, pair("at at", "rt")), with(unreadable, CodeTokenOdd)},
		{"T35 over 8 KiB", answerWith(200, pair("at", long[:8<<10+1])), with(unreadable, CodeTokenOdd)},
		{"T36 mac", answerWith(200, `{"access_token":"at","token_type":"mac"}`), with(unreadable, CodeTokenType)},
		{"token type is a number", answerWith(200, `{"access_token":"at","token_type":1}`), with(unreadable, CodeTokenType)},
		{"user id with a fraction", answerWith(200, `{"access_token":"at","userid":12.0}`), with(unreadable, CodeTokenUserID)},
		{"user id with an exponent", answerWith(200, `{"access_token":"at","userid":1.2e1}`), with(unreadable, CodeTokenUserID)},
		{"user id with a line break", answerWith(200, `{"access_token":"at","userid":"a\nb"}`), with(unreadable, CodeTokenUserID)},
		{"user id is an object", answerWith(200, `{"access_token":"at","userid":{}}`), with(unreadable, CodeTokenUserID)},
		{"HTML in 200", answerWith(200, `<html>canary</html>`), unreadable},
		{"nothing in 200", answerWith(200, ``), unreadable},
		{"204", answerWith(204, ``), providers.Error{Kind: providers.ErrMalformed, Code: CodeTokenUnreadable, Status: 204, Ambiguous: true}},
		{"null", answerWith(200, `null`), unreadable},
		{"array", answerWith(200, `[]`), unreadable},
		{"invalid UTF-8", answerWith(200, "{\"access_token\":\"a\xff\"}"), unreadable},
		{"no answer", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, providers.Error{Kind: providers.ErrUnavailable, Code: CodeTransport, Ambiguous: true}},
		{"hang", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, providers.Error{Kind: providers.ErrUnavailable, Code: CodeTimeout, Ambiguous: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, calls, err := postRefresh(t.Context(), t, TokenFormat{UserIDs: []string{"userid"}}, c.answer)
				e := *asProviderError(t, err)
				require.NotContains(t, err.Error(), "canary")
				require.Zero(t, a)
				require.Equal(t, 1, calls)
				require.Equal(t, "refresh", e.Op)
				if c.want.Code == CodeTransport || c.want.Code == CodeTimeout || c.want.Code == CodeTruncated {
					require.Error(t, e.Err)
				}
				if !c.want.RetryAt.IsZero() {
					require.Equal(t, c.want.RetryAt.Unix(), e.RetryAt.Unix())
				}
				if strings.HasPrefix(c.name, "T28") {
					require.Len(t, e.Pairs, 2)
					e.Pairs = nil
				}
				c.want.Provider, c.want.Op, c.want.Err, c.want.RetryAt = "acme", "refresh", e.Err, e.RetryAt
				require.Equal(t, c.want, e)
			})
		})
	}
}

// inBubble returns the time d after the beginning of a bubble.
func inBubble(d time.Duration) time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(d) }

// TestTokenEnvelope reads the answers of a service that wraps the token object
// and tells errors by a status in the body.
func TestTokenEnvelope(t *testing.T) { // T21, T22, T23
	format := TokenFormat{
		UserIDs: []string{"userid"},
		Unwrap: func(body []byte) ([]byte, error) {
			var envelope struct {
				Status *int            `json:"status"`
				Body   json.RawMessage `json:"body"`
			}
			if err := StrictUnmarshal(body, &envelope); err != nil || envelope.Status == nil {
				return nil, errors.New("canary")
			}
			switch *envelope.Status {
			case 0:
				return envelope.Body, nil
			case 503:
				return nil, &providers.Error{Kind: providers.ErrReauth, Code: "503"}
			case 601:
				return nil, &providers.Error{Kind: providers.ErrRateLimited, Code: "601", RetryAt: inBubble(time.Hour)}
			default:
				return nil, &providers.Error{Kind: providers.ErrUnavailable, Code: fmt.Sprint(*envelope.Status)}
			}
		},
	}
	a, _, err := postRefresh(t.Context(), t, format, answerWith(200, `{"status":0,"body":{"userid":363,"access_token":"at","refresh_token":"rt","expires_in":10800,"scope":"user.info,user.metrics"}}`))
	require.NoError(t, err)
	require.Equal(t, "363", a.UserID)
	require.Equal(t, 3*time.Hour, a.ExpiresIn)

	for _, c := range []struct {
		name, body string
		kind       error
		ambiguous  bool
	}{
		{"refused", `{"status":503,"body":{},"error":"Invalid Params: invalid refresh_token"}`, providers.ErrReauth, false},
		{"too many", `{"status":601,"body":{"wait_seconds":188}}`, providers.ErrRateLimited, false},
		{"unknown", `{"status":4711}`, providers.ErrUnavailable, false},
		{"no body", `{"status":0}`, providers.ErrMalformed, true},
		{"array as body", `{"status":0,"body":[]}`, providers.ErrMalformed, true},
		{"null as body", `{"status":0,"body":null}`, providers.ErrMalformed, true},
		{"empty body", `{"status":0,"body":{}}`, providers.ErrMalformed, true},
		{"not an envelope", `{"access_token":"canary"}`, providers.ErrMalformed, true},
		{"not JSON", `canary`, providers.ErrMalformed, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, calls, err := postRefresh(t.Context(), t, format, answerWith(200, c.body))
			e := asProviderError(t, err)
			require.ErrorIs(t, e, c.kind)
			require.Equal(t, c.ambiguous, e.Ambiguous)
			require.Equal(t, "refresh", e.Op)
			require.Equal(t, 200, e.Status)
			require.Equal(t, 1, calls)
			require.NotContains(t, err.Error(), "canary")
		})
	}
}

func TestTokenRefusalOfTheService(t *testing.T) {
	format := TokenFormat{Refusal: func(status int, body []byte) *providers.Error {
		if status == 400 && bytes.Contains(body, []byte(`"errorType":"invalid_grant"`)) {
			return &providers.Error{Kind: providers.ErrReauth, Code: "invalid_grant"}
		}
		return nil
	}}
	_, _, err := postRefresh(t.Context(), t, format, answerWith(400, `{"errors":[{"errorType":"invalid_grant"}],"success":false}`))
	e := asProviderError(t, err)
	require.ErrorIs(t, e, providers.ErrReauth)
	require.Equal(t, 400, e.Status)
	_, _, err = postRefresh(t.Context(), t, format, answerWith(401, `{"error":"invalid_client"}`))
	require.True(t, asProviderError(t, err).ClientFault)
}

func TestTokenForm(t *testing.T) { // T24
	format := TokenFormat{AllowForm: true}
	kind := []string{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}
	a, _, err := postRefresh(t.Context(), t, format, answerWith(200, `access_token=at&refresh_token=rt&expires_in=60`, kind...))
	require.NoError(t, err)
	require.Equal(t, "at", a.Access.Reveal())
	require.Equal(t, time.Minute, a.ExpiresIn)
	for _, body := range []string{``, `access_token=a&access_token=b`, `access_token=%zz`, `<html>`} {
		_, _, err = postRefresh(t.Context(), t, format, answerWith(200, body, kind...))
		require.True(t, asProviderError(t, err).Ambiguous, body)
	}
	a, _, err = postRefresh(t.Context(), t, format, answerWith(200, `{"access_token":"at"}`))
	require.NoError(t, err)
	require.Equal(t, "at", a.Access.Reveal())
}

func TestTokenAnswerCredential(t *testing.T) {
	old := providers.Credential{
		UpstreamID: "7", Access: providers.NewSecret("a1"), Refresh: providers.NewSecret("r1"), Scopes: []string{"x", "y"},
	}
	at := time.Unix(1, 0)
	kept := TokenAnswer{Access: providers.NewSecret("a2"), ExpiresAt: at}.Credential(old)
	require.Equal(t, providers.Credential{
		UpstreamID: "7", Access: providers.NewSecret("a2"), Refresh: providers.NewSecret("r1"), Scopes: []string{"x", "y"}, ExpiresAt: at,
	}, kept)
	replaced := TokenAnswer{
		Access: providers.NewSecret("a3"), Refresh: providers.NewSecret("r3"), Scopes: []string{"x"}, UserID: "8",
	}.Credential(old)
	require.Equal(t, providers.Credential{
		UpstreamID: "8", Access: providers.NewSecret("a3"), Refresh: providers.NewSecret("r3"), Scopes: []string{"x"},
	}, replaced)
	require.Equal(t, "a1", old.Access.Reveal())
	require.True(t, TokenAnswer{LifetimeAdjusted: true}.Credential(old).OddLifetime)
	require.False(t, TokenAnswer{}.Credential(providers.Credential{OddLifetime: true}).OddLifetime)
}

// TestRepeatedRefreshToken: of a whole answer that names several refresh tokens
// nothing is lost, of any other nothing is taken.
func TestRepeatedRefreshToken(t *testing.T) { // T28
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			body string
			want []string // access token and refresh token of each pair
		}{
			{`{"access_token":"at","refresh_token":"r1","refresh_token":"r2"}`, []string{"at r1", "at r2"}},
			{`{"refresh_token":"r1","access_token":"at","x":{"y":[1]},"refresh_token":"r1"}`, []string{"at r1", "at r1"}},
			{`{"status":0,"body":{"access_token":"at","refresh_token":"r1","refresh_token":"r2","refresh_token":"r3"}}`, []string{"at r1", "at r2", "at r3"}},
			{`{"access_token":"a1","access_token":"a2","refresh_token":"r1","refresh_token":"r2"}`, nil},
			{`{"access_token":"at","refresh_token":"r1","refresh_token":7}`, nil},
			{`{"access_token":"at","refresh_token":"r1","refresh_token":""}`, nil},
			{`{"access_token":"at","refresh_token":"r1","refresh_token":"r\n2"}`, nil},
			{`{"access_token":"at","refresh_token":"r1","refresh_token":"r2"} {}`, nil},
			{`{"access_token":"at","refresh_token":"r1","refresh_token":"r2"`, nil},
			{`{"a":{"b":{"access_token":"at","refresh_token":"r1","refresh_token":"r2"}}}`, nil},
			{`[{"access_token":"at","refresh_token":"r1","refresh_token":"r2"}]`, nil},
			{`{"access_token":"at","refresh_token":"r1","refresh_token":"r2","refresh_token":"r3","refresh_token":"r4"}`, nil},
		} {
			_, _, err := postRefresh(t.Context(), t, TokenFormat{}, answerWith(200, c.body))
			e := asProviderError(t, err)
			require.True(t, e.Ambiguous)
			var got []string
			for _, pair := range e.Pairs {
				require.Equal(t, time.Now().Add(time.Hour), pair.ExpiresAt)
				got = append(got, pair.Access.Reveal()+" "+pair.Refresh.Reveal())
			}
			require.Equal(t, c.want, got, c.body)
			require.NotContains(t, fmt.Sprintf("%v %+v %#v", e, e, *e), "r1")
		}
	})
}

// TestCodesOfTheEngine: the engine knows these by the contract's names.
func TestCodesOfTheEngine(t *testing.T) {
	require.Equal(t, CodeRedirect, providers.CodeRedirect)
}

// FuzzToken reads any body as a token answer.
func FuzzToken(f *testing.F) {
	for _, s := range []string{
		`{"access_token":"at","refresh_token":"rt","expires_in":"2.88e4","scope":"a b","userid":1,"token_type":"Bearer"}`,
		`{"access_token":"at","expires_in":1e400}`, `{"error":"invalid_grant"}`, `{}`, `null`, `[]`, `{"access_token":"a","access_token":"b"}`,
	} {
		f.Add([]byte(s), 200)
		f.Add([]byte(s), 400)
	}
	format := TokenFormat{UserIDs: []string{"userid"}}
	f.Fuzz(func(t *testing.T, body []byte, status int) {
		a, err := readToken(&Response{Status: status, Header: http.Header{}, Body: body}, format)
		if err != nil {
			if err.Kind == nil {
				t.Fatalf("no class for %q", body)
			}
			if err.Code == "invalid_grant" != errors.Is(err, providers.ErrReauth) {
				t.Fatalf("%q: consent is asked for only by invalid_grant", body)
			}
			return
		}
		if status < 200 || status > 299 {
			t.Fatalf("granted with status %d", status)
		}
		for _, s := range []string{a.Access.Reveal(), a.Refresh.Reveal(), a.UserID} {
			if len(s) > maxToken || !isVisible(s) {
				t.Fatalf("odd text from %q", body)
			}
		}
		if a.Access.IsZero() || a.ExpiresIn < 0 || a.ExpiresIn > defaultMaxLifetime {
			t.Fatalf("%q gave a token of %v", body, a.ExpiresIn)
		}
	})
}
