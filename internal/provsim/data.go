package provsim

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vitalmux/vitalmux/health"
)

// The streams, which are also the scopes and the topics of subscriptions.
const (
	StreamDaily   = "daily"   // one row per civil day (UTC): steps
	StreamSamples = "samples" // one row per hour: heart rate, a point a minute
	StreamEvents  = "events"  // body weights, which can be asked for by what changed
)

// topicAll is the topic of a subscription to all streams.
const topicAll = "all"

const (
	maxDays    = 31                 // days of one query of daily
	maxSamples = 7 * 24 * time.Hour // window of one query of samples
)

func streamNames() []string { return []string{StreamDaily, StreamSamples, StreamEvents} }

func isStream(name string) bool { return slices.Contains(streamNames(), name) }

// Row is one datum as the service sends it.
type Row struct {
	// ID is unique within the person's stream: of daily the day.
	ID string `json:"id"`
	// At is when it begins, in milliseconds since the Unix epoch.
	At int64 `json:"at"`
	// Modified is when it last changed, in milliseconds, unique and rising
	// for one person. Set by the service.
	Modified int64 `json:"modified"`
	// Version counts the changes from 1. Set by the service.
	Version int  `json:"version"`
	Deleted bool `json:"deleted,omitempty"`
	// Value is steps for daily, grams for events.
	Value int64 `json:"value"`
	// Points are beats per minute, one a minute from At, for samples.
	Points []int64 `json:"points,omitempty"`
}

// addUser makes a person with history that depends on the seed and the order
// of the people. The caller holds the mutex or has the service alone.
func (s *Service) addUser(id string) {
	p := &person{id: id, rows: map[string][]*Row{}}
	s.people = append(s.people, p)
	rng := rand.New(rand.NewPCG(s.cfg.Seed, uint64(len(s.people))))
	today := time.Now().UTC().Truncate(24 * time.Hour)
	for back := s.cfg.Days - 1; back >= 0; back-- {
		day := today.AddDate(0, 0, -back)
		p.put(StreamDaily, Row{At: day.UnixMilli(), Value: 2000 + rng.Int64N(15000)})
		hour := day.Add(time.Duration(rng.IntN(12)) * time.Hour)
		points := make([]int64, 60)
		for i := range points {
			points[i] = 55 + rng.Int64N(60)
		}
		minute := day.Add(time.Duration(rng.IntN(720)) * time.Minute)
		if hour.Before(time.Now()) {
			p.put(StreamSamples, Row{ID: "s" + hour.Format("0102-15"), At: hour.UnixMilli(), Points: points})
		}
		if minute.Before(time.Now()) {
			p.put(StreamEvents, Row{ID: "e" + minute.Format("0102-1504"), At: minute.UnixMilli(), Value: 60_000 + rng.Int64N(30_000)})
		}
	}
}

// put inserts a row or replaces the one of its ID.
func (p *person) put(stream string, r Row) Row {
	if stream == StreamDaily {
		day := time.UnixMilli(r.At).UTC().Truncate(24 * time.Hour)
		r.ID, r.At = health.DayOf(day).String(), day.UnixMilli()
	}
	p.last = max(p.last+1, time.Now().UnixMilli())
	r.Modified, r.Version = p.last, 1
	rows := p.rows[stream]
	if i := slices.IndexFunc(rows, func(o *Row) bool { return o.ID == r.ID }); i >= 0 {
		r.Version = rows[i].Version + 1
		rows = slices.Delete(rows, i, i+1)
	}
	i, _ := slices.BinarySearchFunc(rows, &r, byTime)
	p.rows[stream] = slices.Insert(rows, i, &r)
	return r
}

func byTime(a, b *Row) int { return cmp.Or(cmp.Compare(a.At, b.At), strings.Compare(a.ID, b.ID)) }

func byChange(a, b *Row) int { return cmp.Compare(a.Modified, b.Modified) }

// Put adds a row of a person, or edits the one of its ID, and returns it as it
// is from now on. For late data At lies in the past. Of a daily row the ID
// follows from At.
func (s *Service) Put(user, stream string, r Row) (Row, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.find(user)
	if err != nil {
		return Row{}, err
	}
	if !isStream(stream) || r.At <= 0 {
		return Row{}, errors.New("provsim: no such stream, or the row has no time")
	}
	if r.ID == "" {
		r.ID = s.name("r")
	}
	return p.put(stream, r), nil
}

