package googlehealth

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/httpx"
	"github.com/vitalmux/vitalmux/providers"
)

// fetch is one call of Fetch under way.
type fetch struct {
	p    *Provider
	st   *stream
	cred providers.Credential
	q    providers.Query
	op   string
	raw  health.RawPage
	sent int
}

// read asks for the page in the way of its stream.
func (f *fetch) read(ctx context.Context) (providers.Page, error) {
	switch f.st.shape {
	case shapeState:
		return f.state(ctx)
	case shapeDense:
		return f.dense(ctx)
	case shapeDays, shapeHours:
		return f.rollup(ctx)
	}
	return f.points(ctx)
}

// invalid is a query that cannot be asked.
func (f *fetch) invalid(code string) error {
	return &providers.Error{Provider: Name, Op: f.op, Kind: providers.ErrInvalid, Code: code}
}

// place is where a walk stands: how many data are asked for at once, and the
// service's token of the next page, empty at the beginning.
type place struct {
	size  int
	token string
}

const (
	// smallest is the page size below which an answer that takes too long is a
	// failure of the service.
	smallest = 10
	// maxToken is the longest token of the service that fits a page token.
	maxToken = 4000
)

func (p place) String() string { return strconv.Itoa(p.size) + "." + p.token }

// smaller is the beginning of the same walk with smaller pages: tokens of the
// service are bound to the size.
func (p place) smaller() (place, bool) {
	return place{size: max(smallest, p.size/4)}, p.size > smallest
}

// place reads the page token of the query.
func (f *fetch) place(size int) (place, bool) {
	if f.q.PageToken == "" {
		return place{size: size}, true
	}
	text, token, found := strings.Cut(f.q.PageToken, ".")
	n, err := strconv.Atoi(text)
	if !found || err != nil || n < 1 || n > size || strconv.Itoa(n) != text {
		return place{}, false
	}
	return place{size: n, token: token}, true
}

// answer is what a request came back with; slow is set, and nothing else, for
// one that took the service too long (504).
type answer struct {
	resp *httpx.Response
	slow bool
}

// call makes one request. The service is asked again for what may be repeated,
// but not for an answer that takes it too long, which may be asked for in
// smaller pages.
func (f *fetch) call(ctx context.Context, r httpx.Request, shrinks bool) (answer, error) {
	f.sent++
	r.Op, r.User, r.Authorize = f.op, f.cred.UpstreamID, httpx.Bearer(f.cred.Access)
	return httpx.Call(ctx, f.p.client.Idempotent(), func(ctx context.Context) (answer, error) {
		resp, err := f.p.client.Send(ctx, r)
		switch {
		case err != nil:
			return answer{}, err
		case resp.Status == http.StatusGatewayTimeout && shrinks:
			return answer{slow: true, resp: resp}, nil
		}
		return answer{resp: resp}, f.p.failure(f.p.client, f.op, resp)
	})
}

// mapped reads one answer.
func (f *fetch) mapped(m *mapper, name string, resp *httpx.Response) error {
	if m.raw.Date.IsZero() {
		m.raw.Date = resp.Date
		m.now = resp.Date
	}
	m.raw.Bodies = append(m.raw.Bodies, health.RawBody{Name: name, Body: resp.Body})
	err := m.body(len(m.raw.Bodies) - 1)
	if told, ok := errors.AsType[*refusedError](err); ok {
		// An error in an answer 200 is read like one that came with its status.
		r := *resp
		r.Status = told.status
		return f.p.failure(f.p.client, f.op, &r)
	}
	if err != nil {
		return failed(f.op, err)
	}
	return nil
}

func (f *fetch) mapper() *mapper {
	m := newMapper(f.st, f.raw)
	m.user = f.cred.UpstreamID
	return m
}

// page completes what was mapped.
func (f *fetch) page(m *mapper) (providers.Page, error) {
	if err := m.finish(); err != nil {
		return providers.Page{}, failed(f.op, err)
	}
	return providers.Page{
		Records: m.records, Raw: m.raw.Bodies, Date: m.raw.Date, Digest: m.pageDigest(), Zone: m.personZone,
		Quarantined: m.quarantined,
	}, nil
}

// onePage fetches one page of a walk.
func (f *fetch) onePage(ctx context.Context, name string, at place, r httpx.Request) (providers.Page, error) {
	next, shrinks := at.smaller()
	got, err := f.call(ctx, r, shrinks)
	if err != nil {
		return providers.Page{}, err
	}
	if got.slow {
		// The walk begins again with smaller pages; what was read before is read
		// twice, which does no harm.
		return providers.Page{Date: got.resp.Date, PageToken: next.String(), More: true}, nil
	}
	m := f.mapper()
	if err := f.mapped(m, name, got.resp); err != nil {
		return providers.Page{}, err
	}
	token := m.next
	if f.st.name == streamWeight && len(m.records) > 0 {
		if err := f.heights(ctx, m); err != nil {
			return providers.Page{}, err
		}
	}
	page, err := f.page(m)
	if err != nil || token == "" {
		return page, err
	}
	if token == at.token {
		return providers.Page{}, failed(f.op, malformed(providers.CodePageLoop))
	}
	page.More, page.PageToken = true, place{at.size, token}.String()
	return page, nil
}

