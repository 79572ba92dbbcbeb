package proofs

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/failpoint/failpointtest"
	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/internal/provsim"
	"github.com/vitalmux/vitalmux/store"
)

// TestKilledAtPages kills processes with a page in their hands, and just after
// its commit, and compares the store with the service's own account.
func TestKilledAtPages(t *testing.T) {
	t.Parallel()
	killedAtPages(t, onSQLite, proof.N(16, 1000), 8)
}

// TestKilledAtPagesOnRedis does it over Redis.
func TestKilledAtPagesOnRedis(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	killedAtPages(t, onRedis, proof.N(10, 1000), 5)
}

func killedAtPages(t *testing.T, on backend, kills, users int) {
	proof.Row(t, "S1", proof.Counts{"kills": kills, "users": users})
	seed := proof.Seed(t)
	random := rand.New(rand.NewPCG(seed, 0))
	seeds := make([]uint64, (kills+2*users-1)/(2*users))
	for series := range seeds {
		seeds[series] = random.Uint64()
		t.Run(fmt.Sprint(series), func(t *testing.T) {
			t.Parallel()
			killAtPages(t, on, users, seeds[series])
		})
	}
}

// pages is about how many pages a person has.
const pages = 12

func killAtPages(t *testing.T, on backend, users int, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 0))
	w := newWorld(t, worldConfig{
		on:      on,
		service: provsim.Config{Users: users, Days: -1, PageSize: 2, Seed: seed},
		scopes:  []string{provsim.StreamDaily, provsim.StreamSamples, provsim.StreamEvents},
	})
	now := time.Now().UTC().Truncate(time.Minute)
	for _, user := range w.service.Users() {
		put := func(stream string, back time.Duration, points ...int64) {
			_, err := w.service.Put(user, stream, provsim.Row{
				At: now.Add(-back).UnixMilli(), Value: 50_000 + int64(random.IntN(40_000)), Points: points,
			})
			require.NoError(t, err)
		}
		put(provsim.StreamDaily, 0)
		put(provsim.StreamDaily, 24*time.Hour)
		for i := range 6 {
			put(provsim.StreamSamples, time.Duration(13+i)*time.Hour, 60, 61+int64(i), 62)
		}
		for i := range 2 * pages {
			put(provsim.StreamEvents, time.Duration(i)*time.Minute)
		}
	}
	// Everybody's process dies twice: once at any page of the read, and once
	// more in what is left of it.
	for round := range 2 {
		var all []*failpointtest.Process
		for i := range w.tasks {
			at := 1 + random.IntN(pages-8*round)
			all = append(all, w.start("settle", "", 0, func(j *job) {
				j.Tasks, j.Workers = asIs(w.tasks[i:i+1]), 1
				if random.IntN(2) == 0 {
					j.KillFetched = at
				} else {
					j.KillCommitted = at
				}
			}))
		}
		for _, p := range all {
			w.killed(p)
		}
	}
	for user, got := range w.outcomes(w.start("settle", "", 0, func(j *job) { j.Tasks = asIs(w.tasks) })) {
		require.Equal(t, "ok", got[0].word, "%s: %s", user, got)
	}
	for _, user := range w.service.Users() {
		w.compare(user)
	}
}

// compare requires that the store holds what the service does, each record once,
// and that each was announced once.
func (w *world) compare(user string) {
	w.t.Helper()
	truth, err := w.service.Truth(user)
	require.NoError(w.t, err)
	ctx, person := w.t.Context(), "person "+user
	show := func(r *health.Record) string { return fmt.Sprint(r.Rev.Order, r.State, r.Values) }
	want, got := make(map[string]string), make(map[string]string)
	points := 0
	for stream, rows := range truth {
		for _, row := range rows {
			r := row.Record(provsim.Name, stream)
			want[r.Key] = show(&r)
			points += len(row.Points)
		}
	}
	for r, err := range store.AllRecords(ctx, w.store, store.RecordQuery{User: person, Deleted: true}) {
		require.NoError(w.t, err)
		require.NotContains(w.t, got, r.Key, "twice")
		got[r.Key] = show(&r)
	}
	require.Equal(w.t, want, got, user)
	for run, err := range store.AllSamples(ctx, w.store, store.SampleQuery{User: person, Metric: health.MetricHeartRate}) {
		require.NoError(w.t, err)
		points -= run.Series.Len()
	}
	require.Zero(w.t, points, "%s: points of samples", user)
	announced := w.announced()
	for key := range want {
		require.Equal(w.t, 1, announced[person+" "+key], "%s: changes of %s", user, key)
	}
}

// announced counts the changes of each record, by user and key.
func (w *world) announced() map[string]int {
	w.t.Helper()
	all, consumer := make(map[string]int), "proof "+randomHex(8)
	for {
		changes, err := w.store.Changes(w.t.Context(), consumer, 0)
		require.NoError(w.t, err)
		if len(changes) == 0 {
			return all
		}
		positions := make([]store.Position, len(changes))
		for i, c := range changes {
			all[c.User+" "+c.Key]++
			positions[i] = c.Position
		}
		require.NoError(w.t, w.store.Ack(w.t.Context(), consumer, positions...))
	}
}
