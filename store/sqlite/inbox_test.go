package sqlite

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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
				name, rest := nameOf(text)
				if _, err := tx.exec(ctx, "INSERT INTO delivered(name, rest) VALUES(?1, ?2)", weekOf(at)+name, rest^change); err != nil {
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
	require.EqualValues(t, 3, count(), "the old names went, and the key came")

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
	name, rest := nameOf("an id")
	require.NoError(t, s.write(t.Context(), func(tx *tx) error {
		_, err := tx.exec(t.Context(), "INSERT INTO delivered(name, rest) VALUES(?1, ?2)", weekOf(time.Now())+name, rest)
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
		name, rest := nameOf(strconv.Itoa(i))
		require.Equal(t, name, name&(1<<nameBits-1))
		require.Equal(t, rest, rest<<16>>16)
	}
	require.Positive(t, weekOf(time.Date(2120, 1, 1, 0, 0, 0, 0, time.UTC)))
	require.Equal(t, weekOf(groupNow)+1<<nameBits, weekOf(groupNow.Add(week)))
}
