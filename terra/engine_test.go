package terra_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
	sqlitestore "github.com/vitalmux/vitalmux/store/sqlite"
	healthsync "github.com/vitalmux/vitalmux/sync"
	"github.com/vitalmux/vitalmux/terra"
	"github.com/vitalmux/vitalmux/terra/terratest"
)

// host is an engine on a file, over the simulated service: both speak HTTP with
// each other.
type host struct {
	*terratest.Server
	t       testing.TB
	api     *httptest.Server
	hook    *httptest.Server
	address string // of the webhook
	store   *sqlitestore.Store
	engine  *healthsync.Engine
	secrets []providers.Secret
}

func newHost(t testing.TB, sim terratest.Config, change func(*healthsync.Config)) *host {
	h := &host{t: t, secrets: []providers.Secret{providers.NewSecret(terratest.DefaultSigningSecret)}}
	if sim.Seed == 0 {
		sim.Seed = 11
	}
	if sim.Days == 0 {
		sim.Days = 5
	}
	if sim.HeartRateSamples == 0 {
		sim.HeartRateSamples = 24
	}
	h.Server = terratest.New(sim)
	h.api = httptest.NewServer(h.Server)
	file, err := sqlitestore.Open(t.Context(), filepath.Join(t.TempDir(), "store.db"), nil)
	require.NoError(t, err)
	h.store = file
	h.engine = h.newEngine(change)
	h.hook = httptest.NewServer(h.engine.Handler())
	h.address = h.hook.URL + "/webhooks/terra"
	t.Cleanup(func() {
		h.Close()
		h.hook.Close()
		h.api.Close()
		require.NoError(t, h.store.Close())
	})
	return h
}

func (h *host) newEngine(change func(*healthsync.Config)) *healthsync.Engine {
	adapter, err := terra.NewProvider(terra.ProviderConfig{
		Config: terra.Config{
			DevID: terratest.DefaultDevID, APIKey: providers.NewSecret(terratest.DefaultAPIKey), BaseURL: h.api.URL + terratest.APIPath,
			WidgetSessionURL: h.api.URL + terratest.WidgetPath,
		},
		SigningSecrets: h.secrets, PayloadHosts: []string{"127.0.0.1"},
	})
	require.NoError(h.t, err)
	ring, err := healthsync.NewKeyring(healthsync.Key{ID: "k1", Secret: bytes.Repeat([]byte{7, 9}, 16)})
	require.NoError(h.t, err)
	cfg := healthsync.Config{
		Providers: []providers.Provider{adapter}, Store: h.store, Sealer: ring, History: -1, ReconcileEvery: -1, PeopleEvery: -1, SpoolDir: h.t.TempDir(),
	}
	if change != nil {
		change(&cfg)
	}
	engine, err := healthsync.New(cfg)
	require.NoError(h.t, err)
	return engine
}

// destination has the service send to the engine.
func (h *host) destination(d terratest.Destination) {
	d.URL = h.address
	h.AddDestination(d)
}

// run has the engine work until the test ends, or the function is called.
func (h *host) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.engine.Run(ctx) }()
	var once bool
	stop = func() {
		if cancel(); !once {
			once = true
			require.NoError(h.t, <-ended)
		}
	}
	h.t.Cleanup(stop)
	return stop
}

// eventually waits for what the engine does in its own time.
func (h *host) eventually(what string, done func() bool) {
	h.t.Helper()
	require.Eventually(h.t, done, 3*time.Minute, 50*time.Millisecond, what)
}

// consent walks a person through a connect flow, to the address that the browser
// is sent back to.
func (h *host) consent(user, provider, account string) url.Values {
	address, err := h.engine.Connect(h.t.Context(), healthsync.ConnectRequest{User: user, Provider: terra.Name, RedirectURL: suiteReturn})
	require.NoError(h.t, err)
	page, err := h.ChooseProvider(address, provider)
	require.NoError(h.t, err)
	back, err := h.Consent(page, terratest.Decision{Account: account})
	require.NoError(h.t, err)
	return back.Query()
}

func (h *host) connections(user string) []store.Connection {
	list, err := h.engine.Connections(h.t.Context(), user)
	require.NoError(h.t, err)
	return list
}

// connected waits until a user has a connection that has been read.
func (h *host) connected(user string) store.Connection {
	h.t.Helper()
	h.eventually("connected", func() bool {
		list := h.connections(user)
		return len(list) == 1 && list[0].State == store.StateActive
	})
	conn := h.connections(user)[0]
	h.settled(conn)
	return conn
}

