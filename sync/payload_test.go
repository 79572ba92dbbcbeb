package sync_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/provsim"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

const serviceURL = "https://provsim.example.com"

// point sends a delivery that points to events, and returns the id of the link.
func (m *mailroom) point(t testing.TB, user string, life time.Duration, change func(*provsim.Event), events ...provsim.Event) string {
	e, id := m.Point(serviceURL, user, life, events...)
	if change != nil {
		change(&e)
	}
	m.send(t, e)
	return id
}

func (m *mailroom) fetched(id string) (statuses []int) {
	for _, f := range m.Fetches() {
		if f.ID == id {
			statuses = append(statuses, f.Status)
		}
	}
	return statuses
}

// TestPayloads covers the rows of the table about what a delivery points to, and
// what becomes of each: nothing is lost silently.
func TestPayloads(t *testing.T) {
	old := func() time.Time { return time.Now().Add(-100 * 24 * time.Hour).Truncate(time.Second) }
	// late is a datum of which only the provider's answer tells.
	late := func(t *testing.T, m *mailroom, at time.Time) string {
		row, err := m.Put("u1", provsim.StreamEvents, provsim.Row{At: at.UnixMilli(), Value: 71_000})
		require.NoError(t, err)
		return provsim.StreamEvents + "/" + row.ID
	}
	window := func(at time.Time) func(*provsim.Event) {
		return func(e *provsim.Event) {
			e.Streams = []string{provsim.StreamEvents}
			e.From, e.To = at.Add(-time.Hour).UnixMilli(), at.Add(time.Hour).UnixMilli()
		}
	}
	for name, c := range map[string]func(*testing.T, *mailroom){
		"fetched, stored and worked on": func(t *testing.T, m *mailroom) {
			m.link(t, "u1")
			id := m.point(t, "u1", 0, nil, weightEvent("u1", "w1", time.Now().Add(-time.Hour), 1, 70_000))
			m.work(t, time.Minute)
			require.EqualValues(t, 70_000, m.values(t, "u1", provsim.StreamEvents)["events/w1"])
			require.Equal(t, []int{200}, m.fetched(id))
			require.Zero(t, m.count(healthsync.AlarmPayload))
			m.nothingLeft(t)
		},
		"of nobody it names": func(t *testing.T, m *mailroom) {
			m.link(t, "u1")
			m.point(t, "", 0, nil, weightEvent("u1", "w1", time.Now().Add(-time.Hour), 1, 70_000))
			m.work(t, time.Minute)
			require.EqualValues(t, 70_000, m.values(t, "u1", provsim.StreamEvents)["events/w1"])
			m.nothingLeft(t)
		},
		"H34 expired, with the window it names": func(t *testing.T, m *mailroom) {
			m.link(t, "u1")
			m.work(t, time.Minute)
			at := old()
			key := late(t, m, at)
			m.mark(t, "u1")
			id := m.point(t, "u1", -time.Second, window(at), weightEvent("u1", "w1", at, 1, 70_000))
			m.work(t, time.Hour)
			require.EqualValues(t, 71_000, m.values(t, "u1", provsim.StreamEvents)[key])
			require.Equal(t, []int{400}, m.fetched(id), "once: it will not come back")
			require.Equal(t, 1, m.count(healthsync.AlarmPayload))
			m.nothingLeft(t)
		},
		"H34 expired, of a person who is not known yet": func(t *testing.T, m *mailroom) {
			at := old()
			key := late(t, m, at)
			m.point(t, "u1", -time.Second, window(at), weightEvent("u1", "w1", at, 1, 70_000))
			m.work(t, time.Minute)
			require.Len(t, m.kept(t, store.DeliveryParked), 1)
			m.link(t, "u1")
			m.work(t, time.Hour)
			require.EqualValues(t, 71_000, m.values(t, "u1", provsim.StreamEvents)[key])
			m.nothingLeft(t)
		},
		"H34 expired, and names nobody": func(t *testing.T, m *mailroom) {
			m.link(t, "u1")
			m.link(t, "u2")
			m.work(t, time.Minute)
			key := late(t, m, time.Now().Add(-3*time.Hour))
			m.mark(t, "u1")
			before := len(m.Ledger().Entries)
			for range 50 {
				m.point(t, "", -time.Second, nil, weightEvent("u1", "w1", time.Now(), 1, 70_000))
			}
			m.work(t, time.Hour)
			require.EqualValues(t, 71_000, m.values(t, "u1", provsim.StreamEvents)[key])
			require.Less(t, len(m.pages), 2*3*10, "everybody is read once, not once for each")
			require.GreaterOrEqual(t, len(m.Ledger().Entries), before)
			m.nothingLeft(t)
		},
		"H34 addresses that are refused unasked": func(t *testing.T, m *mailroom) {
			m.link(t, "u1")
			m.work(t, time.Minute)
			for _, address := range []string{
				"http://provsim.example.com/payload/x", "https://elsewhere.example.com/payload/x", "https://127.0.0.1/payload/x",
				"https://user@provsim.example.com/payload/x", "https://provsim.example.com/v1/daily", "file:///etc/passwd", "x",
				"https://provsim.example.com/payload/../v1/daily", "https://provsim.example.com.evil.example/payload/x",
			} {
				m.point(t, "u1", 0, func(e *provsim.Event) { e.URL = address })
			}
			m.work(t, time.Hour)
			require.Empty(t, m.Fetches())
			m.nothingLeft(t)
		},
		"H34 too long": func(t *testing.T, m *mailroom) {
			m.link(t, "u1")
			m.point(t, "u1", 0, nil, provsim.Event{Type: "endless", User: "u1"})
			m.work(t, time.Hour)
			require.Equal(t, 1, m.count(healthsync.AlarmPayload))
			m.nothingLeft(t)
		},
		"H35 a page of HTML": func(t *testing.T, m *mailroom) {
			m.link(t, "u1")
			m.Inject(provsim.Fault{On: "payload", Status: 200, Body: "<html>login</html>"})
			m.point(t, "u1", 0, nil, weightEvent("u1", "w1", time.Now(), 1, 70_000))
			m.work(t, time.Hour)
			dead := m.kept(t, store.DeliveryDead)
			require.Len(t, dead, 1)
			require.Equal(t, "unreadable", dead[0].Reason)
			require.Equal(t, 1, m.count(healthsync.AlarmDeadLetter))
		},
		"H35 another person's data": func(t *testing.T, m *mailroom) {
			m.link(t, "u1")
			m.link(t, "u2")
			m.point(t, "u1", 0, nil, weightEvent("u2", "w1", time.Now().Add(-time.Hour), 1, 70_000))
			m.work(t, time.Hour)
			require.NotContains(t, m.values(t, "u2", provsim.StreamEvents), "events/w1")
			dead := m.kept(t, store.DeliveryDead)
			require.Len(t, dead, 1)
			require.Equal(t, "about another person", dead[0].Reason)
		},
		"a service that is away for a while": func(t *testing.T, m *mailroom) {
			m.link(t, "u1")
			m.Inject(provsim.Fault{On: "payload", Status: 503, Count: 2})
			m.point(t, "u1", 0, nil, weightEvent("u1", "w1", time.Now().Add(-time.Hour), 1, 70_000))
			m.work(t, 10*time.Minute)
			require.EqualValues(t, 70_000, m.values(t, "u1", provsim.StreamEvents)["events/w1"])
			require.Zero(t, m.count(healthsync.AlarmPayload))
			m.nothingLeft(t)
		},
		"a service that is away until the end": func(t *testing.T, m *mailroom) {
			m.link(t, "u1")
			m.work(t, time.Minute)
			at := old()
			key := late(t, m, at)
			m.mark(t, "u1")
			m.Inject(provsim.Fault{On: "payload", Status: 503, Count: 1000})
			m.point(t, "u1", 0, window(at), weightEvent("u1", "w1", at, 1, 70_000))
			m.work(t, time.Hour)
			require.EqualValues(t, 71_000, m.values(t, "u1", provsim.StreamEvents)[key])
			require.Equal(t, 1, m.count(healthsync.AlarmPayload))
			m.nothingLeft(t)
		},
		"with something else in the delivery": func(t *testing.T, m *mailroom) {
			m.link(t, "u1")
			e, _ := m.Point(serviceURL, "u1", 0, weightEvent("u1", "w1", time.Now().Add(-time.Hour), 1, 70_000))
			m.send(t, e, weightEvent("u1", "w2", time.Now().Add(-time.Hour), 1, 72_000))
			m.work(t, time.Minute)
			require.EqualValues(t, 70_000, m.values(t, "u1", provsim.StreamEvents)["events/w1"])
			require.EqualValues(t, 72_000, m.values(t, "u1", provsim.StreamEvents)["events/w2"])
			m.nothingLeft(t)
		},
		"larger than 1 MiB": func(t *testing.T, m *mailroom) {
			m.link(t, "u1")
			events := []provsim.Event{weightEvent("u1", "w1", time.Now().Add(-time.Hour), 1, 70_000)}
			for range 600 {
				events = append(events, provsim.Event{Type: provsim.TypeRequest, User: "u1", Reference: strings.Repeat("r", 2000)})
			}
			m.point(t, "u1", 0, nil, events...)
			m.work(t, time.Hour)
			require.EqualValues(t, 70_000, m.values(t, "u1", provsim.StreamEvents)["events/w1"])
			m.nothingLeft(t)
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var log bytes.Buffer
				m := newMailroom(t, func(c *mailConfig) {
					c.engine.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
					c.engine.SpoolDir = t.TempDir()
					c.wrap = func(p *provsim.Provider) providers.Provider { return endless{p} }
				})
				c(t, m)
				left, err := os.ReadDir(m.cfg.SpoolDir)
				require.NoError(t, err)
				require.Empty(t, left, "temporary files")
				for _, secret := range m.MintedSecrets() {
					require.NotContains(t, log.String(), secret)
				}
				require.NotContains(t, log.String(), "/payload/")
			})
		})
	}
}

