package health

import (
	"encoding/binary"
	"math/bits"
)

// The primes of XXH64 (https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md).
const (
	prime1 uint64 = 11400714785074694791
	prime2 uint64 = 14029467366897019727
	prime3 uint64 = 1609587929392839161
	prime4 uint64 = 9650029242287828579
	prime5 uint64 = 2870177450012600261
)

// Digest returns a 64-bit digest of b (XXH64 with seed 0). It is the same in
// every process, on every machine and in every release, and it is not
// cryptographic: it recognises equal content, it does not withstand somebody
// who constructs collisions.
func Digest(b []byte) uint64 { return hashBytes(0, b) }

type lanes struct{ v1, v2, v3, v4 uint64 }

func newLanes(seed uint64) lanes {
	return lanes{seed + prime1 + prime2, seed + prime2, seed, seed - prime1}
}

func (l *lanes) fold() uint64 {
	h := bits.RotateLeft64(l.v1, 1) + bits.RotateLeft64(l.v2, 7) +
		bits.RotateLeft64(l.v3, 12) + bits.RotateLeft64(l.v4, 18)
	h = (h^hashRound(0, l.v1))*prime1 + prime4
	h = (h^hashRound(0, l.v2))*prime1 + prime4
	h = (h^hashRound(0, l.v3))*prime1 + prime4
	return (h^hashRound(0, l.v4))*prime1 + prime4
}

func hashRound(acc, word uint64) uint64 {
	return bits.RotateLeft64(acc+word*prime2, 31) * prime1
}

func hashWord(h, word uint64) uint64 {
	return bits.RotateLeft64(h^hashRound(0, word), 27)*prime1 + prime4
}

func hashEnd(h uint64) uint64 {
	h = (h ^ h>>33) * prime2
	h = (h ^ h>>29) * prime3
	return h ^ h>>32
}

func hashBytes(seed uint64, b []byte) uint64 {
	n := len(b)
	h := seed + prime5
	if n >= 32 {
		l := newLanes(seed)
		for ; len(b) >= 32; b = b[32:] {
			l.v1 = hashRound(l.v1, binary.LittleEndian.Uint64(b[0:8]))
			l.v2 = hashRound(l.v2, binary.LittleEndian.Uint64(b[8:16]))
			l.v3 = hashRound(l.v3, binary.LittleEndian.Uint64(b[16:24]))
			l.v4 = hashRound(l.v4, binary.LittleEndian.Uint64(b[24:32]))
		}
		h = l.fold()
	}
	h += uint64(n)
	for ; len(b) >= 8; b = b[8:] {
		h = hashWord(h, binary.LittleEndian.Uint64(b))
	}
	if len(b) >= 4 {
		h = bits.RotateLeft64(h^uint64(binary.LittleEndian.Uint32(b))*prime1, 23)*prime2 + prime3
		b = b[4:]
	}
	for _, c := range b {
		h = bits.RotateLeft64(h^uint64(c)*prime5, 11) * prime1
	}
	return hashEnd(h)
}

// hashColumn is hashBytes of the little-endian bytes of column, without making
// them.
func hashColumn(seed uint64, column []int64) uint64 {
	n := len(column)
	h := seed + prime5
	if n >= 4 {
		l := newLanes(seed)
		for ; len(column) >= 4; column = column[4:] {
			l.v1 = hashRound(l.v1, uint64(column[0]))
			l.v2 = hashRound(l.v2, uint64(column[1]))
			l.v3 = hashRound(l.v3, uint64(column[2]))
			l.v4 = hashRound(l.v4, uint64(column[3]))
		}
		h = l.fold()
	}
	h += uint64(n) * 8
	for _, word := range column {
		h = hashWord(h, uint64(word))
	}
	return hashEnd(h)
}
