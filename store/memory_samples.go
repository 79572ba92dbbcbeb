package store

import (
	"cmp"
	"context"
	"slices"

	"github.com/vitalmux/vitalmux/health"
)

// chunkMilli is the length of the chunks that samples are kept in, so that a
// push of minutes does not copy years.
const chunkMilli = 24 * 60 * 60 * 1000

// sampleKey is an owner on one of the two clocks.
type sampleKey struct {
	owner    Owner
	floating bool
}

func compareSampleKeys(a, b sampleKey) int {
	x, y := &a.owner, &b.owner
	clock := func(k sampleKey) int {
		if k.floating {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(x.Connection, y.Connection), cmp.Compare(x.Stream, y.Stream),
		cmp.Compare(x.Metric, y.Metric), cmp.Compare(x.Stat, y.Stat), cmp.Compare(x.Part, y.Part),
		compareSources(x.Source, y.Source), cmp.Compare(x.Record, y.Record), cmp.Compare(x.Kind, y.Kind),
		cmp.Compare(clock(a), clock(b)))
}

func compareSources(a, b health.Source) int {
	return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Path, b.Path),
		cmp.Compare(a.Upstream, b.Upstream), cmp.Compare(a.Device, b.Device), cmp.Compare(a.App, b.App))
}

// sampleColumn holds all points of one owner in chunks by time / chunkMilli.
// There are no empty chunks.
type sampleColumn struct {
	chunks map[int64]health.Series
}

// put makes the points of s those of its window.
func (c *sampleColumn) put(s health.Series) {
	if s.To <= s.From {
		return
	}
	for number, chunk := range c.chunks {
		start := number * chunkMilli
		part := s.Slice(start, start+chunkMilli)
		if part.To > part.From {
			c.set(number, health.MergePoints(chunk, part))
		}
	}
	for i := 0; i < len(s.Times); {
		number := s.Times[i] / chunkMilli // times are after 1990
		start := number * chunkMilli
		part := s.Slice(start, start+chunkMilli)
		i += part.Len()
		if _, ok := c.chunks[number]; !ok {
			c.set(number, health.MergePoints(health.Series{}, part))
		}
	}
}

func (c *sampleColumn) set(number int64, chunk health.Series) {
	if chunk.Len() == 0 {
		delete(c.chunks, number)
		return
	}
	c.chunks[number] = chunk
}

// keyOf returns who owns the samples of series s of r.
func keyOf(r *health.Record, s *health.Series) sampleKey {
	k := sampleKey{
		owner: Owner{
			Connection: r.Connection, Stream: r.Stream(), Metric: s.Metric, Stat: s.Stat, Part: s.Part, Source: r.Source,
		},
		floating: s.Floating,
	}
	if r.Kind != health.KindSamples {
		k.owner.Kind, k.owner.Record = r.Kind, r.Key
	}
	return k
}

// putSamples stores the points of r's series. A series that is only described
// leaves the points alone.
func (h *history) putSamples(r *health.Record) {
	for i := range r.Series {
		s := &r.Series[i]
		if s.Len() == 0 && s.Count > 0 {
			continue
		}
		h.putPoints(keyOf(r, s), *s)
	}
}

func (h *history) putPoints(key sampleKey, s health.Series) {
	column, ok := h.samples[key]
	if !ok {
		column = &sampleColumn{chunks: map[int64]health.Series{}}
		h.samples[key] = column
	}
	column.put(s)
	if len(column.chunks) == 0 {
		delete(h.samples, key)
	}
}

// shedSamples removes the points of the series that the session r does not have
// any more.
func (h *history) shedSamples(r *health.Record) {
	for key := range h.samples {
		if key.owner.Record != r.Key || key.owner.Kind != r.Kind {
			continue
		}
		if !slices.ContainsFunc(r.Series, func(s health.Series) bool {
			described := s.Len() == 0 && s.Count > 0
			return s.Metric == key.owner.Metric && s.Stat == key.owner.Stat && s.Part == key.owner.Part &&
				s.Floating == key.floating && (described || r.Source == key.owner.Source)
		}) {
			delete(h.samples, key)
		}
	}
}

