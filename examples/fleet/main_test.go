package main

import (
	"bytes"
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/store/redis/redistest"
)

// TestMain is a worker in a process that is started for that.
func TestMain(m *testing.M) {
	if os.Getenv(workerVariable) != "" {
		os.Exit(workInChild())
	}
	goleak.VerifyTestMain(m)
}

func TestFleetEndsWithWhatTheSimulatorHolds(t *testing.T) {
	if testing.Short() {
		t.Log("left out by -short: it needs redis-server")
		return
	}
	o := options{
		people: proof.N(20, 2000), days: 5, workers: 3, prefix: "test:", seed: proof.Seed(t),
		killEvery: time.Duration(proof.N(2, 4)) * time.Second,
	}
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), o, &out), "%s", &out)
	t.Logf("%s", &out)
	require.Regexp(t, `[1-9]\d* records and [1-9]\d* samples of \d+ people in .*, with [1-9]\d* kills: exactly what the simulator holds`, out.String())
}

// hook is a writer that calls then when a text is written.
type hook struct {
	bytes.Buffer
	text string
	then func()
}

func (h *hook) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(h.text)) {
		h.then()
	}
	return h.Buffer.Write(p)
}

// TestInterruptedRun ends a run in its middle. Its workers end with it, which
// goleak sees, and the next run on the server says what it lacks.
func TestInterruptedRun(t *testing.T) {
	if testing.Short() {
		t.Log("left out by -short: it needs redis-server")
		return
	}
	server, err := redistest.Start(redistest.Config{})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	ctx, cancel := context.WithCancel(t.Context())
	o := options{people: 2, days: 1, workers: 2, prefix: "test:", redisURL: "redis://" + server.Addr()}
	out := &hook{text: "2 workers", then: cancel}
	require.ErrorIs(t, run(ctx, o, out), context.Canceled)
	require.Contains(t, out.String(), "2 of 2 are connected")
	require.NotContains(t, out.String(), "exactly")
	require.ErrorContains(t, run(t.Context(), o, &bytes.Buffer{}), "-prefix test: on this server: choose another")
}

func TestWorkerThatEndsByItselfIsMissed(t *testing.T) {
	f := &force{job: job{RedisURL: "no address"}}
	require.NoError(t, f.start())
	var err error
	require.Eventually(t, func() bool { err = f.check(); return err != nil }, time.Minute, 10*time.Millisecond)
	require.ErrorContains(t, err, "a worker ended by itself: exit status 1")
	require.NoError(t, f.end())
}

func TestRunRefusesNothingToDo(t *testing.T) {
	for _, o := range []options{{people: 0, days: 1, workers: 1}, {people: 1, days: 0, workers: 1}, {people: 1, days: 1, workers: 0}} {
		require.ErrorContains(t, run(t.Context(), o, &bytes.Buffer{}), "at least 1")
	}
}

func TestRunRefusesWhatIsNoRedis(t *testing.T) {
	var out bytes.Buffer
	err := run(t.Context(), options{people: 1, days: 1, workers: 1, redisURL: "http://user:password@127.0.0.1"}, &out)
	require.ErrorContains(t, err, "-redis-url")
	require.NotContains(t, err.Error(), "password")
}
