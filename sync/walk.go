package sync

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

// course decides which walks a lane makes. It is a value of one run.
type course interface {
	// next returns the walk to begin at pos, or false when the lane is done
	// for now.
	next(pos position) (walkQuery, bool)
	// completed returns where the lane stands after a walk. date is the
	// server's Date of the walk's first page, candidate the provider's mark.
	completed(pos position, q walkQuery, date time.Time, candidate string) position
}

// runLane makes all walks of one stream's lane, committing page by page.
func (s *session) runLane(ctx context.Context, stream providers.Stream, lane store.Lane, c course) (err error) {
	rep := StreamReport{Stream: stream.Name, Lane: lane}
	defer func() {
		rep.Err = err
		if errors.Is(err, errYield) {
			rep.Err = nil
		}
		s.report.Streams = append(s.report.Streams, rep)
		call(ctx, s.Engine, s.cfg.Hooks.StreamDone, StreamEvent{Connection: s.conn.ID, Provider: s.conn.Provider, Report: rep})
	}()
	if !s.permitted(stream) {
		rep.Skipped = true
		return nil
	}
	cur, err := s.cfg.Store.Cursor(ctx, s.conn.ID, stream.Name, lane)
	if err != nil {
		return err
	}
	restarted := false
	for {
		pos, err := decodePosition(cur.HighWater)
		if err != nil {
			// Starting over costs requests, never data.
			s.cfg.Logger.WarnContext(ctx, "cursor discarded", "connection", s.conn.ID, "stream", stream.Name, "err", err)
			pos = position{Version: positionVersion}
		}
		w := walker{session: s, stream: stream, lane: lane, course: c, report: &rep, pos: pos}
		if !w.resume(cur) {
			q, more := c.next(pos)
			if !more {
				return nil
			}
			w.begin(q)
		}
		cur, err = w.run(ctx, cur)
		if refusedWalk(err) {
			s.cfg.Logger.InfoContext(ctx, "walk discarded", "connection", s.conn.ID, "stream", stream.Name, "err", err)
			discarded, failure := w.discard(ctx, cur)
			if cur = discarded; failure != nil || !restarted {
				err, restarted = failure, true
			}
		}
		if errors.Is(err, providers.ErrForbidden) {
			rep.Skipped = true
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// refusedWalk reports whether the pages of a walk cannot be continued.
func refusedWalk(err error) bool {
	_, refused := errors.AsType[*walkRefusedError](err)
	return refused
}

// walkRefusedError is the failure of a page in the middle of a walk that only a
// new walk can mend.
type walkRefusedError struct{ err error }

func (w *walkRefusedError) Error() string { return w.err.Error() }
func (w *walkRefusedError) Unwrap() error { return w.err }

// walker makes one walk.
type walker struct {
	*session
	stream providers.Stream
	lane   store.Lane
	course course
	report *StreamReport
	pos    position

	query walkQuery
	walk  store.Walk
	// whole is set while all pages of the walk were seen by this process and
	// held nothing that could not be read: only then does absence mean
	// something.
	whole bool
	keys  map[health.Kind][]string
	seen  map[string]bool
}

func (w *walker) begin(q walkQuery) {
	w.query = q
	w.walk = store.Walk{StartedAt: time.Now()}
	// A backfill reads what was never read: there is nothing yet to be absent,
	// and its windows may hold a whole history.
	w.whole = w.stream.AbsenceDeletes && w.lane != store.LaneBackfill && !q.window().IsZero()
	w.keys = make(map[health.Kind][]string)
	w.seen = make(map[string]bool)
}

// resume continues the walk that the cursor holds, unless it is too old or
// cannot be read.
func (w *walker) resume(cur store.Cursor) bool {
	if cur.Walk == nil {
		return false
	}
	q, err := decodeWalkQuery(cur.Walk.Query)
	if err != nil || w.stream.WalkTTL > 0 && time.Since(cur.Walk.StartedAt) > w.stream.WalkTTL {
		return false
	}
	w.query, w.walk = q, *cur.Walk
	w.seen = map[string]bool{cur.Walk.PageToken: true}
	return true
}

// discard forgets the walk under way.
func (w *walker) discard(ctx context.Context, cur store.Cursor) (store.Cursor, error) {
	if cur.Walk == nil {
		return cur, nil
	}
	next := cur
	next.Walk = nil
	_, err := w.cfg.Store.Commit(ctx, store.Batch{
		User: w.conn.User, Connection: w.conn.ID, Lease: w.lease, Now: time.Now(),
		Cursors: []store.CursorSwap{{Old: cur, New: next}},
	})
	if err != nil {
		return cur, err
	}
	return next, nil
}

// run reads and commits pages until the walk completes. It returns the cursor
// as it is stored.
func (w *walker) run(ctx context.Context, cur store.Cursor) (store.Cursor, error) {
	for {
		if w.session.pages == 0 {
			return cur, errYield
		}
		began := time.Now()
		q, err := w.query.query(w.stream.Name, w.walk.PageToken)
		if err != nil {
			return cur, err
		}
		page, err := w.fetch(ctx, w.stream, w.lane, q)
		if err == nil {
			err = w.check(page)
		}
		if err != nil {
			if w.walk.PageToken != "" && (errors.Is(err, providers.ErrInvalid) ||
				errors.Is(err, providers.ErrNotFound) || pageLoop(err)) {
				err = &walkRefusedError{err}
			}
			return cur, fmt.Errorf("stream %s: %w", w.stream.Name, err)
		}
		next, result, err := w.commit(ctx, cur, page)
		if err != nil {
			return cur, fmt.Errorf("stream %s: %w", w.stream.Name, err)
		}
		cur = next
		w.report.Pages++
		add(&w.report.Result, result)
		if w.session.pages > 0 {
			w.session.pages--
		}
		call(ctx, w.Engine, w.cfg.Hooks.PageCommitted, PageEvent{
			Connection: w.conn.ID, Provider: w.conn.Provider, Stream: w.stream.Name, Lane: w.lane,
			Result: result, Took: time.Since(began),
		})
		if err := w.learnZone(ctx, page.Zone); err != nil {
			return cur, err
		}
		if !page.More {
			w.report.Windows++
			return cur, nil
		}
	}
}

func pageLoop(err error) bool {
	e, ok := errors.AsType[*providers.Error](err)
	return ok && e.Code == providers.CodePageLoop
}

// check refuses a page that would keep the walk from ever ending.
func (w *walker) check(page providers.Page) error {
	if !page.More {
		return nil
	}
	loop := page.PageToken == "" || page.PageToken == w.walk.PageToken || w.seen[page.PageToken]
	if loop || w.walk.Pages+1 >= w.cfg.MaxPages || len(page.PageToken) > maxCursorText {
		return &providers.Error{
			Provider: w.conn.Provider, Op: "fetch " + w.stream.Name,
			Kind: providers.ErrMalformed, Code: providers.CodePageLoop,
		}
	}
	w.seen[page.PageToken] = true
	return nil
}

// commit writes a page together with the cursor that it moves.
func (w *walker) commit(ctx context.Context, cur store.Cursor, page providers.Page) (store.Cursor, store.Result, error) {
	now := time.Now()
	if w.walk.Pages == 0 {
		w.walk.Candidate = page.Candidate
		if !page.Date.IsZero() {
			w.query.Date = page.Date.UnixMilli()
		}
	}
	records, bad := w.accept(page, now)
	quarantined := make([]store.Quarantined, 0, len(bad))
	for _, q := range bad {
		quarantined = append(quarantined, store.Quarantined{
			Connection: w.conn.ID, Stream: w.stream.Name, Key: q.Key, Reason: q.Reason, Raw: q.Raw, At: now,
		})
	}
	digest := page.Digest
	if len(bad) > 0 {
		digest = 0
	}
	batch := store.Batch{
		User: w.conn.User, Connection: w.conn.ID, Lease: w.lease, Now: now, Cause: w.cause(),
		Pages: []store.Page{{
			Stream: w.stream.Name, Key: w.pageKey(), Digest: digest, Records: records,
			Raw: w.raw(page), Quarantined: quarantined,
		}},
	}
	next := cur
	if page.More {
		walk := w.walk
		walk.Query, walk.PageToken, walk.Pages = w.query.encode(), page.PageToken, walk.Pages+1
		next.Walk = &walk
	} else {
		date := now
		if w.query.Date != 0 {
			date = time.UnixMilli(w.query.Date).UTC()
		}
		pos := w.course.completed(w.pos, w.query, date, w.walk.Candidate)
		pos.Checked = now.UTC()
		next.HighWater, next.Walk = pos.encode(), nil
		if covered, ok := w.covered(pos, date); ok {
			batch.Covered = []store.Covered{covered}
		}
		if w.whole && w.query.Date != 0 {
			batch.Absent = []store.Absent{{
				Stream: w.stream.Name, Window: w.query.window(), Keys: w.keys, Order: w.query.Date,
			}}
		}
	}
	batch.Cursors = []store.CursorSwap{{Old: cur, New: next}}
	result, err := w.cfg.Store.Commit(ctx, batch)
	if err != nil {
		return cur, store.Result{}, err
	}
	if next.Walk != nil {
		w.walk = *next.Walk
	}
	for _, q := range bad {
		w.report.Quarantined++
		call(ctx, w.Engine, w.cfg.Hooks.Quarantined, QuarantineEvent{
			Connection: w.conn.ID, Provider: w.conn.Provider, Stream: w.stream.Name, Item: q,
		})
	}
	return next, result, nil
}

// accept makes the page's records ready for the store and sets aside those
// that break a rule.
func (w *walker) accept(page providers.Page, now time.Time) ([]health.Record, []providers.Quarantined) {
	records, bad := page.Records[:0:len(page.Records)], page.Quarantined
	prefix := w.stream.Name + "/"
	for i := range page.Records {
		r := page.Records[i]
		r.Connection = w.conn.ID
		r.Normalize()
		err := r.Validate(now)
		if err == nil && !strings.HasPrefix(r.Key, prefix) {
			err = errors.New("key is not of the stream")
		}
		if err != nil {
			bad = append(bad, providers.Quarantined{Key: prefix + "#" + strconv.Itoa(i), Reason: err.Error()})
			continue
		}
		if w.whole {
			w.keys[r.Kind] = append(w.keys[r.Kind], r.Key)
		}
		records = append(records, r)
	}
	if len(bad) > 0 {
		w.whole = false
	}
	return records, bad
}

func (w *walker) raw(page providers.Page) *health.RawPage {
	if len(page.Raw) == 0 {
		return nil
	}
	return &health.RawPage{Stream: w.stream.Name, Date: page.Date, Zone: w.query.Zone, Bodies: page.Raw}
}

// pageKey names the page's place in the lane. Windows of a backfill stay where
// they are; those of the other lanes move with the time, so they are numbered.
func (w *walker) pageKey() string {
	q, page := w.query, strconv.Itoa(w.walk.Pages)
	if w.lane != store.LaneBackfill {
		return string(w.lane) + "/" + strconv.Itoa(q.Index) + "/" + page
	}
	if window := q.window(); window.Days() {
		return "backfill/" + q.First.String() + "/" + q.Last.String() + "/" + page
	}
	return "backfill/" + strconv.FormatInt(q.From.Unix(), 10) + "/" + strconv.FormatInt(q.To.Unix(), 10) + "/" + page
}

func (w *walker) cause() store.Cause {
	if w.lane == store.LaneBackfill {
		return store.CauseBackfill
	}
	return store.CauseLive
}

// covered returns the window that is complete after the walk.
func (w *walker) covered(pos position, date time.Time) (store.Covered, bool) {
	window := w.query.window()
	if w.query.Mark != "" {
		// All changes since the last complete walk were seen: what was
		// complete then is complete up to the date of this one.
		if w.pos.Through.IsZero() || !w.pos.Through.Before(pos.Through) {
			return store.Covered{}, false
		}
		window = windowOf(w.stream, w.pos.Through, pos.Through)
	}
	if end := complete(w.stream, date, w.zone()); !window.To.IsZero() && window.To.After(end) {
		window.To = end
	} else if last := health.DayOf(end.Add(-time.Nanosecond)); window.Days() && window.Last.Compare(last) > 0 {
		window.Last = last
	}
	if window.IsZero() || window.Days() && window.First.Compare(window.Last) > 0 || !window.Days() && !window.From.Before(window.To) {
		return store.Covered{}, false
	}
	return store.Covered{Stream: w.stream.Name, Window: window}, true
}
