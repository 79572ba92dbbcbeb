package proofs

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/failpoint/failpointtest"
	"github.com/vitalmux/vitalmux/internal/faultproxy"
	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/internal/provsim"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

// later is the clock of a process that starts when all pauses after one failed
// or interrupted refresh are over: quarantine, or the longest first backoff.
const later = 75 * time.Second

// unhurried is the LeaseTTL of processes that nobody kills or stops, so that a
// slow machine is not taken for a lost answer.
const unhurried = 90 * time.Second

// TestOnePresentation has many workers in several processes find everybody's
// access token expired, over and over.
func TestOnePresentation(t *testing.T) {
	t.Parallel()
	onePresentation(t, onSQLite, proof.N(40, 500), proof.N(3, 20), proof.N(8, 16))
}

// TestOnePresentationOnRedis does it over Redis.
func TestOnePresentationOnRedis(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	onePresentation(t, onRedis, proof.N(20, 500), proof.N(2, 20), proof.N(4, 16))
}

func onePresentation(t *testing.T, on backend, users, rounds, workers int) {
	const children = 4
	proof.Row(t, "R1", proof.Counts{"users": users, "rounds": rounds, "processes": children, "workers": children * workers})
	refreshes := proof.Counts{"refreshes": 0}
	proof.Row(t, "R6", refreshes)
	storm(t, on, users, rounds, workers, make([]time.Duration, children))
	refreshes["refreshes"] = users * rounds
}

// storm lets one child for each clock sync everybody at the same time, and
// requires that every refresh token was presented once.
func storm(t *testing.T, on backend, users, rounds, workers int, clocks []time.Duration) {
	w := newWorld(t, worldConfig{
		on:       on,
		service:  provsim.Config{Rotation: providers.RotationSingleUseRevoke, Users: users, Days: 1, Seed: proof.Seed(t)},
		children: len(clocks), onRound: func(w *world) { w.service.ExpireAccess("") },
	})
	var all []*failpointtest.Process
	for _, clock := range clocks {
		all = append(all, w.start("storm", "", clock, func(j *job) {
			j.Rounds, j.Workers, j.LeaseTTL = rounds, workers, unhurried
		}))
	}
	for _, p := range all {
		for {
			line, ok := p.Line()
			if !ok {
				break
			}
			require.False(t, strings.HasPrefix(line, "failure"), line)
		}
		w.ended(p)
	}
	shown := make(map[string]int)
	for _, r := range w.service.Ledger().Refresh {
		require.LessOrEqual(t, r.Shown, 1, "presentations of a refresh token of %s", r.User)
		shown[r.User] += r.Shown
	}
	held := make([]string, 0, users)
	for _, task := range w.tasks {
		require.Equal(t, rounds, shown[task.User], "presentations for %s", task.User)
		conn, _, text := w.stored(task.User)
		require.Equal(t, store.StateActive, conn.State, task.User)
		held = append(held, text)
	}
	require.Empty(t, w.service.Lost(held...))
	w.nobodyUnstored()
}

// slow is the LeaseTTL of processes that are killed in a refresh and have to
// come that far on a slow machine: the refreshes before end in a third of it.
const slow = 15 * time.Second

// TestKilledAtEachPoint kills a process at each point of a refresh, in every
// mode, and looks at once and after the pause what became of the person.
func TestKilledAtEachPoint(t *testing.T) {
	t.Parallel()
	killedAtEachPoint(t, onSQLite, modes())
}

// TestKilledAtEachPointOnRedis does it over Redis.
func TestKilledAtEachPointOnRedis(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	killedAtEachPoint(t, onRedis, strictest(2, modes()))
}

func killedAtEachPoint(t *testing.T, on backend, tried []mode) {
	seeds := proof.N(1, 70)
	proof.Row(t, "R2", proof.Counts{"kills": seeds * len(points()) * len(tried), "modes": len(tried), "points": len(points())})
	random := rand.New(rand.NewPCG(proof.Seed(t), 2))
	for range seeds {
		seed := random.Uint64()
		for _, m := range tried {
			t.Run(fmt.Sprintf("%s/%d", m.name, seed), func(t *testing.T) {
				t.Parallel()
				killAtEachPoint(t, on, m, seed)
			})
		}
	}
}