// settled waits until nothing is left to do for a connection.
func (h *host) settled(conn store.Connection) {
	h.t.Helper()
	require.NoError(h.t, h.Settle(h.t.Context()))
	h.eventually("settled", func() bool {
		items, err := h.store.InboxItems(h.t.Context(), store.InboxQuery{User: conn.User, Connection: conn.ID})
		require.NoError(h.t, err)
		for _, status := range []store.DeliveryStatus{store.DeliveryNew, store.DeliveryUrgent, store.DeliveryPart} {
			if len(h.kept(status)) > 0 {
				return false
			}
		}
		due, err := h.store.Due(h.t.Context(), "sync", time.Now(), 10)
		require.NoError(h.t, err)
		lease, err := h.store.Acquire(h.t.Context(), conn.ID, "sync", time.Minute)
		if err != nil {
			return false
		}
		require.NoError(h.t, h.store.Release(h.t.Context(), lease))
		return len(items) == 0 && len(due) == 0
	})
}

func (h *host) kept(status store.DeliveryStatus) []store.Delivery {
	list, err := h.store.Deliveries(h.t.Context(), store.DeliveryQuery{Status: status})
	require.NoError(h.t, err)
	return list
}

// records are those of a user in a stream, tombstones too, by key.
func (h *host) records(user, stream string) map[string]health.Record {
	all := map[string]health.Record{}
	for r, err := range store.AllRecords(h.t.Context(), h.store, store.RecordQuery{User: user, Streams: []string{stream}, Deleted: true}) {
		require.NoError(h.t, err)
		require.NotContains(h.t, all, r.Key)
		all[r.Key] = r
	}
	return all
}

// steps are the steps of a day as they are stored; -1 if there is no record.
func (h *host) steps(user, day string) int64 {
	for _, v := range h.records(user, "daily")["daily/"+day].Values {
		if v.Metric == health.MetricSteps {
			n, _ := v.Number.Rescale(0)
			return n
		}
	}
	return -1
}

// truth are the steps of a day as the service has them.
func (h *host) truth(upstreamID, day string) int64 {
	for _, r := range h.Records(upstreamID, terratest.KindDaily) {
		if r.Day == day {
			list, _, err := terra.DecodeData[terra.Daily](terra.Event{Data: append(append([]byte("["), r.Body...), ']')})
			require.NoError(h.t, err)
			n, ok := list[0].DistanceData.Steps.Int()
			require.True(h.t, ok)
			return n
		}
	}
	return -1
}

// yesterday is a day that is complete wherever the person is.
func yesterday() string { return yesterdayDay().String() }

// TestDayTenTimes has all versions of a day delivered ten times, in disorder, and
// an old one once more in the end.
func TestDayTenTimes(t *testing.T) {
	h := newHost(t, terratest.Config{}, nil)
	h.destination(terratest.Destination{})
	h.run()
	h.consent("u1", "DUMMY", "a")
	conn := h.connected("u1")
	day := yesterday()
	before := h.truth(conn.UpstreamID, day)
	require.Equal(t, before, h.steps("u1", day), "as it was read")

	h.Hold()
	var ids []string
	since := len(h.Deliveries())
	for range 5 {
		h.Edit(conn.UpstreamID, terratest.Key{Kind: terratest.KindDaily, ID: day})
	}
	for _, d := range h.Deliveries()[since:] {
		for range 10 {
			ids = append(ids, d.ID)
		}
	}
	require.Len(t, ids, 50)
	stale := ids[0]
	seed := proof.Seed(t)
	rand.New(rand.NewPCG(seed, 0)).Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	for _, a := range h.Deliver(t.Context(), append(ids, stale)...) {
		require.True(t, a.Acknowledged)
	}
	h.settled(conn)
	want := h.truth(conn.UpstreamID, day)
	require.NotEqual(t, before, want)
	require.Equal(t, want, h.steps("u1", day))
	require.Empty(t, h.kept(store.DeliveryDead))
}

