package sync_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	gosync "sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/provsim"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
	healthsync "github.com/vitalmux/vitalmux/sync"
)

// newConnected returns a portal with the account u1 connected by ada.
func newConnected(t testing.TB, sim provsim.Config, change func(*portal)) (*portal, store.Connection) {
	p := newPortal(t, store.NewMemory(), sim, change)
	return p, p.connect(t, "ada", "u1")
}

func (p *portal) connect(t testing.TB, user, account string) store.Connection {
	b := p.browser(t, user)
	resp := b.get(p.engine, http.MethodGet, b.consent(t, account, ""))
	require.Equal(t, http.StatusOK, resp.StatusCode)
	conns, err := p.store.Connections(t.Context(), store.ConnectionQuery{User: user, Provider: "provsim", UpstreamID: account})
	require.NoError(t, err)
	require.Len(t, conns, 1)
	return conns[0]
}

func (p *portal) jobs(t testing.TB) []store.Job {
	jobs, err := p.store.Jobs(t.Context(), store.JobQuery{})
	require.NoError(t, err)
	return jobs
}

func (p *portal) workJobs(t testing.TB) {
	require.NoError(t, healthsync.WorkJobs(t.Context(), p.engine, time.Now()))
}

// alive counts the grants of an account that the service has not ended.
func (p *portal) alive(account string) int {
	n := 0
	for _, g := range p.Ledger().Grants {
		if g.User == account && g.Ended == "" {
			n++
		}
	}
	return n
}

func (p *portal) revokesFail(err error) {
	if err == nil {
		p.api.revokeError.Store(nil)
		return
	}
	p.api.revokeError.Store(&err)
}

func provsimError(kind error, change ...func(*providers.Error)) error {
	e := &providers.Error{Provider: "provsim", Op: "revoke", Kind: kind}
	for _, f := range change {
		f(e)
	}
	return e
}

func TestDisconnectQueuesWhatIsLeftAtTheProvider(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		done bool
	}{
		"taken back":      {nil, true},
		"refused already": {provsimError(providers.ErrReauth), true},
		"service retired": {provsimError(providers.ErrRetired), true},
		"not known":       {provsimError(providers.ErrNotFound), true},
		"service down":    {provsimError(providers.ErrUnavailable), false},
		"our fault":       {provsimError(providers.ErrInvalid, func(e *providers.Error) { e.ClientFault = true }), false},
		"other error":     {errors.New("no route"), false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				p, conn := newConnected(t, provsim.Config{}, nil)
				p.revokesFail(c.err)
				require.NoError(t, p.engine.Disconnect(t.Context(), conn.ID, false))
				_, err := p.store.Connection(t.Context(), conn.ID)
				require.ErrorIs(t, err, store.ErrNotFound, "the local part does not wait")
				require.Len(t, p.jobs(t), 1)
				require.Equal(t, []string{"connect ok", "complete ok", "disconnect ok"}, p.audited())

				p.workJobs(t)
				require.EqualValues(t, 1, p.api.revokes.Load())
				if c.done {
					require.Empty(t, p.jobs(t))
					return
				}
				require.Equal(t, 1, p.jobs(t)[0].Attempts)
				p.workJobs(t)
				require.EqualValues(t, 1, p.api.revokes.Load(), "not before its time")
				time.Sleep(2 * time.Minute)
				p.revokesFail(nil)
				p.workJobs(t)
				require.Empty(t, p.jobs(t))
				require.Zero(t, p.alive("u1")*p.alarmed(healthsync.AlarmJob))
			})
		})
	}
}

// pointless is a service whose deliveries point nowhere.
type pointless struct{ *counted }

// FetchPayload keeps the engine from looking for payloads to fetch.
func (pointless) FetchPayload() {}

