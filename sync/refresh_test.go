package sync

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"slices"
	gosync "sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/httpx"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

// pipes is a network inside of a bubble: every address leads to one server,
// over HTTP as it is.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   gosync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "unix"} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// desk is the adapter of a service with a token endpoint and streams that hold
// nothing.
type desk struct {
	client       *httpx.Client
	format       httpx.TokenFormat
	capabilities providers.Capabilities
}

func (d *desk) Name() string                         { return "desk" }
func (d *desk) Capabilities() providers.Capabilities { return d.capabilities }

func (d *desk) Fetch(ctx context.Context, cred providers.Credential, q providers.Query) (providers.Page, error) {
	return httpx.Call(ctx, d.client.Once(), func(ctx context.Context) (providers.Page, error) {
		resp, err := d.client.Send(ctx, httpx.Request{Op: "fetch", Path: "data/" + q.Stream, Authorize: func(r *http.Request) error {
			r.Header.Set("Authorization", "Bearer "+cred.Access.Reveal())
			return nil
		}})
		if err != nil {
			return providers.Page{}, err
		}
		if e := d.client.StatusError("fetch", resp); e != nil {
			return providers.Page{}, e
		}
		return providers.Page{Date: time.Now()}, nil
	})
}

func (d *desk) Refresh(ctx context.Context, cred providers.Credential) (providers.Credential, error) {
	answer, err := httpx.PostToken(ctx, d.client, httpx.TokenRequest{
		Op: "refresh", Path: "token", Format: d.format,
		Form: url.Values{"grant_type": {"refresh_token"}, "refresh_token": {cred.Refresh.Reveal()}},
	})
	if err != nil {
		return providers.Credential{}, err
	}
	return answer.Credential(cred), nil
}

// recovering is a desk whose service has a way back.
type recovering struct {
	*desk
	recover func() (providers.Credential, error)
}

func (r *recovering) Recover(context.Context, providers.Credential) (providers.Credential, error) {
	return r.recover()
}

// office is an engine over a service that answers as a test says.
type office struct {
	t       testing.TB
	engine  *Engine
	store   *store.Memory
	conn    store.Connection
	network *pipes
	desk    *desk
	sealer  *Keyring

	mu      gosync.Mutex
	answer  http.HandlerFunc // of the token endpoint; nil grants
	shown   []string         // refresh tokens in the order of their arrival
	reached []string         // hosts and paths
	valid   map[string]bool  // access tokens that the service takes
	issued  int
	alarms  []AlarmKind
	states  []store.State
	audits  []string
}

type officeConfig struct {
	rotation providers.Rotation
	format   httpx.TokenFormat
	tls      *tls.Config // the server's
	roots    *tls.Config // the client's
	host     string
	scopes   []string
	provider func(*office) providers.Provider // nil: the desk
	config   func(*Config)
}

func testKeyring(t testing.TB) *Keyring {
	secret := make([]byte, 32)
	for i := range secret {
		secret[i] = byte(i)
	}
	ring, err := NewKeyring(Key{ID: "test", Secret: secret})
	require.NoError(t, err)
	return ring
}

