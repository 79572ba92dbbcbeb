package jsonscan

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/vitalmux/vitalmux/health"
)

// MaxDepth is how deep objects and arrays may nest.
const MaxDepth = 64

// Kind is the type of a JSON value.
type Kind uint8

// The kinds.
const (
	Invalid Kind = iota // no value: the walk has failed or the document is at its end
	Null
	Bool
	Number
	String
	Array
	Object
)

// Error is a breach of the grammar. Its text holds nothing of the document.
type Error struct {
	Offset int    // byte offset in the document
	Reason string // a fixed text
}

// Error returns the reason and the offset.
func (e *Error) Error() string { return "json: " + e.Reason + " at byte " + strconv.Itoa(e.Offset) }

// The reasons of errors.
const (
	reasonEnd       = "unexpected end"
	reasonCharacter = "unexpected character"
	reasonControl   = "control character in a string"
	reasonEscape    = "invalid escape"
	reasonDepth     = "nested too deep"
	reasonTrailing  = "data after the document"
)

// Scanner walks one document. The zero Scanner walks the empty document; use
// [New].
type Scanner struct {
	data []byte
	// pos is where the walk stands; at the end of data after a failure, so
	// that looking at the next byte is all that the common case has to check.
	pos     int
	depth   int
	fresh   bool   // a container was entered and no comma is due yet
	escaped bool   // name holds escapes
	name    []byte // of the current member
	text    []byte // room for unescaped strings
	err     *Error
}

// New returns a Scanner at the beginning of data. It keeps data, which must
// not change during the walk.
func New(data []byte) Scanner { return Scanner{data: data} }

// Err returns why the walk failed; nil when it did not.
func (s *Scanner) Err() error {
	if s.err == nil {
		return nil
	}
	return s.err
}

// End reports, like Err, whether the document was well-formed and is at its
// end: only white space may follow.
func (s *Scanner) End() error {
	if s.err == nil {
		s.space()
		if s.pos < len(s.data) {
			s.fail(s.pos, reasonTrailing)
		}
	}
	return s.Err()
}

func (s *Scanner) fail(at int, reason string) {
	if s.err != nil {
		return
	}
	if at >= len(s.data) && reason == reasonCharacter {
		reason = reasonEnd
	}
	s.err = &Error{Offset: at, Reason: reason}
	s.pos = len(s.data)
}

func (s *Scanner) space() {
	for s.pos < len(s.data) && s.data[s.pos] <= ' ' && isSpace[s.data[s.pos]] {
		s.pos++
	}
}

// Kind returns the kind of the next value without consuming it. The kind is
// told by the first byte: reading the value may still fail.
func (s *Scanner) Kind() Kind {
	if s.pos < len(s.data) {
		if k := kinds[s.data[s.pos]]; k != Invalid {
			return k
		}
	}
	return s.kindBehindSpace()
}

func (s *Scanner) kindBehindSpace() Kind {
	if s.err != nil {
		return Invalid
	}
	s.space()
	if s.pos >= len(s.data) {
		s.fail(s.pos, reasonEnd)
		return Invalid
	}
	k := kinds[s.data[s.pos]]
	if k == Invalid {
		s.fail(s.pos, reasonCharacter)
	}
	return k
}

// Object enters an object; walk it with [Scanner.NextMember] to its end. A
// value of another kind is skipped and Object returns false.
func (s *Scanner) Object() bool { return s.enter(Object) }

// Array enters an array; walk it with [Scanner.NextElement] to its end. A
// value of another kind is skipped and Array returns false.
func (s *Scanner) Array() bool { return s.enter(Array) }

func (s *Scanner) enter(kind Kind) bool {
	if s.Kind() != kind {
		s.Skip()
		return false
	}
	if s.depth == MaxDepth {
		s.fail(s.pos, reasonDepth)
		return false
	}
	s.depth++
	s.pos++
	s.fresh = true
	return true
}

