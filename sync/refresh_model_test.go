package sync

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/proof"
)

// The model explores every interleaving of three processes that refresh one
// grant, in two rounds, over a durable store, against services that rotate in
// five ways, with a bounded number of crashes, stalls and lost messages. Time
// is abstract: a wait ends when what is waited for is over, or, where stalls
// may be longer than waits, at any time. It says which protocols lose a user.

const modelProcesses = 3

// modelMode is what the service does with a refresh token that was used.
type modelMode int8

const (
	modelSingleUse       modelMode = iota
	modelSingleUseRevoke           // presenting an old one ends the grant
	modelGrace                     // the old one lives until the new access token is used
	modelReplay                    // the old one gets the same answer again
	modelStatic                    // it does not rotate
	modelModes
)

// modelLock is how processes keep each other off.
type modelLock int8

const (
	noLock    modelLock = iota
	blindLock           // released by whoever ends, not only by its holder
	ownedLock           // released by its holder
)

// modelWrite is the condition under which a new pair is stored.
type modelWrite int8

const (
	blindWrite  modelWrite = iota
	fencedWrite            // if the lease is still held
	swapWrite              // if the consumed token is the stored one
)

// modelProtocol is one way to refresh.
type modelProtocol struct {
	name       string
	lock       modelLock
	reread     bool // read again under the lock
	write      modelWrite
	waitOthers bool // wait for others after a refusal
	sibling    bool // keep a pair whose swap missed
	useFirst   bool // use the access token before the pair is stored
	quarantine bool // wait for earlier attempts before sending
}

// What a process is at.
type modelStep int8

const (
	stepIdle modelStep = iota
	stepLeased
	stepReady
	stepGranted
	stepRefused
	stepRelease
	stepNoAnswer
	stepUsed
	stepStored
)

type modelProcess struct {
	step modelStep
	// token is the one that is presented, answer the one that came back.
	token, answer int8
}

// modelState is the whole world; tokens are numbered.
type modelState struct {
	// The service: the token it takes, the one before and whether that is
	// taken too, the number of the next, whether the grant has ended.
	current, previous, next int8
	previousTaken, ended    bool
	// The store: the token, a sibling (-1 for none), whether the access token
	// is fresh, whether the person was asked, who has the lease (-1), and who
	// has an attempt under way, as bits.
	stored, sibling int8
	fresh, asked    bool
	lease           int8
	attempts        uint8

	process [modelProcesses]modelProcess
	// What may still happen.
	crashes, stalls, losses, rounds int8
}

func (s *modelState) takes(m modelMode, token int8) bool {
	switch {
	case token < 0 || s.ended:
		return false
	case m == modelStatic:
		return true
	case m == modelGrace || m == modelReplay:
		return token == s.current || token == s.previous && s.previousTaken
	default:
		return token == s.current
	}
}

// present shows a token to the service; -1 is a refusal.
func (s *modelState) present(m modelMode, token int8) int8 {
	old := token == s.previous && s.previousTaken
	switch {
	case s.ended:
		return -1
	case m == modelStatic:
		return 0
	case token == s.current:
		s.previous, s.previousTaken = s.current, m == modelGrace || m == modelReplay
		s.current, s.next = s.next, s.next+1
		return s.current
	case m == modelGrace && old:
		s.current, s.next = s.next, s.next+1 // in the place of the unused pair
		return s.current
	case m == modelReplay && old:
		return s.current
	}
	s.ended = s.ended || m == modelSingleUseRevoke
	return -1
}

// use shows the access token that came with a refresh token.
func (s *modelState) use(m modelMode, token int8) {
	if m == modelGrace && token == s.current {
		s.previousTaken = false
	}
}

// modelBounds is how much may go wrong.
type modelBounds struct {
	crashes, stalls, losses int8
	// longStalls: a stalled process may come back after the others have
	// stopped waiting for it.
	longStalls bool
}

// successors returns all states that may follow.
func (p *modelProtocol) successors(m modelMode, s modelState, longStalls bool) []modelState {
	var out []modelState
	add := func(change func(*modelState)) {
		next := s
		change(&next)
		out = append(out, next)
	}
	for i := range s.process {
		p.move(m, &s, i, longStalls, add)
		if s.crashes > 0 && s.process[i].step != stepIdle {
			add(func(n *modelState) { n.crashes--; n.process[i] = modelProcess{} })
		}
	}
	if s.lease >= 0 && p.lock != noLock {
		switch {
		case s.process[s.lease].step == stepIdle: // its holder died
			add(func(n *modelState) { n.lease = -1 })
		case s.stalls > 0:
			add(func(n *modelState) { n.stalls--; n.lease = -1 })
		}
	}
	if s.fresh && s.rounds > 0 {
		add(func(n *modelState) { n.rounds--; n.fresh = false })
	}
	return out
}

