package sqlite

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

// plan is what a commit would write into the file as it is at the plan's
// stamp. Making it only reads. The writer carries it out if nothing came in
// between, else makes it anew within its transaction.
type plan struct {
	s     *Store
	batch *store.Batch
	stamp stamp
	load  *load
	skip  []bool // pages whose digest is known
	// fresh is set to do without the caches: in the writer's transaction,
	// whose words are not there, and where they turned out to be old.
	fresh  bool
	cached bool // scope is from the cache

	leased bool
	until  time.Time // the lease was seen to end

	scope   scope
	known   bool     // the connection has a scope
	streams []int64  // numbers of load.streams, 0 for new ones
	tops    []string // of streams: their records with greater keys are new
	words   *words   // of the connection; nil for none. Pack adds newWords.

	written    []bool // pages of which a record is written
	rows       []rowWrite
	newWords   []string // the last of words, in the order of their numbers
	told       []int    // indexes into rows of the changes to tell, in order
	touches    []touch
	samples    samplePlan
	helpers    *helpers
	raws       []rawWrite
	cursors    []store.Cursor
	coverage   []coverage
	digests    []int // indexes of pages whose digest is new
	forget     []string
	quarantine []store.Quarantined
	due        []store.Due

	result store.Result
	arenas []*arena // that pack used
}

// rowWrite is a row of table record to insert (id 0) or to replace.
type rowWrite struct {
	id     int64
	young  int64 // see table record
	stream int32 // index into load.streams
	page   int32 // its raw answer is that of this page; -1 keeps none
	item   *item // its encodings
	rec    *health.Record
	rid    string
	start  int64
	length int64
	offset int64
	day    int64
	has    uint8 // which of length, offset and day are known
	ord    int64
	bits   int64
	hash   int64
	state  health.State
	cause  store.Cause
	check  bool // rec is to be validated
	// What pack makes.
	shape  int64
	values []byte
	rest   []byte
}

const (
	hasLength = 1 << iota
	hasOffset
	hasDay
)

// touch moves the version of a row and changes nothing else.
type touch struct{ id, ord, bits int64 }

// rawWrite is a raw answer to store. Its number is known once it is.
type rawWrite struct {
	page   int32 // of the batch, -1 for one that is copied
	raw    *health.RawPage
	stream string
	id     int64
	sum    [sha256.Size]byte
	packed []byte
}

type coverage struct {
	stream  string
	windows []health.Window
}

// empty reports whether there is nothing to write.
func (p *plan) empty() bool {
	return len(p.rows) == 0 && len(p.touches) == 0 && p.samples.empty() && len(p.cursors) == 0 &&
		len(p.coverage) == 0 && len(p.digests) == 0 && len(p.quarantine) == 0 && len(p.due) == 0 &&
		len(p.raws) == 0 && len(p.batch.Acks) == 0 && !p.result.Relinked
}

// weight is about how many rows the plan writes.
func (p *plan) weight() int { return 1 + len(p.rows) + len(p.samples.chunks) }

// make plans the batch on c, as of now. It may be called again. The times of
// the statements are short, so ctx is looked at by the caller.
func (p *plan) make(ctx context.Context, c *conn, now time.Time) error {
	b := p.batch
	*p = plan{s: p.s, batch: b, stamp: p.stamp, load: p.load, skip: p.skip, arenas: p.arenas, helpers: p.helpers, fresh: p.fresh}
	if err := p.resolve(ctx, c); err != nil {
		return err
	}
	if p.leased = b.Lease.Owner != ""; p.leased {
		var err error
		if p.until, err = c.holds(ctx, b.Lease, now); err != nil {
			return err
		}
	}
	if err := p.planCursors(ctx, c); err != nil {
		return err
	}
	if err := p.planLoad(ctx, c); err != nil {
		return err
	}
	if err := p.planRecords(ctx, c); err != nil {
		return err
	}
	if err := p.planAbsent(ctx, c); err != nil {
		return err
	}
	if err := p.planCopied(ctx, c); err != nil {
		return err
	}
	if err := p.samples.finish(ctx, c, p); err != nil {
		return err
	}
	if err := p.planPages(ctx, c); err != nil {
		return err
	}
	return p.planRest(ctx, c)
}

