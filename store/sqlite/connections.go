package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

// PutConnection implements [store.Connections].
func (s *Store) PutConnection(ctx context.Context, c store.Connection) (store.Connection, error) {
	if err := c.Validate(); err != nil {
		return store.Connection{}, err
	}
	scopes, err := json.Marshal(c.Scopes)
	if err != nil {
		return store.Connection{}, err
	}
	var put store.Connection
	err = s.write(ctx, func(t *tx) error {
		t.touch(c.ID)
		if err := t.checkErased(background, c.User); err != nil {
			return err
		}
		if err := t.scopeOf(c.User, c.ID, &scope{}); err != nil {
			return err
		}
		version, provider := int64(0), c.Provider
		if _, err := t.one(background, func(r row) { version, provider = r.int(0), r.text(1) },
			"SELECT version, provider FROM connection WHERE id = ?1", c.ID); err != nil {
			return err
		}
		if provider != c.Provider {
			return invalid("provider of a connection changed")
		}
		if version != c.Version {
			return fmt.Errorf("sqlite: connection at version %d: %w", version, store.ErrConflict)
		}
		if c.UpstreamID != "" {
			taken, err := t.one(background, func(row) {},
				"SELECT 1 FROM connection WHERE provider = ?1 AND upstream = ?2 AND id <> ?3", c.Provider, c.UpstreamID, c.ID)
			if err != nil {
				return err
			}
			if taken {
				return fmt.Errorf("sqlite: upstream id is another connection's: %w", store.ErrConflict)
			}
		}
		if _, err := t.exec(background, `INSERT INTO connection(id, user, provider, upstream, state, reason, zone, scopes, predecessor, created, version)
			VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT(id) DO UPDATE SET
				upstream = excluded.upstream, state = excluded.state, reason = excluded.reason, zone = excluded.zone,
				scopes = excluded.scopes, predecessor = excluded.predecessor, created = excluded.created, version = excluded.version`,
			c.ID, c.User, c.Provider, c.UpstreamID, string(c.State), c.Reason, c.Zone, string(scopes), c.Predecessor,
			c.CreatedAt, c.Version+1); err != nil {
			return err
		}
		// Read here: ctx may have ended, and the connection is stored all the same.
		return t.each(background, func(r row) (err error) {
			put, err = scanConnection(r)
			return err
		}, "SELECT "+connectionColumns+" FROM connection WHERE id = ?1", c.ID)
	})
	if err != nil {
		return store.Connection{}, err
	}
	return put, nil
}

const connectionColumns = "id, user, provider, upstream, state, reason, zone, scopes, predecessor, created, version"

func scanConnection(r row) (store.Connection, error) {
	c := store.Connection{
		ID: r.text(0), User: r.text(1), Provider: r.text(2), UpstreamID: r.text(3), State: store.State(r.text(4)),
		Reason: r.text(5), Zone: r.text(6), Predecessor: r.text(8), CreatedAt: r.time(9), Version: r.int(10),
	}
	return c, json.Unmarshal([]byte(r.text(7)), &c.Scopes)
}

// Connection implements [store.Connections].
func (s *Store) Connection(ctx context.Context, id string) (store.Connection, error) {
	var c store.Connection
	found := false
	err := s.read(ctx, func(x *conn) error {
		return x.each(ctx, func(r row) (err error) {
			found = true
			c, err = scanConnection(r)
			return err
		}, "SELECT "+connectionColumns+" FROM connection WHERE id = ?1", id)
	})
	if err == nil && !found {
		err = store.ErrNotFound
	}
	return c, err
}

