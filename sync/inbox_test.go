package sync_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	gosync "sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/internal/provsim"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// TestDeliveries works on genuine deliveries whose content is unusual: the rows
// of the table about what they say. Rows H34 to H36, as far as they are about
// addresses to fetch from, and about chunks that are missing, are of the adapter
// for Terra: no other service sends such deliveries.
func TestDeliveries(t *testing.T) {
	t.Parallel()
	hour := time.Hour
	for _, c := range []struct {
		row string
		do  func(*testing.T, *mailroom)
	}{
		{"H21 unknown type is kept", func(t *testing.T, m *mailroom) {
			m.link(t, "u1")
			m.send(t, provsim.Event{Type: "moon_phase", User: "u1"})
			m.work(t, time.Minute)
			dead := m.kept(t, store.DeliveryDead)
			require.Len(t, dead, 1)
			require.Equal(t, "unknown event", dead[0].Reason)
			require.Zero(t, m.count(healthsync.AlarmDeadLetter), "nobody has to act")
		}},
		{"H22 unknown version is read as far as it goes", func(t *testing.T, m *mailroom) {
			m.link(t, "u1")
			body := m.Compose(weightEvent("u1", "w1", time.Now().Add(-hour), 1, 70_000))
			body = []byte(strings.Replace(string(body), `"version":1`, `"version":99,"more":{}`, 1))
			require.Equal(t, 200, m.post(signedPath, m.Header(body, time.Now()), body).Code)
			m.work(t, time.Minute)
			require.EqualValues(t, 70_000, m.values(t, "u1", provsim.StreamEvents)["events/w1"])
		}},
		{"H23 unknown person is parked", func(t *testing.T, m *mailroom) {
			m.send(t, weightEvent("u2", "w1", time.Now().Add(-hour), 1, 70_000))
			m.work(t, time.Minute)
			parked := m.kept(t, store.DeliveryParked)
			require.Len(t, parked, 1)
			require.Equal(t, "u2", parked[0].Subject)
		}},
		{"H24 a person of another store stays unknown here", func(t *testing.T, m *mailroom) {
			other := newMailroom(t, nil)
			other.link(t, "u1")
			m.send(t, weightEvent("u1", "w1", time.Now().Add(-hour), 1, 70_000))
			m.work(t, time.Minute)
			other.work(t, time.Minute)
			require.Len(t, m.kept(t, store.DeliveryParked), 1)
			require.Empty(t, other.kept(t, ""))
			require.NotContains(t, other.values(t, "u1", provsim.StreamEvents), "events/w1")
		}},
		{"H26 deauth before auth", func(t *testing.T, m *mailroom) {
			m.send(t, provsim.Event{Type: provsim.TypeDeauth, User: "u1", At: time.Now().Add(-hour).UnixMilli()})
			m.work(t, time.Minute)
			require.Len(t, m.kept(t, store.DeliveryParked), 1)
			conn := m.link(t, "u1")
			m.send(t, provsim.Event{Type: provsim.TypeAuth, User: "u1"})
			m.work(t, time.Hour)
			require.Equal(t, store.StateActive, m.state(t, conn.ID), "the service answers, so that the consent stands")
			m.nothingLeft(t)
		}},
		{"deauth that is true", func(t *testing.T, m *mailroom) {
			conn := m.link(t, "u1")
			require.NoError(t, m.Deauthorize("u1"))
			m.send(t, provsim.Event{Type: provsim.TypeDeauth, User: "u1"})
			m.work(t, time.Hour)
			require.Equal(t, store.StateRevoked, m.state(t, conn.ID))
			m.nothingLeft(t)
		}},
		{"H27 reauth without change", func(t *testing.T, m *mailroom) {
			conn := m.link(t, "u1")
			m.send(t, provsim.Event{Type: provsim.TypeReauth, User: "u1", OldUser: "u1"})
			m.work(t, time.Minute)
			m.nothingLeft(t)
			require.Equal(t, "u1", m.connection(t, conn.ID).UpstreamID)
		}},
		{"H27 reauth of an unknown person is parked", func(t *testing.T, m *mailroom) {
			m.send(t, provsim.Event{Type: provsim.TypeReauth, User: "u9", OldUser: "u8"})
			m.work(t, time.Minute)
			require.Len(t, m.kept(t, store.DeliveryParked), 1)
			require.Equal(t, "u8", m.kept(t, store.DeliveryParked)[0].Subject)
		}},
		{"reauth moves the id and what waits for it", func(t *testing.T, m *mailroom) {
			conn := m.link(t, "u1")
			m.send(t, weightEvent("u1b", "w1", time.Now().Add(-hour), 1, 70_000))
			m.work(t, time.Minute)
			require.Len(t, m.kept(t, store.DeliveryParked), 1)
			m.send(t, provsim.Event{Type: provsim.TypeReauth, User: "u1b", OldUser: "u1"})
			m.work(t, time.Hour)
			require.Equal(t, "u1b", m.connection(t, conn.ID).UpstreamID)
			require.EqualValues(t, 70_000, m.values(t, "u1", provsim.StreamEvents)["events/w1"])
			m.nothingLeft(t)
			require.Equal(t, 1, m.audited("relink"))
			// Once more, and late: the old id is nobody's any more.
			m.send(t, provsim.Event{Type: provsim.TypeReauth, User: "u1b", OldUser: "u1"})
			m.work(t, time.Minute)
			m.nothingLeft(t)
			require.Equal(t, 1, m.audited("relink"))
		}},
		{"H28 five thousand elements of three people, one of them bad", func(t *testing.T, m *mailroom) {
			var events []provsim.Event
			want := make(map[string]map[string]int64)
			for _, user := range []string{"u1", "u2", "u3"} {
				m.link(t, user)
				want[user] = m.truth(t, user, provsim.StreamEvents)
			}
			for i := range 5000 {
				user := fmt.Sprintf("u%d", i%3+1)
				id, grams := fmt.Sprintf("w%d", i), int64(60_000+i)
				if i == 2500 {
					events = append(events, provsim.Event{Type: provsim.TypeData})
					continue
				}
				want[user]["events/"+id] = grams
				events = append(events, weightEvent(user, id, time.Now().Add(-hour), int64(i+1), grams))
			}
			m.send(t, events...)
			m.work(t, time.Minute)
			for user := range want {
				require.Equal(t, want[user], m.values(t, user, provsim.StreamEvents))
			}
			dead := m.kept(t, "")
			require.Len(t, dead, 1)
			require.Equal(t, "unreadable", dead[0].Reason)
			require.NotZero(t, m.count(healthsync.AlarmDeadLetter))
		}},
		{"H36 parts in any order", func(t *testing.T, m *mailroom) {
			m.link(t, "u1")
			for _, i := range []int64{2, 1, 2, 3} {
				m.send(t, weightEvent("u1", fmt.Sprint("w", i), time.Now().Add(-hour), i, i))
			}
			m.work(t, time.Minute)
			for i := range int64(3) {
				require.Equal(t, i+1, m.values(t, "u1", provsim.StreamEvents)[fmt.Sprint("events/w", i+1)])
			}
			m.nothingLeft(t)
		}},
		{"records of streams that do not exist", func(t *testing.T, m *mailroom) {
			m.link(t, "u1")
			m.send(t, provsim.Event{Type: provsim.TypeData, User: "u1", Data: map[string][]provsim.Row{"nothing": {{ID: "1", At: 1}}}})
			m.work(t, time.Minute)
			require.Len(t, m.kept(t, store.DeliveryDead), 1)
		}},
		{"a period of three hundred years is clamped", func(t *testing.T, m *mailroom) {
			m.link(t, "u1")
			m.work(t, time.Hour)
			before := len(m.pages)
			m.send(t, provsim.Event{
				Type: provsim.TypeData, User: "u1", Streams: []string{provsim.StreamSamples}, From: 1, To: 1 << 45,
			})
			m.work(t, time.Hour)
			require.Less(t, len(m.pages)-before, 40)
			m.nothingLeft(t)
		}},
	} {
		t.Run(c.row, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := newMailroom(t, func(c *mailConfig) { c.service.Days = -1 })
				c.do(t, m)
			})
		})
	}
}

