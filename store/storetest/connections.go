package storetest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

func connectionCases() []testCase {
	return []testCase{
		{id: "connection-round-trip", rule: "a connection is read as it was written", check: checkConnectionRoundTrip},
		{id: "connection-swap", rule: "a connection is replaced only at the version that is stored", check: checkConnectionSwap},
		{id: "connection-upstream", rule: "a non-empty upstream id belongs to one connection of a provider", check: checkConnectionUpstream},
		{id: "connection-list", rule: "connections are listed by ID, filtered and in pages", check: checkConnectionList},
		{id: "connection-coverage", rule: "connections are listed with their coverage where that is asked for", check: checkConnectionCoverage},
		{id: "connection-predecessor", rule: "a commit sets the predecessor of a connection and tells it in one step, once", check: checkConnectionPredecessor},
		{id: "connection-delete", rule: "a deleted connection loses credential, cursors, schedule and leases, and its data only on demand", check: checkConnectionDelete},
	}
}

func (c *checker) sameConnection(what string, got, want store.Connection) {
	c.that(got.CreatedAt.Equal(want.CreatedAt), "%s: got creation time %s, want %s", what, got.CreatedAt, want.CreatedAt)
	c.that(slices.Equal(got.Scopes, want.Scopes), "%s: got scopes %q, want %q", what, got.Scopes, want.Scopes)
	got.CreatedAt, got.Scopes, want.CreatedAt, want.Scopes = time.Time{}, nil, time.Time{}, nil
	c.equal(what, got, want)
}

func checkConnectionRoundTrip(c *checker) {
	for i, text := range oddTexts {
		want := store.Connection{
			ID: fmt.Sprintf("%s-%d", text, i), User: text, Provider: text, UpstreamID: fmt.Sprint(i), State: store.StateReauthRequired,
			Reason: text, Zone: "Europe/Paris", Scopes: []string{text, "", "a b,c"}, Predecessor: text, CreatedAt: present.Add(time.Duration(i) * time.Millisecond),
		}
		put, err := c.s.PutConnection(c.ctx, want)
		c.ok(err, "PutConnection")
		want.Version = put.Version
		c.that(put.Version > 0, "the version of a new connection is %d", put.Version)
		c.sameConnection("PutConnection", put, want)
		put.Scopes[0] = "spoilt"
		got, err := c.open().Connection(c.ctx, want.ID)
		c.ok(err, "Connection")
		c.sameConnection("Connection", got, want)
	}
	least := store.Connection{ID: strings.Repeat("i", 128), User: "u", Provider: "p"}
	put, err := c.s.PutConnection(c.ctx, least)
	c.ok(err, "PutConnection of the least that is needed")
	least.Version = put.Version
	got, err := c.s.Connection(c.ctx, least.ID)
	c.ok(err, "Connection")
	c.sameConnection("Connection", got, least)
	_, err = c.s.Connection(c.ctx, "none")
	c.is(err, store.ErrNotFound, "Connection that is not there")
	for what, bad := range map[string]store.Connection{
		"no id":       {User: "u", Provider: "p"},
		"a long id":   {ID: strings.Repeat("i", 129), User: "u", Provider: "p"},
		"no user":     {ID: "i", Provider: "p"},
		"no provider": {ID: "i", User: "u"},
	} {
		_, err := c.s.PutConnection(c.ctx, bad)
		c.is(err, store.ErrInvalid, "%s", what)
	}
}