// Connections implements [store.Connections].
func (s *Store) Connections(ctx context.Context, q store.ConnectionQuery) ([]store.Connection, error) {
	if q.Coverage && q.User == "" {
		return nil, invalid("coverage of the connections of everybody")
	}
	where, args := []string{"id > ?1"}, []any{q.After, limit(q.Limit, 1000)}
	for _, f := range []struct{ column, value string }{
		{"user", q.User}, {"provider", q.Provider}, {"upstream", q.UpstreamID}, {"state", string(q.State)},
	} {
		if f.value != "" {
			args = append(args, f.value)
			where = append(where, fmt.Sprintf("%s = ?%d", f.column, len(args)))
		}
	}
	query := "SELECT " + connectionColumns + " FROM connection WHERE " + strings.Join(where, " AND ") + " ORDER BY id LIMIT ?2"
	if q.Coverage {
		query = "SELECT c.*, stream, days, first, last FROM (" + query + ") AS c LEFT JOIN coverage ON connection = c.id ORDER BY c.id, stream, days DESC, first"
	}
	var list []store.Connection
	err := s.read(ctx, func(x *conn) error {
		return x.each(ctx, func(r row) error {
			if len(list) == 0 || list[len(list)-1].ID != r.text(0) {
				c, err := scanConnection(r)
				if err != nil {
					return err
				}
				list = append(list, c)
			}
			if !q.Coverage || r.null(12) {
				return nil
			}
			c := &list[len(list)-1]
			if c.Coverage == nil {
				c.Coverage = make(map[string][]health.Window)
			}
			stream := r.text(11)
			c.Coverage[stream] = append(c.Coverage[stream], scanWindow(r, 12))
			return nil
		}, query, args...)
	})
	return list, err
}

// limit returns n, or def for a limit that is not set.
func limit(n, def int) int {
	if n <= 0 {
		return def
	}
	return n
}

// DeleteConnection implements [store.Connections].
func (s *Store) DeleteConnection(ctx context.Context, id string, data bool) error {
	err := s.write(ctx, func(t *tx) error {
		t.touch(id)
		if err := t.removeConnection(id); err != nil {
			return err
		}
		if !data {
			return nil
		}
		t.dropped = true
		sc, found, err := t.conn.scope(background, id)
		if err != nil || !found {
			return err
		}
		if err := t.removeData(id, sc, &store.Erasure{}, true); err != nil {
			return err
		}
		if _, err = t.exec(background, "DELETE FROM link WHERE id = ?1", sc.link); err != nil {
			return err
		}
		return t.scrub()
	})
	if err == nil && data {
		err = s.writer.check.truncate(s.writer.patience)
	}
	return err
}

// removeConnection removes a connection and how it was synced, and leaves its
// data.
func (t *tx) removeConnection(id string) error {
	for _, table := range []string{"credential", "cursor", "due", "lease", "inbox"} {
		if _, err := t.exec(background, "DELETE FROM "+table+" WHERE connection = ?1", id); err != nil {
			return err
		}
	}
	_, err := t.exec(background, "DELETE FROM connection WHERE id = ?1", id)
	return err
}

// removeData removes what was stored for a connection. With haunt the feed
// keeps what it says of the records.
func (t *tx) removeData(connection string, sc scope, e *store.Erasure, haunt bool) error {
	if haunt {
		if _, err := t.exec(background, `INSERT INTO ghost(record, link, kind, key, day)
			SELECT r.id, ?2, s.kind, s.name || '/' || r.rid, r.day
			FROM change AS c CROSS JOIN record AS r ON r.id BETWEEN c.first AND c.last
			CROSS JOIN stream AS s ON s.id = r.stream WHERE c.link = ?1 AND s.link = ?1
			ON CONFLICT(record) DO NOTHING`, sc.link, connection); err != nil {
			return err
		}
	}
	if _, err := t.exec(background, `INSERT INTO meta(name, value) SELECT 'record_floor', coalesce(max(id), 0) FROM record WHERE true
		ON CONFLICT(name) DO UPDATE SET value = max(value, excluded.value)`); err != nil {
		return err
	}
	n, err := t.exec(background, `DELETE FROM chunk WHERE id IN (
		SELECT c.id FROM series AS s JOIN owner AS o ON o.series = s.id
		JOIN chunk AS c ON c.id BETWEEN o.id << 32 AND (o.id << 32) + 4294967295 WHERE s.link = ?1)`, sc.link)
	if err != nil {
		return err
	}
	e.SampleChunks += n
	for _, step := range []struct {
		query string
		count *int
	}{
		{"DELETE FROM owner WHERE series IN (SELECT id FROM series WHERE link = ?1)", nil},
		{"DELETE FROM series WHERE link = ?1", nil},
		{"DELETE FROM record WHERE young = 0 AND stream IN (SELECT id FROM stream WHERE link = ?1)", &e.Records},
		{"DELETE FROM record WHERE young = 1 AND stream IN (SELECT id FROM stream WHERE link = ?1)", &e.Records},
		{"DELETE FROM stream WHERE link = ?1", nil},
		{"DELETE FROM word WHERE link = ?1", nil},
		{"DELETE FROM raw WHERE link = ?1", &e.RawPages},
		{"DELETE FROM page WHERE link = ?1", nil},
		{"DELETE FROM quarantine WHERE link = ?1", nil},
	} {
		n, err := t.exec(background, step.query, sc.link)
		if err != nil {
			return err
		}
		if step.count != nil {
			*step.count += n
		}
	}
	for _, table := range []string{"coverage", "cursor"} {
		if _, err := t.exec(background, "DELETE FROM "+table+" WHERE connection = ?1", connection); err != nil {
			return err
		}
	}
	return nil
}