// newOffice makes an office with one connection, whose access token ends in
// three hours. It is to be closed.
func newOffice(t testing.TB, c officeConfig) *office {
	o := &office{t: t, store: store.NewMemory(), network: newPipes(), valid: map[string]bool{}, sealer: testKeyring(t)}
	host := c.host
	if host == "" {
		host = "127.0.0.1"
	}
	base := "http://" + host + "/"
	if c.tls != nil {
		base = "https://" + host + "/"
	}
	transport := &http.Transport{DialContext: o.network.dial, TLSClientConfig: c.roots}
	client, err := httpx.New(httpx.Config{Provider: "desk", BaseURL: base, Transport: transport, MaxWait: -1})
	require.NoError(t, err)
	scopes := c.scopes
	if scopes == nil {
		scopes = []string{"profile"}
	}
	var streams []providers.Stream
	for _, scope := range scopes {
		streams = append(streams, providers.Stream{Name: scope, Scopes: []string{scope}, Grain: providers.GrainNone})
	}
	o.desk = &desk{client: client, format: c.format, capabilities: providers.Capabilities{Streams: streams, Rotation: c.rotation}}
	var provider providers.Provider = o.desk
	if c.provider != nil {
		provider = c.provider(o)
	}
	cfg := Config{
		Providers: []providers.Provider{provider}, Store: o.store, Sealer: o.sealer, MaxWait: -1, Hooks: Hooks{
			Alarm: func(_ context.Context, e AlarmEvent) {
				o.mu.Lock()
				defer o.mu.Unlock()
				o.alarms = append(o.alarms, e.Kind)
			},
			StateChanged: func(_ context.Context, e StateEvent) {
				o.mu.Lock()
				defer o.mu.Unlock()
				o.states = append(o.states, e.New)
			},
			Audit: func(_ context.Context, e AuditEvent) {
				o.mu.Lock()
				defer o.mu.Unlock()
				o.audits = append(o.audits, e.Action)
			},
		},
	}
	if c.config != nil {
		c.config(&cfg)
	}
	o.engine, err = New(cfg)
	require.NoError(t, err)
	o.conn = o.connection(provider.Name(), "account-1", scopes)
	server := &http.Server{Handler: o, TLSConfig: c.tls, ErrorLog: log.New(io.Discard, "", 0)}
	served := make(chan struct{})
	go func() {
		defer close(served)
		if c.tls != nil {
			_ = server.Serve(tls.NewListener(o.network, c.tls))
		} else {
			_ = server.Serve(o.network)
		}
	}()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		require.NoError(t, server.Close())
		<-served
	})
	return o
}

// connection stores a connection with its first pair.
func (o *office) connection(provider, upstream string, scopes []string) store.Connection {
	conn, err := o.engine.cfg.Store.PutConnection(o.t.Context(), store.Connection{
		ID: randomID(), User: "ada-" + upstream, Provider: provider, UpstreamID: upstream, State: store.StateActive, Scopes: scopes,
	})
	require.NoError(o.t, err)
	o.consent(conn, "")
	return conn
}

// consent stores the pair of a new consent.
func (o *office) consent(conn store.Connection, replaces string) store.Credential {
	access, refresh := o.issue()
	c, err := o.engine.newGrant(o.t.Context(), conn, providers.Credential{
		UpstreamID: conn.UpstreamID, Access: providers.NewSecret(access), Refresh: providers.NewSecret(refresh),
		ExpiresAt: time.Now().Add(3 * time.Hour), Scopes: conn.Scopes,
	})
	require.NoError(o.t, err)
	require.NoError(o.t, o.engine.cfg.Store.PutGrant(o.t.Context(), replaces, c))
	return c
}

// issue makes a pair that the service takes.
func (o *office) issue() (access, refresh string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.issued++
	access, refresh = fmt.Sprintf("access-%d", o.issued), fmt.Sprintf("refresh-%d", o.issued)
	o.valid[access] = true
	return access, refresh
}

func (o *office) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	o.reached = append(o.reached, r.Host+r.URL.Path)
	answer := o.answer
	token := r.URL.Path == "/token" || r.URL.Path == "/v2/oauth2"
	if token {
		o.shown = append(o.shown, r.PostFormValue("refresh_token"))
	}
	access, _ := cutBearer(r.Header.Get("Authorization"))
	taken := o.valid[access]
	o.mu.Unlock()
	switch {
	case token && answer != nil:
		answer(w, r)
	case token:
		o.grant(w, r)
	case !taken:
		w.WriteHeader(http.StatusUnauthorized)
	}
}

func cutBearer(header string) (string, bool) {
	const prefix = "Bearer "
	if len(header) < len(prefix) {
		return "", false
	}
	return header[len(prefix):], true
}

// grant answers with a new pair.
func (o *office) grant(w http.ResponseWriter, _ *http.Request) {
	access, refresh := o.issue()
	_ = json.NewEncoder(w).Encode(map[string]any{"access_token": access, "refresh_token": refresh, "expires_in": 28800})
}

func (o *office) setAnswer(h http.HandlerFunc) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.answer = h
}

