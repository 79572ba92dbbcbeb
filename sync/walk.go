package sync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/failpoint"
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
// It reports whether the stream was skipped because the grant does not permit
// it.
func (s *session) runLane(ctx context.Context, stream providers.Stream, lane store.Lane, c course) (skipped bool, err error) {
	rep := StreamReport{Stream: stream.Name, Lane: lane}
	defer func() {
		rep.Skipped, rep.Err = skipped, err
		if errors.Is(err, errPending) {
			rep.Pending, rep.Err = true, nil
		}
		if errors.Is(err, errYield) {
			rep.Err = nil
		}
		s.report.Streams = append(s.report.Streams, rep)
		call(ctx, s.Engine, s.cfg.Hooks.StreamDone, StreamEvent{Connection: s.conn.ID, Provider: s.conn.Provider, Report: rep})
	}()
	if !s.permitted(stream) {
		return true, nil
	}
	cur, err := s.cfg.Store.Cursor(ctx, s.conn.ID, stream.Name, lane)
	if err != nil {
		return false, err
	}
	restarted, began := false, false
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
				return false, nil
			}
			w.begin(q)
		} else if w.expired() {
			s.cfg.Logger.InfoContext(ctx, "walk grew too old", "connection", s.conn.ID, "stream", stream.Name)
			if cur, err = w.shorten(ctx, cur); err != nil {
				return false, err
			}
			continue
		} else if w.waits(ctx, now()) {
			if rep.Pending = true; began {
				return false, nil
			}
			return false, errPending
		}
		cur, err = w.run(ctx, cur)
		began = true
		if _, refused := errors.AsType[*walkRefusedError](err); refused {
			s.cfg.Logger.InfoContext(ctx, "walk discarded", "connection", s.conn.ID, "stream", stream.Name, "err", err)
			discarded, failure := w.discard(ctx, cur)
			if cur = discarded; failure != nil || !restarted {
				err, restarted = failure, true
			}
		}
		if errors.Is(err, providers.ErrForbidden) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
}

// walkRefusedError is the failure of a page that only a new walk can mend: the
// service does not take the page token or the mark any more.
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
	// held no datum that could not be read: only then does absence mean
	// something. See absent for a walk that showed nothing.
	whole bool
	keys  map[health.Kind][]string
	// passed is the token of one page behind, by which a walk that goes in a
	// circle is recognised: it moves up whenever the number of pages doubles,
	// and so comes to lie on the circle, however long that is.
	passed string
}

func (w *walker) begin(q walkQuery) {
	w.query = q
	w.walk = store.Walk{StartedAt: now()}
	// A backfill reads what was never read: there is nothing yet to be absent,
	// and its windows may hold a whole history.
	w.whole = w.stream.AbsenceDeletes && w.lane != store.LaneBackfill && !q.window().IsZero()
	w.keys = make(map[health.Kind][]string)
}

// resume continues the walk that the cursor holds, unless it cannot be read.
func (w *walker) resume(cur store.Cursor) bool {
	if cur.Walk == nil {
		return false
	}
	q, err := decodeWalkQuery(cur.Walk.Query)
	if err != nil {
		return false
	}
	w.query, w.walk = q, *cur.Walk
	w.passed = cur.Walk.PageToken
	return true
}

// expired reports whether the walk is too old to go on. What may have moved in
// the service's list since the first page is why; but where no shorter walk is
// left to try, only the time since the last page counts, because a walk that
// always begins again reads nothing.
func (w *walker) expired() bool {
	if w.stream.WalkTTL <= 0 || w.query.Pending != nil {
		return false
	}
	since := w.walk.StartedAt
	if w.pos.Reach > 0 && w.pos.Reach <= w.shortest() && w.query.Read != 0 {
		since = time.UnixMilli(w.query.Read)
	}
	return time.Since(since) > w.stream.WalkTTL
}

// shortest returns how long the windows of the lane are at least, however old
// walks grow. One of the live lane reaches beyond the look-back that it begins
// with, so that the lane moves on.
func (w *walker) shortest() time.Duration {
	if w.lane == store.LaneLive {
		return (max(w.stream.Lookback, day) + 2*day - 1).Truncate(day)
	}
	return day
}

// shorten forgets the walk under way, which grew too old, and has the next ones
// be over half as much.
func (w *walker) shorten(ctx context.Context, cur store.Cursor) (store.Cursor, error) {
	half := windowEnd(w.query).Sub(windowStart(w.query)) / 2
	pos := w.pos
	pos.Reach = max(half.Truncate(day), w.shortest())
	next := cur
	next.HighWater, next.Walk = pos.encode(), nil
	if err := w.moveCursor(ctx, cur, next); err != nil {
		return cur, err
	}
	return next, nil
}

