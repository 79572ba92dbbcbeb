package sqlite

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

// TestOneStreamReadsLikeSeveral pages through a connection alone, whose rows are
// visited as the index has them, and through it and another one, whose rows are
// merged: the same records come in the same order, wherever pages end.
func TestOneStreamReadsLikeSeveral(t *testing.T) {
	s, _ := groupStore(t)
	const records, together = 2 * manyRows, 3 // some start at one moment
	at := func(i int) time.Time { return groupNow.Add(time.Duration(i/together) * time.Minute) }
	for _, connection := range []string{"a", "b"} {
		var keys []string
		for i := range records {
			keys = append(keys, strconv.Itoa(i*37%records)) // in no order
		}
		b := groupBatch("ann", connection, keys...)
		for i := range b.Pages[0].Records {
			r := &b.Pages[0].Records[i]
			r.Span.Start = health.At(at(i))
			if i%5 == 0 {
				r.State, r.Values = health.StateDeleted, nil
			}
		}
		_, err := s.Commit(t.Context(), b)
		require.NoError(t, err)
	}
	// Few rows of one commit are young.
	young := groupBatch("ann", "a", "young 1", "young 2")
	young.Pages[0].Records[0].Span.Start = health.At(at(records / 2))
	_, err := s.Commit(t.Context(), young)
	require.NoError(t, err)

	read := func(t require.TestingT, q store.RecordQuery) (keys []string) {
		for pages := 0; ; pages++ {
			require.Less(t, pages, 4*records)
			page, err := s.Records(background, q)
			require.NoError(t, err)
			require.LessOrEqual(t, len(page.Records), q.Limit)
			for i := range page.Records {
				if r := &page.Records[i]; r.Connection == "a" {
					keys = append(keys, fmt.Sprint(r.Key, r.State, r.Span.Start, len(r.Values)))
				}
			}
			if q.After = page.Next; q.After == "" {
				return keys
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		moment := func(name string) time.Time {
			if rapid.IntRange(0, 2).Draw(t, name+" is open") == 0 {
				return time.Time{}
			}
			return at(rapid.IntRange(-1, records+1).Draw(t, name))
		}
		q := store.RecordQuery{
			User: "ann", From: moment("from"), To: moment("to"), Deleted: rapid.Bool().Draw(t, "deleted"),
			Limit: rapid.IntRange(1, 2*records).Draw(t, "limit"),
		}
		several := read(t, q)
		q.Connections = []string{"a"}
		q.Limit = rapid.IntRange(1, 2*records).Draw(t, "limit of one")
		require.Equal(t, several, read(t, q))
		if q.Deleted && q.From.IsZero() && q.To.IsZero() {
			require.Len(t, several, records+2)
		}
	})
}
