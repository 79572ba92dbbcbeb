package storetest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/vitalmux/vitalmux/store"
)

func credentialCases() []testCase {
	return []testCase{
		{id: "credential-round-trip", rule: "a credential is read as it was written", check: checkCredentialRoundTrip},
		{id: "credential-grant", rule: "a new grant replaces the stored one whole, and only the one it expects", check: checkCredentialGrant},
		{id: "credential-swap", rule: "a credential is swapped only against the grant and the consumed token", check: checkCredentialSwap},
		{id: "credential-race", rule: "of 50 that consumed the same token exactly one persists", check: checkCredentialRace},
		{id: "credential-attempt", rule: "an attempt is recorded under a lease that is held, for the stored grant and token", check: checkCredentialAttempt},
		{id: "credential-attempt-stale", rule: "a holder whose lease expired records no attempt, but persists its token", timed: true, check: checkCredentialAttemptStale},
		{id: "credential-revision", rule: "the revision rises with each write, over grants and connections too, whatever the caller says", check: checkCredentialRevision},
		{id: "credential-update", rule: "a credential is updated only if it is as it was read", check: checkCredentialUpdate},
		{id: "credential-update-attempt", rule: "an update does not lose an attempt that began meanwhile", check: checkCredentialUpdateAttempt},
		{id: "credential-update-swap", rule: "a new pair is stored although bookkeeping was written meanwhile, and bookkeeping of before it is not", check: checkCredentialUpdateSwap},
		{id: "credential-gone", rule: "there is no credential without its connection", check: checkCredentialGone},
	}
}

func credentialOf(grant, print string, generation int64) store.Credential {
	return store.Credential{
		Connection: conn, Grant: grant, Generation: generation, RefreshPrint: print,
		Sealed: []byte("sealed " + print), ExpiresAt: present,
	}
}

func (c *checker) sameCredential(what string, want store.Credential) {
	got, err := c.open().Credential(c.ctx, conn)
	c.ok(err, "%s: Credential", what)
	c.that(got.ExpiresAt.Equal(want.ExpiresAt) && got.NextAt.Equal(want.NextAt), "%s: got times %s and %s, want %s and %s",
		what, got.ExpiresAt, got.NextAt, want.ExpiresAt, want.NextAt)
	c.that(got.FailingSince.Equal(want.FailingSince) && got.RefusedAt.Equal(want.RefusedAt), "%s: got times %s and %s, want %s and %s",
		what, got.FailingSince, got.RefusedAt, want.FailingSince, want.RefusedAt)
	c.that(string(got.Sealed) == string(want.Sealed) && string(got.Previous) == string(want.Previous), "%s: got pairs %q, %q", what, got.Sealed, got.Previous)
	c.that(slices.EqualFunc(got.Siblings, want.Siblings, func(x, y store.Sibling) bool {
		return string(x.Sealed) == string(y.Sealed) && x.RefreshPrint == y.RefreshPrint && x.ParentPrint == y.ParentPrint
	}), "%s: got siblings %+v, want %+v", what, got.Siblings, want.Siblings)
	c.that((got.Attempt == nil) == (want.Attempt == nil), "%s: got attempt %+v, want %+v", what, got.Attempt, want.Attempt)
	if got.Attempt != nil {
		x, y := *got.Attempt, *want.Attempt
		c.that(x.StartedAt.Equal(y.StartedAt) && x.Deadline.Equal(y.Deadline), "%s: got attempt %+v, want %+v", what, x, y)
		x.StartedAt, x.Deadline = y.StartedAt, y.Deadline
		c.equal(what+": attempt", x, y)
	}
	type scalars struct {
		connection, grant, print string
		generation               int64
		fails, doubts            int
	}
	c.equal(what, scalars{got.Connection, got.Grant, got.RefreshPrint, got.Generation, got.Fails, got.Doubts},
		scalars{want.Connection, want.Grant, want.RefreshPrint, want.Generation, want.Fails, want.Doubts})
}

func (c *checker) credential() store.Credential {
	got, err := c.s.Credential(c.ctx, conn)
	c.ok(err, "Credential")
	return got
}