// discard forgets the walk under way, and the mark if that is what the service
// did not take: the lane then goes on with windows from where it stands.
func (w *walker) discard(ctx context.Context, cur store.Cursor) (store.Cursor, error) {
	next := cur
	next.Walk = nil
	if w.walk.PageToken == "" {
		pos := w.pos
		pos.Mark = ""
		next.HighWater = pos.encode()
	}
	if err := w.moveCursor(ctx, cur, next); err != nil {
		return cur, err
	}
	return next, nil
}

// run reads and commits pages until the walk completes. It returns the cursor
// as it is stored.
func (w *walker) run(ctx context.Context, cur store.Cursor) (store.Cursor, error) {
	for {
		if w.turnOver() {
			return cur, errYield
		}
		began := now()
		page, err := w.fetch(ctx, w.stream, w.lane, w.query.query(w.stream.Name, w.walk.PageToken))
		if err == nil {
			err = w.check(page)
		}
		if err != nil {
			if w.refused(err) {
				err = &walkRefusedError{err}
			}
			return cur, fmt.Errorf("stream %s: %w", w.stream.Name, err)
		}
		// Before the commit: a zone that is told once, by a page that is not
		// read again, must not be lost between the two.
		if err := w.learnZone(ctx, page.Zone); err != nil {
			return cur, fmt.Errorf("stream %s: %w", w.stream.Name, err)
		}
		failpoint.Hit("page_fetched")
		next, result, err := w.commit(ctx, cur, page)
		if err != nil {
			return cur, fmt.Errorf("stream %s: %w", w.stream.Name, err)
		}
		failpoint.Hit("page_committed")
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
		if page.Pending != nil {
			return cur, nil
		}
		if !page.More {
			w.report.Windows++
			if w.lane == store.LaneBackfill && w.pos.Plan != nil {
				call(ctx, w.Engine, w.cfg.Hooks.BackfillProgress, BackfillEvent{
					Connection: w.conn.ID, Provider: w.conn.Provider,
					Progress: progress(w.stream, w.pos, now()),
				})
			}
			return cur, nil
		}
	}
}

// turnOver reports whether the session's share of pages is used up. A walk that
// may find deletions finds none once it was cut, so that it is not cut before
// it had a whole share for itself.
func (w *walker) turnOver() bool {
	begun := w.whole && w.walk.Pages > 0 && w.walk.Pages < w.cfg.Slice
	return w.session.pages == 0 && !begun
}

// refused reports whether err means that the service does not take the walk's
// page token, or its mark, any more.
func (w *walker) refused(err error) bool {
	e, _ := errors.AsType[*providers.Error](err)
	switch {
	case e == nil || e.ClientFault || w.walk.PageToken == "" && w.query.Mark == "":
		return false
	case e.Code == providers.CodePageLoop:
		return w.walk.PageToken != ""
	default:
		return errors.Is(err, providers.ErrInvalid) || errors.Is(err, providers.ErrNotFound)
	}
}

// check refuses a page that would keep the walk from ever ending.
func (w *walker) check(page providers.Page) error {
	if page.Pending != nil {
		return w.checkPending(page)
	}
	if !page.More {
		return nil
	}
	loop := page.PageToken == "" || page.PageToken == w.walk.PageToken || page.PageToken == w.passed
	if loop || w.walk.Pages+1 >= w.cfg.MaxPages || len(page.PageToken) > maxCursorText {
		return &providers.Error{
			Provider: w.conn.Provider, Op: "fetch " + w.stream.Name,
			Kind: providers.ErrMalformed, Code: providers.CodePageLoop,
		}
	}
	if n := w.walk.Pages + 1; n&(n-1) == 0 {
		w.passed = page.PageToken
	}
	return nil
}

