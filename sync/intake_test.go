package sync_test

import (
	"fmt"
	"net/http"
	"slices"
	gosync "sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/internal/provsim"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

// TestReplayHasOneEffect sends one captured request many times at once.
func TestReplayHasOneEffect(t *testing.T) {
	const times, parallel = 1000, 64
	proof.Row(t, "W6", proof.Counts{"requests": times, "parallel": parallel})
	bubble(t, func(t *testing.T) {
		m := newMailroom(t, nil)
		m.link(t, "u1")
		m.work(t, time.Hour)
		require.NoError(t, m.store.ResetConsumer(t.Context(), "host"))
		body := m.Compose(weightEvent("u1", "w1", time.Now().Add(-time.Hour), 1, 70_000))
		header := m.Header(body, time.Now())
		replay := func() {
			var sending gosync.WaitGroup
			var accepted atomic.Int64
			for range parallel {
				sending.Go(func() {
					for range times / parallel {
						if m.post(signedPath, header.Clone(), body).Code == 200 {
							accepted.Add(1)
						}
					}
				})
			}
			sending.Wait()
			require.EqualValues(t, times/parallel*parallel, accepted.Load())
		}
		replay()
		require.Len(t, m.kept(t, ""), 1)
		m.work(t, time.Minute)
		replay() // and after it was settled
		m.work(t, time.Minute)
		m.nothingLeft(t)
		changes, err := m.store.Changes(t.Context(), "host", 100)
		require.NoError(t, err)
		require.Len(t, changes, 1)
	})
}

func TestValueThatChangesAndChangesBack(t *testing.T) {
	proof.Row(t, "W7", proof.Counts{"values": 3})
	bubble(t, func(t *testing.T) {
		m := newMailroom(t, nil)
		m.link(t, "u1")
		at := time.Now().Add(-time.Hour)
		// The bodies of the first and the third are the same but for the time
		// of the event, which is what the service signs.
		for i, grams := range []int64{70_000, 71_000, 70_000} {
			m.send(t, weightEvent("u1", "w1", at, int64(1000+i), grams))
			m.work(t, time.Minute)
			require.Equal(t, grams, m.values(t, "u1", provsim.StreamEvents)["events/w1"])
		}
		m.nothingLeft(t)
	})
}

// TestSameBodyAtAnotherSignedTimeIsAnotherDelivery has a service whose bodies
// hold no time: the signed one tells repetition from news.
func TestSameBodyAtAnotherSignedTimeIsAnotherDelivery(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newMailroom(t, func(c *mailConfig) {
			c.wrap = func(p *provsim.Provider) providers.Provider { return stamped{p} }
		})
		body := []byte(`{"events":[{"type":"data","user":"u1"}]}`)
		first := m.Header(body, time.Now())
		time.Sleep(time.Minute)
		second := m.Header(body, time.Now())
		for _, header := range []http.Header{first, second, first, second} {
			require.Equal(t, 200, m.post(signedPath, header, body).Code)
		}
		require.Len(t, m.kept(t, ""), 2)
	})
}

// stamped is a service that signs when an event happened.
type stamped struct{ *provsim.Provider }

func (s stamped) ParseWebhook(now time.Time, r *providers.WebhookRequest) ([]providers.Notification, error) {
	notes, err := s.Provider.ParseWebhook(now, r)
	for i := range notes {
		var seconds int64
		_, _ = fmt.Sscanf(r.Header.Get(provsim.SignatureHeader), "t=%d,", &seconds)
		notes[i].At = time.Unix(seconds, 0)
	}
	return notes, err
}

// nameHeader is where the service naming names its deliveries.
const nameHeader = "X-Name"

// naming is a service that names its deliveries, and has nothing to ask for in
// those about a person called nobody.
type naming struct{ *provsim.Provider }

func (n naming) WebhookTraits() providers.WebhookTraits {
	traits := n.Provider.WebhookTraits()
	traits.Header, traits.DuplicateHeader = append(slices.Clone(traits.Header), nameHeader), nameHeader
	return traits
}

func (n naming) ParseWebhook(now time.Time, r *providers.WebhookRequest) ([]providers.Notification, error) {
	notes, err := n.Provider.ParseWebhook(now, r)
	for i := range notes {
		if notes[i].UpstreamID == "nobody" {
			notes[i].Event = providers.EventIgnored
		}
	}
	return notes, err
}

// TestDeliveryThatItsServiceNamed: it is taken once under its name, whatever was
// signed with it, and what was not stored leaves no name behind.
func TestDeliveryThatItsServiceNamed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		triggers := false
		for range 2 {
			m := newMailroom(t, func(c *mailConfig) {
				c.adapter.Triggers = triggers
				c.wrap = func(p *provsim.Provider) providers.Provider { return naming{p} }
			})
			start := time.Now()
			send := func(n, status int, forged bool, names ...string) {
				body, at := fmt.Appendf(nil, `{"events":[{"type":"other","user":"u1","at":%d}]}`, n), start
				if n >= 30 {
					at = time.Now()
				}
				header := m.Header(body, at)
				if header[nameHeader] = names; forged {
					body = append(body, ' ')
				}
				require.Equal(t, status, m.post(signedPath, header, body).Code)
			}
			kept := func() int { return len(m.kept(t, "")) }
			send(1, 200, false, "a")
			send(2, 200, false, "a")
			if triggers {
				require.Equal(t, 2, kept(), "each is news")
				continue
			}
			require.Equal(t, 1, kept(), "another body of the same name")
			send(1, 200, false, "b")
			require.Equal(t, 1, kept(), "another name of the same body")
			send(2, 200, false, "b")
			require.Equal(t, 2, kept(), "a repetition gives no name away")
			send(3, 401, true, "c")
			send(3, 200, false, "c")
			require.Equal(t, 3, kept(), "a forgery gives no name away")
			for n, names := range [][]string{nil, {""}, {" "}, {"d", "d"}, {"d", "e"}} {
				send(10+n, 200, false, names...)
				require.Equal(t, 4+n, kept(), "no name")
			}
			send(20, 200, false, " a\t")
			require.Equal(t, 8, kept(), "spaces around it")
			m.work(t, time.Minute)
			for range 6 {
				time.Sleep(24 * time.Hour)
				send(30, 200, false, "a")
				require.Empty(t, m.kept(t, store.DeliveryNew), "long after it was worked on")
			}
			time.Sleep(25 * time.Hour)
			send(30, 200, false, "a")
			require.Len(t, m.kept(t, store.DeliveryNew), 1, "a week later")
			triggers = true
		}
	})
}

// TestTriggersAreNeverSuppressedByContent: equal hints are separate events.
func TestTriggersAreNeverSuppressedByContent(t *testing.T) {
	m := newMailroom(t, func(c *mailConfig) { c.adapter.Triggers = true })
	body := m.Compose(provsim.Event{Type: provsim.TypeData, User: "u1"})
	for range 3 {
		require.Equal(t, 200, m.post(signedPath, m.Header(body, time.Now()), body).Code)
	}
	require.Len(t, m.kept(t, ""), 3)
}
