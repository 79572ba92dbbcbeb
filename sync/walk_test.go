package sync_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// limitedOnce fails the first call with a rate limit that ends after the wait.
func limitedOnce(wait time.Duration) func(int, providers.Query, *providers.Page) error {
	return func(n int, _ providers.Query, _ *providers.Page) error {
		if n == 1 {
			return &providers.Error{Provider: "clinic", Kind: providers.ErrRateLimited, RetryAt: time.Now().Add(wait)}
		}
		return nil
	}
}

func TestWindowBeforeTheFirstMarkReachesTheMark(t *testing.T) {
	bubble(t, func(t *testing.T) {
		stream := weightChanges
		stream.AbsenceDeletes = false // nothing else reads the look-back again
		w := newWard(t, newClinic(stream), func(cfg *healthsync.Config) { cfg.MaxWait = time.Minute })
		w.fill(3)
		w.onFetch = limitedOnce(40 * time.Second)
		time.AfterFunc(20*time.Second, func() { w.put(50, time.Now(), 71_000); w.put(2, time.Now().Add(-2*day-time.Hour), 72_000) })
		for range 2 {
			_, err := w.engine.Sync(t.Context(), w.conn.ID)
			require.NoError(t, err)
		}
		require.Equal(t, w.want(), w.held(t))
	})
}

func TestChangesThatBeginWithSeveralWindows(t *testing.T) {
	stream := weightChanges
	stream.AbsenceDeletes, stream.MaxWindow = false, 2*day
	t.Run("the look-back is read whole", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			w := newWard(t, newClinic(stream), nil)
			w.fill(7)
			_, err := w.engine.Sync(t.Context(), w.conn.ID)
			require.NoError(t, err)
			require.Equal(t, w.want(), w.held(t))
			require.Contains(t, w.cursor(t, store.LaneLive).HighWater, `"mark":"7"`)
		})
	})
	t.Run("the mark is that of the first window, after an interruption too", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			w := newWard(t, newClinic(stream), nil)
			w.fill(7)
			w.onFetch = func(n int, _ providers.Query, _ *providers.Page) error {
				if n == 3 {
					return &providers.Error{Provider: "clinic", Kind: providers.ErrUnavailable}
				}
				return nil
			}
			_, err := w.engine.Sync(t.Context(), w.conn.ID)
			require.ErrorIs(t, err, providers.ErrUnavailable)
			w.put(6, time.Now().Add(-6*day-time.Hour), 55_000) // in a window that was read
			time.Sleep(10 * day)
			for range 2 {
				_, err = w.engine.Sync(t.Context(), w.conn.ID)
				require.NoError(t, err)
			}
			require.Equal(t, w.want(), w.held(t))
		})
	})
	t.Run("a service that gives no mark is read in windows", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			w := newWard(t, newClinic(stream), nil)
			w.onFetch = func(_ int, _ providers.Query, page *providers.Page) error {
				page.Candidate = ""
				return nil
			}
			for i := range 3 {
				_, err := w.engine.Sync(t.Context(), w.conn.ID)
				require.NoError(t, err)
				require.Equal(t, w.want(), w.held(t))
				for d := range 30 { // an outage that is longer than window and look-back
					w.put(100*i+d, time.Now(), 70_000)
					time.Sleep(day)
				}
			}
		})
	})
}

func TestFirstSyncReachesBackToTheBackfill(t *testing.T) {
	for name, stream := range map[string]providers.Stream{"changes": weightChanges, "windows": weightWindows} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWard(t, newClinic(stream), nil)
				w.fill(20)
				_, err := w.engine.Backfill(t.Context(), w.conn.ID, time.Now().Add(-20*day))
				require.NoError(t, err)
				for i := range 20 {
					time.Sleep(day)
					w.put(100+i, time.Now(), 70_000)
				}
				time.Sleep(time.Hour)
				_, err = w.engine.Sync(t.Context(), w.conn.ID)
				require.NoError(t, err)
				require.Equal(t, w.want(), w.held(t))
			})
		})
	}
}

