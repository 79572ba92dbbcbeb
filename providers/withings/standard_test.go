package withings

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/providers"
)

// FuzzNotification reads what anybody may send to an address: it gives an error
// of the one class or notes about streams that there are, and never a panic.
func FuzzNotification(f *testing.F) {
	for _, form := range []string{
		"", "userid=363&appli=1&startdate=1795262400&enddate=1795262460", "userid=363&appli=16&date=2026-11-20", "userid=363&appli=44",
		"userid=363&appli=46&action=delete", "userid=363&userid=364&appli=1", "userid=%zz", "userid=363&appli=1&startdate=1e9&enddate=1e18",
		"userid=363&appli=16&date=0000-00-00", "userid=99999999999999999999&appli=-1", `{"userid":363}`,
	} {
		f.Add(http.MethodPost, "application/x-www-form-urlencoded", []byte(form))
	}
	f.Add(http.MethodHead, "", []byte(nil))
	p := testProvider(f)
	known := map[string]bool{}
	for _, s := range p.Capabilities().Streams {
		known[s.Name] = true
	}
	f.Fuzz(func(t *testing.T, method, contentType string, body []byte) {
		notes, err := p.ParseWebhook(benchDate, &providers.WebhookRequest{
			Method: method, Header: http.Header{"Content-Type": {contentType}}, Body: body,
		})
		if err != nil {
			var e *providers.Error
			require.ErrorAs(t, err, &e)
			return
		}
		for _, n := range notes {
			require.LessOrEqual(t, len(n.UpstreamID), maxUserID)
			for _, s := range n.Streams {
				require.True(t, known[s], s)
			}
		}
	})
}