// commit writes a page together with the cursor that it moves.
func (w *walker) commit(ctx context.Context, cur store.Cursor, page providers.Page) (store.Cursor, store.Result, error) {
	now := now()
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
	switch {
	case len(bad) > 0:
		digest = 0
	case digest != 0: // the same answer is another page in another zone
		digest = max(1, digest^health.Digest([]byte(w.query.Zone)))
	}
	batch := store.Batch{
		User: w.conn.User, Connection: w.conn.ID, Lease: w.lease, Now: now, Cause: w.cause(),
		Pages: []store.Page{{
			Stream: w.stream.Name, Key: w.pageKey(), Digest: digest, Records: records,
			Raw: w.raw(page), Quarantined: quarantined,
		}},
	}
	if err := w.sealRaw(ctx, &batch.Pages[0]); err != nil {
		return cur, store.Result{}, err
	}
	next, pos := cur, w.pos
	if waiting := w.unplaced(records); waiting != nil {
		pos.Unplaced = pos.Unplaced.join(waiting)
		next.HighWater = pos.encode()
	}
	if page.More {
		w.query.Read = now.UnixMilli()
		walk := w.walk
		walk.Query, walk.PageToken, walk.Pages = w.query.encode(), page.PageToken, walk.Pages+1
		next.Walk = &walk
	} else if page.Pending != nil {
		next.Walk = w.pend(*page.Pending, now)
	} else {
		// Without the server's word everything is as old as the walk.
		date := w.walk.StartedAt
		if w.query.Date != 0 {
			date = time.UnixMilli(w.query.Date).UTC()
		}
		pos = w.course.completed(pos, w.query, date, w.walk.Candidate)
		pos.Checked = now.UTC()
		if window, ok := w.closed(w.coverable(pos), date); ok {
			batch.Covered = []store.Covered{{Stream: w.stream.Name, Window: window}}
		}
		if window, ok := w.closed(w.query.window(), date); ok && w.whole && w.query.Date != 0 {
			batch.Absent, pos.Empty = w.absent(pos.Empty, window)
		}
		next.HighWater, next.Walk = pos.encode(), nil
	}
	batch.Cursors = []store.CursorSwap{{Old: cur, New: next}}
	result, err := w.cfg.Store.Commit(ctx, batch)
	if err != nil {
		return cur, store.Result{}, err
	}
	w.pos = pos
	if next.Walk != nil {
		w.walk = *next.Walk
	}
	for _, q := range bad {
		w.report.Quarantined++
		q.Raw = nil // it is in the store, and no hook's business
		call(ctx, w.Engine, w.cfg.Hooks.Quarantined, QuarantineEvent{
			Connection: w.conn.ID, Provider: w.conn.Provider, Stream: w.stream.Name, Item: q,
		})
	}
	return next, result, nil
}

// accept makes the page's records ready for the store and sets aside those
// that break a rule.
func (w *walker) accept(page providers.Page, now time.Time) ([]health.Record, []providers.Quarantined) {
	records, bad := page.Records[:0], slices.Clip(page.Quarantined)
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
			bad = append(bad, providers.Quarantined{Key: w.badKey(r.Key, i), Reason: err.Error()})
			continue
		}
		if w.whole {
			w.keys[r.Kind] = append(w.keys[r.Kind], r.Key)
		}
		records = append(records, r)
	}
	w.whole = w.whole && onlyParts(bad, records)
	return records, bad
}

// onlyParts reports whether all that was set aside are parts of the records:
// those data were there, whatever of them could not be read.
func onlyParts(bad []providers.Quarantined, records []health.Record) bool {
	if len(bad) == 0 {
		return true
	}
	kept := make(map[string]bool, len(records))
	for i := range records {
		kept[records[i].Key] = true
	}
	for _, q := range bad {
		if key, _, part := strings.Cut(q.Key, "#"); !part || !kept[key] {
			return false
		}
	}
	return true
}

// badKey names a record that was set aside: by its key if that can be shown,
// else by its place among the pages of the walk.
func (w *walker) badKey(key string, i int) string {
	prefix := w.stream.Name + "/"
	if len(key) > len(prefix) && len(key) <= health.MaxKey && strings.HasPrefix(key, prefix) && utf8.ValidString(key) {
		return key
	}
	return prefix + "#" + strconv.Itoa(w.walk.Pages) + "." + strconv.Itoa(i)
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

// coverable returns the window that the walk, now complete, has read: for one
// over changes what has passed since the last complete walk, because what was
// complete then still is.
func (w *walker) coverable(pos position) health.Window {
	if w.query.Mark == "" {
		return w.query.window()
	}
	if w.pos.Through.IsZero() || !w.pos.Through.Before(pos.Through) {
		return health.Window{}
	}
	return windowOf(w.stream, w.pos.Through, pos.Through)
}

// closed returns the part of a window that is over at the date; false if there
// is none.
func (w *walker) closed(window health.Window, date time.Time) (health.Window, bool) {
	end := complete(w.stream, date, w.query.zone())
	if window.Days() {
		if last := health.DayOf(end.Add(-time.Nanosecond)); window.Last.Compare(last) > 0 {
			window.Last = last
		}
		return window, window.First.Compare(window.Last) <= 0
	}
	window.To = minTime(window.To, end)
	return window, !window.From.IsZero() && window.From.Before(window.To)
}
