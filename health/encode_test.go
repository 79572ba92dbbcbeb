package health

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// undescribed returns r as DecodeContent leaves it: without identity, Rev and
// points.
func undescribed(r Record) Record {
	r = tidy(r)
	r.Connection, r.Kind, r.Key, r.Rev = "", "", "", Rev{}
	for i := range r.Series {
		r.Series[i] = r.Series[i].Describe()
	}
	return r
}

func TestContentRoundTrip(t *testing.T) {
	var used Record // decoded into again and again
	rapid.Check(t, func(t *rapid.T) {
		r := genRecord().Draw(t, "record")
		values, rest := AppendValues(nil, &r), AppendRest(nil, &r)

		var got Record
		require.NoError(t, DecodeContent(&got, values, rest))
		require.Equal(t, undescribed(r), tidy(got))
		require.NoError(t, DecodeContent(&used, values, rest))
		require.Equal(t, undescribed(r), tidy(used), "a record used before")

		require.Equal(t, values, AppendValues(nil, &got))
		require.Equal(t, rest, AppendRest(nil, &got), "a series without points encodes as with them")
		require.Equal(t, Fingerprint(values, rest), r.Fingerprint())
		require.Equal(t, r.Fingerprint(), got.Fingerprint())
	})
}

func TestRecordRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := genRecord().Draw(t, "record")
		r.Rev.Fingerprint = r.Fingerprint()
		got, err := DecodeRecord(AppendRecord(nil, &r))
		require.NoError(t, err)
		require.Equal(t, r, tidy(got))
	})
}

func TestValuesStayReadable(t *testing.T) {
	r := &Record{Values: []Value{
		{Metric: "fat_mass", Part: "left_arm", Number: Decimal{1350, -3}},
		{Metric: "heart_rate", Stat: StatMean, Number: Int(61)},
		{Metric: "heart_rate", Stat: StatMax, Part: "zone_2", Number: Int(-140)},
		{Metric: "steps", Number: Decimal{12, 3}},
	}}
	require.Equal(t,
		`{"fat_mass@left_arm":1.350,"heart_rate.mean":61,"heart_rate.max@zone_2":-140,"steps":12e3}`,
		string(AppendValues(nil, r)))
	require.Equal(t, `{}`, string(AppendValues(nil, &Record{})))
}

func TestOrderOfValuesDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := genRecord().Draw(t, "record")
		values, rest := AppendValues(nil, &r), AppendRest(nil, &r)
		shuffled := r
		shuffled.Values = rapid.Permutation(r.Values).Draw(t, "order")
		before := slices.Clone(shuffled.Values)
		require.Equal(t, values, AppendValues(nil, &shuffled))
		require.Equal(t, rest, AppendRest(nil, &shuffled))
		require.Equal(t, r.Fingerprint(), shuffled.Fingerprint())
		require.Equal(t, before, shuffled.Values, "encoding does not touch the record")
	})
}

