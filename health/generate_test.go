package health

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// testNow is the present of the tests.
var testNow = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func genMoment() *rapid.Generator[Moment] {
	return rapid.Custom(func(t *rapid.T) Moment {
		milli := rapid.Int64Range(earliestMilli, testNow.UnixMilli()).Draw(t, "milli")
		if rapid.Bool().Draw(t, "whole seconds") {
			milli -= milli % 1000
		}
		switch rapid.IntRange(0, 2).Draw(t, "form") {
		case 0:
			return Instant(milli)
		case 1:
			offset := rapid.OneOf(rapid.SampledFrom([]int{0, 3600, -16200, 45900, -2377}), rapid.IntRange(-maxOffset, maxOffset))
			return Zoned(milli, offset.Draw(t, "offset"))
		default:
			return Floating(milli)
		}
	})
}

// genEnd draws a moment of the same clock at or after start.
func genEnd(start Moment) *rapid.Generator[Moment] {
	return rapid.Custom(func(t *rapid.T) Moment {
		end := start
		end.milli += rapid.Int64Range(0, 100_000_000).Draw(t, "length")
		if end.form == formZoned && rapid.Bool().Draw(t, "other offset") {
			end.offset += 3600 * (1 - 2*(end.offset>>31&1)) * -1
		}
		return end
	})
}

func genDecimal() *rapid.Generator[Decimal] {
	return rapid.Custom(func(t *rapid.T) Decimal {
		return Decimal{
			Coefficient: rapid.Int64().Draw(t, "coefficient"),
			Exponent:    rapid.Int8Range(-MaxExponent, MaxExponent).Draw(t, "exponent"),
		}
	})
}

func genName() *rapid.Generator[string] { return rapid.StringMatching(`[a-z][a-z0-9_]{0,12}`) }

func genMetric() *rapid.Generator[Metric] {
	return rapid.Custom(func(t *rapid.T) Metric {
		if rapid.Bool().Draw(t, "known") {
			return rapid.SampledFrom(Catalogue()).Draw(t, "definition").Metric
		}
		return Metric(genName().Draw(t, "name"))
	})
}

func genValues(most int) *rapid.Generator[[]Value] {
	return rapid.Custom(func(t *rapid.T) []Value {
		return rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) Value {
			v := Value{
				Metric: genMetric().Draw(t, "metric"),
				Stat:   Stat(rapid.IntRange(0, int(statCount)-1).Draw(t, "stat")),
				Number: genDecimal().Draw(t, "number"),
				Flags:  Flags(rapid.SampledFrom([]Flags{0, 0, FlagEstimated, FlagSticky}).Draw(t, "flags")),
			}
			if rapid.Bool().Draw(t, "part") {
				v.Part = Part(genName().Draw(t, "part name"))
			}
			return v
		}), 0, most, func(v Value) string { return fmt.Sprint(v.Metric, "/", v.Stat, "/", v.Part) }).Draw(t, "values")
	})
}

func genSeries() *rapid.Generator[Series] {
	return rapid.Custom(func(t *rapid.T) Series {
		s := Series{
			Metric:   genMetric().Draw(t, "metric"),
			Part:     Part(rapid.SampledFrom([]string{"", "left"}).Draw(t, "part")),
			Stat:     Stat(rapid.IntRange(0, int(statCount)-1).Draw(t, "stat")),
			Exp:      rapid.Int8Range(-9, 3).Draw(t, "exp"),
			Floating: rapid.Bool().Draw(t, "floating"),
			From:     rapid.Int64Range(earliestMilli, testNow.UnixMilli()).Draw(t, "from"),
		}
		genPoints(t, &s)
		s.To = s.From + 1 + rapid.Int64Range(0, 1000).Draw(t, "spare")
		if n := len(s.Times); n > 0 {
			s.To += s.Times[n-1] - s.From
		}
		return s
	})
}

// genPoints draws runs of regular and of irregular points from s.From on.
func genPoints(t *rapid.T, s *Series) {
	at := s.From
	for range rapid.IntRange(0, 5).Draw(t, "runs") {
		step := rapid.OneOf(rapid.SampledFrom([]int64{1, 1000, 60_000}), rapid.Int64Range(1, 1<<33)).Draw(t, "step")
		for range rapid.IntRange(1, 12).Draw(t, "points") {
			s.Times = append(s.Times, at)
			at += step
			if rapid.Bool().Draw(t, "near") {
				s.Values = append(s.Values, 70+rapid.Int64Range(-20, 20).Draw(t, "value"))
			} else {
				s.Values = append(s.Values, rapid.Int64().Draw(t, "value"))
			}
		}
	}
}

