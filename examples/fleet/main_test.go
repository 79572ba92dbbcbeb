package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vitalmux/vitalmux/internal/proof"
)

// TestMain is a worker in a process that is started for that.
func TestMain(m *testing.M) {
	if os.Getenv(workerVariable) != "" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		err := work(ctx, os.Stdin)
		stop()
		if err != nil {
			fmt.Fprintln(os.Stderr, "worker:", err)
			os.Exit(1)
		}
		os.Exit(0)
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
	require.Regexp(t, `[1-9]\d* records and [1-9]\d* samples of \d+ people in .*: exactly what the simulator holds`, out.String())
}

func TestRunRefusesWhatIsNoRedis(t *testing.T) {
	var out bytes.Buffer
	err := run(t.Context(), options{people: 1, days: 1, redisURL: "http://user:password@127.0.0.1"}, &out)
	require.ErrorContains(t, err, "-redis-url")
	require.NotContains(t, err.Error(), "password")
}
