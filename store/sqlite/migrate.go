package sqlite

import (
	"cmp"
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/vitalmux/vitalmux/store"
)

// applicationID marks the file as one of this package: "VMux".
const applicationID = 0x564d7578

//go:embed schema/*.sql
var schemaFiles embed.FS

// migration is one step of the schema. Steps only go forward, and a released
// step never changes.
type migration struct {
	version int
	text    string
}

// migrations reads the steps from files named "<version>_<what>.sql".
func migrations(files fs.FS) ([]migration, error) {
	names, err := fs.Glob(files, "schema/*.sql")
	if err != nil {
		return nil, err
	}
	var steps []migration
	for _, name := range names {
		number, _, _ := strings.Cut(strings.TrimPrefix(name, "schema/"), "_")
		version, err := strconv.Atoi(number)
		if err != nil {
			return nil, fmt.Errorf("sqlite: schema file %s has no number", name)
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		steps = append(steps, migration{version, string(text)})
	}
	slices.SortFunc(steps, func(a, b migration) int { return cmp.Compare(a.version, b.version) })
	for i, step := range steps {
		if step.version != i+1 {
			return nil, fmt.Errorf("sqlite: schema step %d is missing", i+1)
		}
	}
	return steps, nil
}

// schemaVersion returns the version of the schema, 0 for an empty database. It
// refuses what is not ours or newer than we are.
func (c *conn) schemaVersion(ctx context.Context) (int, error) {
	var id, version, tables int64
	// One statement, since another process may be creating the schema.
	if _, err := c.one(ctx, func(r row) { id, version, tables = r.int(0), r.int(1), r.int(2) },
		`SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version),
			(SELECT count(*) FROM main.sqlite_schema)`); err != nil {
		return 0, err
	}
	if id == 0 && version == 0 && tables == 0 {
		return 0, nil
	}
	if id != applicationID {
		return 0, ErrForeign
	}
	steps, err := migrations(schemaFiles)
	if err != nil {
		return 0, err
	}
	if version > int64(len(steps)) {
		return 0, fmt.Errorf("%w: version %d, this release knows %d", store.ErrSchema, version, len(steps))
	}
	return int(version), nil
}

// migrate brings the schema up to date, one transaction per step.
func migrate(ctx context.Context, c *conn) error {
	steps, err := migrations(schemaFiles)
	if err != nil {
		return err
	}
	for {
		version, err := c.schemaVersion(ctx)
		if err != nil {
			return err
		}
		if version == len(steps) {
			return nil
		}
		if err := c.step(ctx, steps, version); err != nil {
			return fmt.Errorf("sqlite: schema step %d: %w", version+1, err)
		}
	}
}

// step applies the step after version, unless another process was faster.
func (c *conn) step(ctx context.Context, steps []migration, version int) (err error) {
	if err := c.script(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.script(background, "ROLLBACK"))
		}
	}()
	now, err := c.schemaVersion(ctx)
	if err != nil {
		return err
	}
	if now != version {
		return c.script(ctx, "COMMIT")
	}
	next := steps[version]
	if err := c.script(ctx, next.text); err != nil {
		return err
	}
	if version == 0 {
		key := make([]byte, 32)
		if _, err := rand.Read(key); err != nil {
			return err
		}
		if _, err := c.exec(ctx, "INSERT INTO meta(name, value) VALUES('erase_key', ?1)", key); err != nil {
			return err
		}
	}
	if err := c.script(ctx, fmt.Sprintf("PRAGMA application_id=%d; PRAGMA user_version=%d", applicationID, next.version)); err != nil {
		return err
	}
	return c.script(ctx, "COMMIT")
}
