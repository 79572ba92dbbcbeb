package sync

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/faultstore"
	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

// closing is a desk whose service takes grants back.
type closing struct{ *desk }

func (closing) Revoke(context.Context, providers.Credential) error { return nil }

// withdrawals opens the jobs that take grants back.
func (o *office) withdrawals() (refresh []string, receipts []string) {
	jobs, err := o.store.Jobs(o.t.Context(), store.JobQuery{})
	require.NoError(o.t, err)
	for _, j := range jobs {
		w, err := o.engine.openJob(o.t.Context(), j)
		require.NoError(o.t, err)
		refresh, receipts = append(refresh, w.Refresh), append(receipts, j.Receipt)
	}
	return refresh, receipts
}

// TestRefreshThatOutlivesItsConnection: the grant is taken back with the pair
// that nobody else knows.
func TestRefreshThatOutlivesItsConnection(t *testing.T) {
	for _, how := range []string{"erased", "disconnected"} {
		t.Run(how, func(t *testing.T) {
			bubbled(t, func(t *testing.T) {
				o := newOffice(t, officeConfig{rotation: providers.RotationSingleUse, provider: func(o *office) providers.Provider {
					return closing{o.desk}
				}})
				o.expire()
				o.setAnswer(func(w http.ResponseWriter, r *http.Request) {
					if how == "erased" {
						receipt, err := o.engine.receiptID(context.Background(), o.conn.User)
						require.NoError(t, err)
						_, err = o.engine.updateReceipt(context.Background(), receipt, func(*receiptRecord) bool { return true })
						require.NoError(t, err)
						_, err = o.store.Erase(context.Background(), o.conn.User)
						require.NoError(t, err)
					} else {
						require.NoError(t, o.store.DeleteConnection(context.Background(), o.conn.ID, false))
					}
					o.grant(w, r)
				})
				require.ErrorIs(t, o.sync(), store.ErrNotFound)
				refresh, receipts := o.withdrawals()
				require.Equal(t, []string{"refresh-2"}, refresh)
				receipt, err := o.engine.receiptID(t.Context(), o.conn.User)
				require.NoError(t, err)
				if how == "erased" {
					require.Equal(t, []string{receipt}, receipts)
					told, err := o.engine.Receipt(t.Context(), receipt)
					require.NoError(t, err)
					require.Equal(t, 1, told.Upstream.Pending)
				} else {
					_, err := o.engine.Receipt(t.Context(), receipt)
					require.ErrorIs(t, err, store.ErrNotFound, "nobody was erased")
				}
			})
		})
	}
}

// TestSpiltPairOfNobodyIsTakenBack: the pair in a spill file is the live one of
// a person who was erased.
func TestSpiltPairOfNobodyIsTakenBack(t *testing.T) {
	for _, how := range []string{"imported", "erased"} {
		t.Run(how, func(t *testing.T) {
			bubbled(t, func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "spill")
				o := newOffice(t, officeConfig{
					rotation: providers.RotationSingleUse,
					provider: func(o *office) providers.Provider { return closing{o.desk} },
					config:   func(cfg *Config) { cfg.SpillDir = dir },
				})
				c := o.credential()
				access, refresh := o.issue()
				next, err := o.engine.sealInto(t.Context(), o.conn, c, providers.Credential{
					Access: providers.NewSecret(access), Refresh: providers.NewSecret(refresh),
				})
				require.NoError(t, err)
				require.NoError(t, o.engine.spill(t.Context(), o.conn, c.RefreshPrint, next))
				if how == "erased" {
					receipt, err := o.engine.Erase(t.Context(), o.conn.User)
					require.NoError(t, err)
					require.Equal(t, 2, receipt.Upstream.Pending)
				} else {
					_, err := o.store.Erase(t.Context(), o.conn.User)
					require.NoError(t, err)
					require.NoError(t, o.engine.importSpills(t.Context()))
				}
				require.Empty(t, spills(t, dir))
				taken, _ := o.withdrawals()
				require.Contains(t, taken, refresh)
			})
		})
	}
}

// TestUpstreamIDOfTheConnectionCounts: after the service gave the account
// another id, the sealed one is of the past.
func TestUpstreamIDOfTheConnectionCounts(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, officeConfig{
			rotation: providers.RotationSingleUse,
			provider: func(o *office) providers.Provider { return &recovering{o.desk, nil} },
		})
		o.conn.UpstreamID = "account-9"
		require.Equal(t, "account-9", o.pair().UpstreamID)
		o.conn.UpstreamID = ""
		require.Equal(t, "account-1", o.pair().UpstreamID)
	})
}

