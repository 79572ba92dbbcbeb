package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/binary"
	"sync"
	"time"

	"github.com/vitalmux/vitalmux/store"
)

const (
	// week is how long at least the id of a delivery that was removed is
	// remembered, and the key of one that was put: to the end of the week, as
	// counted since 1970, and all of the next.
	week = 7 * 24 * time.Hour
	// nameBits is how many bits of a name follow its week in its number.
	nameBits = 50
	// forgotten is how many names are forgotten at most with some deliveries.
	forgotten = 1000
	// recentNames is how many names of recent deliveries are kept at most in
	// memory. With more they would be settled more cheaply, for each, and more
	// would have to wait for it.
	recentNames = 16 << 10
)

// name is what an id or a key is remembered by: the numbers of columns name and
// rest. A page holds more of them than of texts.
type name struct{ name, rest int64 }

// nameOf returns the name of an id or a key.
func nameOf(text string) name {
	sum := sha256.Sum256([]byte(text))
	return name{
		name: int64(binary.BigEndian.Uint64(sum[:8]) >> (64 - nameBits)),
		rest: int64(binary.BigEndian.Uint64(sum[8:16])) >> 16, // with its sign: six bytes in a row
	}
}

// weekOf is what a name of that time has besides its bits.
func weekOf(t time.Time) int64 { return t.Unix() / int64(week/time.Second) << nameBits }

// recent are the deliveries that no index has: see table delivery_id. The writer
// changes it; who reads may find there what is not committed.
type recent struct {
	most    int // names
	mu      sync.RWMutex
	numbers map[name]int64 // by id, of the delivery; by key, 0

	current bool  // all that this connection can see is here
	week    int64 // when it was read from the beginning
	lost    bool  // it is to be read from the beginning
	settled int64 // the number up to which the indexes have them
	last    int64 // the number up to which they were read
	changes int   // how often it was changed
}

// behind tells that another process wrote.
func (r *recent) behind() { r.current = false }

// lose tells that what was written is undone.
func (r *recent) lose() { r.current, r.lost = false, true }

func (r *recent) reset(settled int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.numbers, r.lost, r.settled, r.last = map[name]int64{}, false, settled, settled
	r.changes++
}

// add adds a delivery.
func (r *recent) add(number int64, id name, key *name) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.numbers[id] = number
	if key != nil && *key != id {
		r.numbers[*key] = 0
	}
	r.last = max(r.last, number)
	r.changes++
}

func (r *recent) remove(id name, key *name) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.numbers, id)
	if key != nil {
		delete(r.numbers, *key)
	}
	r.changes++
}

// number returns the number of the delivery with an id, 0 if it is not here.
func (r *recent) number(id name) int64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.numbers[id]
}

// has reports whether a name is here. The writer asks.
func (r *recent) has(n name) bool {
	_, ok := r.numbers[n]
	return ok
}

const settledDeliveries = "coalesce((SELECT value FROM meta WHERE name = 'deliveries_settled'), 0)"

// readRecent reads what came since it was read last. What other processes
// removed is still here then: all is read anew when that may be much, and in
// another week, before the names of what is gone are forgotten.
func (t *tx) readRecent() error {
	r, this := t.recent, weekOf(t.now)
	stale := r.lost || r.numbers == nil || r.week != this || len(r.numbers) > 2*r.most
	if r.current && !stale {
		return nil
	}
	settled := int64(0)
	if _, err := t.one(background, func(r row) { settled = r.int(0) }, "SELECT "+settledDeliveries); err != nil {
		return err
	}
	if stale || r.settled != settled {
		r.reset(settled)
		r.week = this
	}
	err := t.each(background, func(found row) error {
		number, id, key := delivered(found)
		r.add(number, id, key)
		return nil
	}, "SELECT num, name, rest, key_name, key_rest FROM delivery WHERE num > ?1", r.last)
	r.current = err == nil
	return err
}

