package fitbit_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/fitbit"
	"github.com/vitalmux/vitalmux/providers/fitbit/fitbittest"
	"github.com/vitalmux/vitalmux/providers/providertest"
)

// Pages and refusals tell what their last answer told of the budget.
func TestAnswersTellWhatIsLeft(t *testing.T) {
	w := newWorld(t, fitbittest.Config{Days: 3, RateLimit: 6}, func(c *fitbit.Config) { c.MaxWait = -1 })
	page, err := w.provider.Fetch(t.Context(), w.cred, providers.Query{Stream: "profile"})
	require.NoError(t, err)
	require.Equal(t, 5, page.Left.Requests)
	require.Equal(t, providers.LimitPerUser, page.Left.Scope)
	require.InDelta(t, time.Hour, time.Until(page.Left.ResetAt), float64(10*time.Minute), "the clock of the service shows noon")

	st, ok := w.provider.Capabilities().StreamNamed("active_energy")
	require.True(t, ok)
	require.Equal(t, 2, st.CallsPerPage)
	last := civil(w.person.LastDay)
	page, err = w.provider.Fetch(t.Context(), w.cred, providers.Query{Stream: st.Name, Window: health.Window{First: last, Last: last}})
	require.NoError(t, err)
	require.Equal(t, 3, page.Left.Requests, "as the last of its answers told")

	w.Server.Fault(fitbittest.Fault{Kind: fitbittest.FaultStatus, Status: http.StatusForbidden, ErrorType: "insufficient_scope"})
	_, err = w.provider.Fetch(t.Context(), w.cred, providers.Query{Stream: "profile"})
	var e *providers.Error
	require.ErrorAs(t, err, &e)
	require.Nil(t, e.Left, "an answer without the header")

	for range 3 {
		_, err = w.provider.Fetch(t.Context(), w.cred, providers.Query{Stream: "profile"})
		require.NoError(t, err)
	}
	other := harness(w.zone, same).New(t, providertest.BaseURL, providertest.Transport(w.Server))
	_, err = other.Fetch(t.Context(), w.cred, providers.Query{Stream: "profile"})
	require.ErrorAs(t, err, &e)
	require.ErrorIs(t, err, providers.ErrRateLimited)
	require.Zero(t, e.Left.Requests)
	require.Equal(t, e.RetryAt.Round(time.Second), e.Left.ResetAt.Round(time.Second))
}

// wire sends requests.
type wire func(*http.Request) (*http.Response, error)

func (w wire) RoundTrip(r *http.Request) (*http.Response, error) { return w(r) }

// What cannot be a budget is not told.
func TestBadBudgetsTellNothing(t *testing.T) {
	w := newWorld(t, fitbittest.Config{Days: 3, RateLimit: -1}, same)
	for _, c := range []struct {
		remaining, reset string
		left             int // -1 is nothing
	}{
		{"149", "1800", 149}, {"0", "1", 0}, {"7", "999999999", 7}, {"", "1800", -1}, {"149", "", -1}, {"-1", "1800", -1},
		{"149", "-1", -1}, {"many", "1800", -1}, {"1e3", "1800", -1}, {"149", "soon", -1}, {"99999999999999999999", "1800", -1},
	} {
		adapter := harness(w.zone, same).New(t, providertest.BaseURL, wire(func(r *http.Request) (*http.Response, error) {
			answer, err := providertest.Transport(w.Server).RoundTrip(r)
			if err == nil {
				answer.Header.Set("Fitbit-Rate-Limit-Remaining", c.remaining)
				answer.Header.Set("Fitbit-Rate-Limit-Reset", c.reset)
			}
			return answer, err
		}))
		page, err := adapter.Fetch(t.Context(), w.cred, providers.Query{Stream: "profile"})
		require.NoError(t, err)
		if c.left < 0 {
			require.Nil(t, page.Left, c)
			continue
		}
		require.Equal(t, c.left, page.Left.Requests)
		require.LessOrEqual(t, time.Until(page.Left.ResetAt), time.Hour)
	}
}
