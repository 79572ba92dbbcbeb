package sync

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/vitalmux/vitalmux/internal/failpoint"
	"github.com/vitalmux/vitalmux/store"
)

// The settings of an erasure.
const (
	// settingErasing is set for a user whose erasure has begun: a
	// grant that is stored after that is not known to it.
	settingErasing = "erasing"
	// settingReceipt is followed by a receipt's id.
	settingReceipt = "receipt/"
	// settingErasedAccount is followed by a keyed digest of an account whose
	// user was erased: what is late about it is not kept until somebody
	// connects it.
	settingErasedAccount = "erased_account/"
)

// Receipt says how far an erasure is. It does not name the user.
type Receipt struct {
	// ID names the erasure. Erasing a user again has the same ID.
	ID string
	// Local counts what was removed from the store.
	Local store.Erasure
	// ErasedAt is when the user's data was gone from the store; zero before.
	ErasedAt time.Time
	// Upstream counts the grants at providers.
	Upstream Withdrawals
}

// Withdrawals count grants that are taken back, with their subscriptions.
type Withdrawals struct {
	Pending int
	Done    int
	// GivenUp counts those that the provider would not take for 30 days, or
	// for which the credential was of no use any more.
	GivenUp int
}

// receiptRecord is what is stored of a receipt.
type receiptRecord struct {
	Jobs     []string      `json:"jobs,omitempty"`
	GivenUp  []string      `json:"given_up,omitempty"`
	Local    store.Erasure `json:"local"`
	ErasedAt time.Time     `json:"erased_at,omitzero"`
}

// Erase removes everything of a user: connections, credentials, records,
// samples, raw answers, deliveries, settings and spill files; deliveries also
// about ids that the user's accounts had before, the latest 100 of a connection,
// and about connections that ended with their data kept. What is late does
// not bring it back: the user stays erased, and cannot be connected again under
// the same id. That grants are to be taken back at the providers is queued
// first, as for [Engine.Disconnect]; [Engine.Receipt] tells when that is done.
//
// Erase may be called again, also after a crash, and while Run works on the
// user's connections. An erasure that was begun is finished by Run. As long as a
// credential is being refreshed Erase waits, at most Config.RefreshTimeout.
func (e *Engine) Erase(ctx context.Context, user string) (Receipt, error) {
	if user == "" {
		return Receipt{}, fmt.Errorf("%w: empty user", store.ErrInvalid)
	}
	return e.erase(ctx, user, "host")
}

func (e *Engine) erase(ctx context.Context, user, actor string) (Receipt, error) {
	id, err := e.receiptID(ctx, user)
	if err != nil {
		return Receipt{}, err
	}
	finish, err := e.queueFinish(ctx, user, id)
	if err != nil {
		return Receipt{ID: id}, err
	}
	err = e.cfg.Store.SwapSetting(ctx, user, settingErasing, nil, []byte{1})
	if err != nil && !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrErased) {
		return Receipt{ID: id}, err
	}
	// The leases are kept until the credentials are gone, so that no pair can
	// follow the ones that the jobs hold. They go with the connections.
	if err := e.withdrawAll(ctx, user, id); err != nil {
		return Receipt{ID: id}, err
	}
	dropped, err := e.forgetFormer(ctx, user)
	if err != nil {
		return Receipt{ID: id}, err
	}
	failpoint.Hit("erase_jobs_queued")
	if err := e.eraseSpill(user); err != nil {
		return Receipt{ID: id}, err
	}
	local, err := e.cfg.Store.Erase(ctx, user)
	if err != nil {
		return Receipt{ID: id}, err
	}
	local.Deliveries += dropped
	failpoint.Hit("erase_done")
	// Again: a refresh that ended in between may have left a file.
	if err := e.eraseSpill(user); err != nil {
		return Receipt{ID: id}, err
	}
	first := false
	_, err = e.updateReceipt(ctx, id, func(r *receiptRecord) bool {
		first = r.ErasedAt.IsZero()
		if first {
			r.ErasedAt = now().UTC()
		}
		r.Local = sumErasures(r.Local, local)
		return first || local != store.Erasure{}
	})
	if err != nil {
		return Receipt{ID: id}, err
	}
	if first {
		e.audit(ctx, AuditEvent{Action: "erase", Actor: actor, User: user}, nil)
	}
	if err := e.cfg.Store.DeleteJob(ctx, finish); err != nil {
		return Receipt{ID: id}, err
	}
	return e.Receipt(ctx, id)
}

