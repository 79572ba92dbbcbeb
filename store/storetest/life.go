package storetest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vitalmux/vitalmux/store"
)

func lifeCases() []testCase {
	return []testCase{
		{id: "reopen", rule: "what one handle wrote another reads, after the first was closed", check: checkReopen},
		{id: "closed", rule: "a closed store returns ErrClosed from every method", check: checkClosed},
		{id: "cancelled", rule: "a call under a cancelled context returns its error and changes nothing", check: checkCancelled},
		{id: "erase", rule: "erase removes everything of the user in both scopes and of nobody else", check: checkErase},
		{id: "erase-endpoint", rule: "erase removes the user's settings and what waits for the user's upstream ids, and leaves jobs", check: checkEraseEndpoint},
		{id: "erase-forever", rule: "late data does not bring an erased user back", check: checkEraseForever},
	}
}

// call is a use of one method.
type call struct {
	method string
	do     func(ctx context.Context, s store.Store) error
}

// calls uses every method that takes a context.
func calls() []call {
	l := store.Lease{Connection: conn, Name: "sync", Owner: "o"}
	return []call{
		{"PutConnection", func(ctx context.Context, s store.Store) error {
			_, err := s.PutConnection(ctx, store.Connection{ID: "new", User: user, Provider: "p"})
			return err
		}},
		{"Connection", func(ctx context.Context, s store.Store) error { _, err := s.Connection(ctx, conn); return err }},
		{"Connections", func(ctx context.Context, s store.Store) error {
			_, err := s.Connections(ctx, store.ConnectionQuery{})
			return err
		}},
		{"DeleteConnection", func(ctx context.Context, s store.Store) error { return s.DeleteConnection(ctx, conn, true) }},
		{"Credential", func(ctx context.Context, s store.Store) error { _, err := s.Credential(ctx, conn); return err }},
		{"PutGrant", func(ctx context.Context, s store.Store) error { return s.PutGrant(ctx, "g", credentialOf("h", "p", 1)) }},
		{"SwapCredential", func(ctx context.Context, s store.Store) error {
			return s.SwapCredential(ctx, "g", "p", credentialOf("g", "q", 2))
		}},
		{"UpdateCredential", func(ctx context.Context, s store.Store) error {
			return s.UpdateCredential(ctx, credentialOf("g", "p", 2))
		}},
		{"BeginAttempt", func(ctx context.Context, s store.Store) error {
			return s.BeginAttempt(ctx, l, "g", store.Attempt{ID: "a", RefreshPrint: "p"})
		}},
		{"Acquire", func(ctx context.Context, s store.Store) error {
			_, err := s.Acquire(ctx, conn, "new", time.Hour)
			return err
		}},
		{"Renew", func(ctx context.Context, s store.Store) error { _, err := s.Renew(ctx, l, time.Hour); return err }},
		{"Release", func(ctx context.Context, s store.Store) error { return s.Release(ctx, l) }},
		{"SetDue", func(ctx context.Context, s store.Store) error {
			return s.SetDue(ctx, store.Due{Connection: conn, Task: "new", At: present})
		}},
		{"Due", func(ctx context.Context, s store.Store) error { _, err := s.Due(ctx, "", present, 0); return err }},
		{"NextDue", func(ctx context.Context, s store.Store) error { _, _, err := s.NextDue(ctx); return err }},
		{"PutFlow", func(ctx context.Context, s store.Store) error { return s.PutFlow(ctx, flowOf("new", time.Hour)) }},
		{"Flow", func(ctx context.Context, s store.Store) error { _, err := s.Flow(ctx, "flow"); return err }},
		{"TakeFlow", func(ctx context.Context, s store.Store) error { _, err := s.TakeFlow(ctx, "flow"); return err }},
		{"PutDelivery", func(ctx context.Context, s store.Store) error {
			_, err := s.PutDelivery(ctx, deliveryOf("new", 0))
			return err
		}},
		{"Deliveries", func(ctx context.Context, s store.Store) error {
			_, err := s.Deliveries(ctx, store.DeliveryQuery{})
			return err
		}},
		{"UpdateDelivery", func(ctx context.Context, s store.Store) error {
			return s.UpdateDelivery(ctx, store.Delivery{ID: "d", Status: store.DeliveryDead})
		}},
		{"Assign", func(ctx context.Context, s store.Store) error {
			return s.Assign(ctx, "d", store.Assignment{Items: []store.InboxItem{itemOf("new", user, 0)}})
		}},
		{"InboxItems", func(ctx context.Context, s store.Store) error {
			_, err := s.InboxItems(ctx, store.InboxQuery{User: user})
			return err
		}},
		{"UpdateItem", func(ctx context.Context, s store.Store) error {
			return s.UpdateItem(ctx, store.InboxItem{ID: "i", User: user, Attempts: 9})
		}},
		{"PutJob", func(ctx context.Context, s store.Store) error { return s.PutJob(ctx, jobOf("new", 0)) }},
		{"Jobs", func(ctx context.Context, s store.Store) error { _, err := s.Jobs(ctx, store.JobQuery{}); return err }},
		{"UpdateJob", func(ctx context.Context, s store.Store) error {
			return s.UpdateJob(ctx, store.Job{ID: "job", Attempts: 9})
		}},
		{"DeleteJob", func(ctx context.Context, s store.Store) error { return s.DeleteJob(ctx, "job") }},
		{"Setting", func(ctx context.Context, s store.Store) error { _, err := s.Setting(ctx, user, "n"); return err }},
		{"SwapSetting", func(ctx context.Context, s store.Store) error {
			return s.SwapSetting(ctx, user, "n", []byte("of "+user), []byte("new"))
		}},
		{"Settings", func(ctx context.Context, s store.Store) error { _, err := s.Settings(ctx, "n", "", 0); return err }},
		{"Cursor", func(ctx context.Context, s store.Store) error {
			_, err := s.Cursor(ctx, conn, stream, store.LaneLive)
			return err
		}},
		{"Cursors", func(ctx context.Context, s store.Store) error { _, err := s.Cursors(ctx, conn); return err }},
		{"Coverage", func(ctx context.Context, s store.Store) error { _, err := s.Coverage(ctx, conn, stream); return err }},
		{"Records", func(ctx context.Context, s store.Store) error {
			_, err := s.Records(ctx, store.RecordQuery{User: user})
			return err
		}},
		{"Samples", func(ctx context.Context, s store.Store) error {
			_, err := s.Samples(ctx, store.SampleQuery{User: user, Metric: "heart_rate"})
			return err
		}},
		{"RawPages", func(ctx context.Context, s store.Store) error {
			_, err := s.RawPages(ctx, store.RawQuery{Connection: conn})
			return err
		}},
		{"Quarantine", func(ctx context.Context, s store.Store) error { _, err := s.Quarantine(ctx, conn, 0); return err }},
		{"Changes", func(ctx context.Context, s store.Store) error { _, err := s.Changes(ctx, "reader", 0); return err }},
		{"Ack", func(ctx context.Context, s store.Store) error { return s.Ack(ctx, "reader") }},
		{"ResetConsumer", func(ctx context.Context, s store.Store) error { return s.ResetConsumer(ctx, "watcher") }},
		{"TrimChanges", func(ctx context.Context, s store.Store) error {
			_, err := s.TrimChanges(ctx, present.AddDate(1, 0, 0))
			return err
		}},
		{"Commit", func(ctx context.Context, s store.Store) error {
			_, err := s.Commit(ctx, batchOf(pageOf(bodyRecord("new", 0, 1, 1))))
			return err
		}},
		{"Erase", func(ctx context.Context, s store.Store) error { _, err := s.Erase(ctx, user); return err }},
	}
}