// TestResumedWalkIsNotTheNews has a Sync find a walk that an earlier one began
// long ago: its pages say nothing about what came since.
func TestResumedWalkIsNotTheNews(t *testing.T) {
	for name, stream := range map[string]providers.Stream{"changes": weightChanges, "windows": weightWindows} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWard(t, newClinic(stream), nil)
				w.fill(7)
				for range 2 { // the second begins at a mark, if there are marks
					asked := len(w.asked())
					w.onFetch = func(n int, _ providers.Query, _ *providers.Page) error {
						if n == asked+2 {
							return &providers.Error{Provider: "clinic", Kind: providers.ErrUnavailable}
						}
						return nil
					}
					_, err := w.engine.Sync(t.Context(), w.conn.ID)
					require.ErrorIs(t, err, providers.ErrUnavailable)
					time.Sleep(time.Hour)
					w.put(0, time.Now().Add(-2*time.Hour), 75_000)
					w.put(asked+100, time.Now().Add(-time.Minute), 76_000)
					_, err = w.engine.Sync(t.Context(), w.conn.ID)
					require.NoError(t, err)
					require.Equal(t, w.want(), w.held(t))
					for id := range 7 {
						w.put(id, time.Now().Add(-time.Duration(id)*day-time.Hour), 77_000)
					}
				}
			})
		})
	}
}

func TestRefusedMarkIsGivenUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWard(t, newClinic(weightChanges), nil)
		w.fill(3)
		_, err := w.engine.Sync(t.Context(), w.conn.ID)
		require.NoError(t, err)
		w.onFetch = func(_ int, q providers.Query, _ *providers.Page) error {
			if q.HighWater == "3" {
				return &providers.Error{Provider: "clinic", Kind: providers.ErrInvalid, Code: "mark"}
			}
			return nil
		}
		for i := range 20 {
			time.Sleep(day)
			w.put(100+i, time.Now().Add(-time.Minute), 70_000)
		}
		_, err = w.engine.Sync(t.Context(), w.conn.ID)
		require.NoError(t, err)
		require.Equal(t, w.want(), w.held(t), "windows go on where the mark stood")
		require.Contains(t, w.cursor(t, store.LaneLive).HighWater, `"mark":"23"`)
	})
}

func TestClientFaultTouchesNeitherWalkNorPerson(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWard(t, newClinic(weightWindows), nil)
		w.fill(6)
		w.onFetch = func(n int, _ providers.Query, _ *providers.Page) error {
			if n >= 2 {
				return &providers.Error{Provider: "clinic", Kind: providers.ErrInvalid, Code: "invalid_client", ClientFault: true}
			}
			return nil
		}
		_, err := w.engine.Sync(t.Context(), w.conn.ID)
		require.ErrorIs(t, err, providers.ErrInvalid)
		require.Len(t, w.asked(), 2)
		require.NotNil(t, w.cursor(t, store.LaneLive).Walk)
		conn, err := w.store.Connection(t.Context(), w.conn.ID)
		require.NoError(t, err)
		require.Equal(t, store.StateActive, conn.State)
	})
}

func TestUnreadableBackfillCursorLosesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWard(t, newClinic(weightWindows), nil)
		w.fill(40)
		w.onFetch = func(n int, _ providers.Query, _ *providers.Page) error {
			if n == 10 { // in the middle of the third window
				return &providers.Error{Provider: "clinic", Kind: providers.ErrUnavailable}
			}
			return nil
		}
		since := time.Now().Add(-40 * day)
		_, err := w.engine.Backfill(t.Context(), w.conn.ID, since)
		require.ErrorIs(t, err, providers.ErrUnavailable)
		for i := range 10 { // changed since, in windows that were read
			w.put(i, time.Now().Add(-time.Duration(i)*day-time.Hour), 50_000)
		}
		cur := w.cursor(t, store.LaneBackfill)
		require.NotNil(t, cur.Walk)
		broken := cur
		broken.HighWater = "not a position"
		_, err = w.store.Commit(t.Context(), store.Batch{
			User: w.conn.User, Connection: w.conn.ID, Unfenced: true, Now: time.Now(),
			Cursors: []store.CursorSwap{{Old: cur, New: broken}},
		})
		require.NoError(t, err)
		_, err = w.engine.Backfill(t.Context(), w.conn.ID, since)
		require.NoError(t, err)
		require.Equal(t, w.want(), w.held(t), "starting over costs requests, never data")
	})
}

