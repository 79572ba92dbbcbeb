package httpx

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/providers"
)

const op = "some call"

func oauthClient(tb testing.TB) *Client {
	tb.Helper()
	c, err := New(Config{Provider: "acme", BaseURL: "https://api.example.com"})
	require.NoError(tb, err)
	return c
}

// asFailure returns the error of the client's provider and of the operation.
func asFailure(tb testing.TB, err error) providers.Error {
	tb.Helper()
	e, ok := errors.AsType[*providers.Error](err)
	require.True(tb, ok, "%v", err)
	require.Equal(tb, "acme", e.Provider)
	require.Equal(tb, op, e.Op)
	plain := *e
	plain.Provider, plain.Op = "", ""
	return plain
}

func TestPageURL(t *testing.T) {
	page, err := PageURL("acme", "https://account.example.com/a/b")
	require.NoError(t, err)
	require.Equal(t, "https://account.example.com/a/b/consent", page.JoinPath("consent").String())
	for _, address := range []string{"", "http://account.example.com", "https://u:p@account.example.com", "https://account.example.com/?q=1", "https://a.example/../b"} {
		_, err := PageURL("acme", address)
		require.ErrorIs(t, err, providers.ErrInvalid, address)
		_, same := New(Config{Provider: "acme", BaseURL: address})
		require.EqualError(t, err, same.Error(), "the rules of a base URL")
	}
}

func TestBearer(t *testing.T) {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.example.com", http.NoBody)
	require.NoError(t, err)
	require.NoError(t, Bearer(providers.NewSecret("t0ken"))(r))
	require.Equal(t, []string{"Bearer t0ken"}, r.Header["Authorization"])
}

func TestNewVerifier(t *testing.T) {
	seen := map[providers.Secret]bool{}
	for range 100 {
		verifier, challenge := NewVerifier()
		require.Regexp(t, `^[A-Za-z0-9_-]{43}$`, verifier.Reveal(), "43 to 128 unreserved characters")
		digest := sha256.Sum256([]byte(verifier.Reveal()))
		require.Equal(t, base64.RawURLEncoding.EncodeToString(digest[:]), challenge)
		require.False(t, seen[verifier])
		seen[verifier] = true
	}
}

func TestRedirectURL(t *testing.T) {
	c := oauthClient(t)
	for _, r := range []struct{ asked, configured, want string }{
		{"https://a.example", "https://b.example", "https://a.example"}, {"", "https://b.example", "https://b.example"}, {"https://a.example", "", "https://a.example"},
	} {
		got, err := c.RedirectURL(op, r.asked, r.configured)
		require.NoError(t, err)
		require.Equal(t, r.want, got)
	}
	_, err := c.RedirectURL(op, "", "")
	require.Equal(t, providers.Error{Kind: providers.ErrInvalid, Detail: "no redirect URL"}, asFailure(t, err))
}

func TestCodeForm(t *testing.T) {
	c := oauthClient(t)
	denied, odd := providers.Error{Kind: providers.ErrForbidden, Code: CodeDenied}, providers.Error{Kind: providers.ErrInvalid, Code: CodeCallback}
	for query, want := range map[string]providers.Error{
		"":                                    odd,
		"state=s":                             odd,
		"code=":                               odd,
		"code=&code=a":                        odd,
		"code=a&code=b":                       odd,
		"code=a&code=a":                       odd,
		"code=a&state=s&state=t":              odd,
		"Code=a":                              odd,
		"code[]=a":                            odd,
		"error=access_denied&state=s":         denied,
		"error=access_denied&code=a":          denied,
		"error=access_denied&code=a&code=b":   denied,
		"error=anything&state=s&state=t":      denied,
		"error=&state=s&state=t&code=a":       odd,
		"error=&error=access_denied&state=s":  odd,
		"error_description=x&error=a%00b%0ac": denied,
	} {
		q, err := url.ParseQuery(query)
		require.NoError(t, err)
		_, err = c.CodeForm(op, providers.Callback{Query: q, RedirectURL: "https://a.example"}, "")
		require.Equal(t, want, asFailure(t, err), query)
		checked := c.CheckCallback(op, q)
		require.Equal(t, want.Code == CodeDenied || len(q["state"]) > 1, checked != nil, query)
		if checked != nil {
			require.Equal(t, want, asFailure(t, checked), query)
		}
	}
	good := providers.Callback{Query: url.Values{"code": {"c0de"}, "state": {"s"}, "scope": {"x"}}}
	_, err := c.CodeForm(op, good, "")
	require.Equal(t, providers.Error{Kind: providers.ErrInvalid, Detail: "no redirect URL"}, asFailure(t, err))

	form, err := c.CodeForm(op, good, "https://b.example")
	require.NoError(t, err)
	require.Equal(t, url.Values{"grant_type": {"authorization_code"}, "code": {"c0de"}, "redirect_uri": {"https://b.example"}}, form)

	good.RedirectURL, good.Secret = "https://a.example", providers.NewSecret("v3rifier")
	form, err = c.CodeForm(op, good, "https://b.example")
	require.NoError(t, err)
	require.Equal(t, url.Values{
		"grant_type": {"authorization_code"}, "code": {"c0de"}, "redirect_uri": {"https://a.example"}, "code_verifier": {"v3rifier"},
	}, form)
}

