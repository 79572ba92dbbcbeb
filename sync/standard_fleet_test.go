package sync_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	gosync "sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// archive is a service with many accounts, each with a number of records, which
// counts its callers' requests and refuses those that are too many. The access
// token is the account.
type archive struct {
	limits   []providers.RateLimit
	pageSize int
	took     time.Duration // of a request
	// retryAfter is what a refusal names as the time to come back.
	retryAfter func() time.Time

	mu      gosync.Mutex
	records map[string]int
	calls   map[string][]time.Time // by account; "" has all
	refused int
	// read is when the last page of an account's records was handed out first.
	read map[string]time.Time
	// outage refuses everything until then.
	outage time.Time
}

func newArchive(pageSize int, took time.Duration, limits ...providers.RateLimit) *archive {
	return &archive{
		limits: limits, pageSize: pageSize, took: took, retryAfter: func() time.Time { return time.Time{} },
		records: make(map[string]int), calls: make(map[string][]time.Time), read: make(map[string]time.Time),
	}
}

func (a *archive) Name() string { return "archive" }

func (a *archive) Capabilities() providers.Capabilities {
	return providers.Capabilities{Limits: a.limits, Streams: []providers.Stream{{
		Name: "papers", Kinds: []health.Kind{health.KindBody}, Lookback: 7 * day, Changes: true,
	}}}
}

func (a *archive) Fetch(ctx context.Context, cred providers.Credential, q providers.Query) (providers.Page, error) {
	account, now := cred.Access.Reveal(), time.Now()
	a.mu.Lock()
	full := now.Before(a.outage)
	for _, limit := range a.limits {
		key := ""
		if limit.Scope == providers.LimitPerUser {
			key = account
		}
		recent := 0
		for _, at := range slices.Backward(a.calls[key]) {
			if now.Sub(at) >= limit.Per {
				break
			}
			recent++
		}
		full = full || recent >= limit.Requests
	}
	if full {
		a.refused++
		a.mu.Unlock()
		return providers.Page{}, &providers.Error{
			Provider: "archive", Op: "fetch", Kind: providers.ErrRateLimited, Status: 429, RetryAt: a.retryAfter(),
		}
	}
	a.calls[""] = append(a.calls[""], now)
	a.calls[account] = append(a.calls[account], now)
	a.mu.Unlock()
	select {
	case <-ctx.Done():
		return providers.Page{}, ctx.Err()
	case <-time.After(a.took):
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	page := providers.Page{Date: time.Now(), Candidate: strconv.Itoa(a.records[account])}
	from, _ := strconv.Atoi(q.PageToken)
	if q.HighWater != "" && q.PageToken == "" {
		from, _ = strconv.Atoi(q.HighWater)
	}
	for id := from; id < min(from+a.pageSize, a.records[account]); id++ {
		page.Records = append(page.Records, health.Record{
			Kind: health.KindBody, Key: "papers/" + strconv.Itoa(id),
			Span:   health.Span{Start: health.Instant(now.Add(-time.Hour).UnixMilli()), Zone: health.ZoneUnknown},
			Source: health.Source{Provider: "archive", Path: health.PathDirect},
			Rev:    health.Rev{Order: 1, Mapping: 1},
			Values: []health.Value{{Metric: health.MetricBodyWeight, Number: health.Decimal{Coefficient: int64(60_000 + id%1000), Exponent: -3}}},
		})
	}
	if from+a.pageSize < a.records[account] {
		page.More, page.PageToken = true, strconv.Itoa(from+a.pageSize)
	} else if _, again := a.read[account]; !again {
		a.read[account] = time.Now()
	}
	return page, nil
}

func (a *archive) Authorize(_ context.Context, r providers.AuthRequest) (providers.AuthStart, error) {
	return providers.AuthStart{URL: "https://archive.example.com/?state=" + r.State}, nil
}

func (a *archive) Exchange(_ context.Context, cb providers.Callback) (providers.Grant, error) {
	account := cb.Query["code"][0]
	return providers.Grant{UpstreamID: account, Credential: providers.Credential{Access: providers.NewSecret(account)}}, nil
}

// hold gives an account so many records.
func (a *archive) hold(account string, records int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.records[account] = records
	delete(a.read, account)
}

// most returns the largest number of requests in any period of the length.
func most(calls []time.Time, per time.Duration) (n int) {
	for i, first := 0, 0; i < len(calls); i++ {
		for calls[i].Sub(calls[first]) >= per {
			first++
		}
		n = max(n, i-first+1)
	}
	return n
}

// newReadingRoom returns an engine over an archive.
func newReadingRoom(t *testing.T, a *archive, change func(*healthsync.Config)) *ward {
	w := &ward{store: store.NewMemory()}
	cfg := healthsync.Config{Providers: []providers.Provider{a}, Store: w.store, Sealer: newKeyring(t)}
	if change != nil {
		change(&cfg)
	}
	var err error
	w.engine, err = healthsync.New(cfg)
	require.NoError(t, err)
	return w
}

// complete requires that the store holds all records of all accounts.
func (a *archive) complete(t *testing.T, w *ward) {
	t.Helper()
	a.mu.Lock()
	records := maps.Clone(a.records)
	a.mu.Unlock()
	for account, want := range records {
		n := 0
		// In one page: the store in memory sorts all for each.
		for _, err := range store.AllRecords(t.Context(), w.store, store.RecordQuery{User: account, Limit: 2_000_000}) {
			require.NoError(t, err)
			n++
		}
		require.Equal(t, want, n, account)
	}
}

// TestLimitsAreKept has five people's histories be read from a service with a
// limit per person and one for the application: no period of either length,
// wherever it begins, sees more requests, nothing is refused, and the work goes
// on as fast as the limits let it.
func TestLimitsAreKept(t *testing.T) {
	const perUser, perApp, people, pages = 150, 120, 5, 400
	proof.Row(t, "S7", proof.Counts{"people": people, "requests": people * pages, "per person and hour": perUser, "per minute": perApp})
	bubble(t, func(t *testing.T) {
		a := newArchive(1, 10*time.Millisecond,
			providers.RateLimit{Requests: perUser, Per: time.Hour, Scope: providers.LimitPerUser},
			providers.RateLimit{Requests: perApp, Per: time.Minute, Scope: providers.LimitPerApp})
		w := newReadingRoom(t, a, func(cfg *healthsync.Config) { cfg.History = -1; cfg.Workers = 8 })
		for i := range people {
			account := fmt.Sprint("user", i)
			a.hold(account, pages)
			w.connectTo(t, "archive", account, account)
		}
		stop := running(t, w.engine)
		time.Sleep(4 * time.Hour)
		stop()
		a.complete(t, w)
		require.Zero(t, a.refused)
		require.LessOrEqual(t, most(a.calls[""], time.Minute), perApp)
		for account := range a.records {
			n := most(a.calls[account], time.Hour)
			require.LessOrEqual(t, n, perUser, account)
			require.Greater(t, n, perUser*9/10, "%s: the limit is used", account)
		}
	})
}

// TestRefusalsForTheLimitAreWaitedOut has a service refuse, whatever we have
// counted, and name a time to come back that is absent, right, past, or absurd.
// The work goes on when the refusals end: at the time that was named, else after
// a short pause, and never later than fifteen minutes.
func TestRefusalsForTheLimitAreWaitedOut(t *testing.T) {
	proof.Row(t, "S7", proof.Counts{"times that a refusal names": 7})
	const longest = 15 * time.Minute
	for name, c := range map[string]struct {
		retryAfter func() time.Time
		outage     time.Duration
		within     time.Duration // after the outage
	}{
		"without a time":     {func() time.Time { return time.Time{} }, 20 * time.Minute, longest},
		"with the right one": {func() time.Time { return time.Now().Add(2 * time.Minute) }, 2 * time.Minute, 2*time.Minute + time.Minute},
		"with one at once":   {time.Now, 5 * time.Minute, longest},
		"with one in the past": {
			func() time.Time { return time.Now().Add(-24 * time.Hour) }, 5 * time.Minute, longest,
		},
		"with one in ten years":      {func() time.Time { return time.Now().AddDate(10, 0, 0) }, time.Minute, longest},
		"with the end of all times":  {func() time.Time { return time.Unix(1<<40, 0) }, time.Minute, longest},
		"with the beginning of them": {func() time.Time { return time.Unix(-1<<40, 0) }, time.Minute, longest},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				a := newArchive(10, time.Second)
				a.retryAfter = c.retryAfter
				w := newReadingRoom(t, a, nil)
				a.hold("ada", 300)
				w.connectTo(t, "archive", "ada", "ada")
				a.outage = time.Now().Add(c.outage)
				stop := running(t, w.engine)
				// A minute for the pages, and for the spread of due times.
				time.Sleep(c.outage + c.within + time.Minute)
				stop()
				a.complete(t, w)
				require.LessOrEqual(t, a.refused, int(c.outage/time.Second)/10+3, "refusals are not answered by asking at once")
				require.Positive(t, a.refused)
			})
		})
	}
}

