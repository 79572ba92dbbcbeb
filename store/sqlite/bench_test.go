package sqlite_test

import (
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
	sqlitestore "github.com/vitalmux/vitalmux/store/sqlite"
)

// scaleRecord is a body composition as a scale tells it.
func scaleRecord(rnd *rand.Rand, i int) health.Record {
	r := weight(strconv.Itoa(2_000_000_000+37*i), testNow.AddDate(-3, 0, 0).Add(time.Duration(i)*10*time.Minute), 60_000+rnd.Int64N(40_000))
	for _, m := range []health.Metric{
		"body_fat_percentage", "fat_mass", "fat_free_mass", "muscle_mass", "bone_mass", "body_water_mass", "heart_rate", "pulse_wave_velocity",
	} {
		r.Values = append(r.Values, health.Value{Metric: m, Number: health.Decimal{Coefficient: 20_000 + rnd.Int64N(20_000), Exponent: -3}})
	}
	r.Normalize()
	return r
}

func scaleBatches(n int) []store.Batch {
	rnd := rand.New(rand.NewPCG(1, 2))
	batches := make([]store.Batch, n)
	for b := range batches {
		records := make([]health.Record, 1000)
		for i := range records {
			records[i] = scaleRecord(rnd, b*1000+i)
		}
		batches[b] = batchOf(records...)
	}
	return batches
}

// benchNewStore times fn alone, on a new store each time.
func benchNewStore(b *testing.B, mode sqlitestore.Synchronous, fn func(s *sqlitestore.Store)) {
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		s, err := sqlitestore.Open(b.Context(), filepath.Join(b.TempDir(), "store.db"), &sqlitestore.Options{Synchronous: mode})
		require.NoError(b, err)
		b.StartTimer()
		fn(s)
		b.StopTimer()
		require.NoError(b, s.Close())
		b.StartTimer()
	}
}

func BenchmarkCommitNew(b *testing.B) {
	batches := scaleBatches(20)
	benchNewStore(b, sqlitestore.SynchronousNormal, func(s *sqlitestore.Store) {
		for i := range batches {
			_, err := s.Commit(b.Context(), batches[i])
			require.NoError(b, err)
		}
	})
	b.ReportMetric(float64(b.N)*20_000/b.Elapsed().Seconds(), "records/s")
}

func BenchmarkCommitUnchanged(b *testing.B) {
	batches := scaleBatches(20)
	s, err := sqlitestore.Open(b.Context(), filepath.Join(b.TempDir(), "store.db"), nil)
	require.NoError(b, err)
	defer s.Close()
	for i := range batches {
		_, err := s.Commit(b.Context(), batches[i])
		require.NoError(b, err)
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		_, err := s.Commit(b.Context(), batches[n%len(batches)])
		require.NoError(b, err)
		n++
	}
	b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "records/s")
}

func BenchmarkRecords(b *testing.B) {
	s, err := sqlitestore.Open(b.Context(), filepath.Join(b.TempDir(), "store.db"), nil)
	require.NoError(b, err)
	defer s.Close()
	for _, batch := range scaleBatches(20) {
		_, err := s.Commit(b.Context(), batch)
		require.NoError(b, err)
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		page, err := s.Records(b.Context(), store.RecordQuery{
			User: "u1", From: testNow.AddDate(-3, 0, 0).Add(time.Duration(n%19) * 10_000 * time.Minute), Limit: 1000,
		})
		require.NoError(b, err)
		require.Len(b, page.Records, 1000)
		n++
	}
}

func BenchmarkCommitChanged(b *testing.B) {
	batches := scaleBatches(20)
	s, err := sqlitestore.Open(b.Context(), filepath.Join(b.TempDir(), "store.db"), &sqlitestore.Options{Synchronous: sqlitestore.SynchronousNormal})
	require.NoError(b, err)
	defer s.Close()
	for i := range batches {
		_, err := s.Commit(b.Context(), batches[i])
		require.NoError(b, err)
	}
	b.ReportAllocs()
	rnd := rand.New(rand.NewPCG(5, 6))
	n := 0
	for b.Loop() {
		b.StopTimer()
		batch := &batches[n%len(batches)]
		for i := range batch.Pages[0].Records {
			if r := &batch.Pages[0].Records[i]; rnd.IntN(10) == 0 {
				r.Values[0].Number.Coefficient++
				r.Rev.Order++
			}
		}
		b.StartTimer()
		_, err := s.Commit(b.Context(), *batch)
		require.NoError(b, err)
		n++
	}
	b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "records/s")
}

