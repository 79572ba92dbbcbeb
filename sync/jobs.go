package sync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	gosync "sync"
	"time"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

const (
	// jobWithdraw is the kind of a job that ends a grant: its subscriptions
	// first, because the grant is needed for that. It is one job and not two,
	// so that a token that changes with each refresh has one holder.
	jobWithdraw = "withdraw"
	// jobErase is the kind of a job that finishes an erasure. It is not given
	// up.
	jobErase = "erase"
	// leaseJob names the lease that a job is worked on under.
	leaseJob = "job"
	// jobLife is how long a job is tried.
	jobLife = 30 * day
	// jobWorkers is how many jobs are worked on at once, of jobBatch that were
	// looked at.
	jobWorkers = 4
	jobBatch   = 64
	// jobPause is the pause after the first failure; it doubles up to
	// jobMaxPause.
	jobPause    = time.Minute
	jobMaxPause = 6 * time.Hour
	// unsubscribeAttempts is how often ending the subscriptions is tried
	// before the grant is taken back all the same.
	unsubscribeAttempts = 3
	// removalsEvery is how often interrupted removals are looked for.
	removalsEvery = time.Minute
)

// errNoUse means that a job cannot be done any more with what it has.
var errNoUse = errors.New("sync: the credential is of no use any more")

// withdrawal is what is sealed into a job. It names no user.
type withdrawal struct {
	Connection  string    `json:"connection"`
	UpstreamID  string    `json:"upstream_id,omitempty"`
	Access      string    `json:"access,omitempty"`
	Refresh     string    `json:"refresh,omitempty"`
	TokenSecret string    `json:"token_secret,omitempty"`
	ExpiresAt   time.Time `json:"expires_at,omitzero"`
	Scopes      []string  `json:"scopes,omitempty"`
	// Subscriptions and Grant say what is still to be ended.
	Subscriptions bool `json:"subscriptions,omitempty"`
	Grant         bool `json:"grant,omitempty"`
	// Refreshing is set before the refresh token is presented, and cleared
	// when the new pair is stored.
	Refreshing bool `json:"refreshing,omitempty"`
}

func (w *withdrawal) credential() providers.Credential {
	return providers.Credential{
		UpstreamID: w.UpstreamID, Access: providers.NewSecret(w.Access), Refresh: providers.NewSecret(w.Refresh),
		TokenSecret: providers.NewSecret(w.TokenSecret), ExpiresAt: w.ExpiresAt, Scopes: w.Scopes,
	}
}

func (w *withdrawal) hold(c providers.Credential) {
	w.Access, w.Refresh, w.TokenSecret = c.Access.Reveal(), c.Refresh.Reveal(), c.TokenSecret.Reveal()
	w.ExpiresAt, w.Scopes = c.ExpiresAt.UTC(), c.Scopes
	if c.UpstreamID != "" {
		w.UpstreamID = c.UpstreamID
	}
}

