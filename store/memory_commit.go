package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"

	"github.com/vitalmux/vitalmux/health"
)

// Commit implements [Store].
func (m *Memory) Commit(ctx context.Context, b Batch) (Result, error) {
	d, err := m.lock(ctx)
	if err != nil {
		return Result{}, err
	}
	defer d.mu.Unlock()
	if err := b.Validate(); err != nil {
		return Result{}, err
	}
	if d.belongsToOther(b.Connection, b.User) {
		return Result{}, invalid("connection of another user")
	}
	if d.isErased(b.User) {
		return Result{}, ErrErased
	}
	if b.Lease.Owner != "" && !d.holds(b.Lease, time.Now()) {
		return Result{}, ErrLeaseLost
	}
	h := d.history(b.Connection, b.User)
	for _, swap := range b.Cursors {
		if !sameCursor(h.cursor(swap.Old), swap.Old) {
			return Result{}, ErrConflict
		}
	}
	if b.Predecessor != "" {
		switch conn, ok := d.connections[b.Connection]; {
		case !ok:
			return Result{}, ErrNotFound
		case conn.Predecessor != "" && conn.Predecessor != b.Predecessor:
			return Result{}, ErrConflict
		}
	}
	// Nothing from here on can fail.
	c := commit{batch: &b, history: h, feed: d.feed(b.User), changed: map[string]bool{}}
	c.applyPages()
	c.applyAbsent()
	c.applyCopied()
	for _, swap := range b.Cursors {
		h.setCursor(swap.New)
	}
	for _, covered := range b.Covered {
		h.coverage[covered.Stream] = MergeWindows(h.coverage[covered.Stream], []health.Window{covered.Window})
	}
	for _, id := range b.Acks {
		delete(d.inbox[b.User], id)
	}
	for _, due := range b.Due {
		d.setDue(due)
	}
	if conn := d.connections[b.Connection]; b.Predecessor != "" && conn.Predecessor == "" {
		conn.Predecessor = b.Predecessor
		conn.Version++
		d.connections[conn.ID] = conn
		c.result.Relinked = true
		c.feed.append(Change{User: b.User, Connection: conn.ID, Key: b.Predecessor, Cause: CauseRelinked, At: stamp(b.Now)})
	}
	return c.result, nil
}

// commit is the application of one batch.
type commit struct {
	batch   *Batch
	history *history
	feed    *feed
	result  Result
	changed map[string]bool // streams in which a stored record changed
}

// version is the best version of a record in a batch.
type version struct {
	record   health.Record
	conflict bool
	pages    []int // that hold a version of it
}

func (c *commit) applyPages() {
	pages := c.batch.Pages
	skipped := make([]bool, len(pages))
	versions := map[recordKey]*version{}
	var order []recordKey
	for i := range pages {
		p := &pages[i]
		if stored, ok := c.history.digests[p.Stream][p.Key]; ok && p.Digest != 0 && stored == p.Digest {
			skipped[i] = true
			c.result.SkippedPages++
			continue
		}
		for j := range p.Records {
			r := &p.Records[j]
			key := recordKey{r.Kind, r.Key}
			v, ok := versions[key]
			if !ok {
				v = &version{record: *r}
				v.record.Rev.Fingerprint = r.Fingerprint()
				versions[key] = v
				order = append(order, key)
			} else {
				merged, _, conflict := health.Merge(&v.record, r)
				v.record, v.conflict = merged, v.conflict || conflict
			}
			v.pages = append(v.pages, i)
		}
	}

	written, lost := make([]bool, len(pages)), make([]bool, len(pages))
	for _, key := range order {
		v := versions[key]
		wrote, older := c.applyRecord(key, v)
		for _, i := range v.pages {
			written[i] = written[i] || wrote
			lost[i] = lost[i] || older
		}
	}

	for stream := range c.changed {
		delete(c.history.digests, stream)
	}
	for i := range pages {
		p := &pages[i]
		if skipped[i] {
			continue
		}
		if p.Digest != 0 && !lost[i] {
			if c.history.digests[p.Stream] == nil {
				c.history.digests[p.Stream] = map[string]uint64{}
			}
			c.history.digests[p.Stream][p.Key] = p.Digest
		}
		if written[i] && p.Raw != nil {
			c.history.keepRaw(p)
		}
		for _, q := range p.Quarantined {
			c.history.setAside(q, c.batch.Connection, p.Stream, c.batch.Now)
		}
	}
}

