package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/proof"
)

// row returns the lines of the document from the one of the row to the one of
// the next.
func row(document, id string) (lines []string) {
	for line := range strings.SplitSeq(document, "\n") {
		if strings.HasPrefix(line, "| "+id+" |") || len(lines) > 0 && strings.HasPrefix(line, "|  |") {
			lines = append(lines, line)
		} else if len(lines) > 0 {
			break
		}
	}
	return lines
}

func TestDocument(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 11, n, 12, 0, 0, 0, time.UTC) }
	r1 := proof.Result{ID: "R1", Test: "TestA", Package: "sync", Counts: proof.Counts{"users": 50, "rounds": 2}, Ended: true, Passed: true, Took: 3.4, Date: day(2)}
	older, full, other, died := r1, r1, r1, r1
	older.Passed, older.Date = false, day(1)
	full.Full, full.Passed, full.Counts, full.Took = true, false, proof.Counts{"users": 500}, 3600
	other.Test, other.Package = "TestB/x", "store/sqlite"
	died.ID, died.Ended, died.Passed = "R2", false, false

	text := string(document([]proof.Result{r1, older, full, other, died}))
	text1 := proof.Rows()[0].Invariants[0].Text
	require.Equal(t, []string{
		"| R1 | " + text1 + " | `store/sqlite` TestB/x | rounds 2, users 50 | passed, 2026-11-02, 3 s |  | not run |",
		"|  |  | `sync` TestA | rounds 2, users 50 | passed, 2026-11-02, 3 s | users 500 | **failed**, 2026-11-02, 3600 s |",
	}, row(text, "R1"))
	require.Len(t, row(text, "R2"), 1)
	require.Contains(t, row(text, "R2")[0], "| **did not end**, 2026-11-02, 3 s |  | not run |")
	require.True(t, strings.HasSuffix(row(text, "R3")[0], "| | | not run | | not run |"))
	require.True(t, strings.HasSuffix(row(text, "W2")[0],
		"| later, with a file system that drops unsynced writes | | later, with a file system that drops unsynced writes |"))
	require.Equal(t, 2, strings.Count(text, "| passed,"), "nothing else passed")
}

func TestRun(t *testing.T) {
	dir := t.TempDir()
	output, results := filepath.Join(dir, "out.md"), filepath.Join(dir, "a.jsonl")
	line := `{"id":"R1","test":"TestA","package":"sync","counts":{"users":5},"full":false,"ended":true,"passed":true,"took":1,"date":"2026-11-21T12:00:00Z"}` + "\n"
	require.NoError(t, os.WriteFile(results, []byte(line), 0o644))
	require.NoError(t, run(output, []string{results, filepath.Join(dir, "missing.jsonl")}))
	text, err := os.ReadFile(output)
	require.NoError(t, err)
	require.Contains(t, string(text), "| `sync` TestA | users 5 | passed, 2026-11-21, 1 s |")

	require.NoError(t, os.WriteFile(results, []byte(line+"{not json"), 0o644))
	require.ErrorContains(t, run(output, []string{results}), results)
	require.Error(t, run(output, []string{dir}))
}