// TestDataBeforeAuth has data arrive before anybody knows whose it is.
func TestDataBeforeAuth(t *testing.T) {
	h := newHost(t, terratest.Config{}, nil)
	h.destination(terratest.Destination{})
	h.Hold()
	h.run()
	back := h.consent("u1", "DUMMY", "a")
	upstream := back.Get("user_id")
	auth := h.Deliveries()[0]
	require.Equal(t, "auth", auth.Type)
	data := h.Push(upstream, terratest.KindDaily)
	for _, a := range h.Deliver(t.Context(), data...) {
		require.True(t, a.Acknowledged)
	}
	h.eventually("parked", func() bool { return len(h.kept(store.DeliveryParked)) == 1 })
	require.Empty(t, h.connections("u1"))
	for _, a := range h.Deliver(t.Context(), auth.ID, auth.ID) {
		require.True(t, a.Acknowledged)
	}
	conn := h.connected("u1")
	require.Equal(t, upstream, conn.UpstreamID)
	require.NotEmpty(t, h.records("u1", "daily"))
	require.Empty(t, h.kept(store.DeliveryParked))
}

// TestReauthentication: the connection gets the new id and keeps its data,
// whichever of the two deliveries comes first.
func TestReauthentication(t *testing.T) {
	t.Parallel()
	for name, order := range map[string][]int{"in order": {0, 1}, "auth first": {1, 0}} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, terratest.Config{DisabledTypes: allButDaily()}, nil)
			h.destination(terratest.Destination{})
			h.run()
			h.consent("u1", "DUMMY", "a")
			conn := h.connected("u1")
			day := yesterday()
			h.Hold()
			since := len(h.Deliveries())
			next := h.Reauthenticate(conn.UpstreamID)
			sent := h.Deliveries()[since:]
			require.Len(t, sent, 2)
			h.Edit(next.ID, terratest.Key{Kind: terratest.KindDaily, ID: day})
			edit := h.Deliveries()[since+2]
			for _, i := range order {
				require.True(t, h.Deliver(t.Context(), sent[i].ID)[0].Acknowledged)
			}
			require.True(t, h.Deliver(t.Context(), edit.ID)[0].Acknowledged)
			h.eventually("moved", func() bool {
				list := h.connections("u1")
				return len(list) == 1 && list[0].UpstreamID == next.ID && h.steps("u1", day) == h.truth(next.ID, day)
			})
			moved := h.connections("u1")[0]
			require.Equal(t, conn.ID, moved.ID)
			h.settled(moved)
			var err error
			h.eventually("a turn of its own", func() bool { // Run may be at the connection
				_, err = h.engine.Sync(t.Context(), conn.ID)
				return !errors.Is(err, store.ErrLeaseHeld)
			})
			require.NoError(t, err, "reads with the new id")
		})
	}
}

// overtakenStore lets a test act right before a connection gets an upstream id.
type overtakenStore struct {
	store.Store
	before func(store.Connection)
}

func (s *overtakenStore) PutConnection(ctx context.Context, c store.Connection) (store.Connection, error) {
	s.before(c)
	return s.Store.PutConnection(ctx, c)
}

