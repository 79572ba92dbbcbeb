package terra

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/vitalmux/vitalmux/internal/httpx"
)

// IntegrationsRequest asks which providers there are.
type IntegrationsRequest struct {
	// OnlyEnabled asks for the providers that the environment has enabled,
	// instead of all. It sends the developer id; the API key is never sent.
	OnlyEnabled bool
	// SDK asks for those of the mobile SDK too. Only the detailed call needs
	// it.
	SDK bool
}

// call returns the call for the request. The calls take no credentials.
func (r IntegrationsRequest) call(c *Client, op, path string) call {
	k := call{op: op, path: path, authorize: func(*http.Request) error { return nil }}
	if r.OnlyEnabled {
		k.authorize = c.identify
	}
	return k
}

// Integrations are the providers that the service lists, in its words.
type Integrations struct {
	Providers    []string // reached over the web
	SDKProviders []string // reached by the mobile SDK
}

// Integrations lists the providers. It needs no credentials.
func (c *Client) Integrations(ctx context.Context, r IntegrationsRequest) (Integrations, error) {
	const op = "integrations"
	var out Integrations
	_, err := c.do(ctx, r.call(c, op, "integrations"), func(r *httpx.Response) error {
		var w struct {
			trouble
			Providers    *[]string `json:"providers"`
			SDKProviders []string  `json:"sdk_providers" also:"sdk_resource"`
		}
		err := c.readResult(op, r, &w, &w.trouble, func() bool { return w.Providers != nil })
		if err == nil {
			out = Integrations{Providers: *w.Providers, SDKProviders: w.SDKProviders}
		}
		return err
	})
	return out, err
}

// IntegrationDetail is what the service tells of a provider.
type IntegrationDetail struct {
	Provider string           `json:"provider"` // in Terra's words, such as GARMIN
	Name     string           `json:"name"`
	Icon     string           `json:"icon"`
	Setup    string           `json:"setup"` // such as API_KEYS_MANAGED
	Enabled  *bool            `json:"enabled"`
	Types    IntegrationTypes `json:"types"`
}

// IntegrationTypes says which types of data a provider has; nil is not told.
type IntegrationTypes struct {
	Activity     *bool `json:"activity"`
	Body         *bool `json:"body"`
	Daily        *bool `json:"daily"`
	Menstruation *bool `json:"menstruation"`
	Nutrition    *bool `json:"nutrition"`
	Sleep        *bool `json:"sleep"`
}

// DetailedIntegrations lists the providers with what they have. It needs no
// credentials.
func (c *Client) DetailedIntegrations(ctx context.Context, r IntegrationsRequest) ([]IntegrationDetail, error) {
	const op = "detailed integrations"
	k := r.call(c, op, "integrations/detailed")
	k.query = url.Values{"sdk": {strconv.FormatBool(r.SDK)}}
	var out []IntegrationDetail
	_, err := c.do(ctx, k, func(r *httpx.Response) error {
		var w struct {
			trouble
			Providers *[]IntegrationDetail `json:"providers"`
		}
		err := c.readResult(op, r, &w, &w.trouble, func() bool { return w.Providers != nil })
		if err == nil {
			out = *w.Providers
		}
		return err
	})
	return out, err
}
