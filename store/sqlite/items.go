package sqlite

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

// item is one record of a batch, encoded.
type item struct {
	rec    *health.Record
	pages  []int32 // the pages that hold a version of it
	stream int32   // index into load.streams
	rid    string  // the key behind the stream's name and its slash
	rev    health.Rev
	values []byte
	rest   []byte
	plain  bool
	tied   bool // versions of it in the batch tie

	// What is stored under the key, from the diff.
	found  bool
	same   bool // nothing to do: stored is not set
	stored storedRow
}

// storedRow is what the diff reads of a row.
type storedRow struct {
	id   int64
	ord  int64
	hash int64
	bits int64
}

// rev returns the version of the row.
func (r *storedRow) rev() health.Rev {
	return health.Rev{
		Order: r.ord, Mapping: uint16(r.bits >> bitMapping),
		Push: r.bits&bitPush != 0, Absent: r.bits&bitAbsent != 0, Fingerprint: uint64(r.hash),
	}
}

func (r *storedRow) plain() bool { return r.bits&(bitDeleted|bitSticky|bitMerged) == 0 }

// The bits of record.bits: facts that views and the diff need without
// unpacking.
const (
	bitDeleted = 1 << 0
	bitSticky  = 1 << 1 // a value is sticky
	bitMerged  = 1 << 2 // the rest holds bookkeeping of a merge
	bitPush    = 1 << 3
	bitAbsent  = 1 << 4
	bitMethod  = 5  // three bits
	bitZone    = 8  // two bits
	bitForm    = 10 // two bits: how the start is known
	bitMapping = 16 // sixteen bits
)

// The values of bitForm.
const (
	formUnset = iota
	formInstant
	formZoned
	formFloating
)

// rowBits packs record.bits.
func rowBits(r *health.Record, rev health.Rev, plain bool) int64 {
	bits := int64(rev.Mapping)<<bitMapping | int64(r.Method)<<bitMethod | int64(r.Span.Zone)<<bitZone
	if r.State == health.StateDeleted {
		bits |= bitDeleted
	}
	if !plain {
		if r.Erased != (health.Rev{}) || len(r.Origins) > 0 {
			bits |= bitMerged
		}
		for i := range r.Values {
			if r.Values[i].Flags.Has(health.FlagSticky) {
				bits |= bitSticky
				break
			}
		}
	}
	if rev.Push {
		bits |= bitPush
	}
	if rev.Absent {
		bits |= bitAbsent
	}
	switch start := r.Span.Start; {
	case start.IsZero():
	case start.IsFloating():
		bits |= formFloating << bitForm
	default:
		if _, known := start.Offset(); known {
			bits |= formZoned << bitForm
		} else {
			bits |= formInstant << bitForm
		}
	}
	return bits
}

// load is a batch made ready to be compared: encoded, sorted by stream and key,
// one version per key. It does not depend on the database.
//
// Many items are encoded by another goroutine, in their order, so that they are
// looked up meanwhile. What is encoded of an item is read after await.
type load struct {
	batch   *store.Batch
	streams []streamName
	items   []item
	// order lists the items in the order of the batch, in which they are
	// written and told; nil is the order they have.
	order []int32
	arena *arena
	// pages are the numbers of all pages; items share its elements.
	pages []int32

	encoded  int      // how many items are known to be encoded, to the one who awaits
	progress chan int // how many are, from the one who encodes; nil without one
}

type streamName struct {
	kind health.Kind
	name string
}

// arena is memory for the encodings of one commit, used again by the next.
type arena struct {
	buf    []byte   // the chunk in use
	chunks [][]byte // all chunks, buf among them
	used   int      // of chunks
}

const (
	arenaChunk = 256 << 10
	// arenaKeep is how many chunks are kept for the next commit.
	arenaKeep = 32
)

func (a *arena) reset() {
	if len(a.chunks) > arenaKeep {
		clear(a.chunks[arenaKeep:])
		a.chunks = a.chunks[:arenaKeep]
	}
	a.buf, a.used = nil, 0
}

// next returns the free end of the arena, at least n bytes of it.
func (a *arena) next(n int) []byte {
	for cap(a.buf)-len(a.buf) < n {
		if a.used == len(a.chunks) {
			a.chunks = append(a.chunks, make([]byte, 0, max(arenaChunk, n)))
		}
		a.buf = a.chunks[a.used]
		a.used++
	}
	return a.buf[len(a.buf):]
}

// keep claims b, which began as the result of next, and returns it without
// spare capacity.
func (a *arena) keep(b []byte) []byte {
	if len(b) <= cap(a.buf)-len(a.buf) {
		a.buf = a.buf[:len(a.buf)+len(b)]
	}
	return b[:len(b):len(b)]
}

// newLoad loads the records of the pages that skip does not name, and encodes
// them: with meanwhile in another goroutine. It checks of a record only what
// identifies it: one that turns out to be what is stored was checked when it was
// stored.
func newLoad(b *store.Batch, a *arena, skip []bool, meanwhile bool) (*load, error) {
	l := &load{batch: b, arena: a}
	n := 0
	for i := range b.Pages {
		if !skip[i] {
			n += len(b.Pages[i].Records)
		}
	}
	l.items = make([]item, 0, n)
	l.pages = make([]int32, len(b.Pages))
	for i := range b.Pages {
		l.pages[i] = int32(i)
		if skip[i] {
			continue
		}
		page := &b.Pages[i]
		for j := range page.Records {
			r := &page.Records[j]
			n := len(page.Stream)
			switch {
			case r.Connection != b.Connection:
				return nil, fmt.Errorf("page %d: record %d: %w", i, j, invalid("connection"))
			case len(r.Key) <= n+1 || r.Key[:n] != page.Stream || r.Key[n] != '/':
				return nil, fmt.Errorf("page %d: record %d: %w", i, j, invalid("key of another stream"))
			}
			l.items = append(l.items, item{
				rec: r, pages: l.pages[i : i+1 : i+1], stream: l.streamOf(r.Kind, page.Stream), rid: r.Key[n+1:],
			})
		}
	}
	// Where items change places or are joined, that needs their encodings.
	sorted := l.sorted()
	if sorted && meanwhile {
		l.progress = make(chan int, len(l.items)/meanwhileStep+1)
		go l.encode()
		wakeHelpers()
		return l, nil
	}
	for i := range l.items {
		l.items[i].encode(a, l.items[i].rec)
	}
	l.encoded = len(l.items)
	if sorted {
		return l, nil
	}
	return l, l.sort()
}

