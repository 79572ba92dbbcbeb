package provsim

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/providers"
)

// TestConstantMACs counts the MACs of one verification: as many as there are
// secrets, whatever the delivery says.
func TestConstantMACs(t *testing.T) {
	secrets := []string{"signing-secret-number-1", "signing-secret-number-2", "signing-secret-number-3"}
	cfg := AdapterConfig{BaseURL: "https://service.example.com"}
	for _, s := range secrets {
		cfg.SigningSecrets = append(cfg.SigningSecrets, providers.NewSecret(s))
	}
	p, err := New(cfg)
	require.NoError(t, err)
	n := 0
	p.mac = func(secret, stamp string, body []byte) []byte { n++; return macOf(secret, stamp, body) }
	now, body := time.Now(), []byte(`{}`)
	for name, headers := range map[string][]string{
		"first":  {Sign(body, now, secrets[0])},
		"last":   {Sign(body, now, secrets[2])},
		"all":    {Sign(body, now, secrets...)},
		"wrong":  {Sign(body, now, "another secret of 24 bytes")},
		"old":    {Sign(body, now.Add(-time.Hour), secrets[0])},
		"none":   nil,
		"two":    {"t=1", "t=1"},
		"broken": {"t=1,v1=zz"},
		"long":   {strings.Repeat("t", 2000)},
	} {
		n = 0
		_, err := p.ParseWebhook(now, &providers.WebhookRequest{Header: http.Header{SignatureHeader: headers}, Body: body})
		require.Error(t, err)
		require.Equal(t, len(secrets), n, name)
	}
}
