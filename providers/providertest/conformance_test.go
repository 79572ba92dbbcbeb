package providertest_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/providertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func harness(change func(*adapter) providers.Provider) providertest.Harness {
	return providertest.Harness{
		Sim: func(_ testing.TB, pageSize int) providertest.Simulator { return newService(pageSize) },
		New: func(tb testing.TB, base string, rt http.RoundTripper) providers.Provider {
			a, err := newAdapter(base, rt)
			require.NoError(tb, err)
			if change == nil {
				return a
			}
			return change(a)
		},
	}
}

func TestConformance(t *testing.T) { providertest.Run(t, harness(nil)) }

func TestCheck(t *testing.T) { require.NoError(t, providertest.Check(t, harness(nil))) }
