package sync_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	gosync "sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/provsim"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// tampered is a store some of whose calls are replaced.
type tampered struct {
	*store.Memory
	put     func(context.Context, store.Delivery) (bool, error)
	assign  func(ctx context.Context, id string, a store.Assignment) error
	grant   func(ctx context.Context, replaces string, c store.Credential) error
	setDue  func(context.Context, store.Due) error
	setting func(ctx context.Context, user, name string, old, value []byte) error
}

func (s *tampered) PutDelivery(ctx context.Context, d store.Delivery) (bool, error) {
	if s.put != nil {
		return s.put(ctx, d)
	}
	return s.Memory.PutDelivery(ctx, d)
}

func (s *tampered) Assign(ctx context.Context, id string, a store.Assignment) error {
	if s.assign != nil {
		return s.assign(ctx, id, a)
	}
	return s.Memory.Assign(ctx, id, a)
}

func (s *tampered) PutGrant(ctx context.Context, replaces string, c store.Credential) error {
	if s.grant != nil {
		return s.grant(ctx, replaces, c)
	}
	return s.Memory.PutGrant(ctx, replaces, c)
}

func (s *tampered) SetDue(ctx context.Context, d store.Due) error {
	if s.setDue != nil {
		return s.setDue(ctx, d)
	}
	return s.Memory.SetDue(ctx, d)
}

func (s *tampered) SwapSetting(ctx context.Context, user, name string, old, value []byte) error {
	if s.setting != nil {
		return s.setting(ctx, user, name, old, value)
	}
	return s.Memory.SwapSetting(ctx, user, name, old, value)
}

func newTampered(t testing.TB, change func(*mailConfig)) (*mailroom, *tampered) {
	s := new(tampered)
	m := newMailroom(t, func(c *mailConfig) {
		s.Memory = c.engine.Store.(*store.Memory)
		c.engine.Store = s
		if change != nil {
			change(c)
		}
	})
	return m, s
}

func putItem(t testing.TB, m *mailroom, conn store.Connection, id string, at time.Time) {
	body := fmt.Appendf(nil, `{"v":1,"provider":"provsim","signed":true,"note":{"UpstreamID":%q,"Event":"data"}}`, conn.UpstreamID)
	d := store.Delivery{ID: "d" + id, Endpoint: "provsim", Received: time.Now(), Status: store.DeliveryNew}
	_, err := m.store.PutDelivery(t.Context(), d)
	require.NoError(t, err)
	require.NoError(t, m.store.Assign(t.Context(), d.ID, store.Assignment{Items: []store.InboxItem{{
		ID: id, User: conn.User, Connection: conn.ID, Received: time.Now(), Payload: body, NextAt: at,
	}}}))
}

// TestItemsThatNobodyCanWorkOn: a connection that is being removed, or whose
// provider this process does not have, is not looked at again and again.
func TestItemsThatNobodyCanWorkOn(t *testing.T) {
	for name, spoil := range map[string]func(*testing.T, *mailroom, store.Connection) store.Connection{
		"deleting": func(t *testing.T, m *mailroom, conn store.Connection) store.Connection {
			conn.State, conn.Reason = store.StateDeleting, "erased"
			next, err := m.store.PutConnection(t.Context(), conn)
			require.NoError(t, err)
			return next
		},
		"provider of another process": func(t *testing.T, m *mailroom, _ store.Connection) store.Connection {
			conn, err := m.store.PutConnection(t.Context(), store.Connection{
				ID: "other", User: "u1", Provider: "elsewhere", UpstreamID: "u1", State: store.StateActive,
			})
			require.NoError(t, err)
			return conn
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m, s := newTampered(t, nil)
				conn := m.link(t, "u1")
				m.work(t, time.Hour)
				conn = spoil(t, m, m.connection(t, conn.ID))
				putItem(t, m, conn, "i1", time.Time{})
				var calls atomic.Int64
				s.setDue = func(ctx context.Context, d store.Due) error {
					if calls.Add(1) > 100 {
						time.Sleep(time.Hour) // not to go on for ever
					}
					return s.Memory.SetDue(ctx, d)
				}
				require.NoError(t, s.Memory.SetDue(t.Context(), store.Due{Connection: conn.ID, Task: "sync", At: time.Now()}))
				m.work(t, 10*time.Minute)
				require.Less(t, calls.Load(), int64(100))
				items, err := m.store.InboxItems(t.Context(), store.InboxQuery{User: "u1"})
				require.NoError(t, err)
				require.Len(t, items, 1)
			})
		})
	}
}