func (m *mailroom) connection(t testing.TB, id string) store.Connection {
	conn, err := m.store.Connection(t.Context(), id)
	require.NoError(t, err)
	return conn
}

func (m *mailroom) state(t testing.TB, id string) store.State { return m.connection(t, id).State }

func (m *mailroom) audited(action string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, a := range m.audits {
		if a.Action == action {
			n++
		}
	}
	return n
}

// nothingLeft checks that all deliveries and their parts are settled.
func (m *mailroom) nothingLeft(t testing.TB) {
	require.Empty(t, m.kept(t, ""))
	for _, user := range m.Users() {
		items, err := m.store.InboxItems(t.Context(), store.InboxQuery{User: user})
		require.NoError(t, err)
		require.Empty(t, items)
	}
}

// TestEventThatAsksForNothing leaves nothing: no dead letter, nobody who is
// waited for, and nobody is made due. What comes with it has its effect.
func TestEventThatAsksForNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newMailroom(t, func(c *mailConfig) {
			c.wrap = func(p *provsim.Provider) providers.Provider { return naming{p} }
		})
		m.link(t, "u1")
		m.work(t, time.Hour)
		ignored := provsim.Event{Type: provsim.TypeDeauth, User: "nobody"}
		m.send(t, ignored)
		m.send(t, ignored, weightEvent("u1", "w1", time.Now().Add(-time.Hour), 1, 70_000))
		m.work(t, time.Minute)
		require.EqualValues(t, 70_000, m.values(t, "u1", provsim.StreamEvents)["events/w1"])
		m.nothingLeft(t)
		require.Zero(t, m.count(healthsync.AlarmDeadLetter))
	})
}

