package sqlite

import (
	"maps"
	"strings"
	"sync"

	"github.com/vitalmux/vitalmux/health"
)

// cache holds what the file says about names, and the latest samples, and counts
// the writes of this process, so that a commit planned on a reader's snapshot can
// be told from one that was overtaken.
//
// The writer fills it after a transaction was committed, and readers with what
// they had to look up. The writer drops it whole when another process wrote: see
// writer.observe. A plan made with names of an older epoch is made again. Names
// of a newer transaction than the reader's snapshot do no harm: the reader finds
// no rows under them. What else is newer is of a later version than the stamp of
// the plan, which is taken first: the plan is made again.
type cache struct {
	mu       sync.RWMutex
	epoch    uint64            // rises when anything may have changed
	versions map[string]uint64 // by connection: rises with each write to it
	scopes   map[string]scope  // by connection
	streams  map[streamKey]int64
	// tops are keys, by number of their stream: no key of a record in the
	// stream is greater. What comes behind it is new, without a look.
	tops map[int64]string
	// owners are those of the samples outside of sessions.
	owners map[ownerKey]*owned
	latest int              // bytes of their latest
	words  map[int64]*words // by link: all of its words
}

const (
	// maxCached bounds each map; a full one is dropped.
	maxCached = 1 << 16
	// maxLatest bounds the bytes of the latest chunks. Of more, any half is dropped.
	maxLatest = 16 << 20
)

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

type ownerKey struct {
	link int64
	seriesName
}

// clone returns k without the memory of the page that its texts may be cut from.
func (k ownerKey) clone() ownerKey {
	for _, text := range []*string{&k.stream, (*string)(&k.metric), (*string)(&k.part),
		&k.source.Provider, (*string)(&k.source.Path), &k.source.Upstream, &k.source.Device, &k.source.App} {
		*text = strings.Clone(*text)
	}
	return k
}

// owned is what the file says of the owner of a series.
type owned struct {
	series, id, width int64
	last              int64 // no chunk has a greater window
	// latest is chunk last, packed; nil if there is none, or it is not known. Most
	// pushes go there. It is not changed.
	latest []byte
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
	c.tops = map[int64]string{}
	c.owners, c.latest = map[ownerKey]*owned{}, 0
	c.words = map[int64]*words{}
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

func (c *cache) owner(k ownerKey) owned {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if o := c.owners[k]; o != nil {
		return *o
	}
	return owned{}
}

// wordsOf returns the words of a link, nil if they are not known.
func (c *cache) wordsOf(link int64) *words {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.words[link]
}

// top returns a key that no record of a stream comes behind.
func (c *cache) top(stream int64) (string, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	rid, ok := c.tops[stream]
	return rid, ok
}

// teach takes over what a reader found out about a connection on a snapshot that
// was opened after the stamp was taken, unless the connection was written to
// since. What a transaction did that is not learned yet, learn will add.
func (c *cache) teach(connection string, seen stamp, set func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bound(); seen == (stamp{c.epoch, c.versions[connection]}) {
		set()
	}
}

// bound starts a new epoch if a map is full. The caller holds mu.
func (c *cache) bound() {
	if max(len(c.versions), len(c.scopes), len(c.streams), len(c.tops), len(c.owners), len(c.words)) > maxCached {
		c.reset()
	}
}

// learn takes over what a committed transaction made, and marks the
// connections it wrote to.
func (c *cache) learn(t *tx) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bound()
	for stream, rid := range t.added {
		if top, ok := c.tops[stream]; ok && rid > top {
			c.tops[stream] = strings.Clone(rid)
		}
	}
	for connection := range t.touched {
		c.versions[connection]++
	}
	for connection, s := range t.names.scopes {
		c.scopes[connection] = s
	}
	for k, id := range t.names.streams {
		c.streams[k] = id
	}
	maps.Copy(c.words, t.words)
	for k, o := range t.owners {
		known := c.owners[k]
		if known == nil {
			known = &owned{}
			c.owners[k.clone()] = known
		}
		c.latest += len(o.latest) - len(known.latest)
		*known = o
	}
	if c.latest <= maxLatest {
		return
	}
	for _, o := range c.owners {
		if c.latest <= maxLatest/2 {
			return
		}
		c.latest -= len(o.latest)
		o.latest = nil
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
