package sync

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	gosync "sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/faultstore"
	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/providers/providertest"
	"github.com/vitalmux/vitalmux/providers/withings"
	"github.com/vitalmux/vitalmux/providers/withings/withingstest"
	"github.com/vitalmux/vitalmux/store"
)

// move is a person at the simulated Withings who connected by OAuth 1.0, and the
// store with what was read so far.
type move struct {
	t     testing.TB
	sim   *withingstest.Server
	user  withingstest.User
	token withingstest.LegacyToken
	store *store.Memory
	conn  store.Connection

	mu     gosync.Mutex
	audits []string
	alarms []AlarmKind
	// wire, if set, takes the place of sending a request.
	wire func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error)
}

func newMove(t testing.TB) *move { return newMoveOf(t, 12) }

// newMoveOf returns one of a person with so many days of data.
func newMoveOf(t testing.TB, days int) *move {
	m := &move{t: t, store: store.NewMemory()}
	m.sim = withingstest.New(withingstest.Config{Seed: 5, Days: days, IntradayDays: 1, RateLimit: -1, IdenticalCallWindow: -1})
	m.user = m.sim.AddUser(withingstest.UserConfig{ID: 1002, Timezone: "Europe/Paris"})
	m.token = m.sim.LegacyLogin(m.user.ID)
	engine := m.engine(m.legacy(), nil)
	var err error
	m.conn, err = m.store.PutConnection(t.Context(), store.Connection{
		ID: "the-connection", User: "ada", Provider: withings.Name, UpstreamID: strconv.FormatInt(m.user.ID, 10),
		State: store.StateActive, Zone: "Europe/Paris", CreatedAt: time.Now().UTC(),
	})
	require.NoError(t, err)
	c, err := engine.newGrant(t.Context(), m.conn, providers.Credential{
		UpstreamID: m.conn.UpstreamID, Access: providers.NewSecret(m.token.Token), TokenSecret: providers.NewSecret(m.token.Secret),
	})
	require.NoError(t, err)
	require.NoError(t, m.store.PutGrant(t.Context(), "", c))
	return m
}

func (m *move) legacy() providers.Provider {
	p, err := withings.NewLegacy(withings.Config{
		OAuth1: withings.OAuth1{
			ConsumerKey: withingstest.DefaultConsumerKey, ConsumerSecret: providers.NewSecret(withingstest.DefaultConsumerSecret),
		},
		Transport: providertest.Transport(m.sim), RequestsPerMinute: -1,
	})
	require.NoError(m.t, err)
	return p
}

func (m *move) modern(secret string) providers.Provider {
	p, err := withings.New(withings.Config{
		ClientID: withingstest.DefaultClientID, ClientSecret: providers.NewSecret(secret),
		Transport: m, RequestsPerMinute: -1, MaxWait: -1,
	})
	require.NoError(m.t, err)
	return p
}

// RoundTrip sends what the modern adapter asks.
func (m *move) RoundTrip(r *http.Request) (*http.Response, error) {
	send := func() (*http.Response, error) { return providertest.Transport(m.sim).RoundTrip(r) }
	if m.wire != nil {
		return m.wire(r, send)
	}
	return send()
}

// engine returns an engine over the store, or over what wraps it.
func (m *move) engine(p providers.Provider, wrap func(store.Store) store.Store) *Engine {
	var s store.Store = m.store
	if wrap != nil {
		s = wrap(s)
	}
	engine, err := New(Config{
		Providers: []providers.Provider{p}, Store: s, Sealer: testKeyring(m.t), MaxWait: -1, Hooks: Hooks{
			Audit: func(_ context.Context, e AuditEvent) {
				m.mu.Lock()
				defer m.mu.Unlock()
				m.audits = append(m.audits, e.Action+" by "+e.Actor+": "+e.Outcome)
			},
			Alarm: func(_ context.Context, e AlarmEvent) {
				m.mu.Lock()
				defer m.mu.Unlock()
				m.alarms = append(m.alarms, e.Kind)
			},
		},
	})
	require.NoError(m.t, err)
	return engine
}

