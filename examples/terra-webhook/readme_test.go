package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
	"github.com/vitalmux/vitalmux/terra"
)

// connectAddress is the program that the README shows about Terra.
func connectAddress(ctx context.Context, mux *http.ServeMux, db store.Store, keys healthsync.Sealer, public string) string {
	env := must(terra.LoadEnv("testing")) // .env.terra.testing, else the environment of the process
	account := terra.ProviderConfig{Config: env.Config(), SigningSecrets: []providers.Secret{env.SigningSecret}}
	account.WidgetSessionURL = terra.WidgetSessionURL // the older call is withdrawn
	engine := must(healthsync.New(healthsync.Config{
		Providers: []providers.Provider{must(terra.NewProvider(account))}, Store: db, Sealer: keys, PublicURL: public,
	}))
	// In Terra's dashboard the destination of webhooks is public + "/webhooks/terra".
	mux.Handle("/wearables/", http.StripPrefix("/wearables", engine.Handler()))
	// The widget, for the person's browser. The connection is there when Terra's signed event says so.
	address := must(engine.Connect(ctx, healthsync.ConnectRequest{User: "ada", Provider: terra.Name}))
	return address
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestReadmeShowsThisProgram keeps the program in the README the one that
// compiles here, up to where it would call the real service.
func TestReadmeShowsThisProgram(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(readme), "\n## Terra\n")
	require.True(t, found)
	_, rest, found := strings.Cut(section, "```go\n")
	require.True(t, found)
	shown, _, found := strings.Cut(rest, "```\n")
	require.True(t, found)
	require.LessOrEqual(t, strings.Count(shown, "\n"), 20, "a program of 20 lines")
	source, err := os.ReadFile("readme_test.go")
	require.NoError(t, err)
	indented := "\t" + strings.ReplaceAll(strings.TrimSuffix(shown, "\n"), "\n", "\n\t")
	require.Contains(t, string(source), indented)

	t.Chdir(t.TempDir())
	t.Setenv(terra.EnvDevID, "dev")
	t.Setenv(terra.EnvAPIKey, "key")
	t.Setenv(terra.EnvSigningSecret, strings.Repeat("s", 32))
	key, err := keyFile("key")
	require.NoError(t, err)
	keys, err := healthsync.NewKeyring(healthsync.Key{ID: "test", Secret: key})
	require.NoError(t, err)
	ended, stop := context.WithCancel(t.Context())
	stop() // before a request leaves
	mux := http.NewServeMux()
	func() {
		defer func() {
			err, _ := recover().(error)
			require.ErrorIs(t, err, context.Canceled)
		}()
		connectAddress(ended, mux, store.NewMemory(), keys, "https://app.example.com/wearables")
	}()
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/wearables/webhooks/terra", strings.NewReader("{}")))
	require.Equal(t, http.StatusUnauthorized, w.Code, "a delivery without a signature")
}
