package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/examples/internal/demo"
	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/providers/withings/withingstest"
	"github.com/vitalmux/vitalmux/store"
	sqlitestore "github.com/vitalmux/vitalmux/store/sqlite"
)

// TestKilledAtAnyMoment kills the demonstration with SIGKILL at moments spread
// evenly over the time a whole run takes, runs it again to the end, and
// compares the file with what the simulator holds: nothing missing, nothing
// twice, nothing different from a run that was never killed.
//
// VITALMUX_KILLS sets the number of kills, VITALMUX_SEED the moments, and
// VITALMUX_KILL_DAYS the length of the history.
//
// The race detector would slow the comparing down, not the program, which is
// built without it.
func TestKilledAtAnyMoment(t *testing.T) {
	if proof.WithoutRace(t) {
		return
	}
	kills := number(t, "VITALMUX_KILLS", 200)
	proof.Row(t, "S1", proof.Counts{"kills of the example": kills})
	seed := uint64(number(t, "VITALMUX_SEED", int(time.Now().UnixNano()&0xffffff)))
	days := number(t, "VITALMUX_KILL_DAYS", 12)
	t.Logf("VITALMUX_SEED=%d VITALMUX_KILLS=%d VITALMUX_KILL_DAYS=%d", seed, kills, days)
	program := filepath.Join(t.TempDir(), "demo")
	build := exec.Command("go", "build", "-race=false", "-o", program, ".")
	output, err := build.CombinedOutput()
	require.NoError(t, err, "%s", output)

	// Most of a round is waiting for the leases of the killed run to end.
	const workers = 8
	var working sync.WaitGroup
	var hits atomic.Int64
	timed := new(clock)
	failures := make(chan error, workers)
	for w := range workers {
		working.Go(func() {
			h := &harness{
				program: program, dir: t.TempDir(), days: days, clock: timed,
				random: rand.New(rand.NewPCG(seed, uint64(w))),
			}
			defer h.start()()
			failures <- func() error {
				if err := h.measure(t); err != nil {
					return err
				}
				if err := h.account(t, h.want); err != nil {
					return err
				}
				for i := w; i < kills; i += workers {
					if i/workers%measureEvery == measureEvery-1 {
						if err := h.measure(t); err != nil {
							return err
						}
					}
					hit, err := h.round(t, i)
					if err != nil {
						return fmt.Errorf("kill %d: %w", i, err)
					}
					if hit {
						hits.Add(1)
					}
				}
				return nil
			}()
		})
	}
	working.Wait()
	for range workers {
		require.NoError(t, <-failures)
	}
	t.Logf("%d of %d kills hit a process that had committed something and was not finished", hits.Load(), kills)
	require.GreaterOrEqual(t, hits.Load()*100, int64(kills)*80)
}

func number(t *testing.T, name string, otherwise int) int {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, name)
	return n
}

// harness runs the program against a simulator of its own.
type harness struct {
	program, dir string
	days         int
	random       *rand.Rand
	sim          *withingstest.Server
	address      string
	want         map[string]string
	*clock
}

// clock is held while a run is measured or killed, so that both are under the
// same load.
type clock struct {
	sync.Mutex
	// took are the durations of the whole syncs so far.
	took []time.Duration
}

// duration is the shortest of the last whole syncs.
func (c *clock) duration() time.Duration { return slices.Min(c.took[max(0, len(c.took)-3):]) }

const killUsers = 3

// measureEvery is after how many rounds a whole sync is measured again.
const measureEvery = 8

func (h *harness) start() (stop func()) {
	now := time.Now().UTC().Truncate(time.Second)
	h.sim = withingstest.New(withingstest.Config{
		Seed: 1, Now: func() time.Time { return now }, RateLimit: -1, IdenticalCallWindow: -1,
		IntradayDays: h.days / 2,
	})
	for i := range killUsers {
		// A little less history than is asked for, so that all of it is.
		h.sim.AddUser(withingstest.UserConfig{
			ID: int64(1001 + i), Days: h.days - 3,
			Timezone: []string{"Europe/Berlin", "America/New_York", "Asia/Kathmandu"}[i%3],
		})
	}
	server := httptest.NewServer(h.sim)
	h.address = server.URL
	return server.Close
}

// begin starts the program and returns when it has begun to sync.
func (h *harness) begin(db string) (*exec.Cmd, *bufio.Reader, error) {
	cmd := exec.Command(h.program, "-db", db, "-simulator", h.address,
		"-days", strconv.Itoa(h.days), "-users", strconv.Itoa(killUsers))
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	out := bufio.NewReader(pipe)
	for {
		line, err := out.ReadString('\n')
		if strings.HasPrefix(line, "Backfill of") {
			return cmd, out, nil
		}
		if err != nil {
			return nil, nil, errors.Join(errors.New("the program ended before it synced"), cmd.Wait())
		}
	}
}

// whole runs the program to its end and returns how long the sync took.
func (h *harness) whole(db string) (time.Duration, error) {
	cmd, out, err := h.begin(db)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	took := time.Duration(0)
	for {
		line, err := out.ReadString('\n')
		if strings.Contains(line, "ada (") {
			took = time.Since(began)
		}
		if errors.Is(err, io.EOF) {
			return took, cmd.Wait()
		}
		if err != nil {
			return 0, errors.Join(err, cmd.Wait())
		}
	}
}