// resolve finds the numbers of the connection and its user.
func (p *plan) resolve(ctx context.Context, c *conn) error {
	var err error
	if !p.fresh {
		p.scope, p.known = p.s.cache.scope(p.batch.Connection)
		p.cached = p.known
	}
	if !p.known {
		if p.scope, p.known, err = c.scope(ctx, p.batch.Connection); err != nil {
			return err
		}
		if p.known {
			p.teach(func(c *cache) { c.scopes[p.batch.Connection] = p.scope })
		}
	}
	if p.known {
		if p.scope.user != p.batch.User {
			return invalid("connection of another user")
		}
		if !p.fresh {
			p.words = p.s.cache.wordsOf(p.scope.link)
		}
		if p.words != nil {
			return nil
		}
		words, err := c.readWords(ctx, p.scope.link)
		if err == nil {
			p.words = words
			p.teach(func(c *cache) { c.words[p.scope.link] = words })
		}
		return err
	}
	return c.checkErased(ctx, p.batch.User)
}

// teach tells the cache what the plan had to look up.
func (p *plan) teach(set func(*cache)) {
	if !p.fresh {
		p.s.cache.teach(p.batch.Connection, p.stamp, func() { set(p.s.cache) })
	}
}

// scope reads the numbers of a connection.
func (c *conn) scope(ctx context.Context, connection string) (scope, bool, error) {
	var s scope
	found, err := c.one(ctx, func(r row) { s = scope{r.text(0), r.int(1), r.int(2)} },
		"SELECT p.name, p.id, l.id FROM link AS l JOIN person AS p ON p.id = l.person WHERE l.name = ?1", connection)
	return s, found, err
}

func (p *plan) planCursors(ctx context.Context, c *conn) error {
	for i := range p.batch.Cursors {
		swap := &p.batch.Cursors[i]
		stored, err := c.cursor(ctx, swap.Old.Connection, swap.Old.Stream, swap.Old.Lane)
		if err != nil {
			return err
		}
		if !sameCursor(stored, swap.Old) {
			return fmt.Errorf("sqlite: cursor of %s: %w", swap.Old.Stream, store.ErrConflict)
		}
		if !sameCursor(stored, swap.New) {
			p.cursors = append(p.cursors, swap.New)
		}
	}
	return nil
}

// planLoad finds the pages to skip and loads the others, unless that was
// done for the same pages before.
func (p *plan) planLoad(ctx context.Context, c *conn) error {
	skip := make([]bool, len(p.batch.Pages))
	for i := range p.batch.Pages {
		page := &p.batch.Pages[i]
		if page.Digest == 0 {
			continue
		}
		same := false
		if p.known {
			_, err := c.one(ctx, func(r row) { same = uint64(r.int(0)) == page.Digest },
				"SELECT digest FROM page WHERE link = ?1 AND stream = ?2 AND key = ?3", p.scope.link, page.Stream, page.Key)
			if err != nil {
				return err
			}
		}
		if skip[i] = same; !same {
			p.digests = append(p.digests, i)
		} else {
			p.result.SkippedPages++
		}
	}
	if p.load != nil && slices.Equal(skip, p.skip) {
		for i := range p.load.items {
			it := &p.load.items[i]
			it.found, it.same, it.stored = false, false, storedRow{}
		}
	} else {
		if err := p.prepare(skip); err != nil {
			return err
		}
	}
	p.written = make([]bool, len(p.batch.Pages))
	p.streams = make([]int64, len(p.load.streams))
	p.tops = make([]string, len(p.load.streams))
	if !p.known {
		return nil
	}
	for i, name := range p.load.streams {
		id, err := p.stream(ctx, c, name)
		if err != nil {
			return err
		}
		p.streams[i] = id
		if p.tops[i], err = p.top(ctx, c, id); err != nil {
			return err
		}
	}
	return nil
}

// top returns the greatest key of a stream, or a greater one.
func (p *plan) top(ctx context.Context, c *conn, stream int64) (string, error) {
	if stream == 0 {
		return "", nil
	}
	if !p.fresh {
		if top, ok := p.s.cache.top(stream); ok {
			return top, nil
		}
	}
	top := ""
	err := c.each(ctx, func(r row) error {
		top = max(top, strings.Clone(r.text(0)))
		return nil
	}, `SELECT max(rid) FROM record WHERE stream = ?1 AND young = 0
		UNION ALL SELECT max(rid) FROM record WHERE stream = ?1 AND young = 1`, stream)
	if err == nil {
		p.teach(func(c *cache) { c.tops[stream] = top })
	}
	return top, err
}

