package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/terra"
)

// daySamples is a heart rate for each minute of a day.
const daySamples = 1440

// terraDay makes the answer with one day of a person, about 100 kB.
func terraDay(seed uint64) []byte {
	rng := rand.New(rand.NewPCG(seed, 3))
	var b bytes.Buffer
	b.WriteString(`{"type":"daily","version":"2022-03-16","user":{"user_id":"u1","provider":"GARMIN","scopes":"HEALTH_EXPORT","reference_id":"p1","active":true,"last_webhook_update":null},` +
		`"data":[{"metadata":{"start_time":"2026-07-01T00:00:00.000000+01:00","end_time":"2026-07-02T00:00:00.000000+01:00","upload_type":1,"timestamp_localization":1},` +
		`"distance_data":{"steps":11894,"distance_meters":8123.5,"floors_climbed":11},"calories_data":{"total_burned_calories":2412.5,"BMR_calories":1650,"net_activity_calories":762.5},` +
		`"heart_rate_data":{"summary":{"avg_hr_bpm":71.5,"min_hr_bpm":48,"max_hr_bpm":151,"resting_hr_bpm":52},"detailed":{"hr_samples":[`)
	rate := 70
	for i := range daySamples {
		if i > 0 {
			b.WriteByte(',')
		}
		rate = max(48, min(151, rate+rng.IntN(9)-4))
		fmt.Fprintf(&b, `{"timestamp":"2026-07-01T%02d:%02d:00.000000+01:00","bpm":%d,"context":0}`, i/60, i%60, rate)
	}
	b.WriteString(`]}},"scores":{"activity":81,"recovery":70,"sleep":88}}]}`)
	return b.Bytes()
}

// plainTerraDay is what a team writes that decodes with encoding/json.
type plainTerraDay struct {
	User struct {
		UserID   string `json:"user_id"`
		Provider string `json:"provider"`
	} `json:"user"`
	Data []struct {
		Metadata struct {
			StartTime  string `json:"start_time"`
			EndTime    string `json:"end_time"`
			UploadType int    `json:"upload_type"`
		} `json:"metadata"`
		DistanceData struct {
			Steps          float64 `json:"steps"`
			DistanceMeters float64 `json:"distance_meters"`
		} `json:"distance_data"`
		HeartRateData struct {
			Summary struct {
				AvgHRBPM     float64 `json:"avg_hr_bpm"`
				RestingHRBPM float64 `json:"resting_hr_bpm"`
			} `json:"summary"`
			Detailed struct {
				HRSamples []struct {
					Timestamp string  `json:"timestamp"`
					BPM       float64 `json:"bpm"`
					Context   int     `json:"context"`
				} `json:"hr_samples"`
			} `json:"detailed"`
		} `json:"heart_rate_data"`
	} `json:"data"`
}

// daily measures a day with a heart rate a minute, from its bytes to a valid
// record with its points in columns, on one core.
func daily(_ context.Context, b *bench) error {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	adapter, err := terra.NewProvider(terra.ProviderConfig{
		Config:         terra.Config{DevID: "bench", APIKey: providers.NewSecret("bench")},
		SigningSecrets: []providers.Secret{providers.NewSecret("a secret of the benchmark")},
	})
	if err != nil {
		return err
	}
	const repeat = 200
	page := health.RawPage{Stream: "daily", Date: time.Now(), Bodies: []health.RawBody{{Name: "daily"}}}
	var ours, anchor, allocs float64
	var size int
	for round := range b.rounds {
		body := terraDay(uint64(round))
		size = len(body)
		page.Bodies[0].Body = body
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		began := time.Now()
		for range repeat {
			records, err := adapter.Remap(page)
			if err != nil || len(records) != 1 || records[0].Series[0].Len() != daySamples {
				return fmt.Errorf("%d records: %w", len(records), err)
			}
		}
		ours = max(ours, daySamples*repeat/time.Since(began).Seconds())
		runtime.ReadMemStats(&after)
		allocs = float64(after.Mallocs-before.Mallocs) / repeat / daySamples
		began = time.Now()
		for range repeat {
			var plain plainTerraDay
			if err := json.Unmarshal(body, &plain); err != nil || len(plain.Data[0].HeartRateData.Detailed.HRSamples) != daySamples {
				return fmt.Errorf("%d days: %w", len(plain.Data), err)
			}
		}
		anchor = max(anchor, daySamples*repeat/time.Since(began).Seconds())
	}
	const topic = "terra daily"
	b.Add(Row{Topic: topic, Name: "a day with 1,440 heart rates to a record, one core", Unit: "M samples/s", Measured: ours / 1e6, Floor: 3})
	b.Add(Row{
		Topic: topic, Name: "the same against encoding/json into plain structs", Unit: "M samples/s",
		Measured: ours / 1e6, Anchor: anchor / 1e6, Floor: 3,
	})
	b.Add(Row{Topic: topic, Name: "allocations per sample", Measured: allocs, Floor: 0.2, Most: true})
	b.Note(topic, "%d samples, %d kB. Ours ends with a normalized, validated record with its points in columns; the anchor ends with structs.",
		daySamples, size/1000)
	return nil
}