// says returns a handler with a fixed answer.
func says(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func (o *office) credential() store.Credential {
	c, err := o.store.Credential(o.t.Context(), o.conn.ID)
	require.NoError(o.t, err)
	return c
}

// pair opens what is stored.
func (o *office) pair() providers.Credential {
	cred, _, err := o.engine.openCredential(o.t.Context(), o.conn, o.credential())
	require.NoError(o.t, err)
	return cred
}

func (o *office) state() store.Connection {
	conn, err := o.store.Connection(o.t.Context(), o.conn.ID)
	require.NoError(o.t, err)
	return conn
}

func (o *office) presented() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.shown)
}

func (o *office) alarmed(kind AlarmKind) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for _, k := range o.alarms {
		if k == kind {
			n++
		}
	}
	return n
}

func (o *office) sync() error {
	_, err := o.engine.Sync(o.t.Context(), o.conn.ID)
	return err
}

// expire has the stored access token end.
func (o *office) expire() { time.Sleep(4 * time.Hour) }

func bubbled(t *testing.T, f func(t *testing.T)) { synctest.Test(t, f) }

// TestQuarantineThenTakeover has a process die between the intent and the
// answer.
func TestQuarantineThenTakeover(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, officeConfig{rotation: providers.RotationSingleUse})
		o.expire()
		lease, err := o.store.Acquire(t.Context(), o.conn.ID, leaseRefresh, time.Second)
		require.NoError(t, err)
		c := o.credential()
		deadline := time.Now().Add(30 * time.Second)
		require.NoError(t, o.store.BeginAttempt(t.Context(), lease, c.Grant, store.Attempt{
			ID: "theirs", Owner: lease.Owner, RefreshPrint: c.RefreshPrint, StartedAt: time.Now(), Deadline: deadline,
		}))
		time.Sleep(time.Second)
		err = o.sync()
		require.ErrorIs(t, err, providers.ErrUnavailable)
		at, ok := providers.RetryAt(err)
		require.True(t, ok)
		require.WithinDuration(t, deadline.Add(quarantine), at, time.Second)
		require.Empty(t, o.presented())
		time.Sleep(time.Until(at))
		require.NoError(t, o.sync())
		require.Len(t, o.presented(), 1)
		require.Equal(t, 1, o.alarmed(AlarmAmbiguous))
		require.Nil(t, o.credential().Attempt)
		require.Zero(t, o.credential().Doubts)
	})
}

// TestQuarantineOfAClockFarAhead: the deadline is an hour away by our clock.
func TestQuarantineOfAClockFarAhead(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, officeConfig{rotation: providers.RotationSingleUse})
		o.expire()
		lease, err := o.store.Acquire(t.Context(), o.conn.ID, leaseRefresh, time.Second)
		require.NoError(t, err)
		c := o.credential()
		require.NoError(t, o.store.BeginAttempt(t.Context(), lease, c.Grant, store.Attempt{
			ID: "theirs", RefreshPrint: c.RefreshPrint, Deadline: time.Now().Add(time.Hour),
		}))
		time.Sleep(time.Second)
		require.Error(t, o.sync())
		time.Sleep(61 * time.Second)
		require.NoError(t, o.sync())
	})
}