func checkConnectionPredecessor(c *checker) {
	link := store.Batch{User: user, Connection: conn, Unfenced: true, Now: present, Predecessor: "the one before"}
	_, err := c.s.Commit(c.ctx, link)
	c.is(err, store.ErrNotFound, "a predecessor for a connection that is not there")
	first := c.connect(conn, user)
	c.put(bodyRecord("a", 0, 1, 1))
	c.drain("all")
	for _, first := range []bool{true, false} {
		c.equal("relinked", c.commit(link).Relinked, first)
	}
	linked, err := c.s.Connection(c.ctx, conn)
	c.ok(err, "Connection")
	c.equal("predecessor", linked.Predecessor, link.Predecessor)
	c.that(linked.Version > first.Version, "the version went from %d to %d", first.Version, linked.Version)
	list := c.drain("all")
	c.equal("changes", len(list), 1)
	told := list[0]
	c.that(told.At.Equal(present), "told as of %s, want %s", told.At, present)
	c.equal("change", store.Change{
		User: told.User, Connection: told.Connection, Kind: told.Kind, Key: told.Key, Day: told.Day, Cause: told.Cause, State: told.State,
	}, store.Change{User: user, Connection: conn, Key: link.Predecessor, Cause: store.CauseRelinked})

	other := link
	other.Predecessor = "another"
	_, err = c.s.Commit(c.ctx, other)
	c.is(err, store.ErrConflict, "another predecessor")
	c.equal("changes after what was refused", len(c.drain("all")), 0)

	// What follows in the feed is in its order, and it can be trimmed.
	c.commit(batchOf(pageOf(bodyRecord("b", 1, 1, 1))))
	c.equal("changes of another consumer", keysOf(c.changes("late"))[user], []string{stream + "/a", link.Predecessor, stream + "/b"})
	c.drain("all")
	trimmed, err := c.s.TrimChanges(c.ctx, present.Add(time.Hour))
	c.ok(err, "TrimChanges")
	c.equal("changes trimmed", trimmed, 3)
	c.commit(batchOf(pageOf(bodyRecord("c", 2, 1, 1))))
	c.equal("changes in the end", keysOf(c.drain("all"))[user], []string{stream + "/c"})
}

func checkConnectionSwap(c *checker) {
	first := c.connect(conn, user)
	again := first
	again.Version = 0
	_, err := c.s.PutConnection(c.ctx, again)
	c.is(err, store.ErrConflict, "creating what is there")
	second := first
	second.State, second.Zone = store.StateDegraded, "UTC"
	second, err = c.s.PutConnection(c.ctx, second)
	c.ok(err, "PutConnection of the version that is stored")
	c.that(second.Version > first.Version, "the version went from %d to %d", first.Version, second.Version)
	_, err = c.s.PutConnection(c.ctx, first)
	c.is(err, store.ErrConflict, "an old version")
	ahead := second
	ahead.Version++
	_, err = c.s.PutConnection(c.ctx, ahead)
	c.is(err, store.ErrConflict, "a version that was never there")
	unknown := second
	unknown.ID = "conn-2"
	_, err = c.s.PutConnection(c.ctx, unknown)
	c.is(err, store.ErrConflict, "replacing what is not there")
	for _, change := range []func(*store.Connection){
		func(v *store.Connection) { v.User = "user-2" }, func(v *store.Connection) { v.Provider = "other" },
	} {
		moved := second
		change(&moved)
		_, err = c.s.PutConnection(c.ctx, moved)
		c.is(err, store.ErrInvalid, "another user or provider")
	}
	got, err := c.s.Connection(c.ctx, conn)
	c.ok(err, "Connection")
	c.sameConnection("Connection", got, second)

	errs := together(20, func(i int) error {
		next := second
		next.Reason = fmt.Sprint(i)
		_, err := c.s.PutConnection(c.ctx, next)
		return err
	})
	winner := c.oneWinner("PutConnection", errs)
	got, err = c.s.Connection(c.ctx, conn)
	c.ok(err, "Connection")
	c.equal("the winner's reason", got.Reason, fmt.Sprint(winner))
}