// TestDisorderAndDuplicates shuffles deliveries, each sent several times, and
// compares with the newest version of each record.
func TestDisorderAndDuplicates(t *testing.T) {
	counts := proof.Counts{"sequences": proof.N(100, 2000)}
	proof.Row(t, "W8", counts)
	type version struct {
		id       int
		modified int64
		grams    int64
	}
	type sequence struct {
		versions []version
		order    []int
	}
	sequences := rapid.Custom(func(r *rapid.T) (s sequence) {
		s.versions = rapid.SliceOfN(rapid.Custom(func(r *rapid.T) version {
			return version{
				rapid.IntRange(1, 4).Draw(r, "id"), int64(rapid.IntRange(1, 6).Draw(r, "modified")),
				int64(rapid.IntRange(1, 3).Draw(r, "grams")),
			}
		}), 1, 10).Draw(r, "versions")
		for i := range s.versions {
			for range rapid.IntRange(1, 5).Draw(r, "times") {
				s.order = append(s.order, i)
			}
		}
		s.order = rapid.Permutation(s.order).Draw(r, "order")
		return s
	})
	seed := int(proof.Seed(t) >> 2)
	for i := range counts["sequences"] {
		s := sequences.Example(seed + i)
		versions, order := s.versions, s.order
		bubble(t, func(t *testing.T) {
			m := newMailroom(t, func(c *mailConfig) { c.service.Days = -1 })
			conn := m.link(t, "u1")
			at := time.Now().Add(-time.Hour)
			bodies := make([][]byte, len(versions))
			headers := make([]http.Header, len(versions))
			for i, v := range versions {
				bodies[i] = m.Compose(weightEvent("u1", fmt.Sprint("w", v.id), at, v.modified, v.grams))
				headers[i] = m.Header(bodies[i], time.Now())
			}
			stop := running(t, m.engine)
			time.Sleep(time.Minute)
			for n, i := range order {
				require.Equal(t, 200, m.post(signedPath, headers[i], bodies[i]).Code)
				if n%3 == 0 {
					time.Sleep(10 * time.Second)
				}
			}
			time.Sleep(time.Minute)
			stop()
			m.nothingLeft(t)
			// The model: the newest version; of two that tie with different
			// content either, and the day was read again.
			got := m.values(t, "u1", provsim.StreamEvents)
			for id := 1; id <= 4; id++ {
				var newest int64
				for _, v := range versions {
					if v.id == id {
						newest = max(newest, v.modified)
					}
				}
				var may []int64
				for _, v := range versions {
					if v.id == id && v.modified == newest && !slices.Contains(may, v.grams) {
						may = append(may, v.grams)
					}
				}
				if newest == 0 {
					continue
				}
				value := got[fmt.Sprint("events/w", id)]
				require.Contains(t, may, value)
				if len(may) > 1 {
					cur, err := m.store.Cursor(t.Context(), conn.ID, provsim.StreamEvents, store.LaneReconcile)
					require.NoError(t, err)
					require.Contains(t, cur.HighWater, `"plan"`, "the day was read again")
				}
			}
		})
	}
}