// move adds what process i may do next.
func (p *modelProtocol) move(m modelMode, s *modelState, i int, longStalls bool, add func(func(*modelState))) {
	me, bit := s.process[i], uint8(1)<<i
	// forget adds the ends of the attempts that i waits for.
	forget := func() {
		for j := range s.process {
			theirs := uint8(1) << j
			if j != i && s.attempts&theirs != 0 && (s.process[j].step == stepIdle || longStalls) {
				add(func(n *modelState) { n.attempts &^= theirs })
			}
		}
	}
	others := s.attempts &^ bit
	switch me.step {
	case stepIdle:
		switch {
		case s.fresh || s.asked:
		case p.lock == noLock:
			add(func(n *modelState) { n.process[i] = modelProcess{step: stepLeased, token: n.stored} })
		case s.lease < 0:
			add(func(n *modelState) {
				n.lease = int8(i)
				n.process[i] = modelProcess{step: stepLeased, token: n.stored}
			})
		}
	case stepLeased:
		if p.quarantine && s.lease == int8(i) && !s.fresh && !s.asked && others != 0 {
			forget()
			return
		}
		add(func(n *modelState) {
			if p.reread {
				n.process[i].token = n.stored
				if n.fresh || n.asked {
					n.process[i] = modelProcess{step: stepRelease}
					return
				}
			}
			if p.write != blindWrite && p.lock == ownedLock && n.lease != int8(i) {
				n.process[i] = modelProcess{} // the intent is fenced
				return
			}
			n.attempts |= bit
			n.process[i].step = stepReady
		})
	case stepReady:
		add(func(n *modelState) {
			n.process[i].step = stepRefused
			if answer := n.present(m, me.token); answer >= 0 {
				n.process[i].step, n.process[i].answer = stepGranted, answer
			}
		})
		if s.losses > 0 {
			add(func(n *modelState) { n.losses--; n.process[i].step = stepNoAnswer })
			add(func(n *modelState) { n.losses--; n.present(m, me.token); n.process[i].step = stepNoAnswer })
		}
	case stepNoAnswer:
		add(func(n *modelState) {
			if p.lock == noLock || n.lease == int8(i) {
				n.process[i].step = stepReady
				return
			}
			n.attempts &^= bit
			n.process[i] = modelProcess{}
		})
	case stepGranted, stepUsed:
		if p.useFirst && me.step == stepGranted {
			add(func(n *modelState) { n.use(m, me.answer); n.process[i].step = stepUsed })
			return
		}
		add(func(n *modelState) {
			stores := true
			switch p.write {
			case fencedWrite:
				stores = n.lease == int8(i)
			case swapWrite:
				stores = n.stored == me.token
			}
			switch {
			case stores:
				n.stored, n.sibling, n.fresh, n.asked = me.answer, -1, true, false
			case p.sibling && n.stored != me.answer:
				n.sibling = me.answer
			}
			n.attempts &^= bit
			n.process[i].step = stepStored
		})
	case stepStored:
		add(func(n *modelState) {
			if n.stored == me.answer {
				n.use(m, n.stored)
			}
			n.process[i] = modelProcess{step: stepRelease}
		})
	case stepRefused:
		if p.waitOthers && s.stored == me.token && others != 0 {
			forget()
			return
		}
		add(func(n *modelState) {
			n.attempts &^= bit
			switch {
			case p.reread && n.stored != me.token:
			case p.sibling && n.sibling >= 0:
				n.stored, n.sibling = n.sibling, -1
			default:
				n.asked = true
			}
			n.process[i] = modelProcess{step: stepRelease}
		})
	case stepRelease:
		add(func(n *modelState) {
			if p.lock == blindLock || p.lock == ownedLock && n.lease == int8(i) {
				n.lease = -1
			}
			n.process[i] = modelProcess{}
		})
	}
}

// modelResult is the worst that can happen: a user is lost when, at rest, the
// store holds nothing that the service takes; asked in vain when the person was
// asked while the stored token is taken; stuck when nothing can happen any more
// although somebody is not done.
type modelResult struct {
	lost, falselyAsked, stuck bool
	states                    int
}

func (r modelResult) String() string {
	switch {
	case r.lost:
		return "loses"
	case r.falselyAsked:
		return "false"
	default:
		return "ok"
	}
}