func checkConnectionUpstream(c *checker) {
	put := func(id, provider, upstream string) (store.Connection, error) {
		return c.s.PutConnection(c.ctx, store.Connection{ID: id, User: user, Provider: provider, UpstreamID: upstream})
	}
	first, err := put("a", "withings", "1")
	c.ok(err, "the first")
	_, err = put("b", "withings", "1")
	c.is(err, store.ErrConflict, "a second connection of the upstream id")
	_, err = c.s.Connection(c.ctx, "b")
	c.is(err, store.ErrNotFound, "the connection that was refused")
	_, err = put("b", "fitbit", "1")
	c.ok(err, "the same upstream id at another provider")
	for _, id := range []string{"c", "d"} {
		_, err = put(id, "withings", "")
		c.ok(err, "no upstream id")
	}
	first.UpstreamID = "2"
	first, err = c.s.PutConnection(c.ctx, first)
	c.ok(err, "moving to another upstream id")
	taken, err := put("e", "withings", "1")
	c.ok(err, "taking the upstream id that became free")
	first.UpstreamID = "1"
	_, err = c.s.PutConnection(c.ctx, first)
	c.is(err, store.ErrConflict, "moving back")
	c.ok(c.s.DeleteConnection(c.ctx, taken.ID, false), "DeleteConnection")
	_, err = c.s.PutConnection(c.ctx, first)
	c.ok(err, "moving back after the other was deleted")

	errs := together(10, func(i int) error {
		_, err := put(fmt.Sprintf("race-%d", i), "withings", "9")
		return err
	})
	c.oneWinner("PutConnection of one upstream id", errs)
}

func checkConnectionList(c *checker) {
	var all []store.Connection
	for i := range 24 {
		v, err := c.s.PutConnection(c.ctx, store.Connection{
			ID: fmt.Sprintf("%02d", (i*7)%24), User: fmt.Sprintf("user-%d", i%3), Provider: []string{"withings", "fitbit"}[i%2],
			UpstreamID: fmt.Sprint(i / 2), State: []store.State{store.StateActive, store.StateRevoked, store.StatePending, store.StateActive}[i%4],
		})
		c.ok(err, "PutConnection")
		all = append(all, v)
	}
	slices.SortFunc(all, func(a, b store.Connection) int { return strings.Compare(a.ID, b.ID) })
	for _, q := range []store.ConnectionQuery{
		{}, {User: "user-1"}, {Provider: "fitbit"}, {UpstreamID: "3"}, {State: store.StateActive}, {User: "nobody"},
		{User: "user-2", Provider: "withings"}, {Provider: "fitbit", UpstreamID: "5"},
		{User: "user-0", Provider: "fitbit", State: store.StateActive},
	} {
		var want []string
		for _, v := range all {
			if (q.User == "" || q.User == v.User) && (q.Provider == "" || q.Provider == v.Provider) &&
				(q.UpstreamID == "" || q.UpstreamID == v.UpstreamID) && (q.State == "" || q.State == v.State) {
				want = append(want, v.ID)
			}
		}
		for _, limit := range []int{0, 1, 5} {
			var got []string
			q.After, q.Limit = "", limit
			for range pageCap {
				list, err := c.s.Connections(c.ctx, q)
				c.ok(err, "Connections")
				c.that(limit == 0 || len(list) <= limit, "got %d connections, asked for %d", len(list), limit)
				if len(list) == 0 {
					break
				}
				for _, v := range list {
					got = append(got, v.ID)
				}
				q.After = got[len(got)-1]
			}
			c.equal(fmt.Sprintf("connections of %+v", q), got, want)
		}
	}
}

