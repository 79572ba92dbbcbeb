package sync_test

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/internal/provsim"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// requester is an engine over a service that answers long windows by
// deliveries, and hands them in when the test wants.
type requester struct {
	*mailroom
	conn store.Connection
}

const webhookAddress = "https://host.example.com" + signedPath

func newRequester(t testing.TB, change func(*mailConfig)) *requester {
	m := newMailroom(t, func(c *mailConfig) {
		c.service.Days, c.service.LargeAfter, c.service.WebhookURL = -1, 28*24*time.Hour, webhookAddress
		c.service.ChunkRows = 3
		if change != nil {
			change(c)
		}
	})
	r := &requester{mailroom: m}
	r.conn = m.link(t, "u1")
	for i := range 25 {
		_, err := m.Put("u1", provsim.StreamEvents, provsim.Row{
			At: time.Now().Add(-time.Duration(i*14+5) * 24 * time.Hour).UnixMilli(), Value: 60_000 + int64(i),
		})
		require.NoError(t, err)
	}
	return r
}

// backfill asks for a year.
func (r *requester) backfill(t testing.TB) healthsync.StreamReport {
	rep, err := r.engine.Backfill(t.Context(), r.conn.ID, time.Now().AddDate(-1, 0, 0))
	require.NoError(t, err)
	for _, s := range rep.Streams {
		if s.Stream == provsim.StreamEvents {
			return s
		}
	}
	return healthsync.StreamReport{}
}

// bodies are the deliveries of the events of one request, without the others.
func (r *requester) bodies(reference string) (announced, parts [][]byte) {
	for _, d := range r.Deliveries() {
		switch text := string(d.Body); {
		case !strings.Contains(text, `"`+reference+`"`):
		case strings.Contains(text, `"type":"request"`):
			announced = append(announced, d.Body)
		default:
			parts = append(parts, d.Body)
		}
	}
	return announced, parts
}

// take hands in deliveries, each signed anew, and has them worked on.
func (r *requester) take(t testing.TB, bodies ...[]byte) {
	for _, body := range bodies {
		require.Equal(t, http.StatusOK, r.post(signedPath, r.Header(body, time.Now()), body).Code)
	}
	r.work(t, time.Minute)
}

func (r *requester) open(t testing.TB) bool {
	cur, err := r.store.Cursor(t.Context(), r.conn.ID, provsim.StreamEvents, store.LaneBackfill)
	require.NoError(t, err)
	return cur.Walk != nil
}

// covered reports whether the store says that half a year ago was read.
func (r *requester) covered(t testing.TB) bool {
	windows, err := r.store.Coverage(t.Context(), r.conn.ID, provsim.StreamEvents)
	require.NoError(t, err)
	at := time.Now().AddDate(0, -6, 0)
	for _, w := range windows {
		if !at.Before(w.From) && at.Before(w.To) {
			return true
		}
	}
	return false
}

// eventsOnly asks for no other stream: those have shorter windows.
type eventsOnly struct{ *provsim.Provider }

func (e eventsOnly) Capabilities() providers.Capabilities {
	caps := e.Provider.Capabilities()
	for _, s := range caps.Streams {
		if s.Name == provsim.StreamEvents {
			caps.Streams = []providers.Stream{s}
		}
	}
	return caps
}

func onlyEvents(c *mailConfig) {
	c.wrap = func(p *provsim.Provider) providers.Provider { return eventsOnly{p} }
}