// presented counts how often the OAuth 1.0 pair was presented for a new one.
func (m *move) presented() int {
	n := 0
	for _, r := range m.sim.Ledger().Refresh {
		if r.Token == m.token.Token+":"+m.token.Secret {
			n += r.Presented
		}
	}
	return n
}

// migrated requires that the connection is the one it was, on OAuth 2.0, and that
// the stored pair works.
func (m *move) migrated(e *Engine) {
	m.t.Helper()
	conn, err := m.store.Connection(m.t.Context(), m.conn.ID)
	require.NoError(m.t, err)
	require.Equal(m.t, store.StateActive, conn.State, conn.Reason)
	require.Equal(m.t, m.conn.UpstreamID, conn.UpstreamID)
	require.Equal(m.t, m.conn.CreatedAt, conn.CreatedAt)
	require.Equal(m.t, []string{withings.ScopeInfo, withings.ScopeMetrics, withings.ScopeActivity}, conn.Scopes)
	for _, task := range []string{taskSync, taskBackfill} {
		due, err := m.store.Due(m.t.Context(), task, time.Now().Add(time.Minute), 10)
		require.NoError(m.t, err)
		require.NotEmpty(m.t, due, "what only OAuth 2.0 tells is read")
	}
	c, err := m.store.Credential(m.t.Context(), m.conn.ID)
	require.NoError(m.t, err)
	cred, _, err := e.openCredential(m.t.Context(), conn, c)
	require.NoError(m.t, err)
	require.True(m.t, cred.TokenSecret.IsZero())
	require.False(m.t, cred.Refresh.IsZero())
	require.Nil(m.t, c.Attempt)
	require.Zero(m.t, c.Doubts)
	report, err := e.Sync(m.t.Context(), m.conn.ID)
	require.NoError(m.t, err)
	require.NoError(m.t, report.Err())
}

// insist migrates, and again when an error says that it makes sense.
func (m *move) insist(e *Engine) {
	m.t.Helper()
	for range 10 {
		_, err := e.Migrate(m.t.Context(), m.conn.ID)
		if err == nil {
			return
		}
		pause := time.Second
		if at, ok := providers.RetryAt(err); ok {
			pause = max(pause, time.Until(at))
		}
		time.Sleep(pause)
	}
	require.Fail(m.t, "not migrated after ten calls")
}

// records returns the fingerprints of the connection's live records by key.
func (m *move) records() map[string]uint64 {
	all := map[string]uint64{}
	for r, err := range store.AllRecords(m.t.Context(), m.store, store.RecordQuery{User: "ada"}) {
		require.NoError(m.t, err)
		require.Equal(m.t, m.conn.ID, r.Connection)
		all[string(r.Kind)+" "+r.Key] = r.Rev.Fingerprint
	}
	return all
}

// TestMigrate reads through OAuth 1.0, migrates, and reads the same days again:
// nothing that was there changes, and nothing comes twice.
func TestMigrate(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		m := newMove(t)
		time.Sleep(time.Minute) // what was modified in the second of an answer may be of before or after
		old := m.engine(m.legacy(), nil)
		_, err := old.Backfill(t.Context(), m.conn.ID, time.Now().AddDate(0, 0, -12))
		require.NoError(t, err)
		_, err = old.Sync(t.Context(), m.conn.ID)
		require.NoError(t, err)
		before := m.records()
		require.NotEmpty(t, before)
		cursor, err := m.store.Cursor(t.Context(), m.conn.ID, "measures", store.LaneLive)
		require.NoError(t, err)

		time.Sleep(time.Hour)
		e := m.engine(m.modern(withingstest.DefaultClientSecret), nil)
		conn, err := e.Migrate(t.Context(), m.conn.ID)
		require.NoError(t, err)
		require.Equal(t, m.conn.ID, conn.ID)
		require.Equal(t, []string{withings.ScopeInfo, withings.ScopeMetrics, withings.ScopeActivity}, conn.Scopes)
		require.Equal(t, before, m.records())
		kept, err := m.store.Cursor(t.Context(), m.conn.ID, "measures", store.LaneLive)
		require.NoError(t, err)
		require.Equal(t, cursor, kept)
		require.Equal(t, []string{"refresh by engine: ok", "migrate by host: ok"}, m.audits)
		due, err := m.store.Due(t.Context(), taskSync, time.Now(), 10)
		require.NoError(t, err)
		require.NotEmpty(t, due)

		_, err = e.Backfill(t.Context(), m.conn.ID, time.Now().AddDate(0, 0, -12))
		require.NoError(t, err)
		m.migrated(e)
		after := m.records()
		for key, print := range before {
			require.Contains(t, after, key)
			if !strings.HasPrefix(key, string(health.KindSleep)+" sleep/") { // with signals now
				require.Equal(t, print, after[key], key)
			}
		}
		for key := range after {
			stream, _, _ := strings.Cut(key[strings.Index(key, " ")+1:], "/")
			switch stream {
			case "activity", "workouts", "sleep_summary", "sleep":
				require.Contains(t, before, key, "of the same days")
			}
		}
		require.Equal(t, 1, m.presented())

		// Again, by this engine and by another one.
		for _, e := range []*Engine{e, m.engine(m.modern(withingstest.DefaultClientSecret), nil)} {
			again, err := e.Migrate(t.Context(), m.conn.ID)
			require.NoError(t, err)
			require.Equal(t, m.conn.ID, again.ID)
		}
		require.Equal(t, 1, m.presented())
		require.Len(t, m.audits, 2)
	})
}

