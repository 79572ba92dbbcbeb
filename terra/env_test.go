package terra

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/providers"
)

func TestLoadEnv(t *testing.T) {
	const secret = "s3cret-of-the-webhook"
	whole := "TERRA_DEV_ID=dev-testing\nTERRA_API_KEY=" + testAPIKey + "\n"
	for _, tc := range []struct {
		name        string
		environment string
		file        string // of the environment; empty is none
		process     map[string]string
		want        Environment
		problem     []string // parts of the error
	}{
		{name: "file", environment: "testing", file: whole, want: Environment{DevID: "dev-testing"}},
		{
			name: "file with a secret, quotes and comments", environment: "staging",
			file: "# staging\nexport TERRA_DEV_ID='dev-testing'\nTERRA_API_KEY=\"" + testAPIKey + "\" # old\n\nTERRA_SIGNING_SECRET= " + secret + " \n",
			want: Environment{DevID: "dev-testing", SigningSecret: providers.NewSecret(secret)},
		},
		{
			name: "process", environment: "production", process: map[string]string{EnvDevID: "dev-testing", EnvAPIKey: testAPIKey, EnvSigningSecret: secret},
			want: Environment{DevID: "dev-testing", SigningSecret: providers.NewSecret(secret)},
		},
		{
			name: "the file goes first", environment: "testing", file: whole,
			process: map[string]string{EnvDevID: "other", EnvAPIKey: "other", EnvSigningSecret: "other"}, want: Environment{DevID: "dev-testing"},
		},
		{name: "nothing", environment: "testing", problem: []string{".env.terra.testing", "process environment", EnvDevID, EnvAPIKey}},
		{
			name: "half a file is not completed by the process", environment: "staging", file: "TERRA_API_KEY=" + testAPIKey,
			process: map[string]string{EnvDevID: "dev-production"}, problem: []string{".env.terra.staging has no TERRA_DEV_ID"},
		},
		{name: "file without a key", environment: "testing", file: "TERRA_DEV_ID=d\nTERRA_API_KEY=\n", problem: []string{".env.terra.testing has no TERRA_API_KEY"}},
		{name: "empty file", environment: "testing", file: "\n", problem: []string{".env.terra.testing has no TERRA_DEV_ID and no TERRA_API_KEY"}},
		{
			name: "half a process", environment: "production", process: map[string]string{EnvAPIKey: testAPIKey},
			problem: []string{".env.terra.production", "process environment has no TERRA_DEV_ID"},
		},
		{name: "broken file", environment: "testing", file: "TERRA_API_KEY " + testAPIKey + "\n", problem: []string{".env.terra.testing cannot be read"}},
		{name: "unclosed quote", environment: "testing", file: "TERRA_API_KEY=\"" + testAPIKey, problem: []string{".env.terra.testing cannot be read"}},
		{name: "no such environment", environment: "../../etc/passwd", problem: []string{"no such environment", "testing, staging, production"}},
		{name: "no environment", environment: "", problem: []string{"no such environment"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			for _, name := range []string{EnvDevID, EnvAPIKey, EnvSigningSecret} {
				t.Setenv(name, tc.process[name])
			}
			if tc.file != "" {
				require.NoError(t, os.WriteFile(".env.terra."+tc.environment, []byte(tc.file), 0o600))
			}
			got, err := LoadEnv(tc.environment)
			if tc.problem != nil {
				require.Zero(t, got)
				require.ErrorIs(t, err, providers.ErrInvalid)
				for _, part := range tc.problem {
					require.ErrorContains(t, err, part)
				}
				errorOf(t, err)
				return
			}
			require.NoError(t, err)
			tc.want.Name, tc.want.APIKey = tc.environment, providers.NewSecret(testAPIKey)
			require.Equal(t, tc.want, got)
			require.Equal(t, tc.process[EnvAPIKey], os.Getenv(EnvAPIKey), "the process is as it was")

			var log strings.Builder
			slog.New(slog.NewTextHandler(&log, nil)).Info("loaded", "env", got, "config", got.Config())
			raw, err := json.Marshal(got)
			require.NoError(t, err)
			seen := log.String() + string(raw)
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
				seen += fmt.Sprintf(verb, got) + fmt.Sprintf(verb, &got) + fmt.Sprintf(verb, got.Config())
			}
			for _, hidden := range []string{testAPIKey, secret, fmt.Sprintf("%x", testAPIKey), fmt.Sprintf("%x", secret)} {
				require.NotContains(t, seen, hidden)
			}
			_, err = New(got.Config())
			require.NoError(t, err)
		})
	}
	t.Run("a folder in its place", func(t *testing.T) {
		t.Chdir(t.TempDir())
		require.NoError(t, os.Mkdir(".env.terra.testing", 0o700))
		_, err := LoadEnv("testing")
		require.ErrorIs(t, err, providers.ErrInvalid)
		require.ErrorContains(t, err, ".env.terra.testing cannot be")
	})
}
