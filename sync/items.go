package sync

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/failpoint"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

const (
	// itemBatch is how many items of a connection are worked on together.
	itemBatch = 64
	// hintWindow is the shortest time between two readings for the sake of
	// deliveries that nobody vouches for.
	hintWindow = time.Minute
	// notifiedReach and notifiedAhead bound the period that a delivery may
	// have read again.
	notifiedReach = 31 * day
	notifiedAhead = day
	// deferredLook is how long an item waits that cannot be worked on in the
	// connection's state.
	deferredLook = time.Hour
)

// hint is an item that says that there is news, but not what.
type hint struct {
	item store.InboxItem
	part part
}

// workItems works on the parts of deliveries that are about this connection.
// It returns an error when the session cannot go on; an item that fails is put
// off, and after too many failures put aside, so that others go on.
func (s *session) workItems(ctx context.Context) error {
	for {
		list, err := s.cfg.Store.InboxItems(ctx, store.InboxQuery{
			User: s.conn.User, Connection: s.conn.ID, ReadyAt: now(), Limit: itemBatch,
		})
		if err != nil || len(list) == 0 {
			return err
		}
		more, err := s.workBatch(ctx, list)
		if err != nil || !more {
			return err
		}
	}
}

// workBatch works on items. It reports whether it makes sense to look for more.
func (s *session) workBatch(ctx context.Context, list []store.InboxItem) (more bool, err error) {
	var hints []hint
	for _, item := range list {
		p, err := decodePart(item.Payload)
		if err == nil {
			failpoint.Hit("item_before_effect")
			err = s.guard(ctx, "item", s.about(), func() error {
				hinted, err := s.workItem(ctx, item, p)
				if hinted {
					hints = append(hints, hint{item, p})
				}
				return err
			})
			failpoint.Hit("item_after_effect")
		}
		if err := s.settleItem(ctx, item, p, err); err != nil {
			return false, err
		}
	}
	return s.pull(ctx, hints)
}

// about says whose work an alarm is about.
func (s *session) about() AlarmEvent {
	return AlarmEvent{Provider: s.conn.Provider, Connection: s.conn.ID}
}

// workItem does what an item asks for, and acknowledges it, or reports that it
// is a hint.
func (s *session) workItem(ctx context.Context, item store.InboxItem, p part) (hinted bool, err error) {
	switch note := p.Note; note.Event {
	case providers.EventData:
		if !p.Signed || len(note.Records) == 0 && note.Part == 0 {
			return true, nil
		}
		return false, s.applyRecords(ctx, item, note)
	case providers.EventDeauth:
		if !p.Signed {
			return true, nil
		}
		if s.stale(note) {
			return false, s.acknowledge(ctx, item)
		}
		return false, s.deauthorized(ctx, item)
	case providers.EventReauth:
		return false, s.relink(ctx, item, p)
	case providers.EventRequest:
		return false, s.announced(ctx, item, p)
	default:
		return false, s.acknowledge(ctx, item)
	}
}

// acknowledge removes items that were worked on.
func (s *session) acknowledge(ctx context.Context, items ...store.InboxItem) error {
	if len(items) == 0 {
		return nil
	}
	batch := store.Batch{User: s.conn.User, Connection: s.conn.ID, Lease: s.lease, Now: now()}
	for _, item := range items {
		batch.Acks = append(batch.Acks, item.ID)
	}
	if _, err := s.cfg.Store.Commit(ctx, batch); err != nil {
		return err
	}
	for _, item := range items {
		call(ctx, s.Engine, s.cfg.Hooks.Delivered, DeliveryEvent{
			Provider: s.conn.Provider, Delivery: item.ID, Connection: s.conn.ID, Attempts: item.Attempts,
		})
	}
	return nil
}