const (
	// heightPage is how many heights are asked for at once. They come newest
	// first, and people have one, or a few.
	heightPage = 100
	// heightCalls is the most requests for them: a first page may be empty.
	heightCalls = 3
)

// heights fetches the person's height as of the window: the service tells no body
// mass index, and it is of the weight and the height.
func (f *fetch) heights(ctx context.Context, m *mapper) error {
	t := typeOf("height")
	until := filter{{member{t, memberCivil}, lessThan, dayLiteral(f.q.Window.Last.Add(1))}}
	at := place{size: heightPage}
	for range heightCalls {
		r, name := f.listRequest(t, until, at)
		got, err := f.call(ctx, r, false)
		if err != nil {
			return err
		}
		if err := f.mapped(m, name, got.resp); err != nil {
			return err
		}
		if m.next == "" || len(m.heights) > 0 {
			return nil
		}
		at.token = m.next
	}
	return nil
}

// allPages fetches all pages of what is one record, or one for each day: a page
// of them may end in the middle of a record.
func (f *fetch) allPages(ctx context.Context, name string, size int, request func(place) (httpx.Request, error)) (providers.Page, error) {
	limit := max(1, f.st.facts().CallsPerPage)
	at := place{size: size}
	m := f.mapper()
	var walked httpx.LoopGuard
	for {
		if f.sent == limit {
			return providers.Page{}, failed(f.op, malformed(codeManyPages))
		}
		r, err := request(at)
		if err != nil {
			return providers.Page{}, err
		}
		smaller, shrinks := at.smaller()
		got, err := f.call(ctx, r, shrinks)
		if err != nil {
			return providers.Page{}, err
		}
		if got.slow {
			at, m, walked = smaller, f.mapper(), httpx.LoopGuard{}
			continue
		}
		if err := f.mapped(m, name+"/"+strconv.Itoa(len(m.raw.Bodies)+1), got.resp); err != nil {
			return providers.Page{}, err
		}
		if m.next == "" {
			return f.page(m)
		}
		if !walked.Visit(m.next) {
			return providers.Page{}, failed(f.op, malformed(providers.CodePageLoop))
		}
		at.token = m.next
	}
}

const usersMe = "v4/users/me/"

// listRequest asks for points of a type.
func (f *fetch) listRequest(t *dataType, filtered filter, at place) (httpx.Request, string) {
	method, path := "list", usersMe+"dataTypes/"+t.path+"/dataPoints"
	if t.can(canReconcile) && (!f.p.cfg.BySource || !t.can(canList)) {
		method, path = "reconcile", path+":reconcile"
	}
	query := url.Values{"filter": {filtered.String()}, "pageSize": {strconv.Itoa(at.size)}}
	if at.token != "" {
		query.Set("pageToken", at.token)
	}
	if family := f.family(); family != "" && (method == "reconcile" || !t.can(noFamily)) {
		query.Set("dataSourceFamily", family)
	}
	return httpx.Request{Path: path, Query: query}, t.path + ":" + method
}

// family returns the resource name of the data source family; empty for all.
func (f *fetch) family() string {
	if f.p.cfg.Family == "" {
		return ""
	}
	return "users/me/dataSourceFamilies/" + string(f.p.cfg.Family)
}

// points fetches one page of single points.
func (f *fetch) points(ctx context.Context) (providers.Page, error) {
	w := f.q.Window
	instants := f.st.data.record == recordECG
	if instants && (w.Days() || !w.To.After(w.From)) || !instants && (!w.Days() || w.Last.Compare(w.First) < 0) {
		return providers.Page{}, f.invalid(codeWindow)
	}
	at, ok := f.place(f.st.pageSize())
	if !ok {
		return providers.Page{}, f.invalid(codePageToken)
	}
	filtered, err := f.st.filterOf(f.q)
	if err != nil {
		return providers.Page{}, f.invalid(codeWindow)
	}
	r, name := f.listRequest(f.st.data, filtered, at)
	if instants {
		name += "/" + periodText(w.From.UnixMilli(), w.To.UnixMilli())
	}
	return f.onePage(ctx, name, at, r)
}

// dense fetches all points of a civil day.
func (f *fetch) dense(ctx context.Context) (providers.Page, error) {
	w := f.q.Window
	switch {
	case !w.Days() || w.First != w.Last:
		return providers.Page{}, f.invalid(codeWindow)
	case f.q.PageToken != "":
		return providers.Page{}, f.invalid(codePageToken)
	}
	from, to := f.q.Period()
	if !from.Before(to) {
		return providers.Page{}, nil
	}
	filtered, err := f.st.filterOf(f.q)
	if err != nil {
		return providers.Page{}, f.invalid(codeWindow)
	}
	_, name := f.listRequest(f.st.data, filtered, place{})
	name += "/" + w.First.String() + "/" + periodText(from.UnixMilli(), to.UnixMilli())
	return f.allPages(ctx, name, f.st.pageSize(), func(at place) (httpx.Request, error) {
		r, _ := f.listRequest(f.st.data, filtered, at)
		return r, nil
	})
}

