package redis_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/internal/proof"
	"github.com/vitalmux/vitalmux/store"
)

// TestProcessesOnOneChunk has several stores, which know nothing of each other,
// revise the same records. What one reads in several steps another one changes
// in between: it begins again, and does not take that for damage.
func TestProcessesOnOneChunk(t *testing.T) {
	if short(t) {
		return
	}
	t.Parallel()
	s, seed := start(t), proof.Seed(t)
	const records = 20
	var order atomic.Int64
	var all sync.WaitGroup
	for i := range 4 {
		a := open(t, at(s.Addr()))
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		all.Go(func() {
			for range proof.N(60, 5000) {
				b := store.Batch{User: "user of w", Connection: "w", Unfenced: true, Now: testNow, Cause: store.CauseLive,
					Pages: []store.Page{{Stream: "measure"}}}
				for range 1 + random.IntN(4) {
					r := weight("w", fmt.Sprint(random.IntN(records)), testNow, random.Int64N(100_000))
					r.Source.Device = strings.Repeat("scale", random.IntN(20))
					r.Rev.Order = order.Add(1)
					b.Pages[0].Records = append(b.Pages[0].Records, r)
				}
				if _, err := a.Commit(t.Context(), b); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	n := 0
	for _, err := range store.AllRecords(t.Context(), open(t, at(s.Addr())), store.RecordQuery{User: "user of w"}) {
		require.NoError(t, err)
		n++
	}
	require.Equal(t, records, n)
}
