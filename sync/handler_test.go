package sync_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"slices"
	"strconv"
	"strings"
	gosync "sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/internal/provsim"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/providertest"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// mailroom is an engine over provsim, with its handler.
type mailroom struct {
	*provsim.Service
	adapter *provsim.Provider
	store   *store.Memory
	cfg     healthsync.Config
	engine  *healthsync.Engine
	handler http.Handler

	mu         gosync.Mutex
	alarms     []healthsync.AlarmEvent
	audits     []healthsync.AuditEvent
	deliveries []healthsync.DeliveryEvent
	states     []healthsync.StateEvent
	pages      []healthsync.PageEvent
}

// mailConfig is what a test may change before the engine is made.
type mailConfig struct {
	service provsim.Config
	adapter provsim.AdapterConfig
	engine  healthsync.Config
	// wrap stands between the engine and the adapter.
	wrap func(*provsim.Provider) providers.Provider
}

func newMailroom(t testing.TB, change func(*mailConfig)) *mailroom {
	m := &mailroom{store: store.NewMemory()}
	c := mailConfig{
		service: provsim.Config{Users: 3, Seed: 1},
		engine: healthsync.Config{
			Store: m.store, Sealer: newKeyring(t), PublicURL: "https://host.example.com/mux", MaxWait: -1,
			// Only deliveries make a connection due.
			Interval: 1000 * time.Hour, ReconcileEvery: -1, History: -1,
		},
		wrap: func(p *provsim.Provider) providers.Provider { return p },
	}
	if change != nil {
		change(&c)
	}
	c.service.Unsigned = c.adapter.Unsigned
	m.Service = provsim.NewService(c.service)
	c.adapter.BaseURL, c.adapter.MaxWait, c.adapter.Transport = "https://provsim.example.com", -1, providertest.Transport(m.Service)
	var err error
	m.adapter, err = provsim.New(c.adapter)
	require.NoError(t, err)
	c.engine.Providers = append(c.engine.Providers, c.wrap(m.adapter))
	keep := func(add func()) {
		m.mu.Lock()
		defer m.mu.Unlock()
		add()
	}
	c.engine.Hooks = healthsync.Hooks{
		Alarm: func(_ context.Context, e healthsync.AlarmEvent) { keep(func() { m.alarms = append(m.alarms, e) }) },
		Audit: func(_ context.Context, e healthsync.AuditEvent) { keep(func() { m.audits = append(m.audits, e) }) },
		Delivered: func(_ context.Context, e healthsync.DeliveryEvent) {
			keep(func() { m.deliveries = append(m.deliveries, e) })
		},
		StateChanged:  func(_ context.Context, e healthsync.StateEvent) { keep(func() { m.states = append(m.states, e) }) },
		PageCommitted: func(_ context.Context, e healthsync.PageEvent) { keep(func() { m.pages = append(m.pages, e) }) },
	}
	m.cfg = c.engine
	m.engine, err = healthsync.New(c.engine)
	require.NoError(t, err)
	m.handler = m.engine.Handler()
	return m
}

// link connects a person of the service, as the host's user of the same name.
func (m *mailroom) link(t testing.TB, user string) store.Connection {
	return m.linkAs(t, user, user)
}

func (m *mailroom) linkAs(t testing.TB, host, user string) store.Connection {
	address, err := m.engine.Connect(t.Context(), healthsync.ConnectRequest{
		User: host, Provider: m.adapter.Name(), RedirectURL: provsim.DefaultRedirectURL,
	})
	require.NoError(t, err)
	back, err := m.Consent(user, address)
	require.NoError(t, err)
	u, err := url.Parse(back)
	require.NoError(t, err)
	conn, err := m.engine.Complete(t.Context(), u.Query())
	require.NoError(t, err)
	return conn
}

const signedPath = "/webhooks/provsim"

// post hands a delivery to the handler.
func (m *mailroom) post(path string, header http.Header, body []byte) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body))
	r.Header = header
	w := httptest.NewRecorder()
	m.handler.ServeHTTP(w, r)
	return w
}

// send signs a delivery and hands it in; it must be accepted.
func (m *mailroom) send(t testing.TB, events ...provsim.Event) []byte {
	body := m.Compose(events...)
	require.Equal(t, http.StatusOK, m.post(signedPath, m.Header(body, time.Now()), body).Code)
	return body
}

func (m *mailroom) kept(t testing.TB, status store.DeliveryStatus) []store.Delivery {
	list, err := m.store.Deliveries(t.Context(), store.DeliveryQuery{Status: status, Limit: 100_000})
	require.NoError(t, err)
	return list
}