// periodText is a half-open period in the name of a body, in milliseconds.
func periodText(from, to int64) string {
	return strconv.FormatInt(from, 10) + "-" + strconv.FormatInt(to, 10)
}

// rollupRequest is the body of a rollup. Of the two ranges one is set.
type rollupRequest struct {
	Range      any    `json:"range"`
	WindowSize string `json:"windowSize,omitempty"`
	WindowDays int    `json:"windowSizeDays,omitempty"`
	PageSize   int    `json:"pageSize"`
	PageToken  string `json:"pageToken,omitempty"`
	Family     string `json:"dataSourceFamily,omitempty"`
}

type civilRange struct {
	Start civilTime `json:"start"`
	End   civilTime `json:"end"`
}

type civilTime struct {
	Date civilDate `json:"date"`
}

type civilDate struct {
	Year  int `json:"year"`
	Month int `json:"month"`
	Day   int `json:"day"`
}

type physicalRange struct {
	StartTime string `json:"startTime"`
	EndTime   string `json:"endTime"`
}

func civilOf(d health.Day) civilTime {
	return civilTime{civilDate{int(d.Year), int(d.Month), int(d.Dom)}}
}

// rollup fetches sums: one page of civil days, or all hours of some.
func (f *fetch) rollup(ctx context.Context) (providers.Page, error) {
	w := f.q.Window
	if !w.Days() || w.Last.Compare(w.First) < 0 {
		return providers.Page{}, f.invalid(codeWindow)
	}
	path := usersMe + "dataTypes/" + f.st.data.path + "/dataPoints"
	if f.st.shape == shapeHours {
		return f.hours(ctx, path+":rollUp")
	}
	size := longRange
	if f.st.data.can(shortRange) {
		size = shortDays
	}
	at, ok := f.place(size)
	if !ok {
		return providers.Page{}, f.invalid(codePageToken)
	}
	r, err := f.rollupRequest(path+":dailyRollUp", rollupRequest{
		Range: civilRange{civilOf(w.First), civilOf(w.Last.Add(1))}, WindowDays: 1, PageSize: at.size, PageToken: at.token,
	})
	if err != nil {
		return providers.Page{}, err
	}
	return f.onePage(ctx, f.st.data.path+":dailyRollUp", at, r)
}

func (f *fetch) hours(ctx context.Context, path string) (providers.Page, error) {
	if f.q.PageToken != "" {
		return providers.Page{}, f.invalid(codePageToken)
	}
	w := f.q.Window
	from, to := hours(f.q.Period())
	if !from.Before(to) {
		return providers.Page{}, nil
	}
	name := f.st.data.path + ":rollUp/" + w.First.String() + "/" + w.Last.String()
	if !f.q.Begins.IsZero() {
		name += "/" + periodText(from.UnixMilli(), to.UnixMilli())
	}
	return f.allPages(ctx, name, f.st.pageSize(), func(at place) (httpx.Request, error) {
		return f.rollupRequest(path, rollupRequest{
			Range:      physicalRange{string(instantLiteral(from)), string(instantLiteral(to))},
			WindowSize: secondsText(windowSize), PageSize: at.size, PageToken: at.token,
		})
	})
}

func (f *fetch) rollupRequest(path string, body rollupRequest) (httpx.Request, error) {
	body.Family = f.family()
	text, err := json.Marshal(body)
	if err != nil {
		return httpx.Request{}, &providers.Error{Provider: Name, Op: f.op, Kind: providers.ErrInvalid, Err: err}
	}
	return httpx.Request{Path: path, Body: text, ContentType: "application/json"}, nil
}

// devicePage is how many paired devices are asked for at once: the most the
// service gives.
const devicePage = 100

// state fetches what is now.
func (f *fetch) state(ctx context.Context) (providers.Page, error) {
	r := httpx.Request{Path: usersMe + f.st.path}
	if f.st.name == "devices" {
		at, ok := f.place(devicePage)
		if !ok {
			return providers.Page{}, f.invalid(codePageToken)
		}
		r.Query = url.Values{"pageSize": {strconv.Itoa(at.size)}}
		if at.token != "" {
			r.Query.Set("pageToken", at.token)
		}
		return f.onePage(ctx, f.st.path, at, r)
	}
	if f.q.PageToken != "" {
		return providers.Page{}, f.invalid(codePageToken)
	}
	got, err := f.call(ctx, r, false)
	if err != nil {
		return providers.Page{}, err
	}
	m := f.mapper()
	if err := f.mapped(m, f.st.path, got.resp); err != nil {
		return providers.Page{}, err
	}
	return f.page(m)
}
