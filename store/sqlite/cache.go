package sqlite

import (
	"sync"

	"github.com/vitalmux/vitalmux/health"
)

// cache holds what the file says about names, and counts the writes of this
// process, so that a commit planned on a reader's snapshot can be told from one
// that was overtaken.
//
// The writer alone fills it, after a transaction was committed, and drops it
// whole when another process wrote: see writer.observe. A plan made with names
// of an older epoch is made again. Names of a newer transaction than the
// reader's snapshot do no harm: the reader finds no rows under them.
type cache struct {
	mu       sync.RWMutex
	epoch    uint64            // rises when anything may have changed
	versions map[string]uint64 // by connection: rises with each write to it
	scopes   map[string]scope  // by connection
	streams  map[streamKey]int64
}

// maxCached bounds each map; a full one is dropped.
const maxCached = 1 << 16

// scope is a connection in numbers.
type scope struct {
	user         string
	person, link int64
}

type streamKey struct {
	link int64
	kind health.Kind
	name string
}

// stamp identifies a state of a connection's data.
type stamp struct{ epoch, version uint64 }

func newCache() *cache {
	c := &cache{}
	c.reset()
	return c
}

// reset starts a new epoch. The caller holds mu, or is the only user.
func (c *cache) reset() {
	c.epoch++
	c.versions = map[string]uint64{}
	c.scopes = map[string]scope{}
	c.streams = map[streamKey]int64{}
}

// drop starts a new epoch.
func (c *cache) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reset()
}

// stamp returns the state of the connection as of now. A plan takes it before
// it opens its snapshot.
func (c *cache) stamp(connection string) stamp {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return stamp{c.epoch, c.versions[connection]}
}

func (c *cache) scope(connection string) (scope, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	s, ok := c.scopes[connection]
	return s, ok
}

func (c *cache) stream(k streamKey) int64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.streams[k]
}

// learn takes over what a committed transaction made, and marks the
// connections it wrote to.
func (c *cache) learn(n *names, touched map[string]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.versions) > maxCached || len(c.scopes) > maxCached || len(c.streams) > maxCached {
		c.reset()
	}
	for connection := range touched {
		c.versions[connection]++
	}
	for connection, s := range n.scopes {
		c.scopes[connection] = s
	}
	for k, id := range n.streams {
		c.streams[k] = id
	}
}

// names are what one transaction looked up or made.
type names struct {
	scopes  map[string]scope
	streams map[streamKey]int64
}

func newNames() *names {
	return &names{scopes: map[string]scope{}, streams: map[streamKey]int64{}}
}
