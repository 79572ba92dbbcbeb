package store

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"

	"github.com/vitalmux/vitalmux/health"
)

// Cursor implements [Reader].
func (m *Memory) Cursor(ctx context.Context, connection, stream string, lane Lane) (Cursor, error) {
	d, err := m.lock(ctx)
	if err != nil {
		return Cursor{}, err
	}
	defer d.mu.Unlock()
	c := Cursor{Connection: connection, Stream: stream, Lane: lane}
	if h, ok := d.histories[connection]; ok {
		c = h.cursor(c)
	}
	return copyCursor(c), nil
}

// Cursors implements [Reader].
func (m *Memory) Cursors(ctx context.Context, connection string) ([]Cursor, error) {
	d, err := m.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	h, ok := d.histories[connection]
	if !ok {
		return nil, nil
	}
	var list []Cursor
	for _, c := range h.cursors {
		list = append(list, copyCursor(c))
	}
	slices.SortFunc(list, compareCursors)
	return list, nil
}

// Coverage implements [Reader].
func (m *Memory) Coverage(ctx context.Context, connection, stream string) ([]health.Window, error) {
	d, err := m.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	h, ok := d.histories[connection]
	if !ok {
		return nil, nil
	}
	return slices.Clone(h.coverage[stream]), nil
}

// place is where a record stands in the order of reads, and what the token of
// a page of records holds: that of the last record of the page.
type place struct {
	Milli      int64
	Connection string
	Kind       health.Kind
	Key        string
}

func placeOf(r *health.Record) place {
	return place{r.Span.Start.SortMilli(), r.Connection, r.Kind, r.Key}
}

func comparePlaces(a, b place) int {
	return cmp.Or(cmp.Compare(a.Milli, b.Milli), cmp.Compare(a.Connection, b.Connection),
		cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Key, b.Key))
}

func compareRecordKeys(a, b recordKey) int {
	return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.key, b.key))
}

// Records implements [Reader].
func (m *Memory) Records(ctx context.Context, q RecordQuery) (RecordPage, error) {
	d, err := m.lock(ctx)
	if err != nil {
		return RecordPage{}, err
	}
	defer d.mu.Unlock()
	if q.User == "" || len(q.Keys) > 0 && (len(q.Connections) != 1 || len(q.Kinds) != 1) {
		return RecordPage{}, invalid("record query")
	}
	var after place
	if q.After != "" {
		if err := parseToken(q.After, &after); err != nil {
			return RecordPage{}, err
		}
	}
	var list []*health.Record
	for id, h := range d.histories {
		if h.user != q.User || len(q.Connections) > 0 && !slices.Contains(q.Connections, id) {
			continue
		}
		for _, r := range h.records {
			if q.matches(&r) && (q.After == "" || comparePlaces(placeOf(&r), after) > 0) {
				list = append(list, &r)
			}
		}
	}
	slices.SortFunc(list, func(a, b *health.Record) int { return comparePlaces(placeOf(a), placeOf(b)) })
	limit := pageLimit(q.Limit, 1000)
	var page RecordPage
	for _, r := range firstN(list, limit) {
		page.Records = append(page.Records, copyRecord(*r))
	}
	if len(list) > limit {
		page.Next = formatToken(placeOf(list[limit-1]))
	}
	return page, nil
}

// matches applies the filters that are about the record alone.
func (q *RecordQuery) matches(r *health.Record) bool {
	at := r.Span.Start.SortMilli()
	return (q.Deleted || r.State == health.StateLive) &&
		(len(q.Kinds) == 0 || slices.Contains(q.Kinds, r.Kind)) &&
		(len(q.Streams) == 0 || slices.Contains(q.Streams, r.Stream())) &&
		(len(q.Keys) == 0 || slices.Contains(q.Keys, r.Key)) &&
		(q.From.IsZero() || at >= q.From.UnixMilli()) &&
		(q.To.IsZero() || at < q.To.UnixMilli())
}

// RawPages implements [Reader].
func (m *Memory) RawPages(ctx context.Context, q RawQuery) (RawPageList, error) {
	d, err := m.lock(ctx)
	if err != nil {
		return RawPageList{}, err
	}
	defer d.mu.Unlock()
	var after int64
	if q.After != "" {
		if err := parseToken(q.After, &after); err != nil {
			return RawPageList{}, err
		}
	}
	h, ok := d.histories[q.Connection]
	if !ok {
		return RawPageList{}, nil
	}
	limit := pageLimit(q.Limit, 100)
	var list RawPageList
	var last int64
	for _, e := range h.raw {
		if e.seq <= after || q.Stream != "" && e.page.Stream != q.Stream {
			continue
		}
		if len(list.Pages) == limit {
			list.Next = formatToken(last)
			break
		}
		list.Pages = append(list.Pages, copyRawPage(e.page))
		last = e.seq
	}
	return list, nil
}

// Quarantine implements [Reader].
func (m *Memory) Quarantine(ctx context.Context, connection string, limit int) ([]Quarantined, error) {
	d, err := m.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	h, ok := d.histories[connection]
	if !ok {
		return nil, nil
	}
	list := slices.Clone(h.quarantine)
	slices.Reverse(list)
	slices.SortStableFunc(list, func(a, b Quarantined) int { return b.At.Compare(a.At) })
	list = firstN(list, pageLimit(limit, 100))
	for i := range list {
		list[i].Raw = bytes.Clone(list[i].Raw)
	}
	return list, nil
}

// formatToken makes an opaque text of a position between two pages.
func formatToken(position any) string {
	text, _ := json.Marshal(position) // positions are plain structs and numbers
	return base64.RawURLEncoding.EncodeToString(text)
}

func parseToken(token string, position any) error {
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || json.Unmarshal(text, position) != nil {
		return invalid("page token")
	}
	return nil
}

// describedRecord returns a copy of r as it is stored: its series described,
// without their points.
func describedRecord(r health.Record) health.Record {
	series := r.Series
	r.Series = nil
	r = copyRecord(r)
	for i := range series {
		r.Series = append(r.Series, series[i].Describe())
	}
	return r
}

// copyRecord returns a copy of r that shares no memory with it.
func copyRecord(r health.Record) health.Record {
	r.Values = slices.Clone(r.Values)
	r.Texts = slices.Clone(r.Texts)
	r.Segments = slices.Clone(r.Segments)
	for i := range r.Segments {
		r.Segments[i].Values = slices.Clone(r.Segments[i].Values)
	}
	r.Series = slices.Clone(r.Series)
	for i := range r.Series {
		r.Series[i].Times = slices.Clone(r.Series[i].Times)
		r.Series[i].Values = slices.Clone(r.Series[i].Values)
	}
	r.Origins = slices.Clone(r.Origins)
	return r
}

// sortedKeys returns the keys of m in rising order.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