func checkCredentialRoundTrip(c *checker) {
	_, err := c.s.Credential(c.ctx, conn)
	c.is(err, store.ErrNotFound, "Credential that is not there")
	c.connect(conn, user)
	_, err = c.s.Credential(c.ctx, conn)
	c.is(err, store.ErrNotFound, "Credential of a new connection")
	full := store.Credential{
		Connection: conn, Grant: "g\u00e9", Generation: 1 << 40, RefreshPrint: "p 1", Sealed: []byte{0, 0xff, 1}, Previous: []byte{2, 0},
		ExpiresAt: present.Add(time.Millisecond), Fails: 3, NextAt: present.Add(time.Minute),
		FailingSince: present.Add(-time.Minute), Doubts: 2, RefusedAt: present.Add(-time.Millisecond),
		Siblings: []store.Sibling{{Sealed: []byte{9}, RefreshPrint: "s", ParentPrint: "p"}, {Sealed: []byte{8}}},
		Attempt:  &store.Attempt{ID: "a", Owner: "o", RefreshPrint: "p 1", StartedAt: present, Deadline: present.Add(time.Second)},
	}
	c.ok(c.s.PutGrant(c.ctx, "", full), "PutGrant")
	c.sameCredential("a full credential", full)
	bare := store.Credential{Connection: conn, Grant: full.Grant, Sealed: []byte{1}}
	c.ok(c.s.SwapCredential(c.ctx, full.Grant, full.RefreshPrint, bare), "SwapCredential")
	c.sameCredential("a bare credential", bare)

	c.ok(c.s.SwapCredential(c.ctx, full.Grant, "", full), "SwapCredential of a credential without print")
	full.Sealed[0], full.Siblings[0].Sealed[0], full.Attempt.ID = 'X', 'X', "X"
	got, err := c.s.Credential(c.ctx, conn)
	c.ok(err, "Credential")
	c.that(got.Sealed[0] == 0 && got.Siblings[0].Sealed[0] == 9 && got.Attempt.ID == "a", "the stored credential changed with the caller's")
	got.Sealed[0], got.Siblings[0].Sealed[0], got.Attempt.ID = 'X', 'X', "X"
	got, err = c.s.Credential(c.ctx, conn)
	c.ok(err, "Credential")
	c.that(got.Sealed[0] == 0 && got.Siblings[0].Sealed[0] == 9 && got.Attempt.ID == "a", "the stored credential changed with a reader's")
}

func checkCredentialGrant(c *checker) {
	c.is(c.s.PutGrant(c.ctx, "", credentialOf("g1", "p1", 1)), store.ErrNotFound, "PutGrant without connection")
	c.connect(conn, user)
	c.is(c.s.PutGrant(c.ctx, "g0", credentialOf("g1", "p1", 1)), store.ErrConflict, "PutGrant that expects another grant")
	old := credentialOf("g1", "p1", 1)
	old.Previous, old.Fails, old.Siblings = []byte("prev"), 2, []store.Sibling{{RefreshPrint: "s"}}
	c.ok(c.s.PutGrant(c.ctx, "", old), "PutGrant")
	c.is(c.s.PutGrant(c.ctx, "", credentialOf("g2", "p2", 1)), store.ErrConflict, "PutGrant that expects none")
	c.sameCredential("the first grant", old)
	c.ok(c.s.PutGrant(c.ctx, "g1", credentialOf("g2", "p2", 1)), "PutGrant that expects the stored one")
	c.sameCredential("the second grant", credentialOf("g2", "p2", 1))
	late := credentialOf("g1", "p1b", 2)
	c.is(c.s.SwapCredential(c.ctx, "g1", "p1", late), store.ErrConflict, "a late token of the first grant")
	c.sameCredential("after a late token", credentialOf("g2", "p2", 1))
}