// Every part of the content moves the fingerprint, nothing else does.
func TestFingerprintCoversContent(t *testing.T) {
	r := goldenRecord()
	want := r.Fingerprint()
	for name, change := range map[string]func(r *Record){
		"state":            func(r *Record) { r.State = StateDeleted },
		"method":           func(r *Record) { r.Method = MethodSelfReported },
		"start":            func(r *Record) { r.Span.Start.milli++ },
		"start offset":     func(r *Record) { r.Span.Start.offset++ },
		"start form":       func(r *Record) { r.Span.Start = Instant(r.Span.Start.milli) },
		"end":              func(r *Record) { r.Span.End = Moment{} },
		"day":              func(r *Record) { r.Span.Day.Dom++ },
		"zone":             func(r *Record) { r.Span.Zone = ZoneUnknown },
		"location":         func(r *Record) { r.Span.Location = "" },
		"span flags":       func(r *Record) { r.Span.Flags = FlagScaled },
		"provider":         func(r *Record) { r.Source.Provider = "x" },
		"path":             func(r *Record) { r.Source.Path = PathTerra },
		"upstream":         func(r *Record) { r.Source.Upstream = "x" },
		"device":           func(r *Record) { r.Source.Device = "x" },
		"app":              func(r *Record) { r.Source.App = "x" },
		"metric":           func(r *Record) { r.Values[0].Metric = "a" },
		"part":             func(r *Record) { r.Values[0].Part = "a" },
		"stat":             func(r *Record) { r.Values[0].Stat = StatMin },
		"coefficient":      func(r *Record) { r.Values[0].Number.Coefficient++ },
		"exponent":         func(r *Record) { r.Values[0].Number.Exponent++ },
		"value flags":      func(r *Record) { r.Values[0].Flags = FlagEstimated },
		"text":             func(r *Record) { r.Texts[0].Value = "x" },
		"text name":        func(r *Record) { r.Texts[0].Name = "x" },
		"segment track":    func(r *Record) { r.Segments[0].Track = "x" },
		"segment label":    func(r *Record) { r.Segments[0].Label = "x" },
		"segment code":     func(r *Record) { r.Segments[0].Code = "x" },
		"segment start":    func(r *Record) { r.Segments[0].Start.milli-- },
		"segment end":      func(r *Record) { r.Segments[0].End.milli++ },
		"segment value":    func(r *Record) { r.Segments[0].Values[0].Number.Coefficient++ },
		"series metric":    func(r *Record) { r.Series[0].Metric = "x" },
		"series part":      func(r *Record) { r.Series[0].Part = "x" },
		"series stat":      func(r *Record) { r.Series[0].Stat = StatMax },
		"series exponent":  func(r *Record) { r.Series[0].Exp = -3 },
		"series clock":     func(r *Record) { r.Series[0].Floating = true },
		"series from":      func(r *Record) { r.Series[0].From-- },
		"series to":        func(r *Record) { r.Series[0].To++ },
		"point time":       func(r *Record) { r.Series[0].Times[1]++ },
		"point value":      func(r *Record) { r.Series[0].Values[1]++ },
		"dropped segments": func(r *Record) { r.Segments = nil },
		"dropped series":   func(r *Record) { r.Series = nil },
	} {
		changed := goldenRecord()
		change(&changed)
		require.NotEqual(t, want, changed.Fingerprint(), name)
	}
	for name, change := range map[string]func(r *Record){
		"connection": func(r *Record) { r.Connection = "x" },
		"kind":       func(r *Record) { r.Kind = KindBody },
		"key":        func(r *Record) { r.Key = "x/y" },
		"rev":        func(r *Record) { r.Rev = Rev{Order: 1, Mapping: 2, Push: true, Fingerprint: 3} },
		"carried": func(r *Record) {
			r.Origins = []Rev{{Order: 5}}
			r.Values = append(r.Values, Value{Metric: "zz", Flags: FlagSticky, Origin: 1, AsOf: 5})
		},
		"erased": func(r *Record) { r.Erased = Rev{Order: 5} },
	} {
		changed := goldenRecord()
		change(&changed)
		require.Equal(t, want, changed.Fingerprint(), name)
		values, rest := AppendValues(nil, &changed), AppendRest(nil, &changed)
		require.Equal(t, want, Fingerprint(values, rest), name)
		var got Record
		require.NoError(t, DecodeContent(&got, values, rest), name)
		require.Equal(t, undescribed(changed), tidy(got), name)
	}
}

func TestEncodingDoesNotAllocate(t *testing.T) {
	r := goldenRecord()
	values, rest := AppendValues(nil, &r), AppendRest(nil, &r)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		values = AppendValues(values[:0], &r)
		rest = AppendRest(rest[:0], &r)
		r.Fingerprint()
	}))
}