// TestRefusalOfAnotherStream: what one stream failed of says nothing about the
// refusal that another met.
func TestRefusalOfAnotherStream(t *testing.T) {
	down := &providers.Error{Provider: "desk", Kind: providers.ErrUnavailable, Status: 502}
	expired := &providers.Error{Provider: "desk", Kind: providers.ErrReauth, Status: 401, ExpiredAccess: true}
	ended := &providers.Error{Provider: "desk", Kind: providers.ErrReauth, Status: 401}
	for name, c := range map[string]struct {
		failures []error
		want     store.State
	}{
		"access after a failure":  {[]error{down, expired}, store.StateDegraded},
		"consent after a failure": {[]error{down, ended}, store.StateReauthRequired},
		"both":                    {[]error{expired, ended}, store.StateReauthRequired},
	} {
		t.Run(name, func(t *testing.T) {
			bubbled(t, func(t *testing.T) {
				o := newOffice(t, officeConfig{rotation: providers.RotationSingleUse})
				s, working, err := o.engine.open(t.Context(), o.conn.ID)
				require.NoError(t, err)
				defer s.close()
				require.NoError(t, s.ensureCredential(t.Context()))
				for _, failure := range c.failures {
					s.report.Streams = append(s.report.Streams, StreamReport{Err: failure})
				}
				require.Error(t, s.settle(t.Context(), working, nil))
				require.Equal(t, c.want, o.state().State)
			})
		})
	}
}

// TestPairThatCannotBeOpenedIsPassedOver: a pair that a lost key sealed must
// not keep the others from being tried, nor the person from being asked.
func TestPairThatCannotBeOpenedIsPassedOver(t *testing.T) {
	for _, live := range []bool{true, false} {
		bubbled(t, func(t *testing.T) {
			o := newOffice(t, officeConfig{rotation: providers.RotationGrace})
			o.expire()
			previous, err := o.engine.sealInto(t.Context(), o.conn, o.credential(), providers.Credential{
				Access: providers.NewSecret("x"), Refresh: providers.NewSecret("previous"),
			})
			require.NoError(t, err)
			_, err = o.engine.update(t.Context(), o.credential(), func(c *store.Credential) {
				c.Siblings = addSibling(c.Siblings, store.Sibling{Sealed: []byte("another key's"), RefreshPrint: "p", ParentPrint: "older"})
				c.Previous = previous.Sealed
			})
			require.NoError(t, err)
			o.setAnswer(func(w http.ResponseWriter, r *http.Request) {
				if live && r.PostFormValue("refresh_token") == "previous" {
					o.grant(w, r)
					return
				}
				says(400, `{"error":"invalid_grant"}`)(w, r)
			})
			err = o.sync()
			require.Equal(t, []string{"refresh-1", "previous"}, o.presented())
			if live {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, providers.ErrReauth)
			require.Equal(t, store.StateReauthRequired, o.state().State)
		})
	}
}

// hanging is a store whose writes of new pairs last as long as they may, and
// whose intents take a while.
type hanging struct {
	store.Store
	swaps  bool
	intent time.Duration
}

func (h *hanging) SwapCredential(ctx context.Context, grant, consumed string, c store.Credential) error {
	if h.swaps {
		<-ctx.Done()
		return ctx.Err()
	}
	return h.Store.SwapCredential(ctx, grant, consumed, c)
}

func (h *hanging) BeginAttempt(ctx context.Context, l store.Lease, grant string, a store.Attempt) error {
	err := h.Store.BeginAttempt(ctx, l, grant, a)
	time.Sleep(h.intent)
	return err
}

// TestStoreThatHangs: the pair is in the spill directory before a caller that
// left returns.
func TestStoreThatHangs(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "spill")
		m := newMint(providers.RotationSingleUseRevoke)
		s := &hanging{Store: store.NewMemory()}
		e := mintEngine(t, m, s, func(cfg *Config) { cfg.SpillDir = dir })
		conn := m.enrol(t, e, "a")
		time.Sleep(2 * time.Hour)
		m.takes = func() time.Duration { return 29 * time.Second }
		s.swaps = true
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := e.Sync(ctx, conn.ID)
		require.Error(t, err)
		checkSpill(t, dir)
	})
}

