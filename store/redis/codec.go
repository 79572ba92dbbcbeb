package redis

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/vitalmux/vitalmux/store"
)

// encoder appends the fields of a stored value.
type encoder struct{ b []byte }

func (e *encoder) uint(n uint64) { e.b = binary.AppendUvarint(e.b, n) }
func (e *encoder) int(n int64)   { e.b = binary.AppendVarint(e.b, n) }
func (e *encoder) byte(c byte)   { e.b = append(e.b, c) }

func (e *encoder) fixed(n uint64) { e.b = binary.LittleEndian.AppendUint64(e.b, n) }

func (e *encoder) text(s string) {
	e.uint(uint64(len(s)))
	e.b = append(e.b, s...)
}

func (e *encoder) bool(v bool) {
	if v {
		e.byte(1)
	} else {
		e.byte(0)
	}
}

// bytes keeps nil and empty apart.
func (e *encoder) bytes(b []byte) {
	if b == nil {
		e.uint(0)
		return
	}
	e.uint(uint64(len(b)) + 1)
	e.b = append(e.b, b...)
}

// time keeps milliseconds, and the zero time.
func (e *encoder) time(t time.Time) { e.int(milli(t)) }

func (e *encoder) texts(list []string) {
	e.uint(uint64(len(list)))
	for _, s := range list {
		e.text(s)
	}
}

// noTime is what is stored of the zero time.
const noTime = math.MinInt64

func milli(t time.Time) int64 {
	if t.IsZero() {
		return noTime
	}
	return t.UnixMilli()
}