func TestDecodersRefuse(t *testing.T) {
	r := goldenRecord()
	values, rest := AppendValues(nil, &r), AppendRest(nil, &r)
	decode := func(values, rest []byte) error { return DecodeContent(new(Record), values, rest) }

	newer := slices.Clone(rest)
	newer[0]++
	require.ErrorIs(t, decode(values, newer), ErrVersion)
	for cut := range rest {
		require.ErrorIs(t, decode(values, rest[:cut]), ErrCorrupt, "cut at %d", cut)
	}
	require.ErrorIs(t, decode(values, append(slices.Clone(rest), 0)), ErrCorrupt)
	for _, bad := range []string{
		``, `{`, `[]`, `null`, `{} `, `{"a":}`, `{"a":1,}`, `{,}`, `{"a" :1}`, `{"a": 1}`, `{"a":1 }`,
		`{"a":01}`, `{"a":NaN}`, `{"a":1e400}`, `{"a":"1"}`, `{"a":1,"a":2}`, `{"b":1,"a":2}`, `{"":1}`,
		`{"a@":1}`, `{"a.":1}`, `{"a.value":1}`, `{"a.sum":1}`, `{"A":1}`, `{"a b":1}`, `{"a@b@c":1}`, `{"a.mean.max":1}`,
		`{"a":1"b":2}`, `{"a":1}}`, `{"a}`, `{"a"}`, `{"a":1,"b"}`, "{\"a\x00\":1}",
	} {
		require.ErrorIs(t, decode([]byte(bad), AppendRest(nil, &Record{})), ErrCorrupt, bad)
	}

	whole := AppendRecord(nil, &r)
	for cut := range whole {
		_, err := DecodeRecord(whole[:cut])
		require.ErrorIs(t, err, ErrCorrupt, "cut at %d", cut)
	}
	newer = slices.Clone(whole)
	newer[0]++
	_, err := DecodeRecord(newer)
	require.ErrorIs(t, err, ErrVersion)
	_, err = DecodeRecord(append(slices.Clone(whole), 0))
	require.ErrorIs(t, err, ErrCorrupt)
	whole[len(whole)-1] ^= 2 // the last point
	_, err = DecodeRecord(whole)
	require.ErrorIs(t, err, ErrCorrupt, "points that do not fit their digest")
}

func TestPointsRoundTrip(t *testing.T) {
	var used Series
	rapid.Check(t, func(t *rapid.T) {
		s := genSeries().Draw(t, "series")
		s.Metric, s.Part, s.Stat = "", "", 0 // not part of the points
		tail := rapid.SliceOf(rapid.Byte()).Draw(t, "tail")
		b := append(AppendPoints([]byte{7}, &s), tail...)
		rest, err := DecodePoints(b[1:], &used)
		require.NoError(t, err)
		require.Equal(t, len(tail), len(rest))
		require.Equal(t, s.From, used.From)
		require.Equal(t, s.To, used.To)
		require.Equal(t, s.Exp, used.Exp)
		require.Equal(t, s.Floating, used.Floating)
		require.True(t, slices.Equal(s.Times, used.Times))
		require.True(t, slices.Equal(s.Values, used.Values))
	})
}

func TestRegularPointsCostAByte(t *testing.T) {
	b := AppendPoints(nil, benchSeries(true))
	require.Less(t, len(b), 86_400+64)
}

func TestDecodePointsRefuses(t *testing.T) {
	s := goldenRecord().Series[0]
	b := AppendPoints(nil, &s)
	for cut := range b {
		_, err := DecodePoints(b[:cut], new(Series))
		require.ErrorIs(t, err, ErrCorrupt, "cut at %d", cut)
	}
	b[0]++
	_, err := DecodePoints(b, new(Series))
	require.ErrorIs(t, err, ErrVersion)

	for name, b := range map[string][]byte{
		"a billion points":    {1, 0, 0, 0, 0, 0x80, 0x94, 0xeb, 0xdc, 0x03, 0, 3, 0xff, 0x93, 0xeb, 0xdc, 0x03, 0},
		"a step of zero":      {1, 0, 0, 0, 0, 2, 0, 0, 0, 0},
		"a run beyond":        {1, 0, 0, 0, 0, 3, 0, 3, 5, 0, 0, 0},
		"a run of one":        {1, 0, 0, 0, 0, 2, 0, 3, 1, 0, 0},
		"an unknown flag":     {1, 4, 0, 0, 0, 0},
		"a time that overran": {1, 0, 0, 0, 0, 2, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 0, 0},
	} {
		_, err := DecodePoints(b, new(Series))
		require.ErrorIs(t, err, ErrCorrupt, name)
	}
}

