package storetest

import (
	"errors"
	"fmt"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

func leaseCases() []testCase {
	return []testCase{
		{id: "lease-held", rule: "a lease is held by one, per connection and name, until it is released", check: checkLeaseHeld},
		{id: "lease-race", rule: "of many that acquire a lease exactly one does", check: checkLeaseRace},
		{id: "lease-owner", rule: "owners are random and fences rise with each acquisition, over handles too", check: checkLeaseOwner},
		{id: "lease-name", rule: "a lease for a name that is no connection is held as any other, whatever happens to connections and users", check: checkLeaseName},
		{id: "lease-expiry", rule: "an expired lease is lost, can be taken over, and its old holder harms nobody", timed: true, check: checkLeaseExpiry},
		{id: "lease-renew", rule: "a renewed lease lasts from the renewal on", timed: true, check: checkLeaseRenew},
		{id: "commit-stale-holder", rule: "a holder that was overtaken between read and commit changes nothing", timed: true, check: checkStaleHolder},
		{id: "commit-expired", rule: "a commit under a lease that expired changes nothing, even if nobody took it", timed: true, check: checkCommitExpired},
		{id: "commit-forged", rule: "a commit under a lease of another owner or name changes nothing", check: checkCommitForged},
	}
}

func checkLeaseHeld(c *checker) {
	l := c.lease(conn)
	c.that(l.Connection == conn && l.Name == "sync" && l.Owner != "" && l.Fence > 0, "Acquire: got %+v", l)
	_, err := c.s.Acquire(c.ctx, conn, "sync", time.Hour)
	c.is(err, store.ErrLeaseHeld, "Acquire of a held lease")
	_, err = c.open().Acquire(c.ctx, conn, "sync", time.Hour)
	c.is(err, store.ErrLeaseHeld, "Acquire of a held lease by another handle")
	_, err = c.s.Acquire(c.ctx, conn, "refresh", time.Hour)
	c.ok(err, "Acquire of another name")
	_, err = c.s.Acquire(c.ctx, "conn-2", "sync", time.Hour)
	c.ok(err, "Acquire of another connection")

	c.ok(c.s.Release(c.ctx, store.Lease{Connection: conn, Name: "sync", Owner: "somebody", Fence: l.Fence}), "Release by somebody else")
	_, err = c.s.Acquire(c.ctx, conn, "sync", time.Hour)
	c.is(err, store.ErrLeaseHeld, "Acquire after a release by somebody else")
	_, err = c.s.Renew(c.ctx, store.Lease{Connection: conn, Name: "sync", Owner: "somebody", Fence: l.Fence}, time.Hour)
	c.is(err, store.ErrLeaseLost, "Renew by somebody else")
	renewed, err := c.s.Renew(c.ctx, l, time.Hour)
	c.ok(err, "Renew")
	c.that(renewed.Owner == l.Owner && renewed.Fence == l.Fence && !renewed.Until.Before(l.Until), "Renew: got %+v of %+v", renewed, l)

	c.ok(c.s.Release(c.ctx, l), "Release")
	c.ok(c.s.Release(c.ctx, l), "Release once more")
	_, err = c.s.Renew(c.ctx, l, time.Hour)
	c.is(err, store.ErrLeaseLost, "Renew of a released lease")
	b := fullBatch()
	b.Unfenced, b.Lease = false, l
	_, err = c.s.Commit(c.ctx, b)
	c.is(err, store.ErrLeaseLost, "Commit under a released lease")
	c.nothing("a commit under a released lease")
	next := c.lease(conn)
	c.ok(c.s.Release(c.ctx, l), "Release of the old lease")
	b.Lease = next
	c.counts("a commit under the new lease", c.commit(b), 1, 0, 0, 0, 0)
}

func checkLeaseRace(c *checker) {
	other := c.open()
	for range 3 {
		leases := make([]store.Lease, 20)
		errs := together(len(leases), func(i int) (err error) {
			s := c.s
			if i%2 == 0 {
				s = other
			}
			leases[i], err = s.Acquire(c.ctx, conn, "sync", time.Hour)
			return err
		})
		winner := -1
		for i, err := range errs {
			if err == nil {
				c.that(winner < 0, "two hold the lease at once")
				winner = i
				continue
			}
			c.is(err, store.ErrLeaseHeld, "Acquire by %d", i)
		}
		c.that(winner >= 0, "nobody got the lease")
		c.ok(c.s.Release(c.ctx, leases[winner]), "Release")
	}
}

func checkLeaseOwner(c *checker) {
	owners := map[string]bool{}
	fence := int64(0)
	for i := range 20 {
		s := c.s
		if i%5 == 4 {
			s = c.open()
		}
		l, err := s.Acquire(c.ctx, conn, "sync", time.Hour)
		c.ok(err, "Acquire")
		c.that(!owners[l.Owner], "the owner %s comes twice", l.Owner)
		c.that(len(l.Owner) >= 22, "the owner %q is too short for 128 bits", l.Owner)
		c.that(l.Fence > fence, "the fence went from %d to %d", fence, l.Fence)
		owners[l.Owner], fence = true, l.Fence
		c.ok(s.Release(c.ctx, l), "Release")
	}
}

func checkLeaseExpiry(c *checker) {
	first, err := c.s.Acquire(c.ctx, conn, "sync", c.ttl)
	c.ok(err, "Acquire")
	c.expire()
	_, err = c.s.Renew(c.ctx, first, c.ttl)
	c.is(err, store.ErrLeaseLost, "Renew of an expired lease")
	second := c.lease(conn)
	c.that(second.Owner != first.Owner && second.Fence > first.Fence, "the taken-over lease is not new: %+v after %+v", second, first)
	_, err = c.s.Renew(c.ctx, first, c.ttl)
	c.is(err, store.ErrLeaseLost, "Renew of a lease that was taken over")
	c.ok(c.s.Release(c.ctx, first), "Release of a lost lease")
	_, err = c.s.Acquire(c.ctx, conn, "sync", c.ttl)
	c.is(err, store.ErrLeaseHeld, "Acquire after the old holder released")
	_, err = c.s.Renew(c.ctx, second, time.Hour)
	c.ok(err, "Renew by the new holder")
}

func checkLeaseRenew(c *checker) {
	var l store.Lease
	for late := true; late; { // where a store takes longer than the lease lasts
		began := time.Now()
		first, err := c.s.Acquire(c.ctx, conn, "sync", c.ttl)
		c.ok(err, "Acquire")
		l, err = c.s.Renew(c.ctx, first, 20*c.ttl)
		if late = errors.Is(err, store.ErrLeaseLost) && time.Since(began) >= c.ttl; !late {
			c.ok(err, "Renew")
		}
	}
	c.expire()
	_, err := c.s.Acquire(c.ctx, conn, "sync", c.ttl)
	c.is(err, store.ErrLeaseHeld, "Acquire of a renewed lease")
	b := batchOf(pageOf(bodyRecord("a", 0, 1, 1)))
	b.Unfenced, b.Lease = false, l
	c.commit(b)
}

func checkStaleHolder(c *checker) {
	c.put(bodyRecord("a", 0, 10, 70_000))
	c.drain("watcher")
	stale, err := c.s.Acquire(c.ctx, conn, "sync", c.ttl)
	c.ok(err, "Acquire")
	cursor := c.cursor(stream, store.LaneLive)

	// The holder pauses between its reads and its commit.
	c.expire()
	fresh, err := c.open().Acquire(c.ctx, conn, "sync", time.Hour)
	c.ok(err, "Acquire by another")

	next := cursor
	next.HighWater = "stale"
	b := batchOf(pageOf(bodyRecord("a", 0, 20, 71_000), bodyRecord("b", 1, 20, 72_000)))
	b.Unfenced, b.Lease = false, stale
	b.Cursors = []store.CursorSwap{{Old: cursor, New: next}}
	b.Covered = []store.Covered{{Stream: stream, Window: window(health.DayOf(present))}}
	b.Due = []store.Due{{Connection: conn, Task: "sync", At: present}}
	b.Absent = []store.Absent{absent(100)}
	_, err = c.s.Commit(c.ctx, b)
	c.is(err, store.ErrLeaseLost, "Commit by the stale holder")
	c.same("records", c.everything(), stored(bodyRecord("a", 0, 10, 70_000)))
	c.sameCursor("the cursor", c.cursor(stream, store.LaneLive), cursor)
	c.equal("changes", len(c.drain("watcher")), 0)
	windows, err := c.s.Coverage(c.ctx, conn, stream)
	c.ok(err, "Coverage")
	c.equal("covered windows", len(windows), 0)
	due, err := c.s.Due(c.ctx, "", present, 0)
	c.ok(err, "Due")
	c.equal("due times", len(due), 0)

	b.Lease, b.Absent = fresh, nil
	c.counts("the same by the new holder", c.commit(b), 1, 1, 0, 0, 0)
}

func checkCommitExpired(c *checker) {
	l, err := c.s.Acquire(c.ctx, conn, "sync", c.ttl)
	c.ok(err, "Acquire")
	c.expire()
	b := fullBatch()
	b.Unfenced, b.Lease = false, l
	_, err = c.s.Commit(c.ctx, b)
	c.is(err, store.ErrLeaseLost, "Commit")
	c.nothing("a commit under an expired lease")
}

func checkCommitForged(c *checker) {
	held := c.lease(conn)
	other, err := c.s.Acquire(c.ctx, conn, "refresh", time.Hour)
	c.ok(err, "Acquire")
	for i, l := range []store.Lease{
		{Connection: conn, Name: "sync", Owner: "forged", Fence: held.Fence, Until: held.Until},
		{Connection: conn, Name: "sync", Owner: other.Owner, Fence: held.Fence + 1, Until: held.Until.Add(time.Hour)},
		{Connection: conn, Name: "never", Owner: held.Owner, Fence: held.Fence, Until: held.Until},
	} {
		for _, unfenced := range []bool{false, true} {
			b := fullBatch()
			b.Unfenced, b.Lease = unfenced, l
			_, err := c.s.Commit(c.ctx, b)
			c.is(err, store.ErrLeaseLost, "forged lease %d", i)
			c.nothing(fmt.Sprintf("forged lease %d", i))
		}
	}
	b := fullBatch()
	b.Unfenced, b.Lease = false, other
	c.counts("a commit under a lease of another name that is held", c.commit(b), 1, 0, 0, 0, 0)
}

func checkLeaseName(c *checker) {
	c.connect(conn, user)
	for _, name := range []string{"all", "page/2", "\u00e9 " + conn} {
		l := c.leaseNamed(name, "receipts")
		held := func(when string) {
			_, err := c.open().Acquire(c.ctx, name, "receipts", time.Hour)
			c.is(err, store.ErrLeaseHeld, "Acquire of a held lease %s", when)
			l, err = c.s.Renew(c.ctx, l, time.Hour)
			c.ok(err, "Renew %s", when)
		}
		held("in the beginning")
		c.ok(c.s.DeleteConnection(c.ctx, conn, true), "DeleteConnection")
		held("after a connection was deleted")
		_, err := c.s.Erase(c.ctx, "somebody")
		c.ok(err, "Erase")
		held("after a user was erased")
		_, err = c.s.Connection(c.ctx, name)
		c.is(err, store.ErrNotFound, "Connection of the name")
		c.ok(c.s.Release(c.ctx, l), "Release")
		_, err = c.s.Renew(c.ctx, l, time.Hour)
		c.is(err, store.ErrLeaseLost, "Renew of a released lease")
		c.ok(c.s.Release(c.ctx, c.leaseNamed(name, "receipts")), "Release of the next")
	}
}
