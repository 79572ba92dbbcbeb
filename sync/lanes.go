package sync

import (
	"context"
	"errors"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

// liveCourse reads what is new: the changes since the last mark where the
// service can tell them, else every window from the look-back on.
type liveCourse struct {
	stream providers.Stream
	zone   *time.Location
	// from and to are on the stream's timeline; from is the zero time until
	// the first window is planned.
	from, to time.Time
	index    int
	finished bool
}

func (s *session) live(stream providers.Stream, now time.Time) *liveCourse {
	_, to := timeline(stream, now, now, s.zone())
	return &liveCourse{stream: stream, zone: s.zone(), to: to}
}

func (c *liveCourse) next(pos position) (walkQuery, bool) {
	q := walkQuery{Version: walkQueryVersion, Zone: zoneName(c.zone), Index: c.index}
	if c.finished {
		return q, false
	}
	if c.stream.Grain == providers.GrainNone {
		return q, true
	}
	if c.stream.Changes && pos.Mark != "" {
		q.Mark = pos.Mark
		return q, true
	}
	lookback := max(c.stream.Lookback, day)
	if c.from.IsZero() {
		c.from = c.to.Add(-lookback)
		if !pos.Through.IsZero() && pos.Through.Before(c.to) {
			c.from = pos.Through.Add(-lookback)
		}
		if c.stream.Grain == providers.GrainDay {
			c.from = c.from.Truncate(day)
		}
	}
	var w health.Window
	if c.stream.Changes {
		// The mark that this walk yields stands for all that is older: what
		// lies before its window is the backfill's to read.
		w, _ = backward(c.stream, c.from, c.to)
	} else {
		w, _ = forward(c.stream, c.from, c.to)
	}
	q.From, q.To, q.First, q.Last = w.From, w.To, w.First, w.Last
	return q, true
}

func (c *liveCourse) completed(pos position, q walkQuery, date time.Time, candidate string) position {
	c.index++
	if c.stream.Grain == providers.GrainNone {
		c.finished = true
		return pos
	}
	end := complete(c.stream, date, c.zone)
	switch reached := windowEnd(q); {
	case c.stream.Changes:
		if candidate != "" {
			pos.Mark = candidate
		}
		c.finished = true
	case reached.Before(c.to):
		c.from = reached
		end = minTime(end, reached)
	default:
		c.finished = true
		end = minTime(end, reached)
	}
	if end.After(pos.Through) {
		pos.Through = end
	}
	return pos
}

// planCourse reads the windows of the position's plan, newest first.
type planCourse struct{ stream providers.Stream }

func (c planCourse) next(pos position) (walkQuery, bool) {
	if pos.Plan == nil || pos.Plan.done() {
		return walkQuery{}, false
	}
	w, _ := backward(c.stream, pos.Plan.Since, pos.Plan.Next)
	q := walkQuery{
		Version: walkQueryVersion, From: w.From, To: w.To, First: w.First, Last: w.Last,
		Index: windows(c.stream, pos.Plan.Next, pos.Plan.Until),
	}
	return q, true
}

func (c planCourse) completed(pos position, q walkQuery, _ time.Time, _ string) position {
	if pos.Plan == nil {
		return pos
	}
	done := *pos.Plan
	if start := windowStart(q); start.Before(done.Next) {
		done.Next = start
	} else {
		done.Next = done.Since // a window that is not of the plan ends it
	}
	pos.Plan = &done
	return pos
}

// zonedCourse is a course whose walks know the person's zone.
type zonedCourse struct {
	planCourse
	zone *time.Location
}

func (c zonedCourse) next(pos position) (walkQuery, bool) {
	q, ok := c.planCourse.next(pos)
	q.Zone = zoneName(c.zone)
	return q, ok
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

// each runs work for every stream; a failure of one stream does not keep the
// others from being read, unless it would be the same for all of them.
func (s *session) each(ctx context.Context, work func(providers.Stream) error) error {
	for _, stream := range s.caps.Streams {
		err := work(stream)
		if err == nil {
			continue
		}
		_, waiting := errors.AsType[*waitError](err)
		if waiting || ctx.Err() != nil || errors.Is(err, errYield) || errors.Is(err, store.ErrLeaseLost) ||
			errors.Is(err, providers.ErrReauth) || errors.Is(err, providers.ErrRetired) || errors.Is(err, store.ErrErased) {
			if errors.Is(err, errYield) {
				return err
			}
			return nil // the stream's report has it
		}
	}
	return nil
}

// syncAll brings every stream up to date.
func (s *session) syncAll(ctx context.Context) error {
	return s.each(ctx, func(stream providers.Stream) error {
		now := time.Now()
		if s.background {
			due, err := s.streamDue(ctx, stream, now)
			if err != nil || !due {
				return err
			}
		}
		if err := s.runLane(ctx, stream, store.LaneLive, s.live(stream, now)); err != nil {
			return err
		}
		return s.reconcile(ctx, stream, now)
	})
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
	// due is read with the others.
	return now.Sub(pos.Checked) >= interval*8/10, nil
}

// reconcile reads a stretch of the past again: on streams that tell only
// changes, the look-back each time, because they do not tell what was deleted;
// in the background a longer stretch once a day; and always the days whose
// versions contradicted each other.
func (s *session) reconcile(ctx context.Context, stream providers.Stream, now time.Time) error {
	if stream.Grain == providers.GrainNone {
		return nil
	}
	cur, err := s.cfg.Store.Cursor(ctx, s.conn.ID, stream.Name, store.LaneReconcile)
	if err != nil {
		return err
	}
	pos, err := decodePosition(cur.HighWater)
	if err != nil {
		pos = position{Version: positionVersion}
	}
	since := now
	if stream.Changes && stream.AbsenceDeletes && stream.Lookback > 0 {
		since = now.Add(-stream.Lookback)
	}
	if s.background && s.cfg.ReconcileEvery > 0 && now.Sub(pos.Through) >= s.cfg.ReconcileEvery {
		since = minTime(since, now.Add(-s.cfg.ReconcileWindow))
		pos.Through = now.UTC()
	}
	for _, c := range s.conflicts(stream) {
		since = minTime(since, c)
	}
	if cur.Walk == nil && (pos.Plan == nil || pos.Plan.done()) {
		if !since.Before(now) {
			return nil
		}
		from, to := timeline(stream, since, now, s.zone())
		pos.Plan = &plan{Since: from, Until: to, Next: to, Started: now.UTC()}
		if err := s.setPosition(ctx, cur, pos); err != nil {
			return err
		}
	}
	return s.runLane(ctx, stream, store.LaneReconcile, zonedCourse{planCourse{stream}, s.zone()})
}

// conflicts returns the times, a day early, of the records of the stream whose
// versions tied in this session.
func (s *session) conflicts(stream providers.Stream) []time.Time {
	var times []time.Time
	for _, rep := range s.report.Streams {
		if rep.Stream != stream.Name || rep.Lane == store.LaneReconcile {
			continue
		}
		for _, c := range rep.Result.Conflicts {
			switch {
			case !c.Day.IsZero():
				times = append(times, midnight(c.Day).Add(-day))
			case !c.Start.IsZero():
				times = append(times, time.UnixMilli(c.Start.SortMilli()).Add(-day))
			}
		}
	}
	return times
}

// setPosition stores a lane's position without reading anything.
func (s *session) setPosition(ctx context.Context, cur store.Cursor, pos position) error {
	next := cur
	next.HighWater = pos.encode()
	_, err := s.cfg.Store.Commit(ctx, store.Batch{
		User: s.conn.User, Connection: s.conn.ID, Lease: s.lease, Now: time.Now(),
		Cursors: []store.CursorSwap{{Old: cur, New: next}},
	})
	return err
}

// planBackfill makes the plan of every stream's backfill reach back to since.
// What an earlier plan has read is not read again.
func (s *session) planBackfill(ctx context.Context, since time.Time) error {
	now := time.Now()
	if s.caps.MaxHistory > 0 && now.Sub(since) > s.caps.MaxHistory {
		since = now.Add(-s.caps.MaxHistory)
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

// backfillAll works off the plans of all streams.
func (s *session) backfillAll(ctx context.Context) error {
	return s.each(ctx, func(stream providers.Stream) error {
		if stream.Grain == providers.GrainNone {
			return nil
		}
		return s.runLane(ctx, stream, store.LaneBackfill, &reportingCourse{
			zonedCourse: zonedCourse{planCourse{stream}, s.zone()}, ctx: ctx, session: s,
		})
	})
}

// reportingCourse tells the host after each window.
type reportingCourse struct {
	zonedCourse
	ctx     context.Context // of the one run that the course is made for
	session *session
	last    *plan
}

func (c *reportingCourse) next(pos position) (walkQuery, bool) {
	if pos.Plan != nil && c.last != nil {
		call(c.ctx, c.session.Engine, c.session.cfg.Hooks.BackfillProgress, BackfillEvent{
			Connection: c.session.conn.ID, Provider: c.session.conn.Provider,
			Progress: progress(c.stream, *pos.Plan, time.Now()),
		})
	}
	c.last = pos.Plan
	return c.zonedCourse.next(pos)
}

// progress reads a plan.
func progress(s providers.Stream, p plan, now time.Time) Progress {
	out := Progress{Stream: s.Name, Total: windows(s, p.Since, p.Until)}
	left := windows(s, p.Since, minTime(p.Next, p.Until))
	out.Done = out.Total - left
	if out.Done > 0 && left > 0 && now.After(p.Started) {
		out.Remaining = now.Sub(p.Started) / time.Duration(out.Done) * time.Duration(left)
	}
	return out
}

// backfillDone reports whether no stream has windows left.
func (s *session) backfillDone(ctx context.Context) (bool, error) {
	for _, stream := range s.caps.Streams {
		cur, err := s.cfg.Store.Cursor(ctx, s.conn.ID, stream.Name, store.LaneBackfill)
		if err != nil {
			return false, err
		}
		pos, err := decodePosition(cur.HighWater)
		if err == nil && pos.Plan != nil && !pos.Plan.done() && s.permitted(stream) {
			return false, nil
		}
	}
	return true, nil
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
	for after := ""; ; {
		list, err := s.cfg.Store.RawPages(ctx, store.RawQuery{Connection: s.conn.ID, Limit: 16, After: after})
		if err != nil {
			return err
		}
		for _, raw := range list.Pages {
			rep := reports[raw.Stream]
			if rep == nil {
				rep = &StreamReport{Stream: raw.Stream, Lane: store.LaneReconcile}
				reports[raw.Stream] = rep
			}
			if err := s.remapPage(ctx, remapper, raw, rep); err != nil {
				return err
			}
		}
		if list.Next == "" {
			return nil
		}
		after = list.Next
	}
}

func (s *session) remapPage(ctx context.Context, remapper providers.Remapper, raw health.RawPage, rep *StreamReport) error {
	now := time.Now()
	records, err := remapper.Remap(raw)
	if err != nil {
		return err
	}
	w := walker{session: s, stream: providers.Stream{Name: raw.Stream}}
	records, bad := w.accept(providers.Page{Records: records}, now)
	rep.Pages++
	rep.Quarantined += len(bad)
	result, err := s.cfg.Store.Commit(ctx, store.Batch{
		User: s.conn.User, Connection: s.conn.ID, Lease: s.lease, Now: now, Cause: store.CauseRemap,
		Pages: []store.Page{{Stream: raw.Stream, Key: "remap", Records: records, Raw: &raw}},
	})
	add(&rep.Result, result)
	return err
}
