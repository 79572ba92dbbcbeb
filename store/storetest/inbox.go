package storetest

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/store"
)

func scheduleCases() []testCase {
	return []testCase{
		{id: "due-order", rule: "what is due comes earliest first, at most as many as asked for", check: checkDueOrder},
		{id: "due-moves", rule: "a due time is one per connection and task: set again it moves, zero removes it", check: checkDueMoves},
	}
}

func inboxCases() []testCase {
	return []testCase{
		{id: "flow-once", rule: "a connect flow is taken by exactly one", check: checkFlowOnce},
		{id: "flow-expiry", rule: "an expired connect flow is not found", timed: true, check: checkFlowExpiry},
		{id: "inbox-delivery", rule: "a delivery is stored once, listed by arrival and filtered", check: checkInboxDelivery},
		{id: "inbox-key", rule: "a delivery of a key that came lately is not stored, and nothing is remembered of it", check: checkInboxKey},
		{id: "inbox-update", rule: "an update changes where a delivery stands and nothing else", check: checkInboxUpdate},
		{id: "inbox-due", rule: "assigning sets due times, unless the delivery is gone", check: checkInboxDue},
		{id: "inbox-assign", rule: "assigning moves a delivery into inboxes; doing it again is harmless", check: checkInboxAssign},
		{id: "inbox-subject", rule: "a delivery is found by its id, and by whom it is about", check: checkInboxSubject},
		{id: "inbox-pages", rule: "deliveries are listed in pages, to the last and each once", check: checkInboxPages},
		{id: "inbox-bodies", rule: "a body of 64 MiB is kept, and a page of large bodies ends early", heavy: true, check: checkInboxBodies},
		{id: "inbox-rest", rule: "what is left of an assigned delivery is put once, in the same step", check: checkInboxRest},
		{id: "inbox-items", rule: "items are listed by connection and readiness, and updates change when to try again and nothing else", check: checkInboxItems},
		{id: "inbox-item-pages", rule: "items are listed in pages, to the last and each once", check: checkInboxItemPages},
		{id: "inbox-connection", rule: "items go with their connection, and none come for one that the user does not have", check: checkInboxConnection},
		{id: "inbox-acks", rule: "a commit settles the user's items, unless it is refused", check: checkInboxAcks},
	}
}

func (c *checker) dueAt(now time.Time, limit int) []string { return c.dueOf("", now, limit) }

func (c *checker) dueOf(task string, now time.Time, limit int) []string {
	list, err := c.s.Due(c.ctx, task, now, limit)
	c.ok(err, "Due")
	var got []string
	for _, d := range list {
		got = append(got, fmt.Sprintf("%s %s %d", d.Connection, d.Task, d.At.Sub(present)/time.Second))
	}
	return got
}

func (c *checker) nextDue(want int) {
	at, ok, err := c.s.NextDue(c.ctx)
	c.ok(err, "NextDue")
	c.that(ok && at.Equal(present.Add(time.Duration(want)*time.Second)), "NextDue: got %s %t, want %d s after %s", at, ok, want, present)
}

func (c *checker) setDue(connection, task string, seconds int) {
	c.ok(c.s.SetDue(c.ctx, store.Due{Connection: connection, Task: task, At: present.Add(time.Duration(seconds) * time.Second)}), "SetDue")
}

func checkDueOrder(c *checker) {
	_, ok, err := c.s.NextDue(c.ctx)
	c.ok(err, "NextDue")
	c.that(!ok, "NextDue of nothing is something")
	var want []string
	for i := range 120 {
		c.setDue(fmt.Sprintf("c%03d", 119-i), "sync", i)
		want = append(want, fmt.Sprintf("c%03d sync %d", 119-i, i))
	}
	c.setDue("future", "sync", 1000)
	c.nextDue(0)
	c.equal("default limit", c.dueAt(present.Add(time.Hour), 0), want[:100:100])
	c.equal("limit of 7", c.dueAt(present.Add(time.Hour), 7), want[:7:7])
	c.equal("at the very moment", c.dueAt(present.Add(10*time.Second), 0), want[:11:11])
	c.equal("before all", c.dueAt(present.Add(-time.Second), 0), []string(nil))
	c.equal("all", c.dueAt(present.Add(time.Hour), 500), append(want, "future sync 1000"))
}