// settle gives the usual user, and another one, one of everything.
func (c *checker) settle() {
	c.furnish(conn, user)
	c.furnish("conn-2", "user-2")
	c.deliver(deliveryOf("d", 0))
	c.deliver(deliveryOf("e", 1))
	c.ok(c.s.Assign(c.ctx, "e", store.Assignment{Items: []store.InboxItem{itemOf("i", user, 0), itemOf("j", "user-2", 0)}}), "Assign")
	c.ok(c.s.PutFlow(c.ctx, flowOf("flow", time.Hour)), "PutFlow")
	other := flowOf("other", time.Hour)
	other.User = "user-2"
	c.ok(c.s.PutFlow(c.ctx, other), "PutFlow")
	c.is(c.s.PutFlow(c.ctx, flowOf("other", time.Hour)), store.ErrConflict, "PutFlow of the ID of another user's")
	c.ok(c.s.PutJob(c.ctx, jobOf("job", 0)), "PutJob")
	for _, who := range []string{"", user, "user-2"} {
		c.ok(c.s.SwapSetting(c.ctx, who, "n", nil, []byte("of "+who)), "SwapSetting")
	}
}

// survey describes all that can be read, but for flows.
func (c *checker) survey() string {
	text := ""
	note := func(format string, args ...any) { text += fmt.Sprintf(format, args...) + "\n" }
	connections, err := c.s.Connections(c.ctx, store.ConnectionQuery{})
	c.ok(err, "Connections")
	for _, v := range connections {
		work, data := c.belongings(v.ID, v.User)
		note("connection %s of %s version %d: %d %d", v.ID, v.User, v.Version, work, data)
		credential, err := c.s.Credential(c.ctx, v.ID)
		note("credential %s %s %d %t %v", credential.Grant, credential.RefreshPrint, credential.Revision, credential.Attempt != nil, err)
		_, err = c.s.Acquire(c.ctx, v.ID, "sync", time.Hour)
		note("lease held %t", errors.Is(err, store.ErrLeaseHeld))
	}
	for _, u := range []string{user, "user-2"} {
		for _, r := range c.records(store.RecordQuery{User: u, Deleted: true}) {
			note("record %s %s", r.Connection, r.Key)
		}
		note("items %s, %s", c.items(u, 0), c.inbox(store.InboxQuery{User: u}))
	}
	for _, u := range []string{"", user, "user-2"} {
		value, err := c.s.Setting(c.ctx, u, "n")
		note("setting %s %v", value, err)
	}
	for _, j := range c.jobs(store.JobQuery{}) {
		note("job %s attempts %d", j.ID, j.Attempts)
	}
	for _, d := range c.deliveries(store.DeliveryQuery{}) {
		note("delivery %s %s", d.ID, d.Status)
	}
	for _, change := range c.changes("watcher") {
		note("change %s %s %s", change.User, change.Connection, change.Key)
	}
	note("due %v", c.dueAt(present.Add(time.Hour), 0))
	return text
}