// TestTriggerBehindManyThatWait: the look into the inbox after a turn finds what
// is ready behind more items than it lists.
func TestTriggerBehindManyThatWait(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, s := newTampered(t, nil)
		conn := m.link(t, "u1")
		m.work(t, time.Hour)
		for i := range 150 {
			putItem(t, m, conn, fmt.Sprintf("a%03d", i), time.Now().Add(24*time.Hour))
		}
		time.Sleep(time.Second)
		arrived := false
		s.setDue = func(ctx context.Context, d store.Due) error {
			if !arrived && d.At.After(time.Now().Add(time.Hour)) {
				arrived = true
				putItem(t, m, conn, "z", time.Time{}) // as the turn ends; its due time is overwritten
			}
			return s.Memory.SetDue(ctx, d)
		}
		m.send(t, provsim.Event{Type: provsim.TypeData, User: "u1"})
		m.work(t, 5*time.Minute)
		require.True(t, arrived)
		items, err := m.store.InboxItems(t.Context(), store.InboxQuery{User: "u1", Limit: 1000})
		require.NoError(t, err)
		require.Len(t, items, 150)
	})
}

// TestAssignmentThatCannotBeMadeDue: a store that keeps items and due times in
// two places takes the item and not the due time. Nobody sends the delivery again.
func TestAssignmentThatCannotBeMadeDue(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, s := newTampered(t, nil)
		m.link(t, "u1")
		m.work(t, time.Hour)
		m.send(t, weightEvent("u1", "w1", time.Now().Add(-time.Hour), 1, 70_000))
		var failed atomic.Int64
		s.assign = func(ctx context.Context, id string, a store.Assignment) error {
			if failed.Add(1) > 3 {
				return s.Memory.Assign(ctx, id, a)
			}
			_, err := s.Memory.PutDelivery(ctx, store.Delivery{ID: "item", Received: time.Now(), Status: store.DeliveryParked})
			require.NoError(t, err)
			require.NoError(t, s.Memory.Assign(ctx, "item", store.Assignment{Items: a.Items}))
			return errFlaky
		}
		m.work(t, 5*time.Minute)
		require.EqualValues(t, 4, failed.Load())
		require.EqualValues(t, 70_000, m.values(t, "u1", provsim.StreamEvents)["events/w1"])
	})
}

// TestKilledAfterAssignment: a connection that is not in order has no due time of
// its own, and its new upstream id would never be learnt if its item had none.
func TestKilledAfterAssignment(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, s := newTampered(t, nil)
		conn := m.link(t, "u1")
		m.work(t, time.Hour)
		stored := m.connection(t, conn.ID)
		stored.State = store.StateReauthRequired
		_, err := m.store.PutConnection(t.Context(), stored)
		require.NoError(t, err)
		require.NoError(t, m.store.SetDue(t.Context(), store.Due{Connection: conn.ID, Task: "sync"}))
		m.send(t, provsim.Event{Type: provsim.TypeReauth, User: "u1b", OldUser: "u1"})
		ctx, kill := context.WithCancel(t.Context())
		s.assign = func(_ context.Context, id string, a store.Assignment) error {
			err := s.Memory.Assign(t.Context(), id, a)
			kill()
			return err
		}
		require.NoError(t, m.engine.Run(ctx))
		s.assign = nil
		fresh, err := healthsync.New(m.cfg)
		require.NoError(t, err)
		stop := running(t, fresh)
		time.Sleep(time.Minute)
		stop()
		require.Equal(t, "u1b", m.connection(t, conn.ID).UpstreamID)
	})
}