// TestJobsAreTriedFor30Days runs the engine against a service that never takes
// the grant back.
func TestJobsAreTriedFor30Days(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		p, conn := newConnected(t, provsim.Config{}, func(p *portal) {
			// A month of loops that look for other work every few seconds is
			// what the test would cost.
			p.cfg.Workers, p.cfg.Providers = -1, []providers.Provider{pointless{p.api}}
		})
		p.revokesFail(provsimError(providers.ErrUnavailable))
		require.NoError(t, p.engine.Disconnect(t.Context(), conn.ID, false))
		ctx, cancel := context.WithCancel(t.Context())
		var running gosync.WaitGroup
		for _, engine := range []*healthsync.Engine{p.engine, p.another(t)} {
			running.Go(func() { require.NoError(t, engine.Run(ctx)) })
		}
		time.Sleep(29 * day)
		require.Len(t, p.jobs(t), 1)
		tries := p.api.revokes.Load()
		require.Less(t, tries, int64(200))
		require.Greater(t, tries, int64(100))
		time.Sleep(2 * day)
		require.Empty(t, p.jobs(t))
		require.Equal(t, 1, p.alarmed(healthsync.AlarmJob))
		cancel()
		running.Wait()
	})
}

// TestExpiredAccessIsRefreshedOnce: taking a grant back may need a new access
// token, in every rotation mode.
func TestExpiredAccessIsRefreshedOnce(t *testing.T) {
	for mode := providers.RotationNone; mode <= providers.RotationSingleUseRevoke; mode++ {
		bubble(t, func(t *testing.T) {
			p, conn := newConnected(t, provsim.Config{Rotation: mode, AccessLife: time.Hour}, nil)
			require.NoError(t, p.engine.Disconnect(t.Context(), conn.ID, true))
			time.Sleep(2 * time.Hour)
			p.revokesFail(provsimError(providers.ErrUnavailable))
			p.workJobs(t)
			require.EqualValues(t, 1, p.api.refreshes.Load())
			require.Len(t, p.jobs(t), 1)
			time.Sleep(5 * time.Minute)
			p.revokesFail(nil)
			p.workJobs(t)
			require.Empty(t, p.jobs(t))
			require.EqualValues(t, 1, p.api.refreshes.Load(), "the new pair was kept")
			require.Zero(t, p.alive("u1"))
			require.Zero(t, p.alarmed(healthsync.AlarmJob))
		})
	}
}

// TestCredentialOfNoUseIsGivenUp: nothing is presented twice when nobody knows
// what became of it.
func TestCredentialOfNoUseIsGivenUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p, conn := newConnected(t, provsim.Config{Rotation: providers.RotationSingleUse, AccessLife: time.Hour}, nil)
		require.NoError(t, p.engine.Disconnect(t.Context(), conn.ID, true))
		time.Sleep(2 * time.Hour)
		require.NoError(t, p.Deauthorize("u1"))
		p.revokesFail(provsimError(providers.ErrReauth, func(e *providers.Error) { e.ExpiredAccess = true }))
		p.workJobs(t)
		require.Empty(t, p.jobs(t))
		require.EqualValues(t, 1, p.api.refreshes.Load())
		require.Equal(t, 1, p.alarmed(healthsync.AlarmJob))
	})
}

// TestNewConsentIsNotTakenBackWithTheOldOne: a person who comes back while the
// old grant still waits to be taken back keeps the new one.
func TestNewConsentIsNotTakenBackWithTheOldOne(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p, conn := newConnected(t, provsim.Config{}, nil)
		p.revokesFail(provsimError(providers.ErrUnavailable))
		require.NoError(t, p.engine.Disconnect(t.Context(), conn.ID, true))
		p.workJobs(t)
		next := p.connect(t, "ada", "u1")
		require.NotEqual(t, conn.ID, next.ID)
		p.revokesFail(nil)
		time.Sleep(2 * time.Minute)
		p.workJobs(t)
		require.Empty(t, p.jobs(t))
		require.EqualValues(t, 1, p.api.revokes.Load(), "only the try before the new consent")
		_, err := p.engine.Sync(t.Context(), next.ID)
		require.NoError(t, err)
	})
}

// returning is a service whose person comes back while the subscriptions of the
// old grant are listed, or its credential is refreshed.
type returning struct {
	*counted
	listing, refreshing func()
}

func (r *returning) Subscriptions(ctx context.Context, cred providers.Credential) ([]providers.Subscription, error) {
	list, err := r.counted.Subscriptions(ctx, cred)
	if r.listing != nil {
		r.listing()
	}
	return list, err
}

