package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/store"
	sqlitestore "github.com/vitalmux/vitalmux/store/sqlite"
)

// The tests of this file start this test binary again as a process of its own,
// which writes until it is done or killed. childEnv names its task.
const childEnv = "VITALMUX_SQLITE_CHILD"

// child is what the process does; it reports true if it was one.
func child() bool {
	task, path, ok := strings.Cut(os.Getenv(childEnv), " ")
	if !ok {
		return false
	}
	number, n, _ := strings.Cut(task, "/")
	count, err := strconv.Atoi(n)
	if err == nil {
		err = writeAsChild(path, number, count)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return true
}

// childBatch is commit n of a child: some records, samples and a cursor that
// counts commits.
func childBatch(connection string, n int) store.Batch {
	at := testNow.AddDate(-1, 0, 0).Add(time.Duration(n) * time.Minute)
	b := store.Batch{
		User: "u-" + connection, Connection: connection, Unfenced: true, Now: testNow, Cause: store.CauseLive,
		Pages: []store.Page{{Stream: "measure"}},
		Cursors: []store.CursorSwap{{
			Old: store.Cursor{Connection: connection, Stream: "measure", Lane: store.LaneLive},
			New: store.Cursor{Connection: connection, Stream: "measure", Lane: store.LaneLive, HighWater: strconv.Itoa(n + 1)},
		}},
	}
	if n > 0 {
		b.Cursors[0].Old.HighWater = strconv.Itoa(n)
	}
	for i := range 5 {
		r := weight(fmt.Sprintf("%d-%d", n, i), at.Add(time.Duration(i)*time.Second), int64(70_000+n))
		r.Connection = connection
		b.Pages[0].Records = append(b.Pages[0].Records, r)
	}
	day := health.Record{
		Connection: connection, Kind: health.KindSamples, Key: fmt.Sprintf("measure/samples-%d", n),
		Span: health.Span{Start: health.At(at), Day: health.DayOf(at)}, Rev: health.Rev{Order: at.UnixMilli()},
		Series: []health.Series{{
			Metric: health.MetricHeartRate, From: at.UnixMilli(), To: at.UnixMilli() + 60_000,
			Times: []int64{at.UnixMilli(), at.UnixMilli() + 1000}, Values: []int64{int64(60 + n%40), 61},
		}},
	}
	b.Pages[0].Records = append(b.Pages[0].Records, day)
	return b
}

func writeAsChild(path, number string, count int) error {
	ctx := context.Background()
	s, err := sqlitestore.Open(ctx, path, &sqlitestore.Options{BusyTimeout: 5 * time.Minute})
	if err != nil {
		return err
	}
	connection := "child-" + number
	cursor, err := s.Cursor(ctx, connection, "measure", store.LaneLive)
	if err != nil {
		return err
	}
	n, _ := strconv.Atoi(cursor.HighWater)
	for ; count == 0 || n < count; n++ {
		if _, err := s.Commit(ctx, childBatch(connection, n)); err != nil {
			return err
		}
		fmt.Println(n + 1)
	}
	return s.Close()
}

// start starts a child.
func start(t *testing.T, path, number string, count int) (*exec.Cmd, io.Reader) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s/%d %s", childEnv, number, count, path))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	return cmd, out
}

func seed(t *testing.T) *rand.Rand {
	t.Helper()
	n := rand.Uint64()
	if text := os.Getenv("VITALMUX_SEED"); text != "" {
		var err error
		n, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("replay with VITALMUX_SEED=%d", n)
	return rand.New(rand.NewPCG(n, 0))
}

// TestKilled kills a process that commits, at random moments: what it was told
// to be durable is there, and nothing is there by halves.
func TestKilled(t *testing.T) {
	rnd := seed(t)
	path := filepath.Join(t.TempDir(), "store.db")
	hits, kills := 0, proof.N(8, 100)
	for range kills {
		cmd, out := start(t, path, "0", 0)
		patience := rnd.IntN(40)
		acked := 0
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			n, err := strconv.Atoi(lines.Text())
			require.NoError(t, err)
			acked = n
			if patience--; patience < 0 {
				break
			}
		}
		require.NoError(t, cmd.Process.Kill())
		for lines.Scan() {
			if n, err := strconv.Atoi(lines.Text()); err == nil {
				acked = n
			}
		}
		require.Error(t, cmd.Wait())

		s, err := sqlitestore.Open(t.Context(), path, nil)
		require.NoError(t, err)
		cursor, err := s.Cursor(t.Context(), "child-0", "measure", store.LaneLive)
		require.NoError(t, err)
		n, err := strconv.Atoi(cursor.HighWater)
		require.NoError(t, err)
		require.GreaterOrEqual(t, n, acked, "an acknowledged commit is gone")
		if acked > 0 {
			hits++
		}
		checkChild(t, s, "child-0", n)
		require.NoError(t, s.Close())
		require.Equal(t, [][]string{{"ok"}}, query(t, path, "PRAGMA integrity_check"))
	}
	require.Equal(t, kills, hits, "every kill hits a process that has committed")
}

