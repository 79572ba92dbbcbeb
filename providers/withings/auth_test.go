package withings

import (
	"context"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/providers"
)

// Made-up credentials; the signatures were computed with another program.
func TestSignatures(t *testing.T) {
	const (
		client = "e53529069d34d6bfcbc78bcf560824a720249051a5d5b120ea3e5b768bae1012"
		nonce  = "24dc0ec81501b6ad5feb18aef3dd6e4257dfb0f0"
	)
	p, err := New(Config{
		ClientID: client, ClientSecret: providers.NewSecret("a5943bd59522a595d9285f3b2ad6e1312e3317aed45dfd5c3eeb137197e574b0"),
	})
	require.NoError(t, err)
	require.Equal(t, "db76c68af12afa044ba3fb58b25e286becd7415f629e72d9c8cee96d2e18f468", p.sign("getnonce", client, "1710000000"))
	require.Equal(t, "59243dbb323c247a711962b5753ac463d523730e6638288032dc9d5d3d6decc7", p.sign("revoke", client, nonce))
}

func TestAuthorizationAddress(t *testing.T) {
	p := testProvider(t)
	start, err := p.Authorize(context.Background(), providers.AuthRequest{State: "s t", RedirectURL: "https://app.example.com/cb?a=b"})
	require.NoError(t, err)
	u, err := url.Parse(start.URL)
	require.NoError(t, err)
	require.Equal(t, "https://account.withings.com/oauth2_user/authorize2", u.Scheme+"://"+u.Host+u.Path)
	require.Equal(t, url.Values{
		"response_type": {"code"}, "client_id": {"client"}, "state": {"s t"}, "redirect_uri": {"https://app.example.com/cb?a=b"},
		"scope": {"user.info,user.metrics,user.activity"},
	}, u.Query(), "scopes are separated by commas")
	require.True(t, start.Secret.IsZero())

	start, err = p.Authorize(context.Background(), providers.AuthRequest{State: "s", RedirectURL: "https://a.example", Scopes: []string{"user.metrics"}})
	require.NoError(t, err)
	require.Contains(t, start.URL, "scope=user.metrics&")

	for _, r := range []providers.AuthRequest{{State: "s"}, {RedirectURL: "https://a.example"}} {
		_, err := p.Authorize(context.Background(), r)
		require.ErrorIs(t, err, providers.ErrInvalid)
	}
}

func TestCallbacksThatAreNotExchanged(t *testing.T) {
	p := testProvider(t)
	for _, c := range []struct {
		query string
		want  error
	}{
		{"", providers.ErrInvalid}, {"state=s", providers.ErrInvalid}, {"code=", providers.ErrInvalid}, {"code=a&code=b", providers.ErrInvalid},
		{"error=access_denied&state=s", providers.ErrForbidden},
	} {
		q, err := url.ParseQuery(c.query)
		require.NoError(t, err)
		_, err = p.Exchange(context.Background(), providers.Callback{Query: q, RedirectURL: "https://a.example"})
		require.ErrorIs(t, err, c.want, c.query)
	}
	_, err := p.Refresh(context.Background(), providers.Credential{})
	require.ErrorIs(t, err, providers.ErrReauth)
	require.ErrorIs(t, p.Revoke(context.Background(), providers.Credential{}), providers.ErrInvalid)
}
