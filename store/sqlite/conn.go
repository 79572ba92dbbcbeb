package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"time"
)

// conn is one connection to the database with the statements prepared on it.
// One goroutine uses it at a time.
//
// It talks to the driver directly: the store keeps its own connections, and
// what database/sql adds per statement is a good part of a small commit.
type conn struct {
	raw   rawConn
	stmts map[string]rawStmt
	// slot is the handle under which the Go functions of a statement find the
	// data of this connection.
	slot    int64
	batch   *batch
	sink    sink
	visitor visitor
	// lazy is set until the first statement, before which a transaction begins.
	lazy bool
}

type rawConn interface {
	driver.Conn
	driver.ExecerContext
	driver.ConnPrepareContext
}

type rawStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

func (c *conn) close() error {
	var errs []error
	for _, s := range c.stmts {
		errs = append(errs, s.Close())
	}
	c.stmts = nil
	return errors.Join(append(errs, c.raw.Close())...)
}

// maxStatements bounds the cache of a connection; statements made for one
// query, such as a list of streams, would fill it without end.
const maxStatements = 256

func (c *conn) prepare(ctx context.Context, query string) (rawStmt, error) {
	if c.lazy {
		c.lazy = false
		if _, err := c.exec(ctx, "BEGIN"); err != nil {
			return nil, err
		}
	}
	if s, ok := c.stmts[query]; ok {
		return s, nil
	}
	if len(c.stmts) >= maxStatements {
		for text, s := range c.stmts {
			if err := s.Close(); err != nil {
				return nil, classify(err)
			}
			delete(c.stmts, text)
		}
	}
	s, err := c.raw.PrepareContext(ctx, query)
	if err != nil {
		return nil, failed(query, err)
	}
	r, ok := s.(rawStmt)
	if !ok {
		return nil, fmt.Errorf("sqlite: driver statement %T has no context methods", s)
	}
	c.stmts[query] = r
	return r, nil
}

// named makes driver arguments of int, int64, uint64 (as the same 64 bits),
// string, []byte, bool, time.Time (see millis) and nil.
func named(args []any) []driver.NamedValue {
	if len(args) == 0 {
		return nil
	}
	out := make([]driver.NamedValue, len(args))
	for i, a := range args {
		out[i].Ordinal = i + 1
		switch v := a.(type) {
		case int:
			out[i].Value = int64(v)
		case uint64:
			out[i].Value = int64(v)
		case bool:
			out[i].Value = int64(0)
			if v {
				out[i].Value = int64(1)
			}
		case time.Time:
			out[i].Value = millis(v)
		case []byte:
			if v == nil {
				v = []byte{}
			}
			out[i].Value = v
		default:
			out[i].Value = v
		}
	}
	return out
}

// exec runs a statement that returns no rows and returns how many rows it
// changed.
func (c *conn) exec(ctx context.Context, query string, args ...any) (int, error) {
	r, err := c.result(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	n, err := r.RowsAffected()
	return int(n), err
}

// result is exec with the driver's result.
func (c *conn) result(ctx context.Context, query string, args ...any) (driver.Result, error) {
	s, err := c.prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	r, err := s.ExecContext(ctx, named(args))
	if err != nil {
		return nil, failed(query, err)
	}
	return r, nil
}

// script runs statements that are not worth caching.
func (c *conn) script(ctx context.Context, text string) error {
	_, err := c.raw.ExecContext(ctx, text, nil)
	return classify(err)
}

// row is one row of a result. It is valid until the next.
type row []driver.Value

func (r row) null(i int) bool { return r[i] == nil }

func (r row) int(i int) int64 {
	v, _ := r[i].(int64)
	return v
}

func (r row) text(i int) string {
	v, _ := r[i].(string)
	return v
}

func (r row) blob(i int) []byte {
	v, _ := r[i].([]byte)
	return v
}

func (r row) time(i int) time.Time {
	v, ok := r[i].(int64)
	if !ok {
		return time.Time{}
	}
	return time.UnixMilli(v).UTC()
}

// each runs a query and calls fn with every row.
func (c *conn) each(ctx context.Context, fn func(row) error, query string, args ...any) error {
	s, err := c.prepare(ctx, query)
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(ctx, named(args))
	if err != nil {
		return failed(query, err)
	}
	defer rows.Close()
	var room [24]driver.Value
	dest := room[:len(rows.Columns())]
	for {
		switch err := rows.Next(dest); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return failed(query, err)
		}
		if err := fn(dest); err != nil {
			return err
		}
	}
}

// one runs a query of at most one row and reports whether there was one.
func (c *conn) one(ctx context.Context, fn func(row), query string, args ...any) (bool, error) {
	found := false
	err := c.each(ctx, func(r row) error {
		if !found {
			found = true
			fn(r)
		}
		return nil
	}, query, args...)
	return found, err
}

// run executes a statement that hands its rows to a Go function and returns
// none that matter.
func (c *conn) run(ctx context.Context, query string, args ...any) error {
	return c.each(ctx, func(row) error { return nil }, query, args...)
}

// millis returns t as milliseconds since 1970, nil for the zero time. That is
// what a store keeps of a time.
func millis(t time.Time) driver.Value {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}
