package store

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"maps"
	"slices"
	"time"

	"github.com/vitalmux/vitalmux/health"
)

// PutConnection implements [Connections].
func (m *Memory) PutConnection(ctx context.Context, c Connection) (Connection, error) {
	d, err := m.lock(ctx)
	if err != nil {
		return Connection{}, err
	}
	defer d.mu.Unlock()
	if err := c.Validate(); err != nil {
		return Connection{}, err
	}
	if d.isErased(c.User) {
		return Connection{}, ErrErased
	}
	old, ok := d.connections[c.ID]
	if d.belongsToOther(c.ID, c.User) || ok && old.Provider != c.Provider {
		return Connection{}, invalid("user or provider of a connection changed")
	}
	if old.Version != c.Version {
		return Connection{}, ErrConflict
	}
	if c.UpstreamID != "" {
		for id, other := range d.connections {
			if id != c.ID && other.Provider == c.Provider && other.UpstreamID == c.UpstreamID {
				return Connection{}, ErrConflict
			}
		}
	}
	c = copyConnection(c)
	c.Version++
	d.connections[c.ID] = c
	return copyConnection(c), nil
}

// Connection implements [Connections].
func (m *Memory) Connection(ctx context.Context, id string) (Connection, error) {
	d, err := m.lock(ctx)
	if err != nil {
		return Connection{}, err
	}
	defer d.mu.Unlock()
	c, ok := d.connections[id]
	if !ok {
		return Connection{}, ErrNotFound
	}
	return copyConnection(c), nil
}

// Connections implements [Connections].
func (m *Memory) Connections(ctx context.Context, q ConnectionQuery) ([]Connection, error) {
	d, err := m.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	if q.Coverage && q.User == "" {
		return nil, invalid("coverage of the connections of everybody")
	}
	var list []Connection
	for _, c := range d.connections {
		if (q.User == "" || c.User == q.User) && (q.Provider == "" || c.Provider == q.Provider) &&
			(q.UpstreamID == "" || c.UpstreamID == q.UpstreamID) && (q.State == "" || c.State == q.State) &&
			c.ID > q.After {
			list = append(list, copyConnection(c))
		}
	}
	slices.SortFunc(list, func(a, b Connection) int { return cmp.Compare(a.ID, b.ID) })
	list = firstN(list, pageLimit(q.Limit, 1000))
	for i := range list {
		if h := d.histories[list[i].ID]; q.Coverage && h != nil && len(h.coverage) > 0 {
			list[i].Coverage = make(map[string][]health.Window, len(h.coverage))
			for stream, windows := range h.coverage {
				list[i].Coverage[stream] = slices.Clone(windows)
			}
		}
	}
	return list, nil
}

// DeleteConnection implements [Connections].
func (m *Memory) DeleteConnection(ctx context.Context, id string, data bool) error {
	d, err := m.lock(ctx)
	if err != nil {
		return err
	}
	defer d.mu.Unlock()
	d.removeConnection(id)
	if data {
		delete(d.histories, id)
	}
	return nil
}

// removeConnection removes the connection and how it was synced, and leaves
// its data.
func (d *memoryData) removeConnection(id string) {
	delete(d.connections, id)
	delete(d.credentials, id)
	for k := range d.leases {
		if k.connection == id {
			delete(d.leases, k)
		}
	}
	for k := range d.due {
		if k.connection == id {
			delete(d.due, k)
		}
	}
	for _, items := range d.inbox {
		maps.DeleteFunc(items, func(_ string, item InboxItem) bool { return item.Connection == id })
	}
	if h, ok := d.histories[id]; ok {
		clear(h.cursors)
	}
}

func copyConnection(c Connection) Connection {
	c.Scopes = slices.Clone(c.Scopes)
	c.CreatedAt = stamp(c.CreatedAt)
	c.Coverage = nil
	return c
}

// Credential implements [Credentials].
func (m *Memory) Credential(ctx context.Context, connection string) (Credential, error) {
	d, err := m.lock(ctx)
	if err != nil {
		return Credential{}, err
	}
	defer d.mu.Unlock()
	c, ok := d.credentials[connection]
	if !ok {
		return Credential{}, ErrNotFound
	}
	return copyCredential(c), nil
}

// PutGrant implements [Credentials].
func (m *Memory) PutGrant(ctx context.Context, replaces string, c Credential) error {
	d, err := m.lock(ctx)
	if err != nil {
		return err
	}
	defer d.mu.Unlock()
	if c.Connection == "" || c.Grant == "" {
		return invalid("credential without connection or grant")
	}
	if _, ok := d.connections[c.Connection]; !ok {
		return ErrNotFound
	}
	if d.credentials[c.Connection].Grant != replaces {
		return ErrConflict
	}
	d.putCredential(c)
	return nil
}

// SwapCredential implements [Credentials].
func (m *Memory) SwapCredential(ctx context.Context, grant, consumed string, c Credential) error {
	d, err := m.lock(ctx)
	if err != nil {
		return err
	}
	defer d.mu.Unlock()
	if c.Connection == "" || grant == "" || c.Grant != grant {
		return invalid("credential of another grant")
	}
	old, ok := d.credentials[c.Connection]
	if !ok || old.Grant != grant || old.RefreshPrint != consumed {
		return ErrConflict
	}
	d.putCredential(c)
	return nil
}