func checkReopen(c *checker) {
	c.settle()
	before := c.survey()
	c.ok(c.s.Close(), "Close")
	c.s = c.open()
	c.equal("what another handle reads", c.survey(), before)
	_, err := c.s.TakeFlow(c.ctx, "flow")
	c.ok(err, "TakeFlow")
	c.that(!c.deliver(deliveryOf("e", 1)), "a delivery that was assigned lately is new")
}

func checkClosed(c *checker) {
	closed := c.open()
	c.settle()
	before := c.survey()
	c.ok(closed.Close(), "Close")
	for _, call := range calls() {
		c.is(call.do(c.ctx, closed), store.ErrClosed, "%s", call.method)
	}
	if err := closed.Close(); err != nil {
		c.is(err, store.ErrClosed, "Close once more")
	}
	c.equal("after calls of a closed store", c.survey(), before)
}

func checkCancelled(c *checker) {
	c.settle()
	before := c.survey()
	for _, call := range calls() {
		ctx, cancel := context.WithCancel(c.ctx)
		cancel()
		c.is(call.do(ctx, c.s), context.Canceled, "%s", call.method)
		c.equal("after a cancelled "+call.method, c.survey(), before)
	}
	_, err := c.s.TakeFlow(c.ctx, "flow")
	c.ok(err, "TakeFlow, which was cancelled before")
	_, err = c.s.TakeFlow(c.ctx, "new")
	c.is(err, store.ErrNotFound, "TakeFlow of a flow whose put was cancelled")
	for _, call := range calls() { // each does something when it is not cancelled
		err := call.do(c.ctx, c.s)
		c.that(!errors.Is(err, context.Canceled) && !errors.Is(err, store.ErrClosed), "%s: %v", call.method, err)
	}
}

