package redis

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/vitalmux/vitalmux/store"
)

// A delivery is a fixed part and a state in two hashes, its place in the orders
// of arrival, and its body. The body is stored first, in pieces under a key of
// its own that ends by itself unless the delivery is put.

// statuses are those that a delivery may have. Each has an order of arrival.
var statuses = [...]store.DeliveryStatus{
	store.DeliveryNew, store.DeliveryUrgent, store.DeliveryPart, store.DeliveryParked, store.DeliveryDead,
}

const (
	pieceSize = 1 << 20
	// bodyTime is how long a body is kept for a delivery that is not put yet.
	bodyTime = time.Hour
	// pageBytes is how much a page of deliveries or items holds before it ends.
	pageBytes = 64 << 20
)

// waiting is the fixed part of a delivery.
type waiting struct {
	body     string // names the body's key
	endpoint string
	subject  string
	received time.Time
	meta     []byte
	size     int64 // of the body
}

func (w *waiting) encode() []byte {
	e := newEncoder()
	e.text(w.body)
	e.text(w.endpoint)
	e.text(w.subject)
	e.time(w.received)
	e.bytes(w.meta)
	e.int(w.size)
	return e.b
}

func decodeWaiting(value string) (waiting, error) {
	d := newDecoder(value)
	w := waiting{body: d.text(), endpoint: d.text(), subject: d.text(), received: d.time(), meta: d.bytes(), size: d.int()}
	if w.size < 0 {
		d.fail()
	}
	return w, d.end()
}

func encodeDeliveryState(v *store.Delivery) []byte {
	e := newEncoder()
	e.text(string(v.Status))
	e.text(v.Reason)
	e.int(int64(v.Attempts))
	e.time(v.NextAt)
	return e.b
}

func (w *waiting) delivery(id, state string) (store.Delivery, error) {
	d := newDecoder(state)
	v := store.Delivery{
		ID: id, Endpoint: w.endpoint, Subject: w.subject, Received: w.received, Meta: w.meta,
		Status: store.DeliveryStatus(d.text()), Reason: d.text(), Attempts: int(d.int()), NextAt: d.time(),
	}
	return v, d.end()
}

// inboxKeys are the keys of the scripts about deliveries, with those of the bodies
// that one is about; "" is none.
func (s *Store) inboxKeys(bodies ...string) []string {
	keys := []string{s.inboxKey("fixed"), s.inboxKey("state"), s.inboxKey("status"), s.inboxKey("settled"), s.inboxKey("order")}
	for _, status := range statuses {
		keys = append(keys, s.inboxKey("order:"+string(status)))
	}
	return append(keys, slices.DeleteFunc(bodies, func(body string) bool { return body == "" })...)
}

func (s *Store) bodyKey(body string) string { return s.inboxKey("body:" + body) }

// putArgs stores the body of a delivery and returns what the scripts put it
// with, and the key of the body.
func (s *Store) putArgs(ctx context.Context, v *store.Delivery) (args []any, key string, err error) {
	w := waiting{
		body: newNonce(), endpoint: v.Endpoint, subject: v.Subject, received: v.Received, meta: v.Meta, size: int64(len(v.Body)),
	}
	if len(v.Body) > 0 {
		if w.body, err = s.putBody(ctx, s.bodyKey(""), v.Body); err != nil {
			return nil, "", err
		}
		key = s.bodyKey(w.body)
	}
	return []any{v.ID, w.encode(), encodeDeliveryState(v), string(v.Status), milli(v.Received), key, v.Key}, key, nil
}

// putBody stores a body under a new name behind the prefix. Each attempt has a
// name of its own: what an earlier one sent may reach the server when the body
// has been put, and would have it end.
func (s *Store) putBody(ctx context.Context, prefix string, body []byte) (name string, err error) {
	err = s.on(ctx, prefix, func(c *goredis.Client) error {
		name = newNonce()
		key := prefix + name
		for i := 0; i*pieceSize < len(body); i++ {
			if err := queue(ctx, c.TxPipeline(), func(p goredis.Pipeliner) {
				p.HSet(ctx, key, strconv.Itoa(i), body[i*pieceSize:min(len(body), (i+1)*pieceSize)])
				p.PExpire(ctx, key, bodyTime)
			}); err != nil {
				return err
			}
		}
		return nil
	})
	return name, err
}

