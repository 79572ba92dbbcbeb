package sqlite

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/store"
)

// TestNamesOfDeliveries remembers names of this week and of the last, forgets
// older ones, and takes no delivery for another one whose name begins alike, at
// the beginning of a week as at its end.
func TestNamesOfDeliveries(t *testing.T) {
	thursday := time.Unix(0, 0).UTC().Add(3000 * week)
	for _, now := range []time.Time{thursday, thursday.Add(week - time.Nanosecond)} {
		t.Run(now.Format(time.RFC3339), func(t *testing.T) { testNamesOfDeliveries(t, now) })
	}
}

func testNamesOfDeliveries(t *testing.T, now time.Time) {
	s, _ := groupStore(t)
	ctx := t.Context()
	// remember notes names as of a time; their digests may be changed.
	remember := func(at time.Time, change int64, names ...string) {
		require.NoError(t, s.write(ctx, func(tx *tx) error {
			for _, text := range names {
				n := nameOf(text)
				if _, err := tx.exec(ctx, "INSERT INTO delivered(name, rest) VALUES(?1, ?2)", weekOf(at)+n.name, n.rest^change); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	put := func(id, key string) bool {
		in := newIncoming(&store.Delivery{ID: id, Key: key, Endpoint: "terra", Status: store.DeliveryNew}, s.packer.quick(nil, nil))
		require.NoError(t, s.write(ctx, func(tx *tx) error {
			tx.now = now
			return tx.putDeliveries(incomings{in})
		}))
		return in.put
	}
	count := func() (n int64) {
		require.NoError(t, s.read(ctx, func(c *conn) error {
			_, err := c.one(ctx, func(r row) { n = r.int(0) }, "SELECT count(*) FROM delivered")
			return err
		}))
		return n
	}
	remember(now.Add(-week), 0, "id of last week", "key of last week")
	require.False(t, put("id of last week", ""))
	require.False(t, put("a", "key of last week"))

	remember(now.Add(-3*week), 0, "old id", "old key")
	require.EqualValues(t, 4, count())
	require.True(t, put("old id", "old key"))
	require.EqualValues(t, 2, count(), "the old names went")

	remember(now, 1, "alike", "key alike")
	require.True(t, put("alike", "key alike"), "the rest differs")
	require.False(t, put("alike", ""))
	require.False(t, put("c", "key alike"), "both are remembered")

	var many []string
	for i := range forgotten + 1 {
		many = append(many, strconv.Itoa(i))
	}
	before := count()
	remember(now.Add(-5*week), 0, many...)
	require.True(t, put("b", ""))
	require.Equal(t, before+1, count(), "a thousand at a time")
	require.True(t, put("c", ""))
	require.Equal(t, before, count())
}

// TestNamesOfPresentDeliveries: what PutDelivery takes for the present is it. A
// name of now is one of this week or of the last, whenever the test runs.
func TestNamesOfPresentDeliveries(t *testing.T) {
	s, _ := groupStore(t)
	n := nameOf("an id")
	require.NoError(t, s.write(t.Context(), func(tx *tx) error {
		_, err := tx.exec(t.Context(), "INSERT INTO delivered(name, rest) VALUES(?1, ?2)", weekOf(time.Now())+n.name, n.rest)
		return err
	}))
	for id, want := range map[string]bool{"an id": false, "another": true} {
		fresh, err := s.PutDelivery(t.Context(), store.Delivery{ID: id, Endpoint: "terra", Status: store.DeliveryNew})
		require.NoError(t, err)
		require.Equal(t, want, fresh, id)
	}
}

// TestNameOf keeps the numbers of a name within their bits.
func TestNameOf(t *testing.T) {
	for i := range 1000 {
		n := nameOf(strconv.Itoa(i))
		require.Equal(t, n.name, n.name&(1<<nameBits-1))
		require.Equal(t, n.rest, n.rest<<16>>16)
	}
	require.Positive(t, weekOf(time.Date(2120, 1, 1, 0, 0, 0, 0, time.UTC)))
	require.Equal(t, weekOf(groupNow)+1<<nameBits, weekOf(groupNow.Add(week)))
}

// TestDeliveriesAgainstMemory puts, changes and removes deliveries in a store in
// memory and, by turns, through two stores of one file that are opened anew now
// and then, and that settle after a few: each is new or known in both, and both
// list the same.
func TestDeliveriesAgainstMemory(t *testing.T) {
	for seed := range uint64(proof.N(10, 300)) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) { checkDeliveries(t, rand.New(rand.NewPCG(seed, 0))) })
	}
}

func checkDeliveries(t *testing.T, random *rand.Rand) {
	ctx, memory := t.Context(), store.NewMemory()
	path := filepath.Join(t.TempDir(), "store.db")
	open := func() *Store {
		s, err := Open(ctx, path, &Options{Synchronous: SynchronousNormal})
		require.NoError(t, err)
		s.writer.recent.most = pick(random, 6, 12, recentNames)
		return s
	}
	stores := []*Store{open(), open()}
	defer func() {
		for _, s := range stores {
			require.NoError(t, s.Close())
		}
	}()
	both := func() []store.Store { return []store.Store{memory, pick(random, stores...)} }
	for _, s := range both() {
		_, err := s.PutConnection(ctx, store.Connection{ID: "c", User: "ann", Provider: "terra", UpstreamID: "u1"})
		require.NoError(t, err)
	}
	delivery := func() store.Delivery {
		d := store.Delivery{
			ID: fmt.Sprintf("id %d", random.IntN(40)), Endpoint: "terra/main", Received: groupNow.Add(time.Duration(random.IntN(20)) * time.Minute),
			Status: pick(random, store.DeliveryNew, store.DeliveryDead, store.DeliveryParked), Body: []byte("body"),
			Subject: pick(random, "", "u1", "u2"),
		}
		if random.IntN(3) > 0 {
			d.Key = fmt.Sprintf("key %d", random.IntN(60))
		}
		return d
	}
	for step := range 120 {
		d := delivery()
		var rest []store.Delivery
		if random.IntN(3) == 0 {
			rest = append(rest, delivery())
		}
		query := store.DeliveryQuery{ID: pick(random, "", d.ID), After: fmt.Sprintf("id %d", random.IntN(40)), Status: pick(random, "", d.Status)}
		action, erased := random.IntN(10), random.IntN(60) == 0
		var results [2]any
		for i, s := range both() {
			switch {
			case erased:
				e, err := s.Erase(ctx, "ann")
				require.NoError(t, err)
				results[i] = e.Deliveries
			case action < 5:
				fresh, err := s.PutDelivery(ctx, d)
				require.NoError(t, err)
				results[i] = fresh
			case action < 7:
				require.NoError(t, s.Assign(ctx, d.ID, store.Assignment{Rest: rest}))
			case action < 8:
				d.Attempts = step
				results[i] = errors.Is(s.UpdateDelivery(ctx, d), store.ErrNotFound)
			default:
				list, err := s.Deliveries(ctx, query)
				require.NoError(t, err)
				results[i] = list
			}
		}
		require.Equal(t, results[0], results[1], "step %d, action %d", step, action)
		if random.IntN(20) == 0 {
			i := random.IntN(2)
			require.NoError(t, stores[i].Close())
			stores[i] = open()
		}
	}
	all := store.DeliveryQuery{Limit: 1000}
	want, err := memory.Deliveries(ctx, all)
	require.NoError(t, err)
	for _, s := range stores {
		got, err := s.Deliveries(ctx, all)
		require.NoError(t, err)
		require.Equal(t, want, got)
		numbers, inMemory, settled := make([]int64, len(want)), make([]int64, len(want)), int64(0)
		require.NoError(t, s.write(ctx, func(tx *tx) (err error) {
			for i, d := range want {
				if numbers[i], err = tx.deliveryNumber(d.ID); err != nil {
					return err
				}
				inMemory[i] = tx.recent.number(nameOf(d.ID))
			}
			settled = tx.recent.settled
			return nil
		}))
		for i, number := range numbers {
			require.NotZero(t, number)
			if number > settled {
				require.Equal(t, number, inMemory[i], "recent")
			} else {
				require.Zero(t, inMemory[i], "settled")
			}
		}
	}
}

// TestUndoneDeliveries: the names of deliveries that a refused call put, and
// those of one that failed alone, are not remembered; what it removed is there.
func TestUndoneDeliveries(t *testing.T) {
	s, _ := groupStore(t)
	ctx := t.Context()
	incomingOf := func(d store.Delivery) incomings { return incomings{newIncoming(&d, s.packer.quick(nil, nil))} }
	delivery := func(id string) store.Delivery {
		return store.Delivery{ID: id, Key: "key of " + id, Endpoint: "terra", Status: store.DeliveryNew}
	}
	put := func(id string) bool {
		fresh, err := s.PutDelivery(ctx, delivery(id))
		require.NoError(t, err)
		return fresh
	}
	require.True(t, put("there"))
	undone := func() error {
		return s.write(ctx, func(tx *tx) error {
			number, err := tx.deliveryNumber("there")
			return errors.Join(err, tx.putDeliveries(incomingOf(delivery("undone"))), tx.removeDelivery(number), store.ErrConflict)
		})
	}
	for _, group := range [][]func() error{{undone}, {undone, func() error { return s.SetDue(ctx, store.Due{Connection: "c", Task: "poll", At: groupNow}) }}} {
		require.ErrorIs(t, together(t, s, group...)[0], store.ErrConflict)
		require.False(t, put("there"))
		list, err := s.Deliveries(ctx, store.DeliveryQuery{ID: "undone"})
		require.NoError(t, err)
		require.Empty(t, list)
		list, err = s.Deliveries(ctx, store.DeliveryQuery{ID: "there"})
		require.NoError(t, err)
		require.Len(t, list, 1)
	}
	require.True(t, put("undone"))
	require.False(t, put("undone"))
}

// TestNamesThatAnotherProcessRemoved: a process that only looks at what another
// one puts and removes keeps few of its names, and none beyond their weeks.
func TestNamesThatAnotherProcessRemoved(t *testing.T) {
	one, path := groupStore(t)
	ctx := t.Context()
	other, err := Open(ctx, path, nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, other.Close()) }()
	const most = 20
	other.writer.recent.most = most
	delivery := func(i int) store.Delivery {
		id := strconv.Itoa(i)
		return store.Delivery{ID: id, Key: "key of " + id, Endpoint: "terra", Status: store.DeliveryNew}
	}
	kept := func() (n int) {
		require.NoError(t, other.write(ctx, func(tx *tx) error {
			n = len(tx.recent.numbers)
			return nil
		}))
		return n
	}
	for i := range 5 * most {
		fresh, err := one.PutDelivery(ctx, delivery(i))
		require.NoError(t, err)
		require.True(t, fresh)
		require.NoError(t, other.UpdateDelivery(ctx, delivery(i)))
		require.NoError(t, one.Assign(ctx, strconv.Itoa(i), store.Assignment{}))
		require.LessOrEqual(t, kept(), 2*most+2)
	}
	require.NotZero(t, kept())

	require.NoError(t, one.write(ctx, func(tx *tx) error {
		_, err := tx.exec(ctx, "DELETE FROM delivered") // as they are forgotten
		return err
	}))
	require.NoError(t, other.write(ctx, func(tx *tx) error {
		tx.recent.week -= 1 << nameBits
		return nil
	}))
	fresh, err := other.PutDelivery(ctx, delivery(5*most-1))
	require.NoError(t, err)
	require.True(t, fresh)
}

// TestRefusalsKeepNames: what is refused alone and changed nothing leaves the
// names in memory.
func TestRefusalsKeepNames(t *testing.T) {
	s, _ := groupStore(t)
	ctx := t.Context()
	_, err := s.PutDelivery(ctx, store.Delivery{ID: "a", Endpoint: "terra", Status: store.DeliveryNew})
	require.NoError(t, err)
	_, err = s.TakeFlow(ctx, "no such")
	require.ErrorIs(t, err, store.ErrNotFound)
	lost := true
	require.NoError(t, s.write(ctx, func(tx *tx) error {
		lost = tx.recent.lost
		return nil
	}))
	require.False(t, lost)
}
