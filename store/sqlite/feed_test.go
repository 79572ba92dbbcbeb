package sqlite

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestGhostsAreNotLookedForInAllChanges has SQLite explain how it forgets ghosts:
// it goes through the changes, and not through all of them for each ghost. With
// as many changes as ghosts, that takes minutes from some ten thousand on, and
// nobody else writes meanwhile.
func TestGhostsAreNotLookedForInAllChanges(t *testing.T) {
	s, _ := groupStore(t)
	for query, args := range map[string][]any{forgetGhosts: nil, forgetGhostsOf: {1}} {
		var steps []string
		require.NoError(t, s.write(t.Context(), func(x *tx) error {
			return x.each(background, func(r row) error {
				steps = append(steps, r.text(3))
				return nil
			}, "EXPLAIN QUERY PLAN "+query, args...)
		}))
		require.Contains(t, steps, "SCAN c", query)
		require.Contains(t, steps, "SEARCH g USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)", query)
		for _, step := range steps {
			require.NotContains(t, step, "CORRELATED", query)
		}
	}
}

// TestChangesAreReadInOneGo has SQLite explain how it reads the changes of some:
// it goes through the changes once, in order, and looks up the records of each.
func TestChangesAreReadInOneGo(t *testing.T) {
	s, _ := groupStore(t)
	for _, where := range []string{
		"1", "user = 'ada'", "connection = 'a'", "kind = 'body'", "cause = 'live'", "user = 'ada' AND connection = 'a' AND kind = 'body' AND cause = 'live'",
	} {
		var steps []string
		require.NoError(t, s.write(t.Context(), func(x *tx) error {
			return x.each(background, func(r row) error {
				steps = append(steps, r.text(3))
				return nil
			}, "EXPLAIN QUERY PLAN SELECT * FROM v_changes WHERE "+where+" LIMIT 1")
		}))
		require.Contains(t, steps, "SCAN c", where)
		require.Contains(t, steps, "SEARCH r USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)", where)
		require.Contains(t, steps, "SEARCH g USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)", where)
		for _, step := range steps {
			require.NotContains(t, step, "AUTOMATIC", where)
			require.NotContains(t, step, "TEMP B-TREE", where)
		}
	}
}
