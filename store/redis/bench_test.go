package redis_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
	"github.com/vitalmux/vitalmux/store/redis/redistest"
)

// The records are of a scale: a JSON of 476 bytes, packed by package health to
// 112.
func scaleRecord(rnd *rand.Rand, i int) health.Record {
	at := testNow.AddDate(-3, 0, 0).Add(time.Duration(i) * 10 * time.Minute)
	r := weight("c", strconv.Itoa(2_000_000_000+37*i), at, 60_000+rnd.Int64N(40_000))
	r.Source.Device = "a0b1c2d3e4f5a6b7c8d9e0f1a2b3c4d5"
	r.Values = append(r.Values, health.Value{Metric: health.MetricHeartRate, Number: health.Int(40 + rnd.Int64N(60))})
	r.Normalize()
	return r
}

const (
	benchPages = 100
	benchPage  = 1000
)

// scaleBatches returns pages of records without cursors, so that each may be
// committed again.
func scaleBatches(n int, digests bool) []store.Batch {
	rnd := rand.New(rand.NewPCG(1, 2))
	batches := make([]store.Batch, n)
	for b := range batches {
		page := store.Page{Stream: "measure", Key: strconv.Itoa(b)}
		if digests {
			page.Digest = uint64(b + 1)
		}
		for i := range benchPage {
			page.Records = append(page.Records, scaleRecord(rnd, b*benchPage+i))
		}
		batches[b] = store.Batch{User: "u", Connection: "c", Unfenced: true, Now: testNow, Cause: store.CauseLive, Pages: []store.Page{page}}
	}
	return batches
}

// lossy starts a server that keeps nothing, which is what the anchor,
// redis-benchmark -P 100 -c 1 -t set, is measured on.
func lossy(b *testing.B) (*redistest.Server, store.Store) {
	s := start(b, "--appendonly", "no")
	o := at(s.Addr())
	o.AllowLossy = true
	return s, open(b, o)
}

func report(b *testing.B, records int) {
	b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(0, "ns/op")
}

func usedMemory(b *testing.B, s *redistest.Server) float64 {
	info, err := s.Do("INFO", "memory")
	require.NoError(b, err)
	for line := range strings.Lines(fmt.Sprint(info)) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "used_memory_dataset:"); ok {
			n, err := strconv.ParseFloat(text, 64)
			require.NoError(b, err)
			return n
		}
	}
	b.Fatal("no used_memory_dataset")
	return 0
}

func BenchmarkCommitNew(b *testing.B) {
	batches := scaleBatches(benchPages, false)
	server, _ := lossy(b)
	o := at(server.Addr())
	o.AllowLossy = true
	n := 0
	b.ReportAllocs()
	var used float64
	for b.Loop() {
		b.StopTimer()
		_, err := server.Do("FLUSHALL")
		require.NoError(b, err)
		s := open(b, o)
		empty := usedMemory(b, server)
		b.StartTimer()
		for i := range batches {
			_, err := s.Commit(b.Context(), batches[i])
			require.NoError(b, err)
			n += benchPage
		}
		b.StopTimer()
		used = (usedMemory(b, server) - empty) / (benchPages * benchPage)
		b.StartTimer()
	}
	report(b, n)
	b.ReportMetric(used, "B/record")
}

func benchmarkAgain(b *testing.B, digests bool) {
	batches := scaleBatches(benchPages, digests)
	_, s := lossy(b)
	for i := range batches {
		_, err := s.Commit(b.Context(), batches[i])
		require.NoError(b, err)
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		_, err := s.Commit(b.Context(), batches[n%benchPages])
		require.NoError(b, err)
		n++
	}
	report(b, n*benchPage)
}

func BenchmarkCommitUnchanged(b *testing.B) { benchmarkAgain(b, false) }
func BenchmarkCommitDigest(b *testing.B)    { benchmarkAgain(b, true) }

func BenchmarkRange(b *testing.B) {
	_, s := lossy(b)
	for _, batch := range scaleBatches(benchPages, false) {
		_, err := s.Commit(b.Context(), batch)
		require.NoError(b, err)
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		page, err := s.Records(b.Context(), store.RecordQuery{
			User: "u", From: testNow.AddDate(-3, 0, 0).Add(time.Duration(n%(benchPages-1)) * 10_000 * time.Minute), Limit: 1000,
		})
		require.NoError(b, err)
		require.Len(b, page.Records, 1000)
		n++
	}
}

func BenchmarkCommitDurable(b *testing.B) {
	batches := scaleBatches(benchPages, false)
	s := open(b, at(start(b).Addr()))
	n := 0
	for b.Loop() {
		_, err := s.Commit(b.Context(), batches[n%benchPages])
		require.NoError(b, err)
		for i := range batches[n%benchPages].Pages[0].Records {
			r := &batches[n%benchPages].Pages[0].Records[i]
			r.Rev.Order++
			r.Values[0].Number.Coefficient++
		}
		n++
	}
	report(b, n*benchPage)
}
