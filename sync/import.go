package sync

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

// ImportRequest says whose data is imported.
type ImportRequest struct {
	// Connection is what the data goes to, in whatever state it is. Empty: the
	// user's connection to the account at the provider, and where there is none a
	// new one in state archive, which has no credential and is never read.
	Connection string
	User       string
	Provider   string
	// UpstreamID is the person's id at the provider. It tells several accounts of
	// a user apart, and a successor that names it goes on with what was imported.
	// It may be empty.
	UpstreamID string
	// Zone is the IANA name of the person's zone, for a connection that does not
	// know it: without one, times that were written without an offset float.
	Zone string
}

// Import maps answers of a provider that were kept elsewhere, by the provider's
// [providers.Archiver], and stores what they hold, a page in one step. Records
// have the keys that they have when they are read from the provider, so that a
// version of the archive that is older than what is stored changes nothing. An
// import may be repeated, and one that was interrupted goes on: pages that are
// stored are recognised. What cannot be mapped is set aside ([Engine.Quarantine])
// and the others go on.
//
// The sequence may be made while it is read: only one page is held in memory.
// Its first error ends the import. Pages that tell the person's zone should come
// first.
//
// It returns [errors.ErrUnsupported] for a provider without an Archiver,
// [ErrLinked] when the account is another user's, and [store.ErrLeaseHeld] while
// somebody else works on the connection.
func (e *Engine) Import(ctx context.Context, r ImportRequest, pages iter.Seq2[health.RawPage, error]) (Report, error) {
	conn, err := e.archive(ctx, r)
	if err != nil {
		return Report{Connection: conn.ID}, err
	}
	archiver, err := e.archiver(conn.Provider)
	if err != nil {
		return Report{Connection: conn.ID}, err
	}
	s, working, err := e.openIf(ctx, conn.ID, e.importable)
	if err != nil {
		return Report{Connection: conn.ID}, err
	}
	defer s.close()
	err = e.guard(ctx, "import", s.about(), func() error { return s.importAll(working, r, archiver, pages) })
	if cause := context.Cause(working); cause != nil && ctx.Err() == nil {
		err = errors.Join(cause, err)
	}
	e.audit(context.WithoutCancel(ctx), AuditEvent{
		Action: "import", Actor: "host", User: conn.User, Connection: conn.ID, Provider: conn.Provider,
	}, err)
	return s.report, err
}

func (e *Engine) archiver(provider string) (providers.Archiver, error) {
	archiver, ok := e.providers[provider].(providers.Archiver)
	if !ok {
		return nil, fmt.Errorf("sync: provider %s: %w", provider, errors.ErrUnsupported)
	}
	return archiver, nil
}

// importable returns the connection if something may be imported into it.
func (e *Engine) importable(ctx context.Context, connection string) (store.Connection, error) {
	conn, err := e.cfg.Store.Connection(ctx, connection)
	if err == nil && conn.State == store.StateDeleting {
		err = fmt.Errorf("%w: state %s", ErrConnectionState, conn.State)
	}
	return conn, err
}

// archive returns the connection that a request names or describes.
func (e *Engine) archive(ctx context.Context, r ImportRequest) (store.Connection, error) {
	if r.Connection != "" {
		return e.importable(ctx, r.Connection)
	}
	if _, ok := e.providers[r.Provider]; r.User == "" || !ok {
		return store.Connection{}, fmt.Errorf("%w: an import needs a connection, or a user and a provider", store.ErrInvalid)
	}
	if _, err := e.archiver(r.Provider); err != nil {
		return store.Connection{}, err
	}
	if _, err := loadZone(r.Zone); err != nil {
		return store.Connection{}, fmt.Errorf("%w: no such zone", store.ErrInvalid)
	}
	digest, err := e.keyedDigest(ctx, "archive", r.User, r.Provider, r.UpstreamID)
	if err != nil {
		return store.Connection{}, err
	}
	for {
		conn, found, err := e.archived(ctx, r)
		if err != nil || found {
			return conn, err
		}
		conn, err = e.cfg.Store.PutConnection(ctx, store.Connection{
			ID: digest, User: r.User, Provider: r.Provider, UpstreamID: r.UpstreamID, State: store.StateArchive,
			Zone: r.Zone, CreatedAt: now().UTC(),
		})
		if err == nil {
			return conn, e.bridge(ctx, r.User)
		}
		if !errors.Is(err, store.ErrConflict) || ctx.Err() != nil {
			return conn, err
		}
	}
}

// archived returns the connection of a request that names none; false if there
// is none yet.
func (e *Engine) archived(ctx context.Context, r ImportRequest) (conn store.Connection, found bool, err error) {
	query := store.ConnectionQuery{User: r.User, Provider: r.Provider}
	if r.UpstreamID != "" {
		query = store.ConnectionQuery{Provider: r.Provider, UpstreamID: r.UpstreamID}
	}
	list, err := e.cfg.Store.Connections(ctx, query)
	switch {
	case err != nil || len(list) == 0:
		return store.Connection{}, false, err
	case list[0].User != r.User:
		return store.Connection{}, false, ErrLinked
	case len(list) > 1:
		return store.Connection{}, false, fmt.Errorf("%w: the user has several connections at the provider", store.ErrInvalid)
	}
	conn, err = e.importable(ctx, list[0].ID)
	return conn, err == nil, err
}

