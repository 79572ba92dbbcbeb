package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// fault is one row: a change of the code, and the test that must notice.
type fault struct {
	name string
	// file, from the root of the module, has the text old exactly once, where
	// the fault has new.
	file     string
	old, new string
	// pkg is the folder of the test's package, test the regular expression for
	// go test -run.
	pkg, test string
	// tags are build tags, separated by commas.
	tags string
	// env is added to the environment, as "NAME=value".
	env []string
}

// runner tries faults one after the other.
type runner struct {
	root string // of the module
	dir  string // for what is thrown away
	// sound holds, by package, tags, environment and test, what came of the
	// test without a fault.
	sound  map[string]error
	output io.Writer // of the tests; nil is nowhere
}

// testTimeout is how long a test may take. One that hangs because of the fault
// has noticed it too.
const testTimeout = "5m"

// try returns nil if the test fails with the fault and passes without.
func (r *runner) try(ctx context.Context, f fault) error {
	overlay, err := r.overlay(f)
	if err != nil {
		return err
	}
	key := strings.Join(append([]string{f.pkg, f.test, f.tags}, f.env...), "\x00")
	if _, known := r.sound[key]; !known {
		r.sound[key] = r.pass(ctx, f)
	}
	if err := r.sound[key]; err != nil {
		return err
	}
	output, err := r.run(ctx, f, overlay)
	switch {
	case err == nil:
		return errors.New("the test passes in spite of the fault")
	case !testFailed(err):
		return fmt.Errorf("with the fault: %w", err)
	case !failure.Match(output):
		return fmt.Errorf("with the fault the test binary fails without a failing test: %s", tail(output))
	}
	return nil
}

// failure is what a test binary prints when a test fails, panics, hangs, or
// finds a data race.
var failure = regexp.MustCompile(`(?m)^\s*--- FAIL: |^panic: |^fatal error: |^WARNING: DATA RACE|goleak: Errors`)

// pass demands that the test passes without a fault, and that there is one.
func (r *runner) pass(ctx context.Context, f fault) error {
	output, err := r.run(ctx, f, "")
	switch {
	case testFailed(err):
		return fmt.Errorf("the test fails without the fault: %s", tail(output))
	case err != nil:
		return fmt.Errorf("without the fault: %w", err)
	case !regexp.MustCompile(`(?m)^--- PASS: `).Match(output):
		return errors.New("no test matches")
	}
	return nil
}

// overlay writes the file with the fault, and returns the path of an overlay
// that puts it in the place of the sound one.
func (r *runner) overlay(f fault) (string, error) {
	path := filepath.Join(r.root, filepath.FromSlash(f.file))
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if n := bytes.Count(text, []byte(f.old)); n != 1 {
		return "", fmt.Errorf("the code moved: the text to replace occurs %d times in %s", n, f.file)
	}
	if f.old == f.new {
		return "", errors.New("the fault changes nothing")
	}
	mutant := filepath.Join(r.dir, f.name+".go")
	err = os.WriteFile(mutant, bytes.Replace(text, []byte(f.old), []byte(f.new), 1), 0o644)
	if err != nil {
		return "", err
	}
	list, err := json.Marshal(map[string]map[string]string{"Replace": {path: mutant}})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(r.dir, f.name+".json")
	return overlay, os.WriteFile(overlay, list, 0o644)
}

// run builds the test binary and runs the test. What goes wrong before the
// test runs is not an *exec.ExitError.
func (r *runner) run(ctx context.Context, f fault, overlay string) ([]byte, error) {
	// What a broken build proves is no result of the test.
	env := append(os.Environ(), append([]string{"VITALMUX_PROOF="}, f.env...)...)
	if overlay != "" {
		// For this build and for those that the test makes.
		env = append(env, strings.TrimSpace("GOFLAGS="+os.Getenv("GOFLAGS")+" -overlay="+overlay))
	}
	command := func(dir, name string, args ...string) ([]byte, error) {
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Dir, cmd.Env = dir, env
		output, err := cmd.CombinedOutput()
		if r.output != nil {
			_, _ = r.output.Write(output)
		}
		return output, err
	}
	binary := filepath.Join(r.dir, "sabotage.test")
	output, err := command(r.root, "go", "test", "-c", "-tags", f.tags, "-o", binary, "./"+f.pkg)
	if err != nil {
		return nil, fmt.Errorf("it does not build: %s", tail(output))
	}
	args := []string{"-test.v", "-test.failfast", "-test.timeout=" + testTimeout, "-test.run=" + f.test}
	dependencies, err := command(r.root, "go", "list", "-deps", "-test", "./"+f.pkg)
	if err != nil {
		return nil, fmt.Errorf("go list: %s", tail(dependencies))
	}
	if slices.Contains(strings.Fields(string(dependencies)), "pgregory.net/rapid") {
		// Else it writes what it found into testdata.
		args = append(args, "-rapid.nofailfile")
	}
	return command(filepath.Join(r.root, filepath.FromSlash(f.pkg)), binary, args...)
}

// testFailed reports whether err is that of a test binary that ran and failed.
func testFailed(err error) bool {
	_, ok := errors.AsType[*exec.ExitError](err)
	return ok
}

// tail returns the last lines of an output.
func tail(output []byte) string {
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	return "\n\t" + strings.Join(lines[max(0, len(lines)-12):], "\n\t")
}

// moduleRoot returns the folder of go.mod.
func moduleRoot(ctx context.Context) (string, error) {
	output, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(output))), nil
}
