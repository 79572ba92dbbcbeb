package sync_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/provsim"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

const (
	// heapLimit is the largest body that any adapter asks for, largeLimit that
	// of the other tests.
	heapLimit  = 64 << 20
	largeLimit = 4 << 20
)

func newLargeMailroom(t testing.TB, change func(*mailConfig)) *mailroom {
	return newMailroom(t, func(c *mailConfig) {
		c.adapter.MaxBody, c.engine.SpoolDir = largeLimit, t.TempDir()
		if change != nil {
			change(c)
		}
	})
}

// padded is a delivery of a size, filled with space.
func (m *mailroom) padded(size int, events ...provsim.Event) []byte {
	body := m.Compose(events...)
	return append(body, bytes.Repeat([]byte(" "), size-len(body))...)
}

func (m *mailroom) noFiles(t testing.TB) {
	left, err := os.ReadDir(m.cfg.SpoolDir)
	require.NoError(t, err)
	require.Empty(t, left, "temporary files")
}

// TestLargeDeliveries: bodies on both sides of what is held in memory, and of
// the limit, have the same effect, and leave nothing.
func TestLargeDeliveries(t *testing.T) {
	for name, size := range map[string]int{
		"small": 0, "one byte less": 1<<20 - 1, "exactly": 1 << 20, "one byte more": 1<<20 + 1, "three parts": 5 << 19, "limit": largeLimit,
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := newLargeMailroom(t, nil)
				m.link(t, "u1")
				event := weightEvent("u1", "w1", time.Now().Add(-time.Hour), 1, 70_000)
				body := m.Compose(event)
				if size > 0 {
					body = m.padded(size, event)
				}
				header := m.Header(body, time.Now())
				for range 2 {
					require.Equal(t, http.StatusOK, m.post(signedPath, header, body).Code)
				}
				require.Len(t, m.kept(t, store.DeliveryNew), 1, "the same bytes with the same timestamp are one delivery")
				if size >= 1<<20 {
					require.Len(t, m.kept(t, store.DeliveryPart), (size+1<<20-1)>>20)
				} else {
					require.Empty(t, m.kept(t, store.DeliveryPart))
				}
				m.noFiles(t)
				m.work(t, time.Minute)
				require.EqualValues(t, 70_000, m.values(t, "u1", provsim.StreamEvents)["events/w1"])
				m.nothingLeft(t)
				m.noFiles(t)
			})
		})
	}
}

// TestLargeDeliveriesThatAreRefused leave nothing in the store and no file.
func TestLargeDeliveriesThatAreRefused(t *testing.T) {
	m := newLargeMailroom(t, nil)
	server := httptest.NewServer(m.handler)
	defer server.Close()
	body := m.padded(3<<20, provsim.Event{Type: provsim.TypeData, User: "u1"})
	altered := bytes.Clone(body)
	altered[2<<20] ^= 1
	for name, c := range map[string]struct {
		header http.Header
		body   io.Reader
		status int
	}{
		"another body":    {m.Header(body, time.Now()), bytes.NewReader(altered), 401},
		"no signature":    {http.Header{}, bytes.NewReader(body), 401},
		"too old":         {m.Header(body, time.Now().Add(-time.Hour)), bytes.NewReader(body), 401},
		"too long":        {m.Header(body, time.Now()), io.MultiReader(bytes.NewReader(body), &zeros{left: largeLimit}), 413},
		"it breaks off":   {m.Header(body, time.Now()), io.MultiReader(bytes.NewReader(body), brokenReader{}), 0},
		"no more than it": {m.Header(body, time.Now()), bytes.NewReader(body[:2<<20]), 401},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequest(http.MethodPost, server.URL+signedPath, c.body)
			require.NoError(t, err)
			r.Header, r.ContentLength = c.header, -1
			resp, err := http.DefaultTransport.(*http.Transport).Clone().RoundTrip(r)
			if c.status == 0 {
				require.Error(t, err)
			} else if err == nil { // the server may close while the rest is on its way
				require.Equal(t, c.status, resp.StatusCode)
				require.NoError(t, resp.Body.Close())
			}
			require.Empty(t, m.kept(t, ""))
			require.Eventually(t, func() bool {
				left, err := os.ReadDir(m.cfg.SpoolDir)
				return err == nil && len(left) == 0
			}, 10*time.Second, time.Millisecond)
		})
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

type zeros struct{ left int }

