package sync

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

// liveCourse reads what is new: the changes since the last mark where the
// service can tell them, else every window from the look-back on.
type liveCourse struct {
	stream providers.Stream
	zones  zones
	// over, to, from and seam are on the stream's timeline. What lies before
	// over is complete; windows end at to; from is the zero time until the
	// first one is planned. Seam is where the backfill ends, the zero time if
	// there is none.
	over, to, from, seam time.Time
	// earliest is what the first window must reach back to, the zero time if
	// it need not.
	earliest time.Time
	index    int
	// news names what the run answers to: a walk that another run began is
	// news enough only if it answered to the same, or if it is empty. begun is
	// set when this run has begun a walk.
	news     string
	hinted   bool // news names hints, and not a caller that waits
	begun    bool
	finished bool
}

// clockSkew is how far the provider's clock may be ahead of ours, and how long
// a first page may have to wait: the window that is read together with a mark
// reaches that far beyond now, because what is in neither is never read.
const clockSkew = 6 * time.Hour

func (s *session) live(ctx context.Context, stream providers.Stream, now time.Time) (*liveCourse, error) {
	to := now
	if stream.Changes {
		to = now.Add(clockSkew)
	}
	zones, err := s.zones(ctx, stream)
	if err != nil {
		return nil, err
	}
	c := &liveCourse{stream: stream, zones: zones}
	if !s.background {
		c.news = randomID() // whoever waits wants what there is from now on
	}
	c.over = complete(stream, now, zones.now)
	_, c.to = zones.timeline(stream, now, to)
	cur, err := s.cfg.Store.Cursor(ctx, s.conn.ID, stream.Name, store.LaneBackfill)
	if err != nil {
		return nil, err
	}
	if pos, err := decodePosition(cur.HighWater); err == nil && pos.Plan != nil {
		c.seam = pos.Plan.Until
	}
	return c, nil
}

func (c *liveCourse) next(pos position) (walkQuery, bool) {
	q := walkQuery{Version: walkQueryVersion, Zone: zoneName(c.zones.now), Index: c.index, News: c.news}
	if c.finished {
		return q, false
	}
	c.begun = true
	if c.stream.Grain == providers.GrainNone {
		return q, true
	}
	if c.stream.Changes && pos.Mark != "" {
		q.Mark = pos.Mark
		return q, true
	}
	if c.from.IsZero() {
		c.from = c.begin(pos)
	}
	w, _ := forward(narrowed(c.stream, pos.Reach), c.from, c.to)
	if c.stream.Grain == providers.GrainDay {
		zone, _, last := c.zones.of(w.First)
		if q.Zone = zoneName(zone); !last.IsZero() && last.Compare(w.Last) < 0 {
			w.Last = last
		}
		q.Begins = c.zones.begins(w.First)
	}
	q.From, q.To, q.First, q.Last = w.From, w.To, w.First, w.Last
	return q, true
}

// reach has the run read a period of instants, besides what it reads anyway. A
// stream with a mark tells all changes, whenever they were.
func (c *liveCourse) reach(w health.Window) {
	if w.IsZero() || c.stream.Grain == providers.GrainNone {
		return
	}
	from, to := c.zones.timeline(c.stream, w.From, w.To)
	c.earliest = from
	if to.After(c.to) {
		c.to = to
	}
}

// begin returns where the first window begins: the look-back before what is
// known, by this lane or else by the backfill.
func (c *liveCourse) begin(pos position) time.Time {
	known := c.over
	switch {
	case !pos.Through.IsZero():
		known = minTime(known, pos.Through)
	case !c.seam.IsZero():
		known = minTime(known, c.seam)
	}
	from := known.Add(-max(c.stream.Lookback, day))
	if !c.earliest.IsZero() {
		from = minTime(from, c.earliest)
	}
	if c.stream.Grain == providers.GrainDay {
		from = from.Truncate(day)
	}
	return from
}