func (m *mailroom) count(kind healthsync.AlarmKind) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, a := range m.alarms {
		if a.Kind == kind {
			n++
		}
	}
	return n
}

// values returns what the store holds of a user and stream: numbers by key.
func (m *mailroom) values(t testing.TB, user, stream string) map[string]int64 {
	all := make(map[string]int64)
	for q := (store.RecordQuery{User: user, Streams: []string{stream}}); ; {
		page, err := m.store.Records(t.Context(), q)
		require.NoError(t, err)
		for _, r := range page.Records {
			all[r.Key] = r.Values[0].Number.Coefficient
		}
		if q.After = page.Next; q.After == "" {
			return all
		}
	}
}

// truth returns what the service says, in the form of values.
func (m *mailroom) truth(t testing.TB, user, stream string) map[string]int64 {
	all := make(map[string]int64)
	rows, err := m.Truth(user)
	require.NoError(t, err)
	for _, r := range rows[stream] {
		if !r.Deleted {
			all[stream+"/"+r.ID] = r.Record("provsim", stream).Values[0].Number.Coefficient
		}
	}
	return all
}

// work runs the engine for a while; in a bubble that takes no time.
func (m *mailroom) work(t testing.TB, d time.Duration) {
	stop := running(t, m.engine)
	time.Sleep(d)
	stop()
}

// weight is a delivery's event with one weight in it.
func weightEvent(user, id string, at time.Time, modified, grams int64) provsim.Event {
	return provsim.Event{Type: provsim.TypeData, User: user, At: modified, Data: map[string][]provsim.Row{
		provsim.StreamEvents: {{ID: id, At: at.UnixMilli(), Modified: modified, Version: 1, Value: grams}},
	}}
}

