package sync_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/internal/provsim"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/providertest"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// bothStreams are a stream that tells changes and one that is read in windows.
func bothStreams() map[string]providers.Stream {
	return map[string]providers.Stream{"changes": weightChanges, "windows": weightWindows}
}

// announcedDeletions returns the keys of all deletions in the change feed.
func announcedDeletions(t testing.TB, s store.Store) (keys []string) {
	t.Helper()
	changes, err := s.Changes(t.Context(), "looks at deletions", 100_000)
	require.NoError(t, err)
	for _, c := range changes {
		if c.State == health.StateDeleted {
			keys = append(keys, c.Key)
		}
	}
	return keys
}

// TestLateDataIsFound has data arrive up to seven days late, and now and then up
// to sixty, and looks after the night's reconciliation, which is configured to
// reach as far.
func TestLateDataIsFound(t *testing.T) {
	t.Parallel()
	if proof.WithoutRace(t) {
		return
	}
	sequences := proof.N(20, 2000)
	counts := proof.Counts{"sequences": sequences, "records up to 7 days late": 0, "records up to 60 days late": 0}
	proof.Row(t, "S3", counts)
	seed := proof.Seed(t)
	for i := range sequences {
		stream := weightChanges
		if i%2 == 1 {
			stream = weightWindows
		}
		bubble(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, uint64(i)))
			w := newWard(t, newClinic(stream), func(cfg *healthsync.Config) {
				cfg.Interval, cfg.ReconcileWindow = 6*time.Hour, 61*day
			})
			w.pageSize = 25
			w.fill(5)
			stop := running(t, w.engine)
			time.Sleep(25 * time.Hour)
			for id := 100; id < 120; id++ {
				late := time.Duration(random.Int64N(int64(7 * day)))
				if random.IntN(20) == 0 {
					late = 8*day + time.Duration(random.Int64N(int64(52*day)))
					counts["records up to 60 days late"]++
				} else {
					counts["records up to 7 days late"]++
				}
				w.put(id, time.Now().Add(-late), int64(60_000+id))
				time.Sleep(time.Duration(random.Int64N(int64(2 * time.Hour))))
			}
			time.Sleep(27 * time.Hour)
			stop()
			require.Equal(t, w.want(), w.held(t), "sequence %d", i)
		})
	}
}

// TestLateDataWithinTheLookBackNeedsNoNight: what is at most as late as the
// look-back is found by the next read.
func TestLateDataWithinTheLookBackNeedsNoNight(t *testing.T) {
	step := time.Duration(proof.N(4, 1)) * time.Hour
	proof.Row(t, "S3", proof.Counts{"times late": int(7*day/step) + 1})
	for _, stream := range bothStreams() {
		bubble(t, func(t *testing.T) {
			w := newWard(t, newClinic(stream), nil)
			w.pageSize = 50
			for late := time.Duration(0); late <= 7*day; late += step {
				_, err := w.engine.Sync(t.Context(), w.conn.ID)
				require.NoError(t, err)
				time.Sleep(30 * time.Minute)
				w.put(int(late/time.Hour), time.Now().Add(-late), 70_000)
				_, err = w.engine.Sync(t.Context(), w.conn.ID)
				require.NoError(t, err)
				require.Equal(t, w.want(), w.held(t), late)
			}
		})
	}
}