// TestLongHistoryDelaysNobody compares how long 499 people wait for their first
// data, and later for a new record, with and without one whose history is a
// million records.
func TestLongHistoryDelaysNobody(t *testing.T) {
	t.Parallel()
	if proof.WithoutRace(t) {
		return
	}
	const people = 499
	pageSize := proof.N(20, 1000)
	const bigPages = 1000
	proof.Row(t, "S9", proof.Counts{"people": people, "records of the one": bigPages * pageSize})
	random := rand.New(rand.NewPCG(proof.Seed(t), 9))
	slowest := func(big int) (first, news time.Duration) {
		bubble(t, func(t *testing.T) {
			a := newArchive(pageSize, time.Second)
			w := newReadingRoom(t, a, nil)
			a.hold("big", big)
			w.connectTo(t, "archive", "big", "big")
			stop := running(t, w.engine)
			time.Sleep(20 * time.Second)
			for i := range people {
				a.hold(fmt.Sprint("user", i), 2*pageSize)
				w.connectTo(t, "archive", fmt.Sprint("user", i), fmt.Sprint("user", i))
			}
			lag := func(since time.Time) (longest time.Duration) {
				a.mu.Lock()
				defer a.mu.Unlock()
				for i := range people {
					at, ok := a.read[fmt.Sprint("user", i)]
					require.True(t, ok, "user%d was not read", i)
					longest = max(longest, at.Sub(since))
				}
				return longest
			}
			began := time.Now()
			time.Sleep(12 * time.Minute)
			first = lag(began)
			a.mu.Lock()
			_, done := a.read["big"]
			a.mu.Unlock()
			require.Equal(t, big < 100*pageSize, done, "the long history is still being read")
			// Everybody has something new, at any time within the interval.
			began = time.Now()
			for _, i := range random.Perm(people) {
				a.hold(fmt.Sprint("user", i), 2*pageSize+1)
			}
			time.Sleep(30 * time.Minute)
			news = lag(began)
			stop()
			a.complete(t, w)
		})
		return first, news
	}
	first, news := slowest(pageSize)
	crowdedFirst, crowdedNews := slowest(bigPages * pageSize)
	t.Logf("first data: %v, with the long history %v; news: %v, %v", first, crowdedFirst, news, crowdedNews)
	require.LessOrEqual(t, crowdedFirst, 2*first)
	require.LessOrEqual(t, crowdedNews, 2*news)
}