// TestLegacyHistoryOfAnotherZone reads the history of a person who lived elsewhere
// half a year ago: what tells no zone of its own is in the one of today.
func TestLegacyHistoryOfAnotherZone(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		m := newMoveOf(t, 220)
		last, err := health.ParseDay(m.user.LastDay)
		require.NoError(t, err)
		const elsewhere = "America/New_York"
		for i := 170; i < 220; i++ {
			m.sim.EditActivity(m.user.ID, last.Add(-i).String(), func(a *withingstest.Activity) { a.Timezone = elsewhere })
		}
		for _, n := range m.sim.Truth(m.user.ID).Nights {
			if d, err := health.ParseDay(n.Date); err == nil && d.Compare(last.Add(-170)) <= 0 {
				m.sim.EditNight(m.user.ID, n.ID, func(n *withingstest.Night) { n.Timezone = elsewhere })
			}
		}
		e := m.engine(m.legacy(), nil)
		_, err = e.Sync(t.Context(), m.conn.ID)
		require.NoError(t, err)
		_, err = e.Backfill(t.Context(), m.conn.ID, time.Now().AddDate(0, 0, -215))
		require.NoError(t, err)
		conn, err := m.store.Connection(t.Context(), m.conn.ID)
		require.NoError(t, err)
		require.Equal(t, "Europe/Paris", conn.Zone)
		places := map[string]map[string]int{}
		for r, err := range store.AllRecords(t.Context(), m.store, store.RecordQuery{User: "ada"}) {
			require.NoError(t, err)
			if places[r.Stream()] == nil {
				places[r.Stream()] = map[string]int{}
			}
			places[r.Stream()][r.Span.Location]++
		}
		require.NotZero(t, places["activity"][elsewhere], "a row's own zone")
		require.NotZero(t, places["measures"]["Europe/Paris"])
		require.Zero(t, places["measures"][elsewhere])
		require.Zero(t, places["sleep"][elsewhere])
	})
}

func TestMigrateAtOnce(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		m := newMove(t)
		m.wire = func(_ *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			time.Sleep(time.Second)
			return send()
		}
		engines := []*Engine{
			m.engine(m.modern(withingstest.DefaultClientSecret), nil), m.engine(m.modern(withingstest.DefaultClientSecret), nil),
		}
		var all gosync.WaitGroup
		for i := range 12 {
			all.Go(func() {
				_, err := engines[i%2].Migrate(t.Context(), m.conn.ID)
				require.NoError(t, err)
			})
		}
		all.Wait()
		require.Equal(t, 1, m.presented())
		require.Equal(t, []string{"refresh by engine: ok", "migrate by host: ok"}, m.audits)
		m.wire = nil
		m.migrated(engines[0])
	})
}

// steps counts what a migration does, and ends its goroutine at one of the steps,
// which leaves the store as a process that is killed there does: nothing in a
// migration that matters to others is deferred.
type steps struct {
	store.Store
	at    int // the step to end at, from 1; 0 is none
	after bool
	n     int
	log   []string
}