func (z *zeros) Read(p []byte) (int, error) {
	if z.left <= 0 {
		return 0, io.EOF
	}
	n := min(len(p), z.left)
	z.left -= n
	clear(p[:n])
	return n, nil
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestPartsWithoutADelivery: a process that ended between the parts and what
// they belong to leaves no delivery, and the parts are removed; those of a
// delivery that waits stay.
func TestPartsWithoutADelivery(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newLargeMailroom(t, func(c *mailConfig) { c.engine.KeepDead = 10 * time.Hour })
		m.link(t, "u1")
		dead := m.padded(2<<20, provsim.Event{Type: provsim.TypeData, User: "u1"})
		dead[0] = 'x'
		require.Equal(t, http.StatusOK, m.post(signedPath, m.Header(dead, time.Now()), dead).Code)
		for i := range 3 {
			put, err := m.store.PutDelivery(t.Context(), store.Delivery{
				ID: fmt.Sprintf("gone/group/%06d", i), Endpoint: "provsim", Received: time.Now(), Status: store.DeliveryPart,
				NextAt: time.Now().Add(time.Hour), Body: []byte("x"),
			})
			require.NoError(t, err)
			require.True(t, put)
		}
		m.work(t, time.Minute)
		require.Len(t, m.kept(t, store.DeliveryPart), 2+3)
		m.work(t, 3*time.Hour)
		require.Len(t, m.kept(t, store.DeliveryPart), 2)
		letters, err := m.engine.DeadLetters(t.Context(), "", 0)
		require.NoError(t, err)
		require.Len(t, letters, 1)
		require.True(t, bytes.Equal(dead, letters[0].Body), "kept as it came")
		require.NoError(t, m.engine.Redrive(t.Context(), letters[0].ID))
		m.work(t, 4*time.Hour)
		require.Len(t, m.kept(t, store.DeliveryPart), 2)
		m.work(t, 6*time.Hour)
		m.nothingLeft(t)
	})
}

// TestUnknownPartOfALargeDeliveryIsKept whole, beside what was understood.
func TestUnknownPartOfALargeDeliveryIsKept(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newLargeMailroom(t, nil)
		m.link(t, "u1")
		body := m.padded(2<<20, weightEvent("u1", "w1", time.Now().Add(-time.Hour), 1, 70_000), provsim.Event{Type: "moon", User: "u1"})
		require.Equal(t, http.StatusOK, m.post(signedPath, m.Header(body, time.Now()), body).Code)
		m.work(t, time.Minute)
		require.EqualValues(t, 70_000, m.values(t, "u1", provsim.StreamEvents)["events/w1"])
		letters, err := m.engine.DeadLetters(t.Context(), "", 0)
		require.NoError(t, err)
		require.Len(t, letters, 1)
		require.True(t, bytes.Equal(body, letters[0].Body))
		require.Empty(t, m.kept(t, store.DeliveryPart))
		require.NoError(t, m.engine.Redrive(t.Context(), letters[0].ID))
		m.work(t, time.Minute)
		require.Len(t, m.kept(t, store.DeliveryDead), 1)
	})
}

// TestLargeDeliveryTakesLittleMemory measures the heap while 64 MiB arrive, are
// verified and stored in a file.
func TestLargeDeliveryTakesLittleMemory(t *testing.T) {
	file, _ := openFile(t)
	m := newLargeMailroom(t, func(c *mailConfig) {
		c.engine.Store, c.adapter.MaxBody = file, heapLimit
		c.wrap = func(p *provsim.Provider) providers.Provider { return deadlined{p, time.Minute} }
	})
	head := m.Compose(weightEvent("u1", "w1", time.Now(), 1, 70_000))
	// The body is never held as a whole by the test either.
	body := func() io.Reader {
		return io.MultiReader(bytes.NewReader(head), &spaces{left: heapLimit - len(head)})
	}
	header := http.Header{provsim.SignatureHeader: {provsim.SignReader(body(), time.Now(), provsim.DefaultSigningSecret)}}
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	stop, most := make(chan struct{}), make(chan uint64)
	go func() {
		var peak uint64
		var now runtime.MemStats
		for {
			select {
			case <-stop:
				most <- peak
				return
			case <-time.After(2 * time.Millisecond):
				runtime.ReadMemStats(&now)
				peak = max(peak, now.HeapAlloc)
			}
		}
	}()
	r := httptest.NewRequest(http.MethodPost, signedPath, body())
	r.Header, r.ContentLength = header, heapLimit
	w := httptest.NewRecorder()
	m.handler.ServeHTTP(w, r)
	close(stop)
	peak := <-most
	require.Equal(t, http.StatusOK, w.Code)
	require.Less(t, int64(peak)-int64(before.HeapAlloc), int64(32<<20))
	list, err := file.Deliveries(t.Context(), store.DeliveryQuery{Status: store.DeliveryNew})
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Empty(t, list[0].Body)
	m.noFiles(t)
}

type spaces struct{ left int }

func (s *spaces) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), s.left)
	s.left -= n
	copy(p, strings.Repeat(" ", min(n, 64<<10)))
	for done := min(n, 64<<10); done < n; done *= 2 {
		copy(p[done:n], p[:done])
	}
	return n, nil
}

// TestSpoolFile: where an open file keeps its name it is private.
func TestSpoolFile(t *testing.T) {
	dir := t.TempDir()
	mode := healthsync.SpoolMode(t, dir)
	require.Equal(t, os.FileMode(0o600), mode.Perm())
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}
