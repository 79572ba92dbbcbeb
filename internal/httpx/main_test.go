package httpx

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/providertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testBase = "https://api.example.com/1/"

// newTestClient returns a client whose requests are served by h in process.
func newTestClient(t *testing.T, h http.HandlerFunc, change func(*Config)) *Client {
	t.Helper()
	cfg := Config{Provider: "acme", BaseURL: testBase, Transport: providertest.Transport(h)}
	if change != nil {
		change(&cfg)
	}
	c, err := New(cfg)
	require.NoError(t, err)
	return c
}

// asProviderError returns err as the *providers.Error it must be.
func asProviderError(t *testing.T, err error) *providers.Error {
	t.Helper()
	require.Error(t, err)
	var e *providers.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, "acme", e.Provider)
	return e
}