// endless is an adapter that is given more than 64 MiB for an event of the type
// "endless".
type endless struct{ *provsim.Provider }

func (e endless) FetchPayload(ctx context.Context, n providers.Notification, w io.Writer) error {
	var body bytes.Buffer
	if err := e.Provider.FetchPayload(ctx, n, &body); err != nil {
		return err
	}
	if !bytes.Contains(body.Bytes(), []byte(`"endless"`)) {
		_, err := w.Write(body.Bytes())
		return err
	}
	block := make([]byte, 1<<20)
	for range 20_000 {
		if _, err := w.Write(block); err != nil {
			return err
		}
	}
	return errors.New("it was all taken")
}

// mark has the service tell that a person's data was read up to now, so that
// only a window that is read again holds what is older.
func (m *mailroom) mark(t testing.TB, user string) {
	conns, err := m.engine.Connections(t.Context(), user)
	require.NoError(t, err)
	cur, err := m.store.Cursor(t.Context(), conns[0].ID, provsim.StreamEvents, store.LaneLive)
	require.NoError(t, err)
	require.Contains(t, cur.HighWater, `"mark"`)
	next := cur
	next.HighWater = strings.Replace(cur.HighWater, `"mark":"`, `"mark":"9`, 1)
	_, err = m.store.Commit(t.Context(), store.Batch{
		User: user, Connection: conns[0].ID, Unfenced: true, Now: time.Now(),
		Cursors: []store.CursorSwap{{Old: cur, New: next}},
	})
	require.NoError(t, err)
}

