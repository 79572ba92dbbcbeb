package sync_test

import (
	"context"
	"fmt"
	gosync "sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// shelves is an archive with several streams that remembers when each was read.
type shelves struct {
	*archive
	streams []providers.Stream
	mu      gosync.Mutex
	reads   map[string][]time.Time // by account and stream
}

func newShelves(streams int, limit providers.RateLimit) *shelves {
	c := &shelves{archive: newArchive(10, 100*time.Millisecond, limit), reads: make(map[string][]time.Time)}
	for i := range streams {
		s := c.archive.Capabilities().Streams[0]
		s.Name = fmt.Sprintf("papers%d", i)
		c.streams = append(c.streams, s)
	}
	return c
}

func (c *shelves) Capabilities() providers.Capabilities {
	all := c.archive.Capabilities()
	all.Streams = c.streams
	return all
}

func (c *shelves) Fetch(ctx context.Context, cred providers.Credential, q providers.Query) (providers.Page, error) {
	page, err := c.archive.Fetch(ctx, cred, q)
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		key := cred.Access.Reveal() + "/" + q.Stream
		c.reads[key] = append(c.reads[key], time.Now())
	}
	return page, err
}

// TestCrowdedLimitServesEverybody: a limit of the whole application allows less
// than all connections ask for. Each is read all the same, in its turn.
func TestCrowdedLimitServesEverybody(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		var refusals atomic.Int64
		const people, streams, perMinute = 250, 4, 40
		c := newShelves(streams, providers.RateLimit{Requests: perMinute, Per: time.Minute, Scope: providers.LimitPerApp})
		engine, err := healthsync.New(healthsync.Config{
			Providers: []providers.Provider{c}, Store: store.NewMemory(), Sealer: newKeyring(t), History: -1,
			Hooks: healthsync.Hooks{RateLimited: func(context.Context, healthsync.RateLimitEvent) { refusals.Add(1) }},
		})
		require.NoError(t, err)
		w := &ward{engine: engine}
		for i := range people {
			name := fmt.Sprintf("p%02d", i)
			w.connectTo(t, c.Name(), name, name)
		}
		stop := running(t, engine)
		time.Sleep(5 * time.Hour)
		stop()
		require.Zero(t, c.refused)
		require.LessOrEqual(t, most(c.calls[""], time.Minute), perMinute)
		require.Equal(t, people*streams, len(c.reads)) // Len would print them all
		total, longest := 0, time.Duration(0)
		for _, reads := range c.reads {
			total += len(reads)
			for i, at := range reads[1:] {
				longest = max(longest, at.Sub(reads[i]))
			}
			longest = max(longest, time.Since(reads[len(reads)-1]))
		}
		t.Logf("%d reads, %d refusals, longest %v", total, refusals.Load(), longest)
		// One round of all is 25 minutes long.
		require.Less(t, longest, time.Hour)
		require.Greater(t, total, 5*60*perMinute*95/100, "the limit is used")
		require.Less(t, refusals.Load(), int64(5*total), "nobody asks much more often than there is room")
	})
}
