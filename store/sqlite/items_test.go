package sqlite

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

// TestItemsAreEncodedMeanwhile awaits the items of large pages that another
// goroutine encodes: they are those of a page that is encoded at once, and the
// memory is free only after them.
func TestItemsAreEncodedMeanwhile(t *testing.T) {
	twoProcessors(t)
	for _, n := range []int{1, overlapFrom - 1, overlapFrom, overlapFrom + 1, 3*overlapStep + 1, 1000} {
		b := groupBatch("ann", "a", keysOf(n)...)
		l, err := newLoad(&b, &arena{}, []bool{false})
		require.NoError(t, err)
		require.Equal(t, n >= overlapFrom, l.progress != nil)
		want := &load{items: make([]item, n), arena: &arena{}}
		for i := range want.items {
			want.items[i].rec = &b.Pages[0].Records[i]
		}
		want.encodeTo(n)
		for i := range n {
			l.await(i + 1)
			require.Equal(t, string(want.items[i].rest), string(l.items[i].rest))
			require.Equal(t, string(want.items[i].values), string(l.items[i].values))
			require.Equal(t, want.items[i].rev, l.items[i].rev)
		}
		l, err = newLoad(&b, &arena{}, []bool{false})
		require.NoError(t, err)
		l.release()
		require.Equal(t, n, l.encoded)
	}
}

// TestLargePages has connections commit large pages at the same time, of which
// some records are changed, older, removed or new, in the order of their keys or
// in none, and now and then one that is refused.
func TestLargePages(t *testing.T) {
	twoProcessors(t)
	s, _ := groupStore(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
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
	stored := map[string]version{}
	for range 12 {
		b := groupBatch("ann", connection, keysOf(overlapFrom/2+rnd.IntN(4*overlapFrom))...)
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
		bad := groupBatch("ann", connection, keysOf(overlapFrom)...)
		bad.Pages[0].Records[rnd.IntN(overlapFrom)].Connection = "another"
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

func keysOf(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("%05d", i)
	}
	return keys
}