// prepare loads the records of the pages that are not skipped.
func (p *plan) prepare(skip []bool) (err error) {
	var a *arena
	if p.load != nil {
		a = p.load.release()
	} else {
		a = p.s.arenas.Get().(*arena)
	}
	a.reset()
	meanwhile := p.s.idleProcessors() > 0 && manyValues(p.batch, skip)
	p.load, err = newLoad(p.batch, a, skip, meanwhile)
	p.skip = skip
	return err
}

// stream returns the number of a stream of the connection, 0 if it has none.
func (p *plan) stream(ctx context.Context, c *conn, name streamName) (int64, error) {
	id, key := int64(0), streamKey{p.scope.link, name.kind, name.name}
	if !p.fresh {
		id = p.s.cache.stream(key)
	}
	if id != 0 {
		return id, nil
	}
	_, err := c.one(ctx, func(r row) { id = r.int(0) },
		"SELECT id FROM stream WHERE link = ?1 AND kind = ?2 AND name = ?3", p.scope.link, string(name.kind), name.name)
	if id != 0 {
		key.name = strings.Clone(key.name)
		p.teach(func(c *cache) { c.streams[key] = id })
	}
	return id, err
}

// planRecords compares the items with what is stored.
func (p *plan) planRecords(ctx context.Context, c *conn) error {
	items := p.load.items
	for lo := 0; lo < len(items); {
		stream := items[lo].stream
		hi := lo + 1
		for hi < len(items) && items[hi].stream == stream {
			hi++
		}
		if old := p.old(items[lo:hi]); old > 0 {
			if err := c.diff(ctx, p.streams[stream], p.load, lo, lo+old); err != nil {
				return err
			}
		}
		lo = hi
	}
	p.load.await(len(items))
	for i := range items {
		at := i
		if p.load.order != nil {
			at = int(p.load.order[i])
		}
		if err := p.planItem(ctx, c, &items[at]); err != nil {
			return err
		}
	}
	return nil
}

// old returns how many of the items of one stream may be stored: the first ones.
func (p *plan) old(items []item) int {
	stream := items[0].stream
	if p.streams[stream] == 0 {
		return 0
	}
	return sort.Search(len(items), func(i int) bool { return items[i].rid > p.tops[stream] })
}

func (p *plan) planItem(ctx context.Context, c *conn, it *item) error {
	if !it.found {
		p.note(it, it.tied)
		if it.rec.State == health.StateDeleted {
			p.result.Deleted++
		} else {
			p.result.Inserted++
		}
		return p.writeItem(ctx, c, it)
	}
	if it.same {
		p.note(it, it.tied)
		p.result.Unchanged++
		return nil
	}
	old := it.stored.rev()
	verdict, tied := health.Decide(old, it.rev)
	same := old.Fingerprint == it.rev.Fingerprint
	moves := verdict == health.Replace && store.MovesClock(it.rec.Kind, old, it.rev)
	if !(same && verdict == health.Keep && !it.merged()) && !(it.plain && it.stored.plain()) || moves {
		return p.mergeItem(ctx, c, it)
	}
	p.note(it, tied || it.tied)
	switch verdict {
	case health.Keep:
		if same {
			p.result.Unchanged++
		} else {
			p.result.Stale++
			if !tied {
				p.lost(it)
			}
		}
	case health.Touch:
		if err := it.validate(p.batch); err != nil {
			return err
		}
		p.result.Unchanged++
		p.touches = append(p.touches, touch{it.stored.id, it.rev.Order, rowBits(it.rec, it.rev, it.plain)})
		p.wrote(it)
	default:
		p.result.Revised++
		return p.writeItem(ctx, c, it)
	}
	return nil
}

// writeItem plans the row and the samples of a version that wins as it is. The
// record is checked in pack; but before its samples are merged.
func (p *plan) writeItem(ctx context.Context, c *conn, it *item) error {
	p.write(it, it.rec)
	if it.found {
		if err := p.samples.shed(ctx, c, p, it.rec); err != nil {
			return err
		}
	}
	if len(it.rec.Series) == 0 {
		p.rows[len(p.rows)-1].check = true
		return nil
	}
	if err := it.validate(p.batch); err != nil {
		return err
	}
	return p.samples.add(ctx, c, p, it.rec)
}

