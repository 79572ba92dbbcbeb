package sync_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/googlehealth"
	"github.com/vitalmux/vitalmux/providers/googlehealth/googlehealthtest"
	"github.com/vitalmux/vitalmux/providers/providertest"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

const (
	googleHookPath   = "/webhooks/googlehealth"
	googleHookSecret = "Bearer 5f0e1d-standing-secret"
)

// googleHost is an engine over the simulated Google Health API, with its handler.
type googleHost struct {
	*googlehealthtest.Server
	person  googlehealthtest.User
	store   *store.Memory
	engine  *healthsync.Engine
	handler http.Handler
	conn    store.Connection
}

// engineOver is another process that works for the same host.
func (g *googleHost) engineOver(t testing.TB) *healthsync.Engine {
	adapter, err := googlehealth.New(googlehealth.Config{
		ClientID: googlehealthtest.DefaultClientID, ClientSecret: providers.NewSecret(googlehealthtest.DefaultClientSecret),
		RedirectURL: googlehealthtest.DefaultRedirectURL, Transport: providertest.Transport(g.Server), MaxWait: -1,
		Streams: []string{"settings", "sleep", "exercise"}, WebhookAuthorization: providers.NewSecret(googleHookSecret),
	})
	require.NoError(t, err)
	engine, err := healthsync.New(healthsync.Config{
		Providers: []providers.Provider{adapter}, Store: g.store, Sealer: newKeyring(t), PublicURL: "https://host.example.com/mux",
		Interval: 1000 * time.Hour, ReconcileEvery: -1, History: -1,
	})
	require.NoError(t, err)
	return engine
}

func newGoogleHost(t testing.TB) *googleHost {
	g := &googleHost{store: store.NewMemory()}
	toHost := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.StripPrefix("/mux", g.handler).ServeHTTP(w, r)
	})
	g.Server = googlehealthtest.New(googlehealthtest.Config{
		Seed: 4, Days: 20, RateLimit: -1, Client: &http.Client{Transport: providertest.Transport(toHost)},
	})
	g.person = g.AddUser(googlehealthtest.UserConfig{Timezone: "Europe/Berlin"})
	g.engine = g.engineOver(t)
	g.handler = g.engine.Handler()
	g.conn = connect(t, g.engine, "host", googlehealth.Name, googlehealthtest.DefaultRedirectURL, func(address string) (*url.URL, error) {
		return g.Authorize(g.person.ID, address)
	})
	return g
}

// register makes the host a subscriber, which has its endpoint checked.
func (g *googleHost) register(secret string) int {
	body := fmt.Sprintf(`{"endpointUri":"https://host.example.com/mux%s","subscriberConfigs":[{"dataTypes":["sleep","exercise"],`+
		`"subscriptionCreatePolicy":"AUTOMATIC"}],"endpointAuthorization":{"secret":%q}}`, googleHookPath, secret)
	r := httptest.NewRequest(http.MethodPost, "/v4/projects/"+googlehealthtest.DefaultProject+"/subscribers?subscriberId=vitalmux",
		strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+googlehealthtest.DefaultServiceToken)
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	return w.Code
}

func (g *googleHost) post(body []byte, signature string) int {
	r := httptest.NewRequest(http.MethodPost, googleHookPath, bytes.NewReader(body))
	r.Header.Set("Authorization", googleHookSecret)
	r.Header.Set(googlehealth.SignatureHeader, signature)
	w := httptest.NewRecorder()
	g.handler.ServeHTTP(w, r)
	return w.Code
}

func (g *googleHost) workouts(t testing.TB) map[string]health.State {
	page, err := g.store.Records(t.Context(), store.RecordQuery{User: "host", Streams: []string{"exercise"}, Limit: 1000})
	require.NoError(t, err)
	all := map[string]health.State{}
	for _, r := range page.Records {
		all[r.Key] = r.State
	}
	return all
}

