package redis

import (
	"context"
	"maps"
	"math"
	"slices"
	"strconv"

	goredis "github.com/redis/go-redis/v9"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
)

// samplePlace is what the token of a page of samples holds: where the next page
// begins.
type samplePlace struct {
	Owner    store.Owner
	Floating bool
	From     int64
}

// Samples implements [store.Reader]. A page is one moment of the user's scope,
// and ends where it would need another.
func (s *Store) Samples(ctx context.Context, q store.SampleQuery) (store.SamplePage, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return store.SamplePage{}, err
	}
	defer end()
	if q.User == "" || q.Metric == "" {
		return store.SamplePage{}, invalid("sample query")
	}
	r := sampleReader{s: s, sc: s.user(q.User), q: &q, room: pageLimit(q.Limit, 100_000), from: q.From, to: q.To}
	if q.From == 0 && q.To == 0 {
		r.from, r.to = math.MinInt64, math.MaxInt64
	}
	if q.After != "" {
		var at samplePlace
		if err := parseToken(q.After, &at); err != nil {
			return store.SamplePage{}, err
		}
		r.begin, r.first = &sampleKey{at.Owner, at.Floating}, at.From
	}
	return r.read(ctx)
}

// sampleReader reads one page of samples.
type sampleReader struct {
	s        *Store
	sc       scope
	q        *store.SampleQuery
	room     int
	from, to int64
	begin    *sampleKey // the owner to begin with, nil for the first
	first    int64      // and where
	page     store.SamplePage
}

// samplePart is a chunk to read, and which of its points.
type samplePart struct {
	o        *sampleOwner
	id       int64
	from, to int64
}

func (r *sampleReader) read(ctx context.Context) (store.SamplePage, error) {
	_, owners, _, err := r.fetch(ctx, nil)
	for err == nil {
		var parts []samplePart
		if parts, err = r.parts(owners); err != nil {
			break
		}
		var again map[string]string
		if again, err = r.collect(ctx, parts, owners); again == nil {
			break
		}
		owners = again
	}
	return r.page, err
}

// collect adds the points of chunks to the page until it is full. If the owners
// are not what they were before anything was read, it returns what they are.
func (r *sampleReader) collect(ctx context.Context, parts []samplePart, owners map[string]string) (map[string]string, error) {
	version := ""
	for done := 0; done < len(parts); {
		batch := parts[done:min(len(parts), done+r.room/sampleAim+4)]
		head, now, packed, err := r.fetch(ctx, batch)
		switch {
		case err != nil:
			return nil, err
		case done == 0 && !maps.Equal(now, owners):
			return now, nil
		case done == 0:
			version = head
		case head != version:
			// Somebody wrote: what follows is of another moment.
			return nil, r.end(&batch[0])
		}
		for i := range batch {
			if r.room <= 0 {
				return nil, r.end(&batch[i])
			}
			if err := r.append(&batch[i], packed[i]); err != nil {
				return nil, err
			}
		}
		done += len(batch)
	}
	return nil, nil
}

// fetch reads chunks, the owners of the metric, and what tells whether somebody
// wrote, at one moment.
func (r *sampleReader) fetch(ctx context.Context, batch []samplePart) (version string, owners map[string]string, packed []string, err error) {
	ids, places := map[string][]string{}, map[string][]int{}
	for i := range batch {
		connection := batch[i].o.key.owner.Connection
		ids[connection] = append(ids[connection], strconv.FormatInt(batch[i].id, 10))
		places[connection] = append(places[connection], i)
	}
	answers := map[string]*goredis.SliceCmd{}
	var head *goredis.StringCmd
	var now *goredis.MapStringStringCmd
	if err := r.s.view(ctx, r.sc.key(), func(p goredis.Pipeliner) {
		head, now = p.HGet(ctx, r.sc.key(), "v"), p.HGetAll(ctx, r.sc.of("o", string(r.q.Metric)))
		for connection := range ids {
			answers[connection] = p.HMGet(ctx, r.sc.of("s", connection), ids[connection]...)
		}
	}); err != nil {
		return "", nil, nil, err
	}
	packed = make([]string, len(batch))
	for connection, list := range places {
		for n, i := range list {
			packed[i], _ = answers[connection].Val()[n].(string)
		}
	}
	return head.Val(), now.Val(), packed, nil
}

// parts returns the chunks that the query is about, in order of owner and time.
func (r *sampleReader) parts(stored map[string]string) ([]samplePart, error) {
	q := r.q
	var owners []*sampleOwner
	for field, value := range stored {
		key, err := parseOwner(field)
		if err != nil {
			return nil, err
		}
		if len(q.Connections) > 0 && !slices.Contains(q.Connections, key.owner.Connection) || q.Stream != "" && key.owner.Stream != q.Stream ||
			q.Record != "" && key.owner.Record != q.Record || r.begin != nil && compareSampleKeys(&key, r.begin) < 0 {
			continue
		}
		o, err := decodeOwner(key, field, value)
		if err != nil {
			return nil, err
		}
		owners = append(owners, o)
	}
	slices.SortFunc(owners, func(a, b *sampleOwner) int { return compareSampleKeys(&a.key, &b.key) })
	var parts []samplePart
	for _, o := range owners {
		from := r.from
		if r.begin != nil && compareSampleKeys(&o.key, r.begin) == 0 {
			from = max(from, r.first)
		}
		if from >= r.to {
			continue
		}
		first, end := o.covers(from, r.to)
		for _, x := range o.list[first:end] {
			parts = append(parts, samplePart{o, x.id, max(from, x.from), r.to})
		}
	}
	return parts, nil
}

// end ends the page in front of a chunk.
func (r *sampleReader) end(at *samplePart) (err error) {
	r.page.Next, err = formatToken(samplePlace{at.o.key.owner, at.o.key.floating, at.from})
	return err
}

// append adds the points of a chunk to the page: to the last run if they
// continue it with the same exponent.
func (r *sampleReader) append(at *samplePart, packed string) error {
	var points health.Series
	if err := r.s.points(packed, &points); err != nil {
		return err
	}
	points = points.Slice(at.from, at.to)
	n := points.Len()
	if n == 0 {
		return nil
	}
	r.room -= n
	end := points.Times[n-1] + 1
	if k := len(r.page.Runs); k > 0 && r.page.Runs[k-1].Owner == at.o.key.owner && r.page.Runs[k-1].Series.Floating == at.o.key.floating &&
		r.page.Runs[k-1].Series.Exp == points.Exp {
		run := &r.page.Runs[k-1].Series
		run.Times, run.Values, run.To = append(run.Times, points.Times...), append(run.Values, points.Values...), end
		return nil
	}
	o := &at.o.key.owner
	r.page.Runs = append(r.page.Runs, store.SampleRun{Owner: *o, Series: health.Series{
		Metric: o.Metric, Part: o.Part, Stat: o.Stat, Exp: points.Exp, Floating: at.o.key.floating,
		From: points.Times[0], To: end, Times: points.Times, Values: points.Values,
	}})
	return nil
}
