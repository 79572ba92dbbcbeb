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
	"github.com/vitalmux/vitalmux/providers/fitbit"
)

// heartPoints is a reading for each second of a day.
const heartPoints = 86_400

// heartDay makes the answer of a day of heart rate with the members the service
// sends.
func heartDay(seed uint64) []byte {
	rng := rand.New(rand.NewPCG(seed, 2))
	var b bytes.Buffer
	b.WriteString(`{"activities-heart":[{"dateTime":"2026-10-20","value":{"customHeartRateZones":[],"heartRateZones":[` +
		`{"caloriesOut":1500.1,"max":94,"min":30,"minutes":1200,"name":"Out of Range"}],"restingHeartRate":64}}],"activities-heart-intraday":{"dataset":[`)
	rate := 70
	for i := range heartPoints {
		if i > 0 {
			b.WriteByte(',')
		}
		rate = max(48, min(179, rate+rng.IntN(5)-2))
		fmt.Fprintf(&b, `{"time":"%02d:%02d:%02d","value":%d}`, i/3600, i/60%60, i%60, rate)
	}
	b.WriteString(`],"datasetInterval":1,"datasetType":"second"}}`)
	return b.Bytes()
}

// plainHeartDay is what a team writes that decodes with encoding/json.
type plainHeartDay struct {
	Days []struct {
		Date string `json:"dateTime"`
	} `json:"activities-heart"`
	Intraday struct {
		Dataset []struct {
			Time  string `json:"time"`
			Value int    `json:"value"`
		} `json:"dataset"`
		Interval int    `json:"datasetInterval"`
		Type     string `json:"datasetType"`
	} `json:"activities-heart-intraday"`
}

// heartRate measures a day of heart rate by the second, from its bytes to a
// valid record with its points in columns, on one core.
func heartRate(_ context.Context, b *bench) error {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	adapter, err := fitbit.New(fitbit.Config{ClientID: "bench", ClientSecret: providers.NewSecret("bench")})
	if err != nil {
		return err
	}
	const repeat = 10
	page := health.RawPage{
		Stream: "heart_intraday", Date: time.Now(), Bodies: []health.RawBody{{Name: "activities-heart-intraday/2026-10-20/2026-10-20"}},
	}
	// The person's zone, and none: then times float.
	zones := [...]string{"Europe/Berlin", ""}
	var ours, memory [len(zones)]float64
	var anchor float64
	var size int
	for round := range b.rounds {
		body := heartDay(uint64(round))
		size = len(body)
		page.Bodies[0].Body = body
		for i, zone := range zones {
			page.Zone = zone
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			began := time.Now()
			for range repeat {
				records, err := adapter.Remap(page)
				if err != nil || len(records) != 1 || records[0].Series[0].Len() != heartPoints {
					return fmt.Errorf("%d records: %w", len(records), err)
				}
			}
			ours[i] = max(ours[i], heartPoints*repeat/time.Since(began).Seconds())
			runtime.ReadMemStats(&after)
			memory[i] = float64(after.TotalAlloc-before.TotalAlloc) / repeat / float64(size)
		}
		began := time.Now()
		for range repeat {
			var plain plainHeartDay
			if err := json.Unmarshal(body, &plain); err != nil || len(plain.Intraday.Dataset) != heartPoints {
				return fmt.Errorf("%d points: %w", len(plain.Intraday.Dataset), err)
			}
		}
		anchor = max(anchor, heartPoints*repeat/time.Since(began).Seconds())
	}
	const topic = "fitbit heart rate"
	for i, clock := range [...]string{"", ", zone not known"} {
		b.Add(Row{
			Topic: topic, Name: "a day by the second to packed columns, one core" + clock, Unit: "M points/s", Measured: ours[i] / 1e6, Floor: 10,
		})
		b.Add(Row{
			Topic: topic, Name: "the same against encoding/json into plain structs" + clock, Unit: "M points/s",
			Measured: ours[i] / 1e6, Anchor: anchor / 1e6, Floor: 5,
		})
		b.Add(Row{Topic: topic, Name: "memory allocated, in sizes of the body" + clock, Measured: memory[i], Floor: 2, Most: true})
	}
	b.Note(topic, "%d points, %d kB. Ours ends with a normalized, validated record, in the person's zone or with times that float; the anchor ends with structs.",
		heartPoints, size/1000)
	return nil
}