func (s *steps) step(name string, do func()) {
	s.n++
	s.log = append(s.log, name)
	if s.n == s.at && !s.after {
		runtime.Goexit()
	}
	do()
	if s.n == s.at {
		runtime.Goexit()
	}
}

func stepped[T any](s *steps, name string, call func() (T, error)) (v T, err error) {
	s.step(name, func() { v, err = call() })
	return v, err
}

func (s *steps) Connection(ctx context.Context, id string) (store.Connection, error) {
	return stepped(s, "Connection", func() (store.Connection, error) { return s.Store.Connection(ctx, id) })
}

func (s *steps) Credential(ctx context.Context, connection string) (store.Credential, error) {
	return stepped(s, "Credential", func() (store.Credential, error) { return s.Store.Credential(ctx, connection) })
}

func (s *steps) Acquire(ctx context.Context, connection, name string, ttl time.Duration) (store.Lease, error) {
	return stepped(s, "Acquire", func() (store.Lease, error) { return s.Store.Acquire(ctx, connection, name, ttl) })
}

func (s *steps) BeginAttempt(ctx context.Context, l store.Lease, grant string, a store.Attempt) (err error) {
	s.step("BeginAttempt", func() { err = s.Store.BeginAttempt(ctx, l, grant, a) })
	return err
}

func (s *steps) SwapCredential(ctx context.Context, grant, consumed string, c store.Credential) (err error) {
	s.step("SwapCredential", func() { err = s.Store.SwapCredential(ctx, grant, consumed, c) })
	return err
}

func (s *steps) PutConnection(ctx context.Context, c store.Connection) (store.Connection, error) {
	return stepped(s, "PutConnection", func() (store.Connection, error) { return s.Store.PutConnection(ctx, c) })
}

func (s *steps) Release(ctx context.Context, l store.Lease) (err error) {
	s.step("Release", func() { err = s.Store.Release(ctx, l) })
	return err
}

func (s *steps) SetDue(ctx context.Context, d store.Due) (err error) {
	s.step("SetDue", func() { err = s.Store.SetDue(ctx, d) })
	return err
}

// TestMigrateKilled ends a migration before and after each of its steps. The next
// process finishes it, with one more presentation at most, and with none where
// the pair was stored.
func TestMigrateKilled(t *testing.T) {
	t.Parallel()
	var all []string
	run := func(t *testing.T, at int, after bool) (log []string) {
		bubbled(t, func(t *testing.T) {
			m := newMove(t)
			s := &steps{Store: m.store, at: at, after: after}
			m.wire = func(_ *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
				return stepped(s, "request", send)
			}
			first := m.engine(m.modern(withingstest.DefaultClientSecret), func(store.Store) store.Store { return s })
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				_, _ = first.Migrate(t.Context(), m.conn.ID)
			}()
			<-ended
			log = s.log
			presented := m.presented()
			require.LessOrEqual(t, presented, 1)
			begun, swapped := false, false
			for i, name := range s.log {
				done := at == 0 || i+1 < at || after
				begun = begun || name == "BeginAttempt" && done
				swapped = swapped || name == "SwapCredential" && done
			}
			m.wire = nil
			second := m.engine(m.modern(withingstest.DefaultClientSecret), nil)
			m.insist(second)
			if swapped {
				require.Equal(t, 1, m.presented(), "the pair was stored")
			} else {
				require.Equal(t, presented+1, m.presented())
			}
			m.migrated(second)
			require.Equal(t, begun && !swapped, len(m.alarms) == 1, "an outcome that is not known is told")
		})
		return log
	}
	all = run(t, 0, false)
	require.Contains(t, all, "request")
	require.Contains(t, all, "SwapCredential")
	t.Logf("the steps are %v", all)
	for i, name := range all {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d %s after=%t", i+1, name, after), func(t *testing.T) {
				log := run(t, i+1, after)
				require.Equal(t, all[:i+1], log)
			})
		}
	}
}

