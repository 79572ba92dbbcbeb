package withings

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/providers"
)

func testProvider(tb testing.TB) *Provider {
	tb.Helper()
	p, err := New(Config{ClientID: "client", ClientSecret: providers.NewSecret("secret")})
	require.NoError(tb, err)
	return p
}