// delivered returns number and names of a delivery, from columns in this order.
func delivered(r row) (number int64, id name, key *name) {
	if !r.null(3) {
		key = &name{r.int(3), r.int(4)}
	}
	return r.int(0), name{r.int(1), r.int(2)}, key
}

// incoming is a delivery that is to be put.
type incoming struct {
	id  name
	key *name // nil if it has none
	row [incomingColumns]driver.Value
	put bool // it is new
}

// incomingColumns are those of table delivery but its number: names are the last.
const incomingColumns = 14

func newIncoming(d *store.Delivery, packed []byte) *incoming {
	in := &incoming{id: nameOf(d.ID)}
	in.row = [incomingColumns]driver.Value{
		d.ID, d.Endpoint, d.Subject, millis(d.Received), string(d.Status), d.Reason, int64(d.Attempts), millis(d.NextAt), d.Meta, packed,
		in.id.name, in.id.rest,
	}
	if d.Key != "" {
		key := nameOf(d.Key)
		in.key, in.row[12], in.row[13] = &key, key.name, key.rest
	}
	return in
}

// incomings give rows to temp.batch.
type incomings []*incoming

func (list incomings) len() int { return len(list) }

func (list incomings) column(i, col int) driver.Value { return list[i].row[col] }

const (
	// Joins open their tables once, subqueries once for each row.
	knownDeliveries = `SELECT b.rowid FROM temp.batch AS b LEFT JOIN delivery_id AS h ON h.name = c10 AND h.rest = c11
		LEFT JOIN delivered AS i ON i.name = ?1 + c10 AND i.rest = c11 LEFT JOIN delivered AS j ON j.name = ?2 + c10 AND j.rest = c11
		LEFT JOIN delivered AS k ON k.name = ?1 + c12 AND k.rest = c13 LEFT JOIN delivered AS l ON l.name = ?2 + c12 AND l.rest = c13
		WHERE coalesce(h.name, i.name, j.name, k.name, l.name) IS NOT NULL`
	putDeliveries = `INSERT OR FAIL INTO delivery(id, endpoint, subject, received, status, reason, attempts, next, meta, body,
		name, rest, key_name, key_rest)
		SELECT c0, c1, c2, c3, c4, c5, c6, c7, coalesce(c8, x''), c9, c10, c11, c12, c13 FROM temp.batch`
	forget = "DELETE FROM delivered WHERE name IN (SELECT name FROM delivered WHERE name < ?1 LIMIT ?2)"

	// In the order of the names: a page is written once for all that it gets.
	settleIDs = `INSERT OR IGNORE INTO delivery_id(name, rest, delivery)
		SELECT name, rest, num FROM delivery WHERE num > ?1 ORDER BY name, rest`
	settleKeys = `INSERT OR IGNORE INTO delivered(name, rest)
		SELECT ?2 + key_name, key_rest FROM delivery WHERE num > ?1 AND key_name IS NOT NULL ORDER BY key_name, key_rest`
	settled = `INSERT INTO meta(name, value) VALUES('deliveries_settled', ?1) ON CONFLICT(name) DO UPDATE SET value = excluded.value`
)