// genRecord draws valid and normalized records.
func genRecord() *rapid.Generator[Record] {
	return rapid.Custom(func(t *rapid.T) Record {
		text := rapid.StringN(0, 20, 60)
		r := Record{
			Connection: rapid.StringMatching(`[a-z0-9_-]{0,12}`).Draw(t, "connection"),
			Kind:       rapid.SampledFrom(Kinds()).Draw(t, "kind"),
			Key:        rapid.StringMatching(`[a-z_]{1,8}/[a-zA-Z0-9:/ é-]{1,20}`).Draw(t, "key"),
			State:      State(rapid.IntRange(0, 1).Draw(t, "state")),
			Method:     Method(rapid.IntRange(0, int(methodCount)-1).Draw(t, "method")),
			Rev: Rev{
				Order:   rapid.Int64Range(0, testNow.UnixMilli()).Draw(t, "order"),
				Mapping: rapid.Uint16().Draw(t, "mapping"), Push: rapid.Bool().Draw(t, "push"),
			},
			Source: Source{
				Provider: genName().Draw(t, "provider"),
				Path:     rapid.SampledFrom([]Path{"", PathDirect, PathTerra, PathImport, "carrier_pigeon"}).Draw(t, "path"),
				Upstream: text.Draw(t, "upstream"), Device: text.Draw(t, "device"), App: text.Draw(t, "app"),
			},
			Span: Span{
				Zone:     Zone(rapid.IntRange(0, int(zoneCount)-1).Draw(t, "zone")),
				Location: rapid.SampledFrom([]string{"", "Europe/Paris", "Asia/Kathmandu"}).Draw(t, "location"),
				Flags:    Flags(rapid.IntRange(0, 127).Draw(t, "span flags")),
				Day:      DayOf(time.UnixMilli(rapid.Int64Range(earliestMilli, testNow.UnixMilli()).Draw(t, "day")).UTC()),
			},
			Values: genValues(8).Draw(t, "values"),
			Series: rapid.SliceOfN(genSeries(), 0, 2).Draw(t, "series"),
		}
		if rapid.Bool().Draw(t, "start") {
			r.Span.Start = genMoment().Draw(t, "start moment")
			if rapid.Bool().Draw(t, "end") {
				r.Span.End = genEnd(r.Span.Start).Draw(t, "end moment")
			}
		}
		for _, name := range rapid.SliceOfNDistinct(genName(), 0, 3, rapid.ID[string]).Draw(t, "text names") {
			r.Texts = append(r.Texts, Text{Name: name, Value: text.Draw(t, "text")})
		}
		for range rapid.IntRange(0, 4).Draw(t, "segments") {
			s := Segment{
				Track: rapid.SampledFrom([]string{"stage", "lap"}).Draw(t, "track"),
				Label: rapid.SampledFrom([]string{"", "deep", "light"}).Draw(t, "label"),
				Code:  rapid.SampledFrom([]string{"", "2", "DEEP", "x"}).Draw(t, "code"),
			}
			s.Start = genMoment().Draw(t, "segment start")
			s.End = genEnd(s.Start).Draw(t, "segment end")
			s.Values = genValues(2).Draw(t, "segment values")
			r.Segments = append(r.Segments, s)
		}
		r.Normalize()
		return tidy(r)
	})
}

// tidy turns empty slices into nil ones, as decoders return them.
func tidy(r Record) Record {
	if len(r.Values) == 0 {
		r.Values = nil
	}
	if len(r.Texts) == 0 {
		r.Texts = nil
	}
	if len(r.Segments) == 0 {
		r.Segments = nil
	}
	if len(r.Series) == 0 {
		r.Series = nil
	}
	if len(r.Origins) == 0 {
		r.Origins = nil
	}
	r.Segments = slices.Clone(r.Segments)
	for i := range r.Segments {
		if len(r.Segments[i].Values) == 0 {
			r.Segments[i].Values = nil
		}
	}
	r.Series = slices.Clone(r.Series)
	for i := range r.Series {
		if len(r.Series[i].Times) == 0 {
			r.Series[i].Times, r.Series[i].Values = nil, nil
		}
	}
	return r
}

func TestGeneratedRecordsAreValid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := genRecord().Draw(t, "record")
		require.NoError(t, r.Validate(testNow.AddDate(30, 0, 0)))
	})
}