// TestEndpointIsCheckedWithASecretThatIsNotKept registers the host at the
// service, which asks with and without the Authorization header.
func TestEndpointIsCheckedWithASecretThatIsNotKept(t *testing.T) {
	bubble(t, func(t *testing.T) {
		at2026()
		g := newGoogleHost(t)
		require.Equal(t, http.StatusBadRequest, g.register("Bearer another secret"))
		require.Equal(t, http.StatusOK, g.register(googleHookSecret))

		body := g.NoticeBody(false, googlehealthtest.Notice{
			UserID: g.person.ID, DataType: "sleep", Operation: "UPSERT", From: time.Now().Add(-time.Hour), To: time.Now(),
		})
		require.Equal(t, http.StatusNoContent, g.post(body, g.Sign(body)))
		kept := must(g.store.Deliveries(t.Context(), store.DeliveryQuery{}))
		require.Len(t, kept, 1, "the checks are not deliveries")
		require.NotContains(t, string(kept[0].Meta), googleHookSecret)
		require.NotContains(t, string(kept[0].Meta), "Authorization")
		require.Contains(t, string(kept[0].Meta), googlehealth.SignatureHeader)
	})
}

// TestKeysAreFetchedForDeliveries has deliveries arrive before there is a key,
// while there is none to be had, and after the service has changed its key.
func TestKeysAreFetchedForDeliveries(t *testing.T) {
	bubble(t, func(t *testing.T) {
		at2026()
		g := newGoogleHost(t)
		note := func() []byte {
			return g.NoticeBody(true, googlehealthtest.Notice{
				UserID: g.person.ID, DataType: "exercise", Operation: "UPSERT", From: time.Now().Add(-time.Hour), To: time.Now(),
			})
		}
		sent := func() int {
			body := note()
			return g.post(body, g.Sign(body))
		}
		require.Equal(t, http.StatusNoContent, sent())
		body := note()
		require.Equal(t, http.StatusUnauthorized, g.post(append(body, ' '), g.Sign(body)))

		g.RotateKeys()
		require.Equal(t, http.StatusUnauthorized, sent(), "somebody has just looked")
		time.Sleep(2 * time.Minute)
		require.Equal(t, http.StatusNoContent, sent())

		// A process that has no keys yet and cannot get any asks for the
		// delivery to be sent again.
		broken := true
		adapter, err := googlehealth.New(googlehealth.Config{
			ClientID: "id", ClientSecret: providers.NewSecret("secret"), Streams: []string{"exercise"},
			Transport: providertest.Transport(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if broken {
					w.WriteHeader(http.StatusServiceUnavailable)
					return
				}
				g.ServeHTTP(w, r)
			})),
		})
		require.NoError(t, err)
		engine, err := healthsync.New(healthsync.Config{
			Providers: []providers.Provider{adapter}, Store: g.store, Sealer: newKeyring(t), PublicURL: "https://host.example.com/mux",
		})
		require.NoError(t, err)
		g.handler = engine.Handler()
		require.Equal(t, http.StatusServiceUnavailable, sent())
		broken = false
		time.Sleep(time.Minute) // a failed fetch is not repeated at once
		require.Equal(t, http.StatusNoContent, sent())
		require.Len(t, must(g.store.Deliveries(t.Context(), store.DeliveryQuery{})), 3)
	})
}

