package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestArchiveIsMadeAndImported(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "archive")
	var first bytes.Buffer
	require.NoError(t, run(t.Context(), &first, dir, 12, 3))
	text := first.String()
	require.Contains(t, text, "answers of the service in "+dir)
	require.Regexp(t, `(?m)^Imported: [1-9]\d+ new records, 0 changed, 0 set aside\.$`, text)
	require.Contains(t, text, "Imported again: 0 new records, 0 changed, 0 set aside.\n")
	require.Regexp(t, `(?m)^activity +1[2-4] `, text)
	require.Regexp(t, `(?m)^sleep +\d+ +20`, text)
	body, err := os.ReadFile(filepath.Join(dir, "profile", "profile.json"))
	require.NoError(t, err)
	require.Contains(t, string(body), `"timezone":"Europe/Berlin"`)

	// What is there is read, and a file that is spoiled does not keep the others from it.
	require.NoError(t, os.WriteFile(filepath.Join(dir, "devices", "devices.json"), []byte("<html>"), 0o600))
	var second bytes.Buffer
	require.NoError(t, run(t.Context(), &second, dir, 12, 3))
	require.NotContains(t, second.String(), "Kept")
	require.Contains(t, second.String(), " 1 set aside.")
	require.Equal(t, strings.Count(text, "\n")-2, strings.Count(second.String(), "\n"), "no devices")
}

// TestHalfAnArchiveIsNone: what an interrupted run leaves is not taken for an
// archive.
func TestHalfAnArchiveIsNone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "archive")
	require.NoError(t, os.MkdirAll(filepath.Join(dir+".part", "profile"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir+".part", "profile", "profile.json"), []byte("{"), 0o600))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	require.ErrorIs(t, run(ctx, &out, dir, 2, 3), context.Canceled)
	require.NoDirExists(t, dir)
	require.NoError(t, run(t.Context(), &out, dir, 2, 3))
	require.Contains(t, out.String(), " 0 set aside.")
	require.NoDirExists(t, dir+".part")

	other := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(other, "notes.txt"), []byte("x"), 0o600))
	require.ErrorContains(t, run(t.Context(), &out, other, 2, 3), "no answers")
}

func TestFolderOfItsOwnIsRemoved(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out, "", 2, 3))
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	require.NoError(t, err)
	require.Empty(t, left)
	require.Error(t, run(t.Context(), &out, "", 0, 3))
	require.Error(t, run(t.Context(), &out, os.Args[0], 1, 3), "not a folder")
}