func checkDueMoves(c *checker) {
	c.setDue(conn, "sync", 10)
	c.setDue(conn, "backfill", 20)
	c.setDue("conn-2", "sync", 30)
	c.setDue(conn, "sync", 40)
	c.nextDue(20)
	c.equal("after a move", c.dueAt(present.Add(time.Hour), 0), []string{"conn-1 backfill 20", "conn-2 sync 30", "conn-1 sync 40"})
	c.equal("of one task", c.dueOf("sync", present.Add(time.Hour), 1), []string{"conn-2 sync 30"})
	c.equal("of no such task", c.dueOf("syn", present.Add(time.Hour), 0), []string(nil))
	c.setDue(conn, "sync", -5)
	c.nextDue(-5)
	c.ok(c.s.SetDue(c.ctx, store.Due{Connection: conn, Task: "sync"}), "SetDue of zero")
	c.ok(c.s.SetDue(c.ctx, store.Due{Connection: "conn-9", Task: "sync"}), "SetDue of zero for none")
	c.equal("after a removal", c.dueAt(present.Add(time.Hour), 0), []string{"conn-1 backfill 20", "conn-2 sync 30"})

	b := batchOf()
	b.Due = []store.Due{{Connection: conn, Task: "sync", At: present}, {Connection: conn, Task: "backfill"}}
	c.commit(b)
	c.equal("after a commit", c.dueAt(present.Add(time.Hour), 0), []string{"conn-1 sync 0", "conn-2 sync 30"})
}

func flowOf(id string, ttl time.Duration) store.Flow {
	return store.Flow{
		ID: id, Provider: "test", User: user, RedirectURL: "https://example.org/callback?a=\u00e9", Sealed: []byte{0, 0xff},
		ExpiresAt: time.Now().Add(ttl).Truncate(time.Millisecond),
	}
}

func checkFlowOnce(c *checker) {
	want := flowOf("state", time.Hour)
	c.ok(c.s.PutFlow(c.ctx, want), "PutFlow")
	c.ok(c.s.PutFlow(c.ctx, flowOf("other", time.Hour)), "PutFlow of another")
	c.is(c.s.PutFlow(c.ctx, want), store.ErrConflict, "PutFlow of a taken ID")
	_, err := c.s.TakeFlow(c.ctx, "never")
	c.is(err, store.ErrNotFound, "TakeFlow of none")
	_, err = c.s.Flow(c.ctx, "never")
	c.is(err, store.ErrNotFound, "Flow of none")
	same := func(what string, got store.Flow) {
		c.that(got.ExpiresAt.Equal(want.ExpiresAt), "%s: got expiry %s, want %s", what, got.ExpiresAt, want.ExpiresAt)
		got.ExpiresAt = want.ExpiresAt
		c.equal(what, got, want)
	}
	for range 2 {
		read, err := c.s.Flow(c.ctx, "state")
		c.ok(err, "Flow")
		same("the flow that was read", read)
	}
	flows := make([]store.Flow, 30)
	errs := together(len(flows), func(i int) (err error) {
		flows[i], err = c.s.TakeFlow(c.ctx, "state")
		return err
	})
	winner := -1
	for i, err := range errs {
		if err == nil {
			c.that(winner < 0, "two took the flow")
			winner = i
			continue
		}
		c.is(err, store.ErrNotFound, "TakeFlow by %d", i)
	}
	c.that(winner >= 0, "nobody got the flow")
	same("the flow that was taken", flows[winner])
	_, err = c.s.Flow(c.ctx, "state")
	c.is(err, store.ErrNotFound, "Flow of a taken one")
	_, err = c.s.TakeFlow(c.ctx, "other")
	c.ok(err, "TakeFlow of the other")
}

func checkFlowExpiry(c *checker) {
	c.ok(c.s.PutFlow(c.ctx, flowOf("short", c.ttl)), "PutFlow")
	c.ok(c.s.PutFlow(c.ctx, flowOf("long", 20*c.ttl)), "PutFlow")
	c.expire()
	_, err := c.s.Flow(c.ctx, "short")
	c.is(err, store.ErrNotFound, "Flow of an expired one")
	_, err = c.s.Flow(c.ctx, "long")
	c.ok(err, "Flow of one that is not expired")
	_, err = c.s.TakeFlow(c.ctx, "short")
	c.is(err, store.ErrNotFound, "TakeFlow of an expired one")
	_, err = c.s.TakeFlow(c.ctx, "long")
	c.ok(err, "TakeFlow of one that is not expired")
}

func deliveryOf(id string, minute int) store.Delivery {
	return store.Delivery{
		ID: id, Endpoint: "test/main", Received: present.Add(time.Duration(minute) * time.Minute), Status: store.DeliveryNew,
		Meta: []byte{1, 0}, Body: []byte("body of " + id),
	}
}

func (c *checker) deliver(d store.Delivery) bool {
	fresh, err := c.s.PutDelivery(c.ctx, d)
	c.ok(err, "PutDelivery(%s)", d.ID)
	return fresh
}

func (c *checker) deliveries(q store.DeliveryQuery) []store.Delivery {
	list, err := c.s.Deliveries(c.ctx, q)
	c.ok(err, "Deliveries")
	return list
}

