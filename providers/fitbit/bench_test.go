package fitbit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
)

const pointsOfADay = 86_400

// heartDay is the answer for a day of heart rate with a reading every second.
func heartDay() []byte {
	var b bytes.Buffer
	b.WriteString(`{"activities-heart":[{"dateTime":"2026-10-20","value":{"customHeartRateZones":[],"heartRateZones":[` +
		`{"caloriesOut":1500.1,"max":94,"min":30,"minutes":1200,"name":"Out of Range"}],"restingHeartRate":64}}],"activities-heart-intraday":{"dataset":[`)
	rate := 70
	for i := range pointsOfADay {
		if i > 0 {
			b.WriteByte(',')
		}
		rate = max(48, min(179, rate+i*7919%5-2))
		fmt.Fprintf(&b, `{"time":"%02d:%02d:%02d","value":%d}`, i/3600, i/60%60, i%60, rate)
	}
	b.WriteString(`],"datasetInterval":1,"datasetType":"second"}}`)
	return b.Bytes()
}

func heartPage(body []byte, zone string) health.RawPage {
	return health.RawPage{
		Stream: streamHeartIntraday, Date: time.Date(2026, 10, 21, 0, 0, 0, 0, time.UTC), Zone: zone,
		Bodies: []health.RawBody{{Name: "activities-heart-intraday/2026-10-20/2026-10-20", Body: body}},
	}
}

func testProvider(tb testing.TB) *Provider {
	tb.Helper()
	p, err := New(Config{ClientID: "test", ClientSecret: providers.NewSecret("test")})
	require.NoError(tb, err)
	return p
}

// plainDay is what a team writes that decodes with encoding/json.
type plainDay struct {
	Days []struct {
		Date string `json:"dateTime"`
	} `json:"activities-heart"`
	Intraday struct {
		Dataset []struct {
			Time  string `json:"time"`
			Value int    `json:"value"`
		} `json:"dataset"`
	} `json:"activities-heart-intraday"`
}

// A day of heart rate by the second takes less than twice the size of its body
// in memory besides the body, and a handful of allocations.
func TestMemoryOfADayOfHeartRate(t *testing.T) {
	p := testProvider(t)
	body := heartDay()
	for _, zone := range []string{"", "Europe/Berlin"} {
		page := heartPage(body, zone)
		records, err := p.Remap(page)
		require.NoError(t, err)
		require.Len(t, records, 1)
		require.Equal(t, pointsOfADay, records[0].Series[0].Len())
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err = p.Remap(page)
		runtime.ReadMemStats(&after)
		require.NoError(t, err)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(2*len(body)))
		require.Less(t, testing.AllocsPerRun(3, func() { _, _ = p.Remap(page) }), 1000.0)
	}
}

func BenchmarkHeartRateOfADay(b *testing.B) {
	for _, zone := range []string{"", "Europe/Berlin"} {
		b.Run("zone="+zone, func(b *testing.B) {
			p, body := testProvider(b), heartDay()
			page := heartPage(body, zone)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				records, err := p.Remap(page)
				if err != nil || records[0].Series[0].Len() != pointsOfADay {
					b.Fatal(err)
				}
			}
			b.ReportMetric(pointsOfADay*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mpoints/s")
		})
	}
}

func BenchmarkEncodingJSONHeartRateOfADay(b *testing.B) {
	body := heartDay()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		var day plainDay
		if err := json.Unmarshal(body, &day); err != nil || len(day.Intraday.Dataset) != pointsOfADay {
			b.Fatal(err)
		}
	}
	b.ReportMetric(pointsOfADay*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mpoints/s")
}
