package withings_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/providertest"
	"github.com/vitalmux/vitalmux/providers/withings"
	"github.com/vitalmux/vitalmux/providers/withings/withingstest"
)

func TestLegacyConformance(t *testing.T) {
	zone, err := time.LoadLocation(zoneName)
	require.NoError(t, err)
	providertest.Run(t, providertest.Harness{
		Zone: zone,
		Sim: func(_ testing.TB, pageSize int) providertest.Simulator {
			return &legacySimulator{newSimulator(withingstest.Config{
				Seed: 7, PageSize: pageSize, Days: 6, RateLimit: -1, IdenticalCallWindow: -1,
			}, zone)}
		},
		New: func(tb testing.TB, base string, rt http.RoundTripper) providers.Provider {
			return newLegacy(tb, base, rt, nil)
		},
	})
}

func newLegacy(tb testing.TB, base string, rt http.RoundTripper, change func(*withings.Config)) *withings.Legacy {
	tb.Helper()
	cfg := withings.Config{
		OAuth1: withings.OAuth1{
			ConsumerKey: withingstest.DefaultConsumerKey, ConsumerSecret: providers.NewSecret(withingstest.DefaultConsumerSecret),
		},
		RedirectURL: withingstest.DefaultRedirectURL, BaseURL: base, AccountURL: base + "/account", Transport: rt, RequestsPerMinute: -1,
	}
	if change != nil {
		change(&cfg)
	}
	p, err := withings.NewLegacy(cfg)
	require.NoError(tb, err)
	return p
}

// legacySimulator shows the OAuth 1.0 side of withingstest to the suite.
type legacySimulator struct{ *simulator }

func (s *legacySimulator) Login() providers.Credential {
	return legacyCredential(s.LegacyLogin(s.user.ID))
}

func legacyCredential(t withingstest.LegacyToken) providers.Credential {
	return providers.Credential{
		UpstreamID: fmt.Sprint(t.UserID), Access: providers.NewSecret(t.Token), TokenSecret: providers.NewSecret(t.Secret),
	}
}

// WantKeys are the keys of today, without the rows that the era did not tell.
func (s *legacySimulator) WantKeys(stream string) []string {
	switch stream {
	case "measures":
		var keys []string
		for _, g := range s.Truth(s.user.ID).Measures {
			if slices.ContainsFunc(g.Measures, func(m withingstest.Measure) bool { return m.Type <= 91 }) {
				keys = append(keys, fmt.Sprintf("measures/%d", g.ID))
			}
		}
		return keys
	case "activity":
		return slices.DeleteFunc(s.simulator.WantKeys(stream), func(key string) bool { return !strings.HasSuffix(key, "/withings") })
	case "sleep":
		// One answer names one class of devices.
		nights := map[string]bool{}
		keys := s.simulator.WantKeys(stream)
		for _, key := range keys {
			if day, found := strings.CutSuffix(key, "/sleep_monitor"); found {
				nights[day] = true
			}
		}
		return slices.DeleteFunc(keys, func(key string) bool {
			day, found := strings.CutSuffix(key, "/activity_tracker")
			return found && nights[day]
		})
	case "sleep_summary", "workouts":
		return s.simulator.WantKeys(stream)
	}
	return nil
}

func (s *legacySimulator) Window(stream string) health.Window { return s.simulator.Window(stream) }

func (s *legacySimulator) Change(stream string) string {
	if stream == "sleep_summary" {
		n := s.Truth(s.user.ID).Nights[0]
		s.EditNight(s.user.ID, n.ID, func(n *withingstest.Night) { n.Data["deepsleepduration"]++ })
		return fmt.Sprintf("sleep_summary/%d", n.ID)
	}
	return s.simulator.Change(stream)
}

func (s *legacySimulator) Fault(fault providertest.Fault, n int) bool {
	switch fault {
	case providertest.FaultExpired, providertest.FaultForbidden:
		return false // tokens did not end, and there were no scopes
	}
	return s.simulator.Fault(fault, n)
}

func (s *legacySimulator) MintedSecrets() []string {
	secrets := []string{withingstest.DefaultConsumerSecret}
	for _, t := range s.Ledger().Legacy {
		secrets = append(secrets, t.Token)
	}
	return secrets
}
