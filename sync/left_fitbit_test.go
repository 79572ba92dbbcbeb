package sync_test

import (
	"context"
	"net/http"
	"net/url"
	gosync "sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/fitbit"
	"github.com/vitalmux/vitalmux/providers/fitbit/fitbittest"
	"github.com/vitalmux/vitalmux/providers/providertest"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// watched counts the pages that were refused, by the service or by the adapter,
// which knows from the answer before that nothing is left.
type watched struct {
	*fitbit.Provider
	mu      gosync.Mutex
	refused int
}

func (w *watched) Fetch(ctx context.Context, cred providers.Credential, q providers.Query) (providers.Page, error) {
	page, err := w.Provider.Fetch(ctx, cred, q)
	if err != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.refused++
	}
	return page, err
}

// TestAnotherClientSpendsTheHour: a person has 150 requests an hour, and another
// client of the same application spends 100 of them at the beginning of each.
// The history is read all the same, and no page is begun that cannot be ended.
func TestAnotherClientSpendsTheHour(t *testing.T) {
	bubble(t, func(t *testing.T) {
		time.Sleep(12*time.Hour + 30*time.Minute)
		sim := fitbittest.New(fitbittest.Config{Seed: 3, Days: 60, IntradayDays: -1})
		person := sim.AddPerson(fitbittest.PersonConfig{Timezone: "Europe/Berlin"})
		adapter, err := fitbit.New(fitbit.Config{
			ClientID: fitbittest.DefaultClientID, ClientSecret: providers.NewSecret(fitbittest.DefaultClientSecret),
			RedirectURL: fitbittest.DefaultRedirectURL, Transport: providertest.Transport(sim),
		})
		require.NoError(t, err)
		p := &watched{Provider: adapter}
		engine, err := healthsync.New(healthsync.Config{
			Providers: []providers.Provider{p}, Store: store.NewMemory(), Sealer: newKeyring(t), History: 60 * day,
		})
		require.NoError(t, err)
		connect(t, engine, "ada", fitbit.Name, fitbittest.DefaultRedirectURL, func(address string) (*url.URL, error) {
			return sim.Authorize(person.ID, address)
		})

		token := sim.Login(person.ID).AccessToken
		spend := func() {
			for range 100 {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fitbit.DefaultBaseURL+"/1/user/-/profile.json", nil)
				require.NoError(t, err)
				r.Header.Set("Authorization", "Bearer "+token)
				answer, err := providertest.Transport(sim).RoundTrip(r)
				require.NoError(t, err)
				require.NoError(t, answer.Body.Close())
				require.Equal(t, http.StatusOK, answer.StatusCode)
			}
		}
		spend()
		stop := running(t, engine)
		read := map[time.Time]int{}
		for range 6 {
			time.Sleep(time.Until(time.Now().Truncate(time.Hour).Add(time.Hour + time.Second)))
			spend()
			synctest.Wait()
		}
		stop()
		for _, r := range sim.Requests() {
			require.NotEqual(t, http.StatusTooManyRequests, r.Status)
			if r.PersonID != "" {
				read[r.Time.Truncate(time.Hour)]++
			}
		}
		require.Zero(t, p.refused)
		for hour, n := range read {
			require.LessOrEqual(t, n, 150, hour)
		}
		require.Greater(t, len(sim.Requests()), 7*100+100, "what was left of some hours was used")
	})
}

// TestBackfillBesideLiveWork: all streams of a person, read at their intervals,
// ask for more than an hour allows. The history is read to its end all the same,
// and no stream is left behind meanwhile.
func TestBackfillBesideLiveWork(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		time.Sleep(36 * time.Hour)
		sim := fitbittest.New(fitbittest.Config{Seed: 3, Days: 12, IntradayDays: 12})
		person := sim.AddPerson(fitbittest.PersonConfig{Timezone: "Europe/Berlin"})
		adapter, err := fitbit.New(fitbit.Config{
			ClientID: fitbittest.DefaultClientID, ClientSecret: providers.NewSecret(fitbittest.DefaultClientSecret),
			RedirectURL: fitbittest.DefaultRedirectURL, Transport: providertest.Transport(sim),
			RequestsPerHour: 40, RoutesPerPage: -1,
		})
		require.NoError(t, err)
		read := map[string]time.Time{}
		engine, err := healthsync.New(healthsync.Config{
			Providers: []providers.Provider{adapter}, Store: store.NewMemory(), Sealer: newKeyring(t), History: 10 * day,
			Hooks: healthsync.Hooks{StreamDone: func(_ context.Context, e healthsync.StreamEvent) {
				if e.Report.Lane == store.LaneLive && e.Report.Windows > 0 {
					read[e.Report.Stream] = time.Now()
				}
			}},
		})
		require.NoError(t, err)
		conn := connect(t, engine, "ada", fitbit.Name, fitbittest.DefaultRedirectURL, func(address string) (*url.URL, error) {
			return sim.Authorize(person.ID, address)
		})
		stop := running(t, engine)
		defer stop()
		for hour := 0; ; hour++ {
			require.Less(t, hour, 36, "the backfill does not end")
			time.Sleep(time.Hour)
			progress, err := engine.Progress(t.Context(), conn.ID)
			require.NoError(t, err)
			left := 0
			for _, p := range progress {
				left += p.Total - p.Done
			}
			if left == 0 && hour > 0 {
				break
			}
		}
		for _, stream := range adapter.Capabilities().Streams {
			require.Less(t, time.Since(read[stream.Name]), max(stream.Interval, time.Hour)+4*time.Hour, stream.Name)
		}
	})
}