// TestEnvelopes hands in what is wrong with deliveries as such.
func TestEnvelopes(t *testing.T) {
	const secret = provsim.DefaultSigningSecret
	type request struct {
		header http.Header
		body   []byte
	}
	signed := func(body []byte, at time.Time) request {
		return request{http.Header{provsim.SignatureHeader: {provsim.Sign(body, at, secret)}}, body}
	}
	event := func(m *mailroom) []byte {
		return m.Compose(provsim.Event{Type: provsim.TypeData, User: "u1"})
	}
	// spoilt changes the signature header of a good delivery.
	spoilt := func(change func(header string) []string) func(*mailroom) request {
		return func(m *mailroom) request {
			r := signed(event(m), time.Now())
			r.header[provsim.SignatureHeader] = change(r.header.Get(provsim.SignatureHeader))
			return r
		}
	}
	whole := func(body string) func(*mailroom) request {
		return func(*mailroom) request { return signed([]byte(body), time.Now()) }
	}
	stamp := func(text string) func(*mailroom) request {
		return spoilt(func(h string) []string {
			_, rest, _ := strings.Cut(h, ",")
			return []string{"t=" + text + "," + rest}
		})
	}
	macs := func(list ...string) func(*mailroom) request {
		return spoilt(func(h string) []string {
			first, _, _ := strings.Cut(h, ",")
			return []string{first + "," + strings.Join(list, ",")}
		})
	}
	mac := func(h string) string { _, m, _ := strings.Cut(h, ",v1="); return m }

	const refused = http.StatusUnauthorized
	for _, c := range []struct {
		row    string
		make   func(*mailroom) request
		status int
		dead   string // reason; empty for nothing kept, "new" for kept to be worked on
	}{
		{"H1 no signature", func(m *mailroom) request { return request{http.Header{}, event(m)} }, refused, ""},
		{"H2 two headers", spoilt(func(h string) []string { return []string{h, h} }), refused, ""},
		{"H3 no time", stamp(""), refused, ""},
		{"H3 time is text", stamp("soon"), refused, ""},
		{"H3 negative time", stamp("-1"), refused, ""},
		{"H3 time of 20 digits", stamp(strings.Repeat("9", 20)), refused, ""},
		{"H4 future", func(m *mailroom) request { return signed(event(m), time.Now().Add(302*time.Second)) }, refused, ""},
		{"H5 old", func(m *mailroom) request { return signed(event(m), time.Now().Add(-302*time.Second)) }, refused, ""},
		{"H6 upper case", spoilt(func(h string) []string {
			first, v, _ := strings.Cut(h, ",v1=")
			return []string{first + ",v1=" + strings.ToUpper(v)}
		}), 200, "new"},
		{"H7 odd length", spoilt(func(h string) []string { return []string{h[:len(h)-1]} }), refused, ""},
		{"H7 31 bytes", spoilt(func(h string) []string { return []string{h[:len(h)-2]} }), refused, ""},
		{"H7 not hex", macs("v1=" + strings.Repeat("z", 64)), refused, ""},
		{"H8 unknown scheme only", spoilt(func(h string) []string { return []string{strings.ReplaceAll(h, "v1=", "v0=")} }), refused, ""},
		{"H9 a thousand", spoilt(func(h string) []string { return []string{h + strings.Repeat(",v1="+mac(h), 1000)} }), refused, ""},
		{"H9 nine", spoilt(func(h string) []string { return []string{h + strings.Repeat(",v1="+mac(h), 8)} }), refused, ""},
		{"H10 spaces", spoilt(func(h string) []string { return []string{strings.ReplaceAll(h, ",", ", ")} }), refused, ""},
		{"H11 encoded anew", func(m *mailroom) request {
			r := signed(event(m), time.Now())
			var v any
			require.NoError(t, json.Unmarshal(r.body, &v))
			r.body, _ = json.MarshalIndent(v, "", " ")
			return r
		}, refused, ""},
		{"H12 another endpoint's secret", func(m *mailroom) request {
			body := event(m)
			return request{http.Header{provsim.SignatureHeader: {provsim.Sign(body, time.Now(), "secret-of-another-one")}}, body}
		}, refused, ""},
		{"H13 empty", whole(""), 200, "empty"},
		{"H14 null", whole("null"), 200, "unreadable"},
		{"H14 list", whole("[]"), 200, "unreadable"},
		{"H14 text", whole(`"x"`), 200, "unreadable"},
		{"H14 number", whole("1"), 200, "unreadable"},
		{"H15 gzip, verified over the bytes as they came", func(m *mailroom) request {
			r := signed([]byte{0x1f, 0x8b, 8, 0}, time.Now())
			r.header.Set("Content-Encoding", "gzip")
			return r
		}, 200, "unreadable"},
		{"H16 one byte too many, announced", whole(strings.Repeat(" ", 1<<20+1)), 413, ""},
		{"H19 invalid UTF-8", whole("{\"events\":[{\"type\":\"data\",\"user\":\"\xff\xfe\"}]}"), 200, "unreadable"},
		{"H20 depth 10,001", whole(strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001)), 200, "unreadable"},
		{"H20 depth 65", whole(`{"events":` + strings.Repeat("[", 65) + strings.Repeat("]", 65) + "}"), 200, "unreadable"},
		{"whitespace at the limit", whole(strings.Repeat(" ", 1<<20)), 200, "unreadable"},
		{"good", func(m *mailroom) request { return signed(event(m), time.Now()) }, 200, "new"},
	} {
		t.Run(c.row, func(t *testing.T) {
			m := newMailroom(t, nil)
			m.link(t, "u1")
			r := c.make(m)
			w := m.post(signedPath, r.header, r.body)
			require.Equal(t, c.status, w.Code)
			list := m.kept(t, "")
			if c.dead == "" {
				require.Empty(t, list)
				return
			}
			if c.dead == "unreadable" && len(m.kept(t, store.DeliveryDead)) == 0 {
				// An event that cannot be read is found when it is worked on.
				m.workUntil(t, func() bool { return len(m.kept(t, store.DeliveryDead)) == 1 })
				list = m.kept(t, "")
			}
			require.Len(t, list, 1)
			if c.dead == "new" {
				require.Equal(t, store.DeliveryNew, list[0].Status)
				return
			}
			require.Equal(t, store.DeliveryDead, list[0].Status)
			require.Equal(t, c.dead, list[0].Reason)
			require.Equal(t, r.body, append([]byte{}, list[0].Body...), "kept as it came")
		})
	}
}

// workUntil runs the engine in real time until something is so.
func (m *mailroom) workUntil(t testing.TB, done func() bool) {
	stop := running(t, m.engine)
	defer stop()
	require.Eventually(t, done, 10*time.Second, 5*time.Millisecond)
}

