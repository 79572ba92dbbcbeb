package sync_test

import (
	"context"
	"fmt"
	"strconv"
	gosync "sync"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
)

// clinic is a small strict service and its adapter in one: it holds dated
// weights, hands them out in pages, keeps single-use refresh tokens, and
// remembers everything that was asked of it.
type clinic struct {
	capabilities providers.Capabilities
	pageSize     int
	accessLife   time.Duration

	mu      gosync.Mutex
	weights map[int]weight // by id
	changes int            // modification counter, the service's mark
	refresh string         // the one valid refresh token
	access  string
	expires time.Time
	issued  int
	queries []providers.Query
	calls   []time.Time
	shown   map[string]int // presentations of each refresh token
	// onFetch may change an answer or fail the call. n counts from 1.
	onFetch func(n int, q providers.Query, page *providers.Page) error
	// onAccess is called with each access token that arrives.
	onAccess func(token string)
}

type weight struct {
	id       int
	at       time.Time
	grams    int64
	modified int
}

func newClinic(streams ...providers.Stream) *clinic {
	return &clinic{
		capabilities: providers.Capabilities{Streams: streams, Rotation: providers.RotationSingleUse},
		pageSize:     3, accessLife: 3 * time.Hour,
		weights: make(map[int]weight), shown: make(map[string]int),
	}
}

// weightChanges is a stream that tells changes; weightWindows one that has to
// be read in windows of days.
var (
	weightChanges = providers.Stream{
		Name: "weights", Kinds: []health.Kind{health.KindBody}, Grain: providers.GrainInstant,
		Lookback: 7 * 24 * time.Hour, Changes: true, AbsenceDeletes: true,
	}
	weightWindows = providers.Stream{
		Name: "weights", Kinds: []health.Kind{health.KindBody}, Grain: providers.GrainDay,
		MaxWindow: 10 * 24 * time.Hour, Lookback: 7 * 24 * time.Hour, AbsenceDeletes: true,
	}
)

func (c *clinic) put(id int, at time.Time, grams int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	c.weights[id] = weight{id, at, grams, c.changes}
}

func (c *clinic) remove(id int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.weights, id)
}

// want returns what a store should hold: grams by key.
func (c *clinic) want() map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	want := make(map[string]int64)
	for _, w := range c.weights {
		want[fmt.Sprintf("weights/%d", w.id)] = w.grams
	}
	return want
}

func (c *clinic) Name() string                         { return "clinic" }
func (c *clinic) Capabilities() providers.Capabilities { return c.capabilities }

func (c *clinic) Fetch(ctx context.Context, cred providers.Credential, q providers.Query) (providers.Page, error) {
	if err := ctx.Err(); err != nil {
		return providers.Page{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queries = append(c.queries, q)
	c.calls = append(c.calls, time.Now())
	if c.onAccess != nil {
		c.onAccess(cred.Access.Reveal())
	}
	if cred.Access.Reveal() != c.access || !time.Now().Before(c.expires) {
		return providers.Page{}, &providers.Error{
			Provider: "clinic", Op: "fetch " + q.Stream, Kind: providers.ErrReauth, Status: 401, ExpiredAccess: true,
		}
	}
	page, err := c.page(q)
	if err == nil && c.onFetch != nil {
		err = c.onFetch(len(c.queries), q, &page)
	}
	if err != nil {
		return providers.Page{}, err
	}
	return page, nil
}

func (c *clinic) page(q providers.Query) (providers.Page, error) {
	now := time.Now()
	page := providers.Page{Requests: 1, Date: now, Candidate: strconv.Itoa(c.changes)}
	var rows []weight
	for id := 0; id <= 10_000 && len(rows) < len(c.weights); id++ {
		w, ok := c.weights[id]
		if !ok {
			continue
		}
		switch {
		case q.HighWater != "":
			since, err := strconv.Atoi(q.HighWater)
			if err != nil {
				return page, &providers.Error{Provider: "clinic", Kind: providers.ErrInvalid, Code: "mark"}
			}
			if w.modified < since {
				continue
			}
		case q.Window.Days():
			day := health.DayOf(w.at.UTC())
			if day.Compare(q.Window.First) < 0 || day.Compare(q.Window.Last) > 0 {
				continue
			}
		case !q.Window.IsZero():
			if w.at.Before(q.Window.From) || !w.at.Before(q.Window.To) {
				continue
			}
		}
		rows = append(rows, w)
	}
	offset := 0
	if q.PageToken != "" {
		n, err := strconv.Atoi(q.PageToken)
		if err != nil || n <= 0 {
			return page, &providers.Error{Provider: "clinic", Kind: providers.ErrInvalid, Code: "token"}
		}
		offset = n
	}
	rows = rows[min(offset, len(rows)):]
	if len(rows) > c.pageSize {
		rows = rows[:c.pageSize]
		page.More, page.PageToken = true, strconv.Itoa(offset+c.pageSize)
	}
	for _, w := range rows {
		page.Records = append(page.Records, health.Record{
			Kind: health.KindBody, Key: fmt.Sprintf("%s/%d", q.Stream, w.id),
			Span:   health.Span{Start: health.At(w.at.UTC()), Day: health.DayOf(w.at.UTC()), Zone: health.ZoneFromRecord},
			Source: health.Source{Provider: "clinic", Path: health.PathDirect},
			Rev:    health.Rev{Order: int64(w.modified), Mapping: 1},
			Values: []health.Value{{Metric: health.MetricBodyWeight, Number: health.Decimal{Coefficient: w.grams, Exponent: -3}}},
		})
	}
	page.Raw = []health.RawBody{{Name: "weights", Body: fmt.Appendf(nil, "%s %d %d", q.Stream, offset, c.changes)}}
	return page, nil
}

func (c *clinic) Authorize(_ context.Context, r providers.AuthRequest) (providers.AuthStart, error) {
	return providers.AuthStart{URL: "https://clinic.example.com/allow?state=" + r.State, Secret: providers.NewSecret("verifier")}, nil
}

func (c *clinic) Exchange(_ context.Context, cb providers.Callback) (providers.Grant, error) {
	if cb.Secret.Reveal() != "verifier" || len(cb.Query["code"]) != 1 {
		return providers.Grant{}, &providers.Error{Provider: "clinic", Op: "exchange", Kind: providers.ErrInvalid}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return providers.Grant{UpstreamID: cb.Query["code"][0], Credential: c.issue(), Zone: "UTC"}, nil
}

func (c *clinic) issue() providers.Credential {
	c.issued++
	c.access, c.refresh = fmt.Sprintf("access-%d", c.issued), fmt.Sprintf("refresh-%d", c.issued)
	c.expires = time.Now().Add(c.accessLife)
	return providers.Credential{
		Access: providers.NewSecret(c.access), Refresh: providers.NewSecret(c.refresh), ExpiresAt: c.expires,
	}
}

func (c *clinic) Refresh(_ context.Context, cred providers.Credential) (providers.Credential, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shown[cred.Refresh.Reveal()]++
	if cred.Refresh.Reveal() != c.refresh {
		return providers.Credential{}, &providers.Error{Provider: "clinic", Op: "refresh", Kind: providers.ErrReauth}
	}
	return c.issue(), nil
}

func (c *clinic) asked() []providers.Query {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]providers.Query(nil), c.queries...)
}

var (
	_ providers.Provider   = (*clinic)(nil)
	_ providers.Authorizer = (*clinic)(nil)
	_ providers.Refresher  = (*clinic)(nil)
)