// finishAfter is how long an erasure is left to whoever began it.
const finishAfter = 2 * time.Minute

// queueFinish queues erasing a user again, in case that the process ends before
// it is done, or has been told.
func (e *Engine) queueFinish(ctx context.Context, user, receipt string) (string, error) {
	j := store.Job{
		ID: flowDigest("erase", receipt)[:32], Kind: jobErase, Receipt: receipt,
		CreatedAt: now().UTC(), NextAt: now().Add(finishAfter).UTC(),
	}
	var err error
	if j.Sealed, err = e.cfg.Sealer.Seal(ctx, e.jobPlace(j), []byte(user)); err != nil {
		return "", fmt.Errorf("sync: seal job: %w", err)
	}
	defer signal(e.newJobs)
	return j.ID, e.cfg.Store.PutJob(ctx, j)
}

// finishErase does a job of queueFinish.
func (e *Engine) finishErase(ctx context.Context, j store.Job) error {
	user, err := e.cfg.Sealer.Open(ctx, e.jobPlace(j), j.Sealed)
	if err != nil {
		return fmt.Errorf("sync: open job: %w", err)
	}
	_, err = e.erase(ctx, string(user), "engine")
	return err
}

// withdrawAll queues taking back all grants of a user, and keeps their
// credentials as they are until the lease ends.
func (e *Engine) withdrawAll(ctx context.Context, user, receipt string) error {
	for q := (store.ConnectionQuery{User: user}); ; {
		list, err := e.cfg.Store.Connections(ctx, q)
		if err != nil {
			return err
		}
		for _, conn := range list {
			_, _, err := e.updateConnection(ctx, conn.ID, func(c *store.Connection) bool {
				c.State, c.Reason = store.StateDeleting, reasonErase
				return true
			})
			if err == nil {
				err = e.forgetAccount(ctx, conn.Provider, conn.UpstreamID)
			}
			if err == nil {
				_, err = e.holdCredential(ctx, conn.ID, e.cfg.RefreshTimeout)
			}
			if err == nil {
				_, err = e.withdraw(ctx, conn, receipt)
			}
			if err != nil && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrErased) {
				return err
			}
			q.After = conn.ID
		}
		if len(list) == 0 {
			return nil
		}
	}
}

// forgetAccount remembers that late news of an account is not to be kept.
func (e *Engine) forgetAccount(ctx context.Context, provider, upstreamID string) error {
	name, err := e.accountMark(ctx, provider, upstreamID)
	if err != nil {
		return err
	}
	err = e.cfg.Store.SwapSetting(ctx, "", name, nil, []byte{1})
	if errors.Is(err, store.ErrConflict) {
		return nil
	}
	return err
}

// rememberAccount ends what forgetAccount began: somebody connected the account.
func (e *Engine) rememberAccount(ctx context.Context, provider, upstreamID string) error {
	gone, err := e.forgotten(ctx, provider, upstreamID)
	if err != nil || !gone {
		return err
	}
	name, err := e.accountMark(ctx, provider, upstreamID)
	if err != nil {
		return err
	}
	err = e.cfg.Store.SwapSetting(ctx, "", name, []byte{1}, nil)
	if errors.Is(err, store.ErrConflict) {
		return nil
	}
	return err
}