// TestWirePathologies hands in over real connections what a recorder cannot.
func TestWirePathologies(t *testing.T) {
	m := newMailroom(t, func(c *mailConfig) {
		c.wrap = func(p *provsim.Provider) providers.Provider { return deadlined{p, 300 * time.Millisecond} }
	})
	m.link(t, "u1")
	server := httptest.NewServer(http.StripPrefix("/mux", m.handler))
	defer server.Close()
	body := m.Compose(provsim.Event{Type: provsim.TypeData, User: "u1"})
	head := func(length int) string {
		return "POST /mux" + signedPath + " HTTP/1.1\r\nHost: x\r\n" + provsim.SignatureHeader + ": " +
			m.Header(body, time.Now()).Get(provsim.SignatureHeader) + "\r\nContent-Length: " + strconv.Itoa(length) + "\r\n\r\n"
	}
	// talk writes and returns all that comes back until the other side closes.
	talk := func(t *testing.T, write func(net.Conn)) string {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		require.NoError(t, err)
		defer func() { _ = conn.Close() }()
		require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
		write(conn)
		answer, _ := io.ReadAll(conn)
		return string(answer)
	}
	t.Run("H17 longer than announced", func(t *testing.T) {
		answer := talk(t, func(c net.Conn) { _, _ = io.WriteString(c, head(len(body)-2)+string(body)+"\r\n\r\n") })
		require.Contains(t, answer, "401 Unauthorized", "what was announced is not what was signed")
		require.Contains(t, answer, "400 Bad Request", "what follows is no request")
		require.Empty(t, m.kept(t, ""))
	})
	t.Run("H17 shorter than announced", func(t *testing.T) {
		answer := talk(t, func(c net.Conn) {
			_, _ = io.WriteString(c, head(len(body)+2)+string(body))
			_ = c.(*net.TCPConn).CloseWrite()
		})
		require.Contains(t, answer, "400 Bad Request")
		require.Empty(t, m.kept(t, ""))
	})
	t.Run("H16 chunked beyond the limit", func(t *testing.T) {
		r, err := http.NewRequest(http.MethodPost, server.URL+"/mux"+signedPath, struct{ io.Reader }{strings.NewReader(strings.Repeat("x", 1<<20+1))})
		require.NoError(t, err)
		resp, err := server.Client().Do(r)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, 413, resp.StatusCode)
		require.True(t, resp.Close, "the connection is closed")
		require.Empty(t, m.kept(t, ""))
	})
	t.Run("H18 a byte now and then", func(t *testing.T) {
		began := time.Now()
		answer := talk(t, func(c net.Conn) {
			_, _ = io.WriteString(c, head(len(body)))
			for i := range body {
				if _, err := c.Write(body[i : i+1]); err != nil {
					return
				}
				time.Sleep(20 * time.Millisecond) // the pace under test
			}
		})
		require.Contains(t, answer, "408 Request Timeout")
		require.Less(t, time.Since(began), 5*time.Second)
		require.Empty(t, m.kept(t, ""))
	})
	t.Run("H37 gone in the middle", func(t *testing.T) {
		for range 20 {
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			require.NoError(t, err)
			_, _ = io.WriteString(conn, head(len(body))+string(body[:10]))
			require.NoError(t, conn.(*net.TCPConn).SetLinger(0))
			require.NoError(t, conn.Close())
		}
		resp, err := server.Client().Get(server.URL + "/mux" + signedPath)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Empty(t, m.kept(t, ""))
	})
	t.Run("H37 gone after the body", func(t *testing.T) {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		require.NoError(t, err)
		_, _ = io.WriteString(conn, head(len(body))+string(body))
		require.Eventually(t, func() bool { return len(m.kept(t, "")) == 1 }, 10*time.Second, time.Millisecond)
		require.NoError(t, conn.Close())
		require.Len(t, m.kept(t, ""), 1, "what is committed stays")
	})
}

// deadlined is a service with other traits.
type deadlined struct {
	*provsim.Provider
	deadline time.Duration
}

func (d deadlined) WebhookTraits() providers.WebhookTraits {
	traits := d.Provider.WebhookTraits()
	traits.Deadline = d.deadline
	return traits
}

// plain is a service whose adapter does not read Content-Encoding.
type plain struct{ *provsim.Provider }

func (p plain) WebhookTraits() providers.WebhookTraits {
	traits := p.Provider.WebhookTraits()
	traits.Header = []string{provsim.SignatureHeader}
	return traits
}

func TestEncodingThatTheAdapterDoesNotReadIsRefused(t *testing.T) { // H15
	m := newMailroom(t, func(c *mailConfig) {
		c.wrap = func(p *provsim.Provider) providers.Provider { return plain{p} }
	})
	body := m.Compose(provsim.Event{Type: provsim.TypeData, User: "u1"})
	header := m.Header(body, time.Now())
	header.Set("Content-Encoding", "gzip")
	require.Equal(t, http.StatusUnsupportedMediaType, m.post(signedPath, header, body).Code)
	header.Set("Content-Encoding", "identity")
	require.Equal(t, 200, m.post(signedPath, header, body).Code)
}

