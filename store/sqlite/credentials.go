package sqlite

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/vitalmux/vitalmux/store"
)

// credential reads the credential of a connection.
func (c *conn) credential(ctx context.Context, connection string) (store.Credential, bool, error) {
	cred := store.Credential{Connection: connection}
	found := false
	err := c.each(ctx, func(r row) error {
		found = true
		cred.Grant, cred.Generation, cred.RefreshPrint, cred.ExpiresAt = r.text(0), r.int(1), r.text(2), r.time(3)
		cred.Fails, cred.NextAt = int(r.int(4)), r.time(5)
		cred.FailingSince, cred.Doubts, cred.RefusedAt, cred.Revision = r.time(10), int(r.int(11)), r.time(12), r.int(13)
		cred.Previous, cred.Sealed = bytes.Clone(r.blob(8)), bytes.Clone(r.blob(9))
		if !r.null(6) {
			if err := json.Unmarshal(r.blob(6), &cred.Attempt); err != nil {
				return err
			}
		}
		if !r.null(7) {
			return json.Unmarshal(r.blob(7), &cred.Siblings)
		}
		return nil
	}, `SELECT consent, generation, print, expires, fails, next, attempt, siblings, previous, sealed,
			failing, doubts, refused, revision FROM credential WHERE connection = ?1`, connection)
	return cred, found, err
}

// putCredential replaces the credential of a connection, under a revision that
// no credential had before.
func (t *tx) putCredential(cred *store.Credential) error {
	t.touch(cred.Connection)
	var attempt, siblings any
	var err error
	if a := cred.Attempt; a != nil {
		kept := *a
		kept.StartedAt, kept.Deadline = cut(a.StartedAt), cut(a.Deadline)
		if attempt, err = json.Marshal(kept); err != nil {
			return err
		}
	}
	if len(cred.Siblings) > 0 {
		if siblings, err = json.Marshal(cred.Siblings); err != nil {
			return err
		}
	}
	revision := int64(0)
	if _, err := t.one(background, func(r row) { revision = r.int(0) }, `INSERT INTO meta(name, value) VALUES('revision', 1)
		ON CONFLICT(name) DO UPDATE SET value = value + 1 RETURNING value`); err != nil {
		return err
	}
	_, err = t.exec(background, `INSERT INTO credential(connection, consent, generation, print, expires, fails, next, attempt,
			siblings, previous, sealed, failing, doubts, refused, revision)
		VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) ON CONFLICT(connection) DO UPDATE SET
			consent = excluded.consent, generation = excluded.generation, print = excluded.print, expires = excluded.expires,
			fails = excluded.fails, next = excluded.next, attempt = excluded.attempt, siblings = excluded.siblings,
			previous = excluded.previous, sealed = excluded.sealed, failing = excluded.failing, doubts = excluded.doubts,
			refused = excluded.refused, revision = excluded.revision`,
		cred.Connection, cred.Grant, cred.Generation, cred.RefreshPrint, cred.ExpiresAt, cred.Fails, cred.NextAt,
		attempt, siblings, optional(cred.Previous), optional(cred.Sealed), cred.FailingSince, cred.Doubts, cred.RefusedAt, revision)
	return err
}

// optional is NULL for a nil slice.
func optional(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}

// Credential implements [store.Credentials].
func (s *Store) Credential(ctx context.Context, connection string) (store.Credential, error) {
	var cred store.Credential
	err := s.read(ctx, func(c *conn) error {
		got, found, err := c.credential(ctx, connection)
		if err == nil && !found {
			err = store.ErrNotFound
		}
		if err == nil {
			cred = got
		}
		return err
	})
	return cred, err
}

// PutGrant implements [store.Credentials].
func (s *Store) PutGrant(ctx context.Context, replaces string, cred store.Credential) error {
	if cred.Connection == "" || cred.Grant == "" {
		return invalid("credential without connection or grant")
	}
	return s.write(ctx, func(t *tx) error {
		if found, err := t.one(background, func(row) {}, "SELECT 1 FROM connection WHERE id = ?1", cred.Connection); err != nil {
			return err
		} else if !found {
			return store.ErrNotFound
		}
		old, _, err := t.credential(background, cred.Connection)
		if err != nil {
			return err
		}
		if old.Grant != replaces {
			return fmt.Errorf("sqlite: grant: %w", store.ErrConflict)
		}
		return t.putCredential(&cred)
	})
}

// SwapCredential implements [store.Credentials].
func (s *Store) SwapCredential(ctx context.Context, grant, consumed string, cred store.Credential) error {
	if cred.Connection == "" || grant == "" || cred.Grant != grant {
		return invalid("credential of another grant")
	}
	return s.write(ctx, func(t *tx) error {
		old, found, err := t.credential(background, cred.Connection)
		if err != nil {
			return err
		}
		if !found || old.Grant != grant || old.RefreshPrint != consumed {
			return fmt.Errorf("sqlite: credential: %w", store.ErrConflict)
		}
		return t.putCredential(&cred)
	})
}

// UpdateCredential implements [store.Credentials].
func (s *Store) UpdateCredential(ctx context.Context, cred store.Credential) error {
	if cred.Connection == "" || cred.Grant == "" {
		return invalid("credential without connection or grant")
	}
	return s.write(ctx, func(t *tx) error {
		old, found, err := t.credential(background, cred.Connection)
		if err != nil {
			return err
		}
		if !found || old.Grant != cred.Grant || old.Revision != cred.Revision {
			return fmt.Errorf("sqlite: credential: %w", store.ErrConflict)
		}
		return t.putCredential(&cred)
	})
}

// BeginAttempt implements [store.Credentials].
func (s *Store) BeginAttempt(ctx context.Context, l store.Lease, grant string, a store.Attempt) error {
	return s.write(ctx, func(t *tx) error {
		if _, err := t.holds(background, l, t.now); err != nil {
			return err
		}
		cred, found, err := t.credential(background, l.Connection)
		if err != nil {
			return err
		}
		if !found || cred.Grant != grant || cred.RefreshPrint != a.RefreshPrint {
			return fmt.Errorf("sqlite: attempt: %w", store.ErrConflict)
		}
		cred.Attempt = &a
		return t.putCredential(&cred)
	})
}
