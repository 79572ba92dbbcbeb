package sqlite

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/store"
)

// TestTwoStoresAgainstMemory commits the same batches to a store in memory and,
// by turns, through two stores of one file, whose caches each has to void after
// the other: every result is the same, and what either reads, and the feed.
func TestTwoStoresAgainstMemory(t *testing.T) {
	for seed := range uint64(proof.N(3, 300)) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) { checkAgainstMemory(t, rand.New(rand.NewPCG(seed, 0))) })
	}
}

func checkAgainstMemory(t *testing.T, random *rand.Rand) {
	ctx, memory := t.Context(), store.NewMemory()
	path := filepath.Join(t.TempDir(), "store.db")
	var stores []*Store
	for range 2 {
		s, err := Open(ctx, path, &Options{Synchronous: SynchronousNormal})
		require.NoError(t, err)
		defer func() { require.NoError(t, s.Close()) }()
		stores = append(stores, s)
	}
	users := map[string]string{"a": "ann", "b": "ann", "c": "bob"}
	for step := range 60 {
		connection := pick(random, "a", "b", "c")
		if random.IntN(25) == 0 {
			data := random.IntN(2) == 0
			for _, s := range []store.Store{memory, pick(random, stores...)} {
				require.NoError(t, s.DeleteConnection(ctx, connection, data))
			}
		}
		b := randomBatch(random, users[connection], connection, groupNow.UnixMilli()+3*int64(step))
		want, err := memory.Commit(ctx, b)
		require.NoError(t, err)
		got, err := pick(random, stores...).Commit(ctx, b)
		require.NoError(t, err)
		require.ElementsMatch(t, want.Conflicts, got.Conflicts, "step %d", step)
		want.Conflicts, got.Conflicts = nil, nil
		require.Equal(t, want, got, "step %d", step)
		if (step+1)%10 > 0 {
			continue
		}
		reader := pick(random, stores...)
		require.Equal(t, content(t, memory), content(t, reader), "step %d", step)
		require.NoError(t, reader.read(ctx, func(c *conn) error {
			rows, seen := int64(0), int64(0)
			_, err := c.one(ctx, func(r row) { rows, seen = r.int(0), r.int(1) },
				"SELECT (SELECT count(*) FROM record), (SELECT count(*) FROM v_records)")
			require.Equal(t, rows, seen, "step %d", step)
			return err
		}))
	}
}

func pick[T any](random *rand.Rand, list ...T) T { return list[random.IntN(len(list))] }

// randomBatch brings some of thirty records of a stream, or none, in versions
// from around the order, and perhaps says that others are absent.
func randomBatch(random *rand.Rand, user, connection string, order int64) store.Batch {
	b := groupBatch(user, connection)
	stream := pick(random, "measure", "other")
	day := health.DayOf(groupNow)
	for range pick(random, 1, 2, 3, 4, 12) {
		r := health.Record{
			Connection: connection, Kind: pick(random, health.KindBody, health.KindDaily), Key: fmt.Sprintf("%s/%02d", stream, random.IntN(30)),
			Span: health.Span{Start: health.At(groupNow.Add(time.Duration(random.IntN(6)) * time.Minute)), Day: day},
			Source: health.Source{
				Provider: "withings", Path: health.PathDirect, Device: fmt.Sprintf("device %d of %s", random.IntN(12), connection),
			},
			Rev: health.Rev{Order: order + int64(random.IntN(30)) - 10, Mapping: 1}, State: health.StateDeleted,
		}
		if random.IntN(5) > 0 {
			r.State = health.StateLive
			r.Values = []health.Value{{Metric: health.MetricBodyWeight, Number: health.Int(int64(60 + random.IntN(4)))}}
			if random.IntN(3) == 0 {
				r.Values = append(r.Values, health.Value{Metric: health.MetricSteps, Number: health.Int(1), Flags: health.FlagSticky})
			}
		}
		r.Normalize()
		b.Pages[0].Records = append(b.Pages[0].Records, r)
	}
	b.Pages[0].Stream = stream
	for random.IntN(4) == 0 {
		window := health.Window{First: day, Last: day}
		if random.IntN(2) == 0 {
			window = health.Window{From: groupNow, To: groupNow.Add(time.Duration(1+random.IntN(6)) * time.Minute)}
		}
		b.Absent = append(b.Absent, store.Absent{Stream: stream, Window: window, Order: order})
	}
	if len(b.Absent) > 0 && random.IntN(2) == 0 {
		b.Pages = nil
	}
	return b
}

// content describes all records and the feed.
func content(t *testing.T, s store.Store) (all []string) {
	for _, user := range []string{"ann", "bob"} {
		for r, err := range store.AllRecords(t.Context(), s, store.RecordQuery{User: user, Deleted: true, Limit: 3}) {
			require.NoError(t, err)
			all = append(all, fmt.Sprintf("%+v", r))
		}
	}
	changes, err := s.Changes(t.Context(), "consumer", 1_000_000)
	require.NoError(t, err)
	var feed []string
	for _, c := range changes {
		feed = append(feed, fmt.Sprint(c.User, c.Connection, c.Kind, c.Key, c.Cause, c.State))
	}
	slices.Sort(feed) // the records of one commit have no order in it
	return append(all, feed...)
}
