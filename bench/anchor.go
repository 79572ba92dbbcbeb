package main

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	_ "github.com/mattn/go-sqlite3" // the anchor's driver, as most Go teams use it

	"github.com/vitalmux/vitalmux/health"
)

// anchorSchema is the table that the anchor writes: an integer for the stream,
// a rowid, unique keys, an index by time, and the payload as it is, in the last
// column, of the type of its form.
const anchorSchema = `
CREATE TABLE rec(id INTEGER PRIMARY KEY, sid INTEGER NOT NULL, rid TEXT NOT NULL, start INTEGER NOT NULL, end_ INTEGER NOT NULL,
	updated INTEGER NOT NULL, hash INTEGER NOT NULL, payload %s NOT NULL, UNIQUE(sid, rid));
CREATE INDEX rec_start ON rec(sid, start);`

const anchorUpsert = `INSERT INTO rec(sid, rid, start, end_, updated, hash, payload) VALUES(?, ?, ?, ?, ?, ?, ?)
	ON CONFLICT(sid, rid) DO UPDATE SET start = excluded.start, end_ = excluded.end_, updated = excluded.updated,
		hash = excluded.hash, payload = excluded.payload WHERE rec.hash <> excluded.hash`

// form is what the anchor keeps of a record: the type of its payload column.
type form string

const (
	formJSON   form = "TEXT" // its JSON
	formPacked form = "BLOB" // what health.AppendValues and health.AppendRest make of it
)

// payload returns the payload of a record, in buf if the form can use it.
func (f form) payload(buf []byte, r *health.Record) ([]byte, error) {
	if f == formJSON {
		return json.Marshal(r)
	}
	return health.AppendRest(health.AppendValues(buf[:0], r), r), nil
}

// anchor is mattn/go-sqlite3 with a prepared statement per row in transactions
// of a thousand.
type anchor struct {
	db   *sql.DB
	stmt *sql.Stmt
	path string
}

func newAnchor(dir, synchronous string, f form) (*anchor, error) {
	path := filepath.Join(dir, "anchor-"+string(f)+".db")
	db, err := sql.Open("sqlite3", "file:"+path+"?_journal_mode=WAL&_synchronous="+synchronous+"&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(fmt.Sprintf(anchorSchema, f)); err != nil {
		return nil, err
	}
	stmt, err := db.Prepare(anchorUpsert)
	return &anchor{db, stmt, path}, err
}

// encoded is a record as the anchor is given it.
type encoded struct {
	sid                       int64
	rid                       string
	start, end, updated, hash int64
	payload                   any // a string or bytes
	size                      int // of the payload
}

func (f form) encode(sid int64, r *health.Record) (encoded, error) {
	payload, err := f.payload(nil, r)
	e := encoded{
		sid: sid, rid: r.Key[len(r.Stream())+1:], start: r.Span.Start.SortMilli(), end: r.Span.End.SortMilli(), updated: r.Rev.Order,
		hash: int64(health.Fingerprint(payload, nil)), payload: payload, size: len(payload),
	}
	if f == formJSON {
		e.payload = string(payload)
	}
	return e, err
}

func (a *anchor) upsert(rows []encoded) error {
	for len(rows) > 0 {
		batch := rows[:min(len(rows), batchSize)]
		rows = rows[len(batch):]
		tx, err := a.db.Begin()
		if err != nil {
			return err
		}
		stmt := tx.Stmt(a.stmt)
		for i := range batch {
			r := &batch[i]
			if _, err := stmt.Exec(r.sid, r.rid, r.start, r.end, r.updated, r.hash, r.payload); err != nil {
				return err
			}
		}
		if err := tx.Commit(); err != nil {
			return err
		}
	}
	return nil
}

// read reads n rows of a stream from a time on, payloads included.
func (a *anchor) read(sid, from int64, n int) error {
	rows, err := a.db.Query("SELECT sid, rid, start, end_, updated, hash, payload FROM rec WHERE sid = ? AND start >= ? ORDER BY start LIMIT ?", sid, from, n)
	if err != nil {
		return err
	}
	defer rows.Close()
	count := 0
	for rows.Next() {
		var r encoded
		if err := rows.Scan(&r.sid, &r.rid, &r.start, &r.end, &r.updated, &r.hash, &r.payload); err != nil {
			return err
		}
		count++
	}
	if count != n {
		return fmt.Errorf("anchor read %d rows of %d", count, n)
	}
	return rows.Err()
}

// size is the size of the file after all is in it.
func (a *anchor) size() (int64, error) {
	if _, err := a.db.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		return 0, err
	}
	return fileSize(a.path)
}

func (a *anchor) close() error { return errors.Join(a.stmt.Close(), a.db.Close()) }

func fileSize(path string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