func checkErase(c *checker) {
	c.settle()
	c.furnish("conn-3", user)
	c.ok(c.s.DeleteConnection(c.ctx, "conn-3", false), "DeleteConnection") // its data is left
	got, err := c.s.Erase(c.ctx, user)
	c.ok(err, "Erase")
	c.that(got.Connections == 1 && got.Records == 2 && got.SampleChunks >= 1 && got.RawPages == 2 && got.Changes == 2 && got.InboxItems == 1 &&
		got.Settings == 1 && got.Deliveries == 0,
		"Erase: got counts %+v", got)
	c.owns("the erased user", conn, user, 0, 0)
	c.owns("the data without connection", "conn-3", user, 0, 0)
	c.owns("the other user", "conn-2", "user-2", 4, 5)
	c.equal("items", c.items(user, 0), "")
	c.equal("items of the other user", c.items("user-2", 0), "j")
	for _, change := range c.changes("watcher") {
		c.equal("user of a change", change.User, "user-2")
	}
	_, err = c.s.TakeFlow(c.ctx, "flow")
	c.is(err, store.ErrNotFound, "TakeFlow of the erased user")
	_, err = c.s.TakeFlow(c.ctx, "other")
	c.ok(err, "TakeFlow of the other user")
	list, err := c.s.Connections(c.ctx, store.ConnectionQuery{User: user})
	c.ok(err, "Connections")
	c.equal("connections of the erased user", len(list), 0)

	again, err := c.s.Erase(c.ctx, user)
	c.ok(err, "Erase once more")
	c.equal("counts of the second erase", again, store.Erasure{})
	_, err = c.s.Erase(c.ctx, "")
	c.is(err, store.ErrInvalid, "Erase of nobody")
	c.tell("user-2", 5, present)
}

