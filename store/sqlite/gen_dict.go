//go:build ignore

// This program trains the dictionaries for the packed part of records: that for
// small ones (s2) and that for large ones (zstd). The numbers go with the files:
//
//	go run gen_dict.go 1 2
//
// The records are made up: the shapes and the vocabulary of what providers
// send, with random numbers. A released dictionary is never replaced; train the
// next numbers instead, and add a step to the schema, so that a release that
// does not have them refuses the file.
package main

import (
	"bytes"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"strconv"
	"time"

	"github.com/klauspost/compress/dict"
	"github.com/klauspost/compress/zstd"

	"github.com/vitalmux/vitalmux/health"
)

var (
	rnd       = rand.New(rand.NewPCG(20260101, 1))
	locations = []string{
		"Europe/Berlin", "Europe/Paris", "Europe/London", "Europe/Madrid", "America/New_York", "America/Chicago",
		"America/Los_Angeles", "America/Sao_Paulo", "Asia/Tokyo", "Asia/Kolkata", "Australia/Sydney", "",
	}
	sources = []health.Source{
		{Provider: "withings", Path: health.PathDirect, Device: "Body+"},
		{Provider: "withings", Path: health.PathDirect, Device: "Body Scan"},
		{Provider: "withings", Path: health.PathDirect, Device: "ScanWatch 2"},
		{Provider: "withings", Path: health.PathDirect, Device: "Sleep Analyzer"},
		{Provider: "withings", Path: health.PathDirect, Device: "BPM Connect"},
		{Provider: "withings", Path: health.PathDirect},
		{Provider: "fitbit", Path: health.PathDirect, Device: "Charge 6", App: "Fitbit"},
		{Provider: "googlehealth", Path: health.PathDirect, Device: "Pixel Watch 3", App: "com.google.android.apps.fitness"},
		{Provider: "terra", Path: health.PathTerra, Upstream: "GARMIN", Device: "Forerunner 265"},
		{Provider: "terra", Path: health.PathTerra, Upstream: "OURA", Device: "Oura Ring Gen3"},
		{Provider: "terra", Path: health.PathTerra, Upstream: "APPLE", Device: "Apple Watch Series 9", App: "com.apple.health"},
		{Provider: "terra", Path: health.PathTerra, Upstream: "POLAR"},
		{Provider: "terra", Path: health.PathTerra, Upstream: "WHOOP"},
	}
	stages = health.Stages()
	foods  = []string{
		"Oatmeal", "Banana", "Coffee with milk", "Scrambled eggs", "Whole wheat bread", "Greek yogurt", "Chicken breast",
		"Brown rice", "Mixed salad", "Olive oil", "Apple", "Salmon fillet", "Pasta", "Tomato sauce", "Cheese", "Dark chocolate",
	}
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: go run gen_dict.go <number of the s2 dictionary> <number of the zstd dictionary>")
	}
	var small, large [][]byte
	for range 400 {
		for _, make := range []func() health.Record{daily, sleep, activity, body, body, nutrition, samples, menstruation, device} {
			r := make()
			r.Normalize()
			rest := cut(&r, health.AppendRest(nil, &r))
			small = append(small, rest)
			if len(rest) > 1024 {
				large = append(large, rest)
			}
		}
	}
	for _, name := range health.TextNames() {
		small = append(small, []byte(name))
	}
	out, err := dict.BuildS2Dict(small, dict.Options{MaxDictSize: 16 << 10, HashBytes: 4})
	if err != nil {
		log.Fatal(err)
	}
	write(os.Args[1], out)
	number, err := strconv.ParseUint(os.Args[2], 10, 32)
	if err != nil {
		log.Fatal(err)
	}
	out, err = dict.BuildZstdDict(large, dict.Options{
		MaxDictSize: 8 << 10, HashBytes: 5, ZstdDictID: uint32(number), ZstdLevel: zstd.SpeedFastest,
	})
	if err != nil {
		log.Fatal(err)
	}
	write(os.Args[2], out)
	fmt.Println(len(small), "records,", len(large), "of them large")
}