// TestNotificationDuringAReadIsFollowedByAnother interleaves notifications with
// the steps of reads in every way.
func TestNotificationDuringAReadIsFollowedByAnother(t *testing.T) {
	t.Parallel()
	const notifies = 3
	counts := proof.Counts{"notifications": notifies, "seeds": proof.N(50, 1000)}
	proof.Row(t, "W9", counts)
	// Each notification comes after the nth of these points: before any read,
	// when a read has begun, when the service has answered, when it is
	// committed; of up to three reads.
	const points = 9
	// In cut reads each turn of Run reads one of several pages.
	run := func(t *testing.T, cut bool, places []int) {
		bubble(t, func(t *testing.T) {
			var mu gosync.Mutex
			// The order of things: the last notification, and the last read that
			// began with its first page.
			order, point, last, read := 0, 0, 0, 0
			var m *mailroom
			pass := func() {
				mu.Lock()
				here := point
				point++
				mu.Unlock()
				for _, p := range places {
					if p == here {
						time.Sleep(time.Millisecond)
						mu.Lock()
						order++
						last = order
						mu.Unlock()
						m.send(t, provsim.Event{Type: provsim.TypeData, User: "u1", Streams: []string{provsim.StreamDaily}})
						time.Sleep(7 * time.Second) // let the worker assign it
					}
				}
			}
			m = newMailroom(t, func(c *mailConfig) {
				if cut {
					c.service.PageSize, c.engine.Slice = 1, 1
				}
				c.wrap = func(p *provsim.Provider) providers.Provider {
					return observed{p, func(q providers.Query, fetch func()) {
						if q.Stream != provsim.StreamDaily {
							fetch()
							return
						}
						mu.Lock()
						if order++; q.PageToken == "" {
							read = order
						}
						mu.Unlock()
						pass()
						fetch()
						pass()
					}}
				}
			})
			m.link(t, "u1")
			stop := running(t, m.engine)
			for range points {
				time.Sleep(3 * time.Minute)
				pass()
			}
			time.Sleep(10 * time.Minute)
			stop()
			m.nothingLeft(t)
			mu.Lock()
			defer mu.Unlock()
			require.Greater(t, read, last, "the last notification was not followed by a read: places %v", places)
		})
	}
	for a := range points {
		for b := a; b < points; b++ {
			for c := b; c < points; c++ {
				counts["interleavings"]++
				run(t, false, []int{a, b, c})
				run(t, true, []int{a, b, c})
			}
		}
	}
	random := rand.New(rand.NewPCG(proof.Seed(t), 9))
	for range counts["seeds"] {
		run(t, random.IntN(2) == 0, []int{random.IntN(2 * points), random.IntN(2 * points), random.IntN(2 * points)})
	}
}

// observed is a service whose reads are told to the test.
type observed struct {
	*provsim.Provider
	around func(q providers.Query, fetch func())
}

func (o observed) Fetch(ctx context.Context, cred providers.Credential, q providers.Query) (page providers.Page, err error) {
	o.around(q, func() { page, err = o.Provider.Fetch(ctx, cred, q) })
	return page, err
}

// poisoned is a service whose adapter panics for one person and never gets
// anything sensible for another.
type poisoned struct {
	*provsim.Provider
	healed *atomic.Bool
}

func (p poisoned) Fetch(ctx context.Context, cred providers.Credential, q providers.Query) (providers.Page, error) {
	switch {
	case p.healed.Load():
	case cred.UpstreamID == "u1":
		panic("a bug of the adapter")
	case cred.UpstreamID == "u2":
		return providers.Page{}, &providers.Error{Provider: "provsim", Op: "fetch", Kind: providers.ErrMalformed}
	}
	return p.Provider.Fetch(ctx, cred, q)
}

