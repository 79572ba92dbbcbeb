package redis

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

// Cursor implements [store.Reader].
func (s *Store) Cursor(ctx context.Context, connection, stream string, lane store.Lane) (store.Cursor, error) {
	c := store.Cursor{Connection: connection, Stream: stream, Lane: lane}
	end, err := s.begin(ctx)
	if err != nil {
		return c, err
	}
	defer end()
	value, err := s.connectionField(ctx, connection, "c", cursorField(stream, lane))
	if err == nil && value != "" {
		err = decodeCursor(&c, value)
	}
	return c, err
}

// connectionField reads a field of a hash of a connection.
func (s *Store) connectionField(ctx context.Context, connection, letter, field string) (value string, err error) {
	_, err = s.at(ctx, connection, func(sc scope) (bool, error) {
		var registered *goredis.BoolCmd
		var got *goredis.StringCmd
		err := s.view(ctx, sc.key(), func(p goredis.Pipeliner) {
			registered, got = p.HExists(ctx, sc.part("k"), connection), p.HGet(ctx, sc.of(letter, connection), field)
		})
		value = got.Val()
		return err == nil && registered.Val(), err
	})
	return value, err
}

// connectionHash reads a hash of a connection.
func (s *Store) connectionHash(ctx context.Context, connection, letter string) (values map[string]string, at scope, err error) {
	_, err = s.at(ctx, connection, func(sc scope) (bool, error) {
		at = sc
		var registered *goredis.BoolCmd
		var got *goredis.MapStringStringCmd
		err := s.view(ctx, sc.key(), func(p goredis.Pipeliner) {
			registered, got = p.HExists(ctx, sc.part("k"), connection), p.HGetAll(ctx, sc.of(letter, connection))
		})
		values = got.Val()
		return err == nil && registered.Val(), err
	})
	return values, at, err
}

// Cursors implements [store.Reader].
func (s *Store) Cursors(ctx context.Context, connection string) ([]store.Cursor, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	values, _, err := s.connectionHash(ctx, connection, "c")
	if err != nil {
		return nil, err
	}
	var list []store.Cursor
	for field, value := range values {
		if field == "" || field[0] != 'u' {
			continue
		}
		d := &decoder{b: field[1:]}
		c := store.Cursor{Connection: connection, Lane: store.Lane(d.text())}
		if c.Stream = d.b; d.bad {
			return nil, ErrDamaged
		}
		if err := decodeCursor(&c, value); err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b store.Cursor) int {
		return cmp.Or(cmp.Compare(a.Stream, b.Stream), cmp.Compare(a.Lane, b.Lane))
	})
	return list, nil
}

// Coverage implements [store.Reader].
func (s *Store) Coverage(ctx context.Context, connection, stream string) ([]health.Window, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	value, err := s.connectionField(ctx, connection, "v", stream)
	if err != nil {
		return nil, err
	}
	return decodeWindows(value)
}

func encodeWindows(list []health.Window) []byte {
	e := newEncoder()
	e.uint(uint64(len(list)))
	for _, w := range list {
		e.bool(w.Days())
		if w.Days() {
			e.int(dayNumber(w.First))
			e.int(dayNumber(w.Last))
		} else {
			e.time(w.From)
			e.time(w.To)
		}
	}
	return e.b
}

func decodeWindows(value string) ([]health.Window, error) {
	if value == "" {
		return nil, nil
	}
	d := newDecoder(value)
	var list []health.Window
	for range d.count() {
		if d.bool() {
			list = append(list, health.Window{First: dayOf(d.int()), Last: dayOf(d.int())})
		} else {
			list = append(list, health.Window{From: d.time(), To: d.time()})
		}
	}
	return list, d.end()
}

// formatToken makes an opaque text of a position between two pages.
func formatToken(position any) (string, error) {
	text, err := json.Marshal(position)
	return base64.RawURLEncoding.EncodeToString(text), err
}

func parseToken(token string, position any) error {
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || json.Unmarshal(text, position) != nil {
		return invalid("page token")
	}
	return nil
}

// RawPages implements [store.Reader].
func (s *Store) RawPages(ctx context.Context, q store.RawQuery) (store.RawPageList, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return store.RawPageList{}, err
	}
	defer end()
	after := int64(0)
	if q.After != "" {
		if err := parseToken(q.After, &after); err != nil {
			return store.RawPageList{}, err
		}
	}
	values, sc, err := s.connectionHash(ctx, q.Connection, "w")
	if err != nil {
		return store.RawPageList{}, err
	}
	var metas []rawMeta
	for _, value := range values {
		m, err := decodeRawMeta(value)
		if err != nil {
			return store.RawPageList{}, err
		}
		if m.number > after && (q.Stream == "" || m.stream == q.Stream) {
			metas = append(metas, m)
		}
	}
	slices.SortFunc(metas, func(a, b rawMeta) int { return cmp.Compare(a.number, b.number) })
	limit := pageLimit(q.Limit, 100)
	var list store.RawPageList
	for i := range metas {
		if i == limit {
			list.Next, err = formatToken(metas[i-1].number)
			return list, err
		}
		m := &metas[i]
		value, found, err := s.field(ctx, sc.of("y", q.Connection), strconv.FormatInt(m.number, 10))
		if err != nil {
			return store.RawPageList{}, err
		}
		if !found {
			continue // deleted meanwhile
		}
		content, err := s.packer.open(value)
		if err != nil {
			return store.RawPageList{}, err
		}
		page := health.RawPage{Stream: m.stream, Date: m.date, Zone: m.zone}
		d := &decoder{b: string(content)}
		d.text()
		for d.b != "" {
			page.Bodies = append(page.Bodies, health.RawBody{Name: d.text(), Body: []byte(d.text())})
		}
		if err := d.end(); err != nil {
			return store.RawPageList{}, err
		}
		list.Pages = append(list.Pages, page)
	}
	return list, nil
}

// Quarantine implements [store.Reader].
func (s *Store) Quarantine(ctx context.Context, connection string, limit int) ([]store.Quarantined, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	values, _, err := s.connectionHash(ctx, connection, "q")
	if err != nil {
		return nil, err
	}
	type aside struct {
		store.Quarantined
		number int64
	}
	var list []aside
	for _, value := range values {
		d := newDecoder(value)
		a := aside{store.Quarantined{Connection: connection, Stream: d.text(), Key: d.text(), Reason: d.text(), Raw: d.bytes(), At: d.time()}, d.int()}
		if err := d.end(); err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b aside) int { return cmp.Or(b.At.Compare(a.At), cmp.Compare(b.number, a.number)) })
	var result []store.Quarantined
	for _, a := range list[:min(len(list), pageLimit(limit, 100))] {
		result = append(result, a.Quarantined)
	}
	return result, nil
}

// rawMeta is what is stored of a raw answer besides its bodies.
type rawMeta struct {
	number int64
	stream string
	date   time.Time
	zone   string
}

func (m *rawMeta) encode() []byte {
	e := newEncoder()
	e.int(m.number)
	e.text(m.stream)
	e.time(m.date)
	e.text(m.zone)
	return e.b
}

func decodeRawMeta(value string) (rawMeta, error) {
	d := newDecoder(value)
	m := rawMeta{number: d.int(), stream: d.text(), date: d.time(), zone: d.text()}
	return m, d.end()
}