// stubbornStore does not store deliveries, or not in time.
type stubbornStore struct {
	*store.Memory
	block chan struct{} // closed to end the wait
	fails atomic.Bool
}

func (s *stubbornStore) PutDelivery(ctx context.Context, d store.Delivery) (bool, error) {
	if s.fails.Load() {
		return false, errDisk
	}
	if s.block != nil {
		<-s.block // whatever the context says
	}
	return s.Memory.PutDelivery(ctx, d)
}

func TestStoreDownIs503AndNever2xx(t *testing.T) { // H38
	bubble(t, func(t *testing.T) {
		stubborn := &stubbornStore{block: make(chan struct{})}
		m := newMailroom(t, func(c *mailConfig) {
			stubborn.Memory = c.engine.Store.(*store.Memory)
			c.engine.Store = stubborn
		})
		body := m.Compose(provsim.Event{Type: provsim.TypeData, User: "u1"})
		began := time.Now()
		w := m.post(signedPath, m.Header(body, began), body)
		require.Equal(t, 503, w.Code)
		require.NotEmpty(t, w.Header().Get("Retry-After"))
		require.Equal(t, 1500*time.Millisecond, time.Since(began))
		close(stubborn.block)
		stubborn.fails.Store(true)
		require.Equal(t, 503, m.post(signedPath, m.Header(body, began), body).Code)
		stubborn.fails.Store(false)
		require.Equal(t, 200, m.post(signedPath, m.Header(body, began), body).Code)
		require.Len(t, m.kept(t, ""), 1)
	})
}

// TestProtocolCodes asks for everything that is not a good delivery.
func TestProtocolCodes(t *testing.T) {
	counts := proof.Counts{}
	proof.Row(t, "W17", counts)
	signed := newMailroom(t, nil)
	unsigned := newMailroom(t, func(c *mailConfig) { c.adapter.Unsigned = true })
	own := unsigned.ownPath(t, unsigned.link(t, "u1"))
	form := []byte(`{"events":[{"type":"data","user":"u1"}]}`)
	for _, c := range []struct {
		name, method, path string
		m                  *mailroom
		status             int
		allow              string
	}{
		{"GET", "GET", signedPath, signed, 405, "POST"},
		{"HEAD", "HEAD", signedPath, signed, 405, "POST"},
		{"PUT", "PUT", signedPath, signed, 405, "POST"},
		{"OPTIONS", "OPTIONS", signedPath, signed, 405, "POST"},
		{"HEAD of an unsigned address", "HEAD", own, unsigned, 200, ""},
		{"GET of an unsigned address", "GET", own, unsigned, 405, "HEAD, POST"},
		{"POST to an unsigned address", "POST", own, unsigned, 200, ""},
		{"unsigned address, wrong code", "POST", own[:len(own)-1] + "x", unsigned, 404, ""},
		{"unsigned address, other connection", "POST", strings.Replace(own, ".", "0.", 1), unsigned, 404, ""},
		{"unsigned address without code", "POST", signedPath, unsigned, 404, ""},
		{"HEAD of an unsigned address without code", "HEAD", signedPath, unsigned, 404, ""},
		{"signed address with something behind", "POST", signedPath + "/x", signed, 404, ""},
		{"slash at the end", "POST", signedPath + "/", signed, 404, ""},
		{"two slashes", "POST", "/webhooks//provsim", signed, 404, ""},
		{"dots", "POST", "/webhooks/../webhooks/provsim", signed, 404, ""},
		{"unknown provider", "POST", "/webhooks/nobody", signed, 404, ""},
		{"unknown path", "POST", "/nothing", signed, 404, ""},
		{"root", "GET", "/", signed, 404, ""},
		{"unsigned body", "POST", signedPath, signed, 401, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, "/", bytes.NewReader(form))
			r.URL.Path = c.path
			w := httptest.NewRecorder()
			c.m.handler.ServeHTTP(w, r)
			require.Equal(t, c.status, w.Code)
			require.Equal(t, c.allow, w.Header().Get("Allow"))
			if c.status == 404 {
				require.Equal(t, "Not Found\n", w.Body.String(), "constant")
			}
			counts["requests"]++
		})
	}
	require.Empty(t, signed.kept(t, ""))
}

// ownPath returns the address of a connection's unsigned deliveries, as its
// subscription has it.
func (m *mailroom) ownPath(t testing.TB, conn store.Connection) string {
	address, err := healthsync.WebhookURL(m.engine, conn)
	require.NoError(t, err)
	return strings.TrimPrefix(address, m.cfg.PublicURL)
}