// mergeItem handles a version that must be merged with the content of the
// stored one: one of them is a tombstone, has sticky values, or has its samples
// on the other clock.
func (p *plan) mergeItem(ctx context.Context, c *conn, it *item) error {
	if err := it.validate(p.batch); err != nil {
		return err
	}
	stored, err := p.stored(ctx, c, p.load.streams[it.stream], it.rid, &it.stored)
	if err != nil {
		return err
	}
	next := *it.rec
	next.Rev = it.rev
	result, verdict, tied := health.Merge(stored, &next)
	p.note(it, tied || it.tied)
	won := result.Rev == it.rev && result.Rev != stored.Rev
	if !won && !tied && stored.Rev.Fingerprint != it.rev.Fingerprint {
		p.lost(it)
	}
	switch {
	case verdict == health.Replace && result.State == health.StateDeleted:
		p.result.Deleted++
	case verdict == health.Replace:
		p.result.Revised++
	case won || stored.Rev.Fingerprint == it.rev.Fingerprint:
		p.result.Unchanged++
	default:
		p.result.Stale++
	}
	if verdict == health.Keep {
		return nil
	}
	m := &item{stream: it.stream, rid: it.rid, pages: it.pages, found: true, stored: it.stored}
	m.encode(p.load.arena, &result)
	p.write(m, &result)
	switch {
	case verdict == health.Touch:
		p.told = p.told[:len(p.told)-1]
	case result.State == health.StateDeleted:
		return p.samples.remove(ctx, c, p, stored)
	case won:
		if err := p.samples.shed(ctx, c, p, it.rec); err != nil {
			return err
		}
		if err := p.samples.clear(ctx, c, p, stored, store.LeftBehind(stored, it.rec)); err != nil {
			return err
		}
		return p.samples.add(ctx, c, p, it.rec)
	}
	return nil
}

// note records a tie.
func (p *plan) note(it *item, tied bool) {
	if tied {
		p.result.Conflicts = append(p.result.Conflicts,
			store.Conflict{Kind: it.rec.Kind, Key: it.rec.Key, Day: it.rec.Span.Day, Start: it.rec.Span.Start})
	}
}

// wrote marks the pages of an item that is written.
func (p *plan) wrote(it *item) {
	for _, page := range it.pages {
		p.written[page] = true
	}
}

// lost leaves out the digests of the pages of an item that is older than what is
// stored, and has other content.
func (p *plan) lost(it *item) {
	p.digests = slices.DeleteFunc(p.digests, func(i int) bool { return slices.Contains(it.pages, int32(i)) })
}

// causeOf returns the cause to tell for a row of the given state.
func (p *plan) causeOf(state health.State, replaces bool) store.Cause {
	switch cause := p.batch.Cause; {
	case state == health.StateDeleted:
		return store.CauseDeletion
	case replaces && (cause == store.CauseLive || cause == store.CauseBackfill):
		return store.CauseRevision
	default:
		return cause
	}
}

// stored reads the content of a row.
func (p *plan) stored(ctx context.Context, c *conn, name streamName, rid string, row *storedRow) (*health.Record, error) {
	r := &health.Record{Connection: p.batch.Connection, Kind: name.kind, Key: name.name + "/" + rid, Rev: row.rev()}
	return r, p.s.content(ctx, c, p.scope.link, row.id, r)
}

// content decodes the content of row id, of a stream of link, into r.
func (s *Store) content(ctx context.Context, c *conn, link, id int64, r *health.Record) error {
	p := packedRow{link: link}
	found, err := c.one(ctx, func(x row) {
		p.shape, p.values, p.rest = x.int(0), []byte(x.text(1)), x.blob(2)
	}, "SELECT shape, vals, rest FROM record WHERE id = ?1", id)
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("sqlite: record row vanished: %w", store.ErrNotFound)
	}
	u := unpacker{store: s}
	if err := u.learn(ctx, c, &p); err != nil {
		return err
	}
	return u.decode(&p, r)
}

