package sync

import (
	"context"
	"errors"
	"math/bits"
	"slices"
	"time"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

// A service may take a request and send the data by deliveries. The walk then
// stays open in its cursor with the service's name for the request. Deliveries
// are worked on under the lease that the request was made under, so that they
// find the walk; each part is marked in the commit that has its records, and
// the one that makes them complete ends the walk.

const (
	// pendingFor is how long parts are waited for where the adapter does not
	// say so.
	pendingFor = day
	// pendingLook is how long hints wait for a walk that waits for parts.
	pendingLook = 10 * time.Minute
	// maxPendingText bounds the text of a walk's query without marks.
	maxPendingText = maxCursorText - (providers.MaxParts/8+2)/3*4 - 64
)

// errPending means that a lane waits for parts of an earlier request.
var errPending = errors.New("sync: the data comes by deliveries")

// pendingRequest is a request that is answered by deliveries.
type pendingRequest struct {
	Reference string    `json:"ref"`
	Asked     time.Time `json:"asked"`
	// Expected is how many parts there are; 0 is not known yet.
	Expected int `json:"expected,omitempty"`
	// Parts marks those that came: the bit with the number of each.
	Parts []byte `json:"parts,omitempty"`
}

func (p *pendingRequest) valid() bool {
	return p.Reference != "" && !p.Asked.IsZero() && p.Expected >= 0 && len(p.Parts) <= providers.MaxParts/8+1
}

// with returns the request with what a delivery says about it.
func (p *pendingRequest) with(n providers.Notification) *pendingRequest {
	next := *p
	if n.Expected <= providers.MaxParts {
		next.Expected = max(next.Expected, n.Expected)
	}
	if n.Part > 0 && n.Part <= providers.MaxParts {
		at := n.Part / 8
		next.Parts = append(slices.Clone(p.Parts), make([]byte, max(0, at+1-len(p.Parts)))...)
		next.Parts[at] |= 1 << (n.Part % 8)
	}
	return &next
}

// complete reports whether all parts came.
func (p *pendingRequest) complete() bool {
	came := 0
	for _, b := range p.Parts {
		came += bits.OnesCount8(b)
	}
	return p.Expected > 0 && came >= p.Expected
}

// pendingUntil returns when the walk does not wait for parts any more; false if
// it waits for none.
func (w *walker) pendingUntil() (time.Time, bool) {
	if w.query.Pending == nil {
		return time.Time{}, false
	}
	wait := w.caps.PendingFor
	if wait <= 0 {
		wait = pendingFor
	}
	return w.query.Pending.Asked.Add(wait), true
}

// waits reports whether the walk waits for parts. One that waited for too long
// is asked for again.
func (w *walker) waits(ctx context.Context, at time.Time) bool {
	until, pending := w.pendingUntil()
	if !pending {
		return false
	}
	if !at.Before(until) {
		w.cfg.Logger.WarnContext(ctx, "request asked again: parts of its answer are missing",
			"connection", w.conn.ID, "stream", w.stream.Name)
		w.query.Pending = nil
		return false
	}
	if w.session.pendingUntil.IsZero() || until.Before(w.session.pendingUntil) {
		w.session.pendingUntil = until
	}
	return true
}

// pend returns the walk as it waits for the parts of a request.
func (w *walker) pend(p providers.Pending, at time.Time) *store.Walk {
	w.query.Pending = &pendingRequest{Reference: p.Reference, Asked: at.UTC(), Expected: p.Expected}
	walk := w.walk
	walk.Query = w.query.encode()
	return &walk
}

// checkPending refuses a page whose request cannot be kept track of.
func (w *walker) checkPending(page providers.Page) error {
	p := page.Pending
	q := w.query
	q.Pending = &pendingRequest{Reference: p.Reference, Asked: now().UTC(), Expected: p.Expected}
	if p.Reference == "" || page.More || p.Expected < 0 || p.Expected > providers.MaxParts || len(q.encode()) > maxPendingText {
		return &providers.Error{
			Provider: w.conn.Provider, Op: "fetch " + w.stream.Name, Kind: providers.ErrMalformed, Code: codePending,
		}
	}
	return nil
}

// codePending is the code of an error about a page with an unusable Pending.
const codePending = "pending"

// arrival is what a delivery does to the walk that waits for it.
type arrival struct {
	lane     store.Lane
	stream   providers.Stream
	swap     store.CursorSwap
	covered  []store.Covered
	complete bool
	pos      position
}

// arrive finds the walk that waits for a delivery, and what becomes of it; nil
// if none does.
func (s *session) arrive(ctx context.Context, note providers.Notification, at time.Time) (*arrival, error) {
	if note.Reference == "" {
		return nil, nil
	}
	cursors, err := s.cfg.Store.Cursors(ctx, s.conn.ID)
	if err != nil {
		return nil, err
	}
	for _, cur := range cursors {
		stream, ok := s.caps.StreamNamed(cur.Stream)
		if !ok || cur.Walk == nil {
			continue
		}
		q, err := decodeWalkQuery(cur.Walk.Query)
		if err != nil || q.Pending == nil || q.Pending.Reference != note.Reference {
			continue
		}
		q.Pending = q.Pending.with(note)
		a := &arrival{lane: cur.Lane, stream: stream, swap: store.CursorSwap{Old: cur, New: cur}}
		walk := *cur.Walk
		if walk.Query = q.encode(); !q.Pending.complete() {
			a.swap.New.Walk = &walk
			return a, nil
		}
		return a, s.conclude(ctx, a, q, walk, at)
	}
	return nil, nil
}

// conclude ends a walk all parts of which are in.
func (s *session) conclude(ctx context.Context, a *arrival, q walkQuery, walk store.Walk, at time.Time) error {
	pos, err := decodePosition(a.swap.Old.HighWater)
	if err != nil {
		pos = position{Version: positionVersion}
	}
	w := walker{session: s, stream: a.stream, lane: a.lane, pos: pos, query: q, walk: walk, course: planCourse{stream: a.stream}}
	if a.lane == store.LaneLive {
		if w.course, err = s.live(ctx, a.stream, at); err != nil {
			return err
		}
	}
	date := walk.StartedAt
	if q.Date != 0 {
		date = time.UnixMilli(q.Date).UTC()
	}
	a.pos = w.course.completed(pos, q, date, walk.Candidate)
	a.swap.New.HighWater, a.swap.New.Walk, a.complete = a.pos.encode(), nil, true
	if window, ok := w.closed(w.coverable(a.pos), date); ok {
		a.covered = []store.Covered{{Stream: a.stream.Name, Window: window}}
	}
	return nil
}

// join has a batch move the walk.
func (a *arrival) join(b *store.Batch) {
	if a == nil {
		return
	}
	b.Cursors = []store.CursorSwap{a.swap}
	b.Covered = a.covered
	if a.lane != store.LaneBackfill {
		return
	}
	b.Cause = store.CauseBackfill
	if a.complete { // nobody else looks for what is left of the plan
		b.Due = []store.Due{{Connection: b.Connection, Task: taskBackfill, At: b.Now}}
	}
}

// arrived tells of a walk that was moved.
func (s *session) arrived(ctx context.Context, a *arrival) {
	if a == nil || !a.complete {
		return
	}
	s.report.Streams = append(s.report.Streams, StreamReport{Stream: a.stream.Name, Lane: a.lane, Windows: 1})
	if a.lane == store.LaneBackfill && a.pos.Plan != nil {
		call(ctx, s.Engine, s.cfg.Hooks.BackfillProgress, BackfillEvent{
			Connection: s.conn.ID, Provider: s.conn.Provider, Progress: progress(a.stream, a.pos, now()),
		})
	}
	s.poke()
}

// announced takes what a service says about a request: how many parts there
// are.
func (s *session) announced(ctx context.Context, item store.InboxItem, p part) error {
	if !p.Signed {
		return s.acknowledge(ctx, item)
	}
	at := now()
	a, err := s.arrive(ctx, p.Note, at)
	if err != nil {
		return err
	}
	batch := store.Batch{
		User: s.conn.User, Connection: s.conn.ID, Lease: s.lease, Now: at, Cause: store.CauseLive, Acks: []string{item.ID},
	}
	a.join(&batch)
	if _, err := s.cfg.Store.Commit(ctx, batch); err != nil {
		return err
	}
	s.arrived(ctx, a)
	call(ctx, s.Engine, s.cfg.Hooks.Delivered, DeliveryEvent{
		Provider: s.conn.Provider, Delivery: item.ID, Connection: s.conn.ID, Attempts: item.Attempts,
	})
	return nil
}
