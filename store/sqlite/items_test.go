package sqlite

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/store"
)

// TestItemsAreEncodedMeanwhile awaits the items of a large page one by one: they
// are those of a page that is encoded at once, and its memory is free only after
// the last.
func TestItemsAreEncodedMeanwhile(t *testing.T) {
	for _, n := range []int{1, meanwhileStep - 1, meanwhileStep, meanwhileStep + 1, 10*meanwhileStep + 7} {
		b := groupBatch("ann", "a", numbered(n)...)
		load := func(meanwhile bool) *load {
			l, err := newLoad(&b, &arena{}, []bool{false}, meanwhile)
			require.NoError(t, err)
			require.Equal(t, meanwhile, l.progress != nil)
			return l
		}
		want, got := load(false), load(true)
		for i := range n {
			got.await(i + 1)
			require.Equal(t, string(want.items[i].rest), string(got.items[i].rest))
			require.Equal(t, string(want.items[i].values), string(got.items[i].values))
			require.Equal(t, want.items[i].rev, got.items[i].rev)
		}
		got = load(true)
		got.release()
		require.Equal(t, n, got.encoded)
	}
}

func TestManyValues(t *testing.T) {
	b := groupBatch("ann", "a", "1", "2")
	b.Pages = append(b.Pages, b.Pages[0])
	records := b.Pages[0].Records
	records[0].Values = make([]health.Value, meanwhileFrom/2)
	require.False(t, manyValues(&b, []bool{false, true}))
	require.True(t, manyValues(&b, []bool{false, false}), "two pages with the same records")
	records[1].Segments = []health.Segment{{Values: make([]health.Value, meanwhileFrom/4)}, {Values: make([]health.Value, meanwhileFrom/4-1)}}
	require.True(t, manyValues(&b, []bool{false, true}))
	require.True(t, manyValues(&b, []bool{true, false}))
	require.False(t, manyValues(&b, []bool{true, true}))
	records[1].Segments = records[1].Segments[:1]
	require.False(t, manyValues(&b, []bool{false, true}))
}

// TestItemsAreAwaited encodes items only when nothing else goes on: whoever looks
// them up, and plans them, waits for that.
func TestItemsAreAwaited(t *testing.T) {
	s, _ := groupStore(t)
	b := groupBatch("ann", "a", numbered(manyRows)...)
	_, err := s.Commit(t.Context(), b)
	require.NoError(t, err)
	for name, keys := range map[string][]string{"stored": numbered(manyRows), "new": numbered(2 * manyRows)[manyRows:]} {
		t.Run(name, func(t *testing.T) {
			b := groupBatch("ann", "a", keys...)
			synctest.Test(t, func(t *testing.T) {
				skip := []bool{false}
				l, err := newLoad(&b, &arena{}, skip, false)
				require.NoError(t, err)
				for i := range l.items {
					l.items[i].rev, l.items[i].values, l.items[i].rest = health.Rev{}, nil, nil
				}
				l.encoded, l.progress = 0, make(chan int, 1)
				go func() {
					synctest.Wait()
					l.encode()
				}()
				p := &plan{s: s, batch: &b, load: l, skip: skip, stamp: s.cache.stamp("a")}
				require.NoError(t, s.view(background, p.look))
				require.Equal(t, len(keys), l.encoded)
				for i := range p.rows {
					require.NotZero(t, p.rows[i].hash)
				}
				for i := range l.items {
					require.Equal(t, name == "stored", l.items[i].same)
				}
			})
		})
	}
}

// TestLargePages has connections commit large pages at the same time, of which
// some records are changed, older, removed or new, in the order of their keys or
// in none, and now and then one that is refused.
func TestLargePages(t *testing.T) {
	twoProcessors(t)
	s, _ := groupStore(t)
	seed := proof.Seed(t)
	var group errgroup.Group
	for c := range 4 {
		group.Go(func() error {
			return largePages(s, rand.New(rand.NewPCG(seed, uint64(c))), fmt.Sprint("c", c))
		})
	}
	require.NoError(t, group.Wait())
}

func largePages(s *Store, rnd *rand.Rand, connection string) error {
	type version struct {
		order, weight int64
		deleted       bool
	}
	// A page of more records than large has many values.
	const values, large = 128, meanwhileFrom / 128
	stored := map[string]version{}
	for range 12 {
		b := groupBatch("ann", connection, numbered(large/2+rnd.IntN(3*large))...)
		var want store.Result
		records := b.Pages[0].Records
		for i := range records {
			r := &records[i]
			old, found := stored[r.Key]
			next := version{order: old.order, weight: 70, deleted: old.deleted}
			switch dice := rnd.IntN(20); {
			case !found:
				next.order = groupNow.UnixMilli()
				want.Inserted++
			case dice == 0:
				next = version{old.order + 1, old.weight + 1, false}
				want.Revised++
			case dice == 1 && !old.deleted:
				next = version{old.order + 1, 0, true}
				want.Deleted++
			case dice == 2 && old.order > groupNow.UnixMilli():
				next = version{old.order - 1, 50, false}
				want.Stale++
			default:
				next = old
				want.Unchanged++
			}
			r.Rev.Order = next.order
			r.Values[0].Number = health.Int(next.weight)
			for part := range values {
				r.Values = append(r.Values, health.Value{Metric: health.MetricBodyWeight, Part: health.Part(fmt.Sprint("part_", part)), Number: health.Int(1)})
			}
			if next.deleted {
				r.State, r.Values = health.StateDeleted, nil
			}
			r.Normalize()
			if next.order > old.order {
				stored[r.Key] = next
			}
		}
		if rnd.IntN(2) == 0 {
			rnd.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
		}
		bad := groupBatch("ann", connection, numbered(large)...)
		bad.Pages[0].Records[rnd.IntN(large)].Connection = "another"
		if _, err := s.Commit(background, bad); err == nil {
			return fmt.Errorf("%s: a record of another connection was taken", connection)
		}
		got, err := s.Commit(background, b)
		if err != nil {
			return err
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			return fmt.Errorf("%s: %+v, not %+v", connection, got, want)
		}
	}
	page, err := s.Records(background, store.RecordQuery{User: "ann", Connections: []string{connection}, Deleted: true, Limit: 1000})
	if err != nil {
		return err
	}
	if len(page.Records) != len(stored) {
		return fmt.Errorf("%s: %d records, not %d", connection, len(page.Records), len(stored))
	}
	for i := range page.Records {
		r := &page.Records[i]
		v := stored[r.Key]
		if deleted := r.State == health.StateDeleted; r.Rev.Order != v.order || deleted != v.deleted ||
			!deleted && r.Values[0].Number != health.Int(v.weight) {
			return fmt.Errorf("%s: %s is not as it was committed", connection, r.Key)
		}
	}
	return nil
}