// putDeliveries stores those of a list that neither are nor lately were there,
// all in a few statements: a group of the writer is mostly deliveries when many
// services wait for their answers.
func (t *tx) putDeliveries(list incomings) error {
	if len(list) == 0 {
		return nil
	}
	if err := t.readRecent(); err != nil {
		return err
	}
	this, last := weekOf(t.now), weekOf(t.now.Add(-week))
	if _, err := t.exec(background, forget, last, forgotten); err != nil {
		return err
	}
	defer func() { t.batch.src = nil }()
	known := make([]bool, len(list))
	t.batch.src = list
	if err := t.each(background, func(r row) error {
		known[r.int(0)] = true
		return nil
	}, knownDeliveries, this, last); err != nil {
		return err
	}
	fresh, names := make(incomings, 0, len(list)), make(map[name]bool, 2*len(list))
	there := func(n name) bool { return names[n] || t.recent.has(n) }
	for i, in := range list {
		if in.put = !known[i] && !there(in.id) && (in.key == nil || !there(*in.key)); !in.put {
			continue
		}
		fresh, names[in.id] = append(fresh, in), true
		if in.key != nil {
			names[*in.key] = true
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	t.batch.src = fresh
	result, err := t.result(background, putDeliveries)
	if err != nil {
		return err
	}
	number, err := result.LastInsertId()
	if err != nil {
		return err
	}
	number -= int64(len(fresh)) // they have neighbouring numbers
	for _, in := range fresh {
		number++
		t.recent.add(number, in.id, in.key)
	}
	if len(t.recent.numbers) < t.recent.most {
		return nil
	}
	return t.settleDeliveries()
}

// settleDeliveries brings the recent deliveries to the indexes.
func (t *tx) settleDeliveries() error {
	r := t.recent
	if _, err := t.exec(background, settleIDs, r.settled); err != nil {
		return err
	}
	if _, err := t.exec(background, settleKeys, r.settled, weekOf(t.now)); err != nil {
		return err
	}
	if _, err := t.exec(background, settled, r.last); err != nil {
		return err
	}
	r.reset(r.last)
	return nil
}

// deliveryNumber returns the number of a delivery, 0 if there is none.
func (t *tx) deliveryNumber(id string) (int64, error) {
	if err := t.readRecent(); err != nil {
		return 0, err
	}
	number, _, err := t.indexedDelivery(background, id, t.recent)
	return number, err
}

// indexedDelivery returns the number of a delivery that is settled, or recent
// as far as that is known here; 0 if it is neither.
func (c *conn) indexedDelivery(ctx context.Context, id string, recent *recent) (number int64, n name, err error) {
	n = nameOf(id)
	_, err = c.one(ctx, func(r row) { number = r.int(0) }, `SELECT num FROM delivery WHERE num = ?1 AND id = ?2
		UNION ALL SELECT num FROM delivery_id AS i JOIN delivery AS d ON num = delivery WHERE i.name = ?3 AND i.rest = ?4 AND id = ?2`,
		recent.number(n), id, n.name, n.rest)
	return number, n, err
}

// deliveryNumber returns the number of a delivery, 0 if there is none. This
// connection may see recent ones that the writer does not know of, of another
// process: they are looked through.
func (c *conn) deliveryNumber(ctx context.Context, id string, recent *recent) (int64, error) {
	number, n, err := c.indexedDelivery(ctx, id, recent)
	if err != nil || number != 0 {
		return number, err
	}
	_, err = c.one(ctx, func(r row) { number = r.int(0) }, "SELECT num FROM delivery WHERE num > "+settledDeliveries+
		" AND name = ?1 AND rest = ?2 AND id = ?3", n.name, n.rest, id)
	return number, err
}

// removeDelivery removes a delivery. Its key stays remembered.
func (t *tx) removeDelivery(number int64) error {
	if err := t.readRecent(); err != nil {
		return err
	}
	var id name
	var key *name
	if found, err := t.one(background, func(r row) { _, id, key = delivered(r) },
		"SELECT num, name, rest, key_name, key_rest FROM delivery WHERE num = ?1", number); err != nil || !found {
		return err
	}
	if _, err := t.exec(background, "DELETE FROM delivery WHERE num = ?1", number); err != nil {
		return err
	}
	if number <= t.recent.settled {
		_, err := t.exec(background, "DELETE FROM delivery_id WHERE name = ?1 AND rest = ?2", id.name, id.rest)
		return err
	}
	t.recent.remove(id, key)
	if key == nil {
		return nil
	}
	return t.remember(*key)
}

// remember keeps a name of a delivery that is gone.
func (t *tx) remember(n name) error {
	_, err := t.exec(background, "INSERT OR IGNORE INTO delivered(name, rest) VALUES(?1, ?2)", weekOf(t.now)+n.name, n.rest)
	return err
}