// withdraw queues taking back the grant of a connection, and returns the job's
// id; empty if there is nothing to take back, or nobody can.
func (e *Engine) withdraw(ctx context.Context, conn store.Connection, receipt string) (string, error) {
	c, err := e.cfg.Store.Credential(ctx, conn.ID)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if len(c.Sealed) == 0 {
		return "", nil // refused by the service, and erased since
	}
	cred, _, err := e.openCredential(ctx, conn, c)
	if errors.Is(err, ErrSealed) {
		e.cfg.Logger.WarnContext(ctx, "grant not taken back", "connection", conn.ID, "err", err)
		e.alarmFor(ctx, conn, AlarmJob, 1, ErrSealed)
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return e.putWithdrawal(ctx, conn, cred, receipt)
}

// withdrawErased queues taking back a grant that a person gave while being
// erased.
func (e *Engine) withdrawErased(ctx context.Context, conn store.Connection, cred providers.Credential) error {
	receipt, err := e.receiptID(ctx, conn.User)
	if err == nil {
		_, err = e.putWithdrawal(ctx, conn, cred, receipt)
	}
	return err
}

// putWithdrawal queues taking back a grant; the same one once, whoever asks.
// The receipt, where there is one, names the job before the job is there.
func (e *Engine) putWithdrawal(ctx context.Context, conn store.Connection, cred providers.Credential, receipt string) (string, error) {
	p := e.providers[conn.Provider]
	_, revokes := p.(providers.Revoker)
	_, subscribes := p.(providers.Subscriber)
	subscribes = subscribes && e.cfg.PublicURL != ""
	if !revokes && !subscribes {
		return "", nil
	}
	w := withdrawal{Connection: conn.ID, UpstreamID: conn.UpstreamID, Subscriptions: subscribes, Grant: revokes}
	w.hold(cred)
	j := store.Job{
		ID:       flowDigest("job", conn.ID, w.Access, w.Refresh)[:32],
		Provider: conn.Provider, Kind: jobWithdraw, Receipt: receipt, CreatedAt: now().UTC(), NextAt: now().UTC(),
	}
	if receipt == "" {
		j.Receipt = j.ID
	} else {
		_, err := e.updateReceipt(ctx, receipt, func(r *receiptRecord) bool {
			for _, id := range r.Jobs {
				if id == j.ID {
					return false
				}
			}
			r.Jobs = append(r.Jobs, j.ID)
			return true
		})
		if err != nil {
			return "", err
		}
	}
	if err := e.sealJob(ctx, &j, &w); err != nil {
		return "", err
	}
	defer signal(e.newJobs)
	return j.ID, e.cfg.Store.PutJob(ctx, j)
}

// jobPlace binds what is sealed in a job to it.
func (e *Engine) jobPlace(j store.Job) []byte {
	return e.place("job", j.Provider, j.Kind, j.ID)
}

func (e *Engine) sealJob(ctx context.Context, j *store.Job, w *withdrawal) error {
	text, err := json.Marshal(w)
	if err != nil {
		return errors.New("sync: encode job")
	}
	if j.Sealed, err = e.cfg.Sealer.Seal(ctx, e.jobPlace(*j), text); err != nil {
		return fmt.Errorf("sync: seal job: %w", err)
	}
	return nil
}

func (e *Engine) openJob(ctx context.Context, j store.Job) (withdrawal, error) {
	var w withdrawal
	text, err := e.cfg.Sealer.Open(ctx, e.jobPlace(j), j.Sealed)
	if err != nil {
		return w, fmt.Errorf("sync: open job: %w", err)
	}
	if err := json.Unmarshal(text, &w); err != nil {
		return w, fmt.Errorf("sync: job: %w", ErrSealed)
	}
	return w, nil
}

// workJobs works on the jobs that are ready, and finishes removals that were
// interrupted. It returns when that is done: each call to a provider takes at
// most Config.RefreshTimeout.
func (e *Engine) workJobs(ctx context.Context, now time.Time) error {
	var errs []error
	if e.removalsDue(now) {
		errs = append(errs, e.finishRemovals(ctx))
	}
	ready, err := e.cfg.Store.Jobs(ctx, store.JobQuery{ReadyAt: now, Limit: jobBatch})
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	var (
		working gosync.WaitGroup
		mu      gosync.Mutex
	)
	free := make(chan struct{}, jobWorkers)
	for _, j := range ready {
		free <- struct{}{}
		working.Go(func() {
			defer func() { <-free }()
			if err := e.workJob(ctx, j, now); err != nil {
				mu.Lock()
				errs = append(errs, err)
				mu.Unlock()
			}
		})
	}
	working.Wait()
	return errors.Join(errs...)
}

// removalsDue reports whether interrupted removals should be looked for.
func (e *Engine) removalsDue(now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if now.Sub(e.removalsAt) < removalsEvery {
		return false
	}
	e.removalsAt = now
	return true
}

// workJob tries one job, unless somebody else does.
func (e *Engine) workJob(ctx context.Context, j store.Job, ready time.Time) error {
	lease, err := e.cfg.Store.Acquire(ctx, j.ID, leaseJob, e.cfg.LeaseTTL)
	if errors.Is(err, store.ErrLeaseHeld) {
		return nil
	}
	if err != nil {
		return err
	}
	defer e.release(ctx, lease)
	// Whoever held the lease before may have changed the job, or done it.
	list, err := e.cfg.Store.Jobs(ctx, store.JobQuery{ID: j.ID, ReadyAt: ready})
	if err != nil || len(list) == 0 {
		return err
	}
	j = list[0]
	working, cancel := context.WithTimeout(ctx, e.cfg.LeaseTTL*9/10)
	defer cancel()
	err = e.guard(working, "job", AlarmEvent{Provider: j.Provider}, func() error { return e.attemptJob(working, &j) })
	return e.settleJob(ctx, j, err)
}

// settleJob stores what became of a try.
func (e *Engine) settleJob(ctx context.Context, j store.Job, failure error) error {
	if failure == nil {
		return e.cfg.Store.DeleteJob(ctx, j.ID)
	}
	if ctx.Err() != nil {
		return nil // the process ends; that says nothing about the job
	}
	now := now()
	if errors.Is(failure, errNoUse) || j.Kind != jobErase && now.Sub(j.CreatedAt) > jobLife {
		return e.giveUpJob(ctx, j, failure)
	}
	pause := jitter(min(jobMaxPause, jobPause<<min(j.Attempts, 10)))
	j.Attempts++
	j.Reason, j.NextAt = outcomeOf(failure), now.Add(pause)
	if at := retryAt(failure, now, pause); at.After(j.NextAt) {
		j.NextAt = at
	}
	e.cfg.Logger.WarnContext(ctx, "job failed", "job", j.ID, "provider", j.Provider, "attempt", j.Attempts,
		"retry_at", j.NextAt, "err", failure)
	err := e.cfg.Store.UpdateJob(ctx, j)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// giveUpJob removes a job that cannot be done. The receipt says so before the
// job is gone.
func (e *Engine) giveUpJob(ctx context.Context, j store.Job, failure error) error {
	if j.Receipt != j.ID {
		_, err := e.updateReceipt(ctx, j.Receipt, func(r *receiptRecord) bool {
			for _, id := range r.GivenUp {
				if id == j.ID {
					return false
				}
			}
			r.GivenUp = append(r.GivenUp, j.ID)
			return true
		})
		if err != nil {
			return err
		}
	}
	if err := e.cfg.Store.DeleteJob(ctx, j.ID); err != nil {
		return err
	}
	e.alarmFor(ctx, store.Connection{Provider: j.Provider}, AlarmJob, j.Attempts+1, failure)
	return nil
}

// attemptJob tries to do a job. What has been done is stored in it.
func (e *Engine) attemptJob(ctx context.Context, j *store.Job) error {
	if j.Kind == jobErase {
		return e.finishErase(ctx, *j)
	}
	p, ok := e.providers[j.Provider]
	if !ok || j.Kind != jobWithdraw {
		return fmt.Errorf("%w: no provider %q for the job", ErrConnectionState, j.Provider)
	}
	w, err := e.openJob(ctx, *j)
	if err != nil {
		return err
	}
	if subscriber, ok := p.(providers.Subscriber); ok && w.Subscriptions {
		err := e.asWithdrawer(ctx, p, j, &w, func(ctx context.Context, cred providers.Credential) error {
			return e.unsubscribeAll(ctx, subscriber, cred, j.Provider, w)
		})
		if err != nil && !ended(err) && !errors.Is(err, errNoUse) && j.Attempts < unsubscribeAttempts {
			return err
		}
		w.Subscriptions = false
		if err := e.saveJob(ctx, j, &w); err != nil {
			return err
		}
	}
	revoker, ok := p.(providers.Revoker)
	if !ok || !w.Grant {
		return nil
	}
	again, err := e.connectedAgain(ctx, j.Provider, w.UpstreamID)
	if err != nil || again {
		return err
	}
	err = e.asWithdrawer(ctx, p, j, &w, func(ctx context.Context, cred providers.Credential) error {
		// As late as can be: the person may have consented anew meanwhile.
		if again, err := e.connectedAgain(ctx, j.Provider, w.UpstreamID); again || err != nil {
			return err
		}
		return revoker.Revoke(ctx, cred)
	})
	if ended(err) {
		return nil
	}
	return err
}

// connectedAgain reports whether the account of a grant that is taken back was
// connected again. The person has a newer grant at the service then, which is not
// to be taken back with the old one.
func (e *Engine) connectedAgain(ctx context.Context, provider, upstreamID string) (bool, error) {
	known, err := e.cfg.Store.Connections(ctx, store.ConnectionQuery{Provider: provider, UpstreamID: upstreamID})
	if err != nil || upstreamID == "" || len(known) == 0 || known[0].State == store.StateDeleting {
		return false, err
	}
	// A grant that came while its person was being erased is not newer.
	_, err = e.cfg.Store.Setting(ctx, known[0].User, settingErasing)
	if errors.Is(err, store.ErrNotFound) {
		return true, nil
	}
	return false, err
}

// ended reports whether an error says that there is nothing left to take back.
func ended(err error) bool {
	refused, _ := errors.AsType[*providers.Error](err)
	gone := errors.Is(err, providers.ErrReauth) && (refused == nil || !refused.ExpiredAccess)
	return gone || errors.Is(err, providers.ErrRetired) || errors.Is(err, providers.ErrNotFound) || errors.Is(err, errors.ErrUnsupported)
}

// unsubscribeAll ends the subscriptions of a connection: those to the address
// that is its own, and those to the address that all connections of the
// provider share unless the account is connected again.
func (e *Engine) unsubscribeAll(ctx context.Context, p providers.Subscriber, cred providers.Credential, provider string, w withdrawal) error {
	list, err := p.Subscriptions(ctx, cred)
	if err != nil {
		return err
	}
	again, err := e.connectedAgain(ctx, provider, w.UpstreamID)
	if err != nil {
		return err
	}
	shared := e.cfg.PublicURL + "/webhooks/" + provider
	var errs []error
	for _, s := range list {
		if s.CallbackURL == shared && !again || strings.HasPrefix(s.CallbackURL, shared+"/"+w.Connection+".") {
			errs = append(errs, p.Unsubscribe(ctx, cred, s))
		}
	}
	return errors.Join(errs...)
}

// asWithdrawer makes a call with the job's credential. An access token that
// ended is replaced: the refresh token may be presented for that. Where a
// refresh changes the token it is presented once, because nobody else knows
// what the service answered if the process ends in between; then it is errNoUse.
func (e *Engine) asWithdrawer(ctx context.Context, p providers.Provider, j *store.Job, w *withdrawal,
	do func(context.Context, providers.Credential) error,
) error {
	for renewed := false; ; renewed = true {
		if !renewed && !w.ExpiresAt.IsZero() && !now().Before(w.ExpiresAt) {
			if err := e.renewWithdrawer(ctx, p, j, w); err != nil && !errors.Is(err, errNoUse) {
				return err
			}
			// Some services take a grant back without a valid access token.
			renewed = true
		}
		calling, done := context.WithTimeout(ctx, e.cfg.RefreshTimeout)
		err := do(calling, w.credential())
		done()
		refused, ok := errors.AsType[*providers.Error](err)
		if !ok || !refused.ExpiredAccess {
			return err
		}
		if renewed {
			return errNoUse
		}
		if err := e.renewWithdrawer(ctx, p, j, w); err != nil {
			return err
		}
	}
}

// renewWithdrawer refreshes the job's credential and stores it before its use.
func (e *Engine) renewWithdrawer(ctx context.Context, p providers.Provider, j *store.Job, w *withdrawal) error {
	refresher, ok := p.(providers.Refresher)
	once := e.capabilities[j.Provider].Rotation != providers.RotationNone
	if !ok || w.Refresh == "" || w.Refreshing && once {
		return errNoUse
	}
	w.Refreshing = true
	if err := e.saveJob(ctx, j, w); err != nil {
		return err
	}
	calling, done := context.WithTimeout(context.WithoutCancel(ctx), e.cfg.RefreshTimeout)
	defer done()
	fresh, err := refresher.Refresh(calling, w.credential())
	if err != nil {
		failed, ok := errors.AsType[*providers.Error](err)
		if ok && !failed.Ambiguous && !errors.Is(err, providers.ErrReauth) {
			// The token was not spent.
			w.Refreshing = false
			return errors.Join(err, e.saveJob(context.WithoutCancel(ctx), j, w))
		}
		if once || errors.Is(err, providers.ErrReauth) {
			return fmt.Errorf("%w: %w", errNoUse, err)
		}
		return err
	}
	if fresh.Refresh.IsZero() {
		fresh.Refresh = providers.NewSecret(w.Refresh)
	}
	w.hold(fresh)
	w.Refreshing = false
	return e.saveJob(context.WithoutCancel(ctx), j, w)
}

// saveJob stores what a job holds.
func (e *Engine) saveJob(ctx context.Context, j *store.Job, w *withdrawal) error {
	if err := e.sealJob(ctx, j, w); err != nil {
		return err
	}
	return e.cfg.Store.UpdateJob(ctx, *j)
}