func killAtEachPoint(t *testing.T, on backend, m mode, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 0))
	w := newWorld(t, worldConfig{on: on, service: provsim.Config{Rotation: m.rotation, Users: len(points()), Days: 1, Seed: seed}})
	// At each point dies the process of one person, in its first, second or
	// third refresh.
	const together = 4
	for batch := range slices.Chunk(indices(len(points())), together) {
		var all []*failpointtest.Process
		for _, i := range batch {
			nth := 1 + random.IntN(3)
			all = append(all, w.start("settle", fmt.Sprintf("%s=kill@%d", points()[i], nth), 0, func(j *job) {
				j.LeaseTTL, j.Tasks = slow, slices.Clone(w.tasks[i:i+1])
				j.Tasks[0].Times = nth
			}))
		}
		for k, p := range all {
			w.reach(p, points()[batch[k]], "kill")
			w.killed(p)
		}
	}

	// At once, which is when the leases of the dead have ended.
	now := w.settle(0, 0)
	for i, point := range points() {
		got := now[w.tasks[i].User][0]
		if !underway(point) {
			require.Equal(t, "ok", got.word, "%s: %s", point, got)
			continue
		}
		// What to do is known, and when: not longer than one pause from now.
		require.Equal(t, "later", got.word, "%s: %s", point, got)
		wait, err := time.ParseDuration(got.detail)
		require.NoError(t, err)
		require.LessOrEqual(t, wait, slow/3+quarantine, point)
	}
	// After the pause, and in two more refreshes.
	after := w.settle(later, 2)
	for i, point := range points() {
		user := w.tasks[i].User
		conn, _, text := w.stored(user)
		for n, got := range after[user] {
			if got.word == "reauth" && m.once() && unsaved(point) {
				require.Equal(t, store.StateReauthRequired, conn.State)
				require.NotEmpty(t, conn.Reason)
				require.False(t, w.service.Accepts(text), "%s: asked for consent, and the stored token is accepted", point)
				continue
			}
			require.Equal(t, "ok", got.word, "%s, Sync %d: %s", point, n, got)
			require.Equal(t, store.StateActive, conn.State, point)
			require.True(t, w.service.Accepts(text), point)
		}
	}
	w.nobodyUnstored()
}

func indices(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// TestKilledAnyTime kills processes that run the engine, one after the other at
// random moments, while everybody's access token keeps ending.
func TestKilledAnyTime(t *testing.T) {
	t.Parallel()
	killedAnyTime(t, onSQLite, proof.N(30, 200), proof.N(10, 350), []mode{modes()[1], modes()[3], modes()[4]})
}

// TestKilledAnyTimeOnRedis does it over Redis.
func TestKilledAnyTimeOnRedis(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	killedAnyTime(t, onRedis, proof.N(20, 200), proof.N(6, 350), strictest(1, []mode{modes()[1], modes()[3], modes()[4]}))
}

func killedAnyTime(t *testing.T, on backend, users, kills int, tried []mode) {
	proof.Row(t, "R3", proof.Counts{"users": users, "kills": kills * len(tried), "processes": 3, "modes": len(tried)})
	seed := proof.Seed(t)
	for _, m := range tried {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			killAnyTime(t, on, m, seed, users, kills)
		})
	}
}