func checkConnectionCoverage(c *checker) {
	day := func(n int) health.Day { return health.DayOf(present).Add(n) }
	streams := []string{"days", "instants", "both", oddTexts[len(oddTexts)-1]}
	for i, id := range []string{"a", "b", "c", "theirs"} {
		owner := user
		if id == "theirs" {
			owner = "somebody"
		}
		c.connect(id, owner)
		if id == "b" {
			continue // has read nothing
		}
		b := batchOf()
		b.User, b.Connection = owner, id
		for _, name := range streams {
			if name != "instants" {
				b.Covered = append(b.Covered, store.Covered{Stream: name, Window: window(day(i))}, store.Covered{Stream: name, Window: window(day(9 + i))})
			}
			if name != "days" {
				from := present.Add(time.Duration(i) * time.Hour)
				b.Covered = append(b.Covered, store.Covered{Stream: name, Window: health.Window{From: from, To: from.Add(time.Minute)}})
			}
		}
		c.commit(b)
	}
	list := func(what string, q store.ConnectionQuery, want ...string) []store.Connection {
		all, err := c.s.Connections(c.ctx, q)
		c.ok(err, "Connections")
		var got []string
		for i := range all {
			got = append(got, all[i].ID)
		}
		c.equal(what, got, want)
		return all
	}
	complete := func(what string, all []store.Connection) {
		for i := range all {
			told := 0
			for _, name := range streams {
				windows, err := c.s.Coverage(c.ctx, all[i].ID, name)
				c.ok(err, "Coverage")
				if len(windows) > 0 {
					told++
				}
				c.that(slices.EqualFunc(all[i].Coverage[name], windows, func(x, y health.Window) bool {
					return x.First == y.First && x.Last == y.Last && x.From.Equal(y.From) && x.To.Equal(y.To)
				}), "%s: %q of %s has windows %v, want %v", what, name, all[i].ID, all[i].Coverage[name], windows)
			}
			c.equal(what+": streams of "+all[i].ID, len(all[i].Coverage), told)
		}
	}
	mine := list("of a person", store.ConnectionQuery{User: user, Coverage: true}, "a", "b", "c")
	complete("of a person", mine)
	complete("the rest of a page", list("a page", store.ConnectionQuery{User: user, After: "a", Limit: 1, Coverage: true}, "b"))
	complete("the end", list("the last page", store.ConnectionQuery{User: user, After: "b", Limit: 1, Coverage: true}, "c"))
	for _, v := range list("not asked for", store.ConnectionQuery{User: user}, "a", "b", "c") {
		c.equal("streams that were not asked for", len(v.Coverage), 0)
	}
	_, err := c.s.Connections(c.ctx, store.ConnectionQuery{Coverage: true})
	c.is(err, store.ErrInvalid, "Connections of everybody with coverage")

	// It is read and not written.
	spoilt := mine[0]
	spoilt.Coverage["days"][0] = window(day(500))
	put, err := c.s.PutConnection(c.ctx, spoilt)
	c.ok(err, "PutConnection")
	c.equal("streams of what was put", len(put.Coverage), 0)
	complete("after a write", list("after a write", store.ConnectionQuery{User: user, Coverage: true}, "a", "b", "c"))
	got, err := c.s.Coverage(c.ctx, "a", "days")
	c.ok(err, "Coverage")
	c.that(len(got) == 2 && got[0] == window(day(0)), "a write of a connection changed its coverage to %v", got)
}

// furnish gives the connection one of everything.
func (c *checker) furnish(id, user string) {
	c.connect(id, user)
	c.ok(c.s.PutGrant(c.ctx, "", store.Credential{Connection: id, Grant: "g", RefreshPrint: "p", Sealed: []byte("s")}), "PutGrant")
	l := c.lease(id)
	r := bodyRecord("a", 0, 1, 1)
	r.Connection = id
	r.Series = []health.Series{{Metric: "heart_rate", From: 1e12, To: 1e12 + 10, Times: []int64{1e12}, Values: []int64{60}}}
	p := digestPage("1", 1, r)
	p.Raw = rawPage(id, present)
	p.Quarantined = []store.Quarantined{{Key: "q", Reason: "odd", Raw: []byte("aside")}}
	b := batchOf(p)
	b.User, b.Connection, b.Lease, b.Unfenced = user, id, l, false
	zero := store.Cursor{Connection: id, Stream: stream, Lane: store.LaneLive}
	next := zero
	next.HighWater = "1"
	b.Cursors = []store.CursorSwap{{Old: zero, New: next}}
	b.Covered = []store.Covered{{Stream: stream, Window: window(health.DayOf(present))}}
	b.Due = []store.Due{{Connection: id, Task: "sync", At: present}}
	c.commit(b)
}

