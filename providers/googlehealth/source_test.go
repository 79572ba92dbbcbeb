package googlehealth

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
)

// A source beyond those that a day may have is set aside, with all its points:
// none is taken for one of another source.
func TestMoreSourcesThanADayMayHave(t *testing.T) {
	var list []string
	for i := range maxSources + 1 {
		for minute := range 2 {
			list = append(list, fmt.Sprintf(`{"dataSource":{"platform":"P%d"},"steps":{"interval":{"startTime":"2026-11-20T08:%02d:00Z","endTime":"2026-11-20T08:%02d:30Z"},"count":"%d"}}`,
				i, minute+2*(i/maxSources), minute+2*(i/maxSources), i))
		}
	}
	body := `{"dataPoints":[` + strings.Join(list, ",") + `]}`
	p, _ := scripted(t, Config{BySource: true}, func(*http.Request, string) (int, string) { return http.StatusOK, body })
	page, err := p.Fetch(t.Context(), cred, providers.Query{Stream: "steps", Window: health.Window{First: dayAt2026(11, 20), Last: dayAt2026(11, 20)}})
	require.NoError(t, err)
	require.Len(t, page.Quarantined, 2)
	require.Len(t, page.Records, maxSources)
	for _, r := range page.Records {
		require.Equal(t, 2, r.Series[0].Len(), r.Key)
	}
}