func TestBackfillOfAllTime(t *testing.T) {
	for _, since := range []time.Time{{}, time.Date(-300, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(0, 0)} {
		bubble(t, func(t *testing.T) {
			stream := weightWindows
			stream.MaxWindow = 300 * day
			w := newWard(t, newClinic(stream), nil)
			w.pageSize = 1000
			w.fill(400)
			_, err := w.engine.Backfill(t.Context(), w.conn.ID, since)
			require.NoError(t, err)
			require.Equal(t, w.want(), w.held(t))
			require.Less(t, len(w.asked()), 60, "not before any record can be")
			progress, err := w.engine.Progress(t.Context(), w.conn.ID)
			require.NoError(t, err)
			require.Equal(t, progress[0].Total, progress[0].Done)
		})
	}
	bubble(t, func(t *testing.T) {
		w := newWard(t, newClinic(weightWindows), nil)
		_, err := w.engine.Backfill(t.Context(), w.conn.ID, time.Now().Add(day))
		require.NoError(t, err)
		require.Empty(t, w.cursor(t, store.LaneBackfill).HighWater, "there is no plan for the future")
	})
}

func TestAbsenceOnADayThatIsNotOver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWard(t, newClinic(weightWindows), nil)
		time.Sleep(12 * time.Hour) // noon
		w.put(1, time.Now(), 70_000)
		_, err := w.engine.Sync(t.Context(), w.conn.ID)
		require.NoError(t, err)
		w.remove(1)
		_, err = w.engine.Sync(t.Context(), w.conn.ID)
		require.NoError(t, err)
		require.Contains(t, w.held(t), "weights/1", "the window is not closed")
		time.Sleep(day)
		_, err = w.engine.Sync(t.Context(), w.conn.ID)
		require.NoError(t, err)
		require.Contains(t, w.held(t), "weights/1", "it is empty for the first time")
		time.Sleep(day)
		_, err = w.engine.Sync(t.Context(), w.conn.ID)
		require.NoError(t, err)
		require.Empty(t, w.held(t))
	})
}

func TestCoverageIsAsOldAsTheWalk(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWard(t, newClinic(weightChanges), nil)
		w.fill(6)
		w.onFetch = func(n int, _ providers.Query, page *providers.Page) error {
			page.Date = time.Time{}
			if n == 2 {
				return &providers.Error{Provider: "clinic", Kind: providers.ErrUnavailable}
			}
			return nil
		}
		_, err := w.engine.Sync(t.Context(), w.conn.ID)
		require.ErrorIs(t, err, providers.ErrUnavailable)
		began := time.Now()
		time.Sleep(5 * time.Hour)
		engine := w.another(t, func(cfg *healthsync.Config) {
			cfg.Hooks.PageCommitted = func(ctx context.Context, e healthsync.PageEvent) {
				if cur := w.cursor(t, store.LaneLive); len(w.asked()) == 3 && cur.Walk == nil {
					covered, err := w.store.Coverage(ctx, w.conn.ID, "weights")
					require.NoError(t, err)
					require.WithinDuration(t, began, covered[0].To, time.Second)
				}
			}
		})
		_, err = engine.Sync(t.Context(), w.conn.ID)
		require.NoError(t, err)
	})
}

func TestQuarantineTellsRecordsApart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWard(t, newClinic(weightWindows), nil)
		w.fill(6)
		w.onFetch = func(_ int, _ providers.Query, page *providers.Page) error {
			if len(page.Records) > 0 {
				page.Records[0].Key = "elsewhere/1" // the same fault on both pages
				page.Records[1].Values[0].Metric = "NO SUCH"
			}
			return nil
		}
		_, err := w.engine.Sync(t.Context(), w.conn.ID)
		require.NoError(t, err)
		kept, err := w.store.Quarantine(t.Context(), w.conn.ID, 10)
		require.NoError(t, err)
		var keys []string
		for _, q := range kept {
			keys = append(keys, q.Key)
			require.NotEmpty(t, q.Reason)
		}
		require.ElementsMatch(t, []string{"weights/#0.0", "weights/1", "weights/#1.0", "weights/4"}, keys)
		require.Len(t, w.held(t), 2)
	})
}