func TestSlice(t *testing.T) {
	s := Series{From: 0, To: 100, Times: []int64{0, 10, 20, 30}, Values: []int64{1, 2, 3, 4}}
	for _, c := range []struct {
		from, to, wantFrom, wantTo int64
		want                       []int64
	}{
		{0, 100, 0, 100, []int64{0, 10, 20, 30}},
		{-5, 500, 0, 100, []int64{0, 10, 20, 30}},
		{10, 30, 10, 30, []int64{10, 20}},
		{11, 20, 11, 20, []int64{}},
		{200, 300, 100, 100, []int64{}},
		{50, 20, 50, 50, []int64{}},
	} {
		got := s.Slice(c.from, c.to)
		require.Equal(t, c.wantFrom, got.From)
		require.Equal(t, c.wantTo, got.To)
		require.Equal(t, c.want, got.Times)
		require.Len(t, got.Values, len(c.want))
	}
	head := s.Slice(0, 20)
	_ = append(head.Times, 99)
	require.Equal(t, int64(20), s.Times[2], "appending to a slice leaves the series alone")
}

// MergePoints against a map of points.
func TestMergePointsReplacesTheWindow(t *testing.T) {
	column := func(t *rapid.T, label string) Series {
		from := rapid.Int64Range(0, 50).Draw(t, label+" from")
		s := Series{Metric: "heart_rate", Exp: rapid.Int8Range(-2, 2).Draw(t, label+" exp"), From: from, To: from + rapid.Int64Range(0, 50).Draw(t, label+" length")}
		for at := s.From; at < s.To; at++ {
			if rapid.Bool().Draw(t, label+" there") {
				s.Times = append(s.Times, at)
				s.Values = append(s.Values, rapid.Int64Range(-1e6, 1e6).Draw(t, label+" value"))
			}
		}
		return s
	}
	rapid.Check(t, func(t *rapid.T) {
		old, next := column(t, "old"), column(t, "next")
		got := MergePoints(old, next)
		want := map[int64]Decimal{}
		for i, at := range old.Times {
			if at < next.From || at >= next.To {
				want[at] = old.Number(i).Normalized()
			}
		}
		for i, at := range next.Times {
			want[at] = next.Number(i).Normalized()
		}
		require.True(t, slices.IsSorted(got.Times))
		require.Len(t, got.Times, len(want))
		for i, at := range got.Times {
			require.Equal(t, want[at], got.Number(i).Normalized())
		}
		again := MergePoints(got, next)
		require.Equal(t, got.Times, again.Times)
		if len(next.Times) > 0 {
			require.LessOrEqual(t, got.From, next.Times[0])
			require.Greater(t, got.To, next.Times[len(next.Times)-1])
		}
	})
}

func TestMergePointsOfFarExponents(t *testing.T) {
	old := Series{To: 10, Exp: 0, Times: []int64{1, 2}, Values: []int64{math.MaxInt64, 0}}
	next := Series{From: 5, To: 10, Exp: -2, Times: []int64{5, 6, 7, 8}, Values: []int64{149, 150, 250, -151}}
	got := MergePoints(old, next)
	require.Equal(t, int8(0), got.Exp)
	require.Equal(t, []int64{math.MaxInt64, 0, 1, 2, 2, -2}, got.Values)

	next.Exp, next.Values = -20, []int64{math.MaxInt64, math.MinInt64, 1, 0}
	require.Equal(t, []int64{math.MaxInt64, 0, 0, 0, 0, 0}, MergePoints(old, next).Values)
	next.Exp = -19
	require.Equal(t, []int64{math.MaxInt64, 0, 1, -1, 0, 0}, MergePoints(old, next).Values)
}