// TestLateSuccessor has a process come back with the answer after everything
// was given up.
func TestLateSuccessor(t *testing.T) {
	for name, after := range map[string]time.Duration{"within a day": 23 * time.Hour, "after a day": 25 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			bubbled(t, func(t *testing.T) {
				o := newOffice(t, officeConfig{rotation: providers.RotationSingleUse})
				o.expire()
				before := o.credential()
				late, err := o.engine.sealInto(t.Context(), o.conn, before, providers.Credential{
					Access: providers.NewSecret("late-access"), Refresh: providers.NewSecret("late-refresh"), ExpiresAt: time.Now().Add(100 * time.Hour),
				})
				require.NoError(t, err)
				late.Generation++
				o.setAnswer(says(400, `{"error":"invalid_grant"}`))
				require.ErrorIs(t, o.sync(), providers.ErrReauth)
				require.Equal(t, store.StateReauthRequired, o.state().State)
				require.Equal(t, reasonRefused, o.state().Reason)
				require.Equal(t, []string{"state"}, o.audits)
				require.NotEmpty(t, o.credential().Sealed)
				time.Sleep(after)
				require.NoError(t, o.engine.housekeepCredentials(t.Context(), time.Now()))
				stored, err := o.engine.storePair(t.Context(), before.RefreshPrint, late)
				if after > keepRefused {
					require.Error(t, err)
					require.Empty(t, o.credential().Sealed)
					require.Equal(t, store.StateReauthRequired, o.state().State)
					return
				}
				require.NoError(t, err)
				o.engine.adopted(t.Context(), o.conn, stored, before.RefreshPrint, providers.Credential{})
				require.Equal(t, store.StateActive, o.state().State)
				require.Equal(t, "late-refresh", o.pair().Refresh.Reveal())
				require.Equal(t, []store.State{store.StateReauthRequired, store.StateActive}, o.states)
				due, err := o.store.Due(t.Context(), taskSync, time.Now(), 0)
				require.NoError(t, err)
				require.Len(t, due, 1, "it is read again")
			})
		})
	}
}

// TestHousekeepingMendsAState that a process left behind when it died between
// the credential and the connection.
func TestHousekeepingMendsAState(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, officeConfig{rotation: providers.RotationSingleUse})
		set := func(reason string) {
			conn := o.state()
			conn.State, conn.Reason = store.StateReauthRequired, reason
			_, err := o.store.PutConnection(t.Context(), conn)
			require.NoError(t, err)
		}
		set("somebody else's reason")
		require.NoError(t, o.engine.housekeepCredentials(t.Context(), time.Now()))
		require.Equal(t, store.StateReauthRequired, o.state().State)
		set(reasonRefused)
		require.NoError(t, o.engine.housekeepCredentials(t.Context(), time.Now()))
		require.Equal(t, store.StateActive, o.state().State)

		// The other way round: the refusal is stored, the state is not.
		_, err := o.engine.update(t.Context(), o.credential(), func(c *store.Credential) { c.RefusedAt = time.Now() })
		require.NoError(t, err)
		o.expire()
		require.ErrorIs(t, o.sync(), providers.ErrReauth)
		require.Equal(t, store.StateReauthRequired, o.state().State)
		require.Empty(t, o.presented())
	})
}

// TestSiblingsAndPreviousAreTried before a grant is given up.
func TestSiblingsAndPreviousAreTried(t *testing.T) {
	for name, c := range map[string]struct {
		rotation providers.Rotation
		live     string // the token that the service takes
		want     []string
		state    store.State
	}{
		"the younger sibling": {providers.RotationGrace, "sibling-2", []string{"refresh-1", "sibling-2"}, store.StateActive},
		"the older sibling":   {providers.RotationGrace, "sibling-1", []string{"refresh-1", "sibling-2", "sibling-1"}, store.StateActive},
		"the pair before":     {providers.RotationGrace, "previous", []string{"refresh-1", "sibling-2", "sibling-1", "previous"}, store.StateActive},
		"none":                {providers.RotationGrace, "", []string{"refresh-1", "sibling-2", "sibling-1", "previous"}, store.StateReauthRequired},
	} {
		t.Run(name, func(t *testing.T) {
			bubbled(t, func(t *testing.T) {
				o := newOffice(t, officeConfig{rotation: c.rotation})
				o.expire()
				seal := func(refresh string) store.Credential {
					sealed, err := o.engine.sealInto(t.Context(), o.conn, o.credential(), providers.Credential{
						Access: providers.NewSecret("x"), Refresh: providers.NewSecret(refresh), ExpiresAt: time.Now(),
					})
					require.NoError(t, err)
					return sealed
				}
				_, err := o.engine.update(t.Context(), o.credential(), func(c *store.Credential) {
					for _, name := range []string{"sibling-1", "sibling-2"} {
						s := seal(name)
						c.Siblings = addSibling(c.Siblings, store.Sibling{Sealed: s.Sealed, RefreshPrint: s.RefreshPrint, ParentPrint: "older"})
					}
					c.Previous = seal("previous").Sealed
				})
				require.NoError(t, err)
				o.setAnswer(func(w http.ResponseWriter, r *http.Request) {
					if r.PostFormValue("refresh_token") == c.live {
						o.grant(w, r)
						return
					}
					says(400, `{"error":"invalid_grant"}`)(w, r)
				})
				err = o.sync()
				require.Equal(t, c.want, o.presented())
				require.Equal(t, c.state, o.state().State)
				if c.state == store.StateActive {
					require.NoError(t, err)
					require.Empty(t, o.credential().Siblings, "erased after the first use")
					require.Empty(t, o.credential().Previous)
				}
			})
		})
	}
}