// TestPagesComeToAnEnd has a service whose pages go on for ever, by each way
// there is: the walk ends with a named error, the mark stays, nothing is taken
// for deleted, and when the service is well again nothing is missing.
func TestPagesComeToAnEnd(t *testing.T) {
	proof.Row(t, "S4", proof.Counts{"ways": 8, "streams": 2})
	const maxPages = 200
	for name, next := range map[string]func(n int) string{
		"a page that is its own next":           func(int) string { return "1" },
		"no next although there is more":        func(int) string { return "" },
		"two pages in a circle":                 func(n int) string { return strconv.Itoa(1 + n%2) },
		"three pages in a circle":               func(n int) string { return strconv.Itoa(1 + n%3) },
		"a circle of 23 that is entered late":   func(n int) string { return strconv.Itoa(max(n, 41) - (max(n, 41)-41)/23*23) },
		"offsets that go back":                  func(n int) string { return strconv.Itoa(1 + (10-n%10)%10) },
		"a list that grows as fast as it reads": func(n int) string { return strconv.Itoa(n) },
		"a token that is too long":              func(n int) string { return strings.Repeat("x", 4097) + strconv.Itoa(n) },
	} {
		for kind, stream := range bothStreams() {
			t.Run(name+", "+kind, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					w := newWard(t, newClinic(stream), func(cfg *healthsync.Config) { cfg.MaxPages = maxPages })
					w.fill(7)
					_, err := w.engine.Sync(t.Context(), w.conn.ID)
					require.NoError(t, err)
					before, asked := w.cursor(t, store.LaneLive).HighWater, len(w.asked())
					time.Sleep(time.Hour)
					w.put(3, time.Now().Add(-3*day), 71_000)
					w.onFetch = func(n int, _ providers.Query, page *providers.Page) error {
						page.More, page.PageToken = true, next(n-asked)
						return nil
					}
					_, err = w.engine.Sync(t.Context(), w.conn.ID)
					require.ErrorIs(t, err, providers.ErrMalformed)
					require.Equal(t, providers.CodePageLoop, codeOf(t, err))
					require.Equal(t, before, w.cursor(t, store.LaneLive).HighWater, "the mark has moved")
					require.LessOrEqual(t, len(w.asked())-asked, 2*maxPages, "once more from the start, and no more")
					require.Empty(t, announcedDeletions(t, w.store))
					w.onFetch = nil
					_, err = w.engine.Sync(t.Context(), w.conn.ID)
					require.NoError(t, err)
					require.Equal(t, w.want(), w.held(t))
				})
			})
		}
	}
}

func codeOf(t testing.TB, err error) string {
	t.Helper()
	var e *providers.Error
	require.ErrorAs(t, err, &e)
	return e.Code
}

// desert is a service with pages and nothing on them, each with a token of its
// own.
type desert struct{ fetched int }

func (d *desert) Name() string { return "desert" }

func (d *desert) Capabilities() providers.Capabilities {
	return providers.Capabilities{Streams: []providers.Stream{weightWindows}}
}

func (d *desert) Fetch(context.Context, providers.Credential, providers.Query) (providers.Page, error) {
	d.fetched++
	return providers.Page{Date: time.Now(), More: true, PageToken: strconv.Itoa(d.fetched)}, nil
}

func (d *desert) Authorize(_ context.Context, r providers.AuthRequest) (providers.AuthStart, error) {
	return providers.AuthStart{URL: "https://desert.example.com/?state=" + r.State}, nil
}

func (d *desert) Exchange(context.Context, providers.Callback) (providers.Grant, error) {
	return providers.Grant{UpstreamID: "a", Credential: providers.Credential{Access: providers.NewSecret("access")}}, nil
}

// TestEmptyPagesComeToAnEnd: nothing repeats, and so only the cap on pages can
// tell that there is no end.
func TestEmptyPagesComeToAnEnd(t *testing.T) {
	pages := proof.N(20_000, 1_000_000)
	proof.Row(t, "S4", proof.Counts{"empty pages": pages})
	bubble(t, func(t *testing.T) {
		d, w := &desert{}, &ward{store: store.NewMemory()}
		var err error
		w.engine, err = healthsync.New(healthsync.Config{
			Providers: []providers.Provider{d}, Store: w.store, Sealer: newKeyring(t), MaxWait: -1, MaxPages: pages,
		})
		require.NoError(t, err)
		w.conn = w.connectTo(t, "desert", "ada", "a")
		_, err = w.engine.Sync(t.Context(), w.conn.ID)
		require.ErrorIs(t, err, providers.ErrMalformed)
		require.Equal(t, providers.CodePageLoop, codeOf(t, err))
		require.Equal(t, 2*pages, d.fetched)
		cur := w.cursor(t, store.LaneLive)
		require.Empty(t, cur.HighWater+w.cursor(t, store.LaneReconcile).HighWater)
	})
}