func (c *checker) sameDelivery(what string, got, want store.Delivery) {
	c.that(got.Received.Equal(want.Received) && got.NextAt.Equal(want.NextAt), "%s: got times %s and %s, want %s and %s",
		what, got.Received, got.NextAt, want.Received, want.NextAt)
	c.that(string(got.Meta) == string(want.Meta) && string(got.Body) == string(want.Body), "%s: got %q %q", what, got.Meta, got.Body)
	c.equal(what, []any{got.ID, got.Endpoint, got.Subject, got.Status, got.Reason, got.Attempts},
		[]any{want.ID, want.Endpoint, want.Subject, want.Status, want.Reason, want.Attempts})
}

func ids(list []store.Delivery) string {
	var all []string
	for _, d := range list {
		all = append(all, d.ID)
	}
	return strings.Join(all, " ")
}

func checkInboxDelivery(c *checker) {
	big := deliveryOf("big", 5)
	big.Body = []byte(strings.Repeat("0123456789abcdef", 5<<14)) // 1.25 MiB
	c.that(c.deliver(big), "a new delivery is not new")
	for i, id := range []string{"c", "a", "b"} {
		c.that(c.deliver(deliveryOf(id, 3-i)), "a new delivery is not new")
	}
	other := deliveryOf("a", 0)
	other.Body = []byte("another body")
	c.that(!c.deliver(other), "a delivery of a known ID is new")
	c.equal("order of arrival", ids(c.deliveries(store.DeliveryQuery{})), "b a c big")
	c.equal("a limit", ids(c.deliveries(store.DeliveryQuery{Limit: 2})), "b a")
	list := c.deliveries(store.DeliveryQuery{})
	c.sameDelivery("a small one", list[1], deliveryOf("a", 2))
	c.sameDelivery("a big one", list[3], big)
	list[1].Body[0] = 'X'
	c.sameDelivery("after a reader changed it", c.deliveries(store.DeliveryQuery{})[1], deliveryOf("a", 2))

	odd := deliveryOf("odd", 9)
	odd.Endpoint, odd.Status, odd.Reason, odd.Attempts, odd.NextAt = "test/other", store.DeliveryParked, "unknown user", 2, present.Add(time.Hour)
	c.deliver(odd)
	for what, tc := range map[string]struct {
		q    store.DeliveryQuery
		want string
	}{
		"an endpoint":    {store.DeliveryQuery{Endpoint: "test/other"}, "odd"},
		"a status":       {store.DeliveryQuery{Status: store.DeliveryNew}, "b a c big"},
		"none":           {store.DeliveryQuery{Endpoint: "test/other", Status: store.DeliveryNew}, ""},
		"ready early":    {store.DeliveryQuery{ReadyAt: present.Add(time.Hour - time.Second)}, "b a c big"},
		"ready in time":  {store.DeliveryQuery{ReadyAt: present.Add(time.Hour)}, "b a c big odd"},
		"ready and more": {store.DeliveryQuery{ReadyAt: present.Add(time.Hour), Status: store.DeliveryParked}, "odd"},
	} {
		c.equal(what, ids(c.deliveries(tc.q)), tc.want)
	}
	for _, status := range []store.DeliveryStatus{store.DeliveryUrgent, store.DeliveryPart} {
		d := deliveryOf(string(status), 15)
		d.Status = status
		c.deliver(d)
		c.equal("status "+string(status), ids(c.deliveries(store.DeliveryQuery{Status: status, ReadyAt: present.Add(time.Hour)})), string(status))
	}
	c.equal("new ones beside", ids(c.deliveries(store.DeliveryQuery{Status: store.DeliveryNew})), "b a c big")
	fresh := make([]bool, 20)
	for i, err := range together(len(fresh), func(i int) (err error) {
		fresh[i], err = c.s.PutDelivery(c.ctx, deliveryOf("raced", 20))
		return err
	}) {
		c.ok(err, "PutDelivery by %d", i)
	}
	c.equal("deliveries of one ID that are new", count(fresh), 1)
}

func checkInboxKey(c *checker) {
	keyed := func(id, key string) store.Delivery {
		d := deliveryOf(id, 0)
		d.Key = key
		return d
	}
	c.that(c.deliver(keyed("a", "k1")), "a new delivery is not new")
	c.that(!c.deliver(keyed("b", "k1")), "another delivery of a known key is new")
	c.that(!c.deliver(keyed("a", "k2")), "a known delivery of another key is new")
	c.that(c.deliver(keyed("c", "k2")), "the key of a delivery that was not stored is remembered")
	c.that(c.deliver(keyed("b", "")), "the id of a delivery that was not stored is remembered")
	c.that(c.deliver(keyed("d", "")), "two without a key are the same")
	list := c.deliveries(store.DeliveryQuery{})
	c.equal("what is stored", ids(list), "a b c d")
	c.sameDelivery("one with a key", list[0], deliveryOf("a", 0))
	c.equal("the key", list[0].Key, "")
	c.ok(c.s.Assign(c.ctx, "a", store.Assignment{}), "Assign")
	c.that(!c.deliver(keyed("e", "k1")), "a key is forgotten with its delivery")
	c.equal("what is left", ids(c.deliveries(store.DeliveryQuery{})), "b c d")
	fresh := make([]bool, 20)
	for i, err := range together(len(fresh), func(i int) (err error) {
		fresh[i], err = c.s.PutDelivery(c.ctx, keyed(fmt.Sprint("raced ", i), "raced"))
		return err
	}) {
		c.ok(err, "PutDelivery by %d", i)
	}
	c.equal("deliveries of one key that are new", count(fresh), 1)
}

