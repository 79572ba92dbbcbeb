package sync_test

import (
	"context"
	"errors"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/internal/provsim"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// confirming is a service that reports the end of a flow by a delivery, and
// says it when it is asked.
type confirming struct {
	delivering
	confirm func(reference string) (string, error)
}

func (c confirming) Confirm(_ context.Context, reference string, _ providers.Callback) (string, error) {
	return c.confirm(reference)
}

func (m *mailroom) begin(t testing.TB, user string) (state string) {
	address, err := m.engine.Connect(t.Context(), healthsync.ConnectRequest{
		User: user, Provider: "provsim", RedirectURL: provsim.DefaultRedirectURL,
	})
	require.NoError(t, err)
	u, err := url.Parse(address)
	require.NoError(t, err)
	return u.Query().Get("state")
}

func (m *mailroom) all(t testing.TB) []store.Connection {
	conns, err := m.store.Connections(t.Context(), store.ConnectionQuery{})
	require.NoError(t, err)
	return conns
}

// TestConfirmedConnect: what the browser brings back proves nothing; the
// service's own word, however it comes, connects.
func TestConfirmedConnect(t *testing.T) {
	unavailable := &providers.Error{Provider: "provsim", Op: "confirm", Kind: providers.ErrUnavailable}
	missing := &providers.Error{Provider: "provsim", Op: "confirm", Kind: providers.ErrNotFound}
	for name, c := range map[string]struct {
		upstream  string
		err       error
		connected bool
	}{
		"confirmed": {"u1", nil, true}, "not yet": {"", missing, false}, "away": {"", unavailable, false}, "says nothing": {"", nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				asked := ""
				m := newMailroom(t, func(mc *mailConfig) {
					mc.wrap = func(p *provsim.Provider) providers.Provider {
						return confirming{delivering{p}, func(reference string) (string, error) {
							asked = reference
							return c.upstream, c.err
						}}
					}
				})
				state := m.begin(t, "ada")
				// The account in the query is somebody else's.
				conn, err := m.engine.Complete(t.Context(), url.Values{"state": {state}, "user_id": {"u2"}})
				require.Equal(t, state, asked)
				if !c.connected {
					require.ErrorIs(t, err, healthsync.ErrPending)
					require.Empty(t, m.all(t))
				} else {
					require.NoError(t, err)
					require.Equal(t, store.StateActive, conn.State)
				}
				m.send(t, provsim.Event{Type: provsim.TypeAuth, User: "u1", Reference: state})
				m.work(t, time.Minute)
				require.Len(t, m.all(t), 1)
				require.Equal(t, "u1", m.all(t)[0].UpstreamID)
				require.Equal(t, "ada", m.all(t)[0].User)
				asked = ""
				again, err := m.engine.Complete(t.Context(), url.Values{"state": {state}, "user_id": {"u2"}})
				require.NoError(t, err)
				require.Equal(t, m.all(t)[0].ID, again.ID)
				require.Empty(t, asked, "it is known how the flow ended")
				m.nothingLeft(t)
			})
		})
	}
}

// TestCallbackOfAnyone: whoever calls with whatever state connects nothing, and
// has the service asked nothing.
func TestCallbackOfAnyone(t *testing.T) {
	asked := 0
	m := newMailroom(t, func(mc *mailConfig) {
		mc.wrap = func(p *provsim.Provider) providers.Provider {
			return confirming{delivering{p}, func(string) (string, error) { asked++; return "u1", nil }}
		}
	})
	state := m.begin(t, "ada")
	for _, guess := range []string{"", "x", state[1:] + "x", state + "x"} {
		_, err := m.engine.Complete(t.Context(), url.Values{"state": {guess}})
		require.ErrorIs(t, err, healthsync.ErrFlow)
	}
	for i := range 20 {
		other := string(rune('A'+i)) + state[1:]
		if other == state {
			continue
		}
		_, err := m.engine.Complete(t.Context(), url.Values{"state": {other}})
		require.ErrorIs(t, err, healthsync.ErrPending)
	}
	require.Zero(t, asked)
	require.Empty(t, m.all(t))
	_, err := m.engine.Complete(t.Context(), url.Values{"state": {state}})
	require.NoError(t, err)
	require.Equal(t, 1, asked)
}