// counted reports whether a failure is the item's own, so that it will be put
// aside if it goes on. Others are of the service, the store or the session, and
// pass.
func counted(err error) bool {
	_, panicked := errors.AsType[*panicError](err)
	_, dead := errors.AsType[*deadError](err)
	_, waiting := errors.AsType[*waitError](err)
	failure, ofProvider := errors.AsType[*providers.Error](err)
	switch {
	case panicked, dead:
		return true
	case waiting, final(err), errors.Is(err, errYield), errors.Is(err, store.ErrLeaseLost):
		return false
	case ofProvider:
		return !providers.Retryable(err) && !failure.ClientFault
	default:
		return errors.Is(err, store.ErrInvalid)
	}
}

// settleItem deals with the failure of an item. It returns an error when the
// session has to end.
func (s *session) settleItem(ctx context.Context, item store.InboxItem, p part, failure error) error {
	switch {
	case failure == nil:
		return nil
	case ctx.Err() != nil || !counted(failure):
		return failure
	}
	item.Attempts++
	item.NextAt = now().Add(retryPause(item.Attempts))
	dead, ok := errors.AsType[*deadError](failure)
	_, panicked := errors.AsType[*panicError](failure)
	s.cfg.Logger.WarnContext(ctx, "inbox item failed", "connection", s.conn.ID, "attempt", item.Attempts, "err", failure)
	event := DeliveryEvent{
		Provider: s.conn.Provider, Delivery: item.ID, Connection: s.conn.ID, Attempts: item.Attempts, Err: failure,
	}
	if !ok && item.Attempts < s.cfg.DeliveryAttempts {
		call(ctx, s.Engine, s.cfg.Hooks.Delivered, event)
		return s.cfg.Store.UpdateItem(ctx, item)
	}
	reason := reasonFailed
	switch {
	case ok:
		reason = dead.reason
	case panicked:
		reason = reasonPanic
	}
	point := s.conn.Provider
	if !p.Signed && !ok {
		point += "/" + s.conn.ID
	}
	letter, err := deadItem(item, point, s.conn.UpstreamID, reason)
	if err != nil {
		return err
	}
	if _, err := s.cfg.Store.PutDelivery(ctx, letter); err != nil {
		return err
	}
	if gone, err := s.dropForgotten(ctx, letter); err != nil {
		return err
	} else if gone {
		return store.ErrErased
	}
	s.alarm(ctx, AlarmEvent{Kind: AlarmDeadLetter, Provider: s.conn.Provider, Connection: s.conn.ID, Err: failure}, 1)
	event.Status = store.DeliveryDead
	call(ctx, s.Engine, s.cfg.Hooks.Delivered, event)
	_, err = s.cfg.Store.Commit(ctx, store.Batch{
		User: s.conn.User, Connection: s.conn.ID, Lease: s.lease, Now: now(), Acks: []string{item.ID},
	})
	return err
}