// count counts what is true.
func count(list []bool) int {
	n := 0
	for _, yes := range list {
		if yes {
			n++
		}
	}
	return n
}

func checkInboxUpdate(c *checker) {
	c.deliver(deliveryOf("a", 0))
	c.deliver(deliveryOf("b", 1))
	change := store.Delivery{
		ID: "a", Endpoint: "x", Subject: "x", Received: present.AddDate(1, 0, 0), Meta: []byte("x"), Body: []byte("x"),
		Status: store.DeliveryDead, Reason: "malformed", Attempts: 7, NextAt: present.Add(time.Hour),
	}
	c.ok(c.s.UpdateDelivery(c.ctx, change), "UpdateDelivery")
	want := deliveryOf("a", 0)
	want.Status, want.Reason, want.Attempts, want.NextAt = change.Status, change.Reason, change.Attempts, change.NextAt
	list := c.deliveries(store.DeliveryQuery{})
	c.sameDelivery("the updated one", list[0], want)
	c.sameDelivery("the other one", list[1], deliveryOf("b", 1))
	change.ID = "never"
	c.is(c.s.UpdateDelivery(c.ctx, change), store.ErrNotFound, "UpdateDelivery of none")
}

// itemOf returns an item for the connection that settle gives the user.
func itemOf(id, who string, minute int) store.InboxItem {
	connection := conn
	if who != user {
		connection = "conn-2"
	}
	return store.InboxItem{
		ID: id, User: who, Connection: connection, Received: present.Add(time.Duration(minute) * time.Minute), Payload: []byte("payload of " + id),
	}
}

// items describes the inbox of a user.
func (c *checker) items(user string, limit int) string {
	list, err := c.s.InboxItems(c.ctx, store.InboxQuery{User: user, Limit: limit})
	c.ok(err, "InboxItems")
	var all []string
	for _, item := range list {
		c.that(item.User == user && item.Connection == itemOf("", user, 0).Connection && string(item.Payload) == "payload of "+item.ID, "got item %+v", item)
		all = append(all, item.ID)
	}
	return strings.Join(all, " ")
}

func checkInboxAssign(c *checker) {
	c.connect(conn, user)
	c.connect("conn-2", "user-2")
	c.deliver(deliveryOf("d", 0))
	c.deliver(deliveryOf("empty", 1))
	c.deliver(deliveryOf("rest", 2))
	items := []store.InboxItem{itemOf("d/1", user, 2), itemOf("d/0", user, 1), itemOf("d/2", "user-2", 3)}
	c.ok(c.s.Assign(c.ctx, "d", store.Assignment{Items: items}), "Assign")
	c.ok(c.s.Assign(c.ctx, "empty", store.Assignment{}), "Assign to nobody")
	c.equal("deliveries left", ids(c.deliveries(store.DeliveryQuery{})), "rest")
	c.equal("items", c.items(user, 0), "d/0 d/1")
	c.equal("a limit", c.items(user, 1), "d/0")
	c.equal("items of the other", c.items("user-2", 0), "d/2")
	list, err := c.s.InboxItems(c.ctx, store.InboxQuery{User: user})
	c.ok(err, "InboxItems")
	c.that(list[0].Received.Equal(items[1].Received), "got arrival %s, want %s", list[0].Received, items[1].Received)

	// The worker does not know that it got through, and does it again.
	c.ok(c.s.Assign(c.ctx, "d", store.Assignment{Items: items}), "Assign once more")
	c.equal("items after a repeat", c.items(user, 0), "d/0 d/1")
	c.that(!c.deliver(deliveryOf("d", 0)), "a delivery that was assigned lately is new")
	b := batchOf()
	b.Acks = []string{"d/0"}
	c.commit(b)
	c.ok(c.s.Assign(c.ctx, "d", store.Assignment{Items: items}), "Assign after an item was settled")
	c.equal("items after a late repeat", c.items(user, 0), "d/1")

	// An item that is there, from a crash between the items and the removal of
	// the delivery, stays as it is.
	again := itemOf("d/1", user, 9)
	again.Payload = []byte("another")
	c.ok(c.s.Assign(c.ctx, "rest", store.Assignment{Items: []store.InboxItem{again, itemOf("rest/0", user, 5)}}), "Assign of a known item")
	c.equal("items in the end", c.items(user, 0), "d/1 rest/0")
	c.equal("deliveries in the end", ids(c.deliveries(store.DeliveryQuery{})), "")
}