// applyRecord merges v into the stored record and reports whether that was
// written, and whether v is older than it and has other content.
func (c *commit) applyRecord(key recordKey, v *version) (wrote, lost bool) {
	next := &v.record
	old, ok := c.history.records[key]
	if !ok {
		if v.conflict {
			c.conflict(next)
		}
		if next.State == health.StateDeleted {
			c.result.Deleted++
		} else {
			c.result.Inserted++
		}
		c.write(key, nil, *next, true)
		return true, false
	}
	merged, verdict, conflict := health.Merge(&old, next)
	if conflict || v.conflict {
		c.conflict(next)
	}
	nextWon := merged.Rev == next.Rev && merged.Rev != old.Rev
	same := old.Rev.Fingerprint == next.Rev.Fingerprint
	lost = !nextWon && !same && !conflict
	switch {
	case verdict == health.Replace && merged.State == health.StateDeleted:
		c.result.Deleted++
	case verdict == health.Replace:
		c.result.Revised++
	case nextWon || same:
		c.result.Unchanged++
	default:
		c.result.Stale++
	}
	switch verdict {
	case health.Replace:
		c.write(key, &old, merged, nextWon)
	case health.Touch:
		c.history.records[key] = describedRecord(merged)
	default:
		return false, lost
	}
	return true, lost
}

// write stores a record that readers see changed. The points of its series are
// taken over if they are fresh: of the version in the batch, not of the stored
// one.
func (c *commit) write(key recordKey, old *health.Record, r health.Record, fresh bool) {
	switch {
	case r.State == health.StateDeleted && old != nil:
		c.history.removeSamples(old)
	case r.State == health.StateLive && fresh:
		if old != nil && r.Kind != health.KindSamples {
			c.history.shedSamples(&r)
		}
		if old != nil {
			for _, s := range LeftBehind(old, &r) {
				c.history.putPoints(keyOf(old, &s), s)
			}
		}
		c.history.putSamples(&r)
	}
	day := r.Span.Day
	if day.IsZero() && old != nil && r.State == health.StateDeleted {
		day = old.Span.Day
	}
	cause := c.batch.Cause
	switch {
	case r.State == health.StateDeleted:
		cause = CauseDeletion
	case old != nil && (cause == CauseLive || cause == CauseBackfill):
		cause = CauseRevision
	}
	c.history.records[key] = describedRecord(r)
	if old != nil {
		c.changed[r.Stream()] = true
	}
	c.feed.append(Change{
		User: c.batch.User, Connection: c.batch.Connection, Kind: r.Kind, Key: r.Key, Day: day,
		Cause: cause, State: r.State, At: stamp(c.batch.Now),
	})
}

func (c *commit) conflict(r *health.Record) {
	c.result.Conflicts = append(c.result.Conflicts,
		Conflict{Kind: r.Kind, Key: r.Key, Day: r.Span.Day, Start: r.Span.Start})
}

func (c *commit) applyAbsent() {
	for i := range c.batch.Absent {
		a := &c.batch.Absent[i]
		present := c.batch.Present(a)
		var gone []recordKey
		for key, r := range c.history.records {
			if r.State == health.StateLive && !present[string(key.kind)+"/"+key.key] && a.Includes(&r) {
				gone = append(gone, key)
			}
		}
		slices.SortFunc(gone, compareRecordKeys)
		for _, key := range gone {
			old := c.history.records[key]
			c.write(key, &old, a.Tombstone(&old), false)
			c.result.Deleted++
		}
		if len(gone) > 0 {
			delete(c.history.digests, a.Stream)
		}
	}
}

