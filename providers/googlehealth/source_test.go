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

// Samples belong to a source, and how a point was recorded is no part of one: the
// points of a day that an application recorded in several ways are one series.
// Two would clear each other.
func TestASourceHasOneSeriesOfADay(t *testing.T) {
	const app = `"platform":"HEALTH_CONNECT","application":{"packageName":"com.example"}`
	for name, sources := range map[string][2]string{
		"by hand and measured":                {app + `,"recordingMethod":"MANUAL"`, app + `,"recordingMethod":"PASSIVELY_MEASURED"`},
		"measured, and it is not known how":   {app + `,"recordingMethod":"PASSIVELY_MEASURED"`, app + `,"recordingMethod":"UNKNOWN"`},
		"a source that is not known, by hand": {`"recordingMethod":"MANUAL"`, `"recordingMethod":"PASSIVELY_MEASURED"`},
	} {
		t.Run(name, func(t *testing.T) {
			point := func(source string, minute, count int) string {
				return fmt.Sprintf(`{"dataSource":{%s},"steps":{"interval":{"startTime":"2026-11-20T08:%02d:00Z","endTime":"2026-11-20T08:%02d:30Z"},"count":"%d"}}`,
					source, minute, minute, count)
			}
			body := `{"dataPoints":[` + point(sources[0], 3, 30) + `,` + point(sources[1], 2, 20) + `,` + point(sources[0], 1, 10) + `]}`
			p, _ := scripted(t, Config{BySource: true}, func(*http.Request, string) (int, string) { return http.StatusOK, body })
			page, err := p.Fetch(t.Context(), cred, providers.Query{Stream: "steps", Window: health.Window{First: dayAt2026(11, 20), Last: dayAt2026(11, 20)}})
			require.NoError(t, err)
			require.Empty(t, page.Quarantined)
			require.Len(t, page.Records, 1)
			require.Equal(t, health.MethodUnknown, page.Records[0].Method, "of points of several methods")
			require.Len(t, page.Records[0].Series, 1)
			require.Equal(t, []int64{10, 20, 30}, page.Records[0].Series[0].Values)
		})
	}
}

// Single points of a day that differ in how they were recorded are two, also
// where nothing else of their source is told.
func TestPointsOfADayByTheirMethod(t *testing.T) {
	point := func(method string, rate int) string {
		return fmt.Sprintf(`{"dataSource":{"recordingMethod":%q},"dailyRestingHeartRate":{"date":{"year":2026,"month":11,"day":20},"beatsPerMinute":"%d"}}`, method, rate)
	}
	body := `{"dataPoints":[` + point("MANUAL", 60) + `,` + point("DERIVED", 58) + `]}`
	p, _ := scripted(t, Config{BySource: true}, func(*http.Request, string) (int, string) { return http.StatusOK, body })
	page, err := p.Fetch(t.Context(), cred, providers.Query{Stream: "daily_resting_heart_rate", Window: november})
	require.NoError(t, err)
	require.Empty(t, page.Quarantined)
	require.Len(t, page.Records, 2)
	require.NotEqual(t, page.Records[0].Key, page.Records[1].Key)
}

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

// The service leaves out what is zero: a nutrient without an amount, or a zone
// that begins at nothing, is no fault.
func TestAmountsThatAreLeftOut(t *testing.T) {
	for stream, c := range map[string]struct {
		point  string
		values int
	}{
		"nutrition_log": {`"nutritionLog":{"interval":{"startTime":"2026-11-20T08:00:00Z","startUtcOffset":"3600s","endTime":"2026-11-20T08:01:00Z","endUtcOffset":"3600s"},` +
			`"energy":{"kcal":120},"nutrients":[{"nutrient":"SODIUM","quantity":{"userProvidedUnit":"GRAM"}},{"nutrient":"SUGAR"},{"nutrient":"UNHEARD_OF","quantity":{}},{"nutrient":"PROTEIN","quantity":{"grams":3}}]}`, 2},
		"daily_heart_rate_zones": {`"dailyHeartRateZones":{"date":{"year":2026,"month":11,"day":20},` +
			`"heartRateZones":[{"heartRateZoneType":"LIGHT","maxBeatsPerMinute":"110"},{"heartRateZoneType":"PEAK","minBeatsPerMinute":"160","maxBeatsPerMinute":"220"}]}`, 3},
	} {
		body := `{"dataPoints":[{` + c.point + `}]}`
		p, _ := scripted(t, Config{}, func(*http.Request, string) (int, string) { return http.StatusOK, body })
		page, err := p.Fetch(t.Context(), cred, providers.Query{Stream: stream, Window: november})
		require.NoError(t, err, stream)
		require.Empty(t, page.Quarantined, stream)
		require.Len(t, page.Records, 1, stream)
		require.Len(t, page.Records[0].Values, c.values, stream)
	}
}
