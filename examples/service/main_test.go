package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/withings"
	"github.com/vitalmux/vitalmux/providers/withings/withingstest"
	"github.com/vitalmux/vitalmux/store"
	sqlitestore "github.com/vitalmux/vitalmux/store/sqlite"
)

// TestReadmeShowsThisProgram keeps the program in the README the one that
// compiles here.
func TestReadmeShowsThisProgram(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(readme), "```go\n")
	require.True(t, found)
	shown, _, found := strings.Cut(rest, "```\n")
	require.True(t, found)
	require.LessOrEqual(t, strings.Count(shown, "\n"), 20, "a program of 20 lines")
	source, err := os.ReadFile("main.go")
	require.NoError(t, err)
	indented := "\t" + strings.ReplaceAll(strings.TrimSuffix(shown, "\n"), "\n", "\n\t")
	require.Contains(t, string(source), indented)
}

func TestServiceConnectsAndReads(t *testing.T) {
	const public = "https://app.example.com/wearables"
	sim := withingstest.New(withingstest.Config{
		RateLimit: -1, IdenticalCallWindow: -1, RedirectURLs: []string{public + "/callback/withings"},
	})
	user := sim.AddUser(withingstest.UserConfig{Days: 3})
	upstream := httptest.NewServer(sim)
	defer upstream.Close()

	file, mux := filepath.Join(t.TempDir(), "health.db"), http.NewServeMux()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	key := make([]byte, 32)
	key[0] = 1
	ready := make(chan struct{})
	go func() {
		close(ready)
		ended <- wearables(ctx, mux, file, withings.Config{
			ClientID: withingstest.DefaultClientID, ClientSecret: providers.NewSecret(withingstest.DefaultClientSecret),
			BaseURL: upstream.URL, AccountURL: upstream.URL, RequestsPerMinute: -1,
		}, public, key)
	}()
	<-ready
	var cookies []*http.Cookie
	get := func(target string) *httptest.ResponseRecorder {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, target, nil)
		for _, c := range cookies {
			r.AddCookie(c)
		}
		mux.ServeHTTP(w, r)
		return w
	}
	var to *httptest.ResponseRecorder
	require.Eventually(t, func() bool {
		to = get("/wearables/connect/withings")
		return to.Code == http.StatusSeeOther
	}, 10*time.Second, 10*time.Millisecond, "the routes are there once the engine is made")
	answer, err := sim.Authorize(user.ID, to.Header().Get("Location"))
	require.NoError(t, err)
	callback := "/wearables/callback/withings?" + answer.RawQuery
	require.Equal(t, http.StatusBadRequest, get(callback).Code, "another browser")
	cookies = to.Result().Cookies()
	require.Contains(t, get(callback).Body.String(), "connected")
	require.Contains(t, get(callback).Body.String(), "already", "the page was loaded again")

	db, err := sqlitestore.Open(t.Context(), file, nil)
	require.NoError(t, err)
	defer db.Close()
	require.Eventually(t, func() bool {
		page, err := db.Records(t.Context(), store.RecordQuery{User: "ada", Kinds: []health.Kind{health.KindDaily}})
		return err == nil && len(page.Records) >= 3
	}, 20*time.Second, 20*time.Millisecond)
	stop()
	require.NoError(t, <-ended)
}

func TestServiceTellsWhatIsMissing(t *testing.T) {
	err := wearables(t.Context(), http.NewServeMux(), filepath.Join(t.TempDir(), "x.db"), withings.Config{}, "", nil)
	require.Error(t, err)
}