func (c *commit) applyCopied() {
	if c.batch.Copied == nil {
		return
	}
	for _, run := range c.batch.Copied.Samples {
		c.history.putPoints(sampleKey{owner: run.Owner, floating: run.Series.Floating}, run.Series)
	}
	for i := range c.batch.Copied.Raw {
		raw := &c.batch.Copied.Raw[i]
		c.history.keepRaw(&Page{Stream: raw.Stream, Raw: raw})
	}
	for _, q := range c.batch.Copied.Quarantined {
		c.history.setAside(q, c.batch.Connection, q.Stream, q.At)
	}
}

func sameCursor(a, b Cursor) bool {
	if a.HighWater != b.HighWater || (a.Walk == nil) != (b.Walk == nil) {
		return false
	}
	if a.Walk == nil {
		return true
	}
	x, y := *a.Walk, *b.Walk
	x.StartedAt, y.StartedAt = stamp(x.StartedAt), stamp(y.StartedAt)
	return x == y
}

// cursor returns the stored cursor of the names of c.
func (h *history) cursor(c Cursor) Cursor {
	if stored, ok := h.cursors[cursorKey{c.Stream, c.Lane}]; ok {
		return stored
	}
	return Cursor{Connection: c.Connection, Stream: c.Stream, Lane: c.Lane}
}

func (h *history) setCursor(c Cursor) {
	key := cursorKey{c.Stream, c.Lane}
	if c.HighWater == "" && c.Walk == nil {
		delete(h.cursors, key) // the zero position is that of no cursor
		return
	}
	h.cursors[key] = copyCursor(c)
}

func copyCursor(c Cursor) Cursor {
	if c.Walk != nil {
		walk := *c.Walk
		walk.StartedAt = stamp(walk.StartedAt)
		c.Walk = &walk
	}
	return c
}

type rawEntry struct {
	seq    int64
	digest [sha256.Size]byte
	page   health.RawPage
}

// keepRaw stores the raw page of p under the digest of its content. Content
// that is there already takes the later date, so that mapping it again orders
// it where it was last seen.
func (h *history) keepRaw(p *Page) {
	digest := rawDigest(p.Stream, p.Raw.Bodies)
	for i := range h.raw {
		if e := &h.raw[i]; e.digest == digest {
			if date := stamp(p.Raw.Date); date.After(e.page.Date) {
				e.page.Date, e.page.Zone = date, p.Raw.Zone
			}
			return
		}
	}
	h.rawNext++
	page := copyRawPage(*p.Raw)
	page.Stream = p.Stream
	h.raw = append(h.raw, rawEntry{seq: h.rawNext, digest: digest, page: page})
}

func rawDigest(stream string, bodies []health.RawBody) [sha256.Size]byte {
	sum := sha256.New()
	field := func(b []byte) {
		sum.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(b))))
		sum.Write(b)
	}
	field([]byte(stream))
	for _, body := range bodies {
		field([]byte(body.Name))
		field(body.Body)
	}
	return [sha256.Size]byte(sum.Sum(nil))
}

func copyRawPage(p health.RawPage) health.RawPage {
	p.Date = stamp(p.Date)
	p.Bodies = slices.Clone(p.Bodies)
	for i := range p.Bodies {
		p.Bodies[i].Body = bytes.Clone(p.Bodies[i].Body)
	}
	return p
}

// setAside adds q to the quarantine; the same datum for the same reason is
// there once, at its latest time.
func (h *history) setAside(q Quarantined, connection, stream string, now time.Time) {
	h.quarantine = slices.DeleteFunc(h.quarantine, func(old Quarantined) bool {
		return old.Stream == stream && old.Key == q.Key && old.Reason == q.Reason && bytes.Equal(old.Raw, q.Raw)
	})
	q.Connection, q.Stream, q.At, q.Raw = connection, stream, stamp(now), bytes.Clone(q.Raw)
	h.quarantine = append(h.quarantine, q)
}