// UpdateCredential implements [Credentials].
func (m *Memory) UpdateCredential(ctx context.Context, c Credential) error {
	d, err := m.lock(ctx)
	if err != nil {
		return err
	}
	defer d.mu.Unlock()
	if c.Connection == "" || c.Grant == "" {
		return invalid("credential without connection or grant")
	}
	old, ok := d.credentials[c.Connection]
	if !ok || old.Grant != c.Grant || old.Revision != c.Revision {
		return ErrConflict
	}
	d.putCredential(c)
	return nil
}

// putCredential stores c under a revision that no credential had before.
func (d *memoryData) putCredential(c Credential) {
	d.revision++
	c = copyCredential(c)
	c.Revision = d.revision
	d.credentials[c.Connection] = c
}

// BeginAttempt implements [Credentials].
func (m *Memory) BeginAttempt(ctx context.Context, l Lease, grant string, a Attempt) error {
	d, err := m.lock(ctx)
	if err != nil {
		return err
	}
	defer d.mu.Unlock()
	if !d.holds(l, time.Now()) {
		return ErrLeaseLost
	}
	c, ok := d.credentials[l.Connection]
	if !ok || c.Grant != grant || c.RefreshPrint != a.RefreshPrint {
		return ErrConflict
	}
	c.Attempt = &a
	d.putCredential(c)
	return nil
}

func copyCredential(c Credential) Credential {
	c.Sealed = bytes.Clone(c.Sealed)
	c.Previous = bytes.Clone(c.Previous)
	c.Siblings = slices.Clone(c.Siblings)
	for i := range c.Siblings {
		c.Siblings[i].Sealed = bytes.Clone(c.Siblings[i].Sealed)
	}
	c.Attempt = copyAttempt(c.Attempt)
	c.ExpiresAt, c.NextAt = stamp(c.ExpiresAt), stamp(c.NextAt)
	c.FailingSince, c.RefusedAt = stamp(c.FailingSince), stamp(c.RefusedAt)
	return c
}

func copyAttempt(a *Attempt) *Attempt {
	if a == nil {
		return nil
	}
	c := *a
	c.StartedAt, c.Deadline = stamp(c.StartedAt), stamp(c.Deadline)
	return &c
}

// Acquire implements [Leases].
func (m *Memory) Acquire(ctx context.Context, connection, name string, ttl time.Duration) (Lease, error) {
	d, err := m.lock(ctx)
	if err != nil {
		return Lease{}, err
	}
	defer d.mu.Unlock()
	if connection == "" || name == "" || ttl <= 0 {
		return Lease{}, invalid("lease")
	}
	now := time.Now()
	key := leaseKey{connection, name}
	if held, ok := d.leases[key]; ok && now.Before(held.Until) {
		return Lease{}, ErrLeaseHeld
	}
	var owner [16]byte
	rand.Read(owner[:]) // never fails: see crypto/rand
	d.fence++
	l := Lease{
		Connection: connection, Name: name, Owner: hex.EncodeToString(owner[:]),
		Fence: d.fence, Until: stamp(now.Add(ttl)),
	}
	d.leases[key] = l
	return l, nil
}

// Renew implements [Leases].
func (m *Memory) Renew(ctx context.Context, l Lease, ttl time.Duration) (Lease, error) {
	d, err := m.lock(ctx)
	if err != nil {
		return Lease{}, err
	}
	defer d.mu.Unlock()
	if ttl <= 0 {
		return Lease{}, invalid("lease")
	}
	now := time.Now()
	if !d.holds(l, now) {
		return Lease{}, ErrLeaseLost
	}
	key := leaseKey{l.Connection, l.Name}
	held := d.leases[key]
	held.Until = stamp(now.Add(ttl))
	d.leases[key] = held
	return held, nil
}

// Release implements [Leases].
func (m *Memory) Release(ctx context.Context, l Lease) error {
	d, err := m.lock(ctx)
	if err != nil {
		return err
	}
	defer d.mu.Unlock()
	key := leaseKey{l.Connection, l.Name}
	if held, ok := d.leases[key]; ok && held.Owner == l.Owner {
		delete(d.leases, key)
	}
	return nil
}

// holds reports whether l is held at now.
func (d *memoryData) holds(l Lease, now time.Time) bool {
	held, ok := d.leases[leaseKey{l.Connection, l.Name}]
	return ok && held.Owner == l.Owner && now.Before(held.Until)
}

// SetDue implements [Scheduler].
func (m *Memory) SetDue(ctx context.Context, due Due) error {
	d, err := m.lock(ctx)
	if err != nil {
		return err
	}
	defer d.mu.Unlock()
	if err := due.Validate(); err != nil {
		return err
	}
	d.setDue(due)
	return nil
}

func (d *memoryData) setDue(due Due) {
	key := dueKey{due.Connection, due.Task}
	if due.At.IsZero() {
		delete(d.due, key)
		return
	}
	d.due[key] = stamp(due.At)
}

// Due implements [Scheduler].
func (m *Memory) Due(ctx context.Context, task string, now time.Time, limit int) ([]Due, error) {
	d, err := m.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	var list []Due
	for k, at := range d.due {
		if !at.After(now) && (task == "" || task == k.task) {
			list = append(list, Due{Connection: k.connection, Task: k.task, At: at})
		}
	}
	slices.SortFunc(list, func(a, b Due) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Connection, b.Connection), cmp.Compare(a.Task, b.Task))
	})
	return firstN(list, pageLimit(limit, 100)), nil
}

// NextDue implements [Scheduler].
func (m *Memory) NextDue(ctx context.Context) (time.Time, bool, error) {
	d, err := m.lock(ctx)
	if err != nil {
		return time.Time{}, false, err
	}
	defer d.mu.Unlock()
	var next time.Time
	for _, at := range d.due {
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	return next, !next.IsZero(), nil
}
