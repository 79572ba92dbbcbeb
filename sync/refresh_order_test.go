package sync

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

// fate is what should be in the store of one connection, next to what is.
type fate struct {
	t    *rapid.T
	real *testing.T
	mint *mint
	s    *store.Memory
	e    *Engine
	conn store.Connection

	// The model.
	grant  int
	token  string // empty: the ciphertext is gone
	state  store.State
	erased bool

	late []lateReply
}

// lateReply is the answer that a process holds that was stopped before it could
// store it.
type lateReply struct {
	grant    int
	parent   string
	token    string
	consumed string
	next     store.Credential
}

func (f *fate) stored() store.Credential {
	c, err := f.s.Credential(context.Background(), f.conn.ID)
	require.NoError(f.t, err)
	return c
}

// Refresh is one of an engine that finds the access token refused.
func (f *fate) Refresh() {
	time.Sleep(95 * time.Second) // past leases and quarantines of the dead
	f.mint.mu.Lock()
	a, calls := f.mint.accounts["a"], len(f.mint.calls)
	live := !a.ended && a.refresh == f.token
	f.mint.mu.Unlock()
	r := refreshing{conn: f.conn, refused: true}
	if !f.erased {
		c := f.stored()
		r.grant, r.generation = c.Grant, c.Generation
	}
	_, err := f.e.sharedRefresh(context.Background(), r)
	presented := len(f.mint.calls) - calls
	switch {
	case f.erased:
		require.ErrorIs(f.t, err, store.ErrNotFound)
		require.Zero(f.t, presented)
	case f.state == store.StateReauthRequired:
		require.ErrorIs(f.t, err, providers.ErrReauth)
		require.Zero(f.t, presented)
	case live:
		require.NoError(f.t, err)
		require.Equal(f.t, 1, presented)
		f.token = a.refresh
	default:
		require.ErrorIs(f.t, err, providers.ErrReauth)
		f.state = store.StateReauthRequired
	}
}

// Stop has another process present the token and be stopped with the answer.
func (f *fate) Stop() {
	if f.erased || f.state != store.StateActive || !f.mint.live("a", f.token) {
		f.t.Skip("there is nothing to present")
	}
	time.Sleep(95 * time.Second)
	c := f.stored()
	lease, err := f.s.Acquire(context.Background(), f.conn.ID, leaseRefresh, time.Minute)
	require.NoError(f.t, err)
	attempt := store.Attempt{ID: randomID(), Owner: lease.Owner, RefreshPrint: c.RefreshPrint, StartedAt: now(), Deadline: now().Add(30 * time.Second)}
	require.NoError(f.t, f.s.BeginAttempt(context.Background(), lease, c.Grant, attempt))
	f.mint.mu.Lock()
	fresh := f.mint.issue("a")
	f.mint.mu.Unlock()
	w := &refresher{Engine: f.e, refreshing: refreshing{conn: f.conn}}
	next, err := w.successor(context.Background(), c, fresh)
	require.NoError(f.t, err)
	f.late = append(f.late, lateReply{grant: f.grant, parent: f.token, token: fresh.Refresh.Reveal(), consumed: c.RefreshPrint, next: next})
}

// Wake has a stopped process go on.
func (f *fate) Wake() {
	if len(f.late) == 0 {
		f.t.Skip("nobody is stopped")
	}
	i := rapid.IntRange(0, len(f.late)-1).Draw(f.t, "process")
	l := f.late[i]
	f.late = slices.Delete(f.late, i, i+1)
	stored, err := f.e.storePair(context.Background(), l.consumed, l.next)
	if err == nil && stored.RefreshPrint == l.next.RefreshPrint {
		f.e.adopted(context.Background(), f.conn, stored, l.consumed, providers.Credential{})
	}
	switch {
	case f.erased:
		require.ErrorIs(f.t, err, store.ErrNotFound)
	case l.grant != f.grant:
		require.NoError(f.t, err)
	case f.token == "":
		require.ErrorIs(f.t, err, providers.ErrReauth)
	default:
		require.NoError(f.t, err)
		require.Equal(f.t, l.parent, f.token, "a single-use token has one successor")
		f.token, f.state = l.token, store.StateActive
	}
}