func TestMissedSwapBecomesASibling(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, officeConfig{rotation: providers.RotationGrace})
		c := o.credential()
		pair := func(n int) store.Credential {
			next, err := o.engine.sealInto(t.Context(), o.conn, c, providers.Credential{
				Access: providers.NewSecret("a"), Refresh: providers.NewSecret(fmt.Sprint("r", n)), ExpiresAt: time.Now().Add(time.Hour),
			})
			require.NoError(t, err)
			next.Generation++
			return next
		}
		first, err := o.engine.storePair(t.Context(), c.RefreshPrint, pair(0))
		require.NoError(t, err)
		var prints []string
		for n := 1; n <= 4; n++ {
			missed := pair(n)
			prints = append(prints, missed.RefreshPrint)
			for range 2 { // a reply may be lost: doing it again changes nothing
				stored, err := o.engine.storePair(t.Context(), c.RefreshPrint, missed)
				require.NoError(t, err)
				require.Equal(t, first.RefreshPrint, stored.RefreshPrint)
			}
		}
		var kept []string
		for _, s := range o.credential().Siblings {
			require.Equal(t, c.RefreshPrint, s.ParentPrint)
			kept = append(kept, s.RefreshPrint)
		}
		require.Equal(t, prints[1:], kept, "the youngest three")

		o.consent(o.conn, c.Grant)
		stored, err := o.engine.storePair(t.Context(), c.RefreshPrint, pair(9))
		require.NoError(t, err)
		require.NotEqual(t, c.Grant, stored.Grant, "a pair of an old grant is dropped")
		require.Empty(t, o.credential().Siblings)
	})
}

func TestRecoverer(t *testing.T) {
	failure := func(kind error) error { return &providers.Error{Provider: "desk", Op: "recover", Kind: kind} }
	for name, c := range map[string]struct {
		fresh providers.Credential
		err   error
		state store.State
	}{
		"recovered":    {providers.Credential{Access: providers.NewSecret("back"), Refresh: providers.NewSecret("back-refresh")}, nil, store.StateActive},
		"another user": {providers.Credential{Access: providers.NewSecret("back"), UpstreamID: "other"}, nil, store.StateDegraded},
		"gone":         {providers.Credential{}, failure(providers.ErrReauth), store.StateReauthRequired},
		"service down": {providers.Credential{}, failure(providers.ErrUnavailable), store.StateDegraded},
	} {
		t.Run(name, func(t *testing.T) {
			bubbled(t, func(t *testing.T) {
				o := newOffice(t, officeConfig{rotation: providers.RotationSingleUse, provider: func(o *office) providers.Provider {
					return &recovering{o.desk, func() (providers.Credential, error) { return c.fresh, c.err }}
				}})
				o.expire()
				o.valid["back"] = true
				o.setAnswer(says(400, `{"error":"invalid_grant"}`))
				err := o.sync()
				require.Equal(t, c.state, o.state().State)
				if c.state == store.StateActive {
					require.NoError(t, err)
					require.Equal(t, "back-refresh", o.pair().Refresh.Reveal())
				} else if c.state == store.StateDegraded {
					require.True(t, o.credential().RefusedAt.IsZero())
					require.True(t, o.credential().NextAt.After(time.Now()))
				}
			})
		})
	}
}

