package sqlite

import (
	"cmp"
	"context"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

// place is where a page of records ended.
type place struct {
	Milli      int64
	Connection string
	Kind       health.Kind
	Stream     string
	RID        string
}

// recordStream is one stream of one connection.
type recordStream struct {
	id, link   int64
	connection string
	kind       health.Kind
	name       string
}

// compare orders streams as their records are ordered when they start at the
// same time.
func (s *recordStream) compare(connection string, kind health.Kind, name string) int {
	return cmp.Or(cmp.Compare(s.connection, connection), cmp.Compare(s.kind, kind), cmp.Compare(s.name+"/", name+"/"))
}

// streamsOf returns the streams that the query is about, in order.
func (c *conn) streamsOf(ctx context.Context, q *store.RecordQuery) ([]recordStream, error) {
	var list []recordStream
	err := c.each(ctx, func(r row) error {
		s := recordStream{r.int(0), r.int(1), r.text(2), health.Kind(r.text(3)), r.text(4)}
		if (len(q.Connections) == 0 || slices.Contains(q.Connections, s.connection)) &&
			(len(q.Kinds) == 0 || slices.Contains(q.Kinds, s.kind)) &&
			(len(q.Streams) == 0 || slices.Contains(q.Streams, s.name)) {
			list = append(list, s)
		}
		return nil
	}, `SELECT s.id, l.id, l.name, s.kind, s.name
		FROM person AS p JOIN link AS l ON l.person = p.id JOIN stream AS s ON s.link = l.id WHERE p.name = ?1`, q.User)
	slices.SortFunc(list, func(a, b recordStream) int { return a.compare(b.connection, b.kind, b.name) })
	return list, err
}

// Records implements [store.Reader].
func (s *Store) Records(ctx context.Context, q store.RecordQuery) (store.RecordPage, error) {
	if q.User == "" || len(q.Keys) > 0 && (len(q.Connections) != 1 || len(q.Kinds) != 1) {
		return store.RecordPage{}, invalid("record query")
	}
	room := s.pages.Get().(*pageRoom)
	defer s.pages.Put(room)
	r := recordReader{query: &q, rows: room.rows[:0], data: room.data[:0]}
	defer func() { room.rows, room.data = r.rows, r.data }()
	if q.After != "" {
		r.after = &place{}
		if err := parseToken(q.After, r.after); err != nil {
			return store.RecordPage{}, err
		}
	}
	n := limit(q.Limit, 1000)
	u := unpacker{store: s}
	err := s.read(ctx, func(c *conn) (err error) {
		if r.streams, err = c.streamsOf(ctx, &q); err != nil {
			return err
		}
		if err := r.page(ctx, c, n+1); err != nil {
			return err
		}
		for i := range r.rows {
			p := r.packed(&r.rows[i])
			if err := u.learn(ctx, c, &p); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return store.RecordPage{}, err
	}
	return r.decode(&u, n)
}

// recordReader reads one page of records.
type recordReader struct {
	query   *store.RecordQuery
	after   *place
	streams []recordStream // in order
	rank    map[int64]int  // of a stream by its number

	wanted int // rows, of the statement that visits them

	rows []recordRow
	data []byte // what extents of rows are parts of
}

// pageRoom is memory for the rows of one page after the other.
type pageRoom struct {
	rows []recordRow
	data []byte
}

type recordRow struct {
	stream, start, shape int64
	stored               storedRow
	rid, values, rest    extent
}

// extent is a part of recordReader.data.
type extent struct{ from, to int }

func (r *recordReader) bytes(e extent) []byte { return r.data[e.from:e.to:e.to] }

func (r *recordReader) packed(x *recordRow) packedRow {
	return packedRow{r.streams[r.rank[x.stream]].link, x.shape, r.bytes(x.values), r.bytes(x.rest)}
}

// compare orders rows.
func (r *recordReader) compare(a, b *recordRow) int {
	if c := cmp.Compare(a.start, b.start); c != 0 {
		return c
	}
	return cmp.Or(cmp.Compare(r.rank[a.stream], r.rank[b.stream]), strings.Compare(string(r.bytes(a.rid)), string(r.bytes(b.rid))))
}

// page reads the first n rows.
//
// The index gives rows in order of their start only. To sort in SQL by kind and
// key as well would sort all rows of one start each time; they are few, nearly
// always one, so that is done here, and only rows that share the start at which
// the page ends are asked for again.
func (r *recordReader) page(ctx context.Context, c *conn, n int) error {
	r.rank = make(map[int64]int, len(r.streams))
	for i := range r.streams {
		r.rank[r.streams[i].id] = i
	}
	if err := r.run(ctx, c, n+1, nil); err != nil || len(r.rows) <= n {
		return err
	}
	if r.rows[n].start != r.rows[n-1].start {
		r.rows = r.rows[:n]
		return nil
	}
	edge := r.rows[n].start
	keep := 0
	for keep < n && r.rows[keep].start < edge {
		keep++
	}
	r.rows = r.rows[:keep]
	if err := r.run(ctx, c, n-keep, &edge); err != nil {
		return err
	}
	return nil
}

// run appends at most n rows in order: the earliest, or the first of those that
// start at the edge. Young rows are few, so that they are asked for apart.
func (r *recordReader) run(ctx context.Context, c *conn, n int, edge *int64) error {
	from := len(r.rows)
	// One statement merges so many streams in the order of their indexes.
	const together = 100
	for lo := 0; lo < len(r.streams); lo += together {
		for young := range 2 {
			query, args := r.statement(lo, min(lo+together, len(r.streams)), young, c.slot, n, edge)
			c.sink, c.visitor, r.wanted = r, r, n
			err := c.run(ctx, query, args...)
			c.sink, c.visitor = nil, nil
			if err != nil {
				return err
			}
		}
	}
	rows := r.rows[from:]
	less := func(a, b recordRow) int { return r.compare(&a, &b) }
	if !slices.IsSortedFunc(rows, less) {
		slices.SortFunc(rows, less)
	}
	r.rows = r.rows[:from+min(n, len(rows))]
	return nil
}

// statement selects from the streams lo to hi. Of one stream alone the index
// gives the rows in order: they are visited as they lie there, which takes
// less time than to collect them.
func (r *recordReader) statement(lo, hi int, young int, slot int64, n int, edge *int64) (string, []any) {
	const columns = "stream, rid, start, ord, bits, hash, shape, vals, rest"
	args := []any{slot}
	arg := func(v any) string {
		args = append(args, v)
		return fmt.Sprintf("?%d", len(args))
	}
	if hi-lo == 1 && young == 0 && edge == nil && len(r.query.Keys) == 0 {
		where, rest := r.conditions(lo, nil, arg)
		return "SELECT 1 FROM record INDEXED BY record_start WHERE young = 0" + where +
			" AND CASE WHEN TRUE" + rest + " THEN visit(?1, " + columns + ") END ORDER BY start LIMIT 1", args
	}
	var terms []string
	for rank := lo; rank < hi; rank++ {
		where, rest := r.conditions(rank, edge, arg)
		terms = append(terms, fmt.Sprintf("SELECT %s, %s AS rank FROM record WHERE young = %d", columns, arg(rank), young)+where+rest)
	}
	order := "start"
	if edge != nil {
		order = "rank, rid"
	}
	return "SELECT collect(?1, " + columns + ") FROM (SELECT " + columns + " FROM (" + strings.Join(terms, " UNION ALL ") +
		") ORDER BY " + order + " LIMIT " + arg(n) + ")", args
}

// conditions returns what the rows of a stream have to be like: what an index
// by start knows, and the rest.
func (r *recordReader) conditions(rank int, edge *int64, arg func(any) string) (where, rest string) {
	q, x := r.query, &r.streams[rank]
	where = " AND stream = " + arg(x.id)
	if edge != nil {
		where += " AND start = " + arg(*edge)
	}
	if !q.From.IsZero() {
		where += " AND start >= " + arg(q.From.UnixMilli())
	}
	if !q.To.IsZero() {
		where += " AND start < " + arg(q.To.UnixMilli())
	}
	if !q.Deleted {
		rest += " AND bits & 1 = 0"
	}
	if len(q.Keys) > 0 {
		rest += " AND rid IN (SELECT value FROM json_each(" + arg(ridsOf(q.Keys, x.name)) + "))"
	}
	if a := r.after; a != nil {
		milli := arg(a.Milli)
		switch d := x.compare(a.Connection, a.Kind, a.Stream); {
		case d < 0:
			where += " AND start > " + milli
		case d > 0:
			where += " AND start >= " + milli
		default:
			where += " AND start >= " + milli
			rest += " AND (start > " + milli + " OR rid > " + arg(a.RID) + ")"
		}
	}
	return where, rest
}

// ridsOf returns, as a JSON array, the keys of a stream without its name.
func ridsOf(keys []string, stream string) string {
	rids := []string{}
	for _, key := range keys {
		if name, rid, ok := strings.Cut(key, "/"); ok && name == stream {
			rids = append(rids, rid)
		}
	}
	list, err := json.Marshal(rids)
	if err != nil {
		return "[]" // strings always marshal
	}
	return string(list)
}

// visit implements visitor: it takes the row, and has the statement end with the
// last that is wanted.
func (r *recordReader) visit(args []driver.Value) bool {
	_ = r.row(args) // never fails
	r.wanted--
	return r.wanted == 0
}

// row implements sink.
func (r *recordReader) row(args []driver.Value) error {
	var x recordRow
	x.stream, _ = args[0].(int64)
	x.rid = r.keep(args[1])
	x.start, _ = args[2].(int64)
	x.stored.ord, _ = args[3].(int64)
	x.stored.bits, _ = args[4].(int64)
	x.stored.hash, _ = args[5].(int64)
	x.shape, _ = args[6].(int64)
	x.values = r.keep(args[7])
	x.rest = r.keep(args[8])
	r.rows = append(r.rows, x)
	return nil
}

func (r *recordReader) keep(v driver.Value) extent {
	from := len(r.data)
	switch v := v.(type) {
	case string:
		r.data = append(r.data, v...)
	case []byte:
		r.data = append(r.data, v...)
	}
	return extent{from, len(r.data)}
}

// decode makes the page of at most n records.
func (r *recordReader) decode(u *unpacker, n int) (store.RecordPage, error) {
	var page store.RecordPage
	count := min(n, len(r.rows))
	if count == 0 {
		return page, nil
	}
	page.Records = make([]health.Record, count)
	for i := range page.Records {
		x, to := &r.rows[i], &page.Records[i]
		p := r.packed(x)
		if err := u.decode(&p, to); err != nil {
			return store.RecordPage{}, err
		}
		of := &r.streams[r.rank[x.stream]]
		to.Connection, to.Kind, to.Rev = of.connection, of.kind, x.stored.rev()
		to.Key = of.name + "/" + string(r.bytes(x.rid))
	}
	if len(r.rows) <= n {
		return page, nil
	}
	last := &r.rows[n-1]
	of := &r.streams[r.rank[last.stream]]
	var err error
	page.Next, err = formatToken(place{last.start, of.connection, of.kind, of.name, string(r.bytes(last.rid))})
	return page, err
}