// TestPeopleAreCompared: those that the service does not know any more are
// probed, those that only it knows are reported, and a flow whose delivery was
// lost is completed.
func TestPeopleAreCompared(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var unlinked []string
		m := newMailroom(t, func(c *mailConfig) {
			c.service.Users, c.service.PageSize = 6, 2
			c.wrap = func(p *provsim.Provider) providers.Provider { return switched{p, new(bool)} }
		})
		m.cfg.Hooks.Unlinked = func(_ context.Context, e healthsync.UnlinkedEvent) { unlinked = append(unlinked, e.UpstreamID) }
		engine, err := healthsync.New(m.cfg)
		require.NoError(t, err)
		m.engine = engine
		kept, gone := m.link(t, "u1"), m.link(t, "u2")
		unlisted := m.link(t, "u3")
		m.work(t, time.Minute)
		time.Sleep(time.Hour)
		require.NoError(t, m.Deauthorize("u2")) // and its delivery is lost
		*m.cfg.Providers[0].(switched).byDelivery = true
		engine, err = healthsync.New(m.cfg)
		require.NoError(t, err)
		m.engine = engine
		require.NoError(t, m.Known("u4", m.begin(t, "dora")))
		require.NoError(t, m.Known("u5", "of another application"))
		report, err := m.engine.ReconcilePeople(t.Context(), "provsim")
		require.NoError(t, err)
		require.Equal(t, healthsync.PeopleReport{Provider: "provsim", Listed: 4, Completed: 1, Unlinked: 1, Missing: 1}, report)
		require.Equal(t, []string{"u5"}, unlinked)
		require.Equal(t, 1, m.count(healthsync.AlarmUnlinked))
		m.work(t, time.Hour)
		require.Equal(t, store.StateRevoked, m.state(t, gone.ID))
		require.Equal(t, store.StateActive, m.state(t, kept.ID))
		require.Equal(t, store.StateActive, m.state(t, unlisted.ID))
		conns, err := m.engine.Connections(t.Context(), "dora")
		require.NoError(t, err)
		require.Len(t, conns, 1)
		m.nothingLeft(t)
	})
}

// flowsHeld is a store that takes a moment to tell a flow.
type flowsHeld struct {
	*store.Memory
	hold chan struct{}
}

func (s flowsHeld) Flow(ctx context.Context, id string) (store.Flow, error) {
	f, err := s.Memory.Flow(ctx, id)
	s.hold <- struct{}{}
	time.Sleep(time.Second)
	return f, err
}

// TestPeopleComparedWhileAFlowEnds: the flow of somebody who is in the list is in
// the hands of the delivery that ends it. Both end it, and there is one
// connection, and no alarm.
func TestPeopleComparedWhileAFlowEnds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newMailroom(t, func(c *mailConfig) {
			c.wrap = func(p *provsim.Provider) providers.Provider { return delivering{p} }
		})
		state := m.begin(t, "ada")
		require.NoError(t, m.Known("u1", state))
		held := make(chan struct{}, 10)
		slow := m.cfg
		slow.Store = flowsHeld{m.store, held}
		ending, err := healthsync.New(slow)
		require.NoError(t, err)
		m.send(t, provsim.Event{Type: provsim.TypeAuth, User: "u1", Reference: state})
		stop := running(t, ending)
		<-held
		report, err := m.engine.ReconcilePeople(t.Context(), "provsim")
		time.Sleep(5 * time.Second)
		stop()
		require.NoError(t, err)
		require.Equal(t, healthsync.PeopleReport{Provider: "provsim", Listed: 1, Completed: 1}, report)
		require.Zero(t, m.count(healthsync.AlarmUnlinked))
		all := m.all(t)
		require.Len(t, all, 1)
		m.nothingLeft(t)
	})
}

