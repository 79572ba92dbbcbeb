package sqlite

import (
	"database/sql/driver"
	"errors"
	"strconv"
	"strings"
	"sync"

	sqlite3 "modernc.org/sqlite"
	"modernc.org/sqlite/vtab"
)

// The bridge carries rows between Go and SQL without a call of the driver per
// row: into a statement through the virtual table temp.batch, which every
// connection has, and out of one through the aggregate function collect, or the
// function visit, which also says which rows the statement returns.

// source gives rows to a statement that reads temp.batch.
type source interface {
	len() int
	// column returns column col of row i: int64, string, []byte or nil.
	column(i, col int) driver.Value
}

// sink takes rows from a statement that calls collect. The values are valid
// during the call only; texts and blobs are to be copied.
type sink interface {
	row(args []driver.Value) error
}

// visitor looks at the rows of a statement that has visit among its conditions
// and says whether the statement is to return the row. The values are valid
// during the call only.
type visitor interface {
	visit(args []driver.Value) bool
}

// batchColumns is how many columns temp.batch has: c0, c1, ...
const batchColumns = 15

// bridge is the Go side of one Store.
type bridge struct {
	driver *sqlite3.Driver

	mu    sync.RWMutex
	conns map[int64]*conn
	next  int64
}

func newBridge() (*bridge, error) {
	b := &bridge{driver: &sqlite3.Driver{}, conns: map[int64]*conn{}}
	if err := b.driver.RegisterModule("batch", b); err != nil {
		return nil, err
	}
	if err := b.driver.RegisterFunction("visit", &sqlite3.FunctionImpl{NArgs: -1, VolatileArgs: true, Scalar: b.visit}); err != nil {
		return nil, err
	}
	return b, b.driver.RegisterFunction("collect", &sqlite3.FunctionImpl{
		NArgs:         -1,
		VolatileArgs:  true,
		MakeAggregate: func(sqlite3.FunctionContext) (sqlite3.AggregateFunction, error) { return &collector{bridge: b}, nil },
	})
}

// open opens a connection. The data source name carries its pragmas.
func (b *bridge) open(dsn string) (*conn, error) {
	raw, err := b.driver.Open(dsn)
	if err != nil {
		return nil, classify(err)
	}
	r, ok := raw.(rawConn)
	if !ok {
		return nil, errors.Join(errors.New("sqlite: driver connection has no context methods"), raw.Close())
	}
	b.mu.Lock()
	b.next++
	c := &conn{raw: r, stmts: map[string]rawStmt{}, slot: b.next, batch: &batch{}}
	b.conns[c.slot] = c
	b.mu.Unlock()
	if err := c.script(background, "CREATE VIRTUAL TABLE temp.batch USING batch("+strconv.FormatInt(c.slot, 10)+")"); err != nil {
		return nil, errors.Join(err, b.close(c))
	}
	return c, nil
}

func (b *bridge) close(c *conn) error {
	b.mu.Lock()
	delete(b.conns, c.slot)
	b.mu.Unlock()
	return c.close()
}

// visit is visit(slot, ...).
func (b *bridge) visit(_ *sqlite3.FunctionContext, args []driver.Value) (driver.Value, error) {
	slot, _ := args[0].(int64)
	b.mu.RLock()
	c := b.conns[slot]
	b.mu.RUnlock()
	if c == nil || c.visitor == nil {
		return nil, errors.New("sqlite: visit without a visitor")
	}
	return c.visitor.visit(args[1:]), nil
}

// Create implements vtab.Module. The argument of the table is the slot of its
// connection: SQLite makes the table anew when the schema of the file changes.
func (b *bridge) Create(ctx vtab.Context, args []string) (vtab.Table, error) {
	slot, err := strconv.ParseInt(args[len(args)-1], 10, 64)
	if err != nil {
		return nil, errors.New("sqlite: batch without a slot")
	}
	b.mu.RLock()
	c := b.conns[slot]
	b.mu.RUnlock()
	if c == nil {
		return nil, errors.New("sqlite: batch of no connection")
	}
	names := make([]string, batchColumns)
	for i := range names {
		names[i] = "c" + strconv.Itoa(i)
	}
	return c.batch, ctx.Declare("CREATE TABLE batch(" + strings.Join(names, ", ") + ")")
}

// Connect implements vtab.Module.
func (b *bridge) Connect(ctx vtab.Context, args []string) (vtab.Table, error) {
	return b.Create(ctx, args)
}

// batch is temp.batch of one connection: the rows of src, in order.
type batch struct{ src source }

// BestIndex implements vtab.Table.
func (t *batch) BestIndex(info *vtab.IndexInfo) error {
	info.EstimatedRows = 1000
	info.EstimatedCost = 1000
	return nil
}

// Open implements vtab.Table.
func (t *batch) Open() (vtab.Cursor, error) {
	if t.src == nil {
		return nil, errors.New("sqlite: no batch")
	}
	return &batchCursor{src: t.src, n: t.src.len()}, nil
}

// Disconnect implements vtab.Table.
func (t *batch) Disconnect() error { return nil }

// Destroy implements vtab.Table.
func (t *batch) Destroy() error { return nil }

type batchCursor struct {
	src  source
	i, n int
}

// Filter implements vtab.Cursor.
func (c *batchCursor) Filter(int, string, []vtab.Value) error {
	c.i = 0
	return nil
}

// Next implements vtab.Cursor.
func (c *batchCursor) Next() error {
	c.i++
	return nil
}

// Eof implements vtab.Cursor.
//
//lint:ignore ST1003 the interface has this name
func (c *batchCursor) Eof() bool { return c.i >= c.n }

// Column implements vtab.Cursor.
func (c *batchCursor) Column(col int) (vtab.Value, error) { return c.src.column(c.i, col), nil }

// Rowid implements vtab.Cursor.
func (c *batchCursor) Rowid() (int64, error) { return int64(c.i), nil }

// Close implements vtab.Cursor.
func (c *batchCursor) Close() error { return nil }

// collector is one evaluation of collect(slot, ...).
type collector struct {
	bridge *bridge
	sink   sink
}

// Step implements sqlite3.AggregateFunction.
func (a *collector) Step(_ *sqlite3.FunctionContext, args []driver.Value) error {
	if a.sink == nil {
		slot, _ := args[0].(int64)
		a.bridge.mu.Lock()
		c := a.bridge.conns[slot]
		a.bridge.mu.Unlock()
		if c == nil || c.sink == nil {
			return errors.New("sqlite: collect without a sink")
		}
		a.sink = c.sink
	}
	return a.sink.row(args[1:])
}

// WindowInverse implements sqlite3.AggregateFunction.
func (a *collector) WindowInverse(*sqlite3.FunctionContext, []driver.Value) error {
	return errors.New("sqlite: collect is not a window function")
}

// WindowValue implements sqlite3.AggregateFunction.
func (a *collector) WindowValue(*sqlite3.FunctionContext) (driver.Value, error) { return nil, nil }

// Final implements sqlite3.AggregateFunction.
func (a *collector) Final(*sqlite3.FunctionContext) {}