// applyRecords commits the records of a delivery together with its
// acknowledgement. The store's rules about versions sort out what came late,
// twice or in disorder; days that contradict what is stored are read again.
func (s *session) applyRecords(ctx context.Context, item store.InboxItem, note providers.Notification) error {
	at := now()
	order := item.Received
	if !note.At.IsZero() {
		order = note.At
	}
	byStream := make(map[string][]health.Record)
	for _, r := range note.Records {
		if r.Rev.Order == 0 {
			r.Rev.Order = order.UnixMilli()
		}
		r.Rev.Push = true
		name, _, _ := strings.Cut(r.Key, "/")
		byStream[name] = append(byStream[name], r)
	}
	batch := store.Batch{
		User: s.conn.User, Connection: s.conn.ID, Lease: s.lease, Now: at, Cause: store.CauseLive, Acks: []string{item.ID},
	}
	var reports []StreamReport
	for _, stream := range s.caps.Streams {
		records := byStream[stream.Name]
		delete(byStream, stream.Name)
		if len(records) == 0 {
			continue
		}
		w := walker{session: s, stream: stream}
		good, bad := w.accept(providers.Page{Records: records}, at)
		page := store.Page{Stream: stream.Name, Key: "push", Records: good, Raw: rawOf(note, stream.Name, order)}
		for _, q := range bad {
			page.Quarantined = append(page.Quarantined, store.Quarantined{
				Connection: s.conn.ID, Stream: stream.Name, Key: q.Key, Reason: q.Reason, At: at,
			})
		}
		if err := s.sealRaw(ctx, &page); err != nil {
			return err
		}
		batch.Pages = append(batch.Pages, page)
		reports = append(reports, StreamReport{Stream: stream.Name, Lane: store.LaneLive, Pages: 1, Quarantined: len(bad)})
	}
	if len(byStream) > 0 {
		return &deadError{reasonUnreadable} // of streams that the adapter does not have
	}
	awaited, err := s.arrive(ctx, note, at)
	if err != nil {
		return err
	}
	awaited.join(&batch)
	result, err := s.cfg.Store.Commit(ctx, batch)
	if err != nil {
		return err
	}
	s.arrived(ctx, awaited)
	call(ctx, s.Engine, s.cfg.Hooks.Delivered, DeliveryEvent{
		Provider: s.conn.Provider, Delivery: item.ID, Connection: s.conn.ID, Attempts: item.Attempts,
	})
	conflicts := result.Conflicts
	result.Conflicts = nil
	for i := range reports {
		if i == 0 {
			reports[i].Result = result
		}
		for _, c := range conflicts {
			if strings.HasPrefix(c.Key, reports[i].Stream+"/") {
				reports[i].Result.Conflicts = append(reports[i].Result.Conflicts, c)
			}
		}
		s.report.Streams = append(s.report.Streams, reports[i])
	}
	for _, stream := range s.caps.Streams {
		for _, rep := range reports {
			if rep.Stream == stream.Name && len(rep.Result.Conflicts) > 0 {
				if err := s.reconcile(ctx, stream, now()); err != nil && ctx.Err() != nil {
					return err
				}
			}
		}
	}
	return nil
}

// rawOf returns what the records of a stream came from, if the adapter says so.
func rawOf(note providers.Notification, stream string, at time.Time) *health.RawPage {
	for _, raw := range note.Raw {
		if raw.Stream == stream && len(raw.Bodies) > 0 {
			if raw.Date.IsZero() {
				raw.Date = at
			}
			return &raw
		}
	}
	return nil
}

// deauthorized finds out whether a consent was taken back, as the service says:
// the service's answer to a call decides, because the delivery may be older
// than the consent. It is asked also where the delivery is signed: deliveries
// come in any order, and after a day.
func (s *session) deauthorized(ctx context.Context, item store.InboxItem) error {
	err := s.probe(ctx)
	switch {
	case errors.Is(err, providers.ErrReauth):
		if err := s.revoked(ctx); err != nil {
			return err
		}
		if err := s.acknowledge(ctx, item); err != nil {
			return err
		}
		return fmt.Errorf("%w: state %s", ErrConnectionState, store.StateRevoked)
	case err != nil:
		return err
	case item.Attempts == 0:
		// The service may take a moment to believe itself.
		item.Attempts, item.NextAt = 1, now().Add(hintWindow)
		return s.cfg.Store.UpdateItem(ctx, item)
	}
	return s.acknowledge(ctx, item)
}

// revoked moves the connection to StateRevoked, unless the person consented
// anew or the host ended it.
func (s *session) revoked(ctx context.Context) error {
	next, err := s.changeState(ctx, s.conn.ID, "provider", func(c *store.Connection) bool {
		if !inOrder(*c) && c.State != store.StateReauthRequired {
			return false
		}
		stored, err := s.cfg.Store.Credential(ctx, c.ID)
		if err == nil && s.grant != "" && stored.Grant != s.grant {
			return false
		}
		c.State, c.Reason = store.StateRevoked, "consent taken back"
		return true
	})
	if err == nil {
		s.conn = next
	}
	return err
}

// probe makes one small call with the connection's credential.
func (s *session) probe(ctx context.Context) error {
	for _, stream := range s.caps.Streams {
		if !s.permitted(stream) {
			continue
		}
		q := walkQuery{}
		if stream.Grain != providers.GrainNone {
			at := now()
			from, to := timeline(stream, at.Add(-time.Hour), at, s.zone())
			w, _ := backward(stream, from, to)
			q.From, q.To, q.First, q.Last = w.From, w.To, w.First, w.Last
		}
		_, err := s.fetch(ctx, stream, store.LaneLive, q.query(stream.Name, ""))
		if errors.Is(err, providers.ErrForbidden) {
			continue
		}
		return err
	}
	return nil
}

