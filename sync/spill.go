package sync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/vitalmux/vitalmux/providers"
	"github.com/vitalmux/vitalmux/store"
)

// spilt is a new pair that could not be stored, as it is in a file. The pair in
// it is sealed on its own; the file is sealed once more, because it tells whose
// it is.
type spilt struct {
	Connection store.Connection `json:"connection"`
	// Consumed is the print of the token that the pair was issued for.
	Consumed   string           `json:"consumed"`
	Credential store.Credential `json:"credential"`
}

const (
	spillSuffix = ".spill"
	// spillLimit bounds what is read of a file that claims to be a spill.
	spillLimit = 1 << 20
)

// spill writes a pair that cannot be stored to the spill directory, durably. It
// is for the end of a process, and does not wait long for the Sealer.
func (e *Engine) spill(ctx context.Context, conn store.Connection, consumed string, next store.Credential) error {
	sealing, cancel := context.WithTimeout(ctx, persistFor)
	defer cancel()
	err := e.writeSpill(sealing, spilt{Connection: conn, Consumed: consumed, Credential: next})
	e.alarmFor(ctx, conn, AlarmSpill, 1, err)
	return err
}

func (e *Engine) writeSpill(ctx context.Context, s spilt) error {
	dir := e.cfg.SpillDir
	if dir == "" {
		return errors.New("sync: no spill directory: a new credential is lost")
	}
	text, err := json.Marshal(s)
	if err != nil {
		return errors.New("sync: encode spill file")
	}
	sealed, err := e.cfg.Sealer.Seal(ctx, e.place("spill"), text)
	if err != nil {
		return fmt.Errorf("sync: seal spill file: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("sync: spill directory: %w", err)
	}
	// Under its last name a file is whole.
	name := filepath.Join(dir, randomID())
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("sync: spill file: %w", err)
	}
	_, err = f.Write(sealed)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(name, name+spillSuffix)
	}
	if err != nil {
		return fmt.Errorf("sync: spill file: %w", errors.Join(err, os.Remove(name)))
	}
	if err := syncDir(dir); err != nil {
		return fmt.Errorf("sync: spill directory: %w", err)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// importOnce looks into the spill directory before the first work: what is
// there is newer than what the store has.
func (e *Engine) importOnce(ctx context.Context) error {
	e.mu.Lock()
	done := e.imported
	e.mu.Unlock()
	if done {
		return nil
	}
	if err := e.importSpills(ctx); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.imported = true
	return nil
}

// spillFiles returns the files of the spill directory that are whole.
func (e *Engine) spillFiles() ([]string, error) {
	if e.cfg.SpillDir == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(e.cfg.SpillDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("sync: spill directory: %w", err)
	}
	var names []string
	for _, entry := range entries {
		if entry.Type().IsRegular() && strings.HasSuffix(entry.Name(), spillSuffix) {
			names = append(names, filepath.Join(e.cfg.SpillDir, entry.Name()))
		}
	}
	return names, nil
}

// importSpills stores the pairs of the spill directory and removes their files.
// A file that cannot be read is kept, with an alarm; its error is not returned,
// because nobody else's work should wait for it.
func (e *Engine) importSpills(ctx context.Context) error {
	names, err := e.spillFiles()
	errs := []error{err}
	for _, name := range names {
		s, err := e.readSpill(ctx, name)
		if err == nil {
			err = e.importSpill(ctx, name, s)
		}
		switch {
		case errors.Is(err, fs.ErrNotExist):
			err = nil // another process took it in
		case errors.Is(err, ErrSealed), errors.As(err, new(*fs.PathError)):
			e.alarmFor(ctx, store.Connection{}, AlarmSpill, 1, err)
			err = nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (e *Engine) importSpill(ctx context.Context, name string, s spilt) error {
	stored, err := e.storePair(ctx, s.Consumed, s.Credential)
	switch {
	case err == nil && stored.RefreshPrint == s.Credential.RefreshPrint && stored.Grant == s.Credential.Grant:
		fresh, _, err := e.openCredential(ctx, s.Connection, s.Credential)
		if err != nil {
			return err
		}
		e.adopted(ctx, s.Connection, stored, s.Consumed, fresh)
	case err == nil:
	case dropped(err):
		return e.dropSpill(ctx, name, s, e.withdrawLate)
	default:
		return err
	}
	return e.removeSpill(name)
}

// dropSpill removes a file whose connection has gone. Its pair may be the last
// of the grant, which is taken back.
func (e *Engine) dropSpill(ctx context.Context, name string, s spilt, withdraw func(context.Context, store.Connection, providers.Credential) error) error {
	fresh, _, err := e.openCredential(ctx, s.Connection, s.Credential)
	if err == nil {
		err = withdraw(ctx, s.Connection, fresh)
	}
	if err != nil && !errors.Is(err, ErrSealed) {
		return err
	}
	return e.removeSpill(name)
}

func (e *Engine) readSpill(ctx context.Context, name string) (spilt, error) {
	var s spilt
	info, err := os.Stat(name)
	if err != nil {
		return s, fmt.Errorf("sync: spill file: %w", err)
	}
	if info.Size() > spillLimit {
		return s, fmt.Errorf("sync: spill file is too large: %w", ErrSealed)
	}
	sealed, err := os.ReadFile(name)
	if err != nil {
		return s, fmt.Errorf("sync: spill file: %w", err)
	}
	text, err := e.cfg.Sealer.Open(ctx, e.place("spill"), sealed)
	if err != nil {
		return s, fmt.Errorf("sync: spill file: %w", err)
	}
	if err := json.Unmarshal(text, &s); err != nil || s.Credential.Connection != s.Connection.ID {
		return s, fmt.Errorf("sync: spill file cannot be read: %w", ErrSealed)
	}
	return s, nil
}

func (e *Engine) removeSpill(name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("sync: spill file: %w", err)
	}
	return syncDir(e.cfg.SpillDir)
}

// eraseSpill removes the spill files of a user, whose grants are taken back.
// Files that cannot be opened are left: they are nobody's any more.
func (e *Engine) eraseSpill(user string) error {
	ctx := context.Background()
	names, err := e.spillFiles()
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range names {
		s, err := e.readSpill(ctx, name)
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, ErrSealed):
		case err != nil:
			errs = append(errs, err)
		case s.Connection.User == user:
			errs = append(errs, e.dropSpill(ctx, name, s, e.withdrawErased))
		}
	}
	return errors.Join(errs...)
}