func killAnyTime(t *testing.T, on backend, m mode, seed uint64, users, kills int) {
	random := rand.New(rand.NewPCG(seed, uint64(m.rotation)))
	w := newWorld(t, worldConfig{on: on, service: provsim.Config{Rotation: m.rotation, Users: users, Days: 1, Seed: seed}})
	running := make([]*failpointtest.Process, 3)
	for i := range running {
		running[i] = w.start("run", "", 0, nil)
		running[i].WaitFor("ready")
	}
	lost := 0
	// asked tells whether somebody was asked for consent, which needs a reason:
	// the token that is stored is used up, or nobody can know.
	asked := func(user string) bool {
		conn, c, text := w.stored(user)
		if conn.State != store.StateReauthRequired {
			return false
		}
		lost++
		require.True(t, m.once(), "%s was asked for consent (%s)", user, conn.Reason)
		require.NotEmpty(t, conn.Reason)
		require.True(t, !w.service.Accepts(text) || c.Doubts > 1,
			"%s was asked for consent (%s), and the stored token is accepted", user, conn.Reason)
		return true
	}
	for kill := range kills {
		if kill%20 == 19 { // so that there is somebody left
			for _, task := range w.tasks {
				if asked(task.User) {
					w.consent(task.User)
				}
			}
		}
		w.service.ExpireAccess("")
		shown := presentations(w)
		// The moment is somewhere in the first refreshes that follow, if there
		// are any left to do, or in what comes after them.
		several := 1 + random.IntN(5)
		deadline := time.Now().Add(time.Duration(100+random.IntN(400)) * time.Millisecond)
		for presentations(w) < shown+several && time.Now().Before(deadline) {
			time.Sleep(time.Millisecond)
		}
		i := random.IntN(len(running))
		running[i].Kill()
		w.killed(running[i])
		running[i] = w.start("run", "", 0, nil)
		running[i].WaitFor("ready")
	}
	for _, p := range running {
		p.Signal(syscall.SIGTERM)
	}
	for _, p := range running {
		w.ended(p)
	}
	after := w.settle(later, 1)
	for _, task := range w.tasks {
		if asked(task.User) {
			require.Equal(t, "reauth", after[task.User][1].word)
			continue
		}
		conn, _, text := w.stored(task.User)
		require.Equal(t, "ok", after[task.User][1].word, "%s: %s", task.User, after[task.User])
		require.Equal(t, store.StateActive, conn.State)
		require.True(t, w.service.Accepts(text), task.User)
	}
	t.Logf("%s: %d presentations, %d people asked for consent", m.name, presentations(w), lost)
	require.LessOrEqual(t, lost, 4*kills, "more than the refreshes that a process does at a time")
}

// presentations counts the refresh tokens that were shown so far.
func presentations(w *world) int {
	n := 0
	for _, e := range w.service.Ledger().Entries {
		if e.Kind == "refresh shown" {
			n++
		}
	}
	return n
}

// TestStopped stops the process that refreshes, at each point, for twice as
// long as its lease lasts, while another works on the same people; first with a
// stop shorter than the quarantine, then with one that is longer by the other's
// clock.
func TestStopped(t *testing.T) {
	t.Parallel()
	short := []mode{modes()[1], modes()[4]}
	if proof.Full() {
		short = modes()
	}
	stoppedAtEachPoint(t, onSQLite, short, []mode{modes()[0], modes()[2], modes()[3]})
}

// TestStoppedOnRedis does it over Redis.
func TestStoppedOnRedis(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	stoppedAtEachPoint(t, onRedis, strictest(1, modes()), strictest(1, []mode{modes()[0], modes()[2], modes()[3]}))
}

func stoppedAtEachPoint(t *testing.T, on backend, short, long []mode) {
	rounds := proof.N(1, 5)
	proof.Row(t, "R4", proof.Counts{
		"stops": rounds * len(points()) * (len(short) + len(long)), "points": len(points()), "longer than the quarantine": rounds * len(points()) * len(long),
	})
	seed := proof.Seed(t)
	for round := range rounds {
		for _, m := range short {
			t.Run(fmt.Sprintf("short/%s/%d", m.name, round), func(t *testing.T) {
				t.Parallel()
				stopped(t, on, m, seed+uint64(round), 0, points())
			})
		}
		for _, m := range long {
			t.Run(fmt.Sprintf("long/%s/%d", m.name, round), func(t *testing.T) {
				t.Parallel()
				stopped(t, on, m, seed+uint64(round), later, points())
			})
		}
	}
}

