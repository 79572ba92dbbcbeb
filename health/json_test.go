package health

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestRecordJSONRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := genRecord().Draw(t, "record")
		if rapid.Bool().Draw(t, "merged") && len(r.Values) > 0 && r.State == StateLive {
			r.Rev.Fingerprint = rapid.Uint64().Draw(t, "fingerprint")
			r.Origins = []Rev{{Order: 4, Mapping: 2, Push: true, Fingerprint: math.MaxUint64}}
			r.Erased = Rev{Order: 3, Absent: true, Fingerprint: 1}
			r.Values[0].Origin, r.Values[0].AsOf = 1, 4
		}
		for i := range r.Series {
			if rapid.Bool().Draw(t, "described") {
				r.Series[i] = r.Series[i].Describe()
			}
		}
		b, err := json.Marshal(r)
		require.NoError(t, err)
		var got Record
		require.NoError(t, json.Unmarshal(b, &got))
		require.Equal(t, r, tidy(got))
	})
}

func TestRecordJSONShape(t *testing.T) {
	r := Record{
		Kind: KindBody, Key: "measures/42", Method: MethodSensed,
		Rev:  Rev{Order: 1767340800000, Mapping: 1, Fingerprint: math.MaxUint64},
		Span: Span{Start: Zoned(1767308400000, 3600), Zone: ZoneFromRecord},
		Values: []Value{
			{Metric: "body_weight", Number: Decimal{56300, -3}},
			{Metric: "fat_mass", Part: "left_arm", Stat: StatMean, Number: Int(1), Flags: FlagSticky | FlagEstimated},
		},
	}
	b, err := json.Marshal(r)
	require.NoError(t, err)
	require.JSONEq(t, `{
		"kind": "body", "key": "measures/42", "state": "live", "method": "sensed",
		"rev": {"order": 1767340800000, "mapping": 1, "fingerprint": "18446744073709551615"},
		"span": {"start": "2026-01-02T00:00:00.000+01:00", "zone": "record"},
		"values": [
			{"metric": "body_weight", "stat": "value", "number": 56.300},
			{"metric": "fat_mass", "part": "left_arm", "stat": "mean", "number": 1, "flags": "estimated,sticky"}
		]
	}`, string(b))
	require.Contains(t, string(b), `"number":56.300`)
}

func TestTextForms(t *testing.T) {
	for s := range statCount {
		var got Stat
		roundTrip(t, s, &got)
	}
	for m := range methodCount {
		var got Method
		roundTrip(t, m, &got)
	}
	for z := range zoneCount {
		var got Zone
		roundTrip(t, z, &got)
	}
	for s := range StateDeleted + 1 {
		var got State
		roundTrip(t, s, &got)
	}
	for f := range 1 << 8 {
		var got Flags
		roundTrip(t, Flags(f), &got)
	}
	for _, bad := range []interface{ MarshalText() ([]byte, error) }{statCount, methodCount, zoneCount, State(2)} {
		_, err := bad.MarshalText()
		require.ErrorIs(t, err, ErrName)
	}
	for _, text := range []string{"", "x", "Mean", "mean,max"} {
		require.ErrorIs(t, new(Stat).UnmarshalText([]byte(text)), ErrName)
		require.ErrorIs(t, new(Method).UnmarshalText([]byte(text)), ErrName)
		require.ErrorIs(t, new(Zone).UnmarshalText([]byte(text)), ErrName)
		require.ErrorIs(t, new(State).UnmarshalText([]byte(text)), ErrName)
	}
	for _, text := range []string{",", "sticky,", "x", "sticky,,scaled"} {
		require.ErrorIs(t, new(Flags).UnmarshalText([]byte(text)), ErrName)
	}
}

type named interface {
	comparable
	MarshalText() ([]byte, error)
	String() string
}

func roundTrip[T named, P interface {
	*T
	UnmarshalText([]byte) error
}](t *testing.T, v T, got P) {
	t.Helper()
	b, err := v.MarshalText()
	require.NoError(t, err)
	require.Equal(t, v.String(), string(b))
	require.NoError(t, got.UnmarshalText(b))
	require.Equal(t, v, *got)
}