// TestRequestAnsweredByDeliveries goes through a request part by part.
func TestRequestAnsweredByDeliveries(t *testing.T) {
	for name, c := range map[string]func(*testing.T, *requester, string, [][]byte, [][]byte){
		"in order, visible as they come": func(t *testing.T, r *requester, _ string, announced, parts [][]byte) {
			r.take(t, announced...)
			for i, part := range parts {
				require.True(t, r.open(t))
				require.False(t, r.covered(t))
				r.take(t, part)
				require.Len(t, r.values(t, "u1", provsim.StreamEvents), min(25, 3*(i+1)))
			}
		},
		"H36 the number comes last": func(t *testing.T, r *requester, _ string, announced, parts [][]byte) {
			r.take(t, parts...)
			require.True(t, r.open(t), "nobody knows yet how many there are")
			require.False(t, r.covered(t))
			r.take(t, announced...)
		},
		"H36 a part twice is one part": func(t *testing.T, r *requester, _ string, announced, parts [][]byte) {
			r.take(t, announced...)
			for range len(parts) + 1 {
				r.take(t, parts[0])
				time.Sleep(time.Second)
			}
			require.True(t, r.open(t))
			require.False(t, r.covered(t))
			r.take(t, parts[1:]...)
		},
		"parts of another request do not count": func(t *testing.T, r *requester, ref string, announced, parts [][]byte) {
			r.take(t, announced...)
			for _, part := range parts {
				r.take(t, []byte(strings.ReplaceAll(string(part), `"`+ref+`"`, `"other"`)))
			}
			require.True(t, r.open(t))
			require.Len(t, r.values(t, "u1", provsim.StreamEvents), 25, "the data do")
			r.take(t, parts...)
		},
		"asking meanwhile asks nothing": func(t *testing.T, r *requester, _ string, announced, parts [][]byte) {
			require.True(t, r.backfill(t).Pending)
			require.Len(t, r.Requests(), 1)
			r.take(t, announced...)
			r.take(t, parts[1:]...)
			require.True(t, r.backfill(t).Pending)
			require.Len(t, r.Requests(), 1)
			r.take(t, parts[0])
		},
		"a process that ends in between": func(t *testing.T, r *requester, _ string, announced, parts [][]byte) {
			r.take(t, parts[:4]...)
			another, err := healthsync.New(r.cfg)
			require.NoError(t, err)
			r.engine, r.handler = another, another.Handler()
			r.take(t, announced...)
			r.take(t, parts[4:]...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRequester(t, onlyEvents)
				require.True(t, r.backfill(t).Pending)
				require.Len(t, r.Requests(), 1)
				ref := r.Requests()[0]
				announced, parts := r.bodies(ref)
				require.Len(t, announced, 2)
				require.Len(t, parts, 9)
				require.True(t, r.open(t))
				c(t, r, ref, announced, parts)
				require.False(t, r.open(t))
				require.True(t, r.covered(t))
				require.Equal(t, r.truth(t, "u1", provsim.StreamEvents), r.values(t, "u1", provsim.StreamEvents))
				require.False(t, r.backfill(t).Pending)
				require.Len(t, r.Requests(), 1)
				r.nothingLeft(t)
			})
		})
	}
}

// TestMissingPartIsAskedForAgain: Run asks again when the time is over, and no
// cursor moves before all is in.
func TestMissingPartIsAskedForAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRequester(t, func(c *mailConfig) {
			onlyEvents(c)
			c.adapter.PendingFor, c.engine.History = 5*time.Hour, 365*24*time.Hour
		})
		r.LoseParts(2)
		r.work(t, time.Minute) // links schedule the backfill
		require.Len(t, r.Requests(), 1)
		announced, parts := r.bodies(r.Requests()[0])
		r.take(t, append(announced, parts...)...)
		require.True(t, r.open(t))
		require.False(t, r.covered(t))
		require.Len(t, r.values(t, "u1", provsim.StreamEvents), 25-6)
		r.work(t, 4*time.Hour)
		require.Len(t, r.Requests(), 1)
		r.work(t, 2*time.Hour)
		require.Len(t, r.Requests(), 2)
		announced, parts = r.bodies(r.Requests()[1])
		r.take(t, append(parts, announced...)...)
		require.False(t, r.open(t))
		require.True(t, r.covered(t))
		require.Equal(t, r.truth(t, "u1", provsim.StreamEvents), r.values(t, "u1", provsim.StreamEvents))
		r.work(t, 24*time.Hour)
		require.Len(t, r.Requests(), 2)
	})
}

