package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/vitalmux/vitalmux/health"
	"github.com/vitalmux/vitalmux/store"
	sqlitestore "github.com/vitalmux/vitalmux/store/sqlite"
)

// samples measures dense series: days of heart rate, committed a day at a time.
func samples(ctx context.Context, b *bench) error {
	for _, mode := range []sqlitestore.Synchronous{sqlitestore.SynchronousFull, sqlitestore.SynchronousNormal} {
		topic := "Dense samples, synchronous=" + string(mode)
		for _, rhythm := range []struct {
			name      string
			irregular bool
			write     float64
			disk      float64
			days      int
		}{{"1 Hz", false, 40, 0.6, 20}, {"1-10 s steps", true, 20, 1.6, 60}} {
			best := lap{}
			var perSample float64
			points := 0
			for round := range b.rounds {
				g := newGenerator(uint64(round + 1))
				days := make([]health.Record, rhythm.days)
				points = 0
				for i := range days {
					days[i] = sampleDay(g.series(sampleStart.AddDate(0, 0, i), rhythm.irregular))
					points += days[i].Series[0].Len()
				}
				var err error
				if perSample, err = samplesRound(ctx, filepath.Join(b.dir, fmt.Sprint(mode, rhythm.name, round)), mode, days, points, best); err != nil {
					return err
				}
			}
			rate := func(name string) float64 { return float64(points) / best[name].Seconds() / 1e6 }
			add := func(name string, measured, floor float64, note string) {
				b.Add(Row{Topic: topic, Name: rhythm.name + ": " + name, Unit: "M samples/s", Measured: measured, Floor: floor, Note: note})
			}
			add("day batches written", rate("write"), rhythm.write, "one commit per day of samples")
			b.Add(Row{Topic: topic, Name: rhythm.name + ": day batches written, against the codec alone", Unit: "M samples/s",
				Measured: rate("write"), Anchor: rate("codec"), Floor: 0.5, Note: "AppendPoints and zstd on one core"})
			add("day batches again, unchanged", rate("again"), 0, "")
			add("read", rate("read"), 100, "all days, paged")
			b.Add(Row{Topic: topic, Name: rhythm.name + ": file", Unit: "B/sample", Measured: perSample, Floor: rhythm.disk, Most: true})
		}
		if err := pushes(ctx, b, mode, topic); err != nil {
			return err
		}
	}
	return nil
}

var sampleStart = time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC)

// sampleDay is the record that brings a series.
func sampleDay(s health.Series) health.Record {
	start, end := time.UnixMilli(s.From).UTC(), time.UnixMilli(s.To).UTC()
	r := health.Record{
		Connection: "c", Kind: health.KindSamples, Key: "intraday/" + start.Format("2006-01-02T15:04"),
		Span:   health.Span{Start: health.At(start), End: health.At(end), Day: health.DayOf(start), Zone: health.ZoneFromRecord},
		Source: health.Source{Provider: "withings", Path: health.PathDirect, Device: "ScanWatch 2"},
		Rev:    health.Rev{Order: s.To, Mapping: 1},
		Method: health.MethodSensed, Series: []health.Series{s},
	}
	r.Normalize()
	return r
}

func sampleBatch(connection string, records []health.Record) store.Batch {
	return store.Batch{
		User: "user", Connection: connection, Unfenced: true, Now: benchNow, Cause: store.CauseLive,
		Pages: []store.Page{{Stream: "intraday", Records: records}},
	}
}