// importAll imports all pages.
func (s *session) importAll(ctx context.Context, r ImportRequest, archiver providers.Archiver, pages iter.Seq2[health.RawPage, error]) error {
	if s.conn.Zone == "" {
		if err := s.learnZone(ctx, r.Zone); err != nil {
			return err
		}
	}
	reports := make(map[string]int) // indexes into the session's report
	for page, err := range pages {
		if err == nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		i, ok := reports[page.Stream]
		if !ok {
			i = len(s.report.Streams)
			reports[page.Stream] = i
			s.report.Streams = append(s.report.Streams, StreamReport{Stream: page.Stream, Lane: store.LaneBackfill})
		}
		if err := s.importPage(ctx, archiver, page, &s.report.Streams[i]); err != nil {
			return err
		}
	}
	return nil
}

// strayStream is the stream under which data is set aside that names a stream
// that the provider does not have.
const strayStream = "import"

// importPage maps and stores one page.
func (s *session) importPage(ctx context.Context, archiver providers.Archiver, raw health.RawPage, rep *StreamReport) error {
	began := now()
	if raw.Zone == "" {
		raw.Zone = s.conn.Zone
	}
	stream := raw.Stream
	if _, known := s.caps.StreamNamed(stream); !known {
		stream = strayStream
	}
	mapped, raw, err := mapArchived(archiver, stream, raw)
	if err != nil {
		return err
	}
	if err := s.learnZone(ctx, mapped.Zone); err != nil {
		return err
	}
	w := walker{session: s, stream: providers.Stream{Name: stream}}
	records, bad := w.accept(mapped, began)
	page := store.Page{Stream: stream, Key: archiveKey(raw), Digest: mapped.Digest, Records: records}
	if len(raw.Bodies) > 0 {
		page.Raw = &raw
	}
	if len(bad) > 0 {
		page.Digest = 0 // to be looked at again
	}
	for _, q := range bad {
		page.Quarantined = append(page.Quarantined, store.Quarantined{
			Connection: s.conn.ID, Stream: stream, Key: q.Key, Reason: q.Reason, Raw: q.Raw, At: began,
		})
	}
	if err := s.sealRaw(ctx, &page); err != nil {
		return err
	}
	result, err := s.cfg.Store.Commit(ctx, store.Batch{
		User: s.conn.User, Connection: s.conn.ID, Lease: s.lease, Now: began, Cause: store.CauseBackfill, Pages: []store.Page{page},
	})
	if err != nil {
		return fmt.Errorf("stream %s: %w", stream, err)
	}
	rep.Pages++
	rep.Quarantined += len(bad)
	add(&rep.Result, result)
	for _, q := range bad {
		q.Raw = nil // it is in the store, and no hook's business
		call(ctx, s.Engine, s.cfg.Hooks.Quarantined, QuarantineEvent{
			Connection: s.conn.ID, Provider: s.conn.Provider, Stream: stream, Item: q,
		})
	}
	call(ctx, s.Engine, s.cfg.Hooks.PageCommitted, PageEvent{
		Connection: s.conn.ID, Provider: s.conn.Provider, Stream: stream, Lane: store.LaneBackfill, Result: result, Took: time.Since(began),
	})
	return nil
}

// mapArchived maps a page. Answers that spoil it are set aside, and it is mapped
// without them, which it also returns.
func mapArchived(archiver providers.Archiver, stream string, raw health.RawPage) (providers.Page, health.RawPage, error) {
	mapped, err := archiver.MapArchive(raw)
	if err == nil {
		return mapped, raw, nil
	}
	if !unusable(err) {
		return mapped, raw, err
	}
	good, bad := raw, raw
	good.Bodies, bad.Bodies = nil, nil
	for _, body := range raw.Bodies {
		alone := raw
		alone.Bodies = []health.RawBody{body}
		if _, err := archiver.MapArchive(alone); err != nil && unusable(err) {
			bad.Bodies = append(bad.Bodies, body)
		} else {
			good.Bodies = append(good.Bodies, body)
		}
	}
	if len(bad.Bodies) == 0 { // each is good and they do not go together
		bad, good.Bodies = good, nil
	}
	var rest providers.Page
	if len(good.Bodies) > 0 {
		var failure error
		switch rest, failure = archiver.MapArchive(good); {
		case failure == nil:
		case unusable(failure):
			rest, bad, good.Bodies = providers.Page{}, raw, nil
		default:
			return rest, good, failure
		}
	}
	rest.Quarantined = append(rest.Quarantined, strays(stream, bad, err)...)
	return rest, good, nil
}

// unusable reports whether a failure to map is of what was to be mapped.
func unusable(err error) bool {
	return errors.Is(err, providers.ErrMalformed) || errors.Is(err, providers.ErrInvalid) || errors.Is(err, errors.ErrUnsupported)
}

// strays sets aside the bodies of a page that is none.
func strays(stream string, raw health.RawPage, failure error) []providers.Quarantined {
	reason := "not an answer of the provider"
	if e, ok := errors.AsType[*providers.Error](failure); ok && e.Code != "" {
		reason += ": " + e.Code
	}
	var all []providers.Quarantined
	for i, body := range raw.Bodies {
		key := stream + "/" + body.Name
		if len(key) > health.MaxKey || !utf8.ValidString(key) || body.Name == "" {
			key = stream + "/#" + strconv.Itoa(i)
		}
		all = append(all, providers.Quarantined{Key: key, Reason: reason, Raw: body.Body})
	}
	return all
}

// archiveKey names a page by what it answers.
func archiveKey(raw health.RawPage) string {
	names := make([]string, len(raw.Bodies))
	for i, body := range raw.Bodies {
		names[i] = body.Name
	}
	return "import/" + strconv.FormatUint(health.Digest(associated(names...)), 36)
}
