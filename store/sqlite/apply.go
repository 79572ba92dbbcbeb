package sqlite

import (
	"bytes"
	"crypto/sha256"
	"database/sql/driver"
	"errors"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

// apply writes plans, whose connections differ, within the transaction. An
// error leaves the transaction to be rolled back.
func (w *writer) apply(t *tx, plans []*plan) error {
	if len(plans) == 0 {
		return nil
	}
	a := &applying{tx: t, writer: w}
	for _, p := range plans {
		if err := a.prepare(p); err != nil {
			return err
		}
	}
	if err := a.records(); err != nil {
		return err
	}
	for _, p := range plans {
		if err := a.rest(p); err != nil {
			return err
		}
	}
	return nil
}

// applying is what the plans of one transaction become.
type applying struct {
	*tx
	writer *writer
	insert rowSource
	update rowSource
	move   touchSource
	tell   changeSource
	chunks chunkSource
}

// prepare gives everything of p its number.
func (a *applying) prepare(p *plan) error {
	connection := p.batch.Connection
	a.touch(connection)
	if err := a.scopeOf(p.batch.User, connection, &p.scope); err != nil {
		return err
	}
	for i := range p.streams {
		if p.streams[i] != 0 {
			continue
		}
		id, err := a.streamOf(streamKey{p.scope.link, p.load.streams[i].kind, p.load.streams[i].name})
		if err != nil {
			return err
		}
		p.streams[i] = id
	}
	if err := a.addWords(p); err != nil {
		return err
	}
	var raws map[int32]int64
	for i := range p.raws {
		id, err := a.raw(p, &p.raws[i])
		if err != nil {
			return err
		}
		if raws == nil {
			raws = map[int32]int64{}
		}
		raws[p.raws[i].page] = id
	}
	for i := range p.rows {
		r := &p.rows[i]
		to := &a.update
		if r.id == 0 {
			id, err := a.writer.newRecord()
			if err != nil {
				return err
			}
			r.id, to = id, &a.insert
			if len(p.rows) < manyRows {
				r.young = 1
				if a.writer.young == 0 {
					a.writer.firstYoung = id
				}
				a.writer.young++
			}
			if stream := p.streams[r.stream]; r.rid > a.added[stream] {
				a.added[stream] = r.rid
			}
		}
		to.rows = append(to.rows, r)
		to.streams = append(to.streams, p.streams[r.stream])
		to.raws = append(to.raws, raws[r.page])
	}
	a.move = append(a.move, p.touches...)
	a.tellOf(p)
	if err := a.relink(p); err != nil {
		return err
	}
	if err := a.removeSamples(p); err != nil {
		return err
	}
	return a.samples(p)
}

// scopeOf returns the numbers of a connection and its user, making them as
// needed.
func (t *tx) scopeOf(user, connection string, to *scope) error {
	if to.link != 0 {
		return nil
	}
	if s, ok := t.names.scopes[connection]; ok {
		*to = s
		return checkUser(s, user)
	}
	s, found, err := t.conn.scope(background, connection)
	if err != nil {
		return err
	}
	if !found {
		if err := t.checkErased(background, user); err != nil {
			return err
		}
		if _, err := t.exec(background, "INSERT INTO person(name) VALUES(?1) ON CONFLICT DO NOTHING", user); err != nil {
			return err
		}
		if _, err := t.exec(background,
			"INSERT INTO link(person, name) SELECT id, ?2 FROM person WHERE name = ?1", user, connection); err != nil {
			return err
		}
		if s, _, err = t.conn.scope(background, connection); err != nil {
			return err
		}
	}
	t.names.scopes[connection] = s
	*to = s
	return checkUser(s, user)
}

func checkUser(s scope, user string) error {
	if s.user != user {
		return invalid("connection of another user")
	}
	return nil
}

func (t *tx) streamOf(k streamKey) (int64, error) {
	if id := t.names.streams[k]; id != 0 {
		return id, nil
	}
	if _, err := t.exec(background, "INSERT INTO stream(link, kind, name) VALUES(?1, ?2, ?3) ON CONFLICT DO NOTHING",
		k.link, string(k.kind), k.name); err != nil {
		return 0, err
	}
	id := int64(0)
	if _, err := t.one(background, func(r row) { id = r.int(0) },
		"SELECT id FROM stream WHERE link = ?1 AND kind = ?2 AND name = ?3", k.link, string(k.kind), k.name); err != nil {
		return 0, err
	}
	t.names.streams[k] = id
	return id, nil
}

// addWords writes the words that the plan numbered.
func (a *applying) addWords(p *plan) error {
	if len(p.newWords) == 0 {
		return nil
	}
	from := len(p.words.texts) - len(p.newWords)
	for i, text := range p.newWords {
		if _, err := a.exec(background, "INSERT INTO word(link, id, text) VALUES(?1, ?2, ?3)", p.scope.link, from+i+1, text); err != nil {
			return err
		}
	}
	a.words[p.scope.link] = p.words
	return nil
}

// newRecord returns a number for a new record. Numbers are not used again: the
// feed speaks of records by them.
func (w *writer) newRecord() (int64, error) {
	if w.nextRecord == 0 {
		if _, err := w.conn.one(background, func(r row) {
			w.lastRecord, w.nextRecord, w.young, w.firstYoung = r.int(0), max(r.int(0), r.int(1))+1, r.int(2), r.int(3)
		}, `SELECT coalesce((SELECT max(id) FROM record), 0), max(coalesce((SELECT max(record) FROM ghost), 0),
				coalesce((SELECT value FROM meta WHERE name = 'record_floor'), 0)),
				count(*), coalesce(min(id), 0) FROM record WHERE young = 1`); err != nil {
			return 0, err
		}
	}
	id := w.nextRecord
	w.nextRecord++
	return id, nil
}

// raw stores a raw answer unless it is there; then it takes the later date.
func (a *applying) raw(p *plan, r *rawWrite) (int64, error) {
	if _, err := a.exec(background, `INSERT INTO raw(link, stream, sha256, date, zone, data) VALUES(?1, ?2, ?3, ?4, ?5, ?6)
		ON CONFLICT(link, sha256) DO UPDATE SET date = excluded.date, zone = excluded.zone
		WHERE excluded.date > coalesce(date, 0)`,
		p.scope.link, r.stream, r.sum[:], r.raw.Date, r.raw.Zone, r.packed); err != nil {
		return 0, err
	}
	if r.id != 0 {
		return r.id, nil
	}
	id := int64(0)
	_, err := a.one(background, func(x row) { id = x.int(0) },
		"SELECT id FROM raw WHERE link = ?1 AND sha256 = ?2", p.scope.link, r.sum[:])
	return id, err
}

// tellOf makes runs of neighbours of one cause and state.
func (a *applying) tellOf(p *plan) {
	from := len(a.tell)
	for _, i := range p.told {
		r := &p.rows[i]
		if n := len(a.tell); n > from {
			if last := &a.tell[n-1]; last.last+1 == r.id && last.cause == string(r.cause) && last.state == int64(r.state) {
				last.last = r.id
				continue
			}
		}
		a.tell = append(a.tell, changeRow{
			person: p.scope.person, link: p.scope.link, at: millis(p.batch.Now),
			cause: string(r.cause), state: int64(r.state), first: r.id, last: r.id,
		})
	}
}

// relink sets the predecessor of the plan's connection. The feed tells it by a
// number that is no record's.
func (a *applying) relink(p *plan) error {
	if !p.result.Relinked {
		return nil
	}
	b := p.batch
	if _, err := a.exec(background, "UPDATE connection SET predecessor = ?2, version = version + 1 WHERE id = ?1",
		b.Connection, b.Predecessor); err != nil {
		return err
	}
	id, err := a.writer.newRecord()
	if err != nil {
		return err
	}
	if _, err := a.exec(background, "INSERT INTO ghost(record, link, kind, key, day) VALUES(?1, ?2, '', ?3, NULL)",
		id, b.Connection, b.Predecessor); err != nil {
		return err
	}
	a.tell = append(a.tell, changeRow{
		person: p.scope.person, link: p.scope.link, at: millis(b.Now), cause: string(store.CauseRelinked), first: id, last: id,
	})
	return nil
}

// The statements of a group. OR FAIL spares SQLite the journal with which it
// would undo a statement alone: after an error the transaction is rolled back.
const (
	// Where SQLite would give the same numbers it is left to: a number that it is
	// given may be no number, for which it keeps such a journal after all.
	appendRecords = `INSERT OR FAIL INTO record(stream, rid, start, length, offset, day, ord, bits, hash, raw, shape, vals, rest, young)
		SELECT c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, CAST(c12 AS TEXT), c13, c14 FROM temp.batch`
	insertRecords = `INSERT OR FAIL INTO record(id, stream, rid, start, length, offset, day, ord, bits, hash, raw, shape, vals, rest, young)
		SELECT c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, CAST(c12 AS TEXT), c13, c14 FROM temp.batch`
	// A tombstone that names no day keeps the one the record was filed under. A
	// record mostly stays where it is in time: moveRecords spares the others the
	// index.
	updateRecords = `INSERT OR FAIL INTO record(id, stream, rid, start, length, offset, day, ord, bits, hash, raw, shape, vals, rest, young)
		SELECT c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, CAST(c12 AS TEXT), c13, c14 FROM temp.batch WHERE true
		ON CONFLICT(id) DO UPDATE SET length = excluded.length, offset = excluded.offset,
			day = CASE WHEN excluded.bits & 1 THEN coalesce(excluded.day, day) ELSE excluded.day END,
			ord = excluded.ord, bits = excluded.bits, hash = excluded.hash, raw = coalesce(excluded.raw, raw),
			shape = excluded.shape, vals = excluded.vals, rest = excluded.rest`
	moveRecords  = `UPDATE OR FAIL record SET start = b.c3 FROM temp.batch AS b WHERE record.id = b.c0 AND record.start <> b.c3`
	touchRecords = `UPDATE OR FAIL record SET ord = b.c1, bits = b.c2 FROM temp.batch AS b WHERE record.id = b.c0`
	tellChanges  = `INSERT OR FAIL INTO change(person, link, at, cause, state, first, last)
		SELECT c0, c1, c2, c3, c4, c5, c6 FROM temp.batch`
	writeChunks = `INSERT OR FAIL INTO chunk(id, n, first, last, data) SELECT c0, c1, c2, c3, c4 FROM temp.batch WHERE true
		ON CONFLICT(id) DO UPDATE SET n = excluded.n, first = excluded.first, last = excluded.last, data = excluded.data`
)

// records writes the rows of all plans, one statement per table.
func (a *applying) records() error {
	if err := a.newRecords(); err != nil {
		return err
	}
	for _, step := range []struct {
		query string
		rows  source
	}{
		{updateRecords, &a.update}, {moveRecords, &a.update}, {touchRecords, a.move},
		{tellChanges, a.tell}, {writeChunks, a.chunks},
	} {
		if step.rows.len() == 0 {
			continue
		}
		if _, err := a.carry(step.query, step.rows); err != nil {
			return err
		}
	}
	return a.settle()
}

const (
	// manyRows is how many rows a commit has whose new ones are never young: they
	// share pages of the large indexes among themselves.
	manyRows = 32
	// settleFrom is how many young rows are settled. Of fewer, less have
	// neighbours; more make their index larger, of which a group of commits
	// writes most pages.
	settleFrom = 2048
)

const (
	settleRows = "UPDATE OR FAIL record SET young = 0 WHERE young = 1"
	// settleRun looks at all rows from one on, which costs less than to look up
	// each that is young where most are.
	settleRun = "UPDATE OR FAIL record SET young = 0 WHERE id >= ?1 AND +young = 1"
)

// settle moves the young rows to the large indexes if they are many, so that a
// page is written once for all its rows.
func (a *applying) settle() (err error) {
	w := a.writer
	if w.nextRecord == 0 || w.young < settleFrom {
		return nil
	}
	if w.nextRecord-w.firstYoung <= 2*w.young {
		_, err = a.exec(background, settleRun, w.firstYoung)
	} else {
		_, err = a.exec(background, settleRows)
	}
	w.young = 0
	return err
}

// newRecords inserts the rows that are new. They have neighbouring numbers, but
// for one that a relink took, and mostly those that follow the last row.
func (a *applying) newRecords() error {
	rows, w := a.insert.rows, a.writer
	if len(rows) == 0 {
		return nil
	}
	first, last := rows[0].id, rows[len(rows)-1].id
	query := insertRecords
	if first == w.lastRecord+1 && last-first == int64(len(rows)-1) {
		query = appendRecords
	}
	r, err := a.carry(query, &a.insert)
	if err != nil {
		return err
	}
	if w.lastRecord, err = r.LastInsertId(); err != nil {
		return err
	}
	if w.lastRecord != last {
		return errors.New("sqlite: records got other numbers")
	}
	return nil
}

// carry runs a statement that reads temp.batch.
func (a *applying) carry(query string, rows source) (driver.Result, error) {
	a.batch.src = rows
	defer func() { a.batch.src = nil }()
	return a.result(background, query)
}

// rowSource gives rows of table record, in the order of its columns.
type rowSource struct {
	rows    []*rowWrite
	streams []int64
	raws    []int64
}

func (s *rowSource) len() int { return len(s.rows) }

func (s *rowSource) column(i, col int) driver.Value {
	r := s.rows[i]
	switch col {
	case 0:
		return r.id
	case 1:
		return s.streams[i]
	case 2:
		return r.rid
	case 3:
		return r.start
	case 4:
		return known(r.has&hasLength != 0, r.length)
	case 5:
		return known(r.has&hasOffset != 0, r.offset)
	case 6:
		return known(r.has&hasDay != 0, r.day)
	case 7:
		return r.ord
	case 8:
		return r.bits
	case 9:
		return r.hash
	case 10:
		return known(s.raws[i] != 0, s.raws[i])
	case 11:
		return r.shape
	case 12:
		return r.values
	case 13:
		return r.rest
	case 14:
		return r.young
	}
	return nil
}

func known(is bool, v int64) driver.Value {
	if !is {
		return nil
	}
	return v
}

type touchSource []touch

func (s touchSource) len() int { return len(s) }

func (s touchSource) column(i, col int) driver.Value {
	switch col {
	case 0:
		return s[i].id
	case 1:
		return s[i].ord
	case 2:
		return s[i].bits
	}
	return nil
}

// changeRow is a row of table change.
type changeRow struct {
	person, link int64
	at           driver.Value
	cause        string
	state        int64
	first, last  int64
}

type changeSource []changeRow

func (s changeSource) len() int { return len(s) }

func (s changeSource) column(i, col int) driver.Value {
	r := &s[i]
	switch col {
	case 0:
		return r.person
	case 1:
		return r.link
	case 2:
		return r.at
	case 3:
		return r.cause
	case 4:
		return r.state
	case 5:
		return r.first
	case 6:
		return r.last
	}
	return nil
}

type chunkSource []*chunkWrite

func (s chunkSource) len() int { return len(s) }

func (s chunkSource) column(i, col int) driver.Value {
	w := s[i]
	switch col {
	case 0:
		return chunkID(w.owner.id, w.window)
	case 1:
		return int64(w.n)
	case 2:
		return w.first
	case 3:
		return w.last
	case 4:
		return w.data
	}
	return nil
}

// samples gives the owners of p their numbers and collects their chunks.
func (a *applying) samples(p *plan) error {
	sp := &p.samples
	for i := range sp.chunks {
		w := &sp.chunks[i]
		w.owner.parts[w.window].stored = w.data
		if w.empty() {
			continue
		}
		if err := a.owner(p, w.owner); err != nil {
			return err
		}
		a.chunks = append(a.chunks, w)
	}
	for _, o := range sp.owners {
		if o.id == 0 || o.name.rid != "" {
			continue
		}
		if o.resize {
			o.last, o.latest = -windowBias, nil // all of its chunks are among the parts
		}
		for _, w := range o.order {
			o.last = max(o.last, w)
		}
		if part := o.parts[o.last]; part != nil {
			o.latest = bytes.Clone(part.stored) // what a plan packed is used again
		}
		a.owners[ownerKey{p.scope.link, o.name.seriesName}] = o.owned
	}
	return nil
}

func (a *applying) owner(p *plan, o *ownerPlan) error {
	if o.id != 0 {
		return nil
	}
	args := o.name.args(p.scope.link)
	if o.series == 0 {
		if _, err := a.exec(background, `INSERT INTO series(link, metric, stream, stat, part, floating, provider, path, upstream, device, app, kind)
			VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT DO NOTHING`, args...); err != nil {
			return err
		}
		if _, err := a.one(background, func(r row) { o.series = r.int(0) }, findSeries, args...); err != nil {
			return err
		}
	}
	_, err := a.one(background, func(r row) { o.id = r.int(0) },
		"INSERT INTO owner(series, rid, width) VALUES(?1, ?2, ?3) RETURNING id", o.series, o.name.rid, o.width)
	return err
}

// removeSamples deletes what the plan takes away, before anything is written.
func (a *applying) removeSamples(p *plan) error {
	for _, id := range p.samples.gone {
		if err := a.dropOwner(id); err != nil {
			return err
		}
	}
	for _, o := range p.samples.owners {
		if !o.resize {
			continue
		}
		if _, err := a.exec(background, "DELETE FROM chunk WHERE id BETWEEN ?1 AND ?2",
			chunkID(o.id, -windowBias), chunkID(o.id, windowBias-1)); err != nil {
			return err
		}
		if _, err := a.exec(background, "UPDATE owner SET width = ?2 WHERE id = ?1", o.id, o.width); err != nil {
			return err
		}
	}
	for i := range p.samples.chunks {
		w := &p.samples.chunks[i]
		if !w.empty() {
			continue
		}
		if _, err := a.exec(background, "DELETE FROM chunk WHERE id = ?1", chunkID(w.owner.id, w.window)); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) dropOwner(id int64) error {
	if _, err := t.exec(background, "DELETE FROM chunk WHERE id BETWEEN ?1 AND ?2",
		chunkID(id, -windowBias), chunkID(id, windowBias-1)); err != nil {
		return err
	}
	_, err := t.exec(background, "DELETE FROM owner WHERE id = ?1", id)
	return err
}

// rest writes the small things of a plan.
func (a *applying) rest(p *plan) error {
	b := p.batch
	for _, stream := range p.forget {
		if _, err := a.exec(background, "DELETE FROM page WHERE link = ?1 AND stream = ?2", p.scope.link, stream); err != nil {
			return err
		}
	}
	for _, i := range p.digests {
		page := &b.Pages[i]
		if _, err := a.exec(background, `INSERT INTO page(link, stream, key, digest) VALUES(?1, ?2, ?3, ?4)
			ON CONFLICT(link, stream, key) DO UPDATE SET digest = excluded.digest`,
			p.scope.link, page.Stream, page.Key, page.Digest); err != nil {
			return err
		}
	}
	for _, q := range p.quarantine {
		sum := sha256.Sum256(q.Raw)
		if _, err := a.exec(background, `DELETE FROM quarantine
			WHERE link = ?1 AND stream = ?2 AND key = ?3 AND reason = ?4 AND sha256 = ?5`,
			p.scope.link, q.Stream, q.Key, q.Reason, sum[:]); err != nil {
			return err
		}
		if _, err := a.exec(background, `INSERT INTO quarantine(link, stream, key, reason, sha256, at, raw)
			VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)`,
			p.scope.link, q.Stream, q.Key, q.Reason, sum[:], q.At, a.writer.store.packer.bulk(nil, q.Raw)); err != nil {
			return err
		}
	}
	for i := range p.cursors {
		if err := a.setCursor(&p.cursors[i]); err != nil {
			return err
		}
	}
	for _, c := range p.coverage {
		if err := a.setCoverage(b.Connection, c.stream, c.windows); err != nil {
			return err
		}
	}
	for _, id := range b.Acks {
		if _, err := a.exec(background, "DELETE FROM inbox WHERE id = ?1 AND user = ?2", id, b.User); err != nil {
			return err
		}
	}
	for _, d := range p.due {
		if err := a.setDue(d); err != nil {
			return err
		}
	}
	return nil
}

// setCursor stores a cursor; the zero position is that of no cursor.
func (t *tx) setCursor(c *store.Cursor) error {
	if c.HighWater == "" && c.Walk == nil {
		_, err := t.exec(background, "DELETE FROM cursor WHERE connection = ?1 AND stream = ?2 AND lane = ?3",
			c.Connection, c.Stream, string(c.Lane))
		return err
	}
	w := store.Walk{}
	if c.Walk != nil {
		w = *c.Walk
	}
	_, err := t.exec(background, `INSERT INTO cursor(connection, stream, lane, high, walking, query, token, candidate, started, pages)
		VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT(connection, stream, lane) DO UPDATE SET
			high = excluded.high, walking = excluded.walking, query = excluded.query, token = excluded.token,
			candidate = excluded.candidate, started = excluded.started, pages = excluded.pages`,
		c.Connection, c.Stream, string(c.Lane), c.HighWater, c.Walk != nil, w.Query, w.PageToken, w.Candidate, w.StartedAt, w.Pages)
	return err
}

// setCoverage replaces the windows of a stream.
func (t *tx) setCoverage(connection, stream string, windows []health.Window) error {
	if _, err := t.exec(background, "DELETE FROM coverage WHERE connection = ?1 AND stream = ?2", connection, stream); err != nil {
		return err
	}
	for _, w := range windows {
		first, last := w.From.UnixMilli(), w.To.UnixMilli()
		if w.Days() {
			first, last = int64(w.First.Number()), int64(w.Last.Number())
		}
		if _, err := t.exec(background, "INSERT INTO coverage(connection, stream, days, first, last) VALUES(?1, ?2, ?3, ?4, ?5)",
			connection, stream, w.Days(), first, last); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) setDue(d store.Due) error {
	if d.At.IsZero() {
		_, err := t.exec(background, "DELETE FROM due WHERE connection = ?1 AND task = ?2", d.Connection, d.Task)
		return err
	}
	_, err := t.exec(background, `INSERT INTO due(connection, task, at) VALUES(?1, ?2, ?3)
		ON CONFLICT(connection, task) DO UPDATE SET at = excluded.at`, d.Connection, d.Task, d.At)
	return err
}