// TestOneChangedBitIsRefused flips bits of a good delivery.
func TestOneChangedBitIsRefused(t *testing.T) {
	random := rand.New(rand.NewPCG(proof.Seed(t), 4))
	counts := proof.Counts{"body bits": proof.N(1000, 100_000)}
	proof.Row(t, "W4", counts)
	m := newMailroom(t, nil)
	body := m.Compose(weightEvent("u1", "w1", time.Now(), 1, 70_000))
	good := m.Header(body, time.Now()).Get(provsim.SignatureHeader)
	refused := func(header string, body []byte) {
		w := m.post(signedPath, http.Header{provsim.SignatureHeader: {header}}, body)
		require.Equal(t, 401, w.Code, "%q", header)
	}
	for i := range good { // every byte of the header, every bit of it
		for bit := range 8 {
			b := []byte(good)
			b[i] ^= 1 << bit
			if strings.EqualFold(string(b), good) && i > strings.Index(good, "v1=")+2 {
				continue // the same number in the other case
			}
			refused(string(b), body)
			counts["header bits"]++
		}
	}
	for range counts["body bits"] {
		b := bytes.Clone(body)
		b[random.IntN(len(b))] ^= 1 << random.IntN(8)
		refused(good, b)
	}
	require.Empty(t, m.kept(t, ""))

	// Each of three secrets with each of three signatures.
	secrets := []string{"secret-number-one-of-it", "secret-number-two-of-it", "secret-number-three-of"}
	ring := newMailroom(t, func(c *mailConfig) {
		for _, s := range secrets {
			c.adapter.SigningSecrets = append(c.adapter.SigningSecrets, providers.NewSecret(s))
		}
	})
	for _, secret := range secrets {
		for place := range 3 {
			list := []string{"wrong-secret-wrong-one", "wrong-secret-wrong-two", "wrong-secret-wrong-3.."}
			refusedBody := ring.Compose(weightEvent("u1", "w1", time.Now(), 1, 70_000))
			header := provsim.Sign(refusedBody, time.Now(), list...)
			require.Equal(t, 401, ring.post(signedPath, http.Header{provsim.SignatureHeader: {header}}, refusedBody).Code)
			list[place] = secret
			header = provsim.Sign(refusedBody, time.Now(), list...)
			require.Equal(t, 200, ring.post(signedPath, http.Header{provsim.SignatureHeader: {header}}, refusedBody).Code)
		}
	}
}

func TestTimestampWindowIsExact(t *testing.T) {
	counts := proof.Counts{}
	proof.Row(t, "W5", counts)
	bubble(t, func(t *testing.T) {
		for _, maxAge := range []time.Duration{5 * time.Minute, 26 * time.Hour} {
			m := newMailroom(t, func(c *mailConfig) { c.adapter.MaxAge = maxAge })
			for _, c := range []struct {
				age    time.Duration
				status int
			}{
				{maxAge - time.Second, 200}, {maxAge, 200}, {maxAge + time.Second, 401},
				{-5*time.Minute + time.Second, 200}, {-5 * time.Minute, 200}, {-5*time.Minute - time.Second, 401},
			} {
				body := m.Compose(provsim.Event{Type: provsim.TypeData, User: "u1"})
				require.Equal(t, c.status, m.post(signedPath, m.Header(body, time.Now().Add(-c.age)), body).Code, "%v of %v", c.age, maxAge)
				counts["requests"]++
			}
			// A delivery that was taken in time is not too old for the worker.
			m.link(t, "u1")
			time.Sleep(30 * time.Minute)
			m.work(t, time.Minute)
			require.Empty(t, m.kept(t, ""))
		}
	})
}

func TestFailClosed(t *testing.T) {
	proof.Row(t, "W15", proof.Counts{"secrets": 4})
	for name, secrets := range map[string][]providers.Secret{
		"no secret": {}, "empty": {providers.Secret{}}, "short": {providers.NewSecret("fifteen bytes..")},
		"a short one among good ones": {providers.NewSecret(provsim.DefaultSigningSecret), providers.NewSecret("short")},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := provsim.New(provsim.AdapterConfig{BaseURL: "https://provsim.example.com", SigningSecrets: secrets})
			require.ErrorIs(t, err, providers.ErrInvalid)
		})
	}
	// An adapter's bug is no way in: what nobody has vouched for is refused.
	m := newMailroom(t, func(c *mailConfig) {
		c.wrap = func(p *provsim.Provider) providers.Provider { return confused{p} }
	})
	body := m.Compose(provsim.Event{Type: provsim.TypeData, User: "u1"})
	require.Equal(t, 401, m.post(signedPath, m.Header(body, time.Now()), body).Code)
	require.Empty(t, m.kept(t, ""))
}