// TestScheduleOfDoubts is what an unknown outcome leads to in each mode.
func TestScheduleOfDoubts(t *testing.T) {
	for mode, want := range map[providers.Rotation][]time.Duration{
		providers.RotationNone:      {10 * time.Second, 20 * time.Second, 40 * time.Second},
		providers.RotationGrace:     {10 * time.Second, 20 * time.Second, 40 * time.Second},
		providers.RotationReplay:    {10 * time.Second, 20 * time.Second, 40 * time.Second},
		providers.RotationSingleUse: {10 * time.Second, time.Minute, 5 * time.Minute, time.Hour, time.Hour},
	} {
		t.Run(fmt.Sprint("mode ", mode), func(t *testing.T) {
			bubbled(t, func(t *testing.T) {
				o := newOffice(t, officeConfig{rotation: mode})
				o.expire()
				o.setAnswer(says(502, ""))
				for i, pause := range want {
					require.Error(t, o.sync())
					require.Len(t, o.presented(), i+1)
					require.Equal(t, pause, time.Until(o.credential().NextAt))
					require.Equal(t, store.StateDegraded, o.state().State)
					time.Sleep(pause - time.Second)
					require.Error(t, o.sync())
					require.Len(t, o.presented(), i+1, "not before its time")
					time.Sleep(time.Second)
				}
				o.setAnswer(nil)
				require.NoError(t, o.sync())
				require.Equal(t, store.StateActive, o.state().State)
				c := o.credential()
				require.Zero(t, c.Fails+c.Doubts)
				require.True(t, c.FailingSince.IsZero() && c.NextAt.IsZero())
				for _, token := range o.presented() {
					require.Equal(t, "refresh-1", token)
				}
			})
		})
	}
	t.Run("single use that revokes", func(t *testing.T) {
		bubbled(t, func(t *testing.T) {
			o := newOffice(t, officeConfig{rotation: providers.RotationSingleUseRevoke})
			time.Sleep(3*time.Hour - 5*time.Minute) // the access token still does
			o.setAnswer(says(502, ""))
			require.NoError(t, o.sync(), "the access token at hand is used on")
			require.Len(t, o.presented(), 1)
			require.Equal(t, 60*time.Second, time.Until(o.credential().NextAt))
			time.Sleep(time.Minute)
			require.NoError(t, o.sync())
			require.Len(t, o.presented(), 2, "one retry after the quarantine")
			time.Sleep(2 * time.Minute)
			require.NoError(t, o.sync())
			require.Len(t, o.presented(), 2, "no third one")
			require.Equal(t, store.StateDegraded, o.state().State)
			time.Sleep(time.Hour)
			require.ErrorIs(t, o.sync(), providers.ErrReauth)
			require.Len(t, o.presented(), 2)
			require.Equal(t, store.StateReauthRequired, o.state().State)
			require.Equal(t, reasonDoubt, o.state().Reason)
		})
	})
}

// TestOpaqueRefusals ask for consent only after three of them over an hour,
// and when the access token is refused too.
func TestOpaqueRefusals(t *testing.T) {
	for _, accessWorks := range []bool{true, false} {
		t.Run(fmt.Sprint("access token works ", accessWorks), func(t *testing.T) {
			bubbled(t, func(t *testing.T) {
				o := newOffice(t, officeConfig{rotation: providers.RotationSingleUse})
				o.expire()
				o.mu.Lock()
				o.valid["access-1"] = accessWorks
				o.mu.Unlock()
				o.setAnswer(says(400, "Bad Request"))
				began := time.Now()
				for time.Since(began) < 5*time.Hour && o.state().State != store.StateReauthRequired {
					_ = o.sync()
					time.Sleep(10 * time.Minute)
				}
				if accessWorks {
					require.Equal(t, store.StateDegraded, o.state().State)
					require.NoError(t, o.sync(), "data is read with the access token that works")
					return
				}
				require.GreaterOrEqual(t, time.Since(began), time.Hour)
				require.Less(t, time.Since(began), 2*time.Hour)
				require.GreaterOrEqual(t, len(o.presented()), 3)
				require.Equal(t, reasonOpaque, o.state().Reason)
			})
		})
	}
}

