package sync

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/vitalmux/vitalmux/store"
)

// ErrKeys is returned by [New] when the Sealer cannot open what the store
// holds: the keys are another deployment's, or the key that sealed it is not
// in the ring any more. Nothing is overwritten.
var ErrKeys = errors.New("sync: Config.Sealer does not fit the store")

// The settings of the store as a whole.
const (
	settingStoreID  = "store_id"
	settingKeyCheck = "key_check"
	settingPrintKey = "print_key"
)

// identityTimeout bounds what New asks of the store.
const identityTimeout = 10 * time.Second

// identify learns which store this is, and makes sure that the keys are the
// ones that everything in it was sealed with.
func (e *Engine) identify(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, identityTimeout)
	defer cancel()
	id, err := e.setting(ctx, "", settingStoreID, func() ([]byte, error) { return []byte(randomID()), nil })
	if err != nil {
		return fmt.Errorf("sync: identify the store: %w", err)
	}
	e.storeID = string(id)
	place := e.place("key check")
	check, err := e.setting(ctx, "", settingKeyCheck, func() ([]byte, error) { return e.cfg.Sealer.Seal(ctx, place, id) })
	if err != nil {
		return fmt.Errorf("sync: check the keys: %w", err)
	}
	opened, err := e.cfg.Sealer.Open(ctx, place, check)
	if errors.Is(err, ErrSealed) || err == nil && !bytes.Equal(opened, id) {
		return ErrKeys
	}
	if err != nil {
		return fmt.Errorf("sync: check the keys: %w", err)
	}
	if e.prints, err = e.printKey(ctx); errors.Is(err, ErrSealed) {
		return ErrKeys
	} else if err != nil {
		return fmt.Errorf("sync: key of token fingerprints: %w", err)
	}
	return nil
}

// printKey returns the key of the fingerprints of refresh tokens.
func (e *Engine) printKey(ctx context.Context) ([]byte, error) {
	place := e.settingPlace("", settingPrintKey)
	sealed, err := e.setting(ctx, "", settingPrintKey, func() ([]byte, error) {
		fresh := make([]byte, 32)
		_, _ = rand.Read(fresh)
		return e.cfg.Sealer.Seal(ctx, place, fresh)
	})
	if err != nil {
		return nil, err
	}
	return e.cfg.Sealer.Open(ctx, place, sealed)
}

// setting returns a setting, which initial makes if there is none yet. Of
// several processes that make it at once all get the one that was stored.
func (e *Engine) setting(ctx context.Context, user, name string, initial func() ([]byte, error)) ([]byte, error) {
	value, err := e.cfg.Store.Setting(ctx, user, name)
	if !errors.Is(err, store.ErrNotFound) {
		return value, err
	}
	made, err := initial()
	if err != nil {
		return nil, err
	}
	if err := e.cfg.Store.SwapSetting(ctx, user, name, nil, made); !errors.Is(err, store.ErrConflict) {
		return made, err
	}
	return e.cfg.Store.Setting(ctx, user, name)
}

// place is the associated data of something that is sealed: the store, what it
// is for, and whose it is. Nothing that was sealed for one place opens in
// another.
func (e *Engine) place(purpose string, fields ...string) []byte {
	return associated(append([]string{"vitalmux v1", e.storeID, purpose}, fields...)...)
}