// TestListsThatChangeWhileTheyAreRead has a list grow, shrink, and do both,
// between the pages of every walk, and a mark that goes back. The walks end, and
// when the list rests the store follows.
func TestListsThatChangeWhileTheyAreRead(t *testing.T) {
	proof.Row(t, "S4", proof.Counts{"ways of changing": 5, "streams": 2, "rounds": 5})
	for name, c := range map[string]struct {
		grows, shrinks, regress bool
	}{
		"a list that grows":               {grows: true},
		"a list that shrinks":             {shrinks: true},
		"a list that does both":           {grows: true, shrinks: true},
		"a mark that goes back":           {regress: true},
		"a list that does all at a time ": {grows: true, shrinks: true, regress: true},
	} {
		for kind, stream := range bothStreams() {
			t.Run(name+", "+kind, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					w := newWard(t, newClinic(stream), nil)
					for i := range 30 {
						w.put(100+i, time.Now().Add(-time.Duration(i)*time.Hour-time.Hour), 70_000)
					}
					next, gone := 99, 100
					for range 5 {
						changes := 0
						w.onFetch = func(n int, _ providers.Query, page *providers.Page) error {
							if changes++; changes > 6 {
								return nil
							}
							if c.grows { // in front of what was read
								w.changes++
								w.weights[next] = weight{next, time.Now().Add(-2 * time.Hour), 71_000, w.changes}
								next--
							}
							if c.shrinks {
								delete(w.weights, gone)
								gone++
							}
							if c.regress && page.Candidate != "" {
								page.Candidate = strconv.Itoa(w.changes / 2)
							}
							return nil
						}
						_, err := w.engine.Sync(t.Context(), w.conn.ID)
						require.NoError(t, err)
						time.Sleep(time.Hour)
					}
					w.onFetch = nil
					for range 2 {
						_, err := w.engine.Sync(t.Context(), w.conn.ID)
						require.NoError(t, err)
						time.Sleep(time.Hour)
					}
					require.Equal(t, w.want(), w.held(t))
				})
			})
		}
	}
}