func stopped(t *testing.T, on backend, m mode, seed uint64, clock time.Duration, at []string) {
	var w *world
	var other *failpointtest.Process
	for try := 0; ; try++ {
		require.Less(t, try, 5, "stops in the middle of writing to the file, or for too long")
		w = newWorld(t, worldConfig{on: on, service: provsim.Config{Rotation: m.rotation, Users: len(at), Days: 1, Seed: seed + uint64(try)}})
		began := time.Now()
		all, ok := w.stopEach(at)
		if !ok {
			continue
		}
		other = w.start("patrol", "", clock, func(j *job) { j.LeaseTTL = unhurried })
		other.WaitFor("ready")
		<-time.After(2 * leaseTTL) // this is the fault, not a wait for something
		for _, p := range all {
			p.Continue()
		}
		for _, p := range all {
			w.ended(p)
		}
		// On a slow machine a short stop may be a long one: the first waits until
		// the last has started.
		took := time.Since(began)
		if clock > 0 || took < refreshTimeout+quarantine {
			break
		}
		t.Logf("stopped for up to %v; once more, with fewer at once", took)
		other.Kill()
		other.Wait()
		if half := len(at) / 2; half > 0 {
			stopped(t, on, m, seed, clock, at[:half])
			stopped(t, on, m, seed, clock, at[half:])
			return
		}
	}
	other.Signal(syscall.SIGTERM)
	w.ended(other)
	after := w.settle(clock+later, 2)
	for i, point := range at {
		user := w.tasks[i].User
		for n, got := range after[user] {
			require.Equal(t, "ok", got.word, "%s, Sync %d: %s", point, n, got)
		}
		conn, _, text := w.stored(user)
		require.Equal(t, store.StateActive, conn.State, point)
		require.True(t, w.service.Accepts(text), point)
	}
}

// stopEach has one process for each of the points, and each person, stop there. It
// reports false if one was stopped while another of its goroutines wrote to a
// file: SQLite then lets nobody else write, and there is nothing to see.
func (w *world) stopEach(at []string) ([]*failpointtest.Process, bool) {
	w.t.Helper()
	var all []*failpointtest.Process
	for i, point := range at {
		p := w.start("settle", point+"=stop", 0, func(j *job) { j.Tasks = w.tasks[i : i+1] })
		all = append(all, p)
		told, ok := w.reaches(p, point, "stop")
		if ok {
			p.WaitStopped()
		}
		// The one before may have begun to write before the signal stopped it.
		locked := !ok && strings.Contains(strings.Join(told, "\n"), "SQLITE_BUSY")
		require.True(w.t, ok || locked, "the child did not come to %s: %q", point, told)
		lease, err := w.store.Acquire(w.t.Context(), "probe", "probe", time.Minute)
		if locked || errors.Is(err, store.ErrBusy) {
			w.t.Logf("stopped at %s in the middle of writing; once more", point)
			for _, p := range all {
				p.Kill()
				p.Wait()
			}
			return nil, false
		}
		require.NoError(w.t, err)
		require.NoError(w.t, w.store.Release(w.t.Context(), lease))
	}
	return all, true
}

// TestAmbiguousNetwork breaks and delays the connection that a refresh token
// goes over.
func TestAmbiguousNetwork(t *testing.T) {
	t.Parallel()
	ambiguousNetwork(t, onSQLite, modes())
}

// TestAmbiguousNetworkOnRedis does it over Redis.
func TestAmbiguousNetworkOnRedis(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	ambiguousNetwork(t, onRedis, strictest(1, modes()))
}

func ambiguousNetwork(t *testing.T, on backend, tried []mode) {
	each := proof.N(12, 400)
	proof.Row(t, "R5", proof.Counts{"cuts and delays": each * len(tried), "modes": len(tried)})
	seed := proof.Seed(t)
	for _, m := range tried {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			ambiguous(t, on, m, seed, each)
		})
	}
}

// cut draws a fault, and tells whether the service gets to answer in time that
// the client may not learn of it.
func cut(random *rand.Rand, kind int) (name string, f faultproxy.Fault, unheard bool) {
	ways := []faultproxy.How{faultproxy.Close, faultproxy.Reset, faultproxy.Hang}
	f.How = ways[random.IntN(len(ways))]
	switch kind % 6 {
	case 0:
		f.At, name = faultproxy.OnConnect, "before the request"
	case 1:
		f.At, f.Bytes, name = faultproxy.InRequest, random.Int64N(200), "in the request"
	case 2:
		f.At, name, unheard = faultproxy.InReply, "before the reply", true
	case 3:
		f.At, f.Bytes, name, unheard = faultproxy.InReply, 1+random.Int64N(300), "in the reply", true
	case 4:
		f.At, name = faultproxy.AfterReply, "after the reply"
	case 5:
		// Once on the way there, once on the way back.
		f = faultproxy.Fault{Latency: refreshTimeout/3 + time.Duration(random.Int64N(int64(refreshTimeout/2)))}
		name, unheard = "a delay around the timeout", true
	}
	return name, f, unheard
}

