package sync_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	gosync "sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/internal/provsim"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// crowd is a portal with many people, whose ids and rows can be told in any
// file.
type crowd struct {
	*portal
	n int
}

func (c *crowd) user(i int) string    { return fmt.Sprintf("canary-user-%04d-", i) }
func (c *crowd) account(i int) string { return fmt.Sprintf("canary-account-%04d-", i) }
func (c *crowd) row(i int) string     { return fmt.Sprintf("canary-row-%04d-", i) }

func (c *crowd) notify(i int, modified int64) int {
	body := c.Compose(weightEvent(c.account(i), c.row(i)+"sent", time.Now().Add(-time.Hour), modified, 70_000+modified))
	r := httptest.NewRequest(http.MethodPost, "/webhooks/provsim", bytes.NewReader(body))
	r.Header = c.Header(body, time.Now())
	w := httptest.NewRecorder()
	c.engine.Handler().ServeHTTP(w, r)
	return w.Code
}

func newCrowd(t testing.TB, s store.Store, n int) *crowd {
	c := &crowd{newPortal(t, s, provsim.Config{Users: -1, Days: 2, CodeLife: time.Hour}, func(p *portal) { p.cfg.Interval = time.Second }), n}
	for i := range n {
		require.NoError(t, c.AddUser(c.account(i)))
		_, err := c.Put(c.account(i), provsim.StreamEvents, provsim.Row{ID: c.row(i) + "kept", At: time.Now().Add(-2 * time.Hour).UnixMilli(), Value: 71_000})
		require.NoError(t, err)
		c.connect(t, c.user(i), c.account(i))
	}
	return c
}