func checkEraseEndpoint(c *checker) {
	for _, v := range []store.Connection{
		{ID: "a", User: user, Provider: "test", UpstreamID: "1"}, {ID: "b", User: user, Provider: "te", UpstreamID: "2"},
		{ID: "c", User: user, Provider: "test"}, {ID: "d", User: "user-2", Provider: "test", UpstreamID: "2"},
	} {
		_, err := c.s.PutConnection(c.ctx, v)
		c.ok(err, "PutConnection")
	}
	minute := 0
	waiting := func(id, endpoint, subject string, status store.DeliveryStatus) {
		d := deliveryOf(id, minute)
		d.Endpoint, d.Subject, d.Status = endpoint, subject, status
		c.deliver(d)
		minute++
	}
	waiting("parked", "test/main", "1", store.DeliveryParked)
	waiting("dead", "test/main", "1", store.DeliveryDead)
	waiting("bare endpoint", "test", "1", store.DeliveryParked)
	waiting("of the second", "te/main", "2", store.DeliveryParked)
	waiting("new", "test/main", "1", store.DeliveryNew)
	waiting("longer name", "testing/main", "1", store.DeliveryParked)
	waiting("other provider", "other/main", "1", store.DeliveryParked)
	waiting("other person", "test/main", "2", store.DeliveryParked)
	waiting("nobody", "test/main", "", store.DeliveryDead)
	c.ok(c.s.PutJob(c.ctx, jobOf("job", 0)), "PutJob")
	for _, who := range []string{"", user, "user-2"} {
		c.ok(c.s.SwapSetting(c.ctx, who, "n", nil, []byte("of "+who)), "SwapSetting")
	}
	c.ok(c.s.SwapSetting(c.ctx, user, "m", nil, []byte("x")), "SwapSetting")

	got, err := c.s.Erase(c.ctx, user)
	c.ok(err, "Erase")
	c.equal("counts", got, store.Erasure{Connections: 3, Deliveries: 4, Settings: 2})
	var left []string
	for _, d := range c.deliveries(store.DeliveryQuery{}) {
		left = append(left, d.ID)
	}
	c.equal("deliveries left", left, []string{"new", "longer name", "other provider", "other person", "nobody"})
	c.equal("the user's setting", c.setting(user, "n"), "none")
	c.equal("another user's setting", c.setting("user-2", "n"), "of user-2")
	c.equal("the store's setting", c.setting("", "n"), "of ")
	c.sameJobs("jobs", jobOf("job", 0))
	for _, value := range [][]byte{[]byte("x"), nil} {
		c.is(c.s.SwapSetting(c.ctx, user, "n", nil, value), store.ErrErased, "SwapSetting of an erased user")
	}
	list, err := c.s.Settings(c.ctx, "n", "", 0)
	c.ok(err, "Settings")
	c.equal("settings of the name", len(list), 1)
	again, err := c.s.Erase(c.ctx, user)
	c.ok(err, "Erase once more")
	c.equal("counts of the second erase", again, store.Erasure{})
}

func checkEraseForever(c *checker) {
	c.settle()
	late := c.leaseNamed(conn, "late")
	position := c.changes("watcher")
	_, err := c.s.Erase(c.ctx, user)
	c.ok(err, "Erase")
	c.s = c.open()
	for _, unfenced := range []bool{true, false} {
		b := fullBatch()
		if b.Unfenced = unfenced; !unfenced {
			b.Lease = late
		}
		b.Cursors = nil
		_, err := c.s.Commit(c.ctx, b)
		c.is(err, store.ErrErased, "Commit, unfenced %t", unfenced)
	}
	_, err = c.s.PutConnection(c.ctx, store.Connection{ID: "new", User: user, Provider: "p"})
	c.is(err, store.ErrErased, "PutConnection")
	c.that(c.s.PutGrant(c.ctx, "", credentialOf("g", "p", 1)) != nil, "PutGrant brings a token back")
	c.that(c.s.SwapCredential(c.ctx, "g", "p", credentialOf("g", "q", 2)) != nil, "SwapCredential brings a token back")
	c.deliver(deliveryOf("late", 5))
	c.ok(c.s.Assign(c.ctx, "late", store.Assignment{Items: []store.InboxItem{itemOf("x", user, 5), itemOf("y", "user-2", 5)}}), "Assign")
	c.equal("items of the erased user", c.items(user, 0), "")
	c.equal("items of the other user", c.items("user-2", 0), "j y")
	for _, change := range position {
		c.ok(c.s.Ack(c.ctx, "watcher", change.Position), "Ack of a change of before")
	}
	c.owns("the erased user", conn, user, 0, 0)
	for _, change := range c.changes("another watcher") {
		c.equal("user of a change", change.User, "user-2")
	}
	_, err = c.s.Erase(c.ctx, "never-seen")
	c.ok(err, "Erase of a user never seen")
	_, err = c.s.PutConnection(c.ctx, store.Connection{ID: "new", User: "never-seen", Provider: "p"})
	c.is(err, store.ErrErased, "PutConnection of a user erased before it was seen")
}
