package storetest

import (
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

func concurrencyCases() []testCase {
	return []testCase{
		{id: "concurrent-versions", rule: "an older version never replaces a newer one under two writers", check: checkConcurrentVersions},
		{id: "concurrent-users", rule: "many users' fenced commits end exactly where they would one by one", check: checkConcurrentUsers},
		{id: "concurrent-reads", rule: "a reader sees a commit whole or not at all", check: checkConcurrentReads},
	}
}

// together runs n functions at once and returns their errors.
func together(n int, do func(i int) error) []error {
	errs := make([]error, n)
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-start
			errs[i] = do(i)
		})
	}
	close(start)
	all.Wait()
	return errs
}

func checkConcurrentVersions(c *checker) {
	const writers, versions, records = 4, 30, 3
	const newest = writers * versions
	other := c.open()
	version := func(record, order int) health.Record {
		return bodyRecord(fmt.Sprint(record), record, int64(order), int64(1000*record+order))
	}
	orders := make([][]int, writers)
	for w := range orders {
		for i := range versions {
			orders[w] = append(orders[w], 1+i*writers+w)
		}
		c.rand.Shuffle(versions, func(i, j int) { orders[w][i], orders[w][j] = orders[w][j], orders[w][i] })
		if orders[w][0] == newest { // or nothing might be revised
			orders[w][0], orders[w][1] = orders[w][1], orders[w][0]
		}
	}
	errs := together(writers+1, func(w int) error {
		if w == writers { // watches that orders only rise
			last := make([]int64, records)
			for range versions {
				list, err := readRecords(c, c.s, store.RecordQuery{User: user})
				if err != nil {
					return err
				}
				for _, r := range list {
					n := int(r.Key[len(r.Key)-1] - '0')
					if r.Rev.Order < last[n] {
						return fmt.Errorf("a reader saw order %d after order %d", r.Rev.Order, last[n])
					}
					last[n] = r.Rev.Order
				}
			}
			return nil
		}
		s := c.s
		if w%2 == 1 {
			s = other
		}
		for _, order := range orders[w] {
			var page []health.Record
			for n := range records {
				page = append(page, version(n, order))
			}
			if _, err := s.Commit(c.ctx, batchOf(pageOf(page...))); err != nil {
				return err
			}
		}
		return nil
	})
	for _, err := range errs {
		c.ok(err, "a writer or the reader")
	}
	c.same("the newest versions", c.everything(), stored(version(0, newest)), stored(version(1, newest)), stored(version(2, newest)))
	states := map[string]int{}
	for _, change := range c.drain("watcher") {
		states[string(change.Cause)]++
	}
	c.equal("records told as new", states["live"], records)
}

func checkConcurrentUsers(c *checker) {
	const users, workers, commits = 3, 3, 12
	handles := []store.Store{c.s, c.open()}
	name := func(u int) (string, string) { return fmt.Sprintf("worker-%d", u), fmt.Sprintf("shared-%d", u) }
	for u := range users {
		who, id := name(u)
		c.connect(id, who)
	}
	// Workers of a user take turns under the lease; each moves the cursor by
	// one, writes a record of that number and updates one that all share.
	errs := together(users*workers, func(i int) error {
		who, id := name(i % users)
		s := handles[i%len(handles)]
		for range commits {
			if err := step(c, s, who, id); err != nil {
				return err
			}
		}
		return nil
	})
	for _, err := range errs {
		c.ok(err, "a worker")
	}
	for u := range users {
		who, id := name(u)
		cursor, err := c.s.Cursor(c.ctx, id, stream, store.LaneLive)
		c.ok(err, "Cursor")
		c.equal("the cursor of "+who, cursor.HighWater, fmt.Sprint(workers*commits))
		want := []health.Record{}
		for n := 1; n <= workers*commits; n++ {
			want = append(want, stored(numbered(id, n)))
		}
		want = append(want, stored(shared(id, workers*commits)))
		c.same("records of "+who, c.records(store.RecordQuery{User: who}), want...)
		var samples []point
		for n := 1; n <= workers*commits; n++ {
			r := numbered(id, n)
			samples = append(samples, pointsOf(r, 0)...)
		}
		c.samePoints("samples of "+who, c.points(store.SampleQuery{User: who, Metric: "heart_rate"}), samples)
	}
	told := keysOf(c.drain("watcher"))
	for u := range users {
		who, _ := name(u)
		var want []string
		for n := 1; n <= workers*commits; n++ {
			want = append(want, fmt.Sprintf("%s/%04d", stream, n), stream+"/shared")
		}
		c.equal("changes of "+who, told[who], want)
	}
}

// step makes one commit under the lease, however long it takes to get it.
func step(c *checker, s store.Store, who, id string) error {
	var l store.Lease
	for {
		var err error
		if l, err = s.Acquire(c.ctx, id, "sync", time.Hour); err == nil {
			break
		}
		if !errors.Is(err, store.ErrLeaseHeld) {
			return err
		}
		runtime.Gosched() // another worker holds it, for one commit
	}
	at, err := s.Cursor(c.ctx, id, stream, store.LaneLive)
	if err != nil {
		return err
	}
	n := 1
	if at.HighWater != "" {
		if _, err := fmt.Sscan(at.HighWater, &n); err != nil {
			return err
		}
		n++
	}
	next := at
	next.HighWater = fmt.Sprint(n)
	b := batchOf(pageOf(numbered(id, n), shared(id, n)))
	b.User, b.Connection, b.Lease, b.Unfenced = who, id, l, false
	b.Cursors = []store.CursorSwap{{Old: at, New: next}}
	if _, err := s.Commit(c.ctx, b); err != nil {
		return err
	}
	return s.Release(c.ctx, l)
}

func numbered(connection string, n int) health.Record {
	r := seriesRecord(fmt.Sprintf("%04d", n), 1, int64(n)*100, int64(n+1)*100, every(10, int64(n)*100, int64(n+1)*100), int64(n))
	r.Connection = connection
	return r
}

func shared(connection string, n int) health.Record {
	r := bodyRecord("shared", 0, int64(n), int64(n))
	r.Connection = connection
	return r
}

func checkConcurrentReads(c *checker) {
	const commits, size = 20, 5
	batch := func(n int) store.Batch {
		var page []health.Record
		for i := range size {
			r := bodyRecord(fmt.Sprint(i), i, int64(n), int64(n))
			page = append(page, r)
		}
		return batchOf(pageOf(page...))
	}
	c.commit(batch(1))
	errs := together(3, func(i int) error {
		for n := range commits {
			if i == 0 {
				if _, err := c.s.Commit(c.ctx, batch(n+2)); err != nil {
					return err
				}
				continue
			}
			page, err := c.s.Records(c.ctx, store.RecordQuery{User: user})
			if err != nil {
				return err
			}
			orders := map[int64]bool{}
			for _, r := range page.Records {
				orders[r.Rev.Order] = true
			}
			if len(page.Records) != size || len(orders) != 1 {
				return fmt.Errorf("a page of %d records of orders %v", len(page.Records), slices.Sorted(maps.Keys(orders)))
			}
		}
		return nil
	})
	for _, err := range errs {
		c.ok(err, "the writer or a reader")
	}
}
