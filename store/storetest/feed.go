package storetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/vitalmux/vitalmux/store"
)

func feedCases() []testCase {
	return []testCase{
		{id: "feed-order", rule: "changes come in the order of the commits of a user, whatever the limit", check: checkFeedOrder},
		{id: "feed-consumers", rule: "each consumer acknowledges for itself, per user, and what is not acknowledged comes again", check: checkFeedConsumers},
		{id: "feed-trim", rule: "a consumer behind the oldest change gets ErrFeedTrimmed until it is reset", check: checkFeedTrim},
		{id: "feed-concurrent", rule: "no change is skipped while several users' commits go on", check: checkFeedConcurrent},
	}
}

// tell commits a new record of its own user and connection.
func (c *checker) tell(user string, n int, at time.Time) {
	r := bodyRecord(fmt.Sprintf("%03d", n), n, 1, 1)
	r.Connection = "conn-of-" + user
	b := batchOf(pageOf(r))
	b.User, b.Connection, b.Now = user, r.Connection, at
	c.commit(b)
}

// keysOf returns the keys of changes per user, in order.
func keysOf(list []store.Change) map[string][]string {
	keys := map[string][]string{}
	for _, change := range list {
		keys[change.User] = append(keys[change.User], change.Key)
	}
	return keys
}

func toldKeys(numbers ...int) []string {
	var keys []string
	for _, n := range numbers {
		keys = append(keys, fmt.Sprintf("%s/%03d", stream, n))
	}
	return keys
}

func checkFeedOrder(c *checker) {
	want := map[string][]string{}
	for i := range 30 {
		u := fmt.Sprintf("user-%d", i%3)
		c.tell(u, 29-i, present)
		want[u] = append(want[u], toldKeys(29-i)...)
	}
	c.equal("changes", keysOf(c.changes("all")), want)
	for _, limit := range []int{1, 4, 30, 31} {
		consumer := fmt.Sprintf("by-%d", limit)
		var got []store.Change
		for {
			list, err := c.s.Changes(c.ctx, consumer, limit)
			c.ok(err, "Changes")
			c.that(len(list) <= limit, "got %d changes, asked for %d", len(list), limit)
			if len(list) == 0 {
				break
			}
			got = append(got, list...)
			c.that(len(got) <= 30, "changes come again although they are acknowledged")
			var positions []store.Position
			for _, change := range list {
				positions = append(positions, change.Position)
			}
			c.ok(c.s.Ack(c.ctx, consumer, positions...), "Ack")
		}
		c.equal("changes of "+consumer, keysOf(got), want)
	}
}

func checkFeedConsumers(c *checker) {
	for i := range 6 {
		c.tell("user-a", i, present)
		c.tell("user-b", i, present)
	}
	list := c.changes("one")
	c.equal("changes that were not acknowledged", keysOf(c.changes("one")), keysOf(list))
	third := slices.IndexFunc(list, func(v store.Change) bool { return v.User == "user-a" && v.Key == toldKeys(2)[0] })
	c.ok(c.s.Ack(c.ctx, "one", list[third].Position), "Ack")
	rest := map[string][]string{"user-a": toldKeys(3, 4, 5), "user-b": toldKeys(0, 1, 2, 3, 4, 5)}
	c.equal("after one position", keysOf(c.changes("one")), rest)
	first := slices.IndexFunc(list, func(v store.Change) bool { return v.User == "user-a" })
	c.ok(c.s.Ack(c.ctx, "one", list[first].Position), "Ack")
	c.equal("after an older position", keysOf(c.changes("one")), rest)
	c.ok(c.s.Ack(c.ctx, "one"), "Ack of nothing")
	c.equal("after no position", keysOf(c.changes("one")), rest)
	c.equal("another consumer", keysOf(c.changes("two")), keysOf(list))

	c.ok(c.s.ResetConsumer(c.ctx, "two"), "ResetConsumer")
	c.equal("after a reset", len(c.changes("two")), 0)
	c.tell("user-b", 6, present)
	c.tell("user-c", 0, present)
	c.equal("after a reset and commits", keysOf(c.changes("two")), map[string][]string{"user-b": toldKeys(6), "user-c": toldKeys(0)})
	c.equal("changes of the first consumer", keysOf(c.drain("one")), map[string][]string{
		"user-a": toldKeys(3, 4, 5), "user-b": toldKeys(0, 1, 2, 3, 4, 5, 6), "user-c": toldKeys(0),
	})
	c.that(c.s.Ack(c.ctx, "one", "no position") != nil, "Ack takes any text for a position")
}