func write(number string, dictionary []byte) {
	if err := os.WriteFile("dict/"+number+".dict", dictionary, 0o644); err != nil {
		log.Fatal(err)
	}
}

// cut removes what the store keeps apart as words.
func cut(r *health.Record, rest []byte) []byte {
	for _, word := range []string{r.Span.Location, r.Source.Provider, r.Source.Upstream, r.Source.Device, r.Source.App} {
		if len(word) >= 6 {
			rest = bytes.Replace(rest, []byte(word), nil, 1)
		}
	}
	return rest
}

func pick[T any](list []T) T { return list[rnd.IntN(len(list))] }

func base(kind health.Kind, length time.Duration) health.Record {
	start := time.Date(2020+rnd.IntN(7), time.Month(1+rnd.IntN(12)), 1+rnd.IntN(28), rnd.IntN(24), rnd.IntN(60), rnd.IntN(60), 0,
		time.FixedZone("", (rnd.IntN(12)-5)*3600))
	r := health.Record{Kind: kind, Source: pick(sources), Method: health.Method(rnd.IntN(3)), Span: health.Span{
		Start: health.At(start), Day: health.DayOf(start), Zone: health.Zone(rnd.IntN(4)), Location: pick(locations),
	}}
	if length > 0 {
		r.Span.End = health.At(start.Add(length))
	}
	return r
}

func number() health.Decimal {
	return health.Decimal{Coefficient: rnd.Int64N(100_000), Exponent: int8(-rnd.IntN(4))}
}

func daily() health.Record {
	r := base(health.KindDaily, 24*time.Hour)
	for _, m := range []health.Metric{health.MetricSteps, health.MetricHeartRateResting, health.MetricHeartRate} {
		r.Values = append(r.Values, health.Value{Metric: m, Number: number()})
	}
	for i := range 4 {
		r.Segments = append(r.Segments, health.Segment{
			Track: health.TrackZone, Label: fmt.Sprintf("zone_%d", i+1), Start: r.Span.Start, End: r.Span.End,
			Values: []health.Value{
				{Metric: health.MetricHeartRateZoneDuration, Number: number()}, {Metric: health.MetricHeartRateZoneEnergy, Number: number()},
			},
		})
	}
	r.Texts = []health.Text{{Name: health.TextDeviceModel, Value: r.Source.Device}, {Name: health.TextTimezone, Value: r.Span.Location}}
	return r
}

func sleep() health.Record {
	r := base(health.KindSleep, 7*time.Hour+time.Duration(rnd.IntN(3600))*time.Second)
	at, _ := r.Span.Start.Time()
	for range 20 + rnd.IntN(40) {
		next := at.Add(time.Duration(1+rnd.IntN(60)) * 30 * time.Second)
		label := pick(stages)
		r.Segments = append(r.Segments, health.Segment{
			Track: health.TrackStage, Label: label, Code: pick([]string{label, "1", "2", "3", "4", ""}), Start: health.At(at), End: health.At(next),
		})
		at = next
	}
	r.Texts = []health.Text{
		{Name: health.TextDeviceModel, Value: "Sleep Monitor"}, {Name: health.TextSleepType, Value: pick([]string{"main", "nap"})},
	}
	r.Series = []health.Series{series(&r, health.MetricHeartRate), series(&r, "respiratory_rate"), series(&r, "hrv_rmssd")}
	return r
}

func series(r *health.Record, m health.Metric) health.Series {
	from := r.Span.Start.SortMilli()
	return health.Series{Metric: m, From: from, To: from + 3_600_000, Count: 1 + rnd.IntN(4000), Digest: rnd.Uint64()}
}

