package sqlite

import (
	"cmp"
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

// sampleOwner is an owner that a query is about.
type sampleOwner struct {
	id, width int64
	owner     store.Owner
	floating  bool
}

func (o *sampleOwner) compare(p *sampleOwner) int {
	x, y := &o.owner, &p.owner
	clock := func(floating bool) int {
		if floating {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(x.Connection, y.Connection), cmp.Compare(x.Stream, y.Stream),
		cmp.Compare(x.Metric, y.Metric), cmp.Compare(x.Stat, y.Stat), cmp.Compare(x.Part, y.Part),
		cmp.Compare(x.Source.Provider, y.Source.Provider), cmp.Compare(x.Source.Path, y.Source.Path),
		cmp.Compare(x.Source.Upstream, y.Source.Upstream), cmp.Compare(x.Source.Device, y.Source.Device),
		cmp.Compare(x.Source.App, y.Source.App), cmp.Compare(x.Record, y.Record), cmp.Compare(x.Kind, y.Kind),
		cmp.Compare(clock(o.floating), clock(p.floating)))
}

// samplePlace is where the next page of samples begins. It does not speak of
// chunks: their width may change between two pages.
type samplePlace struct {
	Owner    store.Owner
	Floating bool
	From     int64
}

// ownersOf returns the owners that q is about, in order.
func (c *conn) ownersOf(ctx context.Context, q *store.SampleQuery) ([]sampleOwner, error) {
	var list []sampleOwner
	err := c.each(ctx, func(r row) error {
		o := sampleOwner{id: r.int(0), width: r.int(1), floating: r.int(6) != 0, owner: store.Owner{
			Connection: r.text(2), Stream: r.text(3), Metric: q.Metric, Stat: health.Stat(r.int(4)), Part: health.Part(r.text(5)),
			Source: health.Source{
				Provider: r.text(7), Path: health.Path(r.text(8)), Upstream: r.text(9), Device: r.text(10), App: r.text(11),
			},
			Kind: health.Kind(r.text(13)), Record: r.text(12),
		}}
		if (len(q.Connections) == 0 || slices.Contains(q.Connections, o.owner.Connection)) && (q.Record == "" || o.owner.Record == q.Record) {
			list = append(list, o)
		}
		return nil
	}, `SELECT o.id, o.width, l.name, s.stream, s.stat, s.part, s.floating, s.provider, s.path, s.upstream, s.device, s.app,
			CASE WHEN o.rid = '' THEN '' ELSE s.stream || '/' || o.rid END, s.kind
		FROM person AS p JOIN link AS l ON l.person = p.id JOIN series AS s ON s.link = l.id AND s.metric = ?2
		JOIN owner AS o ON o.series = s.id
		WHERE p.name = ?1 AND (?3 = '' OR s.stream = ?3)`, q.User, string(q.Metric), q.Stream)
	slices.SortFunc(list, func(a, b sampleOwner) int { return a.compare(&b) })
	return list, err
}

// Samples implements [store.Reader].
func (s *Store) Samples(ctx context.Context, q store.SampleQuery) (store.SamplePage, error) {
	if q.User == "" || q.Metric == "" {
		return store.SamplePage{}, invalid("sample query")
	}
	var begin *sampleOwner
	var after samplePlace
	if q.After != "" {
		if err := parseToken(q.After, &after); err != nil {
			return store.SamplePage{}, err
		}
		begin = &sampleOwner{owner: after.Owner, floating: after.Floating}
	}
	r := sampleReader{store: s, room: limit(q.Limit, 100_000), arena: s.arenas.Get().(*arena)}
	defer s.arenas.Put(r.arena)
	from, to := q.From, q.To
	if from == 0 && to == 0 {
		from, to = math.MinInt64, math.MaxInt64
	}
	err := s.read(ctx, func(c *conn) error {
		owners, err := c.ownersOf(ctx, &q)
		if err != nil {
			return err
		}
		for i := range owners {
			o := &owners[i]
			first := from
			if begin != nil {
				switch d := o.compare(begin); {
				case d < 0:
					continue
				case d == 0:
					first = max(first, after.From)
				}
			}
			if err := r.owner(ctx, c, o, first, to); err != nil {
				return err
			}
			if r.next != nil {
				return nil
			}
		}
		return nil
	})
	if err != nil {
		return store.SamplePage{}, err
	}
	if r.next != nil {
		r.page.Next, err = formatToken(r.next)
	}
	return r.page, err
}

// sampleReader collects a page of samples.
type sampleReader struct {
	store *Store
	page  store.SamplePage
	room  int
	next  *samplePlace
	chunk health.Series
	data  []byte
	found []foundChunk
	arena *arena // of the packed points of the chunks found
}

// foundChunk is a chunk of the page.
type foundChunk struct {
	id          int64
	n           int
	first, last int64
	place       int  // of its first point among those of the chunks found
	exp         int8 // once it is unpacked
}

// bounded returns the window of t within what a chunk's number can hold.
func bounded(t, width int64) int64 {
	return max(-windowBias, min(windowBias-1, window(t, width)))
}

// owner reads the points of an owner in from..to until the page is full. Pages
// end between chunks.
func (r *sampleReader) owner(ctx context.Context, c *conn, o *sampleOwner, from, to int64) error {
	last := to
	if to > math.MinInt64 {
		last = to - 1
	}
	r.found = r.found[:0]
	total := 0
	err := c.each(ctx, func(x row) error {
		f := foundChunk{id: x.int(0), n: int(x.int(1)), first: x.int(2), last: x.int(3)}
		switch {
		case f.last < from || f.first >= to:
			return nil
		case r.room <= 0:
			r.next = &samplePlace{o.owner, o.floating, max(from, f.first)}
			return errEnough
		case f.n < 1 || int64(f.n) > o.width: // there is one point per millisecond at most
			return errPacked
		}
		f.place = total
		r.found = append(r.found, f)
		r.room -= f.n
		total += f.n
		return nil
	}, "SELECT id, n, first, last FROM chunk WHERE id BETWEEN ?1 AND ?2 ORDER BY id",
		chunkID(o.id, bounded(from, o.width)), chunkID(o.id, bounded(last, o.width)))
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	if len(r.found) == 0 {
		return nil
	}
	if done, err := r.together(ctx, c, o, from, to, total); done || err != nil {
		return err
	}
	return r.packed(ctx, c, func(f *foundChunk, data []byte) error { return r.unpack(o, f, data, from, to, total-f.place) })
}

// packed reads the packed points of the chunks found, which take must copy to
// keep.
func (r *sampleReader) packed(ctx context.Context, c *conn, take func(f *foundChunk, data []byte) error) error {
	left := r.found
	err := c.each(ctx, func(x row) error {
		if len(left) == 0 || x.int(0) != left[0].id {
			return errPacked
		}
		f := &left[0]
		left = left[1:]
		return take(f, x.blob(1))
	}, "SELECT id, data FROM chunk WHERE id BETWEEN ?1 AND ?2 ORDER BY id", left[0].id, left[len(left)-1].id)
	if err == nil && len(left) > 0 {
		return errPacked
	}
	return err
}

// together unpacks many chunks by several goroutines, each chunk into its place
// in one run, while they are read. It reports false, with the page as it was,
// unless all chunks are whole and of one exponent.
func (r *sampleReader) together(ctx context.Context, c *conn, o *sampleOwner, from, to int64, total int) (bool, error) {
	workers := min(runtime.GOMAXPROCS(0), len(r.found))
	if total < parallelPoints || workers < 2 || r.found[0].first < from || r.found[len(r.found)-1].last >= to {
		return false, nil
	}
	// To make a column takes as long as to unpack a good part of it: a goroutine
	// makes one, and this one the other.
	column := func() []int64 { return make([]int64, total) }
	times, values := sync.OnceValue(column), sync.OnceValue(column)
	type chunk struct {
		*foundChunk
		data []byte
	}
	queue := make(chan chunk, len(r.found))
	unpack := func() error {
		values, times := values(), times()
		room := r.store.rooms.Get().(*pointsRoom)
		defer r.store.rooms.Put(room)
		for f := range queue {
			end := f.place + f.n
			part := health.Series{Times: times[f.place:f.place:end], Values: values[f.place:f.place:end]}
			var err error
			if room.data, err = r.store.packer.unpackPoints(room.data, f.data, &part); err != nil {
				return err
			}
			if part.Len() != f.n {
				return errPacked
			}
			f.exp = part.Exp
		}
		return nil
	}
	var group errgroup.Group
	for range workers - 1 {
		group.Go(unpack)
	}
	wakeHelpers()
	times()
	r.arena.reset()
	err := r.packed(ctx, c, func(f *foundChunk, data []byte) error {
		queue <- chunk{f, r.arena.keep(append(r.arena.next(len(data))[:0], data...))}
		return nil
	})
	close(queue)
	if err == nil {
		err = unpack()
	}
	if others := group.Wait(); err == nil {
		err = others
	}
	if err != nil {
		return false, err
	}
	for i := range r.found {
		if r.found[i].exp != r.found[0].exp {
			return false, nil
		}
	}
	r.page.Runs = append(r.page.Runs, store.SampleRun{Owner: o.owner, Series: health.Series{
		Metric: o.owner.Metric, Part: o.owner.Part, Stat: o.owner.Stat, Exp: r.found[0].exp, Floating: o.floating,
		From: times()[0], To: times()[total-1] + 1, Times: times(), Values: values(),
	}})
	return true, nil
}

// unpack appends the points of a chunk in from..to to the page: in place behind
// the last run if that has the same owner and exponent, else as a new run with
// room for what is left.
func (r *sampleReader) unpack(o *sampleOwner, f *foundChunk, data []byte, from, to int64, left int) error {
	var run *health.Series
	if k := len(r.page.Runs); k > 0 && r.page.Runs[k-1].Owner == o.owner && r.page.Runs[k-1].Series.Floating == o.floating {
		run = &r.page.Runs[k-1].Series
		run.Times, run.Values = slices.Grow(run.Times, left), slices.Grow(run.Values, left)
		r.chunk.Times, r.chunk.Values = run.Times[len(run.Times):], run.Values[len(run.Values):]
	} else {
		r.chunk.Times, r.chunk.Values = make([]int64, 0, left), make([]int64, 0, left)
	}
	var err error
	if r.data, err = r.store.packer.unpackPoints(r.data, data, &r.chunk); err != nil {
		return err
	}
	points := r.chunk
	if f.first < from || f.last >= to {
		points = points.Slice(from, to)
	}
	n := points.Len()
	if n == 0 {
		return nil
	}
	end := points.Times[n-1] + 1
	if run != nil && run.Exp == points.Exp {
		// Nothing moves if the chunk was decoded behind the run.
		run.Times, run.Values = append(run.Times, points.Times...), append(run.Values, points.Values...)
		run.To = end
		return nil
	}
	if run != nil {
		points.Times, points.Values = slices.Clone(points.Times), slices.Clone(points.Values)
	}
	r.page.Runs = append(r.page.Runs, store.SampleRun{Owner: o.owner, Series: health.Series{
		Metric: o.owner.Metric, Part: o.owner.Part, Stat: o.owner.Stat, Exp: points.Exp, Floating: o.floating,
		From: points.Times[0], To: end, Times: points.Times, Values: points.Values,
	}})
	return nil
}
