package main

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/vitalmux/vitalmux/health"
)

// generator makes records as providers send them: the usual metrics with
// random values, a natural id that rises, times that rise, a few devices.
type generator struct {
	rnd     *rand.Rand
	devices []string
}

func newGenerator(seed uint64) *generator {
	g := &generator{rnd: rand.New(rand.NewPCG(seed, 7))}
	for range 3 {
		g.devices = append(g.devices, fmt.Sprintf("%016x%016x%08x", g.rnd.Uint64(), g.rnd.Uint64(), g.rnd.Uint32()))
	}
	return g
}

// benchStart is when the data of all connections begins.
var benchStart = time.Date(2019, 1, 1, 6, 0, 0, 0, time.UTC)

// benchNow is the time of all commits.
var benchNow = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// decimal returns a random number within spread of center, with the given
// decimals.
func (g *generator) decimal(center, spread float64, exponent int8) health.Decimal {
	v := center * (1 - spread + 2*spread*g.rnd.Float64())
	for e := exponent; e < 0; e++ {
		v *= 10
	}
	return health.Decimal{Coefficient: int64(v), Exponent: exponent}
}

// bodyMetrics are what a body composition scale tells.
var bodyMetrics = []struct {
	metric   health.Metric
	part     health.Part
	center   float64
	exponent int8
}{
	{"body_weight", "", 75, -3}, {"body_fat_percentage", "", 22, -3}, {"fat_mass", "", 17, -2}, {"fat_free_mass", "", 58, -3},
	{"muscle_mass", "", 54, -2}, {"bone_mass", "", 3, -2}, {"body_water_mass", "", 42, -2}, {"visceral_fat_index", "", 3, -1},
	{"heart_rate", "", 62, 0}, {"pulse_wave_velocity", "", 7, -3},
}

// measurement is a body measurement of about 400 bytes encoded.
func (g *generator) measurement(connection string, i int) health.Record {
	// About four times a day, never at the same second.
	at := benchStart.Add(time.Duration(i)*6*time.Hour + time.Duration(g.rnd.IntN(7200))*time.Second).In(time.FixedZone("", 3600))
	r := health.Record{
		Connection: connection, Kind: health.KindBody, Key: "measure/" + strconv.Itoa(2_000_000_000+i*37),
		Span:   health.Span{Start: health.At(at), Day: health.DayOf(at), Zone: health.ZoneFromRecord, Location: "Europe/Paris"},
		Source: health.Source{Provider: "withings", Path: health.PathDirect, Device: g.devices[g.rnd.IntN(len(g.devices))]},
		Rev:    health.Rev{Order: at.Add(time.Minute).UnixMilli(), Mapping: 1},
		Method: health.MethodSensed,
		Texts:  []health.Text{{Name: health.TextDeviceModel, Value: "Body Comp"}, {Name: health.TextMeasurementSource, Value: "scale"}},
	}
	for _, m := range bodyMetrics {
		r.Values = append(r.Values, health.Value{Metric: m.metric, Part: m.part, Number: g.decimal(m.center, 0.1, m.exponent)})
	}
	r.Normalize()
	return r
}

// lapMetrics are what a running watch tells of a lap.
var lapMetrics = []struct {
	metric         health.Metric
	stat           health.Stat
	center, spread float64
	exponent       int8
}{
	{"distance", health.StatValue, 1000, 0, -1}, {"energy_active", health.StatValue, 65, 0.1, 0}, {"heart_rate", health.StatMean, 150, 0.08, 0},
	{"heart_rate", health.StatMax, 165, 0.08, 0}, {"speed", health.StatMean, 3.1, 0.1, -3}, {"cadence", health.StatMean, 170, 0.03, 0},
	{"elevation_gain", health.StatValue, 12, 0.9, -1}, {"power", health.StatMean, 250, 0.1, 0},
}

// workout is a run with laps of about 4 kB encoded.
func (g *generator) workout(connection string, i int) health.Record {
	at := benchStart.Add(time.Duration(i)*10*time.Hour + time.Duration(g.rnd.IntN(7200))*time.Second).In(time.FixedZone("", 7200))
	r := health.Record{
		Connection: connection, Kind: health.KindActivity, Key: "workouts/" + strconv.Itoa(900_000_000+i*53),
		Span:   health.Span{Start: health.At(at), Day: health.DayOf(at), Zone: health.ZoneFromRecord, Location: "Europe/Paris"},
		Source: health.Source{Provider: "withings", Path: health.PathDirect, Device: g.devices[g.rnd.IntN(len(g.devices))]},
		Rev:    health.Rev{Order: at.Add(3 * time.Hour).UnixMilli(), Mapping: 1},
		Method: health.MethodSensed,
		Texts: []health.Text{
			{Name: health.TextDeviceModel, Value: "ScanWatch 2"}, {Name: health.TextSport, Value: "running"},
			{Name: health.TextTitle, Value: "Morning run " + strconv.Itoa(g.rnd.IntN(100))},
		},
	}
	end := at
	for range 46 + g.rnd.IntN(8) {
		next := end.Add(time.Duration(290+g.rnd.IntN(60)) * time.Second)
		lap := health.Segment{Track: health.TrackLap, Start: health.At(end), End: health.At(next)}
		for _, m := range lapMetrics {
			lap.Values = append(lap.Values, health.Value{Metric: m.metric, Stat: m.stat, Number: g.decimal(m.center, m.spread, m.exponent)})
		}
		r.Segments = append(r.Segments, lap)
		end = next
	}
	r.Span.End = health.At(end)
	for _, m := range lapMetrics {
		r.Values = append(r.Values, health.Value{Metric: m.metric, Stat: m.stat, Number: g.decimal(m.center*20, 0.1, m.exponent)})
	}
	r.Normalize()
	return r
}

// series returns a day of heart rate from the given time: every second, or
// irregular steps of 1 to 10 seconds.
func (g *generator) series(from time.Time, irregular bool) health.Series {
	s := health.Series{Metric: health.MetricHeartRate, From: from.UnixMilli(), To: from.Add(24 * time.Hour).UnixMilli()}
	v := int64(70)
	for t := s.From; t < s.To; {
		s.Times, s.Values = append(s.Times, t), append(s.Values, v)
		v = min(max(v+g.rnd.Int64N(5)-2, 45), 180)
		step := int64(1000)
		if irregular {
			step *= 1 + g.rnd.Int64N(10)
		}
		t += step
	}
	return s
}