// relink gives the connection the upstream id that replaces its old one.
func (s *session) relink(ctx context.Context, item store.InboxItem, p part) error {
	note := p.Note
	taken, known, err := s.connectionOf(ctx, s.conn.Provider, note.UpstreamID)
	anothers := func() bool { return known && taken.ID != s.conn.ID && taken.UpstreamID == note.UpstreamID }
	switch {
	case err != nil:
		return err
	case anothers():
		// The person consented anew, under a connection of its own.
		return s.replaced(ctx, item, p, taken)
	case !p.Signed || note.UpstreamID == "":
		return s.acknowledge(ctx, item)
	}
	if s.conn.UpstreamID == note.OldUpstreamID {
		if err := s.relinkCredential(ctx, s.conn, note.UpstreamID); err != nil {
			return err
		}
		s.generation = 0 // the session holds the one with the old id
		if err := s.rememberFormer(ctx, s.conn.Provider, note.OldUpstreamID, s.conn.ID); err != nil {
			return err
		}
		if err := s.noteFormer(ctx, s.conn, note.OldUpstreamID); err != nil {
			return err
		}
	}
	moved := false
	var lookup error
	next, err := s.changeState(ctx, s.conn.ID, "provider", func(c *store.Connection) bool {
		if moved = c.UpstreamID == note.OldUpstreamID && c.State != store.StateDeleting; !moved {
			return false
		}
		// The connection that the person consented under may be stored meanwhile,
		// and the store does not give its id to another one.
		if taken, known, lookup = s.connectionOf(ctx, c.Provider, note.UpstreamID); lookup != nil || anothers() {
			return false
		}
		c.UpstreamID = note.UpstreamID
		if c.State == store.StateReauthRequired || c.State == store.StateRevoked {
			c.State, c.Reason = store.StateActive, ""
		}
		return true
	})
	switch err := errors.Join(err, lookup); {
	case err != nil:
		return err
	case anothers():
		return s.replaced(ctx, item, p, taken)
	}
	s.conn = next
	if moved {
		s.audit(ctx, AuditEvent{
			Action: "relink", Actor: "provider", User: next.User, Connection: next.ID, Provider: next.Provider,
		}, nil)
	}
	err = errors.Join(
		s.rememberAccount(ctx, next.Provider, next.UpstreamID),
		s.releaseParked(ctx, next.Provider, next.UpstreamID),
	)
	if err != nil {
		return err
	}
	return s.acknowledge(ctx, item)
}

// pull reads the streams that hints name, each once, and acknowledges the hints
// afterwards. In the background it reads those that are due in between: however
// often hints come, and however little a limit allows, what was not read for the
// longest time goes first. It reports whether it makes sense to look for more
// items.
func (s *session) pull(ctx context.Context, hints []hint) (more bool, err error) {
	if len(hints) == 0 {
		return true, nil
	}
	failures := make(map[string]error)
	if _, err := s.readZone(ctx); err != nil {
		return false, err
	}
	streams, err := s.byAge(ctx)
	if err != nil {
		return false, err
	}
	for _, stream := range streams {
		about := slices.DeleteFunc(slices.Clone(hints), func(h hint) bool { return !h.names(stream.Name) })
		if len(about) == 0 && !s.background {
			continue
		}
		err := s.guard(ctx, "stream "+stream.Name, s.about(), func() error {
			if len(about) == 0 {
				return s.syncStream(ctx, stream)
			}
			return s.pullStream(ctx, stream, about)
		})
		if err == nil {
			continue
		}
		if _, panicked := errors.AsType[*panicError](err); panicked {
			s.report.Streams = append(s.report.Streams, StreamReport{Stream: stream.Name, Lane: store.LaneLive, Err: err})
		}
		_, waiting := errors.AsType[*waitError](err)
		switch {
		case ctx.Err() != nil, final(err), errors.Is(err, errYield), errors.Is(err, store.ErrLeaseLost):
			return false, err
		case len(about) == 0: // it is no failure of a hint
		case waiting:
			return false, err
		default:
			failures[stream.Name] = err
		}
	}
	var done []store.InboxItem
	for _, h := range hints {
		failure := h.failure(failures)
		early, tooEarly := errors.AsType[*earlyError](failure)
		switch {
		case failure == nil:
			done = append(done, h.item)
		case tooEarly:
			h.item.NextAt = early.until
			if err := s.cfg.Store.UpdateItem(ctx, h.item); err != nil {
				return false, err
			}
		case counted(failure):
			if err := s.settleItem(ctx, h.item, h.part, failure); err != nil {
				return false, err
			}
		default:
			h.item.NextAt = retryAt(failure, now(), hintWindow)
			if err := s.cfg.Store.UpdateItem(ctx, h.item); err != nil {
				return false, err
			}
		}
	}
	return len(failures) == 0, s.acknowledge(ctx, done...)
}

