package health

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// mergedRecord has all the bookkeeping of merges.
func mergedRecord() Record {
	sticky := goldenRecord()
	sticky.Rev.Order -= 1000
	sticky.Values = append(sticky.Values, Value{Metric: "strain", Part: "x", Number: Decimal{1, -30}, Flags: FlagSticky})
	gone := Record{State: StateDeleted, Rev: Rev{Order: 5}}
	r := goldenRecord()
	r, _, _ = Merge(&r, &gone)
	r, _, _ = Merge(&r, &sticky)
	return r
}

func FuzzDecodeRecord(f *testing.F) {
	golden, merged := goldenRecord(), mergedRecord()
	f.Add(AppendRecord(nil, &golden))
	f.Add(AppendRecord(nil, &merged))
	f.Add(AppendRecord(nil, &Record{}))
	f.Add([]byte{recordVersion + 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := DecodeRecord(b)
		if err != nil {
			requireDecodeError(t, err)
			return
		}
		again, err := DecodeRecord(AppendRecord(nil, &r))
		require.NoError(t, err)
		require.Equal(t, tidy(r), tidy(again))
		require.Equal(t, r.Fingerprint(), again.Fingerprint())
	})
}

func FuzzDecodeContent(f *testing.F) {
	for _, r := range []Record{goldenRecord(), mergedRecord(), {}} {
		f.Add(AppendValues(nil, &r), AppendRest(nil, &r))
	}
	f.Add([]byte(`{"a":1}`), []byte{restVersion + 1, 0})
	f.Fuzz(func(t *testing.T, values, rest []byte) {
		Fingerprint(values, rest)
		PlainRest(rest)
		var r Record
		if err := DecodeContent(&r, values, rest); err != nil {
			requireDecodeError(t, err)
			return
		}
		require.Equal(t, r.Plain(), PlainRest(rest))
		canonicalValues, canonicalRest := AppendValues(nil, &r), AppendRest(nil, &r)
		again := goldenRecord() // what was there before must not matter
		require.NoError(t, DecodeContent(&again, canonicalValues, canonicalRest))
		require.Equal(t, undescribed(r), undescribed(again))
		require.Equal(t, Fingerprint(canonicalValues, canonicalRest), r.Fingerprint())
	})
}

func FuzzDecodePoints(f *testing.F) {
	golden := goldenRecord().Series[0]
	f.Add(AppendPoints(nil, &golden))
	f.Add(AppendPoints(nil, &Series{}))
	f.Add(AppendPoints([]byte{}, &Series{To: 9, Times: []int64{1, 2, 3, 4, 5, 6, 7, 8}, Values: make([]int64, 8)}))
	f.Add([]byte{pointsVersion + 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		var s Series
		rest, err := DecodePoints(b, &s)
		if err != nil {
			requireDecodeError(t, err)
			return
		}
		require.LessOrEqual(t, len(rest), len(b))
		require.LessOrEqual(t, cap(s.Times), 2*len(b)+8, "allocation is bounded by the input")
		require.Len(t, s.Values, len(s.Times))
		for i := 1; i < len(s.Times); i++ {
			require.Less(t, s.Times[i-1], s.Times[i])
		}
		var again Series
		rest, err = DecodePoints(AppendPoints(nil, &s), &again)
		require.NoError(t, err)
		require.Empty(t, rest)
		require.True(t, slices.Equal(s.Times, again.Times) && slices.Equal(s.Values, again.Values))
		require.Equal(t, s.Describe(), again.Describe())
	})
}

func requireDecodeError(t *testing.T, err error) {
	t.Helper()
	if err != ErrCorrupt && err != ErrVersion {
		t.Fatal(err)
	}
}

func FuzzParseDecimal(f *testing.F) {
	for _, text := range []string{"0", "-0", "56.300", "-7", "12e3", "1e-128", "9223372036854775807", "-9223372036854775808", "1E+2", "0.000000000000000000001", "1e400", "NaN", "01", "1."} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ParseDecimal(text)
		same, errBytes := ParseDecimal([]byte(text))
		require.Equal(t, d, same)
		require.Equal(t, err, errBytes)
		if err != nil {
			require.Equal(t, ErrDecimal, err)
			return
		}
		again, err := ParseDecimal(d.String())
		require.NoError(t, err)
		require.Equal(t, d, again)
		require.True(t, d.Equal(d.Normalized()))
		if c, ok := d.Rescale(d.Exponent); !ok || c != d.Coefficient {
			t.Fatal("rescaling to the own exponent changes the number")
		}
	})
}

func FuzzParseMoment(f *testing.F) {
	for _, text := range []string{
		"2026-01-02T03:04:05Z", "2026-01-02 03:04:05.1239 +0200", "2026-01-02T03:04", "2016-12-31T23:59:60Z",
		"2026-02-30T00:00:00", "0001-01-01T00:00:00+18:00", "9999-12-31T23:59:59-18:00", "2026-01-02T03:04:05-00:44:30",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, _, err := ParseMoment(text)
		if err != nil {
			require.Equal(t, ErrTime, err)
			require.Equal(t, Moment{}, m)
			return
		}
		printed, err := m.MarshalText()
		require.NoError(t, err)
		var again Moment
		require.NoError(t, again.UnmarshalText(printed))
		require.Equal(t, m, again)
	})
}
