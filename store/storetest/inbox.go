package storetest

import (
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
		{id: "inbox-update", rule: "an update changes where a delivery stands and nothing else", check: checkInboxUpdate},
		{id: "inbox-assign", rule: "assigning moves a delivery into inboxes; doing it again is harmless", check: checkInboxAssign},
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
	got := flows[winner]
	c.that(got.ExpiresAt.Equal(want.ExpiresAt), "got expiry %s, want %s", got.ExpiresAt, want.ExpiresAt)
	got.ExpiresAt = want.ExpiresAt
	c.equal("the flow", got, want)
	_, err = c.s.TakeFlow(c.ctx, "other")
	c.ok(err, "TakeFlow of the other")
}

func checkFlowExpiry(c *checker) {
	c.ok(c.s.PutFlow(c.ctx, flowOf("short", c.ttl)), "PutFlow")
	c.ok(c.s.PutFlow(c.ctx, flowOf("long", 20*c.ttl)), "PutFlow")
	c.expire()
	_, err := c.s.TakeFlow(c.ctx, "short")
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
	c.equal(what, []any{got.ID, got.Endpoint, got.Status, got.Reason, got.Attempts}, []any{want.ID, want.Endpoint, want.Status, want.Reason, want.Attempts})
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
	fresh := make([]bool, 20)
	for i, err := range together(len(fresh), func(i int) (err error) {
		fresh[i], err = c.s.PutDelivery(c.ctx, deliveryOf("raced", 20))
		return err
	}) {
		c.ok(err, "PutDelivery by %d", i)
	}
	c.equal("deliveries of one ID that are new", count(fresh), 1)
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
		ID: "a", Endpoint: "x", Received: present.AddDate(1, 0, 0), Meta: []byte("x"), Body: []byte("x"),
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

func itemOf(id, user string, minute int) store.InboxItem {
	return store.InboxItem{
		ID: id, User: user, Connection: conn, Received: present.Add(time.Duration(minute) * time.Minute), Payload: []byte("payload of " + id),
	}
}

// items describes the inbox of a user.
func (c *checker) items(user string, limit int) string {
	list, err := c.s.InboxItems(c.ctx, user, limit)
	c.ok(err, "InboxItems")
	var all []string
	for _, item := range list {
		c.that(item.User == user && item.Connection == conn && string(item.Payload) == "payload of "+item.ID, "got item %+v", item)
		all = append(all, item.ID)
	}
	return strings.Join(all, " ")
}

func checkInboxAssign(c *checker) {
	c.deliver(deliveryOf("d", 0))
	c.deliver(deliveryOf("empty", 1))
	c.deliver(deliveryOf("rest", 2))
	items := []store.InboxItem{itemOf("d/1", user, 2), itemOf("d/0", user, 1), itemOf("d/2", "user-2", 3)}
	c.ok(c.s.Assign(c.ctx, "d", items), "Assign")
	c.ok(c.s.Assign(c.ctx, "empty", nil), "Assign to nobody")
	c.equal("deliveries left", ids(c.deliveries(store.DeliveryQuery{})), "rest")
	c.equal("items", c.items(user, 0), "d/0 d/1")
	c.equal("a limit", c.items(user, 1), "d/0")
	c.equal("items of the other", c.items("user-2", 0), "d/2")
	list, err := c.s.InboxItems(c.ctx, user, 0)
	c.ok(err, "InboxItems")
	c.that(list[0].Received.Equal(items[1].Received), "got arrival %s, want %s", list[0].Received, items[1].Received)

	// The worker does not know that it got through, and does it again.
	c.ok(c.s.Assign(c.ctx, "d", items), "Assign once more")
	c.equal("items after a repeat", c.items(user, 0), "d/0 d/1")
	c.that(!c.deliver(deliveryOf("d", 0)), "a delivery that was assigned lately is new")
	b := batchOf()
	b.Acks = []string{"d/0"}
	c.commit(b)
	c.ok(c.s.Assign(c.ctx, "d", items), "Assign after an item was settled")
	c.equal("items after a late repeat", c.items(user, 0), "d/1")

	// An item that is there, from a crash between the items and the removal of
	// the delivery, stays as it is.
	again := itemOf("d/1", user, 9)
	again.Payload = []byte("another")
	c.ok(c.s.Assign(c.ctx, "rest", []store.InboxItem{again, itemOf("rest/0", user, 5)}), "Assign of a known item")
	c.equal("items in the end", c.items(user, 0), "d/1 rest/0")
	c.equal("deliveries in the end", ids(c.deliveries(store.DeliveryQuery{})), "")
}

func checkInboxAcks(c *checker) {
	c.deliver(deliveryOf("d", 0))
	c.ok(c.s.Assign(c.ctx, "d", []store.InboxItem{itemOf("1", user, 1), itemOf("2", user, 2), itemOf("3", "user-2", 1)}), "Assign")
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
