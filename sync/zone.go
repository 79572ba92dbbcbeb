package sync

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

// A person's zone is a fact of the connection. Adapters map with the zone that
// is known when a page is asked for, and a record that tells no zone of its own
// floats where none is known. So what may tell the zone is read first, and what
// was read before it was told is brought up to date afterwards: a lane remembers
// that, in the commit of the page, and forgets it when it is done. A stored
// answer is mapped again with the zone; where there is none, or no way to map it
// again, it is read again. The engine does not place records itself: how long a
// day is, or what a clock that runs through a night shows, the adapter knows.
//
// A record that was placed in a zone stays there when the person is told to be
// in another: it was taken where the person was then. So a stream of days
// remembers until which day it was read in which zone, and days that are read
// again are asked for in theirs. The first day after a stay begins where the last
// day of it ended: between midnights of two zones there are hours of no day, or of
// two. A zone that a service had wrong and puts right
// is not told from a journey.

// stay is a zone that a person has left since, and the last of the days that
// were read in it.
type stay struct {
	Zone string     `json:"zone"`
	Last health.Day `json:"last"`
}

// maxStays bounds how many are remembered. Days before the oldest one are placed
// in its zone.
const maxStays = 8

// zones are the zones in which the days of a stream are read: now, and before it
// stays, by day.
type zones struct {
	stays []stay
	now   *time.Location
}

// of returns the zone of a day, and the first and the last of the days around it
// that are read in the same; a zero day is no bound.
func (z zones) of(d health.Day) (zone *time.Location, first, last health.Day) {
	for _, s := range z.stays {
		if d.Compare(s.Last) > 0 {
			first = s.Last.Add(1)
			continue
		}
		if zone, err := loadZone(s.Zone); err == nil {
			return zone, first, s.Last
		}
	}
	return z.now, first, health.Day{}
}

// begins returns when a day begins, where that is not when it begins in its zone,
// because the last day of a stay ended earlier or later; else the zero time.
func (z zones) begins(d health.Day) time.Time {
	zone, first, _ := z.of(d)
	if zone == nil || first.IsZero() {
		return time.Time{}
	}
	var left time.Time
	for _, s := range z.stays {
		if there, err := loadZone(s.Zone); err == nil && there != nil && s.Last.Compare(d) < 0 {
			_, end, _ := s.Last.Bounds(there)
			left = maxTime(left, end)
		}
	}
	if own, _, _ := d.Bounds(zone); left.Equal(own) || d != first && left.Before(own) {
		return time.Time{}
	}
	return left.UTC()
}

// timeline moves a period of instants onto the stream's timeline, and holds every
// day that any part of it is read with: during a stay, and until the day after it
// is over, that may be another one than in the zone of now.
func (z zones) timeline(stream providers.Stream, from, to time.Time) (first, end time.Time) {
	first, end = timeline(stream, from, to, z.now)
	for _, s := range z.stays {
		there, err := loadZone(s.Zone)
		if err != nil {
			continue
		}
		begins, ends := timeline(stream, from, to, there)
		next := midnight(s.Last.Add(1))
		if over := next.Add(day); first.Before(over) || begins.Before(over) {
			first, end = minTime(first, minTime(begins, next)), maxTime(end, minTime(ends, over))
		}
	}
	return first, end
}

// zones returns the zones of a stream of days; of any other one the zone that is
// known, because what tells instants tells them in every zone.
func (s *session) zones(ctx context.Context, stream providers.Stream) (zones, error) {
	z := zones{now: s.zone()}
	if stream.Grain != providers.GrainDay {
		return z, nil
	}
	st, err := s.standing(ctx, stream, store.LaneLive)
	if err != nil {
		return z, err
	}
	z.stays = st.pos.Stays
	if st.pos.Zone == "" || st.pos.Zone == s.conn.Zone || st.pos.Checked.IsZero() {
		return z, nil
	}
	left, err := loadZone(st.pos.Zone)
	if err != nil {
		return z, nil // a name that this machine does not know any more
	}
	last := health.DayOf(st.pos.Checked.In(left))
	if n := len(z.stays); n == 0 || z.stays[n-1].Last.Compare(last) < 0 {
		z.stays = append(slices.Clone(z.stays), stay{st.pos.Zone, last})
		z.stays = z.stays[max(0, len(z.stays)-maxStays):]
	}
	return z, nil
}

// tellsZone reports whether a stream is one of those that may tell the zone.
func tellsZone(s providers.Stream) bool {
	return slices.Contains(s.Kinds, health.KindAthlete) || slices.Contains(s.Kinds, health.KindDevice)
}

// zoneFirst puts the streams that may tell the zone before the others.
func zoneFirst(streams []providers.Stream) {
	slices.SortStableFunc(streams, func(a, b providers.Stream) int {
		switch first := tellsZone(a); {
		case first == tellsZone(b):
			return 0
		case first:
			return -1
		default:
			return 1
		}
	})
}

// period is a period of time.
type period struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// join returns a period that holds both; nil is none.
func (p *period) join(o *period) *period {
	if p == nil || o == nil {
		if p == nil {
			p = o
		}
		return p
	}
	return &period{minTime(p.From, o.From), maxTime(p.To, o.To)}
}