const (
	// meanwhileFrom is from how many values on items are encoded while they are
	// looked up. Of fewer, to tell another goroutine costs what it gains.
	meanwhileFrom = 16 << 10
	// meanwhileStep is after how many items progress is told.
	meanwhileStep = 64
)

// manyValues reports whether the pages that are not skipped have so many values
// that it is worth to encode them meanwhile.
func manyValues(b *store.Batch, skip []bool) bool {
	n := 0
	for i := range b.Pages {
		if skip[i] {
			continue
		}
		for j := range b.Pages[i].Records {
			r := &b.Pages[i].Records[j]
			n += len(r.Values)
			for k := range r.Segments {
				n += len(r.Segments[k].Values)
			}
			if n >= meanwhileFrom {
				return true
			}
		}
	}
	return false
}

// encode encodes the items for one who awaits them.
func (l *load) encode() {
	for i := 0; i < len(l.items); {
		for step := min(i+meanwhileStep, len(l.items)); i < step; i++ {
			l.items[i].encode(l.arena, l.items[i].rec)
		}
		l.progress <- i
	}
}

// await returns when the first n items are encoded.
func (l *load) await(n int) {
	for l.encoded < n {
		l.encoded = <-l.progress
	}
}

// release returns the memory of the load when nothing writes to it any more.
func (l *load) release() *arena {
	l.await(len(l.items))
	return l.arena
}

// validate reports what is wrong with the item's record.
func (it *item) validate(b *store.Batch) error {
	err := it.rec.Validate(b.Now)
	if err != nil {
		err = fmt.Errorf("page %d: %w: %w", it.pages[0], store.ErrInvalid, err)
	}
	return err
}

// encode sets the encodings of r and its version.
func (it *item) encode(a *arena, r *health.Record) {
	it.values = a.keep(health.AppendValues(a.next(4096)[:0], r))
	it.rest = a.keep(health.AppendRest(a.next(4096)[:0], r))
	it.rev = r.Rev
	it.rev.Fingerprint = health.Fingerprint(it.values, it.rest)
	it.plain = health.PlainRest(it.rest)
}

// merged reports whether the item has what other versions left, of the batch or
// of another store.
func (it *item) merged() bool { return !it.plain && it.rec.Merged() }

// streamOf returns the index of the stream. A page has few, mostly one.
func (l *load) streamOf(kind health.Kind, name string) int32 {
	for i := len(l.streams) - 1; i >= 0; i-- {
		if l.streams[i].kind == kind && l.streams[i].name == name {
			return int32(i)
		}
	}
	l.streams = append(l.streams, streamName{kind, name})
	return int32(len(l.streams) - 1)
}

// compare orders items by stream and key.
func (it *item) compare(other *item) int {
	if c := cmp.Compare(it.stream, other.stream); c != 0 {
		return c
	}
	return strings.Compare(it.rid, other.rid)
}

// sorted reports whether the items are in the order of stream and key, each key
// once.
func (l *load) sorted() bool {
	for i := 1; i < len(l.items); i++ {
		if l.items[i-1].compare(&l.items[i]) >= 0 {
			return false
		}
	}
	return true
}

// sort brings the items into the order of stream and key, and leaves the better
// version of each key.
func (l *load) sort() error {
	rank := make([]int32, len(l.items))
	for i := range rank {
		rank[i] = int32(i)
	}
	slices.SortStableFunc(rank, func(a, b int32) int { return l.items[a].compare(&l.items[b]) })
	items := make([]item, 0, len(l.items))
	first := make([]int32, 0, len(l.items)) // where each was in the batch
	for _, at := range rank {
		it := &l.items[at]
		if n := len(items); n > 0 && items[n-1].compare(it) == 0 {
			if err := items[n-1].absorb(it, l); err != nil {
				return err
			}
			continue
		}
		items = append(items, *it)
		first = append(first, at)
	}
	l.items, l.order = items, rank[:len(items)]
	for i := range l.order {
		l.order[i] = int32(i)
	}
	slices.SortFunc(l.order, func(a, b int32) int { return cmp.Compare(first[a], first[b]) })
	return nil
}

// absorb joins another version of the same key into it.
func (it *item) absorb(other *item, l *load) error {
	if err := errors.Join(it.validate(l.batch), other.validate(l.batch)); err != nil {
		return err
	}
	pages := append(it.pages, other.pages...)
	verdict, tied := health.Decide(it.rev, other.rev)
	tied = tied || it.tied || other.tied
	switch {
	case !it.plain || !other.plain:
		result, _, _ := health.Merge(it.rec, other.rec)
		it.rec = &result
		it.encode(l.arena, it.rec)
	case verdict != health.Keep:
		*it = *other
	}
	it.pages, it.tied = pages, tied
	return nil
}