func (c *liveCourse) completed(pos position, q walkQuery, date time.Time, candidate string) position {
	c.index++
	last := true
	if c.stream.Grain == providers.GrainDay {
		pos.Zone, pos.Stays = zoneName(c.zones.now), c.zones.stays
	}
	if c.stream.Grain != providers.GrainNone {
		end := minTime(complete(c.stream, date, q.zone()), c.to)
		if q.Mark != "" {
			if candidate != "" {
				pos.Mark = candidate
			}
		} else {
			reached := windowEnd(q)
			end, last = minTime(end, reached), !reached.Before(c.to)
			if c.stream.Changes {
				pos.First = cmp.Or(pos.First, candidate)
				if last {
					pos.Mark, pos.First = pos.First, ""
				}
			}
			c.from = reached
		}
		if end.After(pos.Through) {
			pos.Through = end
		}
	}
	fresh := c.begun || c.news == "" || c.news == q.News
	if !fresh {
		c.from = time.Time{}
	}
	if last {
		pos.Reach = 0
	}
	c.finished = last && fresh
	if c.finished && c.hinted {
		pos.News, pos.NewsAt = c.news, now().UTC()
	}
	return pos
}

// planCourse reads the windows of the position's plan, newest first.
type planCourse struct {
	stream providers.Stream
	zones  zones
}

func (c planCourse) next(pos position) (walkQuery, bool) {
	if pos.Plan == nil || pos.Plan.done() {
		return walkQuery{}, false
	}
	stream := narrowed(c.stream, pos.Reach)
	w, _ := backward(stream, pos.Plan.Since, pos.Plan.Next)
	zone, begins := c.zones.now, time.Time{}
	if c.stream.Grain == providers.GrainDay {
		var first health.Day
		if zone, first, _ = c.zones.of(w.Last); first.Compare(w.First) > 0 {
			w.First = first
		}
		begins = c.zones.begins(w.First)
	}
	return walkQuery{
		Version: walkQueryVersion, From: w.From, To: w.To, First: w.First, Last: w.Last, Zone: zoneName(zone), Begins: begins,
		Index: windows(stream, pos.Plan.Next, pos.Plan.Until),
	}, true
}

// completed moves the plan on. A window that does not reach up to what is still
// to be read is of another plan: it leaves a gap, and so does not count.
func (c planCourse) completed(pos position, q walkQuery, _ time.Time, _ string) position {
	if pos.Plan == nil || windowEnd(q).Before(pos.Plan.Next) {
		return pos
	}
	moved := *pos.Plan
	moved.Next = minTime(moved.Next, windowStart(q))
	pos.Plan = &moved
	return pos
}

// windowStart and windowEnd return the bounds of a walk's window on the
// stream's timeline.
func windowStart(q walkQuery) time.Time {
	if !q.First.IsZero() {
		return midnight(q.First)
	}
	return q.From
}