// TestAccessRefusedAfterARefresh is no refused consent.
func TestAccessRefusedAfterARefresh(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, officeConfig{rotation: providers.RotationSingleUse})
		o.setAnswer(func(w http.ResponseWriter, r *http.Request) {
			o.grant(w, r)
			o.mu.Lock()
			clear(o.valid)
			o.mu.Unlock()
		})
		o.mu.Lock()
		clear(o.valid)
		o.mu.Unlock()
		require.ErrorIs(t, o.sync(), providers.ErrReauth)
		require.Equal(t, store.StateDegraded, o.state().State)
		require.Len(t, o.presented(), 1)
		o.setAnswer(nil)
		require.NoError(t, o.sync())
		require.Equal(t, store.StateActive, o.state().State)
		require.Equal(t, []store.State{store.StateDegraded, store.StateActive}, o.states)
		require.Equal(t, []string{"refresh", "state", "refresh", "state"}, o.audits)
	})
}

// TestAdapterThatPanics may have sent the token.
func TestAdapterThatPanics(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, officeConfig{rotation: providers.RotationSingleUse, provider: func(o *office) providers.Provider {
			return panicking{o.desk}
		}})
		o.expire()
		require.ErrorIs(t, o.sync(), providers.ErrUnavailable)
		require.Equal(t, 1, o.credential().Doubts)
	})
}

type panicking struct{ *desk }

func (panicking) Refresh(context.Context, providers.Credential) (providers.Credential, error) {
	panic("no")
}

// TestPairBefore is kept only where it may still be taken, until the new access
// token was.
func TestPairBefore(t *testing.T) {
	for mode, keeps := range map[providers.Rotation]bool{
		providers.RotationNone: false, providers.RotationGrace: true, providers.RotationReplay: true,
		providers.RotationSingleUse: false, providers.RotationSingleUseRevoke: false,
	} {
		bubbled(t, func(t *testing.T) {
			o := newOffice(t, officeConfig{rotation: mode})
			before := o.credential()
			after, err := o.engine.sharedRefresh(t.Context(), refreshing{conn: o.conn, grant: before.Grant, generation: 1, refused: true})
			require.NoError(t, err)
			require.Equal(t, keeps, len(after.Previous) > 0, mode)
			require.Equal(t, after.Previous, o.credential().Previous)
			require.NoError(t, o.sync())
			require.Empty(t, o.credential().Previous)
		})
	}
}

// TestAnswersThatTellLittle: an adapter may leave out what did not change.
func TestAnswersThatTellLittle(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, officeConfig{})
		old := o.pair()
		fresh := filledIn(old, providers.Credential{
			Access: providers.NewSecret("new"), ExpiresAt: time.Now().Add(-time.Second),
		})
		require.Equal(t, "refresh-1", fresh.Refresh.Reveal())
		require.Equal(t, old.UpstreamID, fresh.UpstreamID)
		require.Equal(t, old.Scopes, fresh.Scopes)
		require.Equal(t, time.Now().Add(oddLifetime), fresh.ExpiresAt)
		require.True(t, fresh.OddLifetime)
	})
}

// TestLateSuccessorOfAnEarlierToken comes when another token was refused last.
func TestLateSuccessorOfAnEarlierToken(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, officeConfig{rotation: providers.RotationGrace})
		late, err := o.engine.sealInto(t.Context(), o.conn, o.credential(), providers.Credential{
			Access: providers.NewSecret("late"), Refresh: providers.NewSecret("late-refresh"), ExpiresAt: time.Now().Add(time.Hour),
		})
		require.NoError(t, err)
		refused, err := o.engine.update(t.Context(), o.credential(), func(c *store.Credential) { c.RefusedAt = time.Now() })
		require.NoError(t, err)
		stored, err := o.engine.storePair(t.Context(), "an earlier print", late)
		require.NoError(t, err)
		require.Equal(t, "late-refresh", o.pair().Refresh.Reveal())
		require.True(t, o.credential().RefusedAt.IsZero())
		require.Equal(t, refused.Generation+1, stored.Generation)
	})
}