// NextMember moves to the next member of the object that was entered last, and
// to its value; [Scanner.Name] returns the name. It returns false at the end
// of the object, which is thereby left, and after a failure. Each value must
// be read or skipped.
func (s *Scanner) NextMember() bool {
	data, p := s.data, s.pos
	if !s.fresh && p+1 < len(data) && data[p] == ',' && data[p+1] == '"' {
		p++
	} else {
		if !s.next('}') {
			return false
		}
		s.space()
		p = s.pos
		if p >= len(data) || data[p] != '"' {
			s.fail(p, reasonCharacter)
			return false
		}
	}
	// Most names are short and plain.
	start, plain := p+1, false
	if start+8 <= len(data) {
		if stop := stops(binary.LittleEndian.Uint64(data[start:])); stop != 0 {
			p = start + bits.TrailingZeros64(stop)>>3
			plain = data[p] == '"'
		}
	}
	if plain {
		p++
		s.escaped = false
	} else {
		end, reason := stringEnd(data, start-1)
		if reason != "" {
			s.fail(end, reason)
			return false
		}
		p = end
		s.escaped = bytes.IndexByte(data[start:end-1], '\\') >= 0
	}
	s.name = data[start : p-1]
	if p < len(data) && data[p] == ':' {
		s.pos = p + 1
		return true
	}
	s.pos = p
	s.space()
	if s.pos >= len(data) || data[s.pos] != ':' {
		s.fail(s.pos, reasonCharacter)
		return false
	}
	s.pos++
	return true
}

// Name returns the name of the current member, unescaped. The bytes are valid
// until the next call of a method.
func (s *Scanner) Name() []byte {
	if !s.escaped {
		return s.name
	}
	s.text, _ = unescape(s.text[:0], s.name, bytes.IndexByte(s.name, '\\'))
	return s.text
}

// NextInt is [Scanner.NextMember] and [Scanner.ReadInt] in one, for what most
// members of dense rows are: a plain name of at most eight bytes and a plain
// integer. It consumes such a member and returns its name, which is valid until
// the next call of a method, and its value. Any other member, and the end of the
// object, it leaves to NextMember and returns false.
func (s *Scanner) NextInt() (name []byte, n int64, ok bool) {
	data, p := s.data, s.pos
	if !s.fresh {
		if p >= len(data) || data[p] != ',' {
			return nil, 0, false
		}
		p++
	}
	if p+len(`"12345678":-`) >= len(data) || data[p] != '"' {
		return nil, 0, false
	}
	p++
	end := p + bits.TrailingZeros64(stops(binary.LittleEndian.Uint64(data[p:])))>>3
	if data[end] != '"' || data[end+1] != ':' {
		return nil, 0, false
	}
	name = data[p:end]
	p = end + 2
	negative := data[p] == '-'
	if negative {
		p++
	}
	first := p
	for p < len(data) && data[p]-'0' <= 9 {
		n = n*10 + int64(data[p]-'0')
		p++
	}
	digits := p - first
	if digits == 0 || digits > 18 || digits > 1 && data[first] == '0' || p == len(data) || data[p] != ',' && data[p] != '}' {
		return nil, 0, false
	}
	s.pos, s.fresh, s.escaped, s.name = p, false, false, name
	if negative {
		n = -n
	}
	return name, n, true
}

// NextElement moves to the next element of the array that was entered last. It
// returns false at the end of the array, which is thereby left, and after a
// failure. Each element must be read or skipped.
func (s *Scanner) NextElement() bool {
	return s.next(']')
}

// next consumes a comma that is due, or the end of the container.
func (s *Scanner) next(closing byte) bool {
	if s.err != nil {
		return false
	}
	s.space()
	if s.pos >= len(s.data) {
		s.fail(s.pos, reasonEnd)
		return false
	}
	c := s.data[s.pos]
	fresh := s.fresh
	s.fresh = false
	switch {
	case c == closing:
		s.pos++
		s.depth--
		return false
	case fresh:
		return true
	case c == ',':
		s.pos++
		return true
	default:
		s.fail(s.pos, reasonCharacter)
		return false
	}
}

// Skip consumes the next value, whatever it is, and holds it to the grammar.
func (s *Scanner) Skip() {
	// A few digits and a comma are the most common value nobody asks for.
	p := s.pos
	for p < len(s.data) && s.data[p]-'0' <= 9 {
		p++
	}
	if p > s.pos && p < len(s.data) && s.data[p] == ',' && (s.data[s.pos] != '0' || p == s.pos+1) {
		s.pos = p
		return
	}
	if s.err != nil {
		return
	}
	end, reason := skip(s.data, s.pos, MaxDepth-s.depth)
	if reason != "" {
		s.fail(end, reason)
		return
	}
	s.pos = end
}