// pieces reads what was stored in pieces.
func (s *Store) pieces(ctx context.Context, key string, size int64) ([]byte, error) {
	if size == 0 {
		return []byte{}, nil
	}
	body := make([]byte, 0, size)
	n := (size + pieceSize - 1) / pieceSize
	for first := int64(0); first < n; first += 8 {
		var fields []string
		for i := first; i < min(n, first+8); i++ {
			fields = append(fields, strconv.FormatInt(i, 10))
		}
		var values []any
		if err := s.on(ctx, key, func(c *goredis.Client) (err error) {
			values, err = c.HMGet(ctx, key, fields...).Result()
			return err
		}); err != nil {
			return nil, err
		}
		for _, v := range values {
			text, ok := v.(string)
			if !ok {
				return nil, errGone
			}
			body = append(body, text...)
		}
	}
	if int64(len(body)) != size {
		return nil, ErrDamaged
	}
	return body, nil
}

// errGone says that something was removed while it was read, or ended before it
// was put.
var errGone = errors.New("redis: removed meanwhile")

// PutDelivery implements [store.Inbox].
func (s *Store) PutDelivery(ctx context.Context, v store.Delivery) (bool, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return false, err
	}
	defer end()
	if err := v.Validate(); err != nil {
		return false, err
	}
	// A body that is not needed is not sent.
	if _, there, err := s.field(ctx, s.inboxKey("fixed"), v.ID); err != nil || there {
		return false, err
	}
	args, body, err := s.putArgs(ctx, &v)
	if err != nil {
		return false, err
	}
	reply, err := s.run(ctx, s.scripts.putDelivery, s.inboxKeys(body), args...)
	put, _ := reply.(int64)
	return put == 1, err
}

// Deliveries implements [store.Inbox].
func (s *Store) Deliveries(ctx context.Context, q store.DeliveryQuery) ([]store.Delivery, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	limit := pageLimit(q.Limit, 100)
	var list []store.Delivery
	total := int64(0)
	err = s.eachDelivery(ctx, &q, func(w *waiting, v *store.Delivery) (bool, error) {
		if total += w.size; total > pageBytes && len(list) > 0 {
			return false, nil
		}
		body, err := s.pieces(ctx, s.bodyKey(w.body), w.size)
		if errors.Is(err, errGone) {
			return true, nil
		}
		v.Body = body
		list = append(list, *v)
		return len(list) < limit, err
	})
	return list, err
}

// eachDelivery calls visit with the deliveries that q selects, without bodies,
// in order, until it reports false.
func (s *Store) eachDelivery(ctx context.Context, q *store.DeliveryQuery, visit func(w *waiting, v *store.Delivery) (bool, error)) error {
	order, after := s.inboxKey("order"), q.After
	if q.Status != "" {
		// The one to go on behind may have another status by now: then it has a
		// place in the order of all.
		own := order + ":" + string(q.Status)
		there := after == ""
		if !there {
			if err := s.on(ctx, own, func(c *goredis.Client) error {
				err := c.ZScore(ctx, own, after).Err()
				if there = err == nil; isNil(err) {
					err = nil
				}
				return err
			}); err != nil {
				return err
			}
		}
		if there {
			order = own
		}
	}
	return s.scan(ctx, order, q.ID, after, func(ids []string) (bool, error) {
		var fixed, state *goredis.SliceCmd
		if err := s.view(ctx, order, func(p goredis.Pipeliner) {
			fixed, state = p.HMGet(ctx, s.inboxKey("fixed"), ids...), p.HMGet(ctx, s.inboxKey("state"), ids...)
		}); err != nil {
			return false, err
		}
		for i, id := range ids {
			text, there := fixed.Val()[i].(string)
			if !there {
				continue
			}
			w, err := decodeWaiting(text)
			if err != nil {
				return false, err
			}
			changing, _ := state.Val()[i].(string)
			v, err := w.delivery(id, changing)
			if err != nil {
				return false, err
			}
			if !(q.Endpoint == "" || v.Endpoint == q.Endpoint) || !(q.Subject == "" || v.Subject == q.Subject) ||
				!(q.Status == "" || v.Status == q.Status) || !(q.ReadyAt.IsZero() || !v.NextAt.After(q.ReadyAt)) {
				continue
			}
			if more, err := visit(&w, &v); err != nil || !more {
				return false, err
			}
		}
		return true, nil
	})
}