func samplesRound(ctx context.Context, dir string, mode sqlitestore.Synchronous, days []health.Record, points int, best lap) (float64, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := best.time("codec", func() error { return codecAlone(days) }); err != nil {
		return 0, err
	}
	path := filepath.Join(dir, "store.db")
	s, err := sqlitestore.Open(ctx, path, &sqlitestore.Options{Synchronous: mode})
	if err != nil {
		return 0, err
	}
	write := func(want func(store.Result, int) error) func() error {
		return func() error {
			for i := range days {
				res, err := s.Commit(ctx, sampleBatch("c", days[i:i+1]))
				if err == nil {
					err = want(res, 1)
				}
				if err != nil {
					return err
				}
			}
			return nil
		}
	}
	if err := best.time("write", write(inserted)); err != nil {
		return 0, err
	}
	if err := best.time("again", write(unchanged)); err != nil {
		return 0, err
	}
	got := 0
	if err := best.time("read", func() error {
		q := store.SampleQuery{User: "user", Metric: health.MetricHeartRate, From: math.MinInt64, To: math.MaxInt64}
		for {
			page, err := s.Samples(ctx, q)
			if err != nil {
				return err
			}
			for _, run := range page.Runs {
				got += run.Series.Len()
			}
			if page.Next == "" {
				return nil
			}
			q.After = page.Next
		}
	}); err != nil {
		return 0, err
	}
	if got != points {
		return 0, fmt.Errorf("read %d samples of %d", got, points)
	}
	if err := s.Close(); err != nil {
		return 0, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	empty, err := emptySize(ctx, filepath.Join(dir, "empty.db"))
	return float64(info.Size()-empty) / float64(points), err
}

// emptySize is the size of a store without data.
func emptySize(ctx context.Context, path string) (int64, error) {
	s, err := sqlitestore.Open(ctx, path, nil)
	if err != nil {
		return 0, err
	}
	if err := s.Close(); err != nil {
		return 0, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// codecAlone packs the days into chunks of an hour, or six for irregular ones,
// and drops them.
func codecAlone(days []health.Record) error {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false),
		zstd.WithSingleSegment(true), zstd.WithAllLitEntropyCompression(true), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	var packed, out []byte
	for i := range days {
		s := &days[i].Series[0]
		width := int64(time.Hour / time.Millisecond)
		if s.Len() < 80_000 {
			width *= 6
		}
		for from := s.From; from < s.To; from += width {
			part := s.Slice(from, from+width)
			packed = health.AppendPoints(packed[:0], &part)
			out = enc.EncodeAll(packed, out[:0])
		}
	}
	if len(out) == 0 {
		return errors.New("nothing was packed")
	}
	return enc.Close()
}

// pushes measures five-minute pushes of 1 Hz into stored days, from 16
// connections at once and from one.
func pushes(ctx context.Context, b *bench, mode sqlitestore.Synchronous, topic string) error {
	const connections, perDay = 16, 24 * 12
	best := lap{}
	points := 0
	for round := range b.rounds {
		s, err := sqlitestore.Open(ctx, filepath.Join(b.dir, fmt.Sprint("push", mode, round, ".db")), &sqlitestore.Options{Synchronous: mode})
		if err != nil {
			return err
		}
		lists := make([][]health.Record, connections+1)
		points = 0
		for c := range lists {
			day := newGenerator(uint64(round*100+c)).series(sampleStart, false)
			for i := range int64(perDay) {
				part := day.Slice(day.From+i*300_000, day.From+(i+1)*300_000)
				r := sampleDay(part)
				r.Connection = connectionName(c)
				lists[c] = append(lists[c], r)
			}
			points = day.Len()
		}
		push := func(c int) error {
			for i := range lists[c] {
				res, err := s.Commit(ctx, sampleBatch(connectionName(c), lists[c][i:i+1]))
				if err == nil {
					err = inserted(res, 1)
				}
				if err != nil {
					return err
				}
			}
			return nil
		}
		if err := best.time("one", func() error { return push(connections) }); err != nil {
			return err
		}
		if err := best.time("many", func() error {
			errs := make(chan error, connections)
			for c := range connections {
				go func() { errs <- push(c) }()
			}
			var all error
			for range connections {
				all = errors.Join(all, <-errs)
			}
			return all
		}); err != nil {
			return err
		}
		if err := s.Close(); err != nil {
			return err
		}
	}
	b.Add(Row{Topic: topic, Name: "1 Hz: pushes of 5 minutes, 16 connections at once", Unit: "M samples/s",
		Measured: connections * float64(points) / best["many"].Seconds() / 1e6, Floor: 3, Note: "each push is a commit that merges 300 points into a chunk"})
	b.Add(Row{Topic: topic, Name: "1 Hz: pushes of 5 minutes, one after the other", Unit: "M samples/s",
		Measured: float64(points) / best["one"].Seconds() / 1e6})
	return nil
}
