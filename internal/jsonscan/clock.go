package jsonscan

import "encoding/binary"

// ClockReading consumes the next value if it is an object of exactly the form
//
//	{"time":"15:04:05","value":72}
//
// without white space, with a time of day that a clock shows and a value of one
// to nine digits, and returns the time in seconds since midnight and the value.
// Anything else is not consumed, and ok is false: the caller reads it member by
// member. Dense answers of wearable services are a hundred thousand of these.
func (s *Scanner) ClockReading() (second, value int64, ok bool) {
	const (
		head     = len(`{"time":"`)
		clock    = head + len("15:04:05")
		digits   = clock + len(`","value":`)
		shortest = digits + len("0}")
	)
	data := s.data[s.pos:]
	if len(data) < shortest ||
		binary.LittleEndian.Uint64(data) != headWord || data[head-1] != '"' ||
		binary.LittleEndian.Uint64(data[clock:]) != valueWord || data[digits-2] != '"' || data[digits-1] != ':' {
		return 0, 0, false
	}
	t := data[head:clock:clock]
	h1, h0 := uint64(t[0]-'0'), uint64(t[1]-'0')
	m1, m0 := uint64(t[3]-'0'), uint64(t[4]-'0')
	s1, s0 := uint64(t[6]-'0'), uint64(t[7]-'0')
	hour := h1*10 + h0
	if h0 > 9 || h1 > 2 || hour > 23 || m1 > 5 || m0 > 9 || s1 > 5 || s0 > 9 || t[2] != ':' || t[5] != ':' {
		return 0, 0, false
	}
	p, n := digits, uint64(0)
	for p < len(data) && p <= digits+9 {
		c := uint64(data[p] - '0')
		if c > 9 {
			break
		}
		n = n*10 + c
		p++
	}
	if p == digits || p > digits+9 || p == len(data) || data[p] != '}' || data[digits] == '0' && p > digits+1 {
		return 0, 0, false
	}
	s.pos += p + 1
	return int64(hour*3600 + (m1*10+m0)*60 + s1*10 + s0), int64(n), true
}

// The constant parts of a reading, as they are loaded eight bytes at a time.
const (
	headWord  = '{' | '"'<<8 | 't'<<16 | 'i'<<24 | 'm'<<32 | 'e'<<40 | '"'<<48 | ':'<<56
	valueWord = '"' | ','<<8 | '"'<<16 | 'v'<<24 | 'a'<<32 | 'l'<<40 | 'u'<<48 | 'e'<<56
)
