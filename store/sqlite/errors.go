package sqlite

import (
	"context"
	"errors"
	"fmt"
	"strings"

	sqlite3 "modernc.org/sqlite"
	sqlite3lib "modernc.org/sqlite/lib"

	"github.com/vitalmux/vitalmux/store"
)

// The reasons for which [Open] refuses a file, besides those of package store.
var (
	// ErrNotDatabase: the file is not a SQLite database.
	ErrNotDatabase = errors.New("sqlite: not a SQLite database")
	// ErrForeign: the file is a SQLite database of another application.
	ErrForeign = errors.New("sqlite: a database of another application")
	// ErrNotWritable: the file or its directory is missing, read-only or not
	// accessible.
	ErrNotWritable = errors.New("sqlite: file or directory not writable")
	// ErrExposed: other users of the machine may read the file, or replace it
	// in its directory. It wraps [store.ErrUnsafe].
	ErrExposed = fmt.Errorf("sqlite: file accessible to others: %w", store.ErrUnsafe)
	// ErrLibrary: the linked SQLite is older than 3.51.3.
	ErrLibrary = errors.New("sqlite: library too old")
)

// classify gives errors of the driver the class the contract knows. The
// messages of SQLite name tables and columns, never values.
func classify(err error) error {
	var e *sqlite3.Error
	if err == nil || !errors.As(err, &e) {
		return err
	}
	switch e.Code() & 0xff {
	case sqlite3lib.SQLITE_BUSY, sqlite3lib.SQLITE_LOCKED:
		return fmt.Errorf("%w: %w", store.ErrBusy, err)
	case sqlite3lib.SQLITE_NOTADB:
		return fmt.Errorf("%w: %w", ErrNotDatabase, err)
	case sqlite3lib.SQLITE_READONLY, sqlite3lib.SQLITE_CANTOPEN, sqlite3lib.SQLITE_PERM:
		return fmt.Errorf("%w: %w", ErrNotWritable, err)
	case sqlite3lib.SQLITE_INTERRUPT:
		return fmt.Errorf("%w: %w", context.Canceled, err)
	}
	return err
}

// failed says which statement failed, by its first words: values are parameters
// and do not stand there.
func failed(query string, err error) error {
	words := strings.Fields(query)
	return fmt.Errorf("sqlite: %s: %w", strings.Join(words[:min(len(words), 4)], " "), classify(err))
}

// invalid returns an ErrInvalid with the reason.
func invalid(format string, args ...any) error {
	return fmt.Errorf("sqlite: "+format+": %w", append(args, store.ErrInvalid)...)
}
