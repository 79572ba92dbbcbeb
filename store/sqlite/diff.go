package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"strings"

	"github.com/vitalmux/vitalmux/health"
)

const (
	// scanStream visits the rows of a stream between two keys in order of key.
	scanStream = `SELECT hash, id, ord, bits FROM record
		WHERE young = 0 AND stream = ?2 AND rid >= ?3 AND rid <= ?4 AND visit(?1, rid, hash, ord, bits) ORDER BY rid`
	scanYoung = `SELECT hash, id, ord, bits FROM record
		WHERE young = 1 AND stream = ?2 AND rid >= ?3 AND rid <= ?4 AND visit(?1, rid, hash, ord, bits) ORDER BY rid`
	// seekStream reads the rows with the keys of the batch.
	seekStream = `SELECT collect(?1, r.rid, r.hash, r.id, r.ord, r.bits)
		FROM temp.batch AS b CROSS JOIN record AS r ON r.stream = ?2 AND r.rid = b.c0 AND r.young = 0`
	seekYoung = `SELECT collect(?1, r.rid, r.hash, r.id, r.ord, r.bits)
		FROM temp.batch AS b CROSS JOIN record AS r ON r.stream = ?2 AND r.rid = b.c0 AND r.young = 1`
)

// errEnough ends a scan.
var errEnough = errors.New("sqlite: enough rows")

// diff sets found and same of the items of l from lo up to but not including hi,
// which are of one stream and sorted by key, and stored of those that are not the
// same as what is stored.
//
// The keys of a page are mostly neighbours in the file, too, so the rows
// between the first and the last are visited in order and merged with the
// items, which costs a fraction of looking each up, and only what differs leaves
// SQLite. Where other rows lie between, what remains after twice as many rows
// as items is looked up.
func (c *conn) diff(ctx context.Context, stream int64, l *load, lo, hi int) error {
	if err := c.compare(ctx, scanStream, seekStream, stream, l, lo, hi); err != nil {
		return err
	}
	for i := range l.items[lo:hi] {
		if !l.items[lo+i].found {
			return c.compare(ctx, scanYoung, seekYoung, stream, l, lo, hi)
		}
	}
	return nil
}

// compare is diff with the rows that the statements find.
func (c *conn) compare(ctx context.Context, scan, seek string, stream int64, l *load, lo, hi int) error {
	m := &matcher{load: l, at: lo, end: hi, limit: 2*(hi-lo) + 64}
	c.visitor = m
	defer func() { c.visitor = nil }()
	err := c.each(ctx, m.differs, scan, c.slot, stream, l.items[lo].rid, l.items[hi-1].rid)
	if !errors.Is(err, errEnough) {
		return err
	}
	c.sink, c.batch.src = &finder{matcher{load: l, at: m.at, end: hi}}, itemKeys(l.items[m.at:hi])
	defer func() { c.sink, c.batch.src = nil, nil }()
	return c.run(ctx, seek, c.slot, stream)
}

// matcher merges rows in order of key with items in order of key.
type matcher struct {
	load  *load
	at    int // the first item that may match the next row
	end   int // of the items
	limit int // rows that may still be visited
}

// match finds the item of a row.
func (m *matcher) match(rid string) *item {
	for ; m.at < m.end; m.at++ {
		it := &m.load.items[m.at]
		switch c := strings.Compare(it.rid, rid); {
		case c == 0:
			m.at++
			it.found = true
			return it
		case c > 0:
			return nil
		}
	}
	return nil
}

// visit implements visitor: a row is returned if it differs from its item, and
// the row that is one too many, too.
func (m *matcher) visit(args []driver.Value) bool {
	if m.limit--; m.limit < 0 {
		return true
	}
	rid, _ := args[0].(string)
	it := m.match(rid)
	if it == nil {
		return false
	}
	m.load.await(m.at)
	return !it.sameAs(args)
}

// sameAs sets same if the row of the given hash, ord and bits has the content
// of the item and is not older.
func (it *item) sameAs(args []driver.Value) bool {
	var r storedRow
	r.hash, _ = args[1].(int64)
	if uint64(r.hash) != it.rev.Fingerprint || it.merged() {
		return false
	}
	r.ord, _ = args[2].(int64)
	r.bits, _ = args[3].(int64)
	verdict, _ := health.Decide(r.rev(), it.rev)
	it.same = verdict == health.Keep
	return it.same
}

// differs takes a row that visit wanted.
func (m *matcher) differs(r row) error {
	if m.limit < 0 {
		return errEnough
	}
	it := &m.load.items[m.at-1]
	it.stored = storedRow{hash: r.int(0), id: r.int(1), ord: r.int(2), bits: r.int(3)}
	return nil
}

// finder takes all rows of the items.
type finder struct{ matcher }

// row implements sink.
func (f *finder) row(args []driver.Value) error {
	rid, _ := args[0].(string)
	if it := f.match(rid); it != nil {
		it.stored.hash, _ = args[1].(int64)
		it.stored.id, _ = args[2].(int64)
		it.stored.ord, _ = args[3].(int64)
		it.stored.bits, _ = args[4].(int64)
	}
	return nil
}

// itemKeys gives the keys of items as column 0.
type itemKeys []item

func (k itemKeys) len() int                     { return len(k) }
func (k itemKeys) column(i, _ int) driver.Value { return k[i].rid }