// TestIntentThatComesLate: a token is not presented when its attempt is over,
// because somebody else may present it then.
func TestIntentThatComesLate(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		m := newMint(providers.RotationSingleUseRevoke)
		s := &hanging{Store: store.NewMemory(), intent: 10 * time.Minute}
		e := mintEngine(t, m, s, nil)
		conn := m.enrol(t, e, "a")
		time.Sleep(2 * time.Hour)
		_, err := e.Sync(t.Context(), conn.ID)
		require.ErrorIs(t, err, providers.ErrUnavailable)
		require.Empty(t, m.calls)
		c, _ := heldPair(t, e, s, conn)
		require.Nil(t, c.Attempt)
		require.Zero(t, c.Doubts)
	})
}

// TestSpillOfALivingProcess is taken in before the consumed token is presented
// again, by the process that wrote the file and by any other.
func TestSpillOfALivingProcess(t *testing.T) {
	for _, whose := range []string{"own", "another's"} {
		t.Run(whose, func(t *testing.T) {
			bubbled(t, func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "spill")
				m, faulty := newMint(providers.RotationSingleUseRevoke), faultstore.New(store.NewMemory(), faultstore.Config{})
				config := func(cfg *Config) { cfg.SpillDir = dir }
				e := mintEngine(t, m, faulty, config)
				other := mintEngine(t, m, faulty, config)
				conn := m.enrol(t, e, "a")
				for _, engine := range []*Engine{e, other} {
					_, err := engine.Sync(t.Context(), conn.ID)
					require.NoError(t, err)
				}
				time.Sleep(2 * time.Hour)
				faulty.Fail("SwapCredential", 1_000_000, faultstore.Busy)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				_, err := e.Sync(ctx, conn.ID)
				require.Error(t, err)
				checkSpill(t, dir)
				faulty.Heal()
				if whose == "another's" {
					e = other
				}
				_, err = e.Sync(t.Context(), conn.ID)
				require.NoError(t, err)
				require.Len(t, m.calls, 1)
				require.Empty(t, spills(t, dir))
			})
		})
	}
}

// TestUnreadableSpillHidesNoFailure: work does not begin as long as a file that
// can be read was not taken in.
func TestUnreadableSpillHidesNoFailure(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		m, inner, conn, dir := spillOne(t, providers.RotationSingleUseRevoke)
		writeFile(t, filepath.Join(dir, "0.spill"), "of another key")
		faulty := faultstore.New(inner, faultstore.Config{})
		e := mintEngine(t, m, faulty, func(cfg *Config) { cfg.SpillDir = dir })
		faulty.Fail("SwapCredential", 1, faultstore.Busy)
		time.Sleep(5 * time.Minute)
		_, err := e.Sync(t.Context(), conn.ID)
		require.Error(t, err)
		_, err = e.Sync(t.Context(), conn.ID)
		require.NoError(t, err)
		require.Len(t, m.calls, 1)
		require.Equal(t, []string{filepath.Join(dir, "0.spill")}, spills(t, dir))
	})
}

// TestPausesAreNotTakenForWrongClocks: the longest pause is one that is kept.
func TestPausesAreNotTakenForWrongClocks(t *testing.T) {
	w := &refresher{}
	for range 1000 {
		c := store.Credential{Fails: 20}
		w.account(&c, outcomeOpaque, time.Time{}, nil)
		require.LessOrEqual(t, c.NextAt.Sub(time.Time{}), longestBackoff)
	}
}

// TestRecovererThatPanics takes nothing down with it.
func TestRecovererThatPanics(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, officeConfig{rotation: providers.RotationSingleUse, provider: func(o *office) providers.Provider {
			return &recovering{o.desk, func() (providers.Credential, error) { panic("no") }}
		}})
		o.expire()
		o.setAnswer(says(400, `{"error":"invalid_grant"}`))
		require.ErrorIs(t, o.sync(), providers.ErrUnavailable)
		require.Equal(t, store.StateDegraded, o.state().State)
	})
}