func timeOf(ms int64) time.Time {
	if ms == noTime {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// decoder reads what an encoder wrote. After the first failure all methods
// return zero values.
type decoder struct {
	b   string
	bad bool
}

func (d *decoder) fail() {
	d.b, d.bad = "", true
}

func (d *decoder) uint() uint64 {
	var n uint64
	for i := 0; i < len(d.b) && i < binary.MaxVarintLen64; i++ {
		c := d.b[i]
		n |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			d.b = d.b[i+1:]
			return n
		}
	}
	d.fail()
	return 0
}

func (d *decoder) int() int64 {
	u := d.uint()
	n := int64(u >> 1)
	if u&1 != 0 {
		n = ^n
	}
	return n
}

func (d *decoder) take(n uint64) string {
	if n > uint64(len(d.b)) {
		d.fail()
		return ""
	}
	s := d.b[:n]
	d.b = d.b[n:]
	return s
}

func (d *decoder) byte() byte {
	if s := d.take(1); s != "" {
		return s[0]
	}
	return 0
}

func (d *decoder) fixed() uint64 {
	s := d.take(8)
	if s == "" {
		return 0
	}
	return binary.LittleEndian.Uint64([]byte(s))
}

func (d *decoder) text() string { return d.take(d.uint()) }
func (d *decoder) bool() bool   { return d.byte() != 0 }

func (d *decoder) bytes() []byte {
	n := d.uint()
	if n == 0 {
		return nil
	}
	return []byte(d.take(n - 1))
}

func (d *decoder) time() time.Time { return timeOf(d.int()) }

// count reads a number of things that take at least one byte each.
func (d *decoder) count() int {
	n := d.uint()
	if n > uint64(len(d.b)) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) texts() []string {
	n := d.count()
	if n == 0 {
		return nil
	}
	list := make([]string, n)
	for i := range list {
		list[i] = d.text()
	}
	return list
}

// end returns ErrDamaged if anything was wrong or is left.
func (d *decoder) end() error {
	if d.bad || d.b != "" {
		return ErrDamaged
	}
	return nil
}

// The first byte of a stored value is the version of its encoding.
const encodingVersion = 1

func newEncoder() *encoder { return &encoder{b: []byte{encodingVersion}} }

func newDecoder(value string) *decoder {
	d := &decoder{b: value}
	if d.byte() != encodingVersion {
		d.fail()
	}
	return d
}

func encodeConnection(c *store.Connection) []byte {
	e := newEncoder()
	e.text(c.User)
	e.text(c.Provider)
	e.text(c.UpstreamID)
	e.text(string(c.State))
	e.text(c.Reason)
	e.text(c.Zone)
	e.texts(c.Scopes)
	e.text(c.Predecessor)
	e.time(c.CreatedAt)
	e.int(c.Version)
	return e.b
}

func decodeConnection(id, value string) (store.Connection, error) {
	d := newDecoder(value)
	c := store.Connection{
		ID: id, User: d.text(), Provider: d.text(), UpstreamID: d.text(), State: store.State(d.text()), Reason: d.text(),
		Zone: d.text(), Scopes: d.texts(), Predecessor: d.text(), CreatedAt: d.time(), Version: d.int(),
	}
	return c, d.end()
}

func encodeCredential(c *store.Credential) []byte {
	e := newEncoder()
	e.text(c.Grant)
	e.int(c.Generation)
	e.text(c.RefreshPrint)
	e.bytes(c.Sealed)
	e.bytes(c.Previous)
	e.time(c.ExpiresAt)
	e.uint(uint64(len(c.Siblings)))
	for _, s := range c.Siblings {
		e.bytes(s.Sealed)
		e.text(s.RefreshPrint)
		e.text(s.ParentPrint)
	}
	e.bool(c.Attempt != nil)
	if a := c.Attempt; a != nil {
		e.text(a.ID)
		e.text(a.Owner)
		e.text(a.RefreshPrint)
		e.time(a.StartedAt)
		e.time(a.Deadline)
	}
	e.int(int64(c.Fails))
	e.time(c.FailingSince)
	e.time(c.NextAt)
	e.int(int64(c.Doubts))
	e.time(c.RefusedAt)
	e.int(c.Revision)
	return e.b
}

func decodeCredential(connection, value string) (store.Credential, error) {
	d := newDecoder(value)
	c := store.Credential{
		Connection: connection, Grant: d.text(), Generation: d.int(), RefreshPrint: d.text(), Sealed: d.bytes(), Previous: d.bytes(),
		ExpiresAt: d.time(),
	}
	for range d.count() {
		c.Siblings = append(c.Siblings, store.Sibling{Sealed: d.bytes(), RefreshPrint: d.text(), ParentPrint: d.text()})
	}
	if d.bool() {
		c.Attempt = &store.Attempt{ID: d.text(), Owner: d.text(), RefreshPrint: d.text(), StartedAt: d.time(), Deadline: d.time()}
	}
	c.Fails, c.FailingSince, c.NextAt, c.Doubts = int(d.int()), d.time(), d.time(), int(d.int())
	c.RefusedAt, c.Revision = d.time(), d.int()
	return c, d.end()
}

// cursorField names a cursor among the fields of a connection.
func cursorField(stream string, lane store.Lane) string {
	e := encoder{b: []byte{'u'}}
	e.text(string(lane))
	return string(e.b) + stream
}

func encodeCursor(c *store.Cursor) []byte {
	e := newEncoder()
	e.text(c.HighWater)
	e.bool(c.Walk != nil)
	if w := c.Walk; w != nil {
		e.text(w.Query)
		e.text(w.PageToken)
		e.text(w.Candidate)
		e.time(w.StartedAt)
		e.int(int64(w.Pages))
	}
	return e.b
}

// decodeCursor sets the position of c.
func decodeCursor(c *store.Cursor, value string) error {
	d := newDecoder(value)
	c.HighWater = d.text()
	if d.bool() {
		c.Walk = &store.Walk{Query: d.text(), PageToken: d.text(), Candidate: d.text(), StartedAt: d.time(), Pages: int(d.int())}
	}
	return d.end()
}

func sameCursor(a, b *store.Cursor) bool {
	return string(encodeCursor(a)) == string(encodeCursor(b))
}