func BenchmarkCommitSingle(b *testing.B) {
	s, err := sqlitestore.Open(b.Context(), filepath.Join(b.TempDir(), "store.db"), nil)
	require.NoError(b, err)
	defer s.Close()
	b.SetParallelism(32)
	var connection atomic.Int64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		rnd := rand.New(rand.NewPCG(1, 2))
		id := "c" + strconv.FormatInt(connection.Add(1), 10)
		for i := 0; pb.Next(); i++ {
			r := scaleRecord(rnd, i)
			r.Connection = id
			batch := batchOf(r)
			batch.Connection, batch.User = id, id
			if _, err := s.Commit(b.Context(), batch); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
}

// sampleBatches brings days of heart rate of one connection, a day each: at 1 Hz,
// or every 1 to 10 seconds.
func sampleBatches(days int, irregular bool) []store.Batch {
	rnd := rand.New(rand.NewPCG(1, 2))
	start := testNow.AddDate(-1, 0, 0).Truncate(24 * time.Hour)
	batches := make([]store.Batch, days)
	for d := range batches {
		from := start.AddDate(0, 0, d)
		s := health.Series{Metric: health.MetricHeartRate, From: from.UnixMilli(), To: from.AddDate(0, 0, 1).UnixMilli()}
		for t, v := s.From, int64(70); t < s.To; {
			s.Times, s.Values = append(s.Times, t), append(s.Values, v)
			v = min(max(v+rnd.Int64N(5)-2, 45), 180)
			if irregular {
				t += 1000 * (1 + rnd.Int64N(10))
			} else {
				t += 1000
			}
		}
		r := weight(from.Format("2006-01-02"), from, 0)
		r.Kind, r.Key, r.Values, r.Series = health.KindSamples, "measure/"+from.Format("2006-01-02"), nil, []health.Series{s}
		r.Span.End = health.At(from.AddDate(0, 0, 1))
		r.Normalize()
		batches[d] = batchOf(r)
	}
	return batches
}

// benchRhythms runs fn with days at 1 Hz and with irregular ones. It returns how
// many samples it wrote or read.
func benchRhythms(b *testing.B, days int, fn func(b *testing.B, batches []store.Batch) int) {
	for _, name := range []string{"regular", "irregular"} {
		b.Run(name, func(b *testing.B) {
			n := fn(b, sampleBatches(days, name == "irregular"))
			require.NotZero(b, n)
			b.ReportMetric(float64(n)/b.Elapsed().Seconds()/1e6, "Msamples/s")
		})
	}
}

func BenchmarkSamples(b *testing.B) {
	benchRhythms(b, 200, func(b *testing.B, batches []store.Batch) (n int) {
		s, err := sqlitestore.Open(b.Context(), filepath.Join(b.TempDir(), "store.db"), &sqlitestore.Options{Synchronous: sqlitestore.SynchronousNormal})
		require.NoError(b, err)
		defer func() { require.NoError(b, s.Close()) }()
		for i := range batches {
			_, err := s.Commit(b.Context(), batches[i])
			require.NoError(b, err)
		}
		b.ReportAllocs()
		for b.Loop() {
			q := store.SampleQuery{User: "u1", Metric: health.MetricHeartRate}
			for more := true; more; more = q.After != "" {
				page, err := s.Samples(b.Context(), q)
				require.NoError(b, err)
				for _, run := range page.Runs {
					n += run.Series.Len()
				}
				q.After = page.Next
			}
		}
		runtime.KeepAlive(batches) // a service has a heap, too
		return n
	})
}

func BenchmarkCommitSamples(b *testing.B) {
	benchRhythms(b, 100, func(b *testing.B, batches []store.Batch) (n int) {
		benchNewStore(b, sqlitestore.SynchronousNormal, func(s *sqlitestore.Store) {
			for i := range batches {
				_, err := s.Commit(b.Context(), batches[i])
				require.NoError(b, err)
				n += batches[i].Pages[0].Records[0].Series[0].Len()
			}
		})
		return n
	})
}

// BenchmarkCommitPushes has 16 connections push five minutes of 1 Hz at a time.
func BenchmarkCommitPushes(b *testing.B) {
	for _, mode := range []sqlitestore.Synchronous{sqlitestore.SynchronousNormal, sqlitestore.SynchronousFull} {
		b.Run(string(mode), func(b *testing.B) {
			day := sampleBatches(1, false)[0].Pages[0].Records[0]
			lists := make([][]store.Batch, 16)
			for c := range lists {
				for i := range int64(24 * 12) {
					r := day
					r.Connection, r.Key = "c"+strconv.Itoa(c), "measure/"+strconv.FormatInt(1000+i, 10)
					from := day.Series[0].From + i*300_000
					r.Series = []health.Series{day.Series[0].Slice(from, from+300_000)}
					r.Normalize()
					batch := batchOf(r)
					batch.Connection = r.Connection
					lists[c] = append(lists[c], batch)
				}
			}
			n := 0
			benchNewStore(b, mode, func(s *sqlitestore.Store) {
				var group errgroup.Group
				for _, list := range lists {
					group.Go(func() error {
						for i := range list {
							if _, err := s.Commit(b.Context(), list[i]); err != nil {
								return err
							}
						}
						return nil
					})
				}
				require.NoError(b, group.Wait())
				n += len(lists) * len(lists[0]) * 300
			})
			b.ReportMetric(float64(n)/b.Elapsed().Seconds()/1e6, "Msamples/s")
		})
	}
}