func checkCredentialSwap(c *checker) {
	c.connect(conn, user)
	c.is(c.s.SwapCredential(c.ctx, "g", "p1", credentialOf("g", "p2", 2)), store.ErrConflict, "SwapCredential of none")
	c.ok(c.s.PutGrant(c.ctx, "", credentialOf("g", "p1", 1)), "PutGrant")
	for _, wrong := range [][2]string{{"g", "p0"}, {"g", ""}, {"g", "p2"}} {
		c.is(c.s.SwapCredential(c.ctx, wrong[0], wrong[1], credentialOf("g", "p2", 2)), store.ErrConflict, "SwapCredential against %q", wrong)
		c.sameCredential("after a conflict", credentialOf("g", "p1", 1))
	}
	c.is(c.s.SwapCredential(c.ctx, "x", "p1", credentialOf("x", "p2", 2)), store.ErrConflict, "SwapCredential of another grant")
	next := credentialOf("g", "p2", 2)
	next.Previous = []byte("sealed p1")
	c.ok(c.s.SwapCredential(c.ctx, "g", "p1", next), "SwapCredential")
	c.sameCredential("after a swap", next)
	c.is(c.s.SwapCredential(c.ctx, "g", "p1", credentialOf("g", "p3", 3)), store.ErrConflict, "SwapCredential of a consumed token")
	c.sameCredential("after a token was presented twice", next)
}

func checkCredentialRace(c *checker) {
	c.connect(conn, user)
	c.ok(c.s.PutGrant(c.ctx, "", credentialOf("g", "p0", 1)), "PutGrant")
	for round := range 3 {
		consumed := fmt.Sprintf("p%d", round)
		errs := together(50, func(i int) error {
			next := credentialOf("g", fmt.Sprintf("p%d", round+1), int64(round+2))
			next.Sealed = fmt.Appendf(nil, "of %d", i)
			return c.s.SwapCredential(c.ctx, "g", consumed, next)
		})
		winner := c.oneWinner("SwapCredential", errs)
		got, err := c.s.Credential(c.ctx, conn)
		c.ok(err, "Credential")
		c.equal("the winner's pair", string(got.Sealed), fmt.Sprintf("of %d", winner))
	}
}

func checkCredentialAttempt(c *checker) {
	c.connect(conn, user)
	want := credentialOf("g", "p", 1)
	want.Fails = 1
	c.ok(c.s.PutGrant(c.ctx, "", want), "PutGrant")
	l := c.leaseNamed(conn, "refresh")
	a := store.Attempt{ID: "a", Owner: l.Owner, RefreshPrint: "p", StartedAt: present, Deadline: present.Add(30 * time.Second)}
	forged := l
	forged.Owner = "somebody"
	c.is(c.s.BeginAttempt(c.ctx, forged, "g", a), store.ErrLeaseLost, "BeginAttempt under another's lease")
	c.is(c.s.BeginAttempt(c.ctx, l, "x", a), store.ErrConflict, "BeginAttempt for another grant")
	other := a
	other.RefreshPrint = "x"
	c.is(c.s.BeginAttempt(c.ctx, l, "g", other), store.ErrConflict, "BeginAttempt for another token")
	c.sameCredential("after attempts that were refused", want)
	c.ok(c.s.BeginAttempt(c.ctx, l, "g", a), "BeginAttempt")
	want.Attempt = &a
	c.sameCredential("after an attempt", want)
	second := a
	second.ID = "b"
	c.ok(c.s.BeginAttempt(c.ctx, l, "g", second), "BeginAttempt once more")
	want.Attempt = &second
	c.sameCredential("after the second attempt", want)
	c.ok(c.s.Release(c.ctx, l), "Release")
	c.is(c.s.BeginAttempt(c.ctx, l, "g", a), store.ErrLeaseLost, "BeginAttempt under a released lease")
	c.sameCredential("after a released lease", want)
}

func checkCredentialAttemptStale(c *checker) {
	c.connect(conn, user)
	want := credentialOf("g", "p", 1)
	c.ok(c.s.PutGrant(c.ctx, "", want), "PutGrant")
	l, err := c.s.Acquire(c.ctx, conn, "refresh", c.ttl)
	c.ok(err, "Acquire")
	c.expire()
	a := store.Attempt{ID: "a", Owner: l.Owner, RefreshPrint: "p", StartedAt: present, Deadline: present}
	c.is(c.s.BeginAttempt(c.ctx, l, "g", a), store.ErrLeaseLost, "BeginAttempt under an expired lease")
	c.leaseNamed(conn, "refresh")
	c.is(c.s.BeginAttempt(c.ctx, l, "g", a), store.ErrLeaseLost, "BeginAttempt under a lease that was taken over")
	c.sameCredential("after stale attempts", want)
	next := credentialOf("g", "p2", 2)
	c.ok(c.s.SwapCredential(c.ctx, "g", "p", next), "SwapCredential, which no lease fences")
	c.sameCredential("after the token was persisted", next)
}