func checkInboxAcks(c *checker) {
	c.connect(conn, user)
	c.connect("conn-2", "user-2")
	c.deliver(deliveryOf("d", 0))
	c.ok(c.s.Assign(c.ctx, "d", store.Assignment{Items: []store.InboxItem{itemOf("1", user, 1), itemOf("2", user, 2), itemOf("3", "user-2", 1)}}), "Assign")
	b := fullBatch()
	b.Acks = []string{"1"}
	b.Cursors[0].Old.HighWater = "elsewhere"
	_, err := c.s.Commit(c.ctx, b)
	c.is(err, store.ErrConflict, "Commit")
	c.equal("items after a refused commit", c.items(user, 0), "1 2")
	b.Cursors = nil
	b.Acks = []string{"1", "3", "never"}
	c.commit(b)
	c.equal("items after a commit", c.items(user, 0), "2")
	c.equal("items of another user", c.items("user-2", 0), "3")
	c.commit(b)
	c.equal("items after the commit again", c.items(user, 0), "2")
}

func checkInboxSubject(c *checker) {
	for i, id := range []string{"a", "b", "c", "d"} {
		d := deliveryOf(id, i)
		if i%2 == 0 {
			d.Subject, d.Status = "person 1", store.DeliveryParked
		}
		c.deliver(d)
	}
	far := deliveryOf("far", 9)
	far.Endpoint, far.Subject, far.Status, far.NextAt = "other/main", "person 1", store.DeliveryParked, present.Add(time.Hour)
	c.deliver(far)
	c.sameDelivery("one with a subject", c.deliveries(store.DeliveryQuery{ID: "far"})[0], far)
	for what, tc := range map[string]struct {
		q    store.DeliveryQuery
		want string
	}{
		"an id":                   {store.DeliveryQuery{ID: "b"}, "b"},
		"no such id":              {store.DeliveryQuery{ID: "x"}, ""},
		"an id of another status": {store.DeliveryQuery{ID: "b", Status: store.DeliveryParked}, ""},
		"a subject":               {store.DeliveryQuery{Subject: "person 1"}, "a c far"},
		"part of a subject":       {store.DeliveryQuery{Subject: "person"}, ""},
		"a subject and endpoint":  {store.DeliveryQuery{Subject: "person 1", Endpoint: "test/main"}, "a c"},
		"a subject, all fields":   {store.DeliveryQuery{Subject: "person 1", Endpoint: "other/main", Status: store.DeliveryParked, ReadyAt: present.Add(time.Hour)}, "far"},
		"a subject that is ready": {store.DeliveryQuery{Subject: "person 1", ReadyAt: present}, "a c"},
	} {
		c.equal(what, ids(c.deliveries(tc.q)), tc.want)
	}
}

// pages reads all deliveries of q in pages.
func (c *checker) pages(q store.DeliveryQuery) string {
	var all []store.Delivery
	for range pageCap {
		page := c.deliveries(q)
		c.that(q.Limit == 0 || len(page) <= q.Limit, "got %d deliveries, asked for %d", len(page), q.Limit)
		if len(page) == 0 {
			return ids(all)
		}
		all = append(all, page...)
		q.After = page[len(page)-1].ID
	}
	c.fail("no end of pages")
	return ""
}

func checkInboxPages(c *checker) {
	var all, parked []string
	for i := range 130 {
		d := deliveryOf(fmt.Sprintf("%03d", i), i/3) // three arrive at once
		if i == 0 {
			d.Received = time.Time{}
		}
		if i%4 == 1 {
			d.Status, d.Subject, d.NextAt = store.DeliveryParked, "person", present.Add(time.Duration(200-i)*time.Minute)
			parked = append(parked, d.ID)
		}
		all = append(all, d.ID)
		c.deliver(d)
	}
	for _, limit := range []int{0, 1, 7, 129, 130} {
		c.equal(fmt.Sprintf("all in pages of %d", limit), c.pages(store.DeliveryQuery{Limit: limit}), strings.Join(all, " "))
		c.equal(fmt.Sprintf("parked ones in pages of %d", limit),
			c.pages(store.DeliveryQuery{Status: store.DeliveryParked, Limit: limit}), strings.Join(parked, " "))
		c.equal(fmt.Sprintf("ready ones in pages of %d", limit), c.pages(store.DeliveryQuery{
			Status: store.DeliveryParked, ReadyAt: present.Add(180 * time.Minute), Limit: limit,
		}), strings.Join(parked[5:], " "))
		c.equal(fmt.Sprintf("those of a subject in pages of %d", limit),
			c.pages(store.DeliveryQuery{Subject: "person", Limit: limit}), strings.Join(parked, " "))
	}
	c.ok(c.s.UpdateDelivery(c.ctx, store.Delivery{ID: "004", Status: store.DeliveryDead}), "UpdateDelivery")
	c.equal("after one that changed", ids(c.deliveries(store.DeliveryQuery{After: "004", Limit: 2})), "005 006")
	c.ok(c.s.Assign(c.ctx, "004", store.Assignment{}), "Assign")
	c.equal("after one that is gone", ids(c.deliveries(store.DeliveryQuery{After: "004", Limit: 2})), "000 001")
}