// TestDeliveryThatTheStoreRefuses becomes a dead letter, and those behind it are
// worked on.
func TestDeliveryThatTheStoreRefuses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, s := newTampered(t, nil)
		m.link(t, "u1")
		m.link(t, "u2")
		m.work(t, time.Hour)
		s.assign = func(ctx context.Context, id string, a store.Assignment) error {
			if len(a.Items) > 0 && a.Items[0].User == "u1" {
				return fmt.Errorf("%w: too long", store.ErrInvalid)
			}
			return s.Memory.Assign(ctx, id, a)
		}
		m.send(t, weightEvent("u1", "w1", time.Now().Add(-time.Hour), 1, 70_000))
		time.Sleep(time.Second)
		m.send(t, weightEvent("u2", "w1", time.Now().Add(-time.Hour), 1, 70_000))
		m.work(t, 6*time.Hour)
		require.EqualValues(t, 70_000, m.values(t, "u2", provsim.StreamEvents)["events/w1"])
		require.Len(t, m.kept(t, store.DeliveryDead), 1)
	})
}

// TestDeadLetterOfAPersonWhoIsErasedMeanwhile is not kept.
func TestDeadLetterOfAPersonWhoIsErasedMeanwhile(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, s := newTampered(t, func(c *mailConfig) {
			c.engine.DeliveryAttempts = 1
			c.wrap = func(p *provsim.Provider) providers.Provider { return poisoned{p, new(atomic.Bool)} }
		})
		m.link(t, "u1")
		erased := false
		s.put = func(ctx context.Context, d store.Delivery) (bool, error) {
			if d.Status == store.DeliveryDead && !erased {
				erased = true
				_, err := m.engine.Erase(t.Context(), "u1")
				require.NoError(t, err)
			}
			return s.Memory.PutDelivery(ctx, d)
		}
		m.send(t, provsim.Event{Type: provsim.TypeData, User: "u1"})
		m.work(t, time.Hour)
		require.True(t, erased)
		require.Empty(t, m.kept(t, ""))
	})
}

// TestErasureOfUnknownEvents: an event of a kind that the adapter does not know
// is kept under the person whom it names, until this person is erased. What is
// late is not kept, and of several people in a delivery each has a letter.
func TestErasureOfUnknownEvents(t *testing.T) {
	novel := func(user, id string) provsim.Event {
		e := weightEvent(user, id, time.Now(), 1, 70_000)
		e.Type = "moon_phase"
		return e
	}
	letters := func(t *testing.T, m *mailroom) map[string][]string {
		list, err := m.engine.DeadLetters(t.Context(), "", 0)
		require.NoError(t, err)
		bodies := make(map[string][]string)
		for _, l := range list {
			bodies[l.UpstreamID] = append(bodies[l.UpstreamID], string(l.Body))
		}
		return bodies
	}
	for name, c := range map[string]struct {
		before, late, left []string // people
	}{
		"of one person":                 {[]string{"u1"}, []string{"u1"}, nil},
		"of several people":             {[]string{"u1", "u2", "u1"}, []string{"u2", "u1"}, []string{"u2", "u2"}},
		"of another person":             {[]string{"u2"}, []string{"u2"}, []string{"u2", "u2"}},
		"of a person who is not linked": {[]string{"u3", "u1"}, []string{"u3"}, []string{"u3", "u3"}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := newMailroom(t, nil)
				m.link(t, "u1")
				m.link(t, "u2")
				send := func(people []string) {
					var events []provsim.Event
					for i, user := range people {
						events = append(events, novel(user, fmt.Sprint("row-of-", user, "-", i)))
					}
					m.send(t, events...)
					m.work(t, time.Minute)
				}
				send(c.before)
				require.Len(t, m.kept(t, store.DeliveryDead), len(c.before))
				_, err := m.engine.Erase(t.Context(), "u1")
				require.NoError(t, err)
				send(c.late)
				left := letters(t, m)
				require.Empty(t, left["u1"])
				var kept []string
				for user, bodies := range left {
					for _, body := range bodies {
						require.NotContains(t, body, "row-of-u1")
						kept = append(kept, user)
					}
				}
				require.ElementsMatch(t, c.left, kept)
				// Tried again they are as before.
				for _, d := range m.kept(t, store.DeliveryDead) {
					require.NoError(t, m.engine.Redrive(t.Context(), d.ID))
				}
				m.work(t, time.Hour)
				require.Len(t, m.kept(t, store.DeliveryDead), len(c.left))
			})
		})
	}
}

