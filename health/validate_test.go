package health

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// validSleep is a small valid record with one of everything.
func validSleep() Record {
	start := testNow.Add(-9 * time.Hour).UnixMilli()
	return Record{
		Connection: "c", Kind: KindSleep, Key: "sleep/1",
		Span:   Span{Start: Zoned(start, 3600), End: Zoned(start+8*3600_000, 3600), Day: DayOf(testNow)},
		Values: []Value{{Metric: "heart_rate", Number: Int(50)}, {Metric: "steps", Number: Int(5)}},
		Texts:  []Text{{"a", "1"}, {"b", "2"}},
		Segments: []Segment{{Track: "stage", Label: "deep", Code: "2", Start: Zoned(start, 3600), End: Zoned(start+1000, 3600),
			Values: []Value{{Metric: "heart_rate", Number: Int(50)}}}},
		Series: []Series{{Metric: "heart_rate", From: start, To: start + 2001, Times: []int64{start, start + 2000}, Values: []int64{1, 2}}},
	}
}

func TestValidate(t *testing.T) {
	r := validSleep()
	require.NoError(t, r.Validate(testNow))

	future := testNow.Add(49 * time.Hour).UnixMilli()
	for _, c := range []struct {
		field  string
		change func(r *Record)
	}{
		{"kind", func(r *Record) { r.Kind = "" }},
		{"kind", func(r *Record) { r.Kind = "Sleep" }},
		{"key", func(r *Record) { r.Key = "" }},
		{"key", func(r *Record) { r.Key = "sleep" }},
		{"key", func(r *Record) { r.Key = "/1" }},
		{"key", func(r *Record) { r.Key = "sleep/" }},
		{"key", func(r *Record) { r.Key = "sleep/" + strings.Repeat("x", MaxKey) }},
		{"key", func(r *Record) { r.Key = "sleep/\xff" }},
		{"key", func(r *Record) { r.Key = "sleep/\x00" }},
		{"key", func(r *Record) { r.Key = "sleep/a\nb" }},
		{"key", func(r *Record) { r.Key = "sleep/\u202Ebad" }},
		{"key", func(r *Record) { r.Key = "sleep/\x1f" }},
		{"key", func(r *Record) { r.Key = "sleep/\u0085" }},
		{"key", func(r *Record) { r.Key = "sleep/né\x00" }},
		{"key", func(r *Record) { r.Key = "sleep/né\x7f" }},
		{"key", func(r *Record) { r.Key = "sleep/né\xff" }},
		{"connection", func(r *Record) { r.Connection = strings.Repeat("x", MaxConnection+1) }},
		{"connection", func(r *Record) { r.Connection = "\xc3" }},
		{"connection", func(r *Record) { r.Connection = "a\x7f" }},
		{"state", func(r *Record) { r.State = 2 }},
		{"method", func(r *Record) { r.Method = methodCount }},
		{"rev.order", func(r *Record) { r.Rev.Order = -1 }},
		{"rev.order", func(r *Record) { r.Rev.Order = future }},
		{"span", func(r *Record) { r.Span = Span{} }},
		{"span", func(r *Record) { r.Span.Start = Moment{} }},
		{"span", func(r *Record) { r.Span.End = Zoned(r.Span.Start.milli-1, 3600) }},
		{"span", func(r *Record) { r.Span.End = Floating(r.Span.End.milli) }},
		{"span", func(r *Record) { r.Span.Start = Instant(earliestMilli - 1) }},
		{"span", func(r *Record) { r.Span.End = Instant(future) }},
		{"span", func(r *Record) { r.Span.Start.offset = maxOffset + 1 }},
		{"span.zone", func(r *Record) { r.Span.Zone = zoneCount }},
		{"span.location", func(r *Record) { r.Span.Location = "a\x00" }},
		{"span.day", func(r *Record) { r.Span.Day = Day{2026, 2, 30} }},
		{"span.day", func(r *Record) { r.Span.Day = Day{1900, 1, 1} }},
		{"span.day", func(r *Record) { r.Span.Day = Day{9999, 1, 1} }},
		{"source", func(r *Record) { r.Source.Device = strings.Repeat("x", MaxCode+1) }},
		{"source", func(r *Record) { r.Source.App = "\xff" }},
		{"values", func(r *Record) { r.Values[0].Metric = "" }},
		{"values", func(r *Record) { r.Values[0].Metric = "Heart" }},
		{"values", func(r *Record) { r.Values[0].Metric = Metric(strings.Repeat("x", MaxName+1)) }},
		{"values", func(r *Record) { r.Values[0].Part = "left arm" }},
		{"values", func(r *Record) { r.Values[0].Stat = statCount }},
		{"values", func(r *Record) { r.Values[0].Number.Exponent = MaxExponent + 1 }},
		{"values", func(r *Record) { r.Values[0].Number.Exponent = -128 }},
		{"values", func(r *Record) { r.Values[1] = r.Values[0] }},
		{"values", func(r *Record) { r.Values[0], r.Values[1] = r.Values[1], r.Values[0] }},
		{"values", func(r *Record) { r.Values = make([]Value, MaxValues+1) }},
		{"texts", func(r *Record) { r.Texts[0].Name = "" }},
		{"texts", func(r *Record) { r.Texts[1].Name = "a" }},
		{"texts", func(r *Record) { r.Texts[0].Name = "c" }},
		{"texts", func(r *Record) { r.Texts[0].Value = strings.Repeat("x", MaxText+1) }},
		{"texts", func(r *Record) { r.Texts[0].Value = "\xff" }},
		{"segments", func(r *Record) { r.Segments[0].Track = "" }},
		{"segments", func(r *Record) { r.Segments[0].Label = "Deep" }},
		{"segments", func(r *Record) { r.Segments[0].Code = "\xff" }},
		{"segments", func(r *Record) { r.Segments[0].End.milli = r.Segments[0].Start.milli - 1 }},
		{"segments", func(r *Record) { r.Segments[0].Start = Moment{} }},
		{"segments", func(r *Record) { r.Segments[0].Values[0].Metric = "-" }},
		{"segments", func(r *Record) { r.Segments = make([]Segment, MaxSegments+1) }},
		{"series", func(r *Record) { r.Series[0].Metric = "" }},
		{"series", func(r *Record) { r.Series[0].Part = "-" }},
		{"series", func(r *Record) { r.Series[0].Stat = statCount }},
		{"series", func(r *Record) { r.Series[0].Exp = -MaxExponent - 1 }},
		{"series", func(r *Record) { r.Series[0].Values = r.Series[0].Values[:1] }},
		{"series", func(r *Record) { r.Series[0].Times[1] = r.Series[0].Times[0] }},
		{"series", func(r *Record) { r.Series[0].From++ }},
		{"series", func(r *Record) { r.Series[0].To-- }},
		{"series", func(r *Record) { r.Series[0].To = r.Series[0].From - 1 }},
		{"series", func(r *Record) { r.Series[0].From = 0 }},
		{"series", func(r *Record) { r.Series[0].Count = -1 }},
		{"series", func(r *Record) { r.Series = make([]Series, MaxSeries+1) }},
	} {
		r := validSleep()
		c.change(&r)
		err := r.Validate(testNow)
		var invalid *InvalidError
		require.ErrorAs(t, err, &invalid, c.field)
		require.Equal(t, c.field, invalid.Field, invalid.Reason)
		require.NotContains(t, err.Error(), "Heart")
	}
}