// checkChild reads everything that n commits of a child wrote.
func checkChild(t *testing.T, s store.Store, connection string, n int) {
	t.Helper()
	count, q := 0, store.RecordQuery{User: "u-" + connection}
	for {
		page, err := s.Records(t.Context(), q)
		require.NoError(t, err)
		count += len(page.Records)
		if q.After = page.Next; page.Next == "" {
			break
		}
	}
	require.Equal(t, 6*n, count)
	points, err := s.Samples(t.Context(), store.SampleQuery{User: "u-" + connection, Metric: health.MetricHeartRate})
	require.NoError(t, err)
	got := 0
	for _, run := range points.Runs {
		got += run.Series.Len()
	}
	require.Equal(t, 2*n, got)
	changes, err := s.Changes(t.Context(), "test", 1_000_000)
	require.NoError(t, err)
	own := 0
	for _, c := range changes {
		if c.Connection == connection {
			own++
		}
	}
	require.Equal(t, 6*n, own)
}

// TestProcesses lets processes write into one file at the same time, from its
// creation on.
func TestProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	const processes, commits = 3, 60
	var wg sync.WaitGroup
	errs := make([]error, processes)
	for i := range processes {
		cmd, out := start(t, path, strconv.Itoa(i), commits)
		wg.Go(func() {
			_, _ = io.Copy(io.Discard, out)
			errs[i] = cmd.Wait()
		})
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	s := open(t, path, nil)
	for i := range processes {
		checkChild(t, s, fmt.Sprintf("child-%d", i), commits)
	}
}

// TestTwoStoresOnOneFile takes turns: what one wrote the other knows, names
// and numbers included.
func TestTwoStoresOnOneFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	a, b := open(t, path, nil), open(t, path, nil)
	for n := range 20 {
		s, other := a, b
		if n%2 == 1 {
			s, other = b, a
		}
		batch := childBatch("c", n)
		_, err := s.Commit(t.Context(), batch)
		require.NoError(t, err)
		_, err = other.Commit(t.Context(), batch)
		require.ErrorIs(t, err, store.ErrConflict, "the cursor has moved")
		batch.Cursors = nil
		res, err := other.Commit(t.Context(), batch)
		require.NoError(t, err)
		require.Equal(t, store.Result{Unchanged: 6}, res)
		checkChild(t, other, "c", n+1)
	}
	require.NoError(t, a.DeleteConnection(t.Context(), "c", true))
	page, err := b.Records(t.Context(), store.RecordQuery{User: "u-c"})
	require.NoError(t, err)
	require.Empty(t, page.Records)
	fresh := childBatch("c", 0)
	res, err := b.Commit(t.Context(), fresh)
	require.NoError(t, err)
	require.Equal(t, 6, res.Inserted)
	_, err = a.Erase(t.Context(), "u-c")
	require.NoError(t, err)
	_, err = b.Commit(t.Context(), childBatch("c", 1))
	require.ErrorIs(t, err, store.ErrErased)
}

// TestOneFailureInAGroup commits many batches at once, one of which is refused.
func TestOneFailureInAGroup(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "store.db"), nil)
	const n = 40
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		b := childBatch(fmt.Sprintf("c%d", i), 0)
		if i == n/2 {
			b.Cursors[0].Old.HighWater = "elsewhere"
		}
		wg.Go(func() { _, errs[i] = s.Commit(t.Context(), b) })
	}
	wg.Wait()
	for i, err := range errs {
		if i == n/2 {
			require.ErrorIs(t, err, store.ErrConflict)
			continue
		}
		require.NoError(t, err)
		checkChild(t, s, fmt.Sprintf("c%d", i), 1)
	}
}

// TestSameConnectionAtOnce commits to one connection from many goroutines.
func TestSameConnectionAtOnce(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "store.db"), nil)
	const n = 60
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		b := childBatch("c", i)
		b.Cursors = nil
		b.Pages[0].Records[0].Source.Device = fmt.Sprintf("a device with number %d", i%7)
		wg.Go(func() { _, errs[i] = s.Commit(t.Context(), b) })
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	checkChild(t, s, "c", n)
}
