package health

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestParseDay(t *testing.T) {
	for _, text := range []string{"0001-01-01", "1969-12-31", "2024-02-29", "2000-02-29", "9999-12-31"} {
		d, err := ParseDay(text)
		require.NoError(t, err, text)
		require.Equal(t, text, d.String())
	}
	for _, text := range []string{
		"", "2026-2-3", "2026-02-30", "2025-02-29", "1900-02-29", "2026-00-01", "2026-13-01", "2026-01-00", "2026-01-32",
		"0000-01-01", "2026/01/02", "2026-01-02T", "-026-01-02", "+026-01-02", "2026-01-0x", "20260102",
	} {
		_, err := ParseDay(text)
		require.ErrorIs(t, err, ErrDay, text)
	}
	var d Day
	require.Empty(t, d.String())
	require.True(t, d.IsZero())
}

func TestDayArithmetic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.IntRange(-719162, 2932896) // 0001-01-01 .. 9999-12-31
		a, b := number.Draw(t, "a"), number.Draw(t, "b")
		epoch := Day{1970, 1, 1}
		x, y := epoch.Add(a), epoch.Add(b)
		require.Equal(t, a, x.Number())
		require.Equal(t, DayOf(time.Unix(int64(a)*86400, 0).UTC()), x)
		require.Equal(t, y, x.Add(b-a))
		switch {
		case a < b:
			require.Equal(t, -1, x.Compare(y))
		case a > b:
			require.Equal(t, 1, x.Compare(y))
		default:
			require.Zero(t, x.Compare(y))
		}
		text, err := x.MarshalText()
		require.NoError(t, err)
		var got Day
		require.NoError(t, got.UnmarshalText(text))
		require.Equal(t, x, got)
	})
}