// Raw consumes the next value and returns its bytes, without surrounding white
// space; nil after a failure. It is a slice of the document.
func (s *Scanner) Raw() []byte {
	if s.Kind() == Invalid {
		return nil
	}
	start := s.pos
	s.Skip()
	if s.err != nil {
		return nil
	}
	return s.data[start:s.pos:s.pos]
}

// Decimal consumes a number and returns it exactly. It returns false for a
// value of another kind and for a number that does not fit a [health.Decimal].
func (s *Scanner) Decimal() (health.Decimal, bool) {
	if s.Kind() != Number {
		s.Skip()
		return health.Decimal{}, false
	}
	data, p := s.data, s.pos
	negative := data[p] == '-'
	if negative {
		p++
	}
	first, n := p, int64(0)
	for p < len(data) {
		c := data[p] - '0'
		if c > 9 {
			break
		}
		n = n*10 + int64(c)
		p++
	}
	digits := p - first
	if digits == 0 || digits > 18 || (digits > 1 && data[first] == '0') ||
		(p < len(data) && (data[p] == '.' || data[p]|0x20 == 'e')) {
		return s.longDecimal()
	}
	s.pos = p
	if negative {
		n = -n
	}
	return health.Decimal{Coefficient: n}, true
}

// longDecimal reads the numbers that are not just a few digits.
func (s *Scanner) longDecimal() (health.Decimal, bool) {
	start := s.pos
	end, reason := numberEnd(s.data, start)
	if reason != "" {
		s.fail(end, reason)
		return health.Decimal{}, false
	}
	s.pos = end
	d, err := health.ParseDecimal(s.data[start:end])
	return d, err == nil
}

// Int consumes a number and returns it as an integer: 12, 12.0 and 1.2e1 are
// the same. It returns false for a value of another kind and for a number that
// is no integer or does not fit.
func (s *Scanner) Int() (int64, bool) {
	d, ok := s.Decimal()
	if !ok || d.Exponent == 0 {
		return d.Coefficient, ok
	}
	return d.Rescale(0)
}

// Bool consumes true or false; ok is false for a value of another kind.
func (s *Scanner) Bool() (value, ok bool) {
	if s.Kind() != Bool {
		s.Skip()
		return false, false
	}
	value = s.data[s.pos] == 't'
	s.Skip()
	return value, s.err == nil
}

// Text consumes a string and returns it unescaped; false for a value of
// another kind. Bytes that are not UTF-8 are as they came, and half of a
// surrogate pair is U+FFFD: see Identifier. The bytes are valid until the next
// call of a method.
func (s *Scanner) Text() ([]byte, bool) {
	b, _, ok := s.string()
	return b, ok
}

// Identifier is Text for strings that are compared: it returns false also for
// a string that is not valid UTF-8 or holds half of a surrogate pair, because
// two different ones could look the same.
func (s *Scanner) Identifier() ([]byte, bool) {
	b, whole, ok := s.string()
	if !ok || !whole || !utf8.Valid(b) {
		return nil, false
	}
	return b, true
}

// string consumes a string; whole is false when a surrogate was replaced.
func (s *Scanner) string() (b []byte, whole, ok bool) {
	if s.Kind() != String {
		s.Skip()
		return nil, false, false
	}
	start := s.pos + 1
	end, reason := stringEnd(s.data, s.pos)
	if reason != "" {
		s.fail(end, reason)
		return nil, false, false
	}
	s.pos = end
	b = s.data[start : end-1 : end-1]
	if i := bytes.IndexByte(b, '\\'); i >= 0 {
		s.text, whole = unescape(s.text[:0], b, i)
		return s.text, whole, true
	}
	return b, true, true
}

// Mark is a place in the walk to return to, see [Scanner.Mark].
type Mark struct {
	pos, depth int
	fresh      bool
}

// Mark returns the present place: in front of a value.
func (s *Scanner) Mark() Mark {
	s.space()
	return Mark{pos: s.pos, depth: s.depth, fresh: s.fresh}
}

// Since returns the bytes from m to where the scanner stands: a slice of the
// document.
func (s *Scanner) Since(m Mark) []byte { return s.data[m.pos:s.pos:s.pos] }

// Left returns how many bytes of the document are to come.
func (s *Scanner) Left() int { return len(s.data) - s.pos }

// Return moves back to m, forgetting a failure since.
func (s *Scanner) Return(m Mark) {
	s.pos, s.depth, s.fresh, s.err = m.pos, m.depth, m.fresh, nil
}