// TestDeletionsNeedACompleteRead: a record goes when a complete read is without
// it, whatever else is read before, and comes back when it does.
func TestDeletionsNeedACompleteRead(t *testing.T) {
	proof.Row(t, "S5", proof.Counts{"ways to fail": 7, "streams": 2})
	unavailable := &providers.Error{Provider: "clinic", Kind: providers.ErrUnavailable}
	// Each case spoils a read of two pages; n counts from 1.
	for name, spoil := range map[string]func(n int, page *providers.Page) error{
		"the first page fails":  func(int, *providers.Page) error { return unavailable },
		"the second page fails": func(n int, _ *providers.Page) error { return map[bool]error{true: unavailable}[n >= 2] },
		"the second page is forbidden": func(n int, _ *providers.Page) error {
			if n >= 2 {
				return &providers.Error{Provider: "clinic", Kind: providers.ErrForbidden}
			}
			return nil
		},
		"the second page is malformed": func(n int, _ *providers.Page) error {
			if n >= 2 {
				return &providers.Error{Provider: "clinic", Kind: providers.ErrMalformed}
			}
			return nil
		},
		"a limit in the middle": func(n int, _ *providers.Page) error {
			if n >= 2 {
				return &providers.Error{Provider: "clinic", Kind: providers.ErrRateLimited, RetryAt: time.Now().Add(time.Hour)}
			}
			return nil
		},
		"a datum was set aside": func(_ int, page *providers.Page) error {
			page.Quarantined = append(page.Quarantined, providers.Quarantined{Key: "weights/x", Reason: "not a number"})
			return nil
		},
		"the service does not say when": func(_ int, page *providers.Page) error {
			page.Date = time.Time{}
			return nil
		},
	} {
		for kind, stream := range bothStreams() {
			t.Run(name+", "+kind, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					w := newWard(t, newClinic(stream), nil)
					w.fill(6)
					_, err := w.engine.Sync(t.Context(), w.conn.ID)
					require.NoError(t, err)
					before := w.held(t)
					gone := w.weights[2]
					w.remove(2)
					for range 3 {
						asked := len(w.asked())
						w.onFetch = func(n int, _ providers.Query, page *providers.Page) error { return spoil(n-asked, page) }
						_, _ = w.engine.Sync(t.Context(), w.conn.ID)
						time.Sleep(2 * time.Hour)
					}
					require.Empty(t, announcedDeletions(t, w.store))
					require.Equal(t, before, w.held(t))

					w.onFetch = nil
					for range 2 {
						_, err = w.engine.Sync(t.Context(), w.conn.ID)
						require.NoError(t, err)
					}
					require.Equal(t, []string{"weights/2"}, announcedDeletions(t, w.store))
					require.Equal(t, w.want(), w.held(t))
					w.mu.Lock()
					w.weights[2] = gone // with its old revision: undeleted
					w.mu.Unlock()
					_, err = w.engine.Sync(t.Context(), w.conn.ID)
					require.NoError(t, err)
					require.Equal(t, w.want(), w.held(t))
					w.remove(2)
					_, err = w.engine.Sync(t.Context(), w.conn.ID)
					require.NoError(t, err)
					w.put(2, gone.at, 75_000) // recreated
					_, err = w.engine.Sync(t.Context(), w.conn.ID)
					require.NoError(t, err)
					require.Equal(t, w.want(), w.held(t))
				})
			})
		}
	}
}

// TestInterruptedReadFindsNoDeletion has a read of two pages be cut after the
// first and continued: the continued one has not seen the first page's records,
// and says nothing about absence.
func TestInterruptedReadFindsNoDeletion(t *testing.T) {
	proof.Row(t, "S5", proof.Counts{"streams": 2, "engines": 2})
	for kind, stream := range bothStreams() {
		for _, fresh := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/another process %v", kind, fresh), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					w := newWard(t, newClinic(stream), nil)
					w.fill(6)
					_, err := w.engine.Sync(t.Context(), w.conn.ID)
					require.NoError(t, err)
					time.Sleep(time.Hour)
					for _, lane := range []store.Lane{store.LaneLive, store.LaneReconcile} {
						if stream.Changes == (lane == store.LaneLive) {
							continue // the lane that may find deletions is the other one
						}
						failed := false
						w.onFetch = func(_ int, q providers.Query, _ *providers.Page) error {
							if q.PageToken != "" && q.HighWater == "" && !failed {
								failed = true
								return &providers.Error{Provider: "clinic", Kind: providers.ErrUnavailable}
							}
							return nil
						}
						_, err = w.engine.Sync(t.Context(), w.conn.ID)
						require.ErrorIs(t, err, providers.ErrUnavailable)
						require.True(t, failed)
						require.NotNil(t, w.cursor(t, lane).Walk, "the read is to be continued")
						engine := w.engine
						if fresh {
							engine = w.another(t, nil)
						}
						time.Sleep(10 * time.Minute)
						_, err = engine.Sync(t.Context(), w.conn.ID)
						require.NoError(t, err)
						require.Nil(t, w.cursor(t, lane).Walk)
					}
					require.Empty(t, announcedDeletions(t, w.store), "all six were there all the time")
					require.Equal(t, w.want(), w.held(t))
				})
			})
		}
	}
}