// TestLongCircleEnds has a service hand out the tokens of a circle that is
// entered late.
func TestLongCircleEnds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWard(t, newClinic(weightWindows), nil)
		w.fill(3)
		w.onFetch = func(n int, _ providers.Query, page *providers.Page) error {
			page.Records, page.More = nil, true
			page.PageToken = fmt.Sprint(n)
			if n > 40 {
				page.PageToken = fmt.Sprint(40 + n%23)
			}
			return nil
		}
		_, err := w.engine.Sync(t.Context(), w.conn.ID)
		require.ErrorIs(t, err, providers.ErrMalformed)
		e, _ := errors.AsType[*providers.Error](err)
		require.Equal(t, providers.CodePageLoop, e.Code)
		require.Less(t, len(w.asked()), 300)
		require.Empty(t, w.cursor(t, store.LaneLive).HighWater)
	})
}

func TestStreamThatIsNotPermittedIsSkippedWhole(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWard(t, newClinic(weightChanges), nil)
		w.fill(3)
		w.onFetch = func(int, providers.Query, *providers.Page) error {
			return &providers.Error{Provider: "clinic", Kind: providers.ErrForbidden, Status: 403}
		}
		report, err := w.engine.Sync(t.Context(), w.conn.ID)
		require.NoError(t, err)
		require.Len(t, report.Streams, 1)
		require.True(t, report.Streams[0].Skipped)
		require.Len(t, w.asked(), 1)
	})
}

func TestWalksThatCannotGoOn(t *testing.T) {
	failure := func(kind error, code string) error {
		return &providers.Error{Provider: "clinic", Op: "fetch weights", Kind: kind, Code: code}
	}
	t.Run("a token that is refused once restarts the walk", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			w := newWard(t, newClinic(weightWindows), nil)
			w.fill(6)
			w.onFetch = func(n int, q providers.Query, _ *providers.Page) error {
				if n == 3 {
					return failure(providers.ErrInvalid, "token expired")
				}
				return nil
			}
			_, err := w.engine.Sync(t.Context(), w.conn.ID)
			require.NoError(t, err)
			require.Equal(t, w.want(), w.held(t))
		})
	})
	for name, spoil := range map[string]func(n int, q providers.Query, page *providers.Page){
		"a page that repeats for ever": func(_ int, _ providers.Query, page *providers.Page) {
			page.More, page.PageToken = true, "3"
		},
		"more without a token": func(_ int, _ providers.Query, page *providers.Page) {
			page.More, page.PageToken = true, ""
		},
		"two pages in a circle": func(n int, _ providers.Query, page *providers.Page) {
			page.More, page.PageToken = true, fmt.Sprint(3+3*(n%2))
		},
		"a million empty pages": func(n int, _ providers.Query, page *providers.Page) {
			page.Records, page.More, page.PageToken = nil, true, fmt.Sprint(n)
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWard(t, newClinic(weightWindows), func(cfg *healthsync.Config) { cfg.MaxPages = 50 })
				w.fill(6)
				w.onFetch = func(n int, q providers.Query, page *providers.Page) error { spoil(n, q, page); return nil }
				_, err := w.engine.Sync(t.Context(), w.conn.ID)
				require.ErrorIs(t, err, providers.ErrMalformed)
				e, _ := errors.AsType[*providers.Error](err)
				require.Equal(t, providers.CodePageLoop, e.Code)
				require.Empty(t, w.cursor(t, store.LaneLive).HighWater, "the cursor does not move")
				require.LessOrEqual(t, len(w.asked()), 101)

				w.onFetch = nil
				_, err = w.engine.Sync(t.Context(), w.conn.ID)
				require.NoError(t, err)
				require.Equal(t, w.want(), w.held(t))
			})
		})
	}
	t.Run("a walk that is older than its tokens live begins anew", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			stream := weightWindows
			stream.WalkTTL = time.Hour
			w := newWard(t, newClinic(stream), nil)
			w.fill(6)
			w.onFetch = func(n int, _ providers.Query, _ *providers.Page) error {
				if n == 2 {
					return failure(providers.ErrUnavailable, "")
				}
				return nil
			}
			_, err := w.engine.Sync(t.Context(), w.conn.ID)
			require.ErrorIs(t, err, providers.ErrUnavailable)
			require.NotNil(t, w.cursor(t, store.LaneLive).Walk)
			time.Sleep(2 * time.Hour)
			_, err = w.engine.Sync(t.Context(), w.conn.ID)
			require.NoError(t, err)
			require.Empty(t, w.asked()[2].PageToken)
			require.Equal(t, w.want(), w.held(t))
		})
	})
}

