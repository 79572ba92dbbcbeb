package health

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The sanity buffer and its digests are those of the reference implementation.
func TestHashMatchesPublishedVectors(t *testing.T) {
	sanity := make([]byte, 222)
	gen := uint64(2654435761)
	for i := range sanity {
		sanity[i] = byte(gen >> 56)
		gen *= 11400714785074694797
	}
	const seed = 2654435761
	for _, c := range []struct {
		n    int
		seed uint64
		want uint64
	}{
		{0, 0, 0xEF46DB3751D8E999},
		{0, seed, 0xAC75FDA2929B17EF},
		{1, 0, 0xE934A84ADB052768},
		{1, seed, 0x5014607643A9B4C3},
		{4, 0, 0x9136A0DCA57457EE},
		{14, 0, 0x8282DCC4994E35C8},
		{14, seed, 0xC3BD6BF63DEB6DF0},
		{222, 0, 0xB641AE8CB691C174},
		{222, seed, 0x20CB8AB7AE10C14A},
	} {
		require.Equalf(t, c.want, hashBytes(c.seed, sanity[:c.n]), "%d bytes, seed %d", c.n, c.seed)
	}
	for text, want := range map[string]uint64{
		"a":   0xD24EC4F1A98C6E5B,
		"abc": 0x44BC2CF5AD770999,
		"Nobody inspects the spammish repetition": 0xFBCEA83C8A378BF1,
	} {
		require.Equal(t, want, Digest([]byte(text)), text)
	}
}

func TestHashOfColumnIsHashOfItsBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		column := rapid.SliceOfN(rapid.Int64(), 0, 40).Draw(t, "column")
		seed := rapid.Uint64().Draw(t, "seed")
		var b []byte
		for _, v := range column {
			b = binary.LittleEndian.AppendUint64(b, uint64(v))
		}
		require.Equal(t, hashBytes(seed, b), hashColumn(seed, column))
	})
}

func BenchmarkHashColumn(b *testing.B) {
	column := make([]int64, 86_400)
	for i := range column {
		column[i] = int64(i) * 1000
	}
	b.SetBytes(int64(8 * len(column)))
	for b.Loop() {
		hashColumn(0, column)
	}
}
