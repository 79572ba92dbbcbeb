package sqlite_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
	"github.com/vitalmux/vitalmux/store/storetest"
)

func TestCopyToMemoryAndBack(t *testing.T) {
	storetest.RunCopy(t, func() store.Store { return open(t, filepath.Join(t.TempDir(), "store.db"), nil) },
		func() store.Store { return store.NewMemory() })
}

func TestCopyFromMemoryAndBack(t *testing.T) {
	storetest.RunCopy(t, func() store.Store { return store.NewMemory() },
		func() store.Store { return open(t, filepath.Join(t.TempDir(), "store.db"), nil) })
}

// TestCopyOfManySamples copies samples of changing rhythm and exponent between
// stores that divide them into other chunks and pages.
func TestCopyOfManySamples(t *testing.T) {
	inFile := func() store.Store { return open(t, filepath.Join(t.TempDir(), "store.db"), nil) }
	inMemory := func() store.Store { return store.NewMemory() }
	for name, pair := range map[string][2]func() store.Store{
		"to a file": {inFile, inFile}, "to memory": {inFile, inMemory}, "from memory": {inMemory, inFile},
	} {
		t.Run(name, func(t *testing.T) {
			src, dst := pair[0](), pair[1]()
			first := testNow.Add(-30 * 24 * time.Hour).UnixMilli()
			for day, run := range []struct {
				step int64
				exp  int8
				n    int
			}{{1_000, 0, 10}, {10_000, -1, 8640}, {10_000, 0, 8640}, {300_000, -2, 200}, {10_000, 0, 8640}} {
				s := health.Series{Metric: "body_temperature", Exp: run.exp, From: first + int64(day)*24*60*60*1000}
				for i := range int64(run.n) {
					s.Times, s.Values = append(s.Times, s.From+i*run.step), append(s.Values, 30+i%9)
				}
				s.To = s.From + int64(run.n)*run.step
				r := health.Record{
					Connection: "c1", Kind: health.KindSamples, Key: fmt.Sprint("stream/", day), Span: health.Span{Start: health.Instant(s.From)},
					Rev: health.Rev{Order: 1}, Series: []health.Series{s},
				}
				_, err := src.Commit(t.Context(), store.Batch{
					User: "u1", Connection: "c1", Unfenced: true, Now: testNow, Cause: store.CauseLive,
					Pages: []store.Page{{Stream: "stream", Records: []health.Record{r}}},
				})
				require.NoError(t, err)
			}
			report, err := store.Copy(t.Context(), dst, src)
			require.NoError(t, err)
			require.Equal(t, 10+3*8640+200, report.Samples)
			report, err = store.Copy(t.Context(), dst, src)
			require.NoError(t, err)
			require.Equal(t, 1, report.Skipped)
			require.NoError(t, src.Close())
			require.NoError(t, dst.Close())
		})
	}
}
