package sqlite

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/vitalmux/vitalmux/health"
)

// Two tables take out of records what many of them share.
//
// A shape is the list of the names of a record's scalar values. The record
// holds its number and the values alone, as a JSON array; the views put both
// together.
//
// A word is a long text that the records of one connection have in common: the
// id of a device, the name of a zone. It is cut out of the packed rest. Words
// belong to their connection, and go when it goes: a device id says who
// somebody is.
//
// Rows of both tables are only added. What is cached of shapes stays true, and
// words are as far as they were read. To number new ones, all have to be known:
// see cache.

const (
	maxShapes = 20_000 // more are kept as whole objects, under shape 0
	maxWords  = 250    // of a connection
	minWord   = 6      // bytes; below it nothing is gained
	maxWord   = 256
)

// vocabulary caches shapes. It is safe for concurrent use.
type vocabulary struct {
	mu     sync.RWMutex
	shapes []*shape         // by number; nil is not known
	byName map[string]int64 // by names as a JSON array
}

// shape is the names of a list of values.
type shape struct {
	// members are the names as they stand in a JSON object: `"steps":`.
	members [][]byte
}

// words are those of one link, by number from 1. They are not changed once
// others may see them.
type words struct {
	texts []string
	ids   map[string]int
}

func newVocabulary() *vocabulary {
	return &vocabulary{shapes: make([]*shape, 1), byName: map[string]int64{}}
}

// shapeID returns the number of the shape, 0 if it is not known.
func (v *vocabulary) shapeID(names []byte) int64 {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.byName[string(names)]
}

func (v *vocabulary) shape(id int64) *shape {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if id <= 0 || id >= int64(len(v.shapes)) {
		return nil
	}
	return v.shapes[id]
}

// full reports whether no more shapes are made.
func (v *vocabulary) full() bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return len(v.shapes) > maxShapes
}

// loadShapes reads the shapes that are not known. The transaction of c, if there
// is one, has made none itself: they might be undone.
func (v *vocabulary) loadShapes(ctx context.Context, c *conn) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return c.each(ctx, func(r row) error {
		id, text := r.int(0), r.text(1)
		var names []string
		if err := json.Unmarshal([]byte(text), &names); err != nil {
			return errPacked
		}
		s := &shape{}
		for _, name := range names {
			s.members = append(s.members, []byte(`"`+name+`":`))
		}
		for id >= int64(len(v.shapes)) {
			v.shapes = append(v.shapes, nil)
		}
		v.shapes[id], v.byName[text] = s, id
		return nil
	}, "SELECT id, names FROM shape WHERE id >= ?1 ORDER BY id", len(v.shapes))
}

// readWords reads the words of a link.
func (c *conn) readWords(ctx context.Context, link int64) (*words, error) {
	w := &words{ids: map[string]int{}}
	err := c.each(ctx, func(r row) error {
		for int(r.int(0)) > len(w.texts) {
			w.texts = append(w.texts, "")
		}
		w.texts[r.int(0)-1], w.ids[r.text(1)] = r.text(1), int(r.int(0))
		return nil
	}, "SELECT id, text FROM word WHERE link = ?1 ORDER BY id", link)
	return w, err
}

// splitValues appends the names in a JSON object of numbers to names, as a JSON
// array, and the numbers to numbers, the same. Names hold nothing that JSON
// escapes.
func splitValues(object, names, numbers []byte) ([]byte, []byte) {
	names, numbers = append(names, '['), append(numbers, '[')
	for b := object[1 : len(object)-1]; len(b) > 0; {
		end := bytes.IndexByte(b, ':')
		stop := bytes.IndexByte(b[end:], ',')
		if stop < 0 {
			stop = len(b) - end
		}
		names = append(append(names, b[:end]...), ',')
		numbers = append(append(numbers, b[end+1:end+stop]...), ',')
		b = b[min(len(b), end+stop+1):]
	}
	return closeArray(names), closeArray(numbers)
}

