package health

import (
	"math"
	"math/big"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestParseDecimal(t *testing.T) {
	for text, want := range map[string]Decimal{
		"0":                    {0, 0},
		"-0":                   {0, 0},
		"0.000":                {0, -3},
		"56.300":               {56300, -3},
		"-7":                   {-7, 0},
		"12e3":                 {12, 3},
		"1.5E+2":               {15, 1},
		"1e-128":               {1, -128},
		"9223372036854775807":  {math.MaxInt64, 0},
		"-9223372036854775808": {math.MinInt64, 0},
		"9007199254740993":     {9007199254740993, 0},
		"0.30000000000000004":  {30000000000000004, -17},
	} {
		got, err := ParseDecimal(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{
		"", "-", "+1", ".5", "1.", "01", "-01", "1e", "1e+", "1.e1", "NaN", "Infinity", "0x1", "1_0", " 1", "1 ", "1,5",
		"9223372036854775808", "-9223372036854775809", "18446744073709551616", "1e400", "1e-400", "1e128", "1.5e-128", "null",
	} {
		_, err := ParseDecimal(text)
		require.ErrorIs(t, err, ErrDecimal, text)
	}
}

func TestDecimalTextRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := Decimal{rapid.Int64().Draw(t, "coefficient"), rapid.Int8().Draw(t, "exponent")}
		b, err := d.MarshalJSON()
		require.NoError(t, err)
		got, err := ParseDecimal(b)
		require.NoError(t, err)
		require.Equal(t, d, got)
		var quoted Decimal
		require.NoError(t, quoted.UnmarshalJSON([]byte(strconv.Quote(string(b)))))
		require.Equal(t, d, quoted)
	})
	require.ErrorIs(t, new(Decimal).UnmarshalJSON([]byte("null")), ErrDecimal)
}

func exact(d Decimal) *big.Rat {
	r, ok := new(big.Rat).SetString(strconv.FormatInt(d.Coefficient, 10) + "e" + strconv.Itoa(int(d.Exponent)))
	if !ok {
		panic("not a number")
	}
	return r
}

func TestDecimalArithmetic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := Decimal{rapid.Int64().Draw(t, "coefficient"), rapid.Int8Range(-40, 40).Draw(t, "exponent")}
		want, _ := exact(d).Float64()
		require.Equal(t, want, d.Float(), "the nearest float64")
		n := d.Normalized()
		require.Zero(t, exact(n).Cmp(exact(d)))
		require.True(t, d.Equal(n))
		require.False(t, d.Equal(Decimal{n.Coefficient ^ 1, n.Exponent}))

		e := rapid.Int8Range(-40, 40).Draw(t, "to")
		c, ok := d.Rescale(e)
		if ok {
			require.Zero(t, exact(Decimal{c, e}).Cmp(exact(d)))
		} else {
			unit := exact(Decimal{1, e})
			scaled := new(big.Rat).Quo(exact(d), unit)
			require.False(t, scaled.IsInt() && scaled.Num().IsInt64(), "Rescale refuses only what does not fit")
		}
	})
}

func TestDecimalRound(t *testing.T) {
	for _, c := range []struct {
		in   Decimal
		to   int8
		want Decimal
	}{
		{Decimal{12345, -2}, -2, Decimal{12345, -2}},
		{Decimal{12345, -2}, -5, Decimal{12345, -2}},
		{Decimal{12344, -2}, -1, Decimal{1234, -1}},
		{Decimal{12346, -2}, -1, Decimal{1235, -1}},
		{Decimal{25, -1}, 0, Decimal{2, 0}},
		{Decimal{35, -1}, 0, Decimal{4, 0}},
		{Decimal{-25, -1}, 0, Decimal{-2, 0}},
		{Decimal{-35, -1}, 0, Decimal{-4, 0}},
		{Decimal{2501, -3}, 0, Decimal{3, 0}},
		{Decimal{-2501, -3}, 0, Decimal{-3, 0}},
		{Decimal{2499, -3}, 0, Decimal{2, 0}},
		{Decimal{5, -13}, -12, Decimal{0, -12}},
		{Decimal{6, -13}, -12, Decimal{1, -12}},
		{Decimal{-6, -13}, -12, Decimal{-1, -12}},
		{Decimal{51, -14}, -12, Decimal{1, -12}},
		{Decimal{99, -14}, -12, Decimal{1, -12}},
		{Decimal{9, -14}, -12, Decimal{0, -12}},
		{Decimal{72142857142857144, -20}, -12, Decimal{721428571, -12}},
		{Decimal{math.MaxInt64, 0}, 1, Decimal{922337203685477581, 1}},
		{Decimal{math.MinInt64, 0}, 1, Decimal{-922337203685477581, 1}},
		{Decimal{math.MinInt64, -128}, 127, Decimal{0, 127}},
		{Decimal{0, -128}, 0, Decimal{0, 0}},
	} {
		require.Equal(t, c.want, c.in.Round(c.to), "%v to %d", c.in, c.to)
	}
}

// Round returns the nearest number of the exponent, and of two that are as near
// the even one.
func TestDecimalRoundIsNearest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Fives and zeros are what halves are made of.
		coefficient := rapid.OneOf(rapid.Int64(), rapid.Int64Range(-2000, 2000), rapid.Map(rapid.Int64Range(-9_000, 9_000), func(n int64) int64 { return n * 5_000 }))
		d := Decimal{coefficient.Draw(t, "coefficient"), rapid.Int8Range(-40, 40).Draw(t, "exponent")}
		e := rapid.Int8Range(d.Exponent-2, d.Exponent+25).Draw(t, "to")
		got := d.Round(e)
		if e <= d.Exponent {
			require.Equal(t, d, got)
			return
		}
		require.Equal(t, e, got.Exponent)
		off := new(big.Rat).Sub(exact(got), exact(d))
		half := new(big.Rat).Quo(exact(Decimal{1, e}), big.NewRat(2, 1))
		switch off.Abs(off).Cmp(half) {
		case 1:
			t.Fatalf("%v at %d is %v, which is not nearest", d, e, got)
		case 0:
			require.Zero(t, got.Coefficient%2, "%v lies between two, and %v is odd", d, got)
		}
	})
}
