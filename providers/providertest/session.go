package providertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/providers"
)

// session is one case at work: a service, the wire to it, and the adapter.
type session struct {
	tb   testing.TB
	h    Harness
	done chan struct{} // closed when the case is over
	ctx  context.Context

	sim      Simulator
	wire     *wire
	provider providers.Provider
	cred     providers.Credential
}

// open starts the session with a page size.
func (s *session) open(pageSize int) {
	s.ctx = context.Background()
	s.sim = s.h.Sim(s.tb, pageSize)
	s.wire = &wire{done: s.done, sim: s.sim}
	s.provider = s.fresh()
	s.cred = s.sim.Login()
}

// fresh returns another adapter for the same service.
func (s *session) fresh() providers.Provider { return s.h.New(s.tb, BaseURL, s.wire) }

// streams returns the streams of which the service has data.
func (s *session) streams() []providers.Stream {
	var with []providers.Stream
	for _, st := range s.provider.Capabilities().Streams {
		if len(s.sim.WantKeys(st.Name)) > 0 {
			with = append(with, st)
		}
	}
	return with
}

// query returns the first query of the first stream with data.
func (s *session) query() (providers.Query, error) {
	streams := s.streams()
	if len(streams) == 0 {
		return providers.Query{}, errors.New("the simulator has no data")
	}
	return s.queries(streams[0])[0], nil
}

// queries splits the stream's window into queries of at most MaxWindow.
func (s *session) queries(st providers.Stream) []providers.Query {
	q := providers.Query{Stream: st.Name, Zone: s.h.Zone}
	if st.Grain == providers.GrainNone {
		return []providers.Query{q}
	}
	return s.split(st, s.sim.Window(st.Name))
}

// journeys returns queries of a stream of days whose first day begins earlier or
// later than its own midnight, and one that is over before it begins.
func (s *session) journeys(st providers.Stream) []providers.Query {
	if st.Grain != providers.GrainDay {
		return nil
	}
	var all []providers.Query
	for _, q := range s.queries(st) {
		from, to := q.Period()
		for _, begins := range []time.Time{from.Add(-9 * time.Hour), from.Add(9 * time.Hour), to.Add(time.Hour)} {
			q.Begins = begins
			all = append(all, q)
		}
	}
	return all
}

func (s *session) split(st providers.Stream, w health.Window) []providers.Query {
	var all []providers.Query
	add := func(w health.Window) {
		all = append(all, providers.Query{Stream: st.Name, Zone: s.h.Zone, Window: w})
	}
	switch {
	case st.MaxWindow == 0:
		add(w)
	case st.Grain == providers.GrainDay:
		days := int(st.MaxWindow / (24 * time.Hour))
		for first := w.First; first.Compare(w.Last) <= 0; first = first.Add(days) {
			last := first.Add(days - 1)
			if last.Compare(w.Last) > 0 {
				last = w.Last
			}
			add(health.Window{First: first, Last: last})
		}
	default:
		for from := w.From; from.Before(w.To); from = from.Add(st.MaxWindow) {
			to := from.Add(st.MaxWindow)
			if to.After(w.To) {
				to = w.To
			}
			add(health.Window{From: from, To: to})
		}
	}
	return all
}

// fetch is one Fetch as the engine does it: it waits when told to.
func (s *session) fetch(p providers.Provider, q providers.Query) (providers.Page, error) {
	for range 100 {
		page, err := p.Fetch(s.ctx, s.cred, q)
		if !providers.Retryable(err) {
			return page, err
		}
		wait := 15 * time.Second
		if at, ok := providers.RetryAt(err); ok {
			wait = max(time.Until(at), time.Second)
		}
		time.Sleep(wait)
	}
	return providers.Page{}, errors.New("told to wait 100 times")
}

// maxPages bounds a walk.
const maxPages = 10_000

// walk fetches all pages of a query. Between is called after each page that is
// not the last, and returns the provider to go on with.
func (s *session) walk(q providers.Query, between func() providers.Provider) ([]providers.Page, error) {
	var (
		pages []providers.Page
		p     = s.provider
		keys  = map[[2]string]bool{}
	)
	for len(pages) < maxPages {
		page, err := s.fetch(p, q)
		if err != nil {
			return nil, fmt.Errorf("stream %s, page %d: %w", q.Stream, len(pages)+1, err)
		}
		for _, r := range page.Records {
			if key := [2]string{string(r.Kind), r.Key}; keys[key] {
				return nil, fmt.Errorf("stream %s: the record %s came twice in one walk", q.Stream, r.Key)
			} else {
				keys[key] = true
			}
		}
		pages = append(pages, page)
		if !page.More {
			return pages, nil
		}
		if page.PageToken == "" || len(page.PageToken) > 4<<10 {
			return nil, fmt.Errorf("stream %s: a page has More and a token of %d bytes", q.Stream, len(page.PageToken))
		}
		q.PageToken = page.PageToken
		if between != nil {
			p = between()
		}
	}
	return nil, fmt.Errorf("stream %s: no end after %d pages", q.Stream, maxPages)
}

