package health

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestParseMoment(t *testing.T) {
	const wall = int64(1767323045000) // 2026-01-02T03:04:05 of the wall clock
	for text, want := range map[string]Moment{
		"2026-01-02T03:04:05Z":                 Instant(wall),
		"2026-01-02t03:04:05z":                 Instant(wall),
		"2026-01-02T03:04:05-00:00":            Instant(wall),
		"2026-01-02T03:04:05":                  Floating(wall),
		"2026-01-02 03:04:05":                  Floating(wall),
		"2026-01-02T03:04":                     Floating(wall - 5000),
		"2026-01-02T03:04+02":                  Zoned(wall-5000-7_200_000, 7200),
		"2026-01-02T03:04:05.1":                Floating(wall + 100),
		"2026-01-02T03:04:05,12":               Floating(wall + 120),
		"2026-01-02T03:04:05.1239":             Floating(wall + 123),
		"2026-01-02T03:04:05.123999999999Z":    Instant(wall + 123),
		"2026-01-02T03:04:05+00:00":            Zoned(wall, 0),
		"2026-01-02T03:04:05+02:00":            Zoned(wall-7_200_000, 7200),
		"2026-01-02T03:04:05.000000+02:00":     Zoned(wall-7_200_000, 7200),
		"2026-01-02T03:04:05+0200":             Zoned(wall-7_200_000, 7200),
		"2026-01-02 03:04:05 +0200":            Zoned(wall-7_200_000, 7200),
		"2026-01-02T03:04:05-03:30":            Zoned(wall+12_600_000, -12600),
		"2026-01-02T03:04:05+18:00":            Zoned(wall-64_800_000, 64800),
		"2026-01-02T03:04:05-00:44:30":         Zoned(wall+2_670_000, -2670),
		"2026-01-02T03:04:05-004430":           Zoned(wall+2_670_000, -2670),
		"0001-01-01T00:00:00Z":                 Instant(-62135596800000),
		"9999-12-31T23:59:59.999":              Floating(253402300799999),
		"2024-02-29T00:00:00":                  Floating(1709164800000),
		"2026-01-02T03:04:05.00000000000000Z":  Instant(wall),
		"2026-01-02T03:04:05.9999999999+00:00": Zoned(wall+999, 0),
	} {
		got, flags, err := ParseMoment(text)
		require.NoError(t, err, text)
		require.Zero(t, flags, text)
		require.Equal(t, want, got, text)
	}

	got, flags, err := ParseMoment("2016-12-31T23:59:60.25Z")
	require.NoError(t, err)
	require.Equal(t, FlagNonexistent, flags)
	require.Equal(t, "2016-12-31T23:59:59.250Z", got.String())

	for _, text := range []string{
		"", "2026", "2026-01-02", "2026-01-02T", "2026-01-02T03", "2026-01-02T03:0", "20260102T030405Z",
		"2026-02-30T00:00:00Z", "2025-02-29T00:00:00", "2026-13-01T00:00:00", "2026-00-01T00:00:00", "0000-01-01T00:00:00Z",
		"2026-01-02T24:00:00Z", "2026-01-02T23:60:00Z", "2026-01-02T23:00:61Z", "2026-01-02T3:04:05Z", "2026-01-02X03:04:05Z",
		"2026-01-02T03:04:05.Z", "2026-01-02T03:04:05.", "2026-01-02T03:04:5Z", "2026-01-02T03:04:05 ", "2026-01-02T03:04:05 Z",
		"2026-01-02T03:04:05+24:00", "2026-01-02T03:04:05+18:01", "2026-01-02T03:04:05-18:00:01", "2026-01-02T03:04:05+02:60",
		"2026-01-02T03:04:05+2", "2026-01-02T03:04:05+02:", "2026-01-02T03:04:05+02:0", "2026-01-02T03:04:05+02:000", "2026-01-02T03:04:05+02:00:00:00",
		"2026-01-02T03:04:05UTC", "2026-01-02T03:04:05ZZ", "2026-01-02T03:04:05Z+01:00", " 2026-01-02T03:04:05Z", "+026-01-02T03:04:05Z",
		"2026-01-02T03:04:05\u22120200",
	} {
		_, _, err := ParseMoment(text)
		require.ErrorIs(t, err, ErrTime, text)
	}
}

func TestMomentTextRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := genMoment().Draw(t, "moment")
		b, err := m.MarshalText()
		require.NoError(t, err)
		var got Moment
		require.NoError(t, got.UnmarshalText(b))
		require.Equal(t, m, got)
	})
	var m Moment
	b, err := m.MarshalText()
	require.NoError(t, err)
	require.Empty(t, b)
	m = Instant(1)
	require.NoError(t, m.UnmarshalText(b))
	require.True(t, m.IsZero())

	for _, m := range []Moment{Instant(1 << 60), Floating(-1 << 60), Zoned(0, 19*3600), Zoned(0, -19*3600)} {
		_, err := m.MarshalText()
		require.ErrorIs(t, err, ErrTime)
		require.Empty(t, m.String())
	}
	require.ErrorIs(t, m.UnmarshalText([]byte("2016-12-31T23:59:60Z")), ErrTime)
	require.ErrorIs(t, m.UnmarshalText([]byte("yesterday")), ErrTime)
}

func TestUnixSeconds(t *testing.T) {
	now := testNow.Unix()
	for _, c := range []struct {
		n     int64
		want  int64 // milliseconds; 0 is an error
		flags Flags
	}{
		{now, now * 1000, 0},
		{631152000, 631152000000, 0},
		{631151999, 0, 0},
		{now + 2*86400, (now + 2*86400) * 1000, 0},
		{now + 2*86400 + 1, 0, 0},
		{now*1000 + 7, now*1000 + 7, FlagScaled},
		{(now + 3*86400) * 1000, 0, 0},
		{631152000000, 631152000000, FlagScaled},
		{0, 0, 0}, {-1, 0, 0}, {146138514283, 0, 0}, {1 << 62, 0, 0}, {-1 << 63, 0, 0},
	} {
		m, flags, err := UnixSeconds(c.n, testNow)
		if c.want == 0 {
			require.ErrorIs(t, err, ErrTime, c.n)
			continue
		}
		require.NoError(t, err, c.n)
		require.Equal(t, Instant(c.want), m, c.n)
		require.Equal(t, c.flags, flags, c.n)
	}
}

func TestMomentForms(t *testing.T) {
	berlin := time.FixedZone("", 3600)
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_900_000, berlin)
	m := At(at)
	milli, ok := m.UnixMilli()
	require.True(t, ok)
	require.Equal(t, at.UnixMilli(), milli)
	wall, ok := m.WallMilli()
	require.True(t, ok)
	require.Equal(t, at.UnixMilli()+3_600_000, wall)
	back, ok := m.Time()
	require.True(t, ok)
	require.True(t, back.Equal(at.Truncate(time.Millisecond)))
	_, offset := back.Zone()
	require.Equal(t, 3600, offset)

	_, ok = Floating(5).UnixMilli()
	require.False(t, ok)
	_, ok = Floating(5).Time()
	require.False(t, ok)
	_, ok = Instant(5).WallMilli()
	require.False(t, ok)
	_, ok = Instant(5).Offset()
	require.False(t, ok)
}

func TestNamesAndAccessors(t *testing.T) {
	stat, ok := ParseStat("median")
	require.True(t, ok)
	require.Equal(t, StatMedian, stat)
	_, ok = ParseStat("mode")
	require.False(t, ok)
	require.Equal(t, []string{"keep", "touch", "replace"}, []string{Keep.String(), Touch.String(), Replace.String()})
	require.Equal(t, "unknown", statCount.String())

	r := Record{Key: "sleep/2026/1"}
	require.Equal(t, "sleep", r.Stream())
	s := Series{Exp: -1, Times: []int64{5}, Values: []int64{365}}
	require.Equal(t, 36.5, s.Float(0))
	require.True(t, Window{}.IsZero())
	require.True(t, Window{First: Day{2026, 1, 2}, Last: Day{2026, 1, 2}}.Days())
	require.False(t, Window{From: testNow, To: testNow}.Days())
}
