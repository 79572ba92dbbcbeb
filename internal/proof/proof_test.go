package proof_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/proof"
)

func TestCountsFollowTheEnvironment(t *testing.T) {
	for value, want := range map[string]int{"": 5, "0": 5, "yes": 5, "1": 500} {
		t.Setenv("VITALMUX_SOAK", value)
		require.Equal(t, want, proof.N(5, 500), "VITALMUX_SOAK=%s", value)
		require.Equal(t, want == 500, proof.Full())
	}
}

// outcome is a test that is not one: it remembers what happened to it.
type outcome struct {
	testing.TB
	name     string
	failed   bool
	skipped  bool
	logs     []string
	cleanups []func()
}

func (o *outcome) Helper()          {}
func (o *outcome) Name() string     { return o.name }
func (o *outcome) Failed() bool     { return o.failed }
func (o *outcome) Skipped() bool    { return o.skipped }
func (o *outcome) Cleanup(f func()) { o.cleanups = append(o.cleanups, f) }
func (o *outcome) Error(args ...any) {
	o.failed = true
	o.logs = append(o.logs, fmt.Sprint(args...))
}
func (o *outcome) Logf(format string, args ...any) {
	o.logs = append(o.logs, fmt.Sprintf(format, args...))
}
func (o *outcome) Fatalf(format string, args ...any) {
	o.failed = true
	o.Logf(format, args...)
}
func (o *outcome) end() {
	for _, f := range o.cleanups {
		f()
	}
}

func TestSeed(t *testing.T) {
	t.Setenv("VITALMUX_SOAK", "")
	t.Setenv("VITALMUX_SEED", "")
	drawn := &outcome{name: "TestA/b"}
	seed := proof.Seed(drawn)
	require.Equal(t, []string{fmt.Sprintf("replay: VITALMUX_SEED=%d go test ./internal/proof -run '^TestA$/^b$'", seed)}, drawn.logs)
	require.NotEqual(t, seed, proof.Seed(drawn))

	t.Setenv("VITALMUX_SEED", fmt.Sprint(seed))
	t.Setenv("VITALMUX_SOAK", "1")
	again := &outcome{name: "TestA"}
	require.Equal(t, seed, proof.Seed(again))
	require.Contains(t, again.logs[0], "replay: VITALMUX_SOAK=1 VITALMUX_SEED=")

	t.Setenv("VITALMUX_SEED", "many")
	wrong := &outcome{}
	proof.Seed(wrong)
	require.True(t, wrong.failed)
}

func results(t *testing.T, file string) (all []proof.Result) {
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	for scan := bufio.NewScanner(f); scan.Scan(); {
		var r proof.Result
		require.NoError(t, json.Unmarshal(scan.Bytes(), &r))
		require.WithinDuration(t, time.Now(), r.Date, time.Minute)
		require.GreaterOrEqual(t, r.Took, 0.0)
		r.Date, r.Took = time.Time{}, 0
		all = append(all, r)
	}
	return all
}

func TestRow(t *testing.T) {
	t.Setenv("VITALMUX_SOAK", "")
	for _, c := range []struct {
		name            string
		failed, skipped bool
		passed          bool
	}{
		{name: "passed", passed: true},
		{name: "failed", failed: true},
		{name: "skipped", skipped: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "proof.jsonl")
			t.Setenv("VITALMUX_PROOF", file)
			o, counts := &outcome{name: "TestIt"}, proof.Counts{"users": 3}
			proof.Row(o, "R1", counts)
			counts["kills"] = 9
			began := proof.Result{ID: "R1", Test: "TestIt", Package: "internal/proof", Counts: proof.Counts{"users": 3}}
			require.Equal(t, []proof.Result{began}, results(t, file))

			o.failed, o.skipped = c.failed, c.skipped
			o.end()
			ended := began
			ended.Counts, ended.Ended, ended.Passed = counts, true, c.passed
			require.Equal(t, []proof.Result{began, ended}, results(t, file))
		})
	}
}

func TestRowWithoutFile(t *testing.T) {
	t.Setenv("VITALMUX_PROOF", "")
	o := &outcome{name: "TestIt"}
	proof.Row(o, "R1", nil)
	o.end()
	require.False(t, o.failed)

	t.Setenv("VITALMUX_PROOF", filepath.Join(t.TempDir(), "no", "such", "folder"))
	proof.Row(o, "R1", nil)
	require.True(t, o.failed)
}

func TestRowThatIsNotInTheTable(t *testing.T) {
	t.Setenv("VITALMUX_PROOF", "")
	o := &outcome{}
	proof.Row(o, "R99", nil)
	require.True(t, o.failed)
	require.Equal(t, []string{"no row R99 in the table of package proof"}, o.logs)
}

func TestTable(t *testing.T) {
	var due, later []string
	for _, g := range proof.Rows() {
		for _, i := range g.Invariants {
			require.NotContains(t, append(due, later...), i.ID)
			require.True(t, strings.HasSuffix(i.Text, "."), i.ID)
			require.NotContains(t, i.Text, "|", i.ID)
			if i.Later != "" {
				later = append(later, i.ID)
			} else {
				due = append(due, i.ID)
			}
		}
	}
	require.Equal(t, []string{"W2", "X14", "X15"}, later)
	require.Len(t, due, 18+17-1+10+15-2+1)
}

func TestWithoutRace(t *testing.T) {
	if proof.WithoutRace(t) {
		return
	}
	info, ok := debug.ReadBuildInfo()
	require.True(t, ok)
	for _, s := range info.Settings {
		require.NotEqual(t, "-race", s.Key)
	}
}
