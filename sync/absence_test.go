package sync_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/providers"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// TestOneEmptyAnswerDeletesNothing: a list that is empty in good order deletes
// nothing by itself, however often it comes on one day. When it is still empty a
// day later the records are gone, and only those that the first one missed.
func TestOneEmptyAnswerDeletesNothing(t *testing.T) {
	proof.Row(t, "S5", proof.Counts{"empty lists in good order": 6, "streams": 2})
	for kind, stream := range bothStreams() {
		t.Run(kind, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWard(t, newClinic(stream), nil)
				w.fill(4)
				sync := func() {
					_, err := w.engine.Sync(t.Context(), w.conn.ID)
					require.NoError(t, err)
				}
				sync()
				before := w.held(t)
				empty := func(_ int, _ providers.Query, page *providers.Page) error {
					page.Records, page.Raw, page.More, page.PageToken = nil, nil, false, ""
					return nil
				}
				w.onFetch = empty
				for range 5 {
					time.Sleep(4 * time.Hour)
					sync()
				}
				require.Empty(t, announcedDeletions(t, w.store))
				require.Equal(t, before, w.held(t))

				// An answer that shows something has them begin anew.
				w.onFetch = nil
				sync()
				w.onFetch = empty
				time.Sleep(6 * time.Hour)
				sync()
				require.Equal(t, before, w.held(t))

				// The only record that a person has can be deleted, too.
				w.onFetch = nil
				for id := range 4 {
					w.remove(id)
				}
				for range 3 {
					time.Sleep(13 * time.Hour)
					sync()
				}
				require.Empty(t, w.held(t))
				w.fill(4)
				sync()
				require.Equal(t, w.want(), w.held(t))
			})
		})
	}
}

// TestEmptyPeriods compares what is remembered of empty periods with a model
// that remembers every reading of every second.
func TestEmptyPeriods(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const seconds, hour, day = 30, 3600, 24 * 3600
		var list []healthsync.EmptyRead
		empty := make([][]int64, seconds) // when it was read as empty since it was not
		at := int64(1_000_000)
		for range rapid.IntRange(1, 60).Draw(t, "reads") {
			at += hour * rapid.Int64Range(1, 30).Draw(t, "hours")
			from := rapid.Int64Range(0, seconds-1).Draw(t, "from")
			to := rapid.Int64Range(from+1, seconds).Draw(t, "to")
			if rapid.IntRange(0, 4).Draw(t, "records") == 0 {
				list = healthsync.WithoutPeriod(list, from, to)
				for s := from; s < to; s++ {
					empty[s] = nil
				}
				continue
			}
			var confirmed []healthsync.EmptyRead
			list, confirmed = healthsync.ReadEmpty(list, from, to, at)
			for _, c := range confirmed {
				for s := c[0]; s < c[1]; s++ {
					require.True(t, from <= s && s < to, "outside of what was read")
					require.LessOrEqual(t, c[2], at-day)
					require.Contains(t, empty[s], c[2], "it was read as empty then")
				}
			}
			for s := from; s < to; s++ {
				empty[s] = append(empty[s], at)
			}
			last := int64(-1)
			for _, e := range list {
				require.True(t, last <= e[0] && e[0] < e[1], fmt.Sprint(list))
				last = e[1]
			}
			require.LessOrEqual(t, len(list), 24)
		}
	})
}

// TestEmptyPeriodThatMoves: the period that is read moves on with the time, and
// what stays in it is confirmed after a day all the same.
func TestEmptyPeriodThatMoves(t *testing.T) {
	const hour, day = 3600, 24 * 3600
	for name, step := range map[string]int64{"every hour": hour, "every five hours": 5 * hour, "once a day": day} {
		t.Run(name, func(t *testing.T) {
			var list, confirmed []healthsync.EmptyRead
			start, seen := int64(100*day), make([]int64, 120*24) // when each hour was confirmed
			for at := start; at < start+10*day; at += step {
				// Windows of three days, as far as seven days back.
				for from := at - 7*day; from < at; from += 3 * day {
					to := min(from+3*day, at)
					list, confirmed = healthsync.ReadEmpty(list, from, to, at)
					for _, c := range confirmed {
						for s := (c[0] + hour - 1) / hour; s < c[1]/hour; s++ {
							if seen[s] == 0 {
								seen[s] = at
							}
						}
					}
				}
			}
			for s := (start - 5*day) / hour; s < start/hour; s++ {
				require.NotZero(t, seen[s])
				require.LessOrEqual(t, seen[s], start+day+step)
			}
			for s := start / hour; s < (start+6*day)/hour; s++ {
				require.NotZero(t, seen[s], "what was in the future at first")
			}
		})
	}
}