type confused struct{ *provsim.Provider }

func (confused) ParseWebhook(time.Time, *providers.WebhookRequest) ([]providers.Notification, error) {
	return nil, errors.New("a bug")
}

func TestSecretRotationRefusesNothing(t *testing.T) {
	random := rand.New(rand.NewPCG(proof.Seed(t), 16))
	counts := proof.Counts{"deliveries": proof.N(1000, 10_000)}
	proof.Row(t, "W16", counts)
	const older, newer = "signing-secret-of-before", "signing-secret-from-now-on"
	with := func(list ...string) func(*mailConfig) {
		return func(c *mailConfig) {
			c.adapter.SigningSecrets = nil
			for _, s := range list {
				c.adapter.SigningSecrets = append(c.adapter.SigningSecrets, providers.NewSecret(s))
			}
		}
	}
	both, retired := newMailroom(t, with(older, newer)), newMailroom(t, with(newer))
	switchAt := random.IntN(counts["deliveries"])
	for i := range counts["deliveries"] {
		both.SetSigningSecrets(older)
		if i >= switchAt {
			both.SetSigningSecrets(newer)
		}
		both.send(t, provsim.Event{Type: provsim.TypeData, User: "u1"})
	}
	body := retired.Compose(provsim.Event{Type: provsim.TypeData, User: "u1"})
	retired.SetSigningSecrets(older)
	require.Equal(t, 401, retired.post(signedPath, retired.Header(body, time.Now()), body).Code)
}

func TestBurstOfBadSignaturesRaisesOneAlarm(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newMailroom(t, nil)
		bad := func(n int, every time.Duration) {
			for range n {
				require.Equal(t, 401, m.post(signedPath, http.Header{}, []byte("{}")).Code)
				time.Sleep(every)
			}
		}
		bad(30, 10*time.Second) // never ten within a minute
		require.Zero(t, m.count(healthsync.AlarmSignatures))
		bad(10, time.Second)
		require.Equal(t, 1, m.count(healthsync.AlarmSignatures))
		bad(500, time.Second)
		require.Equal(t, 1, m.count(healthsync.AlarmSignatures), "not again for ten minutes")
		bad(200, time.Second)
		require.Equal(t, 2, m.count(healthsync.AlarmSignatures))
	})
}

// TestAcknowledgedInTimeUnderLoad sends steadily while nothing is worked on. The
// bars hold at full counts, where no other test shares the machine.
func TestAcknowledgedInTimeUnderLoad(t *testing.T) {
	const perSecond = 200
	counts := proof.Counts{"deliveries": proof.N(2*perSecond, 60*perSecond), "bytes each": 20_000}
	proof.Row(t, "W3", counts)
	m := newMailroom(t, nil)
	server := httptest.NewServer(m.handler)
	defer server.Close()
	took := make([]time.Duration, counts["deliveries"])
	statuses := make([]int, counts["deliveries"])
	var sending gosync.WaitGroup
	tick := time.NewTicker(time.Second / perSecond)
	defer tick.Stop()
	for i := range took {
		<-tick.C
		sending.Go(func() {
			body := m.Compose(provsim.Event{Type: "filler", User: "u1", Streams: []string{strings.Repeat("x", 20_000)}})
			r, err := http.NewRequest(http.MethodPost, server.URL+signedPath, bytes.NewReader(body))
			if err != nil {
				return
			}
			r.Header = m.Header(body, time.Now())
			began := time.Now()
			resp, err := server.Client().Do(r)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			took[i], statuses[i] = time.Since(began), resp.StatusCode
		})
	}
	sending.Wait()
	server.Client().CloseIdleConnections()
	for i, status := range statuses {
		require.Contains(t, []int{200, 503}, status, "delivery %d", i)
	}
	slices.Sort(took)
	if proof.Full() {
		require.LessOrEqual(t, took[len(took)*99/100], 500*time.Millisecond)
		require.LessOrEqual(t, took[len(took)-1], 1500*time.Millisecond)
	}
	require.NotEmpty(t, m.kept(t, store.DeliveryNew))
}

