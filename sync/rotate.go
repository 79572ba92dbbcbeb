package sync

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/vitalmux/vitalmux/store"
)

// Rotator is a [Sealer] with several keys, one of which seals. A Sealer that
// is none has all that was sealed sealed again by [Engine.Reseal].
type Rotator interface {
	Sealer
	// Current reports whether sealed was sealed with the key that seals now.
	// It may be fooled by changed data: it is a hint.
	Current(sealed []byte) bool
}

// Resealed tells what [Engine.Reseal] did.
type Resealed struct {
	// Current counts what was sealed with the present key already, Sealed what
	// is now.
	Current, Sealed int
	// Old counts what could not be opened and is as it was.
	Old int
}

// Reseal seals everything in the store with the key that seals now: the last
// step before an old key is taken out of the ring. The steps are: add the new
// key to the ring of every process, as one that only opens; make it the first
// key everywhere; Reseal until Old and Sealed are 0; take the old key out.
//
// It may run while the engine works and in several processes at once, and may
// be stopped and begun again at any time. Connect flows are left alone: they
// end within Config.FlowTTL. Of spill files it sees those of its own
// Config.SpillDir.
func (e *Engine) Reseal(ctx context.Context) (Resealed, error) {
	var r Resealed
	for _, step := range []func(context.Context, *Resealed) error{e.resealSettings, e.resealJobs, e.resealSpills, e.resealCredentials} {
		if err := step(ctx, &r); err != nil {
			return r, err
		}
	}
	e.audit(ctx, AuditEvent{Action: "reseal", Actor: "host"}, nil)
	return r, nil
}

// reseal returns sealed under the present key. It reports false when there is
// nothing to write.
func (e *Engine) reseal(ctx context.Context, r *Resealed, place, sealed []byte) ([]byte, bool, error) {
	if len(sealed) == 0 {
		return sealed, false, nil
	}
	if rotator, ok := e.cfg.Sealer.(Rotator); ok && rotator.Current(sealed) {
		r.Current++
		return sealed, false, nil
	}
	text, err := e.cfg.Sealer.Open(ctx, place, sealed)
	if errors.Is(err, ErrSealed) {
		r.Old++
		return sealed, false, nil
	}
	if err != nil {
		return sealed, false, fmt.Errorf("sync: reseal: %w", err)
	}
	fresh, err := e.cfg.Sealer.Seal(ctx, place, text)
	if err != nil {
		return sealed, false, fmt.Errorf("sync: reseal: %w", err)
	}
	r.Sealed++
	return fresh, true, nil
}

func (e *Engine) resealSettings(ctx context.Context, r *Resealed) error {
	for _, name := range []string{settingKeyCheck, settingWebhookKey, settingPrintKey} {
		value, err := e.cfg.Store.Setting(ctx, "", name)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if err := e.resealSetting(ctx, r, store.Setting{Name: name, Value: value}); err != nil {
			return err
		}
	}
	for after := ""; ; {
		list, err := e.cfg.Store.Settings(ctx, settingRawKey, after, 0)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, s := range list {
			if err := e.resealSetting(ctx, r, s); err != nil {
				return err
			}
		}
		after = list[len(list)-1].User
	}
}

func (e *Engine) resealSetting(ctx context.Context, r *Resealed, s store.Setting) error {
	fresh, changed, err := e.reseal(ctx, r, e.settingPlace(s.User, s.Name), s.Value)
	if err != nil || !changed {
		return err
	}
	err = e.cfg.Store.SwapSetting(ctx, s.User, s.Name, s.Value, fresh)
	if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrErased) {
		return nil // somebody else was faster, or there is nothing left to seal
	}
	return err
}

// settingPlace is where a sealed setting belongs.
func (e *Engine) settingPlace(user, name string) []byte {
	switch name {
	case settingRawKey:
		return e.place("raw key", user)
	case settingWebhookKey:
		return e.place("webhook key")
	case settingPrintKey:
		return e.place("print key")
	default:
		return e.place("key check")
	}
}

func (e *Engine) resealJobs(ctx context.Context, r *Resealed) error {
	for after := ""; ; {
		list, err := e.cfg.Store.Jobs(ctx, store.JobQuery{After: after})
		if err != nil || len(list) == 0 {
			return err
		}
		for _, j := range list {
			if err := e.resealJob(ctx, r, j.ID); err != nil {
				return err
			}
		}
		after = list[len(list)-1].ID
	}
}

// resealJob has the job's lease: who works on a job may change what is sealed
// in it. A job that is being worked on is counted as old.
func (e *Engine) resealJob(ctx context.Context, r *Resealed, id string) error {
	lease, err := e.cfg.Store.Acquire(ctx, id, leaseJob, e.cfg.LeaseTTL)
	if errors.Is(err, store.ErrLeaseHeld) {
		r.Old++
		return nil
	}
	if err != nil {
		return err
	}
	defer e.release(ctx, lease)
	list, err := e.cfg.Store.Jobs(ctx, store.JobQuery{ID: id})
	if err != nil || len(list) == 0 {
		return err
	}
	j := list[0]
	fresh, changed, err := e.reseal(ctx, r, e.jobPlace(j), j.Sealed)
	if err != nil || !changed {
		return err
	}
	j.Sealed = fresh
	if err := e.cfg.Store.UpdateJob(ctx, j); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return nil
}

// resealSpills takes the pairs of the spill directory into the store, where they
// are sealed again. Files that cannot be taken in are counted as old.
func (e *Engine) resealSpills(ctx context.Context, r *Resealed) error {
	if err := e.importSpills(ctx); err != nil {
		return err
	}
	left, err := e.spillFiles()
	r.Old += len(left)
	return err
}

func (e *Engine) resealCredentials(ctx context.Context, r *Resealed) error {
	for after := ""; ; {
		list, err := e.cfg.Store.Connections(ctx, store.ConnectionQuery{After: after})
		if err != nil || len(list) == 0 {
			return err
		}
		for _, conn := range list {
			if err := e.resealCredential(ctx, r, conn); err != nil {
				return err
			}
		}
		after = list[len(list)-1].ID
	}
}

func (e *Engine) resealCredential(ctx context.Context, r *Resealed, conn store.Connection) error {
	for {
		c, err := e.cfg.Store.Credential(ctx, conn.ID)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		count := *r
		place, write := e.credentialPlace(conn, c.Grant), false
		c.Siblings = slices.Clone(c.Siblings)
		fields := []*[]byte{&c.Sealed, &c.Previous}
		for i := range c.Siblings {
			fields = append(fields, &c.Siblings[i].Sealed)
		}
		for _, field := range fields {
			fresh, changed, err := e.reseal(ctx, &count, place, *field)
			if err != nil {
				return err
			}
			*field, write = fresh, write || changed
		}
		if write {
			err = e.cfg.Store.UpdateCredential(ctx, c)
			if errors.Is(err, store.ErrConflict) {
				continue // somebody wrote it in the meantime: read it again
			}
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
		}
		*r = count
		return nil
	}
}