// switched tells the end of a flow by a delivery from some time on.
type switched struct {
	*provsim.Provider
	byDelivery *bool
}

func (s switched) Capabilities() providers.Capabilities {
	caps := s.Provider.Capabilities()
	caps.ConnectByDelivery = *s.byDelivery
	return caps
}

// TestPeopleAreComparedDaily, by one process, and a list that fails revokes
// nobody. At the counts of CI a day has six hours: the loops that look for work
// every few seconds are what the test costs.
func TestPeopleAreComparedDaily(t *testing.T) {
	bubble(t, func(t *testing.T) {
		every := time.Duration(proof.N(6, 24)) * time.Hour
		l := &lister{next: func(n int) (providers.UpstreamPage, error) { return providers.UpstreamPage{}, nil }}
		m := newMailroom(t, func(c *mailConfig) {
			c.wrap = func(p *provsim.Provider) providers.Provider { l.Provider = p; return l }
			c.engine.PeopleEvery = every
		})
		conn := m.link(t, "u1")
		second, err := healthsync.New(m.cfg)
		require.NoError(t, err)
		stop := running(t, second)
		m.work(t, 4*every-2*time.Hour) // looked at every hour, more or less
		stop()
		require.Equal(t, 4, l.calls, "at once, and after each of three days")
		require.Equal(t, store.StateActive, m.state(t, conn.ID), "not listed, and the service answers")

		require.NoError(t, m.Deauthorize("u1"))
		for name, next := range map[string]func(int) (providers.UpstreamPage, error){
			"away": func(int) (providers.UpstreamPage, error) { return providers.UpstreamPage{}, errors.New("away") },
			"half": func(n int) (providers.UpstreamPage, error) {
				if n == 0 {
					return providers.UpstreamPage{Next: "2"}, nil
				}
				return providers.UpstreamPage{}, errors.New("away")
			},
			"loop": func(int) (providers.UpstreamPage, error) { return providers.UpstreamPage{Next: "2"}, nil },
		} {
			l.next = next
			_, err := m.engine.ReconcilePeople(t.Context(), "provsim")
			require.Error(t, err, name)
			m.nothingLeft(t)
		}
		_, err = m.engine.ReconcilePeople(t.Context(), "nobody")
		require.ErrorIs(t, err, errors.ErrUnsupported)
	})
}

type lister struct {
	*provsim.Provider
	calls int
	next  func(n int) (providers.UpstreamPage, error)
}

// FetchPayload keeps the engine from looking for payloads to fetch.
func (l *lister) FetchPayload() {}

func (l *lister) UpstreamUsers(_ context.Context, token string) (providers.UpstreamPage, error) {
	l.calls++
	if token == "" {
		return l.next(0)
	}
	return l.next(1)
}

