package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vitalmux/vitalmux/health"
)

// Memory is a [Store] that keeps everything in the memory of the process and
// nothing after it. It fulfils the whole contract except for outliving the
// process, which makes it the store for tests and for trying things out. One
// lock guards it, and a read of a page looks at all data of the user.
//
// Its clock is package time's, so leases expire in a testing/synctest bubble
// as the bubble's clock goes on. It starts no goroutines.
type Memory struct {
	data   *memoryData
	closed atomic.Bool
}

var _ Store = (*Memory)(nil)

// NewMemory returns an empty store.
func NewMemory() *Memory {
	data := &memoryData{
		erased:      map[[sha256.Size]byte]bool{},
		connections: map[string]Connection{},
		credentials: map[string]Credential{},
		leases:      map[leaseKey]Lease{},
		due:         map[dueKey]time.Time{},
		flows:       map[string]Flow{},
		deliveries:  map[string]Delivery{},
		jobs:        map[string]Job{},
		settings:    map[settingKey][]byte{},
		settled:     map[string]time.Time{},
		inbox:       map[string]map[string]InboxItem{},
		histories:   map[string]*history{},
		feeds:       map[string]*feed{},
		consumers:   map[string]map[string]int64{},
	}
	rand.Read(data.eraseKey[:]) // never fails: see crypto/rand
	return &Memory{data: data}
}

// Reopen returns a new handle on the same data, as a second process or a
// restarted one would get it. Handles are closed one by one; it works on a
// closed one, too.
func (m *Memory) Reopen() *Memory { return &Memory{data: m.data} }

// Close closes this handle.
func (m *Memory) Close() error {
	m.closed.Store(true)
	return nil
}

// memoryData is what all handles share.
type memoryData struct {
	mu sync.Mutex

	// eraseKey keys the digests of erased users, so that they cannot be
	// guessed from a dump of the digests alone.
	eraseKey [32]byte
	erased   map[[sha256.Size]byte]bool

	connections map[string]Connection
	credentials map[string]Credential // by connection
	revision    int64                 // of the credential that was written last
	leases      map[leaseKey]Lease
	fence       int64
	due         map[dueKey]time.Time

	flows      map[string]Flow
	deliveries map[string]Delivery
	settled    map[string]time.Time // ids of deliveries that were removed, and when
	jobs       map[string]Job

	settings map[settingKey][]byte

	inbox     map[string]map[string]InboxItem // by user and id
	histories map[string]*history             // by connection
	feeds     map[string]*feed                // by user
	consumers map[string]map[string]int64     // acknowledged sequence by consumer and user
}

type leaseKey struct{ connection, name string }

type dueKey struct{ connection, task string }

type settingKey struct{ user, name string }

// lock enters the store: it returns the data locked, or why the call must not
// go on.
func (m *Memory) lock(ctx context.Context) (*memoryData, error) {
	if m.closed.Load() {
		return nil, ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.data.mu.Lock()
	return m.data, nil
}

func (d *memoryData) eraseMark(user string) [sha256.Size]byte {
	return erasePrint(d.eraseKey[:], user)
}

func (d *memoryData) isErased(user string) bool { return d.erased[d.eraseMark(user)] }

// belongsToOther reports whether the connection id is in use for another user.
func (d *memoryData) belongsToOther(connection, user string) bool {
	if c, ok := d.connections[connection]; ok && c.User != user {
		return true
	}
	h, ok := d.histories[connection]
	return ok && h.user != user
}

// Erase implements [Store].
func (m *Memory) Erase(ctx context.Context, user string) (Erasure, error) {
	d, err := m.lock(ctx)
	if err != nil {
		return Erasure{}, err
	}
	defer d.mu.Unlock()
	if user == "" {
		return Erasure{}, invalid("user")
	}
	d.erased[d.eraseMark(user)] = true
	var e Erasure
	e.InboxItems = len(d.inbox[user])
	delete(d.inbox, user)
	// Expired leases were left by processes that died, perhaps for a connection
	// that was gone.
	now := time.Now()
	for key, l := range d.leases {
		if !now.Before(l.Until) {
			delete(d.leases, key)
		}
	}
	for id, c := range d.connections {
		if c.User == user {
			e.Deliveries += d.removeWaiting(c)
			d.removeConnection(id)
			e.Connections++
		}
	}
	for id, h := range d.histories {
		if h.user == user {
			e.Records += len(h.records)
			for _, s := range h.samples {
				e.SampleChunks += len(s.chunks)
			}
			e.RawPages += len(h.raw)
			d.removeConnection(id)
			delete(d.histories, id)
		}
	}
	if f, ok := d.feeds[user]; ok {
		e.Changes = len(f.changes)
		delete(d.feeds, user)
	}
	for _, positions := range d.consumers {
		delete(positions, user)
	}
	for key := range d.settings {
		if key.user == user {
			delete(d.settings, key)
			e.Settings++
		}
	}
	for id, f := range d.flows {
		if f.User == user {
			delete(d.flows, id)
		}
	}
	return e, nil
}

// history is the data of one connection. It outlives the connection unless it
// is deleted with it.
type history struct {
	user       string
	cursors    map[cursorKey]Cursor
	digests    map[string]map[string]uint64 // by stream and page key
	coverage   map[string][]health.Window   // by stream
	records    map[recordKey]health.Record
	samples    map[sampleKey]*sampleColumn
	raw        []rawEntry
	rawNext    int64
	quarantine []Quarantined // oldest first
}

type cursorKey struct {
	stream string
	lane   Lane
}

type recordKey struct {
	kind health.Kind
	key  string
}

func (d *memoryData) history(connection, user string) *history {
	h, ok := d.histories[connection]
	if !ok {
		h = &history{
			user:     user,
			cursors:  map[cursorKey]Cursor{},
			digests:  map[string]map[string]uint64{},
			coverage: map[string][]health.Window{},
			records:  map[recordKey]health.Record{},
			samples:  map[sampleKey]*sampleColumn{},
		}
		d.histories[connection] = h
	}
	return h
}

// pageLimit returns limit, or def for a limit that is not set.
func pageLimit(limit, def int) int {
	if limit <= 0 {
		return def
	}
	return limit
}

// firstN returns at most the first n elements of s.
func firstN[T any](s []T, n int) []T { return slices.Clip(s[:min(n, len(s))]) }