// closeArray puts the bracket in place of the last comma.
func closeArray(b []byte) []byte {
	if b[len(b)-1] == ',' {
		b = b[:len(b)-1]
	}
	return append(b, ']')
}

// join appends the object whose names are s and whose numbers are given.
func (s *shape) join(to, numbers []byte) ([]byte, error) {
	if len(numbers) < 2 {
		return nil, errPacked
	}
	b := numbers[1 : len(numbers)-1]
	to = append(to, '{')
	for i, member := range s.members {
		if i > 0 {
			to = append(to, ',')
		}
		end := bytes.IndexByte(b, ',')
		if end < 0 {
			if i < len(s.members)-1 {
				return nil, errPacked
			}
			end = len(b)
		}
		to = append(append(to, member...), b[:end]...)
		b = b[min(len(b), end+1):]
	}
	if len(b) > 0 {
		return nil, errPacked
	}
	return append(to, '}'), nil
}

// candidates returns the texts of r that may be words, in the order in which
// the rest holds them.
func candidates(r *health.Record) [5]string {
	return [5]string{r.Span.Location, r.Source.Provider, r.Source.Upstream, r.Source.Device, r.Source.App}
}

func isWord(s string) bool { return len(s) >= minWord && len(s) <= maxWord }

// with returns w with the words of the rows added that it lacks and has room
// for, and those words.
func (w *words) with(rows []rowWrite) (*words, []string) {
	var added []string
	for i := range rows {
		for _, text := range candidates(rows[i].rec) {
			if !isWord(text) || w.ids[text] != 0 || len(w.texts) >= maxWords {
				continue
			}
			if added == nil {
				w = &words{texts: slices.Clone(w.texts), ids: maps.Clone(w.ids)}
				if w.ids == nil {
					w.ids = map[string]int{}
				}
			}
			text = strings.Clone(text) // from the memory of the page
			added = append(added, text)
			w.texts = append(w.texts, text)
			w.ids[text] = len(w.texts)
		}
	}
	return w, added
}

// cut appends to head the numbers of the words found in rest, each with how
// many bytes were kept since the one before, and to kept the bytes without
// them. Count is how many words there are.
func (w *words) cut(r *health.Record, rest, head, kept []byte) (count int, _, _ []byte) {
	from := 0
	for _, text := range candidates(r) {
		id := 0
		if isWord(text) {
			id = w.ids[text]
		}
		if id == 0 {
			continue
		}
		at := bytes.Index(rest[from:], []byte(text))
		if at < 0 {
			continue
		}
		kept = append(kept, rest[from:from+at]...)
		from += at + len(text)
		head = binary.AppendUvarint(head, uint64(at))
		head = binary.AppendUvarint(head, uint64(id))
		count++
	}
	return count, head, append(kept, rest[from:]...)
}

// wordPlace is one word to put back.
type wordPlace struct{ gap, id int }

// readPlaces reads what cut put into head, behind its count.
func readPlaces(places []wordPlace, b []byte) ([]wordPlace, []byte, error) {
	count, n := binary.Uvarint(b)
	if n <= 0 || count > 16 {
		return nil, nil, errPacked
	}
	b = b[n:]
	for range count {
		gap, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, nil, errPacked
		}
		id, m := binary.Uvarint(b[n:])
		if m <= 0 || id == 0 || id > maxWords || gap > maxUnpacked {
			return nil, nil, errPacked
		}
		places = append(places, wordPlace{int(gap), int(id)})
		b = b[n+m:]
	}
	return places, b, nil
}

// paste appends kept with the words put back.
func (w *words) paste(to, kept []byte, places []wordPlace) ([]byte, error) {
	for _, p := range places {
		if p.gap > len(kept) || p.id > len(w.texts) {
			return nil, errPacked
		}
		to = append(to, kept[:p.gap]...)
		to = append(to, w.texts[p.id-1]...)
		kept = kept[p.gap:]
	}
	return append(to, kept...), nil
}