// Consent is the person's new consent.
func (f *fate) Consent() {
	if f.erased {
		f.t.Skip("erased")
	}
	f.mint.consent(f.real, f.e, f.conn, f.stored().Grant)
	_, err := f.e.changeState(context.Background(), f.conn.ID, "user", func(c *store.Connection) bool {
		c.State, c.Reason = store.StateActive, ""
		return true
	})
	require.NoError(f.t, err)
	f.grant++
	f.token, f.state = f.mint.accounts["a"].refresh, store.StateActive
}

// Revoke has the service end the grant.
func (f *fate) Revoke() {
	f.mint.mu.Lock()
	defer f.mint.mu.Unlock()
	f.mint.accounts["a"].ended = true
}

// Erase removes the person.
func (f *fate) Erase() {
	if rapid.IntRange(0, 4).Draw(f.t, "mercy") > 0 {
		f.t.Skip("not yet")
	}
	_, err := f.s.Erase(context.Background(), f.conn.User)
	require.NoError(f.t, err)
	f.erased = true
}

// Crash ends the engine, and everybody who was stopped.
func (f *fate) Crash() {
	f.late = nil
	f.e = mintEngine(f.real, f.mint, f.s, nil)
}

// Wait lets a day pass, with its housekeeping.
func (f *fate) Wait() {
	require.NoError(f.t, f.e.housekeepCredentials(context.Background(), now().Add(25*time.Hour)))
	if f.state == store.StateReauthRequired {
		f.token = ""
	}
}

// Check compares the store with the model.
func (f *fate) Check() {
	conn, err := f.s.Connection(context.Background(), f.conn.ID)
	if f.erased {
		require.ErrorIs(f.t, err, store.ErrNotFound)
		_, err = f.s.Credential(context.Background(), f.conn.ID)
		require.ErrorIs(f.t, err, store.ErrNotFound)
		return
	}
	require.NoError(f.t, err)
	require.Equal(f.t, f.state, conn.State, conn.Reason)
	c := f.stored()
	require.Equal(f.t, f.state == store.StateReauthRequired, !c.RefusedAt.IsZero())
	if f.token == "" {
		require.Empty(f.t, c.Sealed)
		return
	}
	pair, _, err := f.e.openCredential(context.Background(), f.conn, c)
	require.NoError(f.t, err)
	require.Equal(f.t, f.token, pair.Refresh.Reveal())
}

// TestOrderOfRefreshesAndConsents (R10): whatever order refreshes, late
// answers, consents, revocations, erasures and crashes come in, the store holds
// what the model says.
func TestOrderOfRefreshesAndConsents(t *testing.T) {
	t.Parallel()
	sequences := proof.N(3_000, 10_000)
	proof.Row(t, "R10", proof.Counts{"sequences": sequences})
	for range sequences / 100 { // rapid checks a hundred at a time
		bubbled(t, func(t *testing.T) {
			// Without a deadline, which a bubble does not know.
			rapid.Check(struct{ testing.TB }{t}, func(rt *rapid.T) {
				f := &fate{t: rt, real: t, mint: newMint(providers.RotationSingleUse), s: store.NewMemory(), state: store.StateActive}
				f.e = mintEngine(t, f.mint, f.s, nil)
				f.conn = f.mint.enrol(t, f.e, "a")
				f.token = f.mint.accounts["a"].refresh
				actions := map[string]func(*rapid.T){"": func(*rapid.T) { f.Check() }}
				for name, act := range map[string]func(){
					"refresh": f.Refresh, "stop": f.Stop, "wake": f.Wake, "consent": f.Consent, "revoke": f.Revoke,
					"erase": f.Erase, "crash": f.Crash, "wait": f.Wait,
				} {
					actions[name] = func(*rapid.T) { act() }
				}
				rt.Repeat(actions)
			})
		})
	}
}