func checkInboxBodies(c *checker) {
	c.connect(conn, user)
	large := deliveryOf("large", 1)
	large.Body = make([]byte, 64<<20)
	// Bytes that do not compress, made quickly.
	block, err := aes.NewCipher(binary.LittleEndian.AppendUint64(make([]byte, 8), c.rand.Uint64()))
	c.ok(err, "NewCipher")
	cipher.NewCTR(block, make([]byte, aes.BlockSize)).XORKeyStream(large.Body, large.Body)
	c.deliver(deliveryOf("before", 0))
	c.deliver(large)
	c.deliver(deliveryOf("after", 2))
	c.equal("the first page", ids(c.deliveries(store.DeliveryQuery{})), "before")
	second := c.deliveries(store.DeliveryQuery{After: "before"})
	c.equal("the second page", ids(second), "large")
	c.that(bytes.Equal(second[0].Body, large.Body), "the large body changed")
	c.equal("the third page", ids(c.deliveries(store.DeliveryQuery{After: "large"})), "after")
	item := itemOf("0", user, 0)
	item.Payload = large.Body
	c.ok(c.s.Assign(c.ctx, "before", store.Assignment{Items: []store.InboxItem{item, itemOf("1", user, 1)}}), "Assign")
	list, err := c.s.InboxItems(c.ctx, store.InboxQuery{User: user})
	c.ok(err, "InboxItems")
	c.that(len(list) == 1 && bytes.Equal(list[0].Payload, large.Body), "got %d items on a page that the first fills", len(list))
	c.equal("the next page", c.inbox(store.InboxQuery{User: user, After: "0"}), "1:conn-1:0")
}

func checkInboxDue(c *checker) {
	c.connect(conn, user)
	c.deliver(deliveryOf("d", 0))
	c.setDue(conn, "sync", 40)
	c.setDue(conn, "backfill", 50)
	c.setDue("conn-2", "sync", 60)
	a := store.Assignment{
		Items: []store.InboxItem{itemOf("d/0", user, 0)},
		Due:   []store.Due{{Connection: conn, Task: "sync", At: present}, {Connection: "conn-2", Task: "sync"}},
	}
	bad := a
	bad.Due = []store.Due{a.Due[0], a.Due[1], {Connection: conn}}
	c.is(c.s.Assign(c.ctx, "d", bad), store.ErrInvalid, "Assign with a due time of no task")
	c.equal("after a refusal", c.dueAt(present.Add(time.Hour), 0), []string{"conn-1 sync 40", "conn-1 backfill 50", "conn-2 sync 60"})
	c.equal("items after a refusal", c.items(user, 0), "")

	c.ok(c.s.Assign(c.ctx, "d", a), "Assign")
	c.nextDue(0)
	c.equal("after an assignment", c.dueAt(present.Add(time.Hour), 0), []string{"conn-1 sync 0", "conn-1 backfill 50"})

	c.setDue(conn, "sync", 70)
	c.ok(c.s.Assign(c.ctx, "d", a), "Assign once more")
	c.equal("after a repeat", c.dueAt(present.Add(time.Hour), 0), []string{"conn-1 backfill 50", "conn-1 sync 70"})
}