// TestPairIsStoredBeforeHooksAreCalled: a hook may take its time, and a process
// that ends then must not take the pair with it.
func TestPairIsStoredBeforeHooksAreCalled(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		var o *office
		called := 0
		hook := func() {
			called++
			require.Equal(t, "refresh-2", o.pair().Refresh.Reveal())
		}
		o = newOffice(t, officeConfig{rotation: providers.RotationSingleUse, config: func(cfg *Config) {
			cfg.Hooks.Alarm = func(context.Context, AlarmEvent) { hook() }
			cfg.Hooks.Audit = func(context.Context, AuditEvent) { hook() }
			cfg.Hooks.Refreshed = func(context.Context, RefreshEvent) { hook() }
		}})
		o.expire()
		o.setAnswer(pairOf(`"expires_in":0,`))
		require.NoError(t, o.sync())
		require.Equal(t, 3, called)
	})
}

// TestHooksGetNoPairs: an answer that names several pairs is told without them.
func TestHooksGetNoPairs(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		check := func(err error) {
			e := new(providers.Error)
			require.ErrorAs(t, err, &e)
			require.Empty(t, e.Pairs)
		}
		o := newOffice(t, officeConfig{rotation: providers.RotationSingleUse, config: func(cfg *Config) {
			cfg.Hooks.Alarm = func(_ context.Context, e AlarmEvent) { check(e.Err) }
			cfg.Hooks.Refreshed = func(_ context.Context, e RefreshEvent) { check(e.Err) }
		}})
		o.expire()
		o.setAnswer(says(200, `{"access_token":"a","refresh_token":"one","expires_in":60,"refresh_token":"two"}`))
		check(o.sync())
		require.Len(t, o.credential().Siblings, 2)
	})
}

// TestHousekeepingMendsARefusedConsent that a late pair has overtaken.
func TestHousekeepingMendsARefusedConsent(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, officeConfig{rotation: providers.RotationSingleUse})
		conn := o.state()
		conn.State, conn.Reason = store.StateReauthRequired, reasonConsent
		_, err := o.store.PutConnection(t.Context(), conn)
		require.NoError(t, err)
		require.NoError(t, o.engine.housekeepCredentials(t.Context(), time.Now()))
		require.Equal(t, store.StateActive, o.state().State)
	})
}

// TestRefusedPairIsErasedWhateverTheClock that wrote down when it was refused.
func TestRefusedPairIsErasedWhateverTheClock(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, officeConfig{rotation: providers.RotationSingleUse})
		o.expire()
		o.setAnswer(says(400, `{"error":"invalid_grant"}`))
		require.ErrorIs(t, o.sync(), providers.ErrReauth)
		_, err := o.engine.update(t.Context(), o.credential(), func(c *store.Credential) { c.RefusedAt = time.Now().Add(1000 * day) })
		require.NoError(t, err)
		for range 25 {
			require.NoError(t, o.engine.housekeepCredentials(t.Context(), time.Now()))
			time.Sleep(time.Hour)
		}
		require.Empty(t, o.credential().Sealed)
	})
}

// TestLatePairOfATokenThatStays does not replace one that is newer.
func TestLatePairOfATokenThatStays(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, officeConfig{rotation: providers.RotationNone})
		c := o.credential()
		pair := func(access string, generation int64) store.Credential {
			next, err := o.engine.sealInto(t.Context(), o.conn, c, providers.Credential{
				Access: providers.NewSecret(access), Refresh: providers.NewSecret("refresh-1"), ExpiresAt: time.Now().Add(time.Hour),
			})
			require.NoError(t, err)
			next.Generation = generation
			return next
		}
		for generation := int64(2); generation <= 3; generation++ {
			_, err := o.engine.storePair(t.Context(), c.RefreshPrint, pair("newer", generation))
			require.NoError(t, err)
		}
		stored, err := o.engine.storePair(t.Context(), c.RefreshPrint, pair("older", 2))
		require.NoError(t, err)
		require.EqualValues(t, 3, stored.Generation)
		require.EqualValues(t, 3, o.credential().Generation)
		require.Equal(t, "newer", o.pair().Access.Reveal())
	})
}

// TestResealTakesSpillsIn: what is in a file is sealed with the old key, too.
func TestResealTakesSpillsIn(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "spill")
		o := newOffice(t, officeConfig{rotation: providers.RotationSingleUse, config: func(cfg *Config) { cfg.SpillDir = dir }})
		c := o.credential()
		next, err := o.engine.sealInto(t.Context(), o.conn, c, providers.Credential{
			Access: providers.NewSecret("spilt"), Refresh: providers.NewSecret("spilt-refresh"),
		})
		require.NoError(t, err)
		require.NoError(t, o.engine.spill(t.Context(), o.conn, c.RefreshPrint, next))
		writeFile(t, filepath.Join(dir, "0.spill"), "of another key")
		r, err := o.engine.Reseal(t.Context())
		require.NoError(t, err)
		require.Equal(t, 1, r.Old)
		require.Equal(t, "spilt-refresh", o.pair().Refresh.Reveal())
	})
}