// TestUnknownEventOfAPersonWhoIsErasedMeanwhile is not kept; a later one is not
// even stored.
func TestUnknownEventOfAPersonWhoIsErasedMeanwhile(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, s := newTampered(t, nil)
		m.link(t, "u1")
		erased := false
		s.assign = func(ctx context.Context, id string, a store.Assignment) error {
			if len(a.Rest) > 0 && !erased {
				erased = true
				_, err := m.engine.Erase(t.Context(), "u1")
				require.NoError(t, err)
			}
			return s.Memory.Assign(ctx, id, a)
		}
		m.send(t, provsim.Event{Type: "moon_phase", User: "u1"})
		m.work(t, time.Hour)
		require.True(t, erased)
		require.Empty(t, m.kept(t, ""))
		s.assign = func(ctx context.Context, id string, a store.Assignment) error {
			require.Empty(t, a.Rest)
			return s.Memory.Assign(ctx, id, a)
		}
		m.send(t, provsim.Event{Type: "moon_phase", User: "u1"}, provsim.Event{Type: "moon_phase", User: "u1"})
		m.work(t, time.Hour)
	})
}

// TestDeadLettersEnd: what could not be read is dropped after 90 days, by one of
// two processes.
func TestDeadLettersEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, s := newTampered(t, nil)
		other, err := healthsync.New(m.cfg)
		require.NoError(t, err)
		body := []byte("null")
		require.Equal(t, 200, m.post(signedPath, m.Header(body, time.Now()), body).Code)
		m.send(t, weightEvent("u3", "w1", time.Now().Add(-time.Hour), 1, 70_000))
		m.work(t, time.Minute)
		require.Len(t, m.kept(t, store.DeliveryDead), 1)
		require.Len(t, m.kept(t, store.DeliveryParked), 1)
		s.assign = func(ctx context.Context, id string, a store.Assignment) error {
			time.Sleep(5 * time.Second) // so that both come by
			return s.Memory.Assign(ctx, id, a)
		}
		both := func(at time.Time) {
			var looking gosync.WaitGroup
			for _, e := range []*healthsync.Engine{m.engine, other} {
				looking.Go(func() { require.NoError(t, healthsync.ReviewKept(t.Context(), e, at)) })
			}
			looking.Wait()
		}
		time.Sleep(7 * day)
		both(time.Now())
		require.Empty(t, m.kept(t, store.DeliveryParked))
		require.Equal(t, 1, m.audited("drop"), "told once")
		time.Sleep(83*day - 10*time.Minute)
		both(time.Now())
		require.Len(t, m.kept(t, store.DeliveryDead), 1)
		time.Sleep(11 * time.Minute)
		both(time.Now())
		require.Empty(t, m.kept(t, ""))
		require.Equal(t, 2, m.audited("drop"))
	})
}

// TestStoreThatPanics: the process of the host lives.
func TestStoreThatPanics(t *testing.T) {
	m, s := newTampered(t, nil)
	s.put = func(context.Context, store.Delivery) (bool, error) { panic("a bug of the driver") }
	body := m.Compose(provsim.Event{Type: provsim.TypeData, User: "u1"})
	require.Equal(t, 503, m.post(signedPath, m.Header(body, time.Now()), body).Code)
	require.Equal(t, 1, m.count(healthsync.AlarmPanic))
}

// TestHookThatBlocksDelaysNoAnswer: a delivery that cannot be read is answered
// before anybody is told.
func TestHookThatBlocksDelaysNoAnswer(t *testing.T) {
	m := newMailroom(t, nil)
	block := make(chan struct{})
	m.cfg.Hooks.Delivered = func(context.Context, healthsync.DeliveryEvent) { <-block }
	engine, err := healthsync.New(m.cfg)
	require.NoError(t, err)
	server := httptest.NewServer(engine.Handler())
	defer server.Close()
	defer close(block)
	r, err := http.NewRequest(http.MethodPost, server.URL+signedPath, strings.NewReader("null"))
	require.NoError(t, err)
	r.Header = m.Header([]byte("null"), time.Now())
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}).Do(r)
	require.NoError(t, err)
	require.Equal(t, 200, resp.StatusCode)
	_ = resp.Body.Close()
}