func windowEnd(q walkQuery) time.Time {
	if !q.Last.IsZero() {
		return midnight(q.Last.Add(1))
	}
	return q.To
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// each runs work for every one of the streams; a failure of one stream does not keep the
// others from being read, unless it would be the same for all of them: it has
// then stopped, and the stream's report says why. A stream that has to wait for
// room for a page of many requests does not keep those with smaller pages waiting.
func (s *session) each(ctx context.Context, streams []providers.Stream, work func(providers.Stream) error) (stopped bool, err error) {
	limited := 0 // how many requests were too many
	for _, stream := range streams {
		calls := max(1, stream.CallsPerPage)
		if limited > 0 && calls >= limited {
			continue
		}
		err := work(stream)
		if err == nil {
			continue
		}
		if _, waiting := errors.AsType[*waitError](err); waiting && ctx.Err() == nil {
			limited = calls
			continue
		}
		if ctx.Err() != nil || errors.Is(err, errYield) || errors.Is(err, store.ErrLeaseLost) ||
			errors.Is(err, providers.ErrReauth) || errors.Is(err, providers.ErrRetired) || errors.Is(err, store.ErrErased) {
			if errors.Is(err, errYield) {
				return true, err
			}
			return true, nil
		}
	}
	return limited > 0, nil
}

// syncAll brings every stream up to date.
func (s *session) syncAll(ctx context.Context) error {
	if err := s.workItems(ctx); err != nil {
		return err
	}
	streams, err := s.byAge(ctx)
	if err != nil {
		return err
	}
	stopped, err := s.each(ctx, streams, func(stream providers.Stream) error { return s.syncStream(ctx, stream) })
	if err != nil {
		return err
	}
	if _, waiting := errors.AsType[*waitError](s.report.Err()); stopped && !waiting {
		return nil
	}
	return s.placeAll(ctx)
}

// syncStream brings a stream up to date, in the background only if it is due.
func (s *session) syncStream(ctx context.Context, stream providers.Stream) error {
	now := now()
	if s.background {
		due, err := s.streamDue(ctx, stream, now)
		if err != nil || !due {
			return err
		}
	}
	course, err := s.live(ctx, stream, now)
	if err != nil {
		return err
	}
	skipped, err := s.runLane(ctx, stream, store.LaneLive, course)
	if err != nil && !errors.Is(err, errPending) || skipped {
		return err
	}
	return s.reconcile(ctx, stream, now)
}

// byAge returns the streams, those first that were not read for the longest
// time: where one turn asks for more than a limit allows, the next one goes on
// with those that this one did not come to.
func (s *session) byAge(ctx context.Context) ([]providers.Stream, error) {
	cursors, err := s.cfg.Store.Cursors(ctx, s.conn.ID)
	if err != nil {
		return nil, err
	}
	checked := make(map[string]time.Time)
	for _, cur := range cursors {
		if pos, err := decodePosition(cur.HighWater); err == nil && cur.Lane == store.LaneLive {
			checked[cur.Stream] = pos.Checked
		}
	}
	streams := slices.Clone(s.caps.Streams)
	slices.SortStableFunc(streams, func(a, b providers.Stream) int { return checked[a.Name].Compare(checked[b.Name]) })
	return streams, nil
}

// streamDue reports whether a stream's own interval has passed.
func (s *session) streamDue(ctx context.Context, stream providers.Stream, now time.Time) (bool, error) {
	cur, err := s.cfg.Store.Cursor(ctx, s.conn.ID, stream.Name, store.LaneLive)
	if err != nil {
		return false, err
	}
	pos, err := decodePosition(cur.HighWater)
	if err != nil || cur.Walk != nil || pos.Checked.IsZero() {
		return true, nil
	}
	interval := stream.Interval
	if interval <= 0 {
		interval = s.cfg.Interval
	}
	// Due times are spread by a tenth either way: a stream that is nearly
	// due is read with the others. A clock that was ahead once holds nothing up.
	return now.Sub(pos.Checked) >= interval*8/10 || pos.Checked.After(now), nil
}

// reconcile reads a stretch of the past again: on streams that tell only
// changes, the look-back each time, because they do not tell what was deleted;
// in the background a longer stretch once a day; and always the days whose
// versions contradicted each other.
func (s *session) reconcile(ctx context.Context, stream providers.Stream, now time.Time) error {
	if stream.Grain == providers.GrainNone {
		return nil
	}
	zones, err := s.zones(ctx, stream)
	if err != nil {
		return err
	}
	cur, err := s.cfg.Store.Cursor(ctx, s.conn.ID, stream.Name, store.LaneReconcile)
	if err != nil {
		return err
	}
	pos, err := decodePosition(cur.HighWater)
	if err != nil {
		pos = position{Version: positionVersion}
	}
	since, until := s.conflicts(stream, now)
	if since.Before(until) {
		pos.disagree(since, until)
	}
	if stream.Changes && stream.AbsenceDeletes && stream.Lookback > 0 {
		since, until = minTime(since, now.Add(-stream.Lookback)), now
	}
	reconciled := pos.Through
	unset := s.background && reconciled.IsZero()
	if s.background && s.cfg.ReconcileEvery > 0 && (now.Sub(pos.Through) >= s.cfg.ReconcileEvery || pos.Through.After(now)) {
		if !unset { // what is read for the first time need not be read twice
			since, until = minTime(since, now.Add(-s.cfg.ReconcileWindow)), now
		}
		pos.Through = now.UTC()
	}
	planning := cur.Walk == nil && (pos.Plan == nil || pos.Plan.done())
	if planning && !pos.AgainTo.IsZero() {
		since, until = minTime(since, pos.AgainFrom), maxTime(until, pos.AgainTo)
		pos.AgainFrom, pos.AgainTo = time.Time{}, time.Time{}
	}
	switch {
	case planning && since.Before(until):
		from, to := zones.timeline(stream, since, until)
		pos.Plan, pos.Reach = &plan{Since: from, Until: to, Next: to, Started: now.UTC()}, 0
		err = s.setPosition(ctx, cur, pos)
	case planning && unset && !pos.Through.IsZero():
		return s.setPosition(ctx, cur, pos)
	case planning:
		return nil
	case !pos.AgainTo.IsZero():
		// A plan is under way; what disagreed meanwhile is read after it.
		pos.Through = reconciled
		err = s.setPosition(ctx, cur, pos)
	}
	if err != nil {
		return err
	}
	_, err = s.runLane(ctx, stream, store.LaneReconcile, planCourse{stream, zones})
	if errors.Is(err, errPending) {
		return nil // the plan goes on when the deliveries are in
	}
	return err
}

// conflicts returns the period, with a day to spare at both ends, of the records
// of the stream whose versions tied in this session; an empty one at now if
// none did.
func (s *session) conflicts(stream providers.Stream, now time.Time) (since, until time.Time) {
	since, until = now, now
	first := true
	for _, rep := range s.report.Streams {
		if rep.Stream != stream.Name || rep.Lane == store.LaneReconcile {
			continue
		}
		for _, c := range rep.Result.Conflicts {
			at := time.UnixMilli(c.Start.SortMilli())
			if !c.Day.IsZero() {
				at = midnight(c.Day)
			} else if c.Start.IsZero() {
				continue
			}
			if first || at.Add(2*day).After(until) {
				until = at.Add(2 * day)
			}
			since, first = minTime(since, at.Add(-day)), false
		}
	}
	return since, minTime(until, now)
}

// standing is where a lane of a stream stands.
type standing struct {
	pos position
	// left is set when a walk or a plan is under way, walking when it is a
	// walk; news is what that answers to.
	left, walking bool
	news          string
}

func (s *session) standing(ctx context.Context, stream providers.Stream, lane store.Lane) (standing, error) {
	cur, err := s.cfg.Store.Cursor(ctx, s.conn.ID, stream.Name, lane)
	if err != nil {
		return standing{}, err
	}
	st := standing{walking: cur.Walk != nil, left: cur.Walk != nil}
	if pos, err := decodePosition(cur.HighWater); err == nil { // else it is read anew
		st.pos = pos
		st.left = st.left || pos.Plan != nil && !pos.Plan.done()
	}
	if cur.Walk != nil {
		if q, err := decodeWalkQuery(cur.Walk.Query); err == nil {
			st.news = q.News
		}
	}
	return st, nil
}

// setPosition stores a lane's position without reading anything.
func (s *session) setPosition(ctx context.Context, cur store.Cursor, pos position) error {
	next := cur
	next.HighWater = pos.encode()
	return s.moveCursor(ctx, cur, next)
}

// moveCursor commits nothing but a cursor.
func (s *session) moveCursor(ctx context.Context, old, next store.Cursor) error {
	_, err := s.cfg.Store.Commit(ctx, store.Batch{
		User: s.conn.User, Connection: s.conn.ID, Lease: s.lease, Now: now(),
		Cursors: []store.CursorSwap{{Old: old, New: next}},
	})
	return err
}

// earliest is the time before which no record is plausible: see
// [health.Record.Validate].
var earliest = time.Date(1990, time.January, 1, 0, 0, 0, 0, time.UTC)

// planBackfill makes the plan of every stream's backfill reach back to since.
// What an earlier plan has read is not read again.
func (s *session) planBackfill(ctx context.Context, since time.Time) error {
	now := now()
	if s.caps.MaxHistory > 0 && now.Sub(since) > s.caps.MaxHistory {
		since = now.Add(-s.caps.MaxHistory)
	}
	if since.Before(earliest) {
		since = earliest
	}
	if !since.Before(now) {
		return nil
	}
	for _, stream := range s.caps.Streams {
		if stream.Grain == providers.GrainNone || !s.permitted(stream) {
			continue
		}
		cur, err := s.cfg.Store.Cursor(ctx, s.conn.ID, stream.Name, store.LaneBackfill)
		if err != nil {
			return err
		}
		pos, err := decodePosition(cur.HighWater)
		if err != nil {
			pos = position{Version: positionVersion}
		}
		from, to := timeline(stream, since, now, s.zone())
		switch old := pos.Plan; {
		case old == nil:
			pos.Plan = &plan{Since: from, Until: to, Next: to, Started: now.UTC()}
		case from.Before(old.Since):
			extended := *old
			if old.done() {
				extended.Until, extended.Next, extended.Started = old.Since, old.Since, now.UTC()
			}
			extended.Since = from
			pos.Plan = &extended
		default:
			continue
		}
		if err := s.setPosition(ctx, cur, pos); err != nil {
			return err
		}
	}
	return nil
}

// backfill makes the plans of all streams reach back to since, and works them
// off.
func (s *session) backfill(ctx context.Context, since time.Time) error {
	if err := s.planBackfill(ctx, since); err != nil {
		return err
	}
	if stopped, err := s.readZone(ctx); stopped || err != nil {
		return err
	}
	stopped, err := s.each(ctx, s.caps.Streams, func(stream providers.Stream) error {
		if stream.Grain == providers.GrainNone {
			return nil
		}
		zones, err := s.zones(ctx, stream)
		if err != nil {
			return err
		}
		_, err = s.runLane(ctx, stream, store.LaneBackfill, planCourse{stream, zones})
		return err
	})
	if stopped || err != nil {
		return err
	}
	return s.placeAll(ctx)
}

// progress reads the plan of a position, which has one.
func progress(s providers.Stream, pos position, now time.Time) Progress {
	p := *pos.Plan
	s = narrowed(s, pos.Reach)
	out := Progress{Stream: s.Name, Total: windows(s, p.Since, p.Until)}
	left := windows(s, p.Since, minTime(p.Next, p.Until))
	out.Done = out.Total - left
	if out.Done > 0 && left > 0 && now.After(p.Started) {
		out.Remaining = now.Sub(p.Started) / time.Duration(out.Done) * time.Duration(left)
	}
	return out
}

// remap maps the stored raw answers again.
func (s *session) remap(ctx context.Context) error {
	remapper, ok := s.provider.(providers.Remapper)
	if !ok {
		return errors.ErrUnsupported
	}
	reports := make(map[string]*StreamReport)
	defer func() {
		for _, stream := range s.caps.Streams {
			if rep := reports[stream.Name]; rep != nil {
				s.report.Streams = append(s.report.Streams, *rep)
			}
		}
	}()
	return s.remapPages(ctx, store.RawQuery{Connection: s.conn.ID}, func(raw health.RawPage) error {
		rep := reports[raw.Stream]
		if rep == nil {
			rep = &StreamReport{Stream: raw.Stream, Lane: store.LaneReconcile}
			reports[raw.Stream] = rep
		}
		return s.remapPage(ctx, remapper, raw, rep)
	})
}

func (s *session) remapPage(ctx context.Context, remapper providers.Remapper, raw health.RawPage, rep *StreamReport) error {
	now := now()
	opened := raw
	opened.Bodies = slices.Clone(raw.Bodies)
	if err := s.rawOpener(s.conn.ID)(ctx, raw.Stream, bodies(&opened)...); err != nil {
		return err
	}
	if opened.Zone == "" && s.zone() != nil && !raw.Date.IsZero() {
		// It is known since. A store keeps what the later answer says.
		opened.Zone, raw.Zone, raw.Date = s.conn.Zone, s.conn.Zone, raw.Date.Add(time.Millisecond)
	}
	records, err := remapper.Remap(opened)
	if err != nil {
		return err
	}
	w := walker{session: s, stream: providers.Stream{Name: raw.Stream}}
	records, bad := w.accept(providers.Page{Records: records}, now)
	if records, err = s.standingRecords(ctx, records); err != nil {
		return err
	}
	rep.Pages++
	rep.Quarantined += len(bad)
	result, err := s.cfg.Store.Commit(ctx, store.Batch{
		User: s.conn.User, Connection: s.conn.ID, Lease: s.lease, Now: now, Cause: store.CauseRemap,
		Pages: []store.Page{{Stream: raw.Stream, Key: "remap", Records: records, Raw: &raw}},
	})
	add(&rep.Result, result)
	return err
}