func writeFile(t testing.TB, name, text string) {
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
}

// unremovable is a store that makes a directory one from which no file can be
// removed as soon as a pair was stored.
type unremovable struct {
	store.Store
	dir string
}

func (s unremovable) SwapCredential(ctx context.Context, grant, consumed string, c store.Credential) error {
	if err := s.Store.SwapCredential(ctx, grant, consumed, c); err != nil {
		return err
	}
	if err := os.RemoveAll(s.dir); err != nil {
		return err
	}
	return os.WriteFile(s.dir, nil, 0o600) // a file where the directory was
}

// TestSpillThatCannotBeRemoved is told, and keeps nobody's work waiting: its pair
// is in the store.
func TestSpillThatCannotBeRemoved(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		m, inner, conn, dir := spillOne(t, providers.RotationSingleUse)
		alarms := 0
		e := mintEngine(t, m, unremovable{inner, dir}, func(cfg *Config) {
			cfg.SpillDir = dir
			cfg.Hooks.Alarm = func(_ context.Context, event AlarmEvent) {
				require.Equal(t, AlarmSpill, event.Kind)
				alarms++
			}
		})
		require.NoError(t, e.importOnce(t.Context()))
		require.Equal(t, 1, alarms)
		_, pair := heldPair(t, e, inner, conn)
		require.True(t, m.live("a", pair.Refresh.Reveal()))
	})
}

// deliberate is a mint that answers refreshes one by one.
type deliberate struct {
	*mint
	refresh func(token string) (providers.Credential, error)
}

func (d deliberate) Refresh(_ context.Context, cred providers.Credential) (providers.Credential, error) {
	return d.refresh(cred.Refresh.Reveal())
}

// TestSiblingThatComesDuringARefresh: a process that stood still with the answer
// in its hands stores its pair while another one presents the pair after it. The
// service goes by the late one, which is there to be taken.
func TestSiblingThatComesDuringARefresh(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		m := newMint(providers.RotationGrace)
		s := store.NewMemory()
		pair := func(name string) providers.Credential {
			return providers.Credential{
				UpstreamID: "a", Access: providers.NewSecret("access-" + name), Refresh: providers.NewSecret("refresh-" + name),
				ExpiresAt: time.Now().Add(time.Hour),
			}
		}
		refused := &providers.Error{Provider: "mint", Op: "refresh", Kind: providers.ErrReauth}
		var calls atomic.Int32
		release := make(chan struct{})
		service := deliberate{m, func(token string) (providers.Credential, error) {
			switch call := calls.Add(1); {
			case call == 1: // of the first process
				<-release
				return pair("late"), nil
			case call == 2: // of the second, after lease and quarantine
				return pair("second"), nil
			case call == 3:
				close(release)
				time.Sleep(time.Second) // the first process goes on
				return providers.Credential{}, refused
			case token == "refresh-late":
				return pair("next"), nil
			}
			return providers.Credential{}, refused
		}}
		config := func(cfg *Config) { cfg.Providers = []providers.Provider{service} }
		first, second := mintEngine(t, m, s, config), mintEngine(t, m, s, config)
		conn := m.enrol(t, first, "a")
		c, _ := heldPair(t, first, s, conn)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, _ = first.sharedRefresh(t.Context(), refreshing{conn: conn, grant: c.Grant, generation: c.Generation, refused: true})
		}()
		time.Sleep(3 * time.Minute)
		stored, err := second.sharedRefresh(t.Context(), refreshing{conn: conn, grant: c.Grant, generation: c.Generation, refused: true})
		require.NoError(t, err)
		require.Equal(t, c.Generation+1, stored.Generation)
		stored, err = second.sharedRefresh(t.Context(), refreshing{conn: conn, grant: c.Grant, generation: stored.Generation, refused: true})
		<-ended
		require.NoError(t, err)
		_, held := heldPair(t, second, s, conn)
		require.Equal(t, "refresh-next", held.Refresh.Reveal())
		got, err := s.Connection(t.Context(), conn.ID)
		require.NoError(t, err)
		require.Equal(t, store.StateActive, got.State)
	})
}