// TestErase is X9: a tenth of the people are erased while everything goes on.
func TestErase(t *testing.T) {
	t.Parallel()
	counts := proof.Counts{}
	proof.Row(t, "X9", counts)
	random := rand.New(rand.NewPCG(proof.Seed(t), 9))
	run := func(t *testing.T, open opener, people int) {
		erased := people / 10
		s, files := open(t)
		c := newCrowd(t, s, people)
		chosen := random.Perm(people)[:erased]
		gone := make(map[int]bool)
		var texts []string
		for _, i := range chosen {
			gone[i] = true
			texts = append(texts, c.user(i), c.account(i), c.row(i))
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running gosync.WaitGroup
		engines := []*healthsync.Engine{c.engine, c.another(t)}
		for _, e := range engines {
			running.Go(func() { require.NoError(t, e.Run(ctx)) })
		}
		sending, stop := context.WithCancel(ctx)
		var senders gosync.WaitGroup
		for worker := range 4 {
			senders.Go(func() {
				for modified := int64(worker + 2); sending.Err() == nil; modified += 4 {
					i := int(modified) % people
					if code := c.notify(i, modified); code != http.StatusOK && code != http.StatusServiceUnavailable {
						t.Errorf("delivery: %d", code)
					}
					c.ExpireAccess(c.account(i)) // refreshes are under way, too
				}
			})
		}
		receipts := make(map[int]healthsync.Receipt)
		var mu gosync.Mutex
		var erasing gosync.WaitGroup
		for n, i := range chosen {
			erasing.Go(func() {
				receipt, err := engines[n%2].Erase(t.Context(), c.user(i))
				require.NoError(t, err)
				mu.Lock()
				defer mu.Unlock()
				receipts[i] = receipt
			})
		}
		erasing.Wait()
		stop()
		senders.Wait()
		// Late deliveries, and people who are told nothing come back.
		for _, i := range chosen {
			require.Equal(t, http.StatusOK, c.notify(i, 1_000_000))
			_, err := c.engine.Connect(t.Context(), healthsync.ConnectRequest{User: c.user(i), Provider: "provsim"})
			require.ErrorIs(t, err, store.ErrErased)
		}
		require.Eventually(t, func() bool {
			for _, receipt := range receipts {
				r, err := c.engine.Receipt(t.Context(), receipt.ID)
				require.NoError(t, err)
				if r.Upstream.Pending > 0 {
					return false
				}
			}
			fresh, err := s.Deliveries(t.Context(), store.DeliveryQuery{Status: store.DeliveryNew})
			require.NoError(t, err)
			for i := range people { // the others are read in the meantime
				records, err := s.Records(t.Context(), store.RecordQuery{User: c.user(i), Limit: 1})
				require.NoError(t, err)
				if !gone[i] && len(records.Records) == 0 {
					return false
				}
			}
			return len(fresh) == 0
		}, 60*time.Second, 20*time.Millisecond)
		cancel()
		running.Wait()
		for _, i := range chosen {
			r, err := c.engine.Receipt(t.Context(), receipts[i].ID)
			require.NoError(t, err)
			require.Equal(t, healthsync.Withdrawals{Done: 1}, r.Upstream, "and nothing was given up")
			require.Equal(t, 1, r.Local.Connections)
			require.Zero(t, c.alive(c.account(i)), "the grant was taken back")
			conns, err := s.Connections(t.Context(), store.ConnectionQuery{User: c.user(i)})
			require.NoError(t, err)
			require.Empty(t, conns)
			records, err := s.Records(t.Context(), store.RecordQuery{User: c.user(i), Deleted: true})
			require.NoError(t, err)
			require.Empty(t, records.Records)
			again, err := c.engine.Erase(t.Context(), c.user(i))
			require.NoError(t, err)
			require.Equal(t, receipts[i].ID, again.ID)
			require.Equal(t, r, again, "erasing again changes nothing")
		}
		for i := range people {
			if !gone[i] {
				records, err := s.Records(t.Context(), store.RecordQuery{User: c.user(i)})
				require.NoError(t, err)
				require.NotEmpty(t, records.Records, "everybody else is still there")
				require.Equal(t, 1, c.alive(c.account(i)))
			}
		}
		n := 0
		for _, line := range c.audited() {
			if line == "erase ok" {
				n++
			}
		}
		require.Equal(t, erased, n)
		if files != nil {
			all := files()
			require.Empty(t, bytesIn(t, all, texts...))
			require.NotEmpty(t, bytesIn(t, all, c.user(firstOther(gone))), "the texts can be found where they are")
			require.Empty(t, bytesIn(t, all, c.MintedSecrets()...))
		}
	}
	people := map[string]int{"memory": proof.N(60, 500), "sqlite": proof.N(60, 500), "redis": proof.N(30, 500)}
	for name, open := range stores(t) {
		counts["people in "+name], counts["erased"] = people[name], counts["erased"]+people[name]/10
		t.Run(name, func(t *testing.T) { run(t, open, people[name]) })
	}
}

func firstOther(gone map[int]bool) int {
	for i := 0; ; i++ {
		if !gone[i] {
			return i
		}
	}
}

// TestInterruptedErasureIsFinished kills an erasure in its middle: nobody has
// to ask again.
func TestInterruptedErasureIsFinished(t *testing.T) {
	for name, open := range stores(t) {
		t.Run(name, func(t *testing.T) {
			s, _ := open(t)
			c := newCrowd(t, s, 2)
			require.NoError(t, healthsync.QueueErasure(t.Context(), c.engine, c.user(0)))
			conns, err := c.engine.Connections(t.Context(), c.user(0))
			require.NoError(t, err)
			require.Len(t, conns, 1)
			require.Equal(t, store.StateDeleting, conns[0].State)
			_, err = c.engine.Sync(t.Context(), conns[0].ID)
			require.ErrorIs(t, err, healthsync.ErrConnectionState)
			// Somebody who goes on connecting meanwhile is too late.
			require.NoError(t, c.AddUser("second"))
			b := c.browser(t, c.user(0))
			require.Equal(t, http.StatusBadGateway, b.get(c.engine, "GET", b.consent(t, "second", "")).StatusCode)

			c.cfg.RefreshTimeout = time.Second // the lease of the one that was killed is still there
			fresh := c.another(t)              // after the restart
			soon := time.Now().Add(5 * time.Minute)
			require.NoError(t, healthsync.WorkJobs(t.Context(), fresh, soon))
			conns, err = c.engine.Connections(t.Context(), c.user(0))
			require.NoError(t, err)
			require.Empty(t, conns, "Run finished it")
			receipt, err := fresh.Erase(t.Context(), c.user(0))
			require.NoError(t, err)
			require.NoError(t, healthsync.WorkJobs(t.Context(), fresh, soon))
			receipt, err = fresh.Receipt(t.Context(), receipt.ID)
			require.NoError(t, err)
			require.Equal(t, healthsync.Withdrawals{Done: 2}, receipt.Upstream)
			require.False(t, receipt.ErasedAt.IsZero())
			require.Zero(t, c.alive(c.account(0)))
			require.Zero(t, c.alive("second"), "the grant that came too late was taken back")
			conns, err = fresh.Connections(t.Context(), c.user(1))
			require.NoError(t, err)
			require.Equal(t, store.StateActive, conns[0].State)
			n := 0
			for _, line := range c.audited() {
				if line == "erase ok" {
					n++
				}
			}
			require.Equal(t, 1, n)
		})
	}
}

// TestReceiptOfWhatCannotBeTakenBack: what is given up stays in the receipt.
func TestReceiptOfWhatCannotBeTakenBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p, _ := newConnected(t, provsim.Config{}, nil)
		p.revokesFail(provsimError(errTest))
		receipt, err := p.engine.Erase(t.Context(), "ada")
		require.NoError(t, err)
		require.Equal(t, healthsync.Withdrawals{Pending: 1}, receipt.Upstream)
		for range 200 {
			time.Sleep(6 * time.Hour)
			p.workJobs(t)
		}
		receipt, err = p.engine.Receipt(t.Context(), receipt.ID)
		require.NoError(t, err)
		require.Equal(t, healthsync.Withdrawals{GivenUp: 1}, receipt.Upstream)
		require.Equal(t, 1, p.alarmed(healthsync.AlarmJob))
		_, err = p.engine.Receipt(t.Context(), "unknown")
		require.ErrorIs(t, err, store.ErrNotFound)
		_, err = p.engine.Erase(t.Context(), "")
		require.ErrorIs(t, err, store.ErrInvalid)
		stranger, err := p.engine.Erase(t.Context(), "nobody")
		require.NoError(t, err)
		require.Zero(t, stranger.Upstream)
	})
}