// TestReauth moves the upstream id: what comes for either id, before or after
// the news of it, reaches the person, and the state is in order again.
func TestReauth(t *testing.T) {
	at := func() time.Time { return time.Now().Add(-time.Hour) }
	reauth := provsim.Event{Type: provsim.TypeReauth, User: "u1b", OldUser: "u1"}
	for name, c := range map[string]func(*testing.T, *mailroom, store.Connection){
		"new before, old after": func(t *testing.T, m *mailroom, conn store.Connection) {
			m.send(t, weightEvent("u1b", "w1", at(), 1, 70_000))
			m.send(t, reauth)
			m.send(t, weightEvent("u1", "w2", at(), 1, 71_000))
			m.work(t, time.Minute)
			m.send(t, weightEvent("u1", "w3", at(), 1, 72_000))
			m.send(t, weightEvent("u1b", "w4", at(), 1, 73_000))
			m.work(t, time.Hour)
			got := m.values(t, "u1", provsim.StreamEvents)
			for i, id := range []string{"w1", "w2", "w3", "w4"} {
				require.EqualValues(t, 70_000+1000*i, got["events/"+id])
			}
		},
		"twice, and back": func(t *testing.T, m *mailroom, conn store.Connection) {
			m.send(t, reauth)
			m.send(t, reauth)
			m.work(t, time.Minute)
			m.send(t, provsim.Event{Type: provsim.TypeReauth, User: "u1c", OldUser: "u1b"})
			m.work(t, time.Minute)
			for i, id := range []string{"u1", "u1b", "u1c"} {
				m.send(t, weightEvent(id, "w"+id, at(), 1, 70_000+int64(i)))
			}
			m.work(t, time.Minute)
			require.Equal(t, "u1c", m.connection(t, conn.ID).UpstreamID)
			for i, id := range []string{"u1", "u1b", "u1c"} {
				require.EqualValues(t, 70_000+i, m.values(t, "u1", provsim.StreamEvents)["events/w"+id])
			}
			m.send(t, provsim.Event{Type: provsim.TypeReauth, User: "u1", OldUser: "u1c"})
			m.work(t, time.Minute)
			require.Equal(t, "u1", m.connection(t, conn.ID).UpstreamID)
			m.send(t, reauth)
		},
		"of a consent that had ended": func(t *testing.T, m *mailroom, conn store.Connection) {
			for _, state := range []store.State{store.StateReauthRequired, store.StateRevoked} {
				stored := m.connection(t, conn.ID)
				stored.State = state
				_, err := m.store.PutConnection(t.Context(), stored)
				require.NoError(t, err)
				m.send(t, provsim.Event{Type: provsim.TypeReauth, User: stored.UpstreamID + "b", OldUser: stored.UpstreamID})
				m.work(t, time.Hour)
				require.Equal(t, store.StateActive, m.state(t, conn.ID))
			}
			stored := m.connection(t, conn.ID)
			require.Equal(t, "u1bb", stored.UpstreamID)
			stored.UpstreamID = "u1b"
			_, err := m.store.PutConnection(t.Context(), stored)
			require.NoError(t, err)
		},
		"the old id is deauthorized, before or after": func(t *testing.T, m *mailroom, conn store.Connection) {
			m.send(t, provsim.Event{Type: provsim.TypeDeauth, User: "u1"})
			m.send(t, reauth)
			m.work(t, time.Hour)
			before := len(m.Ledger().Entries)
			m.send(t, provsim.Event{Type: provsim.TypeDeauth, User: "u1"})
			m.work(t, time.Hour)
			require.Equal(t, store.StateActive, m.state(t, conn.ID))
			require.Len(t, m.Ledger().Entries, before, "nothing was asked: that is no news")
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := newMailroom(t, nil)
				conn := m.link(t, "u1")
				c(t, m, conn)
				m.work(t, time.Hour)
				require.Equal(t, store.StateActive, m.state(t, conn.ID))
				require.Equal(t, "u1b", m.connection(t, conn.ID).UpstreamID)
				require.Len(t, m.all(t), 1)
				m.nothingLeft(t)
			})
		})
	}
}

// TestReauthAfterTheNewAccountIsConnected: the news that two accounts are one
// comes after the second was connected. The second goes on, and has what still
// comes for the first.
func TestReauthAfterTheNewAccountIsConnected(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newMailroom(t, nil)
		older := m.link(t, "u1")
		newer := m.linkAs(t, "u1", "u2")
		m.send(t, provsim.Event{Type: provsim.TypeReauth, User: "u2", OldUser: "u1"})
		m.work(t, time.Minute)
		require.Equal(t, store.StateRevoked, m.state(t, older.ID))
		require.Equal(t, older.ID, m.connection(t, newer.ID).Predecessor)
		m.send(t, weightEvent("u1", "w1", time.Now().Add(-time.Hour), 1, 70_000))
		m.work(t, time.Minute)
		records, err := m.store.Records(t.Context(), store.RecordQuery{
			User: "u1", Connections: []string{newer.ID}, Kinds: nil, Streams: []string{provsim.StreamEvents},
		})
		require.NoError(t, err)
		keys := []string{}
		for _, r := range records.Records {
			keys = append(keys, r.Key)
		}
		require.Contains(t, keys, "events/w1")
		m.nothingLeft(t)

		// Accounts of two users are two.
		other := m.linkAs(t, "bob", "u3")
		m.send(t, provsim.Event{Type: provsim.TypeReauth, User: "u3", OldUser: "u2"})
		m.work(t, time.Minute)
		require.Equal(t, store.StateActive, m.state(t, newer.ID))
		require.Equal(t, store.StateActive, m.state(t, other.ID))
		m.nothingLeft(t)
	})
}