func TestValidateKnowsWhatNeedsNoTime(t *testing.T) {
	for _, kind := range Kinds() {
		r := Record{Kind: kind, Key: "a/1"}
		switch kind {
		case KindAthlete, KindDevice, KindPlannedWorkout:
			require.NoError(t, r.Validate(testNow), kind)
		default:
			require.Error(t, r.Validate(testNow), kind)
		}
		r.State = StateDeleted
		require.NoError(t, r.Validate(testNow), kind)

		r = Record{Kind: kind, Key: "a/1", Span: Span{Start: At(testNow.AddDate(0, 2, 0))}}
		switch kind {
		case KindPlannedWorkout, KindMenstruation:
			require.NoError(t, r.Validate(testNow), kind)
		default:
			require.Error(t, r.Validate(testNow), kind)
		}
	}
}

func TestNormalize(t *testing.T) {
	start := testNow.UnixMilli()
	r := Record{
		Kind: KindSleep,
		Span: Span{Start: Instant(start), End: Instant(start + 40*3600_000)},
		Values: []Value{
			{Metric: "steps", Number: Int(5)},
			{Metric: "body_weight", Number: Int(-5)},
			{Metric: "steps", Number: Int(5)},
			{Metric: "body_weight", Stat: StatGoal, Number: Int(0)},
			{Metric: "my_own_metric", Number: Int(1 << 62)},
			{Metric: "heart_rate", Number: Int(60), Flags: FlagOutOfRange | FlagEstimated},
		},
		Texts:    []Text{{"b", "x\xffy"}, {"a", strings.Repeat("é", MaxText)}, {"b", "x\uFFFDy"}},
		Source:   Source{Device: "\xff"},
		Segments: []Segment{{Track: "stage", Start: Instant(start + 5)}, {Track: "stage", Start: Instant(start), Code: "\xfe"}},
		Series:   []Series{{Metric: "b"}, {Metric: "a", From: 2}, {Metric: "a", From: 1}},
	}
	r.Normalize()
	require.Equal(t, []Value{
		{Metric: "body_weight", Number: Int(-5), Flags: FlagOutOfRange},
		{Metric: "body_weight", Stat: StatGoal, Number: Int(0)},
		{Metric: "heart_rate", Number: Int(60), Flags: FlagEstimated},
		{Metric: "my_own_metric", Number: Int(1 << 62)},
		{Metric: "steps", Number: Int(5)},
	}, r.Values)
	require.Equal(t, []Text{{"a", strings.Repeat("é", MaxText/2)}, {"b", "x\uFFFDy"}}, r.Texts)
	require.Equal(t, "\uFFFD", r.Source.Device)
	require.Equal(t, "\uFFFD", r.Segments[0].Code)
	require.Equal(t, start+5, r.Segments[1].Start.milli)
	require.Equal(t, []Series{{Metric: "a", From: 1}, {Metric: "a", From: 2}, {Metric: "b"}}, r.Series)
	require.Equal(t, FlagImplausible, r.Span.Flags)

	for _, c := range []struct {
		kind   Kind
		length int64
		want   Flags
	}{
		{KindSleep, 0, FlagImplausible},
		{KindActivity, 0, FlagImplausible},
		{KindBody, 0, 0},
		{KindSleep, 24 * 3600_000, 0},
		{KindSleep, 24*3600_000 + 1, FlagImplausible},
		{KindActivity, 40 * 3600_000, 0},
	} {
		r := Record{Kind: c.kind, Span: Span{Start: Instant(start), End: Instant(start + c.length)}}
		r.Normalize()
		require.Equal(t, c.want, r.Span.Flags, c)
	}
}

func TestNormalizeTwiceIsOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := genRecord().Draw(t, "record")
		want := r.Fingerprint()
		r.Values = rapid.Permutation(append(slices.Clone(r.Values), r.Values...)).Draw(t, "values")
		once := r
		once.Values = slices.Clone(r.Values)
		once.Normalize()
		twice := once
		twice.Values = slices.Clone(once.Values)
		twice.Normalize()
		require.Equal(t, once, twice)
		require.NoError(t, once.Validate(testNow.AddDate(30, 0, 0)))
		require.Equal(t, want, once.Fingerprint())
	})
}