var errTest = errors.New("no route")

// TestErasureOfFormerIds: dead letters under an id that an account had before are
// the person's as well, and so is what comes late for it.
func TestErasureOfFormerIds(t *testing.T) {
	for name, c := range map[string]struct {
		before func(t *testing.T, m *mailroom, conn store.Connection)
		late   bool // whether what is late is known to be the person's
	}{
		"another id since": {func(t *testing.T, m *mailroom, conn store.Connection) {
			m.send(t, provsim.Event{Type: provsim.TypeReauth, User: "u1b", OldUser: "u1"})
			m.work(t, time.Hour)
			require.Equal(t, "u1b", m.connection(t, conn.ID).UpstreamID)
		}, true},
		"another connection since": {func(t *testing.T, m *mailroom, conn store.Connection) {
			newer, err := m.store.PutConnection(t.Context(), store.Connection{
				ID: "newer", User: conn.User, Provider: conn.Provider, UpstreamID: "u1b", State: store.StateRevoked,
			})
			require.NoError(t, err)
			m.send(t, provsim.Event{Type: provsim.TypeReauth, User: "u1b", OldUser: "u1"})
			m.work(t, time.Hour)
			require.Empty(t, m.connection(t, conn.ID).UpstreamID)
			require.NoError(t, m.engine.Disconnect(t.Context(), conn.ID, false))
			require.Len(t, m.kept(t, store.DeliveryDead), 1, "it is about "+newer.ID)
		}, true},
		"disconnected, data kept": {func(t *testing.T, m *mailroom, conn store.Connection) {
			require.NoError(t, m.engine.Disconnect(t.Context(), conn.ID, true))
			require.Len(t, m.kept(t, store.DeliveryDead), 1)
		}, true},
		"disconnected": {func(t *testing.T, m *mailroom, conn store.Connection) {
			require.NoError(t, m.engine.Disconnect(t.Context(), conn.ID, false))
			require.Empty(t, m.kept(t, store.DeliveryDead), "without the data")
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := newMailroom(t, func(c *mailConfig) {
					c.engine.DeliveryAttempts = 1
					c.wrap = func(p *provsim.Provider) providers.Provider { return poisoned{p, new(atomic.Bool)} }
				})
				conn := m.link(t, "u1")
				m.send(t, provsim.Event{Type: provsim.TypeData, User: "u1"})
				m.work(t, time.Hour)
				require.Len(t, m.kept(t, store.DeliveryDead), 1)
				c.before(t, m, conn)
				_, err := m.engine.Erase(t.Context(), "u1")
				require.NoError(t, err)
				require.Empty(t, m.kept(t, ""))
				names, err := m.store.SettingNames(t.Context(), "", 0)
				require.NoError(t, err)
				for _, name := range names {
					value, err := m.store.Setting(t.Context(), "", name)
					if !errors.Is(err, store.ErrNotFound) {
						require.NoError(t, err)
					}
					require.NotContains(t, string(value), conn.ID, name)
					require.NotContains(t, string(value), "newer", name)
				}
				if c.late {
					m.send(t, weightEvent("u1", "w1", time.Now().Add(-time.Hour), 1, 70_000))
					m.work(t, time.Minute)
					require.Empty(t, m.kept(t, ""))
				}
			})
		})
	}
}