// TestBackfillGoesOnAfterTheLastPart: the plan of a stream with several windows,
// each answered by deliveries, is worked off by Run.
func TestBackfillGoesOnAfterTheLastPart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRequester(t, func(c *mailConfig) {
			c.service.LargeAfter, c.engine.History = 30*24*time.Hour, 365*24*time.Hour
			c.wrap = func(p *provsim.Provider) providers.Provider { return quarterly{eventsOnly{p}} }
		})
		for i := range 12 {
			r.work(t, time.Minute)
			requests := r.Requests()
			if len(requests) == i {
				break
			}
			require.Len(t, requests, i+1)
			announced, parts := r.bodies(requests[i])
			r.take(t, append(parts, announced...)...)
		}
		require.Len(t, r.Requests(), 5, "a year in windows of 80 days")
		require.True(t, r.covered(t))
		require.Equal(t, r.truth(t, "u1", provsim.StreamEvents), r.values(t, "u1", provsim.StreamEvents))
		progress, err := r.engine.Progress(t.Context(), r.conn.ID)
		require.NoError(t, err)
		require.Equal(t, progress[0].Total, progress[0].Done)
	})
}

type quarterly struct{ eventsOnly }

func (q quarterly) Capabilities() providers.Capabilities {
	caps := q.eventsOnly.Capabilities()
	caps.Streams[0].MaxWindow = 80 * 24 * time.Hour
	return caps
}

// TestAnyOrderOfParts compares with a model: complete exactly when the number
// is known and as many different parts came.
func TestAnyOrderOfParts(t *testing.T) {
	seed := proof.Seed(t)
	for i := range proof.N(15, 1000) {
		bubble(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, uint64(i)))
			r := newRequester(t, onlyEvents)
			r.backfill(t)
			announced, parts := r.bodies(r.Requests()[0])
			told, came := false, make(map[int]bool)
			for r.open(t) {
				if i := random.IntN(len(parts) + 1); i == len(parts) {
					told = true
					r.take(t, announced[1])
				} else {
					came[i] = true
					r.take(t, parts[i])
				}
				complete := told && len(came) == len(parts)
				require.Equal(t, !complete, r.open(t), "round %d: %v, %d parts", i, told, len(came))
				require.Equal(t, complete, r.covered(t))
			}
			require.Equal(t, r.truth(t, "u1", provsim.StreamEvents), r.values(t, "u1", provsim.StreamEvents))
		})
	}
}

// TestUnusablePendingIsMalformed: what could not be kept track of moves nothing.
func TestUnusablePendingIsMalformed(t *testing.T) {
	for name, page := range map[string]providers.Page{
		"no reference":   {Pending: &providers.Pending{}},
		"long reference": {Pending: &providers.Pending{Reference: strings.Repeat("r", 5000)}},
		"negative":       {Pending: &providers.Pending{Reference: "r", Expected: -1}},
		"too many":       {Pending: &providers.Pending{Reference: "r", Expected: providers.MaxParts + 1}},
		"more pages":     {Pending: &providers.Pending{Reference: "r"}, More: true, PageToken: "2"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				c := newClinic(weightWindows)
				w := newWard(t, c, nil)
				conn := w.connect(t, "ada", "7")
				c.onFetch = func(_ int, _ providers.Query, p *providers.Page) error {
					*p = page
					return nil
				}
				_, err := w.engine.Sync(t.Context(), conn.ID)
				require.ErrorIs(t, err, providers.ErrMalformed)
				require.Nil(t, w.cursor(t, store.LaneLive).Walk)
			})
		})
	}
}

// TestLastPartHasTheHighestNumber: all numbers that the contract allows fit
// into a cursor.
func TestLastPartHasTheHighestNumber(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRequester(t, onlyEvents)
		r.backfill(t)
		ref := r.Requests()[0]
		event := func(part, expected int) []byte {
			return r.Compose(provsim.Event{Type: provsim.TypeData, User: "u1", Reference: ref, Part: part, Expected: expected,
				Data: map[string][]provsim.Row{provsim.StreamEvents: {}}})
		}
		r.take(t, event(providers.MaxParts, providers.MaxParts))
		require.True(t, r.open(t))
		r.take(t, event(1, 0), event(2, 0))
		cur, err := r.store.Cursor(t.Context(), r.conn.ID, provsim.StreamEvents, store.LaneBackfill)
		require.NoError(t, err)
		require.Less(t, len(cur.Walk.Query), 4<<10)
		require.True(t, r.open(t))
	})
}