// TestRefusedRequestWithoutItsBody: nobody holds a connection by a body that
// does not come, wherever it goes.
func TestRefusedRequestWithoutItsBody(t *testing.T) {
	t.Parallel()
	m := newMailroom(t, nil)
	server := httptest.NewServer(m.handler)
	defer server.Close()
	var asking gosync.WaitGroup
	for _, path := range []string{"/nothing", "/webhooks/nobody", "/webhooks/provsim/x", "/connect/provsim", "/callback/provsim"} {
		asking.Go(func() {
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = conn.Close() }()
			_, _ = io.WriteString(conn, "POST "+path+" HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
			_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
			if _, err := io.ReadAll(conn); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		})
	}
	asking.Wait()
}

// TestErasureIsTold: the process ends after the data is gone and before the
// receipt says so.
func TestErasureIsTold(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, s := newTampered(t, nil)
		m.link(t, "u1")
		s.setting = func(ctx context.Context, user, name string, old, value []byte) error {
			if strings.HasPrefix(name, "receipt/") && strings.Contains(string(value), "erased_at") {
				return errFlaky
			}
			return s.Memory.SwapSetting(ctx, user, name, old, value)
		}
		receipt, err := m.engine.Erase(t.Context(), "u1")
		require.ErrorIs(t, err, errFlaky)
		s.setting = nil
		m.work(t, 10*time.Minute)
		receipt, err = m.engine.Receipt(t.Context(), receipt.ID)
		require.NoError(t, err)
		require.False(t, receipt.ErasedAt.IsZero())
		require.Equal(t, 1, m.audited("erase"))
		jobs, err := m.store.Jobs(t.Context(), store.JobQuery{})
		require.NoError(t, err)
		require.Empty(t, jobs)
	})
}

// TestMarkOfAnErasedAccount: an account of an erased person is another person's
// now. Nothing says any more that it is to be forgotten; and should that be said
// late, what is about it is kept, and worked on no more than once.
func TestMarkOfAnErasedAccount(t *testing.T) {
	for name, c := range map[string]struct {
		account string
		take    func(*testing.T, *mailroom)
	}{
		"connected": {"u1", func(*testing.T, *mailroom) {}},
		"new id of an account": {"u2", func(t *testing.T, m *mailroom) {
			m.send(t, provsim.Event{Type: provsim.TypeReauth, User: "u1", OldUser: "u2"})
			m.work(t, time.Hour)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m, s := newTampered(t, func(c *mailConfig) {
					c.engine.DeliveryAttempts = 1
					c.wrap = func(p *provsim.Provider) providers.Provider { return poisoned{p, new(atomic.Bool)} }
				})
				m.linkAs(t, "ada", "u1")
				_, err := m.engine.Erase(t.Context(), "ada")
				require.NoError(t, err)
				mark, fails := "", 3
				s.setting = func(ctx context.Context, user, name string, old, value []byte) error {
					if strings.HasPrefix(name, "erased_account/") {
						mark = name
						if fails--; fails >= 0 {
							return errFlaky
						}
					}
					return s.Memory.SwapSetting(ctx, user, name, old, value)
				}
				conn := m.linkAs(t, "bob", c.account)
				c.take(t, m)
				require.Equal(t, "u1", m.connection(t, conn.ID).UpstreamID)
				require.NotEmpty(t, mark)
				_, err = m.store.Setting(t.Context(), "", mark)
				require.ErrorIs(t, err, store.ErrNotFound)

				// By an erasure that was interrupted.
				require.NoError(t, m.store.SwapSetting(t.Context(), "", mark, nil, []byte{1}))
				var turns atomic.Int64
				s.setDue = func(ctx context.Context, d store.Due) error {
					if turns.Add(1) > 1000 {
						time.Sleep(time.Hour) // not to go on for ever
					}
					return s.Memory.SetDue(ctx, d)
				}
				m.send(t, provsim.Event{Type: provsim.TypeData, User: "u1"})
				m.work(t, time.Hour)
				require.Len(t, m.kept(t, store.DeliveryDead), 1)
				require.Less(t, turns.Load(), int64(1000))
				items, err := m.store.InboxItems(t.Context(), store.InboxQuery{User: "bob"})
				require.NoError(t, err)
				require.Empty(t, items)
			})
		})
	}
}