// TestPayloadsComeFirst: whatever waits in the inbox, what a delivery points to
// is fetched before it, also by a process that begins with all of it.
func TestPayloadsComeFirst(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var slow atomic.Bool
		m := newMailroom(t, func(c *mailConfig) {
			c.wrap = func(p *provsim.Provider) providers.Provider { return sluggish{p, &slow} }
		})
		m.link(t, "u1")
		const backlog = 100
		for i := range backlog {
			m.send(t, provsim.Event{Type: provsim.TypeDeauth, User: "nobody", At: int64(1 + i)})
		}
		id := m.point(t, "u1", 0, nil, weightEvent("u1", "w1", time.Now().Add(-time.Hour), 1, 70_000))
		slow.Store(true)
		m.work(t, 10*time.Second)
		require.Equal(t, []int{http.StatusOK}, m.fetched(id))
		require.Greater(t, len(m.kept(t, store.DeliveryNew)), backlog/2, "most of the others wait still")
	})
}

// sluggish takes a second to read a delivery that tells of no payload, as soon
// as it is slow.
type sluggish struct {
	*provsim.Provider
	slow *atomic.Bool
}

func (s sluggish) ParseWebhook(at time.Time, r *providers.WebhookRequest) ([]providers.Notification, error) {
	notes, err := s.Provider.ParseWebhook(at, r)
	if err == nil && notes[0].Payload == nil && s.slow.Load() {
		time.Sleep(time.Second)
	}
	return notes, err
}

