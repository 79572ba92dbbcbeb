package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/vitalmux/vitalmux/health"
)

// generator makes records as providers send them: the usual metrics with
// random values, a natural id that rises, times that rise, a few devices. All
// values are within the plausible range of their metric.
type generator struct {
	rnd     *rand.Rand
	devices []string
}

func newGenerator(seed uint64) *generator {
	g := &generator{rnd: rand.New(rand.NewPCG(seed, 7))}
	for range 3 {
		g.devices = append(g.devices, fmt.Sprintf("%016x%016x", g.rnd.Uint64(), g.rnd.Uint64()))
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

// bodyMetrics are what a body composition scale tells, with the service's own
// numbers for them.
var bodyMetrics = []struct {
	metric   health.Metric
	code     int
	center   float64
	exponent int8
}{
	{"body_weight", 1, 75, -3}, {"heart_rate", 11, 62, 0}, {"body_fat_percentage", 6, 22, -3}, {"fat_mass", 8, 17, -2},
	{"fat_free_mass", 5, 58, -3}, {"muscle_mass", 76, 54, -2}, {"bone_mass", 88, 3, -2}, {"body_water_mass", 77, 42, -2},
	{"visceral_fat_index", 170, 3, -1}, {"pulse_wave_velocity", 91, 7, -3},
}

// measurement is a weight and a pulse: 476 bytes of JSON.
func (g *generator) measurement(connection string, i int) health.Record {
	return g.body(connection, i, 2)
}

// composition is all that a body composition scale tells: a kilobyte of JSON.
func (g *generator) composition(connection string, i int) health.Record {
	r := g.body(connection, i, len(bodyMetrics))
	r.Texts = []health.Text{{Name: health.TextDeviceModel, Value: "Body Comp"}, {Name: health.TextMeasurementSource, Value: "scale"}}
	return r
}

func (g *generator) body(connection string, i, values int) health.Record {
	// About four times a day, never at the same second.
	at := benchStart.Add(time.Duration(i)*6*time.Hour + time.Duration(g.rnd.IntN(7200))*time.Second).In(time.FixedZone("", 3600))
	r := health.Record{
		Connection: connection, Kind: health.KindBody, Key: "measure/" + strconv.Itoa(2_000_000_000+i*37),
		Span:   health.Span{Start: health.At(at), Day: health.DayOf(at), Zone: health.ZoneFromRecord, Location: "Europe/Paris"},
		Source: health.Source{Provider: "withings", Path: health.PathDirect, Device: g.devices[g.rnd.IntN(len(g.devices))]},
		Rev:    health.Rev{Order: at.Add(time.Minute).UnixMilli(), Mapping: 1},
		Method: health.MethodSensed,
	}
	for _, m := range bodyMetrics[:values] {
		r.Values = append(r.Values, health.Value{Metric: m.metric, Number: g.decimal(m.center, 0.1, m.exponent)})
	}
	r.Normalize()
	return r
}

// measurePage is the answer of a service that holds the measurements.
func measurePage(list []health.Record) health.RawBody {
	var b bytes.Buffer
	b.WriteString(`{"status":0,"body":{"updatetime":1790000000,"timezone":"Europe\/Paris","measuregrps":[`)
	for i := range list {
		r := &list[i]
		if i > 0 {
			b.WriteByte(',')
		}
		at := r.Span.Start.SortMilli() / 1000
		fmt.Fprintf(&b, `{"grpid":%s,"attrib":0,"date":%d,"created":%d,"modified":%d,"category":1,"deviceid":%q,"hash_deviceid":%[5]q,"measures":[`,
			r.Key[len("measure/"):], at, at+30, r.Rev.Order/1000, r.Source.Device)
		for j, v := range r.Values {
			if j > 0 {
				b.WriteByte(',')
			}
			for _, m := range bodyMetrics {
				if m.metric == v.Metric {
					fmt.Fprintf(&b, `{"value":%d,"type":%d,"unit":%d,"algo":0,"fm":131}`, v.Number.Coefficient, m.code, v.Number.Exponent)
				}
			}
		}
		b.WriteString(`],"modelid":18,"model":"Body Comp","comment":null}`)
	}
	b.WriteString(`]}}`)
	return health.RawBody{Name: "getmeas", Body: b.Bytes()}
}

// lapMetrics are what a running watch tells of a lap, with the service's own
// names for them.
var lapMetrics = []struct {
	metric         health.Metric
	stat           health.Stat
	name           string
	center, spread float64
	exponent       int8
}{
	{"distance", health.StatValue, "distance_meters", 1000, 0, -1}, {"energy_active", health.StatValue, "calories", 65, 0.1, 0},
	{"heart_rate", health.StatMean, "avg_hr_bpm", 150, 0.08, 0}, {"heart_rate", health.StatMax, "max_hr_bpm", 175, 0.08, 0},
	{"speed", health.StatMean, "avg_speed_meters_per_second", 3.1, 0.1, -3}, {"cadence", health.StatMean, "avg_cadence_rpm", 170, 0.03, 0},
	{"elevation_gain", health.StatValue, "elevation_gain_meters", 12, 0.9, -1}, {"power", health.StatMean, "avg_watts", 250, 0.1, 0},
}

// run is a run of six laps: four kilobytes of JSON.
func (g *generator) run(connection string, i int) health.Record {
	return g.workout(connection, i, 6)
}

// longRun is a run of about fifty laps: 26 kilobytes of JSON.
func (g *generator) longRun(connection string, i int) health.Record {
	return g.workout(connection, i, 46+g.rnd.IntN(8))
}

func (g *generator) workout(connection string, i, laps int) health.Record {
	at := benchStart.Add(time.Duration(i)*10*time.Hour + time.Duration(g.rnd.IntN(7200))*time.Second).In(time.FixedZone("", 7200))
	r := health.Record{
		Connection: connection, Kind: health.KindActivity, Key: "activity/" + strconv.Itoa(900_000_000+i*53),
		Span:   health.Span{Start: health.At(at), Day: health.DayOf(at), Zone: health.ZoneFromRecord, Location: "Europe/Paris"},
		Source: health.Source{Provider: "terra", Path: health.PathTerra, Upstream: "GARMIN", Device: g.devices[g.rnd.IntN(len(g.devices))]},
		Rev:    health.Rev{Order: at.Add(8 * time.Hour).UnixMilli(), Mapping: 1},
		Method: health.MethodSensed,
		Texts: []health.Text{
			{Name: health.TextSport, Value: "running"}, {Name: health.TextTitle, Value: "Morning run " + strconv.Itoa(g.rnd.IntN(100))},
		},
	}
	end := at
	totals := make([]int64, len(lapMetrics))
	for range laps {
		next := end.Add(time.Duration(290+g.rnd.IntN(60)) * time.Second)
		lap := health.Segment{Track: health.TrackLap, Start: health.At(end), End: health.At(next)}
		for j, m := range lapMetrics {
			number := g.decimal(m.center, m.spread, m.exponent)
			lap.Values = append(lap.Values, health.Value{Metric: m.metric, Stat: m.stat, Number: number})
			if m.stat == health.StatMax {
				totals[j] = max(totals[j], number.Coefficient)
			} else {
				totals[j] += number.Coefficient
			}
		}
		r.Segments = append(r.Segments, lap)
		end = next
	}
	r.Span.End = health.At(end)
	for j, m := range lapMetrics {
		if m.stat == health.StatMean {
			totals[j] /= int64(laps)
		}
		r.Values = append(r.Values, health.Value{Metric: m.metric, Stat: m.stat, Number: health.Decimal{Coefficient: totals[j], Exponent: m.exponent}})
	}
	r.Normalize()
	return r
}

// runPage is the answer of a service that holds the runs.
func runPage(list []health.Record) health.RawBody {
	var b bytes.Buffer
	members := func(values []health.Value) {
		for _, v := range values {
			for _, m := range lapMetrics {
				if m.metric == v.Metric && m.stat == v.Stat {
					fmt.Fprintf(&b, `,%q:%v`, m.name, v.Number)
				}
			}
		}
	}
	clock := func(m health.Moment) string {
		t, _ := m.Time()
		return t.Format("2006-01-02T15:04:05.000000-07:00")
	}
	b.WriteString(`{"status":"success","type":"activity","data":[`)
	for i := range list {
		r := &list[i]
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"metadata":{"summary_id":%q,"name":%q,"type":8,"upload_type":1,"start_time":%q,"end_time":%q},`,
			r.Key[len("activity/"):], r.Texts[1].Value, clock(r.Span.Start), clock(r.Span.End))
		fmt.Fprintf(&b, `"device_data":{"name":"Forerunner 265","manufacturer":"GARMIN","serial_number":%q},"summary":{"provider":%q`, r.Source.Device, r.Source.Upstream)
		members(r.Values)
		b.WriteString(`},"lap_data":{"laps":[`)
		for j := range r.Segments {
			if j > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"start_time":%q,"end_time":%q`, clock(r.Segments[j].Start), clock(r.Segments[j].End))
			members(r.Segments[j].Values)
			b.WriteByte('}')
		}
		b.WriteString(`]}}`)
	}
	b.WriteString(`]}`)
	return health.RawBody{Name: "activity", Body: b.Bytes()}
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