func ambiguous(t *testing.T, on backend, m mode, seed uint64, each int) {
	random := rand.New(rand.NewPCG(seed, uint64(m.rotation)))
	w := newWorld(t, worldConfig{on: on, service: provsim.Config{Rotation: m.rotation, Users: each, Days: 1, Seed: seed}})
	target := strings.TrimPrefix(w.server.URL, "http://")
	names, unheard := make([]string, each), make([]bool, each)
	tasks := slices.Clone(w.tasks)
	for i := range tasks {
		var f faultproxy.Fault
		names[i], f, unheard[i] = cut(random, i)
		// An attempt that sent nothing is repeated; it meets the same.
		p, err := faultproxy.New(faultproxy.Config{Target: target, Seed: random.Uint64(), Plan: func(int, *rand.Rand) faultproxy.Fault { return f }})
		require.NoError(t, err)
		t.Cleanup(p.Close)
		tasks[i].TokenURL = p.Addr()
	}
	// One after the other, so that it is known whose connection meets what.
	first := w.outcomes(w.start("settle", "", 0, func(j *job) { j.Tasks, j.Workers = tasks, 1 }))
	shown := make(map[string]int)
	for _, e := range w.service.Ledger().Entries {
		if e.Kind == "refresh shown" {
			shown[e.User]++
		}
	}
	for i, task := range w.tasks {
		got := first[task.User][0]
		require.Contains(t, []string{"ok", "later"}, got.word, "%s: %s", names[i], got)
		require.LessOrEqual(t, shown[task.User], 1, "%s: presentations before any pause", names[i])
		if got.word == "later" { // never silent, and never for ever
			_, c, _ := w.stored(task.User)
			require.False(t, c.NextAt.IsZero() && c.Attempt == nil, names[i])
			wait, err := time.ParseDuration(got.detail)
			require.NoError(t, err)
			require.LessOrEqual(t, wait, later, names[i])
		}
	}
	// The network is whole again, and the pause is over.
	after := w.settle(later, 1)
	for i, task := range w.tasks {
		conn, _, text := w.stored(task.User)
		if last := after[task.User][1]; last.word == "reauth" && m.once() && unheard[i] && first[task.User][0].word == "later" {
			require.Equal(t, store.StateReauthRequired, conn.State, names[i])
			require.NotEmpty(t, conn.Reason)
			require.False(t, w.service.Accepts(text), "%s: asked for consent, and the stored token is accepted", names[i])
			continue
		}
		for n, got := range after[task.User] {
			require.Equal(t, "ok", got.word, "%s, Sync %d: %s; at first %s", names[i], n, got, first[task.User][0])
		}
		require.Equal(t, store.StateActive, conn.State, names[i])
		require.True(t, w.service.Accepts(text), names[i])
	}
}

// TestWrongClocks has processes with clocks ten minutes and an hour apart work
// on the same people.
func TestWrongClocks(t *testing.T) {
	t.Parallel()
	wrongClocks(t, onSQLite, proof.N(20, 200), proof.N(2, 20))
}

// TestWrongClocksOnRedis does it over Redis.
func TestWrongClocksOnRedis(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	wrongClocks(t, onRedis, proof.N(10, 200), proof.N(1, 20))
}

func wrongClocks(t *testing.T, on backend, users, rounds int) {
	clocks := []time.Duration{0, 10 * time.Minute, -10 * time.Minute, -time.Hour}
	proof.Row(t, "R12", proof.Counts{"users": users, "rounds": rounds, "clocks": len(clocks), "leases left behind": len(clocks)})
	t.Run("storm", func(t *testing.T) {
		t.Parallel()
		storm(t, on, users, rounds, 4, clocks)
	})
	t.Run("left behind", func(t *testing.T) {
		t.Parallel()
		leftBehind(t, on, clocks)
	})
}