// removeSamples removes the points of a record that became a tombstone: all of
// a session, else those in the windows of its series.
func (h *history) removeSamples(r *health.Record) {
	if r.Kind != health.KindSamples {
		for key := range h.samples {
			if key.owner.Record == r.Key && key.owner.Kind == r.Kind {
				delete(h.samples, key)
			}
		}
		return
	}
	for i := range r.Series {
		s := r.Series[i]
		key := keyOf(r, &s)
		if column, ok := h.samples[key]; ok {
			s.Times, s.Values = nil, nil
			column.put(s)
			if len(column.chunks) == 0 {
				delete(h.samples, key)
			}
		}
	}
}

// samplePlace is what the token of a page of samples holds: where the next
// page begins.
type samplePlace struct {
	Owner    Owner
	Floating bool
	From     int64
}

// Samples implements [Reader].
func (m *Memory) Samples(ctx context.Context, q SampleQuery) (SamplePage, error) {
	d, err := m.lock(ctx)
	if err != nil {
		return SamplePage{}, err
	}
	defer d.mu.Unlock()
	if q.User == "" || q.Metric == "" {
		return SamplePage{}, invalid("sample query")
	}
	var after samplePlace
	if q.After != "" {
		if err := parseToken(q.After, &after); err != nil {
			return SamplePage{}, err
		}
	}
	begin := sampleKey{after.Owner, after.Floating}

	columns := map[sampleKey]*sampleColumn{}
	var keys []sampleKey
	for id, h := range d.histories {
		if h.user != q.User || len(q.Connections) > 0 && !slices.Contains(q.Connections, id) {
			continue
		}
		for key, column := range h.samples {
			if q.matches(key.owner) && (q.After == "" || compareSampleKeys(key, begin) >= 0) {
				columns[key] = column
				keys = append(keys, key)
			}
		}
	}
	slices.SortFunc(keys, compareSampleKeys)

	var (
		page SamplePage
		last sampleKey
	)
	room := pageLimit(q.Limit, 100_000)
	for _, key := range keys {
		column := columns[key]
		for _, number := range sortedKeys(column.chunks) {
			chunk := column.chunks[number]
			points := q.clip(chunk)
			if q.After != "" && key == begin {
				points = points.Slice(after.From, points.To)
			}
			if points.Len() == 0 {
				continue
			}
			if room == 0 {
				page.Next = formatToken(samplePlace{key.owner, key.floating, points.Times[0]})
				return page, nil
			}
			n := min(points.Len(), room)
			room -= n
			page.append(key, points, n, key == last)
			last = key
			if n < points.Len() {
				page.Next = formatToken(samplePlace{key.owner, key.floating, points.Times[n]})
				return page, nil
			}
		}
	}
	return page, nil
}

func (q *SampleQuery) matches(o Owner) bool {
	return o.Metric == q.Metric && (q.Stream == "" || o.Stream == q.Stream) && (q.Record == "" || o.Record == q.Record)
}

// clip returns the points of s that are asked for.
func (q *SampleQuery) clip(s health.Series) health.Series {
	if q.From == 0 && q.To == 0 {
		return s
	}
	return s.Slice(q.From, q.To)
}

// append copies the first n points of s into the page, onto the last run if
// they continue it with the same exponent.
func (p *SamplePage) append(key sampleKey, s health.Series, n int, continues bool) {
	times, values := s.Times[:n], s.Values[:n]
	end := times[n-1] + 1
	if k := len(p.Runs); continues && p.Runs[k-1].Series.Exp == s.Exp {
		run := &p.Runs[k-1].Series
		run.Times = append(run.Times, times...)
		run.Values = append(run.Values, values...)
		run.To = end
		return
	}
	s.Times, s.Values = slices.Clone(times), slices.Clone(values)
	s.From, s.To, s.Count, s.Digest = times[0], end, 0, 0
	p.Runs = append(p.Runs, SampleRun{Owner: key.owner, Series: s})
}