func (r *returning) Refresh(ctx context.Context, cred providers.Credential) (providers.Credential, error) {
	fresh, err := r.counted.Refresh(ctx, cred)
	if r.refreshing != nil {
		r.refreshing()
	}
	return fresh, err
}

// TestNewConsentDuringTheWithdrawal: a person who comes back while the old grant
// is being taken back keeps the new one. Whoever is there before the subscriptions
// end keeps those to the address that all share.
func TestNewConsentDuringTheWithdrawal(t *testing.T) {
	for name, late := range map[string]bool{"while subscriptions are listed": false, "before the grant ends": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var api *returning
				p, conn := newConnected(t, provsim.Config{}, func(p *portal) {
					api = &returning{counted: p.api}
					p.cfg.Providers[0] = api
				})
				cred, err := p.Login("u1")
				require.NoError(t, err)
				shared := providers.Subscription{Topic: provsim.StreamDaily, CallbackURL: publicURL + "/webhooks/provsim"}
				_, err = p.api.Subscribe(t.Context(), cred, shared)
				require.NoError(t, err)
				require.NoError(t, p.engine.Disconnect(t.Context(), conn.ID, true))
				var next store.Connection
				back := func() {
					next = p.connect(t, "ada", "u1")
					p.revokesFail(nil)
				}
				tries, left := int64(0), 1
				if late {
					tries, left = 1, 0
					p.revokesFail(provsimError(providers.ErrReauth, func(e *providers.Error) { e.ExpiredAccess = true }))
					api.refreshing = back
				} else {
					api.listing = back
				}
				p.workJobs(t)
				api.listing, api.refreshing = nil, nil
				require.NotEmpty(t, next.ID)
				require.Empty(t, p.jobs(t))
				require.Equal(t, tries, p.api.revokes.Load())
				list, err := p.api.Subscriptions(t.Context(), cred)
				require.NoError(t, err)
				require.Len(t, list, left)
				_, err = p.engine.Sync(t.Context(), next.ID)
				require.NoError(t, err)
			})
		})
	}
}

// TestInterruptedDisconnectIsFinished kills a disconnect after its first step.
func TestInterruptedDisconnectIsFinished(t *testing.T) {
	for reason, keeps := range map[string]bool{"disconnected": false, "disconnected, data kept": true} {
		bubble(t, func(t *testing.T) {
			p, conn := newConnected(t, provsim.Config{}, nil)
			_, err := p.engine.Sync(t.Context(), conn.ID)
			require.NoError(t, err)
			conn, err = p.store.Connection(t.Context(), conn.ID)
			require.NoError(t, err)
			conn.State, conn.Reason = store.StateDeleting, reason
			_, err = p.store.PutConnection(t.Context(), conn)
			require.NoError(t, err)
			held, err := p.store.Acquire(t.Context(), conn.ID, "refresh", time.Hour)
			require.NoError(t, err)
			p.workJobs(t)
			_, err = p.store.Connection(t.Context(), conn.ID)
			require.NoError(t, err, "somebody refreshes: later")
			require.NoError(t, p.store.Release(t.Context(), held))
			time.Sleep(2 * time.Minute)
			p.workJobs(t)
			_, err = p.store.Connection(t.Context(), conn.ID)
			require.ErrorIs(t, err, store.ErrNotFound)
			records, err := p.store.Records(t.Context(), store.RecordQuery{User: "ada"})
			require.NoError(t, err)
			require.Equal(t, keeps, len(records.Records) > 0)
			require.Zero(t, p.alive("u1"))
		})
	}
}