// UpdateDelivery implements [store.Inbox].
func (s *Store) UpdateDelivery(ctx context.Context, v store.Delivery) error {
	end, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	reply, err := s.run(ctx, s.scripts.updateDelivery, s.inboxKeys(), v.ID, encodeDeliveryState(&v), string(v.Status))
	if n, _ := reply.(int64); err == nil && n == 0 {
		err = store.ErrNotFound
	}
	return err
}

// Assign implements [store.Inbox].
func (s *Store) Assign(ctx context.Context, deliveryID string, a store.Assignment) error {
	end, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if err := a.Validate(); err != nil {
		return err
	}
	text, there, err := s.field(ctx, s.inboxKey("fixed"), deliveryID)
	if err != nil || !there {
		return err
	}
	w, err := decodeWaiting(text)
	if err != nil {
		return err
	}
	// The users' parts come first: each scope remembers which items it got, so
	// that repeating the rest after a crash, or at the same time, adds none of
	// them again.
	byUser := map[string][]*store.InboxItem{}
	var users []string
	for i := range a.Items {
		user := a.Items[i].User
		if byUser[user] == nil {
			users = append(users, user)
		}
		byUser[user] = append(byUser[user], &a.Items[i])
	}
	for _, user := range users {
		if err := s.putItems(ctx, user, deliveryID, byUser[user]); err != nil {
			return err
		}
	}
	// Then the due times, so that somebody looks after the items, and at last the
	// delivery, which has all of it done again until then.
	if len(a.Due) > 0 {
		if err := s.setDue(ctx, a.Due, false); err != nil {
			return err
		}
	}
	var bodies []string
	args := []any{deliveryID, "", len(a.Rest)}
	if w.size > 0 {
		bodies = append(bodies, s.bodyKey(w.body))
		args[1] = bodies[0]
	}
	for i := range a.Rest {
		put, body, err := s.putArgs(ctx, &a.Rest[i])
		if err != nil {
			return err
		}
		args, bodies = append(args, put...), append(bodies, body)
	}
	_, err = s.run(ctx, s.scripts.settle, s.inboxKeys(bodies...), args...)
	return err
}

// removeWaiting removes the deliveries that wait for the person of c to be
// known, or for a look at them, and returns how many there were.
func (s *Store) removeWaiting(ctx context.Context, c *store.Connection) (int, error) {
	if c.UpstreamID == "" {
		return 0, nil
	}
	type found struct{ id, body string }
	var list []found
	for _, status := range []store.DeliveryStatus{store.DeliveryParked, store.DeliveryDead} {
		q := store.DeliveryQuery{Subject: c.UpstreamID, Status: status}
		if err := s.eachDelivery(ctx, &q, func(w *waiting, v *store.Delivery) (bool, error) {
			if v.Endpoint == c.Provider || strings.HasPrefix(v.Endpoint, c.Provider+"/") {
				body := ""
				if w.size > 0 {
					body = s.bodyKey(w.body)
				}
				list = append(list, found{v.ID, body})
			}
			return true, nil
		}); err != nil {
			return 0, err
		}
	}
	n := 0
	for _, d := range list {
		reply, err := s.run(ctx, s.scripts.removeDelivery, s.inboxKeys(d.body), d.id, d.body)
		if err != nil {
			return n, err
		}
		removed, _ := reply.(int64)
		n += int(removed)
	}
	return n, nil
}