func checkInboxRest(c *checker) {
	c.connect(conn, user)
	c.deliver(deliveryOf("d", 0))
	c.deliver(deliveryOf("there", 1))
	parked := deliveryOf("d/1", 0)
	parked.Subject, parked.Status, parked.Reason, parked.Attempts = "person", store.DeliveryParked, "unknown user", 1
	parked.NextAt = present.Add(time.Hour)
	another := deliveryOf("there", 5)
	another.Body = []byte("another")
	rest := []store.Delivery{parked, another, deliveryOf("d", 7)}
	items := []store.InboxItem{itemOf("d/0", user, 0)}
	c.is(c.s.Assign(c.ctx, "d", store.Assignment{Items: items, Rest: []store.Delivery{parked, {}}}), store.ErrInvalid, "Assign with a rest without id")
	c.equal("deliveries after a refusal", ids(c.deliveries(store.DeliveryQuery{})), "d there")
	c.equal("items after a refusal", c.items(user, 0), "")

	c.ok(c.s.Assign(c.ctx, "d", store.Assignment{Items: items, Rest: rest}), "Assign")
	c.equal("deliveries left", ids(c.deliveries(store.DeliveryQuery{})), "d/1 there")
	c.sameDelivery("the rest", c.deliveries(store.DeliveryQuery{ID: "d/1"})[0], parked)
	c.sameDelivery("one that was there", c.deliveries(store.DeliveryQuery{ID: "there"})[0], deliveryOf("there", 1))
	c.equal("items", c.items(user, 0), "d/0")

	// The worker that crashed before it knew does it again, after others have
	// worked on what it put.
	c.s = c.open()
	c.ok(c.s.Assign(c.ctx, "d/1", store.Assignment{}), "Assign of the rest to nobody")
	b := batchOf()
	b.Acks = []string{"d/0"}
	c.commit(b)
	c.ok(c.s.Assign(c.ctx, "d", store.Assignment{Items: items, Rest: rest}), "Assign once more")
	c.equal("deliveries after a repeat", ids(c.deliveries(store.DeliveryQuery{})), "there")
	c.equal("items after a repeat", c.items(user, 0), "")

	c.ok(c.s.Assign(c.ctx, "there", store.Assignment{Rest: []store.Delivery{parked, deliveryOf("new", 3)}}), "Assign with a rest that was assigned lately")
	c.equal("deliveries in the end", ids(c.deliveries(store.DeliveryQuery{})), "new")

	parts := func(i int) []store.Delivery { return []store.Delivery{deliveryOf(fmt.Sprintf("part %d", i), 4)} }
	other := c.open()
	for i, err := range together(16, func(i int) error {
		if i%2 == 0 {
			return c.s.Assign(c.ctx, "new", store.Assignment{Rest: parts(i)})
		}
		return other.Assign(c.ctx, "new", store.Assignment{Rest: parts(i)})
	}) {
		c.ok(err, "Assign by %d", i)
	}
	c.equal("parts that were put by those who assigned one delivery", len(c.deliveries(store.DeliveryQuery{})), 1)
}

func (c *checker) inbox(q store.InboxQuery) string {
	list, err := c.s.InboxItems(c.ctx, q)
	c.ok(err, "InboxItems")
	var all []string
	for _, item := range list {
		all = append(all, fmt.Sprintf("%s:%s:%d", item.ID, item.Connection, item.Attempts))
	}
	return strings.Join(all, " ")
}

func checkInboxItems(c *checker) {
	c.connect(conn, user)
	c.connect("more", user)
	c.connect("conn-2", "user-2")
	c.deliver(deliveryOf("d", 0))
	loose, more := itemOf("2", user, 2), itemOf("3", user, 3)
	loose.Connection, more.Connection = "", "more"
	more.Attempts, more.NextAt = 4, present.Add(2*time.Hour)
	same := itemOf("0", "user-2", 0)
	c.ok(c.s.Assign(c.ctx, "d", store.Assignment{Items: []store.InboxItem{more, loose, itemOf("1", user, 1), itemOf("0", user, 0), same}}), "Assign")
	c.equal("all", c.inbox(store.InboxQuery{User: user}), "0:conn-1:0 1:conn-1:0 2::0 3:more:4")
	_, err := c.s.InboxItems(c.ctx, store.InboxQuery{Connection: conn})
	c.is(err, store.ErrInvalid, "InboxItems of no user")

	c.is(c.s.UpdateItem(c.ctx, store.InboxItem{ID: "0"}), store.ErrInvalid, "UpdateItem of no user")
	c.ok(c.s.UpdateItem(c.ctx, store.InboxItem{ID: "never", User: user, Attempts: 1}), "UpdateItem of none")
	c.ok(c.s.UpdateItem(c.ctx, store.InboxItem{
		ID: "0", User: user, Connection: "x", Received: present.AddDate(1, 0, 0), Payload: []byte("x"), Attempts: 2, NextAt: present.Add(time.Hour),
	}), "UpdateItem")
	list, err := c.s.InboxItems(c.ctx, store.InboxQuery{User: user, Limit: 1})
	c.ok(err, "InboxItems")
	got, want := list[0], itemOf("0", user, 0)
	c.that(got.Received.Equal(want.Received) && got.NextAt.Equal(present.Add(time.Hour)), "got times %s and %s", got.Received, got.NextAt)
	c.equal("an updated item", []any{got.ID, got.User, got.Connection, string(got.Payload), got.Attempts},
		[]any{want.ID, user, conn, string(want.Payload), 2})
	for what, tc := range map[string]struct {
		q    store.InboxQuery
		want string
	}{
		"of a connection":        {store.InboxQuery{User: user, Connection: conn}, "0:conn-1:2 1:conn-1:0"},
		"of another user's":      {store.InboxQuery{User: user, Connection: "conn-2"}, ""},
		"of the other user":      {store.InboxQuery{User: "user-2"}, "0:conn-2:0"},
		"ready now":              {store.InboxQuery{User: user, ReadyAt: present}, "1:conn-1:0 2::0"},
		"ready in an hour":       {store.InboxQuery{User: user, ReadyAt: present.Add(time.Hour)}, "0:conn-1:2 1:conn-1:0 2::0"},
		"ready, of a connection": {store.InboxQuery{User: user, Connection: "more", ReadyAt: present.Add(2 * time.Hour)}, "3:more:4"},
		"at most two":            {store.InboxQuery{User: user, Limit: 2}, "0:conn-1:2 1:conn-1:0"},
	} {
		c.equal(what, c.inbox(tc.q), tc.want)
	}
}