// TestRedrivenPayloadDelaysNobody: a delivery that points to its content and is
// sent back from the dead letters is fetched beside the others, too.
func TestRedrivenPayloadDelaysNobody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newMailroom(t, func(c *mailConfig) {
			c.wrap = func(p *provsim.Provider) providers.Provider { return hanging{p} }
		})
		m.link(t, "u1")
		m.point(t, "u1", time.Hour, nil, weightEvent("u1", "w1", time.Now().Add(-time.Hour), 1, 70_000))
		dead := m.kept(t, store.DeliveryUrgent)[0]
		dead.Status, dead.Reason = store.DeliveryDead, "failed too often"
		require.NoError(t, m.store.UpdateDelivery(t.Context(), dead))
		require.NoError(t, m.engine.Redrive(t.Context(), dead.ID))
		time.Sleep(time.Minute) // so that it is the older one
		m.send(t, weightEvent("u1", "w2", time.Now().Add(-time.Hour), 1, 71_000))
		m.work(t, 20*time.Second)
		require.EqualValues(t, 71_000, m.values(t, "u1", provsim.StreamEvents)["events/w2"])
	})
}

// hanging has payloads that never come.
type hanging struct{ *provsim.Provider }

func (h hanging) FetchPayload(ctx context.Context, _ providers.Notification, _ io.Writer) error {
	<-ctx.Done()
	return &providers.Error{Provider: "provsim", Op: "payload", Kind: providers.ErrUnavailable, Err: ctx.Err()}
}

// TestPayloadsLostInOneHour: addresses that do not say whom they are about have
// everybody read again twice an hour at most, and nothing is missed by that.
func TestPayloadsLostInOneHour(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newMailroom(t, nil)
		m.link(t, "u1")
		m.work(t, time.Minute)
		time.Sleep(time.Until(time.Now().Truncate(time.Hour).Add(time.Hour + time.Minute)))
		late := func() (key string) {
			row, err := m.Put("u1", provsim.StreamEvents, provsim.Row{At: time.Now().Add(-3 * time.Hour).UnixMilli(), Value: 71_000})
			require.NoError(t, err)
			m.mark(t, "u1")
			m.point(t, "", -time.Second, nil, weightEvent("u1", row.ID, time.Now(), 1, 70_000))
			return provsim.StreamEvents + "/" + row.ID
		}
		first := late()
		m.work(t, 10*time.Minute)
		require.Contains(t, m.values(t, "u1", provsim.StreamEvents), first, "at once")
		var others []string
		for range 3 {
			others = append(others, late())
			m.work(t, 10*time.Minute)
		}
		m.work(t, time.Hour)
		for _, key := range others {
			require.Contains(t, m.values(t, "u1", provsim.StreamEvents), key, "when the hour is over")
		}
		m.nothingLeft(t)
	})
}
