package sqlite

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

// formatToken makes an opaque text of a place between two pages.
func formatToken(place any) (string, error) {
	text, err := json.Marshal(place)
	return base64.RawURLEncoding.EncodeToString(text), err
}

func parseToken(token string, place any) error {
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || json.Unmarshal(text, place) != nil {
		return invalid("page token")
	}
	return nil
}

// RawPages implements [store.Reader].
func (s *Store) RawPages(ctx context.Context, q store.RawQuery) (store.RawPageList, error) {
	after := int64(0)
	if q.After != "" {
		if err := parseToken(q.After, &after); err != nil {
			return store.RawPageList{}, err
		}
	}
	n := limit(q.Limit, 100)
	var list store.RawPageList
	more, last := false, int64(0)
	err := s.read(ctx, func(c *conn) error {
		sc, found, err := c.scope(ctx, q.Connection)
		if err != nil || !found {
			return err
		}
		return c.each(ctx, func(r row) error {
			if more = len(list.Pages) == n; more {
				return nil
			}
			last = r.int(0)
			page := health.RawPage{Stream: r.text(1), Date: r.time(2), Zone: r.text(3)}
			if page.Bodies, err = s.rawBodies(r.blob(4)); err != nil {
				return err
			}
			list.Pages = append(list.Pages, page)
			return nil
		}, `SELECT id, stream, date, zone, data FROM raw WHERE link = ?1 AND id > ?2 AND (?3 = '' OR stream = ?3)
			ORDER BY id LIMIT ?4`, sc.link, after, q.Stream, n+1)
	})
	if err == nil && more {
		list.Next, err = formatToken(last)
	}
	return list, err
}

// rawBodies unpacks what plan.packRaw packed.
func (s *Store) rawBodies(packed []byte) ([]health.RawBody, error) {
	data, err := s.packer.open(nil, bytes.Clone(packed))
	if err != nil {
		return nil, err
	}
	field := func() []byte {
		n, k := binary.Uvarint(data)
		if k <= 0 || n > uint64(len(data)-k) {
			err, data = errPacked, nil
			return nil
		}
		b := data[k : k+int(n) : k+int(n)]
		data = data[k+int(n):]
		return b
	}
	field() // the stream
	var bodies []health.RawBody
	for len(data) > 0 {
		name := field()
		bodies = append(bodies, health.RawBody{Name: string(name), Body: field()})
	}
	return bodies, err
}

// Quarantine implements [store.Reader].
func (s *Store) Quarantine(ctx context.Context, connection string, n int) ([]store.Quarantined, error) {
	var list []store.Quarantined
	err := s.read(ctx, func(c *conn) error {
		return c.each(ctx, func(r row) error {
			raw, err := s.packer.open(nil, bytes.Clone(r.blob(4)))
			if err != nil {
				return err
			}
			list = append(list, store.Quarantined{
				Connection: connection, Stream: r.text(0), Key: r.text(1), Reason: r.text(2), At: r.time(3), Raw: someBytes(raw),
			})
			return nil
		}, `SELECT q.stream, q.key, q.reason, q.at, q.raw FROM link AS l JOIN quarantine AS q ON q.link = l.id
			WHERE l.name = ?1 ORDER BY q.at DESC, q.id DESC LIMIT ?2`, connection, limit(n, 100))
	})
	return list, err
}