// TestMigrateStoreFaults has each call of the store that a migration makes fail in
// each way. The pair is not lost: it is presented once, whatever fails.
func TestMigrateStoreFaults(t *testing.T) {
	t.Parallel()
	if proof.WithoutRace(t) {
		return
	}
	for _, method := range []string{
		"Connection", "Credential", "Acquire", "BeginAttempt", "SwapCredential", "PutConnection", "Release", "SetDue",
	} {
		for _, kind := range []faultstore.Kind{faultstore.Busy, faultstore.LostCall, faultstore.LostReply, faultstore.Unavailable} {
			t.Run(fmt.Sprintf("%s %s", method, kind), func(t *testing.T) {
				bubbled(t, func(t *testing.T) {
					for nth := range 3 {
						m := newMove(t)
						faults := faultstore.New(m.store, faultstore.Config{})
						faults.Fail(method, nth, "")
						faults.Fail(method, 1, kind)
						e := m.engine(m.modern(withingstest.DefaultClientSecret), func(store.Store) store.Store { return faults })
						m.insist(e)
						require.Equal(t, 1, m.presented())
						m.migrated(m.engine(m.modern(withingstest.DefaultClientSecret), nil))
					}
				})
			})
		}
	}
}

// TestMigrateUnclear has the answer of the service be lost, late, or none that
// can be read.
func TestMigrateUnclear(t *testing.T) {
	lost := func(_ *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
		resp, err := send()
		if err == nil {
			_ = resp.Body.Close()
		}
		return nil, io.ErrUnexpectedEOF
	}
	for name, wire := range map[string]func(*http.Request, func() (*http.Response, error)) (*http.Response, error){
		"the answer is lost": lost,
		"the request is lost, as far as anybody knows": func(*http.Request, func() (*http.Response, error)) (*http.Response, error) {
			return nil, io.ErrUnexpectedEOF
		},
		"no answer in time": func(r *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			_, _ = send()
			<-r.Context().Done()
			return nil, r.Context().Err()
		},
		"half an answer": func(_ *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			resp, err := send()
			if err == nil {
				resp.Body = io.NopCloser(io.LimitReader(resp.Body, 60))
				resp.ContentLength = -1
			}
			return resp, err
		},
		"a server error": func(_ *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			resp, err := send()
			if err == nil {
				resp.StatusCode = http.StatusInternalServerError
			}
			return resp, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubbled(t, func(t *testing.T) {
				m := newMove(t)
				e := m.engine(m.modern(withingstest.DefaultClientSecret), nil)
				m.wire = wire
				_, err := e.Migrate(t.Context(), m.conn.ID)
				require.Error(t, err)
				require.NotContains(t, err.Error(), m.token.Token)
				require.NotContains(t, err.Error(), m.token.Secret)
				c, err := m.store.Credential(t.Context(), m.conn.ID)
				require.NoError(t, err)
				require.Equal(t, 1, c.Doubts)
				require.Nil(t, c.Attempt)
				require.Equal(t, []AlarmKind{AlarmAmbiguous}, m.alarms)

				// Not at once.
				m.wire = nil
				before := m.presented()
				_, err = e.Migrate(t.Context(), m.conn.ID)
				require.ErrorIs(t, err, providers.ErrUnavailable)
				require.Equal(t, before, m.presented())
				m.insist(e)
				require.Equal(t, before+1, m.presented())
				m.migrated(e)
			})
		})
	}
}

// TestMigrateRefused: a token that the service does not know any more asks for
// the person; an application that it does not know does not.
func TestMigrateRefused(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		m := newMove(t)
		wrong := m.engine(m.modern("not the secret"), nil)
		_, err := wrong.Migrate(t.Context(), m.conn.ID)
		require.ErrorIs(t, err, providers.ErrInvalid)
		conn, err := m.store.Connection(t.Context(), m.conn.ID)
		require.NoError(t, err)
		require.Equal(t, store.StateActive, conn.State)
		require.Equal(t, []AlarmKind{AlarmClient}, m.alarms)
		require.Equal(t, []string{"migrate by host: invalid"}, m.audits)

		answer := m.sim
		m.sim = withingstest.New(withingstest.Config{RateLimit: -1}) // where nobody knows the token
		e := m.engine(m.modern(withingstest.DefaultClientSecret), nil)
		_, err = e.Migrate(t.Context(), m.conn.ID)
		require.ErrorIs(t, err, providers.ErrReauth)
		conn, err = m.store.Connection(t.Context(), m.conn.ID)
		require.NoError(t, err)
		require.Equal(t, store.StateReauthRequired, conn.State)
		require.Equal(t, reasonConsent, conn.Reason)

		// The host finds out that it asked at the wrong place.
		m.sim = answer
		m.insist(e)
		m.migrated(e)
	})
}