// TestReauthenticationOvertaken: the person walks the connect flow again, and the
// connection of that flow is stored while the older one is about to get the id of
// its account. The newer one has it, goes on with the history, and outlives the
// older one.
func TestReauthenticationOvertaken(t *testing.T) {
	var old atomic.Pointer[store.Connection]
	moving, overtaken := make(chan struct{}), make(chan struct{})
	var tries atomic.Int64
	watched := &overtakenStore{before: func(c store.Connection) {
		if was := old.Load(); was != nil && c.ID == was.ID && c.UpstreamID != was.UpstreamID && tries.Add(1) == 1 {
			close(moving)
			<-overtaken
		}
	}}
	h := newHost(t, terratest.Config{DisabledTypes: allButDaily()}, func(cfg *healthsync.Config) {
		watched.Store, cfg.Store = cfg.Store, watched
	})
	h.destination(terratest.Destination{})
	h.run()
	h.consent("u1", "DUMMY", "a")
	conn := h.connected("u1")
	old.Store(&conn)
	h.Hold()
	since := len(h.Deliveries())
	next := h.consent("u1", "DUMMY", "a").Get("user_id")
	sent := h.Deliveries()[since:]
	require.Equal(t, []string{"user_reauth", "auth"}, []string{sent[0].Type, sent[1].Type})
	require.True(t, h.Deliver(t.Context(), sent[0].ID)[0].Acknowledged)
	<-moving
	require.True(t, h.Deliver(t.Context(), sent[1].ID)[0].Acknowledged)
	state := func(id string) store.Connection {
		c, err := h.store.Connection(t.Context(), id)
		require.NoError(t, err)
		return c
	}
	var newer store.Connection
	h.eventually("consented anew", func() bool {
		list, err := h.store.Connections(t.Context(), store.ConnectionQuery{Provider: terra.Name, UpstreamID: next})
		require.NoError(t, err)
		if len(list) == 1 {
			newer = list[0]
		}
		return newer.State == store.StateActive
	})
	close(overtaken)
	h.eventually("settled what becomes of it", func() bool { return state(conn.ID).State == store.StateRevoked || tries.Load() > 100 })
	require.Equal(t, store.StateRevoked, state(conn.ID).State, "tried again without end")
	require.Empty(t, state(conn.ID).UpstreamID)
	require.Equal(t, conn.ID, state(newer.ID).Predecessor)
	h.settled(conn)

	require.NoError(t, h.engine.Disconnect(t.Context(), conn.ID, true))
	h.eventually("the older one is gone", func() bool {
		_, err := h.store.Connection(t.Context(), conn.ID)
		jobs, failure := h.store.Jobs(t.Context(), store.JobQuery{})
		require.NoError(t, failure)
		return errors.Is(err, store.ErrNotFound) && len(jobs) == 0
	})
	_, there := h.User(next)
	require.True(t, there, "the consent of the newer one stands")
	day := yesterday()
	h.Edit(next, terratest.Key{Kind: terratest.KindDaily, ID: day})
	require.True(t, h.Deliver(t.Context(), h.Deliveries()[since+2].ID)[0].Acknowledged)
	h.settled(state(newer.ID))
	page, err := h.store.Records(t.Context(), store.RecordQuery{User: "u1", Connections: []string{newer.ID}, Streams: []string{"daily"}})
	require.NoError(t, err)
	require.NotEmpty(t, page.Records)
}

// TestDeletedActivity: an activity of upload type 4 becomes a tombstone, and
// stays one.
func TestDeletedActivity(t *testing.T) {
	h := newHost(t, terratest.Config{Days: 8}, nil)
	h.destination(terratest.Destination{})
	h.run()
	h.consent("u1", "DUMMY", "a")
	conn := h.connected("u1")
	all := h.Records(conn.UpstreamID, terratest.KindActivity)
	id := all[len(all)/2].Key.ID
	require.Contains(t, h.records("u1", "activity"), "activity/"+id)
	since := len(h.Deliveries())
	h.Edit(conn.UpstreamID, terratest.Key{Kind: terratest.KindActivity, ID: id})
	edit := h.Deliveries()[since].ID
	h.settled(conn)
	h.DeleteActivity(conn.UpstreamID, id)
	h.settled(conn)
	require.Equal(t, health.StateDeleted, h.records("u1", "activity")["activity/"+id].State)
	h.Hold()
	h.Deliver(t.Context(), edit)
	h.settled(conn)
	require.Equal(t, health.StateDeleted, h.records("u1", "activity")["activity/"+id].State, "an old version brings nothing back")
}

// TestConsentTakenBack: by a delivery, and when the delivery was missed, by
// comparing the users of the environment.
func TestConsentTakenBack(t *testing.T) {
	for name, missed := range map[string]bool{"told": false, "missed": true} {
		for what, take := range map[string]func(*host, string){
			"deauth":         func(h *host, id string) { h.Deauthenticate(id) },
			"access_revoked": func(h *host, id string) { h.RevokeAccess(id) },
		} {
			t.Run(name+" "+what, func(t *testing.T) {
				h := newHost(t, terratest.Config{DisabledTypes: allButDaily()}, nil)
				h.destination(terratest.Destination{})
				h.run()
				h.consent("u1", "GARMIN", "a")
				conn := h.connected("u1")
				h.consent("u2", "GARMIN", "b")
				other := h.connected("u2")
				if missed {
					h.Hold()
				}
				take(h, conn.UpstreamID)
				if missed {
					report, err := h.engine.ReconcilePeople(t.Context(), terra.Name)
					require.NoError(t, err)
					require.Equal(t, healthsync.PeopleReport{Provider: terra.Name, Listed: 1, Missing: 1}, report)
				}
				h.eventually("revoked", func() bool { return h.connections("u1")[0].State == store.StateRevoked })
				require.Equal(t, store.StateActive, h.connections("u2")[0].State)
				require.NotEmpty(t, h.records("u1", "daily"), "the data stays")
				require.NoError(t, h.engine.Disconnect(t.Context(), other.ID, false))
				h.eventually("ended at the service", func() bool {
					_, there := h.User(other.UpstreamID)
					return !there
				})
			})
		}
	}
}