// Resync gives up on the object or array at m, the value at which a walk
// failed, and moves behind it: to where its brackets are balanced, strings
// being skipped and everything else ignored. It returns false, with the
// failure as it was, when the value does not begin with a bracket or its end
// cannot be found.
func (s *Scanner) Resync(m Mark) bool {
	if m.pos >= len(s.data) || s.data[m.pos] != '{' && s.data[m.pos] != '[' {
		return false
	}
	open := 0
	for p := m.pos; p < len(s.data); {
		switch s.data[p] {
		case '"':
			end, reason := stringEnd(s.data, p)
			if reason != "" {
				return false
			}
			p = end
			continue
		case '{', '[':
			open++
		case '}', ']':
			open--
		}
		p++
		if open == 0 {
			s.Return(m)
			s.pos, s.fresh = p, false
			return true
		}
	}
	return false
}

// skip returns the end of the value at p, which may nest room deep. On failure
// it returns the offset of the breach and the reason.
func skip(data []byte, p, room int) (end int, reason string) {
	var (
		depth   int
		objects uint64 // bit 0: the innermost open container is an object, bit 1: the one around it, ...
	)
	for {
		for p < len(data) && data[p] <= ' ' && isSpace[data[p]] {
			p++
		}
		if p >= len(data) {
			return p, reasonEnd
		}
		switch kinds[data[p]] {
		case String:
			if p, reason = stringEnd(data, p); reason != "" {
				return p, reason
			}
		case Number:
			// Most numbers are a few digits and nothing else.
			q := p
			for q < len(data) && data[q]-'0' <= 9 {
				q++
			}
			if q == p || data[p] == '0' || q == len(data) || numberPart[data[q]] {
				if q, reason = numberEnd(data, p); reason != "" {
					return q, reason
				}
			}
			p = q
		case Object, Array:
			if depth == room {
				return p, reasonDepth
			}
			object := data[p] == '{'
			p++
			for p < len(data) && data[p] <= ' ' && isSpace[data[p]] {
				p++
			}
			if p >= len(data) {
				return p, reasonEnd
			}
			switch {
			case object && data[p] == '}' || !object && data[p] == ']':
				p++
			case object:
				depth++
				objects = objects<<1 | 1
				if p, reason = nameEnd(data, p); reason != "" {
					return p, reason
				}
				continue
			default:
				depth++
				objects <<= 1
				continue
			}
		case Null, Bool:
			if p, reason = literalEnd(data, p); reason != "" {
				return p, reason
			}
		default:
			return p, reasonCharacter
		}
		for {
			if depth == 0 {
				return p, ""
			}
			for p < len(data) && data[p] <= ' ' && isSpace[data[p]] {
				p++
			}
			if p >= len(data) {
				return p, reasonEnd
			}
			if data[p] == ',' {
				p++
				if objects&1 != 0 {
					for p < len(data) && data[p] <= ' ' && isSpace[data[p]] {
						p++
					}
					if p, reason = nameEnd(data, p); reason != "" {
						return p, reason
					}
				}
				break
			}
			if objects&1 != 0 && data[p] != '}' || objects&1 == 0 && data[p] != ']' {
				return p, reasonCharacter
			}
			p++
			depth--
			objects >>= 1
		}
	}
}

// nameEnd returns the end of a member's name and its colon.
func nameEnd(data []byte, p int) (end int, reason string) {
	if p >= len(data) {
		return p, reasonEnd
	}
	if data[p] != '"' {
		return p, reasonCharacter
	}
	if p, reason = stringEnd(data, p); reason != "" {
		return p, reason
	}
	for p < len(data) && data[p] <= ' ' && isSpace[data[p]] {
		p++
	}
	if p >= len(data) {
		return p, reasonEnd
	}
	if data[p] != ':' {
		return p, reasonCharacter
	}
	return p + 1, ""
}

const (
	everyByte = 0x0101010101010101
	highBits  = 0x8080808080808080
)

// stops marks, by its lowest bit, the first of the eight bytes of w that is a
// quote, a backslash or a control character. It is 0 if there is none.
func stops(w uint64) uint64 {
	quote, slash := w^(everyByte*'"'), w^(everyByte*'\\')
	return ((quote-everyByte)&^quote | (slash-everyByte)&^slash | (w-everyByte*' ')&^w) & highBits
}