func TestMigrateRefusesOthers(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		m := newMove(t)
		_, err := m.engine(m.legacy(), nil).Migrate(t.Context(), m.conn.ID)
		require.ErrorIs(t, err, errors.ErrUnsupported, "there is no way back")
		require.Zero(t, m.presented())

		o := newOffice(t, officeConfig{rotation: providers.RotationSingleUse})
		_, err = o.engine.Migrate(t.Context(), o.conn.ID)
		require.ErrorIs(t, err, errors.ErrUnsupported)
		require.Empty(t, o.presented())

		e := m.engine(m.modern(withingstest.DefaultClientSecret), nil)
		_, err = e.Migrate(t.Context(), "nobody")
		require.ErrorIs(t, err, store.ErrNotFound)
		require.NoError(t, e.Disconnect(t.Context(), m.conn.ID, true))
		_, err = e.Migrate(t.Context(), m.conn.ID)
		require.ErrorIs(t, err, store.ErrNotFound)
		require.Zero(t, m.presented())
	})
}

// An engine of today leaves a person alone who was not migrated, and one of the
// old era a person who was.
func TestCredentialsOfTheOtherEra(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		m := newMove(t)
		e, old := m.engine(m.modern(withingstest.DefaultClientSecret), nil), m.engine(m.legacy(), nil)
		for _, wrong := range []*Engine{e, old} {
			m.sim.ResetRequests()
			_, err := wrong.Sync(t.Context(), m.conn.ID)
			require.ErrorIs(t, err, providers.ErrInvalid)
			require.Empty(t, m.sim.Requests())
			conn, err := m.store.Connection(t.Context(), m.conn.ID)
			require.NoError(t, err)
			require.Equal(t, store.StateActive, conn.State)
			m.insist(e)
		}
	})
}

func TestMigrateEnded(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		m := newMove(t)
		e := m.engine(m.modern(withingstest.DefaultClientSecret), nil)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := e.Migrate(ctx, m.conn.ID)
		require.ErrorIs(t, err, context.Canceled)
		require.Zero(t, m.presented())

		// A caller who leaves while the request is under way loses nothing.
		ctx, cancel = context.WithCancel(t.Context())
		m.wire = func(_ *http.Request, send func() (*http.Response, error)) (*http.Response, error) {
			cancel()
			return send()
		}
		_, err = e.Migrate(ctx, m.conn.ID)
		require.NoError(t, err)
		m.wire = nil
		m.migrated(e)
		require.Equal(t, 1, m.presented())
	})
}

// TestLegacyConnection walks the three legs with the engine, which keeps the
// request token sealed, and reads. A signature that the service refuses is the
// host's mistake and nobody's state; a token that it refuses is the person's.
func TestLegacyConnection(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		m := newMove(t)
		e := m.engine(m.legacy(), nil)
		address, err := e.Connect(t.Context(), ConnectRequest{
			User: "ada", Provider: withings.Name, RedirectURL: withingstest.DefaultRedirectURL,
		})
		require.NoError(t, err)
		back, err := m.sim.Authorize(m.user.ID, address)
		require.NoError(t, err)
		require.Len(t, back.Query()["oauth_token"], 1)
		conn, err := e.Complete(t.Context(), back.Query())
		require.NoError(t, err)
		require.Equal(t, m.conn.ID, conn.ID, "the account has a connection")
		_, err = e.Complete(t.Context(), back.Query())
		require.ErrorIs(t, err, ErrFlow)
		report, err := e.Sync(t.Context(), conn.ID)
		require.NoError(t, err)
		require.Positive(t, report.Total().Inserted)
		state := func() store.State {
			conn, err := m.store.Connection(t.Context(), conn.ID)
			require.NoError(t, err)
			return conn.State
		}

		wrong, err := withings.NewLegacy(withings.Config{
			OAuth1:    withings.OAuth1{ConsumerKey: withingstest.DefaultConsumerKey, ConsumerSecret: providers.NewSecret("wrong")},
			Transport: providertest.Transport(m.sim), RequestsPerMinute: -1,
		})
		require.NoError(t, err)
		_, err = m.engine(wrong, nil).Sync(t.Context(), conn.ID)
		require.ErrorIs(t, err, providers.ErrInvalid)
		require.Equal(t, store.StateActive, state())
		_, err = m.engine(wrong, nil).Connect(t.Context(), ConnectRequest{
			User: "ada", Provider: withings.Name, RedirectURL: withingstest.DefaultRedirectURL,
		})
		require.ErrorIs(t, err, providers.ErrInvalid)

		m.sim.Unlink(m.user.ID)
		_, err = e.Sync(t.Context(), conn.ID)
		require.ErrorIs(t, err, providers.ErrReauth)
		require.Equal(t, store.StateReauthRequired, state())
	})
}

