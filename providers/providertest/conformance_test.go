package providertest_test

import (
	"context"
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

// TestUnsigned runs the suite on an adapter that believes no delivery.
func TestUnsigned(t *testing.T) {
	require.NoError(t, providertest.Check(t, harness(func(a *adapter) providers.Provider {
		a.unsigned = true
		return a
	})))
}

// byDelivery is an adapter whose connect flow ends by a delivery; Exchange is
// not called.
type byDelivery struct{ *adapter }

func (b byDelivery) Capabilities() providers.Capabilities {
	c := b.adapter.Capabilities()
	c.ConnectByDelivery = true
	return c
}

func (b byDelivery) Exchange(context.Context, providers.Callback) (providers.Grant, error) {
	return providers.Grant{}, b.fail("exchange", providers.ErrInvalid, "delivery")
}

func TestConnectByDelivery(t *testing.T) {
	require.NoError(t, providertest.Check(t, harness(func(a *adapter) providers.Provider { return byDelivery{a} })))
}

// plain is an adapter without abilities.
type plain struct{ providers.Provider }

func (p plain) Capabilities() providers.Capabilities {
	c := p.Provider.Capabilities()
	c.Push, c.Topics = false, nil
	return c
}

func TestPlain(t *testing.T) {
	require.NoError(t, providertest.Check(t, harness(func(a *adapter) providers.Provider { return plain{a} })))
}

func TestCheck(t *testing.T) { require.NoError(t, providertest.Check(t, harness(nil))) }