// earlyError says that hints that nobody vouches for have to wait.
type earlyError struct{ until time.Time }

func (e *earlyError) Error() string { return "sync: read a moment ago" }

// pullStream reads one stream anew for the sake of hints, as far as the
// look-back and the period that they name reach.
func (s *session) pullStream(ctx context.Context, stream providers.Stream, hints []hint) error {
	at := now()
	var window health.Window
	ids, vouched := make([]string, 0, len(hints)), false
	for _, h := range hints {
		if !h.part.Again {
			window = widest(window, clampNotified(h.part.Note.Window, at))
		}
		ids = append(ids, h.item.ID)
		vouched = vouched || h.part.Signed
	}
	news := newsOf(ids)
	st, err := s.standing(ctx, stream, store.LaneLive)
	if err != nil {
		return err
	}
	if !st.walking && st.pos.News == news {
		// An earlier turn read it for these hints, and was cut in another
		// stream, or in what is left here.
		st, err := s.standing(ctx, stream, store.LaneReconcile)
		if err != nil || !st.left {
			return err
		}
		return s.reconcile(ctx, stream, at)
	}
	for _, h := range hints {
		if from, to := h.period(stream, at); h.part.Again {
			if err := s.readAgain(ctx, stream, from, to); err != nil {
				return err
			}
		}
	}
	other := false
	switch next := st.pos.NewsAt.Add(hintWindow); {
	case vouched, st.walking && st.news == news:
	case st.walking && st.news != "":
		// A reading for other hints goes on; these have the next one.
		news, other = st.news, true
	case !st.pos.NewsAt.IsZero() && at.Before(next):
		return &earlyError{minTime(next, at.Add(hintWindow))}
	}
	course, err := s.live(ctx, stream, at)
	if err != nil {
		return err
	}
	course.news, course.hinted = news, true
	course.reach(window)
	skipped, err := s.runLane(ctx, stream, store.LaneLive, course)
	if errors.Is(err, errPending) {
		return &earlyError{at.Add(pendingLook)}
	}
	if err == nil && !skipped {
		err = s.reconcile(ctx, stream, at)
	}
	if err == nil && !skipped && other {
		return &earlyError{now().Add(hintWindow)}
	}
	return err
}

// names reports whether a hint is about a stream.
func (h hint) names(stream string) bool {
	return len(h.part.Note.Streams) == 0 || slices.Contains(h.part.Note.Streams, stream)
}

// failure returns why a hint is not done: the failure of one of its streams, a
// passing one before others.
func (h hint) failure(failures map[string]error) error {
	var found error
	for _, stream := range slices.Sorted(maps.Keys(failures)) {
		if h.names(stream) && (found == nil || !counted(failures[stream])) {
			found = failures[stream]
		}
	}
	return found
}

// newsOf identifies a set of hints.
func newsOf(ids []string) string {
	sum := sha256.Sum256(associated(ids...))
	return hex.EncodeToString(sum[:8])
}

