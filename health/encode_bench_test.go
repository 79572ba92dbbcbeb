package health

import (
	"math/rand/v2"
	"testing"
)

func benchRecord() *Record {
	r := &Record{
		Connection: "c_01", Kind: KindSleep, Key: "sleep_summary/2026-01-02",
		Source: Source{Provider: "withings", Path: PathDirect, Device: "Sleep Analyzer"},
		Rev:    Rev{Order: 1767340800000, Mapping: 1},
		Method: MethodSensed,
		Span: Span{
			Start: Zoned(1767308400000, 3600), End: Zoned(1767337200000, 3600),
			Day: Day{2026, 1, 2}, Zone: ZoneFromRecord, Location: "Europe/Paris",
		},
		Texts: []Text{{"device_model", "63"}},
	}
	for i, name := range []Metric{
		"deep_sleep_duration", "heart_rate", "light_sleep_duration", "rem_sleep_duration",
		"respiratory_rate", "sleep_efficiency", "sleep_latency", "sleep_score", "total_sleep_duration", "wakeup_count",
	} {
		r.Values = append(r.Values, Value{Metric: name, Stat: StatValue, Number: Decimal{int64(4321 + i*77), int8(-i % 3)}})
	}
	r.Normalize()
	return r
}

func BenchmarkAppendValues(b *testing.B) {
	r := benchRecord()
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendValues(buf[:0], r)
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkAppendRest(b *testing.B) {
	r := benchRecord()
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendRest(buf[:0], r)
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkFingerprint(b *testing.B) {
	r := benchRecord()
	b.ReportAllocs()
	for b.Loop() {
		r.Fingerprint()
	}
}

func BenchmarkDecodeContent(b *testing.B) {
	r := benchRecord()
	values, rest := AppendValues(nil, r), AppendRest(nil, r)
	b.SetBytes(int64(len(values) + len(rest)))
	b.ReportAllocs()
	for b.Loop() {
		if err := DecodeContent(r, values, rest); err != nil {
			b.Fatal(err)
		}
	}
}

// benchSeries is a day of heart rate: regular at 1 Hz, or irregular every 1 to
// 15 seconds.
func benchSeries(regular bool) *Series {
	rnd := rand.New(rand.NewPCG(1, 2))
	s := &Series{Metric: "heart_rate", From: 1767225600000, To: 1767225600000 + 86_400_000}
	t, v := s.From, int64(70)
	for t < s.To {
		s.Times = append(s.Times, t)
		s.Values = append(s.Values, v)
		v = min(max(v+rnd.Int64N(7)-3, 45), 180)
		if regular {
			t += 1000
		} else {
			t += 1000 * (1 + rnd.Int64N(15))
		}
	}
	return s
}

func benchPoints(b *testing.B, f func(b *testing.B, s *Series)) {
	b.Run("regular", func(b *testing.B) { f(b, benchSeries(true)) })
	b.Run("irregular", func(b *testing.B) { f(b, benchSeries(false)) })
}

func BenchmarkAppendPoints(b *testing.B) {
	benchPoints(b, func(b *testing.B, s *Series) {
		buf := AppendPoints(nil, s)
		b.ReportAllocs()
		n := 0
		for b.Loop() {
			buf = AppendPoints(buf[:0], s)
			n += s.Len()
		}
		b.ReportMetric(float64(n)/b.Elapsed().Seconds()/1e6, "Mpoints/s")
		b.ReportMetric(float64(len(buf))/float64(s.Len()), "B/point")
	})
}

func BenchmarkDecodePoints(b *testing.B) {
	benchPoints(b, func(b *testing.B, s *Series) {
		buf := AppendPoints(nil, s)
		var into Series
		b.ReportAllocs()
		n := 0
		for b.Loop() {
			if _, err := DecodePoints(buf, &into); err != nil {
				b.Fatal(err)
			}
			n += into.Len()
		}
		b.ReportMetric(float64(n)/b.Elapsed().Seconds()/1e6, "Mpoints/s")
	})
}