// stringEnd returns the offset behind the closing quote of the string whose
// opening quote is at p.
func stringEnd(data []byte, p int) (end int, reason string) {
	p++
	for {
		// Eight bytes at a time.
		for p+8 <= len(data) {
			if stop := stops(binary.LittleEndian.Uint64(data[p:])); stop != 0 {
				p += bits.TrailingZeros64(stop) >> 3
				break
			}
			p += 8
		}
		for p < len(data) && data[p] != '"' && data[p] != '\\' && data[p] >= ' ' {
			p++
		}
		if p >= len(data) {
			return p, reasonEnd
		}
		switch data[p] {
		case '"':
			return p + 1, ""
		case '\\':
			if p+1 >= len(data) {
				return p + 1, reasonEnd
			}
			switch data[p+1] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
				p += 2
			case 'u':
				for i := p + 2; i < p+6; i++ {
					if i >= len(data) {
						return i, reasonEnd
					}
					if !isHex(data[i]) {
						return i, reasonEscape
					}
				}
				p += 6
			default:
				return p + 1, reasonEscape
			}
		default:
			return p, reasonControl
		}
	}
}

// numberEnd returns the end of the number at p.
func numberEnd(data []byte, p int) (end int, reason string) {
	if data[p] == '-' {
		p++
	}
	from := p
	if p < len(data) && data[p] == '0' {
		p++
	} else {
		p = digitsEnd(data, p)
	}
	if p == from {
		return breach(data, p)
	}
	if p < len(data) && data[p] == '.' {
		from = p + 1
		if p = digitsEnd(data, from); p == from {
			return breach(data, p)
		}
	}
	if p < len(data) && data[p]|0x20 == 'e' {
		p++
		if p < len(data) && (data[p] == '+' || data[p] == '-') {
			p++
		}
		from = p
		if p = digitsEnd(data, from); p == from {
			return breach(data, p)
		}
	}
	return p, ""
}

func digitsEnd(data []byte, p int) int {
	for p < len(data) && data[p]-'0' <= 9 {
		p++
	}
	return p
}

func literalEnd(data []byte, p int) (end int, reason string) {
	word := "null"
	switch data[p] {
	case 't':
		word = "true"
	case 'f':
		word = "false"
	}
	for i := range len(word) {
		if p+i >= len(data) || data[p+i] != word[i] {
			return breach(data, p+i)
		}
	}
	return p + len(word), ""
}

func breach(data []byte, p int) (int, string) {
	if p >= len(data) {
		return p, reasonEnd
	}
	return p, reasonCharacter
}

// unescape appends the string b, whose first backslash is at i and whose
// escapes are valid. whole is false when half of a surrogate pair became
// U+FFFD.
func unescape(dst, b []byte, i int) (text []byte, whole bool) {
	whole = true
	dst = append(dst, b[:i]...)
	for i < len(b) {
		if b[i] != '\\' {
			dst = append(dst, b[i])
			i++
			continue
		}
		switch c := b[i+1]; c {
		case 'u':
			r := hexRune(b[i+2:])
			i += 6
			if utf16.IsSurrogate(r) {
				pair := rune(utf8.RuneError)
				if i+6 <= len(b) && b[i] == '\\' && b[i+1] == 'u' {
					pair = utf16.DecodeRune(r, hexRune(b[i+2:]))
				}
				if pair == utf8.RuneError {
					whole = false
				} else {
					i += 6
				}
				r = pair
			}
			dst = utf8.AppendRune(dst, r)
			continue
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		default:
			dst = append(dst, c)
		}
		i += 2
	}
	return dst, whole
}

func hexRune(b []byte) rune {
	var r rune
	for _, c := range b[:4] {
		switch {
		case c <= '9':
			c -= '0'
		default:
			c = c | 0x20 - 'a' + 10
		}
		r = r<<4 | rune(c)
	}
	return r
}

func isHex(c byte) bool { return c-'0' <= 9 || c|0x20-'a' <= 5 }

var isSpace = [math.MaxUint8 + 1]bool{' ': true, '\t': true, '\n': true, '\r': true}

// numberPart holds what may follow the leading digits of a number.
var numberPart = [math.MaxUint8 + 1]bool{'.': true, 'e': true, 'E': true}

var kinds = [math.MaxUint8 + 1]Kind{
	'{': Object, '[': Array, '"': String, '-': Number, 't': Bool, 'f': Bool, 'n': Null,
	'0': Number, '1': Number, '2': Number, '3': Number, '4': Number,
	'5': Number, '6': Number, '7': Number, '8': Number, '9': Number,
}