// Delete removes a row. Only events tells that it is gone: the others no
// longer list it.
func (s *Service) Delete(user, stream, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.find(user)
	if err != nil {
		return err
	}
	for _, r := range p.rows[stream] {
		if r.ID == id && !r.Deleted {
			p.put(stream, Row{ID: id, At: r.At, Deleted: true})
			return nil
		}
	}
	return errors.New("provsim: no such row")
}

// Truth returns all rows of a person by stream, in order of time, those that
// were deleted included. [Row.Record] is what an engine should have made of
// one.
func (s *Service) Truth(user string) (map[string][]Row, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.find(user)
	if err != nil {
		return nil, err
	}
	all := map[string][]Row{}
	for stream, rows := range p.rows {
		for _, r := range rows {
			all[stream] = append(all[stream], *r)
		}
	}
	return all, nil
}

// list answers with one page of a stream.
func (s *Service) list(c *call) reply {
	stream := c.r.PathValue("stream")
	if !isStream(stream) {
		return refuse(http.StatusNotFound, "not_found")
	}
	a, out, ok := s.admit(c, stream)
	if !ok {
		return out
	}
	q := query{Values: c.r.URL.Query(), mark: a.grant.person.last + 1}
	rows, order := q.pick(stream, a.grant.person.rows[stream])
	if q.bad {
		return refuse(http.StatusBadRequest, "invalid_request")
	}
	slices.SortFunc(rows, order)
	if s.isLarge(q.length) {
		return s.large(a.grant.person, stream, rows, q.mark)
	}
	page := map[string]any{"rows": rows[:min(len(rows), s.cfg.PageSize)]}
	if stream == StreamEvents {
		page["mark"] = strconv.FormatInt(q.mark, 10)
	}
	if len(rows) > s.cfg.PageSize {
		last := rows[s.cfg.PageSize-1]
		page["next"] = strconv.FormatInt(q.mark, 10) + "." + strconv.FormatInt(last.Modified, 10) + "." + strconv.FormatInt(last.At, 10) + "." + last.ID
	}
	return answer(http.StatusOK, page)
}

// query is what a list is asked for.
type query struct {
	url.Values
	mark int64 // what changes from now on is modified at or after it
	bad  bool
	// length is that of the window, 0 for none.
	length time.Duration
}

func (q *query) number(name string) int64 {
	n, err := strconv.ParseInt(q.Get(name), 10, 64)
	q.bad = q.bad || err != nil
	return n
}

func (q *query) day(name string) time.Time {
	d, err := time.Parse(time.DateOnly, q.Get(name))
	q.bad = q.bad || err != nil
	return d
}

// pick returns the rows that are asked for, from the page on, and their order.
func (q *query) pick(stream string, all []*Row) ([]*Row, func(a, b *Row) int) {
	var from, to int64
	since := stream == StreamEvents && q.Has("since")
	switch {
	case since:
		from = q.number("since")
		q.bad = q.bad || q.Has("from") || q.Has("to")
	case stream == StreamDaily:
		first, last := q.day("first"), q.day("last")
		q.bad = q.bad || last.Before(first) || last.Sub(first) >= maxDays*24*time.Hour
		from, to = first.UnixMilli(), last.AddDate(0, 0, 1).UnixMilli()
	default:
		from, to = q.number("from"), q.number("to")
		q.bad = q.bad || to <= from || stream == StreamSamples && to-from > maxSamples.Milliseconds()
	}
	if !since {
		q.length = time.Duration(to-from) * time.Millisecond
	}
	var after *Row
	if q.Get("page") != "" {
		after = q.after()
	}
	order := byTime
	if since {
		order = byChange
	}
	rows := []*Row{}
	for _, r := range all {
		wanted := r.At >= from && r.At < to && !r.Deleted
		if since {
			wanted = r.Modified >= from && r.Modified < q.mark
		}
		if wanted && (after == nil || order(r, after) > 0) {
			rows = append(rows, r)
		}
	}
	return rows, order
}

// after reads a page token: the mark of the walk and the last row of the page
// before.
func (q *query) after() *Row {
	parts := strings.SplitN(q.Get("page"), ".", 4)
	if len(parts) != 4 {
		q.bad = true
		return nil
	}
	var numbers [3]int64
	for i := range numbers {
		n, err := strconv.ParseInt(parts[i], 10, 64)
		q.bad = q.bad || err != nil
		numbers[i] = n
	}
	q.mark = numbers[0]
	return &Row{Modified: numbers[1], At: numbers[2], ID: parts[3]}
}