func checkFeedTrim(c *checker) {
	day := func(n int) time.Time { return present.AddDate(0, 0, n-20) }
	for i := range 6 {
		c.tell("user-a", i, day(i))
	}
	c.tell("user-b", 0, day(9))
	ack := func(consumer string, n int) {
		for _, change := range c.changes(consumer) {
			if change.User == "user-a" && change.Key <= toldKeys(n)[0] {
				c.ok(c.s.Ack(c.ctx, consumer, change.Position), "Ack")
			}
		}
	}
	ack("behind", 0)
	ack("exact", 2)
	ack("ahead", 4)
	trimmed, err := c.s.TrimChanges(c.ctx, day(3))
	c.ok(err, "TrimChanges")
	c.equal("changes trimmed", trimmed, 3)
	trimmed, err = c.s.TrimChanges(c.ctx, day(3))
	c.ok(err, "TrimChanges")
	c.equal("changes trimmed again", trimmed, 0)

	for _, consumer := range []string{"behind", "new"} {
		_, err = c.s.Changes(c.ctx, consumer, 0)
		c.is(err, store.ErrFeedTrimmed, "Changes of the consumer that is %s", consumer)
	}
	c.equal("changes of exact", keysOf(c.changes("exact")), map[string][]string{"user-a": toldKeys(3, 4, 5), "user-b": toldKeys(0)})
	c.equal("changes of ahead", keysOf(c.changes("ahead")), map[string][]string{"user-a": toldKeys(5), "user-b": toldKeys(0)})
	c.ok(c.s.ResetConsumer(c.ctx, "behind"), "ResetConsumer")
	c.equal("changes after a reset", len(c.changes("behind")), 0)
	c.tell("user-a", 6, day(10))
	c.equal("changes after a reset and a commit", keysOf(c.changes("behind")), map[string][]string{"user-a": toldKeys(6)})
	c.drain("behind")
	trimmed, err = c.s.TrimChanges(c.ctx, present)
	c.ok(err, "TrimChanges")
	c.equal("changes trimmed in the end", trimmed, 5)
	c.tell("user-a", 7, day(11))
	_, err = c.s.Changes(c.ctx, "ahead", 0)
	c.is(err, store.ErrFeedTrimmed, "Changes after everything was trimmed")
	want := map[string][]string{"user-a": toldKeys(7)}
	c.equal("changes after everything was acknowledged and trimmed", keysOf(c.drain("behind")), want)
	_, err = c.s.Erase(c.ctx, "user-a")
	c.ok(err, "Erase")
	c.tell("user-c", 0, day(12))
	want = map[string][]string{"user-c": toldKeys(0)}
	c.equal("changes after the last ones were erased", keysOf(c.drain("behind")), want)
}

func checkFeedConcurrent(c *checker) {
	const users, commits = 4, 25
	done := make(chan []error, 1)
	go func() {
		done <- together(users, func(u int) error {
			name := fmt.Sprintf("user-%d", u)
			for i := range commits {
				r := bodyRecord(fmt.Sprintf("%03d", i), i, 1, 1)
				r.Connection = "conn-of-" + name
				b := batchOf(pageOf(r))
				b.User, b.Connection = name, r.Connection
				if _, err := c.s.Commit(c.ctx, b); err != nil {
					return err
				}
			}
			return nil
		})
	}()
	got := map[string][]string{}
	var errs []error
	for running := true; running; {
		select {
		case errs = <-done:
			running = false // one more look at what came last
		default:
		}
		for range users * commits {
			list, err := c.s.Changes(c.ctx, "reader", 7)
			if err != nil && running {
				errs = append(<-done, err)
				running = false
			}
			if err != nil || len(list) == 0 {
				break
			}
			for _, change := range list {
				if !slices.Contains(got[change.User], change.Key) { // repeats are allowed
					got[change.User] = append(got[change.User], change.Key)
				}
				if err := c.s.Ack(c.ctx, "reader", change.Position); err != nil {
					errs = append(errs, err)
				}
			}
		}
	}
	for _, err := range errs {
		c.ok(err, "Commit and Changes")
	}
	var numbers []int
	for i := range commits {
		numbers = append(numbers, i)
	}
	for u := range users {
		name := fmt.Sprintf("user-%d", u)
		c.equal("changes of "+name, got[name], toldKeys(numbers...))
	}
}