// TestLegacyBadInputChangesNobody: what the service has against a signature is
// the host's affair, in a sync as in a connect.
func TestLegacyBadInputChangesNobody(t *testing.T) {
	for name, change := range map[string]func(*withings.Config){
		"wrong secret":    func(c *withings.Config) { c.OAuth1.ConsumerSecret = providers.NewSecret("wrong") },
		"one nonce":       func(c *withings.Config) { c.OAuth1.Nonce = func() string { return "again" } },
		"stale timestamp": func(c *withings.Config) { c.OAuth1.Now = func() time.Time { return time.Now().Add(-time.Hour) } },
		"the signature in the wrong place": func(c *withings.Config) {
			c.Transport = signedTransport(func(r *http.Request) { // the query moves to the header
				q := r.URL.Query()
				r.Header.Set("Authorization", fmt.Sprintf("OAuth oauth_signature=%q", q.Get("oauth_signature")))
				q.Del("oauth_signature")
				r.URL.RawQuery = q.Encode()
			}, c.Transport)
		},
		"no userid": func(c *withings.Config) {
			c.Transport = signedTransport(func(r *http.Request) {
				q := r.URL.Query()
				q.Del("userid")
				r.URL.RawQuery = q.Encode()
			}, c.Transport)
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubbled(t, func(t *testing.T) {
				m := newMove(t)
				cfg := withings.Config{
					OAuth1: withings.OAuth1{
						ConsumerKey: withingstest.DefaultConsumerKey, ConsumerSecret: providers.NewSecret(withingstest.DefaultConsumerSecret),
					},
					RedirectURL: withingstest.DefaultRedirectURL, Transport: providertest.Transport(m.sim), RequestsPerMinute: -1, MaxWait: -1,
				}
				change(&cfg)
				p, err := withings.NewLegacy(cfg)
				require.NoError(t, err)
				e := m.engine(p, nil)
				before, err := m.store.Connection(t.Context(), m.conn.ID)
				require.NoError(t, err)
				credential, err := m.store.Credential(t.Context(), m.conn.ID)
				require.NoError(t, err)
				refused := 0
				for range 2 {
					if _, err := e.Sync(t.Context(), m.conn.ID); err != nil {
						require.ErrorIs(t, err, providers.ErrInvalid)
						refused++
					}
					_, err = e.Connect(t.Context(), ConnectRequest{User: "ada", Provider: withings.Name, RedirectURL: cfg.RedirectURL})
					if err != nil {
						require.ErrorIs(t, err, providers.ErrInvalid)
						refused++
					}
				}
				require.Positive(t, refused)
				after, err := m.store.Connection(t.Context(), m.conn.ID)
				require.NoError(t, err)
				require.Equal(t, before.State, after.State)
				require.Equal(t, before.Reason, after.Reason)
				kept, err := m.store.Credential(t.Context(), m.conn.ID)
				require.NoError(t, err)
				require.Equal(t, credential, kept)
			})
		})
	}
}

// signedTransport changes each request behind its signature, and sends it.
func signedTransport(change func(*http.Request), send http.RoundTripper) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		changed := r.Clone(r.Context())
		change(changed)
		return send.RoundTrip(changed)
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