func TestRefreshForm(t *testing.T) {
	c := oauthClient(t)
	form, err := c.RefreshForm(op, providers.Credential{Access: providers.NewSecret("a"), Refresh: providers.NewSecret("r")})
	require.NoError(t, err)
	require.Equal(t, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"r"}}, form)
	_, err = c.RefreshForm(op, providers.Credential{Access: providers.NewSecret("a")})
	require.Equal(t, providers.Error{Kind: providers.ErrReauth, Detail: "there is no refresh token"}, asFailure(t, err))
}

func TestRevokeForm(t *testing.T) {
	c := oauthClient(t)
	access, refresh := providers.NewSecret("a"), providers.NewSecret("r")
	for want, cred := range map[string]providers.Credential{"r": {Access: access, Refresh: refresh}, "a": {Access: access}} {
		form, err := c.RevokeForm(op, cred)
		require.NoError(t, err)
		require.Equal(t, url.Values{"token": {want}}, form)
	}
	_, err := c.RevokeForm(op, providers.Credential{UpstreamID: "u"})
	require.Equal(t, providers.Error{Kind: providers.ErrInvalid, Detail: "no token"}, asFailure(t, err))
}

func TestGranted(t *testing.T) {
	c := oauthClient(t)
	answer := TokenAnswer{Access: providers.NewSecret("a"), Refresh: providers.NewSecret("r"), UserID: "u", Scopes: []string{"s"}}
	grant, err := c.Granted(op, answer)
	require.NoError(t, err)
	require.Equal(t, providers.Grant{
		UpstreamID: "u", Credential: providers.Credential{UpstreamID: "u", Access: answer.Access, Refresh: answer.Refresh, Scopes: answer.Scopes},
	}, grant)
	for _, spoil := range []func(*TokenAnswer){func(a *TokenAnswer) { a.UserID = "" }, func(a *TokenAnswer) { a.Refresh = providers.Secret{} }} {
		lacking := answer
		spoil(&lacking)
		_, err := c.Granted(op, lacking)
		require.Equal(t, providers.Error{
			Kind: providers.ErrMalformed, Ambiguous: true, Detail: "the answer lacks the user id or the refresh token",
		}, asFailure(t, err), "the code is used up")
	}
}

func TestRenewed(t *testing.T) {
	c := oauthClient(t)
	a1, a2, r1, r2 := providers.NewSecret("a1"), providers.NewSecret("a2"), providers.NewSecret("r1"), providers.NewSecret("r2")
	for _, r := range []struct {
		name      string
		old, told string // who
		refresh   providers.Secret
		want      providers.Credential
	}{
		{"the same person", "u", "u", r2, providers.Credential{UpstreamID: "u", Access: a2, Refresh: r2}},
		{"the refresh token stays", "u", "u", providers.Secret{}, providers.Credential{UpstreamID: "u", Access: a2, Refresh: r1}},
		{"the answer does not tell", "u", "", r2, providers.Credential{UpstreamID: "u", Access: a2, Refresh: r2}},
		{"nobody knew", "", "u", r2, providers.Credential{UpstreamID: "u", Access: a2, Refresh: r2}},
	} {
		next, err := c.Renewed(op, TokenAnswer{Access: a2, Refresh: r.refresh, UserID: r.told}, providers.Credential{UpstreamID: r.old, Access: a1, Refresh: r1})
		require.NoError(t, err, r.name)
		require.Equal(t, r.want, next, r.name)
	}
	_, err := c.Renewed(op, TokenAnswer{Access: a2, Refresh: r2, UserID: "v"}, providers.Credential{UpstreamID: "u", Access: a1, Refresh: r1})
	require.Equal(t, providers.Error{Kind: providers.ErrMalformed, Code: providers.CodeIdentity}, asFailure(t, err))
}

// FuzzCallback reads what anybody may send to a callback address: either it is
// refused with a fixed text, or what is presented is its one code.
func FuzzCallback(f *testing.F) {
	for _, seed := range []string{
		"code=a&state=s", "", "error=access_denied", "code=a&code=b", "state=s&state=t&code=a", "code=%00&redirect_uri=https://evil.example", "code_verifier=x&code=a&grant_type=x",
	} {
		f.Add(seed)
	}
	c := oauthClient(f)
	f.Fuzz(func(t *testing.T, query string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		form, err := c.CodeForm(op, providers.Callback{Query: q, Secret: providers.NewSecret("v")}, "https://b.example")
		if err != nil {
			require.Contains(t, []providers.Error{{Kind: providers.ErrForbidden, Code: CodeDenied}, {Kind: providers.ErrInvalid, Code: CodeCallback}}, asFailure(t, err))
			return
		}
		require.Equal(t, url.Values{
			"grant_type": {"authorization_code"}, "code": {q.Get("code")}, "redirect_uri": {"https://b.example"}, "code_verifier": {"v"},
		}, form)
		require.Len(t, q["code"], 1)
		require.LessOrEqual(t, len(q["state"]), 1)
		require.Empty(t, q.Get("error"))
	})
}