// TestFormerIdOfSomebodyElse: an id that an erased person had before is somebody
// else's now, with all that is about it.
func TestFormerIdOfSomebodyElse(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newMailroom(t, func(c *mailConfig) {
			c.engine.DeliveryAttempts = 1
			c.wrap = func(p *provsim.Provider) providers.Provider { return poisoned{p, new(atomic.Bool)} }
		})
		conn := m.linkAs(t, "ada", "u1")
		require.NoError(t, m.engine.Disconnect(t.Context(), conn.ID, true))
		m.linkAs(t, "bob", "u1")
		m.send(t, provsim.Event{Type: provsim.TypeData, User: "u1"})
		m.work(t, time.Hour)
		require.Len(t, m.kept(t, store.DeliveryDead), 1)
		_, err := m.engine.Erase(t.Context(), "ada")
		require.NoError(t, err)
		require.Len(t, m.kept(t, store.DeliveryDead), 1)
		m.send(t, weightEvent("u1", "w1", time.Now().Add(-time.Hour), 1, 70_000))
		m.work(t, time.Minute)
		require.EqualValues(t, 70_000, m.values(t, "bob", provsim.StreamEvents)["events/w1"])
	})
}

// TestErasureOfFormerIdsOnEveryStore removes more than one page of what is kept,
// and nothing of another provider's.
func TestErasureOfFormerIdsOnEveryStore(t *testing.T) {
	for name, open := range stores(t) {
		t.Run(name, func(t *testing.T) {
			s, _ := open(t)
			p := newPortal(t, s, provsim.Config{}, nil)
			conn := p.connect(t, "ada", "u1")
			put := func(id, endpoint string, status store.DeliveryStatus) {
				_, err := s.PutDelivery(t.Context(), store.Delivery{
					ID: id, Endpoint: endpoint, Subject: "u1", Received: time.Now(), Body: []byte("body"), Status: status,
				})
				require.NoError(t, err)
			}
			for i := range 120 {
				put(fmt.Sprint("other ", i), "another", store.DeliveryDead)
				put(fmt.Sprint("dead ", i), "provsim/"+conn.ID, store.DeliveryDead)
				put(fmt.Sprint("parked ", i), "provsim", store.DeliveryParked)
			}
			require.NoError(t, p.engine.Disconnect(t.Context(), conn.ID, true))
			receipt, err := p.engine.Erase(t.Context(), "ada")
			require.NoError(t, err)
			require.Equal(t, 240, receipt.Local.Deliveries)
			left := 0
			for q := (store.DeliveryQuery{Subject: "u1"}); ; {
				list, err := s.Deliveries(t.Context(), q)
				require.NoError(t, err)
				if len(list) == 0 {
					break
				}
				for _, d := range list {
					require.Equal(t, "another", d.Endpoint)
					q.After = d.ID
					left++
				}
			}
			require.Equal(t, 120, left)
			_, err = s.Setting(t.Context(), "ada", "former_ids")
			require.ErrorIs(t, err, store.ErrNotFound)
		})
	}
}
