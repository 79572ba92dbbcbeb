package proof

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The variables of the environment.
const (
	soakVariable = "VITALMUX_SOAK"
	seedVariable = "VITALMUX_SEED"
	fileVariable = "VITALMUX_PROOF"
)

// Full reports whether this run has full counts.
func Full() bool { return os.Getenv(soakVariable) == "1" }

// N returns how often to try something: ci, or full in a run with full counts.
func N(ci, full int) int {
	if Full() {
		return full
	}
	return ci
}

// Seed returns the seed for the random choices of a test, and logs how to
// repeat them: VITALMUX_SEED, or a new one.
func Seed(t testing.TB) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv(seedVariable); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("%s is not a number: %q", seedVariable, text)
		}
	}
	soak := ""
	if Full() {
		soak = soakVariable + "=1 "
	}
	t.Logf("replay: %s%s=%d go test ./%s -run '^%s$'", soak, seedVariable, seed, testedPackage(), strings.ReplaceAll(t.Name(), "/", "$/^"))
	return seed
}

// Counts says how much a test tried, by what was counted: kills, users, seeds.
type Counts map[string]int

// Result is one line of the file that VITALMUX_PROOF names.
type Result struct {
	ID string `json:"id"`
	// Test is the name of the test, Package its folder in the repository.
	Test    string `json:"test"`
	Package string `json:"package"`
	Counts  Counts `json:"counts"`
	// Full says that the counts are those of a soak.
	Full bool `json:"full"`
	// Ended is false in the line that is written when a test begins; it stays
	// the last one if the process dies.
	Ended  bool `json:"ended"`
	Passed bool `json:"passed"`
	// Took is in seconds.
	Took float64   `json:"took"`
	Date time.Time `json:"date"`
}

// Row says that the test proves the row with the id, with these counts, and
// records when the test ends whether it passed. The counts may be changed until
// then. A test may prove several rows, and a row may have several tests.
func Row(t testing.TB, id string, c Counts) {
	t.Helper()
	if !known(id) {
		t.Fatalf("no row %s in the table of package proof", id)
	}
	began := time.Now()
	r := Result{ID: id, Test: t.Name(), Package: testedPackage(), Counts: c, Full: Full()}
	record := func() {
		r.Date, r.Took = time.Now().UTC(), time.Since(began).Seconds()
		if err := Record(r); err != nil {
			t.Error(err)
		}
	}
	record()
	t.Cleanup(func() {
		r.Ended, r.Passed = true, !t.Failed() && !t.Skipped()
		record()
	})
}

// Record appends a result to the file that VITALMUX_PROOF names, if it names
// one.
func Record(r Result) (err error) {
	name := os.Getenv(fileVariable)
	if name == "" {
		return nil
	}
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("%s: %w", fileVariable, err)
	}
	defer func() {
		if failed := f.Close(); err == nil {
			err = failed
		}
	}()
	// One write, so that the lines of several processes do not mix.
	_, err = f.Write(append(line, '\n'))
	return err
}

// testedPackage returns the folder, in the repository, of the package whose
// test binary this is.
func testedPackage() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	return strings.TrimSuffix(strings.TrimPrefix(info.Path, "github.com/vitalmux/vitalmux/"), ".test")
}