// TestConnectionIsConfirmed: what the browser brings back proves nothing, but
// leads to asking the service.
func TestConnectionIsConfirmed(t *testing.T) {
	h := newHost(t, terratest.Config{}, nil)
	stranger := h.AddUser(terratest.UserConfig{ReferenceID: "somebody"})
	address, err := h.engine.Connect(t.Context(), healthsync.ConnectRequest{User: "u1", Provider: terra.Name, RedirectURL: suiteReturn})
	require.NoError(t, err)
	page, err := h.ChooseProvider(address, "GARMIN")
	require.NoError(t, err)
	back, err := h.Consent(page, terratest.Decision{Deny: true})
	require.NoError(t, err)
	forged := back.Query()
	forged.Set("user_id", stranger.ID)
	forged.Set("reference_id", "somebody")
	_, err = h.engine.Complete(t.Context(), forged)
	require.ErrorIs(t, err, healthsync.ErrPending)
	require.Empty(t, h.connections("u1"))
	conn, err := h.engine.Complete(t.Context(), h.consent("u1", "GARMIN", "a"))
	require.NoError(t, err, "no delivery was sent")
	require.Equal(t, store.StateActive, conn.State)
	u, ok := h.User(conn.UpstreamID)
	require.True(t, ok)
	require.NotEqual(t, stranger.ID, u.ID)
}

// TestPingedPayload: an event that is fetched from where the delivery points to,
// and one that is not there any more.
func TestPingedPayload(t *testing.T) {
	h := newHost(t, terratest.Config{}, nil)
	h.destination(terratest.Destination{Ping: true})
	h.run()
	h.consent("u1", "DUMMY", "a")
	conn := h.connected("u1")
	day := yesterday()
	h.Edit(conn.UpstreamID, terratest.Key{Kind: terratest.KindDaily, ID: day})
	h.eventually("fetched", func() bool { return h.steps("u1", day) == h.truth(conn.UpstreamID, day) })
	h.settled(conn)
	h.Hold()
	h.Advance(2 * time.Second) // an answer is as old as its Date, which has whole seconds
	h.Edit(conn.UpstreamID, terratest.Key{Kind: terratest.KindDaily, ID: day})
	h.ExpirePayloads()
	h.Release()
	h.eventually("read again", func() bool { return h.steps("u1", day) == h.truth(conn.UpstreamID, day) })
}

// TestPingedLargeRequest: the parts of a large request, and how many there are,
// are behind addresses, and count as what they lead to.
func TestPingedLargeRequest(t *testing.T) {
	h := newHost(t, terratest.Config{
		Days: 70, HeartRateSamples: -1, ChunkElements: 9, ShuffleChunks: true,
		DisabledTypes: allButDaily(),
	}, func(cfg *healthsync.Config) { cfg.History = 60 * 24 * time.Hour })
	h.destination(terratest.Destination{Ping: true})
	h.run()
	h.consent("u1", "DUMMY", "a")
	conn := h.connected("u1")
	complete := func() bool {
		windows, err := h.store.Coverage(t.Context(), conn.ID, "daily")
		require.NoError(t, err)
		return len(windows) == 1 && windows[0].First.Compare(yesterdayDay().Add(-55)) <= 0 && windows[0].Last.Compare(yesterdayDay().Add(-1)) >= 0
	}
	h.eventually("complete", complete)
	h.settled(conn)
	asked, parts := 0, 0
	for _, r := range h.Requests() {
		if r.Path == "/daily" && r.Query.Get("to_webhook") == "true" {
			asked++
		}
	}
	for _, d := range h.Deliveries() {
		if d.Type == "daily" {
			parts++
		}
	}
	require.Equal(t, 1, asked, "large requests")
	require.Greater(t, parts, 6)
	stored := h.records("u1", "daily")
	for n := range 55 {
		require.Contains(t, stored, "daily/"+yesterdayDay().Add(-n).String())
	}
	require.Empty(t, h.kept(store.DeliveryDead))
}

// allButDaily are the types of data that tests about days do without.
func allButDaily() []string {
	return []string{"activity", "body", "sleep", "nutrition", "menstruation", "athlete"}
}

// yesterdayDay is yesterday as a day.
func yesterdayDay() health.Day { return health.DayOf(time.Now()).Add(-2) }