// TestDisconnectWaitsForARefresh: without the pair that a refresh under way
// brings, the grant could not be taken back.
func TestDisconnectWaitsForARefresh(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p, conn := newConnected(t, provsim.Config{}, nil)
		lease, err := p.store.Acquire(t.Context(), conn.ID, "refresh", time.Minute)
		require.NoError(t, err)
		began := time.Now()
		go func() {
			time.Sleep(10 * time.Second)
			_ = p.store.Release(context.Background(), lease)
		}()
		require.NoError(t, p.engine.Disconnect(t.Context(), conn.ID, true))
		require.GreaterOrEqual(t, time.Since(began), 10*time.Second)
		require.Less(t, time.Since(began), 11*time.Second)

		// One that was killed does not hold it up for ever.
		again := p.connect(t, "ada", "u1")
		_, err = p.store.Acquire(t.Context(), again.ID, "refresh", time.Hour)
		require.NoError(t, err)
		began = time.Now()
		require.NoError(t, p.engine.Disconnect(t.Context(), again.ID, true))
		require.WithinDuration(t, began.Add(30*time.Second), time.Now(), time.Second)
		require.Len(t, p.jobs(t), 2)
	})
}

// TestSubscriptionsEndBeforeTheGrant looks at the service: a connection's own
// subscriptions go, those of another application's address stay.
func TestSubscriptionsEndBeforeTheGrant(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p, conn := newConnected(t, provsim.Config{}, nil)
		ours, err := healthsync.WebhookURL(p.engine, conn)
		require.NoError(t, err)
		cred, err := p.Login("u1")
		require.NoError(t, err)
		for _, address := range []string{ours, "https://elsewhere.example.com/hook"} {
			_, err := p.api.Subscribe(t.Context(), cred, providers.Subscription{Topic: provsim.StreamDaily, CallbackURL: address})
			require.NoError(t, err)
		}
		require.NoError(t, p.engine.Disconnect(t.Context(), conn.ID, false))
		p.workJobs(t)
		require.Empty(t, p.jobs(t))
		left, err := p.api.Subscriptions(t.Context(), cred)
		require.NoError(t, err)
		require.Len(t, left, 1)
		require.True(t, strings.HasPrefix(left[0].CallbackURL, "https://elsewhere."))
	})
}

// panickingRevoker is an adapter with a bug.
type panickingRevoker struct{ *counted }

func (panickingRevoker) Revoke(context.Context, providers.Credential) error { panic("a bug") }

func TestJobThatPanicsIsTriedAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p, conn := newConnected(t, provsim.Config{}, nil)
		require.NoError(t, p.engine.Disconnect(t.Context(), conn.ID, false))
		good := p.cfg.Providers
		p.cfg.Providers = []providers.Provider{panickingRevoker{p.api}}
		require.NoError(t, healthsync.WorkJobs(t.Context(), p.another(t), time.Now()))
		require.Equal(t, 1, p.jobs(t)[0].Attempts)
		// An engine without the provider leaves the job to others.
		p.cfg.Providers = good[1:]
		time.Sleep(2 * time.Minute)
		require.NoError(t, healthsync.WorkJobs(t.Context(), p.another(t), time.Now()))
		require.Len(t, p.jobs(t), 1)
		time.Sleep(5 * time.Minute)
		p.workJobs(t)
		require.Empty(t, p.jobs(t))
	})
}

func TestCredentialThatCannotBeOpenedIsNoObstacle(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p, conn := newConnected(t, provsim.Config{}, nil)
		c, err := p.store.Credential(t.Context(), conn.ID)
		require.NoError(t, err)
		c.Sealed[len(c.Sealed)-1] ^= 1
		require.NoError(t, p.store.UpdateCredential(t.Context(), c))
		require.NoError(t, p.engine.Disconnect(t.Context(), conn.ID, false))
		require.Empty(t, p.jobs(t))
		require.Equal(t, 1, p.alarmed(healthsync.AlarmJob))
	})
}

// TestInterruptedDisconnectBehindManyErasures is finished, however many
// connections are being removed.
func TestInterruptedDisconnectBehindManyErasures(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := newPortal(t, store.NewMemory(), provsim.Config{}, nil)
		put := func(id, reason string) {
			_, err := p.store.PutConnection(t.Context(), store.Connection{
				ID: id, User: "ada", Provider: "provsim", UpstreamID: id, State: store.StateDeleting, Reason: reason,
			})
			require.NoError(t, err)
		}
		for i := range 1001 {
			put(fmt.Sprintf("a%04d", i), "erased")
		}
		put("b", "disconnected")
		p.workJobs(t)
		_, err := p.store.Connection(t.Context(), "b")
		require.ErrorIs(t, err, store.ErrNotFound)
	})
}