// TestPoisonStopsNobodyElse has one delivery that makes the adapter panic and
// one that always fails among many.
func TestPoisonStopsNobodyElse(t *testing.T) {
	const deliveries, people = 1000, 20
	proof.Row(t, "W11", proof.Counts{"deliveries": deliveries, "poison": 2})
	bubble(t, func(t *testing.T) {
		healed := new(atomic.Bool)
		healed.Store(true)
		m := newMailroom(t, func(c *mailConfig) {
			c.service.Users, c.service.Days = people, -1
			c.wrap = func(p *provsim.Provider) providers.Provider { return poisoned{p, healed} }
		})
		for i := range people {
			m.link(t, fmt.Sprint("u", i+1))
		}
		m.work(t, time.Hour)
		healed.Store(false)
		m.send(t, provsim.Event{Type: provsim.TypeData, User: "u1", Streams: []string{provsim.StreamDaily}})
		m.send(t, provsim.Event{Type: provsim.TypeData, User: "u2", Streams: []string{provsim.StreamDaily}})
		for i := range deliveries - 2 {
			user := fmt.Sprint("u", i%people+1)
			m.send(t, weightEvent(user, fmt.Sprint("w", i), time.Now().Add(-time.Hour), int64(i+1), int64(i+1)))
		}
		stop := running(t, m.engine)
		time.Sleep(10 * time.Second)
		done := 0
		for i := range people {
			done += len(m.values(t, fmt.Sprint("u", i+1), provsim.StreamEvents))
		}
		require.Equal(t, deliveries-2, done)
		time.Sleep(6 * time.Hour)
		letters, err := m.engine.DeadLetters(t.Context(), "", 0)
		require.NoError(t, err)
		require.Len(t, letters, 2)
		reasons := map[string]string{}
		for _, l := range letters {
			reasons[l.UpstreamID] = l.Reason
		}
		require.Equal(t, map[string]string{"u1": "panic", "u2": "failed too often"}, reasons)
		for range 2 { // sent back too early, it is kept again, as another one
			before := letters
			for _, l := range before {
				require.NoError(t, m.engine.Redrive(t.Context(), l.ID))
			}
			time.Sleep(6 * time.Hour)
			letters, err = m.engine.DeadLetters(t.Context(), "", 0)
			require.NoError(t, err)
			require.Len(t, letters, 2)
			for _, l := range before {
				require.NotContains(t, []string{letters[0].ID, letters[1].ID}, l.ID)
			}
		}
		healed.Store(true)
		for _, l := range letters {
			require.NoError(t, m.engine.Redrive(t.Context(), l.ID))
			require.ErrorIs(t, m.engine.Redrive(t.Context(), l.ID), store.ErrNotFound)
		}
		require.ErrorIs(t, m.engine.Redrive(t.Context(), "nothing"), store.ErrNotFound)
		time.Sleep(time.Hour)
		stop()
		m.nothingLeft(t)
		require.Equal(t, 6, m.audited("redrive"))
	})
}

// TestItemsOfAConnectionOutOfOrder: data waits, changes of state do not.
func TestItemsOfAConnectionOutOfOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newMailroom(t, nil)
		conn := m.link(t, "u1")
		m.work(t, time.Hour)
		stored := m.connection(t, conn.ID)
		stored.State = store.StateReauthRequired
		_, err := m.store.PutConnection(t.Context(), stored)
		require.NoError(t, err)
		m.send(t, weightEvent("u1", "w1", time.Now().Add(-time.Hour), 1, 70_000))
		m.work(t, 3*time.Hour)
		items, err := m.store.InboxItems(t.Context(), store.InboxQuery{User: "u1"})
		require.NoError(t, err)
		require.Len(t, items, 1)
		m.link(t, "u1")
		m.work(t, 2*time.Hour)
		require.EqualValues(t, 70_000, m.values(t, "u1", provsim.StreamEvents)["events/w1"])
		m.nothingLeft(t)

		stored = m.connection(t, conn.ID)
		stored.State = store.StateReauthRequired
		_, err = m.store.PutConnection(t.Context(), stored)
		require.NoError(t, err)
		m.send(t, provsim.Event{Type: provsim.TypeDeauth, User: "u1"})
		m.work(t, time.Minute)
		require.Equal(t, store.StateRevoked, m.state(t, conn.ID))
		m.send(t, weightEvent("u1", "w2", time.Now().Add(-time.Hour), 2, 70_000))
		m.work(t, time.Minute)
		m.nothingLeft(t)
		require.NotContains(t, m.values(t, "u1", provsim.StreamEvents), "events/w2", "the consent was taken back")
	})
}

// TestSubscriptionsAreMadeAndMended looks after a connection's subscriptions.
func TestSubscriptionsAreMadeAndMended(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		m := newMailroom(t, func(c *mailConfig) {
			c.wrap = func(p *provsim.Provider) providers.Provider { return topical{p} }
		})
		conn := m.link(t, "u1")
		cred, err := m.Login("u1")
		require.NoError(t, err)
		list := func() []providers.Subscription {
			subs, err := m.adapter.Subscriptions(t.Context(), cred)
			require.NoError(t, err)
			return subs
		}
		stop := running(t, m.engine)
		defer stop()
		time.Sleep(time.Minute)
		subs := list()
		require.Len(t, subs, 1)
		require.Equal(t, "https://host.example.com/mux/webhooks/provsim", subs[0].CallbackURL)
		ends := subs[0].ExpiresAt

		cred, err = m.Login("u1")
		require.NoError(t, err)
		require.NoError(t, m.adapter.Unsubscribe(t.Context(), cred, subs[0]))
		require.Empty(t, list())
		time.Sleep(27 * time.Hour)
		cred, err = m.Login("u1")
		require.NoError(t, err)
		require.Len(t, list(), 1, "made again")
		time.Sleep(time.Until(ends) + 30*time.Hour)
		cred, err = m.Login("u1")
		require.NoError(t, err)
		subs = list()
		require.NotEmpty(t, subs, "renewed")
		require.True(t, slices.ContainsFunc(subs, func(s providers.Subscription) bool { return s.ExpiresAt.After(ends) }))
		require.Equal(t, store.StateActive, m.state(t, conn.ID))
	})
}

