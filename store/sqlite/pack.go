package sqlite

import (
	"context"
	"errors"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/vitalmux/vitalmux/health"
)

// flagWords is set in the first byte of a packed rest from which words were
// cut: the count of words and their places follow.
const flagWords = 0x80

// bulkFrom is the size from which the rest of a record is packed as something
// large. Below, entropy coding would make the file smaller by a third, and cost
// five times as much on every write and twice as much on every read.
const bulkFrom = 16 << 10

// errUndefined says that shapes are missing.
var errUndefined = errors.New("sqlite: shapes are missing")

// parallelFrom is the size of the payloads above which several goroutines pack
// them.
const parallelFrom = 64 << 10

// pack checks the records to write and makes their columns vals and rest. It is
// done after the comparison, and outside of any transaction. It returns
// errUndefined if shapes are missing that the writer is to define first; with
// force it does without them. Words are numbered here, after those that the
// plan found, and written with the rows: a plan that was overtaken is made
// anew.
func (p *plan) pack(force bool) error {
	if len(p.rows) == 0 {
		return nil
	}
	if p.words == nil {
		p.words = &words{}
	}
	w, added := p.words.with(p.rows)
	p.words, p.newWords = w, append(p.newWords, added...)
	size := 0
	for i := range p.rows {
		size += len(p.rows[i].item.rest) + len(p.rows[i].item.values)
	}
	workers := min(runtime.GOMAXPROCS(0), len(p.rows))
	if size < parallelFrom || workers < 2 {
		return p.packRows(p.rows, p.load.arena, w, force)
	}
	var group errgroup.Group
	each := (len(p.rows) + workers - 1) / workers
	for rows := range slices.Chunk(p.rows, each) {
		a := p.newArena()
		group.Go(func() error { return p.packRows(rows, a, w, force) })
	}
	return group.Wait()
}

// newArena returns memory that is used again after the commit.
func (p *plan) newArena() *arena {
	a := p.s.arenas.Get().(*arena)
	a.reset()
	p.arenas = append(p.arenas, a)
	return a
}

func (p *plan) packRows(rows []rowWrite, a *arena, w *words, force bool) error {
	v := p.s.vocabulary
	force = force || v.full()
	var names, head, kept []byte
	for i := range rows {
		r := &rows[i]
		if r.rest != nil {
			continue
		}
		if r.check {
			if err := r.item.validate(p.batch); err != nil {
				return err
			}
			r.check = false
		}
		var numbers []byte
		names, numbers = splitValues(r.item.values, names[:0], a.next(len(r.item.values) + 2)[:0])
		switch r.shape = v.shapeID(names); {
		case r.shape != 0:
			r.values = a.keep(numbers)
		case force:
			r.values = r.item.values
		default:
			return errUndefined
		}
		var count int
		count, head, kept = w.cut(r.rec, r.item.rest, head[:0], kept[:0])
		out := a.next(len(head) + len(kept) + len(kept)/4 + 64)[:0]
		if count > 0 {
			out = append(append(out, flagWords, byte(count)), head...)
		}
		at := len(out)
		if len(kept) < bulkFrom {
			out = p.s.packer.small(out, kept)
		} else {
			out = p.s.packer.large(out, kept)
		}
		if count > 0 {
			// The codec's byte moves to the front, joined with the flag.
			out[0] |= out[at]
			out = append(out[:at], out[at+1:]...)
		}
		r.rest = a.keep(out)
	}
	return nil
}

// definePatience is how often a commit asks for the shapes that it lacks before
// it does without.
const definePatience = 2

// define makes the shapes that the rows of p lack, in a transaction of its own:
// all connections share them, so their numbers cannot be given before the
// commit's transaction, and they are part of what is packed. There are few.
func (s *Store) define(p *plan) error {
	return s.writer.do(&job{fn: func(t *tx) error { return t.define(p) }})
}

