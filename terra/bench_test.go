package terra

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
)

const benchSamples = 1440

// dailyPayload makes a daily event of about 100 kB with one heart rate a minute.
func dailyPayload() []byte {
	var b bytes.Buffer
	b.WriteString(`{"type":"daily","version":"2022-03-16","user":{"user_id":"u1","provider":"GARMIN","scopes":"HEALTH_EXPORT","reference_id":"p1","active":true,"last_webhook_update":null},`)
	b.WriteString(`"data":[{"metadata":{"start_time":"2026-07-01T00:00:00.000000+01:00","end_time":"2026-07-02T00:00:00.000000+01:00","upload_type":1},`)
	b.WriteString(`"distance_data":{"steps":11894,"distance_meters":8123.5},"heart_rate_data":{"summary":{"avg_hr_bpm":71.5,"min_hr_bpm":48,"max_hr_bpm":151,"resting_hr_bpm":52},"detailed":{"hr_samples":[`)
	for i := range benchSamples {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"timestamp":"2026-07-01T%02d:%02d:00.000000+01:00","bpm":%d}`, i/60, i%60, 50+(i*7)%90)
	}
	b.WriteString(`]}}}]}`)
	return b.Bytes()
}

func BenchmarkDecodeDaily(b *testing.B) {
	type payload struct {
		Data []Daily `json:"data"`
	}
	body := dailyPayload()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	times, values := make([]int64, 0, benchSamples), make([]int64, 0, benchSamples)
	for b.Loop() {
		var p payload
		if _, err := decode(body, &p); err != nil {
			b.Fatal(err)
		}
		times, values = times[:0], values[:0]
		for pt := range p.Data[0].HeartRateData.Detailed.HRSamples.Points("bpm") {
			at, _ := pt.At.UnixMilli()
			n, _ := pt.Number.Decimal()
			times, values = append(times, at), append(values, n.Coefficient)
		}
		if len(times) != benchSamples {
			b.Fatal(len(times))
		}
	}
	b.ReportMetric(benchSamples*float64(b.N)/b.Elapsed().Seconds(), "samples/s")
}

func BenchmarkEncodingJSON(b *testing.B) {
	type sample struct {
		Timestamp string  `json:"timestamp"`
		BPM       float64 `json:"bpm"`
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
	type payload struct {
		Data []daily `json:"data"`
	}
	body := dailyPayload()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		var p payload
		if err := json.Unmarshal(body, &p); err != nil || len(p.Data[0].HeartRateData.Detailed.HRSamples) != benchSamples {
			b.Fatal(err)
		}
	}
	b.ReportMetric(benchSamples*float64(b.N)/b.Elapsed().Seconds(), "samples/s")
}
