package terra

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// benchDays makes the data of one day with 1,440 heart rates: 100 kB.
func benchDays() []byte {
	var b bytes.Buffer
	b.WriteString(`[{"metadata":{"start_time":"2026-07-01T00:00:00.000000+01:00","end_time":"2026-07-02T00:00:00.000000+01:00","upload_type":1,"timestamp_localization":1},` +
		`"distance_data":{"steps":11894,"distance_meters":8123.5},"heart_rate_data":{"summary":{"avg_hr_bpm":71.5,"min_hr_bpm":48,"max_hr_bpm":151,"resting_hr_bpm":52},"detailed":{"hr_samples":[`)
	for i := range benchSamples {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"timestamp":"2026-07-01T%02d:%02d:00.000000+01:00","bpm":%d,"context":0}`, i/60, i%60, 50+(i*7)%90)
	}
	b.WriteString(`]}}}]`)
	return b.Bytes()
}

func TestTheBenchmarkedDay(t *testing.T) {
	data := benchDays()
	require.InDelta(t, 100_000, len(data), 3000)
	records, quarantined, err := mapData(kindDaily, mapUser, data, mapEnvelope)
	require.NoError(t, err)
	require.Empty(t, quarantined)
	require.Len(t, records, 1)
	require.Equal(t, benchSamples, records[0].Series[0].Len())
	require.Less(t, testing.AllocsPerRun(3, func() { _, _, _ = mapData(kindDaily, mapUser, data, mapEnvelope) }), 200.0, "none for each sample")
}

func BenchmarkMapDaily(b *testing.B) {
	data := benchDays()
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		records, _, err := mapData(kindDaily, mapUser, data, mapEnvelope)
		if err != nil || len(records) != 1 || records[0].Series[0].Len() != benchSamples {
			b.Fatal(err)
		}
	}
	b.ReportMetric(benchSamples*float64(b.N)/b.Elapsed().Seconds(), "samples/s")
}

// BenchmarkMapDailyPlain is the anchor: the same bytes into plain structs with
// encoding/json.
func BenchmarkMapDailyPlain(b *testing.B) {
	type sample struct {
		Timestamp string  `json:"timestamp"`
		BPM       float64 `json:"bpm"`
		Context   int     `json:"context"`
	}
	type daily struct {
		Metadata struct {
			StartTime  string `json:"start_time"`
			EndTime    string `json:"end_time"`
			UploadType int    `json:"upload_type"`
		} `json:"metadata"`
		HeartRateData struct {
			Detailed struct {
				HRSamples []sample `json:"hr_samples"`
			} `json:"detailed"`
		} `json:"heart_rate_data"`
	}
	data := benchDays()
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		var days []daily
		if err := json.Unmarshal(data, &days); err != nil || len(days[0].HeartRateData.Detailed.HRSamples) != benchSamples {
			b.Fatal(err)
		}
	}
	b.ReportMetric(benchSamples*float64(b.N)/b.Elapsed().Seconds(), "samples/s")
}