func (t *tx) define(p *plan) error {
	known := map[string]bool{}
	var names, numbers []byte
	for i := range p.rows {
		names, numbers = splitValues(p.rows[i].item.values, names[:0], numbers[:0])
		if known[string(names)] || p.s.vocabulary.shapeID(names) != 0 {
			continue
		}
		known[string(names)] = true
		if _, err := t.exec(background, "INSERT INTO shape(names) VALUES(?1) ON CONFLICT DO NOTHING", string(names)); err != nil {
			return err
		}
	}
	t.shaped = true
	return nil
}

// packedRow is the payload of a row as it is stored.
type packedRow struct {
	link, shape  int64
	values, rest []byte
}

// unpacker decodes rows, using its memory again for each. Learn has to have
// seen a row before it is decoded.
type unpacker struct {
	store              *Store
	values, kept, rest []byte
	places             []wordPlace
	seen               int64 // the last shape that learn looked for
	shapeID            int64
	shape              *shape
	words              map[int64]*words // by link
	link               int64
	current            *words
}

// learn gets what the row refers to, in the transaction that read it.
func (u *unpacker) learn(ctx context.Context, c *conn, r *packedRow) error {
	v := u.store.vocabulary
	if r.shape != 0 && r.shape != u.seen {
		if v.shape(r.shape) == nil {
			if err := v.loadShapes(ctx, c); err != nil {
				return err
			}
		}
		u.seen = r.shape
	}
	if len(r.rest) == 0 || r.rest[0]&flagWords == 0 {
		return nil
	}
	var err error
	if u.places, _, err = readPlaces(u.places[:0], r.rest[1:]); err != nil {
		return err
	}
	w := u.wordsOf(r.link)
	for _, p := range u.places {
		if w != nil && p.id <= len(w.texts) {
			continue
		}
		if w, err = c.readWords(ctx, r.link); err != nil {
			return err
		}
		u.keepWords(r.link, w)
	}
	return nil
}

func (u *unpacker) wordsOf(link int64) *words {
	if u.current != nil && u.link == link {
		return u.current
	}
	w := u.words[link]
	if w == nil {
		if w = u.store.cache.wordsOf(link); w == nil {
			return nil
		}
	}
	u.keepWords(link, w)
	return w
}

func (u *unpacker) keepWords(link int64, w *words) {
	if u.words == nil {
		u.words = map[int64]*words{}
	}
	u.words[link] = w
	u.link, u.current = link, w
}

// decode sets the content of rec from a row.
func (u *unpacker) decode(r *packedRow, rec *health.Record) error {
	values, err := u.object(r)
	if err != nil {
		return err
	}
	if len(r.rest) == 0 {
		return errPacked
	}
	if r.rest[0]&flagWords == 0 {
		if u.kept, err = u.store.packer.unpack(u.kept[:0], r.rest[0], r.rest[1:]); err != nil {
			return err
		}
		return health.DecodeContent(rec, values, u.kept)
	}
	places, body, err := readPlaces(u.places[:0], r.rest[1:])
	if err != nil {
		return err
	}
	u.places = places
	if u.kept, err = u.store.packer.unpack(u.kept[:0], r.rest[0]&^flagWords, body); err != nil {
		return err
	}
	w := u.wordsOf(r.link)
	if w == nil {
		return errPacked
	}
	if u.rest, err = w.paste(u.rest[:0], u.kept, places); err != nil {
		return err
	}
	return health.DecodeContent(rec, values, u.rest)
}

// object returns the scalar values of a row as health encoded them.
func (u *unpacker) object(r *packedRow) ([]byte, error) {
	if r.shape == 0 {
		return r.values, nil
	}
	if u.shape == nil || u.shapeID != r.shape {
		if u.shape, u.shapeID = u.store.vocabulary.shape(r.shape), r.shape; u.shape == nil {
			return nil, errPacked
		}
	}
	var err error
	u.values, err = u.shape.join(u.values[:0], r.values)
	return u.values, err
}
