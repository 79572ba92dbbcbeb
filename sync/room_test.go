package sync_test

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/providertest"
	"github.com/vitalmux/vitalmux/providers/withings"
	"github.com/vitalmux/vitalmux/providers/withings/withingstest"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// smallOnly is a budget that has no room for more than one request at a time.
type smallOnly struct{}

func (smallOnly) Take(_ context.Context, c healthsync.Calls) (func(int), time.Duration, error) {
	if c.Count > 1 {
		return nil, time.Hour, nil
	}
	return func(int) {}, 0, nil
}

func (smallOnly) Block(context.Context, string, string, time.Time) error { return nil }

// TestLargePagesKeepNoSmallOnesWaiting: the streams whose pages need many requests
// come first once they were not read for the longest time, and there is no room
// for them. The others are read all the same.
func TestLargePagesKeepNoSmallOnesWaiting(t *testing.T) {
	bubble(t, func(t *testing.T) {
		at2026()
		sim := withingstest.New(withingstest.Config{Seed: 3, Days: 5, IntradayDays: 1, IdenticalCallWindow: -1})
		adapter, err := withings.New(withings.Config{
			ClientID: withingstest.DefaultClientID, ClientSecret: providers.NewSecret(withingstest.DefaultClientSecret),
			Transport: providertest.Transport(sim),
		})
		require.NoError(t, err)
		engine, err := healthsync.New(healthsync.Config{
			Providers: []providers.Provider{adapter}, Store: store.NewMemory(), Sealer: newKeyring(t), Budget: smallOnly{}, History: -1,
		})
		require.NoError(t, err)
		user := sim.AddUser(withingstest.UserConfig{Timezone: "Europe/Paris"})
		conn := connect(t, engine, "ada", withings.Name, withingstest.DefaultRedirectURL, func(address string) (*url.URL, error) {
			return sim.Authorize(user.ID, address)
		})
		for range 3 {
			report, err := engine.Sync(t.Context(), conn.ID)
			require.ErrorIs(t, err, providers.ErrRateLimited)
			require.Equal(t, time.Now().Add(time.Hour), report.Waiting)
			read := map[string]bool{}
			for _, s := range report.Streams {
				if s.Lane == store.LaneLive && s.Err == nil && s.Windows > 0 {
					read[s.Stream] = true
				}
			}
			for _, s := range adapter.Capabilities().Streams {
				require.Equal(t, s.CallsPerPage <= 1, read[s.Name], s.Name)
			}
			time.Sleep(time.Minute)
		}
	})
}