// forgotten reports whether the last user who had an account connected was
// erased, so that news of it is of nobody.
func (e *Engine) forgotten(ctx context.Context, provider, upstreamID string) (bool, error) {
	name, err := e.accountMark(ctx, provider, upstreamID)
	if err != nil {
		return false, err
	}
	_, err = e.cfg.Store.Setting(ctx, "", name)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func (e *Engine) accountMark(ctx context.Context, provider, upstreamID string) (string, error) {
	digest, err := e.keyedDigest(ctx, "erased account", provider, upstreamID)
	return settingErasedAccount + digest, err
}

// Receipt reports how far an erasure is; [store.ErrNotFound] for an unknown id.
// Receipts are kept.
func (e *Engine) Receipt(ctx context.Context, id string) (Receipt, error) {
	value, err := e.cfg.Store.Setting(ctx, "", settingReceipt+id)
	if err != nil {
		return Receipt{}, err
	}
	var r receiptRecord
	if err := json.Unmarshal(value, &r); err != nil {
		return Receipt{}, fmt.Errorf("sync: receipt %s: %w", id, err)
	}
	pending := make(map[string]bool) // among them the job that finishes the erasure
	jobs, err := e.cfg.Store.Jobs(ctx, store.JobQuery{Receipt: id, Limit: len(r.Jobs) + 1})
	if err != nil {
		return Receipt{}, err
	}
	for _, j := range jobs {
		pending[j.ID] = true
	}
	out := Receipt{ID: id, Local: r.Local, ErasedAt: r.ErasedAt}
	for _, job := range r.Jobs {
		switch {
		case pending[job]:
			out.Upstream.Pending++
		case slices.Contains(r.GivenUp, job):
			out.Upstream.GivenUp++
		default:
			out.Upstream.Done++
		}
	}
	return out, nil
}

// receiptID returns the id of a user's receipt. It is keyed, so that nobody can
// tell from it, or from the receipt in the store, whose it is.
func (e *Engine) receiptID(ctx context.Context, user string) (string, error) {
	return e.keyedDigest(ctx, "receipt", user)
}

// keyedDigest returns a digest of fields that nobody can guess from without the
// engine's key.
func (e *Engine) keyedDigest(ctx context.Context, fields ...string) (string, error) {
	key, err := e.webhookKey(ctx)
	if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(associated(append([]string{"vitalmux digest v1"}, fields...)...))
	return hex.EncodeToString(mac.Sum(nil)[:16]), nil
}

// updateReceipt changes a receipt, a new one if there is none, unless change
// returns false.
func (e *Engine) updateReceipt(ctx context.Context, id string, change func(*receiptRecord) bool) (receiptRecord, error) {
	for {
		var r receiptRecord
		old, err := e.cfg.Store.Setting(ctx, "", settingReceipt+id)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return r, err
		}
		if old != nil {
			if err := json.Unmarshal(old, &r); err != nil {
				return r, fmt.Errorf("sync: receipt %s: %w", id, err)
			}
		}
		if !change(&r) {
			return r, nil
		}
		value, err := json.Marshal(r)
		if err != nil {
			return r, fmt.Errorf("sync: receipt %s: %w", id, err)
		}
		err = e.cfg.Store.SwapSetting(ctx, "", settingReceipt+id, old, value)
		if !errors.Is(err, store.ErrConflict) || ctx.Err() != nil {
			return r, err
		}
	}
}

func sumErasures(a, b store.Erasure) store.Erasure {
	return store.Erasure{
		Connections: a.Connections + b.Connections, Records: a.Records + b.Records,
		SampleChunks: a.SampleChunks + b.SampleChunks, RawPages: a.RawPages + b.RawPages,
		Changes: a.Changes + b.Changes, InboxItems: a.InboxItems + b.InboxItems,
		Deliveries: a.Deliveries + b.Deliveries, Settings: a.Settings + b.Settings,
	}
}