func checkCredentialRevision(c *checker) {
	c.connect(conn, user)
	c.ok(c.s.PutGrant(c.ctx, "", credentialOf("g", "p1", 1)), "PutGrant")
	last := c.credential().Revision
	c.that(last > 0, "the first revision is %d", last)
	l := c.leaseNamed(conn, "refresh")
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"UpdateCredential", func() error { return c.s.UpdateCredential(c.ctx, c.credential()) }},
		{"BeginAttempt", func() error { return c.s.BeginAttempt(c.ctx, l, "g", store.Attempt{ID: "a", RefreshPrint: "p1"}) }},
		{"SwapCredential", func() error {
			next := credentialOf("g", "p2", 2)
			next.Revision = 1
			return c.s.SwapCredential(c.ctx, "g", "p1", next)
		}},
		{"PutGrant", func() error {
			next := credentialOf("h", "p3", 1)
			next.Revision = 1
			return c.s.PutGrant(c.ctx, "g", next)
		}},
		{"PutGrant of a new connection", func() error {
			c.ok(c.s.DeleteConnection(c.ctx, conn, true), "DeleteConnection")
			c.s = c.open()
			c.connect(conn, user)
			return c.s.PutGrant(c.ctx, "", credentialOf("g", "p1", 1))
		}},
	} {
		c.ok(step.do(), "%s", step.what)
		now := c.credential().Revision
		c.that(now > last, "%s: the revision went from %d to %d", step.what, last, now)
		last = now
	}
}

func checkCredentialUpdate(c *checker) {
	c.is(c.s.UpdateCredential(c.ctx, credentialOf("g", "p", 1)), store.ErrConflict, "UpdateCredential of none")
	c.connect(conn, user)
	c.is(c.s.UpdateCredential(c.ctx, credentialOf("g", "p", 1)), store.ErrConflict, "UpdateCredential of none")
	c.ok(c.s.PutGrant(c.ctx, "", credentialOf("g", "p", 1)), "PutGrant")
	read := c.credential()
	next := read
	next.Fails, next.FailingSince, next.NextAt, next.Doubts, next.RefusedAt = 1, present, present.Add(time.Minute), 2, present.Add(time.Hour)
	next.Siblings = []store.Sibling{{Sealed: []byte("s"), RefreshPrint: "x", ParentPrint: "p"}}
	next.Attempt = &store.Attempt{ID: "a", Owner: "o", RefreshPrint: "p", StartedAt: present, Deadline: present}
	c.ok(c.s.UpdateCredential(c.ctx, next), "UpdateCredential")
	c.sameCredential("after an update", next)
	stale := read
	stale.Fails = 9
	c.is(c.s.UpdateCredential(c.ctx, stale), store.ErrConflict, "UpdateCredential of what was read before")
	other := c.credential()
	other.Grant = "h"
	c.is(c.s.UpdateCredential(c.ctx, other), store.ErrConflict, "UpdateCredential of another grant")
	early := c.credential()
	early.Revision++
	c.is(c.s.UpdateCredential(c.ctx, early), store.ErrConflict, "UpdateCredential of a revision to come")
	c.sameCredential("after conflicts", next)
	cleared := c.credential()
	cleared.Fails, cleared.FailingSince, cleared.NextAt, cleared.Doubts, cleared.RefusedAt = 0, time.Time{}, time.Time{}, 0, time.Time{}
	cleared.Siblings, cleared.Attempt = nil, nil
	c.ok(c.s.UpdateCredential(c.ctx, cleared), "UpdateCredential of what is stored")
	c.sameCredential("after a second update", cleared)
	c.is(c.s.UpdateCredential(c.ctx, store.Credential{Connection: conn}), store.ErrInvalid, "UpdateCredential without grant")
}

