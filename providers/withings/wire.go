package withings

import (
	"cmp"
	"math/bits"

	"github.com/vitalmux/vitalmux/internal/jsonscan"
)

// truth reads a bool, or a number or string of 0 or 1.
func truth(s *jsonscan.Scanner) (bool, jsonscan.Verdict) {
	if s.Kind() == jsonscan.Bool {
		return s.ReadBool()
	}
	n, v := s.ReadInt()
	if v == jsonscan.OK && n != 0 && n != 1 {
		return false, jsonscan.Bad
	}
	return n == 1, v
}

// members keeps watch over the members of one object: which were there, which
// have a value, which could not be read, whether one was there twice. Bit i is
// the i-th member the decoder knows.
type members struct {
	seen, got, bad uint64
	twice          bool
}

// meet notes the i-th member.
func (m *members) meet(i uint) {
	m.twice = m.twice || m.seen&(1<<i) != 0
	m.seen |= 1 << i
}

// judge notes how reading the i-th member went.
func (m *members) judge(i uint, v jsonscan.Verdict) {
	switch v {
	case jsonscan.Bad:
		m.bad |= 1 << i
	case jsonscan.OK:
		m.got |= 1 << i
	}
}

// has reports whether the i-th member has a value.
func (m *members) has(i uint) bool { return m.got&(1<<i) != 0 }

func (m *members) integer(s *jsonscan.Scanner, i uint) int64 {
	m.meet(i)
	n, v := s.ReadInt()
	m.judge(i, v)
	return n
}

func (m *members) truth(s *jsonscan.Scanner, i uint) bool {
	m.meet(i)
	b, v := truth(s)
	m.judge(i, v)
	return b
}

func (m *members) identifier(s *jsonscan.Scanner, i uint, in *interner) string {
	m.meet(i)
	b, v := s.ReadIdentifier()
	m.judge(i, v)
	return in.text(b)
}

func (m *members) word(s *jsonscan.Scanner, i uint, in *interner) string {
	m.meet(i)
	b, v := s.ReadWord()
	m.judge(i, v)
	return in.text(b)
}

// modelID reads the number of a device model, which the service writes as modelid
// or as model_id, or as both. They are the i-th member and the next; known is what
// the other one said.
func (m *members) modelID(s *jsonscan.Scanner, i uint, known int64) int64 {
	if string(s.Name()) == "model_id" {
		i++
	}
	return cmp.Or(m.integer(s, i), known)
}

// firstBad returns the lowest bit that could not be read, among those of mask.
func (m *members) firstBad(mask uint64) (i int, ok bool) {
	i = bits.TrailingZeros64(m.bad & mask)
	return i, i < 64
}

// interner makes one string of equal texts, of which a page has few.
type interner struct {
	last string
	all  map[string]string
}

// maxInterned bounds how many texts of a page are remembered.
const maxInterned = 1024

func (in *interner) text(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if in.last == string(b) {
		return in.last
	}
	s, ok := in.all[string(b)]
	if !ok {
		s = string(b)
		if in.all == nil {
			in.all = make(map[string]string)
		}
		if len(in.all) < maxInterned {
			in.all[s] = s
		}
	}
	in.last = s
	return s
}

// slab hands out slices cut from larger ones, so that a page of many small
// records costs few allocations. One slice is under way at a time.
type slab[T any] struct{ free []T }

const (
	slabSize = 1024
	slabRoom = 32 // below this a slab is used up
)

// begin returns an empty slice to append to.
func (s *slab[T]) begin() []T {
	if cap(s.free) < slabRoom {
		s.free = make([]T, 0, slabSize)
	}
	return s.free[:0]
}

// take ends what begin began and returns list, so that it cannot grow into what
// comes next; nil for an empty list.
func (s *slab[T]) take(list []T) []T {
	n := len(list)
	if n == 0 {
		return nil
	}
	if n <= cap(s.free) && &list[0] == &s.free[:1][0] {
		s.free = s.free[n:n]
	}
	return list[:n:n]
}