func (p *modelProtocol) explore(m modelMode, b modelBounds) modelResult {
	var r modelResult
	first := modelState{
		previous: -1, next: 1, sibling: -1, lease: -1, crashes: b.crashes, stalls: b.stalls, losses: b.losses, rounds: 1,
	}
	seen, queue := map[modelState]struct{}{first: {}}, []modelState{first}
	for len(queue) > 0 {
		s := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		rest := true
		for _, process := range s.process {
			rest = rest && process.step == stepIdle
		}
		if rest {
			r.lost = r.lost || !s.takes(m, s.stored) && !s.takes(m, s.sibling)
			r.falselyAsked = r.falselyAsked || s.asked && s.takes(m, s.stored)
		}
		next := p.successors(m, s, b.longStalls)
		r.stuck = r.stuck || len(next) == 0 && !rest
		for _, n := range next {
			if _, known := seen[n]; !known {
				seen[n] = struct{}{}
				queue = append(queue, n)
			}
		}
	}
	r.states = len(seen)
	return r
}

// TestModelOfTheRefreshProtocol asserts what each protocol does under each
// fault; the engine implements V4.
func TestModelOfTheRefreshProtocol(t *testing.T) {
	v0 := modelProtocol{name: "V0 stores in a callback, no lock", useFirst: true}
	v1 := modelProtocol{name: "V1 lock with a blind release", lock: blindLock, reread: true}
	v2 := modelProtocol{name: "V2 lease, fenced write", lock: ownedLock, reread: true, write: fencedWrite}
	v3 := modelProtocol{name: "V3 swap, wait after a refusal, siblings", lock: ownedLock, reread: true, write: swapWrite, waitOthers: true, sibling: true}
	v3used := v3
	v3used.name, v3used.useFirst = "V3' used before it is stored", true
	v4 := v3
	v4.name, v4.quarantine = "V4 V3 and quarantine", true

	const ok, loses, falsely = "ok", "loses", "false"
	none := modelBounds{}
	stalls := modelBounds{stalls: 2}
	long := modelBounds{stalls: 2, longStalls: true}
	kill := modelBounds{crashes: 1}
	loss := modelBounds{losses: 1}
	all := modelBounds{crashes: 2, stalls: 2, losses: 2}
	type outcomes [modelModes]string
	rows := []struct {
		fault    string
		bounds   modelBounds
		protocol modelProtocol
		want     outcomes // single use, single use that revokes, grace, replay, static
	}{
		{"concurrency", none, v0, outcomes{falsely, loses, loses, falsely, ok}},
		{"concurrency", none, v1, outcomes{ok, ok, ok, ok, ok}},
		{"concurrency", none, v2, outcomes{ok, ok, ok, ok, ok}},
		{"concurrency", none, v3, outcomes{ok, ok, ok, ok, ok}},
		{"concurrency", none, v4, outcomes{ok, ok, ok, ok, ok}},
		{"stalls", stalls, v1, outcomes{ok, loses, loses, ok, ok}},
		{"stalls", stalls, v2, outcomes{loses, loses, loses, ok, ok}},
		{"stalls", stalls, v3, outcomes{ok, loses, loses, ok, ok}},
		{"stalls", stalls, v4, outcomes{ok, ok, ok, ok, ok}},
		{"stalls longer than the quarantine", long, v4, outcomes{ok, loses, loses, ok, ok}},
		{"one kill", kill, v4, outcomes{loses, loses, ok, ok, ok}},
		{"one kill", kill, v3used, outcomes{loses, loses, loses, ok, ok}},
		{"one lost message", loss, v4, outcomes{loses, loses, ok, ok, ok}},
		{"two of each", all, v4, outcomes{loses, loses, ok, ok, ok}},
	}
	counts := proof.Counts{"cells": len(rows) * int(modelModes)}
	proof.Row(t, "R11", counts)
	for _, row := range rows {
		t.Run(fmt.Sprintf("%s/%s", row.fault, row.protocol.name), func(t *testing.T) {
			var got outcomes
			for m := range modelModes {
				r := row.protocol.explore(m, row.bounds)
				got[m] = r.String()
				counts["states"] += r.states
				require.False(t, row.protocol.name == v4.name && r.stuck, "mode %d", m)
			}
			require.Equal(t, row.want, got)
		})
	}
	t.Run("waits without a bound block each other", func(t *testing.T) {
		stuck := false
		for m := range modelModes {
			stuck = stuck || v3.explore(m, stalls).stuck
		}
		require.True(t, stuck)
	})
}