// checkCredentialUpdateAttempt has one begin attempts while others count, all
// of what they read: each has to see the writes of the others, or fail.
func checkCredentialUpdateAttempt(c *checker) {
	const writers, rounds = 4, 10
	c.connect(conn, user)
	c.ok(c.s.PutGrant(c.ctx, "", credentialOf("g", "p", 1)), "PutGrant")
	handles := []store.Store{c.s, c.open()}
	l := c.leaseNamed(conn, "refresh")
	read := c.credential()
	c.ok(handles[1].BeginAttempt(c.ctx, l, "g", store.Attempt{ID: "first", RefreshPrint: "p"}), "BeginAttempt")
	c.is(c.s.UpdateCredential(c.ctx, read), store.ErrConflict, "UpdateCredential of what was read before the attempt")
	begun := c.credential().Attempt
	c.that(begun != nil && begun.ID == "first", "got attempt %+v", begun)
	errs := together(writers+1, func(w int) error {
		s := handles[w%len(handles)]
		for n := range rounds {
			if w == writers {
				if err := s.BeginAttempt(c.ctx, l, "g", store.Attempt{ID: fmt.Sprint(n), RefreshPrint: "p"}); err != nil {
					return err
				}
				continue
			}
			for {
				read, err := s.Credential(c.ctx, conn)
				if err != nil {
					return err
				}
				read.Fails++
				if err = s.UpdateCredential(c.ctx, read); err == nil {
					break
				}
				if !errors.Is(err, store.ErrConflict) {
					return err
				}
			}
		}
		return nil
	})
	for _, err := range errs {
		c.ok(err, "a writer")
	}
	got := c.credential()
	c.equal("updates", got.Fails, writers*rounds)
	c.that(got.Attempt != nil && got.Attempt.ID == fmt.Sprint(rounds-1), "got attempt %+v, want that of round %d", got.Attempt, rounds-1)
}

func checkCredentialUpdateSwap(c *checker) {
	c.connect(conn, user)
	c.ok(c.s.PutGrant(c.ctx, "", credentialOf("g", "p1", 1)), "PutGrant")
	read := c.credential()
	doubt := read
	doubt.Doubts = 1
	c.ok(c.open().UpdateCredential(c.ctx, doubt), "UpdateCredential")
	next := credentialOf("g", "p2", 2)
	next.Revision = read.Revision
	c.ok(c.s.SwapCredential(c.ctx, "g", "p1", next), "SwapCredential after a bookkeeping write")
	c.sameCredential("after the swap", next)
	read.Fails = 1
	c.is(c.s.UpdateCredential(c.ctx, read), store.ErrConflict, "UpdateCredential of what was read before the swap")
	c.sameCredential("after a late update", next)
}

func checkCredentialGone(c *checker) {
	c.connect(conn, user)
	c.ok(c.s.PutGrant(c.ctx, "", credentialOf("g", "p", 1)), "PutGrant")
	read := c.credential()
	c.ok(c.s.DeleteConnection(c.ctx, conn, false), "DeleteConnection")
	gone := func(what string) {
		_, err := c.s.Credential(c.ctx, conn)
		c.is(err, store.ErrNotFound, "Credential %s", what)
		c.is(c.s.SwapCredential(c.ctx, "g", "p", credentialOf("g", "q", 2)), store.ErrConflict, "SwapCredential %s", what)
		c.is(c.s.UpdateCredential(c.ctx, read), store.ErrConflict, "UpdateCredential %s", what)
		l, err := c.s.Acquire(c.ctx, conn, "refresh "+what, time.Hour)
		c.ok(err, "Acquire %s", what)
		c.is(c.s.BeginAttempt(c.ctx, l, "g", store.Attempt{ID: "a", RefreshPrint: "p"}), store.ErrConflict, "BeginAttempt %s", what)
		_, err = c.s.Credential(c.ctx, conn)
		c.is(err, store.ErrNotFound, "Credential %s, in the end", what)
	}
	gone("without connection")
	c.is(c.s.PutGrant(c.ctx, "", credentialOf("g", "p", 1)), store.ErrNotFound, "PutGrant without connection")
	c.connect(conn, user)
	gone("of a new connection")
	c.ok(c.s.PutGrant(c.ctx, "", credentialOf("g", "p", 1)), "PutGrant of the same grant")
	c.is(c.s.UpdateCredential(c.ctx, read), store.ErrConflict, "UpdateCredential of what was read of the old connection")
}