// cursor reads one cursor; the zero position if there is none.
func (c *conn) cursor(ctx context.Context, connection, stream string, lane store.Lane) (store.Cursor, error) {
	cur := store.Cursor{Connection: connection, Stream: stream, Lane: lane}
	_, err := c.one(ctx, func(r row) { scanCursor(r, &cur) },
		"SELECT "+cursorColumns+" FROM cursor WHERE connection = ?1 AND stream = ?2 AND lane = ?3", connection, stream, string(lane))
	return cur, err
}

const cursorColumns = "stream, lane, high, walking, query, token, candidate, started, pages"

func scanCursor(r row, c *store.Cursor) {
	c.Stream, c.Lane, c.HighWater = r.text(0), store.Lane(r.text(1)), r.text(2)
	if r.int(3) != 0 {
		c.Walk = &store.Walk{
			Query: r.text(4), PageToken: r.text(5), Candidate: r.text(6), StartedAt: r.time(7), Pages: int(r.int(8)),
		}
	}
}

// sameCursor compares positions to the millisecond.
func sameCursor(a, b store.Cursor) bool {
	if a.HighWater != b.HighWater || (a.Walk == nil) != (b.Walk == nil) {
		return false
	}
	if a.Walk == nil {
		return true
	}
	x, y := *a.Walk, *b.Walk
	if x.StartedAt.IsZero() != y.StartedAt.IsZero() || x.StartedAt.UnixMilli() != y.StartedAt.UnixMilli() {
		return false
	}
	y.StartedAt = x.StartedAt
	return x == y
}

// Cursor implements [store.Reader].
func (s *Store) Cursor(ctx context.Context, connection, stream string, lane store.Lane) (store.Cursor, error) {
	var cur store.Cursor
	err := s.read(ctx, func(c *conn) (err error) {
		cur, err = c.cursor(ctx, connection, stream, lane)
		return err
	})
	return cur, err
}

// Cursors implements [store.Reader].
func (s *Store) Cursors(ctx context.Context, connection string) ([]store.Cursor, error) {
	var list []store.Cursor
	err := s.read(ctx, func(c *conn) error {
		return c.each(ctx, func(r row) error {
			cur := store.Cursor{Connection: connection}
			scanCursor(r, &cur)
			list = append(list, cur)
			return nil
		}, "SELECT "+cursorColumns+" FROM cursor WHERE connection = ?1 ORDER BY stream, lane", connection)
	})
	return list, err
}

// coverage reads the complete windows of a stream.
func (c *conn) coverage(ctx context.Context, connection, stream string) ([]health.Window, error) {
	var list []health.Window
	err := c.each(ctx, func(r row) error {
		list = append(list, scanWindow(r, 0))
		return nil
	}, "SELECT days, first, last FROM coverage WHERE connection = ?1 AND stream = ?2 ORDER BY days DESC, first", connection, stream)
	return list, err
}

// scanWindow reads the columns days, first and last, of which the first is i.
func scanWindow(r row, i int) health.Window {
	if r.int(i) != 0 {
		return health.Window{First: dayOf(r.int(i + 1)), Last: dayOf(r.int(i + 2))}
	}
	return health.Window{From: r.time(i + 1), To: r.time(i + 2)}
}

// epoch is the civil day that days are counted from.
var epoch = health.Day{Year: 1970, Month: 1, Dom: 1}

func dayOf(number int64) health.Day { return epoch.Add(int(number)) }

// Coverage implements [store.Reader].
func (s *Store) Coverage(ctx context.Context, connection, stream string) ([]health.Window, error) {
	var list []health.Window
	err := s.read(ctx, func(c *conn) (err error) {
		list, err = c.coverage(ctx, connection, stream)
		return err
	})
	return list, err
}