// walkAll walks all queries of a stream.
func (s *session) walkAll(st providers.Stream, between func() providers.Provider) ([]providers.Page, error) {
	var all []providers.Page
	for _, q := range s.queries(st) {
		pages, err := s.walk(q, between)
		if err != nil {
			return nil, err
		}
		all = append(all, pages...)
	}
	return all, nil
}

// wantAll compares the keys of pages with those the service has.
func (s *session) wantAll(stream string, pages []providers.Page) error {
	want, got := unique(s.sim.WantKeys(stream)), unique(keysOf(pages))
	for _, key := range want {
		if !slices.Contains(got, key) {
			return fmt.Errorf("stream %s: %d of %d keys, %s is missing", stream, len(got), len(want), key)
		}
	}
	if len(got) != len(want) {
		return fmt.Errorf("stream %s: %d keys where the service has %d", stream, len(got), len(want))
	}
	return nil
}

func keysOf(pages []providers.Page) []string {
	var keys []string
	for r := range recordsOf(pages) {
		keys = append(keys, r.Key)
	}
	return keys
}

func recordsOf(pages []providers.Page) func(func(*health.Record) bool) {
	return func(yield func(*health.Record) bool) {
		for i := range pages {
			for j := range pages[i].Records {
				if !yield(&pages[i].Records[j]) {
					return
				}
			}
		}
	}
}

func unique(keys []string) []string {
	sorted := slices.Sorted(slices.Values(keys))
	return slices.Compact(sorted)
}

// wantError checks that err is what an adapter may return, with the class.
func (s *session) wantError(err, class error) (*providers.Error, error) {
	if err == nil {
		return nil, fmt.Errorf("success where the error %q was due", class)
	}
	e, ok := errors.AsType[*providers.Error](err)
	switch {
	case !ok:
		return nil, fmt.Errorf("the error is a %T", err)
	case e.Provider != s.provider.Name():
		return nil, fmt.Errorf("the error names the provider %q", e.Provider)
	case !slices.Contains(providers.Classes(), e.Kind):
		return nil, fmt.Errorf("the class of the error is not of the closed set: %v", e.Kind)
	case !errors.Is(err, class):
		return nil, fmt.Errorf("the error is %q where %q was due", e.Kind, class)
	}
	return e, nil
}

// failedFetch fetches once and wants the class and nothing else.
func (s *session) failedFetch(class error) (*providers.Error, error) {
	q, err := s.query()
	if err != nil {
		return nil, err
	}
	page, err := s.provider.Fetch(s.ctx, s.cred, q)
	if err != nil && !reflect.DeepEqual(page, providers.Page{}) {
		return nil, errors.New("a failed Fetch returned something")
	}
	return s.wantError(err, class)
}

// wire is the RoundTripper between adapter and service: it notes the requests
// and breaks what the case wants broken.
type wire struct {
	done chan struct{}
	sim  http.Handler

	mu    sync.Mutex
	fault func(next http.Handler) http.Handler
	sent  []sentRequest
}

// sentRequest is one request as it went over the wire.
type sentRequest struct{ host, text string }

func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	select {
	case <-w.done:
		return nil, errors.New("the case is over")
	default:
	}
	var body []byte
	if req.Body != nil {
		var err error
		body, err = io.ReadAll(req.Body)
		_ = req.Body.Close()
		if err != nil {
			return nil, err
		}
	}
	var text strings.Builder
	text.WriteString(req.URL.String() + "\n")
	_ = req.Header.Write(&text)
	text.Write(body)

	w.mu.Lock()
	w.sent = append(w.sent, sentRequest{host: req.URL.Host, text: text.String()})
	handler := w.sim
	if w.fault != nil {
		handler = w.fault(handler)
	}
	w.mu.Unlock()

	ctx, cancel := context.WithCancel(req.Context())
	defer cancel()
	answered := make(chan struct{})
	defer close(answered)
	go func() {
		select {
		case <-w.done:
			cancel()
		case <-answered:
		}
	}()
	out := req.Clone(ctx)
	out.Body = io.NopCloser(bytes.NewReader(body))
	return Transport(handler).RoundTrip(out)
}

// breaks sets the fault of all requests from now on; nil ends it.
func (w *wire) breaks(fault func(http.Handler) http.Handler) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = fault
}

// mark returns the place in the log of requests.
func (w *wire) mark() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.sent)
}

// bearing counts the requests since the mark that hold a text.
func (w *wire) bearing(mark int, text string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, r := range w.sent[mark:] {
		if strings.Contains(r.text, text) || strings.Contains(r.text, url.QueryEscape(text)) {
			n++
		}
	}
	return n
}

// elsewhere counts the requests to another host than the service's.
func (w *wire) elsewhere() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, r := range w.sent {
		if "https://"+r.host != BaseURL {
			n++
		}
	}
	return n
}
