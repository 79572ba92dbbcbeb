package main

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"

	_ "github.com/mattn/go-sqlite3" // the anchor's driver, as most Go teams use it

	"github.com/vitalmux/vitalmux/health"
)

// anchorSchema is the table that the anchor writes: an integer for the stream,
// a rowid, unique keys, an index by time, and the encoded bytes as they are.
const anchorSchema = `
CREATE TABLE rec(id INTEGER PRIMARY KEY, sid INTEGER NOT NULL, rid TEXT NOT NULL, start INTEGER NOT NULL, end_ INTEGER NOT NULL,
	updated INTEGER NOT NULL, hash INTEGER NOT NULL, vals TEXT NOT NULL, rest BLOB NOT NULL, UNIQUE(sid, rid));
CREATE INDEX rec_start ON rec(sid, start);`

const anchorUpsert = `INSERT INTO rec(sid, rid, start, end_, updated, hash, vals, rest) VALUES(?, ?, ?, ?, ?, ?, ?, ?)
	ON CONFLICT(sid, rid) DO UPDATE SET start = excluded.start, end_ = excluded.end_, updated = excluded.updated,
		hash = excluded.hash, vals = excluded.vals, rest = excluded.rest WHERE rec.hash <> excluded.hash`

// anchor is mattn/go-sqlite3 with a prepared statement per row in transactions
// of a thousand.
type anchor struct {
	db   *sql.DB
	stmt *sql.Stmt
	path string
}

func newAnchor(dir, synchronous string) (*anchor, error) {
	path := filepath.Join(dir, "anchor.db")
	db, err := sql.Open("sqlite3", "file:"+path+"?_journal_mode=WAL&_synchronous="+synchronous+"&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(anchorSchema); err != nil {
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
	values                    string
	rest                      []byte
}

func encodeFor(sid int64, r *health.Record) encoded {
	values, rest := health.AppendValues(nil, r), health.AppendRest(nil, r)
	return encoded{
		sid: sid, rid: r.Key[len(r.Stream())+1:], start: r.Span.Start.SortMilli(), end: r.Span.End.SortMilli(), updated: r.Rev.Order,
		hash: int64(health.Fingerprint(values, rest)), values: string(values), rest: rest,
	}
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
			if _, err := stmt.Exec(r.sid, r.rid, r.start, r.end, r.updated, r.hash, r.values, r.rest); err != nil {
				return err
			}
		}
		if err := tx.Commit(); err != nil {
			return err
		}
	}
	return nil
}

// read reads n rows of a stream from a time on and returns how many bytes of
// payload they have.
func (a *anchor) read(sid, from int64, n int) (int, error) {
	rows, err := a.db.Query("SELECT sid, rid, start, end_, updated, hash, vals, rest FROM rec WHERE sid = ? AND start >= ? ORDER BY start LIMIT ?", sid, from, n)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	total, count := 0, 0
	for rows.Next() {
		var r encoded
		if err := rows.Scan(&r.sid, &r.rid, &r.start, &r.end, &r.updated, &r.hash, &r.values, &r.rest); err != nil {
			return 0, err
		}
		total += len(r.values) + len(r.rest)
		count++
	}
	if count != n {
		return 0, fmt.Errorf("anchor read %d rows of %d", count, n)
	}
	return total, rows.Err()
}

func (a *anchor) close() (size int64, err error) {
	if err := a.stmt.Close(); err != nil {
		return 0, err
	}
	if _, err := a.db.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		return 0, err
	}
	if err := a.db.Close(); err != nil {
		return 0, err
	}
	info, err := os.Stat(a.path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
