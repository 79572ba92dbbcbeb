package sqlite_test

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
	sqlitestore "github.com/vitalmux/vitalmux/store/sqlite"
)

// execSQL runs SQL on a file as another program would.
func execSQL(t *testing.T, path string, texts ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	require.NoError(t, err)
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, text := range texts {
		_, err := db.Exec(text)
		require.NoError(t, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	file := func(mode os.FileMode, content string) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
			require.NoError(t, os.Chmod(path, mode))
		}
	}
	used := func(t *testing.T, path string) {
		s, err := sqlitestore.Open(t.Context(), path, nil)
		require.NoError(t, err)
		_, err = s.Commit(t.Context(), batchOf(weight("1", testNow, 70_000)))
		require.NoError(t, err)
		require.NoError(t, s.Close())
	}
	for _, c := range []struct {
		name    string
		prepare func(*testing.T, string)
		want    error
	}{
		{"newer schema", func(t *testing.T, path string) {
			used(t, path)
			execSQL(t, path, "PRAGMA user_version=999")
		}, store.ErrSchema},
		{"not a database", file(0o600, strings.Repeat("these are not the bytes of a database\n", 200)), sqlitestore.ErrNotDatabase},
		{"a short file that is not a database", file(0o600, "hello"), sqlitestore.ErrNotDatabase},
		{"another application's database", func(t *testing.T, path string) {
			execSQL(t, path, "CREATE TABLE t(x)", "INSERT INTO t VALUES(1)")
			require.NoError(t, os.Chmod(path, 0o600))
		}, sqlitestore.ErrForeign},
		{"another application's id", func(t *testing.T, path string) {
			execSQL(t, path, "PRAGMA application_id=77")
			require.NoError(t, os.Chmod(path, 0o600))
		}, sqlitestore.ErrForeign},
		{"read-only file", func(t *testing.T, path string) {
			used(t, path)
			require.NoError(t, os.Chmod(path, 0o400))
		}, sqlitestore.ErrNotWritable},
		{"read-only directory", func(t *testing.T, path string) {
			require.NoError(t, os.Chmod(filepath.Dir(path), 0o500))
			t.Cleanup(func() { require.NoError(t, os.Chmod(filepath.Dir(path), 0o700)) })
		}, sqlitestore.ErrNotWritable},
		{"readable by others", func(t *testing.T, path string) {
			used(t, path)
			require.NoError(t, os.Chmod(path, 0o644))
		}, sqlitestore.ErrExposed},
		{"readable by the group", func(t *testing.T, path string) {
			used(t, path)
			require.NoError(t, os.Chmod(path, 0o640))
		}, store.ErrUnsafe},
		{"directory writable by everybody", func(t *testing.T, path string) {
			require.NoError(t, os.Chmod(filepath.Dir(path), 0o777))
		}, sqlitestore.ErrExposed},
		{"a directory", func(t *testing.T, path string) { require.NoError(t, os.Mkdir(path, 0o700)) }, sqlitestore.ErrNotDatabase},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "store.db")
			c.prepare(t, path)
			before := snapshot(t, path)
			_, err := sqlitestore.Open(t.Context(), path, nil)
			require.ErrorIs(t, err, c.want)
			require.True(t, bytes.Equal(before, snapshot(t, path)), "the file was touched")
		})
	}
	t.Run("missing directory", func(t *testing.T) {
		_, err := sqlitestore.Open(t.Context(), filepath.Join(t.TempDir(), "missing", "store.db"), nil)
		require.ErrorIs(t, err, sqlitestore.ErrNotWritable)
	})
	for _, path := range []string{"", ":memory:", "file:x.db"} {
		_, err := sqlitestore.Open(t.Context(), path, nil)
		require.ErrorIs(t, err, store.ErrInvalid, path)
	}
	_, err := sqlitestore.Open(t.Context(), filepath.Join(t.TempDir(), "store.db"), &sqlitestore.Options{Synchronous: "off"})
	require.ErrorIs(t, err, store.ErrInvalid)
}

// snapshot returns the bytes of a file, nil if there is none.
func snapshot(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) || err != nil && strings.Contains(err.Error(), "is a directory") {
		return nil
	}
	require.NoError(t, err)
	return b
}

func TestOpenAnyMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := open(t, path, nil)
	require.NoError(t, s.Close())
	require.NoError(t, os.Chmod(path, 0o644))
	require.NoError(t, os.Chmod(filepath.Dir(path), 0o777))
	open(t, path, &sqlitestore.Options{AnyMode: true})
}

func TestOpenPathWithSpecialCharacters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "what? 100% #1 store.db")
	s := open(t, path, nil)
	_, err := s.Commit(t.Context(), batchOf(weight("1", testNow, 70_000)))
	require.NoError(t, err)
	require.NoError(t, s.Close())
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.Equal(t, filepath.Base(path), entries[0].Name())
}

func TestOpenEmptyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	s := open(t, path, nil)
	_, err := s.Commit(t.Context(), batchOf(weight("1", testNow, 70_000)))
	require.NoError(t, err)
}

func TestFilesArePrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := open(t, path, nil)
	_, err := s.Commit(t.Context(), batchOf(weight("1", testNow, 70_000)))
	require.NoError(t, err)
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), suffix)
	}
	require.NoError(t, s.Close())
	_, err = os.Stat(path + "-wal")
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestBusyWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := open(t, path, &sqlitestore.Options{BusyTimeout: 100 * time.Millisecond})
	db, err := sql.Open("sqlite", "file:"+path)
	require.NoError(t, err)
	defer db.Close()
	c, err := db.Conn(t.Context())
	require.NoError(t, err)
	defer c.Close()
	_, err = c.ExecContext(t.Context(), "BEGIN IMMEDIATE")
	require.NoError(t, err)

	_, err = s.Commit(t.Context(), batchOf(weight("1", testNow, 70_000)))
	require.ErrorIs(t, err, store.ErrBusy)
	_, err = s.Records(t.Context(), store.RecordQuery{User: "u1"})
	require.NoError(t, err, "readers do not wait for a writer")

	_, err = c.ExecContext(t.Context(), "COMMIT")
	require.NoError(t, err)
	_, err = s.Commit(t.Context(), batchOf(weight("1", testNow, 70_000)))
	require.NoError(t, err)
}

func TestOpenWaitsForTheFirstWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	db, err := sql.Open("sqlite", "file:"+path)
	require.NoError(t, err)
	defer db.Close()
	c, err := db.Conn(t.Context())
	require.NoError(t, err)
	defer c.Close()
	_, err = c.ExecContext(t.Context(), "BEGIN EXCLUSIVE")
	require.NoError(t, err)
	_, err = sqlitestore.Open(t.Context(), path, &sqlitestore.Options{BusyTimeout: 50 * time.Millisecond})
	require.ErrorIs(t, err, store.ErrBusy)
	_, err = c.ExecContext(t.Context(), "ROLLBACK")
	require.NoError(t, err)
	open(t, path, nil)
}

func TestOldSchemaIsBroughtUpToDate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	text, err := os.ReadFile("schema/0001_tables.sql")
	require.NoError(t, err)
	execSQL(t, path, string(text), "INSERT INTO meta VALUES('erase_key', x'0102')", "PRAGMA application_id=1447916920", "PRAGMA user_version=1")
	require.NoError(t, os.Chmod(path, 0o600))
	s := open(t, path, nil)
	_, err = s.Commit(t.Context(), batchOf(weight("1", testNow, 70_500)))
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.Equal(t, [][]string{{"70.5"}}, query(t, path, "SELECT weight_kg FROM v_body"))
	versions, err := filepath.Glob("schema/*.sql")
	require.NoError(t, err)
	require.Equal(t, [][]string{{fmt.Sprint(len(versions))}}, query(t, path, "PRAGMA user_version"))
}

func TestBackup(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "store.db"), nil)
	_, err := s.Commit(t.Context(), batchOf(weight("1", testNow, 70_000), weight("2", testNow, 71_000)))
	require.NoError(t, err)
	copied := filepath.Join(dir, "copy.db")
	require.NoError(t, s.Backup(t.Context(), copied))
	require.Error(t, s.Backup(t.Context(), copied), "an existing file is not overwritten")

	info, err := os.Stat(copied)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	b := open(t, copied, nil)
	page, err := b.Records(t.Context(), store.RecordQuery{User: "u1"})
	require.NoError(t, err)
	require.Len(t, page.Records, 2)
}

func TestEraseLeavesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := open(t, path, nil)
	const canary = "CANARY-device-0123456789"
	var records []health.Record
	for i := range 500 {
		r := weight(fmt.Sprintf("CANARY-key-%d", i), testNow.Add(-time.Duration(i)*time.Minute), 70_000)
		r.Source.Device = canary
		r.Texts = []health.Text{{Name: "notes", Value: "CANARY text"}}
		records = append(records, r)
	}
	b := batchOf(records...)
	b.User = "CANARY-user"
	b.Pages[0].Raw = &health.RawPage{Stream: "measure", Bodies: []health.RawBody{{Name: "CANARY", Body: []byte("CANARY body")}}}
	b.Pages[0].Quarantined = []store.Quarantined{{Key: "CANARY-q", Reason: "CANARY", Raw: []byte("CANARY")}}
	ctx := t.Context()
	_, err := s.PutConnection(ctx, store.Connection{
		ID: "c1", User: "CANARY-user", Provider: "withings", UpstreamID: "CANARY-upstream", Reason: "CANARY", Scopes: []string{"CANARY"},
	})
	require.NoError(t, err)
	_, err = s.Commit(ctx, b)
	require.NoError(t, err)
	pair := store.Credential{Connection: "c1", Grant: "CANARY-g", RefreshPrint: "CANARY-p", Sealed: []byte("CANARY"), Previous: []byte("CANARY")}
	require.NoError(t, s.PutGrant(ctx, "", pair))
	pair, err = s.Credential(ctx, "c1")
	require.NoError(t, err)
	pair.Siblings = []store.Sibling{{Sealed: []byte("CANARY sibling"), RefreshPrint: "CANARY-s"}}
	require.NoError(t, s.UpdateCredential(ctx, pair))
	require.NoError(t, s.PutFlow(ctx, store.Flow{
		ID: "CANARY-f", Provider: "withings", User: "CANARY-user", Sealed: []byte("CANARY"), ExpiresAt: time.Now().Add(time.Hour),
	}))
	require.NoError(t, s.SwapSetting(ctx, "CANARY-user", "raw_key", nil, []byte("CANARY first value")))
	require.NoError(t, s.SwapSetting(ctx, "CANARY-user", "raw_key", []byte("CANARY first value"), bytes.Repeat([]byte("CANARY second value"), 1000)))
	for i, status := range []store.DeliveryStatus{store.DeliveryNew, store.DeliveryParked, store.DeliveryDead} {
		put, err := s.PutDelivery(ctx, store.Delivery{
			ID: fmt.Sprintf("delivery %d", i), Endpoint: "withings/main", Subject: "CANARY-upstream", Received: testNow, Status: status,
			Reason: "CANARY", Meta: []byte("CANARY"), Body: []byte("CANARY body"),
		})
		require.NoError(t, err)
		require.True(t, put)
	}
	item := store.InboxItem{ID: "delivery 0/0", User: "CANARY-user", Connection: "c1", Received: testNow, Payload: []byte("CANARY payload")}
	require.NoError(t, s.Assign(ctx, "delivery 0", store.Assignment{Items: []store.InboxItem{item}}))
	job := store.Job{ID: "job", Provider: "withings", Kind: "revoke", Sealed: []byte("sealed"), Receipt: "receipt"}
	require.NoError(t, s.PutJob(ctx, job))
	stored := append(snapshot(t, path), snapshot(t, path+"-wal")...)
	require.True(t, bytes.Contains(stored, []byte("CANARY second value")))

	e, err := s.Erase(ctx, "CANARY-user")
	require.NoError(t, err)
	require.Equal(t, []int{1, 1, 2, 1}, []int{e.Connections, e.InboxItems, e.Deliveries, e.Settings})
	require.Equal(t, 500, e.Records)
	require.Equal(t, 500, e.Changes)
	require.Equal(t, 1, e.RawPages)
	for _, suffix := range []string{"", "-wal"} {
		require.False(t, bytes.Contains(snapshot(t, path+suffix), []byte("CANARY")), "%q", suffix)
	}
	_, err = s.Commit(ctx, b)
	require.ErrorIs(t, err, store.ErrErased)
	jobs, err := s.Jobs(ctx, store.JobQuery{})
	require.NoError(t, err)
	require.Equal(t, []store.Job{job}, jobs)
}

func TestLogStaysShort(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := open(t, path, &sqlitestore.Options{Synchronous: sqlitestore.SynchronousNormal})
	largest := int64(0)
	at := testNow.AddDate(-5, 0, 0)
	for n := range 40 {
		records := make([]health.Record, 1000)
		for i := range records {
			at = at.Add(time.Minute)
			records[i] = weight(fmt.Sprintf("%08d", n*1000+i), at, 70_000)
		}
		_, err := s.Commit(t.Context(), batchOf(records...))
		require.NoError(t, err)
		info, err := os.Stat(path + "-wal")
		require.NoError(t, err)
		largest = max(largest, info.Size())
	}
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Less(t, largest, int64(32<<20))
	require.NoError(t, s.Close())
	require.Greater(t, info.Size(), int64(0))
	_, err = os.Stat(path + "-wal")
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestFileSize(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := open(t, path, nil)
	for _, b := range scaleBatches(10) {
		_, err := s.Commit(t.Context(), b)
		require.NoError(t, err)
	}
	require.NoError(t, s.Close())
	info, err := os.Stat(path)
	require.NoError(t, err)
	// A row of about 330 bytes encoded.
	require.Less(t, info.Size(), int64(10_000*260))
}
