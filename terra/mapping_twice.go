package terra

import (
	"bytes"

	"github.com/vitalmux/vitalmux/internal/jsonscan"
)

// hasTwice reports whether an object of a document that a plan describes has a
// member twice, of which nobody knows which one is meant. The document is JSON
// that was decoded before. Members that are not known are not looked into, and
// samples are when they are read.
func hasTwice(doc []byte, p *plan) bool {
	w := twiceWalk{doc: doc}
	w.value(p)
	return w.twice
}

type twiceWalk struct {
	doc   []byte
	at    int
	twice bool
}

func (w *twiceWalk) value(p *plan) {
	c := w.look()
	for p.elem != nil && c != '[' { // a pointer
		p = p.elem
	}
	switch {
	case c == '[' && p.elem != nil:
		w.at++
		for w.more(']') {
			w.value(p.elem)
		}
	case c == '[':
		w.skipFlat()
	case c == '{':
		w.object(p)
	default:
		w.skip()
	}
}

// object walks an object with the members of the plan, or contributors.
func (w *twiceWalk) object(p *plan) {
	var (
		seen  [2]uint64 // fields, by their newer and by their older name
		names map[string]bool
	)
	w.at++
	for w.more('}') {
		s := jsonscan.New(w.doc[w.at:])
		name, _ := s.Text()
		w.at = len(w.doc) - s.Left()
		w.look()
		w.at++ // the colon
		m, known := p.members[string(name)]
		switch {
		case known:
			fields, bit := &seen[0], uint64(1)<<m.field[0]
			if m.older {
				fields = &seen[1]
			}
			w.twice = w.twice || *fields&bit != 0
			*fields |= bit
			w.value(m.plan)
			continue
		case p.scans:
			if names == nil {
				names = map[string]bool{}
			}
			w.twice = w.twice || names[string(name)]
			names[string(name)] = true
		}
		w.look()
		w.skip()
	}
}

// look moves to the next byte that is not white space and returns it.
func (w *twiceWalk) look() byte {
	for w.doc[w.at] <= ' ' {
		w.at++
	}
	return w.doc[w.at]
}

// more moves to the next element or member; behind the container if there is
// none.
func (w *twiceWalk) more(end byte) bool {
	for {
		switch c := w.look(); c {
		case ',':
			w.at++
		case end:
			w.at++
			return false
		default:
			return true
		}
	}
}

// skip moves behind a value.
func (w *twiceWalk) skip() {
	s := jsonscan.New(w.doc[w.at:])
	s.Skip()
	w.at = len(w.doc) - s.Left()
}

// skipFlat moves behind an array. If its text up to the first closing bracket
// has no other array, no escape and a text closed for each opened, it ends
// there: this is four times as fast.
func (w *twiceWalk) skipFlat() {
	end := bytes.IndexByte(w.doc[w.at:], ']')
	text := w.doc[w.at : w.at+max(end, 0)]
	if bytes.Count(text, []byte{'['}) != 1 || bytes.Count(text, []byte{'"'})%2 != 0 || bytes.IndexByte(text, '\\') >= 0 {
		w.skip()
		return
	}
	w.at += end + 1
}