// belongings counts what there is of a connection: how it is synced, and its
// data.
func (c *checker) belongings(id, user string) (work, data int) {
	if _, err := c.s.Connection(c.ctx, id); err == nil {
		work++
	}
	if _, err := c.s.Credential(c.ctx, id); err == nil {
		work++
	}
	cursors, err := c.s.Cursors(c.ctx, id)
	c.ok(err, "Cursors")
	work += len(cursors)
	due, err := c.s.Due(c.ctx, "", present, 1000)
	c.ok(err, "Due")
	for _, d := range due {
		if d.Connection == id {
			work++
		}
	}
	data += len(c.records(store.RecordQuery{User: user, Connections: []string{id}, Deleted: true}))
	data += len(c.points(store.SampleQuery{User: user, Connections: []string{id}, Metric: "heart_rate"}))
	data += len(c.raw(store.RawQuery{Connection: id}))
	windows, err := c.s.Coverage(c.ctx, id, stream)
	c.ok(err, "Coverage")
	data += len(windows)
	aside, err := c.s.Quarantine(c.ctx, id, 0)
	c.ok(err, "Quarantine")
	return work, data + len(aside)
}

func (c *checker) owns(what, id, user string, wantWork, wantData int) {
	work, data := c.belongings(id, user)
	c.that(work == wantWork && data == wantData, "%s: %s has %d of work and %d of data, want %d and %d", what, id, work, data, wantWork, wantData)
}

func checkConnectionDelete(c *checker) {
	for _, id := range []string{"keeps", "loses", "other"} {
		c.furnish(id, user)
		c.owns("in the beginning", id, user, 4, 5)
	}
	lease := c.leaseNamed("keeps", "export")
	c.ok(c.s.DeleteConnection(c.ctx, "keeps", false), "DeleteConnection")
	c.owns("deleted without data", "keeps", user, 0, 5)
	c.ok(c.s.DeleteConnection(c.ctx, "loses", true), "DeleteConnection")
	c.owns("deleted with data", "loses", user, 0, 0)
	c.owns("not deleted", "other", user, 4, 5)
	for _, data := range []bool{false, true} {
		c.ok(c.s.DeleteConnection(c.ctx, "loses", data), "DeleteConnection once more")
		c.ok(c.s.DeleteConnection(c.ctx, "never", data), "DeleteConnection of none")
	}

	b := batchOf()
	b.Connection, b.Unfenced, b.Lease = "keeps", false, lease
	_, err := c.s.Commit(c.ctx, b)
	c.is(err, store.ErrLeaseLost, "Commit under a lease of a deleted connection")
	c.is(c.s.PutGrant(c.ctx, "", store.Credential{Connection: "loses", Grant: "g"}), store.ErrNotFound, "PutGrant for a deleted connection")

	// The page is read again after the data was deleted, whatever its digest.
	c.connect("loses", user)
	r := bodyRecord("a", 0, 1, 1)
	r.Connection = "loses"
	b = batchOf(digestPage("1", 1, r))
	b.Connection = "loses"
	c.counts("the page again", c.commit(b), 1, 0, 0, 0, 0)
	c.connect("keeps", user)
	c.owns("connected again", "keeps", user, 1, 5)

	c.ok(c.s.DeleteConnection(c.ctx, "keeps", false), "DeleteConnection")
	c.ok(c.s.DeleteConnection(c.ctx, "keeps", true), "DeleteConnection of what was left")
	c.owns("deleted in two steps", "keeps", user, 0, 0)
}
