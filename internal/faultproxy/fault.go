package faultproxy

import (
	"math/rand/v2"
	"time"
)

// Fault is what happens to one connection. The zero Fault is none.
type Fault struct {
	// At is where the connection is broken, Bytes after how many bytes passed
	// in that direction: 0 is when the first one arrives, before it is passed
	// on.
	At    Point
	Bytes int64
	How   How
	// Latency is waited before each piece is passed on, in both directions,
	// and up to Jitter more.
	Latency, Jitter time.Duration
	// Rate is how many bytes pass per second in each direction, 0 any number.
	Rate int
	// Slice is the most bytes that are passed on in one write, 0 any number.
	Slice int
}

// Point is a place in the life of a connection.
type Point int

// The places.
const (
	Never      Point = iota
	OnConnect        // when the client has connected
	InRequest        // in what the client sends
	InReply          // in what the target sends
	AfterReply       // when the client sends again after the target replied
)

// How says in what way a connection breaks.
type How int

// The ways.
const (
	Close How = iota // an orderly end, for both sides
	Reset            // the client sees a reset
	Hang             // the connection stays open, nothing passes any more
)

// Plan returns the fault of the nth connection, counted from 0. Its random
// numbers depend on the proxy's seed and n only.
type Plan func(n int, random *rand.Rand) Fault

// Script gives the first connections these faults and the others none.
func Script(faults ...Fault) Plan {
	return func(n int, _ *rand.Rand) Fault {
		if n < len(faults) {
			return faults[n]
		}
		return Fault{}
	}
}

// Any draws one fault out of all kinds: breaks at every place and in every way,
// within the first 512 bytes, and delays of up to a fifth of a second. It is a
// Plan for those who do not mind hanging until their own deadline.
func Any(_ int, random *rand.Rand) Fault {
	var f Fault
	switch random.IntN(4) {
	case 0:
		f.Latency = time.Duration(random.Int64N(int64(100 * time.Millisecond)))
		f.Jitter = time.Duration(random.Int64N(int64(100 * time.Millisecond)))
	case 1:
		f.Slice = 1 + random.IntN(64)
	case 2:
		f.Rate = 4096 << random.IntN(8)
	default:
		f.At = OnConnect + Point(random.IntN(int(AfterReply)))
		f.How = How(random.IntN(3))
		if (f.At == InRequest || f.At == InReply) && random.IntN(2) == 0 {
			f.Bytes = 1 + random.Int64N(512)
		}
	}
	return f
}