func activity() health.Record {
	r := base(health.KindActivity, time.Duration(20+rnd.IntN(100))*time.Minute)
	at, _ := r.Span.Start.Time()
	for i := range 1 + rnd.IntN(60) {
		next := at.Add(time.Duration(200+rnd.IntN(400)) * time.Second)
		lap := health.Segment{Track: health.TrackLap, Code: fmt.Sprint(i + 1), Start: health.At(at), End: health.At(next)}
		for _, m := range []health.Metric{"distance", "energy_active", "heart_rate", "speed", "cadence", "power", "elevation_gain", "elevation_loss"} {
			lap.Values = append(lap.Values, health.Value{Metric: m, Stat: health.Stat(rnd.IntN(4)), Number: number()})
		}
		r.Segments = append(r.Segments, lap)
		at = next
	}
	r.Texts = []health.Text{
		{Name: health.TextSport, Value: string(pick(health.Sports()))}, {Name: health.TextSportCode, Value: fmt.Sprint(rnd.IntN(200))},
		{Name: health.TextTitle, Value: pick([]string{"Morning run", "Afternoon ride", "Evening walk", "Workout"})},
		{Name: health.TextDeviceModel, Value: r.Source.Device},
	}
	for _, m := range []health.Metric{health.MetricHeartRate, "speed", "cadence", "power", "latitude", "longitude", "altitude", "distance"} {
		r.Series = append(r.Series, series(&r, m))
	}
	return r
}

func body() health.Record {
	r := base(health.KindBody, 0)
	r.Texts = []health.Text{
		{Name: health.TextDeviceModel, Value: pick([]string{"Body Cardio", "Body+", "Body Comp", "Body Scan", "BPM Connect", "Thermo"})},
		{Name: health.TextDeviceModelID, Value: fmt.Sprint(1 + rnd.IntN(90))},
		{Name: health.TextMeasurementSource, Value: pick([]string{"scale", "cuff", "optical", "manual"})},
	}
	return r
}

func nutrition() health.Record {
	r := base(health.KindNutrition, 24*time.Hour)
	for range 3 + rnd.IntN(9) {
		r.Segments = append(r.Segments, health.Segment{
			Track: health.TrackMeal, Label: pick([]string{"breakfast", "lunch", "dinner", "snack"}), Code: pick(foods), Start: r.Span.Start, End: r.Span.Start,
			Values: []health.Value{
				{Metric: health.MetricEnergyIntake, Number: number()}, {Metric: "protein", Number: number()}, {Metric: "carbohydrates", Number: number()},
				{Metric: "fat", Number: number()}, {Metric: "fiber", Number: number()}, {Metric: "sodium", Number: number()},
			},
		})
	}
	return r
}

func samples() health.Record {
	r := base(health.KindSamples, 24*time.Hour)
	r.Series = []health.Series{series(&r, pick([]health.Metric{health.MetricHeartRate, health.MetricSteps, "spo2", "skin_temperature"}))}
	return r
}

func menstruation() health.Record {
	r := base(health.KindMenstruation, 28*24*time.Hour)
	at, _ := r.Span.Start.Time()
	for _, phase := range []string{"menstrual", "follicular", "ovulatory", "luteal"} {
		next := at.AddDate(0, 0, 4+rnd.IntN(8))
		r.Segments = append(r.Segments, health.Segment{Track: health.TrackPhase, Label: phase, Start: health.At(at), End: health.At(next)})
		at = next
	}
	return r
}

func device() health.Record {
	r := base(health.KindDevice, 0)
	r.Texts = []health.Text{
		{Name: health.TextBattery, Value: pick([]string{"high", "medium", "low"})},
		{Name: health.TextDeviceSoftware, Value: fmt.Sprint(rnd.IntN(5000))}, {Name: health.TextDeviceModel, Value: r.Source.Device},
		{Name: health.TextTimezone, Value: r.Span.Location}, {Name: health.TextDeviceType, Value: "Scale"},
	}
	return r
}