// topical names what to subscribe to.
type topical struct{ *provsim.Provider }

func (p topical) Capabilities() providers.Capabilities {
	caps := p.Provider.Capabilities()
	caps.Topics = []string{provsim.StreamDaily}
	return caps
}

// TestPanicUnderRunIsContained: the connection waits, the process lives.
func TestPanicUnderRunIsContained(t *testing.T) {
	bubble(t, func(t *testing.T) {
		healed := new(atomic.Bool)
		m := newMailroom(t, func(c *mailConfig) {
			c.engine.Interval, c.engine.History = 15*time.Minute, 30*day
			c.wrap = func(p *provsim.Provider) providers.Provider { return poisoned{p, healed} }
		})
		first := m.link(t, "u1")
		m.link(t, "u3")
		_, err := m.engine.Sync(t.Context(), first.ID)
		require.ErrorContains(t, err, "panic in foreground", "and not what the panic says")
		stop := running(t, m.engine)
		time.Sleep(time.Hour)
		require.Equal(t, m.truth(t, "u3", provsim.StreamEvents), m.values(t, "u3", provsim.StreamEvents))
		require.NotZero(t, m.count(healthsync.AlarmPanic))
		require.Less(t, m.count(healthsync.AlarmPanic), 10)
		healed.Store(true)
		time.Sleep(time.Hour)
		stop()
		require.Equal(t, m.truth(t, "u1", provsim.StreamEvents), m.values(t, "u1", provsim.StreamEvents))
	})
}

// TestStoreFailuresLoseNoDelivery has the store refuse each step in turn.
func TestStoreFailuresLoseNoDelivery(t *testing.T) {
	for _, step := range []string{"assign", "commit", "items", "due", "update"} {
		t.Run(step, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				flaky := &flakyStore{step: step}
				m := newMailroom(t, func(c *mailConfig) {
					flaky.Memory = c.engine.Store.(*store.Memory)
					c.engine.Store = flaky
				})
				m.link(t, "u1")
				m.work(t, time.Hour)
				flaky.left.Store(5)
				for i := range 10 {
					m.send(t, weightEvent("u1", fmt.Sprint("w", i), time.Now().Add(-time.Hour), int64(i+1), int64(i+1)))
				}
				m.work(t, 3*time.Hour)
				for i := range int64(10) {
					require.Equal(t, i+1, m.values(t, "u1", provsim.StreamEvents)[fmt.Sprint("events/w", i)])
				}
				m.nothingLeft(t)
			})
		})
	}
}

// flakyStore fails the next calls of one kind.
type flakyStore struct {
	*store.Memory
	step string
	left atomic.Int64
}

var errFlaky = errors.New("flaky")

func (f *flakyStore) fail(step string) error {
	if f.step == step && f.left.Add(-1) >= 0 {
		return errFlaky
	}
	return nil
}

func (f *flakyStore) Assign(ctx context.Context, id string, a store.Assignment) error {
	if err := f.fail("assign"); err != nil {
		return err
	}
	return f.Memory.Assign(ctx, id, a)
}

func (f *flakyStore) Commit(ctx context.Context, b store.Batch) (store.Result, error) {
	if err := f.fail("commit"); err != nil {
		return store.Result{}, err
	}
	return f.Memory.Commit(ctx, b)
}

func (f *flakyStore) InboxItems(ctx context.Context, q store.InboxQuery) ([]store.InboxItem, error) {
	if err := f.fail("items"); err != nil {
		return nil, err
	}
	return f.Memory.InboxItems(ctx, q)
}

func (f *flakyStore) SetDue(ctx context.Context, d store.Due) error {
	if err := f.fail("due"); err != nil {
		return err
	}
	return f.Memory.SetDue(ctx, d)
}

func (f *flakyStore) UpdateDelivery(ctx context.Context, d store.Delivery) error {
	if err := f.fail("update"); err != nil {
		return err
	}
	return f.Memory.UpdateDelivery(ctx, d)
}