// TestAnswersWithoutAListDeleteNothing has the service answer 200 with what is
// no list: nothing at all, an empty object, null, a web page. An empty list is
// one, and deletes when it is still empty a day later.
func TestAnswersWithoutAListDeleteNothing(t *testing.T) {
	proof.Row(t, "S5", proof.Counts{"empty answers": 8})
	for name, body := range map[string]string{
		"nothing": "", "an empty object": "{}", "null": "null", "an array": "[]", "no rows": `{"rows":null,"next":""}`,
		"a web page": "<html><body>Sign in</body></html>", "half a list": `{"rows":[`, "a space": " ",
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				time.Sleep(time.Until(time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)))
				service := provsim.NewService(provsim.Config{Days: 5, Seed: 7, AccessLife: 1000 * time.Hour})
				var answer string
				spoiled := false
				handler := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					if spoiled && strings.HasPrefix(r.URL.Path, "/v1/") {
						rw.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
						_, _ = io.WriteString(rw, answer)
						return
					}
					service.ServeHTTP(rw, r)
				})
				adapter, err := provsim.New(provsim.AdapterConfig{
					BaseURL: "https://provsim.example.com", Transport: providertest.Transport(handler), MaxWait: -1,
				})
				require.NoError(t, err)
				db := store.NewMemory()
				engine, err := healthsync.New(healthsync.Config{
					Providers: []providers.Provider{adapter}, Store: db, Sealer: newKeyring(t), MaxWait: -1,
				})
				require.NoError(t, err)
				w := &ward{store: db, engine: engine}
				address, err := engine.Connect(t.Context(), healthsync.ConnectRequest{
					User: "ada", Provider: provsim.Name, RedirectURL: provsim.DefaultRedirectURL, Scopes: []string{provsim.StreamDaily},
				})
				require.NoError(t, err)
				back, err := service.Consent("u1", address)
				require.NoError(t, err)
				u, err := url.Parse(back)
				require.NoError(t, err)
				w.conn, err = engine.Complete(t.Context(), u.Query())
				require.NoError(t, err)
				_, err = engine.Sync(t.Context(), w.conn.ID)
				require.NoError(t, err)
				keys := func() (all []string) {
					for r, err := range store.AllRecords(t.Context(), db, store.RecordQuery{User: "ada"}) {
						require.NoError(t, err)
						all = append(all, r.Key)
					}
					return all
				}
				before := keys()
				require.NotEmpty(t, before)
				cursor, err := db.Cursor(t.Context(), w.conn.ID, provsim.StreamDaily, store.LaneLive)
				require.NoError(t, err)

				spoiled, answer = true, body
				time.Sleep(time.Hour)
				_, err = engine.Sync(t.Context(), w.conn.ID)
				require.ErrorIs(t, err, providers.ErrMalformed)
				require.Empty(t, announcedDeletions(t, db))
				require.Equal(t, before, keys())
				after, err := db.Cursor(t.Context(), w.conn.ID, provsim.StreamDaily, store.LaneLive)
				require.NoError(t, err)
				require.Equal(t, cursor.HighWater, after.HighWater)

				answer = `{"rows":[],"next":""}`
				for range 3 {
					_, err = engine.Sync(t.Context(), w.conn.ID)
					require.NoError(t, err)
					require.Empty(t, announcedDeletions(t, db), "all at once")
					require.Equal(t, before, keys())
					time.Sleep(8 * time.Hour)
				}
				_, err = engine.Sync(t.Context(), w.conn.ID)
				require.NoError(t, err)
				require.NotEmpty(t, announcedDeletions(t, db))
				spoiled = false
				_, err = engine.Sync(t.Context(), w.conn.ID)
				require.NoError(t, err)
				now := keys()
				slices.Sort(before)
				slices.Sort(now)
				require.Equal(t, before, now, "undeleted")
			})
		})
	}
}