// Items of users.

// item is the head of an inbox item. A payload is beside it, or in pieces under
// a key of its own if it is large: those are stored first, as bodies are.
type item struct {
	store.InboxItem
	size int64
	body string // names the key of its own, "" for none
}

// inlineMost is how large a payload is that is stored together with its head.
const inlineMost = 64 << 10

func encodeItem(i *item) []byte {
	e := newEncoder()
	e.text(i.Connection)
	e.time(i.Received)
	e.int(int64(i.Attempts))
	e.time(i.NextAt)
	e.int(i.size)
	e.text(i.body)
	return e.b
}

func decodeItem(id, value string) (item, error) {
	d := newDecoder(value)
	i := item{InboxItem: store.InboxItem{
		ID: id, Connection: d.text(), Received: d.time(), Attempts: int(d.int()), NextAt: d.time(),
	}, size: d.int(), body: d.text()}
	if i.size < 0 {
		d.fail()
	}
	return i, d.end()
}

// settledFor is how long a scope remembers that it got an item of a delivery.
const settledFor = 7 * 24 * time.Hour

// itemMark is what a scope remembers of an item that it got.
func itemMark(delivery, id string) string {
	e := encoder{}
	e.text(delivery)
	e.text(id)
	sum := sha256.Sum256(e.b)
	return string(sum[:16])
}

// putItems puts one user's items of a delivery. After a pause in which the body of
// one ended it begins again.
func (s *Store) putItems(ctx context.Context, user, delivery string, items []*store.InboxItem) error {
	for {
		if err := s.tryItems(ctx, user, delivery, items); !errors.Is(err, errGone) {
			return err
		}
	}
}

func (s *Store) tryItems(ctx context.Context, user, delivery string, items []*store.InboxItem) error {
	sc := s.user(user)
	var ids, marks, bodies []string
	heads := make([]item, len(items))
	for n, i := range items {
		ids, marks = append(ids, i.ID), append(marks, itemMark(delivery, i.ID))
		heads[n] = item{InboxItem: *i, size: int64(len(i.Payload))}
		if len(i.Payload) > inlineMost {
			var err error
			if heads[n].body, err = s.putBody(ctx, sc.of("j", ""), i.Payload); err != nil {
				return err
			}
			bodies = append(bodies, sc.of("j", heads[n].body))
		}
	}
	var connections *goredis.MapStringStringCmd
	var there *goredis.SliceCmd
	var got *goredis.FloatSliceCmd
	var alive *goredis.IntCmd
	used := map[string]bool{} // bodies that items have
	err := s.update(ctx, sc, bodies, func(p goredis.Pipeliner) {
		connections = p.HGetAll(ctx, sc.part("k"))
		there = p.HMGet(ctx, sc.part("i"), ids...)
		got = p.ZMScore(ctx, sc.part("r"), marks...)
		p.HLen(ctx, sc.part("j"))
		if len(bodies) > 0 {
			alive = p.Exists(ctx, bodies...)
		}
	}, func(t *tx) error {
		clear(used)
		for n, value := range there.Val() {
			// An earlier attempt may have put it whose answer was lost.
			if text, ok := value.(string); ok {
				if i, err := decodeItem(ids[n], text); err == nil {
					used[i.body] = true
				}
			}
		}
		if err := t.open(user); errors.Is(err, store.ErrErased) {
			return nil
		} else if err != nil {
			return err
		}
		if len(bodies) > 0 && alive.Val() < int64(len(bodies)) {
			return errGone
		}
		put := map[string]bool{}
		for n, i := range items {
			if there.Val()[n] != nil || got.Val()[n] != 0 || put[i.ID] || i.Connection != "" && connections.Val()[i.Connection] == "" {
				continue
			}
			put[i.ID] = true
			switch head := &heads[n]; {
			case head.body != "":
				used[head.body] = true
				t.do("persist", sc.of("j", head.body))
			case head.size > 0:
				t.do("hset", sc.part("j"), i.ID, i.Payload)
			}
			t.do("hset", sc.part("i"), i.ID, encodeItem(&heads[n]))
			t.do("zadd", sc.part("r"), t.now/1000, marks[n])
		}
		if len(put) == 0 {
			return nil
		}
		t.do("zremrangebyscore", sc.part("r"), "-inf", t.now/1000-settledFor.Milliseconds())
		return nil
	})
	if err != nil {
		return err
	}
	var unused []string
	for n := range heads {
		if body := heads[n].body; body != "" && !used[body] {
			unused = append(unused, sc.of("j", body))
		}
	}
	if len(unused) > 0 {
		// What cannot be removed now ends by itself.
		_ = s.on(ctx, sc.key(), func(c *goredis.Client) error { return c.Unlink(ctx, unused...).Err() })
	}
	return nil
}