func TestAbsenceMeansNothingWithoutACompleteWalk(t *testing.T) {
	for name, spoil := range map[string]func(n int, page *providers.Page) error{
		"a page that fails": func(n int, _ *providers.Page) error {
			if n == 2 {
				return &providers.Error{Provider: "clinic", Kind: providers.ErrUnavailable}
			}
			return nil
		},
		"a page with a datum that cannot be read": func(_ int, page *providers.Page) error {
			page.Quarantined = append(page.Quarantined, providers.Quarantined{Key: "weights/x", Reason: "not a number"})
			return nil
		},
		"a record that breaks a rule": func(_ int, page *providers.Page) error {
			page.Records[0].Key = "elsewhere/1"
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWard(t, newClinic(weightWindows), nil)
				w.fill(6)
				_, err := w.engine.Sync(t.Context(), w.conn.ID)
				require.NoError(t, err)
				before := w.held(t)
				w.remove(1)
				asked := len(w.asked())
				w.onFetch = func(n int, _ providers.Query, page *providers.Page) error { return spoil(n-asked, page) }
				_, _ = w.engine.Sync(t.Context(), w.conn.ID)
				require.Equal(t, before, w.held(t))
			})
		})
	}
}

// A datum that was kept without one of its parts was there all the same: what
// was deleted beside it is seen.
func TestAbsenceBesideADatumThatLacksAPart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWard(t, newClinic(weightWindows), nil)
		w.fill(6)
		w.onFetch = func(_ int, _ providers.Query, page *providers.Page) error {
			for i := range page.Records {
				page.Quarantined = append(page.Quarantined, providers.Quarantined{Key: page.Records[i].Key + "#fat", Reason: "not a number"})
			}
			return nil
		}
		_, err := w.engine.Sync(t.Context(), w.conn.ID)
		require.NoError(t, err)
		require.Equal(t, w.want(), w.held(t))
		w.remove(1)
		_, err = w.engine.Sync(t.Context(), w.conn.ID)
		require.NoError(t, err)
		require.Equal(t, w.want(), w.held(t))
	})
}

func TestBadRecordsAreSetAsideAndGoodOnesKept(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWard(t, newClinic(weightWindows), nil)
		w.fill(3)
		w.onFetch = func(_ int, _ providers.Query, page *providers.Page) error {
			page.Records[1].Span.End = health.At(time.Unix(0, 0))
			page.Quarantined = []providers.Quarantined{{Key: "weights/#7", Reason: "wrong type", Raw: []byte(`{"id":[]}`)}}
			return nil
		}
		var seen []string
		engine := w.another(t, func(cfg *healthsync.Config) {
			cfg.Hooks.Quarantined = func(_ context.Context, e healthsync.QuarantineEvent) { seen = append(seen, e.Item.Key) }
		})
		report, err := engine.Sync(t.Context(), w.conn.ID)
		require.NoError(t, err)
		require.Equal(t, 2, report.Streams[0].Quarantined)
		require.Len(t, seen, 2)
		require.Len(t, w.held(t), 2)
		kept, err := w.store.Quarantine(t.Context(), w.conn.ID, 10)
		require.NoError(t, err)
		require.Len(t, kept, 2)
	})
}