// write plans the row of r, encoded in it.
func (p *plan) write(it *item, r *health.Record) {
	p.wrote(it)
	w := rowWrite{
		id: it.stored.id, stream: it.stream, page: -1, item: it, rec: r, rid: it.rid,
		start: r.Span.Start.SortMilli(), ord: it.rev.Order, bits: rowBits(r, it.rev, it.plain), hash: int64(it.rev.Fingerprint),
		state: r.State, cause: p.causeOf(r.State, it.found),
	}
	if n := len(it.pages); n > 0 {
		w.page = it.pages[n-1]
	}
	if !r.Span.End.IsZero() {
		w.length, w.has = r.Span.End.SortMilli()-w.start, hasLength
	}
	if offset, known := r.Span.Start.Offset(); known {
		w.offset = int64(offset)
		w.has |= hasOffset
	}
	if !r.Span.Day.IsZero() {
		w.day = int64(r.Span.Day.Number())
		w.has |= hasDay
	}
	if p.rows == nil {
		// A page that begins with something new mostly goes on so.
		p.rows = make([]rowWrite, 0, max(1, len(p.load.items)/2))
		p.told = make([]int, 0, max(1, len(p.load.items)/2))
	}
	p.told = append(p.told, len(p.rows))
	p.rows = append(p.rows, w)
}

// planAbsent makes tombstones of the records that a complete walk no longer
// held.
func (p *plan) planAbsent(ctx context.Context, c *conn) error {
	if !p.known || len(p.batch.Absent) == 0 {
		return nil
	}
	gone := map[int64]bool{} // rows, for windows may overlap
	for i := range p.batch.Absent {
		if err := p.planAbsence(ctx, c, &p.batch.Absent[i], gone); err != nil {
			return err
		}
	}
	return nil
}

func (p *plan) planAbsence(ctx context.Context, c *conn, a *store.Absent, gone map[int64]bool) error {
	type candidate struct {
		row  storedRow
		rid  string
		name streamName
	}
	var candidates []candidate
	bounds := "day BETWEEN ?3 AND ?4"
	from, to := int64(0), int64(0)
	if a.Window.Days() {
		from, to = int64(a.Window.First.Number()), int64(a.Window.Last.Number())
	} else {
		bounds = "start >= ?3 AND start < ?4"
		from, to = a.Window.From.UnixMilli(), a.Window.To.UnixMilli()
	}
	query := "SELECT r.id, r.ord, r.hash, r.bits, r.rid, s.kind FROM stream AS s CROSS JOIN record AS r" +
		" ON (r.stream = s.id AND r.young = 0 OR r.stream = s.id AND r.young = 1) WHERE s.link = ?1 AND s.name = ?2 AND r.bits & 1 = 0 AND r." + bounds + " ORDER BY s.kind, r.rid"
	present := p.batch.Present(a)
	err := c.each(ctx, func(r row) error {
		x := candidate{storedRow{r.int(0), r.int(1), r.int(2), r.int(3)}, r.text(4), streamName{health.Kind(r.text(5)), a.Stream}}
		if !gone[x.row.id] && !present[string(x.name.kind)+"/"+a.Stream+"/"+x.rid] {
			candidates = append(candidates, x)
		}
		return nil
	}, query, p.scope.link, a.Stream, from, to)
	if err != nil {
		return err
	}
	for i := range candidates {
		x := &candidates[i]
		stored, err := p.stored(ctx, c, x.name, x.rid, &x.row)
		if err != nil {
			return err
		}
		if !a.Includes(stored) {
			continue
		}
		tombstone := a.Tombstone(stored)
		gone[x.row.id] = true
		p.result.Deleted++
		p.digests = slices.DeleteFunc(p.digests, func(i int) bool { return p.batch.Pages[i].Stream == a.Stream })
		stream := p.load.streamOf(x.name.kind, x.name.name)
		if int(stream) == len(p.streams) {
			id, err := p.stream(ctx, c, x.name)
			if err != nil {
				return err
			}
			p.streams = append(p.streams, id)
		}
		m := &item{stream: stream, rid: x.rid, found: true, stored: x.row}
		m.encode(p.load.arena, &tombstone)
		p.write(m, &tombstone)
		if err := p.samples.remove(ctx, c, p, stored); err != nil {
			return err
		}
	}
	return nil
}