// removeItem removes an item.
func (t *tx) removeItem(i *item) {
	t.do("hdel", t.sc.part("i"), i.ID)
	if i.body != "" {
		t.do("unlink", t.sc.of("j", i.body))
	} else {
		t.do("hdel", t.sc.part("j"), i.ID)
	}
}

// payload reads the payload of an item.
func (s *Store) payload(ctx context.Context, sc scope, i *item) ([]byte, error) {
	if i.body != "" || i.size == 0 {
		return s.pieces(ctx, sc.of("j", i.body), i.size)
	}
	value, found, err := s.field(ctx, sc.part("j"), i.ID)
	if err == nil && !found {
		err = errGone
	}
	return []byte(value), err
}

// InboxItems implements [store.Inbox].
func (s *Store) InboxItems(ctx context.Context, q store.InboxQuery) ([]store.InboxItem, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	if q.User == "" {
		return nil, invalid("inbox query without user")
	}
	sc := s.user(q.User)
	var heads map[string]string
	if err := s.on(ctx, sc.key(), func(c *goredis.Client) (err error) {
		heads, err = c.HGetAll(ctx, sc.part("i")).Result()
		return err
	}); err != nil {
		return nil, err
	}
	all := make([]item, 0, len(heads))
	for id, value := range heads {
		i, err := decodeItem(id, value)
		if err != nil {
			return nil, err
		}
		all = append(all, i)
	}
	slices.SortFunc(all, func(a, b item) int {
		if c := a.Received.Compare(b.Received); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	// All of them if there is no such item.
	all = all[slices.IndexFunc(all, func(i item) bool { return i.ID == q.After })+1:]
	all = slices.DeleteFunc(all, func(i item) bool {
		return q.Connection != "" && i.Connection != q.Connection || !q.ReadyAt.IsZero() && i.NextAt.After(q.ReadyAt)
	})
	limit := pageLimit(q.Limit, 100)
	var list []store.InboxItem
	total := int64(0)
	for _, i := range all {
		if total += i.size; len(list) == limit || total > pageBytes && len(list) > 0 {
			break
		}
		payload, err := s.payload(ctx, sc, &i)
		if errors.Is(err, errGone) {
			continue
		}
		if err != nil {
			return nil, err
		}
		i.User, i.Payload = q.User, payload
		list = append(list, i.InboxItem)
	}
	return list, nil
}

// UpdateItem implements [store.Inbox].
func (s *Store) UpdateItem(ctx context.Context, v store.InboxItem) error {
	end, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if err := v.Validate(); err != nil {
		return err
	}
	sc := s.user(v.User)
	var got *goredis.StringCmd
	return s.update(ctx, sc, nil, func(p goredis.Pipeliner) {
		got = p.HGet(ctx, sc.part("i"), v.ID)
	}, func(t *tx) error {
		if got.Val() == "" {
			return nil
		}
		i, err := decodeItem(v.ID, got.Val())
		if err != nil {
			return err
		}
		i.Attempts, i.NextAt = v.Attempts, v.NextAt
		t.do("hset", sc.part("i"), v.ID, encodeItem(&i))
		return nil
	})
}