// itemPages reads all items of q in pages.
func (c *checker) itemPages(q store.InboxQuery) string {
	var all []string
	for range pageCap {
		page, err := c.s.InboxItems(c.ctx, q)
		c.ok(err, "InboxItems")
		c.that(q.Limit == 0 || len(page) <= q.Limit, "got %d items, asked for %d", len(page), q.Limit)
		if len(page) == 0 {
			return strings.Join(all, " ")
		}
		for i := range page {
			all = append(all, page[i].ID)
		}
		q.After = page[len(page)-1].ID
	}
	c.fail("no end of pages")
	return ""
}

func checkInboxItemPages(c *checker) {
	c.connect(conn, user)
	c.connect("more", user)
	c.connect("conn-2", "user-2")
	c.deliver(deliveryOf("d", 0))
	var items []store.InboxItem
	var all, more, ready []string
	for i := range 130 {
		item := itemOf(fmt.Sprintf("%03d", i), user, i/3) // three arrive at once
		if i < 2 {
			item.Received = time.Time{}
		}
		if i%4 == 1 {
			item.Connection = "more"
			more = append(more, item.ID)
		}
		if i%5 == 2 {
			item.NextAt = present.Add(time.Hour)
		} else {
			ready = append(ready, item.ID)
		}
		all, items = append(all, item.ID), append(items, item)
	}
	same := itemOf("004", "user-2", 100)
	c.ok(c.s.Assign(c.ctx, "d", store.Assignment{Items: append(items, same)}), "Assign")
	for _, limit := range []int{0, 1, 7, 129, 130} {
		c.equal(fmt.Sprintf("all in pages of %d", limit), c.itemPages(store.InboxQuery{User: user, Limit: limit}), strings.Join(all, " "))
		c.equal(fmt.Sprintf("those of a connection in pages of %d", limit),
			c.itemPages(store.InboxQuery{User: user, Connection: "more", Limit: limit}), strings.Join(more, " "))
		c.equal(fmt.Sprintf("ready ones in pages of %d", limit),
			c.itemPages(store.InboxQuery{User: user, ReadyAt: present, Limit: limit}), strings.Join(ready, " "))
	}
	c.equal("after one of another connection", c.inbox(store.InboxQuery{User: user, Connection: "more", After: "004", Limit: 1}), "005:more:0")
	c.equal("after one that is not ready", c.inbox(store.InboxQuery{User: user, ReadyAt: present, After: "002", Limit: 1}), "003:conn-1:0")
	b := batchOf()
	b.Acks = []string{"004"}
	c.commit(b)
	c.equal("after one that is gone", c.inbox(store.InboxQuery{User: user, After: "004", Limit: 2}), "000:conn-1:0 001:more:0")
}

func checkInboxConnection(c *checker) {
	for _, id := range []string{conn, "keeps", "loses"} {
		c.connect(id, user)
	}
	c.connect("conn-2", "user-2")
	c.deliver(deliveryOf("d", 0))
	var items []store.InboxItem
	for i, connection := range []string{conn, "keeps", "loses", "", "never", "conn-2"} {
		item := itemOf(fmt.Sprint(i), user, i)
		item.Connection = connection
		items = append(items, item)
	}
	items = append(items, itemOf("6", "user-2", 6))
	c.ok(c.s.Assign(c.ctx, "d", store.Assignment{Items: items}), "Assign")
	c.equal("items that came", c.inbox(store.InboxQuery{User: user}), "0:conn-1:0 1:keeps:0 2:loses:0 3::0")
	c.ok(c.s.DeleteConnection(c.ctx, "keeps", false), "DeleteConnection")
	c.ok(c.s.DeleteConnection(c.ctx, "loses", true), "DeleteConnection")
	c.equal("items that are left", c.inbox(store.InboxQuery{User: user}), "0:conn-1:0 3::0")
	c.equal("items of the other user", c.inbox(store.InboxQuery{User: "user-2"}), "6:conn-2:0")
	c.deliver(deliveryOf("late", 0))
	c.ok(c.s.Assign(c.ctx, "late", store.Assignment{Items: items[1:3]}), "Assign")
	c.equal("items after a late delivery", c.inbox(store.InboxQuery{User: user}), "0:conn-1:0 3::0")
}