// TestSizeAndSlowness checks the limit to the byte, and that slow and broken
// deliveries cost little and delay nobody.
func TestSizeAndSlowness(t *testing.T) {
	counts := proof.Counts{"slow": proof.N(100, 200), "broken off": proof.N(200, 500)}
	proof.Row(t, "W10", counts)
	const limit = 1 << 20
	m := newMailroom(t, func(c *mailConfig) {
		c.wrap = func(p *provsim.Provider) providers.Provider { return deadlined{p, 2 * time.Second} }
	})
	for size, status := range map[int]int{limit - 1: 200, limit: 200, limit + 1: 413} {
		body := []byte(`{"events":[{"type":"x","user":"u"}]}`)
		body = append(body, bytes.Repeat([]byte(" "), size-len(body))...)
		for _, chunked := range []bool{false, true} {
			r := httptest.NewRequest(http.MethodPost, signedPath, bytes.NewReader(body))
			if chunked {
				r = httptest.NewRequest(http.MethodPost, signedPath, struct{ io.Reader }{bytes.NewReader(body)})
				r.ContentLength = -1
			}
			r.Header = m.Header(body, time.Now())
			w := httptest.NewRecorder()
			m.handler.ServeHTTP(w, r)
			require.Equal(t, status, w.Code, "%d bytes, chunked %v", size, chunked)
		}
	}
	server := httptest.NewServer(m.handler)
	defer server.Close()
	address := server.Listener.Addr().String()
	head := "POST " + signedPath + " HTTP/1.1\r\nHost: x\r\nContent-Length: " + strconv.Itoa(limit) + "\r\n\r\n"
	var before, during runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var closed atomic.Int64
	var slow gosync.WaitGroup
	for range counts["slow"] {
		slow.Go(func() {
			conn, err := net.Dial("tcp", address)
			if err != nil {
				return
			}
			defer func() { _ = conn.Close() }()
			_, _ = io.WriteString(conn, head)
			began := time.Now()
			_ = conn.SetDeadline(began.Add(20 * time.Second))
			answer, err := io.ReadAll(conn) // not a byte of the body
			if err == nil && bytes.Contains(answer, []byte("408")) && time.Since(began) < 4*time.Second {
				closed.Add(1)
			}
		})
	}
	for range counts["broken off"] {
		conn, err := net.Dial("tcp", address)
		require.NoError(t, err)
		_, _ = io.WriteString(conn, head+"some of it")
		require.NoError(t, conn.Close())
	}
	runtime.ReadMemStats(&during)
	require.Less(t, int64(during.HeapAlloc)-int64(before.HeapAlloc), int64(64<<20))
	for range 50 {
		body := m.Compose(provsim.Event{Type: provsim.TypeData, User: "u1"})
		r, err := http.NewRequest(http.MethodPost, server.URL+signedPath, bytes.NewReader(body))
		require.NoError(t, err)
		r.Header = m.Header(body, time.Now())
		began := time.Now()
		resp, err := server.Client().Do(r)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, 200, resp.StatusCode)
		require.Less(t, time.Since(began), time.Second)
	}
	slow.Wait()
	server.Client().CloseIdleConnections()
	require.EqualValues(t, counts["slow"], closed.Load())
}

func TestDeliveriesBeyondTheMemoryBudgetAreRefused(t *testing.T) {
	m := newMailroom(t, func(c *mailConfig) { c.engine.DeliveryBytes = 64 << 10 })
	body := m.Compose(provsim.Event{Type: provsim.TypeData, User: "u1", Streams: []string{strings.Repeat("x", 100_000)}})
	w := m.post(signedPath, m.Header(body, time.Now()), body)
	require.Equal(t, 503, w.Code)
	require.NotEmpty(t, w.Header().Get("Retry-After"))
	require.Equal(t, 1, m.count(healthsync.AlarmBudget))
	// What was taken is given back, whatever became of the delivery.
	for range 100 {
		require.Equal(t, 401, m.post(signedPath, http.Header{}, make([]byte, 30_000)).Code)
		m.send(t, provsim.Event{Type: provsim.TypeData, User: "u1"})
	}
}

func TestPanicOfAParserIsContained(t *testing.T) {
	m := newMailroom(t, func(c *mailConfig) {
		c.engine.DeliveryBytes = 64 << 10
		c.wrap = func(p *provsim.Provider) providers.Provider { return exploding{p} }
	})
	for range 100 {
		require.Equal(t, 500, m.post(signedPath, http.Header{}, make([]byte, 30_000)).Code)
	}
	require.NotZero(t, m.count(healthsync.AlarmPanic))
	require.Empty(t, m.kept(t, ""))
}

type exploding struct{ *provsim.Provider }

func (exploding) ParseWebhook(time.Time, *providers.WebhookRequest) ([]providers.Notification, error) {
	panic(fmt.Sprintf("a bug of the adapter: %s", "secret"))
}
