package health

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/proof"
)

// TestNumbersAreExact takes random numbers with random exponents, and the ends
// of the integers with all of them, through every form that a number has: text,
// JSON, the bytes of a record, and points. No digit changes.
func TestNumbersAreExact(t *testing.T) {
	const total, perRecord = 100_000, 50
	proof.Row(t, "S8", proof.Counts{"numbers": total})
	random := rand.New(rand.NewPCG(proof.Seed(t), 8))
	var numbers []Decimal
	for _, edge := range []int64{
		0, 1, 1<<53 - 1, 1 << 53, 1<<53 + 1, -(1<<53 - 1), -(1 << 53), -(1<<53 + 1), math.MaxInt64, math.MaxInt64 - 1, math.MinInt64, math.MinInt64 + 1,
	} {
		for exponent := int8(-MaxExponent); exponent <= MaxExponent; exponent++ {
			numbers = append(numbers, Decimal{edge, exponent})
		}
	}
	for len(numbers) < total {
		numbers = append(numbers, Decimal{int64(random.Uint64()) >> random.IntN(64), int8(random.IntN(2*MaxExponent+1) - MaxExponent)})
	}
	for _, n := range numbers {
		parsed, err := ParseDecimal(n.String())
		require.NoError(t, err)
		text, err := json.Marshal(n)
		require.NoError(t, err)
		var decoded Decimal
		require.NoError(t, json.Unmarshal(text, &decoded))
		if !parsed.Equal(n) || !decoded.Equal(n) {
			require.Equal(t, n, parsed, "%s %s", n, text)
		}
	}
	for from := 0; from < len(numbers); from += perRecord {
		part := numbers[from:min(from+perRecord, len(numbers))]
		r := goldenRecord()
		r.Values, r.Segments, r.Series = nil, nil, []Series{{Metric: "heart_rate", From: 0, To: int64(len(part)), Times: nil}}
		s := &r.Series[0]
		for i, n := range part {
			r.Values = append(r.Values, Value{Metric: "x", Part: Part(rune('a'+i/26)) + Part(rune('a'+i%26)), Number: n})
			s.Times, s.Values = append(s.Times, int64(i)), append(s.Values, n.Coefficient)
		}
		back, err := DecodeRecord(AppendRecord(nil, &r))
		require.NoError(t, err)
		require.Len(t, back.Values, len(part))
		for i, n := range part {
			if back.Values[i].Number != n {
				require.Equal(t, n, back.Values[i].Number)
			}
		}
		var points Series
		_, err = DecodePoints(AppendPoints(nil, s), &points)
		require.NoError(t, err)
		require.Equal(t, s.Values, points.Values)
	}
}