// clampNotified bounds what a delivery may have read again. A period that makes
// no sense is none: the look-back is then read.
func clampNotified(w health.Window, now time.Time) health.Window {
	from, to := w.From, w.To
	if w.Days() {
		from, to = midnight(w.First), midnight(w.Last.Add(1))
	}
	oldest, newest := now.Add(-notifiedReach), now.Add(notifiedAhead)
	if from.IsZero() || !from.Before(to) || to.Before(oldest) || from.After(newest) {
		return health.Window{}
	}
	if from.Before(oldest) {
		from = oldest
	}
	return health.Window{From: from, To: minTime(to, newest)}
}

// widest returns the window of instants that holds both.
func widest(a, b health.Window) health.Window {
	switch {
	case a.IsZero():
		return b
	case b.IsZero():
		return a
	}
	if b.To.After(a.To) {
		a.To = b.To
	}
	a.From = minTime(a.From, b.From)
	return a
}

// workLifecycle works on the items of a connection that is not in order: those
// that change its state. Others wait for the person to consent again, as long
// as deliveries about unknown people do.
func (e *Engine) workLifecycle(ctx context.Context, connection string) error {
	grant := e.grantOf(ctx, connection) // before the state, so that a consent after it is seen
	conn, err := e.cfg.Store.Connection(ctx, connection)
	if err != nil || conn.State == store.StateDeleting {
		return err
	}
	if _, ok := e.providers[conn.Provider]; !ok {
		return nil // another process has the provider
	}
	if conn.State == store.StatePending {
		if conn, err = e.finishLink(ctx, conn); err != nil {
			return err
		}
	}
	if inOrder(conn) {
		return nil
	}
	query := store.InboxQuery{User: conn.User, Connection: conn.ID, ReadyAt: now(), Limit: itemBatch}
	list, err := e.cfg.Store.InboxItems(ctx, query)
	if err != nil || len(list) == 0 {
		return err
	}
	lease, err := e.cfg.Store.Acquire(ctx, connection, leaseSync, e.cfg.LeaseTTL)
	if err != nil {
		return err
	}
	s := &session{
		Engine: e, lease: lease, conn: conn, grant: grant, provider: e.providers[conn.Provider], caps: e.capabilities[conn.Provider],
	}
	defer s.release()
	ctx, cancel := context.WithTimeout(ctx, e.cfg.LeaseTTL/2)
	defer cancel()
	for _, item := range list {
		p, err := decodePart(item.Payload)
		if err == nil {
			err = s.guard(ctx, "item", s.about(), func() error { return s.workOutOfOrder(ctx, item, p) })
		}
		if err := s.settleItem(ctx, item, p, err); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) workOutOfOrder(ctx context.Context, item store.InboxItem, p part) error {
	switch event := p.Note.Event; {
	case event == providers.EventReauth:
		if err := s.relink(ctx, item, p); err != nil {
			return err
		}
		if inOrder(s.conn) {
			return s.makeDue(ctx, s.conn.ID)
		}
		return nil
	case event == providers.EventDeauth && p.Signed && s.conn.State == store.StateReauthRequired && !s.stale(p.Note):
		if err := s.revoked(ctx); err != nil {
			return err
		}
		return s.acknowledge(ctx, item)
	case (event == providers.EventData || event == providers.EventRequest) && s.conn.State != store.StateRevoked && s.conn.State != store.StateRetired &&
		(s.cfg.ParkFor < 0 || now().Before(item.Received.Add(s.cfg.ParkFor))):
		item.NextAt = now().Add(deferredLook)
		return s.cfg.Store.UpdateItem(ctx, item)
	case event == providers.EventData && s.conn.Reason == reasonReplaced:
		if heir, ok, err := s.heir(ctx); err != nil {
			return err
		} else if ok {
			return s.passOn(ctx, item, p, heir)
		}
	}
	if err := s.acknowledge(ctx, item); err != nil || p.Note.Event != providers.EventData {
		return err
	}
	s.audit(ctx, AuditEvent{Action: "drop", Actor: "engine", User: s.conn.User, Connection: s.conn.ID, Provider: s.conn.Provider}, nil)
	return nil
}