// measure lets one run finish.
func (h *harness) measure(t *testing.T) error {
	db := filepath.Join(h.dir, "whole.db")
	h.Lock()
	took, err := h.whole(db)
	h.took = append(h.took, took)
	h.Unlock()
	if err != nil {
		return err
	}
	h.want, err = contents(t, db)
	return errors.Join(err, os.Remove(db), os.Remove(db+".key"))
}

// account compares a file with the truth of the simulator.
func (h *harness) account(t *testing.T, have map[string]string) error {
	want := make(map[string]int)
	for i, user := range h.sim.Users() {
		truth, name := h.sim.Truth(user.ID), demo.Names()[i]
		for _, g := range truth.Measures {
			want[fmt.Sprintf("%s body measures/%d", name, g.ID)]++
		}
		for _, n := range truth.Nights {
			want[fmt.Sprintf("%s sleep sleep_summary/%d", name, n.ID)]++
		}
		for _, w := range truth.Workouts {
			want[fmt.Sprintf("%s activity workouts/%d", name, w.ID)]++
		}
		want[name+" activities"] = len(truth.Activities)
		want[name+" hearts"] = len(truth.Hearts)
		want[name+" devices"] = len(truth.Devices)
		for _, p := range truth.Intraday {
			if _, ok := p.Data["steps"]; ok {
				want[name+" intraday steps"]++
			}
		}
	}
	got := make(map[string]int)
	for key, content := range have {
		user, rest, _ := strings.Cut(key, " ")
		_, record, _ := strings.Cut(rest, " ")
		switch stream, _, _ := strings.Cut(record, "/"); stream {
		case "measures", "sleep_summary", "workouts":
			got[key]++
		case "activity":
			got[user+" activities"]++
		case "heart":
			got[user+" hearts"]++
		case "devices":
			got[user+" devices"]++
		case "samples of steps":
			n, err := strconv.Atoi(content)
			if err != nil {
				return err
			}
			got[user+" intraday steps"] += n
		}
	}
	for key, n := range want {
		if got[key] != n {
			return fmt.Errorf("%s: the simulator has %d, the file %d", key, n, got[key])
		}
	}
	for key, n := range got {
		if want[key] != n {
			return fmt.Errorf("%s: the file has %d, the simulator %d", key, n, want[key])
		}
	}
	return nil
}

// round kills one run, and lets the next one finish. It reports whether the
// kill hit a process that had committed something and was not finished.
func (h *harness) round(t *testing.T, i int) (bool, error) {
	db := filepath.Join(h.dir, fmt.Sprintf("%d.db", i))
	killed, err := h.kill(db)
	if err != nil {
		return false, err
	}
	after, err := contents(t, db)
	if err != nil {
		return false, fmt.Errorf("the file after the kill: %w", err)
	}
	if _, err := h.whole(db); err != nil {
		return false, err
	}
	have, err := contents(t, db)
	if err != nil {
		return false, err
	}
	for key, content := range h.want {
		if have[key] != content {
			return false, fmt.Errorf("%s is not as in a run that was not killed (there: %t)", key, have[key] != "")
		}
	}
	if len(have) != len(h.want) {
		return false, fmt.Errorf("%d records, %d in a run that was not killed", len(have), len(h.want))
	}
	for _, suffix := range []string{"", ".key"} {
		if err := os.Remove(db + suffix); err != nil {
			return false, err
		}
	}
	return killed && len(after) > 0, nil
}

// kill starts a run and kills it at some moment of its sync. It reports whether
// the run was not finished.
func (h *harness) kill(db string) (bool, error) {
	h.Lock()
	defer h.Unlock()
	cmd, out, err := h.begin(db)
	if err != nil {
		return false, err
	}
	after := time.Duration(h.random.Int64N(int64(h.duration())))
	timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	_, _ = io.Copy(io.Discard, out)
	return cmd.Wait() != nil, nil
}

// contents returns a digest of every record in the file, and the number of
// intraday step samples, by user, kind and key.
func contents(t *testing.T, path string) (map[string]string, error) {
	db, err := sqlitestore.Open(t.Context(), path, nil)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	all := make(map[string]string)
	for _, user := range demo.Names()[:killUsers] {
		for r, err := range store.AllRecords(t.Context(), db, store.RecordQuery{User: user, Deleted: true}) {
			if err != nil {
				return nil, err
			}
			key := fmt.Sprintf("%s %s %s", user, r.Kind, r.Key)
			if _, twice := all[key]; twice {
				return nil, fmt.Errorf("%s is there twice", key)
			}
			all[key] = fmt.Sprintf("%s %016x", r.State, r.Rev.Fingerprint)
		}
		points := 0
		for q := (store.SampleQuery{User: user, Metric: health.MetricSteps}); ; {
			page, err := db.Samples(t.Context(), q)
			if err != nil {
				return nil, err
			}
			for _, run := range page.Runs {
				points += run.Series.Len()
			}
			if q.After = page.Next; q.After == "" {
				break
			}
		}
		if points > 0 {
			all[user+" - samples of steps"] = strconv.Itoa(points)
		}
	}
	return all, db.Close()
}