// unplaced returns when the records are from that wait for a zone, with days to
// spare at both ends; nil if the walk has a zone, or none does.
func (w *walker) unplaced(records []health.Record) *period {
	if w.query.Zone != "" {
		return nil
	}
	var waiting *period
	for i := range records {
		span := &records[i].Span
		at := time.UnixMilli(span.Start.SortMilli())
		switch {
		case span.Zone != health.ZoneUnknown && span.Zone != health.ZoneFloating:
			continue
		case span.Start.IsZero() && span.Day.IsZero():
			continue
		case span.Start.IsZero():
			at = midnight(span.Day)
		}
		waiting = waiting.join(&period{at.Add(-day).UTC(), at.Add(2 * day).UTC()})
	}
	return waiting
}

// readZone reads the streams that may tell the zone, if it is not known and they
// were never read. See each.
func (s *session) readZone(ctx context.Context) (stopped bool, err error) {
	return s.each(ctx, s.caps.Streams, func(stream providers.Stream) error {
		if s.conn.Zone != "" || !tellsZone(stream) {
			return nil
		}
		st, err := s.standing(ctx, stream, store.LaneLive)
		if err != nil || !st.pos.Checked.IsZero() {
			return err
		}
		course, err := s.live(ctx, stream, now())
		if err != nil {
			return err
		}
		_, err = s.runLane(ctx, stream, store.LaneLive, course)
		return err
	})
}

// placeAll brings up to date what was read before the zone was known.
func (s *session) placeAll(ctx context.Context) error {
	if s.zone() == nil {
		return nil
	}
	cursors, err := s.cfg.Store.Cursors(ctx, s.conn.ID)
	if err != nil {
		return err
	}
	waiting := make(map[string]*period)
	for _, cur := range cursors {
		if pos, err := decodePosition(cur.HighWater); err == nil && pos.Unplaced != nil {
			waiting[cur.Stream] = waiting[cur.Stream].join(pos.Unplaced)
		}
	}
	for _, stream := range s.caps.Streams {
		if when := waiting[stream.Name]; when != nil {
			if err := s.place(ctx, stream, *when); err != nil {
				return err
			}
		}
	}
	return nil
}

// place brings one stream up to date.
func (s *session) place(ctx context.Context, stream providers.Stream, when period) error {
	err := s.mapInZone(ctx, stream)
	_, ofProvider := errors.AsType[*providers.Error](err)
	again := ofProvider || errors.Is(err, errors.ErrUnsupported)
	if err != nil && !again {
		return err
	}
	if again {
		if err := s.readAgain(ctx, stream, when.From, minTime(when.To, now())); err != nil {
			return err
		}
	}
	for _, lane := range []store.Lane{store.LaneLive, store.LaneBackfill, store.LaneReconcile} {
		cur, err := s.cfg.Store.Cursor(ctx, s.conn.ID, stream.Name, lane)
		if err != nil {
			return err
		}
		pos, err := decodePosition(cur.HighWater)
		if err != nil || pos.Unplaced == nil {
			continue
		}
		pos.Unplaced = nil
		if err := s.setPosition(ctx, cur, pos); err != nil {
			return err
		}
	}
	if !again {
		return nil
	}
	if err := s.reconcile(ctx, stream, now()); err != nil && ctx.Err() != nil {
		return err // else the stream's report has it
	}
	return nil
}

// mapInZone maps the stored answers of a stream again that were mapped without
// a zone.
func (s *session) mapInZone(ctx context.Context, stream providers.Stream) error {
	remapper, ok := s.provider.(providers.Remapper)
	if !ok {
		return errors.ErrUnsupported
	}
	rep := StreamReport{Stream: stream.Name, Lane: store.LaneReconcile}
	defer func() {
		if rep.Pages > 0 {
			s.report.Streams = append(s.report.Streams, rep)
		}
	}()
	return s.remapPages(ctx, store.RawQuery{Connection: s.conn.ID, Stream: stream.Name}, func(raw health.RawPage) error {
		if raw.Zone != "" {
			return nil
		}
		return s.remapPage(ctx, remapper, raw, &rep)
	})
}

// remapPages calls one for each stored answer that a query selects.
func (s *session) remapPages(ctx context.Context, q store.RawQuery, one func(health.RawPage) error) error {
	for q.Limit = 16; ; {
		list, err := s.cfg.Store.RawPages(ctx, q)
		if err != nil {
			return err
		}
		for _, raw := range list.Pages {
			if err := one(raw); err != nil {
				return err
			}
		}
		if q.After = list.Next; q.After == "" {
			return nil
		}
	}
}

// standingRecords leaves out the records that were found to be deleted since: a
// stored answer does not say that they are there again.
func (s *session) standingRecords(ctx context.Context, records []health.Record) ([]health.Record, error) {
	keys := make(map[health.Kind][]string)
	for i := range records {
		keys[records[i].Kind] = append(keys[records[i].Kind], records[i].Key)
	}
	gone := make(map[string]bool)
	for kind, all := range keys {
		for some := range slices.Chunk(all, 500) {
			list, err := s.cfg.Store.Records(ctx, store.RecordQuery{
				User: s.conn.User, Connections: []string{s.conn.ID}, Kinds: []health.Kind{kind}, Keys: some, Deleted: true, Limit: len(some),
			})
			if err != nil {
				return nil, err
			}
			for i := range list.Records {
				if r := &list.Records[i]; r.State == health.StateDeleted && r.Rev.Absent {
					gone[string(kind)+" "+r.Key] = true
				}
			}
		}
	}
	return slices.DeleteFunc(records, func(r health.Record) bool { return gone[string(r.Kind)+" "+r.Key] }), nil
}