// TestNoticesOfTheServiceAreFollowed lets a workout appear and disappear at the
// service, and has another process than the one that took the delivery work on
// it.
func TestNoticesOfTheServiceAreFollowed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		at2026()
		g := newGoogleHost(t)
		require.Equal(t, http.StatusOK, g.register(googleHookSecret))
		worker := g.engineOver(t)
		stop := running(t, worker)
		time.Sleep(time.Hour)
		before := g.workouts(t)
		start := time.Now().Add(-3 * time.Hour).Truncate(time.Minute)
		id := g.AddWorkout(g.person.ID, googlehealthtest.Workout{Type: "TRAIL_RUN", Name: "Hill", Start: start, End: start.Add(time.Hour)})
		for _, d := range g.Deliver(t.Context()) {
			require.Equal(t, http.StatusNoContent, d.Status)
		}
		time.Sleep(10 * time.Minute)
		require.Len(t, g.workouts(t), len(before)+1)
		require.Equal(t, health.StateLive, g.workouts(t)["exercise/"+id])

		g.DeleteWorkout(g.person.ID, id)
		time.Sleep(2 * 24 * time.Hour) // of a day that is over absence tells
		g.CatchUp(g.person.ID)
		for _, d := range g.Deliver(t.Context()) {
			require.Equal(t, http.StatusNoContent, d.Status)
		}
		time.Sleep(10 * time.Minute)
		state, known := g.workouts(t)["exercise/"+id]
		require.True(t, !known || state == health.StateDeleted)
		stop()
	})
}

// TestGoogleHistoryIsComplete reads all streams of a person who has a history,
// within the quota, and compares with what the service has.
func TestGoogleHistoryIsComplete(t *testing.T) {
	t.Parallel()
	if proof.WithoutRace(t) {
		return
	}
	bubble(t, func(t *testing.T) {
		at2026()
		sim := googlehealthtest.New(googlehealthtest.Config{Seed: 9, Days: 12, HeartRateEvery: time.Hour})
		person := sim.AddUser(googlehealthtest.UserConfig{Timezone: "America/New_York"})
		adapter, err := googlehealth.New(googlehealth.Config{
			ClientID: googlehealthtest.DefaultClientID, ClientSecret: providers.NewSecret(googlehealthtest.DefaultClientSecret),
			Transport: providertest.Transport(sim),
		})
		require.NoError(t, err)
		records := store.NewMemory()
		engine, err := healthsync.New(healthsync.Config{
			Providers: []providers.Provider{adapter}, Store: records, Sealer: newKeyring(t), History: 10 * 24 * time.Hour,
		})
		require.NoError(t, err)
		conn := connect(t, engine, "host", googlehealth.Name, googlehealthtest.DefaultRedirectURL, func(address string) (*url.URL, error) {
			return sim.Authorize(person.ID, address)
		})
		stop := running(t, engine)
		time.Sleep(12 * time.Hour)
		stop()

		require.Equal(t, "America/New_York", must(records.Connection(t.Context(), conn.ID)).Zone)
		require.Empty(t, must(engine.Quarantine(t.Context(), conn.ID, 100)))
		kept := func(stream string) map[string]bool {
			keys := map[string]bool{}
			for q := (store.RecordQuery{User: "host", Streams: []string{stream}}); ; {
				page := must(records.Records(t.Context(), q))
				for _, r := range page.Records {
					keys[r.Key] = true
				}
				if q.After = page.Next; q.After == "" {
					return keys
				}
			}
		}
		for _, path := range []string{"sleep", "exercise", "weight", "nutrition-log"} {
			stream := strings.ReplaceAll(path, "-", "_")
			have, found := kept(stream), 0
			for _, p := range sim.Points(person.ID, path, true) {
				if p.Start.After(time.Now().Add(-10 * 24 * time.Hour)) {
					require.True(t, have[stream+"/"+p.ID], stream)
					found++
				}
			}
			require.NotZero(t, found, stream)
		}
		require.GreaterOrEqual(t, len(kept("steps_daily")), 8)
		require.GreaterOrEqual(t, len(kept("heart_rate")), 8)
		asked := sim.Requests()
		for i, r := range asked {
			require.Equal(t, http.StatusOK, r.Status, "%s %s", r.Method, r.Path)
			if i >= 300 {
				require.GreaterOrEqual(t, r.Time.Sub(asked[i-300].Time), time.Minute)
			}
		}
	})
}