// TestDataThatWaitsForAConsent: data of a connection whose consent is missing waits
// for it, also when the service gives the account another id with the consent.
func TestDataThatWaitsForAConsent(t *testing.T) {
	for name, consent := range map[string]func(*testing.T, *mailroom){
		"the id stays": func(t *testing.T, m *mailroom) { m.link(t, "u1") },
		"the id changes": func(t *testing.T, m *mailroom) {
			m.linkAs(t, "u1", "u2")
			m.send(t, provsim.Event{Type: provsim.TypeReauth, User: "u2", OldUser: "u1"})
		},
		"the id changes twice": func(t *testing.T, m *mailroom) {
			m.linkAs(t, "u1", "u2")
			m.send(t, provsim.Event{Type: provsim.TypeReauth, User: "u2", OldUser: "u1"})
			m.work(t, time.Minute)
			m.linkAs(t, "u1", "u3")
			m.send(t, provsim.Event{Type: provsim.TypeReauth, User: "u3", OldUser: "u2"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := newMailroom(t, nil)
				id := m.link(t, "u1").ID
				m.work(t, time.Hour)
				waiting := m.connection(t, id)
				waiting.State = store.StateReauthRequired
				_, err := m.store.PutConnection(t.Context(), waiting)
				require.NoError(t, err)
				m.send(t, weightEvent("u1", "w1", time.Now().Add(-time.Hour), 1, 70_000))
				m.work(t, time.Minute)
				consent(t, m)
				m.work(t, 3*time.Hour)
				require.Contains(t, m.values(t, "u1", provsim.StreamEvents), "events/w1")
				require.Zero(t, m.audited("drop"))
				m.nothingLeft(t)
			})
		})
	}
}

// consenting is a store in which the person consents anew when a lease of the
// connection was taken.
type consenting struct {
	*store.Memory
	connection string
	consent    func()
}

func (s *consenting) Acquire(ctx context.Context, connection, name string, ttl time.Duration) (store.Lease, error) {
	l, err := s.Memory.Acquire(ctx, connection, name, ttl)
	if consent := s.consent; err == nil && consent != nil && connection == s.connection && name == "sync" {
		s.consent = nil
		consent()
	}
	return l, err
}

// TestConsentDuringADeauthorization: a connection waits for a new consent when a
// delivery says that the old one was taken back. The consent that comes while
// that is worked on stands.
func TestConsentDuringADeauthorization(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := new(consenting)
		m := newMailroom(t, func(c *mailConfig) {
			s.Memory = c.engine.Store.(*store.Memory)
			c.engine.Store = s
		})
		id := m.link(t, "u1").ID
		m.work(t, time.Hour)
		conn := m.connection(t, id)
		conn.State = store.StateReauthRequired
		_, err := m.store.PutConnection(t.Context(), conn)
		require.NoError(t, err)
		s.connection, s.consent = id, func() { m.link(t, "u1") }
		m.send(t, provsim.Event{Type: provsim.TypeDeauth, User: "u1"})
		m.work(t, time.Hour)
		require.Nil(t, s.consent)
		require.Equal(t, store.StateActive, m.state(t, id))
		m.nothingLeft(t)
	})
}