// planPages plans raw answers, what was set aside, and which digests the
// changes make void.
func (p *plan) planPages(ctx context.Context, c *conn) error {
	for _, i := range p.told {
		if p.rows[i].id == 0 {
			continue // new: no page was read with another version of it
		}
		if name := p.load.streams[p.rows[i].stream].name; !slices.Contains(p.forget, name) {
			p.forget = append(p.forget, name)
		}
	}
	for i := range p.batch.Pages {
		page := &p.batch.Pages[i]
		if p.written[i] && page.Raw != nil {
			if err := p.planRaw(ctx, c, int32(i), page.Stream, page.Raw); err != nil {
				return err
			}
		}
		if p.skip[i] {
			continue
		}
		for _, q := range page.Quarantined {
			q.Connection, q.Stream, q.At = p.batch.Connection, page.Stream, p.batch.Now
			p.quarantine = append(p.quarantine, q)
		}
	}
	return nil
}

// planCopied plans what another store gave out.
func (p *plan) planCopied(ctx context.Context, c *conn) error {
	copied := p.batch.Copied
	if copied == nil {
		return nil
	}
	for i := range copied.Samples {
		run := &copied.Samples[i]
		r := health.Record{Connection: p.batch.Connection, Kind: run.Owner.Kind, Key: run.Owner.Record, Source: run.Owner.Source, Series: []health.Series{run.Series}}
		if r.Kind == "" {
			r.Kind, r.Key = health.KindSamples, run.Owner.Stream+"/"
		}
		if err := p.samples.add(ctx, c, p, &r); err != nil {
			return err
		}
	}
	for i := range copied.Raw {
		if err := p.planRaw(ctx, c, -1, copied.Raw[i].Stream, &copied.Raw[i]); err != nil {
			return err
		}
	}
	for _, q := range copied.Quarantined {
		q.Connection = p.batch.Connection
		p.quarantine = append(p.quarantine, q)
	}
	return nil
}

func (p *plan) planRaw(ctx context.Context, c *conn, page int32, stream string, raw *health.RawPage) error {
	w := p.packRaw(stream, raw)
	w.page, w.stream, w.raw = page, stream, raw
	if p.known {
		if _, err := c.one(ctx, func(r row) { w.id = r.int(0) },
			"SELECT id FROM raw WHERE link = ?1 AND sha256 = ?2", p.scope.link, w.sum[:]); err != nil {
			return err
		}
	}
	p.raws = append(p.raws, w)
	return nil
}

// packRaw makes the row of a raw answer. Its identity is the digest of the
// stream and the bodies.
func (p *plan) packRaw(stream string, raw *health.RawPage) rawWrite {
	var content []byte
	field := func(b []byte) {
		content = binary.AppendUvarint(content, uint64(len(b)))
		content = append(content, b...)
	}
	field([]byte(stream))
	for _, body := range raw.Bodies {
		field([]byte(body.Name))
		field(body.Body)
	}
	return rawWrite{sum: sha256.Sum256(content), packed: p.s.packer.bulk(nil, content)}
}

// planRest plans coverage, due times and the predecessor.
func (p *plan) planRest(ctx context.Context, c *conn) error {
	b := p.batch
	if b.Predecessor != "" {
		predecessor := ""
		found, err := c.one(ctx, func(r row) { predecessor = r.text(0) },
			"SELECT predecessor FROM connection WHERE id = ?1", b.Connection)
		switch {
		case err != nil:
			return err
		case !found:
			return store.ErrNotFound
		case predecessor != "" && predecessor != b.Predecessor:
			return fmt.Errorf("sqlite: the connection has another predecessor: %w", store.ErrConflict)
		}
		p.result.Relinked = predecessor == ""
	}
	byStream := map[string][]health.Window{}
	for _, covered := range b.Covered {
		byStream[covered.Stream] = append(byStream[covered.Stream], covered.Window)
	}
	for stream, windows := range byStream {
		stored, err := c.coverage(ctx, b.Connection, stream)
		if err != nil {
			return err
		}
		if merged := store.MergeWindows(stored, windows); !slices.Equal(merged, stored) {
			p.coverage = append(p.coverage, coverage{stream, merged})
		}
	}
	for _, d := range b.Due {
		var at time.Time
		if _, err := c.one(ctx, func(r row) { at = r.time(0) },
			"SELECT at FROM due WHERE connection = ?1 AND task = ?2", d.Connection, d.Task); err != nil {
			return err
		}
		if at.IsZero() != d.At.IsZero() || at.UnixMilli() != d.At.UnixMilli() {
			p.due = append(p.due, d)
		}
	}
	return nil
}
