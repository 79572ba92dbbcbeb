package proofs

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // the parent holds the write lock, as any program may

	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/internal/provsim"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

// TestSecretsAtRest connects people, refreshes, reads, takes deliveries, kills
// processes in the middle of that, has one put a pair aside, and looks through
// every file that all of it left behind.
func TestSecretsAtRest(t *testing.T) {
	t.Parallel()
	secretsAtRest(t, onSQLite, points())
}

// TestSecretsAtRestOnRedis does it over Redis: what is looked through are the
// append-only file and a snapshot.
func TestSecretsAtRestOnRedis(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	some := points()[slices.Index(points(), "after_intent"):]
	secretsAtRest(t, onRedis, some[:proof.N(5, len(some))])
}

func secretsAtRest(t *testing.T, on backend, tried []string) {
	rounds := proof.N(1, 5)
	counts := proof.Counts{"kills": 0, "secrets": 0}
	proof.Row(t, "X2", counts)
	proof.Row(t, "R14", proof.Counts{"pairs put aside": 1})
	seed := proof.Seed(t)
	random := rand.New(rand.NewPCG(seed, 0))
	w := newWorld(t, worldConfig{
		on:      on,
		service: provsim.Config{Rotation: providers.RotationReplay, Users: len(tried), Days: 1, Seed: seed, DeliveryTimeout: 3 * time.Second},
		sealRaw: true, scopes: []string{provsim.StreamDaily, provsim.StreamEvents},
	})
	// What only raw answers hold: a row that cannot be mapped.
	note := "a-note-only-the-service-has-" + randomHex(16)
	w.service.Inject(provsim.Fault{
		On: "data", Count: 1 << 30, Status: 200, Body: `{"rows":[{"id":"","note":"` + note + `"}],"mark":"1","next":""}`,
	})
	for user, got := range w.outcomes(w.start("settle", "", 0, func(j *job) { j.Tasks = asIs(w.tasks) })) {
		require.Equal(t, "ok", got[0].word, "%s: %s", user, got)
	}
	w.sealed(t, note)
	w.service.ClearFaults()
	for round := range rounds {
		for i, point := range tried {
			p := w.start("settle", fmt.Sprintf("%s=kill@%d", point, 1+random.IntN(2)), 0, func(j *job) {
				j.Tasks = slices.Clone(w.tasks[i : i+1])
				j.Tasks[0].Times = 2
			})
			w.reach(p, point, "kill")
			counts["kills"]++
			w.killed(p)
			// A killed process leaves its log file; what is in there counts.
			if round == 0 {
				w.sealed(t, note)
			}
		}
		after := w.settle(later, 0)
		for user, got := range after {
			require.Equal(t, "ok", got[0].word, "%s: %s", user, got)
		}
		w.sealed(t, note)
	}
	w.deliver(t, random)
	w.putAside(t)
	w.sealed(t, note)
	counts["secrets"] = len(w.secrets(note))

	// The search finds what is there: without sealing, the note is.
	open := newWorld(t, worldConfig{on: on, service: provsim.Config{Users: 1, Days: 1, Seed: seed}})
	open.service.Inject(provsim.Fault{
		On: "data", Count: 1 << 30, Status: 200, Body: `{"rows":[{"id":"","note":"` + note + `"}]}`,
	})
	require.Equal(t, "ok", open.settle(0, 0)["u1"][0].word)
	open.snapshot(t)
	require.NotEmpty(t, leaks(t, open.dir, []string{note}))
}

// secrets are all that must not lie in a file: codes, tokens, the client's
// secret, verifiers, signing secrets, and the note.
func (w *world) secrets(note string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := append(w.service.MintedSecrets(), w.job.SigningSecret, string(w.job.Key), note)
	return append(all, w.verifiers...)
}

// sealed requires that no secret lies in a file.
func (w *world) sealed(t *testing.T, note string) {
	t.Helper()
	w.snapshot(t)
	secrets := w.secrets(note)
	require.NotContains(t, secrets, "")
	require.Empty(t, leaks(t, w.dir, secrets))
}

// snapshot has a redis-server write all that it holds to a file, beside the
// append-only file.
func (w *world) snapshot(t *testing.T) {
	t.Helper()
	if w.redis == nil {
		return
	}
	_, err := w.redis.Do("SAVE")
	require.NoError(t, err)
	for _, name := range []string{"dump.rdb", "appendonlydir/*.aof"} {
		files, err := filepath.Glob(filepath.Join(w.dir, name))
		require.NoError(t, err)
		require.NotEmpty(t, files, name)
	}
}

// deliver sends deliveries to a process that is killed with some in its hands.
func (w *world) deliver(t *testing.T, random *rand.Rand) {
	var to receiver
	p := w.listen(&to, "item_before_effect=kill@5")
	sending, stop := context.WithCancel(t.Context())
	sent := &sender{w: w, to: &to, acked: make(map[string]bool)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		sent.run(sending, random, 0, time.Millisecond)
	}()
	w.reach(p, "item_before_effect", "kill")
	w.killed(p)
	stop()
	<-done
	require.NotEmpty(t, sent.acked)
}

// putAside has a process end while the store does not take the new pair: it is
// put aside in a file of its own and taken in by the next process.
func (w *world) putAside(t *testing.T) {
	one := w.tasks[0]
	before := shownTo(w, one.User)
	p := w.start("settle", "before_persist=sleep:3s", 0, func(j *job) { j.Tasks = []task{one} })
	w.reach(p, "before_persist", "sleep")
	release := w.hold(t)
	p.Signal(syscall.SIGTERM)
	p.WaitFor("alarm spill")
	release()
	w.ended(p)

	var files []string
	require.NoError(t, filepath.WalkDir(w.job.Spill, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files = append(files, path)
		}
		return err
	}))
	require.Len(t, files, 1)
	info, err := os.Stat(files[0])
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	require.Empty(t, leaks(t, w.job.Spill, w.secrets("nothing")))

	got := w.outcomes(w.start("settle", "", 0, func(j *job) { j.Tasks = asIs([]task{one}) }))
	require.Equal(t, "ok", got[one.User][0].word, "%s", got)
	require.NoFileExists(t, files[0])
	require.Equal(t, before+1, shownTo(w, one.User), "presentations: the pair that was put aside is the one in use")
	conn, _, text := w.stored(one.User)
	require.Equal(t, store.StateActive, conn.State)
	require.True(t, w.service.Accepts(text))
}

// shownTo counts the presentations for a person.
func shownTo(w *world, user string) int {
	n := 0
	for _, r := range w.service.Ledger().Refresh {
		if r.User == user {
			n += r.Shown
		}
	}
	return n
}

// hold keeps every process from writing to the store until release is called.
func (w *world) hold(t *testing.T) (release func()) {
	if w.redis != nil {
		require.NoError(t, w.redis.Stop())
		return func() { require.NoError(t, w.redis.Cont()) }
	}
	db, err := sql.Open("sqlite", w.job.Store)
	require.NoError(t, err)
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	_, err = conn.ExecContext(t.Context(), "BEGIN IMMEDIATE")
	require.NoError(t, err)
	return func() {
		require.NoError(t, conn.Close())
		require.NoError(t, db.Close())
	}
}