// leftBehind has processes die with the lease in their hands, or with an attempt
// under way. What they leave behind are times of their own clock.
func leftBehind(t *testing.T, on backend, clocks []time.Duration) {
	left := []string{"after_lease", "after_intent"}
	most := []time.Duration{2 * leaseTTL, 2*leaseTTL + refreshTimeout + quarantine}
	seed := proof.Seed(t)
	var worlds []*world
	for _, clock := range clocks {
		w := newWorld(t, worldConfig{on: on, service: provsim.Config{Rotation: providers.RotationSingleUseRevoke, Users: len(left), Days: 1, Seed: seed}})
		for i, point := range left {
			p := w.start("settle", point+"=kill", clock, func(j *job) { j.Tasks = w.tasks[i : i+1] })
			w.reach(p, point, "kill")
			w.killed(p)
		}
		worlds = append(worlds, w)
	}
	for i, point := range left {
		began := time.Now()
		var all []*failpointtest.Process
		for k, w := range worlds {
			all = append(all, w.start("settle", "", clocks[(k+1)%len(clocks)], func(j *job) {
				j.Tasks, j.Insist, j.Patience = asIs(w.tasks[i:i+1]), true, time.Minute
			}))
		}
		for k, w := range worlds {
			user := w.tasks[i].User
			got := w.outcomes(all[k])
			require.Equal(t, "ok", got[user][0].word, "%s by a clock of %v: %s", point, clocks[k], got)
			require.Less(t, time.Since(began), most[i]+5*time.Second, "%s by a clock of %v", point, clocks[k])
		}
	}
	for _, w := range worlds {
		for _, r := range w.service.Ledger().Refresh {
			require.LessOrEqual(t, r.Shown, 1, "presentations of a refresh token of %s", r.User)
		}
	}
}

// asIs returns tasks whose access tokens are not taken away.
func asIs(tasks []task) []task {
	tasks = slices.Clone(tasks)
	for i := range tasks {
		tasks[i].ExpireFrom = tasks[i].Times
	}
	return tasks
}

// TestToldToEnd tells processes to end while they refresh.
func TestToldToEnd(t *testing.T) {
	t.Parallel()
	toldToEndInEachMode(t, onSQLite, modes(), proof.N(10, 200))
}

// TestToldToEndOnRedis does it over Redis.
func TestToldToEndOnRedis(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	toldToEndInEachMode(t, onRedis, strictest(1, modes()), proof.N(8, 200))
}

func toldToEndInEachMode(t *testing.T, on backend, tried []mode, times int) {
	proof.Row(t, "R13", proof.Counts{"signals": times * len(tried), "modes": len(tried)})
	seed := proof.Seed(t)
	for _, m := range tried {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			toldToEnd(t, on, m, seed, times)
		})
	}
}

func toldToEnd(t *testing.T, on backend, m mode, seed uint64, times int) {
	random := rand.New(rand.NewPCG(seed, uint64(m.rotation)))
	w := newWorld(t, worldConfig{on: on, service: provsim.Config{Rotation: m.rotation, Users: 5, Days: 1, Seed: seed}})
	at := points()[slices.Index(points(), "after_intent"):slices.Index(points(), "before_use")]
	for range times {
		w.service.ExpireAccess("")
		point := at[random.IntN(len(at))]
		how := fmt.Sprintf("%s=sleep:%dms@%d", point, 50+random.IntN(400), 1+random.IntN(3))
		p := w.start("run", how, 0, func(j *job) { j.LeaseTTL = unhurried })
		w.reach(p, point, "sleep")
		p.Signal(syscall.SIGTERM)
		w.ended(p)
	}
	after := w.settle(0, 1)
	for _, task := range w.tasks {
		for n, got := range after[task.User] {
			require.Equal(t, "ok", got.word, "%s, Sync %d: %s", task.User, n, got)
		}
		conn, c, text := w.stored(task.User)
		require.Equal(t, store.StateActive, conn.State)
		require.Nil(t, c.Attempt, "an attempt was begun and not ended")
		require.True(t, w.service.Accepts(text))
	}
	for _, r := range w.service.Ledger().Refresh {
		if m.rotation != providers.RotationNone {
			require.LessOrEqual(t, r.Shown, 1, "presentations of a refresh token of %s", r.User)
		}
	}
	w.nobodyUnstored()
}
